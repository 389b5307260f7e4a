//! The lookup of commands by name.

use super::{Family, Registered};
use crate::fault::Fault;
use crate::ids::CommandId;

/// Every command, by name in any case: O(1), no allocation.
#[derive(Debug)]
pub struct Commands {
    all: Vec<Registered>,
    /// Open addressing over lower-case names; `u16::MAX` is free.
    buckets: Vec<u16>,
    names: Vec<(Vec<u8>, u16)>,
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
        let mut buckets = vec![u16::MAX; (names.len() * 4).next_power_of_two().max(16)];
        let mask = buckets.len() - 1;
        for (index, (name, _)) in names.iter().enumerate() {
            let mut at = hash(name) & mask;
            while buckets[at] != u16::MAX {
                at = (at + 1) & mask;
            }
            buckets[at] = index as u16;
        }
        Self {
            all,
            buckets,
            names,
        }
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
        let mask = self.buckets.len() - 1;
        let mut at = hash(name) & mask;
        loop {
            let (known, index) = self.names.get(usize::from(self.buckets[at]))?;
            if known.eq_ignore_ascii_case(name) {
                return self.all.get(usize::from(*index));
            }
            at = (at + 1) & mask;
        }
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

/// FNV-1a over the name folded to lower case; the table is our own, so nobody can flood it.
fn hash(name: &[u8]) -> usize {
    name.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte | 0x20)).wrapping_mul(0x0100_0193)
    }) as usize
}
