//! Names as filesystems keep them: bytes, mostly UTF-8. How they are written for people ([`escaped`]) and in JSON
//! ([`to_json`], [`from_json`]).

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The folder, at the top of a destination, of offmount's own files.
pub const OWN_FOLDER: &str = ".offmount";

/// Where in a destination archives of small files are.
pub const PACKS: &str = ".offmount/packs";

/// A name or path as people can read it and terminals can not be harmed by it: backslashes, control characters and
/// bytes that are not UTF-8 as `ls -b` writes them (`\n`, `\033`, `\377`).
pub fn escaped(bytes: &[u8]) -> Escaped<'_> {
    Escaped(bytes)
}

/// Writes a name escaped; made by [`escaped`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'n>(&'n [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    c if is_unsafe(c) => c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|b| octal(f, b))?,
                    c => f.write_char(c)?,
                }
            }
            chunk.invalid().iter().try_for_each(|&b| octal(f, b))?;
        }
        Ok(())
    }
}

/// Control characters, and those that reorder the text around them (Unicode, Bidi_Control).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn octal(f: &mut fmt::Formatter<'_>, byte: u8) -> fmt::Result {
    write!(f, "\\{byte:03o}")
}

/// A name for JSON: its text, for the field `name`; or where it is not UTF-8 its bytes in base64, for `name_b64`.
/// One of the two is always `None`.
pub fn to_json(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(to_base64(bytes))),
    }
}

/// The bytes of a name in JSON; `None` where neither field is there, or the base64 is not valid.
pub fn from_json(text: Option<&str>, base64: Option<&str>) -> Option<Vec<u8>> {
    match (text, base64) {
        (Some(text), _) => Some(text.as_bytes().to_vec()),
        (None, base64) => from_base64(base64?),
    }
}

/// Bytes that are no text, in base64 (RFC 4648, section 4).
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes that base64 stands for; `None` where it is not valid.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_every_byte_and_terminals_obey_none() {
        // `ls -b` of coreutils 9 writes the same (save that it also escapes the space).
        let name = b"tab\tnew\nline \\ esc\x1b[31m latin\xe9 utf\xc3\xa9 nul\0 rtl\xe2\x80\xae";
        let shown = r"tab\tnew\nline \\ esc\033[31m latin\351 utfé nul\000 rtl\342\200\256";
        assert_eq!(escaped(name).to_string(), shown);
    }

    #[test]
    fn json_keeps_the_bytes() {
        assert_eq!(to_json("Grüße".as_bytes()), (Some("Grüße"), None));
        // base64 by `printf '\377\376' | base64`.
        assert_eq!(to_json(b"\xff\xfe"), (None, Some("//4=".into())));
        assert_eq!(from_json(None, Some("//4=")), Some(b"\xff\xfe".to_vec()));
        assert_eq!(from_json(Some("a"), None), Some(b"a".to_vec()));
        assert_eq!(from_json(None, Some("!")), None);
        assert_eq!(from_json(None, None), None);
    }
}
