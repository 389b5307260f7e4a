//! Whole connections over sockets in memory: whatever way bytes are cut, the replies are those of the engine alone.

mod model;
mod wire;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use arbitrary::{Arbitrary, Result, Unstructured};
use server::client_state::Peer;
use server::config::Config;
use server::connection;
use server::engine::{Engine, Now};
use server::output::Output;
use server::shared::Shared;

use crate::commands::{below, call, callable};
use crate::connection::encode;
use crate::generate::choice;

use model::{Model, Standing, Unanswerable, depends_on_buffers};
use wire::{Cuts, PATTERNS, Stream, Wire};

/// Connections of one case.
const CLIENTS: usize = 3;

/// Steps of one case.
const STEPS: usize = 60;

/// Bytes that clients send in one case.
const SENT_BYTES: usize = 200_000;

/// Longest string of a value, in bytes.
const LONGEST_BYTES: u64 = 16 * 1024;

/// From so much on a client that waits may not be read from, so that its end isn't seen.
const READ_AHEAD_BYTES: usize = 32 * 1024;

/// From so many unwritten bytes on a client's requests wait: before authentication, and after it.
const UNWRITTEN_BYTES: [usize; 2] = [4 * 1024, 1024 * 1024];

/// So many unread bytes, and one read more, are taken from a client that has not authenticated and does not read.
const UNAUTHENTICATED_INPUT_BYTES: usize = (64 + 32) * 1024;

/// Turns after which a connection that still has something to do will always have.
const TURNS: usize = 10_000_000;

const PASSWORD: &str = "secret";

thread_local! {
    /// The time, which the case moves.
    static NOW: Cell<Now> = const {
        Cell::new(Now {
            unix_us: 1_700_000_000_000_000,
            monotonic_us: 1_000_000,
        })
    };
}

/// Any requests, cut anywhere on their way in and out, of clients that stop reading, close one direction or break off,
/// are answered byte for byte as the engine alone answers them; who does not read is not read from; every connection
/// ends, every byte is counted, and the keys are those of the engine alone.
///
/// Digits choose: whether a generator of calls makes the case (`1`) or the rest is text (`0`), the configuration, how
/// reads are cut, how writes are. In text, what stands behind `~A`, `~B` or `~C` is sent by that client, and before it
/// may stand: `~e` it sends no more after this; `~b3` the connection breaks, by then or a number of bytes later that rises with the digit; `~d` the server ends;
/// `~x4` this is sent so many times as the digit says (1 to 9,000). Alone stand: `~s`, it stops reading, and `~g`, it
/// goes on; `~r3` and `~w3` cut its reads or its writes otherwise; `~t2` time passes. `~~` is a tilde.
pub fn connection(u: &mut Unstructured<'_>) -> Result<()> {
    let is_generated = choice(u, 2)? == 1;
    let config = config(choice(u, 4)?);
    let (reads, writes) = (choice(u, PATTERNS)?, choice(u, PATTERNS)?);
    let steps = if is_generated {
        generated(u)?
    } else {
        written(u.bytes(u.len())?)
    };
    let mut case = Case::new(config, reads, writes);
    // A case that can't be judged is none.
    let _ = case.play(&steps);
    Ok(())
}

fn config(choice: u8) -> Config {
    let mut config = Config::default();
    config.proto_max_bulk_len = LONGEST_BYTES;
    config.enable_debug_command = "yes";
    config.databases = 4;
    if choice & 1 != 0 {
        config.requirepass = PASSWORD.into();
    }
    if choice & 2 != 0 {
        config.client_query_buffer_limit = 300;
    }
    config
}

/// One thing that happens, and then all is quiet before the next one.
#[derive(Debug)]
enum Step {
    Send(Sending),
    /// The client stops reading.
    Stall(usize),
    Resume(usize),
    CutReads(usize, u8),
    CutWrites(usize, u8),
    /// So many milliseconds pass.
    Wait(u64),
}

#[derive(Debug, Default)]
struct Sending {
    client: usize,
    bytes: Vec<u8>,
    times: usize,
    ends: bool,
    /// The connection breaks when so many more bytes have gone over it.
    breaks_after: Option<usize>,
    /// The server ends at the same time.
    drains: bool,
}

impl Sending {
    fn of(client: usize) -> Self {
        Self {
            client,
            times: 1,
            ..Self::default()
        }
    }

    /// Whether it does anything.
    fn is_any(&self) -> bool {
        !self.bytes.is_empty() || self.ends || self.drains || self.breaks_after.is_some()
    }
}

fn written(text: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut sending = Sending::of(0);
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'~' {
            sending.bytes.push(byte);
            continue;
        }
        let client = sending.client;
        let token = match bytes.next() {
            None => break,
            Some(b'~') => {
                sending.bytes.push(b'~');
                continue;
            }
            Some(token) => token,
        };
        let mut digit = || bytes.next().unwrap_or_default().wrapping_sub(b'0') % 10;
        match token {
            b'e' => sending.ends = true,
            b'd' => sending.drains = true,
            b'b' => sending.breaks_after = Some(repetitions(digit()) - 1),
            b'x' => sending.times = repetitions(digit()),
            _ => {
                let next = if let b'A'..=b'C' = token {
                    usize::from(token - b'A')
                } else {
                    client
                };
                let done = std::mem::replace(&mut sending, Sending::of(next));
                if done.is_any() {
                    steps.push(Step::Send(done));
                }
                match token {
                    b's' => steps.push(Step::Stall(client)),
                    b'g' => steps.push(Step::Resume(client)),
                    b'r' => steps.push(Step::CutReads(client, digit() % PATTERNS)),
                    b'w' => steps.push(Step::CutWrites(client, digit() % PATTERNS)),
                    b't' => steps.push(Step::Wait(10_u64.pow(u32::from(digit())))),
                    _ => {}
                }
            }
        }
    }
    if sending.is_any() {
        steps.push(Step::Send(sending));
    }
    steps
}

/// From 1 to so many that replies and what is read ahead run into their bounds.
fn repetitions(digit: u8) -> usize {
    [1, 2, 4, 10, 20, 40, 300, 600, 3000, 9000][usize::from(digit)]
}

fn generated(u: &mut Unstructured<'_>) -> Result<Vec<Step>> {
    let commands: Vec<_> = callable().collect();
    // Whom nobody knows is told so; one at least is known.
    let mut steps = vec![Step::Send(Sending {
        bytes: format!("AUTH {PASSWORD}\r\n").into(),
        ..Sending::of(0)
    })];
    while !u.is_empty() && steps.len() < STEPS {
        let client = [0, 0, 0, 1, 2][below(u, 5)?];
        steps.push(match u8::arbitrary(u)? {
            250.. => Step::Wait(u.int_in_range(0..=100_000)?),
            245.. => Step::Stall(client),
            240.. => Step::CutReads(client, u8::arbitrary(u)? % PATTERNS),
            235.. => Step::CutWrites(client, u8::arbitrary(u)? % PATTERNS),
            kind => {
                let mut sending = Sending::of(client);
                for _ in 0..=below(u, 6)? {
                    let chosen = commands[below(u, commands.len())?];
                    let call = call(u, chosen)?;
                    if !depends_on_buffers(&call, &chosen.name) && chosen.name != "shutdown" {
                        sending.bytes.extend(encode(&call));
                    }
                }
                match kind {
                    0 => sending.ends = true,
                    1 => sending.breaks_after = Some(usize::from(u8::arbitrary(u)?)),
                    2 => sending.drains = true,
                    3 | 4 => sending.times = repetitions(u8::arbitrary(u)? % 10),
                    _ => {}
                }
                Step::Send(sending)
            }
        });
    }
    Ok(steps)
}

/// A connection, and the client's end of its socket.
struct Line {
    serving: Option<Pin<Box<dyn Future<Output = io::Result<()>>>>>,
    called: Arc<Called>,
    wire: Rc<RefCell<Wire>>,
}

/// The connection has something to do.
#[derive(Default)]
struct Called(AtomicBool);

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Line {
    fn new(shared: &Arc<Shared>, reads: u8, writes: u8) -> Self {
        let wire = Rc::new(RefCell::new(Wire::new(reads, writes)));
        let stream = Stream(Rc::clone(&wire));
        Self {
            serving: Some(Box::pin(connection::serve(
                Arc::clone(shared),
                stream,
                Peer::default(),
            ))),
            called: Arc::new(Called(AtomicBool::new(true))),
            wire,
        }
    }

    /// Lets the connection do what it has to; whether there was anything.
    fn turn(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.called));
        for turn in 0.. {
            if !self.called.0.swap(false, Ordering::Relaxed) {
                return turn > 0;
            }
            let Some(serving) = &mut self.serving else {
                return turn > 0;
            };
            assert!(turn < TURNS, "a connection does not come to rest");
            if serving
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                self.serving = None;
            }
        }
        unreachable!("the turns end")
    }
}

struct Case {
    shared: Arc<Shared>,
    lines: Vec<Line>,
    model: Model,
    sent: usize,
}

impl Case {
    fn new(config: Config, reads: u8, writes: u8) -> Self {
        let now = Now {
            unix_us: 1_700_000_000_000_000,
            monotonic_us: 1_000_000,
        };
        NOW.set(now);
        let shared = Arc::new(Shared::over(Engine::new(config.clone(), 7, now), || {
            NOW.get()
        }));
        let mut case = Self {
            lines: Vec::new(),
            model: Model::new(Engine::new(config, 7, now)),
            shared,
            sent: 0,
        };
        for _ in 0..CLIENTS {
            case.lines.push(Line::new(&case.shared, reads, writes));
            case.model.connect(now);
            // In order, so that clients have the same numbers on both sides.
            case.settle(case.lines.len() - 1);
        }
        case
    }

    fn play(&mut self, steps: &[Step]) -> std::result::Result<(), Unanswerable> {
        for step in steps.iter().take(STEPS) {
            match step {
                Step::Send(sending) => {
                    let bytes = sending.bytes.repeat(sending.times);
                    self.sent += bytes.len();
                    if self.sent > SENT_BYTES {
                        return Err(Unanswerable);
                    }
                    if sending.breaks_after.is_some() || sending.drains {
                        return self.end_by(sending, &bytes);
                    }
                    self.send(sending.client, &bytes, sending.ends)?;
                }
                Step::Stall(client) => {
                    if self.model.standing(*client) == Standing::Ready {
                        self.wire(*client).stall();
                    }
                }
                Step::Resume(client) => self.resume(*client),
                Step::CutReads(client, pattern) => self.wire(*client).reads = Cuts::new(*pattern),
                Step::CutWrites(client, pattern) => self.wire(*client).writes = Cuts::new(*pattern),
                Step::Wait(milliseconds) => self.wait(*milliseconds)?,
            }
        }
        self.leave_all()
    }

    fn wire(&self, client: usize) -> std::cell::RefMut<'_, Wire> {
        self.lines[client].wire.borrow_mut()
    }

    fn is_open(&self, client: usize) -> bool {
        matches!(
            self.model.standing(client),
            Standing::Ready | Standing::Waits
        )
    }

    fn send(
        &mut self,
        client: usize,
        bytes: &[u8],
        ends: bool,
    ) -> std::result::Result<(), Unanswerable> {
        let is_stalled = self.wire(client).stalled;
        self.resume(client);
        if !self.is_open(client) {
            return Ok(());
        }
        let now = NOW.get();
        self.model.send(client, bytes);
        self.model.run(client, now)?;
        if ends {
            if self.model.unread(client) > READ_AHEAD_BYTES {
                return Err(Unanswerable);
            }
            self.model.leave(client);
        }
        self.model.settle(now)?;
        self.wire(client).send(bytes, ends);
        if is_stalled {
            self.wire(client).stall();
            self.lines[client].turn();
            self.is_bounded(client);
            self.wire(client).resume();
        }
        self.settle(client);
        self.agree();
        Ok(())
    }

    /// Replies wait for a client that does not read them only up to a bound, and one more; so does what it sends before it
    /// has authenticated, and one read more. (All that a case sends is less than the bound after that.)
    fn is_bounded(&mut self, client: usize) {
        let id = self.model.id(client);
        let largest = self.model.largest;
        self.shared.with(|engine, _| {
            if let Some(client) = engine.state().clients.get(id) {
                let most = UNWRITTEN_BYTES[usize::from(client.authenticated)] + largest;
                let unwritten = client.output_bytes;
                assert!(unwritten <= most, "{unwritten} bytes wait");
                let unread = client.query_bytes;
                assert!(
                    client.authenticated || unread < UNAUTHENTICATED_INPUT_BYTES,
                    "{unread} bytes wait"
                );
            }
        });
    }

    /// The client reads again, and finds what it has missed.
    fn resume(&mut self, client: usize) {
        self.wire(client).resume();
        self.settle(client);
        self.agree();
    }

    fn wait(&mut self, milliseconds: u64) -> std::result::Result<(), Unanswerable> {
        let now = NOW.get().after_ms(milliseconds);
        NOW.set(now);
        self.model.engine.tick(now);
        self.model.settle(now)?;
        self.shared.with(Engine::tick);
        self.settle(0);
        self.agree();
        Ok(())
    }

    /// Lets all connections do what they have to, this one first, then each in turn.
    fn settle(&mut self, first: usize) {
        self.lines[first].turn();
        while self
            .lines
            .iter_mut()
            .fold(false, |any, line| line.turn() | any)
        {}
    }

    /// What arrived is what the engine alone answers, and who was told good-bye is gone.
    fn agree(&self) {
        for (index, line) in self.lines.iter().enumerate() {
            let wire = line.wire.borrow();
            let (written, replies) = (&wire.written, self.model.replies(index));
            let standing = self.model.standing(index);
            // What gathers for who does not read is another's, and has limits of its own.
            let is_bounded = wire.largest_write <= UNWRITTEN_BYTES[1] + self.model.largest;
            assert!(
                is_bounded || wire.was_stalled,
                "{} bytes in one write",
                wire.largest_write
            );
            if wire.stalled || standing == Standing::Killed {
                assert!(
                    replies.starts_with(written),
                    "{}",
                    difference(written, replies)
                );
            } else {
                assert!(written == replies, "{}", difference(written, replies));
            }
            match standing {
                Standing::Closed => assert!(line.serving.is_none() && wire.shut, "{index} is open"),
                Standing::Killed | Standing::Left => {
                    assert!(line.serving.is_none(), "{index} is open");
                }
                Standing::Ready | Standing::Waits => {
                    assert!(line.serving.is_some(), "{index} is closed");
                }
            }
        }
    }

    /// The connection breaks while it is busy, or the server ends: the last that happens.
    fn end_by(&mut self, sending: &Sending, bytes: &[u8]) -> std::result::Result<(), Unanswerable> {
        let client = sending.client;
        for index in 0..CLIENTS {
            self.resume(index);
        }
        if !self.is_open(client) {
            return Ok(());
        }
        let now = NOW.get();
        self.model.send(client, bytes);
        self.model.run(client, now)?;
        self.model.leave(client);
        if let Some(count) = sending.breaks_after {
            self.wire(client).break_after(count);
        } else {
            // What comes in pieces comes too late.
            self.wire(client).reads = Cuts::new(0);
            for index in 0..CLIENTS {
                self.model.run(index, now)?;
                self.model.leave(index);
            }
            self.shared.drain();
        }
        self.wire(client).send(bytes, false);
        self.settle(client);
        if sending.breaks_after.is_none() {
            self.agree();
            return self.all_gone();
        }
        {
            // How many of its requests were run is open, and so is what others find.
            let wire = self.wire(client);
            let (written, replies) = (&wire.written, self.model.replies(client));
            assert!(
                replies.starts_with(written),
                "{}",
                difference(written, replies)
            );
        }
        for index in 0..CLIENTS {
            self.wire(index).break_after(0);
        }
        self.settle(client);
        self.all_gone()
    }

    /// Everybody goes, and nothing stays but the keys.
    fn leave_all(&mut self) -> std::result::Result<(), Unanswerable> {
        for client in 0..CLIENTS {
            self.send(client, b"", true)?;
        }
        self.all_gone()?;
        assert_eq!(
            self.shared.with(digest),
            digest(&mut self.model.engine, NOW.get())
        );
        Ok(())
    }

    fn all_gone(&mut self) -> std::result::Result<(), Unanswerable> {
        let (mut read, mut written) = (0, 0);
        for line in &self.lines {
            let wire = line.wire.borrow();
            if line.serving.is_some() && wire.unread() > READ_AHEAD_BYTES {
                return Err(Unanswerable);
            }
            assert!(line.serving.is_none(), "a connection does not end");
            read += wire.read as u64;
            written += wire.written.len() as u64;
        }
        self.shared.with(|engine, _| {
            let state = engine.state();
            assert_eq!(state.clients.len(), 0);
            let counts = &state.stats;
            assert_eq!((counts.input_bytes, counts.output_bytes), (read, written));
        });
        Ok(())
    }
}

/// Every key and what it holds, as DEBUG DIGEST sums it up.
fn digest(engine: &mut Engine, now: Now) -> String {
    engine.state().pause = None;
    engine.state().config.requirepass.clear();
    let id = engine.connect(Peer::default(), now);
    let mut out = Output::new();
    engine.execute(id, &[b"DEBUG", b"DIGEST"], &mut out, now);
    engine.disconnect(id);
    let digest = out.to_vec().escape_ascii().to_string();
    assert!(digest.starts_with('+'), "{digest}");
    digest
}

fn difference(written: &[u8], replies: &[u8]) -> String {
    let same = written
        .iter()
        .zip(replies)
        .take_while(|(a, b)| a == b)
        .count();
    let from = same.saturating_sub(60);
    let part = |bytes: &[u8]| {
        bytes[from..bytes.len().min(same + 200)]
            .escape_ascii()
            .to_string()
    };
    format!(
        "{} bytes came, {} were to come, the same up to {same}:\n{}\n{}",
        written.len(),
        replies.len(),
        part(written),
        part(replies)
    )
}
