//! The order of a big sorted set: an order-statistic tree.

use super::allocated;
use super::table::Id;

/// A B+tree of items addressed by rank, with the number of items below each branch.
///
/// It compares nothing itself: [`Self::rank`] is given a predicate that holds for a prefix of the
/// items, and every change is made at a rank. What changes it recurses once for each level, of which
/// there are at most seven for 2³² items.
#[derive(Clone, Debug)]
pub(super) struct OrderTree {
    root: Branch,
    nodes: Nodes,
}

/// A member's score, and where its name is in the table beside the tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) score: f64,
    pub(super) id: Id,
}

#[derive(Clone, Debug)]
struct Branch {
    /// The first item below; anything if there is none.
    first: Item,
    /// The number of items below.
    len: usize,
    node: Node,
}

#[derive(Debug)]
enum Node {
    /// Allocated for `LEAF` items.
    Leaf(Vec<Item>),
    /// Allocated for `INNER` branches, none of which is empty.
    Inner(Vec<Branch>),
}

impl Clone for Node {
    /// A copy with the same room for more, which a vector's own copy has not.
    fn clone(&self) -> Self {
        fn copy<T: Clone>(row: &[T], max: usize) -> Vec<T> {
            let mut copy = Vec::with_capacity(max);
            copy.extend_from_slice(row);
            copy
        }
        match self {
            Self::Leaf(items) => Self::Leaf(copy(items, LEAF)),
            Self::Inner(branches) => Self::Inner(copy(branches, INNER)),
        }
    }
}

/// How many nodes there are.
#[derive(Clone, Debug)]
struct Nodes {
    leaves: usize,
    inners: usize,
}

/// The most items of a leaf: 1 KiB.
const LEAF: usize = 64;

/// The most branches of an inner node.
const INNER: usize = 32;

impl OrderTree {
    pub(super) fn new() -> Self {
        Self {
            root: Branch::leaf(Vec::with_capacity(LEAF)),
            nodes: Nodes {
                leaves: 1,
                inners: 0,
            },
        }
    }

    /// The number of items. O(1).
    pub(super) const fn len(&self) -> usize {
        self.root.len
    }

    /// The number of items that precede something, which must be the first ones. O(log n) calls.
    pub(super) fn rank(&self, precedes: impl Fn(&Item) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root.node, 0);
        loop {
            match node {
                Node::Leaf(items) => return rank + items.partition_point(&precedes),
                Node::Inner(branches) => {
                    let index = branches.partition_point(|branch| precedes(&branch.first));
                    let (before, from) = branches.split_at(index.saturating_sub(1));
                    rank += before.iter().map(|branch| branch.len).sum::<usize>();
                    let Some(branch) = from.first() else {
                        return rank;
                    };
                    node = &branch.node;
                }
            }
        }
    }

    /// The leaf that holds the item at `rank`, and the index of the item there. O(log n).
    pub(super) fn leaf(&self, mut rank: usize) -> (&[Item], usize) {
        let mut node = &self.root.node;
        loop {
            match node {
                Node::Leaf(items) => return (items, rank),
                Node::Inner(branches) => {
                    let Some(index) = branch_of(branches, &mut rank) else {
                        return (&[], 0);
                    };
                    node = &branches[index].node;
                }
            }
        }
    }

    /// The item at `rank`. O(log n).
    pub(super) fn at(&self, rank: usize) -> Option<Item> {
        let (items, index) = self.leaf(rank);
        items.get(index).copied()
    }

    /// Inserts an item in front of the one at `rank`, which is at most `len()`. O(log n).
    pub(super) fn insert(&mut self, rank: usize, item: Item) {
        let Some(right) = self.root.insert(rank, item, &mut self.nodes) else {
            return;
        };
        let left = std::mem::replace(&mut self.root, Branch::leaf(Vec::new()));
        let mut branches = Vec::with_capacity(INNER);
        branches.extend([left, right]);
        self.root = Branch::inner(branches);
        self.nodes.inners += 1;
    }

    /// Takes the item at `rank` out, if there is one. O(log n).
    pub(super) fn remove(&mut self, rank: usize) {
        if rank >= self.len() {
            return;
        }
        self.root.remove(rank, &mut self.nodes);
        while let Node::Inner(branches) = &mut self.root.node
            && branches.len() == 1
            && let Some(only) = branches.pop()
        {
            self.root = only;
            self.nodes.inners -= 1;
        }
    }

    /// Notes that the item at `rank` has another id. O(log n).
    pub(super) fn set_id(&mut self, mut rank: usize, id: Id) {
        let mut branch = &mut self.root;
        loop {
            if rank == 0 {
                branch.first.id = id;
            }
            match &mut branch.node {
                Node::Leaf(items) => {
                    if let Some(item) = items.get_mut(rank) {
                        item.id = id;
                    }
                    return;
                }
                Node::Inner(branches) => {
                    let Some(index) = branch_of(branches, &mut rank) else {
                        return;
                    };
                    branch = &mut branches[index];
                }
            }
        }
    }

    /// The heap bytes behind it. O(1).
    pub(super) const fn memory_bytes(&self) -> usize {
        self.nodes.leaves * allocated(LEAF * size_of::<Item>())
            + self.nodes.inners * allocated(INNER * size_of::<Branch>())
    }
}

/// The branch that holds the item at `rank`, which becomes the rank within it.
fn branch_of(branches: &[Branch], rank: &mut usize) -> Option<usize> {
    branches.iter().position(|branch| {
        let here = *rank < branch.len;
        if !here {
            *rank -= branch.len;
        }
        here
    })
}

impl Branch {
    fn leaf(items: Vec<Item>) -> Self {
        Self {
            first: items.first().copied().unwrap_or(Item { score: 0.0, id: 0 }),
            len: items.len(),
            node: Node::Leaf(items),
        }
    }

    fn inner(branches: Vec<Self>) -> Self {
        Self {
            first: branches
                .first()
                .map_or(Item { score: 0.0, id: 0 }, |branch| branch.first),
            len: branches.iter().map(|branch| branch.len).sum(),
            node: Node::Inner(branches),
        }
    }

    /// Inserts an item; returns the right part if that took a split.
    fn insert(&mut self, rank: usize, item: Item, nodes: &mut Nodes) -> Option<Self> {
        if rank == 0 {
            self.first = item;
        }
        self.len += 1;
        let right = match &mut self.node {
            Node::Leaf(items) => {
                let right = Self::leaf(insert_or_split(items, rank, item, LEAF)?);
                nodes.leaves += 1;
                right
            }
            Node::Inner(branches) => {
                let (mut index, mut rank) = (0, rank);
                while index + 1 < branches.len() && rank > branches[index].len {
                    rank -= branches[index].len;
                    index += 1;
                }
                let split = branches[index].insert(rank, item, nodes)?;
                let right = Self::inner(insert_or_split(branches, index + 1, split, INNER)?);
                nodes.inners += 1;
                right
            }
        };
        self.len -= right.len;
        Some(right)
    }

    /// Takes the item at `rank`, which is below `len`, out.
    fn remove(&mut self, mut rank: usize, nodes: &mut Nodes) {
        self.len -= 1;
        match &mut self.node {
            Node::Leaf(items) => {
                items.remove(rank);
                self.first = items.first().copied().unwrap_or(self.first);
            }
            Node::Inner(branches) => {
                if let Some(index) = branch_of(branches, &mut rank) {
                    branches[index].remove(rank, nodes);
                    merge(branches, index, nodes);
                }
                self.first = branches.first().map_or(self.first, |branch| branch.first);
            }
        }
    }

    /// The items or branches of the node itself, and how many it may have.
    fn fill(&self) -> (usize, usize) {
        match &self.node {
            Node::Leaf(items) => (items.len(), LEAF),
            Node::Inner(branches) => (branches.len(), INNER),
        }
    }
}

/// Inserts into a node's row; if that is full, splits it and returns its right part.
///
/// Rows that are filled from one end are split near that end, so that what is left behind is
/// nearly full.
fn insert_or_split<T>(row: &mut Vec<T>, at: usize, item: T, max: usize) -> Option<Vec<T>> {
    if row.len() < max {
        row.insert(at, item);
        return None;
    }
    let middle = match at {
        0 => max / 8,
        _ if at == row.len() => max - max / 8,
        _ => max / 2,
    };
    let mut right = Vec::with_capacity(max);
    right.extend(row.drain(middle..));
    if at <= middle {
        row.insert(at, item);
    } else {
        right.insert(at - middle, item);
    }
    Some(right)
}

/// Joins a branch that has become small with one beside it, if the two leave room in one node; takes
/// an empty one out.
fn merge(branches: &mut Vec<Branch>, index: usize, nodes: &mut Nodes) {
    let (fill, max) = branches[index].fill();
    if fill > max / 4 {
        return;
    }
    let room = max - max / 4 - fill;
    let joins = |index: usize| {
        branches
            .get(index)
            .is_some_and(|branch| branch.fill().0 <= room)
    };
    let left = if index > 0 && joins(index - 1) {
        index - 1
    } else if joins(index + 1) {
        index
    } else if fill == 0 {
        // Both neighbours are full.
        drop_node(&branches.remove(index), nodes);
        return;
    } else {
        return;
    };
    let mut right = branches.remove(left + 1);
    drop_node(&right, nodes);
    let left = &mut branches[left];
    if left.len == 0 {
        left.first = right.first;
    }
    left.len += right.len;
    match (&mut left.node, &mut right.node) {
        (Node::Leaf(left), Node::Leaf(right)) => left.append(right),
        (Node::Inner(left), Node::Inner(right)) => left.append(right),
        _ => debug_assert!(false, "branches of one node are of one height"),
    }
}

const fn drop_node(branch: &Branch, nodes: &mut Nodes) {
    match branch.node {
        Node::Leaf(_) => nodes.leaves -= 1,
        Node::Inner(_) => nodes.inners -= 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Branch, Item, Node, Nodes, OrderTree};

    fn item(id: u32) -> Item {
        Item {
            score: f64::from(id),
            id,
        }
    }

    fn ids(tree: &OrderTree) -> Vec<u32> {
        (0..tree.len())
            .filter_map(|rank| tree.at(rank))
            .map(|item| item.id)
            .collect()
    }

    /// Checks lengths, firsts and capacities, and returns the height.
    fn check(branch: &Branch, nodes: &mut Nodes) -> usize {
        match &branch.node {
            Node::Leaf(items) => {
                nodes.leaves += 1;
                assert_eq!((branch.len, items.capacity()), (items.len(), super::LEAF));
                assert!(items.first().is_none_or(|first| *first == branch.first));
                1
            }
            Node::Inner(branches) => {
                nodes.inners += 1;
                assert_eq!(branches.capacity(), super::INNER);
                assert_eq!(
                    branch.len,
                    branches.iter().map(|branch| branch.len).sum::<usize>()
                );
                assert_eq!(branch.first, branches[0].first);
                let heights: Vec<_> = branches.iter().map(|branch| check(branch, nodes)).collect();
                assert!(heights.iter().all(|height| *height == heights[0]));
                assert!(branches.iter().all(|branch| branch.len > 0));
                1 + heights[0]
            }
        }
    }

    fn check_all(tree: &OrderTree, model: &[u32]) -> usize {
        let mut nodes = Nodes {
            leaves: 0,
            inners: 0,
        };
        let height = check(&tree.root, &mut nodes);
        assert_eq!(
            (nodes.leaves, nodes.inners),
            (tree.nodes.leaves, tree.nodes.inners)
        );
        assert_eq!(ids(tree), model);
        height
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn behaves_like_a_vector(
            phases in proptest::collection::vec((0u8..5, 1usize..1500, any::<u64>()), 1..6),
        ) {
            let (mut tree, mut model) = (OrderTree::new(), Vec::new());
            let mut id = 0;
            for (phase, steps, seed) in phases {
                let mut rng = crate::value::Rng::new(seed);
                for _ in 0..steps {
                    let len = model.len();
                    let at = match phase { 0 => 0, 1 => len, _ => rng.below(len + 1) };
                    if phase < 3 {
                        id += 1;
                        tree.insert(at, item(id));
                        model.insert(at, id);
                    } else if phase == 3 && at < len {
                        tree.remove(at);
                        model.remove(at);
                    } else if at < len {
                        id += 1;
                        tree.set_id(at, id);
                        model[at] = id;
                        // The score is not part of the model.
                    }
                }
                let first = tree.at(0).map(|item| item.id);
                prop_assert_eq!(first, model.first().copied());
                check_all(&tree, &model);
                tree = tree.clone();
            }
        }
    }

    #[test]
    fn counts_what_precedes() {
        let mut tree = OrderTree::new();
        for id in 0..5000 {
            tree.insert(id as usize, item(id * 2));
        }
        for rank in 0..5000 {
            assert_eq!(tree.rank(|item| item.id < 2 * rank), rank as usize);
            assert_eq!(tree.rank(|item| item.id <= 2 * rank), rank as usize + 1);
        }
    }

    #[test]
    fn ascending_items_fill_the_leaves_and_removal_gives_them_back() {
        let mut tree = OrderTree::new();
        for id in 0..100_000 {
            tree.insert(id as usize, item(id));
        }
        assert!(tree.memory_bytes() < 100_000 * 22);
        let model: Vec<u32> = (0..100_000).collect();
        assert_eq!(check_all(&tree, &model), 4);
        let mut rng = crate::value::Rng::new(7);
        while tree.len() > 1000 {
            tree.remove(rng.below(tree.len()));
        }
        assert!(tree.memory_bytes() < 1000 * 120, "{}", tree.memory_bytes());
        while tree.len() > 0 {
            tree.remove(tree.len() - 1);
        }
        assert_eq!(check_all(&tree, &[]), 1);
    }
}
