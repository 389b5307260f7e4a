//! Commands on strings as rows of bits.

use std::ops::Range;

use super::strings::span;
use crate::args::{Args, parse_i64};
use crate::changes::Class;
use crate::command::{Call, Command, Place};
use crate::fault::{Fault, Outcome};
use crate::keyspace::{Database, Expiry, Value};
use crate::value::Str;
use crate::value::bitmap::{self, Field, Operation, Overflow};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("SETBIT", "key offset value=integer", setbit)
        .writes()
        .denies_oom()
        .key(1)
        .access("RW access update")
        .since("2.2.0")
        .summary("Sets or clears a bit of the string value of a key."),
    Command::new("GETBIT", "key offset", getbit)
        .reads()
        .fast()
        .key(1)
        .since("2.2.0")
        .summary("A bit of the string value of a key."),
    Command::new("BITCOUNT", "key index=[start end index_unit=[BYTE | BIT]@7.0.0]", bitcount)
        .reads()
        .key(1)
        .since("2.6.0")
        .complexity("O(N)")
        .summary("How many bits are set in the string value of a key, or in a part of it."),
    Command::new("BITPOS", "key bit index=[start end_index=[end index_unit=[BYTE | BIT]@7.0.0]]", bitpos)
        .reads()
        .key(1)
        .since("2.8.7")
        .complexity("O(N)")
        .summary("Where the first set or clear bit is in the string value of a key."),
    Command::new("BITOP", "operation destkey key [key ...]", bitop)
        .writes()
        .denies_oom()
        .key(2)
        .access("OW update")
        .keys_at(Place::Range {
            first: 3,
            last: -1,
            step: 1,
        })
        .access("RO access")
        .since("2.6.0")
        .complexity("O(N) where N is the number of bytes of all strings.")
        .summary("Stores the AND, OR, XOR or NOT of strings, bit by bit."),
    Command::new(
        "BITFIELD",
        "key operation=[GET encoding offset | write=<[OVERFLOW <WRAP | SAT | FAIL>] \
         write_operation=<SET encoding offset value=integer | INCRBY encoding offset increment>> ...]",
        bitfield,
    )
    .arity(-2)
    .writes()
    .denies_oom()
    .key(1)
    .access("RW access update variable_flags")
    .since("3.2.0")
    .complexity("O(1) for each operation.")
    .summary("Reads, sets and increments integers of any width inside a string."),
    Command::new(
        "BITFIELD_RO",
        "key [GET encoding offset [GET encoding offset ...]]",
        bitfield_ro,
    )
    .arity(-2)
    .reads()
    .fast()
    .key(1)
    .since("6.0.0")
    .complexity("O(1) for each operation.")
    .summary("Reads integers of any width inside a string."),
];

/// Reads a bit's offset; every byte up to it is within `proto-max-bulk-len`. BITFIELD also counts in whole fields:
/// `#2` of `u8` is bit 16.
fn offset(call: &Call<'_>, text: &[u8], field: Option<Field>) -> Result<usize, Fault> {
    let offset = match (text, field) {
        ([b'#', digits @ ..], Some(field)) => {
            parse_i64(digits).and_then(|number| number.checked_mul(field.bits.into()))
        }
        _ => parse_i64(text),
    };
    offset
        .and_then(|offset| u64::try_from(offset).ok())
        .filter(|offset| offset / 8 < call.state.config.proto_max_bulk_len)
        .and_then(|offset| usize::try_from(offset).ok())
        .ok_or(Fault::BIT_OFFSET)
}

/// The bytes of a string that is long enough to hold the bit `last`, and whether it had to be made so.
fn grown<'a>(
    db: &'a mut Database<'_>,
    key: &[u8],
    last: usize,
) -> Result<(&'a mut Vec<u8>, bool), Fault> {
    let bytes = db.string_mut_or_create(key)?.raw_mut();
    let len = last / 8 + 1;
    let grows = bytes.len() < len;
    if bytes.is_empty() {
        // Zeroed memory is cheap to get where it is new, and a first bit is often far out.
        *bytes = vec![0; len];
    } else if grows {
        bytes.resize(len, 0);
    }
    Ok((bytes, grows))
}

fn setbit(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let at = call.args.next_bytes()?;
    let at = offset(call, at, None)?;
    let on = match call.args.next_bytes()? {
        b"0" => false,
        b"1" => true,
        _ => return Err(Fault::BIT_VALUE),
    };
    let (bytes, grew) = grown(&mut call.db, key, at)?;
    let before = bitmap::bit(bytes, at);
    if grew || before != on {
        bitmap::set_bit(bytes, at, on);
        call.db.changed(key, Class::STRING, "setbit");
    }
    call.reply.flag(before);
    Ok(())
}

fn getbit(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let at = call.args.next_bytes()?;
    let at = offset(call, at, None)?;
    let text = call.db.string(key)?.map(Str::bytes);
    let on = text.is_some_and(|text| bitmap::bit(&text, at));
    call.reply.flag(on);
    Ok(())
}

/// The unit of a range.
fn counts_bits(args: &mut Args<'_>) -> Result<bool, Fault> {
    let unit = args.one_of(&["BYTE", "BIT"]);
    args.finish()?;
    unit.map(|unit| unit == 1).ok_or(Fault::SYNTAX)
}

/// A range of bytes or bits as one of bits.
fn in_bits(range: Range<usize>, bits: bool) -> Range<usize> {
    let unit = if bits { 1 } else { 8 };
    range.start * unit..range.end * unit
}

fn bitcount(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let Some(text) = call.db.string(key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let text = text.bytes();
    if call.args.is_empty() {
        call.reply
            .count(bitmap::count(&text, in_bits(0..text.len(), false)));
        return Ok(());
    }
    if !(2..=3).contains(&call.args.len()) {
        return Err(Fault::SYNTAX);
    }
    let (start, end) = (call.args.next_i64()?, call.args.next_i64()?);
    if end < start && start < 0 {
        call.reply.integer(0);
        return Ok(());
    }
    let bits = !call.args.is_empty() && counts_bits(&mut call.args)?;
    let len = text.len() * if bits { 8 } else { 1 };
    let range = span(start, end, len).map_or(0..0, |range| in_bits(range, bits));
    call.reply.count(bitmap::count(&text, range));
    Ok(())
}

fn bitpos(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let on = match call.args.next_i64()? {
        0 => false,
        1 => true,
        _ => return Err(Fault::BIT_ARGUMENT),
    };
    let Some(text) = call.db.string(key)? else {
        // A missing key is a row of clear bits without end.
        call.reply.integer(if on { -1 } else { 0 });
        return Ok(());
    };
    let text = text.bytes();
    if call.args.len() > 3 {
        return Err(Fault::SYNTAX);
    }
    let start = call.args.pop().map_or(Ok(0), integer)?;
    let end = call.args.pop();
    let bits = !call.args.is_empty() && counts_bits(&mut call.args)?;
    let ends = end.is_some();
    let end = end.map_or(Ok(-1), integer)?;
    let len = (text.len() * if bits { 8 } else { 1 }) as i64;
    // Not as other ranges: two negative ends in the wrong order are moved into the string each by itself.
    let at = |index: i64| {
        let index = if index < 0 {
            index.saturating_add(len)
        } else {
            index
        };
        index.max(0)
    };
    let (start, end) = (at(start), at(end).min(len - 1));
    let found = if start > end {
        None
    } else {
        let range = in_bits(start as usize..end as usize + 1, bits);
        // Clear bits follow the string, unless the range has an end.
        let behind = (!on && !ends).then_some(range.end);
        bitmap::position(&text, on, range).or(behind)
    };
    match found {
        Some(at) => call.reply.count(at),
        None => call.reply.integer(-1),
    }
    Ok(())
}

fn integer(text: &[u8]) -> Result<i64, Fault> {
    parse_i64(text).ok_or(Fault::NOT_INTEGER)
}

fn bitop(call: &mut Call<'_>) -> Outcome {
    let operation = match call.args.one_of(&["AND", "OR", "XOR", "NOT"]) {
        Some(0) => Operation::And,
        Some(1) => Operation::Or,
        Some(2) => Operation::Xor,
        Some(_) => Operation::Not,
        None => return Err(Fault::SYNTAX),
    };
    let destination = call.args.next_bytes()?;
    let keys = call.args.remaining();
    if operation == Operation::Not && keys.len() != 1 {
        return Err(Fault::BITOP_NOT);
    }
    let mut texts = Vec::with_capacity(keys.len());
    for key in keys {
        texts.push(call.db.string(key)?.map(Str::bytes));
    }
    let rows: Vec<&[u8]> = texts
        .iter()
        .map(|text| text.as_deref().unwrap_or_default())
        .collect();
    let result = bitmap::combine(operation, &rows);
    let len = result.len();
    if len > 0 {
        call.db
            .insert(destination, Value::String(Str::raw(result)), Expiry::Clear);
        call.db.changed(destination, Class::STRING, "set");
    } else {
        call.db.discard(destination);
    }
    call.reply.count(len);
    Ok(())
}

/// One operation of BITFIELD.
#[derive(Clone, Copy)]
struct Step {
    field: Field,
    offset: usize,
    action: Action,
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

fn bitfield(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let steps = steps(call)?;
    let writes = steps
        .iter()
        .filter(|step| !matches!(step.action, Action::Get));
    let last = writes
        .map(|step| step.offset + usize::from(step.field.bits) - 1)
        .max();
    match last {
        None => answer_fields(call, key, &steps),
        Some(last) => change_fields(call, key, &steps, last),
    }
}

fn bitfield_ro(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let steps = steps(call)?;
    if steps.iter().any(|step| !matches!(step.action, Action::Get)) {
        return Err(Fault::BITFIELD_READ_ONLY);
    }
    answer_fields(call, key, &steps)
}

fn steps(call: &mut Call<'_>) -> Result<Vec<Step>, Fault> {
    let mut overflow = Overflow::Wrap;
    let mut steps = Vec::new();
    while !call.args.is_empty() {
        let word = call
            .args
            .one_of(&["GET", "SET", "INCRBY", "OVERFLOW"])
            .ok_or(Fault::SYNTAX)?;
        if word == 3 {
            if call.args.is_empty() {
                return Err(Fault::SYNTAX);
            }
            overflow = match call.args.one_of(&["WRAP", "SAT", "FAIL"]) {
                Some(0) => Overflow::Wrap,
                Some(1) => Overflow::Saturate,
                Some(_) => Overflow::Fail,
                None => return Err(Fault::OVERFLOW_TYPE),
            };
            continue;
        }
        // That an operation is whole comes before whether its parts are right.
        let parts = call.args.take(if word == 0 { 2 } else { 3 })?;
        let mut parts = Args::new(parts, 0);
        let field = Field::parse(parts.next_bytes()?).ok_or(Fault::FIELD_TYPE)?;
        let offset = offset(call, parts.next_bytes()?, Some(field))?;
        let action = match word {
            0 => Action::Get,
            1 => Action::Set(parts.next_i64()?, overflow),
            _ => Action::Add(parts.next_i64()?, overflow),
        };
        steps.push(Step {
            field,
            offset,
            action,
        });
    }
    Ok(steps)
}

fn answer_fields(call: &mut Call<'_>, key: &[u8], steps: &[Step]) -> Outcome {
    let text = call.db.string(key)?.map(Str::bytes);
    let bytes = text.as_deref().unwrap_or_default();
    call.reply.array(steps.len());
    for step in steps {
        call.reply.integer(step.field.read(bytes, step.offset));
    }
    Ok(())
}

fn change_fields(call: &mut Call<'_>, key: &[u8], steps: &[Step], last: usize) -> Outcome {
    let (bytes, grew) = grown(&mut call.db, key, last)?;
    let mut changes = 0;
    call.reply.array(steps.len());
    for step in steps {
        let before = step.field.read(bytes, step.offset);
        let (after, answers_before) = match step.action {
            Action::Get => (Some(before), true),
            Action::Set(value, overflow) => (step.field.sum(value, 0, overflow), true),
            Action::Add(increment, overflow) => {
                (step.field.sum(before, increment, overflow), false)
            }
        };
        let Some(after) = after else {
            call.reply.null();
            continue;
        };
        call.reply
            .integer(if answers_before { before } else { after });
        if !matches!(step.action, Action::Get) {
            step.field.write(bytes, step.offset, after);
            changes += usize::from(grew || before != after);
        }
    }
    if changes > 0 {
        call.db.changed_by(changes, key, Class::STRING, "setbit");
    } else if grew {
        // Every write overflowed: the string is longer, though nobody is told but who replays effects and counts changes.
        call.db.count_changes(1);
        call.propagate(call.args.all());
    }
    Ok(())
}
