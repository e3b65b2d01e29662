//! Files that hold the filesystem's own data, told by what is in them: [`is_own`]. The superblock says which they are, but
//! it may be lost, or its numbers wrong.

use super::disk::{orphan, quota};
use super::feature::{ORPHAN_FILE, QUOTA};
use super::map;
use super::number::{BlockNr, InodeNr};
use super::volume::Volume;
use crate::bytes::le32;
use crate::node::Backing;
use crate::source::SourceGone;

/// True if an inode's first block is one of an orphan file or a quota file, and the volume may have such. Quotas that are
/// no feature of the filesystem are kept in files of a user's.
pub fn is_own(volume: &Volume, nr: InodeNr) -> Result<bool, SourceGone> {
    let geometry = &volume.geometry;
    let has = |feature| geometry.inferred || geometry.features.has(feature);
    if !has(ORPHAN_FILE) && !has(QUOTA) {
        return Ok(false);
    }
    let Some(inode) = volume.inode(nr)? else { return Ok(false) };
    let extents = map::map(volume, &inode, inode.size(geometry))?.extents;
    let Some(&Backing::Device { offset, .. }) = extents.first().map(|extent| &extent.backing) else { return Ok(false) };
    let Some(block) = volume.block(BlockNr(offset / u64::from(geometry.block_size)))? else { return Ok(false) };
    Ok(has(ORPHAN_FILE) && orphan::tail(&block).1 == orphan::MAGIC || has(QUOTA) && is_quota(&block))
}

/// True for the first block of a quota file: its magic number, and a version that there is.
fn is_quota(block: &[u8]) -> bool {
    let [magic, version] = [0, 4].map(|at| le32(block, at));
    magic.is_some_and(|magic| quota::MAGIC.contains(&magic)) && version <= Some(quota::VERSION)
}
