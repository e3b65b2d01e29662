//! Inodes: the ext4 documentation, `inodes.rst`.

use std::mem::offset_of;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the part every inode has.
pub const BASE_SIZE: usize = 128;
/// Bytes of `i_block`.
pub const I_BLOCK_SIZE: usize = 60;
/// Where `l_i_checksum_lo` lies.
pub const CHECKSUM_LO_AT: usize = 0x7C;
/// Where `i_checksum_hi` lies.
pub const CHECKSUM_HI_AT: usize = 0x82;

/// Bits of `i_flags`, with the names of the ext4 documentation without `EXT4_` and `_FL`.
pub mod flags {
    pub const SECRM: u32 = 0x1;
    pub const UNRM: u32 = 0x2;
    pub const COMPR: u32 = 0x4;
    pub const SYNC: u32 = 0x8;
    pub const IMMUTABLE: u32 = 0x10;
    pub const APPEND: u32 = 0x20;
    pub const NODUMP: u32 = 0x40;
    pub const NOATIME: u32 = 0x80;
    pub const ENCRYPT: u32 = 0x800;
    /// The directory has a hash tree.
    pub const INDEX: u32 = 0x1000;
    pub const IMAGIC: u32 = 0x2000;
    pub const JOURNAL_DATA: u32 = 0x4000;
    pub const NOTAIL: u32 = 0x8000;
    pub const DIRSYNC: u32 = 0x1_0000;
    pub const TOPDIR: u32 = 0x2_0000;
    /// `i_blocks` counts filesystem blocks.
    pub const HUGE_FILE: u32 = 0x4_0000;
    pub const EXTENTS: u32 = 0x8_0000;
    pub const VERITY: u32 = 0x10_0000;
    /// The inode holds the value of an extended attribute.
    pub const EA_INODE: u32 = 0x20_0000;
    pub const EOFBLOCKS: u32 = 0x40_0000;
    pub const DAX: u32 = 0x200_0000;
    pub const INLINE_DATA: u32 = 0x1000_0000;
    pub const PROJINHERIT: u32 = 0x2000_0000;
    pub const CASEFOLD: u32 = 0x4000_0000;

    /// Every known flag with its name in words.
    pub const NAMES: &[(u32, &str)] = &[
        (SECRM, "secure-deletion"),
        (UNRM, "undelete"),
        (COMPR, "compressed"),
        (SYNC, "sync"),
        (IMMUTABLE, "immutable"),
        (APPEND, "append-only"),
        (NODUMP, "nodump"),
        (NOATIME, "noatime"),
        (ENCRYPT, "encrypted"),
        (INDEX, "indexed"),
        (IMAGIC, "afs"),
        (JOURNAL_DATA, "journal-data"),
        (NOTAIL, "notail"),
        (DIRSYNC, "dirsync"),
        (TOPDIR, "topdir"),
        (HUGE_FILE, "huge-file"),
        (EXTENTS, "extents"),
        (VERITY, "verity"),
        (EA_INODE, "ea-inode"),
        (EOFBLOCKS, "eofblocks"),
        (DAX, "dax"),
        (INLINE_DATA, "inline-data"),
        (PROJINHERIT, "projinherit"),
        (CASEFOLD, "casefold"),
    ];
}

/// `struct ext4_inode`, as Linux uses it. The fields from `i_extra_isize` on exist only where inodes are larger than
/// 128 bytes, and each only where `i_extra_isize` reaches it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Inode {
    pub i_mode: U16,
    pub i_uid: U16,
    pub i_size_lo: U32,
    /// In an inode that holds an attribute's value: the value's checksum.
    pub i_atime: U32,
    /// In an inode that holds an attribute's value: the lower half of its reference count.
    pub i_ctime: U32,
    /// In an inode that holds an attribute's value: the inode that owned it first.
    pub i_mtime: U32,
    /// In an inode on the orphan list: the next one.
    pub i_dtime: U32,
    pub i_gid: U16,
    pub i_links_count: U16,
    pub i_blocks_lo: U32,
    pub i_flags: U32,
    pub l_i_version: U32,
    pub i_block: [u8; I_BLOCK_SIZE],
    pub i_generation: U32,
    pub i_file_acl_lo: U32,
    pub i_size_high: U32,
    pub i_obso_faddr: U32,
    pub l_i_blocks_high: U16,
    pub l_i_file_acl_high: U16,
    pub l_i_uid_high: U16,
    pub l_i_gid_high: U16,
    pub l_i_checksum_lo: U16,
    pub l_i_reserved: U16,
    /// Bytes of the fields from this one on.
    pub i_extra_isize: U16,
    pub i_checksum_hi: U16,
    pub i_ctime_extra: U32,
    pub i_mtime_extra: U32,
    pub i_atime_extra: U32,
    pub i_crtime: U32,
    pub i_crtime_extra: U32,
    pub i_version_hi: U32,
    pub i_projid: U32,
}

const _: () = assert!(size_of::<Inode>() == 160);
const _: () = assert!(offset_of!(Inode, i_block) == 0x28);
const _: () = assert!(offset_of!(Inode, l_i_checksum_lo) == CHECKSUM_LO_AT);
const _: () = assert!(offset_of!(Inode, i_checksum_hi) == CHECKSUM_HI_AT);
const _: () = assert!(offset_of!(Inode, i_projid) == 0x9C);

impl Inode {
    /// The size field, both halves.
    pub fn size(&self) -> u64 {
        u64::from(self.i_size_high.get()) << 32 | u64::from(self.i_size_lo.get())
    }

    /// The block of extended attributes, 0 for none. The upper half has a meaning only with the 64bit feature.
    pub fn file_acl(&self) -> u64 {
        u64::from(self.l_i_file_acl_high.get()) << 32 | u64::from(self.i_file_acl_lo.get())
    }

    /// The count of blocks, in the unit that features and flags say.
    pub fn blocks(&self) -> u64 {
        u64::from(self.l_i_blocks_high.get()) << 32 | u64::from(self.i_blocks_lo.get())
    }

    /// Owner.
    pub fn uid(&self) -> u32 {
        u32::from(self.l_i_uid_high.get()) << 16 | u32::from(self.i_uid.get())
    }

    /// Group.
    pub fn gid(&self) -> u32 {
        u32::from(self.l_i_gid_high.get()) << 16 | u32::from(self.i_gid.get())
    }

    /// The checksum, of which the upper half has a meaning only where `i_extra_isize` reaches it.
    pub fn checksum(&self) -> u32 {
        u32::from(self.i_checksum_hi.get()) << 16 | u32::from(self.l_i_checksum_lo.get())
    }

    /// True if `flag`, or any of several, is set in `i_flags`.
    pub fn has(&self, flag: u32) -> bool {
        self.i_flags.get() & flag != 0
    }

    /// True where `i_extra_isize` reaches to the end of the field that ends at byte `end` of the inode.
    pub fn extra_reaches(&self, end: usize) -> bool {
        BASE_SIZE + usize::from(self.i_extra_isize.get()) >= end
    }
}
