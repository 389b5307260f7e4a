//! The server program on loopback, and clients that say exactly what they mean.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails; generous, because nothing is judged by it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A running server, ended when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) port: u16,
    lines: mpsc::Receiver<String>,
    /// The log up to the line that says it is ready.
    pub(crate) log: Vec<String>,
}

/// A port that nobody listens on, below those that outgoing connections take theirs from.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = 15_000 + (std::process::id() % 250) as u16 * 64;
    loop {
        let port = own + NEXT.fetch_add(1, Ordering::Relaxed);
        // Not by listening there: a program that another thread starts meanwhile would hold that socket for a moment too.
        if TcpStream::connect(("127.0.0.1", port)).is_err() {
            return port;
        }
    }
}

/// The program with a free port and these options.
pub(crate) fn command(options: &[&str]) -> (Command, u16) {
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_resp-server"));
    command.args(["--port", &port.to_string(), "--save", ""]);
    command.args(options);
    (command, port)
}

impl Server {
    /// Starts the server with these options and waits until it is ready.
    pub(crate) fn start(options: &[&str]) -> Self {
        let (command, port) = command(options);
        Self::run(command, port)
    }

    /// Starts a command that runs the server, and waits until it is ready.
    pub(crate) fn run(mut command: Command, port: u16) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut server = Self {
            child,
            port,
            lines,
            log: Vec::new(),
        };
        let ready = server.wait_for_line("Ready to accept connections");
        server.log.push(ready);
        server
    }

    /// The next line of the log that holds `text`; those before it go to `log`.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|_| panic!("no line with {text:?} in the log"));
            if line.contains(text) {
                return line;
            }
            self.log.push(line);
        }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.port)
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill(1)").success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        ended(&mut self.child)
    }

    /// A number in `/proc/<pid>/status`.
    pub(crate) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("proc(5)");
        let line = text.lines().find(|line| line.starts_with("VmRSS:"));
        let word = line.and_then(|line| line.split_ascii_whitespace().nth(1));
        word.and_then(|word| word.parse().ok()).expect("a number")
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(path).expect("proc(5)");
        let fields = text.rsplit(')').next().expect("fields");
        let ticks: u64 = fields
            .split_ascii_whitespace()
            .skip(11)
            .take(2)
            .map(|word| word.parse::<u64>().expect("a number"))
            .sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client on a raw socket.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        Self::connect_to("127.0.0.1", port)
    }

    pub(crate) fn connect_to(address: &str, port: u16) -> Self {
        let stream = TcpStream::connect((address, port)).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        Self { stream }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("a write");
    }

    pub(crate) fn expect(&mut self, reply: impl AsRef<[u8]>) {
        expect(&mut self.stream, reply.as_ref());
    }

    pub(crate) fn ask(&mut self, request: &str, reply: &str) {
        self.send(request);
        self.expect(reply);
    }

    /// Everything up to the end of the stream; a reset counts as an end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let mut piece = vec![0; 65536];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return rest,
                Ok(count) => rest.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("the server does not close")
                }
                Err(_) => return rest,
            }
        }
    }

    /// A field of INFO.
    pub(crate) fn info(&mut self, field: &str) -> String {
        self.send("INFO everything\r\n");
        let mut header = Vec::new();
        while !header.ends_with(b"\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("a reply");
            header.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&header[1..header.len() - 2]).into_owned();
        let mut body = vec![0; text.parse::<usize>().expect("a length") + 2];
        self.stream.read_exact(&mut body).expect("a reply");
        let body = String::from_utf8_lossy(&body).into_owned();
        let start = format!("{field}:");
        let line = body.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {field} in INFO"))
            .to_owned()
    }
}

/// How the program ended; it is given time to, and no more.
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if Instant::now() >= until {
            let _ = child.kill();
            panic!("the server did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn expect(stream: &mut impl Read, reply: &[u8]) {
    let mut got = vec![0; reply.len()];
    let mut filled = 0;
    while filled < got.len() {
        match stream.read(&mut got[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
    }
    if got[..filled] != *reply {
        let (got, reply) = (got[..filled].escape_ascii(), reply.escape_ascii());
        assert_eq!(got.to_string(), reply.to_string());
    }
}

/// Tries until it holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
