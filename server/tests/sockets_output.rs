//! Clients that do not read: what they are owed at most, and when they are closed.

mod loopback;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use loopback::{Client, DEADLINE, Server, expect};

const PING: &str = "PING\r\n";
const PONG: &str = "+PONG\r\n";

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
