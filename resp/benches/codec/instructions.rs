//! Instructions instead of time: the same on a busy machine as on an idle one.
//!
//! Valgrind's callgrind runs this program again for each contestant, twice with different numbers of runs; the
//! difference is what the runs took, without start and setup.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::workloads::WORKLOADS;

/// Runs in the shorter and in the longer measurement; the first ones grow the decoder's memory.
const RUNS: [usize; 2] = [2, 4];

/// How many times the instructions of the last saved table are too many.
const TOLERANCE: f64 = 1.03;

/// Prints the table for the floor and this crate beside the one that was saved, or saves it.
pub(crate) fn count(filter: &str, save: bool) -> ExitCode {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("instructions are not counted: needs valgrind, which is not installed");
        return ExitCode::FAILURE;
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.md");
    let saved = std::fs::read_to_string(&path).unwrap_or_default();
    let saved = figures(&saved);
    let mut table = String::from("| workload | contestant | instructions |\n|---|---|--:|\n");
    let mut grown = false;
    println!("| workload | contestant | instructions | × saved |\n|---|---|--:|--:|");
    for (name, make) in WORKLOADS.iter().filter(|(name, _)| name.contains(filter)) {
        let workload = make();
        let title = format!("{name}, per {}", workload.unit);
        for contestant in &workload.contestants {
            if !contestant.name.starts_with("resp ") && !contestant.name.starts_with("floor") {
                continue;
            }
            let [few, many] = RUNS.map(|runs| under_callgrind(name, &contestant.name, runs));
            let runs = (RUNS[1] - RUNS[0]) as f64;
            let each = (many - few) as f64 / runs / workload.units as f64;
            let ratio = saved
                .get(&(title.clone(), contestant.name.clone()))
                .map(|before| each / before);
            grown |= ratio.is_some_and(|ratio| ratio > TOLERANCE);
            let row = format!("| {title:41} | {:39} | {each:9.2} |", contestant.name);
            let shown = ratio.map_or(String::new(), |ratio| format!("{ratio:.3}"));
            println!("{row} {shown:>7} |");
            let _infallible = writeln!(table, "{row}");
        }
    }
    if save {
        std::fs::write(&path, table).expect("the table next to the benchmark");
    } else if grown {
        eprintln!("more instructions than in {}", path.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Runs one contestant so many times, and nothing else: what callgrind looks at.
pub(crate) fn run(workload: &str, contestant: &str, runs: usize) {
    let (_, make) = WORKLOADS
        .iter()
        .find(|(name, _)| *name == workload)
        .expect("a workload's name");
    let mut workload = make();
    let contestant = workload
        .contestants
        .iter_mut()
        .find(|one| one.name == contestant)
        .expect("a contestant's name");
    contestant.run(runs);
}

fn under_callgrind(workload: &str, contestant: &str, runs: usize) -> i64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*measure::repeat*")
        .arg(std::env::current_exe().expect("this program"))
        .args(["--run", workload, contestant, &runs.to_string()])
        .output()
        .expect("valgrind");
    let report = String::from_utf8_lossy(&output.stderr);
    report
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok())
        .unwrap_or_else(|| panic!("callgrind says: {report}"))
}

fn figures(table: &str) -> HashMap<(String, String), f64> {
    table
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').skip(1).map(|cell| cell.trim().to_owned());
            let key = (cells.next()?, cells.next()?);
            Some((key, cells.next()?.parse().ok()?))
        })
        .collect()
}
