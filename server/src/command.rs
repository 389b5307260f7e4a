//! The command table: what one command is, the calls handlers get, and the lookup by name.
//!
//! # Adding a command
//! One line in the `COMMANDS` table on top of a file in `commands/`, one function below it:
//!
//! ```ignore
//! Command::new("APPEND", "key value", append).writes().denies_oom().fast().key(1).since("2.0.0").summary("…"),
//!
//! fn append(call: &mut Call<'_>) -> Outcome {
//!     let key = call.args.next_bytes()?;
//!     let value = call.args.next_bytes()?;
//!     let text = call.db.string_mut_or_create(key)?;
//!     text.append(value);
//!     let len = text.len();
//!     call.db.changed(key, Class::STRING, "append");
//!     call.reply.count(len);
//!     Ok(())
//! }
//! ```

use crate::args::Args;
use crate::client_state::Client;
use crate::effects::Request;
use crate::fault::{Fault, Outcome};
use crate::ids::{ClientId, CommandId};
use crate::keyspace::{Database, Kind};
use crate::reply::Reply;
use crate::state::State;
use crate::time::Now;
use crate::usage::{self, Argument};

mod flags;
mod keys;
mod table;

pub use flags::Flags;
pub use keys::{Keys, Place};
pub use table::Commands;

/// What runs a command.
pub type Handler = fn(&mut Call<'_>) -> Outcome;

/// One line of the table.
#[derive(Debug)]
pub struct Command {
    /// The name in upper case.
    pub name: &'static str,
    /// The arguments behind the name, in the grammar of [`usage`].
    pub usage: &'static str,
    /// The function that runs it; a container's is never called.
    pub handler: Handler,
    /// Set by the builder's methods.
    pub flags: Flags,
    /// Where its keys are.
    pub keys: [Option<Keys>; 3],
    /// The Redis version that had it first.
    pub since: &'static str,
    /// One sentence for people.
    pub summary: &'static str,
    /// The cost, for COMMAND DOCS.
    pub complexity: &'static str,
    /// The arity where the usage line does not tell it; zero where it does.
    pub arity: i16,
    /// The commands of a container.
    pub subcommands: &'static [Command],
    /// Other names it answers to.
    pub aliases: &'static [&'static str],
    /// ACL categories besides those that follow from the flags and the family.
    pub categories: &'static [&'static str],
    /// Tips of COMMAND INFO for clients and proxies, with a space between two.
    pub tips: &'static str,
    /// Of a deprecated command: since which version, and what to call instead.
    pub deprecated: Option<(&'static str, &'static str)>,
}

impl Command {
    /// A command with a name, its usage line and its function.
    pub const fn new(name: &'static str, usage: &'static str, handler: Handler) -> Self {
        Self {
            name,
            usage,
            handler,
            flags: Flags::NONE,
            keys: [None; 3],
            since: "1.0.0",
            summary: "",
            complexity: "O(1)",
            arity: 0,
            subcommands: &[],
            aliases: &[],
            categories: &[],
            tips: "",
            deprecated: None,
        }
    }

    /// A command that only holds subcommands (`CONFIG`).
    pub const fn container(name: &'static str, subcommands: &'static [Command]) -> Self {
        Self {
            subcommands,
            arity: -2,
            ..Self::new(name, "", |_| Err(Fault::SYNTAX))
        }
    }

    /// Adds flags.
    #[must_use]
    pub const fn flags(self, flags: Flags) -> Self {
        Self {
            flags: self.flags.and(flags),
            ..self
        }
    }

    /// Changes keys.
    #[must_use]
    pub const fn writes(self) -> Self {
        self.flags(Flags::WRITE)
    }

    /// Reads keys only.
    #[must_use]
    pub const fn reads(self) -> Self {
        self.flags(Flags::READONLY)
    }

    /// Is refused while memory is over the limit.
    #[must_use]
    pub const fn denies_oom(self) -> Self {
        self.flags(Flags::DENY_OOM)
    }

    /// Takes constant or logarithmic time.
    #[must_use]
    pub const fn fast(self) -> Self {
        self.flags(Flags::FAST)
    }

    /// May block its client.
    #[must_use]
    pub const fn blocks(self) -> Self {
        self.flags(Flags::BLOCKING)
    }

    /// Is for administrators.
    #[must_use]
    pub const fn admin(self) -> Self {
        self.flags(Flags::ADMIN)
    }

    /// Is dangerous in the ACL's sense.
    #[must_use]
    pub const fn dangerous(self) -> Self {
        self.flags(Flags::DANGEROUS)
    }

    /// Can't be called by a script.
    #[must_use]
    pub const fn no_script(self) -> Self {
        self.flags(Flags::NO_SCRIPT)
    }

    /// Runs also while data is loaded or stale.
    #[must_use]
    pub const fn always(self) -> Self {
        self.flags(Flags::LOADING.and(Flags::STALE))
    }

    /// Has one key at `position`.
    #[must_use]
    pub const fn key(self, position: usize) -> Self {
        self.keys(position, position as i32, 1)
    }

    /// Has keys from `first` to `last` (negative: from the end) in steps of `step`.
    #[must_use]
    pub const fn keys(self, first: usize, last: i32, step: usize) -> Self {
        self.keys_at(Place::Range { first, last, step })
    }

    /// Has a count of keys at `position`, and the keys behind it.
    #[must_use]
    pub const fn numkeys(self, position: usize) -> Self {
        self.flags(Flags::MOVABLE_KEYS)
            .keys_at(Place::Counted { position })
    }

    /// Has keys at a further place; up to three places are kept.
    #[must_use]
    pub const fn keys_at(mut self, place: Place) -> Self {
        let mut index = 0;
        while index < self.keys.len() {
            if self.keys[index].is_none() {
                self.keys[index] = Some(Keys { place, access: "" });
                break;
            }
            index += 1;
        }
        self
    }

    /// How the last given key place is used, in COMMAND's words: `"RW access update"`.
    #[must_use]
    pub const fn access(mut self, access: &'static str) -> Self {
        let mut index = self.keys.len();
        while index > 0 {
            index -= 1;
            if let Some(keys) = &mut self.keys[index] {
                keys.access = access;
                break;
            }
        }
        self
    }

    /// The Redis version that had it first.
    #[must_use]
    pub const fn since(self, since: &'static str) -> Self {
        Self { since, ..self }
    }

    /// One sentence for people.
    #[must_use]
    pub const fn summary(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    /// The cost, where it is not `O(1)`.
    #[must_use]
    pub const fn complexity(self, complexity: &'static str) -> Self {
        Self { complexity, ..self }
    }

    /// The arity, where the usage line does not tell it.
    #[must_use]
    pub const fn arity(self, arity: i16) -> Self {
        Self { arity, ..self }
    }

    /// Other names it answers to.
    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Tips for clients and proxies, such as `nondeterministic_output request_policy:all_shards`.
    #[must_use]
    pub const fn tips(self, tips: &'static str) -> Self {
        Self { tips, ..self }
    }

    /// Is deprecated since a version in favour of another call.
    #[must_use]
    pub const fn deprecated(self, since: &'static str, instead: &'static str) -> Self {
        Self {
            deprecated: Some((since, instead)),
            ..self
        }
    }

    /// Further ACL categories, without `@`.
    #[must_use]
    pub const fn categories(self, categories: &'static [&'static str]) -> Self {
        Self { categories, ..self }
    }
}

/// The commands of one file.
#[derive(Debug)]
pub struct Family {
    /// The group of COMMAND DOCS (`string`, `sorted-set`, `generic` …).
    pub group: &'static str,
    /// The ACL category (`string`, `sortedset`, `keyspace` …).
    pub category: &'static str,
    /// Its table.
    pub commands: &'static [Command],
}

/// A command of the lookup, with what is derived from its line.
#[derive(Debug)]
pub struct Registered {
    /// The line of the table.
    pub command: &'static Command,
    /// Its family.
    pub family: &'static Family,
    /// The name in lower case, as COMMAND prints it: `get`, `config|get`.
    pub name: String,
    /// The exact count of arguments with the name, or minus the least.
    pub arity: i16,
    /// The words of the name: 1, or 2 for a subcommand.
    pub words: usize,
    /// The usage line, parsed.
    pub arguments: Vec<Argument>,
    /// Its place in [`Commands::all`].
    pub id: CommandId,
    /// The subcommands' places.
    pub children: std::ops::Range<usize>,
    /// The position of its first key, where that is the same in every call.
    pub first_key: Option<usize>,
    /// Of a command whose keys go on to its last argument: the first one's position, and the step from key to key.
    pub many_keys: Option<(usize, usize)>,
    /// Whether it looks up elements by their names in what a key holds.
    pub has_elements: bool,
}

impl Registered {
    /// A line of the table, with what is derived from it.
    fn new(
        command: &'static Command,
        family: &'static Family,
        container: Option<&'static Command>,
        index: usize,
    ) -> Self {
        let words = 1 + usize::from(container.is_some());
        let arguments = usage::parse(command.usage).unwrap_or_default();
        let arity = if command.arity == 0 {
            usage::arity(words, &arguments)
        } else {
            command.arity
        };
        let name = match container {
            Some(container) => format!("{}|{}", container.name, command.name).to_ascii_lowercase(),
            None => command.name.to_ascii_lowercase(),
        };
        let range = match command.keys[0] {
            Some(Keys {
                place: Place::Range { first, last, step },
                ..
            }) => Some((first, last, step)),
            _ => None,
        };
        let many_keys = range.filter(|(_, last, _)| *last == -1);
        Self {
            command,
            family,
            name,
            arity,
            words,
            arguments,
            id: CommandId(index as u16),
            children: 0..0,
            first_key: range.map(|(first, ..)| first),
            many_keys: many_keys.map(|(first, _, step)| (first, step.max(1))),
            has_elements: matches!(family.category, "hash" | "set" | "sortedset"),
        }
    }

    /// Refuses a call with a wrong number of arguments, the name included.
    pub(crate) fn check_arity(&self, args: &[&[u8]]) -> Result<(), Fault> {
        if self.accepts(args.len()) {
            Ok(())
        } else {
            Err(Fault::wrong_arity(&self.name))
        }
    }

    /// Whether a call with `len` arguments, the name included, has the right number.
    pub fn accepts(&self, len: usize) -> bool {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        let arity = i64::from(self.arity);
        if arity >= 0 {
            len == arity
        } else {
            len >= -arity
        }
    }

    /// Whether the command has any of these flags.
    pub fn has(&self, flags: Flags) -> bool {
        self.command.flags.has(flags)
    }

    /// The ACL categories, without `@`, in the order COMMAND INFO prints them.
    pub fn categories(&self) -> Vec<&'static str> {
        const ORDER: [&str; 21] = [
            "keyspace",
            "read",
            "write",
            "set",
            "sortedset",
            "list",
            "hash",
            "string",
            "bitmap",
            "hyperloglog",
            "geo",
            "stream",
            "pubsub",
            "admin",
            "fast",
            "slow",
            "blocking",
            "dangerous",
            "connection",
            "transaction",
            "scripting",
        ];
        let flags = self.command.flags;
        let has = |name: &str| match name {
            "read" => flags.has(Flags::READONLY),
            "write" => flags.has(Flags::WRITE),
            "admin" => flags.has(Flags::ADMIN),
            "pubsub" => flags.has(Flags::PUBSUB),
            "fast" => flags.has(Flags::FAST),
            "slow" => !flags.has(Flags::FAST),
            "blocking" => flags.has(Flags::BLOCKING),
            "dangerous" => flags.has(Flags::ADMIN.and(Flags::DANGEROUS)),
            _ => false,
        };
        // A container is in none of its family's; its subcommands are.
        let family = if self.command.subcommands.is_empty() {
            self.family.category
        } else {
            ""
        };
        let named = |name: &str| family == name || self.command.categories.contains(&name);
        ORDER
            .into_iter()
            .filter(|name| has(name) || named(name))
            .collect()
    }

    /// The positions of the keys in `args`, with how each is used; `None` where the arguments don't make sense.
    pub fn key_positions(&self, args: &[&[u8]]) -> Option<Vec<(usize, &'static str)>> {
        let mut found = Vec::new();
        for keys in self.command.keys.iter().flatten() {
            let access = self.access(keys);
            for position in keys.place.positions(args)? {
                found.push((position, access));
            }
        }
        Some(found)
    }

    /// How keys are used: as written in the table, or as the command's flags tell.
    pub fn access(&self, keys: &Keys) -> &'static str {
        match keys.access {
            "" if self.has(Flags::WRITE) => "RW update",
            "" => "RO access",
            written => written,
        }
    }
}

/// Why a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A client called it.
    Client,
    /// EXEC runs its queue.
    Transaction,
    /// A script calls it.
    Script,
    /// A key that a blocked client waits for became ready.
    Retry,
}

/// One running command: what a handler sees of the world.
///
/// The fields are borrowed one by one, so a value looked up in `db` can be written to `reply` while it is borrowed.
#[derive(Debug)]
pub struct Call<'a> {
    /// The arguments, behind the name.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// The client's database.
    pub db: Database<'a>,
    /// Everything else: clients, configuration, pub/sub, statistics.
    pub state: &'a mut State,
    /// Who calls.
    pub id: ClientId,
    /// The time of this batch.
    pub now: Now,
    /// The command's line.
    pub command: &'static Registered,
    /// All commands.
    pub commands: &'static Commands,
    /// Why it runs.
    pub context: Context,
}

impl<'a> Call<'a> {
    /// The calling client.
    pub fn client(&self) -> &Client {
        self.state.clients.at(self.id)
    }

    /// The calling client.
    pub fn client_mut(&mut self) -> &mut Client {
        self.state.clients.at_mut(self.id)
    }

    /// Replaces what the journal and replicas get for this call (default: the call itself, if it changed anything).
    /// Called several times, all of them are one atomic group; called with no argument, nothing is propagated.
    pub fn propagate(&mut self, args: &[&[u8]]) {
        self.state.effects.replace(self.db.index(), args);
    }

    /// Whether anybody reads effects; building costly ones can be skipped where nobody does.
    pub fn propagates(&self) -> bool {
        self.state.effects.is_attached()
    }

    /// Whether this call may wait: not inside MULTI or a script.
    pub fn may_block(&self) -> bool {
        matches!(self.context, Context::Client | Context::Retry)
    }

    /// The keys a blocking command should try: all of `keys`, or only the one that became ready.
    pub fn candidates(&self, keys: &'a [&'a [u8]]) -> Vec<&'a [u8]> {
        match (&self.context, self.state.blocked.serving()) {
            (Context::Retry, Some(ready)) => {
                keys.iter().copied().filter(|key| *key == ready).collect()
            }
            _ => keys.to_vec(),
        }
    }

    /// Makes the client wait until one of `keys` holds a value of `kind`, then runs the same call again.
    ///
    /// `timeout_ms` is `None` for ever. Where waiting is not possible ([`may_block`](Self::may_block)), and when the
    /// time is over, a null array is the reply.
    pub fn block(&mut self, keys: &[&[u8]], kind: Kind, timeout_ms: Option<u64>) {
        if !self.may_block() {
            return self.reply.null_array();
        }
        let deadline = timeout_ms.map(|timeout| {
            self.now
                .monotonic_us
                .saturating_add(timeout.saturating_mul(1000))
        });
        let request = Request::new(self.args.all());
        self.state
            .block(self.id, self.db.index(), keys, kind, deadline, request);
    }

    /// Answers HELP for the container of this command, from the lines of its subcommands.
    pub fn help(&mut self) {
        let container = self.command.name.split('|').next().unwrap_or_default();
        let Some(found) = self.commands.lookup(container.as_bytes()) else {
            return self.reply.null();
        };
        let children = self.commands.children(found);
        let title = container.to_ascii_uppercase();
        self.reply.array(1 + 2 * children.len());
        self.reply.simple(&format!(
            "{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        ));
        for child in children {
            let (name, usage) = (child.command.name, child.command.usage);
            self.reply.simple(format!("{name} {usage}").trim_end());
            self.reply.simple(&format!("    {}", child.command.summary));
        }
    }
}
