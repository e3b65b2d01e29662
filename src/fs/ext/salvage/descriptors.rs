//! Where each group's inode table lies: as the primary descriptor says, or a copy of it, or the layout rules, or the
//! contents of the table. Of several places the one that the most, and the best proved, evidence speaks for.

use std::collections::{BTreeMap, BTreeSet};

use super::super::disk::group::GroupDescriptor;
use super::super::evidence::Descriptors;
use super::super::feature::{FLEX_BG, GDT_CSUM, META_BG, METADATA_CSUM};
use super::super::geometry::{Copy, Geometry, Group, Proof};
use super::super::number::{BlockNr, GroupNr};
use super::tables::Told;
use super::{irregular, layout, tables};
use crate::finding::Log;
use crate::source::{Source, SourceGone};

/// Copies of the descriptors consulted, at most: all agree, or the volume is beyond counting votes.
const MOST_COPIES: usize = 8;

/// Descriptors looked at to learn their size.
const MOST_FITTING: u32 = 64;

/// Votes of a copy whose checksum is right: more than all others together.
const PROVED: u32 = 2 * MOST_COPIES as u32;

/// Groups whose tables stand together, as `mke2fs` lays flexible groups out.
const FLEXIBLE: u64 = 16;

/// Places again the groups of `geometry` whose primary descriptors are not to be believed; returns what was decided.
///
/// # Errors
/// When the source is gone.
pub fn place(source: &Source, geometry: &mut Geometry, reserved: u16) -> Result<Vec<String>, SourceGone> {
    let mut copies = vec![Descriptors::read(&**source, geometry, Copy::Primary)?];
    if doubted(geometry, &copies).is_empty()
        && !is_disputed(source, geometry)?
        && irregular::find(source, geometry, reserved)?.is_empty()
    {
        return Ok(Vec::new());
    }
    for copy in copies_of(geometry) {
        copies.push(Descriptors::read(&**source, geometry, copy)?);
    }
    let doubted = doubted(geometry, &copies);
    let mut tally = Tally::default();
    for nr in &doubted {
        let group = &mut geometry.groups[nr.0 as usize];
        (group.inode_table, group.inodes_used) = (None, 0);
    }
    // Nothing of a group far behind the end of the source can be there, and a ruined count may claim millions.
    let group_bytes = u64::from(geometry.blocks_per_group) * u64::from(geometry.block_size);
    let reachable = (source.len() / group_bytes.max(1) + 1).saturating_mul(FLEXIBLE);
    let mut unplaced = Vec::new();
    for nr in doubted.into_iter().filter(|nr| u64::from(nr.0) < reachable) {
        match by_copies(source, geometry, nr, &copies)? {
            Some(said) if said.is_borne_out => take_said(geometry, nr, said, &mut tally),
            said => unplaced.push((nr, said)),
        }
    }
    let unplaced = take_regular(geometry, unplaced, &mut tally, layout::beside_neighbours);
    let unplaced =
        take_regular(geometry, unplaced, &mut tally, |geometry, nr| layout::candidates(geometry, nr, reserved));
    place_by_layout(source, geometry, reserved, unplaced, &mut tally)?;
    for (nr, table) in irregular::find(source, geometry, reserved)? {
        take_table(geometry, nr, Some(table), &mut tally);
    }
    Ok(tally.words(geometry))
}

/// True where descriptors keep no checksums, and the first copy of one gives its inode table another place.
///
/// # Errors
/// When the source is gone.
pub fn is_disputed(source: &Source, geometry: &Geometry) -> Result<bool, SourceGone> {
    if geometry.features.has(METADATA_CSUM) || geometry.features.has(GDT_CSUM) {
        return Ok(false);
    }
    let Some(copy) = copies_of(geometry).first().copied() else { return Ok(false) };
    let copy = Descriptors::read(&**source, geometry, copy)?;
    Ok((0..geometry.group_count()).any(|nr| disputes(geometry, GroupNr(nr), &copy)))
}

/// True if a copy of a descriptor gives the inode table another place, and a possible one.
fn disputes(geometry: &Geometry, nr: GroupNr, copy: &Descriptors) -> bool {
    let said = copy.get(geometry, nr).map(|raw| raw.decode()).filter(|said| is_possible(geometry, nr, said));
    let table = geometry.groups.get(nr.0 as usize).and_then(|group| group.inode_table);
    said.is_some_and(|said| table.is_some_and(|table| table.0 != said.inode_table()))
}

/// Corrects the size of descriptors, and places the groups anew, where those of the other size fit better. Returns what
/// was decided.
///
/// # Errors
/// When the source is gone.
pub fn mend_size(source: &Source, geometry: &mut Geometry) -> Result<Option<String>, SourceGone> {
    let mut other =
        Geometry { descriptor_size: if geometry.descriptor_size == 64 { 32 } else { 64 }, ..geometry.clone() };
    let (now, then) =
        (Descriptors::read(&**source, geometry, Copy::Primary)?, Descriptors::read(&**source, &other, Copy::Primary)?);
    // Where all are damaged, what lies there may look like one or two.
    let fitting_then = fitting(&other, &then);
    let most = geometry.group_count().min(MOST_FITTING) as usize;
    if fitting(geometry, &now) >= fitting_then || fitting_then * 2 < most {
        return Ok(None);
    }
    let descriptors: Vec<_> = (0..other.group_count()).map(|nr| then.get(&other, GroupNr(nr))).collect();
    other.judge_groups(&descriptors, &mut Log::new());
    *geometry = other;
    Ok(Some(format!("group descriptors have {} bytes, whatever the superblock says", geometry.descriptor_size)))
}

/// How many of the first descriptors are proved, or if they have no checksums possible, with tables of their own.
fn fitting(geometry: &Geometry, descriptors: &Descriptors) -> usize {
    let fitting = (0..geometry.group_count().min(MOST_FITTING)).map(GroupNr).filter_map(|nr| {
        let raw = descriptors.get(geometry, nr)?;
        let fits = match geometry.prove_descriptor(nr, raw) {
            Proof::Proved => true,
            Proof::Refuted { .. } => false,
            Proof::None => is_possible(geometry, nr, &raw.decode()),
        };
        fits.then(|| raw.decode().inode_table())
    });
    fitting.collect::<BTreeSet<_>>().len()
}

#[derive(Default)]
struct Tally {
    copies: usize,
    layout: usize,
    lost: usize,
}

impl Tally {
    fn words(&self, geometry: &Geometry) -> Vec<String> {
        let groups = geometry.group_count();
        let mut words = Vec::new();
        if self.copies > 0 {
            words.push(format!("{} of {groups} group descriptors are damaged; their copies are used", self.copies));
        }
        if self.layout > 0 {
            words.push(format!(
                "{} of {groups} group descriptors are damaged in all copies; their inode tables are placed by the rules of layout and by their contents",
                self.layout
            ));
        }
        if self.lost > 0 {
            words.push(format!("the inode tables of {} of {groups} groups were not found", self.lost));
        }
        words
    }
}

/// The copies there are besides the primary.
fn copies_of(geometry: &Geometry) -> Vec<Copy> {
    let mut copies = Vec::new();
    if geometry.features.has(META_BG) {
        copies.extend([Copy::MetaSecond, Copy::MetaLast]);
    }
    let backups = (1..geometry.group_count()).map(GroupNr).filter(|&nr| geometry.has_superblock(nr));
    copies.extend(backups.map(Copy::Backup).take(MOST_COPIES));
    copies
}

/// The groups whose primary descriptor, the first of `copies`, is not to be believed without a second word.
fn doubted(geometry: &Geometry, copies: &[Descriptors]) -> Vec<GroupNr> {
    let Some((primary, others)) = copies.split_first() else { return Vec::new() };
    let is_disputed = |nr| others.iter().any(|copy| disputes(geometry, nr, copy));
    let all = (0..geometry.group_count()).map(GroupNr);
    let mut doubted: Vec<GroupNr> = all
        .filter(|&nr| {
            primary.get(geometry, nr).is_none_or(|raw| match geometry.prove_descriptor(nr, raw) {
                Proof::Proved => geometry.groups[nr.0 as usize].inode_table.is_none(),
                Proof::Refuted { .. } => true,
                Proof::None => !is_possible(geometry, nr, &raw.decode()) || is_disputed(nr),
            })
        })
        .collect();
    let mut places: Vec<(BlockNr, GroupNr)> =
        geometry.groups.iter().zip(0..).filter_map(|(group, nr)| Some((group.inode_table?, GroupNr(nr)))).collect();
    places.sort_unstable();
    for pair in places.windows(2) {
        if pair[1].0.0 - pair[0].0.0 < geometry.inode_table_blocks() {
            doubted.extend([pair[0].1, pair[1].1]);
        }
    }
    doubted.sort_unstable();
    doubted.dedup();
    doubted
}

/// True if all three places are on the volume, apart from each other, and in the group where they have to be.
pub fn is_possible(geometry: &Geometry, nr: GroupNr, descriptor: &GroupDescriptor) -> bool {
    let table = descriptor.inode_table();
    let len = geometry.inode_table_blocks();
    let bitmaps = [descriptor.block_bitmap(), descriptor.inode_bitmap()];
    let in_group = |block: u64| geometry.features.has(FLEX_BG) || geometry.group_of_block(BlockNr(block)) == nr;
    geometry.blocks_on_volume(table, len).is_some()
        && bitmaps[0] != bitmaps[1]
        && bitmaps
            .iter()
            .all(|&map| geometry.block(map).is_some() && !(table..table + len).contains(&map) && in_group(map))
        && in_group(table)
}

/// What the copies of a group's descriptor speak for.
struct Said {
    group: Group,
    /// The primary says so, too.
    from_primary: bool,
    /// A right checksum or the table's contents bear it out.
    is_borne_out: bool,
}

fn take_said(geometry: &mut Geometry, nr: GroupNr, said: Said, tally: &mut Tally) {
    geometry.groups[nr.0 as usize] = said.group;
    tally.copies += usize::from(!said.from_primary);
}

/// Takes what is said where it is one of the places that the rules of layout give, and no table is there yet. Returns the
/// groups left; what is said of a place where there is one is dropped.
fn take_regular(
    geometry: &mut Geometry,
    unplaced: Vec<(GroupNr, Option<Said>)>,
    tally: &mut Tally,
    regular: impl Fn(&Geometry, GroupNr) -> Vec<BlockNr>,
) -> Vec<(GroupNr, Option<Said>)> {
    let mut left = Vec::new();
    for (nr, said) in unplaced {
        let table = said.as_ref().and_then(|said| said.group.inode_table);
        match said.filter(|_| is_apart(geometry, nr, table)) {
            Some(said) if table.is_some_and(|table| regular(geometry, nr).contains(&table)) => {
                take_said(geometry, nr, said, tally);
            }
            said => left.push((nr, said)),
        }
    }
    left
}

/// True where a place that nothing bears out leaves the tables of other groups, as far as they are placed, alone.
fn is_apart(geometry: &Geometry, nr: GroupNr, table: Option<BlockNr>) -> bool {
    let others = geometry.groups.iter().zip(0..).filter(|&(_, other)| other != nr.0);
    let mut taken = others.filter_map(|(group, _)| group.inode_table);
    table.is_none_or(|table| taken.all(|other| other.0.abs_diff(table.0) >= geometry.inode_table_blocks()))
}

/// The place that the copies of a group's descriptor speak for.
fn by_copies(
    source: &Source,
    geometry: &Geometry,
    nr: GroupNr,
    copies: &[Descriptors],
) -> Result<Option<Said>, SourceGone> {
    let mut votes: BTreeMap<u64, (u32, Group)> = BTreeMap::new();
    for copy in copies {
        let Some(raw) = copy.get(geometry, nr) else { continue };
        let proof = geometry.prove_descriptor(nr, raw);
        if !is_possible(geometry, nr, &raw.decode()) {
            continue;
        }
        let group = geometry.judge_group(nr, raw, &mut Log::new());
        // A stale copy proves the place, which never changes, but not how much of the table is used by now.
        let group = Group { inodes_used: geometry.inodes_per_group, flags: 0, ..group };
        let vote = if proof == Proof::Proved { PROVED } else { 1 };
        votes.entry(raw.decode().inode_table()).or_insert((0, group)).0 += vote;
    }
    let primary = copies[0].get(geometry, nr).map(|raw| raw.decode().inode_table());
    let mut best = None;
    for (table, (votes, group)) in votes {
        // Agreement is no proof: damage may be copied. The contents may object; where a checksum is right, only if they say
        // whose they are.
        let told = tables::look(source, geometry, nr, BlockNr(table))?;
        if told.verdict() == Some(false) && (votes < PROVED || told.is_another_s()) {
            continue;
        }
        let is_primary = primary == Some(table);
        let rank = (votes >= PROVED, told.verdict() == Some(true), votes, is_primary);
        if best.as_ref().is_none_or(|(other, _)| rank > *other) {
            best = Some((rank, Said { group, from_primary: is_primary, is_borne_out: rank.0 || rank.1 }));
        }
    }
    Ok(best.map(|(_, said)| said))
}

/// Places what no descriptor places, by the rules that `mke2fs` lays groups out by, where the contents do not object. What
/// descriptors say that nothing bears out counts where no other place is borne out or holds more of what look like inodes.
fn place_by_layout(
    source: &Source,
    geometry: &mut Geometry,
    reserved: u16,
    unplaced: Vec<(GroupNr, Option<Said>)>,
    tally: &mut Tally,
) -> Result<(), SourceGone> {
    let mut weak = Vec::new();
    for (nr, said) in unplaced {
        let said_told = match said.as_ref().and_then(|said| said.group.inode_table) {
            Some(table) => tables::look(source, geometry, nr, table)?,
            None => Told::default(),
        };
        match (likeliest(source, geometry, nr, reserved)?, said) {
            (Some((table, told)), _) if told.verdict() == Some(true) => take_table(geometry, nr, Some(table), tally),
            (Some((table, told)), Some(_)) if told.untold > said_told.untold => {
                take_table(geometry, nr, Some(table), tally);
            }
            (_, Some(said)) => take_said(geometry, nr, said, tally),
            (_, None) => weak.push(nr),
        }
    }
    // The groups placed since say where the rest may be. A table of which nothing was ever used looks like nothing: it
    // matters little where it is.
    for nr in weak {
        let table = likeliest(source, geometry, nr, reserved)?.map(|(table, _)| table);
        take_table(geometry, nr, table, tally);
    }
    Ok(())
}

/// The place where the contents bear out best that a group's table is there; else the first where they do not object. With
/// what they say.
fn likeliest(
    source: &Source,
    geometry: &Geometry,
    nr: GroupNr,
    reserved: u16,
) -> Result<Option<(BlockNr, Told)>, SourceGone> {
    let (mut first, mut best) = (None, None);
    for table in layout::candidates(geometry, nr, reserved) {
        let told = tables::look(source, geometry, nr, table)?;
        match told.verdict() {
            // The journal holds copies of tables, parts of which may lie as if one began there.
            Some(true) if told.is_undisputed() => return Ok(Some((table, told))),
            Some(true) if best.is_none_or(|(_, other): (_, Told)| told.right > other.right) => {
                best = Some((table, told))
            }
            None => first = first.or(Some((table, told))),
            _ => {}
        }
    }
    Ok(best.or(first))
}

fn take_table(geometry: &mut Geometry, nr: GroupNr, table: Option<BlockNr>, tally: &mut Tally) {
    geometry.groups[nr.0 as usize] =
        Group { inode_table: table, inodes_used: geometry.inodes_per_group, ..Group::default() };
    match table {
        Some(_) => tally.layout += 1,
        None => tally.lost += 1,
    }
}
