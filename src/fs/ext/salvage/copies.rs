//! Older copies in the journal: of inodes that are destroyed or unproved, and of blocks that maps and directories lead
//! to. A copy counts when its checksum proves it, or where there are none, when nothing speaks against it. Where a block
//! of an inode table is gone altogether, it has to be of a transaction that is still whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::inode::Inode;
use super::super::journal::{Journal, LoggedBlock};
use super::super::number::{BlockNr, InodeNr};
use super::super::volume::Volume;
use super::record::{self, Verdict};
use super::roll::{Known, Roll, State};
use super::sighting;
use crate::source::SourceGone;

/// Bytes of older directory and extent blocks kept at most.
const MOST_KEPT: usize = 128 << 20;

/// What the journal still holds.
#[derive(Default)]
pub struct Older {
    /// Records better than those on the disk.
    pub inodes: HashMap<InodeNr, Arc<[u8]>>,
    /// Older versions of directory blocks and of nodes of extent trees or blocks of pointers, the newest first.
    pub blocks: HashMap<BlockNr, Vec<Arc<[u8]>>>,
}

/// Reads what `journal` holds of damaged places.
///
/// # Errors
/// When the source is gone.
pub fn read(volume: &Volume, journal: &Journal<'_>, roll: &Roll) -> Result<Older, SourceGone> {
    let mut by_target: BTreeMap<BlockNr, Vec<LoggedBlock>> = BTreeMap::new();
    for copy in journal.copies()? {
        by_target.entry(copy.target).or_default().push(copy);
    }
    let tables = tables(volume);
    let (mut older, mut kept) = (Older::default(), 0);
    for (target, mut copies) in by_target {
        copies.sort_by_key(|copy| std::cmp::Reverse(copy.sequence));
        let first = first_inode(volume, &tables, target);
        if first.is_some_and(|first| !is_wanted(volume, roll, first)) {
            continue;
        }
        for copy in copies {
            let Some(content) = journal.read_copy(&copy)? else { continue };
            if let Some(first) = first {
                let may_be_replaced = copy.is_whole && journal.is_written(&copy) && is_destroyed(volume, roll, first);
                take_records(volume, roll, first, &content, may_be_replaced, &mut older)?;
            } else if kept < MOST_KEPT
                && is_of_use(volume, target, &content, copy.is_whole && journal.is_written(&copy))?
            {
                kept += content.len();
                older.blocks.entry(target).or_default().push(content);
            }
        }
    }
    Ok(older)
}

/// True for a copy that directories or maps may need. Without checksums, that is one of a block that is neither any more, in
/// a transaction that `is_whole`.
fn is_of_use(volume: &Volume, target: BlockNr, content: &[u8], is_whole: bool) -> Result<bool, SourceGone> {
    let geometry = &volume.geometry;
    let is_known = sighting::look(geometry, target, content).is_some();
    if geometry.has_checksums() {
        return Ok(is_known);
    }
    if !is_whole || !is_known && !sighting::has_pointers(geometry, content) {
        return Ok(false);
    }
    let on_disk = volume.block(target)?;
    Ok(on_disk.is_none_or(|block| match is_known {
        true => !sighting::is_filled(geometry, &block) && sighting::look(geometry, target, &block).is_none(),
        false => block.iter().all(|&byte| byte == 0),
    }))
}

/// Where tables begin, and the first inode of each.
pub fn tables(volume: &Volume) -> BTreeMap<BlockNr, InodeNr> {
    let geometry = &volume.geometry;
    let groups = geometry.groups.iter().zip(0..).map(|(group, nr)| (group, super::super::number::GroupNr(nr)));
    groups.filter_map(|(group, nr)| Some((group.inode_table?, geometry.inode_at(nr, 0)))).collect()
}

/// The first inode in a block of a table; `None` for other blocks.
pub fn first_inode(volume: &Volume, tables: &BTreeMap<BlockNr, InodeNr>, block: BlockNr) -> Option<InodeNr> {
    let geometry = &volume.geometry;
    let (start, first) = tables.range(..=block).next_back()?;
    let index = block.0 - start.0;
    let per_block = geometry.block_size / geometry.inode_size;
    (index < geometry.inode_table_blocks()).then(|| InodeNr(first.0 + index as u32 * per_block))
}

fn is_wanted(volume: &Volume, roll: &Roll, first: InodeNr) -> bool {
    let per_block = volume.geometry.block_size / volume.geometry.inode_size;
    (first.0..first.0 + per_block).any(|nr| is_weak(volume, roll.get(InodeNr(nr))))
}

/// True where nothing is left of the records of a table's block.
fn is_destroyed(volume: &Volume, roll: &Roll, first: InodeNr) -> bool {
    let per_block = volume.geometry.block_size / volume.geometry.inode_size;
    (first.0..first.0 + per_block).all(|nr| roll.get(InodeNr(nr)).is_destroyed())
}

/// True where a better record than the one on the disk may be found.
fn is_weak(volume: &Volume, known: Known) -> bool {
    known.is_destroyed() || volume.geometry.has_checksums() && !known.proved
}

/// Takes the records of a copy of a table's block that are better than those known. Without checksums one replaces zeros
/// only where all of the block `may_be_replaced`: an inode that was never used is blank, too.
fn take_records(
    volume: &Volume,
    roll: &Roll,
    first: InodeNr,
    content: &[u8],
    may_be_replaced: bool,
    older: &mut Older,
) -> Result<(), SourceGone> {
    for (record, nr) in content.chunks_exact(volume.geometry.inode_size as usize).zip(first.0..) {
        let nr = InodeNr(nr);
        let known = roll.get(nr);
        if !is_weak(volume, known) || older.inodes.contains_key(&nr) {
            continue;
        }
        let verdict = record::judge(&volume.geometry, nr, record);
        let proved = verdict == Verdict::Proved;
        let plausible = verdict == Verdict::Plausible
            && !volume.geometry.has_checksums()
            && (known.state != State::Blank || may_be_replaced);
        if (proved || plausible) && is_better(volume, known, nr, record)? {
            older.inodes.insert(nr, record.into());
        }
    }
    Ok(())
}

/// True unless the record on the disk, though unproved, is as good and may be newer.
fn is_better(volume: &Volume, known: Known, nr: InodeNr, record: &[u8]) -> Result<bool, SourceGone> {
    if known.is_destroyed() {
        return Ok(true);
    }
    let Some(disk) = volume.inode(nr)? else { return Ok(true) };
    let copy = Inode::decode(nr, record);
    let same_contents = disk.raw.i_block == copy.raw.i_block && disk.raw.size() == copy.raw.size();
    Ok(same_contents || record::faults(&volume.geometry, &disk.record) > 0)
}
