//! Inode tables that do not lie where nearly all others do: [`find`].
//!
//! Without flexible groups every table lies in its own group, and `mke2fs` puts all of them equally far behind the copy of
//! the superblock and the descriptors. A place that no checksum proves, that differs from this, and in all copies alike, is
//! believed only if the contents do not speak for the usual one.

use std::collections::BTreeMap;

use super::super::disk::inode::Inode;
use super::super::disk::padded;
use super::super::feature::{FLEX_BG, GDT_CSUM, METADATA_CSUM};
use super::super::geometry::Geometry;
use super::super::number::{BlockNr, GroupNr};
use super::record::{self, Verdict};
use super::tables;
use crate::source::{Source, SourceGone, read_whole};

/// Groups that can show how all lie.
const FEWEST: usize = 4;
/// Blocks looked at of the usual place.
const SAMPLE: u64 = 24;

/// Groups for whose table the contents rather bear out the place that the others have in theirs, and that place. `reserved`
/// blocks behind each table of descriptors are for more of them.
///
/// # Errors
/// When the source is gone.
pub fn find(source: &Source, geometry: &Geometry, reserved: u16) -> Result<BTreeMap<GroupNr, BlockNr>, SourceGone> {
    let mut found = BTreeMap::new();
    if [FLEX_BG, GDT_CSUM, METADATA_CSUM].into_iter().any(|feature| geometry.features.has(feature)) {
        return Ok(found);
    }
    let Some(usual) = usual(geometry, reserved) else { return Ok(found) };
    for (nr, said) in placed(geometry) {
        let place = head(geometry, nr, reserved) + usual;
        let Some(place) = geometry.blocks_on_volume(place, geometry.inode_table_blocks()) else { continue };
        if place != said && is_rather_there(source, geometry, nr, said, place)? {
            found.insert(nr, place);
        }
    }
    Ok(found)
}

fn placed(geometry: &Geometry) -> impl Iterator<Item = (GroupNr, BlockNr)> + '_ {
    geometry.groups.iter().zip(0..).filter_map(|(group, nr)| Some((GroupNr(nr), group.inode_table?)))
}

/// Where a group's bitmaps may begin.
fn head(geometry: &Geometry, nr: GroupNr, reserved: u16) -> u64 {
    geometry.group_start(nr).0 + geometry.overhead(nr, reserved)
}

/// How far behind a group's head nearly all tables begin.
fn usual(geometry: &Geometry, reserved: u16) -> Option<u64> {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    let distances = placed(geometry).filter_map(|(nr, table)| table.0.checked_sub(head(geometry, nr, reserved)));
    distances.for_each(|distance| *counts.entry(distance).or_default() += 1);
    let (distance, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= FEWEST && count * 4 >= geometry.groups.len() * 3).then_some(distance)
}

/// True where no directory says that the table of `nr` is where it is said to be, and what lies at `usual` and not in that
/// place are inodes, in use or once used.
fn is_rather_there(
    source: &Source,
    geometry: &Geometry,
    nr: GroupNr,
    said: BlockNr,
    usual: BlockNr,
) -> Result<bool, SourceGone> {
    if tables::holds_inodes(source, geometry, nr, said)? == Some(true) {
        return Ok(false);
    }
    let there = tables::look(source, geometry, nr, usual)?;
    if there.is_another_s() || there.verdict() == Some(false) {
        return Ok(false);
    }
    let len = geometry.inode_table_blocks();
    let beside = (usual.0..usual.0 + len).filter(|block| !(said.0..said.0 + len).contains(block));
    let mut used = 0;
    for block in beside.take(SAMPLE as usize).map(BlockNr) {
        let Some(bytes) = read_whole(&**source, geometry.offset(block), geometry.block_size as usize)? else {
            continue;
        };
        for bytes in bytes.chunks_exact(geometry.inode_size as usize) {
            match record::judge(geometry, geometry.inode_at(nr, 0), bytes) {
                Verdict::Blank => {}
                Verdict::Garbage => return Ok(there.right > 0),
                _ => used += usize::from(padded::<Inode>(bytes).i_mode.get() != 0),
            }
        }
    }
    Ok(used > 0)
}
