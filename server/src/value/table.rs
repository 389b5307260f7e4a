//! The hash table of the keyspace and of big hashes, sets and sorted sets.

use std::hint::select_unpredictable;

use super::allocated;
use super::bytes::Blob;
use super::rng::Rng;
use super::siphash::hash;

/// A hash table from byte strings to `V`, made for many small entries and for growing without a
/// pause.
///
/// - **Entries are dense**: their ids are `0..len()`. So sampling is uniform and O(1), iteration is a
///   sweep through memory, and there are no holes. The price: removing an entry moves the last one
///   into its place, under its id ([`Removed::moved`]). Otherwise an id is stable.
/// - **Buckets split one at a time** (linear hashing, Litwin 1980): an insertion or removal does
///   O(1) work, never a rehash of everything.
/// - **Storage is in chunks**: growth copies no more than one small chunk, and leaves no hole behind that
///   another table, growing at the same pace, can't use either; unused room is at most a chunk.
///
/// An entry costs its key (24 bytes, more if that is longer than 22), its value, 8 bytes of chain and
/// hash, and a bucket of 4 bytes.
///
/// ```
/// use server::value::{Blob, Table};
///
/// let mut table = Table::new();
/// assert_eq!(table.insert(Blob::from(b"one"), 1), None);
/// assert_eq!(table.get(b"one"), Some(&1));
/// assert_eq!(table.remove(b"one").map(|removed| removed.value), Some(1));
/// ```
#[derive(Clone, Debug)]
pub struct Table<V> {
    /// The first entry of each bucket's chain, or `NIL`. Not a power of two: see `bucket_of`.
    buckets: Chunks<Id, BUCKETS>,
    entries: Chunks<Entry<V>, ENTRIES>,
    /// Heap bytes behind the keys.
    keys_bytes: usize,
}

/// The place of an entry in a [`Table`], below its `len()`.
pub type Id = u32;

/// What [`Table::remove`] took out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed<V> {
    /// The entry's key.
    pub key: Blob,
    /// The entry's value.
    pub value: V,
    /// Where the entry was.
    pub id: Id,
    /// The former id of the entry that is now at `id`, if another took its place.
    pub moved: Option<Id>,
}

/// In this order, so that what following a chain reads is in one cache line.
#[repr(C)]
#[derive(Clone, Debug)]
struct Entry<V> {
    hash: u32,
    /// The next entry of the chain, or `NIL`.
    next: Id,
    key: Blob,
    value: V,
}

const NIL: Id = Id::MAX;

/// A lookup in steps, for a caller who looks up many keys: it takes the same step for all of them before the next one,
/// so that the processor waits for memory once and not for each key.
pub trait Steps {
    /// The first step: the id looked at first, which may be of no entry.
    fn begin(&self, hash: u64) -> Id;

    /// A further step: the id looked at after `id`, the same where the lookup ends there.
    fn follow(&self, hash: u64, id: Id) -> Id;

    /// The last step: reads what a comparison of keys will read.
    fn touch(&self, id: Id);
}

impl<V> Steps for Table<V> {
    fn begin(&self, hash: u64) -> Id {
        let bucket = self.buckets.get(self.bucket_of(hash as u32));
        bucket.copied().unwrap_or(NIL)
    }

    fn follow(&self, hash: u64, id: Id) -> Id {
        // A branch would wait for the entry to arrive, and hold up the lookups behind it.
        self.entries.get(id).map_or(id, |entry| {
            select_unpredictable(entry.hash == hash as u32, id, entry.next)
        })
    }

    fn touch(&self, id: Id) {
        std::hint::black_box(self.at(id).map(|(key, _)| key.last()));
    }
}

/// Below this many buckets a table does not shrink.
const MIN_BUCKETS: usize = 4;

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Table<V> {
    /// An empty table, which has allocated nothing.
    pub const fn new() -> Self {
        Self {
            buckets: Chunks::new(),
            entries: Chunks::new(),
            keys_bytes: 0,
        }
    }

    /// The number of entries.
    pub const fn len(&self) -> usize {
        self.entries.len
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `key`. O(1).
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        self.at(self.id_of(key)?).map(|(_, value)| value)
    }

    /// The value of `key`, to change. O(1).
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        self.at_mut(self.id_of(key)?)
    }

    /// Whether `key` is in the table. O(1).
    pub fn contains(&self, key: &[u8]) -> bool {
        self.id_of(key).is_some()
    }

    /// The id of `key`. O(1).
    pub fn id_of(&self, key: &[u8]) -> Option<Id> {
        self.id_of_hashed(hash(key), key)
    }

    /// [`Self::id_of`] for a caller that already has [`hash`]`(key)`.
    pub fn id_of_hashed(&self, hash: u64, key: &[u8]) -> Option<Id> {
        self.find_hashed(hash, key).map(|(id, _)| id)
    }

    /// The id and the value of `key`, for a caller that has [`hash`]`(key)`. O(1).
    pub fn find_hashed(&self, hash: u64, key: &[u8]) -> Option<(Id, &V)> {
        let hash = hash as u32;
        let mut id = *self.buckets.get(self.bucket_of(hash))?;
        while let Some(entry) = self.entries.get(id) {
            if entry.hash == hash && *entry.key == *key {
                return Some((id, &entry.value));
            }
            id = entry.next;
        }
        None
    }

    /// The entry at `id`.
    pub fn at(&self, id: Id) -> Option<(&Blob, &V)> {
        self.entries.get(id).map(|entry| (&entry.key, &entry.value))
    }

    /// The value at `id`, to change.
    pub fn at_mut(&mut self, id: Id) -> Option<&mut V> {
        self.entries.get_mut(id).map(|entry| &mut entry.value)
    }

    /// A random entry's id, all equally likely. O(1).
    pub fn random(&self, rng: &mut Rng) -> Option<Id> {
        (!self.is_empty()).then(|| rng.below(self.len()) as Id)
    }

    /// Sets the value of `key` and returns the one it had. O(1).
    pub fn insert(&mut self, key: Blob, value: V) -> Option<V> {
        let hash = hash(&key);
        if let Some(old) = self.id_of_hashed(hash, &key).and_then(|id| self.at_mut(id)) {
            return Some(std::mem::replace(old, value));
        }
        self.insert_new(hash, key, value);
        None
    }

    /// Adds an entry whose key, with this [`hash`], is known to be absent; returns its id. O(1).
    ///
    /// A table holds no more than 2³² - 1 entries.
    pub fn insert_new(&mut self, hash: u64, key: Blob, value: V) -> Id {
        debug_assert!(self.id_of_hashed(hash, &key).is_none());
        self.grow();
        let (id, hash) = (self.len() as Id, hash as u32);
        let bucket = self.bucket_of(hash);
        let next = std::mem::replace(self.buckets.at_mut(bucket), id);
        self.keys_bytes += key.memory_bytes();
        self.entries.push(Entry {
            hash,
            next,
            key,
            value,
        });
        id
    }

    /// Takes `key` out. O(1).
    pub fn remove(&mut self, key: &[u8]) -> Option<Removed<V>> {
        self.remove_at(self.id_of(key)?)
    }

    /// Takes the entry at `id` out. O(1).
    pub fn remove_at(&mut self, id: Id) -> Option<Removed<V>> {
        let Entry { hash, next, .. } = *self.entries.get(id)?;
        self.relink(hash, id, next);
        let last = (self.len() - 1) as Id;
        let moved = (last != id).then(|| {
            self.relink(self.entries.at(last).hash, last, id);
            last
        });
        let entry = self.entries.swap_remove(id);
        self.keys_bytes -= entry.key.memory_bytes();
        self.shrink();
        Some(Removed {
            key: entry.key,
            value: entry.value,
            id,
            moved,
        })
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// All entries, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&Blob, &V)> {
        self.entries.iter().map(|entry| (&entry.key, &entry.value))
    }

    /// Visits some entries and returns the cursor to go on with; 0 begins, and 0 is returned at
    /// the end.
    ///
    /// An entry that is in the table from the beginning to the end is visited at least once,
    /// whatever is inserted or removed between two calls; one that comes or goes meanwhile may be.
    /// One call visits about `count` entries: it ends with the bucket that reaches it, and after
    /// `10 * count` buckets. Any number is a valid cursor, and only the lower 32 bits count.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&Blob, &V)) -> u64 {
        if self.is_empty() {
            return 0;
        }
        // Every bucket below `half` is there, and has been split in two if its upper half is there as
        // well. Visiting both halves together makes this a table of `half` buckets, for which
        // counting up from the highest bit keeps the guarantee when `half` changes: the buckets that
        // a bucket splits into, or is merged with, are those that share its low bits.
        let half = (self.buckets.len / 2 + 1).next_power_of_two();
        let mask = half as u32 - 1;
        let mut cursor = cursor as u32;
        let mut visited = 0;
        for _ in 0..count.max(1).saturating_mul(10) {
            let low = cursor & mask;
            for bucket in [low, low + half as u32] {
                let mut id = self.buckets.get(bucket).copied().unwrap_or(NIL);
                while let Some(entry) = self.entries.get(id) {
                    visit(&entry.key, &entry.value);
                    visited += 1;
                    id = entry.next;
                }
            }
            cursor = (cursor | !mask)
                .reverse_bits()
                .wrapping_add(1)
                .reverse_bits();
            if cursor == 0 || visited >= count {
                break;
            }
        }
        u64::from(cursor)
    }

    /// The heap bytes of the table and its keys, without what is behind the values. O(1).
    pub fn memory_bytes(&self) -> usize {
        self.buckets.memory_bytes() + self.entries.memory_bytes() + self.keys_bytes
    }

    /// The bucket of a hash: its low bits, as many as reach every bucket; one bit less where
    /// those name a bucket that has not been split off yet.
    fn bucket_of(&self, hash: u32) -> Id {
        let mask = (self.buckets.len.next_power_of_two() - 1) as u32;
        let bucket = hash & mask;
        let exists = (bucket as usize) < self.buckets.len;
        select_unpredictable(exists, bucket, bucket & (mask >> 1))
    }

    /// Makes the link that leads to `id`, in the chain of `hash`, lead to `to` instead.
    fn relink(&mut self, hash: u32, id: Id, to: Id) {
        let bucket = self.bucket_of(hash);
        let first = self.buckets.at_mut(bucket);
        if *first == id {
            *first = to;
            return;
        }
        let mut at = *first;
        while let Some(entry) = self.entries.get_mut(at) {
            if entry.next == id {
                entry.next = to;
                return;
            }
            at = entry.next;
        }
    }

    /// Makes room for one more entry: there are as many buckets as entries.
    fn grow(&mut self) {
        if self.len() < self.buckets.len {
            return;
        }
        // The new bucket takes its share of the one that stood for both.
        let new = self.buckets.len;
        self.buckets.push(NIL);
        let mask = (new + 1).next_power_of_two() - 1;
        let old = new & (mask >> 1);
        let mut id = if old == new {
            NIL
        } else {
            std::mem::replace(self.buckets.at_mut(old as Id), NIL)
        };
        while id != NIL {
            let hash = self.entries.at(id).hash;
            let bucket = self.bucket_of(hash);
            let first = std::mem::replace(self.buckets.at_mut(bucket), id);
            id = std::mem::replace(&mut self.entries.at_mut(id).next, first);
        }
    }

    /// Gives buckets back when more than half are unneeded; two for a removal, so that their
    /// number follows a table that only shrinks.
    fn shrink(&mut self) {
        for _ in 0..2 {
            if self.buckets.len <= MIN_BUCKETS.max(self.len() * 2) {
                break;
            }
            let mut id = self.buckets.swap_remove((self.buckets.len - 1) as Id);
            while id != NIL {
                let hash = self.entries.at(id).hash;
                let bucket = self.bucket_of(hash);
                let first = std::mem::replace(self.buckets.at_mut(bucket), id);
                id = std::mem::replace(&mut self.entries.at_mut(id).next, first);
            }
        }
    }
}

/// Entries per chunk: enough that the list of chunks is small, few enough that a chunk which is not full is, beside the
/// thousand entries of a slot in a keyspace of a million.
const ENTRIES: usize = 64;

/// Buckets per chunk: as above, at four bytes each.
const BUCKETS: usize = 256;

/// A vector in chunks of `LEN`, all full but the last.
#[derive(Clone, Debug)]
struct Chunks<T, const LEN: usize> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T, const LEN: usize> Chunks<T, LEN> {
    const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }

    fn get(&self, id: Id) -> Option<&T> {
        let id = id as usize;
        self.chunks.get(id / LEN)?.get(id % LEN)
    }

    fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let id = id as usize;
        self.chunks.get_mut(id / LEN)?.get_mut(id % LEN)
    }

    /// The item at an id that a link holds.
    fn at(&self, id: Id) -> &T {
        let id = id as usize;
        &self.chunks[id / LEN][id % LEN]
    }

    fn at_mut(&mut self, id: Id) -> &mut T {
        let id = id as usize;
        &mut self.chunks[id / LEN][id % LEN]
    }

    fn push(&mut self, item: T) {
        if self.len == self.chunks.len() * LEN {
            self.chunks.push(Vec::new());
        }
        self.len += 1;
        let first = self.chunks.len() == 1;
        if let Some(chunk) = self.chunks.last_mut() {
            if chunk.len() == chunk.capacity() {
                // Only the first one grows: a small table is to be small.
                let room = LEN - chunk.len();
                let more = if first {
                    (chunk.len() / 4).max(2).min(room)
                } else {
                    room
                };
                chunk.reserve_exact(more);
            }
            chunk.push(item);
        }
    }

    fn swap_remove(&mut self, id: Id) -> T {
        let last = (self.len - 1) as Id;
        let chunk = &mut self.chunks[last as usize / LEN];
        let index = last as usize % LEN;
        let mut item = chunk.swap_remove(index);
        if chunk.is_empty() {
            self.chunks.pop();
            if self.chunks.capacity() > 4.max(self.chunks.len() * 4) {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        } else if last < LEN as Id && chunk.capacity() > 8.max(chunk.len() * 2) {
            chunk.shrink_to(chunk.len() + chunk.len() / 4);
        }
        self.len -= 1;
        if id != last {
            std::mem::swap(&mut item, self.at_mut(id));
        }
        item
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Every chunk but the last has the capacity of a full one.
    fn memory_bytes(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::capacity);
        allocated(self.chunks.capacity() * size_of::<Vec<T>>())
            + self.chunks.len().saturating_sub(1) * allocated(LEN * size_of::<T>())
            + allocated(last * size_of::<T>())
    }
}
