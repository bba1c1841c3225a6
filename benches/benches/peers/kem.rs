//! ML-KEM beside aws-lc-rs, libcrux, ml-kem and fips203.

use std::hint::black_box;

use aws_lc_rs::kem as aws;
use fips203::traits::{Decaps, Encaps, KeyGen, SerDes};
use fips203::{ml_kem_512, ml_kem_768, ml_kem_1024};
use getrandom::SysRng;
use ml_kem::{MlKem512, MlKem768, MlKem1024};
use pqc_core::kem::ParameterSet;
use pqc_core::{Ciphertext, DecapsulationKey, EncapsulationKey};

use crate::random;
use crate::row::{NO_OVERHEAD, NO_SLOWER, Row};

/// Encapsulations to one key, in the row of many.
const MANY: usize = 100;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    macro_rules! of {
        ($set:expr, $module:ident, $aws:expr, $rust:ident, $fips:ident) => {{
            use libcrux_ml_kem::$module as libcrux;
            let set = $set;
            let name = set.name();

            let pair = DecapsulationKey::generate(set, &mut SysRng).unwrap();
            let public = pair.encapsulation_key().clone();
            let public_bytes = public.as_bytes().to_vec();
            let private_bytes = pair.expose_expanded().unwrap().expose_bytes().to_vec();
            let (ciphertext, _) = public.encapsulate_unattested(&mut SysRng).unwrap();
            let ciphertext_bytes = ciphertext.as_bytes().to_vec();

            let aws_public = || aws::EncapsulationKey::new($aws, &public_bytes).unwrap();
            let aws_private = || aws::DecapsulationKey::new($aws, &private_bytes).unwrap();
            let libcrux_public =
                libcrux_ml_kem::MlKemPublicKey::try_from(public_bytes.as_slice()).unwrap();
            let libcrux_private =
                libcrux_ml_kem::MlKemPrivateKey::try_from(private_bytes.as_slice()).unwrap();
            let libcrux_ciphertext =
                libcrux_ml_kem::MlKemCiphertext::try_from(ciphertext_bytes.as_slice()).unwrap();

            let generate = move || {
                black_box(DecapsulationKey::generate(set, &mut SysRng).unwrap());
            };
            let libcrux_generate = || {
                black_box(libcrux::generate_key_pair(random()));
            };
            let aws_generate = || {
                black_box(aws::DecapsulationKey::generate($aws).unwrap());
            };
            rows.push(
                Row::new(format!("kem/generate/{name}"), NO_SLOWER, generate)
                    .beside("libcrux", libcrux_generate)
                    .beside("aws-lc-rs", aws_generate)
                    .beside("ml-kem", || {
                        let key = ml_kem::DecapsulationKey::<$rust>::from_seed(random().into());
                        black_box(key);
                    })
                    .beside("fips203", || {
                        black_box($fips::KG::keygen_from_seed(random(), random()));
                    }),
            );
            rows.push(
                Row::new(format!("overhead/kem/generate/{name}"), NO_OVERHEAD, generate)
                    .beside("libcrux", libcrux_generate),
            );

            // From bytes.
            let bytes = public_bytes.clone();
            let core = move || {
                let key = EncapsulationKey::from_bytes(&bytes).unwrap();
                black_box(key.encapsulate_unattested(&mut SysRng).unwrap());
            };
            let bytes = public_bytes.clone();
            let by_libcrux = move || {
                let key = libcrux_ml_kem::MlKemPublicKey::try_from(bytes.as_slice()).unwrap();
                assert!(libcrux::validate_public_key(&key));
                black_box(libcrux::encapsulate(&key, random()));
            };
            let bytes = public_bytes.clone();
            let by_aws = move || {
                let key = aws::EncapsulationKey::new($aws, &bytes).unwrap();
                black_box(key.encapsulate().unwrap());
            };
            let bytes = public_bytes.clone();
            let by_ml_kem = move || {
                let key = bytes.as_slice().try_into().unwrap();
                let key = ml_kem::EncapsulationKey::<$rust>::new(key).unwrap();
                black_box(key.encapsulate_deterministic(&random().into()));
            };
            let bytes = public_bytes.clone();
            let by_fips203 = move || {
                let key = bytes.as_slice().try_into().unwrap();
                let key = $fips::EncapsKey::try_from_bytes(key).unwrap();
                black_box(key.encaps_from_seed(&random()));
            };
            rows.push(
                Row::new(format!("kem/encapsulate-from-bytes/{name}"), NO_SLOWER, core)
                    .beside("libcrux", by_libcrux)
                    .beside("aws-lc-rs", by_aws)
                    .beside("ml-kem", by_ml_kem)
                    .beside("fips203", by_fips203),
            );

            // With a key that was read.
            let key = public.clone();
            let core = move || {
                black_box(key.encapsulate_unattested(&mut SysRng).unwrap());
            };
            let key = libcrux_public.clone();
            let by_libcrux = move || {
                black_box(libcrux::encapsulate(&key, random()));
            };
            let key = aws_public();
            let by_aws = move || {
                black_box(key.encapsulate().unwrap());
            };
            rows.push(
                Row::new(format!("kem/encapsulate/{name}"), NO_SLOWER, core.clone())
                    .beside("libcrux", by_libcrux.clone())
                    .beside("aws-lc-rs", by_aws),
            );
            rows.push(
                Row::new(format!("overhead/kem/encapsulate/{name}"), NO_OVERHEAD, core)
                    .beside("libcrux", by_libcrux.clone()),
            );
            let key = public.prepare().unwrap();
            let core = move || {
                black_box(key.encapsulate_unattested(&mut SysRng).unwrap());
            };
            let key = aws_public();
            let by_aws = move || {
                black_box(key.encapsulate().unwrap());
            };
            rows.push(
                Row::new(format!("kem/encapsulate-prepared/{name}"), 1.5, core)
                    .beside("libcrux", by_libcrux)
                    .beside("aws-lc-rs", by_aws),
            );

            // Many, from the bytes of one key.
            let bytes = public_bytes.clone();
            let core = move || {
                let key = EncapsulationKey::from_bytes(&bytes).unwrap().prepare().unwrap();
                for _ in 0..MANY {
                    black_box(key.encapsulate_unattested(&mut SysRng).unwrap());
                }
            };
            let key = libcrux_public;
            let by_libcrux = move || {
                assert!(libcrux::validate_public_key(&key));
                for _ in 0..MANY {
                    black_box(libcrux::encapsulate(&key, random()));
                }
            };
            let bytes = public_bytes.clone();
            let by_aws = move || {
                let key = aws::EncapsulationKey::new($aws, &bytes).unwrap();
                for _ in 0..MANY {
                    black_box(key.encapsulate().unwrap());
                }
            };
            rows.push(
                Row::new(format!("kem/encapsulate-{MANY}-to-one/{name}"), 1.3, core)
                    .beside("libcrux", by_libcrux)
                    .beside("aws-lc-rs", by_aws),
            );

            // Decapsulation.
            let (bytes, sent) = (private_bytes.clone(), ciphertext_bytes.clone());
            let core = move || {
                let key = DecapsulationKey::from_expanded(&bytes).unwrap();
                let ciphertext = Ciphertext::from_bytes(&sent).unwrap();
                black_box(key.decapsulate(&ciphertext).unwrap());
            };
            let (bytes, sent) = (private_bytes.clone(), ciphertext_bytes.clone());
            let by_libcrux = move || {
                let key = libcrux_ml_kem::MlKemPrivateKey::try_from(bytes.as_slice()).unwrap();
                let sent = libcrux_ml_kem::MlKemCiphertext::try_from(sent.as_slice()).unwrap();
                assert!(libcrux::validate_private_key(&key, &sent));
                black_box(libcrux::decapsulate(&key, &sent));
            };
            let (bytes, sent) = (private_bytes.clone(), ciphertext_bytes.clone());
            let by_aws = move || {
                let key = aws::DecapsulationKey::new($aws, &bytes).unwrap();
                black_box(key.decapsulate(sent.as_slice().into()).unwrap());
            };
            let (bytes, sent) = (private_bytes.clone(), ciphertext_bytes.clone());
            #[expect(deprecated, reason = "bytes to bytes: the others read this form too")]
            let by_ml_kem = move || {
                let key = bytes.as_slice().try_into().unwrap();
                let key = ml_kem::DecapsulationKey::<$rust>::from_expanded(key).unwrap();
                let sent = sent.as_slice().try_into().unwrap();
                black_box(ml_kem::kem::Decapsulate::decapsulate(&key, sent));
            };
            let (bytes, sent) = (private_bytes.clone(), ciphertext_bytes.clone());
            let by_fips203 = move || {
                let key = bytes.as_slice().try_into().unwrap();
                let key = $fips::DecapsKey::try_from_bytes(key).unwrap();
                let sent = sent.as_slice().try_into().unwrap();
                let sent = $fips::CipherText::try_from_bytes(sent).unwrap();
                black_box(key.try_decaps(&sent).unwrap());
            };
            rows.push(
                Row::new(format!("kem/decapsulate-from-bytes/{name}"), NO_SLOWER, core)
                    .beside("libcrux", by_libcrux)
                    .beside("aws-lc-rs", by_aws)
                    .beside("ml-kem", by_ml_kem)
                    .beside("fips203", by_fips203),
            );
            let by_libcrux = move || {
                black_box(libcrux::decapsulate(&libcrux_private, &libcrux_ciphertext));
            };
            let prepared = pair.prepare().unwrap();
            let sent = ciphertext.clone();
            let core = move || {
                black_box(pair.decapsulate(&sent).unwrap());
            };
            rows.push(
                Row::new(format!("overhead/kem/decapsulate/{name}"), NO_OVERHEAD, core)
                    .beside("libcrux", by_libcrux.clone()),
            );
            let core = move || {
                black_box(prepared.decapsulate(&ciphertext).unwrap());
            };
            let key = aws_private();
            let by_aws = move || {
                black_box(key.decapsulate(ciphertext_bytes.as_slice().into()).unwrap());
            };
            rows.push(
                Row::new(format!("kem/decapsulate-prepared/{name}"), NO_SLOWER, core)
                    .beside("libcrux", by_libcrux)
                    .beside("aws-lc-rs", by_aws),
            );
        }};
    }
    of!(ParameterSet::MlKem512, mlkem512, &aws::ML_KEM_512, MlKem512, ml_kem_512);
    of!(ParameterSet::MlKem768, mlkem768, &aws::ML_KEM_768, MlKem768, ml_kem_768);
    of!(ParameterSet::MlKem1024, mlkem1024, &aws::ML_KEM_1024, MlKem1024, ml_kem_1024);
    rows
}
