//! A server program in a process of its own, on a loopback port and in a folder of its own, for as long as it is held.

use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a server may take from its start to its first accepted connection.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A running server; dropped, it is killed and its folder removed.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl ServerProcess {
    /// Starts `program` with `--NAME VALUE` for each option besides its port, address and folder, and waits until it
    /// accepts connections.
    ///
    /// # Errors
    ///
    /// When it can't be started or doesn't listen in time, with what it printed.
    pub fn start(program: &Path, options: &[(String, String)]) -> io::Result<Self> {
        // Between its choice and the server's bind a port can be taken by another process.
        let mut last = None;
        for _ in 0..3 {
            match Self::start_once(program, options) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::other("never started")))
    }

    fn start_once(program: &Path, options: &[(String, String)]) -> io::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = env::temp_dir().join(format!(
            "resp-server-test-{}-{}",
            std::process::id(),
            address.port()
        ));
        fs::create_dir_all(&folder)?;
        let log = fs::File::create(folder.join("log"))?;
        let mut command = Command::new(program);
        command.args([
            "--port",
            &address.port().to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]);
        command.arg("--dir").arg(&folder);
        for (name, value) in options {
            command.arg(format!("--{name}")).arg(value);
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = command.spawn()?;
        let mut server = Self {
            child,
            address,
            folder,
        };
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            if server.child.try_wait()?.is_some() {
                break;
            }
            sleep(Duration::from_millis(5));
        }
        let log = fs::read_to_string(server.folder.join("log")).unwrap_or_default();
        Err(io::Error::other(format!(
            "{} does not listen on {address}:\n{log}",
            program.display()
        )))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Nothing can be done here when the process is gone or the folder can't be removed.
        _ = self.child.kill();
        _ = self.child.wait();
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// Builds the workspace's server in the profile of the running test, so that no test judges an older one, and says
/// where the program is. `RESP_TEST_SERVER` names another
/// build to use instead.
///
/// # Errors
///
/// When the build fails, with the compiler's output.
pub fn server_under_test() -> io::Result<PathBuf> {
    if let Some(program) = env::var_os("RESP_TEST_SERVER") {
        return Ok(program.into());
    }
    // A test runs as TARGET/PROFILE/deps/NAME-HASH.
    let test = env::current_exe()?;
    let folders: Vec<&Path> = test.ancestors().skip(1).take(3).collect();
    let [_, profile, target] = folders.as_slice() else {
        return Err(io::Error::other(format!(
            "{} is in no target folder",
            test.display()
        )));
    };
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args([
            "build",
            "--quiet",
            "--package",
            "server",
            "--bin",
            "resp-server",
            "--target-dir",
        ])
        .arg(target);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let output = build.current_dir(env!("CARGO_MANIFEST_DIR")).output()?;
    if !output.status.success() {
        return Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    Ok(profile.join("resp-server"))
}

/// The real server, where one is on `PATH`.
pub fn real_server() -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join("redis-server"))
        .find(|program| program.is_file())
}
