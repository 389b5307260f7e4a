//! Commands on the members of sorted sets: adding, scores, ranks, popping, sampling. Ranges are in
//! `sorted_set_ranges.rs`, unions and their kin in `sorted_set_algebra.rs`.

use std::cmp::Ordering;

use crate::args::{Args, parse_cursor, parse_f64, parse_i64};
use crate::changes::Class;
use crate::command::{Call, Command};
use crate::commands::keys::ScanOptions;
use crate::commands::sampling::{Sample, at_places};
use crate::fault::{Fault, Outcome};
use crate::keyspace::{Expiry, Kind, Value};
use crate::reply::Reply;
use crate::value::{Blob, Element, PackedLimits, SortedSet, float};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "ZADD",
        "key [NX | XX]@3.0.2 [GT | LT]@6.2.0 [change=CH]@3.0.2 [increment=INCR]@3.0.2 score member [score member ...]",
        zadd,
    )
    .writes()
    .denies_oom()
    .fast()
    .key(1)
    .access("RW update")
    .since("1.2.0")
    .complexity("O(log(N)) for each member, N being the size of the sorted set.")
    .summary("Adds members to a sorted set or changes their scores."),
    Command::new("ZINCRBY", "key increment member", zincrby)
        .writes()
        .denies_oom()
        .fast()
        .key(1)
        .access("RW access update")
        .since("1.2.0")
        .complexity("O(log(N)) where N is the size of the sorted set.")
        .summary("Increments a member's score."),
    Command::new("ZCARD", "key", zcard)
        .reads()
        .fast()
        .key(1)
        .access("RO")
        .since("1.2.0")
        .summary("The number of members."),
    Command::new("ZSCORE", "key member", zscore)
        .reads()
        .fast()
        .key(1)
        .since("1.2.0")
        .summary("A member's score."),
    Command::new("ZMSCORE", "key member [member ...]", zmscore)
        .reads()
        .fast()
        .key(1)
        .since("6.2.0")
        .complexity("O(N) where N is the number of members asked for.")
        .summary("The scores of several members."),
    Command::new("ZRANK", "key member [WITHSCORE]@7.2.0", zrank)
        .reads()
        .fast()
        .key(1)
        .since("2.0.0")
        .complexity("O(log(N)) where N is the size of the sorted set.")
        .summary("A member's place, counted from the lowest score."),
    Command::new("ZREVRANK", "key member [WITHSCORE]@7.2.0", zrevrank)
        .reads()
        .fast()
        .key(1)
        .since("2.0.0")
        .complexity("O(log(N)) where N is the size of the sorted set.")
        .summary("A member's place, counted from the highest score."),
    Command::new("ZREM", "key member [member ...]", zrem)
        .writes()
        .fast()
        .key(1)
        .access("RW delete")
        .since("1.2.0")
        .complexity(
            "O(M*log(N)) where N is the size of the sorted set and M the number of members.",
        )
        .summary("Removes members."),
    Command::new("ZPOPMIN", "key [count]", zpopmin)
        .writes()
        .fast()
        .key(1)
        .access("RW access delete")
        .since("5.0.0")
        .complexity(
            "O(log(N)*M) where N is the size of the sorted set and M the number of members taken.",
        )
        .summary("Takes the members with the lowest scores."),
    Command::new("ZPOPMAX", "key [count]", zpopmax)
        .writes()
        .fast()
        .key(1)
        .access("RW access delete")
        .since("5.0.0")
        .complexity(
            "O(log(N)*M) where N is the size of the sorted set and M the number of members taken.",
        )
        .summary("Takes the members with the highest scores."),
    Command::new(
        "ZMPOP",
        "numkeys key [key ...] <MIN | MAX> [COUNT count]",
        zmpop,
    )
    .writes()
    .numkeys(1)
    .access("RW access delete")
    .since("7.0.0")
    .complexity("O(K) + O(M*log(N)) for K keys and M members taken from a sorted set of size N.")
    .summary("Takes members from an end of the first sorted set that has any."),
    Command::new("BZPOPMIN", "key [key ...] timeout", bzpopmin)
        .writes()
        .fast()
        .blocks()
        .no_script()
        .keys(1, -2, 1)
        .access("RW access delete")
        .since("5.0.0")
        .complexity("O(log(N)) where N is the size of the sorted set.")
        .summary("Takes the lowest member of the first sorted set that has one, and waits for it."),
    Command::new("BZPOPMAX", "key [key ...] timeout", bzpopmax)
        .writes()
        .fast()
        .blocks()
        .no_script()
        .keys(1, -2, 1)
        .access("RW access delete")
        .since("5.0.0")
        .complexity("O(log(N)) where N is the size of the sorted set.")
        .summary(
            "Takes the highest member of the first sorted set that has one, and waits for it.",
        ),
    Command::new(
        "BZMPOP",
        "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
        bzmpop,
    )
    .writes()
    .blocks()
    .numkeys(2)
    .access("RW access delete")
    .since("7.0.0")
    .complexity("O(K) + O(M*log(N)) for K keys and M members taken from a sorted set of size N.")
    .summary("Takes members from an end of the first sorted set that has any, and waits for them."),
    Command::new("ZRANDMEMBER", "key options=[count [WITHSCORES]]", zrandmember)
        .reads()
        .key(1)
        .since("6.2.0")
        .complexity("O(N) where N is the number of members returned.")
        .tips("nondeterministic_output")
        .summary("Random members."),
    Command::new("ZSCAN", "key cursor [MATCH pattern] [COUNT count]", zscan)
        .reads()
        .key(1)
        .since("2.8.0")
        .complexity("O(1) for each call, O(N) for all of them.")
        .tips("nondeterministic_output")
        .summary("Visits the members of a sorted set page by page."),
];

/// How scores stand beside members in a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Members alone.
    Members,
    /// WITHSCORES: by turns in RESP2, in pairs in RESP3.
    Scores,
    /// In pairs.
    Pairs,
}

impl Layout {
    /// With scores, or without.
    pub(super) fn new(with_scores: bool) -> Self {
        if with_scores {
            Self::Scores
        } else {
            Self::Members
        }
    }
}

/// Writes members and, where `layout` has them, their scores.
pub(super) fn answer<M: AsRef<[u8]>>(
    reply: &mut Reply<'_>,
    members: impl ExactSizeIterator<Item = (M, f64)>,
    layout: Layout,
) {
    let nested = layout == Layout::Pairs || layout == Layout::Scores && reply.is_resp3();
    let flat = layout == Layout::Scores && !nested;
    reply.array(members.len() * if flat { 2 } else { 1 });
    for (member, score) in members {
        if nested {
            reply.array(2);
        }
        reply.bulk(member);
        if nested || flat {
            reply.double(score);
        }
    }
}

/// Puts a computed sorted set at `key`, in place of whatever was there, and replies its size. An empty one removes
/// the key.
pub(super) fn store(call: &mut Call<'_>, key: &[u8], set: SortedSet, event: &'static str) {
    let len = set.len();
    if len == 0 {
        call.db.discard(key);
    } else {
        call.db.insert(key, Value::SortedSet(set), Expiry::Clear);
        call.db.changed(key, Class::SORTED_SET, event);
    }
    call.reply.count(len);
}

/// The members that ZADD is about.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Presence {
    /// All.
    #[default]
    Any,
    /// NX: new ones.
    Missing,
    /// XX: those that are there.
    Existing,
}

/// Where ZADD may move a member that is there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Direction {
    #[default]
    Any,
    /// GT: to a higher score.
    Up,
    /// LT: to a lower score.
    Down,
}

/// The options of ZADD.
#[derive(Clone, Copy, Default)]
pub(super) struct Adding {
    /// Which members.
    pub(super) presence: Presence,
    direction: Direction,
    /// CH: the reply counts changed scores too.
    pub(super) counts_changed: bool,
    /// INCR: scores are increments.
    increments: bool,
}

/// What became of a member, with its score.
#[derive(Clone, Copy)]
enum Change {
    Added(f64),
    Updated(f64),
    Kept(f64),
}

impl Adding {
    /// Reads ZADD's options and checks them against the pairs that follow.
    fn read(args: &mut Args<'_>) -> Result<Self, Fault> {
        let (mut adding, mut seen) = (Self::default(), [false; 6]);
        while let Some(option) = args.one_of(&["NX", "XX", "GT", "LT", "CH", "INCR"]) {
            seen[option] = true;
        }
        let [missing, existing, up, down, changed, increments] = seen;
        if args.is_empty() || args.len() % 2 == 1 {
            return Err(Fault::SYNTAX);
        }
        if missing && existing {
            return Err(Fault::ZADD_NX_XX);
        }
        if up && down || missing && (up || down) {
            return Err(Fault::ZADD_GT_LT_NX);
        }
        adding.presence = match (missing, existing) {
            (true, _) => Presence::Missing,
            (_, true) => Presence::Existing,
            _ => Presence::Any,
        };
        adding.direction = match (up, down) {
            (true, _) => Direction::Up,
            (_, true) => Direction::Down,
            _ => Direction::Any,
        };
        adding.counts_changed = changed;
        adding.increments = increments;
        Ok(adding)
    }

    /// Adds or moves one member; `None` where the options forbid it.
    fn put(
        self,
        set: &mut SortedSet,
        member: &[u8],
        score: f64,
        limits: &PackedLimits,
    ) -> Result<Option<Change>, Fault> {
        if !self.increments && self.presence == Presence::Any && self.direction == Direction::Any {
            return Ok(Some(match set.insert(member, score, limits) {
                None => Change::Added(score),
                Some(old) if equal(old, score) => Change::Kept(score),
                Some(_) => Change::Updated(score),
            }));
        }
        let Some(old) = set.score(member) else {
            if self.presence == Presence::Existing {
                return Ok(None);
            }
            set.insert(member, score, limits);
            return Ok(Some(Change::Added(score)));
        };
        if self.presence == Presence::Missing {
            return Ok(None);
        }
        let score = if self.increments { old + score } else { score };
        if score.is_nan() {
            return Err(Fault::SCORE_NAN);
        }
        let allowed = match self.direction {
            Direction::Any => true,
            Direction::Up => score > old,
            Direction::Down => score < old,
        };
        if !allowed {
            return Ok(None);
        }
        if equal(old, score) {
            return Ok(Some(Change::Kept(score)));
        }
        set.insert(member, score, limits);
        Ok(Some(Change::Updated(score)))
    }
}

fn equal(one: f64, other: f64) -> bool {
    one.partial_cmp(&other) == Some(Ordering::Equal)
}

fn zadd(call: &mut Call<'_>) -> Outcome {
    add_pairs(call, false)
}

/// ZINCRBY is ZADD with INCR, down to the options that it takes in place of an increment and then lacks.
fn zincrby(call: &mut Call<'_>) -> Outcome {
    add_pairs(call, true)
}

fn add_pairs<'a>(call: &mut Call<'a>, increments: bool) -> Outcome {
    let key = call.args.next_bytes()?;
    let mut adding = Adding::read(&mut call.args)?;
    adding.increments |= increments;
    if adding.increments && call.args.len() > 2 {
        return Err(Fault::ZADD_INCR);
    }
    let scored = |[score, member]: &[&'a [u8]; 2]| {
        let score = parse_f64(score).ok_or(Fault::NOT_FLOAT)?;
        Ok((score, *member))
    };
    // No score may be wrong before the first is set.
    match call.args.remaining().as_chunks::<2>().0 {
        [pair] => add(call, key, adding, &[scored(pair)?]),
        pairs => {
            let all: Result<Vec<_>, Fault> = pairs.iter().map(scored).collect();
            add(call, key, adding, &all?)
        }
    }
}

/// Adds members with their scores and replies as ZADD does.
pub(super) fn add(
    call: &mut Call<'_>,
    key: &[u8],
    adding: Adding,
    scored: &[(f64, &[u8])],
) -> Outcome {
    let limits = &call.state.config.packed;
    let set = match adding.presence {
        Presence::Existing => call.db.sorted_set_mut(key)?,
        _ => Some(call.db.sorted_set_mut_or_create(key)?),
    };
    let (mut added, mut updated, mut last) = (0, 0, None);
    if let Some(set) = set {
        for (score, member) in scored {
            let change = adding.put(set, member, *score, limits)?;
            added += usize::from(matches!(change, Some(Change::Added(_))));
            updated += usize::from(matches!(change, Some(Change::Updated(_))));
            last = change;
        }
    }
    if added + updated > 0 {
        let event = if adding.increments { "zincr" } else { "zadd" };
        call.db
            .changed_by(added + updated, key, Class::SORTED_SET, event);
    }
    match last {
        _ if !adding.increments => {
            let counted = if adding.counts_changed { updated } else { 0 };
            call.reply.count(added + counted);
        }
        Some(Change::Added(score) | Change::Updated(score) | Change::Kept(score)) => {
            call.reply.double(score);
        }
        None => call.reply.null(),
    }
    Ok(())
}

fn zcard(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let len = call.db.sorted_set(key)?.map_or(0, SortedSet::len);
    call.reply.count(len);
    Ok(())
}

fn answer_score(reply: &mut Reply<'_>, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

fn zscore(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let member = call.args.next_bytes()?;
    let set = call.db.sorted_set(key)?;
    answer_score(&mut call.reply, set.and_then(|set| set.score(member)));
    Ok(())
}

fn zmscore(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let set = call.db.sorted_set(key)?;
    call.reply.array(call.args.len());
    for member in call.args.remaining() {
        answer_score(&mut call.reply, set.and_then(|set| set.score(member)));
    }
    Ok(())
}

fn zrank(call: &mut Call<'_>) -> Outcome {
    rank(call, false)
}

fn zrevrank(call: &mut Call<'_>) -> Outcome {
    rank(call, true)
}

fn rank(call: &mut Call<'_>, reversed: bool) -> Outcome {
    let key = call.args.next_bytes()?;
    let member = call.args.next_bytes()?;
    if call.args.len() > 1 {
        return Err(Fault::wrong_arity(&call.command.name));
    }
    let with_score = call.args.keyword("WITHSCORE");
    call.args.finish()?;
    let set = call.db.sorted_set(key)?;
    let found = set.and_then(|set| {
        let (rank, score) = set.rank(member)?;
        let rank = if reversed { set.len() - 1 - rank } else { rank };
        Some((rank, score))
    });
    match found {
        Some((rank, score)) if with_score => {
            call.reply.array(2);
            call.reply.count(rank);
            call.reply.double(score);
        }
        Some((rank, _)) => call.reply.count(rank),
        None if with_score => call.reply.null_array(),
        None => call.reply.null(),
    }
    Ok(())
}

fn zrem(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let mut removed = 0;
    if let Some(set) = call.db.sorted_set_mut(key)? {
        for member in call.args.remaining() {
            removed += usize::from(set.remove(member).is_some());
        }
    }
    if removed > 0 {
        call.db.changed_by(removed, key, Class::SORTED_SET, "zrem");
    }
    call.reply.count(removed);
    Ok(())
}

/// An end of a sorted set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    fn read(args: &mut Args<'_>) -> Result<Self, Fault> {
        match args.one_of(&["MIN", "MAX"]) {
            Some(0) => Ok(Self::Min),
            Some(_) => Ok(Self::Max),
            None => Err(Fault::SYNTAX),
        }
    }

    fn event(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }

    /// The command that takes from this end.
    fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }
}

/// Takes up to `count` members from an end; none of a missing key.
fn pop(call: &mut Call<'_>, key: &[u8], end: End, count: usize) -> Result<Vec<(Blob, f64)>, Fault> {
    let Some(set) = call.db.sorted_set_mut(key)? else {
        return Ok(Vec::new());
    };
    let mut popped = Vec::with_capacity(count.min(set.len()));
    while popped.len() < count
        && let Some(member) = match end {
            End::Min => set.pop_first(),
            End::Max => set.pop_last(),
        }
    {
        popped.push(member);
    }
    if !popped.is_empty() {
        call.db
            .changed_by(popped.len(), key, Class::SORTED_SET, end.event());
    }
    Ok(popped)
}

fn zpopmin(call: &mut Call<'_>) -> Outcome {
    pop_some(call, End::Min)
}

fn zpopmax(call: &mut Call<'_>) -> Outcome {
    pop_some(call, End::Max)
}

fn pop_some(call: &mut Call<'_>, end: End) -> Outcome {
    let key = call.args.next_bytes()?;
    let count = call.args.pop();
    call.args.finish()?;
    let Some(count) = count else {
        // One member without a count is a flat reply under both protocols.
        let popped = pop(call, key, end, 1)?;
        call.reply.array(2 * popped.len());
        for (member, score) in popped {
            call.reply.bulk(member);
            call.reply.double(score);
        }
        return Ok(());
    };
    let count = parse_i64(count)
        .and_then(|count| usize::try_from(count).ok())
        .ok_or(Fault::NOT_POSITIVE)?;
    let popped = pop(call, key, end, count)?;
    answer(&mut call.reply, popped.into_iter(), Layout::Scores);
    Ok(())
}

/// What ZMPOP and BZMPOP are asked for.
struct MultiPop<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
}

impl<'a> MultiPop<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, Fault> {
        let keys = args.next_keys()?;
        let end = End::read(args)?;
        let mut count = 1;
        if args.keyword("COUNT") {
            count = parse_i64(args.next_bytes()?)
                .and_then(|count| usize::try_from(count).ok())
                .filter(|count| *count > 0)
                .ok_or(Fault::COUNT_NOT_POSITIVE)?;
        }
        args.finish()?;
        Ok(Self { keys, end, count })
    }

    /// Takes members from the first sorted set that has any, and replies; whether there was one.
    fn run(&self, call: &mut Call<'_>, candidates: &[&[u8]]) -> Result<bool, Fault> {
        for key in candidates {
            let popped = pop(call, key, self.end, self.count)?;
            if popped.is_empty() {
                continue;
            }
            let count = self.count.to_string();
            call.propagate(&[self.end.command(), key, count.as_bytes()]);
            call.reply.array(2);
            call.reply.bulk(key);
            answer(&mut call.reply, popped.into_iter(), Layout::Pairs);
            return Ok(true);
        }
        Ok(false)
    }
}

fn zmpop(call: &mut Call<'_>) -> Outcome {
    let pop = MultiPop::read(&mut call.args)?;
    if !pop.run(call, pop.keys)? {
        call.reply.null_array();
    }
    Ok(())
}

fn bzmpop(call: &mut Call<'_>) -> Outcome {
    // The timeout is judged last, though it stands first.
    let mut timeout = call.args;
    call.args.next_bytes()?;
    let pop = MultiPop::read(&mut call.args)?;
    let timeout = timeout.next_timeout()?;
    let candidates = call.candidates(pop.keys);
    if !pop.run(call, &candidates)? {
        call.block(pop.keys, Kind::SortedSet, timeout);
    }
    Ok(())
}

fn bzpopmin(call: &mut Call<'_>) -> Outcome {
    blocking_pop(call, End::Min)
}

fn bzpopmax(call: &mut Call<'_>) -> Outcome {
    blocking_pop(call, End::Max)
}

fn blocking_pop(call: &mut Call<'_>, end: End) -> Outcome {
    let timeout = call.args.next_timeout_back()?;
    let keys = call.args.remaining();
    for key in call.candidates(keys) {
        if let Some((member, score)) = pop(call, key, end, 1)?.pop() {
            call.propagate(&[end.command(), key]);
            call.reply.array(3);
            call.reply.bulk(key);
            call.reply.bulk(member);
            call.reply.double(score);
            return Ok(());
        }
    }
    call.block(keys, Kind::SortedSet, timeout);
    Ok(())
}

fn zrandmember(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let mut rng = call.db.rng().split();
    if call.args.is_empty() {
        let set = call.db.sorted_set(key)?;
        let member = set.and_then(|set| set.random(&mut rng));
        call.reply.bulk_or_null(member.map(|(member, _)| member));
        return Ok(());
    }
    let sample = Sample::read(&mut call.args, Some("WITHSCORES"))?;
    let Some(set) = call.db.sorted_set(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    let most_bytes = call.state.config.proto_max_bulk_len;
    let mut answer = sample.answer(set.len(), &mut call.reply, most_bytes)?;
    let mut write = |(member, score): (Element<'_>, f64)| {
        let reply = answer.item(member.len())?;
        reply.bulk(member);
        if sample.paired {
            reply.double(score);
        }
        Ok(())
    };
    if !sample.repeats {
        let places = rng.distinct(set.len(), sample.count);
        return at_places(set.iter(), places).try_for_each(write);
    }
    // A packed sorted set finds no place without a walk: one walk then, not one for each member.
    let packed: Vec<_> = match set.encoding() {
        "listpack" => set.iter().collect(),
        _ => Vec::new(),
    };
    for _ in 0..sample.count {
        let place = rng.below(set.len());
        let drawn = packed.get(place).copied().or_else(|| set.at(place));
        if let Some(drawn) = drawn {
            write(drawn)?;
        }
    }
    Ok(())
}

/// Scores beyond are packed as text even where they are whole.
const MOST_PACKED_SCORE: f64 = (i64::MAX / 2) as f64;

fn zscan(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let cursor = call.args.next_bytes()?;
    // A missing key is answered before the options are read.
    parse_cursor(cursor).ok_or(Fault::INVALID_CURSOR)?;
    let Some(set) = call.db.sorted_set(key)? else {
        ScanOptions::answer(&mut call.reply, 0, &[]);
        return Ok(());
    };
    let options = ScanOptions::read(cursor, &mut call.args, false)?;
    let mut found = Vec::new();
    let packed = set.encoding() == "listpack";
    let next = set.scan(options.cursor, options.count, |member, score| {
        if options.wants(member) {
            // Redis packs a whole score as an integer, and shows it here as it is stored.
            let score = match score as i64 {
                whole if packed && score.fract() == 0.0 && score.abs() <= MOST_PACKED_SCORE => {
                    whole.to_string()
                }
                _ => float::format(score),
            };
            found.extend([Blob::from(member), Blob::from(score.as_bytes())]);
        }
    });
    ScanOptions::answer(&mut call.reply, next, &found);
    Ok(())
}
