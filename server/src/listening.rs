//! Where the server listens, as the configuration says, also when CONFIG SET changes it.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::sync::{mpsc, oneshot};

use crate::config::Config;
use crate::listener::{Listener, SocketFile};
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// Who is let in, until the receiver is told or its sender is gone.
pub type Opened = (Door, oneshot::Receiver<()>);

/// A listener by who comes in through it.
#[derive(Debug)]
pub enum Door {
    /// Clients.
    Clients(Listener),
    /// Who collects [metrics](crate::metrics).
    Metrics(TcpListener),
}

impl Door {
    /// The socket, where it is a TCP socket.
    fn socket(&self) -> Option<&TcpListener> {
        match self {
            Self::Clients(listener) => listener.tcp(),
            Self::Metrics(listener) => Some(listener),
        }
    }
}

/// The listeners there are. Those opened go to whoever accepts.
#[derive(Debug)]
pub struct Listening {
    bound: Mutex<BTreeMap<Place, Bound>>,
    opened: mpsc::UnboundedSender<Opened>,
}

/// A place that is listened on.
#[derive(Debug)]
struct Bound {
    /// Another handle of a TCP socket, whoever accepts from it.
    socket: Option<TcpListener>,
    /// Whoever accepts goes on as long as this is here.
    _keep: oneshot::Sender<()>,
}

/// What is listened on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Tcp(SocketAddr),
    Tls(SocketAddr),
    Unix(PathBuf),
    Metrics(SocketAddr),
}

impl Place {
    fn address(&self) -> Option<&SocketAddr> {
        match self {
            Self::Tcp(address) | Self::Tls(address) | Self::Metrics(address) => Some(address),
            Self::Unix(_) => None,
        }
    }

    /// Whether one of them is in the other's way: `0.0.0.0` means all addresses of its family.
    fn overlaps(&self, other: &Self) -> bool {
        let (Some(one), Some(other)) = (self.address(), other.address()) else {
            return false;
        };
        let any = one.ip().is_unspecified() || other.ip().is_unspecified();
        one.port() == other.port()
            && one.is_ipv4() == other.is_ipv4()
            && (any || one.ip() == other.ip())
    }
}

impl Listening {
    /// Nothing yet, and where listeners will come out.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Opened>) {
        let (opened, listeners) = mpsc::unbounded_channel();
        let bound = Mutex::default();
        (Self { bound, opened }, listeners)
    }

    /// Listens where the configuration says: opens what is missing and closes what is not wanted any more.
    ///
    /// What is open and still wanted stays as it is.
    ///
    /// # Errors
    /// One line for people, of the first place that can't be bound unless it is marked optional by `-`. Nothing has
    /// changed then.
    pub fn follow(&self, config: &Config) -> Result<(), String> {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = places(config)?;
        let missing = || {
            wanted
                .iter()
                .filter(|(place, _)| !bound.contains_key(place))
        };
        let stays = |place: &Place| wanted.iter().any(|(other, _)| other == place);
        // Two can't listen on the same address, and a moment without either is better than none.
        let in_the_way: Vec<_> = bound
            .iter()
            .filter(|(place, _)| !stays(place) && missing().any(|(other, _)| other.overlaps(place)))
            .filter_map(|(_, bound)| bound.socket.as_ref())
            .collect();
        for socket in &in_the_way {
            let _ = SockRef::from(socket).shutdown(Shutdown::Read);
        }
        let opened = open_all(missing(), config).inspect_err(|_| {
            for socket in in_the_way {
                let _ = listen(&SockRef::from(socket), config.tcp_backlog);
            }
        })?;
        bound.retain(|place, _| stays(place));
        for (place, door) in opened {
            let (keep, stop) = oneshot::channel();
            let socket = door.socket().and_then(|socket| socket.try_clone().ok());
            let here = Bound {
                socket,
                _keep: keep,
            };
            bound.insert(place, here);
            let _ = self.opened.send((door, stop));
        }
        Ok(())
    }

    /// Listens nowhere any more.
    pub fn close(&self) {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        bound.clear();
    }
}

/// What the configuration wants, and whether it may be missing.
fn places(config: &Config) -> Result<Vec<(Place, bool)>, String> {
    let mut places = Vec::new();
    for (address, is_optional) in addresses(config, config.port as u16)? {
        places.push((Place::Tcp(address), is_optional));
    }
    for (address, is_optional) in addresses(config, port(config, "tls-port"))? {
        places.push((Place::Tls(address), is_optional));
    }
    for (address, is_optional) in addresses(config, port(config, "metrics-port"))? {
        places.push((Place::Metrics(address), is_optional));
    }
    if !config.unixsocket.is_empty() {
        let path = String::from_utf8_lossy(&config.unixsocket);
        places.push((Place::Unix(PathBuf::from(path.into_owned())), false));
    }
    Ok(places)
}

/// A port among the parameters that are stored only; 0 for none.
fn port(config: &Config, parameter: &str) -> u16 {
    let text = config.value(parameter).unwrap_or_default();
    String::from_utf8_lossy(&text).parse().unwrap_or(0)
}

/// The words of `bind` with this port; none where the port is 0.
fn addresses(config: &Config, port: u16) -> Result<Vec<(SocketAddr, bool)>, String> {
    let words = String::from_utf8_lossy(&config.bind);
    let mut addresses = Vec::new();
    for word in words.split_ascii_whitespace().filter(|_| port != 0) {
        let (is_optional, name) = word
            .strip_prefix('-')
            .map_or((false, word), |name| (true, name));
        let ip: Result<IpAddr, _> = match name {
            "*" => "0.0.0.0",
            "::*" => "::",
            "localhost" => "127.0.0.1",
            other => other,
        }
        .parse();
        match ip {
            Ok(ip) => addresses.push((SocketAddr::new(ip, port), is_optional)),
            Err(_) if is_optional => {}
            Err(error) => return Err(format!("Failed listening on {name}:{port}: {error}")),
        }
    }
    Ok(addresses)
}

/// Opens these places, or none.
fn open_all<'a>(
    places: impl Iterator<Item = &'a (Place, bool)>,
    config: &Config,
) -> Result<Vec<(Place, Door)>, String> {
    let mut doors = Vec::new();
    for (place, is_optional) in places {
        match open(place, config) {
            Ok(door) => doors.push((place.clone(), door)),
            Err(Fault { kind, .. }) if *is_optional && kind != io::ErrorKind::AddrInUse => {}
            Err(Fault { text, .. }) => return Err(text),
        }
    }
    Ok(doors)
}

/// Why a place can't be listened on.
struct Fault {
    kind: io::ErrorKind,
    text: String,
}

fn open(place: &Place, config: &Config) -> Result<Door, Fault> {
    let tcp = |address: &SocketAddr| bind_tcp(*address, config.tcp_backlog);
    let listener = match place {
        Place::Tcp(address) => Listener::Tcp(tcp(address)?),
        #[cfg(feature = "tls")]
        Place::Tls(address) => {
            let tls = Tls::new(config).map_err(|text| Fault {
                kind: io::ErrorKind::InvalidInput,
                text,
            })?;
            Listener::Tls(tcp(address)?, tls)
        }
        #[cfg(not(feature = "tls"))]
        Place::Tls(_) => {
            return Err(Fault {
                kind: io::ErrorKind::Unsupported,
                text: "tls-port: this server was built without TLS".to_owned(),
            });
        }
        Place::Unix(path) => {
            let permissions = String::from_utf8_lossy(&config.unixsocketperm);
            bind_unix(path, &permissions, config.tcp_backlog).map_err(|error| Fault {
                kind: error.kind(),
                text: format!(
                    "Failed opening Unix socket: bind: {}: {error}",
                    path.display()
                ),
            })?
        }
        Place::Metrics(address) => return tcp(address).map(Door::Metrics),
    };
    Ok(Door::Clients(listener))
}

fn bind_tcp(address: SocketAddr, backlog: i64) -> Result<TcpListener, Fault> {
    let bound = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        listen(&socket, backlog)?;
        Ok(TcpListener::from(OwnedFd::from(socket)))
    };
    bound().map_err(|error: io::Error| Fault {
        kind: error.kind(),
        text: format!(
            "Failed listening on port {} (tcp), aborting. {address}: {error}",
            address.port()
        ),
    })
}

fn listen(socket: &Socket, backlog: i64) -> io::Result<()> {
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)
}

/// Binds a Unix socket in place of the one that a server before may have left; `permissions` in octal digits, `0` for
/// what the process' mask gives.
fn bind_unix(path: &Path, permissions: &str, backlog: i64) -> io::Result<Listener> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile(path.to_owned());
    match u32::from_str_radix(permissions, 8) {
        Ok(0) => {}
        Ok(mode) => std::fs::set_permissions(path, Permissions::from_mode(mode))?,
        Err(_) => return Err(io::Error::other("unixsocketperm is no octal number")),
    }
    listen(&socket, backlog)?;
    let listener = UnixListener::from(OwnedFd::from(socket));
    Ok(Listener::Unix(listener, file))
}
