//! Nobody waits for a client that asks for much, or the slow log tells why.

mod loopback;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use loopback::Server;
use server::client_state::Peer;
use server::config::Config;
use server::connection;
use server::shared::Shared;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PING: &str = "PING\r\n";
const PONG: &str = "+PONG\r\n";

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
