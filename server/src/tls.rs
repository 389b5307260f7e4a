//! TLS by rustls, from the configuration's files.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::Config;

/// How long a handshake may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Values of `tls-auth-clients`, in the order in which [`Tls`] has them.
const ASKING: [&str; 3] = ["no", "optional", "yes"];

/// Turns connections into encrypted ones, asking for certificates as `tls-auth-clients` says at that time; what needs a
/// `tls-ca-cert-file` is missing where there is none.
#[derive(Clone, Debug)]
pub struct Tls([Option<Handshake>; ASKING.len()]);

impl Tls {
    /// Reads `tls-cert-file`, `tls-key-file` and, unless `tls-auth-clients` is `no`, `tls-ca-cert-file`, all PEM.
    ///
    /// # Errors
    /// One line for people, with the parameter that is to be blamed.
    pub fn new(config: &Config) -> Result<Self, String> {
        let certificates = certificates(&file(config, "tls-cert-file")?)
            .map_err(|reason| format!("Failed to load tls-cert-file: {reason}"))?;
        let key = PrivateKeyDer::from_pem_file(file(config, "tls-key-file")?)
            .map_err(|reason| format!("Failed to load tls-key-file: {reason}"))?;
        let asks = config.value("tls-auth-clients").unwrap_or_default();
        let roots = match file(config, "tls-ca-cert-file") {
            Ok(path) => Some(Arc::new(roots(&path).map_err(|reason| {
                format!("Failed to load tls-ca-cert-file: {reason}")
            })?)),
            Err(_) if asks == b"no" => None,
            Err(missing) => return Err(missing),
        };
        let mut handshakes = [None, None, None];
        for (asks, handshake) in ASKING.iter().zip(&mut handshakes) {
            if *asks == "no" || roots.is_some() {
                let server = server(asks, roots.as_ref(), certificates.clone(), key.clone_key())?;
                *handshake = Some(Handshake(TlsAcceptor::from(Arc::new(server))));
            }
        }
        Ok(Self(handshakes))
    }

    /// What shakes hands where `tls-auth-clients` is `asks`.
    pub(crate) fn asking(&self, asks: &[u8]) -> Option<Handshake> {
        let at = ASKING.iter().position(|known| known.as_bytes() == asks)?;
        self.0.get(at)?.clone()
    }
}

/// One way to shake hands.
#[derive(Clone)]
pub(crate) struct Handshake(TlsAcceptor);

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake").finish_non_exhaustive()
    }
}

impl Handshake {
    /// Does so with a new connection.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        tokio::time::timeout(TIME_LIMIT, self.0.accept(stream)).await?
    }
}

fn server(
    asks: &str,
    roots: Option<&Arc<RootCertStore>>,
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|reason| reason.to_string())?;
    let builder = match roots {
        Some(roots) if asks != "no" => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider);
            let verifier = if asks == "optional" {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            builder
                .with_client_cert_verifier(verifier.build().map_err(|reason| reason.to_string())?)
        }
        _ => builder.with_no_client_auth(),
    };
    builder
        .with_single_cert(certificates, key)
        .map_err(|reason| format!("tls-cert-file and tls-key-file: {reason}"))
}

fn file(config: &Config, parameter: &str) -> Result<String, String> {
    let path = config.value(parameter).unwrap_or_default();
    if path.is_empty() {
        return Err(format!("tls-port needs {parameter}"));
    }
    Ok(String::from_utf8_lossy(&path).into_owned())
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    certificates
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn roots(path: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}
