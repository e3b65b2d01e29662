//! Pass 1, the root of a hashed directory.

use super::codes;
use super::volume::{Record, Volume};
use crate::finding::Code;
use crate::node::Kind;
use crate::source::SourceGone;

use super::super::disk::at;
use super::super::disk::dirent::DxRoot;
use super::super::disk::inode::flags;
use super::super::feature::{DIR_INDEX, LARGE_DIR};

/// Versions of the hash: legacy, half MD4 and TEA.
const PLAIN_HASHES: std::ops::RangeInclusive<u8> = 0..=2;
/// The version of directories that are both encrypted and casefolded.
pub const SIPHASH: u8 = 6;
/// A flag that no version of the format knows.
const INCOMPATIBLE: u8 = 1;

/// Levels of a hash tree below its root.
pub fn levels(volume: &Volume) -> u8 {
    if volume.has(LARGE_DIR) { 2 } else { 1 }
}

/// Most levels below the root that a tree has without large_dir.
const SMALL_DIR_LEVELS: u8 = 2;

/// True for the problem that a tree is deeper than trees without large_dir ever are.
pub fn asks_for_large_dir(volume: &Volume, record: &Record) -> Result<bool, SourceGone> {
    let first = if super::blocks::has_map(record) { super::blocks::first_block(volume, record)? } else { None };
    let Some(first) = first.filter(|block| volume.is_block(*block)) else { return Ok(false) };
    let mut block = Vec::new();
    volume.read_block(first, &mut block)?;
    Ok(at::<DxRoot>(&block, 0).is_some_and(|root| root.info.indirect_levels > SMALL_DIR_LEVELS))
}

/// What is wrong with the root of a directory that is marked as hashed.
pub fn judge(volume: &Volume, record: &Record) -> Result<Vec<(Code, String)>, SourceGone> {
    let mut problems = Vec::new();
    if Kind::from_mode(record.inode.i_mode.get().into()) != Kind::Directory {
        problems.push((codes::HASHED_NOT_DIRECTORY, format!("mode {:06o}", record.inode.i_mode)));
    }
    if !volume.has(DIR_INDEX) {
        problems.push((codes::HASHED_WITHOUT_FEATURE, String::new()));
    }
    let first = if super::blocks::has_map(record) { super::blocks::first_block(volume, record)? } else { None };
    let Some(first) = first.filter(|block| volume.is_block(*block)) else {
        problems.push((codes::HASHED_ROOT, "no first block".into()));
        return Ok(problems);
    };
    let mut block = Vec::new();
    volume.read_block(first, &mut block)?;
    let Some(root) = at::<DxRoot>(&block, 0) else { return Ok(problems) };
    let (info, both) = (root.info, record.inode.has(flags::ENCRYPT) && record.inode.has(flags::CASEFOLD));
    if info.reserved_zero.get() != 0 || info.info_length < 8 {
        problems.push((codes::HASHED_ROOT, format!("length {} of the tree's information", info.info_length)));
    }
    if both && info.hash_version != SIPHASH {
        problems.push((codes::HASH_NOT_SIPHASH, info.hash_version.to_string()));
    } else if !both && info.hash_version == SIPHASH {
        problems.push((codes::HASH_SIPHASH, info.hash_version.to_string()));
    } else if !both && !PLAIN_HASHES.contains(&info.hash_version) {
        problems.push((codes::HASH_VERSION, info.hash_version.to_string()));
    }
    if info.unused_flags & INCOMPATIBLE != 0 {
        problems.push((codes::HASH_FLAGS, format!("{:#x}", info.unused_flags)));
    }
    if info.indirect_levels > levels(volume) {
        problems.push((codes::HASH_DEPTH, info.indirect_levels.to_string()));
    }
    Ok(problems)
}
