//! One connection: the only socket I/O, and the only place that runs requests under the engine's lock.
//!
//! read → decode (spans, no lock) → lock → run a batch → unlock → write. What was read and what is to be written stand in
//! buffers of the thread; a connection has its own only while a request is incomplete or its client reads slowly.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use arrayvec::ArrayVec;
use bytes::{Buf as _, BufMut as _, BytesMut};
use resp::{ErrorKind, Limits, RequestDecoder};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::batch::Batch;
use crate::client_state::Peer;
use crate::effects::Request;
use crate::engine::{Engine, Flow};
use crate::ids::ClientId;
use crate::output::Output;
pub use crate::shared::Shared;
use crate::shared::Wake;

/// Requests run under one lock at most, so that nobody waits long for it.
const BATCH_REQUESTS: usize = 256;

/// Unwritten bytes at which a client's requests wait until it has read its replies.
const OUTPUT_HIGH_BYTES: usize = 1024 * 1024;

/// The same before authentication: whoever has shown no password is owed no memory.
const UNAUTHENTICATED_OUTPUT_HIGH_BYTES: usize = 4 * 1024;

/// Room for one read.
const READ_BYTES: usize = 32 * 1024;

/// Bytes that a connection reads and runs in one turn at first. Then it takes more or less, so that a turn of a long
/// pipeline takes about a tenth of a millisecond, and the other connections of the thread come in between.
const TURN_BYTES: usize = 8 * 1024;

/// The least it takes.
const LEAST_TURN_BYTES: usize = 2 * 1024;

/// How long a turn of all those bytes may take.
const LONG_TURN_US: u64 = 150;

/// From this time on they may be more.
const SHORT_TURN_US: u64 = 50;

/// A client that waits, or does not read its replies, is read from so far: many send all of a pipeline before they read
/// anything, and would wait for ever for a server that waits for them.
const WAITING_INPUT_BYTES: usize = 32 * 1024 * 1024;

/// The same before authentication.
const UNAUTHENTICATED_WAITING_INPUT_BYTES: usize = 64 * 1024;

/// Reads of a client that does not read, in one turn.
const READS_AHEAD: usize = 8;

/// Slices of one vectored write.
const SLICES: usize = 64;

thread_local! {
    /// What was read just now. Most requests arrive whole and are run from here.
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// The buffer of an output that is not in use.
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Serves one connection to its end. The client is disconnected however this ends, also when it is dropped.
///
/// # Errors
/// What the socket reports; the connection is over either way.
pub async fn serve<S>(shared: Arc<Shared>, stream: S, peer: Peer) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let wake = Arc::new(Wake::default());
    let id = shared.connect(peer, Arc::clone(&wake));
    let limits = shared.with(|engine, _| limits(engine, id));
    let mut connection = Connection {
        shared,
        id,
        stream,
        wake,
        waker: None,
        decoder: RequestDecoder::new(limits),
        turn_bytes: TURN_BYTES,
        input: BytesMut::new(),
        shown: 0,
        undecoded: false,
        output: Output::new(),
        traffic: Traffic::default(),
        outbox_due: false,
        backlog: Vec::new(),
        flow: Flow::Continue,
        yields: false,
        ended: false,
        looks_last: false,
    };
    connection.run().await
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not states of one machine"
)]
struct Connection<S> {
    shared: Arc<Shared>,
    id: ClientId,
    stream: S,
    wake: Arc<Wake>,
    /// What `wake` wakes.
    waker: Option<Waker>,
    decoder: RequestDecoder,
    /// Bytes to read and run in one turn.
    turn_bytes: usize,
    /// What the decoder did not consume, of which it has seen the first `shown` bytes. Where `undecoded`, it has to be
    /// asked again even so.
    input: BytesMut,
    shown: usize,
    undecoded: bool,
    output: Output,
    traffic: Traffic,
    /// The engine has something for this client, which was still busy with `output`.
    outbox_due: bool,
    /// Requests decoded but held back, the next one last: their client is blocked or paused, or does not read.
    backlog: Vec<Request>,
    flow: Flow,
    /// There is more to do at once, but it is the others' turn.
    yields: bool,
    /// The client sends no more.
    ended: bool,
    /// The server ends: what has arrived by now is the last that is answered.
    looks_last: bool,
}

/// What went over the socket since the engine was told last, and what it was told then.
#[derive(Default)]
struct Traffic {
    input_bytes: u64,
    output_bytes: u64,
    reads: u64,
    writes: u64,
    /// Bytes in the buffers of this client, read and to be written.
    buffered: (usize, usize),
}

impl Traffic {
    /// Counts what was read; whether it was anything.
    fn read(&mut self, count: usize) -> bool {
        self.input_bytes += count as u64;
        self.reads += 1;
        count > 0
    }

    fn report(&mut self, engine: &mut Engine, id: ClientId, buffered: (usize, usize)) {
        let traffic = std::mem::take(self);
        self.buffered = buffered;
        let state = engine.state();
        state.stats.input_bytes += traffic.input_bytes;
        state.stats.output_bytes += traffic.output_bytes;
        state.stats.reads += traffic.reads;
        state.stats.writes += traffic.writes;
        state.report_buffers(id, buffered.0, buffered.1);
    }
}

/// Disconnects the client however the connection ends.
impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        let (id, traffic) = (self.id, &mut self.traffic);
        self.shared
            .disconnect(id, |engine| traffic.report(engine, id, (0, 0)));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            if !self.output.is_empty() || self.outbox_due {
                poll_fn(|context| self.poll_write(context)).await?;
            }
            if std::mem::take(&mut self.yields) {
                tokio::task::yield_now().await;
            }
            match self.flow {
                Flow::Close => return self.stream.shutdown().await,
                Flow::Continue if !self.backlog.is_empty() => self.run_backlog(),
                Flow::Continue if self.undecoded => self.run_input(),
                _ => {
                    if !poll_fn(|context| self.poll_wait(context)).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Writes everything, heeding others meanwhile only so far as to notice a kill.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.poll_output(context)?.is_pending() {
                if self.wake.listen(context, &mut self.waker) {
                    self.outbox_due = true;
                    let id = self.id;
                    if self.shared.with(|engine, _| engine.is_killed(id)) {
                        return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                    }
                }
                self.read_ahead(context)?;
                self.report_buffers();
                return Poll::Pending;
            }
            if self.traffic.buffered.1 > 0 {
                self.report_buffers();
            }
            if !std::mem::take(&mut self.outbox_due) {
                break;
            }
            self.woken();
        }
        SPARE.with_borrow_mut(|spare| self.output.give_back(spare));
        Poll::Ready(Ok(()))
    }

    /// Takes from a client that does not read what it has still to send.
    fn read_ahead(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        for _ in 0..READS_AHEAD {
            if self.ended || self.input.len() >= waiting_input_bytes(self.decoder.limits()) {
                return Ok(());
            }
            match self.poll_read_on(context)? {
                Poll::Ready(more) => self.ended = !more,
                Poll::Pending => return Ok(()),
            }
        }
        context.waker().wake_by_ref();
        Ok(())
    }

    /// Writes until nothing is left, neither here nor in the stream.
    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let stream = Pin::new(&mut self.stream);
            let written = if let Some(run) = self.output.single() {
                stream.poll_write(context, run)
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let used = self.output.slices(&mut slices);
                stream.poll_write_vectored(context, &slices[..used])
            };
            let count = ready!(written)?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.traffic.output_bytes += count as u64;
            self.traffic.writes += 1;
            self.output.advance(count);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Tells the engine how much lies in this client's buffers, where that is another amount than it knows.
    fn report_buffers(&mut self) {
        let buffered = (self.input.len(), self.output.len());
        if self.traffic.buffered != buffered {
            let (id, traffic) = (self.id, &mut self.traffic);
            self.shared
                .with(|engine, _| traffic.report(engine, id, buffered));
        }
    }

    /// Waits for bytes from the client or word from the engine; whether the connection goes on.
    fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.wake.listen(context, &mut self.waker) {
            // Which may have come before the runtime looked at the socket.
            self.looks_last = false;
            self.woken();
            return Poll::Ready(Ok(true));
        }
        let draining = self.shared.is_draining();
        if draining && !self.looks_last {
            // The runtime learns what the socket has received only between the turns of its tasks.
            self.looks_last = true;
            self.yields = true;
            return Poll::Ready(Ok(true));
        }
        let most = waiting_input_bytes(self.decoder.limits());
        if self.flow != Flow::Continue && (draining || self.input.len() >= most) {
            return if draining {
                Poll::Ready(Ok(false))
            } else {
                Poll::Pending
            };
        }
        let read = if self.flow == Flow::Continue && self.input.is_empty() {
            READ.with_borrow_mut(|buffer| self.poll_read_and_run(context, buffer))
        } else {
            self.poll_read_on(context)
        };
        match read {
            // Nothing has come that is not answered.
            Poll::Pending if draining => Poll::Ready(Ok(false)),
            other => other,
        }
    }

    /// Reads into the thread's buffer and runs what is whole; the rest becomes this connection's own.
    fn poll_read_and_run(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<bool>> {
        buffer.clear();
        buffer.reserve_exact(READ_BYTES);
        let mut room = buffer.limit(self.turn_bytes);
        let count = ready!(pin!(self.stream.read_buf(&mut room)).poll(context))?;
        if !self.traffic.read(count) {
            return Poll::Ready(Ok(false));
        }
        let consumed = self.run_requests(buffer, 0);
        self.input
            .extend_from_slice(buffer.get(consumed..).unwrap_or_default());
        Poll::Ready(Ok(true))
    }

    /// Reads more of a request that is not whole, or what a client sends that has to wait.
    fn poll_read_on(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.input.reserve(READ_BYTES);
        let count = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(context))?;
        if !self.traffic.read(count) {
            return Poll::Ready(Ok(false));
        }
        self.undecoded = true;
        if self.input.len() >= READ_BYTES {
            self.report_buffers();
        }
        Poll::Ready(Ok(true))
    }

    /// Fetches what the engine has for this client.
    fn woken(&mut self) {
        let (id, output) = (self.id, &mut self.output);
        let (flow, killed) = self
            .shared
            .with(|engine, _| (engine.outbox(id, output), engine.is_killed(id)));
        if killed {
            self.output.clear();
        }
        if self.flow != Flow::Close {
            self.flow = flow;
        }
    }

    fn run_backlog(&mut self) {
        let (id, output, backlog) = (self.id, &mut self.output, &mut self.backlog);
        let high = high_bytes(self.decoder.limits());
        let (flow, wanted) = self.shared.with(|engine, now| {
            let mut flow = Flow::Continue;
            for _ in 0..BATCH_REQUESTS {
                let Some(request) = backlog.pop() else { break };
                flow = engine.execute(id, &request.args(), output, now);
                if flow == Flow::Postponed {
                    backlog.push(request);
                }
                if flow != Flow::Continue || output.len() >= high {
                    break;
                }
            }
            (flow, limits(engine, id))
        });
        self.flow = flow;
        self.yields = true;
        if self.backlog.is_empty() {
            self.backlog = Vec::new();
        }
        self.follow_limits(wanted);
    }

    /// Runs requests of what was read before: those in its first piece, which reaches a turn's bytes beyond what the decoder
    /// has seen already of a request that is larger.
    fn run_input(&mut self) {
        let mut input = std::mem::take(&mut self.input);
        self.undecoded = false;
        let consumed = loop {
            let piece = input.len().min(self.shown + self.turn_bytes);
            let consumed = self.run_requests(&input[..piece], input.len() - piece);
            if consumed > 0 || piece == input.len() {
                break consumed;
            }
        };
        if consumed < input.len() {
            input.advance(consumed);
            self.input = input;
        }
    }

    /// Decodes and runs the whole requests at the start of `input`, behind which more bytes wait; gives how many bytes the
    /// requests took.
    fn run_requests(&mut self, input: &[u8], behind: usize) -> usize {
        let (id, output, backlog) = (self.id, &mut self.output, &mut self.backlog);
        let mut wanted = *self.decoder.limits();
        let high = high_bytes(&wanted);
        let requests = match self.decoder.decode(input) {
            Ok(requests) => requests,
            Err(error) => {
                self.flow = Flow::Close;
                if error.kind == ErrorKind::FrameTooLong {
                    tracing::warn!("Closing client that reached max query buffer length");
                } else {
                    let text = format!("-ERR {}\r\n", error.server_text());
                    output.buffer().extend_from_slice(text.as_bytes());
                }
                return input.len();
            }
        };
        let consumed = requests.consumed();
        self.shown = input.len() - consumed;
        // Where the decoder stopped at an error, it tells so only when it is asked again.
        self.undecoded = consumed > 0 && self.shown + behind > 0;
        if requests.is_empty() {
            return consumed;
        }
        SPARE.with_borrow_mut(|spare| output.borrow_buffer(spare));
        // The clock matters only where more will be waiting.
        let begun_us = (input.len() >= self.turn_bytes).then(|| self.shared.now().monotonic_us);
        let mut pending = requests.iter();
        let mut batch = Batch::default();
        let mut done = 0;
        let traffic = &mut self.traffic;
        let unread = input.len() - consumed + behind;
        let mut flow = Flow::Continue;
        while flow == Flow::Continue && !pending.is_empty() && output.len() < high {
            flow = self.shared.with(|engine, now| {
                traffic.report(engine, id, (unread, output.len()));
                let mut flow = Flow::Continue;
                let mut left = pending.len().min(BATCH_REQUESTS);
                while flow == Flow::Continue && left > 0 && output.len() < high {
                    batch.fill(&mut pending, left);
                    left -= batch.len();
                    // For one alone there is nothing to gain.
                    let foreseen = if batch.len() > 1 {
                        engine.foresee(id, batch.from(0))
                    } else {
                        ArrayVec::new()
                    };
                    done = 0;
                    while done < batch.len() && flow == Flow::Continue && output.len() < high {
                        engine.expect_more(left + batch.len() > done + 1);
                        let args = batch.at(done);
                        let foreseen = foreseen.get(done).copied().unwrap_or_default();
                        flow = engine.execute_foreseen(id, args, foreseen, output, now);
                        done += 1;
                        if flow == Flow::Postponed {
                            backlog.push(Request::new(args));
                        }
                    }
                }
                engine.end_batch();
                wanted = limits(engine, id);
                if flow == Flow::Close && engine.is_killed(id) {
                    output.clear();
                }
                flow
            });
        }
        // What did not run is kept, in the order it is to run, as a stack.
        backlog.extend(batch.from(done).map(Request::new));
        for request in pending {
            backlog.push(Request::new(&request.iter().collect::<Vec<_>>()));
        }
        drop(batch);
        backlog.reverse();
        self.flow = flow;
        self.follow_limits(wanted);
        if let Some(begun_us) = begun_us {
            self.end_turn(begun_us);
        }
        consumed
    }

    /// The others' turn. The next one of this connection takes more bytes or less, by how long this one took.
    fn end_turn(&mut self, begun_us: u64) {
        self.yields = true;
        let took_us = self.shared.now().monotonic_us.saturating_sub(begun_us);
        if took_us > LONG_TURN_US {
            self.turn_bytes = (self.turn_bytes / 2).max(LEAST_TURN_BYTES);
        } else if took_us < SHORT_TURN_US {
            self.turn_bytes = (self.turn_bytes * 2).min(READ_BYTES);
        }
    }

    /// Puts other limits in force. What stands beyond the last whole request is decoded by them from its start.
    fn follow_limits(&mut self, wanted: Limits) {
        if *self.decoder.limits() != wanted {
            self.decoder.set_limits(wanted);
            self.decoder.reset();
            self.shown = 0;
            self.undecoded = true;
        }
    }
}

fn waiting_input_bytes(limits: &Limits) -> usize {
    if limits.unauthenticated {
        UNAUTHENTICATED_WAITING_INPUT_BYTES
    } else {
        let (least, most) = (UNAUTHENTICATED_WAITING_INPUT_BYTES, WAITING_INPUT_BYTES);
        limits.frame_bytes.clamp(least, most)
    }
}

fn high_bytes(limits: &Limits) -> usize {
    if limits.unauthenticated {
        UNAUTHENTICATED_OUTPUT_HIGH_BYTES
    } else {
        OUTPUT_HIGH_BYTES
    }
}

/// What a client may send: by its authentication, `proto-max-bulk-len` and `client-query-buffer-limit`.
fn limits(engine: &mut Engine, id: ClientId) -> Limits {
    let authenticated = engine
        .state()
        .clients
        .get(id)
        .is_none_or(|client| client.authenticated);
    let base = if authenticated {
        Limits::server()
    } else {
        Limits::unauthenticated()
    };
    let config = engine.config();
    let bulk_bytes = usize::try_from(config.proto_max_bulk_len).unwrap_or(usize::MAX);
    let frame_bytes = usize::try_from(config.client_query_buffer_limit).unwrap_or(usize::MAX);
    Limits {
        bulk_bytes: if authenticated {
            bulk_bytes
        } else {
            base.bulk_bytes.min(bulk_bytes)
        },
        frame_bytes: if authenticated {
            frame_bytes
        } else {
            base.frame_bytes.min(frame_bytes)
        },
        ..base
    }
}
