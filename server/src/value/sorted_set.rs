//! The sorted set value.

use std::cmp::Ordering;
use std::ops::{Bound, Range};

use super::bytes::Blob;
use super::chunked::Id;
use super::element::Element;
use super::order::{Item, Items, OrderTree, Place, Row};
use super::packed::{Entry, Listpack};
use super::rng::Rng;
use super::siphash::hash;
use super::table::{Steps, Table};
use super::{PackedLimits, allocated};

/// Members ordered by score, then by their bytes: a listpack, or a hash table with an
/// order-statistic tree beside it.
///
/// Every range, by score or by member, is a range of ranks: find it in O(log n) with
/// [`Self::by_score`] or [`Self::by_member`], then count it, cut it (LIMIT), iterate it from either
/// end ([`Self::range`]) or remove it ([`Self::remove_range`]).
///
/// A score is never NaN: callers refuse that before. -0.0 and 0.0 are equal, as in C.
///
/// ```
/// use std::ops::Bound::{Excluded, Unbounded};
/// use server::value::{PackedLimits, SortedSet};
///
/// let (mut set, limits) = (SortedSet::new(), PackedLimits::default());
/// for (member, score) in [("a", 3.0), ("b", 1.0), ("c", 2.0)] {
///     assert_eq!(set.insert(member.as_bytes(), score, &limits), None);
/// }
/// assert_eq!(set.rank(b"a"), Some((2, 3.0)));
/// let above_one = set.by_score(Excluded(1.0), Unbounded);
/// let highest = set.range(above_one).next_back();
/// assert_eq!(highest.map(|(member, score)| (member.to_vec(), score)), Some((b"a".to_vec(), 3.0)));
/// ```
#[derive(Clone, Debug)]
pub struct SortedSet(Form);

#[derive(Clone, Debug)]
enum Form {
    /// Members and scores by turns, in order. A score is an integer, or 8 bytes.
    Packed(Listpack),
    Ordered(Box<Ordered>),
}

#[derive(Clone, Debug)]
struct Ordered {
    scores: Table<f64>,
    tree: OrderTree,
}

/// The most bytes of a listpack that a member takes besides its own, its score among them.
const PAIR: usize = 32;

/// A place between members.
#[derive(Clone, Copy, Debug)]
enum Edge<'a> {
    BelowScore(f64),
    AboveScore(f64),
    BelowMember(&'a [u8]),
    AboveMember(&'a [u8]),
    Below(f64, &'a [u8]),
    Above(f64, &'a [u8]),
}

impl Default for SortedSet {
    fn default() -> Self {
        Self::new()
    }
}

impl SortedSet {
    /// An empty sorted set.
    pub fn new() -> Self {
        Self(Form::Packed(Listpack::new()))
    }

    /// A sorted set of these members, each of which is there once, in any order. O(n log n).
    pub fn from_members(mut members: Vec<(Blob, f64)>, limits: &PackedLimits) -> Self {
        members.sort_unstable_by(in_order);
        let mut pack = Listpack::new();
        let longest = members.iter().map(|(member, _)| member.len()).max();
        if members.len() <= limits.zset_max_listpack_entries
            && longest <= Some(limits.zset_max_listpack_value)
            && pack.has_room_for(members.iter().map(|(member, _)| member.len() + PAIR).sum())
        {
            for (member, score) in &members {
                let bits = score.to_le_bytes();
                pack.push_all([Entry::from(member.as_slice()), score_entry(*score, &bits)]);
            }
            return Self(Form::Packed(pack));
        }
        Self(Form::Ordered(Box::new(Ordered::new(members.into_iter()))))
    }

    /// The table that a lookup goes through, if it does.
    pub fn steps(&self) -> Option<&dyn Steps> {
        match &self.0 {
            Form::Ordered(ordered) => Some(&ordered.scores),
            Form::Packed(_) => None,
        }
    }

    /// The number of members. O(1).
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Packed(pack) => pack.len() / 2,
            Form::Ordered(ordered) => ordered.scores.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets a member's score and returns the one it had. O(log n).
    pub fn insert(&mut self, member: &[u8], score: f64, limits: &PackedLimits) -> Option<f64> {
        debug_assert!(!score.is_nan());
        if let Form::Packed(_) = &self.0 {
            let old = self.remove(member);
            if let Form::Packed(pack) = &mut self.0
                && (old.is_some()
                    || pack.len() / 2 < limits.zset_max_listpack_entries
                        && member.len() <= limits.zset_max_listpack_value
                        && pack.has_room_for(member.len()))
            {
                let rank = rank_packed(pack, Edge::Below(score, member));
                let position = pack.seek(2 * rank);
                let bits = score.to_le_bytes();
                pack.insert_all(position, [Entry::from(member), score_entry(score, &bits)]);
                return old;
            }
            self.unpack();
        }
        match &mut self.0 {
            Form::Ordered(ordered) => ordered.insert(member, score),
            Form::Packed(_) => None,
        }
    }

    /// Removes a member and returns its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Form::Packed(pack) => {
                let position = pack.find(Entry::from(member), 0, 2)?;
                let score = pack.behind(position).map(score_of);
                pack.remove(position, 2);
                score
            }
            Form::Ordered(ordered) => ordered.remove(member),
        }
    }

    /// Removes the members at these ranks and returns how many. O(log n) for each.
    pub fn remove_range(&mut self, ranks: Range<usize>) -> usize {
        let ranks = ranks.start..ranks.end.min(self.len());
        match &mut self.0 {
            Form::Packed(pack) if !ranks.is_empty() => {
                pack.remove(pack.seek(2 * ranks.start), 2 * ranks.len());
            }
            Form::Packed(_) => {}
            Form::Ordered(ordered) => {
                for rank in ranks.clone().rev() {
                    ordered.remove_at(rank);
                }
            }
        }
        ranks.len()
    }

    /// A member's score. O(1) once large.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Form::Packed(pack) => {
                let position = pack.find(Entry::from(member), 0, 2)?;
                pack.behind(position).map(score_of)
            }
            Form::Ordered(ordered) => ordered.scores.get(member).copied(),
        }
    }

    /// A member's place, 0 for the lowest, and its score. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.rank_of(Edge::Below(score, member)), score))
    }

    /// The ranks of the scores between two bounds; empty if they cross. O(log n).
    pub fn by_score(&self, min: Bound<f64>, max: Bound<f64>) -> Range<usize> {
        let start = match min {
            Bound::Included(min) => self.rank_of(Edge::BelowScore(min)),
            Bound::Excluded(min) => self.rank_of(Edge::AboveScore(min)),
            Bound::Unbounded => 0,
        };
        let end = match max {
            Bound::Included(max) => self.rank_of(Edge::AboveScore(max)),
            Bound::Excluded(max) => self.rank_of(Edge::BelowScore(max)),
            Bound::Unbounded => self.len(),
        };
        start..end.max(start)
    }

    /// The ranks of the members between two bounds, where all scores are the same; empty if the bounds
    /// cross. O(log n).
    pub fn by_member(&self, min: Bound<&[u8]>, max: Bound<&[u8]>) -> Range<usize> {
        let start = match min {
            Bound::Included(min) => self.rank_of(Edge::BelowMember(min)),
            Bound::Excluded(min) => self.rank_of(Edge::AboveMember(min)),
            Bound::Unbounded => 0,
        };
        let end = match max {
            Bound::Included(max) => self.rank_of(Edge::AboveMember(max)),
            Bound::Excluded(max) => self.rank_of(Edge::BelowMember(max)),
            Bound::Unbounded => self.len(),
        };
        start..end.max(start)
    }

    /// The members at these ranks with their scores, from either end; what is beyond the set is left
    /// out. O(log n) to begin, O(1) for each.
    pub fn range(&self, ranks: Range<usize>) -> Iter<'_> {
        let end = ranks.end.min(self.len());
        let start = ranks.start.min(end);
        let form = match &self.0 {
            Form::Packed(pack) => {
                IterForm::Packed(pack.iter_between(pack.seek(2 * start), pack.seek(2 * end)))
            }
            Form::Ordered(ordered) => IterForm::Ordered {
                ordered,
                front: Items::default(),
                back: Items::default(),
            },
        };
        Iter { start, end, form }
    }

    /// All members with their scores, from either end.
    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len())
    }

    /// Takes the member with the lowest score. O(log n).
    pub fn pop_first(&mut self) -> Option<(Blob, f64)> {
        self.pop(0)
    }

    /// Takes the member with the highest score. O(log n).
    pub fn pop_last(&mut self) -> Option<(Blob, f64)> {
        self.pop(self.len().checked_sub(1)?)
    }

    /// The member at a place `0..len()` that stays the same until the set changes, in no order that
    /// means anything: for sampling without repetition. O(1) once large.
    pub fn at(&self, index: usize) -> Option<(Element<'_>, f64)> {
        match &self.0 {
            Form::Packed(_) => self.range(index..index.saturating_add(1)).next(),
            Form::Ordered(ordered) => {
                let (member, score) = ordered.scores.at(u32::try_from(index).ok()?)?;
                Some((Element::from(&**member), *score))
            }
        }
    }

    /// A random member with its score, all equally likely. O(1) once large.
    pub fn random(&self, rng: &mut Rng) -> Option<(Element<'_>, f64)> {
        self.at(rng.below(self.len()))
    }

    /// Visits about `count` members and returns the next cursor; see [`Table::scan`]. A packed
    /// sorted set is visited whole.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        if let Form::Ordered(ordered) = &self.0 {
            return ordered
                .scores
                .scan(cursor, count, |member, score| visit(member, *score));
        }
        self.iter()
            .for_each(|(member, score)| visit(&member, score));
        0
    }

    /// Makes it a table and a tree for good, however small it is. O(n) once.
    pub fn unpack(&mut self) {
        if let Form::Packed(_) = self.0 {
            let members = self.iter().map(|(member, score)| (member.to_blob(), score));
            self.0 = Form::Ordered(Box::new(Ordered::new(members)));
        }
    }

    /// The name OBJECT ENCODING gives: `listpack` or `skiplist`.
    pub const fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Packed(_) => "listpack",
            Form::Ordered(_) => "skiplist",
        }
    }

    /// The heap bytes behind it. O(1).
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(pack) => pack.memory_bytes(),
            Form::Ordered(ordered) => {
                allocated(size_of::<Ordered>())
                    + ordered.scores.memory_bytes()
                    + ordered.tree.memory_bytes()
            }
        }
    }

    fn pop(&mut self, rank: usize) -> Option<(Blob, f64)> {
        match &mut self.0 {
            Form::Packed(pack) => {
                let position = pack.seek(2 * rank);
                let member = Element::from(pack.at(position)?).to_blob();
                let score = pack.behind(position).map(score_of)?;
                pack.remove(position, 2);
                Some((member, score))
            }
            Form::Ordered(ordered) => ordered.remove_at(rank),
        }
    }

    /// The number of members below an edge.
    fn rank_of(&self, edge: Edge<'_>) -> usize {
        match &self.0 {
            Form::Packed(pack) => rank_packed(pack, edge),
            Form::Ordered(ordered) => ordered.rank(edge),
        }
    }
}

impl Ordered {
    /// Of members in order, each of which is there once.
    fn new(members: impl Iterator<Item = (Blob, f64)>) -> Self {
        let (mut scores, mut tree) = (Table::new(), OrderTree::new());
        for (member, score) in members {
            let id = scores.insert_new(hash(&member), member, score);
            tree.push(Item { score, id });
        }
        Self { scores, tree }
    }

    fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let hash = hash(member);
        let known = self.scores.id_of_hashed(hash, member);
        let (id, old) = if let Some(id) = known {
            let old = *self.scores.at(id)?.1;
            if old.partial_cmp(&score) == Some(Ordering::Equal) {
                return Some(old);
            }
            // Both places are far away in memory: the new one's leaf comes while the old place is looked for.
            self.tree.touch(score);
            self.tree.remove_before(&Sought {
                edge: Edge::Above(old, member),
                members: &self.scores,
                id: Some(id),
            });
            *self.scores.at_mut(id)? = score;
            (id, Some(old))
        } else {
            (
                self.scores.insert_new(hash, Blob::from(member), score),
                None,
            )
        };
        let place = Sought {
            edge: Edge::Below(score, member),
            members: &self.scores,
            id: None,
        };
        self.tree.insert(&place, Item { score, id });
        old
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let id = self.scores.id_of(member)?;
        let score = *self.scores.at(id)?.1;
        self.tree.remove_before(&Sought {
            edge: Edge::Above(score, member),
            members: &self.scores,
            id: Some(id),
        });
        self.forget(id)?;
        Some(score)
    }

    fn remove_at(&mut self, rank: usize) -> Option<(Blob, f64)> {
        let Item { id, .. } = self.tree.at(rank)?;
        self.tree.remove_at(rank);
        self.forget(id)
    }

    /// Takes an entry out of the table that is not in the tree any more.
    fn forget(&mut self, id: Id) -> Option<(Blob, f64)> {
        // The table is about to move its last entry to `id`. While both still hold the same ids,
        // find that entry in the tree.
        let last = (self.scores.len() - 1) as Id;
        if last != id
            && let Some((member, score)) = self.scores.at(last)
        {
            let place = Sought {
                edge: Edge::Above(*score, member),
                members: &self.scores,
                id: Some(last),
            };
            self.tree.set_id_before(&place, id);
        }
        let removed = self.scores.remove_at(id)?;
        Some((removed.key, removed.value))
    }

    fn rank(&self, edge: Edge<'_>) -> usize {
        self.tree.rank(&Sought {
            edge,
            members: &self.scores,
            id: None,
        })
    }

    fn member(&self, id: Id) -> Element<'_> {
        Element::from(self.scores.at(id).map_or(&[][..], |(member, _)| member))
    }
}

/// An edge among members that are known by their ids.
struct Sought<'a> {
    edge: Edge<'a>,
    members: &'a Table<f64>,
    /// The id of the member itself, where the edge is the one right above it: it is known without a look at its name.
    id: Option<Id>,
}

impl Place for Sought<'_> {
    #[inline]
    fn preceding(&self, row: &Row) -> usize {
        let edge = match self.edge {
            Edge::BelowScore(edge)
            | Edge::AboveScore(edge)
            | Edge::Below(edge, _)
            | Edge::Above(edge, _) => edge,
            Edge::BelowMember(_) | Edge::AboveMember(_) => {
                return self.preceding_of_same(row.items());
            }
        };
        let below = row.below(edge);
        let items = row.items().from(below);
        match items.scores {
            // Few have the same score, as a rule; it is their members that decide.
            [next, ..] if *next <= edge => {
                let same = items.scores.iter().take_while(|score| **score <= edge);
                below + self.preceding_of_same(items.to(same.count()))
            }
            _ => below,
        }
    }
}

impl Sought<'_> {
    /// How many of these items precede it, all of which have its score.
    fn preceding_of_same(&self, items: Items<'_>) -> usize {
        if let Some(at) = self
            .id
            .and_then(|id| items.ids.iter().position(|other| *other == id))
        {
            return at + 1;
        }
        let member = |id: Id| self.members.at(id).map_or(&[][..], |(member, _)| member);
        match self.edge {
            Edge::BelowScore(_) => 0,
            Edge::AboveScore(_) => items.ids.len(),
            Edge::Below(_, edge) | Edge::BelowMember(edge) => {
                items.ids.partition_point(|id| *member(*id) < *edge)
            }
            Edge::Above(_, edge) | Edge::AboveMember(edge) => {
                items.ids.partition_point(|id| *member(*id) <= *edge)
            }
        }
    }
}

impl Edge<'_> {
    fn is_above<'a>(&self, score: f64, member: impl FnOnce() -> Element<'a>) -> bool {
        match *self {
            Edge::BelowScore(edge) => score < edge,
            Edge::AboveScore(edge) => score <= edge,
            Edge::BelowMember(edge) => *member() < *edge,
            Edge::AboveMember(edge) => *member() <= *edge,
            Edge::Below(edge, below) => score < edge || score <= edge && *member() < *below,
            Edge::Above(edge, above) => score < edge || score <= edge && *member() <= *above,
        }
    }
}

fn rank_packed(pack: &Listpack, edge: Edge<'_>) -> usize {
    let mut iter = pack.iter();
    let mut rank = 0;
    while let (Some(member), Some(score)) = (iter.next_entry(), iter.next_entry()) {
        if !edge.is_above(score_of(score), || member.into()) {
            break;
        }
        rank += 1;
    }
    rank
}

/// The order of a sorted set's members: by score, then by their bytes.
pub fn in_order((member, score): &(Blob, f64), (other, other_score): &(Blob, f64)) -> Ordering {
    let by_score = score.partial_cmp(other_score).unwrap_or(Ordering::Equal);
    by_score.then_with(|| member.as_slice().cmp(other.as_slice()))
}

/// How a score is packed: small integers as such, which takes 2 to 6 bytes instead of 10, and makes
/// -0.0 a 0 as it does in Redis.
fn score_entry(score: f64, bits: &[u8; 8]) -> Entry<'_> {
    let integer = score as i32;
    if f64::from(integer).partial_cmp(&score) == Some(Ordering::Equal) {
        Entry::Integer(integer.into())
    } else {
        Entry::Bytes(bits)
    }
}

fn score_of(entry: Entry<'_>) -> f64 {
    match entry {
        Entry::Integer(score) => score as f64,
        Entry::Bytes(bits) => f64::from_le_bytes(bits.try_into().unwrap_or_default()),
    }
}

/// Members of a sorted set with their scores.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    start: usize,
    end: usize,
    form: IterForm<'a>,
}

#[derive(Clone, Debug)]
enum IterForm<'a> {
    Packed(super::packed::Iter<'a>),
    Ordered {
        ordered: &'a Ordered,
        /// What is left of the leaf at `start`.
        front: Items<'a>,
        /// What is left of the leaf that ends at `end`.
        back: Items<'a>,
    },
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        if self.start == self.end {
            return None;
        }
        self.start += 1;
        match &mut self.form {
            IterForm::Packed(iter) => {
                let member = iter.next_entry()?;
                Some((member.into(), score_of(iter.next_entry()?)))
            }
            IterForm::Ordered { ordered, front, .. } => {
                if front.is_empty() {
                    let (row, index) = ordered.tree.leaf(self.start - 1);
                    *front = row.from(index);
                }
                let item = front.pop_first()?;
                Some((ordered.member(item.id), item.score))
            }
        }
    }

    /// O(log n) once large.
    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        let passed = n.min(self.end - self.start);
        self.start += passed;
        match &mut self.form {
            IterForm::Packed(iter) => {
                for _ in 0..passed {
                    iter.next_entry()?;
                    iter.next_entry()?;
                }
            }
            IterForm::Ordered { front, .. } => {
                *front = front.from(passed);
            }
        }
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.start, Some(self.end - self.start))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.start == self.end {
            return None;
        }
        self.end -= 1;
        match &mut self.form {
            IterForm::Packed(iter) => {
                let score = score_of(iter.next_back_entry()?);
                Some((iter.next_back_entry()?.into(), score))
            }
            IterForm::Ordered { ordered, back, .. } => {
                if back.is_empty() {
                    let (row, index) = ordered.tree.leaf(self.end);
                    *back = row.to(index + 1);
                }
                let item = back.pop_last()?;
                Some((ordered.member(item.id), item.score))
            }
        }
    }
}

impl ExactSizeIterator for Iter<'_> {}
