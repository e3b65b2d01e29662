//! A partition table in terms of no format: [`Table`], [`Partition`].

use serde::Serialize;

use crate::bytes::Span;
use crate::finding::Log;
use crate::source::{Source, SourceGone};

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
    /// Disk GUID, or the MBR's signature as eight digits; as `blkid` prints PTUUID.
    pub id: String,
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
    /// GPT attribute bits as they stand; the MBR's first byte.
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

/// The partition table of a disk; `None` where there is none.
///
/// # Errors
/// When the source is gone.
pub fn table(_source: &Source, _log: &mut Log) -> Result<Option<Table>, SourceGone> {
    Ok(None)
}
