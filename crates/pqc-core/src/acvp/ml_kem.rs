//! ML-KEM (FIPS 203): key generation, both operations, and the checks of their inputs.

use super::Reason;
use super::document::{Answer, Case, Group, Hex};
use crate::backend::{Active, Backend};
use crate::error::Error;
use crate::kem::{DecapsulationKey, EncapsulationKey, ParameterSet};
use crate::secret::Secret;

/// `keyGen`: ML-KEM.KeyGen_internal (FIPS 203, Algorithm 16).
pub(super) fn key_gen(group: &Group, case: &Case) -> Result<Answer, Reason> {
    let set = parameter_set(group)?;
    let (d, z) = (case.d.sized("d", 32)?, case.z.sized("z", 32)?);
    let seed = Secret::fill_with(|seed: &mut [u8; 64]| {
        let (first, last) = seed.split_at_mut(32);
        first.copy_from_slice(d);
        last.copy_from_slice(z);
        Ok::<_, Reason>(())
    })?;
    let (ek, dk) = Active::kem_key_pair(set, &seed);
    Ok(Answer::KemKeyPair { ek: Hex(ek), dk: Hex(dk.expose_bytes().to_vec()) })
}

/// `encapDecap`: what the group's `function` says.
pub(super) fn encap_decap(group: &Group, case: &Case) -> Result<Answer, Reason> {
    let set = parameter_set(group)?;
    match group.function.get("function")?.as_str() {
        "encapsulation" => encapsulation(set, case),
        "decapsulation" => decapsulation(set, case),
        "encapsulationKeyCheck" => Ok(verdict(encapsulation_key_passes(set, case.ek.bytes("ek")?))),
        "decapsulationKeyCheck" => decapsulation_key_passes(set, case.dk.bytes("dk")?).map(verdict),
        _ => Err(Reason::Unserved { member: "function" }),
    }
}

/// ML-KEM.Encaps_internal (FIPS 203, Algorithm 17), to a key that passes its checks.
fn encapsulation(set: ParameterSet, case: &Case) -> Result<Answer, Reason> {
    let key = case.ek.sized("ek", set.encapsulation_key_bytes())?;
    let key = EncapsulationKey::from_bytes(key)?;
    let message = Secret::from(case.m.array("m")?);
    let (c, k) = Active::encapsulate(set, key.as_bytes(), &message)?;
    Ok(Answer::Encapsulated { c: Hex(c), k: Hex(k.expose_bytes().to_vec()) })
}

/// ML-KEM.Decaps_internal (FIPS 203, Algorithm 18), by a key that passes its checks.
fn decapsulation(set: ParameterSet, case: &Case) -> Result<Answer, Reason> {
    let key = case.dk.sized("dk", set.expanded_key_bytes())?;
    DecapsulationKey::from_expanded(key)?;
    let ciphertext = case.c.sized("c", set.ciphertext_bytes())?;
    let k = Active::decapsulate(set, key, ciphertext)?;
    Ok(Answer::Decapsulated { k: Hex(k.expose_bytes().to_vec()) })
}

/// The type check and the modulus check (FIPS 203, Section 7.2).
fn encapsulation_key_passes(set: ParameterSet, key: &[u8]) -> bool {
    key.len() == set.encapsulation_key_bytes() && Active::encapsulation_key_is_reduced(set, key)
}

/// The type check and the hash check (FIPS 203, Section 7.3), and no more: the embedded
/// encapsulation key need not be reduced to pass them.
fn decapsulation_key_passes(set: ParameterSet, key: &[u8]) -> Result<bool, Reason> {
    if key.len() != set.expanded_key_bytes() {
        return Ok(false);
    }
    match DecapsulationKey::from_expanded(key) {
        Ok(_) | Err(Error::EncapsulationKeyModulus) => Ok(true),
        Err(Error::DecapsulationKeyHash) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

fn verdict(test_passed: bool) -> Answer {
    Answer::Verdict { test_passed }
}

fn parameter_set(group: &Group) -> Result<ParameterSet, Reason> {
    let name = group.parameter_set.get("parameterSet")?;
    ParameterSet::ALL
        .into_iter()
        .find(|set| set.name() == name)
        .ok_or(Reason::Unserved { member: "parameterSet" })
}
