//! An owned byte string that is inline when short.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use super::allocated;

/// The longest byte string kept without an allocation, in bytes.
pub const INLINE: usize = 22;

/// An immutable owned byte string of 24 bytes; up to [`INLINE`] bytes need no allocation.
///
/// ```
/// use server::value::Blob;
///
/// let key = Blob::from(b"user:1000");
/// assert_eq!(&*key, b"user:1000");
/// assert_eq!(key.memory_bytes(), 0);
/// ```
#[derive(Clone)]
pub struct Blob(Form);

#[derive(Clone)]
enum Form {
    Inline(u8, [u8; INLINE]),
    Heap(Box<[u8]>),
}

impl Blob {
    /// The empty byte string.
    pub const fn new() -> Self {
        Self(Form::Inline(0, [0; INLINE]))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Form::Inline(len, bytes) => &bytes[..usize::from(*len)],
            Form::Heap(bytes) => bytes,
        }
    }

    /// The heap bytes behind it.
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Inline(..) => 0,
            Form::Heap(bytes) => allocated(bytes.len()),
        }
    }

    fn inline(bytes: &[u8]) -> Option<Self> {
        let mut inline = [0; INLINE];
        inline.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(Form::Inline(bytes.len() as u8, inline)))
    }
}

impl Default for Blob {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self::inline(bytes).unwrap_or_else(|| Self(Form::Heap(bytes.into())))
    }
}

impl<const N: usize> From<&[u8; N]> for Blob {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self::inline(&bytes).unwrap_or_else(|| Self(Form::Heap(bytes.into_boxed_slice())))
    }
}

impl From<Blob> for Vec<u8> {
    fn from(blob: Blob) -> Self {
        match blob.0 {
            Form::Inline(len, bytes) => bytes[..usize::from(len)].to_vec(),
            Form::Heap(bytes) => bytes.into_vec(),
        }
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Blob {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Blob {}

impl PartialOrd for Blob {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Blob {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other)
    }
}

impl Hash for Blob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}
