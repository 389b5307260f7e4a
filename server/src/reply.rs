//! The one reply writer: handlers say what they mean, it decides what that is in RESP2 and in RESP3.

use bytes::Bytes;
use resp::{Encoder, Protocol};

use crate::fault::Fault;
use crate::output::{Mark, Output, SHARED_FROM_BYTES};
use crate::value::Element;
use crate::value::float;

/// Writes one client's replies straight into its output.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Output,
    protocol: Protocol,
}

impl<'a> Reply<'a> {
    /// A writer at the end of `out`.
    pub fn new(out: &'a mut Output, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// A writer into the same output with a shorter life, for a command that runs another one.
    pub fn reborrow(&mut self) -> Reply<'_> {
        Reply {
            out: self.out,
            protocol: self.protocol,
        }
    }

    /// The version spoken.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether maps, sets, pushes and doubles have their own types.
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// Changes the version from the next reply on (HELLO).
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn encoder(&mut self) -> Encoder<'_, Vec<u8>> {
        Encoder::new(self.out.buffer(), self.protocol)
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.out.buffer().extend_from_slice(b"+OK\r\n");
    }

    /// A simple string.
    pub fn simple(&mut self, text: &str) {
        self.encoder().simple_string(text);
    }

    /// An error. A handler returns its fault instead; this is for errors inside an aggregate (EXEC).
    pub fn error(&mut self, fault: &Fault) {
        self.encoder().simple_error(fault.text());
    }

    /// An integer.
    pub fn integer(&mut self, number: i64) {
        self.encoder().integer(number);
    }

    /// A count as an integer.
    pub fn count(&mut self, count: usize) {
        self.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A yes or no that RESP2 and RESP3 both write as an integer, as most Redis commands do.
    pub fn flag(&mut self, yes: bool) {
        self.integer(i64::from(yes));
    }

    /// A bulk string, copied.
    pub fn bulk(&mut self, bytes: impl AsRef<[u8]>) {
        self.encoder().bulk_string_copy(bytes.as_ref());
    }

    /// A bulk string, or null.
    pub fn bulk_or_null(&mut self, bytes: Option<impl AsRef<[u8]>>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// A bulk string that is not copied where it is large.
    pub fn shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_FROM_BYTES {
            return self.bulk(bytes);
        }
        let header = format!("${}\r\n", bytes.len());
        self.out.buffer().extend_from_slice(header.as_bytes());
        self.out.share(bytes.clone());
        self.out.buffer().extend_from_slice(b"\r\n");
    }

    /// A decimal number as a bulk string.
    pub fn bulk_integer(&mut self, number: i64) {
        self.bulk(&*Element::from(number));
    }

    /// The absent value: `_`, or `$-1`.
    pub fn null(&mut self) {
        self.encoder().null();
    }

    /// The absent array: `_`, or `*-1`.
    pub fn null_array(&mut self) {
        if self.is_resp3() {
            self.encoder().null();
        } else {
            self.encoder().null_array();
        }
    }

    /// A double: `,1.5`, or the same digits as a bulk string.
    pub fn double(&mut self, number: f64) {
        self.double_text(&float::format(number));
    }

    /// A double with 17 decimals at most and no exponent, as coordinates are written.
    pub fn fixed(&mut self, number: f64) {
        self.double_text(&float::format_fixed(number));
    }

    fn double_text(&mut self, text: &str) {
        if self.is_resp3() {
            let buffer = self.out.buffer();
            buffer.push(b',');
            buffer.extend_from_slice(text.as_bytes());
            buffer.extend_from_slice(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    /// A boolean: `#t`, or `:1`.
    pub fn boolean(&mut self, yes: bool) {
        self.encoder().boolean(yes);
    }

    /// A text for people: `=…txt:`, or a bulk string.
    pub fn verbatim(&mut self, text: impl AsRef<[u8]>) {
        self.encoder().verbatim_string(*b"txt", text.as_ref());
    }

    /// The header of an array of `len` replies.
    pub fn array(&mut self, len: usize) {
        self.encoder().array(len);
    }

    /// The header of a map of `pairs` keys and values; in RESP2 an array of twice as many.
    pub fn map(&mut self, pairs: usize) {
        self.encoder().map(pairs);
    }

    /// The header of an attribute of `pairs`, which describes the reply that follows; `false` in RESP2, which has none:
    /// then its pairs must not be written.
    #[must_use]
    pub fn attribute(&mut self, pairs: usize) -> bool {
        self.encoder().attribute(pairs)
    }

    /// A number of any length, in decimal digits; in RESP2 a bulk string. Null for other text.
    pub fn big_number(&mut self, digits: &str) {
        if self.encoder().big_number(digits).is_err() {
            self.null();
        }
    }

    /// The header of a set of `len` replies; in RESP2 an array.
    pub fn set(&mut self, len: usize) {
        self.encoder().set(len);
    }

    /// The header of a push of `len` replies; in RESP2 an array.
    pub fn push(&mut self, len: usize) {
        self.encoder().push(len);
    }

    /// An array of bulk strings.
    pub fn bulks<T: AsRef<[u8]>>(&mut self, items: impl ExactSizeIterator<Item = T>) {
        self.array(items.len());
        for item in items {
            self.bulk(item);
        }
    }

    /// An array of simple strings, a set in RESP3 (flags of COMMAND INFO).
    pub fn flags(&mut self, items: &[&str]) {
        self.set(items.len());
        for item in items {
            self.simple(item);
        }
    }

    /// Lines of help as arrays of simple strings.
    pub fn help(&mut self, lines: &[&str]) {
        self.array(lines.len());
        for line in lines {
            self.simple(line);
        }
    }

    /// The present end: for an aggregate whose length is known only afterwards.
    pub fn mark(&self) -> Mark {
        self.out.mark()
    }

    /// Bytes written behind `mark`, but for large payloads that are not copied.
    pub fn len_since(&self, mark: Mark) -> usize {
        self.out.len_since(mark)
    }

    /// Drops everything written behind `mark`.
    pub fn cut(&mut self, mark: Mark) {
        self.out.cut(mark);
    }

    /// Puts the header of an array of `len` replies before what was written behind `mark`.
    pub fn array_at(&mut self, mark: Mark, len: usize) {
        let mut header = Vec::with_capacity(16);
        Encoder::new(&mut header, self.protocol).array(len);
        self.out.insert(mark, &header);
    }

    /// Puts the header of a set of `len` replies before what was written behind `mark`.
    pub fn set_at(&mut self, mark: Mark, len: usize) {
        let mut header = Vec::with_capacity(16);
        Encoder::new(&mut header, self.protocol).set(len);
        self.out.insert(mark, &header);
    }

    /// Puts the header of a map of `pairs` before what was written behind `mark`.
    pub fn map_at(&mut self, mark: Mark, pairs: usize) {
        let mut header = Vec::with_capacity(16);
        Encoder::new(&mut header, self.protocol).map(pairs);
        self.out.insert(mark, &header);
    }

    /// Bytes already encoded for this client's protocol.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.buffer().extend_from_slice(bytes);
    }

    /// The output itself, for a command that runs others into it.
    pub fn output(&mut self) -> &mut Output {
        self.out
    }
}
