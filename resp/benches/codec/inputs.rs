//! The bytes that every contestant reads, made once and never freed.

use std::fmt::Write;

/// Bytes of pipelined requests or replies: what one read of a busy connection brings.
const PIPELINE: usize = 64 << 10;

/// Whole `SET key:NNN` requests with values of 16 bytes, and how many they are.
pub(crate) fn set_requests() -> (&'static [u8], usize) {
    pipeline(|index| {
        format!(
            "*3\r\n$3\r\nSET\r\n$7\r\nkey:{:03}\r\n$16\r\n{:016}\r\n",
            index % 1000,
            index
        )
    })
}

/// The same element again and again, and how often.
pub(crate) fn repeated(element: &str) -> (&'static [u8], usize) {
    pipeline(|_| element.to_owned())
}

fn pipeline(frame: impl Fn(usize) -> String) -> (&'static [u8], usize) {
    let mut wire = Vec::new();
    let mut count = 0;
    loop {
        let next = frame(count);
        if wire.len() + next.len() > PIPELINE {
            return (wire.leak(), count);
        }
        wire.extend_from_slice(next.as_bytes());
        count += 1;
    }
}

/// The payloads of an array: 8 to 16 bytes each.
pub(crate) fn small_texts(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("member:{:0width$}", index % 10, width = 1 + index % 9))
        .collect()
}

/// An array of small bulk strings.
pub(crate) fn array(count: usize) -> &'static [u8] {
    let mut wire = format!("*{count}\r\n");
    for text in small_texts(count) {
        let _infallible = write!(wire, "${}\r\n{text}\r\n", text.len());
    }
    wire.leak().as_bytes()
}

/// A map from small bulk strings to integers.
pub(crate) fn map(pairs: usize) -> &'static [u8] {
    let mut wire = format!("%{pairs}\r\n");
    for index in 0..pairs {
        // Distinct, since some contestants put them into a table.
        let key = format!("field:{index}");
        let _infallible = write!(wire, "${}\r\n{key}\r\n:{}\r\n", key.len(), index * 7);
    }
    wire.leak().as_bytes()
}

/// One bulk string.
pub(crate) fn bulk(bytes: usize) -> &'static [u8] {
    let mut wire = format!("${bytes}\r\n").into_bytes();
    wire.resize(wire.len() + bytes, b'x');
    wire.extend_from_slice(b"\r\n");
    wire.leak()
}
