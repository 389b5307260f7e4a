//! What the engine keeps about each connected client.

use std::collections::{BTreeSet, HashMap};

use resp::Protocol;

use crate::effects::Request;
use crate::ids::{ClientId, CommandId};
use crate::output::Output;
use crate::pubsub::Space;
use crate::time::Now;
use crate::tracking::Tracker;
use crate::value::Blob;

/// What the shell knows about a connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The client's address (`127.0.0.1:51234`, a socket's path), as CLIENT LIST prints it.
    pub address: String,
    /// Our end's address.
    pub local_address: String,
    /// The file descriptor, for CLIENT LIST; -1 where there is none.
    pub descriptor: i32,
}

impl Peer {
    /// Whether the client is on this machine, as far as its address tells.
    pub fn is_local(&self) -> bool {
        let address: Result<std::net::SocketAddr, _> = self.address.parse();
        address.map_or(true, |address| address.ip().to_canonical().is_loopback())
    }
}

/// Whether replies are sent (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Every reply.
    #[default]
    On,
    /// None.
    Off,
    /// All but the next command's.
    SkipNext,
    /// All but this one's.
    Skipping,
}

/// A transaction being queued.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The queued commands.
    pub queue: Vec<(CommandId, Request)>,
    /// Whether a command could not be queued, so that EXEC must refuse.
    pub aborted: bool,
}

/// What a client subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// Channels.
    pub channels: BTreeSet<Blob>,
    /// Patterns.
    pub patterns: BTreeSet<Blob>,
    /// Shard channels.
    pub shard_channels: BTreeSet<Blob>,
}

impl Subscriptions {
    /// The subscriptions of one name space.
    pub fn names(&mut self, space: Space) -> &mut BTreeSet<Blob> {
        match space {
            Space::Channel => &mut self.channels,
            Space::Pattern => &mut self.patterns,
            Space::Shard => &mut self.shard_channels,
        }
    }

    /// Channels and patterns together, the count SUBSCRIBE answers.
    pub fn count(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Whether there is any subscription.
    pub fn is_any(&self) -> bool {
        self.count() + self.shard_channels.len() > 0
    }
}

/// What a blocked client waits for.
#[derive(Debug)]
pub struct Waiting {
    /// The database of the keys.
    pub db: usize,
    /// The keys; none where it waits for replicas.
    pub keys: Vec<Blob>,
    /// The type a key must have to be of use.
    pub kind: crate::keyspace::Kind,
    /// When it gives up, on the steady clock in microseconds.
    pub deadline_us: Option<u64>,
    /// The call to run again.
    pub request: Request,
}

/// One client.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not states of one machine"
)]
#[derive(Debug)]
pub struct Client {
    /// Who it is.
    pub id: ClientId,
    /// Its connection.
    pub peer: Peer,
    /// When it came, on the steady clock in microseconds.
    pub connected_us: u64,
    /// When it spoke last, on the steady clock in microseconds.
    pub active_us: u64,
    /// The selected database.
    pub db: usize,
    /// The version spoken.
    pub protocol: Protocol,
    /// Whether it may run commands.
    pub authenticated: bool,
    /// The user it is.
    pub user: Blob,
    /// CLIENT SETNAME.
    pub name: Blob,
    /// CLIENT SETINFO LIB-NAME.
    pub library_name: Blob,
    /// CLIENT SETINFO LIB-VER.
    pub library_version: Blob,
    /// The last command.
    pub last_command: Option<CommandId>,
    /// The open transaction.
    pub transaction: Option<Box<Transaction>>,
    /// How many commands EXEC runs right now, and their bytes.
    pub executing: Option<(usize, usize)>,
    /// Watched keys, and whether each had expired unseen when it was watched.
    pub watched: HashMap<(usize, Blob), bool>,
    /// Pub/sub.
    pub subscriptions: Box<Subscriptions>,
    /// Client-side caching, where it is on.
    pub tracker: Option<Box<Tracker>>,
    /// What it waits for.
    pub waiting: Option<Box<Waiting>>,
    /// Its request is kept back while clients are paused.
    pub postponed: bool,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// CLIENT NO-EVICT.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// MONITOR.
    pub monitors: bool,
    /// The connection is to be closed once its output is written.
    pub closing: bool,
    /// The connection is to be closed at once (CLIENT KILL, output limit).
    pub killed: bool,
    /// What others sent it.
    pub outbox: Output,
    /// Since when the outbox is above its soft limit, on the steady clock in microseconds.
    pub soft_limit_since_us: Option<u64>,
    /// Whether it stands in the list of woken clients.
    pub woken: bool,
    /// Bytes read and not yet executed, as the shell reported them.
    pub query_bytes: usize,
    /// Bytes of replies not yet written, as the shell reported them.
    pub output_bytes: usize,
    /// What the client adds to the bytes of all clients.
    pub(crate) counted_bytes: usize,
}

impl Client {
    /// Whether any command is open to the client, and runs at once.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.authenticated && self.transaction.is_none() && !self.subscriptions.is_any()
    }

    /// Whether the client is a RESP2 subscriber, to which only a few commands are open.
    pub fn is_subscriber_only(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.subscriptions.is_any()
    }

    /// The class of `client-output-buffer-limit` it belongs to: 0 normal, 2 pub/sub.
    pub fn output_class(&self) -> usize {
        if self.subscriptions.is_any() { 2 } else { 0 }
    }

    /// How many commands are queued, or run by EXEC, and their bytes; `None` outside a transaction.
    pub fn queued(&self) -> Option<(usize, usize)> {
        let queued = self.transaction.as_ref().map(|transaction| {
            let bytes = transaction.queue.iter();
            let bytes = bytes.map(|(_, request)| request.memory_bytes()).sum();
            (transaction.queue.len(), bytes)
        });
        queued.or(self.executing)
    }

    /// Bytes that the client takes: buffers, queued commands, subscriptions.
    pub fn memory_bytes(&self) -> usize {
        let (_, queue) = self.queued().unwrap_or_default();
        let names = [
            &self.subscriptions.channels,
            &self.subscriptions.patterns,
            &self.subscriptions.shard_channels,
        ];
        let prefixes = self.tracker.iter().flat_map(|tracker| &tracker.prefixes);
        let watched = self.watched.keys().map(|(_, key)| key);
        let names: usize = names
            .into_iter()
            .flatten()
            .chain(prefixes)
            .chain(watched)
            .map(|name| size_of::<Blob>() + name.memory_bytes())
            .sum();
        size_of::<Self>()
            + size_of::<Subscriptions>()
            + self.query_bytes
            + self.output_bytes
            + self.outbox.len()
            + queue
            + names
    }

    /// The letters CLIENT LIST prints for it.
    pub fn flags(&self, watch_dirty: bool) -> String {
        let tracker = self.tracker.as_deref();
        let known = [
            (self.monitors, 'O'),
            (self.subscriptions.is_any(), 'P'),
            (self.queued().is_some(), 'x'),
            (self.waiting.is_some() || self.postponed, 'b'),
            (tracker.is_some(), 't'),
            (tracker.is_some_and(|tracker| tracker.broken), 'R'),
            (tracker.is_some_and(|tracker| tracker.broadcast), 'B'),
            (watch_dirty, 'd'),
            (self.closing, 'c'),
            (self.killed, 'A'),
            (self.no_evict, 'e'),
            (self.no_touch, 'T'),
        ];
        let letters: String = known
            .iter()
            .filter(|(yes, _)| *yes)
            .map(|(_, letter)| *letter)
            .collect();
        if letters.is_empty() {
            "N".to_owned()
        } else {
            letters
        }
    }
}

/// All clients, by id in O(1).
#[derive(Debug, Default)]
pub struct Clients {
    places: Vec<Option<Box<Client>>>,
    free: Vec<u32>,
    last_number: u64,
}

impl Clients {
    /// Adds a client.
    pub fn add(&mut self, peer: Peer, now: Now, authenticated: bool) -> ClientId {
        self.last_number += 1;
        let place = self.free.pop().unwrap_or(self.places.len() as u32);
        let id = ClientId {
            number: self.last_number,
            place,
        };
        let client = Box::new(Client {
            id,
            peer,
            connected_us: now.monotonic_us,
            active_us: now.monotonic_us,
            db: 0,
            protocol: Protocol::Resp2,
            authenticated,
            user: Blob::from(b"default"),
            name: Blob::new(),
            library_name: Blob::new(),
            library_version: Blob::new(),
            last_command: None,
            transaction: None,
            executing: None,
            watched: HashMap::new(),
            subscriptions: Box::default(),
            tracker: None,
            waiting: None,
            postponed: false,
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            monitors: false,
            closing: false,
            killed: false,
            outbox: Output::new(),
            soft_limit_since_us: None,
            woken: false,
            query_bytes: 0,
            output_bytes: 0,
            counted_bytes: 0,
        });
        if place as usize == self.places.len() {
            self.places.push(Some(client));
        } else {
            self.places[place as usize] = Some(client);
        }
        id
    }

    /// Removes a client.
    pub fn remove(&mut self, id: ClientId) -> Option<Box<Client>> {
        self.get(id)?;
        self.free.push(id.place);
        self.places[id.place as usize].take()
    }

    /// The client, unless it is gone.
    pub fn get(&self, id: ClientId) -> Option<&Client> {
        self.places
            .get(id.place as usize)?
            .as_deref()
            .filter(|client| client.id == id)
    }

    /// The client, unless it is gone.
    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.places
            .get_mut(id.place as usize)?
            .as_deref_mut()
            .filter(|client| client.id == id)
    }

    /// The client that runs a command, which is always there.
    pub(crate) fn at(&self, id: ClientId) -> &Client {
        match self.get(id) {
            Some(client) => client,
            None => unreachable!("a command runs for a client that is connected"),
        }
    }

    /// The client that runs a command, which is always there.
    pub(crate) fn at_mut(&mut self, id: ClientId) -> &mut Client {
        match self.get_mut(id) {
            Some(client) => client,
            None => unreachable!("a command runs for a client that is connected"),
        }
    }

    /// The client with that number. O(clients).
    pub fn by_number(&self, number: u64) -> Option<&Client> {
        self.iter().find(|client| client.id.number == number)
    }

    /// All clients, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.places.iter().flatten().map(|client| &**client)
    }

    /// All clients, to change, in no order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.places.iter_mut().flatten().map(|client| &mut **client)
    }

    /// All clients, in the order they came.
    pub fn sorted(&self) -> Vec<&Client> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by_key(|client| client.id.number);
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
