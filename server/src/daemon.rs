//! What the program owes whoever started it: the background, a file with its number, word to systemd.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::config::Config;

/// In the environment of the process in the background.
const DETACHED: &str = "RESP_SERVER_DETACHED";

/// What that process says last to the one that started it.
const READY: &[u8] = b"ready\n";

/// The pidfile of a server in the background that is told no other.
const PIDFILE: &str = "/var/run/redis.pid";

/// Whether the server is to run in the background (`daemonize`).
fn is_wanted(config: &Config) -> bool {
    config.value("daemonize").as_deref() == Some(b"yes")
}

/// Runs the server in the background, where `daemonize` says so and this is not that process yet. Returns when that server
/// is ready, and gives whether it was started.
///
/// # Errors
/// What it said where it could not start.
pub fn detach(config: &Config) -> Result<bool, String> {
    if !is_wanted(config) || std::env::var_os(DETACHED).is_some() {
        return Ok(false);
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(DETACHED, "1")
        // Signals to the terminal's group, and its end, are not for the background.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("Can't start in the background: {error}"))?;
    let mut said = Vec::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = stderr.read_to_end(&mut said);
    }
    if said.ends_with(READY) {
        return Ok(true);
    }
    let reason = String::from_utf8_lossy(&said);
    let silent = format!("The server ended before it was ready: {:?}", child.wait());
    Err(Some(reason.trim_end())
        .filter(|reason| !reason.is_empty())
        .map_or(silent, str::to_owned))
}

/// Tells whoever started this process that the server listens: what [`detach`] waits for, and systemd.
pub fn tell_ready() {
    if std::env::var_os(DETACHED).is_some() {
        let null = std::fs::File::options().write(true).open("/dev/null");
        let _ = std::io::stderr().write_all(READY);
        let let_go = null.and_then(|null| Ok(rustix::stdio::dup2_stderr(null)?));
        if let Err(error) = let_go {
            tracing::warn!("Leaving the terminal: {error}");
        }
    }
    notify_systemd(b"READY=1\n");
}

/// Tells systemd that the server ends.
pub fn tell_stopping() {
    notify_systemd(b"STOPPING=1\n");
}

/// The file with the number of this process, removed when it is dropped.
#[derive(Debug)]
pub struct Pidfile(PathBuf);

impl Pidfile {
    /// Writes `pidfile`, if there is to be one. A server runs without just as well: it is only said in the log.
    pub fn write(config: &Config) -> Option<Self> {
        let path = config.value("pidfile").unwrap_or_default();
        let path = match String::from_utf8_lossy(&path).into_owned() {
            path if !path.is_empty() => path,
            _ if is_wanted(config) => PIDFILE.to_owned(),
            _ => return None,
        };
        if let Err(error) = std::fs::write(&path, format!("{}\n", std::process::id())) {
            tracing::warn!("Failed to write PID file {path}: {error}");
            return None;
        }
        let absolute = std::path::absolute(&path);
        Some(Self(absolute.unwrap_or_else(|_| path.into())))
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Tells systemd, where it asked to be told (`sd_notify(3)`).
#[cfg(target_os = "linux")]
fn notify_systemd(state: &[u8]) {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let address = match path.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state, &address));
    if let Err(error) = sent {
        tracing::warn!("Telling systemd: {error}");
    }
}

/// There is no systemd here.
#[cfg(not(target_os = "linux"))]
fn notify_systemd(_: &[u8]) {}
