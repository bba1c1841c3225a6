//! `acvp::answer` gives what NIST's `expectedResults` say, for each official prompt. Where the
//! files are looked for: `kat_acvp`, which holds the backends to them without this reader.

use pqc_core::acvp::{self, Reason, Report};
use serde_json::Value;

use crate::kat_acvp::{groups, official, tests};
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
fn aes_gcm_is_not_answered_and_says_so() {
    let Some((report, answers, expected)) = answered("ACVP-AES-GCM-1.0") else { return };
    assert_eq!((report.groups, report.groups_answered), (4, 0));
    assert_eq!((report.cases, report.cases_answered), (60, 0));
    let unserved = Reason::Unserved { member: "algorithm" };
    assert!(report.unanswered.len() == 60);
    assert!(report.unanswered.iter().all(|unanswered| unanswered.reason == unserved));
    for (answers, expected) in groups(&answers).zip(groups(&expected)) {
        assert_eq!(answers["tgId"], expected["tgId"]);
        for (answer, expected) in tests(answers).zip(tests(expected)) {
            assert_eq!(answer["tcId"], expected["tcId"]);
            assert_eq!(answer["unanswered"], unserved.to_string());
            assert_eq!(answer.as_object().unwrap().len(), 2);
        }
    }
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
