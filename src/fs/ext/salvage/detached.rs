//! Nodes of extent trees that lie where no inode leads to them any more, or another one does: [`leaves`], [`claimed`].
//!
//! A node's checksum gives the seed of the inode it belongs to ([`super::generation`]). Where that inode's own map has
//! lost something, and no other inode has the block, the leaf is one of those it lost. And where a map leads to a node
//! that says that it is another's, that one was written there by mistake.

use std::collections::{HashMap, HashSet};

use super::super::checksum::Seed;
use super::super::inode::Layout;
use super::super::number::{BlockNr, InodeNr};
use super::super::volume::Volume;
use super::claims::Claims;
use super::remains::Owner;
use super::roll::Roll;
use super::sighting::{Sighting, What};
use crate::source::SourceGone;

/// The leaves found for inodes whose maps are broken, in the order of the file.
///
/// # Errors
/// When the source is gone.
pub fn leaves(
    volume: &Volume,
    claims: &Claims,
    sightings: &[Sighting],
) -> Result<HashMap<InodeNr, Vec<BlockNr>>, SourceGone> {
    let mut broken: HashMap<Seed, InodeNr> = HashMap::new();
    for nr in &claims.broken {
        let inode = volume.inode(*nr)?.filter(|inode| inode.layout(&volume.geometry) == Layout::Extents);
        broken.extend(inode.map(|inode| (inode.seed(&volume.geometry), *nr)));
    }
    let mut found: HashMap<InodeNr, Vec<(u32, BlockNr)>> = HashMap::new();
    for sighting in sightings {
        let (What::Extents { depth: 0, first }, Some(seed)) = (sighting.what, sighting.seed) else { continue };
        let Some(nr) = broken.get(&seed) else { continue };
        if claims.owners(sighting.block).next().is_none() {
            found.entry(*nr).or_default().push((first, sighting.block));
        }
    }
    let in_order = |(nr, mut leaves): (InodeNr, Vec<(u32, BlockNr)>)| {
        leaves.sort_unstable();
        (nr, leaves.into_iter().map(|(_, block)| block).collect())
    };
    Ok(found.into_iter().map(in_order).collect())
}

/// The nodes of which it shows whose they are: an inode's in use, or one's of which nothing else is left. Those that damage
/// changed say what no other block does.
///
/// # Errors
/// When the source is gone.
pub fn claimed(volume: &Volume, roll: &Roll, sightings: &[Sighting]) -> Result<HashMap<BlockNr, Owner>, SourceGone> {
    let mut blocks: HashMap<Seed, usize> = HashMap::new();
    sightings.iter().filter_map(|it| it.seed).for_each(|seed| *blocks.entry(seed).or_default() += 1);
    let nodes = sightings.iter().filter(|it| !it.what.is_of_directory());
    let nodes: Vec<(BlockNr, Seed)> = nodes.filter_map(|it| Some((it.block, it.seed?))).collect();
    let wanted: HashSet<Seed> = nodes.iter().map(|(_, seed)| *seed).collect();
    let mut in_use: HashSet<Seed> = HashSet::new();
    let mut inodes = volume.inodes();
    for (nr, _) in roll.iter().filter(|(_, known)| known.has_contents()) {
        let seed = inodes.read(nr)?.map(|inode| inode.seed(&volume.geometry));
        in_use.extend(seed.filter(|seed| wanted.contains(seed)));
    }
    let owner = |seed: Seed| {
        if in_use.contains(&seed) {
            Some(Owner::InUse)
        } else {
            (blocks[&seed] > 1 || roll.lacks(&volume.geometry, seed)).then_some(Owner::Lost)
        }
    };
    Ok(nodes.into_iter().filter_map(|(block, seed)| Some((block, owner(seed)?))).collect())
}
