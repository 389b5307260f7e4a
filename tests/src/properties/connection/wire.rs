//! A socket in memory, whose every read and write ends where the case says.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::random::Random;

/// How much one read gives, or one write takes.
#[derive(Debug)]
pub(super) struct Cuts {
    pattern: u8,
    random: Random,
    waited: bool,
}

/// Ways to cut, each a digit of the case.
pub(super) const PATTERNS: u8 = 8;

/// No call moves less than this part of what is there, so that large replies take few calls.
const LEAST_PART: usize = 512;

impl Cuts {
    pub(super) fn new(pattern: u8) -> Self {
        Self {
            pattern,
            random: Random::new(u64::from(pattern)),
            waited: false,
        }
    }

    /// Bytes that the next call moves of `available`; none where it has to come again, which is never twice in a row.
    fn next(&mut self, available: usize) -> usize {
        let byte = usize::from(self.random.byte());
        let size = match self.pattern {
            0 => available,
            1 => 1,
            2 => byte % 3,
            3 => byte % 2 * available,
            4 => [1, 2, 300, 5000][byte % 4],
            5 => byte % 16,
            _ => byte * byte % 4099,
        };
        self.waited = size == 0 && !self.waited;
        if self.waited {
            return 0;
        }
        size.max(1).max(available / LEAST_PART).min(available)
    }
}

/// Both ends of the socket: what one has sent, and what the other has taken.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not states of one machine"
)]
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) reads: Cuts,
    pub(super) writes: Cuts,
    sent: Vec<u8>,
    /// Bytes of `sent` that were read.
    pub(super) read: usize,
    /// The client sends no more.
    ended: bool,
    /// The connection breaks when so many more bytes have gone over it.
    breaks_after: Option<usize>,
    /// The client does not read.
    pub(super) stalled: bool,
    /// It has not read at some time.
    pub(super) was_stalled: bool,
    /// Most bytes of one write.
    pub(super) largest_write: usize,
    pub(super) written: Vec<u8>,
    /// The server has closed.
    pub(super) shut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Wire {
    pub(super) fn new(reads: u8, writes: u8) -> Self {
        Self {
            reads: Cuts::new(reads),
            writes: Cuts::new(writes),
            sent: Vec::new(),
            read: 0,
            ended: false,
            breaks_after: None,
            stalled: false,
            was_stalled: false,
            largest_write: 0,
            written: Vec::new(),
            shut: false,
            reader: None,
            writer: None,
        }
    }

    /// The client sends.
    pub(super) fn send(&mut self, bytes: &[u8], ends: bool) {
        self.sent.extend_from_slice(bytes);
        self.ended |= ends;
        wake(&mut self.reader);
    }

    /// Bytes on their way to the server.
    pub(super) fn unread(&self) -> usize {
        self.sent.len() - self.read
    }

    /// The client stops reading.
    pub(super) fn stall(&mut self) {
        self.stalled = true;
        self.was_stalled = true;
    }

    /// The client reads again.
    pub(super) fn resume(&mut self) {
        self.stalled = false;
        wake(&mut self.writer);
    }

    /// The connection breaks, now or a number of bytes later.
    pub(super) fn break_after(&mut self, bytes: usize) {
        self.breaks_after = Some(bytes);
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    fn poll_read(
        &mut self,
        context: &Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let available = self.unread();
        if self.breaks_after == Some(0) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if available == 0 {
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = self.reads.next(available.min(buffer.remaining()));
        let count = self.bounded(count);
        if count == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        buffer.put_slice(&self.sent[self.read..self.read + count]);
        self.read += count;
        Poll::Ready(Ok(()))
    }

    fn poll_write(
        &mut self,
        context: &Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert!(!self.shut, "a write after the close");
        if self.breaks_after == Some(0) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.stalled {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let offered = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "a write of nothing");
        self.largest_write = self.largest_write.max(offered);
        let count = self.writes.next(offered);
        let count = self.bounded(count);
        if count == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let bytes = slices.iter().flat_map(|slice| slice.iter()).take(count);
        self.written.extend(bytes);
        Poll::Ready(Ok(count))
    }

    /// `count`, or what may still go over a connection that breaks.
    fn bounded(&mut self, count: usize) -> usize {
        let Some(left) = &mut self.breaks_after else {
            return count;
        };
        let count = count.min(*left);
        *left -= count;
        count
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// The server's end.
#[derive(Clone, Debug)]
pub(super) struct Stream(pub(super) Rc<RefCell<Wire>>);

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0
            .borrow_mut()
            .poll_write(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_write(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().shut = true;
        Poll::Ready(Ok(()))
    }
}
