//! The packed form of small sets of integers.

use super::allocated;

/// A sorted array of integers, all of the least width (2, 4 or 8 bytes) that the widest one
/// ever inserted needs.
#[derive(Clone, Debug, Default)]
pub struct IntSet(
    /// Nothing, or the width in one byte and the integers, least significant byte first.
    Box<[u8]>,
);

impl IntSet {
    /// An empty set, which has allocated nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of members. O(1).
    pub fn len(&self) -> usize {
        self.0
            .split_first()
            .map_or(0, |(width, bytes)| bytes.len() / usize::from(*width))
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The member at `index`, in ascending order. O(1).
    pub fn at(&self, index: usize) -> Option<i64> {
        let (width, bytes) = self.0.split_first()?;
        let width = usize::from(*width);
        match *bytes.get(index * width..(index + 1) * width)? {
            [a, b] => Some(i64::from(i16::from_le_bytes([a, b]))),
            [a, b, c, d] => Some(i64::from(i32::from_le_bytes([a, b, c, d]))),
            [a, b, c, d, e, f, g, h] => Some(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        }
    }

    /// All members, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> {
        (0..self.len()).filter_map(|index| self.at(index))
    }

    /// Whether `value` is a member. O(log n).
    pub fn contains(&self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    /// Adds a member; whether it is new. O(n).
    pub fn insert(&mut self, value: i64) -> bool {
        let Err(index) = self.search(value) else {
            return false;
        };
        let width = width_of(value).max(self.0.first().copied().map_or(0, usize::from));
        if self.0.first().is_none_or(|old| usize::from(*old) < width) {
            self.widen(width);
        }
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        bytes.reserve_exact(width);
        let at = 1 + index * width;
        bytes.splice(at..at, value.to_le_bytes().into_iter().take(width));
        self.0 = bytes.into_boxed_slice();
        true
    }

    /// Removes a member; whether it was there. O(n).
    pub fn remove(&mut self, value: i64) -> bool {
        let (Ok(index), Some(width)) = (self.search(value), self.0.first()) else {
            return false;
        };
        let width = usize::from(*width);
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        let at = 1 + index * width;
        bytes.drain(at..at + width);
        self.0 = bytes.into_boxed_slice();
        true
    }

    /// The heap bytes behind it. O(1).
    pub fn memory_bytes(&self) -> usize {
        allocated(self.0.len())
    }

    fn search(&self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.at(middle) {
                Some(member) if member == value => return Ok(middle),
                Some(member) if member < value => low = middle + 1,
                _ => high = middle,
            }
        }
        Err(low)
    }

    fn widen(&mut self, width: usize) {
        let mut bytes = Vec::with_capacity(1 + (self.len() + 1) * width);
        bytes.push(width as u8);
        for member in self.iter() {
            bytes.extend(member.to_le_bytes().into_iter().take(width));
        }
        self.0 = bytes.into_boxed_slice();
    }
}

/// The bytes an integer needs in an intset.
const fn width_of(value: i64) -> usize {
    if value as i16 as i64 == value {
        2
    } else if value as i32 as i64 == value {
        4
    } else {
        8
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::IntSet;

    proptest! {
        #[test]
        fn behaves_like_a_sorted_set(
            steps in proptest::collection::vec((any::<bool>(), -40i64..40, 0u32..4), 1..200),
        ) {
            let mut ints = IntSet::new();
            let mut model = BTreeSet::new();
            for (insert, value, width) in steps {
                let value = value << (16 * width);
                if insert {
                    prop_assert_eq!(ints.insert(value), model.insert(value));
                } else {
                    prop_assert_eq!(ints.remove(value), model.remove(&value));
                }
                prop_assert_eq!(ints.len(), model.len());
                prop_assert_eq!(ints.contains(value), model.contains(&value));
                prop_assert!(ints.iter().eq(model.iter().copied()));
            }
        }
    }

    #[test]
    fn takes_two_bytes_for_small_integers_and_eight_for_the_largest() {
        let mut ints = IntSet::new();
        for value in 0..100 {
            ints.insert(value);
        }
        assert!(ints.memory_bytes() < 2 * 100 + 32);
        ints.insert(i64::MIN);
        assert!(ints.memory_bytes() > 8 * 100);
        assert_eq!(ints.at(0), Some(i64::MIN));
    }
}
