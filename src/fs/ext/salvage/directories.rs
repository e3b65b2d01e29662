//! Directories of which the inode is destroyed, put together again from their blocks.
//!
//! A first block names its directory and the parent. With checksums, all blocks of a directory give the same seed, so
//! the first block's tells the others; a directory without its first block is known by the seed of an inode of
//! generation 0, or by its subdirectories, which name their parent. Without checksums, subdirectories tell, and the
//! place on the disk.
//!
//! Blocks of directories that were removed look the same. So an entry counts only if the inode it names does not
//! disagree: it is in use, of that kind, and has more links than names are known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;
use zerocopy::{FromZeros, IntoBytes};

use super::super::checksum::Seed;
use super::super::dir::{self, block};
use super::super::disk::inode as disk;
use super::super::disk::padded;
use super::super::number::{BlockNr, InodeNr};
use super::super::volume::Volume;
use super::claims::Claims;
use super::remains::Remains;
use super::roll::{Known, Roll, State};
use super::sighting::{self, Sighting, What};
use super::{generation, leaves, mend};
use crate::node::{Entry, Kind, Trust};
use crate::source::SourceGone;

/// What the search has to work with.
pub struct Evidence<'e> {
    pub volume: &'e Volume,
    pub roll: &'e Roll,
    pub claims: &'e Claims,
    /// Directory blocks, in the order of the disk.
    pub sightings: &'e [Sighting],
    /// Directories in use that lead to no first block of their own, as [`astray`] finds them.
    pub astray: BTreeSet<u32>,
    /// Files that lead to directories instead of contents of their own, as [`intruding`] finds them.
    pub intruding: BTreeSet<InodeNr>,
}

/// What an entry names: a number, and the kind it records.
type Named = (u32, Option<Kind>);

fn named(entry: &Entry) -> Option<Named> {
    Some((u32::try_from(entry.id.0).ok()?, entry.kind))
}

/// The blocks found for one directory.
#[derive(Default)]
pub(super) struct Found {
    pub first: Option<BlockNr>,
    parent: Option<u32>,
    pub blocks: BTreeSet<BlockNr>,
}

/// Puts directories together, into `remains`. Returns how many.
///
/// # Errors
/// When the source is gone.
pub fn rebuild(evidence: &Evidence<'_>, remains: &mut Remains) -> Result<usize, SourceGone> {
    let mut search = Search::new(evidence)?;
    search.find_usurped()?;
    search.take_first_blocks()?;
    search.take_leaves()?;
    search.write(remains)
}

/// The search under way.
pub(super) struct Search<'e> {
    pub evidence: &'e Evidence<'e>,
    /// Directories being put together, by number.
    pub found: BTreeMap<u32, Found>,
    /// Directories without a number.
    pub unnumbered: Vec<BTreeSet<BlockNr>>,
    /// The parents that first blocks name, of all directories.
    parents: HashMap<u32, u32>,
    /// Directories in use that have lost blocks: what is found for them is added.
    pub broken: BTreeSet<u32>,
    /// Directories in whose place another inode's record stands, one that no checksum can refute.
    usurped: BTreeSet<u32>,
    /// How many names directories in use have for an inode.
    names: HashMap<u32, u32>,
}

impl<'e> Search<'e> {
    fn new(evidence: &'e Evidence<'e>) -> Result<Self, SourceGone> {
        let directory = |nr: &InodeNr| evidence.roll.get(*nr).is_directory();
        let mut broken: BTreeSet<u32> =
            evidence.claims.broken.iter().filter(|nr| directory(nr)).map(|nr| nr.0).collect();
        broken.extend(&evidence.astray);
        if evidence.volume.geometry.has_checksums() {
            // What lay where another's block does is somewhere else, or lost.
            let foreign = evidence.volume.remains().into_iter().flat_map(|remains| &remains.foreign);
            broken.extend(foreign.map(|(nr, _)| nr.0));
        }
        if !evidence.volume.geometry.has_checksums() {
            broken.extend(strayed(evidence)?);
        }
        Ok(Search {
            evidence,
            found: BTreeMap::new(),
            unnumbered: Vec::new(),
            parents: HashMap::new(),
            broken,
            usurped: BTreeSet::new(),
            names: HashMap::new(),
        })
    }

    /// True if a block belongs to no inode in use that can be believed.
    pub fn is_orphan(&self, block: BlockNr) -> bool {
        !self.evidence.claims.owners(block).any(|nr| {
            if self.evidence.astray.contains(&nr.0) || self.evidence.intruding.contains(&nr) {
                return false;
            }
            let known = self.evidence.roll.get(nr);
            known.kind == Kind::Directory || known.proved || !self.evidence.volume.geometry.has_checksums()
        })
    }

    /// The directory whose broken map still has a block.
    pub fn broken_owner(&self, block: BlockNr) -> Option<u32> {
        let mut owners = self.evidence.claims.owners(block).map(|nr| nr.0);
        owners.find(|nr| self.broken.contains(nr)).filter(|_| !self.is_orphan(block))
    }

    /// True if a directory of this number may be put together: nothing better is known of it.
    pub fn is_open(&self, nr: u32) -> bool {
        let Known { state, kind, proved, .. } = self.evidence.roll.get(InodeNr(nr));
        match state {
            State::Used if kind == Kind::Directory => self.broken.contains(&nr),
            State::Used => self.evidence.volume.geometry.has_checksums() && !proved || self.usurped.contains(&nr),
            State::Deleted => false,
            _ => true,
        }
    }

    /// Finds the directories in whose place a file's record stands, written there by mistake: a first block that nobody
    /// has names them, and so does an entry, as directories. Of one that was removed, and its number used again, no
    /// entry is left.
    fn find_usurped(&mut self) -> Result<(), SourceGone> {
        if self.evidence.volume.geometry.has_checksums() {
            return Ok(());
        }
        let mut firsts: BTreeMap<u32, Vec<(BlockNr, u32)>> = BTreeMap::new();
        for sighting in self.evidence.sightings {
            let What::First { own, parent } = sighting.what else { continue };
            let Known { state, kind, proved, .. } = self.evidence.roll.get(InodeNr(own));
            if state == State::Used && kind != Kind::Directory && !proved && self.is_orphan(sighting.block) {
                firsts.entry(own).or_default().push((sighting.block, parent));
            }
        }
        if firsts.is_empty() {
            return Ok(());
        }
        let named = self.listed(&|nr, kind| kind == Some(Kind::Directory) && firsts.contains_key(&nr))?;
        let root = firsts.contains_key(&InodeNr::ROOT.0).then_some(InodeNr::ROOT.0);
        let mut todo: Vec<u32> = named.into_iter().map(|(nr, _)| nr).chain(root).collect();
        while let Some(nr) = todo.pop() {
            if !self.usurped.insert(nr) {
                continue;
            }
            for (block, _) in firsts.get(&nr).into_iter().flatten() {
                let entries = self.entries_of(*block)?;
                let directories =
                    entries.iter().filter(|entry| entry.kind == Some(Kind::Directory)).filter_map(self::named);
                todo.extend(directories.map(|(below, _)| below).filter(|below| {
                    firsts.get(below).is_some_and(|firsts| firsts.iter().any(|(_, parent)| *parent == nr))
                }));
            }
        }
        Ok(())
    }

    fn take_first_blocks(&mut self) -> Result<(), SourceGone> {
        let mut candidates: BTreeMap<u32, Vec<(BlockNr, u32)>> = BTreeMap::new();
        for sighting in self.evidence.sightings {
            let What::First { own, parent } = sighting.what else { continue };
            if !self.is_orphan(sighting.block) {
                self.parents.insert(own, parent);
            } else if self.is_open(own) {
                candidates.entry(own).or_default().push((sighting.block, parent));
            }
        }
        for (own, blocks) in candidates {
            let mut best: Option<(usize, BlockNr, u32)> = None;
            for (block, parent) in blocks {
                let right = self.entries_of(block)?.iter().filter(|entry| self.agrees(entry)).count();
                if best.is_none_or(|(most, ..)| right > most) {
                    best = Some((right, block, parent));
                }
            }
            if let Some((_, block, parent)) = best {
                self.parents.entry(own).or_insert(parent);
                let found = Found { first: Some(block), parent: Some(parent), blocks: BTreeSet::from([block]) };
                self.found.insert(own, found);
            }
        }
        Ok(())
    }

    fn take_leaves(&mut self) -> Result<(), SourceGone> {
        let leaves = self.evidence.sightings.iter().filter(|sighting| sighting.what == What::Leaf);
        let orphans: Vec<Sighting> = leaves.filter(|sighting| self.is_orphan(sighting.block)).copied().collect();
        if self.evidence.volume.geometry.has_checksums() {
            self.take_by_seed(&orphans)
        } else {
            leaves::take(self, &orphans)
        }
    }

    /// Blocks with one seed are of one directory.
    fn take_by_seed(&mut self, orphans: &[Sighting]) -> Result<(), SourceGone> {
        let owners = self.seeds()?;
        let mut unknown: BTreeMap<u32, BTreeSet<BlockNr>> = BTreeMap::new();
        for sighting in orphans {
            let Some(seed) = sighting.seed else { continue };
            match owners.get(&seed) {
                Some(&nr) if self.is_open(nr) => {
                    self.found.entry(nr).or_default().blocks.insert(sighting.block);
                }
                // Older blocks of a directory that is in order.
                Some(_) => {}
                None => {
                    unknown.entry(seed.0).or_default().insert(sighting.block);
                }
            }
        }
        let volume = self.evidence.volume;
        for (seed, blocks) in unknown {
            // mke2fs gives every inode that it makes generation 0.
            let solved = volume.geometry.inode(generation::number(volume.geometry.seed, 0, Seed(seed)).0);
            match solved.map(|nr| nr.0).or(self.told_by_children(&blocks)?) {
                Some(nr) if self.is_open(nr) => self.found.entry(nr).or_default().blocks.extend(blocks),
                Some(_) => {}
                None => self.unnumbered.push(blocks),
            }
        }
        Ok(())
    }

    /// The seeds of directories: those in use, and those whose first block was found.
    fn seeds(&self) -> Result<HashMap<Seed, u32>, SourceGone> {
        let geometry = &self.evidence.volume.geometry;
        let mut seeds = HashMap::new();
        let mut inodes = self.evidence.volume.inodes();
        for (nr, _) in self.evidence.roll.iter().filter(|(_, known)| known.is_directory()) {
            if let Some(inode) = inodes.read(nr)? {
                seeds.insert(inode.seed(geometry), nr.0);
            }
        }
        for sighting in self.evidence.sightings {
            let (What::First { own, .. }, Some(seed)) = (sighting.what, sighting.seed) else { continue };
            let ours = self.found.get(&own).is_some_and(|found| found.first == Some(sighting.block));
            // A directory in use, too, tells its seed better by its block than by a generation that may be damaged.
            if ours || !self.is_orphan(sighting.block) {
                seeds.insert(seed, own);
            }
        }
        Ok(seeds)
    }

    /// The directory that most subdirectories named in these blocks say they are in.
    pub fn told_by_children(&self, blocks: &BTreeSet<BlockNr>) -> Result<Option<u32>, SourceGone> {
        let mut votes: BTreeMap<u32, usize> = BTreeMap::new();
        for block in blocks {
            for entry in self.entries_of(*block)? {
                if entry.kind.is_none_or(|kind| kind == Kind::Directory)
                    && let Some(parent) = u32::try_from(entry.id.0).ok().and_then(|nr| self.parents.get(&nr))
                {
                    *votes.entry(*parent).or_default() += 1;
                }
            }
        }
        Ok(votes.into_iter().max_by_key(|&(nr, count)| (count, std::cmp::Reverse(nr))).map(|(nr, _)| nr))
    }

    /// The entries of a block, `.` and `..` left out.
    pub fn entries_of(&self, nr: BlockNr) -> Result<Vec<Entry>, SourceGone> {
        let geometry = &self.evidence.volume.geometry;
        let Some(bytes) = self.evidence.volume.block(nr)? else { return Ok(Vec::new()) };
        let format = block::Format::new(geometry, false);
        let bytes = if sighting::dot(&bytes).is_some() && dir::is_root(&bytes) { &bytes[..24] } else { &bytes };
        let mut entries = Vec::new();
        let _ = block::scan(bytes, &format, &mut |found| {
            entries.extend(dir::entry(found, Trust::Renamed));
            ControlFlow::Continue(())
        });
        Ok(entries)
    }

    /// True if the inode that an entry names does not disagree.
    fn agrees(&self, entry: &Entry) -> bool {
        let Ok(nr) = u32::try_from(entry.id.0) else { return false };
        let known = self.evidence.roll.get(InodeNr(nr));
        match known.state {
            State::Used if self.usurped.contains(&nr) => entry.kind.is_none_or(|kind| kind == Kind::Directory),
            State::Used => entry.kind.is_none_or(|kind| kind == known.kind),
            State::Deleted => false,
            // Either another directory put together, or a file of which nothing but the name is left.
            _ => true,
        }
    }

    /// Counts the names that directories in use have for the inodes that orphans name.
    fn count_names(&mut self, wanted: &BTreeSet<u32>) -> Result<(), SourceGone> {
        for (nr, _) in self.listed(&|nr, _| wanted.contains(&nr))? {
            *self.names.entry(nr).or_default() += 1;
        }
        Ok(())
    }

    /// The numbers and kinds, those wanted, in all entries of directories in use. What those hold that lead astray is
    /// among what was found.
    fn listed(&self, wanted: &(dyn Fn(u32, Option<Kind>) -> bool + Sync)) -> Result<Vec<Named>, SourceGone> {
        let volume = self.evidence.volume;
        let is_listed = |nr: &InodeNr, known: Known| known.is_directory() && !self.evidence.astray.contains(&nr.0);
        let directories: Vec<InodeNr> =
            self.evidence.roll.iter().filter(|(nr, known)| is_listed(nr, *known)).map(|(nr, _)| nr).collect();
        let listed = directories.par_iter().map(|nr| {
            let mut names = Vec::new();
            if let Some(inode) = volume.inode(*nr)? {
                let size = inode.size(&volume.geometry);
                dir::visit(volume, &inode, size, &mut |entry| {
                    names.extend(named(&entry).filter(|(nr, kind)| wanted(*nr, *kind)));
                    ControlFlow::Continue(())
                })?;
            }
            Ok(names)
        });
        Ok(listed.collect::<Result<Vec<_>, SourceGone>>()?.concat())
    }

    /// Directories that are named, and of which neither the inode nor the first block is left.
    pub fn headless(&self, orphans: &[Sighting]) -> Result<BTreeSet<u32>, SourceGone> {
        let is_headless = |nr: u32, kind: Option<Kind>| {
            let is_lost = self.evidence.roll.get(InodeNr(nr)).is_destroyed() && !self.found.contains_key(&nr);
            kind == Some(Kind::Directory) && is_lost && self.evidence.volume.geometry.inode(nr).is_some()
        };
        let mut all = self.listed(&is_headless)?;
        let found = self.found.values().flat_map(|found| found.blocks.iter().copied());
        for block in found.chain(orphans.iter().map(|orphan| orphan.block)) {
            let entries = self.entries_of(block)?;
            all.extend(entries.iter().filter_map(named).filter(|(nr, kind)| is_headless(*nr, *kind)));
        }
        Ok(all.into_iter().map(|(nr, _)| nr).collect())
    }

    /// Takes a name for an inode, if there is one to be had.
    fn take_name(&mut self, dir: u32, entry: &Entry) -> bool {
        let Ok(nr) = u32::try_from(entry.id.0) else { return false };
        let known = self.evidence.roll.get(InodeNr(nr));
        let is_directory = entry.kind == Some(Kind::Directory) || known.is_directory();
        if is_directory && self.parents.get(&nr).is_some_and(|parent| *parent != dir && self.exists(*parent)) {
            return false;
        }
        let most = if is_directory || known.state != State::Used { 1 } else { u32::from(known.links) };
        let names = self.names.entry(nr).or_default();
        *names += 1;
        *names <= most
    }

    fn exists(&self, dir: u32) -> bool {
        self.evidence.roll.get(InodeNr(dir)).is_directory() || self.found.contains_key(&dir)
    }

    /// Writes what was found in the form that the reader asks for.
    fn write(mut self, remains: &mut Remains) -> Result<usize, SourceGone> {
        let geometry = &self.evidence.volume.geometry;
        let mut found = std::mem::take(&mut self.found);
        // Who exists is asked for while names are taken.
        self.found = found.iter().map(|(nr, f)| (*nr, Found { first: f.first, ..Found::default() })).collect();
        for (blocks, nr) in std::mem::take(&mut self.unnumbered).into_iter().zip(geometry.inodes.saturating_add(1)..) {
            remains.made_up.insert(InodeNr(nr));
            found.insert(nr, Found { blocks, ..Found::default() });
        }
        let mut listed: Vec<(u32, Found, Vec<Entry>)> = Vec::new();
        for (nr, dir) in found {
            let mut entries = Vec::new();
            for block in &dir.blocks {
                entries.extend(self.entries_of(*block)?.into_iter().filter(|entry| self.agrees(entry)));
            }
            let mut seen = BTreeSet::new();
            entries.retain(|entry| seen.insert((entry.name.clone(), entry.id)));
            listed.push((nr, dir, entries));
        }
        let wanted = listed.iter().flat_map(|(_, _, entries)| entries).filter_map(|e| u32::try_from(e.id.0).ok());
        let wanted: BTreeSet<u32> = wanted.chain(listed.iter().map(|(nr, ..)| *nr)).collect();
        self.count_names(&wanted)?;
        let mut count = 0;
        for (nr, dir, mut entries) in listed {
            let mut named_here = BTreeSet::new();
            // One directory's names are all as good as each other, too many of them or not.
            entries.retain(|entry| {
                let is_again = entry.kind != Some(Kind::Directory) && named_here.contains(&entry.id);
                (self.take_name(nr, entry) || is_again) && {
                    named_here.insert(entry.id);
                    true
                }
            });
            let named = nr == InodeNr::ROOT.0 || self.names.get(&nr).is_some_and(|names| *names > 0);
            if entries.is_empty() && (!named || remains.made_up.contains(&InodeNr(nr))) {
                remains.made_up.remove(&InodeNr(nr));
                continue;
            }
            count += 1;
            let nr = InodeNr(nr);
            if let Some(parent) = dir.parent.and_then(|parent| geometry.inode(parent)) {
                remains.parents.insert(nr, parent.node());
            }
            if self.evidence.astray.contains(&nr.0) {
                let inode = self.evidence.volume.inode(nr)?;
                remains.inodes.extend(inode.map(|inode| (nr, without_map(&inode.record))));
            } else if !self.evidence.roll.get(nr).is_directory() {
                remains.inodes.insert(nr, record(geometry.inode_size as usize));
                remains.trust.insert(nr, Trust::Renamed);
            }
            remains.entries.insert(nr, entries);
        }
        Ok(count)
    }
}

/// A directory's record without the map and the size that lead elsewhere: its entries were found.
fn without_map(record: &[u8]) -> Arc<[u8]> {
    let mut inode: disk::Inode = padded(record);
    inode.i_block.fill(0);
    inode.i_flags.set(inode.i_flags.get() & !(disk::flags::EXTENTS | disk::flags::INLINE_DATA | disk::flags::INDEX));
    (inode.i_size_lo, inode.i_size_high) = (0.into(), 0.into());
    let mut bytes = record.to_vec();
    let fields = size_of::<disk::Inode>().min(bytes.len());
    bytes[..fields].copy_from_slice(&inode.as_bytes()[..fields]);
    bytes.into()
}

/// Directories in use that no checksum proves, and that do not map the first block which names them, though there is
/// one, or map one that names another: what they claim counts for nothing.
pub fn astray(roll: &Roll, claims: &Claims, sightings: &[Sighting]) -> BTreeSet<u32> {
    let unproved = |nr: InodeNr| {
        let known = roll.get(nr);
        known.is_directory() && !known.proved
    };
    let (mut named, mut mapped, mut others) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for sighting in sightings {
        let What::First { own, .. } = sighting.what else { continue };
        if unproved(InodeNr(own)) {
            named.insert(own);
        }
        for nr in claims.owners(sighting.block).filter(|nr| unproved(*nr)) {
            if nr.0 == own {
                mapped.insert(own)
            } else {
                others.insert(nr.0)
            };
        }
    }
    others.retain(|nr| !mapped.contains(nr));
    named.difference(&mapped).copied().chain(others).collect()
}

/// Directory blocks from which on a file that has them for a quarter of its blocks is none.
const FEWEST_INTRUDED: u64 = 4;
/// Blocks of a directory of which most have to be blocks of names.
const FEWEST_OWN: u64 = 4;

/// Files that no checksum proves, in whose blocks a directory that leads astray begins, and of which most blocks are
/// directories', or that have many such: a node of a map lies in another's place. A file may hold an image of a disk, but
/// little of it is directories.
pub fn intruding(roll: &Roll, claims: &Claims, sightings: &[Sighting], astray: &BTreeSet<u32>) -> BTreeSet<InodeNr> {
    let mut seen: BTreeMap<InodeNr, u64> = BTreeMap::new();
    let mut leading = BTreeSet::new();
    for sighting in sightings.iter().filter(|it| it.what.is_of_directory()) {
        for nr in claims.owners(sighting.block).filter(|nr| !roll.get(*nr).proved && !roll.get(*nr).is_directory()) {
            *seen.entry(nr).or_default() += 1;
            if matches!(sighting.what, What::First { own, .. } if astray.contains(&own)) {
                leading.insert(nr);
            }
        }
    }
    let many: BTreeSet<InodeNr> =
        seen.iter().filter(|(_, seen)| **seen >= FEWEST_INTRUDED).map(|(nr, _)| *nr).collect();
    let counts = claims.counts(&leading.union(&many).copied().collect());
    leading.retain(|nr| seen[nr] * 2 > counts[nr]);
    leading.extend(many.into_iter().filter(|nr| seen[nr] * 4 > counts[nr]));
    leading
}

/// Directories in use most of whose blocks are no blocks of names: their maps lead elsewhere, in part.
fn strayed(evidence: &Evidence<'_>) -> Result<BTreeSet<u32>, SourceGone> {
    let mut own: BTreeMap<InodeNr, u64> = BTreeMap::new();
    for sighting in evidence.sightings.iter().filter(|it| it.what.is_of_directory()) {
        evidence.claims.owners(sighting.block).for_each(|nr| *own.entry(nr).or_default() += 1);
    }
    let mut strayed = BTreeSet::new();
    let (geometry, mut inodes) = (&evidence.volume.geometry, evidence.volume.inodes());
    for (nr, _) in evidence.roll.iter().filter(|(_, known)| known.is_directory() && !known.proved) {
        let Some(inode) = inodes.read(nr)? else { continue };
        let blocks = inode.size(geometry) / u64::from(geometry.block_size);
        if blocks < FEWEST_OWN || own.get(&nr).is_some_and(|own| own * 2 >= blocks) {
            continue;
        }
        // Those of which all names were removed are seen only now.
        let mut right = 0;
        for (_, block) in mend::mapped(evidence.volume, nr, &inode.record, inode.size(geometry))? {
            let bytes = evidence.volume.block(block)?;
            right += u64::from(bytes.is_some_and(|bytes| sighting::is_filled(geometry, &bytes)));
        }
        if right * 2 < blocks {
            strayed.insert(nr.0);
        }
    }
    Ok(strayed)
}

/// The record of a directory of which only the blocks are left: for nobody's eyes but the owner's, as nothing is known
/// of who may see it.
pub fn record(len: usize) -> Arc<[u8]> {
    let mut inode = disk::Inode::new_zeroed();
    inode.i_mode.set(0o040_700);
    inode.i_links_count.set(2);
    let bytes = inode.as_bytes();
    let mut record = vec![0; len];
    let fields = disk::BASE_SIZE.min(len);
    record[..fields].copy_from_slice(&bytes[..fields]);
    record.into()
}
