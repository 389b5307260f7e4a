//! The grammar of usage lines (`key value [NX | XX] [EX seconds | PX milliseconds]`), from which arity and the
//! arguments of COMMAND DOCS are derived. It runs over the server's own constant text only, once, at start.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::space0;
use nom::combinator::{map, opt};
use nom::multi::{many1, separated_list1};
use nom::sequence::{delimited, preceded};
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
enum Item {
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

/// `item = optional / group / ellipsis / word`
fn item(input: &str) -> IResult<&str, Item> {
    alt((optional, group, ellipsis, word)).parse(input)
}

/// `optional = "[" choices "]"`
fn optional(input: &str) -> IResult<&str, Item> {
    map(delimited(tag("["), choices, tag("]")), Item::Optional).parse(input)
}

/// `group = "<" choices ">"`
fn group(input: &str) -> IResult<&str, Item> {
    map(delimited(tag("<"), choices, tag(">")), Item::Group).parse(input)
}

/// `choices = items *("|" items)`
fn choices(input: &str) -> IResult<&str, Vec<Vec<Item>>> {
    separated_list1(preceded(space0, tag("|")), items).parse(input)
}

/// `ellipsis = "..."`
fn ellipsis(input: &str) -> IResult<&str, Item> {
    map(tag("..."), |_| Item::Ellipsis).parse(input)
}

/// `word = 1*(any byte but space and brackets)`
fn word(input: &str) -> IResult<&str, Item> {
    let one = take_while1(|c: char| !c.is_whitespace() && !"[]<>|".contains(c));
    map(one, |text: &str| Item::Word(text.to_owned())).parse(input)
}

fn is_token(word: &str) -> bool {
    !word.chars().any(|c| c.is_ascii_lowercase())
}

fn arguments(items: Vec<Item>) -> Vec<Argument> {
    let mut found: Vec<Argument> = Vec::new();
    let mut items = items.into_iter().peekable();
    while let Some(item) = items.next() {
        match item {
            Item::Word(word) if is_token(&word) => {
                if let Some(Item::Group(choices)) =
                    items.next_if(|next| matches!(next, Item::Group(_)))
                {
                    let token = Some(word);
                    found.push(Argument {
                        token,
                        ..one_of(choices)
                    });
                    continue;
                }
                let mut values = Vec::new();
                while let Some(Item::Word(value)) =
                    items.next_if(|next| matches!(next, Item::Word(w) if !is_token(w)))
                {
                    values.push(value_argument(value));
                }
                found.push(introduced(word, values));
            }
            Item::Word(word) => found.push(value_argument(word)),
            Item::Ellipsis => {}
            Item::Optional(choices) => optional_arguments(choices, &mut found),
            Item::Group(choices) => found.push(one_of(choices)),
        }
    }
    found
}

fn value_argument(name: String) -> Argument {
    let kind = Kind::of_value(&name);
    Argument {
        name,
        kind,
        token: None,
        optional: false,
        multiple: false,
        repeats_token: false,
        parts: Vec::new(),
    }
}

fn introduced(token: String, mut values: Vec<Argument>) -> Argument {
    let name = token.to_ascii_lowercase();
    let (name, kind, parts) = match values.pop() {
        None => (name, Kind::PureToken, Vec::new()),
        Some(only) if values.is_empty() => (only.name, only.kind, Vec::new()),
        Some(last) => {
            values.push(last);
            (together(&values), Kind::Block, values)
        }
    };
    Argument {
        name,
        kind,
        token: Some(token),
        optional: false,
        multiple: false,
        repeats_token: false,
        parts,
    }
}

/// `[key ...]` behind `key` repeats it; anything else in brackets is an argument that may be left out.
fn optional_arguments(mut choices: Vec<Vec<Item>>, found: &mut Vec<Argument>) {
    let repeats = choices.len() == 1 && choices[0].last() == Some(&Item::Ellipsis);
    if repeats {
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
            return;
        }
        let mut repeated = joined(body);
        repeated.repeats_token = repeated.token.is_some();
        repeated.optional = true;
        repeated.multiple = true;
        found.push(repeated);
        return;
    }
    let mut argument = one_of(choices);
    argument.optional = true;
    found.push(argument);
}

fn one_of(mut choices: Vec<Vec<Item>>) -> Argument {
    if choices.len() == 1 {
        return joined(arguments(choices.pop().unwrap_or_default()));
    }
    let parts: Vec<_> = choices
        .into_iter()
        .map(|choice| joined(arguments(choice)))
        .collect();
    Argument {
        name: choice_name(&parts),
        kind: Kind::OneOf,
        token: None,
        optional: false,
        multiple: false,
        repeats_token: false,
        parts,
    }
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
    Argument {
        name: together(&parts),
        kind: Kind::Block,
        token: None,
        optional: false,
        multiple: false,
        repeats_token: false,
        parts,
    }
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
    fn an_unbalanced_line_is_refused() {
        assert_eq!(parse("key [NX"), None);
        assert_eq!(parse("key ]"), None);
    }
}
