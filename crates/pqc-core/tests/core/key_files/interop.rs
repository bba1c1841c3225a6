//! Other programs open our key files, we open theirs, and both use what they find there.
//!
//! That is PyPI `cryptography` 50 and Node 26, by the scripts in tests/interop.

use pqc_core::keyfile::{
    Content, FileEncoding, Jwk, KeyAlgorithm, KeyDerivation, PrivateJwk, PrivateKey, PublicKey,
    inspect,
};
use pqc_core::sign::{Mu, PreHash, PreHashAlgorithm};
use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, Signature, SigningKey, VerifyingKey,
};
use serde_json::{Map, Value, json};

use super::{IN_RFCS, expanded, key};
use crate::interop::{NODE, PYTHON, Program};
use crate::support::{Repeatable, flipped, say};

const PASSPHRASE: &[u8] = "Grüße, 世界".as_bytes();
const MESSAGE: &[u8] = b"signed by one, verified by the other";
const CONTEXT: &[u8] = b"pqc/interop";

#[test]
fn python_opens_our_files_and_we_open_its() {
    exchange(PYTHON, "key_files.py", &["ML-KEM-512"]);
}

#[test]
fn node_opens_our_files_and_we_open_its() {
    exchange(NODE, "key_files.mjs", &[]);
}

/// Exchanges keys of every algorithm but those that may be unknown to the script's program.
fn exchange(program: Program, script: &str, may_lack: &[&str]) {
    let mut ours = Map::new();
    let mut secrets = Map::new();
    for algorithm in IN_RFCS {
        let (files, secret) = write(algorithm);
        ours.insert(algorithm.name().to_owned(), files);
        secrets.insert(algorithm.name().to_owned(), secret);
    }
    let request = json!({
        "keys": ours,
        "passphrase": hex::encode(PASSPHRASE),
        "message": hex::encode(MESSAGE),
        "context": hex::encode(CONTEXT),
    });
    let Some(answer) = program.run(script, &request) else { return };
    let mut exchanged = vec![];
    for (name, theirs) in answer["keys"].as_object().unwrap() {
        let algorithm = IN_RFCS.into_iter().find(|set| set.name() == name).unwrap();
        read(algorithm, &request["keys"][name], theirs, &secrets[name]);
        exchanged.push(name.as_str());
    }
    let lacks: Vec<&str> = answer["unsupported"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    say(&format!(
        "key files: {script} {} exchanged {exchanged:?}; it lacks {lacks:?}, {}",
        answer["version"], answer["lacks"],
    ));
    assert!(lacks.iter().all(|name| may_lack.contains(name)), "{lacks:?}");
    assert_eq!(exchanged.len() + lacks.len(), IN_RFCS.len());
}

/// Our files of a key, what we made for it, and the secret that is not told.
fn write(algorithm: KeyAlgorithm) -> (Value, Value) {
    let mut rng = Repeatable::new(1);
    let key = key(algorithm, 0);
    let public = key.public_key();
    let mut files = json!({
        "private_pem": hex::encode(&*key.to_pem().unwrap()),
        "private_der": hex::encode(key.to_der().unwrap().expose_bytes()),
        "encrypted_pem": hex::encode(key.to_encrypted_pem(PASSPHRASE, &mut rng).unwrap()),
        "encrypted_der": hex::encode(key.to_encrypted_der(PASSPHRASE, &mut rng).unwrap()),
        "expanded_pem": hex::encode(&*without_seed(&key).to_pem().unwrap()),
        "public_pem": hex::encode(public.to_pem().unwrap()),
        "public_der": hex::encode(public.to_der().unwrap()),
        "public_raw": hex::encode(public.as_bytes()),
        "public_jwk": hex::encode(serde_json::to_vec(&Jwk::try_from(&public).unwrap()).unwrap()),
        "private_jwk": hex::encode(serde_json::to_vec(&PrivateJwk::try_from(&key).unwrap()).unwrap()),
    });
    let secret = match (&key, &public) {
        (PrivateKey::Signing(key), _) => {
            let context = Context::new(CONTEXT).unwrap();
            let mu = key.verifying_key().mu(MESSAGE, context);
            let digest = PreHash::of(PreHashAlgorithm::Sha512, MESSAGE);
            let signature = key.sign(MESSAGE, context, &mut rng).unwrap();
            let mu_signature = key.sign_mu(&mu, &mut rng).unwrap();
            let prehash_signature = key.sign_prehash(&digest, context, &mut rng).unwrap();
            files["mu"] = hex::encode(mu.to_bytes()).into();
            files["signature"] = hex::encode(signature.as_bytes()).into();
            files["mu_signature"] = hex::encode(mu_signature.as_bytes()).into();
            files["prehash_signature"] = hex::encode(prehash_signature.as_bytes()).into();
            Value::Null
        }
        (_, PublicKey::Encapsulation(key)) => {
            let (ciphertext, secret) = key.encapsulate_unattested(&mut rng).unwrap();
            files["ciphertext"] = hex::encode(ciphertext.as_bytes()).into();
            hex::encode(secret.expose_bytes()).into()
        }
        other => panic!("{other:?}"),
    };
    (files, secret)
}

fn without_seed(key: &PrivateKey) -> PrivateKey {
    match key {
        PrivateKey::Decapsulation(_) => {
            DecapsulationKey::from_expanded(expanded(key)).unwrap().into()
        }
        _ => SigningKey::from_expanded(expanded(key)).unwrap().into(),
    }
}

/// Opens their files, and uses their key and what they made with ours.
fn read(algorithm: KeyAlgorithm, ours: &Value, theirs: &Value, secret: &Value) {
    let decode = |text: &Value| hex::decode(text.as_str().unwrap()).unwrap();
    let part = |name: &str| decode(&theirs[name]);
    let text = |name: &str| String::from_utf8(part(name)).unwrap();
    let public = PublicKey::from_pem(&text("public_pem")).unwrap();
    assert_eq!(public.algorithm(), algorithm);
    assert_eq!(PublicKey::from_der(&part("public_der")).unwrap(), public);
    assert_eq!(public.to_pem().unwrap(), text("public_pem"));
    assert_eq!(part("public_raw"), public.as_bytes());
    let jwk: Jwk = serde_json::from_slice(&part("public_jwk")).unwrap();
    assert_eq!(PublicKey::try_from(&jwk).as_ref(), Ok(&public));
    let jwk: PrivateJwk = serde_json::from_slice(&part("private_jwk")).unwrap();
    let mut private = vec![
        PrivateKey::try_from(&jwk).unwrap(),
        PrivateKey::from_pem(&text("private_pem")).unwrap(),
        PrivateKey::from_der(&part("private_der")).unwrap(),
        PrivateKey::from_encrypted_pem(&text("encrypted_pem"), PASSPHRASE).unwrap(),
        PrivateKey::from_encrypted_der(&part("encrypted_der"), PASSPHRASE).unwrap(),
    ];
    if theirs.get("scrypt_der").is_some() {
        let file = part("scrypt_der");
        let derivation = KeyDerivation::Scrypt { n: 16384, r: 8, p: 1 };
        assert_eq!(inspect(&file).unwrap().content, Content::EncryptedPrivateKey { derivation });
        private.push(PrivateKey::from_encrypted_der(&file, PASSPHRASE).unwrap());
    }
    for key in &private {
        assert_eq!(key.public_key(), public);
        assert_eq!(*key.to_pem().unwrap(), text("private_pem"));
    }
    let encrypted = inspect(&part("encrypted_pem")).unwrap();
    assert_eq!(encrypted.encoding, FileEncoding::Pem);
    assert!(matches!(
        encrypted.content,
        Content::EncryptedPrivateKey { derivation: KeyDerivation::Pbkdf2HmacSha256 { .. } }
    ));

    match (private.remove(0), key(algorithm, 0), public) {
        (PrivateKey::Signing(_), PrivateKey::Signing(ours_key), PublicKey::Verifying(public)) => {
            let signature = |name| Signature::from_bytes(&part(name)).unwrap();
            let by_ours = signature("signature_by_ours");
            verify(&public, ours_key.verifying_key(), &signature("signature"));
            verify(ours_key.verifying_key(), &public, &by_ours);
            if theirs.get("mu").is_some() {
                let mu = Mu::from_bytes(&part("mu")).unwrap();
                verify_mu(&public, mu, &signature("mu_signature"));
                verify_prehash(&public, &signature("prehash_signature"));
            }
        }
        (PrivateKey::Decapsulation(key), PrivateKey::Decapsulation(ours_key), public) => {
            let open = |key: &DecapsulationKey, ciphertext: &[u8]| {
                let ciphertext = Ciphertext::from_bytes(ciphertext).unwrap();
                key.decapsulate(&ciphertext).unwrap().expose_bytes().to_vec()
            };
            assert_eq!(open(&key, &part("ciphertext")), part("secret"));
            assert_eq!(open(&ours_key, &part("ciphertext_to_ours")), part("secret_to_ours"));
            assert_eq!(theirs["opened"], *secret);
            // What does not belong to the key is rejected in one way by both: FIPS 203, Algorithm
            // 18, line 7.
            let ciphertext = decode(&ours["ciphertext"]);
            let altered = flipped(&ciphertext, ciphertext.len() / 2 * 8);
            assert_eq!(open(&ours_key, &altered), part("rejected"));
            assert_eq!(open(&key, &ciphertext), part("opened_by_wrong_key"));
            assert!(theirs["rejected"] != *secret && theirs["opened_by_wrong_key"] != *secret);
            // Their raw key, and what is made for it.
            let raw = EncapsulationKey::from_bytes(&part("public_raw")).unwrap();
            assert_eq!(PublicKey::from(raw.clone()), public);
            let (made, sent) = raw.encapsulate_unattested(&mut Repeatable::new(2)).unwrap();
            assert_eq!(open(&key, made.as_bytes()), sent.expose_bytes());
        }
        other => panic!("{other:?}"),
    }
}

/// The signature is `key`'s of the message, and of nothing else.
fn verify(key: &VerifyingKey, other: &VerifyingKey, signature: &Signature) {
    let context = Context::new(CONTEXT).unwrap();
    assert!(key.verify(MESSAGE, context, signature));
    assert!(!key.verify(MESSAGE, context, &altered(signature)));
    assert!(!key.verify(&MESSAGE[1..], context, signature));
    assert!(!key.verify(MESSAGE, Context::new(&CONTEXT[1..]).unwrap(), signature));
    assert!(!other.verify(MESSAGE, context, signature));
}

fn verify_mu(key: &VerifyingKey, mu: Mu, signature: &Signature) {
    let context = Context::new(CONTEXT).unwrap();
    assert_eq!(key.mu(MESSAGE, context), mu);
    assert!(key.verify_mu(&mu, signature) && !key.verify_mu(&mu, &altered(signature)));
    assert!(key.verify(MESSAGE, context, signature));
}

fn verify_prehash(key: &VerifyingKey, signature: &Signature) {
    let context = Context::new(CONTEXT).unwrap();
    let digest = |algorithm| PreHash::of(algorithm, MESSAGE);
    assert!(key.verify_prehash(&digest(PreHashAlgorithm::Sha512), context, signature));
    let altered = altered(signature);
    assert!(!key.verify_prehash(&digest(PreHashAlgorithm::Sha512), context, &altered));
    assert!(!key.verify_prehash(&digest(PreHashAlgorithm::Sha3_512), context, signature));
    assert!(!key.verify(MESSAGE, context, signature));
}

fn altered(signature: &Signature) -> Signature {
    let bytes = signature.as_bytes();
    Signature::from_bytes(&flipped(bytes, bytes.len() * 4)).unwrap()
}
