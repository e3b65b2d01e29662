//! Changes single fields of ext volumes at the places of the ext4 documentation (`Documentation/filesystems/ext4`), read
//! here once more and with nothing of the program's: a poke is `STRUCTURE PLACE OFFSET SIZE VALUE`.

use std::fs;
use std::path::Path;

use super::debugfs;

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
        (self.number(SUPERBLOCK + 0x14, 4) + 1) * self.block_size() + group * size
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
            ["inode", inode] => self.inode(nr(inode)),
            ["file" | "file-be", file, index] => self.block_of(file, index),
            ["acl", inode] => self.number(self.inode(nr(inode)) + 0x68, 4) * self.block_size(),
            ["node", inode] => self.number(self.inode(nr(inode)) + 0x28 + 16, 4) * self.block_size(),
            ["bitmap", group, "block"] => self.number(self.descriptor(number(group)), 4) * self.block_size(),
            ["bitmap", group, "inode"] => self.number(self.descriptor(number(group)) + 4, 4) * self.block_size(),
            ["mmp"] => self.number(SUPERBLOCK + 0x168, 8) * self.block_size(),
            _ => panic!("no structure {words:?}"),
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
    let mut volume = Volume { image, bytes: fs::read(image).expect("the image") };
    let at = (volume.place(place) + number(offset)) as usize;
    let mut bytes = number(value).to_le_bytes()[..number(size) as usize].to_vec();
    if place[0] == "file-be" {
        bytes.reverse();
    }
    volume.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
    fs::write(image, volume.bytes).expect("the image is ours");
}
