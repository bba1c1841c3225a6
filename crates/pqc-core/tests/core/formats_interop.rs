//! docs/formats.md is enough: a script that was written from it, over an independent ML-DSA and
//! AES-GCM (PyPI `cryptography`, OpenSSL), opens what we make and makes what we open. Each side
//! refuses what the other altered.

use pqc_core::envelope::{self, Opener, Recipients};
use pqc_core::replay::{IdempotencyKey, Replay, RequestDigest, RequestHash, SealedAnswer};
use pqc_core::token::{TokenKind, TokenValue};
use pqc_core::{
    AccountId, Attestation, BoxKey, DecapsulationKey, EncapsulationKey, Error, Issuer,
    KemAlgorithm, MasterKey, MasterKeys, MessageBox, PassphraseParameters, RecordKind, RecordName,
    SealedRecord, Secret, SignatureAlgorithm, StreamKey, Timestamp, TrustedIssuers, UnverifiedKey,
    VerifiedEncapsulationKey, VerifyingKey,
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
        "envelopes": envelopes(),
        "records": records(),
        "passphrases": passphrases(),
        "answers": answers(),
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
        each("envelopes", read_envelope),
        each("records", read_record),
        each("passphrases", read_check),
        each("answers", read_answer),
    ];
    say(&format!(
        "formats: formats.py {} and we exchanged {counts:?} attestations, boxes, streams, envelopes, \
         records, passphrases, kept answers",
        answer["version"],
    ));
    assert_eq!(counts, [12, 3, 6, 6, 8, 2, 2]);
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

const PASSPHRASE: &[u8] = "Grüße, a longer sentence".as_bytes();

/// Python's `cryptography` has no ML-KEM-512: it is among the recipients, and is passed over.
const SERVED: [KemAlgorithm; 3] =
    [KemAlgorithm::MlKem768, KemAlgorithm::MlKem1024, KemAlgorithm::XWing];

/// For a key of each of these KEMs, for keys of all four, and for a passphrase.
fn envelopes() -> Vec<Value> {
    let all = KemAlgorithm::ALL.map(key_of);
    let all = all.each_ref().map(DecapsulationKey::encapsulation_key);
    let for_keys = |kem: KemAlgorithm, keys: &[&EncapsulationKey], text_bytes| {
        let mut envelope = sealed(&Recipients::Keys(keys), text_bytes);
        envelope["algorithm"] = kem.name().into();
        envelope["seed"] = hex::encode(seed_of(kem)).into();
        envelope
    };
    let mut envelopes: Vec<_> =
        SERVED.map(|kem| for_keys(kem, &[key_of(kem).encapsulation_key()], 70_000)).to_vec();
    envelopes.push(for_keys(KemAlgorithm::MlKem1024, &all, 0));
    envelopes.push(for_keys(KemAlgorithm::XWing, &all, 1000));
    let parameters = PassphraseParameters::generate(&mut Repeatable::new(9)).unwrap();
    let mut envelope = sealed(&Recipients::Passphrase(PASSPHRASE, parameters), 1000);
    envelope["passphrase"] = hex::encode(PASSPHRASE).into();
    envelopes.push(envelope);
    envelopes
}

fn sealed(recipients: &Recipients<'_>, text_bytes: usize) -> Value {
    let text = text(text_bytes);
    let envelope = envelope::seal(&text, recipients, DATA, &mut Repeatable::new(1)).unwrap();
    json!({
        "text": hex::encode(text),
        "data": hex::encode(DATA),
        "envelope": hex::encode(envelope),
    })
}

fn seed_of(kem: KemAlgorithm) -> Vec<u8> {
    vec![kem.name().len() as u8; kem.seed_bytes()]
}

fn key_of(kem: KemAlgorithm) -> DecapsulationKey {
    DecapsulationKey::from_seed_bytes(kem, &seed_of(kem)).unwrap()
}

fn read_envelope(ours: &Value, theirs: &Value) {
    let key = ours["algorithm"].as_str().map(|kem| key_of(kem.parse().unwrap()));
    let opener = key.as_ref().map_or(Opener::Passphrase(PASSPHRASE), Opener::Key);
    let sealed = bytes(theirs);
    let open = |sealed: &[u8], data| envelope::open(sealed, &opener, data);
    assert_eq!(open(&sealed, DATA).unwrap().expose_bytes(), part(ours, "text"));
    assert_eq!(open(&sealed, b"").unwrap_err(), Error::BoxAuthentication);
    for byte in [0, 8, 9, 30, 109, sealed.len() - 1] {
        assert!(open(&flipped(&sealed, byte * 8), DATA).is_err(), "{byte}");
    }
}

/// Check values of master keys.
fn passphrases() -> Vec<Value> {
    let cheapest = PassphraseParameters::new(19 << 10, 1, 1, [3; 16]).unwrap();
    [cheapest, PassphraseParameters::generate(&mut Repeatable::new(1)).unwrap()]
        .map(|parameters| {
            let master = MasterKey::from_passphrase(9, PASSPHRASE, &parameters).unwrap();
            let check = master.check_value(&mut Repeatable::new(1)).unwrap();
            json!({
                "passphrase": hex::encode(PASSPHRASE),
                "parameters": parameters.to_string(),
                "kind": RecordKind::CheckValue.name(),
                "algorithm": "",
                "account": hex::encode(AccountId::SERVER.as_bytes()),
                "record_id": "",
                "master_version": 9,
                "secret": hex::encode("pqc/v1/master-key-check"),
                "record": hex::encode(check.as_bytes()),
            })
        })
        .to_vec()
}

fn read_check(ours: &Value, theirs: &Value) {
    let parameters = ours["parameters"].as_str().unwrap().parse().unwrap();
    let master = |passphrase| MasterKey::from_passphrase(9, passphrase, &parameters).unwrap();
    let check = SealedRecord::from_bytes(bytes(theirs)).unwrap();
    assert!(master(PASSPHRASE).made(&check));
    assert!(!master(b"another long sentence").made(&check));
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

const KINDS: [RecordKind; 8] = [
    RecordKind::DecapsulationKey,
    RecordKind::SigningKey,
    RecordKind::AesKey,
    RecordKind::IssuerKey,
    RecordKind::CheckpointKey,
    RecordKind::CheckValue,
    RecordKind::MasterKey,
    RecordKind::Backup,
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

const REQUEST: [&[u8]; 3] = [b"POST /api/kem/generate_keys", b"algorithm=X-Wing", b""];

/// Of a token of each kind.
fn answers() -> Vec<Value> {
    let key = IdempotencyKey::parse("order-4711").unwrap();
    [TokenKind::Root, TokenKind::Temporary]
        .map(|kind| {
            let token = TokenValue::generate(kind, &mut Repeatable::new(1)).unwrap();
            let replay = Replay::of(&token, &key);
            let request = replay.request(&RequestDigest::of(&REQUEST));
            let kept = replay.seal(&request, b"an answer", &mut Repeatable::new(2)).unwrap();
            let [called, query, body] = REQUEST.map(hex::encode);
            json!({
                "token": hex::encode(token.expose_text().as_bytes()),
                "idempotency_key": hex::encode("order-4711"),
                "called": called,
                "query": query,
                "body": body,
                "id": hex::encode(replay.id().as_bytes()),
                "request": hex::encode(request.as_bytes()),
                "answer": hex::encode("an answer"),
                "kept": hex::encode(kept.as_bytes()),
            })
        })
        .to_vec()
}

fn read_answer(ours: &Value, theirs: &Value) {
    let token = String::from_utf8(part(ours, "token")).unwrap();
    let key = IdempotencyKey::parse("order-4711").unwrap();
    let replay = Replay::of(&TokenValue::parse(&token).unwrap(), &key);
    let request = RequestHash::from_bytes(part(ours, "request").try_into().unwrap());
    let open = |bytes| replay.open(&request, &SealedAnswer::from_bytes(bytes).unwrap());
    let theirs = bytes(theirs);
    assert_eq!(open(theirs.clone()).unwrap().expose_bytes(), part(ours, "answer"));
    assert_eq!(open(flipped(&theirs, theirs.len() * 8 - 1)).unwrap_err(), Error::SealBroken);
}

fn part(of: &Value, name: &str) -> Vec<u8> {
    bytes(&of[name])
}

fn bytes(text: &Value) -> Vec<u8> {
    hex::decode(text.as_str().unwrap()).unwrap()
}
