//! What MONITOR shows of each command, and what neither it nor the slow log may show.

use std::fmt::Write as _;

use crate::client_state::Client;
use crate::command::{Context, Registered};
use crate::config::Config;
use crate::ids::ClientId;
use crate::state::State;
use crate::time::Now;

/// Stands for an argument that is a secret.
const REDACTED: &[u8] = b"(redacted)";

impl State {
    /// Sends a command that ran to every client that monitors.
    pub(crate) fn feed_monitors(
        &mut self,
        id: ClientId,
        registered: &Registered,
        args: &[&[u8]],
        context: Context,
        now: Now,
    ) {
        let line = line(
            self.clients.at(id),
            &redacted(registered, args),
            context,
            now,
        );
        let watchers: Vec<_> = self
            .clients
            .iter()
            .filter(|client| client.monitors && !client.closing)
            .map(|client| client.id)
            .collect();
        for watcher in watchers {
            self.deliver(watcher, |reply| reply.simple(&line));
        }
    }
}

/// The arguments of a call with passwords replaced.
pub(crate) fn redacted<'a>(registered: &Registered, args: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut shown = args.to_vec();
    match registered.name.as_str() {
        "auth" => shown.iter_mut().skip(1).for_each(|arg| *arg = REDACTED),
        "hello" => {
            let auth = args
                .iter()
                .position(|arg| arg.eq_ignore_ascii_case(b"AUTH"));
            if let Some(at) = auth {
                shown
                    .iter_mut()
                    .skip(at + 1)
                    .take(2)
                    .for_each(|arg| *arg = REDACTED);
            }
        }
        "acl|setuser" => shown.iter_mut().skip(2).for_each(|arg| *arg = REDACTED),
        "config|set" => {
            for pair in shown.get_mut(2..).unwrap_or_default().chunks_exact_mut(2) {
                if Config::is_secret(pair[0]) {
                    pair[1] = REDACTED;
                }
            }
        }
        _ => {}
    }
    shown
}

/// `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`
fn line(client: &Client, args: &[&[u8]], context: Context, now: Now) -> String {
    let (seconds, micros) = (
        now.unix_us.div_euclid(1_000_000),
        now.unix_us.rem_euclid(1_000_000),
    );
    let source = match context {
        Context::Script => "lua",
        _ => &client.peer.address,
    };
    let mut line = format!("{seconds}.{micros:06} [{} {source}]", client.db);
    for arg in args {
        line.push_str(" \"");
        for byte in *arg {
            let _ = match byte {
                b'\\' | b'"' => write!(line, "\\{}", char::from(*byte)),
                b'\n' => write!(line, "\\n"),
                b'\r' => write!(line, "\\r"),
                b'\t' => write!(line, "\\t"),
                0x07 => write!(line, "\\a"),
                0x08 => write!(line, "\\b"),
                b' '..=b'~' => write!(line, "{}", char::from(*byte)),
                _ => write!(line, "\\x{byte:02x}"),
            };
        }
        line.push('"');
    }
    line
}
