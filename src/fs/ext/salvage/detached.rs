//! Leaves of extent trees that no inode leads to any more, matched back to their inode: [`leaves`].
//!
//! A leaf's checksum gives the seed of the inode it belongs to ([`super::generation`]). Where that inode's own map has
//! lost something, and no other inode has the block, the leaf is one of those it lost.

use std::collections::HashMap;

use super::super::checksum::Seed;
use super::super::inode::Layout;
use super::super::number::{BlockNr, InodeNr};
use super::super::volume::Volume;
use super::claims::Claims;
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
