//! Inodes that were unlinked while open, or were being truncated, when the volume was last in use: [`read`].
//!
//! After replaying the journal the kernel frees the former and cuts the latter at their size. Nothing has to be done
//! for either to read the same: an inode without links is not in use, and no byte behind a file's size is read. Source:
//! the ext4 documentation, `orphan.rst`.

use std::collections::BTreeSet;

use super::codes;
use super::disk::orphan::{MAGIC, tail};
use super::feature;
use super::map;
use super::number::{BlockNr, InodeNr};
use super::volume::Volume;
use crate::bytes::le32;
use crate::finding::{Finding, Log, Place};
use crate::node::Backing;
use crate::source::SourceGone;

/// Every orphan of the superblock's list and of the orphan file.
pub fn read(volume: &Volume, log: &mut Log) -> Result<BTreeSet<InodeNr>, SourceGone> {
    let mut orphans = BTreeSet::new();
    list(volume, &mut orphans, log)?;
    if volume.geometry.features.has(feature::ORPHAN_PRESENT) {
        file(volume, &mut orphans, log)?;
    }
    Ok(orphans)
}

/// The list: from inode to inode, through their time of deletion.
fn list(volume: &Volume, orphans: &mut BTreeSet<InodeNr>, log: &mut Log) -> Result<(), SourceGone> {
    let mut next = volume.superblock.s_last_orphan.get();
    while next != 0 {
        let inode = match volume.geometry.inode(next).filter(|nr| orphans.insert(*nr)) {
            Some(nr) => volume.inode(nr)?,
            None => None,
        };
        let Some(inode) = inode else {
            let place = Place::inode(next.into());
            log.add(Finding::new(codes::ORPHAN_LIST, place, format!("inode {next}"), "an inode not listed yet"));
            return Ok(());
        };
        next = inode.raw.i_dtime.get();
    }
    Ok(())
}

/// The orphan file: inode numbers, and a tail in each block.
fn file(volume: &Volume, orphans: &mut BTreeSet<InodeNr>, log: &mut Log) -> Result<(), SourceGone> {
    let nr = volume.superblock.s_orphan_file_inum.get();
    let inode = match volume.geometry.inode(nr) {
        Some(nr) => volume.inode(nr)?,
        None => None,
    };
    let Some(inode) = inode.filter(super::inode::Inode::is_in_use) else {
        log.add(Finding::new(codes::ORPHAN_FILE, Place::inode(nr.into()), "no file", "the orphan file"));
        return Ok(());
    };
    let geometry = &volume.geometry;
    let block_size = u64::from(geometry.block_size);
    for extent in map::map(volume, &inode, inode.size(geometry))?.extents {
        let Backing::Device { offset, .. } = extent.backing else { continue };
        for block in offset / block_size..(offset + extent.len) / block_size {
            let block = BlockNr(block);
            let Some(bytes) = volume.block(block)? else { continue };
            let (tail_at, magic) = tail(&bytes);
            let sums = inode.seed(geometry).orphan_block(block, &bytes).filter(|_| geometry.has_checksums());
            if magic != MAGIC || sums.is_some_and(|sums| !sums.agree()) {
                let place = Place::inode(nr.into()).at_block(block.0);
                log.add(Finding::new(codes::ORPHAN_FILE, place, format!("{magic:08x}"), format!("{MAGIC:08x}")));
                continue;
            }
            let numbers = (0..tail_at).step_by(4).filter_map(|at| le32(&bytes, at));
            orphans.extend(numbers.filter_map(|nr| geometry.inode(nr)));
        }
    }
    Ok(())
}
