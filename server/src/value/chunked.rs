//! A vector that grows without copying more than a little of what is in it.

use super::allocated;

/// The place of an item, below the number of items.
pub type Id = u32;

/// A vector in chunks of `LEN`, all full but the last.
#[derive(Debug)]
pub(super) struct Chunked<T, const LEN: usize> {
    chunks: Chunks<T>,
    len: usize,
    /// Heap bytes, but for those behind items: asked for more often than they change.
    bytes: usize,
}

/// The chunks, of which the last one alone may have no items in it. So long as there are few, what says where they are
/// is not elsewhere in memory itself: each place more that a lookup has to read is one more to wait for.
#[derive(Clone, Debug)]
enum Chunks<T> {
    Few([Vec<T>; FEW]),
    Many(Vec<Vec<T>>),
}

/// The two chunks of a table of a hundred entries.
const FEW: usize = 2;

impl<T> Chunks<T> {
    const fn as_slice(&self) -> &[Vec<T>] {
        match self {
            Self::Few(chunks) => chunks,
            Self::Many(chunks) => chunks.as_slice(),
        }
    }

    const fn as_mut_slice(&mut self) -> &mut [Vec<T>] {
        match self {
            Self::Few(chunks) => chunks,
            Self::Many(chunks) => chunks.as_mut_slice(),
        }
    }

    /// Makes place for one chunk more, where there are `len`.
    fn reserve(&mut self, len: usize) {
        if let Self::Few(chunks) = self
            && len == FEW
        {
            *self = Self::Many(chunks.iter_mut().map(std::mem::take).collect());
        }
        if let Self::Many(chunks) = self {
            chunks.push(Vec::new());
        }
    }

    /// Frees the last chunk, where `len` are left.
    fn pop(&mut self, len: usize) {
        match self {
            Self::Few(chunks) => chunks[len] = Vec::new(),
            Self::Many(chunks) if len > FEW => {
                chunks.truncate(len);
                if chunks.capacity() > 4.max(len * 4) {
                    chunks.shrink_to(len * 2);
                }
            }
            Self::Many(chunks) => {
                *self = Self::Few(std::array::from_fn(|at| std::mem::take(&mut chunks[at])));
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Few(_) => 0,
            Self::Many(chunks) => allocated(chunks.capacity() * size_of::<Vec<T>>()),
        }
    }
}

impl<T: Clone, const LEN: usize> Clone for Chunked<T, LEN> {
    /// A copy without spare room.
    fn clone(&self) -> Self {
        let mut copy = Self {
            chunks: self.chunks.clone(),
            ..*self
        };
        copy.count_bytes();
        copy
    }
}

impl<T, const LEN: usize> Chunked<T, LEN> {
    pub(super) const fn new() -> Self {
        Self {
            chunks: Chunks::Few([const { Vec::new() }; FEW]),
            len: 0,
            bytes: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        let id = id as usize;
        self.chunks.as_slice().get(id / LEN)?.get(id % LEN)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let id = id as usize;
        self.chunks
            .as_mut_slice()
            .get_mut(id / LEN)?
            .get_mut(id % LEN)
    }

    /// The item at an id that a link holds.
    pub(super) fn at(&self, id: Id) -> &T {
        let id = id as usize;
        &self.chunks.as_slice()[id / LEN][id % LEN]
    }

    pub(super) fn at_mut(&mut self, id: Id) -> &mut T {
        let id = id as usize;
        &mut self.chunks.as_mut_slice()[id / LEN][id % LEN]
    }

    pub(super) fn push(&mut self, item: T) {
        let chunk = self.chunks.as_slice().get(self.len / LEN);
        if chunk.is_none_or(|chunk| chunk.len() == chunk.capacity()) {
            self.make_room();
        }
        self.chunks.as_mut_slice()[self.len / LEN].push(item);
        self.len += 1;
    }

    pub(super) fn swap_remove(&mut self, id: Id) -> T {
        let last = (self.len - 1) as Id;
        let chunk = &mut self.chunks.as_mut_slice()[last as usize / LEN];
        let mut item = chunk.swap_remove(last as usize % LEN);
        self.len -= 1;
        let unneeded = chunk.capacity() > 8.max(chunk.len() * 2);
        if chunk.is_empty() || unneeded && self.len < LEN {
            self.give_room_back();
        }
        if id != last {
            std::mem::swap(&mut item, self.at_mut(id));
        }
        item
    }

    /// Makes room for one item more, in the chunk that is to hold it.
    fn make_room(&mut self) {
        let at = self.len / LEN;
        if self.len.is_multiple_of(LEN) {
            self.chunks.reserve(at);
        }
        let chunk = &mut self.chunks.as_mut_slice()[at];
        // The first one grows by little: a small table is to be small. Others take one of four sizes, so that the place
        // that one leaves as it grows is taken by another.
        let room = LEN - chunk.len();
        let more = if at == 0 {
            (chunk.len() / 4).max(2)
        } else {
            LEN / 4
        };
        chunk.reserve_exact(more.min(room));
        self.count_bytes();
    }

    /// Gives room of the chunk that held the item removed last.
    fn give_room_back(&mut self) {
        let at = self.len / LEN;
        if self.len.is_multiple_of(LEN) {
            self.chunks.pop(at);
        } else {
            let chunk = &mut self.chunks.as_mut_slice()[at];
            chunk.shrink_to(chunk.len() + chunk.len() / 4);
        }
        self.count_bytes();
    }

    /// Every chunk in use but the last has the capacity of a full one.
    fn count_bytes(&mut self) {
        let chunks = self.chunks.as_slice();
        let last = chunks.iter().rposition(|chunk| chunk.capacity() > 0);
        let chunk_bytes = last.map_or(0, |last| {
            last * allocated(LEN * size_of::<T>())
                + allocated(chunks[last].capacity() * size_of::<T>())
        });
        self.bytes = self.chunks.memory_bytes() + chunk_bytes;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.as_slice().iter().flatten()
    }

    /// The heap bytes behind it, without what is behind the items. O(1).
    pub(super) const fn memory_bytes(&self) -> usize {
        self.bytes
    }
}
