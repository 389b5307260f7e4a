//! The longest common subsequence of two byte strings.

use std::ops::Range;

/// A longest common subsequence, the one Redis finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lcs {
    /// The subsequence.
    pub text: Vec<u8>,
    /// Where it stands in either string, in unbroken stretches, the last one first.
    pub matches: Vec<Match>,
}

/// An unbroken stretch of a common subsequence: ranges of one length, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// In the first string.
    pub a: Range<usize>,
    /// In the second string.
    pub b: Range<usize>,
}

/// The memory that [`lcs`] of two strings of these lengths takes, in bytes, or `None` if that is more
/// than there can be: to be checked before.
pub fn transient_bytes(a: usize, b: usize) -> Option<usize> {
    let cells = a.checked_add(1)?.checked_mul(b.checked_add(1)?)?;
    cells.checked_mul(size_of::<u32>())
}

/// Finds a longest common subsequence in time and memory proportional to the product of the lengths.
///
/// ```
/// use server::value::lcs::lcs;
///
/// assert_eq!(lcs(b"ohmytext", b"mynewtext").text, b"mytext");
/// ```
pub fn lcs(a: &[u8], b: &[u8]) -> Lcs {
    // Row i, column j: the length of the subsequence of the first i and j bytes.
    let width = b.len() + 1;
    let mut lengths = vec![0u32; (a.len() + 1) * width];
    for (i, x) in a.iter().enumerate() {
        let (above, below) = lengths[i * width..(i + 2) * width].split_at_mut(width);
        for (j, y) in b.iter().enumerate() {
            below[j + 1] = if x == y {
                above[j] + 1
            } else {
                above[j + 1].max(below[j])
            };
        }
    }
    let mut found = Lcs::default();
    let (mut i, mut j) = (a.len(), b.len());
    let mut unbroken = false;
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            found.text.push(a[i]);
            match found.matches.last_mut() {
                Some(last) if unbroken => (last.a.start, last.b.start) = (i, j),
                _ => found.matches.push(Match {
                    a: i..i + 1,
                    b: j..j + 1,
                }),
            }
            unbroken = true;
        } else {
            unbroken = false;
            if lengths[(i - 1) * width + j] > lengths[i * width + j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
    }
    found.text.reverse();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Match, lcs, transient_bytes};

    /// What Redis 7.0.15 answers to LCS … IDX.
    #[test]
    fn finds_what_redis_finds() {
        let found = lcs(b"ohmytext", b"mynewtext");
        let matches = [Match { a: 4..8, b: 5..9 }, Match { a: 2..4, b: 0..2 }];
        assert_eq!(
            (found.text, found.matches),
            (b"mytext".to_vec(), matches.to_vec())
        );
        assert_eq!(lcs(b"", b"a").matches, []);
        assert_eq!(transient_bytes(1, 2), Some(24));
        assert_eq!(transient_bytes(usize::MAX, 2), None);
    }

    fn is_subsequence(part: &[u8], of: &[u8]) -> bool {
        let mut rest = of.iter();
        part.iter().all(|byte| rest.any(|other| other == byte))
    }

    proptest! {
        #[test]
        fn is_common_and_none_is_longer(a in "[ab]{0,9}", b in "[abc]{0,9}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let found = lcs(a, b);
            prop_assert!(is_subsequence(&found.text, a) && is_subsequence(&found.text, b));
            let longest = (0..1usize << a.len())
                .map(|mask| (0..a.len()).filter(|bit| mask >> bit & 1 == 1).map(|bit| a[bit]).collect::<Vec<_>>())
                .filter(|part| is_subsequence(part, b))
                .map(|part| part.len())
                .max();
            prop_assert_eq!(Some(found.text.len()), longest);
            let joined: Vec<u8> = found.matches.iter().rev().flat_map(|found| &a[found.a.clone()]).copied().collect();
            prop_assert_eq!(&joined, &found.text);
            prop_assert!(found.matches.iter().all(|found| a[found.a.clone()] == b[found.b.clone()]));
        }
    }
}
