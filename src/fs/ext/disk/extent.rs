//! Extent trees: the ext4 documentation, `ifork.rst`.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `eh_magic`.
pub const MAGIC: u16 = 0xF30A;
/// Deepest tree there is.
pub const MAX_DEPTH: u16 = 5;
/// Longest initialised extent, in blocks; a longer `ee_len` means an unwritten one of `ee_len - 32768` blocks.
pub const INIT_MAX_LEN: u16 = 32768;
/// Bytes of the header, and of each index or leaf entry.
pub const ENTRY_SIZE: usize = 12;

/// `struct ext4_extent_header`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ExtentHeader {
    pub eh_magic: U16,
    pub eh_entries: U16,
    pub eh_max: U16,
    /// 0: leaf entries follow. At most 5.
    pub eh_depth: U16,
    pub eh_generation: U32,
}

/// `struct ext4_extent_idx`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ExtentIdx {
    /// The node below covers the file from this block on.
    pub ei_block: U32,
    pub ei_leaf_lo: U32,
    pub ei_leaf_hi: U16,
    pub ei_unused: U16,
}

/// `struct ext4_extent`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Extent {
    /// First block of the file.
    pub ee_block: U32,
    pub ee_len: U16,
    pub ee_start_hi: U16,
    pub ee_start_lo: U32,
}

/// `struct ext4_extent_tail`: follows the last of `eh_max` entries of a node in a block of its own.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ExtentTail {
    pub et_checksum: U32,
}

const _: () = assert!(size_of::<ExtentHeader>() == ENTRY_SIZE);
const _: () = assert!(size_of::<ExtentIdx>() == ENTRY_SIZE);
const _: () = assert!(size_of::<Extent>() == ENTRY_SIZE);

impl ExtentIdx {
    /// The block of the node below.
    pub fn leaf(&self) -> u64 {
        u64::from(self.ei_leaf_hi.get()) << 32 | u64::from(self.ei_leaf_lo.get())
    }
}

impl Extent {
    /// First block on the volume.
    pub fn start(&self) -> u64 {
        u64::from(self.ee_start_hi.get()) << 32 | u64::from(self.ee_start_lo.get())
    }

    /// Blocks covered.
    pub fn len(&self) -> u32 {
        let len = self.ee_len.get();
        u32::from(if len > INIT_MAX_LEN { len - INIT_MAX_LEN } else { len })
    }

    /// True where the blocks are allocated and were never written.
    pub fn is_unwritten(&self) -> bool {
        self.ee_len.get() > INIT_MAX_LEN
    }
}

/// Where the tail of a node with room for `max` entries begins.
pub fn tail_at(max: u16) -> usize {
    ENTRY_SIZE + ENTRY_SIZE * usize::from(max)
}
