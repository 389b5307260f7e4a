//! What connections have to answer: the same requests, one after the other, straight on an engine.

use resp::{ErrorKind, Limits};
use server::client_state::Peer;
use server::engine::{Engine, Flow, Now};
use server::ids::ClientId;
use server::output::Output;

use crate::agreement::name;
use crate::commands::Call;
use crate::naive_request;

use super::super::engine::is_excluded;

/// Replies of a case at most; it ends before one that has more.
const REPLY_BYTES: usize = 6 << 20;

/// Data of a case at most.
const DATA_BYTES: usize = 8 << 20;

/// How a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its next request would run.
    Ready,
    /// It waits for a key, or for the end of a pause.
    Waits,
    /// It was told good-bye: everything written is to arrive.
    Closed,
    /// It was cut off, and what it has not read is gone.
    Killed,
    /// It went by itself.
    Left,
}

/// The case asks for what the engine alone can't know, or for too much.
pub(super) struct Unanswerable;

#[derive(Debug)]
pub(super) struct Model {
    pub(super) engine: Engine,
    /// Bytes of the largest reply, or of what others sent at once.
    pub(super) largest: usize,
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    sent: Vec<u8>,
    /// Bytes of `sent` whose requests have run.
    run: usize,
    replies: Vec<u8>,
    standing: Standing,
}

impl Model {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            largest: 0,
            clients: Vec::new(),
        }
    }

    pub(super) fn connect(&mut self, now: Now) {
        self.clients.push(Client {
            id: self.engine.connect(Peer::default(), now),
            sent: Vec::new(),
            run: 0,
            replies: Vec::new(),
            standing: Standing::Ready,
        });
    }

    pub(super) fn id(&self, index: usize) -> ClientId {
        self.clients[index].id
    }

    pub(super) fn standing(&self, index: usize) -> Standing {
        self.clients[index].standing
    }

    /// Everything it was answered so far.
    pub(super) fn replies(&self, index: usize) -> &[u8] {
        &self.clients[index].replies
    }

    /// Bytes of requests that have not run.
    pub(super) fn unread(&self, index: usize) -> usize {
        let client = &self.clients[index];
        client.sent.len() - client.run
    }

    pub(super) fn send(&mut self, index: usize, bytes: &[u8]) {
        self.clients[index].sent.extend_from_slice(bytes);
    }

    /// A client goes away.
    pub(super) fn leave(&mut self, index: usize) {
        if matches!(
            self.clients[index].standing,
            Standing::Ready | Standing::Waits
        ) {
            self.end(index, Standing::Left);
        }
    }

    fn end(&mut self, index: usize, standing: Standing) {
        self.clients[index].standing = standing;
        self.engine.disconnect(self.clients[index].id);
    }

    /// Lets each client in turn go on until none can.
    pub(super) fn settle(&mut self, now: Now) -> Result<(), Unanswerable> {
        loop {
            self.engine.take_woken();
            for index in 0..self.clients.len() {
                self.run(index, now)?;
            }
            if !self.engine.has_woken() {
                return Ok(());
            }
        }
    }

    /// Runs a client's requests until there is none, it has to wait, or it is gone.
    pub(super) fn run(&mut self, index: usize, now: Now) -> Result<(), Unanswerable> {
        while matches!(self.standing(index), Standing::Ready | Standing::Waits) {
            let id = self.clients[index].id;
            let mut out = Output::new();
            let flow = self.engine.outbox(id, &mut out);
            let killed = self.engine.is_killed(id);
            if !killed {
                self.answer(index, &out)?;
            }
            self.follow(index, flow, killed);
            if self.standing(index) != Standing::Ready {
                break;
            }
            if !self.run_next(index, now)? {
                break;
            }
        }
        Ok(())
    }

    /// Runs the next request, if it is whole.
    fn run_next(&mut self, index: usize, now: Now) -> Result<bool, Unanswerable> {
        let limits = self.limits(index);
        let client = &mut self.clients[index];
        let (call, length) = match naive_request::read(&client.sent[client.run..], &limits) {
            Ok(None) => return Ok(false),
            Ok(Some(found)) => found,
            Err((ErrorKind::FrameTooLong, _)) => {
                self.end(index, Standing::Closed);
                return Ok(false);
            }
            Err((kind, _)) => {
                client
                    .replies
                    .extend_from_slice(format!("-ERR {kind}\r\n").as_bytes());
                self.end(index, Standing::Closed);
                return Ok(false);
            }
        };
        if self.is_unanswerable(&call) {
            return Err(Unanswerable);
        }
        let args: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
        let mut out = Output::new();
        let id = self.clients[index].id;
        let flow = self.engine.execute(id, &args, &mut out, now);
        drop(self.engine.take_freed());
        if flow != Flow::Postponed {
            self.clients[index].run += length;
        }
        self.answer(index, &out)?;
        let killed = self.engine.is_killed(id);
        self.follow(index, flow, killed);
        Ok(true)
    }

    fn answer(&mut self, index: usize, out: &Output) -> Result<(), Unanswerable> {
        self.largest = self.largest.max(out.len());
        let replies = &mut self.clients[index].replies;
        if replies.len() + out.len() > REPLY_BYTES
            || self.engine.keyspace().memory_bytes() > DATA_BYTES
        {
            return Err(Unanswerable);
        }
        replies.extend(out.to_vec());
        Ok(())
    }

    fn follow(&mut self, index: usize, flow: Flow, killed: bool) {
        match flow {
            Flow::Continue => self.clients[index].standing = Standing::Ready,
            Flow::Blocked | Flow::Postponed => self.clients[index].standing = Standing::Waits,
            Flow::Close if killed => self.end(index, Standing::Killed),
            Flow::Close => self.end(index, Standing::Closed),
        }
    }

    fn limits(&mut self, index: usize) -> Limits {
        let id = self.clients[index].id;
        let state = self.engine.state();
        let known = state
            .clients
            .get(id)
            .is_none_or(|client| client.authenticated);
        let mut limits = if known {
            Limits::server()
        } else {
            Limits::unauthenticated()
        };
        limits.bulk_bytes = limits
            .bulk_bytes
            .min(state.config.proto_max_bulk_len as usize);
        limits.frame_bytes = limits
            .frame_bytes
            .min(state.config.client_query_buffer_limit as usize);
        limits
    }

    /// Whether what stands behind is read by the limits of before where it came together (RESET under a password), or
    /// the call itself is none to be answered by the engine alone.
    fn is_unanswerable(&mut self, call: &Call) -> bool {
        let name = name(call);
        depends_on_buffers(call, &name)
            || is_excluded(call)
            || name == "reset" && !self.engine.config().requirepass.is_empty()
    }
}

/// What tells the sizes of buffers or sets limits by them, and so depends on when bytes arrive; and the limit of tracked
/// keys, beyond which chance chooses.
pub(super) fn depends_on_buffers(call: &Call, name: &str) -> bool {
    const LIMITS: [&str; 5] = [
        "maxmemory",
        "maxmemory-clients",
        "client-output-buffer-limit",
        "client-query-buffer-limit",
        "tracking-table-max-keys",
    ];
    let is_limit = |word: &Vec<u8>| {
        LIMITS
            .iter()
            .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    match name {
        "info" | "client|list" | "client|info" | "debug" | "config|resetstat" => true,
        "config|set" => call.iter().any(is_limit),
        _ => name.starts_with("memory"),
    }
}
