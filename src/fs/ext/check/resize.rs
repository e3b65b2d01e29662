//! Pass 0, the inode that holds blocks for more group descriptors: the ext4 documentation, `special_inodes.rst`.
//!
//! Tests: that it lists exactly the blocks behind the descriptors and their copies. Needs: the superblock. Leaves:
//! findings alone.

use super::codes;
use super::volume::{Record, Volume};
use crate::bytes::le32;
use crate::finding::{Code, Finding, Log, Place};
use crate::node::Kind;
use crate::source::SourceGone;

use super::super::feature::RESIZE_INODE;
use super::super::number::InodeNr;

/// The place of the double indirect block in `i_block`.
const DOUBLE: usize = 13;

/// e2fsck looks at the first of so many parts of the list.
const LOOKED_AT: u64 = 4;

/// Blocks of the list that are read together.
const AT_ONCE: u64 = 16;

/// Checks the inode.
pub fn check(volume: &Volume) -> Result<Log, SourceGone> {
    let mut log = Log::new();
    let reserved = volume.sb.s_reserved_gdt_blocks.get();
    let record = volume.inode(InodeNr::RESIZE)?;
    let place = Place::inode(InodeNr::RESIZE.0.into());
    if !volume.has(RESIZE_INODE) {
        if reserved != 0 {
            log.add(Finding::new(codes::RESERVED_WITHOUT_FEATURE, Place::volume(), reserved.to_string(), "0"));
        }
        if record.is_some_and(|r| r.inode.i_block.iter().any(|&byte| byte != 0)) {
            log.add(Finding::new(codes::RESIZE_NOT_CLEAR, place, "it holds blocks", "none"));
        }
        return Ok(log);
    }
    // Where it can not be read its group has no table, which is said already.
    if let Some(record) = record
        && let Some((code, why)) = wrong(volume, &record)?
    {
        log.add(Finding::new(code, place, why, ""));
    }
    Ok(log)
}

/// What is wrong with the inode, if anything.
fn wrong(volume: &Volume, record: &Record) -> Result<Option<(Code, String)>, SourceGone> {
    let invalid = |why| Ok(Some((codes::RESIZE_INODE, why)));
    let inode = &record.inode;
    if Kind::from_mode(inode.i_mode.get().into()) != Kind::File || inode.i_links_count.get() == 0 {
        return invalid(format!("mode {:06o}, {} links", inode.i_mode, inode.i_links_count));
    }
    if let Some(i) = (0..15).filter(|i| *i != DOUBLE).find(|i| le32(&inode.i_block, i * 4) != Some(0)) {
        return invalid(format!("block number {i} is in use"));
    }
    let double = u64::from(le32(&inode.i_block, DOUBLE * 4).unwrap_or_default());
    if !volume.is_block(double) {
        return invalid(format!("double indirect block {double}"));
    }
    let mut list = Vec::new();
    volume.read_block(double, &mut list)?;
    let first = volume.descriptor_block(0, 0) + volume.descriptor_blocks();
    let reserved = u64::from(volume.sb.s_reserved_gdt_blocks.get());
    let copies: Vec<u64> = (1..volume.groups)
        .filter(|group| volume.has_superblock(*group))
        .map(|group| u64::from(group) * volume.blocks_per_group)
        .collect();
    let mut some = Vec::new();
    for i in 0..reserved {
        let code = if i < reserved / LOOKED_AT { codes::RESIZE_INODE } else { codes::RESIZE_INODE_LATER };
        let slot = (volume.descriptor_blocks() + i) % volume.addresses();
        let named = u64::from(le32(&list, slot as usize * 4).unwrap_or_default());
        if named != first + i {
            return Ok(Some((code, format!("descriptor block {named}, expected {}", first + i))));
        }
        let at = i % AT_ONCE;
        if at == 0 {
            some.resize((AT_ONCE.min(reserved - i) * volume.block_size) as usize, 0);
            volume.read(named.saturating_mul(volume.block_size), &mut some)?;
        }
        let entries = &some[(at * volume.block_size) as usize..][..volume.block_size as usize];
        if let Some(why) = missed(entries, named, &copies) {
            return Ok(Some((code, why)));
        }
    }
    Ok(None)
}

/// Each block kept behind the primary descriptors lists its counterparts behind the copies, which are so many blocks
/// farther on.
fn missed(entries: &[u8], block: u64, copies: &[u64]) -> Option<String> {
    let named = entries.chunks_exact(4).map(|entry| u64::from(le32(entry, 0).unwrap_or_default()));
    let mut pairs = named.zip(copies.iter().map(|farther| block + farther));
    let (named, expected) = pairs.find(|(named, expected)| named != expected)?;
    Some(format!("copy {named} of block {block}, expected {expected}"))
}
