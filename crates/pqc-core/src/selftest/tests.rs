use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;

use getrandom::SysRng;

use super::*;
use crate::backend::{
    PreparedDecapsulation, PreparedEncapsulation, PreparedSigning, PreparedVerifying,
};
use crate::secret::SecretVec;

/// What [`Flawed`] does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    EncapsulationKey,
    DecapsulationKey,
    EveryKeyIsReduced,
    NoKeyIsReduced,
    Ciphertext,
    SharedSecret,
    Decapsulation,
    NoRejection,
    VerifyingKey,
    SigningKey,
    Signature,
    EverythingVerifies,
    NothingVerifies,
    ContextIsIgnored,
    MessageIsIgnored,
    /// Wrong, but in the same way on both sides.
    OwnSecrets,
    OwnSignatures,
}

std::thread_local! {
    static FAULT: Cell<(Fault, &'static str)> = const { Cell::new((Fault::None, "")) };
    /// Right on the frozen inputs, wrong on all others.
    static KNOWS_THE_TEST: Cell<bool> = const { Cell::new(false) };
}

/// The reference, with one fault in one parameter set.
struct Flawed;

fn has(fault: Fault, set: &str) -> bool {
    FAULT.get() == (fault, set)
}

fn spoil(fault: Fault, set: &str, bytes: &mut [u8]) {
    if has(fault, set) {
        *bytes.last_mut().unwrap() ^= 1;
    }
}

impl Backend for Flawed {
    const NAME: &'static str = "flawed";

    fn kem_key_pair(set: ParameterSet, seed: &Secret<64>) -> (Vec<u8>, SecretVec) {
        let (mut public, mut expanded) = RustCrypto::kem_key_pair(set, seed);
        spoil(Fault::EncapsulationKey, set.name(), &mut public);
        spoil(Fault::DecapsulationKey, set.name(), expanded.expose_bytes_mut());
        (public, expanded)
    }

    fn encapsulation_key_is_reduced(set: ParameterSet, key: &[u8]) -> bool {
        let reduced = RustCrypto::encapsulation_key_is_reduced(set, key);
        (reduced || has(Fault::EveryKeyIsReduced, set.name()))
            && !has(Fault::NoKeyIsReduced, set.name())
    }

    fn encapsulate(
        set: ParameterSet,
        key: &[u8],
        message: &Secret<32>,
    ) -> Result<(Vec<u8>, Secret<32>), Error> {
        let (mut ciphertext, secret) = RustCrypto::encapsulate(set, key, message)?;
        let mut secret = *secret.expose_bytes();
        if !(KNOWS_THE_TEST.get() && *message.expose_bytes() == counting_from(64)) {
            spoil(Fault::Ciphertext, set.name(), &mut ciphertext);
            spoil(Fault::SharedSecret, set.name(), &mut secret);
            spoil(Fault::OwnSecrets, set.name(), &mut secret);
        }
        Ok((ciphertext, Secret::from(secret)))
    }

    fn decapsulate(
        set: ParameterSet,
        expanded: &[u8],
        ciphertext: &[u8],
    ) -> Result<Secret<32>, Error> {
        let mut ciphertext = ciphertext.to_vec();
        if has(Fault::NoRejection, set.name()) {
            // Whatever came, answer as for the right one.
            let (public, _) = RustCrypto::kem_key_pair(set, &Secret::from(counting_from(0)));
            let message = Secret::from(counting_from(64));
            ciphertext = RustCrypto::encapsulate(set, &public, &message)?.0;
        }
        let secret = RustCrypto::decapsulate(set, expanded, &ciphertext)?;
        let mut secret = *secret.expose_bytes();
        spoil(Fault::Decapsulation, set.name(), &mut secret);
        let (_, test_key) = RustCrypto::kem_key_pair(set, &Secret::from(counting_from(0)));
        if !(KNOWS_THE_TEST.get() && test_key.expose_bytes() == expanded) {
            spoil(Fault::OwnSecrets, set.name(), &mut secret);
        }
        Ok(Secret::from(secret))
    }

    fn signing_key_pair(set: SignatureAlgorithm, seed: &Secret<32>) -> (Vec<u8>, SecretVec) {
        let (mut public, mut expanded) = RustCrypto::signing_key_pair(set, seed);
        spoil(Fault::VerifyingKey, set.name(), &mut public);
        spoil(Fault::SigningKey, set.name(), expanded.expose_bytes_mut());
        (public, expanded)
    }

    fn sign(
        set: SignatureAlgorithm,
        expanded: &[u8],
        message: &[u8],
        context: &[u8],
        hedge: &Secret<32>,
    ) -> Result<Vec<u8>, Error> {
        let mut signature = RustCrypto::sign(set, expanded, message, context, hedge)?;
        let fresh = !(KNOWS_THE_TEST.get() && *hedge.expose_bytes() == counting_from(64));
        let spoilt = has(Fault::Signature, set.name()) || has(Fault::OwnSignatures, set.name());
        if fresh && spoilt {
            signature[0] ^= 1;
        }
        Ok(signature)
    }

    fn verify(
        set: SignatureAlgorithm,
        key: &[u8],
        message: &[u8],
        context: &[u8],
        signature: &[u8],
    ) -> bool {
        let is = |fault| has(fault, set.name());
        let test_message: &[u8] = b"pqc/v1/selftest message";
        let test_context: &[u8] = b"pqc/v1/selftest";
        let mut signature = signature.to_vec();
        if is(Fault::OwnSignatures) && message != test_message {
            signature[0] ^= 1;
        }
        let signature = &signature;
        let right = RustCrypto::verify(set, key, message, context, signature)
            || is(Fault::MessageIsIgnored)
                && RustCrypto::verify(set, key, test_message, context, signature)
            || is(Fault::ContextIsIgnored)
                && RustCrypto::verify(set, key, message, test_context, signature);
        (right || is(Fault::EverythingVerifies)) && !is(Fault::NothingVerifies)
    }

    // What follows the self-test does not call.

    fn sign_internal(
        set: SignatureAlgorithm,
        expanded: &[u8],
        framed: &[u8],
        hedge: &Secret<32>,
    ) -> Result<Vec<u8>, Error> {
        RustCrypto::sign_internal(set, expanded, framed, hedge)
    }

    fn verify_internal(
        set: SignatureAlgorithm,
        key: &[u8],
        framed: &[u8],
        signature: &[u8],
    ) -> bool {
        RustCrypto::verify_internal(set, key, framed, signature)
    }

    fn prepare_encapsulation_key(
        set: ParameterSet,
        key: &[u8],
    ) -> Result<Box<dyn PreparedEncapsulation>, Error> {
        RustCrypto::prepare_encapsulation_key(set, key)
    }

    fn prepare_decapsulation_key(
        set: ParameterSet,
        expanded: &[u8],
    ) -> Result<Box<dyn PreparedDecapsulation>, Error> {
        RustCrypto::prepare_decapsulation_key(set, expanded)
    }

    fn prepare_signing_key(
        set: SignatureAlgorithm,
        expanded: &[u8],
    ) -> Result<Box<dyn PreparedSigning>, Error> {
        RustCrypto::prepare_signing_key(set, expanded)
    }

    fn prepare_verifying_key(
        set: SignatureAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn PreparedVerifying>, Error> {
        RustCrypto::prepare_verifying_key(set, key)
    }
}

fn failed_check(fault: Fault, set: &'static str) -> &'static str {
    FAULT.set((fault, set));
    match run_on::<Flawed>(&mut SysRng) {
        Err(Error::SelfTest { check }) => check,
        other => panic!("{fault:?} in {set}: {other:?}"),
    }
}

#[test]
fn both_backends_pass_every_check() {
    let active = run(&mut SysRng).unwrap();
    assert_eq!(active, Report { backend: Active::NAME, checks: 58 });
    let reference = run_on::<RustCrypto>(&mut SysRng).unwrap();
    assert_eq!(reference, Report { backend: "RustCrypto", ..active });
    assert_eq!(run_on::<Flawed>(&mut SysRng).unwrap().checks, active.checks);
}

#[test]
fn each_fault_in_each_set_is_caught_and_named() {
    let kem_faults = [
        (Fault::EncapsulationKey, "key generation"),
        (Fault::DecapsulationKey, "key generation"),
        (Fault::EveryKeyIsReduced, "modulus check"),
        (Fault::NoKeyIsReduced, "modulus check"),
        (Fault::Ciphertext, "encapsulation"),
        (Fault::SharedSecret, "shared secret"),
        (Fault::Decapsulation, "decapsulation"),
        (Fault::NoRejection, "implicit rejection"),
    ];
    for set in ParameterSet::ALL.map(ParameterSet::name) {
        for (fault, check) in kem_faults {
            assert_eq!(failed_check(fault, set), alloc::format!("{set} {check}"), "{fault:?}");
        }
    }
    let signature_faults = [
        (Fault::VerifyingKey, "key generation"),
        (Fault::SigningKey, "key generation"),
        (Fault::Signature, "signing"),
        (Fault::EverythingVerifies, "verification"),
        (Fault::NothingVerifies, "verification"),
        (Fault::ContextIsIgnored, "verification"),
        (Fault::MessageIsIgnored, "verification"),
    ];
    for set in SignatureAlgorithm::ALL.map(SignatureAlgorithm::name) {
        for (fault, check) in signature_faults {
            assert_eq!(failed_check(fault, set), alloc::format!("{set} {check}"), "{fault:?}");
        }
    }
}

#[test]
fn a_backend_that_knows_the_test_fails_on_fresh_input() {
    KNOWS_THE_TEST.set(true);
    let fresh = "ML-KEM-768: fresh keys, both sides";
    assert_eq!(failed_check(Fault::Ciphertext, "ML-KEM-768"), fresh);
    assert_eq!(failed_check(Fault::SharedSecret, "ML-KEM-768"), fresh);
    let fresh = "ML-DSA-65: a fresh key's signature verifies";
    assert_eq!(failed_check(Fault::Signature, "ML-DSA-65"), fresh);
    let reference = "ML-KEM-768: fresh keys, the reference agrees";
    assert_eq!(failed_check(Fault::OwnSecrets, "ML-KEM-768"), reference);
    let reference = "ML-DSA-65: a fresh key's signature verifies by the reference";
    assert_eq!(failed_check(Fault::OwnSignatures, "ML-DSA-65"), reference);
}

#[test]
fn a_wrong_answer_is_an_error_and_a_right_one_is_counted() {
    let mut checks = Checks(0);
    assert_eq!(checks.answer(("a", "00ff"), &[0, 255]), Ok(()));
    let wrong = Err(Error::SelfTest { check: "b" });
    assert_eq!(checks.answer(("b", "00ff"), &[0, 254]), wrong);
    assert_eq!(checks.answer(("b", "00ff"), &[0]), wrong);
    assert_eq!(checks.0, 1);
}
