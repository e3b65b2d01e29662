//! Blocks of directories without checksums, matched with directories of which too little is left to lead to them:
//! [`take`].
//!
//! In this order a block tells its directory: a record whose map is ruined only in part still has it; the directory's
//! hash tree has a part for its names; another block of it has the same names; subdirectories that it names say where
//! they are; and of the directories nearby, the one whose first block is full, and whose files' inodes go on where its
//! own end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::super::dir;
use super::super::disk::at;
use super::super::disk::dirent::{self, DirEntry, HEADER_SIZE};
use super::super::geometry::Geometry;
use super::super::number::{BlockNr, InodeNr};
use super::directories::Search;
use super::hashed::Roots;
use super::mend;
use super::sighting::{Sighting, What};
use crate::node::{Entry, Kind};
use crate::source::SourceGone;

/// Directories on either side that are compared for nearness.
const NEIGHBOURS: usize = 32;
/// Names kept to know copies of blocks by.
const MOST_NAMES: usize = 1 << 22;
/// Inode numbers from those of a directory's files that are still near.
const FAR: u32 = 256;

/// Matches orphaned blocks with the directories found.
///
/// # Errors
/// When the source is gone.
pub fn take(search: &mut Search<'_>, orphans: &[Sighting]) -> Result<(), SourceGone> {
    let mapped = mapped(search, orphans)?;
    let mut open = Open::of(search, &mapped, orphans)?;
    let mut fits = Vec::new();
    for sighting in orphans.iter().filter(|sighting| !mapped.contains_key(&sighting.block)) {
        fits.extend(open.roots.fits(sighting.block, &search.entries_of(sighting.block)?));
    }
    let hashed = open.roots.owners(fits);
    let known = |block: BlockNr| mapped.get(&block).or(hashed.get(&block)).copied();
    let mut names = Names::default();
    for (block, nr) in orphans.iter().filter_map(|sighting| Some((sighting.block, known(sighting.block)?))) {
        let entries = search.entries_of(block)?;
        names.learn(nr, &entries);
        place(search, &mut open, block, &entries, Some(nr));
    }
    for block in orphans.iter().map(|sighting| sighting.block).filter(|block| known(*block).is_none()) {
        let entries = search.entries_of(block)?;
        let mut told = names.owner(&entries);
        if told.is_none() {
            told = search.told_by_children(&BTreeSet::from([block]))?;
        }
        let told = told.or_else(|| open.nearest(&search.evidence.volume.geometry, block, &entries));
        told.iter().for_each(|nr| names.learn(*nr, &entries));
        place(search, &mut open, block, &entries, told);
    }
    Ok(())
}

/// Takes a block for one of a directory's, or of one that nobody knows.
fn place(search: &mut Search<'_>, open: &mut Open, block: BlockNr, entries: &[Entry], told: Option<u32>) {
    match told {
        Some(nr) if search.is_open(nr) => {
            open.learn(nr, entries);
            search.found.entry(nr).or_default().blocks.insert(block);
        }
        Some(_) => {}
        None => search.unnumbered.push(BTreeSet::from([block])),
    }
}

/// Which directory names stand in, each with its inode, by a hash of both: a block that has the same ones is an older or
/// a newer copy.
#[derive(Default)]
struct Names {
    of: HashMap<u64, u32>,
    hasher: RandomState,
}

impl Names {
    fn key(&self, entry: &Entry) -> u64 {
        self.hasher.hash_one((&entry.name, entry.id.0))
    }

    fn learn(&mut self, dir: u32, entries: &[Entry]) {
        for entry in entries.iter().take(MOST_NAMES.saturating_sub(self.of.len())) {
            self.of.entry(self.key(entry)).or_insert(dir);
        }
    }

    /// The directory that has most of these names, and at least half.
    fn owner(&self, entries: &[Entry]) -> Option<u32> {
        let mut votes: BTreeMap<u32, usize> = BTreeMap::new();
        for dir in entries.iter().filter_map(|entry| self.of.get(&self.key(entry))) {
            *votes.entry(*dir).or_default() += 1;
        }
        let (dir, count) = votes.into_iter().max_by_key(|&(dir, count)| (count, std::cmp::Reverse(dir)))?;
        (count * 2 >= entries.len()).then_some(dir)
    }
}

/// The orphans that what is left of directories' records still maps.
fn mapped(search: &Search<'_>, orphans: &[Sighting]) -> Result<HashMap<BlockNr, u32>, SourceGone> {
    let orphans: BTreeSet<BlockNr> = orphans.iter().map(|sighting| sighting.block).collect();
    let volume = search.evidence.volume;
    let mut owners = HashMap::new();
    let ruined: BTreeSet<u32> = search.evidence.astray.iter().chain(search.found.keys()).copied().collect();
    for nr in &ruined {
        let Some(inode) = volume.inode(InodeNr(*nr))? else { continue };
        let mut best = Vec::new();
        for reading in mend::readings(volume.geometry.features, &inode.record) {
            let all = mend::mapped(volume, InodeNr(*nr), &reading, u64::MAX)?;
            let blocks: Vec<BlockNr> = all.iter().map(|(_, at)| *at).filter(|at| orphans.contains(at)).collect();
            // What leads nearly everywhere leads to orphans, too.
            if blocks.len() > best.len() && blocks.len() * 2 >= all.len() {
                best = blocks;
            }
        }
        for block in best {
            owners.entry(block).or_insert(*nr);
        }
    }
    Ok(owners)
}

/// What is known of a directory that blocks may be of.
struct Near {
    dir: u32,
    /// The longest entry for which its first block has room.
    room: usize,
    /// The numbers of its files.
    files: Option<Files>,
}

/// The inode numbers of files that a directory names: they mostly ascend as the names were made.
#[derive(Clone, Copy)]
struct Files {
    from: u32,
    to: u32,
    count: u32,
}

/// The inodes of the files that entries name; a directory's own subdirectories have theirs anywhere.
fn file_numbers(entries: &[Entry]) -> Vec<u32> {
    let files = entries.iter().filter(|entry| entry.kind.is_none_or(|kind| kind != Kind::Directory));
    files.filter_map(|entry| u32::try_from(entry.id.0).ok()).collect()
}

impl Files {
    /// Those among some entries.
    fn of(entries: &[Entry]) -> Option<Self> {
        let one = file_numbers(entries).into_iter().map(|nr| Files { from: nr, to: nr, count: 1 });
        one.reduce(Files::with)
    }

    fn with(self, other: Files) -> Self {
        let count = self.count.saturating_add(other.count);
        Files { from: self.from.min(other.from), to: self.to.max(other.to), count }
    }

    /// The distance from one number to the next: more than 1 where several directories grew together.
    fn step(self) -> u32 {
        ((self.to - self.from) / self.count.saturating_sub(1).max(1)).max(1)
    }

    /// How far these are from a directory's own number: its first files mostly follow it.
    fn gap_to(self, dir: u32) -> u32 {
        dir.abs_diff(self.from).min(dir.abs_diff(self.to))
    }

    /// How far `other` is from where these would go on, at either end.
    fn gap(self, other: Files) -> u32 {
        let after = self.to.saturating_add(self.step()).abs_diff(other.from);
        let before = self.from.saturating_sub(self.step()).abs_diff(other.to);
        after.min(before)
    }
}

/// The directories that blocks may be of.
struct Open {
    roots: Roots,
    /// Those without a hash tree, by their first blocks.
    near: BTreeMap<BlockNr, Near>,
    /// Where each of those has its first block.
    places: HashMap<u32, BlockNr>,
    /// Directories of which nothing but the name is left.
    headless: BTreeSet<u32>,
}

impl Open {
    fn of(search: &Search<'_>, mapped: &HashMap<BlockNr, u32>, orphans: &[Sighting]) -> Result<Self, SourceGone> {
        let mut open =
            Open { roots: Roots::default(), near: BTreeMap::new(), places: HashMap::new(), headless: BTreeSet::new() };
        let volume = search.evidence.volume;
        for sighting in search.evidence.sightings {
            let What::First { own, .. } = sighting.what else { continue };
            let is_found = search.found.get(&own).is_some_and(|found| found.first == Some(sighting.block));
            let is_broken = search.broken.contains(&own)
                && search.evidence.claims.owners(sighting.block).any(|owner| owner.0 == own);
            if !is_found && !is_broken {
                continue;
            }
            let Some(bytes) = volume.block(sighting.block)? else { continue };
            // Without the superblock nothing tells what begins the hashes.
            if !volume.geometry.inferred && open.roots.take(&volume.superblock, own, sighting.block, &bytes) {
                continue;
            }
            // What a hash tree's root lists is elsewhere: it has no room, and no names.
            let room = if dir::is_root(&bytes) { 0 } else { room(&bytes) };
            open.near.insert(sighting.block, Near { dir: own, room, files: None });
            open.places.insert(own, sighting.block);
            open.learn(own, &search.entries_of(sighting.block)?);
        }
        for sighting in search.evidence.sightings.iter().filter(|sighting| sighting.what == What::HashNode) {
            if search.is_orphan(sighting.block)
                && let Some(bytes) = volume.block(sighting.block)?
            {
                open.roots.divide(&bytes);
            }
        }
        for sighting in search.evidence.sightings.iter().filter(|sighting| sighting.what == What::Leaf) {
            if let Some(dir) = mapped.get(&sighting.block).copied().or(search.broken_owner(sighting.block)) {
                open.roots.fill(dir, sighting.block, &search.entries_of(sighting.block)?);
            }
        }
        if !orphans.is_empty() {
            open.headless = search.headless(orphans)?;
        }
        Ok(open)
    }

    /// Widens what is known of a directory's files.
    fn learn(&mut self, dir: u32, entries: &[Entry]) {
        let Some(near) = self.places.get(&dir).and_then(|first| self.near.get_mut(first)) else { return };
        near.files = near.files.into_iter().chain(Files::of(entries)).reduce(Files::with);
    }

    /// The likeliest of the directories nearby; `None` where even that one had room and has nothing to do with the files.
    fn nearest(&self, geometry: &Geometry, block: BlockNr, entries: &[Entry]) -> Option<u32> {
        let needed = room_needed(entries);
        let files = Files::of(entries);
        let before = self.near.range(..block).rev().take(NEIGHBOURS);
        let after = self.near.range(block..).take(NEIGHBOURS);
        let likeness = |(first, near): (&BlockNr, &Near)| {
            let gap = match (near.files, files) {
                (Some(near), Some(files)) => near.gap(files),
                (None, Some(files)) => files.gap_to(near.dir),
                _ => u32::MAX,
            };
            (near.room >= needed, gap, *first > block, first.0.abs_diff(block.0), near.dir)
        };
        let headless = self.headless(geometry, block, entries).map(|(dir, gap)| (false, gap, true, u64::MAX, dir));
        let best = before.chain(after).map(likeness).chain(headless).min();
        best.filter(|(had_room, gap, ..)| !had_room || *gap <= FAR).map(|(.., dir)| dir)
    }

    /// The likeliest of the directories of which nothing but the name is left, and how far it is from the block's files:
    /// directories have their blocks in the group of their inode, and most of their files.
    fn headless(&self, geometry: &Geometry, block: BlockNr, entries: &[Entry]) -> Option<(u32, u32)> {
        let mut numbers = file_numbers(entries);
        numbers.sort_unstable();
        let middle = *numbers.get(numbers.len() / 2)?;
        let group = geometry.group_of_block(block);
        let likeness = |dir: &u32| {
            let own = geometry.group_of_inode(InodeNr(*dir)).0;
            (own.0.abs_diff(group.0), middle.abs_diff(*dir), *dir)
        };
        let (.., dir) = self.headless.iter().map(likeness).min()?;
        Some((dir, numbers.iter().map(|nr| nr.abs_diff(dir)).min()?))
    }
}

/// Bytes of an entry with a name of this length.
fn entry_len(name: usize) -> usize {
    (HEADER_SIZE + name).next_multiple_of(4)
}

/// The room that the first entry of a block needed, which a directory's earlier blocks did not have.
fn room_needed(entries: &[Entry]) -> usize {
    entries.first().map_or(HEADER_SIZE, |entry| entry_len(entry.name.len()))
}

/// The longest entry for which a block has room.
fn room(block: &[u8]) -> usize {
    let (mut offset, mut most) = (0, 0);
    while let Some(entry) = at::<DirEntry>(block, offset) {
        let len = dirent::rec_len(entry.rec_len.get(), block.len());
        let used = if entry.inode.get() == 0 { 0 } else { entry_len(entry.name_len.into()) };
        most = most.max(len.saturating_sub(used));
        offset += len.max(HEADER_SIZE);
    }
    most
}
