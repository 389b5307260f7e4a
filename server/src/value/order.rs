//! The order of a big sorted set: an order-statistic tree.

use super::allocated;
use super::chunked::Id;

/// A B+tree of items in order, with the number of items below each branch: an item is found by its rank as well as by
/// its [`Place`].
///
/// It compares nothing itself: a [`Place`] says how many items of a row precede it. Scores and ids stand in rows of their
/// own, so that finding a place is a sweep over neighbouring numbers. What changes the tree recurses once for each level,
/// of which there are at most eight for 2³² items.
#[derive(Clone, Debug)]
pub(super) struct OrderTree {
    root: Node,
    len: usize,
    nodes: Nodes,
}

/// A member's score, and where its name is in the table beside the tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) score: f64,
    pub(super) id: Id,
}

/// A place in the order: of every row, the first items precede it.
pub(super) trait Place {
    /// How many of these items precede it.
    fn preceding(&self, row: &Row) -> usize;
}

/// At most [`WIDTH`] items in order, the scores by themselves and the ids by themselves.
///
/// Behind the last score stands infinity, so that a sweep need not know how many there are.
#[derive(Clone, Debug)]
pub(super) struct Row {
    len: usize,
    scores: [f64; WIDTH],
    ids: [Id; WIDTH],
}

/// Some items of a row: their scores, and as many ids.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Items<'a> {
    pub(super) scores: &'a [f64],
    pub(super) ids: &'a [Id],
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Box<Row>),
    Inner(Box<Inner>),
}

/// Branches: of each its first item, the number of items below it, which is not zero, and its node.
#[derive(Debug)]
struct Inner {
    firsts: Row,
    lens: [u32; WIDTH],
    /// Allocated for `WIDTH` nodes.
    nodes: Vec<Node>,
}

/// The most items of a leaf, and the most branches of an inner node.
const WIDTH: usize = 64;

/// Scores that are counted together.
const BLOCK: usize = 8;

/// How many nodes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Nodes {
    leaves: usize,
    inners: usize,
}

/// The way down to one item.
trait Path {
    fn branch(&mut self, inner: &Inner) -> usize;
    fn item(&mut self, leaf: &Row) -> usize;
}

/// The way to the item at a rank.
struct Rank(usize);

/// The way to the last item that precedes a place.
struct Before<'a, P>(&'a P);

/// The place behind all items.
struct Last;

impl OrderTree {
    pub(super) fn new() -> Self {
        Self {
            root: Node::Leaf(Box::new(Row::new())),
            len: 0,
            nodes: Nodes {
                leaves: 1,
                inners: 0,
            },
        }
    }

    /// The number of items that precede a place. O(log n).
    pub(super) fn rank(&self, place: &impl Place) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return rank + place.preceding(leaf),
                Node::Inner(inner) => {
                    let index = Before(place).branch(inner);
                    rank += total(&inner.lens[..index]);
                    node = &inner.nodes[index];
                }
            }
        }
    }

    /// Reads the leaf where a score is, so that what is inserted there soon need not wait for it.
    pub(super) fn touch(&self, score: f64) {
        let mut node = &self.root;
        while let Node::Inner(inner) = node {
            node = &inner.nodes[inner.firsts.below(score).saturating_sub(1)];
        }
        if let Node::Leaf(leaf) = node {
            std::hint::black_box(leaf.below(score));
        }
    }

    /// The leaf that holds the item at `rank`, and the index of the item there. O(log n).
    pub(super) fn leaf(&self, rank: usize) -> (Items<'_>, usize) {
        let (mut node, mut path) = (&self.root, Rank(rank));
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf.items(), path.item(leaf)),
                Node::Inner(inner) => node = &inner.nodes[path.branch(inner)],
            }
        }
    }

    /// The item at `rank`. O(log n).
    pub(super) fn at(&self, rank: usize) -> Option<Item> {
        let (items, index) = self.leaf(rank);
        items.from(index).pop_first()
    }

    /// Adds an item behind all others. O(log n).
    pub(super) fn push(&mut self, item: Item) {
        self.insert(&Last, item);
    }

    /// Inserts an item at its place. O(log n).
    pub(super) fn insert(&mut self, place: &impl Place, item: Item) {
        self.len += 1;
        let Some(right) = self.root.insert(place, item, &mut self.nodes) else {
            return;
        };
        let left = std::mem::replace(&mut self.root, Node::Inner(Box::new(Inner::new())));
        if let Node::Inner(root) = &mut self.root {
            root.insert(0, left);
            root.insert(1, right);
        }
        self.nodes.inners += 1;
    }

    /// Takes the last item that precedes a place out, if there is one. O(log n).
    pub(super) fn remove_before(&mut self, place: &impl Place) {
        self.remove(&mut Before(place));
    }

    /// Takes the item at `rank` out, if there is one. O(log n).
    pub(super) fn remove_at(&mut self, rank: usize) {
        if rank < self.len {
            self.remove(&mut Rank(rank));
        }
    }

    fn remove(&mut self, path: &mut impl Path) {
        self.len -= usize::from(self.root.remove(path, &mut self.nodes));
        while let Node::Inner(inner) = &mut self.root
            && inner.nodes.len() == 1
            && let Some(only) = inner.nodes.pop()
        {
            self.root = only;
            self.nodes.inners -= 1;
        }
    }

    /// Gives another id to the last item that precedes a place. O(log n).
    pub(super) fn set_id_before(&mut self, place: &impl Place, id: Id) {
        self.root.set_id(&mut Before(place), id);
    }

    /// The heap bytes behind it. O(1).
    pub(super) const fn memory_bytes(&self) -> usize {
        let inner = allocated(size_of::<Inner>()) + allocated(WIDTH * size_of::<Node>());
        self.nodes.leaves * allocated(size_of::<Row>()) + self.nodes.inners * inner
    }
}

impl Items<'_> {
    pub(super) const fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// The items from an index on.
    pub(super) fn from(self, index: usize) -> Self {
        let scores = self.scores.get(index..).unwrap_or_default();
        let ids = self.ids.get(index..).unwrap_or_default();
        Self { scores, ids }
    }

    /// The items in front of an index.
    pub(super) fn to(self, index: usize) -> Self {
        let end = index.min(self.scores.len());
        Self {
            scores: &self.scores[..end],
            ids: &self.ids[..end],
        }
    }

    pub(super) fn pop_first(&mut self) -> Option<Item> {
        let score = *self.scores.split_off_first()?;
        let id = *self.ids.split_off_first()?;
        Some(Item { score, id })
    }

    pub(super) fn pop_last(&mut self) -> Option<Item> {
        let score = *self.scores.split_off_last()?;
        let id = *self.ids.split_off_last()?;
        Some(Item { score, id })
    }
}

impl Path for Rank {
    fn branch(&mut self, inner: &Inner) -> usize {
        let mut index = 0;
        while index + 1 < inner.nodes.len() && self.0 >= inner.lens[index] as usize {
            self.0 -= inner.lens[index] as usize;
            index += 1;
        }
        index
    }

    fn item(&mut self, _: &Row) -> usize {
        self.0
    }
}

impl<P: Place> Path for Before<'_, P> {
    fn branch(&mut self, inner: &Inner) -> usize {
        self.0.preceding(&inner.firsts).saturating_sub(1)
    }

    fn item(&mut self, leaf: &Row) -> usize {
        // Where nothing precedes the place, there is no such item.
        self.0.preceding(leaf).wrapping_sub(1)
    }
}

impl Place for Last {
    fn preceding(&self, row: &Row) -> usize {
        row.len
    }
}

impl Node {
    /// The first item below; there is one.
    fn first(&self) -> Item {
        let row = match self {
            Self::Leaf(leaf) => leaf,
            Self::Inner(inner) => &inner.firsts,
        };
        Item {
            score: row.scores[0],
            id: row.ids[0],
        }
    }

    /// The number of items below.
    fn len(&self) -> u32 {
        match self {
            Self::Leaf(leaf) => leaf.len as u32,
            Self::Inner(inner) => total(&inner.lens[..inner.nodes.len()]) as u32,
        }
    }

    /// The items or branches of the node itself.
    fn fill(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len,
            Self::Inner(inner) => inner.nodes.len(),
        }
    }

    /// Inserts an item; returns the right part if that took a split.
    fn insert(&mut self, place: &impl Place, item: Item, nodes: &mut Nodes) -> Option<Self> {
        match self {
            Self::Leaf(leaf) => {
                let right = leaf.insert_or_split(place.preceding(leaf), item)?;
                nodes.leaves += 1;
                Some(Self::Leaf(Box::new(right)))
            }
            Self::Inner(inner) => {
                let mut index = Before(place).branch(inner);
                if inner.nodes[index].fill() == WIDTH && inner.share(index) {
                    index = Before(place).branch(inner);
                }
                let split = inner.nodes[index].insert(place, item, nodes);
                inner.lens[index] += 1;
                inner.note_first(index);
                let split = split?;
                inner.lens[index] -= split.len();
                let right = inner.insert_or_split(index + 1, split)?;
                nodes.inners += 1;
                Some(Self::Inner(Box::new(right)))
            }
        }
    }

    /// Takes the item at the end of the path out; whether there was one.
    fn remove(&mut self, path: &mut impl Path, nodes: &mut Nodes) -> bool {
        match self {
            Self::Leaf(leaf) => {
                let index = path.item(leaf);
                let found = index < leaf.len;
                if found {
                    leaf.remove(index);
                }
                found
            }
            Self::Inner(inner) => {
                let index = path.branch(inner);
                let found = inner.nodes[index].remove(path, nodes);
                if found {
                    inner.lens[index] -= 1;
                    if inner.lens[index] > 0 {
                        inner.note_first(index);
                    }
                    inner.merge(index, nodes);
                }
                found
            }
        }
    }

    fn set_id(&mut self, path: &mut impl Path, id: Id) {
        match self {
            Self::Leaf(leaf) => {
                let index = path.item(leaf);
                if index < leaf.len {
                    leaf.ids[index] = id;
                }
            }
            Self::Inner(inner) => {
                let index = path.branch(inner);
                inner.nodes[index].set_id(path, id);
                inner.note_first(index);
            }
        }
    }
}

impl Row {
    const fn new() -> Self {
        Self {
            len: 0,
            scores: [f64::INFINITY; WIDTH],
            ids: [0; WIDTH],
        }
    }

    /// All of its items.
    pub(super) fn items(&self) -> Items<'_> {
        Items {
            scores: &self.scores[..self.len],
            ids: &self.ids[..self.len],
        }
    }

    /// How many of its scores are below an edge. Counting blocks, then the scores of one, is quicker than a search, each
    /// step of which waits for the one before.
    #[inline]
    pub(super) fn below(&self, edge: f64) -> usize {
        let count = |scores: &[f64; BLOCK]| -> usize {
            let below = scores.iter().map(|score| usize::from(*score < edge));
            below.sum()
        };
        let (blocks, _) = self.scores.as_chunks::<BLOCK>();
        let lasts = blocks
            .iter()
            .map(|block| usize::from(block[BLOCK - 1] < edge));
        let whole: usize = lasts.sum();
        BLOCK * whole + blocks.get(whole).map_or(0, count)
    }

    fn set(&mut self, at: usize, item: Item) {
        self.scores[at] = item.score;
        self.ids[at] = item.id;
    }

    fn insert(&mut self, at: usize, item: Item) {
        make_room(&mut self.scores[..=self.len], at, item.score);
        make_room(&mut self.ids[..=self.len], at, item.id);
        self.len += 1;
    }

    fn insert_or_split(&mut self, at: usize, item: Item) -> Option<Self> {
        if self.len < WIDTH {
            self.insert(at, item);
            return None;
        }
        let (middle, mut right) = (middle(at), Self::new());
        right.take(self, middle);
        if at <= middle {
            self.insert(at, item);
        } else {
            right.insert(at - middle, item);
        }
        Some(right)
    }

    fn remove(&mut self, at: usize) {
        self.scores.copy_within(at + 1..self.len, at);
        self.ids.copy_within(at + 1..self.len, at);
        self.len -= 1;
        self.scores[self.len] = f64::INFINITY;
    }

    /// Moves items to or from the row behind it, so that both have the same number, or that one has one more.
    fn even_out(&mut self, behind: &mut Self) {
        let (len, half) = (self.len, usize::midpoint(self.len, behind.len));
        if len > half {
            let moved = len - half;
            behind.scores.copy_within(..behind.len, moved);
            behind.ids.copy_within(..behind.len, moved);
            behind.scores[..moved].copy_from_slice(&self.scores[half..len]);
            behind.ids[..moved].copy_from_slice(&self.ids[half..len]);
            behind.len += moved;
            self.scores[half..len].fill(f64::INFINITY);
        } else {
            let moved = half - len;
            self.scores[len..half].copy_from_slice(&behind.scores[..moved]);
            self.ids[len..half].copy_from_slice(&behind.ids[..moved]);
            behind.scores.copy_within(moved..behind.len, 0);
            behind.ids.copy_within(moved..behind.len, 0);
            let left = behind.len - moved;
            behind.scores[left..behind.len].fill(f64::INFINITY);
            behind.len = left;
        }
        self.len = half;
    }

    /// Moves what stands in `other` from an index on to the end.
    fn take(&mut self, other: &mut Self, from: usize) {
        let (old, end) = (self.len, other.len);
        self.len += end - from;
        self.scores[old..self.len].copy_from_slice(&other.scores[from..end]);
        self.ids[old..self.len].copy_from_slice(&other.ids[from..end]);
        other.scores[from..end].fill(f64::INFINITY);
        other.len = from;
    }
}

impl Inner {
    fn new() -> Self {
        Self {
            firsts: Row::new(),
            lens: [0; WIDTH],
            nodes: Vec::with_capacity(WIDTH),
        }
    }

    /// Brings the first item of a branch up to date.
    fn note_first(&mut self, index: usize) {
        self.firsts.set(index, self.nodes[index].first());
    }

    fn insert(&mut self, at: usize, node: Node) {
        self.firsts.insert(at, node.first());
        make_room(&mut self.lens[..=self.nodes.len()], at, node.len());
        self.nodes.insert(at, node);
    }

    fn insert_or_split(&mut self, at: usize, node: Node) -> Option<Self> {
        if self.nodes.len() < WIDTH {
            self.insert(at, node);
            return None;
        }
        let (middle, mut right) = (middle(at), Self::new());
        right.take(self, middle);
        if at <= middle {
            self.insert(at, node);
        } else {
            right.insert(at - middle, node);
        }
        Some(right)
    }

    fn remove(&mut self, at: usize) -> Node {
        self.firsts.remove(at);
        self.lens.copy_within(at + 1..self.nodes.len(), at);
        self.nodes.remove(at)
    }

    /// Moves what stands in `other` from an index on to the end.
    fn take(&mut self, other: &mut Self, from: usize) {
        let (old, end) = (self.nodes.len(), other.nodes.len());
        self.firsts.take(&mut other.firsts, from);
        self.lens[old..old + end - from].copy_from_slice(&other.lens[from..end]);
        self.nodes.extend(other.nodes.drain(from..));
    }

    /// Makes room in a leaf that is full: one beside it takes some of its items, if it has room enough; whether it had. So
    /// leaves are split later, and are fuller.
    #[inline(never)]
    fn share(&mut self, index: usize) -> bool {
        let has_room = |index: usize| {
            let node = self.nodes.get(index);
            node.is_some_and(|node| node.fill() <= WIDTH - WIDTH / 8)
        };
        let left = match index.checked_sub(1) {
            Some(left) if has_room(left) => left,
            _ if has_room(index + 1) => index,
            _ => return false,
        };
        let Some([Node::Leaf(one), Node::Leaf(other)]) = self.nodes.get_mut(left..left + 2) else {
            return false;
        };
        one.even_out(other);
        self.lens[left] = one.len as u32;
        self.lens[left + 1] = other.len as u32;
        self.note_first(left + 1);
        true
    }

    /// Joins a branch that has become small with one beside it, if the two leave room in one node; takes an empty one
    /// out.
    fn merge(&mut self, index: usize, nodes: &mut Nodes) {
        let fill = self.nodes[index].fill();
        if fill > WIDTH / 2 {
            return;
        }
        let room = WIDTH - WIDTH / 8 - fill;
        let joins = |index: usize| {
            self.nodes
                .get(index)
                .is_some_and(|node| node.fill() <= room)
        };
        let left = if index > 0 && joins(index - 1) {
            index - 1
        } else if joins(index + 1) {
            index
        } else if fill == 0 {
            // Both neighbours are full.
            nodes.forget(&self.remove(index));
            return;
        } else {
            return;
        };
        let len = self.lens[left] + self.lens[left + 1];
        let mut right = self.remove(left + 1);
        nodes.forget(&right);
        match (&mut self.nodes[left], &mut right) {
            (Node::Leaf(left), Node::Leaf(right)) => left.take(right, 0),
            (Node::Inner(left), Node::Inner(right)) => left.take(right, 0),
            _ => debug_assert!(false, "branches of one node are of one height"),
        }
        self.lens[left] = len;
        self.note_first(left);
    }
}

impl Clone for Inner {
    /// A copy with the same room for more, which a vector's own copy has not.
    fn clone(&self) -> Self {
        let mut nodes = Vec::with_capacity(WIDTH);
        nodes.extend_from_slice(&self.nodes);
        Self {
            firsts: self.firsts.clone(),
            lens: self.lens,
            nodes,
        }
    }
}

impl Nodes {
    const fn forget(&mut self, node: &Node) {
        match node {
            Node::Leaf(_) => self.leaves -= 1,
            Node::Inner(_) => self.inners -= 1,
        }
    }
}

/// Where a full row is split that something is inserted into.
///
/// Rows that are filled from one end are split near that end, so that what is left behind is nearly full.
const fn middle(at: usize) -> usize {
    match at {
        0 => WIDTH / 8,
        WIDTH => WIDTH - WIDTH / 8,
        _ => WIDTH / 2,
    }
}

/// Moves what stands from `at` on one further and puts `new` there; the last of the row is free.
fn make_room<T: Copy>(row: &mut [T], at: usize, new: T) {
    row.copy_within(at..row.len() - 1, at + 1);
    row[at] = new;
}

fn total(lens: &[u32]) -> usize {
    lens.iter().map(|len| *len as usize).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Item, Node, Nodes, OrderTree, Place, Row, WIDTH};

    /// In front of the items from this score on.
    struct Score(f64);

    impl Place for Score {
        fn preceding(&self, row: &Row) -> usize {
            row.below(self.0)
        }
    }

    fn item(score: u32) -> Item {
        Item {
            score: score.into(),
            id: score.wrapping_mul(3),
        }
    }

    /// The items of a row, behind which there is infinity.
    fn all(row: &Row) -> Vec<Item> {
        assert!(
            row.scores[row.len..]
                .iter()
                .all(|score| *score == f64::INFINITY)
        );
        let items = row.items();
        let pairs = items.scores.iter().zip(items.ids);
        pairs
            .map(|(score, id)| Item {
                score: *score,
                id: *id,
            })
            .collect()
    }

    /// Checks lengths and firsts, counts the nodes, and returns the height.
    fn check(node: &Node, items: &mut Vec<Item>, nodes: &mut Nodes) -> usize {
        match node {
            Node::Leaf(leaf) => {
                nodes.leaves += 1;
                items.extend(all(leaf));
                1
            }
            Node::Inner(inner) => {
                nodes.inners += 1;
                assert_eq!(inner.nodes.capacity(), WIDTH);
                let firsts = all(&inner.firsts);
                assert_eq!(firsts.len(), inner.nodes.len());
                let mut heights = Vec::new();
                for (index, node) in inner.nodes.iter().enumerate() {
                    let before = items.len();
                    heights.push(check(node, items, nodes));
                    assert_eq!(inner.lens[index] as usize, items.len() - before);
                    assert_eq!(firsts[index], items[before]);
                }
                assert!(heights.iter().all(|height| *height == heights[0]));
                1 + heights[0]
            }
        }
    }

    fn check_all(tree: &OrderTree, model: &[Item]) -> usize {
        let (mut items, mut nodes) = (
            Vec::new(),
            Nodes {
                leaves: 0,
                inners: 0,
            },
        );
        let height = check(&tree.root, &mut items, &mut nodes);
        assert_eq!(nodes, tree.nodes);
        assert_eq!((items.as_slice(), tree.len), (model, model.len()));
        height
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn behaves_like_a_sorted_vector(
            phases in proptest::collection::vec((0u8..6, 1usize..1500, any::<u64>()), 1..6),
        ) {
            let (mut tree, mut model) = (OrderTree::new(), Vec::<Item>::new());
            for (phase, steps, seed) in phases {
                let mut rng = crate::value::Rng::new(seed);
                for step in 0..steps as u32 {
                    let score = match phase {
                        0 => 1_000_000 + step,
                        1 => 500_000 - step,
                        _ => rng.below(1_000_000) as u32,
                    };
                    let at = model.partition_point(|item| item.score < score.into());
                    if phase < 3 {
                        if model.get(at).is_none_or(|item| item.score > score.into()) {
                            tree.insert(&Score(score.into()), item(score));
                            model.insert(at, item(score));
                        }
                    } else if phase == 3 && at < model.len() {
                        tree.remove_at(at);
                        model.remove(at);
                    } else if phase == 4 {
                        tree.remove_before(&Score(score.into()));
                        if at > 0 {
                            model.remove(at - 1);
                        }
                    } else if at > 0 {
                        tree.set_id_before(&Score(score.into()), step);
                        model[at - 1].id = step;
                    }
                    prop_assert_eq!(tree.rank(&Score(score.into())), model.partition_point(|item| item.score < score.into()));
                }
                prop_assert_eq!(tree.at(0), model.first().copied());
                prop_assert_eq!(tree.at(model.len() / 2), model.get(model.len() / 2).copied());
                check_all(&tree, &model);
                tree = tree.clone();
            }
        }
    }

    #[test]
    fn items_that_come_and_go_anywhere_leave_the_leaves_two_thirds_full() {
        let (mut tree, mut rng) = (OrderTree::new(), crate::value::Rng::new(3));
        for step in 0..200_000 {
            let score = rng.below(1_000_000) as u32;
            tree.insert(&Score(score.into()), item(score));
            if step >= 20_000 {
                tree.remove_at(rng.below(tree.len));
            }
        }
        let each = tree.memory_bytes() as f64 / tree.len as f64;
        assert!(each < 19.0, "{each} bytes for an item of 12");
    }

    #[test]
    fn ascending_items_fill_the_leaves_and_removal_gives_them_back() {
        let mut tree = OrderTree::new();
        for score in 0..100_000 {
            tree.push(item(score));
        }
        assert!(
            tree.memory_bytes() < 100_000 * 17,
            "{}",
            tree.memory_bytes()
        );
        let model: Vec<Item> = (0..100_000).map(item).collect();
        assert_eq!(check_all(&tree, &model), 3);
        let mut rng = crate::value::Rng::new(7);
        while tree.len > 1000 {
            tree.remove_at(rng.below(tree.len));
        }
        assert!(tree.memory_bytes() < 1000 * 120, "{}", tree.memory_bytes());
        while tree.len > 0 {
            tree.remove_at(tree.len - 1);
        }
        assert_eq!(check_all(&tree, &[]), 1);
    }
}
