//! Many clients at a time, most of which do next to nothing.

mod loopback;

use std::io::Write;
use std::time::{Duration, Instant};

use loopback::{Client, Server, eventually};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const PING: &str = "PING\r\n";
const PONG: &str = "+PONG\r\n";

/// Raises this process' limit of open files as far as it may be; how many connections it can have.
fn allow_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("the soft limit rises to the hard one");
    usize::try_from(limit.maximum.unwrap_or(u64::MAX)).unwrap_or(usize::MAX) - 200
}

#[test]
fn a_thousand_clients_at_a_byte_a_second_hold_nobody_up() {
    assert!(allow_descriptors() > 1_000, "the hard limit of open files");
    let server = Server::start(&["--io-threads", "1"]);
    let mut slow: Vec<Client> = (0..1_000).map(|_| server.connect()).collect();
    let mut quick = server.connect();
    let mut waits = Vec::new();
    for byte in PING.bytes() {
        let begun = Instant::now();
        // Beside them all the time, not only between their bytes.
        for (index, client) in slow.iter_mut().enumerate() {
            client.send([byte]);
            if index % 4 == 0 {
                waits.push(wait_of(&mut quick));
            }
        }
        while begun.elapsed() < Duration::from_secs(1) {
            waits.push(wait_of(&mut quick));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    for client in &mut slow {
        client.expect(PONG);
    }
    // A second is what each would take that has to wait for a slow writer. How long they take, `cargo bench` measures.
    waits.sort_unstable();
    let most = waits[waits.len() * 99 / 100];
    assert!(most < Duration::from_millis(250), "{most:?}");
    assert_eq!(quick.info("connected_clients"), "1001");
}

fn wait_of(client: &mut Client) -> Duration {
    let begun = Instant::now();
    client.ask(PING, PONG);
    begun.elapsed()
}

#[test]
fn ten_thousand_idle_connections_take_little_memory_each() {
    let count = allow_descriptors().min(10_000);
    let server = Server::start(&["--maxclients", "20000"]);
    let mut witness = server.connect();
    let mut crowd = Vec::new();
    let mut join = |count: usize| {
        for _ in 0..count {
            let mut client = server.connect();
            client.ask(PING, PONG);
            crowd.push(client);
        }
        server.resident_kib()
    };
    // The first ones pay for tables and buffers that all share.
    let first = count / 10;
    let before_kib = join(first);
    let after_kib = join(count - first);
    let each = after_kib.saturating_sub(before_kib) * 1024 / (count - first) as u64;
    println!("{count} idle connections, {each} bytes each");
    assert!(
        each < 8 * 1024,
        "{each} bytes for each of {count} connections"
    );
    assert_eq!(witness.info("connected_clients"), (count + 1).to_string());
    drop(crowd);
    eventually("all of them are gone", || {
        witness.info("connected_clients") == "1"
    });
}

#[test]
fn the_accept_queue_is_as_long_as_tcp_backlog_says() {
    for (backlog, least, most) in [("3", 1, 12), ("200", 30, 30)] {
        let server = Server::start(&["--tcp-backlog", backlog]);
        server.signal("STOP");
        let address = ([127, 0, 0, 1], server.port).into();
        let connect =
            |_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100));
        let accepted: Vec<_> = (0..30).map(connect).filter_map(Result::ok).collect();
        server.signal("CONT");
        let count = accepted.len();
        assert!(
            (least..=most).contains(&count),
            "{count} for a backlog of {backlog}"
        );
        for mut stream in accepted {
            stream.write_all(PING.as_bytes()).expect("a write");
            stream
                .set_read_timeout(Some(loopback::DEADLINE))
                .expect("a timeout");
            loopback::expect(&mut stream, PONG.as_bytes());
        }
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
