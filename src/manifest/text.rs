//! Bytes as text in JSON: base64 (RFC 4648 section 4), hexadecimal, and points in time.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Time;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` in base64, padded.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |word, &b| word << 8 | u32::from(b)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let digit = (word >> (18 - 6 * i)) as usize & 63;
            text.push(if i <= group.len() { char::from(ALPHABET[digit]) } else { '=' });
        }
    }
    text
}

/// The bytes that base64 stands for; `None` where it is not base64.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let groups = text.len() / 4;
    for (i, group) in text.as_bytes().chunks(4).enumerate() {
        let padding = if i + 1 == groups { group.iter().rev().take_while(|&&b| b == b'=').count().min(2) } else { 0 };
        let mut word = 0u32;
        for &b in &group[..4 - padding] {
            word = word << 6 | ALPHABET.iter().position(|&a| a == b)? as u32;
        }
        word <<= 6 * padding;
        bytes.extend_from_slice(&word.to_be_bytes()[1..4 - padding]);
    }
    Some(bytes)
}

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

/// A point in time as text: RFC 3339 in UTC with nine decimals, or `@SECS.NANOS` where the calendar does not reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp(pub Time);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buf = [0; 32];
        match rfc3339(self.0, &mut buf) {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Stamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a point in time")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Stamp, E> {
                parse_time(text).map(Stamp).ok_or_else(|| E::custom("not a point in time"))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

fn parse_time(text: &str) -> Option<Time> {
    if let Some(raw) = text.strip_prefix('@') {
        let (secs, nanos) = raw.split_once('.')?;
        return Some(Time { secs: secs.parse().ok()?, nanos: nanos.parse().ok()? });
    }
    let stamp: Timestamp = text.parse().ok()?;
    let nanos = stamp.as_nanosecond();
    let secs = nanos.div_euclid(1_000_000_000);
    Some(Time { secs: i64::try_from(secs).ok()?, nanos: nanos.rem_euclid(1_000_000_000) as u32 })
}

/// The same text as `Time`'s own, for the years 1970 to 9999, without going through a general formatter: a manifest
/// holds four of them a file.
fn rfc3339(time: Time, buf: &mut [u8; 32]) -> Option<&str> {
    if !(0..253_402_300_800 - 1).contains(&time.secs) || !time.is_valid() {
        return None;
    }
    let (days, secs) = ((time.secs / 86_400) as u32, (time.secs % 86_400) as u32);
    let (year, month, day) = civil(days);
    let mut at = 0;
    let mut put = |value: u32, width: usize, after: u8| {
        let mut rest = value;
        for place in (at..at + width).rev() {
            buf[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        buf[at + width] = after;
        at += width + 1;
    };
    put(year, 4, b'-');
    put(month, 2, b'-');
    put(day, 2, b'T');
    put(secs / 3600, 2, b':');
    put(secs / 60 % 60, 2, b':');
    put(secs % 60, 2, b'.');
    put(time.nanos, 9, b'Z');
    std::str::from_utf8(&buf[..30]).ok()
}

/// Year, month and day of a day counted from 1970-01-01: years begin in March, so that leap days end them, and 400
/// years make an era of 146,097 days.
fn civil(days: u32) -> (u32, u32, u32) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u32::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc_4648() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(from_base64(coded).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(from_base64("Zg="), None);
        assert_eq!(from_base64("Z!=="), None);
        assert_eq!(from_base64("===="), None);
    }

    #[test]
    fn the_quick_way_to_write_times_agrees_with_the_calendar() {
        for secs in (0..253_402_300_799i64).step_by(86_400 * 97 + 12_345) {
            let time = Time { secs, nanos: 7 };
            assert_eq!(rfc3339(time, &mut [0; 32]).map(str::to_owned), Some(time.to_string()));
            assert_eq!(parse_time(&time.to_string()), Some(time));
        }
        for time in [Time { secs: -5, nanos: 1 }, Time { secs: i64::MIN, nanos: 0 }, Time { secs: 1, nanos: u32::MAX }]
        {
            assert_eq!(rfc3339(time, &mut [0; 32]), None);
            assert_eq!(parse_time(&time.to_string()), Some(time));
        }
    }
}
