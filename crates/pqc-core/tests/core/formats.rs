//! Frozen vectors of every stored and wire format of ours (`docs/formats.md`). A change that breaks
//! one breaks somebody's stored data or another version's client.
//!
//! The values were computed apart from this crate: kyber-py, dilithium-py, and HKDF and XAES-256-GCM
//! written over OpenSSL's AES; for streams, HKDF and AES-GCM of PyPI's `cryptography`, whose X25519
//! stands in X-Wing; for envelopes, all of these and argon2-cffi. Randomness is 00, 01, 02, … in the order in which it is drawn.

use pqc_core::envelope::{self, Opener, Recipients};
use pqc_core::kem::ParameterSet;
use pqc_core::keyfile::Jwk;
use pqc_core::message::AccountKey;
use pqc_core::replay::{IdempotencyKey, Replay, RequestDigest, SealedAnswer};
use pqc_core::token::{OperationSet, TokenKind, TokenValue};
use pqc_core::{
    AccountId, Attestation, BoxKey, DecapsulationKey, Issuer, KemAlgorithm, MasterKey, MasterKeys,
    MessageBox, SealedRecord, Secret, SignatureAlgorithm, SigningKey, StreamHeader, StreamKey,
    Timestamp, TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey,
};
use sha2::{Digest, Sha256};

use crate::support::Counting;

const TEXT: &str = "Grüße\0 🔑";
const ACCOUNT: AccountId = AccountId::from_bytes([0x11; 16]);

#[test]
fn a_box_of_a_callers_key() {
    const FROZEN: &str = "010100000000000000000000000000000000000102030405060708090a0b0c0d0e0f1011\
        121314151617935ed9fd91967e7f69cccea7dbc42b439e9ba34046d8ccfbf1b4bc16d0";
    let key = BoxKey::from_caller(&Secret::from(counting()));
    let sealed = key.seal(TEXT.as_bytes(), b"aad", &mut Counting::from_zero()).unwrap();
    assert_eq!(hex::encode(sealed.as_bytes()), FROZEN);

    let frozen = MessageBox::from_bytes(hex::decode(FROZEN).unwrap()).unwrap();
    assert_eq!(frozen.key_id(), None);
    assert_eq!(key.open(&frozen, b"aad").unwrap().expose_bytes(), TEXT.as_bytes());
}

#[test]
fn a_box_of_an_accounts_key() {
    const FROZEN: &str = "0101000102030405060708090a0b0c0d0e0f303132333435363738393a3b3c3d3e3f4041\
        424344454647838ece453dcc2a37d72f1857fc90665657842aa2667ddaedd149385669";
    let mut rng = Counting::from_zero();
    let key = AccountKey::generate(&mut rng).unwrap();
    let sealed = key.box_key().seal(TEXT.as_bytes(), b"aad", &mut rng).unwrap();
    assert_eq!(hex::encode(sealed.as_bytes()), FROZEN);

    let frozen = MessageBox::from_bytes(hex::decode(FROZEN).unwrap()).unwrap();
    assert_eq!(frozen.key_id(), Some(counting()));
    assert_eq!(key.box_key().open(&frozen, b"aad").unwrap().expose_bytes(), TEXT.as_bytes());
}

#[test]
fn a_stream_of_a_callers_key() {
    const EMPTY: &str = "010200000000000000000000000000000000000102030405060708090a0b0c0d0e0f101112\
        131415161718191a1b1c1d1e1fcc13bb3782296db09ddba22c43e236ff8a2639d1a25898256dd0f009f109bf20\
        84b2803deda372be1380d0f9fe444b9c";
    const FROZEN: &str = "010200000000000000000000000000000000000102030405060708090a0b0c0d0e0f1011\
        12131415161718191a1b1c1d1e1f87a776b04f894152c3d8bef09bd9c698f8f5ecf4b46f32f6486562802b2e8d\
        be89e927ea50d07bd511e69da19c2f39ff2090f1196fd9e038a36902afd9";
    let key = StreamKey::from_caller(&Secret::from(counting()));
    for (text, data, frozen) in [("", "", EMPTY), (TEXT, "aad", FROZEN)] {
        let (text, data) = (text.as_bytes(), data.as_bytes());
        let stream = key.seal(text, data, &mut Counting::from_zero()).unwrap();
        assert_eq!(hex::encode(stream), frozen);
        let opened = key.open(&hex::decode(frozen).unwrap(), data).unwrap();
        assert_eq!(opened.expose_bytes(), text);
    }
}

/// Where chunks end: the text is 0, 1, …, 250, 0, …; of the stream, its length and SHA-256.
#[test]
fn streams_of_several_chunks() {
    let frozen = [
        (65_535, 65_633, "ac357dfcf32eb2aafed9a8cdd7e54043a6ac9b5b5368a018b3f6fbfb6c7267c4"),
        (65_536, 65_634, "c0acbbcd39a2d37051302aaa3e6c11156f5ec8664b53d29a7ae602ddc546b4ea"),
        (65_537, 65_651, "2588877b4552b09ad7a946a8f5444e10fc5245be0899936ccd09364f93cbc1e0"),
        (131_072, 131_186, "e2e6cdc75463725e87b573f89a92d7b86e9867cf1502843ba8cd68e3bbdcdb1f"),
        (200_000, 200_146, "8ef778f2ace7e5e0374f42c1290e3b61a11e537c049b547af0b24c0584907982"),
    ];
    let key = StreamKey::from_caller(&Secret::from(counting()));
    for (text_bytes, stream_bytes, sha_256) in frozen {
        let text: Vec<u8> = (0..text_bytes).map(|i| (i % 251) as u8).collect();
        let stream = key.seal(&text, b"aad", &mut Counting::from_zero()).unwrap();
        assert_eq!(stream.len(), stream_bytes);
        assert_eq!(hex::encode(Sha256::digest(&stream)), sha_256);
        assert!(key.open(&stream, b"aad").unwrap().expose_bytes() == text);
    }
}

#[test]
fn a_stream_of_an_accounts_key() {
    const FROZEN: &str = "0102000102030405060708090a0b0c0d0e0f303132333435363738393a3b3c3d3e3f4041\
        42434445464748494a4b4c4d4e4f0d9011a3ed822bce510f56007539b37b89cfa43c602415d185ef20da278e68\
        1643b9514e9d70ab9ba0456fbbd36e1cb0f2ad3d853fdf802b79dc816a98";
    let mut rng = Counting::from_zero();
    let key = AccountKey::generate(&mut rng).unwrap().stream_key();
    let stream = key.seal(TEXT.as_bytes(), b"aad", &mut rng).unwrap();
    assert_eq!(hex::encode(stream), FROZEN);

    let frozen = hex::decode(FROZEN).unwrap();
    let (header, _) = StreamHeader::split_from(&frozen).unwrap();
    assert_eq!(header.key_id(), Some(counting()));
    assert_eq!(key.open(&frozen, b"aad").unwrap().expose_bytes(), TEXT.as_bytes());
}

/// Of each, its length and SHA-256; the recipients' keys are those of the seeds 00, 01, ….
#[test]
fn envelopes_for_keys() {
    let keys = KemAlgorithm::ALL.map(|kem| {
        let seed: [u8; 64] = counting();
        DecapsulationKey::from_seed_bytes(kem, &seed[..kem.seed_bytes()]).unwrap()
    });
    let frozen = [
        (0..1, 993, "6517d6e59df8d270c11b564bb4ddf72459b5344877230d04b7e0281b74140f47"),
        (1..2, 1313, "643a0c082af163e05edf55818fc447f07124832036c1ed22b012eb2237d9fcb0"),
        (2..3, 1793, "96ac1648f2fbb14f63a9f223d54a12af0f77c0889b9b8799650586eaef43e063"),
        (3..4, 1345, "177f605d83456b199d42d8a256bb4f56f655e40d8d01ffa28fdc067cf38b4192"),
        (0..4, 5084, "c065f9075dbfa41469f372fb5bba0d5696d790931a7fe04d5a3cb5040933e686"),
    ];
    for (named, bytes, sha_256) in frozen {
        let keys = &keys[named];
        let public: Vec<_> = keys.iter().map(DecapsulationKey::encapsulation_key).collect();
        let recipients = Recipients::Keys(&public);
        let rng = &mut Counting::from_zero();
        let envelope = envelope::seal(TEXT.as_bytes(), &recipients, b"aad", rng).unwrap();
        assert_eq!(envelope.len(), bytes);
        assert_eq!(hex::encode(Sha256::digest(&envelope)), sha_256);
        for key in keys {
            let opened = envelope::open(&envelope, &Opener::Key(key), b"aad").unwrap();
            assert_eq!(opened.expose_bytes(), TEXT.as_bytes());
        }
    }
}

#[test]
fn an_envelope_for_a_passphrase() {
    const FROZEN: &str = "7071632d656e76010110000100000000000300000004000102030405060708090a0b0c0d0e0f\
        202122232425262728292a2b2c2d2e2f3031323334353637bdb04b047143719901fde3bcf61a6dbccfa8ef717d\
        9aba7fc0e0c78262669131a601a87604fdc05f842a830f1679b9d0010200000000000000000000000000000000\
        38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f50515253545556570ec0a7fb4ed8f51441d701f11d\
        978a2898f6120784a4c0466582c827113ebaf42f4fc3af98930b41136b11bc9eb332d130fdb8a73f144f6112d3\
        93a14e";
    const PASSPHRASE: &[u8] = b"correct horse battery staple";
    let parameters = "$argon2id$v=19$m=65536,t=3,p=4$AAECAwQFBgcICQoLDA0ODw";
    let recipients = Recipients::Passphrase(PASSPHRASE, parameters.parse().unwrap());
    let rng = &mut Counting::from_zero();
    let envelope = envelope::seal(TEXT.as_bytes(), &recipients, b"aad", rng).unwrap();
    assert_eq!(hex::encode(&envelope), FROZEN);
    let opened = envelope::open(&envelope, &Opener::Passphrase(PASSPHRASE), b"aad").unwrap();
    assert_eq!(opened.expose_bytes(), TEXT.as_bytes());
}

/// Of each, its length and SHA-256; the recipient's key and the signer's are those of the seeds 00, 01, ….
#[cfg(feature = "std")]
#[test]
fn signed_envelopes() {
    use std::io::{Read, Write};

    let frozen = [
        (3734, "e8b0f9894798f51dee2805b3ae96f499fd46c53a740a6e7deddfceb1b60d1ea2"),
        (4623, "6a7b952e48109c2d281e0c2b90672eb14121b13ba7822915d09b7eb82307766a"),
        (5941, "7d08132a6fe416c9b71a8d4c53fc1cb6d0dd2604b6e1a9f6a83817074b913652"),
    ];
    let receiver = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from(counting()));
    let recipients = Recipients::Keys(&[receiver.encapsulation_key()]);
    for (set, (bytes, sha_256)) in SignatureAlgorithm::ALL.into_iter().zip(frozen) {
        let signer = SigningKey::from_seed(set, Secret::from(counting()));
        let rng = &mut Counting::from_zero();
        let mut writer =
            envelope::signing_writer(Vec::new(), &recipients, &signer, b"aad", rng).unwrap();
        writer.write_all(TEXT.as_bytes()).unwrap();
        let envelope = writer.finish(rng).unwrap();
        assert_eq!(envelope.len(), bytes);
        assert_eq!(hex::encode(Sha256::digest(&envelope)), sha_256);

        let (header, stream) = envelope::EnvelopeHeader::split_from(&envelope).unwrap();
        let key = header.open(&Opener::Key(&receiver)).unwrap();
        let mut text = String::new();
        let mut reader = key.signed_reader(stream, Some(signer.verifying_key()), b"aad").unwrap();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, TEXT);
    }
}

#[test]
fn a_sealed_decapsulation_key() {
    const FROZEN: &str = "010100000007000102030405060708090a0b0c0d0e0f1011121314151617d7d260fe5f80\
        85c1bcb8a9fc435920e6e309cbb10f2caa1b91fc0908c2fb36f655ad1b009b4134d1d3752b2985a8442c39dc9e\
        baa9b48d7465dedc7ecc12c2225356e65037cb393f454a2f438bec8925";
    let key = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from(counting()));
    is_sealed_as(&key, FROZEN, "e5d8f4f178177edd1d3235fad5e5f2f3afdc7dcc2e6d0c9ce0d62426ecb1bba0");
}

#[test]
fn a_sealed_decapsulation_key_of_x_wing() {
    const FROZEN: &str = "010100000007000102030405060708090a0b0c0d0e0f1011121314151617d7d260fe5f80\
        85c1bcb8a9fc435920e6e309cbb10f2caa1b91fc0908c2fb36f6e5d40f2638593ec5ca3269cdbca5d50e";
    let key = DecapsulationKey::from_x_wing_seed(Secret::from(counting()));
    is_sealed_as(&key, FROZEN, "8f63a02fa774b40fd3450b4f07ea549f864c6fc99815a98ad221d1cd110e3f73");
}

/// The key's record, both ways, and its id.
fn is_sealed_as(key: &DecapsulationKey, frozen: &str, id: &str) {
    let sealed = key.seal(&masters(), ACCOUNT, &mut Counting::from_zero()).unwrap();
    assert_eq!(hex::encode(sealed.as_bytes()), frozen);

    let public = key.encapsulation_key();
    let opened =
        DecapsulationKey::open(&masters(), ACCOUNT, public.as_bytes(), &record(frozen)).unwrap();
    assert_eq!(opened.encapsulation_key(), public);
    assert_eq!(public.key_id().to_string(), id);
}

#[test]
fn a_sealed_signing_key() {
    const FROZEN: &str = "010100000007000102030405060708090a0b0c0d0e0f1011121314151617d432a4a9bd32\
        90d0247ac5c333e0fe3742eb5555da60005062487d2907d2f81d155f4d1ecc22308208f21b902bd3b27e";
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa65, Secret::from(counting()));
    let sealed = key.seal(&masters(), ACCOUNT, &mut Counting::from_zero()).unwrap();
    assert_eq!(hex::encode(sealed.as_bytes()), FROZEN);

    let public = key.verifying_key();
    let opened = SigningKey::open(&masters(), ACCOUNT, public.as_bytes(), &record(FROZEN)).unwrap();
    assert_eq!(opened.verifying_key(), public);
    assert_eq!(
        public.key_id().to_string(),
        "e7cdc5b9533561364a352e83e0aa8bad0cbc1673928affca7e71a7bcf285339b"
    );
}

#[test]
fn a_sealed_issuer_key() {
    const FROZEN: &str = "010100000007000102030405060708090a0b0c0d0e0f10111213141516170a26e5b287cc\
        0ff0773679ca78ef0ff6e34ea6c63b005f3fd96e83b99a7928776f4c540efaf1a22fbd05b8f2d03f4e8f";
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, &mut Counting::from_zero()).unwrap();
    let sealed = issuer.seal(&masters(), &mut Counting::from_zero()).unwrap();
    assert_eq!(hex::encode(sealed.as_bytes()), FROZEN);

    let public = issuer.verifying_key();
    let opened = Issuer::open(&masters(), public.as_bytes(), &record(FROZEN)).unwrap();
    assert_eq!(opened.verifying_key(), public);
}

#[test]
fn a_sealed_aes_key() {
    const FROZEN: &str = "010100000007000102030405060708090a0b0c0d0e0f1011121314151617c15075fcba4a\
        2d907710a0706e84c1f215e0a7316d3c09f7f8c66dbda5f2cdab89177222e87cfdd70b9ae9c738487f57";
    let key = AccountKey::generate(&mut Counting::from_zero()).unwrap();
    let sealed = key.seal(&masters(), ACCOUNT, &mut Counting::from_zero()).unwrap();
    assert_eq!(hex::encode(sealed.as_bytes()), FROZEN);

    let opened = AccountKey::open(&masters(), ACCOUNT, counting(), &record(FROZEN)).unwrap();
    let text = key.box_key().seal(b"x", b"", &mut Counting::from_zero()).unwrap();
    assert!(opened.box_key().open(&text, b"").is_ok());
}

#[test]
fn a_master_keys_check_value() {
    const FROZEN: &str = "010100000007000102030405060708090a0b0c0d0e0f1011121314151617ca1674e9fcea\
        4917732698fb683c171855885b8ffb57b4ed843e93f972662ba9202cd8c81b995d";
    let check = master().check_value(&mut Counting::from_zero()).unwrap();
    assert_eq!(hex::encode(check.as_bytes()), FROZEN);
    assert!(master().made(&record(FROZEN)));
    assert_eq!(record(FROZEN).master_version(), 7);
}

#[test]
fn a_master_key_under_another() {
    const FROZEN: &str = "010100000007000102030405060708090a0b0c0d0e0f10111213141516179c137c0544750\
        1622095719089cb2ddcdb77c77f0672d19261f43984a28305c9f44a33dc2c1344ac1f63ae8338edead5";
    let next = MasterKey::new(8, Secret::from(counting()));
    let wrapped = master().wrap_key(&next, &mut Counting::from_zero()).unwrap();
    assert_eq!(hex::encode(wrapped.as_bytes()), FROZEN);
    let opened = master().unwrap_key(8, &record(FROZEN)).unwrap();
    assert!(opened.made(&next.check_value(&mut Counting::from_zero()).unwrap()));
}

#[test]
fn an_attestation() {
    const HEAD: &str = "0111111111111111111111111111111111000000006553f100000000006b49d200";
    const SHA_256: &str = "d2128f5213a30366dfce97f754a4845643d5d595202cd2953f19c45b3b7067be";
    let mut rng = Counting::from_zero();
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, &mut rng).unwrap();
    let key = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from(counting()));
    let public = key.encapsulation_key();
    let [from, until] = [1_700_000_000, 1_800_000_000].map(Timestamp::from_seconds);
    let attestation = issuer.attest(ACCOUNT, public, from, Some(until), &mut rng).unwrap();
    let bytes = attestation.to_bytes();
    assert_eq!(hex::encode(&bytes[..33]), HEAD);
    assert_eq!(bytes.len(), 33 + 3309);
    assert_eq!(hex::encode(Sha256::digest(&bytes)), SHA_256);

    let read = Attestation::from_bytes(&bytes).unwrap();
    let verified = VerifiedEncapsulationKey::verify(
        &UnverifiedKey::from_bytes(public.as_bytes()).unwrap(),
        &read,
        issuer.verifying_key(),
        &TrustedIssuers::new([issuer.verifying_key().clone()]),
        Some(ACCOUNT),
        from,
    );
    assert_eq!(verified.unwrap().key(), public);
}

/// Of X-Wing, and without an end.
#[test]
fn an_attestation_of_another_algorithm() {
    const HEAD: &str = "0111111111111111111111111111111111000000006553f1000000000000000000";
    const SHA_256: &str = "d7a2afa36e1674202ec31b55fbe691436c5e2e8b281eb56e0406e199f0661753";
    let mut rng = Counting::from_zero();
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, &mut rng).unwrap();
    let key = DecapsulationKey::from_x_wing_seed(Secret::from(counting()));
    let from = Timestamp::from_seconds(1_700_000_000);
    let attestation =
        issuer.attest(ACCOUNT, key.encapsulation_key(), from, None, &mut rng).unwrap();
    let bytes = attestation.to_bytes();
    assert_eq!(hex::encode(&bytes[..33]), HEAD);
    assert_eq!(hex::encode(Sha256::digest(&bytes)), SHA_256);
}

#[test]
fn sets_of_operations() {
    let frozen = [
        ("kem.generate", 0x01),
        ("kem.encapsulate", 0x02),
        ("kem.decapsulate", 0x04),
        ("aes.encrypt", 0x08),
        ("aes.decrypt", 0x10),
        ("sign", 0x20),
        ("verify", 0x40),
        ("v1", 0x80),
    ];
    for (name, bits) in frozen {
        assert_eq!(OperationSet::from_names([name]).unwrap().bits(), bits, "{name}");
    }
    let all = frozen.map(|(name, _)| name);
    assert_eq!(OperationSet::from_names(all).unwrap().bits(), 0xff);
    assert_eq!(OperationSet::ALL.bits(), 0xffff);
}

#[test]
fn tokens_and_their_hashes() {
    let frozen = [
        (
            TokenKind::Root,
            "pqc_r_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "5913bc5a6cc0b1a8b18544397213d5540bc41ac87d9263a5276d17943c4a7d12",
        ),
        (
            TokenKind::Temporary,
            "pqc_t_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "02148114ee453d8ee60b1e280614ca63d89e3bdc0e9b9f81f591d601fe9b2752",
        ),
    ];
    for (kind, text, hash) in frozen {
        let token = TokenValue::generate(kind, &mut Counting::from_zero()).unwrap();
        assert_eq!(*token.expose_text(), text);
        let read = TokenValue::parse(text).unwrap();
        assert_eq!(read.kind(), kind);
        assert_eq!(read.hash(), token.hash());
        assert_eq!(hex::encode(read.hash().as_bytes()), hash);
    }
}

#[test]
fn a_kept_answer() {
    let frozen = [
        (
            TokenKind::Root,
            "6a40a924cdb9dcb460e74be6469a8d6c422776f89d8f5e76f19e3d7a3539ab07",
            "ca3b1b56ab255c3d3d0d138d24a0eca5dce12d78c4c62563de392fd1498dc040",
            "0101000102030405060708090a0b0c0d0e0f101112131415161767e281bb715ae191239b750c57b7d61e\
             8577e811437a6e371dbeeda2bd",
        ),
        (
            TokenKind::Temporary,
            "afea213c43992146df4b60e7076f2c987140856bbd2835ad765567fd61360b20",
            "00d735747797fa2034e0a52241024e3a673c300c917b56e01fd8b9ad23770b1a",
            "0101000102030405060708090a0b0c0d0e0f1011121314151617db5639f7c99aebc373caf07e65c325c4\
             2ca0c2cbc6233a9f5c79c66857",
        ),
    ];
    let parts: [&[u8]; 3] = [b"POST /api/token/new", b"label=x", br#"{"expiry_time":60}"#];
    for (kind, id, hash, sealed) in frozen {
        let token = TokenValue::generate(kind, &mut Counting::from_zero()).unwrap();
        let replay = Replay::of(&token, &IdempotencyKey::parse("order-4711").unwrap());
        assert_eq!(hex::encode(replay.id().as_bytes()), id);
        let request = replay.request(&RequestDigest::of(&parts));
        assert_eq!(hex::encode(request.as_bytes()), hash);
        let made = replay.seal(&request, TEXT.as_bytes(), &mut Counting::from_zero()).unwrap();
        assert_eq!(hex::encode(made.as_bytes()), sealed);
        let read = SealedAnswer::from_bytes(hex::decode(sealed).unwrap()).unwrap();
        assert_eq!(replay.open(&request, &read).unwrap().expose_bytes(), TEXT.as_bytes());
    }
}

#[test]
fn a_jwk_and_its_thumbprint() {
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa65, Secret::from(counting()));
    let json = serde_json::to_value(Jwk::from(key.verifying_key())).unwrap();
    let public = json["pub"].as_str().unwrap().to_owned();
    let expected = serde_json::json!({
        "kty": "AKP",
        "alg": "ML-DSA-65",
        "pub": public,
        "kid": "x0kWwvv_AqVn61aqlQHnR3QwLdzUjPE_JWxbqdcwnmc",
        "use": "sig",
    });
    assert_eq!(json, expected);
}

fn master() -> MasterKey {
    MasterKey::new(7, Secret::from([0x5a; 32]))
}

fn masters() -> MasterKeys {
    MasterKeys::new(master())
}

fn record(hex: &str) -> SealedRecord {
    SealedRecord::from_bytes(hex::decode(hex).unwrap()).unwrap()
}

fn counting<const N: usize>() -> [u8; N] {
    std::array::from_fn(|i| i as u8)
}
