//! What keys cost, counted at the allocator: no more than planned, and as much as the keyspace says.
//!
//! A binary of its own with one test, so that nothing else allocates meanwhile.

// A global allocator can't be had without: each call goes to the system's, with the size counted.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use server::client_state::Peer;
use server::config::Config;
use server::engine::{Engine, Now};
use server::output::Output;
use server::value::allocated;

struct Counting;

/// Bytes in use, with what glibc's allocator adds to each allocation.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every method hands its arguments to the system's allocator unchanged and returns what that returns.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(allocated(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise is the system allocator's condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(allocated(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise is the system allocator's condition.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        IN_USE.fetch_add(allocated(size), Ordering::Relaxed);
        IN_USE.fetch_sub(allocated(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise is the system allocator's condition.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KEYS: usize = 100_000;

/// Keys that are there before: with them, what a database has once and not for each key.
const BEFORE: usize = 4_000;

/// Bytes of each key: counted, and by MEMORY USAGE of one.
struct Bytes {
    counted: usize,
    usage: usize,
}

fn fill(call: impl Fn(usize) -> String) -> Bytes {
    let mut now = Now {
        unix_us: 1_700_000_000_000_000,
        monotonic_us: 0,
    };
    let mut engine = Engine::new(Config::default(), 1, now);
    let id = engine.connect(Peer::default(), now);
    let mut run = |engine: &mut Engine, line: &str| {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let mut out = Output::new();
        now = now.after_ms(1);
        engine.execute(id, &args, &mut out, now);
        String::from_utf8_lossy(&out.to_vec())
            .trim_start_matches(':')
            .trim_end()
            .to_owned()
    };
    let mut set = |engine: &mut Engine, indexes: std::ops::Range<usize>| {
        for index in indexes {
            let reply = run(engine, &call(index));
            assert!(!reply.starts_with('-'), "{reply}");
        }
    };
    set(&mut engine, KEYS..KEYS + BEFORE);
    let (in_use, kept) = (
        IN_USE.load(Ordering::Relaxed),
        engine.keyspace().memory_bytes(),
    );
    set(&mut engine, 0..KEYS);
    let in_use = IN_USE.load(Ordering::Relaxed) - in_use;
    let kept = engine.keyspace().memory_bytes() - kept;
    assert!(
        in_use.abs_diff(kept) <= KEYS,
        "{in_use} bytes and not {kept}"
    );
    let call = call(12_345);
    let key = call.split(' ').nth(1).unwrap_or_default();
    let usage = run(&mut engine, &format!("MEMORY USAGE {key}"));
    let keys = run(&mut engine, "DBSIZE");
    assert_eq!(keys, (KEYS + BEFORE).to_string());
    Bytes {
        counted: in_use / KEYS,
        usage: usage.parse().unwrap_or_default(),
    }
}

#[test]
fn keys_take_what_was_planned_and_the_books_are_true() {
    let hash = |i: usize| {
        let age = i % 90;
        format!("HSET user:{i} name name{i} age {age} mail u{i}@example.org city Paris n {i}")
    };
    let cases = [
        ("hashes of five fields", fill(hash), 150, 140),
        (
            "strings",
            fill(|i| format!("SET key:{i:010} {i:016}")),
            70,
            60,
        ),
        (
            "strings with a time",
            fill(|i| format!("SET key:{i:010} v{i:015} EX 86400")),
            118,
            105,
        ),
    ];
    for (name, bytes, most, usage) in cases {
        let Bytes { counted, .. } = bytes;
        assert!(counted <= most, "{name}: {counted} bytes");
        assert_eq!(bytes.usage, usage, "{name}");
    }
}
