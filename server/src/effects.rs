//! The stream of effects: what was changed, in a form that gives the same result wherever it is replayed (absolute
//! expiries, removed members by name). A journal, replicas and others read it; nothing is kept where nobody does.

/// The arguments of one call, owned in a single allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Request {
    /// A copy of `args`.
    pub fn new(args: &[&[u8]]) -> Self {
        let mut bytes = Vec::with_capacity(args.iter().map(|arg| arg.len()).sum());
        let mut ends = Vec::with_capacity(args.len());
        for arg in args {
            bytes.extend_from_slice(arg);
            ends.push(bytes.len());
        }
        Self { bytes, ends }
    }

    /// The arguments, the name first.
    pub fn args(&self) -> Vec<&[u8]> {
        let mut from = 0;
        let args = self
            .ends
            .iter()
            .map(|end| &self.bytes[std::mem::replace(&mut from, *end)..*end]);
        args.collect()
    }

    /// Bytes it takes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

/// One effect: a call to repeat in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The database it ran in.
    pub db: usize,
    /// The call.
    pub request: Request,
}

/// The effects of each command, gathered while it runs and handed over as one atomic group.
#[derive(Debug, Default)]
pub struct Effects {
    attached: bool,
    /// Of the present command.
    gathered: Vec<Effect>,
    /// The running command has said itself what to propagate.
    replaced: bool,
    /// Whole groups: what one command (EXEC, script) did, to be replayed together.
    groups: Vec<Vec<Effect>>,
}

impl Effects {
    /// Says whether anybody reads effects; without a reader none are kept.
    pub fn attach(&mut self, attached: bool) {
        self.attached = attached;
    }

    /// Whether anybody reads effects.
    pub fn is_attached(&self) -> bool {
        self.attached
    }

    /// The running command propagates `args` instead of itself; nothing at all if `args` is empty.
    pub fn replace(&mut self, db: usize, args: &[&[u8]]) {
        self.replaced = true;
        self.add(db, args);
    }

    /// Adds an effect to the present group.
    pub fn add(&mut self, db: usize, args: &[&[u8]]) {
        if self.attached && !args.is_empty() {
            self.gathered.push(Effect {
                db,
                request: Request::new(args),
            });
        }
    }

    /// Ends one command: where it said nothing itself and changed something, it is its own effect.
    pub(crate) fn end_command(&mut self, db: usize, args: &[&[u8]], changed: bool) {
        if !std::mem::take(&mut self.replaced) && changed {
            self.add(db, args);
        }
    }

    /// Ends a group: everything since the last one is replayed together.
    pub(crate) fn end_group(&mut self) {
        if !self.gathered.is_empty() {
            self.groups.push(std::mem::take(&mut self.gathered));
        }
    }

    /// The groups since the last call.
    pub fn take(&mut self) -> Vec<Vec<Effect>> {
        std::mem::take(&mut self.groups)
    }
}
