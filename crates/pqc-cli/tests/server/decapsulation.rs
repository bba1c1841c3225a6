//! Implicit rejection, and whose keys one can use.

use pqc_core::backend::{Backend, RustCrypto};
use pqc_core::kem::ParameterSet;
use pqc_core::{DecapsulationKey, Field, KemAlgorithm, Secret};
use serde_json::{Value, json};

use crate::support::{Call, Client, bytes, flipped, shared, text, with};

fn decapsulated(client: &Client, fields: &Value) -> String {
    text(&client.post("/api/kem/decapsulate_key", fields).ok(), "shared_key")
}

/// What the reference backend decapsulates by the seed.
fn by_reference(set: ParameterSet, sk: &str, cipher: &str) -> String {
    let seed = Secret::from_slice(Field::DecapsulationKey, &bytes(sk)).unwrap();
    let (_, expanded) = RustCrypto::kem_key_pair(set, &seed);
    let secret = RustCrypto::decapsulate(set, expanded.expose_bytes(), &bytes(cipher));
    hex::encode(secret.unwrap().expose_bytes())
}

#[test]
fn a_wrong_but_well_formed_ciphertext_gives_200_and_another_key_always_the_same() {
    let root = shared().account().root;
    for set in KemAlgorithm::ALL {
        let pair = root.generate_with(&json!({"algorithm": set.name()}));
        let (cipher, shared_key) = pair.encapsulated_by(&root);
        let right = json!({"cipher": cipher, "pk": pair.pk});
        assert_eq!(decapsulated(&root, &right), shared_key);
        for index in [0, set.ciphertext_bytes() / 2, set.ciphertext_bytes() - 1] {
            let wrong = with(&right, "cipher", flipped(&cipher, index));
            let rejected = decapsulated(&root, &wrong);
            assert_ne!(rejected, shared_key, "{set}, byte {index}");
            assert_eq!(bytes(&rejected).len(), 32);
            assert_eq!(decapsulated(&root, &wrong), rejected, "{set}, byte {index}");
        }
        let noise = "5a".repeat(set.ciphertext_bytes());
        assert_ne!(decapsulated(&root, &with(&right, "cipher", noise)), shared_key);
    }
}

#[test]
fn the_rejected_key_is_the_one_that_fips_203_prescribes() {
    let root = shared().account().root;
    let set = ParameterSet::MlKem768;
    let pair = root.generate_with(&json!({"custody": "client"}));
    let sk = pair.sk.clone().unwrap();
    let (cipher, shared_key) = pair.encapsulated_by(&root);
    let wrong = flipped(&cipher, 17);
    for (cipher, same) in [(cipher, true), (wrong, false)] {
        let answer = decapsulated(&root, &json!({"cipher": cipher, "sk": sk}));
        assert_eq!(answer, by_reference(set, &sk, &cipher));
        assert_eq!(answer == shared_key, same);
    }
}

#[test]
fn an_x_wing_share_of_low_order_is_refused() {
    let root = shared().account().root;
    for custody in ["server", "client"] {
        let pair = root.generate_with(&json!({"algorithm": "X-Wing", "custody": custody}));
        let (cipher, shared_key) = pair.encapsulated_by(&root);
        let fields = |cipher: &str| match &pair.sk {
            Some(sk) => json!({"cipher": cipher, "sk": sk}),
            None => json!({"cipher": cipher, "pk": pair.pk}),
        };
        assert_eq!(decapsulated(&root, &fields(&cipher)), shared_key);
        let low = format!("{}{}", &cipher[..cipher.len() - 64], "00".repeat(32));
        root.post("/api/kem/decapsulate_key", &fields(&low)).invalid(&["body.cipher"]);
    }
}

#[test]
fn another_accounts_pk_looks_like_an_unknown_one() {
    let (owner, other) = (shared().account().root, shared().account().root);
    let pair = owner.generate();
    let (cipher, shared_key) = pair.encapsulated_by(&other);
    let fields = json!({"cipher": cipher, "pk": pair.pk});
    let seen = |fields: &Value| {
        let call = Call::post("/api/kem/decapsulate_key", fields);
        let mut answer = other.send(&call.header("x-request-id", "the-same"));
        answer.problem(404);
        answer.headers.remove("date");
        answer
    };
    let unknown = seen(&with(&fields, "pk", flipped(&pair.pk, 3)));
    assert_eq!(seen(&fields), unknown);
    // Their twin: the owner.
    assert_eq!(decapsulated(&owner, &fields), shared_key);
}

#[test]
fn a_ciphertext_of_another_set_is_refused() {
    let root = shared().account().root;
    let pair = root.generate();
    let (cipher, _) =
        root.generate_with(&json!({"algorithm": "ML-KEM-512"})).encapsulated_by(&root);
    let fields = json!({"cipher": cipher, "pk": pair.pk});
    root.post("/api/kem/decapsulate_key", &fields).invalid(&["body.cipher"]);
    let (cipher, shared_key) = pair.encapsulated_by(&root);
    let fields = json!({"cipher": cipher, "pk": pair.pk, "algorithm": "ml-kem-768"});
    assert_eq!(decapsulated(&root, &fields), shared_key);
    let fields = with(&fields, "algorithm", "ML-KEM-1024");
    let problem = root.post("/api/kem/decapsulate_key", &fields).problem(422);
    assert_eq!(problem["errors"][0]["type"], "algorithm_mismatch");
}

#[test]
fn a_broken_secret_key_is_refused_by_name() {
    let root = shared().account().root;
    let pair = root.generate_with(&json!({"custody": "client"}));
    let (cipher, shared_key) = pair.encapsulated_by(&root);
    let seed = bytes(&pair.sk.unwrap());
    let key = DecapsulationKey::from_seed_or_expanded(KemAlgorithm::MlKem768, &seed).unwrap();
    let expanded = key.expose_expanded().unwrap().expose_bytes();
    let fields = |sk: &[u8]| json!({"cipher": cipher, "sk": hex::encode(sk)});
    assert_eq!(decapsulated(&root, &fields(expanded)), shared_key);

    // dk_PKE (1152) ‖ ek (1184) ‖ H(ek) (32) ‖ z (32).
    let mut hash = expanded.to_vec();
    hash[1152 + 1184] ^= 1;
    let mut embedded = expanded.to_vec();
    embedded[1152] ^= 1;
    let another_set = DecapsulationKey::generate(KemAlgorithm::MlKem512, &mut getrandom::SysRng);
    let another_set = another_set.unwrap().expose_expanded().unwrap().expose_bytes().to_vec();
    for wrong in [&hash, &embedded, &another_set, &seed[1..].to_vec(), &expanded[1..].to_vec()] {
        root.post("/api/kem/decapsulate_key", &fields(wrong)).invalid(&["body.sk"]);
    }
    // z fits any key: only the rejected secret depends on it.
    let mut other_z = expanded.to_vec();
    other_z[2399] ^= 1;
    assert_eq!(decapsulated(&root, &fields(&other_z)), shared_key);
}
