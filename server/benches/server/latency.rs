//! How long requests wait, at half the load that Redis can bear, while nothing else happens and while a million keys come
//! and go.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::load::{Client, at_once, request};
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
    /// How long it takes at least.
    lasts: Duration,
    /// Clients that send a byte a second meanwhile.
    slow_writers: usize,
}

impl Event {
    const fn new(name: &'static str, requests: fn(usize) -> Vec<(Vec<u8>, usize)>) -> Self {
        Self {
            name,
            requests,
            lasts: Duration::from_secs(2),
            slow_writers: 0,
        }
    }
}

/// In most tenths of a second the machine holds nobody up, so that what the median of them waits is the servers' own.
const BRIEF_REST: Event = Event {
    lasts: Duration::from_millis(100),
    ..Event::new("at rest, a tenth of a second", |_| Vec::new())
};
const BRIEF_REST_ROUNDS: usize = 101;

/// What is compared with the rest: short, and measured on both servers in turns.
const REST: Event = Event {
    lasts: Duration::from_secs(1),
    ..Event::new("at rest", |_| Vec::new())
};
const REST_ROUNDS: usize = 15;

/// Each round of them on one server after the other, so that what one has still to do, such as freeing memory, is over
/// when the other's turn comes.
const ROUNDS: usize = 3;
const EVENTS: &[Event] = &[
    Event {
        slow_writers: 1_000,
        ..Event::new("1,000 send a byte a second", |_| Vec::new())
    },
    Event::new("keys are loaded", |keys| load(keys, false)),
    Event::new("all are flushed", |_| {
        vec![(request(&["FLUSHALL", "ASYNC"]), 1)]
    }),
    Event::new("keys that expire are loaded", |keys| load(keys, true)),
    Event {
        lasts: EXPIRY,
        ..Event::new("all expire at once", |_| Vec::new())
    },
];

/// After this time all keys expire at once.
const EXPIRY: Duration = Duration::from_secs(8);

/// Prints the table: for each server what 99 of 100, 999 of 1000 and all requests wait at most, as the median of the
/// rounds: a machine that is itself held up shows in some of them.
pub(crate) fn compare(contestants: &Contestants, quick: bool) {
    let keys = if quick { KEYS / 10 } else { KEYS };
    let rate = capacity(&contestants.all[0]) / 2.0;
    println!("{rate:.0} GETs a second, {keys} keys come and go:\n");
    println!(
        "| while | server | p50 µs | p99 µs | p99.9 µs | most µs | load's own delay, p99.9 µs |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|");
    let often = |rounds| if quick { 1 } else { rounds };
    rounds(
        contestants,
        rate,
        keys,
        &[BRIEF_REST],
        often(BRIEF_REST_ROUNDS),
    );
    rounds(contestants, rate, keys, &[REST], often(REST_ROUNDS));
    rounds(contestants, rate, keys, EVENTS, often(ROUNDS));
}

fn rounds(contestants: &Contestants, rate: f64, keys: usize, events: &[Event], rounds: usize) {
    // By event, then by server.
    let mut found = vec![vec![Vec::new(); contestants.all.len()]; events.len()];
    for _ in 0..rounds {
        for (at, server) in contestants.all.iter().enumerate() {
            for (event, found) in events.iter().zip(&mut found) {
                found[at].push(measure(server, rate, event, keys).row());
            }
        }
    }
    for (event, servers) in events.iter().zip(found) {
        for (server, rows) in contestants.all.iter().zip(servers) {
            let [half, many, nearly_all, all, late] = std::array::from_fn(|column| {
                let mut column: Vec<u128> = rows.iter().map(|row| row[column]).collect();
                column.sort_unstable();
                column[column.len() / 2]
            });
            println!(
                "| {:28} | {:12} | {half:6} | {many:6} | {nearly_all:8} | {all:7} | {late:8} |",
                event.name, server.name,
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

/// GETs a second that a server answers to all connections, each of which waits for its reply.
fn capacity(server: &Server) -> f64 {
    let begun = Instant::now();
    let waits = drive(server, f64::INFINITY, || {
        begun.elapsed() < Duration::from_secs(3)
    });
    waits.waited.len() as f64 / begun.elapsed().as_secs_f64()
}

/// What GETs at this rate wait while something happens.
fn measure(server: &Server, rate: f64, event: &Event, keys: usize) -> Waits {
    let mut loading = Loading::new(server, (event.requests)(keys));
    let mut dripping = Dripping::new(server, event.slow_writers);
    let begun = Instant::now();
    drive(server, rate, || {
        let now = Instant::now();
        let goes_on = loading.step().expect("replies") | dripping.step(now);
        goes_on || now - begun < event.lasts
    })
}

/// A client that sends batch after batch, each when the one before is answered.
struct Loading {
    client: Client,
    batches: std::vec::IntoIter<(Vec<u8>, usize)>,
    batch: Vec<u8>,
    sent: usize,
    awaited: usize,
}

impl Loading {
    fn new(server: &Server, batches: Vec<(Vec<u8>, usize)>) -> Self {
        Self {
            client: Client::never_waiting(server.port),
            batches: batches.into_iter(),
            batch: Vec::new(),
            sent: 0,
            awaited: 0,
        }
    }

    /// Sends and receives what can be at once; whether there is more to do.
    fn step(&mut self) -> io::Result<bool> {
        if self.awaited == 0 {
            let Some((batch, count)) = self.batches.next() else {
                return Ok(false);
            };
            (self.batch, self.awaited, self.sent) = (batch, count, 0);
        }
        if self.sent < self.batch.len() {
            let sent = self.client.stream.write(&self.batch[self.sent..]);
            self.sent += at_once(sent)?;
        }
        self.awaited -= at_once(self.client.receive())?;
        Ok(true)
    }
}

/// Clients that send one request each, a byte a second.
struct Dripping {
    clients: Vec<Client>,
    request: Vec<u8>,
    /// Bytes sent by all.
    sent: usize,
    begun: Instant,
}

impl Dripping {
    fn new(server: &Server, clients: usize) -> Self {
        Self {
            clients: (0..clients)
                .map(|_| Client::never_waiting(server.port))
                .collect(),
            request: request(&["PING"]),
            sent: 0,
            begun: Instant::now(),
        }
    }

    /// Sends the next byte if it is due; whether there are more.
    fn step(&mut self, now: Instant) -> bool {
        let count = self.clients.len();
        if self.sent == count * self.request.len() {
            return false;
        }
        let due = self.begun + Duration::from_secs(1) * self.sent as u32 / count as u32;
        if now >= due {
            let byte = self.request[self.sent / count];
            let client = &mut self.clients[self.sent % count];
            client.stream.write_all(&[byte]).expect("a write");
            self.sent += 1;
        }
        true
    }
}

/// One of the connections that ask.
struct Asking {
    client: Client,
    due: Instant,
    /// Since when it has no request to wait for.
    free: Option<Instant>,
}

/// How long requests took.
#[derive(Default)]
struct Waits {
    /// From when each was due to its reply.
    waited: Vec<Duration>,
    /// From when each was due to when it was sent, where its connection was free: the delay of the load itself.
    late: Vec<Duration>,
}

impl Waits {
    /// A row of the table, in µs.
    fn row(mut self) -> [u128; 5] {
        self.waited.sort_unstable();
        self.late.sort_unstable();
        let at = |sorted: &[Duration], part: f64| {
            sorted[((sorted.len() - 1) as f64 * part) as usize].as_micros()
        };
        let waited = |part| at(&self.waited, part);
        [
            waited(0.5),
            waited(0.99),
            waited(0.999),
            waited(1.0),
            at(&self.late, 0.999),
        ]
    }
}

/// Sends GETs when they are due, one at a time on each connection, as long as what happens `beside` goes on.
///
/// A request that is due while its connection still waits counts from when it was due, so that a pause of the server
/// shows in all requests that it holds up. All is done by one thread, which never waits.
fn drive(server: &Server, rate: f64, mut beside: impl FnMut() -> bool) -> Waits {
    let get = request(&["GET", "some"]);
    let connected: Vec<_> = (0..CLIENTS)
        .map(|_| Client::never_waiting(server.port))
        .collect();
    // From here on: nobody is late because others still had to connect.
    let begun = Instant::now();
    let asking = |(index, client)| Asking {
        client,
        due: begun + Duration::from_secs_f64(index as f64 / rate),
        free: Some(begun),
    };
    let mut clients: Vec<Asking> = connected.into_iter().enumerate().map(asking).collect();
    let interval = Duration::from_secs_f64(CLIENTS as f64 / rate);
    let mut waits = Waits::default();
    while beside() {
        for Asking { client, due, free } in &mut clients {
            if free.is_none() {
                let replies = at_once(client.receive());
                if replies.unwrap_or_else(|error| panic!("{}: {error}", server.name)) == 0 {
                    continue;
                }
                let now = Instant::now();
                waits.waited.push(now - *due);
                *due = if interval.is_zero() {
                    now
                } else {
                    *due + interval
                };
                *free = Some(now);
            }
            let now = Instant::now();
            if let Some(since) = *free
                && now >= *due
            {
                waits.late.push(now - since.max(*due));
                client.stream.write_all(&get).expect("a write");
                *free = None;
            }
        }
    }
    waits
}
