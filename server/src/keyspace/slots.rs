//! How the keys of one database are stored.

use std::cell::Cell;
use std::collections::BTreeSet;

use crate::entry::{Entry, NEVER};
use crate::value::{Blob, Table, siphash};

/// Hash tables of a database: one for each value of the hash's highest bits.
pub(super) const SLOT_BITS: u32 = 10;
pub(super) const SLOTS: usize = 1 << SLOT_BITS;

/// One database.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Empty until the first key comes.
    pub(super) tables: Vec<Table<Entry>>,
    pub(super) keys: usize,
    /// Bytes of the tables and keys.
    pub(super) table_bytes: usize,
    /// Keys with an expiry, by time: (unix ms, slot, id).
    pub(super) expiries: BTreeSet<(i64, u16, u32)>,
    pub(super) average_ttl: Cell<i64>,
}

impl Slots {
    pub(super) fn place(key: &[u8]) -> (u64, u16) {
        let hash = siphash::hash(key);
        (hash, (hash >> (64 - SLOT_BITS)) as u16)
    }

    pub(super) fn id_of(&self, key: &[u8]) -> Option<(u16, u32)> {
        let (hash, slot) = Self::place(key);
        let id = self
            .tables
            .get(usize::from(slot))?
            .id_of_hashed(hash, key)?;
        Some((slot, id))
    }

    pub(super) fn at(&self, slot: u16, id: u32) -> Option<(&Blob, &Entry)> {
        self.tables.get(usize::from(slot))?.at(id)
    }

    pub(super) fn at_mut(&mut self, slot: u16, id: u32) -> Option<&mut Entry> {
        self.tables.get_mut(usize::from(slot))?.at_mut(id)
    }

    /// Adds a key that is known to be absent.
    pub(super) fn insert(&mut self, key: Blob, entry: Entry) -> (u16, u32) {
        if self.tables.is_empty() {
            self.tables.resize_with(SLOTS, Table::new);
        }
        let (hash, slot) = Self::place(&key);
        let at = entry.expires_at;
        let table = &mut self.tables[usize::from(slot)];
        let bytes = table.memory_bytes();
        let id = table.insert_new(hash, key, entry);
        self.table_bytes += table.memory_bytes() - bytes;
        self.keys += 1;
        if at != NEVER {
            self.expiries.insert((at, slot, id));
        }
        (slot, id)
    }

    pub(super) fn set_expiry(&mut self, slot: u16, id: u32, at: i64) {
        let Some(entry) = self.at_mut(slot, id) else {
            return;
        };
        let before = std::mem::replace(&mut entry.expires_at, at);
        if before == at {
            return;
        }
        if before != NEVER {
            self.expiries.remove(&(before, slot, id));
        }
        if at != NEVER {
            self.expiries.insert((at, slot, id));
        }
    }
}
