//! The engine: a plain state machine. A request and the time go in, reply bytes come out. It does no I/O and reads no
//! clock, so the same code runs behind sockets, in a test with its clock moved by hand, and under a fuzzer.

use std::collections::HashSet;

use arrayvec::ArrayVec;

use crate::client_state::{Peer, ReplyMode};
use crate::command::{Context, Flags, Registered};
use crate::commands::COMMANDS;
use crate::config::Config;
use crate::dispatch::{Caller, invoke, run_by_name};
use crate::effects::Request;
use crate::fault::Fault;
use crate::ids::ClientId;
use crate::keyspace::{self, Ahead, Keyspace};
use crate::output::Output;
use crate::reply::Reply;
use crate::state::{Pause, State};
pub use crate::time::Now;
use crate::value::Id;

/// How many expired keys are removed at a time: it takes less than a millisecond.
const EXPIRED_AT_ONCE: usize = 512;

/// How many requests are looked up together.
pub const FORESEEN: usize = 16;

/// What is known of a request before its turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Foreseen {
    registered: Option<&'static Registered>,
    /// The hash of its first key, and where that probably is.
    first_key: Option<(u64, Id)>,
}

/// What the caller does with a client's next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Run it.
    Continue,
    /// Keep it until the client is woken: it waits for a key.
    Blocked,
    /// This request did not run: run it again when the client is woken (CLIENT PAUSE).
    Postponed,
    /// Write what is there and close.
    Close,
}

/// The whole server but its sockets.
#[derive(Debug)]
pub struct Engine {
    keyspace: Keyspace,
    state: State,
}

impl Engine {
    /// An engine with empty databases. `seed` determines everything random in it.
    pub fn new(config: Config, seed: u64, now: Now) -> Self {
        let keyspace = Keyspace::new(config.databases.max(1) as usize, seed);
        let state = State::new(config, seed, now, COMMANDS.all().len());
        let mut engine = Self { keyspace, state };
        engine.state.apply_config(&mut engine.keyspace);
        engine
    }

    /// Adds a client. The caller runs its requests one after the other and calls [`disconnect`](Self::disconnect).
    pub fn connect(&mut self, peer: Peer, now: Now) -> ClientId {
        self.state.stats.connections += 1;
        let authenticated = self.state.config.requirepass.is_empty();
        self.state.clients.add(peer, now, authenticated)
    }

    /// Removes a client and everything it holds.
    pub fn disconnect(&mut self, id: ClientId) {
        self.state.forget(&mut self.keyspace, id);
    }

    /// Runs one request of `id` and appends to `out` what others sent to it before, its reply, and whatever it published
    /// to itself.
    ///
    /// `args` holds the command's name first; an empty request does nothing.
    pub fn execute(&mut self, id: ClientId, args: &[&[u8]], out: &mut Output, now: Now) -> Flow {
        self.execute_foreseen(id, args, Foreseen::default(), out, now)
    }

    /// [`execute`](Self::execute) with what [`foresee`](Self::foresee) told of this very request.
    pub fn execute_foreseen(
        &mut self,
        id: ClientId,
        args: &[&[u8]],
        foreseen: Foreseen,
        out: &mut Output,
        now: Now,
    ) -> Flow {
        let Some(client) = self.state.clients.get_mut(id) else {
            return Flow::Close;
        };
        if client.killed || client.closing {
            return Flow::Close;
        }
        if args.is_empty() {
            return Flow::Continue;
        }
        client.active_us = now.monotonic_us;
        if !client.outbox.is_empty() {
            out.append(&mut client.outbox);
        }
        self.keyspace.keeps_expired = self.state.pause.is_some();
        let mut reply = Reply::new(out, client.protocol);
        let mark = reply.mark();
        if process(
            &mut self.keyspace,
            &mut self.state,
            id,
            args,
            foreseen,
            &mut reply,
            now,
        ) == Flow::Postponed
        {
            return Flow::Postponed;
        }
        after(&mut self.keyspace, &mut self.state, now);
        let Some(client) = self.state.clients.get_mut(id) else {
            return Flow::Close;
        };
        if client.reply_mode != ReplyMode::On {
            out.cut(mark);
            client.reply_mode = match client.reply_mode {
                ReplyMode::SkipNext => ReplyMode::Skipping,
                ReplyMode::Skipping => ReplyMode::On,
                other => other,
            };
        }
        if let Some(tracker) = &mut client.tracker
            && client.transaction.is_none()
            && !client
                .last_command
                .is_some_and(|command| COMMANDS.at(command).name.starts_with("client|"))
        {
            tracker.caching = false;
        }
        if !client.outbox.is_empty() {
            out.append(&mut client.outbox);
        }
        let hard = self.state.config.output_limits[client.output_class()].hard_bytes;
        if hard > 0 && out.len() > hard {
            self.state
                .cut_off(id, "closed for overcoming of output buffer limits");
            return Flow::Close;
        }
        if client.killed || client.closing || self.state.shutdown {
            Flow::Close
        } else if client.waiting.is_some() {
            Flow::Blocked
        } else {
            Flow::Continue
        }
    }

    /// Looks up requests of `id` that are about to run, so that what each waits for is on its way from memory for all of
    /// them together. At most [`FORESEEN`] are looked at; changes nothing.
    pub fn foresee<'r>(
        &self,
        id: ClientId,
        requests: impl Iterator<Item = &'r [&'r [u8]]>,
    ) -> ArrayVec<Foreseen, FORESEEN> {
        let mut ahead: ArrayVec<Ahead<'_>, FORESEEN> = ArrayVec::new();
        let mut all: ArrayVec<Foreseen, FORESEEN> = ArrayVec::new();
        // Requests that have a first key, and where among those ahead it is.
        let mut places: ArrayVec<(usize, usize), FORESEEN> = ArrayVec::new();
        let mut before: Option<(&[u8], Option<&Registered>)> = None;
        for request in requests.take(FORESEEN) {
            let name = request.first().copied().unwrap_or_default();
            // A pipeline often calls one command, or asks for one key, again and again.
            let registered = match before {
                Some((same, registered)) if same == name => registered,
                _ => COMMANDS.lookup(name).filter(|it| it.children.is_empty()),
            };
            before = Some((name, registered));
            all.push(Foreseen {
                registered,
                first_key: None,
            });
            let Some(registered) = registered else {
                continue;
            };
            let position = registered.first_key;
            let Some((position, key)) = position.and_then(|at| Some((at, *request.get(at)?)))
            else {
                continue;
            };
            // Keys that differ mostly do so in their last byte.
            let last = ahead.last().filter(|last| last.key.last() == key.last());
            let hash = match last.filter(|last| last.key == key) {
                Some(_) if !registered.has_elements => {
                    places.push((all.len() - 1, ahead.len() - 1));
                    continue;
                }
                Some(last) => last.hash,
                None => keyspace::hash(key),
            };
            let (mut element, mut member) = Default::default();
            if registered.has_elements {
                element = request.get(position + 1).copied().unwrap_or_default();
                member = request.last().copied().unwrap_or_default();
            }
            places.push((all.len() - 1, ahead.len()));
            ahead.push(Ahead {
                key,
                hash,
                id: 0,
                element,
                member,
            });
        }
        if let Some(client) = self.state.clients.get(id) {
            self.keyspace.warm(client.db, &mut ahead);
        }
        for (request, place) in places {
            all[request].first_key = Some((ahead[place].hash, ahead[place].id));
        }
        all
    }

    /// Tells whether the caller has further requests at hand, to be run right after the next one: quick ones may then
    /// share a reading of the clock, until [`end_batch`](Self::end_batch).
    pub fn expect_more(&mut self, more: bool) {
        self.state.more_follows = more;
    }

    /// No request follows at once.
    pub fn end_batch(&mut self) {
        self.state.more_follows = false;
        self.state.end_stride();
    }

    /// Removes keys whose time is over, so many as nobody minds waiting for; whether there may be more. To be called again
    /// soon then, between the requests of clients.
    pub fn expire_some(&mut self, now: Now) -> bool {
        if self.state.pause.is_some() {
            return false;
        }
        let more = self.expire(now);
        after(&mut self.keyspace, &mut self.state, now);
        more
    }

    fn expire(&mut self, now: Now) -> bool {
        let begun_us = self.state.begin_us(now);
        let removed = self.keyspace.expire_due(now, EXPIRED_AT_ONCE);
        let took_us = self.state.took_us(begun_us);
        self.state.stats.expire_us += took_us;
        self.state.note_event("expire-cycle", took_us, now);
        removed == EXPIRED_AT_ONCE
    }

    /// Does what is due: some expired keys, timeouts of blocked clients, the end of a pause. Call it ten times a second.
    pub fn tick(&mut self, now: Now) {
        if self.state.pause.is_none() {
            self.expire(now);
            if self.state.config.maxmemory > 0 {
                crate::eviction::make_room(&mut self.keyspace, &mut self.state, now);
            }
        }
        while let Some(id) = self.state.blocked.next_due(now.monotonic_us) {
            self.state.give_up(id, None);
        }
        self.keyspace.changes.blocked = !self.state.blocked.is_empty();
        if self
            .state
            .pause
            .is_some_and(|pause| pause.until_us <= now.monotonic_us)
        {
            self.state.unpause();
        }
        self.state.check_clients(now);
        let used = self.state.used_bytes(&self.keyspace);
        self.state.stats.sample(now, used);
        after(&mut self.keyspace, &mut self.state, now);
    }

    /// Clients that others wrote to, unblocked or killed since the last call: fetch their
    /// [`outbox`](Self::outbox) and go on with their requests.
    pub fn take_woken(&mut self) -> Vec<ClientId> {
        for id in &self.state.woken {
            if let Some(client) = self.state.clients.get_mut(*id) {
                client.woken = false;
            }
        }
        std::mem::take(&mut self.state.woken)
    }

    /// Whether [`take_woken`](Self::take_woken) has anything to give.
    pub fn has_woken(&self) -> bool {
        !self.state.woken.is_empty()
    }

    /// Moves what others sent to `id` to the end of `out` and tells how to go on.
    pub fn outbox(&mut self, id: ClientId, out: &mut Output) -> Flow {
        let Some(client) = self.state.clients.get_mut(id) else {
            return Flow::Close;
        };
        out.append(&mut client.outbox);
        if client.killed || client.closing {
            Flow::Close
        } else if client.waiting.is_some() {
            Flow::Blocked
        } else if client.postponed {
            Flow::Postponed
        } else {
            Flow::Continue
        }
    }

    /// Begins or ends the stream of effects; what it gathered is taken from [`State::effects`].
    pub fn attach_effects(&mut self, attached: bool) {
        self.state.effects.attach(attached);
        self.keyspace.changes.propagated = attached;
    }

    /// Whether a client is to be closed without writing what it has not read yet.
    pub fn is_killed(&self, id: ClientId) -> bool {
        self.state
            .clients
            .get(id)
            .is_none_or(|client| client.killed)
    }

    /// The keys.
    pub fn keyspace(&mut self) -> &mut Keyspace {
        &mut self.keyspace
    }

    /// Everything but the keys.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// Every section of INFO.
    pub fn info(&self, now: Now) -> String {
        crate::commands::info(&self.state, &self.keyspace, now)
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// Large values that were removed: drop them outside whatever lock protects the engine.
    pub fn take_freed(&mut self) -> Vec<crate::keyspace::Garbage> {
        self.keyspace.take_freed()
    }

    /// How long everything is to stand still before the next call, in microseconds: DEBUG SLEEP, for the shell to do.
    pub fn take_stall_us(&mut self) -> u64 {
        std::mem::take(&mut self.state.asleep_us)
    }

    /// When the next blocked client gives up or a pause ends, in microseconds of the steady clock: tick then.
    pub fn next_deadline_us(&self) -> Option<u64> {
        let pause = self.state.pause.map(|pause| pause.until_us);
        self.state
            .blocked
            .first_deadline_us()
            .into_iter()
            .chain(pause)
            .min()
    }
}

/// The gates before a command, in Redis' order, then the command.
fn process(
    keyspace: &mut Keyspace,
    state: &mut State,
    id: ClientId,
    args: &[&[u8]],
    foreseen: Foreseen,
    reply: &mut Reply<'_>,
    now: Now,
) -> Flow {
    let resolved = match foreseen.registered {
        Some(found) => Ok(found),
        None => COMMANDS.resolve(args),
    };
    let registered = match resolved {
        Ok(found) => found,
        Err(fault) => return reject(keyspace, state, id, None, &fault, reply),
    };
    if let Err(fault) = registered.check_arity(args) {
        return reject(keyspace, state, id, Some(registered), &fault, reply);
    }
    let client = state.clients.at_mut(id);
    client.last_command = Some(registered.id);
    client.postponed = false;
    if !client.is_plain() || state.config.maxmemory > 0 || state.pause.is_some() {
        if let Some(fault) = refusal(keyspace, state, id, registered, reply, now) {
            return reject(keyspace, state, id, Some(registered), &fault, reply);
        }
        if let Some(pause) = state.pause
            && is_paused(state, pause, id, registered)
        {
            state.clients.at_mut(id).postponed = true;
            return Flow::Postponed;
        }
        if let Some(transaction) = &mut state.clients.at_mut(id).transaction
            && !registered.has(Flags::UNQUEUED)
        {
            transaction.queue.push((registered.id, Request::new(args)));
            reply.simple("QUEUED");
            return Flow::Continue;
        }
    }
    let caller = Caller {
        id,
        now,
        context: Context::Client,
        first_key: foreseen.first_key,
    };
    invoke(&COMMANDS, keyspace, state, registered, args, reply, caller);
    Flow::Continue
}

/// Why a client may not call this command now.
fn refusal(
    keyspace: &mut Keyspace,
    state: &mut State,
    id: ClientId,
    registered: &Registered,
    reply: &mut Reply<'_>,
    now: Now,
) -> Option<Fault> {
    let client = state.clients.at(id);
    if !client.authenticated && !registered.has(Flags::NO_AUTH) {
        return Some(Fault::NO_AUTH);
    }
    if client.is_subscriber_only() && !registered.has(Flags::SUBSCRIBED) {
        return Some(Fault::subscribed(&registered.name));
    }
    let queueing = client.transaction.is_some();
    if queueing && registered.has(Flags::NO_MULTI) {
        return Some(Fault::NOT_IN_MULTI);
    }
    let short_of_memory = state.config.maxmemory > 0 && !make_room(keyspace, state, id, reply, now);
    let needs_memory =
        registered.has(Flags::DENY_OOM) || (queueing && may_not_queue(state, id, registered));
    (short_of_memory && needs_memory).then_some(Fault::OUT_OF_MEMORY)
}

/// Evicts where memory is short; whether there is room then. The caller hears of keys that it caches before its reply.
fn make_room(
    keyspace: &mut Keyspace,
    state: &mut State,
    id: ClientId,
    reply: &mut Reply<'_>,
    now: Now,
) -> bool {
    if state.pause.is_some() {
        return true;
    }
    state.evict_clients();
    if state.used_bytes(keyspace) as u64 > state.config.maxmemory {
        state.end_stride();
    }
    let evicted = keyspace.stats.evicted;
    let begun_us = state.begin_us(now);
    let room = crate::eviction::make_room(keyspace, state, now);
    if keyspace.stats.evicted > evicted {
        let took_us = state.took_us(begun_us);
        state.note_event("eviction-cycle", took_us, now);
    }
    state.invalidate(&mut keyspace.changes);
    state.broadcast();
    let client = state.clients.at_mut(id);
    if client.reply_mode == ReplyMode::On && !client.outbox.is_empty() {
        reply.output().append(&mut client.outbox);
    }
    room
}

/// Whether CLIENT PAUSE keeps a command back.
fn is_paused(state: &State, pause: Pause, id: ClientId, registered: &Registered) -> bool {
    let changes = |registered: &Registered| registered.has(Flags::WRITE.and(Flags::MAY_REPLICATE));
    let queue = state
        .clients
        .at(id)
        .transaction
        .as_ref()
        .map(|transaction| &transaction.queue);
    let exec_changes = registered.command.name == "EXEC"
        && queue.is_some_and(|queue| {
            queue
                .iter()
                .any(|(queued, _)| changes(COMMANDS.at(*queued)))
        });
    let exempt = registered.command.name == "CLIENT" || registered.name.starts_with("client|");
    !exempt && (pause.all || changes(registered) || exec_changes)
}

/// Whether a command inside MULTI is refused for want of memory: a queue takes memory whatever it holds, so only
/// the ways out of it are open.
fn may_not_queue(state: &State, id: ClientId, registered: &Registered) -> bool {
    match registered.command.name {
        "EXEC" => queue_denies_oom(state, id),
        "DISCARD" | "QUIT" | "RESET" => false,
        _ => true,
    }
}

fn queue_denies_oom(state: &State, id: ClientId) -> bool {
    let transaction = state.clients.at(id).transaction.as_ref();
    transaction.is_some_and(|transaction| {
        transaction
            .queue
            .iter()
            .any(|(queued, _)| COMMANDS.at(*queued).has(Flags::DENY_OOM))
    })
}

/// Answers a command that may not run; a transaction that it was to join can't run any more.
fn reject(
    keyspace: &mut Keyspace,
    state: &mut State,
    id: ClientId,
    registered: Option<&'static Registered>,
    fault: &Fault,
    reply: &mut Reply<'_>,
) -> Flow {
    if let Some(transaction) = &mut state.clients.at_mut(id).transaction {
        transaction.aborted = true;
    }
    state
        .stats
        .rejected(registered.map(|registered| registered.id), fault);
    if registered.is_some_and(|registered| registered.command.name == "EXEC") {
        // A transaction whose EXEC is refused is over.
        state.clients.at_mut(id).transaction = None;
        state.unwatch(keyspace, id);
        reply.error(&Fault::exec_abort(fault));
    } else {
        reply.error(fault);
    }
    Flow::Continue
}

/// After a client's command: what others are to know of it, if anybody wants to know anything.
#[inline]
fn after(keyspace: &mut Keyspace, state: &mut State, now: Now) {
    keyspace.changes.blocked = !state.blocked.is_empty();
    if keyspace.changes.concern_others() || state.effects.is_attached() || state.tracking.is_used()
    {
        tell_others(keyspace, state, now);
    }
    keyspace.changes.origin = None;
}

/// Events are published, trackers told, blocked clients served, effects handed over.
fn tell_others(keyspace: &mut Keyspace, state: &mut State, now: Now) {
    while keyspace.changes.all_ready || !keyspace.changes.ready.is_empty() {
        serve_blocked(keyspace, state, now);
    }
    if !keyspace.changes.events.is_empty() {
        let notify = keyspace.changes.notify;
        for event in std::mem::take(&mut keyspace.changes.events) {
            state.publish_key_event(notify, &event);
        }
    }
    if state.effects.is_attached() {
        for (db, key) in keyspace.changes.vanished.drain(..) {
            state.effects.add(db, &[b"DEL", &key]);
        }
        state.effects.end_group();
    }
    keyspace.changes.origin = None;
    state.invalidate(&mut keyspace.changes);
    state.broadcast();
    keyspace.changes.tracked = state.tracking.clients > 0;
}

/// Runs the calls of clients that wait for keys: keys in the order they became ready, clients in the order they
/// came, until a key holds nothing of use any more.
fn serve_blocked(keyspace: &mut Keyspace, state: &mut State, now: Now) {
    let mut ready = std::mem::take(&mut keyspace.changes.ready);
    if std::mem::take(&mut keyspace.changes.all_ready) {
        ready.extend(state.blocked.keys());
    }
    let mut served = HashSet::new();
    for place in ready {
        // A key that came to hold something twice is served at the first of its places.
        if !served.insert(place.clone()) {
            continue;
        }
        let (db, key) = place;
        for id in state.blocked.queue(db, &key) {
            let Some(kind) = keyspace
                .database(db, now)
                .entry(&key)
                .map(|entry| entry.value().kind())
            else {
                break;
            };
            let Some(client) = state.clients.get_mut(id) else {
                continue;
            };
            let Some(waiting) = &client.waiting else {
                continue;
            };
            if waiting.kind != kind {
                continue;
            }
            let (request, protocol) = (waiting.request.clone(), client.protocol);
            let mut outbox = std::mem::take(&mut client.outbox);
            state.blocked.serve(&key);
            let caller = Caller {
                id,
                now,
                context: Context::Retry,
                first_key: None,
            };
            let reply = &mut Reply::new(&mut outbox, protocol);
            run_by_name(&COMMANDS, keyspace, state, &request.args(), reply, caller);
            if state.blocked.served() {
                let _ = state
                    .clients
                    .get_mut(id)
                    .map(|client| std::mem::replace(&mut client.outbox, outbox));
                continue;
            }
            state.unblock(id);
            if let Some(client) = state.clients.get_mut(id) {
                outbox.append(&mut client.outbox);
                client.outbox = outbox;
                state.wake(id);
            }
        }
    }
    keyspace.changes.blocked = !state.blocked.is_empty();
}
