//! XFS. Superblock as the XFS Algorithms & Data Structures document gives it (`xfs_dsb`).

use super::{Role, Signature, label, uuid};
use crate::bytes::{be16, be32, be64};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t xfs -o ro,norecovery,nouuid DEVICE /mnt", "xfs_repair -n DEVICE"];

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
    if be64(&sb, 48) == Some(0) {
        found.facts.push(("log", "on another device".into()));
    }
    Ok(Some(found))
}

/// True for the superblock of a later allocation group: the header after it (`xfs_agf`) tells which group it is.
fn is_copy(source: &Source, sb: &[u8]) -> Result<bool, SourceGone> {
    let sector = u64::from(be16(sb, 102).unwrap_or(512));
    let group = read_whole(&**source, sector, 12)?.filter(|agf| agf.starts_with(b"XAGF")).and_then(|agf| be32(&agf, 8));
    Ok(group.is_some_and(|group| group != 0))
}
