//! The string value.

use bytes::{Bytes, BytesMut};

use super::allocated;
use super::bytes::INLINE;
use super::element::{Digits, Element, canonical_integer};

/// From this length on, in bytes, a string can be shared with a reply instead of copied.
pub const SHARED: usize = 16 * 1024;

/// The longest string whose encoding is `embstr`, in bytes.
const EMBEDDED: usize = 44;

/// A string value of 24 bytes: an integer, up to 22 bytes in place, or an allocation.
///
/// ```
/// use server::value::Str;
///
/// let mut value = Str::new(b"10");
/// assert_eq!((value.as_integer(), value.encoding()), (Some(10), "int"));
/// value.raw_mut().extend_from_slice(b"0");
/// assert_eq!((&*value.bytes(), value.encoding()), (&b"100"[..], "raw"));
/// ```
#[derive(Clone, Debug)]
pub struct Str(Form);

#[derive(Clone, Debug)]
enum Form {
    Integer(i64),
    Inline(u8, [u8; INLINE]),
    /// Never changed in place, shorter than `SHARED`.
    Heap(Box<[u8]>),
    /// What has been changed in place, and may be again; short or long.
    #[allow(
        clippy::box_collection,
        reason = "a bare `Vec` would make a string 32 bytes"
    )]
    Raw(Box<Vec<u8>>),
    /// At least `SHARED` bytes.
    Shared(Box<Bytes>),
}

impl Str {
    /// A string value; one that is the canonical text of an `i64` is kept as that integer.
    pub fn new(bytes: &[u8]) -> Self {
        canonical_integer(bytes).map_or_else(|| Self::text(bytes), Self::from)
    }

    /// A string value that is not kept as an integer even if it could be: what INCRBYFLOAT
    /// leaves.
    pub fn text(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        Self(if let Some(room) = inline.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            Form::Inline(bytes.len() as u8, inline)
        } else if bytes.len() < SHARED {
            Form::Heap(bytes.into())
        } else {
            Form::Shared(Box::new(Bytes::copy_from_slice(bytes)))
        })
    }

    /// A string value that counts as changed in place: what SETRANGE, SETBIT or PFADD make.
    pub fn raw(bytes: Vec<u8>) -> Self {
        Self(Form::Raw(Box::new(bytes)))
    }

    /// The length of the text, in bytes.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text.
    pub fn bytes(&self) -> Element<'_> {
        match &self.0 {
            Form::Integer(value) => Element::from(*value),
            Form::Inline(len, bytes) => Element::from(&bytes[..usize::from(*len)]),
            Form::Heap(bytes) => Element::from(&**bytes),
            Form::Raw(bytes) => Element::from(&***bytes),
            Form::Shared(bytes) => Element::from(&***bytes),
        }
    }

    /// The integer that the text is, if it is the canonical text of one.
    pub fn as_integer(&self) -> Option<i64> {
        match &self.0 {
            Form::Integer(value) => Some(*value),
            _ => canonical_integer(&self.bytes()),
        }
    }

    /// A share of a text of at least [`SHARED`] bytes, which no one can change any more; `None` for
    /// a shorter one. O(1), without a copy; a change to the value while a share is held copies once.
    pub fn share(&mut self) -> Option<Bytes> {
        if let Form::Raw(bytes) = &mut self.0
            && bytes.len() >= SHARED
        {
            self.0 = Form::Shared(Box::new(Bytes::from(std::mem::take(&mut **bytes))));
        }
        match &self.0 {
            Form::Shared(bytes) => Some((**bytes).clone()),
            _ => None,
        }
    }

    /// The text, to change in place: APPEND, SETRANGE, SETBIT, BITFIELD, PFADD. From then on the
    /// encoding is `raw`.
    pub fn raw_mut(&mut self) -> &mut Vec<u8> {
        if !matches!(self.0, Form::Raw(_)) {
            let raw = match std::mem::replace(&mut self.0, Form::Integer(0)) {
                Form::Integer(value) => Digits::new(value).to_vec(),
                Form::Inline(len, bytes) => bytes[..usize::from(len)].to_vec(),
                Form::Heap(bytes) => bytes.into_vec(),
                Form::Raw(bytes) => *bytes,
                Form::Shared(bytes) => Vec::from(BytesMut::from(*bytes)),
            };
            self.0 = Form::Raw(Box::new(raw));
        }
        match &mut self.0 {
            Form::Raw(bytes) => bytes,
            _ => unreachable!("made raw just above"),
        }
    }

    /// The name OBJECT ENCODING gives: `int`, `embstr` or `raw`.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Integer(_) => "int",
            Form::Inline(..) => "embstr",
            Form::Heap(bytes) if bytes.len() <= EMBEDDED => "embstr",
            Form::Heap(_) | Form::Raw(_) | Form::Shared(_) => "raw",
        }
    }

    /// The heap bytes behind it. O(1).
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Integer(_) | Form::Inline(..) => 0,
            Form::Heap(bytes) => allocated(bytes.len()),
            Form::Raw(bytes) => allocated(size_of::<Vec<u8>>()) + allocated(bytes.capacity()),
            Form::Shared(bytes) => allocated(size_of::<Bytes>()) + allocated(bytes.len()),
        }
    }
}

impl From<i64> for Str {
    fn from(value: i64) -> Self {
        Self(Form::Integer(value))
    }
}

impl From<Bytes> for Str {
    fn from(bytes: Bytes) -> Self {
        if bytes.len() < SHARED {
            Self::new(&bytes)
        } else {
            Self(Form::Shared(Box::new(bytes)))
        }
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Str {}
