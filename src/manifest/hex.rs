//! Hashes as hexadecimal digits.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A hash, shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 64];
        serializer.serialize_str(hex_into(&self.0, &mut digits))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const N: usize>;
        impl<const N: usize> de::Visitor<'_> for Visitor<N> {
            type Value = Hex<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} hexadecimal digits", 2 * N)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hex<N>, E> {
                let mut bytes = [0; N];
                let digits = text.as_bytes();
                if digits.len() != 2 * N {
                    return Err(E::invalid_length(digits.len(), &self));
                }
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
                    let digit = |b: u8| char::from(b).to_digit(16).ok_or_else(|| E::custom("not hexadecimal"));
                    *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
                }
                Ok(Hex(bytes))
            }
        }
        deserializer.deserialize_str(Visitor::<N>)
    }
}

/// Writes up to 32 bytes as hexadecimal digits.
pub fn hex_into<'d>(bytes: &[u8], digits: &'d mut [u8; 64]) -> &'d str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let len = bytes.len().min(32) * 2;
    for (pair, byte) in digits.chunks_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    // Only ASCII digits were written.
    std::str::from_utf8(&digits[..len]).unwrap_or_default()
}
