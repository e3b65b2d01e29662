//! Inode tables, recognised by their contents.

use super::super::disk::inode::Inode;
use super::super::disk::padded;
use super::super::geometry::Geometry;
use super::super::number::{BlockNr, GroupNr, InodeNr};
use super::record::{self, Verdict};
use super::sighting;
use crate::node::Kind;
use crate::source::{Source, SourceGone, read_whole};

/// Blocks of a table looked at, spread over it.
const SAMPLE: u64 = 24;
/// Directories of a table asked for their own number.
const MOST_ASKED: u32 = 8;

/// Whether the inode table of `nr` begins at `table`: proved by a checksum or by directories that name themselves;
/// disproved by those that name another, or by contents that are no inodes. `None` where nothing tells.
///
/// # Errors
/// When the source is gone.
pub fn holds_inodes(
    source: &Source,
    geometry: &Geometry,
    nr: GroupNr,
    table: BlockNr,
) -> Result<Option<bool>, SourceGone> {
    let blocks = geometry.inode_table_blocks();
    let per_block = geometry.block_size / geometry.inode_size;
    let (mut garbage, mut plausible, mut asked) = (0, 0, 0);
    for sample in 0..blocks.min(SAMPLE) {
        // The first third in order, where the used inodes are; the rest in equal steps.
        let index = if sample < SAMPLE / 3 { sample } else { sample * blocks / SAMPLE.min(blocks) };
        let offset = geometry.offset(BlockNr(table.0 + index));
        let Some(block) = read_whole(&**source, offset, geometry.block_size as usize)? else { continue };
        for (slot, record) in (0..per_block).zip(block.chunks_exact(geometry.inode_size as usize)) {
            let place = index as u32 * per_block + slot;
            if place >= geometry.inodes_per_group {
                break;
            }
            let inode_nr = geometry.inode_at(nr, place);
            match record::judge(geometry, inode_nr, record) {
                // Unused records of a table keep a checksum in no version of mke2fs; a used one proves the place.
                Verdict::Proved => return Ok(Some(true)),
                Verdict::Garbage => garbage += 1,
                Verdict::Plausible => {
                    plausible += 1;
                    if asked < MOST_ASKED
                        && let Some(told) = names_itself(source, geometry, inode_nr, record)?
                    {
                        if told {
                            return Ok(Some(true));
                        }
                        asked += 1;
                    }
                }
                Verdict::Blank => {}
            }
        }
    }
    if asked > 0 || garbage > plausible || (geometry.has_checksums() && plausible + garbage > 0) {
        return Ok(Some(false));
    }
    Ok(None)
}

/// Whether a directory's first block says that the directory is inode `nr`; `None` where nothing is said.
pub fn names_itself(
    source: &Source,
    geometry: &Geometry,
    nr: InodeNr,
    record: &[u8],
) -> Result<Option<bool>, SourceGone> {
    let inode: Inode = padded(record);
    if Kind::from_mode(inode.i_mode.get().into()) != Kind::Directory || inode.i_links_count.get() == 0 {
        return Ok(None);
    }
    let Some(block) = record::first_block(geometry, &inode) else { return Ok(None) };
    let block = read_whole(&**source, geometry.offset(block), geometry.block_size as usize)?;
    Ok(block.and_then(|block| sighting::dot(&block)).map(|(own, _)| own == nr.0))
}
