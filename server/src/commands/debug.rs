//! DEBUG: what test suites ask of a server, and a reply of every type.

use sha1_smol::Sha1;

use crate::args::parse_f64;
use crate::changes::Class;
use crate::command::{Call, Command, Flags};
use crate::fault::{Fault, Outcome};
use crate::keyspace::{Entry, Expiry, Kind, Value};
use crate::state::random_id;
use crate::value::{Str, float, glob};

pub(super) const COMMANDS: &[Command] =
    &[Command::new("DEBUG", "subcommand [arg [arg ...]]", debug)
        .arity(-2)
        .flags(Flags::INTERNAL)
        .admin()
        .no_script()
        .always()
        .complexity("Depends on subcommand.")
        .summary("For tests of servers and clients.")];

/// A subcommand: its name, its arguments, what they do, their least and most number, and the function.
type Subcommand = (
    &'static str,
    &'static str,
    &'static str,
    usize,
    usize,
    fn(&mut Call<'_>) -> Outcome,
);

#[rustfmt::skip]
const SUBCOMMANDS: &[Subcommand] = &[
    ("CHANGE-REPL-ID", "", "Gives the data another replication id.", 0, 0, change_repl_id),
    ("DIGEST", "", "A digest of all data; equal data have equal digests.", 0, 0, digest),
    ("DIGEST-VALUE", "<key> [<key> ...]", "A digest of each value.", 0, usize::MAX, digest_value),
    ("ERROR", "<message>", "Answers an error of these words.", 1, 1, error),
    ("HELP", "", "Explains the subcommands.", 0, 0, help),
    ("LISTPACK", "<key>", "Checks that a value is packed.", 1, 1, listpack),
    ("LOG", "<message>", "Writes into the server's log.", 1, 1, log),
    ("OBJECT", "<key>", "How a key and its value are kept.", 1, 2, object),
    ("PAUSE-CRON", "<0|1>", "Stops removing expired keys in the background.", 1, 1, pause_cron),
    ("POPULATE", "<count> [<prefix>] [<size>]", "Makes keys that are not there yet.", 1, 3, populate),
    ("PROTOCOL", "<type>", "Answers a reply of a type: string, integer, double, bignum, null, array, set, map, attrib, push, verbatim, true, false.", 1, 1, protocol),
    ("QUICKLIST-PACKED-THRESHOLD", "<size>", "Taken, without effect: a large element always has a list node of its own.", 1, 1, accept_size),
    ("SET-ACTIVE-EXPIRE", "<0|1>", "Whether expired keys are removed in the background.", 1, 1, set_active_expire),
    ("SET-DISABLE-DENY-SCRIPTS", "<0|1>", "Taken, without effect.", 1, 1, accept),
    ("SLEEP", "<seconds>", "Holds everybody up.", 1, 1, sleep),
    ("STRINGMATCH-LEN", "<pattern> <string>", "Whether a glob pattern matches.", 2, 2, stringmatch),
];

fn debug(call: &mut Call<'_>) -> Outcome {
    let allowed = match call.state.config.enable_debug_command {
        "yes" => true,
        "local" => call.client().peer.is_local(),
        _ => false,
    };
    if !allowed {
        return Err(Fault::DEBUG_DISABLED);
    }
    let name = call.args.next_bytes()?;
    let given = call.args.len();
    let found = SUBCOMMANDS
        .iter()
        .find(|(known, _, _, least, most, _)| {
            known.as_bytes().eq_ignore_ascii_case(name) && (*least..=*most).contains(&given)
        })
        .ok_or_else(|| Fault::subcommand_or_arity("DEBUG", name))?;
    (found.5)(call)
}

fn help(call: &mut Call<'_>) -> Outcome {
    call.reply.array(1 + 2 * SUBCOMMANDS.len());
    call.reply
        .simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (name, arguments, what, ..) in SUBCOMMANDS {
        call.reply.simple(format!("{name} {arguments}").trim_end());
        call.reply.simple(&format!("    {what}"));
    }
    Ok(())
}

fn protocol(call: &mut Call<'_>) -> Outcome {
    let kind = call.args.next_bytes()?.to_ascii_lowercase();
    let reply = &mut call.reply;
    match kind.as_slice() {
        b"string" => reply.bulk("Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(3141.0 / 1000.0),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            if reply.attribute(1) {
                reply.bulk("key-popularity");
                reply.array(2);
                reply.bulk("key:123");
                reply.integer(90);
            }
            reply.bulk("Some real reply following the attribute");
        }
        b"push" if !reply.is_resp3() => return Err(Fault::NEEDS_RESP3),
        b"push" => {
            reply.push(2);
            reply.bulk("server-cpu-usage");
            reply.integer(42);
            reply.bulk("Some real reply following the push reply");
        }
        b"verbatim" => reply.verbatim("This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        _ => return Err(Fault::DEBUG_PROTOCOL),
    }
    Ok(())
}

/// How long DEBUG SLEEP holds everybody up at most: a day.
const LONGEST_SLEEP_S: f64 = 86_400.0;

fn sleep(call: &mut Call<'_>) -> Outcome {
    let seconds = parse_f64(call.args.next_bytes()?).unwrap_or_default();
    call.state.stall_us += (seconds.clamp(0.0, LONGEST_SLEEP_S) * 1e6) as u64;
    call.reply.ok();
    Ok(())
}

fn switched_on(call: &mut Call<'_>) -> Result<bool, Fault> {
    Ok(call.args.next_bytes()? == b"1")
}

fn set_active_expire(call: &mut Call<'_>) -> Outcome {
    call.db.keyspace().active_expiry = switched_on(call)?;
    call.reply.ok();
    Ok(())
}

fn pause_cron(call: &mut Call<'_>) -> Outcome {
    call.db.keyspace().active_expiry = !switched_on(call)?;
    call.reply.ok();
    Ok(())
}

fn accept(call: &mut Call<'_>) -> Outcome {
    call.reply.ok();
    Ok(())
}

fn accept_size(call: &mut Call<'_>) -> Outcome {
    const FAULT: Fault =
        Fault::new("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
    crate::parameters::memory(call.args.next_bytes()?)
        .filter(|bytes| *bytes <= 4 << 30)
        .ok_or(FAULT)?;
    call.reply.ok();
    Ok(())
}

fn stringmatch(call: &mut Call<'_>) -> Outcome {
    let (pattern, string) = (call.args.next_bytes()?, call.args.next_bytes()?);
    call.reply.flag(glob::matches(pattern, string));
    Ok(())
}

fn error(call: &mut Call<'_>) -> Outcome {
    Err(Fault::owned(call.args.next_bytes()?))
}

fn log(call: &mut Call<'_>) -> Outcome {
    let message = call.args.next_bytes()?;
    tracing::warn!("DEBUG LOG: {}", message.escape_ascii());
    call.reply.ok();
    Ok(())
}

fn change_repl_id(call: &mut Call<'_>) -> Outcome {
    call.state.replication_id = random_id(call.db.rng());
    call.reply.ok();
    Ok(())
}

fn listpack(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let entry = call.db.entry(key).ok_or(Fault::NO_SUCH_KEY)?;
    if entry.value().encoding() != "listpack" {
        return Err(Fault::NOT_LISTPACK);
    }
    call.reply.simple("Listpack structure printed on stdout");
    Ok(())
}

fn object(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let entry = call.db.entry(key).ok_or(Fault::NO_SUCH_KEY)?;
    let idle_s = if call.state.config.maxmemory_policy.ends_with("lfu") {
        0
    } else {
        entry.access().idle_s(call.now)
    };
    // There is no address to tell, and no serial form yet: the length is that of the plain contents.
    let line = format!(
        "Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle_s}",
        entry.value().encoding(),
        plain_bytes(entry.value()),
        (call.now.unix_s() - i64::from(idle_s)) & 0xff_ffff,
    );
    call.reply.simple(&line);
    Ok(())
}

/// A byte for the length of each element, and the element.
fn plain_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len(),
        Value::List(list) => list.iter().map(|element| 1 + element.len()).sum(),
        Value::Set(set) => set.iter().map(|member| 1 + member.len()).sum(),
        Value::Hash(hash) => hash
            .iter()
            .map(|(field, value)| 2 + field.len() + value.len())
            .sum(),
        Value::SortedSet(sorted) => sorted.iter().map(|(member, _)| 9 + member.len()).sum(),
    }
}

fn populate(call: &mut Call<'_>) -> Outcome {
    let count = call.args.next_i64_in(0.., Fault::OUT_OF_RANGE)?;
    let prefix = call.args.pop().unwrap_or(b"key");
    let size = match call.args.peek() {
        Some(_) => Some(call.args.next_i64_in(0.., Fault::OUT_OF_RANGE)?),
        None => None,
    };
    if size.is_some_and(|size| size as u64 > call.state.config.proto_max_bulk_len) {
        return Err(Fault::STRING_TOO_LONG);
    }
    for number in 0..count {
        let mut key = prefix.to_vec();
        key.extend_from_slice(format!(":{number}").as_bytes());
        if call.db.contains(&key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if let Some(size) = size {
            value.resize(size as usize, 0);
        }
        call.db
            .insert(&key, Value::String(Str::new(&value)), Expiry::Clear);
        call.db.changed(&key, Class::NONE, "");
    }
    call.propagate(&[]);
    call.reply.ok();
    Ok(())
}

/// Twenty bytes, SHA-1's.
type Digest = [u8; 20];

/// Adds to a digest in a way in which order does not matter.
fn add_unordered(digest: &mut Digest, bytes: &[u8]) {
    let hash = Sha1::from(bytes).digest().bytes();
    for (byte, other) in digest.iter_mut().zip(hash) {
        *byte ^= other;
    }
}

/// Adds to a digest in a way in which order matters.
fn add_ordered(digest: &mut Digest, bytes: &[u8]) {
    add_unordered(digest, bytes);
    *digest = Sha1::from(&digest[..]).digest().bytes();
}

/// The number Redis gives a type in its digests.
fn type_number(kind: Kind) -> u32 {
    match kind {
        Kind::String => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::SortedSet => 3,
        Kind::Hash => 4,
    }
}

/// Adds a value and its expiry to a digest, as Redis computes it, so that the digests of both can be compared.
fn add_entry(digest: &mut Digest, entry: Entry<'_>) {
    add_ordered(digest, &type_number(entry.value().kind()).to_be_bytes());
    match entry.value() {
        Value::String(text) => add_ordered(digest, &text.bytes()),
        Value::List(list) => list
            .iter()
            .for_each(|element| add_ordered(digest, &element)),
        Value::Set(set) => set.iter().for_each(|member| add_unordered(digest, &member)),
        Value::Hash(hash) => {
            for (field, value) in hash.iter() {
                let mut pair = Digest::default();
                add_ordered(&mut pair, &field);
                add_ordered(&mut pair, &value);
                add_unordered(digest, &pair);
            }
        }
        Value::SortedSet(sorted) => {
            for (member, score) in sorted.iter() {
                let mut pair = Digest::default();
                add_ordered(&mut pair, &member);
                add_ordered(&mut pair, float::format(score).as_bytes());
                add_unordered(digest, &pair);
            }
        }
    }
    if entry.expires_at().is_some() {
        add_unordered(digest, b"!!expire!!");
    }
}

fn hexadecimal(digest: Digest) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn digest(call: &mut Call<'_>) -> Outcome {
    let mut all = Digest::default();
    for index in 0..call.db.keyspace().databases() {
        let db = call.db.other(index);
        if db.is_empty() {
            continue;
        }
        add_ordered(&mut all, &(index as u32).to_be_bytes());
        for (key, entry) in db.iter() {
            let mut one = Digest::default();
            add_ordered(&mut one, key);
            add_entry(&mut one, entry);
            add_unordered(&mut all, &one);
        }
    }
    call.reply.simple(&hexadecimal(all));
    Ok(())
}

fn digest_value(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.remaining();
    call.reply.array(keys.len());
    for key in keys {
        let mut one = Digest::default();
        if let Some(entry) = call.db.entry(key) {
            add_entry(&mut one, entry);
        }
        call.reply.simple(&hexadecimal(one));
    }
    Ok(())
}
