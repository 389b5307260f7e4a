//! What a key holds: a value of any type, its expiry, its access clock; and how the last is kept.

use std::cell::Cell;

use crate::access::AccessClock;
use crate::value::{Blob, Hash, List, Mark, Row, Set, SortedSet, Steps, Str, siphash};

/// The expiry of a key that never expires.
pub(crate) const NEVER: i64 = i64::MAX;

/// The last time at which a key can expire: one that is to expire even later does so then.
pub(crate) const LATEST: i64 = NEVER - 1;

/// A value of any type.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    String(Str),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A sorted set.
    SortedSet(SortedSet),
}

/// The types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A hash.
    Hash,
    /// A sorted set.
    SortedSet,
}

impl Kind {
    /// The name TYPE answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::Hash => "hash",
            Self::SortedSet => "zset",
        }
    }

    /// Whether clients can wait for a key to hold such a value.
    pub fn is_awaited(self) -> bool {
        matches!(self, Self::List | Self::SortedSet)
    }
}

impl Value {
    /// The table that a lookup of an element goes through, if it does, and which of a call's arguments is the element:
    /// the second or the last.
    pub(crate) fn steps<'a>(
        &self,
        second: &'a [u8],
        last: &'a [u8],
    ) -> Option<(&dyn Steps, &'a [u8])> {
        match self {
            Self::Hash(hash) => Some((hash.steps()?, second)),
            Self::Set(set) => Some((set.steps()?, second)),
            Self::SortedSet(set) => Some((set.steps()?, last)),
            Self::String(_) | Self::List(_) => None,
        }
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::Hash(_) => Kind::Hash,
            Self::SortedSet(_) => Kind::SortedSet,
        }
    }

    /// The name OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::String(value) => value.encoding(),
            Self::List(value) => value.encoding(),
            Self::Set(value) => value.encoding(),
            Self::Hash(value) => value.encoding(),
            Self::SortedSet(value) => value.encoding(),
        }
    }

    /// The heap bytes behind it. O(1).
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::String(value) => value.memory_bytes(),
            Self::List(value) => value.memory_bytes(),
            Self::Set(value) => value.memory_bytes(),
            Self::Hash(value) => value.memory_bytes(),
            Self::SortedSet(value) => value.memory_bytes(),
        }
    }

    /// The number of elements; 1 for a string.
    pub fn len(&self) -> usize {
        match self {
            Self::String(_) => 1,
            Self::List(value) => value.len(),
            Self::Set(value) => value.len(),
            Self::Hash(value) => value.len(),
            Self::SortedSet(value) => value.len(),
        }
    }

    /// Whether it is a collection without elements, which no key may hold after a command.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A key and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub(crate) row: &'a Row<Value, Tag>,
    pub(crate) expires_at: i64,
}

impl<'a> Entry<'a> {
    /// The key.
    pub fn key(self) -> &'a Blob {
        self.row.key()
    }

    /// The value.
    pub fn value(self) -> &'a Value {
        self.row.value()
    }

    /// When it expires, in unix milliseconds.
    pub fn expires_at(self) -> Option<i64> {
        (self.expires_at != NEVER).then_some(self.expires_at)
    }

    /// When or how often it was read.
    pub fn access(self) -> AccessClock {
        self.row.mark().access()
    }

    /// A copy of the value, and its expiry.
    pub fn to_parts(self) -> (Value, Option<i64>) {
        (self.value().clone(), self.expires_at())
    }
}

/// What is kept beside each key, in four bytes: its access clock (24 bits), whether it expires (one bit), and as much of its
/// hash as there is room for. When the hash itself is needed, it is computed again.
#[derive(Clone, Debug)]
pub struct Tag(Cell<u32>);

impl Tag {
    const EXPIRES: u32 = 1 << 24;
    /// The bits of the hash that are kept, as a mask of hashes: those that choose between two buckets when one is split
    /// in a slot of 128 to 16,384 keys.
    const HASH: u32 = 0x7f << 7;
    /// How far they are moved.
    const SHIFT: u32 = 18;

    pub(crate) fn access(&self) -> AccessClock {
        AccessClock::from_low_bits(self.0.get())
    }

    pub(crate) fn set_access(&self, clock: AccessClock) {
        self.0.set(clock.in_low_bits_of(self.0.get()));
    }

    pub(crate) fn expires(&self) -> bool {
        self.0.get() & Self::EXPIRES != 0
    }

    pub(crate) fn set_expires(&self, expires: bool) {
        let flag = if expires { Self::EXPIRES } else { 0 };
        self.0.set(self.0.get() & !Self::EXPIRES | flag);
    }
}

impl Mark for Tag {
    fn of(hash: u32) -> Self {
        Self(Cell::new((hash & Self::HASH) << Self::SHIFT))
    }

    fn may_be(&self, hash: u32) -> bool {
        (self.0.get() >> Self::SHIFT ^ hash) & Self::HASH == 0
    }

    fn hash(&self, key: &[u8]) -> u32 {
        siphash::hash(key) as u32
    }

    fn has_bit(&self, bit: u32, key: &[u8]) -> bool {
        let hash = if bit & Self::HASH == 0 {
            self.hash(key)
        } else {
            self.0.get() >> Self::SHIFT
        };
        hash & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::Tag;
    use crate::access::AccessClock;
    use crate::value::{Blob, Mark, Table, siphash};

    fn key(number: u32) -> Vec<u8> {
        format!("key:{number}").into_bytes()
    }

    /// More entries than the bits that are kept tell apart, so that buckets are split with and without them.
    #[test]
    fn a_table_grows_and_shrinks_with_a_part_of_each_hash() {
        let mut table = Table::<u32, Tag>::default();
        for number in 0..40_000 {
            assert_eq!(table.insert(Blob::from(&*key(number)), number), None);
            if let Some(row) = table.row(number) {
                row.mark().set_access(AccessClock::from_low_bits(number));
                row.mark().set_expires(number % 3 == 0);
            }
        }
        for number in 0..40_000 {
            assert_eq!(table.get(&key(number)), Some(&number));
        }
        for number in (0..40_000).filter(|number| number % 100 > 0) {
            assert_eq!(table.remove(&key(number)).map(|it| it.value), Some(number));
        }
        assert_eq!(table.len(), 400);
        for number in (0..40_000).step_by(100) {
            let row = table.id_of(&key(number)).and_then(|id| table.row(id));
            let tag = row.map(|row| (row.mark().access(), row.mark().expires()));
            let clock = AccessClock::from_low_bits(number);
            assert_eq!(tag, Some((clock, number % 3 == 0)));
        }
        for number in 0..40_000 {
            assert_eq!(table.contains(&key(number)), number % 100 == 0);
        }
    }

    #[test]
    fn a_tag_tells_most_hashes_apart_and_knows_each_bit() {
        for number in 0..1_000 {
            let key = key(number);
            let hash = siphash::hash(&key) as u32;
            let tag = Tag::of(hash);
            tag.set_access(AccessClock::from_low_bits(u32::MAX));
            tag.set_expires(true);
            assert!(tag.may_be(hash) && !tag.may_be(hash ^ 1 << 9));
            for bit in 0..32 {
                assert_eq!(tag.has_bit(1 << bit, &key), hash >> bit & 1 == 1);
            }
        }
    }
}
