//! The grammar of usage lines (`key value [NX | XX] [EX seconds | PX milliseconds]`), from which arity and the
//! arguments of COMMAND DOCS are derived. Where Redis has a name or a kind of its own for an argument, the line says so
//! in front of it (`mode=[WRITE | ALL]`, `change=CH`, `value=integer`), and behind it the version that added it
//! (`[GET]@6.2.0`). It runs over the server's own constant text only, once, at start.

use std::iter::Peekable;
use std::vec::IntoIter;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::space0;
use nom::combinator::{map, opt};
use nom::multi::{many1, separated_list1};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// One argument of a usage line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name in lower case.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The word that introduces it (`EX` of `EX seconds`).
    pub token: Option<String>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be repeated.
    pub multiple: bool,
    /// Whether a repetition begins with the token again (`GET pattern [GET pattern ...]`).
    pub repeats_token: bool,
    /// The version that added it to its command.
    pub since: Option<String>,
    /// The parts of a block, the choices of a one-of.
    pub parts: Vec<Argument>,
}

/// The kinds of arguments, as COMMAND DOCS names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A key.
    Key,
    /// Any bytes.
    String,
    /// A signed decimal.
    Integer,
    /// A floating-point number.
    Double,
    /// A glob pattern.
    Pattern,
    /// An absolute time.
    UnixTime,
    /// A word by itself.
    PureToken,
    /// One of its parts.
    OneOf,
    /// All of its parts, in order.
    Block,
}

impl Kind {
    /// The name COMMAND DOCS prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }

    fn named(name: &str) -> Self {
        let kinds = [Self::Key, Self::Integer, Self::Double];
        let found = kinds.into_iter().find(|kind| kind.name() == name);
        found.unwrap_or(Self::String)
    }

    fn of_value(name: &str) -> Self {
        match name {
            "key" | "key1" | "key2" | "newkey" | "source" | "destination" | "sourcekey"
            | "destkey" => Self::Key,
            "pattern" => Self::Pattern,
            "score" | "timeout" | "longitude" | "latitude" | "radius" | "width" | "height"
            | "weight" => Self::Double,
            "seconds" | "milliseconds" | "count" | "offset" | "start" | "stop" | "end"
            | "increment" | "decrement" | "db" | "index" | "index1" | "index2" | "cursor"
            | "numkeys" | "numpatterns" | "bit" | "length" | "protover" | "rank"
            | "num-matches" | "maxlen" | "client-id" | "numreplicas" | "limit" | "len"
            | "numlocal" | "destination-db" | "version" | "slot" | "threshold"
            | "min-match-len" => Self::Integer,
            _ if name.starts_with("unix-time") => Self::UnixTime,
            _ => Self::String,
        }
    }
}

/// The arguments of `usage`, or `None` where the line is not of the grammar (a test checks every line of the table).
pub fn parse(usage: &str) -> Option<Vec<Argument>> {
    let (rest, items) = items(usage).ok()?;
    rest.trim().is_empty().then(|| arguments(items))
}

/// The arity of a command with these arguments, its `words` of name included: the exact count, or minus the least.
pub fn arity(words: usize, arguments: &[Argument]) -> i16 {
    let least = words + arguments.iter().map(least).sum::<usize>();
    let least = i16::try_from(least).unwrap_or(i16::MAX);
    if arguments.iter().all(is_fixed) {
        least
    } else {
        -least
    }
}

fn least(argument: &Argument) -> usize {
    if argument.optional {
        return 0;
    }
    let token = usize::from(argument.token.is_some());
    match argument.kind {
        Kind::PureToken => 1,
        Kind::OneOf => token + argument.parts.iter().map(least).min().unwrap_or_default(),
        Kind::Block => token + argument.parts.iter().map(least).sum::<usize>(),
        _ => token + 1,
    }
}

fn is_fixed(argument: &Argument) -> bool {
    let equal = |parts: &[Argument]| {
        parts
            .windows(2)
            .all(|pair| least(&pair[0]) == least(&pair[1]))
    };
    !argument.optional
        && !argument.multiple
        && argument.parts.iter().all(is_fixed)
        && (argument.kind != Kind::OneOf || equal(&argument.parts))
}

/// What the text holds, before tokens are joined to the values they introduce.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    label: Option<String>,
    what: What,
    since: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Word(String),
    Ellipsis,
    Optional(Vec<Vec<Item>>),
    Group(Vec<Vec<Item>>),
}

/// `items = 1*(item *SP)`
fn items(input: &str) -> IResult<&str, Vec<Item>> {
    map(
        opt(many1(delimited(space0, item, space0))),
        Option::unwrap_or_default,
    )
    .parse(input)
}

/// `item = [text "="] (optional / group / ellipsis / text) ["@" text]`
fn item(input: &str) -> IResult<&str, Item> {
    let label = opt(terminated(text, tag("=")));
    let since = opt(preceded(tag("@"), text));
    let what = alt((optional, group, ellipsis, map(text, What::Word)));
    map((label, what, since), |(label, what, since)| Item {
        label,
        what,
        since,
    })
    .parse(input)
}

/// `optional = "[" choices "]"`
fn optional(input: &str) -> IResult<&str, What> {
    map(delimited(tag("["), choices, tag("]")), What::Optional).parse(input)
}

/// `group = "<" choices ">"`
fn group(input: &str) -> IResult<&str, What> {
    map(delimited(tag("<"), choices, tag(">")), What::Group).parse(input)
}

/// `choices = items *("|" items)`
fn choices(input: &str) -> IResult<&str, Vec<Vec<Item>>> {
    separated_list1(preceded(space0, tag("|")), items).parse(input)
}

/// `ellipsis = "..."`
fn ellipsis(input: &str) -> IResult<&str, What> {
    map(tag("..."), |_| What::Ellipsis).parse(input)
}

/// `text = 1*(any byte but space, brackets, "=" and "@")`
fn text(input: &str) -> IResult<&str, String> {
    let one = take_while1(|c: char| !c.is_whitespace() && !"[]<>|=@".contains(c));
    map(one, str::to_owned).parse(input)
}

fn is_token(word: &str) -> bool {
    !word.chars().any(|c| c.is_ascii_lowercase())
}

fn arguments(items: Vec<Item>) -> Vec<Argument> {
    let mut found: Vec<Argument> = Vec::new();
    let mut items = items.into_iter().peekable();
    while let Some(Item { label, what, since }) = items.next() {
        let made = match what {
            What::Word(word) if is_token(&word) => Some(introduced(word, &mut items)),
            What::Word(word) if label.is_some() => Some(Argument {
                kind: Kind::named(&word),
                ..Argument::of_value(word)
            }),
            What::Word(word) => Some(Argument::of_value(word)),
            What::Ellipsis => {
                if let Some(last) = found.last_mut() {
                    last.multiple = true;
                }
                None
            }
            What::Optional(choices) => optional_argument(choices, &mut found),
            What::Group(choices) => Some(one_of(choices)),
        };
        if let Some(mut made) = made {
            made.name = label.unwrap_or(made.name);
            made.since = since.or(made.since);
            found.push(made);
        }
    }
    found
}

impl Argument {
    fn new(name: String, kind: Kind, parts: Vec<Self>) -> Self {
        Self {
            name,
            kind,
            token: None,
            optional: false,
            multiple: false,
            repeats_token: false,
            since: None,
            parts,
        }
    }

    fn of_value(name: String) -> Self {
        let kind = Kind::of_value(&name);
        Self::new(name, kind, Vec::new())
    }
}

/// A token with the group or the values behind it.
fn introduced(token: String, items: &mut Peekable<IntoIter<Item>>) -> Argument {
    let is_group = |next: &Item| matches!(next.what, What::Group(_));
    let is_value = |next: &Item| matches!(&next.what, What::Word(word) if !is_token(word));
    let mut behind: Vec<Item> = items.next_if(is_group).into_iter().collect();
    if behind.is_empty() {
        behind.extend(std::iter::from_fn(|| items.next_if(is_value)));
    }
    let argument = if behind.is_empty() {
        Argument::new(token.to_ascii_lowercase(), Kind::PureToken, Vec::new())
    } else {
        joined(arguments(behind))
    };
    Argument {
        token: Some(token),
        ..argument
    }
}

/// What stands in brackets, which may be left out. `[key ...]` behind `key` is no further argument, but repeats that one.
fn optional_argument(mut choices: Vec<Vec<Item>>, found: &mut Vec<Argument>) -> Option<Argument> {
    let last = choices
        .last_mut()
        .and_then(|choice| choice.pop_if(|item| item.what == What::Ellipsis));
    if last.is_none() || choices.len() > 1 {
        let mut argument = one_of(choices);
        argument.optional = true;
        argument.multiple |= last.is_some();
        return Some(argument);
    }
    let body = arguments(choices.pop().unwrap_or_default());
    let len = body.len();
    let tail = found.len().checked_sub(len).map(|from| &found[from..]);
    // `WEIGHTS weight [weight ...]`: the word stands once, before the first.
    let same = |one: &Argument, other: &Argument| {
        let alone = len == 1 && other.token.is_none();
        let token = one.token.clone();
        one == other
            || alone
                && *one
                    == Argument {
                        token,
                        ..other.clone()
                    }
    };
    if tail.is_some_and(|tail| tail.iter().zip(&body).all(|(one, other)| same(one, other))) {
        let block = found.split_off(found.len() - len);
        let mut repeated = joined(block);
        repeated.repeats_token = body.iter().any(|part| part.token.is_some());
        repeated.multiple = true;
        found.push(repeated);
        return None;
    }
    let mut repeated = joined(body);
    repeated.repeats_token = repeated.token.is_some();
    repeated.optional = true;
    repeated.multiple = true;
    Some(repeated)
}

fn one_of(mut choices: Vec<Vec<Item>>) -> Argument {
    if choices.len() == 1 {
        return joined(arguments(choices.pop().unwrap_or_default()));
    }
    let parts: Vec<_> = choices
        .into_iter()
        .map(|choice| joined(arguments(choice)))
        .collect();
    Argument::new(choice_name(&parts), Kind::OneOf, parts)
}

/// The names of several arguments as one.
fn together(parts: &[Argument]) -> String {
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    names.join("_")
}

/// The names Redis has for frequent choices, by their first word; any other is named after all of its parts.
fn choice_name(parts: &[Argument]) -> String {
    let first = parts.first().and_then(|part| part.token.as_deref());
    let known = match first {
        Some("NX") => "condition",
        Some("EX") => "expiration",
        Some("GT") => "comparison",
        Some("ASC") => "order",
        Some("M") => "unit",
        Some("BYSCORE") => "sortby",
        Some("LEFT" | "BEFORE" | "MIN") => "where",
        _ => return together(parts),
    };
    known.to_owned()
}

/// One argument for several: the only one, or a block.
fn joined(mut parts: Vec<Argument>) -> Argument {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    Argument::new(together(&parts), Kind::Block, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arity_of(usage: &str) -> i16 {
        arity(1, &parse(usage).expect("a usage line"))
    }

    #[test]
    fn arity_is_derived_from_the_line() {
        assert_eq!(arity_of(""), 1);
        assert_eq!(arity_of("key"), 2);
        assert_eq!(
            arity_of("key value [NX | XX] [GET] [EX seconds | PX milliseconds]"),
            -3
        );
        assert_eq!(arity_of("key [key ...]"), -2);
        assert_eq!(arity_of("key value [key value ...]"), -3);
        assert_eq!(arity_of("key <BEFORE | AFTER> pivot element"), 5);
        assert_eq!(
            arity_of("numkeys key [key ...] <LEFT | RIGHT> [COUNT count]"),
            -4
        );
        assert_eq!(arity_of("[ON | OFF | SKIP]"), -1);
    }

    #[test]
    fn tokens_join_the_values_they_introduce() {
        let arguments =
            parse("key [LIMIT offset count] [EX seconds | KEEPTTL]").expect("a usage line");
        assert_eq!(arguments[1].kind, Kind::Block);
        assert_eq!(arguments[1].token.as_deref(), Some("LIMIT"));
        assert_eq!(arguments[2].kind, Kind::OneOf);
        assert_eq!(arguments[2].parts[0].token.as_deref(), Some("EX"));
        assert_eq!(arguments[2].parts[1].kind, Kind::PureToken);
    }

    #[test]
    fn a_word_introduces_a_choice_and_a_repetition() {
        let arguments =
            parse("[WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN>] [EX s | PX m]")
                .expect("a usage line");
        let shown: Vec<_> = arguments
            .iter()
            .map(|one| (one.name.as_str(), one.token.as_deref(), one.multiple))
            .collect();
        assert_eq!(
            shown,
            [
                ("weight", Some("WEIGHTS"), true),
                ("sum_min", Some("AGGREGATE"), false),
                ("expiration", None, false),
            ]
        );
        assert_eq!(
            arguments.iter().map(|one| one.kind).collect::<Vec<_>>(),
            [Kind::Double, Kind::OneOf, Kind::OneOf]
        );
    }

    #[test]
    fn names_kinds_and_versions_stand_beside_their_arguments() {
        let arguments = parse("how=<A | B>@1.2 change=CH [EX s@3 | value=integer]@4 <X | Y> ...")
            .expect("a usage line");
        let shown: Vec<_> = arguments
            .iter()
            .chain(&arguments[2].parts)
            .map(|one| {
                (
                    one.name.as_str(),
                    one.kind,
                    one.since.as_deref(),
                    one.multiple,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("how", Kind::OneOf, Some("1.2"), false),
                ("change", Kind::PureToken, None, false),
                ("expiration", Kind::OneOf, Some("4"), false),
                ("x_y", Kind::OneOf, None, true),
                ("s", Kind::String, Some("3"), false),
                ("value", Kind::Integer, None, false),
            ]
        );
    }

    #[test]
    fn an_unbalanced_line_is_refused() {
        assert_eq!(parse("key [NX"), None);
        assert_eq!(parse("key ]"), None);
    }
}
