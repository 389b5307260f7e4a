//! `maxmemory`: which keys go when memory is short.

use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::state::State;
use crate::time::Now;
use crate::value::Blob;

/// Keys removed at once at most, so that nobody waits for long; the next command or tick goes on.
const EVICTED_AT_ONCE: usize = 2_000;

/// Removes keys by `maxmemory-policy` until memory is within `maxmemory`; whether it is, or soon will be.
///
/// As in Redis, the victim is the best of `maxmemory-samples` random keys of each database.
pub(crate) fn make_room(keyspace: &mut Keyspace, state: &mut State, now: Now) -> bool {
    let limit = state.config.maxmemory;
    let policy = state.config.maxmemory_policy;
    for _ in 0..EVICTED_AT_ONCE {
        if state.used_bytes(keyspace) as u64 <= limit {
            return true;
        }
        let victim = match policy {
            "noeviction" => return false,
            "volatile-ttl" => keyspace.first_to_expire(),
            _ => sampled(keyspace, &state.config, now),
        };
        let Some((db, key)) = victim else {
            return false;
        };
        keyspace.evict(db, &key);
    }
    true
}

fn sampled(keyspace: &mut Keyspace, config: &Config, now: Now) -> Option<(usize, Blob)> {
    let (policy, counting) = (config.maxmemory_policy, config.counting());
    let samples = config.maxmemory_samples.max(1) as usize;
    let volatile = policy.starts_with("volatile");
    let mut best: Option<(u32, usize, Blob)> = None;
    for db in 0..keyspace.databases() {
        for _ in 0..samples {
            let Some(entry) = keyspace.sample(db, volatile) else {
                break;
            };
            let score = match policy {
                _ if policy.ends_with("lru") => entry.access().idle_s(now),
                _ if policy.ends_with("lfu") => {
                    255 - entry.access().frequency(now, counting).min(255)
                }
                _ => 0,
            };
            if best.as_ref().is_none_or(|(known, ..)| score > *known) {
                best = Some((score, db, entry.key().clone()));
            }
        }
    }
    best.map(|(_, db, key)| (db, key))
}

impl State {
    /// Closes the clients that take most memory while all of them together take more than `maxmemory-clients`.
    pub(crate) fn evict_clients(&mut self) {
        let Some(limit) = self.config.clients_limit() else {
            return;
        };
        if self.clients_bytes as u64 <= limit {
            return;
        }
        let mut sizes: Vec<_> = self
            .clients
            .iter()
            .filter(|client| !client.no_evict && !client.killed)
            .map(|client| (client.memory_bytes(), client.id))
            .collect();
        sizes.sort_unstable();
        while let Some((bytes, id)) = sizes.pop_if(|_| self.clients_bytes as u64 > limit) {
            self.clients_bytes = self.clients_bytes.saturating_sub(bytes);
            self.stats.evicted_clients += 1;
            if let Some(client) = self.clients.get_mut(id) {
                client.counted_bytes = 0;
                client.killed = true;
                client.outbox.clear();
            }
            self.wake(id);
        }
    }
}
