//! Where everything lies: a plain value, judged from a boot sector or inferred from what is left.
//!
//! Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03, "FAT Type Determination".

use zerocopy::FromBytes;

use super::codes;
use super::disk::{BootSector, ENTRY, Extended16};
use crate::bytes::Span;
use crate::finding::{Finding, Place};
use crate::fs::cluster::{Layout, Width};

/// Fewer clusters than this: FAT12.
const FAT12_CLUSTERS: u64 = 4085;
/// Fewer clusters than this, but not FAT12: FAT16.
const FAT16_CLUSTERS: u64 = 65525;
/// The most that 28 bits can number.
const FAT32_CLUSTERS: u64 = 0x0fff_fff5;

/// Where the root directory lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    /// In front of the clusters (FAT12, FAT16).
    Fixed(Span),
    /// In a chain that begins at the cluster of this number (FAT32).
    Chain(u32),
}

/// Where everything lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Where the clusters lie.
    pub layout: Layout,
    /// The kind of table.
    pub width: Width,
    /// Byte offsets of the table's copies, the active one first.
    pub tables: Vec<u64>,
    /// Where the root directory lies.
    pub root: Root,
    /// Bytes of a sector.
    pub sector_size: u64,
    /// Bytes of the whole volume, as its boot sector counts them.
    pub size: u64,
    /// Byte offset of the FSInfo sector.
    pub fs_info: Option<u64>,
    /// Byte offset of the backup boot sector.
    pub backup: Option<u64>,
    /// Media byte.
    pub media: Option<u8>,
    /// The volume's serial number.
    pub serial: Option<u32>,
    /// The label that the boot sector holds.
    pub label: Option<[u8; 11]>,
    /// `BS_Reserved1`: bit 0 is set while the volume is mounted.
    pub state: u8,
}

/// A boot sector that describes a volume, with what is odd about it.
pub struct Judged {
    /// What it describes.
    pub geometry: Geometry,
    /// What is odd.
    pub findings: Vec<Finding>,
}

impl Geometry {
    /// What a boot sector describes; `None` where that can be no FAT volume. `at` is the byte offset it lies at.
    pub fn from_boot_sector(bytes: &[u8], at: u64) -> Option<Judged> {
        let (boot, _) = BootSector::read_from_prefix(bytes).ok()?;
        let sector = u64::from(boot.BPB_BytsPerSec.get());
        let per_cluster = u64::from(boot.BPB_SecPerClus);
        let tables = u64::from(boot.BPB_NumFATs);
        let reserved = u64::from(boot.BPB_RsvdSecCnt.get());
        if !(512..=4096).contains(&sector) || !sector.is_power_of_two() || !per_cluster.is_power_of_two() {
            return None;
        }
        if tables == 0 || reserved == 0 {
            return None;
        }
        let table_sectors = match boot.BPB_FATSz16.get() {
            0 => u64::from(boot.BPB_FATSz32.get()),
            small => u64::from(small),
        };
        let sectors = match boot.BPB_TotSec16.get() {
            0 => u64::from(boot.BPB_TotSec32.get()),
            small => u64::from(small),
        };
        let root_bytes = u64::from(boot.BPB_RootEntCnt.get()) * ENTRY as u64;
        let heap_sector = reserved + tables * table_sectors + root_bytes.div_ceil(sector);
        if table_sectors == 0 || sectors <= heap_sector {
            return None;
        }
        let mut findings = Vec::new();
        let place = || Place::volume().at(Span::new(at, 512));
        let by_size = (sectors - heap_sector) / per_cluster;
        // FAT32 has no 16-bit table size; mkfs.fat makes FAT32 volumes that are too small by the specification.
        let width = match boot.BPB_FATSz16.get() {
            0 => Width::ThirtyTwo,
            _ if by_size < FAT12_CLUSTERS => Width::Twelve,
            _ => Width::Sixteen,
        };
        let most = match width {
            Width::Twelve => FAT12_CLUSTERS - 1,
            Width::Sixteen => FAT16_CLUSTERS - 1,
            _ => FAT32_CLUSTERS,
        };
        let by_table = width.entries(table_sectors * sector).saturating_sub(2);
        let count = by_size.min(by_table).min(most);
        if by_size > by_table.min(most) {
            findings.push(Finding::new(
                codes::CLUSTER_COUNT,
                place(),
                format!("{by_size} clusters"),
                format!("at most {}, which the table has room for", by_table.min(most)),
            ));
        }
        let claims = claimed_width(bytes);
        if claims.is_some_and(|claimed| claimed != width) {
            findings.push(Finding::new(
                codes::TYPE_CLAIM,
                place(),
                String::from_utf8_lossy(type_text(bytes, claims)).trim_end().to_owned(),
                type_name(width),
            ));
        }
        let layout = Layout::new(heap_sector * sector, per_cluster * sector, u32::try_from(count).ok()?)?;
        if count == 0 {
            return None;
        }
        let fat32 = width == Width::ThirtyTwo;
        let root = if fat32 {
            Root::Chain(boot.BPB_RootClus.get())
        } else {
            Root::Fixed(Span::new((reserved + tables * table_sectors) * sector, root_bytes))
        };
        let mut offsets: Vec<u64> = (0..tables).map(|i| (reserved + i * table_sectors) * sector).collect();
        let flags = boot.BPB_ExtFlags.get();
        if fat32 && flags & 0x80 != 0 && u64::from(flags & 15) < tables {
            // Mirroring is off: one table is kept up to date. The others are stale, and only looked at for salvage.
            offsets.swap(0, usize::from(flags & 15));
        }
        let info = |number: u16| {
            (fat32 && number != 0 && number != 0xffff && u64::from(number) < reserved)
                .then_some(u64::from(number) * sector)
        };
        let (state, signed, serial, label) = if fat32 {
            (boot.BS_Reserved1, boot.BS_BootSig, boot.BS_VolID.get(), boot.BS_VolLab)
        } else {
            let (small, _) = Extended16::read_from_prefix(&bytes[36..]).ok()?;
            (small.BS_Reserved1, small.BS_BootSig, small.BS_VolID.get(), small.BS_VolLab)
        };
        let has_label = signed == 0x29;
        Some(Judged {
            geometry: Geometry {
                layout,
                width,
                tables: offsets,
                root,
                sector_size: sector,
                size: sectors * sector,
                fs_info: info(boot.BPB_FSInfo.get()),
                backup: info(boot.BPB_BkBootSec.get()),
                media: Some(boot.BPB_Media),
                serial: (has_label || signed == 0x28).then_some(serial),
                label: has_label.then_some(label),
                state,
            },
            findings,
        })
    }

    /// Bytes of one copy of the table, as far as entries need them.
    pub fn table_bytes(&self) -> u64 {
        self.width.bytes(u64::from(self.layout.count()) + 2)
    }

    /// True for FAT32.
    pub fn is_fat32(&self) -> bool {
        self.width == Width::ThirtyTwo
    }
}

/// What the type is called.
pub fn type_name(width: Width) -> &'static str {
    match width {
        Width::Twelve => "FAT12",
        Width::Sixteen => "FAT16",
        Width::ThirtyTwo | Width::Exfat => "FAT32",
    }
}

/// The type that the boot sector's text claims; it decides nothing.
fn claimed_width(bytes: &[u8]) -> Option<Width> {
    match (bytes.get(54..59)?, bytes.get(82..87)?) {
        (b"FAT12", _) => Some(Width::Twelve),
        (b"FAT16", _) => Some(Width::Sixteen),
        (_, b"FAT32") => Some(Width::ThirtyTwo),
        _ => None,
    }
}

fn type_text(bytes: &[u8], claimed: Option<Width>) -> &[u8] {
    let at = if claimed == Some(Width::ThirtyTwo) { 82 } else { 54 };
    bytes.get(at..at + 8).unwrap_or_default()
}
