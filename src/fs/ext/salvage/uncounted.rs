//! Groups behind the last one that the superblock counts: [`find`].
//!
//! A right checksum proves that a superblock was written so, not that it says the truth. Descriptors behind the last one,
//! and inodes where they lead, are left by whoever makes a filesystem smaller, too. But then no directory names those
//! inodes any more, and no file has blocks there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use super::super::dir;
use super::super::evidence::{Descriptors, Evidence};
use super::super::geometry::{Copy, Geometry, Proof};
use super::super::number::{BlockNr, GroupNr, InodeNr};
use super::super::volume::Volume;
use super::record::{self, Verdict};
use super::{descriptors, tables};
use crate::finding::Log;
use crate::node::Kind;
use crate::source::{Source, SourceGone};

/// Names of inodes behind the end, or files with blocks there, that bear out that it is not the end.
const FEWEST: usize = 3;
/// Groups looked at behind the end and before it, inodes of each of them, and directories read.
const MOST_GROUPS: u32 = 16;
const MOST_INODES: u32 = 4096;
const MOST_READ: usize = 256;

/// The geometry with the groups that the superblock does not count; `None` where there are none. Costs nothing where the
/// source has no room for more.
///
/// # Errors
/// When the source is gone.
pub fn find(source: &Source, evidence: &Evidence) -> Result<Option<Geometry>, SourceGone> {
    let mut wider = Evidence { log: Log::new(), ..evidence.clone() };
    if !add_groups(source, &mut wider.geometry, MOST_GROUPS)? {
        return Ok(None);
    }
    let volume = Volume::new(source.clone(), &wider);
    if !are_used(&volume, &evidence.geometry)? {
        return Ok(None);
    }
    add_groups(source, &mut wider.geometry, u32::MAX)?;
    Ok(Some(wider.geometry))
}

/// Adds up to `most` groups that descriptors describe, as far as the source goes; false where there is none.
fn add_groups(source: &Source, geometry: &mut Geometry, most: u32) -> Result<bool, SourceGone> {
    let mut all = geometry.clone();
    all.blocks = source.len() / u64::from(geometry.block_size);
    let counted = geometry.group_count();
    if all.blocks <= geometry.group_start(GroupNr(counted)).0 {
        return Ok(false);
    }
    let most = geometry.group_count().saturating_add(most).min(all.group_count()).min(u32::MAX / all.inodes_per_group);
    all.blocks = all.blocks.min(all.group_start(GroupNr(most)).0);
    all.inodes = most * all.inodes_per_group;
    let table = Descriptors::read(&**source, &all, Copy::Primary)?;
    for nr in (counted..most).map(GroupNr) {
        let Some(raw) = table.get(&all, nr).filter(|raw| descriptors::is_possible(&all, nr, &raw.decode())) else {
            break;
        };
        let is_there = match all.prove_descriptor(nr, raw) {
            Proof::Proved => true,
            Proof::Refuted { .. } => false,
            Proof::None => tables::holds_inodes(source, &all, nr, BlockNr(raw.decode().inode_table()))? != Some(false),
        };
        if !is_there {
            break;
        }
        all.groups.push(all.judge_group(nr, raw, &mut Log::new()));
    }
    let found = all.groups.len() as u32;
    geometry.blocks = all.blocks.min(all.group_start(GroupNr(found)).0);
    geometry.inodes = found * all.inodes_per_group;
    geometry.groups = all.groups;
    Ok(found > counted)
}

/// True where directories of a volume name inodes that are behind the end that it is `said` to have, or its files have
/// blocks there.
fn are_used(volume: &Volume, said: &Geometry) -> Result<bool, SourceGone> {
    let (end, all) = (said.group_count(), volume.geometry.group_count());
    let behind = in_use(volume, end..all.min(end + MOST_GROUPS))?;
    let near = in_use(volume, end.saturating_sub(MOST_GROUPS)..end)?;
    let mut inodes = volume.inodes();
    let mut directories = BTreeSet::from([InodeNr::ROOT]);
    for (nr, _) in behind.iter().filter(|(_, kind)| **kind == Kind::Directory) {
        let Some(inode) = inodes.read(*nr)? else { continue };
        let parent = dir::parent(volume, &inode, inode.size(&volume.geometry))?;
        let parent = parent.and_then(|parent| said.inode(u32::try_from(parent.0).ok()?));
        directories.extend(parent);
    }
    let mut leading = 0;
    for (nr, kind) in &near {
        if *kind == Kind::Directory {
            directories.insert(*nr);
        } else if let Some(inode) = inodes.read(*nr)? {
            let first = record::first_block(&volume.geometry, &inode.raw);
            leading += usize::from(first.is_some_and(|first| first.0 >= said.blocks));
        }
    }
    let mut named = BTreeSet::new();
    for nr in directories.into_iter().take(MOST_READ) {
        let Some(inode) = inodes.read(nr)?.filter(|inode| inode.kind() == Kind::Directory) else { continue };
        dir::visit(volume, &inode, inode.size(&volume.geometry), &mut |entry| {
            let nr = u32::try_from(entry.id.0).ok().map(InodeNr);
            let is_there =
                |nr: &InodeNr| behind.get(nr).is_some_and(|kind| entry.kind.is_none_or(|said| said == *kind));
            named.extend(nr.filter(is_there));
            if named.len() >= FEWEST { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
    }
    Ok(leading >= FEWEST || !named.is_empty() && named.len() >= behind.len().min(FEWEST))
}

/// The inodes in use of some groups that nothing speaks against, and what they are.
fn in_use(volume: &Volume, groups: Range<u32>) -> Result<BTreeMap<InodeNr, Kind>, SourceGone> {
    let geometry = &volume.geometry;
    let fewest = if geometry.has_checksums() { Verdict::Proved } else { Verdict::Plausible };
    let mut found = BTreeMap::new();
    let mut inodes = volume.inodes();
    for group in groups.map(GroupNr) {
        for index in 0..geometry.groups[group.0 as usize].inodes_used.min(MOST_INODES) {
            let nr = geometry.inode_at(group, index);
            let Some(inode) = inodes.read(nr)?.filter(|inode| inode.is_in_use()) else { continue };
            if record::judge(geometry, nr, &inode.record) >= fewest {
                found.insert(nr, inode.kind());
            }
        }
    }
    Ok(found)
}
