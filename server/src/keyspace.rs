//! The keyspace: databases in slots, expiry, typed lookups. Everything that changes a key passes through here, so
//! watched keys, keyspace events, blocked clients and memory are kept in step in one place.

use std::cell::{Cell, RefCell};

use crate::access::Counting;
use crate::changes::{Changes, Class};
pub use crate::entry::{Entry, Kind, Value};
use crate::time::Now;
use crate::value::{Blob, Id, Rng, Steps, siphash};

mod database;
mod expiries;
mod garbage;
mod slots;

pub use database::Database;
pub use garbage::Garbage;
use garbage::Heap;
use slots::{SLOTS, Slots};

/// Lookups that take their steps together in [`Keyspace::warm`]: about as many loads as a core has under way at once.
const WARMED_TOGETHER: usize = 16;

/// Entries of a chain that [`Keyspace::warm`] looks at; most chains are no longer.
const WARMED_STEPS: usize = 2;

/// A key of a call, with its hash, and what the call looks up in it.
///
/// It stands for that very slice of the request, not for every key of these bytes: lookups recognize it by its address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ahead<'k> {
    /// The key.
    pub key: &'k [u8],
    /// Its [`hash`].
    pub hash: u64,
    /// Where [`Keyspace::warm`] has seen it, if it is there at all.
    pub id: Id,
    /// An element of a hash or set, if any.
    pub element: &'k [u8],
    /// A member of a sorted set, if any.
    pub member: &'k [u8],
}

/// What lookups of a key begin with.
pub fn hash(key: &[u8]) -> u64 {
    siphash::hash(key)
}

/// A lookup under way.
struct Lookup<'a, T: ?Sized> {
    hash: u64,
    table: Option<&'a T>,
    id: Id,
}

impl<T: ?Sized> Clone for Lookup<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Lookup<'_, T> {}

impl<T: ?Sized> Default for Lookup<'_, T> {
    fn default() -> Self {
        Self {
            hash: 0,
            table: None,
            id: 0,
        }
    }
}

/// Takes each step of all the lookups before the next one.
fn take_steps<T: Steps + ?Sized>(lookups: &mut [Lookup<'_, T>]) {
    let id = |lookup: &Lookup<'_, T>, step: &dyn Fn(&T) -> Id| lookup.table.map_or(0, step);
    for lookup in lookups.iter_mut() {
        lookup.id = id(lookup, &|table| table.begin(lookup.hash));
    }
    for _ in 0..WARMED_STEPS {
        for lookup in lookups.iter_mut() {
            lookup.id = id(lookup, &|table| table.follow(lookup.hash, lookup.id));
        }
    }
    for lookup in lookups {
        if let Some(table) = lookup.table {
            table.touch(lookup.id);
        }
    }
}

/// [`Keyspace::warm`] for calls of which each step is taken together.
fn warm_together(slots: &Slots, calls: &mut [Ahead<'_>]) {
    let mut keys = [Lookup::default(); WARMED_TOGETHER];
    let mut keys_len = 0;
    for call in calls.iter() {
        // A pipeline often asks for one key again and again.
        if keys_len == 0 || keys[keys_len - 1].hash != call.hash {
            keys[keys_len] = Lookup {
                hash: call.hash,
                table: slots.table(call.hash),
                id: 0,
            };
            keys_len += 1;
        }
    }
    take_steps(&mut keys[..keys_len]);
    let mut at = 0;
    for call in calls.iter_mut() {
        at += usize::from(keys[at].hash != call.hash);
        call.id = keys[at].id;
    }
    if slots.expiries.len() > 0 {
        for lookup in &keys[..keys_len] {
            let row = lookup.table.and_then(|table| table.row(lookup.id));
            if row.is_some_and(|row| row.mark().expires()) {
                let slot = Slots::slot(lookup.hash);
                std::hint::black_box(slots.expiries.at(slot, lookup.id));
            }
        }
    }
    if calls
        .iter()
        .all(|call| call.element.is_empty() && call.member.is_empty())
    {
        return;
    }
    let mut elements = [Lookup::default(); WARMED_TOGETHER];
    let mut elements_len = 0;
    for call in calls {
        let row = slots.table(call.hash).and_then(|table| table.row(call.id));
        let found = row.filter(|row| **row.key() == *call.key);
        if let Some((table, element)) =
            found.and_then(|row| row.value().steps(call.element, call.member))
        {
            elements[elements_len] = Lookup {
                hash: siphash::hash(element),
                table: Some(table),
                id: 0,
            };
            elements_len += 1;
        }
    }
    take_steps(&mut elements[..elements_len]);
}

/// What becomes of a key's expiry when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It stays.
    Keep,
    /// The key never expires from now on.
    Clear,
    /// It expires at this time in unix milliseconds.
    At(i64),
}

/// A value that a command holds for writing: looked at again when the command is over.
#[derive(Clone, Copy, Debug)]
struct Touched {
    db: usize,
    slot: u16,
    id: u32,
    bytes: usize,
    /// The key was made by this very command; left empty, it never was.
    fresh: bool,
}

/// What a read came across, which changes nothing itself.
#[derive(Debug)]
struct Seen {
    db: usize,
    key: Blob,
    sight: Sight,
    /// How many events the command had told of before.
    events: usize,
}

#[derive(Clone, Copy, Debug)]
enum Sight {
    /// A key that had expired at the time of the read, in milliseconds.
    Expired(i64),
    /// No key.
    Missing,
}

/// Counters of the keyspace, as INFO prints them.
#[derive(Debug, Default)]
pub struct KeyspaceStats {
    /// Reads that found their key.
    pub hits: Cell<u64>,
    /// Reads that did not.
    pub misses: Cell<u64>,
    /// Keys removed because their time was over.
    pub expired: u64,
    /// Keys removed because memory was short.
    pub evicted: u64,
    /// Keys and large values that were given away to be freed outside the lock.
    pub freed_lazily: u64,
}

/// All databases.
#[derive(Debug)]
pub struct Keyspace {
    databases: Vec<Slots>,
    /// What the engine acts on after each command.
    pub changes: Changes,
    /// Counters.
    pub stats: KeyspaceStats,
    /// Randomness for sampling.
    pub rng: Rng,
    /// Whether expired keys are removed in the background (DEBUG SET-ACTIVE-EXPIRE).
    pub active_expiry: bool,
    /// How access clocks count uses (LFU); `None` where they keep the time of the last (LRU).
    pub counting: Option<Counting>,
    /// Whether expired keys stay where they are, seen by nobody (CLIENT PAUSE).
    pub keeps_expired: bool,
    /// Whether lookups leave access clocks alone (CLIENT NO-TOUCH).
    pub keeps_access: bool,
    touched: Vec<Touched>,
    seen: RefCell<Vec<Seen>>,
    freed: Heap,
}

impl Keyspace {
    /// `databases` empty databases; `seed` determines what is random.
    pub fn new(databases: usize, seed: u64) -> Self {
        let mut all = Vec::new();
        all.resize_with(databases, Slots::default);
        Self {
            databases: all,
            changes: Changes::default(),
            stats: KeyspaceStats::default(),
            rng: Rng::new(seed),
            active_expiry: true,
            counting: None,
            keeps_expired: false,
            keeps_access: false,
            touched: Vec::new(),
            seen: RefCell::default(),
            freed: Heap::default(),
        }
    }

    /// The number of databases.
    pub fn databases(&self) -> usize {
        self.databases.len()
    }

    /// Reads ahead for calls that are about to run: what their lookups will wait for is then on its way from memory for all
    /// of them together, and not for one after the other. It tells where their keys are.
    pub fn warm(&self, db: usize, calls: &mut [Ahead<'_>]) {
        let Some(slots) = self.databases.get(db) else {
            return;
        };
        for calls in calls.chunks_mut(WARMED_TOGETHER) {
            warm_together(slots, calls);
        }
    }

    /// A view of the database at `index`, at a time. An index beyond the last gives the last.
    pub fn database(&mut self, index: usize, now: Now) -> Database<'_> {
        let index = index.min(self.databases.len().saturating_sub(1));
        Database {
            keyspace: self,
            index,
            now,
            known: &[],
        }
    }

    /// Keys of a database, those with an expiry, and their average remaining time in milliseconds.
    pub fn sizes(&self, index: usize) -> (usize, usize, i64) {
        self.databases.get(index).map_or((0, 0, 0), |db| {
            (db.keys, db.expiries.len(), db.average_ttl.get())
        })
    }

    /// Bytes of all values, keys and tables. O(databases).
    pub fn memory_bytes(&self) -> usize {
        let books = |db: &Slots| db.value_bytes + db.table_bytes + db.expiries.memory_bytes();
        self.databases.iter().map(books).sum()
    }

    /// Bytes of the values alone. O(databases).
    pub fn value_bytes(&self) -> usize {
        self.databases.iter().map(|db| db.value_bytes).sum()
    }

    /// Bytes of a database's keys and tables, and of its order of expiries. O(1).
    pub fn table_bytes(&self, index: usize) -> (usize, usize) {
        let sizes = |db: &Slots| (db.table_bytes, db.expiries.memory_bytes());
        self.databases.get(index).map(sizes).unwrap_or_default()
    }

    /// Large values that were removed: drop them outside the lock.
    pub fn take_freed(&mut self) -> Vec<Garbage> {
        self.freed.take()
    }

    /// Keys and large values that were removed and are not freed yet.
    pub fn pending_garbage(&self) -> usize {
        self.freed.pending()
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.settle();
        // Also where a database is exchanged with itself.
        self.changes.dirty += 1;
        let (ours, theirs) = (one.min(other), one.max(other));
        if ours == theirs || theirs >= self.databases.len() {
            return;
        }
        for index in [ours, theirs] {
            let (a, b) = (&self.databases[ours], &self.databases[theirs]);
            self.changes.watch.touch_where(index, |key| {
                a.id_of(key).is_some() || b.id_of(key).is_some()
            });
        }
        self.databases.swap(ours, theirs);
        self.changes.all_ready = true;
        self.changes.all_invalidated = true;
    }

    /// Removes every key of every database, or of one.
    pub fn clear(&mut self, only: Option<usize>) -> usize {
        self.settle();
        let mut removed = 0;
        for index in 0..self.databases.len() {
            if only.is_some_and(|only| only != index) {
                continue;
            }
            let db = &self.databases[index];
            self.changes
                .watch
                .touch_where(index, |key| db.id_of(key).is_some());
            let old = std::mem::take(&mut self.databases[index]);
            removed += old.keys;
            self.stats.freed_lazily += self.freed.add_database(old) as u64;
        }
        self.changes.all_invalidated = true;
        removed
    }

    /// Ends a command: empty collections are removed, memory is counted, expired keys that were seen are removed.
    #[inline]
    pub fn settle(&mut self) {
        if !self.touched.is_empty() {
            self.settle_touched();
        }
        self.act_on_seen();
    }

    fn settle_touched(&mut self) {
        while let Some(Touched {
            db,
            slot,
            id,
            bytes,
            fresh,
        }) = self.touched.pop()
        {
            let slots = &mut self.databases[db];
            let Some(value) = slots.value(slot, id) else {
                continue;
            };
            let (after, is_empty) = (value.memory_bytes(), value.is_empty());
            slots.recount(bytes, after);
            if is_empty
                && let Some(key) = self.remove_at(db, slot, id)
                && !fresh
            {
                self.changes.event(db, Class::GENERIC, "del", &key);
            }
        }
    }

    /// Removes the expired keys that reads came across, and tells of them and of those that were missing.
    #[inline]
    fn act_on_seen(&mut self) {
        if !self.seen.get_mut().is_empty() {
            self.act_on_all_seen();
        }
    }

    #[cold]
    fn act_on_all_seen(&mut self) {
        let mut told = 0;
        for seen in self.seen.take() {
            let events = self.changes.events.len();
            match seen.sight {
                Sight::Missing => {
                    (self.changes).event(seen.db, Class::KEY_MISS, "keymiss", &seen.key);
                }
                Sight::Expired(_) if self.keeps_expired => {}
                Sight::Expired(at_ms) => {
                    let slots = &self.databases[seen.db];
                    let found = slots.id_of(&seen.key).filter(|(slot, id)| {
                        // The command may have put something new there since.
                        let entry = slots.at(*slot, *id);
                        entry.is_some_and(|entry| entry.expires_at <= at_ms)
                    });
                    if let Some((slot, id)) = found {
                        self.expire_at(seen.db, slot, id);
                    }
                }
            }
            let added = self.changes.events.len() - events;
            // What the command did after it had seen the key is told of after it.
            if let Some(later) = self.changes.events.get_mut(seen.events + told..) {
                later.rotate_right(added.min(later.len()));
            }
            told += added;
        }
    }

    /// Removes keys whose time is over, at most `limit` of them; gives how many were.
    pub fn expire_due(&mut self, now: Now, limit: usize) -> usize {
        if !self.active_expiry {
            return 0;
        }
        self.settle();
        let now_ms = now.unix_ms();
        let mut removed = 0;
        for db in 0..self.databases.len() {
            while removed < limit {
                let first = self.databases[db].expiries.first();
                let Some((_, slot, id)) = first.filter(|(at, ..)| *at <= now_ms) else {
                    break;
                };
                self.expire_at(db, slot, id);
                removed += 1;
            }
            let expiries = &self.databases[db].expiries;
            if let (Some(first), Some(last)) = (expiries.first(), expiries.last()) {
                let average =
                    i128::midpoint(i128::from(first.0), i128::from(last.0)) - i128::from(now_ms);
                self.databases[db]
                    .average_ttl
                    .set(average.clamp(0, i128::from(i64::MAX)) as i64);
            } else {
                self.databases[db].average_ttl.set(0);
            }
        }
        removed
    }

    /// The key that expires first among all databases, for `volatile-ttl`.
    pub fn first_to_expire(&self) -> Option<(usize, Blob)> {
        let firsts = self
            .databases
            .iter()
            .enumerate()
            .filter_map(|(index, db)| Some((index, db.expiries.first()?)));
        let (index, (_, slot, id)) = firsts.min_by_key(|(_, first)| first.0)?;
        let entry = self.databases[index].at(slot, id)?;
        Some((index, entry.key().clone()))
    }

    /// A random key of a database, only of those that expire where `volatile`; O(1) expected.
    pub fn sample(&mut self, db: usize, volatile: bool) -> Option<Entry<'_>> {
        let slots = self.databases.get(db)?;
        if volatile {
            // Any place in time order is as good as another: jump to a random instant of the span.
            let (first, last) = (slots.expiries.first()?.0, slots.expiries.last()?.0);
            let span = usize::try_from(last.saturating_sub(first))
                .unwrap_or(usize::MAX)
                .saturating_add(1);
            let at = first.saturating_add(self.rng.below(span) as i64);
            let (_, slot, id) = slots.expiries.from(at)?;
            return slots.at(slot, id);
        }
        if slots.keys == 0 {
            return None;
        }
        let from = self.rng.below(SLOTS);
        let mut order = (0..SLOTS).map(|step| (from + step) % SLOTS);
        let slot = order.find(|slot| slots.tables.get(*slot).is_some_and(|t| !t.is_empty()))?;
        let id = slots.tables[slot].random(&mut self.rng)?;
        slots.at(slot as u16, id)
    }

    /// Removes a key for want of memory.
    pub fn evict(&mut self, db: usize, key: &[u8]) -> bool {
        let Some((slot, id)) = self.databases.get(db).and_then(|slots| slots.id_of(key)) else {
            return false;
        };
        self.remove_at(db, slot, id);
        self.stats.evicted += 1;
        self.vanished(db, key, Class::EVICTED, "evicted");
        true
    }

    fn expire_at(&mut self, db: usize, slot: u16, id: u32) {
        if let Some(key) = self.remove_at(db, slot, id) {
            self.stats.expired += 1;
            self.vanished(db, &key, Class::EXPIRED, "expired");
        }
    }

    fn vanished(&mut self, db: usize, key: &[u8], class: Class, event: &'static str) {
        // Nobody's command did this: also the client that runs one hears of it.
        let origin = self.changes.origin.take();
        self.changes.key(db, key);
        self.changes.origin = origin;
        self.changes.event(db, class, event, key);
        if self.changes.propagated {
            self.changes.vanished.push((db, Blob::from(key)));
        }
    }

    /// Takes an entry out of its table and out of every book about it; a large value is freed later.
    fn remove_at(&mut self, db: usize, slot: u16, id: u32) -> Option<Blob> {
        let (key, value, _) = self.take_at(db, slot, id)?;
        self.free(value);
        Some(key)
    }

    fn free(&mut self, value: Value) {
        self.stats.freed_lazily += self.freed.add_value(value) as u64;
    }

    /// The key, value and expiry of an entry that is taken out.
    fn take_at(&mut self, db: usize, slot: u16, id: u32) -> Option<(Blob, Value, i64)> {
        let (removed, expires_at) = self.databases.get_mut(db)?.remove(slot, id)?;
        let mut bytes = removed.value.memory_bytes();
        self.touched.retain_mut(|touched| {
            let here = touched.db == db && touched.slot == slot;
            if here && touched.id == id {
                bytes = touched.bytes;
                return false;
            }
            if here && Some(touched.id) == removed.moved {
                touched.id = id;
            }
            true
        });
        self.databases[db].recount(bytes, 0);
        Some((removed.key, removed.value, expires_at))
    }
}
