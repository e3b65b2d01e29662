//! Fast commits laid over what is read: [`Changes`], as a mount would apply them after replaying the log.
//!
//! Source: the ext4 documentation, `journal.rst`; what each change does is that of `ext4_fc_replay` in the kernel's
//! `fs/ext4/fast_commit.c`.

use std::collections::BTreeMap;

use zerocopy::IntoBytes;

use super::disk::extent;
use super::disk::inode::{BASE_SIZE, CHECKSUM_HI_AT, CHECKSUM_LO_AT, I_BLOCK_SIZE, flags};
use super::geometry::Geometry;
use super::inode::Inode;
use super::journal::Change;
use super::number::InodeNr;
use super::volume::Volume;
use crate::bytes::{Span, le16};
use crate::node::{Backing, Extent};
use crate::source::SourceGone;

/// Where `i_block` lies in an inode.
const I_BLOCK_AT: usize = 0x28;
/// Where `i_links_count` lies in an inode.
const LINKS_AT: usize = 0x1A;

/// What fast commits change beyond the last full commit.
#[derive(Default)]
pub struct Changes {
    inodes: BTreeMap<InodeNr, Vec<u8>>,
    ranges: BTreeMap<InodeNr, Vec<Range>>,
    names: BTreeMap<InodeNr, BTreeMap<Vec<u8>, Option<InodeNr>>>,
    /// New inodes, and the directory each was made in.
    new: BTreeMap<InodeNr, InodeNr>,
}

/// A run of a file's bytes that lies elsewhere now; nowhere for a hole.
struct Range(Span, Option<Backing>);

impl Changes {
    /// Gathers what `changes` come to, over a volume on which the log was replayed.
    pub fn gather(changes: Vec<Change>, volume: &Volume) -> Result<Self, SourceGone> {
        let geometry = &volume.geometry;
        let mut gathered = Changes::default();
        for change in changes {
            match change {
                Change::Inode(nr, fields) => gathered.inode_fields(nr, &fields, volume)?,
                Change::AddRange(nr, raw) => {
                    let Some(start) = geometry.blocks_on_volume(raw.start(), raw.len().into()) else { continue };
                    let written = Backing::Device { member: 0, offset: geometry.offset(start) };
                    let backing = if raw.is_unwritten() { Backing::Zero } else { written };
                    gathered.range(nr, geometry, raw.ee_block.get(), raw.len(), Some(backing));
                }
                Change::DelRange(nr, first, count) => gathered.range(nr, geometry, first, count, None),
                Change::Create(dir, name, nr) => {
                    gathered.name(dir, name, geometry.inode(nr.0));
                    gathered.new.insert(nr, dir);
                }
                Change::Link(dir, name, nr) => gathered.name(dir, name, geometry.inode(nr.0)),
                Change::Unlink(dir, name, nr) => {
                    gathered.name(dir, name, None);
                    gathered.unlink(nr, volume)?;
                }
            }
        }
        Ok(gathered)
    }

    fn range(&mut self, nr: InodeNr, geometry: &Geometry, first: u32, count: u32, backing: Option<Backing>) {
        let block = u64::from(geometry.block_size);
        let span = Span::new(u64::from(first) * block, u64::from(count) * block);
        self.ranges.entry(nr).or_default().push(Range(span, backing));
    }

    fn name(&mut self, dir: InodeNr, name: Vec<u8>, nr: Option<InodeNr>) {
        self.names.entry(dir).or_default().insert(name, nr);
    }

    /// Takes over an inode's fields. Its map stays that of the disk; one that was never written begins empty.
    fn inode_fields(&mut self, nr: InodeNr, fields: &[u8], volume: &Volume) -> Result<(), SourceGone> {
        let size = volume.geometry.inode_size as usize;
        if fields.len() < BASE_SIZE || fields.len() > size || volume.geometry.inode(nr.0).is_none() {
            return Ok(());
        }
        let mut record = self.record(nr, volume)?;
        let map: Vec<u8> = record[I_BLOCK_AT..I_BLOCK_AT + I_BLOCK_SIZE].to_vec();
        record[..fields.len()].copy_from_slice(fields);
        let raw = Inode::decode(nr, &record).raw;
        let into = &mut record[I_BLOCK_AT..I_BLOCK_AT + I_BLOCK_SIZE];
        if raw.has(flags::EXTENTS) && le16(&map, 0) == Some(extent::MAGIC) {
            into.copy_from_slice(&map);
        } else if raw.has(flags::EXTENTS) {
            into.fill(0);
            let header = extent::ExtentHeader {
                eh_magic: extent::MAGIC.into(),
                eh_entries: 0.into(),
                eh_max: 4.into(),
                eh_depth: 0.into(),
                eh_generation: 0.into(),
            };
            into[..extent::ENTRY_SIZE].copy_from_slice(header.as_bytes());
        }
        self.keep(nr, record, volume);
        Ok(())
    }

    /// Takes a link away. The inode's own fields, where they follow, say the same.
    fn unlink(&mut self, nr: InodeNr, volume: &Volume) -> Result<(), SourceGone> {
        if volume.geometry.inode(nr.0).is_none() {
            return Ok(());
        }
        let mut record = self.record(nr, volume)?;
        let links = le16(&record, LINKS_AT).unwrap_or(0).saturating_sub(1);
        record[LINKS_AT..LINKS_AT + 2].copy_from_slice(&links.to_le_bytes());
        self.keep(nr, record, volume);
        Ok(())
    }

    /// An inode's record as it is up to now; zeros where the disk does not give it.
    fn record(&self, nr: InodeNr, volume: &Volume) -> Result<Vec<u8>, SourceGone> {
        if let Some(record) = self.inodes.get(&nr) {
            return Ok(record.clone());
        }
        let inode = volume.inode(nr)?;
        Ok(inode.map_or_else(|| vec![0; volume.geometry.inode_size as usize], |inode| inode.record.into_owned()))
    }

    /// Keeps a record with the checksum it must have.
    fn keep(&mut self, nr: InodeNr, mut record: Vec<u8>, volume: &Volume) {
        if let Some(sums) = Inode::decode(nr, &record).sums(&volume.geometry) {
            let (lo, hi) = (sums.computed as u16, (sums.computed >> 16) as u16);
            record[CHECKSUM_LO_AT..CHECKSUM_LO_AT + 2].copy_from_slice(&lo.to_le_bytes());
            let has_hi = record.len() > BASE_SIZE && Inode::decode(nr, &record).raw.extra_reaches(CHECKSUM_HI_AT + 2);
            if has_hi {
                record[CHECKSUM_HI_AT..CHECKSUM_HI_AT + 2].copy_from_slice(&hi.to_le_bytes());
            }
        }
        self.inodes.insert(nr, record);
    }

    /// True where nothing changes.
    pub fn is_empty(&self) -> bool {
        self.inodes.is_empty() && self.ranges.is_empty() && self.names.is_empty()
    }

    /// An inode's record, where it was changed.
    pub fn inode(&self, nr: InodeNr) -> Option<&[u8]> {
        self.inodes.get(&nr).map(Vec::as_slice)
    }

    /// The names a directory has, or has no more, where they were changed.
    pub fn names(&self, dir: InodeNr) -> Option<&BTreeMap<Vec<u8>, Option<InodeNr>>> {
        self.names.get(&dir)
    }

    /// The directory that a new inode was made in. A new directory has nothing in its blocks yet.
    pub fn made_in(&self, nr: InodeNr) -> Option<InodeNr> {
        self.new.get(&nr).copied()
    }

    /// Lays what was changed of a file's map over its extents, up to `size`.
    pub fn remap(&self, nr: InodeNr, size: u64, extents: &mut Vec<Extent>) {
        for Range(span, backing) in self.ranges.get(&nr).into_iter().flatten() {
            let Some(span) = span.intersection(Span { start: 0, end: size }) else { continue };
            let mut kept: Vec<Extent> = extents.iter().flat_map(|extent| without(extent, span)).collect();
            let new = backing.clone().map(|backing| Extent { logical: span.start, len: span.len(), backing });
            kept.extend(new);
            kept.sort_by_key(|extent| extent.logical);
            *extents = kept;
        }
    }
}

/// What is left of an extent before and behind `span`.
fn without(extent: &Extent, span: Span) -> impl Iterator<Item = Extent> + use<> {
    let whole = extent.span();
    let before = Span { start: whole.start, end: whole.end.min(span.start).max(whole.start) };
    let behind = Span { start: whole.start.max(span.end).min(whole.end), end: whole.end };
    let part = |part: Span, extent: &Extent| {
        let backing = match &extent.backing {
            Backing::Device { member, offset } => {
                Backing::Device { member: *member, offset: offset + (part.start - whole.start) }
            }
            other => other.clone(),
        };
        (!part.is_empty()).then_some(Extent { logical: part.start, len: part.len(), backing })
    };
    [part(before, extent), part(behind, extent)].into_iter().flatten()
}
