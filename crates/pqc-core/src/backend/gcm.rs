//! AES-256-GCM (SP 800-38D) and XAES-256-GCM (C2SP): RustCrypto's, or with the feature `aws-lc`
//! AWS-LC's, where that is faster: in streams, and for long texts.
//!
//! Both give the same bytes for the same input: the tests below and [`crate::selftest`] hold them to
//! it. What is sealed is the ciphertext and behind it the tag.

#[cfg(feature = "aws-lc")]
mod aws_lc;
mod rustcrypto;

use crate::error::Error;
use crate::secret::Secret;

#[cfg(feature = "aws-lc")]
pub(crate) use aws_lc::Aes256Gcm;
#[cfg(not(feature = "aws-lc"))]
pub(crate) use rustcrypto::Aes256Gcm;

/// The bytes of an XAES-256-GCM nonce.
pub(crate) const XAES_NONCE_BYTES: usize = 24;
/// The bytes of a tag.
pub(crate) const TAG_BYTES: usize = 16;

/// Seals `text` into `sealed`, which is [`TAG_BYTES`] longer, by XAES-256-GCM.
///
/// # Errors
/// [`Error::Internal`]: other lengths, or a text of more than 2^36 - 32 bytes.
pub(crate) fn xaes_seal(
    key: &Secret<32>,
    nonce: &[u8; XAES_NONCE_BYTES],
    associated_data: &[u8],
    text: &[u8],
    sealed: &mut [u8],
) -> Result<(), Error> {
    #[cfg(feature = "aws-lc")]
    if text.len() >= aws_lc::LONG_BYTES {
        return aws_lc::xaes_seal(key, nonce, associated_data, text, sealed);
    }
    rustcrypto::xaes_seal(key, nonce, associated_data, text, sealed)
}

/// Opens `sealed` where it lies, by XAES-256-GCM: the text is all of it but the last [`TAG_BYTES`].
/// `None` if it does not authenticate: it then holds nothing of use.
pub(crate) fn xaes_open(
    key: &Secret<32>,
    nonce: &[u8; XAES_NONCE_BYTES],
    associated_data: &[u8],
    sealed: &mut [u8],
) -> Option<()> {
    #[cfg(feature = "aws-lc")]
    if sealed.len() >= aws_lc::LONG_BYTES + TAG_BYTES {
        return aws_lc::xaes_open(key, nonce, associated_data, sealed);
    }
    rustcrypto::xaes_open(key, nonce, associated_data, sealed)
}

#[cfg(all(test, feature = "aws-lc"))]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const DATA: &[u8] = b"associated data";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Each opens what the other sealed, to the same bytes; an altered bit anywhere is refused.
        #[test]
        fn both_are_the_same(
            key: [u8; 32],
            nonce: [u8; 24],
            text in prop::collection::vec(any::<u8>(), 0..3000),
            flip: prop::sample::Index,
        ) {
            let key = Secret::from(key);
            let mut by_aws = vec![0; text.len() + TAG_BYTES];
            let mut by_rust = by_aws.clone();
            aws_lc::xaes_seal(&key, &nonce, DATA, &text, &mut by_aws).unwrap();
            rustcrypto::xaes_seal(&key, &nonce, DATA, &text, &mut by_rust).unwrap();
            prop_assert_eq!(&by_aws, &by_rust);
            for open in [aws_lc::xaes_open, rustcrypto::xaes_open] {
                let mut opened = by_rust.clone();
                prop_assert!(open(&key, &nonce, DATA, &mut opened).is_some());
                prop_assert_eq!(&opened[..text.len()], &text);
                let mut altered = by_rust.clone();
                let bit = flip.index(altered.len() * 8);
                altered[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(open(&key, &nonce, DATA, &mut altered).is_none());
            }

            let nonce = nonce.first_chunk().unwrap();
            let (aws, rust) = (Aes256Gcm::new(&key).unwrap(), rustcrypto::Aes256Gcm::new(&key).unwrap());
            aws.seal(nonce, &text, &mut by_aws).unwrap();
            rust.seal(nonce, &text, &mut by_rust).unwrap();
            prop_assert_eq!(&by_aws, &by_rust);
            let mut opened = vec![0; text.len()];
            prop_assert!(aws.open(nonce, &by_rust, &mut opened).is_some());
            prop_assert_eq!(&opened, &text);

            let bit = flip.index(by_aws.len() * 8);
            by_aws[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(aws.open(nonce, &by_aws, &mut opened).is_none());
            prop_assert!(rust.open(nonce, &by_aws, &mut opened).is_none());
            prop_assert!(rust.open(nonce, &by_rust, &mut opened).is_some());
        }
    }

    #[test]
    fn a_long_text_has_the_same_bytes() {
        let (key, nonce) = (Secret::from([7; 32]), [9; 24]);
        for length in [aws_lc::LONG_BYTES - 1, aws_lc::LONG_BYTES, 70_000] {
            let text: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let mut sealed = vec![0; length + TAG_BYTES];
            let mut expected = sealed.clone();
            xaes_seal(&key, &nonce, DATA, &text, &mut sealed).unwrap();
            rustcrypto::xaes_seal(&key, &nonce, DATA, &text, &mut expected).unwrap();
            assert_eq!(sealed, expected, "{length}");
            assert!(xaes_open(&key, &nonce, b"other", &mut sealed).is_none());
            assert!(xaes_open(&key, &nonce, DATA, &mut expected).is_some());
            assert_eq!(expected[..length], text);
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        let (key, text) = (Secret::from([7; 32]), vec![0; aws_lc::LONG_BYTES]);
        let mut short = vec![0; text.len()];
        assert!(xaes_seal(&key, &[9; 24], DATA, &text, &mut short).is_err());
        assert!(rustcrypto::xaes_seal(&key, &[9; 24], DATA, &text, &mut short).is_err());
        for open in [aws_lc::xaes_open, rustcrypto::xaes_open] {
            assert!(open(&key, &[9; 24], DATA, &mut [0; TAG_BYTES - 1]).is_none());
        }
    }
}
