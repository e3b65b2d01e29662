//! Changes single fields of ext volumes at the places of the ext4 documentation (`Documentation/filesystems/ext4`), read
//! here once more and with nothing of the program's: a poke is `STRUCTURE PLACE OFFSET SIZE VALUE`. A value is a number,
//! `@STRUCTURE:PLACE` for the block that a structure lies in, `+N`, `|N` or `~N` for what stands there with a number added,
//! its bits set or cleared, or `now+N` for a time.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use offmount::bytes::Span;

use super::debugfs;

/// What pokes begin with.
pub const STRUCTURES: &[&str] =
    &["sb", "gd", "gd-copy", "inode", "file", "file-be", "acl", "node", "bitmap", "table", "mmp", "block"];

/// Byte offset of the superblock.
const SUPERBLOCK: u64 = 1024;

/// The numbers of a volume by which its structures are found.
struct Volume<'a> {
    image: &'a Path,
    bytes: Vec<u8>,
}

impl Volume<'_> {
    fn number(&self, offset: u64, size: usize) -> u64 {
        let bytes = &self.bytes[offset as usize..offset as usize + size];
        bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn block_size(&self) -> u64 {
        1024 << self.number(SUPERBLOCK + 0x18, 4)
    }

    fn descriptor(&self, group: u64) -> u64 {
        let wide = self.number(SUPERBLOCK + 0x60, 4) & 0x80 != 0;
        let size = if wide { self.number(SUPERBLOCK + 0xFE, 2) } else { 32 };
        // Behind the block of the superblock, which is block 0 or, of 1 KiB, block 1.
        (SUPERBLOCK / self.block_size() + 1) * self.block_size() + group * size
    }

    fn inode(&self, nr: u64) -> u64 {
        let per_group = self.number(SUPERBLOCK + 0x28, 4);
        let size = if self.number(SUPERBLOCK + 0x4C, 4) == 0 { 128 } else { self.number(SUPERBLOCK + 0x58, 2) };
        let table = self.number(self.descriptor((nr - 1) / per_group) + 8, 4);
        table * self.block_size() + (nr - 1) % per_group * size
    }

    /// Block `index` of a file, as debugfs maps it.
    fn block_of(&self, file: &str, index: &str) -> u64 {
        let mapped = debugfs(self.image, &format!("bmap {file} {index}\n"));
        let text = String::from_utf8(mapped).expect("a number");
        let block = text.lines().filter_map(|line| line.trim().parse::<u64>().ok()).next_back();
        block.unwrap_or_else(|| panic!("no block {index} of {file}: {text}")) * self.block_size()
    }

    /// Where the structure named by the first words of a poke begins.
    fn place(&self, words: &[&str]) -> u64 {
        let nr = |file: &str| number(file.trim_matches(['<', '>']));
        match words {
            ["sb"] => SUPERBLOCK,
            ["gd", group] => self.descriptor(number(group)),
            // Behind the superblock of group 1, as those of group 0 lie behind the first.
            ["gd-copy", group] => {
                self.descriptor(number(group)) + self.number(SUPERBLOCK + 0x20, 4) * self.block_size()
            }
            ["inode", inode] => self.inode(nr(inode)),
            ["file" | "file-be", file, index] => self.block_of(file, index),
            ["acl", inode] => self.number(self.inode(nr(inode)) + 0x68, 4) * self.block_size(),
            ["node", inode] => self.number(self.inode(nr(inode)) + 0x28 + 16, 4) * self.block_size(),
            ["bitmap", group, "block"] => self.number(self.descriptor(number(group)), 4) * self.block_size(),
            ["bitmap", group, "inode"] => self.number(self.descriptor(number(group)) + 4, 4) * self.block_size(),
            ["table", group] => self.number(self.descriptor(number(group)) + 8, 4) * self.block_size(),
            ["block", block] => number(block) * self.block_size(),
            ["mmp"] => self.number(SUPERBLOCK + 0x168, 8) * self.block_size(),
            _ => panic!("no structure {words:?}"),
        }
    }
}

impl Volume<'_> {
    /// The value of a poke at byte `at`.
    fn value(&self, word: &str, at: usize, size: usize) -> u64 {
        let there = || self.number(at as u64, size);
        if let Some(structure) = word.strip_prefix('@') {
            self.place(&structure.split(':').collect::<Vec<_>>()) / self.block_size()
        } else if let Some(more) = word.strip_prefix('+') {
            there() + number(more)
        } else if let Some(bits) = word.strip_prefix('|') {
            there() | number(bits)
        } else if let Some(bits) = word.strip_prefix('~') {
            there() & !number(bits)
        } else if let Some(later) = word.strip_prefix("now+") {
            SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() + number(later)
        } else {
            number(word)
        }
    }
}

/// A number, decimal or with `0x`.
fn number(word: &str) -> u64 {
    let parsed = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.unwrap_or_else(|_| panic!("{word} is no number"))
}

/// Carries out one poke.
pub fn poke(image: &Path, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (place, [offset, size, value]) = words.split_at(words.len() - 3) else { panic!("{command}") };
    let volume = Volume { image, bytes: fs::read(image).expect("the image") };
    let (at, size) = ((volume.place(place) + number(offset)) as usize, number(size) as usize);
    let mut bytes = volume.value(value, at, size).to_le_bytes()[..size].to_vec();
    if place[0] == "file-be" {
        bytes.reverse();
    }
    write(image, at, &bytes);
}

/// Writes zeros: `STRUCTURE PLACE OFFSET SIZE`.
pub fn zero(image: &Path, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (place, [offset, size]) = words.split_at(words.len() - 2) else { panic!("{command}") };
    let volume = Volume { image, bytes: fs::read(image).expect("the image") };
    write(image, (volume.place(place) + number(offset)) as usize, &vec![0; number(size) as usize]);
}

fn write(image: &Path, at: usize, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(image);
    file.and_then(|file| file.write_all_at(bytes, at as u64)).expect("the image is ours");
}

/// The bytes of the block that a structure lies in.
pub fn span(image: &Path, structure: &str) -> Span {
    let words: Vec<&str> = structure.split_whitespace().collect();
    let volume = Volume { image, bytes: fs::read(image).expect("the image") };
    let size = volume.block_size();
    Span::new(volume.place(&words) / size * size, size)
}
