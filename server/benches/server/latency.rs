//! How long requests wait, at half the load that Redis can bear, while nothing else happens and while a million keys come
//! and go.

use std::io::{ErrorKind, Write as _};
use std::time::{Duration, Instant};

use crate::load::{Client, request};
use crate::process::{Contestants, Server};

/// Connections that ask.
const CLIENTS: usize = 50;

/// Keys that come and go.
const KEYS: usize = 1_000_000;

/// Keys of one request that loads them.
const LOADED_AT_ONCE: usize = 1_000;

/// What happens beside the load.
struct Event {
    name: &'static str,
    /// Made beforehand, so that nothing but the server takes time while it happens: batches of requests, and how many are
    /// in each.
    requests: fn(usize) -> Vec<(Vec<u8>, usize)>,
    /// How long it goes on after the replies.
    lasts: Duration,
    /// Clients that send a byte a second meanwhile.
    slow_writers: usize,
}

const EVENTS: &[Event] = &[
    Event {
        name: "at rest",
        requests: |_| Vec::new(),
        lasts: Duration::ZERO,
        slow_writers: 0,
    },
    Event {
        name: "1,000 send a byte a second",
        requests: |_| Vec::new(),
        lasts: Duration::ZERO,
        slow_writers: 1_000,
    },
    Event {
        name: "keys are loaded",
        requests: |keys| load(keys, false),
        lasts: Duration::ZERO,
        slow_writers: 0,
    },
    Event {
        name: "all are flushed",
        requests: |_| vec![(request(&["FLUSHALL", "ASYNC"]), 1)],
        lasts: Duration::ZERO,
        slow_writers: 0,
    },
    Event {
        name: "keys that expire are loaded",
        requests: |keys| load(keys, true),
        lasts: Duration::ZERO,
        slow_writers: 0,
    },
    Event {
        name: "all expire at once",
        requests: |_| Vec::new(),
        lasts: EXPIRY,
        slow_writers: 0,
    },
];

/// After this time all keys expire at once.
const EXPIRY: Duration = Duration::from_secs(8);

/// Prints the table: for each server what 99 of 100, 999 of 1000 and all requests wait at most.
pub(crate) fn compare(contestants: &Contestants, quick: bool) {
    let keys = if quick { KEYS / 10 } else { KEYS };
    let rate = capacity(&contestants.all[0]) / 2.0;
    println!("{rate:.0} GETs a second, {keys} keys come and go:\n");
    println!("| while | server | p50 µs | p99 µs | p99.9 µs | most µs |");
    println!("|---|---|--:|--:|--:|--:|");
    for event in EVENTS {
        for server in &contestants.all {
            let mut waits = measure(server, rate, event, keys);
            waits.sort_unstable();
            let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize].as_micros();
            println!(
                "| {:27} | {:12} | {:6} | {:6} | {:8} | {:7} |",
                event.name,
                server.name,
                at(0.5),
                at(0.99),
                at(0.999),
                at(1.0)
            );
        }
    }
}

/// Writes of keys, all of which expire at the same moment if they do.
fn load(keys: usize, expire: bool) -> Vec<(Vec<u8>, usize)> {
    let at_ms = std::time::SystemTime::now() + EXPIRY;
    let at_ms = at_ms
        .duration_since(std::time::UNIX_EPOCH)
        .expect("now")
        .as_millis()
        .to_string();
    let set = |key: usize| {
        let key = format!("loaded:{key}");
        if expire {
            request(&["SET", &key, "xxx", "PXAT", &at_ms])
        } else {
            request(&["SET", &key, "xxx"])
        }
    };
    let firsts = (0..keys).step_by(LOADED_AT_ONCE);
    let batch = |first| (first..first + LOADED_AT_ONCE).flat_map(set).collect();
    firsts.map(|first| (batch(first), LOADED_AT_ONCE)).collect()
}

/// One request of each client, a byte a second.
fn write_slowly(clients: &mut [Client]) {
    if clients.is_empty() {
        return;
    }
    for byte in request(&["PING"]) {
        for client in &mut *clients {
            client.stream.write_all(&[byte]).expect("a write");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// GETs a second that a server answers to all connections, each of which waits for its reply.
fn capacity(server: &Server) -> f64 {
    let begun = Instant::now();
    let waits = drive(server, f64::INFINITY, || {
        begun.elapsed() > Duration::from_secs(3)
    });
    waits.len() as f64 / begun.elapsed().as_secs_f64()
}

/// What GETs at this rate wait while something happens, and for two seconds at least.
fn measure(server: &Server, rate: f64, event: &Event, keys: usize) -> Vec<Duration> {
    let mut other = Client::connect(server.port).expect("the server listens");
    let (requests, lasts) = ((event.requests)(keys), event.lasts);
    let connect = |_| Client::connect(server.port).expect("the server listens");
    let mut slow: Vec<Client> = (0..event.slow_writers).map(connect).collect();
    let beside = std::thread::spawn(move || {
        for (batch, count) in requests {
            other.exchange(&batch, count).expect("replies");
        }
        std::thread::sleep(lasts);
        write_slowly(&mut slow);
    });
    let begun = Instant::now();
    let waits = drive(server, rate, || {
        beside.is_finished() && begun.elapsed() > Duration::from_secs(2)
    });
    beside.join().expect("what happens beside");
    waits
}

/// Sends GETs when they are due, one at a time on each connection; how long after that each reply came.
///
/// A request that is due while its connection still waits counts from when it was due, so that a pause of the server
/// shows in all requests that it holds up.
fn drive(server: &Server, rate: f64, mut is_over: impl FnMut() -> bool) -> Vec<Duration> {
    let get = request(&["GET", "some"]);
    let mut clients: Vec<(Client, Instant, bool)> = (0..CLIENTS)
        .map(|index| {
            let client = Client::connect(server.port).expect("the server listens");
            client.stream.set_nonblocking(true).expect("a socket");
            let offset = index as f64 / rate;
            (
                client,
                Instant::now() + Duration::from_secs_f64(offset),
                false,
            )
        })
        .collect();
    let interval = Duration::from_secs_f64(CLIENTS as f64 / rate);
    let mut waits = Vec::new();
    while !is_over() {
        for (client, due, waiting) in &mut clients {
            let now = Instant::now();
            if !*waiting && now >= *due {
                client.stream.write_all(&get).expect("a write");
                if interval.is_zero() {
                    *due = now;
                }
                *waiting = true;
            } else if *waiting {
                match client.receive() {
                    Ok(0) => {}
                    Ok(_) => {
                        waits.push(now.saturating_duration_since(*due));
                        *due += interval;
                        *waiting = false;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => panic!("{}: {error}", server.name),
                }
            }
        }
    }
    waits
}
