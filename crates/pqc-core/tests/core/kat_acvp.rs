//! NIST's ACVP sample vectors. Both backends answer every case, except that an external mu is ml-dsa's on both.

use std::collections::{BTreeMap, HashMap};

use pqc_core::sign::{Mu, PreHash, PreHashAlgorithm};
use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, Error, KemAlgorithm, Secret,
    Signature, SignatureAlgorithm, SigningKey, VerifyingKey,
};
use serde_json::Value;

use crate::backends::both_backends;
use crate::nist::{groups, official, tests};
use crate::support::say;

#[test]
fn ml_kem_key_generation() {
    run("ML-KEM-keyGen-FIPS203", &[("keyGen", 25)], |case| {
        let set =
            KemAlgorithm::from_name(case.text("parameterSet")).unwrap().parameter_set().unwrap();
        let seed = <[u8; 64]>::try_from([case.bytes("d"), case.bytes("z")].concat()).unwrap();
        for backend in both_backends() {
            let (public, expanded) = (backend.kem_key_pair)(set, &Secret::from(seed));
            assert_eq!(public, case.answer("ek"));
            assert_eq!(expanded.expose_bytes(), case.answer("dk"));
        }
        "keyGen"
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
        let set =
            KemAlgorithm::from_name(case.text("parameterSet")).unwrap().parameter_set().unwrap();
        match case.text("function") {
            "encapsulation" => {
                let key = EncapsulationKey::from_bytes(&case.bytes("ek")).unwrap();
                assert_eq!(key.algorithm(), set.algorithm());
                let message = Secret::from(<[u8; 32]>::try_from(case.bytes("m")).unwrap());
                for backend in both_backends() {
                    let (ciphertext, secret) =
                        (backend.encapsulate)(set, key.as_bytes(), &message).unwrap();
                    assert_eq!(ciphertext, case.answer("c"));
                    assert_eq!(secret.expose_bytes().as_slice(), case.answer("k"));
                    let prepared =
                        (backend.prepare_encapsulation_key)(set, key.as_bytes()).unwrap();
                    let (ciphertext, secret) = prepared.encapsulate(&message);
                    assert_eq!(ciphertext, case.answer("c"));
                    assert_eq!(secret.expose_bytes().as_slice(), case.answer("k"));
                }
            }
            "decapsulation" => {
                let (key, ciphertext) = (case.bytes("dk"), case.bytes("c"));
                for backend in both_backends() {
                    let secret = (backend.decapsulate)(set, &key, &ciphertext).unwrap();
                    assert_eq!(secret.expose_bytes().as_slice(), case.answer("k"));
                    let prepared = (backend.prepare_decapsulation_key)(set, &key).unwrap();
                    let secret = prepared.decapsulate(&ciphertext).unwrap();
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
        case.text("function")
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
        "keyGen"
    });
}

#[test]
fn ml_dsa_signing() {
    let served = [
        ("external mu, deterministic", 15),
        ("external mu, hedged", 15),
        ("internal, deterministic", 15),
        ("internal, hedged", 15),
        ("pre-hash, deterministic", 15),
        ("pre-hash, hedged", 15),
        ("pure, deterministic", 15),
        ("pure, hedged", 15),
    ];
    run("ML-DSA-sigGen-FIPS204", &served, |case| {
        let set = SignatureAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let deterministic = case.group["deterministic"] == Value::Bool(true);
        let rnd = if deterministic { vec![0; 32] } else { case.bytes("rnd") };
        let hedge = Secret::from(<[u8; 32]>::try_from(rnd).unwrap());
        let key = SigningKey::from_expanded(&case.bytes("sk")).unwrap();
        assert_eq!(key.algorithm(), set);
        let answer = Signature::from_bytes(&case.answer("signature")).unwrap();
        let context = case.context();
        let context = Context::new(&context).unwrap();
        let public = key.verifying_key();
        // By each backend plain and prepared, and by the public interface where that takes no rnd.
        let mut made = Vec::new();
        for backend in both_backends() {
            let expanded = key.expose_expanded().expose_bytes();
            let prepared = (backend.prepare_signing_key)(set, expanded).unwrap();
            made.extend(match case.interface() {
                Interface::Pure => {
                    let message = case.bytes("message");
                    let context = context.as_bytes();
                    let plain = (backend.sign)(set, expanded, &message, context, &hedge);
                    vec![plain, prepared.sign(&message, context, &hedge)]
                }
                Interface::Internal | Interface::PreHash => {
                    let framed = case.framed();
                    let plain = (backend.sign_internal)(set, expanded, &framed, &hedge);
                    vec![plain, prepared.sign_internal(&framed, &hedge)]
                }
                Interface::ExternalMu => {
                    let mu = case.bytes("mu").try_into().unwrap();
                    vec![prepared.sign_mu(&mu, &hedge)]
                }
            });
        }
        let prepared = key.prepare().unwrap();
        match case.interface() {
            Interface::Pure => {
                let message = case.bytes("message");
                assert!(public.verify(&message, context, &answer));
                let by_mu = public.mu(&message, context);
                assert!(public.verify_mu(&by_mu, &answer));
                if deterministic {
                    made.push(bytes_of(key.sign_deterministic(&message, context)));
                    made.push(bytes_of(prepared.sign_deterministic(&message, context)));
                    made.push(bytes_of(key.sign_mu_deterministic(&by_mu)));
                }
            }
            Interface::PreHash => {
                let digest = PreHash::of(case.hash(), &case.bytes("message"));
                assert!(public.verify_prehash(&digest, context, &answer));
                if deterministic {
                    made.push(bytes_of(key.sign_prehash_deterministic(&digest, context)));
                    made.push(bytes_of(prepared.sign_prehash_deterministic(&digest, context)));
                }
            }
            Interface::ExternalMu => {
                let mu = Mu::from_bytes(&case.bytes("mu")).unwrap();
                assert!(public.verify_mu(&mu, &answer));
                if deterministic {
                    made.push(bytes_of(key.sign_mu_deterministic(&mu)));
                    made.push(bytes_of(prepared.sign_mu_deterministic(&mu)));
                }
            }
            Interface::Internal => {}
        }
        for made in made {
            assert_eq!(made.unwrap(), answer.as_bytes());
        }
        match (case.interface(), deterministic) {
            (Interface::Pure, true) => "pure, deterministic",
            (Interface::Pure, false) => "pure, hedged",
            (Interface::PreHash, true) => "pre-hash, deterministic",
            (Interface::PreHash, false) => "pre-hash, hedged",
            (Interface::ExternalMu, true) => "external mu, deterministic",
            (Interface::ExternalMu, false) => "external mu, hedged",
            (Interface::Internal, true) => "internal, deterministic",
            (Interface::Internal, false) => "internal, hedged",
        }
    });
}

#[test]
fn ml_dsa_verification() {
    let served = [("external mu", 15), ("internal", 15), ("pre-hash", 15), ("pure", 15)];
    run("ML-DSA-sigVer-FIPS204", &served, |case| {
        let set = SignatureAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let (key, bytes) = (case.bytes("pk"), case.bytes("signature"));
        let public = VerifyingKey::from_bytes(&key).unwrap();
        let signature = Signature::from_bytes(&bytes).unwrap();
        let context = case.context();
        let context = Context::new(&context).unwrap();
        let mut verdicts = Vec::new();
        for backend in both_backends() {
            let prepared = (backend.prepare_verifying_key)(set, &key).unwrap();
            verdicts.extend(match case.interface() {
                Interface::Pure => {
                    let message = case.bytes("message");
                    let context = context.as_bytes();
                    let plain = (backend.verify)(set, &key, &message, context, &bytes);
                    vec![plain, prepared.verify(&message, context, &bytes)]
                }
                Interface::Internal | Interface::PreHash => {
                    let framed = case.framed();
                    let plain = (backend.verify_internal)(set, &key, &framed, &bytes);
                    vec![plain, prepared.verify_internal(&framed, &bytes)]
                }
                Interface::ExternalMu => {
                    let mu = case.bytes("mu").try_into().unwrap();
                    vec![prepared.verify_mu(&mu, &bytes)]
                }
            });
        }
        let prepared = public.prepare().unwrap();
        let kind = match case.interface() {
            Interface::Pure => {
                let message = case.bytes("message");
                verdicts.push(public.verify(&message, context, &signature));
                verdicts.push(prepared.verify(&message, context, &signature));
                verdicts.push(public.verify_mu(&public.mu(&message, context), &signature));
                "pure"
            }
            Interface::PreHash => {
                let digest = PreHash::of(case.hash(), &case.bytes("message"));
                verdicts.push(public.verify_prehash(&digest, context, &signature));
                verdicts.push(prepared.verify_prehash(&digest, context, &signature));
                "pre-hash"
            }
            Interface::ExternalMu => {
                let mu = Mu::from_bytes(&case.bytes("mu")).unwrap();
                verdicts.push(public.verify_mu(&mu, &signature));
                verdicts.push(prepared.verify_mu(&mu, &signature));
                "external mu"
            }
            Interface::Internal => "internal",
        };
        assert!(verdicts.iter().all(|verdict| *verdict == case.passes()), "{verdicts:?}");
        kind
    });
}

fn bytes_of(signature: Result<Signature, Error>) -> Result<Vec<u8>, Error> {
    signature.map(|signature| signature.as_bytes().to_vec())
}

/// The four ways into ML-DSA that ACVP knows.
#[derive(Clone, Copy)]
enum Interface {
    Pure,
    PreHash,
    Internal,
    ExternalMu,
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

    fn interface(&self) -> Interface {
        match (self.text("signatureInterface"), self.group.get("preHash").and_then(Value::as_str)) {
            ("external", Some("pure")) => Interface::Pure,
            ("external", Some("preHash")) => Interface::PreHash,
            ("internal", _) if self.group["externalMu"] == true => Interface::ExternalMu,
            ("internal", _) => Interface::Internal,
            other => panic!("unknown interface {other:?}"),
        }
    }

    /// The context; the internal interfaces have none.
    fn context(&self) -> Vec<u8> {
        self.prompt.get("context").map_or_else(Vec::new, |_| self.bytes("context"))
    }

    fn hash(&self) -> PreHashAlgorithm {
        let name = self.text("hashAlg").replace("SHA2-", "SHA-").replace("SHAKE-", "SHAKE");
        PreHashAlgorithm::ALL.into_iter().find(|hash| hash.name() == name).unwrap()
    }

    /// M′: the message itself, or written here from FIPS 204, Algorithm 4.
    fn framed(&self) -> Vec<u8> {
        if !matches!(self.interface(), Interface::PreHash) {
            return self.bytes("message");
        }
        let (context, digest) = (self.context(), PreHash::of(self.hash(), &self.bytes("message")));
        let last = match self.text("hashAlg") {
            "SHA2-256" => 1,
            "SHA2-384" => 2,
            "SHA2-512" => 3,
            "SHA2-224" => 4,
            "SHA2-512/224" => 5,
            "SHA2-512/256" => 6,
            "SHA3-224" => 7,
            "SHA3-256" => 8,
            "SHA3-384" => 9,
            "SHA3-512" => 10,
            "SHAKE-128" => 11,
            "SHAKE-256" => 12,
            other => panic!("unknown hash {other}"),
        };
        let oid = [6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last];
        [&[1, context.len() as u8], &context[..], &oid, digest.as_bytes()].concat()
    }
}

/// Runs `answer` on each case of `file`. It gives the kind that it served. Each of the three
/// parameter sets must have served every kind as often as `served` says.
fn run(file: &str, served: &[(&str, usize)], answer: impl for<'c> Fn(&'c Case) -> &'c str) {
    let Some((prompt, expected)) = official(file) else { return };
    let mut answers = HashMap::new();
    for test in groups(&expected).flat_map(tests) {
        answers.insert(test["tcId"].as_u64().unwrap(), test.clone());
    }

    let mut counts = BTreeMap::<String, BTreeMap<String, usize>>::new();
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
            let (set, kind) = (case.text("parameterSet"), answer(&case));
            *counts.entry(set.to_owned()).or_default().entry(kind.to_owned()).or_default() += 1;
        }
    }
    assert!(answers.is_empty(), "answers without a question: {answers:?}");
    say(&format!("ACVP {file}: {counts:?}, on both backends"));
    let expected: BTreeMap<_, _> = served.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|kinds| *kinds == expected), "not as many as {expected:?}");
}
