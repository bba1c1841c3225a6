//! AES-GCM (NIST SP 800-38D) by the sizes that a group names. For these answers alone: what the
//! core seals with has keys of 256 bits and whole tags.

use aes_gcm::aead::consts::{U8, U9, U10, U11, U12, U13, U14, U15, U16};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, Key, KeyInit, Nonce};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AesGcm, Tag};
use alloc::vec::Vec;

use super::Reason;
use super::document::{Answer, Case, Group, Hex, Member};
use crate::error::Error;

/// GCM-AE or GCM-AD (SP 800-38D, Algorithms 4 and 5), as the group's `direction` says.
pub(super) fn one_shot(group: &Group, case: &Case) -> Result<Answer, Reason> {
    let tag_bytes = bytes_of(&group.tag_len, "tagLen")?;
    // SP 800-38D, Section 5.2.1.2.
    if !matches!(tag_bytes, 4 | 8 | 12..=16) {
        return Err(Reason::Unserved { member: "tagLen" });
    }
    let key = case.key.sized("key", bytes_of(&group.key_len, "keyLen")?)?;
    let iv = case.iv.sized("iv", bytes_of(&group.iv_len, "ivLen")?)?;
    let aad = case.aad.sized("aad", bytes_of(&group.aad_len, "aadLen")?)?;
    let text_bytes = bytes_of(&group.payload_len, "payloadLen")?;
    match group.direction.get("direction")?.as_str() {
        "encrypt" => {
            // An IV of our own choice would be another each time.
            if group.iv_gen.get("ivGen")? != "external" {
                return Err(Reason::Unserved { member: "ivGen" });
            }
            let text = case.pt.sized("pt", text_bytes)?;
            let (ct, tag) = seal(key, iv, aad, text)?;
            Ok(Answer::Sealed { ct: Hex(ct), tag: Hex(head(&tag, tag_bytes)) })
        }
        "decrypt" => {
            let text = case.ct.sized("ct", text_bytes)?;
            let given = case.tag.sized("tag", tag_bytes)?;
            // Counter mode undoes itself: sealing the ciphertext gives the plaintext, and sealing
            // that gives the tag to expect, of which a short one is the head.
            let (pt, _) = seal(key, iv, aad, text)?;
            let (_, expected) = seal(key, iv, aad, &pt)?;
            if head(&expected, tag_bytes) == given {
                Ok(Answer::Opened { pt: Hex(pt) })
            } else {
                Ok(Answer::Verdict { test_passed: false })
            }
        }
        _ => Err(Reason::Unserved { member: "direction" }),
    }
}

/// The ciphertext and the whole tag.
fn seal(key: &[u8], iv: &[u8], aad: &[u8], text: &[u8]) -> Result<(Vec<u8>, Tag), Reason> {
    macro_rules! by_sizes {
        ($($key_bytes:literal: $aes:ty),*; $nonces:tt) => {
            match key.len() {
                $($key_bytes => by_sizes!(@iv $aes; $nonces),)*
                _ => Err(Reason::Unserved { member: "keyLen" }),
            }
        };
        (@iv $aes:ty; ($($iv_bytes:literal: $size:ty),*)) => {
            match iv.len() {
                $($iv_bytes => seal_with::<AesGcm<$aes, $size>>(key, iv, aad, text),)*
                _ => Err(Reason::Unserved { member: "ivLen" }),
            }
        };
    }
    by_sizes!(16: Aes128, 24: Aes192, 32: Aes256;
        (8: U8, 9: U9, 10: U10, 11: U11, 12: U12, 13: U13, 14: U14, 15: U15, 16: U16))
}

fn seal_with<A>(key: &[u8], iv: &[u8], aad: &[u8], text: &[u8]) -> Result<(Vec<u8>, Tag), Reason>
where
    A: KeyInit + AeadInOut<TagSize = U16>,
{
    let key = <&Key<A>>::try_from(key).map_err(|_| Reason::Unserved { member: "keyLen" })?;
    let iv = <&Nonce<A>>::try_from(iv).map_err(|_| Reason::Unserved { member: "ivLen" })?;
    let mut sealed = text.to_vec();
    let buffer = InOutBuf::from(sealed.as_mut_slice());
    // Fails only past SP 800-38D's lengths.
    let tag = A::new(key)
        .encrypt_inout_detached(iv, aad, buffer)
        .map_err(|_| Error::Internal { what: "AES-GCM" })?;
    Ok((sealed, tag))
}

fn head(tag: &Tag, bytes: usize) -> Vec<u8> {
    tag.iter().copied().take(bytes).collect()
}

/// A length that the group gives in bits.
#[expect(clippy::integer_division_remainder_used, reason = "lengths are public")]
fn bytes_of(bits: &Member<u64>, member: &'static str) -> Result<usize, Reason> {
    let bits = *bits.get(member)?;
    let bytes = usize::try_from(bits / 8).map_err(|_| Reason::Unserved { member })?;
    if bits.is_multiple_of(8) { Ok(bytes) } else { Err(Reason::Unserved { member }) }
}
