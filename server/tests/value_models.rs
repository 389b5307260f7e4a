//! The collections beside those of the standard library: the same steps, the same answers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use proptest::prelude::*;
use server::value::{Blob, Hash, PackedLimits, Rng, Set, SortedSet, Str, Table, string};

/// Limits low enough that a few dozen steps cross them.
fn limits() -> impl Strategy<Value = PackedLimits> {
    (0usize..12, 0usize..20).prop_map(|(entries, value)| PackedLimits {
        hash_max_listpack_entries: entries,
        hash_max_listpack_value: value,
        set_max_intset_entries: entries,
        set_max_listpack_entries: value,
        set_max_listpack_value: 10,
        zset_max_listpack_entries: entries,
        zset_max_listpack_value: value,
        ..PackedLimits::default()
    })
}

/// Integers and words of a small space, some of them longer than a `Blob` holds in place.
fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (-20i64..20).prop_map(|value| value.to_string().into_bytes()),
        3 => (0u8..30).prop_map(|value| format!("m{value}").into_bytes()),
        1 => (0u8..5).prop_map(|value| vec![value; 30]),
    ]
}

/// A whole scan in steps of `count`.
fn scanned(
    count: usize,
    mut scan: impl FnMut(u64, usize, &mut Vec<Vec<u8>>) -> u64,
) -> Vec<Vec<u8>> {
    let (mut seen, mut cursor) = (Vec::new(), 0);
    for _ in 0..10_000 {
        cursor = scan(cursor, count, &mut seen);
        if cursor == 0 {
            return seen;
        }
    }
    panic!("a scan that does not end");
}

fn sorted(mut items: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    items.sort();
    items
}

proptest! {
    #[test]
    fn a_table_behaves_like_a_map(
        steps in proptest::collection::vec((0u8..10, 0u16..300), 1..1500), count in 1usize..20,
    ) {
        let (mut table, mut model) = (Table::new(), HashMap::new());
        // Phases of growth and of decline.
        let mut declining = false;
        for (index, (step, key)) in steps.into_iter().enumerate() {
            if index % 400 == 0 {
                declining = !declining;
            }
            let name = key.to_string().repeat(1 + usize::from(key) % 10).into_bytes();
            if (step < 3) == declining {
                prop_assert_eq!(table.insert(Blob::from(&*name), index), model.insert(name, index));
            } else {
                let last = (table.len() as u32).wrapping_sub(1);
                let moved_key = table.at(last).map(|(key, _)| key.clone());
                let removed = table.remove(&name);
                prop_assert_eq!(removed.as_ref().map(|removed| removed.value), model.remove(&name));
                if let Some(moved) = removed.as_ref().and_then(|removed| removed.moved) {
                    prop_assert_eq!(moved, last);
                    let id = removed.map(|removed| removed.id).unwrap_or_default();
                    prop_assert_eq!(table.at(id).map(|(key, _)| key.clone()), moved_key);
                }
            }
            prop_assert_eq!(table.len(), model.len());
        }
        for (key, value) in &model {
            prop_assert_eq!(table.get(key), Some(value));
            let id = table.id_of(key).unwrap_or(u32::MAX);
            prop_assert_eq!(table.at(id).map(|(key, _)| key.to_vec()), Some(key.clone()));
        }
        let seen = scanned(count, |cursor, count, seen| {
            table.scan(cursor, count, |key, _| seen.push(key.to_vec()))
        });
        prop_assert_eq!(sorted(seen), sorted(model.keys().cloned().collect()));
        prop_assert!(table.iter().all(|(key, value)| model.get(key.as_slice()) == Some(value)));
        while let Some(id) = table.len().checked_sub(1) {
            table.remove_at(id as u32 / 2);
        }
        prop_assert!(table.memory_bytes() < 400);
    }

    #[test]
    fn a_scan_finds_what_stays_whatever_comes_and_goes(
        staying in 0usize..300, steps in proptest::collection::vec((any::<bool>(), 1usize..400), 1..40),
        count in 1usize..30,
    ) {
        let mut table = Table::new();
        for index in 0..staying {
            table.insert(Blob::from(format!("stays:{index}").into_bytes()), ());
        }
        let (mut seen, mut cursor, mut guests) = (HashSet::new(), 0, 0);
        let mut steps = steps.into_iter().cycle();
        for _ in 0..10_000 {
            cursor = table.scan(cursor, count, |key, ()| { seen.insert(key.clone()); });
            if cursor == 0 {
                break;
            }
            let (coming, number) = steps.next().unwrap_or((false, 0));
            for _ in 0..number {
                if coming && guests < 3000 {
                    table.insert(Blob::from(format!("guest:{guests}").into_bytes()), ());
                    guests += 1;
                } else if !coming && guests > 0 {
                    guests -= 1;
                    table.remove(format!("guest:{guests}").as_bytes());
                }
            }
        }
        prop_assert_eq!(cursor, 0);
        for index in 0..staying {
            let name = format!("stays:{index}");
            prop_assert!(seen.contains(name.as_bytes()), "{}", name);
        }
    }

    #[test]
    fn any_cursor_is_valid(len in 0usize..200, cursor: u64, count: usize) {
        let mut table = Table::new();
        for index in 0..len {
            table.insert(Blob::from(index.to_string().into_bytes()), ());
        }
        table.scan(cursor, count, |_, ()| {});
    }

    #[test]
    fn a_set_behaves_like_a_set(
        limits in limits(), steps in proptest::collection::vec((0u8..8, member()), 1..150), seed: u64,
    ) {
        let (mut set, mut model) = (Set::new(), BTreeSet::new());
        let mut rng = Rng::new(seed);
        for (step, member) in steps {
            match step {
                0..5 => prop_assert_eq!(set.insert(&member, &limits), model.insert(member.clone())),
                5..7 => prop_assert_eq!(set.remove(&member), model.remove(&member)),
                _ => {
                    let expected = !model.is_empty();
                    let popped = set.pop(&mut rng);
                    prop_assert_eq!(popped.is_some(), expected);
                    prop_assert!(popped.is_none_or(|popped| model.remove(popped.as_slice())));
                }
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.contains(&member), model.contains(&member));
            prop_assert!(set.random(&mut rng).is_none_or(|member| model.contains(&*member)));
        }
        let all: Vec<_> = model.into_iter().collect();
        prop_assert_eq!(&sorted(set.iter().map(|member| member.to_vec()).collect()), &all);
        let places = (0..set.len()).filter_map(|index| set.at(index)).map(|member| member.to_vec());
        prop_assert_eq!(&sorted(places.collect()), &all);
        let seen = scanned(3, |cursor, count, seen| {
            set.scan(cursor, count, |member| seen.push(member.to_vec()))
        });
        prop_assert_eq!(&sorted(seen), &all);
    }

    #[test]
    fn a_hash_behaves_like_a_map(
        limits in limits(),
        steps in proptest::collection::vec((0u8..7, member(), member()), 1..150), seed: u64,
    ) {
        let (mut hash, mut model) = (Hash::new(), BTreeMap::new());
        let mut rng = Rng::new(seed);
        for (step, field, value) in steps {
            if step < 5 {
                prop_assert_eq!(hash.insert(&field, &value, &limits), model.insert(field.clone(), value).is_none());
            } else {
                prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some());
            }
            prop_assert_eq!(hash.len(), model.len());
            prop_assert_eq!(hash.get(&field).map(|value| value.to_vec()), model.get(&field).cloned());
            prop_assert_eq!(hash.contains(&field), model.contains_key(&field));
            let random = hash.random(&mut rng);
            prop_assert!(random.is_none_or(|(field, value)| model.get(&*field).map(|value| &**value) == Some(&*value)));
        }
        let pair = |field: &[u8], value: &[u8]| [field, b"=", value].concat();
        let all = sorted(model.iter().map(|(field, value)| pair(field, value)).collect());
        prop_assert_eq!(&sorted(hash.iter().map(|(field, value)| pair(&field, &value)).collect()), &all);
        let places = (0..hash.len()).filter_map(|index| hash.at(index));
        prop_assert_eq!(&sorted(places.map(|(field, value)| pair(&field, &value)).collect()), &all);
        let seen = scanned(3, |cursor, count, seen| {
            hash.scan(cursor, count, |field, value| seen.push(pair(field, value)))
        });
        prop_assert_eq!(&sorted(seen), &all);
        for field in model.keys() {
            hash.remove(field);
        }
        prop_assert!(hash.memory_bytes() < 400, "{}", hash.memory_bytes());
    }

    #[test]
    fn a_sorted_set_behaves_like_a_sorted_vector(
        limits in limits(),
        steps in proptest::collection::vec((0u8..10, member(), score(), score()), 1..200), seed: u64,
    ) {
        let (mut set, mut model) = (SortedSet::new(), Vec::<(f64, Vec<u8>)>::new());
        let mut rng = Rng::new(seed);
        for (step, member, score, other) in steps {
            let at = model.iter().position(|(_, other)| *other == member);
            let old = at.map(|at| model[at].0);
            match step {
                0..6 => {
                    prop_assert_eq!(set.insert(&member, score, &limits), old);
                    at.map(|at| model.remove(at));
                    model.push((score, member.clone()));
                    sort(&mut model);
                }
                6 => {
                    prop_assert_eq!(set.remove(&member), old);
                    at.map(|at| model.remove(at));
                }
                7 => {
                    let popped = set.pop_first().map(|(member, score)| (score, member.to_vec()));
                    prop_assert_eq!(popped, (!model.is_empty()).then(|| model.remove(0)));
                    let popped = set.pop_last().map(|(member, score)| (score, member.to_vec()));
                    prop_assert_eq!(popped, model.pop());
                }
                8 if rng.below(8) == 0 => {
                    let start = rng.below(model.len() + 1);
                    let end = start + rng.below(6);
                    let removed: Vec<_> = model.drain(start..end.min(model.len())).collect();
                    prop_assert_eq!(set.remove_range(start..end), removed.len());
                }
                _ => {}
            }
            prop_assert_eq!(set.len(), model.len());
            let at = model.iter().position(|(_, other)| *other == member);
            prop_assert_eq!(set.rank(&member), at.map(|at| (at, model[at].0)));
            prop_assert_eq!(set.score(&member), at.map(|at| model[at].0));
            for (min, max) in [
                (Bound::Included(score), Bound::Excluded(other)),
                (Bound::Excluded(score), Bound::Included(other)),
                (Bound::Unbounded, Bound::Included(other)),
                (Bound::Excluded(score), Bound::Unbounded),
            ] {
                let range = set.by_score(min, max);
                                let expected: Vec<_> = model.iter().filter(|(score, _)| is_within((min, max), *score)).cloned().collect();
                prop_assert_eq!(pairs(set.range(range.clone())), expected.clone());
                let mut backward = pairs(set.range(range).rev());
                backward.reverse();
                prop_assert_eq!(backward, expected);
            }
        }
        prop_assert_eq!(pairs(set.iter()), model.clone());
        // From both ends by turns.
        let (mut iter, mut expected, mut front) = (set.iter(), model.iter(), true);
        while let Some((member, score)) = if front { iter.next() } else { iter.next_back() } {
            let next = if front { expected.next() } else { expected.next_back() };
            prop_assert_eq!(next, Some(&(score, member.to_vec())));
            prop_assert_eq!(iter.len(), expected.len());
            front = !front;
        }
        prop_assert_eq!(
            set.iter().step_by(3).map(|(member, score)| (score, member.to_vec())).collect::<Vec<_>>(),
            model.iter().step_by(3).cloned().collect::<Vec<_>>()
        );
        // Put together at once, in whatever order.
        let mut members: Vec<_> = model.iter().map(|(score, member)| (Blob::from(&member[..]), *score)).collect();
        members.rotate_left(rng.below(model.len() + 1));
        let whole = SortedSet::from_members(members, &limits);
        let packed = model.len() <= limits.zset_max_listpack_entries
            && model.iter().all(|(_, member)| member.len() <= limits.zset_max_listpack_value);
        prop_assert_eq!(whole.encoding(), if packed { "listpack" } else { "skiplist" });
        prop_assert_eq!(pairs(whole.iter()), model.clone());
        let all = sorted(model.into_iter().map(|(_, member)| member).collect());
        let seen = scanned(3, |cursor, count, seen| {
            set.scan(cursor, count, |member, _| seen.push(member.to_vec()))
        });
        prop_assert_eq!(&sorted(seen), &all);
        let places = (0..set.len()).filter_map(|index| set.at(index));
        prop_assert_eq!(&sorted(places.map(|(member, _)| member.to_vec()).collect()), &all);
    }

    #[test]
    fn members_of_one_score_are_found_by_their_bytes(
        packed: bool, members in proptest::collection::btree_set(member(), 0..60),
        min in member(), max in member(),
    ) {
        let entries = if packed { 100 } else { 0 };
        let limits = PackedLimits { zset_max_listpack_entries: entries, ..PackedLimits::default() };
        let mut set = SortedSet::new();
        for member in &members {
            set.insert(member, 1.0, &limits);
        }
        let ends: [Ends<&[u8]>; 4] = [
            (Bound::Included(&min), Bound::Included(&max)),
            (Bound::Excluded(&min), Bound::Excluded(&max)),
            (Bound::Unbounded, Bound::Excluded(&max)),
            (Bound::Included(&min), Bound::Unbounded),
        ];
        for (min, max) in ends {
            let found = set.range(set.by_member(min, max)).map(|(member, _)| member.to_vec());
            let expected = members.iter().filter(|member| is_within((min, max), &***member)).cloned();
            prop_assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        }
    }
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-5i8..5).prop_map(f64::from),
        2 => -3.0..3.0f64,
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(0.0), Just(-0.0), Just(1e300)],
    ]
}

fn sort(model: &mut [(f64, Vec<u8>)]) {
    model.sort_by(|(a, x), (b, y)| {
        a.partial_cmp(b)
            .into_iter()
            .fold(x.cmp(y), |bytes, score| score.then(bytes))
    });
}

fn pairs<'a>(iter: impl Iterator<Item = (server::value::Element<'a>, f64)>) -> Vec<(f64, Vec<u8>)> {
    iter.map(|(member, score)| (score, member.to_vec()))
        .collect()
}

type Ends<T> = (Bound<T>, Bound<T>);

fn is_within<T: PartialOrd + Copy>(ends: Ends<T>, value: T) -> bool {
    let above = match ends.0 {
        Bound::Included(min) => value >= min,
        Bound::Excluded(min) => value > min,
        Bound::Unbounded => true,
    };
    above
        && match ends.1 {
            Bound::Included(max) => value <= max,
            Bound::Excluded(max) => value < max,
            Bound::Unbounded => true,
        }
}

#[test]
fn encodings_change_where_those_of_redis_7_0_do() {
    let limits = PackedLimits::default();
    let (mut hash, mut sorted_set, mut set) = (Hash::new(), SortedSet::new(), Set::new());
    for index in 0..512 {
        hash.insert(index.to_string().as_bytes(), b"v", &limits);
        set.insert(index.to_string().as_bytes(), &limits);
    }
    for index in 0..128 {
        sorted_set.insert(index.to_string().as_bytes(), 1.5, &limits);
    }
    assert_eq!(
        [hash.encoding(), sorted_set.encoding(), set.encoding()],
        ["listpack", "listpack", "intset"]
    );
    hash.insert(b"512", b"v", &limits);
    set.insert(b"512", &limits);
    sorted_set.insert(b"128", 1.5, &limits);
    assert_eq!(
        [hash.encoding(), sorted_set.encoding(), set.encoding()],
        ["hashtable", "skiplist", "hashtable"]
    );

    let (mut hash, mut sorted_set, mut set) = (Hash::new(), SortedSet::new(), Set::new());
    hash.insert(b"f", &[b'x'; 64], &limits);
    sorted_set.insert(&[b'x'; 64], 1.0, &limits);
    assert_eq!(
        [hash.encoding(), sorted_set.encoding()],
        ["listpack", "listpack"]
    );
    hash.insert(b"f", &[b'x'; 65], &limits);
    sorted_set.insert(&[b'x'; 65], 1.0, &limits);
    set.insert(b"01", &limits);
    assert_eq!(
        [hash.encoding(), sorted_set.encoding(), set.encoding()],
        ["hashtable", "skiplist", "hashtable"]
    );
}

#[test]
fn strings_are_shared_when_long_and_changed_without_harm_to_a_share() {
    let long = vec![b'x'; string::SHARED];
    let mut value = Str::new(&long);
    let share = value.share();
    assert_eq!(share.as_deref(), Some(&*long));
    value.raw_mut()[0] = b'y';
    assert_eq!(share.as_deref(), Some(&*long));
    assert_eq!(value.bytes()[..2], *b"yx");
    assert_eq!(value.share().map(|share| share[0]), Some(b'y'));
    assert_eq!(Str::new(&long[1..]).share(), None);
}

#[test]
fn string_encodings_are_those_of_redis() {
    let encoding = |text: &[u8]| Str::new(text).encoding();
    assert_eq!(encoding(b"123"), "int");
    assert_eq!(encoding(b"0123"), "embstr");
    assert_eq!(encoding(&[b'x'; 44]), "embstr");
    assert_eq!(encoding(&[b'x'; 45]), "raw");
    assert_eq!(encoding(&b"x".repeat(20_000)), "raw");
    assert_eq!(Str::text(b"123").encoding(), "embstr");
    let mut value = Str::from(12);
    value.raw_mut().push(b'3');
    assert_eq!(
        (value.encoding(), value.as_integer(), value.len()),
        ("raw", Some(123), 3)
    );
}

/// The kind of `enum` that a keyspace makes of the values.
#[allow(dead_code, reason = "only its size is asked for")]
enum Value {
    String(Str),
    List(server::value::List),
    Set(Set),
    Hash(Hash),
    SortedSet(SortedSet),
    Stream(Box<u64>),
}

#[test]
fn values_are_no_larger_than_promised() {
    let collections = [
        size_of::<Hash>(),
        size_of::<Set>(),
        size_of::<SortedSet>(),
        size_of::<server::value::List>(),
    ];
    assert_eq!(collections, [16; 4]);
    assert_eq!(
        [
            size_of::<Str>(),
            size_of::<Blob>(),
            size_of::<Option<Blob>>()
        ],
        [24; 3]
    );
    assert_eq!(size_of::<Value>(), 24);
    // Dropped on whatever thread has the time.
    std::thread::spawn(|| drop(Value::SortedSet(SortedSet::new())))
        .join()
        .unwrap_or_default();
}

#[test]
fn a_million_members_take_what_was_planned() {
    let limits = PackedLimits::default();
    let number = 1_000_000usize;
    let (mut set, mut hash, mut sorted_set) = (Set::new(), Hash::new(), SortedSet::new());
    for index in 0..number {
        let member = format!("member:{index}");
        set.insert(member.as_bytes(), &limits);
        sorted_set.insert(member.as_bytes(), (index * 7 % 1_000_003) as f64, &limits);
        hash.insert(
            format!("field:{index}").as_bytes(),
            format!("value:{index}").as_bytes(),
            &limits,
        );
    }
    let bytes = [
        set.memory_bytes(),
        hash.memory_bytes(),
        sorted_set.memory_bytes(),
    ]
    .map(|bytes| bytes / number);
    assert!(
        bytes[0] <= 39 && bytes[1] <= 72 && bytes[2] <= 100,
        "{bytes:?}"
    );
    let mut small = Hash::new();
    for (field, value) in [
        ("name", "name12345"),
        ("age", "15"),
        ("mail", "u12345@example.org"),
        ("city", "Paris"),
        ("n", "12345"),
    ] {
        small.insert(field.as_bytes(), value.as_bytes(), &limits);
    }
    assert!(small.memory_bytes() <= 80, "{}", small.memory_bytes());
}
