//! Judge: an inode's fields, one by one. [`Inode`] is a record as it lies, and answers what of it can be believed.
//!
//! Source: the ext4 documentation, `inodes.rst`, `ifork.rst` and `inlinedata.rst`; the encodings of device numbers are
//! those of the kernel's `include/linux/kdev_t.h`.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::checksum::{Seed, Sums};
use super::disk::inode::{self as disk, BASE_SIZE, I_BLOCK_SIZE, flags};
use super::disk::{extent, padded};
use super::feature;
use super::geometry::Geometry;
use super::number::{BlockNr, InodeNr};
use crate::bytes::{le16, le32};
use crate::node::{Kind, Node, Trust};
use crate::time::{Time, Times};

/// Bytes that `i_blocks` counts in.
const SECTOR: u64 = 512;

/// An inode as it lies.
#[derive(Clone)]
pub struct Inode<'r> {
    /// Its number.
    pub nr: InodeNr,
    /// Its fields; those past the end of a small inode are 0.
    pub raw: disk::Inode,
    /// All its bytes.
    pub record: Cow<'r, [u8]>,
    /// Whether its checksum agrees, once that was asked.
    proved: OnceCell<bool>,
}

/// How an inode says where its contents lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// It has none: a device, a pipe, a socket.
    Nothing,
    /// In the inode itself, and continued in an attribute.
    Inline,
    /// A symbolic link's target, in place of the map.
    FastLink,
    /// A tree of extents.
    Extents,
    /// Pointers to blocks, direct and indirect.
    Pointers,
}

impl<'r> Inode<'r> {
    /// The inode of this number in a record, which is as long as inodes are.
    pub fn decode(nr: InodeNr, record: &'r [u8]) -> Self {
        let fields = if record.len() > BASE_SIZE { record } else { &record[..record.len().min(BASE_SIZE)] };
        Inode { nr, raw: padded(fields), record: Cow::Borrowed(record), proved: OnceCell::new() }
    }

    /// The same, independent of where it was read.
    pub fn into_owned(self) -> Inode<'static> {
        Inode { nr: self.nr, raw: self.raw, record: Cow::Owned(self.record.into_owned()), proved: self.proved }
    }

    /// True where a directory may name it: it has a mode and links.
    pub fn is_in_use(&self) -> bool {
        self.raw.i_mode.get() != 0 && self.raw.i_links_count.get() != 0
    }

    /// True where it was used and is not any more, and something is left of it.
    pub fn is_deleted(&self) -> bool {
        self.raw.i_mode.get() != 0 && self.raw.i_links_count.get() == 0
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        Kind::from_mode(self.raw.i_mode.get().into())
    }

    /// What the checksums of its blocks begin with.
    pub fn seed(&self, geometry: &Geometry) -> Seed {
        geometry.seed.inode(self.nr, self.raw.i_generation.get())
    }

    /// Its own checksum; `None` where the volume has none.
    pub fn sums(&self, geometry: &Geometry) -> Option<Sums> {
        if !geometry.has_checksums() {
            return None;
        }
        let has_hi = self.record.len() > BASE_SIZE && self.raw.extra_reaches(disk::CHECKSUM_HI_AT + 2);
        let found = if has_hi { self.raw.checksum() } else { self.raw.checksum() & 0xFFFF };
        Some(Sums { found, computed: self.seed(geometry).inode_record(&self.record, has_hi) })
    }

    /// False where a checksum speaks against it.
    pub fn is_proved(&self, geometry: &Geometry) -> bool {
        *self.proved.get_or_init(|| self.sums(geometry).is_none_or(Sums::agree))
    }

    /// Bytes in use beyond the first 128: as the inode says, or as the volume's inodes mostly have where that is
    /// impossible.
    pub fn extra_isize(&self, geometry: &Geometry) -> usize {
        let room = self.record.len().saturating_sub(BASE_SIZE);
        let said = usize::from(self.raw.i_extra_isize.get());
        if said <= room && said.is_multiple_of(4) { said } else { room.min(geometry.extra_isize.into()) }
    }

    /// Where the attributes in the inode lie in its record: all bytes that no field uses.
    pub fn attributes(&self, geometry: &Geometry) -> &[u8] {
        self.record.get(BASE_SIZE + self.extra_isize(geometry)..).unwrap_or_default()
    }

    /// The block with its attributes; `None` for none, `Some(Err)` for an impossible one.
    pub fn attribute_block(&self, geometry: &Geometry) -> Option<Result<BlockNr, u64>> {
        let lo = u64::from(self.raw.i_file_acl_lo.get());
        let nr = if geometry.features.has(feature::BIT64) { self.raw.file_acl() } else { lo };
        (nr != 0).then(|| geometry.block(nr).ok_or(nr))
    }

    /// The size field. Directories and links have the upper half only where large ones are allowed.
    pub fn size(&self, geometry: &Geometry) -> u64 {
        let whole = match self.kind() {
            Kind::File | Kind::Unknown => true,
            _ => geometry.features.has(feature::LARGE_DIR),
        };
        if whole { self.raw.size() } else { self.raw.i_size_lo.get().into() }
    }

    /// False where no file of this kind can have this size, or a refuted inode claims more than the volume has.
    pub fn has_possible_size(&self, geometry: &Geometry) -> bool {
        let size = self.size(geometry);
        let most = match self.kind() {
            Kind::Symlink => u64::from(geometry.block_size),
            _ => geometry.max_file_size(self.raw.has(flags::EXTENTS | flags::INLINE_DATA)),
        };
        size <= most && (size <= geometry.len() || self.is_proved(geometry))
    }

    /// Bytes of the disk it uses, as it counts them.
    pub fn allocated(&self, geometry: &Geometry) -> u64 {
        if !geometry.features.has(feature::HUGE_FILE) {
            return u64::from(self.raw.i_blocks_lo.get()) * SECTOR;
        }
        let unit = if self.raw.has(flags::HUGE_FILE) { geometry.block_size.into() } else { SECTOR };
        self.raw.blocks().saturating_mul(unit)
    }

    /// How it says where its contents lie.
    pub fn layout(&self, geometry: &Geometry) -> Layout {
        match self.kind() {
            Kind::File | Kind::Directory | Kind::Symlink | Kind::Unknown => {}
            _ => return Layout::Nothing,
        }
        if self.raw.has(flags::INLINE_DATA) {
            Layout::Inline
        } else if self.kind() == Kind::Symlink && self.is_fast_link(geometry) {
            Layout::FastLink
        } else if self.raw.has(flags::EXTENTS) {
            Layout::Extents
        } else {
            Layout::Pointers
        }
    }

    /// True for a link whose target is short and that uses no blocks but that of its attributes. Old writers set the
    /// flag of extents on such links too.
    fn is_fast_link(&self, geometry: &Geometry) -> bool {
        if self.raw.has(flags::EXTENTS) && le16(&self.raw.i_block, 0) == Some(extent::MAGIC) {
            return false;
        }
        let cluster = u64::from(geometry.block_size) * u64::from(geometry.cluster_blocks);
        let attributes = if self.attribute_block(geometry).is_some() { cluster } else { 0 };
        self.size(geometry) < I_BLOCK_SIZE as u64 && self.allocated(geometry).saturating_sub(attributes) == 0
    }

    /// Major and minor number of a device node: in the old encoding, or in the new one behind a zero.
    fn device(&self) -> Option<(u32, u32)> {
        if !matches!(self.kind(), Kind::CharDevice | Kind::BlockDevice) {
            return None;
        }
        match le32(&self.raw.i_block, 0)? {
            0 => {
                let new = le32(&self.raw.i_block, 4)?;
                Some(((new >> 8) & 0xFFF, (new & 0xFF) | ((new >> 12) & 0xFFF00)))
            }
            old => Some(((old >> 8) & 0xFF, old & 0xFF)),
        }
    }

    /// All its times. An orphan's time of deletion is the number of the next orphan, so it has none.
    pub fn times(&self, geometry: &Geometry, orphan: bool) -> Times {
        let raw = &self.raw;
        let extra = self.extra_isize(geometry);
        // Each field exists where the inode reaches its end.
        let wide = |end: usize, field: u32| (BASE_SIZE + extra >= end).then_some(field);
        let deleted = raw.i_dtime.get();
        Times {
            modified: Some(time(raw.i_mtime.get(), wide(0x8C, raw.i_mtime_extra.get()))),
            accessed: Some(time(raw.i_atime.get(), wide(0x90, raw.i_atime_extra.get()))),
            changed: Some(time(raw.i_ctime.get(), wide(0x88, raw.i_ctime_extra.get()))),
            created: wide(0x94, raw.i_crtime.get()).map(|secs| time(secs, wide(0x98, raw.i_crtime_extra.get()))),
            deleted: (deleted != 0 && !orphan && self.is_deleted()).then(|| Time::from_secs(deleted.into())),
        }
    }

    /// The node, judged from the inode alone. Its size is the field's, possible or not.
    pub fn node(&self, geometry: &Geometry, orphan: bool) -> Node {
        let raw = &self.raw;
        let kind = self.kind();
        let proved = if self.is_proved(geometry) { Trust::Intact } else { Trust::Unproven };
        Node {
            id: self.nr.node(),
            kind,
            mode: raw.i_mode.get() & 0o7777,
            uid: raw.uid(),
            gid: raw.gid(),
            links: raw.i_links_count.get().into(),
            size: if self.layout(geometry) == Layout::Nothing { 0 } else { self.size(geometry) },
            allocated: self.allocated(geometry),
            times: self.times(geometry, orphan),
            device: self.device(),
            encrypted: raw.has(flags::ENCRYPT),
            trust: proved.max(if kind == Kind::Unknown { Trust::Doubtful } else { Trust::Intact }),
        }
    }
}

/// Seconds of 32 bits, signed, with two more bits and nanoseconds in `extra`.
fn time(secs: u32, extra: Option<u32>) -> Time {
    let extra = extra.unwrap_or(0);
    let secs = i64::from(secs.cast_signed()) + (i64::from(extra & 3) << 32);
    Time { secs, nanos: extra >> 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the ext4 documentation, "Inode Timestamps".
    #[test]
    fn two_more_bits_reach_the_year_2446() {
        for (extra, secs, expected) in [
            (0, 0x8000_0000, -0x8000_0000),
            (0, 0x7FFF_FFFF, 0x7FFF_FFFF),
            (1, 0x8000_0000, 0x8000_0000),
            (1, 0x7FFF_FFFF, 0x1_7FFF_FFFF),
            (3, 0x7FFF_FFFF, 0x3_7FFF_FFFF),
        ] {
            assert_eq!(time(secs, Some(extra | 5 << 2)), Time { secs: expected, nanos: 5 });
        }
        assert_eq!(time(0xFFFF_FFFF, None), Time { secs: -1, nanos: 0 });
    }
}
