//! A vector that grows without copying more than a little of what is in it.

use super::allocated;

/// The place of an item, below the number of items.
pub type Id = u32;

/// A vector in chunks of `LEN`, all full but the last.
#[derive(Debug)]
pub(super) struct Chunked<T, const LEN: usize> {
    chunks: Vec<Vec<T>>,
    len: usize,
    /// Heap bytes, but for those behind items: asked for more often than they change.
    bytes: usize,
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
            chunks: Vec::new(),
            len: 0,
            bytes: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        let id = id as usize;
        self.chunks.get(id / LEN)?.get(id % LEN)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let id = id as usize;
        self.chunks.get_mut(id / LEN)?.get_mut(id % LEN)
    }

    /// The item at an id that a link holds.
    pub(super) fn at(&self, id: Id) -> &T {
        let id = id as usize;
        &self.chunks[id / LEN][id % LEN]
    }

    pub(super) fn at_mut(&mut self, id: Id) -> &mut T {
        let id = id as usize;
        &mut self.chunks[id / LEN][id % LEN]
    }

    pub(super) fn push(&mut self, item: T) {
        if self.len.is_multiple_of(LEN) || self.last_is_full() {
            self.make_room();
        }
        self.len += 1;
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(item);
        }
    }

    pub(super) fn swap_remove(&mut self, id: Id) -> T {
        let last = (self.len - 1) as Id;
        let chunk = &mut self.chunks[last as usize / LEN];
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

    fn last_is_full(&self) -> bool {
        let last = self.chunks.last();
        last.is_none_or(|chunk| chunk.len() == chunk.capacity())
    }

    fn make_room(&mut self) {
        if self.len == self.chunks.len() * LEN {
            self.chunks.push(Vec::new());
        }
        let first = self.chunks.len() == 1;
        if let Some(chunk) = self.chunks.last_mut() {
            // The first one grows by little: a small table is to be small. Others take one of four sizes, so that the place
            // that one leaves as it grows is taken by another.
            let room = LEN - chunk.len();
            let more = if first {
                (chunk.len() / 4).max(2)
            } else {
                LEN / 4
            };
            chunk.reserve_exact(more.min(room));
        }
        self.count_bytes();
    }

    fn give_room_back(&mut self) {
        if self.chunks.pop_if(|chunk| chunk.is_empty()).is_some() {
            if self.chunks.capacity() > 4.max(self.chunks.len() * 4) {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        } else if let Some(chunk) = self.chunks.last_mut() {
            chunk.shrink_to(chunk.len() + chunk.len() / 4);
        }
        self.count_bytes();
    }

    /// Every chunk but the last has the capacity of a full one.
    fn count_bytes(&mut self) {
        let last = self.chunks.last().map_or(0, Vec::capacity);
        self.bytes = allocated(self.chunks.capacity() * size_of::<Vec<T>>())
            + self.chunks.len().saturating_sub(1) * allocated(LEN * size_of::<T>())
            + allocated(last * size_of::<T>());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// The heap bytes behind it, without what is behind the items. O(1).
    pub(super) const fn memory_bytes(&self) -> usize {
        self.bytes
    }
}
