//! Where a command's keys are.

use crate::args::atoi;

/// Where keys stand among the arguments, the name being argument 0.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// How they are found.
    pub place: Place,
    /// How they are used, in COMMAND's words (`RW access update`); empty where the command's flags tell it.
    pub access: &'static str,
}

/// How keys are found.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// From `first` to `last` (negative: counted from the end) in steps of `step`.
    Range {
        /// The first key's position.
        first: usize,
        /// The last key's position; -1 is the last argument.
        last: i32,
        /// The distance between two keys.
        step: usize,
    },
    /// A count at `position`, that many keys behind it.
    Counted {
        /// The position of the count.
        position: usize,
    },
    /// From behind a keyword on, up to half of what follows it (`limit` 2: XREAD's STREAMS), or one key (`limit` 0).
    Keyword {
        /// The keyword in upper case.
        keyword: &'static str,
        /// Where the search starts.
        from: usize,
        /// As `limit` of Redis' range: 0 for one key, 2 for half of what follows.
        limit: usize,
    },
    /// A function over all arguments that gives the keys' positions.
    Custom(fn(&[&[u8]]) -> Vec<usize>),
}

impl Place {
    /// The keys' positions in `args`; `None` where the arguments don't make sense.
    pub(crate) fn positions(self, args: &[&[u8]]) -> Option<Vec<usize>> {
        match self {
            Self::Range { first, last, step } => {
                let last = if last < 0 {
                    args.len().checked_sub(last.unsigned_abs() as usize)?
                } else {
                    last as usize
                };
                (first <= last && last < args.len())
                    .then(|| (first..=last).step_by(step.max(1)).collect())
            }
            Self::Counted { position } => {
                let count = atoi(args.get(position)?);
                let last = position + usize::try_from(count).ok().filter(|count| *count > 0)?;
                (last < args.len()).then(|| (position + 1..=last).collect())
            }
            Self::Keyword {
                keyword,
                from,
                limit,
            } => {
                let at = (from..args.len())
                    .find(|at| args[*at].eq_ignore_ascii_case(keyword.as_bytes()));
                let Some(at) = at else {
                    return Some(Vec::new());
                };
                let count = if limit > 1 {
                    (args.len() - at - 1) / limit
                } else {
                    1
                };
                // With nothing behind it the keyword names no key.
                Some(
                    (at + 1..=at + count)
                        .filter(|at| *at < args.len())
                        .collect(),
                )
            }
            Self::Custom(positions) => Some(positions(args)),
        }
    }
}
