//! What was removed and is still to be freed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Slots, Value};

/// Collections with at least this many elements are freed outside the lock.
const LARGE_FROM: usize = 64;

/// Elements, or keys, that take a millisecond to free.
const HEAVY_FROM: usize = 10_000;

/// Bytes of a string that take the operating system as long.
const HEAVY_BYTES: usize = 16 << 20;

/// Something large that was removed and is still to be freed.
#[derive(Debug)]
pub struct Garbage {
    removed: Removed,
    /// Freed last: the rest is gone when it is.
    _pending: Pending,
}

#[derive(Debug)]
enum Removed {
    Value(Value),
    Database(Slots),
}

impl Garbage {
    /// Whether freeing it takes a millisecond or longer.
    pub fn is_heavy(&self) -> bool {
        match &self.removed {
            // A string is freed at once, all but the largest.
            Removed::Value(Value::String(text)) => text.memory_bytes() >= HEAVY_BYTES,
            Removed::Value(value) => value.len() >= HEAVY_FROM,
            Removed::Database(slots) => slots.keys >= HEAVY_FROM,
        }
    }

    /// Frees it, with a call of `pause` behind each piece that takes some time.
    pub fn free(self, mut pause: impl FnMut()) {
        match self.removed {
            Removed::Value(value) => {
                drop(value);
                pause();
            }
            Removed::Database(slots) => {
                for table in slots.tables {
                    drop(table);
                    pause();
                }
                slots.expiries.free(pause);
            }
        }
    }
}

/// What was removed since it was taken last, and how much of all that is not freed yet.
#[derive(Debug, Default)]
pub(super) struct Heap {
    garbage: Vec<Garbage>,
    pending: Arc<AtomicUsize>,
}

impl Heap {
    /// Adds a value if it is large, and frees it at once if it is not; how many were added.
    pub(super) fn add_value(&mut self, value: Value) -> usize {
        let large = match &value {
            Value::String(text) => text.memory_bytes() >= LARGE_FROM * 1024,
            other => other.len() >= LARGE_FROM,
        };
        let count = usize::from(large);
        self.add(Removed::Value(value), count)
    }

    /// Adds all keys of a database; how many.
    pub(super) fn add_database(&mut self, slots: Slots) -> usize {
        let keys = slots.keys;
        self.add(Removed::Database(slots), keys)
    }

    pub(super) fn take(&mut self) -> Vec<Garbage> {
        std::mem::take(&mut self.garbage)
    }

    /// Keys and values that are not freed yet.
    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    fn add(&mut self, removed: Removed, objects: usize) -> usize {
        if objects > 0 {
            let pending = Pending::new(&self.pending, objects);
            self.garbage.push(Garbage {
                removed,
                _pending: pending,
            });
        }
        objects
    }
}

/// Counted among those that are not freed yet, for as long as it lives.
#[derive(Debug)]
struct Pending {
    of: Arc<AtomicUsize>,
    objects: usize,
}

impl Pending {
    fn new(of: &Arc<AtomicUsize>, objects: usize) -> Self {
        of.fetch_add(objects, Ordering::Relaxed);
        Self {
            of: Arc::clone(of),
            objects,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.of.fetch_sub(self.objects, Ordering::Relaxed);
    }
}
