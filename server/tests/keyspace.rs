//! The keyspace's books of keys that come, go and expire, beside a model.

use std::collections::BTreeMap;

use server::keyspace::{Expiry, Keyspace, Value};
use server::time::Now;
use server::value::{Rng, Str};

const KEYS: usize = 50_000;
const START: Now = Now {
    unix_us: 1_700_000_000_000_000,
    monotonic_us: 0,
};

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
