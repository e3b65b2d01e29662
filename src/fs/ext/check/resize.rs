//! Pass 0, the inode that holds blocks for more group descriptors: the ext4 documentation, `special_inodes.rst`.
//!
//! Tests: that it lists exactly the blocks behind the descriptors and their copies. Needs: the superblock. Leaves:
//! findings, and how many blocks the inode has where all of it is as it has to be: nobody needs to read it again.

use super::codes;
use super::inodes::{checksum_agrees, is_zero};
use super::volume::{Record, Volume};
use crate::bytes::le32;
use crate::finding::{Code, Finding, Log, Place};
use crate::node::Kind;
use crate::source::SourceGone;

use super::super::disk::inode::flags;
use super::super::feature::{METADATA_CSUM, RESIZE_INODE};
use super::super::number::InodeNr;

/// The place of the double indirect block in `i_block`.
pub const DOUBLE: usize = 13;

/// e2fsck looks at the first of so many parts of the list.
const LOOKED_AT: u64 = 4;

/// Blocks of the list that are read together.
const AT_ONCE: u64 = 16;

/// What is known of the inode.
pub struct Resize {
    pub log: Log,
    /// Its blocks, where it lists all that it has to, and nothing else.
    pub blocks: Option<u64>,
}

/// Checks the inode.
pub fn check(volume: &Volume) -> Result<Resize, SourceGone> {
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
        return Ok(Resize { log, blocks: None });
    }
    // Where it can not be read its group has no table, which is said already.
    let Some(record) = record else { return Ok(Resize { log, blocks: None }) };
    let blocks = match blocks(volume, &record)? {
        Ok(blocks) => blocks,
        Err((code, why)) => {
            // e2fsck reads no inode whose checksum is wrong.
            let unreached = volume.has(METADATA_CSUM) && !checksum_agrees(volume, InodeNr::RESIZE.0, &record.raw);
            log.add(Finding { unreached, ..Finding::new(code, place, why, "") });
            None
        }
    };
    Ok(Resize { log, blocks })
}

/// What is wrong with the inode: a code, and why.
type Wrong = (Code, String);

/// The blocks of the inode; `None` where it lists more than it has to.
fn blocks(volume: &Volume, record: &Record) -> Result<Result<Option<u64>, Wrong>, SourceGone> {
    let invalid = |why| Ok(Err((codes::RESIZE_INODE, why)));
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
    let listed = list.chunks_exact(4).filter(|entry| !is_zero(entry)).count() as u64;
    let in_volume = volume.is_block(first + reserved + copies.last().copied().unwrap_or_default());
    let mut exact = in_volume && listed == reserved && !inode.has(flags::EXTENTS) && !inode.has(flags::INLINE_DATA);
    let mut some = Vec::new();
    for i in 0..reserved {
        let code = if i < reserved / LOOKED_AT { codes::RESIZE_INODE } else { codes::RESIZE_INODE_LATER };
        let slot = (volume.descriptor_blocks() + i) % volume.addresses();
        let named = u64::from(le32(&list, slot as usize * 4).unwrap_or_default());
        if named != first + i {
            return Ok(Err((code, format!("descriptor block {named}, expected {}", first + i))));
        }
        let at = i % AT_ONCE;
        if at == 0 {
            some.resize((AT_ONCE.min(reserved - i) * volume.block_size) as usize, 0);
            volume.read(named.saturating_mul(volume.block_size), &mut some)?;
        }
        let entries = &some[(at * volume.block_size) as usize..][..volume.block_size as usize];
        if let Some(why) = missed(entries, named, &copies) {
            return Ok(Err((code, why)));
        }
        exact &= is_zero(&entries[(copies.len() * 4).min(entries.len())..]);
    }
    // The list itself, each block on it, and their copies.
    Ok(Ok(exact.then(|| 1 + reserved * (1 + copies.len() as u64))))
}

/// Each block kept behind the primary descriptors lists its counterparts behind the copies, which are so many blocks
/// farther on.
fn missed(entries: &[u8], block: u64, copies: &[u64]) -> Option<String> {
    let named = entries.chunks_exact(4).map(|entry| u64::from(le32(entry, 0).unwrap_or_default()));
    let mut pairs = named.zip(copies.iter().map(|farther| block + farther));
    let (named, expected) = pairs.find(|(named, expected)| named != expected)?;
    Some(format!("copy {named} of block {block}, expected {expected}"))
}
