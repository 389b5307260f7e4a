//! The server beside Redis: processor time of each request, latency under load, what a second thread adds, memory under
//! long load.
//!
//! `cargo bench -p server -- [--quick] [--latency | --threads | --soak MINUTES] [FILTER]`; see `benches/README.md`.

mod latency;
mod load;
mod process;
mod soak;
mod threads;
mod throughput;

use std::process::ExitCode;

use process::Contestants;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if !has("--bench") {
        // A test run without Cargo's own flag: starting both servers is all there is to try.
        drop(Contestants::start(false));
        return ExitCode::SUCCESS;
    }
    if let Some(at) = arguments.iter().position(|word| word == "--soak") {
        let minutes = arguments.get(at + 1).and_then(|word| word.parse().ok());
        return soak::soak(minutes.unwrap_or(10));
    }
    if has("--threads") {
        threads::compare(has("--quick"));
        return ExitCode::SUCCESS;
    }
    if has("--latency") {
        let contestants = Contestants::start(true);
        if contestants.pinned {
            process::move_to_core(1);
        }
        latency::compare(&contestants, has("--quick"));
        return ExitCode::SUCCESS;
    }
    if !process::is_installed("redis-benchmark") {
        eprintln!("redis-benchmark is not installed (Debian: redis-tools), and it makes the load");
        return ExitCode::FAILURE;
    }
    let filter = arguments.iter().find(|name| !name.starts_with("--"));
    throughput::compare(filter.map_or("", String::as_str), has("--quick"));
    ExitCode::SUCCESS
}
