//! docs/formats.md is enough: a script that was written from it, over an independent ML-DSA and
//! AES-GCM (PyPI `cryptography`, OpenSSL), opens what we make and makes what we open. Each side
//! refuses what the other altered.

use pqc_core::{
    AccountId, Attestation, BoxKey, DecapsulationKey, Error, Issuer, KemAlgorithm, MasterKey,
    MasterKeys, MessageBox, RecordKind, RecordName, SealedRecord, Secret, SignatureAlgorithm,
    StreamKey, Timestamp, TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey, VerifyingKey,
};
use serde_json::{Value, json};

use crate::interop::PYTHON;
use crate::support::{Repeatable, flipped, say};

const KEY: [u8; 32] = [7; 32];
const DATA: &[u8] = b"associated data";
const ACCOUNT: AccountId = AccountId::from_bytes([0x11; 16]);
const ISSUED: u64 = 1_700_000_000;
const EXPIRES: u64 = 1_800_000_000;

#[test]
fn a_program_made_from_the_documented_formats_opens_ours_and_we_open_its() {
    let request = json!({
        "key": hex::encode(KEY),
        "master": hex::encode(KEY),
        "attestations": attestations(),
        "boxes": boxes(),
        "streams": streams(),
        "records": records(),
    });
    let Some(answer) = PYTHON.run("formats.py", &request) else { return };
    let each = |format: &str, read: fn(&Value, &Value)| {
        let (ours, theirs) = (request[format].as_array().unwrap(), answer[format].as_array());
        let theirs = theirs.unwrap();
        assert_eq!(ours.len(), theirs.len());
        ours.iter().zip(theirs).for_each(|(ours, theirs)| read(ours, theirs));
        ours.len()
    };
    let counts = [
        each("attestations", read_attestation),
        each("boxes", read_box),
        each("streams", read_stream),
        each("records", read_record),
    ];
    say(&format!(
        "formats: formats.py {} and we exchanged {counts:?} attestations, boxes, streams, records",
        answer["version"],
    ));
    assert_eq!(counts, [12, 3, 6, 5]);
}

/// Of every issuer for every KEM; with and without an end.
fn attestations() -> Vec<Value> {
    let mut rng = Repeatable::new(1);
    let mut attestations = Vec::new();
    for set in SignatureAlgorithm::ALL {
        let issuer = Issuer::generate(set, &mut rng).unwrap();
        for kem in KemAlgorithm::ALL {
            let key = DecapsulationKey::generate(kem, &mut rng).unwrap();
            let expires = if attestations.len() % 2 == 0 { EXPIRES } else { 0 };
            let until = (expires != 0).then(|| Timestamp::from_seconds(expires));
            let now = Timestamp::from_seconds(ISSUED);
            let public = key.encapsulation_key();
            let attestation = issuer.attest(ACCOUNT, public, now, until, &mut rng).unwrap();
            attestations.push(json!({
                "issuer_algorithm": set.name(),
                "issuer": hex::encode(issuer.verifying_key().as_bytes()),
                "algorithm": kem.name(),
                "key": hex::encode(public.as_bytes()),
                "account": hex::encode(ACCOUNT.as_bytes()),
                "issued_at": ISSUED,
                "expires_at": expires,
                "attestation": hex::encode(attestation.to_bytes()),
            }));
        }
    }
    attestations
}

fn read_attestation(ours: &Value, theirs: &Value) {
    let key = UnverifiedKey::from_bytes(&part(ours, "key")).unwrap();
    let issuer = VerifyingKey::from_bytes(&part(theirs, "issuer")).unwrap();
    let trusted = TrustedIssuers::new([issuer.clone()]);
    let verify = |attestation: &[u8], trusted: &TrustedIssuers, account, seconds| {
        let attestation = Attestation::from_bytes(attestation)?;
        let now = Timestamp::from_seconds(seconds);
        VerifiedEncapsulationKey::verify(&key, &attestation, &issuer, trusted, account, now)
            .map(|verified| verified.account())
    };
    let account = Some(ACCOUNT);
    let theirs_of = part(theirs, "attestation");
    assert_eq!(verify(&theirs_of, &trusted, account, ISSUED), Ok(ACCOUNT));
    let late = verify(&theirs_of, &trusted, account, EXPIRES);
    let ends = ours["expires_at"] != 0;
    assert_eq!(late, if ends { Err(Error::AttestationExpired) } else { Ok(ACCOUNT) });
    let nobody = TrustedIssuers::new([]);
    assert_eq!(verify(&theirs_of, &nobody, account, ISSUED), Err(Error::UntrustedIssuer));
    let other = verify(&theirs_of, &trusted, Some(AccountId::SERVER), ISSUED);
    assert_eq!(other, Err(Error::AttestationAccount));

    // The first and last bytes of account, times and signature.
    for byte in [1, 16, 17, 24, 25, 32, 33, theirs_of.len() - 1] {
        let altered = flipped(&theirs_of, byte * 8);
        let refused = verify(&altered, &trusted, account, ISSUED);
        assert_eq!(refused, Err(Error::AttestationSignature), "{byte}");
    }
    for altered in ["without_context", "without_name"] {
        let refused = verify(&part(theirs, altered), &trusted, account, ISSUED);
        assert_eq!(refused, Err(Error::AttestationSignature), "{altered}");
    }
    // Ours, by our issuer, does not pass as theirs.
    let refused = verify(&part(ours, "attestation"), &trusted, account, ISSUED);
    assert_eq!(refused, Err(Error::AttestationSignature));
}

fn boxes() -> Vec<Value> {
    let key = BoxKey::from_caller(&Secret::from(KEY));
    ["", "Grüße\0 🔑", &"x".repeat(1000)]
        .map(|text| {
            let sealed = key.seal(text.as_bytes(), DATA, &mut Repeatable::new(1)).unwrap();
            json!({
                "text": hex::encode(text),
                "data": hex::encode(DATA),
                "box": hex::encode(sealed.as_bytes()),
            })
        })
        .to_vec()
}

fn read_box(ours: &Value, theirs: &Value) {
    let key = BoxKey::from_caller(&Secret::from(KEY));
    let open = |bytes: Vec<u8>, data| key.open(&MessageBox::from_bytes(bytes)?, data);
    let theirs = bytes(theirs);
    assert_eq!(open(theirs.clone(), DATA).unwrap().expose_bytes(), part(ours, "text"));
    let altered = flipped(&theirs, theirs.len() * 8 - 1);
    assert_eq!(open(altered, DATA).unwrap_err(), Error::BoxAuthentication);
    assert_eq!(open(theirs, b"").unwrap_err(), Error::BoxAuthentication);
}

/// The text is 0, 1, …, 250, 0, …: it is not sent.
fn streams() -> Vec<Value> {
    let key = StreamKey::from_caller(&Secret::from(KEY));
    [0, 1, 65_535, 65_536, 65_537, 200_000]
        .map(|text_bytes| {
            let stream = key.seal(&text(text_bytes), DATA, &mut Repeatable::new(1)).unwrap();
            json!({
                "text_bytes": text_bytes,
                "data": hex::encode(DATA),
                "stream": hex::encode(stream),
            })
        })
        .to_vec()
}

fn read_stream(ours: &Value, theirs: &Value) {
    let key = StreamKey::from_caller(&Secret::from(KEY));
    let stream = bytes(theirs);
    let expected = text(ours["text_bytes"].as_u64().unwrap() as usize);
    assert!(key.open(&stream, DATA).unwrap().expose_bytes() == expected);
    for byte in [2, 18, 50, 82, stream.len() - 1] {
        assert!(key.open(&flipped(&stream, byte * 8), DATA).is_err(), "{byte}");
    }
    assert!(key.open(&stream, b"").is_err());
    assert!(key.open(&stream[..stream.len() - 1], DATA).is_err());
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

const KINDS: [RecordKind; 6] = [
    RecordKind::DecapsulationKey,
    RecordKind::SigningKey,
    RecordKind::AesKey,
    RecordKind::IssuerKey,
    RecordKind::CheckValue,
    RecordKind::MasterKey,
];

fn masters() -> MasterKeys {
    MasterKeys::new(MasterKey::new(9, Secret::from(KEY)))
}

fn records() -> Vec<Value> {
    KINDS
        .map(|kind| {
            let name = RecordName { account: ACCOUNT, kind, algorithm: "x", record_id: &[3; 32] };
            let sealed = masters().seal(&name, b"a secret", &mut Repeatable::new(1)).unwrap();
            json!({
                "kind": kind.name(),
                "algorithm": name.algorithm,
                "account": hex::encode(ACCOUNT.as_bytes()),
                "record_id": hex::encode(name.record_id),
                "master_version": 9,
                "secret": hex::encode(b"a secret"),
                "record": hex::encode(sealed.as_bytes()),
            })
        })
        .to_vec()
}

fn read_record(ours: &Value, theirs: &Value) {
    let kind = RecordKind::from_name(ours["kind"].as_str().unwrap()).unwrap();
    let name = RecordName { account: ACCOUNT, kind, algorithm: "x", record_id: &[3; 32] };
    let sealed = SealedRecord::from_bytes(bytes(theirs)).unwrap();
    assert_eq!(masters().open(&name, &sealed).unwrap().expose_bytes(), part(ours, "secret"));
    let other = RecordName { account: AccountId::SERVER, ..name };
    assert_eq!(masters().open(&other, &sealed).unwrap_err(), Error::SealBroken);
}

fn part(of: &Value, name: &str) -> Vec<u8> {
    bytes(&of[name])
}

fn bytes(text: &Value) -> Vec<u8> {
    hex::decode(text.as_str().unwrap()).unwrap()
}
