//! Parts of a table that are no table any more: overwritten with anything else.
//!
//! In a table no two entries lead to one cluster, and what an entry leads to is in use. Bytes of anything else break this
//! in most entries, while damage to single entries breaks it in few. Damage comes by the sector, so entries are judged in
//! groups of about that size.

use super::{ClusterSet, Link, Table};
use crate::source::SourceGone;

/// Entries that are judged together.
const GROUP: u32 = 128;
/// Fewer entries in use than this prove nothing.
const FEWEST: u32 = 16;

/// The groups of one copy of a table that are garbage.
#[derive(Clone, Default)]
pub struct Garbage(Vec<bool>);

impl Garbage {
    /// Judges a copy of the table. Reads all of it, twice.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn of(table: &Table, copy: usize) -> Result<Self, SourceGone> {
        let layout = table.layout();
        let (mut pointed, mut crossed) = (ClusterSet::new(layout), ClusterSet::new(layout));
        for cluster in layout.clusters() {
            if let Link::Next(next) = table.link(copy, cluster)?
                && !pointed.insert(next)
            {
                crossed.insert(next);
            }
        }
        let mut groups = Vec::new();
        let (mut used, mut wrong) = (0, 0);
        for cluster in layout.clusters() {
            let link = table.link(copy, cluster)?;
            used += u32::from(link.is_used());
            wrong += u32::from(match link {
                Link::Next(next) if layout.after(cluster) == Some(next) => false,
                Link::Next(next) => crossed.contains(next) || !table.link(copy, next)?.is_used(),
                Link::Invalid(_) => true,
                Link::Free | Link::End | Link::Bad | Link::Unreadable => false,
            });
            if (cluster.number() + 1).is_multiple_of(GROUP) || layout.after(cluster).is_none() {
                groups.push(used >= FEWEST && wrong * 2 > used);
                (used, wrong) = (0, 0);
            }
        }
        Ok(Garbage(groups))
    }

    /// True for an entry that lies in garbage.
    pub fn covers(&self, number: u32) -> bool {
        self.0.get((number / GROUP) as usize).is_some_and(|&garbage| garbage)
    }

    /// True where nothing is garbage.
    pub fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Layout, Width};
    use super::*;
    use crate::source::MemorySource;

    const COUNT: u16 = 2000;

    /// A FAT16 in which each file has three clusters, far apart, and a third of the clusters is free.
    fn entries() -> Vec<u16> {
        let mut entries = vec![0; usize::from(COUNT) + 2];
        for first in 2..400 {
            entries[first] = first as u16 + 500;
            entries[first + 500] = first as u16 + 1000;
            entries[first + 1000] = 0xffff;
        }
        entries
    }

    fn garbage(entries: &[u16]) -> Garbage {
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        let layout = Layout::new(1 << 16, 512, COUNT.into()).unwrap();
        let table = Table::new(Arc::new(MemorySource(bytes)), Width::Sixteen, layout, &[0]);
        Garbage::of(&table, 0).unwrap()
    }

    /// Numbers that are as good as random, from a hash.
    fn noise(n: u16) -> u16 {
        let hash = blake3::hash(&n.to_le_bytes());
        u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]) % COUNT
    }

    #[test]
    fn scattered_files_are_no_garbage() {
        assert!(garbage(&entries()).is_empty());
    }

    #[test]
    fn a_wrong_entry_here_and_there_is_no_garbage() {
        let mut entries = entries();
        (0..2000).step_by(20).for_each(|n| entries[n] = noise(n as u16));
        assert!(garbage(&entries).is_empty());
    }

    #[test]
    fn an_overwritten_sector_is_garbage() {
        let mut entries = entries();
        (256..512).for_each(|n| entries[n] = noise(n as u16));
        let garbage = garbage(&entries);
        let covered: Vec<u32> = (0..2000).filter(|&n| garbage.covers(n)).collect();
        assert_eq!(covered, (256..512).collect::<Vec<_>>());
    }

    #[test]
    fn a_table_of_noise_is_all_garbage() {
        let garbage = garbage(&(0..COUNT + 2).map(noise).collect::<Vec<_>>());
        assert!((0..1920).all(|n| garbage.covers(n)));
    }
}
