//! Pass 1, the blocks of files mapped by indirect blocks.
//!
//! Tests: that block numbers are in the volume. Needs: the inode. Leaves: every block of the map and of the file, told
//! to a [`Visitor`].

use super::codes;
use super::extents::Visitor;
use super::volume::{Record, Volume};
use crate::bytes::le32;
use crate::source::SourceGone;

/// Block numbers in the inode itself, before the three that name indirect blocks.
pub const DIRECT: u64 = 12;

/// Walks the map of an inode in the order of the file.
pub fn walk<V: Visitor>(volume: &Volume, record: &Record, visitor: &mut V) -> Result<(), SourceGone> {
    let mut map = Map { volume, visitor, budget: volume.blocks.saturating_mul(2).saturating_add(1 << 16), run: None };
    let mut logical = 0;
    for i in 0..15usize {
        let block = u64::from(le32(&record.inode.i_block, i * 4).unwrap_or_default());
        let depth = (i as u64).saturating_sub(DIRECT - 1).min(3) as u32;
        if !map.entry(block, depth, &mut logical)? {
            break;
        }
    }
    map.flush();
    Ok(())
}

struct Map<'a, V> {
    volume: &'a Volume,
    visitor: &'a mut V,
    /// How many block numbers may be followed: a map that names itself would go on for ever.
    budget: u64,
    /// File block, block and length of the run being gathered.
    run: Option<(u64, u64, u64)>,
}

impl<V: Visitor> Map<'_, V> {
    /// Follows one block number, `depth` indirect blocks above the file's; false where the walk is to stop.
    fn entry(&mut self, block: u64, depth: u32, logical: &mut u64) -> Result<bool, SourceGone> {
        let covers = self.volume.addresses().pow(depth);
        if block == 0 {
            *logical += covers;
            return Ok(true);
        }
        self.budget = self.budget.saturating_sub(1);
        if self.budget == 0 {
            return Ok(false);
        }
        if !self.volume.is_block(block) {
            let at = *logical;
            self.visitor.problem(codes::ILLEGAL_BLOCK, block, at..at + covers, &|| match depth {
                0 => format!("file block {at} at block {block}"),
                _ => format!("indirect block {block} for file block {at}"),
            });
            // Of all blocks that name others only the simple indirect block may be out of place.
            if depth > 1 || depth == 1 && at > DIRECT {
                self.visitor.stops_e2fsck();
            }
            *logical += covers;
            return Ok(true);
        }
        if depth == 0 {
            self.gather(*logical, block);
            *logical += 1;
            return Ok(true);
        }
        self.flush();
        // It is followed all the same: a repair that leaves it as it is does so too.
        self.visitor.is_critical(block, *logical..*logical + covers);
        self.visitor.map_block(block);
        let mut entries = Vec::new();
        self.volume.read_block(block, &mut entries)?;
        let end = *logical + covers;
        for entry in up_to_last(&entries).chunks_exact(4) {
            let below = u64::from(le32(entry, 0).unwrap_or_default());
            if !self.entry(below, depth - 1, logical)? {
                return Ok(false);
            }
        }
        *logical = end;
        Ok(true)
    }

    fn gather(&mut self, logical: u64, block: u64) {
        match &mut self.run {
            Some((l, b, len)) if *l + *len == logical && *b + *len == block => *len += 1,
            _ => {
                self.flush();
                self.run = Some((logical, block, 1));
            }
        }
    }

    fn flush(&mut self) {
        if let Some((logical, block, len)) = self.run.take() {
            self.visitor.data(logical, block, len, false);
        }
    }
}

/// The entries of an indirect block without the zeros at its end, or most of them: many list next to nothing.
fn up_to_last(entries: &[u8]) -> &[u8] {
    const PIECE: usize = 32;
    let pieces = entries.chunks_exact(PIECE);
    let zeros = pieces.rev().take_while(|piece| **piece == [0; PIECE]).count();
    &entries[..entries.len() - zeros * PIECE]
}
