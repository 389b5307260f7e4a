//! The keyspace: databases in slots, expiry, typed lookups. Everything that changes a key passes through here, so
//! watched keys, keyspace events, blocked clients and memory are kept in step in one place.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use bytes::Bytes;

use crate::access::{AccessClock, Counting};
use crate::changes::{Changes, Class};
pub use crate::entry::{Entry, Kind, Value};
use crate::entry::{LATEST, NEVER};
use crate::fault::Fault;
use crate::time::Now;
use crate::value::{Blob, Hash, List, Rng, Set, SortedSet, Str, Table, siphash};

/// Hash tables of a database: one for each value of the hash's highest bits.
const SLOT_BITS: u32 = 10;
const SLOTS: usize = 1 << SLOT_BITS;

/// What a place in the order of expiries takes: 16 bytes in nodes that are two thirds full.
const EXPIRY_BYTES: usize = 24;

/// Collections with at least this many elements are freed outside the lock.
const FREED_LAZILY_FROM: usize = 64;

/// Lookups that take their steps together in [`Keyspace::warm`]: about as many loads as a core has under way at once.
const WARMED_TOGETHER: usize = 16;

/// Entries of a chain that [`Keyspace::warm`] looks at; most chains are no longer.
const WARMED_STEPS: usize = 2;

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

/// One database.
#[derive(Debug, Default)]
struct Slots {
    /// Empty until the first key comes.
    tables: Vec<Table<Entry>>,
    keys: usize,
    /// Bytes of the tables and keys.
    table_bytes: usize,
    /// Keys with an expiry, by time: (unix ms, slot, id).
    expiries: BTreeSet<(i64, u16, u32)>,
    average_ttl: Cell<i64>,
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
    /// Large values that were freed outside the lock.
    pub freed_lazily: u64,
}

/// Something large that was removed and is still to be freed: dropping it does.
#[derive(Debug)]
pub struct Garbage(
    #[expect(dead_code, reason = "held to be dropped")] Option<Value>,
    #[expect(dead_code, reason = "held to be dropped")] Vec<Table<Entry>>,
    #[expect(dead_code, reason = "held to be dropped")] BTreeSet<(i64, u16, u32)>,
);

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
    /// Expired keys that a read came across, with the time of the read.
    seen_expired: RefCell<Vec<(usize, Blob, i64)>>,
    freed: Vec<Garbage>,
    value_bytes: usize,
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
            seen_expired: RefCell::default(),
            freed: Vec::new(),
            value_bytes: 0,
        }
    }

    /// The number of databases.
    pub fn databases(&self) -> usize {
        self.databases.len()
    }

    /// Reads ahead for lookups of `keys` in a database, so that they find everything in the processor's caches.
    ///
    /// Lookups one after the other wait for memory several times each. Here many of them take the same step together,
    /// and their waits overlap. Changes nothing but the time that the lookups take.
    pub fn warm<'k>(&self, db: usize, mut keys: impl Iterator<Item = &'k [u8]>) {
        let Some(tables) = self.databases.get(db).map(|slots| &slots.tables) else {
            return;
        };
        loop {
            let mut lookups = [(0, None, 0); WARMED_TOGETHER];
            let mut count = 0;
            for (lookup, key) in lookups.iter_mut().zip(keys.by_ref()) {
                let (hash, slot) = Slots::place(key);
                *lookup = (hash, tables.get(usize::from(slot)), 0);
                count += 1;
            }
            let lookups = &mut lookups[..count];
            for (hash, table, id) in lookups.iter_mut() {
                *id = table.map_or(0, |table| table.begin(*hash));
            }
            for _ in 0..WARMED_STEPS {
                for (hash, table, id) in lookups.iter_mut() {
                    *id = table.map_or(0, |table| table.follow(*hash, *id));
                }
            }
            for (_, table, id) in lookups {
                if let Some((key, entry)) = table.and_then(|table| table.at(*id)) {
                    std::hint::black_box((key.last(), entry.expires_at));
                }
            }
            if count < WARMED_TOGETHER {
                return;
            }
        }
    }

    /// A view of the database at `index`, at a time. An index beyond the last gives the last.
    pub fn database(&mut self, index: usize, now: Now) -> Database<'_> {
        let index = index.min(self.databases.len().saturating_sub(1));
        Database {
            keyspace: self,
            index,
            now,
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
        let books = |db: &Slots| db.table_bytes + db.expiries.len() * EXPIRY_BYTES;
        self.value_bytes + self.databases.iter().map(books).sum::<usize>()
    }

    /// Bytes of the values alone. O(1).
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// Bytes of a database's keys and tables, and of its order of expiries. O(1).
    pub fn table_bytes(&self, index: usize) -> (usize, usize) {
        let sizes = |db: &Slots| (db.table_bytes, db.expiries.len() * EXPIRY_BYTES);
        self.databases.get(index).map(sizes).unwrap_or_default()
    }

    /// Large values that were removed: drop them outside the lock.
    pub fn take_freed(&mut self) -> Vec<Garbage> {
        std::mem::take(&mut self.freed)
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.settle();
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
        self.changes.dirty += 1;
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
            let entries = old.tables.iter().flat_map(Table::iter);
            let bytes: usize = entries.map(|(_, entry)| entry.value.memory_bytes()).sum();
            self.value_bytes = self.value_bytes.saturating_sub(bytes);
            if old.keys > 0 {
                self.stats.freed_lazily += old.keys as u64;
                self.freed.push(Garbage(None, old.tables, old.expiries));
            }
        }
        self.changes.all_invalidated = true;
        removed
    }

    /// Ends a command: empty collections are removed, memory is counted, expired keys that were seen are removed.
    pub fn settle(&mut self) {
        while let Some(Touched {
            db,
            slot,
            id,
            bytes,
            fresh,
        }) = self.touched.pop()
        {
            let Some((key, entry)) = self.databases[db].at(slot, id) else {
                continue;
            };
            self.value_bytes =
                (self.value_bytes + entry.value.memory_bytes()).saturating_sub(bytes);
            if entry.value.is_empty() {
                let key = key.clone();
                self.remove_at(db, slot, id);
                if !fresh {
                    self.changes.event(db, Class::GENERIC, "del", &key);
                }
            }
        }
        if self.keeps_expired {
            self.seen_expired.get_mut().clear();
        }
        if !self.seen_expired.get_mut().is_empty() {
            for (db, key, seen_ms) in self.seen_expired.take() {
                let slots = &self.databases[db];
                let found = slots.id_of(&key).filter(|(slot, id)| {
                    // The command may have put something new there since.
                    let entry = slots.at(*slot, *id);
                    entry.is_some_and(|(_, entry)| entry.expires_at <= seen_ms)
                });
                if let Some((slot, id)) = found {
                    self.expire_at(db, slot, id);
                }
            }
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
                let first = self.databases[db].expiries.first().copied();
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
            .filter_map(|(index, db)| Some((index, *db.expiries.first()?)));
        let (index, (_, slot, id)) = firsts.min_by_key(|(_, first)| first.0)?;
        let (key, _) = self.databases[index].at(slot, id)?;
        Some((index, key.clone()))
    }

    /// A random key of a database, only of those that expire where `volatile`; O(1) expected.
    pub fn sample(&mut self, db: usize, volatile: bool) -> Option<(Blob, &Entry)> {
        let slots = self.databases.get(db)?;
        if volatile {
            // Any place in time order is as good as another: jump to a random instant of the span.
            let (first, last) = (slots.expiries.first()?.0, slots.expiries.last()?.0);
            let span = usize::try_from(last.saturating_sub(first))
                .unwrap_or(usize::MAX)
                .saturating_add(1);
            let at = first.saturating_add(self.rng.below(span) as i64);
            let (_, slot, id) = slots
                .expiries
                .range((at, 0, 0)..)
                .next()
                .or_else(|| slots.expiries.first())?;
            return slots
                .at(*slot, *id)
                .map(|(key, entry)| (key.clone(), entry));
        }
        if slots.keys == 0 {
            return None;
        }
        let from = self.rng.below(SLOTS);
        let table = (0..SLOTS)
            .filter_map(|step| slots.tables.get((from + step) % SLOTS))
            .find(|t| !t.is_empty())?;
        let (key, entry) = table.at(table.random(&mut self.rng)?)?;
        Some((key.clone(), entry))
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
        let (key, entry) = self.take_at(db, slot, id)?;
        self.free(entry.value);
        Some(key)
    }

    fn free(&mut self, value: Value) {
        let large = match &value {
            Value::String(text) => text.memory_bytes() >= FREED_LAZILY_FROM * 1024,
            other => other.len() >= FREED_LAZILY_FROM,
        };
        if large {
            self.stats.freed_lazily += 1;
            self.freed
                .push(Garbage(Some(value), Vec::new(), BTreeSet::new()));
        }
    }

    fn take_at(&mut self, db: usize, slot: u16, id: u32) -> Option<(Blob, Entry)> {
        let slots = self.databases.get_mut(db)?;
        let table = slots.tables.get_mut(usize::from(slot))?;
        let bytes = table.memory_bytes();
        let removed = table.remove_at(id)?;
        slots.table_bytes = (slots.table_bytes + table.memory_bytes()).saturating_sub(bytes);
        slots.keys -= 1;
        if removed.value.expires_at != NEVER {
            slots.expiries.remove(&(removed.value.expires_at, slot, id));
        }
        // The last entry of the table now has the freed id.
        if let Some(old) = removed.moved {
            let at = slots
                .at(slot, id)
                .map_or(NEVER, |(_, entry)| entry.expires_at);
            if at != NEVER && slots.expiries.remove(&(at, slot, old)) {
                slots.expiries.insert((at, slot, id));
            }
        }
        let mut bytes = removed.value.value.memory_bytes();
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
        self.value_bytes = self.value_bytes.saturating_sub(bytes);
        Some((removed.key, removed.value))
    }
}

impl Slots {
    fn place(key: &[u8]) -> (u64, u16) {
        let hash = siphash::hash(key);
        (hash, (hash >> (64 - SLOT_BITS)) as u16)
    }

    fn id_of(&self, key: &[u8]) -> Option<(u16, u32)> {
        let (hash, slot) = Self::place(key);
        let id = self
            .tables
            .get(usize::from(slot))?
            .id_of_hashed(hash, key)?;
        Some((slot, id))
    }

    fn at(&self, slot: u16, id: u32) -> Option<(&Blob, &Entry)> {
        self.tables.get(usize::from(slot))?.at(id)
    }

    fn at_mut(&mut self, slot: u16, id: u32) -> Option<&mut Entry> {
        self.tables.get_mut(usize::from(slot))?.at_mut(id)
    }

    /// Adds a key that is known to be absent.
    fn insert(&mut self, key: Blob, entry: Entry) -> (u16, u32) {
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

    fn set_expiry(&mut self, slot: u16, id: u32, at: i64) {
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

/// One database at one time, as commands see it: an expired key is absent.
///
/// Reads borrow it shared, so several values can be held at once (set operations). A value taken for writing is
/// looked at again when the command ends: memory is counted, and a collection left empty is removed with its event.
/// What a handler has to say itself is [`changed`](Self::changed).
#[derive(Debug)]
pub struct Database<'a> {
    keyspace: &'a mut Keyspace,
    index: usize,
    now: Now,
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
    pub fn watch_dirty(&self, client: crate::client_state::ClientId) -> bool {
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
        Some(&entry.value)
    }

    /// What `key` holds; counts as a hit or a miss but not as an access (EXISTS). O(1).
    pub fn glance(&self, key: &[u8]) -> Option<&Entry> {
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

    /// What `key` holds; counts as nothing (TYPE, OBJECT, TTL). O(1).
    pub fn entry(&self, key: &[u8]) -> Option<&Entry> {
        let slots = self.slots();
        let (slot, id) = slots.id_of(key)?;
        let (_, entry) = slots.at(slot, id)?;
        if entry.expires_at <= self.now.unix_ms() {
            self.keyspace.seen_expired.borrow_mut().push((
                self.index,
                Blob::from(key),
                self.now.unix_ms(),
            ));
            return None;
        }
        Some(entry)
    }

    /// Whether `key` is still kept though its time is over.
    pub fn is_expired(&self, key: &[u8]) -> bool {
        let slots = self.slots();
        let entry = slots.id_of(key).and_then(|(slot, id)| slots.at(slot, id));
        entry.is_some_and(|(_, entry)| entry.expires_at <= self.now.unix_ms())
    }

    /// Whether there is such a key.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.entry(key).is_some()
    }

    /// A share of the string at `key` where it is large enough to leave without a copy.
    pub fn share(&mut self, key: &[u8]) -> Option<Bytes> {
        let (slot, id) = self.find(key)?;
        let db = self.index;
        let Value::String(text) = &mut self.slots_mut().at_mut(slot, id)?.value else {
            return None;
        };
        let before = text.memory_bytes();
        let shared = text.share();
        let after = text.memory_bytes();
        // The first share gives spare room back. A value that this command changes is counted when the command ends.
        let held = self
            .keyspace
            .touched
            .iter()
            .any(|touched| touched.db == db && touched.slot == slot && touched.id == id);
        if before != after && !held {
            let rest = self.keyspace.value_bytes.saturating_sub(before);
            self.keyspace.value_bytes = rest + after;
        }
        shared
    }

    /// The value at `key`, to change. O(1).
    pub fn value_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        let (slot, id) = self.find(key)?;
        self.touch(slot, id);
        Some(&mut self.slots_mut().at_mut(slot, id)?.value)
    }

    fn value_mut_or_create(&mut self, key: &[u8], make: impl FnOnce() -> Value) -> &mut Value {
        let (slot, id) = match self.find(key) {
            Some(found) => {
                self.touch(found.0, found.1);
                found
            }
            None => self.add(Blob::from(key), make(), NEVER),
        };
        // Both arms name an entry that is there.
        match self.slots_mut().at_mut(slot, id) {
            Some(entry) => &mut entry.value,
            None => unreachable!("an entry found or added just above"),
        }
    }

    /// Sets the value of `key`, whatever was there. O(1). Say [`changed`](Self::changed) yourself.
    pub fn insert(&mut self, key: &[u8], value: Value, expiry: Expiry) {
        let Some((slot, id)) = self.find(key) else {
            let at = if let Expiry::At(at) = expiry {
                at.min(LATEST)
            } else {
                NEVER
            };
            self.add(Blob::from(key), value, at);
            return;
        };
        self.touch(slot, id);
        if let Some(entry) = self.slots_mut().at_mut(slot, id) {
            let old = std::mem::replace(&mut entry.value, value);
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

    /// Takes what `key` holds out (RENAME, MOVE).
    pub fn take(&mut self, key: &[u8]) -> Option<Entry> {
        let (slot, id) = self.find(key)?;
        self.keyspace
            .take_at(self.index, slot, id)
            .map(|(_, entry)| entry)
    }

    /// The bytes that `key` takes with everything it holds: its share of the tables and its value. O(1).
    pub fn memory_usage(&self, key: &[u8]) -> Option<usize> {
        let entry = self.entry(key)?;
        let expiry = usize::from(entry.expires_at().is_some()) * EXPIRY_BYTES;
        let place = size_of::<Blob>() + size_of::<Entry>() + size_of::<u64>();
        Some(entry.value.memory_bytes() + Blob::from(key).memory_bytes() + place + expiry)
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
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&Blob, &Entry)) -> u64 {
        let slots = self.slots();
        let now_ms = self.now.unix_ms();
        let (mut slot, mut inner) = (cursor as usize & (SLOTS - 1), cursor >> SLOT_BITS);
        let mut visited = 0;
        while let Some(table) = slots.tables.get(slot) {
            inner = table.scan(inner, count.saturating_sub(visited).max(1), |key, entry| {
                visited += 1;
                if entry.expires_at > now_ms {
                    visit(key, entry);
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
    pub fn iter(&self) -> impl Iterator<Item = (&Blob, &Entry)> {
        let now_ms = self.now.unix_ms();
        let entries = self.slots().tables.iter().flat_map(Table::iter);
        entries.filter(move |(_, entry)| entry.expires_at > now_ms)
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
            let found = slots.tables.iter().find_map(|table| {
                let here = table.at(at as u32).filter(|_| at < table.len());
                at = at.wrapping_sub(if here.is_none() { table.len() } else { 0 });
                here
            });
            if let Some((key, entry)) = found
                && entry.expires_at > self.now.unix_ms()
            {
                return Some(key.clone());
            }
        }
        None
    }

    fn slots(&self) -> &Slots {
        &self.keyspace.databases[self.index]
    }

    fn slots_mut(&mut self) -> &mut Slots {
        &mut self.keyspace.databases[self.index]
    }

    /// The place of a live key; an expired one is removed on the way.
    fn find(&mut self, key: &[u8]) -> Option<(u16, u32)> {
        let (slot, id) = self.slots().id_of(key)?;
        let (_, entry) = self.slots().at(slot, id)?;
        if entry.expires_at <= self.now.unix_ms() {
            self.keyspace.expire_at(self.index, slot, id);
            return None;
        }
        self.note_access(entry);
        Some((slot, id))
    }

    fn note_access(&self, entry: &Entry) {
        if !self.keyspace.keeps_access {
            let counting = self.keyspace.counting;
            entry
                .access
                .set(entry.access.get().touched(self.now, counting));
        }
    }

    fn touch(&mut self, slot: u16, id: u32) {
        let db = self.index;
        let known =
            |touched: &Touched| touched.db == db && touched.slot == slot && touched.id == id;
        if self.keyspace.touched.iter().any(known) {
            return;
        }
        let bytes = self
            .slots()
            .at(slot, id)
            .map_or(0, |(_, entry)| entry.value.memory_bytes());
        self.keyspace.touched.push(Touched {
            db,
            slot,
            id,
            bytes,
            fresh: false,
        });
    }

    fn add(&mut self, key: Blob, value: Value, expires_at: i64) -> (u16, u32) {
        if self.keyspace.changes.notify.has(Class::NEW) {
            self.keyspace
                .changes
                .event(self.index, Class::NEW, "new", &key);
        }
        if value.kind().is_awaited() {
            self.keyspace.changes.became_ready(self.index, &key);
        }
        let access = Cell::new(AccessClock::new(self.now, self.keyspace.counting.is_some()));
        let (slot, id) = self.slots_mut().insert(
            key,
            Entry {
                value,
                expires_at,
                access,
            },
        );
        self.keyspace.touched.push(Touched {
            db: self.index,
            slot,
            id,
            bytes: 0,
            fresh: true,
        });
        (slot, id)
    }
}
