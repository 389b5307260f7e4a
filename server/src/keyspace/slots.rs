//! How the keys of one database are stored.

use std::cell::Cell;

use super::expiries::Expiries;
use crate::access::AccessClock;
use crate::entry::{Entry, NEVER, Tag, Value};
use crate::value::{Blob, Id, Removed, Row, Table};

/// Hash tables of a database: one for each value of the hash's highest bits.
pub(super) const SLOT_BITS: u32 = 10;
pub(super) const SLOTS: usize = 1 << SLOT_BITS;

/// The keys of one slot.
pub(super) type Keys = Table<Value, Tag>;

/// One database.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Empty until the first key comes.
    pub(super) tables: Vec<Keys>,
    pub(super) keys: usize,
    /// Bytes of the tables and keys.
    pub(super) table_bytes: usize,
    /// Bytes of the values.
    pub(super) value_bytes: usize,
    pub(super) expiries: Expiries,
    pub(super) average_ttl: Cell<i64>,
}

impl Slots {
    pub(super) const fn slot(hash: u64) -> u16 {
        (hash >> (64 - SLOT_BITS)) as u16
    }

    /// Counts a value anew that took `before` bytes and takes `after`.
    pub(super) fn recount(&mut self, before: usize, after: usize) {
        self.value_bytes = (self.value_bytes + after).saturating_sub(before);
    }

    /// The table where a key of that hash is.
    pub(super) fn table(&self, hash: u64) -> Option<&Keys> {
        self.tables.get(usize::from(Self::slot(hash)))
    }

    pub(super) fn id_of(&self, key: &[u8]) -> Option<(u16, u32)> {
        let (slot, id, _) = self.find_hashed(super::hash(key), key)?;
        Some((slot, id))
    }

    pub(super) fn find_hashed(&self, hash: u64, key: &[u8]) -> Option<(u16, u32, Entry<'_>)> {
        let (id, row) = self.table(hash)?.find_hashed(hash, key)?;
        let slot = Self::slot(hash);
        Some((slot, id, self.entry(slot, id, row)))
    }

    /// [`Self::find_hashed`], where the key probably is at `id`.
    pub(super) fn find_near(&self, hash: u64, key: &[u8], id: Id) -> Option<(u16, u32, Entry<'_>)> {
        let row = self.table(hash)?.row(id);
        if let Some(row) = row.filter(|row| **row.key() == *key) {
            let slot = Self::slot(hash);
            return Some((slot, id, self.entry(slot, id, row)));
        }
        self.find_hashed(hash, key)
    }

    pub(super) fn at(&self, slot: u16, id: Id) -> Option<Entry<'_>> {
        let row = self.tables.get(usize::from(slot))?.row(id)?;
        Some(self.entry(slot, id, row))
    }

    pub(super) fn value(&self, slot: u16, id: Id) -> Option<&Value> {
        Some(self.tables.get(usize::from(slot))?.row(id)?.value())
    }

    pub(super) fn value_mut(&mut self, slot: u16, id: u32) -> Option<&mut Value> {
        self.tables.get_mut(usize::from(slot))?.at_mut(id)
    }

    /// Every key.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let tables = self.tables.iter().zip(0..);
        tables.flat_map(move |(table, slot)| {
            (0..table.len() as Id).filter_map(move |id| Some(self.entry(slot, id, table.row(id)?)))
        })
    }

    /// What the table of a slot holds at an id.
    pub(super) fn entry<'a>(&self, slot: u16, id: Id, row: &'a Row<Value, Tag>) -> Entry<'a> {
        let expires_at = if row.mark().expires() {
            self.expiries.at(slot, id)
        } else {
            NEVER
        };
        Entry { row, expires_at }
    }

    /// Adds a key that is known to be absent.
    pub(super) fn insert(
        &mut self,
        hash: u64,
        key: Blob,
        value: Value,
        expires_at: i64,
        access: AccessClock,
    ) -> (u16, Id) {
        if self.tables.is_empty() {
            self.tables.resize_with(SLOTS, Keys::default);
        }
        let slot = Self::slot(hash);
        let table = &mut self.tables[usize::from(slot)];
        let bytes = table.memory_bytes();
        let id = table.insert_new(hash, key, value);
        self.table_bytes += table.memory_bytes() - bytes;
        self.keys += 1;
        if let Some(row) = table.row(id) {
            row.mark().set_access(access);
        }
        if expires_at != NEVER {
            self.set_expiry(slot, id, expires_at);
        }
        (slot, id)
    }

    pub(super) fn set_expiry(&mut self, slot: u16, id: Id, at: i64) {
        let table = self.tables.get(usize::from(slot));
        let Some(tag) = table.and_then(|table| table.row(id)).map(Row::mark) else {
            return;
        };
        if at != NEVER || tag.expires() {
            tag.set_expires(at != NEVER);
            self.expiries.set(slot, id, at);
        }
    }

    /// Takes an entry out: its key, value and expiry, and the former id of the entry that now has its id.
    pub(super) fn remove(&mut self, slot: u16, id: Id) -> Option<(Removed<Value>, i64)> {
        let table = self.tables.get_mut(usize::from(slot))?;
        let bytes = table.memory_bytes();
        let expires = |table: &Keys, id| table.row(id).is_some_and(|row| row.mark().expires());
        let had_time = expires(table, id);
        let removed = table.remove_at(id)?;
        let moved = removed.moved.filter(|_| expires(table, id));
        self.table_bytes = (self.table_bytes + table.memory_bytes()).saturating_sub(bytes);
        self.keys -= 1;
        let mut expires_at = NEVER;
        if had_time {
            expires_at = self.expiries.at(slot, id);
            self.expiries.set(slot, id, NEVER);
        }
        if let Some(old) = moved {
            let at = self.expiries.at(slot, old);
            self.expiries.set(slot, old, NEVER);
            self.expiries.set(slot, id, at);
        }
        Some((removed, expires_at))
    }
}
