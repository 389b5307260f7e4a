//! Calm under abuse: every limit on what clients may take, on real sockets.

mod loopback;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use loopback::{Client, DEADLINE, Server, command, eventually, expect, free_port};
use server::client_state::Peer;
use server::config::Config;
use server::connection;
use server::shared::Shared;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PING: &str = "PING\r\n";
const PONG: &str = "+PONG\r\n";

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
fn a_reply_beyond_the_output_limit_ends_its_client() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 100kb 0 0"]);
    let mut client = server.connect();
    client.ask("SETRANGE k 60000 x\r\n", ":60001\r\n");
    // Within the limit, one by one.
    for _ in 0..10 {
        client.send("GET k\r\n");
        client.expect("$60001\r\n");
        client.expect([vec![0; 60000], b"x\r\n".to_vec()].concat());
    }
    client.send("MGET k k\r\n");
    assert_eq!(client.rest(), b"");
}

#[test]
fn who_stays_above_the_soft_output_limit_is_closed_but_not_who_was_there_shortly() {
    let mut server = Server::start(&["--client-output-buffer-limit", "normal 0 200kb 1"]);
    let reply = [&b"$8000001\r\n"[..], &vec![0; 8_000_000], b"x\r\n"].concat();
    let (mut short, mut long) = (server.connect(), server.connect());
    short.ask("SETRANGE k 8000000 x\r\n", ":8000001\r\n");
    // More than fits into the sockets' buffers; one reads it, one does not.
    long.send("GET k\r\n");
    short.send("GET k\r\n");
    short.expect(&reply);
    server.wait_for_line("output buffer limits");
    long.rest();
    short.send("GET k\r\n");
    short.expect(&reply);
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
fn a_subscriber_that_does_not_read_is_closed_and_the_publisher_goes_on() {
    let mut server = Server::start(&["--client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let (mut subscriber, mut publisher) = (server.connect(), server.connect());
    subscriber.ask(
        "SUBSCRIBE c\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
    );
    let message = "x".repeat(100_000);
    let request = format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$100000\r\n{message}\r\n");
    let mut count = 0;
    loop {
        publisher.send(&request);
        let mut reply = [0; 4];
        std::io::Read::read_exact(&mut publisher.stream, &mut reply).expect("a reply");
        count += 1;
        if reply == *b":0\r\n" {
            break;
        }
        assert!(count < 1000, "100 MB lie somewhere");
    }
    server.wait_for_line("output buffer limits");
}

#[test]
fn the_largest_clients_go_when_all_take_more_than_maxmemory_clients() {
    let server = Server::start(&["--maxmemory-clients", "4mb"]);
    let (mut small, mut large) = (server.connect(), server.connect());
    small.ask(PING, PONG);
    let _ = large.stream.write_all(b"*2\r\n$4\r\nECHO\r\n$20000000\r\n");
    let piece = vec![b'x'; 100_000];
    for _ in 0..100 {
        if large.stream.write_all(&piece).is_err() {
            break;
        }
    }
    assert_eq!(large.rest(), b"");
    assert_eq!(small.info("evicted_clients"), "1");
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

/// Writes requests without reading replies until the server takes no more; gives the bytes it took.
fn write_until_it_stalls(client: &mut Client, requests: &[u8], most: usize) -> usize {
    let stall = Some(Duration::from_millis(1500));
    client.stream.set_write_timeout(stall).expect("a timeout");
    let mut taken = 0;
    while taken < most {
        match client.stream.write(requests) {
            Ok(count) => taken += count,
            Err(_) => break,
        }
    }
    taken
}

#[test]
fn who_does_not_read_is_not_read_from_before_authentication_too() {
    for (password, most_kib) in [("", 64 * 1024), ("secret", 16 * 1024)] {
        let server = Server::start(&["--requirepass", password]);
        let before_kib = server.resident_kib();
        let mut client = server.connect();
        let most = 200_000_000;
        let taken = write_until_it_stalls(&mut client, &b"PING\r\n".repeat(10_000), most);
        assert!(taken < most, "{taken} bytes were taken");
        let grown_kib = server.resident_kib().saturating_sub(before_kib);
        assert!(grown_kib < most_kib, "{grown_kib} KiB more");
        server
            .connect()
            .ask(PING, if password.is_empty() { PONG } else { "-NOAUTH" });
    }
}

#[test]
fn a_pipeline_may_be_written_whole_before_its_replies_are_read() {
    let directory = std::env::temp_dir();
    // A Unix socket holds little by itself.
    let path = directory.join(format!("resp-server-{}-pipeline", std::process::id()));
    let server = Server::start(&["--unixsocket", path.to_str().expect("a plain path")]);
    let value = "x".repeat(1000);
    server
        .connect()
        .ask(&format!("SET k {value}\r\n"), "+OK\r\n");
    let mut stream = UnixStream::connect(&path).expect("the server listens");
    stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    // A long request among short ones, and an error behind all.
    let echoed = format!("$300000\r\n{}\r\n", "y".repeat(300_000));
    let long = format!("*2\r\n$4\r\nECHO\r\n{echoed}");
    let gets = "GET k\r\n".repeat(50_000);
    let pipeline = [&gets, &long, &gets, "GET\r\n*1\r\n:1\r\n"].concat();
    stream.write_all(pipeline.as_bytes()).expect("a write");
    let reply = format!("$1000\r\n{value}\r\n");
    for _ in 0..50_000 {
        expect(&mut stream, reply.as_bytes());
    }
    expect(&mut stream, echoed.as_bytes());
    for _ in 0..50_000 {
        expect(&mut stream, reply.as_bytes());
    }
    let last = "-ERR wrong number of arguments for 'get' command\r\n\
                -ERR Protocol error: expected '$', got ':'\r\n";
    expect(&mut stream, last.as_bytes());
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn ten_thousand_unread_replies_of_60_kb_take_little_memory_and_all_arrive() {
    let server = Server::start(&["--io-threads", "1"]);
    let mut client = server.connect();
    client.ask("SETRANGE k 59999 x\r\n", ":60000\r\n");
    let before_kib = server.resident_kib();
    let mut writer = client.stream.try_clone().expect("a second handle");
    let writing = std::thread::spawn(move || writer.write_all(&b"GET k\r\n".repeat(10_000)));
    // Others are served meanwhile, and by then the server has run into its bound.
    let mut other = server.connect();
    let mut grown_kib = 0;
    for _ in 0..100 {
        other.ask(PING, PONG);
        std::thread::sleep(Duration::from_millis(10));
        grown_kib = server
            .resident_kib()
            .saturating_sub(before_kib)
            .max(grown_kib);
    }
    assert!(grown_kib < 64 * 1024, "{grown_kib} KiB more");
    let reply = [&b"$60000\r\n"[..], &vec![0; 59999], b"x\r\n"].concat();
    for _ in 0..10_000 {
        client.expect(&reply);
    }
    writing.join().expect("a thread").expect("a write");
}

#[test]
fn a_client_with_endless_pipelines_does_not_starve_another() {
    let server = Server::start(&["--io-threads", "1"]);
    let mut greedy = server.connect();
    let requests = 3_000_000;
    let mut writer = greedy.stream.try_clone().expect("a second handle");
    let writing = std::thread::spawn(move || {
        let pipeline = PING.repeat(10_000);
        for _ in 0..requests / 10_000 {
            writer.write_all(pipeline.as_bytes()).expect("a write");
        }
    });
    let reading = std::thread::spawn(move || {
        let replies = PONG.repeat(10_000);
        for _ in 0..requests / 10_000 {
            greedy.expect(&replies);
        }
    });
    let mut polite = server.connect();
    for _ in 0..20 {
        polite.ask(PING, PONG);
    }
    assert!(
        !reading.is_finished(),
        "the others waited for the greedy one"
    );
    writing.join().expect("a thread");
    reading.join().expect("a thread");
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

#[test]
fn connections_come_and_go_and_nothing_stays() {
    let server = Server::start(&[]);
    let mut witness = server.connect();
    for round in 0..500 {
        let mut client = server.connect();
        match round % 5 {
            0 => client.ask(PING, PONG),
            1 => client.send("SUBSCRIBE a b c\r\n"),
            2 => client.send("MULTI\r\nSET k v\r\n"),
            3 => client.send("BLPOP nothing 0\r\n"),
            _ => client.send("*2\r\n$3\r\nGET\r\n$10"),
        }
    }
    eventually("every client is gone", || {
        witness.info("connected_clients") == "1"
    });
    assert_eq!(witness.info("blocked_clients"), "0");
    assert_eq!(witness.info("pubsub_channels"), "0");
    witness.ask("EXISTS k\r\n", ":0\r\n");
}

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
fn time_above_the_soft_output_limit_does_not_add_up() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 0 200kb 3"]);
    let mut client = server.connect();
    client.ask("SETRANGE k 8000000 x\r\n", ":8000001\r\n");
    let reply = [&b"$8000001\r\n"[..], &vec![0; 8_000_000], b"x\r\n"].concat();
    for _ in 0..2 {
        client.send("GET k\r\n");
        std::thread::sleep(Duration::from_millis(1700));
        client.expect(&reply);
        // The server looks at its clients ten times a second.
        std::thread::sleep(Duration::from_millis(300));
    }
    client.ask(PING, PONG);
}

#[test]
fn a_subscriber_has_a_soft_output_limit_of_its_own() {
    let mut server = Server::start(&[
        "--client-output-buffer-limit",
        "normal 0 0 0 pubsub 0 200kb 1",
    ]);
    let (mut subscriber, mut reader) = (server.connect(), server.connect());
    subscriber.ask(
        "SUBSCRIBE c\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
    );
    reader.ask("SETRANGE k 8000000 x\r\n", ":8000001\r\n");
    let message = "x".repeat(8_000_000);
    let mut publisher = server.connect();
    publisher.ask(
        &format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$8000000\r\n{message}\r\n"),
        ":1\r\n",
    );
    reader.send("GET k\r\n");
    server.wait_for_line("output buffer limits");
    subscriber.rest();
    // Nobody else was closed.
    reader.expect([&b"$8000001\r\n"[..], &vec![0; 8_000_000], b"x\r\n"].concat());
}

#[test]
fn clients_may_be_limited_to_a_part_of_maxmemory_and_one_be_spared() {
    let server = Server::start(&["--maxmemory", "40mb", "--maxmemory-clients", "10%"]);
    let (mut spared, mut large) = (server.connect(), server.connect());
    spared.ask("CLIENT NO-EVICT ON\r\n", "+OK\r\n");
    let piece = vec![b'x'; 3_000_000];
    for client in [&mut spared, &mut large] {
        client.send("*2\r\n$4\r\nECHO\r\n$3000001\r\n");
        let _ = client.stream.write_all(&piece);
    }
    assert_eq!(large.rest(), b"");
    spared.send("x\r\n");
    spared.expect("$3000001\r\nx");
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
fn who_does_not_read_is_owed_a_megabyte_or_before_authentication_next_to_nothing() {
    for (password, request, most_bytes) in
        [("", "GET k\r\n", 1_100_000), ("secret", "X\r\n", 8_000)]
    {
        let options = [
            "--requirepass",
            password,
            "--client-query-buffer-limit",
            "1mb",
        ];
        let server = Server::start(&options);
        let mut known = server.connect();
        if !password.is_empty() {
            known.ask("AUTH secret\r\n", "+OK\r\n");
        }
        // Small enough to be copied into the replies.
        known.ask("SETRANGE k 14999 x\r\n", ":15000\r\n");
        // What the sockets took of the last replies differs from client to client.
        let mut greedy: Vec<_> = (0..8).map(|_| server.connect()).collect();
        std::thread::scope(|scope| {
            for client in &mut greedy {
                scope.spawn(|| {
                    let requests = request.repeat(10_000);
                    let taken = write_until_it_stalls(client, requests.as_bytes(), 200_000_000);
                    assert!(taken < 200_000_000, "{taken} bytes were taken");
                });
            }
        });
        let owed = known.info("client_recent_max_output_buffer");
        let owed: usize = owed.parse().expect("a number");
        assert!((1..most_bytes).contains(&owed), "{owed} bytes");
    }
}

#[test]
fn a_long_keys_and_a_long_sort_stand_in_the_slow_log() {
    let options = ["--enable-debug-command", "yes"];
    let server = Server::start(&[&options[..], &["--slowlog-log-slower-than", "1000"]].concat());
    let mut client = server.connect();
    client.ask("DEBUG POPULATE 200000\r\n", "+OK\r\n");
    let element = |n| format!("$6\r\n{}\r\n", 100_000 + n * 7919 % 100_000);
    let elements = (0..100_000).map(element).collect::<Vec<_>>().concat();
    client.ask(
        &format!("*100002\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n{elements}"),
        ":100000\r\n",
    );
    client.ask("SLOWLOG RESET\r\n", "+OK\r\n");
    client.ask(
        "KEYS none*\r\nSORT l LIMIT 0 1\r\n",
        "*0\r\n*1\r\n$6\r\n100000\r\n",
    );
    client.send("PING\r\nSLOWLOG GET\r\nQUIT\r\n");
    let log = String::from_utf8_lossy(&client.rest()).into_owned();
    for call in [
        "*2\r\n$4\r\nKEYS\r\n$5\r\nnone*\r\n",
        "*5\r\n$4\r\nSORT\r\n",
    ] {
        assert!(log.contains(call), "no {call:?} in {log:?}");
    }
    assert!(!log.contains("PING"), "{log:?}");
}

#[test]
fn what_a_client_sent_ahead_is_run_in_turns() {
    let server = Server::start(&["--io-threads", "1"]);
    let mut greedy = server.connect();
    let before_kib = server.resident_kib();
    // Read ahead, because no replies are read, and then all there at once.
    let count = 2_000_000;
    greedy.send(PING.repeat(count));
    let reading = std::thread::spawn(move || {
        let replies = PONG.repeat(10_000);
        for _ in 0..count / 10_000 {
            greedy.expect(&replies);
        }
    });
    let mut polite = server.connect();
    let mut grown_kib = 0;
    while !reading.is_finished() {
        polite.ask(PING, PONG);
        grown_kib = server
            .resident_kib()
            .saturating_sub(before_kib)
            .max(grown_kib);
        std::thread::sleep(Duration::from_millis(1));
    }
    reading.join().expect("a thread");
    // As many requests each by itself take some times that.
    assert!(grown_kib < 64 * 1024, "{grown_kib} KiB more");
}

#[test]
fn another_comes_in_between_the_turns_of_a_long_pipeline() {
    let server = Server::start(&["--io-threads", "1"]);
    let (mut greedy, mut polite) = (server.connect(), server.connect());
    let mut writer = greedy.stream.try_clone().expect("a second handle");
    let writing = std::thread::spawn(move || {
        while writer
            .write_all("INCR n\r\n".repeat(10_000).as_bytes())
            .is_ok()
        {}
    });
    let reading = std::thread::spawn(move || {
        while greedy
            .stream
            .read(&mut vec![0; 65536])
            .is_ok_and(|count| count > 0)
        {}
    });
    let mut count = || -> u64 {
        polite.send("INCR n\r\n");
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            polite.stream.read_exact(&mut byte).expect("a reply");
            line.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&line[1..line.len() - 2]).into_owned();
        text.parse().expect("a number")
    };
    let counts: Vec<u64> = (0..101).map(|_| count()).collect();
    let mut between: Vec<u64> = counts.windows(2).map(|two| two[1] - two[0]).collect();
    between.sort_unstable();
    // What one turn runs, and as much again while the client is on its way.
    assert!(between[50] < 5_000, "{} requests in between", between[50]);
    drop(server);
    writing.join().expect("a thread");
    reading.join().expect("a thread");
}

#[test]
fn connections_that_are_gone_take_no_memory() {
    let server = Server::start(&[]);
    let come_and_go = |count: usize| {
        for _ in 0..count {
            server.connect().ask(PING, PONG);
        }
        server.resident_kib()
    };
    let before_kib = come_and_go(500);
    let grown_kib = come_and_go(5_000).saturating_sub(before_kib);
    assert!(grown_kib < 1024, "{grown_kib} KiB more");
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
fn another_comes_in_between_what_follows_a_large_request() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let shared = Arc::new(Shared::new(Config::default(), 1));
        let connect = || {
            let (ours, theirs) = tokio::io::duplex(64 << 20);
            let shared = Arc::clone(&shared);
            tokio::spawn(connection::serve(shared, theirs, Peer::default()));
            ours
        };
        let (mut greedy, mut polite) = (connect(), connect());
        let large = "x".repeat(8_000_000);
        greedy
            .write_all(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n{large}\r\n").as_bytes())
            .await
            .expect("a write");
        let many = "INCR n\r\n".repeat(500_000);
        greedy.write_all(many.as_bytes()).await.expect("a write");
        let (mut before, mut most) = (0, 0);
        while before < 100_000 {
            polite.write_all(b"INCR n\r\n").await.expect("a write");
            let mut reply = [0; 32];
            let count = polite.read(&mut reply).await.expect("a reply");
            let text = String::from_utf8_lossy(&reply[1..count - 2]);
            let now: usize = text.parse().expect("a number");
            most = most.max(now - before);
            before = now;
        }
        assert!(most < 10_000, "{most} requests in between");
    });
}
