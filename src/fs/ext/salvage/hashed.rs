//! Hash trees as evidence: a directory's root says which hashes the names of each of its blocks have, [`Roots::owners`].
//!
//! All directories of a volume hash alike, so names that lie in one part of a root lie in a wider part of another, too.
//! The narrowest is the likeliest, and of each part there is one block.

use std::collections::{HashMap, HashSet};

use super::super::dir::name_hash::NameHash;
use super::super::disk::at;
use super::super::disk::dirent::{DX_ROOT_COUNT_AT, DxRoot};
use super::super::disk::superblock::Superblock;
use super::super::number::BlockNr;
use super::sighting;
use crate::node::Entry;

/// Parts that a block is tried for.
const MOST_TRIED: usize = 8;
/// Roots kept: each block of names is compared with all of them.
const MOST_ROOTS: usize = 1 << 12;

/// The roots of some directories' hash trees.
#[derive(Default)]
pub struct Roots(Vec<Root>);

struct Root {
    dir: u32,
    hash: NameHash,
    /// Where parts begin, ascending from 0.
    parts: Vec<u32>,
}

/// A part of a root that has room for all names of a block: the narrowest and best filled first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit {
    width: u32,
    /// What the names leave of it.
    unused: u32,
    block: BlockNr,
    root: usize,
    part: usize,
}

impl Roots {
    /// Takes the root in the first block of a directory, where there is one.
    pub fn take(&mut self, sb: &Superblock, dir: u32, block: &[u8]) -> bool {
        let Some(root) = at::<DxRoot>(block, 0).filter(|_| super::super::dir::is_root(block)) else { return false };
        let parts = sighting::hashes(block, DX_ROOT_COUNT_AT);
        let Some(hash) = NameHash::of(sb, root.info.hash_version).filter(|_| parts.is_sorted()) else { return false };
        if self.0.len() < MOST_ROOTS {
            self.0.push(Root { dir, hash, parts });
        }
        true
    }

    /// The parts that a block may be of, the likeliest.
    pub fn fits(&self, block: BlockNr, entries: &[Entry]) -> Vec<Fit> {
        let roots = self.0.iter().enumerate();
        let mut fits: Vec<Fit> = roots.filter_map(|(at, root)| root.fit(block, at, entries)).collect();
        fits.sort_unstable();
        fits.truncate(MOST_TRIED);
        fits
    }

    /// The directories that blocks are of, which may be of all these parts.
    pub fn owners(&self, mut fits: Vec<Fit>) -> HashMap<BlockNr, u32> {
        fits.sort_unstable();
        let (mut taken, mut owners) = (HashSet::new(), HashMap::new());
        for fit in fits {
            if !owners.contains_key(&fit.block) && taken.insert((fit.root, fit.part)) {
                owners.insert(fit.block, self.0[fit.root].dir);
            }
        }
        owners
    }
}

impl Root {
    /// The part into which all of a block's names fall.
    fn fit(&self, block: BlockNr, root: usize, entries: &[Entry]) -> Option<Fit> {
        let hashes = || entries.iter().map(|entry| self.hash.hash(&entry.name));
        let (least, most) = (hashes().min()?, hashes().max()?);
        // Names of one hash may go on in the next part, whose beginning then has the lowest bit set.
        let part = self.parts.partition_point(|from| from & !1 <= least).checked_sub(1)?;
        let begins = |part: usize| self.parts.get(part).map_or(u32::MAX, |from| from & !1);
        let (from, to) = (begins(part), begins(part + 1));
        (most <= to).then(|| Fit {
            width: to - from,
            unused: (to - from).saturating_sub(most - least),
            block,
            root,
            part,
        })
    }
}
