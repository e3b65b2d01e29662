//! A geometry with a supposed number of inodes per group, and the places of its tables: [`Supposed`].

use std::collections::BTreeMap;

use super::super::disk::superblock::{DYNAMIC_REV, MAGIC, Superblock};
use super::super::feature::FLEX_BG;
use super::super::geometry::{Geometry, Group};
use super::super::number::{BlockNr, GroupNr, InodeNr};
use super::entries::{Counted, Tried};
use super::pattern::{self, Known, Pattern};
use super::{layout, tables};
use crate::finding::Log;
use crate::source::{Source, SourceGone};

/// A directory's inode and where its record lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Pair {
    /// The directory's number.
    pub nr: u32,
    /// Where the record lies, in bytes.
    pub at: u64,
    /// Number of the directory's first block.
    pub first: u64,
    /// The volume's seed, if the record's checksum is right; `None` where it keeps none.
    pub seed: Option<u32>,
    /// It maps its blocks by extents.
    pub extents: bool,
}

/// A geometry with some number of inodes per group.
pub struct Supposed {
    /// The geometry, as far as tables are placed.
    pub geometry: Geometry,
    /// The superblock that says so.
    pub superblock: Superblock,
    /// Where pairs place tables, by group.
    known: Known,
    /// How those lie.
    pattern: Option<Pattern>,
}

impl Supposed {
    /// The geometry with `per_group` inodes per group, its tables placed by the pairs, the others as those lie, in one line
    /// with those of their flexible group, or behind each other.
    pub fn new(len: u64, base: &Superblock, per_group: u32, pairs: &[Pair]) -> Option<Self> {
        let mut sb = *base;
        let block_size = 1024u64 << sb.s_log_block_size.get();
        let last = pairs.last().map_or(1, |pair| pair.nr);
        let groups_of = |size: u64| (len / block_size).div_ceil(size);
        let mut sizes = (3..=block_size.trailing_zeros() + 3).rev().map(|shift| 1u64 << shift);
        let per_group_blocks = sizes.find(|size| groups_of(*size) * u64::from(per_group) >= u64::from(last))?;
        fill(&mut sb, len, block_size, base.s_inode_size.get(), per_group, per_group_blocks);
        let mut geometry = Geometry::judge(&sb, &mut Log::new()).ok()?;
        let known = tables_by_pairs(&geometry, pairs);
        if known.iter().all(|(nr, table)| geometry.group_of_block(*table).0 == *nr) {
            geometry.features.incompat &= !FLEX_BG.bit;
        }
        let pattern = Pattern::of(&geometry, &known);
        let len = geometry.inode_table_blocks();
        let mut before: Option<BlockNr> = None;
        for nr in 0..geometry.group_count() {
            let told =
                known.get(&nr).copied().or_else(|| pattern?.places(&geometry, &known, GroupNr(nr)).first().copied());
            let next = told.map(|table| table.0).or_else(|| {
                let behind = before.map(|table| table.0 + len);
                pattern::beside(&geometry, &known, nr).or(behind)
            });
            before = next.and_then(|next| geometry.blocks_on_volume(next, len));
            geometry.groups.push(Group { inode_table: before, inodes_used: per_group, ..Group::default() });
        }
        Some(Self { geometry, superblock: sb, known, pattern })
    }

    /// True where tables lie by the rules of layout. With checksums, entries that lead to proved inodes tell more.
    pub fn is_regular(&self) -> bool {
        !self.geometry.has_checksums() && self.pattern.is_some()
    }

    /// Places again the groups to whose place the entries object; `by_contents` also those to which no entry leads.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn place_rest(&mut self, source: &Source, tried: &mut Tried<'_>, by_contents: bool) -> Result<(), SourceGone> {
        self.place_flexible(tried)?;
        let taken = self.told();
        for nr in (0..self.geometry.group_count()).map(GroupNr) {
            if !by_contents && !tried.has_entries(&self.geometry, nr) {
                continue;
            }
            let first = self.geometry.groups[nr.0 as usize].inode_table;
            // Files look alike: where zeros are all that is missing, another place may have more of them.
            if self.is_told(nr) && tried.count(&self.geometry, Some(nr))?.is_likely() {
                continue;
            }
            let mut best: Option<(usize, BlockNr)> = None;
            for table in first.into_iter().chain(self.places(nr)) {
                if !is_free(&self.geometry, &taken, nr, table) {
                    continue;
                }
                self.geometry.groups[nr.0 as usize].inode_table = Some(table);
                let counted = tried.count(&self.geometry, Some(nr))?;
                let proved = by_contents
                    && counted.right == 0
                    && tables::holds_inodes(source, &self.geometry, nr, table)? == Some(true);
                let votes = match counted.bear_it_out() {
                    _ if proved => 1,
                    true => counted.right,
                    false => 0,
                };
                if votes > 0 && best.is_none_or(|(most, _)| votes > most) {
                    best = Some((votes, table));
                }
                if counted.are_all_right() {
                    break;
                }
            }
            self.geometry.groups[nr.0 as usize].inode_table = best.map(|(_, table)| table);
        }
        Ok(())
    }

    /// Places the tables of each flexible group of which none is known, all together: one alone may look right in the place of
    /// another.
    fn place_flexible(&mut self, tried: &mut Tried<'_>) -> Result<(), SourceGone> {
        let Some(Pattern::Flexible(size)) = self.pattern else { return Ok(()) };
        let count = self.geometry.group_count();
        for first in (0..count).step_by(size as usize) {
            let groups = first..count.min(first + size);
            if self.known.range(groups.clone()).next().is_some() {
                continue;
            }
            let mut best: Option<(i64, BlockNr)> = None;
            for base in self.places(GroupNr(first)) {
                self.place_in_line(groups.clone(), base);
                let mut counted = Counted::default();
                for nr in groups.clone() {
                    counted.add(&tried.count(&self.geometry, Some(GroupNr(nr)))?);
                }
                let balance = counted.balance();
                if counted.bear_it_out_alone() && best.is_none_or(|(most, _)| balance > most) {
                    best = Some((balance, base));
                }
            }
            if let Some((_, base)) = best {
                self.place_in_line(groups, base);
                self.known.insert(first, base);
            }
        }
        Ok(())
    }

    /// Places the tables of some groups behind each other, from `base` on.
    fn place_in_line(&mut self, groups: std::ops::Range<u32>, base: BlockNr) {
        let len = self.geometry.inode_table_blocks();
        for (nr, at) in groups.zip((base.0..).step_by(len as usize)) {
            self.geometry.groups[nr as usize].inode_table = self.geometry.blocks_on_volume(at, len);
        }
    }

    /// True where known tables leave a group's a single place.
    fn is_told(&self, nr: GroupNr) -> bool {
        let told = || match self.pattern {
            Some(pattern) => pattern.places(&self.geometry, &self.known, nr).len() == 1,
            None => pattern::beside(&self.geometry, &self.known, nr.0).is_some(),
        };
        self.known.contains_key(&nr.0) || told()
    }

    /// Where the known tables tell the others to be.
    fn told(&self) -> BTreeMap<u64, GroupNr> {
        let groups = (0..self.geometry.group_count()).map(GroupNr).filter(|nr| self.is_told(*nr));
        groups.filter_map(|nr| Some((self.geometry.groups[nr.0 as usize].inode_table?.0, nr))).collect()
    }

    /// Places a group's table may have.
    fn places(&self, nr: GroupNr) -> Vec<BlockNr> {
        let told = self.pattern.map(|pattern| pattern.places(&self.geometry, &self.known, nr)).unwrap_or_default();
        if told.is_empty() { layout::candidates(&self.geometry, nr, 0) } else { told }
    }
}

/// Fills in what says how large a filesystem and its groups are.
pub fn fill(
    sb: &mut Superblock,
    len: u64,
    block_size: u64,
    inode_size: u16,
    inodes_per_group: u32,
    blocks_per_group: u64,
) {
    let blocks = (len / block_size).max(2);
    sb.s_magic.set(MAGIC);
    sb.s_rev_level.set(DYNAMIC_REV);
    sb.s_log_block_size.set(block_size.trailing_zeros() - 10);
    sb.s_log_cluster_size.set(block_size.trailing_zeros() - 10);
    sb.s_blocks_count_lo.set(u32::try_from(blocks).unwrap_or(u32::MAX));
    sb.s_first_data_block.set(u32::from(block_size == 1024));
    sb.s_blocks_per_group.set(blocks_per_group as u32);
    sb.s_clusters_per_group.set(blocks_per_group as u32);
    sb.s_inodes_per_group.set(inodes_per_group);
    sb.s_inode_size.set(inode_size);
    sb.s_first_ino.set(11);
    let groups = (blocks - u64::from(block_size == 1024)).div_ceil(blocks_per_group);
    sb.s_inodes_count.set(u32::try_from(groups * u64::from(inodes_per_group)).unwrap_or(u32::MAX));
}

/// True where no other group's table is told to be.
fn is_free(geometry: &Geometry, taken: &BTreeMap<u64, GroupNr>, nr: GroupNr, table: BlockNr) -> bool {
    let len = geometry.inode_table_blocks();
    taken.range((table.0 + 1).saturating_sub(len)..table.0 + len).all(|(_, other)| *other == nr)
}

/// The place of each group's table that most of its pairs, which stand in the order of their numbers, say.
fn tables_by_pairs(geometry: &Geometry, pairs: &[Pair]) -> Known {
    let group_of = |pair: &Pair| geometry.group_of_inode(InodeNr(pair.nr));
    let place = |pair: &Pair| {
        let start = pair.at.checked_sub(u64::from(group_of(pair).1) * u64::from(geometry.inode_size))?;
        start.is_multiple_of(geometry.block_size.into()).then(|| start / u64::from(geometry.block_size))
    };
    let best = |group: &[Pair]| {
        let mut places: Vec<u64> = group.iter().filter_map(place).collect();
        places.sort_unstable();
        let alike = places.chunk_by(|one, two| one == two);
        let most = alike.max_by_key(|alike| (alike.len(), std::cmp::Reverse(alike[0])))?;
        Some((group_of(&group[0]).0.0, geometry.blocks_on_volume(most[0], geometry.inode_table_blocks())?))
    };
    pairs.chunk_by(|one, two| group_of(one).0 == group_of(two).0).filter_map(best).collect()
}
