//! Direct, indirect, double and triple indirect blocks: the ext4 documentation, `blockmap.rst`.

use std::collections::HashSet;

use super::{Beyond, Runs, hole};
use crate::bytes::{Spans, le32};
use crate::fs::ext::codes;
use crate::fs::ext::feature;
use crate::fs::ext::geometry::Geometry;
use crate::fs::ext::inode::Inode;
use crate::fs::ext::number::BlockNr;
use crate::node::Trust;
use crate::source::SourceGone;

/// Pointers in the inode that lead to data.
const DIRECT: u64 = 12;

/// Maps what the pointers of `inode` lead to.
pub fn map(runs: &mut Runs<'_>, inode: &Inode<'_>) -> Result<(), SourceGone> {
    let left = runs.volume.geometry.blocks;
    let mut pointers = Pointers { runs, visited: HashSet::new(), left, blank: Spans::new() };
    let table = &inode.raw.i_block;
    pointers.list(&table[..DIRECT as usize * 4], 0, 0)?;
    let mut logical = DIRECT;
    for level in 1..=3 {
        let pointer = le32(table, (DIRECT as usize + level as usize - 1) * 4).unwrap_or(0);
        pointers.pointer(pointer, level, logical)?;
        logical += pointers.covered(level);
    }
    let Pointers { visited, blank, .. } = pointers;
    if !blank.is_empty() {
        runs.blank(&blank, visited.len() as u64, inode);
    }
    Ok(())
}

/// What the pointers in the inode itself, and its count of blocks, say of the bytes behind `size`. Nothing may be mapped
/// there, and a size that only a hole bears out, and a huge one, is a ruined one more often than a sparse file's.
pub fn beyond(geometry: &Geometry, inode: &Inode<'_>, size: u64) -> Beyond {
    let block = u64::from(geometry.block_size);
    let per_block = block / 4;
    // Where in the file each pointer's blocks begin and end.
    let mut from = 0;
    let covered = (0..15u32).map(|i| {
        let count = per_block.saturating_pow(i.saturating_sub(DIRECT as u32 - 1));
        let range = (from, from + count);
        from += count;
        range
    });
    let used: Vec<(u64, u64)> = covered
        .zip(inode.raw.i_block.chunks_exact(4))
        .filter(|(_, pointer)| geometry.block(le32(pointer, 0).unwrap_or_default().into()).is_some())
        .map(|(range, _)| range)
        .collect();
    let blocks = size.div_ceil(block);
    if used.iter().any(|range| range.0 >= blocks) || counts_more(geometry, inode, blocks) {
        return Beyond::Joined;
    }
    let reach = used.iter().map(|range| range.1).max().unwrap_or_default().saturating_mul(block);
    if reach > 0 { hole(geometry, size.saturating_sub(reach)) } else { Beyond::Nothing }
}

/// True where an inode counts more blocks as its own than a file of so many has, with all that leads to them.
fn counts_more(geometry: &Geometry, inode: &Inode<'_>, blocks: u64) -> bool {
    let block = u64::from(geometry.block_size);
    let per_block = block / 4;
    let indirect = if blocks <= DIRECT { 0 } else { 2 + blocks / per_block + blocks / per_block.pow(2) };
    let attributes = u64::from(inode.raw.file_acl() != 0);
    let most = (blocks + indirect + attributes).saturating_mul(block);
    geometry.cluster_blocks == 1 && !geometry.features.has(feature::EA_INODE) && inode.allocated(geometry) > most
}

struct Pointers<'p, 'v> {
    runs: &'p mut Runs<'v>,
    /// Blocks of pointers read so far: none is read twice, so damage can make no loop.
    visited: HashSet<BlockNr>,
    /// The bytes of the file that blocks of pointers cover of which nothing but zeros is left.
    blank: Spans,
    /// Pointers that may still be followed. No file has more than the volume has blocks; contents read as pointers have.
    left: u64,
}

impl Pointers<'_, '_> {
    /// Blocks of the file that a pointer of this level covers; level 0 leads to data.
    fn covered(&self, level: u32) -> u64 {
        // At most 16,384 to the third power.
        (self.runs.block_size() / 4).pow(level)
    }

    /// Maps what the pointers in `bytes` say, the first of which covers the file from `logical` on.
    fn list(&mut self, bytes: &[u8], level: u32, logical: u64) -> Result<(), SourceGone> {
        let covered = self.covered(level);
        for (i, pointer) in bytes.chunks_exact(4).enumerate() {
            let logical = logical + i as u64 * covered;
            if logical >= self.runs.blocks() {
                break;
            }
            self.pointer(le32(pointer, 0).unwrap_or(0), level, logical)?;
        }
        Ok(())
    }

    fn pointer(&mut self, pointer: u32, level: u32, logical: u64) -> Result<(), SourceGone> {
        if pointer == 0 || logical >= self.runs.blocks() {
            return Ok(());
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.runs.lost(logical, self.covered(level));
            return Ok(());
        };
        self.left = left;
        let volume = self.runs.volume;
        let block = volume.geometry.block(pointer.into());
        let Some(block) = block.filter(|block| level == 0 || self.visited.insert(*block)) else {
            let expected = volume.geometry.block_range();
            self.runs.note(codes::MAP_BLOCK, None, || (format!("block {pointer} at {logical}"), expected));
            self.runs.lost(logical, self.covered(level));
            return Ok(());
        };
        if level == 0 {
            self.runs.data(logical, 1, block);
            return Ok(());
        }
        let on_disk = volume.block(block)?;
        if on_disk.as_ref().is_none_or(|bytes| is_blank(bytes))
            && let Some(older) = volume.older_block(block, |_| true)
        {
            self.runs.trust(Trust::Journal);
            return self.list(&older, level - 1, logical);
        }
        match on_disk {
            Some(bytes) if is_blank(&bytes) => {
                self.blank.extend(&self.runs.may_be_lost(logical, self.covered(level)).into_iter().collect());
                Ok(())
            }
            Some(bytes) => self.list(&bytes, level - 1, logical),
            None => {
                self.runs.note(codes::MAP_UNREADABLE, Some(block.0), Default::default);
                self.runs.lost(logical, self.covered(level));
                Ok(())
            }
        }
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
