//! The keyspace's books of keys that come, go and expire, beside a model.

use std::collections::BTreeMap;

use server::keyspace::{Expiry, Keyspace, Value};
use server::value::{Rng, Str};

use crate::{START, Server};

const KEYS: usize = 50_000;

fn key(number: usize) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

/// Each key's expiry is its own, also after its entry took the place of another one's, which is what a removal does.
fn check(keyspace: &mut Keyspace, model: &BTreeMap<usize, Option<i64>>) {
    let expiring = model.values().flatten().count();
    let sizes = keyspace.sizes(0);
    assert_eq!((sizes.0, sizes.1), (model.len(), expiring));
    let db = keyspace.database(0, START);
    for number in 0..KEYS {
        assert_eq!(db.expiry(&key(number)), model.get(&number).copied());
    }
    for (key, entry) in db.iter() {
        assert_eq!(db.expiry(key), Some(entry.expires_at()));
    }
}

#[test]
fn expiries_stay_with_their_keys_whatever_is_removed() {
    let mut keyspace = Keyspace::new(1, 7);
    let mut rng = Rng::new(11);
    let mut model = BTreeMap::new();
    let time = |rng: &mut Rng| START.unix_ms() + 1 + rng.below(100_000) as i64;
    for round in 0..3 {
        for _ in 0..KEYS {
            let (number, at) = (rng.below(KEYS), time(&mut rng));
            let mut db = keyspace.database(0, START);
            match rng.below(8) {
                0..=2 => {
                    let expiry = if round == 1 {
                        Expiry::Clear
                    } else {
                        Expiry::At(at)
                    };
                    db.insert(&key(number), Value::String(Str::from(1)), expiry);
                    model.insert(number, (round != 1).then_some(at));
                }
                3 | 4 => {
                    db.insert(&key(number), Value::String(Str::from(2)), Expiry::Keep);
                    model.entry(number).or_insert(None);
                }
                5 => {
                    assert_eq!(
                        db.set_expiry(&key(number), None),
                        model.contains_key(&number)
                    );
                    model.entry(number).and_modify(|at| *at = None);
                }
                6 => {
                    db.set_expiry(&key(number), Some(at));
                    model.entry(number).and_modify(|held| *held = Some(at));
                }
                _ => assert_eq!(db.remove(&key(number)), model.remove(&number).is_some()),
            }
            keyspace.settle();
        }
        check(&mut keyspace, &model);
    }
    let late = START.after_ms(50_000);
    let due = model
        .values()
        .flatten()
        .filter(|at| **at <= late.unix_ms())
        .count();
    assert!(due > 1_000);
    assert_eq!(keyspace.expire_due(late, usize::MAX), due);
    model.retain(|_, at| at.is_none_or(|at| at > late.unix_ms()));
    check(&mut keyspace, &model);
    for number in 0..KEYS {
        keyspace.database(0, START).remove(&key(number));
    }
    check(&mut keyspace, &BTreeMap::new());
    assert_eq!(keyspace.value_bytes(), 0);
}

/// Puts so many keys into a database, each of which expires a second after the start where they do at all.
fn fill(keyspace: &mut Keyspace, index: usize, keys: usize, expire: bool) {
    let mut db = keyspace.database(index, START);
    let time = || {
        if expire {
            Expiry::At(START.after_ms(1_000).unix_ms())
        } else {
            Expiry::Clear
        }
    };
    for number in 0..keys {
        let text = Str::raw(vec![b'x'; 100]);
        db.insert(&key(number), Value::String(text), time());
    }
    keyspace.settle();
}

#[test]
fn what_is_flushed_counts_no_more_and_is_freed_in_pieces() {
    let mut keyspace = Keyspace::new(3, 7);
    let empty = keyspace.memory_bytes();
    fill(&mut keyspace, 1, 300, false);
    let (one, values) = (keyspace.memory_bytes(), keyspace.value_bytes());
    assert!(values > 300 * 100);
    fill(&mut keyspace, 0, KEYS, true);
    assert!(keyspace.value_bytes() > (KEYS + 300) * 100);
    keyspace.swap(0, 2);
    assert_eq!(keyspace.clear(Some(2)), KEYS);
    assert_eq!(
        (keyspace.memory_bytes(), keyspace.value_bytes()),
        (one, values)
    );
    let freed = keyspace.take_freed();
    assert_eq!(freed.len(), 1);
    assert!(freed[0].is_heavy());
    let mut pieces = 0;
    for garbage in freed {
        garbage.free(|| pieces += 1);
    }
    // None of them holds more than some hundred keys, or some thousand times.
    assert!(pieces > 1_000, "{pieces}");

    fill(&mut keyspace, 0, KEYS, false);
    assert_eq!(keyspace.clear(Some(1)), 300);
    assert!(keyspace.take_freed().iter().all(|it| !it.is_heavy()));
    assert_eq!(keyspace.clear(None), KEYS);
    assert_eq!(
        (keyspace.memory_bytes(), keyspace.value_bytes()),
        (empty, 0)
    );
}

#[test]
fn keys_that_expire_together_are_removed_a_few_at_a_time() {
    let mut server = Server::new();
    for number in 0..1_300 {
        server.run(&format!("SET {number} x PX 1000"));
    }
    assert!(!server.engine.expire_some(START));
    let late = START.after_ms(2_000);
    let mut calls = 0;
    while server.engine.expire_some(late) {
        calls += 1;
        assert!(calls < 100, "there is an end");
    }
    assert!(calls >= 2, "{calls}");
    assert_eq!(server.run("DBSIZE"), ":0");
    // Not while clients are paused.
    server.run("SET k x PX 1000");
    server.run("CLIENT PAUSE 100000 WRITE");
    assert!(!server.engine.expire_some(late));
    assert_eq!(server.run("DBSIZE"), ":1");
}
