//! Which inode maps which block, over the whole volume: [`Claims`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rayon::prelude::*;

use super::super::codes;
use super::super::map;
use super::super::number::{BlockNr, InodeNr};
use super::super::sharing::{self, FEWEST_INSIDE};
use super::super::volume::Volume;
use super::roll::{Known, Roll};
use crate::node::Trust;
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

/// Inodes mapped at once by one thread.
const CHUNK: usize = 256;

/// A run of blocks that one inode maps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Run {
    start: u64,
    len: u64,
    /// Whose.
    pub nr: InodeNr,
}

impl Run {
    fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// What all inodes in use map.
#[derive(Default)]
pub struct Claims {
    /// By start. They overlap where inodes contradict each other.
    runs: Vec<Run>,
    /// The longest run: how far back an overlapping one may begin.
    longest: u64,
    /// Inodes whose map has holes where something is lost.
    pub broken: BTreeSet<InodeNr>,
    /// Those of them of which a part is another's, as checksums show: what they map counts for less.
    pub refuted: BTreeSet<InodeNr>,
    /// Those whose maps have nodes that checksums deny.
    pub denied: BTreeSet<InodeNr>,
}

impl Claims {
    /// Maps every inode in use, the journal among them.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn take(volume: &Volume, roll: &Roll, progress: &dyn Progress) -> Result<Claims, SourceGone> {
        let used: Vec<(InodeNr, Known)> = roll.iter().filter(|(nr, known)| has_map(*nr, *known)).collect();
        progress.stage("reading maps", Some(used.len() as u64), Unit::Items);
        let chunks = used.par_chunks(CHUNK).map(|chunk| {
            let part = map_some(volume, chunk);
            progress.advance(chunk.len() as u64);
            part
        });
        let mut claims = Claims::default();
        for part in chunks.collect::<Result<Vec<_>, SourceGone>>()? {
            claims.add(part);
        }
        claims.order();
        Ok(claims)
    }

    /// Reads the maps of some inodes again, of which better records were found.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn take_again(&mut self, volume: &Volume, roll: &Roll, some: &BTreeSet<InodeNr>) -> Result<(), SourceGone> {
        self.runs.retain(|run| !some.contains(&run.nr));
        self.broken.retain(|nr| !some.contains(nr));
        self.refuted.retain(|nr| !some.contains(nr));
        self.denied.retain(|nr| !some.contains(nr));
        let used: Vec<(InodeNr, Known)> = some.iter().map(|nr| (*nr, roll.get(*nr))).collect();
        let used: Vec<(InodeNr, Known)> = used.into_iter().filter(|(nr, known)| has_map(*nr, *known)).collect();
        self.add(map_some(volume, &used)?);
        self.order();
        Ok(())
    }

    fn add(&mut self, part: Part) {
        self.runs.extend(part.runs);
        self.broken.extend(part.broken);
        self.refuted.extend(part.refuted);
        self.denied.extend(part.denied);
    }

    fn order(&mut self) {
        self.runs.par_sort_unstable();
        self.longest = self.runs.iter().map(|run| run.len).max().unwrap_or_default();
    }

    /// The inodes that map a block.
    pub fn owners(&self, block: BlockNr) -> impl Iterator<Item = InodeNr> + '_ {
        let from = self.runs.partition_point(|run| run.start + self.longest <= block.0);
        let candidates = self.runs[from..].iter().take_while(move |run| run.start <= block.0);
        candidates.filter(move |run| block.0 < run.start + run.len).map(|run| run.nr)
    }

    /// How many blocks each of some inodes maps.
    pub fn counts(&self, some: &BTreeSet<InodeNr>) -> BTreeMap<InodeNr, u64> {
        let mut counts = BTreeMap::new();
        for run in self.runs.iter().filter(|run| some.contains(&run.nr)) {
            *counts.entry(run.nr).or_default() += run.len;
        }
        counts
    }

    /// True if an inode maps one of the blocks from `start` to `end`, exclusive.
    pub fn touch(&self, start: u64, end: u64) -> bool {
        let from = self.runs.partition_point(|run| run.start + self.longest <= start);
        self.runs[from..].iter().take_while(|run| run.start < end).any(|run| start < run.start + run.len)
    }

    /// The inodes that share blocks with another, each with the one whose claim it contradicts: itself, if it claims
    /// blocks twice.
    pub fn contradictions(&self) -> Vec<(InodeNr, InodeNr)> {
        let mut pairs: Vec<_> = self.overlaps().into_iter().map(|it| (it.one.nr, it.other.nr)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// The blocks claimed twice, in the order of the disk.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let mut overlaps = Vec::new();
        let mut open: Option<Run> = None;
        for run in &self.runs {
            if let Some(before) = open.filter(|before| run.start < before.end()) {
                overlaps.push(Overlap { one: before, other: *run });
            }
            if open.is_none_or(|before| run.end() > before.end()) {
                open = Some(*run);
            }
        }
        overlaps
    }

    /// Takes from inodes the claims to blocks that are not theirs.
    pub fn release(&mut self, foreign: &BTreeSet<(InodeNr, BlockNr)>) {
        let mut kept = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            let mut start = run.start;
            for (_, block) in foreign.range((run.nr, BlockNr(run.start))..(run.nr, BlockNr(run.end()))) {
                kept.extend((start < block.0).then(|| Run { start, len: block.0 - start, nr: run.nr }));
                start = block.0 + 1;
            }
            kept.extend((start < run.end()).then(|| Run { start, len: run.end() - start, nr: run.nr }));
        }
        self.runs = kept;
        self.order();
    }
}

/// Two runs that share blocks.
#[derive(Clone, Copy, Debug)]
pub struct Overlap {
    pub one: Run,
    pub other: Run,
}

impl Overlap {
    /// The same, seen from the other.
    pub fn swapped(self) -> Self {
        Overlap { one: self.other, other: self.one }
    }

    /// The blocks.
    pub fn blocks(self) -> impl Iterator<Item = BlockNr> {
        self.range().map(BlockNr)
    }

    fn range(self) -> Range<u64> {
        self.one.start.max(self.other.start)..self.one.end().min(self.other.end())
    }
}

/// Inodes that lead into one file after the other, where each of those contradicts nobody else.
pub fn intruders(overlaps: &[Overlap]) -> BTreeSet<InodeNr> {
    let mut others: BTreeMap<InodeNr, BTreeSet<InodeNr>> = BTreeMap::new();
    let mut filled: BTreeMap<Run, (BTreeSet<InodeNr>, u64)> = BTreeMap::new();
    for overlap in overlaps.iter().flat_map(|overlap| [*overlap, overlap.swapped()]) {
        others.entry(overlap.one.nr).or_default().insert(overlap.other.nr);
        let (some, blocks) = filled.entry(overlap.one).or_default();
        some.insert(overlap.other.nr);
        let shared = overlap.range();
        *blocks += shared.end.saturating_sub(shared.start);
    }
    let is_else_sound = |nr: &&InodeNr| others[nr].len() == 1;
    let is_filled = |(run, (some, blocks)): &(&Run, &(BTreeSet<InodeNr>, u64))| {
        *blocks * 2 >= run.len && some.iter().filter(is_else_sound).count() >= FEWEST_INSIDE
    };
    filled.iter().filter(is_filled).map(|(run, _)| run.nr).collect()
}

fn has_map(nr: InodeNr, known: Known) -> bool {
    !nr.only_lists_blocks() && known.has_contents()
}

#[derive(Default)]
struct Part {
    runs: Vec<Run>,
    broken: Vec<InodeNr>,
    refuted: Vec<InodeNr>,
    denied: Vec<InodeNr>,
}

fn map_some(volume: &Volume, chunk: &[(InodeNr, Known)]) -> Result<Part, SourceGone> {
    let mut part = Part::default();
    let mut inodes = volume.inodes();
    for (nr, _) in chunk {
        let Some(inode) = inodes.read(*nr)? else { continue };
        let mapping = map::map(volume, &inode, inode.size(&volume.geometry))?;
        if mapping.trust >= Trust::Partial {
            part.broken.push(*nr);
        }
        if mapping.trust == Trust::Doubtful && volume.geometry.has_checksums() {
            part.refuted.push(*nr);
        }
        if mapping.findings.iter().any(|finding| finding.code == codes::EXTENT_CHECKSUM) {
            part.denied.push(*nr);
        }
        let mapped = sharing::on_disk(&volume.geometry, &mapping);
        let claimed = sharing::at_most(mapped, sharing::most(&volume.geometry, &inode));
        part.runs.extend(claimed.into_iter().map(|(start, end)| Run { start, len: end - start, nr: *nr }));
    }
    Ok(part)
}
