//! A request that owns its bytes.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Bytes, BytesMut};

use crate::request::{RequestRef, Span};
use crate::{Error, RequestDecoder};

/// A request that can be kept: its arguments share the bytes it came in.
///
/// ```
/// use resp::Request;
///
/// let request = Request::new(&["SET", "key", "value"]);
/// assert_eq!(request.as_ref().len(), 3);
/// assert_eq!(request.as_ref().get(1), Some(&b"key"[..]));
/// assert_eq!(format!("{request:?}"), r#"["SET", "key", "value"]"#);
/// ```
#[derive(Clone)]
pub struct Request {
    bytes: Bytes,
    spans: Arc<[Span]>,
    first: u32,
    end: u32,
}

impl Request {
    /// A request of these arguments, the command's name first.
    ///
    /// # Panics
    /// When they take 4 GiB or more together, or there is none.
    pub fn new<T: AsRef<[u8]>>(arguments: &[T]) -> Self {
        assert!(!arguments.is_empty(), "a request has a command's name");
        let mut bytes = Vec::new();
        let mut spans = Vec::with_capacity(arguments.len());
        for argument in arguments.iter().map(AsRef::as_ref) {
            spans.push(Span {
                start: bytes.len() as u32,
                len: argument.len() as u32,
            });
            bytes.extend_from_slice(argument);
        }
        assert!(
            u32::try_from(bytes.len()).is_ok(),
            "a request takes less than 4 GiB"
        );
        let end = spans.len() as u32;
        Self {
            bytes: bytes.into(),
            spans: spans.into(),
            first: 0,
            end,
        }
    }

    /// The request as a view.
    #[inline]
    #[allow(clippy::should_implement_trait)] // AsRef would have to give a reference, and a view is none.
    pub fn as_ref(&self) -> RequestRef<'_> {
        RequestRef::new(
            &self.bytes,
            &self.spans[self.first as usize..self.end as usize],
        )
    }

    /// The argument at an index, the command's name at 0, sharing the request's bytes.
    pub fn share(&self, index: usize) -> Option<Bytes> {
        let argument = self.as_ref().get(index)?;
        Some(if argument.is_empty() {
            Bytes::new()
        } else {
            self.bytes.slice_ref(argument)
        })
    }
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Request {}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

/// Requests that came in one buffer and share its bytes and one index.
///
/// An iterator over the requests in their order.
#[derive(Clone, Debug, Default)]
pub struct RequestBatch {
    bytes: Bytes,
    words: Bytes,
    spans: Arc<[Span]>,
    /// Where the spans of each request end, the last request first; and whether it was inline.
    ends: Vec<(u32, bool)>,
    first: u32,
}

impl RequestDecoder {
    /// As [`decode`](Self::decode), for requests to keep: takes their bytes out of `buffer` without copying them.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use resp::{Limits, Request, RequestDecoder};
    ///
    /// let mut buffer = BytesMut::from(&b"PING\r\n*1\r\n$4\r\nPING\r\n*1\r\n"[..]);
    /// let requests: Vec<_> = RequestDecoder::new(Limits::server()).decode_shared(&mut buffer)?.collect();
    /// assert_eq!(requests, [Request::new(&["PING"]), Request::new(&["PING"])]);
    /// assert_eq!(&buffer[..], b"*1\r\n");
    /// # Ok::<(), resp::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_shared(&mut self, buffer: &mut BytesMut) -> Result<RequestBatch, Error> {
        let requests = self.decode(buffer)?;
        let consumed = requests.consumed();
        let mut batch = requests.to_batch();
        batch.bytes = buffer.split_to(consumed).freeze();
        Ok(batch)
    }
}

impl crate::Requests<'_> {
    /// The batch without the buffer's bytes.
    fn to_batch(self) -> RequestBatch {
        let (words, spans, mut ends) = self.parts();
        ends.reverse();
        RequestBatch {
            bytes: Bytes::new(),
            words: Bytes::copy_from_slice(words),
            spans: spans.into(),
            ends,
            first: 0,
        }
    }
}

impl Iterator for RequestBatch {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let (end, inline) = self.ends.pop()?;
        let first = core::mem::replace(&mut self.first, end);
        let bytes = if inline { &self.words } else { &self.bytes };
        Some(Request {
            bytes: bytes.clone(),
            spans: self.spans.clone(),
            first,
            end,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ends.len(), Some(self.ends.len()))
    }
}

impl ExactSizeIterator for RequestBatch {}

impl core::iter::FusedIterator for RequestBatch {}
