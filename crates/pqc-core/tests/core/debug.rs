//! No secret is printed: the `Debug` of each type that holds one, in every form bytes are shown in.

use std::convert::Infallible;
use std::fmt::Debug;

use pqc_core::envelope::{EnvelopeHeader, Opener, Recipients};
use pqc_core::keyfile::{PrivateJwk, PrivateKey};
use pqc_core::message::AccountKey;
use pqc_core::token::{TokenKind, TokenValue};
use pqc_core::{
    BoxKey, DecapsulationKey, Issuer, KemAlgorithm, MasterKey, MasterKeys, PassphraseParameters,
    Secret, SecretVec, SignatureAlgorithm, SigningKey, StreamKey, StreamOpener, StreamSealer,
};
use rand_core::{TryCryptoRng, TryRng};

use crate::support::Repeatable;

#[test]
fn no_secret_is_printed() {
    let mut rng = Repeatable::new(1);
    let secret = || Secret::from(*SECRET);
    let shown = |what: &dyn Debug| {
        let shown = [format!("{what:?}"), format!("{what:#?}")].concat();
        assert!(!shown.is_empty());
        // In decimal, in hexadecimal, as text.
        let dense = shown.replace(char::is_whitespace, "");
        for form in ["97,32,115,101", "61207365", "asecret", "YSBzZWNyZXQ"] {
            assert!(!dense.contains(form), "{shown}");
        }
        shown
    };
    let redacted = |what: &dyn Debug| assert!(shown(what).contains("[redacted]"));

    redacted(&secret());
    redacted(&SecretVec::copy_of(secret().expose_bytes()));
    let kem_seed = [*SECRET, *SECRET].concat();
    for kem in KemAlgorithm::ALL {
        let seed = &kem_seed[..if kem == KemAlgorithm::XWing { 32 } else { 64 }];
        let key = DecapsulationKey::from_seed_bytes(kem, seed).unwrap();
        let (_, shared) = key.encapsulation_key().encapsulate_unattested(&mut rng).unwrap();
        redacted(&shared);
        redacted(&key);
        redacted(&key.prepare().unwrap());
        if kem != KemAlgorithm::XWing {
            redacted(&PrivateJwk::try_from(&PrivateKey::from(key)).unwrap());
        }
    }
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::from_seed(set, secret());
        redacted(&key);
        redacted(&key.prepare().unwrap());
        redacted(&Issuer::generate(set, &mut Given).unwrap());
        redacted(&PrivateKey::from(key));
    }
    redacted(&BoxKey::from_caller(&secret()));
    let account = AccountKey::generate(&mut rng).unwrap();
    redacted(&account);
    let master = MasterKey::new(1, secret());
    redacted(&master);
    redacted(&MasterKeys::new(master));
    let stream = StreamKey::from_caller(&secret());
    redacted(&stream);
    let (sealer, header) = StreamSealer::new(&stream, b"", &mut rng).unwrap();
    redacted(&sealer);
    redacted(&StreamOpener::new(&stream, &header, b"").unwrap());

    redacted(&Recipients::Passphrase(SECRET, PassphraseParameters::generate(&mut rng).unwrap()));
    redacted(&Opener::Passphrase(SECRET));
    let key = DecapsulationKey::from_seed_bytes(KemAlgorithm::MlKem512, &kem_seed).unwrap();
    redacted(&Opener::Key(&key));
    let recipients = [key.encapsulation_key()];
    let (_, key) = EnvelopeHeader::seal(&Recipients::Keys(&recipients), &mut rng).unwrap();
    redacted(&key);

    let token = TokenValue::generate(TokenKind::Root, &mut Given).unwrap();
    redacted(&token);
    let hash = format!("{:?}", token.hash());
    assert_eq!(hash, "TokenHash(..)");
}

const SECRET: &[u8; 32] = b"a secret of thirty-two bytes ...";

/// Gives the secret.
struct Given;

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.iter_mut().zip(SECRET).for_each(|(byte, secret)| *byte = *secret);
        Ok(())
    }
}

impl TryCryptoRng for Given {}
