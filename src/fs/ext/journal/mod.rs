//! The journal (jbd2): the ext4 documentation, `journal.rst`.
//!
//! [`Journal::open`] judges its superblock, [`Journal::replay`] finds what a mount would write in place and lays it
//! over the volume without writing it, [`Journal::copies`] lists every block that the log still holds, also of
//! transactions that were written in place long ago.

mod blocks;
mod copies;
mod descriptor;
mod fast;
mod replay;

pub use {copies::LoggedBlock, fast::Change, replay::Replayed};

use blocks::Blocks;

use super::checksum::{self, JournalSeed};
use super::codes;
use super::disk::at;
use super::disk::journal::{
    DEFAULT_FAST_COMMIT_BLOCKS, JournalHeader, JournalSuperblock, MAGIC, SUPERBLOCK_SIZE, blocktype, checksum_type,
    compat, incompat,
};
use super::geometry::Geometry;
use crate::finding::{Finding, Log, Place};
use crate::node::Mapping;
use crate::source::{Source, SourceGone};

/// Fewest blocks of a log that fast commits leave (`JBD2_MIN_JOURNAL_BLOCKS`).
const MIN_LOG_BLOCKS: u32 = 1024;

/// A journal whose superblock can be used.
pub struct Journal<'g> {
    geometry: &'g Geometry,
    blocks: Blocks,
    superblock: JournalSuperblock,
    checksums: Checksums,
    seed: JournalSeed,
    /// First block of the log, and one past its last.
    log: std::ops::Range<u32>,
    /// Blocks of the fast commit area; empty where there is none.
    fast: std::ops::Range<u32>,
}

/// How a journal proves its blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Checksums {
    /// Not at all.
    None,
    /// The commit block holds one checksum over the transaction's blocks.
    V1,
    /// Every block has its own; the tags of data blocks keep 16 bits.
    V2,
    /// The same with 32 bits.
    V3,
}

impl<'g> Journal<'g> {
    /// Judges the journal that lies on `source` as `mapping` says. `None` where its superblock is no use; what is
    /// wrong is noted in `log`.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn open(
        source: &Source,
        geometry: &'g Geometry,
        mapping: Mapping,
        log: &mut Log,
    ) -> Result<Option<Self>, SourceGone> {
        let blocks = Blocks::new(source.clone(), mapping, geometry.block_size);
        let superblock = blocks.read(0)?.and_then(|block| at::<JournalSuperblock>(&block, 0));
        let judged = superblock
            .ok_or_else(|| unusable("unreadable", "a readable block"))
            .and_then(|superblock| Journal::judge(geometry, blocks, superblock));
        Ok(match judged {
            Ok(journal) => {
                journal.judge_checksum(log);
                Some(journal)
            }
            Err((found, expected)) => {
                log.add(Finding::new(codes::JOURNAL_SUPERBLOCK, Place::volume(), found, expected));
                None
            }
        })
    }

    fn judge(geometry: &'g Geometry, blocks: Blocks, sb: JournalSuperblock) -> Result<Self, Facts> {
        let kind = sb.s_header.h_blocktype.get();
        if sb.s_header.h_magic.get() != MAGIC || ![blocktype::SUPERBLOCK_V1, blocktype::SUPERBLOCK_V2].contains(&kind) {
            let found = format!("magic {:08x}, kind {kind}", sb.s_header.h_magic);
            return Err(unusable(found, format!("magic {MAGIC:08x}, kind 3 or 4")));
        }
        if sb.s_blocksize.get() != geometry.block_size {
            return Err(unusable(format!("blocks of {} bytes", sb.s_blocksize), format!("{}", geometry.block_size)));
        }
        // Version 1 ends before the feature words; what stands there is no feature.
        let has_features = kind == blocktype::SUPERBLOCK_V2;
        let incompat = if has_features { sb.s_feature_incompat.get() } else { 0 };
        if incompat & !incompat::KNOWN != 0 {
            return Err(unusable(format!("features {incompat:#x}"), format!("none but {:#x}", incompat::KNOWN)));
        }
        let end = sb.s_maxlen.get().min(blocks.count());
        let reserved = match sb.s_num_fc_blks.get() {
            _ if incompat & incompat::FAST_COMMIT == 0 => 0,
            0 => DEFAULT_FAST_COMMIT_BLOCKS,
            n => n,
        };
        let log_end = end.checked_sub(reserved).filter(|log_end| *log_end >= MIN_LOG_BLOCKS).unwrap_or(end);
        let first = sb.s_first.get();
        if first == 0 || first >= log_end {
            return Err(unusable(format!("a log from block {first}"), format!("one in blocks 1 to {log_end}")));
        }
        let start = sb.s_start.get();
        if start != 0 && !(first..log_end).contains(&start) {
            return Err(unusable(format!("a start in block {start}"), format!("one in blocks {first} to {log_end}")));
        }
        let checksums = match incompat {
            _ if incompat & incompat::CSUM_V3 != 0 => Checksums::V3,
            _ if incompat & incompat::CSUM_V2 != 0 => Checksums::V2,
            _ if has_features && sb.s_feature_compat.get() & compat::CHECKSUM != 0 => Checksums::V1,
            _ => Checksums::None,
        };
        let seed = JournalSeed::of_uuid(&sb.s_uuid);
        // The kernel leaves one block between the log and the fast commits.
        let fast = if log_end < end { log_end + 1..end } else { end..end };
        Ok(Journal { geometry, blocks, superblock: sb, checksums, seed, log: first..log_end, fast })
    }

    /// A wrong checksum alone does not keep a journal from being replayed: every field in use was judged.
    fn judge_checksum(&self, log: &mut Log) {
        let has_one = self.has_block_checksums() && self.superblock.s_checksum_type == checksum_type::CRC32C;
        let sums = checksum::journal_superblock(&self.superblock);
        if has_one && !sums.agree() {
            let facts = (format!("checksum {:08x}", sums.found), format!("{:08x}", sums.computed));
            log.add(Finding::new(codes::JOURNAL_SUPERBLOCK, Place::volume(), facts.0, facts.1));
        }
    }

    /// True where the log holds transactions that may not stand in place yet.
    pub fn is_waiting(&self) -> bool {
        self.superblock.s_start.get() != 0
    }

    /// Its superblock, as it lies.
    pub fn superblock(&self) -> &JournalSuperblock {
        &self.superblock
    }

    fn has(&self, feature: u32) -> bool {
        self.superblock.s_header.h_blocktype.get() == blocktype::SUPERBLOCK_V2
            && self.superblock.s_feature_incompat.get() & feature != 0
    }

    fn has_block_checksums(&self) -> bool {
        matches!(self.checksums, Checksums::V2 | Checksums::V3)
    }

    /// The block of the log behind `block`, `count` further on; the log is a ring.
    fn after(&self, block: u32, count: u32) -> u32 {
        let len = self.log.end - self.log.start;
        self.log.start + ((block - self.log.start) + count % len) % len
    }

    /// The header of a block, if it begins like a block of the journal's own.
    fn header(block: &[u8]) -> Option<JournalHeader> {
        at::<JournalHeader>(block, 0).filter(|header| header.h_magic.get() == MAGIC)
    }

    /// False where a descriptor's or revoke block's checksum speaks against it.
    fn is_proved(&self, block: &[u8]) -> bool {
        !self.has_block_checksums() || self.seed.tail(block).is_some_and(checksum::Sums::agree)
    }
}

/// What was found and what was expected.
type Facts = (String, String);

fn unusable(found: impl Into<String>, expected: impl Into<String>) -> Facts {
    (found.into(), expected.into())
}

const _: () = assert!(SUPERBLOCK_SIZE == 1024, "fits the smallest block");
