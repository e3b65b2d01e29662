//! Paths of the inodes that findings speak of: asked once, at the end, and only for findings that are kept.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::directories::Entries;
use super::inodes::{DirBlock, Gathered};
use super::volume::Volume;
use crate::finding::Log;
use crate::source::SourceGone;

use super::super::disk::at;
use super::super::disk::dirent::{DirEntry, HEADER_SIZE, rec_len};
use super::super::number::InodeNr;

/// Deepest path that is followed.
const MAX_DEPTH: usize = 1024;

/// Where an inode is named: the directory, and the name there.
type Name = (u32, Vec<u8>);

/// Fills in the paths of a log's findings.
pub fn fill(volume: &Volume, gathered: &Gathered, entries: &Entries, log: &mut Log) -> Result<(), SourceGone> {
    let wanted: BTreeSet<u32> =
        log.findings().filter_map(|f| f.place.inode).filter_map(|nr| u32::try_from(nr).ok()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut names = names_of(volume, gathered, &wanted)?;
    let above: BTreeSet<u32> = wanted
        .iter()
        .copied()
        .chain(names.values().map(|(dir, _)| *dir))
        .flat_map(|nr| ancestors(entries, nr))
        .filter(|dir| !names.contains_key(dir))
        .collect();
    names.extend(names_of(volume, gathered, &above)?);
    for finding in log.findings_mut() {
        let nr = finding.place.inode.and_then(|nr| u32::try_from(nr).ok());
        finding.place.path = nr.and_then(|nr| path(&names, nr));
    }
    Ok(())
}

/// The directories above an inode that is a directory, itself first.
fn ancestors(entries: &Entries, nr: u32) -> Vec<u32> {
    let mut list = vec![nr];
    while let Some(&parent) = entries.parents.get(&list[list.len() - 1]) {
        if list.contains(&parent) || list.len() >= MAX_DEPTH {
            break;
        }
        list.push(parent);
    }
    list
}

fn path(names: &BTreeMap<u32, Name>, nr: u32) -> Option<String> {
    let (mut at, mut parts) = (nr, Vec::new());
    while at != InodeNr::ROOT.0 {
        let (dir, name) = names.get(&at)?;
        parts.push(String::from_utf8_lossy(name).into_owned());
        at = *dir;
        if parts.len() > MAX_DEPTH {
            return None;
        }
    }
    parts.reverse();
    Some(format!("/{}", parts.join("/")))
}

/// The first name of each wanted inode, by place on the volume.
fn names_of(volume: &Volume, gathered: &Gathered, wanted: &BTreeSet<u32>) -> Result<BTreeMap<u32, Name>, SourceGone> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found: Result<Vec<Vec<(u32, Name)>>, SourceGone> = gathered
        .dir_blocks
        .par_chunks(64)
        .map(|places| {
            let (mut list, mut block) = (Vec::new(), Vec::new());
            for place in places.iter().filter(|place| place.block != 0) {
                volume.read_block(place.block, &mut block)?;
                gather(place, &block, wanted, &mut list);
            }
            Ok(list)
        })
        .collect();
    let mut names = BTreeMap::new();
    for (nr, name) in found?.into_iter().flatten() {
        names.entry(nr).or_insert(name);
    }
    Ok(names)
}

fn gather(place: &DirBlock, block: &[u8], wanted: &BTreeSet<u32>, list: &mut Vec<(u32, Name)>) {
    let mut offset = 0;
    while let Some(entry) = at::<DirEntry>(block, offset) {
        let len = rec_len(entry.rec_len.get(), block.len());
        if len < HEADER_SIZE {
            return;
        }
        let name =
            block.get(offset + HEADER_SIZE..offset + HEADER_SIZE + usize::from(entry.name_len)).unwrap_or_default();
        let nr = entry.inode.get();
        if wanted.contains(&nr) && !name.is_empty() && name != b"." && name != b".." {
            list.push((nr, (place.dir, name.to_vec())));
        }
        offset += len;
    }
}
