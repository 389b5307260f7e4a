//! Frees what is large on a thread of its own, so that nobody waits for it.

use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use crate::keyspace::Garbage;

/// How long the thread stands back after each piece: where all share one core, the others go first.
const PAUSE: Duration = Duration::from_micros(50);

/// Where garbage goes. Its thread starts with the first, and ends when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Bin(OnceLock<Option<Sender<Garbage>>>);

impl Bin {
    /// Has what takes long freed soon; the rest, or where there can be no thread all of it, at once.
    pub(crate) fn take(&self, garbage: Vec<Garbage>) {
        for heavy in garbage.into_iter().filter(Garbage::is_heavy) {
            if let Some(sender) = self.0.get_or_init(start) {
                // The thread ends after its sender only.
                let _ = sender.send(heavy);
            }
        }
    }
}

fn start() -> Option<Sender<Garbage>> {
    let (sender, bag) = mpsc::channel::<Garbage>();
    let free_all = move || {
        for garbage in bag {
            garbage.free(|| std::thread::sleep(PAUSE));
        }
    };
    let thread = std::thread::Builder::new().name("lazyfree".to_owned());
    thread.spawn(free_all).ok().map(|_| sender)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::keyspace::{Expiry, Keyspace, Value};
    use crate::time::Now;
    use crate::value::Str;

    #[test]
    fn what_is_light_is_freed_at_once_and_what_is_heavy_soon() {
        for (keys, heavy) in [(10, false), (20_000, true)] {
            let mut keyspace = Keyspace::new(1, 7);
            let mut db = keyspace.database(0, Now::default());
            for key in 0..keys {
                let text = Str::raw(vec![b'x'; 100]);
                db.insert(
                    format!("{key}").as_bytes(),
                    Value::String(text),
                    Expiry::Clear,
                );
            }
            db.insert(
                b"shared",
                Value::String(Str::raw(vec![b'x'; 100_000])),
                Expiry::Clear,
            );
            let shared = db.share(b"shared").expect("it is large");
            keyspace.clear(None);
            let garbage = keyspace.take_freed();
            assert!(!shared.is_unique());
            assert_eq!(keyspace.pending_garbage(), keys + 1);
            let bin = Bin::default();
            bin.take(garbage);
            assert_eq!(bin.0.get().is_some(), heavy);
            let begun = Instant::now();
            while heavy
                && keyspace.pending_garbage() > 0
                && begun.elapsed() < Duration::from_secs(60)
            {
                std::thread::yield_now();
            }
            assert_eq!(keyspace.pending_garbage(), 0);
            assert!(shared.is_unique());
        }
    }
}
