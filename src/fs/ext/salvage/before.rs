//! The filesystem that was on a volume before another one was made over it: [`evidence`].
//!
//! A new filesystem overwrites little: superblocks, descriptors, bitmaps, the first inodes, a journal, and then its
//! files, mostly one after the other. Of the old one copies of the superblock may be left where the new geometry has
//! none, or behind its end; and if not, its geometry shows in its directories. What the new one wrote is masked, so that
//! the old one is read as a volume that lost just that.

use std::sync::Arc;

use super::super::Ext;
use super::super::disk::superblock::Superblock;
use super::super::evidence::{Evidence, of_superblock};
use super::super::geometry::{Copy, Geometry};
use super::super::number::GroupNr;
use super::super::volume::Volume;
use super::remains::Remains;
use super::roll::{Roll, State};
use super::traces::Traces;
use super::{descriptors, infer, sighting, superblock, tables, written};
use crate::bytes::Spans;
use crate::progress::{Progress, Silent};
use crate::source::{Blanked, Source, SourceGone, read_whole};

/// A volume no longer than this is searched whole, without looking first.
const SHORT: u64 = 1 << 30;
/// Places looked at in a longer one, evenly spread, and the bytes looked at in each.
const SAMPLES: u64 = 512;
const SAMPLE: u64 = 128 << 10;
/// Fewest directories, and copies of a superblock that agree, that make a filesystem.
const FEWEST: usize = 2;

/// What is left of older filesystems.
pub enum Older {
    /// Not enough.
    None,
    /// One that began where the volume does.
    Here {
        /// The volume without what the newer one wrote.
        source: Source,
        /// Where everything lies.
        evidence: Box<Evidence>,
        /// What the newer one wrote.
        written: Spans,
    },
    /// Of one that did not, directories and copies of the superblock.
    Elsewhere,
}

/// What is left of a filesystem older than that of `ext`, and the bytes it is read from. It is searched for where the
/// newer one is empty, or a copy of another superblock is left. `whole` begins where the volume does, and may reach further.
///
/// # Errors
/// When the source is gone.
pub fn evidence(ext: &Ext, whole: &Source, progress: &dyn Progress) -> Result<Older, SourceGone> {
    let (volume, is_empty) = (&ext.volume, is_empty(ext, progress)?);
    let is_searched = is_empty && looks_used(ext, whole, progress)?;
    if !is_searched && !superblock::has_foreign_copy(whole, &volume.superblock, volume.geometry.len())? {
        return Ok(Older::None);
    }
    let mut written = overwritten(ext, is_empty)?;
    let source: Source = Arc::new(Blanked::new(whole.clone(), written.clone()));
    let traces = Traces::find(&source, progress)?;
    if traces.dirs.len() < FEWEST {
        return Ok(Older::None);
    }
    let new = volume.superblock.s_uuid;
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
    let Some((_, mut evidence)) = best else {
        let places = superblock::elsewhere(&older, source.len());
        let is_elsewhere = places.iter().any(|place| place.origin != 0 && place.copies >= FEWEST);
        return Ok(if is_elsewhere { Older::Elsewhere } else { Older::None });
    };
    evidence.decisions.insert(0, made_over(is_empty));
    if !is_empty {
        let block = evidence.geometry.block_size.into();
        written.extend(&written::zeros(&source, volume.geometry.len(), block, progress)?);
    }
    Ok(Older::Here { source, evidence: Box::new(evidence), written })
}

/// What the filesystem on a volume wrote.
///
/// # Errors
/// When the source is gone.
pub fn written_by(ext: &Ext) -> Result<Spans, SourceGone> {
    overwritten(ext, is_empty(ext, &Silent)?)
}

/// The same: of an empty one, what `mkfs` writes.
fn overwritten(ext: &Ext, is_empty: bool) -> Result<Spans, SourceGone> {
    if is_empty { written::by_mkfs(&ext.volume) } else { written::in_use(&ext.volume) }
}

fn made_over(is_empty: bool) -> String {
    let newer = if is_empty {
        "the empty one on this volume was made"
    } else {
        "the one on this volume was made; what that one wrote and has deleted since can not be told from the older \
         one's contents"
    };
    format!("an older filesystem, over which {newer}")
}

/// True where a sound filesystem counts no more inodes in use than `mkfs` makes. Copies of the superblock and of the
/// descriptors count as it was when they were written; then inode tables and the journal are asked.
fn is_empty(ext: &Ext, progress: &dyn Progress) -> Result<bool, SourceGone> {
    let geometry = &ext.volume.geometry;
    let free: u64 = geometry.groups.iter().map(|group| u64::from(group.free_inodes)).sum();
    let counts_none =
        ext.log.is_empty() && u64::from(geometry.inodes).saturating_sub(free) <= u64::from(geometry.first_inode);
    let is_copy = ext.volume.superblock.s_block_group_nr.get() != 0;
    Ok(counts_none && (!is_copy || files_on(ext.volume.with(Remains::default()), progress)? == 0))
}

/// True if a look at a few places finds a directory that the new filesystem does not have.
fn looks_used(ext: &Ext, source: &Source, progress: &dyn Progress) -> Result<bool, SourceGone> {
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

/// How many inodes lie where it says, or in the journal: those that a checksum proves, or without checksums, directories
/// that name themselves.
///
/// # Errors
/// When the source is gone.
pub fn files(source: &Source, evidence: &Evidence, progress: &dyn Progress) -> Result<usize, SourceGone> {
    files_on(Volume::new(source.clone(), evidence), progress)
}

fn files_on(mut volume: Volume, progress: &dyn Progress) -> Result<usize, SourceGone> {
    let mut roll = Roll::take(&volume, progress)?;
    if let Some(older) = super::older(&volume, &roll)?.filter(|older| !older.inodes.is_empty()) {
        volume = volume.with(Remains { inodes: older.inodes, ..Remains::default() });
        roll = Roll::take(&volume, progress)?;
    }
    let first = first_user(&volume.geometry);
    let mut inodes = volume.inodes();
    let mut count = 0;
    for (nr, known) in roll.iter().filter(|(nr, known)| nr.0 >= first && known.state == State::Used) {
        let itself = known.proved
            || known.is_directory() && !volume.geometry.has_checksums() && {
                let inode = inodes.read(nr)?;
                inode
                    .map(|inode| tables::names_itself(&volume.source, &volume.geometry, nr, &inode.record))
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
