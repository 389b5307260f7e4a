//! Random sequences of calls, played on the engine and on a real Redis, which must answer alike: see
//! [`tests::side_by_side`].
//!
//! `RESP_DIFFERENTIAL_STEPS`, `RESP_DIFFERENTIAL_MINUTES` and `RESP_DIFFERENTIAL_SEED` make longer and other runs;
//! `RESP_DIFFERENTIAL_ONLY=zset,geo` keeps to commands and groups whose names begin so (besides a few that every run
//! has).

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use server::command::Registered;
use tests::agreement::{left_out, name};
use tests::commands::{SHORT_EXPIRY_MS, below, call, callable, chance};
use tests::random::Random;
use tests::report::report;
use tests::server_process::{ServerProcess, real_server};
use tests::side_by_side::{CALLERS, Difference, Outcome, Sequence, Step, play};

/// Calls of a run that no variable prolongs: some seconds.
const STEPS: usize = 15_000;

/// Calls of one sequence.
const SEQUENCE_STEPS: usize = 80;

/// Plays that shrinking one sequence may cost.
const SHRINKING_PLAYS: usize = 600;

/// Differing commands after which a run ends.
const MOST_DIFFERENCES: usize = 40;

#[test]
fn the_engine_answers_as_a_real_redis() {
    let Some(program) = real_server() else {
        say("NOT COMPARED: no redis-server on PATH");
        return;
    };
    let debug = ("enable-debug-command".to_owned(), "local".to_owned());
    let server = ServerProcess::start(&program, &[debug]).expect("redis-server starts");
    let mut run = Run {
        address: server.address(),
        seed: variable("SEED").unwrap_or(1),
        only: env::var("RESP_DIFFERENTIAL_ONLY").unwrap_or_default(),
        found: BTreeMap::new(),
        steps: 0,
        late: 0,
        unconfirmed: 0,
    };
    let limit = variable("MINUTES").map(|minutes| Duration::from_secs(60 * minutes));
    let steps = match (variable("STEPS"), limit) {
        (Some(steps), _) => steps as usize,
        (None, Some(_)) => usize::MAX,
        (None, None) => STEPS,
    };
    let started = Instant::now();
    let mut number = 0;
    while run.steps < steps
        && limit.is_none_or(|limit| started.elapsed() < limit)
        && run.found.len() < MOST_DIFFERENCES
    {
        run.sequence(number);
        number += 1;
    }
    say(&format!(
        "differential: {} steps in {number} sequences from seed {}, {} given up as late, {} not seen again",
        run.steps, run.seed, run.late, run.unconfirmed
    ));
    let reports: Vec<String> = run.found.into_values().collect();
    assert!(
        reports.is_empty(),
        "the engine (+) and Redis (-) differ\n\n{}\n{} difference(s)",
        reports.join("\n\n"),
        reports.len()
    );
}

/// Past the capture of the test harness, which hides what a passing test prints.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr is open");
}

fn variable(name: &str) -> Option<u64> {
    env::var(format!("RESP_DIFFERENTIAL_{name}"))
        .ok()?
        .parse()
        .ok()
}

struct Run {
    address: SocketAddr,
    seed: u64,
    only: String,
    /// Reports by the command that differed; it is not called again.
    found: BTreeMap<String, String>,
    steps: usize,
    late: usize,
    unconfirmed: usize,
}

impl Run {
    fn sequence(&mut self, number: u64) {
        let sequence = self.generated(number);
        match play(&sequence, self.address).expect("the real server answers") {
            Outcome::Agreed(calls) => self.steps += calls,
            Outcome::Late => self.late += 1,
            Outcome::Differed(first) => {
                self.steps += first.step;
                let Some((shrunk, difference)) = shrink(&sequence, self.address) else {
                    self.unconfirmed += 1;
                    say(&format!(
                        "not seen again: {}",
                        report(&format!("sequence {number}"), &sequence, &first)
                    ));
                    return;
                };
                let text = report(&format!("sequence {number}"), &shrunk, &difference);
                say(&text);
                self.found.insert(difference.command, text);
            }
        }
    }

    fn generated(&self, number: u64) -> Sequence {
        let mut random = Random::new(self.seed ^ number.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let commands = self.commands(&mut random);
        // Waiting for expiries takes a quarter of a second: few sequences have them.
        let short = random.byte() < 10;
        let mut sequence = Sequence {
            protocol: 2 + random.byte() % 2,
            small_thresholds: random.byte() % 2 == 1,
            // A miss shows in the reply, too; in which order there were several is for `lookups.rs`.
            tells_misses: false,
            steps: Vec::new(),
        };
        let mut in_transaction = [false; CALLERS];
        let mut is_pending = false;
        while sequence.steps.len() < SEQUENCE_STEPS {
            let bytes = random.bytes(768);
            let mut u = Unstructured::new(&bytes);
            let client = usize::from(chance(&mut u, 5).unwrap_or_default());
            let chosen = below(&mut u, commands.len()).unwrap_or_default();
            let mut made = match commands.get(chosen) {
                _ if in_transaction[client] && chance(&mut u, 6).unwrap_or_default() => {
                    vec![b"EXEC".to_vec()]
                }
                Some(command) => call(&mut u, command).unwrap_or_default(),
                None => return sequence,
            };
            let name = name(&made);
            let seldom = match name.as_str() {
                "flushall" | "flushdb" | "swapdb" | "reset" | "select" => 8,
                "multi" => 2,
                _ => 1,
            };
            if left_out(&made).is_some()
                || self.found.contains_key(&name)
                || !random.byte().is_multiple_of(seldom)
            {
                continue;
            }
            let expiry = SHORT_EXPIRY_MS.to_string().into_bytes();
            for word in &mut made {
                if *word == expiry && !short {
                    word.extend(b"000");
                }
            }
            is_pending |= made.contains(&expiry);
            match name.as_str() {
                "multi" => in_transaction[client] = true,
                "exec" | "discard" | "reset" => in_transaction[client] = false,
                _ => {}
            }
            sequence.steps.push(Step::Call { client, call: made });
            if is_pending && random.byte() < 60 {
                sequence.steps.push(Step::Wait);
                is_pending = false;
            }
        }
        sequence
    }

    /// The commands of one sequence: all of them, or one group and what goes with every type.
    fn commands(&self, random: &mut Random) -> Vec<&'static Registered> {
        let all: Vec<_> = callable()
            .filter(|command| {
                let general = matches!(command.family.group, "generic" | "transactions");
                let wanted = |prefix: &str| {
                    command.name.starts_with(prefix) || command.family.group.starts_with(prefix)
                };
                general || self.only.is_empty() || self.only.split(',').any(wanted)
            })
            .collect();
        let groups: BTreeSet<_> = all.iter().map(|command| command.family.group).collect();
        let focus = groups
            .iter()
            .nth(usize::from(random.byte()) % groups.len())
            .copied();
        if random.byte() < 100 {
            return all;
        }
        let is_in_focus = |command: &&Registered| Some(command.family.group) == focus;
        let others = all.iter().copied().filter(|command| {
            matches!(command.family.group, "generic" | "transactions") && !is_in_focus(command)
        });
        // What goes with every type, seldom; the group itself, often.
        let mut chosen: Vec<_> = others.collect();
        for _ in 0..4 {
            chosen.extend(all.iter().copied().filter(is_in_focus));
        }
        chosen
    }
}

/// The shortest sequence found that still differs, and how; `None` where the difference does not come again.
fn shrink(sequence: &Sequence, address: SocketAddr) -> Option<(Sequence, Difference)> {
    let mut plays = 0;
    let mut differs = |steps: &[Step]| {
        plays += 1;
        let tried = Sequence {
            steps: steps.to_vec(),
            ..sequence.clone()
        };
        match play(&tried, address) {
            Ok(Outcome::Differed(difference)) if plays < SHRINKING_PLAYS => Some(difference),
            _ => None,
        }
    };
    let mut steps = sequence.steps.clone();
    let mut difference = (0..3).find_map(|_| differs(&steps))?;
    steps.truncate(difference.step + 1);
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if let Some(found) = differs(&fewer) {
                fewer.truncate(found.step + 1);
                (steps, difference) = (fewer, found);
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    // Then words of the calls that are left.
    for at in 0..steps.len() {
        let mut word = 1;
        while let Some(Step::Call { client, call }) = steps.get(at) {
            if word >= call.len() {
                break;
            }
            let mut shorter = call.clone();
            shorter.remove(word);
            let mut fewer = steps.clone();
            fewer[at] = Step::Call {
                client: *client,
                call: shorter,
            };
            match differs(&fewer) {
                Some(found) if found.command == difference.command => {
                    (steps, difference) = (fewer, found);
                }
                _ => word += 1,
            }
        }
    }
    Some((
        Sequence {
            steps,
            ..sequence.clone()
        },
        difference,
    ))
}
