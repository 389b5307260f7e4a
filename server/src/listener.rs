//! Accepting connections and spreading them over threads, each with a runtime of its own.

use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::client_state::Peer;
use crate::config::Config;
use crate::connection;
use crate::shared::{Admission, Shared};
#[cfg(feature = "tls")]
use crate::tls::{Handshake, Tls};

/// How long accepting rests when there is no descriptor left, instead of spinning.
pub(crate) const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Refusals, in place of the first reply.
const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";
const PROTECTED: &[u8] =
    b"-DENIED Protected mode: as no password is set, connections are accepted from this machine \
    only. Set one by 'requirepass', or allow everybody by 'protected-mode no'.\r\n";

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A TCP port for TLS.
    #[cfg(feature = "tls")]
    Tls(TcpListener, Tls),
    /// A Unix socket, whose file goes with the listener.
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// What the log calls it: `tcp`, `tls` or `unix`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            #[cfg(feature = "tls")]
            Self::Tls(..) => "tls",
            Self::Unix(..) => "unix",
        }
    }
}

/// The file of a Unix socket, removed when it is dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Binds what the configuration asks for: the TCP port and the one for TLS on each address, and the Unix socket.
///
/// # Errors
/// One line for people: the first address that can't be bound, unless it is marked optional by `-`, or the path.
pub fn bind(config: &Config) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    if config.port != 0 {
        let bound = bind_addresses(config, config.port as u16)?;
        listeners.extend(bound.into_iter().map(Listener::Tcp));
    }
    let tls_port = port(config, "tls-port");
    if tls_port != 0 {
        #[cfg(feature = "tls")]
        {
            let tls = Tls::new(config)?;
            let bound = bind_addresses(config, tls_port)?.into_iter();
            listeners.extend(bound.map(|listener| Listener::Tls(listener, tls.clone())));
        }
        #[cfg(not(feature = "tls"))]
        return Err("tls-port: this server was built without TLS".to_owned());
    }
    if !config.unixsocket.is_empty() {
        let path = PathBuf::from(String::from_utf8_lossy(&config.unixsocket).into_owned());
        let permissions = String::from_utf8_lossy(&config.unixsocketperm).into_owned();
        let failed = |error| {
            format!(
                "Failed opening Unix socket: bind: {}: {error}",
                path.display()
            )
        };
        listeners.push(bind_unix(&path, &permissions, config.tcp_backlog as u32).map_err(failed)?);
    }
    Ok(listeners)
}

/// Binds `metrics-port`, if there is one, where the server listens.
///
/// # Errors
/// One line for people.
pub fn bind_metrics(config: &Config) -> Result<Vec<TcpListener>, String> {
    match port(config, "metrics-port") {
        0 => Ok(Vec::new()),
        port => bind_addresses(config, port),
    }
}

/// A port among the parameters that are stored only; 0 for none.
fn port(config: &Config, parameter: &str) -> u16 {
    let text = config.value(parameter).unwrap_or_default();
    String::from_utf8_lossy(&text).parse().unwrap_or(0)
}

fn bind_addresses(config: &Config, port: u16) -> Result<Vec<TcpListener>, String> {
    let addresses = String::from_utf8_lossy(&config.bind);
    bind_tcp(&addresses, port, config.tcp_backlog as u32)
        .map_err(|error| format!("Failed listening on port {port} (tcp), aborting. {error}"))
}

fn bind_tcp(addresses: &str, port: u16, backlog: u32) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for word in addresses.split_ascii_whitespace() {
        let (optional, name) = word
            .strip_prefix('-')
            .map_or((false, word), |name| (true, name));
        let name = match name {
            "*" => "0.0.0.0",
            "::*" => "::",
            "localhost" => "127.0.0.1",
            other => other,
        };
        let result = name
            .parse()
            .map_err(io::Error::other)
            .and_then(|ip| listen(SocketAddr::new(ip, port), backlog));
        match result {
            Ok(listener) => listeners.push(listener),
            Err(error) if optional && error.kind() != io::ErrorKind::AddrInUse => {}
            Err(error) => {
                return Err(io::Error::new(
                    error.kind(),
                    format!("{name}:{port}: {error}"),
                ));
            }
        }
    }
    Ok(listeners)
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        let socket = TcpSocket::new_v6()?;
        SockRef::from(&socket).set_only_v6(true)?;
        socket
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

/// Binds a Unix socket in place of the one that a server before may have left; `permissions` in octal digits, `0` for
/// what the process' mask gives.
fn bind_unix(path: &Path, permissions: &str, backlog: u32) -> io::Result<Listener> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    let file = SocketFile(path.to_owned());
    match u32::from_str_radix(permissions, 8) {
        Ok(0) => {}
        Ok(mode) => std::fs::set_permissions(path, Permissions::from_mode(mode))?,
        Err(_) => return Err(io::Error::other("unixsocketperm is no octal number")),
    }
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    let listener = UnixListener::from_std(std::os::unix::net::UnixListener::from(
        std::os::fd::OwnedFd::from(socket),
    ))?;
    Ok(Listener::Unix(listener, file))
}

/// A connection on its way to the thread that will serve it.
#[derive(Debug)]
pub struct Arrival {
    socket: Socket,
    peer: Peer,
    admission: Admission,
}

#[derive(Debug)]
enum Socket {
    Tcp(std::net::TcpStream),
    #[cfg(feature = "tls")]
    Tls(std::net::TcpStream, Handshake),
    Unix(std::os::unix::net::UnixStream),
}

/// Accepts connections for ever and deals them out to `threads` in turn.
pub async fn accept(
    shared: Arc<Shared>,
    listener: Listener,
    threads: Vec<mpsc::UnboundedSender<Arrival>>,
) {
    for turn in 0_usize.. {
        let accepted = match &listener {
            Listener::Tcp(listener) => match listener.accept().await {
                Ok((stream, address)) => admit_tcp(&shared, stream, address, Socket::Tcp),
                Err(error) => Err(error),
            },
            #[cfg(feature = "tls")]
            Listener::Tls(listener, tls) => match listener.accept().await {
                Ok((stream, address)) => {
                    let asks = shared
                        .with(|engine, _| engine.config().value("tls-auth-clients"))
                        .unwrap_or_default();
                    match tls.asking(&asks) {
                        Some(handshake) => admit_tcp(&shared, stream, address, |stream| {
                            Socket::Tls(stream, handshake)
                        }),
                        // There is no authority that a certificate could be judged by.
                        None => Ok(None),
                    }
                }
                Err(error) => Err(error),
            },
            Listener::Unix(listener, file) => match listener.accept().await {
                Ok((stream, _)) => admit_unix(&shared, stream, &file.0),
                Err(error) => Err(error),
            },
        };
        match accepted {
            Ok(Some(arrival)) => {
                if let Some(thread) = threads.get(turn % threads.len().max(1)) {
                    let _ = thread.send(arrival);
                }
            }
            Ok(None) => {}
            // It was gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!("Accepting client connection: {error}");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

fn admit_tcp(
    shared: &Arc<Shared>,
    stream: TcpStream,
    address: SocketAddr,
    socket: impl FnOnce(std::net::TcpStream) -> Socket,
) -> io::Result<Option<Arrival>> {
    let refused = |text| {
        // To somebody who does not even read that, there is nothing to say.
        let _ = stream.try_write(text);
    };
    let Some((admission, keepalive_s)) = admission(shared, Some(address.ip()), refused) else {
        return Ok(None);
    };
    let _ = stream.set_nodelay(true);
    if keepalive_s > 0 {
        // As Redis does: the first probe after that time, then three, a third of it apart.
        let (idle, interval) = (keepalive_s, (keepalive_s / 3).max(1));
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(idle))
            .with_interval(Duration::from_secs(interval))
            .with_retries(3);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    }
    let peer = Peer {
        address: address.to_string(),
        local_address: stream
            .local_addr()
            .map(|local| local.to_string())
            .unwrap_or_default(),
        descriptor: stream.as_raw_fd(),
    };
    let socket = socket(stream.into_std()?);
    Ok(Some(Arrival {
        socket,
        peer,
        admission,
    }))
}

fn admit_unix(
    shared: &Arc<Shared>,
    stream: UnixStream,
    path: &Path,
) -> io::Result<Option<Arrival>> {
    let refused = |text| {
        let _ = stream.try_write(text);
    };
    let Some((admission, _)) = admission(shared, None, refused) else {
        return Ok(None);
    };
    let address = format!("{}:0", path.display());
    let peer = Peer {
        local_address: address.clone(),
        address,
        descriptor: stream.as_raw_fd(),
    };
    let socket = Socket::Unix(stream.into_std()?);
    Ok(Some(Arrival {
        socket,
        peer,
        admission,
    }))
}

/// A place among the clients with the seconds between keep-alive probes, or the refusal passed to `refused`.
fn admission(
    shared: &Arc<Shared>,
    ip: Option<IpAddr>,
    refused: impl FnOnce(&'static [u8]),
) -> Option<(Admission, u64)> {
    let (most, keepalive_s, protected) = shared.with(|engine, _| {
        let config = engine.config();
        let most = usize::try_from(config.maxclients).unwrap_or(usize::MAX);
        (most, config.tcp_keepalive as u64, is_protected(config, ip))
    });
    let admission = if protected { None } else { shared.admit(most) };
    let Some(admission) = admission else {
        shared.with(|engine, _| engine.state().stats.rejected_connections += 1);
        refused(if protected { PROTECTED } else { TOO_MANY });
        return None;
    };
    Some((admission, keepalive_s))
}

/// Whether protected mode keeps this address out; `None` for a Unix socket.
pub(crate) fn is_protected(config: &Config, ip: Option<IpAddr>) -> bool {
    let elsewhere = ip.is_some_and(|ip| !ip.to_canonical().is_loopback());
    config.protected_mode && config.requirepass.is_empty() && elsewhere
}

/// Serves the connections that arrive, all on the calling thread, until there are no more to come and all have ended.
///
/// # Errors
/// When no runtime can be made.
pub fn serve_thread(
    shared: &Arc<Shared>,
    mut arrivals: mpsc::UnboundedReceiver<Arrival>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Each connection holds a sender; when the last is gone, so are they.
        let (serving, mut ended) = mpsc::channel::<()>(1);
        while let Some(arrival) = arrivals.recv().await {
            let (shared, serving) = (Arc::clone(shared), serving.clone());
            tokio::spawn(async move {
                // An error means that the client went away; there is nobody to tell.
                if let Err(error) = serve(shared, arrival).await {
                    tracing::debug!("Client connection: {error}");
                }
                drop(serving);
            });
        }
        drop(serving);
        let _ = ended.recv().await;
    });
    Ok(())
}

async fn serve(shared: Arc<Shared>, arrival: Arrival) -> io::Result<()> {
    let Arrival {
        socket,
        peer,
        admission,
    } = arrival;
    tracing::debug!("Accepted {}", peer.address);
    let served = match socket {
        Socket::Tcp(stream) => connection::serve(shared, TcpStream::from_std(stream)?, peer).await,
        #[cfg(feature = "tls")]
        Socket::Tls(stream, handshake) => {
            let stream = handshake.accept(TcpStream::from_std(stream)?).await?;
            connection::serve(shared, stream, peer).await
        }
        Socket::Unix(stream) => {
            connection::serve(shared, UnixStream::from_std(stream)?, peer).await
        }
    };
    drop(admission);
    served
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_mode_keeps_others_out_until_there_is_a_password() {
        let mut config = Config::default();
        let ip = |text: &str| text.parse().ok();
        for (address, protected) in [
            ("127.0.0.1", false),
            ("127.8.9.1", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("::ffff:192.0.2.1", true),
        ] {
            assert_eq!(is_protected(&config, ip(address)), protected, "{address}");
        }
        assert!(!is_protected(&config, None));
        config.requirepass = b"secret".to_vec();
        assert!(!is_protected(&config, ip("192.0.2.1")));
        config.requirepass.clear();
        config.protected_mode = false;
        assert!(!is_protected(&config, ip("192.0.2.1")));
    }
}
