//! What is wrong with an exFAT volume, read-only.
//!
//! Three passes: [`boot`] looks at the boot regions, [`system`] at the bitmap and the up-case table, [`tree`] at
//! directories and whose cluster is whose, and compares that with the bitmap.

mod boot;
mod system;
mod tree;

use super::Exfat;
use crate::fs::CheckReport;
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

/// Checks the whole volume.
pub fn check(exfat: &Exfat, progress: &dyn Progress) -> Result<CheckReport, SourceGone> {
    progress.stage("checking", None, Unit::Items);
    let mut log = exfat.log.clone();
    log.merge(boot::check(exfat)?);
    let (found, upcase) = system::check(exfat)?;
    log.merge(found);
    log.merge(tree::check(exfat, upcase.as_ref(), progress)?);
    Ok(CheckReport { log, ..CheckReport::default() })
}
