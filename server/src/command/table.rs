//! The lookup of commands by name.

use super::{Family, Registered};
use crate::fault::Fault;
use crate::ids::CommandId;

/// Every command, by name in any case: O(1), no allocation.
#[derive(Debug)]
pub struct Commands {
    all: Vec<Registered>,
    /// Open addressing over the names that are not long.
    buckets: Vec<Option<(ShortName, u16)>>,
    /// The other names, in lower case.
    long: Vec<(Vec<u8>, u16)>,
}

impl Commands {
    /// The lookup over these families.
    pub(crate) fn new(families: &'static [Family]) -> Self {
        let mut all: Vec<Registered> = Vec::new();
        let mut names = Vec::new();
        for family in families {
            for command in family.commands {
                let at = all.len();
                all.push(Registered::new(command, family, None, at));
                for child in command.subcommands {
                    all.push(Registered::new(child, family, Some(command), all.len()));
                }
                all[at].children = at + 1..all.len();
                for name in std::iter::once(&command.name).chain(command.aliases) {
                    names.push((name.to_ascii_lowercase().into_bytes(), at as u16));
                }
            }
        }
        let mut buckets = vec![None; (names.len() * 4).next_power_of_two().max(16)];
        let mask = buckets.len() - 1;
        let mut long = Vec::new();
        for (name, index) in names {
            let Some(short) = ShortName::new(&name) else {
                long.push((name, index));
                continue;
            };
            let mut at = short.hash() & mask;
            while buckets[at].is_some() {
                at = (at + 1) & mask;
            }
            buckets[at] = Some((short, index));
        }
        Self { all, buckets, long }
    }

    /// Every command, each container directly before its subcommands.
    pub fn all(&self) -> &[Registered] {
        &self.all
    }

    /// The command of that number.
    pub fn at(&self, id: CommandId) -> &Registered {
        &self.all[id.index()]
    }

    /// The commands that are no subcommands.
    pub fn top_level(&self) -> impl Iterator<Item = &Registered> {
        self.all.iter().filter(|registered| registered.words == 1)
    }

    /// The subcommands of a container.
    pub fn children(&self, container: &Registered) -> &[Registered] {
        &self.all[container.children.clone()]
    }

    /// The command of that name, a container included.
    pub fn lookup(&self, name: &[u8]) -> Option<&Registered> {
        let Some(short) = ShortName::new(name) else {
            return self.lookup_long(name);
        };
        let mask = self.buckets.len() - 1;
        let mut at = short.hash() & mask;
        loop {
            let (known, index) = self.buckets.get(at)?.as_ref()?;
            if *known == short {
                return self.all.get(usize::from(*index));
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn lookup_long(&self, name: &[u8]) -> Option<&Registered> {
        let same = |known: &[u8]| known.eq_ignore_ascii_case(name);
        let (_, index) = self.long.iter().find(|(known, _)| same(known))?;
        self.all.get(usize::from(*index))
    }

    /// The command that `args` call, subcommands resolved.
    ///
    /// # Errors
    /// The unknown command, the unknown subcommand, or a container called without one.
    pub fn resolve(&self, args: &[&[u8]]) -> Result<&Registered, Fault> {
        let name = args.first().copied().unwrap_or_default();
        let found = self
            .lookup(name)
            .ok_or_else(|| Fault::unknown_command(args))?;
        if found.children.is_empty() {
            return Ok(found);
        }
        let Some(word) = args.get(1) else {
            return Ok(found);
        };
        let children = self.children(found);
        let child = children
            .iter()
            .find(|child| child.command.name.as_bytes().eq_ignore_ascii_case(word));
        child.ok_or_else(|| Fault::unknown_subcommand(&found.name, word))
    }

    /// The command called `name` as COMMAND INFO takes it: `get`, `config|get`.
    pub fn by_full_name(&self, name: &[u8]) -> Option<&Registered> {
        let mut words = name.splitn(2, |byte| *byte == b'|');
        let found = self.lookup(words.next()?)?;
        match words.next() {
            None => Some(found),
            Some(word) => {
                let children = self.children(found).iter();
                children
                    .into_iter()
                    .find(|child| child.command.name.as_bytes().eq_ignore_ascii_case(word))
            }
        }
    }
}

/// A name of 16 bytes at most, in lower case: compared and hashed as two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ShortName {
    /// The first bytes and the last ones, which may be the same.
    words: [u64; 2],
    len: usize,
}

impl ShortName {
    fn new(name: &[u8]) -> Option<Self> {
        let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
        let words = match *name {
            [] => [0, 0],
            [a] => [a.into(), 0],
            [a, b] => [a.into(), b.into()],
            [a, b, c] => [u64::from(a) | u64::from(b) << 8, c.into()],
            [a, b, c, d, ..] if name.len() < 8 => [half(&[a, b, c, d]), half(name.last_chunk()?)],
            _ if name.len() <= 16 => [word(name.first_chunk()?), word(name.last_chunk()?)],
            _ => return None,
        };
        Some(Self {
            words: words.map(to_lowercase),
            len: name.len(),
        })
    }

    /// Multiplied, so that the high bits depend on all; the table is our own, so nobody can flood it.
    fn hash(self) -> usize {
        let [first, last] = self.words;
        let mixed = (first ^ last.rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as usize
    }
}

/// The ASCII letters among eight bytes in lower case, all at once.
fn to_lowercase(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let low = word & (ONES * 0x7f);
    let from_a = low + ONES * u64::from(0x80 - b'A');
    let behind_z = low + ONES * u64::from(0x7f - b'Z');
    let upper = from_a & !behind_z & !word & (ONES * 0x80);
    word | upper >> 2
}
