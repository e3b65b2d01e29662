//! Structures of which a single bit flipped, as they were: their checksums tell which.

use super::checksum::{Seed, Sums};
use super::crc;
use super::disk::dirent::DirEntryTail;
use super::disk::extent::{ExtentHeader, tail_at};
use super::disk::{at, inode as disk};
use super::geometry::Geometry;
use super::inode::Inode;

/// A leaf block of the directory that `seed` is of.
pub fn leaf_block(seed: Seed, block: &[u8]) -> Option<Vec<u8>> {
    let covered = block.len().checked_sub(size_of::<DirEntryTail>())?;
    unflipped(block, covered, seed.leaf_block(block)?)
}

/// A node of the extent tree of the inode that `seed` is of.
pub fn extent_block(seed: Seed, block: &[u8]) -> Option<Vec<u8>> {
    let covered = tail_at(at::<ExtentHeader>(block, 0)?.eh_max.get());
    unflipped(block, covered, seed.extent_block(block)?)
}

/// The record of an inode that keeps a whole checksum. Half of one would fit one flipped bit in thirty by accident.
pub fn inode(geometry: &Geometry, inode: &Inode<'_>) -> Option<Vec<u8>> {
    let is_whole = inode.record.len() > disk::BASE_SIZE && inode.raw.extra_reaches(disk::CHECKSUM_HI_AT + 2);
    let sums = inode.sums(geometry).filter(|_| is_whole)?;
    let record = unflipped(&inode.record, inode.record.len(), sums)?;
    // The checksum itself is left out of what it is of; and the number and the generation are in its seed, too.
    let again = Inode::decode(inode.nr, &record);
    again.is_proved(geometry).then_some(record)
}

/// With the bit of the first `covered` bytes that makes the checksum right.
fn unflipped(bytes: &[u8], covered: usize, sums: Sums) -> Option<Vec<u8>> {
    let (byte, bit) = crc::flipped(covered, sums.found ^ sums.computed)?;
    let mut bytes = bytes.to_vec();
    *bytes.get_mut(byte)? ^= bit;
    Some(bytes)
}
