//! Blocks that a directory maps though they are another inode's: [`find`].
//!
//! A damaged map leads anywhere: to files' data, to other directories' blocks. Read as the directory's own, those blocks
//! would list names twice, and whoever they are of would be doubted. Where it shows whose they are, they are not the
//! directory's.
//!
//! Nor are blocks that were written where the directory has its own: a sound map leads to them, but their checksums say
//! whose they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::checksum::Seed;
use super::super::number::{BlockNr, InodeNr};
use super::super::volume::Volume;
use super::claims::{Claims, Overlap};
use super::roll::Roll;
use super::sighting::{Sighting, What};
use crate::source::SourceGone;

/// Blocks noted, at most.
const MOST: usize = 1 << 20;
/// Blocks looked at, at most: everybody may claim everything.
const MOST_SEEN: usize = 1 << 24;
/// Files into which a directory's map has to lead before they are believed and not the map: a file's own map may lead to
/// a block of a directory that is destroyed. Fewer where the map has impossible parts, too.
const FEWEST_FILES: usize = 3;
const FEWEST_FILES_OF_BROKEN: usize = 2;

/// Directories, and the blocks they map that are not theirs.
pub type Foreign = BTreeSet<(InodeNr, BlockNr)>;

/// The blocks of others that directories map.
///
/// # Errors
/// When the source is gone.
pub fn find(volume: &Volume, roll: &Roll, claims: &Claims, sightings: &[Sighting]) -> Result<Foreign, SourceGone> {
    let is_ruined = |nr| roll.get(nr).is_directory() && (!roll.get(nr).proved || claims.refuted.contains(&nr));
    let overlaps: Vec<Overlap> = claims
        .overlaps()
        .into_iter()
        .flat_map(|overlap| [overlap, overlap.swapped()])
        .filter(|overlap| overlap.one.nr != overlap.other.nr && is_ruined(overlap.one.nr))
        .collect();
    let seen: BTreeMap<BlockNr, Sighting> =
        sightings.iter().filter(|it| it.what.is_of_directory()).map(|it| (it.block, *it)).collect();
    let mut judge = Judge { volume, roll, claims, seen, seeds: HashMap::new() };
    let misplaced = judge.misplaced()?;
    if overlaps.is_empty() {
        return Ok(misplaced);
    }
    let mut foreign = judge.shown(&overlaps)?;
    foreign.extend(judge.files(&overlaps));
    let shared = judge.shared(&overlaps, &foreign);
    foreign.extend(shared);
    foreign.extend(misplaced);
    Ok(foreign)
}

/// The blocks shared in each overlap.
fn blocks(overlaps: &[Overlap]) -> impl Iterator<Item = (Overlap, BlockNr)> {
    overlaps.iter().flat_map(|it| it.blocks().map(|block| (*it, block))).take(MOST_SEEN)
}

struct Judge<'j> {
    volume: &'j Volume,
    roll: &'j Roll,
    claims: &'j Claims,
    /// Blocks of directories, by place.
    seen: BTreeMap<BlockNr, Sighting>,
    seeds: HashMap<InodeNr, Option<Seed>>,
}

impl Judge<'_> {
    /// Blocks in a directory's place whose checksums say that they are another's: one in use, or one of which nothing
    /// else is left. Those that damage changed say what no other block does.
    fn misplaced(&mut self) -> Result<Foreign, SourceGone> {
        let strangers = self.strangers()?;
        if strangers.is_empty() {
            return Ok(Foreign::new());
        }
        let owners = self.owners_by_seed()?;
        let mut blocks: HashMap<Seed, usize> = HashMap::new();
        self.seen.values().filter_map(|it| it.seed).for_each(|seed| *blocks.entry(seed).or_default() += 1);
        let is_another_s = |nr: InodeNr, seed: Seed| match owners.get(&seed) {
            Some(owner) => *owner != nr,
            None => self.roll.get(nr).proved && (blocks[&seed] > 1 || self.roll.lacks(&self.volume.geometry, seed)),
        };
        let foreign = strangers.into_iter().filter(|(nr, _, seed)| is_another_s(*nr, *seed));
        Ok(foreign.map(|(nr, block, _)| (nr, block)).take(MOST).collect())
    }

    /// Blocks of directories that their checksums deny, and what those begin with.
    fn strangers(&mut self) -> Result<Vec<(InodeNr, BlockNr, Seed)>, SourceGone> {
        let mut strangers = Vec::new();
        let owned = self.seen.values().filter_map(|it| Some((it.block, it.seed?)));
        for (block, seed) in owned.collect::<Vec<_>>() {
            for nr in self.claims.owners(block).filter(|nr| self.roll.get(*nr).is_directory()) {
                if self.seed(nr)? != Some(seed) {
                    strangers.push((nr, block, seed));
                }
            }
        }
        Ok(strangers)
    }

    /// The directories in use by what their checksums begin with, as their inodes say it, or better their first blocks.
    fn owners_by_seed(&mut self) -> Result<HashMap<Seed, InodeNr>, SourceGone> {
        let mut owners = HashMap::new();
        for (nr, _) in self.roll.iter().filter(|(_, known)| known.is_directory()) {
            owners.extend(self.seed(nr)?.map(|seed| (seed, nr)));
        }
        for it in self.seen.values() {
            let (What::First { own, .. }, Some(seed)) = (it.what, it.seed) else { continue };
            owners.extend(self.claims.owners(it.block).find(|nr| nr.0 == own).map(|nr| (seed, nr)));
        }
        Ok(owners)
    }

    /// Blocks that say themselves that they are the other's, by the number in a first block or by a checksum; and those
    /// of the journal, which holds copies of directories.
    fn shown(&mut self, overlaps: &[Overlap]) -> Result<Foreign, SourceGone> {
        let mut foreign = Foreign::new();
        let may_show = |nr: InodeNr| nr == InodeNr::JOURNAL || self.roll.get(nr).is_directory();
        let overlaps: Vec<Overlap> = overlaps.iter().filter(|it| may_show(it.other.nr)).copied().collect();
        for (overlap, block) in blocks(&overlaps) {
            if foreign.len() < MOST
                && (overlap.other.nr == InodeNr::JOURNAL || self.is_shown(overlap.other.nr, block)?)
            {
                foreign.insert((overlap.one.nr, block));
            }
        }
        Ok(foreign)
    }

    /// True for a block that says itself that it is a directory's.
    fn is_shown(&mut self, nr: InodeNr, block: BlockNr) -> Result<bool, SourceGone> {
        let Some(Sighting { what, seed, .. }) = self.seen.get(&block).copied() else { return Ok(false) };
        let is_named = matches!(what, What::First { own, .. } if own == nr.0);
        Ok(is_named || seed.is_some() && seed == self.seed(nr)?)
    }

    /// Blocks of files that hold no directory's entries, where a map leads to several files.
    fn files(&self, overlaps: &[Overlap]) -> Foreign {
        let mut files: BTreeMap<InodeNr, BTreeSet<InodeNr>> = BTreeMap::new();
        let overlaps: Vec<Overlap> =
            overlaps.iter().filter(|it| !self.roll.get(it.other.nr).is_directory()).copied().collect();
        let unlike = blocks(&overlaps).filter(|(_, block)| !self.seen.contains_key(block));
        let led: Vec<(Overlap, BlockNr)> = unlike.take(MOST).collect();
        for (overlap, _) in &led {
            files.entry(overlap.one.nr).or_default().insert(overlap.other.nr);
        }
        let fewest = |nr: &InodeNr| if self.claims.broken.contains(nr) { FEWEST_FILES_OF_BROKEN } else { FEWEST_FILES };
        files.retain(|nr, files| files.len() >= fewest(nr));
        led.into_iter().map(|(it, block)| (it.one.nr, block)).filter(|(nr, _)| files.contains_key(nr)).collect()
    }

    /// Blocks that another directory maps, too, against which nothing else speaks.
    fn shared(&self, overlaps: &[Overlap], foreign: &Foreign) -> Foreign {
        let ruined: BTreeSet<InodeNr> = foreign.iter().map(|(nr, _)| *nr).collect();
        let leads_astray = |nr: InodeNr| ruined.contains(&nr) || self.claims.broken.contains(&nr);
        let directories = overlaps.iter().filter(|overlap| self.roll.get(overlap.other.nr).is_directory());
        let one_sided = directories.filter(|it| leads_astray(it.one.nr) && !leads_astray(it.other.nr));
        let one_sided: Vec<Overlap> = one_sided.copied().collect();
        blocks(&one_sided).take(MOST).map(|(it, block)| (it.one.nr, block)).collect()
    }

    /// What the checksums of a directory's blocks begin with.
    fn seed(&mut self, nr: InodeNr) -> Result<Option<Seed>, SourceGone> {
        if let Some(seed) = self.seeds.get(&nr) {
            return Ok(*seed);
        }
        let inode = self.volume.inode(nr)?;
        let seed = inode.map(|inode| inode.seed(&self.volume.geometry));
        self.seeds.insert(nr, seed);
        Ok(seed)
    }
}
