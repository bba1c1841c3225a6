//! Private key files: DER, PEM, encrypted, JWK; seeds, expanded keys, both.

use hkdf::hmac::{Hmac, KeyInit, Mac};
use pqc_core::keyfile::{PrivateJwk, PrivateKey};
use pqc_core::{DecapsulationKey, KemAlgorithm, SignatureAlgorithm, SigningKey};
use sha2::Sha256;

use super::{Given, Secrets, left_by, nothing, nothing_but, random};

/// A key of each kind, with its seed and the secret part of its expanded form.
fn keys() -> [(PrivateKey, Vec<u8>, Vec<u8>); 3] {
    let (ml_kem, ml_dsa, x_wing) = (random::<64>(), random::<32>(), random::<32>());
    let kem = |algorithm, seed| DecapsulationKey::generate(algorithm, &mut Given(seed)).unwrap();
    let ml_kem_key = kem(KemAlgorithm::MlKem768, &ml_kem);
    let ml_dsa_key =
        SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut Given(&ml_dsa)).unwrap();
    let dk_pke = ml_kem_key.expose_expanded().unwrap().expose_bytes()[..3 * 384].to_vec();
    let s1_s2_t0 = ml_dsa_key.expose_expanded().expose_bytes()[128..].to_vec();
    [
        (ml_kem_key.into(), ml_kem.to_vec(), dk_pke),
        (ml_dsa_key.into(), ml_dsa.to_vec(), s1_s2_t0),
        (kem(KemAlgorithm::XWing, &x_wing).into(), x_wing.to_vec(), random::<32>().to_vec()),
    ]
}

/// The seed, the secret part of the expanded key, and characters of PEM that encode one of them:
/// those `from` the first on that do.
fn secrets(seed: &[u8], expanded: &[u8], pem: &str, from: usize) -> Secrets {
    let (_, body) = pem.split_once("-----\n").unwrap();
    let (body, _) = body.split_once("\n-----END").unwrap();
    let joined = body.replace('\n', "");
    let some =
        |text: &str| text.as_bytes().iter().copied().skip(from).take(1000).collect::<Vec<_>>();
    Secrets::default()
        .with("seed", seed)
        .with("expanded key", expanded)
        .with("PEM", &some(body))
        .with("base64", &some(&joined))
}

#[test]
fn key_files_leave_no_seed() {
    for (key, seed, expanded) in keys() {
        let (der, pem) = (key.to_der().unwrap(), key.to_pem().unwrap());
        let secrets = secrets(&seed, &expanded, &pem, 32);
        nothing("write DER", &secrets, || key.to_der().unwrap());
        nothing("write PEM", &secrets, || key.to_pem().unwrap());
        nothing("read DER", &secrets, || PrivateKey::from_der(der.expose_bytes()).unwrap());
        nothing("read PEM", &secrets, || PrivateKey::from_pem(&pem).unwrap());
        // Of the base64 all but the last characters is decoded before the wrong one is seen.
        let near_end = pem.find("\n-----END").unwrap() - 6;
        let wrong = [&pem[..near_end], "!", &pem[near_end + 1..]].concat();
        nothing("refuse PEM", &secrets, || PrivateKey::from_pem(&wrong).unwrap_err());
        // The end of the algorithm's OID.
        let mut wrong = der.expose_bytes().to_vec();
        wrong[17] = 0x7f;
        nothing("refuse DER", &secrets, || PrivateKey::from_der(&wrong).unwrap_err());
    }
}

/// Not looked for: what the JSON library, which is the caller's, held.
#[test]
fn jwks_leave_no_seed() {
    for (key, seed, expanded) in keys().into_iter().take(2) {
        let jwk = PrivateJwk::try_from(&key).unwrap();
        let text = jwk.private.as_bytes().to_vec();
        let secrets = Secrets::default()
            .with("seed", &seed)
            .with("expanded key", &expanded)
            .with("base64url", &text);
        nothing("write", &secrets, || PrivateJwk::try_from(&key).unwrap());
        nothing("read", &secrets, || PrivateKey::try_from(&jwk).unwrap());
        let with_private = |private: String| PrivateJwk {
            kty: jwk.kty.clone(),
            alg: jwk.alg.clone(),
            public: jwk.public.clone(),
            private: private.into(),
        };
        // All but the last characters are decoded before the wrong one is seen.
        let wrong = with_private([&jwk.private[..jwk.private.len() - 1], "!"].concat());
        nothing("refuse priv", &secrets, || PrivateKey::try_from(&wrong).unwrap_err());
        let wrong =
            PrivateJwk { public: "AAAA".to_owned(), ..with_private(jwk.private.to_string()) };
        nothing("refuse pub", &secrets, || PrivateKey::try_from(&wrong).unwrap_err());
    }
}

#[test]
fn key_files_of_expanded_keys_leave_none() {
    for (key, seed, secret_part) in keys().into_iter().take(2) {
        let (expanded, read) = match &key {
            PrivateKey::Decapsulation(key) => {
                let bytes = key.expose_expanded().unwrap().expose_bytes();
                (bytes, DecapsulationKey::from_expanded(bytes).unwrap().into())
            }
            PrivateKey::Signing(key) => {
                let bytes = key.expose_expanded().expose_bytes();
                (bytes, PrivateKey::from(SigningKey::from_expanded(bytes).unwrap()))
            }
            _ => unreachable!("a key of another kind"),
        };
        let (der, pem) = (read.to_der().unwrap(), read.to_pem().unwrap());
        // Of s1, or of ŝ.
        let secrets = secrets(&seed, &secret_part, &pem, 300);
        nothing("write DER", &secrets, || read.to_der().unwrap());
        nothing("write PEM", &secrets, || read.to_pem().unwrap());
        nothing("read DER", &secrets, || PrivateKey::from_der(der.expose_bytes()).unwrap());
        nothing("read PEM", &secrets, || PrivateKey::from_pem(&pem).unwrap());

        // RFC 9935 and RFC 9881, Section 6: SEQUENCE { seed, expandedKey }, behind the same head.
        let inner = tlv(0x30, &[tlv(4, &seed), tlv(4, expanded)].concat());
        let seed_der = key.to_der().unwrap();
        let algorithm = &seed_der.expose_bytes()[5..18];
        let both = tlv(0x30, &[&[2, 1, 0], algorithm, &tlv(4, &inner)].concat());
        nothing("read both", &secrets, || PrivateKey::from_der(&both).unwrap());
        let mut wrong = both.clone();
        *wrong.last_mut().unwrap() ^= 1;
        nothing("refuse both", &secrets, || PrivateKey::from_der(&wrong).unwrap_err());
    }
}

/// What is left is scrypt's: its memory is not wiped. Nothing else is, and when that is, this fails.
#[test]
fn encrypted_key_files_leave_scrypts_memory_alone() {
    let (passphrase, salt_and_iv) = (random::<40>(), random::<32>());
    for (key, seed, expanded) in keys() {
        let secrets = secrets(&seed, &expanded, &key.to_pem().unwrap(), 32)
            .with("passphrase", &passphrase)
            .with("DER", &key.to_der().unwrap().expose_bytes()[22..]);
        let write = || key.to_encrypted_pem(&passphrase, &mut Given(&salt_and_iv)).unwrap();
        let file = nothing_but("write", &secrets, write);
        let read = || PrivateKey::from_encrypted_pem(&file, &passphrase).unwrap();
        nothing("read", &secrets, read);
        nothing("refuse", &secrets, || {
            PrivateKey::from_encrypted_pem(&file, &random::<40>()).unwrap_err()
        });

        // RFC 7914, Section 6: what the memory begins with, for the last of the five runs.
        let filled = pbkdf2_block(&passphrase, &salt_and_iv[..16], 4 * 1024 / 32 + 1);
        let scrypts =
            Secrets::default().with("scrypt", &filled).with("shuffled", &shuffled(&filled));
        for left in [left_by(&scrypts, write), left_by(&scrypts, read)] {
            assert!(!left.pieces.is_empty(), "scrypt wipes its memory now: say so in SOUNDNESS.md");
        }
    }
}

/// 64 bytes of PBKDF2 with HMAC-SHA-256 and one iteration (RFC 8018, Section 5.2), from a block on.
fn pbkdf2_block(passphrase: &[u8], salt: &[u8], first: u32) -> Vec<u8> {
    let block = |index: u32| {
        let mac = Hmac::<Sha256>::new_from_slice(passphrase).unwrap();
        mac.chain_update(salt).chain_update(index.to_be_bytes()).finalize().into_bytes()
    };
    [block(first), block(first + 1)].concat()
}

/// The order in which scrypt has the words of a block on processors with SSE2.
fn shuffled(block: &[u8]) -> Vec<u8> {
    let (words, _) = block.as_chunks::<4>();
    let order = [0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11];
    order.iter().flat_map(|word| words[*word]).collect()
}

/// DER: a tag, a length and a content.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        0..=127 => vec![tag, length[1]],
        128..=255 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [head, content.to_vec()].concat()
}
