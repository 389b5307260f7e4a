//! What SRANDMEMBER, HRANDFIELD and ZRANDMEMBER share: how many random elements are asked for, and their reply.

use crate::args::Args;
use crate::fault::Fault;
use crate::reply::Reply;

/// What a client asks for.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    /// How many elements; not checked against anything that exists.
    pub(super) count: usize,
    /// Whether an element may come several times, and `count` is exact: a negative count.
    pub(super) repeats: bool,
    /// Whether each element comes with its value or score.
    pub(super) paired: bool,
}

impl Sample {
    /// Reads a count and, where there is one, the `keyword` that asks for pairs. Nothing may follow.
    pub(super) fn read(args: &mut Args<'_>, keyword: Option<&str>) -> Result<Self, Fault> {
        let count = args.next_i64_in(-i64::MAX.., Fault::COUNT_OUT_OF_RANGE)?;
        let paired = keyword.is_some_and(|keyword| args.keyword(keyword));
        args.finish()?;
        if paired && count.unsigned_abs() > i64::MAX as u64 / 2 {
            return Err(Fault::OUT_OF_RANGE);
        }
        Ok(Self {
            count: usize::try_from(count.unsigned_abs()).map_err(|_| Fault::OUT_OF_RANGE)?,
            repeats: count < 0,
            paired,
        })
    }

    /// Begins the reply about a collection of `len` elements. One with repetitions may take `most_bytes`, for nothing
    /// else bounds it.
    pub(super) fn answer<'r, 'a>(
        self,
        len: usize,
        reply: &'r mut Reply<'a>,
        most_bytes: u64,
    ) -> Result<Answer<'r, 'a>, Fault> {
        let most_bytes = usize::try_from(most_bytes).unwrap_or(usize::MAX);
        let items = if self.repeats {
            self.count
        } else {
            self.count.min(len)
        };
        if self.repeats && items > most_bytes / LEAST_BYTES {
            return Err(Fault::OUT_OF_RANGE);
        }
        let nested = self.paired && reply.is_resp3();
        reply.array(if self.paired && !nested {
            items * 2
        } else {
            items
        });
        Ok(Answer {
            reply,
            nested,
            room: self.repeats.then_some(most_bytes),
        })
    }
}

/// The bytes of the shortest element: `$0\r\n\r\n`.
const LEAST_BYTES: usize = 6;

/// A reply that is being written.
pub(super) struct Answer<'r, 'a> {
    reply: &'r mut Reply<'a>,
    nested: bool,
    room: Option<usize>,
}

impl<'a> Answer<'_, 'a> {
    /// Begins an element of `len` bytes, to be written to what is given back: the element, then its value where pairs
    /// are asked for.
    pub(super) fn item(&mut self, len: usize) -> Result<&mut Reply<'a>, Fault> {
        if let Some(room) = &mut self.room {
            *room = room
                .checked_sub(len.saturating_add(LEAST_BYTES))
                .ok_or(Fault::OUT_OF_RANGE)?;
        }
        if self.nested {
            self.reply.array(2);
        }
        Ok(self.reply)
    }
}

/// The items at ascending `places`.
pub(super) fn at_places<I: Iterator>(
    mut items: I,
    places: Vec<usize>,
) -> impl Iterator<Item = I::Item> {
    let mut passed = 0;
    places.into_iter().filter_map(move |place| {
        let item = items.nth(place - passed);
        passed = place + 1;
        item
    })
}
