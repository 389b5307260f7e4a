//! The bytes on their way to one client: small replies copied, large payloads shared.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Payloads of at least this many bytes are shared with the keyspace and leave by vectored writes, uncopied.
pub const SHARED_FROM_BYTES: usize = 16 * 1024;

/// Capacity above this is given back once everything is written.
const KEPT_CAPACITY_BYTES: usize = 64 * 1024;

/// A queue of bytes: one buffer, and shared payloads that stand at given offsets of it.
#[derive(Debug, Default)]
pub struct Output {
    buffer: Vec<u8>,
    /// `buffer[..start]` is written already.
    start: usize,
    /// Payloads with the buffer offset before which they stand, in order.
    shared: VecDeque<(usize, Bytes)>,
    shared_bytes: usize,
}

/// A place in an [`Output`] to cut back to, or to insert a header at.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    buffer: usize,
    shared: usize,
}

impl Output {
    /// An empty queue; allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes not written yet.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.start + self.shared_bytes
    }

    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer that replies are encoded into.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Queues a payload without copying it.
    pub fn share(&mut self, payload: Bytes) {
        self.shared_bytes += payload.len();
        self.shared.push_back((self.buffer.len(), payload));
    }

    /// The present end.
    pub fn mark(&self) -> Mark {
        Mark {
            buffer: self.buffer.len(),
            shared: self.shared.len(),
        }
    }

    /// Bytes written behind `mark`, but for shared payloads.
    pub fn len_since(&self, mark: Mark) -> usize {
        self.buffer.len().saturating_sub(mark.buffer)
    }

    /// Drops everything behind `mark`. Nothing may have been written since it was taken.
    pub fn cut(&mut self, mark: Mark) {
        self.buffer.truncate(mark.buffer);
        while self.shared.len() > mark.shared {
            if let Some((_, payload)) = self.shared.pop_back() {
                self.shared_bytes -= payload.len();
            }
        }
    }

    /// Puts `header` at `mark`; linear in the bytes behind it.
    pub fn insert(&mut self, mark: Mark, header: &[u8]) {
        let at = mark.buffer.min(self.buffer.len());
        self.buffer.splice(at..at, header.iter().copied());
        for (offset, _) in self.shared.iter_mut().skip(mark.shared) {
            *offset += header.len();
        }
    }

    /// Moves everything from `other` to the end of this queue.
    pub fn append(&mut self, other: &mut Output) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() && self.buffer.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        let base = self.buffer.len();
        self.buffer.extend_from_slice(&other.buffer[other.start..]);
        for (offset, payload) in other.shared.drain(..) {
            self.shared_bytes += payload.len();
            self.shared
                .push_back((base + offset - other.start, payload));
        }
        other.clear();
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_CAPACITY_BYTES);
        self.start = 0;
        self.shared.clear();
        self.shared_bytes = 0;
    }

    /// Everything not written yet, where that is one run of bytes.
    pub fn single(&self) -> Option<&[u8]> {
        if self.shared.is_empty() {
            self.buffer.get(self.start..)
        } else {
            None
        }
    }

    /// Uses the memory of `spare` where there is none yet.
    pub fn borrow_buffer(&mut self, spare: &mut Vec<u8>) {
        if self.buffer.capacity() == 0 {
            std::mem::swap(&mut self.buffer, spare);
        }
    }

    /// Leaves the buffer's memory to `spare` once everything is written.
    pub fn give_back(&mut self, spare: &mut Vec<u8>) {
        if self.is_empty() {
            let buffer = std::mem::take(&mut self.buffer);
            if buffer.capacity() > spare.capacity() {
                *spare = buffer;
            }
            spare.clear();
        }
    }

    /// Fills `slices` from the front; gives how many are used.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        for chunk in self.chunks() {
            let Some(slot) = slices.get_mut(used) else {
                break;
            };
            *slot = IoSlice::new(chunk);
            used += 1;
        }
        used
    }

    /// Drops `count` written bytes from the front.
    pub fn advance(&mut self, mut count: usize) {
        while count > 0 {
            match self.shared.front_mut() {
                Some((offset, payload)) if *offset <= self.start => {
                    let step = count.min(payload.len());
                    payload.advance(step);
                    self.shared_bytes -= step;
                    count -= step;
                    if payload.is_empty() {
                        self.shared.pop_front();
                    }
                }
                next => {
                    let end = next.map_or(self.buffer.len(), |(offset, _)| *offset);
                    let step = count.min(end - self.start);
                    if step == 0 {
                        break;
                    }
                    self.start += step;
                    count -= step;
                }
            }
        }
        if self.is_empty() {
            self.clear();
        }
    }

    /// Everything not written yet, as one run of bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.chunks().flatten().copied().collect()
    }

    /// The unwritten bytes in order, as non-empty chunks.
    fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self
            .shared
            .iter()
            .map(|(offset, payload)| (*offset, &payload[..]));
        let mut from = self.start;
        ends.chain(std::iter::once((self.buffer.len(), &[][..])))
            .flat_map(move |(end, payload)| {
                let run = &self.buffer[from..end];
                from = end;
                [run, payload]
            })
            .filter(|chunk| !chunk.is_empty())
    }
}
