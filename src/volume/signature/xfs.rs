//! XFS. Superblock as the XFS Algorithms & Data Structures document gives it (`xfs_dsb`).

use super::{Role, Signature, label, uuid};
use crate::bytes::{Span, Spans, be16, be32, be64};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t xfs -o ro,norecovery,nouuid DEVICE /mnt", "xfs_repair -n DEVICE"];

/// The root directory, and the bitmap and the summary of a real-time section.
const OWN_INODES: u64 = 3;
/// More allocation groups than a volume has that anybody makes; they have 16 MiB and more.
const MOST_GROUPS: u64 = 1 << 20;

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let Some(sb) = read_whole(&**source, 0, 512)?.filter(|sb| sb.starts_with(b"XFSB")) else { return Ok(None) };
    let Some(block_size) = be32(&sb, 4).filter(|size| size.is_power_of_two() && (512..=65536).contains(size)) else {
        return Ok(None);
    };
    if is_copy(source, &sb)? {
        return Ok(None);
    }
    let mut found = Signature::new("xfs", Role::FileSystem, ADVICE);
    found.size = be64(&sb, 8).and_then(|blocks| blocks.checked_mul(u64::from(block_size)));
    found.uuid = uuid(&sb[32..48]);
    found.label = label(&sb[108..120]);
    found.facts.push(("version", (be16(&sb, 100).unwrap_or(0) & 0xf).to_string()));
    found.written = written(&sb, block_size).unwrap_or_default();
    found.is_empty = is_empty(&sb) == Some(true);
    found.is_used = is_empty(&sb) == Some(false);
    if be64(&sb, 48) == Some(0) {
        found.facts.push(("log", "on another device".into()));
    }
    Ok(Some(found))
}

/// True where no more inodes are counted as used than those that `mkfs.xfs` makes. Counted when the volume is unmounted.
fn is_empty(sb: &[u8]) -> Option<bool> {
    Some(be64(sb, 128)?.checked_sub(be64(sb, 136)?)? <= OWN_INODES)
}

/// What `mkfs.xfs` writes: the headers of every allocation group (superblock, `xfs_agf`, `xfs_agi`, `xfs_agfl`), the
/// blocks behind them with the roots of the group's trees, the first inodes, and the log, which it clears.
fn written(sb: &[u8], block_size: u32) -> Option<Spans> {
    let block = u64::from(block_size);
    let (total, log, log_blocks) = (be64(sb, 8)?, be64(sb, 48)?, u64::from(be32(sb, 96)?));
    let (group_blocks, groups) = (u64::from(be32(sb, 84)?), u64::from(be32(sb, 88)?));
    let group_log = u32::from(*sb.get(124)?);
    if group_log >= 32 || group_blocks == 0 || groups != total.div_ceil(group_blocks) || groups > MOST_GROUPS {
        return None;
    }
    // Free space by place and by size, inodes; as features say, free inodes, owners, and what is shared.
    let trees = 3 + if be16(sb, 100)? & 0xF == 5 { u64::from((be32(sb, 212)? & 7).count_ones()) } else { 0 };
    let head = (4 * u64::from(be16(sb, 102)?)).div_ceil(block) + trees;
    // A block's number is that of its group, shifted, and the one in the group.
    let linear = |nr: u64| (nr >> group_log).saturating_mul(group_blocks).saturating_add(nr & ((1 << group_log) - 1));
    let span = |start: u64, blocks: u64| Span::new(start.saturating_mul(block), blocks.saturating_mul(block));
    let mut spans: Spans = (0..groups).map(|group| span(group * group_blocks, head)).collect();
    let first_inodes = be64(sb, 56)?.checked_shr(u32::from(*sb.get(123)?))?;
    spans.insert(span(linear(first_inodes), (64 * u64::from(be16(sb, 104)?)).div_ceil(block)));
    if log != 0 {
        spans.insert(span(linear(log), log_blocks));
    }
    Some(spans)
}

/// True for the superblock of a later allocation group: the header after it (`xfs_agf`) tells which group it is.
fn is_copy(source: &Source, sb: &[u8]) -> Result<bool, SourceGone> {
    let sector = u64::from(be16(sb, 102).unwrap_or(512));
    let group = read_whole(&**source, sector, 12)?.filter(|agf| agf.starts_with(b"XAGF")).and_then(|agf| be32(&agf, 8));
    Ok(group.is_some_and(|group| group != 0))
}
