//! The server's certificate: two PEM files, read at the start and again when they change.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use pqc_http::{Certificate, KeyExchange, Tls, TlsError};
use zeroize::Zeroizing;

use crate::signals::Hangup;
use crate::{key_files, private_file};

/// Where the certificate is, and how clients agree on a key.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub(crate) cert: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
    /// By what.
    pub(crate) exchange: KeyExchange,
}

/// A certificate in force, and what its files held when it was read.
pub(crate) struct Followed {
    files: TlsFiles,
    read: Read,
    tls: Tls,
    /// How often in a row they could not be read.
    missed: u32,
}

/// The bytes of both files.
#[derive(PartialEq)]
struct Read {
    chain: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
}

impl TlsFiles {
    /// Reads both.
    ///
    /// # Errors
    /// One of them cannot be read, or what they hold cannot be used.
    pub(crate) fn load(self) -> anyhow::Result<Followed> {
        let read = self.read()?;
        let tls = Tls::new(self.certificate(&read)?, self.exchange)?;
        key_files::warn_if_open(&self.key);
        Ok(Followed { files: self, read, tls, missed: 0 })
    }

    fn read(&self) -> anyhow::Result<Read> {
        let bytes = |path: &Path| {
            private_file::read(path, MAX_FILE_BYTES)
                .with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Read { chain: bytes(&self.cert)?, key: bytes(&self.key)? })
    }

    fn certificate(&self, read: &Read) -> anyhow::Result<Certificate> {
        Certificate::from_pem(&read.chain, &read.key).map_err(|error| {
            let (cert, key) = (self.cert.display(), self.key.display());
            let files = match error {
                TlsError::NoCertificate => cert.to_string(),
                TlsError::NoKey => key.to_string(),
                _ => format!("{cert} and {key}"),
            };
            anyhow::Error::new(error).context(files)
        })
    }
}

impl Followed {
    /// TLS by this certificate, whichever it becomes.
    pub(crate) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// The same for clients that show a certificate which an issuer in this file signed. The file is
    /// read now and not again.
    ///
    /// # Errors
    /// It cannot be read, or what it holds cannot be used.
    pub(crate) fn tls_for_clients_of(&self, issuers: &Path) -> anyhow::Result<Tls> {
        let pem =
            std::fs::read(issuers).with_context(|| format!("cannot read {}", issuers.display()))?;
        self.tls.for_clients_of(&pem).with_context(|| issuers.display().to_string())
    }

    /// Puts in force what the files come to hold. What cannot be used leaves the one before.
    pub(crate) async fn follow(mut self, mut hangup: Hangup) -> Infallible {
        loop {
            let is_asked = tokio::select! {
                () = hangup.next() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            if let Err(error) = self.look(is_asked) {
                tracing::error!("the certificate in force stays: {error:#}");
            }
        }
    }

    fn look(&mut self, is_asked: bool) -> anyhow::Result<()> {
        let read = match self.files.read() {
            // One that is being replaced may be missing for a moment.
            Err(error) => {
                self.missed = self.missed.saturating_add(1);
                let is_said = is_asked || self.missed == MISSED_FOR_A_MOMENT;
                return if is_said { Err(error) } else { Ok(()) };
            }
            Ok(read) => read,
        };
        self.missed = 0;
        if read == self.read && !is_asked {
            return Ok(());
        }
        let certificate = self.files.certificate(&read);
        // One that is of no use is said once.
        self.read = read;
        self.tls.replace(certificate?);
        tracing::info!("the certificate was read again");
        Ok(())
    }
}

const MAX_FILE_BYTES: usize = 1024 * 1024;
const MISSED_FOR_A_MOMENT: u32 = 3;
const LOOK_EVERY: Duration = Duration::from_secs(2);
