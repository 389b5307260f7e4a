//! Each call of `lookups.txt` on its keys in every combination of states, on the engine and on a real Redis: which keys a
//! command looks up before it gives up, and in which order, shows in what is told of expired and of missing keys.

use std::io::Write as _;

use tests::commands::Call;
use tests::report::report;
use tests::server_process::{ServerProcess, real_server};
use tests::side_by_side::{Outcome, Sequence, Step, play};

const CALLS: &str = include_str!("lookups.txt");

/// The names that stand for keys in the calls.
const KEYS: [&str; 3] = ["a", "b", "d"];

/// What a key may be: how it is made, `K` being its name.
const STATES: &[&str] = &[
    "",
    "SET K v PXAT 1",
    "SET K 12",
    "RPUSH K m 1",
    "SADD K m 1",
    "ZADD K 1 m 2 1",
    "HSET K m 1",
    "PFADD K m",
    "GEOADD K 0 0 m",
];

/// The states of a destination that nothing is read from: missing, expired, there.
const DESTINATION_STATES: usize = 3;

#[test]
fn keys_are_looked_up_as_a_real_redis_does() {
    let Some(program) = real_server() else {
        writeln!(std::io::stderr(), "NOT COMPARED: no redis-server on PATH").expect("stderr");
        return;
    };
    let debug = ("enable-debug-command".to_owned(), "local".to_owned());
    let server = ServerProcess::start(&program, &[debug]).expect("redis-server starts");
    let mut reports = Vec::new();
    let mut calls = 0;
    for call in CALLS.lines() {
        let sequence = Sequence {
            protocol: 3,
            small_thresholds: false,
            tells_misses: true,
            steps: steps(call),
        };
        match play(&sequence, server.address()).expect("the real server answers") {
            Outcome::Agreed(count) => calls += count,
            Outcome::Late => panic!("nothing waits for an expiry here"),
            Outcome::Differed(difference) => {
                // What stands before the state in which it differs has been left behind.
                let steps = &sequence.steps[..sequence.steps.len().min(difference.step + 1)];
                let last = steps
                    .iter()
                    .rposition(|step| *step_call(step) == ["FLUSHALL"]);
                let shown = Sequence {
                    steps: steps[last.unwrap_or(0)..].to_vec(),
                    ..sequence
                };
                reports.push(report(call, &shown, &difference));
            }
        }
    }
    assert!(
        reports.is_empty(),
        "the engine (+) and Redis (-) differ\n\n{}\n{} difference(s)",
        reports.join("\n\n"),
        reports.len()
    );
    assert!(calls > 10_000, "{calls}");
}

/// The call, in every combination of its keys' states.
fn steps(call: &str) -> Vec<Step> {
    let is_word = |key: &&&str| call.split(' ').any(|word| word.starts_with(**key));
    let keys: Vec<&str> = KEYS.iter().filter(is_word).copied().collect();
    let states = |key: &str| match key {
        "d" => DESTINATION_STATES,
        _ => STATES.len(),
    };
    let combinations: usize = keys.iter().map(|key| states(key)).product();
    let mut steps = Vec::new();
    for mut number in 0..combinations {
        steps.push(step("FLUSHALL"));
        for key in &keys {
            let state = STATES[number % states(key)];
            number /= states(key);
            if !state.is_empty() {
                steps.push(step(&state.replace('K', key)));
            }
        }
        steps.push(step(call));
    }
    steps
}

fn step(call: &str) -> Step {
    let call: Call = call
        .split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect();
    Step::Call { client: 0, call }
}

fn step_call(step: &Step) -> Vec<&str> {
    match step {
        Step::Wait => Vec::new(),
        Step::Call { call, .. } => (call.iter())
            .map(|word| std::str::from_utf8(word).unwrap_or_default())
            .collect(),
    }
}
