//! Everything that can go wrong in the core, grouped by who must act.
//!
//! Variants name facts, lengths and fields; none carries a value that came in, so an error can
//! be logged and shown whatever caused it.

use alloc::string::String;

/// An error of the core.
///
/// ```
/// use pqc_core::{Error, Field, Signature};
/// let error = Signature::from_bytes(&[0; 10]).unwrap_err();
/// assert!(matches!(error, Error::Length { field: Field::Signature, actual: 10, .. }));
/// assert_eq!(error.to_string(), "signature must be 2420 or 3309 or 4627 bytes, not 10");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- the caller's input ----
    /// The value has another length than its algorithm or its type.
    #[error("{field} must be {expected} bytes, not {actual}")]
    Length {
        /// What was measured.
        field: Field,
        /// The lengths in bytes that would do, as text such as `800 or 1184 or 1568`.
        expected: String,
        /// The length in bytes that came.
        actual: usize,
    },
    /// Two values belong to different algorithms or parameter sets.
    #[error("{field} belongs to {actual}, not to {expected}")]
    AlgorithmMismatch {
        /// The value that does not fit.
        field: Field,
        /// The parameter set that was asked for or that the other value has.
        expected: &'static str,
        /// The parameter set of this value.
        actual: &'static str,
    },
    /// No algorithm of this kind has that name.
    #[error("unknown algorithm; known are {known}")]
    UnknownAlgorithm {
        /// The names that would do.
        known: &'static str,
    },
    /// The encapsulation key has a coefficient of q or more (FIPS 203, Section 7.2).
    #[error("the encapsulation key fails the modulus check of FIPS 203, Section 7.2")]
    EncapsulationKeyModulus,
    /// The expanded decapsulation key's hash does not fit (FIPS 203, Section 7.3).
    #[error("the expanded decapsulation key fails the hash check of FIPS 203, Section 7.3")]
    DecapsulationKeyHash,
    /// The X25519 part has a low order, so that part of X-Wing would protect nothing (RFC 7748,
    /// Section 6.1).
    #[error("the X25519 part of the {field} has a low order")]
    LowOrder {
        /// The value with that part.
        field: Field,
    },
    /// A coefficient of the expanded signing key is out of range, or its parts disagree.
    #[error("the expanded signing key is not one that FIPS 204 key generation makes")]
    InconsistentSigningKey,
    /// ML-DSA contexts have at most 255 bytes (FIPS 204, Algorithm 2).
    #[error("a context has at most 255 bytes, not {actual}")]
    ContextTooLong {
        /// The length in bytes that came.
        actual: usize,
    },
    /// The bytes are not in the form that the format prescribes.
    #[error("{field} is malformed: {expected}")]
    Malformed {
        /// The value that is malformed.
        field: Field,
        /// The form that would do.
        expected: &'static str,
    },
    /// A box, stream, envelope, sealed record or attestation is of a format version or an algorithm that this
    /// build does not know.
    #[error("the {field} has an unknown format version or algorithm")]
    UnknownFormat {
        /// The value of that format.
        field: Field,
    },
    /// Two parts of a key file belong to different keys.
    #[error("the key file's {parts} do not belong together")]
    InconsistentKeyFile {
        /// The parts that disagree, such as `seed and expanded key`.
        parts: &'static str,
    },
    /// The key file is encrypted in a way that this build does not know.
    #[error("the key file's encryption must be {expected}")]
    UnsupportedKeyFileEncryption {
        /// The schemes that would do.
        expected: &'static str,
    },
    /// The key was read in expanded form, and records and JSON Web Keys hold seeds alone.
    #[error("the key has no seed, which is all that this format holds")]
    NoSeed,
    /// A number lies outside its range.
    #[error("{field} must be from {min} to {max}")]
    OutOfRange {
        /// What was out of range.
        field: Field,
        /// The least value allowed.
        min: u64,
        /// The greatest value allowed.
        max: u64,
    },

    // ---- authenticity ----
    /// The issuer's verification key is not among the trusted ones.
    #[error("the issuer of the attestation is not trusted")]
    UntrustedIssuer,
    /// The attestation's signature does not verify over this key and head.
    #[error("the signature does not verify over the encapsulation key")]
    AttestationSignature,
    /// The attestation is for another account than the expected one.
    #[error("the attestation names another account")]
    AttestationAccount,
    /// The attestation's time is over.
    #[error("the attestation is not valid at this time")]
    AttestationExpired,
    /// A box, stream or envelope does not authenticate under this key and associated data.
    #[error("authentication failed: wrong key, wrong associated data, or altered text")]
    BoxAuthentication,
    /// An encrypted key file does not decrypt under this passphrase.
    #[error("the key file does not decrypt: wrong passphrase, or altered file")]
    KeyFileDecryption,

    /// The file does not begin as an envelope does.
    #[error("not an envelope of pqc")]
    NotAnEnvelope,
    /// The envelope ends within its header.
    #[error("the envelope ends within its header")]
    EnvelopeTruncated,
    /// The envelope is opened by something else than what was given.
    #[error("the envelope is opened by {expected}")]
    EnvelopeOpener {
        /// What would do: `a passphrase` or `a recipient's key`.
        expected: &'static str,
    },
    /// The envelope is signed, and was to be opened as one that is not; or the other way round.
    #[error("the envelope is {actual}")]
    EnvelopeSigning {
        /// What it is: `signed` or `not signed`.
        actual: &'static str,
    },
    /// The signature in the envelope is not this key's over this text for these recipients.
    #[error("the signature in the envelope is not by this key, or the envelope was altered")]
    EnvelopeSignature,
    /// None of the envelope's stanzas is for this key.
    #[error("the envelope is not for this key, or its header was altered")]
    NotARecipient,
    /// An envelope's file key does not unwrap under this passphrase.
    #[error("the envelope does not open: wrong passphrase, or altered header")]
    WrongPassphrase,

    // ---- our own stored secrets ----
    /// A sealed record does not open: wrong master key, or a record moved or altered.
    #[error("a sealed record does not open under this master key")]
    SealBroken,
    /// No master key of this version is loaded.
    #[error("no master key of version {version} is loaded")]
    UnknownMasterKey {
        /// The version that sealed the record.
        version: u32,
    },

    // ---- the machine ----
    /// There is no memory for Argon2id.
    #[error("no memory for Argon2id, which takes {kib} KiB")]
    OutOfMemory {
        /// What was asked for, in KiB.
        kib: u32,
    },

    // ---- our fault ----
    /// The random generator failed; nothing was made.
    #[error("the random generator failed")]
    Randomness,
    /// A known-answer or pairwise check gave a wrong result.
    #[error("self-test failed: {check}")]
    SelfTest {
        /// The check that failed.
        check: &'static str,
    },
    /// A primitive refused input that was checked before.
    #[error("internal error in {what}")]
    Internal {
        /// Where.
        what: &'static str,
    },
}

impl Error {
    /// The length error of an expanded key, where a seed would do too.
    pub(crate) fn or_seed_of(self, seed_bytes: usize) -> Self {
        match self {
            Self::Length { field, expected, actual } => Self::Length {
                field,
                expected: alloc::format!("{seed_bytes} (seed) or {expected} (expanded)"),
                actual,
            },
            other => other,
        }
    }
}

/// Of kind `InvalidData`; `get_ref` and `downcast` give the core's error back.
#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

/// Whether a value has the one length in bytes that would do.
pub(crate) fn check_length(field: Field, expected: usize, actual: usize) -> Result<(), Error> {
    if actual == expected {
        return Ok(());
    }
    Err(Error::Length { field, expected: alloc::format!("{expected}"), actual })
}

/// The algorithm, of `all`, whose values have this length in bytes.
pub(crate) fn of_length<A: Copy, const N: usize>(
    field: Field,
    all: [A; N],
    length: impl Fn(A) -> usize,
    actual: usize,
) -> Result<A, Error> {
    all.into_iter().find(|one| length(*one) == actual).ok_or_else(|| Error::Length {
        field,
        expected: all.map(|one| alloc::format!("{}", length(one))).join(" or "),
        actual,
    })
}

/// The values that errors speak of, by the standards' names.
///
/// ```
/// use pqc_core::Field;
/// assert_eq!(Field::EncapsulationKey.to_string(), "encapsulation key");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// An encapsulation key (FIPS 203).
    EncapsulationKey,
    /// A decapsulation key, seed or expanded (FIPS 203).
    DecapsulationKey,
    /// A ciphertext of the KEM (FIPS 203).
    Ciphertext,
    /// The randomness of an encapsulation (FIPS 203: m).
    EncapsulationRandomness,
    /// A verifying key (FIPS 204: public key).
    VerifyingKey,
    /// A signing key, seed or expanded (FIPS 204: private key).
    SigningKey,
    /// A signature (FIPS 204).
    Signature,
    /// A message representative μ (FIPS 204).
    Mu,
    /// The digest of a message, for pre-hashed signing (FIPS 204).
    Digest,
    /// An attestation.
    Attestation,
    /// A chain of the audit log, by its id.
    AuditChain,
    /// A checkpoint of the audit log.
    AuditCheckpoint,
    /// An entry of the audit log.
    AuditEntry,
    /// A key for a message box.
    BoxKey,
    /// A message box.
    MessageBox,
    /// The header of a stream.
    StreamHeader,
    /// A chunk of a stream.
    StreamChunk,
    /// The length of a stream, in bytes.
    StreamLength,
    /// A sealed record.
    SealedRecord,
    /// An answer that is kept for who comes again.
    SealedAnswer,
    /// A master key.
    MasterKey,
    /// An idempotency key.
    IdempotencyKey,
    /// A token.
    Token,
    /// The lifetime of a temporary token, in seconds.
    TokenLifetime,
    /// The count of attempts of a temporary token.
    TokenAttempts,
    /// The name of an operation in a token's scope.
    Operation,
    /// An account id.
    AccountId,
    /// A key id.
    KeyId,
    /// A token id.
    TokenId,
    /// A JSON Web Key.
    Jwk,
    /// A key file of a kind not yet known.
    KeyFile,
    /// A private key file: PKCS#8 (RFC 5958).
    PrivateKeyFile,
    /// An encrypted private key file: PKCS#8 (RFC 5958).
    EncryptedKeyFile,
    /// A public key file: SubjectPublicKeyInfo (RFC 5280).
    PublicKeyFile,
    /// The cost of scrypt, N · r · p, in a key file (RFC 7914).
    ScryptCost,
    /// The iterations of PBKDF2 in a key file (RFC 8018).
    Pbkdf2Iterations,
    /// An envelope.
    Envelope,
    /// The count of an envelope's recipients.
    Recipients,
    /// A passphrase.
    Passphrase,
    /// How a key is derived from a passphrase.
    PassphraseParameters,
    /// The memory of Argon2id in KiB (RFC 9106: m).
    Argon2Memory,
    /// The passes of Argon2id (RFC 9106: t).
    Argon2Iterations,
    /// The lanes of Argon2id (RFC 9106: p).
    Argon2Lanes,
}

impl core::fmt::Display for Field {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::EncapsulationKey => "encapsulation key",
            Self::DecapsulationKey => "decapsulation key",
            Self::Ciphertext => "ciphertext",
            Self::EncapsulationRandomness => "encapsulation randomness",
            Self::VerifyingKey => "verifying key",
            Self::SigningKey => "signing key",
            Self::Signature => "signature",
            Self::Mu => "mu",
            Self::Digest => "digest",
            Self::Attestation => "attestation",
            Self::AuditChain => "audit chain id",
            Self::AuditCheckpoint => "audit checkpoint",
            Self::AuditEntry => "audit entry",
            Self::BoxKey => "key",
            Self::MessageBox => "encrypted text",
            Self::StreamHeader => "header of the stream",
            Self::StreamChunk => "chunk of the stream",
            Self::StreamLength => "length of the stream in bytes",
            Self::SealedRecord => "sealed record",
            Self::SealedAnswer => "sealed answer",
            Self::MasterKey => "master key",
            Self::IdempotencyKey => "idempotency key",
            Self::Token => "token",
            Self::TokenLifetime => "token lifetime in seconds",
            Self::TokenAttempts => "count of attempts",
            Self::Operation => "operation",
            Self::AccountId => "account id",
            Self::KeyId => "key id",
            Self::TokenId => "token id",
            Self::Jwk => "JSON Web Key",
            Self::KeyFile => "key file",
            Self::PrivateKeyFile => "private key file",
            Self::EncryptedKeyFile => "encrypted private key file",
            Self::PublicKeyFile => "public key file",
            Self::ScryptCost => "cost N · r · p of scrypt",
            Self::Pbkdf2Iterations => "count of PBKDF2's iterations",
            Self::Envelope => "envelope",
            Self::Recipients => "count of recipients",
            Self::Passphrase => "passphrase",
            Self::PassphraseParameters => "passphrase's parameters",
            Self::Argon2Memory => "memory of Argon2id in KiB",
            Self::Argon2Iterations => "count of Argon2id's iterations",
            Self::Argon2Lanes => "count of Argon2id's lanes",
        })
    }
}
