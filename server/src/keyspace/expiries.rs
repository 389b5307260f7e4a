//! When keys of one database expire.

use std::collections::BTreeSet;

use crate::entry::NEVER;
use crate::value::allocated;

/// What a place in the order of expiries takes: 16 bytes in nodes that are half full, as they are where times only ascend.
/// Other orders fill them better.
const ORDER_BYTES: usize = 37;

/// What a key's expiry takes: its place in the order and its time.
pub(super) const EXPIRY_BYTES: usize = ORDER_BYTES + size_of::<i64>();

/// Keys whose times stand together: one of them that expires takes the room of all.
const ROW: usize = 32;

/// The times at which keys expire, by key and in order.
///
/// They stand beside the tables and not in them, since most keys never expire. Keys are named by slot and id; an id that is
/// freed goes to the last key of its slot.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    /// (unix ms, slot, id).
    order: BTreeSet<(i64, u16, u32)>,
    /// The times of a slot's keys, by id.
    slots: Vec<Vec<Row>>,
    /// Heap bytes of `slots`.
    times_bytes: usize,
}

/// Times that are freed without a pause.
const FREED_AT_ONCE: usize = 4096;

#[derive(Debug, Default)]
struct Row {
    /// There only while one of them is a time.
    times: Option<Box<[i64; ROW]>>,
    expiring: u32,
}

impl Expiries {
    /// Keys that expire.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The heap bytes behind them, but for those of the list of slots. O(1).
    pub(super) fn memory_bytes(&self) -> usize {
        self.order.len() * ORDER_BYTES + self.times_bytes
    }

    /// Frees them, with a call of `pause` behind each piece.
    pub(super) fn free(self, mut pause: impl FnMut()) {
        for rows in self.slots {
            drop(rows);
            pause();
        }
        let mut order = self.order.into_iter();
        while order.by_ref().take(FREED_AT_ONCE).count() > 0 {
            pause();
        }
    }

    /// When a key expires, or `NEVER`. O(1).
    pub(super) fn at(&self, slot: u16, id: u32) -> i64 {
        let row = self.slots.get(usize::from(slot));
        let row = row.and_then(|rows| rows.get(id as usize / ROW));
        let times = row.and_then(|row| row.times.as_ref());
        times.map_or(NEVER, |times| times[id as usize % ROW])
    }

    /// Sets when a key expires. O(log n).
    pub(super) fn set(&mut self, slot: u16, id: u32, at: i64) {
        let before = self.replace(slot, id, at);
        if before == at {
            return;
        }
        if before != NEVER {
            self.order.remove(&(before, slot, id));
        }
        if at != NEVER {
            self.order.insert((at, slot, id));
        }
    }

    /// The first time, and whose it is. O(log n).
    pub(super) fn first(&self) -> Option<(i64, u16, u32)> {
        self.order.first().copied()
    }

    /// The last time, and whose it is. O(log n).
    pub(super) fn last(&self) -> Option<(i64, u16, u32)> {
        self.order.last().copied()
    }

    /// The first at or behind a time, or the very first if there is none. O(log n).
    pub(super) fn from(&self, at: i64) -> Option<(i64, u16, u32)> {
        let behind = self.order.range((at, 0, 0)..).next().copied();
        behind.or_else(|| self.first())
    }

    fn replace(&mut self, slot: u16, id: u32, at: i64) -> i64 {
        let (slot, place) = (usize::from(slot), id as usize / ROW);
        if at == NEVER && self.slots.get(slot).is_none_or(|rows| rows.len() <= place) {
            return NEVER;
        }
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, Vec::new);
        }
        let rows = &mut self.slots[slot];
        if rows.len() <= place {
            self.times_bytes -= list_bytes(rows);
            rows.reserve_exact(place + 1 - rows.len());
            rows.resize_with(place + 1, Row::default);
            self.times_bytes += list_bytes(rows);
        }
        let row = &mut rows[place];
        let was_empty = row.expiring == 0;
        if was_empty && at == NEVER {
            return NEVER;
        }
        let times = row.times.get_or_insert_with(|| Box::new([NEVER; ROW]));
        let before = std::mem::replace(&mut times[id as usize % ROW], at);
        row.expiring += u32::from(at != NEVER);
        row.expiring -= u32::from(before != NEVER);
        if row.expiring == 0 {
            row.times = None;
            self.times_bytes -= allocated(size_of::<[i64; ROW]>());
        } else if was_empty {
            self.times_bytes += allocated(size_of::<[i64; ROW]>());
        }
        before
    }
}

fn list_bytes(rows: &Vec<Row>) -> usize {
    allocated(rows.capacity() * size_of::<Row>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Expiries, NEVER};

    proptest! {
        #[test]
        fn behave_like_a_map(
            steps in proptest::collection::vec((0u16..3, 0u32..200, prop::option::of(-50i64..50)), 1..300),
        ) {
            let (mut expiries, mut model) = (Expiries::default(), BTreeMap::new());
            for (slot, id, at) in steps {
                expiries.set(slot, id, at.unwrap_or(NEVER));
                match at {
                    Some(at) => model.insert((slot, id), at),
                    None => model.remove(&(slot, id)),
                };
                let mut order: Vec<_> = model.iter().map(|((slot, id), at)| (*at, *slot, *id)).collect();
                order.sort_unstable();
                prop_assert_eq!(expiries.len(), model.len());
                prop_assert_eq!(expiries.first(), order.first().copied());
                prop_assert_eq!(expiries.last(), order.last().copied());
                let behind = order.iter().find(|(at, ..)| *at >= 7).or(order.first());
                prop_assert_eq!(expiries.from(7), behind.copied());
                prop_assert_eq!(expiries.at(slot, id), at.unwrap_or(NEVER));
            }
            for slot in 0..3 {
                for id in 0..250 {
                    prop_assert_eq!(expiries.at(slot, id), model.get(&(slot, id)).copied().unwrap_or(NEVER));
                }
            }
            for (slot, id) in model.into_keys() {
                expiries.set(slot, id, NEVER);
            }
            // Nothing but the lists of rows is left.
            prop_assert!(expiries.memory_bytes() <= 3 * (7 * 16 + 16), "{}", expiries.memory_bytes());
        }
    }
}
