//! Whether what a superblock and its descriptors say is borne out by what lies there: the root directory names itself,
//! and inode tables are where they are said to be. Structures that agree with each other outweigh any field.

use std::collections::BTreeMap;

use super::super::checksum::Seed;
use super::super::disk::dirent::DirEntry;
use super::super::disk::inode::Inode;
use super::super::disk::superblock::{GOOD_OLD_FIRST_INO, GOOD_OLD_INODE_SIZE};
use super::super::disk::{at, padded};
use super::super::evidence::{Evidence, prove_superblock};
use super::super::feature::FILETYPE;
use super::super::geometry::Geometry;
use super::super::number::{BlockNr, GroupNr, InodeNr};
use super::record::Verdict;
use super::{descriptors, generation, irregular, record, sighting, tables, uncounted};
use crate::node::Kind;
use crate::source::{Source, SourceGone, read_whole};

/// Groups whose tables are looked at before a geometry is doubted: those that hold something, and of others so many more.
const MOST_LOOKED_AT: usize = 16;
const MOST_PASSED_OVER: usize = 1024;
/// Directories asked whether entries record kinds.
const MOST_ASKED: usize = 8;
/// Records that have to agree on a seed.
const FEWEST_AGREEING: usize = 3;
/// Inodes of a table among which directories are looked for.
const NEAR_START: u32 = 64;
/// Bytes at the beginning of a volume that headers of other kinds, or what `mkfs` writes first, may take.
const HEADERS: u64 = 64 << 20;

/// True where a right checksum, or a look at a few places, bears out evidence that is sound in itself. Costs a healthy
/// volume a few reads.
///
/// # Errors
/// When the source is gone.
pub fn is_borne_out(source: &Source, evidence: &Evidence) -> Result<bool, SourceGone> {
    let geometry = &evidence.geometry;
    if uncounted::find(source, evidence)?.is_some() {
        return Ok(false);
    }
    if prove_superblock(&evidence.superblock, geometry).is_some_and(|sums| sums.agree()) {
        return Ok(true);
    }
    if !tables_are_apart(geometry) || !is_root(source, geometry)? || hides_files(source, geometry)? {
        return Ok(false);
    }
    if hides_checksums(source, geometry)? {
        return Ok(false);
    }
    let reserved = evidence.superblock.s_reserved_gdt_blocks.get();
    if descriptors::is_disputed(source, geometry)? || !irregular::find(source, geometry, reserved)?.is_empty() {
        return Ok(false);
    }
    // A wrong size or number of inodes shows first in the second group.
    let second = geometry.groups.get(1).filter(|group| group.inodes_used > 0).and_then(|group| group.inode_table);
    let Some(table) = second else { return Ok(true) };
    Ok(tables::holds_inodes(source, geometry, GroupNr(1), table)? != Some(false))
}

/// The size of inodes with which the root's record leads to the root directory, where it does not with the size said, and
/// more directories are where they should be.
///
/// # Errors
/// When the source is gone.
pub fn shown_inode_size(source: &Source, geometry: &Geometry) -> Result<Option<u32>, SourceGone> {
    let of = |size: u32| Geometry { inode_size: size, ..geometry.clone() };
    if leads_to_itself(source, geometry, InodeNr::ROOT)? {
        return Ok(None);
    }
    let most = directories_in_place(source, geometry)?;
    let sizes = std::iter::successors(Some(u32::from(GOOD_OLD_INODE_SIZE)), |size| Some(size * 2));
    for size in sizes.take_while(|size| *size <= geometry.block_size).filter(|size| *size != geometry.inode_size) {
        if leads_to_itself(source, &of(size), InodeNr::ROOT)? && directories_in_place(source, &of(size))? > most {
            return Ok(Some(size));
        }
    }
    Ok(None)
}

/// True where an inode is of a directory whose first block names it.
fn leads_to_itself(source: &Source, geometry: &Geometry, nr: InodeNr) -> Result<bool, SourceGone> {
    match record_of(source, geometry, nr)? {
        Some(bytes) => Ok(tables::names_itself(source, geometry, nr, &bytes)? == Some(true)),
        None => Ok(false),
    }
}

/// How many of the first inodes of the first groups are of directories that name them.
fn directories_in_place(source: &Source, geometry: &Geometry) -> Result<usize, SourceGone> {
    let mut count = 0;
    for group in (0..geometry.group_count()).take(MOST_LOOKED_AT).map(GroupNr) {
        for index in 0..geometry.inodes_per_group.min(NEAR_START) {
            count += usize::from(leads_to_itself(source, geometry, geometry.inode_at(group, index))?);
        }
    }
    Ok(count)
}

/// True where a user's inodes are said to be the filesystem's own: more are than ever were.
///
/// # Errors
/// When the source is gone.
pub fn hides_files(source: &Source, geometry: &Geometry) -> Result<bool, SourceGone> {
    for nr in (GOOD_OLD_FIRST_INO..geometry.first_inode).take(NEAR_START as usize).map(InodeNr) {
        let Some(bytes) = record_of(source, geometry, nr)? else { continue };
        let inode = padded::<Inode>(&bytes);
        let is_user_s = matches!(Kind::from_mode(inode.i_mode.get().into()), Kind::Directory | Kind::File);
        if is_user_s && inode.i_links_count.get() > 0 && record::judge(geometry, nr, &bytes) > Verdict::Garbage {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True where the superblock knows of no checksums, and one of the first inodes has a right one. Where they were given
/// up, inodes have none.
fn hides_checksums(source: &Source, geometry: &Geometry) -> Result<bool, SourceGone> {
    if geometry.has_checksums() {
        return Ok(false);
    }
    for nr in (InodeNr::ROOT.0..=GOOD_OLD_FIRST_INO).map(InodeNr) {
        if record_of(source, geometry, nr)?.is_some_and(|bytes| record::checksum_agrees(geometry, nr, &bytes)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True where no two inode tables overlap.
fn tables_are_apart(geometry: &Geometry) -> bool {
    let mut places: Vec<BlockNr> = geometry.groups.iter().filter_map(|group| group.inode_table).collect();
    places.sort_unstable();
    places.windows(2).all(|pair| pair[1].0 - pair[0].0 >= geometry.inode_table_blocks())
}

/// True where the root's inode is a directory that names itself, and records kinds exactly where the feature says so.
fn is_root(source: &Source, geometry: &Geometry) -> Result<bool, SourceGone> {
    let Some(bytes) = record_of(source, geometry, InodeNr::ROOT)? else { return Ok(false) };
    if Kind::from_mode(padded::<Inode>(&bytes).i_mode.get().into()) != Kind::Directory {
        return Ok(false);
    }
    let Some(typed) = records_kinds(source, geometry, InodeNr::ROOT, &bytes)? else {
        // Its entries may stand in the inode itself.
        return Ok(record::first_block(geometry, &padded(&bytes)).is_none());
    };
    Ok(typed == geometry.features.has(FILETYPE))
}

fn record_of(source: &Source, geometry: &Geometry, nr: InodeNr) -> Result<Option<Vec<u8>>, SourceGone> {
    let Some(offset) = geometry.inode_offset(nr) else { return Ok(None) };
    read_whole(&**source, offset, geometry.inode_size as usize)
}

/// Whether the entries of a directory record kinds; `None` where its first block does not name it.
fn records_kinds(source: &Source, geometry: &Geometry, nr: InodeNr, bytes: &[u8]) -> Result<Option<bool>, SourceGone> {
    if tables::names_itself(source, geometry, nr, bytes)? != Some(true) {
        return Ok(None);
    }
    let Some(block) = record::first_block(geometry, &padded(bytes)) else { return Ok(None) };
    let block = read_whole(&**source, geometry.offset(block), geometry.block_size as usize)?;
    let dot = block.filter(|block| sighting::dot(block).is_some()).and_then(|block| at::<DirEntry>(&block, 0));
    Ok(dot.map(|dot| dot.file_type != 0))
}

/// Whether entries record kinds, as most of the first directories show; `None` where none shows it.
///
/// # Errors
/// When the source is gone.
pub fn shown_kinds(source: &Source, geometry: &Geometry) -> Result<Option<bool>, SourceGone> {
    let (mut typed, mut asked) = (0, 0);
    for nr in (0..geometry.group_count()).take(MOST_LOOKED_AT).map(GroupNr) {
        for index in 0..geometry.inodes_per_group.min(NEAR_START) {
            let nr = geometry.inode_at(nr, index);
            let Some(bytes) = record_of(source, geometry, nr)? else { break };
            if let Some(says) = records_kinds(source, geometry, nr, &bytes)? {
                typed += usize::from(says);
                asked += 1;
            }
            if asked == MOST_ASKED {
                return Ok(Some(typed * 2 > asked));
            }
        }
    }
    Ok((asked > 0).then_some(typed * 2 > asked))
}

/// True where inode tables do not lie where the geometry has them: two overlap, or no fewer do not bear out their place
/// than do.
///
/// # Errors
/// When the source is gone.
pub fn misleads(source: &Source, geometry: &Geometry) -> Result<bool, SourceGone> {
    let tables = Tables::count(source, geometry, 0..geometry.group_count())?;
    Ok(!tables_are_apart(geometry) || tables.right <= tables.wrong + tables.untold)
}

/// True where more inode tables are gone from where the geometry has them than are there, also of those that are not near
/// the beginning, where a newer filesystem or a header of another kind writes first. Those of which nothing tells whose they
/// are, as without checksums those that have no directories, count for neither.
///
/// # Errors
/// When the source is gone.
pub fn is_gone(source: &Source, geometry: &Geometry) -> Result<bool, SourceGone> {
    if !tables_are_apart(geometry) {
        return Ok(true);
    }
    let all: Vec<u32> = (0..geometry.group_count()).collect();
    let is_behind = |nr: &u32| {
        let table = geometry.groups[*nr as usize].inode_table;
        table.is_some_and(|table| geometry.offset(table) >= HEADERS)
    };
    let behind: Vec<u32> = all.iter().copied().filter(is_behind).collect();
    for groups in [all, behind] {
        let tables = Tables::spread(source, geometry, &groups)?;
        if tables.right > tables.wrong {
            return Ok(false);
        }
    }
    Ok(true)
}

/// True where inode tables hold something, and nothing refutes that they are where the geometry has them.
///
/// # Errors
/// When the source is gone.
pub fn is_unrefuted(source: &Source, geometry: &Geometry) -> Result<bool, SourceGone> {
    let all: Vec<u32> = (0..geometry.group_count()).collect();
    let tables = Tables::spread(source, geometry, &all)?;
    Ok(tables_are_apart(geometry) && tables.wrong == 0 && tables.right + tables.untold > 0)
}

/// What lies where a geometry has inode tables.
#[derive(Default)]
struct Tables {
    right: u32,
    wrong: u32,
    untold: u32,
}

impl Tables {
    /// Of some of `groups`, evenly spread among them: what was made over them begins at the first ones.
    fn spread(source: &Source, geometry: &Geometry, groups: &[u32]) -> Result<Self, SourceGone> {
        let step = groups.len().div_ceil(MOST_LOOKED_AT).max(1);
        Tables::count(source, geometry, groups.iter().copied().step_by(step))
    }

    /// Of the first of `groups` whose tables hold anything.
    fn count(source: &Source, geometry: &Geometry, groups: impl Iterator<Item = u32>) -> Result<Self, SourceGone> {
        let mut tables = Tables::default();
        let is_blank = |table: BlockNr| {
            let block = read_whole(&**source, geometry.offset(table), geometry.block_size as usize)?;
            Ok(block.is_none_or(|block| block.iter().all(|&byte| byte == 0)))
        };
        for nr in groups.take(MOST_PASSED_OVER) {
            if (tables.right + tables.wrong + tables.untold) as usize == MOST_LOOKED_AT {
                break;
            }
            let Some(table) = geometry.groups.get(nr as usize).and_then(|group| group.inode_table) else {
                tables.wrong += 1;
                continue;
            };
            match tables::holds_inodes(source, geometry, GroupNr(nr), table)? {
                Some(true) => tables.right += 1,
                Some(false) => tables.wrong += 1,
                None => tables.untold += u32::from(!is_blank(table)?),
            }
        }
        Ok(tables)
    }
}

/// What begins the checksums of inodes, as their records show it; `Some(None)` where records have room for checksums
/// and keep none, `None` where too little is left to tell.
///
/// # Errors
/// When the source is gone.
pub fn shown_seed(source: &Source, geometry: &Geometry) -> Result<Option<Option<Seed>>, SourceGone> {
    let mut votes: BTreeMap<u32, usize> = BTreeMap::new();
    let (mut asked, mut agreeing) = (0, 0);
    for group in (0..geometry.group_count()).take(MOST_LOOKED_AT).map(GroupNr) {
        for index in 0..geometry.inodes_per_group.min(NEAR_START) {
            let nr = geometry.inode_at(group, index);
            let Some(bytes) = record_of(source, geometry, nr)? else { break };
            if bytes.iter().all(|&byte| byte == 0) {
                continue;
            }
            asked += 1;
            agreeing += usize::from(record::judge(geometry, nr, &bytes) == Verdict::Proved);
            let said = match generation::of_record(&bytes) {
                None => seed_by_block(source, geometry, nr, &bytes)?,
                said => said.map(|said| said ^ nr.0),
            };
            if let Some(seed) = said {
                *votes.entry(seed).or_default() += 1;
            }
        }
    }
    let best = votes.into_iter().max_by_key(|&(seed, count)| (count, seed));
    // Small inodes keep half a checksum, which only agrees or does not.
    if agreeing * 2 > asked {
        return Ok(Some(Some(geometry.seed)));
    }
    Ok(match best {
        // Wrong checksums agree by chance once in four billion times.
        Some((seed, count)) if count >= FEWEST_AGREEING => Some(Some(Seed(seed))),
        _ if asked >= MOST_ASKED => Some(None),
        _ => None,
    })
}

/// The volume's seed by the block that a directory's record leads to: small records keep half a checksum, which only
/// agrees or does not.
fn seed_by_block(source: &Source, geometry: &Geometry, nr: InodeNr, record: &[u8]) -> Result<Option<u32>, SourceGone> {
    if tables::names_itself(source, geometry, nr, record)? != Some(true) {
        return Ok(None);
    }
    let inode: Inode = padded(record);
    let Some(block) = record::first_block(geometry, &inode) else { return Ok(None) };
    let block = read_whole(&**source, geometry.offset(block), geometry.block_size as usize)?;
    Ok(block.and_then(|block| generation::of_volume(nr, inode.i_generation.get(), &block)))
}
