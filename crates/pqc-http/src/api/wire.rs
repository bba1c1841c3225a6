//! Binary values on the wire: hex in either case going in, lower-case going out; base64 and
//! base64url, padded or not, wherever hex is.

use std::io::{self, Write};

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};
use pqc_core::secret::Wiped;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;
use zeroize::Zeroizing;

/// Why a text is not the bytes that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// It is neither hex nor base64.
    Encoding,
    /// It decodes, but to this many bytes.
    Length(usize),
}

/// Decodes a value of one of `lengths`: the reading that has such a length, hex first.
pub(crate) fn decode_fixed(text: &str, lengths: &[usize]) -> Result<Wiped<Vec<u8>>, Undecodable> {
    // A text far too long for a right value is not decoded: that would take as long as it is.
    let longest = lengths.iter().max().copied().unwrap_or_default();
    if text.len() > longest.saturating_mul(2).saturating_add(LONGEST_EXCESS) {
        return Err(Undecodable::Length(text.len() / 2));
    }
    let readings = [decode_hex, decode_base64];
    let mut wrong = Undecodable::Encoding;
    for bytes in readings.into_iter().filter_map(|read| read(text)) {
        if lengths.contains(&bytes.len()) {
            return Ok(bytes);
        }
        if wrong == Undecodable::Encoding {
            wrong = Undecodable::Length(bytes.len());
        }
    }
    Err(wrong)
}

/// Decodes a value of any length: hex if the whole text is hex.
pub(crate) fn decode_any(text: &str) -> Result<Wiped<Vec<u8>>, Undecodable> {
    decode_hex(text).or_else(|| decode_base64(text)).ok_or(Undecodable::Encoding)
}

/// The first `N` bytes of a value of any length, without decoding all of it. Of a text that begins
/// as hex and goes on as base64, this reads as hex what [`decode_any`] will not.
pub(crate) fn decode_head<const N: usize>(text: &str) -> Result<[u8; N], Undecodable> {
    let head = |digits: usize| text.get(..digits).unwrap_or(text);
    decode_hex(head(N * 2))
        .or_else(|| decode_base64(head(N.div_ceil(3) * 4)))
        .and_then(|bytes| bytes.first_chunk().copied())
        .ok_or(Undecodable::Encoding)
}

pub(crate) fn decode_hex(text: &str) -> Option<Wiped<Vec<u8>>> {
    let mut bytes = Wiped::new(vec![0; text.len() / 2]);
    faster_hex::hex_decode(text.as_bytes(), &mut bytes).ok()?;
    Some(bytes)
}

pub(crate) fn decode_base64(text: &str) -> Option<Wiped<Vec<u8>>> {
    let url = text.contains(['-', '_']);
    let padded = text.ends_with('=');
    let mut bytes = Wiped::new(vec![0; text.len()]);
    let decoded = match (url, padded) {
        (false, true) => Base64::decode(text, &mut bytes),
        (false, false) => Base64Unpadded::decode(text, &mut bytes),
        (true, true) => Base64Url::decode(text, &mut bytes),
        (true, false) => Base64UrlUnpadded::decode(text, &mut bytes),
    };
    let length = decoded.ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

/// Up to so many characters beyond its greatest length, a value is decoded to say how long it is.
const LONGEST_EXCESS: usize = 64 * 1024;

/// A value that an answer holds in hex.
#[derive(Debug)]
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Writes bytes as lower-case hex, straight into the answer.
pub(crate) struct HexFormatter;

impl Formatter for HexFormatter {
    fn write_byte_array<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        bytes: &[u8],
    ) -> io::Result<()> {
        // They may be a secret's.
        let mut digits = Zeroizing::new([0; 128]);
        writer.write_all(b"\"")?;
        for part in bytes.chunks(digits.len() / 2) {
            let digits = faster_hex::hex_encode(part, &mut *digits).map_err(io::Error::other)?;
            writer.write_all(digits.as_bytes())?;
        }
        writer.write_all(b"\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_hex(bytes: &[u8]) -> String {
        let mut json = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut json, HexFormatter);
        Hex(bytes).serialize(&mut serializer).unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn hex_is_lower_case_and_two_digits_a_byte() {
        assert_eq!(to_hex(&[]), "");
        assert_eq!(to_hex(&[0, 1, 0xab, 0xff]), "0001abff");
    }

    #[test]
    fn every_encoding_of_a_value_is_read() {
        let value = [0xfb, 0xff, 0xfe, 0x01];
        for text in ["fbfffe01", "FBFFFE01", "FbFfFe01", "+//+AQ==", "+//+AQ", "-__-AQ==", "-__-AQ"]
        {
            assert_eq!(*decode_fixed(text, &[4]).unwrap(), value, "{text}");
            assert_eq!(*decode_any(text).unwrap(), value, "{text}");
        }
    }

    /// The library works on many digits at once, and otherwise on what is left over.
    #[test]
    fn hex_of_every_length_is_read_and_a_wrong_digit_found_wherever_it_stands() {
        let bytes: Vec<_> = (0..300_u32).map(|n| (n * 37 + 11).to_le_bytes()[0]).collect();
        for length in (0..=130).chain([255, 256, 300]) {
            let bytes = &bytes[..length];
            let lower = hex::encode(bytes);
            assert_eq!(to_hex(bytes), lower);
            let upper = hex::encode_upper(bytes);
            let mixed: String = lower
                .chars()
                .zip(upper.chars())
                .map(|(l, u)| if l < 'c' { u } else { l })
                .collect();
            for text in [&lower, &upper, &mixed] {
                assert_eq!(*decode_hex(text).unwrap(), bytes, "{length}");
                assert!(decode_hex(&format!("{text}0")).is_none());
                assert!(decode_hex(&format!("0x{text}")).is_none());
            }
            for place in 0..lower.len() {
                for wrong in [0, b' ', b'/', b':', b'@', b'G', b'`', b'g', b'x', 0x7f] {
                    let mut text = lower.clone().into_bytes();
                    text[place] = wrong;
                    let text = String::from_utf8(text).unwrap();
                    assert!(decode_hex(&text).is_none(), "{wrong} at {place} of {length}");
                }
            }
            for place in (0..lower.len().saturating_sub(1)).step_by(2) {
                let text = format!("{}é{}", &lower[..place], &lower[place + 2..]);
                assert!(decode_hex(&text).is_none(), "{place} of {length}");
            }
        }
    }

    #[test]
    fn a_length_decides_between_hex_and_base64() {
        // Both are right: 4 bytes of hex, 6 of base64.
        assert_eq!(decode_fixed("deadbeef", &[4]).unwrap().len(), 4);
        assert_eq!(decode_fixed("deadbeef", &[6]).unwrap().len(), 6);
        assert_eq!(decode_fixed("deadbeef", &[4, 6]).unwrap().len(), 4);
        assert_eq!(decode_any("deadbeef").unwrap().len(), 4);
        assert_eq!(decode_fixed("deadbeef", &[5]).unwrap_err(), Undecodable::Length(4));
    }

    #[test]
    fn a_text_far_too_long_is_refused_undecoded() {
        let text = "zz".repeat(LONGEST_EXCESS);
        assert_eq!(decode_fixed(&text, &[32]).unwrap_err(), Undecodable::Length(LONGEST_EXCESS));
        let text = "z!".repeat(32);
        assert_eq!(decode_fixed(&text, &[32]).unwrap_err(), Undecodable::Encoding);
    }

    #[test]
    fn the_head_of_a_value_is_read_in_every_encoding() {
        for text in ["fbfffe01fbfffe01", "+//+Afv//gE=", "-__-AfvA", "+//+Abc"] {
            assert_eq!(decode_head::<3>(text).unwrap(), [0xfb, 0xff, 0xfe], "{text}");
        }
        for text in ["", "fbff", "z!z!z!z!"] {
            assert!(decode_head::<3>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["xyz!", "de ad", "+//+AQ=", "+_AQ", "a"] {
            assert_eq!(decode_any(text).unwrap_err(), Undecodable::Encoding, "{text}");
        }
        assert!(decode_any("").unwrap().is_empty());
    }
}
