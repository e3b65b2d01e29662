//! Blocks of inode tables that lie in another's place, or are copies of another: [`records`].
//!
//! A record without a whole checksum does not tell its number, but a directory's first block does. Where all directories among
//! the records of a block turn out to be those of another one, in the same order, the block was written where it does not
//! belong. Its records are those of the other; what belongs in its place is what lies in the other's, or lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::disk::superblock::GOOD_OLD_INODE_SIZE;
use super::super::geometry::Geometry;
use super::super::inode::Inode;
use super::super::number::{GroupNr, InodeNr};
use super::super::twins;
use super::super::volume::Volume;
use super::claims::Claims;
use super::record::{self, Verdict};
use super::roll::Roll;
use super::sighting::{Sighting, What};
use crate::source::SourceGone;

/// A block of an inode table: the group, and which of the table's blocks.
type TableBlock = (GroupNr, u32);

/// What the directories of a block tell.
#[derive(Default)]
struct Told {
    /// Directories that are in their place.
    right: usize,
    /// Directories that belong at the same place of another block.
    elsewhere: BTreeMap<TableBlock, usize>,
    /// Directories that belong at another place of any block.
    confused: usize,
}

impl Told {
    /// True where a single directory tells.
    fn is_single(&self) -> bool {
        self.elsewhere.values().sum::<usize>() == 1
    }

    /// The block in whose place this one should lie.
    fn home(&self) -> Option<TableBlock> {
        let (home, count) = self.elsewhere.first_key_value().filter(|_| self.elsewhere.len() == 1)?;
        // Some of the directories' blocks may be others', too.
        (self.right == 0 && self.confused * 4 <= *count).then_some(*home)
    }
}

/// True unless the files of a block's records lie nearer to those of the inodes beside its place than to those of the inodes
/// beside `home`: then it is the directory's block that lies in another's place.
fn is_nearer(volume: &Volume, place: TableBlock, home: TableBlock) -> Result<bool, SourceGone> {
    let of = |(group, block): TableBlock| volume.geometry.inode_at(group, block * per_block(&volume.geometry));
    let mut starts = Vec::new();
    for (record, nr) in block(volume, place)?.iter().zip(numbers(&volume.geometry, place)) {
        starts.extend(twins::start(&volume.geometry, &Inode::decode(nr, record)));
    }
    starts.sort_unstable();
    let Some(middle) = starts.get(starts.len() / 2).copied() else { return Ok(true) };
    let (here, there) = (twins::distance(volume, of(place), middle)?, twins::distance(volume, of(home), middle)?);
    Ok(here.zip(there).is_none_or(|(here, there)| there <= here))
}

/// The records of inodes of which those on the disk lie in another's place: zeros where they are lost.
///
/// # Errors
/// When the source is gone.
pub fn records(
    volume: &Volume,
    roll: &Roll,
    claims: &Claims,
    sightings: &[Sighting],
) -> Result<BTreeMap<InodeNr, Arc<[u8]>>, SourceGone> {
    let mut better = BTreeMap::new();
    let geometry = &volume.geometry;
    if geometry.has_checksums() && geometry.inode_size > u32::from(GOOD_OLD_INODE_SIZE) {
        return Ok(better);
    }
    let told = told(&volume.geometry, roll, claims, sightings);
    let mut displaced: BTreeMap<TableBlock, TableBlock> = BTreeMap::new();
    for (place, told) in &told {
        if let Some(home) = told.home()
            && (!told.is_single() || is_nearer(volume, *place, home)?)
        {
            displaced.insert(*place, home);
        }
    }
    let mut holders: BTreeMap<TableBlock, TableBlock> = BTreeMap::new();
    let mut lost = Vec::new();
    for (&place, &home) in &displaced {
        if told.get(&home).is_none_or(|told| told.right == 0) {
            holders.entry(home).or_insert(place);
            lost.push(place);
        } else if block(volume, place)? == block(volume, home)? {
            lost.push(place);
        }
    }
    for (home, place) in &holders {
        put(volume, *home, &block(volume, *place)?, &mut better);
    }
    for place in lost.into_iter().filter(|place| !holders.contains_key(place)) {
        // Two blocks change places as a whole; the other one may have no directories that tell.
        let other = displaced[&place];
        let changed = holders.get(&other) == Some(&place) && !told.contains_key(&other);
        let found = if changed { block(volume, other)? } else { Vec::new() };
        let is_sound = found.iter().zip(numbers(&volume.geometry, place)).all(|(record, nr)| {
            matches!(record::judge(&volume.geometry, nr, record), Verdict::Plausible | Verdict::Blank)
        });
        put(volume, place, if is_sound { &found } else { &[] }, &mut better);
    }
    Ok(better)
}

/// What directories tell of the blocks that their records lie in.
fn told(geometry: &Geometry, roll: &Roll, claims: &Claims, sightings: &[Sighting]) -> BTreeMap<TableBlock, Told> {
    let mut all: BTreeMap<TableBlock, Told> = BTreeMap::new();
    for sighting in sightings {
        let What::First { own, .. } = sighting.what else { continue };
        let Some(own) = geometry.inode(own) else { continue };
        for nr in claims.owners(sighting.block).filter(|nr| roll.get(*nr).is_directory()) {
            let ((place, index), (home, slot)) = (block_of(geometry, nr), block_of(geometry, own));
            let told = all.entry(place).or_default();
            if nr == own {
                told.right += 1;
            } else if index == slot {
                *told.elsewhere.entry(home).or_default() += 1;
            } else {
                told.confused += 1;
            }
        }
    }
    all
}

/// The block of the table that an inode's record is in, and its place there.
fn block_of(geometry: &Geometry, nr: InodeNr) -> (TableBlock, u32) {
    let (group, index) = geometry.group_of_inode(nr);
    let per_block = per_block(geometry);
    ((group, index / per_block), index % per_block)
}

fn per_block(geometry: &Geometry) -> u32 {
    (geometry.block_size / geometry.inode_size).max(1)
}

/// The inodes whose records belong in a block.
fn numbers(geometry: &Geometry, (group, block): TableBlock) -> impl Iterator<Item = InodeNr> + '_ {
    let first = block * per_block(geometry);
    (first..geometry.inodes_per_group.min(first + per_block(geometry)))
        .map(move |index| geometry.inode_at(group, index))
}

/// The records that lie in a block; empty where it can not be read.
fn block(volume: &Volume, place: TableBlock) -> Result<Vec<Arc<[u8]>>, SourceGone> {
    let mut inodes = volume.inodes();
    let mut records = Vec::new();
    for nr in numbers(&volume.geometry, place) {
        let Some(inode) = inodes.read(nr)? else { return Ok(Vec::new()) };
        records.push(Arc::from(&*inode.record));
    }
    Ok(records)
}

/// Takes records for those that belong in a block, and zeros for all others. A tree needs a root, so its record stays.
fn put(volume: &Volume, home: TableBlock, records: &[Arc<[u8]>], better: &mut BTreeMap<InodeNr, Arc<[u8]>>) {
    let zeros: Arc<[u8]> = Arc::from(vec![0; volume.geometry.inode_size as usize]);
    for (index, nr) in numbers(&volume.geometry, home).enumerate() {
        match records.get(index) {
            Some(record) => better.insert(nr, record.clone()),
            None if nr == InodeNr::ROOT => None,
            None => better.insert(nr, zeros.clone()),
        };
    }
}
