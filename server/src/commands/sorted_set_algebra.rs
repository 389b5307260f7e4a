//! Unions, intersections and differences of sorted sets and sets.

use crate::args::{Args, parse_f64, parse_i64};
use crate::command::{Call, Command, Flags, Place};
use crate::commands::sorted_sets::{Layout, answer, store};
use crate::fault::{Fault, Outcome};
use crate::keyspace::{Database, Value};
use crate::value::sorted_set::in_order;
use crate::value::{Blob, Set, SortedSet, Table};

const UNION_COST: &str =
    "O(N)+O(M*log(M)) where N is the size of all inputs and M the size of the result.";
const INTER_COST: &str = "O(N*K)+O(M*log(M)) where N is the size of the smallest of K inputs and M the size of the result.";
const DIFF_COST: &str =
    "O(N*K)+O(M*log(M)) where N is the size of the first of K inputs and M the size of the result.";

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "ZUNION",
        "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE aggregate=<SUM | MIN | MAX>] [WITHSCORES]",
        zunion,
    )
    .reads()
    .numkeys(1)
    .since("6.2.0")
    .complexity(UNION_COST)
    .summary("The members of any input."),
    Command::new(
        "ZINTER",
        "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE aggregate=<SUM | MIN | MAX>] [WITHSCORES]",
        zinter,
    )
    .reads()
    .numkeys(1)
    .since("6.2.0")
    .complexity(INTER_COST)
    .summary("The members of every input."),
    Command::new("ZDIFF", "numkeys key [key ...] [WITHSCORES]", zdiff)
        .reads()
        .numkeys(1)
        .since("6.2.0")
        .complexity(DIFF_COST)
        .summary("The members of the first input that no other has."),
    storing(
        "ZUNIONSTORE",
        "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE aggregate=<SUM | MIN | MAX>]",
        zunionstore,
    )
    .since("2.0.0")
    .complexity(UNION_COST)
    .summary("Stores the members of any input."),
    storing(
        "ZINTERSTORE",
        "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE aggregate=<SUM | MIN | MAX>]",
        zinterstore,
    )
    .since("2.0.0")
    .complexity(INTER_COST)
    .summary("Stores the members of every input."),
    storing(
        "ZDIFFSTORE",
        "destination numkeys key [key ...]",
        zdiffstore,
    )
    .since("6.2.0")
    .complexity(DIFF_COST)
    .summary("Stores the members of the first input that no other has."),
    Command::new(
        "ZINTERCARD",
        "numkeys key [key ...] [LIMIT limit]",
        zintercard,
    )
    .reads()
    .numkeys(1)
    .since("7.0.0")
    .complexity("O(N*K) where N is the size of the smallest of K inputs.")
    .summary("How many members every input has."),
];

const fn storing(
    name: &'static str,
    usage: &'static str,
    handler: fn(&mut Call<'_>) -> Outcome,
) -> Command {
    Command::new(name, usage, handler)
        .writes()
        .denies_oom()
        .flags(Flags::MOVABLE_KEYS)
        .key(1)
        .access("OW update")
        .keys_at(Place::Counted { position: 2 })
        .access("RO access")
}

/// What is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// How the scores of one member become one.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn join(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Sum => zero_for_nan(one + other),
            Self::Min => {
                if other < one {
                    other
                } else {
                    one
                }
            }
            Self::Max => {
                if other > one {
                    other
                } else {
                    one
                }
            }
        }
    }
}

/// Opposite infinities add up to zero, and zero times infinity is zero.
fn zero_for_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// An input; the members of a set have the score 1.
#[derive(Clone, Copy)]
enum Input<'a> {
    Set(&'a Set),
    SortedSet(&'a SortedSet),
}

impl<'a> Input<'a> {
    fn new(value: &'a Value) -> Result<Self, Fault> {
        match value {
            Value::Set(set) => Ok(Self::Set(set)),
            Value::SortedSet(set) => Ok(Self::SortedSet(set)),
            _ => Err(Fault::WRONG_TYPE),
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Set(set) => set.len(),
            Self::SortedSet(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Set(set) => set.contains(member).then_some(1.0),
            Self::SortedSet(set) => set.score(member),
        }
    }

    /// Visits the members until `visit` breaks off.
    fn visit(self, mut visit: impl FnMut(&[u8], f64) -> bool) {
        match self {
            Self::Set(set) => set.iter().all(|member| visit(&member, 1.0)),
            Self::SortedSet(set) => set.iter().all(|(member, score)| visit(&member, score)),
        };
    }
}

/// Reads `numkeys` and the keys, and looks them up.
fn inputs<'d>(
    args: &mut Args<'_>,
    db: &'d Database<'_>,
    name: &str,
) -> Result<Vec<Option<Input<'d>>>, Fault> {
    let count = args.next_i64()?;
    if count < 1 {
        return Err(Fault::no_input_keys(name));
    }
    let keys = args.take(usize::try_from(count).map_err(|_| Fault::SYNTAX)?)?;
    let lookup = |key: &&[u8]| db.value(key).map(Input::new).transpose();
    keys.iter().map(lookup).collect()
}

/// An input with its weight.
type Weighted<'a> = (Input<'a>, f64);

/// A computation, as a command asks for it.
struct Combination<'a> {
    operation: Operation,
    inputs: Vec<Weighted<'a>>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl<'a> Combination<'a> {
    fn read(
        operation: Operation,
        args: &mut Args<'_>,
        inputs: &[Option<Input<'a>>],
        stores: bool,
    ) -> Result<Self, Fault> {
        let (mut aggregate, mut with_scores) = (Aggregate::Sum, false);
        let mut weights = vec![1.0; inputs.len()];
        let joins = operation != Operation::Diff;
        while !args.is_empty() {
            match args.one_of(&["WEIGHTS", "AGGREGATE", "WITHSCORES"]) {
                Some(0) if joins && args.len() >= weights.len() => {
                    for weight in &mut weights {
                        *weight = parse_f64(args.next_bytes()?).ok_or(Fault::WEIGHT_NOT_FLOAT)?;
                    }
                }
                Some(1) if joins => {
                    aggregate = match args.one_of(&["SUM", "MIN", "MAX"]) {
                        Some(0) => Aggregate::Sum,
                        Some(1) => Aggregate::Min,
                        Some(_) => Aggregate::Max,
                        None => return Err(Fault::SYNTAX),
                    };
                }
                Some(2) if !stores => with_scores = true,
                _ => return Err(Fault::SYNTAX),
            }
        }
        let missing = |input: &Option<Input<'_>>| input.is_none();
        let empty = match operation {
            Operation::Union => false,
            Operation::Inter => inputs.iter().any(missing),
            Operation::Diff => inputs.first().is_none_or(missing),
        };
        let weighted = inputs.iter().zip(weights);
        let mut inputs: Vec<_> = weighted
            .filter_map(|(input, weight)| Some(((*input)?, weight)))
            .filter(|_| !empty)
            .collect();
        if joins {
            // As Redis does: the order decides how sums are rounded.
            inputs.sort_by_key(|(input, _)| input.len());
        }
        Ok(Self {
            operation,
            inputs,
            aggregate,
            with_scores,
        })
    }

    /// The members with their scores, in no order.
    fn run(&self) -> Vec<(Blob, f64)> {
        match self.operation {
            Operation::Union => self.union(),
            Operation::Inter => self.intersection(),
            Operation::Diff => self.difference(),
        }
    }

    fn union(&self) -> Vec<(Blob, f64)> {
        let mut scores = Table::new();
        for (input, weight) in &self.inputs {
            input.visit(|member, score| {
                let score = zero_for_nan(weight * score);
                match scores.get_mut(member) {
                    Some(known) => *known = self.aggregate.join(*known, score),
                    None => {
                        scores.insert(Blob::from(member), score);
                    }
                }
                true
            });
        }
        let members = scores.iter();
        members
            .map(|(member, score)| (member.clone(), *score))
            .collect()
    }

    fn intersection(&self) -> Vec<(Blob, f64)> {
        let mut members = Vec::new();
        let Some(((smallest, weight), others)) = self.inputs.split_first() else {
            return members;
        };
        smallest.visit(|member, score| {
            let score = zero_for_nan(weight * score);
            let joined = others.iter().try_fold(score, |joined, (input, weight)| {
                Some(self.aggregate.join(joined, input.score(member)? * weight))
            });
            members.extend(joined.map(|score| (Blob::from(member), score)));
            true
        });
        members
    }

    fn difference(&self) -> Vec<(Blob, f64)> {
        let mut members = Vec::new();
        let Some(((first, _), others)) = self.inputs.split_first() else {
            return members;
        };
        first.visit(|member, score| {
            if !others
                .iter()
                .any(|(input, _)| input.score(member).is_some())
            {
                members.push((Blob::from(member), score));
            }
            true
        });
        members
    }
}

fn zunion(call: &mut Call<'_>) -> Outcome {
    combine(call, Operation::Union)
}

fn zinter(call: &mut Call<'_>) -> Outcome {
    combine(call, Operation::Inter)
}

fn zdiff(call: &mut Call<'_>) -> Outcome {
    combine(call, Operation::Diff)
}

fn combine(call: &mut Call<'_>, operation: Operation) -> Outcome {
    let inputs = inputs(&mut call.args, &call.db, &call.command.name)?;
    let combination = Combination::read(operation, &mut call.args, &inputs, false)?;
    let mut members = combination.run();
    members.sort_unstable_by(in_order);
    let layout = Layout::new(combination.with_scores);
    answer(&mut call.reply, members.into_iter(), layout);
    Ok(())
}

fn zunionstore(call: &mut Call<'_>) -> Outcome {
    combine_and_store(call, Operation::Union, "zunionstore")
}

fn zinterstore(call: &mut Call<'_>) -> Outcome {
    combine_and_store(call, Operation::Inter, "zinterstore")
}

fn zdiffstore(call: &mut Call<'_>) -> Outcome {
    combine_and_store(call, Operation::Diff, "zdiffstore")
}

fn combine_and_store(call: &mut Call<'_>, operation: Operation, event: &'static str) -> Outcome {
    let destination = call.args.next_bytes()?;
    let inputs = inputs(&mut call.args, &call.db, &call.command.name)?;
    let combination = Combination::read(operation, &mut call.args, &inputs, true)?;
    let combined = SortedSet::from_members(combination.run(), &call.state.config.packed);
    store(call, destination, combined, event);
    Ok(())
}

fn zintercard(call: &mut Call<'_>) -> Outcome {
    let inputs = inputs(&mut call.args, &call.db, &call.command.name)?;
    let mut limit = 0;
    while !call.args.is_empty() {
        if !call.args.keyword("LIMIT") {
            return Err(Fault::SYNTAX);
        }
        limit = parse_i64(call.args.next_bytes()?)
            .and_then(|limit| usize::try_from(limit).ok())
            .ok_or(Fault::LIMIT_NEGATIVE)?;
    }
    let mut found = 0;
    if let Some(mut inputs) = inputs.into_iter().collect::<Option<Vec<_>>>() {
        inputs.sort_by_key(|input| input.len());
        if let Some((smallest, others)) = inputs.split_first() {
            smallest.visit(|member, _| {
                found += usize::from(others.iter().all(|input| input.score(member).is_some()));
                found != limit || limit == 0
            });
        }
    }
    call.reply.count(found);
    Ok(())
}
