//! AWS-LC's ML-DSA verification, which is faster than libcrux's as plain x86-64 code. It takes no
//! context, and only public values come here.

use aws_lc_rs::signature::{
    ML_DSA_44, ML_DSA_65, ML_DSA_87, PqdsaVerificationAlgorithm, UnparsedPublicKey,
};

use crate::sign::SignatureAlgorithm;

/// ML-DSA.Verify (FIPS 204, Algorithm 3) with the empty context.
pub(super) fn verify(
    algorithm: SignatureAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let algorithm: &PqdsaVerificationAlgorithm = match algorithm {
        SignatureAlgorithm::MlDsa44 => &ML_DSA_44,
        SignatureAlgorithm::MlDsa65 => &ML_DSA_65,
        SignatureAlgorithm::MlDsa87 => &ML_DSA_87,
    };
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::backend::{Active, Backend, RustCrypto};
    use crate::secret::Secret;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// Of genuine signatures, and of those with one bit altered in any of the three.
        #[test]
        fn it_takes_and_refuses_what_the_backends_do(
            set in prop::sample::select(SignatureAlgorithm::ALL.as_slice()),
            seed: [u8; 32],
            message in prop::collection::vec(any::<u8>(), 1..100),
            part in 0..4_usize,
            flip: Index,
        ) {
            let (mut key, expanded) = Active::signing_key_pair(set, &Secret::from(seed));
            let hedge = Secret::from([0; 32]);
            let expanded = expanded.expose_bytes();
            let mut signature = Active::sign(set, expanded, &message, b"", &hedge).unwrap();
            let mut message = message;
            let altered = [&mut key, &mut message, &mut signature].into_iter().nth(part);
            let genuine = altered.is_none();
            if let Some(bytes) = altered {
                let bit = flip.index(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            prop_assert_eq!(verify(set, &key, &message, &signature), genuine);
            prop_assert_eq!(Active::verify(set, &key, &message, b"", &signature), genuine);
            prop_assert_eq!(RustCrypto::verify(set, &key, &message, b"", &signature), genuine);
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        let set = SignatureAlgorithm::MlDsa44;
        let (key, expanded) = Active::signing_key_pair(set, &Secret::from([7; 32]));
        let hedge = Secret::from([0; 32]);
        let signature = Active::sign(set, expanded.expose_bytes(), b"m", b"", &hedge).unwrap();
        assert!(verify(set, &key, b"m", &signature));
        assert!(!verify(set, &key[1..], b"m", &signature));
        assert!(!verify(set, &key, b"m", &signature[1..]));
        assert!(!verify(set, &key, b"m", &[&signature[..], &[0]].concat()));
        assert!(!verify(set, &[], b"m", &[]));
        assert!(!verify(SignatureAlgorithm::MlDsa65, &key, b"m", &signature));
    }
}
