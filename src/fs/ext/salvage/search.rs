//! The search of a whole volume, once: [`salvage`]. Each step sees what those before it found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::number::{BlockNr, InodeNr};
use super::super::volume::Volume;
use super::super::{Ext, recover, twins, unflipped};
use super::claims::{self, Claims};
use super::record::{self, Verdict};
use super::remains::Remains;
use super::roll::{Roll, State};
use super::sighting::{self, Sighting};
use super::{detached, directories, displaced, foreign, mend, older};
use crate::bytes::Span;
use crate::fs::pass;
use crate::node::Trust;
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

/// Searches the whole volume, once.
///
/// # Errors
/// When the source is gone.
pub fn salvage(ext: &Ext, progress: &dyn Progress) -> Result<(), SourceGone> {
    if ext.options.strict || ext.volume.remains().is_some() {
        return Ok(());
    }
    let mut search = Search::begin(&ext.volume, progress)?;
    search.take_displaced()?;
    search.mend_directories()?;
    search.take_nodes()?;
    search.leave_foreign()?;
    ext.volume.set_remains(search.rebuild()?);
    Ok(())
}

/// A search, as far as it has come.
struct Search {
    /// The volume, read with what was found so far.
    volume: Volume,
    roll: Roll,
    claims: Claims,
    sightings: Vec<Sighting>,
    remains: Remains,
    /// Inodes of which one bit flipped.
    flips: usize,
    /// Inodes that lie in others' places.
    moved: usize,
}

impl Search {
    /// With what the journal still holds, and records that prove themselves, the rest is searched: it then sees what the
    /// reader will see.
    fn begin(volume: &Volume, progress: &dyn Progress) -> Result<Self, SourceGone> {
        let mut remains = Remains::default();
        let roll = Roll::take(volume, progress)?;
        if let Some(older) = older(volume, &roll)? {
            remains.trust.extend(older.inodes.keys().map(|nr| (*nr, Trust::Journal)));
            remains.inodes = older.inodes;
            remains.blocks = older.blocks;
        }
        take_misplaced(volume, &roll, &mut remains);
        let flips = take_unflipped(volume, &roll, &mut remains)?;
        let volume = volume.with(remains.clone());
        let roll = Roll::take(&volume, progress)?;
        let claims = Claims::take(&volume, &roll, progress)?;
        let sightings = sightings(&volume, progress)?;
        Ok(Search { volume, roll, claims, sightings, remains, flips, moved: 0 })
    }

    /// Reads the volume with what was found since.
    fn renew(&mut self) {
        self.volume = self.volume.with(self.remains.clone());
    }

    fn take_displaced(&mut self) -> Result<(), SourceGone> {
        let displaced = displaced::records(&self.volume, &self.roll, &self.claims, &self.sightings)?;
        self.moved = displaced.len();
        self.take_better(displaced, Trust::Renamed)
    }

    fn mend_directories(&mut self) -> Result<(), SourceGone> {
        let mended = mend::directories(&self.volume, &self.roll, &self.claims, &self.sightings)?;
        self.take_better(mended, Trust::Unproven)
    }

    /// Takes better records for those on the disk, trusted so far.
    fn take_better(&mut self, better: BTreeMap<InodeNr, Arc<[u8]>>, trust: Trust) -> Result<(), SourceGone> {
        if better.is_empty() {
            return Ok(());
        }
        let some: BTreeSet<InodeNr> = better.keys().copied().collect();
        for (nr, record) in better {
            self.roll.correct(&self.volume, nr, &record);
            self.remains.inodes.insert(nr, record);
            self.remains.trust.insert(nr, trust);
        }
        self.renew();
        self.claims.take_again(&self.volume, &self.roll, &some)
    }

    /// Leaves nodes of extent trees to those they are of, and takes the leaves that maps no longer lead to.
    fn take_nodes(&mut self) -> Result<(), SourceGone> {
        if !self.claims.denied.is_empty() {
            self.remains.nodes = detached::claimed(&self.volume, &self.roll, &self.sightings)?;
            self.renew();
            let denied = self.claims.denied.clone();
            self.claims.take_again(&self.volume, &self.roll, &denied)?;
        }
        self.remains.leaves = detached::leaves(&self.volume, &self.claims, &self.sightings)?;
        if !self.remains.leaves.is_empty() {
            self.renew();
            let found = self.remains.leaves.keys().copied().collect();
            self.claims.take_again(&self.volume, &self.roll, &found)?;
        }
        Ok(())
    }

    /// Leaves blocks to those they are of which ruined directories map.
    fn leave_foreign(&mut self) -> Result<(), SourceGone> {
        self.remains.foreign = foreign::find(&self.volume, &self.roll, &self.claims, &self.sightings)?;
        if !self.remains.foreign.is_empty() {
            self.claims.release(&self.remains.foreign);
            self.renew();
        }
        Ok(())
    }

    /// Judges what contradicts, and puts the directories together. The end of the search.
    fn rebuild(self) -> Result<Remains, SourceGone> {
        let Search { volume, roll, claims, sightings, mut remains, flips, moved } = self;
        let astray = directories::astray(&roll, &claims, &sightings);
        let intruding = directories::intruding(&roll, &claims, &sightings, &astray);
        remains.trust.extend(intruding.iter().map(|nr| (*nr, Trust::Doubtful)));
        judge_contradictions(&volume, &roll, &claims, &astray, &mut remains)?;
        let (volume, roll, claims, sightings) = (&volume, &roll, &claims, &sightings[..]);
        let evidence = directories::Evidence { volume, roll, claims, sightings, astray, intruding };
        let rebuilt = directories::rebuild(&evidence, &mut remains)?;
        if !remains.entries.contains_key(&InodeNr::ROOT) && !roll.get(InodeNr::ROOT).is_directory() {
            // Nothing is left of the root: a tree needs one all the same.
            remains.inodes.insert(InodeNr::ROOT, directories::record(volume.geometry.inode_size as usize));
            remains.trust.insert(InodeNr::ROOT, Trust::Renamed);
        }
        remains.decisions = decisions(&remains, flips, moved, rebuilt);
        Ok(remains)
    }
}

/// Takes records that lie in another's place for the inodes they prove to be of, where nothing better is known of them.
fn take_misplaced(volume: &Volume, roll: &Roll, remains: &mut Remains) {
    for (nr, record) in &roll.misplaced {
        if !roll.get(*nr).proved && record::judge(&volume.geometry, *nr, record) == Verdict::Proved {
            remains.inodes.insert(*nr, record.clone());
            remains.trust.remove(nr);
        }
    }
}

/// Takes records of which one bit flipped as they were, where nothing better is known. Returns how many there are.
fn take_unflipped(volume: &Volume, roll: &Roll, remains: &mut Remains) -> Result<usize, SourceGone> {
    if !volume.geometry.has_checksums() {
        return Ok(0);
    }
    let (mut inodes, mut count) = (volume.inodes(), 0);
    for (nr, known) in roll.iter() {
        let is_wanted = !known.proved && !matches!(known.state, State::Unreadable | State::Blank);
        if !is_wanted || remains.inodes.contains_key(&nr) {
            continue;
        }
        let inode = inodes.read(nr)?;
        if let Some(record) = inode.and_then(|inode| unflipped::inode(&volume.geometry, &inode)) {
            remains.trust.insert(nr, Trust::Unproven);
            remains.inodes.insert(nr, record.into());
            count += 1;
        }
    }
    Ok(count)
}

/// Where two inodes map the same block, one of them is wrong: the one no checksum proves, or any of the two. What
/// directories claim that lead `astray` counts for nothing.
fn judge_contradictions(
    volume: &Volume,
    roll: &Roll,
    claims: &Claims,
    astray: &BTreeSet<u32>,
    remains: &mut Remains,
) -> Result<(), SourceGone> {
    let proved = |nr| roll.get(nr).proved && !claims.refuted.contains(&nr);
    let intruders = claims::intruders(&claims.overlaps());
    for (one, other) in claims.contradictions() {
        if astray.contains(&one.0) || astray.contains(&other.0) {
            continue;
        }
        let (first, second) = match (proved(one), proved(other)) {
            (false, false) if intruders.contains(&one) != intruders.contains(&other) => {
                (intruders.contains(&one), intruders.contains(&other))
            }
            (false, false) => match twins::copy(volume, one, other)? {
                Some(nr) => (nr == one, nr == other),
                None => (true, true),
            },
            (first, second) => (!first || second, !second || first),
        };
        for (nr, _) in [(one, first), (other, second)].into_iter().filter(|(_, is_doubtful)| *is_doubtful) {
            remains.trust.insert(nr, Trust::Doubtful);
        }
    }
    Ok(())
}

/// The metadata blocks that can be told by their contents, in the order of the disk. The journal's are copies.
fn sightings(volume: &Volume, progress: &dyn Progress) -> Result<Vec<Sighting>, SourceGone> {
    let geometry = &volume.geometry;
    progress.stage("searching for directories", Some(volume.source.len()), Unit::Bytes);
    let block_size = u64::from(geometry.block_size);
    let journal = recover::unclaimed(volume)?;
    let mut found = Vec::new();
    pass::chunks(
        &volume.source,
        block_size,
        progress,
        |at, chunk| {
            let blocks = chunk.chunks_exact(block_size as usize).zip(at / block_size..);
            blocks.filter_map(|(block, nr)| sighting::look(geometry, BlockNr(nr), block)).collect::<Vec<_>>()
        },
        |some| found.extend(some),
    )?;
    found.retain(|sighting| !journal.touches(Span::new(geometry.offset(sighting.block), block_size)));
    Ok(found)
}

/// What a search found, one sentence each.
fn decisions(remains: &Remains, flips: usize, moved: usize, rebuilt: usize) -> Vec<String> {
    let of = |trust: Trust| remains.trust.values().filter(|it| **it == trust).count();
    let root =
        remains.inodes.contains_key(&InodeNr::ROOT) && remains.trust.get(&InodeNr::ROOT) == Some(&Trust::Renamed);
    let found = [
        (of(Trust::Journal), "inodes are damaged; older copies of them in the journal are used"),
        (flips, "inodes have one flipped bit, which their checksums tell"),
        (moved, "inodes lie in others' places, as the blocks of directories among them tell, or are lost by that"),
        (rebuilt, "directories are put together again from blocks found by their contents"),
        (remains.made_up.len(), "of them have no known inode"),
        (remains.leaves.len(), "files' extent trees are damaged; leaves found by their checksums are used"),
        (of(Trust::Doubtful), "inodes claim blocks that others claim too; they are doubtful"),
        (usize::from(root), "root directory's inode is lost; the tree is rebuilt from the entries that name parents"),
    ];
    found.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}
