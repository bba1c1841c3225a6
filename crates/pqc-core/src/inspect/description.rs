//! What is said of a file.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::error::Error;
use crate::id::KeyId;
use crate::keyfile::{KeyAlgorithm, PublicKey};

/// What a file is, or may be. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// What it is.
    pub kind: Kind,
    /// Whether it has a mark of its own; otherwise it is guessed, by its length or first bytes.
    pub is_certain: bool,
    /// How it is written.
    pub encoding: Encoding,
    /// The algorithm or parameter set.
    pub algorithm: Option<&'static str>,
    /// NIST's security category.
    pub category: Option<u8>,
    /// Its length without the encoding; of an armored envelope, to within three bytes.
    pub bytes: u64,
    /// The id of the key pair, or of the symmetric key.
    pub key_id: Option<KeyId>,
    /// SHA-256 of the encoded verifying key: what is compared where an issuer is pinned.
    pub fingerprint: Option<[u8; 32]>,
    /// What else can be told.
    pub details: Vec<Detail>,
}

/// A fact about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detail {
    /// What it is about.
    pub name: &'static str,
    /// What it says.
    pub value: String,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Bytes.
    Binary,
    /// DER (X.690).
    Der,
    /// PEM (RFC 7468).
    Pem,
    /// Hex digits.
    Hex,
    /// JSON (RFC 8259).
    Json,
    /// Another text.
    Text,
}

impl Encoding {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Der => "DER",
            Self::Pem => "PEM",
            Self::Hex => "hex",
            Self::Json => "JSON",
            Self::Text => "text",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident: $name:literal, $advice:literal;)+) => {
        /// The kinds of files.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])+ $kind,)+
        }

        impl Kind {
            /// What people call it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// What it is for, in a line.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$kind => $advice,)+ }
            }
        }
    };
}

kinds! {
    /// A public key of ML-KEM or X-Wing.
    EncapsulationKey: "encapsulation key",
        "public: who has it sends its owner secrets (pqc encrypt -r, pqc kem encapsulate --public-key, pqc backup --recipient)";
    /// A private key of ML-KEM or X-Wing. Secret.
    DecapsulationKey: "decapsulation key",
        "secret: it opens what was sent to its owner (pqc decrypt -i, pqc kem decapsulate --key, pqc restore --identity)";
    /// A public key of ML-DSA.
    VerifyingKey: "verifying key",
        "public: it shows what its owner signed (pqc sig verify --public-key)";
    /// A private key of ML-DSA. Secret.
    SigningKey: "signing key",
        "secret: it signs in its owner's name (pqc sig sign --key)";
    /// A private key under a passphrase.
    EncryptedPrivateKey: "encrypted private key",
        "give it where a secret key is asked for; its passphrase tells which algorithm it has";
    /// A public key of another algorithm, or one that is broken.
    UnknownPublicKey: "public key that is not read here",
        "no verb of this program takes it";
    /// A private key of another algorithm, or one that is broken. Secret.
    UnknownPrivateKey: "private key that is not read here",
        "secret: only pqc serve may take it (--tls-key)";
    /// A set of public keys in JSON (RFC 7517).
    KeySet: "JSON Web Key Set",
        "public: a server's issuer keys; pin them by their fingerprints (pqc issuer trust)";
    /// The token of an account. Secret.
    RootToken: "root token",
        "secret: it may do everything for its account; send it as Authorization: Bearer (revoke: pqc token root-reset)";
    /// A token that was lent. Secret.
    TemporaryToken: "temporary token",
        "secret: it acts for its account for a while; send it as Authorization: Bearer (revoke: pqc token revoke)";
    /// A text under an AES-256 key.
    MessageBox: "message box",
        "it is opened with the key that sealed it (aes/decrypt_text of a server)";
    /// A secret under a master key, out of a store.
    SealedRecord: "sealed record",
        "a store's own: it is opened with the store's master key, in its place alone";
    /// A long text under an AES-256 key.
    Stream: "stream",
        "it is opened with the key that sealed it";
    /// A stream for recipients or a passphrase; a backup is one too.
    Envelope: "envelope",
        "a recipient's secret key or the passphrase opens it (pqc decrypt -i, --passphrase-file; a backup: pqc restore)";
    /// An issuer's word for an encapsulation key.
    Attestation: "attestation",
        "public: it goes with its encapsulation key and the issuer's key (verification_signature on the wire)";
    /// How far the audit log had come.
    AuditCheckpoint: "audit checkpoint",
        "public: keep it away from the server, to compare the audit log with (pqc audit verify)";
    /// The audit log in lines of JSON.
    AuditExport: "export of the audit log",
        "verify it with the pinned key of checkpoints (pqc audit verify)";
    /// A ciphertext of ML-KEM or X-Wing.
    Ciphertext: "ciphertext of a KEM",
        "its recipient's secret key gets the shared secret out of it (pqc kem decapsulate --ciphertext)";
    /// A signature of ML-DSA.
    Signature: "signature",
        "public: it is verified with the signer's public key and the file (pqc sig verify --signature)";
    /// Bytes of a secret's length, without a mark. Secret.
    BareSecret: "secret without a mark",
        "if it is a shared secret, a seed or a master key, then secret; it may be a hash or an id as well";
    /// What NIST's ACVP asks.
    AcvpPrompt: "ACVP prompt",
        "pqc acvp answers it";
    /// The answers to an ACVP prompt.
    AcvpAnswers: "ACVP answers",
        "compare them with NIST's expectedResults";
    /// A list of files with their SHA-256.
    Manifest: "manifest",
        "pqc sig verify --manifest compares its files once its signature verifies; sha256sum -c does so unsigned";
}

impl Kind {
    /// Whether who reads it has a secret.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(
            self,
            Self::DecapsulationKey
                | Self::SigningKey
                | Self::UnknownPrivateKey
                | Self::RootToken
                | Self::TemporaryToken
                | Self::BareSecret
        )
    }
}

impl Description {
    pub(super) fn new<L: TryInto<u64>>(kind: Kind, encoding: Encoding, bytes: L) -> Self {
        Self {
            kind,
            is_certain: true,
            encoding,
            algorithm: None,
            category: None,
            bytes: bytes.try_into().unwrap_or(u64::MAX),
            key_id: None,
            fingerprint: None,
            details: Vec::new(),
        }
    }

    pub(super) fn of_public_key(key: &PublicKey, encoding: Encoding) -> Self {
        let kind = match key {
            PublicKey::Encapsulation(_) => Kind::EncapsulationKey,
            PublicKey::Verifying(_) => Kind::VerifyingKey,
        };
        Self::new(kind, encoding, key.as_bytes().len()).of_pair(key)
    }

    /// Of a private key, whose public half this is; `bytes` is its own length.
    pub(super) fn of_private_key(public: &PublicKey, encoding: Encoding, bytes: usize) -> Self {
        let kind = match public {
            PublicKey::Encapsulation(_) => Kind::DecapsulationKey,
            PublicKey::Verifying(_) => Kind::SigningKey,
        };
        Self::new(kind, encoding, bytes).of_pair(public)
    }

    fn of_pair(self, public: &PublicKey) -> Self {
        let fingerprint = match public {
            PublicKey::Encapsulation(_) => None,
            PublicKey::Verifying(key) => Some(key.fingerprint()),
        };
        Self { key_id: Some(public.key_id()), fingerprint, ..self.of(public.algorithm()) }
    }

    /// Of this algorithm.
    pub(super) fn of(mut self, algorithm: KeyAlgorithm) -> Self {
        self.algorithm = Some(algorithm.name());
        self.category = algorithm.category();
        if self.category.is_none() {
            self.add("strength", "as long as ML-KEM-768 (category 3) or X25519 stands");
        }
        self
    }

    pub(super) fn guessed(self) -> Self {
        Self { is_certain: false, ..self }
    }

    /// With what is wrong with it.
    pub(super) fn with_fault(mut self, error: &Error) -> Self {
        self.add("fault", error.to_string());
        self
    }

    pub(super) fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.details.push(Detail { name, value: value.into() });
    }
}
