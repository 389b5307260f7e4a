//! What is written: elements, frames and requests, in RESP3 or in their RESP2 form.

use alloc::vec::Vec;
use core::fmt;

use crate::decimal::{format_f64, format_i64, format_u64};
use crate::frame::{Chunks, FrameRef, Items, Value};
use crate::number::check_big_number;

/// Which version of the protocol to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)]
pub enum Protocol {
    /// What a connection speaks until `HELLO 3`.
    #[default]
    Resp2,
    /// What a connection speaks after `HELLO 3`.
    Resp3,
}

/// Where an [`Encoder`] writes to.
///
/// `'p` is the lifetime of large payloads, for an output that keeps them as they are, such as [`Segments`].
pub trait Output<'p> {
    /// Takes a copy of `bytes`.
    fn put(&mut self, bytes: &[u8]);

    /// Takes a payload, as a copy unless the output does better.
    fn put_payload(&mut self, payload: &'p [u8]) {
        self.put(payload);
    }
}

impl Output<'_> for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Output<'_> for bytes::BytesMut {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// An output that only counts the bytes written to it.
///
/// ```
/// use resp::{Encoder, Length, Protocol};
///
/// let mut length = Length::default();
/// Encoder::new(&mut length, Protocol::Resp2).bulk_string("hello");
/// assert_eq!(length.bytes(), b"$5\r\nhello\r\n".len());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Length(usize);

impl Length {
    /// The bytes written so far.
    pub fn bytes(self) -> usize {
        self.0
    }
}

impl Output<'_> for Length {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// An output that leaves payloads of some size and more where they are, for a vectored write.
///
/// ```
/// use resp::{Encoder, Protocol, Segments};
///
/// let large = vec![b'x'; 100_000];
/// let arguments = [b"SET", b"key", &large[..]];
/// let mut segments = Segments::new(16 * 1024);
/// Encoder::new(&mut segments, Protocol::Resp3).request(&arguments);
/// let slices: Vec<&[u8]> = segments.iter().collect();
/// assert_eq!(slices.len(), 3);
/// assert!(std::ptr::eq(slices[1], &large[..]));
/// assert_eq!(slices.concat().len(), segments.len());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Segments<'p> {
    least: usize,
    small: Vec<u8>,
    /// Each large payload, and how much of `small` stands before it.
    large: Vec<(usize, &'p [u8])>,
}

impl Segments<'_> {
    /// Without bytes; payloads of `least` bytes and more won't be copied.
    pub fn new(least: usize) -> Self {
        Self {
            least,
            ..Self::default()
        }
    }

    /// All bytes.
    pub fn len(&self) -> usize {
        self.small.len()
            + self
                .large
                .iter()
                .map(|(_, payload)| payload.len())
                .sum::<usize>()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }

    /// The bytes in order, none of the slices empty.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = core::iter::once(0).chain(self.large.iter().map(|(at, _)| *at));
        let ends = self
            .large
            .iter()
            .map(|(at, payload)| (*at, *payload))
            .chain([(self.small.len(), &[][..])]);
        starts
            .zip(ends)
            .flat_map(|(start, (end, payload))| [&self.small[start..end], payload])
            .filter(|slice| !slice.is_empty())
    }
}

impl<'p> Output<'p> for Segments<'p> {
    fn put(&mut self, bytes: &[u8]) {
        self.small.extend_from_slice(bytes);
    }

    fn put_payload(&mut self, payload: &'p [u8]) {
        if payload.len() < self.least {
            self.put(payload);
        } else {
            self.large.push((self.small.len(), payload));
        }
    }
}

/// Writes elements one by one, whole frames, and requests.
///
/// Every method writes in the protocol given at the start. For RESP2 this is the one place that says what
/// stands for a RESP3 type: map, set and push become arrays (a map of twice its pairs), booleans the integers 1 and 0,
/// doubles, big numbers and verbatim strings bulk strings, a bulk error a simple error, null `$-1`; attributes are dropped.
///
/// Nothing is allocated besides the output. A CR or LF in a simple string or simple error is written as a
/// space, so that no text can end its line and pretend to be another element. What the encoder can't know is whether an
/// announced aggregate gets its elements: [`frame`](Self::frame) sees to that, single headers leave it to the caller.
///
/// ```
/// use resp::{Encoder, Protocol};
///
/// let mut output = Vec::new();
/// let mut encoder = Encoder::new(&mut output, Protocol::Resp3);
/// encoder.map(1);
/// encoder.bulk_string("pi");
/// encoder.double(3.14);
/// assert_eq!(output, b"%1\r\n$2\r\npi\r\n,3.14\r\n");
///
/// output.clear();
/// let mut encoder = Encoder::new(&mut output, Protocol::Resp2);
/// encoder.map(1);
/// encoder.bulk_string("pi");
/// encoder.double(3.14);
/// assert_eq!(output, b"*2\r\n$2\r\npi\r\n$4\r\n3.14\r\n");
/// ```
pub struct Encoder<'o, O: ?Sized> {
    output: &'o mut O,
    protocol: Protocol,
}

/// A text that is no big number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotABigNumber;

impl fmt::Display for NotABigNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an integer of decimal digits")
    }
}

impl core::error::Error for NotABigNumber {}

impl<'o, 'p, O: Output<'p> + ?Sized> Encoder<'o, O> {
    /// Writes to `output`, after what it holds.
    #[inline]
    pub fn new(output: &'o mut O, protocol: Protocol) -> Self {
        Self { output, protocol }
    }

    /// The protocol that is written.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn is_resp2(&self) -> bool {
        self.protocol == Protocol::Resp2
    }

    /// `+text`; each CR or LF in it becomes a space.
    pub fn simple_string(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'+', text.as_ref());
    }

    /// `-text`, a code such as `ERR`, a space and a message; each CR or LF in it becomes a space.
    pub fn simple_error(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'-', text.as_ref());
    }

    /// `:integer`
    #[inline]
    pub fn integer(&mut self, integer: i64) {
        match integer {
            // Yes, no, and small counts.
            0..10 => self.output.put(&[b':', b'0' + integer as u8, b'\r', b'\n']),
            _ => self.output.put(format_i64(integer).element(b':')),
        }
    }

    /// `$length`, the bytes
    #[inline]
    pub fn bulk_string<T: AsRef<[u8]> + ?Sized>(&mut self, text: &'p T) {
        let text = text.as_ref();
        self.header(b'$', text.len());
        self.output.put_payload(text);
        self.output.put(b"\r\n");
    }

    /// As [`bulk_string`](Self::bulk_string), for bytes that don't outlive the output.
    #[inline]
    pub fn bulk_string_copy(&mut self, text: &[u8]) {
        self.header(b'$', text.len());
        self.output.put(text);
        self.output.put(b"\r\n");
    }

    /// `_`; in RESP2 `$-1`
    pub fn null(&mut self) {
        self.output.put(if self.is_resp2() {
            b"$-1\r\n"
        } else {
            b"_\r\n"
        });
    }

    /// `$-1` in both versions
    pub fn null_bulk_string(&mut self) {
        self.output.put(b"$-1\r\n");
    }

    /// `*-1` in both versions
    pub fn null_array(&mut self) {
        self.output.put(b"*-1\r\n");
    }

    /// `#t` or `#f`; in RESP2 `:1` or `:0`
    pub fn boolean(&mut self, boolean: bool) {
        self.output.put(match (self.protocol, boolean) {
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
        });
    }

    /// `,double`, with the fewest digits that read back as the same; in RESP2 a bulk string of them
    pub fn double(&mut self, double: f64) {
        let mut text = format_f64(double);
        if self.is_resp2() {
            self.bulk_string_copy(text.as_bytes());
        } else {
            self.output.put(text.element(b','));
        }
    }

    /// `(digits`, of any length, perhaps after a sign; in RESP2 a bulk string of them
    ///
    /// # Errors
    /// When `digits` is anything else; nothing is written then.
    pub fn big_number<T: AsRef<[u8]> + ?Sized>(
        &mut self,
        digits: &'p T,
    ) -> Result<(), NotABigNumber> {
        let digits = digits.as_ref();
        check_big_number(digits).map_err(|_| NotABigNumber)?;
        if self.is_resp2() {
            self.bulk_string(digits);
        } else {
            self.output.put(b"(");
            self.output.put_payload(digits);
            self.output.put(b"\r\n");
        }
        Ok(())
    }

    /// `!length`, the bytes; in RESP2 a simple error, each CR or LF a space
    pub fn bulk_error<T: AsRef<[u8]> + ?Sized>(&mut self, text: &'p T) {
        let text = text.as_ref();
        if self.is_resp2() {
            self.simple_error(text);
        } else {
            self.header(b'!', text.len());
            self.output.put_payload(text);
            self.output.put(b"\r\n");
        }
    }

    /// `=length`, three bytes of format such as `txt`, a colon, the bytes; in RESP2 a bulk string without the format
    pub fn verbatim_string<T: AsRef<[u8]> + ?Sized>(&mut self, format: [u8; 3], text: &'p T) {
        let text = text.as_ref();
        if self.is_resp2() {
            self.bulk_string(text);
        } else {
            self.header(b'=', text.len() + 4);
            self.output.put(&[format[0], format[1], format[2], b':']);
            self.output.put_payload(text);
            self.output.put(b"\r\n");
        }
    }

    /// `*count`: so many elements are to follow
    #[inline]
    pub fn array(&mut self, count: usize) {
        self.header(b'*', count);
    }

    /// `~count`, in RESP2 `*count`: so many elements are to follow
    pub fn set(&mut self, count: usize) {
        self.header(if self.is_resp2() { b'*' } else { b'~' }, count);
    }

    /// `>count`, in RESP2 `*count`: so many elements are to follow. To be written between frames only.
    pub fn push(&mut self, count: usize) {
        self.header(if self.is_resp2() { b'*' } else { b'>' }, count);
    }

    /// `%pairs`, in RESP2 `*` of twice the number: so many keys and values are to follow
    pub fn map(&mut self, pairs: usize) {
        if self.is_resp2() {
            self.header(b'*', 2 * pairs);
        } else {
            self.header(b'%', pairs);
        }
    }

    /// `|pairs`: so many keys and values are to follow, and then the value that they describe. Returns whether they
    /// are to be written: in RESP2 nothing is, and only the value is to follow.
    #[must_use = "in RESP2 the pairs must not be written"]
    pub fn attribute(&mut self, pairs: usize) -> bool {
        if !self.is_resp2() {
            self.header(b'|', pairs);
        }
        !self.is_resp2()
    }

    /// A whole frame. In RESP3 these are the bytes that it was received as, or built from, whatever their form.
    ///
    /// Takes linear time and no recursion.
    pub fn frame(&mut self, frame: FrameRef<'p>) {
        if !self.is_resp2() {
            self.output.put_payload(frame.wire());
            return;
        }
        let mut elements = Items::level(frame);
        while let Some(element) = elements.step() {
            match element.value() {
                Value::SimpleString(text) => self.simple_string(text),
                Value::SimpleError(text) => self.simple_error(text),
                Value::Integer(integer) => self.integer(integer),
                Value::BulkString(text) => self.bulk_string(text),
                Value::StreamedString(chunks) => self.joined(chunks),
                Value::NullBulkString => self.null_bulk_string(),
                Value::NullArray => self.null_array(),
                Value::Null => self.null(),
                Value::Boolean(boolean) => self.boolean(boolean),
                Value::Double(double) => self.double(double),
                Value::BigNumber(digits) => self.bulk_string(digits),
                Value::BulkError(text) => self.bulk_error(text),
                Value::VerbatimString(format, text) => self.verbatim_string(format, text),
                Value::Array(items) => self.array(items.len()),
                Value::Set(items) => self.set(items.len()),
                Value::Push(items) => self.push(items.len()),
                Value::Map(pairs) => self.map(pairs.len()),
                Value::Attribute(_, described) => elements = elements.skip_to(described),
            }
        }
    }

    fn joined(&mut self, chunks: Chunks<'p>) {
        self.header(b'$', chunks.map(<[u8]>::len).sum());
        chunks.for_each(|chunk| self.output.put_payload(chunk));
        self.output.put(b"\r\n");
    }

    /// A request: an array of bulk strings, the command's name first.
    ///
    /// ```
    /// let mut output = Vec::new();
    /// resp::Encoder::new(&mut output, resp::Protocol::Resp2).request(&["SET", "key", "value"]);
    /// assert_eq!(output, b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n");
    /// ```
    #[inline]
    pub fn request<T: AsRef<[u8]>>(&mut self, arguments: &'p [T]) {
        self.bulk_strings(arguments);
    }

    /// A whole array of bulk strings. Costs less than its header and each [`bulk_string`](Self::bulk_string) by itself.
    pub fn bulk_strings<T: AsRef<[u8]>>(&mut self, texts: &'p [T]) {
        let mut texts = texts.iter().map(AsRef::as_ref);
        let count = texts.len();
        let Some(first) = texts.next() else {
            return self.header(b'*', 0);
        };
        // Each piece that an output takes has to wait for the length that the one before left: so the headers are
        // joined with what stands before them.
        if let (1..10, 0..10) = (count, first.len()) {
            self.output.put(&[
                b'*',
                b'0' + count as u8,
                b'\r',
                b'\n',
                b'$',
                b'0' + first.len() as u8,
                b'\r',
                b'\n',
            ]);
        } else {
            self.header(b'*', count);
            self.header(b'$', first.len());
        }
        self.output.put_payload(first);
        for text in texts {
            self.next_bulk_header(text.len());
            self.output.put_payload(text);
        }
        self.output.put(b"\r\n");
    }

    /// The end of a bulk string, and the header of the next one.
    #[inline]
    fn next_bulk_header(&mut self, length: usize) {
        let digit = |number: usize| b'0' + number as u8;
        match length {
            0..10 => self
                .output
                .put(&[b'\r', b'\n', b'$', digit(length), b'\r', b'\n']),
            10..100 => self.output.put(&[
                b'\r',
                b'\n',
                b'$',
                digit(length / 10),
                digit(length % 10),
                b'\r',
                b'\n',
            ]),
            _ => {
                self.output.put(b"\r\n");
                self.header(b'$', length);
            }
        }
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.output.put(&[kind]);
        let mut lines = text.split(|byte| matches!(byte, b'\r' | b'\n'));
        self.output.put(lines.next().unwrap_or_default());
        for line in lines {
            self.output.put(b" ");
            self.output.put(line);
        }
        self.output.put(b"\r\n");
    }

    /// The type byte, a length, CRLF; short lengths as arrays, whose copying needs no call.
    #[inline]
    fn header(&mut self, kind: u8, length: usize) {
        match length {
            0..10 => self.output.put(&[kind, b'0' + length as u8, b'\r', b'\n']),
            10..100 => {
                let (tens, ones) = (length as u8 / 10, length as u8 % 10);
                self.output
                    .put(&[kind, b'0' + tens, b'0' + ones, b'\r', b'\n']);
            }
            _ => self.output.put(format_u64(length as u64).element(kind)),
        }
    }
}

/// The bytes that [`Encoder::request`] writes for these arguments.
pub fn request_len<T: AsRef<[u8]>>(arguments: &[T]) -> usize {
    let header = |length: usize| 3 + decimal_digits(length);
    let arguments_len: usize = arguments
        .iter()
        .map(|argument| argument.as_ref().len())
        .map(|len| header(len) + len + 2)
        .sum();
    header(arguments.len()) + arguments_len
}

/// The bytes that [`Encoder::frame`] writes for this frame.
///
/// ```
/// let frame = resp::Frame::map([("k".into(), 1.into())]);
/// assert_eq!(resp::frame_len(frame.as_ref(), resp::Protocol::Resp3), "%1\r\n$1\r\nk\r\n:1\r\n".len());
/// ```
pub fn frame_len(frame: FrameRef<'_>, protocol: Protocol) -> usize {
    let mut length = Length::default();
    Encoder::new(&mut length, protocol).frame(frame);
    length.bytes()
}

fn decimal_digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}
