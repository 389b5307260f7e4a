//! What commands cost: memory, and time by the clock that the shell lends.

use crate::command::{Flags, Registered};
use crate::ids::ClientId;
use crate::keyspace::Keyspace;
use crate::slowlog::SlowCall;
use crate::state::State;
use crate::time::Now;

/// What an empty server takes of the heap, measured once: tables, threads and their runtimes.
pub(crate) const STARTUP_BYTES: usize = 512 * 1024;

/// Calls that share a reading of the clock, at most.
const STRIDE_CALLS: u32 = 16;

/// Arguments of a call that may share a reading, its name included, at most.
const STRIDE_ARGUMENTS: usize = 8;

/// Bytes of a reply behind which the clock is read at once.
const STRIDE_REPLY_BYTES: usize = 4096;

/// What calls that are quick by nature don't take together, in microseconds, unless one of them was not.
const SHARED_US: u64 = 1000;

/// A call that is to be charged with its time.
pub(crate) struct Charged<'a> {
    pub(crate) id: ClientId,
    pub(crate) registered: &'static Registered,
    pub(crate) args: &'a [&'a [u8]],
    pub(crate) reply_bytes: usize,
    pub(crate) shares_reading: bool,
    pub(crate) now: Now,
}

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

    /// Ends the calls that share a reading of the clock before something begins that has one of its own.
    pub(crate) fn end_stride(&mut self) {
        if self.stride.calls == 0 {
            return;
        }
        let took_us = self.took_us(self.stride.begun_us);
        self.charge_stride(took_us);
    }

    /// Whether a call may share a reading: it is quick by nature and small, and nobody asks for the time of every single
    /// one.
    pub(crate) fn shares_reading(&self, registered: &Registered, args: &[&[u8]]) -> bool {
        let threshold = self.config.slowlog_log_slower_than;
        registered.has(Flags::FAST)
            && args.len() <= STRIDE_ARGUMENTS
            && !(0..SHARED_US as i64).contains(&threshold)
            && self.config.latency_monitor_threshold == 0
            && self.host.clock.is_some()
    }

    /// Counts what a command took that began at `begun_us`, and keeps it where that was long.
    ///
    /// Reading the clock costs a tenth of what a GET does, so calls of a pipeline that are quick by nature share a reading,
    /// each an equal part. A large reply, or a time that is no quick call's, is its last call's alone; where a call of
    /// another kind follows, only the statistics tell of it.
    pub(crate) fn charge(&mut self, begun_us: u64, call: &Charged<'_>) {
        let Charged {
            registered,
            reply_bytes,
            shares_reading,
            ..
        } = *call;
        let goes_on = self.more_follows
            && reply_bytes <= STRIDE_REPLY_BYTES
            && self.stride.calls + 1 < STRIDE_CALLS
            && shares_reading;
        if self.stride.calls == 0 {
            self.stride.begun_us = begun_us;
        }
        self.stride.calls += 1;
        match self.stride.runs.last_mut() {
            Some((command, calls)) if *command == registered.id => *calls += 1,
            _ => self.stride.runs.push((registered.id, 1)),
        }
        if !goes_on {
            self.read_clock(call);
        }
    }

    /// Ends the stride whose last call this is.
    #[inline(never)]
    fn read_clock(&mut self, call: &Charged<'_>) {
        let took_us = self.took_us(self.stride.begun_us);
        let own_us = self.charge_stride(took_us);
        self.note_duration(call, own_us);
    }

    /// Divides a time among the calls of the stride; gives the last one's part.
    fn charge_stride(&mut self, took_us: u64) -> u64 {
        let measured = self.config.latency_tracking;
        let calls = std::mem::take(&mut self.stride.calls);
        let (each_ns, last_ns) = if took_us < SHARED_US {
            let each_ns = took_us * 1000 / u64::from(calls.max(1));
            (each_ns, each_ns)
        } else {
            (0, took_us * 1000)
        };
        let last = self.stride.runs.last_mut();
        let last = last.map(|(command, calls)| {
            *calls -= 1;
            *command
        });
        for (command, calls) in self.stride.runs.drain(..) {
            self.stats.took(command, each_ns, calls, measured);
        }
        if let Some(command) = last {
            self.stats.took(command, last_ns, 1, measured);
        }
        last_ns / 1000
    }

    /// Keeps a command that took long.
    fn note_duration(&mut self, call: &Charged<'_>, took_us: u64) {
        let Charged {
            id,
            registered,
            args,
            now,
            ..
        } = *call;
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
