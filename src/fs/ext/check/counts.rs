//! How often directories name each inode, counted by many threads; room is only made for groups that are named.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::volume::Volume;

/// A counter for every inode.
pub struct Counts {
    groups: Vec<OnceLock<Box<[AtomicU32]>>>,
    per_group: u32,
}

impl Counts {
    pub fn new(volume: &Volume) -> Self {
        Counts { groups: (0..volume.groups).map(|_| OnceLock::new()).collect(), per_group: volume.inodes_per_group }
    }

    fn place(&self, inode: u32) -> Option<(usize, usize)> {
        let nr = inode.checked_sub(1)?;
        Some(((nr / self.per_group) as usize, (nr % self.per_group) as usize))
    }

    /// Counts one more entry that names `inode`.
    pub fn add(&self, inode: u32) {
        let Some((group, within)) = self.place(inode) else { return };
        let Some(group) = self.groups.get(group) else { return };
        let counters = group.get_or_init(|| (0..self.per_group).map(|_| AtomicU32::new(0)).collect());
        counters[within].fetch_add(1, Relaxed);
    }

    /// How often `inode` was named.
    pub fn get(&self, inode: u32) -> u32 {
        let Some((group, within)) = self.place(inode) else { return 0 };
        self.groups.get(group).and_then(OnceLock::get).map_or(0, |counters| counters[within].load(Relaxed))
    }
}
