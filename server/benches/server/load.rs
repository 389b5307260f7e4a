//! A client of our own, for what redis-benchmark can't do.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use resp::{Decoder, Encoder, Limits, Protocol};

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that sends requests and counts the replies.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    decoder: Decoder,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            decoder: Decoder::new(Limits::client()),
            received: Vec::new(),
        })
    }

    /// A connection that never waits: see [`at_once`]. The server has accepted it: of a thousand that come together, some
    /// would wait a second for that, and what they send with them.
    pub(crate) fn never_waiting(port: u16) -> Self {
        let mut client = Self::connect(port).expect("the server listens");
        client.exchange(b"PING\r\n", 1).expect("a reply");
        client.stream.set_nonblocking(true).expect("a socket");
        client
    }

    /// Sends requests, already encoded, and waits for so many replies.
    pub(crate) fn exchange(&mut self, requests: &[u8], replies: usize) -> io::Result<()> {
        self.stream.write_all(requests)?;
        let mut left = replies;
        while left > 0 {
            left = left.saturating_sub(self.receive()?);
        }
        Ok(())
    }

    /// What the server says of itself under this name in INFO.
    pub(crate) fn info(&mut self, name: &str) -> io::Result<u64> {
        self.stream.write_all(b"INFO everything\r\n")?;
        let mut reply = Vec::new();
        loop {
            let (replies, consumed) = self.read()?;
            reply.extend(self.received.drain(..consumed));
            if replies > 0 {
                break;
            }
        }
        let text = String::from_utf8_lossy(&reply);
        let told = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.parse().ok());
        told.ok_or_else(|| io::Error::other(format!("INFO has no number {name}")))
    }

    /// Reads once; how many replies that completed.
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        let (replies, consumed) = self.read()?;
        self.received.drain(..consumed);
        Ok(replies)
    }

    /// Reads once; how many replies that completed, and how many bytes of what is received are done with.
    fn read(&mut self) -> io::Result<(usize, usize)> {
        let mut piece = [0; 16384];
        match self.stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => self.received.extend_from_slice(&piece[..count]),
        }
        let frames = self.decoder.decode(&self.received);
        let frames = frames.map_err(io::Error::other)?;
        Ok((frames.len(), frames.consumed()))
    }
}

/// None of what can't be done without waiting.
pub(crate) fn at_once(done: io::Result<usize>) -> io::Result<usize> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

/// A request's bytes.
pub(crate) fn request(arguments: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, Protocol::Resp2).request(arguments);
    bytes
}
