//! A naive encoder: the one way in which a value is written in either version of the protocol, as the codec's table of
//! RESP2 forms has it. It shares no code with the codec.

use resp::Protocol;

use crate::naive::Value;

/// The bytes of `value`.
pub fn encode(value: &Value, protocol: Protocol) -> Vec<u8> {
    match protocol {
        Protocol::Resp2 => resp2(value),
        Protocol::Resp3 => resp3(value),
    }
}

fn resp3(value: &Value) -> Vec<u8> {
    match value {
        Value::SimpleString(text) => line("+", &without_breaks(text)),
        Value::SimpleError(text) => line("-", &without_breaks(text)),
        Value::Integer(integer) => line(":", integer.to_string().as_bytes()),
        Value::BulkString(text) => blob("$", text),
        Value::NullBulkString => b"$-1\r\n".to_vec(),
        Value::Array(items) => aggregate("*", items.len(), items.iter().map(resp3)),
        Value::NullArray => b"*-1\r\n".to_vec(),
        Value::Null => b"_\r\n".to_vec(),
        Value::Boolean(true) => b"#t\r\n".to_vec(),
        Value::Boolean(false) => b"#f\r\n".to_vec(),
        Value::Double(double) => line(",", double_text(*double).as_bytes()),
        Value::BigNumber(digits) => line("(", digits),
        Value::BulkError(text) => blob("!", text),
        Value::VerbatimString(format, text) => blob("=", &[&format[..], b":", text].concat()),
        Value::Map(pairs) => {
            aggregate("%", pairs.len(), pairs.iter().map(|pair| both(pair, resp3)))
        }
        Value::Set(items) => aggregate("~", items.len(), items.iter().map(resp3)),
        Value::Push(items) => aggregate(">", items.len(), items.iter().map(resp3)),
        Value::Attributed(attributes, described) => {
            let mut bytes: Vec<u8> = attributes
                .iter()
                .flat_map(|pairs| {
                    aggregate("|", pairs.len(), pairs.iter().map(|pair| both(pair, resp3)))
                })
                .collect();
            bytes.extend(resp3(described));
            bytes
        }
    }
}

fn resp2(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => b"$-1\r\n".to_vec(),
        Value::Boolean(boolean) => line(":", if *boolean { b"1" } else { b"0" }),
        Value::Double(double) => blob("$", double_text(*double).as_bytes()),
        Value::BigNumber(text) | Value::VerbatimString(_, text) => blob("$", text),
        Value::BulkError(text) => line("-", &without_breaks(text)),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            aggregate("*", items.len(), items.iter().map(resp2))
        }
        Value::Map(pairs) => aggregate(
            "*",
            2 * pairs.len(),
            pairs.iter().map(|pair| both(pair, resp2)),
        ),
        Value::Attributed(_, described) => resp2(described),
        Value::SimpleString(_)
        | Value::SimpleError(_)
        | Value::Integer(_)
        | Value::BulkString(_)
        | Value::NullBulkString
        | Value::NullArray => resp3(value),
    }
}

/// The shortest text that reads back as `double`: plain near 1, with an exponent far from it.
pub fn double_text(double: f64) -> String {
    if double.is_nan() {
        return "nan".to_owned();
    }
    let plain = double == 0.0 || (1e-5..1e17).contains(&double.abs()) || double.is_infinite();
    if plain {
        double.to_string()
    } else {
        format!("{double:e}")
    }
}

fn both((key, value): &(Value, Value), encode: fn(&Value) -> Vec<u8>) -> Vec<u8> {
    [encode(key), encode(value)].concat()
}

fn line(kind: &str, text: &[u8]) -> Vec<u8> {
    [kind.as_bytes(), text, b"\r\n"].concat()
}

fn blob(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = line(kind, payload.len().to_string().as_bytes());
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn aggregate(kind: &str, count: usize, items: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = line(kind, count.to_string().as_bytes());
    items.for_each(|item| bytes.extend(item));
    bytes
}

/// Each CR or LF a space.
fn without_breaks(text: &[u8]) -> Vec<u8> {
    let space = |byte: &u8| {
        if b"\r\n".contains(byte) { b' ' } else { *byte }
    };
    text.iter().map(space).collect()
}
