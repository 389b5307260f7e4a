//! What writes leave behind for the engine to act on after each command: watched keys touched, keyspace events,
//! keys that blocked clients may want, keys to invalidate, keys that expired.

use std::collections::{HashMap, HashSet};

use crate::ids::ClientId;
use crate::tracking::Change;
use crate::value::Blob;

/// Classes of keyspace events, the letters of `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class(u32);

impl Class {
    /// No class.
    pub const NONE: Self = Self(0);
    /// `K`: publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Self = Self(1);
    /// `E`: publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// `g`: commands of any type.
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`: strings.
    pub const STRING: Self = Self(1 << 3);
    /// `l`: lists.
    pub const LIST: Self = Self(1 << 4);
    /// `s`: sets.
    pub const SET: Self = Self(1 << 5);
    /// `h`: hashes.
    pub const HASH: Self = Self(1 << 6);
    /// `z`: sorted sets.
    pub const SORTED_SET: Self = Self(1 << 7);
    /// `x`: keys that expired.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: keys evicted for memory.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`: streams.
    pub const STREAM: Self = Self(1 << 10);
    /// `m`: reads of missing keys; not part of `A`.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// `d`: modules; accepted, never published.
    pub const MODULE: Self = Self(1 << 12);
    /// `n`: new keys; not part of `A`.
    pub const NEW: Self = Self(1 << 13);
    /// `A`: every class but `m` and `n`.
    pub const ALL: Self = Self(0b1_0111_1111_1100);

    const LETTERS: [(u8, Class); 14] = [
        (b'g', Self::GENERIC),
        (b'$', Self::STRING),
        (b'l', Self::LIST),
        (b's', Self::SET),
        (b'h', Self::HASH),
        (b'z', Self::SORTED_SET),
        (b'x', Self::EXPIRED),
        (b'e', Self::EVICTED),
        (b't', Self::STREAM),
        (b'd', Self::MODULE),
        (b'n', Self::NEW),
        (b'K', Self::KEYSPACE),
        (b'E', Self::KEYEVENT),
        (b'm', Self::KEY_MISS),
    ];

    /// Whether any class of `other` is in this set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The set that `letters` spell; `None` for an unknown letter.
    pub fn parse(letters: &[u8]) -> Option<Self> {
        let mut set = Self::NONE;
        for letter in letters {
            let class = match letter {
                b'A' => Self::ALL,
                _ => Self::LETTERS.iter().find(|(known, _)| known == letter)?.1,
            };
            set = Self(set.0 | class.0);
        }
        Some(set)
    }

    /// The letters of this set, `A` where all of its classes are in.
    pub fn letters(self) -> String {
        let all = self.0 & Self::ALL.0 == Self::ALL.0;
        let mut text = String::new();
        if all {
            text.push('A');
        }
        for (letter, class) in Self::LETTERS {
            if self.has(class) && !(all && Self::ALL.has(class)) {
                text.push(char::from(letter));
            }
        }
        text
    }
}

/// One keyspace event to publish.
#[derive(Clone, Debug)]
pub struct KeyEvent {
    /// The database.
    pub db: usize,
    /// The event's name (`set`, `lpush`, `expired` …).
    pub event: &'static str,
    /// The key.
    pub key: Blob,
}

/// The log of one command's changes, and the interest others have in them.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not states of one machine"
)]
#[derive(Debug, Default)]
pub struct Changes {
    /// Changes since the last save, Redis' `rdb_changes_since_last_save`; never reset inside a command.
    pub dirty: u64,
    /// Classes of events that somebody may listen to.
    pub notify: Class,
    /// Whether any client is blocked on a key.
    pub blocked: bool,
    /// Whether any client tracks keys.
    pub tracked: bool,
    /// Whether effects are read (journal, replicas), so that expiries must be told.
    pub propagated: bool,
    /// Events to publish.
    pub events: Vec<KeyEvent>,
    /// Keys that blocked clients may want, in the order they came to hold it, where `blocked` is set.
    pub ready: Vec<(usize, Blob)>,
    /// Every blocked key may be ready (SWAPDB).
    pub all_ready: bool,
    /// Changed keys where `tracked` is set, and who changed them.
    pub invalidated: Vec<Change>,
    /// The client whose command runs.
    pub origin: Option<ClientId>,
    /// Everything changed (FLUSHALL, FLUSHDB) where `tracked` is set.
    pub all_invalidated: bool,
    /// Keys that were removed because their time was over or memory was short, where `propagated` is set.
    pub vanished: Vec<(usize, Blob)>,
    /// Watched keys.
    pub watch: Watch,
}

impl Changes {
    /// Notes that the value of `key` is another one now.
    pub fn key(&mut self, db: usize, key: &[u8]) {
        self.watch.touch(db, key);
        if self.tracked {
            self.invalidated.push((Blob::from(key), self.origin));
        }
    }

    /// Whether there is anything that others are to be told.
    #[inline]
    pub fn concern_others(&self) -> bool {
        self.all_ready
            | self.all_invalidated
            | !self.ready.is_empty()
            | !self.events.is_empty()
            | !self.invalidated.is_empty()
    }

    /// Notes that `key` now holds something that a blocked client may want: whoever waits for it does so because it held
    /// nothing of that kind, so this is said when it begins to, not at every change.
    pub fn became_ready(&mut self, db: usize, key: &[u8]) {
        if self.blocked {
            self.ready.push((db, Blob::from(key)));
        }
    }

    /// Notes an event for keyspace notifications.
    pub fn event(&mut self, db: usize, class: Class, event: &'static str, key: &[u8]) {
        if self.notify.has(class) {
            self.events.push(KeyEvent {
                db,
                event,
                key: Blob::from(key),
            });
        }
    }
}

/// Keys that clients watch, and the clients whose transaction can't run any more.
#[derive(Debug, Default)]
pub struct Watch {
    keys: HashMap<(usize, Blob), Vec<ClientId>>,
    dirty: HashSet<ClientId>,
}

impl Watch {
    /// `client` watches `key`.
    pub fn add(&mut self, client: ClientId, db: usize, key: &[u8]) {
        let watchers = self.keys.entry((db, Blob::from(key))).or_default();
        if !watchers.contains(&client) {
            watchers.push(client);
        }
    }

    /// `client` watches none of `keys` any more, and starts clean.
    pub fn remove<'k>(&mut self, client: ClientId, keys: impl Iterator<Item = &'k (usize, Blob)>) {
        for key in keys {
            if let Some(watchers) = self.keys.get_mut(key) {
                watchers.retain(|watcher| *watcher != client);
                if watchers.is_empty() {
                    self.keys.remove(key);
                }
            }
        }
        self.dirty.remove(&client);
    }

    /// Marks every client that watches `key`.
    pub fn touch(&mut self, db: usize, key: &[u8]) {
        if self.keys.is_empty() {
            return;
        }
        if let Some(watchers) = self.keys.get(&(db, Blob::from(key))) {
            self.dirty.extend(watchers);
        }
    }

    /// Marks every client that watches a key of `db` for which `affected` holds.
    pub fn touch_where(&mut self, db: usize, mut affected: impl FnMut(&[u8]) -> bool) {
        for ((index, key), watchers) in &self.keys {
            if *index == db && affected(key.as_slice()) {
                self.dirty.extend(watchers);
            }
        }
    }

    /// Whether a key of `client` was touched.
    pub fn is_dirty(&self, client: ClientId) -> bool {
        self.dirty.contains(&client)
    }
}
