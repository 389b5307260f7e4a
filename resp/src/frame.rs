//! A frame as a view: its wire bytes and a flat index of its elements.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use crate::number::{parse_f64, parse_i64};

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SimpleString,
    SimpleError,
    Integer,
    BulkString,
    NullBulkString,
    NullArray,
    Null,
    Boolean,
    Double,
    BigNumber,
    BulkError,
    VerbatimString,
    Array,
    Set,
    Push,
    Map,
    Attribute,
    StreamedString,
    /// Stands only below a streamed string.
    Chunk,
    /// Closes a streamed string or aggregate, as the last node below it.
    End,
}

/// One element of a frame: where it stands in the wire bytes, and how many nodes it takes with all below it.
///
/// The nodes of a frame stand in wire order, so a frame of any shape is one slice of them: walking, comparing,
/// encoding and dropping it are loops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Index of the type byte.
    pub(crate) start: u32,
    /// Bytes of the payload; in an aggregate its elements, in a map or attribute its pairs.
    len: u32,
    /// Nodes to the next element on the same level.
    pub(crate) next: u32,
    pub(crate) kind: Kind,
    /// Bytes from the type byte to the payload.
    header: u8,
}

impl Node {
    #[inline]
    pub(crate) fn new(kind: Kind, start: usize, header: usize, len: usize) -> Self {
        Self {
            start: start as u32,
            len: len as u32,
            next: 1,
            kind,
            header: header as u8,
        }
    }

    /// The element's index once `bytes` are gone from the front of the wire.
    pub(crate) fn move_back(&mut self, bytes: usize) {
        self.start -= bytes as u32;
    }

    pub(crate) fn close_streamed(&mut self, len: u32, next: u32) {
        self.len = len;
        self.next = next;
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    fn is_aggregate(&self) -> bool {
        matches!(
            self.kind,
            Kind::Array
                | Kind::Set
                | Kind::Push
                | Kind::Map
                | Kind::Attribute
                | Kind::StreamedString
                | Kind::End
        )
    }

    /// The index after the element's own bytes: for an aggregate, after its header.
    pub(crate) fn end(&self) -> usize {
        let payload = if self.is_aggregate() { 0 } else { self.len() };
        // A streamed string's last chunk is empty and has no second CRLF, as if it were a header.
        self.start as usize + usize::from(self.header) + payload + 2
    }

    pub(crate) fn payload<'a>(&self, wire: &'a [u8]) -> &'a [u8] {
        let from = self.start as usize + usize::from(self.header);
        wire.get(from..from + self.len()).unwrap_or_default()
    }
}

/// A frame, borrowed from the bytes it was decoded from: [`Copy`], and nothing below it is allocated.
///
/// [`value`](Self::value) gives one level to match on; the `as_…` methods take out a value of the expected
/// type or say what was found. An attribute is transparent to all of them but
/// [`value`](Self::value): they see the value that it describes.
///
/// Two frames are equal when they hold the same values, in the same order, however they were written:
/// `:+5` equals `:5`, a streamed string equals the bulk string of its chunks, and a NaN equals a NaN.
/// Nulls of different types, or attributes present on one side, make a difference.
///
/// ```
/// use resp::{Decoder, Limits, Value};
///
/// let mut decoder = Decoder::new(Limits::client());
/// let frame = decoder.decode_one(b"%1\r\n+temperature\r\n,21.5\r\n")?.unwrap();
/// for (key, value) in frame.as_pairs().unwrap() {
///     assert_eq!(key.as_str().unwrap(), "temperature");
///     assert!(matches!(value.value(), Value::Double(degrees) if degrees == 21.5));
/// }
/// assert_eq!(frame.as_i64().unwrap_err().to_string(), "expected an integer, found a map");
/// # Ok::<(), resp::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct FrameRef<'a> {
    /// The spans of `nodes` count from its start.
    wire: &'a [u8],
    /// The root and all below it; never empty.
    nodes: &'a [Node],
}

/// One level of a frame, to be matched.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A line of text without CR or LF.
    SimpleString(&'a [u8]),
    /// An error: a code, a space, a message.
    SimpleError(&'a [u8]),
    /// A signed 64-bit integer.
    Integer(i64),
    /// Any bytes.
    BulkString(&'a [u8]),
    /// RESP2's null bulk string, `$-1`.
    NullBulkString,
    /// RESP2's null array, `*-1`.
    NullArray,
    /// RESP3's null, `_`.
    Null,
    /// True or false.
    Boolean(bool),
    /// A 64-bit floating-point number.
    Double(f64),
    /// An integer of any length: decimal digits, perhaps after a sign.
    BigNumber(&'a [u8]),
    /// An error that may hold any bytes.
    BulkError(&'a [u8]),
    /// A text with its format, such as `txt` or `mkd`.
    VerbatimString([u8; 3], &'a [u8]),
    /// Values in order.
    Array(Items<'a>),
    /// Values, distinct by the sender's promise.
    Set(Items<'a>),
    /// Values sent out of band.
    Push(Items<'a>),
    /// Keys and values, in the order sent.
    Map(Pairs<'a>),
    /// Keys and values about the value that follows.
    Attribute(Pairs<'a>, FrameRef<'a>),
    /// A bulk string sent in chunks.
    StreamedString(Chunks<'a>),
}

/// A frame is not of the type asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeError {
    /// The type asked for, with its article.
    pub expected: &'static str,
    /// The type of the frame, with its article.
    pub found: &'static str,
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl core::error::Error for TypeError {}

impl<'a> FrameRef<'a> {
    #[inline]
    pub(crate) fn new(wire: &'a [u8], nodes: &'a [Node]) -> Self {
        debug_assert!(!nodes.is_empty(), "a frame has a root");
        Self { wire, nodes }
    }

    #[inline]
    pub(crate) fn nodes(self) -> &'a [Node] {
        self.nodes
    }

    #[inline]
    fn root(self) -> &'a Node {
        &self.nodes[0]
    }

    /// The value under the attributes.
    fn described(self) -> Self {
        let mut frame = self;
        while frame.root().kind == Kind::Attribute {
            frame = frame.below_attribute();
        }
        frame
    }

    /// The frame's bytes, as they were received.
    #[inline]
    pub fn wire(self) -> &'a [u8] {
        let last = &self.nodes[self.nodes.len() - 1];
        self.wire
            .get(self.root().start as usize..last.end())
            .unwrap_or_default()
    }

    /// One level of the frame, to be matched.
    pub fn value(self) -> Value<'a> {
        let root = self.root();
        let payload = if root.is_aggregate() {
            &[]
        } else {
            root.payload(self.wire)
        };
        let items = || Items::new(self.wire, &self.nodes[1..], root.len());
        let pairs = || Pairs {
            items: Items::new(self.wire, &self.nodes[1..], 2 * root.len()),
        };
        match root.kind {
            Kind::SimpleString => Value::SimpleString(payload),
            Kind::SimpleError => Value::SimpleError(payload),
            Kind::Integer => Value::Integer(integer(payload)),
            Kind::BulkString | Kind::Chunk => Value::BulkString(payload),
            Kind::NullBulkString => Value::NullBulkString,
            Kind::NullArray => Value::NullArray,
            Kind::Null | Kind::End => Value::Null,
            Kind::Boolean => Value::Boolean(payload == b"t"),
            Kind::Double => Value::Double(parse_f64(payload).unwrap_or(f64::NAN)),
            Kind::BigNumber => Value::BigNumber(payload),
            Kind::BulkError => Value::BulkError(payload),
            Kind::VerbatimString => Value::VerbatimString(
                payload.first_chunk().copied().unwrap_or(*b"txt"),
                payload.get(4..).unwrap_or_default(),
            ),
            Kind::Array => Value::Array(items()),
            Kind::Set => Value::Set(items()),
            Kind::Push => Value::Push(items()),
            Kind::Map => Value::Map(pairs()),
            Kind::Attribute => Value::Attribute(pairs(), self.below_attribute()),
            Kind::StreamedString => Value::StreamedString(Chunks { items: items() }),
        }
    }

    fn below_attribute(self) -> Self {
        let mut items = Items::new(self.wire, &self.nodes[1..], 2 * self.root().len());
        items.by_ref().for_each(drop);
        Self {
            wire: self.wire,
            nodes: items.nodes,
        }
    }

    /// The name of the frame's type, with its article: `a bulk string`, `an array`.
    pub fn type_name(self) -> &'static str {
        match self.root().kind {
            Kind::SimpleString => "a simple string",
            Kind::SimpleError => "a simple error",
            Kind::Integer => "an integer",
            Kind::BulkString | Kind::Chunk => "a bulk string",
            Kind::NullBulkString => "a null bulk string",
            Kind::NullArray => "a null array",
            Kind::Null | Kind::End => "a null",
            Kind::Boolean => "a boolean",
            Kind::Double => "a double",
            Kind::BigNumber => "a big number",
            Kind::BulkError => "a bulk error",
            Kind::VerbatimString => "a verbatim string",
            Kind::Array => "an array",
            Kind::Set => "a set",
            Kind::Push => "a push",
            Kind::Map => "a map",
            Kind::Attribute => "an attribute",
            Kind::StreamedString => "a streamed string",
        }
    }

    /// Whether the frame is a null, of whichever type.
    pub fn is_null(self) -> bool {
        matches!(
            self.described().root().kind,
            Kind::Null | Kind::NullBulkString | Kind::NullArray
        )
    }

    /// Whether the frame was sent out of band.
    pub fn is_push(self) -> bool {
        self.described().root().kind == Kind::Push
    }

    /// Where in the frame's own bytes a push begins, if the frame is one.
    pub(crate) fn push_index(self) -> Option<usize> {
        let root = self.described().root();
        (root.kind == Kind::Push).then(|| (root.start - self.root().start) as usize)
    }

    /// The text of a simple or bulk error, or nothing.
    pub fn as_error(self) -> Option<&'a [u8]> {
        match self.described().value() {
            Value::SimpleError(text) | Value::BulkError(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a simple, bulk, verbatim (without its format) or streamed string. Only the chunks of a
    /// streamed string have to be copied together.
    ///
    /// # Errors
    /// When the frame is no string.
    pub fn as_bytes(self) -> Result<Cow<'a, [u8]>, TypeError> {
        let frame = self.described();
        match frame.value() {
            Value::SimpleString(text)
            | Value::BulkString(text)
            | Value::VerbatimString(_, text) => Ok(Cow::Borrowed(text)),
            Value::StreamedString(chunks) => {
                Ok(Cow::Owned(chunks.fold(Vec::new(), |mut text, chunk| {
                    text.extend_from_slice(chunk);
                    text
                })))
            }
            _ => Err(TypeError {
                expected: "a string",
                found: frame.type_name(),
            }),
        }
    }

    /// As [`as_bytes`](Self::as_bytes), in UTF-8.
    ///
    /// # Errors
    /// When the frame is no string, or its bytes are not UTF-8.
    pub fn as_str(self) -> Result<Cow<'a, str>, TypeError> {
        let invalid = TypeError {
            expected: "a string in UTF-8",
            found: "other bytes",
        };
        match self.as_bytes()? {
            Cow::Borrowed(bytes) => core::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|_| invalid),
            Cow::Owned(bytes) => alloc::string::String::from_utf8(bytes)
                .map(Cow::Owned)
                .map_err(|_| invalid),
        }
    }

    /// An integer, or a string or big number of decimal digits that fits.
    ///
    /// # Errors
    /// When the frame is nothing of that.
    pub fn as_i64(self) -> Result<i64, TypeError> {
        let frame = self.described();
        match frame.value() {
            Value::Integer(integer) => Ok(integer),
            Value::SimpleString(text) | Value::BulkString(text) | Value::BigNumber(text) => {
                parse_i64(text, false).map_err(|_| TypeError {
                    expected: "an integer",
                    found: "other text",
                })
            }
            _ => Err(TypeError {
                expected: "an integer",
                found: frame.type_name(),
            }),
        }
    }

    /// A double, an integer, or a string that a double can be written as.
    ///
    /// # Errors
    /// When the frame is nothing of that.
    pub fn as_f64(self) -> Result<f64, TypeError> {
        let frame = self.described();
        match frame.value() {
            Value::Double(double) => Ok(double),
            Value::Integer(integer) => Ok(integer as f64),
            Value::SimpleString(text) | Value::BulkString(text) => {
                parse_f64(text).map_err(|_| TypeError {
                    expected: "a double",
                    found: "other text",
                })
            }
            _ => Err(TypeError {
                expected: "a double",
                found: frame.type_name(),
            }),
        }
    }

    /// A boolean, or the integers 1 and 0 that stand for it in RESP2.
    ///
    /// # Errors
    /// When the frame is nothing of that.
    pub fn as_bool(self) -> Result<bool, TypeError> {
        let frame = self.described();
        match frame.value() {
            Value::Boolean(boolean) => Ok(boolean),
            Value::Integer(integer @ (0 | 1)) => Ok(integer == 1),
            _ => Err(TypeError {
                expected: "a boolean",
                found: frame.type_name(),
            }),
        }
    }

    /// The elements of an array, set or push.
    ///
    /// ```
    /// let frame = resp::Frame::array([1.into(), 2.into()]);
    /// let numbers: Result<Vec<i64>, _> = frame.as_items()?.map(|item| item.as_i64()).collect();
    /// assert_eq!(numbers?, [1, 2]);
    /// # Ok::<(), resp::TypeError>(())
    /// ```
    ///
    /// # Errors
    /// When the frame is nothing of that.
    pub fn as_items(self) -> Result<Items<'a>, TypeError> {
        let frame = self.described();
        match frame.value() {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => Ok(items),
            _ => Err(TypeError {
                expected: "an array",
                found: frame.type_name(),
            }),
        }
    }

    /// The pairs of a map, or of an array of even length, which is how RESP2 writes a map.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// let frame = resp::Frame::map([("a".into(), 1.into()), ("b".into(), 2.into())]);
    /// let map: HashMap<String, i64> = frame
    ///     .as_pairs()?
    ///     .map(|(key, value)| Ok((key.as_str()?.into_owned(), value.as_i64()?)))
    ///     .collect::<Result<_, resp::TypeError>>()?;
    /// assert_eq!(map["b"], 2);
    /// # Ok::<(), resp::TypeError>(())
    /// ```
    ///
    /// # Errors
    /// When the frame is nothing of that.
    pub fn as_pairs(self) -> Result<Pairs<'a>, TypeError> {
        let frame = self.described();
        match frame.value() {
            Value::Map(pairs) => Ok(pairs),
            Value::Array(items) if items.len() % 2 == 0 => Ok(Pairs { items }),
            _ => Err(TypeError {
                expected: "a map",
                found: frame.type_name(),
            }),
        }
    }
}

fn integer(text: &[u8]) -> i64 {
    // The decoder has judged the text: only a caller that changed the buffer under way sees a zero.
    parse_i64(text, false).unwrap_or_default()
}

impl PartialEq for FrameRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (mut left, mut right) = (Items::level(*self), Items::level(*other));
        loop {
            match (left.step(), right.step()) {
                (None, None) => return true,
                (Some(a), Some(b)) if same(a, b) => {}
                _ => return false,
            }
        }
    }
}

impl Eq for FrameRef<'_> {}

/// Whether two elements are the same, whatever stands below them but for the chunks of a string.
#[allow(clippy::float_cmp)] // Frames are equal when their doubles are, not nearly so.
fn same(a: FrameRef<'_>, b: FrameRef<'_>) -> bool {
    match (a.value(), b.value()) {
        (Value::Double(a), Value::Double(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Value::Integer(a), Value::Integer(b)) => a == b,
        (Value::StreamedString(a), Value::StreamedString(b)) => a.flatten().eq(b.flatten()),
        (Value::StreamedString(a), Value::BulkString(b)) => a.flatten().eq(b),
        (Value::BulkString(a), Value::StreamedString(b)) => b.flatten().eq(a),
        (Value::Array(a), Value::Array(b))
        | (Value::Set(a), Value::Set(b))
        | (Value::Push(a), Value::Push(b)) => a.len() == b.len(),
        (Value::Map(a), Value::Map(b)) | (Value::Attribute(a, _), Value::Attribute(b, _)) => {
            a.len() == b.len()
        }
        _ => a.root().kind == b.root().kind && a.root().payload(a.wire) == b.root().payload(b.wire),
    }
}

/// The elements of an aggregate, or the frames of a buffer.
#[derive(Clone, Copy)]
pub struct Items<'a> {
    wire: &'a [u8],
    nodes: &'a [Node],
    left: usize,
}

impl<'a> Items<'a> {
    #[inline]
    pub(crate) fn new(wire: &'a [u8], nodes: &'a [Node], left: usize) -> Self {
        Self { wire, nodes, left }
    }

    /// The frame alone.
    pub(crate) fn level(frame: FrameRef<'a>) -> Self {
        Self {
            wire: frame.wire,
            nodes: frame.nodes,
            left: 1,
        }
    }

    /// What is left once `frame`, one of the elements to come, is the next.
    pub(crate) fn skip_to(mut self, frame: FrameRef<'a>) -> Self {
        while self
            .nodes
            .first()
            .is_some_and(|node| node.start < frame.root().start)
        {
            self.nodes = &self.nodes[1..];
        }
        self
    }

    /// The next element in wire order, whatever its level: an aggregate, then what is below it. The chunks
    /// of a string count as part of it.
    pub(crate) fn step(&mut self) -> Option<FrameRef<'a>> {
        while let [first, rest @ ..] = self.nodes {
            let frame = FrameRef {
                wire: self.wire,
                nodes: self.nodes.get(..first.next as usize)?,
            };
            self.nodes = if first.kind == Kind::StreamedString {
                &self.nodes[frame.nodes.len()..]
            } else {
                rest
            };
            if first.kind != Kind::End {
                return Some(frame);
            }
        }
        None
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = FrameRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<FrameRef<'a>> {
        if self.left == 0 {
            return None;
        }
        let (first, rest) = self.nodes.split_first()?;
        // A scalar's one node is known without waiting for its number of nodes to be loaded.
        let (frame, rest) = if first.is_aggregate() {
            self.nodes.split_at_checked(first.next as usize)?
        } else {
            (core::slice::from_ref(first), rest)
        };
        self.left -= 1;
        self.nodes = rest;
        Some(FrameRef {
            wire: self.wire,
            nodes: frame,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items<'_> {}

impl core::iter::FusedIterator for Items<'_> {}

impl fmt::Debug for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// The pairs of a map or attribute.
#[derive(Clone, Copy)]
pub struct Pairs<'a> {
    items: Items<'a>,
}

impl<'a> Pairs<'a> {
    /// Keys and values by turns.
    pub(crate) fn items(self) -> Items<'a> {
        self.items
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (FrameRef<'a>, FrameRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.items.next()?, self.items.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.items.left / 2, Some(self.items.left / 2))
    }
}

impl ExactSizeIterator for Pairs<'_> {}

impl core::iter::FusedIterator for Pairs<'_> {}

impl fmt::Debug for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(*self).finish()
    }
}

/// The chunks of a streamed string, none of them empty.
#[derive(Clone, Copy)]
pub struct Chunks<'a> {
    items: Items<'a>,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let chunk = self.items.next()?;
        Some(chunk.root().payload(chunk.wire))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl ExactSizeIterator for Chunks<'_> {}

impl core::iter::FusedIterator for Chunks<'_> {}

impl fmt::Debug for Chunks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_list();
        self.for_each(|chunk| {
            text.entry(&format_args!("\"{}\"", chunk.escape_ascii()));
        });
        text.finish()
    }
}
