//! What clients may take: output that they do not read, idle time, memory. Looked at by each tick.

use crate::client_state::Client;
use crate::ids::ClientId;
use crate::state::State;
use crate::time::Now;

impl State {
    /// Closes clients over `client-output-buffer-limit`'s soft bound, over `timeout`, and over `maxmemory-clients`, and
    /// notes what the others take. O(clients).
    pub(crate) fn check_clients(&mut self, now: Now) {
        self.check_output(now);
        self.check_idle(now);
        self.count_clients();
        self.evict_clients();
    }

    /// Closes a client at once, what it has not read forgotten.
    pub(crate) fn cut_off(&mut self, id: ClientId, reason: &str) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        client.killed = true;
        client.outbox.clear();
        tracing::warn!(
            "Client id={} addr={} {reason}",
            id.number(),
            client.peer.address
        );
        self.wake(id);
    }

    fn check_output(&mut self, now: Now) {
        let limits = self.config.output_limits;
        let mut over = Vec::new();
        for client in self.clients.iter_mut() {
            let limit = &limits[client.output_class()];
            let bytes = client.outbox.len() + client.output_bytes;
            if limit.soft_bytes == 0 || bytes <= limit.soft_bytes {
                client.soft_limit_since_us = None;
                continue;
            }
            let since_us = *client.soft_limit_since_us.get_or_insert(now.monotonic_us);
            let over_us = now.monotonic_us.saturating_sub(since_us);
            if over_us >= limit.soft_seconds.saturating_mul(1_000_000) {
                over.push(client.id);
            }
        }
        for id in over {
            self.cut_off(id, "closed for overcoming of output buffer limits");
        }
    }

    /// Clients that wait for something, or that are there to be told, are not idle.
    fn check_idle(&mut self, now: Now) {
        let Ok(timeout_s @ 1..) = u64::try_from(self.config.timeout) else {
            return;
        };
        let waits = |client: &Client| {
            client.waiting.is_some()
                || client.postponed
                || client.monitors
                || client.subscriptions.is_any()
        };
        let idle: Vec<_> = self
            .clients
            .iter()
            .filter(|client| !client.killed && !waits(client))
            .filter(|client| {
                now.monotonic_us.saturating_sub(client.active_us) > timeout_s * 1_000_000
            })
            .map(|client| client.id)
            .collect();
        for id in idle {
            self.cut_off(id, "closed: idle");
        }
    }
}
