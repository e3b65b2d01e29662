//! Blocks that more than one inode claims, found while inodes are counted: [`Claimed`] takes what each inode's own
//! record says of its blocks, without reading any further block, into one bit a cluster. Only where a bit was there
//! already are the inodes read again, to learn whose it is ([`sharers`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::disk::at;
use super::disk::extent::{ENTRY_SIZE, Extent, ExtentHeader, ExtentIdx, MAGIC};
use super::geometry::Geometry;
use super::inode::{Inode, Layout};
use super::map;
use super::number::InodeNr;
use super::twins;
use super::volume::Volume;
use crate::bytes::le32;
use crate::node::{self, Backing, Kind, Mapping};
use crate::source::SourceGone;

/// Clusters whose bits are kept together: made when the first of them is claimed.
const PART: u64 = 1 << 16;
/// Runs claimed twice that are kept: beyond them nothing can be believed anyway.
const MOST_TWICE: usize = 1 << 20;

/// Files that a run has to lead into before it is wrong, and not they: several maps do not go wrong in such a way that
/// they fill the run of another.
pub const FEWEST_INSIDE: usize = 3;
/// Owners of a cluster that are told apart.
const MOST_OWNERS: usize = 16;

/// Clusters: the first, and the one behind the last.
type Run = (u64, u64);

/// The clusters that inodes claim.
pub struct Claimed {
    cluster_blocks: u64,
    parts: Vec<OnceLock<Box<[AtomicU64]>>>,
    twice: Mutex<BTreeSet<Run>>,
}

impl Claimed {
    /// None of a volume's.
    pub fn new(geometry: &Geometry) -> Self {
        let clusters = geometry.blocks.div_ceil(geometry.cluster_blocks.into());
        let parts = (0..clusters.div_ceil(PART)).map(|_| OnceLock::new()).collect();
        Claimed { cluster_blocks: geometry.cluster_blocks.into(), parts, twice: Mutex::default() }
    }

    /// Takes what an inode claims. On any thread: the outcome is the same.
    pub fn take(&self, runs: &[Run]) {
        for &(start, end) in runs {
            let mut at = start;
            while at < end {
                let Some(part) = self.parts.get((at / PART) as usize) else { return };
                let bits = part.get_or_init(|| (0..PART / 64).map(|_| AtomicU64::new(0)).collect());
                let word = at / 64;
                let len = (64 - at % 64).min(end - at);
                let mask = (u64::MAX >> (64 - len)) << (at % 64);
                let before = bits[(word % (PART / 64)) as usize].fetch_or(mask, Ordering::Relaxed);
                if before & mask != 0 {
                    self.note(word, before & mask);
                }
                at += len;
            }
        }
    }

    /// Notes the clusters of a word that were claimed before.
    fn note(&self, word: u64, bits: u64) {
        let mut twice = self.twice.lock().unwrap_or_else(PoisonError::into_inner);
        let again = (0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| (word * 64 + bit, word * 64 + bit + 1));
        if twice.len() < MOST_TWICE {
            twice.extend(again);
        }
    }

    /// The clusters claimed more than once.
    pub fn twice(self) -> Twice {
        Twice(self.twice.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// What an inode says it uses. `deep` reads its whole map, not only what stands in the inode.
    pub fn runs(&self, volume: &Volume, inode: &Inode<'_>, deep: bool) -> Result<Vec<Run>, SourceGone> {
        let most = most(&volume.geometry, inode);
        let mut blocks = at_most(in_record(&volume.geometry, inode), most);
        if deep {
            blocks.extend(at_most(below(volume, inode)?, most));
        }
        if self.cluster_blocks == 1 && !deep {
            return Ok(blocks);
        }
        // One file may well have several blocks of a cluster.
        let per = self.cluster_blocks;
        blocks.iter_mut().for_each(|run| *run = (run.0 / per, run.1.div_ceil(per)));
        blocks.sort_unstable();
        blocks.dedup_by(|next, run| {
            let joins = next.0 < run.1;
            if joins {
                run.1 = run.1.max(next.1);
            }
            joins
        });
        Ok(blocks)
    }
}

/// Clusters claimed more than once.
pub struct Twice(BTreeSet<Run>);

impl Twice {
    /// True if there is none, as it should be.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts of some runs that are claimed more than once.
    fn of(&self, runs: &[Run]) -> Vec<Run> {
        let clusters = runs.iter().flat_map(|run| self.0.range((run.0, 0)..(run.1, 0)));
        clusters.copied().collect()
    }
}

/// An inode that claims clusters which another claims, or itself twice.
pub struct Claimant {
    pub nr: InodeNr,
    /// A checksum proves its record.
    pub proved: bool,
    runs: Vec<Run>,
    /// Others claim half of one of its runs, or more.
    is_filled: bool,
}

impl Claimant {
    /// The claimant that an inode is, if it is one.
    pub fn of(twice: &Twice, inode: &Inode<'_>, geometry: &Geometry, runs: &[Run]) -> Option<Self> {
        let filled = |run: &Run| {
            let shared: u64 = twice.of(std::slice::from_ref(run)).iter().map(|(start, end)| end - start).sum();
            shared * 2 >= run.1 - run.0
        };
        let is_filled = runs.iter().any(filled);
        let runs = twice.of(runs);
        let proved = geometry.has_checksums() && inode.is_proved(geometry);
        (!runs.is_empty()).then_some(Claimant { nr: inode.nr, proved, runs, is_filled })
    }
}

/// Those of the claimants that may be wrong: of two the one that no checksum proves, or both. One that leads into many
/// others is wrong, and not they; so is one whose record is a copy.
///
/// # Errors
/// When the source is gone.
pub fn sharers(volume: &Volume, claimants: &[Claimant]) -> Result<BTreeSet<InodeNr>, SourceGone> {
    let unproved: BTreeSet<Run> =
        claimants.iter().filter(|it| !it.proved).flat_map(|it| it.runs.iter().copied()).collect();
    let others = others(claimants);
    let intrudes = |it: &&Claimant| {
        let sound = others[&it.nr].iter().filter(|other| others[*other].len() == 1).count();
        it.is_filled && !it.proved && sound >= FEWEST_INSIDE
    };
    let intruders: BTreeSet<InodeNr> = claimants.iter().filter(intrudes).map(|it| it.nr).collect();
    let mut wrong = BTreeSet::new();
    for it in claimants {
        let is_wrong = if it.proved {
            it.runs.iter().any(|run| !unproved.contains(run))
        } else {
            intruders.contains(&it.nr) || !is_victim(volume, it.nr, &others[&it.nr], &intruders)?
        };
        wrong.extend(is_wrong.then_some(it.nr));
    }
    Ok(wrong)
}

/// True where only intruders, and copies of its record, share clusters with an inode.
fn is_victim(
    volume: &Volume,
    nr: InodeNr,
    others: &BTreeSet<InodeNr>,
    intruders: &BTreeSet<InodeNr>,
) -> Result<bool, SourceGone> {
    for other in others {
        if !intruders.contains(other) && (*other == nr || twins::copy(volume, nr, *other)? != Some(*other)) {
            return Ok(false);
        }
    }
    Ok(!others.is_empty())
}

/// The claimants with which each of them shares clusters: itself, if it claims some twice or more share than are counted.
fn others(claimants: &[Claimant]) -> HashMap<InodeNr, BTreeSet<InodeNr>> {
    let mut owners: HashMap<Run, Vec<InodeNr>> = HashMap::new();
    for it in claimants {
        it.runs.iter().for_each(|run| owners.entry(*run).or_default().push(it.nr));
    }
    let mut others: HashMap<InodeNr, BTreeSet<InodeNr>> = HashMap::new();
    for nrs in owners.values() {
        for nr in nrs {
            let again = nrs.iter().take(MOST_OWNERS).filter(|other| *other == nr).count() > 1;
            let itself = Some(*nr).filter(|_| again || nrs.len() > MOST_OWNERS);
            let some = nrs.iter().copied().take(MOST_OWNERS).filter(|other| other != nr);
            others.entry(*nr).or_default().extend(some.chain(itself));
        }
    }
    others
}

/// Blocks that an inode may claim: those that its size takes, or that it counts as its own. Beyond both nothing but the
/// ruined length of an extent leads.
pub fn most(geometry: &Geometry, inode: &Inode<'_>) -> u64 {
    let block = u64::from(geometry.block_size);
    inode.size(geometry).div_ceil(block).max(inode.allocated(geometry).div_ceil(block))
}

/// The first of some runs, of so many blocks together.
pub fn at_most(runs: Vec<Run>, most: u64) -> Vec<Run> {
    let mut left = most;
    let cut = runs.into_iter().map(|(start, end)| {
        let len = (end - start).min(left);
        left -= len;
        (start, start + len)
    });
    cut.filter(|run| run.0 < run.1).collect()
}

/// The blocks that an inode's own record names: data, and the nodes or pointers that lead to more.
pub fn in_record(geometry: &Geometry, inode: &Inode<'_>) -> Vec<Run> {
    if !matches!(inode.kind(), Kind::File | Kind::Directory | Kind::Symlink) {
        return Vec::new();
    }
    let run = |start: u64, len: u64| geometry.blocks_on_volume(start, len).map(|start| (start.0, start.0 + len));
    match inode.layout(geometry) {
        Layout::Extents => {
            let header = at::<ExtentHeader>(&inode.raw.i_block, 0).filter(|header| header.eh_magic.get() == MAGIC);
            let Some(header) = header else { return Vec::new() };
            let entries = inode.raw.i_block.chunks_exact(ENTRY_SIZE).skip(1).take(header.eh_entries.get().into());
            let claimed = entries.filter_map(|entry| match header.eh_depth.get() {
                0 => at::<Extent>(entry, 0).and_then(|extent| run(extent.start(), extent.len().into())),
                _ => at::<ExtentIdx>(entry, 0).and_then(|index| run(index.leaf(), 1)),
            });
            claimed.filter(|run| run.0 < run.1).collect()
        }
        Layout::Pointers => {
            let pointers = (0..15).filter_map(|i| le32(&inode.raw.i_block, i * 4));
            pointers.filter(|&pointer| pointer != 0).filter_map(|pointer| run(pointer.into(), 1)).collect()
        }
        _ => Vec::new(),
    }
}

/// The blocks that the whole map leads to.
fn below(volume: &Volume, inode: &Inode<'_>) -> Result<Vec<Run>, SourceGone> {
    if !matches!(inode.kind(), Kind::File | Kind::Directory | Kind::Symlink) {
        return Ok(Vec::new());
    }
    Ok(on_disk(&volume.geometry, &map::map(volume, inode, inode.size(&volume.geometry))?))
}

/// The blocks that a mapping leads to.
pub fn on_disk(geometry: &Geometry, mapping: &Mapping) -> Vec<Run> {
    let block = u64::from(geometry.block_size);
    let run = |extent: &node::Extent| match extent.backing {
        Backing::Device { offset, .. } => Some((offset / block, (offset + extent.len).div_ceil(block))),
        _ => None,
    };
    mapping.extents.iter().filter_map(run).collect()
}
