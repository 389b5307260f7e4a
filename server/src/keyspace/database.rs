//! What commands see of one database.

use std::ptr;

use bytes::Bytes;

use super::expiries::EXPIRY_BYTES;
use super::slots::{Keys, SLOT_BITS, SLOTS, Slots};
use super::{Ahead, Expiry, Keyspace, Seen, Sight, Touched};
use crate::access::AccessClock;
use crate::changes::Class;
use crate::entry::{Entry, LATEST, NEVER, Value};
use crate::fault::Fault;
use crate::ids::ClientId;
use crate::time::Now;
use crate::value::{Blob, Hash, List, Rng, Set, SortedSet, Str};

/// One database at one time, as commands see it: an expired key is absent.
///
/// Reads borrow it shared, so several values can be held at once (set operations). A value taken for writing is
/// looked at again when the command ends: memory is counted, and a collection left empty is removed with its event.
/// What a handler has to say itself is [`changed`](Self::changed).
#[derive(Debug)]
pub struct Database<'a> {
    pub(super) keyspace: &'a mut Keyspace,
    pub(super) index: usize,
    pub(super) now: Now,
    /// Keys of the call that runs, hashed before.
    pub(super) known: &'a [Ahead<'a>],
}

macro_rules! typed_lookups {
    ($($kind:ident $type:ident: $read:ident $write:ident $create:ident, $empty:expr, $what:literal;)*) => {$(
        #[doc = concat!("The ", $what, " at `key`, to read. O(1).")]
        ///
        /// # Errors
        /// [`Fault::WRONG_TYPE`] where the key holds another type.
        pub fn $read(&self, key: &[u8]) -> Result<Option<&$type>, Fault> {
            match self.value(key) {
                None => Ok(None),
                Some(Value::$kind(value)) => Ok(Some(value)),
                Some(_) => Err(Fault::WRONG_TYPE),
            }
        }

        #[doc = concat!("The ", $what, " at `key`, to change. O(1). Follow a change by [`changed`](Self::changed).")]
        ///
        /// # Errors
        /// [`Fault::WRONG_TYPE`] where the key holds another type.
        pub fn $write(&mut self, key: &[u8]) -> Result<Option<&mut $type>, Fault> {
            match self.value_mut(key) {
                None => Ok(None),
                Some(Value::$kind(value)) => Ok(Some(value)),
                Some(_) => Err(Fault::WRONG_TYPE),
            }
        }

        #[doc = concat!("The ", $what, " at `key`, to change; a missing one is made empty (and, left empty, removed \
            when the command ends). O(1). Follow a change by [`changed`](Self::changed).")]
        ///
        /// # Errors
        /// [`Fault::WRONG_TYPE`] where the key holds another type.
        pub fn $create(&mut self, key: &[u8]) -> Result<&mut $type, Fault> {
            match self.value_mut_or_create(key, || Value::$kind($empty)) {
                Value::$kind(value) => Ok(value),
                _ => Err(Fault::WRONG_TYPE),
            }
        }
    )*};
}

impl<'a> Database<'a> {
    /// The same view for a call some of whose keys are hashed already.
    #[must_use]
    pub(crate) fn knowing(self, known: &'a [Ahead<'a>]) -> Self {
        debug_assert!(known.iter().all(|it| it.hash == super::hash(it.key)));
        Self { known, ..self }
    }
}

impl Database<'_> {
    typed_lookups! {
        List List: list list_mut list_mut_or_create, List::default(), "list";
        Set Set: set set_mut set_mut_or_create, Set::default(), "set";
        Hash Hash: hash hash_mut hash_mut_or_create, Hash::default(), "hash";
        SortedSet SortedSet: sorted_set sorted_set_mut sorted_set_mut_or_create, SortedSet::default(), "sorted set";
        String Str: string string_mut string_mut_or_create, Str::raw(Vec::new()), "string";
    }

    /// The index of this database.
    pub fn index(&self) -> usize {
        self.index
    }

    /// All databases, for a command that works on several.
    pub fn keyspace(&mut self) -> &mut Keyspace {
        self.keyspace
    }

    /// A view of another database at the same time.
    pub fn other(&mut self, index: usize) -> Database<'_> {
        self.keyspace.database(index, self.now)
    }

    /// Keys in this database; those that expired since the last active cycle are counted.
    pub fn len(&self) -> usize {
        self.slots().keys
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a key that the client watches changed.
    pub fn watch_dirty(&self, client: ClientId) -> bool {
        self.keyspace.changes.watch.is_dirty(client)
    }

    /// Randomness for sampling.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.keyspace.rng
    }

    /// The value at `key`, to read; counts as a hit or a miss and as an access. O(1).
    pub fn value(&self, key: &[u8]) -> Option<&Value> {
        let entry = self.glance(key)?;
        self.note_access(entry);
        Some(entry.value())
    }

    /// What `key` holds; counts as a hit or a miss but not as an access (EXISTS, TYPE, TTL). O(1).
    pub fn glance(&self, key: &[u8]) -> Option<Entry<'_>> {
        let entry = self.inspect(key);
        if entry.is_none() && self.keyspace.changes.notify.has(Class::KEY_MISS) {
            self.note(key, Sight::Missing);
        }
        entry
    }

    /// As [`glance`](Self::glance), but nobody is told of a miss (OBJECT). O(1).
    pub fn inspect(&self, key: &[u8]) -> Option<Entry<'_>> {
        let entry = self.entry(key);
        let stats = &self.keyspace.stats;
        let counter = if entry.is_some() {
            &stats.hits
        } else {
            &stats.misses
        };
        counter.set(counter.get() + 1);
        entry
    }

    /// What `key` holds; counts as nothing (a look before a write, DEBUG). O(1).
    pub fn entry(&self, key: &[u8]) -> Option<Entry<'_>> {
        let (.., entry) = self.place(key)?;
        if entry.expires_at <= self.now.unix_ms() {
            self.note_expired(key);
            return None;
        }
        Some(entry)
    }

    /// Whether `key` is still kept though its time is over.
    pub fn is_expired(&self, key: &[u8]) -> bool {
        let place = self.place(key);
        place.is_some_and(|(.., entry)| entry.expires_at <= self.now.unix_ms())
    }

    /// Whether there is such a key.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.entry(key).is_some()
    }

    /// A share of the string at `key` where it is large enough to leave without a copy.
    pub fn share(&mut self, key: &[u8]) -> Option<Bytes> {
        let (slot, id) = self.find(key)?;
        let Value::String(text) = self.slots_mut().value_mut(slot, id)? else {
            return None;
        };
        let before = text.memory_bytes();
        let shared = text.share();
        let after = text.memory_bytes();
        // The first share gives spare room back. A value that this command changes is counted when the command ends.
        let held = self.is_touched(slot, id);
        if before != after && !held {
            self.slots_mut().recount(before, after);
        }
        shared
    }

    /// The value at `key`, to change. O(1).
    pub fn value_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        let (slot, id) = self.find(key)?;
        self.touched(slot, id)
    }

    fn value_mut_or_create(&mut self, key: &[u8], make: impl FnOnce() -> Value) -> &mut Value {
        let (slot, id) = match self.find(key) {
            Some(place) => place,
            None => self.add_to_change(key, make(), NEVER),
        };
        // Both arms name an entry that is there.
        match self.touched(slot, id) {
            Some(value) => value,
            None => unreachable!("an entry found or added just above"),
        }
    }

    /// Sets the value of `key`, whatever was there. O(1). Say [`changed`](Self::changed) yourself.
    pub fn insert(&mut self, key: &[u8], value: Value, expiry: Expiry) {
        // A value is counted where it is put, unless this command holds it for writing.
        let (bytes, is_empty) = (value.memory_bytes(), value.is_empty());
        let Some((slot, id)) = self.find(key) else {
            let at = if let Expiry::At(at) = expiry {
                at.min(LATEST)
            } else {
                NEVER
            };
            if is_empty {
                self.add_to_change(key, value, at);
            } else {
                self.add(key, value, at);
            }
            return;
        };
        if is_empty {
            self.touched(slot, id);
        }
        let held = self.is_touched(slot, id);
        if let Some(place) = self.slots_mut().value_mut(slot, id) {
            let old = std::mem::replace(place, value);
            if !held {
                self.slots_mut().recount(old.memory_bytes(), bytes);
            }
            self.keyspace.free(old);
        }
        match expiry {
            Expiry::Keep => {}
            Expiry::Clear => self.slots_mut().set_expiry(slot, id, NEVER),
            Expiry::At(at) => self.slots_mut().set_expiry(slot, id, at.min(LATEST)),
        }
    }

    /// Removes `key`; whether it was there. O(1), large values are freed elsewhere. Says nothing.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some((slot, id)) = self.find(key) else {
            return false;
        };
        self.keyspace.remove_at(self.index, slot, id).is_some()
    }

    /// Removes `key` and says so: watchers, a `del` event, the dirty counter. Whether it was there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let removed = self.remove(key);
        if removed {
            self.changed(key, Class::GENERIC, "del");
        }
        removed
    }

    /// As [`delete`](Self::delete), without a look at whether the time of the key is over: where a command stores nothing,
    /// Redis deletes what was there, and tells of no expiry.
    pub fn discard(&mut self, key: &[u8]) {
        self.keyspace.act_on_seen();
        if let Some((slot, id)) = self.slots().id_of(key)
            && self.keyspace.remove_at(self.index, slot, id).is_some()
        {
            self.changed(key, Class::GENERIC, "del");
        }
    }

    /// Takes out what `key` holds: its value, and when it was to expire (RENAME, MOVE).
    pub fn take(&mut self, key: &[u8]) -> Option<(Value, Option<i64>)> {
        let (slot, id) = self.find(key)?;
        let (_, value, at) = self.keyspace.take_at(self.index, slot, id)?;
        Some((value, (at != NEVER).then_some(at)))
    }

    /// The bytes that `key` takes with everything it holds: its share of the tables and its value. O(1).
    pub fn memory_usage(&self, key: &[u8]) -> Option<usize> {
        let entry = self.entry(key)?;
        let expiry = usize::from(entry.expires_at().is_some()) * EXPIRY_BYTES;
        let key_bytes = Blob::from(key).memory_bytes();
        Some(entry.value().memory_bytes() + key_bytes + Keys::ENTRY_BYTES + expiry)
    }

    /// When `key` expires; `None` for a missing key, `Some(None)` for one that does not expire.
    pub fn expiry(&self, key: &[u8]) -> Option<Option<i64>> {
        self.entry(key).map(Entry::expires_at)
    }

    /// Sets or clears the expiry of `key`; whether the key is there. Says nothing.
    pub fn set_expiry(&mut self, key: &[u8], at: Option<i64>) -> bool {
        let Some((slot, id)) = self.find(key) else {
            return false;
        };
        let at = at.map_or(NEVER, |at| at.min(LATEST));
        self.slots_mut().set_expiry(slot, id, at);
        true
    }

    /// Says that the value of `key` changed: watching transactions fail, clients blocked on the key are served,
    /// trackers are told, the event is published where somebody asked for it, the dirty counter rises. O(1).
    pub fn changed(&mut self, key: &[u8], class: Class, event: &'static str) {
        self.changed_by(1, key, class, event);
    }

    /// As [`changed`](Self::changed), where the dirty counter rises by as many elements as were changed: by none for the
    /// second key of a command that Redis counts once.
    pub fn changed_by(&mut self, count: usize, key: &[u8], class: Class, event: &'static str) {
        let changes = &mut self.keyspace.changes;
        changes.dirty += count as u64;
        changes.key(self.index, key);
        changes.event(self.index, class, event, key);
    }

    /// Counts changes that nobody is told of.
    pub fn count_changes(&mut self, count: usize) {
        self.keyspace.changes.dirty += count as u64;
    }

    /// Publishes a further event about `key` (`expire` after `set`).
    pub fn event(&mut self, key: &[u8], class: Class, event: &'static str) {
        self.keyspace.changes.event(self.index, class, event, key);
    }

    /// Visits about `count` keys from `cursor` on and gives the next cursor, 0 at the end: every key that is there
    /// from the first call to the last is visited at least once. Expired keys are left out.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&Blob, Entry<'_>)) -> u64 {
        let slots = self.slots();
        let now_ms = self.now.unix_ms();
        let (mut slot, mut inner) = (cursor as usize & (SLOTS - 1), cursor >> SLOT_BITS);
        let mut visited = 0;
        while let Some(table) = slots.tables.get(slot) {
            let wanted = count.saturating_sub(visited).max(1);
            inner = table.scan_rows(inner, wanted, |id, row| {
                visited += 1;
                let entry = slots.entry(slot as u16, id, row);
                if entry.expires_at > now_ms {
                    visit(entry.key(), entry);
                } else {
                    self.note_expired(entry.key());
                }
            });
            if inner == 0 {
                slot += 1;
            }
            if visited >= count {
                break;
            }
        }
        if slot >= slots.tables.len() {
            0
        } else {
            inner << SLOT_BITS | slot as u64
        }
    }

    /// Every key that has not expired.
    pub fn iter(&self) -> impl Iterator<Item = (&Blob, Entry<'_>)> {
        let now_ms = self.now.unix_ms();
        let live = self.slots().iter().filter(move |e| e.expires_at > now_ms);
        live.map(|entry| (entry.key(), entry))
    }

    /// A random key, all equally likely. O(slots).
    pub fn random_key(&mut self) -> Option<Blob> {
        // Expired keys are passed over; where there is nothing else, there is no key.
        for _ in 0..100 {
            let keys = self.len();
            if keys == 0 {
                return None;
            }
            let mut at = self.keyspace.rng.below(keys);
            let slots = self.slots();
            let slot = slots.tables.iter().position(|table| {
                let here = at < table.len();
                at -= if here { 0 } else { table.len() };
                here
            });
            let entry = slots.at(slot? as u16, at as u32)?;
            if entry.expires_at > self.now.unix_ms() {
                return Some(entry.key().clone());
            }
            self.note_expired(entry.key());
        }
        None
    }

    /// Has an expired key removed when the command is over.
    fn note_expired(&self, key: &[u8]) {
        self.note(key, Sight::Expired(self.now.unix_ms()));
    }

    fn note(&self, key: &[u8], sight: Sight) {
        let seen = Seen {
            db: self.index,
            key: Blob::from(key),
            sight,
            events: self.keyspace.changes.events.len(),
        };
        self.keyspace.seen.borrow_mut().push(seen);
    }

    fn slots(&self) -> &Slots {
        &self.keyspace.databases[self.index]
    }

    fn slots_mut(&mut self) -> &mut Slots {
        &mut self.keyspace.databases[self.index]
    }

    fn known(&self, key: &[u8]) -> Option<&Ahead<'_>> {
        self.known.iter().find(|known| ptr::eq(known.key, key))
    }

    fn hash_of(&self, key: &[u8]) -> u64 {
        self.known(key)
            .map_or_else(|| super::hash(key), |known| known.hash)
    }

    fn place(&self, key: &[u8]) -> Option<(u16, u32, Entry<'_>)> {
        match self.known(key) {
            Some(known) => self.slots().find_near(known.hash, key, known.id),
            None => self.slots().find_hashed(super::hash(key), key),
        }
    }

    /// The place of a live key; an expired one is removed on the way.
    fn find(&mut self, key: &[u8]) -> Option<(u16, u32)> {
        let (slot, id, entry) = self.place(key)?;
        if entry.expires_at <= self.now.unix_ms() {
            self.expire_found(key);
            return None;
        }
        self.note_access(entry);
        Some((slot, id))
    }

    /// Removes an expired key, behind those that reads came across before.
    #[cold]
    fn expire_found(&mut self, key: &[u8]) {
        self.keyspace.act_on_seen();
        if let Some((slot, id)) = self.slots().id_of(key) {
            self.keyspace.expire_at(self.index, slot, id);
        }
    }

    fn note_access(&self, entry: Entry<'_>) {
        if !self.keyspace.keeps_access {
            let counting = self.keyspace.counting;
            let clock = entry.access().touched(self.now, counting);
            entry.row.mark().set_access(clock);
        }
    }

    /// A value, which is looked at again when the command ends: this one may change it.
    fn touched(&mut self, slot: u16, id: u32) -> Option<&mut Value> {
        let is_touched = self.is_touched(slot, id);
        let (db, keyspace) = (self.index, &mut *self.keyspace);
        let value = keyspace.databases[db].value_mut(slot, id)?;
        if !is_touched {
            keyspace.touched.push(Touched {
                db,
                slot,
                id,
                bytes: value.memory_bytes(),
                fresh: false,
            });
        }
        Some(value)
    }

    fn is_touched(&self, slot: u16, id: u32) -> bool {
        let db = self.index;
        let here = |touched: &Touched| touched.db == db && touched.slot == slot && touched.id == id;
        self.keyspace.touched.iter().any(here)
    }

    /// Adds a value that this command goes on to change: if it stays empty, it was never there.
    fn add_to_change(&mut self, key: &[u8], value: Value, expires_at: i64) -> (u16, u32) {
        let bytes = value.memory_bytes();
        let (slot, id) = self.add(key, value, expires_at);
        self.keyspace.touched.push(Touched {
            db: self.index,
            slot,
            id,
            bytes,
            fresh: true,
        });
        (slot, id)
    }

    fn add(&mut self, key: &[u8], value: Value, expires_at: i64) -> (u16, u32) {
        if self.keyspace.changes.notify.has(Class::NEW) {
            self.keyspace
                .changes
                .event(self.index, Class::NEW, "new", key);
        }
        if value.kind().is_awaited() {
            self.keyspace.changes.became_ready(self.index, key);
        }
        self.slots_mut().recount(0, value.memory_bytes());
        let access = AccessClock::new(self.now, self.keyspace.counting.is_some());
        let hash = self.hash_of(key);
        let (slot, id) =
            (self.slots_mut()).insert(hash, Blob::from(key), value, expires_at, access);
        (slot, id)
    }
}
