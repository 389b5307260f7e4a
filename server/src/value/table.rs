//! The hash table of the keyspace and of big hashes, sets and sorted sets.

use std::hint::select_unpredictable;

use super::bytes::Blob;
use super::chunked::{Chunked, Id};
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
///   another table, growing at the same pace, can't use either; unused room is at most a quarter of one.
///
/// An entry costs its key (24 bytes, more if that is longer than 22), its value, 4 bytes of chain, 4 of
/// [mark](Mark), which is the hash or something else and a part of it, and a bucket of 4 bytes.
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
pub struct Table<V, M = u32> {
    /// The first entry of each bucket's chain, or `NIL`. Not a power of two: see `bucket_of`.
    buckets: Chunked<Id, BUCKETS>,
    entries: Chunked<Row<V, M>, ENTRIES>,
    /// Heap bytes behind the keys.
    keys_bytes: usize,
}

/// What an entry keeps of its key's hash, beside other things if it likes.
pub trait Mark {
    /// The mark of a key with this hash.
    fn of(hash: u32) -> Self;

    /// Whether the entry's key may have this hash: true where it has, false for most others.
    fn may_be(&self, hash: u32) -> bool;

    /// The hash of the entry's key.
    fn hash(&self, key: &[u8]) -> u32;

    /// Whether the hash of the entry's key has this bit.
    fn has_bit(&self, bit: u32, key: &[u8]) -> bool {
        self.hash(key) & bit != 0
    }
}

/// The whole hash.
impl Mark for u32 {
    fn of(hash: u32) -> Self {
        hash
    }

    fn may_be(&self, hash: u32) -> bool {
        *self == hash
    }

    fn hash(&self, _: &[u8]) -> u32 {
        *self
    }
}

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

/// An entry of a [`Table`].
// In this order, so that what following a chain reads is in one cache line, and that with the key's first byte all of a
// small entry has been read.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct Row<V, M> {
    key: Blob,
    value: V,
    mark: M,
    /// The next entry of the chain, or `NIL`.
    next: Id,
}

impl<V, M> Row<V, M> {
    /// The key.
    pub const fn key(&self) -> &Blob {
        &self.key
    }

    /// The value.
    pub const fn value(&self) -> &V {
        &self.value
    }

    /// The mark.
    pub const fn mark(&self) -> &M {
        &self.mark
    }
}

const NIL: Id = Id::MAX;

/// Entries per chunk: enough that the list of chunks is small, few enough that a chunk which is not full is, beside the
/// thousand entries of a slot in a keyspace of a million.
const ENTRIES: usize = 64;

/// Buckets per chunk: as above, at four bytes each.
const BUCKETS: usize = 256;

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

impl<V, M: Mark> Steps for Table<V, M> {
    fn begin(&self, hash: u64) -> Id {
        let bucket = self.buckets.get(self.bucket_of(hash as u32));
        bucket.copied().unwrap_or(NIL)
    }

    fn follow(&self, hash: u64, id: Id) -> Id {
        // A branch would wait for the entry to arrive, and hold up the lookups behind it.
        self.entries.get(id).map_or(id, |entry| {
            select_unpredictable(entry.mark.may_be(hash as u32), id, entry.next)
        })
    }

    fn touch(&self, id: Id) {
        let key = self.at(id).map(|(key, _)| key);
        std::hint::black_box(key.map(|key| (key.first(), key.last())));
    }
}

/// Below this many buckets a table does not shrink.
const MIN_BUCKETS: usize = 4;

impl<V, M> Default for Table<V, M> {
    fn default() -> Self {
        Self {
            buckets: Chunked::new(),
            entries: Chunked::new(),
            keys_bytes: 0,
        }
    }
}

impl<V> Table<V> {
    /// An empty table, which has allocated nothing.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<V, M> Table<V, M> {
    /// Bytes of an entry and its bucket.
    pub const ENTRY_BYTES: usize = size_of::<Row<V, M>>() + size_of::<Id>();

    /// The number of entries.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<V, M: Mark> Table<V, M> {
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

    /// The id and the entry of `key`, for a caller that has [`hash`]`(key)`. O(1).
    pub fn find_hashed(&self, hash: u64, key: &[u8]) -> Option<(Id, &Row<V, M>)> {
        let hash = hash as u32;
        let mut id = *self.buckets.get(self.bucket_of(hash))?;
        while let Some(entry) = self.entries.get(id) {
            if entry.mark.may_be(hash) && *entry.key == *key {
                return Some((id, entry));
            }
            id = entry.next;
        }
        None
    }

    /// The entry at `id`.
    pub fn at(&self, id: Id) -> Option<(&Blob, &V)> {
        self.entries.get(id).map(|entry| (&entry.key, &entry.value))
    }

    /// The entry at `id`, with its mark.
    pub fn row(&self, id: Id) -> Option<&Row<V, M>> {
        self.entries.get(id)
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
        self.entries.push(Row {
            mark: M::of(hash),
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
        let next = self.entries.get(id)?.next;
        self.relink(self.hash_at(id), id, next);
        let last = (self.len() - 1) as Id;
        let moved = (last != id).then(|| {
            self.relink(self.hash_at(last), last, id);
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
        *self = Self::default();
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
        self.scan_rows(cursor, count, |_, row| visit(&row.key, &row.value))
    }

    /// [`Self::scan`], which shows ids and marks as well.
    pub fn scan_rows(
        &self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Id, &Row<V, M>),
    ) -> u64 {
        if self.is_empty() {
            return 0;
        }
        // Every bucket below `half` is there, and has been split in two if its upper half is there as
        // well. Visiting both halves together makes this a table of `half` buckets, for which
        // counting up from the highest bit keeps the guarantee when `half` changes: the buckets that
        // a bucket splits into, or is merged with, are those that share its low bits.
        let half = (self.buckets.len() / 2 + 1).next_power_of_two();
        let mask = half as u32 - 1;
        let mut cursor = cursor as u32;
        let mut visited = 0;
        for _ in 0..count.max(1).saturating_mul(10) {
            let low = cursor & mask;
            for bucket in [low, low + half as u32] {
                let mut id = self.buckets.get(bucket).copied().unwrap_or(NIL);
                while let Some(entry) = self.entries.get(id) {
                    visit(id, entry);
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

    /// The hash of the key of an entry.
    fn hash_at(&self, id: Id) -> u32 {
        let entry = self.entries.at(id);
        entry.mark.hash(&entry.key)
    }

    /// The bucket of a hash: its low bits, as many as reach every bucket; one bit less where
    /// those name a bucket that has not been split off yet.
    fn bucket_of(&self, hash: u32) -> Id {
        let mask = (self.buckets.len().next_power_of_two() - 1) as u32;
        let bucket = hash & mask;
        let exists = (bucket as usize) < self.buckets.len();
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
        if self.len() < self.buckets.len() {
            return;
        }
        // The new bucket takes its share of the one that stood for both.
        let new = self.buckets.len() as Id;
        self.buckets.push(NIL);
        let old = unsplit(new);
        if old == new {
            return;
        }
        let mut id = std::mem::replace(self.buckets.at_mut(old), NIL);
        while id != NIL {
            let entry = self.entries.at_mut(id);
            let moves = entry.mark.has_bit(new ^ old, &entry.key);
            let bucket = self.buckets.at_mut(if moves { new } else { old });
            let next = std::mem::replace(&mut entry.next, *bucket);
            *bucket = id;
            id = next;
        }
    }

    /// Gives buckets back when more than half are unneeded; two for a removal, so that their
    /// number follows a table that only shrinks.
    fn shrink(&mut self) {
        for _ in 0..2 {
            if self.buckets.len() <= MIN_BUCKETS.max(self.len() * 2) {
                break;
            }
            let gone = (self.buckets.len() - 1) as Id;
            let mut id = self.buckets.swap_remove(gone);
            let bucket = self.buckets.at_mut(unsplit(gone));
            while id != NIL {
                let next = &mut self.entries.at_mut(id).next;
                let behind = std::mem::replace(next, *bucket);
                *bucket = id;
                id = behind;
            }
        }
    }
}

/// The bucket that stands for the one at `bucket` and itself before that is split off: without the highest bit.
const fn unsplit(bucket: Id) -> Id {
    match bucket.checked_ilog2() {
        Some(bit) => bucket ^ 1 << bit,
        None => bucket,
    }
}
