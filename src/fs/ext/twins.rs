//! Two inodes with one record, as a block of a table that was written in another's place makes them: [`copy`].

use super::geometry::Geometry;
use super::inode::Inode;
use super::number::{BlockNr, InodeNr};
use super::sharing;
use super::volume::Volume;
use crate::source::SourceGone;

/// Inodes beside a block of a table, on either side, that are asked for their place.
const NEIGHBOURS: usize = 8;
/// Inodes on either side among which those are looked for.
const NEAR: u32 = 256;
/// How many times further away one of two is whose record is the copy.
const FURTHER: u64 = 4;

/// Of two inodes with the same record, the copy: files mostly lie near those of the inodes beside theirs, or at least in
/// the group of their inode. `None` where that does not tell.
///
/// # Errors
/// When the source is gone.
pub fn copy(volume: &Volume, one: InodeNr, other: InodeNr) -> Result<Option<InodeNr>, SourceGone> {
    let geometry = &volume.geometry;
    let (Some(first), Some(second)) = (volume.inode(one)?, volume.inode(other)?) else { return Ok(None) };
    let Some(start) = start(geometry, &first).filter(|_| first.record == second.record) else { return Ok(None) };
    let further = |at: u64, than: u64| at / FURTHER > than;
    match (distance(volume, one, start)?, distance(volume, other, start)?) {
        (Some(first), Some(second)) if further(first, second) => return Ok(Some(one)),
        (Some(first), Some(second)) if further(second, first) => return Ok(Some(other)),
        _ => {}
    }
    let is_at_home = |nr| geometry.group_of_inode(nr).0 == geometry.group_of_block(BlockNr(start));
    Ok(match (is_at_home(one), is_at_home(other)) {
        (true, false) => Some(other),
        (false, true) => Some(one),
        _ => None,
    })
}

/// The first block that a record names.
pub fn start(geometry: &Geometry, inode: &Inode<'_>) -> Option<u64> {
    sharing::in_record(geometry, inode).first().map(|(start, _)| *start)
}

/// How far a block is from where the inodes beside the block of `nr`'s record lead: from the middle one of those places.
///
/// # Errors
/// When the source is gone.
pub fn distance(volume: &Volume, nr: InodeNr, start: u64) -> Result<Option<u64>, SourceGone> {
    let geometry = &volume.geometry;
    let (group, index) = geometry.group_of_inode(nr);
    let per_block = (geometry.block_size / geometry.inode_size).max(1);
    let first = index / per_block * per_block;
    let mut before = (first.saturating_sub(NEAR)..first).rev();
    let mut after = (first + per_block..geometry.inodes_per_group).take(NEAR as usize);
    let mut inodes = volume.inodes();
    let mut places = Vec::new();
    let mut take = |side: &mut dyn Iterator<Item = u32>| {
        let mut left = NEIGHBOURS;
        for nr in side.map(|index| geometry.inode_at(group, index)) {
            let inode = inodes.read(nr)?.filter(Inode::is_in_use);
            if let Some(place) = inode.and_then(|inode| self::start(geometry, &inode)) {
                places.push(place);
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
        Ok(())
    };
    take(&mut before)?;
    take(&mut after)?;
    places.sort_unstable();
    Ok(places.get(places.len() / 2).map(|middle| middle.abs_diff(start)))
}
