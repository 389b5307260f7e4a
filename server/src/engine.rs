//! The engine: a plain state machine. A request and the time go in, reply bytes come out. It does no I/O and reads no
//! clock, so the same code runs behind sockets, in a test with its clock moved by hand, and under a fuzzer.

use std::collections::HashSet;

use resp::Protocol;

use crate::args::Args;
use crate::blocked::Blocked;
use crate::client_state::{ClientId, Clients, Peer, ReplyMode, Transaction, Waiting};
use crate::command::{COMMANDS, Call, Flags, Registered};
use crate::config::Config;
use crate::effects::{Effects, Request};
use crate::fault::Fault;
use crate::host::Host;
use crate::keyspace::{Keyspace, Kind};
use crate::latency::Monitor;
use crate::output::Output;
use crate::pubsub::{PubSub, Space};
use crate::reply::Reply;
use crate::slowlog::SlowLog;
use crate::stats::Stats;
pub use crate::time::Now;
use crate::tracking::Tracking;
use crate::value::{Blob, Rng};

/// How many expired keys one tick removes at most, so that it stays short.
const EXPIRED_PER_TICK: usize = 20_000;

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

/// Why a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A client called it.
    Client,
    /// EXEC runs its queue.
    Transaction,
    /// A script calls it.
    Script,
    /// A key that a blocked client waits for became ready.
    Retry,
}

/// The whole server but its sockets.
#[derive(Debug)]
pub struct Engine {
    keyspace: Keyspace,
    state: State,
}

/// Everything but the keys: clients, configuration, pub/sub, statistics.
#[derive(Debug)]
pub struct State {
    /// The configuration.
    pub config: Config,
    /// The clients.
    pub clients: Clients,
    /// Subscriptions.
    pub pubsub: PubSub,
    /// Blocked clients.
    pub blocked: Blocked,
    /// The stream of effects.
    pub effects: Effects,
    /// Counters.
    pub stats: Stats,
    /// CLIENT PAUSE: until when on the steady clock, and whether reads are paused too.
    pub pause: Option<Pause>,
    /// When the engine was made.
    pub started: Now,
    /// SHUTDOWN was called: the shell ends.
    pub shutdown: bool,
    /// The process around the engine.
    pub host: Host,
    /// The slow log.
    pub slowlog: SlowLog,
    /// Latency spikes.
    pub latency: Monitor,
    /// Client-side caching.
    pub tracking: Tracking,
    /// Forty hexadecimal digits that name this run of the server.
    pub run_id: String,
    /// Forty hexadecimal digits that name this history of the data.
    pub replication_id: String,
    /// Bytes of all clients, as they were counted last.
    pub clients_bytes: usize,
    /// How long the running command wants everything to stand still, in microseconds (DEBUG SLEEP).
    pub(crate) stall_us: u64,
    /// How long the shell is to hold everybody up before it goes on, in microseconds.
    pub(crate) asleep_us: u64,
    /// A script of the command that runs has read keys.
    pub(crate) script_read: bool,
    /// The clock's last reading: one command's end is the next one's beginning.
    pub(crate) clock_us: u64,
    woken: Vec<ClientId>,
    monitors: usize,
}

/// CLIENT PAUSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it ends, in microseconds of the steady clock.
    pub until_us: u64,
    /// Whether every command waits, not only writes.
    pub all: bool,
}

impl Engine {
    /// An engine with empty databases. `seed` determines everything random in it.
    pub fn new(config: Config, seed: u64, now: Now) -> Self {
        let keyspace = Keyspace::new(config.databases.max(1) as usize, seed);
        let state = State {
            config,
            clients: Clients::default(),
            pubsub: PubSub::default(),
            blocked: Blocked::default(),
            effects: Effects::default(),
            stats: Stats::new(COMMANDS.all().len()),
            pause: None,
            started: now,
            shutdown: false,
            host: Host::default(),
            slowlog: SlowLog::default(),
            latency: Monitor::default(),
            tracking: Tracking::default(),
            run_id: random_id(&mut Rng::new(seed)),
            replication_id: random_id(&mut Rng::new(!seed)),
            clients_bytes: 0,
            stall_us: 0,
            asleep_us: 0,
            script_read: false,
            clock_us: 0,
            woken: Vec::new(),
            monitors: 0,
        };
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
        self.state.unwatch(&mut self.keyspace, id);
        self.state.unblock(id);
        self.keyspace.changes.blocked = !self.state.blocked.is_empty();
        self.state.unsubscribe_all(id);
        self.state.untrack(id);
        if let Some(client) = self.state.clients.remove(id) {
            self.state.monitors -= usize::from(client.monitors);
            let bytes = client.counted_bytes;
            self.state.clients_bytes = self.state.clients_bytes.saturating_sub(bytes);
        }
    }

    /// Runs one request of `id` and appends to `out` what others sent to it before, its reply, and whatever it published
    /// to itself.
    ///
    /// `args` holds the command's name first; an empty request does nothing.
    pub fn execute(&mut self, id: ClientId, args: &[&[u8]], out: &mut Output, now: Now) -> Flow {
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
        match client.reply_mode {
            ReplyMode::On => {}
            ReplyMode::Off => out.cut(mark),
            ReplyMode::Skipping => {
                out.cut(mark);
                client.reply_mode = ReplyMode::On;
            }
            ReplyMode::SkipNext => {
                out.cut(mark);
                client.reply_mode = ReplyMode::Skipping;
            }
        }
        if let Some(tracker) = &mut client.tracker
            && client.transaction.is_none()
            && !client
                .last_command
                .is_some_and(|command| command.name.starts_with("client|"))
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

    /// Reads ahead for requests of `id` that are about to run and have these arguments as keys; see [`Keyspace::warm`].
    pub fn warm<'k>(&self, id: ClientId, keys: impl Iterator<Item = &'k [u8]>) {
        if let Some(client) = self.state.clients.get(id) {
            self.keyspace.warm(client.db, keys);
        }
    }

    /// Does what is due: expired keys, timeouts of blocked clients, the end of a pause. Call it ten times a second.
    pub fn tick(&mut self, now: Now) {
        if self.state.pause.is_none() {
            let begun_us = self.state.begin_us(now);
            self.keyspace.expire_due(now, EXPIRED_PER_TICK);
            let took_us = self.state.took_us(begun_us);
            self.state.stats.expire_us += took_us;
            self.state.note_event("expire-cycle", took_us, now);
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

/// Forty hexadecimal digits.
pub(crate) fn random_id(rng: &mut Rng) -> String {
    let (a, b, c) = (rng.next_u64(), rng.next_u64(), rng.next_u64());
    format!("{a:016x}{b:016x}{:08x}", c >> 32)
}

/// The gates before a command, in Redis' order, then the command.
fn process(
    keyspace: &mut Keyspace,
    state: &mut State,
    id: ClientId,
    args: &[&[u8]],
    reply: &mut Reply<'_>,
    now: Now,
) -> Flow {
    let registered = match COMMANDS.resolve(args) {
        Ok(found) => found,
        Err(fault) => return reject(keyspace, state, id, None, &fault, reply),
    };
    if let Err(fault) = with_arity(registered, args) {
        return reject(keyspace, state, id, Some(registered), &fault, reply);
    }
    let client = state.clients.at_mut(id);
    client.last_command = Some(registered);
    if !client.authenticated && !registered.has(Flags::NO_AUTH) {
        return reject(
            keyspace,
            state,
            id,
            Some(registered),
            &Fault::NO_AUTH,
            reply,
        );
    }
    if client.is_subscriber_only() && !registered.has(Flags::SUBSCRIBED) {
        return reject(
            keyspace,
            state,
            id,
            Some(registered),
            &Fault::subscribed(&registered.name),
            reply,
        );
    }
    let queueing = client.transaction.is_some();
    if queueing && registered.has(Flags::NO_MULTI) {
        return reject(
            keyspace,
            state,
            id,
            Some(registered),
            &Fault::NOT_IN_MULTI,
            reply,
        );
    }
    if state.config.maxmemory > 0
        && !make_room(keyspace, state, id, reply, now)
        && (registered.has(Flags::DENY_OOM) || (queueing && state.may_not_queue(id, registered)))
    {
        return reject(
            keyspace,
            state,
            id,
            Some(registered),
            &Fault::OUT_OF_MEMORY,
            reply,
        );
    }
    if let Some(pause) = state.pause
        && state.is_paused(pause, id, registered)
    {
        state.clients.at_mut(id).postponed = true;
        return Flow::Postponed;
    }
    let client = state.clients.at_mut(id);
    client.postponed = false;
    if let Some(transaction) = &mut client.transaction
        && !registered.has(Flags::UNQUEUED)
    {
        transaction.queue.push((registered, Request::new(args)));
        reply.simple("QUEUED");
        return Flow::Continue;
    }
    invoke(
        keyspace,
        state,
        id,
        registered,
        args,
        reply,
        now,
        Context::Client,
    );
    Flow::Continue
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

fn with_arity<'a>(found: &'a Registered, args: &[&[u8]]) -> Result<&'a Registered, Fault> {
    if found.accepts(args.len()) {
        Ok(found)
    } else {
        Err(Fault::wrong_arity(&found.name))
    }
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
    state.stats.rejected(registered, fault);
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

/// Runs a command by name for a command that runs others; it is not gated but for its arity.
pub(crate) fn run(
    keyspace: &mut Keyspace,
    state: &mut State,
    id: ClientId,
    args: &[&[u8]],
    reply: &mut Reply<'_>,
    now: Now,
    context: Context,
) {
    match COMMANDS
        .resolve(args)
        .and_then(|found| with_arity(found, args))
    {
        Ok(found) => invoke(keyspace, state, id, found, args, reply, now, context),
        Err(fault) => reply.error(&fault),
    }
}

/// Runs a handler: its reply, or its fault instead; then the books are brought up to date.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a call, each borrowed on its own"
)]
fn invoke(
    keyspace: &mut Keyspace,
    state: &mut State,
    id: ClientId,
    registered: &'static Registered,
    args: &[&[u8]],
    reply: &mut Reply<'_>,
    now: Now,
    context: Context,
) {
    let begun_us = state.begin_us(now);
    keyspace.changes.origin = Some(id);
    let mark = reply.mark();
    let dirty = keyspace.changes.dirty;
    let client = state.clients.at(id);
    let index = client.db;
    keyspace.keeps_access = client.no_touch && registered.command.name != "TOUCH";
    if let Some((first, step)) = registered.many_keys.filter(|_| args.len() > 3) {
        keyspace.warm(index, args.iter().skip(first).step_by(step).copied());
    }
    let mut call = Call {
        args: Args::new(args, registered.words),
        reply: reply.reborrow(),
        db: keyspace.database(index, now),
        state,
        id,
        now,
        command: registered,
        context,
    };
    let outcome = (registered.command.handler)(&mut call);
    let protocol = call.reply.protocol();
    reply.set_protocol(protocol);
    if let Err(fault) = &outcome {
        reply.cut(mark);
        reply.error(fault);
    }
    keyspace.settle();
    let changed = keyspace.changes.dirty != dirty;
    if state.effects.is_attached() {
        for (db, key) in keyspace.changes.vanished.drain(..) {
            state.effects.add(db, &[b"DEL", &key]);
        }
        state
            .effects
            .end_command(index, args, changed && registered.has(Flags::WRITE));
    }
    if state.monitors > 0
        && context != Context::Retry
        && !registered.has(Flags::SKIP_MONITOR.and(Flags::ADMIN))
    {
        state.feed_monitors(id, registered, args, context, now);
    }
    if state.tracking.clients > 0 {
        state.invalidate(&mut keyspace.changes);
        state.remember_keys(id, registered, args, context);
    }
    let waits = match context {
        Context::Retry => state.blocked.waits_on(),
        _ => state.clients.at(id).waiting.is_some(),
    };
    if !waits {
        let took_us = state.took_us(begun_us);
        let fault = outcome.as_ref().err();
        state
            .stats
            .called(registered, fault, took_us, state.config.latency_tracking);
        state.note_duration(id, registered, args, took_us, now);
    }
}

/// After a client's command: events are published, trackers told, blocked clients served, effects handed over.
fn after(keyspace: &mut Keyspace, state: &mut State, now: Now) {
    keyspace.changes.blocked = !state.blocked.is_empty();
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
            run(
                keyspace,
                state,
                id,
                &request.args(),
                &mut Reply::new(&mut outbox, protocol),
                now,
                Context::Retry,
            );
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

impl State {
    /// Writes to another client, through its outbox, unless it wants no replies.
    pub fn deliver(&mut self, id: ClientId, write: impl FnOnce(&mut Reply<'_>)) {
        let mode = self.clients.get(id).map(|client| client.reply_mode);
        if mode != Some(ReplyMode::Off) {
            self.push(id, write);
        }
    }

    /// Writes to another client what is no reply and comes also where replies are off: messages, invalidations.
    pub fn push(&mut self, id: ClientId, write: impl FnOnce(&mut Reply<'_>)) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        if client.killed {
            return;
        }
        write(&mut Reply::new(&mut client.outbox, client.protocol));
        let hard = self.config.output_limits[client.output_class()].hard_bytes;
        if hard > 0 && client.outbox.len() + client.output_bytes > hard {
            self.cut_off(id, "closed for overcoming of output buffer limits");
        }
        self.wake(id);
    }

    /// Makes the shell look after a client.
    pub fn wake(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get_mut(id)
            && !std::mem::replace(&mut client.woken, true)
        {
            self.woken.push(id);
        }
    }

    /// Sends a message to whoever subscribed; gives how many got it.
    pub fn publish(&mut self, space: Space, channel: &[u8], message: &[u8]) -> usize {
        if self.pubsub.is_empty() {
            return 0;
        }
        let receivers = self.pubsub.receivers(space, channel);
        for (id, pattern) in &receivers {
            self.push(*id, |reply| match pattern {
                None => {
                    reply.push(3);
                    reply.bulk(if space == Space::Shard {
                        "smessage"
                    } else {
                        "message"
                    });
                    reply.bulk(channel);
                    reply.bulk(message);
                }
                Some(pattern) => {
                    reply.push(4);
                    reply.bulk("pmessage");
                    reply.bulk(pattern);
                    reply.bulk(channel);
                    reply.bulk(message);
                }
            });
        }
        receivers.len()
    }

    fn publish_key_event(
        &mut self,
        notify: crate::changes::Class,
        event: &crate::changes::KeyEvent,
    ) {
        use crate::changes::Class;
        if notify.has(Class::KEYSPACE) {
            let mut channel = format!("__keyspace@{}__:", event.db).into_bytes();
            channel.extend_from_slice(&event.key);
            self.publish(Space::Channel, &channel, event.event.as_bytes());
        }
        if notify.has(Class::KEYEVENT) {
            let channel = format!("__keyevent@{}__:{}", event.db, event.event);
            self.publish(Space::Channel, channel.as_bytes(), &event.key);
        }
    }

    /// Makes a client wait; see [`Call::block`].
    pub(crate) fn block(
        &mut self,
        id: ClientId,
        db: usize,
        keys: &[&[u8]],
        kind: Kind,
        deadline_us: Option<u64>,
        request: Request,
    ) {
        if self.blocked.serving().is_some() {
            return self.blocked.wait_on();
        }
        let keys = keys.iter().map(|key| Blob::from(*key)).collect();
        let waiting = Box::new(Waiting {
            db,
            keys,
            kind,
            deadline_us,
            request,
        });
        self.blocked.add(id, &waiting);
        self.clients.at_mut(id).waiting = Some(waiting);
    }

    /// Ends a client's wait without a reply; whether it waited.
    pub fn unblock(&mut self, id: ClientId) -> bool {
        let Some(waiting) = self
            .clients
            .get_mut(id)
            .and_then(|client| client.waiting.take())
        else {
            return false;
        };
        self.blocked.remove(id, &waiting);
        self.wake(id);
        true
    }

    /// Ends a client's wait and counts its command as run. The reply is `fault`, or the one for a client whose time is
    /// over: no value, or, where it waited for no key but for replicas, that there are none.
    pub fn give_up(&mut self, id: ClientId, fault: Option<&Fault>) {
        let client = self.clients.get(id);
        let waiting = client.and_then(|client| client.waiting.as_deref());
        let for_keys = waiting.is_some_and(|waiting| !waiting.keys.is_empty());
        if !self.unblock(id) {
            return;
        }
        let command = self.clients.get(id).and_then(|client| client.last_command);
        if let Some(registered) = command {
            let measured = self.config.latency_tracking;
            self.stats.called(registered, fault, 0, measured);
        }
        self.deliver(id, |reply| match fault {
            Some(fault) => reply.error(fault),
            None if for_keys => reply.null_array(),
            None => reply.integer(0),
        });
    }

    /// Ends a pause and lets postponed clients go on.
    pub fn unpause(&mut self) {
        self.pause = None;
        let postponed: Vec<_> = self
            .clients
            .iter()
            .filter(|client| client.postponed)
            .map(|client| client.id)
            .collect();
        for id in postponed {
            if let Some(client) = self.clients.get_mut(id) {
                client.postponed = false;
            }
            self.wake(id);
        }
    }

    /// Opens a transaction.
    pub fn begin(&mut self, id: ClientId) {
        self.clients.at_mut(id).transaction = Some(Box::<Transaction>::default());
    }

    /// Drops a client's watched keys.
    pub fn unwatch(&mut self, keyspace: &mut Keyspace, id: ClientId) {
        if let Some(client) = self.clients.get_mut(id) {
            keyspace.changes.watch.remove(id, &client.watched);
            client.watched.clear();
            client.watched_expired.clear();
        }
    }

    /// Drops a client's subscriptions without telling it.
    pub fn unsubscribe_all(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        let all = std::mem::take(&mut *client.subscriptions);
        for (space, names) in [
            (Space::Channel, all.channels),
            (Space::Pattern, all.patterns),
            (Space::Shard, all.shard_channels),
        ] {
            for name in names {
                self.pubsub.remove(space, &name, id);
            }
        }
    }

    /// Closes a client: at once, or after its reply where it kills itself.
    pub fn kill(&mut self, id: ClientId, caller: ClientId) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        if id == caller {
            client.closing = true;
        } else {
            client.killed = true;
            self.wake(id);
        }
    }

    /// Begins or ends sending every command to this client.
    pub fn set_monitor(&mut self, id: ClientId, on: bool) {
        let client = self.clients.at_mut(id);
        if std::mem::replace(&mut client.monitors, on) != on {
            self.monitors = if on {
                self.monitors + 1
            } else {
                self.monitors - 1
            };
        }
    }

    /// Brings what is derived from the configuration up to date, after CONFIG SET.
    pub fn apply_config(&mut self, keyspace: &mut Keyspace) {
        keyspace.changes.notify = self.config.notify();
        let counts = self.config.maxmemory_policy.ends_with("lfu");
        keyspace.counting = counts.then(|| self.config.counting());
    }

    fn is_paused(&self, pause: Pause, id: ClientId, registered: &Registered) -> bool {
        let changes =
            |registered: &Registered| registered.has(Flags::WRITE.and(Flags::MAY_REPLICATE));
        let queue = self
            .clients
            .at(id)
            .transaction
            .as_ref()
            .map(|transaction| &transaction.queue);
        let exec_changes = registered.command.name == "EXEC"
            && queue.is_some_and(|queue| queue.iter().any(|(queued, _)| changes(queued)));
        let exempt = registered.command.name == "CLIENT" || registered.name.starts_with("client|");
        !exempt && (pause.all || changes(registered) || exec_changes)
    }

    /// Whether a command inside MULTI is refused for want of memory: a queue takes memory whatever it holds, so only
    /// the ways out of it are open.
    fn may_not_queue(&self, id: ClientId, registered: &Registered) -> bool {
        match registered.command.name {
            "EXEC" => self.queue_denies_oom(id),
            "DISCARD" | "QUIT" | "RESET" => false,
            _ => true,
        }
    }

    fn queue_denies_oom(&self, id: ClientId) -> bool {
        let transaction = self.clients.at(id).transaction.as_ref();
        transaction.is_some_and(|transaction| {
            transaction
                .queue
                .iter()
                .any(|(queued, _)| queued.has(Flags::DENY_OOM))
        })
    }
}

/// The protocol a client starts with.
pub const INITIAL_PROTOCOL: Protocol = Protocol::Resp2;
