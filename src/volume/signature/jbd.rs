//! The journal of an ext3 or ext4 filesystem on a device of its own: a superblock of ext that describes no inodes
//! ("External Journal" in the kernel's documentation of jbd2).

use super::{Role, Signature, label, uuid};
use crate::bytes::le32;
use crate::source::{Source, SourceGone, read_whole};

const MAGIC: [u8; 2] = 0xef53_u16.to_le_bytes();

/// `INCOMPAT_JOURNAL_DEV`.
const JOURNAL_DEVICE: u32 = 0x8;

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let Some(sb) = read_whole(&**source, 1024, 256)? else { return Ok(None) };
    let field = |at| le32(&sb, at).unwrap_or(0);
    let (blocks, log_block_size, inodes_per_group, incompat) = (field(4), field(24), field(40), field(96));
    if sb[56..58] != MAGIC || incompat & JOURNAL_DEVICE == 0 || inodes_per_group != 0 || log_block_size > 6 {
        return Ok(None);
    }
    Ok(Some(Signature {
        label: label(&sb[120..136]),
        uuid: uuid(&sb[104..120]),
        size: Some(u64::from(blocks) << (10 + log_block_size)),
        ..Signature::new("jbd", Role::Journal, &[])
    }))
}
