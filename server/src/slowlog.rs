//! The slow log: the calls that took longest of late, as SLOWLOG prints them.

use std::collections::VecDeque;

/// Arguments of a call that are kept.
const KEPT_ARGUMENTS: usize = 32;

/// Bytes of an argument that are kept.
const KEPT_BYTES: usize = 128;

/// One slow call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowCall {
    /// Its number, rising by one.
    pub id: u64,
    /// When it ended, in unix seconds.
    pub unix_s: i64,
    /// What it took, in microseconds.
    pub took_us: u64,
    /// Its arguments, cut to a size that is worth keeping.
    pub args: Vec<Vec<u8>>,
    /// The client's address.
    pub address: String,
    /// The client's name.
    pub name: Vec<u8>,
}

/// The log, the latest call first.
#[derive(Debug, Default)]
pub struct SlowLog {
    calls: VecDeque<SlowCall>,
    next_id: u64,
}

impl SlowLog {
    /// Adds a call and gives it the next number; at most `limit` calls are kept.
    pub fn add(&mut self, mut call: SlowCall, limit: usize) {
        call.id = self.next_id;
        self.next_id += 1;
        self.calls.push_front(call);
        self.calls.truncate(limit);
    }

    /// The calls, the latest first.
    pub fn iter(&self) -> impl Iterator<Item = &SlowCall> {
        self.calls.iter()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Forgets all; numbers go on.
    pub fn clear(&mut self) {
        self.calls.clear();
    }
}

/// At most 32 arguments of at most 128 bytes each, with what was left out told in words.
pub fn trimmed(args: &[&[u8]]) -> Vec<Vec<u8>> {
    let shown = if args.len() > KEPT_ARGUMENTS {
        KEPT_ARGUMENTS - 1
    } else {
        args.len()
    };
    let mut kept: Vec<Vec<u8>> = args.iter().take(shown).map(|arg| shortened(arg)).collect();
    if shown < args.len() {
        kept.push(format!("... ({} more arguments)", args.len() - shown).into_bytes());
    }
    kept
}

fn shortened(arg: &[u8]) -> Vec<u8> {
    match arg.split_at_checked(KEPT_BYTES) {
        Some((kept, rest)) if !rest.is_empty() => {
            let mut text = kept.to_vec();
            text.extend_from_slice(format!("... ({} more bytes)", rest.len()).as_bytes());
            text
        }
        _ => arg.to_vec(),
    }
}
