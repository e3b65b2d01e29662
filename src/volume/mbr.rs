//! The master boot record and the chain of logical partitions.
//!
//! Field names are those of the UEFI specification 2.10, section 5.2.1 (legacy master boot record). The chain of logical
//! partitions is read as Linux reads it: each extended boot record holds partitions relative to itself, and a link
//! to the next relative to the extended partition.

use std::collections::HashSet;

use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::signature::{self, fat};
use super::{Partition, PartitionType, Scheme, Table, codes, types};
use crate::bytes::Span;
use crate::finding::{Finding, Log, Place};
use crate::source::{Source, SourceGone, read_whole};

/// Bytes of a boot record, whatever the sector size.
pub(super) const SIZE: usize = 512;

/// Partition type of the entry that protects a GPT.
const PROTECTIVE: u8 = 0xee;

/// More logical partitions than any system numbers (Linux stops at 256 partitions a disk).
const MAX_LINKS: usize = 256;

/// Sector sizes that disks with an MBR have.
const SECTOR_SIZES: [u32; 2] = [512, 4096];

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawMbr {
    boot_code: [u8; 440],
    unique_mbr_disk_signature: U32,
    unknown: [u8; 2],
    partition_record: [RawRecord; 4],
    signature: [u8; 2],
}

#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawRecord {
    boot_indicator: u8,
    starting_chs: [u8; 3],
    os_type: u8,
    ending_chs: [u8; 3],
    starting_lba: U32,
    size_in_lba: U32,
}

const _: () = assert!(size_of::<RawMbr>() == SIZE && std::mem::offset_of!(RawMbr, partition_record) == 446);
const _: () = assert!(size_of::<RawRecord>() == 16 && std::mem::offset_of!(RawRecord, starting_lba) == 8);

/// A boot record, decoded: any 512 bytes are one.
pub(super) struct Mbr {
    /// Identifies the disk; 0 where none was written.
    disk_signature: u32,
    records: [Record; 4],
    /// It ends in 55 aa.
    signed: bool,
    /// It is also the boot sector of a FAT or NTFS filesystem.
    boot_sector: bool,
}

#[derive(Clone, Copy)]
struct Record {
    boot_indicator: u8,
    os_type: u8,
    start: u32,
    sectors: u32,
}

/// What a first sector is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It names partitions.
    Partitions,
    /// It protects a GPT, and may name partitions besides.
    Protective,
    /// No partition table: empty, boot code, or a filesystem's boot sector.
    Nothing,
}

impl Record {
    fn is_used(self) -> bool {
        self.os_type != 0 && self.sectors != 0
    }

    fn is_extended(self) -> bool {
        matches!(self.os_type, 0x05 | 0x0f | 0x85)
    }

    /// Its bytes, where `base` is the sector it counts from.
    fn span(self, base: u64, sector_size: u32) -> Span {
        let sector = u64::from(sector_size);
        Span::new((base + u64::from(self.start)) * sector, u64::from(self.sectors) * sector)
    }
}

impl Mbr {
    /// Decodes the first 512 bytes of `sector`; what is missing counts as zero.
    pub(super) fn decode(sector: &[u8]) -> Self {
        let mut bytes = [0; SIZE];
        let len = sector.len().min(SIZE);
        bytes[..len].copy_from_slice(&sector[..len]);
        let raw: RawMbr = zerocopy::transmute!(bytes);
        Mbr {
            disk_signature: raw.unique_mbr_disk_signature.get(),
            records: raw.partition_record.map(|record| Record {
                boot_indicator: record.boot_indicator,
                os_type: record.os_type,
                start: record.starting_lba.get(),
                sectors: record.size_in_lba.get(),
            }),
            signed: raw.signature == [0x55, 0xaa],
            boot_sector: fat::is_boot_sector(&bytes) || bytes[3..11] == *b"NTFS    " || bytes[3..11] == *b"EXFAT   ",
        }
    }

    /// What the sector is, on a disk of `len` bytes.
    pub(super) fn judge(&self, len: u64) -> Verdict {
        let used: Vec<Record> = self.records.into_iter().filter(|record| record.is_used()).collect();
        let flags_make_sense = self.records.iter().all(|record| record.boot_indicator & 0x7f == 0);
        if (self.signed || flags_make_sense) && used.iter().any(|record| record.os_type == PROTECTIVE) {
            return Verdict::Protective;
        }
        // An entry from sector 0 is the whole disk: mkfs.fat --mbr and hybrid ISO images write one.
        let inside = |record: &Record| record.start > 0 && u64::from(record.start) * 512 < len;
        if !flags_make_sense || !used.iter().any(inside) || used.iter().any(|record| record.start == 0) {
            return Verdict::Nothing;
        }
        let strict = !self.signed || self.boot_sector;
        let known = |record: &Record| types::mbr(record.os_type).is_some() && inside(record);
        if strict && !(used.iter().all(known) && are_apart(&used)) {
            return Verdict::Nothing;
        }
        Verdict::Partitions
    }

    /// True if it names partitions besides the one that protects a GPT.
    pub(super) fn has_others(&self) -> bool {
        self.records.iter().any(|record| record.is_used() && record.os_type != PROTECTIVE && record.start > 0)
    }

    /// The last sector that the protective entry covers: where the backup GPT stands on disks below 2^32 sectors.
    pub(super) fn protected_end(&self) -> Option<u64> {
        let record = self.records.iter().find(|record| record.is_used() && record.os_type == PROTECTIVE)?;
        (record.sectors != u32::MAX).then(|| u64::from(record.start) + u64::from(record.sectors) - 1)
    }
}

/// True if no two entries share a sector.
fn are_apart(records: &[Record]) -> bool {
    let mut spans: Vec<Span> = records.iter().map(|record| record.span(0, 512)).collect();
    spans.sort();
    spans.windows(2).all(|pair| pair[0].end <= pair[1].start)
}

/// Reads the partitions that a boot record names, logical ones among them.
pub(super) fn read(source: &Source, sector_size: Option<u32>, mbr: &Mbr, log: &mut Log) -> Result<Table, SourceGone> {
    let sector_size = guess_sector_size(source, sector_size.unwrap_or(SECTOR_SIZES[0]), mbr)?;
    if !mbr.signed {
        let place = Place::volume().at(Span::new(0, SIZE as u64));
        log.add(Finding::new(codes::MBR_SIGNATURE, place, "other bytes at 510", "55 aa"));
    }
    let mut table = Table {
        scheme: Scheme::Mbr,
        id: Some(format!("{:08x}", mbr.disk_signature)),
        sector_size,
        partitions: Vec::new(),
        decisions: Vec::new(),
    };
    let named = || mbr.records.iter().enumerate().filter(|(_, r)| r.is_used() && r.os_type != PROTECTIVE);
    for (i, record) in named().filter(|(_, r)| !r.is_extended()) {
        table.partitions.push(partition(mbr, i as u32 + 1, *record, 0, sector_size));
    }
    for (_, record) in named().filter(|(_, r)| r.is_extended()) {
        read_chain(source, mbr, *record, &mut table, log)?;
    }
    Ok(table)
}

fn partition(mbr: &Mbr, number: u32, record: Record, base: u64, sector_size: u32) -> Partition {
    Partition {
        number,
        span: record.span(base, sector_size),
        kind: PartitionType { id: format!("{:#04x}", record.os_type), name: types::mbr(record.os_type) },
        label: None,
        partuuid: format!("{:08x}-{number:02x}", mbr.disk_signature),
        bootable: record.boot_indicator == 0x80,
        attributes: u64::from(record.boot_indicator),
    }
}

/// Follows the chain of boot records in an extended partition.
fn read_chain(
    source: &Source,
    mbr: &Mbr,
    extended: Record,
    table: &mut Table,
    log: &mut Log,
) -> Result<(), SourceGone> {
    let (sector, base) = (u64::from(table.sector_size), u64::from(extended.start));
    let mut seen = HashSet::new();
    let mut at = base;
    loop {
        let place = Place::volume().at(Span::new(at * sector, SIZE as u64));
        if !seen.insert(at) || seen.len() > MAX_LINKS {
            let found = format!("a link to sector {at}");
            log.add(Finding::new(codes::MBR_LOOP, place, found, "a record not seen before"));
            table.decisions.push(format!("the chain of logical partitions was left where it returns to sector {at}"));
            return Ok(());
        }
        let link = read_whole(&**source, at * sector, SIZE)?.map(|bytes| Mbr::decode(&bytes));
        let Some(link) = link.filter(|link| link.signed) else {
            log.add(Finding::new(codes::MBR_CHAIN, place, "unreadable, or other bytes at 510", "55 aa"));
            table.decisions.push(format!("logical partitions from sector {at} on are not in the table any more"));
            return Ok(());
        };
        for record in link.records.into_iter().filter(|r| r.is_used() && !r.is_extended()) {
            let number = 5 + table.partitions.iter().filter(|p| p.number > 4).count() as u32;
            table.partitions.push(partition(mbr, number, record, at, table.sector_size));
        }
        let Some(next) = link.records.into_iter().find(|r| r.is_used() && r.is_extended()) else { return Ok(()) };
        at = base + u64::from(next.start);
    }
}

/// The sector size with which more of the entries lead to something; `likely` where that decides nothing.
fn guess_sector_size(source: &Source, likely: u32, mbr: &Mbr) -> Result<u32, SourceGone> {
    let mut best = (0, likely);
    for size in [likely].into_iter().chain(SECTOR_SIZES) {
        let mut hits = 0;
        for record in mbr.records.iter().filter(|record| record.is_used()) {
            hits += usize::from(signature::looks_like_volume(source, record.span(0, size).start)?);
        }
        if hits > best.0 {
            best = (hits, size);
        }
    }
    Ok(best.1)
}
