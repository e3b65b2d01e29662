//! Where a file's bytes lie: [`map`], over every way in which an inode says it.
//!
//! What is wrong with a map costs only the blocks it leads to: they are [`Backing::Lost`], the rest stays.

mod extents;
mod inline;
mod pointers;

use std::ops::Range;

use super::codes;
use super::disk::inode::flags;
use super::geometry::Geometry;
use super::inode::{Inode, Layout};
use super::number::{BlockNr, InodeNr};
use super::volume::Volume;
use crate::bytes::{Span, Spans};
use crate::finding::{Code, Finding, Place};
use crate::node::{Backing, Extent, Mapping, Trust};
use crate::source::{SourceGone, read_whole};

pub use extents::is_refuted;

/// Findings kept of one map: a ruined one has thousands that say the same.
const MAX_FINDINGS: usize = 16;

/// Where the first `size` bytes of an inode's contents lie.
pub fn map(volume: &Volume, inode: &Inode<'_>, size: u64) -> Result<Mapping, SourceGone> {
    let mut runs = Runs::new(volume, inode, size);
    match inode.layout(&volume.geometry) {
        Layout::Nothing => {}
        Layout::Inline => inline::map(&mut runs, inode),
        Layout::FastLink => runs.inline(inode.raw.i_block.to_vec()),
        Layout::Extents => extents::map(&mut runs, inode)?,
        Layout::Pointers => pointers::map(&mut runs, inode)?,
    }
    volume.changes.remap(inode.nr, size, &mut runs.mapping.extents);
    Ok(runs.finish())
}

/// How far the blocks that an inode maps reach, in bytes: what its size must be at least. Reads the whole map.
pub fn mapped_end(volume: &Volume, inode: &Inode<'_>) -> Result<u64, SourceGone> {
    let mapping = map(volume, inode, u64::MAX)?;
    let is_mapped = |extent: &&Extent| matches!(extent.backing, Backing::Device { .. } | Backing::Inline(_));
    Ok(mapping.extents.iter().rev().find(is_mapped).map_or(0, |extent| extent.span().end))
}

/// Where the contents end, by what an inode maps: behind the last block, less the zeros at its end, as writers leave them
/// behind the end of a file. Reads the whole map, and one block.
pub fn written_end(volume: &Volume, inode: &Inode<'_>) -> Result<u64, SourceGone> {
    let end = mapped_end(volume, inode)?;
    let block = u64::from(volume.geometry.block_size);
    let Some(start) = end.checked_sub(1).map(|last| last / block * block) else { return Ok(0) };
    let mapping = map(volume, inode, end)?;
    let Some(extent) = mapping.extents.iter().rev().find(|extent| extent.logical <= start && start < extent.span().end)
    else {
        return Ok(end);
    };
    let Backing::Device { offset, .. } = extent.backing else { return Ok(end) };
    let bytes = read_whole(&*volume.source, offset + (start - extent.logical), (end - start) as usize)?;
    let last = bytes.and_then(|bytes| bytes.iter().rposition(|&byte| byte != 0));
    Ok(last.map_or(end, |last| start + last as u64 + 1))
}

/// Bytes looked at behind the end of a file.
const BEHIND: u64 = 16;

/// True where contents seem to go on behind the end that a size says, in the last block: writers leave zeros there. `mapping`
/// is of the whole file.
pub fn goes_on(volume: &Volume, inode: &Inode<'_>, mapping: &Mapping, size: u64) -> Result<bool, SourceGone> {
    let behind = size.next_multiple_of(volume.geometry.block_size.into()) - size;
    let may_have_other_bytes = inode.raw.has(flags::ENCRYPT | flags::VERITY);
    let Some(last) =
        mapping.extents.last().filter(|last| behind > 0 && last.span().end == size && !may_have_other_bytes)
    else {
        return Ok(false);
    };
    let Backing::Device { offset, .. } = last.backing else { return Ok(false) };
    let bytes = read_whole(&*volume.source, offset + last.len, behind.min(BEHIND) as usize)?.unwrap_or_default();
    // A bit that flipped there makes one.
    let some = bytes.iter().filter(|&&byte| byte != 0).count();
    Ok(some > 0 && some * 2 >= bytes.len())
}

/// True where an inode maps no more than it counts as its own. Reads the whole map.
pub fn is_counted(volume: &Volume, inode: &Inode<'_>) -> Result<bool, SourceGone> {
    let mapping = map(volume, inode, u64::MAX)?;
    let on_disk = mapping.extents.iter().filter(|extent| matches!(extent.backing, Backing::Device { .. }));
    Ok(on_disk.fold(0u64, |sum, extent| sum.saturating_add(extent.len)) <= inode.allocated(&volume.geometry))
}

/// True for a map in which nothing is wrong, and nothing is mapped.
pub fn names_nothing(geometry: &Geometry, inode: &Inode<'_>) -> bool {
    match inode.layout(geometry) {
        Layout::Extents => extents::names_nothing(inode),
        Layout::Pointers => inode.raw.i_block.iter().all(|&byte| byte == 0),
        _ => false,
    }
}

/// What of a file is mapped behind its end.
pub enum Beyond {
    /// Nothing, as it should be, as far as the inode itself tells.
    Nothing,
    /// Something, and not all between the end and it is.
    Apart,
    /// Something, and all up to it: the size is too small.
    Joined,
    /// A hole that is suspiciously large for a volume of this length: a sparse file, or a ruined size.
    Hole,
    /// A hole that is longer than the volume.
    Nonsense,
}

/// Parts of a volume that a hole at the end of a file may have before the file's size is doubted.
const HOLE: u64 = 16;
/// Bytes that it may have in any case.
const SMALL_HOLE: u64 = 4 << 20;

/// What a hole of `len` bytes at the end of a file says of its size, where no checksum bears that out.
fn hole(geometry: &Geometry, len: u64) -> Beyond {
    match len {
        _ if geometry.has_checksums() => Beyond::Nothing,
        len if len > geometry.len().max(SMALL_HOLE) => Beyond::Nonsense,
        len if len > (geometry.len() / HOLE).max(SMALL_HOLE) => Beyond::Hole,
        _ => Beyond::Nothing,
    }
}

/// What the inode itself says of the bytes behind `size`.
pub fn beyond(geometry: &Geometry, inode: &Inode<'_>, size: u64) -> Beyond {
    match inode.layout(geometry) {
        Layout::Extents => extents::beyond(geometry, inode, size),
        Layout::Pointers => pointers::beyond(geometry, inode, size),
        _ => Beyond::Nothing,
    }
}

/// Collects a mapping block by block, in ascending order.
struct Runs<'v> {
    volume: &'v Volume,
    place: Place,
    size: u64,
    mapping: Mapping,
    /// The inode is a user's: the filesystem's own may have blocks that others may not.
    users: bool,
}

impl<'v> Runs<'v> {
    fn new(volume: &'v Volume, inode: &Inode<'_>, size: u64) -> Self {
        let users = inode.nr == InodeNr::ROOT || inode.nr.0 >= volume.geometry.first_inode;
        Runs { volume, place: Place::inode(inode.nr.0.into()), size, mapping: Mapping::default(), users }
    }

    fn block_size(&self) -> u64 {
        self.volume.geometry.block_size.into()
    }

    /// Blocks of the file that its size reaches.
    fn blocks(&self) -> u64 {
        self.size.div_ceil(self.block_size())
    }

    /// `count` blocks of the file from `logical` lie on the volume from `start` on.
    fn data(&mut self, logical: u64, count: u64, start: BlockNr) {
        if self.users && self.volume.reserved().touches(start, count) {
            self.trust(Trust::Doubtful);
        }
        let offset = self.volume.geometry.offset(start);
        self.push(logical, count, Backing::Device { member: 0, offset });
    }

    /// `count` blocks are allocated and were never written.
    fn unwritten(&mut self, logical: u64, count: u64) {
        self.push(logical, count, Backing::Zero);
    }

    /// It is not known where `count` blocks lie.
    fn lost(&mut self, logical: u64, count: u64) {
        if logical < self.blocks() && count > 0 {
            self.mapping.trust = self.mapping.trust.max(Trust::Partial);
            self.push(logical, count, Backing::Lost);
        }
    }

    /// `count` blocks may lie nowhere, or be lost: [`Runs::blank`] tells when all is mapped. Their bytes.
    fn may_be_lost(&mut self, logical: u64, count: u64) -> Option<Span> {
        let start = logical.saturating_mul(self.block_size()).min(self.size);
        let end = logical.saturating_add(count).saturating_mul(self.block_size()).min(self.size);
        self.push(logical, count, Backing::Lost);
        (start < end).then_some(Span { start, end })
    }

    /// Parts of the file that blocks of nothing but zeros cover, where pointers should be, are lost if the inode counts
    /// more blocks as its own than are mapped, with so many of pointers. Else they are holes.
    fn blank(&mut self, blank: &Spans, pointers: u64, inode: &Inode<'_>) {
        if self.lacks(inode, pointers) {
            self.trust(Trust::Partial);
            return;
        }
        for extent in std::mem::take(&mut self.mapping.extents) {
            if extent.backing != Backing::Lost {
                self.mapping.extents.push(extent);
                continue;
            }
            let (mut start, end) = (extent.logical, extent.span().end);
            let ends = blank.within(extent.span()).map(|hole| (hole.start, hole.end));
            for (until, next) in ends.chain([(end, end)]) {
                let lost =
                    (start < until).then(|| Extent { logical: start, len: until - start, backing: Backing::Lost });
                self.mapping.extents.extend(lost);
                start = next;
            }
        }
    }

    /// True where a part of the file is mapped to nothing.
    fn has_holes(&self) -> bool {
        self.mapping.extents.iter().map(|extent| extent.len).sum::<u64>() < self.size
    }

    /// True where the inode counts more blocks as its own than are mapped, with so many that hold the map.
    fn lacks(&self, inode: &Inode<'_>, of_map: u64) -> bool {
        let block = self.block_size();
        let on_disk = self.mapping.extents.iter().filter(|extent| matches!(extent.backing, Backing::Device { .. }));
        let mapped: u64 = on_disk.map(|extent| extent.len.next_multiple_of(block)).sum();
        let others = of_map + u64::from(inode.raw.file_acl() != 0);
        inode.allocated(&self.volume.geometry) > mapped.saturating_add(others.saturating_mul(block))
    }

    /// Puts what another part of the map was found to say, in ascending order of the file's blocks, where something is
    /// lost. What lies between its runs is a hole.
    fn refill(&mut self, found: &[(Range<u64>, Backing)]) {
        let (Some(first), Some(last)) = (found.first(), found.last()) else { return };
        let block = self.block_size();
        let covered = Span { start: first.0.start * block, end: (last.0.end * block).min(self.size) };
        let mut extents = Vec::new();
        for extent in std::mem::take(&mut self.mapping.extents) {
            let whole = extent.span();
            let Some(part) = whole.intersection(covered).filter(|_| extent.backing == Backing::Lost) else {
                extents.push(extent);
                continue;
            };
            let lost = |start: u64, end: u64| Extent { logical: start, len: end - start, backing: Backing::Lost };
            extents.extend((whole.start < part.start).then(|| lost(whole.start, part.start)));
            for (blocks, backing) in found {
                let run = Span { start: blocks.start * block, end: blocks.end * block };
                let Some(here) = run.intersection(part) else { continue };
                let backing = match backing {
                    Backing::Device { member, offset } => {
                        Backing::Device { member: *member, offset: offset + (here.start - run.start) }
                    }
                    other => other.clone(),
                };
                extents.push(Extent { logical: here.start, len: here.len(), backing });
            }
            extents.extend((part.end < whole.end).then(|| lost(part.end, whole.end)));
        }
        self.mapping.extents = extents;
        if self.mapping.trust == Trust::Partial && self.mapping.lost().is_empty() {
            self.mapping.trust = Trust::Unproven;
        }
    }

    /// The contents stand in the metadata. What the size has beyond them is lost.
    fn inline(&mut self, bytes: Vec<u8>) {
        let len = self.size.min(bytes.len() as u64);
        if len > 0 {
            self.mapping.extents.push(Extent { logical: 0, len, backing: Backing::Inline(bytes.into()) });
        }
        if len < self.size {
            let expected = format!("{} bytes", self.size);
            self.note(codes::MAP_INLINE, None, || (format!("{len} bytes"), expected));
            self.mapping.trust = self.mapping.trust.max(Trust::Partial);
            self.mapping.extents.push(Extent { logical: len, len: self.size - len, backing: Backing::Lost });
        }
    }

    fn push(&mut self, logical: u64, count: u64, backing: Backing) {
        let start = logical.saturating_mul(self.block_size()).min(self.size);
        let end = logical.saturating_add(count).saturating_mul(self.block_size()).min(self.size);
        if start == end {
            return;
        }
        if let Some(last) = self.mapping.extents.last_mut().filter(|last| last.span().end == start) {
            let joined = match (&last.backing, &backing) {
                (Backing::Device { offset: before, .. }, Backing::Device { offset, .. }) => {
                    before + last.len == *offset
                }
                (Backing::Zero, Backing::Zero) | (Backing::Lost, Backing::Lost) => true,
                _ => false,
            };
            if joined {
                last.len += end - start;
                return;
            }
        }
        self.mapping.extents.push(Extent { logical: start, len: end - start, backing });
    }

    fn trust(&mut self, trust: Trust) {
        self.mapping.trust = self.mapping.trust.max(trust);
    }

    /// Notes what is wrong; the trust of the file falls to `unproven` at best.
    fn note(&mut self, code: Code, block: Option<u64>, facts: impl FnOnce() -> (String, String)) {
        self.mapping.trust = self.mapping.trust.max(Trust::Unproven);
        if self.mapping.findings.len() < MAX_FINDINGS {
            let (found, expected) = facts();
            let place = Place { block, ..self.place.clone() };
            self.mapping.findings.push(Finding::new(code, place, found, expected));
        }
    }

    fn finish(mut self) -> Mapping {
        let lost = self.mapping.lost().total();
        if let Some(finding) = self.mapping.findings.first_mut().filter(|_| lost > 0) {
            finding.cost = crate::finding::Cost { files: 1, bytes: lost };
        }
        self.mapping
    }
}
