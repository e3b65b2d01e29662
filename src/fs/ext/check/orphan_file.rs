//! After pass 5: the orphan file, which names no inode while the volume is not in use: the ext4 documentation, `orphan.rst`.
//!
//! Tests: that each block holds zeros, the magic number and its checksum. Needs: the superblock. Leaves: findings alone.

use std::ops::Range;

use super::blocks;
use super::codes;
use super::extents::Visitor;
use super::volume::Volume;
use crate::finding::{Code, Finding, Log, Place};
use crate::source::SourceGone;

use super::super::disk::at;
use super::super::disk::orphan::{MAGIC, OrphanBlockTail};
use super::super::feature::{HAS_JOURNAL, METADATA_CSUM, ORPHAN_FILE};
use super::super::number::{BlockNr, InodeNr};

/// Blocks that are looked at: e2fsprogs makes orphan files of at most 512.
const MOST_BLOCKS: usize = 1 << 16;

/// Checks the file, if the volume has one. Without a journal nothing is said of it.
pub fn check(volume: &Volume) -> Result<Log, SourceGone> {
    let mut log = Log::new();
    let nr = InodeNr(volume.sb.s_orphan_file_inum.get());
    if !volume.has(ORPHAN_FILE) || !volume.has(HAS_JOURNAL) || nr.0 == 0 {
        return Ok(log);
    }
    let Some(record) = volume.inode(nr)?.filter(blocks::has_map) else { return Ok(log) };
    let mut runs = Runs(Vec::new());
    blocks::walk(volume, &record, &mut runs)?;
    let seed = volume.seed.inode(nr, record.inode.i_generation.get());
    let mut bytes = Vec::new();
    for block in runs.0.into_iter().flat_map(|(start, len)| start..start.saturating_add(len)).take(MOST_BLOCKS) {
        volume.read_block(block, &mut bytes)?;
        let (numbers, tail) = bytes.split_at(bytes.len() - size_of::<OrphanBlockTail>());
        let magic = at::<OrphanBlockTail>(tail, 0).map_or(0, |tail| tail.ob_magic.get());
        let sums = seed.orphan_block(BlockNr(block), &bytes).filter(|_| volume.has(METADATA_CSUM));
        let place = Place::inode(nr.0.into()).at_block(block).at(volume.span(block));
        if magic != MAGIC {
            log.add(Finding::new(codes::ORPHAN_FILE_DIRTY, place, format!("magic number {magic:08x}"), "0b10ca04"));
        } else if numbers.iter().any(|&byte| byte != 0) {
            log.add(Finding::new(codes::ORPHAN_FILE_DIRTY, place, "inode numbers", "zeros"));
        } else if let Some(sums) = sums.filter(|sums| !sums.agree()) {
            let (found, computed) = (format!("checksum {:08x}", sums.found), format!("{:08x}", sums.computed));
            log.add(Finding::new(codes::ORPHAN_FILE_DIRTY, place, found, computed));
        }
    }
    Ok(log)
}

/// The blocks of the file.
struct Runs(Vec<(u64, u64)>);

impl Visitor for Runs {
    fn map_block(&mut self, _: u64) {}

    fn data(&mut self, _: u64, block: u64, len: u64, _: bool) -> bool {
        self.0.push((block, len));
        true
    }

    fn problem(&mut self, _: Code, _: u64, _: Range<u64>, _: &dyn Fn() -> String) {}

    fn is_critical(&mut self, _: u64, _: Range<u64>) -> bool {
        false
    }
}
