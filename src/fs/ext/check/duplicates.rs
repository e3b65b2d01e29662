//! Pass 2, names that a directory has twice.
//!
//! Tests: all names of a directory against each other, where one block has a name twice; and names of different blocks,
//! where no tree keeps equal names together. Needs: the directories' blocks. Leaves: findings alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

use rayon::prelude::*;

use super::bits::Bits;
use super::codes;
use super::directories::Shared;
use super::entry::shown;
use crate::finding::{Code, Log, Place};
use crate::source::SourceGone;

use super::super::disk::at;
use super::super::disk::dirent::{DirEntry, HEADER_SIZE, rec_len};

/// Reports every name of a directory after its first occurrence.
pub fn report(shared: &Shared<'_>, dir: u32, log: &mut Log) -> Result<(), SourceGone> {
    let blocks: Vec<u64> = shared.gathered.dir_blocks.iter().filter(|it| it.dir == dir).map(|it| it.block).collect();
    report_as(shared, dir, &blocks, &[codes::NAME_TWICE, codes::ENTRY_TWICE], log)
}

/// Reports names that different blocks of a directory share, in directories without a tree that are not `reported` yet.
pub fn across_blocks(shared: &Shared<'_>, reported: &BTreeSet<u32>, log: &mut Log) -> Result<(), SourceGone> {
    let mut dirs = of_several_blocks(shared);
    dirs.retain(|dir, _| !reported.contains(dir));
    let hasher = RandomState::new();
    let logs: Result<Vec<Log>, SourceGone> = dirs
        .par_iter()
        .map(|(dir, blocks)| {
            let (mut seen, mut log) = (HashSet::new(), Log::new());
            let mut twice = false;
            each_name(shared, blocks, |name, _| twice |= !is_dot(name) && !seen.insert(hasher.hash_one(name)))?;
            if twice {
                report_as(shared, *dir, blocks, &[codes::NAME_IN_TWO_BLOCKS], &mut log)?;
            }
            Ok(log)
        })
        .collect();
    logs?.into_iter().for_each(|part| log.merge(part));
    Ok(())
}

/// The blocks of each directory that has more than one, and no tree: in a tree, equal names have equal hashes and lie
/// together.
fn of_several_blocks(shared: &Shared<'_>) -> BTreeMap<u32, Vec<u64>> {
    let inodes = u64::from(shared.volume.inodes) + 1;
    let (one, several) = (Bits::new(inodes), Bits::new(inodes));
    let places = || shared.gathered.dir_blocks.iter().filter(|place| place.block != 0);
    for place in places().filter(|place| !shared.gathered.hashed.contains_key(&place.dir)) {
        if one.set(place.dir.into()) {
            several.set(place.dir.into());
        }
    }
    let mut dirs: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for place in places().filter(|place| several.has(place.dir.into())) {
        dirs.entry(place.dir).or_default().push(place.block);
    }
    dirs
}

/// Reports names that stand twice in `blocks`; the second code where the inode is the same, too.
fn report_as(shared: &Shared<'_>, dir: u32, blocks: &[u64], codes: &[Code], log: &mut Log) -> Result<(), SourceGone> {
    let mut names = Vec::new();
    each_name(shared, blocks, |name, inode| {
        if !is_dot(name) {
            names.push((name.to_vec(), inode));
        }
    })?;
    names.sort();
    for pair in names.windows(2) {
        let ((name, inode), (again, other)) = (&pair[0], &pair[1]);
        if name == again {
            let facts = || (format!("'{}' for inodes {inode} and {other}", shown(name)), "once".to_owned());
            for code in codes.iter().take(if inode == other { 2 } else { 1 }) {
                log.note(*code, Place::inode(dir.into()), facts);
            }
        }
    }
    Ok(())
}

fn is_dot(name: &[u8]) -> bool {
    name == b"." || name == b".."
}

/// Tells the names in use in some blocks of a directory, with their inodes.
fn each_name(shared: &Shared<'_>, blocks: &[u64], mut visit: impl FnMut(&[u8], u32)) -> Result<(), SourceGone> {
    let mut bytes = Vec::new();
    for block in blocks.iter().filter(|block| **block != 0) {
        shared.volume.read_block(*block, &mut bytes)?;
        entries(&bytes, &mut visit);
    }
    Ok(())
}

fn entries(block: &[u8], visit: &mut impl FnMut(&[u8], u32)) {
    let mut offset = 0;
    while let Some(entry) = at::<DirEntry>(block, offset) {
        let len = rec_len(entry.rec_len.get(), block.len());
        let name = block.get(offset + HEADER_SIZE..offset + HEADER_SIZE + usize::from(entry.name_len));
        if len < HEADER_SIZE {
            return;
        }
        if let Some(name) = name.filter(|name| entry.inode.get() != 0 && !name.is_empty()) {
            visit(name, entry.inode.get());
        }
        offset += len;
    }
}
