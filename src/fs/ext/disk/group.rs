//! Group descriptors: the ext4 documentation, `group_descr.rst`.

use std::mem::offset_of;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a descriptor without the 64bit feature.
pub const SIZE_32: usize = 32;
/// Bytes of a descriptor that have a meaning with the 64bit feature.
pub const SIZE_64: usize = 64;
/// Where `bg_checksum` lies.
pub const CHECKSUM_AT: usize = 0x1E;

/// Bits of `bg_flags`.
pub mod flags {
    /// Inode table and bitmap are not initialised.
    pub const INODE_UNINIT: u16 = 1;
    /// The block bitmap is not initialised.
    pub const BLOCK_UNINIT: u16 = 2;
    /// The inode table is zeroed.
    pub const INODE_ZEROED: u16 = 4;
}

/// `struct ext4_group_desc`. The fields from `bg_block_bitmap_hi` on exist only where descriptors are 64 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct GroupDescriptor {
    pub bg_block_bitmap_lo: U32,
    pub bg_inode_bitmap_lo: U32,
    pub bg_inode_table_lo: U32,
    /// Counted in clusters.
    pub bg_free_blocks_count_lo: U16,
    pub bg_free_inodes_count_lo: U16,
    pub bg_used_dirs_count_lo: U16,
    pub bg_flags: U16,
    pub bg_exclude_bitmap_lo: U32,
    pub bg_block_bitmap_csum_lo: U16,
    pub bg_inode_bitmap_csum_lo: U16,
    /// Inodes at the end of the table that were never used.
    pub bg_itable_unused_lo: U16,
    pub bg_checksum: U16,
    pub bg_block_bitmap_hi: U32,
    pub bg_inode_bitmap_hi: U32,
    pub bg_inode_table_hi: U32,
    pub bg_free_blocks_count_hi: U16,
    pub bg_free_inodes_count_hi: U16,
    pub bg_used_dirs_count_hi: U16,
    pub bg_itable_unused_hi: U16,
    pub bg_exclude_bitmap_hi: U32,
    pub bg_block_bitmap_csum_hi: U16,
    pub bg_inode_bitmap_csum_hi: U16,
    pub bg_reserved: U32,
}

const _: () = assert!(size_of::<GroupDescriptor>() == SIZE_64);
const _: () = assert!(offset_of!(GroupDescriptor, bg_checksum) == CHECKSUM_AT);
const _: () = assert!(offset_of!(GroupDescriptor, bg_block_bitmap_csum_hi) == 0x38);

impl GroupDescriptor {
    /// Block of the block bitmap.
    pub fn block_bitmap(&self) -> u64 {
        join32(self.bg_block_bitmap_hi, self.bg_block_bitmap_lo)
    }

    /// Block of the inode bitmap.
    pub fn inode_bitmap(&self) -> u64 {
        join32(self.bg_inode_bitmap_hi, self.bg_inode_bitmap_lo)
    }

    /// First block of the inode table.
    pub fn inode_table(&self) -> u64 {
        join32(self.bg_inode_table_hi, self.bg_inode_table_lo)
    }

    /// Free clusters.
    pub fn free_blocks_count(&self) -> u32 {
        join16(self.bg_free_blocks_count_hi, self.bg_free_blocks_count_lo)
    }

    /// Free inodes.
    pub fn free_inodes_count(&self) -> u32 {
        join16(self.bg_free_inodes_count_hi, self.bg_free_inodes_count_lo)
    }

    /// Directories.
    pub fn used_dirs_count(&self) -> u32 {
        join16(self.bg_used_dirs_count_hi, self.bg_used_dirs_count_lo)
    }

    /// Inodes at the end of the table that were never used.
    pub fn itable_unused(&self) -> u32 {
        join16(self.bg_itable_unused_hi, self.bg_itable_unused_lo)
    }

    /// Checksum of the block bitmap; only the lower half is recorded in descriptors of 32 bytes.
    pub fn block_bitmap_csum(&self) -> u32 {
        join16(self.bg_block_bitmap_csum_hi, self.bg_block_bitmap_csum_lo)
    }

    /// Checksum of the inode bitmap; only the lower half is recorded in descriptors of 32 bytes.
    pub fn inode_bitmap_csum(&self) -> u32 {
        join16(self.bg_inode_bitmap_csum_hi, self.bg_inode_bitmap_csum_lo)
    }
}

fn join32(hi: U32, lo: U32) -> u64 {
    u64::from(hi.get()) << 32 | u64::from(lo.get())
}

fn join16(hi: U16, lo: U16) -> u32 {
    u32::from(hi.get()) << 16 | u32::from(lo.get())
}
