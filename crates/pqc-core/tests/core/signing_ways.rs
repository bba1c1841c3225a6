//! What signing by mu, by digest and by pieces must and must not do. That the bytes are right, the
//! vectors say; that prepared keys do the same, `prepared_keys`.

use pqc_core::sign::{Mu, PreHash, PreHashAlgorithm, PreHasher};
use pqc_core::{
    Context, Error, Field, Secret, Signature, SignatureAlgorithm, SigningKey, VerifyingKey,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::Repeatable;

proptest! {
    #[test]
    fn a_message_in_pieces_is_the_whole_message(
        message in vec(any::<u8>(), 0..2000),
        cuts in vec(any::<Index>(), 0..8),
        context in vec(any::<u8>(), 0..256),
        hash in select(PreHashAlgorithm::ALL.to_vec()),
    ) {
        let public = VerifyingKey::from_bytes(&[9; 1312]).unwrap();
        let context = Context::new(&context).unwrap();
        let mut by_mu = public.mu_hasher(context);
        let mut by_digest = PreHasher::new(hash);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([message.len()]);
        for (start, end) in [0].into_iter().chain(cuts.iter().copied()).zip(ends) {
            by_mu.update(&message[start..end]);
            by_digest.update(&message[start..end]);
        }
        prop_assert_eq!(by_mu.finish(), public.mu(&message, context));
        let digest = by_digest.finish();
        prop_assert_eq!(digest.as_bytes().len(), hash.digest_bytes());
        prop_assert_eq!(digest, PreHash::of(hash, &message));
    }
}

#[test]
fn every_context_length_signs_and_binds_by_every_way() {
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa44, Secret::from([1; 32]));
    let public = key.verifying_key();
    let digest = PreHash::of(PreHashAlgorithm::Sha256, b"message");
    for length in 0..=255 {
        let context = vec![0; length];
        let context = Context::new(&context).unwrap();
        let other = vec![0; (length + 1) % 256];
        let other = Context::new(&other).unwrap();

        let pure = key.sign_deterministic(b"message", context).unwrap();
        assert_eq!(key.sign_mu_deterministic(&public.mu(b"message", context)).unwrap(), pure);
        assert!(public.verify(b"message", context, &pure));
        assert!(!public.verify(b"message", other, &pure));
        assert!(public.verify_mu(&public.mu(b"message", context), &pure));
        assert!(!public.verify_mu(&public.mu(b"message", other), &pure));
        let prehashed = key.sign_prehash_deterministic(&digest, context).unwrap();
        assert!(public.verify_prehash(&digest, context, &prehashed));
        assert!(!public.verify_prehash(&digest, other, &prehashed));
    }
    assert_eq!(Context::new(&[0; 256]).unwrap_err(), Error::ContextTooLong { actual: 256 });
}

#[test]
fn a_digest_signed_under_one_hash_function_verifies_under_no_other() {
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa65, Secret::from([2; 32]));
    let digests = PreHashAlgorithm::ALL
        .map(|hash| PreHash::from_digest(hash, &vec![5; hash.digest_bytes()]).unwrap());
    for digest in &digests {
        let signature = key.sign_prehash_deterministic(digest, Context::EMPTY).unwrap();
        for other in &digests {
            let verified = key.verifying_key().verify_prehash(other, Context::EMPTY, &signature);
            assert_eq!(
                verified,
                digest == other,
                "{} as {}",
                digest.algorithm(),
                other.algorithm()
            );
        }
        let as_message = key.verifying_key().verify(digest.as_bytes(), Context::EMPTY, &signature);
        assert!(!as_message);
    }
}

#[test]
fn deterministic_is_repeatable_and_hedged_is_not() {
    let rng = &mut Repeatable::new(3);
    let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, rng).unwrap();
    let (context, digest) = (Context::EMPTY, PreHash::of(PreHashAlgorithm::Sha512, b"message"));
    let mu = key.verifying_key().mu(b"message", context);
    let again = |sign: &dyn Fn() -> Result<Signature, Error>| {
        assert_eq!(sign().unwrap(), sign().unwrap());
    };
    again(&|| key.sign_deterministic(b"message", context));
    again(&|| key.sign_mu_deterministic(&mu));
    again(&|| key.sign_prehash_deterministic(&digest, context));
    let mut differs = |sign: &dyn Fn(&mut Repeatable) -> Result<Signature, Error>| {
        assert_ne!(sign(rng).unwrap(), sign(rng).unwrap());
    };
    differs(&|rng| key.sign(b"message", context, rng));
    differs(&|rng| key.sign_mu(&mu, rng));
    differs(&|rng| key.sign_prehash(&digest, context, rng));
}

#[test]
fn a_mu_and_a_digest_have_one_length() {
    for length in [0, 63, 65] {
        let refused = Mu::from_bytes(&vec![0; length]).unwrap_err();
        let expected = "64".to_owned();
        assert_eq!(refused, Error::Length { field: Field::Mu, expected, actual: length });
    }
    assert_eq!(Mu::from_bytes(&[7; 64]).unwrap().to_bytes(), [7; 64]);
    for hash in PreHashAlgorithm::ALL {
        let length = hash.digest_bytes();
        assert!(PreHash::from_digest(hash, &vec![0; length]).is_ok());
        for wrong in [0, length - 1, length + 1] {
            let refused = PreHash::from_digest(hash, &vec![0; wrong]).unwrap_err();
            let expected = length.to_string();
            assert_eq!(refused, Error::Length { field: Field::Digest, expected, actual: wrong });
        }
    }
}

#[test]
fn a_mu_for_another_key_gives_no_signature_of_the_message() {
    let rng = &mut Repeatable::new(4);
    let keys = [(); 2].map(|()| SigningKey::generate(SignatureAlgorithm::MlDsa44, rng).unwrap());
    let mu = keys[1].verifying_key().mu(b"message", Context::EMPTY);
    let signature = keys[0].sign_mu(&mu, rng).unwrap();
    for key in &keys {
        assert!(!key.verifying_key().verify(b"message", Context::EMPTY, &signature));
    }
}

/// A wrong t0 shows in the signature alone: none that does not verify gets out by any way.
#[test]
fn no_way_lets_out_a_signature_by_a_wrong_key() {
    let rng = &mut Repeatable::new(5);
    for set in SignatureAlgorithm::ALL {
        let right = SigningKey::generate(set, rng).unwrap();
        let right = right.expose_expanded().expose_bytes();
        // Every coefficient of the last polynomial of t0.
        let mut wrong = right.to_vec();
        let last = wrong.len() - 416;
        wrong[last..].iter_mut().for_each(|byte| *byte ^= 0xff);
        for (bytes, refused) in [(right, false), (&wrong, true)] {
            let key = SigningKey::from_expanded(bytes).unwrap();
            let prepared = key.prepare().unwrap();
            let mu = key.verifying_key().mu(b"message", Context::EMPTY);
            let digest = PreHash::of(PreHashAlgorithm::Sha512, b"message");
            let outcomes = [
                key.sign_deterministic(b"message", Context::EMPTY),
                key.sign_mu_deterministic(&mu),
                key.sign_prehash_deterministic(&digest, Context::EMPTY),
                prepared.sign_deterministic(b"message", Context::EMPTY),
                prepared.sign_mu_deterministic(&mu),
                prepared.sign_prehash_deterministic(&digest, Context::EMPTY),
                key.sign(b"message", Context::EMPTY, rng),
                prepared.sign(b"message", Context::EMPTY, rng),
                key.sign_mu(&mu, rng),
                prepared.sign_mu(&mu, rng),
                key.sign_prehash(&digest, Context::EMPTY, rng),
                prepared.sign_prehash(&digest, Context::EMPTY, rng),
            ];
            for outcome in outcomes {
                match outcome {
                    Ok(_) => assert!(!refused),
                    Err(error) => {
                        assert!(refused);
                        assert_eq!(error, Error::InconsistentSigningKey);
                    }
                }
            }
        }
    }
}
