//! A geometry tried on the entries of directories: an entry names an inode and its kind, so it tells whether what lies
//! where the geometry has that inode can be it.

use std::collections::HashMap;

use super::super::dir;
use super::super::disk::inode::Inode;
use super::super::disk::padded;
use super::super::geometry::Geometry;
use super::super::number::{GroupNr, InodeNr};
use super::record::{self, Verdict};
use super::superblock::BLOCK_SIZES;
use super::traces::Named;
use crate::node::Kind;
use crate::source::{Source, SourceGone, read_whole};

/// Entries on which a supposed number of inodes per group is tried.
const MOST_TRIED: usize = 4000;

/// Places without an inode for each that is proved, with which a place is borne out.
const FOREIGN: usize = 8;

/// The number that an entry names, and the type it records; 0 for none.
pub type TypedEntry = (u32, u8);

/// Entries to try a geometry on, of all directories.
pub fn entries(block_size: u64, named: &[Named]) -> Vec<TypedEntry> {
    let bit = BLOCK_SIZES.iter().position(|size| *size == block_size).unwrap_or_default();
    let fitting = named.iter().filter(|named| named.ends & 1 << bit != 0);
    let mut entries: Vec<TypedEntry> = fitting.map(|named| (named.nr, named.kind)).collect();
    entries.sort_unstable();
    entries.dedup();
    let step = entries.len().div_ceil(MOST_TRIED).max(1);
    entries.into_iter().step_by(step).collect()
}

/// Entries on which a geometry is tried, and what lies where they were looked for so far.
pub struct Tried<'s> {
    source: &'s Source,
    /// By number.
    entries: &'s [TypedEntry],
    found: HashMap<(u64, u32), Found>,
}

/// What lies where an entry leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// Nothing is left to tell.
    Nothing,
    /// No inode.
    Garbage,
    /// An inode that was never used.
    Unused,
    /// An inode of this kind, in use or deleted.
    Used(Kind),
}

/// To what the entries lead.
#[derive(Default)]
pub struct Counted {
    /// All of them.
    all: usize,
    /// Inodes of the kind that the entry says.
    pub right: usize,
    /// Sound inodes of another kind.
    wrong: usize,
    /// No inodes, or no place.
    garbage: usize,
    /// Checksums prove those that are right.
    proved: bool,
}

impl Counted {
    /// True if there is an entry, and none that does not lead to what it names.
    pub fn are_all_right(&self) -> bool {
        self.right > 0 && self.right == self.all
    }

    /// True if hardly a sound inode speaks against the place; damaged ones say little, least of all beside proved ones.
    pub fn bear_it_out(&self) -> bool {
        let garbage = if self.proved { self.garbage / FOREIGN } else { self.garbage };
        self.right * 10 >= (self.right + self.wrong) * 9 && self.right >= self.wrong + garbage
    }

    /// The same, where something does.
    pub fn bear_it_out_alone(&self) -> bool {
        self.right > 0 && self.bear_it_out()
    }

    /// True where they bear it out, or say nothing.
    pub fn is_likely(&self) -> bool {
        self.bear_it_out_alone() || self.wrong + self.garbage == 0
    }

    /// Both together.
    pub fn add(&mut self, other: &Counted) {
        self.all += other.all;
        self.right += other.right;
        self.wrong += other.wrong;
        self.garbage += other.garbage;
        self.proved |= other.proved;
    }

    /// How much more speaks for the places than against them. Small groups, placed one by one, lead to more by chance,
    /// and astray, too.
    pub fn balance(&self) -> i64 {
        self.right as i64 - (self.wrong + self.garbage) as i64
    }
}

impl<'s> Tried<'s> {
    pub fn on(source: &'s Source, entries: &'s [TypedEntry]) -> Self {
        Tried { source, entries, found: HashMap::new() }
    }

    /// The entries of one group.
    fn of_group(&self, geometry: &Geometry, group: GroupNr) -> &'s [TypedEntry] {
        let first = |group: GroupNr| self.entries.partition_point(|&(nr, _)| nr < geometry.inode_at(group, 0).0);
        &self.entries[first(group)..first(GroupNr(group.0 + 1))]
    }

    pub fn has_entries(&self, geometry: &Geometry, group: GroupNr) -> bool {
        !self.of_group(geometry, group).is_empty()
    }

    /// To what the entries (of one group) lead.
    pub fn count(&mut self, geometry: &Geometry, group: Option<GroupNr>) -> Result<Counted, SourceGone> {
        let mut counted = Counted { proved: geometry.has_checksums(), ..Counted::default() };
        let entries = group.map_or(self.entries, |group| self.of_group(geometry, group));
        counted.all = entries.len();
        for &(nr, kind) in entries {
            match self.found(geometry, nr)? {
                Found::Used(found) if is_of_kind(found, kind) => counted.right += 1,
                Found::Used(_) | Found::Unused => counted.wrong += 1,
                Found::Garbage => counted.garbage += 1,
                Found::Nothing => {}
            }
        }
        Ok(counted)
    }

    /// True if an entry leads to an inode of the kind that it says.
    pub fn is_right(&mut self, geometry: &Geometry, (nr, kind): TypedEntry) -> Result<bool, SourceGone> {
        Ok(matches!(self.found(geometry, nr)?, Found::Used(found) if is_of_kind(found, kind)))
    }

    /// What lies where inode `nr` is supposed to be.
    fn found(&mut self, geometry: &Geometry, nr: u32) -> Result<Found, SourceGone> {
        let Some(offset) = geometry.inode_offset(InodeNr(nr)) else { return Ok(Found::Garbage) };
        if let Some(found) = self.found.get(&(offset, nr)) {
            return Ok(*found);
        }
        let found = found_at(self.source, geometry, InodeNr(nr), offset)?;
        self.found.insert((offset, nr), found);
        Ok(found)
    }
}

/// True for the kind that an entry records, if it records one.
fn is_of_kind(found: Kind, recorded: u8) -> bool {
    recorded == 0 || dir::block::kind(recorded) == Some(found)
}

/// What lies at `offset`, where inode `nr` is supposed to be.
fn found_at(source: &Source, geometry: &Geometry, nr: InodeNr, offset: u64) -> Result<Found, SourceGone> {
    let Some(bytes) = read_whole(&**source, offset, geometry.inode_size as usize)? else { return Ok(Found::Nothing) };
    let inode: Inode = padded(&bytes);
    let sound = match record::judge(geometry, nr, &bytes) {
        Verdict::Blank => return Ok(Found::Nothing),
        Verdict::Proved => true,
        Verdict::Plausible => !geometry.has_checksums() && record::faults(geometry, &bytes) == 0,
        _ => false,
    };
    // A deleted inode keeps its kind, and stale blocks of names its name.
    let was_used = inode.i_links_count.get() > 0 || inode.i_dtime.get() != 0;
    Ok(match (sound, was_used) {
        (false, _) => Found::Garbage,
        (true, false) => Found::Unused,
        (true, true) => Found::Used(Kind::from_mode(inode.i_mode.get().into())),
    })
}
