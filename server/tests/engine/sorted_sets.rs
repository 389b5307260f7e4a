//! Sorted sets through the engine: what they leave in the stream of effects, which events they publish, who is served.

use crate::Server;

#[test]
fn effects_do_not_wait_and_tell_nothing_where_nothing_changed() {
    let cases: [(&str, &[&str]); 13] = [
        ("ZADD z 1 a", &[]),
        ("ZADD z XX 1 c", &[]),
        ("ZADD z GT 0 a", &[]),
        ("ZINCRBY z 0 a", &[]),
        ("ZINCRBY z 1 a", &["ZINCRBY z 1 a"]),
        ("ZREM z c", &[]),
        ("ZPOPMIN z 0", &[]),
        ("ZMPOP 2 no z MAX COUNT 2", &["ZPOPMAX z 2"]),
        ("BZMPOP 0 1 z MIN", &["ZPOPMIN z 1"]),
        ("BZPOPMAX no z 0", &["ZPOPMAX z"]),
        ("ZUNIONSTORE no 1 none", &[]),
        ("ZRANGESTORE z none 0 -1", &["ZRANGESTORE z none 0 -1"]),
        (
            "GEOADD z CH 13.361389 38.115556 p",
            &["GEOADD z CH 13.361389 38.115556 p"],
        ),
    ];
    for (call, expected) in cases {
        let mut server = Server::new();
        server.run("ZADD z 1 a 2 b");
        server.effects();
        let reply = server.run(call);
        assert!(!reply.starts_with('-'), "{call}: {reply}");
        assert_eq!(server.effects(), expected, "{call}");
    }
}

#[test]
fn events_name_the_command_and_then_the_lost_key() {
    let cases: [(&str, &[&str]); 14] = [
        ("ZADD z 3 a", &["zadd z"]),
        ("ZADD z 1 a", &[]),
        ("ZADD z INCR 1 a", &["zincr z"]),
        ("ZREM z a b", &["zrem z", "del z"]),
        ("ZPOPMIN z", &["zpopmin z"]),
        ("ZMPOP 1 z MAX COUNT 2", &["zpopmax z", "del z"]),
        ("ZREMRANGEBYSCORE z 1 1", &["zremrangebyscore z"]),
        ("ZREMRANGEBYRANK z 0 -1", &["zremrangebyrank z", "del z"]),
        ("ZRANGESTORE d z 0 0", &["zrangestore d"]),
        ("ZINTERSTORE d 2 z z", &["zinterstore d"]),
        ("ZDIFFSTORE z 2 z z", &["del z"]),
        ("GEOADD z 1 1 c", &["zadd z"]),
        (
            "GEOSEARCHSTORE d z FROMMEMBER a BYRADIUS 1 m",
            &["geosearchstore d"],
        ),
        ("GEORADIUSBYMEMBER z a 1 m STORE d", &["georadiusstore d"]),
    ];
    for (call, expected) in cases {
        let mut server = Server::new();
        server.run("ZADD z 1 a 2 b");
        server.run("CONFIG SET notify-keyspace-events EA");
        let listener = server.client();
        server.send(listener, "PSUBSCRIBE __keyevent@0__:*");
        server.run(call);
        let received = server.outbox(listener);
        let events: Vec<String> = received
            .split("__keyevent@0__:")
            .skip(1)
            .filter_map(|part| {
                let (event, rest) = part.split_once(' ')?;
                let key = rest.split(' ').nth(1)?;
                (event != "*").then(|| format!("{event} {key}"))
            })
            .collect();
        assert_eq!(events, expected, "{call}: {received}");
    }
}

#[test]
fn a_served_client_is_in_the_group_of_what_served_it() {
    let mut server = Server::new();
    let (low, both) = (server.client(), server.client());
    server.blocks(low, "BZPOPMIN no z 0");
    server.blocks(both, "BZMPOP 0 2 z no MAX COUNT 5");
    assert_eq!(server.run("ZUNIONSTORE z 1 none"), ":0");
    assert_eq!(server.run("ZADD z 1 a 2 b 3 c"), ":3");
    assert_eq!(server.outbox(low), "*3 $1 z $1 a $1 1");
    assert_eq!(server.outbox(both), "*2 $1 z *2 *2 $1 c $1 3 *2 $1 b $1 2");
    assert_eq!(
        server.effects(),
        ["ZADD z 1 a 2 b 3 c; ZPOPMIN z; ZPOPMAX z 5"]
    );
    assert_eq!(server.run("EXISTS z"), ":0");
}

#[test]
fn whatever_stores_a_sorted_set_serves_who_waits_for_one() {
    for stores in [
        "ZINCRBY d 1 a",
        "ZRANGESTORE d z 0 0",
        "ZUNIONSTORE d 1 z",
        "GEOADD d 1 1 a",
        "GEOSEARCHSTORE d z FROMMEMBER a BYRADIUS 1 m",
        "RENAME z d",
        "COPY z d",
    ] {
        let mut server = Server::new();
        server.run("ZADD z 1 a");
        let waiting = server.client();
        server.blocks(waiting, "BZPOPMAX d 0");
        // A key of another type serves nobody.
        server.run("RPUSH d a");
        assert_eq!(server.outbox(waiting), "", "{stores}");
        server.run("DEL d");
        server.run(stores);
        assert!(
            server.outbox(waiting).starts_with("*3 $1 d $1 a "),
            "{stores}"
        );
    }
}

#[test]
fn a_wait_ends_in_time() {
    let mut server = Server::new();
    let waiting = server.client();
    server.blocks(waiting, "BZMPOP 0.05 1 z MIN");
    server.now = server.now.after_ms(49);
    server.engine.tick(server.now);
    assert_eq!(server.outbox(waiting), "");
    server.now = server.now.after_ms(1);
    server.engine.tick(server.now);
    assert_eq!(server.outbox(waiting), "*-1");
    assert_eq!(server.run("ZADD z 1 a"), ":1");
    assert_eq!(server.run("ZCARD z"), ":1");
}

#[test]
fn a_sample_with_repetitions_is_bounded() {
    let mut server = Server::new();
    server.run("ZADD z 1 0123456789");
    server.run("CONFIG SET proto-max-bulk-len 1mb");
    assert!(server.run("ZRANDMEMBER z -60000").starts_with("*60000 "));
    for call in [
        "ZRANDMEMBER z -1000000000000",
        "ZRANDMEMBER z -70000",
        "ZRANDMEMBER z -4611686018427387903 WITHSCORES",
    ] {
        assert_eq!(server.run(call), "-ERR value is out of range", "{call}");
    }
}

#[test]
fn samples_reach_every_member() {
    for (encoding, limit) in [("listpack", 200), ("skiplist", 0)] {
        let mut server = Server::new();
        server.run(&format!("CONFIG SET zset-max-listpack-entries {limit}"));
        for index in 0..120 {
            server.run(&format!("ZADD z {} m{index}", index % 7));
        }
        assert!(server.run("OBJECT ENCODING z").ends_with(encoding));
        for count in ["", " 7", " 100", " -7"] {
            let mut seen = std::collections::HashSet::new();
            for _ in 0..4000 {
                let reply = server.run(&format!("ZRANDMEMBER z{count}"));
                let members = reply.split(' ').filter(|word| word.starts_with('m'));
                seen.extend(members.map(str::to_owned));
            }
            assert_eq!(seen.len(), 120, "{encoding}{count}");
        }
    }
}

#[test]
fn a_scan_gives_every_member_that_stays() {
    let mut server = Server::new();
    for index in 0..1000 {
        server.run(&format!("ZADD z {index} stays:{index}"));
    }
    let (mut seen, mut cursor, mut page) = (std::collections::HashSet::new(), "0".to_owned(), 0);
    loop {
        let reply = server.run(&format!("ZSCAN z {cursor} MATCH stays:* COUNT 20"));
        let words: Vec<&str> = reply.split(' ').collect();
        cursor = words[2].to_owned();
        seen.extend(
            words
                .iter()
                .filter(|word| word.starts_with("stays:"))
                .map(|&word| word.to_owned()),
        );
        if cursor == "0" {
            break;
        }
        for index in 0..50 {
            server.run(&format!("ZADD z 1 goes:{page}:{index}"));
            server.run(&format!("ZREM z goes:{}:{index}", page - 1));
        }
        page += 1;
    }
    assert_eq!(seen.len(), 1000);
}
