//! `HyperLogLog` counters in the string form of Redis: byte for byte the same.
//!
//! `HYLL`, the encoding (0 dense, 1 sparse), three bytes of nothing, the cached count (8 bytes, least
//! significant first; stale if the highest bit is set), then 16,384 registers: dense, 6 bits each,
//! or sparse, as a row of runs.

use std::fmt;

/// The bits of a hash that choose the register.
const INDEX_BITS: u32 = 14;

/// The bits of a hash that are left for the value of the register.
const VALUE_BITS: u32 = 64 - INDEX_BITS;

const REGISTERS: usize = 1 << INDEX_BITS;

const HEADER: usize = 16;

/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;

const DENSE_LEN: usize = HEADER + REGISTERS * 6 / 8;

const DENSE: u8 = 0;

const SPARSE: u8 = 1;

/// A sparse counter that is not 16,384 registers long. Redis calls it `INVALIDOBJ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("corrupted HyperLogLog")
    }
}

impl std::error::Error for Corrupt {}

/// An empty counter, sparse, without a cached count.
pub fn new() -> Vec<u8> {
    let mut hll = vec![0; HEADER];
    hll[..4].copy_from_slice(b"HYLL");
    hll[4] = SPARSE;
    make_stale(&mut hll);
    Run::Zero(REGISTERS).write(&mut hll);
    hll
}

/// Whether a string has the form of a counter. The runs of a sparse one are checked when they are
/// used.
pub fn is_valid(hll: &[u8]) -> bool {
    hll.len() >= HEADER
        && hll.starts_with(b"HYLL")
        && (hll[4] == SPARSE || hll[4] == DENSE && hll.len() == DENSE_LEN)
}

/// Whether a counter is dense.
pub fn is_dense(hll: &[u8]) -> bool {
    hll.get(4) == Some(&DENSE)
}

/// Adds an element; whether that changed the counter. A sparse counter that would grow past
/// `sparse_max_bytes` (`hll-sparse-max-bytes`) turns dense.
///
/// # Errors
///
/// When the counter is corrupt.
pub fn add(hll: &mut Vec<u8>, element: &[u8], sparse_max_bytes: usize) -> Result<bool, Corrupt> {
    let hash = murmur_64a(element);
    let index = hash as usize % REGISTERS;
    let value = (hash >> INDEX_BITS | 1 << VALUE_BITS).trailing_zeros() + 1;
    raise(hll, index, value as u8, sparse_max_bytes)
}

/// The count that is cached in a counter, if it is not stale.
pub fn cached_count(hll: &[u8]) -> Option<u64> {
    let cached = u64::from_le_bytes(*hll.get(8..)?.first_chunk()?);
    (cached >> 63 == 0).then_some(cached)
}

/// Caches the count in a counter.
pub fn cache_count(hll: &mut [u8], count: u64) {
    if let Some(cached) = hll.get_mut(8..HEADER) {
        cached.copy_from_slice(&count.to_le_bytes());
    }
}

/// Turns a sparse counter into a dense one.
///
/// # Errors
///
/// When the counter is corrupt.
pub fn make_dense(hll: &mut Vec<u8>) -> Result<(), Corrupt> {
    if is_dense(hll) {
        return Ok(());
    }
    let mut registers = Registers::new();
    registers.merge(hll)?;
    hll.resize(HEADER, 0);
    hll[4] = DENSE;
    hll.resize(DENSE_LEN, 0);
    for (index, value) in registers.iter() {
        dense_set(hll, index, value);
    }
    Ok(())
}

/// The runs of a sparse counter as PFDEBUG DECODE shows them: `z` or `Z` and a number of zeros, or `v`, a value and how
/// often it stands there.
///
/// # Errors
///
/// When the counter is corrupt.
pub fn describe_runs(hll: &[u8]) -> Result<String, Corrupt> {
    let mut words = Vec::new();
    let mut runs = hll.get(HEADER..).ok_or(Corrupt)?;
    while !runs.is_empty() {
        let (run, rest) = Run::read(runs).ok_or(Corrupt)?;
        words.push(match run {
            Run::Zero(len) if runs.len() - rest.len() == 1 => format!("z:{len}"),
            Run::Zero(len) => format!("Z:{len}"),
            Run::Value(value, len) => format!("v:{value},{len}"),
        });
        runs = rest;
    }
    Ok(words.join(" "))
}

/// The registers of one counter, or of the union of several.
///
/// ```
/// use server::value::hyperloglog::{Registers, add, new};
///
/// let mut hll = new();
/// assert_eq!(add(&mut hll, b"a", 3000), Ok(true));
/// assert_eq!(add(&mut hll, b"a", 3000), Ok(false));
/// let mut registers = Registers::new();
/// registers.merge(&hll)?;
/// assert_eq!(registers.count(), 1);
/// # Ok::<(), server::value::hyperloglog::Corrupt>(())
/// ```
#[derive(Clone, Debug)]
pub struct Registers(Vec<u8>);

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

impl Registers {
    /// The registers of the empty counter.
    pub fn new() -> Self {
        Self(vec![0; REGISTERS])
    }

    /// Adds everything a counter has counted.
    ///
    /// # Errors
    ///
    /// When the counter is corrupt.
    pub fn merge(&mut self, hll: &[u8]) -> Result<(), Corrupt> {
        if is_dense(hll) {
            // Four registers are three bytes.
            let (packed, _) = hll.get(HEADER..).ok_or(Corrupt)?.as_chunks::<3>();
            let (fours, _) = self.0.as_chunks_mut::<4>();
            for (registers, [low, middle, high]) in fours.iter_mut().zip(packed) {
                let mut bits = u32::from_le_bytes([*low, *middle, *high, 0]);
                for register in registers {
                    *register = (*register).max(bits as u8 & 63);
                    bits >>= 6;
                }
            }
            return Ok(());
        }
        let mut index = 0;
        let mut runs = hll.get(HEADER..).ok_or(Corrupt)?;
        while let Some((run, rest)) = Run::read(runs) {
            let (value, len) = run.value_and_len();
            let registers = self.0.get_mut(index..index + len).ok_or(Corrupt)?;
            for register in registers {
                *register = value.max(*register);
            }
            index += len;
            runs = rest;
        }
        if index == REGISTERS && runs.is_empty() {
            Ok(())
        } else {
            Err(Corrupt)
        }
    }

    /// Raises the registers of a counter to these: PFMERGE, once it has merged the destination too.
    ///
    /// # Errors
    ///
    /// When the counter is corrupt.
    pub fn store(&self, hll: &mut Vec<u8>, sparse_max_bytes: usize) -> Result<(), Corrupt> {
        for (index, value) in self.iter() {
            raise(hll, index, value, sparse_max_bytes)?;
        }
        make_stale(hll);
        Ok(())
    }

    /// The registers that are not zero, with their indexes.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u8)> {
        self.0
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, value)| *value > 0)
    }

    /// The value of each register.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// How many distinct elements were counted, estimated as in Ertl, "New cardinality estimation
    /// algorithms for `HyperLogLog` sketches" (2017), algorithm 6.
    pub fn count(&self) -> u64 {
        let mut histogram = [0u32; 64];
        for value in &self.0 {
            histogram[usize::from(*value & 63)] += 1;
        }
        let all = REGISTERS as f64;
        let last = VALUE_BITS as usize + 1;
        let mut z = all * tau((all - f64::from(histogram[last])) / all);
        for number in histogram[1..last].iter().rev() {
            z = (z + f64::from(*number)) * 0.5;
        }
        z += all * sigma(f64::from(histogram[0]) / all);
        (ALPHA * all * all / z).round() as u64
    }
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// Raises a register to `value` if it is lower.
fn raise(hll: &mut Vec<u8>, index: usize, value: u8, max_bytes: usize) -> Result<bool, Corrupt> {
    let raised = if is_dense(hll) {
        let raised = dense_at(hll, index) < value;
        if raised {
            dense_set(hll, index, value);
        }
        raised
    } else {
        sparse_raise(hll, index, value, max_bytes)?
    };
    if raised {
        make_stale(hll);
    }
    Ok(raised)
}

fn make_stale(hll: &mut [u8]) {
    if let Some(highest) = hll.get_mut(HEADER - 1) {
        *highest |= 0x80;
    }
}

fn dense_at(hll: &[u8], index: usize) -> u8 {
    let (byte, bit) = (HEADER + index * 6 / 8, index * 6 % 8);
    let low = hll.get(byte).copied().unwrap_or(0);
    let high = hll.get(byte + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([low, high]) >> bit) as u8 & 63
}

fn dense_set(hll: &mut [u8], index: usize, value: u8) {
    let (byte, bit) = (HEADER + index * 6 / 8, index * 6 % 8);
    let mask = (63u16 << bit).to_le_bytes();
    let bits = (u16::from(value) << bit).to_le_bytes();
    for (offset, (mask, bits)) in mask.into_iter().zip(bits).enumerate() {
        if let Some(byte) = hll.get_mut(byte + offset) {
            *byte = *byte & !mask | bits;
        }
    }
}

/// A run of equal registers in a sparse counter.
#[derive(Clone, Copy, Debug)]
enum Run {
    /// `00nnnnnn`: n + 1 zeros, or `01nnnnnn nnnnnnnn`: more of them.
    Zero(usize),
    /// `1vvvvvnn`: n + 1 times v + 1.
    Value(u8, usize),
}

/// The greatest value and the longest run of values that a sparse counter can hold.
const MAX_RUN_VALUE: u8 = 32;
const MAX_RUN: usize = 4;

impl Run {
    fn read(runs: &[u8]) -> Option<(Self, &[u8])> {
        match runs {
            [run @ 0x80..=0xff, rest @ ..] => Some((
                Self::Value((run >> 2 & 31) + 1, usize::from(run & 3) + 1),
                rest,
            )),
            [run @ 0x40..=0x7f, low, rest @ ..] => {
                let len = u16::from_be_bytes([run & 0x3f, *low]);
                Some((Self::Zero(usize::from(len) + 1), rest))
            }
            [run @ 0..=0x3f, rest @ ..] => Some((Self::Zero(usize::from(*run) + 1), rest)),
            _ => None,
        }
    }

    /// Writes the run behind others, if it has any length.
    fn write(self, to: &mut Vec<u8>) {
        match self {
            Self::Zero(0) | Self::Value(_, 0) => {}
            Self::Zero(len @ ..=64) => to.push(len as u8 - 1),
            Self::Zero(len) => to.extend((0x4000 | (len as u16 - 1)).to_be_bytes()),
            Self::Value(value, len) => to.push(0x80 | (value - 1) << 2 | (len as u8 - 1)),
        }
    }

    const fn value_and_len(self) -> (u8, usize) {
        match self {
            Self::Zero(len) => (0, len),
            Self::Value(value, len) => (value, len),
        }
    }
}

fn sparse_raise(
    hll: &mut Vec<u8>,
    index: usize,
    value: u8,
    max_bytes: usize,
) -> Result<bool, Corrupt> {
    // The run that covers the register, and where it and the one before it begin.
    let (mut before, mut at, mut first) = (HEADER, HEADER, 0);
    let (run, size) = loop {
        let runs = hll.get(at..).unwrap_or_default();
        let (run, rest) = Run::read(runs).ok_or(Corrupt)?;
        let (len, size) = (run.value_and_len().1, runs.len() - rest.len());
        if index < first + len {
            break (run, size);
        }
        (before, at, first) = (at, at + size, first + len);
    };
    let (old, len) = run.value_and_len();
    if old >= value {
        return Ok(false);
    }
    let part = |len| {
        if old == 0 {
            Run::Zero(len)
        } else {
            Run::Value(old, len)
        }
    };
    let mut runs = Vec::with_capacity(5);
    if value <= MAX_RUN_VALUE {
        part(index - first).write(&mut runs);
        Run::Value(value, 1).write(&mut runs);
        part(first + len - 1 - index).write(&mut runs);
    }
    if value > MAX_RUN_VALUE || runs.len() > size && hll.len() + runs.len() - size > max_bytes {
        make_dense(hll)?;
        dense_set(hll, index, value);
        return Ok(true);
    }
    hll.splice(at..at + size, runs);
    join_runs(hll, before);
    Ok(true)
}

/// Joins runs of equal values among the five runs from `at` on, as far as they fit in one.
fn join_runs(hll: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let runs = hll.get(at..).unwrap_or_default();
        let Some((run, rest)) = Run::read(runs) else {
            return;
        };
        if let (Run::Value(value, len), Some((Run::Value(next_value, next_len), _))) =
            (run, Run::read(rest))
            && value == next_value
            && len + next_len <= MAX_RUN
        {
            let mut joined = Vec::with_capacity(1);
            Run::Value(value, len + next_len).write(&mut joined);
            hll.splice(at..at + 2, joined);
        } else {
            at += runs.len() - rest.len();
        }
    }
}

/// `MurmurHash64A` (Appleby), with the seed of Redis' counters.
fn murmur_64a(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const SEED: u64 = 0xadc8_3b19;
    let mix = |word: u64| {
        let word = word.wrapping_mul(M);
        (word ^ (word >> 47)).wrapping_mul(M)
    };
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ mix(u64::from_le_bytes(*word))).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 47)).wrapping_mul(M);
    hash ^ (hash >> 47)
}

#[cfg(test)]
mod tests {
    use super::{
        Corrupt, Registers, add, cache_count, cached_count, is_dense, is_valid, make_dense, new,
    };

    fn count(hll: &[u8]) -> Result<u64, Corrupt> {
        let mut registers = Registers::new();
        registers.merge(hll)?;
        Ok(registers.count())
    }

    /// The bytes are what Redis 7.0.15 answers to GET after the same PFADD.
    #[test]
    fn a_sparse_counter_is_byte_for_byte_that_of_redis() {
        let mut hll = new();
        for element in [
            "a", "b", "c", "d", "e", "f", "g", "hello", "world", "foobar",
        ] {
            assert_eq!(add(&mut hll, element.as_bytes(), 3000), Ok(true));
        }
        let expected = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\
            \x46\x6d\x80\x41\x06\x8c\x43\x3e\x88\x51\xc4\x80\x44\x3c\
            \x84\x38\x80\x43\x0a\x80\x4d\xa5\x84\x49\x8c\x80\x42\x6d\x80\x42\x5a";
        assert_eq!(
            hll.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        assert_eq!(count(&hll), Ok(10));
    }

    /// The counts are those of Redis 7.0.15.
    #[test]
    fn counts_and_grows_dense_as_in_redis() {
        let mut hll = new();
        for index in 0..20_000 {
            assert!(add(&mut hll, format!("element:{index}").as_bytes(), 3000).is_ok());
            match index {
                1999 => assert_eq!((count(&hll), hll.len()), (Ok(2004), 12_304)),
                19_999 => assert_eq!(count(&hll), Ok(19_986)),
                _ => {}
            }
        }
        assert!(is_valid(&hll) && is_dense(&hll));
    }

    #[test]
    fn both_encodings_count_the_same_and_merge() -> Result<(), Corrupt> {
        let (mut odd, mut all) = (new(), new());
        for index in 0..400u32 {
            add(&mut all, &index.to_le_bytes(), 3000)?;
            if index % 2 == 1 {
                add(&mut odd, &index.to_le_bytes(), 3000)?;
            }
        }
        let before = count(&odd)?;
        make_dense(&mut odd)?;
        assert_eq!((count(&odd)?, is_dense(&all)), (before, false));
        let mut union = Registers::new();
        union.merge(&odd)?;
        union.merge(&all)?;
        assert_eq!(union.count(), count(&all)?);
        union.store(&mut odd, 3000)?;
        assert_eq!(count(&odd)?, count(&all)?);
        Ok(())
    }

    #[test]
    fn the_cached_count_is_stale_after_a_change() -> Result<(), Corrupt> {
        let mut hll = new();
        assert_eq!(cached_count(&hll), None);
        cache_count(&mut hll, 7);
        assert_eq!(cached_count(&hll), Some(7));
        add(&mut hll, b"a", 3000)?;
        assert_eq!(cached_count(&hll), None);
        Ok(())
    }

    #[test]
    fn what_is_corrupt_is_refused() {
        let whole = new();
        assert!(!is_valid(b"HYLL"));
        assert!(!is_valid(&[b"hyll", &whole[4..]].concat()));
        assert!(!is_valid(&[b"HYLL\0", &whole[5..]].concat()));
        for runs in [
            &b""[..],
            b"\x7f",
            b"\x7f\xfe",
            b"\x7f\xff\x00",
            b"\x7f\xff\x80",
            b"\x40",
        ] {
            let mut hll = [&whole[..16], runs].concat();
            assert!(is_valid(&hll));
            assert_eq!(count(&hll), Err(Corrupt), "{}", runs.escape_ascii());
            assert_eq!(make_dense(&mut hll), Err(Corrupt));
        }
        let mut short = [&whole[..16], b"\x00"].concat();
        assert_eq!(add(&mut short, b"a", 3000), Err(Corrupt));
    }
}
