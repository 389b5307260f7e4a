//! What the server holds besides its keys, and what commands do to other clients.

use crate::blocked::Blocked;
use crate::changes::{Class, KeyEvent};
use crate::client_state::{Clients, ReplyMode, Transaction, Waiting};
use crate::config::Config;
use crate::effects::{Effects, Request};
use crate::fault::Fault;
use crate::host::Host;
use crate::ids::{ClientId, CommandId};
use crate::keyspace::{Keyspace, Kind};
use crate::latency::Monitor;
use crate::pubsub::{PubSub, Space};
use crate::reply::Reply;
use crate::slowlog::SlowLog;
use crate::stats::Stats;
use crate::time::Now;
use crate::tracking::Tracking;
use crate::value::{Blob, Rng};

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
    /// The caller has further calls of this client at hand: see `charge`.
    pub(crate) more_follows: bool,
    /// Calls that await their share of the next reading of the clock.
    pub(crate) stride: Stride,
    /// Clients that the shell is to look after.
    pub(crate) woken: Vec<ClientId>,
    /// How many clients monitor.
    pub(crate) monitors: usize,
}

/// Calls since a reading of the clock that share the next one.
#[derive(Debug, Default)]
pub(crate) struct Stride {
    pub(crate) begun_us: u64,
    pub(crate) calls: u32,
    /// What they called, with how many calls in a row.
    pub(crate) runs: Vec<(CommandId, u32)>,
}

/// CLIENT PAUSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it ends, in microseconds of the steady clock.
    pub until_us: u64,
    /// Whether every command waits, not only writes.
    pub all: bool,
}

impl State {
    /// The state of a server that starts now and knows that many commands; `seed` determines its identity.
    pub(crate) fn new(config: Config, seed: u64, now: Now, commands: usize) -> Self {
        Self {
            config,
            clients: Clients::default(),
            pubsub: PubSub::default(),
            blocked: Blocked::default(),
            effects: Effects::default(),
            stats: Stats::new(commands),
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
            more_follows: false,
            stride: Stride::default(),
            woken: Vec::new(),
            monitors: 0,
        }
    }

    /// Whether anybody follows what clients do.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        self.effects.is_attached() || self.monitors > 0 || self.tracking.clients > 0
    }

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

    /// Publishes a key's event as `notify-keyspace-events` asks.
    pub(crate) fn publish_key_event(&mut self, notify: Class, event: &KeyEvent) {
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

    /// Makes a client wait; its call runs again when one of `keys` holds a value of `kind`.
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
        if let Some(command) = command {
            self.stats.called(command, fault);
            self.stats.took(command, 0, 1, self.config.latency_tracking);
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
            let watched = std::mem::take(&mut client.watched);
            keyspace.changes.watch.remove(id, watched.keys());
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

    /// Removes a client and everything it holds.
    pub(crate) fn forget(&mut self, keyspace: &mut Keyspace, id: ClientId) {
        self.unwatch(keyspace, id);
        self.unblock(id);
        keyspace.changes.blocked = !self.blocked.is_empty();
        self.unsubscribe_all(id);
        self.untrack(id);
        if let Some(client) = self.clients.remove(id) {
            self.monitors -= usize::from(client.monitors);
            self.clients_bytes = self.clients_bytes.saturating_sub(client.counted_bytes);
        }
    }

    /// Closes a client: after its reply where it kills itself, or at once. Then it is in no list any more from here on,
    /// though its connection has yet to find that it is gone.
    pub fn kill(&mut self, keyspace: &mut Keyspace, id: ClientId, caller: ClientId) {
        if id != caller {
            self.wake(id);
            self.forget(keyspace, id);
        } else if let Some(client) = self.clients.get_mut(id) {
            client.closing = true;
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
}

/// Forty hexadecimal digits.
pub(crate) fn random_id(rng: &mut Rng) -> String {
    let (a, b, c) = (rng.next_u64(), rng.next_u64(), rng.next_u64());
    format!("{a:016x}{b:016x}{:08x}", c >> 32)
}
