//! What packed collections are read as: borrowed bytes, or the text of an integer stored as one.

use std::fmt;
use std::ops::Deref;

use super::Blob;

/// One element of a collection, read as bytes.
///
/// Packed forms store canonical integers as integers; this carries their text without an
/// allocation, so that a reader sees bytes either way.
#[derive(Clone, Copy)]
pub struct Element<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    Bytes(&'a [u8]),
    Integer(Digits),
}

impl<'a> Element<'a> {
    /// An owned copy.
    pub fn to_blob(&self) -> Blob {
        Blob::from(&**self)
    }

    /// The bytes where they stand, or `None` for the text of an integer, which is in `self`.
    pub fn borrowed(&self) -> Option<&'a [u8]> {
        match self.0 {
            Form::Bytes(bytes) => Some(bytes),
            Form::Integer(_) => None,
        }
    }
}

impl<'a> From<&'a [u8]> for Element<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Form::Bytes(bytes))
    }
}

impl From<i64> for Element<'_> {
    fn from(value: i64) -> Self {
        Self(Form::Integer(Digits::new(value)))
    }
}

impl Deref for Element<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Form::Bytes(bytes) => bytes,
            Form::Integer(digits) => digits,
        }
    }
}

impl AsRef<[u8]> for Element<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Element<'_> {}

impl PartialEq<[u8]> for Element<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

/// The longest text of an `i64`, in bytes: `-9223372036854775808`.
const DIGITS: usize = 20;

/// The decimal text of an `i64`, on the stack.
#[derive(Clone, Copy)]
pub struct Digits {
    start: u8,
    text: [u8; DIGITS],
}

impl Digits {
    /// Writes `value` out.
    pub fn new(value: i64) -> Self {
        let mut text = [0; DIGITS];
        let mut start = DIGITS;
        let mut rest = value.unsigned_abs();
        loop {
            start -= 1;
            text[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            start -= 1;
            text[start] = b'-';
        }
        Self {
            start: start as u8,
            text,
        }
    }
}

impl Deref for Digits {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text[usize::from(self.start)..]
    }
}

/// Reads the canonical text of an `i64`: no sign but `-`, no leading zero, no blank, no `-0`.
///
/// Only such text may be stored as an integer, for it must read back as it was.
pub fn canonical_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() < DIGITS => {}
        _ => return None,
    }
    let mut value: i64 = 0;
    for digit in digits {
        let digit = i64::from(digit.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        // Built up below zero, where i64::MIN still fits.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

#[cfg(test)]
mod tests {
    use super::{Digits, canonical_integer};

    #[test]
    fn integers_read_back_as_they_were_written() {
        for value in [0, 1, -1, 9, 10, -10, 1_234_567_890, i64::MAX, i64::MIN] {
            let digits = Digits::new(value);
            assert_eq!(*digits, *value.to_string().as_bytes());
            assert_eq!(canonical_integer(&digits), Some(value));
        }
    }

    #[test]
    fn text_that_is_not_canonical_is_no_integer() {
        let others: [&[u8]; 14] = [
            b"",
            b"-",
            b"+1",
            b"-0",
            b"00",
            b"01",
            b"-01",
            b" 1",
            b"1 ",
            b"1.0",
            b"a",
            b"9223372036854775808",
            b"-9223372036854775809",
            b"18446744073709551616",
        ];
        for text in others {
            assert_eq!(canonical_integer(text), None, "{}", text.escape_ascii());
        }
    }
}
