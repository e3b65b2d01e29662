//! Names of deleted files: [`Buried`]. Older copies of directory blocks in the journal have them; and blocks on the disk,
//! where the system that deleted them gave the room to the entry before and wiped nothing.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use super::super::dir::{self, block};
use super::super::disk::at;
use super::super::disk::dirent::{self, DirEntry, HEADER_SIZE};
use super::super::inode::Inode;
use super::super::number::{BlockNr, InodeNr};
use super::super::volume::Volume;
use super::super::{map, sharing};
use super::claims::Claims;
use super::deleted::Deleted;
use super::roll::Roll;
use super::sighting::{self, What};
use crate::node::{Kind, Trust};
use crate::source::SourceGone;

/// Where directories lie and lay, and the names that were found for deleted files.
pub struct Buried<'v> {
    volume: &'v Volume,
    roll: &'v Roll,
    claims: &'v Claims,
    /// The blocks of deleted directories, by the first of each run: the one behind its last, and whose.
    lay: BTreeMap<u64, (u64, InodeNr)>,
    format: block::Format,
}

impl<'v> Buried<'v> {
    /// With the directories among the files `found`.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn new(
        volume: &'v Volume,
        roll: &'v Roll,
        claims: &'v Claims,
        found: &BTreeMap<InodeNr, Deleted>,
    ) -> Result<Self, SourceGone> {
        let mut lay = BTreeMap::new();
        for (nr, deleted) in found {
            let inode = Inode::decode(*nr, &deleted.record);
            if inode.kind() == Kind::Directory {
                lay.extend(runs(volume, &inode)?.into_iter().map(|(start, end)| (start, (end, *nr))));
            }
        }
        Ok(Buried { volume, roll, claims, lay, format: block::Format::new(&volume.geometry, false) })
    }

    /// Takes the names that a block has for deleted files which have none yet: an older copy, or one on the disk.
    pub fn take(&self, target: BlockNr, content: &[u8], found: &mut BTreeMap<InodeNr, Deleted>) {
        let dir = match sighting::look(&self.volume.geometry, target, content).map(|sighting| sighting.what) {
            Some(What::First { own, .. }) => Some(InodeNr(own)),
            Some(What::Leaf) => self.owner(target),
            _ => None,
        };
        let Some(dir) = dir else { return };
        let mut name = |entry: block::Found<'_>| {
            if let Some(deleted) = found.get_mut(&InodeNr(entry.inode)).filter(|deleted| deleted.place.is_none())
                && let Some(named) = dir::entry(entry, Trust::Journal)
            {
                let kind = Inode::decode(InodeNr(entry.inode), &deleted.record).kind();
                if named.kind.is_none_or(|said| said == kind) {
                    deleted.place = Some((dir, named.name));
                }
            }
        };
        let _ = block::scan(content, &self.format, &mut |entry| {
            name(entry);
            ControlFlow::Continue(())
        });
        if !dir::is_root(content) {
            between(content, &mut name);
        }
    }

    /// Takes the names that the blocks of directories still have on the disk.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn take_from_disk(&self, found: &mut BTreeMap<InodeNr, Deleted>) -> Result<(), SourceGone> {
        let mut read = HashSet::new();
        for (nr, _) in self.roll.iter().filter(|(_, known)| known.is_directory()) {
            let Some(inode) = self.volume.inode(nr)? else { continue };
            for block in blocks(runs(self.volume, &inode)?).filter(|block| read.insert(*block)) {
                self.take_block(block, found)?;
            }
        }
        let lay = self.lay.iter().map(|(start, (end, _))| (*start, *end));
        for block in blocks(lay.collect()) {
            // What is another's now tells of that one.
            if !self.claims.touch(block, block + 1) && read.insert(block) {
                self.take_block(block, found)?;
            }
        }
        Ok(())
    }

    fn take_block(&self, block: u64, found: &mut BTreeMap<InodeNr, Deleted>) -> Result<(), SourceGone> {
        if let Some(content) = self.volume.block(BlockNr(block))? {
            self.take(BlockNr(block), &content, found);
        }
        Ok(())
    }

    /// The directory that a block is or was of.
    fn owner(&self, block: BlockNr) -> Option<InodeNr> {
        let living = self.claims.owners(block).find(|nr| self.roll.get(*nr).is_directory());
        living.or_else(|| {
            let (_, (end, nr)) = self.lay.range(..=block.0).next_back()?;
            (block.0 < *end).then_some(*nr)
        })
    }
}

/// The blocks that a directory maps, as far as a directory of its size can have so many.
fn runs(volume: &Volume, inode: &Inode<'_>) -> Result<Vec<(u64, u64)>, SourceGone> {
    let mapping = map::map(volume, inode, inode.size(&volume.geometry))?;
    let mapped = sharing::on_disk(&volume.geometry, &mapping);
    Ok(sharing::at_most(mapped, sharing::most(&volume.geometry, inode)))
}

fn blocks(runs: Vec<(u64, u64)>) -> impl Iterator<Item = u64> {
    runs.into_iter().flat_map(|(start, end)| start..end)
}

/// Visits what reads as an entry in the room that entries have beyond their names.
fn between<'b>(block: &'b [u8], visit: &mut dyn FnMut(block::Found<'b>)) {
    let mut offset = 0;
    while let Some(entry) = at::<DirEntry>(block, offset) {
        let len = dirent::rec_len(entry.rec_len.get(), block.len());
        let end = offset + len;
        if len < HEADER_SIZE || !len.is_multiple_of(4) || end > block.len() {
            return;
        }
        let mut inside = offset + used(&entry);
        while let Some(entry) = at::<DirEntry>(block, inside).filter(|_| inside + HEADER_SIZE < end) {
            let name_end = inside + HEADER_SIZE + usize::from(entry.name_len);
            let len = dirent::rec_len(entry.rec_len.get(), block.len());
            let is_entry = entry.inode.get() != 0
                && entry.name_len > 0
                && name_end <= end
                && len >= used(&entry)
                && len.is_multiple_of(4)
                && inside + len <= block.len();
            if is_entry {
                let name = &block[inside + HEADER_SIZE..name_end];
                let kind = block::kind(entry.file_type);
                visit(block::Found { inode: entry.inode.get(), name, kind });
            }
            inside += if is_entry { used(&entry) } else { 4 };
        }
        offset = end;
    }
}

/// Bytes of an entry with its name and nothing behind it.
fn used(entry: &DirEntry) -> usize {
    (HEADER_SIZE + usize::from(entry.name_len)).next_multiple_of(4)
}
