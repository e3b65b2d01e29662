//! Where everything lies: a plain value, judged from a boot sector or inferred from what is left.
//!
//! Source: Microsoft, "exFAT file system specification", section 3.1.

use zerocopy::FromBytes;

use super::disk::BootSector;
use crate::fs::cluster::{Layout, Width};

/// Where everything lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Where the clusters lie.
    pub layout: Layout,
    /// Byte offsets of the table's copies, the active one first.
    pub tables: Vec<u64>,
    /// Number of the root directory's first cluster.
    pub root: u32,
    /// Bytes of a sector.
    pub sector_size: u64,
    /// Bytes of the whole volume.
    pub size: u64,
    /// The volume's serial number.
    pub serial: Option<u32>,
    /// `VolumeFlags`.
    pub flags: u16,
    /// `PercentInUse`, where it is known.
    pub percent: Option<u8>,
}

impl Geometry {
    /// What a boot sector describes; `None` where that can be no exFAT volume.
    pub fn from_boot_sector(bytes: &[u8]) -> Option<Self> {
        let (boot, _) = BootSector::read_from_prefix(bytes).ok()?;
        let (sector_shift, cluster_shift) = (boot.BytesPerSectorShift, boot.SectorsPerClusterShift);
        if &boot.FileSystemName != b"EXFAT   " || !(9..=12).contains(&sector_shift) || cluster_shift > 25 - sector_shift
        {
            return None;
        }
        let sector = 1u64 << sector_shift;
        let (fat, fat_len) = (u64::from(boot.FatOffset.get()), u64::from(boot.FatLength.get()));
        let fats = u64::from(boot.NumberOfFats);
        let heap = u64::from(boot.ClusterHeapOffset.get());
        if !(1..=2).contains(&fats) || fat == 0 || fat_len == 0 || heap < fat + fat_len * fats {
            return None;
        }
        let by_table = Width::Exfat.entries(fat_len * sector).saturating_sub(2);
        let size = boot.VolumeLength.get().checked_mul(sector)?;
        let by_size = size.checked_sub(heap * sector)? >> sector_shift >> cluster_shift;
        let count = u64::from(boot.ClusterCount.get()).min(by_table).min(by_size);
        let layout = Layout::new(heap * sector, sector << cluster_shift, u32::try_from(count).ok()?)?;
        if count == 0 {
            return None;
        }
        let mut tables: Vec<u64> = (0..fats).map(|i| (fat + i * fat_len) * sector).collect();
        let flags = boot.VolumeFlags.get();
        if flags & super::disk::ACTIVE_FAT != 0 && fats == 2 {
            tables.swap(0, 1);
        }
        Some(Geometry {
            layout,
            tables,
            root: boot.FirstClusterOfRootDirectory.get(),
            sector_size: sector,
            size,
            serial: Some(boot.VolumeSerialNumber.get()),
            flags,
            percent: (boot.PercentInUse <= 100).then_some(boot.PercentInUse),
        })
    }
}
