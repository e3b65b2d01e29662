//! FAT12, FAT16, FAT32. Boot sector as Microsoft's FAT specification gives it (fatgen103).

use super::{Role, Signature, label};
use crate::bytes::{le16, le32};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t vfat -o ro DEVICE /mnt", "fsck.fat -n DEVICE"];

/// True if the first 512 bytes hold a BIOS parameter block that makes sense.
pub(in crate::volume) fn is_boot_sector(sector: &[u8]) -> bool {
    let (Some(bytes), Some(reserved)) = (le16(sector, 11), le16(sector, 14)) else { return false };
    let [jump, .., per_cluster] = sector[..14] else { return false };
    let (fats, media) = (sector[16], sector[21]);
    (jump == 0xeb || jump == 0xe9)
        && matches!(bytes, 512 | 1024 | 2048 | 4096)
        && per_cluster.is_power_of_two()
        && reserved != 0
        && matches!(fats, 1 | 2)
        && (media >= 0xf8 || media == 0xf0)
        && sectors(sector) != 0
}

/// Sectors of the volume: the field of 16 bits, or that of 32.
fn sectors(boot: &[u8]) -> u32 {
    match le16(boot, 19).unwrap_or(0) {
        0 => le32(boot, 32).unwrap_or(0),
        sectors => u32::from(sectors),
    }
}

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let Some(boot) = read_whole(&**source, 0, 512)? else { return Ok(None) };
    if boot[510..] != [0x55, 0xaa] || !is_boot_sector(&boot) {
        return Ok(None);
    }
    let mut found = Signature::new("vfat", Role::FileSystem, ADVICE);
    found.size = Some(u64::from(sectors(&boot)) * u64::from(le16(&boot, 11).unwrap_or(0)));
    // FAT32 has no sectors in the 16-bit field of the FAT's size, and its extended fields stand later.
    let extended = if le16(&boot, 22) == Some(0) { 64 } else { 36 };
    if boot[extended + 2] == 0x29 {
        found.uuid = le32(&boot, extended + 3).map(|id| format!("{:04X}-{:04X}", id >> 16, id & 0xffff));
        found.label = label(&boot[extended + 7..extended + 18]).filter(|label| label != b"NO NAME");
    }
    Ok(Some(found))
}
