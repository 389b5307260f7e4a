//! COMMAND: what the table says about itself.

use crate::command::{Call, Command, Flags, Keys, Place, Registered};
use crate::fault::{Fault, Outcome};
use crate::reply::Reply;
use crate::usage::{Argument, Kind};
use crate::value::glob;

pub(super) const COMMANDS: &[Command] = &[Command {
    handler: command,
    arity: -1,
    ..Command::container("COMMAND", COMMAND)
}
.always()
.since("2.8.13")
.complexity("O(N) where N is the total number of commands")
.categories(&["connection"])
.tips("nondeterministic_output_order")
.summary("Describes all commands.")];

const COMMAND: &[Command] = &[
    subcommand("COUNT", "", count)
        .since("2.8.13")
        .summary("The number of commands."),
    subcommand("INFO", "[command-name [command-name ...]]", info)
        .since("2.8.13")
        .complexity("O(N) where N is the number of commands to look up")
        .tips("nondeterministic_output_order")
        .summary("Describes commands by name."),
    subcommand(
        "LIST",
        "[FILTERBY filterby=<MODULE module-name | ACLCAT category | PATTERN pattern>]",
        list,
    )
    .since("7.0.0")
    .complexity("O(N) where N is the total number of commands")
    .tips("nondeterministic_output_order")
    .summary("The names of the commands."),
    subcommand("DOCS", "[command-name [command-name ...]]", docs)
        .since("7.0.0")
        .complexity("O(N) where N is the number of commands to look up")
        .tips("nondeterministic_output_order")
        .summary("Documents commands."),
    subcommand("GETKEYS", "command [arg [arg ...]]", getkeys)
        .arity(-4)
        .since("2.8.13")
        .complexity("O(N) where N is the number of arguments to the command")
        .summary("The keys of a whole command."),
    subcommand(
        "GETKEYSANDFLAGS",
        "command [arg [arg ...]]",
        getkeysandflags,
    )
    .arity(-4)
    .since("7.0.0")
    .complexity("O(N) where N is the number of arguments to the command")
    .summary("The keys of a whole command, and how it uses them."),
    subcommand("HELP", "", help)
        .since("5.0.0")
        .summary("Explains the subcommands."),
];

const fn subcommand(
    name: &'static str,
    usage: &'static str,
    handler: crate::command::Handler,
) -> Command {
    Command::new(name, usage, handler)
        .flags(Flags::LOADING.and(Flags::STALE))
        .categories(&["connection"])
}

fn command(call: &mut Call<'_>) -> Outcome {
    let all: Vec<_> = call.commands.top_level().collect();
    call.reply.array(all.len());
    for registered in all {
        describe(call, registered);
    }
    Ok(())
}

fn count(call: &mut Call<'_>) -> Outcome {
    call.reply.count(call.commands.top_level().count());
    Ok(())
}

fn info(call: &mut Call<'_>) -> Outcome {
    if call.args.is_empty() {
        return command(call);
    }
    let names = call.args.remaining();
    call.reply.array(names.len());
    for name in names {
        match call.commands.by_full_name(name) {
            Some(registered) => describe(call, registered),
            None => call.reply.null(),
        }
    }
    Ok(())
}

/// The ten fields of COMMAND INFO. Subcommands have no subcommands, so this goes one level deep.
fn describe(call: &mut Call<'_>, registered: &Registered) {
    let (reply, children) = (&mut call.reply, call.commands.children(registered));
    describe_fields(reply, registered);
    if children.is_empty() {
        return reply.set(0);
    }
    reply.array(children.len());
    for child in children {
        describe_fields(reply, child);
        reply.set(0);
    }
}

fn describe_fields(reply: &mut Reply<'_>, registered: &Registered) {
    reply.array(10);
    reply.bulk(&registered.name);
    reply.integer(registered.arity.into());
    reply.flags(&registered.command.flags.names());
    let (first, last, step) = positions(registered);
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    let categories: Vec<String> = registered
        .categories()
        .iter()
        .map(|name| format!("@{name}"))
        .collect();
    reply.flags(&categories.iter().map(String::as_str).collect::<Vec<_>>());
    let tips: Vec<&str> = registered.command.tips.split_ascii_whitespace().collect();
    reply.set(tips.len());
    for tip in tips {
        reply.bulk(tip);
    }
    let keys: Vec<_> = registered.command.keys.iter().flatten().collect();
    reply.set(keys.len());
    for key in keys {
        describe_keys(reply, registered, key);
    }
}

/// The old form of key positions: first, last and step of the first range, as far as one range tells it.
fn positions(registered: &Registered) -> (i64, i64, i64) {
    let ranges = registered
        .command
        .keys
        .iter()
        .flatten()
        .filter_map(|keys| match keys.place {
            Place::Range { first, last, step } => {
                Some((first as i64, i64::from(last), step as i64))
            }
            _ => None,
        });
    ranges
        .reduce(|(first, _, step), (other, last, _)| (first.min(other), last, step))
        .unwrap_or((0, 0, 0))
}

fn describe_keys(reply: &mut Reply<'_>, registered: &Registered, keys: &Keys) {
    let flags: Vec<&str> = registered.access(keys).split_ascii_whitespace().collect();
    let (search, find): (Specification, Specification) = match keys.place {
        Place::Range { first, last, step } => {
            let relative = if last < 0 {
                i64::from(last)
            } else {
                i64::from(last) - first as i64
            };
            (
                vec![
                    ("type", Shown::Text("index")),
                    ("index", Shown::Number(first as i64)),
                ],
                vec![
                    ("type", Shown::Text("range")),
                    ("lastkey", Shown::Number(relative)),
                    ("keystep", Shown::Number(step as i64)),
                    ("limit", Shown::Number(0)),
                ],
            )
        }
        Place::Counted { position } => (
            vec![
                ("type", Shown::Text("index")),
                ("index", Shown::Number(position as i64)),
            ],
            vec![
                ("type", Shown::Text("keynum")),
                ("keynumidx", Shown::Number(0)),
                ("firstkey", Shown::Number(1)),
                ("keystep", Shown::Number(1)),
            ],
        ),
        Place::Keyword {
            keyword,
            from,
            limit,
        } => (
            vec![
                ("type", Shown::Text("keyword")),
                ("keyword", Shown::Text(keyword)),
                ("startfrom", Shown::Number(from as i64)),
            ],
            vec![
                ("type", Shown::Text("range")),
                ("lastkey", Shown::Number(if limit > 1 { -1 } else { 0 })),
                ("keystep", Shown::Number(1)),
                ("limit", Shown::Number(limit as i64)),
            ],
        ),
        Place::Custom(_) => (
            vec![("type", Shown::Text("unknown"))],
            vec![("type", Shown::Text("unknown"))],
        ),
    };
    reply.map(3);
    reply.bulk("flags");
    reply.flags(&flags);
    reply.bulk("begin_search");
    specification(reply, &search);
    reply.bulk("find_keys");
    specification(reply, &find);
}

/// The fields of one step of a key specification; the first is its type.
type Specification = Vec<(&'static str, Shown)>;

enum Shown {
    Text(&'static str),
    Number(i64),
}

fn specification(reply: &mut Reply<'_>, fields: &[(&str, Shown)]) {
    let Some(((_, kind), rest)) = fields.split_first() else {
        return;
    };
    let show = |reply: &mut Reply<'_>, shown: &Shown| match shown {
        Shown::Text(text) => reply.bulk(text),
        Shown::Number(number) => reply.integer(*number),
    };
    reply.map(2);
    reply.bulk("type");
    show(reply, kind);
    reply.bulk("spec");
    reply.map(rest.len());
    for (name, shown) in rest {
        reply.bulk(name);
        show(reply, shown);
    }
}

fn list(call: &mut Call<'_>) -> Outcome {
    let wanted: Vec<&str> = if call.args.keyword("FILTERBY") {
        let filter = call
            .args
            .one_of(&["MODULE", "ACLCAT", "PATTERN"])
            .ok_or(Fault::SYNTAX)?;
        let value = call.args.next_bytes()?;
        let keeps = |registered: &&Registered| match filter {
            0 => false,
            1 => registered
                .categories()
                .iter()
                .any(|name| name.as_bytes().eq_ignore_ascii_case(value)),
            _ => glob::matches_ignore_case(value, registered.name.as_bytes()),
        };
        call.commands
            .all()
            .iter()
            .filter(keeps)
            .map(|registered| registered.name.as_str())
            .collect()
    } else {
        call.commands
            .all()
            .iter()
            .map(|registered| registered.name.as_str())
            .collect()
    };
    call.args.finish()?;
    call.reply.bulks(wanted.iter());
    Ok(())
}

fn docs(call: &mut Call<'_>) -> Outcome {
    let wanted: Vec<&Registered> = if call.args.is_empty() {
        call.commands.top_level().collect()
    } else {
        call.args
            .remaining()
            .iter()
            .filter_map(|name| call.commands.by_full_name(name))
            .collect()
    };
    call.reply.map(wanted.len());
    for registered in wanted {
        document(call, registered);
    }
    Ok(())
}

/// A command's entry with those of its subcommands; those have none of their own.
fn document(call: &mut Call<'_>, registered: &Registered) {
    let (reply, children) = (&mut call.reply, call.commands.children(registered));
    document_fields(reply, registered, usize::from(!children.is_empty()));
    if children.is_empty() {
        return;
    }
    reply.bulk("subcommands");
    reply.map(children.len());
    for child in children {
        document_fields(reply, child, 0);
    }
}

fn document_fields(reply: &mut Reply<'_>, registered: &Registered, further: usize) {
    let command = registered.command;
    reply.bulk(&registered.name);
    let history = history(&registered.arguments);
    let flags: Vec<&str> = [
        (command.deprecated.is_some(), "deprecated"),
        (command.flags.has(Flags::INTERNAL), "syscmd"),
    ]
    .iter()
    .filter_map(|(yes, name)| yes.then_some(*name))
    .collect();
    let shown = [
        !flags.is_empty(),
        command.deprecated.is_some(),
        command.deprecated.is_some(),
        !history.is_empty(),
        !registered.arguments.is_empty(),
    ];
    let shown = shown.into_iter().filter(|shown| *shown).count();
    reply.map(4 + shown + further);
    for (name, text) in [
        ("summary", command.summary),
        ("since", command.since),
        ("group", registered.family.group),
        ("complexity", command.complexity),
    ] {
        reply.bulk(name);
        reply.bulk(text);
    }
    if !flags.is_empty() {
        reply.bulk("doc_flags");
        reply.flags(&flags);
    }
    if let Some((since, instead)) = command.deprecated {
        reply.bulk("deprecated_since");
        reply.bulk(since);
        reply.bulk("replaced_by");
        reply.bulk(instead);
    }
    if !history.is_empty() {
        reply.bulk("history");
        reply.set(history.len());
        for (since, added) in history {
            reply.array(2);
            reply.bulk(since);
            reply.bulk(format!("Added {}.", added.join(", ")));
        }
    }
    if !registered.arguments.is_empty() {
        reply.bulk("arguments");
        reply.array(registered.arguments.len());
        let mut specifications = Specifications {
            left: registered.arguments.iter().map(keys_among).sum(),
            next: 0,
            last: command.keys.iter().flatten().count().saturating_sub(1),
        };
        for argument in &registered.arguments {
            document_argument(reply, argument, &mut specifications);
        }
    }
}

/// The versions that added arguments to a command, the oldest first, and which: by their words, or the name of a value.
fn history(arguments: &[Argument]) -> Vec<(&str, Vec<String>)> {
    let mut added: Vec<(&str, Vec<String>)> = Vec::new();
    let mut open: Vec<&Argument> = arguments.iter().rev().collect();
    while let Some(argument) = open.pop() {
        open.extend(argument.parts.iter().rev());
        let Some(since) = argument.since.as_deref() else {
            continue;
        };
        let words = argument.parts.iter().filter_map(|part| part.token.clone());
        let names = match &argument.token {
            Some(token) => vec![token.clone()],
            None if argument.kind == Kind::PureToken || argument.parts.is_empty() => {
                vec![argument.name.clone()]
            }
            None => words.collect(),
        };
        match added.iter_mut().find(|(version, _)| *version == since) {
            Some((_, known)) => known.extend(names),
            None => added.push((since, names)),
        }
    }
    let number = |part: &str| part.parse::<u16>().unwrap_or_default();
    added.sort_by_cached_key(|(since, _)| since.split('.').map(number).collect::<Vec<_>>());
    added
}

/// Which key specification each key of the arguments belongs to: they come in the same order, and the last key belongs to
/// the last of them, as specifications of keys that no argument names (SORT's BY) stand before that.
struct Specifications {
    /// Keys still to come among the arguments.
    left: usize,
    next: usize,
    last: usize,
}

impl Specifications {
    fn next_key(&mut self) -> usize {
        self.left = self.left.saturating_sub(1);
        let index = match (self.next, self.left) {
            (0, _) => 0,
            (_, 0) => self.last,
            (next, _) => next.min(self.last),
        };
        self.next += 1;
        index
    }
}

fn keys_among(argument: &Argument) -> usize {
    let own = usize::from(argument.kind == Kind::Key);
    own + argument.parts.iter().map(keys_among).sum::<usize>()
}

/// Usage lines are ours and nest a few levels at most.
fn document_argument(
    reply: &mut Reply<'_>,
    argument: &Argument,
    specifications: &mut Specifications,
) {
    let flags: Vec<&str> = [
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.repeats_token, "multiple_token"),
    ]
    .iter()
    .filter(|(yes, _)| *yes)
    .map(|(_, name)| *name)
    .collect();
    let is_key = argument.kind == Kind::Key;
    let fields = 2
        + usize::from(is_key)
        + usize::from(argument.token.is_some())
        + usize::from(argument.since.is_some())
        + usize::from(!flags.is_empty())
        + usize::from(!argument.parts.is_empty());
    reply.map(fields);
    reply.bulk("name");
    reply.bulk(&argument.name);
    reply.bulk("type");
    reply.bulk(argument.kind.name());
    if is_key {
        reply.bulk("key_spec_index");
        reply.count(specifications.next_key());
    }
    if let Some(token) = &argument.token {
        reply.bulk("token");
        reply.bulk(token);
    }
    if let Some(since) = &argument.since {
        reply.bulk("since");
        reply.bulk(since);
    }
    if !flags.is_empty() {
        reply.bulk("flags");
        reply.flags(&flags);
    }
    if !argument.parts.is_empty() {
        reply.bulk("arguments");
        reply.array(argument.parts.len());
        for part in &argument.parts {
            document_argument(reply, part, specifications);
        }
    }
}

/// The keys of the command in the arguments, each with how it is used.
fn keys_of<'a>(call: &Call<'a>) -> Result<Vec<(&'a [u8], &'static str)>, Fault> {
    let args = call.args.remaining();
    let registered = call
        .commands
        .resolve(args)
        .map_err(|_| Fault::GETKEYS_UNKNOWN)?;
    let places = registered.command.keys.iter().flatten();
    if places.into_iter().all(|keys| keys.access == "not_key") {
        return Err(Fault::GETKEYS_NONE);
    }
    if !registered.accepts(args.len()) {
        return Err(Fault::GETKEYS_ARITY);
    }
    let positions = registered
        .key_positions(args)
        .ok_or(Fault::GETKEYS_INVALID)?;
    let keys: Vec<_> = positions
        .iter()
        .filter_map(|(at, access)| Some((*args.get(*at)?, access_of_call(access, args))))
        .collect();
    if keys.is_empty() {
        Err(Fault::GETKEYS_INVALID)
    } else {
        Ok(keys)
    }
}

/// How a key is used by this very call, where that depends on its options.
fn access_of_call(access: &'static str, args: &[&[u8]]) -> &'static str {
    let is = |word: Option<&&[u8]>, name: &str| {
        word.is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    if !access.ends_with("variable_flags") {
        return access;
    }
    if is(args.first(), "SET") {
        let gets = args.iter().skip(3).any(|word| is(Some(word), "GET"));
        return if gets {
            "RW access update"
        } else {
            "OW update"
        };
    }
    // BITFIELD: what is not surely a read counts as a write.
    let mut at = 2;
    while at < args.len() {
        let left = args.len() - at - 1;
        at += match args.get(at) {
            word if is(word, "GET") && left >= 2 => 3,
            word if is(word, "OVERFLOW") && left >= 1 => 2,
            _ => return "RW access update",
        };
    }
    "RO access"
}

fn getkeys(call: &mut Call<'_>) -> Outcome {
    let keys = keys_of(call)?;
    call.reply.bulks(keys.iter().map(|(key, _)| *key));
    Ok(())
}

fn getkeysandflags(call: &mut Call<'_>) -> Outcome {
    let keys = keys_of(call)?;
    call.reply.array(keys.len());
    for (key, access) in keys {
        call.reply.array(2);
        call.reply.bulk(key);
        call.reply
            .flags(&access.split_ascii_whitespace().collect::<Vec<_>>());
    }
    Ok(())
}

fn help(call: &mut Call<'_>) -> Outcome {
    call.help();
    Ok(())
}
