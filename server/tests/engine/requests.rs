//! Requests of one client and of several: what is answered, when, and what others hear of it.

use server::engine::Flow;
use server::output::Output;

use crate::{Server, text};

#[test]
fn a_fault_replaces_what_was_written() {
    let mut server = Server::new();
    server.run("RPUSH l a");
    assert_eq!(
        server.run("GET l"),
        "-WRONGTYPE Operation against a key holding the wrong kind of value"
    );
    assert_eq!(
        server.run("GETSET l x"),
        "-WRONGTYPE Operation against a key holding the wrong kind of value"
    );
    assert_eq!(server.run("TYPE l"), "+list");
    assert_eq!(server.run("MGET l"), "*1 $-1");
}

#[test]
fn a_key_expires_on_access_and_in_the_background() {
    let mut server = Server::new();
    assert_eq!(server.run("SET k v PX 100"), "+OK");
    server.run("SET other v PX 100");
    assert_eq!(server.run("PTTL k"), ":100");
    server.wait_ms(99);
    assert_eq!(server.run("GET k"), "$1 v");
    server.wait_ms(1);
    assert_eq!(server.run("GET k"), "$-1");
    assert_eq!(server.run("TTL k"), ":-2");
    server.engine.tick(server.now);
    assert_eq!(server.run("DBSIZE"), ":0");
    assert_eq!(server.engine.keyspace().stats.expired, 2);
}

#[test]
fn what_a_command_writes_over_an_expired_key_stays() {
    let mut server = Server::new();
    for (write, read, value) in [
        ("SET k new GET", "GET k", "$3 new"),
        ("INCRBYFLOAT k 2", "GET k", "$1 2"),
        ("BITOP NOT k k other", "EXISTS k", ":0"),
        ("BITOP OR k k other", "STRLEN k", ":1"),
        ("SORT list STORE k", "TYPE k", "+list"),
    ] {
        server.run("RPUSH list 1");
        server.run("SET other x");
        server.run("SET k old PX 10");
        server.wait_ms(10);
        server.run(write);
        assert_eq!(server.run(read), value, "{write}");
    }
}

#[test]
fn wait_ends_with_its_time() {
    let mut server = Server::new();
    assert_eq!(server.run("WAIT 0 0"), ":0");
    assert_eq!(
        server.send(server.id, "WAIT 1 100"),
        (String::new(), Flow::Blocked)
    );
    server.wait_ms(100);
    server.engine.tick(server.now);
    assert_eq!(server.outbox(server.id), ":0");
    server.run("MULTI");
    server.run("WAIT 1 0");
    assert_eq!(server.run("EXEC"), "*1 :0");
}

#[test]
fn memory_is_counted_back_to_nothing() {
    let mut server = Server::new();
    for index in 0..2000 {
        server.run(&format!("SET key:{index} {}", "x".repeat(index)));
        server.run(&format!("RPUSH list:{} {}", index % 7, "y".repeat(50)));
        server.run(&format!("APPEND key:{index} zzz"));
        if index % 3 == 0 {
            server.run(&format!("PEXPIRE key:{index} 50"));
        }
    }
    assert!(server.engine.keyspace().value_bytes() > 2_000_000);
    server.wait_ms(50);
    server.engine.tick(server.now);
    for index in 0..2000 {
        server.run(&format!("DEL key:{index} list:{index}"));
    }
    assert_eq!(server.run("DBSIZE"), ":0");
    assert_eq!(server.engine.keyspace().value_bytes(), 0);
}

#[test]
fn scan_gives_every_key_that_stays() {
    let mut server = Server::new();
    for index in 0..3000 {
        server.run(&format!("SET stays:{index} v"));
    }
    let mut found = std::collections::BTreeSet::new();
    let (mut cursor, mut step) = ("0".to_owned(), 0);
    loop {
        let reply = server.run(&format!("SCAN {cursor} MATCH stays:* COUNT 50"));
        let words: Vec<&str> = reply.split(' ').collect();
        cursor = words[2].to_owned();
        found.extend(
            words
                .iter()
                .filter(|word| word.starts_with("stays:"))
                .map(|word| (*word).to_owned()),
        );
        // The keyspace grows, then shrinks, between the calls.
        for index in 0..200 {
            let key = step * 200 + index;
            server.run(&if step < 30 {
                format!("SET comes:{key} v")
            } else {
                format!("DEL comes:{}", key - 6000)
            });
        }
        step += 1;
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(found.len(), 3000);
}

#[test]
fn exec_runs_nothing_after_a_watched_key_changed_or_expired() {
    let mut server = Server::new();
    let (one, two) = (server.client(), server.client());
    server.run_as(one, "WATCH k");
    server.run_as(two, "SET k v");
    server.run_as(one, "MULTI");
    assert_eq!(server.run_as(one, "SET k mine"), "+QUEUED");
    assert_eq!(server.run_as(one, "EXEC"), "*-1");
    assert_eq!(server.run_as(one, "GET k"), "$1 v");

    server.run_as(one, "SET k v PX 10");
    server.run_as(one, "WATCH k");
    server.wait_ms(10);
    server.run_as(one, "MULTI");
    server.run_as(one, "PING");
    assert_eq!(server.run_as(one, "EXEC"), "*-1");

    server.run_as(one, "SET k v");
    server.run_as(one, "WATCH k");
    server.run_as(two, "FLUSHALL");
    server.run_as(one, "MULTI");
    assert_eq!(server.run_as(one, "EXEC"), "*-1");
}

#[test]
fn exec_is_refused_after_a_command_that_could_not_be_queued() {
    let mut server = Server::new();
    server.run("MULTI");
    assert_eq!(
        server.run("GET"),
        "-ERR wrong number of arguments for 'get' command"
    );
    assert_eq!(
        server.run("EXEC"),
        "-EXECABORT Transaction discarded because of previous errors."
    );
    server.run("MULTI");
    server.run("SET k v");
    server.run("LLEN k");
    assert_eq!(
        server.run("EXEC"),
        "*2 +OK -WRONGTYPE Operation against a key holding the wrong kind of value"
    );
}

#[test]
fn blocked_clients_are_served_in_the_order_they_came() {
    let mut server = Server::new();
    let (one, two, pusher) = (server.client(), server.client(), server.client());
    assert_eq!(server.send(one, "BLPOP k other 0").1, Flow::Blocked);
    assert_eq!(server.send(two, "BLPOP k 0").1, Flow::Blocked);
    assert_eq!(server.run_as(pusher, "RPUSH k a b c"), ":3");
    assert_eq!(server.engine.take_woken(), [one, two]);
    assert_eq!(server.outbox(one), "*2 $1 k $1 a");
    assert_eq!(server.outbox(two), "*2 $1 k $1 b");
    assert_eq!(server.run_as(pusher, "LLEN k"), ":1");
    // The first client waits for nothing any more.
    server.run_as(pusher, "RPUSH other x");
    assert_eq!(server.outbox(one), "");
}

#[test]
fn a_blocked_client_gives_up_in_time() {
    let mut server = Server::new();
    let (id, other) = (server.client(), server.client());
    assert_eq!(server.send(id, "BRPOP k 0.25").1, Flow::Blocked);
    server.wait_ms(249);
    server.engine.tick(server.now);
    assert_eq!(server.outbox(id), "");
    server.wait_ms(1);
    server.engine.tick(server.now);
    assert_eq!(server.outbox(id), "*-1");
    assert_eq!(server.run_as(other, "RPUSH k a"), ":1");
    assert_eq!(server.run_as(other, "LLEN k"), ":1");
}

#[test]
fn a_key_of_another_type_serves_nobody() {
    let mut server = Server::new();
    let (id, other) = (server.client(), server.client());
    server.send(id, "BLPOP k 0");
    server.run_as(other, "SET k v");
    assert_eq!(server.outbox(id), "");
    server.run_as(other, "MULTI");
    server.run_as(other, "DEL k");
    server.run_as(other, "RPUSH k a");
    server.run_as(other, "EXEC");
    assert_eq!(server.outbox(id), "*2 $1 k $1 a");
    assert_eq!(server.run_as(other, "EXISTS k"), ":0");
}

#[test]
fn a_transaction_does_not_block() {
    let mut server = Server::new();
    server.run("MULTI");
    server.run("BLPOP k 0");
    assert_eq!(
        server.send(server.id, "EXEC"),
        ("*1 *-1".to_owned(), Flow::Continue)
    );
}

#[test]
fn a_pause_keeps_requests_back() {
    let mut server = Server::new();
    let (id, other) = (server.client(), server.client());
    assert_eq!(server.run_as(other, "CLIENT PAUSE 100 WRITE"), "+OK");
    assert_eq!(server.run_as(id, "GET k"), "$-1");
    assert_eq!(server.send(id, "SET k v"), (String::new(), Flow::Postponed));
    server.wait_ms(100);
    server.engine.tick(server.now);
    assert_eq!(server.engine.take_woken(), [id]);
    assert_eq!(server.run_as(id, "SET k v"), "+OK");
}

#[test]
fn messages_reach_subscribers_in_their_protocol() {
    let mut server = Server::new();
    let (old, new, publisher) = (server.client(), server.client(), server.client());
    server.run_as(new, "HELLO 3");
    assert_eq!(server.run_as(old, "SUBSCRIBE a"), "*3 $9 subscribe $1 a :1");
    assert_eq!(
        server.run_as(new, "PSUBSCRIBE a*"),
        ">3 $10 psubscribe $2 a* :1"
    );
    assert_eq!(server.run_as(publisher, "PUBLISH a hi"), ":2");
    assert_eq!(server.outbox(old), "*3 $7 message $1 a $2 hi");
    assert_eq!(server.outbox(new), ">4 $8 pmessage $2 a* $1 a $2 hi");
    assert!(
        server
            .run_as(old, "GET k")
            .starts_with("-ERR Can't execute 'get'")
    );
    assert_eq!(server.run_as(new, "GET k"), "_");
    server.engine.disconnect(new);
    assert_eq!(server.run_as(publisher, "PUBLISH ab hi"), ":0");
}

/// Redis confirms within EXEC's array also where confirmations are pushes, which are legal at top level only: who
/// subscribes there under RESP3 reads no RESP. What is published goes behind the array, as in Redis 7.2.
#[test]
fn exec_confirms_subscriptions_in_place_and_delivers_messages_behind() {
    for (protocol, aggregate) in [("2", '*'), ("3", '>')] {
        let mut server = Server::new();
        server.run(&format!("HELLO {protocol}"));
        for line in ["MULTI", "SUBSCRIBE a b", "PUBLISH a x", "UNSUBSCRIBE a b"] {
            server.run(line);
        }
        let mut out = Output::new();
        server
            .engine
            .execute(server.id, &[b"EXEC"], &mut out, server.now);
        let confirmed = |word: &str, channel: char, left: u8| {
            let length = word.len();
            format!("{aggregate}3 ${length} {word} $1 {channel} :{left}")
        };
        let expected = [
            "*3".to_owned(),
            confirmed("subscribe", 'a', 1),
            confirmed("subscribe", 'b', 2),
            ":1".to_owned(),
            confirmed("unsubscribe", 'a', 1),
            confirmed("unsubscribe", 'b', 0),
            format!("{aggregate}3 $7 message $1 a $1 x"),
        ];
        assert_eq!(text(&out), expected.join(" "));
        let bytes = out.to_vec();
        let read = resp::Decoder::new(resp::Limits::client())
            .decode(&bytes)
            .map(|_| ());
        let fault = read.err().map(|error| error.kind);
        let nested = (protocol == "3").then_some(resp::ErrorKind::NestedPush);
        assert_eq!(fault, nested);
    }
}

#[test]
fn what_was_sent_to_a_client_comes_before_its_next_reply() {
    let mut server = Server::new();
    let (monitor, other) = (server.client(), server.client());
    server.run_as(monitor, "MONITOR");
    server.run_as(other, "PING");
    let got = server.run_as(monitor, "RESET");
    assert!(got.ends_with("\"PING\" +RESET"), "{got}");
}

#[test]
fn key_events_are_published_where_asked_for() {
    let mut server = Server::new();
    let (id, listener) = (server.client(), server.client());
    server.run_as(id, "CONFIG SET notify-keyspace-events KEA");
    server.run_as(listener, "PSUBSCRIBE __key*");
    server.run_as(id, "RPUSH k a");
    server.run_as(id, "BLPOP k 0");
    let events = server.outbox(listener);
    let names: Vec<&str> = events
        .split(' ')
        .filter(|word| ["rpush", "lpop", "del"].contains(word))
        .collect();
    assert_eq!(names, ["rpush", "lpop", "del"]);
}

#[test]
fn effects_are_deterministic() {
    let mut server = Server::new();
    server.run("SET k v EX 10");
    server.run("GET k");
    server.run("INCRBYFLOAT n 1.5");
    server.run("MULTI");
    server.run("SET a 1");
    server.run("DEL a");
    server.run("EXEC");
    server.tick_after_ms(10_000);
    let groups = server.effects();
    assert_eq!(
        groups,
        [
            "SET k v PXAT 1700000010000",
            "SET n 1.5 KEEPTTL",
            "SET a 1; DEL a",
            "DEL k",
        ]
    );
}

#[test]
fn what_changes_a_string_unseen_is_an_effect_too() {
    let mut server = Server::new();
    for line in [
        "PFADD h a",
        "PFADD h a",
        "PFCOUNT h",
        "PFCOUNT h",
        "SETBIT b 7 1",
        "SETBIT b 7 1",
        "BITFIELD b GET u8 0",
        "BITFIELD b OVERFLOW FAIL SET u4 16 99",
        "BITFIELD b OVERFLOW FAIL SET u4 16 99",
        "SORT missing STORE b",
        "SORT missing STORE b",
    ] {
        server.run(line);
    }
    assert_eq!(
        server.effects(),
        [
            "PFADD h a",
            "PFCOUNT h",
            "SETBIT b 7 1",
            "BITFIELD b OVERFLOW FAIL SET u4 16 99",
            "SORT missing STORE b",
        ]
    );
}

#[test]
fn a_string_that_only_grows_counts_as_changed() {
    let mut server = Server::new();
    let dirty = server.engine.keyspace().changes.dirty;
    server.run("BITFIELD b OVERFLOW FAIL INCRBY u63 4 -5");
    assert_eq!(server.run("STRLEN b"), ":9");
    assert_eq!(server.engine.keyspace().changes.dirty, dirty + 1);
}

#[test]
fn memory_over_the_limit_refuses_or_evicts() {
    let mut server = Server::new();
    for index in 0..500 {
        server.run(&format!("SET key:{index} {}", "x".repeat(1000)));
    }
    server.run("CONFIG SET maxmemory 824288");
    assert_eq!(
        server.run("SET more v"),
        "-OOM command not allowed when used memory > 'maxmemory'."
    );
    assert_eq!(server.run("DEL key:0"), ":1");
    server.run("CONFIG SET maxmemory-policy allkeys-lru");
    assert_eq!(server.run("SET more v"), "+OK");
    assert!(server.engine.keyspace().memory_bytes() <= 300_000 + 2_000);
}

#[test]
fn every_command_has_a_summary_and_a_usage_line_of_the_grammar() {
    for registered in server::commands::COMMANDS.all() {
        assert!(
            !registered.command.summary.is_empty(),
            "{}",
            registered.name
        );
        assert!(
            server::usage::parse(registered.command.usage).is_some(),
            "{}",
            registered.name
        );
    }
}

#[test]
fn the_seed_alone_determines_the_order_of_channels() {
    let told = || {
        let mut server = Server::new();
        server.run("HELLO 3");
        for number in 0..40 {
            server.run(&format!("SUBSCRIBE channel:{number}"));
            server.run(&format!("SSUBSCRIBE channel:{number}"));
        }
        server.run("PUBSUB CHANNELS") + &server.run("PUBSUB SHARDCHANNELS")
    };
    let first = told();
    assert_eq!(first.matches("channel:").count(), 80);
    assert_eq!(told(), first);
}

#[test]
fn whoever_is_killed_watches_nothing_any_more() {
    let mut server = Server::new();
    let client = server.client();
    let watchers = |server: &mut Server| format!("{:?}", server.engine.keyspace().changes.watch);
    let before = watchers(&mut server);
    server.run_as(client, "WATCH k");
    assert_ne!(watchers(&mut server), before);
    let kill = format!("CLIENT KILL ID {}", client.number());
    assert_eq!(server.run(&kill), ":1");
    assert_eq!(watchers(&mut server), before);
}
