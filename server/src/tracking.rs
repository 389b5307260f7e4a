//! Client-side caching: who read which key, and who wants to hear of keys by their prefix.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ids::ClientId;
use crate::value::Blob;

/// Keys of a table that is too large which go at once, so that no command has to wait for all of them.
const DROPPED_AT_ONCE: usize = 1000;

/// How a client tracks keys (CLIENT TRACKING ON).
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent options, as the command has them"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracker {
    /// The client that gets the invalidations instead.
    pub redirect: Option<ClientId>,
    /// That client is gone.
    pub broken: bool,
    /// BCAST: hears of keys by prefix, whether it read them or not.
    pub broadcast: bool,
    /// OPTIN: only keys of commands announced by CLIENT CACHING YES.
    pub opt_in: bool,
    /// OPTOUT: not the keys of commands announced by CLIENT CACHING NO.
    pub opt_out: bool,
    /// NOLOOP: does not hear of its own changes.
    pub no_loop: bool,
    /// CLIENT CACHING was called for the next command.
    pub caching: bool,
    /// PREFIX; the empty prefix for every key.
    pub prefixes: BTreeSet<Blob>,
}

impl Tracker {
    /// Whether the keys of the command that runs now are remembered.
    pub fn remembers(&self) -> bool {
        !(self.broadcast || self.opt_in && !self.caching || self.opt_out && self.caching)
    }
}

/// A changed key, and the client whose command changed it; `None` for one that expired or was evicted.
pub type Change = (Blob, Option<ClientId>);

/// What is to be told to whom.
pub type Invalidation = (ClientId, Vec<Blob>);

/// Clients by the keys they read, and by the prefixes they want to hear of.
///
/// As in Redis, a client that stops tracking stays in the table until its keys change; whoever sends invalidations
/// checks that the client still tracks.
#[derive(Debug, Default)]
pub struct Tracking {
    readers: HashMap<Blob, Vec<ClientId>>,
    /// Places in `readers`, of all keys together.
    items: usize,
    prefixes: BTreeMap<Blob, Vec<ClientId>>,
    /// Changes that clients hear of by prefix, once the command or transaction is over.
    pub(crate) pending: Vec<Change>,
    /// How many clients track.
    pub clients: usize,
}

impl Tracking {
    /// Remembers that `client` read `key`.
    pub fn remember(&mut self, client: ClientId, key: &[u8]) {
        if let Some(readers) = self.readers.get_mut(key) {
            if !readers.contains(&client) {
                readers.push(client);
                self.items += 1;
            }
            return;
        }
        self.readers.insert(Blob::from(key), vec![client]);
        self.items += 1;
    }

    /// Adds a client to a prefix.
    pub fn add_prefix(&mut self, client: ClientId, prefix: &Blob) {
        let clients = self.prefixes.entry(prefix.clone()).or_default();
        if !clients.contains(&client) {
            clients.push(client);
        }
    }

    /// Removes a client from a prefix.
    pub fn remove_prefix(&mut self, client: ClientId, prefix: &Blob) {
        if let Some(clients) = self.prefixes.get_mut(prefix) {
            clients.retain(|other| *other != client);
            if clients.is_empty() {
                self.prefixes.remove(prefix);
            }
        }
    }

    /// Takes those who read `key` out of the table.
    pub fn forget(&mut self, key: &[u8]) -> Vec<ClientId> {
        let readers = self.readers.remove(key).unwrap_or_default();
        self.items -= readers.len();
        readers
    }

    /// Forgets every key.
    pub fn clear(&mut self) {
        self.readers = HashMap::new();
        self.items = 0;
    }

    /// Keys beyond `limit`, in the map's random order and a bounded number at a time; a limit of 0 is none.
    pub fn excess(&self, limit: usize) -> Vec<Blob> {
        let excess = match limit {
            0 => 0,
            _ => self.readers.len().saturating_sub(limit),
        };
        self.readers
            .keys()
            .take(excess.min(DROPPED_AT_ONCE))
            .cloned()
            .collect()
    }

    /// For each prefix and client, the changed keys that begin with it, in order and each once. `hears` tells whether
    /// a client hears of a change by another.
    pub fn broadcasts(
        &self,
        changes: &[Change],
        hears: impl Fn(ClientId, Option<ClientId>) -> bool,
    ) -> Vec<Invalidation> {
        let mut all = Vec::new();
        for (prefix, clients) in &self.prefixes {
            let mut keys: BTreeMap<&Blob, Option<ClientId>> = BTreeMap::new();
            for (key, by) in changes.iter().filter(|(key, _)| key.starts_with(prefix)) {
                keys.entry(key).or_insert(*by);
            }
            if keys.is_empty() {
                continue;
            }
            for client in clients {
                let news = keys.iter().filter(|(_, by)| hears(*client, **by));
                let news: Vec<Blob> = news.map(|(key, _)| (*key).clone()).collect();
                if !news.is_empty() {
                    all.push((*client, news));
                }
            }
        }
        all
    }

    /// Whether anybody tracks, or what was tracked is still known.
    #[inline]
    pub fn is_used(&self) -> bool {
        self.clients > 0 || !self.readers.is_empty()
    }

    /// Keys in the table.
    pub fn keys(&self) -> usize {
        self.readers.len()
    }

    /// Keys in the table, counted for each client.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Prefixes.
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }
}
