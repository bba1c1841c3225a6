//! The operations that are measured, and what each shall be against the others.

use super::material::{KEY, MESSAGE, Material, encrypt, text};
use super::subject::Kind;
use super::witness::Watch;
use super::wrk::Body;

/// One row of the table.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    path: &'static str,
    pub(crate) body: fn(&Material) -> Body,
    pub(crate) writes: Writes,
    pub(crate) watch: Watch,
    /// At least so many times the peer.
    pub(crate) over_peer: Option<f64>,
    pub(crate) connections: usize,
}

/// What is on the disk before the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    Nothing,
    /// Rows, which the bare server commits too.
    Rows,
    /// The same, and the token is a temporary one, with attempts that are counted.
    Attempt,
}

impl Operation {
    /// Where a subject answers it.
    pub(crate) fn path(&self, kind: Kind) -> String {
        let is_durable = kind == Kind::Bare && self.writes != Writes::Nothing;
        format!("{}{}", if is_durable { "/durable" } else { "" }, self.path)
    }

    /// Whether it can be asked of a subject.
    pub(crate) fn is_of(&self, kind: Kind) -> bool {
        // The peer has no tokens.
        kind != Kind::Peer || (self.writes != Writes::Attempt && self.watch != Watch::Token)
    }

    /// At least this share of the bare server.
    pub(crate) fn of_bare(&self) -> f64 {
        if self.writes == Writes::Nothing { OF_BARE } else { OF_BARE_THAT_WRITES }
    }
}

/// All of them, in the order of the table.
pub(crate) const ALL: [Operation; 15] = [
    Operation {
        name: "Encapsulate to an attested key",
        path: "/api/kem/encapsulate_key",
        body: |material| Body::Json(material.encapsulate_key.clone()),
        over_peer: Some(OVER_PEER_KEM),
        watch: Watch::Encapsulation,
        ..PLAIN
    },
    Operation {
        name: "Encapsulate to any key",
        path: "/api/v1/pqc/kem/encapsulate/",
        body: |material| Body::Json(material.encapsulate.clone()),
        over_peer: Some(OVER_PEER_KEM),
        watch: Watch::ClientsEncapsulation,
        ..PLAIN
    },
    Operation {
        name: "Decapsulate, client's key",
        path: "/api/v1/pqc/kem/decapsulate/",
        body: |material| Body::Json(material.decapsulate.clone()),
        over_peer: Some(OVER_PEER_KEM),
        watch: Watch::ClientsEncapsulation,
        ..PLAIN
    },
    Operation {
        name: "Verify (ML-DSA-65)",
        path: "/api/signature/verify",
        body: |material| Body::Json(material.verify.clone()),
        watch: Watch::Signature,
        ..PLAIN
    },
    Operation {
        name: "Encrypt 64 B, caller's key",
        body: |_| Body::Json(encrypt(MESSAGE, Some(KEY))),
        ..PLAIN
    },
    Operation {
        name: "Decrypt 64 B, caller's key",
        path: "/api/aes/decrypt_text",
        body: |material| Body::Json(material.decrypt_by_callers.clone()),
        ..PLAIN
    },
    Operation { name: "Encrypt 64 KiB, caller's key", body: |_| text(64 << 10), ..PLAIN },
    Operation {
        name: "Encrypt 8 MiB, caller's key",
        body: |_| text(8 << 20),
        connections: FEW_CONNECTIONS,
        ..PLAIN
    },
    Operation {
        name: "Decapsulate, stored key",
        path: "/api/kem/decapsulate_key",
        body: |material| Body::Json(material.decapsulate_key.clone()),
        over_peer: Some(OVER_PEER_KEM),
        watch: Watch::Encapsulation,
        ..WRITING
    },
    Operation {
        name: "Sign (ML-DSA-65), stored key",
        path: "/api/signature/sign",
        body: |material| Body::Json(material.sign.clone()),
        over_peer: Some(OVER_PEER_SIGN),
        watch: Watch::Signature,
        ..WRITING
    },
    Operation {
        name: "Encrypt 64 B, stored key",
        body: |_| Body::Json(encrypt(MESSAGE, None)),
        ..WRITING
    },
    Operation {
        name: "Decrypt 64 B, stored key",
        path: "/api/aes/decrypt_text",
        body: |material| Body::Json(material.decrypt.clone()),
        ..WRITING
    },
    Operation {
        name: "Make a key pair",
        path: "/api/kem/generate_keys",
        body: |_| Body::Nothing,
        watch: Watch::Pair,
        over_peer: Some(OVER_PEER_KEM),
        ..WRITING
    },
    Operation {
        name: "Make a temporary token",
        path: "/api/token/new",
        body: |_| Body::Nothing,
        watch: Watch::Token,
        ..WRITING
    },
    Operation {
        name: "Encapsulate by a counted token",
        path: "/api/kem/encapsulate_key",
        body: |material| Body::Json(material.encapsulate_key.clone()),
        writes: Writes::Attempt,
        watch: Watch::Encapsulation,
        ..WRITING
    },
];

/// Encryption by a key that the caller brings; the rows above name what differs.
const PLAIN: Operation = Operation {
    name: "",
    path: "/api/aes/encrypt_text",
    body: |_| Body::Nothing,
    writes: Writes::Nothing,
    watch: Watch::CallersText,
    over_peer: None,
    connections: CONNECTIONS,
};

/// Encryption by a stored key.
const WRITING: Operation = Operation { writes: Writes::Rows, watch: Watch::Text, ..PLAIN };

/// Of everything but the largest texts.
pub(crate) const CONNECTIONS: usize = 16;
/// Of the largest texts.
const FEW_CONNECTIONS: usize = 2;
const OF_BARE: f64 = 0.8;
const OF_BARE_THAT_WRITES: f64 = 0.6;
const OVER_PEER_KEM: f64 = 11.0;
const OVER_PEER_SIGN: f64 = 4.0;
