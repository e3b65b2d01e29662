//! Entity tags of objects as proof of their contents.
//!
//! S3 and Swift give an object sent in one piece the MD5 of its content as its tag, unless it is encrypted. An object of
//! parts has, in S3, the MD5 of the parts' MD5s, then `-` and their number; a large object of Swift the MD5 of the parts'
//! tags in text. (Amazon S3 User Guide, "Checking object integrity"; OpenStack Swift API, "Static large objects".) Whatever
//! it is, it stays the same as long as the content does.

use md5::{Digest, Md5};

use super::Part;

/// MD5 of some bytes.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// The tag of an object sent in one piece.
pub fn of_whole(md5: &[u8; 16]) -> String {
    hex(md5)
}

/// The tag of a large object in Swift.
pub fn of_segments(parts: &[Part]) -> String {
    let mut hasher = Md5::new();
    parts.iter().for_each(|part| hasher.update(hex(&part.md5)));
    hex(&hasher.finalize())
}

/// The tag of an object of parts in S3.
fn of_parts(parts: &[Part]) -> String {
    let mut hasher = Md5::new();
    parts.iter().for_each(|part| hasher.update(part.md5));
    format!("{}-{}", hex(&hasher.finalize()), parts.len())
}

/// True for the tag that one of the services gives an object of these parts.
pub fn is_of(tag: &str, parts: &[Part]) -> bool {
    tag == of_parts(parts) || tag == of_segments(parts)
}

/// An MD5 of its hexadecimal digits.
pub fn parse(digits: &str) -> Option<[u8; 16]> {
    let mut md5 = [0; 16];
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    for (n, byte) in md5.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(md5)
}

/// A tag as it comes in a header: in quotes, or not.
pub fn plain(tag: &str) -> String {
    tag.trim().trim_matches('"').to_owned()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
