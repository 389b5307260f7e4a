//! Blocked clients: who waits for which key, in order, and until when.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::client_state::Waiting;
use crate::ids::ClientId;
use crate::value::Blob;

/// The queues of blocked clients.
///
/// A client waits in the queue of each of its keys, first come, first served. It is served by running its call again
/// when a key became ready; if that blocks once more, it has kept its place.
#[derive(Debug, Default)]
pub struct Blocked {
    queues: HashMap<(usize, Blob), VecDeque<ClientId>>,
    deadlines: BTreeSet<(u64, ClientId)>,
    serving: Option<Blob>,
    again: bool,
    clients: usize,
}

impl Blocked {
    /// Queues a client.
    pub fn add(&mut self, id: ClientId, waiting: &Waiting) {
        for key in &waiting.keys {
            let queue = self.queues.entry((waiting.db, key.clone())).or_default();
            if !queue.contains(&id) {
                queue.push_back(id);
            }
        }
        if let Some(deadline) = waiting.deadline_us {
            self.deadlines.insert((deadline, id));
        }
        self.clients += 1;
    }

    /// Takes a client out of its queues.
    pub fn remove(&mut self, id: ClientId, waiting: &Waiting) {
        for key in &waiting.keys {
            let place = (waiting.db, key.clone());
            if let Some(queue) = self.queues.get_mut(&place) {
                queue.retain(|waiter| *waiter != id);
                if queue.is_empty() {
                    self.queues.remove(&place);
                }
            }
        }
        if let Some(deadline) = waiting.deadline_us {
            self.deadlines.remove(&(deadline, id));
        }
        self.clients -= 1;
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.clients == 0
    }

    /// How many clients wait.
    pub fn len(&self) -> usize {
        self.clients
    }

    /// Who waits for a key, the longest waiting first.
    pub fn queue(&self, db: usize, key: &Blob) -> Vec<ClientId> {
        self.queues
            .get(&(db, key.clone()))
            .map(|queue| queue.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Every key somebody waits for.
    pub fn keys(&self) -> Vec<(usize, Blob)> {
        let mut keys: Vec<_> = self.queues.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// The next client whose time is over.
    pub fn next_due(&self, monotonic_us: u64) -> Option<ClientId> {
        self.deadlines
            .first()
            .filter(|(deadline, _)| *deadline <= monotonic_us)
            .map(|(_, id)| *id)
    }

    /// The earliest deadline, in microseconds of the steady clock.
    pub fn first_deadline_us(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The key that is being served.
    pub fn serving(&self) -> Option<&[u8]> {
        self.serving.as_deref()
    }

    /// Begins to serve `key`.
    pub(crate) fn serve(&mut self, key: &Blob) {
        self.serving = Some(key.clone());
        self.again = false;
    }

    /// The call that is being served wants to wait on.
    pub(crate) fn wait_on(&mut self) {
        self.again = true;
    }

    /// Whether the call that is being served waits on.
    pub(crate) fn waits_on(&self) -> bool {
        self.again
    }

    /// Ends serving; whether the client waits on.
    pub(crate) fn served(&mut self) -> bool {
        self.serving = None;
        std::mem::take(&mut self.again)
    }
}
