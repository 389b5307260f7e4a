//! What commands cost: memory, and time by the clock that the shell lends.

use crate::command::{Flags, Registered};
use crate::ids::ClientId;
use crate::keyspace::Keyspace;
use crate::slowlog::SlowCall;
use crate::state::State;
use crate::time::Now;

/// What an empty server takes of the heap, measured once: tables, threads and their runtimes.
pub(crate) const STARTUP_BYTES: usize = 512 * 1024;

impl State {
    /// Bytes of data, clients and the server itself: what `maxmemory` limits. O(databases).
    pub fn used_bytes(&self, keyspace: &Keyspace) -> usize {
        STARTUP_BYTES + keyspace.memory_bytes() + self.clients_bytes
    }

    /// Tells what a client holds in its connection's buffers, in bytes.
    pub fn report_buffers(&mut self, id: ClientId, unread: usize, unwritten: usize) {
        if let Some(client) = self.clients.get_mut(id) {
            client.query_bytes = unread;
            client.output_bytes = unwritten;
            let bytes = client.memory_bytes();
            let before = std::mem::replace(&mut client.counted_bytes, bytes);
            self.clients_bytes = self.clients_bytes.saturating_sub(before) + bytes;
        }
    }

    pub(crate) fn count_clients(&mut self) {
        self.clients_bytes = 0;
        for client in self.clients.iter_mut() {
            client.counted_bytes = client.memory_bytes();
            self.clients_bytes += client.counted_bytes;
        }
    }

    /// When a command that starts now began, in microseconds.
    pub(crate) fn begin_us(&mut self, now: Now) -> u64 {
        now.monotonic_us.max(self.clock_us)
    }

    /// How long what began at `begun_us` took; nothing where there is no clock.
    pub(crate) fn took_us(&mut self, begun_us: u64) -> u64 {
        let stall_us = std::mem::take(&mut self.stall_us);
        self.asleep_us += stall_us;
        let Some(clock) = self.host.clock else {
            return stall_us;
        };
        self.clock_us = clock();
        self.clock_us.saturating_sub(begun_us) + stall_us
    }

    /// Keeps a command that took long.
    pub(crate) fn note_duration(
        &mut self,
        id: ClientId,
        registered: &Registered,
        args: &[&[u8]],
        took_us: u64,
        now: Now,
    ) {
        let is_slow = u64::try_from(self.config.slowlog_log_slower_than)
            .is_ok_and(|threshold| took_us >= threshold);
        if is_slow && !registered.has(Flags::SKIP_SLOWLOG) {
            let client = self.clients.at(id);
            let call = SlowCall {
                id: 0,
                unix_s: now.unix_s(),
                took_us,
                args: crate::slowlog::trimmed(&crate::monitor::redacted(registered, args)),
                address: client.peer.address.clone(),
                name: client.name.to_vec(),
            };
            let limit = usize::try_from(self.config.slowlog_max_len).unwrap_or(usize::MAX);
            self.slowlog.add(call, limit);
        }
        let event = if registered.has(Flags::FAST) {
            "fast-command"
        } else {
            "command"
        };
        self.note_event(event, took_us, now);
    }

    /// Keeps an event that took longer than `latency-monitor-threshold`.
    pub(crate) fn note_event(&mut self, event: &'static str, took_us: u64, now: Now) {
        let threshold = self.config.latency_monitor_threshold;
        let milliseconds = took_us / 1000;
        if threshold > 0 && milliseconds >= threshold as u64 {
            self.latency.add(event, now.unix_s(), milliseconds);
        }
    }
}
