//! Commands on sets.

use super::keys::ScanOptions;
use super::sampling::{Sample, at_places};
use crate::args::{parse_cursor, parse_i64};
use crate::changes::Class;
use crate::command::{Call, Command};
use crate::fault::{Fault, Outcome};
use crate::keyspace::{Database, Expiry, Value};
use crate::value::{Blob, Element, PackedLimits, Set};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("SADD", "key member [member ...]", sadd)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW insert")
        .complexity("O(1) for each member.")
        .summary("Adds members to a set."),
    Command::new("SREM", "key member [member ...]", srem)
        .writes()
        .fast()
        .key(1)
        .access("RW delete")
        .complexity("O(1) for each member.")
        .summary("Removes members of a set."),
    Command::new("SMOVE", "source destination member", smove)
        .writes()
        .fast()
        .key(1)
        .access("RW access delete")
        .key(2)
        .access("RW insert")
        .summary("Moves a member from one set to another."),
    Command::new("SISMEMBER", "key member", sismember)
        .reads()
        .fast()
        .key(1)
        .access("RO")
        .summary("Whether a set has a member."),
    Command::new("SMISMEMBER", "key member [member ...]", smismember)
        .reads()
        .fast()
        .key(1)
        .since("6.2.0")
        .complexity("O(1) for each member.")
        .summary("Which of several members a set has."),
    Command::new("SCARD", "key", scard)
        .reads()
        .fast()
        .key(1)
        .access("RO")
        .summary("The number of members of a set."),
    Command::new("SPOP", "key [count]@3.2.0", spop)
        .writes()
        .fast()
        .key(1)
        .access("RW access delete")
        .complexity("O(N) where N is the number of members taken.")
        .tips("nondeterministic_output")
        .summary("Takes random members out of a set."),
    Command::new("SRANDMEMBER", "key [count]@2.6.0", srandmember)
        .reads()
        .key(1)
        .complexity("O(N) where N is the number of members answered.")
        .tips("nondeterministic_output")
        .summary("Random members of a set."),
    Command::new("SINTER", "key [key ...]", sinter)
        .reads()
        .keys(1, -1, 1)
        .complexity("O(N*M) where N is the size of the smallest set and M the number of sets.")
        .tips("nondeterministic_output_order")
        .summary("The members that all sets have."),
    Command::new(
        "SINTERCARD",
        "numkeys key [key ...] [LIMIT limit]",
        sintercard,
    )
    .reads()
    .numkeys(1)
    .since("7.0.0")
    .complexity("O(N*M) where N is the size of the smallest set and M the number of sets.")
    .summary("How many members all sets have, counted up to a limit."),
    Command::new("SINTERSTORE", "destination key [key ...]", sinterstore)
        .writes()
        .denies_oom()
        .key(1)
        .access("RW update")
        .keys(2, -1, 1)
        .access("RO access")
        .complexity("O(N*M) where N is the size of the smallest set and M the number of sets.")
        .summary("Stores the members that all sets have."),
    Command::new("SUNION", "key [key ...]", sunion)
        .reads()
        .keys(1, -1, 1)
        .complexity("O(N) where N is the number of members of all sets.")
        .tips("nondeterministic_output_order")
        .summary("The members that any set has."),
    Command::new("SUNIONSTORE", "destination key [key ...]", sunionstore)
        .writes()
        .denies_oom()
        .key(1)
        .access("OW update")
        .keys(2, -1, 1)
        .access("RO access")
        .complexity("O(N) where N is the number of members of all sets.")
        .summary("Stores the members that any set has."),
    Command::new("SDIFF", "key [key ...]", sdiff)
        .reads()
        .keys(1, -1, 1)
        .complexity("O(N) where N is the number of members of all sets.")
        .tips("nondeterministic_output_order")
        .summary("The members of the first set that no other has."),
    Command::new("SDIFFSTORE", "destination key [key ...]", sdiffstore)
        .writes()
        .denies_oom()
        .key(1)
        .access("OW update")
        .keys(2, -1, 1)
        .access("RO access")
        .complexity("O(N) where N is the number of members of all sets.")
        .summary("Stores the members of the first set that no other has."),
    Command::new("SMEMBERS", "key", smembers)
        .reads()
        .key(1)
        .complexity("O(N) where N is the number of members.")
        .tips("nondeterministic_output_order")
        .summary("All members of a set."),
    Command::new("SSCAN", "key cursor [MATCH pattern] [COUNT count]", sscan)
        .reads()
        .key(1)
        .since("2.8.0")
        .complexity("O(1) for each call, O(N) for all of them.")
        .tips("nondeterministic_output")
        .summary("Visits the members of a set page by page."),
];

fn sadd(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let limits = &call.state.config.packed;
    let set = call.db.set_mut_or_create(key)?;
    let members = call.args.remaining().iter();
    let added = members.filter(|member| set.insert(member, limits)).count();
    if added > 0 {
        call.db.changed_by(added, key, Class::SET, "sadd");
    }
    call.reply.count(added);
    Ok(())
}

fn srem(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let removed = match call.db.set_mut(key)? {
        None => 0,
        Some(set) => {
            let members = call.args.remaining().iter();
            members.filter(|member| set.remove(member)).count()
        }
    };
    if removed > 0 {
        call.db.changed_by(removed, key, Class::SET, "srem");
    }
    call.reply.count(removed);
    Ok(())
}

fn smove(call: &mut Call<'_>) -> Outcome {
    let source = call.args.next_bytes()?;
    let destination = call.args.next_bytes()?;
    let member = call.args.next_bytes()?;
    // Both are looked up before either is judged, and neither is where nothing is to be moved.
    let source_set = call.db.set_mut(source);
    let found = source_set.map(|set| set.map(|set| set.contains(member)));
    let destination_set = call.db.set_mut(destination).map(drop);
    let Some(present) = found? else {
        call.reply.flag(false);
        return Ok(());
    };
    destination_set?;
    if present && source != destination {
        if let Some(set) = call.db.set_mut(source)? {
            set.remove(member);
        }
        call.db.changed(source, Class::SET, "srem");
        // A source left empty is gone, and says so, before the destination changes.
        call.db.keyspace().settle();
        let limits = &call.state.config.packed;
        let new = call
            .db
            .set_mut_or_create(destination)?
            .insert(member, limits);
        if new {
            call.db.changed(destination, Class::SET, "sadd");
        }
    }
    call.reply.flag(present);
    Ok(())
}

fn sismember(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let member = call.args.next_bytes()?;
    let set = call.db.set(key)?;
    call.reply.flag(set.is_some_and(|set| set.contains(member)));
    Ok(())
}

fn smismember(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let members = call.args.remaining();
    let set = call.db.set(key)?;
    call.reply.array(members.len());
    for member in members {
        call.reply.flag(set.is_some_and(|set| set.contains(member)));
    }
    Ok(())
}

fn scard(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let len = call.db.set(key)?.map_or(0, Set::len);
    call.reply.count(len);
    Ok(())
}

fn spop(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    if call.args.len() > 1 {
        return Err(Fault::SYNTAX);
    }
    let count = match call.args.pop() {
        None => None,
        Some(count) => Some(
            parse_i64(count)
                .and_then(|count| usize::try_from(count).ok())
                .ok_or(Fault::NOT_POSITIVE)?,
        ),
    };
    let mut rng = call.db.rng().split();
    let mut popped = Vec::new();
    let mut emptied = false;
    if let Some(set) = call.db.set_mut(key)? {
        let wanted = count.unwrap_or(1).min(set.len());
        popped.extend((0..wanted).map_while(|_| set.pop(&mut rng)));
        emptied = set.is_empty();
    }
    if count.is_some() {
        call.reply.set(popped.len());
    } else if popped.is_empty() {
        call.reply.null();
    }
    for member in &popped {
        call.reply.bulk(member);
    }
    if popped.is_empty() {
        return Ok(());
    }
    call.db.changed_by(popped.len(), key, Class::SET, "spop");
    if emptied {
        call.propagate(&[b"DEL", key]);
    } else if call.propagates() {
        let removal: Vec<&[u8]> = [b"SREM".as_slice(), key]
            .into_iter()
            .chain(popped.iter().map(Blob::as_slice))
            .collect();
        call.propagate(&removal);
    }
    Ok(())
}

fn srandmember(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    if call.args.is_empty() {
        let mut rng = call.db.rng().split();
        let set = call.db.set(key)?;
        let member = set.and_then(|set| set.random(&mut rng));
        call.reply.bulk_or_null(member);
        return Ok(());
    }
    if call.args.len() > 1 {
        return Err(Fault::SYNTAX);
    }
    let sample = Sample::read(&mut call.args, None)?;
    let mut rng = call.db.rng().split();
    let Some(set) = call.db.set(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    let most_bytes = call.state.config.proto_max_bulk_len;
    let mut answer = sample.answer(set.len(), &mut call.reply, most_bytes)?;
    if !sample.repeats {
        for member in at_places(set.iter(), rng.distinct(set.len(), sample.count)) {
            answer.item(member.len())?.bulk(member);
        }
        return Ok(());
    }
    // A packed set finds no place without a walk: one walk then, not one for each member.
    let packed: Vec<_> = match set.encoding() {
        "listpack" => set.iter().collect(),
        _ => Vec::new(),
    };
    for _ in 0..sample.count {
        let place = rng.below(set.len());
        let drawn = packed.get(place).copied().or_else(|| set.at(place));
        if let Some(member) = drawn {
            answer.item(member.len())?.bulk(member);
        }
    }
    Ok(())
}

fn smembers(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let set = call.db.set(key)?;
    call.reply.set(set.map_or(0, Set::len));
    for member in set.into_iter().flat_map(Set::iter) {
        call.reply.bulk(member);
    }
    Ok(())
}

/// The operations on several sets.
#[derive(Clone, Copy)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

fn sinter(call: &mut Call<'_>) -> Outcome {
    answer(call, Operation::Intersection)
}

fn sunion(call: &mut Call<'_>) -> Outcome {
    answer(call, Operation::Union)
}

fn sdiff(call: &mut Call<'_>) -> Outcome {
    answer(call, Operation::Difference)
}

fn sinterstore(call: &mut Call<'_>) -> Outcome {
    store(call, Operation::Intersection, "sinterstore")
}

fn sunionstore(call: &mut Call<'_>) -> Outcome {
    store(call, Operation::Union, "sunionstore")
}

fn sdiffstore(call: &mut Call<'_>) -> Outcome {
    store(call, Operation::Difference, "sdiffstore")
}

fn answer(call: &mut Call<'_>, operation: Operation) -> Outcome {
    let sets = sets(&call.db, call.args.remaining())?;
    let mark = call.reply.mark();
    let mut found = 0;
    combine(operation, sets, &call.state.config.packed, |member| {
        call.reply.bulk(member);
        found += 1;
        true
    });
    call.reply.set_at(mark, found);
    Ok(())
}

fn store(call: &mut Call<'_>, operation: Operation, event: &'static str) -> Outcome {
    let destination = call.args.next_bytes()?;
    let sets = sets(&call.db, call.args.remaining())?;
    let limits = &call.state.config.packed;
    let mut result = Set::new();
    combine(operation, sets, limits, |member| {
        result.insert(&member, limits);
        true
    });
    call.reply.count(result.len());
    if result.is_empty() {
        call.db.discard(destination);
    } else {
        call.db
            .insert(destination, Value::Set(result), Expiry::Clear);
        call.db.changed(destination, Class::SET, event);
    }
    Ok(())
}

fn sintercard(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.next_keys().map_err(|fault| {
        if fault == Fault::SYNTAX {
            Fault::NUMKEYS_BEYOND_ARGS
        } else {
            fault
        }
    })?;
    let mut limit = 0;
    while !call.args.is_empty() {
        if !call.args.keyword("LIMIT") {
            return Err(Fault::SYNTAX);
        }
        limit = parse_i64(call.args.next_bytes()?)
            .and_then(|limit| usize::try_from(limit).ok())
            .ok_or(Fault::LIMIT_NEGATIVE)?;
    }
    let sets = sets(&call.db, keys)?;
    let mut found = 0;
    let limits = &call.state.config.packed;
    combine(Operation::Intersection, sets, limits, |_| {
        found += 1;
        found != limit
    });
    call.reply.count(found);
    Ok(())
}

fn sets<'d>(db: &'d Database<'_>, keys: &[&[u8]]) -> Result<Vec<Option<&'d Set>>, Fault> {
    keys.iter().map(|key| db.set(key)).collect()
}

/// Visits each member of the result once, for as long as `visit` says so. A missing set is empty.
fn combine<'d>(
    operation: Operation,
    sets: Vec<Option<&'d Set>>,
    limits: &PackedLimits,
    mut visit: impl FnMut(Element<'d>) -> bool,
) {
    match operation {
        Operation::Intersection => {
            let Some(mut sets) = sets.into_iter().collect::<Option<Vec<_>>>() else {
                return;
            };
            // The smallest set has the fewest members to ask the others about, and the next ones refuse the most.
            sets.sort_by_key(|set| set.len());
            let Some((smallest, others)) = sets.split_first() else {
                return;
            };
            for member in smallest.iter() {
                if others.iter().all(|set| set.contains(&member)) && !visit(member) {
                    return;
                }
            }
        }
        Operation::Union => {
            let sets: Vec<_> = sets.into_iter().flatten().collect();
            let mut seen = Set::new();
            for (index, set) in sets.iter().enumerate() {
                let last = index + 1 == sets.len();
                for member in set.iter() {
                    // The last set's own members are distinct and need not be remembered.
                    let new = if last {
                        !seen.contains(&member)
                    } else {
                        seen.insert(&member, limits)
                    };
                    if new && !visit(member) {
                        return;
                    }
                }
            }
        }
        Operation::Difference => {
            let mut sets = sets.into_iter();
            let Some(first) = sets.next().flatten() else {
                return;
            };
            let others: Vec<_> = sets.flatten().collect();
            // Asking each set about each member costs more than one set of all that is excluded, where there are many
            // small ones.
            let excluded_len = others.iter().map(|set| set.len()).sum::<usize>();
            let merged = others.len() > 1 && excluded_len < first.len() * (others.len() - 1) / 2;
            let mut excluded = Set::new();
            if merged {
                for member in others.iter().flat_map(|set| set.iter()) {
                    excluded.insert(&member, limits);
                }
            }
            for member in first.iter() {
                let wanted = if merged {
                    !excluded.contains(&member)
                } else {
                    !others.iter().any(|set| set.contains(&member))
                };
                if wanted && !visit(member) {
                    return;
                }
            }
        }
    }
}

fn sscan(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let cursor = call.args.next_bytes()?;
    // A missing key is answered before the options are read.
    parse_cursor(cursor).ok_or(Fault::INVALID_CURSOR)?;
    let Some(set) = call.db.set(key)? else {
        ScanOptions::answer(&mut call.reply, 0, &[]);
        return Ok(());
    };
    let options = ScanOptions::read(cursor, &mut call.args, false)?;
    let mut found = Vec::new();
    let next = set.scan(options.cursor, options.count, |member| {
        if options.wants(member) {
            found.push(Blob::from(member));
        }
    });
    ScanOptions::answer(&mut call.reply, next, &found);
    Ok(())
}
