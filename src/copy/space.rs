//! Whether the destination has room for a plan.

use super::Error;
use super::plan::Plan;
use crate::sink::Sink;
use crate::sink::local::Local;
use crate::tree::ItemId;

/// Bytes of a path's record in the manifest and the files of sums, on average and rather too many.
const RECORD: u64 = 600;

/// Fails where what is planned does not fit.
pub fn check(local: &Local, plan: &Plan, path: impl Fn(u16, ItemId) -> Vec<u8>) -> Result<(), Error> {
    let asking = |error| Error::Destination("asking for free space".into(), error);
    let (bytes, files) = local.room().map_err(asking)?;
    let block = local.block_size().map_err(asking)?;
    let paths = (plan.files.len() + plan.links.len() + plan.directories.len()) as u64;
    let mut needed = paths.saturating_mul(RECORD).saturating_add((plan.directories.len() as u64).saturating_mul(block));
    let mut inodes = (plan.files.len() + plan.directories.len()) as u64;
    for file in &plan.files {
        // What stands there already needs no more room.
        if matches!(local.standing(&path(file.part, file.item)), Ok(Some(_))) {
            inodes -= 1;
            continue;
        }
        needed = needed.saturating_add(file.bytes.checked_next_multiple_of(block).unwrap_or(u64::MAX));
    }
    if needed > bytes {
        return Err(Error::NoRoom { of: "bytes", needed, free: bytes });
    }
    if inodes > files {
        return Err(Error::NoRoom { of: "files", needed: inodes, free: files });
    }
    Ok(())
}
