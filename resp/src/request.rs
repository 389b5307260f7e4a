//! What a server reads: requests, as multibulk or inline, many at once.

// An argument is parsed in some twenty instructions: a call would cost as much.
#![allow(clippy::inline_always)]

use alloc::vec::Vec;
use core::fmt;

use nom::bytes::streaming::tag;
use nom::sequence::preceded;
use nom::{Err, Needed, Parser};

use crate::grammar::{Fault, Parsed, fail, short_decimal};
use crate::inline::split_arguments;
use crate::number::parse_i64;
use crate::{Error, ErrorKind, Limits};

/// Reads requests from bytes that arrive in pieces of any size.
///
/// Used as a [`Decoder`](crate::Decoder): the caller owns the buffer, appends what arrives, calls
/// [`decode`](Self::decode), uses the requests and drops the [`consumed`](Requests::consumed) bytes.
/// Arguments are borrowed from the buffer. Of one request 8 bytes are kept for each argument, once it has arrived.
///
/// A request is an array of bulk strings, or a line of words ([`Requests`] tells nothing of the difference).
/// Empty requests (`*0`, `*-1`, an empty line) are skipped, as every server skips them.
///
/// ```
/// use resp::{Limits, RequestDecoder};
///
/// let mut decoder = RequestDecoder::new(Limits::server());
/// let requests = decoder.decode(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nSET k \"two words\"\r\n*1\r\n$4\r\nPI")?;
/// let texts: Vec<String> = requests.iter().map(|request| format!("{request:?}")).collect();
/// assert_eq!(texts, [r#"["GET", "k"]"#, r#"["SET", "k", "two words"]"#]);
/// assert_eq!(requests.consumed(), 39);
/// # Ok::<(), resp::Error>(())
/// ```
pub struct RequestDecoder {
    limits: Limits,
    /// Arguments of the last call's requests, then of the one under way.
    spans: Vec<Span>,
    ends: Vec<End>,
    /// The arguments of inline requests, unquoted.
    words: Vec<u8>,
    /// The first span of the request under way.
    first_span: usize,
    /// Where in the buffer the request under way starts: what the caller has to drop before the next call.
    request_at: usize,
    /// Where in the buffer the next argument, or request, starts.
    at: usize,
    /// The buffer length below which the next argument cannot be whole.
    needed: usize,
    /// Bytes of the next line known not to hold its end.
    scanned: usize,
    /// Arguments to come of the request under way.
    left: usize,
    /// Bytes dropped from the front of the buffer so far.
    offset: u64,
    error: Option<Error>,
}

/// An argument's place, in the buffer or among the words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    #[inline]
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes
            .get(start..start + self.len as usize)
            .unwrap_or_default()
    }
}

/// Where the spans of a request end.
#[derive(Clone, Copy)]
struct End {
    span: u32,
    inline: bool,
}

/// Span memory worth keeping for the next requests, in arguments.
const KEPT_SPANS: usize = 64 << 10;

impl RequestDecoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            spans: Vec::new(),
            ends: Vec::new(),
            words: Vec::new(),
            first_span: 0,
            request_at: 0,
            at: 0,
            needed: 0,
            scanned: 0,
            left: 0,
            offset: 0,
            error: None,
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Puts other limits in force, such as those of a client that has authenticated, from the next argument on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Every whole request at the start of `buffer`, which begins with the bytes that the last call didn't consume.
    ///
    /// Takes time linear in the bytes added since the last call.
    ///
    /// # Errors
    /// When the request that comes next breaks the protocol or the limits. Requests before it are returned first,
    /// and the error by the next call. It is then returned by each call until [`reset`](Self::reset).
    pub fn decode<'a>(&'a mut self, buffer: &'a [u8]) -> Result<Requests<'a>, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.drop_finished();
        if buffer.len() >= self.needed.max(self.at)
            && let Err(Stop { kind, at }) = self.requests(buffer)
        {
            let error = Error {
                kind,
                offset: self.offset + at as u64,
            };
            self.error = Some(error);
            if self.ends.is_empty() {
                return Err(error);
            }
        }
        Ok(Requests {
            buffer,
            words: &self.words,
            spans: &self.spans,
            ends: &self.ends,
            first_span: 0,
            consumed: self.request_at,
        })
    }

    /// How many bytes are missing at least before the request under way, or the next one, can be whole.
    ///
    /// It may be as much as [`Limits::bulk_bytes`]: a hint for reading, not for allocating.
    pub fn missing(&self, buffer: &[u8]) -> usize {
        (self.needed.max(self.at) - self.request_at)
            .saturating_sub(buffer.len())
            .max(1)
    }

    /// Bytes consumed since the decoder was made or reset: the stream offset of what comes next.
    pub fn offset(&self) -> u64 {
        self.offset + self.request_at as u64
    }

    /// Forgets an error, and the request under way: the decoder is as new, its memory kept.
    pub fn reset(&mut self) {
        let (mut spans, mut ends) = (
            core::mem::take(&mut self.spans),
            core::mem::take(&mut self.ends),
        );
        spans.clear();
        ends.clear();
        *self = Self {
            spans,
            ends,
            ..Self::new(self.limits)
        };
    }

    /// Forgets the requests handed out by the last call, whose bytes are gone from the buffer by now.
    #[inline]
    fn drop_finished(&mut self) {
        self.ends.clear();
        if self.request_at == 0 {
            return;
        }
        if self.first_span == self.spans.len() {
            self.spans.clear();
            self.spans.shrink_to(KEPT_SPANS);
            self.ends.shrink_to(KEPT_SPANS);
        } else {
            self.spans.drain(..self.first_span);
            for span in &mut self.spans {
                span.start -= self.request_at as u32;
            }
        }
        if !self.words.is_empty() {
            self.words.clear();
            self.words.shrink_to(KEPT_SPANS);
        }
        self.first_span = 0;
        self.offset += self.request_at as u64;
        self.at -= self.request_at;
        self.needed = self.needed.saturating_sub(self.request_at);
        self.request_at = 0;
    }

    /// Finds whole requests up to one that is not.
    fn requests(&mut self, buffer: &[u8]) -> Result<(), Stop> {
        // As a rule the bound on a request is beyond the buffer's end, and that is asked once.
        let within = buffer.len() <= self.request_bytes().min(u32::MAX as usize);
        loop {
            let input = if within {
                buffer
            } else {
                let bound = self.request_at.saturating_add(self.request_bytes());
                &buffer[..buffer.len().min(bound).min(u32::MAX as usize)]
            };
            let mut rest = &input[self.at.min(input.len())..];
            if self.left == 0 {
                let first = match rest.first() {
                    None => return self.unfinished(rest, &Err::Incomplete(Needed::new(1))),
                    Some(b'*') => multibulk(rest, self.scanned, &self.limits),
                    Some(_) => {
                        if !self.inline(rest)? {
                            return Ok(());
                        }
                        continue;
                    }
                };
                match first {
                    Ok((after, count)) => {
                        rest = after;
                        self.left = count;
                        self.scanned = 0;
                    }
                    Err(error) => return self.unfinished(rest, &error),
                }
            }
            let (mut left, mut scanned) = (self.left, core::mem::take(&mut self.scanned));
            while left > 0 {
                match argument(rest, scanned, &self.limits) {
                    Ok((after, len)) => {
                        let end = input.len() - after.len();
                        self.spans.push(Span {
                            start: (end - len - 2) as u32,
                            len: len as u32,
                        });
                        left -= 1;
                        scanned = 0;
                        rest = after;
                    }
                    Err(error) => {
                        self.left = left;
                        self.scanned = scanned;
                        self.at = input.len() - rest.len();
                        return self.unfinished(rest, &error);
                    }
                }
            }
            self.left = 0;
            self.advance(input.len() - rest.len());
            self.finish(false);
        }
    }

    #[inline(always)]
    fn advance(&mut self, to: usize) {
        self.at = to;
        self.scanned = 0;
    }

    /// Ends the request under way; one without arguments is none.
    #[inline(always)]
    fn finish(&mut self, inline: bool) {
        if self.spans.len() > self.first_span {
            self.first_span = self.spans.len();
            self.ends.push(End {
                span: self.first_span as u32,
                inline,
            });
        }
        self.request_at = self.at;
    }

    /// Takes the line of words at `rest`: whether it has ended.
    #[cold]
    fn inline(&mut self, rest: &[u8]) -> Result<bool, Stop> {
        match raw_line(
            rest,
            self.scanned,
            ErrorKind::TooBigInlineRequest,
            &self.limits,
        ) {
            Ok((after, line)) => {
                split_arguments(line, &mut self.words, |start, len| {
                    self.spans.push(Span {
                        start: start as u32,
                        len: len as u32,
                    });
                })
                .map_err(|at| Stop {
                    kind: ErrorKind::UnbalancedQuotes,
                    at: self.at + at,
                })?;
                self.advance(self.at + rest.len() - after.len());
                self.finish(true);
                Ok(true)
            }
            Err(error) => self.unfinished(rest, &error).map(|()| false),
        }
    }

    /// Notes why what stands at `rest` is not whole, or fails.
    #[cold]
    fn unfinished(&mut self, rest: &[u8], error: &Err<Fault>) -> Result<(), Stop> {
        let missing = match error {
            Err::Incomplete(Needed::Size(missing)) => missing.get(),
            Err::Incomplete(Needed::Unknown) => 1,
            Err::Error(Fault { kind, rest: left }) | Err::Failure(Fault { kind, rest: left }) => {
                return Err(Stop {
                    kind: *kind,
                    at: self.at + rest.len() - left,
                });
            }
        };
        let end = self.at + rest.len();
        self.needed = end.saturating_add(missing);
        if self.needed - self.request_at > self.request_bytes() {
            return Err(Stop {
                kind: ErrorKind::FrameTooLong,
                at: self.at,
            });
        }
        if memchr::memchr(b'\n', rest.get(self.scanned..).unwrap_or_default()).is_none() {
            self.scanned = rest.len();
        }
        Ok(())
    }

    /// The bound on a request's bytes: a span counts them in 32 bits.
    fn request_bytes(&self) -> usize {
        self.limits.frame_bytes.min(u32::MAX as usize)
    }
}

impl fmt::Debug for RequestDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestDecoder")
            .field("limits", &self.limits)
            .field("offset", &self.offset())
            .field("left", &self.left)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A fault and its index in the buffer.
struct Stop {
    kind: ErrorKind,
    at: usize,
}

/// `multibulk = "*" count CRLF`; a count below 1 is an empty request.
#[inline(always)]
#[allow(clippy::redundant_closure)] // As in `argument`.
fn multibulk<'a>(input: &'a [u8], scanned: usize, limits: &Limits) -> Parsed<'a, usize> {
    match preceded(tag("*"), |input| short(input)).parse(input) {
        // Nine digits are within the 32 bits that a count may have.
        Ok((rest, count)) if count <= limits.elements => Ok((rest, count)),
        _ => unusual_multibulk(input, scanned, limits),
    }
}

#[cold]
fn unusual_multibulk<'a>(input: &'a [u8], scanned: usize, limits: &Limits) -> Parsed<'a, usize> {
    let (rest, line) = raw_line(input, scanned, ErrorKind::TooBigMultibulkCount, limits)?;
    match number(line) {
        Some(count) if count <= 0 => Ok((rest, 0)),
        Some(count) if count > i64::from(i32::MAX) => {
            fail(ErrorKind::InvalidMultibulkLength, input)
        }
        Some(count) if count as usize > limits.elements => fail(
            if limits.unauthenticated {
                ErrorKind::UnauthenticatedMultibulkLength
            } else {
                ErrorKind::InvalidMultibulkLength
            },
            input,
        ),
        Some(count) => Ok((rest, count as usize)),
        None => fail(ErrorKind::InvalidMultibulkLength, input),
    }
}

/// `argument = "$" length CRLF *OCTET CRLF`: the length, with the rest after the argument
#[inline(always)]
#[allow(clippy::redundant_closure)] // nom calls a function, but a closure, which is only here, is inlined.
fn argument<'a>(input: &'a [u8], scanned: usize, limits: &Limits) -> Parsed<'a, usize> {
    let (rest, length) = match preceded(tag("$"), |input| short(input)).parse(input) {
        Ok((rest, length)) if length <= limits.bulk_bytes => (rest, length),
        _ => unusual_length(input, scanned, limits)?,
    };
    match rest.get(length..) {
        Some([b'\r', b'\n', after @ ..]) => Ok((after, length)),
        Some(after @ [first, _, ..]) => fail(
            ErrorKind::MissingTerminator,
            &after[usize::from(*first == b'\r')..],
        ),
        _ => Err(Err::Incomplete(Needed::new(length + 2 - rest.len()))),
    }
}

#[cold]
fn unusual_length<'a>(input: &'a [u8], scanned: usize, limits: &Limits) -> Parsed<'a, usize> {
    match input.first() {
        None => return Err(Err::Incomplete(Needed::new(1))),
        Some(b'$') => {}
        Some(byte) => return fail(ErrorKind::ExpectedBulkString(*byte), input),
    }
    let (rest, line) = raw_line(input, scanned, ErrorKind::TooBigBulkCount, limits)?;
    match number(line).map(usize::try_from) {
        Some(Ok(length)) if length <= limits.bulk_bytes => Ok((rest, length)),
        Some(Ok(_)) if limits.unauthenticated => fail(ErrorKind::UnauthenticatedBulkLength, input),
        _ => fail(ErrorKind::InvalidBulkLength, input),
    }
}

/// `1*9DIGIT CRLF`, without a needless zero in front
#[inline(always)]
fn short(input: &[u8]) -> Parsed<'_, usize> {
    match short_decimal(input) {
        Some((rest, value, digits)) if digits < 10 && (digits == 1 || input[0] != b'0') => {
            Ok((rest, value as usize))
        }
        _ => Err(Err::Incomplete(Needed::Unknown)),
    }
}

/// The number in a line, after its type byte and before its CR.
fn number(line: &[u8]) -> Option<i64> {
    match line {
        [_, digits @ .., b'\r'] => parse_i64(digits, true).ok(),
        _ => None,
    }
}

/// `raw-line = *OCTET LF`, none of the `scanned` first bytes being the LF; without the LF.
fn raw_line<'a>(
    input: &'a [u8],
    scanned: usize,
    too_big: ErrorKind,
    limits: &Limits,
) -> Parsed<'a, &'a [u8]> {
    match memchr::memchr(b'\n', input.get(scanned..).unwrap_or_default()) {
        Some(at) if scanned + at <= limits.longest_line() => {
            Ok((&input[scanned + at + 1..], &input[..scanned + at]))
        }
        None if input.len() <= limits.longest_line() => Err(Err::Incomplete(Needed::new(1))),
        _ => fail(too_big, input),
    }
}

/// The whole requests at the start of a buffer.
#[derive(Clone, Copy)]
pub struct Requests<'a> {
    buffer: &'a [u8],
    words: &'a [u8],
    spans: &'a [Span],
    ends: &'a [End],
    first_span: usize,
    consumed: usize,
}

impl<'a> Requests<'a> {
    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes that the requests take, to be dropped from the front of the buffer before the next call.
    /// More than zero without a request when there were empty ones.
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// The requests in their order.
    #[must_use]
    pub fn iter(&self) -> Self {
        *self
    }

    /// The inline requests' bytes, all spans, and for each request where its spans end and whether it is inline.
    pub(crate) fn parts(self) -> (&'a [u8], &'a [Span], Vec<(u32, bool)>) {
        (
            self.words,
            self.spans,
            self.ends.iter().map(|end| (end.span, end.inline)).collect(),
        )
    }
}

impl<'a> IntoIterator for &Requests<'a> {
    type Item = RequestRef<'a>;
    type IntoIter = Requests<'a>;

    fn into_iter(self) -> Requests<'a> {
        *self
    }
}

impl<'a> Iterator for Requests<'a> {
    type Item = RequestRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<RequestRef<'a>> {
        let (end, ends) = self.ends.split_first()?;
        let spans = self.spans.get(self.first_span..end.span as usize)?;
        self.ends = ends;
        self.first_span = end.span as usize;
        Some(RequestRef {
            bytes: if end.inline { self.words } else { self.buffer },
            spans,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ends.len(), Some(self.ends.len()))
    }
}

impl ExactSizeIterator for Requests<'_> {}

impl core::iter::FusedIterator for Requests<'_> {}

impl fmt::Debug for Requests<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// A request, borrowed from the bytes it was decoded from: its arguments, the command's name first.
#[derive(Clone, Copy)]
pub struct RequestRef<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> RequestRef<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// How many arguments there are, the command's name among them: one at least.
    #[inline]
    #[allow(clippy::len_without_is_empty)] // A request is never empty.
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// The argument at an index, the command's name at 0.
    #[inline]
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| span.of(self.bytes))
    }

    /// The arguments in their order.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator {
        self.spans.iter().map(move |span| span.of(self.bytes))
    }
}

impl PartialEq for RequestRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for RequestRef<'_> {}

impl fmt::Debug for RequestRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, argument) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}\"{}\"", argument.escape_ascii())?;
        }
        f.write_str("]")
    }
}
