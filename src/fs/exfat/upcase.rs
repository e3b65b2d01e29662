//! The up-case table: which letters are the same when names are compared and hashed.
//!
//! Source: Microsoft, "exFAT file system specification", sections 7.2 and 7.6.4.

use crate::bytes::le16;

/// In the compressed form: the next unit counts letters that are their own upper case.
const SKIP: u16 = 0xffff;

/// For each UTF-16 unit its upper case.
pub struct Upcase(Vec<u16>);

impl Upcase {
    /// The table in its compressed form, as it lies on the disk.
    pub fn decode(bytes: &[u8]) -> Self {
        let mut table: Vec<u16> = (0..=u16::MAX).collect();
        let (mut unit, mut at) = (0usize, 0);
        while let Some(value) = le16(bytes, at).filter(|_| unit < table.len()) {
            at += 2;
            if value == SKIP {
                unit += usize::from(le16(bytes, at).unwrap_or(0));
                at += 2;
            } else {
                table[unit] = value;
                unit += 1;
            }
        }
        Upcase(table)
    }

    /// A name in upper case.
    pub fn fold(&self, name: &[u16]) -> Vec<u16> {
        // The table has an entry for every unit.
        name.iter().map(|&unit| self.0[usize::from(unit)]).collect()
    }

    /// The hash of a name.
    pub fn hash(&self, name: &[u16]) -> u16 {
        let bytes = self.fold(name).into_iter().flat_map(u16::to_le_bytes);
        bytes.fold(0, |hash: u16, byte| hash.rotate_right(1).wrapping_add(byte.into()))
    }
}
