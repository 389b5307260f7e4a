//! The set value.

use super::bytes::Blob;
use super::element::{Element, canonical_integer};
use super::intset::IntSet;
use super::packed::{Entry, Listpack};
use super::rng::Rng;
use super::table::{Steps, Table};
use super::{PackedLimits, allocated};

/// A set of byte strings: integers packed and sorted, a listpack, or a hash table.
///
/// ```
/// use server::value::{PackedLimits, Set};
///
/// let (mut set, limits) = (Set::new(), PackedLimits::default());
/// assert!(set.insert(b"17", &limits));
/// assert_eq!(set.encoding(), "intset");
/// assert!(set.insert(b"apple", &limits));
/// assert_eq!((set.len(), set.encoding()), (2, "hashtable"));
/// ```
#[derive(Clone, Debug)]
pub struct Set(Form);

/// The rarer form is behind the same pointer as the table, which keeps a set at 16 bytes.
#[derive(Clone, Debug)]
enum Form {
    Integers(IntSet),
    Members(Box<Members>),
}

#[derive(Clone, Debug)]
enum Members {
    Packed(Listpack),
    Table(Table<()>),
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl Set {
    /// An empty set.
    pub fn new() -> Self {
        Self(Form::Integers(IntSet::new()))
    }

    /// The table that a lookup goes through, if it does.
    pub fn steps(&self) -> Option<&dyn Steps> {
        match &self.0 {
            Form::Members(members) => match &**members {
                Members::Table(table) => Some(table),
                Members::Packed(_) => None,
            },
            Form::Integers(_) => None,
        }
    }

    /// The number of members. O(1).
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Integers(ints) => ints.len(),
            Form::Members(members) => match &**members {
                Members::Packed(pack) => pack.len(),
                Members::Table(table) => table.len(),
            },
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a member; whether it is new. O(1) once large.
    pub fn insert(&mut self, member: &[u8], limits: &PackedLimits) -> bool {
        if let Form::Integers(ints) = &mut self.0 {
            if let Some(value) = canonical_integer(member) {
                let new = ints.insert(value);
                if ints.len() > limits.set_max_intset_entries {
                    self.leave_integers(0, limits);
                }
                return new;
            }
            self.leave_integers(member.len(), limits);
        }
        let Form::Members(members) = &mut self.0 else {
            return false;
        };
        if let Members::Packed(pack) = &mut **members {
            let entry = Entry::from(member);
            if pack.find(entry, 0, 1).is_some() {
                return false;
            }
            if pack.len() < limits.set_max_listpack_entries
                && member.len() <= limits.set_max_listpack_value
                && pack.has_room_for(member.len())
            {
                pack.push_back(entry);
                return true;
            }
            **members = Members::Table(table_of(pack.iter()));
        }
        match &mut **members {
            Members::Table(table) => table.insert(Blob::from(member), ()).is_none(),
            Members::Packed(_) => false,
        }
    }

    /// Removes a member; whether it was there. O(1) once large.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Form::Integers(ints) => {
                canonical_integer(member).is_some_and(|value| ints.remove(value))
            }
            Form::Members(members) => match &mut **members {
                Members::Packed(pack) => {
                    let found = pack.find(Entry::from(member), 0, 1);
                    found.map(|position| pack.remove(position, 1)).is_some()
                }
                Members::Table(table) => table.remove(member).is_some(),
            },
        }
    }

    /// Whether `member` is in the set. O(1) once large.
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Form::Integers(ints) => {
                canonical_integer(member).is_some_and(|value| ints.contains(value))
            }
            Form::Members(members) => match &**members {
                Members::Packed(pack) => pack.find(Entry::from(member), 0, 1).is_some(),
                Members::Table(table) => table.contains(member),
            },
        }
    }

    /// All members: integers in order, others in no order that means anything.
    pub fn iter(&self) -> Iter<'_> {
        Iter(match &self.0 {
            Form::Integers(ints) => IterForm::Integers(ints, 0),
            Form::Members(members) => match &**members {
                Members::Packed(pack) => IterForm::Packed(pack.iter()),
                Members::Table(table) => IterForm::Table(table, 0),
            },
        })
    }

    /// The member at a place `0..len()` that stays the same until the set changes: for sampling
    /// without repetition. O(1), but for the listpack form.
    pub fn at(&self, index: usize) -> Option<Element<'_>> {
        match &self.0 {
            Form::Integers(ints) => ints.at(index).map(Element::from),
            Form::Members(members) => match &**members {
                Members::Packed(pack) => pack.at(pack.seek(index)).map(Element::from),
                Members::Table(table) => {
                    Some(Element::from(&**table.at(u32::try_from(index).ok()?)?.0))
                }
            },
        }
    }

    /// A random member, all equally likely.
    pub fn random(&self, rng: &mut Rng) -> Option<Element<'_>> {
        self.at(rng.below(self.len()))
    }

    /// Takes a random member out. O(1) once large.
    pub fn pop(&mut self, rng: &mut Rng) -> Option<Blob> {
        if let Form::Members(members) = &mut self.0
            && let Members::Table(table) = &mut **members
        {
            let id = table.random(rng)?;
            return table.remove_at(id).map(|removed| removed.key);
        }
        let member = self.random(rng)?.to_blob();
        self.remove(&member);
        Some(member)
    }

    /// Visits about `count` members and returns the next cursor; see [`Table::scan`]. A packed set
    /// is visited whole.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8])) -> u64 {
        if let Form::Members(members) = &self.0
            && let Members::Table(table) = &**members
        {
            return table.scan(cursor, count, |member, ()| visit(member));
        }
        self.iter().for_each(|member| visit(&member));
        0
    }

    /// The name OBJECT ENCODING gives: `intset`, `listpack` or `hashtable`.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Integers(_) => "intset",
            Form::Members(members) => match &**members {
                Members::Packed(_) => "listpack",
                Members::Table(_) => "hashtable",
            },
        }
    }

    /// The heap bytes behind it. O(1).
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Integers(ints) => ints.memory_bytes(),
            Form::Members(members) => {
                allocated(size_of::<Members>())
                    + match &**members {
                        Members::Packed(pack) => pack.memory_bytes(),
                        Members::Table(table) => table.memory_bytes(),
                    }
            }
        }
    }

    /// Turns integers into a listpack if that may hold them and one more member of `longest`
    /// bytes, else into a table.
    fn leave_integers(&mut self, longest: usize, limits: &PackedLimits) {
        let Form::Integers(ints) = &self.0 else {
            return;
        };
        let longest = [ints.at(0), ints.iter().next_back()]
            .into_iter()
            .flatten()
            .map(|value| Element::from(value).len())
            .fold(longest, usize::max);
        let members = ints.iter().map(Element::from);
        let members = if ints.len() < limits.set_max_listpack_entries
            && longest <= limits.set_max_listpack_value
        {
            let mut pack = Listpack::new();
            members.for_each(|member| pack.push_back(Entry::from(&*member)));
            Members::Packed(pack)
        } else {
            Members::Table(table_of(members))
        };
        self.0 = Form::Members(Box::new(members));
    }
}

fn table_of<'a>(members: impl Iterator<Item = Element<'a>>) -> Table<()> {
    let mut table = Table::new();
    for member in members {
        table.insert(member.to_blob(), ());
    }
    table
}

/// Members of a set.
#[derive(Clone, Debug)]
pub struct Iter<'a>(IterForm<'a>);

#[derive(Clone, Debug)]
enum IterForm<'a> {
    Integers(&'a IntSet, usize),
    Packed(super::packed::Iter<'a>),
    Table(&'a Table<()>, u32),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        match &mut self.0 {
            IterForm::Integers(ints, index) => {
                let value = ints.at(*index)?;
                *index += 1;
                Some(Element::from(value))
            }
            IterForm::Packed(iter) => iter.next(),
            IterForm::Table(table, id) => {
                let (member, ()) = table.at(*id)?;
                *id += 1;
                Some(Element::from(&**member))
            }
        }
    }

    /// O(1) but for the listpack form.
    fn nth(&mut self, n: usize) -> Option<Element<'a>> {
        match &mut self.0 {
            IterForm::Integers(_, index) => *index = index.saturating_add(n),
            IterForm::Packed(iter) => return iter.nth(n),
            IterForm::Table(_, id) => {
                *id = id.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
            }
        }
        self.next()
    }
}
