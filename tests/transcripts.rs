//! Plays `tests/transcripts/*.txt` under RESP2 and RESP3: against this workspace's server, and against a real Redis
//! where one is installed, which must give the same replies.
//!
//! `RESP_TEST_SERVER=/path/to/program` names another build of the workspace's server;
//! `RESP_TEST_FILES=strings,keys` plays those files only.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use server::commands::COMMANDS;
use tests::commands::callable;
use tests::player::{play, version};
use tests::server_process::{ServerProcess, real_server, server_under_test};
use tests::transcript::{Transcript, commands};

/// Asked of this workspace's server, whatever version it reports: it has options that came after that version.
const EVERY_FEATURE: (u32, u32) = (u32::MAX, u32::MAX);

#[test]
fn the_server_replies_as_written() {
    let program = server_under_test().expect("the server builds");
    report(&play_all(&program, Some(EVERY_FEATURE)));
}

#[test]
fn a_real_redis_replies_as_written() {
    let Some(program) = real_server() else {
        // Past the capture of the test harness, which hides what a passing test prints.
        writeln!(std::io::stderr(), "NOT COMPARED: no redis-server on PATH")
            .expect("stderr is open");
        return;
    };
    report(&play_all(&program, None));
}

#[test]
fn every_command_has_a_transcript() {
    let mut played = BTreeSet::new();
    for path in all_files() {
        let text = fs::read_to_string(&path).expect("a transcript is readable");
        for call in commands(&text).expect("a legal transcript") {
            let words: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
            if let Ok(command) = COMMANDS.resolve(&words) {
                played.insert(&command.name);
            }
        }
    }
    let missing: Vec<_> = callable()
        .map(|command| &command.name)
        .filter(|name| !played.contains(name))
        .collect();
    assert!(missing.is_empty(), "no transcript of {missing:?}");
}

#[track_caller]
fn report(differences: &[String]) {
    let mut counts = BTreeMap::<&str, usize>::new();
    for difference in differences {
        *counts
            .entry(difference.split([':', '\n']).next().unwrap_or_default())
            .or_default() += 1;
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(file, count)| format!("{count:>5} {file}"))
        .collect();
    assert!(
        differences.is_empty(),
        "replies differ\n\n{}\n\n{} difference(s)\n{}\n",
        differences.join("\n\n"),
        differences.len(),
        counts.join("\n")
    );
}

/// Plays every file in both protocols, each on a fresh server; `features` of `None`: those of the version it reports.
fn play_all(program: &Path, features: Option<(u32, u32)>) -> Vec<String> {
    let mut differences = Vec::new();
    for path in files() {
        let file = format!(
            "tests/transcripts/{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        let text = fs::read_to_string(&path).expect("a transcript is readable");
        let transcript = Transcript::parse(&text).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        for protocol in [2, 3] {
            match ServerProcess::start(program, &transcript.options) {
                Ok(server) => {
                    let features = features.map_or_else(|| version(server.address()), Ok);
                    match features {
                        Ok(features) => {
                            differences.extend(play(
                                &transcript,
                                &file,
                                server.address(),
                                protocol,
                                features,
                            ));
                        }
                        Err(fault) => differences.push(format!("{file}: {fault}")),
                    }
                }
                Err(error) => differences.push(format!("{file}: {error}")),
            }
        }
    }
    differences
}

/// The transcripts in alphabetical order, or those that `RESP_TEST_FILES` names.
fn files() -> Vec<PathBuf> {
    let mut files = all_files();
    if let Ok(wanted) = env::var("RESP_TEST_FILES") {
        let wanted: Vec<&str> = wanted.split(',').collect();
        files.retain(|path| {
            path.file_stem()
                .is_some_and(|stem| wanted.iter().any(|name| stem == *name))
        });
    }
    assert!(!files.is_empty(), "RESP_TEST_FILES names no transcript");
    files
}

/// The transcripts in alphabetical order.
fn all_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let entries = fs::read_dir(&folder).expect("tests/transcripts is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder's entry").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(
        !files.is_empty(),
        "no transcript to play in {}",
        folder.display()
    );
    files
}
