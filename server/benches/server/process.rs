//! Servers as processes of their own: started on a core, looked at through `/proc`, ended with the benchmark.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

/// What is missing is told once, however often the servers are started.
static TOLD_CORES: Once = Once::new();
static TOLD_REDIS: Once = Once::new();

/// The servers that are compared, the one to compare with first.
pub(crate) struct Contestants {
    pub(crate) all: Vec<Server>,
    /// Whether the servers have one core and the load another.
    pub(crate) pinned: bool,
}

impl Contestants {
    /// Redis, where it is installed, and this workspace's server, each on the first core where `pinned` and there are two.
    pub(crate) fn start(pinned: bool) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pinned = pinned && cores > 1 && is_installed("taskset");
        if !pinned {
            TOLD_CORES.call_once(|| {
                eprintln!(
                    "Servers and load share the cores: there is one core only, or no taskset"
                );
            });
        }
        let mut all = Vec::new();
        if is_installed("redis-server") {
            all.push(Server::start("redis-server", "redis-server", pinned, &[]));
        } else {
            TOLD_REDIS.call_once(|| eprintln!("redis-server is not installed: no ratios"));
        }
        all.push(Server::ours(pinned, &[]));
        Self { all, pinned }
    }
}

/// Whether a program of this name starts.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut tried = Command::new(program);
    tried
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    tried.status().is_ok()
}

/// A command that runs on one core, if it is told which.
pub(crate) fn on_core(core: Option<u32>, program: &str) -> Command {
    let Some(core) = core else {
        return Command::new(program);
    };
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}

/// Lets this process run on one core only.
pub(crate) fn move_to_core(core: u32) {
    let this = std::process::id().to_string();
    let moved = Command::new("taskset")
        .args(["-p", "-c", &core.to_string(), &this])
        .stdout(Stdio::null())
        .status();
    assert!(moved.is_ok_and(|status| status.success()), "taskset -p");
}

/// A server, ended when it is dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    child: Child,
}

impl Server {
    /// This workspace's server, as the benchmark's profile has built it.
    pub(crate) fn ours(pinned: bool, options: &[&str]) -> Self {
        let program = env!("CARGO_BIN_EXE_resp-server");
        Self::start("resp-server", program, pinned, options)
    }

    fn start(name: &'static str, program: &str, pinned: bool, options: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let child = on_core(pinned.then_some(0), program)
            .args(["--port", &port.to_string(), "--save", ""])
            .args(options)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let server = Self { name, port, child };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "{name} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Processor time of all threads so far.
    pub(crate) fn cpu(&self) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let nanoseconds = threads
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|thread| {
                let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
                text.split(' ').next()?.parse::<u64>().ok()
            });
        let total = nanoseconds.sum();
        assert!(total > 0, "/proc tells no processor time: this needs Linux");
        Duration::from_nanos(total)
    }

    /// Memory in RAM.
    pub(crate) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.expect("VmRSS in /proc: this needs Linux")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
