//! The frozen answers of the self-test.

use crate::kem::ParameterSet;
use crate::sign::SignatureAlgorithm;

/// A check's name, and the answer in hex.
pub(super) type Answer = (&'static str, &'static str);

/// Frozen answers of one parameter set: hashes of what is long, and what is not as it is.
pub(super) struct KemAnswers {
    pub(super) algorithm: ParameterSet,
    /// SHA-256 (encapsulation key ‖ expanded key).
    pub(super) keys: Answer,
    /// SHA-256 (ciphertext).
    pub(super) ciphertext: Answer,
    pub(super) secret: Answer,
    pub(super) decapsulation: &'static str,
    /// The secret of the ciphertext whose first bit was flipped.
    pub(super) rejection: Answer,
    pub(super) modulus: &'static str,
}

/// Frozen answers of one parameter set.
pub(super) struct SignatureAnswers {
    pub(super) algorithm: SignatureAlgorithm,
    /// SHA-256 (verifying key ‖ expanded key).
    pub(super) keys: Answer,
    /// SHA-256 (signature).
    pub(super) signature: Answer,
    pub(super) verification: &'static str,
}

pub(super) const SHA_256: Answer =
    ("SHA-256 (FIPS 180-4)", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
pub(super) const SHA3_256: Answer =
    ("SHA3-256 (FIPS 202)", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
pub(super) const SHAKE256: Answer =
    ("SHAKE256 (FIPS 202)", "483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739");
pub(super) const HKDF_SHA_256: Answer = (
    "HKDF-SHA-256 (RFC 5869, A.1)",
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
);
pub(super) const XAES_256_GCM: Answer =
    ("XAES-256-GCM (C2SP)", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
/// The same key, nonce and data with a text of 8192 bytes 5a: SHA-256 of ciphertext and tag.
pub(super) const XAES_256_GCM_LONG: Answer = (
    "XAES-256-GCM of a long text",
    "257c25f7d8c77879b2d3898a3f942fae7e66083ee848a35615eda253fe4d292b",
);
/// The first vector of the draft: seed, and the randomness of the encapsulation.
pub(super) const X_WING_SEED: &str =
    "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26";
pub(super) const X_WING_RANDOMNESS: &str = "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2\
     35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2";
pub(super) const X_WING: Answer =
    ("X-Wing: secret", "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384");

/// Key 00…1f, text `pqc`, associated data `aad`, nonce 40…57.
pub(super) const BOX: Answer = (
    "message box",
    "010100000000000000000000000000000000404142434445464748494a4b4c4d4e4f505152535455\
     56578ca8c380daf2f817254fe6a4346c8138124344",
);

/// The same key, text and data; salt 40…5f.
pub(super) const STREAM: Answer = (
    "stream",
    "010200000000000000000000000000000000404142434445464748494a4b4c4d4e4f505152535455\
     565758595a5b5c5d5e5fa772080d623af82d21b6f0693f06971fcf90c8d7bc7e4b4ad69fbb7f6239\
     dfc56900f61b2c8dd64b66038e7e872fab1470e486",
);

/// Seed 00…3f, message m 40…5f.
pub(super) const KEM_ANSWERS: [KemAnswers; 3] = [
    KemAnswers {
        algorithm: ParameterSet::MlKem512,
        keys: (
            "ML-KEM-512 key generation",
            "455df78478ae83c0037b34cf848965804ba5d94ca631adcebf1aa535e1541693",
        ),
        ciphertext: (
            "ML-KEM-512 encapsulation",
            "81efe667826848514dcae46fc10cfd34f7b95ed6900e094f727c9e7cccc34df2",
        ),
        secret: (
            "ML-KEM-512 shared secret",
            "14cace3e48771b316676afad2cfcfe8488daaa4fad954e57236caa3f24a42cf7",
        ),
        decapsulation: "ML-KEM-512 decapsulation",
        rejection: (
            "ML-KEM-512 implicit rejection",
            "32ee1fb3f7bd2915218e9c1b2d0d2da88f0edce6804278bab3a6123c5bb64fc4",
        ),
        modulus: "ML-KEM-512 modulus check",
    },
    KemAnswers {
        algorithm: ParameterSet::MlKem768,
        keys: (
            "ML-KEM-768 key generation",
            "1e87ab6b57eba5b82c6ea17c19d7bff3f4a03239fd16a554b04eb9f309b60a56",
        ),
        ciphertext: (
            "ML-KEM-768 encapsulation",
            "dbf4e9aa48b078ad46ec1c9c47bda8c2d2fec9d0e7a21bd48d2238a2abedb856",
        ),
        secret: (
            "ML-KEM-768 shared secret",
            "9cddd089ffe70e3996e76f7c8d06746df34d07e8657bc0fcf2bb0e1c3084aea1",
        ),
        decapsulation: "ML-KEM-768 decapsulation",
        rejection: (
            "ML-KEM-768 implicit rejection",
            "dcfc80c6db46ff7028e3a4398651c063ae7a42c107a6dc8cb07141861698ab92",
        ),
        modulus: "ML-KEM-768 modulus check",
    },
    KemAnswers {
        algorithm: ParameterSet::MlKem1024,
        keys: (
            "ML-KEM-1024 key generation",
            "4a912c6a35e14ea594a129d4b6fbb260b750ca395444a9c72738b730eb47eb36",
        ),
        ciphertext: (
            "ML-KEM-1024 encapsulation",
            "7c89743960f7c3d17bb69572e49de14fe0990c9113a0706963a8f4c7b39afcdf",
        ),
        secret: (
            "ML-KEM-1024 shared secret",
            "0ad8d1ea1b8dd788979b4379581218df9321bdce5567eca42ae6be7d395f1a54",
        ),
        decapsulation: "ML-KEM-1024 decapsulation",
        rejection: (
            "ML-KEM-1024 implicit rejection",
            "8f2c880890996c587aa500cf8b6da03372de706a9f96075744bb0956ea6fbaac",
        ),
        modulus: "ML-KEM-1024 modulus check",
    },
];

/// Seed 00…1f, rnd 40…5f.
pub(super) const SIGNATURE_ANSWERS: [SignatureAnswers; 3] = [
    SignatureAnswers {
        algorithm: SignatureAlgorithm::MlDsa44,
        keys: (
            "ML-DSA-44 key generation",
            "c025b87549cc258eba702884b4968ac30e25b3088ae575f21482c93de2b18a92",
        ),
        signature: (
            "ML-DSA-44 signing",
            "6e38e3f848aeb8d6f136461d30fd6e9d0cdf01aeddaecf86a53e8f89babc1048",
        ),
        verification: "ML-DSA-44 verification",
    },
    SignatureAnswers {
        algorithm: SignatureAlgorithm::MlDsa65,
        keys: (
            "ML-DSA-65 key generation",
            "6fa7a48250129f8b18b6d6abe0eb4dfd5a7147cb6590cc77b94b353219352362",
        ),
        signature: (
            "ML-DSA-65 signing",
            "8bd993aa4a464a73c03ec405ff25abc89d6a7040a0c3c4b63730bcfbea2534df",
        ),
        verification: "ML-DSA-65 verification",
    },
    SignatureAnswers {
        algorithm: SignatureAlgorithm::MlDsa87,
        keys: (
            "ML-DSA-87 key generation",
            "deb620dc633ebd59ba01f6d9a170b4e9dbfdc34db16a2ea22fb16e8cbe891af8",
        ),
        signature: (
            "ML-DSA-87 signing",
            "bf146e83dfe4d710e983424a5f59a68228997913873ad0724af93449992d0e72",
        ),
        verification: "ML-DSA-87 verification",
    },
];
