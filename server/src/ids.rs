//! The numbers that clients and commands go by.

/// A client: its number, unique for ever and rising, and its place in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId {
    pub(crate) number: u64,
    pub(crate) place: u32,
}

impl ClientId {
    /// The number CLIENT ID answers.
    pub fn number(self) -> u64 {
        self.number
    }
}

/// A command: its place in the table of all, dense from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub(crate) u16);

impl CommandId {
    /// The place as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}
