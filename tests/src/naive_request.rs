//! A naive reader of requests: the whole buffer in, owned arguments out, starting again from the first byte each time.
//!
//! It shares no code with the codec. A line is judged when its LF is there, an argument's first byte at once, a payload
//! when its CRLF is; a bound as soon as it is exceeded. Errors are reported where the request, the argument, the quote or
//! the missing terminator stands.

use resp::{ErrorKind, Limits};

use crate::naive::SHORTEST_LINE_LIMIT;

/// The arguments of the first request in `bytes` and how many bytes it took, or `None` while it is incomplete. A request
/// without arguments is one that a server ignores.
///
/// # Errors
///
/// What no continuation can make legal, and its offset.
#[allow(clippy::type_complexity)] // A type's name would hide that this is the plainest shape there is.
pub fn read(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Option<(Vec<Vec<u8>>, usize)>, (ErrorKind, usize)> {
    let bound = limits.frame_bytes.min(u32::MAX as usize);
    let reading = Reading {
        bytes: &bytes[..bytes.len().min(bound)],
        bound,
        limits,
    };
    match reading.request() {
        Ok(found) => Ok(Some(found)),
        Err(Stop::Incomplete) => Ok(None),
        Err(Stop::Fault(kind, offset)) => Err((kind, offset)),
    }
}

enum Stop {
    Incomplete,
    Fault(ErrorKind, usize),
}

struct Reading<'a> {
    /// The input, up to the bound at most.
    bytes: &'a [u8],
    /// Bytes that a request may take.
    bound: usize,
    limits: &'a Limits,
}

impl Reading<'_> {
    fn request(&self) -> Result<(Vec<Vec<u8>>, usize), Stop> {
        match self.bytes.first() {
            None => Err(self.ends_within(0)),
            Some(b'*') => self.multibulk(),
            Some(_) => {
                let (line, end) = self.line(0, ErrorKind::TooBigInlineRequest)?;
                let words =
                    words(line).map_err(|at| Stop::Fault(ErrorKind::UnbalancedQuotes, at))?;
                Ok((words, end))
            }
        }
    }

    fn multibulk(&self) -> Result<(Vec<Vec<u8>>, usize), Stop> {
        let (line, mut at) = self.line(0, ErrorKind::TooBigMultibulkCount)?;
        let invalid = Stop::Fault(ErrorKind::InvalidMultibulkLength, 0);
        let count = match number(line) {
            Some(count) if count <= i64::from(i32::MAX) => usize::try_from(count).unwrap_or(0),
            _ => return Err(invalid),
        };
        if count > self.limits.elements {
            return Err(if self.limits.unauthenticated {
                Stop::Fault(ErrorKind::UnauthenticatedMultibulkLength, 0)
            } else {
                invalid
            });
        }
        let mut arguments = Vec::new();
        for _ in 0..count {
            let (argument, end) = self.argument(at)?;
            arguments.push(argument);
            at = end;
        }
        Ok((arguments, at))
    }

    fn argument(&self, at: usize) -> Result<(Vec<u8>, usize), Stop> {
        match self.bytes.get(at) {
            None => return Err(self.ends_within(at)),
            Some(b'$') => {}
            Some(other) => return Err(Stop::Fault(ErrorKind::ExpectedBulkString(*other), at)),
        }
        let (line, start) = self.line(at, ErrorKind::TooBigBulkCount)?;
        let length = number(line)
            .and_then(|length| usize::try_from(length).ok())
            .ok_or(Stop::Fault(ErrorKind::InvalidBulkLength, at))?;
        if length > self.limits.bulk_bytes {
            return Err(Stop::Fault(
                if self.limits.unauthenticated {
                    ErrorKind::UnauthenticatedBulkLength
                } else {
                    ErrorKind::InvalidBulkLength
                },
                at,
            ));
        }
        if length > self.bound || start + length + 2 > self.bound {
            return Err(Stop::Fault(ErrorKind::FrameTooLong, at));
        }
        let end = start + length;
        match self.bytes.get(end..end + 2).ok_or(Stop::Incomplete)? {
            b"\r\n" => Ok((self.bytes[start..end].to_vec(), end + 2)),
            [b'\r', _] => Err(Stop::Fault(ErrorKind::MissingTerminator, end + 1)),
            _ => Err(Stop::Fault(ErrorKind::MissingTerminator, end)),
        }
    }

    /// The bytes from `at` to before the next LF, and the offset after it.
    fn line(&self, at: usize, too_big: ErrorKind) -> Result<(&[u8], usize), Stop> {
        let limit = self.limits.line_bytes.max(SHORTEST_LINE_LIMIT);
        let rest = &self.bytes[at..];
        let length = rest.iter().position(|byte| *byte == b'\n');
        if length.unwrap_or(rest.len()) > limit {
            return Err(Stop::Fault(too_big, at));
        }
        let length = length.ok_or_else(|| self.ends_within(at))?;
        Ok((&rest[..length], at + length + 1))
    }

    fn ends_within(&self, at: usize) -> Stop {
        if self.bytes.len() == self.bound {
            Stop::Fault(ErrorKind::FrameTooLong, at)
        } else {
            Stop::Incomplete
        }
    }
}

/// The number between a type byte and CR, written as a 64-bit integer is.
fn number(line: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(line.get(1..)?)
        .ok()?
        .strip_suffix('\r')?;
    let number: i64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// The words of an inline request, byte by byte; the index of a quote that isn't closed or of what follows it.
fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, usize> {
    let is_space = |byte: u8| b" \t\n\x0b\x0c\r".contains(&byte);
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).copied().is_some_and(is_space) {
            at += 1;
        }
        if at == line.len() {
            return Ok(words);
        }
        let mut word = Vec::new();
        while let Some(byte) = line.get(at).copied() {
            if b" \t\n\r".contains(&byte) {
                break;
            }
            if byte == b'"' || byte == b'\'' {
                at = quoted(line, at, byte, &mut word)?;
                if line.get(at).copied().is_some_and(|next| !is_space(next)) {
                    return Err(at);
                }
                break;
            }
            word.push(byte);
            at += 1;
        }
        words.push(word);
    }
}

/// The index after the quoted text that starts at `start`.
fn quoted(line: &[u8], start: usize, quote: u8, word: &mut Vec<u8>) -> Result<usize, usize> {
    let mut at = start + 1;
    while let Some(byte) = line.get(at).copied() {
        if byte == quote {
            return Ok(at + 1);
        }
        let next = line.get(at + 1).copied();
        match (quote, byte, next) {
            (b'\'', b'\\', Some(b'\'')) => {
                word.push(b'\'');
                at += 2;
            }
            (b'"', b'\\', Some(next)) => {
                let digits = line
                    .get(at + 2..at + 4)
                    .and_then(|digits| std::str::from_utf8(digits).ok())
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                if let (b'x', Some(byte)) = (next, digits) {
                    word.push(byte);
                    at += 4;
                    continue;
                }
                word.push(match next {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            _ => {
                word.push(byte);
                at += 1;
            }
        }
    }
    Err(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(bytes: &str, arguments: &[&str]) {
        let arguments: Vec<Vec<u8>> = arguments
            .iter()
            .map(|argument| argument.as_bytes().to_vec())
            .collect();
        assert_eq!(
            read(bytes.as_bytes(), &Limits::server()),
            Ok(Some((arguments, bytes.len())))
        );
    }

    #[track_caller]
    fn fails(bytes: &str, kind: ErrorKind, offset: usize) {
        assert_eq!(
            read(bytes.as_bytes(), &Limits::server()),
            Err((kind, offset))
        );
    }

    #[test]
    fn multibulk() {
        is("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &["GET", ""]);
        is("*0\r\n", &[]);
        is("*-7\r\n", &[]);
        fails("*03\r\n", ErrorKind::InvalidMultibulkLength, 0);
        fails("*1\r\n:", ErrorKind::ExpectedBulkString(b':'), 4);
        fails("*1\r\n$-1\r\n", ErrorKind::InvalidBulkLength, 4);
        fails("*1\r\n$1\r\nab\r", ErrorKind::MissingTerminator, 9);
    }

    #[test]
    fn inline() {
        is("  SET k\t v \r\n", &["SET", "k", "v"]);
        is("\n", &[]);
        is("a\"b\\x41\\q\\n\" 'it\\'s' \"\"\n", &["abAq\n", "it's", ""]);
        fails("\"foo\"bar\r\n", ErrorKind::UnbalancedQuotes, 5);
        fails("a 'foo\r\n", ErrorKind::UnbalancedQuotes, 2);
    }
}
