//! What the server tells of itself and does about its own limits, the clock moved by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use server::commands::COMMANDS;
use server::host::Host;

use crate::Server;

#[test]
fn a_command_is_slow_by_the_clock_that_the_shell_lends() {
    static CLOCK: AtomicU64 = AtomicU64::new(0);
    let mut server = Server::with(&[
        ("slowlog-log-slower-than", "1000"),
        ("latency-monitor-threshold", "2"),
    ]);
    server.engine.state().host = Host {
        clock: Some(|| CLOCK.load(Ordering::Relaxed)),
        ..Host::default()
    };
    CLOCK.store(999, Ordering::Relaxed);
    server.run("PING");
    assert_eq!(server.run("SLOWLOG LEN"), ":0");
    // One command's end is the next one's beginning.
    CLOCK.store(4_000, Ordering::Relaxed);
    server.run("ECHO slow");
    assert_eq!(server.run("SLOWLOG LEN"), ":1");
    assert_eq!(
        server.run("SLOWLOG GET"),
        "*1 *6 :0 :1700000000 :3001 *2 $4 ECHO $4 slow $0  $0"
    );
    assert_eq!(
        server.run("LATENCY HISTORY fast-command"),
        "*1 *2 :1700000000 :3"
    );
    assert_eq!(server.run("LATENCY RESET"), ":1");
    assert_eq!(server.run("LATENCY LATEST"), "*0");
}

#[test]
fn quick_commands_of_a_pipeline_share_readings_of_the_clock() {
    static CLOCK: AtomicU64 = AtomicU64::new(0);
    static READINGS: AtomicU64 = AtomicU64::new(0);
    let mut server = Server::with(&[("slowlog-log-slower-than", "10000")]);
    server.engine.state().host = Host {
        clock: Some(|| {
            READINGS.fetch_add(1, Ordering::Relaxed);
            CLOCK.load(Ordering::Relaxed)
        }),
        ..Host::default()
    };
    server.engine.expect_more(true);
    for count in 1..=32 {
        server.engine.expect_more(count < 32);
        CLOCK.fetch_add(2, Ordering::Relaxed);
        server.run("GET k");
    }
    server.engine.end_batch();
    assert_eq!(READINGS.load(Ordering::Relaxed), 2);
    let stats = server.info("commandstats", "cmdstat_get");
    assert!(
        stats.starts_with("calls=32,usec=64,usec_per_call=2.00"),
        "{stats}"
    );
    // A time that is no quick command's is the last one's, and what is not quick has a reading of its own.
    server.engine.expect_more(true);
    server.run("INCR n");
    CLOCK.fetch_add(20_000, Ordering::Relaxed);
    server.run("SET s v");
    server.run("GET s");
    CLOCK.fetch_add(30_000, Ordering::Relaxed);
    server.engine.expect_more(false);
    server.run("GET slow");
    server.engine.end_batch();
    let log = server.run("SLOWLOG GET");
    assert_eq!(log, "*1 *6 :0 :1700000000 :30000 *2 $3 GET $4 slow $0  $0");
    let stats = server.info("commandstats", "cmdstat_set");
    assert!(stats.starts_with("calls=1,usec=0,"), "{stats}");
}

#[test]
fn debug_sleep_counts_as_time_that_the_shell_has_still_to_spend() {
    let mut server = Server::with(&[
        ("enable-debug-command", "yes"),
        ("slowlog-log-slower-than", "1000"),
    ]);
    assert_eq!(server.run("DEBUG SLEEP 0.25"), "+OK");
    assert_eq!(server.engine.take_stall_us(), 250_000);
    assert_eq!(server.engine.take_stall_us(), 0);
    assert!(server.run("SLOWLOG GET").contains(":250000 "));
    assert!(server.run("LATENCY HISTOGRAM debug").contains(":1"));
    server.run("DEBUG SLEEP -1");
    server.run("DEBUG SLEEP nan");
    assert_eq!(server.engine.take_stall_us(), 0);
}

#[test]
fn what_a_transaction_changes_before_it_reads_stays_cached() {
    let mut server = Server::new();
    let (reader, writer) = (server.client(), server.client());
    server.run_as(reader, "HELLO 3");
    server.run_as(reader, "CLIENT TRACKING ON");
    for line in ["MULTI", "SET a 1", "GET a", "GET b", "SET b 1"] {
        server.run_as(reader, line);
    }
    // b was read and then changed; a was not changed after it was read.
    assert_eq!(
        server.run_as(reader, "EXEC"),
        "*4 +OK $1 1 _ +OK >2 $10 invalidate *1 $1 b"
    );
    server.run_as(writer, "SET a 2");
    assert_eq!(server.outbox(reader), ">2 $10 invalidate *1 $1 a");
    server.run_as(writer, "SET a 3");
    assert_eq!(server.outbox(reader), "");
}

#[test]
fn a_tracking_table_that_is_too_large_invalidates_what_it_drops() {
    let mut server = Server::with(&[("tracking-table-max-keys", "2")]);
    server.run("HELLO 3");
    server.run("CLIENT TRACKING ON");
    for key in ["a", "b"] {
        assert_eq!(server.run(&format!("GET {key}")), "_");
    }
    assert!(server.run("GET c").starts_with("_ >2 $10 invalidate *1 $1"));
    assert_eq!(server.info("stats", "tracking_total_keys"), "2");
    server.run("CLIENT TRACKING OFF");
    assert_eq!(server.info("stats", "tracking_total_keys"), "0");
}

#[test]
fn nothing_expires_while_clients_are_paused() {
    let mut server = Server::new();
    server.run("SET k v PX 10");
    server.run("CLIENT PAUSE 1000 WRITE");
    server.tick_after_ms(100);
    assert_eq!(server.run("GET k"), "$-1");
    assert_eq!(server.info("stats", "expired_keys"), "0");
    server.run("CLIENT UNPAUSE");
    server.tick_after_ms(100);
    assert_eq!(server.info("stats", "expired_keys"), "1");
}

#[test]
fn each_policy_evicts_what_its_name_says() {
    for policy in [
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        let mut server = Server::with(&[("maxmemory-policy", policy)]);
        for number in 0..200 {
            server.run(&format!("SET kept:{number} v"));
            server.run(&format!("SET gone:{number} v EX {}", 1000 + number));
        }
        let used: usize = server
            .info("memory", "used_memory")
            .parse()
            .expect("a number");
        server.run(&format!("CONFIG SET maxmemory {}", used - 2_000));
        assert_eq!(server.run("SET one more"), "+OK", "{policy}");
        let evicted: usize = server
            .info("stats", "evicted_keys")
            .parse()
            .expect("a number");
        assert!(evicted > 0, "{policy}");
        let after: usize = server
            .info("memory", "used_memory")
            .parse()
            .expect("a number");
        assert!(after < used, "{policy}");
        let kept = (0..200)
            .filter(|number| server.run(&format!("EXISTS kept:{number}")) == ":1")
            .count();
        if policy.starts_with("volatile") {
            assert_eq!(kept, 200, "{policy}");
        }
        if policy == "volatile-ttl" {
            assert_eq!(server.run("EXISTS gone:0 gone:199"), ":1");
        }
    }
}

#[test]
fn the_largest_clients_go_where_all_take_too_much() {
    let mut server = Server::with(&[("maxmemory-clients", "1mb")]);
    let (small, large, spared) = (server.client(), server.client(), server.id);
    server.run_as(spared, "CLIENT NO-EVICT ON");
    for id in [large, spared] {
        server.engine.state().report_buffers(id, 2 << 20, 0);
    }
    server.tick_after_ms(100);
    let gone: Vec<_> = [small, large, spared]
        .into_iter()
        .map(|id| server.engine.is_killed(id))
        .collect();
    assert_eq!(gone, [true, true, false]);
    assert_eq!(server.info("stats", "evicted_clients"), "2");
}

#[test]
fn memory_is_counted_alike_whether_a_value_was_read_or_not() {
    let mut server = Server::new();
    let empty = server.engine.keyspace().value_bytes();
    // A value with spare room, which its first read as a whole gives back.
    server.run("SETRANGE k 100000 x");
    server.run("APPEND k y");
    let full = server.engine.keyspace().value_bytes();
    server.run("GET k");
    assert!(server.engine.keyspace().value_bytes() <= full);
    server.run("FLUSHALL");
    assert_eq!(server.engine.keyspace().value_bytes(), empty);
    server.run("SETRANGE k 100000 x");
    server.run("APPEND k y");
    server.run("SET k z GET");
    server.run("DEL k");
    assert_eq!(server.engine.keyspace().value_bytes(), empty);
}

#[test]
fn a_client_that_does_not_read_is_closed_at_its_output_limit() {
    let mut server = Server::with(&[("client-output-buffer-limit", "normal 1000 500 2")]);
    let (id, slow) = (server.client(), server.client());
    server.run_as(id, &format!("SET k {}", "x".repeat(600)));
    assert_ne!(server.run_as(id, "GET k"), "");
    assert!(!server.engine.is_killed(id));
    server.run_as(id, "MGET k k");
    assert!(server.engine.is_killed(id));
    for (wait_ms, gone) in [(0, false), (1_900, false), (200, true)] {
        server.engine.state().report_buffers(slow, 0, 600);
        server.tick_after_ms(wait_ms);
        assert_eq!(server.engine.is_killed(slow), gone, "{wait_ms}");
    }
}

#[test]
fn digests_are_equal_for_equal_data_in_any_order() {
    let digest = |lines: &[&str]| {
        let mut server = Server::with(&[("enable-debug-command", "yes")]);
        for line in lines {
            server.run(line);
        }
        server.run("DEBUG DIGEST")
    };
    let one = digest(&["SET k v", "SADD s a b", "RPUSH l a b"]);
    assert_eq!(digest(&["RPUSH l a b", "SADD s b a", "SET k v"]), one);
    assert_ne!(digest(&["RPUSH l b a", "SADD s b a", "SET k v"]), one);
    // As redis-server 7.0 answers them.
    assert_eq!(digest(&[]), format!("+{}", "0".repeat(40)));
    assert_eq!(
        digest(&["SET k v"]),
        "+264ccf65edec66bccfa7cc659414ccca432057d2"
    );
}

#[test]
fn percentiles_and_rates_come_from_what_ran() {
    let mut server = Server::with(&[("latency-tracking-info-percentiles", "50 99.9")]);
    server.run("PING");
    assert!(
        server
            .run("INFO latencystats")
            .contains("latency_percentiles_usec_ping:p50=0.000,p99.9=0.000")
    );
    server.tick_after_ms(500);
    for _ in 0..30 {
        server.run("PING");
    }
    server.tick_after_ms(1000);
    let rate = server.info("stats", "instantaneous_ops_per_sec");
    assert_eq!(rate, "30");
    server.run("CONFIG RESETSTAT");
    assert_eq!(server.info("stats", "total_commands_processed"), "1");
}

#[test]
fn a_command_is_found_by_its_name_in_any_case_and_by_no_other() {
    let names: Vec<_> = COMMANDS
        .top_level()
        .map(|found| found.name.clone().into_bytes())
        .collect();
    assert!(names.iter().any(|name| name.len() > 16) && names.iter().any(|name| name.len() < 4));
    for name in &names {
        let found = |spelled: &[u8]| {
            COMMANDS
                .lookup(spelled)
                .is_some_and(|found| found.name.as_bytes() == name)
        };
        let mixed: Vec<u8> = (0..)
            .zip(name)
            .map(|(at, byte)| {
                if at % 2 == 0 {
                    byte.to_ascii_uppercase()
                } else {
                    *byte
                }
            })
            .collect();
        assert!(found(name) && found(&name.to_ascii_uppercase()) && found(&mixed));
        for at in 0..name.len() {
            // Bytes that differ from a letter in its case bit, in its highest bit, or in any other.
            for changed in (0..=255_u8).filter(|byte| !byte.eq_ignore_ascii_case(&name[at])) {
                let mut other = name.clone();
                other[at] = changed;
                assert!(!found(&other), "{}", other.escape_ascii());
            }
            let mut other = name.clone();
            other.remove(at);
            assert!(!found(&other), "{}", other.escape_ascii());
            other.insert(at, name[at]);
            other.insert(at, name[at]);
            assert!(!found(&other), "{}", other.escape_ascii());
        }
    }
}
