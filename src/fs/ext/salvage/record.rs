//! What the bytes of an inode say of themselves: whether they are an inode at all, and whether this one.

use super::super::disk::inode::{self as disk, Inode, flags};
use super::super::disk::{extent, padded};
use super::super::feature::{HUGE_FILE, INLINE_DATA};
use super::super::geometry::Geometry;
use super::super::number::InodeNr;
use super::generation;
use crate::bytes::{le16, le32};
use crate::node::Kind;

/// What a record is worth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// All zeros: no inode was ever here, or it was destroyed.
    Blank,
    /// No inode: too many of its fields are impossible.
    Garbage,
    /// An inode as far as can be told: no checksum proves it, and little or nothing speaks against it.
    Plausible,
    /// Its checksum, which covers its number, is right.
    Proved,
}

/// Faults from which on a record is no inode. One ruined field costs at most 3; bytes of anything else, 6 and more.
const GARBAGE: u32 = 4;

/// Judges the whole record of inode `nr`.
pub fn judge(geometry: &Geometry, nr: InodeNr, record: &[u8]) -> Verdict {
    judge_owner(geometry, nr, record).0
}

/// The same, and true where the checksum says that the record is another inode's.
pub fn judge_owner(geometry: &Geometry, nr: InodeNr, record: &[u8]) -> (Verdict, bool) {
    if record.iter().all(|&byte| byte == 0) {
        return (Verdict::Blank, false);
    }
    if geometry.has_checksums() && checksum_agrees(geometry, nr, record) {
        return (Verdict::Proved, false);
    }
    if belongs_to(geometry, record).is_some_and(|other| other != nr) {
        return (Verdict::Garbage, true);
    }
    (if faults(geometry, record) >= GARBAGE { Verdict::Garbage } else { Verdict::Plausible }, false)
}

/// The inode that a record's checksum says it is of, wherever it lies; `None` where it says nothing. Any other bytes
/// say a number that exists only by a rare chance.
pub fn belongs_to(geometry: &Geometry, record: &[u8]) -> Option<InodeNr> {
    let said = geometry.has_checksums().then(|| generation::of_record(record)).flatten()?;
    geometry.inode(said ^ geometry.seed.0)
}

/// True if the record has the checksum it should have.
pub fn checksum_agrees(geometry: &Geometry, nr: InodeNr, record: &[u8]) -> bool {
    let inode: Inode = padded(record);
    let has_hi = record.len() > disk::BASE_SIZE && inode.extra_reaches(disk::CHECKSUM_HI_AT + 2);
    let computed = geometry.seed.inode(nr, inode.i_generation.get()).inode_record(record, has_hi);
    let found = if has_hi { inode.checksum() } else { inode.checksum() & 0xFFFF };
    computed == found
}

/// How much speaks against the record being an inode of this volume.
pub fn faults(geometry: &Geometry, record: &[u8]) -> u32 {
    let inode: Inode = padded(record);
    let known = flags::NAMES.iter().fold(0, |known, (flag, _)| known | flag);
    let kind = Kind::from_mode(inode.i_mode.get().into());
    let extra = usize::from(inode.i_extra_isize.get());
    let room = record.len().saturating_sub(disk::BASE_SIZE);
    let against = [
        (kind == Kind::Unknown, 2),
        (inode.i_flags.get() & !known != 0, 2),
        (room > 0 && (!extra.is_multiple_of(4) || extra > room), 2),
        (inode.l_i_reserved.get() != 0, 1),
        (inode.i_obso_faddr.get() != 0, 1),
        (acl_is_impossible(geometry, &inode), 1),
        (inode.i_links_count.get() > 65000, 1),
        (inode.i_dtime.get() != 0 && inode.i_links_count.get() > 0, 1),
        (has_size(kind) && inode.size() > geometry.max_file_size(inode.has(flags::EXTENTS)), 1),
        (!geometry.features.has(HUGE_FILE) && inode.blocks() / 2 > geometry.len() / 1024, 1),
    ];
    let fields: u32 = against.iter().filter(|(fault, _)| *fault).map(|(_, weight)| weight).sum();
    fields + map_faults(geometry, &inode, kind)
}

fn has_size(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Directory | Kind::Symlink)
}

fn acl_is_impossible(geometry: &Geometry, inode: &Inode) -> bool {
    let acl = inode.file_acl();
    acl != 0 && geometry.block(acl).is_none()
}

/// How much the map in `i_block` speaks against it.
fn map_faults(geometry: &Geometry, inode: &Inode, kind: Kind) -> u32 {
    if inode.has(flags::INLINE_DATA) {
        return if geometry.features.has(INLINE_DATA) { 0 } else { 2 };
    }
    if !has_size(kind) || kind == Kind::Symlink && inode.size() < disk::I_BLOCK_SIZE as u64 {
        return 0;
    }
    if inode.has(flags::EXTENTS) {
        let header = [0, 2, 4, 6].map(|at| le16(&inode.i_block, at).unwrap_or_default());
        let [magic, entries, max, depth] = header;
        let wrong = u32::from(entries > max) + u32::from(max > 4) + u32::from(depth > extent::MAX_DEPTH);
        return if magic == extent::MAGIC { wrong } else { 3 };
    }
    let pointers = (0..15).filter_map(|i| le32(&inode.i_block, i * 4));
    pointers.filter(|&block| block != 0 && geometry.block(block.into()).is_none()).count().min(3) as u32
}

/// The first block of the contents, where the map in the record itself leads to it.
pub fn first_block(geometry: &Geometry, inode: &Inode) -> Option<super::super::number::BlockNr> {
    geometry.block(first_block_number(inode)?)
}

/// As [`first_block`], on a volume of any size.
pub fn first_block_number(inode: &Inode) -> Option<u64> {
    if inode.has(flags::INLINE_DATA) {
        return None;
    }
    if !inode.has(flags::EXTENTS) {
        return le32(&inode.i_block, 0).map(u64::from);
    }
    let header = [0, 2, 6].map(|at| le16(&inode.i_block, at).unwrap_or_default());
    if header[0] != extent::MAGIC || header[1] == 0 || header[2] != 0 || le32(&inode.i_block, 12)? != 0 {
        return None;
    }
    Some(u64::from(le16(&inode.i_block, 18)?) << 32 | u64::from(le32(&inode.i_block, 20)?))
}
