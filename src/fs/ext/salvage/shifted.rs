//! Where a filesystem begins of which no superblock is left: [`shift`]. Its beginning was cut off, or something else is
//! before it.
//!
//! A directory's record maps its first block, and the block names the directory. Where both are found, the block's number
//! says how far it is from the start of the volume, and its place how far from the start of what is left. The number
//! that the block names has to fit the record's place, too: tables begin with a block.

use std::collections::HashMap;

use super::infer;
use super::traces::{Dir, DirInode, Traces};

/// Nothing longer is searched: with groups enough a volume has more superblocks than are ever lost together.
const LONGEST: u64 = 1 << 30;
/// Bytes that may be missing, or be something else.
const MOST_SHIFTED: i64 = 1 << 30;
/// Directories and records compared with each other.
const MOST: usize = 2048;
/// Directories that have to agree.
const FEWEST: usize = 2;
/// Sizes of inodes that mkfs makes.
const INODE_SIZES: [u64; 4] = [128, 256, 512, 1024];

/// What fits one another: bytes missing, the size of inodes, and where the table's first record would lie.
type Fit = (i64, u64, i64);

/// Bytes missing before a source of `len` bytes, by its directories; less than none where the volume begins behind its
/// start. 0 where it begins there, or too little is left to tell.
pub fn shift(len: u64, traces: &Traces) -> i64 {
    let Some(block) = infer::vote_block_size(&traces.dirs).filter(|_| len <= LONGEST) else { return 0 };
    let inodes = traces.inodes.iter().filter(|inode| inode.size.is_multiple_of(block)).take(MOST);
    let inodes: Vec<&DirInode> = inodes.collect();
    let mut votes: HashMap<Fit, usize> = HashMap::new();
    for dir in traces.dirs.iter().filter(|dir| dir.at.is_multiple_of(block)).take(MOST) {
        for inode in &inodes {
            for fit in
                INODE_SIZES.into_iter().filter(|size| *size < block).filter_map(|size| fit(block, dir, inode, size))
            {
                *votes.entry(fit).or_default() += 1;
            }
        }
    }
    let best = votes.into_iter().max_by_key(|(fit, count)| (*count, std::cmp::Reverse((fit.0.abs(), *fit))));
    best.filter(|(_, count)| *count >= FEWEST).map_or(0, |((shift, ..), _)| shift)
}

/// What a directory's first block and the record of an inode say together.
fn fit(block: u64, dir: &Dir, inode: &DirInode, inode_size: u64) -> Option<Fit> {
    let said = i64::try_from(inode.first.checked_mul(block)?).ok()?;
    let shift = said.checked_sub(i64::try_from(dir.at).ok()?).filter(|shift| shift.abs() <= MOST_SHIFTED)?;
    let before = u64::from(dir.own.checked_sub(1)?) * inode_size;
    let table = i64::try_from(inode.at).ok()?.checked_sub(i64::try_from(before).ok()?)?;
    table.rem_euclid(block as i64).eq(&0).then_some((shift, inode_size, table))
}
