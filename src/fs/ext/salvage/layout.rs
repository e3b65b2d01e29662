//! Where `mke2fs` puts inode tables: the rules of layout, applied to what is known of other groups.

use std::collections::BTreeMap;

use super::super::feature::FLEX_BG;
use super::super::geometry::Geometry;
use super::super::number::{BlockNr, GroupNr};

/// Groups of a flexible group: the sizes in use, the usual one first.
pub const FLEX_SIZES: [u32; 9] = [16, 8, 32, 64, 4, 2, 128, 256, 1];

/// Places where a group's inode table may begin, the likeliest first, none twice. Wholly on the volume.
pub fn candidates(geometry: &Geometry, nr: GroupNr, reserved: u16) -> Vec<BlockNr> {
    let mut places = beside_neighbours(geometry, nr);
    if geometry.features.has(FLEX_BG) {
        places.extend(on_volume(geometry, in_flexible_groups(geometry, nr, reserved)));
    }
    let after_bitmaps = geometry.group_start(nr).0 + geometry.overhead(nr, reserved) + 2;
    places.extend(on_volume(geometry, as_in_other_groups(geometry, nr).into_iter().chain([after_bitmaps])));
    let mut seen = Vec::new();
    for place in places {
        if !seen.contains(&place) {
            seen.push(place);
        }
    }
    seen
}

/// In a flexible group tables follow each other: the places that the nearest known ones before and after say.
pub fn beside_neighbours(geometry: &Geometry, nr: GroupNr) -> Vec<BlockNr> {
    if !geometry.features.has(FLEX_BG) {
        return Vec::new();
    }
    let len = geometry.inode_table_blocks();
    let table = |group: u32| Some((group, geometry.groups.get(group as usize)?.inode_table?.0));
    let before = (0..nr.0).rev().take(256).find_map(table);
    let after = (nr.0 + 1..geometry.group_count()).take(256).find_map(table);
    let from_before = before.map(|(group, at)| at + u64::from(nr.0 - group) * len);
    let from_after = after.and_then(|(group, at)| at.checked_sub(u64::from(group - nr.0) * len));
    on_volume(geometry, from_before.into_iter().chain(from_after)).collect()
}

fn on_volume(geometry: &Geometry, places: impl IntoIterator<Item = u64>) -> impl Iterator<Item = BlockNr> {
    places.into_iter().filter_map(|place| geometry.blocks_on_volume(place, geometry.inode_table_blocks()))
}

/// True where a table lies as in a flexible group of this size without room for more descriptors, as all have it but the
/// first: with nothing before the bitmaps, or the one block of descriptors of a meta group.
pub fn is_in_flexible_group(geometry: &Geometry, nr: GroupNr, table: BlockNr, size: u32) -> bool {
    let places = of_size(geometry, nr, size, 0);
    places.into_iter().flatten().any(|place| place == table.0 || place + 1 == table.0)
}

/// The places that a table may have in a flexible group of this size of a volume of which only that is known.
pub fn in_flexible_groups_of(geometry: &Geometry, nr: GroupNr, size: u32) -> Vec<u64> {
    if nr.0 >= size {
        let places = of_size(geometry, nr, size, 0).into_iter().flatten();
        return places.flat_map(|place| [place, place + 1]).collect();
    }
    let reserved = [0, usually_reserved(geometry)];
    reserved.into_iter().flat_map(|reserved| of_size(geometry, nr, size, reserved)).flatten().collect()
}

/// Blocks that `mke2fs` reserves for more descriptors, unless told otherwise: enough for a volume 1024 times as large, as
/// far as the map of the inode that keeps them reaches.
fn usually_reserved(geometry: &Geometry) -> u16 {
    let groups = (geometry.blocks.saturating_mul(1024)).div_ceil(geometry.blocks_per_group.into());
    let descriptors = groups.div_ceil(geometry.descriptors_per_block().into());
    let most = u64::from(geometry.block_size / 4);
    descriptors.saturating_sub(geometry.descriptor_blocks().into()).min(most) as u16
}

/// The places that a table has in flexible groups of all sizes.
fn in_flexible_groups(geometry: &Geometry, nr: GroupNr, reserved: u16) -> Vec<u64> {
    FLEX_SIZES.into_iter().flat_map(|size| of_size(geometry, nr, size, reserved)).flatten().collect()
}

/// The places in flexible groups of one size. The last one may have fewer groups, and room for the bitmaps of fewer, or of
/// all the same.
fn of_size(geometry: &Geometry, nr: GroupNr, size: u32, reserved: u16) -> [Option<u64>; 2] {
    let present = size.min(geometry.group_count() - nr.0 / size * size);
    [size, present].map(|groups| in_flexible_group(geometry, nr, size, groups, reserved))
}

/// The first group of a flexible group holds all block bitmaps, then all inode bitmaps, those of so many groups, then all
/// tables.
fn in_flexible_group(geometry: &Geometry, nr: GroupNr, size: u32, groups: u32, reserved: u16) -> Option<u64> {
    let first = GroupNr(nr.0 / size * size);
    let bitmaps = 2 * u64::from(groups);
    let start = geometry.group_start(first).0.checked_add(geometry.overhead(first, reserved) + bitmaps)?;
    start.checked_add(u64::from(nr.0 - first.0) * geometry.inode_table_blocks())
}

/// Where most other groups of the same make (with or without a copy of the superblock) have theirs.
fn as_in_other_groups(geometry: &Geometry, nr: GroupNr) -> Option<u64> {
    let mut offsets: BTreeMap<u64, u32> = BTreeMap::new();
    for (group, at) in geometry.groups.iter().zip(0..).map(|(group, at)| (group, GroupNr(at))) {
        let Some(table) = group.inode_table.filter(|_| geometry.has_superblock(at) == geometry.has_superblock(nr))
        else {
            continue;
        };
        if let Some(offset) = table.0.checked_sub(geometry.group_start(at).0) {
            *offsets.entry(offset).or_default() += 1;
        }
    }
    let (offset, _) = offsets.into_iter().max_by_key(|&(offset, count)| (count, std::cmp::Reverse(offset)))?;
    geometry.group_start(nr).0.checked_add(offset)
}
