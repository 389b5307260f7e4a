//! Telling clients that cache keys what changed.

use crate::changes::Changes;
use crate::client_state::Client;
use crate::command::{Context, Flags, Registered};
use crate::ids::ClientId;
use crate::state::State;
use crate::tracking::Tracker;
use crate::value::Blob;

/// The channel of invalidations for RESP2 clients, which have no pushes.
const CHANNEL: &str = "__redis__:invalidate";

impl State {
    /// Turns tracking on, or changes its options.
    pub(crate) fn track(&mut self, id: ClientId, tracker: Tracker) {
        for prefix in &tracker.prefixes {
            self.tracking.add_prefix(id, prefix);
        }
        let before = self.clients.at_mut(id).tracker.replace(Box::new(tracker));
        self.tracking.clients += usize::from(before.is_none());
    }

    /// Turns tracking off.
    pub(crate) fn untrack(&mut self, id: ClientId) {
        let tracker = self
            .clients
            .get_mut(id)
            .and_then(|client| client.tracker.take());
        let Some(tracker) = tracker else { return };
        self.tracking.clients -= 1;
        for prefix in &tracker.prefixes {
            self.tracking.remove_prefix(id, prefix);
        }
    }

    /// Remembers the keys of a command that only reads, where its client tracks.
    ///
    /// A script is remembered by the keys it was called with, if it read any at all.
    pub(crate) fn remember_keys(
        &mut self,
        id: ClientId,
        registered: &Registered,
        args: &[&[u8]],
        context: Context,
    ) {
        if context == Context::Script {
            self.script_read |= registered.has(Flags::READONLY);
            return;
        }
        let script_read = std::mem::take(&mut self.script_read);
        let tracker = self.clients.at(id).tracker.as_deref();
        if !tracker.is_some_and(Tracker::remembers)
            || !(registered.has(Flags::READONLY) || script_read)
        {
            return;
        }
        for (at, _) in registered.key_positions(args).unwrap_or_default() {
            if let Some(key) = args.get(at) {
                self.tracking.remember(id, key);
            }
        }
    }

    /// Tells whoever read keys what changed since the last call, before anything else is read: a key that a
    /// transaction changes and then reads is not changed after that.
    pub(crate) fn invalidate(&mut self, changes: &mut Changes) {
        let everything = std::mem::take(&mut changes.all_invalidated);
        if self.tracking.clients == 0 {
            changes.invalidated.clear();
            // Whoever tracked has gone, and with it the need for what it read.
            if self.tracking.keys() > 0 {
                self.tracking.clear();
            }
            return;
        }
        let keys = std::mem::take(&mut changes.invalidated);
        for (key, by) in &keys {
            for id in self.tracking.forget(key) {
                let hears =
                    |tracker: &Tracker| !(tracker.broadcast || tracker.no_loop && *by == Some(id));
                if self.tracker(id).is_some_and(hears) {
                    self.tell(id, Some(std::slice::from_ref(key)));
                }
            }
        }
        if self.tracking.prefixes() > 0 {
            self.tracking.pending.extend(keys);
        }
        if everything {
            self.tracking.clear();
            let trackers = self.clients.sorted().into_iter();
            let ids: Vec<_> = trackers
                .filter(|client| client.tracker.is_some())
                .map(|client| client.id)
                .collect();
            for id in ids {
                self.tell(id, None);
            }
        }
    }

    /// Tells whoever tracks prefixes what changed, and drops keys of a table that is too large: at the end of a command.
    pub(crate) fn broadcast(&mut self) {
        if self.tracking.clients == 0 {
            return;
        }
        let changed = std::mem::take(&mut self.tracking.pending);
        if !changed.is_empty() {
            let messages = self.tracking.broadcasts(&changed, |id, by| {
                !(by == Some(id) && self.tracker(id).is_some_and(|tracker| tracker.no_loop))
            });
            for (id, keys) in messages {
                self.tell(id, Some(&keys));
            }
        }
        self.limit_tracking();
    }

    /// Drops keys beyond `tracking-table-max-keys`; their readers can't rely on them any more.
    fn limit_tracking(&mut self) {
        let limit = usize::try_from(self.config.tracking_table_max_keys).unwrap_or(usize::MAX);
        for key in self.tracking.excess(limit) {
            for id in self.tracking.forget(&key) {
                if self.tracker(id).is_some_and(|tracker| !tracker.broadcast) {
                    self.tell(id, Some(std::slice::from_ref(&key)));
                }
            }
        }
    }

    fn tracker(&self, id: ClientId) -> Option<&Tracker> {
        self.clients.get(id)?.tracker.as_deref()
    }

    /// Sends one invalidation to a tracking client, or to whom it redirects: some keys, or everything.
    fn tell(&mut self, id: ClientId, keys: Option<&[Blob]>) {
        let Some(tracker) = self
            .clients
            .get_mut(id)
            .and_then(|client| client.tracker.as_deref_mut())
        else {
            return;
        };
        let target = tracker.redirect.unwrap_or(id);
        let is_there = |client: &Client| !client.killed && !client.closing;
        if !self.clients.get(target).is_some_and(is_there) {
            if let Some(tracker) = self
                .clients
                .get_mut(id)
                .and_then(|client| client.tracker.as_deref_mut())
            {
                tracker.broken = true;
            }
            self.push(id, |reply| {
                if reply.is_resp3() {
                    reply.push(2);
                    reply.bulk("tracking-redir-broken");
                    reply.integer(target.number() as i64);
                }
            });
            return;
        }
        let subscribed = self.clients.at(target).subscriptions.is_any();
        self.push(target, |reply| {
            if reply.is_resp3() {
                reply.push(2);
                reply.bulk("invalidate");
            } else if target != id && subscribed {
                reply.array(3);
                reply.bulk("message");
                reply.bulk(CHANNEL);
            } else {
                return;
            }
            match keys {
                Some(keys) => reply.bulks(keys.iter()),
                None => reply.null(),
            }
        });
    }
}
