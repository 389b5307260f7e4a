//! Other codecs beside this one: what all of them read has to be the same.
//!
//! Each contestant has a list of what is left out of the comparison, one line and one reason each. A legal frame has to be
//! read as the value it was written from; of a frame with one small fault, a contestant may think what it likes, but when
//! both accept it they have to find the same value.

// Each reason stands with what it leaves out.
#![allow(clippy::match_same_arms)]

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use resp::{Limits, Protocol};

use crate::naive::Value;
use crate::{generate, model, naive_encoder};

/// Another codec.
struct Contestant {
    name: &'static str,
    protocol: Protocol,
    /// What it finds at the start of the bytes, if it accepts them.
    read: fn(&[u8]) -> Option<Value>,
    /// What it can make of one element of a value, or nothing where it is known to differ.
    expected: fn(&Value) -> Option<Value>,
}

const CONTESTANTS: &[Contestant] = &[
    Contestant {
        name: "redis-protocol, RESP2",
        protocol: Protocol::Resp2,
        read: redis_protocol2,
        expected: |value| match value {
            // Its one null stands for both.
            Value::NullBulkString | Value::NullArray => Some(Value::Null),
            // Its errors are UTF-8.
            Value::SimpleError(text) => std::str::from_utf8(text).ok().map(|_| value.clone()),
            _ => Some(value.clone()),
        },
    },
    Contestant {
        name: "resp-rs, RESP2",
        protocol: Protocol::Resp2,
        read: resp_rs2,
        expected: |value| Some(value.clone()),
    },
    Contestant {
        name: "redis-protocol, RESP3",
        protocol: Protocol::Resp3,
        read: redis_protocol3,
        expected: |value| match value {
            // It reads `$-1` and `*-1` as the start of a stream.
            Value::NullBulkString | Value::NullArray => None,
            // Its errors are UTF-8.
            Value::SimpleError(text) => std::str::from_utf8(text).ok().map(|_| value.clone()),
            // Its maps and sets keep neither order nor duplicates.
            Value::Map(pairs) if pairs.len() > 1 => None,
            Value::Set(items) if items.len() > 1 => None,
            // It hashes keys and members, and refuses those that it can't.
            Value::Map(pairs) if !pairs.iter().all(|(key, _)| is_hashable(key)) => None,
            Value::Set(items) if !items.iter().all(is_hashable) => None,
            // It keeps attributes only beside some types, and those in no order.
            Value::Attributed(..) => None,
            // It knows two formats.
            Value::VerbatimString(format, _) if !matches!(format, b"txt" | b"mkd") => None,
            _ => Some(value.clone()),
        },
    },
    Contestant {
        name: "resp-rs, RESP3",
        protocol: Protocol::Resp3,
        read: resp_rs3,
        expected: |value| match value {
            // An attribute is a frame of its own there, without what it describes.
            Value::Attributed(..) => None,
            // It refuses a verbatim string whose first colon is not its fourth byte.
            Value::VerbatimString(format, _) if format.contains(&b':') => None,
            _ => Some(value.clone()),
        },
    },
    Contestant {
        name: "redis",
        protocol: Protocol::Resp3,
        read: redis_crate,
        expected: |value| match value {
            // Its one null stands for all three.
            Value::NullBulkString | Value::NullArray => Some(Value::Null),
            // Its lines are UTF-8.
            Value::SimpleString(text) => std::str::from_utf8(text).ok().map(|_| value.clone()),
            // It takes errors apart, and loses what doesn't look like a code and a message.
            Value::SimpleError(_) | Value::BulkError(_) => None,
            // It looks for the colon anywhere, and replaces what isn't UTF-8.
            Value::VerbatimString(format, text) => {
                let legible = std::str::from_utf8(format).is_ok_and(|format| !format.contains(':'))
                    && std::str::from_utf8(text).is_ok();
                legible.then(|| value.clone())
            }
            // It refuses a push that a string doesn't start, and maps that string to a kind.
            Value::Push(_) => None,
            _ => Some(value.clone()),
        },
    },
];

fn is_hashable(value: &Value) -> bool {
    !matches!(
        value,
        Value::Array(_) | Value::Set(_) | Value::Map(_) | Value::Push(_)
    )
}

/// Every contestant reads what this codec reads.
pub fn differential(u: &mut Unstructured<'_>) -> Result<()> {
    let value = generate::value(u)?;
    for contestant in CONTESTANTS {
        let mut bytes = naive_encoder::encode(&value, contestant.protocol);
        let (value, _) = own(&bytes).expect("a legal frame");
        if let Some(expected) = expected(contestant, &value) {
            let found = (contestant.read)(&bytes);
            assert_eq!(
                found,
                Some(expected),
                "{}: {}",
                contestant.name,
                bytes.escape_ascii()
            );
        }
        generate::spoil(&mut bytes, u)?;
        if let Some((value, length)) = own(&bytes)
            && let Some(expected) = expected(contestant, &value)
            && let Some(found) = (contestant.read)(&bytes[..length])
        {
            assert_eq!(
                found,
                expected,
                "{}: {}",
                contestant.name,
                bytes.escape_ascii()
            );
        }
    }
    Ok(())
}

/// What this codec reads, which `decode` compares with the naive decoder.
fn own(bytes: &[u8]) -> Option<(Value, usize)> {
    let mut decoder = resp::Decoder::new(Limits::client());
    let frame = decoder.decode_one(bytes).ok()??;
    Some((model::value(frame), frame.wire().len()))
}

/// The value as the contestant has it, if all of it is compared.
fn expected(contestant: &Contestant, value: &Value) -> Option<Value> {
    let below = |items: &[Value]| -> Option<Vec<Value>> {
        items
            .iter()
            .map(|item| expected(contestant, item))
            .collect()
    };
    let pairs = |pairs: &[(Value, Value)]| -> Option<Vec<(Value, Value)>> {
        pairs
            .iter()
            .map(|(key, value)| Some((expected(contestant, key)?, expected(contestant, value)?)))
            .collect()
    };
    Some(match (contestant.expected)(value)? {
        Value::Array(items) => Value::Array(below(&items)?),
        Value::Set(items) => Value::Set(below(&items)?),
        Value::Push(items) => Value::Push(below(&items)?),
        Value::Map(entries) => Value::Map(pairs(&entries)?),
        Value::Attributed(attributes, described) => Value::Attributed(
            attributes
                .iter()
                .map(|entries| pairs(entries))
                .collect::<Option<_>>()?,
            Box::new(expected(contestant, &described)?),
        ),
        scalar => scalar,
    })
}

fn redis_protocol2(bytes: &[u8]) -> Option<Value> {
    use redis_protocol::resp2::{decode::decode, types::OwnedFrame};
    fn value(frame: OwnedFrame) -> Value {
        match frame {
            OwnedFrame::SimpleString(text) => Value::SimpleString(text),
            OwnedFrame::Error(text) => Value::SimpleError(text.into_bytes()),
            OwnedFrame::Integer(integer) => Value::Integer(integer),
            OwnedFrame::BulkString(text) => Value::BulkString(text),
            OwnedFrame::Array(items) => Value::Array(items.into_iter().map(value).collect()),
            OwnedFrame::Null => Value::Null,
        }
    }
    decode(bytes).ok()?.map(|(frame, _)| value(frame))
}

fn redis_protocol3(bytes: &[u8]) -> Option<Value> {
    use redis_protocol::resp3::{
        decode::complete::decode,
        types::{OwnedFrame, VerbatimStringFormat},
    };
    fn value(frame: OwnedFrame) -> Option<Value> {
        let values = |items: Vec<OwnedFrame>| items.into_iter().map(value).collect::<Option<_>>();
        Some(match frame {
            OwnedFrame::SimpleString { data, .. } => Value::SimpleString(data),
            OwnedFrame::SimpleError { data, .. } => Value::SimpleError(data.into_bytes()),
            OwnedFrame::Number { data, .. } => Value::Integer(data),
            OwnedFrame::BlobString { data, .. } => Value::BulkString(data),
            OwnedFrame::BlobError { data, .. } => Value::BulkError(data),
            OwnedFrame::Boolean { data, .. } => Value::Boolean(data),
            OwnedFrame::Null => Value::Null,
            OwnedFrame::Double { data, .. } => Value::Double(data),
            OwnedFrame::BigNumber { data, .. } => Value::BigNumber(data),
            OwnedFrame::VerbatimString { data, format, .. } => Value::VerbatimString(
                match format {
                    VerbatimStringFormat::Text => *b"txt",
                    VerbatimStringFormat::Markdown => *b"mkd",
                },
                data,
            ),
            OwnedFrame::Array { data, .. } => Value::Array(values(data)?),
            OwnedFrame::Push { data, .. } => Value::Push(values(data)?),
            OwnedFrame::Set { data, .. } => Value::Set(values(data.into_iter().collect())?),
            OwnedFrame::Map { data, .. } => Value::Map(
                data.into_iter()
                    .map(|(key, mapped)| Some((value(key)?, value(mapped)?)))
                    .collect::<Option<_>>()?,
            ),
            _ => return None,
        })
    }
    decode(bytes).ok()?.and_then(|(frame, _)| value(frame))
}

fn resp_rs2(bytes: &[u8]) -> Option<Value> {
    use resp_rs::resp2::{Frame, parse_frame};
    fn value(frame: Frame) -> Value {
        match frame {
            Frame::SimpleString(text) => Value::SimpleString(text.into()),
            Frame::Error(text) => Value::SimpleError(text.into()),
            Frame::Integer(integer) => Value::Integer(integer),
            Frame::BulkString(Some(text)) => Value::BulkString(text.into()),
            Frame::BulkString(None) => Value::NullBulkString,
            Frame::Array(Some(items)) => Value::Array(items.into_iter().map(value).collect()),
            Frame::Array(None) => Value::NullArray,
        }
    }
    let (frame, _) = parse_frame(Bytes::copy_from_slice(bytes)).ok()?;
    Some(value(frame))
}

fn resp_rs3(bytes: &[u8]) -> Option<Value> {
    use resp_rs::resp3::{Frame, parse_frame};
    fn value(frame: Frame) -> Option<Value> {
        let values = |items: Vec<Frame>| items.into_iter().map(value).collect::<Option<_>>();
        Some(match frame {
            Frame::SimpleString(text) => Value::SimpleString(text.into()),
            Frame::Error(text) => Value::SimpleError(text.into()),
            Frame::Integer(integer) => Value::Integer(integer),
            Frame::BulkString(Some(text)) => Value::BulkString(text.into()),
            Frame::BulkString(None) => Value::NullBulkString,
            Frame::BlobError(text) => Value::BulkError(text.into()),
            Frame::Null => Value::Null,
            Frame::Double(double) => Value::Double(double),
            Frame::SpecialFloat(text) => {
                Value::Double(std::str::from_utf8(&text).ok()?.parse().ok()?)
            }
            Frame::Boolean(boolean) => Value::Boolean(boolean),
            Frame::BigNumber(digits) => Value::BigNumber(digits.into()),
            Frame::VerbatimString { payload } => match &payload[..] {
                [a, b, c, b':', text @ ..] => Value::VerbatimString([*a, *b, *c], text.to_vec()),
                _ => return None,
            },
            Frame::Array(Some(items)) => Value::Array(values(items)?),
            Frame::Array(None) => Value::NullArray,
            Frame::Set(items) => Value::Set(values(items)?),
            Frame::Push(items) => Value::Push(values(items)?),
            Frame::Map(pairs) => Value::Map(
                pairs
                    .into_iter()
                    .map(|(key, mapped)| Some((value(key)?, value(mapped)?)))
                    .collect::<Option<_>>()?,
            ),
            _ => return None,
        })
    }
    let (frame, _) = parse_frame(Bytes::copy_from_slice(bytes)).ok()?;
    value(frame)
}

fn redis_crate(bytes: &[u8]) -> Option<Value> {
    fn value(found: redis::Value) -> Option<Value> {
        let values = |items: Vec<redis::Value>| items.into_iter().map(value).collect::<Option<_>>();
        let pairs = |pairs: Vec<(redis::Value, redis::Value)>| {
            pairs
                .into_iter()
                .map(|(key, mapped)| Some((value(key)?, value(mapped)?)))
                .collect::<Option<Vec<_>>>()
        };
        Some(match found {
            redis::Value::Nil => Value::Null,
            redis::Value::Int(integer) => Value::Integer(integer),
            redis::Value::BulkString(text) => Value::BulkString(text),
            redis::Value::Array(items) => Value::Array(values(items)?),
            redis::Value::SimpleString(text) => Value::SimpleString(text.into_bytes()),
            redis::Value::Okay => Value::SimpleString(b"OK".to_vec()),
            redis::Value::Map(entries) => Value::Map(pairs(entries)?),
            redis::Value::Attribute { data, attributes } => {
                let first = pairs(attributes)?;
                match value(*data)? {
                    Value::Attributed(more, described) => {
                        Value::Attributed([vec![first], more].concat(), described)
                    }
                    described => Value::Attributed(vec![first], Box::new(described)),
                }
            }
            redis::Value::Set(items) => Value::Set(values(items)?),
            redis::Value::Double(double) => Value::Double(double),
            redis::Value::Boolean(boolean) => Value::Boolean(boolean),
            redis::Value::VerbatimString { format, text } => {
                let format = match format {
                    redis::VerbatimFormat::Unknown(format) => format,
                    redis::VerbatimFormat::Markdown => "mkd".to_owned(),
                    redis::VerbatimFormat::Text => "txt".to_owned(),
                    _ => return None,
                };
                Value::VerbatimString(format.into_bytes().try_into().ok()?, text.into_bytes())
            }
            redis::Value::BigNumber(digits) => Value::BigNumber(digits),
            _ => return None,
        })
    }
    redis::parse_redis_value(bytes).ok().and_then(value)
}
