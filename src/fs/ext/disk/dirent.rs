//! Directory blocks, linear and hashed: the ext4 documentation, `directory.rst`.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of an entry before its name.
pub const HEADER_SIZE: usize = 8;
/// Longest name.
pub const NAME_LEN: usize = 255;
/// `det_reserved_ft` of a tail.
pub const TAIL_TYPE: u8 = 0xDE;
/// Where `dx_root` has its limit and count: after `.`, `..` and the tree's information.
pub const DX_ROOT_COUNT_AT: usize = 0x20;
/// Where `dx_node` has its limit and count: after the fake entry.
pub const DX_NODE_COUNT_AT: usize = 0x8;
/// Bytes of the parent's number with which the entries of an inline directory begin.
pub const INLINE_DOTDOT_SIZE: usize = 4;

/// `struct ext4_dir_entry_2` without its name. Without the filetype feature `file_type` is the upper half of the
/// name's length.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DirEntry {
    /// 0 for an entry not in use.
    pub inode: U32,
    /// A multiple of 4, at least `8 + name_len`; see [`rec_len`] for blocks of 64 KiB.
    pub rec_len: U16,
    pub name_len: u8,
    /// 0 to 7.
    pub file_type: u8,
}

/// `struct ext4_dir_entry_tail`: the last 12 bytes of a leaf block with metadata_csum.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DirEntryTail {
    /// 0.
    pub det_reserved_zero1: U32,
    /// 12.
    pub det_rec_len: U16,
    /// 0.
    pub det_reserved_zero2: u8,
    /// [`TAIL_TYPE`].
    pub det_reserved_ft: u8,
    pub det_checksum: U32,
}

impl DirEntryTail {
    /// True if it is one: every field that is fixed has its value.
    pub fn is_tail(&self) -> bool {
        self.det_reserved_zero1.get() == 0
            && usize::from(self.det_rec_len.get()) == size_of::<Self>()
            && self.det_reserved_zero2 == 0
            && self.det_reserved_ft == TAIL_TYPE
    }
}

/// The hash and inode behind the name of an entry in an encrypted and casefolded directory
/// (`struct ext4_dir_entry_hash`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DirEntryHash {
    pub hash: U32,
    pub minor_hash: U32,
}

/// `struct dx_root_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DxRootInfo {
    /// 0.
    pub reserved_zero: U32,
    /// 0 to 5, or 6 (siphash) in an encrypted and casefolded directory.
    pub hash_version: u8,
    /// 8.
    pub info_length: u8,
    /// At most 2, or 3 with large_dir.
    pub indirect_levels: u8,
    pub unused_flags: u8,
}

/// `struct dx_root` up to its limit and count, with which the first block of a hashed directory begins.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DxRoot {
    pub dot: DirEntry,
    pub dot_name: [u8; 4],
    pub dotdot: DirEntry,
    pub dotdot_name: [u8; 4],
    pub info: DxRootInfo,
}

/// `struct dx_countlimit`: how many entries a node has room for, and has, itself counted.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DxCountLimit {
    pub limit: U16,
    pub count: U16,
}

/// `struct dx_entry`. The first one's hash is the node's [`DxCountLimit`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DxEntry {
    pub hash: U32,
    /// A block of the directory.
    pub block: U32,
}

/// `struct dx_tail`: follows the last of `limit` entries with metadata_csum.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DxTail {
    pub dt_reserved: U32,
    pub dt_checksum: U32,
}

const _: () = assert!(size_of::<DirEntry>() == HEADER_SIZE);
const _: () = assert!(size_of::<DirEntryTail>() == 12);
const _: () = assert!(size_of::<DxRoot>() == DX_ROOT_COUNT_AT);
const _: () = assert!(size_of::<DxEntry>() == 8 && size_of::<DxTail>() == 8 && size_of::<DxCountLimit>() == 4);

/// The length that a `rec_len` field means. Blocks of 64 KiB do not fit 16 bits: 0 and 65535 mean the whole block, and
/// the lowest two bits are the highest.
pub fn rec_len(raw: u16, block_size: usize) -> usize {
    let len = usize::from(raw);
    match len {
        _ if block_size < 0x1_0000 => len,
        0 | 0xFFFF => block_size,
        _ => (len & 0xFFFC) | ((len & 3) << 16),
    }
}
