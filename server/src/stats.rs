//! Counters, as INFO and the metrics print them.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::ids::CommandId;
use crate::latency::Histogram;
use crate::time::Now;

/// Counters of one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandStats {
    /// Times it ran.
    pub calls: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it ran and failed.
    pub failed: u64,
    /// Nanoseconds it took, where the shell lends its clock.
    pub nsec: u64,
    /// What single calls took, where `latency-tracking` is on.
    pub latencies: Histogram,
}

/// Counters of the server.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections refused over `maxclients`.
    pub rejected_connections: u64,
    /// Clients closed over `maxmemory-clients`.
    pub evicted_clients: u64,
    /// Commands run.
    pub commands: u64,
    /// Bytes read.
    pub input_bytes: u64,
    /// Bytes written.
    pub output_bytes: u64,
    /// Reads from sockets.
    pub reads: u64,
    /// Writes to sockets.
    pub writes: u64,
    /// Error replies.
    pub errors: u64,
    /// Microseconds spent on removing expired keys in the background.
    pub expire_us: u64,
    /// Errors by code.
    pub by_code: BTreeMap<Vec<u8>, u64>,
    /// By [`CommandId::index`].
    pub by_command: Vec<CommandStats>,
    /// The rates of the last second.
    pub rates: Rates,
    /// The most memory used so far; RESETSTAT leaves it alone but for what has gone since.
    pub peak_bytes: usize,
    sampled: Option<Sampled>,
}

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Commands.
    pub commands: u64,
    /// Bytes read.
    pub input_bytes: u64,
    /// Bytes written.
    pub output_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sampled {
    at_us: u64,
    totals: Rates,
}

/// Codes kept apart at most: a script may make up any number of them.
const MOST_CODES: usize = 128;

impl Stats {
    /// Counters for that many commands.
    pub fn new(commands: usize) -> Self {
        Self {
            by_command: vec![CommandStats::default(); commands],
            ..Self::default()
        }
    }

    /// Sets everything to zero (CONFIG RESETSTAT).
    pub fn reset(&mut self) {
        *self = Self::new(self.by_command.len());
    }

    /// A command ran.
    pub(crate) fn called(&mut self, command: CommandId, fault: Option<&Fault>) {
        self.commands += 1;
        if let Some(stats) = self.by_command.get_mut(command.index()) {
            stats.calls += 1;
            stats.failed += u64::from(fault.is_some());
        }
        if let Some(fault) = fault {
            self.error(fault);
        }
    }

    /// Each of some calls took so long, which its command's histogram gets where `measured`.
    pub(crate) fn took(&mut self, command: CommandId, took_ns: u64, calls: u32, measured: bool) {
        if let Some(stats) = self.by_command.get_mut(command.index())
            && calls > 0
        {
            stats.nsec += took_ns * u64::from(calls);
            if measured {
                stats.latencies.add(took_ns / 1000, u64::from(calls));
            }
        }
    }

    /// A command was refused.
    pub(crate) fn rejected(&mut self, command: Option<CommandId>, fault: &Fault) {
        if let Some(stats) = command.and_then(|command| self.by_command.get_mut(command.index())) {
            stats.rejected += 1;
        }
        self.error(fault);
    }

    fn error(&mut self, fault: &Fault) {
        self.errors += 1;
        let code = fault.code();
        if let Some(count) = self.by_code.get_mut(code) {
            *count += 1;
        } else if self.by_code.len() < MOST_CODES {
            self.by_code.insert(code.to_vec(), 1);
        }
    }

    /// Updates the rates and the peak; called by each tick.
    pub(crate) fn sample(&mut self, now: Now, used_bytes: usize) {
        self.peak_bytes = self.peak_bytes.max(used_bytes);
        let totals = Rates {
            commands: self.commands,
            input_bytes: self.input_bytes,
            output_bytes: self.output_bytes,
        };
        let last = *self.sampled.get_or_insert(Sampled {
            at_us: now.monotonic_us,
            totals,
        });
        let span_us = now.monotonic_us.saturating_sub(last.at_us);
        if span_us >= 1_000_000 {
            let rate = |now: u64, then: u64| now.saturating_sub(then) * 1_000_000 / span_us;
            self.rates = Rates {
                commands: rate(totals.commands, last.totals.commands),
                input_bytes: rate(totals.input_bytes, last.totals.input_bytes),
                output_bytes: rate(totals.output_bytes, last.totals.output_bytes),
            };
            self.sampled = Some(Sampled {
                at_us: now.monotonic_us,
                totals,
            });
        }
    }
}
