//! What INFO tells, for Prometheus: `GET /metrics` on a port of its own, under the names of `redis_exporter`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use crate::listener::{ACCEPT_REST, is_protected};
use crate::shared::Shared;

/// Exchanges at a time; more wait in the accept queue.
const EXCHANGES: usize = 16;

/// How long one exchange may take.
const EXCHANGE: Duration = Duration::from_secs(5);

/// The longest head of a request.
const HEAD_BYTES: usize = 8 * 1024;

/// Fields of INFO with their metrics' names, behind `redis_`.
const GAUGES: &[(&str, &str)] = &[
    ("uptime_in_seconds", "uptime_in_seconds"),
    ("process_id", "process_id"),
    ("connected_clients", "connected_clients"),
    ("maxclients", "config_maxclients"),
    ("blocked_clients", "blocked_clients"),
    ("tracking_clients", "tracking_clients"),
    ("pubsub_clients", "pubsub_clients"),
    ("watching_clients", "watching_clients"),
    (
        "client_recent_max_input_buffer",
        "client_recent_max_input_buffer_bytes",
    ),
    (
        "client_recent_max_output_buffer",
        "client_recent_max_output_buffer_bytes",
    ),
    ("used_memory", "memory_used_bytes"),
    ("used_memory_rss", "memory_used_rss_bytes"),
    ("used_memory_peak", "memory_used_peak_bytes"),
    ("used_memory_overhead", "memory_used_overhead_bytes"),
    ("used_memory_startup", "memory_used_startup_bytes"),
    ("used_memory_dataset", "memory_used_dataset_bytes"),
    ("total_system_memory", "total_system_memory_bytes"),
    ("maxmemory", "memory_max_bytes"),
    ("mem_fragmentation_ratio", "mem_fragmentation_ratio"),
    ("mem_clients_normal", "mem_clients_normal"),
    ("rdb_changes_since_last_save", "rdb_changes_since_last_save"),
    ("rdb_last_save_time", "rdb_last_save_timestamp_seconds"),
    ("instantaneous_ops_per_sec", "instantaneous_ops_per_sec"),
    ("instantaneous_input_kbps", "instantaneous_input_kbps"),
    ("instantaneous_output_kbps", "instantaneous_output_kbps"),
    ("pubsub_channels", "pubsub_channels"),
    ("pubsub_patterns", "pubsub_patterns"),
    ("connected_slaves", "connected_slaves"),
];

/// The same for what only rises.
const COUNTERS: &[(&str, &str)] = &[
    ("total_connections_received", "connections_received_total"),
    ("total_commands_processed", "commands_processed_total"),
    ("rejected_connections", "rejected_connections_total"),
    ("total_net_input_bytes", "net_input_bytes_total"),
    ("total_net_output_bytes", "net_output_bytes_total"),
    ("total_reads_processed", "total_reads_processed"),
    ("total_writes_processed", "total_writes_processed"),
    ("total_error_replies", "total_error_replies"),
    ("expired_keys", "expired_keys_total"),
    ("evicted_keys", "evicted_keys_total"),
    ("evicted_clients", "evicted_clients_total"),
    ("keyspace_hits", "keyspace_hits_total"),
    ("keyspace_misses", "keyspace_misses_total"),
    ("used_cpu_sys", "cpu_sys_seconds_total"),
    ("used_cpu_user", "cpu_user_seconds_total"),
];

/// Answers the requests of scrapers until `stop` is told or gone.
///
/// # Errors
/// When the runtime can't wait for the socket.
pub async fn serve(
    shared: Arc<Shared>,
    listener: std::net::TcpListener,
    stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    tokio::select! {
        ended = accept(shared, &listener) => ended,
        _ = stop => Ok(()),
    }
}

async fn accept(shared: Arc<Shared>, socket: &std::net::TcpListener) -> io::Result<()> {
    let mut listener = TcpListener::from_std(socket.try_clone()?)?;
    let places = Arc::new(Semaphore::new(EXCHANGES));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        match listener.accept().await {
            Ok((stream, address)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let answered = answer(&shared, stream, address.ip());
                    if let Ok(Err(error)) = tokio::time::timeout(EXCHANGE, answered).await {
                        tracing::debug!("Metrics: {error}");
                    }
                    drop(place);
                });
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                // As for clients: it listens no more, or is about to again.
                tokio::time::sleep(ACCEPT_REST).await;
                listener = TcpListener::from_std(socket.try_clone()?)?;
            }
            Err(error) => {
                tracing::warn!("Accepting a request for metrics: {error}");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Reads one request, answers it and closes.
async fn answer(shared: &Shared, mut stream: TcpStream, from: IpAddr) -> io::Result<()> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    let status = loop {
        if ends(&head) {
            break status(&head);
        }
        if head.len() > HEAD_BYTES {
            break "431 Request Header Fields Too Large";
        }
        match stream.read(&mut piece).await? {
            0 => return Ok(()),
            count => head.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    };
    let is_kept_out = shared.with(|engine, _| is_protected(engine.config(), Some(from)));
    let status = if is_kept_out { "403 Forbidden" } else { status };
    let body = if status == OK {
        shared.with(|engine, now| text(&engine.info(now)))
    } else {
        format!("{status}\n")
    };
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n",
        body.len(),
        if status == NO_METHOD {
            "Allow: GET, HEAD\r\n"
        } else {
            ""
        },
    );
    if !head.starts_with(b"HEAD ") {
        response.push_str(&body);
    }
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

const OK: &str = "200 OK";
const NO_METHOD: &str = "405 Method Not Allowed";

/// Whether the empty line behind the head is there.
fn ends(head: &[u8]) -> bool {
    memchr::memmem::find(head, b"\r\n\r\n").is_some()
        || memchr::memmem::find(head, b"\n\n").is_some()
}

/// What a request is answered with, by its first line.
fn status(head: &[u8]) -> &'static str {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.trim_ascii_end().split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return "400 Bad Request";
    };
    let path = target
        .split(|byte| *byte == b'?')
        .next()
        .unwrap_or_default();
    match (version, method, path) {
        (b"HTTP/1.1" | b"HTTP/1.0", b"GET" | b"HEAD", b"/metrics") => OK,
        (b"HTTP/1.1" | b"HTTP/1.0", b"GET" | b"HEAD", _) => "404 Not Found",
        (b"HTTP/1.1" | b"HTTP/1.0", ..) => NO_METHOD,
        _ => "400 Bad Request",
    }
}

/// The text of INFO as metrics, in the exposition format: all samples of one name together, behind its type.
fn text(info: &str) -> String {
    let lines = || info.lines().filter_map(|line| line.split_once(':'));
    let fields: BTreeMap<&str, &str> = lines().collect();
    let mut metrics = Metrics::default();
    metrics.add("up", Kind::Gauge, "", 1);
    metrics.add("instance_info", Kind::Gauge, &instance(&fields), 1);
    for (names, kind) in [(GAUGES, Kind::Gauge), (COUNTERS, Kind::Counter)] {
        for (field, name) in names {
            if let Some(value) = fields.get(field) {
                metrics.add(name, kind, "", value);
            }
        }
    }
    for (field, values) in lines() {
        metrics.add_structured(field, values);
    }
    metrics.finish()
}

/// The labels of `redis_instance_info`.
fn instance(fields: &BTreeMap<&str, &str>) -> String {
    const LABELS: [&str; 8] = [
        "role",
        "redis_version",
        "redis_mode",
        "os",
        "maxmemory_policy",
        "tcp_port",
        "run_id",
        "process_id",
    ];
    let labels = LABELS.map(|name| label(name, fields.get(name).copied().unwrap_or_default()));
    labels.join(",")
}

fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{name}=\"{value}\"")
}

#[derive(Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
}

/// Samples by the name of their metric.
#[derive(Default)]
struct Metrics(BTreeMap<String, String>);

impl Metrics {
    fn add(&mut self, name: &str, kind: Kind, labels: &str, value: impl std::fmt::Display) {
        let samples = self.0.entry(name.to_owned()).or_insert_with(|| {
            let kind = match kind {
                Kind::Gauge => "gauge",
                Kind::Counter => "counter",
            };
            format!("# TYPE redis_{name} {kind}\n")
        });
        let labels = match labels {
            "" => String::new(),
            labels => format!("{{{labels}}}"),
        };
        let _ = writeln!(samples, "redis_{name}{labels} {value}");
    }

    /// Fields that hold several values: of commands, of errors, of databases.
    fn add_structured(&mut self, field: &str, values: &str) {
        let parts: BTreeMap<&str, f64> = values
            .split(',')
            .filter_map(|part| part.split_once('='))
            .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
            .collect();
        let mut add = |labels: &str, part: &str, scale: f64, name: &str, kind| {
            if let Some(value) = parts.get(part) {
                self.add(name, kind, labels, value / scale);
            }
        };
        if let Some(command) = field.strip_prefix("cmdstat_") {
            let labels = label("cmd", command);
            for (part, scale, name) in [
                ("calls", 1.0, "commands_total"),
                ("usec", 1e6, "commands_duration_seconds_total"),
                ("rejected_calls", 1.0, "commands_rejected_calls_total"),
                ("failed_calls", 1.0, "commands_failed_calls_total"),
            ] {
                add(&labels, part, scale, name, Kind::Counter);
            }
        } else if let Some(code) = field.strip_prefix("errorstat_") {
            add(
                &label("err", code),
                "count",
                1.0,
                "errors_total",
                Kind::Counter,
            );
        } else if field
            .strip_prefix("db")
            .is_some_and(|index| index.parse::<u32>().is_ok())
        {
            let labels = label("db", field);
            add(&labels, "keys", 1.0, "db_keys", Kind::Gauge);
            add(&labels, "expires", 1.0, "db_keys_expiring", Kind::Gauge);
            add(&labels, "avg_ttl", 1e3, "db_avg_ttl_seconds", Kind::Gauge);
        }
    }

    fn finish(self) -> String {
        self.0.into_values().collect()
    }
}
