//! Strings as rows of bits: bit 0 is the highest bit of the first byte, and behind the last byte all bits are clear.

use std::ops::Range;

/// The bit at `offset`.
pub fn bit(bytes: &[u8], offset: usize) -> bool {
    bytes
        .get(offset / 8)
        .is_some_and(|byte| byte >> (7 - offset % 8) & 1 == 1)
}

/// Sets or clears the bit at `offset`, if the row is long enough.
pub fn set_bit(bytes: &mut [u8], offset: usize, on: bool) {
    if let Some(byte) = bytes.get_mut(offset / 8) {
        let mask = 0x80 >> (offset % 8);
        *byte = if on { *byte | mask } else { *byte & !mask };
    }
}

/// The set bits among `bits`. O(n).
///
/// ```
/// use server::value::bitmap::count;
///
/// assert_eq!(count(b"foobar", 0..48), 26);
/// assert_eq!(count(b"foobar", 5..31), 17);
/// ```
pub fn count(bytes: &[u8], bits: Range<usize>) -> usize {
    let Cut { first, rest, last } = cut(bytes, bits, 0);
    let (words, tail) = rest.as_chunks::<8>();
    let ones = |byte: &u8| byte.count_ones() as usize;
    let in_words = words
        .iter()
        .map(|word| u64::from_ne_bytes(*word).count_ones() as usize);
    in_words.sum::<usize>() + tail.iter().map(ones).sum::<usize>() + ones(&first) + ones(&last)
}

/// The offset of the first bit among `bits` that is `on`. O(n).
///
/// ```
/// use server::value::bitmap::position;
///
/// assert_eq!(position(b"\xff\xf0", false, 0..16), Some(12));
/// assert_eq!(position(b"\xff\xf0", true, 12..16), None);
/// ```
pub fn position(bytes: &[u8], on: bool, bits: Range<usize>) -> Option<usize> {
    let flip = if on { 0 } else { 0xff };
    let from = bits.start / 8 * 8;
    let Cut { first, rest, last } = cut(bytes, bits.clone(), flip);
    let in_byte = |byte: u8| (byte ^ flip).leading_zeros() as usize;
    if first ^ flip != 0 {
        return Some(from + in_byte(first));
    }
    let (words, _) = rest.as_chunks::<8>();
    let pass = u64::from_ne_bytes([flip; 8]);
    let words = words
        .iter()
        .take_while(|word| u64::from_ne_bytes(**word) == pass)
        .count();
    let behind = rest.get(words * 8..).unwrap_or_default();
    if let Some(at) = behind.iter().position(|byte| *byte != flip) {
        return Some(from + (1 + words * 8 + at) * 8 + in_byte(behind[at]));
    }
    (last ^ flip != 0).then(|| from + (1 + rest.len()) * 8 + in_byte(last))
}

/// The bytes that a range of bits covers; in the outer two, bits outside the range are replaced.
struct Cut<'a> {
    first: u8,
    rest: &'a [u8],
    last: u8,
}

/// `fill` is what bits outside the range become, 0 or 0xff; a missing first or last byte is all `fill`.
fn cut(bytes: &[u8], bits: Range<usize>, fill: u8) -> Cut<'_> {
    let end = bits.end.min(bytes.len() * 8);
    let nothing = Cut {
        first: fill,
        rest: &[],
        last: fill,
    };
    if bits.start >= end {
        return nothing;
    }
    let inside = bytes
        .get(bits.start / 8..end.div_ceil(8))
        .unwrap_or_default();
    let before = 0xff >> (bits.start % 8);
    let behind = 0xff << ((8 - end % 8) % 8);
    let masked = |byte: u8, mask: u8| byte & mask | fill & !mask;
    match inside {
        [] => nothing,
        [only] => Cut {
            first: masked(*only, before & behind),
            ..nothing
        },
        [first, rest @ .., last] => Cut {
            first: masked(*first, before),
            rest,
            last: masked(*last, behind),
        },
    }
}

/// The operations of BITOP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bits that are set in all rows.
    And,
    /// Bits that are set in any row.
    Or,
    /// Bits that are set in an odd number of rows.
    Xor,
    /// Bits that are clear in the first row.
    Not,
}

/// Combines rows to one as long as the longest of them. O(n) in all their bytes.
///
/// ```
/// use server::value::bitmap::{Operation, combine};
///
/// assert_eq!(combine(Operation::And, &[b"\xf0\x0f", b"\xff"]), b"\xf0\x00");
/// ```
pub fn combine(operation: Operation, rows: &[&[u8]]) -> Vec<u8> {
    let len = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let mut result = rows.first().map_or_else(Vec::new, |row| row.to_vec());
    result.resize(len, 0);
    if operation == Operation::Not {
        for byte in &mut result {
            *byte = !*byte;
        }
    }
    for row in rows.iter().skip(1) {
        let pairs = result.iter_mut().zip(*row);
        match operation {
            Operation::And => {
                pairs.for_each(|(byte, other)| *byte &= other);
                if let Some(behind) = result.get_mut(row.len()..) {
                    behind.fill(0);
                }
            }
            Operation::Or => pairs.for_each(|(byte, other)| *byte |= other),
            Operation::Xor => pairs.for_each(|(byte, other)| *byte ^= other),
            Operation::Not => {}
        }
    }
    result
}

/// The type of an integer in a row of bits, most significant bit first: `i1` to `i64`, `u1` to `u63`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Whether it is in two's complement.
    pub signed: bool,
    /// How many bits it has.
    pub bits: u8,
}

/// What becomes of a number that a field can't hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Its low bits.
    Wrap,
    /// The nearest number that fits.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl Field {
    /// Reads `i8`, `u63` and their like.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (signed, digits, most) = match text {
            [b'i', digits @ ..] => (true, digits, 64),
            [b'u', digits @ ..] => (false, digits, 63),
            _ => return None,
        };
        let bits = super::element::canonical_integer(digits)?;
        (1..=most).contains(&bits).then_some(Self {
            signed,
            bits: bits as u8,
        })
    }

    /// The number at the bit `offset`.
    pub fn read(self, bytes: &[u8], offset: usize) -> i64 {
        self.sign_extended((window(bytes, offset) >> self.shift(offset)) as u64)
    }

    /// Writes a number's low bits at the bit `offset`, as far as the row reaches.
    pub fn write(self, bytes: &mut [u8], offset: usize, value: i64) {
        let mask = self.mask() << self.shift(offset);
        let bits = u128::from(value as u64) << self.shift(offset) & mask;
        let window = (window(bytes, offset) & !mask | bits).to_be_bytes();
        let row = bytes.iter_mut().skip(offset / 8);
        for (byte, new) in row.zip(&window[16 - WINDOW..]) {
            *byte = *new;
        }
    }

    /// The number to write for `value + increment`, where `value` fits or `increment` is 0; `None` under
    /// [`Overflow::Fail`] if the sum does not fit.
    ///
    /// Redis takes a value so far below the least one of a narrow field that their distance leaves 64 bits for one
    /// above the greatest, and a negative one for an unsigned field as well; so do we.
    pub fn sum(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        let greatest = (self.mask() >> u8::from(self.signed)) as i64;
        let least = if self.signed { -greatest - 1 } else { 0 };
        let above = if self.signed {
            let room = greatest.wrapping_sub(value);
            value > greatest || (self.bits < 64 || value >= 0 && increment > 0) && increment > room
        } else {
            !(0..=greatest).contains(&value) || increment > 0 && increment > greatest - value
        };
        let below = if self.signed {
            let room = least.wrapping_sub(value);
            value < least || (self.bits < 64 || value < 0 && increment < 0) && increment < room
        } else {
            increment < 0 && increment < -value
        };
        let sum = value.wrapping_add(increment);
        match overflow {
            _ if !above && !below => Some(sum),
            Overflow::Wrap => Some(self.sign_extended(sum as u64)),
            Overflow::Saturate => Some(if above { greatest } else { least }),
            Overflow::Fail => None,
        }
    }

    fn mask(self) -> u128 {
        (1 << self.bits) - 1
    }

    /// How far its lowest bit is from the window's.
    fn shift(self, offset: usize) -> usize {
        WINDOW * 8 - offset % 8 - usize::from(self.bits)
    }

    /// The number that the low bits are.
    fn sign_extended(self, bits: u64) -> i64 {
        let unused = 64 - u32::from(self.bits);
        if self.signed {
            (bits << unused) as i64 >> unused
        } else {
            (bits << unused >> unused) as i64
        }
    }
}

/// The bytes that 64 bits at any offset touch at most.
const WINDOW: usize = 9;

/// The bytes from that of the bit `offset` on, the last one lowest.
fn window(bytes: &[u8], offset: usize) -> u128 {
    let mut window = [0; 16];
    for (to, from) in window[16 - WINDOW..]
        .iter_mut()
        .zip(bytes.iter().skip(offset / 8))
    {
        *to = *from;
    }
    u128::from_be_bytes(window)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Field, Operation, Overflow, bit, combine, count, position, set_bit};

    /// What Redis 7.0.15 answers to BITFIELD … OVERFLOW … SET and INCRBY.
    #[test]
    fn fields_overflow_as_in_redis() {
        let (i8, u8) = (
            Field {
                signed: true,
                bits: 8,
            },
            Field {
                signed: false,
                bits: 8,
            },
        );
        assert_eq!(i8.sum(100, 100, Overflow::Wrap), Some(-56));
        assert_eq!(i8.sum(100, 100, Overflow::Saturate), Some(127));
        assert_eq!(i8.sum(-100, -100, Overflow::Saturate), Some(-128));
        assert_eq!(i8.sum(-100, -100, Overflow::Fail), None);
        assert_eq!(i8.sum(i64::MIN, 0, Overflow::Saturate), Some(127));
        assert_eq!(u8.sum(-1, 0, Overflow::Saturate), Some(255));
        assert_eq!(u8.sum(5, -10, Overflow::Saturate), Some(0));
        assert_eq!(u8.sum(5, i64::MIN, Overflow::Wrap), Some(5));
        let i64 = Field::parse(b"i64");
        assert_eq!(
            i64.and_then(|field| field.sum(i64::MAX, 1, Overflow::Wrap)),
            Some(i64::MIN)
        );
        assert_eq!(
            i64.and_then(|field| field.sum(-1, i64::MIN, Overflow::Fail)),
            None
        );
        assert_eq!(Field::parse(b"u64").or(Field::parse(b"i08")), None);
    }

    proptest! {
        #[test]
        fn ranges_of_bits_are_what_their_bits_are(
            bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(255), any::<u8>()], 0..40),
            start in 0usize..300,
            end in 0usize..340,
            on: bool,
        ) {
            let bits = || (start..end.min(bytes.len() * 8)).filter(|at| bit(&bytes, *at) == on);
            prop_assert_eq!(position(&bytes, on, start..end), bits().next());
            let ones = (start..end).filter(|at| bit(&bytes, *at)).count();
            prop_assert_eq!(count(&bytes, start..end), ones);
        }

        #[test]
        fn a_field_reads_as_written_and_leaves_the_rest(
            bytes in proptest::collection::vec(any::<u8>(), 20),
            offset in 0usize..90,
            bits in 1u8..=64,
            value: i64,
        ) {
            let field = Field { signed: true, bits };
            let mut written = bytes.clone();
            field.write(&mut written, offset, value);
            prop_assert_eq!(Some(field.read(&written, offset)), field.sum(value, 0, Overflow::Wrap));
            for at in (0..160).filter(|at| !(offset..offset + usize::from(bits)).contains(at)) {
                prop_assert_eq!(bit(&bytes, at), bit(&written, at));
            }
        }

        #[test]
        fn rows_combine_bit_by_bit(rows in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..4)) {
            let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
            for operation in [Operation::And, Operation::Or, Operation::Xor] {
                let mut expected = vec![0; rows.iter().map(|row| row.len()).max().unwrap_or(0)];
                for at in 0..expected.len() * 8 {
                    let set = rows.iter().filter(|row| bit(row, at)).count();
                    set_bit(&mut expected, at, match operation {
                        Operation::And => set == rows.len(),
                        Operation::Or => set > 0,
                        _ => set % 2 == 1,
                    });
                }
                prop_assert_eq!(combine(operation, &rows), expected);
            }
        }
    }
}
