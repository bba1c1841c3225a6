//! Passphrases: the keys that are derived from them, and the memory that Argon2id filled.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use pqc_core::{MasterKey, PassphraseParameters};

use super::{Secrets, derived, left_by, nothing, random};

const MEMORY_KIB: u32 = 19 << 10;

/// What Argon2id gives, and the last block of its memory.
fn argon2id(passphrase: &[u8], salt: &[u8; 16]) -> ([u8; 32], Vec<u8>) {
    let params = Params::new(MEMORY_KIB, 1, 1, Some(32)).unwrap();
    let argon2id = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut memory = vec![Block::new(); MEMORY_KIB as usize];
    let mut hashed = [0; 32];
    argon2id
        .hash_password_into_with_memory(passphrase, salt, &mut hashed, &mut memory[..])
        .unwrap();
    let last = memory.last().unwrap().as_ref().iter();
    (hashed, last.flat_map(|word| word.to_ne_bytes()).collect())
}

#[test]
fn a_master_key_of_a_passphrase_leaves_nothing() {
    let (passphrase, salt) = (random::<40>(), random::<16>());
    let (hashed, last_block) = argon2id(&passphrase, &salt);
    let secrets = Secrets::default()
        .with("passphrase", &passphrase)
        .with("what Argon2id gives", &hashed)
        .with("memory of Argon2id", &last_block)
        .with("master key", &derived(&hashed, b"pqc/v1/passphrase/master-key"));
    // The control: this is what the memory would show.
    let left = left_by(&secrets, || argon2id(&passphrase, &salt));
    assert_eq!(left.pieces["memory of Argon2id"], 2 * 1024 / 16, "{left:?}");

    let parameters = PassphraseParameters::new(MEMORY_KIB, 1, 1, salt).unwrap();
    nothing("derive", &secrets, || {
        MasterKey::from_passphrase(1, &passphrase, &parameters).unwrap()
    });
}
