//! `pqc acvp`: NIST's prompts, answered on stdout.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use pqc_core::kem::ParameterSet;
use pqc_core::{Context, DecapsulationKey, Secret, SignatureAlgorithm, SigningKey};
use serde_json::{Value, json};

use crate::support::{Run, pqc, run};

fn acvp(file: &str, stdin: &[u8]) -> Run {
    run(pqc().args(["acvp", file]), stdin)
}

fn prompt(algorithm: &str, mode: &str, revision: &str, groups: &Value) -> Value {
    json!({
        "vsId": 7, "algorithm": algorithm, "mode": mode, "revision": revision, "isSample": true,
        "testGroups": groups,
    })
}

#[test]
fn a_prompt_is_answered_from_a_file_and_from_stdin() {
    let groups = json!([{
        "tgId": 1, "testType": "AFT", "parameterSet": "ML-KEM-768",
        "tests": [{ "tcId": 5, "d": "07".repeat(32), "z": "08".repeat(32) }],
    }]);
    let prompt = prompt("ML-KEM", "keyGen", "FIPS203", &groups);
    let seed: [u8; 64] = [[7; 32], [8; 32]].concat().try_into().unwrap();
    let key = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from(seed));
    let test = json!({
        "tcId": 5,
        "ek": hex::encode_upper(key.encapsulation_key().as_bytes()),
        "dk": hex::encode_upper(key.expose_expanded().unwrap().expose_bytes()),
    });
    let expected = json!({
        "vsId": 7, "algorithm": "ML-KEM", "mode": "keyGen", "revision": "FIPS203", "isSample": true,
        "testGroups": [{ "tgId": 1, "tests": [test] }],
    });

    let piped = acvp("-", prompt.to_string().as_bytes()).ended(0);
    assert_eq!(serde_json::from_str::<Value>(&piped.stdout).unwrap(), expected);
    assert!(piped.stdout.lines().count() > 5, "for people it is indented");
    assert_eq!(piped.stderr, "answered 1 of 1 cases, 1 of 1 groups in full\n");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompt.json");
    fs::write(&file, prompt.to_string()).unwrap();
    let read = acvp(file.to_str().unwrap(), b"").ended(0);
    assert_eq!(read.stdout, piped.stdout);
    let line = run(pqc().args(["acvp", "--json", "-"]), prompt.to_string().as_bytes()).json();
    assert_eq!(line, expected);
}

#[test]
fn what_is_not_answered_is_said_and_ends_with_1() {
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa44, Secret::from([7; 32]));
    let sk = hex::encode(key.expose_expanded().expose_bytes());
    let case = |id: u64, context: &str| json!({ "tcId": id, "sk": sk, "message": "6D", "context": context });
    let group = |id: u64, set: &str| {
        json!({
            "tgId": id, "testType": "AFT", "parameterSet": set, "deterministic": true,
            "signatureInterface": "external", "preHash": "pure",
            "tests": [case(10 * id, ""), case(10 * id + 1, "not hex")],
        })
    };
    let groups = json!([group(1, "ML-DSA-44"), group(2, "ML-DSA-45")]);
    let run = acvp("-", prompt("ML-DSA", "sigGen", "FIPS204", &groups).to_string().as_bytes());
    let run = run.ended(1);
    let answers: Value = serde_json::from_str(&run.stdout).unwrap();
    let signature = key.sign_deterministic(b"m", Context::EMPTY).unwrap();
    let unserved = "this parameterSet is not served";
    let expected = json!([
        { "tgId": 1, "tests": [
            { "tcId": 10, "signature": hex::encode_upper(signature.as_bytes()) },
            { "tcId": 11, "unanswered": "context must be whole bytes in hexadecimal" },
        ]},
        { "tgId": 2, "tests": [
            { "tcId": 20, "unanswered": unserved },
            { "tcId": 21, "unanswered": unserved },
        ]},
    ]);
    assert_eq!(answers["testGroups"], expected);
    let told = "pqc: answered 1 of 4 cases, 0 of 2 groups in full; the first without an answer is \
                tgId 1, tcId 11: context must be whole bytes in hexadecimal\n";
    assert_eq!(run.stderr, told);
}

#[test]
fn bad_input_ends_with_2_and_without_answers() {
    acvp("-", b"").refused(2, "stdin: this is no ACVP prompt: not JSON");
    acvp("-", b"[]").refused(2, "a member is missing or of another type");
    acvp("-", b"{\"algorithm\": \"ML-KEM\"}").refused(2, "line 1");
    acvp("/nowhere/at/all", b"").refused(2, "/nowhere/at/all");
    run(pqc().arg("acvp"), b"").refused(2, "PROMPT");
}

#[test]
fn a_prompt_has_at_most_16_mib_and_a_case() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompt.json");
    let start = prompt("ML-KEM", "keyGen", "FIPS203", &json!([])).to_string().into_bytes();
    for (length, code, why) in
        [(16 << 20, 1, "the prompt has no cases"), ((16 << 20) + 1, 2, "prompt.json")]
    {
        let mut text = start.clone();
        text.resize(length, b' ');
        fs::write(&file, text).unwrap();
        let run = acvp(file.to_str().unwrap(), b"").ended(code);
        assert!(run.stderr.contains(why), "{run:?}");
    }
}

#[test]
fn the_official_prompts_are_answered_as_nist_answers_them() {
    let Some(folder) = official() else {
        eprintln!("\nSKIPPED: no ACVP vectors here; set PQC_ACVP_VECTORS to their folder\n");
        let allowed = std::env::var_os("PQC_ACVP_VECTORS").is_some_and(|folder| folder == "none");
        assert!(allowed || std::env::var_os("CI").is_none(), "CI needs them, or is told otherwise");
        return;
    };
    for (set, cases) in [
        ("ML-KEM-keyGen-FIPS203", 75),
        ("ML-KEM-encapDecap-FIPS203", 165),
        ("ML-DSA-keyGen-FIPS204", 75),
        ("ML-DSA-sigGen-FIPS204", 360),
        ("ML-DSA-sigVer-FIPS204", 180),
        ("ACVP-AES-GCM-1.0", 60),
    ] {
        let run = acvp("-", &read(&folder.join(set).join("prompt.json.gz"))).ended(0);
        assert!(run.stderr.starts_with(&format!("answered {cases} of {cases} cases")), "{run:?}");
        let answers: Value = serde_json::from_str(&run.stdout).unwrap();
        let expected = read(&folder.join(set).join("expectedResults.json.gz"));
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        assert!(answers == expected, "{set} is answered otherwise");
        eprintln!("ACVP {set}: {cases} answers are NIST's");
    }
}

fn official() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("PQC_ACVP_VECTORS") {
        return (folder != "none").then(|| folder.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let folder = root.join("../shared/vectors/acvp");
    folder.is_dir().then_some(folder)
}

fn read(path: &Path) -> Vec<u8> {
    let file = fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}
