//! Lists, hashes and sets through the engine: what they leave in the stream of effects, who is served, how samples are
//! drawn.

use std::collections::HashMap;

use proptest::prelude::*;
use server::engine::Flow;

use crate::Server;

#[test]
fn effects_name_what_was_random_and_do_not_wait() {
    let cases: [(&[&str], &str, &[&str]); 14] = [
        (&["SADD s a"], "SPOP s", &["DEL s"]),
        (&["SADD s a b"], "SPOP s 5", &["DEL s"]),
        (&["SADD s a"], "SPOP s 0", &[]),
        (&["HSET h f 1"], "HINCRBYFLOAT h f 0.5", &["HSET h f 1.5"]),
        (&["HSET h f 1"], "HSETNX h f 2", &[]),
        (
            &["RPUSH l a b c"],
            "LMPOP 2 no l RIGHT COUNT 2",
            &["RPOP l 2"],
        ),
        (
            &["RPUSH l a b c"],
            "BLMPOP 0 1 l LEFT COUNT 9",
            &["LPOP l 3"],
        ),
        (&["RPUSH l a b"], "BRPOP no l 0", &["RPOP l"]),
        (&["RPUSH l a b"], "BRPOPLPUSH l d 0", &["RPOPLPUSH l d"]),
        (
            &["RPUSH l a b"],
            "BLMOVE l d LEFT RIGHT 0",
            &["LMOVE l d LEFT RIGHT"],
        ),
        (&["RPUSH l a b"], "LREM l 0 c", &[]),
        (&["RPUSH l a"], "LPUSHX no x", &[]),
        (&["SADD s a"], "SMOVE s d b", &[]),
        (&["SADD d a"], "SINTERSTORE d no s", &["SINTERSTORE d no s"]),
    ];
    for (before, call, expected) in cases {
        let mut server = Server::new();
        for line in before {
            server.run(line);
        }
        server.effects();
        let reply = server.run(call);
        assert!(!reply.starts_with('-'), "{call}: {reply}");
        assert_eq!(server.effects(), expected, "{call}");
    }
}

#[test]
fn a_popped_member_is_propagated_by_name() {
    let mut server = Server::new();
    server.run("SADD s a b c");
    server.effects();
    let reply = server.run("SPOP s");
    let member = reply.rsplit(' ').next().unwrap_or_default();
    assert_eq!(server.effects(), [format!("SREM s {member}")]);
}

#[test]
fn a_served_client_is_in_the_group_of_the_push() {
    let mut server = Server::new();
    let (mover, popper) = (server.client(), server.client());
    let waits = |(reply, flow): (String, Flow)| reply.is_empty() && flow == Flow::Blocked;
    assert!(waits(server.send(mover, "BLMOVE src dst RIGHT LEFT 0")));
    assert!(waits(server.send(popper, "BLMPOP 0 2 no dst LEFT COUNT 5")));
    assert_eq!(server.run("RPUSH src a b"), ":2");
    assert_eq!(server.outbox(mover), "$1 b");
    assert_eq!(server.outbox(popper), "*2 $3 dst *1 $1 b");
    assert_eq!(
        server.effects(),
        ["RPUSH src a b; LMOVE src dst RIGHT LEFT; LPOP dst 1"]
    );
}

#[test]
fn a_sample_with_repetitions_is_bounded() {
    let mut server = Server::new();
    server.run("SADD s 0123456789");
    server.run("HSET h f 0123456789");
    server.run("CONFIG SET proto-max-bulk-len 1mb");
    assert!(server.run("SRANDMEMBER s -60000").starts_with("*60000 "));
    for call in [
        "SRANDMEMBER s -1000000000000",
        "SRANDMEMBER s -70000",
        "HRANDFIELD h -9223372036854775807",
        "HRANDFIELD h -65000 WITHVALUES",
    ] {
        assert_eq!(server.run(call), "-ERR value is out of range", "{call}");
    }
}

#[test]
fn samples_reach_every_element() {
    let mut server = Server::new();
    for index in 0..200 {
        server.run(&format!("SADD ints {index}"));
        server.run(&format!("SADD words w{index}"));
        server.run(&format!("HSET packed f{index} v"));
        server.run(&format!("HSET table f{index} {}", "v".repeat(100)));
    }
    for call in [
        "SRANDMEMBER ints",
        "SRANDMEMBER words",
        "SRANDMEMBER ints 7",
        "SRANDMEMBER words 150",
        "SRANDMEMBER words -7",
        "HRANDFIELD packed",
        "HRANDFIELD packed 7",
        "HRANDFIELD packed -7",
        "HRANDFIELD table 7",
        "HRANDFIELD table 150",
        "HRANDFIELD table -7",
    ] {
        let mut seen = HashMap::new();
        for _ in 0..4000 {
            for word in server.run(call).split(' ').filter(|word| {
                word.starts_with(['f', 'w']) || word.starts_with(|c: char| c.is_ascii_digit())
            }) {
                *seen.entry(word.to_owned()).or_insert(0_u32) += 1;
            }
        }
        assert_eq!(seen.len(), 200, "{call}");
    }
}

/// A call on few keys of each type, whatever comes of it.
fn call() -> impl Strategy<Value = String> {
    let key = |letter: char| (0..3_u8).prop_map(move |number| format!("{letter}{number}"));
    let element = prop_oneof![
        (0..12_u8).prop_map(|number| number.to_string()),
        (0..6_u8).prop_map(|number| format!("word:{number}")),
        Just("x".repeat(70)),
    ];
    let end = prop_oneof![Just("LEFT"), Just("RIGHT")];
    let lists = (
        0..11_u8,
        key('l'),
        key('l'),
        element.clone(),
        (end.clone(), end, -4..5_i64),
    )
        .prop_map(|(which, one, other, element, (from, to, n))| match which {
            0 | 1 => format!("LPUSH {one} {element} {n}"),
            2 => format!("RPUSH {one} {element}"),
            3 => format!("LPOP {one} {n}"),
            4 => format!("LTRIM {one} 0 {n}"),
            5 => format!("LREM {one} {n} {element}"),
            6 => format!("LSET {one} {n} {element}"),
            7 => format!("LINSERT {one} BEFORE {n} {element}"),
            8 => format!("BLMOVE {one} {other} {from} {to} 0"),
            9 => format!("BLMPOP 0 2 {one} {other} {from} COUNT {n}"),
            _ => format!("BRPOP {one} {other} 0"),
        });
    let sets = (
        0..8_u8,
        key('s'),
        key('s'),
        key('s'),
        element.clone(),
        -4..5_i64,
    )
        .prop_map(|(which, one, other, third, element, n)| match which {
            0 | 1 => format!("SADD {one} {element} {n}"),
            2 => format!("SREM {one} {element} {n}"),
            3 => format!("SPOP {one} {n}"),
            4 => format!("SMOVE {one} {other} {element}"),
            5 => format!("SINTERSTORE {one} {other} {third}"),
            6 => format!("SUNIONSTORE {one} {other} {third}"),
            _ => format!("SDIFFSTORE {one} {other} {third}"),
        });
    let hashes = (0..5_u8, key('h'), element.clone(), element, -4..5_i64).prop_map(
        |(which, key, field, value, n)| match which {
            0 | 1 => format!("HSET {key} {field} {value}"),
            2 => format!("HDEL {key} {field}"),
            3 => format!("HINCRBY {key} {field} {n}"),
            _ => format!("HINCRBYFLOAT {key} {field} {n}.5"),
        },
    );
    prop_oneof![lists, sets, hashes]
}

/// What every key holds, unordered where order means nothing.
fn contents(server: &mut Server) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for number in 0..3 {
        for read in ["LRANGE l# 0 -1", "SMEMBERS s#", "HGETALL h#"] {
            let line = read.replace('#', &number.to_string());
            let mut words: Vec<_> = server.run(&line).split(' ').map(str::to_owned).collect();
            if !read.starts_with('L') {
                words.sort();
            }
            all.push((line, words));
        }
    }
    all
}

proptest! {
    #[test]
    fn effects_lead_to_the_same_keyspace(calls in proptest::collection::vec(call(), 1..200)) {
        let (mut server, mut copy) = (Server::new(), Server::new());
        for line in calls {
            // A client that blocks stays; others come.
            let id = server.client();
            server.send(id, &line);
            for effect in server.effects().iter().flat_map(|group| group.split("; ")) {
                let reply = copy.run(effect);
                prop_assert!(!reply.starts_with('-'), "{} as {}: {}", line, effect, reply);
            }
        }
        prop_assert_eq!(contents(&mut server), contents(&mut copy));
        for key in ["l", "s", "h"].iter().flat_map(|key| (0..3).map(move |number| format!("{key}{number}"))) {
            server.run(&format!("DEL {key}"));
        }
        prop_assert_eq!(server.engine.keyspace().value_bytes(), 0);
    }
}
