//! Commands on strings.

use crate::args::{Args, parse_i64};
use crate::changes::Class;
use crate::command::{Call, Command, Place};
use crate::fault::{Fault, Outcome};
use crate::keyspace::{Expiry, Value};
use crate::value::Str;
use crate::value::float::{self, SumError};
use crate::value::lcs;

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "SET",
        "key value [NX | XX]@2.6.12 [GET]@6.2.0 [EX seconds@2.6.12 | PX milliseconds@2.6.12 | \
         EXAT unix-time-seconds@6.2.0 | PXAT unix-time-milliseconds@6.2.0 | KEEPTTL@6.0.0]",
        set,
    )
    .writes()
    .denies_oom()
    .key(1)
    .access("RW access update variable_flags")
    .summary("Sets the string value of a key, whatever it held."),
    Command::new("GET", "key", get).reads().fast().key(1).summary("The string value of a key."),
    Command::new("GETSET", "key value", getset)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW access update")
        .deprecated("6.2.0", "`SET` with `GET`")
        .summary("Sets the string value of a key and answers the one before."),
    Command::new("GETDEL", "key", getdel)
        .writes()
        .fast()
        .key(1)
        .access("RW access delete")
        .since("6.2.0")
        .summary("The string value of a key, which is removed."),
    Command::new(
        "GETEX",
        "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
        getex,
    )
    .writes()
    .fast()
    .key(1)
    .access("RW access update")
    .since("6.2.0")
    .summary("The string value of a key, whose expiry is set or removed."),
    Command::new("SETNX", "key value", setnx)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("OW insert")
        .summary("Sets the string value of a key that does not exist."),
    Command::new("SETEX", "key seconds value", setex)
        .writes()
        .denies_oom()
        .key(1)
        .access("OW update")
        .since("2.0.0")
        .summary("Sets the string value and the expiry of a key."),
    Command::new("PSETEX", "key milliseconds value", psetex)
        .writes()
        .denies_oom()
        .key(1)
        .access("OW update")
        .since("2.6.0")
        .summary("Sets the string value and the expiry in milliseconds of a key."),
    Command::new("MGET", "key [key ...]", mget)
        .reads()
        .fast()
        .keys(1, -1, 1)
        .complexity("O(N) where N is the number of keys.")
        .tips("request_policy:multi_shard")
        .summary("The string values of several keys."),
    Command::new("MSET", "key value [key value ...]", mset)
        .writes()
        .denies_oom()
        .keys_at(Place::Range { first: 1, last: -1, step: 2 })
        .access("OW update")
        .since("1.0.1")
        .complexity("O(N) where N is the number of keys.")
        .tips("request_policy:multi_shard response_policy:all_succeeded")
        .summary("Sets the string values of several keys."),
    Command::new("MSETNX", "key value [key value ...]", msetnx)
        .writes()
        .denies_oom()
        .keys_at(Place::Range { first: 1, last: -1, step: 2 })
        .access("OW insert")
        .since("1.0.1")
        .complexity("O(N) where N is the number of keys.")
        .tips("request_policy:multi_shard response_policy:agg_min")
        .summary("Sets the string values of several keys if none of them exists."),
    Command::new("APPEND", "key value", append)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW insert")
        .since("2.0.0")
        .summary("Appends to the string value of a key."),
    Command::new("STRLEN", "key", strlen)
        .reads()
        .fast()
        .key(1)
        .access("RO")
        .since("2.2.0")
        .summary("The length of the string value of a key."),
    Command::new("GETRANGE", "key start end", getrange)
        .reads()
        .key(1)
        .since("2.4.0")
        .complexity("O(N) where N is the length of the returned string.")
        .summary("A part of the string value of a key."),
    Command::new("SUBSTR", "key start end", getrange)
        .reads()
        .key(1)
        .complexity("O(N) where N is the length of the returned string.")
        .deprecated("2.0.0", "`GETRANGE`")
        .summary("A part of the string value of a key."),
    Command::new("SETRANGE", "key offset value", setrange)
        .writes()
        .denies_oom()
        .key(1)
        .access("RW update")
        .since("2.2.0")
        .summary("Overwrites a part of the string value of a key."),
    Command::new("INCR", "key", incr)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW access update")
        .summary("Adds one to the integer value of a key."),
    Command::new("DECR", "key", decr)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW access update")
        .summary("Takes one from the integer value of a key."),
    Command::new("INCRBY", "key increment", incrby)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW access update")
        .summary("Adds to the integer value of a key."),
    Command::new("DECRBY", "key decrement", decrby)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW access update")
        .summary("Takes from the integer value of a key."),
    Command::new("INCRBYFLOAT", "key increment=double", incrbyfloat)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW access update")
        .since("2.6.0")
        .summary("Adds to the floating-point value of a key."),
    Command::new("LCS", "key1 key2 [LEN] [IDX] [MINMATCHLEN len=integer] [WITHMATCHLEN]", lcs)
        .reads()
        .keys(1, 2, 1)
        .since("7.0.0")
        .complexity("O(N*M) where N and M are the lengths of the strings.")
        .summary("The longest common subsequence of two strings."),
];

fn get(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    answer_string(call, key)
}

/// Writes the string at `key`, or null; a large one is shared with the reply.
fn answer_string(call: &mut Call<'_>, key: &[u8]) -> Outcome {
    match call.db.string(key)? {
        None => call.reply.null(),
        Some(text) => {
            let text = text.bytes();
            if text.len() < crate::output::SHARED_FROM_BYTES {
                call.reply.bulk(&*text);
            } else if let Some(shared) = call.db.share(key) {
                call.reply.shared(&shared);
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    Missing,
    Existing,
}

/// An expiry option as its place among EX, PX, EXAT and PXAT, and its number.
type ExpiryOption<'a> = (usize, &'a [u8]);

/// Reads an expiry option into `found`: a second one must be of the same name, and replaces the first.
fn read_expiry<'a>(args: &mut Args<'a>, found: &mut Option<ExpiryOption<'a>>) -> Outcome {
    let name = args
        .one_of(&["EX", "PX", "EXAT", "PXAT"])
        .ok_or(Fault::SYNTAX)?;
    if found.is_some_and(|(other, _)| other != name) {
        return Err(Fault::SYNTAX);
    }
    *found = Some((name, args.next_bytes()?));
    Ok(())
}

/// What an expiry option means in unix milliseconds.
fn option_at(call: &Call<'_>, (option, number): ExpiryOption<'_>) -> Result<i64, Fault> {
    let number = parse_i64(number).ok_or(Fault::NOT_INTEGER)?;
    expiry_at(call, number, option % 2 == 0, option < 2)
}

fn expiry_at(call: &Call<'_>, number: i64, seconds: bool, relative: bool) -> Result<i64, Fault> {
    let fault = || Fault::invalid_expire(&call.command.name);
    if number <= 0 {
        return Err(fault());
    }
    let milliseconds = if seconds {
        number.checked_mul(1000).ok_or_else(fault)?
    } else {
        number
    };
    if relative {
        milliseconds
            .checked_add(call.now.unix_ms())
            .ok_or_else(fault)
    } else {
        Ok(milliseconds)
    }
}

fn set(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let value = call.args.next_bytes()?;
    if call.args.is_empty() {
        call.db
            .insert(key, Value::String(Str::new(value)), Expiry::Clear);
        call.db.changed(key, Class::STRING, "set");
        call.reply.ok();
        return Ok(());
    }
    let (mut condition, mut keeps, mut option, mut answers) =
        (Condition::Always, false, None, false);
    while !call.args.is_empty() {
        if call.args.keyword("GET") {
            answers = true;
        } else if let Some(which) = call.args.one_of(&["NX", "XX"]) {
            let wanted = if which == 0 {
                Condition::Missing
            } else {
                Condition::Existing
            };
            if condition != Condition::Always && condition != wanted {
                return Err(Fault::SYNTAX);
            }
            condition = wanted;
        } else if option.is_none() && call.args.keyword("KEEPTTL") {
            keeps = true;
        } else if keeps {
            return Err(Fault::SYNTAX);
        } else {
            read_expiry(&mut call.args, &mut option)?;
        }
    }
    let expiry = match option {
        Some(option) => Expiry::At(option_at(call, option)?),
        None if keeps => Expiry::Keep,
        None => Expiry::Clear,
    };
    if answers {
        answer_string(call, key)?;
    }
    let holds = match condition {
        Condition::Always => true,
        Condition::Missing => !call.db.contains(key),
        Condition::Existing => call.db.contains(key),
    };
    if holds {
        store(call, key, value, expiry);
    }
    match (answers, holds) {
        (true, _) => {}
        (false, true) => call.reply.ok(),
        (false, false) => call.reply.null(),
    }
    Ok(())
}

/// Sets a string with its events, and propagates it with an absolute expiry.
fn store(call: &mut Call<'_>, key: &[u8], value: &[u8], expiry: Expiry) {
    call.db.insert(key, Value::String(Str::new(value)), expiry);
    call.db.changed(key, Class::STRING, "set");
    if let Expiry::At(at) = expiry {
        call.db.event(key, Class::GENERIC, "expire");
        if call.propagates() {
            call.propagate(&[b"SET", key, value, b"PXAT", at.to_string().as_bytes()]);
        }
    }
}

fn setex(call: &mut Call<'_>) -> Outcome {
    set_expiring(call, true)
}

fn psetex(call: &mut Call<'_>) -> Outcome {
    set_expiring(call, false)
}

fn set_expiring(call: &mut Call<'_>, seconds: bool) -> Outcome {
    let key = call.args.next_bytes()?;
    let number = call.args.next_i64()?;
    let value = call.args.next_bytes()?;
    let at = expiry_at(call, number, seconds, true)?;
    store(call, key, value, Expiry::At(at));
    call.reply.ok();
    Ok(())
}

fn setnx(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let value = call.args.next_bytes()?;
    let missing = !call.db.contains(key);
    if missing {
        store(call, key, value, Expiry::Clear);
    }
    call.reply.flag(missing);
    Ok(())
}

fn getset(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let value = call.args.next_bytes()?;
    answer_string(call, key)?;
    store(call, key, value, Expiry::Clear);
    call.propagate(&[b"SET", key, value]);
    Ok(())
}

fn getdel(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    answer_string(call, key)?;
    if call.db.delete(key) {
        call.propagate(&[b"DEL", key]);
    }
    Ok(())
}

fn getex(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let (mut persist, mut option) = (false, None);
    while !call.args.is_empty() {
        if option.is_none() && call.args.keyword("PERSIST") {
            persist = true;
        } else if persist {
            return Err(Fault::SYNTAX);
        } else {
            read_expiry(&mut call.args, &mut option)?;
        }
    }
    answer_string(call, key)?;
    if !call.db.contains(key) {
        return Ok(());
    }
    if let Some(option) = option {
        let at = option_at(call, option)?;
        if at <= call.now.unix_ms() {
            if call.db.delete(key) {
                call.propagate(&[b"DEL", key]);
            }
        } else if call.db.set_expiry(key, Some(at)) {
            call.db.changed(key, Class::GENERIC, "expire");
            call.propagate(&[b"PEXPIREAT", key, at.to_string().as_bytes()]);
        }
    } else if persist && call.db.expiry(key).flatten().is_some() {
        call.db.set_expiry(key, None);
        call.db.changed(key, Class::GENERIC, "persist");
        call.propagate(&[b"PERSIST", key]);
    }
    Ok(())
}

fn mget(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.remaining();
    call.reply.array(keys.len());
    for key in keys {
        // A key of another type reads as missing here.
        if answer_string(call, key).is_err() {
            call.reply.null();
        }
    }
    Ok(())
}

fn pairs<'a>(
    call: &Call<'a>,
) -> Result<impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a>, Fault> {
    let arguments = call.args.remaining();
    if !arguments.len().is_multiple_of(2) {
        return Err(Fault::wrong_arity(&call.command.name));
    }
    Ok(arguments.chunks_exact(2).map(|pair| (pair[0], pair[1])))
}

fn mset(call: &mut Call<'_>) -> Outcome {
    for (key, value) in pairs(call)? {
        store(call, key, value, Expiry::Clear);
    }
    call.reply.ok();
    Ok(())
}

fn msetnx(call: &mut Call<'_>) -> Outcome {
    // Looked up to be written: an expired one goes before the first is set.
    let exists = pairs(call)?.any(|(key, _)| call.db.value_mut(key).is_some());
    if !exists {
        for (key, value) in pairs(call)? {
            store(call, key, value, Expiry::Clear);
        }
    }
    call.reply.flag(!exists);
    Ok(())
}

fn append(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let value = call.args.next_bytes()?;
    let len = match call.db.string_mut(key)? {
        None => {
            call.db
                .insert(key, Value::String(Str::new(value)), Expiry::Clear);
            value.len()
        }
        Some(text) => {
            check_len(
                call.state.config.proto_max_bulk_len,
                text.len(),
                value.len(),
            )?;
            let raw = text.raw_mut();
            raw.extend_from_slice(value);
            raw.len()
        }
    };
    call.db.changed(key, Class::STRING, "append");
    call.reply.count(len);
    Ok(())
}

fn check_len(most: u64, one: usize, other: usize) -> Result<(), Fault> {
    let len = one
        .checked_add(other)
        .and_then(|len| u64::try_from(len).ok());
    if len.is_some_and(|len| len <= most) {
        Ok(())
    } else {
        Err(Fault::STRING_TOO_LONG)
    }
}

fn strlen(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let len = call.db.string(key)?.map_or(0, Str::len);
    call.reply.count(len);
    Ok(())
}

fn getrange(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let start = call.args.next_i64()?;
    let end = call.args.next_i64()?;
    let Some(text) = call.db.string(key)? else {
        call.reply.bulk(b"");
        return Ok(());
    };
    let text = text.bytes();
    let part = span(start, end, text.len())
        .and_then(|span| text.get(span))
        .unwrap_or_default();
    call.reply.bulk(part);
    Ok(())
}

/// The bytes from `start` to `end`, both inclusive and counted from the end where negative, of `len` bytes.
pub(super) fn span(start: i64, end: i64, len: usize) -> Option<std::ops::Range<usize>> {
    let len = i64::try_from(len).ok()?;
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let at = |index: i64| {
        if index < 0 {
            (len + index.max(-len)).max(0)
        } else {
            index
        }
    };
    let (start, end) = (at(start), at(end).min(len - 1));
    (start <= end).then(|| start as usize..end as usize + 1)
}

fn setrange(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let offset = call.args.next_i64()?;
    let value = call.args.next_bytes()?;
    let offset = usize::try_from(offset).map_err(|_| Fault::OFFSET_OUT_OF_RANGE)?;
    let found = call.db.string_mut(key)?;
    if value.is_empty() {
        let len = found.map_or(0, |text| text.len());
        call.reply.count(len);
        return Ok(());
    }
    check_len(call.state.config.proto_max_bulk_len, offset, value.len())?;
    let end = offset + value.len();
    let len = if let Some(text) = call.db.string_mut(key)? {
        overwrite(text.raw_mut(), offset, value)
    } else {
        let mut raw = Vec::with_capacity(end);
        let len = overwrite(&mut raw, offset, value);
        call.db
            .insert(key, Value::String(Str::raw(raw)), Expiry::Clear);
        len
    };
    call.db.changed(key, Class::STRING, "setrange");
    call.reply.count(len);
    Ok(())
}

fn overwrite(raw: &mut Vec<u8>, offset: usize, value: &[u8]) -> usize {
    let end = offset + value.len();
    if raw.len() < end {
        raw.resize(end, 0);
    }
    if let Some(part) = raw.get_mut(offset..end) {
        part.copy_from_slice(value);
    }
    raw.len()
}

fn incr(call: &mut Call<'_>) -> Outcome {
    add(call, 1)
}

fn decr(call: &mut Call<'_>) -> Outcome {
    add(call, -1)
}

fn incrby(call: &mut Call<'_>) -> Outcome {
    let mut ahead = Args::new(call.args.all(), 2);
    let increment = ahead.next_i64()?;
    add(call, increment)
}

fn decrby(call: &mut Call<'_>) -> Outcome {
    let mut ahead = Args::new(call.args.all(), 2);
    let decrement = ahead
        .next_i64()?
        .checked_neg()
        .ok_or(Fault::DECREMENT_OVERFLOW)?;
    add(call, decrement)
}

fn add(call: &mut Call<'_>, increment: i64) -> Outcome {
    let key = call.args.next_bytes()?;
    let sum = match call.db.string_mut(key)? {
        None => {
            call.db
                .insert(key, Value::String(Str::from(increment)), Expiry::Clear);
            increment
        }
        Some(text) => {
            let number = text.as_integer().ok_or(Fault::NOT_INTEGER)?;
            let sum = number
                .checked_add(increment)
                .ok_or(Fault::INCREMENT_OVERFLOW)?;
            *text = Str::from(sum);
            sum
        }
    };
    call.db.changed(key, Class::STRING, "incrby");
    call.reply.integer(sum);
    Ok(())
}

fn incrbyfloat(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let increment = call.args.next_bytes()?;
    let before = call.db.string_mut(key)?.map(|text| text.bytes());
    let before = before.as_deref().unwrap_or(b"0");
    let sum = float::sum(before, increment).map_err(|error| match error {
        SumError::Value | SumError::Increment => Fault::NOT_FLOAT,
        SumError::Infinite => Fault::INCREMENT_NOT_FINITE,
    })?;
    call.db
        .insert(key, Value::String(Str::text(sum.as_bytes())), Expiry::Keep);
    call.db.changed(key, Class::STRING, "incrbyfloat");
    call.propagate(&[b"SET", key, sum.as_bytes(), b"KEEPTTL"]);
    call.reply.bulk(&sum);
    Ok(())
}

fn lcs(call: &mut Call<'_>) -> Outcome {
    let (a, b) = (call.args.next_bytes()?, call.args.next_bytes()?);
    let text = |key| match call.db.string(key) {
        Ok(text) => Ok(text.map(Str::bytes)),
        Err(_) => Err(Fault::LCS_TYPE),
    };
    // Both are looked up before either is judged.
    let (a, b) = (text(a), text(b));
    let (a, b) = (a?, b?);
    let (mut length, mut indices, mut with_len, mut least) = (false, false, false, 0);
    while !call.args.is_empty() {
        match call
            .args
            .one_of(&["LEN", "IDX", "WITHMATCHLEN", "MINMATCHLEN"])
        {
            Some(0) => length = true,
            Some(1) => indices = true,
            Some(2) => with_len = true,
            Some(_) => least = usize::try_from(call.args.next_i64()?).unwrap_or(0),
            None => return Err(Fault::SYNTAX),
        }
    }
    if length && indices {
        return Err(Fault::LCS_LEN_AND_IDX);
    }
    let (a, b) = (
        a.as_deref().unwrap_or_default(),
        b.as_deref().unwrap_or_default(),
    );
    let most = call.state.config.proto_max_bulk_len;
    lcs::transient_bytes(a.len(), b.len())
        .filter(|bytes| *bytes as u64 <= most)
        .ok_or(Fault::LCS_TOO_LONG)?;
    let found = lcs::lcs(a, b);
    if length {
        call.reply.count(found.text.len());
        return Ok(());
    }
    if !indices {
        call.reply.bulk(&found.text);
        return Ok(());
    }
    let long = |found: &&lcs::Match| found.a.len() >= least;
    let matches: Vec<_> = found.matches.iter().filter(long).collect();
    call.reply.map(2);
    call.reply.bulk("matches");
    call.reply.array(matches.len());
    for lcs::Match { a, b } in matches {
        call.reply.array(2 + usize::from(with_len));
        for range in [a, b] {
            call.reply.array(2);
            call.reply.count(range.start);
            call.reply.count(range.end - 1);
        }
        if with_len {
            call.reply.count(a.len());
        }
    }
    call.reply.bulk("len");
    call.reply.count(found.text.len());
    Ok(())
}
