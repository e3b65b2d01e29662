//! Hash trees as evidence: a directory's root says which hashes the names of each of its blocks have, [`Roots::owners`].
//!
//! All directories of a volume hash alike, so names that lie in one part of a root lie in a wider part of another, too.
//! A part begins with the hash of the name at which a full block was divided, so the block that has this very name is
//! the part's. Failing that, the narrowest part is the likeliest, and of each part there is one block, whose names fill
//! it. The parts of a
//! root of several levels are divided further by the nodes below it, [`Roots::divide`].

use std::collections::{BTreeSet, HashMap, HashSet};

use super::super::dir::name_hash::NameHash;
use super::super::disk;
use super::super::disk::dirent::{DX_NODE_COUNT_AT, DX_ROOT_COUNT_AT, DxRoot};
use super::super::disk::superblock::Superblock;
use super::super::number::BlockNr;
use super::sighting;
use crate::node::Entry;

/// A block whose names fill so little of a part that this would come about by chance is another's.
const UNLIKELY: f64 = 1e-9;
/// Parts that a block is tried for.
const MOST_TRIED: usize = 8;
/// Times that parts and blocks are matched which have no other.
const MOST_ROUNDS: usize = 16;
/// Roots kept: each block of names is compared with all of them.
const MOST_ROOTS: usize = 1 << 12;

/// The roots of some directories' hash trees.
#[derive(Default)]
pub struct Roots(Vec<Root>);

struct Root {
    dir: u32,
    /// Where the root lies.
    at: BlockNr,
    hash: NameHash,
    /// Where parts begin, ascending from 0.
    parts: Vec<u32>,
    /// Parts that have a node below the root, and so many blocks.
    deep: BTreeSet<u32>,
    /// Parts whose blocks are known.
    filled: BTreeSet<usize>,
}

/// A part of a root that has room for all names of a block: one that begins with the first of them, then the narrowest
/// and best filled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit {
    /// The part does not begin with the block's first name.
    is_loose: bool,
    width: u32,
    /// What the names leave of it.
    unused: u32,
    block: BlockNr,
    root: usize,
    part: usize,
}

impl Roots {
    /// Takes the root in the first block of a directory, where there is one.
    pub fn take(&mut self, sb: &Superblock, dir: u32, at: BlockNr, block: &[u8]) -> bool {
        let Some(root) = disk::at::<DxRoot>(block, 0).filter(|_| super::super::dir::is_root(block)) else {
            return false;
        };
        let parts = sighting::hashes(block, DX_ROOT_COUNT_AT);
        let Some(hash) = NameHash::of(sb, root.info.hash_version).filter(|_| parts.is_sorted()) else { return false };
        if self.0.len() < MOST_ROOTS {
            let deep = if root.info.indirect_levels > 0 { parts.iter().copied().collect() } else { BTreeSet::new() };
            self.0.push(Root { dir, at, hash, parts, deep, filled: BTreeSet::new() });
        }
        true
    }

    /// Divides the part of a root that a node below it is of: the narrowest into which all its hashes fall.
    pub fn divide(&mut self, node: &[u8]) {
        let hashes = sighting::hashes(node, DX_NODE_COUNT_AT);
        let (Some(least), Some(most)) = (hashes.get(1), hashes.last()) else { return };
        let fits = |root: &Root| {
            let part = root.part_of(*least)?;
            let (from, to) = root.bounds(part);
            (root.deep.contains(&root.parts[part]) && *most < to).then_some((to - from, part))
        };
        let found = self.0.iter().enumerate().filter_map(|(at, root)| Some((fits(root)?, at))).min();
        let Some(((_, part), at)) = found else { return };
        let root = &mut self.0[at];
        root.deep.remove(&root.parts[part]);
        root.parts.splice(part + 1..part + 1, hashes[1..].iter().copied());
    }

    /// Leaves out the part that a block known to be a directory's has. All parts are divided by now.
    pub fn fill(&mut self, dir: u32, block: BlockNr, entries: &[Entry]) {
        for (at, root) in self.0.iter_mut().enumerate().filter(|(_, root)| root.dir == dir) {
            if let Some(fit) = root.fit(block, at, entries).filter(|fit| !root.deep.contains(&root.parts[fit.part])) {
                root.filled.insert(fit.part);
            }
        }
    }

    /// The parts that a block may be of, the likeliest.
    pub fn fits(&self, block: BlockNr, entries: &[Entry]) -> Vec<Fit> {
        let roots = self.0.iter().enumerate();
        let mut fits: Vec<Fit> = roots.filter_map(|(at, root)| root.fit(block, at, entries)).collect();
        fits.sort_unstable();
        fits.truncate(MOST_TRIED);
        fits
    }

    /// The directories that blocks are of, which may be of all these parts. First those with whose names parts begin,
    /// then those that may be of one alone, then those that alone may be a part's. Where all may be several parts', the
    /// names tell nothing more: directories that grew together have their blocks in the order of their roots.
    pub fn owners(&self, mut fits: Vec<Fit>) -> HashMap<BlockNr, u32> {
        fits.sort_unstable();
        let (mut taken, mut owners) = (HashSet::new(), HashMap::new());
        let loose = fits.partition_point(|fit| !fit.is_loose);
        self.take_fits(&fits[..loose], &mut taken, &mut owners);
        for _ in 0..MOST_ROUNDS {
            fits.retain(|fit| !owners.contains_key(&fit.block) && !taken.contains(&(fit.root, fit.part)));
            let sure = self.sure(&fits);
            let in_order = || fits.iter().min_by_key(|fit| self.order(fit)).copied().into_iter().collect();
            let sure = if sure.is_empty() { in_order() } else { sure };
            self.take_fits(&sure, &mut taken, &mut owners);
        }
        fits.sort_unstable_by_key(|fit| self.order(fit));
        self.take_fits(&fits, &mut taken, &mut owners);
        owners
    }

    /// Roots ascending, each with the blocks behind it ascending.
    fn order(&self, fit: &Fit) -> (bool, BlockNr, BlockNr) {
        let root = self.0[fit.root].at;
        (fit.block < root, root, fit.block)
    }

    /// Fits of blocks that have no other; failing that, of parts that have no other.
    fn sure(&self, fits: &[Fit]) -> Vec<Fit> {
        let (mut blocks, mut parts) = (HashMap::<BlockNr, usize>::new(), HashMap::<(usize, usize), usize>::new());
        for fit in fits {
            *blocks.entry(fit.block).or_default() += 1;
            *parts.entry((fit.root, fit.part)).or_default() += 1;
        }
        let alone: Vec<Fit> = fits.iter().filter(|fit| blocks[&fit.block] == 1).copied().collect();
        if !alone.is_empty() {
            return alone;
        }
        let is_only = |fit: &&Fit| parts[&(fit.root, fit.part)] == 1 && !self.is_deep(fit);
        fits.iter().filter(is_only).copied().collect()
    }

    /// True where several blocks may be of the part.
    fn is_deep(&self, fit: &Fit) -> bool {
        let root = &self.0[fit.root];
        root.deep.contains(&root.parts[fit.part])
    }

    /// Takes fits, the likeliest first, of blocks that have no owner for parts that are free.
    fn take_fits(&self, fits: &[Fit], taken: &mut HashSet<(usize, usize)>, owners: &mut HashMap<BlockNr, u32>) {
        for fit in fits {
            if !owners.contains_key(&fit.block) && !taken.contains(&(fit.root, fit.part)) {
                owners.insert(fit.block, self.0[fit.root].dir);
                if !self.is_deep(fit) {
                    taken.insert((fit.root, fit.part));
                }
            }
        }
    }
}

/// How likely it is that so many hashes, anywhere in a part of this width, lie no further apart than that.
fn spread_by_chance(names: usize, spread: u32, width: u32) -> f64 {
    let (n, x) = (names as f64, f64::from(spread) / f64::from(width.max(1)));
    n * x.powf(n - 1.0) - (n - 1.0) * x.powf(n)
}

impl Root {
    /// The part that a hash falls into. Names of one hash may go on in the next part, whose beginning then has the lowest
    /// bit set.
    fn part_of(&self, hash: u32) -> Option<usize> {
        self.parts.partition_point(|from| from & !1 <= hash).checked_sub(1)
    }

    /// Where a part begins, and where the next one does.
    fn bounds(&self, part: usize) -> (u32, u32) {
        let begins = |part: usize| self.parts.get(part).map_or(u32::MAX, |from| from & !1);
        (begins(part), begins(part + 1))
    }

    /// The part into which all of a block's names fall, if its block is not known.
    fn fit(&self, block: BlockNr, root: usize, entries: &[Entry]) -> Option<Fit> {
        let hashes = || entries.iter().map(|entry| self.hash.hash(&entry.name));
        let (least, most) = (hashes().min()?, hashes().max()?);
        let part = self.part_of(least)?;
        let (from, to) = self.bounds(part);
        let is_whole = !self.hash.is_even() || self.deep.contains(&self.parts[part]);
        let is_likely = is_whole || spread_by_chance(entries.len(), most - least, to - from) > UNLIKELY;
        (most <= to && is_likely && !self.filled.contains(&part)).then(|| Fit {
            is_loose: part == 0 || least != from,
            width: to - from,
            unused: (to - from).saturating_sub(most - least),
            block,
            root,
            part,
        })
    }
}
