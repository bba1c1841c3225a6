//! Answers to NIST's ACVP prompts: what a validation server asks, and what this build computes.
//!
//! [`answer`] reads a prompt file and gives what its `expectedResults` file should say. Served are
//! ML-KEM `keyGen` and `encapDecap` (FIPS 203), ML-DSA `keyGen`, `sigGen` and `sigVer` (FIPS 204),
//! every parameter set and every interface of theirs, and AES-GCM (SP 800-38D) with IVs of 64 to
//! 128 bits and tags of every length. A case that cannot be answered says why in
//! its place, by a member `unanswered` that ACVP does not have; nothing is guessed for it.
//!
//! ACVP's keys are test keys, given and answered in the clear: they are no secrets here, and are
//! not wiped. The members' names are those of the ACVP specifications for ML-KEM, ML-DSA and symmetric
//! block ciphers.

mod aes_gcm;
mod document;
mod ml_dsa;
mod ml_kem;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use serde::{Serialize, Serializer};

use crate::error::Error;
use document::{Answer, Case, CaseAnswer, Group, GroupAnswers, Prompt};

/// Answers a prompt: one JSON object with its groups of cases, as in ACVP's `prompt.json`.
///
/// It takes as long as its cases do, of which a key generation is the shortest to ask for, and some
/// 100 times the prompt's memory at most. Answers of up to 16 MiB are given, ten times those of
/// NIST's greatest sample set; cases behind that are not answered.
///
/// ```
/// let prompt = br#"{
///     "vsId": 42, "algorithm": "ML-DSA", "mode": "sigVer", "revision": "FIPS204",
///     "testGroups": [{
///         "tgId": 1, "testType": "AFT", "parameterSet": "ML-DSA-44",
///         "signatureInterface": "external", "preHash": "pure",
///         "tests": [{ "tcId": 1, "pk": "00", "message": "", "context": "", "signature": "00" }]
///     }]
/// }"#;
/// let answers = pqc_core::acvp::answer(prompt)?;
/// assert_eq!(answers.report().cases_answered, 1);
/// let answers = serde_json::to_string(&answers).unwrap();
/// assert!(answers.ends_with(r#""testGroups":[{"tgId":1,"tests":[{"tcId":1,"testPassed":false}]}]}"#));
/// # Ok::<(), pqc_core::acvp::NotAPrompt>(())
/// ```
///
/// # Errors
/// [`NotAPrompt`]: it is not JSON, or lacks what even an answer of no answers would have to name.
pub fn answer(prompt: &[u8]) -> Result<Answers, NotAPrompt> {
    let prompt: Prompt = serde_json::from_slice(prompt).map_err(|error| NotAPrompt {
        what: if error.is_data() { "a member is missing or of another type" } else { "not JSON" },
        line: error.line(),
        column: error.column(),
    })?;
    let mode = mode_of(&prompt);
    let mut room = MOST_ANSWER_BYTES;
    let mut answer_case = |group: &Group, case: &Case| {
        let mode = mode.clone()?;
        match group.test_type.get("testType")?.as_str() {
            // Algorithm functional tests, and validation tests: both are answered case by case.
            "AFT" | "VAL" if room == 0 => Err(Reason::TooMuch),
            "AFT" | "VAL" => {
                mode(group, case).inspect(|answer| room = room.saturating_sub(answer.bytes()))
            }
            _ => Err(Reason::Unserved { member: "testType" }),
        }
    };
    let mut test_groups = Vec::with_capacity(prompt.test_groups.len());
    for group in &prompt.test_groups {
        let answers = group.tests.iter().map(|case| CaseAnswer {
            tc_id: case.tc_id,
            answer: answer_case(group, case)
                .unwrap_or_else(|reason| Answer::Unanswered { unanswered: reason }),
        });
        test_groups.push(GroupAnswers { tg_id: group.tg_id, tests: answers.collect() });
    }
    Ok(Answers {
        test_groups,
        vs_id: prompt.vs_id,
        algorithm: prompt.algorithm,
        mode: prompt.mode,
        revision: prompt.revision,
        is_sample: prompt.is_sample,
    })
}

/// The answers' bytes, before their encoding, after which a document has enough.
const MOST_ANSWER_BYTES: usize = 16 << 20;

/// How a mode answers a case of a group.
type Mode = fn(&Group, &Case) -> Result<Answer, Reason>;

fn mode_of(prompt: &Prompt) -> Result<Mode, Reason> {
    let (algorithm, mode) = (prompt.algorithm.as_str(), prompt.mode.as_deref());
    let (mode, revision): (Mode, _) = match (algorithm, mode) {
        ("ML-KEM", Some("keyGen")) => (ml_kem::key_gen, "FIPS203"),
        ("ML-KEM", Some("encapDecap")) => (ml_kem::encap_decap, "FIPS203"),
        ("ML-DSA", Some("keyGen")) => (ml_dsa::key_gen, "FIPS204"),
        ("ML-DSA", Some("sigGen")) => (ml_dsa::sig_gen, "FIPS204"),
        ("ML-DSA", Some("sigVer")) => (ml_dsa::sig_ver, "FIPS204"),
        ("ACVP-AES-GCM", None) => (aes_gcm::one_shot, "1.0"),
        ("ML-KEM" | "ML-DSA" | "ACVP-AES-GCM", _) => {
            return Err(Reason::Unserved { member: "mode" });
        }
        _ => return Err(Reason::Unserved { member: "algorithm" }),
    };
    if prompt.revision == revision {
        Ok(mode)
    } else {
        Err(Reason::Unserved { member: "revision" })
    }
}

/// The answers to a prompt. Serialized, they are ACVP's `expectedResults` document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answers {
    #[serde(skip_serializing_if = "Option::is_none")]
    vs_id: Option<u64>,
    algorithm: alloc::string::String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<alloc::string::String>,
    revision: alloc::string::String,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_sample: Option<bool>,
    test_groups: Vec<GroupAnswers>,
}

impl Answers {
    /// How much was answered, and what was not.
    ///
    /// ```
    /// use pqc_core::acvp::{Reason, answer};
    /// let prompt = br#"{
    ///     "algorithm": "ML-KEM", "mode": "keyGen", "revision": "FIPS203",
    ///     "testGroups": [{
    ///         "tgId": 1, "testType": "AFT", "parameterSet": "ML-KEM-640",
    ///         "tests": [{ "tcId": 7, "d": "00", "z": "00" }]
    ///     }]
    /// }"#;
    /// let report = answer(prompt)?.report();
    /// assert_eq!((report.cases, report.cases_answered, report.unanswered[0].case), (1, 0, 7));
    /// assert_eq!(report.unanswered[0].reason, Reason::Unserved { member: "parameterSet" });
    /// # Ok::<(), pqc_core::acvp::NotAPrompt>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = Report::default();
        for group in &self.test_groups {
            let unanswered_before = report.unanswered.len();
            for case in &group.tests {
                match &case.answer {
                    Answer::Unanswered { unanswered } => report.unanswered.push(Unanswered {
                        group: group.tg_id,
                        case: case.tc_id,
                        reason: unanswered.clone(),
                    }),
                    _ => report.cases_answered += 1,
                }
            }
            report.cases += group.tests.len();
            report.groups += 1;
            report.groups_answered += usize::from(report.unanswered.len() == unanswered_before);
        }
        report
    }
}

/// How much of a prompt was answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The prompt's groups.
    pub groups: usize,
    /// Those of them of which every case was answered.
    pub groups_answered: usize,
    /// The prompt's cases.
    pub cases: usize,
    /// Those of them that were answered.
    pub cases_answered: usize,
    /// The others, in the prompt's order.
    pub unanswered: Vec<Unanswered>,
}

/// A case that was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The group's `tgId`.
    pub group: u64,
    /// The case's `tcId`.
    pub case: u64,
    /// Why.
    pub reason: Reason,
}

/// Why a case was not answered. Members are named as ACVP names them; values are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// This algorithm, parameter set, hash function, size or way of use is not computed here.
    #[error("this {member} is not served")]
    Unserved {
        /// The member that says it.
        member: &'static str,
    },
    /// The case, or its group, lacks a member that it needs.
    #[error("{member} is missing")]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// The member is of another type or encoding.
    #[error("{member} must be {expected}")]
    Malformed {
        /// The member.
        member: &'static str,
        /// The form that would do.
        expected: &'static str,
    },
    /// The member has another length than its parameter set or group says.
    #[error("{member} must be {expected} bytes, not {actual}")]
    Length {
        /// The member.
        member: &'static str,
        /// The length in bytes that would do.
        expected: usize,
        /// The length in bytes that came.
        actual: usize,
    },
    /// The document's answers have grown too long: ask for the rest in another.
    #[error("there are too many answers for one document")]
    TooMuch,
    /// The standard's checks of the input refuse it, so that there is nothing to compute.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The document is no ACVP prompt: it cannot even be answered case by case.
///
/// ```
/// let refused = pqc_core::acvp::answer(b"[]").unwrap_err();
/// assert!(refused.to_string().starts_with("this is no ACVP prompt: "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no ACVP prompt: {what}, at line {line}, column {column}")]
pub struct NotAPrompt {
    what: &'static str,
    line: usize,
    column: usize,
}
