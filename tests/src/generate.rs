//! Generators of everything that stands on the wire: values, the ways to write them, requests, limits, cuts, and bytes that
//! are almost right.
//!
//! They read an [`Unstructured`]: what it runs out of is zero, and zero is always the simplest choice. Choices that stand at
//! the front of an input are taken from ASCII digits, `0` the simplest, so that seeds can be read and written as text.

// The one error is that the input makes no case.
#![allow(clippy::missing_errors_doc)]

use arbitrary::{Arbitrary, Result, Unstructured};
use resp::Limits;

use crate::naive::Value;

/// Aggregates in one another that [`value`] makes at most.
const DEPTH: usize = 4;

/// A choice below `count`, read from a digit.
pub fn choice(u: &mut Unstructured<'_>, count: u8) -> Result<u8> {
    Ok(match u8::arbitrary(u)? {
        0 => 0,
        byte => byte.wrapping_sub(b'0') % count,
    })
}

/// Limits as presets have them, and small ones that ordinary input exceeds.
pub fn limits(u: &mut Unstructured<'_>) -> Result<Limits> {
    Ok(match choice(u, 10)? {
        0 => Limits::client(),
        1 => Limits::server(),
        2 => Limits::unauthenticated(),
        3 => Limits {
            strict: true,
            ..Limits::client()
        },
        4 => small(),
        5 => Limits {
            unauthenticated: true,
            elements: 2,
            ..small()
        },
        6 => Limits {
            depth: 0,
            line_bytes: 0,
            bulk_bytes: 3,
            elements: 1,
            frame_elements: 1,
            ..Limits::client()
        },
        7 => Limits {
            frame_bytes: 2 + usize::from(u8::arbitrary(u)?) % 64,
            ..Limits::client()
        },
        8 => Limits {
            frame_elements: 1 + usize::from(u8::arbitrary(u)?) % 16,
            ..Limits::client()
        },
        _ => {
            let mut byte = || u8::arbitrary(u).map(usize::from);
            Limits {
                depth: byte()? % 8,
                line_bytes: byte()?,
                bulk_bytes: byte()?,
                elements: byte()? % 32,
                frame_elements: byte()? % 64,
                frame_bytes: 2 + 2 * byte()?,
                strict: byte()? % 2 == 1,
                unauthenticated: byte()? % 2 == 1,
            }
        }
    })
}

fn small() -> Limits {
    Limits {
        depth: 2,
        line_bytes: 24,
        bulk_bytes: 16,
        elements: 6,
        frame_elements: 12,
        frame_bytes: 100,
        strict: false,
        unauthenticated: false,
    }
}

/// Sizes of pieces, none of them 0, to be repeated until a byte string is used up.
pub fn cut(u: &mut Unstructured<'_>) -> Result<Vec<usize>> {
    Ok(match choice(u, 10)? {
        0 => vec![usize::MAX],
        size @ 1..=3 => vec![usize::from(size)],
        4 => vec![7, 1],
        // Two pieces, the second of them all that is left.
        5 => vec![1 + usize::from(u8::arbitrary(u)?), usize::MAX],
        _ => {
            let count = 1 + usize::from(choice(u, 6)?);
            let mut sizes = Vec::new();
            for _ in 0..count {
                sizes.push(1 + usize::from(choice(u, 40)?));
            }
            sizes
        }
    })
}

/// The pieces of `bytes`, in the sizes that [`cut`] gave.
pub fn pieces<'b>(bytes: &'b [u8], sizes: &'b [usize]) -> impl Iterator<Item = &'b [u8]> {
    let mut rest = bytes;
    sizes.iter().cycle().map_while(move |size| {
        let (piece, after) = rest.split_at(rest.len().min(*size));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Bytes that a peer could send in place of frames: the input itself, frames, or frames with a few bytes wrong.
pub fn frame_bytes(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    stream(u, |u| loose(&value(u)?, u))
}

/// Bytes that a peer could send in place of requests, as [`frame_bytes`].
pub fn request_bytes(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    stream(u, |u| Ok(request(u)?.1))
}

fn stream(
    u: &mut Unstructured<'_>,
    one: impl Fn(&mut Unstructured<'_>) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let mode = choice(u, 4)?;
    if mode < 2 {
        return Ok(u.bytes(u.len())?.to_vec());
    }
    let mut bytes = Vec::new();
    for _ in 0..=u.int_in_range(0..=4)? {
        bytes.extend(one(u)?);
    }
    if mode == 3 {
        for _ in 0..=u.int_in_range(0..=2)? {
            spoil(&mut bytes, u)?;
        }
    }
    Ok(bytes)
}

/// Makes one small change.
pub fn spoil(bytes: &mut Vec<u8>, u: &mut Unstructured<'_>) -> Result<()> {
    const SUSPECTS: &[u8] = b"\r\n$*:+-,#_(!=%~>|;.?0123456789 txtinfea\0\xff";
    let at = u.int_in_range(0..=bytes.len())?;
    match u.int_in_range(0..=4)? {
        0 => bytes.truncate(at),
        1 if at < bytes.len() => {
            bytes.remove(at);
        }
        2 => bytes.insert(at, *u.choose(SUSPECTS)?),
        3 if at < bytes.len() => bytes[at] = *u.choose(SUSPECTS)?,
        4 if at + 1 < bytes.len() => bytes.swap(at, at + 1),
        _ => {}
    }
    Ok(())
}

/// Any value: every type, attributes, pushes where they can stand. Its lines hold neither CR nor LF.
pub fn value(u: &mut Unstructured<'_>) -> Result<Value> {
    value_at(u, 0, true)
}

fn value_at(u: &mut Unstructured<'_>, depth: usize, outermost: bool) -> Result<Value> {
    let scalars = 13;
    let kinds = if depth == DEPTH { scalars } else { scalars + 5 };
    Ok(match u.int_in_range(0..=kinds - 1)? {
        0 => Value::Null,
        1 => Value::NullBulkString,
        2 => Value::NullArray,
        3 => Value::SimpleString(text(u)?),
        4 => Value::SimpleError(text(u)?),
        5 => Value::Integer(integer(u)?),
        6 | 7 => Value::BulkString(payload(u)?),
        8 => Value::Boolean(bool::arbitrary(u)?),
        9 => Value::Double(double(u)?),
        10 => Value::BigNumber(big_number(u)?),
        11 => Value::BulkError(payload(u)?),
        12 => Value::VerbatimString(<[u8; 3]>::arbitrary(u)?, payload(u)?),
        13 => Value::Array(items(u, depth)?),
        14 => Value::Set(items(u, depth)?),
        15 => Value::Map(pairs(u, depth)?),
        16 if outermost => Value::Push(items(u, depth)?),
        _ => {
            let mut attributes = vec![pairs(u, depth)?];
            if bool::arbitrary(u)? {
                attributes.push(pairs(u, depth)?);
            }
            match value_at(u, depth + 1, outermost)? {
                Value::Attributed(more, described) => {
                    attributes.extend(more);
                    Value::Attributed(attributes, described)
                }
                described => Value::Attributed(attributes, Box::new(described)),
            }
        }
    })
}

fn items(u: &mut Unstructured<'_>, depth: usize) -> Result<Vec<Value>> {
    let count = u.int_in_range(0..=4)?;
    (0..count).map(|_| value_at(u, depth + 1, false)).collect()
}

fn pairs(u: &mut Unstructured<'_>, depth: usize) -> Result<Vec<(Value, Value)>> {
    let count = u.int_in_range(0..=3)?;
    (0..count)
        .map(|_| {
            Ok((
                value_at(u, depth + 1, false)?,
                value_at(u, depth + 1, false)?,
            ))
        })
        .collect()
}

/// Any bytes, mostly few of them.
pub fn payload(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = match u.int_in_range(0..=20)? {
        20 => usize::from(u8::arbitrary(u)?) * 4,
        few => few,
    };
    Ok(u.bytes(length.min(u.len()))?.to_vec())
}

fn text(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut text = payload(u)?;
    text.retain(|byte| !b"\r\n".contains(byte));
    Ok(text)
}

fn integer(u: &mut Unstructured<'_>) -> Result<i64> {
    Ok(match u.int_in_range(0..=5)? {
        0 => i64::from(i8::arbitrary(u)?),
        1 => i64::MAX,
        2 => i64::MIN,
        // Where the number of digits changes.
        3 => 10_i64.pow(u.int_in_range(0..=18)?) - i64::from(bool::arbitrary(u)?),
        4 => -(10_i64.pow(u.int_in_range(0..=18)?) - i64::from(bool::arbitrary(u)?)),
        _ => i64::arbitrary(u)?,
    })
}

/// Every kind of double; of NaN the one that reading gives.
pub fn double(u: &mut Unstructured<'_>) -> Result<f64> {
    let double = match u.int_in_range(0..=5)? {
        0 => f64::from(i8::arbitrary(u)?) / 4.0,
        1 => f64::INFINITY,
        2 => f64::NEG_INFINITY,
        3 => f64::NAN,
        4 => 10_f64.powi(i32::from(i16::arbitrary(u)?) % 330),
        _ => f64::from_bits(u64::arbitrary(u)?),
    };
    Ok(if double.is_nan() { f64::NAN } else { double })
}

fn big_number(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let sign: &[u8] = u.choose(&[&b""[..], b"-", b"+"])?;
    let count = u.int_in_range(0..=40)?;
    let digits = u.bytes(count.min(u.len()))?;
    let digits = digits.iter().map(|byte| b'0' + byte % 10);
    Ok(sign.iter().copied().chain([b'7']).chain(digits).collect())
}

/// One of the ways in which a peer may write `value`: integers with signs and zeros, doubles in any spelling, strings and
/// aggregates in a stream.
pub fn loose(value: &Value, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_loosely(value, u, &mut bytes)?;
    Ok(bytes)
}

fn write_loosely(value: &Value, u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Integer(integer) => {
            let sign = match (*integer < 0, u.int_in_range(0..=2)?) {
                (true, _) => "-",
                (false, 1) => "+",
                (false, 2) if *integer == 0 => "-",
                _ => "",
            };
            let zeros = "0".repeat(u.int_in_range(0..=2)?);
            out.extend(format!(":{sign}{zeros}{}\r\n", integer.unsigned_abs()).bytes());
        }
        Value::Double(double) => out.extend(format!(",{}\r\n", spelling(*double, u)?).bytes()),
        Value::BulkString(text) if bool::arbitrary(u)? => {
            out.extend_from_slice(b"$?\r\n");
            let size = u.int_in_range(1..=8)?;
            for chunk in text.chunks(size) {
                out.extend(format!(";{}\r\n", chunk.len()).bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b";0\r\n");
        }
        Value::Array(items) => write_items(b'*', items, u, out)?,
        Value::Set(items) => write_items(b'~', items, u, out)?,
        Value::Push(items) => {
            out.extend(format!(">{}\r\n", items.len()).bytes());
            for item in items {
                write_loosely(item, u, out)?;
            }
        }
        Value::Map(pairs) => {
            let streamed = bool::arbitrary(u)?;
            if streamed {
                out.extend_from_slice(b"%?\r\n");
            } else {
                out.extend(format!("%{}\r\n", pairs.len()).bytes());
            }
            write_pairs(pairs, u, out)?;
            if streamed {
                out.extend_from_slice(b".\r\n");
            }
        }
        Value::Attributed(attributes, described) => {
            for pairs in attributes {
                out.extend(format!("|{}\r\n", pairs.len()).bytes());
                write_pairs(pairs, u, out)?;
            }
            write_loosely(described, u, out)?;
        }
        scalar => out.extend(crate::naive_encoder::encode(scalar, resp::Protocol::Resp3)),
    }
    Ok(())
}

fn write_items(
    kind: u8,
    items: &[Value],
    u: &mut Unstructured<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let streamed = bool::arbitrary(u)?;
    out.push(kind);
    if streamed {
        out.extend_from_slice(b"?\r\n");
    } else {
        out.extend(format!("{}\r\n", items.len()).bytes());
    }
    for item in items {
        write_loosely(item, u, out)?;
    }
    if streamed {
        out.extend_from_slice(b".\r\n");
    }
    Ok(())
}

fn write_pairs(
    pairs: &[(Value, Value)],
    u: &mut Unstructured<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    for (key, value) in pairs {
        write_loosely(key, u, out)?;
        write_loosely(value, u, out)?;
    }
    Ok(())
}

fn spelling(double: f64, u: &mut Unstructured<'_>) -> Result<String> {
    let style = u.int_in_range(0..=3)?;
    if double.is_nan() {
        return Ok(["nan", "-nan", "NAN", "nan(0x1)"][style].to_owned());
    }
    if double.is_infinite() {
        return Ok(crate::naive_encoder::double_text(double));
    }
    Ok(match style {
        0 => double.to_string(),
        1 => format!("{double:E}"),
        2 if double >= 0.0 && double.is_sign_positive() => format!("+{double:e}"),
        _ => {
            let text = format!("{double:e}");
            match text.split_once('e') {
                Some((mantissa, exponent)) if !exponent.starts_with('-') => {
                    format!("{mantissa}e+0{exponent}")
                }
                _ => text,
            }
        }
    })
}

/// A request's arguments and its bytes, as multibulk or as a line.
pub fn request(u: &mut Unstructured<'_>) -> Result<(Vec<Vec<u8>>, Vec<u8>)> {
    let count = u.int_in_range(1..=5)?;
    let arguments: Vec<Vec<u8>> = (0..count).map(|_| payload(u)).collect::<Result<_>>()?;
    let mut bytes = Vec::new();
    match u.int_in_range(0..=3)? {
        0 | 1 => {
            let items = arguments.iter().cloned().map(Value::BulkString).collect();
            bytes = crate::naive_encoder::encode(&Value::Array(items), resp::Protocol::Resp2);
        }
        2 => {
            // Something that a server skips comes first.
            bytes.extend_from_slice(u.choose(&[&b"\r\n"[..], b"*0\r\n", b"*-1\r\n", b" \n"])?);
            write_words(&arguments, u, &mut bytes)?;
        }
        _ => write_words(&arguments, u, &mut bytes)?,
    }
    Ok((arguments, bytes))
}

fn write_words(arguments: &[Vec<u8>], u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    for (index, argument) in arguments.iter().enumerate() {
        // A line that starts with an asterisk would be something else.
        let plain = !argument.is_empty()
            && argument.iter().all(u8::is_ascii_alphanumeric)
            && bool::arbitrary(u)?;
        let single = !argument.iter().any(|byte| b"\r\n\\".contains(byte)) && bool::arbitrary(u)?;
        if index > 0 {
            out.extend_from_slice(u.choose(&[&b" "[..], b"\t", b"  ", b" \x0b"])?);
        }
        if plain {
            out.extend_from_slice(argument);
        } else if single {
            out.push(b'\'');
            for byte in argument {
                if *byte == b'\'' {
                    out.push(b'\\');
                }
                out.push(*byte);
            }
            out.push(b'\'');
        } else {
            out.push(b'"');
            for byte in argument {
                match byte {
                    b'\n' => out.extend_from_slice(b"\\n"),
                    b'\r' => out.extend_from_slice(b"\\r"),
                    7 => out.extend_from_slice(b"\\a"),
                    8 => out.extend_from_slice(b"\\b"),
                    b'\t' => out.extend_from_slice(b"\\t"),
                    b'"' | b'\\' => out.extend([b'\\', *byte]),
                    b' '..=b'~' => out.push(*byte),
                    _ => out.extend(format!("\\x{byte:02x}").bytes()),
                }
            }
            out.push(b'"');
        }
    }
    out.extend_from_slice(u.choose(&[&b"\r\n"[..], b"\n", b" \r\n"])?);
    Ok(())
}
