//! Envelopes: the file key, what wraps it, and the text.

use pqc_core::envelope::{self, EnvelopeHeader, Opener, Recipients};
use pqc_core::{DecapsulationKey, KemAlgorithm, PassphraseParameters, StreamHeader};
use sha2::{Digest, Sha256};

use super::passphrases::{MEMORY_KIB, argon2id};
use super::{Given, Secrets, derived, expanded, left_by, nothing, nothing_but, random};

const DATA: &[u8] = b"data";
const WRAPPED_BYTES: usize = 72;

/// What one envelope is made of: the random bytes in the order in which they are drawn.
struct Drawn {
    file_key: [u8; 32],
    encapsulation: Vec<u8>,
    nonce: [u8; 24],
    salt: [u8; 32],
}

impl Drawn {
    fn new(encapsulation: Vec<u8>) -> Self {
        Self { file_key: random(), encapsulation, nonce: random(), salt: random() }
    }

    fn bytes(&self) -> Vec<u8> {
        [&self.file_key[..], &self.encapsulation, &self.nonce, &self.salt].concat()
    }

    /// The keys behind a header, whose one stanza is wrapped under `wrapping_key`.
    fn secrets(&self, header: &EnvelopeHeader, text: &[u8], wrapping_key: &[u8; 32]) -> Secrets {
        let stream_key = derived(&self.file_key, b"pqc/v1/envelope/stream");
        let data = Sha256::digest([&Sha256::digest(header.as_bytes()), DATA].concat());
        let info = [b"pqc/v1/stream/chunks", &[1, 2][..], &[0; 16], &data].concat();
        Secrets::default()
            .with("text", text)
            .with("file key", &self.file_key)
            .with("wrapping key", wrapping_key)
            .with("stream key", &stream_key)
            .with("chunk key", &expanded(&stream_key, Some(&self.salt), &info))
    }
}

/// What is put behind a label: the hash of the stanza's head.
fn info(label: &[u8], header: &EnvelopeHeader) -> Vec<u8> {
    let stanza = &header.as_bytes()[9..];
    [label, &Sha256::digest(&stanza[..stanza.len() - WRAPPED_BYTES])].concat()
}

#[test]
fn envelopes_for_keys_leave_no_text_and_no_key() {
    for kem in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(kem, &mut getrandom::SysRng).unwrap();
        let other = DecapsulationKey::generate(kem, &mut getrandom::SysRng).unwrap();
        let randomness: [u8; 64] = random();
        let drawn_bytes = if kem == KemAlgorithm::XWing { 64 } else { 32 };
        let drawn = Drawn::new(randomness[..drawn_bytes].to_vec());
        let (bytes, text) = (drawn.bytes(), random::<1000>());
        let public = [key.encapsulation_key()];
        let (_, shared) =
            public[0].encapsulate_unattested(&mut Given(&drawn.encapsulation)).unwrap();
        let recipients = Recipients::Keys(&public);
        let (header, _) = EnvelopeHeader::seal(&recipients, &mut Given(&bytes)).unwrap();
        let label = info(b"pqc/v1/envelope/recipient", &header);
        let secrets = drawn
            .secrets(&header, &text, &derived(shared.expose_bytes(), &label))
            .with("shared secret", shared.expose_bytes());

        let name = kem.name();
        let file = nothing_but(name, &secrets, || {
            envelope::seal(&text, &recipients, DATA, &mut Given(&bytes)).unwrap()
        });
        nothing(name, &secrets, || envelope::open(&file, &Opener::Key(&key), DATA).unwrap());
        nothing(name, &secrets, || envelope::open(&file, &Opener::Key(&key), b"").unwrap_err());
        nothing(name, &secrets, || envelope::open(&file, &Opener::Key(&other), DATA).unwrap_err());
        let cut = &file[..file.len() - 1];
        nothing(name, &secrets, || envelope::open(cut, &Opener::Key(&key), DATA).unwrap_err());
        nothing(name, &secrets, || {
            let (header, stream) = EnvelopeHeader::split_from(&file).unwrap();
            let (stream, chunks) = StreamHeader::split_from(stream).unwrap();
            let key = header.open(&Opener::Key(&key)).unwrap();
            key.opener(&stream, DATA).unwrap().open_last(chunks).unwrap()
        });
    }
}

#[test]
fn an_envelope_for_a_passphrase_leaves_nothing() {
    let (passphrase, text, salt) = (random::<40>(), random::<1000>(), random::<16>());
    let drawn = Drawn::new(Vec::new());
    let bytes = drawn.bytes();
    let parameters = PassphraseParameters::new(MEMORY_KIB, 1, 1, salt).unwrap();
    let recipients = Recipients::Passphrase(&passphrase, parameters);
    let (header, _) = EnvelopeHeader::seal(&recipients, &mut Given(&bytes)).unwrap();
    let (hashed, _) = argon2id(&passphrase, &salt);
    let label = info(b"pqc/v1/envelope/passphrase", &header);
    let secrets = drawn
        .secrets(&header, &text, &derived(&hashed, &label))
        .with("passphrase", &passphrase)
        .with("what Argon2id gives", &hashed);
    let file = nothing_but("seal", &secrets, || {
        envelope::seal(&text, &recipients, DATA, &mut Given(&bytes)).unwrap()
    });
    nothing("open", &secrets, || {
        envelope::open(&file, &Opener::Passphrase(&passphrase), DATA).unwrap()
    });
}

/// The control: the keys that are looked for are those that seal.
#[test]
fn the_wrapping_key_and_the_chunk_key_are_the_ones_that_are_looked_for() {
    use aes_gcm::aead::{Aead, KeyInit};
    let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut getrandom::SysRng).unwrap();
    let drawn = Drawn::new(random::<32>().to_vec());
    let bytes = drawn.bytes();
    let public = [key.encapsulation_key()];
    let (_, shared) = public[0].encapsulate_unattested(&mut Given(&drawn.encapsulation)).unwrap();
    let recipients = Recipients::Keys(&public);
    let file = envelope::seal(b"text", &recipients, DATA, &mut Given(&bytes)).unwrap();
    let (header, stream) = EnvelopeHeader::split_from(&file).unwrap();

    let label = info(b"pqc/v1/envelope/recipient", &header);
    let wrapping_key = derived(shared.expose_bytes(), &label);
    let (_, wrapped) = header.as_bytes().split_last_chunk::<WRAPPED_BYTES>().unwrap();
    let (nonce, sealed) = wrapped.split_first_chunk::<24>().unwrap();
    let cipher = xaes_256_gcm::Xaes256Gcm::new(&wrapping_key.into());
    assert_eq!(cipher.decrypt(nonce.into(), sealed).unwrap(), drawn.file_key);

    let stream_key = derived(&drawn.file_key, b"pqc/v1/envelope/stream");
    let data = Sha256::digest([&Sha256::digest(header.as_bytes()), DATA].concat());
    let info = [b"pqc/v1/stream/chunks", &[1, 2][..], &[0; 16], &data].concat();
    let chunk_key = expanded(&stream_key, Some(&drawn.salt), &info);
    let cipher = aes_gcm::Aes256Gcm::new(&chunk_key.into());
    let nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let opened = cipher.decrypt(&nonce.into(), &stream[StreamHeader::BYTES..]).unwrap();
    assert_eq!(opened, b"text");
    let secrets = drawn.secrets(&header, &random::<16>(), &wrapping_key);
    assert_eq!(left_by(&secrets, || chunk_key.to_vec()).pieces["chunk key"], 2);
}
