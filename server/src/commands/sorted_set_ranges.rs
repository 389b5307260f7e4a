//! Commands on ranges of sorted sets: by place, by score or by member, from either end.

use std::ops::{Bound, Range};

use crate::args::{Args, parse_i64};
use crate::changes::Class;
use crate::command::{Call, Command};
use crate::commands::sorted_sets::{Layout, answer, store};
use crate::fault::{Fault, Outcome};
use crate::value::{SortedSet, float};

const RANGE_COST: &str =
    "O(log(N)+M) where N is the size of the sorted set and M the number of members returned.";
const COUNT_COST: &str = "O(log(N)) where N is the size of the sorted set.";
const REMOVE_COST: &str =
    "O(log(N)*M) where N is the size of the sorted set and M the number of members removed.";

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "ZRANGE",
        "key start=string stop=string [BYSCORE | BYLEX]@6.2.0 [REV]@6.2.0 [LIMIT offset count]@6.2.0 [WITHSCORES]",
        zrange,
    )
    .reads()
    .key(1)
    .since("1.2.0")
    .complexity(RANGE_COST)
    .summary("The members in a range of places, scores or members."),
    Command::new(
        "ZRANGESTORE",
        "dst=key src=key min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
        zrangestore,
    )
    .writes()
    .denies_oom()
    .key(1)
    .access("OW update")
    .key(2)
    .access("RO access")
    .since("6.2.0")
    .complexity(
        "O(log(N)+M*log(M)) where N is the size of the source and M the number of members stored.",
    )
    .summary("Stores the members in a range of places, scores or members."),
    Command::new("ZREVRANGE", "key start stop [WITHSCORES]", zrevrange)
        .reads()
        .key(1)
        .since("1.2.0")
        .complexity(RANGE_COST)
        .deprecated("6.2.0", "`ZRANGE` with `REV`")
        .summary("The members in a range of places, counted from the highest score."),
    Command::new(
        "ZRANGEBYSCORE",
        "key min=double max=double [WITHSCORES]@2.0.0 [LIMIT offset count]",
        zrangebyscore,
    )
    .reads()
    .key(1)
    .since("1.0.5")
    .complexity(RANGE_COST)
    .deprecated("6.2.0", "`ZRANGE` with `BYSCORE`")
    .summary("The members in a range of scores."),
    Command::new(
        "ZREVRANGEBYSCORE",
        "key max=double min=double [WITHSCORES] [LIMIT offset count]",
        zrevrangebyscore,
    )
    .reads()
    .key(1)
    .since("2.2.0")
    .complexity(RANGE_COST)
    .deprecated("6.2.0", "`ZRANGE` with `REV` and `BYSCORE`")
    .summary("The members in a range of scores, the highest first."),
    Command::new(
        "ZRANGEBYLEX",
        "key min max [LIMIT offset count]",
        zrangebylex,
    )
    .reads()
    .key(1)
    .since("2.8.9")
    .complexity(RANGE_COST)
    .deprecated("6.2.0", "`ZRANGE` with `BYLEX`")
    .summary("The members between two others, where all scores are the same."),
    Command::new(
        "ZREVRANGEBYLEX",
        "key max min [LIMIT offset count]",
        zrevrangebylex,
    )
    .reads()
    .key(1)
    .since("2.8.9")
    .complexity(RANGE_COST)
    .deprecated("6.2.0", "`ZRANGE` with `REV` and `BYLEX`")
    .summary("The members between two others, the last first, where all scores are the same."),
    Command::new("ZCOUNT", "key min=double max=double", zcount)
        .reads()
        .fast()
        .key(1)
        .since("2.0.0")
        .complexity(COUNT_COST)
        .summary("How many members are in a range of scores."),
    Command::new("ZLEXCOUNT", "key min max", zlexcount)
        .reads()
        .fast()
        .key(1)
        .since("2.8.9")
        .complexity(COUNT_COST)
        .summary("How many members are between two others, where all scores are the same."),
    Command::new("ZREMRANGEBYRANK", "key start stop", zremrangebyrank)
        .writes()
        .key(1)
        .access("RW delete")
        .since("2.0.0")
        .complexity(REMOVE_COST)
        .summary("Removes the members in a range of places."),
    Command::new("ZREMRANGEBYSCORE", "key min=double max=double", zremrangebyscore)
        .writes()
        .key(1)
        .access("RW delete")
        .since("1.2.0")
        .complexity(REMOVE_COST)
        .summary("Removes the members in a range of scores."),
    Command::new("ZREMRANGEBYLEX", "key min max", zremrangebylex)
        .writes()
        .key(1)
        .access("RW delete")
        .since("2.8.9")
        .complexity(REMOVE_COST)
        .summary("Removes the members between two others, where all scores are the same."),
];

/// What a range is given by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// A range as it is given.
enum Span<'a> {
    /// From a first to a last place, negative ones counted from the end.
    Ranks(i64, i64),
    Scores(Bound<f64>, Bound<f64>),
    Members(Limit<'a>, Limit<'a>),
}

/// An end of a range of members.
#[derive(Clone, Copy)]
enum Limit<'a> {
    /// `-`: before every member.
    Lowest,
    /// `+`: behind every member.
    Highest,
    /// `[member` or `(member`.
    At(Bound<&'a [u8]>),
}

impl<'a> Limit<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, Fault> {
        match text {
            b"-" => Ok(Self::Lowest),
            b"+" => Ok(Self::Highest),
            [b'[', member @ ..] => Ok(Self::At(Bound::Included(member))),
            [b'(', member @ ..] => Ok(Self::At(Bound::Excluded(member))),
            _ => Err(Fault::RANGE_NOT_MEMBER),
        }
    }
}

impl<'a> Span<'a> {
    fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, Fault> {
        match by {
            By::Rank => {
                let place = |text| parse_i64(text).ok_or(Fault::NOT_INTEGER);
                Ok(Self::Ranks(place(min)?, place(max)?))
            }
            By::Score => {
                let bound = |text| float::parse_bound(text).ok_or(Fault::RANGE_NOT_FLOAT);
                Ok(Self::Scores(bound(min)?, bound(max)?))
            }
            By::Member => Ok(Self::Members(Limit::parse(min)?, Limit::parse(max)?)),
        }
    }

    /// Its ranks in `set`; places are counted from the highest score where `reversed`. O(log n).
    fn ranks(&self, set: &SortedSet, reversed: bool) -> Range<usize> {
        match *self {
            Self::Ranks(start, stop) => {
                let len = set.len();
                let place = |index: i64| {
                    let magnitude = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
                    if index < 0 {
                        len.checked_sub(magnitude)
                    } else {
                        Some(magnitude)
                    }
                };
                let start = place(start).unwrap_or(0).min(len);
                let end = place(stop).map_or(0, |stop| stop.saturating_add(1).min(len));
                let end = end.max(start);
                if reversed {
                    len - end..len - start
                } else {
                    start..end
                }
            }
            Self::Scores(min, max) => set.by_score(min, max),
            Self::Members(Limit::Highest, _) | Self::Members(_, Limit::Lowest) => 0..0,
            Self::Members(min, max) => {
                let bound = |limit| match limit {
                    Limit::At(bound) => bound,
                    Limit::Lowest | Limit::Highest => Bound::Unbounded,
                };
                set.by_member(bound(min), bound(max))
            }
        }
    }
}

/// What a command of ZRANGE's family selects.
struct Selection<'a> {
    span: Span<'a>,
    reversed: bool,
    /// LIMIT's offset and count.
    limit: Option<(i64, i64)>,
    with_scores: bool,
}

impl<'a> Selection<'a> {
    /// Reads two ends and the options behind them. `by` and `reversed` are options where they are `None`.
    fn read(
        args: &mut Args<'a>,
        mut by: Option<By>,
        mut reversed: Option<bool>,
        stores: bool,
    ) -> Result<Self, Fault> {
        let (min, max) = (args.next_bytes()?, args.next_bytes()?);
        let (mut limit, mut with_scores) = (None, false);
        while !args.is_empty() {
            match args.one_of(&["WITHSCORES", "LIMIT", "REV", "BYLEX", "BYSCORE"]) {
                Some(0) if !stores => with_scores = true,
                Some(1) if args.len() >= 2 => limit = Some((args.next_i64()?, args.next_i64()?)),
                Some(2) if reversed.is_none() => reversed = Some(true),
                Some(3) if by.is_none() => by = Some(By::Member),
                Some(4) if by.is_none() => by = Some(By::Score),
                _ => return Err(Fault::SYNTAX),
            }
        }
        let (by, reversed) = (by.unwrap_or(By::Rank), reversed.unwrap_or(false));
        // Redis can't tell a count of -1 from none.
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(Fault::RANGE_LIMIT);
        }
        if by == By::Member && with_scores {
            return Err(Fault::RANGE_LEX_SCORES);
        }
        let span = if reversed && by != By::Rank {
            Span::parse(by, max, min)?
        } else {
            Span::parse(by, min, max)?
        };
        Ok(Self {
            span,
            reversed,
            limit: limit.filter(|_| by != By::Rank),
            with_scores,
        })
    }

    /// The ranks selected, LIMIT applied from the end at which the reply begins. O(log n).
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let ranks = self.span.ranks(set, self.reversed);
        let Some((offset, count)) = self.limit else {
            return ranks;
        };
        // A negative offset passes over everything, a negative count is none.
        let skipped = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(ranks.len());
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if self.reversed {
            let end = ranks.end - skipped;
            end.saturating_sub(count).max(ranks.start)..end
        } else {
            let start = ranks.start + skipped;
            start..start.saturating_add(count).min(ranks.end)
        }
    }
}

fn zrange(call: &mut Call<'_>) -> Outcome {
    answer_range(call, None, None)
}

fn zrevrange(call: &mut Call<'_>) -> Outcome {
    answer_range(call, Some(By::Rank), Some(true))
}

fn zrangebyscore(call: &mut Call<'_>) -> Outcome {
    answer_range(call, Some(By::Score), Some(false))
}

fn zrevrangebyscore(call: &mut Call<'_>) -> Outcome {
    answer_range(call, Some(By::Score), Some(true))
}

fn zrangebylex(call: &mut Call<'_>) -> Outcome {
    answer_range(call, Some(By::Member), Some(false))
}

fn zrevrangebylex(call: &mut Call<'_>) -> Outcome {
    answer_range(call, Some(By::Member), Some(true))
}

fn answer_range(call: &mut Call<'_>, by: Option<By>, reversed: Option<bool>) -> Outcome {
    let key = call.args.next_bytes()?;
    let selection = Selection::read(&mut call.args, by, reversed, false)?;
    let Some(set) = call.db.sorted_set(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    let members = set.range(selection.ranks(set));
    let layout = Layout::new(selection.with_scores);
    if selection.reversed {
        answer(&mut call.reply, members.rev(), layout);
    } else {
        answer(&mut call.reply, members, layout);
    }
    Ok(())
}

fn zrangestore(call: &mut Call<'_>) -> Outcome {
    let destination = call.args.next_bytes()?;
    let source = call.args.next_bytes()?;
    let selection = Selection::read(&mut call.args, None, None, true)?;
    let mut selected = Vec::new();
    if let Some(set) = call.db.sorted_set(source)? {
        let members = set.range(selection.ranks(set));
        selected.extend(members.map(|(member, score)| (member.to_blob(), score)));
    }
    let selected = SortedSet::from_members(selected, &call.state.config.packed);
    store(call, destination, selected, "zrangestore");
    Ok(())
}

fn zcount(call: &mut Call<'_>) -> Outcome {
    count(call, By::Score)
}

fn zlexcount(call: &mut Call<'_>) -> Outcome {
    count(call, By::Member)
}

fn count(call: &mut Call<'_>, by: By) -> Outcome {
    let key = call.args.next_bytes()?;
    let span = Span::parse(by, call.args.next_bytes()?, call.args.next_bytes()?)?;
    let set = call.db.sorted_set(key)?;
    let count = set.map_or(0, |set| span.ranks(set, false).len());
    call.reply.count(count);
    Ok(())
}

fn zremrangebyrank(call: &mut Call<'_>) -> Outcome {
    remove(call, By::Rank, "zremrangebyrank")
}

fn zremrangebyscore(call: &mut Call<'_>) -> Outcome {
    remove(call, By::Score, "zremrangebyscore")
}

fn zremrangebylex(call: &mut Call<'_>) -> Outcome {
    remove(call, By::Member, "zremrangebylex")
}

fn remove(call: &mut Call<'_>, by: By, event: &'static str) -> Outcome {
    let key = call.args.next_bytes()?;
    let span = Span::parse(by, call.args.next_bytes()?, call.args.next_bytes()?)?;
    let removed = match call.db.sorted_set_mut(key)? {
        Some(set) => set.remove_range(span.ranks(set, false)),
        None => 0,
    };
    if removed > 0 {
        call.db.changed_by(removed, key, Class::SORTED_SET, event);
    }
    call.reply.count(removed);
    Ok(())
}
