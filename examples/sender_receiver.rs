//! A sender and a receiver with nothing between them but bytes: the core alone, no server.
//!
//! The receiver makes a key, an issuer vouches for it, the sender checks that and encapsulates;
//! both then hold one key, exchange a text, and the receiver signs its answer.
//!
//! Run it: `cargo run --package pqc-examples --bin sender_receiver`
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use getrandom::SysRng;
use pqc_core::{
    AccountId, Attestation, BoxKey, Ciphertext, Context, DecapsulationKey, Issuer, KemAlgorithm,
    MessageBox, SignatureAlgorithm, SigningKey, Timestamp, TrustedIssuers, UnverifiedKey,
    VerifiedEncapsulationKey, VerifyingKey,
};

fn main() -> Result<()> {
    // The core reads no clock and has no generator: its caller hands both in.
    let mut rng = SysRng;
    let now = Timestamp::from_seconds(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
    let receiver_account = AccountId::from_bytes(*b"example receiver");

    // An issuer that the sender knows: its verifying key came to the sender by a safe way.
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, &mut rng)?;
    let pinned: VerifyingKey = issuer.verifying_key().clone();

    // The receiver makes a key pair; the issuer vouches for its public half.
    let secret_key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng)?;
    let public_key = secret_key.encapsulation_key();
    let attestation = issuer.attest(receiver_account, public_key, now, None, &mut rng)?;
    let (sent_key, sent_attestation) = (public_key.as_bytes().to_vec(), attestation.to_bytes());
    println!(
        "receiver: public key {} bytes, attestation {} bytes",
        sent_key.len(),
        sent_attestation.len()
    );

    // The sender checks who made the key before it encapsulates: no other way compiles.
    let verified = VerifiedEncapsulationKey::verify(
        &UnverifiedKey::from_bytes(&sent_key)?,
        &Attestation::from_bytes(&sent_attestation)?,
        &pinned,
        &TrustedIssuers::new([pinned.clone()]),
        Some(receiver_account),
        now,
    )?;
    let (ciphertext, sender_secret) = verified.encapsulate(&mut rng)?;
    let text = "the treaty is signed at noon";
    let sealed =
        BoxKey::from_caller(sender_secret.as_secret()).seal(text.as_bytes(), b"", &mut rng)?;
    let (sent_ciphertext, sent_box) = (ciphertext.as_bytes().to_vec(), sealed.as_bytes().to_vec());
    println!("sender:   ciphertext {} bytes, box {} bytes", sent_ciphertext.len(), sent_box.len());

    // The receiver decapsulates and reads.
    let receiver_secret = secret_key.decapsulate(&Ciphertext::from_bytes(&sent_ciphertext)?)?;
    let opened = BoxKey::from_caller(receiver_secret.as_secret())
        .open(&MessageBox::from_bytes(sent_box)?, b"")?;
    ensure!(opened.expose_bytes() == text.as_bytes(), "the text came out changed");
    println!("receiver: read the text of {} bytes", opened.len());

    // The receiver signs its answer; a changed answer does not verify.
    let signing_key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng)?;
    let context = Context::new(b"example/answer")?;
    let signature = signing_key.sign(b"agreed", context, &mut rng)?;
    let verifying_key = signing_key.verifying_key();
    ensure!(verifying_key.verify(b"agreed", context, &signature), "a right signature is refused");
    ensure!(!verifying_key.verify(b"refused", context, &signature), "a wrong one is accepted");
    println!("sender:   the receiver's signature of {} bytes verifies", signature.as_bytes().len());
    Ok(())
}
