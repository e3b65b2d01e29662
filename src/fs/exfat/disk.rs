//! exFAT structures as they lie on the disk, with the specification's field names.
//!
//! Source: Microsoft, "exFAT file system specification", sections 3.1 (boot sector), 6 and 7 (directory entries).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Bytes of a directory entry.
pub const ENTRY: usize = 32;
/// Sectors of a boot region; the backup follows the main one.
pub const REGION_SECTORS: u64 = 12;

/// `EntryType`: the entry is in use.
pub const IN_USE: u8 = 0x80;
/// `EntryType` of an allocation bitmap.
pub const BITMAP: u8 = 0x81;
/// `EntryType` of the up-case table.
pub const UPCASE: u8 = 0x82;
/// `EntryType` of the volume label.
pub const LABEL: u8 = 0x83;
/// `EntryType` of a file: the first of a set.
pub const FILE: u8 = 0x85;
/// `EntryType` of a file's stream: the second of a set.
pub const STREAM: u8 = 0xc0;
/// `EntryType` of 15 characters of a name.
pub const NAME: u8 = 0xc1;

/// `FileAttributes`: must not be written.
pub const ATTR_READ_ONLY: u16 = 0x01;
/// `FileAttributes`: a directory.
pub const ATTR_DIRECTORY: u16 = 0x10;

/// `GeneralSecondaryFlags`: the entry has clusters.
pub const ALLOCATION_POSSIBLE: u8 = 1;
/// `GeneralSecondaryFlags`: the clusters lie behind each other, and the table is not used.
pub const NO_FAT_CHAIN: u8 = 2;

/// `VolumeFlags`: the second table and bitmap are the active ones.
pub const ACTIVE_FAT: u16 = 1;
/// `VolumeFlags`: writing was under way.
pub const VOLUME_DIRTY: u16 = 2;
/// `VolumeFlags`: the disk failed.
pub const MEDIA_FAILURE: u16 = 4;

/// The first 512 bytes of a volume.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned, Debug)]
#[repr(C)]
#[allow(non_snake_case, missing_docs)]
pub struct BootSector {
    pub JumpBoot: [u8; 3],
    /// "EXFAT   ".
    pub FileSystemName: [u8; 8],
    /// Zeros, where FAT has its parameters.
    pub MustBeZero: [u8; 53],
    pub PartitionOffset: U64,
    /// Sectors.
    pub VolumeLength: U64,
    /// Sectors; at least 24.
    pub FatOffset: U32,
    /// Sectors.
    pub FatLength: U32,
    /// Sectors.
    pub ClusterHeapOffset: U32,
    pub ClusterCount: U32,
    pub FirstClusterOfRootDirectory: U32,
    pub VolumeSerialNumber: U32,
    pub FileSystemRevision: U16,
    pub VolumeFlags: U16,
    /// 9 to 12.
    pub BytesPerSectorShift: u8,
    /// 0 to 25 less the one above.
    pub SectorsPerClusterShift: u8,
    /// 1, or 2 (TexFAT).
    pub NumberOfFats: u8,
    pub DriveSelect: u8,
    /// 0 to 100, or 255: unknown.
    pub PercentInUse: u8,
    pub Reserved: [u8; 7],
    pub BootCode: [u8; 390],
    /// 0xaa55.
    pub BootSignature: U16,
}

const _: () = assert!(size_of::<BootSector>() == 512);
const _: () = assert!(std::mem::offset_of!(BootSector, FirstClusterOfRootDirectory) == 96);
const _: () = assert!(std::mem::offset_of!(BootSector, PercentInUse) == 112);

/// The first entry of a file's set.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned, Debug)]
#[repr(C)]
#[allow(non_snake_case, missing_docs)]
pub struct FileEntry {
    pub EntryType: u8,
    /// 2 to 18.
    pub SecondaryCount: u8,
    pub SetChecksum: U16,
    pub FileAttributes: U16,
    pub Reserved1: U16,
    pub CreateTimestamp: U32,
    pub LastModifiedTimestamp: U32,
    pub LastAccessedTimestamp: U32,
    /// 0 to 199 hundredths of a second.
    pub Create10msIncrement: u8,
    /// 0 to 199 hundredths of a second.
    pub LastModified10msIncrement: u8,
    /// Bit 7: valid; else signed quarters of an hour.
    pub CreateUtcOffset: u8,
    pub LastModifiedUtcOffset: u8,
    pub LastAccessedUtcOffset: u8,
    pub Reserved2: [u8; 7],
}

const _: () = assert!(size_of::<FileEntry>() == ENTRY);
const _: () = assert!(std::mem::offset_of!(FileEntry, LastAccessedUtcOffset) == 24);

/// The second entry of a file's set. Bitmap and up-case table have their clusters at the same places.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned, Debug)]
#[repr(C)]
#[allow(non_snake_case, missing_docs)]
pub struct StreamEntry {
    pub EntryType: u8,
    pub GeneralSecondaryFlags: u8,
    pub Reserved1: u8,
    /// UTF-16 units, 1 to 255.
    pub NameLength: u8,
    pub NameHash: U16,
    pub Reserved2: U16,
    /// Bytes; what lies behind reads as zero.
    pub ValidDataLength: U64,
    pub Reserved3: U32,
    pub FirstCluster: U32,
    /// Bytes.
    pub DataLength: U64,
}

const _: () = assert!(size_of::<StreamEntry>() == ENTRY);
const _: () = assert!(std::mem::offset_of!(StreamEntry, FirstCluster) == 20);

/// 32 bytes of a directory.
pub type Slot = [u8; ENTRY];

/// An entry as the first of a file's set.
pub fn file_entry(slot: Slot) -> FileEntry {
    zerocopy::transmute!(slot)
}

/// An entry as a file's stream.
pub fn stream_entry(slot: Slot) -> StreamEntry {
    zerocopy::transmute!(slot)
}

/// The checksum of a set of entries, over all but its own two bytes.
pub fn set_checksum(set: &[Slot]) -> u16 {
    set.iter()
        .flatten()
        .enumerate()
        .filter(|(i, _)| !(2..4).contains(i))
        .fold(0u16, |sum, (_, &b)| sum.rotate_right(1).wrapping_add(b.into()))
}

/// The checksum over bytes: of the up-case table, and, without the three bytes that change, of a boot region.
pub fn table_checksum(sum: u32, bytes: &[u8], skip: &[usize]) -> u32 {
    bytes
        .iter()
        .enumerate()
        .filter(|(i, _)| !skip.contains(i))
        .fold(sum, |sum, (_, &b)| sum.rotate_right(1).wrapping_add(b.into()))
}

/// Places of the boot sector that its region's checksum leaves out: `VolumeFlags` and `PercentInUse`.
pub const NOT_SUMMED: [usize; 3] = [106, 107, 112];
