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

use std::sync::LazyLock;

use crate::args::Args;
use crate::client_state::{Client, ClientId};
use crate::commands;
use crate::effects::Request;
use crate::engine::{Context, Now, State};
use crate::fault::{Fault, Outcome};
use crate::keyspace::Database;
use crate::reply::Reply;
use crate::usage::{self, Argument};

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
}

/// Command flags, a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// May change the keyspace.
    pub const WRITE: Self = Self(1);
    /// Reads the keyspace only.
    pub const READONLY: Self = Self(1 << 1);
    /// Refused while memory is over the limit.
    pub const DENY_OOM: Self = Self(1 << 2);
    /// For administrators.
    pub const ADMIN: Self = Self(1 << 3);
    /// Pub/sub.
    pub const PUBSUB: Self = Self(1 << 4);
    /// Not from scripts.
    pub const NO_SCRIPT: Self = Self(1 << 5);
    /// May block its client.
    pub const BLOCKING: Self = Self(1 << 6);
    /// Allowed while data is loaded.
    pub const LOADING: Self = Self(1 << 7);
    /// Allowed on a stale replica.
    pub const STALE: Self = Self(1 << 8);
    /// Constant or logarithmic time.
    pub const FAST: Self = Self(1 << 9);
    /// Allowed before AUTH.
    pub const NO_AUTH: Self = Self(1 << 10);
    /// Not allowed in MULTI.
    pub const NO_MULTI: Self = Self(1 << 11);
    /// The keys can't be told from positions alone.
    pub const MOVABLE_KEYS: Self = Self(1 << 12);
    /// Not shown by MONITOR.
    pub const SKIP_MONITOR: Self = Self(1 << 13);
    /// Not kept by SLOWLOG.
    pub const SKIP_SLOWLOG: Self = Self(1 << 14);
    /// Its effect is propagated though it writes no key (PUBLISH, scripts).
    pub const MAY_REPLICATE: Self = Self(1 << 15);
    /// In the ACL category `@dangerous`.
    pub const DANGEROUS: Self = Self(1 << 16);
    /// Allowed to a RESP2 client that is subscribed.
    pub const SUBSCRIBED: Self = Self(1 << 17);
    /// Runs at once inside MULTI instead of being queued.
    pub const UNQUEUED: Self = Self(1 << 18);
    /// Allowed while a script runs too long.
    pub const ALLOW_BUSY: Self = Self(1 << 19);
    /// Not allowed while data is loaded in the background.
    pub const NO_ASYNC_LOADING: Self = Self(1 << 20);
    /// Given to clients whose arguments carry passwords: never logged.
    pub const SENSITIVE: Self = Self(1 << 21);

    /// Whether any bit of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names COMMAND INFO prints, in its order.
    pub fn names(self) -> Vec<&'static str> {
        const NAMES: [(Flags, &str); 17] = [
            (Flags::WRITE, "write"),
            (Flags::READONLY, "readonly"),
            (Flags::DENY_OOM, "denyoom"),
            (Flags::ADMIN, "admin"),
            (Flags::PUBSUB, "pubsub"),
            (Flags::NO_SCRIPT, "noscript"),
            (Flags::BLOCKING, "blocking"),
            (Flags::LOADING, "loading"),
            (Flags::STALE, "stale"),
            (Flags::SKIP_MONITOR, "skip_monitor"),
            (Flags::SKIP_SLOWLOG, "skip_slowlog"),
            (Flags::FAST, "fast"),
            (Flags::NO_AUTH, "no_auth"),
            (Flags::NO_MULTI, "no_multi"),
            (Flags::MOVABLE_KEYS, "movablekeys"),
            (Flags::ALLOW_BUSY, "allow_busy"),
            (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        ];
        NAMES
            .iter()
            .filter(|(flag, _)| self.has(*flag))
            .map(|(_, name)| *name)
            .collect()
    }
}

/// Where keys stand among the arguments, the name being argument 0.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// How they are found.
    pub place: Place,
    /// How they are used, in COMMAND's words (`RW access update`); empty where the command's flags tell it.
    pub access: &'static str,
}

/// How keys are found.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// From `first` to `last` (negative: counted from the end) in steps of `step`.
    Range {
        /// The first key's position.
        first: usize,
        /// The last key's position; -1 is the last argument.
        last: i32,
        /// The distance between two keys.
        step: usize,
    },
    /// A count at `position`, that many keys behind it.
    Counted {
        /// The position of the count.
        position: usize,
    },
    /// From behind a keyword on, up to half of what follows it (`limit` 2: XREAD's STREAMS), or one key (`limit` 0).
    Keyword {
        /// The keyword in upper case.
        keyword: &'static str,
        /// Where the search starts.
        from: usize,
        /// As `limit` of Redis' range: 0 for one key, 2 for half of what follows.
        limit: usize,
    },
    /// A function over all arguments that gives the keys' positions.
    Custom(fn(&[&[u8]]) -> Vec<usize>),
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
    /// Its place in [`Commands::all`], dense: statistics are kept by it.
    pub index: usize,
    /// The subcommands' places.
    pub children: std::ops::Range<usize>,
    /// Of a command whose keys go on to its last argument: the first one's position, and the step from key to key.
    pub many_keys: Option<(usize, usize)>,
}

impl Registered {
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
            for position in positions(keys.place, args)? {
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

fn positions(place: Place, args: &[&[u8]]) -> Option<Vec<usize>> {
    match place {
        Place::Range { first, last, step } => {
            let last = if last < 0 {
                args.len().checked_sub(last.unsigned_abs() as usize)?
            } else {
                last as usize
            };
            (first <= last && last < args.len())
                .then(|| (first..=last).step_by(step.max(1)).collect())
        }
        Place::Counted { position } => {
            let count = crate::args::parse_i64(args.get(position)?).filter(|count| *count > 0)?;
            let last = position.checked_add(usize::try_from(count).ok()?)?;
            (last < args.len()).then(|| (position + 1..=last).collect())
        }
        Place::Keyword {
            keyword,
            from,
            limit,
        } => {
            let at =
                (from..args.len()).find(|at| args[*at].eq_ignore_ascii_case(keyword.as_bytes()));
            let Some(at) = at else {
                return Some(Vec::new());
            };
            let count = if limit > 1 {
                (args.len() - at - 1) / limit
            } else {
                1
            };
            // With nothing behind it the keyword names no key.
            Some(
                (at + 1..=at + count)
                    .filter(|at| *at < args.len())
                    .collect(),
            )
        }
        Place::Custom(positions) => Some(positions(args)),
    }
}

/// Every command, by name in any case: O(1), no allocation.
#[derive(Debug)]
pub struct Commands {
    all: Vec<Registered>,
    /// Open addressing over lower-case names; `u16::MAX` is free.
    buckets: Vec<u16>,
    names: Vec<(Vec<u8>, u16)>,
}

/// The one table, built at its first use.
pub static COMMANDS: LazyLock<Commands> = LazyLock::new(Commands::build);

impl Commands {
    fn build() -> Self {
        let mut all: Vec<Registered> = Vec::new();
        let mut names = Vec::new();
        for family in commands::FAMILIES {
            for command in family.commands {
                let at = all.len();
                all.push(registered(command, family, None, at));
                for child in command.subcommands {
                    all.push(registered(child, family, Some(command), all.len()));
                }
                all[at].children = at + 1..all.len();
                for name in std::iter::once(&command.name).chain(command.aliases) {
                    names.push((name.to_ascii_lowercase().into_bytes(), at as u16));
                }
            }
        }
        let mut buckets = vec![u16::MAX; (names.len() * 4).next_power_of_two().max(16)];
        let mask = buckets.len() - 1;
        for (index, (name, _)) in names.iter().enumerate() {
            let mut at = hash(name) & mask;
            while buckets[at] != u16::MAX {
                at = (at + 1) & mask;
            }
            buckets[at] = index as u16;
        }
        Self {
            all,
            buckets,
            names,
        }
    }

    /// Every command, each container directly before its subcommands.
    pub fn all(&self) -> &[Registered] {
        &self.all
    }

    /// The commands that are no subcommands.
    pub fn top_level(&self) -> impl Iterator<Item = &Registered> {
        self.all.iter().filter(|registered| registered.words == 1)
    }

    /// The subcommands of a container.
    pub fn children(&self, container: &Registered) -> &[Registered] {
        &self.all[container.children.clone()]
    }

    /// The command of that name, a container included.
    pub fn lookup(&self, name: &[u8]) -> Option<&Registered> {
        let mask = self.buckets.len() - 1;
        let mut at = hash(name) & mask;
        loop {
            let (known, index) = self.names.get(usize::from(self.buckets[at]))?;
            if known.eq_ignore_ascii_case(name) {
                return self.all.get(usize::from(*index));
            }
            at = (at + 1) & mask;
        }
    }

    /// The command that `args` call, subcommands resolved.
    ///
    /// # Errors
    /// The unknown command, the unknown subcommand, or a container called without one.
    pub fn resolve(&self, args: &[&[u8]]) -> Result<&Registered, Fault> {
        let name = args.first().copied().unwrap_or_default();
        let found = self
            .lookup(name)
            .ok_or_else(|| Fault::unknown_command(args))?;
        if found.children.is_empty() {
            return Ok(found);
        }
        let Some(word) = args.get(1) else {
            return Ok(found);
        };
        let children = self.children(found);
        let child = children
            .iter()
            .find(|child| child.command.name.as_bytes().eq_ignore_ascii_case(word));
        child.ok_or_else(|| Fault::unknown_subcommand(&found.name, word))
    }

    /// The command called `name` as COMMAND INFO takes it: `get`, `config|get`.
    pub fn by_full_name(&self, name: &[u8]) -> Option<&Registered> {
        let mut words = name.splitn(2, |byte| *byte == b'|');
        let found = self.lookup(words.next()?)?;
        match words.next() {
            None => Some(found),
            Some(word) => {
                let children = self.children(found).iter();
                children
                    .into_iter()
                    .find(|child| child.command.name.as_bytes().eq_ignore_ascii_case(word))
            }
        }
    }
}

fn registered(
    command: &'static Command,
    family: &'static Family,
    container: Option<&'static Command>,
    index: usize,
) -> Registered {
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
    let many_keys = match command.keys.first() {
        Some(Some(Keys {
            place:
                Place::Range {
                    first,
                    last: -1,
                    step,
                },
            ..
        })) => Some((*first, (*step).max(1))),
        _ => None,
    };
    Registered {
        command,
        family,
        name,
        arity,
        words,
        arguments,
        index,
        children: 0..0,
        many_keys,
    }
}

/// FNV-1a over the name folded to lower case; the table is our own, so nobody can flood it.
fn hash(name: &[u8]) -> usize {
    name.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte | 0x20)).wrapping_mul(0x0100_0193)
    }) as usize
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
    pub fn block(&mut self, keys: &[&[u8]], kind: crate::keyspace::Kind, timeout_ms: Option<u64>) {
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

    /// Runs another command of the same client into the same reply (EXEC, scripts).
    pub fn run(&mut self, args: &[&[u8]], context: Context) {
        let (id, now) = (self.id, self.now);
        crate::engine::run(
            self.db.keyspace(),
            self.state,
            id,
            args,
            &mut self.reply,
            now,
            context,
        );
    }
}
