//! The journal (jbd2), big-endian, and the fast commits of ext4, little-endian: the ext4 documentation, `journal.rst`,
//! and the structures of the kernel's `include/linux/jbd2.h` and `fs/ext4/fast_commit.h`.

use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};
use zerocopy::{big_endian as be, little_endian as le};

/// `h_magic`.
pub const MAGIC: u32 = 0xC03B_3998;
/// Bytes of a journal's superblock.
pub const SUPERBLOCK_SIZE: usize = 1024;
/// Bytes of the header every journal block begins with.
pub const HEADER_SIZE: usize = 12;
/// Bytes of the checksum at the end of descriptor and revoke blocks (checksums v2 and v3).
pub const TAIL_SIZE: usize = 4;
/// Blocks of the fast commit area where the superblock does not say (`JBD2_DEFAULT_FAST_COMMIT_BLOCKS`).
pub const DEFAULT_FAST_COMMIT_BLOCKS: u32 = 256;

/// Values of `h_blocktype`.
pub mod blocktype {
    pub const DESCRIPTOR: u32 = 1;
    pub const COMMIT: u32 = 2;
    pub const SUPERBLOCK_V1: u32 = 3;
    pub const SUPERBLOCK_V2: u32 = 4;
    pub const REVOKE: u32 = 5;
}

/// Bits of `s_feature_compat`.
pub mod compat {
    /// The commit block holds a checksum over the blocks of its transaction (v1).
    pub const CHECKSUM: u32 = 0x1;
}

/// Bits of `s_feature_incompat`.
pub mod incompat {
    pub const REVOKE: u32 = 0x1;
    pub const BIT64: u32 = 0x2;
    pub const ASYNC_COMMIT: u32 = 0x4;
    pub const CSUM_V2: u32 = 0x8;
    pub const CSUM_V3: u32 = 0x10;
    pub const FAST_COMMIT: u32 = 0x20;
    /// All that there are.
    pub const KNOWN: u32 = REVOKE | BIT64 | ASYNC_COMMIT | CSUM_V2 | CSUM_V3 | FAST_COMMIT;
}

/// Bits of a tag's flags.
pub mod tag_flags {
    /// The block began with the magic number, which is zeroed in the journal.
    pub const ESCAPE: u32 = 0x1;
    /// No UUID follows the tag.
    pub const SAME_UUID: u32 = 0x2;
    pub const DELETED: u32 = 0x4;
    pub const LAST_TAG: u32 = 0x8;
}

/// Values of `s_checksum_type` and `h_chksum_type`.
pub mod checksum_type {
    pub const CRC32: u8 = 1;
    pub const MD5: u8 = 2;
    pub const SHA1: u8 = 3;
    pub const CRC32C: u8 = 4;
}

/// `struct journal_header_s`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct JournalHeader {
    pub h_magic: be::U32,
    pub h_blocktype: be::U32,
    pub h_sequence: be::U32,
}

/// `struct journal_superblock_s`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct JournalSuperblock {
    pub s_header: JournalHeader,
    pub s_blocksize: be::U32,
    pub s_maxlen: be::U32,
    /// First block of the log.
    pub s_first: be::U32,
    /// First transaction expected in the log.
    pub s_sequence: be::U32,
    /// Block where the log begins; 0 where there is nothing to replay.
    pub s_start: be::U32,
    pub s_errno: be::U32,
    pub s_feature_compat: be::U32,
    pub s_feature_incompat: be::U32,
    pub s_feature_ro_compat: be::U32,
    pub s_uuid: [u8; 16],
    pub s_nr_users: be::U32,
    pub s_dynsuper: be::U32,
    pub s_max_transaction: be::U32,
    pub s_max_trans_data: be::U32,
    pub s_checksum_type: u8,
    pub s_padding2: [u8; 3],
    /// Blocks at the end of the journal kept for fast commits; 0 for the default number.
    pub s_num_fc_blks: be::U32,
    /// Block number of the log head, where the journal was emptied.
    pub s_head: be::U32,
    pub s_padding: [be::U32; 40],
    pub s_checksum: be::U32,
    pub s_users: [u8; 768],
}

/// `struct journal_block_tag3_s`: with checksums v3.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct JournalBlockTag3 {
    pub t_blocknr: be::U32,
    pub t_flags: be::U32,
    pub t_blocknr_high: be::U32,
    pub t_checksum: be::U32,
}

/// `struct journal_block_tag_s`: without checksums v3. `t_blocknr_high` is there only with 64-bit block numbers.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct JournalBlockTag {
    pub t_blocknr: be::U32,
    pub t_checksum: be::U16,
    pub t_flags: be::U16,
    pub t_blocknr_high: be::U32,
}

/// `struct jbd2_journal_revoke_header_s`: block numbers of 4 bytes, or 8 with 64-bit ones, follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RevokeHeader {
    pub r_header: JournalHeader,
    /// Bytes used in this block, the header among them.
    pub r_count: be::U32,
}

/// `struct commit_header`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct CommitHeader {
    pub h_header: JournalHeader,
    pub h_chksum_type: u8,
    pub h_chksum_size: u8,
    pub h_padding: [u8; 2],
    pub h_chksum: [be::U32; 8],
    pub h_commit_sec: be::U64,
    pub h_commit_nsec: be::U32,
}

const _: () = assert!(size_of::<JournalHeader>() == HEADER_SIZE);
const _: () = assert!(size_of::<JournalSuperblock>() == SUPERBLOCK_SIZE);
const _: () = assert!(offset_of!(JournalSuperblock, s_checksum) == 0xFC);
const _: () = assert!(size_of::<JournalBlockTag3>() == 16 && size_of::<JournalBlockTag>() == 12);
const _: () = assert!(size_of::<RevokeHeader>() == 16);
const _: () = assert!(offset_of!(CommitHeader, h_commit_sec) == 0x30);

/// Values of `fc_tag`.
pub mod fc_tag {
    pub const ADD_RANGE: u16 = 1;
    pub const DEL_RANGE: u16 = 2;
    pub const CREAT: u16 = 3;
    pub const LINK: u16 = 4;
    pub const UNLINK: u16 = 5;
    pub const INODE: u16 = 6;
    pub const PAD: u16 = 7;
    pub const TAIL: u16 = 8;
    pub const HEAD: u16 = 9;
}

/// `struct ext4_fc_tl`: a tag of the fast commit area and the bytes of its value.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FcTl {
    pub fc_tag: le::U16,
    pub fc_len: le::U16,
}

/// `struct ext4_fc_head`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FcHead {
    /// 0: none are known.
    pub fc_features: le::U32,
    /// The transaction after which these fast commits apply.
    pub fc_tid: le::U32,
}

/// `struct ext4_fc_add_range`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FcAddRange {
    pub fc_ino: le::U32,
    pub fc_ex: super::extent::Extent,
}

/// `struct ext4_fc_del_range`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FcDelRange {
    pub fc_ino: le::U32,
    pub fc_lblk: le::U32,
    pub fc_len: le::U32,
}

/// `struct ext4_fc_dentry_info` without the name that follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FcDentryInfo {
    pub fc_parent_ino: le::U32,
    pub fc_ino: le::U32,
}

/// `struct ext4_fc_inode` without the raw inode that follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FcInode {
    pub fc_ino: le::U32,
}

/// `struct ext4_fc_tail`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FcTail {
    pub fc_tid: le::U32,
    pub fc_crc: le::U32,
}
