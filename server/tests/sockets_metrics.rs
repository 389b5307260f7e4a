//! Metrics for Prometheus, as a scraper asks for them.

mod loopback;

use std::io::{Read, Write};
use std::net::TcpStream;

use loopback::{DEADLINE, Server, free_port};

/// What comes back until the server closes.
fn exchange(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    // It may answer and close before it has read all of a long head.
    let _ = stream.write_all(request);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8(response).expect("text")
}

fn start() -> (Server, u16) {
    let port = free_port();
    (Server::start(&["--metrics-port", &port.to_string()]), port)
}

#[test]
fn a_scraper_finds_what_redis_exporter_would_tell() {
    let (server, port) = start();
    let mut client = server.connect();
    client.ask(
        "SET k v\r\nGET k\r\nGET none\r\nLPUSH k v\r\nEXPIRE k 100\r\nSELECT 3\r\nSET k v\r\n",
        "+OK\r\n$1\r\nv\r\n$-1\r\n",
    );
    client.expect("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    client.expect(":1\r\n+OK\r\n+OK\r\n");
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n";
    let response = exchange(port, request);
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"));
    assert!(head.contains(&format!("Content-Length: {}", body.len())));
    for line in [
        "# TYPE redis_up gauge",
        "redis_up 1",
        "redis_connected_clients 1",
        "# TYPE redis_commands_processed_total counter",
        "redis_commands_processed_total 7",
        "redis_keyspace_hits_total 1",
        "redis_keyspace_misses_total 1",
        "redis_commands_total{cmd=\"get\"} 2",
        "redis_commands_failed_calls_total{cmd=\"lpush\"} 1",
        "redis_errors_total{err=\"WRONGTYPE\"} 1",
        "redis_db_keys{db=\"db0\"} 1",
        "redis_db_keys{db=\"db3\"} 1",
        "redis_db_keys_expiring{db=\"db0\"} 1",
        "redis_connections_received_total 1",
    ] {
        assert!(
            body.lines().any(|found| found == line),
            "no {line} in\n{body}"
        );
    }
    for name in [
        "redis_memory_used_bytes ",
        "redis_commands_duration_seconds_total{cmd=\"set\"} ",
        "redis_instance_info{role=\"master\",redis_version=",
        "redis_cpu_user_seconds_total ",
    ] {
        assert!(body.lines().any(|line| line.starts_with(name)), "no {name}");
    }
    is_exposition(body);
    client.ask(
        "CONFIG GET metrics-port\r\n",
        &format!("*2\r\n$12\r\nmetrics-port\r\n$5\r\n{port}\r\n"),
    );
}

/// Types come once, before all samples of their name; values are numbers; no sample comes twice.
fn is_exposition(body: &str) {
    let (mut kind, mut seen) = ("", std::collections::BTreeSet::new());
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            kind = rest.split(' ').next().expect("a name");
            assert!(seen.insert(kind), "{line}");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a value");
        assert_eq!(sample.split('{').next(), Some(kind), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(sample) || !sample.contains('{'), "{line}");
    }
}

#[test]
fn other_requests_are_refused_and_the_head_is_bounded() {
    let (server, port) = start();
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(20_000));
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("GET /metrics/ HTTP/1.0\n\n", "404 Not Found"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ("GET /metrics\r\n\r\n", "400 Bad Request"),
        ("GET /metrics HTTP/2\r\n\r\n", "400 Bad Request"),
        ("\r\n\r\n", "400 Bad Request"),
        (&long, "431 Request Header Fields Too Large"),
        ("GET /metrics?a=b HTTP/1.0\r\n\r\n", "200 OK"),
        ("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK"),
    ] {
        let response = exchange(port, request.as_bytes());
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{request}: {response}"
        );
        assert_eq!(
            response.ends_with("\r\n\r\n"),
            request.starts_with("HEAD"),
            "{request}"
        );
    }
    server.connect().ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn who_sends_half_a_request_is_closed_and_keeps_nobody_out() {
    let (server, port) = start();
    let connect = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.write_all(b"GET /metrics").expect("a write");
        stream
    };
    // More than are served at a time.
    let mut idlers: Vec<_> = (0..40).map(|_| connect()).collect();
    let response = exchange(port, b"GET /metrics HTTP/1.1\r\n\r\n");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"));
    for idler in &mut idlers {
        let mut rest = Vec::new();
        idler.read_to_end(&mut rest).expect("the server closes");
        assert_eq!(rest, b"");
    }
    server.connect().ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn there_is_no_such_port_unless_asked_for() {
    let server = Server::start(&[]);
    server.connect().ask(
        "CONFIG GET metrics-port\r\n",
        "*2\r\n$12\r\nmetrics-port\r\n$1\r\n0\r\n",
    );
}

#[test]
fn metrics_move_where_the_configuration_says() {
    let (server, port) = start();
    let mut client = server.connect();
    let reaches = |address, port| TcpStream::connect((address, port)).is_ok();
    assert!(reaches("127.0.0.1", port) && !reaches("127.0.0.2", port));
    client.ask("CONFIG SET bind 127.0.0.2\r\n", "+OK\r\n");
    loopback::eventually("the old address is closed", || !reaches("127.0.0.1", port));
    assert!(reaches("127.0.0.2", port));
    // What can't be done leaves everything as it was.
    client.ask(
        "*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$4\r\nbind\r\n$19\r\n0.0.0.0 203.0.113.1\r\n",
        "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n",
    );
    assert!(!reaches("127.0.0.1", port));
    let mut stream = TcpStream::connect(("127.0.0.2", port)).expect("it listens again");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\n\r\n")
        .expect("a write");
    stream.read_exact(&mut [0; 9]).expect("an answer");
    let next = free_port();
    client.ask(&format!("CONFIG SET metrics-port {next}\r\n"), "+OK\r\n");
    loopback::eventually("the old port is closed", || !reaches("127.0.0.2", port));
    assert!(reaches("127.0.0.2", next));
    client.ask("CONFIG SET metrics-port 0\r\n", "+OK\r\n");
    loopback::eventually("there are no metrics", || !reaches("127.0.0.2", next));
}

#[test]
fn every_metric_is_there_under_its_name_and_with_its_type() {
    const GAUGES: &[&str] = &[
        "up",
        "instance_info",
        "uptime_in_seconds",
        "process_id",
        "connected_clients",
        "config_maxclients",
        "blocked_clients",
        "tracking_clients",
        "pubsub_clients",
        "watching_clients",
        "client_recent_max_input_buffer_bytes",
        "client_recent_max_output_buffer_bytes",
        "memory_used_bytes",
        "memory_used_rss_bytes",
        "memory_used_peak_bytes",
        "memory_used_overhead_bytes",
        "memory_used_startup_bytes",
        "memory_used_dataset_bytes",
        "total_system_memory_bytes",
        "memory_max_bytes",
        "mem_fragmentation_ratio",
        "mem_clients_normal",
        "rdb_changes_since_last_save",
        "rdb_last_save_timestamp_seconds",
        "instantaneous_ops_per_sec",
        "instantaneous_input_kbps",
        "instantaneous_output_kbps",
        "pubsub_channels",
        "pubsub_patterns",
        "connected_slaves",
        "db_keys",
        "db_keys_expiring",
        "db_avg_ttl_seconds",
    ];
    const COUNTERS: &[&str] = &[
        "connections_received_total",
        "commands_processed_total",
        "rejected_connections_total",
        "net_input_bytes_total",
        "net_output_bytes_total",
        "total_reads_processed",
        "total_writes_processed",
        "total_error_replies",
        "expired_keys_total",
        "evicted_keys_total",
        "evicted_clients_total",
        "keyspace_hits_total",
        "keyspace_misses_total",
        "cpu_sys_seconds_total",
        "cpu_user_seconds_total",
        "commands_total",
        "commands_duration_seconds_total",
        "commands_rejected_calls_total",
        "commands_failed_calls_total",
        "errors_total",
    ];
    let (server, port) = start();
    server
        .connect()
        .ask("SET k v EX 100\r\nGET\r\n", "+OK\r\n-ERR ");
    let response = exchange(port, b"GET /metrics HTTP/1.1\r\n\r\n");
    let mut found: Vec<&str> = response
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE redis_"))
        .collect();
    let gauges = GAUGES.iter().map(|name| format!("{name} gauge"));
    let counters = COUNTERS.iter().map(|name| format!("{name} counter"));
    let mut wanted: Vec<String> = gauges.chain(counters).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}
