//! Direct, indirect, double and triple indirect blocks: the ext4 documentation, `blockmap.rst`.

use std::collections::HashSet;

use super::Runs;
use crate::bytes::le32;
use crate::fs::ext::codes;
use crate::fs::ext::inode::Inode;
use crate::fs::ext::number::BlockNr;
use crate::source::SourceGone;

/// Pointers in the inode that lead to data.
const DIRECT: u64 = 12;

/// Maps what the pointers of `inode` lead to.
pub fn map(runs: &mut Runs<'_>, inode: &Inode<'_>) -> Result<(), SourceGone> {
    let mut pointers = Pointers { runs, visited: HashSet::new() };
    let table = &inode.raw.i_block;
    pointers.list(&table[..DIRECT as usize * 4], 0, 0)?;
    let mut logical = DIRECT;
    for level in 1..=3 {
        let pointer = le32(table, (DIRECT as usize + level as usize - 1) * 4).unwrap_or(0);
        pointers.pointer(pointer, level, logical)?;
        logical += pointers.covered(level);
    }
    Ok(())
}

struct Pointers<'p, 'v> {
    runs: &'p mut Runs<'v>,
    /// Blocks of pointers read so far: none is read twice, so damage can make no loop.
    visited: HashSet<BlockNr>,
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
        match volume.block(block)? {
            Some(bytes) => self.list(&bytes, level - 1, logical),
            None => {
                self.runs.note(codes::MAP_UNREADABLE, Some(block.0), Default::default);
                self.runs.lost(logical, self.covered(level));
                Ok(())
            }
        }
    }
}
