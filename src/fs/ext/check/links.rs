//! Pass 4: how often each inode is named, against its count of links.
//!
//! Tests: link counts, inodes that no directory names, reference counts of attributes' values. Needs: the counts of
//! passes 1 and 2. Leaves: findings alone.

use rayon::prelude::*;

use super::codes;
use super::counts::Counts;
use super::inodes::{Found, Gathered};
use super::special;
use super::volume::Volume;
use crate::finding::{Cost, Log, Place};
use crate::node::Kind;
use crate::source::SourceGone;

use super::super::disk::inode::flags;
use super::super::feature::DIR_NLINK;
use super::super::number::InodeNr;

/// More subdirectories than this are not counted: the count is 1 then.
const LINK_MAX: u32 = 65_000;

/// Checks all inodes in use.
pub fn check(volume: &Volume, found: &Found, gathered: &Gathered, counts: &Counts) -> Result<Log, SourceGone> {
    let logs: Result<Vec<Log>, SourceGone> = (0..volume.groups)
        .into_par_iter()
        .map(|group| {
            let mut log = Log::new();
            let links = gathered.links.get(group as usize).map_or(&[][..], |links| links);
            for (i, &recorded) in links.iter().enumerate() {
                let nr = group * volume.inodes_per_group + 1 + i as u32;
                let inode = u64::from(nr);
                let special = special::role(volume, InodeNr(nr)).is_some();
                if special || !found.used.has(inode) || found.in_bad_block.has(inode) || found.afs.has(inode) {
                    continue;
                }
                judge(volume, found, gathered, nr, recorded.into(), counts.get(nr), &mut log)?;
            }
            Ok(log)
        })
        .collect();
    let mut whole = Log::new();
    logs?.into_iter().for_each(|log| whole.merge(log));
    Ok(whole)
}

fn judge(
    volume: &Volume,
    found: &Found,
    gathered: &Gathered,
    nr: u32,
    recorded: u32,
    mut counted: u32,
    log: &mut Log,
) -> Result<(), SourceGone> {
    let place = || Place::inode(nr.into());
    if found.values.has(nr.into())
        && let Some(&references) = gathered.value_references.get(&nr)
    {
        // However many attributes name it, the value has one link.
        counted += 1;
        value(volume, nr, references, log)?;
    }
    if counted == 0 {
        return unattached(volume, nr, log);
    }
    let is_dir = found.directories.has(nr.into());
    if is_dir && counted > LINK_MAX {
        if !volume.has(DIR_NLINK) {
            log.note(codes::LINKS_FEATURE, place(), || (counted.to_string(), format!("at most {LINK_MAX}")));
        }
        counted = 1;
    }
    if is_dir && recorded == 1 && counted != 1 && gathered.hashed.contains_key(&nr) {
        log.note(codes::LINKS_OVERFLOW, place(), || ("1, for too many to count".into(), counted.to_string()));
    } else if recorded != counted {
        log.note(codes::LINK_COUNT, place(), || (recorded.to_string(), counted.to_string()));
    }
    Ok(())
}

fn unattached(volume: &Volume, nr: u32, log: &mut Log) -> Result<(), SourceGone> {
    if let Some(record) = volume.inode(InodeNr(nr))? {
        let kind = Kind::from_mode(record.inode.i_mode.get().into());
        let empty = record.inode.blocks() == 0 && !record.inode.has(flags::INLINE_DATA);
        if empty && matches!(kind, Kind::File | Kind::Directory) {
            log.note(codes::UNATTACHED_EMPTY, Place::inode(nr.into()), Default::default);
        }
    }
    log.note_costing(codes::UNATTACHED, Place::inode(nr.into()), Cost { files: 1, bytes: 0 }, Default::default);
    Ok(())
}

fn value(volume: &Volume, nr: u32, references: u64, log: &mut Log) -> Result<(), SourceGone> {
    let Some(record) = volume.inode(InodeNr(nr))? else { return Ok(()) };
    let recorded = u64::from(record.inode.i_ctime.get()) << 32 | u64::from(record.inode.l_i_version.get());
    if recorded != references {
        log.note(codes::VALUE_REFERENCES, Place::inode(nr.into()), || (recorded.to_string(), references.to_string()));
    }
    Ok(())
}
