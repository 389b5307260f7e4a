//! Frames as a person reads them: `array [bulk "a", integer 1]`.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::decimal::format_f64;
use crate::frame::{Chunks, FrameRef, Items, Pairs, Value};
use crate::owned::Frame;

/// What is still to be written of an aggregate.
struct Level<'a> {
    items: Items<'a>,
    written: usize,
    in_pairs: bool,
    close: &'static str,
}

/// The type's short name and its payload, with bytes escaped as in Rust's byte strings:
/// `simple "OK"`, `error "ERR x"`, `integer 42`, `bulk "abc"`, `null bulk`, `array [bulk "a", integer 1]`,
/// `map {bulk "k": integer 1}`, `attribute {simple "ttl": integer 3600} integer 3`.
///
/// Takes linear time and no recursion.
impl fmt::Display for FrameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut levels: Vec<Level<'_>> = Vec::new();
        let mut next = Some(*self);
        loop {
            if let Some(frame) = next.take() {
                write_element(f, frame, &mut levels)?;
            }
            let Some(level) = levels.last_mut() else {
                return Ok(());
            };
            if let Some(item) = level.items.next() {
                f.write_str(match level.written {
                    0 => "",
                    n if level.in_pairs && n % 2 == 1 => ": ",
                    _ => ", ",
                })?;
                level.written += 1;
                next = Some(item);
            } else {
                f.write_str(level.close)?;
                levels.pop();
            }
        }
    }
}

fn write_element<'a>(
    f: &mut fmt::Formatter<'_>,
    frame: FrameRef<'a>,
    levels: &mut Vec<Level<'a>>,
) -> fmt::Result {
    let mut list = |f: &mut fmt::Formatter<'_>, name: &str, items: Items<'a>| {
        levels.push(Level {
            items,
            written: 0,
            in_pairs: false,
            close: "]",
        });
        write!(f, "{name} [")
    };
    match frame.value() {
        Value::SimpleString(text) => write!(f, "simple \"{}\"", text.escape_ascii()),
        Value::SimpleError(text) => write!(f, "error \"{}\"", text.escape_ascii()),
        Value::Integer(integer) => write!(f, "integer {integer}"),
        Value::BulkString(text) => write!(f, "bulk \"{}\"", text.escape_ascii()),
        Value::StreamedString(chunks) => write_chunks(f, chunks),
        Value::NullBulkString => f.write_str("null bulk"),
        Value::NullArray => f.write_str("null array"),
        Value::Null => f.write_str("null"),
        Value::Boolean(boolean) => write!(f, "boolean {boolean}"),
        Value::Double(double) => {
            write!(f, "double {}", format_f64(double).as_bytes().escape_ascii())
        }
        Value::BigNumber(digits) => write!(f, "bignumber {}", digits.escape_ascii()),
        Value::BulkError(text) => write!(f, "bulkerror \"{}\"", text.escape_ascii()),
        Value::VerbatimString(format, text) => {
            write!(
                f,
                "verbatim {} \"{}\"",
                format.escape_ascii(),
                text.escape_ascii()
            )
        }
        Value::Array(items) => list(f, "array", items),
        Value::Set(items) => list(f, "set", items),
        Value::Push(items) => list(f, "push", items),
        Value::Map(pairs) => {
            levels.push(Level::braces(pairs, "}"));
            f.write_str("map {")
        }
        Value::Attribute(pairs, described) => {
            levels.push(Level {
                items: Items::level(described),
                written: 0,
                in_pairs: false,
                close: "",
            });
            levels.push(Level::braces(pairs, "} "));
            f.write_str("attribute {")
        }
    }
}

impl<'a> Level<'a> {
    fn braces(pairs: Pairs<'a>, close: &'static str) -> Self {
        Self {
            items: pairs.items(),
            written: 0,
            in_pairs: true,
            close,
        }
    }
}

fn write_chunks(f: &mut fmt::Formatter<'_>, chunks: Chunks<'_>) -> fmt::Result {
    f.write_str("bulk \"")?;
    for chunk in chunks {
        write!(f, "{}", chunk.escape_ascii())?;
    }
    f.write_char('"')
}

impl fmt::Debug for FrameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}
