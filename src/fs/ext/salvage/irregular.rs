//! Inode tables that do not lie where nearly all others do: [`find`].
//!
//! Without flexible groups every table lies in its own group, and `mke2fs` puts all of them equally far behind the copy of
//! the superblock and the descriptors; in a flexible group they follow each other. A place that no checksum proves, that
//! differs from this, and in all copies alike, is believed only if the contents do not speak for the usual one.

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
    if geometry.features.has(GDT_CSUM) || geometry.features.has(METADATA_CSUM) {
        return Ok(BTreeMap::new());
    }
    let usual = if geometry.features.has(FLEX_BG) { between_neighbours(geometry) } else { as_most(geometry, reserved) };
    let mut found = BTreeMap::new();
    for (nr, said, usual) in usual {
        let Some(usual) = geometry.blocks_on_volume(usual, geometry.inode_table_blocks()) else { continue };
        if usual != said && is_rather_there(source, geometry, nr, said, usual)? {
            found.insert(nr, usual);
        }
    }
    Ok(found)
}

/// The tables of flexible groups with just room for one between those of the groups before and after: where they are said
/// to be, and where they usually are.
fn between_neighbours(geometry: &Geometry) -> Vec<(GroupNr, BlockNr, u64)> {
    let len = geometry.inode_table_blocks();
    let tables: Vec<_> = placed(geometry).collect();
    let between = tables.windows(3).filter_map(|groups| {
        let &[before, (nr, said), after] = groups else { return None };
        let is_row = before.0.0 + 1 == nr.0 && nr.0 + 1 == after.0.0;
        let usual = before.1.0 + len;
        (is_row && usual + len == after.1.0).then_some((nr, said, usual))
    });
    between.collect()
}

/// The tables of a volume without flexible groups: where they are said to be, and where they are if they lie as most do.
fn as_most(geometry: &Geometry, reserved: u16) -> Vec<(GroupNr, BlockNr, u64)> {
    let Some(distance) = usual(geometry, reserved) else { return Vec::new() };
    placed(geometry).map(|(nr, said)| (nr, said, head(geometry, nr, reserved) + distance)).collect()
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
