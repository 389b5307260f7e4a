//! Commands on lists.

use std::ops::Range;

use crate::args::{Args, parse_i64};
use crate::changes::Class;
use crate::command::{Call, Command, Context};
use crate::fault::{Fault, Outcome};
use crate::keyspace::Kind;
use crate::reply::Reply;
use crate::value::list::{List, Side};
use crate::value::{Blob, Element, PackedLimits};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("LPUSH", "key element [element ...]", lpush)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW insert")
        .complexity("O(1) for each element.")
        .summary("Adds elements in front of a list."),
    Command::new("RPUSH", "key element [element ...]", rpush)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW insert")
        .complexity("O(1) for each element.")
        .summary("Adds elements behind a list."),
    Command::new("LPUSHX", "key element [element ...]", lpushx)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW insert")
        .since("2.2.0")
        .complexity("O(1) for each element.")
        .summary("Adds elements in front of a list that exists."),
    Command::new("RPUSHX", "key element [element ...]", rpushx)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW insert")
        .since("2.2.0")
        .complexity("O(1) for each element.")
        .summary("Adds elements behind a list that exists."),
    Command::new("LINSERT", "key <BEFORE | AFTER> pivot element", linsert)
        .writes()
        .denies_oom()
        .key(1)
        .access("RW insert")
        .since("2.2.0")
        .complexity("O(N) where N is the number of elements up to the pivot.")
        .summary("Inserts an element beside the first one that equals the pivot."),
    Command::new("LPOP", "key [count]@6.2.0", lpop)
        .writes()
        .fast()
        .key(1)
        .access("RW access delete")
        .complexity("O(N) where N is the number of elements taken.")
        .summary("Takes the first elements of a list."),
    Command::new("RPOP", "key [count]@6.2.0", rpop)
        .writes()
        .fast()
        .key(1)
        .access("RW access delete")
        .complexity("O(N) where N is the number of elements taken.")
        .summary("Takes the last elements of a list."),
    Command::new(
        "LMPOP",
        "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        lmpop,
    )
    .writes()
    .numkeys(1)
    .access("RW access delete")
    .since("7.0.0")
    .complexity("O(N+M) where N is the number of keys and M the number of elements taken.")
    .summary("Takes elements of the first list that has any."),
    Command::new("LLEN", "key", llen)
        .reads()
        .fast()
        .key(1)
        .access("RO")
        .summary("The length of a list."),
    Command::new("LINDEX", "key index", lindex)
        .reads()
        .key(1)
        .complexity("O(N) where N is the number of elements between the index and the nearer end.")
        .summary("The element of a list at an index."),
    Command::new("LSET", "key index element", lset)
        .writes()
        .denies_oom()
        .key(1)
        .access("RW update")
        .complexity("O(N) where N is the number of elements between the index and the nearer end.")
        .summary("Replaces the element of a list at an index."),
    Command::new("LRANGE", "key start stop", lrange)
        .reads()
        .key(1)
        .complexity(
            "O(S+N) where S is the distance of the range from the nearer end and N its length.",
        )
        .summary("The elements of a list from one index to another."),
    Command::new("LTRIM", "key start stop", ltrim)
        .writes()
        .key(1)
        .access("RW delete")
        .complexity("O(N) where N is the number of elements removed.")
        .summary("Keeps only the elements of a list from one index to another."),
    Command::new(
        "LPOS",
        "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
        lpos,
    )
    .reads()
    .key(1)
    .since("6.0.6")
    .complexity("O(N) where N is the number of elements looked at.")
    .summary("The indexes of elements of a list that equal one."),
    Command::new("LREM", "key count element", lrem)
        .writes()
        .key(1)
        .access("RW delete")
        .complexity("O(N) where N is the length of the list.")
        .summary("Removes elements of a list that equal one."),
    Command::new("RPOPLPUSH", "source destination", rpoplpush)
        .writes()
        .denies_oom()
        .key(1)
        .access("RW access delete")
        .key(2)
        .access("RW insert")
        .since("1.2.0")
        .deprecated("6.2.0", "`LMOVE` with `RIGHT` and `LEFT`")
        .summary("Moves the last element of a list to the front of another."),
    Command::new(
        "LMOVE",
        "source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT>",
        lmove,
    )
    .writes()
    .denies_oom()
    .key(1)
    .access("RW access delete")
    .key(2)
    .access("RW insert")
    .since("6.2.0")
    .summary("Moves an element from one end of a list to one of another."),
    Command::new("BLPOP", "key [key ...] timeout", blpop)
        .writes()
        .blocks()
        .no_script()
        .keys(1, -2, 1)
        .access("RW access delete")
        .since("2.0.0")
        .complexity("O(N) where N is the number of keys.")
        .summary("Takes the first element of the first list that has one, and waits for it."),
    Command::new("BRPOP", "key [key ...] timeout", brpop)
        .writes()
        .blocks()
        .no_script()
        .keys(1, -2, 1)
        .access("RW access delete")
        .since("2.0.0")
        .complexity("O(N) where N is the number of keys.")
        .summary("Takes the last element of the first list that has one, and waits for it."),
    Command::new(
        "BLMPOP",
        "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        blmpop,
    )
    .writes()
    .blocks()
    .numkeys(2)
    .access("RW access delete")
    .since("7.0.0")
    .complexity("O(N+M) where N is the number of keys and M the number of elements taken.")
    .summary("Takes elements of the first list that has any, and waits for them."),
    Command::new("BRPOPLPUSH", "source destination timeout", brpoplpush)
        .writes()
        .denies_oom()
        .blocks()
        .no_script()
        .key(1)
        .access("RW access delete")
        .key(2)
        .access("RW insert")
        .since("2.2.0")
        .deprecated("6.2.0", "`BLMOVE` with `RIGHT` and `LEFT`")
        .summary("Moves the last element of a list to the front of another, and waits for it."),
    Command::new(
        "BLMOVE",
        "source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT> timeout",
        blmove,
    )
    .writes()
    .denies_oom()
    .blocks()
    .no_script()
    .key(1)
    .access("RW access delete")
    .key(2)
    .access("RW insert")
    .since("6.2.0")
    .summary("Moves an element from one end of a list to one of another, and waits for it."),
];

/// An end of a list.
#[derive(Clone, Copy)]
enum End {
    Left,
    Right,
}

impl End {
    /// Reads `LEFT` or `RIGHT`.
    fn read(args: &mut Args<'_>) -> Result<Self, Fault> {
        match args.one_of(&["LEFT", "RIGHT"]) {
            Some(0) => Ok(Self::Left),
            Some(_) => Ok(Self::Right),
            None => Err(Fault::SYNTAX),
        }
    }

    fn push(self, list: &mut List, element: &[u8], limits: &PackedLimits) {
        match self {
            Self::Left => list.push_front(element, limits),
            Self::Right => list.push_back(element, limits),
        }
    }

    fn pop(self, list: &mut List) -> Option<Blob> {
        match self {
            Self::Left => list.pop_front(),
            Self::Right => list.pop_back(),
        }
    }

    /// The event of a push at this end.
    fn pushed(self) -> &'static str {
        match self {
            Self::Left => "lpush",
            Self::Right => "rpush",
        }
    }

    /// The event of a pop at this end.
    fn popped(self) -> &'static str {
        match self {
            Self::Left => "lpop",
            Self::Right => "rpop",
        }
    }

    /// The command that pops at this end and never waits, as effects name it.
    fn pop_command(self) -> &'static [u8] {
        match self {
            Self::Left => b"LPOP",
            Self::Right => b"RPOP",
        }
    }

    fn keyword(self) -> &'static [u8] {
        match self {
            Self::Left => b"LEFT",
            Self::Right => b"RIGHT",
        }
    }
}

fn lpush(call: &mut Call<'_>) -> Outcome {
    push(call, End::Left, false)
}

fn rpush(call: &mut Call<'_>) -> Outcome {
    push(call, End::Right, false)
}

fn lpushx(call: &mut Call<'_>) -> Outcome {
    push(call, End::Left, true)
}

fn rpushx(call: &mut Call<'_>) -> Outcome {
    push(call, End::Right, true)
}

fn push(call: &mut Call<'_>, end: End, only_existing: bool) -> Outcome {
    let key = call.args.next_bytes()?;
    let limits = &call.state.config.packed;
    if only_existing && call.db.list_mut(key)?.is_none() {
        call.reply.count(0);
        return Ok(());
    }
    let list = call.db.list_mut_or_create(key)?;
    let elements = call.args.remaining();
    for element in elements {
        end.push(list, element, limits);
    }
    call.reply.count(list.len());
    call.db
        .changed_by(elements.len(), key, Class::LIST, end.pushed());
    Ok(())
}

fn linsert(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let side = match call.args.one_of(&["BEFORE", "AFTER"]) {
        Some(0) => Side::Before,
        Some(_) => Side::After,
        None => return Err(Fault::SYNTAX),
    };
    let pivot = call.args.next_bytes()?;
    let element = call.args.next_bytes()?;
    let Some(list) = call.db.list_mut(key)? else {
        call.reply.count(0);
        return Ok(());
    };
    if list.insert_beside(side, pivot, element, &call.state.config.packed) {
        call.reply.count(list.len());
        call.db.changed(key, Class::LIST, "linsert");
    } else {
        call.reply.integer(-1);
    }
    Ok(())
}

fn lpop(call: &mut Call<'_>) -> Outcome {
    pop(call, End::Left)
}

fn rpop(call: &mut Call<'_>) -> Outcome {
    pop(call, End::Right)
}

fn pop(call: &mut Call<'_>, end: End) -> Outcome {
    let key = call.args.next_bytes()?;
    let count = call.args.pop();
    if !call.args.is_empty() {
        return Err(Fault::wrong_arity(&call.command.name));
    }
    let Some(count) = count else {
        let popped = call.db.list_mut(key)?.and_then(|list| end.pop(list));
        if popped.is_some() {
            call.db.changed(key, Class::LIST, end.popped());
        }
        call.reply.bulk_or_null(popped);
        return Ok(());
    };
    let count = natural(count).ok_or(Fault::NOT_POSITIVE)?;
    match call.db.list_mut(key)? {
        None => call.reply.null_array(),
        Some(_) if count == 0 => call.reply.array(0),
        Some(list) => {
            let popped = pop_several(&mut call.reply, list, end, count);
            call.db.changed_by(popped, key, Class::LIST, end.popped());
        }
    }
    Ok(())
}

/// A count that is not negative.
fn natural(text: &[u8]) -> Option<usize> {
    usize::try_from(parse_i64(text)?).ok()
}

/// Takes up to `count` elements off a list and answers them; gives how many.
fn pop_several(reply: &mut Reply<'_>, list: &mut List, end: End, count: usize) -> usize {
    let len = list.len();
    let count = count.min(len);
    match end {
        End::Left => {
            reply.bulks(list.range(0..count));
            list.trim(count..len);
        }
        End::Right => {
            reply.bulks(list.range(len - count..len).rev());
            list.trim(0..len - count);
        }
    }
    count
}

fn lmpop(call: &mut Call<'_>) -> Outcome {
    let request = MultiplePop::read(&mut call.args)?;
    if !request.pop(call, request.keys)? {
        call.reply.null_array();
    }
    Ok(())
}

fn blmpop(call: &mut Call<'_>) -> Outcome {
    // The timeout stands first, and is judged last.
    let mut first = call.args;
    call.args.next_bytes()?;
    let request = MultiplePop::read(&mut call.args)?;
    let timeout = first.next_timeout()?;
    let candidates = call.candidates(request.keys);
    if !request.pop(call, &candidates)? {
        call.block(request.keys, Kind::List, timeout);
    }
    Ok(())
}

/// What LMPOP and BLMPOP ask for.
struct MultiplePop<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
}

impl<'a> MultiplePop<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, Fault> {
        let keys = args.next_keys()?;
        let end = End::read(args)?;
        let count = if args.keyword("COUNT") {
            natural(args.next_bytes()?)
                .filter(|count| *count > 0)
                .ok_or(Fault::COUNT_NOT_POSITIVE)?
        } else {
            1
        };
        args.finish()?;
        Ok(Self { keys, end, count })
    }

    /// Pops from the first list there is among `keys` and answers; whether there is one.
    fn pop(&self, call: &mut Call<'_>, keys: &[&[u8]]) -> Result<bool, Fault> {
        for key in keys {
            let Some(list) = call.db.list_mut(key)? else {
                continue;
            };
            call.reply.array(2);
            call.reply.bulk(key);
            let count = pop_several(&mut call.reply, list, self.end, self.count);
            call.db
                .changed_by(count, key, Class::LIST, self.end.popped());
            let count = Element::from(count as i64);
            call.propagate(&[self.end.pop_command(), key, &count]);
            return Ok(true);
        }
        Ok(false)
    }
}

fn blpop(call: &mut Call<'_>) -> Outcome {
    blocking_pop(call, End::Left)
}

fn brpop(call: &mut Call<'_>) -> Outcome {
    blocking_pop(call, End::Right)
}

fn blocking_pop(call: &mut Call<'_>, end: End) -> Outcome {
    let timeout = call.args.next_timeout_back()?;
    let keys = call.args.remaining();
    for key in call.candidates(keys) {
        let Some(element) = call.db.list_mut(key)?.and_then(|list| end.pop(list)) else {
            continue;
        };
        call.reply.array(2);
        call.reply.bulk(key);
        call.reply.bulk(element);
        let count = counted_unless_served(call);
        call.db.changed_by(count, key, Class::LIST, end.popped());
        call.propagate(&[end.pop_command(), key]);
        return Ok(());
    }
    call.block(keys, Kind::List, timeout);
    Ok(())
}

/// Redis counts what BLPOP and its like take at once, but not what they are served later.
fn counted_unless_served(call: &Call<'_>) -> usize {
    usize::from(call.context != Context::Retry)
}

fn llen(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let len = call.db.list(key)?.map_or(0, List::len);
    call.reply.count(len);
    Ok(())
}

fn lindex(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let Some(list) = call.db.list(key)? else {
        // The index is not even read.
        call.reply.null();
        return Ok(());
    };
    let index = call.args.next_i64()?;
    let element = place(index, list.len()).and_then(|index| list.get(index));
    call.reply.bulk_or_null(element);
    Ok(())
}

fn lset(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let list = call.db.list_mut(key)?.ok_or(Fault::NO_SUCH_KEY)?;
    let index = call.args.next_i64()?;
    let element = call.args.next_bytes()?;
    let index = place(index, list.len()).ok_or(Fault::INDEX_OUT_OF_RANGE)?;
    if !list.set(index, element, &call.state.config.packed) {
        return Err(Fault::INDEX_OUT_OF_RANGE);
    }
    call.db.changed(key, Class::LIST, "lset");
    call.reply.ok();
    Ok(())
}

/// The place that an index names, counted from the end where it is negative; perhaps behind the end.
fn place(index: i64, len: usize) -> Option<usize> {
    if index < 0 {
        len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    } else {
        usize::try_from(index).ok()
    }
}

fn lrange(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let start = call.args.next_i64()?;
    let stop = call.args.next_i64()?;
    match call.db.list(key)? {
        None => call.reply.array(0),
        Some(list) => call
            .reply
            .bulks(list.range(places(start, stop, list.len()))),
    }
    Ok(())
}

fn ltrim(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let start = call.args.next_i64()?;
    let stop = call.args.next_i64()?;
    if let Some(list) = call.db.list_mut(key)? {
        let before = list.len();
        list.trim(places(start, stop, before));
        let removed = before - list.len();
        call.db.changed_by(removed, key, Class::LIST, "ltrim");
    }
    call.reply.ok();
    Ok(())
}

/// The places from `start` to `stop`, both inclusive and counted from the end where negative.
fn places(start: i64, stop: i64, len: usize) -> Range<usize> {
    let start = place(start, len).unwrap_or(0);
    match place(stop, len) {
        Some(stop) if start <= stop && start < len => start..stop.saturating_add(1).min(len),
        _ => 0..0,
    }
}

fn lpos(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let element = call.args.next_bytes()?;
    let search = Search::read(&mut call.args)?;
    let list = call.db.list(key)?;
    let mut found = list
        .into_iter()
        .flat_map(|list| search.matches(list, element));
    match search.count {
        None => match found.next() {
            Some(index) => call.reply.count(index),
            None => call.reply.null(),
        },
        Some(count) => {
            let mark = call.reply.mark();
            let mut answered = 0;
            for index in found.take(count) {
                call.reply.count(index);
                answered += 1;
            }
            call.reply.array_at(mark, answered);
        }
    }
    Ok(())
}

/// What LPOS looks for.
struct Search {
    backward: bool,
    /// Matches to pass over.
    skipped: usize,
    /// The most matches to answer, as an array; one alone where it is not given.
    count: Option<usize>,
    /// The most elements to compare.
    compared: usize,
}

impl Search {
    fn read(args: &mut Args<'_>) -> Result<Self, Fault> {
        let mut search = Self {
            backward: false,
            skipped: 0,
            count: None,
            compared: usize::MAX,
        };
        let unlimited = |number: usize| if number == 0 { usize::MAX } else { number };
        while !args.is_empty() {
            match args.one_of(&["RANK", "COUNT", "MAXLEN"]) {
                Some(0) => {
                    let rank = args.next_i64()?;
                    search.backward = rank < 0;
                    search.skipped = match rank {
                        0 => return Err(Fault::RANK_ZERO),
                        // Redis takes the rank without a positive counterpart for the first.
                        i64::MIN => 0,
                        _ => usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX),
                    };
                }
                Some(1) => {
                    let count = natural(args.next_bytes()?).ok_or(Fault::COUNT_NEGATIVE)?;
                    search.count = Some(unlimited(count));
                }
                Some(_) => {
                    let compared = natural(args.next_bytes()?).ok_or(Fault::MAXLEN_NEGATIVE)?;
                    search.compared = unlimited(compared);
                }
                None => return Err(Fault::SYNTAX),
            }
        }
        Ok(search)
    }

    /// The indexes of the elements that equal `wanted`, in the order of the search.
    fn matches(&self, list: &List, wanted: &[u8]) -> impl Iterator<Item = usize> {
        let (backward, len) = (self.backward, list.len());
        let mut elements = list.iter();
        std::iter::from_fn(move || {
            if backward {
                elements.next_back()
            } else {
                elements.next()
            }
        })
        .take(self.compared)
        .enumerate()
        .filter(move |(_, element)| **element == *wanted)
        .map(move |(index, _)| if backward { len - 1 - index } else { index })
        .skip(self.skipped)
    }
}

fn lrem(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let count = call.args.next_i64()?;
    let element = call.args.next_bytes()?;
    let most = match usize::try_from(count.unsigned_abs()) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(count) => count,
    };
    let removed = match call.db.list_mut(key)? {
        None => 0,
        Some(list) if count < 0 => list.remove_last(element, most),
        Some(list) => list.remove_first(element, most),
    };
    if removed > 0 {
        call.db.changed_by(removed, key, Class::LIST, "lrem");
    }
    call.reply.count(removed);
    Ok(())
}

fn rpoplpush(call: &mut Call<'_>) -> Outcome {
    let (source, destination) = (call.args.next_bytes()?, call.args.next_bytes()?);
    if !move_element(call, source, destination, End::Right, End::Left)? {
        call.reply.null();
    }
    Ok(())
}

fn lmove(call: &mut Call<'_>) -> Outcome {
    let (source, destination) = (call.args.next_bytes()?, call.args.next_bytes()?);
    let (from, to) = (End::read(&mut call.args)?, End::read(&mut call.args)?);
    if !move_element(call, source, destination, from, to)? {
        call.reply.null();
    }
    Ok(())
}

fn brpoplpush(call: &mut Call<'_>) -> Outcome {
    let (source, destination) = (call.args.next_bytes()?, call.args.next_bytes()?);
    let timeout = call.args.next_timeout()?;
    if move_element(call, source, destination, End::Right, End::Left)? {
        call.propagate(&[b"RPOPLPUSH", source, destination]);
    } else {
        wait_for_source(call, source, timeout);
    }
    Ok(())
}

fn blmove(call: &mut Call<'_>) -> Outcome {
    let (source, destination) = (call.args.next_bytes()?, call.args.next_bytes()?);
    let (from, to) = (End::read(&mut call.args)?, End::read(&mut call.args)?);
    let timeout = call.args.next_timeout()?;
    if move_element(call, source, destination, from, to)? {
        let (from, to) = (from.keyword(), to.keyword());
        call.propagate(&[b"LMOVE", source, destination, from, to]);
    } else {
        wait_for_source(call, source, timeout);
    }
    Ok(())
}

/// Moves an element from one end to another and answers it; whether there is a source.
fn move_element(
    call: &mut Call<'_>,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> Result<bool, Fault> {
    if call.db.list_mut(source)?.is_none() {
        return Ok(false);
    }
    // The destination's type is judged before the source changes.
    call.db.list_mut(destination)?;
    let Some(element) = call.db.list_mut(source)?.and_then(|list| from.pop(list)) else {
        return Ok(false);
    };
    let list = call.db.list_mut_or_create(destination)?;
    to.push(list, &element, &call.state.config.packed);
    let count = counted_unless_served(call);
    call.db
        .changed_by(count, destination, Class::LIST, to.pushed());
    call.db.changed_by(0, source, Class::LIST, from.popped());
    call.reply.bulk(element);
    Ok(true)
}

/// Blocks on the source of a move; where that is not possible, the reply is no array but the absent element.
fn wait_for_source(call: &mut Call<'_>, source: &[u8], timeout: Option<u64>) {
    if call.may_block() {
        call.block(&[source], Kind::List, timeout);
    } else {
        call.reply.null();
    }
}
