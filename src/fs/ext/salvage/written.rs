//! What a newer filesystem wrote over an older one: as far as it is known, nothing else of the older one is lost.

use std::sync::Arc;

use super::super::disk::group::flags;
use super::super::number::{BlockNr, GroupNr, InodeNr};
use super::super::volume::Volume;
use super::super::{map, sharing};
use crate::bytes::{Span, Spans};
use crate::fs::pass;
use crate::node::Backing;
use crate::progress::{Progress, Unit};
use crate::source::{Source, SourceGone, Window};

/// What `mkfs` writes.
///
/// # Errors
/// When the source is gone.
pub fn by_mkfs(volume: &Volume) -> Result<Spans, SourceGone> {
    let mut spans = metadata(volume);
    spans.extend(&own_files(volume)?);
    Ok(spans)
}

/// What `mkfs` writes, and the blocks of files.
///
/// # Errors
/// When the source is gone.
pub fn in_use(volume: &Volume) -> Result<Spans, SourceGone> {
    let mut spans = metadata(volume);
    spans.extend(&allocated(volume)?);
    Ok(spans)
}

/// What `mkfs` wrote for the filesystem itself: superblocks and descriptors, bitmaps, and inodes in use. The rest of the
/// inode tables it leaves to the kernel, which clears them when the filesystem is first mounted.
fn metadata(volume: &Volume) -> Spans {
    let geometry = &volume.geometry;
    let block = u64::from(geometry.block_size);
    let mut spans = heads(volume);
    for group in &geometry.groups {
        let has = |bitmap: Option<BlockNr>, uninit| bitmap.filter(|_| group.flags & uninit == 0);
        let bitmaps = [has(group.block_bitmap, flags::BLOCK_UNINIT), has(group.inode_bitmap, flags::INODE_UNINIT)];
        for bitmap in bitmaps.into_iter().flatten() {
            spans.insert(Span::new(geometry.offset(bitmap), block));
        }
        let cleared = group.flags & flags::INODE_ZEROED != 0;
        let used = if cleared { geometry.inodes_per_group } else { group.inodes_used };
        let len = (u64::from(used) * u64::from(geometry.inode_size)).next_multiple_of(block);
        spans.extend(&group.inode_table.map(|table| Span::new(geometry.offset(table), len)).into_iter().collect());
    }
    spans
}

/// The blocks of the files that `mkfs` makes: two directories, the journal, and others of its own.
fn own_files(volume: &Volume) -> Result<Spans, SourceGone> {
    let geometry = &volume.geometry;
    let block = u64::from(geometry.block_size);
    let mut spans = Spans::new();
    for nr in (1..=geometry.first_inode).filter_map(|nr| geometry.inode(nr)) {
        let Some(inode) = volume.inode(nr)?.filter(|inode| inode.is_in_use()) else { continue };
        for (start, end) in sharing::in_record(geometry, &inode) {
            spans.insert(Span::new(start * block, (end - start) * block));
        }
        if nr == InodeNr::RESIZE {
            // Its map leads to the room for descriptors in all groups, where nothing was written.
            continue;
        }
        for extent in map::map(volume, &inode, inode.size(geometry))?.extents {
            if let Backing::Device { offset, .. } = extent.backing {
                spans.insert(Span::new(offset, extent.len));
            }
        }
    }
    Ok(spans)
}

/// The blocks that bitmaps say are in use, but those that the filesystem keeps for itself, written or not.
fn allocated(volume: &Volume) -> Result<Spans, SourceGone> {
    let geometry = &volume.geometry;
    let block = u64::from(geometry.block_size);
    let mut spans = Spans::new();
    for (group, nr) in geometry.groups.iter().zip(0..) {
        let bitmap = group.block_bitmap.filter(|_| group.flags & flags::BLOCK_UNINIT == 0);
        let Some(bits) = bitmap.map(|bitmap| volume.block(bitmap)).transpose()?.flatten() else { continue };
        let is_set = |bit: u32| bits.get(bit as usize / 8).is_some_and(|byte| byte & 1 << (bit % 8) != 0);
        let start = geometry.group_start(GroupNr(nr)).0;
        for at in (0..geometry.group_blocks(GroupNr(nr))).filter(|at| is_set(at / geometry.cluster_blocks)) {
            let at = start + u64::from(at);
            if !volume.reserved().touches(BlockNr(at), 1) {
                spans.insert(Span::new(at * block, block));
            }
        }
    }
    Ok(spans)
}

/// The blocks that are nothing but zeros, up to `end`: an image that is written to a disk has them where it has no files, and
/// few files do.
///
/// # Errors
/// When the source is gone.
pub fn zeros(source: &Source, end: u64, block: u64, progress: &dyn Progress) -> Result<Spans, SourceGone> {
    let mut spans = Spans::new();
    let below: Source = Arc::new(Window::new(source.clone(), Span { start: 0, end: end.min(source.len()) }));
    progress.stage("searching for zeros", Some(below.len()), Unit::Bytes);
    let look = |at: u64, chunk: &[u8]| -> Spans {
        let blocks = (at..).step_by(block as usize).zip(chunk.chunks(block as usize));
        let blank = blocks.filter(|(_, bytes)| bytes.iter().all(|&byte| byte == 0));
        blank.map(|(at, bytes)| Span::new(at, bytes.len() as u64)).collect()
    };
    pass::chunks(&below, block, progress, look, |found| spans.extend(&found))?;
    Ok(spans)
}

/// Superblocks and descriptors. Of the room for more of these the resize inode's blocks fill that of the first group; in
/// others nothing is written.
fn heads(volume: &Volume) -> Spans {
    let geometry = &volume.geometry;
    let head = |nr| {
        let reserved = if nr == GroupNr(0) { volume.superblock.s_reserved_gdt_blocks.get() } else { 0 };
        let len = geometry.overhead(nr, reserved) * u64::from(geometry.block_size);
        Span::new(geometry.offset(geometry.group_start(nr)), len)
    };
    (0..geometry.group_count()).map(GroupNr).map(head).filter(|span| !span.is_empty()).collect()
}
