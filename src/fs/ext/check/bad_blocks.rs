//! Pass 1, the list of bad blocks, which is inode 1.
//!
//! Tests: its inode, its block numbers, and what of the volume's metadata it says is bad. Needs: the blocks of metadata
//! marked. Leaves: the blocks marked in use.

use std::ops::Range;

use super::blocks;
use super::codes;
use super::extents::Visitor;
use super::inodes::Found;
use super::volume::{Record, Volume};
use crate::finding::{Code, Finding, Log, Place};
use crate::source::SourceGone;

use super::super::disk::inode::flags;
use super::super::number::InodeNr;

struct List<'a> {
    volume: &'a Volume,
    found: &'a Found,
    log: Log,
    blocks: u64,
}

impl List<'_> {
    fn note(&mut self, code: Code, block: u64, found: String) {
        let place = Place::inode(InodeNr::BAD_BLOCKS.0.into()).at_block(block);
        self.log.add(Finding::new(code, place, found, ""));
    }

    /// A bad block that metadata lies on.
    fn under_metadata(&mut self, block: u64) {
        let volume = self.volume;
        for group in 0..volume.groups {
            let code = if block == volume.block_bitmap(group) {
                codes::BLOCK_BITMAP_BAD
            } else if block == volume.inode_bitmap(group) {
                codes::INODE_BITMAP_BAD
            } else if let Some(i) =
                volume.reserved_in_group(group).iter().position(|&(start, len)| (start..start + len).contains(&block))
            {
                match (group, i) {
                    (0, 0) => codes::SUPERBLOCK_BAD,
                    (0, _) => codes::DESCRIPTORS_BAD,
                    (_, 0) if volume.has_superblock(group) => codes::SUPERBLOCK_COPY_BAD,
                    _ => codes::DESCRIPTORS_COPY_BAD,
                }
            } else {
                continue;
            };
            self.note(code, block, format!("block {block} of group {group}"));
            return;
        }
    }
}

impl Visitor for List<'_> {
    fn map_block(&mut self, block: u64) {
        if self.found.metadata.has(block) {
            self.note(codes::BAD_LIST_ON_METADATA, block, format!("block {block}"));
        } else {
            self.found.blocks.claim(block, block + 1, &self.found.twice);
        }
        self.blocks += 1;
    }

    fn data(&mut self, _: u64, block: u64, len: u64, _: bool) -> bool {
        for block in block..block + len {
            if self.found.metadata.has(block) {
                self.under_metadata(block);
            } else {
                self.found.blocks.claim(block, block + 1, &self.found.twice);
            }
        }
        self.blocks += len;
        true
    }

    fn problem(&mut self, _: Code, block: u64, _: Range<u64>, found: &dyn Fn() -> String) {
        self.note(codes::BAD_LIST_NUMBER, block, found());
    }

    fn is_critical(&mut self, _: u64, _: Range<u64>) -> bool {
        false
    }
}

/// Checks the list.
pub fn check(volume: &Volume, found: &Found, record: &Record) -> Result<Log, SourceGone> {
    found.used.set(InodeNr::BAD_BLOCKS.0.into());
    let mut list = List { volume, found, log: Log::new(), blocks: 0 };
    let inode = &record.inode;
    let fields = [
        inode.i_mode.get().into(),
        inode.i_uid.get().into(),
        inode.i_gid.get().into(),
        inode.i_links_count.get().into(),
        inode.i_file_acl_lo.get(),
    ];
    if fields.iter().any(|&field| field != 0) || inode.has(flags::INLINE_DATA) {
        list.note(codes::BAD_LIST_INODE, 0, format!("mode {:06o}, {} links", inode.i_mode, inode.i_links_count));
    }
    if inode.i_block.iter().any(|&byte| byte != 0) && !inode.has(flags::INLINE_DATA) {
        blocks::walk(volume, record, &mut list)?;
    }
    Ok(list.log)
}
