//! Plays transcripts against a running server.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::connection::{Connection, Gone, REPLY_LIMIT, encode};
use crate::naive::Value;
use crate::notation::notation;
use crate::transcript::{Action, Reply, Step, Transcript, parse_version};

/// How long `nothing` listens.
const SILENCE: Duration = Duration::from_millis(30);

/// How long a command may take to block; what never does costs the transcript this wait.
const BLOCK_LIMIT: Duration = Duration::from_millis(500);

/// Missing replies after which the rest of a file is given up.
const MISSING_LIMIT: usize = 3;

/// Plays `transcript` on fresh connections that speak `protocol` (2 or 3) and describes each difference: the place,
/// what was sent last on that connection, what was expected, and what came.
///
/// Steps of a later version than `version` are left out.
pub fn play(
    transcript: &Transcript,
    file: &str,
    address: SocketAddr,
    protocol: u8,
    version: (u32, u32),
) -> Vec<String> {
    let mut player = Player {
        address,
        protocol,
        connections: HashMap::new(),
        captured: HashMap::new(),
        differences: Vec::new(),
        missing: 0,
    };
    let steps: Vec<&Step> = transcript
        .steps
        .iter()
        .filter(|step| step.since.is_none_or(|since| since <= version))
        .filter(|step| !matches!(step.action, Action::Expect { protocol: Some(only), .. } if only != protocol))
        .collect();
    for (i, step) in steps.iter().enumerate() {
        if let Err(came) = player.step(step, steps.get(i + 1).copied()) {
            player.differ(file, step, &came);
        }
        if player.missing == MISSING_LIMIT {
            player.differences.push(format!(
                "{file}:{}: given up, {MISSING_LIMIT} replies missing",
                step.line
            ));
            break;
        }
    }
    for (name, connection) in &mut player.connections {
        if let Ok(Some(value)) = connection.read_within(Duration::ZERO) {
            let came = notation(&value);
            player.differences.push(format!(
                "{file}: left unread at the end\n+{name}< {}",
                shorten(&came)
            ));
        }
    }
    player.differences
}

/// The server's version as INFO tells it.
///
/// # Errors
///
/// When the server does not answer or tells none.
pub fn version(address: SocketAddr) -> Result<(u32, u32), String> {
    let mut connection = Connection::open(address, 2)?;
    let reply = connection.call(&[b"INFO".to_vec(), b"server".to_vec()])?;
    let Value::BulkString(text) = &reply else {
        return Err(format!("INFO server: {}", notation(&reply)));
    };
    let text = String::from_utf8_lossy(text);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"));
    line.and_then(parse_version)
        .ok_or_else(|| "INFO server tells no redis_version".into())
}

struct Player {
    address: SocketAddr,
    protocol: u8,
    connections: HashMap<String, Connection>,
    captured: HashMap<String, Vec<u8>>,
    differences: Vec<String>,
    missing: usize,
}

impl Player {
    /// Does one step; the error is what came instead of what was expected.
    fn step(&mut self, step: &Step, next: Option<&Step>) -> Result<(), String> {
        match &step.action {
            Action::Sleep(time) => sleep(*time),
            Action::Close => {
                if let Some(connection) = self.connections.remove(&step.connection) {
                    let id = connection.id.clone();
                    drop(connection);
                    self.settle(&id, REPLY_LIMIT, <[u8]>::is_empty);
                }
            }
            Action::Send(arguments) => {
                let arguments: Vec<_> = arguments
                    .iter()
                    .map(|argument| self.filled(argument))
                    .collect();
                self.send(step, next, &encode(&arguments))?;
            }
            Action::SendRaw(bytes) => self.send(step, next, bytes)?,
            Action::Expect { reply, .. } => return self.expect(&step.connection, reply),
        }
        Ok(())
    }

    fn send(&mut self, step: &Step, next: Option<&Step>, bytes: &[u8]) -> Result<(), String> {
        let connection = self.connection(&step.connection)?;
        // Another connection's next step must find this command done, or blocked.
        let is_left = next.is_some_and(|next| next.connection != step.connection);
        connection.last.clone_from(&step.text);
        connection.send(bytes)?;
        if is_left && !matches!(next.map(|next| &next.action), Some(Action::Sleep(_))) {
            let id = connection.id.clone();
            self.settle(&id, BLOCK_LIMIT, is_blocked);
        }
        Ok(())
    }

    /// Waits until the line of CLIENT LIST for the client is as wanted, or until `limit` is over.
    fn settle(&mut self, id: &[u8], limit: Duration, is_settled: fn(&[u8]) -> bool) {
        let Ok(mut control) = Connection::open(self.address, 2) else {
            return;
        };
        let started = Instant::now();
        while started.elapsed() < limit {
            let words: [&[u8]; 4] = [b"CLIENT", b"LIST", b"ID", id];
            match control.call(&words.map(<[u8]>::to_vec)) {
                Ok(Value::BulkString(text)) if is_settled(&text) => return,
                Ok(Value::BulkString(_)) => sleep(Duration::from_millis(2)),
                _ => return,
            }
        }
    }

    fn expect(&mut self, name: &str, reply: &Reply) -> Result<(), String> {
        let connection = self.connection(name)?;
        let limit = if matches!(reply, Reply::Nothing) {
            SILENCE
        } else {
            REPLY_LIMIT
        };
        let came = connection.read_within(limit);
        if matches!(reply, Reply::Closed) {
            self.connections.remove(name);
        }
        match (reply, came) {
            (Reply::Value(pattern), Ok(Some(value))) if pattern.matches(&value) => Ok(()),
            (Reply::Capture(name), Ok(Some(Value::Integer(n)))) => {
                self.captured
                    .insert(name.clone(), n.to_string().into_bytes());
                Ok(())
            }
            (
                Reply::Capture(name),
                Ok(Some(Value::BulkString(bytes) | Value::SimpleString(bytes))),
            ) => {
                self.captured.insert(name.clone(), bytes);
                Ok(())
            }
            (Reply::Nothing, Ok(None)) | (Reply::Closed, Err(Gone::Closed)) => Ok(()),
            (_, Ok(Some(value))) => Err(notation(&value)),
            (_, Ok(None)) => {
                self.missing += 1;
                Err("nothing".into())
            }
            (_, Err(gone)) => {
                self.connections.remove(name);
                Err(gone.to_string())
            }
        }
    }

    /// What was captured, where `argument` is the name of a capture behind `$`; else the argument itself.
    fn filled(&self, argument: &[u8]) -> Vec<u8> {
        let name = argument
            .strip_prefix(b"$")
            .and_then(|name| std::str::from_utf8(name).ok());
        name.and_then(|name| self.captured.get(name))
            .cloned()
            .unwrap_or_else(|| argument.to_vec())
    }

    fn connection(&mut self, name: &str) -> Result<&mut Connection, String> {
        if !self.connections.contains_key(name) {
            let connection = Connection::open(self.address, self.protocol)?;
            self.connections.insert(name.into(), connection);
        }
        self.connections
            .get_mut(name)
            .ok_or_else(|| "no connection".into())
    }

    fn differ(&mut self, file: &str, step: &Step, came: &str) {
        let mut text = format!("{file}:{} (RESP{})", step.line, self.protocol);
        if let Some(connection) = self.connections.get(&step.connection) {
            _ = write!(text, "\n {}", connection.last);
        }
        _ = write!(
            text,
            "\n-{}\n+{}< {}",
            shorten(&step.text),
            step.connection,
            shorten(came)
        );
        self.differences.push(text);
    }
}

/// Whether a line of CLIENT LIST shows a blocked client.
fn is_blocked(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    line.split(' ')
        .filter_map(|field| field.strip_prefix("flags="))
        .any(|flags| flags.contains('b'))
}

fn shorten(text: &str) -> String {
    const MOST: usize = 2_000;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} … ({} bytes)", &text[..end], text.len()),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread::spawn;

    use super::*;

    /// A server that answers each write that it reads with `answer`.
    fn answering(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                spawn(move || {
                    let mut chunk = [0; 1024];
                    while stream.read(&mut chunk).is_ok_and(|length| length > 0) {
                        if stream.write_all(answer).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn differences(text: &str, answer: &'static [u8]) -> Vec<String> {
        let transcript = Transcript::parse(text).expect("legal");
        play(&transcript, "file", answering(answer), 2, (7, 0))
    }

    #[test]
    fn a_reply_as_expected_is_no_difference() {
        assert_eq!(
            differences("> PING\n< +PONG\nA> PING\nA< +PONG\n", b"+PONG\r\n"),
            [""; 0]
        );
    }

    #[test]
    fn another_reply_is_a_difference() {
        let expected = "file:2 (RESP2)\n > GET k\n-< \"w\"\n+< +PONG";
        assert_eq!(differences("> GET k\n< \"w\"\n", b"+PONG\r\n"), [expected]);
        assert_eq!(differences("> GET k\n< nothing\n", b"+PONG\r\n").len(), 1);
        assert_eq!(differences("> GET k\n< closed\n", b"+PONG\r\n").len(), 1);
    }

    #[test]
    fn bytes_that_are_no_reply_are_a_difference() {
        // Whatever is asked first meets them: the connection does not open.
        assert_eq!(differences("> GET k\n< any\n", b":x\r\n").len(), 2);
    }

    #[test]
    fn a_reply_left_unread_is_a_difference() {
        let expected = "file: left unread at the end\n+< +PONG";
        assert_eq!(
            differences("> PING\nsleep 30ms\n", b"+PONG\r\n"),
            [expected]
        );
    }

    #[test]
    fn lines_of_the_other_protocol_and_of_later_versions_are_left_out() {
        let text = "> PING\n<2 +PONG\n<3 +NO\n\n@version 7.2\n> PING\n< +NO\n";
        assert_eq!(differences(text, b"+PONG\r\n"), [""; 0]);
    }
}
