//! The list value: packed nodes in a row.

use std::collections::VecDeque;
use std::ops::Range;

use super::bytes::Blob;
use super::element::Element;
use super::packed::{Entry, Listpack, MAX_OVERHEAD};
use super::{PackedLimits, allocated};

/// A list of byte strings. The ends are O(1), as far as a node (8 KiB by default) is a constant; a
/// position costs a walk over the nodes from the nearer end. An element is shorter than 4 GiB.
///
/// ```
/// use server::value::{List, PackedLimits};
///
/// let (mut list, limits) = (List::new(), PackedLimits::default());
/// list.push_back(b"b", &limits);
/// list.push_front(b"a", &limits);
/// let texts: Vec<_> = list.range(0..10).map(|element| element.to_vec()).collect();
/// assert_eq!(texts, [b"a", b"b"]);
/// ```
#[derive(Clone, Debug)]
pub struct List(Form);

#[derive(Clone, Debug)]
enum Form {
    /// One node, which the limits allow or which holds a single element.
    Packed(Listpack),
    Nodes(Box<Nodes>),
}

/// A quicklist: no node is empty, and each is as small as `Form::Packed`.
#[derive(Clone, Debug, Default)]
struct Nodes {
    packs: VecDeque<Listpack>,
    len: usize,
    /// Heap bytes behind the nodes.
    bytes: usize,
}

/// From this many nodes on, one with much room left is a small part of the list.
const WHOLE_FROM: usize = 4;

/// Of this size on the first of several nodes takes no more elements in front, and moves as a whole into the next one:
/// each element would move all of a node's.
const FRONT_BYTES: usize = 256;

/// The same for a list of one node, which becomes several.
const ONLY_FRONT_BYTES: usize = 2048;

/// On which side of the pivot LINSERT puts the new element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// In front of it.
    Before,
    /// Behind it.
    After,
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// An empty list.
    pub fn new() -> Self {
        Self(Form::Packed(Listpack::new()))
    }

    /// The number of elements. O(1).
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Packed(pack) => pack.len(),
            Form::Nodes(nodes) => nodes.len,
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an element in front of all others. O(1).
    pub fn push_front(&mut self, value: &[u8], limits: &PackedLimits) {
        if let Form::Nodes(nodes) = &mut self.0
            && nodes.push_into_first(value, limits)
        {
            return;
        }
        self.insert(
            Place {
                node: 0,
                position: 0,
            },
            Entry::from(value),
            limits,
        );
    }

    /// Adds an element behind all others. O(1).
    pub fn push_back(&mut self, value: &[u8], limits: &PackedLimits) {
        self.insert(self.view().end(), Entry::from(value), limits);
    }

    /// Takes the first element. O(1).
    pub fn pop_front(&mut self) -> Option<Blob> {
        let element = self.get(0)?.to_blob();
        self.remove(
            Place {
                node: 0,
                position: 0,
            },
            1,
        );
        Some(element)
    }

    /// Takes the last element. O(1).
    pub fn pop_back(&mut self) -> Option<Blob> {
        let last = self.len().checked_sub(1)?;
        let element = self.get(last)?.to_blob();
        self.remove(self.view().place(last), 1);
        Some(element)
    }

    /// The element at `index`.
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        let view = self.view();
        let place = view.place(index);
        view.node(place.node)?.at(place.position).map(Element::from)
    }

    /// Replaces the element at `index`; whether there is one.
    pub fn set(&mut self, index: usize, value: &[u8], limits: &PackedLimits) -> bool {
        if index >= self.len() {
            return false;
        }
        let (place, entry) = (self.view().place(index), Entry::from(value));
        if self
            .view()
            .node(place.node)
            .is_some_and(|node| node.len() == 1 || fits(node, &entry, 0, limits))
        {
            self.edit(place.node, |node| node.replace(place.position, entry));
        } else {
            // The node keeps at least one element, so the place stays one of the list.
            self.remove(place, 1);
            self.insert(place, entry, limits);
        }
        true
    }

    /// Inserts beside the first element equal to `pivot`; whether there is one. O(n).
    pub fn insert_beside(
        &mut self,
        side: Side,
        pivot: &[u8],
        value: &[u8],
        limits: &PackedLimits,
    ) -> bool {
        let (view, pivot) = (self.view(), Entry::from(pivot));
        let found = view.nodes().enumerate().find_map(|(node, pack)| {
            let position = pack.find(pivot, 0, 1)?;
            let position = match side {
                Side::Before => position,
                Side::After => pack.next(position),
            };
            Some(Place { node, position })
        });
        if let Some(place) = found {
            self.insert(place, Entry::from(value), limits);
        }
        found.is_some()
    }

    /// Removes up to `count` elements equal to `value`, the first ones; returns how many. O(n).
    pub fn remove_first(&mut self, value: &[u8], count: usize) -> usize {
        let matching = matching(self.iter(), value).take(count).collect();
        self.remove_all(matching)
    }

    /// Removes up to `count` elements equal to `value`, the last ones; returns how many. O(n).
    pub fn remove_last(&mut self, value: &[u8], count: usize) -> usize {
        let last = self.len().saturating_sub(1);
        let matching = matching(self.iter().rev(), value).take(count);
        let mut matching: Vec<usize> = matching.map(|index| last - index).collect();
        matching.reverse();
        self.remove_all(matching)
    }

    /// Keeps only the elements at `range`. O(elements removed).
    pub fn trim(&mut self, range: Range<usize>) {
        let end = range.end.min(self.len());
        if range.start >= end {
            *self = Self::new();
            return;
        }
        let mut surplus = self.len() - end;
        while surplus > 0 {
            let view = self.view();
            let node = view.len().saturating_sub(1);
            let len = view.node(node).map_or(0, Listpack::len);
            let removed = len.min(surplus).max(1);
            let position = view.node(node).map_or(0, |pack| pack.seek(len - removed));
            self.remove(Place { node, position }, removed);
            surplus -= removed;
        }
        let mut surplus = range.start;
        while surplus > 0 {
            let removed = self
                .view()
                .node(0)
                .map_or(0, Listpack::len)
                .min(surplus)
                .max(1);
            self.remove(
                Place {
                    node: 0,
                    position: 0,
                },
                removed,
            );
            surplus -= removed;
        }
    }

    /// All elements, from either end.
    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len())
    }

    /// The elements at `range`, from either end; what is beyond the list is left out. O(1) for each,
    /// after the walk to either end of the range.
    pub fn range(&self, range: Range<usize>) -> Iter<'_> {
        let end = range.end.min(self.len());
        let view = self.view();
        Iter {
            view,
            start: view.place(range.start),
            end: if end < self.len() {
                view.place(end)
            } else {
                view.end()
            },
            left: end.saturating_sub(range.start),
        }
    }

    /// The name OBJECT ENCODING gives: always `quicklist`, as in Redis 7.0.
    #[allow(clippy::unused_self, reason = "asked of every collection alike")]
    pub const fn encoding(&self) -> &'static str {
        "quicklist"
    }

    /// The heap bytes behind it. O(1).
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(pack) => pack.memory_bytes(),
            Form::Nodes(nodes) => {
                allocated(size_of::<Nodes>())
                    + allocated(nodes.packs.capacity() * size_of::<Listpack>())
                    + nodes.bytes
            }
        }
    }

    fn view(&self) -> View<'_> {
        match &self.0 {
            Form::Packed(pack) => View {
                front: std::slice::from_ref(pack),
                back: &[],
                elements: pack.len(),
            },
            Form::Nodes(nodes) => {
                let (front, back) = nodes.packs.as_slices();
                View {
                    front,
                    back,
                    elements: nodes.len,
                }
            }
        }
    }

    /// Inserts an element at a place: into its node, the end of the one before it, or a new one.
    fn insert(&mut self, place: Place, entry: Entry<'_>, limits: &PackedLimits) {
        let Place { node, position } = place;
        let pack = match &self.0 {
            Form::Packed(pack) => Some(pack).filter(|_| node == 0),
            Form::Nodes(nodes) => nodes.packs.get(node),
        };
        let front_bytes = match self.0 {
            Form::Packed(_) => ONLY_FRONT_BYTES,
            Form::Nodes(_) => FRONT_BYTES,
        };
        let is_front = node == 0 && position == 0;
        if is_front && pack.is_some_and(|pack| pack.end() >= front_bytes) {
            let nodes = self.nodes();
            nodes.merge_front(limits);
            let mut pack = Listpack::with_room(FRONT_BYTES + entry.encoded_len());
            pack.push_back(entry);
            nodes.insert_node(0, pack);
            return;
        }
        if pack.is_none_or(|pack| pack.is_empty() || fits(pack, &entry, 1, limits)) {
            self.edit(node, |pack| pack.insert(position, entry));
            return;
        }
        let at_end = pack.is_some_and(|pack| position == pack.end());
        let nodes = self.nodes();
        if position == 0 {
            // Both neighbours of the gap may have room.
            match node.checked_sub(1) {
                Some(before)
                    if nodes
                        .packs
                        .get(before)
                        .is_some_and(|pack| fits(pack, &entry, 1, limits)) =>
                {
                    nodes.edit(before, |pack| pack.push_back(entry));
                }
                _ => nodes.insert_end(node, entry, limits),
            }
            return;
        }
        if at_end {
            nodes.edit(node, Listpack::shrink_to_fit);
            match nodes.packs.get(node + 1) {
                Some(after) if fits(after, &entry, 1, limits) => {
                    nodes.edit(node + 1, |pack| pack.push_front(entry));
                }
                _ => nodes.insert_end(node + 1, entry, limits),
            }
            return;
        }
        let tail = nodes.edit(node, |pack| pack.split_off(position));
        nodes.insert_node(node + 1, tail);
        if nodes
            .packs
            .get(node)
            .is_some_and(|pack| fits(pack, &entry, 1, limits))
        {
            nodes.edit(node, |pack| pack.push_back(entry));
        } else {
            nodes.insert_node(node + 1, single(entry));
        }
    }

    /// Removes `count` elements of one node.
    fn remove(&mut self, place: Place, count: usize) {
        self.edit(place.node, |pack| pack.remove(place.position, count));
        if let Form::Nodes(nodes) = &mut self.0
            && nodes.packs.get(place.node).is_some_and(Listpack::is_empty)
        {
            nodes.packs.remove(place.node);
        }
    }

    /// Removes the elements at these ascending indexes.
    fn remove_all(&mut self, indexes: Vec<usize>) -> usize {
        let removed = indexes.len();
        // From the back, so that what is still to be removed stays where it is.
        let mut indexes = indexes.into_iter().rev().peekable();
        let mut node = self.view().len();
        let mut first = self.len();
        while indexes.peek().is_some() && node > 0 {
            node -= 1;
            first -= self.view().node(node).map_or(0, Listpack::len);
            while let Some(index) = indexes.next_if(|index| *index >= first) {
                let position = self
                    .view()
                    .node(node)
                    .map_or(0, |pack| pack.seek(index - first));
                self.remove(Place { node, position }, 1);
            }
        }
        removed
    }

    fn edit(&mut self, node: usize, change: impl FnOnce(&mut Listpack)) {
        match &mut self.0 {
            Form::Packed(pack) => change(pack),
            Form::Nodes(nodes) => nodes.edit(node, change),
        }
    }

    fn nodes(&mut self) -> &mut Nodes {
        if let Form::Packed(pack) = &mut self.0 {
            let pack = std::mem::take(pack);
            let mut nodes = Nodes::default();
            if !pack.is_empty() {
                nodes.insert_node(0, pack);
            }
            self.0 = Form::Nodes(Box::new(nodes));
        }
        match &mut self.0 {
            Form::Nodes(nodes) => nodes,
            Form::Packed(_) => unreachable!("made nodes just above"),
        }
    }
}

impl Nodes {
    /// Begins a node that more elements will follow. In a longer list it has its whole room from the start: what nodes
    /// leave behind by growing are holes in memory that no later node fits into.
    fn insert_end(&mut self, at: usize, entry: Entry<'_>, limits: &PackedLimits) {
        let mut pack = match node_bytes(limits) {
            Some(bytes) if self.packs.len() >= WHOLE_FROM => Listpack::with_room(bytes),
            _ => Listpack::new(),
        };
        pack.push_back(entry);
        self.insert_node(at, pack);
    }

    /// Adds an element in front where the first node is small and has room for it; whether it did.
    fn push_into_first(&mut self, value: &[u8], limits: &PackedLimits) -> bool {
        let Some(first) = self.packs.front_mut() else {
            return false;
        };
        let end = first.end();
        let fits = within(end + value.len() + MAX_OVERHEAD, first.len() + 1, limits);
        if end >= FRONT_BYTES || !fits {
            return false;
        }
        let before = first.memory_bytes();
        first.push_front(Entry::from(value));
        self.bytes += first.memory_bytes() - before;
        self.len += 1;
        true
    }

    /// Moves the elements of the first node into the second one, where that has room for them.
    fn merge_front(&mut self, limits: &PackedLimits) {
        let (Some(first), Some(second)) = (self.packs.front(), self.packs.get(1)) else {
            return;
        };
        let bytes = first.end() + second.end();
        if !within(bytes, first.len() + second.len(), limits) {
            return;
        }
        let first = self.packs.pop_front().unwrap_or_default();
        self.len -= first.len();
        self.bytes -= first.memory_bytes();
        let whole = node_bytes(limits).filter(|_| self.packs.len() >= WHOLE_FROM);
        self.edit(0, |second| {
            if let Some(bytes) = whole.filter(|bytes| second.memory_bytes() < *bytes) {
                let mut roomy = Listpack::with_room(bytes);
                roomy.prepend(second);
                *second = roomy;
            }
            second.prepend(&first);
        });
    }

    fn insert_node(&mut self, at: usize, node: Listpack) {
        self.len += node.len();
        self.bytes += node.memory_bytes();
        self.packs.insert(at.min(self.packs.len()), node);
    }

    fn edit<T: Default>(&mut self, node: usize, change: impl FnOnce(&mut Listpack) -> T) -> T {
        if node == self.packs.len() {
            self.packs.push_back(Listpack::new());
        }
        let Some(node) = self.packs.get_mut(node) else {
            return T::default();
        };
        self.len -= node.len();
        self.bytes -= node.memory_bytes();
        let result = change(node);
        self.len += node.len();
        self.bytes += node.memory_bytes();
        result
    }
}

fn single(entry: Entry<'_>) -> Listpack {
    let mut pack = Listpack::new();
    pack.push_back(entry);
    pack
}

/// Nodes limited by their number of elements are limited to this many bytes as well.
const MAX_COUNTED_BYTES: usize = 8 * 1024;

/// Whether a node may hold `entry` beside what it holds, `more` elements more than now.
#[inline]
fn fits(pack: &Listpack, entry: &Entry<'_>, more: usize, limits: &PackedLimits) -> bool {
    let bytes = pack.end() + entry.encoded_len();
    within(bytes, pack.len() + more, limits)
}

/// Whether a node may hold so many bytes of so many elements.
fn within(bytes: usize, elements: usize, limits: &PackedLimits) -> bool {
    if let Some(most) = node_bytes(limits) {
        return bytes <= most;
    }
    let most = limits.list_max_listpack_size as usize;
    bytes <= MAX_COUNTED_BYTES && elements <= most.max(1)
}

/// What the elements of a node may take, where that and not their number is limited: with the headers of the listpack and of
/// the allocator it is a power of two, so that nodes fill the place of a freed buffer without a rest.
fn node_bytes(limits: &PackedLimits) -> Option<usize> {
    const HEADERS: usize = 16;
    let size = limits.list_max_listpack_size;
    (size < 0).then(|| (4096 << (size.max(-5).unsigned_abs() - 1)) - HEADERS)
}

/// The indexes of the elements equal to `value`.
fn matching<'a>(
    elements: impl Iterator<Item = Element<'a>>,
    value: &[u8],
) -> impl Iterator<Item = usize> {
    elements
        .enumerate()
        .filter(move |(_, element)| **element == *value)
        .map(|(index, _)| index)
}

/// The nodes of a list, whatever its form.
#[derive(Clone, Copy, Debug)]
struct View<'a> {
    front: &'a [Listpack],
    back: &'a [Listpack],
    elements: usize,
}

/// A position in a node.
#[derive(Clone, Copy, Debug)]
struct Place {
    node: usize,
    position: usize,
}

impl<'a> View<'a> {
    fn len(self) -> usize {
        self.front.len() + self.back.len()
    }

    fn node(self, node: usize) -> Option<&'a Listpack> {
        match node.checked_sub(self.front.len()) {
            None => self.front.get(node),
            Some(node) => self.back.get(node),
        }
    }

    fn nodes(self) -> impl DoubleEndedIterator<Item = &'a Listpack> {
        self.front.iter().chain(self.back)
    }

    /// Behind the last element.
    fn end(self) -> Place {
        let node = self.len().saturating_sub(1);
        let position = self.node(node).map_or(0, Listpack::end);
        Place { node, position }
    }

    /// Where an element is, found from the nearer end of the list; its end if there is none.
    fn place(self, index: usize) -> Place {
        if index >= self.elements {
            return self.end();
        }
        if index < self.elements / 2 {
            let mut rest = index;
            for (node, pack) in self.nodes().enumerate() {
                if rest < pack.len() {
                    let position = pack.seek(rest);
                    return Place { node, position };
                }
                rest -= pack.len();
            }
        }
        let mut behind = self.elements - index;
        let mut node = self.len();
        for pack in self.nodes().rev() {
            node -= 1;
            if behind <= pack.len() {
                let position = pack.seek(pack.len() - behind);
                return Place { node, position };
            }
            behind -= pack.len();
        }
        self.end()
    }
}

/// Elements of a list.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    view: View<'a>,
    start: Place,
    end: Place,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        self.left = self.left.checked_sub(1)?;
        let mut pack = self.view.node(self.start.node)?;
        if self.start.position == pack.end() {
            self.start = Place {
                node: self.start.node + 1,
                position: 0,
            };
            pack = self.view.node(self.start.node)?;
        }
        let element = pack.at(self.start.position)?;
        self.start.position = pack.next(self.start.position);
        Some(element.into())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.end.position == 0 {
            let node = self.end.node.checked_sub(1)?;
            let position = self.view.node(node)?.end();
            self.end = Place { node, position };
        }
        let pack = self.view.node(self.end.node)?;
        self.end.position = pack.previous(self.end.position);
        pack.at(self.end.position).map(Element::from)
    }
}

impl ExactSizeIterator for Iter<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{List, Side};
    use crate::value::PackedLimits;

    fn check(list: &List, model: &[Vec<u8>]) -> Result<(), TestCaseError> {
        prop_assert_eq!(list.len(), model.len());
        prop_assert!(
            list.iter()
                .map(|element| element.to_vec())
                .eq(model.iter().cloned())
        );
        prop_assert!(
            list.iter()
                .rev()
                .map(|element| element.to_vec())
                .eq(model.iter().rev().cloned())
        );
        for index in 0..=model.len() {
            prop_assert_eq!(
                list.get(index).map(|element| element.to_vec()),
                model.get(index).cloned()
            );
        }
        Ok(())
    }

    /// Few distinct elements, so that values repeat; some longer than a small node.
    fn element() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            8 => (0u8..12).prop_map(|value| value.to_string().into_bytes()),
            2 => (100usize..400).prop_map(|len| vec![b'x'; len]),
            2 => (1000usize..5000).prop_map(|len| vec![b'x'; len]),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_vector(
            size in prop_oneof![Just(-2i64), Just(-1), Just(0), Just(1), Just(3)],
            steps in proptest::collection::vec(
                (0u8..10, any::<prop::sample::Index>(), any::<prop::sample::Index>(), element()), 1..120),
        ) {
            let limits = PackedLimits { list_max_listpack_size: size, ..PackedLimits::default() };
            let (mut list, mut model) = (List::new(), Vec::<Vec<u8>>::new());
            for (step, index, other, element) in steps {
                let (at, count) = (index.index(model.len() + 1), other.index(4));
                match step {
                    0 | 1 => { list.push_back(&element, &limits); model.push(element); }
                    2 | 3 => { list.push_front(&element, &limits); model.insert(0, element); }
                    4 => {
                        let popped = list.pop_front().map(|blob| blob.to_vec());
                        prop_assert_eq!(popped, (!model.is_empty()).then(|| model.remove(0)));
                        let popped = list.pop_back().map(|blob| blob.to_vec());
                        prop_assert_eq!(popped, model.pop());
                    }
                    5 => {
                        prop_assert_eq!(list.set(at, &element, &limits), at < model.len());
                        if let Some(old) = model.get_mut(at) { *old = element; }
                    }
                    6 => {
                        let pivot = model.get(other.index(model.len() + 1)).cloned().unwrap_or_default();
                        let found = model.iter().position(|other| *other == pivot);
                        let (side, behind) = if at % 2 == 0 { (Side::Before, 0) } else { (Side::After, 1) };
                        prop_assert_eq!(list.insert_beside(side, &pivot, &element, &limits), found.is_some());
                        if let Some(found) = found { model.insert(found + behind, element); }
                    }
                    7 => {
                        let mut left = count;
                        let before = model.len();
                        model.retain(|other| *other != element || left == 0 || { left -= 1; false });
                        prop_assert_eq!(list.remove_first(&element, count), before - model.len());
                    }
                    8 => {
                        let mut left = count;
                        let before = model.len();
                        model.reverse();
                        model.retain(|other| *other != element || left == 0 || { left -= 1; false });
                        model.reverse();
                        prop_assert_eq!(list.remove_last(&element, count), before - model.len());
                    }
                    _ => {
                        let range = count.min(at)..at + 20;
                        list.trim(range.clone());
                        model = model.into_iter().skip(range.start).take(range.len()).collect();
                    }
                }
                check(&list, &model)?;
                let range = count..at;
                let expected: Vec<_> = model.iter().skip(range.start).take(range.len()).cloned().collect();
                prop_assert!(list.range(range.clone()).map(|e| e.to_vec()).eq(expected.iter().cloned()));
                prop_assert!(list.range(range).rev().map(|e| e.to_vec()).eq(expected.iter().rev().cloned()));
            }
            let copy = list.clone();
            prop_assert!(copy.memory_bytes() < 200_000 + model.len() * 6000);
            for _ in 0..model.len() { list.pop_back(); }
            prop_assert!(list.is_empty());
        }
    }

    #[test]
    fn a_million_short_elements_take_seventeen_bytes_each() {
        let (mut list, limits) = (List::new(), PackedLimits::default());
        for index in 0..1_000_000 {
            list.push_back(format!("element:{index}").as_bytes(), &limits);
        }
        assert!(list.memory_bytes() <= 17_000_000, "{}", list.memory_bytes());
        let middle = list.range(500_000..500_001).next();
        assert_eq!(
            middle.map(|element| element.to_vec()),
            Some(b"element:500000".to_vec())
        );
    }

    #[test]
    fn a_list_grown_in_front_is_as_small_as_one_grown_behind() {
        let limits = PackedLimits::default();
        let (mut front, mut back) = (List::new(), List::new());
        for number in 0..100_000 {
            let element = number.to_string();
            front.push_front(element.as_bytes(), &limits);
            back.push_back(element.as_bytes(), &limits);
        }
        let texts = front.iter().rev().map(|element| element.to_vec());
        assert!(texts.eq(back.iter().map(|element| element.to_vec())));
        let (front, back) = (front.memory_bytes(), back.memory_bytes());
        // A node may lack what the next one in front takes.
        assert!(front <= back + back / 25, "{front} and {back} bytes");
    }
}
