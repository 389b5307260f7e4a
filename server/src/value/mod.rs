//! The values a keyspace holds, and the pure algorithms on them.
//!
//! Nothing here knows RESP, clients, clocks or sockets. Small collections are packed into one
//! allocation ([`packed::Listpack`], [`intset::IntSet`]); [`PackedLimits`] says when they turn
//! into their large form. Every collection is 16 bytes and [`string::Str`] 24, so that an
//! `enum` over them is 24 bytes without boxing.
//!
//! All types are `Send`: a huge collection can be handed to another thread to be dropped.
//! Every `memory_bytes` is the exact heap size behind a value, kept up to date as it changes and
//! therefore O(1) to ask for, counted as glibc's allocator counts.
#![allow(
    clippy::iter_without_into_iter,
    reason = "one way to iterate is enough, and `iter()` says what it does"
)]

pub mod bitmap;
pub mod bytes;
mod chunked;
pub mod element;
mod extended;
pub mod float;
pub mod geo;
pub mod glob;
pub mod hash;
pub mod hyperloglog;
pub mod intset;
pub mod lcs;
pub mod list;
mod order;
pub mod packed;
pub mod rng;
pub mod set;
pub mod siphash;
pub mod sorted_set;
pub mod string;
pub mod table;

pub use self::bytes::Blob;
pub use self::chunked::Id;
pub use self::element::Element;
pub use self::hash::Hash;
pub use self::list::List;
pub use self::rng::Rng;
pub use self::set::Set;
pub use self::sorted_set::SortedSet;
pub use self::string::Str;
pub use self::table::{Mark, Removed, Row, Steps, Table};

/// Up to what size collections stay packed; the defaults are those of Redis 7.0.
///
/// It is passed to whatever operation may grow a collection; changing a limit converts nothing by
/// itself, as in Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedLimits {
    /// `hash-max-listpack-entries`: the most fields of a packed hash.
    pub hash_max_listpack_entries: usize,
    /// `hash-max-listpack-value`: the longest field or value of a packed hash, in bytes.
    pub hash_max_listpack_value: usize,
    /// `list-max-listpack-size`: positive, the most elements of a list node; -1 to -5, its most
    /// bytes: 4, 8, 16, 32 or 64 KiB.
    pub list_max_listpack_size: i64,
    /// `set-max-intset-entries`: the most members of a set of integers kept as an intset.
    pub set_max_intset_entries: usize,
    /// `set-max-listpack-entries`: the most members of a packed set. 0, the default, has none:
    /// Redis 7.0 knows no such form.
    pub set_max_listpack_entries: usize,
    /// `set-max-listpack-value`: the longest member of a packed set, in bytes.
    pub set_max_listpack_value: usize,
    /// `zset-max-listpack-entries`: the most members of a packed sorted set.
    pub zset_max_listpack_entries: usize,
    /// `zset-max-listpack-value`: the longest member of a packed sorted set, in bytes.
    pub zset_max_listpack_value: usize,
}

impl Default for PackedLimits {
    fn default() -> Self {
        Self {
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            list_max_listpack_size: -2,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 0,
            set_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
        }
    }
}

/// What an allocation of `bytes` bytes takes from glibc's allocator: a header of 8 bytes, 16-byte
/// granularity, at least 32 bytes; nothing for an allocation of nothing.
pub const fn allocated(bytes: usize) -> usize {
    if bytes == 0 {
        0
    } else if bytes <= 24 {
        32
    } else {
        (bytes + 8).next_multiple_of(16)
    }
}
