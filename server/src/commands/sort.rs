//! SORT and `SORT_RO`: the elements of a list, set or sorted set in an order that other keys may give.

use std::cmp::Ordering;
use std::ops::Range;

use crate::args::Args;
use crate::changes::Class;
use crate::command::{Call, Command, Flags, Place};
use crate::fault::{Fault, Outcome};
use crate::keyspace::{Database, Expiry, Value};
use crate::value::{Element, List, float};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "SORT",
        "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [sorting=ALPHA] \
         [STORE destination]",
        sort,
    )
    .writes()
    .denies_oom()
    .dangerous()
    .flags(Flags::MOVABLE_KEYS)
    .categories(&["list", "set", "sortedset"])
    .key(1)
    .access("RO access")
    .keys_at(Place::Custom(|_| Vec::new()))
    .access("RO access")
    .keys_at(Place::Custom(stored_at))
    .access("OW update")
    .complexity(
        "O(N+M*log(M)) where N is the number of elements and M the number of those answered; O(M) where they are \
         not sorted.",
    )
    .summary("Answers or stores the elements of a list, set or sorted set in order."),
    Command::new(
        "SORT_RO",
        "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [sorting=ALPHA]",
        sort_ro,
    )
    .reads()
    .dangerous()
    .flags(Flags::MOVABLE_KEYS)
    .categories(&["list", "set", "sortedset"])
    .key(1)
    .access("RO access")
    .keys_at(Place::Custom(|_| Vec::new()))
    .access("RO access")
    .since("7.0.0")
    .complexity(
        "O(N+M*log(M)) where N is the number of elements and M the number of those answered; O(M) where they are \
         not sorted.",
    )
    .summary("Answers the elements of a list, set or sorted set in order."),
];

/// Where SORT's destination is: behind the last STORE.
fn stored_at(args: &[&[u8]]) -> Vec<usize> {
    let mut rest = Args::new(args, 2);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let at = args.len() - rest.len();
        let values = match rest.one_of(&["STORE", "BY", "GET", "LIMIT"]) {
            Some(0) if rest.peek().is_some() => {
                // Redis takes what follows for the next option, too.
                found = vec![at + 1];
                0
            }
            Some(word) => 1 + usize::from(word == 3),
            None => 1,
        };
        if rest.take(values).is_err() {
            break;
        }
    }
    found
}

fn sort(call: &mut Call<'_>) -> Outcome {
    sort_key(call, true)
}

fn sort_ro(call: &mut Call<'_>) -> Outcome {
    sort_key(call, false)
}

fn sort_key(call: &mut Call<'_>, stores: bool) -> Outcome {
    let key = call.args.next_bytes()?;
    let mut options = Options::read(&mut call.args, stores)?;
    if let Some(Value::SortedSet(zset)) = call.db.value_mut(key) {
        // It stays so, as in Redis, where its encoding and how it prints a score of -0 tell.
        zset.unpack();
    }
    let value = call.db.value(key);
    if options.store.is_some() && matches!(value, Some(Value::Set(_))) && options.unsorted {
        // A set has no order of its own that could be repeated.
        (options.unsorted, options.alpha, options.by) = (false, true, None);
    }
    let elements = ordered(&call.db, value, &options)?;
    let count = elements.len() * options.gets.len().max(1);
    let Some(destination) = options.store else {
        call.reply.array(count);
        for element in &elements {
            if options.gets.is_empty() {
                call.reply.bulk(element);
            }
            for pattern in &options.gets {
                call.reply.bulk_or_null(pattern.lookup(&call.db, element));
            }
        }
        return Ok(());
    };
    let limits = &call.state.config.packed;
    let mut list = List::new();
    for element in &elements {
        if options.gets.is_empty() {
            list.push_back(element, limits);
        }
        for pattern in &options.gets {
            let found = pattern.lookup(&call.db, element);
            list.push_back(found.as_deref().unwrap_or_default(), limits);
        }
    }
    if count > 0 {
        call.db
            .insert(destination, Value::List(list), Expiry::Clear);
        call.db
            .changed_by(count, destination, Class::LIST, "sortstore");
    } else {
        call.db.discard(destination);
    }
    call.reply.count(count);
    Ok(())
}

struct Options<'a> {
    by: Option<Pattern<'a>>,
    /// BY names no key: elements stay in the order of their collection.
    unsorted: bool,
    alpha: bool,
    descending: bool,
    offset: i64,
    count: i64,
    gets: Vec<Pattern<'a>>,
    store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn read(args: &mut Args<'a>, stores: bool) -> Result<Self, Fault> {
        let mut options = Self {
            by: None,
            unsorted: false,
            alpha: false,
            descending: false,
            offset: 0,
            count: -1,
            gets: Vec::new(),
            store: None,
        };
        while !args.is_empty() {
            match args.one_of(&["ASC", "DESC", "ALPHA", "LIMIT", "BY", "GET", "STORE"]) {
                Some(0) => options.descending = false,
                Some(1) => options.descending = true,
                Some(2) => options.alpha = true,
                Some(3) if args.len() >= 2 => {
                    (options.offset, options.count) = (args.next_i64()?, args.next_i64()?);
                }
                Some(4) => {
                    let pattern = Pattern::new(args.next_bytes()?);
                    options.unsorted |= !matches!(pattern, Pattern::Key { .. });
                    options.by = Some(pattern);
                }
                Some(5) => options.gets.push(Pattern::new(args.next_bytes()?)),
                Some(6) if stores => options.store = Some(args.next_bytes()?),
                _ => return Err(Fault::SYNTAX),
            }
        }
        Ok(options)
    }

    /// Which of `len` elements in order are wanted.
    fn range(&self, len: usize) -> Range<usize> {
        let start = usize::try_from(self.offset.max(0))
            .unwrap_or(usize::MAX)
            .min(len);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(len)
    }
}

/// The name of a key, and maybe a field, to be made with an element; or the element itself.
enum Pattern<'a> {
    /// `#`
    Element,
    /// Without `*`: nothing.
    Nothing,
    /// `before*after->field`
    Key {
        before: &'a [u8],
        after: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    fn new(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Self::Element;
        }
        let Some(star) = text.iter().position(|byte| *byte == b'*') else {
            return Self::Nothing;
        };
        let (before, after) = (&text[..star], &text[star + 1..]);
        let arrow = after.windows(2).position(|pair| pair == b"->");
        match arrow.map(|at| (&after[..at], &after[at + 2..])) {
            Some((after, field @ [_, ..])) => Self::Key {
                before,
                after,
                field: Some(field),
            },
            _ => Self::Key {
                before,
                after,
                field: None,
            },
        }
    }

    /// What it names: a string, or a field of a hash.
    fn lookup<'b>(&self, db: &'b Database<'_>, element: &Element<'b>) -> Option<Element<'b>> {
        let Self::Key {
            before,
            after,
            field,
        } = self
        else {
            return matches!(self, Self::Element).then_some(*element);
        };
        match (db.value(&[before, &**element, after].concat())?, field) {
            (Value::String(text), None) => Some(text.bytes()),
            (Value::Hash(hash), Some(field)) => hash.get(field),
            _ => None,
        }
    }
}

/// An element with what it is sorted by.
struct Weighed<'a> {
    element: Element<'a>,
    number: f64,
    text: Option<Element<'a>>,
    /// Elements of equal weight keep their order.
    place: usize,
}

/// The wanted elements in the wanted order.
fn ordered<'a>(
    db: &'a Database<'_>,
    value: Option<&'a Value>,
    options: &Options<'_>,
) -> Result<Vec<Element<'a>>, Fault> {
    let len = value.map_or(0, Value::len);
    let range = options.range(len);
    if options.unsorted {
        return elements(value, range, options.descending);
    }
    let mut elements = elements(value, 0..len, false)?;
    if options.store.is_some() && matches!(value, Some(Value::Set(_))) {
        // Replayed elsewhere, members of equal weight must come out in the same order.
        elements.sort_unstable_by(|one, other| Ord::cmp(&**one, &**other));
    }
    let mut weighed = Vec::with_capacity(elements.len());
    for (place, element) in elements.into_iter().enumerate() {
        let by = options
            .by
            .as_ref()
            .map_or(Some(element), |by| by.lookup(db, &element));
        let number = match &by {
            Some(text) if !options.alpha => number(text)?,
            _ => 0.0,
        };
        weighed.push(Weighed {
            element,
            number,
            text: by,
            place,
        });
    }
    let order = |one: &Weighed<'_>, other: &Weighed<'_>| {
        let order = if options.alpha {
            one.text.as_deref().cmp(&other.text.as_deref())
        } else {
            let by_number = one.number.partial_cmp(&other.number);
            by_number
                .unwrap_or(Ordering::Equal)
                .then_with(|| one.element.cmp(&other.element))
        };
        let order = if options.descending {
            order.reverse()
        } else {
            order
        };
        order.then(one.place.cmp(&other.place))
    };
    // Only what is wanted has to be in order.
    if range.end < weighed.len() {
        weighed.select_nth_unstable_by(range.end, order);
        weighed.truncate(range.end);
    }
    if range.start > 0 && range.start < weighed.len() {
        weighed.select_nth_unstable_by(range.start, order);
    }
    weighed.drain(..range.start);
    weighed.sort_unstable_by(order);
    Ok(weighed.into_iter().map(|weighed| weighed.element).collect())
}

/// The elements of a collection in its own order, or from its end; a set has no end.
fn elements(
    value: Option<&Value>,
    range: Range<usize>,
    descending: bool,
) -> Result<Vec<Element<'_>>, Fault> {
    let len = value.map_or(0, Value::len);
    let mirrored = len - range.end..len - range.start;
    Ok(match value {
        None => Vec::new(),
        Some(Value::List(list)) if descending => list.range(mirrored).rev().collect(),
        Some(Value::List(list)) => list.range(range).collect(),
        Some(Value::SortedSet(zset)) if descending => {
            let members = zset.range(mirrored).rev();
            members.map(|(member, _)| member).collect()
        }
        Some(Value::SortedSet(zset)) => zset.range(range).map(|(member, _)| member).collect(),
        Some(Value::Set(set)) => set.iter().skip(range.start).take(range.len()).collect(),
        Some(_) => return Err(Fault::WRONG_TYPE),
    })
}

/// A weight as `strtod` reads it: up to a zero byte, blanks may stand in front, and nothing is zero. What is closer to zero
/// than a double of full precision is refused with what is too large.
fn number(text: &[u8]) -> Result<f64, Fault> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(0.0);
    }
    let weight = float::parse(text.trim_ascii_start()).filter(|weight| !weight.is_subnormal());
    weight.ok_or(Fault::NOT_A_WEIGHT)
}
