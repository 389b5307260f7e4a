//! The program: how it starts, says so, and ends.

mod loopback;

use std::future::{Future as _, poll_fn};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::task::Poll;

use loopback::{Client, DEADLINE, Server, command, ended, expect, free_port};
use server::client_state::Peer;
use server::config::Config;
use server::connection;
use server::shared::Shared;

const ALLOCATOR: &str = if cfg!(feature = "jemalloc") {
    "jemalloc"
} else {
    "libc"
};

/// A path of its own for one test.
fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("resp-server-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// What the program says of these options, which it does not start with.
fn fails(options: &[&str]) -> String {
    let (mut command, _) = command(options);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is there");
    assert_eq!(ended(&mut child).code(), Some(1));
    let Output { stderr, .. } = child.wait_with_output().expect("its output");
    String::from_utf8_lossy(&stderr).into_owned()
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let text = fails(&["--port", &port]);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("Address already in use") && text.contains(&port),
        "{text}"
    );
}

#[test]
fn a_bad_option_is_told_with_its_name() {
    assert!(fails(&["--no-such-option", "1"]).contains("no-such-option"));
    assert!(fails(&["--maxclients", "many"]).contains("maxclients"));
}

#[test]
fn it_tells_its_version_and_how_it_is_used() {
    let says = |option| {
        let output = Command::new(env!("CARGO_BIN_EXE_resp-server"))
            .arg(option)
            .output()
            .expect("the program starts");
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).expect("text")
    };
    for option in ["-v", "--version"] {
        // Scripts look for the number behind `v=`.
        let line = says(option);
        let start = format!("Redis server v=7.2.4 malloc={ALLOCATOR} ");
        assert!(line.starts_with(&start), "{line}");
    }
    for option in ["-h", "--help"] {
        assert!(says(option).starts_with("Usage: resp-server "));
    }
}

#[test]
fn it_tells_where_its_memory_comes_from() {
    let server = Server::start(&[]);
    assert_eq!(server.connect().info("mem_allocator"), ALLOCATOR);
}

#[test]
fn it_says_in_redis_lines_that_it_is_ready() {
    let server = Server::start(&[]);
    let line = server.log.last().expect("the ready line");
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[0], format!("{}:M", server.child.id()));
    assert_eq!(
        words[5..],
        ["*", "Ready", "to", "accept", "connections", "tcp"]
    );
    assert_eq!(words[4].len(), "14:09:11.250".len());
}

#[test]
fn the_log_goes_to_a_file_and_only_as_much_as_its_level_allows() {
    let file = path("log");
    let (mut command, port) = command(&[
        "--logfile",
        &file.display().to_string(),
        "--loglevel",
        "warning",
    ]);
    let mut child = command.spawn().expect("the program starts");
    loopback::eventually("the server listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream
        .write_all(b"CONFIG SET loglevel verbose\r\nSHUTDOWN NOSAVE\r\n")
        .expect("a write");
    assert!(child.wait().expect("a child").success());
    let text = std::fs::read_to_string(&file).expect("a log");
    let _ = std::fs::remove_file(&file);
    assert!(!text.contains("Ready to accept"), "{text}");
    assert!(text.contains(" # "), "{text}");
}

/// The port of a server that is nobody's child, ended when this is dropped.
struct Background(u16);

impl Drop for Background {
    fn drop(&mut self) {
        Client::connect(self.0).send("SHUTDOWN NOSAVE\r\n");
    }
}

#[test]
fn in_the_background_it_listens_once_it_has_started_or_says_why_not() {
    let pidfile = path("pid");
    let written = pidfile.to_str().expect("a plain path");
    let options = ["--daemonize", "yes", "--pidfile", written];
    let (mut started, port) = command(&options);
    let Output { status, stderr, .. } = started.output().expect("the program starts");
    assert!(status.success() && stderr.is_empty());
    let ends = Background(port);
    let number = std::fs::read_to_string(&pidfile).expect("its number");
    assert_eq!(Client::connect(port).info("process_id"), number.trim_end());
    let text = fails(&[&options[..], &["--port", &port.to_string()]].concat());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("Address already in use"), "{text}");
    drop(ends);
    loopback::eventually("the pidfile is gone", || !pidfile.exists());
}

#[test]
fn systemd_is_told() {
    let socket = path("notify");
    let listener = UnixDatagram::bind(&socket).expect("a socket");
    listener
        .set_read_timeout(Some(DEADLINE))
        .expect("a timeout");
    let (mut command, port) = command(&[]);
    command.env("NOTIFY_SOCKET", &socket);
    let server = Server::run(command, port);
    let mut told = [0; 64];
    let count = listener.recv(&mut told).expect("a message");
    assert_eq!(&told[..count], b"READY=1\n");
    server.signal("TERM");
    let count = listener.recv(&mut told).expect("a message");
    assert_eq!(&told[..count], b"STOPPING=1\n");
    let _ = std::fs::remove_file(&socket);
}

#[test]
fn a_unix_socket_has_its_permissions_and_goes_with_the_server() {
    let socket = path("socket");
    let options = [
        "--unixsocket",
        &socket.display().to_string(),
        "--unixsocketperm",
        "700",
    ];
    for _ in 0..2 {
        let mut server = Server::start(&options);
        server.wait_for_line("Ready to accept connections unix");
        let mode = std::fs::metadata(&socket)
            .expect("the socket")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        let mut stream = UnixStream::connect(&socket).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream
            .write_all(b"PING\r\nGET missing\r\n")
            .expect("a write");
        expect(&mut stream, b"+PONG\r\n$-1\r\n");
        server.signal("TERM");
        assert!(server.wait().success());
        assert!(!socket.exists());
        // What a server that was killed leaves behind is no obstacle.
        drop(std::os::unix::net::UnixListener::bind(&socket).expect("a stale socket"));
    }
    let _ = std::fs::remove_file(&socket);
}

#[test]
fn a_signal_ends_it_when_what_was_received_is_answered() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start(&[]);
        let (mut busy, mut waiting, mut idle) =
            (server.connect(), server.connect(), server.connect());
        waiting.send("PING\r\nBLPOP k 0\r\n");
        waiting.expect("+PONG\r\n");
        idle.ask("PING\r\n", "+PONG\r\n");
        busy.ask("PING\r\n", "+PONG\r\n");
        // One segment: when its beginning is answered, all of it has arrived, more than one read takes.
        busy.send("INCR n\r\n".repeat(7000));
        busy.expect(":1\r\n");
        server.signal(name);
        for number in 2..=7000 {
            busy.expect(format!(":{number}\r\n"));
        }
        assert_eq!(
            (busy.rest(), waiting.rest(), idle.rest()),
            (vec![], vec![], vec![])
        );
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let mut server = Server::start(&["--shutdown-timeout", "3600"]);
    let mut client = server.connect();
    client.ask("SETRANGE k 20000000 x\r\n", ":20000001\r\n");
    // More than fits into the sockets' buffers, and nobody reads it.
    client.send("GET k\r\nGET k\r\n");
    let mut other = server.connect();
    loopback::eventually("replies wait to be written", || {
        other.send("CLIENT LIST\r\n");
        let mut text = vec![0; 4096];
        let count = std::io::Read::read(&mut other.stream, &mut text).expect("a reply");
        let text = String::from_utf8_lossy(&text[..count]).into_owned();
        text.lines()
            .any(|line| line.contains("cmd=get") && !line.contains("obl=0 "))
    });
    server.signal("INT");
    server.wait_for_line("scheduling shutdown");
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(1));
}

#[test]
fn a_second_sigterm_does_not_end_it_before_its_replies_are_read() {
    let mut server = Server::start(&["--shutdown-timeout", "3600"]);
    let mut client = server.connect();
    client.ask("SETRANGE k 19999999 x\r\n", ":20000000\r\n");
    // More than fits into the sockets' buffers.
    client.send("GET k\r\n");
    client.expect("$20000000\r\n");
    server.signal("TERM");
    server.wait_for_line("scheduling shutdown");
    server.signal("TERM");
    assert_eq!(client.rest().len(), 20_000_002);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn connections_in_the_accept_queue_are_answered_before_the_end() {
    let mut server = Server::start(&[]);
    server.signal("STOP");
    let mut queued: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for client in &mut queued {
        client.send("PING\r\nINCR n\r\n");
    }
    server.signal("TERM");
    server.signal("CONT");
    let mut numbers: Vec<_> = queued
        .iter_mut()
        .map(|client| client.rest().len())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [vec![11; 9], vec![12; 11]].concat());
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn config_set_moves_the_listening_sockets_and_keeps_the_connections() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let refuses = |port| TcpStream::connect(("127.0.0.1", port)).is_err();
    let (next, taken) = (
        free_port(),
        TcpListener::bind("127.0.0.1:0").expect("a free port"),
    );
    client.ask(&format!("CONFIG SET port {next}\r\n"), "+OK\r\n");
    loopback::eventually("the old port is closed", || refuses(server.port));
    let mut other = Client::connect(next);
    other.ask("PING\r\n", "+PONG\r\n");
    let taken = taken.local_addr().expect("its address").port();
    client.ask(
        &format!("CONFIG SET maxclients 77 port {taken}\r\n"),
        "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. \
         Check server logs.\r\n",
    );
    client.ask(
        "CONFIG SET bind 203.0.113.1\r\n",
        "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n",
    );
    // Nothing of what failed has changed.
    client.ask(
        "CONFIG GET maxclients\r\n",
        "*2\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n",
    );
    Client::connect(next).ask("PING\r\n", "+PONG\r\n");
    client.ask("CONFIG SET bind 127.0.0.2\r\n", "+OK\r\n");
    loopback::eventually("the old address is closed", || refuses(next));
    assert!(TcpStream::connect(("127.0.0.2", next)).is_ok());
    // What overlaps the old address takes its place, or leaves it as it was.
    client.ask(
        "*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$4\r\nbind\r\n$19\r\n0.0.0.0 203.0.113.1\r\n",
        "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n",
    );
    assert!(TcpStream::connect(("127.0.0.1", next)).is_err());
    Client::connect_to("127.0.0.2", next).ask("PING\r\n", "+PONG\r\n");
    client.ask("CONFIG SET bind *\r\n", "+OK\r\n");
    for address in ["127.0.0.1", "127.0.0.2"] {
        Client::connect_to(address, next).ask("PING\r\n", "+PONG\r\n");
    }
    client.ask("CONFIG SET bind 127.0.0.1\r\n", "+OK\r\n");
    assert!(TcpStream::connect(("127.0.0.2", next)).is_err());
    Client::connect(next).ask("PING\r\n", "+PONG\r\n");
    client.ask("CONFIG SET bind 127.0.0.1 port 0\r\n", "+OK\r\n");
    loopback::eventually("nobody listens", || refuses(next));
    client.ask(&format!("CONFIG SET port {}\r\n", server.port), "+OK\r\n");
    server.connect().ask("PING\r\n", "+PONG\r\n");
    other.ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn a_bad_option_is_one_line_whatever_else_is_wrong() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();
    for (name, value) in [("no-such-option", "1"), ("maxclients", "many")] {
        let text = fails(&[&format!("--{name}"), value, "--port", &port]);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn after_a_signal_nobody_new_gets_in_and_who_is_idle_is_let_go() {
    let mut server = Server::start(&["--shutdown-timeout", "3600"]);
    let (mut slow, mut idle) = (server.connect(), server.connect());
    slow.ask("SETRANGE k 19999999 x\r\n", ":20000000\r\n");
    // More than fits into the sockets' buffers.
    slow.send("GET k\r\n");
    slow.expect("$20000000\r\n");
    idle.ask("PING\r\n", "+PONG\r\n");
    server.signal("TERM");
    assert_eq!(idle.rest(), b"");
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
    assert_eq!(slow.rest().len(), 20_000_002);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn who_never_reads_holds_the_end_up_no_longer_than_shutdown_timeout() {
    let mut server = Server::start(&["--shutdown-timeout", "1"]);
    let mut client = server.connect();
    client.ask("SETRANGE k 19999999 x\r\n", ":20000000\r\n");
    client.send("GET k\r\n");
    client.expect("$20000000\r\n");
    server.signal("TERM");
    server.wait_for_line("left behind");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn what_has_arrived_is_answered_at_the_end_though_the_runtime_has_not_looked() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let shared = Arc::new(Shared::new(Config::default(), 1));
        let (ours, theirs) = tokio::net::UnixStream::pair().expect("two sockets");
        let serving = connection::serve(Arc::clone(&shared), theirs, Peer::default());
        let serving = tokio::spawn(serving);
        let mut reply = [0; 7];
        ours.try_write(b"PING\r\n").expect("a write");
        ours.readable().await.expect("a reply");
        assert_eq!(ours.try_read(&mut reply).expect("a reply"), reply.len());
        ours.try_write(b"ECHO late\r\n").expect("a write");
        shared.drain();
        serving.await.expect("a task").expect("a connection");
        let mut ours = ours.into_std().expect("a socket");
        expect(&mut ours, b"$4\r\nlate\r\n");
    });
}

#[test]
fn what_has_arrived_is_answered_at_the_end_though_something_else_wakes_the_connection_first() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let shared = Arc::new(Shared::new(Config::default(), 1));
        let (ours, theirs) = tokio::net::UnixStream::pair().expect("two sockets");
        ours.try_write(b"ECHO late\r\n").expect("a write");
        let serving = connection::serve(Arc::clone(&shared), theirs, Peer::default());
        let mut serving = pin!(serving);
        // Twice before the runtime looks at the sockets.
        for _ in 0..2 {
            shared.drain();
            let polled = poll_fn(|context| Poll::Ready(serving.as_mut().poll(context))).await;
            assert!(polled.is_pending(), "it is not answered yet");
        }
        // Now it does.
        tokio::task::yield_now().await;
        serving.await.expect("a connection");
        let mut ours = ours.into_std().expect("a socket");
        expect(&mut ours, b"$4\r\nlate\r\n");
    });
}

#[test]
fn config_set_decides_what_is_logged_from_then_on() {
    let mut server = Server::start(&[]);
    server
        .connect()
        .ask("CONFIG SET loglevel verbose\r\n", "+OK\r\n");
    // It is in force a tenth of a second later.
    for _ in 0..10 {
        server.connect().ask("PING\r\n", "+PONG\r\n");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let line = server.wait_for_line("Accepted 127.0.0.1:");
    assert!(line.contains(" - Accepted"), "{line}");
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told_through_an_abstract_socket_too() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("resp-server-{}-notify", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let listener = UnixDatagram::bind_addr(&address).expect("a socket");
    listener
        .set_read_timeout(Some(DEADLINE))
        .expect("a timeout");
    let (mut command, port) = command(&[]);
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    let server = Server::run(command, port);
    let mut told = [0; 64];
    let count = listener.recv(&mut told).expect("a message");
    assert_eq!(&told[..count], b"READY=1\n");
    drop(server);
}
