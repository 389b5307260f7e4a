//! SipHash-1-3 (Aumasson and Bernstein, 2012) of a byte string in one go, keyed at random once
//! for each process, so that nobody outside can choose keys that collide.
//!
//! The standard library has the same function, but streaming: for a short key most of its time
//! goes into buffering.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

static SEED: LazyLock<(u64, u64)> = LazyLock::new(|| {
    let state = RandomState::new();
    (state.hash_one(0), state.hash_one(1))
});

/// The hash of a key under this process's seed.
pub fn hash(key: &[u8]) -> u64 {
    siphash13(*SEED, key)
}

fn siphash13(seed: (u64, u64), bytes: &[u8]) -> u64 {
    let mut v = [
        seed.0 ^ 0x736f_6d65_7073_6575,
        seed.1 ^ 0x646f_7261_6e64_6f6d,
        seed.0 ^ 0x6c79_6765_6e65_7261,
        seed.1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        v[3] ^= word;
        round(&mut v);
        v[0] ^= word;
    }
    let last = tail(bytes, rest) | (bytes.len() as u64) << 56;
    v[3] ^= last;
    round(&mut v);
    v[0] ^= last;
    v[2] ^= 0xff;
    round(&mut v);
    round(&mut v);
    round(&mut v);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

/// The fewer than 8 bytes that no word holds, as one. A copy of so few would take longer than the rest of the hash.
fn tail(bytes: &[u8], rest: &[u8]) -> u64 {
    if let Some(last) = bytes.last_chunk::<8>() {
        // What stands in front of the rest is shifted out, in two steps: by 64 at most.
        return u64::from_le_bytes(*last) >> 8 >> (8 * (7 - rest.len()));
    }
    // Two that overlap, or three.
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let word = |bytes: [u8; 4]| u64::from(u32::from_le_bytes(bytes));
        return word(*first) | word(*last) << (8 * (len - 4));
    }
    match bytes {
        [] => 0,
        [first, ..] => {
            let byte = |at: usize| u64::from(bytes[at]) << (8 * at);
            u64::from(*first) | byte(len / 2) | byte(len - 1)
        }
    }
}

const fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use super::siphash13;

    #[test]
    fn agrees_with_the_standard_library() {
        let bytes: Vec<u8> = (0..100).collect();
        for len in 0..bytes.len() {
            // A new DefaultHasher is SipHash-1-3 with a seed of zero.
            let mut hasher = DefaultHasher::new();
            hasher.write(&bytes[..len]);
            assert_eq!(siphash13((0, 0), &bytes[..len]), hasher.finish());
        }
    }
}
