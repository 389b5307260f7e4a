//! The server program: arguments, threads, signals.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::REDIS_VERSION;
use server::config::Config;
use server::daemon::{self, Pidfile};
use server::engine::Engine;
use server::host::{Listen, Usage};
use server::listener::{self, Arrival};
use server::listening::{Door, Listening, Opened};
use server::log::{Log, LogLevel};
use server::metrics;
use server::shared::Shared;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static JEMALLOC: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Where memory comes from, as INFO and `--version` name it.
const ALLOCATOR: &str = if cfg!(feature = "jemalloc") {
    "jemalloc"
} else {
    "libc"
};

/// Descriptors for other things than clients: files, listeners, what the runtimes need.
const OWN_DESCRIPTORS: u64 = 32;

const HELP: &str = "\
Usage: resp-server [/path/to/redis.conf] [--name value ...] ...
       resp-server -v | --version
       resp-server -h | --help

Every parameter of a redis.conf can be given as --name value, too, and then counts more than the file's. Without any, it
listens on 127.0.0.1 and ::1, port 6379. 'redis-cli config get \"*\"' lists the parameters and their values.

Examples:
       resp-server
       resp-server --port 7777 --requirepass secret
       resp-server /etc/redis/redis.conf --loglevel verbose
       resp-server --maxmemory 100mb --maxmemory-policy allkeys-lru
       resp-server --unixsocket /tmp/redis.sock --port 0";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("-v" | "--version") => {
            let own = env!("CARGO_PKG_VERSION");
            println!("Redis server v={REDIS_VERSION} malloc={ALLOCATOR} (resp-server {own})");
            return ExitCode::SUCCESS;
        }
        Some("-h" | "--help") => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    match Config::from_arguments(std::env::args().skip(1)).and_then(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the server, or has it run in the background.
fn start(config: Config) -> Result<(), String> {
    if daemon::detach(&config)? {
        return Ok(());
    }
    run(config)
}

fn run(mut config: Config) -> Result<(), String> {
    let dir = String::from_utf8_lossy(&config.dir).into_owned();
    // Relative to where the server was started, not to its working directory.
    config.config_file = config.config_file.map(|path| {
        let absolute = std::path::absolute(&path);
        absolute.map_or(path, |absolute| absolute.display().to_string())
    });
    std::env::set_current_dir(&dir).map_err(|error| format!("Can't chdir to '{dir}': {error}"))?;
    if let Ok(dir) = std::env::current_dir() {
        config.dir = dir.display().to_string().into_bytes();
    }
    let (log, level) = Log::new(&String::from_utf8_lossy(&config.logfile), config.loglevel);
    let _ = tracing::subscriber::set_global_default(log);
    allow_descriptors(&mut config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(serve(config, &level))
}

/// Raises the process' limit of open files to what `maxclients` needs, or lowers `maxclients` to what it allows.
fn allow_descriptors(config: &mut Config) {
    let wanted = config.maxclients as u64 + OWN_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return;
    }
    let raised = limit.maximum.unwrap_or(u64::MAX).min(wanted);
    let rlimit = Rlimit {
        current: Some(raised),
        maximum: limit.maximum,
    };
    let allowed = setrlimit(Resource::Nofile, rlimit).map_or(current, |()| raised);
    if allowed < wanted {
        let most = allowed.saturating_sub(OWN_DESCRIPTORS).max(1);
        tracing::warn!(
            "The limit of {allowed} open files allows {most} clients: maxclients is lowered from {}",
            config.maxclients
        );
        config.maxclients = most as i64;
    }
}

async fn serve(config: Config, level: &LogLevel) -> Result<(), String> {
    let mut signals = Signals::new().map_err(|error| error.to_string())?;
    let (listening, mut opened) = Listening::new();
    listening.follow(&config)?;
    let grace_s = config.value("shutdown-timeout");
    let grace_s = grace_s.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
    let threads = match config.io_threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => usize::try_from(count).unwrap_or(1),
    };
    let port = config.port;
    let _pidfile = Pidfile::write(&config);
    let seed = server::value::Rng::from_entropy().next_u64();
    let shared = Arc::new(Shared::new(config, seed));
    let (senders, mut ended) = start_threads(&shared, threads.max(1));
    let listening = Arc::new(listening);
    let follow = Arc::clone(&listening);
    let listen = Listen(Arc::new(move |config| follow.follow(config)));
    shared.with(|engine, _| {
        let host = &mut engine.state().host;
        host.listen = Some(listen);
        host.allocator = ALLOCATOR;
    });
    let mut accepting = Accepting {
        shared: Arc::clone(&shared),
        threads: senders,
        tasks: JoinSet::new(),
    };
    tracing::info!("Server initialized: port {port}, {threads} threads");
    let mut kinds = Vec::new();
    while let Ok(opened) = opened.try_recv() {
        if let Door::Clients(listener) = &opened.0 {
            kinds.push(listener.kind());
        }
        accepting.accept_from(opened);
    }
    kinds.dedup();
    for kind in kinds {
        tracing::info!("Ready to accept connections {kind}");
    }
    daemon::tell_ready();
    tokio::select! {
        () = tick_until_told(&shared, &mut signals, level) => {}
        () = accepting.accept_from_all(&mut opened) => {}
    }
    daemon::tell_stopping();
    listening.close();
    accepting.end().await;
    shared.drain();
    tokio::select! {
        _ = ended.recv() => {}
        () = tokio::time::sleep(Duration::from_secs(grace_s.unwrap_or(10))) => {
            tracing::warn!("Clients that do not read their replies are left behind");
        }
        () = signals.insists() => {
            tracing::warn!("You insist... exiting now.");
            return Err("Interrupted again".to_owned());
        }
    }
    tracing::warn!("Server is now ready to exit, bye bye...");
    Ok(())
}

/// The tasks that accept connections, and to whom they deal them out.
struct Accepting {
    shared: Arc<Shared>,
    threads: Vec<mpsc::UnboundedSender<Arrival>>,
    tasks: JoinSet<()>,
}

impl Accepting {
    fn accept_from(&mut self, (door, stop): Opened) {
        let (shared, threads) = (Arc::clone(&self.shared), self.threads.clone());
        self.tasks.spawn(async move {
            let accepted = match door {
                Door::Clients(listener) => listener::accept(shared, listener, threads, stop).await,
                Door::Metrics(listener) => metrics::serve(shared, listener, stop).await,
            };
            if let Err(error) = accepted {
                tracing::error!("Accepting connections: {error}");
            }
        });
    }

    /// Accepts from every listener that CONFIG SET opens, for ever.
    async fn accept_from_all(&mut self, opened: &mut mpsc::UnboundedReceiver<Opened>) {
        while let Some(opened) = opened.recv().await {
            self.accept_from(opened);
        }
        std::future::pending::<()>().await;
    }

    /// Waits until those told to stop have accepted what had come by then.
    async fn end(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Starts the threads that serve connections: where to send them, and what ends when all threads have.
fn start_threads(
    shared: &Arc<Shared>,
    count: usize,
) -> (
    Vec<mpsc::UnboundedSender<Arrival>>,
    mpsc::UnboundedReceiver<()>,
) {
    let (running, ended) = mpsc::unbounded_channel();
    let mut senders = Vec::new();
    for _ in 0..count {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let (shared, running) = (Arc::clone(shared), running.clone());
        std::thread::spawn(move || {
            if let Err(error) = listener::serve_thread(&shared, arrivals) {
                tracing::error!("{error}");
            }
            drop(running);
        });
        senders.push(sender);
    }
    (senders, ended)
}

/// The clients' turn while many keys expire.
const BETWEEN_EXPIRIES: Duration = Duration::from_millis(1);

/// Does what is due, ten times a second or as `hz` says, until a signal or SHUTDOWN ends it.
async fn tick_until_told(shared: &Shared, signals: &mut Signals, level: &LogLevel) {
    loop {
        let (hz, deadline) = shared.with(|engine, now| {
            let deadline = engine
                .next_deadline_us()
                .map(|at| at.saturating_sub(now.monotonic_us));
            (engine.config().hz.max(1) as u64, deadline)
        });
        let until =
            Duration::from_micros((1_000_000 / hz).min(deadline.unwrap_or(u64::MAX).max(1_000)));
        let due = Instant::now() + until;
        while Instant::now() < due && shared.with(Engine::expire_some) {
            tokio::time::sleep(BETWEEN_EXPIRIES).await;
        }
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            name = signals.ends() => {
                tracing::warn!("Received {name} scheduling shutdown...");
                return;
            }
        }
        let usage = Usage::read();
        if shared.with(|engine, now| {
            engine.state().host.usage = usage;
            engine.tick(now);
            level.set(engine.config().loglevel);
            engine.state().shutdown
        }) {
            tracing::warn!("User requested shutdown...");
            return;
        }
    }
}

/// The signals that end the server.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The name of the signal that came.
    async fn ends(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// Somebody at a terminal does not want to wait.
    async fn insists(&mut self) {
        self.interrupt.recv().await;
    }
}
