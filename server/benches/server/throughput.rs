//! Processor time of each request, with redis-benchmark as the load.

use std::process::Stdio;

use crate::load::{Client, request};
use crate::process::{Contestants, Server, on_core};

/// Connections of redis-benchmark.
const CLIENTS: &str = "50";

/// One kind of request.
struct Workload {
    name: &'static str,
    pipeline: usize,
    /// How many at a time: one or two tenths of a second.
    requests: usize,
    /// Processor time in terms of Redis' that is to be reached.
    reach: f64,
    command: &'static [&'static str],
}

const fn workload(
    name: &'static str,
    pipeline: usize,
    requests: usize,
    reach: f64,
    command: &'static [&'static str],
) -> Workload {
    Workload {
        name,
        pipeline,
        requests,
        reach,
        command,
    }
}

const KEY: &str = "key:__rand_int__";

const WORKLOADS: &[Workload] = &[
    workload("SET", 1, 50_000, 1.0, &["SET", KEY, "xxx"]),
    workload("GET", 1, 50_000, 1.0, &["GET", KEY]),
    workload("SET", 16, 300_000, 0.7, &["SET", KEY, "xxx"]),
    workload("GET", 16, 300_000, 0.7, &["GET", KEY]),
    workload("GET", 128, 750_000, 0.4, &["GET", KEY]),
    workload("INCR", 16, 300_000, 0.8, &["INCR", "counter:__rand_int__"]),
    workload("LPUSH", 16, 300_000, 0.8, &["LPUSH", "list", "xxx"]),
    workload(
        "HSET",
        16,
        300_000,
        0.8,
        &["HSET", "hash", "field:__rand_int__", "xxx"],
    ),
    workload(
        "ZADD",
        16,
        150_000,
        0.5,
        &["ZADD", "zset", "__rand_int__", "element:__rand_int__"],
    ),
    workload(
        "LRANGE of 100",
        1,
        30_000,
        1.0,
        &["LRANGE", "range", "0", "99"],
    ),
    workload(
        "MSET of 10",
        1,
        30_000,
        0.8,
        &[
            "MSET", KEY, "xxx", KEY, "xxx", KEY, "xxx", KEY, "xxx", KEY, "xxx", KEY, "xxx", KEY,
            "xxx", KEY, "xxx", KEY, "xxx", KEY, "xxx",
        ],
    ),
    workload(
        "GET of 16 KiB",
        1,
        30_000,
        1.0,
        &["GET", "large:__rand_int__"],
    ),
];

/// Keys, fields and members that requests choose among.
const RANGE: usize = 100_000;

/// How many of each are written in one pipeline.
const FILLED_AT_ONCE: usize = 1_000;

/// Keys that hold 16 KiB.
const LARGE: usize = 1_000;

/// What one run took.
#[derive(Clone, Copy)]
struct Figures {
    cpu_us: f64,
    per_second: f64,
}

/// Rounds, each with servers of its own: where a process happens to lie in memory makes some per cent, for as long as it
/// runs, and more runs of the same process would only repeat it.
const ROUNDS: usize = 30;

/// Prints the table: the medians of several rounds, and of the ratios to the first server in each of them.
pub(crate) fn compare(filter: &str, quick: bool) {
    let workloads: Vec<_> = WORKLOADS
        .iter()
        .filter(|workload| title(workload).contains(filter))
        .collect();
    let mut names = Vec::new();
    // By workload, then by server.
    let mut runs = vec![Vec::new(); workloads.len()];
    for round in 0..if quick { 1 } else { ROUNDS } {
        let contestants = Contestants::start(true);
        names = contestants.all.iter().map(|server| server.name).collect();
        for server in &contestants.all {
            fill(server);
        }
        let mut order: Vec<_> = contestants.all.iter().enumerate().collect();
        if round % 2 > 0 {
            order.reverse();
        }
        for (workload, runs) in workloads.iter().zip(&mut runs) {
            runs.resize(order.len(), Vec::new());
            for &(at, server) in &order {
                runs[at].push(run(workload, server, contestants.pinned));
            }
        }
    }
    println!("| workload | server | CPU µs | × Redis | reach | requests/s |");
    println!("|---|---|--:|--:|--:|--:|");
    for (workload, servers) in workloads.iter().zip(&runs) {
        for (name, runs) in names.iter().zip(servers) {
            let pairs = runs.iter().zip(&servers[0]);
            let ratios = pairs.map(|(run, first): (&Figures, &Figures)| run.cpu_us / first.cpu_us);
            print(workload, name, runs, median(ratios));
        }
    }
}

fn title(workload: &Workload) -> String {
    match workload.pipeline {
        1 => format!("{}, per request", workload.name),
        pipeline => format!("{}, pipeline of {pipeline}, per request", workload.name),
    }
}

fn print(workload: &Workload, server: &str, runs: &[Figures], ratio: f64) {
    let title = title(workload);
    let cpu_us = median(runs.iter().map(|run| run.cpu_us));
    let per_second = median(runs.iter().map(|run| run.per_second));
    let is_ours = server == "resp-server";
    let reach = if is_ours {
        let mark = if ratio <= workload.reach {
            "✓"
        } else {
            "✗"
        };
        format!("{mark} ≤ {:.1}", workload.reach)
    } else {
        String::new()
    };
    println!(
        "| {title:35} | {server:12} | {cpu_us:6.2} | {ratio:5.2} | {reach:7} | {per_second:9.0} |"
    );
}

/// Every key, field and member that requests choose among, also where only some workloads run.
fn fill(server: &Server) {
    let mut client = Client::connect(server.port).expect("the server listens");
    let mut send = |requests: &[Vec<u8>]| {
        let replies = requests.len();
        client
            .exchange(&requests.concat(), replies)
            .expect("replies");
    };
    for begin in (0..RANGE).step_by(FILLED_AT_ONCE) {
        let several = begin..(begin + FILLED_AT_ONCE).min(RANGE);
        let requests = several.flat_map(|number| {
            let (number, score) = (format!("{number:012}"), number * 7919 % RANGE);
            let member = format!("element:{number}");
            [
                request(&["SET", &format!("key:{number}"), "xxx"]),
                request(&["SET", &format!("counter:{number}"), "1"]),
                request(&["HSET", "hash", &format!("field:{number}"), "xxx"]),
                request(&["ZADD", "zset", &score.to_string(), &member]),
            ]
        });
        send(&requests.collect::<Vec<_>>());
    }
    let large = "x".repeat(16 * 1024);
    for key in 0..LARGE {
        send(&[request(&["SET", &format!("large:{key:012}"), &large])]);
    }
    send(&vec![request(&["RPUSH", "range", "xxx"]); 100]);
}

fn run(workload: &Workload, server: &Server, pinned: bool) -> Figures {
    let range = if workload.name.ends_with("KiB") {
        LARGE
    } else {
        RANGE
    };
    let mut benchmark = on_core(pinned.then_some(1), "redis-benchmark");
    benchmark
        .args(["-p", &server.port.to_string(), "-c", CLIENTS, "--csv"])
        .args(["-n", &workload.requests.to_string()])
        .args(["-P", &workload.pipeline.to_string()])
        .args(["-r", &range.to_string()])
        .args(workload.command)
        .stderr(Stdio::null());
    let before = server.cpu();
    let output = benchmark.output().expect("redis-benchmark runs");
    let cpu = server.cpu().saturating_sub(before);
    Figures {
        cpu_us: cpu.as_secs_f64() * 1e6 / workload.requests as f64,
        per_second: per_second(&String::from_utf8_lossy(&output.stdout)),
    }
}

/// The second column of the last line: `"GET k","81234.5",…`, with a line of titles before it or none.
fn per_second(csv: &str) -> f64 {
    let line = csv.lines().last().unwrap_or_default();
    let column = line.split("\",\"").nth(1);
    let number = column.and_then(|text| text.trim_matches('"').parse().ok());
    number.unwrap_or_else(|| panic!("no figure of redis-benchmark in {csv:?}"))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
