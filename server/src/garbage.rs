//! Frees what is large on a thread of its own, so that nobody waits for it.

use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use crate::keyspace::Garbage;

/// How long the thread stands back after each piece: where all share one core, the others go first.
const PAUSE: Duration = Duration::from_micros(50);

/// Where garbage goes. Its thread starts with the first, and ends when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Bin(OnceLock<Option<Sender<Vec<Garbage>>>>);

impl Bin {
    /// Has it freed soon; at once, where there can be no thread.
    pub(crate) fn take(&self, garbage: Vec<Garbage>) {
        if garbage.is_empty() {
            return;
        }
        if let Some(sender) = self.0.get_or_init(start) {
            // The thread ends after its sender only.
            let _ = sender.send(garbage);
        }
    }
}

fn start() -> Option<Sender<Vec<Garbage>>> {
    let (sender, bags) = mpsc::channel::<Vec<Garbage>>();
    let free_all = move || {
        for garbage in bags.into_iter().flatten() {
            garbage.free(|| std::thread::sleep(PAUSE));
        }
    };
    let thread = std::thread::Builder::new().name("lazyfree".to_owned());
    thread.spawn(free_all).ok().map(|_| sender)
}
