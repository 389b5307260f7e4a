//! A small, quick random number generator, for sampling.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

/// Where at least one number of so many is wanted, a selection looks at every number.
const DENSE: usize = 4;

/// `SplitMix64` (Steele, Lea and Flood, 2014): every state is a good one, which is all that sampling
/// asks for. Not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose sequence `seed` determines.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator seeded by the system's randomness.
    pub fn from_entropy() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    /// The next 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A generator of its own, for drawing while this one is not at hand.
    #[must_use]
    pub const fn split(&mut self) -> Self {
        Self(self.next_u64())
    }

    /// A number below `bound`; 0 if that is 0. The bias is below `bound` / 2⁶⁴.
    pub const fn below(&mut self, bound: usize) -> usize {
        ((self.next_u64() as u128 * bound as u128) >> 64) as usize
    }

    /// `count` distinct numbers below `bound`, or all of them where there are no more, ascending; every such selection
    /// is equally likely. O(count log count).
    pub fn distinct(&mut self, bound: usize, count: usize) -> Vec<usize> {
        if count >= bound {
            return (0..bound).collect();
        }
        if count < bound / DENSE {
            // Floyd's sample: the numbers up to `last` are a fair one of as many as were drawn.
            let mut drawn = BTreeSet::new();
            for last in bound - count..bound {
                let number = self.below(last + 1);
                if !drawn.insert(number) {
                    drawn.insert(last);
                }
            }
            return drawn.into_iter().collect();
        }
        // Each number is taken with the probability that those still wanted have among those still left.
        let mut wanted = count;
        let selected = (0..bound).filter(|number| {
            let taken = self.below(bound - number) < wanted;
            wanted -= usize::from(taken);
            taken
        });
        selected.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn selections_are_distinct_ascending_and_fair() {
        let mut rng = Rng::new(1);
        for (bound, count) in [(5, 0), (5, 2), (5, 4), (5, 9), (40, 3), (40, 30)] {
            let mut drawn = vec![0_u32; bound];
            for _ in 0..4000 {
                let numbers = rng.distinct(bound, count);
                assert_eq!(numbers.len(), count.min(bound));
                assert!(numbers.is_sorted_by(|one, next| one < next));
                for number in numbers {
                    drawn[number] += 1;
                }
            }
            let expected = 4000 * count.min(bound) / bound;
            for times in drawn {
                assert!(
                    expected.abs_diff(times as usize) <= expected / 5 + 1,
                    "{bound} {count} {times}"
                );
            }
        }
    }
}
