//! The checks of a whole volume, in the five passes that e2fsck has, without a write.
//!
//! Each pass is a file that opens with what it tests, what it needs and what it leaves. Passes return values; what many
//! threads fill together ([`inodes::Found`], [`counts::Counts`]) is the same for any order of them. Where e2fsck would
//! ask a question, these go on as if it were answered no, as `e2fsck -fn` does: a structure that is wrong stays wrong
//! for the passes after it. Two things differ. e2fsck stops at some damage, as at the first directory block it can
//! not follow, and these go on (`reach`); and e2fsck judges an unreplayed journal's volume as it lies, where these see it replayed.
//!
//! Sources: the ext4 documentation, and what `e2fsck -fn` is observed to report.

pub mod codes;

mod attribute_blocks;
mod bad_blocks;
mod bad_inodes;
mod bitmaps;
mod bits;
mod blocks;
mod connectivity;
mod counts;
mod descriptors;
mod directories;
mod duplicates;
mod entry;
mod extents;
mod hash_tree;
mod hashed_root;
mod indirect;
mod inode;
mod inodes;
mod journal;
mod links;
mod mmp;
mod optimize;
mod orphan_file;
mod paths;
mod quota;
mod reach;
mod resize;
mod shared_blocks;
mod special;
mod superblock;
mod volume;
mod xattrs;

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::finding::{Finding, Log, Place};
use crate::fs::{CheckReport, JournalState};
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

use super::Ext;
use super::feature::{NEEDS_RECOVERY, SHARED_BLOCKS};
use super::number::InodeNr;
use attribute_blocks::AttributeBlocks;
use counts::Counts;
use directories::Entries;
use inodes::{Found, Gathered, Shared};
use reach::{JOURNAL_LOST, Reach, has_any};
use superblock::Opened;
use volume::Volume;

/// Checks a volume as the replayed journal leaves it.
pub fn check(ext: &Ext, progress: &dyn Progress) -> Result<CheckReport, SourceGone> {
    let mut report = CheckReport { journal: ext.journal, ..CheckReport::default() };
    if ext.journal == Some(JournalState::Replayed) {
        report.log.add(Finding::new(super::codes::JOURNAL_REPLAYED, Place::volume(), "transactions waiting", "none"));
    }
    match superblock::open(&ext.volume.source)? {
        Opened::Nothing(log, why) => {
            report.log.merge(log);
            report.unfinished.push(format!("no superblock is usable: {why}"));
        }
        Opened::Volume(volume, copy, log) => {
            report.log.merge(log);
            passes(&volume, copy, progress, &mut report)?;
        }
    }
    Ok(report)
}

fn passes(volume: &Volume, copy: u32, progress: &dyn Progress, report: &mut CheckReport) -> Result<(), SourceGone> {
    let mut reach = Reach::new(&mut report.log);
    if has_any(reach.log(), &[codes::BACKUP_ELSEWHERE]) {
        reach.end_if(true);
    }
    let (resize_blocks, unproved_groups) = pass0(volume, copy, &mut reach)?;
    let journal_lost = has_any(reach.log(), &JOURNAL_LOST);
    if report.journal == Some(JournalState::Damaged) && volume.has(NEEDS_RECOVERY) && !journal_lost {
        reach.log().add(Finding::new(codes::JOURNAL_TRANSACTION, Place::volume(), "", ""));
    }
    let found = Found::new(volume);
    progress.stage("checking inodes", Some(volume.groups.into()), Unit::Items);
    let journal_is_usable = reach.log().count(codes::JOURNAL_INODE) == 0;
    let mut log = Log::new();
    let known = Known { journal_is_usable, resize_blocks };
    let gathered = pass1(volume, &found, &known, progress, &mut log)?;
    let gives_up = reach::of_inodes(&gathered, &mut log);
    reach.add(log);
    reach.end_if(gives_up);
    if gathered.interrupted || progress.interrupted() {
        report.unfinished.push("the check was interrupted".to_owned());
        return Ok(());
    }
    if !volume.has(SHARED_BLOCKS) {
        let mut log = shared_blocks::check(volume, &found)?;
        let gives_up = reach::of_shared_blocks(&found, &mut log);
        reach.add(log);
        reach.end_if(gives_up);
    }
    let counts = Counts::new(volume);
    progress.stage("checking directories", Some(gathered.dir_blocks.len() as u64), Unit::Items);
    let mut entries = directories::scan(volume, &found, &gathered, &counts, progress)?;
    if entries.interrupted {
        report.unfinished.push("the check was interrupted".to_owned());
        return Ok(());
    }
    names(volume, &found, &gathered, &counts, &mut entries, &mut reach)?;
    progress.stage("checking bitmaps", None, Unit::Items);
    if reach.log().count(codes::INODE_TABLE_PLACE) == 0 {
        // Without a table, which blocks its files have is unknown.
        reach.add(bitmaps::check(volume, &found, &unproved_groups)?);
    }
    reach.add(quota::check(volume, &gathered.usage)?);
    reach.add(orphan_file::check(volume)?);
    paths::fill(volume, &gathered, &entries, reach.log())?;
    Ok(())
}

/// Passes 2 to 4: what the names say, once all directories are read.
fn names(
    volume: &Volume,
    found: &Found,
    gathered: &Gathered,
    counts: &Counts,
    entries: &mut Entries,
    reach: &mut Reach<'_>,
) -> Result<(), SourceGone> {
    let corrupted = reach::of_directories(volume, gathered, entries);
    let mut bad = bad_inodes::check(volume, found)?;
    let unreadable = reach::of_bad_inodes(found, &mut bad);
    reach.add(std::mem::take(&mut entries.log));
    reach.add(bad);
    reach.end_if(corrupted || unreadable);
    let root = reach.log().count(codes::ROOT_NOT_DIRECTORY) > 0;
    reach.end_if(root);
    let mut log = connectivity::check(found, entries);
    // It is the first that e2fsck asks for in pass 3, and the last.
    let rootless = log.count(codes::ROOT_MISSING) > 0;
    log.mark_unreached(|finding| rootless && finding.code != codes::ROOT_MISSING);
    reach.add(log);
    reach.end_if(rootless);
    if !entries.corrupted {
        // Where names may be missing, nobody knows how many there should be.
        let mut log = links::check(volume, found, gathered, counts)?;
        let gives_up = reach::of_links(found, &mut log);
        reach.add(log);
        reach.end_if(gives_up);
    }
    Ok(())
}

/// What is asked before any inode is: journal, superblock, descriptors, and what else a mount looks at first. Leaves how
/// many blocks the inode for growing has, where all is well with it, and the groups whose descriptors are not proved.
fn pass0(volume: &Volume, copy: u32, reach: &mut Reach<'_>) -> Result<(Option<u64>, BTreeSet<u32>), SourceGone> {
    reach.add(journal::check(volume)?);
    let lost = has_any(reach.log(), &JOURNAL_LOST);
    reach.end_if(lost);
    let log = superblock::check(volume);
    reach.end_if(log.count(codes::UNKNOWN_FEATURES) > 0);
    reach.add(log);
    let (log, unproved_groups) = descriptors::check(volume, copy)?;
    reach.add(log);
    let resize = resize::check(volume)?;
    reach.add(resize.log);
    reach.add(mmp::check(volume)?);
    Ok((resize.blocks, unproved_groups))
}

/// What pass 0 found out for pass 1.
struct Known {
    journal_is_usable: bool,
    resize_blocks: Option<u64>,
}

fn pass1(
    volume: &Volume,
    found: &Found,
    known: &Known,
    progress: &dyn Progress,
    log: &mut Log,
) -> Result<Gathered, SourceGone> {
    inodes::mark_metadata(volume, found, log);
    let (mut bad, record) = blocks::bad_blocks(volume)?;
    let own = volume.inode_offset(InodeNr::BAD_BLOCKS).map(|offset| offset / volume.block_size);
    if own.is_some_and(|own| bad.contains(&own)) {
        // The list calls its own inode bad: it is not believed.
        log.add(Finding::new(
            codes::BAD_LIST_ON_ITSELF,
            Place::inode(InodeNr::BAD_BLOCKS.0.into()),
            "its own inode",
            "",
        ));
        found.used.set(InodeNr::BAD_BLOCKS.0.into());
        bad.clear();
    } else if let Some(record) = record {
        log.merge(bad_blocks::check(volume, found, &record)?);
    }
    let attribute_blocks = AttributeBlocks::default();
    let shared = Shared {
        volume,
        found,
        attribute_blocks: &attribute_blocks,
        bad_blocks: &bad,
        journal_is_usable: known.journal_is_usable,
        resize_blocks: known.resize_blocks,
        low_dtime: low_dtime(volume),
    };
    let mut gathered = inodes::scan(&shared, progress)?;
    let (problems, references, gives_up) = attribute_blocks.finish(volume);
    gathered.has_lost_count = gives_up;
    for (inode, count) in references {
        *gathered.value_references.entry(inode).or_default() += count;
    }
    log.merge(problems);
    log.merge(std::mem::take(&mut gathered.log));
    gathered.dir_blocks.par_sort_unstable();
    Ok(gathered)
}

/// Times of deletion below this name the next inode of an orphan list; `None` where such times may be real.
fn low_dtime(volume: &Volume) -> Option<u32> {
    let sb = &volume.sb;
    let early = |time: u32| time != 0 && time < volume.inodes;
    (!early(sb.s_wtime.get()) && !early(sb.s_mtime.get()) && !early(sb.s_mkfs_time.get())).then_some(volume.inodes)
}
