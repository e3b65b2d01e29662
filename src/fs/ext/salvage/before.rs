//! The filesystem that was on a volume before `mkfs` made an empty one over it: [`evidence`].
//!
//! A new filesystem overwrites little: superblocks, descriptors, bitmaps, the first inodes, a journal. Of the old one
//! copies of the superblock may be left where the new geometry has none; and if not, its geometry shows in its
//! directories. What the new one wrote of its own (the inodes up to `lost+found`, two directories) is masked, so that
//! the old one is read as a volume that lost just that.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::Ext;
use super::super::disk::group::flags;
use super::super::disk::superblock::Superblock;
use super::super::evidence::{Evidence, of_superblock};
use super::super::geometry::{Copy, Geometry};
use super::super::number::{BlockNr, GroupNr, InodeNr};
use super::super::volume::Volume;
use super::super::{map, sharing};
use super::roll::{Roll, State};
use super::traces::Traces;
use super::{descriptors, infer, sighting, superblock, tables};
use crate::bytes::{Span, Spans};
use crate::node::{Backing, Kind};
use crate::progress::Progress;
use crate::source::{OverlayBuilder, Source, SourceGone, read_whole};

/// A volume no longer than this is searched whole, without looking first.
const SHORT: u64 = 1 << 30;
/// Places looked at in a longer one, evenly spread, and the bytes looked at in each.
const SAMPLES: u64 = 512;
const SAMPLE: u64 = 128 << 10;
/// Fewest directories that make a filesystem.
const FEWEST: usize = 2;

/// An older filesystem.
pub struct Older {
    /// The volume without what the newer one has of its own.
    pub source: Source,
    /// Where everything lies.
    pub evidence: Evidence,
    /// What the newer one wrote.
    pub written: Spans,
}

/// What is left of a filesystem older than the empty one of `ext`, and the bytes it is read from.
///
/// # Errors
/// When the source is gone.
pub fn evidence(ext: &Ext, progress: &dyn Progress) -> Result<Option<Older>, SourceGone> {
    if !is_empty(ext) || !looks_used(ext, progress)? {
        return Ok(None);
    }
    let source = masked(ext)?;
    let traces = Traces::find(&source, progress)?;
    if traces.dirs.len() < FEWEST {
        return Ok(None);
    }
    let new = ext.volume.superblock.s_uuid;
    let older: Vec<(Superblock, u64)> = traces.superblocks.iter().filter(|(sb, _)| sb.s_uuid != new).copied().collect();
    let mut best: Option<(usize, Evidence)> = None;
    let copied = superblock::of_copies(&older, source.len());
    let by_copy = copied.map(|chosen| by_superblock(&source, &chosen)).transpose()?.flatten();
    for found in [by_copy, infer::evidence(&source, None, &traces)?].into_iter().flatten() {
        let files = files(&source, &found, progress)?;
        if files > 0 && best.as_ref().is_none_or(|(most, _)| files > *most) {
            best = Some((files, found));
        }
    }
    let Some((_, mut evidence)) = best else { return Ok(None) };
    let made_over = "an older filesystem, over which the empty one on this volume was made".to_owned();
    evidence.decisions.insert(0, made_over);
    Ok(Some(Older { source, evidence, written: written(&ext.volume)? }))
}

/// What `mkfs` wrote: superblocks and descriptors, bitmaps, inodes in use, and the journal and other own files. The
/// rest of the inode tables it leaves to the kernel, which clears them when the filesystem is first mounted.
fn written(volume: &Volume) -> Result<Spans, SourceGone> {
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

/// True where a sound filesystem counts no more inodes in use than `mkfs` makes.
fn is_empty(ext: &Ext) -> bool {
    let geometry = &ext.volume.geometry;
    let free: u64 = geometry.groups.iter().map(|group| u64::from(group.free_inodes)).sum();
    ext.log.is_empty() && u64::from(geometry.inodes).saturating_sub(free) <= u64::from(geometry.first_inode)
}

/// True if a look at a few places finds a directory that the new filesystem does not have.
fn looks_used(ext: &Ext, progress: &dyn Progress) -> Result<bool, SourceGone> {
    let source = &ext.volume.source;
    if source.len() <= SHORT {
        return Ok(true);
    }
    let step = source.len() / SAMPLES;
    for sample in 0..SAMPLES {
        let at = sample * step / SAMPLE * SAMPLE;
        let Some(bytes) = read_whole(&**source, at, SAMPLE.min(source.len() - at) as usize)? else { continue };
        let foreign = |(own, _): (u32, u32)| own > ext.volume.geometry.first_inode;
        if bytes.chunks(1024).filter_map(sighting::dot).any(foreign) {
            return Ok(true);
        }
        if progress.interrupted() {
            break;
        }
    }
    Ok(false)
}

/// The volume without what `mkfs` wrote of its own: superblocks and descriptors, its inodes, and the blocks of its
/// directories.
fn masked(ext: &Ext) -> Result<Source, SourceGone> {
    let volume = &ext.volume;
    let geometry = &volume.geometry;
    let block = u64::from(geometry.block_size);
    let mut mask = OverlayBuilder::new(block);
    let mut blank: BTreeSet<u64> = heads(volume).iter().flat_map(|span| span.start / block..span.end / block).collect();
    for nr in (1..=geometry.first_inode).filter_map(|nr| geometry.inode(nr)) {
        let Some(inode) = volume.inode(nr)?.filter(|inode| inode.kind() == Kind::Directory) else { continue };
        let mapping = map::map(volume, &inode, inode.size(geometry))?;
        for extent in mapping.extents {
            if let Backing::Device { offset, .. } = extent.backing {
                blank.extend(offset / block..(offset + extent.len).div_ceil(block));
            }
        }
    }
    let zeros: Arc<[u8]> = Arc::from(vec![0; block as usize]);
    for nr in blank {
        mask.replace(nr, zeros.clone());
    }
    let (size, count) = (u64::from(geometry.inode_size), u64::from(geometry.first_inode));
    if let Some(table) = geometry.inode_offset(InodeNr(1)) {
        for at in (table..table + size * count).step_by(block as usize) {
            let Some(mut bytes) = volume.block(BlockNr(at / block))?.map(|bytes| bytes.to_vec()) else { continue };
            let end = (table + size * count - at).min(block) as usize;
            bytes[..end].fill(0);
            mask.replace(at / block, bytes.into());
        }
    }
    Ok(Arc::new(mask.over(volume.source.clone())))
}

/// What an old copy of the superblock describes, the groups placed by old copies of their descriptors, or by what
/// lies where the rules of layout say.
fn by_superblock(source: &Source, chosen: &superblock::Chosen) -> Result<Option<Evidence>, SourceGone> {
    let Some(mut evidence) = of_superblock(&**source, chosen.sb, Copy::Primary)? else { return Ok(None) };
    evidence.decisions.push(format!("its superblock is the copy at byte {}", chosen.at));
    let reserved = chosen.sb.s_reserved_gdt_blocks.get();
    evidence.decisions.extend(descriptors::place(source, &mut evidence.geometry, reserved)?);
    for group in &mut evidence.geometry.groups {
        group.inodes_used = chosen.sb.s_inodes_per_group.get();
    }
    evidence.log = crate::finding::Log::new();
    Ok(Some(evidence))
}

/// How many inodes lie where it says: those that a checksum proves, or without checksums, directories that name
/// themselves.
pub fn files(source: &Source, evidence: &Evidence, progress: &dyn Progress) -> Result<usize, SourceGone> {
    let volume = Volume::new(source.clone(), evidence);
    let roll = Roll::take(&volume, progress)?;
    let first = first_user(&volume.geometry);
    let mut inodes = volume.inodes();
    let mut count = 0;
    for (nr, known) in roll.iter().filter(|(nr, known)| nr.0 >= first && known.state == State::Used) {
        let itself = known.proved
            || known.is_directory() && !volume.geometry.has_checksums() && {
                let inode = inodes.read(nr)?;
                inode
                    .map(|inode| tables::names_itself(source, &volume.geometry, nr, &inode.record))
                    .transpose()?
                    .flatten()
                    == Some(true)
            };
        count += usize::from(itself);
    }
    Ok(count)
}

fn first_user(geometry: &Geometry) -> u32 {
    geometry.inode_at(GroupNr(0), geometry.first_inode.saturating_sub(1)).0
}
