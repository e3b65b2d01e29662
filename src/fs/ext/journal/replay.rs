//! Replay in memory, in the three passes of the kernel: find the end of the log, gather what was revoked, take over
//! the blocks.

use std::collections::HashMap;
use std::sync::Arc;

use super::descriptor::Tag;
use super::fast::FastCommits;
use super::{Checksums, Journal};
use crate::finding::{Finding, Log, Place};
use crate::fs::ext::checksum::{Sums, journal_v1};
use crate::fs::ext::codes;
use crate::fs::ext::disk::at;
use crate::fs::ext::disk::journal::{CommitHeader, MAGIC, blocktype, checksum_type, incompat};
use crate::source::{OverlayBuilder, SourceGone};

/// What a replay gives.
pub struct Replayed {
    /// The blocks that replace those of the volume.
    pub blocks: OverlayBuilder,
    /// Transactions replayed.
    pub transactions: u32,
    /// Data blocks that were skipped as they do not match their checksum, or belong outside the volume.
    pub skipped: u64,
    /// What follows the last transaction in the fast commit area.
    pub fast_commits: FastCommits,
    /// What is wrong.
    pub log: Log,
}

/// A block of the log, as the walk comes to it.
enum Step<'b> {
    /// Data blocks follow, the first in block `first` of the journal.
    Descriptor { tags: &'b [Tag], first: u32 },
    /// Numbers of blocks whose earlier versions must not be replayed.
    Revoke(&'b [u8]),
}

/// Where the committed part of the log ends.
struct End {
    /// The first transaction that is not whole.
    sequence: u32,
    transactions: u32,
}

/// Numbers of transactions wrap around: true where `a` is not later than `b`.
pub(super) fn not_later(a: u32, b: u32) -> bool {
    b.wrapping_sub(a) < 1 << 31
}

impl Journal<'_> {
    /// Finds what a mount would write in place. Nothing is replayed where nothing waits.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn replay(&self) -> Result<Replayed, SourceGone> {
        let mut replayed = Replayed {
            blocks: OverlayBuilder::new(self.geometry.block_size.into()),
            transactions: 0,
            skipped: 0,
            fast_commits: FastCommits::default(),
            log: Log::new(),
        };
        if !self.is_waiting() {
            return Ok(replayed);
        }
        let end = self.find_end(&mut replayed.log)?;
        replayed.transactions = end.transactions;
        let mut revoked: HashMap<u64, u32> = HashMap::new();
        self.walk(&end, |sequence, step| {
            if let Step::Revoke(block) = step {
                for target in self.revoked(block) {
                    // The walk ascends, so the last transaction that revokes a block stays.
                    revoked.insert(target, sequence);
                }
            }
            Ok(())
        })?;
        self.walk(&end, |sequence, step| match step {
            Step::Descriptor { tags, first } => self.take_over(tags, first, sequence, &revoked, &mut replayed),
            Step::Revoke(_) => Ok(()),
        })?;
        replayed.fast_commits = self.fast_commits(end.sequence)?;
        Ok(replayed)
    }

    /// Walks the log to the last transaction that is whole.
    fn find_end(&self, log: &mut Log) -> Result<End, SourceGone> {
        let mut sequence = self.superblock.s_sequence.get();
        let mut block = self.superblock.s_start.get();
        let (mut transactions, mut crc, mut stale, mut last_commit) = (0, !0, false, (0, 0));
        // A whole round is as far as a log goes.
        let mut left = self.log.len() as u64;
        while left > 0 {
            let Some(content) = self.blocks.read(block)? else { break };
            let Some(header) = Self::header(&content).filter(|header| header.h_sequence.get() == sequence) else {
                break;
            };
            let mut passed = 1;
            match header.h_blocktype.get() {
                blocktype::DESCRIPTOR => {
                    // A block of an earlier round of the log is told apart by the time of its commit.
                    stale |= !self.is_proved(&content);
                    let count = self.tags(&content).len() as u32;
                    if self.checksums == Checksums::V1 {
                        crc = self.run_on(journal_v1(crc, &content), block, count)?;
                    }
                    passed += count;
                }
                blocktype::REVOKE => stale |= !self.is_proved(&content),
                blocktype::COMMIT => {
                    let time = commit_time(&content);
                    let is_old = stale && time < last_commit;
                    if is_old {
                        break;
                    }
                    if stale || !self.is_commit_proved(&content, crc) {
                        // With asynchronous commits, the last one may be on the disk before its blocks are.
                        if !self.has(incompat::ASYNC_COMMIT) {
                            let facts = (format!("transaction {sequence} with a wrong checksum"), "a right one");
                            log.add(Finding::new(codes::JOURNAL_TRANSACTION, Place::volume(), facts.0, facts.1));
                        }
                        break;
                    }
                    (crc, stale, last_commit) = (!0, false, time);
                    sequence = sequence.wrapping_add(1);
                    transactions += 1;
                }
                _ => break,
            }
            left = left.saturating_sub(passed.into());
            block = self.after(block, passed);
        }
        Ok(End { sequence, transactions })
    }

    /// The checksum v1 run on over the `count` data blocks behind `block`.
    fn run_on(&self, mut crc: u32, block: u32, count: u32) -> Result<u32, SourceGone> {
        for i in 1..=count.min(self.log.len() as u32) {
            if let Some(content) = self.blocks.read(self.after(block, i))? {
                crc = journal_v1(crc, &content);
            }
        }
        Ok(crc)
    }

    fn is_commit_proved(&self, block: &[u8], crc: u32) -> bool {
        match self.checksums {
            Checksums::None => true,
            Checksums::V2 | Checksums::V3 => self.seed.commit(block).is_some_and(Sums::agree),
            Checksums::V1 => at::<CommitHeader>(block, 0).is_some_and(|header| {
                let has_one = header.h_chksum_type == checksum_type::CRC32 && header.h_chksum_size == 4;
                // Writers that were switched to checksums later leave commits without one.
                let is_empty = header.h_chksum_type == 0 && header.h_chksum_size == 0;
                (has_one && header.h_chksum[0].get() == crc) || (is_empty && header.h_chksum[0].get() == 0)
            }),
        }
    }

    /// Walks the committed part of the log again.
    fn walk(
        &self,
        end: &End,
        mut visit: impl FnMut(u32, Step<'_>) -> Result<(), SourceGone>,
    ) -> Result<(), SourceGone> {
        let mut sequence = self.superblock.s_sequence.get();
        let mut block = self.superblock.s_start.get();
        let mut left = self.log.len() as u64;
        while left > 0 && sequence != end.sequence {
            let Some(content) = self.blocks.read(block)? else { break };
            let Some(header) = Self::header(&content) else { break };
            let mut passed = 1;
            match header.h_blocktype.get() {
                blocktype::DESCRIPTOR => {
                    let tags = self.tags(&content);
                    passed += tags.len() as u32;
                    visit(sequence, Step::Descriptor { tags: &tags, first: self.after(block, 1) })?;
                }
                blocktype::REVOKE => visit(sequence, Step::Revoke(&content))?,
                blocktype::COMMIT => sequence = sequence.wrapping_add(1),
                _ => break,
            }
            left = left.saturating_sub(passed.into());
            block = self.after(block, passed);
        }
        Ok(())
    }

    /// Takes over the data blocks of one descriptor.
    fn take_over(
        &self,
        tags: &[Tag],
        first: u32,
        sequence: u32,
        revoked: &HashMap<u64, u32>,
        replayed: &mut Replayed,
    ) -> Result<(), SourceGone> {
        for (i, tag) in tags.iter().enumerate() {
            if revoked.get(&tag.target).is_some_and(|&later| not_later(sequence, later)) {
                continue;
            }
            let place = || Place::volume().at_block(tag.target);
            if tag.target >= self.geometry.blocks {
                replayed.skipped += 1;
                replayed
                    .log
                    .note(codes::JOURNAL_TARGET, place(), || (tag.target.to_string(), self.geometry.block_range()));
                continue;
            }
            let nr = self.after(first, i as u32);
            match self.blocks.read(nr)? {
                Some(content) if self.is_data_proved(tag, sequence, &content) => {
                    replayed.blocks.replace(tag.target, unescape(content, tag));
                }
                content => {
                    replayed.skipped += 1;
                    replayed.log.note(codes::JOURNAL_BLOCK, place(), || {
                        let found = if content.is_some() { "a wrong checksum" } else { "an unreadable block" };
                        (format!("{found} in block {nr} of the journal"), "the block that was written".into())
                    });
                }
            }
        }
        Ok(())
    }
}

/// Seconds and nanoseconds of a commit.
fn commit_time(block: &[u8]) -> (u64, u32) {
    at::<CommitHeader>(block, 0).map_or((0, 0), |header| (header.h_commit_sec.get(), header.h_commit_nsec.get()))
}

/// A data block as it belongs on the volume.
pub(super) fn unescape(content: Arc<[u8]>, tag: &Tag) -> Arc<[u8]> {
    if !tag.escaped {
        return content;
    }
    let mut bytes = content.to_vec();
    bytes[..4].copy_from_slice(&MAGIC.to_be_bytes());
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::not_later;

    #[test]
    fn transaction_numbers_wrap() {
        assert!(not_later(5, 5) && not_later(4, 5) && !not_later(6, 5));
        assert!(not_later(u32::MAX, 0) && !not_later(0, u32::MAX));
    }
}
