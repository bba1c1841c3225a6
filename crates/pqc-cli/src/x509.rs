//! Certificates (X.509, RFC 5280), as far as they say for which key they are, and until when. Nothing
//! is verified here.

use pqc_core::keyfile::PublicKey;
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};

/// What a certificate says.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The algorithm of its key.
    pub(crate) key: KeyKind,
    /// The key itself, where it is one of ours.
    pub(crate) public_key: Option<PublicKey>,
    /// How many bytes of DER it has.
    pub(crate) bytes: usize,
    /// By which algorithm it was signed.
    pub(crate) signed_by: KeyKind,
    /// Whose key it is (RFC 4514).
    pub(crate) subject: String,
    /// Who says so.
    pub(crate) issuer: String,
    /// From when, in RFC 3339.
    pub(crate) not_before: String,
    /// Until when.
    pub(crate) not_after: String,
}

/// The algorithm of a key or a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// One that withstands quantum computers.
    PostQuantum(&'static str),
    /// One that does not.
    Classical(&'static str),
    /// Another one, by its object identifier.
    Other(String),
}

impl std::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PostQuantum(name) | Self::Classical(name) => name,
            Self::Other(oid) => oid,
        })
    }
}

/// The certificates in these bytes, PEM or DER, if they are nothing else.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<Statement>> {
    let chain = match Certificate::from_der(bytes) {
        Ok(certificate) => vec![certificate],
        // What comes before the first line is passed over, so something else may stand there.
        Err(_) if !is_pem_of_certificates(bytes) => return None,
        Err(_) => Certificate::load_pem_chain(bytes).ok()?,
    };
    chain.iter().map(Statement::new).collect()
}

fn is_pem_of_certificates(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut begins = lines.filter(|line| line.starts_with(b"-----BEGIN ")).peekable();
    begins.peek().is_some() && begins.all(|line| line == b"-----BEGIN CERTIFICATE-----")
}

impl Statement {
    fn new(certificate: &Certificate) -> Option<Self> {
        let says = certificate.tbs_certificate();
        let key = says.subject_public_key_info();
        let validity = says.validity();
        Some(Self {
            key: KeyKind::of(key.algorithm.oid),
            public_key: PublicKey::from_der(&key.to_der().ok()?).ok(),
            bytes: certificate.to_der().ok()?.len(),
            signed_by: KeyKind::of(certificate.signature_algorithm().oid),
            subject: says.subject().to_string(),
            issuer: says.issuer().to_string(),
            not_before: validity.not_before.to_date_time().to_string(),
            not_after: validity.not_after.to_date_time().to_string(),
        })
    }
}

impl KeyKind {
    fn of(oid: ObjectIdentifier) -> Self {
        let text = oid.to_string();
        match text.as_str() {
            "2.16.840.1.101.3.4.4.1" => Self::PostQuantum("ML-KEM-512"),
            "2.16.840.1.101.3.4.4.2" => Self::PostQuantum("ML-KEM-768"),
            "2.16.840.1.101.3.4.4.3" => Self::PostQuantum("ML-KEM-1024"),
            "1.3.6.1.4.1.62253.25722" => Self::PostQuantum("X-Wing"),
            "2.16.840.1.101.3.4.3.17" => Self::PostQuantum("ML-DSA-44"),
            "2.16.840.1.101.3.4.3.18" => Self::PostQuantum("ML-DSA-65"),
            "2.16.840.1.101.3.4.3.19" => Self::PostQuantum("ML-DSA-87"),
            "1.3.101.112" => Self::Classical("Ed25519"),
            "1.3.101.113" => Self::Classical("Ed448"),
            // Of keys, and of signatures with one hash function or another.
            _ if text.starts_with("1.2.840.113549.1.1.") => Self::Classical("RSA"),
            _ if text.starts_with("1.2.840.10045.") => Self::Classical("elliptic curve"),
            _ => Self::Other(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Files come from anybody.
        #[test]
        fn no_certificate_that_was_altered_is_a_panic(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            end: prop::sample::Index,
            is_cut: bool,
            is_pem: bool,
        ) {
            let made = rcgen::generate_simple_self_signed(["name.example".to_owned()]).unwrap();
            let mut bytes = if is_pem { made.cert.pem().into_bytes() } else { made.cert.der().to_vec() };
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if is_cut {
                bytes.truncate(end.index(bytes.len()));
            }
            let chain = read(&bytes).unwrap_or_default();
            prop_assert!(chain.iter().all(|one| one.bytes <= bytes.len()));
        }
    }

    /// One element of DER: tag, length, content.
    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], &content].concat()
    }

    #[test]
    fn a_post_quantum_certificate_names_its_key() {
        use pqc_core::{Context, Secret, SignatureAlgorithm, SigningKey};
        let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa65, Secret::from([7; 32]));
        let public = PublicKey::from(key.verifying_key().clone());
        let spki = public.to_der().unwrap();
        let algorithm = &spki[4..17];
        let common_name = [0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x04, b'n', b'a', b'm', b'e'];
        let name = [&[0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b][..], &common_name].concat();
        let times = [&b"\x17\x0d260101000000Z"[..], b"\x17\x0d270101000000Z"].concat();
        let validity = [&[0x30, 0x1e][..], &times].concat();
        let version_and_serial = [0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x01, 0x07];
        let says = element(0x30, &[&version_and_serial, algorithm, &name, &validity, &name, &spki]);
        let signature = key.sign_deterministic(&says, Context::EMPTY).unwrap();
        let signature = element(0x03, &[&[0], signature.as_bytes()]);
        let certificate = element(0x30, &[&says, algorithm, &signature]);

        let read = read(&certificate).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].key, KeyKind::PostQuantum("ML-DSA-65"));
        assert_eq!(read[0].signed_by, read[0].key);
        assert_eq!(read[0].public_key, Some(public));
        assert_eq!((&*read[0].subject, &*read[0].issuer), ("CN=name", "CN=name"));
        assert_eq!(read[0].not_before, "2026-01-01T00:00:00Z");
        assert_eq!(
            (&*read[0].not_after, read[0].bytes),
            ("2027-01-01T00:00:00Z", certificate.len())
        );
    }

    #[test]
    fn a_classical_certificate_is_said_to_be_one() {
        let made = rcgen::generate_simple_self_signed(["name.example".to_owned()]).unwrap();
        let (pem, der) = (made.cert.pem(), made.cert.der());
        for bytes in [pem.as_bytes(), format!("A leaf:\n{pem}{pem}").as_bytes(), der] {
            let read = read(bytes).unwrap();
            assert!(read.iter().all(|one| one.key == KeyKind::Classical("elliptic curve")));
            assert!(read.iter().all(|one| one.public_key.is_none() && one.bytes == der.len()));
            assert_eq!(read[0].subject, read[0].issuer);
        }
        let key = made.signing_key.serialize_pem();
        for bytes in [key.as_bytes(), format!("{pem}{key}").as_bytes(), &der[1..], b"", b"text"] {
            assert!(read(bytes).is_none());
        }
    }
}
