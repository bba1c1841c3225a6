use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::*;
use crate::kem::{DecapsulationKey, ParameterSet};
use crate::secret::Secret;
use crate::sign::{Context, SignatureAlgorithm, SigningKey};

fn prompt(algorithm: &str, mode: &str, revision: &str, group: Value, cases: Vec<Value>) -> Value {
    let mut group = group;
    group["tgId"] = json!(7);
    group["tests"] = cases
        .into_iter()
        .enumerate()
        .map(|(index, mut case)| {
            case["tcId"] = json!(index);
            case
        })
        .collect();
    json!({
        "vsId": 3, "algorithm": algorithm, "mode": mode, "revision": revision, "isSample": true,
        "testGroups": [group],
    })
}

/// The answers to the prompt's one group.
fn answers(prompt: &Value) -> Vec<Value> {
    let answers = answer(prompt.to_string().as_bytes()).unwrap();
    let (report, answers) = (answers.report(), serde_json::to_value(answers).unwrap());
    for member in ["vsId", "algorithm", "mode", "revision", "isSample"] {
        assert_eq!(answers[member], prompt[member], "{member}");
    }
    assert_eq!(answers["testGroups"][0]["tgId"], 7);
    let tests = answers["testGroups"][0]["tests"].as_array().unwrap().clone();
    let unanswered = tests.iter().filter(|test| test.get("unanswered").is_some()).count();
    assert_eq!(report.unanswered.len(), unanswered);
    assert_eq!((report.cases, report.cases_answered), (tests.len(), tests.len() - unanswered));
    assert_eq!((report.groups, report.groups_answered), (1, usize::from(unanswered == 0)));
    tests
}

/// Why the one case was not answered.
fn why(prompt: &Value) -> alloc::string::String {
    answers(prompt)[0]["unanswered"].as_str().unwrap_or("answered").into()
}

fn with(mut of: Value, member: &str, value: impl Into<Value>) -> Value {
    of[member] = value.into();
    of
}

fn without(mut of: Value, member: &str) -> Value {
    of.as_object_mut().unwrap().remove(member);
    of
}

fn signing() -> (Value, Value) {
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa44, Secret::from([7; 32]));
    let sk = hex::encode(key.expose_expanded().expose_bytes());
    let group = json!({
        "testType": "AFT", "parameterSet": "ML-DSA-44", "deterministic": true,
        "signatureInterface": "external", "preHash": "pure",
    });
    (group, json!({ "sk": sk, "message": "6D", "context": "" }))
}

#[test]
fn a_signature_is_the_core_s() {
    let (group, case) = signing();
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa44, Secret::from([7; 32]));
    let signature = key.sign_deterministic(b"m", Context::EMPTY).unwrap();
    let signature = hex::encode_upper(signature.as_bytes());
    let made = answers(&prompt("ML-DSA", "sigGen", "FIPS204", group, [case].into()));
    assert_eq!(made, [json!({ "tcId": 0, "signature": signature })]);
}

#[test]
fn what_is_not_served_is_said_for_each_case() {
    let (group, case) = signing();
    let why_of = |algorithm, mode, revision| {
        why(&prompt(algorithm, mode, revision, group.clone(), [case.clone()].into()))
    };
    assert_eq!(why_of("ML-DSA", "sigGen", "FIPS204"), "answered");
    let of = |member: &str| alloc::format!("this {member} is not served");
    assert_eq!(why_of("SLH-DSA", "sigGen", "FIPS204"), of("algorithm"));
    assert_eq!(why_of("ACVP-AES-GCM", "", "1.0"), of("mode"));
    assert_eq!(why_of("ML-DSA", "encapDecap", "FIPS204"), of("mode"));
    assert_eq!(why_of("ML-DSA", "sigGen", "FIPS203"), of("revision"));
    for (member, name) in [
        ("testType", "MCT"),
        ("parameterSet", "ML-DSA-45"),
        ("parameterSet", "ml-dsa-44"),
        ("signatureInterface", "both"),
        ("preHash", "none"),
    ] {
        let group = with(group.clone(), member, name);
        let why = why(&prompt("ML-DSA", "sigGen", "FIPS204", group, [case.clone()].into()));
        assert_eq!(why, of(member));
    }
}

#[test]
fn a_member_that_fails_fails_its_case_alone() {
    let (group, case) = signing();
    let cases = [
        case.clone(),
        without(case.clone(), "message"),
        with(case.clone(), "message", "6d0"),
        with(case.clone(), "message", 6),
        with(case.clone(), "message", Value::Null),
        with(case.clone(), "sk", "00"),
        with(case.clone(), "sk", "00".repeat(2560)),
        with(case.clone(), "context", "00".repeat(256)),
        case,
    ];
    let made = answers(&prompt("ML-DSA", "sigGen", "FIPS204", group, cases.into()));
    let malformed = "message must be whole bytes in hexadecimal";
    let expected = [
        "",
        "message is missing",
        malformed,
        malformed,
        malformed,
        "sk must be 2560 bytes, not 1",
        "the expanded signing key is not one that FIPS 204 key generation makes",
        "a context has at most 255 bytes, not 256",
        "",
    ];
    for (made, expected) in made.iter().zip(expected) {
        assert_eq!(made.get("unanswered").map_or("", |why| why.as_str().unwrap()), expected);
        assert_eq!(made.get("signature").is_some(), expected.is_empty());
    }
    assert_eq!(made[0]["signature"], made[8]["signature"]);
}

#[test]
fn a_member_that_the_group_needs_is_missed() {
    let (group, case) = signing();
    for member in ["testType", "parameterSet", "deterministic", "signatureInterface", "preHash"] {
        for (group, expected) in [
            (without(group.clone(), member), " is missing"),
            (with(group.clone(), member, 1), " must be "),
        ] {
            let why = why(&prompt("ML-DSA", "sigGen", "FIPS204", group, [case.clone()].into()));
            assert!(why.starts_with(&alloc::format!("{member}{expected}")), "{why}");
        }
    }
    // What the others need.
    let internal = with(group.clone(), "signatureInterface", "internal");
    let ways = [
        (with(group.clone(), "deterministic", false), "rnd is missing"),
        (with(group, "preHash", "preHash"), "hashAlg is missing"),
        (internal.clone(), "externalMu is missing"),
        (with(internal, "externalMu", true), "mu is missing"),
    ];
    for (group, expected) in ways {
        let prompt = prompt("ML-DSA", "sigGen", "FIPS204", group, [case.clone()].into());
        assert_eq!(why(&prompt), expected);
    }
}

#[test]
fn an_unknown_hash_function_is_not_replaced() {
    let (group, case) = signing();
    let group = with(group, "preHash", "preHash");
    let cases = ["SHA2-256", "SHA-256", "SHAKE-128", "SHA2-1024", ""];
    let cases = cases.map(|name| with(case.clone(), "hashAlg", name));
    let made = answers(&prompt("ML-DSA", "sigGen", "FIPS204", group, cases.into()));
    let made: Vec<_> = made.iter().map(|made| made.get("signature").is_some()).collect();
    assert_eq!(made, [true, false, true, false, false]);
}

#[test]
fn a_check_of_another_length_fails_and_an_operation_is_refused() {
    let key = DecapsulationKey::from_seed(ParameterSet::MlKem512, Secret::from([7; 64]));
    let ek = hex::encode(key.encapsulation_key().as_bytes());
    let dk = hex::encode(key.expose_expanded().unwrap().expose_bytes());
    let answers_by = |function: &str, cases: Vec<Value>| {
        let group =
            json!({ "testType": "VAL", "parameterSet": "ML-KEM-512", "function": function });
        answers(&prompt("ML-KEM", "encapDecap", "FIPS203", group, cases))
    };
    let passed = |made: &Value| made["testPassed"].as_bool().unwrap();

    let larger = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from([7; 64]));
    let larger = hex::encode(larger.encapsulation_key().as_bytes());
    let keys = [ek.clone(), larger, ek[2..].into(), "FF".repeat(800)];
    let keys = keys.map(|key| json!({ "ek": key, "m": "07".repeat(32) }));
    let made = answers_by("encapsulationKeyCheck", keys.clone().into());
    assert!(passed(&made[0]) && made[1..].iter().all(|made| !passed(made)));
    let made = answers_by("encapsulation", keys.into());
    assert!(made[0].get("k").is_some());
    assert_eq!(made[1]["unanswered"], "ek must be 800 bytes, not 1184");
    assert_eq!(made[2]["unanswered"], "ek must be 800 bytes, not 799");
    assert_eq!(made[3]["unanswered"], Error::EncapsulationKeyModulus.to_string());

    let wrong_hash = alloc::format!("{}00{}", &dk[..800 * 2], &dk[801 * 2..]);
    let keys = [dk.clone(), dk[2..].into(), wrong_hash, unreduced(&dk)];
    let keys = keys.map(|key| json!({ "dk": key, "c": "07".repeat(768) }));
    let made = answers_by("decapsulationKeyCheck", keys.clone().into());
    assert_eq!(made.iter().map(passed).collect::<Vec<_>>(), [true, false, false, true]);
    let made = answers_by("decapsulation", keys.into());
    assert!(made[0].get("k").is_some());
    assert_eq!(made[1]["unanswered"], "dk must be 1632 bytes, not 1631");
    assert_eq!(made[2]["unanswered"], Error::DecapsulationKeyHash.to_string());
    assert_eq!(made[3]["unanswered"], Error::EncapsulationKeyModulus.to_string());
    let made = answers_by("decapsulation", [json!({ "dk": dk, "c": "07" })].into());
    assert_eq!(made[0]["unanswered"], "c must be 768 bytes, not 1");
}

/// The key with an encapsulation key of coefficients above q in it, and the hash of that.
fn unreduced(dk: &str) -> alloc::string::String {
    use sha3::{Digest, Sha3_256};
    let mut key = hex::decode(dk).unwrap();
    key[768..1568].fill(0xff);
    let hash = Sha3_256::digest(&key[768..1568]);
    key[1568..1600].copy_from_slice(&hash);
    hex::encode(key)
}

#[test]
fn a_signature_of_another_length_does_not_verify() {
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa44, Secret::from([7; 32]));
    let signature = key.sign_deterministic(b"m", Context::EMPTY).unwrap();
    let (pk, signature) =
        (hex::encode(key.verifying_key().as_bytes()), hex::encode(signature.as_bytes()));
    let (group, _) = signing();
    let right = json!({ "pk": pk, "message": "6d", "context": "", "signature": signature });
    let cases = [
        right.clone(),
        with(right.clone(), "signature", &signature[2..]),
        with(right.clone(), "pk", &pk[2..]),
        with(right, "message", "6e"),
    ];
    let made = answers(&prompt("ML-DSA", "sigVer", "FIPS204", group, cases.into()));
    let made: Vec<_> = made.iter().map(|made| made["testPassed"].as_bool().unwrap()).collect();
    assert_eq!(made, [true, false, false, false]);

    // By an external mu too, for which the key is decoded apart.
    let group = json!({
        "testType": "AFT", "parameterSet": "ML-DSA-44",
        "signatureInterface": "internal", "externalMu": true,
    });
    let mu = hex::encode(key.verifying_key().mu(b"m", Context::EMPTY).to_bytes());
    let cases = [&pk, &pk[2..]].map(|pk| json!({ "pk": pk, "mu": mu, "signature": signature }));
    let made = answers(&prompt("ML-DSA", "sigVer", "FIPS204", group, cases.into()));
    let made: Vec<_> = made.iter().map(|made| made["testPassed"].as_bool()).collect();
    assert_eq!(made, [Some(true), Some(false)]);
}

#[test]
fn what_is_no_prompt_is_told_where() {
    let (group, case) = signing();
    let prompt = prompt("ML-DSA", "sigGen", "FIPS204", group, [case].into());
    let refused = |text: &str| answer(text.as_bytes()).unwrap_err();
    assert_eq!((refused("").what, refused("").line), ("not JSON", 1));
    assert_eq!(refused("{\"vsId\": 1,\n x").line, 2);
    assert_eq!(refused(&"[".repeat(100_000)).what, "a member is missing or of another type");
    let mut unnamed = prompt.clone();
    unnamed["testGroups"][0]["tests"][0].as_object_mut().unwrap().remove("tcId");
    for text in ["[]".into(), "{}".into(), unnamed, without(prompt.clone(), "algorithm")] {
        let _: NotAPrompt = match text {
            Value::String(text) => refused(&text),
            document => refused(&document.to_string()),
        };
    }
    // A member that stands twice has no one meaning.
    let twice = prompt.to_string().replace("\"message\":", "\"message\":\"00\",\"message\":");
    assert_eq!(refused(&twice).what, "a member is missing or of another type");
    let nested = with(prompt, "extra", 1).to_string();
    let nested = nested.replace("\"extra\":1", &alloc::format!("\"extra\":{}", "[".repeat(1000)));
    assert_eq!(refused(&nested).what, "not JSON");
}

#[test]
fn aes_gcm_answers_the_sizes_that_its_group_names() {
    let group = json!({
        "testType": "AFT", "direction": "encrypt", "ivGen": "external", "keyLen": 128,
        "ivLen": 96, "payloadLen": 128, "aadLen": 0, "tagLen": 128,
    });
    // Test case 2 of the paper that defines GCM (McGrew and Viega, Appendix B).
    let case =
        json!({ "key": "00".repeat(16), "iv": "00".repeat(12), "aad": "", "pt": "00".repeat(16) });
    let ct = "0388DACE60B6A392F328C2B971B2FE78";
    let tag = "AB6E47D42CEC13BDF53A67B21257BDDF";
    let asked = |group: &Value, case: &Value| {
        let mut prompt = prompt("ACVP-AES-GCM", "", "1.0", group.clone(), [case.clone()].into());
        prompt.as_object_mut().unwrap().remove("mode");
        answers(&prompt).remove(0)
    };
    let opening = with(group.clone(), "direction", "decrypt");
    for bits in [32, 64, 96, 104, 112, 120, 128] {
        let head = &tag[..bits / 4];
        let group = with(group.clone(), "tagLen", bits);
        assert_eq!(asked(&group, &case), json!({ "tcId": 0, "ct": ct, "tag": head }));
        let opening = with(opening.clone(), "tagLen", bits);
        let sealed = with(with(case.clone(), "ct", ct), "tag", head);
        assert_eq!(asked(&opening, &sealed), json!({ "tcId": 0, "pt": "00".repeat(16) }));
        let altered = with(sealed, "tag", head.replace("AB", "AA"));
        assert_eq!(asked(&opening, &altered), json!({ "tcId": 0, "testPassed": false }));
    }
    let unanswered = |member: &str, value: Value| {
        asked(&with(group.clone(), member, value), &case)["unanswered"].clone()
    };
    for (member, value) in [
        ("tagLen", json!(16)),
        ("tagLen", json!(97)),
        ("ivLen", json!(97)),
        ("ivLen", json!(u64::MAX)),
        ("ivGen", json!("internal")),
        ("direction", json!("both")),
    ] {
        let expected = alloc::format!("this {member} is not served");
        assert_eq!(unanswered(member, value), expected);
    }
    assert_eq!(unanswered("keyLen", json!(256)), "key must be 32 bytes, not 16");
    assert_eq!(unanswered("payloadLen", json!(0)), "pt must be 0 bytes, not 16");
    assert_eq!(unanswered("aadLen", json!("0")), "aadLen must be a whole number");
    let odd = with(with(group.clone(), "keyLen", 64), "ivLen", 96);
    let odd = asked(&odd, &with(case.clone(), "key", "00".repeat(8)));
    assert_eq!(odd["unanswered"], "this keyLen is not served");
}

#[test]
fn a_prompt_gets_no_more_than_some_answers() {
    let group = json!({ "testType": "AFT", "parameterSet": "ML-DSA-87" });
    let case = json!({ "seed": "00".repeat(32) });
    let each = 2592 + 4896;
    let enough = (16_usize << 20).div_ceil(each);
    let cases = alloc::vec![case; enough + 3];
    let made = answers(&prompt("ML-DSA", "keyGen", "FIPS204", group, cases));
    assert!(made[..enough].iter().all(|answer| answer["pk"].is_string()));
    for answer in &made[enough..] {
        assert_eq!(answer["unanswered"], "there are too many answers for one document");
    }
}
