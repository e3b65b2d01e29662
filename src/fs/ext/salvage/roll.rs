//! What every inode's record is worth: the [`Roll`], taken in large reads on all processors.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::super::checksum::Seed;
use super::super::geometry::Geometry;
use super::super::inode::Inode;
use super::super::number::{GroupNr, InodeNr};
use super::super::tables::Window;
use super::super::volume::Volume;
use super::generation;
use super::record::{self, Verdict};
use crate::node::Kind;
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

/// Inodes judged at once by one thread.
const CHUNK: u32 = 1024;
/// Records kept that are of other inodes.
const MOST_MISPLACED: usize = 1 << 16;

/// What is left of an inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Its record can not be read, or its group's table is not known.
    Unreadable,
    /// All zeros.
    Blank,
    /// Something that is no inode.
    Garbage,
    /// It was used and is not any more.
    Deleted,
    /// It is in use.
    Used,
}

/// What the roll says of one inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// What is left of it.
    pub state: State,
    /// A checksum proves the record.
    pub proved: bool,
    /// What it is, if anything.
    pub kind: Kind,
    /// Its links.
    pub links: u16,
}

impl Known {
    fn nothing(state: State) -> Self {
        Known { state, proved: false, kind: Kind::Unknown, links: 0 }
    }

    /// True where a record may have stood of which nothing is left.
    pub fn is_destroyed(self) -> bool {
        matches!(self.state, State::Unreadable | State::Blank | State::Garbage)
    }

    /// True where it is in use and may have blocks of its own.
    pub fn has_contents(self) -> bool {
        self.state == State::Used && matches!(self.kind, Kind::File | Kind::Directory | Kind::Symlink)
    }

    /// True where it is a directory in use.
    pub fn is_directory(self) -> bool {
        self.state == State::Used && self.kind == Kind::Directory
    }
}

/// What is left of every inode of a volume.
pub struct Roll {
    groups: Vec<Vec<Known>>,
    /// Records that prove to be of another inode than the one in whose place they lie, by that inode.
    pub misplaced: BTreeMap<InodeNr, Arc<[u8]>>,
    per_group: u32,
}

impl Roll {
    /// Reads all inode tables, as far as they may have been used.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn take(volume: &Volume, progress: &dyn Progress) -> Result<Roll, SourceGone> {
        let geometry = &volume.geometry;
        progress.stage("judging inodes", Some(geometry.inodes.into()), Unit::Items);
        let better: HashSet<GroupNr> = match volume.remains() {
            Some(remains) => remains.inodes.keys().map(|nr| geometry.group_of_inode(*nr).0).collect(),
            None => HashSet::new(),
        };
        let groups = geometry.groups.par_iter().zip(0..geometry.group_count());
        let groups = groups.map(|(group, nr)| {
            // A ruined superblock can claim millions of groups that the image has no room for.
            let is_there = volume.reaches_table(GroupNr(nr)) || better.contains(&GroupNr(nr));
            take_group(volume, GroupNr(nr), if is_there { group.inodes_used } else { 0 }, progress)
        });
        let (groups, misplaced): (Vec<_>, Vec<_>) = groups.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let misplaced = misplaced.into_iter().flatten().take(MOST_MISPLACED).collect();
        Ok(Roll { groups, misplaced, per_group: geometry.inodes_per_group })
    }

    /// What is left of an inode. Numbers that no inode has are blank.
    pub fn get(&self, nr: InodeNr) -> Known {
        let index = nr.0.wrapping_sub(1);
        let group = self.groups.get((index / self.per_group) as usize);
        let known = group.and_then(|group| group.get((index % self.per_group) as usize));
        known.copied().unwrap_or(Known::nothing(State::Blank))
    }

    /// True for the seed of a destroyed inode of generation 0, as `mke2fs` makes them.
    pub fn lacks(&self, geometry: &Geometry, seed: Seed) -> bool {
        let nr = geometry.inode(generation::number(geometry.seed, 0, seed).0);
        nr.is_some_and(|nr| self.get(nr).is_destroyed())
    }

    /// Takes a better record of an inode for the one that was judged.
    pub fn correct(&mut self, volume: &Volume, nr: InodeNr, record: &[u8]) {
        let index = nr.0.wrapping_sub(1);
        let group = self.groups.get_mut((index / self.per_group) as usize);
        if let Some(known) = group.and_then(|group| group.get_mut((index % self.per_group) as usize)) {
            *known = judge(volume, nr, record);
        }
    }

    /// Every inode of which the roll knows something, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (InodeNr, Known)> + '_ {
        let groups = self.groups.iter().zip(0u32..);
        groups.flat_map(move |(group, nr)| {
            group.iter().zip(nr * self.per_group + 1..).map(|(known, nr)| (InodeNr(nr), *known))
        })
    }
}

/// What is left of a group's inodes, and the records among them that are of others.
type Taken = (Vec<Known>, Vec<(InodeNr, Arc<[u8]>)>);

fn take_group(volume: &Volume, nr: GroupNr, used: u32, progress: &dyn Progress) -> Result<Taken, SourceGone> {
    let geometry = &volume.geometry;
    let (mut known, mut misplaced) = (Vec::with_capacity(used as usize), Vec::new());
    for first in (0..used).step_by(CHUNK as usize) {
        let count = CHUNK.min(used - first);
        let window = Window::read(&volume.source, geometry, nr, first, count)?;
        for index in first..first + count {
            let inode = geometry.inode_at(nr, index);
            let better = volume.remains().and_then(|remains| remains.inodes.get(&inode)).map(|record| &**record);
            let record = better.or_else(|| window.as_ref().and_then(|window| window.record(index)));
            let judged = record.map_or(Known::nothing(State::Unreadable), |record| judge(volume, inode, record));
            if let Some(record) = record.filter(|_| judged.state == State::Garbage)
                && let Some(other) = record::belongs_to(geometry, record)
            {
                misplaced.push((other, record.into()));
            }
            known.push(judged);
        }
        progress.advance(count.into());
    }
    Ok((known, misplaced))
}

fn judge(volume: &Volume, nr: InodeNr, record: &[u8]) -> Known {
    let verdict = record::judge(&volume.geometry, nr, record);
    let inode = Inode::decode(nr, record);
    let state = match verdict {
        Verdict::Blank => State::Blank,
        Verdict::Garbage => State::Garbage,
        _ if inode.is_in_use() => State::Used,
        _ if inode.is_deleted() => State::Deleted,
        _ => State::Blank,
    };
    let proved = verdict == Verdict::Proved;
    Known { state, proved, kind: inode.kind(), links: inode.raw.i_links_count.get() }
}
