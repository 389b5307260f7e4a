//! Accepting connections and spreading them over threads, each with a runtime of its own.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::sync::{mpsc, oneshot};

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

/// Where connections come from: a socket that listens and does not block.
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

    /// The socket, where it is a TCP socket.
    pub(crate) fn tcp(&self) -> Option<&TcpListener> {
        match self {
            Self::Tcp(listener) => Some(listener),
            #[cfg(feature = "tls")]
            Self::Tls(listener, _) => Some(listener),
            Self::Unix(..) => None,
        }
    }

    /// The next connection that is there already.
    fn try_next(&self) -> io::Result<Incoming> {
        let tcp = |listener: &TcpListener| {
            let (stream, address) = listener.accept()?;
            stream.set_nonblocking(true)?;
            Ok(Incoming::Tcp(stream, address))
        };
        match self {
            Self::Tcp(listener) => tcp(listener),
            #[cfg(feature = "tls")]
            Self::Tls(listener, _) => tcp(listener),
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Incoming::Unix(stream))
            }
        }
    }

    /// What is to be done with a connection; `None` where it was refused.
    fn admit(&self, shared: &Arc<Shared>, incoming: Incoming) -> Option<Arrival> {
        match (incoming, self) {
            #[cfg(feature = "tls")]
            (Incoming::Tcp(stream, address), Self::Tls(_, tls)) => {
                let asks = shared
                    .with(|engine, _| engine.config().value("tls-auth-clients"))
                    .unwrap_or_default();
                // Where it asks and no authority is there by which to judge, nobody gets in.
                let handshake = tls.asking(&asks)?;
                let socket = |stream| Socket::Tls(stream, handshake);
                admit_tcp(shared, stream, address, socket)
            }
            (Incoming::Tcp(stream, address), _) => admit_tcp(shared, stream, address, Socket::Tcp),
            (Incoming::Unix(stream), _) => admit_unix(shared, stream),
        }
    }
}

/// The file of a Unix socket, removed when it is dropped.
#[derive(Debug)]
pub struct SocketFile(pub(crate) PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
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
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(TcpStream, Handshake),
    Unix(UnixStream),
}

/// Accepts connections and deals them out to `threads` in turn, until `stop` is told or gone; what stands in the accept
/// queue by then is accepted too.
///
/// # Errors
/// When the runtime can't wait for the socket.
pub async fn accept(
    shared: Arc<Shared>,
    listener: Listener,
    threads: Vec<mpsc::UnboundedSender<Arrival>>,
    mut stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    let mut queue = Queue::of(&listener)?;
    let mut threads = threads.iter().cycle();
    let mut deal = |arrival| {
        if let Some(thread) = threads.next() {
            let _ = thread.send(arrival);
        }
    };
    loop {
        let incoming = tokio::select! {
            incoming = queue.next() => incoming,
            _ = &mut stop => break,
        };
        match incoming {
            Ok(incoming) => {
                let arrival = listener.admit(&shared, incoming);
                arrival.into_iter().for_each(&mut deal);
            }
            // It was gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                // It was told to listen no more. If that is taken back, the runtime has to look at it anew.
                tokio::time::sleep(ACCEPT_REST).await;
                queue = Queue::of(&listener)?;
            }
            Err(error) => {
                tracing::warn!("Accepting client connection: {error}");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    // The runtime may not have heard of the last ones yet.
    while let Ok(incoming) = listener.try_next() {
        let arrival = listener.admit(&shared, incoming);
        arrival.into_iter().for_each(&mut deal);
    }
    Ok(())
}

/// A connection just accepted.
enum Incoming {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

/// A listener's socket, waited for by the runtime.
enum Queue {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Queue {
    fn of(listener: &Listener) -> io::Result<Self> {
        match listener {
            Listener::Tcp(listener) => Self::tcp(listener),
            #[cfg(feature = "tls")]
            Listener::Tls(listener, _) => Self::tcp(listener),
            Listener::Unix(listener, _) => {
                tokio::net::UnixListener::from_std(listener.try_clone()?).map(Self::Unix)
            }
        }
    }

    fn tcp(listener: &TcpListener) -> io::Result<Self> {
        tokio::net::TcpListener::from_std(listener.try_clone()?).map(Self::Tcp)
    }

    async fn next(&self) -> io::Result<Incoming> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok(Incoming::Tcp(stream.into_std()?, address))
            }
            Self::Unix(listener) => Ok(Incoming::Unix(listener.accept().await?.0.into_std()?)),
        }
    }
}

fn admit_tcp(
    shared: &Arc<Shared>,
    stream: TcpStream,
    address: SocketAddr,
    socket: impl FnOnce(TcpStream) -> Socket,
) -> Option<Arrival> {
    let refused = |text| {
        // To somebody who does not even read that, there is nothing to say.
        let _ = (&stream).write(text);
    };
    let (admission, keepalive_s) = admission(shared, Some(address.ip()), refused)?;
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
    Some(Arrival {
        socket: socket(stream),
        peer,
        admission,
    })
}

fn admit_unix(shared: &Arc<Shared>, stream: UnixStream) -> Option<Arrival> {
    let refused = |text| {
        let _ = (&stream).write(text);
    };
    let (admission, _) = admission(shared, None, refused)?;
    let local = stream.local_addr().ok()?;
    let path = local.as_pathname().unwrap_or(Path::new(""));
    let address = format!("{}:0", path.display());
    let peer = Peer {
        local_address: address.clone(),
        address,
        descriptor: stream.as_raw_fd(),
    };
    Some(Arrival {
        socket: Socket::Unix(stream),
        peer,
        admission,
    })
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
        Socket::Tcp(stream) => {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            connection::serve(shared, stream, peer).await
        }
        #[cfg(feature = "tls")]
        Socket::Tls(stream, handshake) => {
            let stream = handshake
                .accept(tokio::net::TcpStream::from_std(stream)?)
                .await?;
            connection::serve(shared, stream, peer).await
        }
        Socket::Unix(stream) => {
            let stream = tokio::net::UnixStream::from_std(stream)?;
            connection::serve(shared, stream, peer).await
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
