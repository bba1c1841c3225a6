//! X-Wing's files, as its draft defines them: the seed bare, and no public key beside it.

use pqc_core::keyfile::{KeyAlgorithm, PrivateKey, PublicKey};
use pqc_core::{Error, Field, KemAlgorithm};
use sha2::{Digest, Sha256};

use super::{key, pkcs8, pkcs8_with_public, seed_form};

const X_WING: KeyAlgorithm = KeyAlgorithm::Kem(KemAlgorithm::XWing);

/// The draft's example (its repository, `x509/`): a private key, and SHA-256 of its public key's DER.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MDQCAQAwDQYLKwYBBAGD5i2ByHoEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZ
GhscHR4f
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "11f463e56a32c42e69011a2c34e0487090b71b07be7356a91f5b9452ca3c0695";

#[test]
fn the_drafts_example_is_read_and_written() {
    let read = PrivateKey::from_pem(PRIVATE).unwrap();
    assert_eq!(read.algorithm(), X_WING);
    assert_eq!(read.to_pem().unwrap().as_str(), PRIVATE);
    let public = read.public_key();
    let der = public.to_der().unwrap();
    assert_eq!(hex::encode(Sha256::digest(&der)), PUBLIC);
    assert_eq!(PublicKey::from_der(&der).unwrap(), public);
}

#[test]
fn its_private_key_is_the_bare_seed_and_stands_alone() {
    let own = key(X_WING, 7);
    let seed: [u8; 32] = super::counting_from(7);
    let read = PrivateKey::from_der(&pkcs8(X_WING, &seed)).unwrap();
    assert_eq!(read.public_key(), own.public_key());

    let refused = |der: &[u8]| PrivateKey::from_der(der).unwrap_err();
    let malformed = |error| matches!(error, Error::Malformed { field: Field::PrivateKeyFile, .. });
    let public = own.public_key();
    assert!(malformed(refused(&pkcs8_with_public(X_WING, &seed, public.as_bytes()))));
    for wrong in [&seed[1..], &seed_form(&seed), &[seed, seed].concat()] {
        assert!(matches!(refused(&pkcs8(X_WING, wrong)), Error::Length { .. }), "{wrong:?}");
    }
}
