//! The engine and a real server side by side: the same calls go to both, and their replies, what they push to other
//! clients, their keyspace events and in the end their keys are compared.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use server::client_state::Peer;
use server::config::Config;
use server::engine::{Engine, Flow, Now};
use server::ids::ClientId;
use server::output::Output;

use crate::agreement::{
    agree, collect_leaves, is_sample, is_scan, left_out, may_change_uncounted, name, sampled,
};
use crate::commands::{Call, SHORT_EXPIRY_MS};
use crate::connection::{Connection, REPLY_LIMIT, encode};
use crate::naive::{self, Value};
use crate::notation::notation;

/// Clients that calls come from; one more only listens to keyspace events.
pub const CALLERS: usize = 2;
const OBSERVER: usize = CALLERS;

/// How long after its setting a short expiry is surely not over yet, on a machine that is not too busy.
const SURELY_BEFORE: Duration = Duration::from_millis(SHORT_EXPIRY_MS - 30);

/// How long after the first setting of a short expiry every one is over, as none is set after [`SURELY_BEFORE`].
const SURELY_AFTER: Duration =
    Duration::from_millis(SURELY_BEFORE.as_millis() as u64 + SHORT_EXPIRY_MS + 30);

/// Stands for the call where time has passed.
const TIME: &[u8] = b"(time)";

/// Thresholds so small that a few elements outgrow them.
const SMALL_THRESHOLDS: &[(&str, &str, &str)] = &[
    ("hash-max-listpack-entries", "4", "128"),
    ("hash-max-listpack-value", "8", "64"),
    ("set-max-intset-entries", "4", "512"),
    ("zset-max-listpack-entries", "4", "128"),
    ("zset-max-listpack-value", "8", "64"),
    ("list-max-listpack-size", "3", "-2"),
    ("hll-sparse-max-bytes", "40", "3000"),
];

/// What happens on both sides.
#[derive(Clone, Debug)]
pub enum Step {
    /// A client calls.
    Call {
        /// Below [`CALLERS`].
        client: usize,
        /// What it calls.
        call: Call,
    },
    /// Short expiries that were set are waited for.
    Wait,
}

/// Steps from an empty keyspace on.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// What the callers speak: 2 or 3.
    pub protocol: u8,
    /// Whether collections leave their packed encodings after a few elements.
    pub small_thresholds: bool,
    /// Whether keys are told of that reads miss.
    pub tells_misses: bool,
    /// What happens.
    pub steps: Vec<Step>,
}

/// How a sequence went.
#[derive(Debug)]
pub enum Outcome {
    /// Both servers answered alike; so many calls were compared.
    Agreed(usize),
    /// The machine was too slow to tell whether a key had to be there.
    Late,
    /// They answered differently.
    Differed(Difference),
}

/// A difference, and where it was found.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The step's number; as many as there are steps where the keys differ in the end.
    pub step: usize,
    /// The command's full name.
    pub command: String,
    /// The call, or what of the keys was asked.
    pub call: Call,
    /// What the engine gave.
    pub ours: String,
    /// What the real server gave.
    pub real: String,
}

/// Plays a sequence on a fresh engine and on the server at `address`, which it empties first.
///
/// # Errors
///
/// When the real server can't be talked to.
pub fn play(sequence: &Sequence, address: SocketAddr) -> Result<Outcome, String> {
    let mut pair = Pair::new(sequence, address)?;
    let mut calls = 0;
    for (number, step) in sequence.steps.iter().enumerate() {
        let result = match step {
            Step::Wait => pair.wait(),
            Step::Call { client, call } => {
                calls += 1;
                pair.call(*client, call)
            }
        };
        if pair.is_late() {
            return Ok(Outcome::Late);
        }
        if let Err(mut difference) = result {
            difference.step = number;
            return Ok(Outcome::Differed(*difference));
        }
    }
    let result = pair.compare_keys();
    if pair.is_late() {
        return Ok(Outcome::Late);
    }
    Ok(match result {
        Ok(()) => Outcome::Agreed(calls),
        Err(mut difference) => {
            difference.step = sequence.steps.len();
            Outcome::Differed(*difference)
        }
    })
}

type Compared = Result<(), Box<Difference>>;

struct Pair {
    protocol: u8,
    engine: Engine,
    started: Instant,
    ours: Vec<ClientId>,
    real: Vec<Connection>,
    our_control: ClientId,
    real_control: Connection,
    /// Calls that each client queued in a transaction.
    queues: Vec<Vec<Call>>,
    /// When a short expiry may have been set first.
    short_since: Option<Instant>,
    /// How many changes each side has counted when the sequence begins, and how many are for [`align`](Self::align).
    changes: (i64, i64),
    /// A call may have changed a key without Redis' counting it.
    uncounted: bool,
    /// The encoding of a set may be the real server's own business: it rebuilds sets for SPOP.
    rebuilds_sets: bool,
}

impl Pair {
    fn new(sequence: &Sequence, address: SocketAddr) -> Result<Self, String> {
        let mut config = Config::default();
        let mut real_control = Connection::open(address, 2)?;
        command(&mut real_control, &["FLUSHALL"])?;
        // Its cycle would remove a key whose time is over between any two steps; so a key goes when a call comes across it.
        command(&mut real_control, &["DEBUG", "SET-ACTIVE-EXPIRE", "0"])?;
        let thresholds = SMALL_THRESHOLDS.iter().map(|(name, small, usual)| {
            (
                *name,
                if sequence.small_thresholds {
                    *small
                } else {
                    *usual
                },
            )
        });
        let events = if sequence.tells_misses {
            "KEAnm"
        } else {
            "KEAn"
        };
        let mut settings = vec!["CONFIG", "SET", "notify-keyspace-events", events];
        for (name, value) in thresholds {
            settings.extend([name, value]);
        }
        command(&mut real_control, &settings)?;
        for setting in settings[2..].chunks_exact(2) {
            config
                .set(setting[0].as_bytes(), setting[1].as_bytes())
                .map_err(|error| error.to_string())?;
        }
        let started = Instant::now();
        let now = now(started);
        let mut engine = Engine::new(config, 1, now);
        let ours = (0..=CALLERS)
            .map(|_| engine.connect(Peer::default(), now))
            .collect();
        let our_control = engine.connect(Peer::default(), now);
        let real = (0..=CALLERS)
            .map(|client| {
                Connection::open(
                    address,
                    if client == OBSERVER {
                        2
                    } else {
                        sequence.protocol
                    },
                )
            })
            .collect::<Result<_, _>>()?;
        let mut pair = Self {
            protocol: sequence.protocol,
            engine,
            started,
            ours,
            real,
            our_control,
            real_control,
            queues: vec![Vec::new(); CALLERS],
            short_since: None,
            changes: (0, 0),
            uncounted: false,
            rebuilds_sets: false,
        };
        let hello = [
            b"HELLO".to_vec(),
            sequence.protocol.to_string().into_bytes(),
        ];
        for client in 0..CALLERS {
            pair.run(pair.ours[client], &hello);
        }
        let subscribe = [b"PSUBSCRIBE".to_vec(), b"__key*".to_vec()];
        pair.run(pair.ours[OBSERVER], &subscribe);
        pair.real[OBSERVER].call(&subscribe)?;
        pair.changes = pair.counted_changes();
        Ok(pair)
    }

    /// Runs a call on the engine: its replies, and whether the client may go on.
    fn run(&mut self, id: ClientId, call: &[Vec<u8>]) -> (Vec<Value>, Flow) {
        let args: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
        let mut out = Output::new();
        let flow = self.engine.execute(id, &args, &mut out, now(self.started));
        drop(self.engine.take_freed());
        (decoded(&out), flow)
    }

    fn is_late(&self) -> bool {
        self.short_since
            .is_some_and(|since| since.elapsed() > SURELY_BEFORE)
    }

    fn is_blocked(&mut self, client: usize) -> bool {
        let id = self.ours[client];
        let clients = &self.engine.state().clients;
        clients
            .get(id)
            .is_some_and(|client| client.waiting.is_some())
    }

    fn wait(&mut self) -> Compared {
        let Some(since) = self.short_since.take() else {
            return Ok(());
        };
        sleep(SURELY_AFTER.saturating_sub(since.elapsed()));
        let databases = self.databases();
        let now = now(self.started);
        self.engine.tick(now);
        for db in databases {
            self.look(db, &scan_of_everything());
        }
        self.compare_others(&vec![TIME.to_vec()])
    }

    fn call(&mut self, client: usize, call: &Call) -> Compared {
        let free: Vec<usize> = (0..CALLERS)
            .map(|step| (client + step) % CALLERS)
            .filter(|client| !self.is_blocked(*client))
            .collect();
        let client = if let Some(free) = free.first() {
            *free
        } else {
            self.unblock()?;
            client
        };
        let name = name(call);
        self.uncounted |= may_change_uncounted(call);
        let id = self.ours[client];
        let queueing = (self.engine.state().clients.get(id))
            .is_some_and(|client| client.transaction.is_some());
        // In a transaction the sets can't be made alike again, nor expired keys removed before chance meets them, and
        // confirmations are pushes inside of EXEC's array.
        // Redis 7.0 puts messages to a subscriber inside of that array too; a RESP2 subscriber can't call EXEC.
        let client_state = self.engine.state().clients.get(id);
        let untold = queueing
            && (name == "spop" || meets_expired_keys_by_chance(&name)
                || name.ends_with("subscribe")
                || client_state.is_some_and(|client| client.subscriptions.is_any()))
            || name == "object|encoding" && self.rebuilds_sets
            // It even puts them into the middle of other replies, where a command tells of keys while it answers.
            || self.protocol == 3 && name == "psubscribe" && call.iter().skip(1).any(|pattern| meets_key_events(pattern));
        if left_out(call).is_some() || untold || self.is_range_of_unequal(client, call, &name) {
            return Ok(());
        }
        if self.short_since.is_none() && call.contains(&SHORT_EXPIRY_MS.to_string().into_bytes()) {
            self.short_since = Some(Instant::now());
        }
        if meets_expired_keys_by_chance(&name) {
            let db = self.db_of(client);
            self.look(db, &scan_of_everything());
            self.compare_others(call)?;
        }
        if is_scan(&name) && !queueing {
            return self.scan(client, call, &name);
        }
        let population =
            (is_sample(&name) && !queueing).then(|| self.population(client, call, &name));
        let (ours, flow) = self.run(self.ours[client], call);
        let real = self.real_replies(client, call, ours.len(), flow)?;
        self.compare(client, call, &name, &ours, &real, population.as_deref())?;
        self.compare_others(call)?;
        if name == "spop" && population.is_some() {
            self.align(client, call, &ours, &real);
        }
        Ok(())
    }

    /// Whether a range of members is asked of a sorted set whose scores differ: it is not defined.
    fn is_range_of_unequal(&mut self, client: usize, call: &Call, name: &str) -> bool {
        let by_lex =
            name.contains("lex") || call.iter().any(|word| word.eq_ignore_ascii_case(b"bylex"));
        if !by_lex || !name.starts_with('z') {
            return false;
        }
        let db = self.db_of(client);
        call.iter().skip(1).take(2).any(|key| {
            let question =
                ["ZRANGE", "", "0", "-1", "WITHSCORES"].map(|word| word.as_bytes().to_vec());
            let mut question = question.to_vec();
            question[1].clone_from(key);
            match self.look(db, &question) {
                Some(Value::Array(elements)) => {
                    let mut scores = elements.chunks(2).filter_map(|pair| pair.get(1));
                    let first = scores.next();
                    scores.any(|score| Some(score) != first)
                }
                _ => false,
            }
        })
    }

    fn compare(
        &mut self,
        client: usize,
        call: &Call,
        name: &str,
        ours: &[Value],
        real: &[Value],
        population: Option<&[String]>,
    ) -> Compared {
        let is_alike = |(ours, real): (&Value, &Value)| match population {
            Some(population) => sampled(call, ours, real, population),
            None => agree(call, ours, real),
        };
        let queue = match (name, ours) {
            (_, [Value::SimpleString(text)]) if text == b"QUEUED" => {
                self.queues[client].push(call.clone());
                None
            }
            ("exec", [Value::Array(_)]) => Some(std::mem::take(&mut self.queues[client])),
            ("exec" | "discard" | "reset", _) => {
                self.queues[client].clear();
                None
            }
            _ => None,
        };
        let alike = match (queue, ours, real) {
            (Some(queue), [Value::Array(ours)], [Value::Array(real)]) => {
                ours.len() == real.len()
                    && queue.len() == ours.len()
                    && queue
                        .iter()
                        .zip(ours.iter().zip(real))
                        .all(|(call, (ours, real))| agree(call, ours, real))
            }
            _ if name.ends_with("unsubscribe") && call.len() == 1 => {
                any_order(ours) == any_order(real)
            }
            _ => {
                // What a client publishes to itself follows the reply since Redis 7.2, and went before it in 7.0.
                let ((ours, sent), (real, really)) = (parted(ours), parted(real));
                ours.len() == real.len()
                    && ours.iter().zip(&real).all(is_alike)
                    && any_order(&sent) == any_order(&really)
            }
        };
        if alike {
            Ok(())
        } else {
            Err(difference(call, ours, real))
        }
    }

    /// What the real server answers to `call`: `count` replies, and whatever else is there when it is done with it.
    fn real_replies(
        &mut self,
        client: usize,
        call: &Call,
        count: usize,
        flow: Flow,
    ) -> Result<Vec<Value>, Box<Difference>> {
        let connection = &mut self.real[client];
        let failed = |what: String| {
            Box::new(Difference {
                step: 0,
                command: name(call),
                call: call.clone(),
                ours: format!("{count} replies"),
                real: what,
            })
        };
        connection.send(&encode(call)).map_err(failed)?;
        let mut replies = Vec::new();
        while replies.len() < count {
            match connection.read_within(REPLY_LIMIT) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(gone) => return Err(failed(gone.to_string())),
            }
        }
        // The first may be served before the call, where nothing was waited for; the second can't be.
        for _ in 0..=usize::from(count == 0 || flow == Flow::Blocked) {
            self.barrier();
        }
        while let Ok(Some(reply)) = self.real[client].read_arrived() {
            replies.push(reply);
        }
        Ok(replies)
    }

    /// Waits until the real server has done and written everything that was asked before.
    fn barrier(&mut self) {
        // Where it is gone, the next call says so.
        let _ = self.real_control.call(&[b"PING".to_vec()]);
    }

    /// Compares what clients got that did not call.
    fn compare_others(&mut self, call: &Call) -> Compared {
        let mut ours = vec![Vec::new(); CALLERS + 1];
        for id in self.engine.take_woken() {
            let mut out = Output::new();
            self.engine.outbox(id, &mut out);
            if let Some(client) = self.ours.iter().position(|other| *other == id) {
                ours[client] = decoded(&out);
            }
        }
        let is_wait = call.first().is_some_and(|name| name == TIME);
        let busy = ours.iter().any(|replies| !replies.is_empty());
        if busy {
            self.barrier();
        }
        for (client, ours) in ours.into_iter().enumerate() {
            let mut real = Vec::new();
            while let Ok(Some(reply)) = self.real[client].read_arrived() {
                real.push(reply);
            }
            let ((ours_direct, sent), (real_direct, really)) = (parted(&ours), parted(&real));
            // The observer has one pattern, so that its events are in order, but for those of keys that expired meanwhile.
            // SORT looks up what it sorts by in the order of a hash table.
            let in_order = client == OBSERVER && !is_wait && !name(call).starts_with("sort");
            let alike = ours == real
                || (!in_order
                    && ours_direct == real_direct
                    && any_order(&sent) == any_order(&really));
            if !alike {
                let mut found = difference(call, &ours, &real);
                let who = if client == OBSERVER {
                    "observer"
                } else {
                    "other client"
                };
                found.command = format!("{} ({who})", found.command);
                return Err(found);
            }
        }
        Ok(())
    }

    /// Ends all waiting, on both sides.
    fn unblock(&mut self) -> Compared {
        for client in 0..CALLERS {
            if !self.is_blocked(client) {
                continue;
            }
            let id = self.ours[client].number().to_string().into_bytes();
            let (ours, _) = self.run(self.our_control, &unblock(id));
            let call = unblock(self.real[client].id.clone());
            let real = self.real_control.call(&call);
            let real: Vec<Value> = real.into_iter().collect();
            if ours != real {
                return Err(difference(&call, &ours, &real));
            }
            self.compare_others(&call)?;
        }
        Ok(())
    }

    /// Compares whole walks: each begins at zero, and both give the same elements.
    fn scan(&mut self, client: usize, call: &Call, name: &str) -> Compared {
        let at = if name == "scan" { 1 } else { 2 };
        let mut call = call.clone();
        let is_cursor = |word: &Vec<u8>| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
        match call.get_mut(at) {
            Some(cursor) if is_cursor(cursor) => *cursor = b"0".to_vec(),
            _ => {
                let (ours, _) = self.run(self.ours[client], &call);
                let real = self.real_replies(client, &call, ours.len(), Flow::Continue)?;
                self.compare(client, &call, name, &ours, &real, None)?;
                return self.compare_others(&call);
            }
        }
        let (mut ours, mut real) = (BTreeSet::new(), BTreeSet::new());
        let pairs = matches!(name, "hscan" | "zscan");
        let mut next = call.clone();
        loop {
            let (reply, _) = self.run(self.ours[client], &next);
            match walked(&reply, pairs, &mut ours) {
                Some(cursor) if cursor != b"0" => next[at] = cursor,
                Some(_) => break,
                None => {
                    // An error: then the other has the same.
                    let real = self.real_replies(client, &next, 1, Flow::Continue)?;
                    self.compare(client, &next, name, &reply, &real, None)?;
                    return self.compare_others(&call);
                }
            }
        }
        next.clone_from(&call);
        loop {
            let reply = self.real_replies(client, &next, 1, Flow::Continue)?;
            match walked(&reply, pairs, &mut real) {
                Some(cursor) if cursor != b"0" => next[at] = cursor,
                Some(_) => break,
                None => {
                    return Err(difference(
                        &call,
                        &[Value::BulkString(b"a walk".to_vec())],
                        &reply,
                    ));
                }
            }
        }
        if ours == real {
            return self.compare_others(&call);
        }
        let list = |walk: BTreeSet<String>| {
            vec![Value::BulkString(
                walk.into_iter().collect::<Vec<_>>().join(" ").into_bytes(),
            )]
        };
        Err(difference(&call, &list(ours), &list(real)))
    }

    /// What a sample is taken from, as the real server has it.
    fn population(&mut self, client: usize, call: &Call, name: &str) -> Vec<String> {
        let key = call.get(1).cloned().unwrap_or_default();
        let (first, rest): (&str, &[&str]) = match name {
            "randomkey" => ("KEYS", &["*"]),
            "hrandfield" => ("HGETALL", &[]),
            "zrandmember" => ("ZRANGE", &["0", "-1", "WITHSCORES"]),
            _ => ("SMEMBERS", &[]),
        };
        let mut question = vec![first.as_bytes().to_vec()];
        if name != "randomkey" {
            question.push(key);
        }
        question.extend(rest.iter().map(|word| word.as_bytes().to_vec()));
        let db = self.db_of(client);
        let mut leaves = Vec::new();
        if let Some(reply) = self.look(db, &question) {
            collect_leaves(&reply, &mut leaves);
        }
        leaves
    }

    /// The database that a client has selected.
    fn db_of(&mut self, client: usize) -> usize {
        let id = self.ours[client];
        (self.engine.state().clients.get(id)).map_or(0, |client| client.db)
    }

    /// Every database that holds keys on either side.
    fn databases(&mut self) -> BTreeSet<usize> {
        let keyspace = self.engine.keyspace();
        let ours: Vec<usize> = (0..keyspace.databases())
            .filter(|db| keyspace.sizes(*db).0 > 0)
            .collect();
        let question = [b"INFO".to_vec(), b"keyspace".to_vec()];
        let found = self.real_control.call(&question).ok();
        let text = found.iter().flat_map(texts).flatten().collect();
        let text = String::from_utf8(text).unwrap_or_default();
        let real = text
            .lines()
            .filter_map(|line| line.strip_prefix("db")?.split(':').next()?.parse().ok());
        ours.into_iter().chain(real).collect()
    }

    /// What the real server answers to a question about a database; the engine is asked too, because a question may come
    /// across an expired key, which is removed then.
    fn look(&mut self, db: usize, question: &Call) -> Option<Value> {
        let select = vec![b"SELECT".to_vec(), db.to_string().into_bytes()];
        for call in [&select, question] {
            self.run(self.our_control, call);
        }
        self.real_control.call(&select).ok()?;
        self.real_control.call(question).ok()
    }

    /// After SPOP: the real server's set is made to hold what the engine's holds.
    fn align(&mut self, client: usize, call: &Call, ours: &[Value], real: &[Value]) {
        let Some(key) = call.get(1).cloned() else {
            return;
        };
        let members =
            |replies: &[Value]| -> BTreeSet<Vec<u8>> { replies.iter().flat_map(texts).collect() };
        let (ours, real) = (members(ours), members(real));
        if call.len() > 2 {
            self.rebuilds_sets = true;
        }
        if ours == real {
            return;
        }
        let select = [
            b"SELECT".to_vec(),
            self.db_of(client).to_string().into_bytes(),
        ];
        let _ = self.real_control.call(&select);
        // Added first, so that the set is never empty in between.
        for (name, members) in [
            ("SADD", real.difference(&ours)),
            ("SREM", ours.difference(&real)),
        ] {
            let mut request = vec![name.as_bytes().to_vec(), key.clone()];
            request.extend(members.cloned());
            if let Ok(Value::Integer(moved)) = self.real_control.call(&request) {
                self.changes.1 += moved;
            }
        }
        self.barrier();
        // The observer saw that too, and whoever subscribed to such events.
        for real in &mut self.real {
            while let Ok(Some(_)) = real.read_arrived() {}
        }
    }

    /// Compares every key of both: type, encoding, expiry, value.
    fn compare_keys(&mut self) -> Compared {
        self.unblock()?;
        for db in self.databases() {
            self.ask(&["SELECT", &db.to_string()])?;
            let keys = self.ask(&["KEYS", "*"])?;
            let mut keys: Vec<Vec<u8>> = keys.iter().flat_map(texts).collect();
            keys.sort();
            for key in keys {
                let kind = self.ask_about("TYPE", &key, &[])?;
                self.ask_about("PTTL", &key, &[])?;
                if !(self.rebuilds_sets && notation(&kind) == "+set") {
                    let question = vec![b"OBJECT".to_vec(), b"ENCODING".to_vec(), key.clone()];
                    self.ask_both(&question)?;
                }
                match notation(&kind).as_str() {
                    "+string" => self.ask_about("GET", &key, &[])?,
                    "+list" => self.ask_about("LRANGE", &key, &["0", "-1"])?,
                    "+set" => self.ask_about("SMEMBERS", &key, &[])?,
                    "+hash" => self.ask_about("HGETALL", &key, &[])?,
                    _ => self.ask_about("ZRANGE", &key, &["0", "-1", "WITHSCORES"])?,
                };
            }
        }
        self.compare_changes()
    }

    /// Compares by how much the counter of changes since the last save has risen.
    fn compare_changes(&mut self) -> Compared {
        if self.uncounted {
            return Ok(());
        }
        let (ours, real) = self.counted_changes();
        let (ours, real) = (ours - self.changes.0, real - self.changes.1);
        if ours == real {
            return Ok(());
        }
        let question = ["INFO", "persistence"].map(|word| word.as_bytes().to_vec());
        let mut found = difference(
            &question.to_vec(),
            &[Value::Integer(ours)],
            &[Value::Integer(real)],
        );
        "changes since the last save".clone_into(&mut found.command);
        Err(found)
    }

    /// `rdb_changes_since_last_save` of the engine and of the real server.
    fn counted_changes(&mut self) -> (i64, i64) {
        let question = ["INFO", "persistence"].map(|word| word.as_bytes().to_vec());
        let (ours, _) = self.run(self.our_control, &question);
        let real = self.real_control.call(&question);
        let count = |reply: Option<Value>| {
            let texts = reply.as_ref().map(texts).unwrap_or_default();
            let text = String::from_utf8_lossy(&texts.concat()).into_owned();
            let mut lines = text.lines();
            lines
                .find_map(|line| {
                    line.strip_prefix("rdb_changes_since_last_save:")?
                        .parse()
                        .ok()
                })
                .expect("INFO counts changes")
        };
        (count(ours.into_iter().next()), count(real.ok()))
    }

    fn ask_about(
        &mut self,
        name: &str,
        key: &[u8],
        rest: &[&str],
    ) -> Result<Value, Box<Difference>> {
        let mut question = vec![name.as_bytes().to_vec(), key.to_vec()];
        question.extend(rest.iter().map(|word| word.as_bytes().to_vec()));
        let replies = self.ask_both(&question)?;
        Ok(replies.into_iter().next().unwrap_or(Value::Null))
    }

    fn ask(&mut self, words: &[&str]) -> Result<Vec<Value>, Box<Difference>> {
        let question: Call = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        self.ask_both(&question)
    }

    /// Asks both control clients; the engine's replies, where they agree.
    fn ask_both(&mut self, question: &Call) -> Result<Vec<Value>, Box<Difference>> {
        let (ours, _) = self.run(self.our_control, question);
        let real = self.real_control.call(question);
        let real: Vec<Value> = real.into_iter().collect();
        if ours.len() == real.len()
            && ours
                .iter()
                .zip(&real)
                .all(|(ours, real)| agree(question, ours, real))
        {
            return Ok(ours);
        }
        let mut found = difference(question, &ours, &real);
        found.command = format!("{} (in the end)", found.command);
        Err(found)
    }
}

/// The replies, and the messages among them.
fn parted(values: &[Value]) -> (Vec<Value>, Vec<Value>) {
    values.iter().cloned().partition(|value| !is_message(value))
}

/// Whether the call removes expired keys that it comes across, where others in their place would do: RANDOMKEY those that
/// it draws, SCAN those that MATCH lets pass (ours: all).
fn meets_expired_keys_by_chance(name: &str) -> bool {
    matches!(name, "randomkey" | "scan")
}

fn is_message(value: &Value) -> bool {
    match value {
        Value::Push(_) => true,
        Value::Array(elements) => matches!(
            elements.first(),
            Some(Value::BulkString(kind)) if kind == b"message" || kind == b"pmessage" || kind == b"smessage"
        ),
        _ => false,
    }
}

/// What of messages and confirmations is defined: each one's texts, and how many subscriptions are left in turn. Several
/// patterns that match, and several channels that are left, follow the order of a hash table.
fn any_order(values: &[Value]) -> (Vec<String>, Vec<String>) {
    let (mut texts, mut counts) = (Vec::new(), Vec::new());
    for value in values {
        let mut leaves = Vec::new();
        collect_leaves(value, &mut leaves);
        counts.extend(leaves.extract_if(.., |leaf| leaf.starts_with(':')));
        texts.push(leaves.join(" "));
    }
    texts.sort();
    (texts, counts)
}

/// Both clocks: the wall clock as the real server has it, so that their times compare.
fn now(started: Instant) -> Now {
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        unix_us: i64::try_from(unix.as_micros()).unwrap_or(i64::MAX),
        monotonic_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

/// Every reply in `out`; bytes that are none are shown as a reply that matches nothing.
fn decoded(out: &Output) -> Vec<Value> {
    let bytes = out.to_vec();
    let (mut replies, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if let Ok(Some((value, length))) = naive::decode(&bytes[at..]) {
            replies.push(value);
            at += length;
        } else {
            let rest = bytes[at..].escape_ascii().to_string();
            replies.push(Value::BulkError(format!("malformed {rest}").into_bytes()));
            break;
        }
    }
    replies
}

/// The cursor of a reply to SCAN; its elements go to `walk`.
fn walked(replies: &[Value], pairs: bool, walk: &mut BTreeSet<String>) -> Option<Vec<u8>> {
    let [Value::Array(parts)] = replies else {
        return None;
    };
    let [Value::BulkString(cursor), Value::Array(elements)] = parts.as_slice() else {
        return None;
    };
    for group in elements.chunks(1 + usize::from(pairs)) {
        walk.insert(group.iter().map(notation).collect::<Vec<_>>().join(" "));
    }
    Some(cursor.clone())
}

fn texts(value: &Value) -> Vec<Vec<u8>> {
    match value {
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            elements.iter().flat_map(texts).collect()
        }
        Value::BulkString(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// Whether a pattern may match the channels of keyspace events.
fn meets_key_events(pattern: &[u8]) -> bool {
    !pattern.first().is_some_and(u8::is_ascii_alphanumeric)
}

/// One step of SCAN that comes across every key of a database, and so removes the expired ones.
fn scan_of_everything() -> Call {
    ["SCAN", "0", "COUNT", "100000"]
        .map(|word| word.as_bytes().to_vec())
        .to_vec()
}

fn unblock(id: Vec<u8>) -> Call {
    vec![b"CLIENT".to_vec(), b"UNBLOCK".to_vec(), id]
}

#[allow(clippy::unnecessary_box_returns)] // It is an error, and as such is best small.
fn difference(call: &Call, ours: &[Value], real: &[Value]) -> Box<Difference> {
    let text = |values: &[Value]| match values {
        [] => "nothing".to_owned(),
        values => values.iter().map(notation).collect::<Vec<_>>().join("\n"),
    };
    Box::new(Difference {
        step: 0,
        command: name(call),
        call: call.clone(),
        ours: text(ours),
        real: text(real),
    })
}

fn command(connection: &mut Connection, words: &[&str]) -> Result<(), String> {
    let call: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    match connection.call(&call)? {
        Value::SimpleError(text) => Err(String::from_utf8_lossy(&text).into_owned()),
        _ => Ok(()),
    }
}
