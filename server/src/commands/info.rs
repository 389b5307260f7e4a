//! INFO: facts and counters, by section.

use std::fmt::Write as _;

use crate::command::{Call, Command, Commands, Registered};
use crate::fault::Outcome;
use crate::keyspace::Keyspace;
use crate::state::State;
use crate::stats::CommandStats;
use crate::time::Now;

pub(super) const COMMANDS: &[Command] = &[Command::new("INFO", "[section [section ...]]", info)
    .always()
    .dangerous()
    .tips("nondeterministic_output request_policy:all_shards response_policy:special")
    .summary("Facts and counters of the server.")];

/// One section.
struct Section {
    title: &'static str,
    /// Whether it is shown where no section is named.
    default: bool,
    print: fn(&mut Text, &Facts<'_>),
}

const fn section(title: &'static str, print: fn(&mut Text, &Facts<'_>)) -> Section {
    Section {
        title,
        default: true,
        print,
    }
}

const fn on_demand(title: &'static str, print: fn(&mut Text, &Facts<'_>)) -> Section {
    Section {
        title,
        default: false,
        print,
    }
}

const SECTIONS: &[Section] = &[
    section("Server", server),
    section("Clients", clients),
    section("Memory", memory),
    section("Persistence", persistence),
    section("Stats", stats),
    section("Replication", replication),
    section("CPU", cpu),
    section("Modules", |_, _| ()),
    on_demand("Commandstats", commandstats),
    section("Errorstats", errorstats),
    on_demand("Latencystats", latencystats),
    section("Cluster", |text, _| text.add("cluster_enabled", 0)),
    section("Keyspace", keyspace),
];

/// What sections are made of.
struct Facts<'a> {
    state: &'a State,
    keyspace: &'a Keyspace,
    now: Now,
    commands: &'static Commands,
}

fn info(call: &mut Call<'_>) -> Outcome {
    let words = call.args.remaining();
    let named = |name: &str| {
        words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let all = named("all") || named("everything");
    let default = words.is_empty() || named("default");
    let facts = Facts {
        state: call.state,
        keyspace: call.db.keyspace(),
        now: call.now,
        commands: call.commands,
    };
    let text = facts.print(|section| all || (default && section.default) || named(section.title));
    call.reply.verbatim(text);
    Ok(())
}

/// Every section, for others than clients.
pub(super) fn everything(state: &State, keyspace: &Keyspace, now: Now) -> String {
    let facts = Facts {
        state,
        keyspace,
        now,
        commands: &super::COMMANDS,
    };
    facts.print(|_| true)
}

impl Facts<'_> {
    fn print(&self, is_wanted: impl Fn(&Section) -> bool) -> String {
        let mut text = Text(String::new());
        for section in SECTIONS.iter().filter(|section| is_wanted(section)) {
            if !text.0.is_empty() {
                text.0.push_str("\r\n");
            }
            let _ = write!(text.0, "# {}\r\n", section.title);
            (section.print)(&mut text, self);
        }
        text.0
    }
}

/// Lines of `name:value`.
struct Text(String);

impl Text {
    fn add(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// A number of bytes, and the same for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.add(name, bytes);
        self.add(&format!("{name}_human"), human(bytes));
    }

    /// Names that stand for nothing this server has or does, which readers of INFO expect nevertheless.
    fn zeros(&mut self, names: &[&str]) {
        for name in names {
            self.add(name, 0);
        }
    }
}

/// `512B`, `1.50K`, `2.00G`.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["K", "M", "G", "T"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.2}{}", UNITS[unit])
}

fn server(text: &mut Text, facts: &Facts<'_>) {
    let (state, host) = (facts.state, &facts.state.host);
    let uptime_s = facts
        .now
        .monotonic_us
        .saturating_sub(state.started.monotonic_us)
        / 1_000_000;
    text.add("redis_version", crate::REDIS_VERSION);
    text.add("redis_git_sha1", "00000000");
    text.add("redis_git_dirty", 0);
    text.add("redis_build_id", 0);
    text.add("redis_mode", "standalone");
    text.add("os", &host.os);
    text.add("arch_bits", usize::BITS);
    text.add("monotonic_clock", "POSIX clock_gettime");
    text.add("multiplexing_api", "epoll");
    text.add("process_id", host.process_id);
    text.add("process_supervised", "no");
    text.add("run_id", &state.run_id);
    text.add("tcp_port", state.config.port);
    text.add("server_time_usec", facts.now.unix_us);
    text.add("uptime_in_seconds", uptime_s);
    text.add("uptime_in_days", uptime_s / 86400);
    text.add("hz", state.config.hz);
    text.add("configured_hz", state.config.hz);
    text.add("lru_clock", facts.now.unix_s() & 0xff_ffff);
    text.add("executable", &host.executable);
    text.add(
        "config_file",
        state.config.config_file.as_deref().unwrap_or_default(),
    );
    text.add("io_threads_active", u8::from(state.config.io_threads != 1));
    text.add("listener0", listener(state));
}

/// Where the server listens, as INFO of 7.2 has it.
fn listener(state: &State) -> String {
    let mut line = "name=tcp".to_owned();
    for address in String::from_utf8_lossy(&state.config.bind).split_ascii_whitespace() {
        let _ = write!(line, ",bind={address}");
    }
    let _ = write!(line, ",port={}", state.config.port);
    line
}

fn clients(text: &mut Text, facts: &Facts<'_>) {
    let state = facts.state;
    let all = || state.clients.iter();
    let postponed = all().filter(|client| client.postponed).count();
    let timed = all().filter_map(|client| client.waiting.as_ref()?.deadline_us);
    let subscribed = all().filter(|client| client.subscriptions.is_any());
    text.add("connected_clients", state.clients.len());
    text.add("cluster_connections", 0);
    text.add("maxclients", state.config.maxclients);
    text.add(
        "client_recent_max_input_buffer",
        all().map(|client| client.query_bytes).max().unwrap_or(0),
    );
    text.add(
        "client_recent_max_output_buffer",
        all()
            .map(|client| client.output_bytes + client.outbox.len())
            .max()
            .unwrap_or(0),
    );
    text.add("blocked_clients", state.blocked.len() + postponed);
    text.add("tracking_clients", state.tracking.clients);
    text.add("pubsub_clients", subscribed.count());
    text.add(
        "watching_clients",
        all().filter(|client| !client.watched.is_empty()).count(),
    );
    text.add("clients_in_timeout_table", timed.count());
    text.add(
        "total_watched_keys",
        all().map(|client| client.watched.len()).sum::<usize>(),
    );
    text.add("total_blocking_keys", state.blocked.keys().len());
}

fn memory(text: &mut Text, facts: &Facts<'_>) {
    let state = facts.state;
    let memory = Memory::of(state, facts.keyspace);
    let resident = state.host.usage.resident_bytes;
    let maxmemory = state.config.maxmemory;
    let percent = |part: u64, whole: u64| part as f64 * 100.0 / whole.max(1) as f64;
    let ratio = resident as f64 / memory.used.max(1) as f64;
    let fragmented = resident as i64 - memory.used as i64;
    text.bytes("used_memory", memory.used);
    text.bytes("used_memory_rss", resident);
    text.bytes("used_memory_peak", memory.peak);
    text.add(
        "used_memory_peak_perc",
        format_args!("{:.2}%", percent(memory.used, memory.peak)),
    );
    text.add("used_memory_overhead", memory.overhead);
    text.add("used_memory_startup", memory.startup);
    text.add("used_memory_dataset", memory.dataset);
    text.add(
        "used_memory_dataset_perc",
        format_args!(
            "{:.2}%",
            percent(memory.dataset, memory.used.saturating_sub(memory.startup))
        ),
    );
    text.add("allocator_allocated", memory.used);
    text.add("allocator_active", resident);
    text.add("allocator_resident", resident);
    text.bytes("total_system_memory", state.host.total_memory_bytes);
    text.add("used_memory_vm_eval", 0);
    text.bytes("used_memory_lua", 0);
    text.zeros(&[
        "used_memory_scripts_eval",
        "number_of_cached_scripts",
        "number_of_functions",
        "number_of_libraries",
        "used_memory_vm_functions",
    ]);
    text.bytes("used_memory_vm_total", 0);
    text.add("used_memory_functions", 0);
    text.bytes("used_memory_scripts", 0);
    text.bytes("maxmemory", maxmemory);
    text.add("maxmemory_policy", state.config.maxmemory_policy);
    text.add("allocator_frag_ratio", format_args!("{ratio:.2}"));
    text.add("allocator_frag_bytes", fragmented);
    // The allocator tells nothing of what it keeps: all that is resident counts as in use.
    text.add("allocator_rss_ratio", "1.00");
    text.add("allocator_rss_bytes", 0);
    text.add("rss_overhead_ratio", "1.00");
    text.add("rss_overhead_bytes", 0);
    text.add("mem_fragmentation_ratio", format_args!("{ratio:.2}"));
    text.add("mem_fragmentation_bytes", fragmented);
    text.zeros(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ]);
    text.add("mem_clients_normal", state.clients_bytes);
    text.zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    text.add("mem_allocator", state.host.allocator);
    text.add("active_defrag_running", 0);
    let pending = facts.keyspace.pending_garbage();
    text.add("lazyfree_pending_objects", pending);
    let given = facts.keyspace.stats.freed_lazily;
    text.add("lazyfreed_objects", given.saturating_sub(pending as u64));
}

/// Where memory is, in bytes.
pub(super) struct Memory {
    pub(super) used: u64,
    pub(super) peak: u64,
    /// What an empty server takes.
    pub(super) startup: u64,
    /// Values alone.
    pub(super) dataset: u64,
    /// Everything else.
    pub(super) overhead: u64,
}

impl Memory {
    pub(super) fn of(state: &State, keyspace: &Keyspace) -> Self {
        let used = state.used_bytes(keyspace) as u64;
        let dataset = keyspace.value_bytes() as u64;
        Self {
            used,
            peak: used.max(state.stats.peak_bytes as u64),
            startup: crate::accounting::STARTUP_BYTES as u64,
            dataset,
            overhead: used.saturating_sub(dataset),
        }
    }
}

fn persistence(text: &mut Text, facts: &Facts<'_>) {
    text.zeros(&[
        "loading",
        "async_loading",
        "current_cow_peak",
        "current_cow_size",
        "current_cow_size_age",
    ]);
    text.add("current_fork_perc", "0.00");
    text.zeros(&["current_save_keys_processed", "current_save_keys_total"]);
    text.add("rdb_changes_since_last_save", facts.keyspace.changes.dirty);
    text.add("rdb_bgsave_in_progress", 0);
    text.add("rdb_last_save_time", facts.state.started.unix_s());
    text.add("rdb_last_bgsave_status", "ok");
    text.add("rdb_last_bgsave_time_sec", -1);
    text.add("rdb_current_bgsave_time_sec", -1);
    text.zeros(&[
        "rdb_saves",
        "rdb_last_cow_size",
        "rdb_last_load_keys_expired",
        "rdb_last_load_keys_loaded",
        "aof_enabled",
        "aof_rewrite_in_progress",
        "aof_rewrite_scheduled",
    ]);
    text.add("aof_last_rewrite_time_sec", -1);
    text.add("aof_current_rewrite_time_sec", -1);
    text.add("aof_last_bgrewrite_status", "ok");
    text.zeros(&["aof_rewrites", "aof_rewrites_consecutive_failures"]);
    text.add("aof_last_write_status", "ok");
    text.zeros(&[
        "aof_last_cow_size",
        "module_fork_in_progress",
        "module_fork_last_cow_size",
    ]);
}

fn stats(text: &mut Text, facts: &Facts<'_>) {
    let (state, counts, keys) = (facts.state, &facts.state.stats, &facts.keyspace.stats);
    let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    text.add("total_connections_received", counts.connections);
    text.add("total_commands_processed", counts.commands);
    text.add("instantaneous_ops_per_sec", counts.rates.commands);
    text.add("total_net_input_bytes", counts.input_bytes);
    text.add("total_net_output_bytes", counts.output_bytes);
    text.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    text.add(
        "instantaneous_input_kbps",
        kilobytes(counts.rates.input_bytes),
    );
    text.add(
        "instantaneous_output_kbps",
        kilobytes(counts.rates.output_bytes),
    );
    text.add("instantaneous_input_repl_kbps", "0.00");
    text.add("instantaneous_output_repl_kbps", "0.00");
    text.add("rejected_connections", counts.rejected_connections);
    text.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    text.add("expired_keys", keys.expired);
    text.add("expired_stale_perc", "0.00");
    text.add("expired_time_cap_reached_count", 0);
    text.add("expire_cycle_cpu_milliseconds", counts.expire_us / 1000);
    text.add("evicted_keys", keys.evicted);
    text.add("evicted_clients", counts.evicted_clients);
    text.zeros(&[
        "total_eviction_exceeded_time",
        "current_eviction_exceeded_time",
    ]);
    text.add("keyspace_hits", keys.hits.get());
    text.add("keyspace_misses", keys.misses.get());
    text.add("pubsub_channels", state.pubsub.channels());
    text.add("pubsub_patterns", state.pubsub.patterns());
    text.add("pubsubshard_channels", state.pubsub.shard_channels());
    text.zeros(&[
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ]);
    text.add("tracking_total_keys", state.tracking.keys());
    text.add("tracking_total_items", state.tracking.items());
    text.add("tracking_total_prefixes", state.tracking.prefixes());
    text.add("unexpected_error_replies", 0);
    text.add("total_error_replies", counts.errors);
    text.add("dump_payload_sanitizations", 0);
    text.add("total_reads_processed", counts.reads);
    text.add("total_writes_processed", counts.writes);
    text.zeros(&[
        "io_threaded_reads_processed",
        "io_threaded_writes_processed",
        "reply_buffer_shrinks",
        "reply_buffer_expands",
    ]);
}

fn replication(text: &mut Text, facts: &Facts<'_>) {
    text.add("role", "master");
    text.add("connected_slaves", 0);
    text.add("master_failover_state", "no-failover");
    text.add("master_replid", &facts.state.replication_id);
    text.add("master_replid2", "0".repeat(40));
    text.add("master_repl_offset", 0);
    text.add("second_repl_offset", -1);
    text.add("repl_backlog_active", 0);
    let backlog = facts.state.config.value("repl-backlog-size");
    text.add(
        "repl_backlog_size",
        String::from_utf8_lossy(&backlog.unwrap_or_default()),
    );
    text.zeros(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}

fn cpu(text: &mut Text, facts: &Facts<'_>) {
    let usage = facts.state.host.usage;
    let seconds = |us: u64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.add("used_cpu_sys", seconds(usage.system_us));
    text.add("used_cpu_user", seconds(usage.user_us));
    text.add("used_cpu_sys_children", seconds(0));
    text.add("used_cpu_user_children", seconds(0));
}

/// Commands that were called, or refused, with their counters.
fn used<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (&'static Registered, &'a CommandStats)> {
    facts
        .commands
        .all()
        .iter()
        .filter_map(|command| {
            Some((
                command,
                facts.state.stats.by_command.get(command.id.index())?,
            ))
        })
        .filter(|(_, stats)| stats.calls + stats.rejected + stats.failed > 0)
}

fn commandstats(text: &mut Text, facts: &Facts<'_>) {
    for (command, stats) in used(facts) {
        text.add(
            &format!("cmdstat_{}", command.name),
            format_args!(
                "calls={},usec={},usec_per_call={:.2},rejected_calls={},failed_calls={}",
                stats.calls,
                stats.nsec / 1000,
                stats.nsec as f64 / 1000.0 / stats.calls.max(1) as f64,
                stats.rejected,
                stats.failed
            ),
        );
    }
}

fn errorstats(text: &mut Text, facts: &Facts<'_>) {
    for (code, count) in &facts.state.stats.by_code {
        // A script may make up any code; it must not break the lines.
        let code: String = String::from_utf8_lossy(code)
            .chars()
            .map(|c| if c.is_control() || c == ':' { '_' } else { c })
            .collect();
        text.add(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

fn latencystats(text: &mut Text, facts: &Facts<'_>) {
    for (command, stats) in used(facts).filter(|(_, stats)| stats.latencies.total() > 0) {
        let percentiles: Vec<String> = facts
            .state
            .config
            .latency_percentiles
            .iter()
            .map(|percent| {
                let took_us = stats.latencies.percentile_us(*percent);
                format!("p{percent}={took_us}.000")
            })
            .collect();
        text.add(
            &format!("latency_percentiles_usec_{}", command.name),
            percentiles.join(","),
        );
    }
}

fn keyspace(text: &mut Text, facts: &Facts<'_>) {
    for index in 0..facts.keyspace.databases() {
        let (keys, expires, average_ttl) = facts.keyspace.sizes(index);
        if keys > 0 {
            text.add(
                &format!("db{index}"),
                format_args!("keys={keys},expires={expires},avg_ttl={average_ttl}"),
            );
        }
    }
}
