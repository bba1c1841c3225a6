//! The cryptography and the token policy of pqc, as typed functions.
//!
//! This crate does no I/O. It reads no clock, no file, no socket and no environment: the caller
//! hands in the time ([`Timestamp`]), randomness ([`rand_core::TryCryptoRng`]) and bytes, and gets
//! values back. So one core serves the server, the command line, a fuzzer and a bench, and every
//! test is a table.
//!
//! # Where to start
//!
//! * [`kem`]: ML-KEM (FIPS 203) and X-Wing (draft-connolly-cfrg-xwing-kem); [`sign`]: ML-DSA (FIPS
//!   204), pure and pre-hashed, whole, piece by piece, or by its μ.
//! * [`keyfile`]: keys as other programs write them: PKCS#8 (RFC 5958), also encrypted (RFC 8018),
//!   SubjectPublicKeyInfo (RFC 5280), in DER and PEM (RFC 7468), and JSON Web Keys (RFC 7517).
//! * [`attest`]: the issuer's statement about an encapsulation key, and
//!   [`VerifiedEncapsulationKey`], the proof that it was checked.
//! * [`message`]: one text, one AES-256 key, one self-describing box (XAES-256-GCM).
//! * [`stream`]: the same for data of any length, chunk by chunk, in constant memory (STREAM).
//! * [`envelope`]: a stream for the owners of some keys, or by a passphrase.
//! * [`manifest`]: a list of files with their hashes, which is signed in their place.
//! * [`seal`]: secrets at rest under a master key; [`passphrase`]: one made from a passphrase.
//! * [`token`]: token values and the policy that admits or refuses a call; [`replay`]: the same
//!   answer again for who repeats one.
//! * [`session`]: what a browser's cookie holds, and whether its session lives.
//! * [`secret`]: the types that hold secrets; [`id`] and [`time`]: those that do not.
//! * [`error`]: everything that can go wrong, grouped by who must act.
//! * [`selftest`]: known answers, run before a program trusts this build.
//! * `inspect`, with the feature of that name: what any of these bytes are. `acvp`, with the feature of
//!   that name: answers to NIST's test vectors. `backend`, with the
//!   feature `hazmat`: the seam to the implementations below, which checks no input.
//!
//! Every byte of the formats that are our own stands in the repository's `docs/formats.md`; what is
//! proved, tested or only assumed, in its `SOUNDNESS.md`.
//!
//! ```
//! use pqc_core::{KemAlgorithm, DecapsulationKey};
//! # fn main() -> Result<(), pqc_core::Error> {
//! let mut rng = getrandom::SysRng;
//! let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng)?;
//! let (ciphertext, sent) = receiver.encapsulation_key().encapsulate_unattested(&mut rng)?;
//! let received = receiver.decapsulate(&ciphertext)?;
//! assert!(sent.ct_eq(&received));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! All are additive: none changes an answer or switches off a check of what is public without it.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `libcrux` | yes | the fast backend, on x86-64 and aarch64; elsewhere, and without it, RustCrypto's does all the work |
//! | `hazmat` | no | encapsulation with a message that the caller gives, `hazmat_encapsulate_deterministic`; the module `backend` |
//! | `acvp` | no | the module `acvp` |
//! | `inspect` | no | the module `inspect` |
//! | `aws-lc` | no | AES-256-GCM of streams and long texts, and ML-DSA verification without a context, by AWS-LC, which is faster at them; needs a C compiler, and `std` |
//! | `parallel` | no | batches of signatures, and many chunks of a stream, on all cores: in the rayon pool that the caller is in; needs `std` |
//! | `std` | no | streams over the caller's readers and writers of `std::io` |
//!
//! The crate is `no_std`, and needs an allocator. Any [`rand_core::TryCryptoRng`] will do: with an
//! operating system, `getrandom::SysRng` as in the examples.
//!
//! # In place of the crates below
//!
//! The algorithms are those of ml-kem, ml-dsa and x-wing, or libcrux's; keys, ciphertexts and
//! signatures are the same bytes. What is called otherwise:
//!
//! | there | here |
//! |---|---|
//! | a type parameter `MlKem768`, a module `mlkem768` | a value: [`KemAlgorithm::MlKem768`] |
//! | `MlKem768::generate_keypair()` | [`DecapsulationKey::generate`], which gives both halves |
//! | `DecapsulationKey::from_seed`, `to_seed` | [`DecapsulationKey::from_seed`], [`DecapsulationKey::expose_seed`] |
//! | `from_expanded`, `to_expanded_bytes` | [`DecapsulationKey::from_expanded`], [`DecapsulationKey::expose_expanded`] |
//! | `EncapsulationKey::new` | [`EncapsulationKey::from_bytes`] |
//! | `encapsulate` | [`VerifiedEncapsulationKey::encapsulate`] to a key that an issuer attested; [`EncapsulationKey::encapsulate_unattested`] to any other |
//! | `encapsulate_deterministic` | `hazmat_encapsulate_deterministic`, with the feature `hazmat` |
//! | `decapsulate` | [`DecapsulationKey::decapsulate`] |
//! | `==` of shared keys | [`SharedSecret::ct_eq`] |
//! | `sign_randomized`, `sign_deterministic` | [`SigningKey::sign`], [`SigningKey::sign_deterministic`] |
//! | `sign_mu_randomized`, `compute_mu` | [`SigningKey::sign_mu`], [`VerifyingKey::mu`], [`VerifyingKey::mu_hasher`] |
//! | `verify_with_context`, `verify_mu` | [`VerifyingKey::verify`], [`VerifyingKey::verify_mu`] |
//! | a context `&[u8]` | [`Context`], of at most 255 bytes |
//! | an unpacked or expanded key for many calls | `prepare`, of each kind of key |
//!
//! What a seed or a key is printed as, whether it wipes itself, and which lengths and checks were
//! done before a call no longer depend on who uses it: the types see to that.
#![no_std]
#![forbid(unsafe_code)]
// A division takes a time that depends on its operands. The few that there are say what is public.
#![warn(clippy::integer_division_remainder_used)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::integer_division_remainder_used,
        clippy::panic,
        reason = "a test that panics has failed, which is what it is for"
    )
)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(feature = "acvp")]
pub mod acvp;
mod aead;
pub mod attest;
pub mod audit;
#[cfg(feature = "hazmat")]
pub mod backend;
#[cfg(not(feature = "hazmat"))]
#[expect(unreachable_pub, reason = "public with the feature")]
mod backend;
pub mod checksum;
pub mod envelope;
pub mod error;
mod hybrid;
pub mod id;
#[cfg(feature = "inspect")]
pub mod inspect;
pub mod kem;
pub mod keyfile;
pub mod manifest;
pub mod message;
pub mod passphrase;
pub mod replay;
pub mod seal;
pub mod secret;
pub mod selftest;
pub mod session;
pub mod sign;
pub mod stream;
pub mod time;
pub mod token;

pub use attest::{Attestation, Issuer, TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey};
pub use envelope::{EnvelopeHeader, EnvelopeKey};
pub use error::{Error, Field};
pub use id::{AccountId, KeyId, TokenId};
pub use kem::{Ciphertext, DecapsulationKey, EncapsulationKey, KemAlgorithm, SharedSecret};
pub use message::{BoxKey, MessageBox};
pub use passphrase::PassphraseParameters;
pub use seal::{MasterKey, MasterKeys, RecordKind, RecordName, SealedRecord};
pub use secret::{Secret, SecretVec};
pub use sign::{Context, Signature, SignatureAlgorithm, SigningKey, VerifyingKey};
pub use stream::{StreamHeader, StreamKey, StreamLayout, StreamOpener, StreamSealer};
pub use time::Timestamp;
