//! Ten times the input costs at most eleven times the instructions, for each family of input, whole and in pieces; and a
//! wrong password costs as many wherever it is wrong.
//!
//! Counted by valgrind, so that no other program on the machine matters; where it is missing, the test says so. The
//! program runs itself: with `workload FAMILY SIZE PIECE` it is what is counted. `RESP_LINEAR=map` counts one family only.

use std::env;
use std::process::{Command, ExitCode};

use server::client_state::Peer;
use server::config::Config;
use server::engine::{Engine, Now};
use server::output::Output;

use resp::{Decoder, Limits, Protocol, RequestDecoder, frame_len};

/// A piece that takes in every input.
const WHOLE: usize = 1 << 30;

/// Sizes of pieces, and the input in bytes to start from, enough for some pieces.
const PIECES: &[(usize, usize)] = &[
    (1, 2 * 1024),
    (160, 8 * 1024),
    (16 * 1024, 32 * 1024),
    (WHOLE, 8 * 1024),
];

/// Arguments of a command to start from.
const ELEMENTS: usize = 300;

const NOW: Now = Now {
    unix_us: 1_700_000_000_000_000,
    monotonic_us: 1,
};

/// What is counted, at least: starting a process costs some ten thousand instructions more or less.
const LEAST_INSTRUCTIONS: u64 = 1_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["workload", family, bytes, piece] => {
            let number = |text: &str| text.parse().expect("a number");
            work(family, number(bytes), number(piece));
            ExitCode::SUCCESS
        }
        // A filter that is meant for other tests.
        [first, ..] if !first.starts_with('-') && !"linear".contains(first) => ExitCode::SUCCESS,
        _ => compare(),
    }
}

/// Counts every family at two sizes.
fn compare() -> ExitCode {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("NOT COUNTED: no valgrind on PATH");
        return ExitCode::SUCCESS;
    }
    let wanted = env::var("RESP_LINEAR").unwrap_or_default();
    let mut code = ExitCode::SUCCESS;
    let input = FRAMES.iter().chain(REQUESTS);
    let input =
        input.flat_map(|(name, _)| PIECES.iter().map(|(piece, bytes)| (*name, piece, bytes)));
    let commands = COMMANDS.iter().map(|(name, _)| (*name, &WHOLE, &ELEMENTS));
    for (family, piece, bytes) in input.chain(commands) {
        if family.contains(&wanted) {
            let start = instructions(&[family, "0", &piece.to_string()]);
            let count = |bytes: usize| {
                instructions(&[family, &bytes.to_string(), &piece.to_string()]) - start
            };
            let (mut bytes, mut one) = (*bytes, count(*bytes));
            while one < LEAST_INSTRUCTIONS {
                bytes *= 4;
                one = count(bytes);
            }
            let ten = count(10 * bytes);
            let ratio = ten as f64 / one as f64;
            let cut = if *piece == WHOLE {
                "whole".to_owned()
            } else {
                format!("in pieces of {piece}")
            };
            println!(
                "{family:20} {cut:>18}: {:6.1} instructions for each of {bytes}, {ratio:5.2} times for 10 times the input",
                one as f64 / bytes as f64
            );
            if ten > 11 * one {
                eprintln!("more than 11 times: {family} {cut}");
                code = ExitCode::FAILURE;
            }
        }
    }
    if "AUTH".contains(&wanted) && !passwords_cost_the_same() {
        code = ExitCode::FAILURE;
    }
    code
}

/// Whether no count tells how a password is wrong, but for one in a hundred.
fn passwords_cost_the_same() -> bool {
    let count = |index: usize| {
        let tried = |times| instructions(&["AUTH", &index.to_string(), times]);
        tried("1") - tried("0")
    };
    let counts: Vec<u64> = (0..WRONG_PASSWORDS.len()).map(count).collect();
    let mut same = true;
    for ((name, _), count) in WRONG_PASSWORDS.iter().zip(&counts) {
        println!("AUTH, {name}: {count} instructions");
        if count.abs_diff(counts[0]) > counts[0] / 100 {
            eprintln!("not as many as for {}: {name}", WRONG_PASSWORDS[0].0);
            same = false;
        }
    }
    same
}

/// The instructions of one workload, the start of its process included.
fn instructions(workload: &[&str]) -> u64 {
    let output = Command::new("valgrind")
        .args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
        ])
        .arg(env::current_exe().expect("its own path"))
        .arg("workload")
        .args(workload)
        .output()
        .expect("valgrind starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{workload:?}: {text}");
    let count = text
        .lines()
        .find_map(|line| line.split_once("I refs:"))
        .or_else(|| text.lines().find_map(|line| line.split_once("I   refs:")));
    let digits: String = count
        .unwrap_or_else(|| panic!("a count in {text}"))
        .1
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().expect("a count")
}

/// A family's name and its input of about so many bytes.
type Family = (&'static str, fn(usize) -> String);

const FRAMES: &[Family] = &[
    ("small-frames", |bytes| {
        repeated("+OK\r\n:12345\r\n$3\r\nabc\r\n_\r\n,1.5\r\n", bytes)
    }),
    ("array-of-bulks", |bytes| {
        aggregate("*", "$3\r\nabc\r\n", bytes)
    }),
    ("map", |bytes| aggregate("%", "+key\r\n:1\r\n", bytes)),
    ("nested", |bytes| {
        repeated(&("*1\r\n".repeat(100) + "*0\r\n"), bytes)
    }),
    ("one-bulk", |bytes| {
        format!("${bytes}\r\n{}\r\n", "x".repeat(bytes))
    }),
    ("one-line", |bytes| format!("+{}\r\n", "x".repeat(bytes))),
    ("big-number", |bytes| format!("({}\r\n", "7".repeat(bytes))),
    ("streamed-string", |bytes| {
        format!("$?\r\n{};0\r\n", repeated(";3\r\nabc\r\n", bytes))
    }),
    ("streamed-array", |bytes| {
        format!("*?\r\n{}.\r\n", repeated("*?\r\n:1\r\n.\r\n", bytes))
    }),
    ("attributes", |bytes| {
        aggregate(
            "*",
            "|2\r\n+a\r\n|0\r\n:1\r\n+b\r\n:2\r\n|0\r\n_\r\n",
            bytes,
        )
    }),
    ("one-attribute", |bytes| {
        aggregate("|", "+a\r\n:1\r\n", bytes) + "_\r\n"
    }),
];

const REQUESTS: &[Family] = &[
    ("set-requests", |bytes| {
        repeated("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n", bytes)
    }),
    ("one-request", |bytes| {
        aggregate("*", "$3\r\nabc\r\n", bytes)
    }),
    ("inline-requests", |bytes| {
        repeated("SET key \"a b\"\r\n", bytes)
    }),
    ("one-inline-request", |bytes| {
        repeated("'a' \"\\x41\" b ", bytes) + "\n"
    }),
    ("ignored-requests", |bytes| repeated("*0\r\n\r\n", bytes)),
];

/// Calls of commands that take any number of arguments: what stands behind `…` is repeated, each `#` another number.
const COMMANDS: &[(&str, &[&str])] = &[
    ("MSET", &["MSET … # a", "MSET … # b", "MGET … #"]),
    ("DEL", &["MSET … # a", "EXISTS … #", "DEL … #"]),
    ("SADD", &["SADD s … #", "SMISMEMBER s … #", "SREM s … #"]),
    ("HSET", &["HSET h … # a", "HMGET h … #", "HDEL h … #"]),
    ("RPUSH", &["RPUSH l … #", "LPUSH l … #", "LPOP l 1000000"]),
    ("SUNIONSTORE", &["SUNIONSTORE to … #"]),
    ("WATCH", &["WATCH … #", "UNWATCH"]),
    ("BLPOP", &["BLPOP … #"]),
    ("BITFIELD", &["BITFIELD b … SET u8 # 1"]),
];

/// Long, so that comparing it is what AUTH takes.
const PASSWORD_BYTES: usize = 1 << 20;

/// How a password is wrong, and which one that is, made from the right one.
type Wrong = (&'static str, fn(String) -> String);

const WRONG_PASSWORDS: &[Wrong] = &[
    ("last byte", |right| right[1..].to_owned() + "x"),
    ("first byte", |right| "x".to_owned() + &right[1..]),
    ("one byte less", |right| right[1..].to_owned()),
    ("one byte more", |right| right + "s"),
];

fn repeated(unit: &str, bytes: usize) -> String {
    unit.repeat(bytes / unit.len())
}

fn aggregate(kind: &str, unit: &str, bytes: usize) -> String {
    let count = bytes / unit.len();
    format!("{kind}{}\r\n{}", count, unit.repeat(count))
}

/// Reads so many bytes of a family, or runs its commands with so many elements; with none, only starts.
fn work(family: &str, bytes: usize, piece: usize) {
    let named = |(name, _): &&Family| *name == family;
    if let Some((_, input)) = FRAMES.iter().find(named) {
        if bytes > 0 {
            frames(input(bytes).as_bytes(), piece);
        }
    } else if let Some((_, input)) = REQUESTS.iter().find(named) {
        if bytes > 0 {
            requests(input(bytes).as_bytes(), piece);
        }
    } else if let Some((_, calls)) = COMMANDS.iter().find(|(name, _)| *name == family) {
        commands(calls, bytes);
    } else if family == "AUTH" {
        authenticate(WRONG_PASSWORDS[bytes].1, piece);
    } else {
        panic!("no family {family}");
    }
}

/// Tries a wrong password so many times.
fn authenticate(wrong: fn(String) -> String, times: usize) {
    let password = "s".repeat(PASSWORD_BYTES);
    let mut config = Config::default();
    config.requirepass = password.clone().into_bytes();
    let mut engine = Engine::new(config, 1, NOW);
    let client = engine.connect(Peer::default(), NOW);
    let password = wrong(password);
    for _ in 0..times {
        let mut reply = Output::new();
        engine.execute(client, &[b"AUTH", password.as_bytes()], &mut reply, NOW);
        assert!(reply.to_vec().starts_with(b"-WRONGPASS"));
    }
}

fn frames(input: &[u8], piece: usize) {
    let mut decoder = Decoder::new(Limits::client());
    let mut encoded = 0;
    in_pieces(input, piece, |buffer| {
        let frames = decoder.decode(buffer).expect("legal frames");
        for frame in &frames {
            // Whatever walks a frame has to be linear too.
            encoded += frame_len(frame, Protocol::Resp2) + frame.to_string().len();
            assert!(frame == frame.to_frame().as_ref());
        }
        frames.consumed()
    });
    assert!(encoded > 0);
}

fn requests(input: &[u8], piece: usize) {
    let limits = Limits {
        line_bytes: usize::MAX,
        ..Limits::server()
    };
    let mut decoder = RequestDecoder::new(limits);
    let mut arguments = 0;
    in_pieces(input, piece, |buffer| {
        let requests = decoder.decode(buffer).expect("legal requests");
        arguments += requests.map(resp::RequestRef::len).sum::<usize>();
        requests.consumed()
    });
    assert!(arguments > 0 || input.starts_with(b"*0"));
}

/// Runs calls of so many elements on an engine.
fn commands(calls: &[&str], elements: usize) {
    let mut engine = Engine::new(Config::default(), 1, NOW);
    let client = engine.connect(Peer::default(), NOW);
    for call in calls {
        let (once, repeated) = call.split_once('…').unwrap_or((call, ""));
        if !repeated.is_empty() && elements == 0 {
            continue;
        }
        let once = once.split_whitespace().map(str::to_owned);
        let repeated = (0..elements).flat_map(|number| {
            let words = repeated.split_whitespace();
            words.map(move |word| word.replace('#', &number.to_string()))
        });
        let args: Vec<String> = once.chain(repeated).collect();
        let args: Vec<&[u8]> = args.iter().map(String::as_bytes).collect();
        let mut reply = Output::new();
        engine.execute(client, &args, &mut reply, NOW);
        assert!(!reply.to_vec().starts_with(b"-"), "{call}");
    }
}

/// Shows the input as a connection does, and sees that all of it is used. No byte of it is copied.
fn in_pieces(input: &[u8], piece: usize, mut decode: impl FnMut(&[u8]) -> usize) {
    let (mut start, mut end) = (0, 0);
    while end < input.len() {
        end = (end + piece).min(input.len());
        loop {
            let consumed = decode(&input[start..end]);
            if consumed == 0 {
                break;
            }
            start += consumed;
        }
    }
    assert_eq!(start, input.len());
}
