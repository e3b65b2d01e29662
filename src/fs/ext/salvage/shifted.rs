//! How much was cut off before a filesystem of which no superblock is left: [`missing`].
//!
//! A directory's record maps its first block, and the block names the directory. Where both are found, the block's number
//! says how far it is from the start of the volume, and its place how far from the start of what is left. The number
//! that the block names has to fit the record's place, too: tables begin with a block.

use std::collections::BTreeMap;

use super::super::disk::inode::Inode;
use super::super::disk::padded;
use super::super::geometry::Geometry;
use super::infer;
use super::record;
use super::traces::Dir;
use crate::fs::pass;
use crate::node::Kind;
use crate::progress::{Progress, Unit};
use crate::source::{Source, SourceGone};

/// Nothing longer is searched: with groups enough a volume has more superblocks than are ever lost together.
const LONGEST: u64 = 1 << 30;
/// Bytes that may be missing.
const MOST_MISSING: u64 = 1 << 30;
/// Directories and records compared with each other.
const MOST: usize = 2048;
/// Directories that have to agree.
const FEWEST: usize = 2;
/// Sizes of inodes that mkfs makes.
const INODE_SIZES: [u64; 2] = [128, 256];

/// What fits one another: bytes missing, the size of inodes, and where the table's first record would lie.
type Fit = (u64, u64, i64);

/// Bytes missing before the source, by its directories; 0 where none are, or too little is left to tell.
///
/// # Errors
/// When the source is gone.
pub fn missing(source: &Source, dirs: &[Dir], progress: &dyn Progress) -> Result<u64, SourceGone> {
    let Some(block) = infer::vote_block_size(dirs).filter(|_| source.len() <= LONGEST) else { return Ok(0) };
    let records = records(source, block, progress)?;
    let mut votes: BTreeMap<Fit, usize> = BTreeMap::new();
    for dir in dirs.iter().filter(|dir| dir.at.is_multiple_of(block)).take(MOST) {
        for (at, first) in &records {
            for fit in INODE_SIZES.into_iter().filter_map(|size| fit(block, dir, *at, *first, size)) {
                *votes.entry(fit).or_default() += 1;
            }
        }
    }
    let best = votes.into_iter().max_by_key(|(fit, count)| (*count, std::cmp::Reverse(*fit)));
    Ok(best.filter(|(_, count)| *count >= FEWEST).map_or(0, |((missing, ..), _)| missing))
}

/// What a directory's first block and a record at byte `at`, which maps `first`, say together.
fn fit(block: u64, dir: &Dir, at: u64, first: u64, inode_size: u64) -> Option<Fit> {
    let missing = first.checked_sub(dir.at / block)?.checked_mul(block).filter(|missing| *missing <= MOST_MISSING)?;
    let before = u64::from(dir.own.checked_sub(1)?) * inode_size;
    let table = i64::try_from(at).ok()?.checked_sub(i64::try_from(before).ok()?)?;
    table.rem_euclid(block as i64).eq(&0).then_some((missing, inode_size, table))
}

/// What looks like records of directories, with the first block that each maps.
fn records(source: &Source, block: u64, progress: &dyn Progress) -> Result<Vec<(u64, u64)>, SourceGone> {
    let geometry = infer::bare(source.len().saturating_add(MOST_MISSING), block);
    progress.stage("searching for inode tables", Some(source.len()), Unit::Bytes);
    let mut records = Vec::new();
    pass::chunks(
        source,
        block,
        progress,
        |at, chunk| {
            let starts = (0..chunk.len()).step_by(128);
            let found = starts.filter_map(|start| Some((at + start as u64, first_block(&geometry, &chunk[start..])?)));
            found.take(MOST).collect::<Vec<_>>()
        },
        |some| records.extend(some.into_iter().take(MOST.saturating_sub(records.len()))),
    )?;
    Ok(records)
}

fn first_block(geometry: &Geometry, bytes: &[u8]) -> Option<u64> {
    // Most bytes are no directory's record: the kind first.
    let inode: Inode = (bytes.len() >= 128 && bytes[1] >> 4 == 4).then(|| padded(&bytes[..128]))?;
    let size = inode.size();
    let fits = Kind::from_mode(inode.i_mode.get().into()) == Kind::Directory
        && inode.i_links_count.get() >= 2
        && inode.i_dtime.get() == 0
        && size > 0
        && size.is_multiple_of(geometry.block_size.into());
    record::first_block(geometry, &inode).filter(|_| fits).map(|block| block.0)
}
