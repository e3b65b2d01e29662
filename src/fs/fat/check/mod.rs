//! What is wrong with a FAT volume, read-only.
//!
//! Three passes: [`boot`] looks at what stands in front of the tables, [`table`] at the tables alone, [`tree`] at
//! directories and whose cluster is whose; it leaves the clusters that belong to a file.

mod boot;
mod table;
mod tree;

use super::Fat;
use crate::fs::CheckReport;
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

/// Checks the whole volume.
pub fn check(fat: &Fat, progress: &dyn Progress) -> Result<CheckReport, SourceGone> {
    progress.stage("checking", None, Unit::Items);
    let mut log = fat.log.clone();
    log.merge(boot::check(fat)?);
    log.merge(table::check(fat)?);
    let (found, owned) = tree::check(fat, progress)?;
    log.merge(found);
    log.merge(table::check_unowned(fat, &owned)?);
    let mut report = CheckReport { log, ..CheckReport::default() };
    if fat.root_place().is_none() {
        report.unfinished.push("there is no root directory: only what a search found was looked at".to_owned());
    }
    Ok(report)
}
