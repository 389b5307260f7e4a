//! A naive decoder of replies: the whole buffer in, an owned tree out.
//!
//! It shares no code with the codec and is written to be obviously right, not fast: it starts again from the first
//! byte on every call, copies everything, and recurses (to [`MAX_DEPTH`] at most). Tests read servers with it, and
//! the codec's properties compare themselves with it.
//!
//! Rules that decide where the sources leave room:
//!
//! * An element is judged once all of its own bytes are there: a line when its CRLF is, a payload when its CRLF is.
//!   Judged at once are a first byte that can't stand at its place, a CR or LF that ends no line, and whatever exceeds the
//!   limits: a line or frame by one byte too many, everything else by its header.
//! * An error is reported at the first byte that can't stand where it stands: a needless zero or sign in a length at
//!   that zero or sign, a length that is negative or has no null or streamed form at its own first byte, a bare CR or LF
//!   at itself. A number out of range and a bound exceeded are reported at the type byte of the element.
//! * A streamed aggregate pays for an element when it is whole: that bound is reported at the last element below it.

use resp::{ErrorKind, Limits};

/// Aggregates and attributes open inside one another, the outermost included.
pub const MAX_DEPTH: usize = 128;

/// Longest payload of a bulk string, bulk error, verbatim string or chunk, in bytes.
pub const MAX_BULK_BYTES: usize = 512 * 1024 * 1024;

/// Elements of an aggregate at most.
pub const MAX_COUNT: usize = i32::MAX as usize;

/// Lines of this length are legal whatever [`Limits::line_bytes`] says: it is room for every length.
pub const SHORTEST_LINE_LIMIT: usize = 18;

/// One reply. Streamed strings and aggregates are the value that they carry.
#[derive(Clone, Debug)]
pub enum Value {
    /// `+`
    SimpleString(Vec<u8>),
    /// `-`
    SimpleError(Vec<u8>),
    /// `:`
    Integer(i64),
    /// `$`
    BulkString(Vec<u8>),
    /// `$-1`
    NullBulkString,
    /// `*`
    Array(Vec<Value>),
    /// `*-1`
    NullArray,
    /// `_`
    Null,
    /// `#`
    Boolean(bool),
    /// `,`
    Double(f64),
    /// `(`: the sign, where one was sent, and the digits
    BigNumber(Vec<u8>),
    /// `!`
    BulkError(Vec<u8>),
    /// `=`: the format and the text
    VerbatimString([u8; 3], Vec<u8>),
    /// `%`
    Map(Vec<(Value, Value)>),
    /// `~`
    Set(Vec<Value>),
    /// `>`
    Push(Vec<Value>),
    /// `|`: one or more attributes in the order sent, and the value that they describe
    Attributed(Vec<Vec<(Value, Value)>>, Box<Value>),
}

impl PartialEq for Value {
    /// Equal on the wire: doubles by their bits, except that every NaN equals every other.
    fn eq(&self, other: &Self) -> bool {
        use Value::{
            Array, Attributed, BigNumber, Boolean, BulkError, BulkString, Double, Integer, Map,
            Null, NullArray, NullBulkString, Push, Set, SimpleError, SimpleString, VerbatimString,
        };
        match (self, other) {
            (SimpleString(a), SimpleString(b))
            | (SimpleError(a), SimpleError(b))
            | (BulkString(a), BulkString(b))
            | (BulkError(a), BulkError(b))
            | (BigNumber(a), BigNumber(b)) => a == b,
            (Array(a), Array(b)) | (Set(a), Set(b)) | (Push(a), Push(b)) => a == b,
            (Integer(a), Integer(b)) => a == b,
            (Boolean(a), Boolean(b)) => a == b,
            (Double(a), Double(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (VerbatimString(f, a), VerbatimString(g, b)) => f == g && a == b,
            (Map(a), Map(b)) => a == b,
            (Attributed(a, v), Attributed(b, w)) => a == b && v == w,
            (NullBulkString, NullBulkString) | (NullArray, NullArray) | (Null, Null) => true,
            _ => false,
        }
    }
}

/// Decodes the first top-level value of `bytes` and how many bytes it took, or `None` while it is incomplete.
///
/// # Errors
///
/// The offset of what no continuation can make legal.
pub fn decode(bytes: &[u8]) -> Result<Option<(Value, usize)>, usize> {
    let limits = Limits {
        depth: MAX_DEPTH,
        line_bytes: usize::MAX,
        bulk_bytes: MAX_BULK_BYTES,
        elements: MAX_COUNT,
        frame_elements: usize::MAX,
        frame_bytes: usize::MAX,
        ..Limits::client()
    };
    decode_within(bytes, &limits).map_err(|(_, offset)| offset)
}

/// As [`decode`], within any limits.
///
/// # Errors
///
/// What no continuation can make legal, and its offset.
pub fn decode_within(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Option<(Value, usize)>, (ErrorKind, usize)> {
    let bound = limits.frame_bytes.clamp(2, u32::MAX as usize);
    let mut reading = Reading {
        bytes: &bytes[..bytes.len().min(bound)],
        limits,
        bound,
        budget: limits.frame_elements.min(u32::MAX as usize / 2),
    };
    match reading.frame() {
        Ok(found) => Ok(Some(found)),
        Err(Stop::Incomplete) => Ok(None),
        Err(Stop::Fault(kind, offset)) => Err((kind, offset)),
    }
}

enum Stop {
    Incomplete,
    Fault(ErrorKind, usize),
}

type Found<T> = Result<(T, usize), Stop>;

struct Reading<'a> {
    /// The input, up to the bound at most.
    bytes: &'a [u8],
    limits: &'a Limits,
    /// Bytes that a frame may take.
    bound: usize,
    /// Elements that the frame may still have.
    budget: usize,
}

impl<'a> Reading<'a> {
    fn frame(&mut self) -> Found<Value> {
        self.spend(1, 0)?;
        self.value(0, 0, true)
    }

    /// The value at `at`, with `depth` aggregates open around it, and the offset after it.
    fn value(&mut self, mut at: usize, mut depth: usize, outermost: bool) -> Found<Value> {
        let mut attributes = Vec::new();
        while self.bytes.get(at) == Some(&b'|') {
            let (count, after) = self.count(at, 2)?;
            depth = self.open(at, depth)?;
            let (pairs, end) = self.pairs(after, count, depth)?;
            attributes.push(pairs);
            at = end;
        }
        let (described, end) = self.plain_value(at, depth, outermost)?;
        if attributes.is_empty() {
            return Ok((described, end));
        }
        Ok((Value::Attributed(attributes, Box::new(described)), end))
    }

    fn plain_value(&mut self, at: usize, depth: usize, outermost: bool) -> Found<Value> {
        let kind = self.first(at)?;
        match kind {
            b';' => return Err(Stop::Fault(ErrorKind::UnexpectedChunk, at)),
            b'.' => return Err(Stop::Fault(ErrorKind::UnexpectedEnd, at)),
            b'>' if !outermost => return Err(Stop::Fault(ErrorKind::NestedPush, at)),
            _ if b"+-:$*_#,(!=%~>".contains(&kind) => {}
            _ => return Err(Stop::Fault(ErrorKind::UnknownType, at)),
        }
        let (line, after) = self.line(at)?;
        let payload_at = at + 1;
        match (kind, line) {
            (b'+', text) => Ok((Value::SimpleString(text.to_vec()), after)),
            (b'-', text) => Ok((Value::SimpleError(text.to_vec()), after)),
            (b':', digits) => Ok((Value::Integer(self.integer(digits, at)?), after)),
            (b'_', b"") => Ok((Value::Null, after)),
            (b'_', _) => Err(Stop::Fault(ErrorKind::InvalidNull, payload_at)),
            (b'#', b"t") => Ok((Value::Boolean(true), after)),
            (b'#', b"f") => Ok((Value::Boolean(false), after)),
            (b'#', [b't' | b'f', ..]) => {
                Err(Stop::Fault(ErrorKind::InvalidBoolean, payload_at + 1))
            }
            (b'#', _) => Err(Stop::Fault(ErrorKind::InvalidBoolean, payload_at)),
            (b',', text) => match double(text) {
                Ok(Some(number)) => Ok((Value::Double(number), after)),
                Ok(None) => Err(Stop::Fault(ErrorKind::DoubleOutOfRange, at)),
                Err(index) => Err(Stop::Fault(ErrorKind::InvalidDouble, payload_at + index)),
            },
            (b'(', text) => match not_a_digit(text) {
                None => Ok((Value::BigNumber(text.to_vec()), after)),
                Some(index) => Err(Stop::Fault(ErrorKind::InvalidBigNumber, payload_at + index)),
            },
            (b'$', b"-1") => Ok((Value::NullBulkString, after)),
            (b'*', b"-1") => Ok((Value::NullArray, after)),
            (b'$', b"?") => self.streamed_string(at, after, depth),
            (b'$', _) => {
                let (text, end) = self.payload(at, 0)?;
                Ok((Value::BulkString(text), end))
            }
            (b'!', _) => {
                let (text, end) = self.payload(at, 0)?;
                Ok((Value::BulkError(text), end))
            }
            (b'=', _) => {
                let (text, end) = self.payload(at, b"txt:".len())?;
                match text.as_slice() {
                    [a, b, c, b':', text @ ..] => {
                        Ok((Value::VerbatimString([*a, *b, *c], text.to_vec()), end))
                    }
                    _ => Err(Stop::Fault(ErrorKind::InvalidVerbatimString, after + 3)),
                }
            }
            (b'*', b"?") => {
                let (elements, end) = self.streamed_elements(at, after, depth, 1)?;
                Ok((Value::Array(elements), end))
            }
            (b'~', b"?") => {
                let (elements, end) = self.streamed_elements(at, after, depth, 1)?;
                Ok((Value::Set(elements), end))
            }
            (b'%', b"?") => {
                let (elements, end) = self.streamed_elements(at, after, depth, 2)?;
                Ok((Value::Map(by_twos(elements)), end))
            }
            (b'%', _) => {
                let (count, after) = self.count(at, 2)?;
                if count == 0 {
                    return Ok((Value::Map(Vec::new()), after));
                }
                let depth = self.open(at, depth)?;
                let (pairs, end) = self.pairs(after, count, depth)?;
                Ok((Value::Map(pairs), end))
            }
            _ => {
                let (count, after) = self.count(at, 1)?;
                let (elements, end) = if count == 0 {
                    (Vec::new(), after)
                } else {
                    let depth = self.open(at, depth)?;
                    self.elements(after, count, depth)?
                };
                let aggregate = match kind {
                    b'*' => Value::Array(elements),
                    b'~' => Value::Set(elements),
                    _ => Value::Push(elements),
                };
                Ok((aggregate, end))
            }
        }
    }

    fn open(&self, at: usize, depth: usize) -> Result<usize, Stop> {
        if depth >= self.limits.depth {
            Err(Stop::Fault(ErrorKind::TooDeep, at))
        } else {
            Ok(depth + 1)
        }
    }

    fn spend(&mut self, elements: usize, at: usize) -> Result<(), Stop> {
        if elements > self.budget {
            return Err(Stop::Fault(ErrorKind::FrameTooManyElements, at));
        }
        self.budget -= elements;
        Ok(())
    }

    fn elements(&mut self, mut at: usize, count: usize, depth: usize) -> Found<Vec<Value>> {
        let mut elements = Vec::new();
        for _ in 0..count {
            let (element, after) = self.value(at, depth, false)?;
            elements.push(element);
            at = after;
        }
        Ok((elements, at))
    }

    fn pairs(&mut self, at: usize, count: usize, depth: usize) -> Found<Vec<(Value, Value)>> {
        let (elements, end) = self.elements(at, 2 * count, depth)?;
        Ok((by_twos(elements), end))
    }

    /// Elements up to an end marker; their number is a multiple of `each`.
    fn streamed_elements(
        &mut self,
        start: usize,
        mut at: usize,
        depth: usize,
        each: usize,
    ) -> Found<Vec<Value>> {
        let depth = self.open(start, depth)?;
        let mut elements = Vec::new();
        while self.first(at)? != b'.' {
            self.spend(1, at)?;
            let (element, after) = self.value(at, depth, false)?;
            elements.push(element);
            at = after;
        }
        if elements.len() % each != 0 {
            return Err(Stop::Fault(ErrorKind::OddMap, at));
        }
        match self.line(at)? {
            (b"", after) => Ok((elements, after)),
            _ => Err(Stop::Fault(ErrorKind::UnexpectedEnd, at + 1)),
        }
    }

    fn streamed_string(&mut self, start: usize, mut at: usize, depth: usize) -> Found<Value> {
        self.open(start, depth)?;
        let mut text = Vec::new();
        loop {
            if self.first(at)? != b';' {
                return Err(Stop::Fault(ErrorKind::ExpectedChunk, at));
            }
            if let (b"0", after) = self.line(at)? {
                return Ok((Value::BulkString(text), after));
            }
            let (chunk, after) = self.payload(at, 0)?;
            self.spend(1, at)?;
            text.extend(chunk);
            at = after;
        }
    }

    /// The first byte of the element at `at`.
    fn first(&self, at: usize) -> Result<u8, Stop> {
        self.bytes
            .get(at)
            .copied()
            .ok_or_else(|| self.ends_within(at))
    }

    /// The input ends within the element at `at`, or what a frame may take does.
    fn ends_within(&self, at: usize) -> Stop {
        if self.bytes.len() == self.bound {
            Stop::Fault(ErrorKind::FrameTooLong, at)
        } else {
            Stop::Incomplete
        }
    }

    /// The bytes between the type byte at `at` and CRLF, and the offset after CRLF.
    fn line(&self, at: usize) -> Found<&'a [u8]> {
        let limit = self.limits.line_bytes.max(SHORTEST_LINE_LIMIT);
        let rest = &self.bytes[at + 1..];
        let length = rest.iter().position(|byte| b"\r\n".contains(byte));
        if length.unwrap_or(rest.len()) > limit {
            return Err(Stop::Fault(ErrorKind::LineTooLong, at));
        }
        let length = length.ok_or_else(|| self.ends_within(at))?;
        match rest[length..] {
            [b'\r', b'\n', ..] => Ok((&rest[..length], at + 1 + length + 2)),
            [b'\r'] => Err(self.ends_within(at)),
            _ => Err(Stop::Fault(ErrorKind::BareLineBreak, at + 1 + length)),
        }
    }

    /// The payload whose length, `least` or more, stands in the line at `at`, and the offset after its CRLF.
    fn payload(&self, at: usize, least: usize) -> Found<Vec<u8>> {
        let (digits, start) = self.line(at)?;
        let length = length(digits, at)?;
        if length < least {
            return Err(Stop::Fault(ErrorKind::InvalidVerbatimString, at + 1));
        }
        if length > self.limits.bulk_bytes {
            return Err(Stop::Fault(ErrorKind::BulkTooLong, at));
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

    /// The count in the header at `at`, each of which announces `each` elements.
    fn count(&mut self, at: usize, each: usize) -> Found<usize> {
        let (digits, after) = self.line(at)?;
        let count = length(digits, at)?;
        match count.checked_mul(each) {
            Some(elements) if elements <= self.limits.elements => self.spend(elements, at)?,
            _ => return Err(Stop::Fault(ErrorKind::TooManyElements, at)),
        }
        Ok((count, after))
    }

    fn integer(&self, text: &[u8], at: usize) -> Result<i64, Stop> {
        let invalid = |index| Stop::Fault(ErrorKind::InvalidInteger, at + 1 + index);
        if self.limits.strict {
            match text {
                [b'+', ..] | [b'0', _, ..] => return Err(invalid(0)),
                [b'-', b'0', ..] => return Err(invalid(1)),
                _ => {}
            }
        }
        if let Some(index) = not_a_digit(text) {
            return Err(invalid(index));
        }
        std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(Stop::Fault(ErrorKind::IntegerOutOfRange, at))
    }
}

fn by_twos(elements: Vec<Value>) -> Vec<(Value, Value)> {
    let mut elements = elements.into_iter();
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// `0`, or digits that start with another one: lengths are not integers. `at` is the type byte before them.
fn length(digits: &[u8], at: usize) -> Result<usize, Stop> {
    let invalid = |index| Stop::Fault(ErrorKind::InvalidLength, at + 1 + index);
    match digits {
        b"-1" | b"?" | [b'+', ..] | [b'0', _, ..] => return Err(invalid(0)),
        [b'-', b'0', ..] => return Err(invalid(1)),
        _ => {}
    }
    if let Some(index) = not_a_digit(digits) {
        return Err(invalid(index));
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse::<i64>().ok())
        .and_then(|length| usize::try_from(length).ok())
        .ok_or(invalid(0))
}

/// The index of what makes `text` something else than digits, perhaps after a sign.
fn not_a_digit(text: &[u8]) -> Option<usize> {
    let sign = usize::from(matches!(text, [b'+' | b'-', ..]));
    (sign..text.len())
        .find(|index| !text[*index].is_ascii_digit())
        .or((text.len() == sign).then_some(sign))
}

/// `[+-] digits [. digits] [e|E [+-] digits]`, `[+-] inf`, or what libc prints for NaN; nothing beyond the range of a
/// double, else the index of what can't stand there.
fn double(text: &[u8]) -> Result<Option<f64>, usize> {
    let lower = String::from_utf8_lossy(text).to_ascii_lowercase();
    let unsigned = lower
        .strip_prefix('-')
        .or_else(|| lower.strip_prefix('+'))
        .unwrap_or(&lower);
    if unsigned == "inf" {
        return Ok(Some(f64::INFINITY.copysign(if lower.starts_with('-') {
            -1.0
        } else {
            1.0
        })));
    }
    if is_nan(unsigned) {
        return Ok(Some(f64::NAN));
    }
    let digits = |from: usize| {
        let count = text
            .iter()
            .skip(from)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 {
            Err(from)
        } else {
            Ok(from + count)
        }
    };
    let mut at = digits(lower.len() - unsigned.len())?;
    if text.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(at)?;
    }
    if at != text.len() {
        return Err(at);
    }
    let number: f64 = lower.parse().map_err(|_| 0_usize)?;
    Ok(Some(number).filter(|number| number.is_finite()))
}

/// Whether this text in small letters is `nan`, or `nan(…)` with letters, digits and underscores inside.
fn is_nan(text: &str) -> bool {
    let Some(payload) = text.strip_prefix("nan") else {
        return false;
    };
    let inside = payload
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    payload.is_empty()
        || inside.is_some_and(|inside| {
            inside
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::Value::{
        Array, Attributed, BigNumber, Boolean, BulkError, BulkString, Double, Integer, Map, Null,
        NullArray, NullBulkString, Push, Set, SimpleError, SimpleString, VerbatimString,
    };
    use super::*;

    fn bulk(text: &str) -> Value {
        BulkString(text.as_bytes().to_vec())
    }

    fn simple(text: &str) -> Value {
        SimpleString(text.as_bytes().to_vec())
    }

    /// Decodes to `value`, wholly; every strict prefix is incomplete; a byte behind it is left alone.
    #[track_caller]
    fn is(bytes: impl AsRef<[u8]>, value: &Value) {
        let bytes = bytes.as_ref();
        assert_eq!(
            decode(bytes),
            Ok(Some((value.clone(), bytes.len()))),
            "{}",
            bytes.escape_ascii()
        );
        for cut in 0..bytes.len() {
            assert_eq!(
                decode(&bytes[..cut]),
                Ok(None),
                "{}",
                bytes[..cut].escape_ascii()
            );
        }
        let longer = [bytes, b"?"].concat();
        assert_eq!(
            decode(&longer),
            Ok(Some((value.clone(), bytes.len()))),
            "{}",
            longer.escape_ascii()
        );
    }

    #[track_caller]
    fn fails_at(offset: usize, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        assert_eq!(decode(bytes), Err(offset), "{}", bytes.escape_ascii());
    }

    #[track_caller]
    fn fails(bytes: impl AsRef<str>) {
        let bytes = bytes.as_ref();
        assert!(
            decode(bytes.as_bytes()).is_err(),
            "{}",
            bytes.escape_debug()
        );
    }

    #[track_caller]
    fn incomplete(bytes: &str) {
        assert_eq!(
            decode(bytes.as_bytes()),
            Ok(None),
            "{}",
            bytes.escape_default()
        );
    }

    #[test]
    fn every_type_of_the_table() {
        is("+OK\r\n", &simple("OK"));
        is("-ERR x\r\n", &SimpleError(b"ERR x".to_vec()));
        is(":42\r\n", &Integer(42));
        is("$3\r\nabc\r\n", &bulk("abc"));
        is("$-1\r\n", &NullBulkString);
        is(
            "*2\r\n$1\r\na\r\n:1\r\n",
            &Array(vec![bulk("a"), Integer(1)]),
        );
        is("*-1\r\n", &NullArray);
        is("_\r\n", &Null);
        is("#t\r\n", &Boolean(true));
        is("#f\r\n", &Boolean(false));
        is(",1.5\r\n", &Double(1.5));
        is("(12\r\n", &BigNumber(b"12".to_vec()));
        is("!5\r\nERR x\r\n", &BulkError(b"ERR x".to_vec()));
        is(
            "=7\r\ntxt:abc\r\n",
            &VerbatimString(*b"txt", b"abc".to_vec()),
        );
        is(
            "%1\r\n$1\r\nk\r\n:1\r\n",
            &Map(vec![(bulk("k"), Integer(1))]),
        );
        is("~2\r\n:1\r\n:2\r\n", &Set(vec![Integer(1), Integer(2)]));
        is(
            ">2\r\n$1\r\na\r\n:1\r\n",
            &Push(vec![bulk("a"), Integer(1)]),
        );
        is("|1\r\n+ttl\r\n:3600\r\n:3\r\n", &ttl(Integer(3)));
    }

    fn ttl(described: Value) -> Value {
        Attributed(
            vec![vec![(simple("ttl"), Integer(3600))]],
            Box::new(described),
        )
    }

    #[test]
    fn a_map_counts_pairs() {
        incomplete("%2\r\n$3\r\nkey\r\n$5\r\nvalue\r\n");
        is(
            "%1\r\n$3\r\nkey\r\n$5\r\nvalue\r\n",
            &Map(vec![(bulk("key"), bulk("value"))]),
        );
    }

    #[test]
    fn integers() {
        is(":+5\r\n", &Integer(5));
        is(":-0\r\n", &Integer(0));
        is(":007\r\n", &Integer(7));
        is(":-9223372036854775808\r\n", &Integer(i64::MIN));
        is(":9223372036854775807\r\n", &Integer(i64::MAX));
        for bad in [
            ":",
            ":-",
            ":+",
            ": 5",
            ":5 ",
            ":1.0",
            ":+-5",
            ":9223372036854775808",
            ":-9223372036854775809",
        ] {
            fails(format!("{bad}\r\n"));
        }
    }

    #[test]
    fn negative_lengths_are_errors_except_the_two_nulls() {
        for bad in [
            "$-2", "*-2", "%-1", "~-1", ">-1", "|-1", "=-1", "!-1", "$-1 ", "*-1x",
        ] {
            fails(format!("{bad}\r\n"));
        }
    }

    #[test]
    fn lengths_are_not_integers() {
        for bad in [
            "$03", "$+3", "$-0", "$", "*+1", "*01", "%00", "$3 ", "$ 3", "$3a", ">", "|+0",
        ] {
            fails(format!("{bad}\r\nabc\r\n"));
        }
    }

    #[test]
    fn the_terminator_is_compared() {
        fails_at(7, "$3\r\nabcXY");
        fails_at(8, "$3\r\nabc\rX");
        fails_at(7, "$3\r\nabc\n\r");
    }

    #[test]
    fn empty_values() {
        is("$0\r\n\r\n", &bulk(""));
        is("*0\r\n", &Array(vec![]));
        is("%0\r\n", &Map(vec![]));
        is("~0\r\n", &Set(vec![]));
        is(">0\r\n", &Push(vec![]));
        is("=4\r\ntxt:\r\n", &VerbatimString(*b"txt", vec![]));
        is("!0\r\n\r\n", &BulkError(vec![]));
        is("+\r\n", &simple(""));
        is("-\r\n", &SimpleError(vec![]));
    }

    #[test]
    fn nulls_and_booleans_have_no_other_payload() {
        for bad in ["_x", "#T", "#true", "#", "_ "] {
            fails(format!("{bad}\r\n"));
        }
    }

    #[test]
    fn doubles() {
        for (text, number) in [
            ("inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("10", 10.0),
            ("1e5", 1e5),
            ("1E+5", 1e5),
            ("-0.5", -0.5),
            ("-0", -0.0),
            ("1e-400", 0.0),
        ] {
            is(format!(",{text}\r\n"), &Double(number));
        }
        for text in ["nan", "-nan", "NAN", "nan(0x1)"] {
            is(format!(",{text}\r\n"), &Double(f64::NAN));
        }
        for bad in [
            ".5", "5.", "", "1e", "0x1", "1e400", "infinity", "1_0", " 1", "1.e5", "e5", "--1",
            "nan(", "nan)",
        ] {
            fails(format!(",{bad}\r\n"));
        }
    }

    #[test]
    fn negative_zero_differs_from_zero() {
        assert_ne!(Double(0.0), Double(-0.0));
    }

    #[test]
    fn big_numbers() {
        for text in ["-1", "+1", "3492890328409238509324850943850943825024385"] {
            is(format!("({text}\r\n"), &BigNumber(text.as_bytes().to_vec()));
        }
        for bad in ["", "-", "12a", "1.5"] {
            fails(format!("({bad}\r\n"));
        }
    }

    #[test]
    fn verbatim_strings() {
        is(
            "=15\r\ntxt:Some string\r\n",
            &VerbatimString(*b"txt", b"Some string".to_vec()),
        );
        is(
            "=8\r\nxml:abcd\r\n",
            &VerbatimString(*b"xml", b"abcd".to_vec()),
        );
        fails_at(1, "=3\r\n");
        fails_at(7, "=4\r\nabcd\r\n");
    }

    #[test]
    fn a_line_holds_neither_cr_nor_lf() {
        fails_at(2, "+a\rb\r\n");
        fails_at(2, "+a\nb\r\n");
        fails_at(2, "-a\nb\r\n");
        fails_at(2, ":1\n");
        fails_at(2, "$3\n");
    }

    #[test]
    fn payloads_are_bytes() {
        is(b"+\xff\xfe\r\n", &SimpleString(b"\xff\xfe".to_vec()));
        is(b"$2\r\n\r\n\r\n", &BulkString(b"\r\n".to_vec()));
    }

    #[test]
    fn aggregates_as_keys_and_duplicates_in_order() {
        is(
            "%1\r\n*1\r\n:1\r\n:2\r\n",
            &Map(vec![(Array(vec![Integer(1)]), Integer(2))]),
        );
        is("~2\r\n:1\r\n:1\r\n", &Set(vec![Integer(1), Integer(1)]));
        let twice = vec![(bulk("k"), Integer(2)), (bulk("k"), Integer(1))];
        is("%2\r\n$1\r\nk\r\n:2\r\n$1\r\nk\r\n:1\r\n", &Map(twice));
    }

    #[test]
    fn attributes_belong_to_the_value_behind_them() {
        is(
            "*2\r\n:1\r\n|1\r\n+ttl\r\n:3600\r\n:3\r\n",
            &Array(vec![Integer(1), ttl(Integer(3))]),
        );
        is("|1\r\n+ttl\r\n:3600\r\n_\r\n", &ttl(Null));
        is(
            "|1\r\n+ttl\r\n:3600\r\n*1\r\n:1\r\n",
            &ttl(Array(vec![Integer(1)])),
        );
        is(
            "|0\r\n|1\r\n+a\r\n:1\r\n+x\r\n",
            &Attributed(
                vec![vec![], vec![(simple("a"), Integer(1))]],
                simple("x").into(),
            ),
        );
        is(
            "%1\r\n|0\r\n+k\r\n+v\r\n",
            &Map(vec![(
                Attributed(vec![vec![]], simple("k").into()),
                simple("v"),
            )]),
        );
        is(
            "|0\r\n>1\r\n+x\r\n",
            &Attributed(vec![vec![]], Push(vec![simple("x")]).into()),
        );
        incomplete("|1\r\n+ttl\r\n:3600\r\n");
        fails_at(8, "*?\r\n|0\r\n.\r\n");
    }

    #[test]
    fn a_push_stands_at_top_level_only() {
        fails_at(4, "*1\r\n>1\r\n+x\r\n");
        fails_at(4, "*?\r\n>0\r\n");
        fails_at(4, "|1\r\n>0\r\n");
    }

    #[test]
    fn streamed_strings() {
        is("$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n", &bulk("Hello"));
        is("$?\r\n;0\r\n", &bulk(""));
        fails_at(4, "$?\r\n$1\r\na\r\n");
        fails_at(5, "$?\r\n;01\r\na\r\n");
        fails_at(12, "$?\r\n;1\r\na\r\n;-1\r\n");
        fails_at(1, "!?\r\n");
        fails_at(1, "=?\r\n");
    }

    #[test]
    fn streamed_aggregates() {
        is(
            "*?\r\n:1\r\n:2\r\n.\r\n",
            &Array(vec![Integer(1), Integer(2)]),
        );
        is("*?\r\n.\r\n", &Array(vec![]));
        is("~?\r\n:1\r\n.\r\n", &Set(vec![Integer(1)]));
        is(
            "%?\r\n+a\r\n:1\r\n.\r\n",
            &Map(vec![(simple("a"), Integer(1))]),
        );
        is(
            "*?\r\n%?\r\n+a\r\n*?\r\n.\r\n.\r\n.\r\n",
            &Array(vec![Map(vec![(simple("a"), Array(vec![]))])]),
        );
        fails_at(8, "%?\r\n:1\r\n.\r\n");
        fails_at(5, "*?\r\n.x\r\n");
        fails_at(0, ".\r\n");
        fails_at(4, "*1\r\n.\r\n");
        fails_at(0, ";1\r\na\r\n");
        fails_at(4, "*?\r\n;1\r\na\r\n");
        fails_at(1, ">?\r\n");
        fails_at(1, "|?\r\n");
    }

    #[test]
    fn depth_is_limited() {
        is(
            "*1\r\n".repeat(MAX_DEPTH - 1) + "*0\r\n",
            &(1..MAX_DEPTH).fold(Array(vec![]), |inner, _| Array(vec![inner])),
        );
        fails_at(4 * MAX_DEPTH, "*1\r\n".repeat(1_000_000));
        fails_at(4 * MAX_DEPTH, "%1\r\n".repeat(1_000_000));
        fails_at(4 * MAX_DEPTH, "|1\r\n".repeat(1_000_000));
        fails_at(4 * MAX_DEPTH, "*?\r\n".repeat(1_000_000));
    }

    #[test]
    fn announced_lengths() {
        incomplete("*1000000000\r\n");
        incomplete("$536870912\r\n");
        fails_at(0, "$536870913\r\n");
        fails_at(0, "*2147483648\r\n");
        fails_at(0, "$9223372036854775807\r\n");
        fails_at(1, "$18446744073709551616\r\n");
    }

    #[test]
    fn an_unknown_type_is_judged_at_once() {
        for bad in [b'?', b'\r', b'a', 0, 0xff] {
            fails_at(0, [bad]);
            fails_at(4, [b"*1\r\n".as_slice(), &[bad]].concat());
        }
    }
}
