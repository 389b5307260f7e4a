//! The engine without sockets: whatever is asked of it, it answers, in the protocol that was agreed on, and what fails
//! changes nothing.

use arbitrary::{Arbitrary, Result, Unstructured};
use resp::{Decoder, Limits, Protocol};
use server::client_state::{Client, Peer, ReplyMode};
use server::commands::COMMANDS;
use server::config::Config;
use server::engine::{Engine, Flow, Now};
use server::ids::ClientId;
use server::output::Output;

use crate::agreement::name;
use crate::commands::{Call, below, call, callable};
use crate::generate::choice;
use crate::naive::{self, Value};
use crate::transcript::split_arguments;

/// Clients that call.
const CLIENTS: usize = 3;

/// Calls of one case.
const CALLS: usize = 60;

/// Longest string of a value, in bytes.
const LONGEST_BYTES: u64 = 16 * 1024;

/// Data after which a case ends: SORT may multiply a list with each call.
const DATA_BYTES: usize = 16 << 20;

/// Any calls, of any clients, at any time, are answered once each, in the protocol of the client, and leave memory
/// bounded; a call that fails changes nothing.
///
/// A case that begins with `0` is made by the generator of calls, under RESP2 or RESP3 by the next digit. Any other is
/// text: a call on each line, quoted as in redis-cli, `B> ` or `C> ` before it for another client, `wait 100` to let
/// so many milliseconds pass.
pub fn engine(u: &mut Unstructured<'_>) -> Result<()> {
    let is_text = choice(u, 2)? == 1;
    let protocol = 2 + choice(u, 2)?;
    let mut case = Case::new(protocol);
    let mut steps = if is_text {
        written(u.bytes(u.len())?)
    } else {
        Vec::new()
    };
    steps.reverse();
    for _ in 0..CALLS {
        let step = if is_text {
            steps.pop()
        } else {
            (!u.is_empty()).then(|| generated(u)).transpose()?
        };
        match step {
            None => break,
            Some(Step::Wait(milliseconds)) => case.wait(milliseconds),
            Some(Step::Call(client, call)) => {
                if !is_excluded(&call) && !case.execute(client, &call) {
                    break;
                }
            }
        }
    }
    case.end();
    Ok(())
}

enum Step {
    Wait(u64),
    Call(usize, Call),
}

fn generated(u: &mut Unstructured<'_>) -> Result<Step> {
    if u8::arbitrary(u)? > 250 {
        return Ok(Step::Wait(u.int_in_range(0..=100_000)?));
    }
    let client = [0, 0, 0, 1, 2][below(u, 5)?];
    let commands: Vec<_> = callable().collect();
    let chosen = below(u, commands.len())?;
    Ok(Step::Call(client, call(u, commands[chosen])?))
}

fn written(text: &[u8]) -> Vec<Step> {
    let text = String::from_utf8_lossy(text);
    let steps = text.lines().filter_map(|line| {
        let (client, line) = match line.as_bytes() {
            [b'B', b'>', ..] => (1, &line[2..]),
            [b'C', b'>', ..] => (2, &line[2..]),
            _ => (0, line),
        };
        if let Some(wait) = line.strip_prefix("wait ") {
            return Some(Step::Wait(wait.parse().unwrap_or_default()));
        }
        let call = split_arguments(line).ok()?;
        (!call.is_empty()).then_some(Step::Call(client, call))
    });
    steps.collect()
}

/// What is rightly large or endless: as many random members as asked for, as many keys, longer strings.
pub(super) fn is_excluded(call: &Call) -> bool {
    let large = |word: &Vec<u8>| {
        let number = std::str::from_utf8(word)
            .ok()
            .and_then(|word| word.parse::<i64>().ok());
        number.is_some_and(|number| number.unsigned_abs() > 1_000)
    };
    match name(call).as_str() {
        "srandmember" | "hrandfield" | "zrandmember" | "debug" => call.iter().skip(2).any(large),
        "config|set" => call
            .iter()
            .any(|word| word.eq_ignore_ascii_case(b"proto-max-bulk-len")),
        _ => false,
    }
}

struct Case {
    engine: Engine,
    now: Now,
    clients: Vec<ClientId>,
    /// Asks for digests.
    control: ClientId,
    /// The digest after the last call, and when that was.
    known: Option<(Now, Vec<String>)>,
}

impl Case {
    fn new(protocol: u8) -> Self {
        let now = Now {
            unix_us: 1_700_000_000_000_000,
            monotonic_us: 1_000_000,
        };
        let mut config = Config::default();
        config.proto_max_bulk_len = LONGEST_BYTES;
        config.enable_debug_command = "yes";
        config.databases = 4;
        let mut engine = Engine::new(config, 7, now);
        engine.attach_effects(true);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| engine.connect(Peer::default(), now))
            .collect();
        let control = engine.connect(Peer::default(), now);
        let mut case = Self {
            engine,
            now,
            clients,
            control,
            known: None,
        };
        for client in 0..CLIENTS {
            case.greet(client, protocol);
        }
        case
    }

    fn greet(&mut self, client: usize, protocol: u8) {
        let hello: [&[u8]; 2] = [b"HELLO", &[b'0' + protocol]];
        self.engine
            .execute(self.clients[client], &hello, &mut Output::new(), self.now);
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now = self.now.after_ms(milliseconds.min(1 << 40));
        self.engine.tick(self.now);
        self.deliver();
    }

    fn client(&mut self, client: usize) -> Option<&Client> {
        self.engine.state().clients.get(self.clients[client])
    }

    /// Runs a call. Its output is whole replies: one, where no rule has it otherwise, in the types of the protocol; what
    /// fails leaves the keys and their count of changes as they were; memory grows with what was there and what was
    /// sent, not with numbers. `false` ends the case.
    fn execute(&mut self, client: usize, call: &Call) -> bool {
        self.deliver();
        let was_evicting = self.engine.config().maxmemory > 0;
        let Some(before) = self.client(client) else {
            self.clients[client] = self.engine.connect(Peer::default(), self.now);
            return true;
        };
        if before.waiting.is_some() || before.postponed {
            return true;
        }
        let (was, mode, monitored) = (before.protocol, before.reply_mode, before.monitors);
        let queued = queued_names(before);
        let digest = match self.known.take() {
            Some((now, digest)) if now == self.now => digest,
            _ => self.digest(),
        };
        let dirty = self.engine.keyspace().changes.dirty;
        let memory = self.engine.keyspace().memory_bytes();
        let sent: usize = call.iter().map(Vec::len).sum();

        let args: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
        let mut out = Output::new();
        let flow = self
            .engine
            .execute(self.clients[client], &args, &mut out, self.now);
        drop(self.engine.take_freed());
        self.engine.state().effects.take();

        let name = name(call);
        if name == "exec" && queued.iter().any(|name| name.ends_with("subscribe")) {
            // In RESP3 confirmations are pushes, which EXEC's array would hold.
            return false;
        }
        let after = self.client(client);
        let gone = after.is_none();
        let (is, mode_after, monitors) = after.map_or((was, mode, monitored), |client| {
            (
                client.protocol,
                client.reply_mode,
                monitored || client.monitors,
            )
        });
        let shown = || {
            call.iter()
                .map(|word| word.escape_ascii().to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let bytes = out.to_vec();
        let replies =
            decoded(&bytes).unwrap_or_else(|| panic!("{}: {}", shown(), bytes.escape_ascii()));
        if was == Protocol::Resp2 && is == Protocol::Resp2 {
            assert!(
                replies.iter().all(is_resp2),
                "{}: {}",
                shown(),
                bytes.escape_ascii()
            );
        }
        let direct = replies
            .iter()
            .filter(|reply| !matches!(reply, Value::Push(_)))
            .count();
        let silent = mode != ReplyMode::On || mode_after != ReplyMode::On;
        let expected = match flow {
            Flow::Blocked | Flow::Postponed => 0,
            _ => 1,
        };
        let by_rule =
            name.ends_with("subscribe") || monitors || silent || gone || flow == Flow::Close;
        assert!(
            by_rule || direct == expected,
            "{}: {}",
            shown(),
            bytes.escape_ascii()
        );

        let has_failed = matches!(replies.first(), Some(Value::SimpleError(_)));
        // A call that lifts the limit was itself run under it.
        let is_evicting = was_evicting || self.engine.config().maxmemory > 0;
        if has_failed && !is_evicting {
            assert_eq!(self.engine.keyspace().changes.dirty, dirty, "{}", shown());
        }
        let unchanged = self.engine.keyspace().changes.dirty == dirty;
        let found = self.digest();
        if unchanged && !is_evicting {
            assert_eq!(found, digest, "{} ({})", shown(), bytes.escape_ascii());
        }
        self.known = Some((self.now, found));
        // SORT stores an element for each GET, EXEC does what all its calls do.
        let copies = args.len() + 4 + 60 * queued.len();
        let bound = (copies + 1) * (memory + sent + 4 * LONGEST_BYTES as usize) + (1 << 20);
        let memory = self.engine.keyspace().memory_bytes();
        assert!(memory < bound, "{}: {memory} bytes", shown());
        assert!(
            bytes.len() < 8 * bound,
            "{}: {} bytes of replies",
            shown(),
            bytes.len()
        );
        memory < DATA_BYTES
    }

    /// Takes what was sent to clients that did not ask: whole replies too.
    fn deliver(&mut self) {
        for id in self.engine.take_woken() {
            let mut out = Output::new();
            let flow = self.engine.outbox(id, &mut out);
            let bytes = out.to_vec();
            assert!(decoded(&bytes).is_some(), "{}", bytes.escape_ascii());
            if flow == Flow::Close {
                self.engine.disconnect(id);
            }
        }
    }

    /// Every key with what it holds, so far as it has not expired.
    fn digest(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        // Nothing keeps this client from its question, which removes nothing.
        let pause = self.engine.state().pause.take();
        let maxmemory = std::mem::take(&mut self.engine.state().config.maxmemory);
        if self.engine.is_killed(self.control) {
            self.control = self.engine.connect(Peer::default(), self.now);
        }
        for index in 0..self.engine.keyspace().databases() {
            let now = self.now;
            let db = self.engine.keyspace().database(index, now);
            let mut keys: Vec<Vec<u8>> = Vec::new();
            for (key, entry) in db.iter() {
                let (kind, len) = (entry.value().kind().name(), entry.value().len());
                let expiry = entry.expires_at();
                found.push(format!("{index} {key:?} {kind} {len} {expiry:?}"));
                keys.push(key.to_vec());
            }
            if keys.is_empty() {
                continue;
            }
            keys.sort();
            self.ask(&[b"SELECT", index.to_string().as_bytes()]);
            let mut question: Vec<&[u8]> = vec![b"DEBUG", b"DIGEST-VALUE"];
            question.extend(keys.iter().map(Vec::as_slice));
            found.push(self.ask(&question));
        }
        self.engine.state().pause = pause;
        self.engine.state().config.maxmemory = maxmemory;
        found.sort();
        found
    }

    fn ask(&mut self, question: &[&[u8]]) -> String {
        let mut out = Output::new();
        self.engine
            .execute(self.control, question, &mut out, self.now);
        out.to_vec().escape_ascii().to_string()
    }

    /// When all clients are gone nobody waits, and when all keys are gone nothing is counted.
    fn end(mut self) {
        for id in std::mem::take(&mut self.clients) {
            self.engine.disconnect(id);
        }
        assert!(self.engine.state().blocked.is_empty());
        let now = self.now;
        for index in 0..self.engine.keyspace().databases() {
            let mut db = self.engine.keyspace().database(index, now);
            let keys: Vec<Vec<u8>> = db.iter().map(|(key, _)| key.to_vec()).collect();
            for key in keys {
                assert!(db.remove(&key), "{}", key.escape_ascii());
            }
        }
        self.engine.keyspace().active_expiry = true;
        self.engine.keyspace().expire_due(now, usize::MAX);
        self.engine.keyspace().settle();
        assert_eq!(self.engine.keyspace().value_bytes(), 0);
    }
}

fn queued_names(client: &Client) -> Vec<&'static str> {
    let queue = client
        .transaction
        .iter()
        .flat_map(|transaction| &transaction.queue);
    queue
        .map(|(command, _)| COMMANDS.at(*command).name.as_str())
        .collect()
}

/// Every reply in `bytes`, as the codec and the naive decoder both find it; `None` where they don't.
fn decoded(bytes: &[u8]) -> Option<Vec<Value>> {
    let mut decoder = Decoder::new(Limits::client());
    let (mut replies, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let (value, length) = naive::decode(&bytes[at..]).ok()??;
        decoder.decode_one(&bytes[at..]).ok()??;
        assert_eq!(decoder.offset(), (at + length) as u64);
        replies.push(value);
        at += length;
    }
    Some(replies)
}

fn is_resp2(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().all(is_resp2),
        Value::SimpleString(_)
        | Value::SimpleError(_)
        | Value::Integer(_)
        | Value::BulkString(_)
        | Value::NullBulkString
        | Value::NullArray => true,
        _ => false,
    }
}
