//! A filesystem without any superblock: its geometry, inferred from the directories found on it.
//!
//! A directory's first block names the directory's own inode number; the inode that maps this block is that inode. Each
//! such pair says where one number lies, and all pairs together how large inodes are, how many a group has and where
//! each group's table begins. What is inferred is written into a superblock, and read on like any other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;
use zerocopy::FromZeros;

use super::super::dir;
use super::super::disk::inode::Inode;
use super::super::disk::padded;
use super::super::disk::superblock::{GOOD_OLD_INODE_SIZE, Superblock};
use super::super::evidence::Evidence;
use super::super::feature::{
    self, CSUM_SEED, DIR_INDEX, EXT_ATTR, EXTENTS, FILETYPE, FLEX_BG, HAS_JOURNAL, HUGE_FILE, INLINE_DATA, LARGE_FILE,
    METADATA_CSUM, SPARSE_SUPER,
};
use super::super::geometry::Geometry;
use super::super::number::{BlockNr, GroupNr, InodeNr};
use super::entries::{Tried, TypedEntry, entries};
use super::generation;
use super::record::{self, Verdict};
use super::superblock::BLOCK_SIZES;
use super::supposed::{Pair, Supposed, fill};
use super::traces::{Dir, DirInode, Traces};
use crate::finding::Log;
use crate::node::Kind;
use crate::source::{Kept, Source, SourceGone, read_whole};

/// Numbers of inodes per group, the likeliest, for which all tables are placed.
const MOST_PLACED: usize = 8;
/// Entries on which all possible numbers are tried, with tables placed, to find the likeliest.
const SAMPLE: usize = 128;
/// Groups of a volume up to which that is done.
const MOST_SAMPLED: u32 = 1024;
/// Pairs near which inodes are looked for to learn their size, how far from them, and how many make sure.
const MOST_PAIRS: usize = 256;
const NEAR: u32 = 64;
const FEWEST_NAMED: usize = 3;
/// Entries of the highest numbers that are asked for an inode.
const MOST_LAST: usize = 1024;

/// What can be said of a filesystem that has lost all its superblocks; `None` where too few directories were found.
///
/// # Errors
/// When the source is gone.
pub fn evidence(source: &Source, block_size: Option<u64>, traces: &Traces) -> Result<Option<Evidence>, SourceGone> {
    let dirs = &traces.dirs;
    let Some(block_size) = block_size.or_else(|| vote_block_size(dirs)) else { return Ok(None) };
    let pairs = pairs(block_size, traces);
    let entries = entries(block_size, &traces.named);
    // The same places are tried with many numbers of inodes per group.
    let source: &Source = &(Arc::new(Kept::new(source.clone())) as Source);
    let inode_size = match vote_inode_size(&pairs, block_size) {
        None => inode_size_by_entries(source, block_size, &pairs, &entries)?,
        voted => voted,
    };
    let Some(inode_size) = inode_size else { return Ok(None) };
    let seed = match vote_seed(pairs.iter().filter_map(|pair| Some((pair.seed?, pair.nr)))) {
        None => seed_by_blocks(source, block_size, &pairs)?,
        voted => voted,
    };
    let base = superblock(source.len(), block_size, inode_size, dirs, &pairs, seed);
    let sizes = possible_group_sizes(&pairs, block_size, inode_size);
    let Some((mut geometry, superblock)) = best_fitting(source, &base, &sizes, &pairs, &entries)? else {
        return Ok(None);
    };
    geometry.inferred = true;
    let last = last_named(source, &geometry, &pairs, &entries)?;
    for nr in 0..geometry.group_count() {
        geometry.groups[nr as usize].inodes_used = inodes_used(source, &geometry, GroupNr(nr), last)?;
    }
    let placed = geometry.groups.iter().filter(|group| group.inode_table.is_some()).count();
    let decisions = vec![format!(
        "no superblock was found; from {} directories found by content: blocks of {} bytes, inodes of {}, {} of them in each of {} groups, {placed} of which have a known inode table",
        pairs.len(),
        geometry.block_size,
        geometry.inode_size,
        geometry.inodes_per_group,
        geometry.groups.len(),
    )];
    Ok(Some(Evidence { superblock, geometry, sound: false, log: Log::new(), decisions }))
}

/// How much more of the entries found speaks for a geometry than against it.
///
/// # Errors
/// When the source is gone.
pub fn balance(source: &Source, geometry: &Geometry, block_size: u64, traces: &Traces) -> Result<i64, SourceGone> {
    let entries = entries(block_size, &traces.named);
    Ok(Tried::on(source, &entries).count(geometry, None)?.balance())
}

/// The geometry with that one of the possible numbers of inodes per group for which the most speaks.
fn best_fitting(
    source: &Source,
    base: &Superblock,
    sizes: &[(u32, usize)],
    pairs: &[Pair],
    entries: &[TypedEntry],
) -> Result<Option<(Geometry, Superblock)>, SourceGone> {
    let supposed = |per_group: u32| Supposed::new(source.len(), base, per_group, pairs);
    let rank = |&(per_group, agreeing): &(u32, usize)| {
        let Some(supposed) = supposed(per_group) else { return Ok(None) };
        Ok(Some((supposed.is_regular(), leading(source, supposed, entries)?, agreeing, per_group)))
    };
    let ranked: Vec<Option<_>> = sizes.par_iter().map(rank).collect::<Result<_, SourceGone>>()?;
    let mut ranked: Vec<_> = ranked.into_iter().flatten().collect();
    ranked.sort_unstable_by_key(|rank| std::cmp::Reverse(*rank));
    // Only the right number lets the rules of layout find the tables without directories, too.
    let mut tried = Tried::on(source, entries);
    let mut best: Option<((bool, i64, u32), Supposed)> = None;
    for (regular, _, _, per_group) in ranked.into_iter().take(MOST_PLACED) {
        let Some(mut supposed) = supposed(per_group) else { continue };
        supposed.place_rest(source, &mut tried, true)?;
        // Of numbers for which as much speaks, the largest: it takes the fewest tables to be somewhere.
        let speaks_for = (regular, tried.count(&supposed.geometry, None)?.balance(), per_group);
        if best.as_ref().is_none_or(|(most, _)| speaks_for > *most) {
            best = Some((speaks_for, supposed));
        }
    }
    Ok(best.map(|(_, fit)| (fit.geometry, fit.superblock)))
}

/// How many more entries lead to what they name than do not: of a sample, once the tables are placed.
fn leading(source: &Source, mut supposed: Supposed, entries: &[TypedEntry]) -> Result<i64, SourceGone> {
    let sample: Vec<TypedEntry> = entries.iter().copied().step_by(entries.len().div_ceil(SAMPLE).max(1)).collect();
    let mut tried = Tried::on(source, &sample);
    if supposed.geometry.group_count() <= MOST_SAMPLED {
        supposed.place_rest(source, &mut tried, false)?;
    }
    Ok(tried.count(&supposed.geometry, None)?.balance())
}

/// The block size at which the most directories' first blocks end.
pub fn vote_block_size(dirs: &[Dir]) -> Option<u64> {
    let votes = |bit: usize| dirs.iter().filter(|dir| dir.ends & 1 << bit != 0).count();
    let best = (0..BLOCK_SIZES.len()).rev().max_by_key(|&bit| votes(bit))?;
    (votes(best) > 0).then(|| BLOCK_SIZES[best])
}

/// The inodes of the directories: those that map a first block.
fn pairs(block_size: u64, traces: &Traces) -> Vec<Pair> {
    let first_blocks: HashMap<u64, u32> = traces.dirs.iter().map(|dir| (dir.at / block_size, dir.own)).collect();
    let fitting = traces.inodes.iter().filter(|inode| inode.size.is_multiple_of(block_size));
    let pair = |inode: &DirInode| {
        let nr = *first_blocks.get(&inode.first)?;
        Some(Pair {
            nr,
            at: inode.at,
            first: inode.first,
            seed: inode.seed.map(|seed| seed ^ nr),
            extents: inode.extents,
        })
    };
    let mut pairs: Vec<Pair> = fitting.filter_map(pair).collect();
    pairs.sort_unstable();
    pairs
}

/// The distance of records per number that most neighbouring pairs show.
fn vote_inode_size(pairs: &[Pair], block_size: u64) -> Option<u64> {
    let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
    for two in pairs.windows(2) {
        let (numbers, bytes) = (u64::from(two[1].nr - two[0].nr), two[1].at.saturating_sub(two[0].at));
        if numbers > 0 && bytes.is_multiple_of(numbers) {
            let size = bytes / numbers;
            if size.is_power_of_two() && (128..=block_size).contains(&size) {
                *votes.entry(size).or_default() += 1;
            }
        }
    }
    votes.into_iter().max_by_key(|&(size, count)| (count, size)).map(|(size, _)| size)
}

/// The size of inodes with which the most entries lead to what they name, a little behind a directory's record: where no
/// group has two directories.
fn inode_size_by_entries(
    source: &Source,
    block_size: u64,
    pairs: &[Pair],
    entries: &[TypedEntry],
) -> Result<Option<u64>, SourceGone> {
    let mut best: Option<(usize, u64)> = None;
    for size in (7..=block_size.trailing_zeros()).map(|shift| 1 << shift) {
        let mut right = 0;
        for pair in pairs.iter().take(MOST_PAIRS) {
            let first = entries.partition_point(|&(nr, _)| nr <= pair.nr);
            let near = entries[first..].iter().take_while(|(nr, _)| nr - pair.nr < NEAR);
            for &(nr, kind) in near {
                let at = pair.at.saturating_add(u64::from(nr - pair.nr) * size);
                let Some(record) = read_whole(&**source, at, GOOD_OLD_INODE_SIZE.into())? else { continue };
                let inode: Inode = padded(&record);
                let found = Kind::from_mode(inode.i_mode.get().into());
                right += usize::from(dir::block::kind(kind) == Some(found) && inode.i_links_count.get() > 0);
            }
        }
        if right >= FEWEST_NAMED && best.is_none_or(|(most, _)| right >= most) {
            best = Some((right, size));
        }
    }
    Ok(best.map(|(_, size)| size))
}

/// A superblock with everything that does not depend on the number of inodes per group.
fn superblock(
    len: u64,
    block_size: u64,
    inode_size: u64,
    dirs: &[Dir],
    pairs: &[Pair],
    seed: Option<u32>,
) -> Superblock {
    let mut sb = Superblock::new_zeroed();
    fill(&mut sb, len, block_size, inode_size as u16, 8, 8 * block_size);
    let mut features = vec![HAS_JOURNAL, EXT_ATTR, DIR_INDEX, LARGE_FILE, HUGE_FILE, SPARSE_SUPER, FLEX_BG];
    if dirs.iter().filter(|dir| dir.typed).count() * 2 > dirs.len() {
        features.push(FILETYPE);
    }
    if pairs.iter().any(|pair| pair.extents) {
        features.extend([EXTENTS, INLINE_DATA]);
    }
    if let Some(seed) = seed {
        features.extend([METADATA_CSUM, CSUM_SEED]);
        sb.s_checksum_seed.set(seed);
    }
    let all = features.into_iter().fold(feature::Features::default(), feature::Features::with);
    sb.s_feature_compat.set(all.compat);
    sb.s_feature_incompat.set(all.incompat);
    sb.s_feature_ro_compat.set(all.ro_compat);
    sb
}

/// The volume's seed on which the checksums of the most numbers agree.
fn vote_seed(seeds: impl Iterator<Item = (u32, u32)>) -> Option<u32> {
    let mut votes: HashMap<u32, usize> = HashMap::new();
    // The journal has copies.
    for (seed, _) in seeds.collect::<BTreeSet<_>>() {
        *votes.entry(seed).or_default() += 1;
    }
    // Two wrong checksums agree by chance once in four billion times.
    votes.into_iter().filter(|&(_, count)| count > 1).max_by_key(|&(seed, count)| (count, seed)).map(|(seed, _)| seed)
}

/// The volume's seed by directories' first blocks, where records have no room for a whole checksum.
fn seed_by_blocks(source: &Source, block_size: u64, pairs: &[Pair]) -> Result<Option<u32>, SourceGone> {
    let mut seeds = Vec::new();
    for pair in pairs.iter().take(MOST_PAIRS) {
        let record = read_whole(&**source, pair.at, GOOD_OLD_INODE_SIZE.into())?;
        let block = read_whole(&**source, pair.first.saturating_mul(block_size), block_size as usize)?;
        let (Some(record), Some(block)) = (record, block) else { continue };
        let generation = padded::<Inode>(&record).i_generation.get();
        seeds.extend(generation::of_volume(InodeNr(pair.nr), generation, &block).map(|seed| (seed, pair.nr)));
    }
    Ok(vote_seed(seeds.into_iter()))
}

/// Numbers of inodes per group that hardly a pair contradicts, the largest first, and how many pairs agree on each.
fn possible_group_sizes(pairs: &[Pair], block_size: u64, inode_size: u64) -> Vec<(u32, usize)> {
    let per_block = (block_size / inode_size).max(1) as u32;
    let step = per_block.max(8);
    // Where a table would begin if number 1 were in it: pairs of one group agree on it. The journal has copies of records:
    // each number counts once.
    let line = |pair: &Pair| (pair.nr, pair.at.wrapping_sub(u64::from(pair.nr - 1) * inode_size));
    let lines: Vec<(u32, u64)> = pairs.iter().map(line).collect::<BTreeSet<_>>().into_iter().collect();
    let numbers = lines.chunk_by(|one, two| one.0 == two.0).count();
    let possible = |&size: &u32| {
        let groups = lines.chunk_by(|one, two| (one.0 - 1) / size == (two.0 - 1) / size);
        let agreeing: usize = groups.map(most_in_line).sum();
        // Old and foreign records are among them: most have to agree.
        (agreeing * 5 >= numbers * 4).then_some((size, agreeing))
    };
    let sizes: Vec<u32> = (step..=(8 * block_size) as u32).rev().step_by(step as usize).collect();
    sizes.par_iter().filter_map(possible).collect()
}

/// How many numbers of one group agree on where its table begins.
fn most_in_line(group: &[(u32, u64)]) -> usize {
    let mut lines: Vec<u64> = group.iter().map(|(_, line)| *line).collect();
    lines.sort_unstable();
    lines.chunk_by(|one, two| one == two).map(<[u64]>::len).max().unwrap_or(0)
}

/// The last number that is named and has an inode: a damaged entry names any, far behind the end of the tables.
fn last_named(source: &Source, geometry: &Geometry, pairs: &[Pair], entries: &[TypedEntry]) -> Result<u32, SourceGone> {
    let in_place = |pair: &&Pair| geometry.inode_offset(InodeNr(pair.nr)) == Some(pair.at);
    let last = pairs.iter().rev().find(in_place).map_or(0, |pair| pair.nr);
    let mut tried = Tried::on(source, entries);
    for entry in entries.iter().rev().take(MOST_LAST).take_while(|entry| entry.0 > last) {
        if tried.is_right(geometry, *entry)? {
            return Ok(entry.0);
        }
    }
    Ok(last)
}

/// How far a group's table goes: to the last number that anything names, and on to where something else begins.
fn inodes_used(source: &Source, geometry: &Geometry, nr: GroupNr, last: u32) -> Result<u32, SourceGone> {
    let Some(table) = geometry.groups[nr.0 as usize].inode_table else { return Ok(0) };
    let named = last.saturating_sub(geometry.inode_at(nr, 0).0 - 1).min(geometry.inodes_per_group);
    let per_block = geometry.block_size / geometry.inode_size;
    let mut used = named.next_multiple_of(per_block);
    while used < geometry.inodes_per_group {
        let offset = geometry.offset(BlockNr(table.0 + u64::from(used / per_block)));
        let Some(block) = read_whole(&**source, offset, geometry.block_size as usize)? else { break };
        let mut records = block.chunks_exact(geometry.inode_size as usize).zip(used..);
        let is_foreign =
            |(bytes, index): (&[u8], u32)| match record::judge(geometry, geometry.inode_at(nr, index), bytes) {
                Verdict::Garbage => true,
                Verdict::Plausible => geometry.has_checksums() || !was_used(&padded(bytes)),
                Verdict::Blank | Verdict::Proved => false,
            };
        if records.any(is_foreign) {
            break;
        }
        used += per_block;
    }
    Ok(used.min(geometry.inodes_per_group))
}

/// True for an inode in use, or deleted after it last changed. A short text with zeros behind it has nothing else that no
/// inode may have.
fn was_used(inode: &Inode) -> bool {
    let deleted = inode.i_dtime.get();
    inode.i_links_count.get() > 0 || deleted != 0 && deleted >= inode.i_ctime.get()
}
