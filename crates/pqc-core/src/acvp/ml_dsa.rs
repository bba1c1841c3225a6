//! ML-DSA (FIPS 204): key generation, signing and verification through each interface.

use alloc::borrow::Cow;

use super::Reason;
use super::document::{Answer, Case, Group, Hex};
use crate::backend::{self, Active, Backend};
use crate::secret::Secret;
use crate::sign::{Context, Mu, PreHash, PreHashAlgorithm, SignatureAlgorithm, SigningKey};

/// `keyGen`: ML-DSA.KeyGen_internal (FIPS 204, Algorithm 6).
pub(super) fn key_gen(group: &Group, case: &Case) -> Result<Answer, Reason> {
    let seed = Secret::from(case.seed.array("seed")?);
    let (pk, sk) = Active::signing_key_pair(parameter_set(group)?, &seed);
    Ok(Answer::SigningKeyPair { pk: Hex(pk), sk: Hex(sk.expose_bytes().to_vec()) })
}

/// `sigGen`: a signature by an expanded key, with the given rnd or the deterministic variant's.
pub(super) fn sig_gen(group: &Group, case: &Case) -> Result<Answer, Reason> {
    let set = parameter_set(group)?;
    let sk = case.sk.sized("sk", set.expanded_key_bytes())?;
    SigningKey::from_expanded(sk)?;
    let deterministic = *group.deterministic.get("deterministic")?;
    let rnd = Secret::from(if deterministic { [0; 32] } else { case.rnd.array("rnd")? });
    let signature = match Input::of(group, case)? {
        Input::Pure { message, context } => {
            Active::sign(set, sk, message, context.as_bytes(), &rnd)
        }
        Input::Framed(framed) => Active::sign_internal(set, sk, &framed, &rnd),
        Input::Mu(mu) => Active::prepare_signing_key(set, sk)?.sign_mu(&mu, &rnd),
    }?;
    Ok(Answer::Signed { signature: Hex(signature) })
}

/// `sigVer`: a verdict. It is false for a key or a signature of another length than the parameter
/// set's, as FIPS 204, Section 3.6.2 has it.
pub(super) fn sig_ver(group: &Group, case: &Case) -> Result<Answer, Reason> {
    let set = parameter_set(group)?;
    let (pk, signature) = (case.pk.bytes("pk")?, case.signature.bytes("signature")?);
    let input = Input::of(group, case)?;
    let lengths_fit =
        pk.len() == set.verifying_key_bytes() && signature.len() == set.signature_bytes();
    let test_passed = lengths_fit
        && match input {
            Input::Pure { message, context } => {
                backend::verify(set, pk, message, context.as_bytes(), signature)
            }
            Input::Framed(framed) => Active::verify_internal(set, pk, &framed, signature),
            Input::Mu(mu) => Active::prepare_verifying_key(set, pk)?.verify_mu(&mu, signature),
        };
    Ok(Answer::Verdict { test_passed })
}

/// What is signed, by the interface that takes it.
enum Input<'a> {
    /// ML-DSA.Sign and .Verify (FIPS 204, Algorithms 2 and 3).
    Pure { message: &'a [u8], context: Context<'a> },
    /// M′ of Algorithms 7 and 8: given as such, or framed for HashML-DSA (Algorithms 4 and 5).
    Framed(Cow<'a, [u8]>),
    /// μ of Algorithms 7 and 8, made elsewhere.
    Mu([u8; Mu::BYTES]),
}

impl<'a> Input<'a> {
    fn of(group: &Group, case: &'a Case) -> Result<Self, Reason> {
        match group.signature_interface.get("signatureInterface")?.as_str() {
            "external" => Self::external(group, case),
            "internal" if *group.external_mu.get("externalMu")? => {
                case.mu.array("mu").map(Self::Mu)
            }
            "internal" => Ok(Self::Framed(case.message.bytes("message")?.into())),
            _ => Err(Reason::Unserved { member: "signatureInterface" }),
        }
    }

    fn external(group: &Group, case: &'a Case) -> Result<Self, Reason> {
        let pre_hash = group.pre_hash.get("preHash")?;
        let message = case.message.bytes("message")?;
        let context = Context::new(case.context.bytes("context")?)?;
        match pre_hash.as_str() {
            "pure" => Ok(Self::Pure { message, context }),
            "preHash" => {
                let hash = hash_function(case.hash_alg.get("hashAlg")?)?;
                Ok(Self::Framed(PreHash::of(hash, message).framed(context).into()))
            }
            _ => Err(Reason::Unserved { member: "preHash" }),
        }
    }
}

fn parameter_set(group: &Group) -> Result<SignatureAlgorithm, Reason> {
    let name = group.parameter_set.get("parameterSet")?;
    SignatureAlgorithm::ALL
        .into_iter()
        .find(|set| set.name() == name)
        .ok_or(Reason::Unserved { member: "parameterSet" })
}

/// The hash function of ACVP's name, which is not the standard's.
fn hash_function(name: &str) -> Result<PreHashAlgorithm, Reason> {
    Ok(match name {
        "SHA2-224" => PreHashAlgorithm::Sha224,
        "SHA2-256" => PreHashAlgorithm::Sha256,
        "SHA2-384" => PreHashAlgorithm::Sha384,
        "SHA2-512" => PreHashAlgorithm::Sha512,
        "SHA2-512/224" => PreHashAlgorithm::Sha512_224,
        "SHA2-512/256" => PreHashAlgorithm::Sha512_256,
        "SHA3-224" => PreHashAlgorithm::Sha3_224,
        "SHA3-256" => PreHashAlgorithm::Sha3_256,
        "SHA3-384" => PreHashAlgorithm::Sha3_384,
        "SHA3-512" => PreHashAlgorithm::Sha3_512,
        "SHAKE-128" => PreHashAlgorithm::Shake128,
        "SHAKE-256" => PreHashAlgorithm::Shake256,
        _ => return Err(Reason::Unserved { member: "hashAlg" }),
    })
}
