//! NTFS. Boot sector and file records as the Linux-NTFS project documents them.

use super::{Role, Signature, label16};
use crate::bytes::{le16, le32, le64};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t ntfs3 -o ro DEVICE /mnt", "ntfsfix --no-action DEVICE"];

/// The record of the file `$Volume`.
const VOLUME_RECORD: u64 = 3;

/// The attribute `$VOLUME_NAME`.
const VOLUME_NAME: u32 = 0x60;

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let Some(boot) = read_whole(&**source, 0, 512)?.filter(|boot| boot[3..11] == *b"NTFS    ") else { return Ok(None) };
    let sector = u64::from(le16(&boot, 11).unwrap_or(0));
    if !sector.is_power_of_two() || !(256..=4096).contains(&sector) {
        return Ok(None);
    }
    let mut found = Signature::new("ntfs", Role::FileSystem, ADVICE);
    found.size = le64(&boot, 0x28).and_then(|sectors| sectors.checked_mul(sector));
    found.uuid = le64(&boot, 0x48).map(|serial| format!("{serial:016X}"));
    found.label = volume_name(source, &boot, sector)?;
    Ok(Some(found))
}

fn volume_name(source: &Source, boot: &[u8], sector: u64) -> Result<Option<Vec<u8>>, SourceGone> {
    // Above 128 the byte is a negative power of two.
    let scaled = |byte: u8, unit: u64| match byte {
        0..=128 => Some(u64::from(byte) * unit),
        _ => 1u64.checked_shl(u32::from(byte.wrapping_neg())),
    };
    let place = || {
        let cluster = match boot[13] {
            byte @ 0..=128 => u64::from(byte) * sector,
            byte => sector.checked_shl(u32::from(byte.wrapping_neg()))?,
        };
        let record = scaled(boot[0x40], cluster).filter(|record| (512..=65536).contains(record))?;
        let table = le64(boot, 0x30)?.checked_mul(cluster)?;
        Some((table.checked_add(VOLUME_RECORD * record)?, record))
    };
    let Some((at, size)) = place() else { return Ok(None) };
    Ok(read_whole(&**source, at, size as usize)?.and_then(|record| name_in(restored(record)?)))
}

/// A record with the two bytes at the end of each 512 put back from its update sequence.
fn restored(mut record: Vec<u8>) -> Option<Vec<u8>> {
    if !record.starts_with(b"FILE") {
        return None;
    }
    let (at, count) = (usize::from(le16(&record, 4)?), usize::from(le16(&record, 6)?));
    for i in 1..count {
        let saved = le16(&record, at + 2 * i)?.to_le_bytes();
        record.get_mut(i * 512 - 2..i * 512)?.copy_from_slice(&saved);
    }
    Some(record)
}

fn name_in(record: Vec<u8>) -> Option<Vec<u8>> {
    let mut at = usize::from(le16(&record, 0x14)?);
    while le32(&record, at)? != u32::MAX {
        let len = le32(&record, at + 4)? as usize;
        if le32(&record, at)? == VOLUME_NAME && record.get(at + 8) == Some(&0) {
            let (size, from) = (le32(&record, at + 16)? as usize, at + usize::from(le16(&record, at + 20)?));
            let name = record.get(from..from.checked_add(size)?)?;
            return label16(name.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])));
        }
        at = at.checked_add(len.max(8))?;
    }
    None
}
