//! TLS on real sockets: who gets in, and that everything arrives.
#![cfg(feature = "tls")]

mod loopback;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use loopback::{DEADLINE, Server, expect, free_port};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

/// A certificate authority, and what it signed, as files.
struct Authority {
    dir: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("resp-server-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        std::fs::write(dir.join("ca.pem"), issuer.pem()).expect("a file");
        for who in ["server", "client"] {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
            let certificate = params.signed_by(&key, &issuer).expect("a certificate");
            std::fs::write(dir.join(format!("{who}.pem")), certificate.pem()).expect("a file");
            std::fs::write(dir.join(format!("{who}.key")), key.serialize_pem()).expect("a file");
        }
        Self { dir }
    }

    fn path(&self, file: &str) -> String {
        self.dir.join(file).display().to_string()
    }

    fn start(&self, clients: &str) -> (Server, u16) {
        let port = free_port();
        let server = Server::start(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &self.path("server.pem"),
            "--tls-key-file",
            &self.path("server.key"),
            "--tls-ca-cert-file",
            &self.path("ca.pem"),
            "--tls-auth-clients",
            clients,
        ]);
        (server, port)
    }

    fn connect(
        &self,
        port: u16,
        with_certificate: bool,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        let certificates = |file: &str| {
            let all = CertificateDer::pem_file_iter(self.path(file)).expect("a file");
            all.map(|certificate| certificate.expect("PEM"))
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates("ca.pem"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = if with_certificate {
            let key = PrivateKeyDer::from_pem_file(self.path("client.key")).expect("a key");
            builder
                .with_client_auth_cert(certificates("client.pem").collect(), key)
                .expect("a certificate")
        } else {
            builder.with_no_client_auth()
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        StreamOwned::new(connection, stream)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn large_and_small_replies_arrive_whole_beside_the_plain_port() {
    let authority = Authority::new("whole");
    let (server, port) = authority.start("no");
    let mut client = authority.connect(port, false);
    let value = "x".repeat(3_000_000);
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3000000\r\n{value}\r\n");
    client.write_all(set.as_bytes()).expect("a write");
    expect(&mut client, b"+OK\r\n");
    client
        .write_all(b"GET k\r\nPING\r\nGET k\r\nPING\r\n")
        .expect("a write");
    for _ in 0..2 {
        expect(
            &mut client,
            format!("$3000000\r\n{value}\r\n+PONG\r\n").as_bytes(),
        );
    }
    server.connect().ask("STRLEN k\r\n", ":3000000\r\n");
}

#[test]
fn clients_show_their_certificates_as_the_configuration_asks() {
    let authority = Authority::new("clients");
    for (asks, with_certificate, gets_in) in [
        ("yes", true, true),
        ("yes", false, false),
        ("optional", true, true),
        ("optional", false, true),
        ("no", false, true),
    ] {
        let (_server, port) = authority.start(asks);
        let mut client = authority.connect(port, with_certificate);
        assert_eq!(
            is_served(&mut client),
            gets_in,
            "{asks}, {with_certificate}"
        );
    }
}

#[test]
fn what_is_asked_of_clients_can_be_changed() {
    let authority = Authority::new("change");
    let (server, port) = authority.start("no");
    for (asks, with_certificate, gets_in) in [
        ("yes", false, false),
        ("yes", true, true),
        ("optional", false, true),
    ] {
        let set = format!("CONFIG SET tls-auth-clients {asks}\r\n");
        server.connect().ask(&set, "+OK\r\n");
        let mut client = authority.connect(port, with_certificate);
        assert_eq!(is_served(&mut client), gets_in, "{asks}");
    }
}

/// Whether a client gets its PING answered.
fn is_served(client: &mut (impl Read + Write)) -> bool {
    let mut reply = [0; 7];
    let answered = client
        .write_all(b"PING\r\n")
        .and_then(|()| client.read_exact(&mut reply));
    answered.is_ok() && reply == *b"+PONG\r\n"
}

#[test]
fn who_does_not_finish_the_handshake_is_closed() {
    let authority = Authority::new("handshake");
    let (server, port) = authority.start("no");
    let connect = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.write_all(bytes).expect("a write");
        stream
    };
    // Nothing, and the start of a record that never comes.
    let mut streams = [connect(b""), connect(b"\x16\x03\x01\x02\x00\x01")];
    server.connect().ask("PING\r\n", "+PONG\r\n");
    for stream in &mut streams {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the server closes");
        assert_eq!(rest, b"");
    }
    server.connect().ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn what_speaks_no_tls_is_closed_and_others_are_served() {
    let authority = Authority::new("plain");
    let (server, port) = authority.start("no");
    let mut plain = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    plain.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    plain
        .write_all(b"PING\r\nPING\r\nPING\r\n")
        .expect("a write");
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"+PONG"));
    server.connect().ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn a_certificate_of_another_authority_lets_nobody_in() {
    let (own, other) = (Authority::new("own"), Authority::new("other"));
    for file in ["client.pem", "client.key"] {
        std::fs::copy(other.path(file), own.path(file)).expect("a file");
    }
    for (asks, gets_in) in [("yes", false), ("optional", false), ("no", true)] {
        let (_server, port) = own.start(asks);
        let mut client = own.connect(port, true);
        assert_eq!(is_served(&mut client), gets_in, "{asks}");
    }
}

#[test]
fn a_file_that_tls_needs_is_missed_in_one_line() {
    let authority = Authority::new("missing");
    let port = free_port().to_string();
    // Where nothing is missed, this ends the program all the same.
    let nowhere = authority.path("nowhere/socket");
    let mut options = vec!["--unixsocket", &nowhere, "--tls-port", &port];
    let [certificate, key, roots] =
        ["server.pem", "server.key", "ca.pem"].map(|file| authority.path(file));
    for (name, path) in [
        ("--tls-cert-file", &certificate),
        ("--tls-key-file", &key),
        ("--tls-ca-cert-file", &roots),
    ] {
        let output = loopback::command(&options).0.output();
        let output = output.expect("the program starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(&name[2..]), "{text}");
        options.extend([name, path]);
    }
}
