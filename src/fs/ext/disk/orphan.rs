//! Blocks of the orphan file: the ext4 documentation, `orphan.rst`.

use super::at;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `ob_magic`.
pub const MAGIC: u32 = 0x0B10_CA04;

/// The last 8 bytes of each block; inode numbers, or zeros, stand before it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct OrphanBlockTail {
    pub ob_magic: U32,
    pub ob_checksum: U32,
}

const _: () = assert!(size_of::<OrphanBlockTail>() == 8);

/// Where the tail of a block of the orphan file is, and the magic number there.
pub fn tail(block: &[u8]) -> (usize, u32) {
    let at_end = block.len().saturating_sub(size_of::<OrphanBlockTail>());
    (at_end, at::<OrphanBlockTail>(block, at_end).map_or(0, |tail| tail.ob_magic.get()))
}
