//! The packed form of small collections: a listpack.

use super::allocated;
use super::element::{Element, canonical_integer};

/// A row of byte strings and integers in one allocation; reads in both directions.
///
/// Entries are encoded as Redis' listpack specification (antirez, 2017) has it, so that
/// [`Self::entries`] is what a dump file holds between its header and its end byte; the header here
/// is another, and there may be spare room behind the entries. A canonical integer is stored as
/// one and reads back as its text.
///
/// A *position* is the offset of an entry in [`Self::entries`]; changing the listpack invalidates
/// the positions behind the change.
///
/// ```
/// use server::value::packed::Listpack;
///
/// let mut pack = Listpack::new();
/// pack.push_back(b"a".into());
/// pack.push_back(b"17".into());
/// let texts: Vec<_> = pack.iter().rev().map(|element| element.to_vec()).collect();
/// assert_eq!(texts, [b"17".to_vec(), b"a".to_vec()]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Listpack(
    /// Nothing, or a header, the entries, spare room.
    ///
    /// Up to [`SMALL`] bytes, the header is a byte that holds the number of entries, and spare room is zeros: no entry ends
    /// in one, since a back length does not. Beyond, it is two `u32`s, the bytes of entries and their number.
    Box<[u8]>,
);

/// An entry as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A byte string.
    Bytes(&'a [u8]),
    /// An integer.
    Integer(i64),
}

/// The most bytes, header included, of a listpack with a header of one byte: what is left of an allocation, and few enough
/// that the number of entries fits, which take two bytes at least.
const SMALL: usize = 256 - 8;

/// Bytes of a larger one's header.
const WIDE: usize = 8;

/// No listpack of several entries grows past this many bytes, whatever the limits allow.
const MAX_BYTES: usize = 1 << 30;

impl Listpack {
    /// An empty listpack, which has allocated nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty listpack with room for `bytes` of entries, which it keeps until entries are removed.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        let mut pack = Self::new();
        pack.resize(0, bytes);
        pack
    }

    /// The number of entries. O(1).
    pub fn len(&self) -> usize {
        match self.0.first() {
            Some(len) if self.0.len() <= SMALL => usize::from(*len),
            _ => self.wide_header(4),
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of all entries, encoded.
    pub fn entries(&self) -> &[u8] {
        let header = header_len(self.0.len());
        self.0.get(header..header + self.end()).unwrap_or_default()
    }

    /// The position behind the last entry. O(1), but for a small listpack that much was removed from.
    #[inline]
    pub fn end(&self) -> usize {
        if self.0.len() > SMALL {
            return self.wide_header(0);
        }
        // Spare room is mostly less than 16 bytes.
        if let Some(last) = self.0.last_chunk::<16>() {
            let zeros = u128::from_le_bytes(*last).leading_zeros() as usize / 8;
            if zeros < 16 {
                return self.0.len() - zeros - 1;
            }
        }
        let last = self.0.iter().rposition(|byte| *byte != 0);
        last.unwrap_or_default()
    }

    /// Whether an entry of `bytes` bytes can be added without passing the size any listpack is
    /// kept below.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.end().saturating_add(bytes) < MAX_BYTES
    }

    /// The entry at a position.
    pub fn at(&self, position: usize) -> Option<Entry<'_>> {
        Some(decode(self.entries().get(position..)?)?.0)
    }

    /// The entry behind the one at `position`.
    pub fn behind(&self, position: usize) -> Option<Entry<'_>> {
        let entries = self.entries().get(position..)?;
        let (_, len) = decode(entries)?;
        Some(decode(entries.get(len + back_len_size(len)..)?)?.0)
    }

    /// The position of the entry behind the one at `position`, which is `end()` for the last one.
    pub fn next(&self, position: usize) -> usize {
        let rest = self.entries().get(position..).unwrap_or_default();
        position + decode(rest).map_or(0, |(_, len)| len + back_len_size(len))
    }

    /// The position of the entry in front of the one at `position`, 0 for the first one.
    pub fn previous(&self, position: usize) -> usize {
        before(self.entries(), position)
    }

    /// The position of an entry, or `end()` if there is none. O(n), from the nearer end.
    pub fn seek(&self, index: usize) -> usize {
        let entries = self.entries();
        let behind = self.len().saturating_sub(index);
        if behind < index {
            return (0..behind).fold(entries.len(), |end, _| before(entries, end));
        }
        (0..index.min(self.len())).fold(0, |position, _| self.next(position))
    }

    /// The position of the first entry equal to `needle` among those at `first`, `first + step` …
    /// (indexes). O(n).
    pub fn find(&self, needle: Entry<'_>, first: usize, step: usize) -> Option<usize> {
        let entries = self.entries();
        let (mut position, mut until) = (0, first);
        while let Some((entry, len)) = decode(entries.get(position..)?) {
            if until == 0 {
                if entry == needle {
                    return Some(position);
                }
                until = step;
            }
            until -= 1;
            position += len + back_len_size(len);
        }
        None
    }

    /// All elements, from either end.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.entries())
    }

    /// The elements between two positions, from either end.
    pub fn iter_between(&self, start: usize, end: usize) -> Iter<'_> {
        Iter(self.entries().get(start..end).unwrap_or_default())
    }

    /// Adds an entry behind all others. O(its length), amortised.
    pub fn push_back(&mut self, entry: Entry<'_>) {
        self.insert(self.end(), entry);
    }

    /// Adds entries behind all others, at once. O(their length), amortised.
    pub fn push_all<const N: usize>(&mut self, entries: [Entry<'_>; N]) {
        self.insert_all(self.end(), entries);
    }

    /// Adds an entry in front of all others. O(n).
    pub fn push_front(&mut self, entry: Entry<'_>) {
        self.insert(0, entry);
    }

    /// Inserts an entry in front of the one at `position`. O(n).
    pub fn insert(&mut self, position: usize, entry: Entry<'_>) {
        let entry = encode(&entry);
        let (room, used) = (entry.room(), self.end());
        if header_len(self.0.len()) + used + room > self.0.len() {
            self.resize(used, used + room + spare(used + room));
        }
        let (count, header) = (self.len() + 1, header_len(self.0.len()));
        let at = header + position;
        self.0.copy_within(at..header + used, at + room);
        entry.write(&mut self.0[at..at + room]);
        if header > 1 {
            self.set_wide_header(0, used + room);
        }
        self.set_len(count);
    }

    /// Inserts entries in front of the one at `position`, at once. O(n).
    pub fn insert_all<const N: usize>(&mut self, position: usize, entries: [Entry<'_>; N]) {
        let len = self.len() + N;
        self.splice(position, position, entries);
        self.set_len(len);
    }

    /// Replaces the entry at `position`. O(n).
    pub fn replace(&mut self, position: usize, entry: Entry<'_>) {
        self.splice(position, self.next(position), [entry]);
    }

    /// Removes `count` entries from `position` on. O(n).
    pub fn remove(&mut self, position: usize, count: usize) {
        let end = (0..count).fold(position, |end, _| self.next(end));
        let len = self.len() - count.min(self.len());
        if len == 0 {
            *self = Self::new();
            return;
        }
        self.gap(position, end, 0);
        self.set_len(len);
    }

    /// Adds the entries of another in front. O(n).
    pub fn prepend(&mut self, other: &Self) {
        let len = self.len() + other.len();
        let entries = other.entries();
        self.gap(0, 0, entries.len()).copy_from_slice(entries);
        self.set_len(len);
    }

    /// Splits the entries from `position` on off. O(n).
    #[must_use]
    pub fn split_off(&mut self, position: usize) -> Self {
        let (mut tail, mut count) = (Self::new(), 0);
        let mut at = position;
        while at < self.end() {
            at = self.next(at);
            count += 1;
        }
        if count > 0 {
            let moved = &self.entries()[position..];
            tail.gap(0, 0, moved.len()).copy_from_slice(moved);
            tail.set_len(count);
            self.remove(position, count);
        }
        tail
    }

    /// Gives spare room back.
    pub fn shrink_to_fit(&mut self) {
        let used = self.end();
        self.resize(used, used);
    }

    /// The heap bytes behind it. O(1).
    pub fn memory_bytes(&self) -> usize {
        allocated(self.0.len())
    }

    fn splice<const N: usize>(&mut self, start: usize, end: usize, entries: [Entry<'_>; N]) {
        let entries = entries.each_ref().map(encode);
        let room = entries.iter().map(Encoded::room).sum();
        let mut rest = self.gap(start, end, room);
        for entry in entries {
            let (room, behind) = rest.split_at_mut(entry.room());
            entry.write(room);
            rest = behind;
        }
    }

    /// Puts `room` bytes, yet to be written, in the place of the entries from `start` to `end`.
    fn gap(&mut self, start: usize, end: usize, room: usize) -> &mut [u8] {
        let used = self.end();
        let new = used - (end - start) + room;
        if new == used {
            let header = header_len(self.0.len());
            return &mut self.0[header + start..header + end];
        }
        if header_len(self.0.len()) + new > self.0.len() {
            self.resize(used, new + spare(new));
        }
        let header = header_len(self.0.len());
        if end < used {
            let moved = header + end..header + used;
            self.0.copy_within(moved, header + start + room);
        }
        if header > 1 {
            self.set_wide_header(0, new);
        } else if new < used {
            self.0[header + new..header + used].fill(0);
        }
        if new < used && header + new + 2 * spare(new) + 64 < self.0.len() {
            self.resize(new, new + spare(new));
        }
        let header = header_len(self.0.len());
        &mut self.0[header + start..header + start + room]
    }

    /// Reallocates to room for at least `room` bytes of entries; `used` are in use.
    fn resize(&mut self, used: usize, room: usize) {
        // The allocator rounds up to this anyway.
        let bytes = |header| allocated(header + room) - 8;
        let small = bytes(1) <= SMALL;
        let bytes = bytes(if small { 1 } else { WIDE });
        let (old, new) = (header_len(self.0.len()), header_len(bytes));
        let len = self.len();
        let mut storage = std::mem::take(&mut self.0).into_vec();
        if old == new || storage.is_empty() {
            storage.truncate(bytes);
            storage.reserve_exact(bytes - storage.len());
            storage.resize(bytes, 0);
            self.0 = storage.into_boxed_slice();
        } else {
            let mut other = vec![0; bytes];
            if let Some(entries) = storage.get(old..old + used) {
                other[new..new + used].copy_from_slice(entries);
            }
            self.0 = other.into_boxed_slice();
            self.set_len(len);
        }
        if new > 1 {
            self.set_wide_header(0, used);
        }
    }

    fn set_len(&mut self, len: usize) {
        if self.0.len() <= SMALL {
            self.0[0] = len as u8;
        } else {
            self.set_wide_header(4, len);
        }
    }

    fn wide_header(&self, offset: usize) -> usize {
        self.0
            .get(offset..)
            .and_then(|bytes| bytes.first_chunk())
            .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
    }

    fn set_wide_header(&mut self, offset: usize, value: usize) {
        debug_assert!(u32::try_from(value).is_ok());
        self.0[offset..offset + 4].copy_from_slice(&(value as u32).to_le_bytes());
    }
}

/// What an entry takes in a listpack beside its bytes, at most: its head, and its length behind it.
pub const MAX_OVERHEAD: usize = 5 + 5;

/// Bytes of the header of a listpack of this many bytes.
const fn header_len(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=SMALL => 1,
        _ => WIDE,
    }
}

/// Spare room for `bytes` of entries: enough that appending does not reallocate at every turn.
const fn spare(bytes: usize) -> usize {
    if bytes < 256 {
        0
    } else if bytes < 8 * 1024 {
        bytes / 8
    } else {
        1024
    }
}

impl<'a> From<&'a [u8]> for Entry<'a> {
    /// How `bytes` are stored: as an integer if they are the canonical text of one.
    fn from(bytes: &'a [u8]) -> Self {
        canonical_integer(bytes).map_or(Self::Bytes(bytes), Self::Integer)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Entry<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<'a> From<Entry<'a>> for Element<'a> {
    fn from(entry: Entry<'a>) -> Self {
        match entry {
            Entry::Bytes(bytes) => Self::from(bytes),
            Entry::Integer(value) => Self::from(value),
        }
    }
}

impl Entry<'_> {
    /// The bytes it takes in a listpack.
    pub fn encoded_len(&self) -> usize {
        encode(self).room()
    }
}

/// Elements of a listpack.
#[derive(Clone, Debug)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iter<'a> {
    /// The next entry as it is stored.
    pub fn next_entry(&mut self) -> Option<Entry<'a>> {
        let (entry, len) = decode(self.0)?;
        self.0 = self.0.get(len + back_len_size(len)..).unwrap_or_default();
        Some(entry)
    }

    /// The last entry as it is stored.
    pub fn next_back_entry(&mut self) -> Option<Entry<'a>> {
        let start = before(self.0, self.0.len());
        let (entry, _) = decode(&self.0[start..])?;
        self.0 = &self.0[..start];
        Some(entry)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        self.next_entry().map(Element::from)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.next_back_entry().map(Element::from)
    }
}

/// An entry as it is written: `entry = head body back-length`.
struct Encoded<'a> {
    head: [u8; 9],
    head_len: usize,
    body: &'a [u8],
}

impl Encoded<'_> {
    /// The bytes of head and body.
    const fn len(&self) -> usize {
        self.head_len + self.body.len()
    }

    /// The bytes of all of it.
    const fn room(&self) -> usize {
        self.len() + back_len_size(self.len())
    }

    /// Writes it where there are as many bytes.
    fn write(&self, room: &mut [u8]) {
        // Most entries: bytes whose number fits into a byte of head, and into one behind them.
        if let ([head, body @ .., back_len], 1, len @ 0..128) =
            (&mut *room, self.head_len, self.len())
        {
            (*head, *back_len) = (self.head[0], len as u8);
            body.copy_from_slice(self.body);
            return;
        }
        let (head, rest) = room.split_at_mut(self.head_len);
        head.copy_from_slice(&self.head[..self.head_len]);
        let (body, back_len) = rest.split_at_mut(self.body.len());
        body.copy_from_slice(self.body);
        write_back_len(back_len, self.len());
    }
}

/// How an entry is written. The head of a string holds its length (6, 12 or 32 bits), that of
/// an integer the integer (7 bits unsigned, or 13, 16, 24, 32 or 64 signed, least significant byte
/// first but for the 13-bit form).
fn encode<'a>(entry: &Entry<'a>) -> Encoded<'a> {
    let mut head = [0; 9];
    let mut put = |bytes: &[u8]| {
        head[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    };
    let (head_len, body) = match *entry {
        Entry::Bytes(bytes) => {
            let len = bytes.len();
            let head_len = match len {
                0..64 => put(&[0x80 | len as u8]),
                64..4096 => put(&[0xe0 | (len >> 8) as u8, len as u8]),
                _ => {
                    let [a, b, c, d] = (len as u32).to_le_bytes();
                    put(&[0xf0, a, b, c, d])
                }
            };
            (head_len, bytes)
        }
        Entry::Integer(value) => {
            let [a, b, c, d, ..] = value.to_le_bytes();
            let head_len = match value {
                0..128 => put(&[a]),
                -4096..4096 => put(&[0xc0 | (b & 0x1f), a]),
                -0x8000..0x8000 => put(&[0xf1, a, b]),
                -0x80_0000..0x80_0000 => put(&[0xf2, a, b, c]),
                -0x8000_0000..0x8000_0000 => put(&[0xf3, a, b, c, d]),
                _ => {
                    put(&[0xf4]);
                    head[1..].copy_from_slice(&value.to_le_bytes());
                    9
                }
            };
            (head_len, &[][..])
        }
    };
    Encoded {
        head,
        head_len,
        body,
    }
}

/// The entry that `bytes` begin with, and the length of its head and body.
fn decode(bytes: &[u8]) -> Option<(Entry<'_>, usize)> {
    let string = |head: usize, len: usize| {
        let body = bytes.get(head..head + len)?;
        Some((Entry::Bytes(body), head + len))
    };
    let integer = |value: i64, len: usize| Some((Entry::Integer(value), len));
    match *bytes {
        [a @ 0..=0x7f, ..] => integer(i64::from(a), 1),
        [a @ 0x80..=0xbf, ..] => string(1, usize::from(a & 0x3f)),
        [a @ 0xc0..=0xdf, b, ..] => {
            let unsigned = u16::from_be_bytes([a & 0x1f, b]);
            integer(i64::from((unsigned << 3) as i16 >> 3), 2)
        }
        [a @ 0xe0..=0xef, b, ..] => string(2, usize::from(u16::from_be_bytes([a & 0x0f, b]))),
        [0xf0, a, b, c, d, ..] => string(5, u32::from_le_bytes([a, b, c, d]) as usize),
        [0xf1, a, b, ..] => integer(i64::from(i16::from_le_bytes([a, b])), 3),
        [0xf2, a, b, c, ..] => integer(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8), 4),
        [0xf3, a, b, c, d, ..] => integer(i64::from(i32::from_le_bytes([a, b, c, d])), 5),
        [0xf4, a, b, c, d, e, f, g, h, ..] => {
            integer(i64::from_le_bytes([a, b, c, d, e, f, g, h]), 9)
        }
        _ => None,
    }
}

/// Bytes of the back length of a head and body of `len` bytes.
const fn back_len_size(len: usize) -> usize {
    match len {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// `back-length = *(7 bits each, most significant first; all bytes but the first with the high bit)`,
/// so that it can be read from its end.
fn write_back_len(room: &mut [u8], len: usize) {
    let mut rest = len;
    for (index, byte) in room.iter_mut().enumerate().rev() {
        *byte = (rest & 0x7f) as u8 | if index > 0 { 0x80 } else { 0 };
        rest >>= 7;
    }
}

/// The position of the entry that ends at `end`.
fn before(entries: &[u8], end: usize) -> usize {
    let mut len = 0;
    let mut size = 0;
    for byte in entries[..end].iter().rev().take(5) {
        len |= usize::from(byte & 0x7f) << (7 * size);
        size += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    end.saturating_sub(len + size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Entry, Listpack};

    fn texts(pack: &Listpack) -> Vec<Vec<u8>> {
        pack.iter().map(|element| element.to_vec()).collect()
    }

    /// Byte strings of every head form, and integers of every width.
    fn element() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => proptest::collection::vec(any::<u8>(), 0..70),
            1 => (0usize..20_000).prop_map(|len| vec![b'x'; len]),
            4 => (any::<i64>(), 0u32..64).prop_map(|(value, by)| (value >> by).to_string().into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_vector(
            steps in proptest::collection::vec((0u8..6, any::<prop::sample::Index>(), element()), 1..60),
        ) {
            let mut pack = Listpack::new();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for (step, index, element) in steps {
                let at = index.index(model.len() + 1);
                let position = pack.seek(at);
                let existing = at < model.len();
                match step {
                    0 => { pack.push_back(Entry::from(&*element)); model.push(element); }
                    1 => { pack.push_front(Entry::from(&*element)); model.insert(0, element); }
                    2 => { pack.insert(position, Entry::from(&*element)); model.insert(at, element); }
                    3 if existing => { pack.replace(position, Entry::from(&*element)); model[at] = element; }
                    4 if existing => { pack.remove(position, 1); model.remove(at); }
                    5 => {
                        let tail = pack.split_off(position);
                        let expected = model.split_off(at);
                        prop_assert_eq!(tail.len(), expected.len());
                        prop_assert_eq!(texts(&tail), expected);
                    }
                    _ => {}
                }
                prop_assert_eq!(pack.len(), model.len());
                prop_assert_eq!(&texts(&pack), &model);
                let mut backward: Vec<_> = pack.iter().rev().map(|e| e.to_vec()).collect();
                backward.reverse();
                prop_assert_eq!(&backward, &model);
                for needle in &model {
                    let found = pack.find(Entry::from(&**needle), 0, 1);
                    let first = model.iter().position(|other| other == needle);
                    prop_assert_eq!(found, first.map(|index| pack.seek(index)));
                }
            }
            pack.shrink_to_fit();
            prop_assert_eq!(&texts(&pack), &model);
        }
    }

    #[test]
    fn is_encoded_as_the_specification_has_it() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"127", &[0x7f, 1]),
            (b"-1", &[0xdf, 0xff, 2]),
            (b"4095", &[0xcf, 0xff, 2]),
            (b"4096", &[0xf1, 0x00, 0x10, 3]),
            (b"-32769", &[0xf2, 0xff, 0x7f, 0xff, 4]),
            (b"8388608", &[0xf3, 0x00, 0x00, 0x80, 0x00, 5]),
            (b"2147483648", &[0xf4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9]),
            (b"abc", &[0x83, b'a', b'b', b'c', 4]),
            (b"", &[0x80, 1]),
        ];
        for (text, encoded) in cases {
            let mut pack = Listpack::new();
            pack.push_back(Entry::from(text));
            assert_eq!(pack.entries(), encoded);
        }
        let mut pack = Listpack::new();
        pack.push_back(Entry::from(&[b'x'; 200]));
        assert_eq!(pack.entries()[..2], [0xe0, 200]);
        assert_eq!(pack.entries()[202..], [1, 0x80 | (202 - 128)]);
    }

    #[test]
    fn finds_only_where_it_is_asked_to_look() {
        let mut pack = Listpack::new();
        for text in [b"v", b"k", b"k", b"v"] {
            pack.push_back(text.into());
        }
        assert_eq!(pack.find(b"k".into(), 0, 2), Some(pack.seek(2)));
        assert_eq!(pack.find(b"v".into(), 1, 2), Some(pack.seek(3)));
        assert_eq!(pack.find(b"x".into(), 0, 2), None);
    }
}
