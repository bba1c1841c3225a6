//! A text is an ACVP prompt, each case of which is answered or said not to be, or none.

use pqc_core::acvp::{Answers, answer};
use serde_json::{Map, Value, json};

use crate::decode;

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    // A prompt asks for work in proportion to its cases, which may be short.
    if let Some(text) = bytes.get(..bytes.len().min(1 << 16)) {
        check(text);
    }
    if let Some(input) = decode(bytes) {
        let prompt = prompt(input);
        check(prompt.to_string().as_bytes());
    }
}

fn check(text: &[u8]) {
    let Ok(answers) = answer(text) else { return };
    // What the answer skips, such as a number out of range, may be no JSON.
    let Ok(prompt) = serde_json::from_slice::<Value>(text) else { return };
    let document = serde_json::to_value(&answers).unwrap();
    let (asked, answered) = (cases(&prompt), cases(&document));
    let ids = |cases: &[&Value]| cases.iter().map(|case| case["tcId"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&asked), ids(&answered));
    counts_agree(&answers, &answered);
}

fn counts_agree(answers: &Answers, answered: &[&Value]) {
    let report = answers.report();
    let unanswered = answered.iter().filter(|case| case.get("unanswered").is_some()).count();
    assert_eq!(report.cases, answered.len());
    assert_eq!(report.unanswered.len(), unanswered);
    assert_eq!(report.cases_answered + unanswered, report.cases);
}

fn cases(document: &Value) -> Vec<&Value> {
    let groups = document["testGroups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["tests"].as_array().unwrap()).collect()
}

/// A word or a list of bytes for each member that is given.
type Input<'a> = (u8, [u8; 8], Vec<(u8, &'a [u8])>);

/// A prompt of one group with one case, so that the modes themselves are reached: names that are
/// served, of which some do not fit, and members that are about right.
fn prompt((mode, choices, members): Input<'_>) -> Value {
    let [set, function, interface, hash, flags, key_len, iv_len, tag_len] = choices;
    let pick = |names: &[&str], choice: u8| json!(names[usize::from(choice) % names.len()]);
    let (algorithm, name, revision) = [
        ("ML-KEM", "keyGen", "FIPS203"),
        ("ML-KEM", "encapDecap", "FIPS203"),
        ("ML-DSA", "keyGen", "FIPS204"),
        ("ML-DSA", "sigGen", "FIPS204"),
        ("ML-DSA", "sigVer", "FIPS204"),
        ("ACVP-AES-GCM", "", "1.0"),
    ][usize::from(mode % 6)];
    let mut case = Map::from_iter([("tcId".to_owned(), json!(1))]);
    case.insert("hashAlg".to_owned(), pick(&["SHA2-256", "SHAKE-128", "SHA3-512", "none"], hash));
    let (mut payload, mut aad) = (0, 0);
    // A member may be far longer than its share of the input: more of them say nothing new.
    for (which, bytes) in members.into_iter().take(2 * MEMBERS.len()) {
        let (member, sizes) = MEMBERS[usize::from(which) % MEMBERS.len()];
        // The sizes of the parameter sets, or what came.
        let size = sizes.get(usize::from(set % 4)).copied().unwrap_or(bytes.len());
        let mut bytes = bytes.to_vec();
        bytes.resize(size, set);
        match member {
            "pt" | "ct" => payload = bytes.len() * 8,
            "aad" => aad = bytes.len() * 8,
            _ => {}
        }
        case.insert(member.to_owned(), json!(hex(&bytes)));
    }
    let functions =
        ["encapsulation", "decapsulation", "encapsulationKeyCheck", "decapsulationKeyCheck"];
    let group = json!({
        "tgId": 1, "testType": "AFT",
        "parameterSet": pick(
            if algorithm == "ML-KEM" {
                &["ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"]
            } else {
                &["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]
            },
            set % 4,
        ),
        "function": pick(&functions, function),
        "signatureInterface": pick(&["external", "internal"], interface),
        "preHash": pick(&["pure", "preHash"], interface / 2),
        "externalMu": flags & 1 == 1, "deterministic": flags & 2 == 2,
        "direction": pick(&["encrypt", "decrypt"], function), "ivGen": "external",
        "keyLen": u32::from(key_len % 5) * 64, "ivLen": u32::from(iv_len % 18) * 8,
        "payloadLen": payload, "aadLen": aad, "tagLen": u32::from(tag_len % 18) * 8,
        "tests": [case],
    });
    let mut prompt = json!({ "algorithm": algorithm, "mode": name, "revision": revision, "testGroups": [group] });
    if name.is_empty() {
        prompt.as_object_mut().unwrap().remove("mode");
    }
    prompt
}

/// Members that a case may have, with their bytes in each parameter set, where it says them.
const MEMBERS: [(&str, &[usize]); 20] = [
    ("d", &[32, 32, 32]),
    ("z", &[32, 32, 32]),
    ("m", &[32, 32, 32]),
    ("ek", &[800, 1184, 1568]),
    ("dk", &[1632, 2400, 3168]),
    ("c", &[768, 1088, 1568]),
    ("seed", &[32, 32, 32]),
    ("pk", &[1312, 1952, 2592]),
    ("sk", &[2560, 4032, 4896]),
    ("signature", &[2420, 3309, 4627]),
    ("rnd", &[32, 32, 32]),
    ("mu", &[64, 64, 64]),
    ("message", &[]),
    ("context", &[]),
    ("key", &[16, 24, 32]),
    ("iv", &[]),
    ("aad", &[]),
    ("pt", &[]),
    ("ct", &[]),
    ("tag", &[]),
];

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
