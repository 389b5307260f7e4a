//! Long mixed load on this workspace's server, which has to leave its memory as it was.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::load::{Client, request};
use crate::process::Server;

/// Keys of each type that the load chooses among.
const KEYS: u64 = 10_000;

/// Requests a second of each mixed load. What lives at a time depends on it where keys expire: as fast as it goes, the data
/// would grow and shrink with the machine's other work.
const MIXED_RATE: f64 = 40_000.0;

/// The server's memory at the end in terms of what it was after a quarter of the time.
const MOST_GROWTH: f64 = 1.1;

/// What all kinds of load share.
struct Shared {
    port: u16,
    over: AtomicBool,
    done: AtomicU64,
}

/// One turn of a kind of load.
type Load = fn(&Shared, &mut Random) -> std::io::Result<()>;

/// Kinds of load, each on a thread of its own, again and again until the time is over.
const LOADS: &[(&str, Load)] = &[
    ("mixed", mixed),
    ("mixed", mixed),
    ("churn", churn),
    ("messages", messages),
    ("blocking", blocking),
    ("large", large),
];

/// Loads the server for so many minutes; fails where its memory has grown.
pub(crate) fn soak(minutes: u64) -> ExitCode {
    let server = Server::ours(false, &["--hz", "50"]);
    let shared = Arc::new(Shared {
        port: server.port,
        over: AtomicBool::new(false),
        done: AtomicU64::new(0),
    });
    let threads: Vec<_> = (1..)
        .zip(LOADS)
        .map(|(seed, (name, load))| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let mut random = Random(seed);
                while !shared.over.load(Ordering::Relaxed) {
                    load(&shared, &mut random).unwrap_or_else(|error| panic!("{name}: {error}"));
                }
            })
        })
        .collect();
    let samples = watch(&server, &shared, Duration::from_secs(60 * minutes));
    let samples = samples.expect("the server tells of itself");
    shared.over.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("the load goes on");
    }
    let settled = samples[samples.len() / 4 - 1];
    let last = samples[samples.len() - 1];
    let growth = last as f64 / settled as f64;
    println!("\nFrom {settled} KiB to {last} KiB: × {growth:.2}, to be below {MOST_GROWTH}");
    if growth < MOST_GROWTH {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints a line for each twentieth of the time; the server's memory in KiB at each.
fn watch(server: &Server, shared: &Shared, time: Duration) -> std::io::Result<Vec<u64>> {
    println!("| seconds | KiB in RAM | used_memory KiB | requests | processor time s |");
    println!("|--:|--:|--:|--:|--:|");
    let begun = Instant::now();
    let mut client = Client::connect(shared.port)?;
    let mut samples = Vec::new();
    for part in 1..=20 {
        std::thread::sleep((begun + time * part / 20).saturating_duration_since(Instant::now()));
        let resident = server.resident_kib();
        println!(
            "| {:7} | {resident:10} | {:15} | {:9} | {:7.1} |",
            begun.elapsed().as_secs(),
            client.info("used_memory")? / 1024,
            shared.done.load(Ordering::Relaxed),
            server.cpu().as_secs_f64()
        );
        samples.push(resident);
    }
    Ok(samples)
}

/// Reads and writes of every type, in pipelines; some keys expire soon.
fn mixed(shared: &Shared, random: &mut Random) -> std::io::Result<()> {
    let mut client = Client::connect(shared.port)?;
    let begun = Instant::now();
    let mut sent = 0;
    for _ in 0..200 {
        let mut requests = Vec::new();
        let pipeline = 1 + random.below(40) as usize;
        for _ in 0..pipeline {
            requests.extend(request_of(random));
        }
        client.exchange(&requests, pipeline)?;
        shared.done.fetch_add(pipeline as u64, Ordering::Relaxed);
        sent += pipeline;
        let due = begun + Duration::from_secs_f64(sent as f64 / MIXED_RATE);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn request_of(random: &mut Random) -> Vec<u8> {
    let (key, member) = (random.below(KEYS), random.below(50).to_string());
    let value = "x".repeat(random.below(200) as usize);
    let named = |kind: &str| format!("{kind}:{key}");
    match random.below(16) {
        0..3 => request(&["SET", &named("s"), &value, "PX", "1000"]),
        3..6 => request(&["GET", &named("s")]),
        6 => request(&["INCR", &named("n")]),
        7 => request(&["RPUSH", &named("l"), &value]),
        8 => request(&["LTRIM", &named("l"), "-20", "-1"]),
        9 => request(&["HSET", &named("h"), &member, &value]),
        10 => request(&["HGETALL", &named("h")]),
        11 => request(&["SADD", &named("e"), &member]),
        12 => request(&["ZADD", &named("z"), &member, &value]),
        13 => request(&["ZREMRANGEBYRANK", &named("z"), "20", "-1"]),
        14 => request(&["PEXPIRE", &named("z"), "5000"]),
        _ => request(&["DEL", &named("e"), &named("h")]),
    }
}

/// Connections that come and go, some in the middle of a request, a transaction, or replies that they do not read.
fn churn(shared: &Shared, random: &mut Random) -> std::io::Result<()> {
    let mut client = Client::connect(shared.port)?;
    match random.below(4) {
        0 => client.exchange(&request(&["PING"]), 1)?,
        1 => client.stream.write_all(b"*3\r\n$3\r\nSET\r\n$1")?,
        2 => client.exchange(
            &[request(&["MULTI"]), request(&["SET", "k", "v"])].concat(),
            2,
        )?,
        _ => client
            .stream
            .write_all(&request(&["LRANGE", "l:1", "0", "-1"]).repeat(100))?,
    }
    shared.done.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Many messages to subscribers, one of which does not read.
fn messages(shared: &Shared, random: &mut Random) -> std::io::Result<()> {
    let mut publisher = Client::connect(shared.port)?;
    let mut subscribers = Vec::new();
    for _ in 0..4 {
        let mut subscriber = Client::connect(shared.port)?;
        subscriber.exchange(&request(&["SUBSCRIBE", "c"]), 1)?;
        subscribers.push(subscriber);
    }
    let message = request(&["PUBLISH", "c", &"x".repeat(1 + random.below(300) as usize)]);
    for _ in 0..50 {
        publisher.exchange(&message.repeat(10), 10)?;
        for subscriber in &mut subscribers[1..] {
            subscriber.exchange(b"", 10)?;
        }
        shared.done.fetch_add(10, Ordering::Relaxed);
    }
    Ok(())
}

/// A queue between two connections.
fn blocking(shared: &Shared, _: &mut Random) -> std::io::Result<()> {
    let (mut taker, mut giver) = (Client::connect(shared.port)?, Client::connect(shared.port)?);
    for _ in 0..200 {
        taker.stream.write_all(&request(&["BLPOP", "queue", "0"]))?;
        giver.exchange(&request(&["RPUSH", "queue", "job"]), 1)?;
        taker.exchange(b"", 1)?;
        shared.done.fetch_add(2, Ordering::Relaxed);
    }
    Ok(())
}

/// Large values, written, read in a pipeline, and removed.
fn large(shared: &Shared, random: &mut Random) -> std::io::Result<()> {
    let mut client = Client::connect(shared.port)?;
    let value = "x".repeat(100_000 + random.below(2_000_000) as usize);
    let key = format!("large:{}", random.below(20));
    client.exchange(&request(&["SET", &key, &value]), 1)?;
    client.exchange(&request(&["GET", &key]).repeat(5), 5)?;
    client.exchange(&request(&["UNLINK", &key]), 1)?;
    shared.done.fetch_add(7, Ordering::Relaxed);
    // Not all the time: the rest is to be heard too.
    std::thread::sleep(Duration::from_millis(50));
    Ok(())
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % count
    }
}
