//! How the keys of one database are stored.

use std::cell::Cell;
use std::collections::BTreeSet;

use crate::entry::{Entry, NEVER};
use crate::value::{Blob, Table};

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
    fn slot(hash: u64) -> u16 {
        (hash >> (64 - SLOT_BITS)) as u16
    }

    /// The table where a key of that hash is.
    pub(super) fn table(&self, hash: u64) -> Option<&Table<Entry>> {
        self.tables.get(usize::from(Self::slot(hash)))
    }

    pub(super) fn id_of(&self, key: &[u8]) -> Option<(u16, u32)> {
        let (slot, id, _) = self.find_hashed(super::hash(key), key)?;
        Some((slot, id))
    }

    pub(super) fn find_hashed(&self, hash: u64, key: &[u8]) -> Option<(u16, u32, &Entry)> {
        let (id, entry) = self.table(hash)?.find_hashed(hash, key)?;
        Some((Self::slot(hash), id, entry))
    }

    pub(super) fn at(&self, slot: u16, id: u32) -> Option<(&Blob, &Entry)> {
        self.tables.get(usize::from(slot))?.at(id)
    }

    pub(super) fn at_mut(&mut self, slot: u16, id: u32) -> Option<&mut Entry> {
        self.tables.get_mut(usize::from(slot))?.at_mut(id)
    }

    /// Adds a key that is known to be absent.
    pub(super) fn insert(&mut self, hash: u64, key: Blob, entry: Entry) -> (u16, u32) {
        if self.tables.is_empty() {
            self.tables.resize_with(SLOTS, Table::new);
        }
        let slot = Self::slot(hash);
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
