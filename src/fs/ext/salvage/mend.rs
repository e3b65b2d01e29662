//! Directories' records in which a field, or a few, are ruined: mended, where the map then leads to the block that
//! names the directory.
//!
//! A directory's first block holds the directory's number. So a record and the block that it maps bear each other out,
//! whatever mode, flags, size, number of links or the head of the extent tree say: of all the ways to read a record the
//! one that leads to such a block is right.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use zerocopy::IntoBytes;

use super::super::disk::extent::{ENTRY_SIZE, ExtentHeader, MAGIC};
use super::super::disk::inode::{self as disk, flags};
use super::super::disk::padded;
use super::super::feature::{self, Features};
use super::super::inode::{Inode, Layout};
use super::super::map;
use super::super::number::{BlockNr, InodeNr};
use super::super::volume::Volume;
use super::claims::Claims;
use super::roll::Roll;
use super::sighting::{Sighting, What};
use crate::bytes::le32;
use crate::node::{Backing, Kind, Trust};
use crate::source::SourceGone;

/// Extents that an inode has room for.
const ROOM: usize = disk::I_BLOCK_SIZE / ENTRY_SIZE - 1;
/// Blocks of one directory that are looked at: as many as the largest ones have.
const MOST_BLOCKS: usize = 1 << 20;
/// The mode of a directory whose own is lost: for nobody's eyes but the owner's, as nothing is known of who may see it.
const MODE: u16 = 0o040_700;

/// The mended records of directories, those that differ from what lies on the disk.
///
/// # Errors
/// When the source is gone.
pub fn directories(
    volume: &Volume,
    roll: &Roll,
    claims: &Claims,
    sightings: &[Sighting],
) -> Result<BTreeMap<InodeNr, Arc<[u8]>>, SourceGone> {
    let blocks: HashSet<BlockNr> = sightings.iter().filter(|it| it.what.is_of_directory()).map(|it| it.block).collect();
    let mut mended = BTreeMap::new();
    let mut inodes = volume.inodes();
    for (nr, firsts) in firsts(volume, roll, claims, sightings) {
        let Some(record) = inodes.read(nr)?.map(|inode| inode.record.to_vec()) else { continue };
        if record.iter().all(|&byte| byte == 0) {
            continue;
        }
        let Some(best) = best_reading(volume, nr, &record, &firsts, &blocks)? else { continue };
        let best = sized(volume, nr, best, &blocks)?;
        if best != record {
            mended.insert(nr, best.into());
        }
    }
    Ok(mended)
}

/// Of the readings of a record that lead to one of `firsts`, the one that leads to the most blocks of directories.
fn best_reading(
    volume: &Volume,
    nr: InodeNr,
    record: &[u8],
    firsts: &BTreeSet<BlockNr>,
    blocks: &HashSet<BlockNr>,
) -> Result<Option<Vec<u8>>, SourceGone> {
    let mut best: Option<(usize, Vec<u8>)> = None;
    for reading in readings(volume.geometry.features, record) {
        if !first_block(volume, nr, &reading)?.is_some_and(|first| firsts.contains(&first)) {
            continue;
        }
        let mapped = mapped(volume, nr, &reading, u64::MAX)?;
        let right = mapped.iter().filter(|(_, at)| blocks.contains(at)).count();
        // Where the record as it lies leads to nothing else, no other reading is better.
        let whole = best.is_none() && right == mapped.len() && reading == record;
        if best.as_ref().is_none_or(|(most, _)| right > *most) {
            best = Some((right, reading));
        }
        if whole {
            break;
        }
    }
    Ok(best.map(|(_, reading)| reading))
}

/// The blocks that name each directory which no checksum proves, without those that are another's: the journal has
/// copies.
fn firsts(
    volume: &Volume,
    roll: &Roll,
    claims: &Claims,
    sightings: &[Sighting],
) -> BTreeMap<InodeNr, BTreeSet<BlockNr>> {
    let mut firsts: BTreeMap<InodeNr, BTreeSet<BlockNr>> = BTreeMap::new();
    for sighting in sightings {
        let What::First { own, .. } = sighting.what else { continue };
        let Some(nr) = volume.geometry.inode(own).filter(|nr| !roll.get(*nr).proved) else { continue };
        if claims.owners(sighting.block).all(|owner| owner == nr) {
            firsts.entry(nr).or_default().insert(sighting.block);
        }
    }
    firsts
}

/// The ways to read a record as a directory's, the one that believes most of it first; none for one that was removed.
pub fn readings(features: Features, record: &[u8]) -> Vec<Vec<u8>> {
    let mut inode: disk::Inode = padded(record);
    if inode.i_links_count.get() == 0 && inode.i_dtime.get() != 0 {
        return Vec::new();
    }
    if Kind::from_mode(inode.i_mode.get().into()) != Kind::Directory {
        inode.i_mode.set(MODE);
    }
    if inode.i_links_count.get() == 0 {
        inode.i_links_count.set(2);
    }
    inode.i_dtime.set(0);
    inode.i_obso_faddr.set(0);
    inode.l_i_reserved.set(0);
    inode.i_flags.set(inode.i_flags.get() & possible_flags(features));
    let mut other = inode;
    other.i_flags.set(inode.i_flags.get() ^ flags::EXTENTS);
    // Behind the entries in use may stand others that once were.
    let most = if features.has(feature::EXTENTS) { 1 + ascending(&inode) } else { 0 };
    let headless = (1..=most).rev().flat_map(|entries| [0, 1].map(|depth| with_header(inode, depth, entries)));
    let all = [inode, other].into_iter().chain(headless);
    all.map(|inode| written(record, &inode)).collect()
}

/// The record with other fields.
fn written(record: &[u8], inode: &disk::Inode) -> Vec<u8> {
    let mut bytes = record.to_vec();
    let fields =
        if bytes.len() > disk::BASE_SIZE { size_of::<disk::Inode>() } else { disk::BASE_SIZE }.min(bytes.len());
    bytes[..fields].copy_from_slice(&inode.as_bytes()[..fields]);
    bytes
}

/// The flags that a directory with blocks of its own can have on this volume.
fn possible_flags(features: Features) -> u32 {
    let known = flags::NAMES.iter().fold(0, |known, (flag, _)| known | flag);
    let of = |feature, flag| if features.has(feature) { 0 } else { flag };
    known
        & !(flags::INLINE_DATA | flags::EA_INODE | flags::VERITY)
        & !of(feature::ENCRYPT, flags::ENCRYPT)
        & !of(feature::CASEFOLD, flags::CASEFOLD)
}

/// How many entries of a tree's root, the first left out, follow each other.
fn ascending(inode: &disk::Inode) -> u16 {
    let starts = inode.i_block.chunks_exact(ENTRY_SIZE).skip(1).map(|entry| le32(entry, 0).unwrap_or_default());
    let starts: Vec<u32> = starts.collect();
    starts.windows(2).take_while(|two| two[0] < two[1]).count() as u16
}

/// A tree of extents with a new header.
fn with_header(mut inode: disk::Inode, depth: u16, entries: u16) -> disk::Inode {
    let header = ExtentHeader {
        eh_magic: MAGIC.into(),
        eh_entries: entries.into(),
        eh_max: (ROOM as u16).into(),
        eh_depth: depth.into(),
        eh_generation: 0.into(),
    };
    inode.i_block[..ENTRY_SIZE].copy_from_slice(header.as_bytes());
    inode.i_flags.set(inode.i_flags.get() | flags::EXTENTS);
    inode
}

/// The first block that a record maps.
fn first_block(volume: &Volume, nr: InodeNr, record: &[u8]) -> Result<Option<BlockNr>, SourceGone> {
    Ok(mapped(volume, nr, record, volume.geometry.block_size.into())?.first().map(|(_, block)| *block))
}

/// The blocks that a record maps, up to `size`: which of the directory, and where it lies.
pub fn mapped(volume: &Volume, nr: InodeNr, record: &[u8], size: u64) -> Result<Vec<(u64, BlockNr)>, SourceGone> {
    let inode = Inode::decode(nr, record);
    if !matches!(inode.layout(&volume.geometry), Layout::Extents | Layout::Pointers) {
        return Ok(Vec::new());
    }
    let block = u64::from(volume.geometry.block_size);
    let mut found = Vec::new();
    for extent in map::map(volume, &inode, size)?.extents {
        let Backing::Device { offset, .. } = extent.backing else { continue };
        let run = (extent.logical / block..extent.span().end.div_ceil(block)).zip((offset / block..).map(BlockNr));
        found.extend(run.take(MOST_BLOCKS.saturating_sub(found.len())));
    }
    Ok(found)
}

/// A record whose size reaches all directory blocks that it maps.
fn sized(volume: &Volume, nr: InodeNr, record: Vec<u8>, blocks: &HashSet<BlockNr>) -> Result<Vec<u8>, SourceGone> {
    let block = u64::from(volume.geometry.block_size);
    let mut inode: disk::Inode = padded(&record);
    let size = Inode::decode(nr, &record).size(&volume.geometry);
    let all = mapped(volume, nr, &record, u64::MAX)?;
    let end = all.iter().rev().find(|(_, at)| blocks.contains(at)).map_or(block, |(logical, _)| (logical + 1) * block);
    let most = all.last().map_or(block, |(logical, _)| (logical + 1) * block);
    // Where a part of the map is lost, or leads elsewhere, the size alone says how much there was, and the number of blocks.
    let is_lossy = map::map(volume, &Inode::decode(nr, &record), size)?.trust >= Trust::Partial;
    let is_counted = size <= Inode::decode(nr, &record).allocated(&volume.geometry);
    if size >= end && (size <= most || is_lossy || is_counted) && size.is_multiple_of(block) {
        return Ok(record);
    }
    inode.i_size_lo.set(end as u32);
    inode.i_size_high.set((end >> 32) as u32);
    Ok(written(&record, &inode))
}
