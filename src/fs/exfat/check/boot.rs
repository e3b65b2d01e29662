//! The boot regions, the marks of the volume, and the beginning of the table.

use crate::bytes::Span;
use crate::finding::{Finding, Log, Place};
use crate::fs::exfat::disk::{MEDIA_FAILURE, REGION_SECTORS, VOLUME_DIRTY};
use crate::fs::exfat::open::region_is_sound;
use crate::fs::exfat::{Exfat, codes};
use crate::source::SourceGone;

/// Checks everything in front of the clusters.
pub fn check(exfat: &Exfat) -> Result<Log, SourceGone> {
    let mut log = Log::new();
    let sector = exfat.geometry.sector_size;
    let backup = REGION_SECTORS * sector;
    if exfat.geometry.serial.is_some() && region_is_sound(&exfat.source, backup, sector)? != Some(true) {
        let place = Place::volume().at(Span::new(backup, backup));
        log.add(Finding::new(codes::BOOT_BACKUP, place, "a backup whose checksum does not match", ""));
    }
    let flags = exfat.geometry.flags;
    for (bit, code) in [(VOLUME_DIRTY, codes::DIRTY), (MEDIA_FAILURE, codes::MEDIA_FAILURE)] {
        if flags & bit != 0 {
            log.add(Finding::new(code, Place::volume(), format!("volume flags {flags:#06x}"), ""));
        }
    }
    let first = [exfat.table.raw(0, 0)?, exfat.table.raw(0, 1)?];
    if first != [Some(0xffff_fff8), Some(u32::MAX)] {
        let place = Place::volume().at(Span::new(exfat.table.offset(0, 0), 8));
        log.add(Finding::new(codes::RESERVED_ENTRY, place, format!("{first:x?}"), "fffffff8, ffffffff"));
    }
    Ok(log)
}
