//! A frame that owns its bytes: shared with the buffer it came in, or its own.

// A method's path names one lifetime of the encoder, and the constructors need any.
#![allow(clippy::redundant_closure_for_method_calls)]

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::frame::{FrameRef, Items, Node, Pairs, TypeError, Value};
use crate::{Decoder, Encoder, Error, Limits, NotABigNumber, Protocol};

/// A frame that can be kept: its wire bytes, shared without copying, and the index of its elements.
///
/// Cloning takes constant time. A frame from a [`Batch`] keeps the bytes of the whole batch alive;
/// [`detach`](Self::detach) copies the frame out of them.
///
/// Reading goes through [`as_ref`](Self::as_ref), a [`FrameRef`], whose usual methods stand here too. The
/// constructors are for convenience: each writes its wire bytes, an aggregate those of its elements again.
/// To write much, or deep, use an [`Encoder`] alone.
///
/// ```
/// use resp::Frame;
///
/// let frame = Frame::array([Frame::from("key"), Frame::from(42), Frame::null()]);
/// assert_eq!(frame.wire(), b"*3\r\n$3\r\nkey\r\n:42\r\n_\r\n");
/// assert_eq!(frame.to_string(), r#"array [bulk "key", integer 42, null]"#);
/// ```
///
/// # Panics
/// A constructor panics when the frame would take 4 GiB or more.
#[derive(Clone)]
pub struct Frame {
    shared: Arc<Shared>,
    /// The frame's place among the shared nodes.
    first: u32,
    len: u32,
}

/// The bytes and the nodes of frames that were decoded, or built, together.
struct Shared {
    wire: Bytes,
    nodes: Vec<Node>,
}

/// For bytes that the encoder wrote.
const UNBOUNDED: Limits = Limits {
    depth: usize::MAX,
    line_bytes: usize::MAX,
    bulk_bytes: usize::MAX,
    elements: usize::MAX,
    frame_elements: usize::MAX,
    frame_bytes: usize::MAX,
    strict: false,
    unauthenticated: false,
};

impl Frame {
    /// The frame as a view.
    #[inline]
    #[allow(clippy::should_implement_trait)] // AsRef would have to give a reference, and a view is none.
    pub fn as_ref(&self) -> FrameRef<'_> {
        let Shared { wire, nodes } = &*self.shared;
        FrameRef::new(wire, &nodes[self.first as usize..][..self.len as usize])
    }

    fn new(wire: Bytes, nodes: Vec<Node>) -> Self {
        let len = nodes.len() as u32;
        Self {
            shared: Arc::new(Shared { wire, nodes }),
            first: 0,
            len,
        }
    }

    /// The frame that these bytes are, all of them, shared and not copied; nothing when they are a part of a
    /// frame, or more than one.
    ///
    /// # Errors
    /// When they break the protocol or `limits`.
    pub fn from_wire(wire: Bytes, limits: Limits) -> Result<Option<Self>, Error> {
        let mut decoder = Decoder::new(limits);
        let nodes = match decoder.decode_one(&wire)? {
            Some(frame) if frame.wire().len() == wire.len() => frame.nodes().to_vec(),
            _ => return Ok(None),
        };
        Ok(Some(Self::new(wire, nodes)))
    }

    fn built(wire: Vec<u8>) -> Self {
        match Self::from_wire(wire.into(), UNBOUNDED) {
            Ok(Some(frame)) => frame,
            outcome => panic!("a frame of less than 4 GiB, not {outcome:?}"),
        }
    }

    fn encoded(write: impl FnOnce(&mut Encoder<'_, Vec<u8>>)) -> Self {
        let mut wire = Vec::new();
        write(&mut Encoder::new(&mut wire, Protocol::Resp3));
        Self::built(wire)
    }

    /// A simple string. Each CR or LF becomes a space.
    pub fn simple_string(text: impl AsRef<[u8]>) -> Self {
        Self::encoded(|encoder| encoder.simple_string(text))
    }

    /// A simple error: a code such as `ERR`, a space and a message. Each CR or LF becomes a space.
    pub fn simple_error(text: impl AsRef<[u8]>) -> Self {
        Self::encoded(|encoder| encoder.simple_error(text))
    }

    /// An integer, as [`From`] makes it.
    pub fn integer(integer: i64) -> Self {
        Self::encoded(|encoder| encoder.integer(integer))
    }

    /// A bulk string of any bytes, as [`From`] makes it.
    pub fn bulk_string(text: impl AsRef<[u8]>) -> Self {
        Self::encoded(|encoder| encoder.bulk_string_copy(text.as_ref()))
    }

    /// RESP3's null, which RESP2 writes as a null bulk string.
    pub fn null() -> Self {
        Self::encoded(|encoder| encoder.null())
    }

    /// RESP2's null bulk string.
    pub fn null_bulk_string() -> Self {
        Self::encoded(|encoder| encoder.null_bulk_string())
    }

    /// RESP2's null array.
    pub fn null_array() -> Self {
        Self::encoded(|encoder| encoder.null_array())
    }

    /// A boolean, as [`From`] makes it.
    pub fn boolean(boolean: bool) -> Self {
        Self::encoded(|encoder| encoder.boolean(boolean))
    }

    /// A double, as [`From`] makes it.
    pub fn double(double: f64) -> Self {
        Self::encoded(|encoder| encoder.double(double))
    }

    /// An integer of any length.
    ///
    /// # Errors
    /// When `digits` is anything but decimal digits, perhaps after a sign.
    pub fn big_number(digits: impl AsRef<[u8]>) -> Result<Self, NotABigNumber> {
        let mut wire = Vec::new();
        Encoder::new(&mut wire, Protocol::Resp3).big_number(digits.as_ref())?;
        Ok(Self::built(wire))
    }

    /// An error that may hold any bytes.
    pub fn bulk_error(text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        let mut wire = Vec::new();
        Encoder::new(&mut wire, Protocol::Resp3).bulk_error(text);
        Self::built(wire)
    }

    /// A text with its format, such as `*b"txt"` or `*b"mkd"`.
    pub fn verbatim_string(format: [u8; 3], text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        let mut wire = Vec::new();
        Encoder::new(&mut wire, Protocol::Resp3).verbatim_string(format, text);
        Self::built(wire)
    }

    /// An array. A push among the elements becomes an array, since it can only stand alone.
    pub fn array(items: impl IntoIterator<Item = Self>) -> Self {
        Self::aggregate(items, |encoder, count| encoder.array(count))
    }

    /// A set, of elements that the caller knows to be distinct.
    pub fn set(items: impl IntoIterator<Item = Self>) -> Self {
        Self::aggregate(items, |encoder, count| encoder.set(count))
    }

    /// A push, to be sent out of band.
    pub fn push(items: impl IntoIterator<Item = Self>) -> Self {
        Self::aggregate(items, |encoder, count| encoder.push(count))
    }

    /// A map, of keys that the caller knows to be distinct.
    pub fn map(pairs: impl IntoIterator<Item = (Self, Self)>) -> Self {
        let items = pairs.into_iter().flat_map(|(key, value)| [key, value]);
        Self::aggregate(items, |encoder, count| encoder.map(count / 2))
    }

    /// This frame as the value that the attributes describe.
    #[must_use]
    pub fn with_attributes(&self, pairs: impl IntoIterator<Item = (Self, Self)>) -> Self {
        let items = pairs.into_iter().flat_map(|(key, value)| [key, value]);
        let mut wire = Self::concatenated(items, |encoder, count| {
            let _written = encoder.attribute(count / 2);
        });
        wire.extend_from_slice(self.wire());
        Self::built(wire)
    }

    fn aggregate(
        items: impl IntoIterator<Item = Self>,
        header: impl FnOnce(&mut Encoder<'_, Vec<u8>>, usize),
    ) -> Self {
        Self::built(Self::concatenated(items, header))
    }

    fn concatenated(
        items: impl IntoIterator<Item = Self>,
        header: impl FnOnce(&mut Encoder<'_, Vec<u8>>, usize),
    ) -> Vec<u8> {
        let mut below = Vec::new();
        let mut count = 0;
        for item in items {
            let at = below.len();
            below.extend_from_slice(item.wire());
            if let Some(push) = item.as_ref().push_index() {
                below[at + push] = b'*';
            }
            count += 1;
        }
        let mut wire = Vec::with_capacity(below.len() + 16);
        header(&mut Encoder::new(&mut wire, Protocol::Resp3), count);
        wire.append(&mut below);
        wire
    }

    /// The frame's bytes, as they were received.
    pub fn wire(&self) -> &[u8] {
        self.as_ref().wire()
    }

    /// One level of the frame, to be matched.
    pub fn value(&self) -> Value<'_> {
        self.as_ref().value()
    }

    /// As [`FrameRef::as_bytes`].
    ///
    /// # Errors
    /// When the frame is no string.
    pub fn as_bytes(&self) -> Result<alloc::borrow::Cow<'_, [u8]>, TypeError> {
        self.as_ref().as_bytes()
    }

    /// As [`FrameRef::as_str`].
    ///
    /// # Errors
    /// When the frame is no string, or its bytes are not UTF-8.
    pub fn as_str(&self) -> Result<alloc::borrow::Cow<'_, str>, TypeError> {
        self.as_ref().as_str()
    }

    /// As [`FrameRef::as_i64`].
    ///
    /// # Errors
    /// When the frame is no integer and no text of one.
    pub fn as_i64(&self) -> Result<i64, TypeError> {
        self.as_ref().as_i64()
    }

    /// As [`FrameRef::as_f64`].
    ///
    /// # Errors
    /// When the frame is no number and no text of one.
    pub fn as_f64(&self) -> Result<f64, TypeError> {
        self.as_ref().as_f64()
    }

    /// As [`FrameRef::as_bool`].
    ///
    /// # Errors
    /// When the frame is no boolean and neither 1 nor 0.
    pub fn as_bool(&self) -> Result<bool, TypeError> {
        self.as_ref().as_bool()
    }

    /// As [`FrameRef::as_items`].
    ///
    /// # Errors
    /// When the frame is no array, set or push.
    pub fn as_items(&self) -> Result<Items<'_>, TypeError> {
        self.as_ref().as_items()
    }

    /// As [`FrameRef::as_pairs`].
    ///
    /// # Errors
    /// When the frame is no map and no array of even length.
    pub fn as_pairs(&self) -> Result<Pairs<'_>, TypeError> {
        self.as_ref().as_pairs()
    }

    /// As [`FrameRef::as_error`].
    pub fn as_error(&self) -> Option<&[u8]> {
        self.as_ref().as_error()
    }

    /// As [`FrameRef::is_null`].
    pub fn is_null(&self) -> bool {
        self.as_ref().is_null()
    }

    /// A part of this frame as a frame of its own that shares the bytes; nothing when `part` is not a part
    /// of it. Takes constant time.
    ///
    /// ```
    /// let reply = resp::Frame::array(["a".into(), "b".into()]);
    /// let second = reply.as_items()?.nth(1).and_then(|item| reply.share(item)).unwrap();
    /// assert_eq!(second, resp::Frame::from("b"));
    /// # Ok::<(), resp::TypeError>(())
    /// ```
    pub fn share(&self, part: FrameRef<'_>) -> Option<Self> {
        let all = self.as_ref().nodes();
        let distance = part
            .nodes()
            .as_ptr()
            .addr()
            .checked_sub(all.as_ptr().addr())?;
        let at = distance / size_of::<Node>();
        if at + part.nodes().len() > all.len() {
            return None;
        }
        let first = self.first + at as u32;
        Some(Self {
            shared: self.shared.clone(),
            first,
            len: part.nodes().len() as u32,
        })
    }

    /// A payload inside this frame as [`Bytes`] that share it; nothing when `part` is not inside. Takes
    /// constant time.
    ///
    /// ```
    /// let reply = resp::Frame::from("payload");
    /// let bytes = reply.share_bytes(&reply.as_bytes()?).unwrap();
    /// assert_eq!(&bytes[..], b"payload");
    /// # Ok::<(), resp::TypeError>(())
    /// ```
    pub fn share_bytes(&self, part: &[u8]) -> Option<Bytes> {
        let wire = &self.shared.wire;
        let at = part.as_ptr().addr().checked_sub(wire.as_ptr().addr())?;
        (at + part.len() <= wire.len()).then(|| wire.slice(at..at + part.len()))
    }

    /// The frame with bytes of its own, so that it doesn't keep the buffer alive that it came in.
    #[must_use]
    pub fn detach(&self) -> Self {
        self.as_ref().to_frame()
    }
}

impl FrameRef<'_> {
    /// A frame of its own, its bytes copied.
    pub fn to_frame(self) -> Frame {
        let start = self.nodes()[0].start as usize;
        let mut nodes = self.nodes().to_vec();
        for node in &mut nodes {
            node.move_back(start);
        }
        Frame::new(Bytes::copy_from_slice(self.wire()), nodes)
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Frame {}

impl PartialEq<FrameRef<'_>> for Frame {
    fn eq(&self, other: &FrameRef<'_>) -> bool {
        self.as_ref() == *other
    }
}

impl From<i64> for Frame {
    fn from(integer: i64) -> Self {
        Self::integer(integer)
    }
}

impl From<bool> for Frame {
    fn from(boolean: bool) -> Self {
        Self::boolean(boolean)
    }
}

impl From<f64> for Frame {
    fn from(double: f64) -> Self {
        Self::double(double)
    }
}

impl From<&str> for Frame {
    fn from(text: &str) -> Self {
        Self::bulk_string(text)
    }
}

impl From<&[u8]> for Frame {
    fn from(text: &[u8]) -> Self {
        Self::bulk_string(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Frame {
    /// Nothing becomes a null.
    fn from(value: Option<T>) -> Self {
        value.map_or_else(Self::null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Frame {
    /// An array.
    fn from(items: Vec<T>) -> Self {
        Self::array(items.into_iter().map(Into::into))
    }
}

/// Frames that came in one buffer and share its bytes and one index: the cheapest way to own frames.
///
/// [`iter`](Self::iter) gives views of the frames; the batch itself is an iterator that gives each as a
/// [`Frame`] of its own, still sharing the batch's bytes.
#[derive(Clone, Default)]
pub struct Batch {
    shared: Option<Arc<Shared>>,
    at: usize,
    left: usize,
}

impl Batch {
    /// The frames still to come, as views.
    pub fn iter(&self) -> Items<'_> {
        match &self.shared {
            Some(shared) => Items::new(&shared.wire, &shared.nodes[self.at..], self.left),
            None => Items::new(&[], &[], 0),
        }
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = FrameRef<'a>;
    type IntoIter = Items<'a>;

    fn into_iter(self) -> Items<'a> {
        self.iter()
    }
}

impl Decoder {
    /// As [`decode`](Self::decode), for frames to keep: takes their bytes out of `buffer` without copying them.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use resp::{Decoder, Limits};
    ///
    /// let mut buffer = BytesMut::from(&b"+OK\r\n:1\r\n$5\r\nhel"[..]);
    /// let frames: Vec<_> = Decoder::new(Limits::client()).decode_shared(&mut buffer)?.collect();
    /// assert_eq!(frames, [resp::Frame::simple_string("OK"), 1.into()]);
    /// assert_eq!(&buffer[..], b"$5\r\nhel");
    /// # Ok::<(), resp::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_shared(&mut self, buffer: &mut BytesMut) -> Result<Batch, Error> {
        let frames = self.decode(buffer)?;
        let (left, consumed) = (frames.len(), frames.consumed());
        if left == 0 {
            return Ok(Batch::default());
        }
        let nodes = self.take_finished();
        let wire = buffer.split_to(consumed).freeze();
        Ok(Batch {
            shared: Some(Arc::new(Shared { wire, nodes })),
            at: 0,
            left,
        })
    }
}

impl Iterator for Batch {
    type Item = Frame;

    #[inline]
    fn next(&mut self) -> Option<Frame> {
        if self.left == 0 {
            return None;
        }
        let shared = self.shared.as_ref()?;
        let len = shared.nodes.get(self.at)?.next;
        let first = self.at as u32;
        self.at += len as usize;
        self.left -= 1;
        // The last frame takes the batch's own reference along.
        let shared = if self.left == 0 {
            self.shared.take()?
        } else {
            shared.clone()
        };
        Some(Frame { shared, first, len })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Batch {}

impl core::iter::FusedIterator for Batch {}

impl core::fmt::Debug for Batch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
