//! Names of files as names in a store: text without control characters, from which the bytes can be had back.
//!
//! A byte that is not part of UTF-8 text, a control character and a backslash, which Azure takes for a slash, are written as
//! `%` and two hexadecimal digits. So is a `%` that already has such digits after it; every other character stays as it is.
//! The rule needs no list of what was changed: [`decode`] is the exact inverse of [`encode`].

use std::borrow::Cow;

/// The name in a store of a path.
pub fn encode(path: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(path)
        && !text.chars().any(is_no_part_of_a_key)
        && !has_escape(path)
    {
        return Cow::Borrowed(text);
    }
    let mut key = String::with_capacity(path.len() + 8);
    let mut rest = path;
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut bytes = [0; 4];
            let len = c.encode_utf8(&mut bytes).len();
            if is_no_part_of_a_key(c) || (c == '%' && escaped(rest).is_some()) {
                bytes[..len].iter().for_each(|&b| escape(b, &mut key));
            } else {
                key.push(c);
            }
            rest = &rest[len..];
        }
        chunk.invalid().iter().for_each(|&b| escape(b, &mut key));
        rest = &rest[chunk.invalid().len()..];
    }
    Cow::Owned(key)
}

/// Bytes of the name in a store of a path.
#[cfg_attr(not(any(feature = "object-stores", feature = "swift", feature = "webdav")), allow(dead_code))]
pub fn length(path: &[u8]) -> usize {
    encode(path).len()
}

fn is_no_part_of_a_key(c: char) -> bool {
    c.is_control() || c == '\\'
}

/// The path that has a name in a store.
#[cfg_attr(not(any(feature = "object-stores", feature = "swift", feature = "webdav")), allow(dead_code))]
pub fn decode(key: &str) -> Vec<u8> {
    let (mut path, mut rest) = (Vec::with_capacity(key.len()), key.as_bytes());
    while let [first, after @ ..] = rest {
        match escaped(rest) {
            Some(byte) => {
                path.push(byte);
                rest = &after[2..];
            }
            None => {
                path.push(*first);
                rest = after;
            }
        }
    }
    path
}

/// The byte that text begins with, where it begins with an escape.
fn escaped(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = *text else { return None };
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn has_escape(path: &[u8]) -> bool {
    path.windows(3).any(|text| escaped(text).is_some())
}

fn escape(byte: u8, key: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    key.push('%');
    key.push(char::from(DIGITS[usize::from(byte >> 4)]));
    key.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// A name as part of a URL: all but letters, digits, `-._~` and, where `keep` says so, the slash is escaped (RFC 3986,
/// section 2.3).
pub fn in_url(name: &str, keep_slash: bool) -> String {
    let mut url = String::with_capacity(name.len() + 16);
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
            b'/' if keep_slash => url.push('/'),
            _ => escape(byte, &mut url),
        }
    }
    url
}

/// Bytes of what is escaped in a URL.
pub fn unescaped(url: &str) -> Vec<u8> {
    decode(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_plain_text_stays() {
        for name in ["a b", "ü/ß", "100% sure", "a%zz", "a+b", "x//y", "%", "%4", "日本"] {
            assert_eq!(encode(name.as_bytes()), name);
            assert_eq!(decode(name), name.as_bytes());
        }
    }

    #[test]
    fn what_is_no_text_is_escaped() {
        let pairs: [(&[u8], &str); 7] = [
            (b"a\\b", "a%5Cb"),
            (b"a\xffb", "a%FFb"),
            (b"a%FFb", "a%25FFb"),
            (b"new\nline", "new%0Aline"),
            (b"%\xff", "%%FF"),
            (b"%4\n1", "%4%0A1"),
            (b"\xe2\x82", "%E2%82"),
        ];
        for (path, key) in pairs {
            assert_eq!(encode(path), key);
            assert_eq!(decode(key), path);
        }
    }

    proptest! {
        #[test]
        fn the_bytes_can_be_had_back(path in prop::collection::vec(prop_oneof![Just(b'%'), Just(b'4'), any::<u8>()], 0..40)) {
            prop_assert_eq!(decode(&encode(&path)), path);
        }
    }

    #[test]
    fn urls_hold_what_they_may() {
        assert_eq!(in_url("a b/ü%+", true), "a%20b/%C3%BC%25%2B");
        assert_eq!(in_url("a/b", false), "a%2Fb");
    }
}
