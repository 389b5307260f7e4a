//! Commands on keys of any type, and on expiry.

use crate::args::{Args, parse_cursor, parse_i64};
use crate::changes::Class;
use crate::command::{Call, Command, Flags};
use crate::fault::{Fault, Outcome};
use crate::keyspace::{Entry, Expiry, Value};
use crate::reply::Reply;
use crate::value::{Blob, glob};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("DEL", "key [key ...]", del)
        .aliases(&["DELETE"])
        .writes()
        .keys(1, -1, 1)
        .access("RM delete")
        .complexity("O(N) where N is the number of keys; what they hold is freed elsewhere.")
        .tips("request_policy:multi_shard response_policy:agg_sum")
        .summary("Removes keys."),
    Command::new("UNLINK", "key [key ...]", del)
        .writes()
        .fast()
        .keys(1, -1, 1)
        .access("RM delete")
        .since("4.0.0")
        .complexity("O(1) for each key; what they hold is freed elsewhere.")
        .tips("request_policy:multi_shard response_policy:agg_sum")
        .summary("Removes keys."),
    Command::new("EXISTS", "key [key ...]", exists)
        .reads()
        .fast()
        .keys(1, -1, 1)
        .access("RO")
        .complexity("O(N) where N is the number of keys.")
        .tips("request_policy:multi_shard response_policy:agg_sum")
        .summary("How many of the keys exist."),
    Command::new("TOUCH", "key [key ...]", touch)
        .reads()
        .fast()
        .keys(1, -1, 1)
        .access("RO")
        .since("3.2.1")
        .complexity("O(N) where N is the number of keys.")
        .tips("request_policy:multi_shard response_policy:agg_sum")
        .summary("How many of the keys exist; their access clocks are set."),
    Command::new("TYPE", "key", type_of)
        .reads()
        .fast()
        .key(1)
        .access("RO")
        .summary("The type of what a key holds."),
    Command::new("EXPIRE", "key seconds [NX | XX | GT | LT]@7.0.0", expire)
        .writes()
        .fast()
        .key(1)
        .access("RW update")
        .summary("Sets the expiry of a key in seconds from now."),
    Command::new(
        "PEXPIRE",
        "key milliseconds [NX | XX | GT | LT]@7.0.0",
        pexpire,
    )
    .writes()
    .fast()
    .key(1)
    .access("RW update")
    .since("2.6.0")
    .summary("Sets the expiry of a key in milliseconds from now."),
    Command::new(
        "EXPIREAT",
        "key unix-time-seconds [NX | XX | GT | LT]@7.0.0",
        expireat,
    )
    .writes()
    .fast()
    .key(1)
    .access("RW update")
    .since("1.2.0")
    .summary("Sets the expiry of a key to a Unix time in seconds."),
    Command::new(
        "PEXPIREAT",
        "key unix-time-milliseconds [NX | XX | GT | LT]@7.0.0",
        pexpireat,
    )
    .writes()
    .fast()
    .key(1)
    .access("RW update")
    .since("2.6.0")
    .summary("Sets the expiry of a key to a Unix time in milliseconds."),
    Command::new("TTL", "key", ttl)
        .reads()
        .fast()
        .key(1)
        .tips("nondeterministic_output")
        .summary("Seconds until a key expires."),
    Command::new("PTTL", "key", pttl)
        .reads()
        .fast()
        .key(1)
        .since("2.6.0")
        .tips("nondeterministic_output")
        .summary("Milliseconds until a key expires."),
    Command::new("EXPIRETIME", "key", expiretime)
        .reads()
        .fast()
        .key(1)
        .since("7.0.0")
        .summary("When a key expires, in Unix seconds."),
    Command::new("PEXPIRETIME", "key", pexpiretime)
        .reads()
        .fast()
        .key(1)
        .since("7.0.0")
        .summary("When a key expires, in Unix milliseconds."),
    Command::new("PERSIST", "key", persist)
        .writes()
        .fast()
        .key(1)
        .access("RW update")
        .since("2.2.0")
        .summary("Removes the expiry of a key."),
    Command::new("KEYS", "pattern", keys)
        .reads()
        .dangerous()
        .complexity("O(N) where N is the number of keys in the database.")
        .tips("request_policy:all_shards nondeterministic_output_order")
        .summary("All keys that match a pattern."),
    Command::new(
        "SCAN",
        "cursor [MATCH pattern] [COUNT count] [TYPE type]@6.0.0",
        scan,
    )
    .reads()
    .since("2.8.0")
    .complexity("O(1) for each call, O(N) for a whole iteration over N keys.")
    .tips("nondeterministic_output request_policy:special")
    .summary("Some keys, and the cursor for the next ones."),
    Command::new("RANDOMKEY", "", randomkey)
        .reads()
        .tips("request_policy:all_shards nondeterministic_output")
        .summary("A random key."),
    Command::new("RENAME", "key newkey", rename)
        .writes()
        .key(1)
        .access("RW access delete")
        .key(2)
        .access("OW update")
        .summary("Renames a key; a key of the new name is replaced."),
    Command::new("RENAMENX", "key newkey", renamenx)
        .writes()
        .fast()
        .key(1)
        .access("RW access delete")
        .key(2)
        .access("OW insert")
        .summary("Renames a key unless a key of the new name exists."),
    Command::new(
        "COPY",
        "source destination [DB destination-db] [REPLACE]",
        copy,
    )
    .writes()
    .denies_oom()
    .key(1)
    .access("RO access")
    .key(2)
    .access("OW update")
    .since("6.2.0")
    .complexity("O(N) where N is the number of elements of the value.")
    .summary("Copies what a key holds to another one."),
    Command::new("MOVE", "key db", move_key)
        .writes()
        .fast()
        .key(1)
        .access("RW access update")
        .summary("Moves a key to another database."),
    Command::container("OBJECT", OBJECT)
        .since("2.2.3")
        .summary("A container for commands on how values are kept."),
];

/// Commands about whole databases, which COMMAND DOCS has among those of the server.
pub(super) const DATABASES: &[Command] = &[
    Command::new("DBSIZE", "", dbsize)
        .reads()
        .fast()
        .tips("request_policy:all_shards response_policy:agg_sum")
        .summary("The number of keys in the database."),
    Command::new("SWAPDB", "index1 index2", swapdb)
        .writes()
        .fast()
        .dangerous()
        .since("4.0.0")
        .complexity("O(N) where N is the number of clients that watch or wait for keys.")
        .summary("Exchanges two databases."),
    Command::new("FLUSHDB", "async=[ASYNC@4.0.0 | SYNC@6.2.0]", flushdb)
        .writes()
        .dangerous()
        .complexity("O(N) where N is the number of keys; they are freed elsewhere.")
        .tips("request_policy:all_shards response_policy:all_succeeded")
        .summary("Removes all keys of the database."),
    Command::new("FLUSHALL", "async=[ASYNC@4.0.0 | SYNC@6.2.0]", flushall)
        .aliases(&["FLUSH"])
        .writes()
        .dangerous()
        .complexity("O(N) where N is the number of keys; they are freed elsewhere.")
        .tips("request_policy:all_shards response_policy:all_succeeded")
        .summary("Removes all keys of all databases."),
];

const OBJECT: &[Command] = &[
    Command::new("ENCODING", "key", object_encoding)
        .reads()
        .key(2)
        .access("RO")
        .since("2.2.3")
        .tips("nondeterministic_output")
        .summary("How the value of a key is kept."),
    Command::new("REFCOUNT", "key", object_refcount)
        .reads()
        .key(2)
        .access("RO")
        .since("2.2.3")
        .tips("nondeterministic_output")
        .summary("How often the value of a key is referred to."),
    Command::new("IDLETIME", "key", object_idletime)
        .reads()
        .key(2)
        .access("RO")
        .since("2.2.3")
        .tips("nondeterministic_output")
        .summary("Seconds since the last access to a key."),
    Command::new("FREQ", "key", object_freq)
        .reads()
        .key(2)
        .access("RO")
        .since("4.0.0")
        .tips("nondeterministic_output")
        .summary("The logarithmic access counter of a key."),
    Command::new("HELP", "", object_help)
        .flags(Flags::LOADING.and(Flags::STALE))
        .since("6.2.0")
        .summary("Explains the subcommands."),
];

fn del(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.remaining();
    let removed = keys.iter().filter(|key| call.db.delete(key)).count();
    call.reply.count(removed);
    Ok(())
}

fn exists(call: &mut Call<'_>) -> Outcome {
    let found = call
        .args
        .remaining()
        .iter()
        .filter(|key| call.db.glance(key).is_some())
        .count();
    call.reply.count(found);
    Ok(())
}

fn touch(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.remaining().iter();
    let touched = keys.filter(|key| call.db.value(key).is_some()).count();
    call.reply.count(touched);
    Ok(())
}

fn type_of(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let name = call
        .db
        .glance(key)
        .map_or("none", |entry| entry.value().kind().name());
    call.reply.simple(name);
    Ok(())
}

fn expire(call: &mut Call<'_>) -> Outcome {
    set_expiry(call, true, true)
}

fn pexpire(call: &mut Call<'_>) -> Outcome {
    set_expiry(call, false, true)
}

fn expireat(call: &mut Call<'_>) -> Outcome {
    set_expiry(call, true, false)
}

fn pexpireat(call: &mut Call<'_>) -> Outcome {
    set_expiry(call, false, false)
}

/// Conditions of the EXPIRE commands.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each option")]
struct When {
    missing: bool,
    existing: bool,
    greater: bool,
    less: bool,
}

fn set_expiry(call: &mut Call<'_>, seconds: bool, relative: bool) -> Outcome {
    let key = call.args.next_bytes()?;
    let number = call.args.next_bytes()?;
    let when = when(&mut call.args)?;
    let number = parse_i64(number).ok_or(Fault::NOT_INTEGER)?;
    let fault = || Fault::invalid_expire(&call.command.name);
    let milliseconds = if seconds {
        number.checked_mul(1000).ok_or_else(fault)?
    } else {
        number
    };
    let base = if relative { call.now.unix_ms() } else { 0 };
    let at = milliseconds.checked_add(base).ok_or_else(fault)?;
    let Some(before) = call.db.expiry(key) else {
        call.reply.flag(false);
        return Ok(());
    };
    // A key without expiry counts as one that expires never.
    let holds = (!when.missing || before.is_none())
        && (!when.existing || before.is_some())
        && (!when.greater || before.is_some_and(|before| at > before))
        && (!when.less || before.is_none_or(|before| at < before));
    if holds {
        if at <= call.now.unix_ms() {
            call.db.delete(key);
            call.propagate(&[b"DEL", key]);
        } else {
            call.db.set_expiry(key, Some(at));
            call.db.changed(key, Class::GENERIC, "expire");
            if call.propagates() {
                call.propagate(&[b"PEXPIREAT", key, at.to_string().as_bytes()]);
            }
        }
    }
    call.reply.flag(holds);
    Ok(())
}

fn when(args: &mut Args<'_>) -> Result<When, Fault> {
    let mut when = When::default();
    while let Some(option) = args.peek() {
        match args.one_of(&["NX", "XX", "GT", "LT"]) {
            Some(0) => when.missing = true,
            Some(1) => when.existing = true,
            Some(2) => when.greater = true,
            Some(_) => when.less = true,
            None => return Err(Fault::unsupported_option(option)),
        }
    }
    if when.missing && (when.existing || when.greater || when.less) {
        return Err(Fault::EXPIRE_NX_CONFLICT);
    }
    if when.greater && when.less {
        return Err(Fault::EXPIRE_GT_LT_CONFLICT);
    }
    Ok(when)
}

fn ttl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.now.unix_ms();
    answer_expiry(call, |at| ((at - now_ms).max(0) + 500) / 1000)
}

fn pttl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.now.unix_ms();
    answer_expiry(call, |at| (at - now_ms).max(0))
}

fn expiretime(call: &mut Call<'_>) -> Outcome {
    answer_expiry(call, |at| (at.saturating_add(500)) / 1000)
}

fn pexpiretime(call: &mut Call<'_>) -> Outcome {
    answer_expiry(call, |at| at)
}

fn answer_expiry(call: &mut Call<'_>, shown: impl Fn(i64) -> i64) -> Outcome {
    let key = call.args.next_bytes()?;
    call.reply
        .integer(match call.db.glance(key).map(Entry::expires_at) {
            None => -2,
            Some(None) => -1,
            Some(Some(at)) => shown(at),
        });
    Ok(())
}

fn persist(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let had = call.db.expiry(key).flatten().is_some();
    if had {
        call.db.set_expiry(key, None);
        call.db.changed(key, Class::GENERIC, "persist");
    }
    call.reply.flag(had);
    Ok(())
}

fn keys(call: &mut Call<'_>) -> Outcome {
    let pattern = call.args.next_bytes()?;
    let mark = call.reply.mark();
    let mut found = 0;
    for (key, _) in call.db.iter() {
        if pattern == b"*" || glob::matches(pattern, key) {
            call.reply.bulk(key);
            found += 1;
        }
    }
    call.reply.array_at(mark, found);
    Ok(())
}

/// The options that SCAN, SSCAN, HSCAN and ZSCAN share.
pub(super) struct ScanOptions<'a> {
    /// Where to go on.
    pub(super) cursor: u64,
    /// About how many elements to visit.
    pub(super) count: usize,
    /// What an element must match.
    pub(super) pattern: Option<&'a [u8]>,
    /// SCAN's TYPE.
    pub(super) kind: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    /// Reads a cursor and the options behind it; `TYPE` only where `typed`.
    pub(super) fn read(cursor: &[u8], args: &mut Args<'a>, typed: bool) -> Result<Self, Fault> {
        let cursor = parse_cursor(cursor).ok_or(Fault::INVALID_CURSOR)?;
        let mut options = Self {
            cursor,
            count: 10,
            pattern: None,
            kind: None,
        };
        while !args.is_empty() {
            match args.one_of(&["COUNT", "MATCH", "TYPE"]) {
                Some(0) => {
                    let count = args.next_i64()?;
                    options.count = usize::try_from(count)
                        .ok()
                        .filter(|count| *count > 0)
                        .ok_or(Fault::SYNTAX)?;
                }
                Some(1) => {
                    options.pattern = Some(args.next_bytes()?).filter(|pattern| *pattern != b"*");
                }
                Some(_) if typed => options.kind = Some(args.next_bytes()?),
                _ => return Err(Fault::SYNTAX),
            }
        }
        Ok(options)
    }

    /// Writes a page: the next cursor and what was found.
    pub(super) fn answer(reply: &mut Reply<'_>, next: u64, found: &[Blob]) {
        reply.array(2);
        reply.bulk(next.to_string());
        reply.bulks(found.iter());
    }

    /// Whether an element is wanted.
    pub(super) fn wants(&self, element: &[u8]) -> bool {
        self.pattern
            .is_none_or(|pattern| glob::matches(pattern, element))
    }
}

fn scan(call: &mut Call<'_>) -> Outcome {
    let cursor = call.args.next_bytes()?;
    let options = ScanOptions::read(cursor, &mut call.args, true)?;
    let mut found: Vec<Blob> = Vec::new();
    let next = call.db.scan(options.cursor, options.count, |key, entry| {
        let name = entry.value().kind().name();
        if options
            .kind
            .is_none_or(|kind| kind.eq_ignore_ascii_case(name.as_bytes()))
            && options.wants(key)
        {
            found.push(key.clone());
        }
    });
    ScanOptions::answer(&mut call.reply, next, &found);
    Ok(())
}

fn randomkey(call: &mut Call<'_>) -> Outcome {
    let key = call.db.random_key();
    call.reply.bulk_or_null(key);
    Ok(())
}

fn dbsize(call: &mut Call<'_>) -> Outcome {
    call.reply.count(call.db.len());
    Ok(())
}

fn rename(call: &mut Call<'_>) -> Outcome {
    rename_to(call, true)?;
    call.reply.ok();
    Ok(())
}

fn renamenx(call: &mut Call<'_>) -> Outcome {
    let renamed = rename_to(call, false)?;
    call.reply.flag(renamed);
    Ok(())
}

fn rename_to(call: &mut Call<'_>, replaces: bool) -> Result<bool, Fault> {
    let (key, new) = (call.args.next_bytes()?, call.args.next_bytes()?);
    if !call.db.contains(key) {
        return Err(Fault::NO_SUCH_KEY);
    }
    if key == new {
        return Ok(replaces);
    }
    if !replaces && call.db.contains(new) {
        return Ok(false);
    }
    if let Some((value, expires_at)) = call.db.take(key) {
        // Made anew, it wakes who waits for it; merely overwritten, it does not.
        call.db.remove(new);
        call.db
            .insert(new, value, expires_at.map_or(Expiry::Clear, Expiry::At));
        call.db.changed_by(0, key, Class::GENERIC, "rename_from");
        call.db.changed(new, Class::GENERIC, "rename_to");
    }
    Ok(true)
}

fn database_index(call: &mut Call<'_>, number: i32) -> Result<usize, Fault> {
    let index = usize::try_from(number)
        .ok()
        .filter(|index| *index < call.db.keyspace().databases());
    index.ok_or(Fault::DB_OUT_OF_RANGE)
}

fn copy(call: &mut Call<'_>) -> Outcome {
    let (source, destination) = (call.args.next_bytes()?, call.args.next_bytes()?);
    let (mut index, mut replaces) = (call.db.index(), false);
    while !call.args.is_empty() {
        if call.args.keyword("REPLACE") {
            replaces = true;
        } else if call.args.keyword("DB") {
            let number = call.args.next_i32()?;
            index = database_index(call, number)?;
        } else {
            return Err(Fault::SYNTAX);
        }
    }
    if index == call.db.index() && source == destination {
        return Err(Fault::SAME_OBJECT);
    }
    call.db.value(source);
    let Some((value, expires_at)) = call.db.entry(source).map(Entry::to_parts) else {
        call.reply.flag(false);
        return Ok(());
    };
    let mut other = call.db.other(index);
    let exists = other.contains(destination);
    if !exists || replaces {
        other.remove(destination);
        other.insert(
            destination,
            value,
            expires_at.map_or(Expiry::Clear, Expiry::At),
        );
        other.changed(destination, Class::GENERIC, "copy_to");
    }
    call.reply.flag(!exists || replaces);
    Ok(())
}

fn move_key(call: &mut Call<'_>) -> Outcome {
    let (key, db) = (call.args.next_bytes()?, call.args.next_i32()?);
    let index = database_index(call, db)?;
    if index == call.db.index() {
        return Err(Fault::SAME_OBJECT);
    }
    let moves = call.db.contains(key) && !call.db.other(index).contains(key);
    if moves && let Some((value, expires_at)) = call.db.take(key) {
        let mut other = call.db.other(index);
        other.insert(key, value, expires_at.map_or(Expiry::Clear, Expiry::At));
        call.db.changed_by(0, key, Class::GENERIC, "move_from");
        call.db.other(index).changed(key, Class::GENERIC, "move_to");
    }
    call.reply.flag(moves);
    Ok(())
}

fn swapdb(call: &mut Call<'_>) -> Outcome {
    let one = call.args.next_i32().map_err(|_| Fault::INVALID_FIRST_DB)?;
    let other = (call.args.next_i32()).map_err(|_| Fault::INVALID_SECOND_DB)?;
    let (one, other) = (database_index(call, one)?, database_index(call, other)?);
    call.db.keyspace().swap(one, other);
    call.reply.ok();
    Ok(())
}

fn flushdb(call: &mut Call<'_>) -> Outcome {
    let index = call.db.index();
    flush(call, Some(index))
}

fn flushall(call: &mut Call<'_>) -> Outcome {
    flush(call, None)
}

fn flush(call: &mut Call<'_>, only: Option<usize>) -> Outcome {
    call.args.one_of(&["ASYNC", "SYNC"]);
    call.args.finish()?;
    let removed = call.db.keyspace().clear(only);
    call.db.count_changes(removed);
    // An empty keyspace is flushed for replicas and the journal too.
    call.propagate(call.args.all());
    call.reply.ok();
    Ok(())
}

fn object_encoding(call: &mut Call<'_>) -> Outcome {
    answer_entry(call, |_, entry| Ok(Shown::Text(entry.value().encoding())))
}

/// What an OBJECT subcommand answers.
enum Shown {
    Text(&'static str),
    Number(i64),
}

fn answer_entry(
    call: &mut Call<'_>,
    show: impl FnOnce(&Call<'_>, Entry<'_>) -> Result<Shown, Fault>,
) -> Outcome {
    let key = call.args.next_bytes()?;
    let shown = match call.db.inspect(key) {
        None => None,
        Some(entry) => Some(show(call, entry)?),
    };
    match shown {
        None => call.reply.null(),
        Some(Shown::Text(text)) => call.reply.bulk(text),
        Some(Shown::Number(number)) => call.reply.integer(number),
    }
    Ok(())
}

/// What Redis answers for its shared small integers.
const SHARED_REFERENCES: i64 = i32::MAX as i64;

fn object_refcount(call: &mut Call<'_>) -> Outcome {
    answer_entry(call, |call, entry| {
        // Redis does not share integers where each key needs an access clock of its own.
        let policy = call.state.config.maxmemory_policy;
        let clocked =
            call.state.config.maxmemory > 0 && (policy.ends_with("lru") || policy.ends_with("lfu"));
        let shared = match entry.value() {
            Value::String(text) if text.encoding() == "int" && !clocked => {
                text.as_integer().is_some_and(|n| (0..10_000).contains(&n))
            }
            _ => false,
        };
        Ok(Shown::Number(if shared { SHARED_REFERENCES } else { 1 }))
    })
}

fn object_idletime(call: &mut Call<'_>) -> Outcome {
    answer_entry(call, |call, entry| {
        if call.state.config.maxmemory_policy.ends_with("lfu") {
            return Err(Fault::NO_IDLE_TIME);
        }
        Ok(Shown::Number(i64::from(entry.access().idle_s(call.now))))
    })
}

fn object_freq(call: &mut Call<'_>) -> Outcome {
    answer_entry(call, |call, entry| {
        if !call.state.config.maxmemory_policy.ends_with("lfu") {
            return Err(Fault::NO_FREQUENCY);
        }
        Ok(Shown::Number(i64::from({
            let counting = call.state.config.counting();
            entry.access().frequency(call.now, counting)
        })))
    })
}

fn object_help(call: &mut Call<'_>) -> Outcome {
    call.help();
    Ok(())
}
