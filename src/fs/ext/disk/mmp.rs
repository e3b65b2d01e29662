//! Multi-mount protection: the ext4 documentation, `mmp.rst`.

use std::mem::offset_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `mmp_magic`.
pub const MAGIC: u32 = 0x004D_4D50;
/// `mmp_seq` of a volume cleanly unmounted.
pub const SEQ_CLEAN: u32 = 0xFF4D_4D50;
/// `mmp_seq` while e2fsck runs.
pub const SEQ_FSCK: u32 = 0xE24D_4D50;
/// Largest `mmp_seq` of a mounted volume.
pub const SEQ_MAX: u32 = 0xE24D_4D4F;

/// `struct mmp_struct`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Mmp {
    pub mmp_magic: U32,
    pub mmp_seq: U32,
    pub mmp_time: U64,
    pub mmp_nodename: [u8; 64],
    pub mmp_bdevname: [u8; 32],
    pub mmp_check_interval: U16,
    pub mmp_pad1: U16,
    pub mmp_pad2: [U32; 226],
    pub mmp_checksum: U32,
}

const _: () = assert!(size_of::<Mmp>() == 1024);
const _: () = assert!(offset_of!(Mmp, mmp_checksum) == 0x3FC);
