//! Pass 0, the block of multi-mount protection: the ext4 documentation, `mmp.rst`.
//!
//! Tests: its place, magic number and checksum, and that nobody has the volume mounted. Needs: the superblock. Leaves:
//! findings alone.

use super::codes;
use super::volume::Volume;
use crate::finding::{Finding, Log, Place};
use crate::source::SourceGone;

use super::super::disk::at;
use super::super::disk::mmp::{MAGIC, Mmp, SEQ_CLEAN};
use super::super::feature::{METADATA_CSUM, MMP};

/// Checks the block.
pub fn check(volume: &Volume) -> Result<Log, SourceGone> {
    let mut log = Log::new();
    let block = volume.sb.s_mmp_block.get();
    if !volume.has(MMP) || block == 0 {
        return Ok(log);
    }
    if !volume.is_block(block) {
        log.add(Finding::new(codes::MMP_BLOCK, Place::volume(), block.to_string(), "a block of the volume"));
        return Ok(log);
    }
    let mut buf = Vec::new();
    volume.read_block(block, &mut buf)?;
    let place = Place::volume().at_block(block).at(volume.span(block));
    let Some(mmp) = at::<Mmp>(&buf, 0) else { return Ok(log) };
    if mmp.mmp_magic.get() != MAGIC {
        log.add(Finding::new(codes::MMP_MAGIC, place, format!("{:08x}", mmp.mmp_magic), format!("{MAGIC:08x}")));
        return Ok(log);
    }
    if volume.has(METADATA_CSUM)
        && let Some(sums) = volume.seed.mmp_block(&buf)
        && !sums.agree()
    {
        log.add(Finding::new(
            codes::MMP_CHECKSUM,
            place.clone(),
            format!("{:08x}", sums.found),
            format!("{:08x}", sums.computed),
        ));
    }
    let sequence = mmp.mmp_seq.get();
    if sequence != SEQ_CLEAN {
        log.add(Finding::new(codes::MMP_IN_USE, place, format!("sequence {sequence:08x}"), "not in use"));
    }
    Ok(log)
}
