//! Commands on `HyperLogLog` counters, which are strings.

use crate::changes::Class;
use crate::command::{Call, Command, Flags, Place};
use crate::fault::{Fault, Outcome};
use crate::keyspace::{Database, Expiry, Value};
use crate::value::Str;
use crate::value::hyperloglog::{self as hll, Corrupt, Registers};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("PFADD", "key [element [element ...]]", pfadd)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW insert")
        .since("2.8.9")
        .complexity("O(1) for each element.")
        .summary("Counts elements; the counter is made if there is none."),
    Command::new("PFCOUNT", "key [key ...]", pfcount)
        .reads()
        .flags(Flags::MAY_REPLICATE)
        .keys(1, -1, 1)
        .access("RW access")
        .since("2.8.9")
        .complexity("O(1) for one key, of which the count is cached; O(N) for several.")
        .summary("About how many distinct elements one counter, or several together, have counted."),
    Command::new("PFMERGE", "destkey [sourcekey [sourcekey ...]]", pfmerge)
        .writes()
        .denies_oom()
        .key(1)
        .access("RW access insert")
        .keys_at(Place::Range {
            first: 2,
            last: -1,
            step: 1,
        })
        .access("RO access")
        .since("2.8.9")
        .complexity("O(N) where N is the number of counters.")
        .summary("Merges counters into one."),
    Command::new("PFDEBUG", "subcommand key", pfdebug)
        .flags(Flags::INTERNAL)
        .writes()
        .denies_oom()
        .admin()
        .key(2)
        .access("RW access")
        .since("2.8.9")
        .complexity("N/A")
        .summary("Shows the inside of a counter, for tests."),
    Command::new("PFSELFTEST", "", pfselftest)
        .flags(Flags::INTERNAL)
        .admin()
        .since("2.8.9")
        .complexity("N/A")
        .summary("Tests counters of both encodings against each other and against what they should count."),
];

impl From<Corrupt> for Fault {
    fn from(_: Corrupt) -> Self {
        Self::CORRUPT_COUNTER
    }
}

/// The counter at `key`.
fn counter<'a>(db: &'a Database<'_>, key: &[u8]) -> Result<Option<&'a Str>, Fault> {
    let text = db.string(key)?;
    text.map_or(Ok(()), check)?;
    Ok(text)
}

/// Whether a string is a counter.
fn check(text: &Str) -> Result<(), Fault> {
    if hll::is_valid(&text.bytes()) {
        Ok(())
    } else {
        Err(Fault::NOT_A_COUNTER)
    }
}

/// Replaces the bytes of a counter that was just read; its expiry stays.
fn store(db: &mut Database<'_>, key: &[u8], bytes: Vec<u8>) {
    db.insert(key, Value::String(Str::raw(bytes)), Expiry::Keep);
}

fn sparse_max_bytes(call: &Call<'_>) -> usize {
    usize::try_from(call.state.config.hll_sparse_max_bytes).unwrap_or(usize::MAX)
}

fn pfadd(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let most = sparse_max_bytes(call);
    let mut changes = 0;
    let found = call.db.string_mut(key)?;
    found.as_deref().map_or(Ok(()), check)?;
    match found {
        Some(text) if hll::is_dense(&text.bytes()) => {
            // No dense counter is corrupt, so it can be changed where it is.
            let bytes = text.raw_mut();
            for element in call.args.remaining() {
                changes += usize::from(hll::add(bytes, element, most)?);
            }
        }
        found => {
            changes += usize::from(found.is_none());
            let mut bytes = found.map_or_else(hll::new, |text| text.bytes().to_vec());
            for element in call.args.remaining() {
                changes += usize::from(hll::add(&mut bytes, element, most)?);
            }
            if changes > 0 {
                store(&mut call.db, key, bytes);
            }
        }
    }
    if changes > 0 {
        call.db.changed_by(changes, key, Class::STRING, "pfadd");
    }
    call.reply.flag(changes > 0);
    Ok(())
}

fn pfcount(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.remaining();
    let [key] = keys else {
        let (registers, _) = union(&call.db, keys)?;
        return answer_count(call, registers.count());
    };
    let Some(text) = counter(&call.db, key)? else {
        return answer_count(call, 0);
    };
    if let Some(count) = hll::cached_count(&text.bytes()) {
        return answer_count(call, count);
    }
    let mut registers = Registers::new();
    registers.merge(&text.bytes())?;
    let count = registers.count();
    if let Some(text) = call.db.string_mut(key)? {
        hll::cache_count(text.raw_mut(), count);
        // The string is another one now, so it is a change, if one without an event.
        call.db.changed(key, Class::NONE, "");
        call.propagate(call.args.all());
    }
    answer_count(call, count)
}

fn answer_count(call: &mut Call<'_>, count: u64) -> Outcome {
    call.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

/// The registers of several counters together, and whether one of the counters is dense.
fn union(db: &Database<'_>, keys: &[&[u8]]) -> Result<(Registers, bool), Fault> {
    let (mut registers, mut dense) = (Registers::new(), false);
    for key in keys {
        if let Some(text) = counter(db, key)? {
            registers.merge(&text.bytes())?;
            dense |= hll::is_dense(&text.bytes());
        }
    }
    Ok((registers, dense))
}

fn pfmerge(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.remaining();
    let destination = call.args.next_bytes()?;
    let (registers, dense) = union(&call.db, keys)?;
    let found = call.db.string_mut(destination)?;
    let mut bytes = found.map_or_else(hll::new, |text| text.bytes().to_vec());
    if dense {
        hll::make_dense(&mut bytes)?;
    }
    registers.store(&mut bytes, sparse_max_bytes(call))?;
    store(&mut call.db, destination, bytes);
    call.db.changed(destination, Class::STRING, "pfadd");
    call.reply.ok();
    Ok(())
}

fn pfdebug(call: &mut Call<'_>) -> Outcome {
    let (word, key) = (call.args.next_bytes()?, call.args.next_bytes()?);
    let text = call.db.string_mut(key)?.ok_or(Fault::NO_COUNTER)?;
    check(text)?;
    let mut bytes = text.bytes().to_vec();
    let sparse = !hll::is_dense(&bytes);
    match word.to_ascii_lowercase().as_slice() {
        b"getreg" => {
            let mut registers = Registers::new();
            registers.merge(&bytes)?;
            call.reply.array(registers.as_slice().len());
            for register in registers.as_slice() {
                call.reply.integer(i64::from(*register));
            }
        }
        b"todense" => call.reply.flag(sparse),
        b"decode" if sparse => {
            call.reply.bulk(hll::describe_runs(&bytes)?);
            return Ok(());
        }
        b"decode" => return Err(Fault::COUNTER_NOT_SPARSE),
        b"encoding" => {
            call.reply.simple(if sparse { "sparse" } else { "dense" });
            return Ok(());
        }
        _ => return Err(Fault::unknown_pfdebug(word)),
    }
    // To look at the registers converts the counter too.
    if sparse {
        hll::make_dense(&mut bytes)?;
        store(&mut call.db, key, bytes);
        call.db.changed(key, Class::NONE, "");
    }
    Ok(())
}

/// How many elements the self-test counts; the error is judged at each power of ten below.
const TESTED: u32 = 100_000;

fn pfselftest(call: &mut Call<'_>) -> Outcome {
    let (mut sparse, mut dense) = (hll::new(), hll::new());
    hll::make_dense(&mut dense)?;
    let mut judged_at = 1;
    for counted in 1..=TESTED {
        let element = call.db.rng().next_u64().to_le_bytes();
        hll::add(&mut dense, &element, 0)?;
        if counted <= TESTED / 100 {
            hll::add(&mut sparse, &element, usize::MAX)?;
        }
        if counted < judged_at {
            continue;
        }
        judged_at *= 10;
        let mut registers = Registers::new();
        registers.merge(&dense)?;
        if counted <= TESTED / 100 {
            let mut others = Registers::new();
            others.merge(&sparse)?;
            if registers.as_slice() != others.as_slice() {
                return Err(Fault::COUNTERS_DIFFER);
            }
        }
        // Six standard errors of 1.04 / sqrt(16,384), as Redis allows; a few elements may still share a register.
        let allowed = (f64::from(counted) * 6.0 * 1.04 / 128.0).ceil().max(2.0);
        if (registers.count() as f64 - f64::from(counted)).abs() > allowed {
            return Err(Fault::COUNTER_TOO_FAR_OFF);
        }
    }
    call.reply.ok();
    Ok(())
}
