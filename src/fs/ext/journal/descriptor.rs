//! The tags of a descriptor block: where each of the data blocks behind it belongs.

use super::{Checksums, Journal};
use crate::bytes::{be16, be32, be64};
use crate::fs::ext::disk::at;
use crate::fs::ext::disk::journal::{HEADER_SIZE, JournalBlockTag3, RevokeHeader, TAIL_SIZE, incompat, tag_flags};

/// One tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag {
    /// Number of the block on the volume, as it says.
    pub target: u64,
    /// The block began with the journal's magic number, which is zeroed in the log.
    pub escaped: bool,
    /// The data block's checksum, as many bits of it as tags keep.
    pub checksum: u32,
}

/// Bytes of the UUID that follows a tag without `SAME_UUID`.
const UUID_SIZE: usize = 16;

impl Journal<'_> {
    /// Bytes of a tag, without UUID (`journal_tag_bytes`).
    fn tag_size(&self) -> usize {
        let wide = self.has(incompat::BIT64);
        match self.checksums {
            Checksums::V3 => 16,
            // Version 2 reserves two bytes more than it uses.
            Checksums::V2 => 10 + if wide { 4 } else { 0 },
            Checksums::V1 | Checksums::None => 8 + if wide { 4 } else { 0 },
        }
    }

    /// Bytes of a block that tags or revoked numbers may use.
    fn room(&self, block: &[u8]) -> usize {
        block.len() - if self.has_block_checksums() { TAIL_SIZE } else { 0 }
    }

    /// The tags of a descriptor block, as many as it holds.
    pub(super) fn tags(&self, block: &[u8]) -> Vec<Tag> {
        let (size, room) = (self.tag_size(), self.room(block));
        let (mut tags, mut offset) = (Vec::new(), HEADER_SIZE);
        while offset + size <= room {
            let Some((tag, flags)) = self.tag(block, offset) else { break };
            tags.push(tag);
            if flags & tag_flags::LAST_TAG != 0 {
                break;
            }
            offset += size + if flags & tag_flags::SAME_UUID == 0 { UUID_SIZE } else { 0 };
        }
        tags
    }

    fn tag(&self, block: &[u8], offset: usize) -> Option<(Tag, u32)> {
        let wide = self.has(incompat::BIT64);
        let (lo, hi, flags, checksum) = if self.checksums == Checksums::V3 {
            let tag: JournalBlockTag3 = at(block, offset)?;
            (tag.t_blocknr.get(), tag.t_blocknr_high.get(), tag.t_flags.get(), tag.t_checksum.get())
        } else {
            // The upper half is there only with wide numbers, so this tag is no structure of one size.
            let hi = if wide { be32(block, offset + 8)? } else { 0 };
            (be32(block, offset)?, hi, be16(block, offset + 6)?.into(), be16(block, offset + 4)?.into())
        };
        let hi = if wide { hi } else { 0 };
        let escaped = flags & tag_flags::ESCAPE != 0;
        Some((Tag { target: u64::from(hi) << 32 | u64::from(lo), escaped, checksum }, flags))
    }

    /// False where the tag's checksum speaks against the data block, given as it lies in the log.
    pub(super) fn is_data_proved(&self, tag: &Tag, sequence: u32, block: &[u8]) -> bool {
        match self.checksums {
            Checksums::V3 => self.seed.data(sequence, block) == tag.checksum,
            Checksums::V2 => self.seed.data(sequence, block) & 0xFFFF == tag.checksum,
            Checksums::V1 | Checksums::None => true,
        }
    }

    /// The block numbers of a revoke block.
    pub(super) fn revoked(&self, block: &[u8]) -> Vec<u64> {
        let Some(header) = at::<RevokeHeader>(block, 0) else { return Vec::new() };
        let end = (header.r_count.get() as usize).min(self.room(block));
        let wide = self.has(incompat::BIT64);
        let step = if wide { 8 } else { 4 };
        (size_of::<RevokeHeader>()..end.saturating_sub(step - 1))
            .step_by(step)
            .filter_map(|offset| if wide { be64(block, offset) } else { be32(block, offset).map(u64::from) })
            .collect()
    }
}
