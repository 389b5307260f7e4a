//! The engine behind its lock, and what wakes the connections that it wrote to.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::client_state::Peer;
use crate::engine::{Engine, Now};
use crate::garbage::Bin;
use crate::host::Host;
use crate::ids::ClientId;

/// The engine behind its lock, shared by all threads.
///
/// The lock is a `std` mutex because it is never held across an `.await`, and never for longer than one batch.
#[derive(Debug)]
pub struct Shared {
    inner: Mutex<Inner>,
    clock: fn() -> Now,
    draining: AtomicBool,
    connections: AtomicUsize,
    bin: Bin,
}

/// How often a thread looks whether the lock is free before it sleeps.
const LOOKS: usize = 100;

/// The zero of the steady clock.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    connections: HashMap<ClientId, Arc<Wake>>,
}

impl Shared {
    /// A server with empty databases.
    pub fn new(config: crate::config::Config, seed: u64) -> Self {
        let mut engine = Engine::new(config, seed, now());
        engine.state().host = Host {
            clock: Some(monotonic_us),
            ..Host::observe()
        };
        Self::over(engine, now)
    }

    /// An engine that is there already, under a clock of one's own.
    pub fn over(engine: Engine, clock: fn() -> Now) -> Self {
        Self {
            inner: Mutex::new(Inner {
                engine,
                connections: HashMap::new(),
            }),
            clock,
            draining: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            bin: Bin::default(),
        }
    }

    /// Runs `work` on the engine, wakes whom it woke, and frees what it removed outside the lock.
    pub fn with<T>(&self, work: impl FnOnce(&mut Engine, Now) -> T) -> T {
        let now = self.now();
        let mut inner = self.lock();
        let result = work(&mut inner.engine, now);
        inner.wake();
        let freed = inner.engine.take_freed();
        let stall_us = inner.engine.take_stall_us();
        if stall_us > 0 {
            // DEBUG SLEEP: everybody else waits for the lock meanwhile, which is what it is for.
            std::thread::sleep(Duration::from_micros(stall_us));
        }
        drop(inner);
        self.bin.take(freed);
        result
    }

    /// The time, by the clock that requests run by.
    pub(crate) fn now(&self) -> Now {
        (self.clock)()
    }

    /// Tells every connection to run what it has received, to answer it and to end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        for wake in self.lock().connections.values() {
            wake.wake();
        }
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Connections that hold an [`Admission`].
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts one more connection for as long as the result lives; `None` where there are `most` already.
    pub fn admit(self: &Arc<Self>, most: usize) -> Option<Admission> {
        let more = |count: usize| (count < most).then_some(count + 1);
        let counted = self
            .connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.is_ok().then(|| Admission(Arc::clone(self)))
    }

    pub(crate) fn connect(&self, peer: Peer, wake: Arc<Wake>) -> ClientId {
        let now = self.now();
        let mut inner = self.lock();
        let id = inner.engine.connect(peer, now);
        inner.connections.insert(id, wake);
        id
    }

    /// Removes a client, after `last` has been done for it.
    pub(crate) fn disconnect(&self, id: ClientId, last: impl FnOnce(&mut Engine)) {
        let mut inner = self.lock();
        last(&mut inner.engine);
        inner.engine.disconnect(id);
        inner.connections.remove(&id);
        inner.wake();
    }

    /// A panic under the lock would be a bug; the data is still whole enough for the others to go on.
    ///
    /// A thread that sleeps takes longer to wake up than most batches take, so it first looks again a few times.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        for _ in 0..LOOKS {
            match self.inner.try_lock() {
                Ok(inner) => return inner,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wake(&mut self) {
        if self.engine.has_woken() {
            for id in self.engine.take_woken() {
                if let Some(wake) = self.connections.get(&id) {
                    wake.wake();
                }
            }
        }
    }
}

/// A place among `maxclients`, free again when it is dropped.
#[derive(Debug)]
pub struct Admission(Arc<Shared>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Word from the engine to one connection.
///
/// A task's waker stays the same, so it is stored once; listening is then a look at one flag.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    woken: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Wake {
    /// Makes the connection look after its outbox.
    fn wake(&self) {
        self.woken.store(true, Ordering::SeqCst);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = waker.as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Whether there was word since the last call; the task of `context` is woken when there is some.
    /// `known` is what was passed before, and remembers the waker.
    pub(crate) fn listen(&self, context: &Context<'_>, known: &mut Option<Waker>) -> bool {
        let waker = context.waker();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
            *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        }
        // Read first: a swap would take the cache line from the thread that wakes.
        self.woken.load(Ordering::SeqCst) && self.woken.swap(false, Ordering::SeqCst)
    }
}

/// How long the difference between both clocks is taken to stay the same: who steps the wall clock sees it by then.
const CLOCKS_AGREE_US: u64 = 1000;

thread_local! {
    /// How far the wall clock was ahead of the steady one, in microseconds, and when it was read.
    static AHEAD: Cell<Option<(i64, u64)>> = const { Cell::new(None) };
}

fn monotonic_us() -> u64 {
    STARTED.elapsed().as_micros() as u64
}

/// Reads one clock, and the other one every now and then.
fn now() -> Now {
    let monotonic_us = monotonic_us();
    let known = AHEAD
        .get()
        .filter(|(_, read_us)| monotonic_us - read_us < CLOCKS_AGREE_US);
    let ahead_us = known.map_or_else(|| wall_clock_ahead(monotonic_us), |(ahead_us, _)| ahead_us);
    Now {
        unix_us: monotonic_us as i64 + ahead_us,
        monotonic_us,
    }
}

#[cold]
fn wall_clock_ahead(monotonic_us: u64) -> i64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    let ahead_us = unix.unwrap_or_default().as_micros() as i64 - monotonic_us as i64;
    AHEAD.set(Some((ahead_us, monotonic_us)));
    ahead_us
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_wall_clock_though_it_is_read_now_and_then() {
        let wall_us = || {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH);
            unix.unwrap_or_default().as_micros() as i64
        };
        let begun = Instant::now();
        // Whole microseconds of two clocks, and what the wall clock is slowed down or sped up.
        let tolerance_us = 100;
        while begun.elapsed() < Duration::from_micros(5 * CLOCKS_AGREE_US) {
            let (before, now, after) = (wall_us(), now(), wall_us());
            assert!(before - tolerance_us <= now.unix_us && now.unix_us <= after + tolerance_us);
        }
    }
}
