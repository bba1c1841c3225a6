//! Each kind, by what this crate makes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::attest::Issuer;
use crate::audit::{ChainHead, ChainId, CheckpointKey};
use crate::envelope::{self, Recipients};
use crate::id::AccountId;
use crate::kem::{DecapsulationKey, KemAlgorithm};
use crate::keyfile::{Jwk, KeyAlgorithm, PrivateJwk, PrivateKey, PublicKey};
use crate::manifest::Entry;
use crate::message::BoxKey;
use crate::passphrase::PassphraseParameters;
use crate::seal::MasterKey;
use crate::secret::Secret;
use crate::sign::{Context, SignatureAlgorithm, SigningKey};
use crate::stream::StreamKey;
use crate::time::Timestamp;
use getrandom::SysRng;

fn look(bytes: &[u8]) -> Vec<Description> {
    inspect(bytes, bytes.len() as u64)
}

fn kinds(bytes: &[u8]) -> Vec<(Kind, bool)> {
    look(bytes).iter().map(|found| (found.kind, found.is_certain)).collect()
}

/// The one description, which is certain.
#[track_caller]
fn certain(bytes: &[u8], kind: Kind, encoding: Encoding) -> Description {
    let found = look(bytes);
    let [one] = &found[..] else { panic!("{found:?}") };
    assert_eq!((one.kind, one.encoding, one.is_certain), (kind, encoding, true), "{one:?}");
    one.clone()
}

fn detail<'a>(found: &'a Description, name: &str) -> Option<&'a str> {
    found.details.iter().find(|detail| detail.name == name).map(|detail| detail.value.as_str())
}

/// A key of each algorithm.
fn private_keys() -> Vec<PrivateKey> {
    let kems = KemAlgorithm::ALL.map(|kem| {
        DecapsulationKey::from_seed_bytes(kem, &vec![7; kem.seed_bytes()]).unwrap().into()
    });
    let signatures =
        SignatureAlgorithm::ALL.map(|set| SigningKey::from_seed(set, Secret::from([7; 32])).into());
    kems.into_iter().chain(signatures).collect()
}

fn signing_key() -> SigningKey {
    SigningKey::from_seed(SignatureAlgorithm::MlDsa65, Secret::from([7; 32]))
}

#[test]
fn key_files_are_told_in_every_encoding() {
    for key in private_keys() {
        let public = key.public_key();
        let (own, opposite) = match public {
            PublicKey::Encapsulation(_) => (Kind::DecapsulationKey, Kind::EncapsulationKey),
            PublicKey::Verifying(_) => (Kind::SigningKey, Kind::VerifyingKey),
        };
        let der = key.to_der().unwrap();
        let public_der = public.to_der().unwrap();
        let mut all = vec![
            certain(key.to_pem().unwrap().as_bytes(), own, Encoding::Pem),
            certain(der.expose_bytes(), own, Encoding::Der),
            certain(public.to_pem().unwrap().as_bytes(), opposite, Encoding::Pem),
            certain(&public_der, opposite, Encoding::Der),
        ];
        if let (Ok(private), Ok(jwk)) = (PrivateJwk::try_from(&key), Jwk::try_from(&public)) {
            let text = serde_json::to_string(&private).unwrap();
            let found = certain(text.as_bytes(), own, Encoding::Json);
            assert_eq!(detail(&found, "thumbprint"), jwk.kid.as_deref());
            all.push(found);
            let text = serde_json::to_string(&jwk).unwrap();
            all.push(certain(text.as_bytes(), opposite, Encoding::Json));
        }
        for found in all {
            assert_eq!(found.algorithm, Some(key.algorithm().name()));
            assert_eq!(found.category, key.algorithm().category());
            assert_eq!(found.key_id, Some(public.key_id()));
            assert_eq!(found.fingerprint.is_some(), matches!(public, PublicKey::Verifying(_)));
            let bytes = if found.kind == own {
                key.expose_seed().unwrap().len()
            } else {
                public.as_bytes().len()
            };
            assert_eq!(found.bytes, bytes as u64);
            assert_eq!(found.kind.is_secret(), found.kind == own);
        }
        let file = key.to_encrypted_pem(b"a longer sentence", &mut SysRng).unwrap();
        let found = certain(file.as_bytes(), Kind::EncryptedPrivateKey, Encoding::Pem);
        assert_eq!(detail(&found, "passphrase"), Some("scrypt, N = 16384, r = 8, p = 5"));
        assert!(!found.kind.is_secret());
    }
}

#[test]
fn bare_keys_are_told_by_their_length_and_form() {
    for key in private_keys() {
        let public = key.public_key();
        for bytes in [public.as_bytes().to_vec(), hex::encode(public.as_bytes()).into_bytes()] {
            let found = look(&bytes);
            assert_eq!((found[0].key_id, found[0].is_certain), (Some(public.key_id()), false));
        }
        let Some(expanded) = key.expose_expanded() else { continue };
        let found = look(expanded.expose_bytes());
        let [found] = &found[..] else { panic!("{found:?}") };
        assert!(found.is_certain && found.kind.is_secret());
        assert_eq!(found.key_id, Some(public.key_id()));
        let mut bytes = expanded.expose_bytes().to_vec();
        bytes[70] ^= 1; // in tr
        let public_part = (bytes.len() - 96) / 2 + 5; // of a KEM key
        bytes[public_part] ^= 1;
        assert_eq!(kinds(&bytes), [], "{}", key.algorithm());
    }
    // An encapsulation key of ML-KEM-1024 is as long as its ciphertext.
    let both = [(Kind::EncapsulationKey, false), (Kind::Ciphertext, false)];
    assert_eq!(kinds(&[2; 1568]), both);
    assert_eq!(kinds(&[0xff; 1568]), [(Kind::Ciphertext, false)]);
    assert_eq!(kinds(&[2; 32]), [(Kind::BareSecret, false)]);
    assert_eq!(kinds(&[b'1'; 64]), [(Kind::BareSecret, false)]); // 32 bytes in hex
    assert_eq!(kinds(&[0xff; 64]), [(Kind::BareSecret, false)]);
    assert_eq!(kinds("a sentence of thirty-two letters".as_bytes()), []);
}

#[test]
fn keys_of_other_kinds_are_said_to_be_no_keys_of_ours() {
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    for (label, kind) in [
        ("RSA PRIVATE KEY", Kind::UnknownPrivateKey),
        ("PRIVATE KEY", Kind::UnknownPrivateKey),
        ("OPENSSH PRIVATE KEY", Kind::UnknownPrivateKey),
        ("PUBLIC KEY", Kind::UnknownPublicKey),
        ("RSA PUBLIC KEY", Kind::UnknownPublicKey),
        ("ENCRYPTED PRIVATE KEY", Kind::EncryptedPrivateKey),
    ] {
        let found = certain(pem(label).as_bytes(), kind, Encoding::Pem);
        assert!(detail(&found, "fault").is_some(), "{label}");
    }
    assert_eq!(kinds(pem("CERTIFICATE").as_bytes()), []);
    for (text, kind) in [
        (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, Kind::UnknownPublicKey),
        (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}"#, Kind::UnknownPrivateKey),
        (r#"{"kty":"oct","k":"AA"}"#, Kind::UnknownPrivateKey),
        (r#"{"kty":"AKP","alg":"ML-DSA-65","pub":"AA"}"#, Kind::UnknownPublicKey),
        (r#"{"keys":[{"kty":"oct","k":"AA"}]}"#, Kind::UnknownPrivateKey),
    ] {
        certain(text.as_bytes(), kind, Encoding::Json);
    }
    // Ed25519 in DER (RFC 8410), both halves.
    let public = "302a300506032b6570032100";
    let private = "302e020100300506032b657004220420";
    for (head, kind) in [(public, Kind::UnknownPublicKey), (private, Kind::UnknownPrivateKey)] {
        let der = [hex::decode(head).unwrap(), vec![7; 32]].concat();
        let found = look(&der);
        assert_eq!((found[0].kind, found[0].encoding), (kind, Encoding::Der), "{found:?}");
    }
}

#[test]
fn texts_are_told() {
    let token = TokenValue::generate(TokenKind::Root, &mut SysRng).unwrap().expose_text();
    for text in [token.to_string(), format!("{}\n", *token), format!("{}\r\nof bob\n", *token)] {
        let found = certain(text.as_bytes(), Kind::RootToken, Encoding::Text);
        assert!(!format!("{found:?}").contains(&token[6..]));
    }
    let token = TokenValue::generate(TokenKind::Temporary, &mut SysRng).unwrap().expose_text();
    certain(token.as_bytes(), Kind::TemporaryToken, Encoding::Text);
    assert_eq!(kinds(&token.as_bytes()[..48]), []);

    let entries = vec![Entry { name: b"a".to_vec(), sha256: [7; 32] }; 3];
    let manifest = Manifest::new(entries).unwrap().to_bytes();
    let found = certain(&manifest, Kind::Manifest, Encoding::Text);
    assert_eq!(detail(&found, "files"), Some("3"));

    let jwk = Jwk::from(signing_key().verifying_key());
    let set = serde_json::json!({ "keys": [jwk, { "kty": "EC" }] }).to_string();
    let found = certain(set.as_bytes(), Kind::KeySet, Encoding::Json);
    assert_eq!(detail(&found, "keys"), Some("2"));
    let export = b"{\"audit\":{\"format\":1,\"made_at_ms\":0}}\n{\"end\":{}}\n";
    certain(export, Kind::AuditExport, Encoding::Json);

    let acvp = |group: &str| {
        format!(
            r#"{{"vsId":1,"algorithm":"ML-DSA","mode":"sigVer","testGroups":[{{{group}"tests":[1,2]}}]}}"#
        )
    };
    for (group, kind) in
        [(r#""testType":"AFT","#, Kind::AcvpPrompt), (r#""tgId":1,"#, Kind::AcvpAnswers)]
    {
        let found = certain(acvp(group).as_bytes(), kind, Encoding::Json);
        assert_eq!(found.algorithm, Some("ML-DSA"));
        assert_eq!(detail(&found, "mode"), Some("sigVer"));
        assert_eq!(detail(&found, "cases"), Some("2 in 1 groups"));
    }
    for text in ["", "\n", "{}", "[]", "a word", "{\"kty\":1}", "0a"] {
        assert_eq!(kinds(text.as_bytes()), [], "{text}");
    }
}

#[test]
fn what_the_core_seals_is_told() {
    let rng = &mut SysRng;
    let recipient = DecapsulationKey::generate(KemAlgorithm::XWing, rng).unwrap();
    let key = recipient.encapsulation_key();
    let file = envelope::seal(b"text", &Recipients::Keys(&[key]), b"", rng).unwrap();
    let found = certain(&file, Kind::Envelope, Encoding::Binary);
    assert_eq!(detail(&found, "recipient"), Some(&*format!("X-Wing {}", key.key_id())));
    // Of a long one its start is enough.
    let found = inspect(&file[..1300], 1 << 40);
    assert_eq!((found[0].kind, found[0].bytes), (Kind::Envelope, 1 << 40));
    let cut = look(&file[..100]);
    assert_eq!(detail(&cut[0], "fault"), Some("the envelope ends within its header"));
    let armored = |envelope: &[u8]| {
        let text = base64ct::Base64::encode_string(envelope);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        alloc::format!("{ARMOR_BEGIN}\n{}\n{ARMOR_END}\n", lines.join("\n"))
    };
    for behind in 0..70 {
        let file = [&file[..], &[7; 70][..behind]].concat();
        let found = certain(armored(&file).as_bytes(), Kind::Envelope, Encoding::Pem);
        assert_eq!(detail(&found, "recipient"), Some(&*format!("X-Wing {}", key.key_id())));
        assert!((0..3).contains(&(found.bytes - file.len() as u64)), "{}", found.bytes);
    }
    let broken = certain(armored(b"text").as_bytes(), Kind::Envelope, Encoding::Pem);
    assert_eq!(detail(&broken, "fault"), Some(&*Error::NotAnEnvelope.to_string()));

    let signer = Some(SignatureAlgorithm::MlDsa65);
    let (header, _) = EnvelopeHeader::seal_for(&Recipients::Keys(&[key]), signer, rng).unwrap();
    let found = inspect(header.as_bytes(), 1 << 20);
    assert_eq!(detail(&found[0], "signature"), Some("ML-DSA-65, within"));
    assert!(header.as_bytes().len() < EnvelopeHeader::MOST_BYTES);

    let parameters = PassphraseParameters::new(19 << 10, 1, 1, [7; 16]).unwrap();
    let recipients = Recipients::Passphrase(b"a longer sentence", parameters);
    let file = envelope::seal(b"text", &recipients, b"", rng).unwrap();
    let found = certain(&file, Kind::Envelope, Encoding::Binary);
    assert_eq!(detail(&found, "passphrase"), Some("Argon2id, 19456 KiB, 1 passes"));

    let secret = Secret::from([7; 32]);
    let sealed = BoxKey::from_caller(&secret).seal(b"text", b"", rng).unwrap();
    for bytes in [sealed.as_bytes().to_vec(), hex::encode(sealed.as_bytes()).into_bytes()] {
        let found = look(&bytes);
        assert_eq!((found.len(), found[0].kind, found[0].is_certain), (1, Kind::MessageBox, false));
        assert_eq!(detail(&found[0], "text"), Some("4 bytes"));
    }
    let account = crate::message::AccountKey::generate(rng).unwrap();
    let sealed = account.box_key().seal(b"text", b"", rng).unwrap();
    assert_eq!(look(sealed.as_bytes())[0].key_id, Some(account.id()));

    let stream = StreamKey::from_caller(&secret).seal(&[7; 70_000], b"", rng).unwrap();
    let found = look(&stream);
    assert_eq!((found.len(), found[0].kind), (1, Kind::Stream));
    assert_eq!(detail(&found[0], "text"), Some("70000 bytes"));
    assert_eq!(inspect(&stream[..82], stream.len() as u64), found);
    assert_eq!(inspect(&stream[..82], 90), []);

    let masters = crate::seal::MasterKeys::new(MasterKey::new(3, Secret::from([7; 32])));
    let record = signing_key().seal(&masters, AccountId::SERVER, rng).unwrap();
    let found = look(record.as_bytes());
    let record = found.iter().find(|found| found.kind == Kind::SealedRecord).unwrap();
    assert_eq!(detail(record, "master key"), Some("version 3"));
    assert_eq!(record.bytes, 46 + 32);
}

#[test]
fn what_the_core_signs_is_told() {
    let rng = &mut SysRng;
    let now = Timestamp::from_seconds(1_800_000_000);
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::from_seed(set, Secret::from([7; 32]));
        let signature = key.sign(b"m", Context::EMPTY, rng).unwrap();
        let found = look(signature.as_bytes());
        assert_eq!((found.len(), found[0].kind, found[0].is_certain), (1, Kind::Signature, false));
        assert_eq!(found[0].category, KeyAlgorithm::Signature(set).category());
        let issuer = Issuer::generate(set, rng).unwrap();
        let holder = DecapsulationKey::generate(KemAlgorithm::MlKem512, rng).unwrap();
        let account = AccountId::from_bytes([0xab; 16]);
        let bytes = issuer.attest(account, holder.encapsulation_key(), now, None, rng).unwrap();
        let found = look(&bytes.to_bytes());
        assert_eq!((found.len(), found[0].kind), (1, Kind::Attestation));
        assert_eq!(detail(&found[0], "account"), Some(&*"ab".repeat(16)));
        assert_eq!(detail(&found[0], "issued at"), Some("1800000000"));
    }
    for kem in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(kem, rng).unwrap();
        let (ciphertext, _) = key.encapsulation_key().encapsulate_unattested(rng).unwrap();
        let found = look(ciphertext.as_bytes());
        let found = found.iter().find(|found| found.kind == Kind::Ciphertext).unwrap();
        assert_eq!(found.algorithm, Some(kem.name()));
    }
    let head = ChainHead { chain: ChainId::from_bytes([1; 16]), number: 7, hash: [2; 32] };
    let checkpoint = CheckpointKey::generate(rng).unwrap().sign(None, &head, now, rng).unwrap();
    let found = look(&checkpoint.to_bytes());
    assert_eq!((found.len(), found[0].kind), (1, Kind::AuditCheckpoint));
    assert_eq!(detail(&found[0], "number"), Some("1"));
}
