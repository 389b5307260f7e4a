//! The hash value.

use super::bytes::Blob;
use super::element::Element;
use super::packed::{Entry, Listpack};
use super::rng::Rng;
use super::table::{Steps, Table};
use super::{PackedLimits, allocated};

/// A map from fields to values: a listpack of both by turns, or a hash table.
///
/// ```
/// use server::value::{Hash, PackedLimits};
///
/// let (mut hash, limits) = (Hash::new(), PackedLimits::default());
/// assert!(hash.insert(b"name", b"Ada", &limits));
/// assert!(!hash.insert(b"name", b"Grace", &limits));
/// assert_eq!(hash.get(b"name").map(|value| value.to_vec()), Some(b"Grace".to_vec()));
/// assert_eq!(hash.encoding(), "listpack");
/// ```
#[derive(Clone, Debug)]
pub struct Hash(Form);

#[derive(Clone, Debug)]
enum Form {
    Packed(Listpack),
    Table(Box<Fields>),
}

#[derive(Clone, Debug)]
struct Fields {
    table: Table<Blob>,
    /// Heap bytes behind the values.
    values_bytes: usize,
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl Hash {
    /// An empty hash.
    pub fn new() -> Self {
        Self(Form::Packed(Listpack::new()))
    }

    /// The table that a lookup goes through, if it does.
    pub fn steps(&self) -> Option<&dyn Steps> {
        match &self.0 {
            Form::Table(fields) => Some(&fields.table),
            Form::Packed(_) => None,
        }
    }

    /// The number of fields. O(1).
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Packed(pack) => pack.len() / 2,
            Form::Table(fields) => fields.table.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `field`. O(1) once large.
    pub fn get(&self, field: &[u8]) -> Option<Element<'_>> {
        match &self.0 {
            Form::Packed(pack) => {
                let position = pack.find(Entry::from(field), 0, 2)?;
                pack.behind(position).map(Element::from)
            }
            Form::Table(fields) => fields.table.get(field).map(|value| Element::from(&**value)),
        }
    }

    /// Whether there is such a field. O(1) once large.
    pub fn contains(&self, field: &[u8]) -> bool {
        match &self.0 {
            Form::Packed(pack) => pack.find(Entry::from(field), 0, 2).is_some(),
            Form::Table(fields) => fields.table.contains(field),
        }
    }

    /// Sets a field; whether it is new. O(1) once large.
    pub fn insert(&mut self, field: &[u8], value: &[u8], limits: &PackedLimits) -> bool {
        if let Form::Packed(pack) = &mut self.0 {
            if field.len().max(value.len()) <= limits.hash_max_listpack_value
                && pack.has_room_for(field.len() + value.len())
            {
                let found = pack.find(Entry::from(field), 0, 2);
                if let Some(position) = found {
                    pack.replace(pack.next(position), Entry::from(value));
                    // The limit may have been lowered meanwhile.
                    if pack.len() / 2 > limits.hash_max_listpack_entries {
                        self.unpack();
                    }
                    return false;
                }
                if pack.len() / 2 < limits.hash_max_listpack_entries {
                    pack.push_all([field, value].map(Entry::from));
                    return true;
                }
            }
            self.unpack();
        }
        match &mut self.0 {
            Form::Table(fields) => fields.insert(field, Blob::from(value)),
            Form::Packed(_) => false,
        }
    }

    fn unpack(&mut self) {
        let mut fields = Fields {
            table: Table::new(),
            values_bytes: 0,
        };
        for (field, value) in self.iter() {
            fields.insert(&field, value.to_blob());
        }
        self.0 = Form::Table(Box::new(fields));
    }

    /// Removes a field; whether it was there. O(1) once large.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.0 {
            Form::Packed(pack) => {
                let found = pack.find(Entry::from(field), 0, 2);
                found.map(|position| pack.remove(position, 2)).is_some()
            }
            Form::Table(fields) => match fields.table.remove(field) {
                Some(removed) => {
                    fields.values_bytes -= removed.value.memory_bytes();
                    true
                }
                None => false,
            },
        }
    }

    /// All fields with their values: in the order of insertion while packed.
    pub fn iter(&self) -> Iter<'_> {
        Iter(match &self.0 {
            Form::Packed(pack) => IterForm::Packed(pack.iter()),
            Form::Table(fields) => IterForm::Table(&fields.table, 0),
        })
    }

    /// The field at a place `0..len()` that stays the same until the hash changes: for sampling
    /// without repetition. O(1) once large.
    pub fn at(&self, index: usize) -> Option<(Element<'_>, Element<'_>)> {
        match &self.0 {
            Form::Packed(pack) => {
                let position = pack.seek(index.checked_mul(2)?);
                let value = pack.next(position);
                Some((pack.at(position)?.into(), pack.at(value)?.into()))
            }
            Form::Table(fields) => {
                let (field, value) = fields.table.at(u32::try_from(index).ok()?)?;
                Some((Element::from(&**field), Element::from(&**value)))
            }
        }
    }

    /// A random field, all equally likely. O(1) once large.
    pub fn random(&self, rng: &mut Rng) -> Option<(Element<'_>, Element<'_>)> {
        self.at(rng.below(self.len()))
    }

    /// Visits about `count` fields and returns the next cursor; see [`Table::scan`]. A packed hash
    /// is visited whole.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], &[u8])) -> u64 {
        if let Form::Table(fields) = &self.0 {
            return fields
                .table
                .scan(cursor, count, |field, value| visit(field, value));
        }
        self.iter().for_each(|(field, value)| visit(&field, &value));
        0
    }

    /// The name OBJECT ENCODING gives: `listpack` or `hashtable`.
    pub const fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Packed(_) => "listpack",
            Form::Table(_) => "hashtable",
        }
    }

    /// The heap bytes behind it. O(1).
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(pack) => pack.memory_bytes(),
            Form::Table(fields) => {
                allocated(size_of::<Fields>()) + fields.table.memory_bytes() + fields.values_bytes
            }
        }
    }
}

impl Fields {
    /// Sets a field; whether it is new.
    fn insert(&mut self, field: &[u8], value: Blob) -> bool {
        self.values_bytes += value.memory_bytes();
        if let Some(old) = self.table.get_mut(field) {
            self.values_bytes -= old.memory_bytes();
            *old = value;
            return false;
        }
        self.table.insert(Blob::from(field), value).is_none()
    }
}

/// Fields of a hash with their values.
#[derive(Clone, Debug)]
pub struct Iter<'a>(IterForm<'a>);

#[derive(Clone, Debug)]
enum IterForm<'a> {
    Packed(super::packed::Iter<'a>),
    Table(&'a Table<Blob>, u32),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, Element<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            IterForm::Packed(iter) => Some((iter.next()?, iter.next()?)),
            IterForm::Table(table, id) => {
                let (field, value) = table.at(*id)?;
                *id += 1;
                Some((Element::from(&**field), Element::from(&**value)))
            }
        }
    }

    /// O(1) once large.
    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        match &mut self.0 {
            IterForm::Packed(iter) => {
                for _ in 0..n {
                    iter.next_entry()?;
                    iter.next_entry()?;
                }
            }
            IterForm::Table(_, id) => {
                *id = id.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
            }
        }
        self.next()
    }
}
