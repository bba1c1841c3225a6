//! NIST's ACVP sample vectors, where they lie beside the checkout (they are not part of it):
//! `../shared/vectors/acvp` from the workspace's root, or the folder that `PQC_ACVP_VECTORS` names.
//! Both backends answer every case of an interface that the core serves; the rest is counted.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, Error, KemAlgorithm, Secret,
    Signature, SignatureAlgorithm, SigningKey, VerifyingKey,
};
use serde_json::Value;

use crate::support::{both_backends, say};

#[test]
fn ml_kem_key_generation() {
    run("ML-KEM-keyGen-FIPS203", &[("keyGen", 25)], |case| {
        let set = KemAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let seed = <[u8; 64]>::try_from([case.bytes("d"), case.bytes("z")].concat()).unwrap();
        for backend in both_backends() {
            let (public, expanded) = (backend.kem_key_pair)(set, &Secret::from(seed));
            assert_eq!(public, case.answer("ek"));
            assert_eq!(expanded.expose_bytes(), case.answer("dk"));
        }
        Some("keyGen")
    });
}

#[test]
fn ml_kem_encapsulation_decapsulation_and_key_checks() {
    let served = [
        ("decapsulation", 10),
        ("decapsulationKeyCheck", 10),
        ("encapsulation", 25),
        ("encapsulationKeyCheck", 10),
    ];
    run("ML-KEM-encapDecap-FIPS203", &served, |case| {
        let set = KemAlgorithm::from_name(case.text("parameterSet")).unwrap();
        match case.text("function") {
            "encapsulation" => {
                let key = EncapsulationKey::from_bytes(&case.bytes("ek")).unwrap();
                assert_eq!(key.algorithm(), set);
                let message = Secret::from(<[u8; 32]>::try_from(case.bytes("m")).unwrap());
                for backend in both_backends() {
                    let (ciphertext, secret) =
                        (backend.encapsulate)(set, key.as_bytes(), &message).unwrap();
                    assert_eq!(ciphertext, case.answer("c"));
                    assert_eq!(secret.expose_bytes().as_slice(), case.answer("k"));
                }
            }
            "decapsulation" => {
                let (key, ciphertext) = (case.bytes("dk"), case.bytes("c"));
                for backend in both_backends() {
                    let secret = (backend.decapsulate)(set, &key, &ciphertext).unwrap();
                    assert_eq!(secret.expose_bytes().as_slice(), case.answer("k"));
                }
                let key = DecapsulationKey::from_expanded(&key).unwrap();
                let ciphertext = Ciphertext::from_bytes(&ciphertext).unwrap();
                let secret = key.decapsulate(&ciphertext).unwrap();
                assert_eq!(secret.expose_bytes().as_slice(), case.answer("k"));
            }
            "encapsulationKeyCheck" => {
                let key = case.bytes("ek");
                for backend in both_backends() {
                    assert_eq!((backend.encapsulation_key_is_reduced)(set, &key), case.passes());
                }
                let read = EncapsulationKey::from_bytes(&key);
                assert_eq!(read.is_ok(), case.passes());
                assert!(read.is_ok() || read == Err(Error::EncapsulationKeyModulus));
            }
            "decapsulationKeyCheck" => {
                let read = DecapsulationKey::from_expanded(&case.bytes("dk"));
                assert_eq!(read.is_ok(), case.passes());
                assert!(read.is_ok() || read.is_err_and(|e| e == Error::DecapsulationKeyHash));
            }
            other => panic!("unknown function {other}"),
        }
        Some(case.text("function"))
    });
}

#[test]
fn ml_dsa_key_generation() {
    run("ML-DSA-keyGen-FIPS204", &[("keyGen", 25)], |case| {
        let set = SignatureAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let seed = <[u8; 32]>::try_from(case.bytes("seed")).unwrap();
        for backend in both_backends() {
            let (public, expanded) = (backend.signing_key_pair)(set, &Secret::from(seed));
            assert_eq!(public, case.answer("pk"));
            assert_eq!(expanded.expose_bytes(), case.answer("sk"));
        }
        let key = SigningKey::from_expanded(&case.answer("sk")).unwrap();
        assert_eq!(key.verifying_key().as_bytes(), case.answer("pk"));
        Some("keyGen")
    });
}

#[test]
fn ml_dsa_signing() {
    run("ML-DSA-sigGen-FIPS204", &[("pure, deterministic", 15), ("pure, hedged", 15)], |case| {
        if !case.is_pure_external() {
            return None;
        }
        let set = SignatureAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let (message, context) = (case.bytes("message"), case.bytes("context"));
        let deterministic = case.group["deterministic"] == Value::Bool(true);
        let rnd = if deterministic { vec![0; 32] } else { case.bytes("rnd") };
        let rnd = <[u8; 32]>::try_from(rnd).unwrap();
        let key = SigningKey::from_expanded(&case.bytes("sk")).unwrap();
        for backend in both_backends() {
            let expanded = key.expose_expanded().expose_bytes();
            let hedge = Secret::from(rnd);
            let signature = (backend.sign)(set, expanded, &message, &context, &hedge).unwrap();
            assert_eq!(signature, case.answer("signature"));
        }
        let signature = Signature::from_bytes(&case.answer("signature")).unwrap();
        let context = Context::new(&context).unwrap();
        assert!(key.verifying_key().verify(&message, context, &signature));
        Some(if deterministic { "pure, deterministic" } else { "pure, hedged" })
    });
}

#[test]
fn ml_dsa_verification() {
    run("ML-DSA-sigVer-FIPS204", &[("pure", 15)], |case| {
        if !case.is_pure_external() {
            return None;
        }
        let set = SignatureAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let (key, message) = (case.bytes("pk"), case.bytes("message"));
        let (context, signature) = (case.bytes("context"), case.bytes("signature"));
        for backend in both_backends() {
            let verified = (backend.verify)(set, &key, &message, &context, &signature);
            assert_eq!(verified, case.passes());
        }
        let key = VerifyingKey::from_bytes(&key).unwrap();
        let signature = Signature::from_bytes(&signature).unwrap();
        let context = Context::new(&context).unwrap();
        assert_eq!(key.verify(&message, context, &signature), case.passes());
        Some("pure")
    });
}

/// One test of a file: its group's parameters, its inputs, and NIST's answer.
struct Case {
    group: Value,
    prompt: Value,
    expected: Value,
}

impl Case {
    /// A text of the test or else of its group.
    fn text(&self, name: &str) -> &str {
        self.prompt.get(name).unwrap_or(&self.group[name]).as_str().unwrap()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.text(name)).unwrap()
    }

    fn answer(&self, name: &str) -> Vec<u8> {
        hex::decode(self.expected[name].as_str().unwrap()).unwrap()
    }

    fn passes(&self) -> bool {
        self.expected["testPassed"].as_bool().unwrap()
    }

    /// ML-DSA.Sign and ML-DSA.Verify themselves: neither pre-hashed nor internal.
    fn is_pure_external(&self) -> bool {
        self.group["signatureInterface"] == "external" && self.group["preHash"] == "pure"
    }
}

/// Runs `answer` on each case of `file`. It gives the kind that it served, or `None`. Each of the
/// three parameter sets must have served every kind as often as `served` says.
fn run(file: &str, served: &[(&str, usize)], answer: impl for<'c> Fn(&'c Case) -> Option<&'c str>) {
    let Some(folder) = vectors() else {
        say(&format!(
            "SKIPPED: {file}: no ACVP vectors here; set PQC_ACVP_VECTORS to their folder"
        ));
        return;
    };
    let prompt = read(&folder.join(file).join("prompt.json.gz"));
    let expected = read(&folder.join(file).join("expectedResults.json.gz"));
    let mut answers = HashMap::new();
    for test in groups(&expected).flat_map(tests) {
        answers.insert(test["tcId"].as_u64().unwrap(), test.clone());
    }

    let mut counts = BTreeMap::<String, BTreeMap<String, usize>>::new();
    let mut not_served = 0;
    for group in groups(&prompt) {
        let mut parameters = group.clone();
        parameters.as_object_mut().unwrap().remove("tests");
        for test in tests(group) {
            let id = test["tcId"].as_u64().unwrap();
            let case = Case {
                group: parameters.clone(),
                prompt: test.clone(),
                expected: answers.remove(&id).unwrap(),
            };
            match answer(&case) {
                Some(kind) => {
                    let set = case.text("parameterSet").to_owned();
                    *counts.entry(set).or_default().entry(kind.to_owned()).or_default() += 1;
                }
                None => not_served += 1,
            }
        }
    }
    assert!(answers.is_empty(), "answers without a question: {answers:?}");
    say(&format!("ACVP {file}: {counts:?}, on both backends; of other interfaces: {not_served}"));
    let expected: BTreeMap<_, _> = served.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|kinds| *kinds == expected), "not as many as {expected:?}");
}

fn groups(file: &Value) -> impl Iterator<Item = &Value> {
    file["testGroups"].as_array().unwrap().iter()
}

fn tests(group: &Value) -> impl Iterator<Item = &Value> {
    group["tests"].as_array().unwrap().iter()
}

fn read(path: &Path) -> Value {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_reader(BufReader::new(GzDecoder::new(file))).unwrap()
}

fn vectors() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("PQC_ACVP_VECTORS") {
        return Some(folder.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let folder = root.join("../shared/vectors/acvp");
    folder.is_dir().then_some(folder)
}
