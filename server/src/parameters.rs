//! The table of configuration parameters: names, types, limits, defaults.

use crate::changes::Class;
use crate::config::{Config, OutputLimit};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) alias: &'static str,
    pub(crate) default: &'static str,
    /// Why it can't be set while the server runs.
    pub(crate) fixed: Option<&'static str>,
    /// Found by its very name only.
    pub(crate) hidden: bool,
    /// Its value is a secret.
    pub(crate) secret: bool,
    field: Field,
}

/// The type of a parameter, and where its value is.
#[derive(Debug)]
enum Field {
    Bool(fn(&mut Config) -> &mut bool),
    Integer(fn(&mut Config) -> &mut i64, i64, i64),
    Size(fn(&mut Config) -> &mut usize, usize),
    /// In bytes, at least so many.
    Memory(fn(&mut Config) -> &mut u64, u64),
    Choice(
        fn(&mut Config) -> &mut &'static str,
        &'static [&'static str],
    ),
    Text(fn(&mut Config) -> &mut Vec<u8>),
    Special(
        fn(&mut Config, &[u8]) -> Result<(), String>,
        fn(&Config) -> Vec<u8>,
    ),
    /// Accepted and stored, of this kind.
    Stored(Kind),
}

/// The kinds of stored parameters.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    Integer(i64, i64),
    Memory,
    Choice(&'static [&'static str]),
    Text,
}

const fn parameter(name: &'static str, default: &'static str, field: Field) -> Parameter {
    Parameter {
        name,
        alias: "",
        default,
        fixed: None,
        hidden: false,
        secret: false,
        field,
    }
}

const fn stored(name: &'static str, default: &'static str, kind: Kind) -> Parameter {
    parameter(name, default, Field::Stored(kind))
}

impl Parameter {
    const fn immutable(self) -> Self {
        Self {
            fixed: Some("can't set immutable config"),
            ..self
        }
    }

    const fn protected(self) -> Self {
        Self {
            fixed: Some("can't set protected config"),
            ..self
        }
    }

    const fn hidden(self) -> Self {
        Self {
            hidden: true,
            ..self
        }
    }

    const fn secret(self) -> Self {
        Self {
            secret: true,
            ..self
        }
    }

    const fn alias(self, alias: &'static str) -> Self {
        Self { alias, ..self }
    }
}

const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

const LOG_LEVELS: &[&str] = &["debug", "verbose", "notice", "warning"];

const I32_MAX: i64 = i32::MAX as i64;

pub(crate) static PARAMETERS: &[Parameter] = &[
    parameter("port", "6379", Field::Integer(|c| &mut c.port, 0, 65535)),
    parameter("bind", "127.0.0.1 -::1", Field::Text(|c| &mut c.bind)),
    parameter("unixsocket", "", Field::Text(|c| &mut c.unixsocket)).immutable(),
    parameter(
        "unixsocketperm",
        "0",
        Field::Text(|c| &mut c.unixsocketperm),
    )
    .immutable(),
    parameter(
        "protected-mode",
        "yes",
        Field::Bool(|c| &mut c.protected_mode),
    ),
    parameter(
        "tcp-backlog",
        "511",
        Field::Integer(|c| &mut c.tcp_backlog, 0, I32_MAX),
    )
    .immutable(),
    parameter(
        "tcp-keepalive",
        "300",
        Field::Integer(|c| &mut c.tcp_keepalive, 0, I32_MAX),
    ),
    parameter(
        "timeout",
        "0",
        Field::Integer(|c| &mut c.timeout, 0, I32_MAX),
    ),
    parameter(
        "maxclients",
        "10000",
        Field::Integer(|c| &mut c.maxclients, 1, u32::MAX as i64),
    ),
    parameter(
        "databases",
        "16",
        Field::Integer(|c| &mut c.databases, 1, I32_MAX),
    )
    .immutable(),
    parameter(
        "io-threads",
        "0",
        Field::Integer(|c| &mut c.io_threads, 0, 128),
    )
    .immutable(),
    parameter("hz", "10", Field::Special(set_hz, |c| number(c.hz))),
    parameter("requirepass", "", Field::Text(|c| &mut c.requirepass)).secret(),
    parameter("maxmemory", "0", Field::Memory(|c| &mut c.maxmemory, 0)),
    parameter(
        "maxmemory-policy",
        "noeviction",
        Field::Choice(|c| &mut c.maxmemory_policy, POLICIES),
    ),
    parameter(
        "maxmemory-samples",
        "5",
        Field::Integer(|c| &mut c.maxmemory_samples, 1, 64),
    ),
    parameter(
        "proto-max-bulk-len",
        "512mb",
        Field::Memory(|c| &mut c.proto_max_bulk_len, 1 << 20),
    ),
    parameter(
        "client-query-buffer-limit",
        "1gb",
        Field::Memory(|c| &mut c.client_query_buffer_limit, 1 << 20),
    ),
    parameter(
        "client-output-buffer-limit",
        "normal 1073741824 268435456 60 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        Field::Special(set_output_limits, output_limits),
    ),
    parameter(
        "notify-keyspace-events",
        "",
        Field::Special(set_notify, |c| c.notify().letters().into_bytes()),
    ),
    parameter(
        "slowlog-log-slower-than",
        "10000",
        Field::Integer(|c| &mut c.slowlog_log_slower_than, -1, i64::MAX),
    ),
    parameter(
        "slowlog-max-len",
        "128",
        Field::Integer(|c| &mut c.slowlog_max_len, 0, i64::MAX),
    ),
    parameter(
        "latency-monitor-threshold",
        "0",
        Field::Integer(|c| &mut c.latency_monitor_threshold, 0, i64::MAX),
    ),
    parameter(
        "loglevel",
        "notice",
        Field::Choice(|c| &mut c.loglevel, LOG_LEVELS),
    ),
    parameter("logfile", "", Field::Text(|c| &mut c.logfile)).immutable(),
    parameter("dir", ".", Field::Text(|c| &mut c.dir)).protected(),
    parameter("dbfilename", "dump.rdb", Field::Text(|c| &mut c.dbfilename)).protected(),
    parameter(
        "hash-max-listpack-entries",
        "512",
        Field::Size(|c| &mut c.packed.hash_max_listpack_entries, usize::MAX),
    )
    .alias("hash-max-ziplist-entries"),
    parameter(
        "hash-max-listpack-value",
        "64",
        Field::Size(|c| &mut c.packed.hash_max_listpack_value, usize::MAX),
    )
    .alias("hash-max-ziplist-value"),
    parameter(
        "zset-max-listpack-entries",
        "128",
        Field::Size(|c| &mut c.packed.zset_max_listpack_entries, usize::MAX),
    )
    .alias("zset-max-ziplist-entries"),
    parameter(
        "zset-max-listpack-value",
        "64",
        Field::Size(|c| &mut c.packed.zset_max_listpack_value, usize::MAX),
    )
    .alias("zset-max-ziplist-value"),
    parameter(
        "set-max-intset-entries",
        "512",
        Field::Size(|c| &mut c.packed.set_max_intset_entries, usize::MAX),
    ),
    parameter(
        "set-max-listpack-entries",
        "0",
        Field::Size(|c| &mut c.packed.set_max_listpack_entries, usize::MAX),
    ),
    parameter(
        "set-max-listpack-value",
        "64",
        Field::Size(|c| &mut c.packed.set_max_listpack_value, usize::MAX),
    ),
    parameter(
        "list-max-listpack-size",
        "-2",
        Field::Integer(
            |c| &mut c.packed.list_max_listpack_size,
            i32::MIN as i64,
            I32_MAX,
        ),
    )
    .alias("list-max-ziplist-size"),
    parameter(
        "save",
        "3600 1 300 100 60 10000",
        Field::Special(set_save, |c| c.save.clone()),
    ),
    parameter(
        "tracking-table-max-keys",
        "1000000",
        Field::Integer(|c| &mut c.tracking_table_max_keys, 0, i64::MAX),
    ),
    parameter(
        "latency-tracking",
        "yes",
        Field::Bool(|c| &mut c.latency_tracking),
    ),
    parameter(
        "latency-tracking-info-percentiles",
        "50 99 99.9",
        Field::Special(set_percentiles, percentiles),
    ),
    parameter(
        "enable-debug-command",
        "no",
        Field::Choice(|c| &mut c.enable_debug_command, WHOM),
    )
    .immutable(),
    parameter(
        "lfu-log-factor",
        "10",
        Field::Integer(|c| &mut c.lfu_log_factor, 0, I32_MAX),
    ),
    parameter(
        "lfu-decay-time",
        "1",
        Field::Integer(|c| &mut c.lfu_decay_time, 0, I32_MAX),
    ),
    parameter(
        "activedefrag",
        "no",
        Field::Special(set_activedefrag, |_| b"no".to_vec()),
    ),
    stored("appendonly", "no", Kind::Bool),
    stored(
        "appendfsync",
        "everysec",
        Kind::Choice(&["everysec", "always", "no"]),
    ),
    stored("appendfilename", "appendonly.aof", Kind::Text).immutable(),
    stored("appenddirname", "appendonlydir", Kind::Text).immutable(),
    stored("no-appendfsync-on-rewrite", "no", Kind::Bool),
    stored("auto-aof-rewrite-percentage", "100", NATURAL),
    stored("auto-aof-rewrite-min-size", "64mb", Kind::Memory),
    stored("aof-load-truncated", "yes", Kind::Bool),
    stored("aof-use-rdb-preamble", "yes", Kind::Bool),
    stored("aof-timestamp-enabled", "no", Kind::Bool),
    stored("aof-rewrite-incremental-fsync", "yes", Kind::Bool),
    stored("aof-disable-auto-gc", "no", Kind::Bool),
    stored("rdbcompression", "yes", Kind::Bool),
    stored("rdbchecksum", "yes", Kind::Bool).immutable(),
    stored("rdb-del-sync-files", "no", Kind::Bool),
    stored("rdb-save-incremental-fsync", "yes", Kind::Bool),
    stored("rdb-key-save-delay", "0", INTEGER).hidden(),
    stored("key-load-delay", "0", INTEGER).hidden(),
    stored("stop-writes-on-bgsave-error", "yes", Kind::Bool),
    stored(
        "sanitize-dump-payload",
        "no",
        Kind::Choice(&["no", "yes", "clients"]),
    ),
    stored("daemonize", "no", Kind::Bool).immutable(),
    stored(
        "supervised",
        "no",
        Kind::Choice(&["upstart", "systemd", "auto", "no"]),
    )
    .immutable(),
    stored("pidfile", "", Kind::Text).immutable(),
    stored("always-show-logo", "no", Kind::Bool).immutable(),
    stored("set-proc-title", "yes", Kind::Bool).immutable(),
    stored(
        "proc-title-template",
        "{title} {listen-addr} {server-mode}",
        Kind::Text,
    ),
    stored("syslog-enabled", "no", Kind::Bool).immutable(),
    stored("syslog-ident", "redis", Kind::Text).immutable(),
    stored("syslog-facility", "local0", Kind::Text).immutable(),
    stored("crash-log-enabled", "yes", Kind::Bool),
    stored("crash-memcheck-enabled", "yes", Kind::Bool),
    stored("ignore-warnings", "", Kind::Text),
    stored("activerehashing", "yes", Kind::Bool),
    stored("active-defrag-cycle-min", "1", Kind::Integer(1, 99)),
    stored("active-defrag-cycle-max", "25", Kind::Integer(1, 99)),
    stored("active-defrag-ignore-bytes", "100mb", Kind::Memory),
    stored(
        "active-defrag-max-scan-fields",
        "1000",
        Kind::Integer(1, i64::MAX),
    ),
    stored(
        "active-defrag-threshold-lower",
        "10",
        Kind::Integer(0, 1000),
    ),
    stored(
        "active-defrag-threshold-upper",
        "100",
        Kind::Integer(0, 1000),
    ),
    stored("jemalloc-bg-thread", "yes", Kind::Bool),
    stored("dynamic-hz", "yes", Kind::Bool),
    stored("active-expire-effort", "1", Kind::Integer(1, 10)),
    stored("maxmemory-eviction-tenacity", "10", Kind::Integer(0, 100)),
    parameter(
        "maxmemory-clients",
        "0",
        Field::Special(set_maxmemory_clients, maxmemory_clients),
    ),
    stored("replica-ignore-maxmemory", "yes", Kind::Bool).alias("slave-ignore-maxmemory"),
    stored("lazyfree-lazy-eviction", "no", Kind::Bool),
    stored("lazyfree-lazy-expire", "no", Kind::Bool),
    stored("lazyfree-lazy-server-del", "no", Kind::Bool),
    stored("lazyfree-lazy-user-del", "no", Kind::Bool),
    stored("lazyfree-lazy-user-flush", "no", Kind::Bool),
    stored("replica-lazy-flush", "no", Kind::Bool).alias("slave-lazy-flush"),
    stored("list-compress-depth", "0", NATURAL),
    parameter(
        "hll-sparse-max-bytes",
        "3000",
        Field::Memory(|c| &mut c.hll_sparse_max_bytes, 0),
    ),
    stored("stream-node-max-bytes", "4096", Kind::Memory),
    stored("stream-node-max-entries", "100", Kind::Integer(0, i64::MAX)),
    stored("lua-time-limit", "5000", Kind::Integer(0, i64::MAX)).alias("busy-reply-threshold"),
    stored("io-threads-do-reads", "no", Kind::Bool).immutable(),
    stored("server_cpulist", "", Kind::Text).immutable(),
    stored("bio_cpulist", "", Kind::Text).immutable(),
    stored("aof_rewrite_cpulist", "", Kind::Text).immutable(),
    stored("bgsave_cpulist", "", Kind::Text).immutable(),
    stored("bind-source-addr", "", Kind::Text),
    stored("socket-mark-id", "0", NATURAL),
    stored("acllog-max-len", "128", Kind::Integer(0, i64::MAX)),
    stored(
        "acl-pubsub-default",
        "resetchannels",
        Kind::Choice(&["allchannels", "resetchannels"]),
    ),
    stored("aclfile", "", Kind::Text).immutable(),
    stored("replicaof", "", Kind::Text)
        .alias("slaveof")
        .immutable(),
    stored("replica-announced", "yes", Kind::Bool),
    stored("replica-announce-ip", "", Kind::Text).alias("slave-announce-ip"),
    stored("replica-announce-port", "0", PORT).alias("slave-announce-port"),
    stored("replica-ignore-disk-write-errors", "no", Kind::Bool),
    stored("replica-read-only", "yes", Kind::Bool).alias("slave-read-only"),
    stored("replica-serve-stale-data", "yes", Kind::Bool).alias("slave-serve-stale-data"),
    stored("replica-priority", "100", NATURAL).alias("slave-priority"),
    stored(
        "propagation-error-behavior",
        "ignore",
        Kind::Choice(&["ignore", "panic", "panic-on-replicas"]),
    ),
    stored("repl-backlog-size", "1mb", Kind::Memory),
    stored("repl-backlog-ttl", "3600", Kind::Integer(0, i64::MAX)),
    stored("repl-disable-tcp-nodelay", "no", Kind::Bool),
    stored("repl-timeout", "60", Kind::Integer(1, I32_MAX)),
    stored("repl-ping-replica-period", "10", Kind::Integer(1, I32_MAX))
        .alias("repl-ping-slave-period"),
    stored(
        "repl-diskless-load",
        "disabled",
        Kind::Choice(&["disabled", "on-empty-db", "swapdb"]),
    ),
    stored("repl-diskless-sync", "yes", Kind::Bool),
    stored("repl-diskless-sync-delay", "5", NATURAL),
    stored("repl-diskless-sync-max-replicas", "0", NATURAL),
    stored("min-replicas-to-write", "0", NATURAL).alias("min-slaves-to-write"),
    stored("min-replicas-max-lag", "10", NATURAL).alias("min-slaves-max-lag"),
    stored("masteruser", "", Kind::Text).secret(),
    stored("masterauth", "", Kind::Text).secret(),
    stored("cluster-enabled", "no", Kind::Bool).immutable(),
    stored("cluster-config-file", "nodes.conf", Kind::Text).immutable(),
    stored("cluster-port", "0", PORT).immutable(),
    stored("cluster-node-timeout", "15000", Kind::Integer(0, i64::MAX)),
    stored("cluster-migration-barrier", "1", NATURAL),
    stored("cluster-require-full-coverage", "yes", Kind::Bool),
    stored("cluster-replica-validity-factor", "10", NATURAL).alias("cluster-slave-validity-factor"),
    stored("cluster-replica-no-failover", "no", Kind::Bool).alias("cluster-slave-no-failover"),
    stored("cluster-allow-reads-when-down", "no", Kind::Bool),
    stored("cluster-allow-pubsubshard-when-down", "yes", Kind::Bool),
    stored("cluster-allow-replica-migration", "yes", Kind::Bool),
    stored("cluster-link-sendbuf-limit", "0", Kind::Memory),
    stored("cluster-announce-ip", "", Kind::Text),
    stored("cluster-announce-hostname", "", Kind::Text),
    stored("cluster-announce-port", "0", PORT),
    stored("cluster-announce-bus-port", "0", PORT),
    stored("cluster-announce-tls-port", "0", PORT),
    stored(
        "cluster-preferred-endpoint-type",
        "ip",
        Kind::Choice(&["ip", "hostname", "unknown-endpoint"]),
    ),
    stored("enable-protected-configs", "no", Kind::Choice(WHOM)).immutable(),
    stored("enable-module-command", "no", Kind::Choice(WHOM)).immutable(),
    stored("shutdown-timeout", "10", NATURAL),
    parameter(
        "shutdown-on-sigterm",
        "default",
        Field::Special(
            |config, text| set_shutdown(config, "shutdown-on-sigterm", text),
            |config| config.stored_value("shutdown-on-sigterm"),
        ),
    ),
    parameter(
        "shutdown-on-sigint",
        "default",
        Field::Special(
            |config, text| set_shutdown(config, "shutdown-on-sigint", text),
            |config| config.stored_value("shutdown-on-sigint"),
        ),
    ),
    stored(
        "oom-score-adj",
        "no",
        Kind::Choice(&["no", "yes", "relative", "absolute"]),
    ),
    parameter(
        "oom-score-adj-values",
        "0 200 800",
        Field::Special(set_oom_score_values, |config| {
            config.stored_value("oom-score-adj-values")
        }),
    ),
    stored("disable-thp", "yes", Kind::Bool).immutable(),
    stored("metrics-port", "0", PORT).hidden(),
    stored("tls-port", "0", PORT),
    stored("tls-cert-file", "", Kind::Text).immutable(),
    stored("tls-key-file", "", Kind::Text).immutable(),
    stored("tls-ca-cert-file", "", Kind::Text).immutable(),
    stored(
        "tls-auth-clients",
        "yes",
        Kind::Choice(&["no", "yes", "optional"]),
    ),
];

const WHOM: &[&str] = &["no", "yes", "local"];
const PORT: Kind = Kind::Integer(0, 65535);
const NATURAL: Kind = Kind::Integer(0, I32_MAX);
const INTEGER: Kind = Kind::Integer(i32::MIN as i64, I32_MAX);

/// The parameter of that name, or with that alias, in any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| {
        parameter.name.as_bytes().eq_ignore_ascii_case(name)
            || (!parameter.alias.is_empty()
                && parameter.alias.as_bytes().eq_ignore_ascii_case(name))
    })
}

impl Parameter {
    /// Gives it the value that `text` says.
    pub(crate) fn set(&self, config: &mut Config, text: &[u8]) -> Result<(), String> {
        match &self.field {
            Field::Bool(field) => *field(config) = boolean(text)?,
            Field::Integer(field, least, most) => *field(config) = integer(text, *least, *most)?,
            Field::Size(field, most) => {
                let number = integer(text, 0, i64::MAX)?;
                *field(config) = usize::try_from(number).unwrap_or(usize::MAX).min(*most);
            }
            Field::Memory(field, least) => {
                let bytes = memory(text).ok_or("argument must be a memory value")?;
                if bytes < *least {
                    return Err(out_of_range(*least as i64, i64::MAX));
                }
                *field(config) = bytes;
            }
            Field::Choice(field, choices) => *field(config) = choice(text, choices)?,
            Field::Text(field) => *field(config) = text.to_vec(),
            Field::Special(set, _) => set(config, text)?,
            Field::Stored(kind) => {
                let canonical = match kind {
                    Kind::Bool => yes_no(boolean(text)?),
                    Kind::Integer(least, most) => {
                        integer(text, *least, *most)?.to_string().into_bytes()
                    }
                    Kind::Memory => memory(text)
                        .ok_or("argument must be a memory value")?
                        .to_string()
                        .into_bytes(),
                    Kind::Choice(choices) => choice(text, choices)?.as_bytes().to_vec(),
                    Kind::Text => text.to_vec(),
                };
                config.store(self.name, canonical);
            }
        }
        Ok(())
    }

    /// Its value, as CONFIG GET prints it.
    pub(crate) fn print(&self, config: &Config) -> Vec<u8> {
        // Fields are reached through one function each, which borrows mutably; CONFIG GET is rare enough for a copy.
        let mut config = config.clone();
        match &self.field {
            Field::Bool(field) => yes_no(*field(&mut config)),
            Field::Integer(field, ..) => field(&mut config).to_string().into_bytes(),
            Field::Size(field, _) => field(&mut config).to_string().into_bytes(),
            Field::Memory(field, _) => field(&mut config).to_string().into_bytes(),
            Field::Choice(field, _) => field(&mut config).as_bytes().to_vec(),
            Field::Text(field) => field(&mut config).clone(),
            Field::Special(_, print) => print(&config),
            Field::Stored(_) => config.stored_value(self.name),
        }
    }
}

fn yes_no(yes: bool) -> Vec<u8> {
    if yes { b"yes".to_vec() } else { b"no".to_vec() }
}

fn boolean(text: &[u8]) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".to_owned()),
    }
}

fn integer(text: &[u8], least: i64, most: i64) -> Result<i64, String> {
    let number =
        crate::args::parse_i64(text).ok_or("argument couldn't be parsed into an integer")?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(out_of_range(least, most))
    }
}

fn out_of_range(least: i64, most: i64) -> String {
    format!("argument must be between {least} and {most} inclusive")
}

fn number(value: i64) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn set_hz(config: &mut Config, text: &[u8]) -> Result<(), String> {
    config.hz = integer(text, 0, I32_MAX)?.clamp(1, 500);
    Ok(())
}

fn set_activedefrag(_: &mut Config, text: &[u8]) -> Result<(), String> {
    if boolean(text)? {
        return Err(
            "Active defragmentation cannot be enabled: it requires an allocator that can move what it gave out"
                .to_owned(),
        );
    }
    Ok(())
}

/// Pairs of seconds and changes; none for no snapshots.
fn set_save(config: &mut Config, text: &[u8]) -> Result<(), String> {
    let words: Vec<&[u8]> = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .collect();
    let legal = words.chunks(2).all(|pair| {
        let numbers: Vec<i64> = pair
            .iter()
            .filter_map(|word| crate::args::parse_i64(word))
            .collect();
        matches!(numbers.as_slice(), [seconds, changes] if *seconds > 0 && *changes >= 0)
    });
    if !legal {
        return Err("Invalid save parameters".to_owned());
    }
    config.save = words.join(&b' ');
    Ok(())
}

fn set_percentiles(config: &mut Config, text: &[u8]) -> Result<(), String> {
    const NAME: &str = "latency-tracking-info-percentiles";
    let mut percentiles = Vec::new();
    for word in text.split(u8::is_ascii_whitespace) {
        if word.is_empty() {
            continue;
        }
        let percent =
            crate::value::float::parse(word).ok_or_else(|| format!("Invalid {NAME} parameters"))?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(format!("{NAME} parameters should sit between [0.0,100.0]"));
        }
        percentiles.push(percent);
    }
    config.latency_percentiles = percentiles;
    Ok(())
}

fn percentiles(config: &Config) -> Vec<u8> {
    let all = config.latency_percentiles.iter();
    let words: Vec<String> = all.map(f64::to_string).collect();
    words.join(" ").into_bytes()
}

fn set_shutdown(config: &mut Config, name: &'static str, text: &[u8]) -> Result<(), String> {
    const CHOICES: &[&str] = &["default", "save", "nosave", "now", "force"];
    let words = text.split(u8::is_ascii_whitespace);
    let chosen: Vec<&str> = words
        .map(|word| choice(word, CHOICES))
        .collect::<Result<_, _>>()?;
    config.store(name, chosen.join(" ").into_bytes());
    Ok(())
}

fn set_oom_score_values(config: &mut Config, text: &[u8]) -> Result<(), String> {
    let words: Vec<&[u8]> = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .collect();
    if words.len() != 3 {
        return Err("wrong number of arguments".to_owned());
    }
    for word in &words {
        if !crate::args::parse_i64(word).is_some_and(|value| (-2000..=2000).contains(&value)) {
            return Err(
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000.".to_owned(),
            );
        }
    }
    config.store("oom-score-adj-values", words.join(&b' '));
    Ok(())
}

/// `5%`, or a number of bytes.
fn set_maxmemory_clients(config: &mut Config, text: &[u8]) -> Result<(), String> {
    const NEITHER: &str = "argument must be a memory or percent value";
    config.maxmemory_clients = if let Some(percent) = text.strip_suffix(b"%") {
        let percent = crate::args::parse_i64(percent).filter(|percent| *percent >= 0);
        let percent = percent.ok_or(NEITHER)?;
        if percent > 100 {
            return Err("percentage argument must be less or equal to 100".to_owned());
        }
        -percent
    } else {
        let bytes = memory(text).ok_or(NEITHER)?;
        i64::try_from(bytes).unwrap_or(i64::MAX)
    };
    Ok(())
}

fn maxmemory_clients(config: &Config) -> Vec<u8> {
    match config.maxmemory_clients {
        percent @ ..0 => format!("{}%", -percent).into_bytes(),
        bytes => number(bytes),
    }
}

fn choice(text: &[u8], choices: &'static [&'static str]) -> Result<&'static str, String> {
    let found = choices
        .iter()
        .find(|choice| choice.as_bytes().eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| {
        format!(
            "argument(s) must be one of the following: {}",
            choices.join(", ")
        )
    })
}

/// A number of bytes: `1gb`, `64mb`, `100k`, `512`.
pub(crate) fn memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

const OUTPUT_CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

fn set_output_limits(config: &mut Config, text: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(text)
        .map_err(|_| "Wrong number of arguments in buffer limit configuration.")?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let mut limits = config.output_limits;
    for group in words.chunks_exact(4) {
        let name = if group[0].eq_ignore_ascii_case("replica") {
            "slave"
        } else {
            group[0]
        };
        let class = OUTPUT_CLASSES
            .iter()
            .position(|class| class.eq_ignore_ascii_case(name));
        let class = class.ok_or("Invalid client class specified in buffer limit configuration.")?;
        let bytes =
            |word: &str| memory(word.as_bytes()).and_then(|bytes| usize::try_from(bytes).ok());
        let (hard, soft, seconds) = (bytes(group[1]), bytes(group[2]), group[3].parse().ok());
        let (Some(hard_bytes), Some(soft_bytes), Some(soft_seconds)) = (hard, soft, seconds) else {
            return Err(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
                    .to_owned(),
            );
        };
        limits[class] = OutputLimit {
            hard_bytes,
            soft_bytes,
            soft_seconds,
        };
    }
    config.output_limits = limits;
    Ok(())
}

fn output_limits(config: &Config) -> Vec<u8> {
    let classes = OUTPUT_CLASSES.iter().zip(&config.output_limits);
    let parts = classes.map(|(n, limit)| {
        format!(
            "{n} {} {} {}",
            limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
        )
    });
    parts.collect::<Vec<_>>().join(" ").into_bytes()
}

fn set_notify(config: &mut Config, text: &[u8]) -> Result<(), String> {
    let classes = Class::parse(text);
    config.notify_keyspace_events =
        classes.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
    Ok(())
}
