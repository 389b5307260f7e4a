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
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Turns connections into encrypted ones.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

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
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|reason| reason.to_string())?;
        let asks = config.value("tls-auth-clients").unwrap_or_default();
        let builder = if asks == b"no" {
            builder.with_no_client_auth()
        } else {
            let roots = roots(&file(config, "tls-ca-cert-file")?)
                .map_err(|reason| format!("Failed to load tls-ca-cert-file: {reason}"))?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if asks == b"optional" {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            builder
                .with_client_cert_verifier(verifier.build().map_err(|reason| reason.to_string())?)
        };
        let server = builder
            .with_single_cert(certificates, key)
            .map_err(|reason| format!("tls-cert-file and tls-key-file: {reason}"))?;
        Ok(Self(TlsAcceptor::from(Arc::new(server))))
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        tokio::time::timeout(HANDSHAKE, self.0.accept(stream)).await?
    }
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
