//! The configuration that the server acts on.

use std::collections::BTreeMap;

use crate::access::Counting;
use crate::changes::Class;
use crate::value::PackedLimits;

/// Every setting the server acts on; those it only stores are kept by name.
#[derive(Clone, Debug)]
pub struct Config {
    /// TCP port; 0 for none.
    pub port: i64,
    /// Addresses to listen on; a leading `-` forgives one that is not there.
    pub bind: Vec<u8>,
    /// The Unix socket's path; empty for none.
    pub unixsocket: Vec<u8>,
    /// The Unix socket's permissions, octal digits.
    pub unixsocketperm: Vec<u8>,
    /// Refuse others than loopback where no password is set.
    pub protected_mode: bool,
    /// Length of the kernel's accept queue.
    pub tcp_backlog: i64,
    /// Seconds between keep-alive probes; 0 for none.
    pub tcp_keepalive: i64,
    /// Seconds after which an idle client is closed; 0 for never.
    pub timeout: i64,
    /// Most clients at a time.
    pub maxclients: i64,
    /// Number of databases.
    pub databases: i64,
    /// Threads that serve connections; 0 for the number of cores.
    pub io_threads: i64,
    /// Background cycles a second.
    pub hz: i64,
    /// The default user's password; empty for none.
    pub requirepass: Vec<u8>,
    /// Most bytes of keys and values; 0 for no limit.
    pub maxmemory: u64,
    /// Which keys go when memory is short.
    pub maxmemory_policy: &'static str,
    /// Random keys looked at for one eviction.
    pub maxmemory_samples: i64,
    /// Longest bulk string, in bytes.
    pub proto_max_bulk_len: u64,
    /// Most unexecuted bytes of one client.
    pub client_query_buffer_limit: u64,
    /// Output limits of normal clients, replicas and subscribers.
    pub output_limits: [OutputLimit; 3],
    /// The letters of keyspace events to publish.
    pub notify_keyspace_events: Class,
    /// When small collections turn into their large form.
    pub packed: PackedLimits,
    /// Size in bytes from which on a sparse `HyperLogLog` counter turns dense.
    pub hll_sparse_max_bytes: u64,
    /// Microseconds from which on a command is slow; negative for none.
    pub slowlog_log_slower_than: i64,
    /// Entries the slow log keeps.
    pub slowlog_max_len: i64,
    /// Milliseconds from which on an event is kept by LATENCY; 0 for none.
    pub latency_monitor_threshold: i64,
    /// The least severe messages logged.
    pub loglevel: &'static str,
    /// Where the log goes; empty for standard output.
    pub logfile: Vec<u8>,
    /// The working directory.
    pub dir: Vec<u8>,
    /// The snapshot's file name.
    pub dbfilename: Vec<u8>,
    /// The file the configuration came from.
    pub config_file: Option<String>,
    /// When to save: pairs of seconds and changes.
    pub save: Vec<u8>,
    /// Most keys that are remembered for client-side caching; 0 for no limit.
    pub tracking_table_max_keys: i64,
    /// Whether each command has a histogram of what it took.
    pub latency_tracking: bool,
    /// The percentiles INFO prints of them.
    pub latency_percentiles: Vec<f64>,
    /// Who may call DEBUG: `no` for nobody, `local` for clients on loopback, `yes` for all.
    pub enable_debug_command: &'static str,
    /// Most bytes of all clients together, or less than zero: percent of `maxmemory`; 0 for no limit.
    pub maxmemory_clients: i64,
    /// How slowly access counters grow (LFU).
    pub lfu_log_factor: i64,
    /// Minutes after which an unused key's counter falls by one (LFU); 0 for never.
    pub lfu_decay_time: i64,
    /// Parameters that are accepted and stored only.
    pub(crate) stored: BTreeMap<&'static str, Vec<u8>>,
}

/// `client-output-buffer-limit` of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Closed at once beyond this; 0 for no limit.
    pub hard_bytes: usize,
    /// Closed beyond this after `soft_seconds`; 0 for no limit.
    pub soft_bytes: usize,
    /// How long it may stay above `soft_bytes`.
    pub soft_seconds: u64,
}

/// Why a value was refused, in Redis' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The parameter.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}': {}", self.name, self.reason)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// The classes of keyspace events to publish; none unless a `K` or `E` says where.
    pub fn notify(&self) -> Class {
        self.notify_keyspace_events
    }

    /// Most bytes of all clients together; `None` for no limit.
    pub fn clients_limit(&self) -> Option<u64> {
        match self.maxmemory_clients {
            0 => None,
            percent if percent < 0 => {
                let limit = u128::from(self.maxmemory) * u128::from(percent.unsigned_abs()) / 100;
                u64::try_from(limit).ok().filter(|limit| *limit > 0)
            }
            bytes => Some(bytes as u64),
        }
    }

    /// How access clocks count uses, for the policies that go by them.
    pub fn counting(&self) -> Counting {
        Counting {
            log_factor: self.lfu_log_factor as u32,
            decay_minutes: self.lfu_decay_time as u32,
        }
    }

    /// Keeps the value of a parameter that has no field of its own.
    pub(crate) fn store(&mut self, name: &'static str, value: Vec<u8>) {
        self.stored.insert(name, value);
    }

    /// The value of a parameter that has no field of its own.
    pub(crate) fn stored_value(&self, name: &str) -> Vec<u8> {
        self.stored.get(name).cloned().unwrap_or_default()
    }
}
