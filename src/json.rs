//! Records of which there are as many as files, in JSON: [`Object`] writes one to memory field by field. A general
//! serializer looks for what must be escaped in every key and every time, which took a third of a listing. How a text is
//! written, serde_json decides wherever it is not plain.

use serde::Serialize;
use serde::ser::SerializeMap;

use crate::name::to_base64;
use crate::time::{Time, Times};

/// Takes the fields of a record, in their order.
pub trait Fields {
    /// A field of any kind.
    fn value<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T);

    /// A field of text.
    fn text(&mut self, key: &'static str, value: &str) {
        self.value(key, value);
    }

    /// A field of a point in time.
    fn time(&mut self, key: &'static str, value: Time) {
        self.value(key, &value);
    }

    /// A field for each time of a file that its filesystem records.
    fn times(&mut self, times: &Times) {
        let Times { modified, accessed, changed, created, deleted } = *times;
        modified.into_iter().for_each(|time| self.time("modified", time));
        accessed.into_iter().for_each(|time| self.time("accessed", time));
        changed.into_iter().for_each(|time| self.time("changed", time));
        created.into_iter().for_each(|time| self.time("created", time));
        deleted.into_iter().for_each(|time| self.time("deleted", time));
    }

    /// The bytes of a name: as text where they are UTF-8, else in base64 under the second key.
    fn name(&mut self, [key, key_b64]: [&'static str; 2], bytes: &[u8]) {
        match str::from_utf8(bytes) {
            Ok(text) => self.text(key, text),
            Err(_) => self.text(key_b64, &to_base64(bytes)),
        }
    }
}

/// An object in JSON that is being written. Keys are plain text: letters, digits, `_`.
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    between: u8,
}

impl<'o> Object<'o> {
    /// Begins an object at the end of `out`.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        Object { out, between: b'{' }
    }

    /// Ends the object, and the line.
    pub fn end(self) {
        if self.between == b'{' {
            self.out.push(b'{');
        }
        self.out.extend_from_slice(b"}\n");
    }

    /// Bytes as hexadecimal digits.
    #[inline]
    pub fn hex(&mut self, key: &'static str, bytes: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        push_hex(bytes, self.out);
        self.out.push(b'"');
    }

    #[inline]
    fn key(&mut self, key: &'static str) {
        self.out.reserve(key.len() + 4);
        self.out.extend_from_slice(&[self.between, b'"']);
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.between = b',';
    }
}

impl Fields for Object<'_> {
    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) {
        self.key(key);
        // Writing to memory can not fail, and no value here is a map with keys that are not text.
        let _ = serde_json::to_writer(&mut *self.out, value);
    }

    #[inline]
    fn text(&mut self, key: &'static str, value: &str) {
        if !is_plain(value.as_bytes()) {
            return self.value(key, value);
        }
        self.key(key);
        self.out.reserve(value.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
    }

    #[inline]
    fn time(&mut self, key: &'static str, value: Time) {
        match value.rfc3339() {
            Some(text) => {
                self.key(key);
                self.out.push(b'"');
                self.out.extend_from_slice(&text);
                self.out.push(b'"');
            }
            None => self.value(key, &value),
        }
    }
}

/// Appends bytes as hexadecimal digits.
pub fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| DIGITS[usize::from(half)]));
}

/// True where no byte must be escaped (RFC 8259, section 7). All bytes are looked at, many at a time.
fn is_plain(text: &[u8]) -> bool {
    !text.iter().fold(false, |special, &byte| special | (byte < b' ') | (byte == b'"') | (byte == b'\\'))
}

/// A map of any serializer as a place for fields.
pub struct Entries<M: SerializeMap> {
    map: M,
    failed: Option<M::Error>,
}

impl<M: SerializeMap> Entries<M> {
    /// Fields go to this map.
    pub fn of(map: M) -> Self {
        Entries { map, failed: None }
    }

    /// Ends the map.
    ///
    /// # Errors
    /// The serializer's first.
    pub fn end(self) -> Result<M::Ok, M::Error> {
        self.failed.map_or_else(|| self.map.end(), Err)
    }
}

impl<M: SerializeMap> Fields for Entries<M> {
    fn value<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) {
        if self.failed.is_none() {
            self.failed = self.map.serialize_entry(key, value).err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(fields: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        fields(&mut object);
        object.end();
        out
    }

    #[test]
    fn a_record_is_a_line_of_json() {
        let line = written(|object| {
            object.text("plain", "a/ü b");
            object.value("number", &7);
            object.value("list", &[1, 2]);
            object.hex("hash", &[0x0f, 0xa0]);
            object.time("time", Time { secs: 1_600_000_000, nanos: 5 });
        });
        let text = r#"{"plain":"a/ü b","number":7,"list":[1,2],"hash":"0fa0","time":"2020-09-13T12:26:40.000000005Z"}"#;
        assert_eq!(String::from_utf8(line).unwrap(), format!("{text}\n"));
        assert_eq!(written(|_| ()), b"{}\n");
    }

    #[test]
    fn every_text_comes_back_as_it_was() {
        for byte in 0..=0x7f_u8 {
            let text = format!("before {} after", char::from(byte));
            let line = written(|object| object.text("text", &text));
            assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1, "one line a record");
            let read: Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(read, json!({ "text": text }));
        }
    }

    #[test]
    fn what_is_not_utf8_or_no_time_is_kept() {
        let line = written(|object| {
            object.name(["name", "name_b64"], b"\xff\xfe");
            object.time("time", Time { secs: i64::MAX, nanos: 0 });
        });
        // base64 by `printf '\377\376' | base64`.
        let read: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(read, json!({ "name_b64": "//4=", "time": "@9223372036854775807.000000000" }));
    }
}
