//! The grammar of the wire: one nom parser for each element, flat, without allocation or recursion.
//!
//! An aggregate is its header alone: `*2\r\n` parses as [`Element::Array`]`(2)` and its elements are the
//! next ones in the input. This is all of RESP that a program without an allocator needs; the decoders of
//! this crate put frames and requests together from it.
//!
//! Each parser is a nom streaming parser: [`nom::Err::Incomplete`] asks for more input, an error is final.
//! An element is judged when it is whole (its line has ended, or its announced payload is there), so that
//! the verdict doesn't depend on how the input was cut. Only a first byte that no type has, and whatever
//! exceeds the [`Limits`], is refused earlier.
//!
//! ```
//! use resp::{Limits, grammar::{element, Element}};
//!
//! let limits = Limits::client();
//! let (rest, header) = element(b"*2\r\n$3\r\nkey\r\n:7\r\n", &limits).unwrap();
//! let (rest, key) = element(rest, &limits).unwrap();
//! let (rest, value) = element(rest, &limits).unwrap();
//! assert_eq!((header, key, value), (Element::Array(2), Element::BulkString(b"key"), Element::Integer(7)));
//! assert!(rest.is_empty());
//! assert!(element(b"$3\r\nke", &limits).unwrap_err().is_incomplete());
//! ```

// A parser of some ten instructions, called for each element, is worth more inlined than called.
#![allow(clippy::inline_always)]

use nom::combinator::{map, value};
use nom::error::ParseError;
use nom::sequence::preceded;
use nom::{Err, IResult, Needed, Parser, bytes::streaming::tag};

use crate::limits::SHORT_DIGITS;
use crate::number::{NotANumber, check_big_number, parse_f64, parse_i64};
use crate::{ErrorKind, Limits};

/// One element of the wire: a scalar with its payload, or the header of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Element<'a> {
    /// `+OK`
    SimpleString(&'a [u8]),
    /// `-ERR text`
    SimpleError(&'a [u8]),
    /// `:42`
    Integer(i64),
    /// `$3`, three bytes
    BulkString(&'a [u8]),
    /// `$-1`
    NullBulkString,
    /// `*-1`
    NullArray,
    /// `_`
    Null,
    /// `#t`, `#f`
    Boolean(bool),
    /// `,1.5`
    Double(f64),
    /// `(` and decimal digits, perhaps after a sign
    BigNumber(&'a [u8]),
    /// `!5`, five bytes
    BulkError(&'a [u8]),
    /// `=7`, three bytes of format, a colon, the text
    VerbatimString([u8; 3], &'a [u8]),
    /// `*2`: so many elements follow
    Array(usize),
    /// `~2`: so many elements follow
    Set(usize),
    /// `>2`: so many elements follow
    Push(usize),
    /// `%2`: so many pairs follow
    Map(usize),
    /// `|2`: so many pairs follow, then the value that they describe
    Attribute(usize),
    /// `$?`: chunks follow, up to an empty one
    StreamedString,
    /// `;4`, four bytes; empty at the end of the string
    Chunk(&'a [u8]),
    /// `*?`: elements follow, up to an end marker
    StreamedArray,
    /// `~?`: elements follow, up to an end marker
    StreamedSet,
    /// `%?`: pairs follow, up to an end marker
    StreamedMap,
    /// `.`: the end marker
    End,
}

/// What is wrong with the input, and how many bytes of it were left where it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The bytes from the fault to the end of the input: `input.len() - rest` is the fault's index.
    pub rest: usize,
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], _: nom::error::ErrorKind) -> Self {
        Self {
            kind: ErrorKind::UnknownType,
            rest: input.len(),
        }
    }

    fn append(_: &[u8], _: nom::error::ErrorKind, first: Self) -> Self {
        first
    }
}

/// The outcome of a parser: the rest of the input and what was parsed.
pub type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// `element = simple-string / simple-error / integer / … / end`: whichever the first byte announces.
///
/// # Errors
/// [`nom::Err::Incomplete`] when the element goes on after the input, else the [`Fault`].
#[inline(always)]
pub fn element<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, Element<'a>> {
    match input.first() {
        Some(b'$') => bulk_string(input, limits),
        Some(b'+') => map(|input| simple_string(input, limits), Element::SimpleString).parse(input),
        Some(b':') => map(|input| integer(input, limits), Element::Integer).parse(input),
        Some(b'*') => array(input, limits),
        Some(_) => rare_element(input, limits),
        None => Err(Err::Incomplete(Needed::new(1))),
    }
}

/// The elements that don't come by the million: kept out of the hot loop's instructions.
#[inline(never)]
fn rare_element<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, Element<'a>> {
    match input.first() {
        Some(b'-') => map(|input| simple_error(input, limits), Element::SimpleError).parse(input),
        Some(b'%') => map_header(input, limits),
        Some(b'~') => set(input, limits),
        Some(b'>') => map(|input| push(input, limits), Element::Push).parse(input),
        Some(b'|') => map(|input| attribute(input, limits), Element::Attribute).parse(input),
        Some(b'_') => value(Element::Null, |input| null(input, limits)).parse(input),
        Some(b'#') => map(|input| boolean(input, limits), Element::Boolean).parse(input),
        Some(b',') => map(|input| double(input, limits), Element::Double).parse(input),
        Some(b'(') => map(|input| big_number(input, limits), Element::BigNumber).parse(input),
        Some(b'!') => map(|input| bulk_error(input, limits), Element::BulkError).parse(input),
        Some(b'=') => verbatim_string(input, limits),
        Some(b';') => map(|input| chunk(input, limits), Element::Chunk).parse(input),
        Some(b'.') => value(Element::End, |input| end(input, limits)).parse(input),
        _ => fail(ErrorKind::UnknownType, input),
    }
}

/// `simple-string = "+" line`
#[inline(always)]
pub(crate) fn simple_string<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, &'a [u8]> {
    preceded(tag("+"), |input| line(input, limits)).parse(input)
}

/// `simple-error = "-" line`
fn simple_error<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, &'a [u8]> {
    preceded(tag("-"), |input| line(input, limits)).parse(input)
}

/// `integer = ":" [ "+" / "-" ] 1*DIGIT CRLF`, in 64 bits
#[inline(always)]
pub(crate) fn integer<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, i64> {
    preceded(tag(":"), |input| decimal(input, limits)).parse(input)
}

/// `bulk-string = "$" length CRLF *OCTET CRLF / "$-1" CRLF / "$?" CRLF`
#[inline(always)]
pub(crate) fn bulk_string<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, Element<'a>> {
    let (rest, length) = preceded(tag("$"), |input| length(input, limits)).parse(input)?;
    match length {
        Length::Known(length) => map(
            |rest| payload(rest, length, input, limits),
            Element::BulkString,
        )
        .parse(rest),
        Length::Null => Ok((rest, Element::NullBulkString)),
        Length::Streamed => Ok((rest, Element::StreamedString)),
    }
}

/// `array = "*" length CRLF / "*-1" CRLF / "*?" CRLF`
#[inline(always)]
fn array<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, Element<'a>> {
    let (rest, length) = preceded(tag("*"), |input| length(input, limits)).parse(input)?;
    match length {
        Length::Known(count) => map(
            |rest| elements(rest, count, 1, input, limits),
            Element::Array,
        )
        .parse(rest),
        Length::Null => Ok((rest, Element::NullArray)),
        Length::Streamed => Ok((rest, Element::StreamedArray)),
    }
}

/// `set = "~" length CRLF / "~?" CRLF`
fn set<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, Element<'a>> {
    let (rest, length) = preceded(tag("~"), |input| length(input, limits)).parse(input)?;
    match length {
        Length::Known(count) => {
            map(|rest| elements(rest, count, 1, input, limits), Element::Set).parse(rest)
        }
        Length::Null => fail(ErrorKind::InvalidLength, &input[1..]),
        Length::Streamed => Ok((rest, Element::StreamedSet)),
    }
}

/// `map = "%" length CRLF / "%?" CRLF`, counting pairs
fn map_header<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, Element<'a>> {
    let (rest, length) = preceded(tag("%"), |input| length(input, limits)).parse(input)?;
    match length {
        Length::Known(count) => {
            map(|rest| elements(rest, count, 2, input, limits), Element::Map).parse(rest)
        }
        Length::Null => fail(ErrorKind::InvalidLength, &input[1..]),
        Length::Streamed => Ok((rest, Element::StreamedMap)),
    }
}

/// `push = ">" length CRLF`
fn push<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, usize> {
    let (rest, count) = preceded(tag(">"), |input| known_length(input, limits)).parse(input)?;
    elements(rest, count, 1, input, limits)
}

/// `attribute = "|" length CRLF`, counting pairs
fn attribute<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, usize> {
    let (rest, count) = preceded(tag("|"), |input| known_length(input, limits)).parse(input)?;
    elements(rest, count, 2, input, limits)
}

/// `null = "_" CRLF`
fn null<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, ()> {
    let (rest, text) = preceded(tag("_"), |input| line(input, limits)).parse(input)?;
    if text.is_empty() {
        Ok((rest, ()))
    } else {
        fail(ErrorKind::InvalidNull, &input[1..])
    }
}

/// `boolean = "#" ( "t" / "f" ) CRLF`
fn boolean<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, bool> {
    let (rest, text) = preceded(tag("#"), |input| line(input, limits)).parse(input)?;
    match text {
        b"t" => Ok((rest, true)),
        b"f" => Ok((rest, false)),
        [b't' | b'f', ..] => fail(ErrorKind::InvalidBoolean, &input[2..]),
        _ => fail(ErrorKind::InvalidBoolean, &input[1..]),
    }
}

/// `double = "," ( [sign] 1*DIGIT ["." 1*DIGIT] [("e" / "E") [sign] 1*DIGIT] / [sign] "inf" / nan ) CRLF`
fn double<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, f64> {
    let (rest, text) = preceded(tag(","), |input| line(input, limits)).parse(input)?;
    match parse_f64(text) {
        Ok(double) => Ok((rest, double)),
        Err(NotANumber::Invalid(at)) => fail(ErrorKind::InvalidDouble, &input[1 + at..]),
        Err(NotANumber::OutOfRange) => fail(ErrorKind::DoubleOutOfRange, input),
    }
}

/// `big-number = "(" [sign] 1*DIGIT CRLF`
fn big_number<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, &'a [u8]> {
    let (rest, text) = preceded(tag("("), |input| line(input, limits)).parse(input)?;
    match check_big_number(text) {
        Ok(()) => Ok((rest, text)),
        Err(at) => fail(ErrorKind::InvalidBigNumber, &input[1 + at..]),
    }
}

/// `bulk-error = "!" length CRLF *OCTET CRLF`
fn bulk_error<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, &'a [u8]> {
    let (rest, length) = preceded(tag("!"), |input| known_length(input, limits)).parse(input)?;
    payload(rest, length, input, limits)
}

/// `verbatim-string = "=" length CRLF 3OCTET ":" *OCTET CRLF`
fn verbatim_string<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, Element<'a>> {
    let (rest, length) = preceded(tag("="), |input| known_length(input, limits)).parse(input)?;
    if length < 4 {
        return fail(ErrorKind::InvalidVerbatimString, &input[1..]);
    }
    let (after, text) = payload(rest, length, input, limits)?;
    match text {
        [a, b, c, b':', text @ ..] => Ok((after, Element::VerbatimString([*a, *b, *c], text))),
        _ => fail(
            ErrorKind::InvalidVerbatimString,
            rest.get(3..).unwrap_or_default(),
        ),
    }
}

/// `chunk = ";" length CRLF *OCTET CRLF / ";0" CRLF`
fn chunk<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, &'a [u8]> {
    let (rest, length) = preceded(tag(";"), |input| known_length(input, limits)).parse(input)?;
    if length == 0 {
        Ok((rest, &[]))
    } else {
        payload(rest, length, input, limits)
    }
}

/// `end = "." CRLF`
fn end<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, ()> {
    let (rest, text) = preceded(tag("."), |input| line(input, limits)).parse(input)?;
    if text.is_empty() {
        Ok((rest, ()))
    } else {
        fail(ErrorKind::UnexpectedEnd, &input[1..])
    }
}

/// What stands where a length can stand.
#[derive(Clone, Copy)]
enum Length {
    Known(usize),
    Null,
    Streamed,
}

/// `length CRLF`, with `length = "0" / %x31-39 *DIGIT / "-1" / "?"`
#[inline(always)]
fn length<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, Length> {
    match short_decimal(input) {
        Some((rest, count, digits)) if digits == 1 || input[0] != b'0' => Ok((
            rest,
            Length::Known(usize::try_from(count).unwrap_or(usize::MAX)),
        )),
        _ => unusual_length(input, limits),
    }
}

#[cold]
fn unusual_length<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, Length> {
    let (rest, text) = line(input, limits)?;
    match text {
        b"-1" => Ok((rest, Length::Null)),
        b"?" => Ok((rest, Length::Streamed)),
        _ => match parse_i64(text, true) {
            Ok(length) => match usize::try_from(length) {
                Ok(length) => Ok((rest, Length::Known(length))),
                Err(_) => fail(ErrorKind::InvalidLength, input),
            },
            Err(NotANumber::OutOfRange) => fail(ErrorKind::InvalidLength, input),
            Err(NotANumber::Invalid(at)) => fail(ErrorKind::InvalidLength, &input[at..]),
        },
    }
}

/// `length CRLF`, for types that have neither a null nor a streamed form
fn known_length<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, usize> {
    match length(input, limits)? {
        (rest, Length::Known(length)) => Ok((rest, length)),
        _ => fail(ErrorKind::InvalidLength, input),
    }
}

/// The count of an aggregate's header, within the limits; `each` elements are announced by one of it.
#[inline(always)]
fn elements<'a>(
    rest: &'a [u8],
    count: usize,
    each: usize,
    element: &[u8],
    limits: &Limits,
) -> Parsed<'a, usize> {
    match count.checked_mul(each) {
        Some(elements) if elements <= limits.elements => Ok((rest, count)),
        _ => fail(ErrorKind::TooManyElements, element),
    }
}

/// `length*OCTET CRLF`; `element` is where the element began.
#[inline(always)]
fn payload<'a>(
    input: &'a [u8],
    length: usize,
    element: &[u8],
    limits: &Limits,
) -> Parsed<'a, &'a [u8]> {
    if length > limits.bulk_bytes {
        return fail(ErrorKind::BulkTooLong, element);
    }
    match input.split_at_checked(length) {
        Some((text, [b'\r', b'\n', rest @ ..])) => Ok((rest, text)),
        Some((_, after @ [_, _, ..])) => {
            let matching = usize::from(after[0] == b'\r');
            fail(ErrorKind::MissingTerminator, &after[matching..])
        }
        _ => Err(Err::Incomplete(Needed::new(
            length.saturating_add(2).saturating_sub(input.len()),
        ))),
    }
}

/// `[ "+" / "-" ] 1*DIGIT CRLF`
#[inline(always)]
fn decimal<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, i64> {
    match short_decimal(input) {
        Some((rest, value, digits)) if digits == 1 || input[0] != b'0' => Ok((rest, value as i64)),
        _ => unusual_decimal(input, limits),
    }
}

#[inline(never)]
fn unusual_decimal<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, i64> {
    let (rest, text) = line(input, limits)?;
    match parse_i64(text, limits.strict) {
        Ok(integer) => Ok((rest, integer)),
        Err(NotANumber::Invalid(at)) => fail(ErrorKind::InvalidInteger, &input[at..]),
        Err(NotANumber::OutOfRange) => fail_before(ErrorKind::IntegerOutOfRange, input),
    }
}

/// `1*18DIGIT CRLF` and the number of digits, or nothing where the input holds anything else.
#[inline(always)]
pub(crate) fn short_decimal(input: &[u8]) -> Option<(&[u8], u64, usize)> {
    match input {
        [a @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => Some((rest, digit(*a), 1)),
        [a @ b'0'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => {
            Some((rest, 10 * digit(*a) + digit(*b), 2))
        }
        _ => longer_decimal(input),
    }
}

#[inline(always)]
fn longer_decimal(input: &[u8]) -> Option<(&[u8], u64, usize)> {
    let mut value = 0;
    let mut digits = 0;
    for byte in input
        .iter()
        .take(SHORT_DIGITS)
        .take_while(|byte| byte.is_ascii_digit())
    {
        value = value * 10 + digit(*byte);
        digits += 1;
    }
    match input.get(digits..) {
        Some([b'\r', b'\n', rest @ ..]) if digits > 0 => Some((rest, value, digits)),
        _ => None,
    }
}

#[inline(always)]
fn digit(byte: u8) -> u64 {
    u64::from(byte.wrapping_sub(b'0'))
}

/// `line = *( %x00-09 / %x0B-0C / %x0E-FF ) CRLF`
#[inline(always)]
pub(crate) fn line<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, &'a [u8]> {
    let limit = limits.longest_line();
    match line_break(input) {
        Some(at) if at > limit => fail_before(ErrorKind::LineTooLong, input),
        Some(at) => match &input[at..] {
            [b'\r', b'\n', rest @ ..] => Ok((rest, &input[..at])),
            [b'\r'] => Err(Err::Incomplete(Needed::new(1))),
            bare => fail(ErrorKind::BareLineBreak, bare),
        },
        None if input.len() > limit => fail_before(ErrorKind::LineTooLong, input),
        None => Err(Err::Incomplete(Needed::new(2))),
    }
}

/// The index of the first CR or LF. Most lines are shorter than what memchr needs to get going.
#[inline(always)]
pub(crate) fn line_break(input: &[u8]) -> Option<usize> {
    if let Some(word) = input.first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let found = zero_bytes(word ^ repeated(b'\r')) | zero_bytes(word ^ repeated(b'\n'));
        if found != 0 {
            return Some(found.trailing_zeros() as usize / 8);
        }
    }
    long_line_break(input)
}

#[inline(never)]
fn long_line_break(input: &[u8]) -> Option<usize> {
    if input.len() < 8 {
        // What a cut leaves of a header.
        return input.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    }
    memchr::memchr2(b'\r', b'\n', input)
}

const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The highest bit of each byte that is zero; the lowest such bit is always right, those above may not be.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(repeated(1)) & !word & repeated(0x80)
}

#[cold]
pub(crate) fn fail<'a, T>(kind: ErrorKind, at: &[u8]) -> Parsed<'a, T> {
    Err(Err::Failure(Fault {
        kind,
        rest: at.len(),
    }))
}

/// Fails at the type byte in front of `line`.
#[cold]
fn fail_before<'a, T>(kind: ErrorKind, line: &[u8]) -> Parsed<'a, T> {
    Err(Err::Failure(Fault {
        kind,
        rest: line.len() + 1,
    }))
}
