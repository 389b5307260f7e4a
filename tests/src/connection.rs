//! A client's connection to a server in another process.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::naive::{self, Value};
use crate::notation::notation;

/// How long a reply may take before it counts as missing.
pub const REPLY_LIMIT: Duration = Duration::from_secs(3);

/// A blocking connection; replies are read one by one.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Bytes read and not yet decoded.
    unread: Vec<u8>,
    /// The server's number for this client, in digits.
    pub id: Vec<u8>,
    /// What was sent last, for a report.
    pub last: String,
}

/// Why a connection yields no more replies.
#[derive(Debug)]
pub enum Gone {
    /// The server hung up.
    Closed,
    /// These bytes are no reply.
    Malformed(String),
}

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Malformed(bytes) => write!(f, "malformed \"{bytes}\""),
        }
    }
}

impl Connection {
    /// Connects and agrees on `protocol` (2 or 3).
    ///
    /// # Errors
    ///
    /// What was refused.
    pub fn open(address: SocketAddr, protocol: u8) -> Result<Self, String> {
        let stream =
            TcpStream::connect(address).map_err(|error| format!("no connection: {error}"))?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let mut connection = Self {
            stream,
            unread: Vec::new(),
            id: Vec::new(),
            last: String::new(),
        };
        if protocol == 3 {
            let reply = connection.call(&[b"HELLO".to_vec(), b"3".to_vec()])?;
            if !matches!(reply, Value::Map(_)) {
                return Err(format!("HELLO 3: {}", notation(&reply)));
            }
        }
        if let Value::Integer(id) = connection.call(&[b"CLIENT".to_vec(), b"ID".to_vec()])? {
            connection.id = id.to_string().into_bytes();
        }
        Ok(connection)
    }

    /// Sends a request and reads its reply.
    ///
    /// # Errors
    ///
    /// When no reply comes.
    pub fn call(&mut self, arguments: &[Vec<u8>]) -> Result<Value, String> {
        self.send(&encode(arguments))?;
        match self.read_within(REPLY_LIMIT) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err("nothing".into()),
            Err(gone) => Err(gone.to_string()),
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream
            .write_all(bytes)
            .map_err(|error| format!("not sent: {error}"))
    }

    /// The next reply, or `None` when none is there within `limit`.
    ///
    /// # Errors
    ///
    /// Why there can be none any more.
    pub fn read_within(&mut self, limit: Duration) -> Result<Option<Value>, Gone> {
        let started = Instant::now();
        loop {
            if let Some(value) = self.decoded()? {
                return Ok(Some(value));
            }
            let left = limit
                .saturating_sub(started.elapsed())
                .max(Duration::from_millis(1));
            if self.stream.set_read_timeout(Some(left)).is_err() {
                return Err(Gone::Closed);
            }
            if !self.receive()? && started.elapsed() >= limit {
                return Ok(None);
            }
        }
    }

    /// The next reply, where one has arrived already.
    ///
    /// # Errors
    ///
    /// Why there can be none any more.
    pub fn read_arrived(&mut self) -> Result<Option<Value>, Gone> {
        if let Some(value) = self.decoded()? {
            return Ok(Some(value));
        }
        self.stream
            .set_nonblocking(true)
            .map_err(|_| Gone::Closed)?;
        let received = self.receive();
        self.stream
            .set_nonblocking(false)
            .map_err(|_| Gone::Closed)?;
        received?;
        self.decoded()
    }

    fn decoded(&mut self) -> Result<Option<Value>, Gone> {
        match naive::decode(&self.unread) {
            Ok(Some((value, length))) => {
                self.unread.drain(..length);
                Ok(Some(value))
            }
            Ok(None) => Ok(None),
            Err(_) => Err(Gone::Malformed(self.unread.escape_ascii().to_string())),
        }
    }

    /// Reads once; whether anything came.
    fn receive(&mut self) -> Result<bool, Gone> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(Gone::Closed),
            Ok(length) => {
                self.unread.extend(&chunk[..length]);
                Ok(true)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                Ok(false)
            }
            Err(_) => Err(Gone::Closed),
        }
    }
}

/// A request as clients send it.
pub fn encode(arguments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend(argument);
        bytes.extend(b"\r\n");
    }
    bytes
}
