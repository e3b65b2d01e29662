//! Inode tables, recognised by their contents.

use super::super::disk::inode::Inode;
use super::super::disk::padded;
use super::super::geometry::Geometry;
use super::super::number::{BlockNr, GroupNr, InodeNr};
use super::record::{self, Verdict};
use super::sighting;
use crate::node::Kind;
use crate::source::{Source, SourceGone, read_whole};

/// Blocks of a table looked at, spread over it.
const SAMPLE: u64 = 24;
/// Blocks that bear out a place and need no others.
const ENOUGH: u32 = 3;
/// Foreign blocks for each that bears a place out from which on it counts for nothing.
const FOREIGN: u32 = 8;
/// Directories of a table asked for their own number.
const MOST_ASKED: u32 = 8;

/// What the blocks looked at say of the place of a table.
#[derive(Clone, Copy, Default, Debug)]
pub struct Told {
    /// Blocks that bear it out: with a record that a checksum proves, or a directory that names itself.
    pub right: u32,
    /// Blocks that speak against it: with records of others, or with none.
    wrong: u32,
    /// Records that say whose they are, and are others'.
    elsewhere: u32,
    /// Blocks with records of which nothing tells whose they are.
    pub untold: u32,
}

impl Told {
    /// True where nothing speaks against the place, and several blocks for it.
    pub fn is_undisputed(self) -> bool {
        self.right >= ENOUGH && self.wrong == 0
    }

    /// True where the table of another group begins, or another part of it.
    pub fn is_another_s(self) -> bool {
        self.right == 0 && self.elsewhere > 0
    }

    /// Whether the table begins there; `None` where nothing tells. Of a table that is mostly destroyed a few blocks are
    /// proof; a single one among many that are foreign is a copy of a table's block, as the journal has them.
    pub fn verdict(self) -> Option<bool> {
        match self {
            Told { right: 1.., wrong, .. } if self.right * FOREIGN > wrong => Some(true),
            Told { right: 1.., .. } => None,
            Told { wrong, untold, .. } if self.is_another_s() || wrong > untold => Some(false),
            _ => None,
        }
    }
}

/// Whether the inode table of `nr` begins at `table`: proved by checksums or by directories that name themselves;
/// disproved by those that name another, or by contents that are no inodes. `None` where nothing tells.
///
/// # Errors
/// When the source is gone.
pub fn holds_inodes(
    source: &Source,
    geometry: &Geometry,
    nr: GroupNr,
    table: BlockNr,
) -> Result<Option<bool>, SourceGone> {
    look(source, geometry, nr, table).map(Told::verdict)
}

/// Looks at some blocks of what may be the inode table of `nr`, until enough of them bear it out.
///
/// # Errors
/// When the source is gone.
pub fn look(source: &Source, geometry: &Geometry, nr: GroupNr, table: BlockNr) -> Result<Told, SourceGone> {
    let blocks = geometry.inode_table_blocks();
    let per_block = geometry.block_size / geometry.inode_size;
    let mut told = Told::default();
    for sample in 0..blocks.min(SAMPLE) {
        // The first third in order, where the used inodes are; the rest in equal steps.
        let index = if sample < SAMPLE / 3 { sample } else { sample * blocks / SAMPLE.min(blocks) };
        let offset = geometry.offset(BlockNr(table.0 + index));
        let Some(block) = read_whole(&**source, offset, geometry.block_size as usize)? else { continue };
        let places = (index as u32 * per_block..geometry.inodes_per_group).map(|place| geometry.inode_at(nr, place));
        let records = places.zip(block.chunks_exact(geometry.inode_size as usize));
        match look_at_block(source, geometry, records, &mut told.elsewhere)? {
            Some(true) => told.right += 1,
            Some(false) => told.wrong += 1,
            None => told.untold += u32::from(block.iter().any(|&byte| byte != 0)),
        }
        if told.is_undisputed() {
            break;
        }
    }
    Ok(told)
}

/// What one block says, with the records it should have. Those of others are counted, and no more directories asked where
/// there are enough.
fn look_at_block<'r>(
    source: &Source,
    geometry: &Geometry,
    records: impl Iterator<Item = (InodeNr, &'r [u8])>,
    elsewhere: &mut u32,
) -> Result<Option<bool>, SourceGone> {
    let (mut garbage, mut plausible, mut others) = (0, 0, 0);
    for (nr, record) in records {
        let (verdict, is_another_s) = record::judge_owner(geometry, nr, record);
        match verdict {
            // Unused records of a table keep a checksum in no version of mke2fs; a used one proves the place.
            Verdict::Proved => return Ok(Some(true)),
            Verdict::Garbage => {
                garbage += 1;
                *elsewhere += u32::from(is_another_s);
            }
            Verdict::Plausible => {
                plausible += 1;
                if *elsewhere < MOST_ASKED
                    && let Some(told) = names_itself(source, geometry, nr, record)?
                {
                    if told {
                        return Ok(Some(true));
                    }
                    *elsewhere += 1;
                    others += 1;
                }
            }
            Verdict::Blank => {}
        }
    }
    let against = others > 0 || garbage > plausible || (geometry.has_checksums() && plausible + garbage > 0);
    Ok(against.then_some(false))
}

/// Whether a directory's first block says that the directory is inode `nr`; `None` where nothing is said.
pub fn names_itself(
    source: &Source,
    geometry: &Geometry,
    nr: InodeNr,
    record: &[u8],
) -> Result<Option<bool>, SourceGone> {
    let inode: Inode = padded(record);
    if Kind::from_mode(inode.i_mode.get().into()) != Kind::Directory || inode.i_links_count.get() == 0 {
        return Ok(None);
    }
    let Some(block) = record::first_block(geometry, &inode) else { return Ok(None) };
    let block = read_whole(&**source, geometry.offset(block), geometry.block_size as usize)?;
    Ok(block.and_then(|block| sighting::dot(&block)).map(|(own, _)| own == nr.0))
}
