//! Everything that can go wrong with a call. No variant holds a secret.

use std::error::Error as StdError;

use crate::refusal::{Attempt, Refusal};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server was understood, and says no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// There is no connection to the server, or it ended before the whole answer was there.
    #[error("no answer from the server")]
    Connection {
        /// What became of the attempt: kept if nothing was sent, else unknown.
        attempt: Attempt,
        /// What the connection died of.
        #[source]
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// TLS: the server has no certificate that is trusted here, or nothing was agreed on.
    #[error("no secure connection to the server")]
    Tls {
        /// What TLS says.
        #[source]
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// The answer is not what this call is answered with.
    #[error("the answer of {path} is not understood: {why}")]
    NotUnderstood {
        /// The call's path.
        path: &'static str,
        /// What is wrong with the answer.
        why: &'static str,
    },
    /// A key was made, and none of the pinned issuers vouches for it: it is not to be used.
    #[error("the key is not to be trusted")]
    Attestation(#[source] pqc_core::Error),
    /// A token would go unencrypted to another machine.
    #[error("over plain HTTP a token goes to this machine alone, and {host} is another")]
    PlainHttp {
        /// The other machine.
        host: String,
    },
    /// What the client was told cannot be used.
    #[error("{what}: {why}")]
    Setting {
        /// What it is: the server's URL, or the certificates.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The operating system gives no random bytes, or no client can be made.
    #[error("this machine cannot do it: {what}")]
    Machine {
        /// What it cannot do.
        what: &'static str,
    },
}

impl Error {
    /// What became of the attempt of a temporary token, as far as can be told.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        match self {
            Self::Refused(refusal) => refusal.attempt,
            Self::Connection { attempt, .. } => *attempt,
            Self::Attestation(_) => Attempt::Spent,
            Self::Tls { .. } | Self::NotUnderstood { .. } => Attempt::Unknown,
            Self::PlainHttp { .. } | Self::Setting { .. } | Self::Machine { .. } => Attempt::Kept,
        }
    }

    /// Of the library for HTTP, about a call.
    pub(crate) fn of_http(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if is_of_tls(&error) {
            return Self::Tls { cause: error.into() };
        }
        let attempt = if error.is_connect() { Attempt::Kept } else { Attempt::Unknown };
        Self::Connection { attempt, cause: error.into() }
    }

    /// The time of the call is over.
    pub(crate) fn out_of_time() -> Self {
        Self::Connection { attempt: Attempt::Unknown, cause: "the time for it is over".into() }
    }
}

/// Whether it comes of TLS. An error of I/O hides what it was made of from `source`.
pub(crate) fn is_of_tls(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match within {
            Some(within) => Some(within as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn an_error_of_tls_is_found_however_deep() {
        let tls = || rustls::Error::General("it".to_owned());
        let in_io = io::Error::other(io::Error::other(tls()));
        assert!(is_of_tls(&tls()) && is_of_tls(&in_io));
        assert!(!is_of_tls(&io::Error::other("TLS")));
        assert!(!is_of_tls(&io::Error::from(io::ErrorKind::ConnectionRefused)));
    }
}
