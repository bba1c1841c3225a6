//! ML-DSA beside aws-lc-rs, which takes no context, libcrux, ml-dsa and fips204.

use std::hint::black_box;

use aws_lc_rs::signature as aws;
use fips204::traits::{KeyGen, SerDes, Signer, Verifier};
use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};
use getrandom::SysRng;
use pqc_core::sign::{SignedMessage, verify_batch};
use pqc_core::{Context, Secret, Signature, SignatureAlgorithm, SigningKey, VerifyingKey};

use crate::random;
use crate::row::{NO_OVERHEAD, NO_SLOWER, Row};

const MESSAGE: &[u8] = &[0x5a; 64];
/// Signatures in the row of a batch.
const BATCH: usize = 64;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    macro_rules! of {
        ($set:expr, $module:ident, $verifying:expr, $signing:expr, $rust:ident, $fips:ident) => {{
            use libcrux_ml_dsa::$module as libcrux;
            let set = $set;
            let name = set.name();

            let seed = [7; 32];
            let key = SigningKey::from_seed(set, Secret::from(seed));
            let public = key.verifying_key().clone();
            let public_bytes = public.as_bytes().to_vec();
            let signature = key.sign(MESSAGE, Context::EMPTY, &mut SysRng).unwrap();
            let signature_bytes = signature.as_bytes().to_vec();
            let pair = libcrux::generate_key_pair(seed);
            let libcrux_signature =
                libcrux_ml_dsa::MLDSASignature::new(signature_bytes.as_slice().try_into().unwrap());

            let core = move || {
                black_box(SigningKey::generate(set, &mut SysRng).unwrap());
            };
            let by_libcrux = || {
                black_box(libcrux::generate_key_pair(random()));
            };
            let by_aws = || {
                black_box(aws::PqdsaKeyPair::generate($signing).unwrap());
            };
            rows.push(
                Row::new(format!("sign/generate/{name}"), NO_SLOWER, core)
                    .beside("libcrux", by_libcrux)
                    .beside("aws-lc-rs", by_aws)
                    .beside("ml-dsa", || {
                        let key = ml_dsa::SigningKey::<ml_dsa::$rust>::from_seed(&random().into());
                        black_box(key);
                    })
                    .beside("fips204", || {
                        black_box($fips::KG::keygen_from_seed(&random()));
                    }),
            );
            rows.push(
                Row::new(format!("overhead/sign/generate/{name}"), NO_OVERHEAD, core)
                    .beside("libcrux", by_libcrux),
            );

            let core = {
                let key = SigningKey::from_seed(set, Secret::from(seed));
                move || {
                    black_box(key.sign(MESSAGE, Context::EMPTY, &mut SysRng).unwrap());
                }
            };
            let signing = pair.signing_key.clone();
            let by_libcrux = move || {
                black_box(libcrux::sign(&signing, MESSAGE, b"", random()).unwrap());
            };
            let aws_key = aws::PqdsaKeyPair::from_seed($signing, &seed).unwrap();
            let mut made = vec![0; signature_bytes.len()];
            let by_aws = move || {
                black_box(aws_key.sign(MESSAGE, &mut made).unwrap());
            };
            let ml_dsa_key = ml_dsa::SigningKey::<ml_dsa::$rust>::from_seed(&seed.into());
            let by_ml_dsa = move || {
                let key = ml_dsa_key.expanded_key();
                black_box(key.sign_randomized(MESSAGE, b"", &mut SysRng).unwrap());
            };
            let (_, fips204_key) = $fips::KG::keygen_from_seed(&seed);
            let by_fips204 = move || {
                let signature = fips204_key.try_sign_with_seed(&random(), MESSAGE, b"");
                black_box(signature.unwrap());
            };
            rows.push(
                Row::new(format!("sign/sign/{name}"), NO_SLOWER, core)
                    .beside("libcrux", by_libcrux)
                    .beside("aws-lc-rs", by_aws)
                    .beside("ml-dsa", by_ml_dsa)
                    .beside("fips204", by_fips204),
            );
            // The time of a signature depends on its randomness: here it is the same for both.
            let core = move || {
                black_box(key.sign_deterministic(MESSAGE, Context::EMPTY).unwrap());
            };
            let signing = pair.signing_key.clone();
            let by_libcrux = move || {
                black_box(libcrux::sign(&signing, MESSAGE, b"", [0; 32]).unwrap());
            };
            rows.push(
                Row::new(format!("overhead/sign/sign/{name}"), NO_OVERHEAD, core)
                    .beside("libcrux", by_libcrux),
            );

            let core = move || {
                let key = SigningKey::from_seed(set, Secret::from(seed));
                black_box(key.sign(MESSAGE, Context::EMPTY, &mut SysRng).unwrap());
            };
            let by_libcrux = move || {
                let pair = libcrux::generate_key_pair(seed);
                black_box(libcrux::sign(&pair.signing_key, MESSAGE, b"", random()).unwrap());
            };
            let mut made = vec![0; signature_bytes.len()];
            let by_aws = move || {
                let key = aws::PqdsaKeyPair::from_seed($signing, &seed).unwrap();
                black_box(key.sign(MESSAGE, &mut made).unwrap());
            };
            rows.push(
                Row::new(format!("sign/sign-from-seed/{name}"), NO_SLOWER, core)
                    .beside("libcrux", by_libcrux)
                    .beside("aws-lc-rs", by_aws),
            );

            let (bytes, made) = (public_bytes.clone(), signature_bytes.clone());
            let core = move || {
                let key = VerifyingKey::from_bytes(&bytes).unwrap();
                let signature = Signature::from_bytes(&made).unwrap();
                assert!(key.verify(MESSAGE, Context::EMPTY, &signature));
            };
            let verifying = pair.verification_key;
            let by_libcrux = move || {
                libcrux::verify(&verifying, MESSAGE, b"", &libcrux_signature).unwrap();
            };
            let (bytes, made) = (public_bytes.clone(), signature_bytes.clone());
            let by_aws = move || {
                aws::UnparsedPublicKey::new($verifying, &bytes).verify(MESSAGE, &made).unwrap();
            };
            let (bytes, made) = (public_bytes.clone(), signature_bytes.clone());
            let by_ml_dsa = move || {
                let key = bytes.as_slice().try_into().unwrap();
                let key = ml_dsa::VerifyingKey::<ml_dsa::$rust>::decode(key);
                let made = made.as_slice().try_into().unwrap();
                let made = ml_dsa::Signature::decode(made).unwrap();
                assert!(key.verify_with_context(MESSAGE, b"", &made));
            };
            let (bytes, made) = (public_bytes.clone(), signature_bytes.clone());
            let by_fips204 = move || {
                let key = bytes.as_slice().try_into().unwrap();
                let key = $fips::PublicKey::try_from_bytes(key).unwrap();
                assert!(key.verify(MESSAGE, &made.as_slice().try_into().unwrap(), b""));
            };
            rows.push(
                Row::new(format!("sign/verify-from-bytes/{name}"), NO_SLOWER, core.clone())
                    .beside("libcrux", by_libcrux.clone())
                    .beside("aws-lc-rs", by_aws.clone())
                    .beside("ml-dsa", by_ml_dsa)
                    .beside("fips204", by_fips204),
            );
            // What the core computes it with, without a context.
            let overhead = Row::new(format!("overhead/sign/verify/{name}"), NO_OVERHEAD, core);
            rows.push(if cfg!(feature = "aws-lc") {
                overhead.beside("aws-lc-rs", by_aws.clone())
            } else {
                overhead.beside("libcrux", by_libcrux.clone())
            });
            let prepared = public.prepare().unwrap();
            let made = signature.clone();
            let core = move || assert!(prepared.verify(MESSAGE, Context::EMPTY, &made));
            let aws_key = aws::ParsedPublicKey::new($verifying, &public_bytes).unwrap();
            let by_aws = move || aws_key.verify_sig(MESSAGE, &signature_bytes).unwrap();
            rows.push(
                Row::new(format!("sign/verify-prepared/{name}"), NO_SLOWER, core)
                    .beside("libcrux", by_libcrux)
                    .beside("aws-lc-rs", by_aws),
            );

            let (key, made) = (public.clone(), signature.clone());
            let together = move || {
                let signed = SignedMessage {
                    key: &key,
                    message: MESSAGE,
                    context: Context::EMPTY,
                    signature: &made,
                };
                assert!(verify_batch(&[signed; BATCH]).iter().all(|holds| *holds));
            };
            let one_by_one = move || {
                for _ in 0..BATCH {
                    assert!(public.verify(MESSAGE, Context::EMPTY, &signature));
                }
            };
            rows.push(
                Row::new(format!("sign/verify-batch-of-{BATCH}/{name}"), 1.6, together)
                    .beside("one by one", one_by_one),
            );
        }};
    }
    use SignatureAlgorithm::{MlDsa44, MlDsa65, MlDsa87};
    of!(MlDsa44, ml_dsa_44, &aws::ML_DSA_44, &aws::ML_DSA_44_SIGNING, MlDsa44, ml_dsa_44);
    of!(MlDsa65, ml_dsa_65, &aws::ML_DSA_65, &aws::ML_DSA_65_SIGNING, MlDsa65, ml_dsa_65);
    of!(MlDsa87, ml_dsa_87, &aws::ML_DSA_87, &aws::ML_DSA_87_SIGNING, MlDsa87, ml_dsa_87);
    rows
}
