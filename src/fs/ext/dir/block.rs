//! Judge: the entries of one directory block, [`scan`]. A bad entry costs only itself: the scan goes on where entries
//! that hold together begin again.

use std::ops::ControlFlow;

use crate::fs::ext::disk::dirent::{DirEntry, HEADER_SIZE, rec_len};
use crate::fs::ext::disk::{at, dirent};
use crate::fs::ext::feature;
use crate::fs::ext::geometry::Geometry;
use crate::fs::ext::number::InodeNr;
use crate::node::Kind;

/// Smallest entry that is in use: a name of one byte.
const MIN_USED: usize = 12;
/// Sound entries that, one after another, leave no doubt of the first.
const CHAIN: usize = 16;
/// Bytes of the hashes behind names in encrypted, casefolded directories.
const HASHES: usize = size_of::<dirent::DirEntryHash>();

/// How the entries of a directory are written.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Bytes of a block, also where fewer are scanned: what a `rec_len` can mean depends on it.
    pub block_size: usize,
    /// Entries record the kind of file.
    pub filetype: bool,
    /// Hashes follow the names.
    pub hashed: bool,
    /// First inode that is not reserved: of those before it only the root's can be named.
    pub first_inode: u32,
    /// Largest inode number.
    pub inodes: u32,
}

impl Format {
    /// That of a volume's directories, with hashes behind the names or not.
    pub fn new(geometry: &Geometry, hashed: bool) -> Self {
        Format {
            block_size: geometry.block_size as usize,
            filetype: geometry.features.has(feature::FILETYPE),
            hashed,
            first_inode: geometry.first_inode,
            inodes: geometry.inodes,
        }
    }

    /// True for a number that an entry can have.
    fn names(&self, inode: u32) -> bool {
        inode == InodeNr::ROOT.0 || (inode >= self.first_inode && inode <= self.inodes)
    }
}

/// An entry in use, `.` and `..` among them.
#[derive(Clone, Copy, Debug)]
pub struct Found<'b> {
    /// Its inode: 1 to the largest.
    pub inode: u32,
    /// Its name as it lies: not empty.
    pub name: &'b [u8],
    /// The kind, where it records one.
    pub kind: Option<Kind>,
}

/// What was wrong with a block's entries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// Bad entries: where, and what is wrong with them.
    pub bad: Vec<(usize, &'static str)>,
}

/// Visits the entries of `bytes`, a block or an inline part of one, in the order they lie.
pub fn scan<'b>(
    bytes: &'b [u8],
    format: &Format,
    visit: &mut dyn FnMut(Found<'b>) -> ControlFlow<()>,
) -> (Verdict, ControlFlow<()>) {
    let mut verdict = Verdict::default();
    let mut at_byte = 0;
    // Each turn moves on by 4 bytes or more.
    while at_byte + HEADER_SIZE <= bytes.len() {
        let header = Header::at(bytes, at_byte, format);
        let fault = header.fault(format);
        if fault != Some(WRONG_INODE)
            && header.has_name()
            && let Some(found) = header.found(format)
            && visit(found).is_break()
        {
            return (verdict, ControlFlow::Break(()));
        }
        if let Some(fault) = fault {
            verdict.bad.push((at_byte, fault));
        }
        at_byte = header.next(format);
    }
    (verdict, ControlFlow::Continue(()))
}

const WRONG_LENGTH: &str = "impossible length";
const WRONG_INODE: &str = "impossible inode number";
const WRONG_NAME: &str = "impossible name";

/// An entry's header with the bytes around it.
#[derive(Clone, Copy)]
struct Header<'b> {
    bytes: &'b [u8],
    at: usize,
    raw: DirEntry,
    /// As the field means it.
    len: usize,
}

impl<'b> Header<'b> {
    /// The header at `at_byte`, where there is room for one.
    fn at(bytes: &'b [u8], at_byte: usize, format: &Format) -> Self {
        let raw: DirEntry = at(bytes, at_byte).unwrap_or(zerocopy::FromZeros::new_zeroed());
        Header { bytes, at: at_byte, raw, len: rec_len(raw.rec_len.get(), format.block_size) }
    }

    fn name_len(&self, format: &Format) -> usize {
        let high = if format.filetype { 0 } else { usize::from(self.raw.file_type) << 8 };
        high | usize::from(self.raw.name_len)
    }

    /// Bytes the entry needs for its name.
    fn needed(&self, format: &Format) -> usize {
        let hashes = if format.hashed && !self.is_dot(format) { HASHES } else { 0 };
        (HEADER_SIZE + self.name_len(format)).next_multiple_of(4) + hashes
    }

    fn is_dot(&self, format: &Format) -> bool {
        matches!(self.name(format), Some(b"." | b".."))
    }

    fn name(&self, format: &Format) -> Option<&'b [u8]> {
        let start = self.at + HEADER_SIZE;
        self.bytes.get(start..start + self.name_len(format))
    }

    fn is_used(&self) -> bool {
        self.raw.inode.get() != 0
    }

    fn has_name(&self) -> bool {
        self.is_used() && self.raw.name_len != 0
    }

    /// True if the length leads to another entry or to the end.
    fn has_sound_length(&self, format: &Format) -> bool {
        let end = self.at + self.len;
        let least = if self.is_used() { self.needed(format).max(MIN_USED) } else { HEADER_SIZE };
        let room = end == self.bytes.len() || end + HEADER_SIZE <= self.bytes.len();
        self.len.is_multiple_of(4) && self.len >= least && room
    }

    /// What is wrong with the entry, judged alone.
    fn fault(&self, format: &Format) -> Option<&'static str> {
        let name_len = self.name_len(format);
        if self.is_used() && !format.names(self.raw.inode.get()) {
            Some(WRONG_INODE)
        } else if self.is_used() && (name_len == 0 || name_len > dirent::NAME_LEN || self.name(format).is_none()) {
            Some(WRONG_NAME)
        } else if !self.has_sound_length(format) {
            Some(WRONG_LENGTH)
        } else {
            None
        }
    }

    fn found(&self, format: &Format) -> Option<Found<'b>> {
        let name = self.name(format).filter(|name| name.len() <= dirent::NAME_LEN)?;
        // A header whose length is impossible is believed only where all the rest of it is beyond doubt.
        if !self.has_sound_length(format) && !self.is_plausible(format) {
            return None;
        }
        let kind = format.filetype.then(|| kind(self.raw.file_type)).flatten();
        Some(Found { inode: self.raw.inode.get(), name, kind })
    }

    /// True where everything but the length looks like an entry somebody wrote.
    fn is_plausible(&self, format: &Format) -> bool {
        let inode = self.raw.inode.get();
        let type_known = if format.filetype { (1..=7).contains(&self.raw.file_type) } else { self.raw.file_type == 0 };
        let name = self.name(format).unwrap_or_default();
        format.names(inode)
            && type_known
            && !name.is_empty()
            && name.len() <= dirent::NAME_LEN
            && !name.contains(&0)
            && !name.contains(&b'/')
    }

    /// True where following lengths from here leads over sound entries to the end, or over many.
    fn chains(&self, format: &Format) -> bool {
        let mut header = *self;
        for _ in 0..CHAIN {
            if header.fault(format).is_some() {
                return false;
            }
            let next = header.at + header.len;
            if next + HEADER_SIZE > self.bytes.len() {
                return true;
            }
            header = Header::at(self.bytes, next, format);
        }
        true
    }

    /// Where to go on: where the length leads, if what it leads to speaks for it.
    fn next(&self, format: &Format) -> usize {
        let target = self.at + self.len;
        let sound = self.has_sound_length(format);
        if sound && self.leads_well(format) {
            return target;
        }
        let from = self.at + if self.is_plausible(format) { self.needed(format) } else { 4 };
        if sound {
            // Either this length is wrong, or the entry it leads to. Removed entries may lie between: only those
            // that lead to the end count.
            let chained =
                (from..target).step_by(4).find(|&at| self.candidate(at, format).is_some_and(|c| c.chains(format)));
            return chained.unwrap_or(target);
        }
        let resumes = |at: &usize| {
            self.candidate(*at, format)
                .is_some_and(|c| c.chains(format) || (c.has_sound_length(format) && c.len == c.needed(format)))
        };
        (from..self.bytes.len()).step_by(4).find(resumes).unwrap_or(self.bytes.len())
    }

    fn candidate(&self, at_byte: usize, format: &Format) -> Option<Header<'b>> {
        (at_byte + HEADER_SIZE <= self.bytes.len())
            .then(|| Header::at(self.bytes, at_byte, format))
            .filter(|header| header.is_plausible(format))
    }

    /// True where the length leads to the end or to an entry without fault.
    fn leads_well(&self, format: &Format) -> bool {
        let target = self.at + self.len;
        target + HEADER_SIZE > self.bytes.len() || Header::at(self.bytes, target, format).fault(format).is_none()
    }
}

/// The kind that a `file_type` stands for.
pub fn kind(file_type: u8) -> Option<Kind> {
    Some(match file_type {
        1 => Kind::File,
        2 => Kind::Directory,
        3 => Kind::CharDevice,
        4 => Kind::BlockDevice,
        5 => Kind::Fifo,
        6 => Kind::Socket,
        7 => Kind::Symlink,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format { block_size: 1024, filetype: true, hashed: false, first_inode: 11, inodes: 100 };

    fn entry(inode: u32, rec_len: u16, name: &str) -> Vec<u8> {
        let mut bytes = inode.to_le_bytes().to_vec();
        bytes.extend(rec_len.to_le_bytes());
        bytes.extend([name.len() as u8, 1]);
        bytes.extend(name.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn names(bytes: &[u8]) -> (Vec<String>, usize) {
        let mut names = Vec::new();
        let (verdict, _) = scan(bytes, &FORMAT, &mut |found| {
            names.push(String::from_utf8_lossy(found.name).into_owned());
            ControlFlow::Continue(())
        });
        (names, verdict.bad.len())
    }

    fn block(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes: Vec<u8> = entries.concat();
        bytes.resize(1024, 0);
        bytes
    }

    #[test]
    fn a_bad_length_costs_nothing_beyond_it() {
        let mut bytes = block(&[entry(11, 12, "a"), entry(12, 12, "b"), entry(13, 12, "c"), entry(14, 988, "d")]);
        for bad in [0u16, 3, 8, 5000, 40] {
            bytes[16..18].copy_from_slice(&bad.to_le_bytes());
            assert_eq!(names(&bytes).0, ["a", "b", "c", "d"], "length {bad}");
        }
    }

    #[test]
    fn a_bad_inode_number_costs_its_entry() {
        let bytes = block(&[entry(11, 12, "a"), entry(12345, 12, "b"), entry(13, 1000, "c")]);
        assert_eq!(names(&bytes), (vec!["a".to_owned(), "c".to_owned()], 1));
    }

    #[test]
    fn removed_entries_do_not_come_back() {
        let bytes = block(&[entry(11, 24, "a"), entry(12, 12, "gone"), entry(13, 1000, "c")]);
        assert_eq!(names(&bytes), (vec!["a".to_owned(), "c".to_owned()], 0));
    }

    #[test]
    fn anything_ends() {
        for byte in 0..=255 {
            names(&vec![byte; 1024]);
        }
        names(&[]);
    }
}
