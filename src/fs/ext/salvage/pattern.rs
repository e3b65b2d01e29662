//! How inode tables lie that are known, and by that the others: [`Pattern`].

use std::collections::{BTreeMap, HashMap};

use super::super::geometry::Geometry;
use super::super::number::{BlockNr, GroupNr};
use super::layout;

/// Groups of a flexible group, unless `mke2fs` is told otherwise.
const USUAL_FLEX_SIZE: u32 = 16;
/// Tables that can show how all of them lie.
const FEWEST_TABLES: usize = 3;

/// How nearly all known tables lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pattern {
    /// In their own groups, so many blocks behind the start of those with a copy of the superblock, and of those without.
    Own { with_copy: Option<u64>, without: Option<u64> },
    /// In flexible groups of this size.
    Flexible(u32),
}

/// Known tables, by group.
pub type Known = BTreeMap<u32, BlockNr>;

impl Pattern {
    /// By the rules of layout, as tables of a wrong number of inodes hardly lie; `None` where they do not, or too few are
    /// known to tell.
    pub fn of(geometry: &Geometry, known: &Known) -> Option<Self> {
        own_groups(geometry, known).or_else(|| flexible_groups(geometry, known))
    }

    /// Where the table of a group may begin of which nothing is known, the likeliest place first; empty where the pattern
    /// does not tell.
    pub fn places(self, geometry: &Geometry, known: &Known, nr: GroupNr) -> Vec<BlockNr> {
        let places = match self {
            Pattern::Own { with_copy, without } => {
                let distance = if geometry.has_superblock(nr) { with_copy } else { without };
                distance.map(|distance| geometry.group_start(nr).0 + distance).into_iter().collect()
            }
            Pattern::Flexible(size) => match along(geometry, known, nr.0, size) {
                Some(place) => vec![place],
                None => layout::in_flexible_groups_of(geometry, nr, size),
            },
        };
        let len = geometry.inode_table_blocks();
        places.into_iter().filter_map(|place| geometry.blocks_on_volume(place, len)).collect()
    }
}

/// Where a group's table begins if those of a flexible group of the usual size follow each other, or all between the
/// nearest known ones on either side.
pub fn beside(geometry: &Geometry, known: &Known, nr: u32) -> Option<u64> {
    along(geometry, known, nr, USUAL_FLEX_SIZE).or_else(|| {
        let (before, one) = known.range(..nr).next_back()?;
        let (after, other) = known.range(nr..).next()?;
        let len = geometry.inode_table_blocks();
        let in_line = one.0 + u64::from(after - before) * len == other.0;
        in_line.then(|| one.0 + u64::from(nr - before) * len)
    })
}

/// Where a group's table begins if those of its flexible group follow each other, as the nearest known one says; in its own
/// place where it is known itself.
fn along(geometry: &Geometry, known: &Known, nr: u32, size: u32) -> Option<u64> {
    let first = nr / size * size;
    let of_group = known.range(first..first.saturating_add(size));
    let (&near, table) = of_group.min_by_key(|(near, _)| (near.abs_diff(nr), **near))?;
    let between = u64::from(near.abs_diff(nr)) * geometry.inode_table_blocks();
    if near <= nr { table.0.checked_add(between) } else { table.0.checked_sub(between) }
}

/// Nearly all tables in their own groups, at one place in those with a copy of the superblock and at one in those without.
fn own_groups(geometry: &Geometry, known: &Known) -> Option<Pattern> {
    let all = || known.iter().map(|(&nr, &table)| (GroupNr(nr), table));
    let own = || all().filter(|(nr, table)| geometry.group_of_block(*table) == *nr);
    let most = |with_copy: bool| {
        let alike = own().filter(|(nr, _)| geometry.has_superblock(*nr) == with_copy);
        // One agrees with itself.
        most_common(alike.map(|(nr, table)| table.0 - geometry.group_start(nr).0)).filter(|(_, count)| *count > 1)
    };
    let (with_copy, without) = (most(true), most(false));
    let agreeing = [with_copy, without].into_iter().flatten().map(|(_, count)| count).sum();
    let place = |most: Option<(u64, usize)>| most.map(|(distance, _)| distance);
    are_most(agreeing, known.len()).then(|| Pattern::Own { with_copy: place(with_copy), without: place(without) })
}

/// Nearly all tables where flexible groups of one size have them, but those of the first: before them any number of blocks
/// may be reserved.
fn flexible_groups(geometry: &Geometry, known: &Known) -> Option<Pattern> {
    let later = || {
        let all = known.iter().map(|(&nr, &table)| (GroupNr(nr), table));
        all.filter(|(_, table)| geometry.group_of_block(*table) != GroupNr(0))
    };
    let fitting = |size: u32| {
        let fits = |(nr, table): &(GroupNr, BlockNr)| layout::is_in_flexible_group(geometry, *nr, *table, size);
        later().filter(fits).count()
    };
    let sizes = layout::FLEX_SIZES.into_iter().map(|size| (fitting(size), size));
    let (count, size) = sizes.rev().max_by_key(|(count, _)| *count)?;
    are_most(count, later().count()).then_some(Pattern::Flexible(size))
}

fn are_most(count: usize, all: usize) -> bool {
    count >= FEWEST_TABLES && count * 4 >= all * 3
}

/// The most common of some values, and how often it occurs.
fn most_common(values: impl Iterator<Item = u64>) -> Option<(u64, usize)> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().max_by_key(|&(value, count)| (count, std::cmp::Reverse(value)))
}
