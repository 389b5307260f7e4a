//! Commands on hashes.

use super::keys::ScanOptions;
use super::sampling::{Sample, at_places};
use crate::args::{parse_cursor, parse_i64};
use crate::changes::Class;
use crate::command::{Call, Command};
use crate::fault::{Fault, Outcome};
use crate::value::float::{self, SumError};
use crate::value::{Blob, Element, Hash};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("HSET", "key field value [field value ...]", hset)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW update")
        .since("2.0.0")
        .complexity("O(1) for each field.")
        .summary("Sets fields of a hash."),
    Command::new("HSETNX", "key field value", hsetnx)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW insert")
        .since("2.0.0")
        .summary("Sets a field of a hash that does not exist."),
    Command::new("HGET", "key field", hget)
        .reads()
        .fast()
        .key(1)
        .since("2.0.0")
        .summary("The value of a field of a hash."),
    Command::new("HMSET", "key field value [field value ...]", hmset)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW update")
        .since("2.0.0")
        .complexity("O(1) for each field.")
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
        .summary("Sets fields of a hash and answers OK."),
    Command::new("HMGET", "key field [field ...]", hmget)
        .reads()
        .fast()
        .key(1)
        .since("2.0.0")
        .complexity("O(1) for each field.")
        .summary("The values of several fields of a hash."),
    Command::new("HINCRBY", "key field increment", hincrby)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW access update")
        .since("2.0.0")
        .summary("Adds to the integer value of a field of a hash."),
    Command::new("HINCRBYFLOAT", "key field increment=double", hincrbyfloat)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW access update")
        .since("2.6.0")
        .summary("Adds to the number that a field of a hash holds."),
    Command::new("HDEL", "key field [field ...]", hdel)
        .writes()
        .fast()
        .key(1)
        .access("RW delete")
        .since("2.0.0")
        .complexity("O(1) for each field.")
        .summary("Removes fields of a hash."),
    Command::new("HLEN", "key", hlen)
        .reads()
        .fast()
        .key(1)
        .access("RO")
        .since("2.0.0")
        .summary("The number of fields of a hash."),
    Command::new("HSTRLEN", "key field", hstrlen)
        .reads()
        .fast()
        .key(1)
        .access("RO")
        .since("3.2.0")
        .summary("The length of the value of a field of a hash."),
    Command::new("HKEYS", "key", hkeys)
        .reads()
        .key(1)
        .since("2.0.0")
        .complexity("O(N) where N is the number of fields.")
        .tips("nondeterministic_output_order")
        .summary("All fields of a hash."),
    Command::new("HVALS", "key", hvals)
        .reads()
        .key(1)
        .since("2.0.0")
        .complexity("O(N) where N is the number of fields.")
        .tips("nondeterministic_output_order")
        .summary("The values of all fields of a hash."),
    Command::new("HGETALL", "key", hgetall)
        .reads()
        .key(1)
        .since("2.0.0")
        .complexity("O(N) where N is the number of fields.")
        .tips("nondeterministic_output_order")
        .summary("All fields of a hash with their values."),
    Command::new("HEXISTS", "key field", hexists)
        .reads()
        .fast()
        .key(1)
        .access("RO")
        .since("2.0.0")
        .summary("Whether a hash has a field."),
    Command::new("HRANDFIELD", "key options=[count [WITHVALUES]]", hrandfield)
        .reads()
        .key(1)
        .since("6.2.0")
        .complexity("O(N) where N is the number of fields answered.")
        .tips("nondeterministic_output")
        .summary("Random fields of a hash."),
    Command::new("HSCAN", "key cursor [MATCH pattern] [COUNT count]", hscan)
        .reads()
        .key(1)
        .since("2.8.0")
        .complexity("O(1) for each call, O(N) for all of them.")
        .tips("nondeterministic_output")
        .summary("Visits the fields of a hash page by page."),
];

fn hset(call: &mut Call<'_>) -> Outcome {
    let added = set_fields(call)?;
    call.reply.count(added);
    Ok(())
}

fn hmset(call: &mut Call<'_>) -> Outcome {
    set_fields(call)?;
    call.reply.ok();
    Ok(())
}

/// Sets fields and gives how many are new.
fn set_fields(call: &mut Call<'_>) -> Result<usize, Fault> {
    let key = call.args.next_bytes()?;
    let (pairs, odd) = call.args.remaining().as_chunks::<2>();
    if !odd.is_empty() {
        return Err(Fault::wrong_arity(&call.command.name));
    }
    let limits = &call.state.config.packed;
    let hash = call.db.hash_mut_or_create(key)?;
    let mut added = 0;
    for [field, value] in pairs {
        added += usize::from(hash.insert(field, value, limits));
    }
    call.db.changed_by(pairs.len(), key, Class::HASH, "hset");
    Ok(added)
}

fn hsetnx(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let field = call.args.next_bytes()?;
    let value = call.args.next_bytes()?;
    let hash = call.db.hash_mut_or_create(key)?;
    let missing = !hash.contains(field);
    if missing {
        hash.insert(field, value, &call.state.config.packed);
        call.db.changed(key, Class::HASH, "hset");
    }
    call.reply.flag(missing);
    Ok(())
}

fn hget(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let field = call.args.next_bytes()?;
    let value = call.db.hash(key)?.and_then(|hash| hash.get(field));
    call.reply.bulk_or_null(value);
    Ok(())
}

fn hmget(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let fields = call.args.remaining();
    let hash = call.db.hash(key)?;
    call.reply.array(fields.len());
    for field in fields {
        let value = hash.and_then(|hash| hash.get(field));
        call.reply.bulk_or_null(value);
    }
    Ok(())
}

fn hincrby(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let field = call.args.next_bytes()?;
    let increment = call.args.next_i64()?;
    let hash = call.db.hash_mut_or_create(key)?;
    // A hash made just now has no field that either fault could be about, so no fault leaves one behind.
    let before = match hash.get(field) {
        None => 0,
        Some(value) => parse_i64(&value).ok_or(Fault::HASH_NOT_INTEGER)?,
    };
    let sum = before
        .checked_add(increment)
        .ok_or(Fault::INCREMENT_OVERFLOW)?;
    hash.insert(field, &Element::from(sum), &call.state.config.packed);
    call.db.changed(key, Class::HASH, "hincrby");
    call.reply.integer(sum);
    Ok(())
}

fn hincrbyfloat(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let field = call.args.next_bytes()?;
    let increment = call.args.next_bytes()?;
    // The increment is judged before the key is looked at.
    float::sum(b"0", increment).map_err(|error| match error {
        SumError::Infinite => Fault::INCREMENT_INFINITE,
        _ => Fault::NOT_FLOAT,
    })?;
    let hash = call.db.hash_mut_or_create(key)?;
    let before = hash.get(field);
    let sum =
        float::sum(before.as_deref().unwrap_or(b"0"), increment).map_err(|error| match error {
            SumError::Infinite => Fault::INCREMENT_NOT_FINITE,
            _ => Fault::HASH_NOT_FLOAT,
        })?;
    hash.insert(field, sum.as_bytes(), &call.state.config.packed);
    call.db.changed(key, Class::HASH, "hincrbyfloat");
    call.propagate(&[b"HSET", key, field, sum.as_bytes()]);
    call.reply.bulk(&sum);
    Ok(())
}

fn hdel(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let removed = match call.db.hash_mut(key)? {
        None => 0,
        Some(hash) => {
            let fields = call.args.remaining().iter();
            fields.filter(|field| hash.remove(field)).count()
        }
    };
    if removed > 0 {
        call.db.changed_by(removed, key, Class::HASH, "hdel");
    }
    call.reply.count(removed);
    Ok(())
}

fn hlen(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let len = call.db.hash(key)?.map_or(0, Hash::len);
    call.reply.count(len);
    Ok(())
}

fn hstrlen(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let field = call.args.next_bytes()?;
    let value = call.db.hash(key)?.and_then(|hash| hash.get(field));
    call.reply.count(value.map_or(0, |value| value.len()));
    Ok(())
}

fn hexists(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let field = call.args.next_bytes()?;
    let hash = call.db.hash(key)?;
    call.reply
        .flag(hash.is_some_and(|hash| hash.contains(field)));
    Ok(())
}

fn hkeys(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let hash = call.db.hash(key)?;
    call.reply.array(hash.map_or(0, Hash::len));
    for (field, _) in hash.into_iter().flat_map(Hash::iter) {
        call.reply.bulk(field);
    }
    Ok(())
}

fn hvals(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let hash = call.db.hash(key)?;
    call.reply.array(hash.map_or(0, Hash::len));
    for (_, value) in hash.into_iter().flat_map(Hash::iter) {
        call.reply.bulk(value);
    }
    Ok(())
}

fn hgetall(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let hash = call.db.hash(key)?;
    call.reply.map(hash.map_or(0, Hash::len));
    for (field, value) in hash.into_iter().flat_map(Hash::iter) {
        call.reply.bulk(field);
        call.reply.bulk(value);
    }
    Ok(())
}

fn hrandfield(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    if call.args.is_empty() {
        let mut rng = call.db.rng().split();
        let hash = call.db.hash(key)?;
        let field = hash.and_then(|hash| hash.random(&mut rng));
        call.reply.bulk_or_null(field.map(|(field, _)| field));
        return Ok(());
    }
    let sample = Sample::read(&mut call.args, Some("WITHVALUES"))?;
    let mut rng = call.db.rng().split();
    let Some(hash) = call.db.hash(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    let most_bytes = call.state.config.proto_max_bulk_len;
    let mut answer = sample.answer(hash.len(), &mut call.reply, most_bytes)?;
    let mut write = |field: Element<'_>, value: Element<'_>| {
        if !sample.paired {
            answer.item(field.len())?.bulk(field);
            return Ok(());
        }
        let reply = answer.item(field.len() + value.len())?;
        reply.bulk(field);
        reply.bulk(value);
        Ok(())
    };
    if !sample.repeats {
        let places = rng.distinct(hash.len(), sample.count);
        return at_places(hash.iter(), places).try_for_each(|(field, value)| write(field, value));
    }
    // A packed hash finds no place without a walk: one walk then, not one for each field.
    let packed: Vec<_> = match hash.encoding() {
        "hashtable" => Vec::new(),
        _ => hash.iter().collect(),
    };
    for _ in 0..sample.count {
        let place = rng.below(hash.len());
        let drawn = packed.get(place).copied().or_else(|| hash.at(place));
        if let Some((field, value)) = drawn {
            write(field, value)?;
        }
    }
    Ok(())
}

fn hscan(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let cursor = call.args.next_bytes()?;
    // A missing key is answered before the options are read.
    parse_cursor(cursor).ok_or(Fault::INVALID_CURSOR)?;
    let Some(hash) = call.db.hash(key)? else {
        ScanOptions::answer(&mut call.reply, 0, &[]);
        return Ok(());
    };
    let options = ScanOptions::read(cursor, &mut call.args, false)?;
    let mut found = Vec::new();
    let next = hash.scan(options.cursor, options.count, |field, value| {
        if options.wants(field) {
            found.extend([Blob::from(field), Blob::from(value)]);
        }
    });
    ScanOptions::answer(&mut call.reply, next, &found);
    Ok(())
}
