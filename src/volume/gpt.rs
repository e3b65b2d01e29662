//! The GUID partition table: primary, backup, and what can be had when both are damaged.
//!
//! Field names and rules are those of the UEFI specification 2.10, section 5.3.

use std::ops::Range;

use crc::{CRC_32_ISO_HDLC, Crc};
use uuid::Uuid;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::mbr::Mbr;
use super::{Partition, PartitionType, Scheme, Table, codes, types};
use crate::bytes::{Span, Spans};
use crate::finding::{Finding, Log, Place};
use crate::progress::{Progress, Unit};
use crate::source::{Source, SourceGone, read_whole};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

const SIGNATURE: &[u8; 8] = b"EFI PART";

/// Sector sizes that disks with a GPT have, most usual first.
const SECTOR_SIZES: [u32; 4] = [512, 4096, 2048, 1024];

/// Entries of a table as every tool makes it, each of [`ENTRY_SIZE`] bytes.
const USUAL_ENTRIES: u32 = 128;

/// The least size of an entry, and the usual one.
const ENTRY_SIZE: u32 = 128;

/// The most bytes of entries that are read: 64 times what any tool makes.
const MAX_ENTRY_BYTES: u64 = 1 << 20;

/// Bytes read at once when searching the whole disk.
const CHUNK: usize = 4 << 20;

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawHeader {
    signature: [u8; 8],
    revision: U32,
    header_size: U32,
    header_crc32: U32,
    reserved: U32,
    my_lba: U64,
    alternate_lba: U64,
    first_usable_lba: U64,
    last_usable_lba: U64,
    disk_guid: [u8; 16],
    partition_entry_lba: U64,
    number_of_partition_entries: U32,
    size_of_partition_entry: U32,
    partition_entry_array_crc32: U32,
}

const _: () = assert!(size_of::<RawHeader>() == 92 && std::mem::offset_of!(RawHeader, disk_guid) == 56);

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawEntry {
    partition_type_guid: [u8; 16],
    unique_partition_guid: [u8; 16],
    starting_lba: U64,
    ending_lba: U64,
    attributes: U64,
    partition_name: [U16; 36],
}

const _: () = assert!(size_of::<RawEntry>() == 128 && std::mem::offset_of!(RawEntry, partition_name) == 56);

/// A header, decoded, with what its checksum says.
struct Header {
    sector_size: u32,
    /// Byte offset where it was found.
    at: u64,
    my_lba: u64,
    alternate_lba: u64,
    disk_guid: Uuid,
    entries_at: u64,
    entries: u32,
    entry_size: u32,
    entries_crc: u32,
    intact: bool,
}

/// One entry in use.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    number: u32,
    kind: Uuid,
    id: Uuid,
    first: u64,
    last: u64,
    attributes: u64,
    name: String,
}

/// A header and its entries.
struct Copy {
    header: Header,
    entries: Vec<Entry>,
    /// Header and entries both match their checksums.
    intact: bool,
}

impl Header {
    /// The header at a byte offset; `None` where none is.
    fn read(source: &Source, at: u64, sector_size: u32) -> Result<Option<Self>, SourceGone> {
        let Some(mut sector) = read_whole(&**source, at, sector_size as usize)? else { return Ok(None) };
        let Ok((raw, _)) = RawHeader::read_from_prefix(&sector) else { return Ok(None) };
        if raw.signature != *SIGNATURE {
            return Ok(None);
        }
        sector[16..20].fill(0);
        let covered = sector.get(..raw.header_size.get() as usize).filter(|covered| covered.len() >= 92);
        Ok(Some(Header {
            sector_size,
            at,
            my_lba: raw.my_lba.get(),
            alternate_lba: raw.alternate_lba.get(),
            disk_guid: Uuid::from_bytes_le(raw.disk_guid),
            entries_at: raw.partition_entry_lba.get().saturating_mul(u64::from(sector_size)),
            entries: raw.number_of_partition_entries.get(),
            entry_size: raw.size_of_partition_entry.get(),
            entries_crc: raw.partition_entry_array_crc32.get(),
            intact: covered.is_some_and(|bytes| CRC.checksum(bytes) == raw.header_crc32.get())
                && raw.my_lba.get().checked_mul(u64::from(sector_size)) == Some(at),
        }))
    }

    /// The header and its entries, as far as they can be read.
    fn with_entries(self, source: &Source) -> Result<Copy, SourceGone> {
        let size = if self.entry_size < ENTRY_SIZE { ENTRY_SIZE } else { self.entry_size };
        let len = (u64::from(self.entries) * u64::from(size)).min(MAX_ENTRY_BYTES);
        let (mut bytes, mut lost) = (vec![0; len as usize], Spans::new());
        source.read(self.entries_at, &mut bytes, &mut lost)?;
        let intact = self.intact && lost.is_empty() && CRC.checksum(&bytes) == self.entries_crc;
        Ok(Copy { entries: entries(&bytes, size), intact, header: self })
    }
}

/// The entries in use of an array.
fn entries(bytes: &[u8], size: u32) -> Vec<Entry> {
    let decode = |(number, bytes): (u32, &[u8])| {
        let (raw, _) = RawEntry::read_from_prefix(bytes).ok()?;
        let name: Vec<u16> = raw.partition_name.iter().map(|unit| unit.get()).take_while(|unit| *unit != 0).collect();
        let kind = Uuid::from_bytes_le(raw.partition_type_guid);
        (!kind.is_nil()).then(|| Entry {
            number,
            kind,
            id: Uuid::from_bytes_le(raw.unique_partition_guid),
            first: raw.starting_lba.get(),
            last: raw.ending_lba.get(),
            attributes: raw.attributes.get(),
            name: String::from_utf16_lossy(&name),
        })
    };
    (1..).zip(bytes.chunks_exact(size as usize)).filter_map(decode).collect()
}

impl Entry {
    /// Its bytes; `None` where it ends before it begins or lies where no disk reaches.
    fn span(&self, sector_size: u32) -> Option<Span> {
        let sector = u64::from(sector_size);
        let start = self.first.checked_mul(sector)?;
        let end = self.last.checked_add(1)?.checked_mul(sector)?;
        (self.first > 0 && start < end && end <= i64::MAX as u64).then_some(Span { start, end })
    }
}

/// Reads the GPT at the usual places. `protects`: the MBR says that there is one.
pub(super) fn read(
    source: &Source,
    sector_size: Option<u32>,
    mbr: &Mbr,
    protects: bool,
    log: &mut Log,
) -> Result<Option<Table>, SourceGone> {
    let mut sizes = SECTOR_SIZES.to_vec();
    sizes.sort_by_key(|size| Some(*size) != sector_size); // that of the device first, the others as they stand
    let mut table = None;
    let mut copies = Vec::new();
    for &size in &sizes {
        copies.extend(copies_at(source, size, mbr)?);
    }
    if let Some(best) = best(&copies) {
        table = Some(judge(&copies, best, source.len(), log));
    } else if let Some((entries, size, at)) = stray_entries(source, &sizes)? {
        let place = Place::volume().at(Span::new(at, u64::from(USUAL_ENTRIES * ENTRY_SIZE)));
        log.add(Finding::new(codes::GPT_HEADERS, place, format!("{} entries at byte {at}", entries.len()), ""));
        let decision = format!("partition entries were taken from byte {at}: both headers are gone");
        table = Some(into_table(&entries, None, size, vec![decision], log));
    }
    if table.is_some() && !protects {
        log.add(Finding::new(codes::GPT_UNPROTECTED, Place::volume().at(Span::new(0, 512)), "no protective entry", ""));
    }
    if table.is_some() && protects && mbr.has_others() {
        log.add(Finding::new(codes::GPT_HYBRID, Place::volume().at(Span::new(0, 512)), "more than one entry", ""));
    }
    Ok(table)
}

/// The copies of the table that stand at usual places, the primary first.
fn copies_at(source: &Source, sector_size: u32, mbr: &Mbr) -> Result<Vec<Copy>, SourceGone> {
    let sector = u64::from(sector_size);
    let primary = Header::read(source, sector, sector_size)?;
    let told = primary.as_ref().filter(|header| header.intact).map(|header| header.alternate_lba);
    let last = (source.len() / sector).checked_sub(1);
    let mut places: Vec<u64> =
        [told, last, mbr.protected_end()].into_iter().flatten().filter_map(|lba| lba.checked_mul(sector)).collect();
    places.retain(|&at| at > sector);
    let mut seen = Vec::new();
    let mut copies = Vec::new();
    copies.extend(primary.map(|header| header.with_entries(source)).transpose()?);
    for at in places {
        if !seen.contains(&at) {
            seen.push(at);
            copies.extend(Header::read(source, at, sector_size)?.map(|h| h.with_entries(source)).transpose()?);
        }
    }
    Ok(copies)
}

/// The copy to use: an intact one, else the one with the most entries that make sense together.
fn best(copies: &[Copy]) -> Option<usize> {
    if let Some(intact) = copies.iter().position(|copy| copy.intact) {
        return Some(intact);
    }
    let worth = |copy: &Copy| {
        let sensible = copy.entries.iter().filter(|e| e.span(copy.header.sector_size).is_some()).count();
        (are_plausible(&copy.entries, copy.header.sector_size), sensible)
    };
    let best = (0..copies.len()).rev().max_by_key(|&i| worth(&copies[i]))?;
    (worth(&copies[best]).1 > 0).then_some(best)
}

/// Makes a table of the copy chosen, and notes what is wrong with the others.
fn judge(copies: &[Copy], best: usize, disk: u64, log: &mut Log) -> Table {
    let Copy { header, entries, intact } = &copies[best];
    let sector = u64::from(header.sector_size);
    let place = |at: u64| Place::volume().at(Span::new(at, sector));
    let mut decisions = Vec::new();
    let others = || copies.iter().enumerate().filter(|(i, c)| *i != best && c.header.sector_size == header.sector_size);
    if !intact {
        let found = format!("header and entries at byte {}", header.at);
        log.add(Finding::new(codes::GPT_DOUBTFUL, place(header.at), found, "matching checksums"));
        decisions.push(format!("no copy of the partition table is intact: the one at byte {} is used", header.at));
    } else if header.my_lba != 1 {
        let found = match others().find(|(_, copy)| copy.header.at == sector) {
            Some((_, copy)) if copy.header.intact => "entries do not match their checksum",
            Some(_) => "header does not match its checksum",
            None => "no header",
        };
        log.add(Finding::new(codes::GPT_PRIMARY, place(sector), found, "a header with matching checksums"));
        decisions.push(format!("the partition table was taken from the backup at byte {}", header.at));
    } else {
        judge_backup(header, entries, others().map(|(_, copy)| copy), disk, log);
    }
    let end_of_backup = header.my_lba.max(header.alternate_lba).saturating_add(1).saturating_mul(sector);
    if *intact && end_of_backup < disk / sector * sector {
        let found = format!("the disk has {disk} bytes");
        log.add(Finding::new(codes::GPT_GREW, place(header.at), found, end_of_backup.to_string()));
    }
    into_table(entries, Some(header.disk_guid), header.sector_size, decisions, log)
}

/// Notes what is wrong with the backup of an intact primary.
fn judge_backup<'c>(
    header: &Header,
    entries: &[Entry],
    others: impl Iterator<Item = &'c Copy>,
    disk: u64,
    log: &mut Log,
) {
    let sector = u64::from(header.sector_size);
    let at = header.alternate_lba.saturating_mul(sector);
    let place = Place::volume().at(Span::new(at, sector));
    if at.saturating_add(sector) > disk {
        let found = format!("the disk has {disk} bytes");
        log.add(Finding::new(codes::GPT_CUT, place, found, at.saturating_add(sector).to_string()));
        return;
    }
    match { others }.find(|copy| copy.header.at == at) {
        None => log.add(Finding::new(codes::GPT_BACKUP, place, "no header", "a header")),
        Some(copy) if !copy.intact => {
            log.add(Finding::new(codes::GPT_BACKUP, place, "checksums do not match", ""));
        }
        Some(copy) if copy.entries != entries => {
            let found = format!("{} partitions in the backup", copy.entries.len());
            log.add(Finding::new(codes::GPT_DIFFERS, place, found, format!("{} as in the primary", entries.len())));
        }
        Some(_) => {}
    }
}

fn into_table(entries: &[Entry], guid: Option<Uuid>, sector_size: u32, decisions: Vec<String>, log: &mut Log) -> Table {
    let mut partitions = Vec::new();
    for entry in entries {
        let Some(span) = entry.span(sector_size) else {
            let found = format!("partition {} from sector {} to {}", entry.number, entry.first, entry.last);
            log.add(Finding::new(codes::GPT_ENTRY, Place::volume().at_block(entry.first), found, ""));
            continue;
        };
        partitions.push(Partition {
            number: entry.number,
            span,
            kind: PartitionType { id: entry.kind.to_string(), name: types::gpt(entry.kind) },
            label: (!entry.name.is_empty()).then(|| entry.name.clone()),
            partuuid: entry.id.to_string(),
            bootable: entry.attributes & 4 != 0, // bit 2: legacy BIOS bootable
            attributes: entry.attributes,
        });
    }
    Table { scheme: Scheme::Gpt, id: guid.map(|guid| guid.to_string()), sector_size, partitions, decisions }
}

/// An array of entries at a usual place whose header is gone: entries, sector size and byte offset.
fn stray_entries(source: &Source, sizes: &[u32]) -> Result<Option<(Vec<Entry>, u32, u64)>, SourceGone> {
    let len = u64::from(USUAL_ENTRIES * ENTRY_SIZE);
    for &size in sizes {
        let sector = u64::from(size);
        let backup = (source.len() / sector * sector).checked_sub(len + sector);
        for at in [Some(2 * sector), backup].into_iter().flatten() {
            let (mut bytes, mut lost) = (vec![0; len as usize], Spans::new());
            source.read(at, &mut bytes, &mut lost)?;
            let entries = entries(&bytes, ENTRY_SIZE);
            if are_plausible(&entries, size) && entries.iter().any(|entry| types::gpt(entry.kind).is_some()) {
                return Ok(Some((entries, size, at)));
            }
        }
    }
    Ok(None)
}

/// True for entries that make sense together: at least one, each with an id and a span, none sharing bytes.
fn are_plausible(entries: &[Entry], sector_size: u32) -> bool {
    let spans: Option<Vec<Span>> =
        entries.iter().map(|entry| entry.span(sector_size).filter(|_| !entry.id.is_nil())).collect();
    let Some(mut spans) = spans.filter(|spans| !spans.is_empty()) else { return false };
    spans.sort();
    spans.windows(2).all(|pair| pair[0].end <= pair[1].start)
}

/// Reads the whole disk for an intact header.
pub(super) fn search(source: &Source, log: &mut Log, progress: &dyn Progress) -> Result<Option<Table>, SourceGone> {
    progress.stage("searching for a partition table", Some(source.len()), Unit::Bytes);
    let mut bytes = vec![0; CHUNK];
    for start in (0..source.len()).step_by(CHUNK) {
        if progress.interrupted() {
            break;
        }
        let chunk: Range<usize> = 0..(source.len() - start).min(CHUNK as u64) as usize;
        source.read(start, &mut bytes[chunk.clone()], &mut Spans::new())?;
        progress.advance(chunk.len() as u64);
        for (i, sector) in bytes[chunk].chunks(512).enumerate() {
            if sector.starts_with(SIGNATURE)
                && let Some(copy) = intact_at(source, start + i as u64 * 512)?
            {
                let copies = [copy];
                return Ok(Some(judge(&copies, 0, source.len(), log)));
            }
        }
    }
    Ok(None)
}

/// The intact copy whose header stands at a byte offset, whatever its sector size.
fn intact_at(source: &Source, at: u64) -> Result<Option<Copy>, SourceGone> {
    for size in SECTOR_SIZES {
        if let Some(header) = Header::read(source, at, size)?.filter(|header| header.intact) {
            return Ok(Some(header.with_entries(source)?).filter(|copy| copy.intact));
        }
    }
    Ok(None)
}
