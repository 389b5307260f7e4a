//! Who gets in, and what a client may send, on real sockets.

mod loopback;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use loopback::{Client, DEADLINE, Server, command, eventually, expect, free_port};

const PING: &str = "PING\r\n";
const PONG: &str = "+PONG\r\n";

#[test]
fn without_options_limits_are_those_of_redis_and_output_has_some_too() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut wanted = Vec::new();
    for (name, value) in [
        ("maxclients", "10000"),
        ("timeout", "0"),
        ("tcp-keepalive", "300"),
        ("tcp-backlog", "511"),
        ("proto-max-bulk-len", "536870912"),
        ("client-query-buffer-limit", "1073741824"),
        (
            "client-output-buffer-limit",
            "normal 1073741824 268435456 60 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        ),
        ("maxmemory-clients", "0"),
        ("protected-mode", "yes"),
        ("bind", "127.0.0.1 -::1"),
        ("requirepass", ""),
        ("unixsocket", ""),
        ("tls-port", "0"),
        ("tls-auth-clients", "yes"),
        ("metrics-port", "0"),
        ("loglevel", "notice"),
        ("logfile", ""),
        ("slowlog-log-slower-than", "10000"),
        ("shutdown-timeout", "10"),
    ] {
        client.send(format!("CONFIG GET {name}\r\n"));
        let (name_len, len) = (name.len(), value.len());
        wanted.push(format!(
            "*2\r\n${name_len}\r\n{name}\r\n${len}\r\n{value}\r\n"
        ));
    }
    client.send("QUIT\r\n");
    wanted.push("+OK\r\n".to_owned());
    assert_eq!(String::from_utf8_lossy(&client.rest()), wanted.concat());
}

#[test]
fn clients_beyond_maxclients_are_refused_until_one_leaves() {
    let server = Server::start(&["--maxclients", "2"]);
    let (mut first, mut second) = (server.connect(), server.connect());
    first.ask(PING, PONG);
    second.ask(PING, PONG);
    assert_eq!(
        server.connect().rest(),
        b"-ERR max number of clients reached\r\n"
    );
    assert_eq!(first.info("rejected_connections"), "1");
    drop(second);
    eventually("a place becomes free", || {
        let mut next = server.connect();
        let _ = next.stream.write_all(PING.as_bytes());
        next.stream.shutdown(std::net::Shutdown::Write).is_ok() && next.rest() == PONG.as_bytes()
    });
}

/// An address of this machine that is not loopback. To find it nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

#[test]
fn protected_mode_keeps_other_addresses_out_until_there_is_a_password() {
    let Some(address) = own_address() else {
        println!(
            "This machine has no address but loopback: only a unit test of listener.rs decides"
        );
        return;
    };
    let port = free_port();
    let bind = format!("127.0.0.1 {address}");
    let _server = Server::start(&["--port", &port.to_string(), "--bind", &bind]);
    let connect = |address: IpAddr| {
        let stream = TcpStream::connect((address, port)).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        Client { stream }
    };
    let refusal = connect(address).rest();
    assert!(
        refusal.starts_with(b"-DENIED "),
        "{}",
        refusal.escape_ascii()
    );
    let mut local = connect([127, 0, 0, 1].into());
    local.ask("CONFIG SET protected-mode no\r\n", "+OK\r\n");
    connect(address).ask(PING, PONG);
    local.ask(
        "CONFIG SET protected-mode yes requirepass secret\r\n",
        "+OK\r\n",
    );
    connect(address).ask("AUTH secret\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    assert_eq!(local.info("rejected_connections"), "1");
}

#[test]
fn protected_mode_keeps_other_addresses_from_the_metrics_too() {
    let Some(address) = own_address() else {
        println!("This machine has no address but loopback");
        return;
    };
    let port = free_port();
    let bind = format!("127.0.0.1 {address}");
    let _server = Server::start(&["--metrics-port", &port.to_string(), "--bind", &bind]);
    for (address, status) in [
        (address, "403 Forbidden"),
        ([127, 0, 0, 1].into(), "200 OK"),
    ] {
        let mut stream = TcpStream::connect((address, port)).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let request = b"GET /metrics HTTP/1.1\r\n\r\n";
        stream.write_all(request).expect("a write");
        expect(&mut stream, format!("HTTP/1.1 {status}\r\n").as_bytes());
    }
}

#[test]
fn an_idle_client_is_closed_but_not_one_that_waits() {
    let server = Server::start(&["--timeout", "1"]);
    let (mut waiter, mut idle) = (server.connect(), server.connect());
    waiter.send("BLPOP k 0\r\n");
    idle.ask(PING, PONG);
    assert_eq!(idle.rest(), b"");
    server.connect().ask("RPUSH k v\r\n", ":1\r\n");
    waiter.expect("*2\r\n$1\r\nk\r\n$1\r\nv\r\n");
}

#[test]
fn keep_alive_probes_follow_the_configuration() {
    for (seconds, timer) in [("300", "02"), ("0", "00")] {
        let server = Server::start(&["--tcp-keepalive", seconds]);
        let mut client = server.connect();
        client.ask(PING, PONG);
        let table = std::fs::read_to_string("/proc/net/tcp").expect("proc(5)");
        let port = client.stream.local_addr().expect("an address").port();
        let ends = [server.port, port].map(|port| format!(":{port:04X}"));
        // The server's end of this connection, with the timer that is running: 02 is the keep-alive one.
        // A line may come twice where others change the table meanwhile.
        let timers: BTreeSet<_> = table
            .lines()
            .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
            .filter(|fields| {
                fields.len() > 5 && (1..=2).all(|at| fields[at].ends_with(&ends[at - 1]))
            })
            .map(|fields| fields[5][..2].to_owned())
            .collect();
        assert_eq!(timers, BTreeSet::from([timer.to_owned()]));
    }
}

#[test]
fn the_first_keep_alive_probe_comes_after_the_configured_time() {
    let server = Server::start(&["--tcp-keepalive", "1000"]);
    let mut client = server.connect();
    client.ask(PING, PONG);
    let table = std::fs::read_to_string("/proc/net/tcp").expect("proc(5)");
    let own = format!(":{:04X} ", server.port);
    let peer = client.stream.local_addr().expect("an address").port();
    let line = table
        .lines()
        .find(|line| line.contains(&own) && line.contains(&format!(":{peer:04X} 01 ")));
    let timer = line.and_then(|line| line.split_ascii_whitespace().nth(5));
    // What runs, and when it is over, in hundredths of a second.
    let (_, left) = timer.expect("a timer").split_once(':').expect("its end");
    let left = u64::from_str_radix(left, 16).expect("a number");
    assert!((80_000..=100_000).contains(&left), "{left}");
}

#[test]
fn a_bulk_string_beyond_proto_max_bulk_len_is_refused_also_when_that_is_lowered() {
    let server = Server::start(&["--proto-max-bulk-len", "2mb"]);
    let mut client = server.connect();
    client.send("*1\r\n$2097153\r\n");
    assert_eq!(
        client.rest(),
        b"-ERR Protocol error: invalid bulk length\r\n"
    );
    let mut client = server.connect();
    client.ask("CONFIG SET proto-max-bulk-len 1mb\r\n", "+OK\r\n");
    client.send("PING\r\n*1\r\n$1048577\r\n");
    assert_eq!(
        client.rest(),
        b"+PONG\r\n-ERR Protocol error: invalid bulk length\r\n"
    );
}

#[test]
fn a_request_beyond_client_query_buffer_limit_ends_its_client() {
    let mut server = Server::start(&["--client-query-buffer-limit", "1mb"]);
    let mut client = server.connect();
    // The server may close before it has read everything.
    let _ = client.stream.write_all(b"*1000\r\n");
    let argument = format!("$2000\r\n{}\r\n", "x".repeat(2000));
    for _ in 0..999 {
        if client.stream.write_all(argument.as_bytes()).is_err() {
            break;
        }
    }
    assert_eq!(client.rest(), b"");
    server.wait_for_line("max query buffer length");
    server.connect().ask(PING, PONG);
}

#[test]
fn by_default_it_listens_on_loopback_alone() {
    let server = Server::start(&[]);
    let reaches = |address: &str| TcpStream::connect((address, server.port)).is_ok();
    assert!(reaches("127.0.0.1"));
    // Where the machine has IPv6 at all.
    assert_eq!(reaches("::1"), TcpListener::bind("[::1]:0").is_ok());
    let own = own_address().map(|address| address.to_string());
    assert!(!own.is_some_and(|address| reaches(&address)));
}

#[test]
fn before_authentication_requests_are_small_and_after_it_they_are_not() {
    let server = Server::start(&["--requirepass", "secret"]);
    let refused = |request: &str| {
        String::from_utf8_lossy(&{
            let mut client = server.connect();
            client.send(request);
            client.rest()
        })
        .into_owned()
    };
    assert_eq!(
        refused("*11\r\n"),
        "-ERR Protocol error: unauthenticated multibulk length\r\n"
    );
    assert_eq!(
        refused("*1\r\n$16385\r\n"),
        "-ERR Protocol error: unauthenticated bulk length\r\n"
    );
    let mut client = server.connect();
    client.ask(PING, "-NOAUTH Authentication required.\r\n");
    client.ask(
        "AUTH wrong\r\n",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    );
    // One write: what stands behind AUTH is judged by its outcome.
    let value = "x".repeat(20_000);
    let pipeline = format!(
        "AUTH secret\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000\r\n{value}\r\n*12\r\n$3\r\nDEL\r\n{}",
        "$1\r\nk\r\n".repeat(11)
    );
    client.ask(&pipeline, "+OK\r\n+OK\r\n:1\r\n");
    client.ask("RESET\r\n", "+RESET\r\n");
    client.send("*11\r\n");
    assert_eq!(
        client.rest(),
        b"-ERR Protocol error: unauthenticated multibulk length\r\n"
    );
}

#[test]
fn before_authentication_requests_may_have_ten_arguments_of_16_kib() {
    let server = Server::start(&["--requirepass", "secret"]);
    let mut client = server.connect();
    let largest = "x".repeat(16_384);
    for request in [
        format!("*2\r\n$4\r\nECHO\r\n$16384\r\n{largest}\r\n"),
        format!("*10\r\n{}", "$3\r\nDEL\r\n".repeat(10)),
    ] {
        client.ask(&request, "-NOAUTH Authentication required.\r\n");
    }
}

#[test]
fn accepting_survives_running_out_of_descriptors() {
    let (mut server, port) = command(&["--io-threads", "1"]);
    let program = server.get_program().to_owned();
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -n 48; exec \"$0\" \"$@\""]);
    limited.arg(program).args(server.get_args());
    server = limited;
    let mut server = Server::run(server, port);
    assert!(
        server
            .log
            .iter()
            .any(|line| line.contains("maxclients is lowered"))
    );
    let mut first = server.connect();
    first.ask("CONFIG SET maxclients 10000\r\n", "+OK\r\n");
    let mut crowd: Vec<_> = (0..80).map(|_| server.connect()).collect();
    server.wait_for_line("Accepting client connection");
    let before = server.cpu();
    std::thread::sleep(Duration::from_secs(2));
    let spent = server.cpu().saturating_sub(before);
    assert!(spent < Duration::from_secs(1), "{spent:?} of 2 s");
    first.ask(PING, PONG);
    // The last ones still wait to be accepted.
    let mut last = crowd.split_off(60);
    drop(crowd);
    for client in &mut last {
        client.ask(PING, PONG);
    }
}
