//! Extended attributes: the ext4 documentation, `attributes.rst`.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `h_magic`, in the block and in the inode.
pub const MAGIC: u32 = 0xEA02_0000;
/// Bytes of the header of a block.
pub const BLOCK_HEADER_SIZE: usize = 32;
/// Bytes of the header in an inode: the magic number alone.
pub const IBODY_HEADER_SIZE: usize = 4;
/// Bytes of an entry before its name; entries begin at multiples of 4.
pub const ENTRY_SIZE: usize = 16;
/// `e_name_index` of the attributes of the filesystem itself (`system.data` is inline data).
pub const INDEX_SYSTEM: u8 = 7;

/// What the values of `e_name_index` stand for. ACLs (2 and 3) are whole names.
pub const PREFIXES: &[(u8, &[u8])] = &[
    (0, b""),
    (1, b"user."),
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
    (7, b"system."),
    (8, b"system.richacl"),
    (9, b"encryption."),
    (10, b"hurd."),
];

/// `struct ext4_xattr_header`: at the start of a block of attributes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct XattrHeader {
    pub h_magic: U32,
    /// Inodes that share the block.
    pub h_refcount: U32,
    /// 1.
    pub h_blocks: U32,
    pub h_hash: U32,
    pub h_checksum: U32,
    pub h_reserved: [U32; 3],
}

/// `struct ext4_xattr_entry` without its name. Four zero bytes end the list.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct XattrEntry {
    pub e_name_len: u8,
    pub e_name_index: u8,
    /// In a block: from its start. In an inode: from the first entry.
    pub e_value_offs: U16,
    /// The inode that holds the value; 0 where it is here.
    pub e_value_inum: U32,
    pub e_value_size: U32,
    pub e_hash: U32,
}

const _: () = assert!(size_of::<XattrHeader>() == BLOCK_HEADER_SIZE);
const _: () = assert!(size_of::<XattrEntry>() == ENTRY_SIZE);

/// Bytes of an entry with its name, up to the next entry.
pub fn entry_len(name_len: u8) -> usize {
    (ENTRY_SIZE + usize::from(name_len)).next_multiple_of(4)
}
