//! Quota files of format 2, as the filesystem itself keeps them.

/// `dqh_magic` of the files for users, groups and projects.
pub const MAGIC: [u32; 3] = [0xD9C0_1F11, 0xD9C0_1927, 0xD9C0_3F14];

/// `dqh_version` of entries with 64 bits; 0 of those with 32.
pub const VERSION: u32 = 1;
