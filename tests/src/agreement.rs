//! How the replies of two servers to one call must agree, and where they need not.

use server::commands::COMMANDS;

use crate::commands::Call;
use crate::naive::Value;
use crate::notation::notation;
use crate::transcript::parse_version;

/// Commands that are not compared, by their full name, each with the reason; `*` stands for every subcommand.
const LEFT_OUT: &[(&str, &str)] = &[
    ("acl|*", "another user model"),
    (
        "auth",
        "no password is set in either server, and the texts are in the transcripts",
    ),
    ("client|*", "tells of this connection and this process"),
    ("command|count", "the tables have different lengths"),
    ("command|docs", "our own sentences"),
    ("command|help", "our own sentences"),
    ("command|info", "flags and tips of later versions"),
    ("command|list", "the tables have different lengths"),
    ("command", "the tables have different lengths"),
    ("config|*", "changes both servers for good"),
    ("debug", "its own permission is asked first"),
    ("debug|*", "may stop the server"),
    ("hello", "tells of this connection and this process"),
    ("info", "tells of this process"),
    ("object|help", "our own sentences"),
    (
        "object|refcount",
        "Redis shares small integers, but not those that COPY and the like made",
    ),
    ("pubsub|help", "our own sentences"),
    (
        "pfselftest",
        "Redis' own fails with a small hll-sparse-max-bytes",
    ),
    ("lastsave", "a time of this process"),
    ("latency|*", "tells of this process"),
    ("lolwut", "a picture of our own"),
    ("memory|*", "tells of this process"),
    ("monitor", "never ends"),
    ("quit", "closes the connection, which the transcripts show"),
    ("shutdown", "ends the server"),
    ("slowlog|*", "depends on the machine's speed"),
    ("time", "the clock"),
];

/// Why a call is not compared, if it isn't.
pub fn left_out(call: &Call) -> Option<&'static str> {
    let words: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
    let name = name(call);
    let is_named = |entry: &str| match entry.strip_suffix('*') {
        Some(container) => name.starts_with(container),
        None => name == entry,
    };
    if let Some((_, reason)) = LEFT_OUT.iter().find(|(entry, _)| is_named(entry)) {
        return Some(reason);
    }
    let has = |word: &str| {
        words
            .iter()
            .any(|other| other.eq_ignore_ascii_case(word.as_bytes()))
    };
    let about = if name.starts_with("command|getkeys") {
        2
    } else {
        0
    };
    if let Some(reason) = later(call.get(about..).unwrap_or_default()) {
        return Some(reason);
    }
    let reason = match name.as_str() {
        "wait" if words.get(1) != Some(&b"0".as_slice()) => "waits for replicas that never come",
        "del" | "flushall" if has("delete") || has("flush") => "names of our own",
        "georadius" | "georadiusbymember" | "geosearchstore"
            if has("count") && (name == "geosearchstore" || has("store") || has("storedist")) =>
        {
            "which members COUNT leaves out is not always defined, and they are stored"
        }
        "lpos" if has("-9223372036854775808") => "Redis 7.0 negates it, which has no result",
        "sort" if has("by") && has("alpha") && has("store") => {
            "elements whose weights are alike stay in the order of their set, and are stored"
        }
        "sort" | "sort_ro" if has("limit") && is_unsorted(call) => {
            "the order of a set is not defined, and LIMIT takes a part of it"
        }
        _ => return None,
    };
    Some(reason)
}

/// What the reference, Redis 7.0, does not have.
fn later(call: &[Vec<u8>]) -> Option<&'static str> {
    let words: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
    let found = COMMANDS.resolve(&words).ok()?;
    if parse_version(found.command.since).is_some_and(|version| version > (7, 0)) {
        return Some("the command came after Redis 7.0");
    }
    let is_rank = matches!(found.name.as_str(), "zrank" | "zrevrank");
    (is_rank && words.len() > 3).then_some("WITHSCORE came after Redis 7.0")
}

/// The full name of the command that is called, in lower case; as written where there is none.
pub fn name(call: &Call) -> String {
    let words: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
    match COMMANDS.resolve(&words) {
        Ok(found) => found.name.clone(),
        Err(_) => {
            String::from_utf8_lossy(words.first().copied().unwrap_or_default()).to_ascii_lowercase()
        }
    }
}

/// Whether the reply is made of what chance chose among a population; compared by [`sampled`].
pub fn is_sample(name: &str) -> bool {
    matches!(
        name,
        "spop" | "srandmember" | "hrandfield" | "zrandmember" | "randomkey"
    )
}

/// Whether Redis may leave a change uncounted: a BITFIELD whose every write overflows and fails makes the string longer.
pub fn may_change_uncounted(call: &Call) -> bool {
    name(call) == "bitfield" && call.iter().any(|word| word.eq_ignore_ascii_case(b"fail"))
}

/// Whether the call walks a collection with a cursor: the walks are compared, not their steps.
pub fn is_scan(name: &str) -> bool {
    matches!(name, "scan" | "sscan" | "hscan" | "zscan")
}

/// What SORT answers where an element is no number.
const NO_DOUBLES: &[u8] = b"ERR One or more scores can't be converted into double";

/// Whether both replies to `call` are right, when one of them is.
pub fn agree(call: &Call, ours: &Value, real: &Value) -> bool {
    let name = name(call);
    match (ours, real) {
        // Redis looks at an error of strtod() that may have been an earlier call's, as of a score of 5e-324.
        (Value::Array(_), Value::SimpleError(text))
            if matches!(name.as_str(), "sort" | "sort_ro") && text == NO_DOUBLES =>
        {
            return true;
        }
        (Value::SimpleError(_), _) | (_, Value::SimpleError(_)) => return ours == real,
        _ => {}
    }
    match name.as_str() {
        // Where a count has more to it than digits, the keys come in another order and without flags.
        "command|getkeysandflags" => match (ours, real) {
            (Value::Array(ours), Value::Array(real)) => keys_of(ours) == keys_of(real),
            _ => ours == real,
        },
        "command|getkeys"
        | "keys"
        | "smembers"
        | "sinter"
        | "sunion"
        | "sdiff"
        | "hkeys"
        | "hvals"
        | "pubsub|channels"
        | "pubsub|shardchannels" => in_order(ours, 1) == in_order(real, 1),
        "geosearch"
        | "georadius"
        | "georadius_ro"
        | "georadiusbymember"
        | "georadiusbymember_ro" => {
            // Which of several at the same distance COUNT leaves out is not defined, nor what ANY finds first.
            if call.iter().any(|word| word.eq_ignore_ascii_case(b"count")) {
                same_shape(ours, real)
            } else {
                in_order(ours, 1) == in_order(real, 1)
            }
        }
        "sort" | "sort_ro" if is_unsorted(call) => in_order(ours, 1) == in_order(real, 1),
        "hgetall" => in_order(ours, 2) == in_order(real, 2),
        "ttl" | "expiretime" => is_near(ours, real, 1),
        "pttl" | "pexpiretime" => is_near(ours, real, 1_500),
        // Redis shares small integers among keys, and their access clock with them.
        "object|idletime" => same_type(ours, real),
        // Inside a transaction, where their steps can't be told apart from other replies.
        _ if is_scan(&name) || is_sample(&name) => same_type(ours, real),
        _ => ours == real,
    }
}

/// Whether two samples of a `population` are alike: as many elements in the same form, each of them in the population,
/// and none twice unless the call allows it.
pub fn sampled(call: &Call, ours: &Value, real: &Value, population: &[String]) -> bool {
    if matches!(ours, Value::SimpleError(_)) || matches!(real, Value::SimpleError(_)) {
        return ours == real;
    }
    let count = call
        .get(2)
        .and_then(|word| std::str::from_utf8(word).ok()?.parse::<i64>().ok());
    let pairs = call.len() > 3;
    let is_right = |reply: &Value| {
        let mut leaves = Vec::new();
        collect_leaves(reply, &mut leaves);
        let known = leaves
            .iter()
            .all(|leaf| leaf.is_empty() || population.contains(leaf));
        let mut names: Vec<_> = leaves.iter().step_by(1 + usize::from(pairs)).collect();
        let len = names.len();
        names.sort();
        names.dedup();
        known && (names.len() == len || count.is_some_and(|count| count < 0))
    };
    same_shape(ours, real) && is_right(ours) && is_right(real)
}

/// The texts and numbers of a reply, in order; empty for a double.
pub fn collect_leaves(value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            for element in elements {
                collect_leaves(element, leaves);
            }
        }
        Value::Map(pairs) => {
            for (key, value) in pairs {
                collect_leaves(key, leaves);
                collect_leaves(value, leaves);
            }
        }
        Value::NullBulkString | Value::Null | Value::NullArray => {}
        // A score: which one is a matter of the member before it.
        Value::Double(_) => leaves.push(String::new()),
        other => leaves.push(notation(other)),
    }
}

/// SORT that keeps the order of the collection, which for a set is none.
fn is_unsorted(call: &Call) -> bool {
    let by = call
        .iter()
        .position(|word| word.eq_ignore_ascii_case(b"by"));
    let pattern = by.and_then(|at| call.get(at + 1));
    let alpha = call.iter().any(|word| word.eq_ignore_ascii_case(b"alpha"));
    // By pattern and alphabetically, ties stay in the order of the collection.
    pattern.is_some_and(|pattern| !pattern.contains(&b'*') || alpha)
}

/// The first of each pair, in the order of their notation.
fn keys_of(pairs: &[Value]) -> Vec<String> {
    let firsts = pairs.iter().filter_map(|pair| match pair {
        Value::Array(pair) => pair.first().map(notation),
        _ => None,
    });
    let mut keys: Vec<_> = firsts.collect();
    keys.sort();
    keys
}

/// The elements, `group` at a time, in the order of their notation.
fn in_order(value: &Value, group: usize) -> (u8, Vec<String>) {
    let (kind, mut parts) = match value {
        Value::Array(elements) => (0, groups(elements, group)),
        Value::Set(elements) => (1, groups(elements, group)),
        Value::Map(pairs) => {
            let pair =
                |(key, value): &(Value, Value)| format!("{} {}", notation(key), notation(value));
            (2, pairs.iter().map(pair).collect())
        }
        other => (3, vec![notation(other)]),
    };
    parts.sort();
    (kind, parts)
}

fn groups(elements: &[Value], group: usize) -> Vec<String> {
    let text = |part: &[Value]| part.iter().map(notation).collect::<Vec<_>>().join(" ");
    elements.chunks(group).map(text).collect()
}

fn is_near(ours: &Value, real: &Value, distance: u64) -> bool {
    match (ours, real) {
        (Value::Integer(a), Value::Integer(b)) if *a >= 0 && *b >= 0 => a.abs_diff(*b) <= distance,
        _ => ours == real,
    }
}

fn same_type(ours: &Value, real: &Value) -> bool {
    std::mem::discriminant(ours) == std::mem::discriminant(real)
}

/// The same types and numbers of elements, all the way down.
fn same_shape(ours: &Value, real: &Value) -> bool {
    let all = |a: &[Value], b: &[Value]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b))
    };
    same_type(ours, real)
        && match (ours, real) {
            (Value::Array(a), Value::Array(b)) | (Value::Set(a), Value::Set(b)) => all(a, b),
            (Value::Map(a), Value::Map(b)) => a.len() == b.len(),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> Call {
        line.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }

    fn reply(bytes: &[u8]) -> Value {
        crate::naive::decode(bytes)
            .expect("legal")
            .expect("complete")
            .0
    }

    #[test]
    fn order_counts_where_it_is_defined() {
        let (one, other) = (reply(b"*2\r\n:1\r\n:2\r\n"), reply(b"*2\r\n:2\r\n:1\r\n"));
        assert!(agree(&call("SMEMBERS e0"), &one, &other));
        assert!(!agree(&call("LRANGE l0 0 -1"), &one, &other));
        assert!(!agree(&call("SMEMBERS e0"), &one, &reply(b"*1\r\n:1\r\n")));
        assert!(!agree(
            &call("SMEMBERS e0"),
            &one,
            &reply(b"~2\r\n:1\r\n:2\r\n")
        ));
    }

    #[test]
    fn times_may_differ_a_little_and_errors_not_at_all() {
        assert!(agree(
            &call("TTL k"),
            &reply(b":100\r\n"),
            &reply(b":99\r\n")
        ));
        assert!(!agree(
            &call("TTL k"),
            &reply(b":0\r\n"),
            &reply(b":-1\r\n")
        ));
        assert!(!agree(
            &call("TTL k"),
            &reply(b"-ERR a\r\n"),
            &reply(b"-ERR b\r\n")
        ));
        let refused = [b"-", NO_DOUBLES, b"\r\n"].concat();
        let (refused, empty) = (reply(&refused), reply(b"*0\r\n"));
        assert!(agree(&call("SORT k"), &empty, &refused));
        assert!(!agree(&call("SORT k"), &refused, &empty));
        assert!(!agree(&call("LRANGE k 0 -1"), &empty, &refused));
    }

    #[test]
    fn a_sample_is_of_its_population_and_holds_nothing_twice() {
        let population = ["\"a\"".to_owned(), "\"b\"".to_owned()];
        let [a, twice, strange] = [
            b"*1\r\n$1\r\na\r\n".as_slice(),
            b"*2\r\n$1\r\na\r\n$1\r\na\r\n",
            b"*1\r\n$1\r\nc\r\n",
        ]
        .map(reply);
        assert!(sampled(&call("SPOP e0 1"), &a, &a, &population));
        assert!(!sampled(&call("SPOP e0 2"), &twice, &twice, &population));
        assert!(sampled(
            &call("SRANDMEMBER e0 -2"),
            &twice,
            &twice,
            &population
        ));
        assert!(!sampled(&call("SPOP e0 1"), &strange, &a, &population));
    }

    #[test]
    fn what_is_left_out_has_a_reason() {
        assert!(left_out(&call("CLIENT ID")).is_some());
        assert!(left_out(&call("ZRANK z0 a WITHSCORE")).is_some());
        assert!(left_out(&call("COMMAND GETKEYS ZRANK z0 a WITHSCORE")).is_some());
        assert!(left_out(&call("ZRANK z0 a")).is_none());
        assert!(left_out(&call("COMMAND GETKEYS GET k")).is_none());
    }
}
