//! Extended attributes, as `getxattr` gives them: [`read`], over those in the inode, in a block, and in inodes of
//! their own.
//!
//! Source: the ext4 documentation, `attributes.rst` and `eainode.rst`.

mod acl;
mod entries;

use std::ops::Range;

use entries::{Entry, Value, entries};

use super::codes;
use super::disk::at;
use super::disk::inode::flags;
use super::disk::xattr::{BLOCK_HEADER_SIZE, IBODY_HEADER_SIZE, INDEX_SYSTEM, MAGIC, XattrHeader};
use super::geometry::Geometry;
use super::inode::Inode;
use super::map;
use super::number::BlockNr;
use super::volume::Volume;
use crate::bytes::{Spans, le32};
use crate::finding::{Code, Finding, Place};
use crate::node::{Backing, Judged, Trust, Xattr};
use crate::source::SourceGone;

/// Longest value: `XATTR_SIZE_MAX`.
const MAX_VALUE: u32 = 64 << 10;
/// Most values in inodes of their own that are read of one file: what its names have room for, and a bound on memory.
const MAX_EA_INODES: usize = 256;

/// All attributes of an inode that a user of the mounted filesystem would see.
pub fn read(volume: &Volume, inode: &Inode<'_>) -> Result<Judged<Vec<Xattr>>, SourceGone> {
    let mut reading =
        Reading { volume, place: Place::inode(inode.nr.0.into()), judged: Judged::default(), ea_inodes: 0 };
    let region = inode.attributes(&volume.geometry);
    if has_magic(region) {
        reading.list(region, IBODY_HEADER_SIZE, IBODY_HEADER_SIZE)?;
    }
    match inode.attribute_block(&volume.geometry) {
        None => {}
        Some(Ok(block)) => reading.block(block)?,
        Some(Err(nr)) => {
            let expected = volume.geometry.block_range();
            reading.note(codes::XATTR_BLOCK, Trust::Unproven, Some(nr), || (format!("block {nr}"), expected));
        }
    }
    Ok(reading.judged)
}

/// The value of `system.data` in an inode: where inline contents go on. Empty where there is none. False where other
/// attributes lie in its place too.
pub fn inline_data<'i>(inode: &'i Inode<'_>, geometry: &Geometry) -> (&'i [u8], bool) {
    let region = inode.attributes(geometry);
    if !has_magic(region) {
        return (&[], true);
    }
    let list = entries(region, IBODY_HEADER_SIZE, IBODY_HEADER_SIZE).0;
    let names: usize = list.iter().map(Entry::len).sum();
    let is_data = |entry: &&Entry<'_>| entry.index == INDEX_SYSTEM && entry.name == b"data";
    match list.iter().find(is_data).map(|entry| &entry.value) {
        Some(Value::Here(range)) => {
            let crosses = |entry: &Entry<'_>| match &entry.value {
                Value::Here(other) => other != range && other.start < range.end && range.start < other.end,
                Value::Inode(..) => false,
            };
            let alone = range.is_empty() || range.start >= IBODY_HEADER_SIZE + names && !list.iter().any(crosses);
            (region.get(range.clone()).unwrap_or_default(), alone)
        }
        _ => (&[], true),
    }
}

fn has_magic(region: &[u8]) -> bool {
    le32(region, 0) == Some(MAGIC)
}

struct Reading<'v> {
    volume: &'v Volume,
    place: Place,
    judged: Judged<Vec<Xattr>>,
    ea_inodes: usize,
}

impl Reading<'_> {
    /// Takes the attributes of a block.
    fn block(&mut self, nr: BlockNr) -> Result<(), SourceGone> {
        let Some(block) = self.volume.block(nr)? else {
            self.note(codes::XATTR_UNREADABLE, Trust::Partial, Some(nr.0), Default::default);
            return Ok(());
        };
        let magic = at::<XattrHeader>(&block, 0).map_or(0, |header| header.h_magic.get());
        if magic != MAGIC {
            let facts = || (format!("{magic:08x}"), format!("{MAGIC:08x}"));
            self.note(codes::XATTR_BLOCK, Trust::Unproven, Some(nr.0), facts);
            return Ok(());
        }
        let geometry = &self.volume.geometry;
        let sums = geometry.has_checksums().then(|| geometry.seed.xattr_block(nr, &block)).flatten();
        if let Some(sums) = sums.filter(|sums| !sums.agree()) {
            let facts = || (format!("{:08x}", sums.found), format!("{:08x}", sums.computed));
            self.note(codes::XATTR_CHECKSUM, Trust::Unproven, Some(nr.0), facts);
        }
        self.list(&block, BLOCK_HEADER_SIZE, 0)
    }

    /// Takes the attributes listed from `first` on; their values' offsets count from `base`.
    fn list(&mut self, region: &[u8], first: usize, base: usize) -> Result<(), SourceGone> {
        let (list, ends_well) = entries(region, first, base);
        if !ends_well {
            self.note(codes::XATTR_ENTRY, Trust::Unproven, None, || {
                ("a list that does not end".to_owned(), "four zeros".to_owned())
            });
        }
        for entry in list {
            let Some(name) = entry.full_name() else { continue };
            let value = match &entry.value {
                Value::Here(range) => self.value_here(region, range, &name),
                Value::Inode(nr, size) => self.value_of_inode(*nr, *size)?,
            };
            // The first of a name counts: those in the inode come before those in the block.
            let Some(value) = value.filter(|_| self.judged.value.iter().all(|known| known.name != name)) else {
                continue;
            };
            let value = if entry.is_acl() { acl::to_xattr(&value).unwrap_or(value) } else { value };
            self.judged.value.push(Xattr { name, value });
        }
        Ok(())
    }

    fn value_here(&mut self, region: &[u8], range: &Range<usize>, name: &[u8]) -> Option<Vec<u8>> {
        let value = region.get(range.clone());
        if value.is_none() {
            self.note(codes::XATTR_ENTRY, Trust::Partial, None, || {
                let name = String::from_utf8_lossy(name);
                (format!("value of {name} at {}", range.start), format!("within {} bytes", region.len()))
            });
        }
        value.map(<[u8]>::to_vec)
    }

    /// The value that another inode holds.
    fn value_of_inode(&mut self, nr: u32, size: u32) -> Result<Option<Vec<u8>>, SourceGone> {
        self.ea_inodes += 1;
        let inode = match self.volume.geometry.inode(nr) {
            Some(nr) if size <= MAX_VALUE && self.ea_inodes <= MAX_EA_INODES => self.volume.inode(nr)?,
            _ => None,
        };
        let Some(inode) = inode.filter(|inode| inode.raw.has(flags::EA_INODE)) else {
            self.note(codes::XATTR_INODE, Trust::Partial, None, || {
                (format!("value of {size} bytes in inode {nr}"), "an inode that holds a value".to_owned())
            });
            return Ok(None);
        };
        let value = self.contents(&inode, size)?;
        let computed = self.volume.geometry.seed.ea_value(&value);
        let found = inode.raw.i_atime.get();
        if self.volume.geometry.has_checksums() && found != computed {
            let facts = || (format!("{found:08x}"), format!("{computed:08x}"));
            self.note(codes::XATTR_INODE, Trust::Unproven, None, facts);
        }
        Ok(Some(value))
    }

    /// The first `size` bytes of an inode, at most [`MAX_VALUE`].
    fn contents(&mut self, inode: &Inode<'_>, size: u32) -> Result<Vec<u8>, SourceGone> {
        let mapping = map::map(self.volume, inode, size.into())?;
        let (mut value, mut lost) = (vec![0; size as usize], mapping.lost());
        for extent in &mapping.extents {
            // Mappings lie within the size asked for.
            let Some(into) = value.get_mut(extent.logical as usize..(extent.logical + extent.len) as usize) else {
                continue;
            };
            match &extent.backing {
                Backing::Device { offset, .. } => {
                    let mut below = Spans::new();
                    self.volume.source.read(*offset, into, &mut below)?;
                    lost.extend(&below);
                }
                Backing::Inline(bytes) => into.copy_from_slice(&bytes[..into.len()]),
                Backing::Zero | Backing::Lost => {}
            }
        }
        if !lost.is_empty() {
            let nr = inode.nr;
            self.note(codes::XATTR_UNREADABLE, Trust::Partial, None, || (format!("inode {nr}"), String::new()));
        }
        Ok(value)
    }

    fn note(&mut self, code: Code, trust: Trust, block: Option<u64>, facts: impl FnOnce() -> (String, String)) {
        let (found, expected) = facts();
        let place = Place { block, ..self.place.clone() };
        self.judged.trust = self.judged.trust.max(trust);
        self.judged.findings.push(Finding::new(code, place, found, expected));
    }
}
