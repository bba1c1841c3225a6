//! TLS 1.3 (RFC 8446) by rustls, with the hybrid key exchange X25519MLKEM768 first
//! (draft-ietf-tls-ecdhe-mlkem): what is recorded today stays closed to a quantum computer of later.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    Acceptor, ResolvesServerCert, ServerSessionMemoryCache, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{NamedGroup, RootCertStore, ServerConfig, version};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// What clients may agree on a key by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyExchange {
    /// X25519MLKEM768 for whom can do it, or else X25519, P-256 or P-384.
    #[default]
    PreferPostQuantum,
    /// X25519MLKEM768 or SecP256r1MLKEM768; a handshake without both is refused.
    RequirePostQuantum,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// There is no certificate in the PEM text.
    #[error("it holds no certificate (PEM)")]
    NoCertificate,
    /// There is no private key in the PEM text.
    #[error("it holds no private key (PEM: PKCS#8, PKCS#1 or SEC1, not encrypted)")]
    NoKey,
    /// One of the certificates cannot be that of an issuer.
    #[error("they cannot be used as certificates of issuers: {0}")]
    NoIssuers(String),
    /// The key is of a kind that is not taken, or not that of the certificate.
    #[error("they cannot be used as certificate and key: {0}")]
    Unusable(rustls::Error),
}

/// A certificate with those that lead to its issuer, and its private key.
#[derive(Debug)]
pub struct Certificate(Arc<CertifiedKey>);

impl Certificate {
    /// Reads PEM text: the chain, the server's own certificate first; and the key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        Ok(Self(Arc::new(certified.map_err(TlsError::Unusable)?)))
    }
}

/// TLS as the server speaks it. The certificate can be replaced at any time: connections that are
/// there go on.
#[derive(Debug, Clone)]
pub struct Tls {
    /// For clients that can do a hybrid. Apart, for the library goes by what the client likes best,
    /// and some that can do a hybrid like another one better.
    post_quantum: Arc<ServerConfig>,
    /// For the others, unless they are refused.
    classical: Option<Arc<ServerConfig>>,
    certificate: Arc<InForce>,
}

impl Tls {
    /// With this certificate.
    ///
    /// # Errors
    /// [`TlsError::Unusable`].
    pub fn new(certificate: Certificate, exchange: KeyExchange) -> Result<Self, TlsError> {
        let certificate = Arc::new(InForce(RwLock::new(certificate.0)));
        Self::with(certificate, exchange, &WebPkiClientVerifier::no_client_auth())
    }

    fn with(
        certificate: Arc<InForce>,
        exchange: KeyExchange,
        clients: &Arc<dyn ClientCertVerifier>,
    ) -> Result<Self, TlsError> {
        let post_quantum = config(&POST_QUANTUM, &certificate, clients)?;
        let classical = match exchange {
            KeyExchange::PreferPostQuantum => Some(config(&CLASSICAL, &certificate, clients)?),
            KeyExchange::RequirePostQuantum => None,
        };
        Ok(Self { post_quantum, classical, certificate })
    }

    /// The same with the same certificate, whichever it becomes, but only for clients that show a
    /// certificate of their own which one of these issuers (PEM) has signed.
    ///
    /// # Errors
    /// [`TlsError::NoCertificate`], [`TlsError::NoIssuers`].
    pub fn for_clients_of(&self, issuers: &[u8]) -> Result<Self, TlsError> {
        let mut trusted = RootCertStore::empty();
        for issuer in certificates(issuers)? {
            trusted.add(issuer).map_err(|error| TlsError::NoIssuers(error.to_string()))?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider);
        let clients = clients.build().map_err(|error| TlsError::NoIssuers(error.to_string()))?;
        let exchange = match self.classical {
            Some(_) => KeyExchange::PreferPostQuantum,
            None => KeyExchange::RequirePostQuantum,
        };
        Self::with(Arc::clone(&self.certificate), exchange, &clients)
    }

    /// Puts another certificate in force for the connections to come.
    pub fn replace(&self, certificate: Certificate) {
        *self.certificate.0.write().unwrap_or_else(PoisonError::into_inner) = certificate.0;
    }

    /// The handshake, at the server's end; `None`: it failed, or was not done within the time.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        time: Duration,
    ) -> Option<TlsStream<TcpStream>> {
        match tokio::time::timeout(time, self.handshake(stream)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
        None
    }

    async fn handshake(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let started = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let offered = started.client_hello();
        let is_hybrid = |group: &NamedGroup| POST_QUANTUM.iter().any(|ours| ours.name() == *group);
        let can_do_hybrid = offered.named_groups().is_some_and(|all| all.iter().any(is_hybrid));
        let config = match &self.classical {
            Some(classical) if !can_do_hybrid => classical,
            _ => &self.post_quantum,
        };
        started.into_stream(Arc::clone(config)).await
    }
}

/// At least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(TlsError::NoCertificate)
}

fn config(
    groups: &[&'static dyn SupportedKxGroup],
    certificate: &Arc<InForce>,
    clients: &Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = CryptoProvider { kx_groups: groups.to_vec(), ..aws_lc_rs::default_provider() };
    let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(certificate) as _;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(TlsError::Unusable)?
        .with_client_cert_verifier(Arc::clone(clients))
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    Ok(Arc::new(config))
}

/// The certificate in force.
#[derive(Debug)]
struct InForce(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

static POST_QUANTUM: [&dyn SupportedKxGroup; 2] =
    [kx_group::X25519MLKEM768, kx_group::SECP256R1MLKEM768];
static CLASSICAL: [&dyn SupportedKxGroup; 3] =
    [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
/// How many sessions can be taken up again.
const SESSIONS: usize = 4096;

#[cfg(test)]
mod tests;
