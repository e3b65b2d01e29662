//! Hashes read from hexadecimal digits.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A hash, written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hex<const N: usize>(pub [u8; N]);

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
