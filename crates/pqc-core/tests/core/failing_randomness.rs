//! A generator that fails at its n-th call, for every n: an error, and nothing half-made. The counts
//! of draws are written down, so that a function which silently draws less is seen.

use pqc_core::envelope::{self, EnvelopeHeader, Recipients};
use pqc_core::kem::ParameterSet;
use pqc_core::keyfile::PrivateKey;
use pqc_core::message::AccountKey;
use pqc_core::sign::{PreHash, PreHashAlgorithm};
use pqc_core::token::{TokenKind, TokenValue};
use pqc_core::{
    AccountId, BoxKey, DecapsulationKey, Error, Issuer, KemAlgorithm, MasterKey, MasterKeys,
    PassphraseParameters, RecordKind, RecordName, Secret, SignatureAlgorithm, SigningKey,
    StreamKey, StreamSealer, Timestamp, TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey,
    selftest,
};

use crate::support::{Failing, Repeatable};

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const NOW: Timestamp = Timestamp::from_seconds(1);

/// `function` succeeds on a working generator with `draws` calls, and fails if any one of them does.
fn draws<T>(name: &str, draws: usize, function: impl Fn(&mut Failing) -> Result<T, Error>) {
    let mut working = Failing::at(usize::MAX);
    assert!(function(&mut working).is_ok(), "{name}");
    assert_eq!(working.calls, draws, "{name}");
    for n in 0..draws {
        let mut failing = Failing::at(n);
        let error = function(&mut failing).err();
        assert_eq!(error, Some(Error::Randomness), "{name}: call {n} failed");
        assert_eq!(failing.calls, n + 1, "{name}: went on after call {n} failed");
    }
}

#[test]
fn every_randomized_function_reports_a_failing_generator() {
    let rng = &mut Repeatable::new(1);
    let masters = MasterKeys::new(MasterKey::new(1, Secret::from([1; 32])));

    draws("Secret::generate", 1, Secret::<32>::generate);
    for set in KemAlgorithm::ALL {
        draws("DecapsulationKey::generate", 1, |rng| DecapsulationKey::generate(set, rng));
        let key = DecapsulationKey::generate(set, rng).unwrap();
        let public = key.encapsulation_key();
        draws("encapsulate_unattested", 1, |rng| public.encapsulate_unattested(rng));
        let prepared = public.prepare().unwrap();
        draws("prepared encapsulate", 1, |rng| prepared.encapsulate_unattested(rng));
        draws("DecapsulationKey::seal", 1, |rng| key.seal(&masters, ACCOUNT, rng));
    }
    for set in SignatureAlgorithm::ALL {
        draws("SigningKey::generate", 1, |rng| SigningKey::generate(set, rng));
        draws("Issuer::generate", 1, |rng| Issuer::generate(set, rng));
        let key = SigningKey::generate(set, rng).unwrap();
        draws("sign", 1, |rng| key.sign(b"message", Default::default(), rng));
        draws("SigningKey::seal", 1, |rng| key.seal(&masters, ACCOUNT, rng));
        let expanded = SigningKey::from_expanded(key.expose_expanded().expose_bytes()).unwrap();
        draws("sign, expanded", 1, |rng| expanded.sign(b"message", Default::default(), rng));
        let mu = key.verifying_key().mu(b"message", Default::default());
        let digest = PreHash::of(PreHashAlgorithm::Sha512, b"message");
        draws("sign_mu", 1, |rng| key.sign_mu(&mu, rng));
        draws("sign_prehash", 1, |rng| key.sign_prehash(&digest, Default::default(), rng));
        let prepared = key.prepare().unwrap();
        draws("prepared sign", 1, |rng| prepared.sign(b"message", Default::default(), rng));
        draws("prepared sign_mu", 1, |rng| prepared.sign_mu(&mu, rng));
        draws("prepared sign_prehash", 1, |rng| {
            prepared.sign_prehash(&digest, Default::default(), rng)
        });
    }

    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, rng).unwrap();
    let key = DecapsulationKey::generate(KemAlgorithm::MlKem512, rng).unwrap();
    let public = key.encapsulation_key();
    draws("attest", 1, |rng| issuer.attest(ACCOUNT, public, NOW, None, rng));
    let other = DecapsulationKey::generate(KemAlgorithm::XWing, rng).unwrap();
    let file = PrivateKey::from(DecapsulationKey::generate(KemAlgorithm::XWing, rng).unwrap());
    draws("to_encrypted_der", 2, |rng| file.to_encrypted_der(b"passphrase", rng));
    draws("to_encrypted_pem", 2, |rng| file.to_encrypted_pem(b"passphrase", rng));
    draws("Issuer::seal", 1, |rng| issuer.seal(&masters, rng));
    let verified = VerifiedEncapsulationKey::verify(
        &UnverifiedKey::from_bytes(public.as_bytes()).unwrap(),
        &issuer.attest(ACCOUNT, public, NOW, None, rng).unwrap(),
        issuer.verifying_key(),
        &TrustedIssuers::dangerously_any(),
        None,
        NOW,
    )
    .unwrap();
    draws("VerifiedEncapsulationKey::encapsulate", 1, |rng| verified.encapsulate(rng));
    let prepared = verified.prepare().unwrap();
    draws("PreparedVerifiedKey::encapsulate", 1, |rng| prepared.encapsulate(rng));

    draws("AccountKey::generate", 2, AccountKey::generate);
    let account_key = AccountKey::generate(rng).unwrap();
    draws("AccountKey::seal", 1, |rng| account_key.seal(&masters, ACCOUNT, rng));
    let box_key = BoxKey::from_caller(&Secret::from([2; 32]));
    draws("BoxKey::seal", 1, |rng| box_key.seal(b"text", b"", rng));

    let stream_key = StreamKey::from_caller(&Secret::from([2; 32]));
    draws("StreamSealer::new", 1, |rng| StreamSealer::new(&stream_key, b"", rng));
    draws("StreamKey::seal", 1, |rng| stream_key.seal(b"text", b"", rng));

    let name = RecordName {
        account: ACCOUNT,
        kind: RecordKind::AesKey,
        algorithm: "AES-256",
        record_id: b"id",
    };
    draws("MasterKeys::seal", 1, |rng| masters.seal(&name, b"secret", rng));
    let master = MasterKey::new(1, Secret::from([1; 32]));
    let sealed = masters.seal(&name, b"secret", &mut getrandom::SysRng).unwrap();
    draws("MasterKeys::reseal", 1, |rng| masters.reseal(&name, &sealed, rng));
    draws("MasterKey::check_value", 1, |rng| master.check_value(rng));
    draws("MasterKey::wrap_key", 1, |rng| master.wrap_key(masters.current(), rng));

    // The file key; for each key an encapsulation and a nonce, for a passphrase a nonce; the salt.
    let two = [key.encapsulation_key(), other.encapsulation_key()];
    let keys = Recipients::Keys(&two);
    draws("EnvelopeHeader::seal", 5, |rng| EnvelopeHeader::seal(&keys, rng));
    draws("envelope::seal", 6, |rng| envelope::seal(b"text", &keys, b"", rng));
    let parameters = PassphraseParameters::new(19 << 10, 1, 1, [7; 16]).unwrap();
    let by_passphrase = Recipients::Passphrase(b"a longer sentence", parameters);
    draws("envelope::seal", 3, |rng| envelope::seal(b"text", &by_passphrase, b"", rng));
    #[cfg(feature = "std")]
    draws("envelope::writer", 6, |rng| envelope::writer(Vec::new(), &keys, b"", rng));
    let (_, envelope_key) = EnvelopeHeader::seal(&keys, rng).unwrap();
    draws("EnvelopeKey::sealer", 1, |rng| envelope_key.sealer(b"", rng));

    draws("PassphraseParameters::generate", 1, PassphraseParameters::generate);

    for kind in [TokenKind::Root, TokenKind::Temporary] {
        draws("TokenValue::generate", 1, |rng| TokenValue::generate(kind, rng));
    }
    draws("selftest::run", 5, selftest::run);
}

/// Two calls with the same generator state would be the same if a function ignored it.
#[test]
fn what_is_drawn_is_used() {
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa65, Secret::from([1; 32]));
    let sign = |seed| {
        let signature = key.sign(b"message", Default::default(), &mut Repeatable::new(seed));
        signature.unwrap().as_bytes().to_vec()
    };
    assert_eq!(sign(1), sign(1));
    assert_ne!(sign(1), sign(2));

    let key = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from([1; 64]));
    let encapsulate = |seed| {
        let mut rng = Repeatable::new(seed);
        let (ciphertext, _) = key.encapsulation_key().encapsulate_unattested(&mut rng).unwrap();
        ciphertext.as_bytes().to_vec()
    };
    assert_eq!(encapsulate(1), encapsulate(1));
    assert_ne!(encapsulate(1), encapsulate(2));

    let key = BoxKey::from_caller(&Secret::from([2; 32]));
    let seal = |seed| key.seal(b"text", b"", &mut Repeatable::new(seed)).unwrap();
    assert_eq!(seal(1), seal(1));
    assert_ne!(seal(1), seal(2));

    let key = StreamKey::from_caller(&Secret::from([2; 32]));
    let seal = |seed| key.seal(b"text", b"", &mut Repeatable::new(seed)).unwrap();
    assert_eq!(seal(1), seal(1));
    assert_ne!(seal(1), seal(2));
}
