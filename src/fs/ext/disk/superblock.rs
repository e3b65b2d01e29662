//! The superblock: the ext4 documentation, `super.rst`.

use std::mem::offset_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Where the primary superblock lies on the volume, in bytes, whatever the block size.
pub const OFFSET: u64 = 1024;
/// Bytes of a superblock.
pub const SIZE: usize = 1024;
/// The only value of `s_magic`.
pub const MAGIC: u16 = 0xEF53;
/// The only value of `s_checksum_type`: crc32c.
pub const CHECKSUM_TYPE_CRC32C: u8 = 1;
/// Revision that has the fields from `s_first_ino` on.
pub const DYNAMIC_REV: u32 = 1;
/// Bytes of an inode in revision 0.
pub const GOOD_OLD_INODE_SIZE: u16 = 128;
/// First inode that is not reserved in revision 0.
pub const GOOD_OLD_FIRST_INO: u32 = 11;

/// Bits of `s_state`.
pub mod state {
    /// Cleanly unmounted.
    pub const VALID: u16 = 1;
    /// Errors were detected.
    pub const ERROR: u16 = 2;
    /// Orphans are being recovered.
    pub const ORPHANS: u16 = 4;
}

/// Bits of `s_flags`.
pub mod flags {
    /// Directory hashes take characters as signed.
    pub const SIGNED_HASH: u32 = 1;
    /// Directory hashes take characters as unsigned.
    pub const UNSIGNED_HASH: u32 = 2;
}

/// `struct ext4_super_block`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Superblock {
    pub s_inodes_count: U32,
    pub s_blocks_count_lo: U32,
    pub s_r_blocks_count_lo: U32,
    pub s_free_blocks_count_lo: U32,
    pub s_free_inodes_count: U32,
    /// At least 1 where blocks are 1 KiB and not clustered, mostly 0 otherwise.
    pub s_first_data_block: U32,
    /// Block size is `1024 << s_log_block_size`, at most 64 KiB.
    pub s_log_block_size: U32,
    /// Cluster size is `1024 << s_log_cluster_size`; equals `s_log_block_size` without bigalloc.
    pub s_log_cluster_size: U32,
    pub s_blocks_per_group: U32,
    pub s_clusters_per_group: U32,
    pub s_inodes_per_group: U32,
    pub s_mtime: U32,
    pub s_wtime: U32,
    pub s_mnt_count: U16,
    pub s_max_mnt_count: U16,
    pub s_magic: U16,
    pub s_state: U16,
    pub s_errors: U16,
    pub s_minor_rev_level: U16,
    pub s_lastcheck: U32,
    pub s_checkinterval: U32,
    pub s_creator_os: U32,
    pub s_rev_level: U32,
    pub s_def_resuid: U16,
    pub s_def_resgid: U16,
    pub s_first_ino: U32,
    pub s_inode_size: U16,
    /// The group that this copy lies in.
    pub s_block_group_nr: U16,
    pub s_feature_compat: U32,
    pub s_feature_incompat: U32,
    pub s_feature_ro_compat: U32,
    pub s_uuid: [u8; 16],
    pub s_volume_name: [u8; 16],
    pub s_last_mounted: [u8; 64],
    pub s_algorithm_usage_bitmap: U32,
    pub s_prealloc_blocks: u8,
    pub s_prealloc_dir_blocks: u8,
    pub s_reserved_gdt_blocks: U16,
    pub s_journal_uuid: [u8; 16],
    pub s_journal_inum: U32,
    pub s_journal_dev: U32,
    pub s_last_orphan: U32,
    pub s_hash_seed: [U32; 4],
    pub s_def_hash_version: u8,
    /// 0 or 1: `s_jnl_blocks` is a copy of the journal inode's `i_block` and size.
    pub s_jnl_backup_type: u8,
    pub s_desc_size: U16,
    pub s_default_mount_opts: U32,
    pub s_first_meta_bg: U32,
    pub s_mkfs_time: U32,
    /// `i_block[15]`, then the upper and the lower half of the size.
    pub s_jnl_blocks: [U32; 17],
    pub s_blocks_count_hi: U32,
    pub s_r_blocks_count_hi: U32,
    pub s_free_blocks_count_hi: U32,
    pub s_min_extra_isize: U16,
    pub s_want_extra_isize: U16,
    pub s_flags: U32,
    pub s_raid_stride: U16,
    pub s_mmp_interval: U16,
    pub s_mmp_block: U64,
    pub s_raid_stripe_width: U32,
    pub s_log_groups_per_flex: u8,
    pub s_checksum_type: u8,
    pub s_reserved_pad: U16,
    pub s_kbytes_written: U64,
    pub s_snapshot_inum: U32,
    pub s_snapshot_id: U32,
    pub s_snapshot_r_blocks_count: U64,
    pub s_snapshot_list: U32,
    pub s_error_count: U32,
    pub s_first_error_time: U32,
    pub s_first_error_ino: U32,
    pub s_first_error_block: U64,
    pub s_first_error_func: [u8; 32],
    pub s_first_error_line: U32,
    pub s_last_error_time: U32,
    pub s_last_error_ino: U32,
    pub s_last_error_line: U32,
    pub s_last_error_block: U64,
    pub s_last_error_func: [u8; 32],
    pub s_mount_opts: [u8; 64],
    pub s_usr_quota_inum: U32,
    pub s_grp_quota_inum: U32,
    pub s_overhead_blocks: U32,
    pub s_backup_bgs: [U32; 2],
    pub s_encrypt_algos: [u8; 4],
    pub s_encrypt_pw_salt: [u8; 16],
    pub s_lpf_ino: U32,
    pub s_prj_quota_inum: U32,
    pub s_checksum_seed: U32,
    pub s_wtime_hi: u8,
    pub s_mtime_hi: u8,
    pub s_mkfs_time_hi: u8,
    pub s_lastcheck_hi: u8,
    pub s_first_error_time_hi: u8,
    pub s_last_error_time_hi: u8,
    pub s_first_error_errcode: u8,
    pub s_last_error_errcode: u8,
    pub s_encoding: U16,
    pub s_encoding_flags: U16,
    pub s_orphan_file_inum: U32,
    pub s_reserved: [U32; 94],
    pub s_checksum: U32,
}

const _: () = assert!(size_of::<Superblock>() == SIZE);
const _: () = assert!(offset_of!(Superblock, s_jnl_blocks) == 0x10C);
const _: () = assert!(offset_of!(Superblock, s_checksum_seed) == 0x270);
const _: () = assert!(offset_of!(Superblock, s_checksum) == 0x3FC);

/// Joins the halves of a 64-bit number.
pub fn join(hi: U32, lo: U32) -> u64 {
    u64::from(hi.get()) << 32 | u64::from(lo.get())
}
