//! Speed of the codec beside a floor and beside other codecs, on the same bytes in one run.
//!
//! `cargo bench -p resp -- [--quick | --instructions [--save]] [FILTER]`; see `benches/README.md`.

mod contestants;
mod floor;
mod hiredis;
mod inputs;
mod instructions;
mod measure;
mod workloads;

use std::process::ExitCode;
use std::time::Duration;

use measure::Workload;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let mut names = arguments.iter().filter(|name| !name.starts_with("--"));
    if has("--run") {
        let [workload, contestant, runs] =
            std::array::from_fn(|_| names.next().expect("three arguments"));
        instructions::run(workload, contestant, runs.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    let filter = names.next().map_or("", String::as_str);
    if has("--instructions") {
        return instructions::count(filter, has("--save"));
    }
    // Without Cargo's own `--bench` this is a test run.
    let budget =
        has("--bench").then(|| Duration::from_millis(if has("--quick") { 30 } else { 300 }));
    compare(filter, budget, has("--quick"));
    ExitCode::SUCCESS
}

/// Checks the contestants, and prints what they take if there is a budget of time for each of them.
fn compare(filter: &str, budget: Option<Duration>, quick: bool) {
    if budget.is_some() {
        println!("| workload | contestant | ns | × first | reach |");
        println!("|---|---|--:|--:|--:|");
    }
    for (name, make) in workloads::WORKLOADS {
        if name.contains(filter) {
            let mut workload = make();
            if quick || budget.is_none() {
                workload.contestants.retain(|contestant| !contestant.slow);
            }
            check(name, &mut workload);
            if let Some(budget) = budget {
                print(name, &mut workload, budget);
            }
        }
    }
}

/// That all find the same.
fn check(name: &str, workload: &mut Workload) {
    for contestant in workload.contestants.iter_mut().filter(|one| !one.slow) {
        let (_, units) = contestant.run(1);
        assert_eq!(units, workload.units, "{} of {name}", contestant.name);
    }
}

fn print(name: &str, workload: &mut Workload, budget: Duration) {
    let title = format!("{name}, per {}", workload.unit);
    let figures = workload.time(budget);
    for (contestant, ns) in workload.contestants.iter().zip(&figures) {
        let ratio = ns / figures[0];
        let reach = contestant.reach.map_or(String::new(), |reach| {
            format!("{} ≤ {reach:.1}", if ratio <= reach { "✓" } else { "✗" })
        });
        println!(
            "| {title:41} | {:39} | {ns:9.2} | {ratio:6.2} | {reach:7} |",
            contestant.name
        );
    }
}
