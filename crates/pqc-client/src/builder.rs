//! What a client is told before it is made: where the server is, whom TLS trusts, how long a call may
//! take.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use pqc_core::token::TokenValue;
use reqwest::redirect::Policy;
use reqwest::tls::Version;
use reqwest::{Certificate, Url};

use crate::call::Client;
use crate::error::{Error, is_of_tls};

/// Makes a [`Client`].
///
/// ```no_run
/// # fn f(token: &pqc_core::token::TokenValue) -> Result<(), Box<dyn std::error::Error>> {
/// use pqc_client::Client;
/// use std::time::Duration;
///
/// let client = Client::builder("https://pqc.internal:8443")
///     .ca_pem(&std::fs::read("ca.pem")?)?
///     .timeout(Duration::from_secs(10))
///     .build(token)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientBuilder {
    server: String,
    authorities: Option<Vec<Certificate>>,
    timeout: Duration,
    allows_plain_http: bool,
}

impl ClientBuilder {
    pub(crate) fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            authorities: None,
            timeout: DEFAULT_TIMEOUT,
            allows_plain_http: false,
        }
    }

    /// Trusts the certificates in this PEM text, and those that they signed, in the place of those
    /// that the system trusts.
    ///
    /// # Errors
    /// [`Error::Setting`]: there is none in it.
    pub fn ca_pem(mut self, pem: &[u8]) -> Result<Self, Error> {
        match Certificate::from_pem_bundle(pem) {
            Ok(authorities) if !authorities.is_empty() => {
                self.authorities = Some(authorities);
                Ok(self)
            }
            _ => Err(NO_CERTIFICATE),
        }
    }

    /// How long a call may take, with all that is repeated of it: 60 seconds unless this is called, and
    /// a day at most.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// Lets tokens and texts go to other machines without encryption: whoever is on the way has them.
    #[must_use]
    pub fn dangerously_allow_plain_http(mut self) -> Self {
        self.allows_plain_http = true;
        self
    }

    /// The client, whose calls this token authorizes.
    ///
    /// # Errors
    /// [`Error::Setting`]: the server's URL or a certificate cannot be used; [`Error::PlainHttp`];
    /// [`Error::Tls`]: the system trusts no certificates, and none were given; [`Error::Machine`].
    pub fn build(self, token: &TokenValue) -> Result<Client, Error> {
        let base = self.base()?;
        let is_plain = base.scheme() == "http";
        let is_local = is_loopback(&base);
        if is_plain && !is_local && !self.allows_plain_http {
            let host = base.host_str().unwrap_or_default().to_owned();
            return Err(Error::PlainHttp { host });
        }
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("pqc-client/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            // What is repeated is for this crate to say.
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            // Sooner than servers give up an idle connection: a call sent into its end has no answer.
            .pool_idle_timeout(IDLE_TIMEOUT)
            // Only from there on is there a post-quantum key exchange.
            .tls_version_min(Version::TLS_1_3);
        // A proxy would read what is not encrypted.
        if is_plain || is_local {
            http = http.no_proxy();
        }
        if is_plain {
            // It speaks no TLS: the system's certificates need not be read.
            http = http.tls_certs_only([]);
        } else if let Some(authorities) = self.authorities {
            http = http.tls_certs_only(authorities);
        }
        let http = http.build().map_err(|error| match is_of_tls(&error) {
            true => Error::Tls { cause: error.into() },
            false => Error::Machine { what: "make a client for HTTP" },
        })?;
        Client::made(http, base, self.timeout, token)
    }

    /// The URL that all paths are added to, without a slash at its end.
    fn base(&self) -> Result<Url, Error> {
        let wrong = |why| Error::Setting { what: "the server's URL", why };
        let base = Url::parse(&self.server)
            .map_err(|_| wrong("it is such as https://pqc.example or http://127.0.0.1:8000"))?;
        if !["http", "https"].contains(&base.scheme()) {
            return Err(wrong("it begins with https:// or http://"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("it has no user and no password: a token authorizes"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("it has no ? and no #"));
        }
        Ok(base)
    }
}

impl fmt::Debug for ClientBuilder {
    /// Without the URL, which may hold a password until it is refused for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Whether the server is on this machine, so that nobody is on the way to it.
fn is_loopback(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

const NO_CERTIFICATE: Error =
    Error::Setting { what: "the certificates", why: "there is none in the PEM text" };
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use pqc_core::token::TokenKind;

    fn built(server: &str) -> Result<Client, Error> {
        let token = TokenValue::generate(TokenKind::Root, &mut getrandom::SysRng).unwrap();
        // A test needs no certificates of the system.
        ClientBuilder { authorities: Some(Vec::new()), ..ClientBuilder::new(server) }.build(&token)
    }

    #[test]
    fn a_token_goes_over_plain_http_to_this_machine_alone() {
        for server in [
            "http://127.0.0.1:8000",
            "http://127.8.9.1",
            "http://localhost:8000/",
            "http://LOCALHOST",
            "http://[::1]:8000",
            "http://[::ffff:127.0.0.1]",
            "https://pqc.example",
            "https://pqc.example/behind/a/proxy",
        ] {
            assert!(built(server).is_ok(), "{server}");
        }
        for server in [
            "http://pqc.example",
            "http://192.0.2.1:8000",
            "http://[2001:db8::1]",
            "http://localhost.example",
            "http://127.0.0.1.example",
        ] {
            assert!(matches!(built(server), Err(Error::PlainHttp { .. })), "{server}");
            let token = TokenValue::generate(TokenKind::Root, &mut getrandom::SysRng).unwrap();
            let allowed = ClientBuilder::new(server).dangerously_allow_plain_http();
            assert!(allowed.build(&token).is_ok(), "{server}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_a_quote() {
        for server in [
            "",
            "pqc.example",
            "ftp://pqc.example",
            "https://me:hunter2@pqc.example",
            "https://hunter2@pqc.example",
            "https://pqc.example?token=hunter2",
            "https://pqc.example#hunter2",
        ] {
            let error = built(server).unwrap_err();
            assert!(matches!(error, Error::Setting { .. }), "{server}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn certificates_are_pem() {
        for pem in ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"] {
            let builder = ClientBuilder::new("https://pqc.example");
            assert!(builder.ca_pem(pem.as_bytes()).is_err(), "{pem}");
        }
    }
}
