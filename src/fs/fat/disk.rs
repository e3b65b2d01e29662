//! FAT structures as they lie on the disk, with the specification's field names.
//!
//! Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03, "Boot Sector and BPB", "FAT32 FSInfo Sector
//! Structure and Backup Boot Sector", "FAT Directory Structure", "FAT Long Directory Entries".

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Bytes of a directory entry.
pub const ENTRY: usize = 32;

/// Attribute: must not be written.
pub const ATTR_READ_ONLY: u8 = 0x01;
/// Attribute: not shown in listings.
pub const ATTR_HIDDEN: u8 = 0x02;
/// Attribute: belongs to the operating system.
pub const ATTR_SYSTEM: u8 = 0x04;
/// Attribute: the volume's label, no file.
pub const ATTR_VOLUME_ID: u8 = 0x08;
/// Attribute: a directory.
pub const ATTR_DIRECTORY: u8 = 0x10;
/// Attribute: changed since the last backup.
pub const ATTR_ARCHIVE: u8 = 0x20;
/// Attributes of an entry that holds a part of a long name.
pub const ATTR_LONG_NAME: u8 = 0x0f;
/// The attributes that are defined.
pub const ATTR_MASK: u8 = 0x3f;

/// `DIR_NTRes`: the name is to be shown in lower case.
pub const NT_LOWER_NAME: u8 = 0x08;
/// `DIR_NTRes`: the extension is to be shown in lower case.
pub const NT_LOWER_EXT: u8 = 0x10;

/// First byte of a deleted entry.
pub const DELETED: u8 = 0xe5;
/// First byte of an entry whose name begins with the byte 0xe5.
pub const KANJI_E5: u8 = 0x05;
/// `LDIR_Ord`: the last part of a long name, which comes first.
pub const LAST_LONG_ENTRY: u8 = 0x40;

/// The first 512 bytes of a volume. The fields from `BPB_FATSz32` on are FAT32's; FAT12 and FAT16 have others there.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned, Debug)]
#[repr(C)]
#[allow(non_snake_case, missing_docs)]
pub struct BootSector {
    pub BS_jmpBoot: [u8; 3],
    pub BS_OEMName: [u8; 8],
    /// 512, 1024, 2048 or 4096.
    pub BPB_BytsPerSec: U16,
    /// A power of two, 128 at most.
    pub BPB_SecPerClus: u8,
    /// Not zero.
    pub BPB_RsvdSecCnt: U16,
    /// 2, or 1.
    pub BPB_NumFATs: u8,
    /// 0 on FAT32.
    pub BPB_RootEntCnt: U16,
    pub BPB_TotSec16: U16,
    /// 0xf0, or 0xf8 to 0xff; also the low byte of the table's first entry.
    pub BPB_Media: u8,
    /// 0 on FAT32.
    pub BPB_FATSz16: U16,
    pub BPB_SecPerTrk: U16,
    pub BPB_NumHeads: U16,
    pub BPB_HiddSec: U32,
    pub BPB_TotSec32: U32,
    pub BPB_FATSz32: U32,
    /// Bits 0 to 3: the active table, if bit 7 is set.
    pub BPB_ExtFlags: U16,
    pub BPB_FSVer: U16,
    pub BPB_RootClus: U32,
    pub BPB_FSInfo: U16,
    pub BPB_BkBootSec: U16,
    pub BPB_Reserved: [u8; 12],
    pub BS_DrvNum: u8,
    /// Windows NT and Linux: bit 0 is set while the volume is mounted.
    pub BS_Reserved1: u8,
    pub BS_BootSig: u8,
    pub BS_VolID: U32,
    pub BS_VolLab: [u8; 11],
    pub BS_FilSysType: [u8; 8],
    pub boot_code: [u8; 420],
    /// 0xaa55.
    pub signature: U16,
}

const _: () = assert!(size_of::<BootSector>() == 512);
const _: () = assert!(std::mem::offset_of!(BootSector, BPB_RootClus) == 44);
const _: () = assert!(std::mem::offset_of!(BootSector, BS_VolLab) == 71);

/// The fields that FAT12 and FAT16 have at offset 36.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned, Debug)]
#[repr(C)]
#[allow(non_snake_case, missing_docs)]
pub struct Extended16 {
    pub BS_DrvNum: u8,
    /// Windows NT and Linux: bit 0 is set while the volume is mounted.
    pub BS_Reserved1: u8,
    /// 0x29: the three fields behind it are there.
    pub BS_BootSig: u8,
    pub BS_VolID: U32,
    pub BS_VolLab: [u8; 11],
    pub BS_FilSysType: [u8; 8],
}

const _: () = assert!(size_of::<Extended16>() == 26);

/// Hints for the allocation of clusters on FAT32.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned, Debug)]
#[repr(C)]
#[allow(non_snake_case, missing_docs)]
pub struct FsInfo {
    /// 0x41615252.
    pub FSI_LeadSig: U32,
    pub FSI_Reserved1: [u8; 480],
    /// 0x61417272.
    pub FSI_StrucSig: U32,
    /// 0xffffffff: unknown.
    pub FSI_Free_Count: U32,
    /// 0xffffffff: unknown.
    pub FSI_Nxt_Free: U32,
    pub FSI_Reserved2: [u8; 12],
    /// 0xaa550000.
    pub FSI_TrailSig: U32,
}

const _: () = assert!(size_of::<FsInfo>() == 512);
const _: () = assert!(std::mem::offset_of!(FsInfo, FSI_Free_Count) == 488);

/// A directory entry with its short name.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, Immutable, KnownLayout, Unaligned, Debug)]
#[repr(C)]
#[allow(non_snake_case, missing_docs)]
pub struct ShortEntry {
    pub DIR_Name: [u8; 11],
    pub DIR_Attr: u8,
    pub DIR_NTRes: u8,
    /// 0 to 199 hundredths of a second.
    pub DIR_CrtTimeTenth: u8,
    pub DIR_CrtTime: U16,
    pub DIR_CrtDate: U16,
    pub DIR_LstAccDate: U16,
    pub DIR_FstClusHI: U16,
    pub DIR_WrtTime: U16,
    pub DIR_WrtDate: U16,
    pub DIR_FstClusLO: U16,
    /// 0 for a directory.
    pub DIR_FileSize: U32,
}

const _: () = assert!(size_of::<ShortEntry>() == ENTRY);
const _: () = assert!(std::mem::offset_of!(ShortEntry, DIR_FstClusLO) == 26);

/// A directory entry with 13 characters of a long name.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned, Debug)]
#[repr(C)]
#[allow(non_snake_case, missing_docs)]
pub struct LongEntry {
    /// 1 to 20; 0x40 is added to the last.
    pub LDIR_Ord: u8,
    pub LDIR_Name1: [U16; 5],
    pub LDIR_Attr: u8,
    /// 0.
    pub LDIR_Type: u8,
    /// Of the short name.
    pub LDIR_Chksum: u8,
    pub LDIR_Name2: [U16; 6],
    /// 0.
    pub LDIR_FstClusLO: U16,
    pub LDIR_Name3: [U16; 2],
}

const _: () = assert!(size_of::<LongEntry>() == ENTRY);

impl ShortEntry {
    /// The entry in 32 bytes; shorter input is filled with zeros.
    pub fn decode(bytes: &[u8]) -> Self {
        let mut slot = [0; ENTRY];
        let len = bytes.len().min(ENTRY);
        slot[..len].copy_from_slice(&bytes[..len]);
        zerocopy::transmute!(slot)
    }

    /// Number of the first cluster; only FAT32 has the upper half.
    pub fn first_cluster(&self, has_upper_half: bool) -> u32 {
        let upper = if has_upper_half { u32::from(self.DIR_FstClusHI.get()) << 16 } else { 0 };
        upper | u32::from(self.DIR_FstClusLO.get())
    }

    /// True for a directory.
    pub fn is_directory(&self) -> bool {
        self.DIR_Attr & (ATTR_DIRECTORY | ATTR_VOLUME_ID) == ATTR_DIRECTORY
    }

    /// True for the volume's label.
    pub fn is_label(&self) -> bool {
        self.DIR_Attr & ATTR_VOLUME_ID != 0 && !self.is_long()
    }

    /// True for a part of a long name.
    pub fn is_long(&self) -> bool {
        self.DIR_Attr & ATTR_MASK == ATTR_LONG_NAME
    }

    /// True for a deleted entry.
    pub fn is_deleted(&self) -> bool {
        self.DIR_Name[0] == DELETED
    }

    /// True for the entry behind the last.
    pub fn is_end(&self) -> bool {
        self.DIR_Name[0] == 0
    }
}

impl LongEntry {
    /// The entry in 32 bytes.
    pub fn decode(slot: [u8; ENTRY]) -> Self {
        zerocopy::transmute!(slot)
    }

    /// Its 13 characters, in UTF-16.
    pub fn characters(&self) -> impl Iterator<Item = u16> + '_ {
        self.LDIR_Name1.iter().chain(&self.LDIR_Name2).chain(&self.LDIR_Name3).map(|unit| unit.get())
    }
}
