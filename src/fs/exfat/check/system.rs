//! The two files of the system: the allocation bitmap and the up-case table. Leaves the latter, decoded.

use crate::bytes::{Spans, le32};
use crate::finding::{Finding, Log, Place};
use crate::fs::exfat::disk::{stream_entry, table_checksum};
use crate::fs::exfat::upcase::Upcase;
use crate::fs::exfat::{Exfat, codes};
use crate::source::SourceGone;

/// Largest up-case table: two bytes for each UTF-16 unit.
const LARGEST_UPCASE: u64 = 128 << 10;

/// Checks the bitmap's place and size, and the up-case table.
pub fn check(exfat: &Exfat) -> Result<(Log, Option<Upcase>), SourceGone> {
    let mut log = Log::new();
    let facts = exfat.root_facts()?;
    let wanted = u64::from(exfat.layout().count()).div_ceil(8);
    match facts.bitmap {
        None => log.add(Finding::new(codes::BITMAP_MISSING, Place::volume(), "no entry for a bitmap", "")),
        Some(entry) if exfat.layout().cluster(entry.FirstCluster.get()).is_none() => {
            let found = format!("first cluster {}", entry.FirstCluster.get());
            log.add(Finding::new(codes::BITMAP_MISSING, Place::volume(), found, "a cluster of the volume"));
        }
        Some(entry) if entry.DataLength.get() != wanted => {
            let found = format!("{} bytes", entry.DataLength.get());
            log.add(Finding::new(codes::BITMAP_SIZE, Place::volume(), found, format!("{wanted} bytes")));
        }
        Some(_) => {}
    }
    if let Some(label) = facts.label.filter(|label| label[1] > 11) {
        log.add(Finding::new(codes::LABEL, Place::volume(), format!("{} characters", label[1]), "at most 11"));
    }
    let Some(slot) = facts.upcase else {
        log.add(Finding::new(codes::UPCASE_MISSING, Place::volume(), "no entry for an up-case table", ""));
        return Ok((log, None));
    };
    let entry = stream_entry(slot);
    let size = entry.DataLength.get().min(LARGEST_UPCASE);
    let Some(runs) = exfat.system_runs(&entry)?.filter(|_| size > 0) else {
        let found = format!("first cluster {}", entry.FirstCluster.get());
        log.add(Finding::new(codes::UPCASE_MISSING, Place::volume(), found, "a cluster of the volume"));
        return Ok((log, None));
    };
    let mut bytes = Vec::new();
    for cluster in runs.clusters() {
        let left = (size as usize).saturating_sub(bytes.len());
        let mut part = vec![0; left.min(exfat.layout().cluster_size() as usize)];
        exfat.source.read(exfat.layout().offset(cluster), &mut part, &mut Spans::new())?;
        bytes.extend(part);
    }
    let (sum, recorded) = (table_checksum(0, &bytes, &[]), le32(&slot, 4).unwrap_or_default());
    if sum != recorded {
        log.add(Finding::new(codes::UPCASE_CHECKSUM, Place::volume(), format!("{sum:08x}"), format!("{recorded:08x}")));
        return Ok((log, None));
    }
    Ok((log, Some(Upcase::decode(&bytes))))
}
