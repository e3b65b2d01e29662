//! Decode: the structures of ext2, ext3 and ext4 as they lie on the disk, one file each, under the names of the
//! specification: the Linux kernel's `Documentation/filesystems/ext4/` (from here on "the ext4 documentation").
//!
//! Every bit pattern is a value of these types; nothing here judges. All are little-endian, save the [`journal`],
//! which is big-endian.

#![allow(dead_code, reason = "a structure is described whole, also what no reader needs")]

pub mod dirent;
pub mod extent;
pub mod group;
pub mod inode;
pub mod journal;
pub mod mmp;
pub mod orphan;
pub mod quota;
pub mod superblock;
pub mod xattr;

use zerocopy::FromBytes;

/// The structure at `offset` of `bytes`, or `None` where they end before it does.
pub fn at<T: FromBytes>(bytes: &[u8], offset: usize) -> Option<T> {
    T::read_from_prefix(bytes.get(offset..)?).ok().map(|(value, _)| value)
}

/// The structure at the start of `bytes`, as if zeros followed where they end early.
pub fn padded<T: FromBytes + zerocopy::IntoBytes>(bytes: &[u8]) -> T {
    let mut value = T::new_zeroed();
    let into = value.as_mut_bytes();
    let len = into.len().min(bytes.len());
    into[..len].copy_from_slice(&bytes[..len]);
    value
}
