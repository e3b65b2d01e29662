//! Names: 8.3 in the code page of the one who wrote them, long ones in UTF-16 with a checksum over the short one.
//!
//! Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03, "FAT Long Directory Entries", "ChkSum.c".

use encoding_rs::SHIFT_JIS;
use oem_cp::code_table::DECODING_TABLE_CP_MAP;

use super::disk::{ENTRY, KANJI_E5, LAST_LONG_ENTRY, LongEntry, NT_LOWER_EXT, NT_LOWER_NAME, ShortEntry};

/// Characters in one entry of a long name.
const PER_ENTRY: usize = 13;
/// Entries of the longest name.
const MOST_ENTRIES: u8 = 20;

/// An OEM code page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodePage(u16);

impl CodePage {
    /// The code page of a number; 437 where it is none that is known.
    pub fn new(number: Option<u16>) -> Self {
        let known = |number: &u16| *number == 932 || DECODING_TABLE_CP_MAP.contains_key(number);
        CodePage(number.filter(known).unwrap_or(437))
    }

    fn decode(self, bytes: &[u8]) -> String {
        if self.0 == 932 {
            return SHIFT_JIS.decode_without_bom_handling(bytes).0.into_owned();
        }
        match DECODING_TABLE_CP_MAP.get(&self.0) {
            Some(table) => table.decode_string_lossy(bytes),
            None => bytes.iter().map(|&b| char::from(b)).collect(),
        }
    }
}

/// The checksum that binds a long name to its short name.
pub fn checksum(short: &[u8; 11]) -> u8 {
    short.iter().fold(0u8, |sum, &b| sum.rotate_right(1).wrapping_add(b))
}

/// The short name as users see it: without padding, with its dot, in lower case where Windows NT says so.
pub fn short_name(entry: &ShortEntry, page: CodePage) -> String {
    let mut raw = entry.DIR_Name;
    if raw[0] == KANJI_E5 {
        raw[0] = 0xe5;
    }
    let part = |bytes: &[u8], lower: bool| {
        let kept = bytes.iter().rposition(|&b| b != b' ').map_or(0, |last| last + 1);
        let text = page.decode(&bytes[..kept]);
        if lower { text.to_lowercase() } else { text }
    };
    let name = part(&raw[..8], entry.DIR_NTRes & NT_LOWER_NAME != 0);
    let extension = part(&raw[8..], entry.DIR_NTRes & NT_LOWER_EXT != 0);
    if extension.is_empty() { name } else { format!("{name}.{extension}") }
}

/// The volume's label, or a boot sector's, without padding; `None` where there is none.
pub fn label(raw: &[u8; 11], page: CodePage) -> Option<Vec<u8>> {
    let mut raw = *raw;
    if raw[0] == KANJI_E5 {
        raw[0] = 0xe5;
    }
    let kept = raw.iter().rposition(|&b| b != b' ' && b != 0).map(|last| last + 1)?;
    (&raw != b"NO NAME    ").then(|| page.decode(&raw[..kept]).into_bytes())
}

/// A name as a path component: never empty, without `/` and NUL, neither `.` nor `..`.
pub fn component(name: &str) -> Vec<u8> {
    let clean: String = name.chars().map(|c| if c == '/' || c.is_ascii_control() { '_' } else { c }).collect();
    match clean.as_str() {
        "" => b"_".to_vec(),
        "." => b"_.".to_vec(),
        ".." => b"_..".to_vec(),
        _ => clean.into_bytes(),
    }
}

/// The parts of a long name met so far. They stand in front of their short entry, the last part first.
#[derive(Clone, Default, Debug)]
pub struct LongName {
    parts: Vec<[u16; PER_ENTRY]>,
    checksum: u8,
    /// Ordinal of the part met last.
    ordinal: u8,
    deleted: bool,
    /// Byte offset of its first entry.
    first: u64,
}

/// What became of a long name when its short entry came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Assembled {
    /// There was none.
    None,
    /// It is whole, and its checksum agrees.
    Whole(String),
    /// It has all parts, but was made for another short name.
    Foreign,
    /// Parts of it are missing.
    Broken,
}

/// Whether a cluster goes on where a long name was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// It begins with the very part, or short name, that is missing.
    Proven,
    /// Nothing is missing, and it does not begin in the middle of a name.
    Possible,
    /// Something is missing, and it is not this; or nothing is missing, and it begins in the middle of a name.
    Impossible,
}

impl LongName {
    /// Whether the slot that comes next fits.
    pub fn fits(&self, slot: &[u8; ENTRY]) -> Fit {
        let (short, long) = (ShortEntry::decode(slot), LongEntry::decode(*slot));
        let pending = self.is_pending() && !self.deleted;
        let middle = short.is_long() && long.LDIR_Ord & LAST_LONG_ENTRY == 0 && !short.is_deleted();
        let same = match (middle, short.is_long()) {
            (true, _) => long.LDIR_Chksum == self.checksum && long.LDIR_Ord + 1 == self.ordinal,
            (false, true) => false,
            (false, false) => self.ordinal == 1 && checksum(&short.DIR_Name) == self.checksum,
        };
        match (pending, middle) {
            (true, _) if same => Fit::Proven,
            (true, _) | (false, true) => Fit::Impossible,
            (false, false) => Fit::Possible,
        }
    }

    /// Takes the next entry of a long name; false where it does not continue the one before.
    pub fn add(&mut self, slot: [u8; ENTRY], offset: u64) -> bool {
        let entry = LongEntry::decode(slot);
        let deleted = entry.LDIR_Ord == super::disk::DELETED;
        let ordinal = entry.LDIR_Ord & !LAST_LONG_ENTRY;
        let begins = entry.LDIR_Ord & LAST_LONG_ENTRY != 0 || (deleted && self.parts.is_empty());
        let continued = if deleted {
            self.deleted && self.checksum == entry.LDIR_Chksum && self.parts.len() < usize::from(MOST_ENTRIES)
        } else {
            !self.deleted && self.ordinal == ordinal + 1 && self.checksum == entry.LDIR_Chksum
        };
        let whole_before = self.parts.is_empty();
        if !continued || (begins && !deleted) {
            self.clear();
            if !deleted && (!begins || ordinal == 0 || ordinal > MOST_ENTRIES) {
                return false;
            }
            (self.checksum, self.deleted, self.first) = (entry.LDIR_Chksum, deleted, offset);
        }
        let mut part = [0; PER_ENTRY];
        entry.characters().zip(&mut part).for_each(|(unit, to)| *to = unit);
        self.parts.push(part);
        self.ordinal = ordinal;
        let begins_anew = begins && !deleted;
        whole_before || (continued && !begins_anew)
    }

    /// True while parts wait for their short entry.
    pub fn is_pending(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Byte offset of its first entry.
    pub fn first(&self) -> Option<u64> {
        self.is_pending().then_some(self.first)
    }

    /// Byte offset of its first entry, where it is whole and not deleted.
    pub fn whole_since(&self) -> Option<u64> {
        (self.is_pending() && !self.deleted && self.ordinal == 1).then_some(self.first)
    }

    /// Forgets what was met so far.
    pub fn clear(&mut self) {
        *self = LongName::default();
    }

    /// The long name of the short entry that follows; forgets it.
    pub fn take(&mut self, short: &ShortEntry) -> Assembled {
        let long = std::mem::take(self);
        if long.parts.is_empty() || long.deleted {
            return Assembled::None;
        }
        if long.ordinal != 1 {
            return Assembled::Broken;
        }
        if long.checksum != checksum(&short.DIR_Name) {
            return Assembled::Foreign;
        }
        long.text().map_or(Assembled::Broken, Assembled::Whole)
    }

    /// The long name of a deleted entry, and the first byte that its short name had: the one that makes the checksum
    /// agree. `None` where no byte does.
    pub fn take_deleted(&mut self, short: &ShortEntry) -> Option<(String, u8)> {
        let long = std::mem::take(self);
        if !long.deleted || long.parts.is_empty() {
            return None;
        }
        let text = long.text()?;
        let mut name = short.DIR_Name;
        let fits = (0..=255u8).find(|&first| {
            name[0] = first;
            checksum(&name) == long.checksum
        })?;
        Some((text, fits))
    }

    fn text(&self) -> Option<String> {
        let units: Vec<u16> = self.parts.iter().rev().flatten().copied().take_while(|&unit| unit != 0).collect();
        let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8; 11], nt: u8) -> ShortEntry {
        let mut slot = [0; ENTRY];
        slot[..11].copy_from_slice(name);
        slot[12] = nt;
        ShortEntry::decode(&slot)
    }

    #[test]
    fn short_names_follow_the_code_page_and_the_lower_case_flags() {
        let page = CodePage::new(None);
        assert_eq!(short_name(&entry(b"README  TXT", 0), page), "README.TXT");
        assert_eq!(short_name(&entry(b"README  TXT", NT_LOWER_EXT), page), "README.txt");
        assert_eq!(short_name(&entry(b"MAKEFILE   ", NT_LOWER_NAME), page), "makefile");
        assert_eq!(short_name(&entry(b"\x8e\x05BC       ", 0), page), "Ä\u{5}BC");
        assert_eq!(short_name(&entry(b"\x05       A  ", 0), CodePage::new(Some(866))), "х.A");
        assert_eq!(short_name(&entry(b"\x83e\x83X\x83g     ", 0), CodePage::new(Some(932))), "テスト");
    }

    #[test]
    fn every_code_page_of_the_options_is_known() {
        for page in [437, 850, 852, 866, 932] {
            assert_eq!(CodePage::new(Some(page)), CodePage(page));
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        // "The quick brown.fox" of the specification's example has the short name THEQUI~1.FOX.
        assert_eq!(checksum(b"THEQUI~1FOX"), 0x07);
    }
}
