//! A partition table in terms of no format: [`Table`], [`Partition`].

use serde::Serialize;

use super::{codes, gpt, mbr};
use crate::bytes::Span;
use crate::finding::{Finding, Log, Place};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, read_whole};

/// How a disk is divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Master boot record, with logical partitions.
    Mbr,
    /// GUID partition table.
    Gpt,
}

/// A partition table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Table {
    /// Its format.
    pub scheme: Scheme,
    /// Disk GUID, or the MBR's signature as eight digits, as `blkid` prints PTUUID; `None` where it is lost.
    pub id: Option<String>,
    /// Bytes of a logical sector, in which the table counts.
    pub sector_size: u32,
    /// In ascending order of number.
    pub partitions: Vec<Partition>,
    /// What was decided about a damaged table, one sentence each. Empty for a healthy one.
    pub decisions: Vec<String>,
}

/// One partition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Partition {
    /// As the kernel numbers it: 1 to 4 for primary MBR partitions, from 5 for logical ones, the place in a GPT.
    pub number: u32,
    /// The bytes of the disk that the table gives it; may reach past the end of a truncated image.
    pub span: Span,
    /// What the table says it is for.
    pub kind: PartitionType,
    /// Name (GPT only).
    pub label: Option<String>,
    /// As `blkid` prints PARTUUID.
    pub partuuid: String,
    /// Marked to boot from (MBR active flag, GPT legacy boot flag).
    pub bootable: bool,
    /// GPT attribute bits as they stand; the first byte of an MBR entry.
    pub attributes: u64,
}

/// What a table says a partition is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PartitionType {
    /// GUID in lower case, or `0x83`.
    pub id: String,
    /// What that stands for, where it is known.
    pub name: Option<&'static str>,
}

/// The partition table of a disk; `None` where there is none. `sector_size` is that of the device where it is known; an
/// image of a disk with other sectors, written to this device, is read all the same.
///
/// # Errors
/// When the source is gone.
pub fn table(source: &Source, sector_size: Option<u32>, log: &mut Log) -> Result<Option<Table>, SourceGone> {
    let first = match read_whole(&**source, 0, mbr::SIZE)? {
        Some(first) => first,
        None => {
            let whole = Span::new(0, mbr::SIZE as u64);
            log.add(Finding::new(codes::TABLE_UNREADABLE, Place::volume().at(whole), "unreadable", ""));
            vec![0; mbr::SIZE]
        }
    };
    let mbr = mbr::Mbr::decode(&first);
    let divided = mbr.judge(source.len());
    if divided != mbr::Verdict::Partitions {
        let protects = divided == mbr::Verdict::Protective;
        if let Some(table) = gpt::read(source, sector_size, &mbr, protects, log)? {
            return Ok(Some(finish(table, source.len(), log)));
        }
    }
    if divided == mbr::Verdict::Nothing || divided == mbr::Verdict::Protective && !mbr.has_others() {
        return Ok(None);
    }
    let table = mbr::read(source, sector_size, &mbr, log)?;
    Ok(Some(finish(table, source.len(), log)))
}

/// Reads the whole disk for a GPT header that stands at no usual place: the disk grew or was cut, and the primary is
/// gone.
///
/// # Errors
/// When the source is gone.
pub fn search_table(source: &Source, log: &mut Log, progress: &dyn Progress) -> Result<Option<Table>, SourceGone> {
    Ok(gpt::search(source, log, progress)?.map(|table| finish(table, source.len(), log)))
}

/// Orders the partitions and notes those that can not be right.
fn finish(mut table: Table, disk: u64, log: &mut Log) -> Table {
    table.partitions.sort_by_key(|partition| partition.number);
    let mut by_place: Vec<&Partition> = table.partitions.iter().collect();
    by_place.sort_by_key(|partition| (partition.span, partition.number));
    let mut before: Option<&Partition> = None;
    for partition in by_place {
        let place = Place::volume().at(partition.span);
        if partition.span.end > disk {
            let found = format!("partition {} ends at byte {}", partition.number, partition.span.end);
            let missing = partition.span.end - partition.span.start.max(disk);
            let finding = Finding::new(codes::PAST_END, place.clone(), found, format!("at most {disk}"));
            log.add(finding.costing(0, missing));
        }
        if let Some(other) = before.filter(|other| other.span.intersection(partition.span).is_some()) {
            let found = format!("partitions {} ({}) and {}", other.number, other.span, partition.number);
            log.add(Finding::new(codes::OVERLAP, place, found, ""));
        }
        if before.is_none_or(|other| other.span.end < partition.span.end) {
            before = Some(partition);
        }
    }
    table
}
