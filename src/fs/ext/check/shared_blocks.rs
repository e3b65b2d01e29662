//! Passes 1B to 1D: blocks that more than one file claims.
//!
//! Tests: nothing new. Needs: the blocks claimed twice. Leaves: which files share which blocks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use super::blocks;
use super::codes;
use super::extents::Visitor;
use super::inode::file_acl;
use super::inodes::{Found, is_zero};
use super::special::{self, Role};
use super::volume::{Record, Volume};
use crate::bytes::Buffer;
use crate::finding::{Code, Finding, Log, Place};
use crate::source::SourceGone;

use super::super::disk::padded;
use super::super::number::InodeNr;

/// Runs of shared blocks that are kept, over all files: enough to tell by.
const KEPT: usize = 1 << 20;

/// What a file claims of the blocks that are claimed twice: runs of them in the order of its map.
type Runs = Vec<(u64, u64)>;

/// Finds who shares blocks, and reports each file.
pub fn check(volume: &Volume, found: &Found) -> Result<Log, SourceGone> {
    if found.twice.is_empty() {
        return Ok(Log::new());
    }
    let failure: Mutex<Option<SourceGone>> = Mutex::new(None);
    let parts: Vec<Vec<(u32, Runs)>> = (0..volume.groups)
        .into_par_iter()
        .map(|group| {
            group_runs(volume, found, group).unwrap_or_else(|gone| {
                *failure.lock().unwrap_or_else(|e| e.into_inner()) = Some(gone);
                Vec::new()
            })
        })
        .collect();
    if let Some(gone) = failure.into_inner().unwrap_or_else(|e| e.into_inner()) {
        return Err(gone);
    }
    let files: BTreeMap<u32, Runs> = parts.into_iter().flatten().collect();
    Ok(report(volume, found, &files))
}

/// Collects the shared blocks that one inode's map names.
struct Collect<'a> {
    found: &'a Found,
    runs: Runs,
    /// Blocks that stand among metadata because that is their place.
    skip_metadata: bool,
}

impl Collect<'_> {
    fn take(&mut self, block: u64, len: u64) {
        if !self.found.twice.any(block, block + len) {
            return;
        }
        for block in (block..block + len).filter(|block| self.found.twice.has(*block)) {
            if self.skip_metadata && self.found.metadata.has(block) {
                continue;
            }
            let full = self.runs.len() >= KEPT;
            match self.runs.last_mut() {
                Some((start, len)) if *start + *len == block => *len += 1,
                _ if !full => self.runs.push((block, 1)),
                _ => return,
            }
        }
    }
}

impl Visitor for Collect<'_> {
    fn map_block(&mut self, block: u64) {
        self.take(block, 1);
    }

    fn data(&mut self, _: u64, block: u64, len: u64, _: bool) -> bool {
        self.take(block, len);
        self.runs.len() < KEPT
    }

    fn problem(&mut self, _: Code, _: u64, _: Range<u64>, _: &dyn Fn() -> String) {}

    fn is_critical(&mut self, block: u64, _: Range<u64>) -> bool {
        !self.skip_metadata && self.found.metadata.has(block)
    }
}

fn group_runs(volume: &Volume, found: &Found, group: u32) -> Result<Vec<(u32, Runs)>, SourceGone> {
    let mut files = Vec::new();
    let Some(table) = volume.itable(group) else { return Ok(files) };
    let count = volume.inodes_to_scan(group) as usize;
    let mut buf = Buffer::new(count * volume.inode_size);
    volume.read(table * volume.block_size, &mut buf)?;
    for (i, raw) in buf.chunks_exact(volume.inode_size).enumerate() {
        let nr = group * volume.inodes_per_group + 1 + i as u32;
        if is_zero(raw) || !found.used.has(nr.into()) {
            continue;
        }
        let record = Record { nr: InodeNr(nr), inode: padded(raw), raw: raw.to_vec() };
        let role = special::role(volume, record.nr);
        let mut collect =
            Collect { found, runs: Vec::new(), skip_metadata: matches!(role, Some(Role::Resize | Role::BadBlocks)) };
        let acl = file_acl(volume, &record);
        if acl != 0 && volume.is_block(acl) && role.is_none() {
            collect.take(acl, 1);
        }
        if blocks::has_map(&record) || role == Some(Role::BadBlocks) {
            blocks::walk(volume, &record, &mut collect)?;
        }
        if !collect.runs.is_empty() {
            files.push((nr, collect.runs));
        }
    }
    Ok(files)
}

fn report(volume: &Volume, found: &Found, files: &BTreeMap<u32, Runs>) -> Log {
    let mut owners: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for (nr, runs) in files {
        for (start, len) in runs {
            for block in (*start..start + len).take(KEPT) {
                let owners = owners.entry(block).or_default();
                if owners.last() != Some(nr) {
                    owners.push(*nr);
                }
            }
        }
    }
    let mut log = Log::new();
    for (nr, runs) in files {
        file(volume, found, &owners, *nr, runs, &mut log);
    }
    log
}

fn file(volume: &Volume, found: &Found, owners: &BTreeMap<u64, Vec<u32>>, nr: u32, runs: &Runs, log: &mut Log) {
    let blocks: u64 = runs.iter().map(|(_, len)| len).sum();
    let all = || runs.iter().flat_map(|&(start, len)| start..start + len);
    let mut others: Vec<u32> =
        all().filter_map(|block| owners.get(&block)).flatten().copied().filter(|other| *other != nr).collect();
    others.sort_unstable();
    others.dedup();
    for (i, &(start, len)) in runs.iter().enumerate() {
        // e2fsck takes block 1, where it comes first, for the end of a run that began with block 0.
        let single = len == 1 && !(i == 0 && start == 1);
        let place = Place::inode(nr.into())
            .at_block(start)
            .at(crate::bytes::Span::new(start * volume.block_size, len * volume.block_size));
        log.add(Finding::new(
            if single { codes::SHARED_BLOCK } else { codes::SHARED_BLOCKS },
            place,
            format!("{start}+{len}"),
            "blocks of its own",
        ));
    }
    let words = format!("{blocks} blocks, shared with {} files", others.len());
    log.add(
        Finding::new(codes::SHARING_FILE, Place::inode(nr.into()), words, "").costing(1, blocks * volume.block_size),
    );
    if all().any(|block| found.metadata.has(block)) {
        log.note(codes::SHARED_WITH_METADATA, Place::inode(nr.into()), Default::default);
    }
    if !others.is_empty() {
        let some: Vec<String> = others.iter().take(20).map(u32::to_string).collect();
        log.note(codes::SHARED_WITH, Place::inode(nr.into()), || {
            (format!("inodes {}", some.join(", ")), String::new())
        });
    }
}
