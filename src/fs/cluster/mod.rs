//! Clusters and their chains: what FAT12, FAT16, FAT32 and exFAT have in common.
//!
//! [`Layout`] says where clusters lie, [`Table`] is the file allocation table in all its copies, [`Runs`] is a file's
//! clusters in order, [`follow`] reads a chain, and [`Allocation`] weighs all chains of a volume against each other.

mod allocation;
mod chain;
mod ending;
mod garbage;
mod lookup;
mod object;
mod table;
mod time;

pub use allocation::{Allocation, Claim, Verdict};
pub use chain::{Chain, Flaw, follow};
pub use lookup::lookup;
pub use object::{Object, bare_node};
pub use table::{Link, Links, Table, Width};
pub use time::{dos_time, is_dos_time};

use crate::bytes::Span;
use crate::node::{Backing, Extent};

/// Number of a cluster that the volume has. Clusters are counted from 2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cluster(u32);

impl Cluster {
    /// The number, as the table records it.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Where the clusters lie. `heap + count * cluster_size` fits 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    heap: u64,
    cluster_size: u64,
    count: u32,
}

impl Layout {
    /// `count` clusters of `cluster_size` bytes, the first at byte `heap` of the volume; `None` where that is no place.
    pub fn new(heap: u64, cluster_size: u64, count: u32) -> Option<Self> {
        heap.checked_add(cluster_size.checked_mul(u64::from(count))?)?;
        (cluster_size > 0 && count < u32::MAX - 16).then_some(Layout { heap, cluster_size, count })
    }

    /// Byte offset of cluster 2.
    pub fn heap(&self) -> u64 {
        self.heap
    }

    /// Bytes of a cluster.
    pub fn cluster_size(&self) -> u64 {
        self.cluster_size
    }

    /// Number of clusters.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The cluster of a number, if there is one.
    pub fn cluster(&self, number: u32) -> Option<Cluster> {
        (number >= 2 && number - 2 < self.count).then_some(Cluster(number))
    }

    /// Every cluster, in ascending order.
    pub fn clusters(&self) -> impl Iterator<Item = Cluster> + use<> {
        (2..self.count + 2).map(Cluster)
    }

    /// Byte offset of a cluster on the volume.
    pub fn offset(&self, cluster: Cluster) -> u64 {
        self.heap + u64::from(cluster.0 - 2) * self.cluster_size
    }

    /// The bytes of a cluster on the volume.
    pub fn span(&self, cluster: Cluster) -> Span {
        Span::new(self.offset(cluster), self.cluster_size)
    }

    /// The cluster that holds a byte of the volume.
    pub fn holding(&self, offset: u64) -> Option<Cluster> {
        let index = offset.checked_sub(self.heap)? / self.cluster_size;
        self.cluster(u32::try_from(index).ok()?.checked_add(2)?)
    }

    /// The cluster that lies behind another.
    pub fn after(&self, cluster: Cluster) -> Option<Cluster> {
        self.cluster(cluster.0.checked_add(1)?)
    }

    /// How many clusters `bytes` take; at most one more than there are.
    pub fn clusters_for(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(self.cluster_size)).map_or(self.count + 1, |n| n.min(self.count + 1))
    }

    /// Bytes of all clusters.
    pub fn bytes(&self) -> u64 {
        u64::from(self.count) * self.cluster_size
    }
}

/// Clusters that lie behind each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// The first.
    pub first: Cluster,
    /// How many, at least one.
    pub len: u32,
}

/// A file's clusters in the order of the file, neighbours merged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Runs {
    runs: Vec<Run>,
    count: u32,
}

impl Runs {
    /// `len` clusters that lie behind each other, as far as the volume has them.
    pub fn contiguous(layout: &Layout, first: Cluster, len: u32) -> Self {
        let len = len.min(layout.count - (first.0 - 2));
        if len == 0 { Runs::default() } else { Runs { runs: vec![Run { first, len }], count: len } }
    }

    /// Adds a cluster at the end.
    pub fn push(&mut self, cluster: Cluster) {
        self.count += 1;
        match self.runs.last_mut() {
            Some(last) if last.first.0 + last.len == cluster.0 => last.len += 1,
            _ => self.runs.push(Run { first: cluster, len: 1 }),
        }
    }

    /// Adds all clusters of `other` at the end.
    pub fn extend(&mut self, other: &Runs) {
        other.clusters().for_each(|cluster| self.push(cluster));
    }

    /// Keeps the first `count` clusters.
    pub fn truncate(&mut self, count: u32) {
        while self.count > count {
            // There are clusters left, so there is a last run.
            let Some(last) = self.runs.last_mut() else { return };
            let cut = last.len.min(self.count - count);
            last.len -= cut;
            self.count -= cut;
            if last.len == 0 {
                self.runs.pop();
            }
        }
    }

    /// Number of clusters.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The runs, in the order of the file.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The clusters, in the order of the file.
    pub fn clusters(&self) -> impl DoubleEndedIterator<Item = Cluster> + '_ {
        self.runs.iter().flat_map(|run| (run.first.0..run.first.0 + run.len).map(Cluster))
    }

    /// The cluster at a place in the file.
    pub fn nth(&self, mut index: u32) -> Option<Cluster> {
        for run in &self.runs {
            if index < run.len {
                return Some(Cluster(run.first.0 + index));
            }
            index -= run.len;
        }
        None
    }

    /// The last cluster.
    pub fn last(&self) -> Option<Cluster> {
        self.runs.last().map(|run| Cluster(run.first.0 + run.len - 1))
    }

    /// The extents of a file of `size` bytes that lies in these clusters; what they do not reach is lost.
    pub fn extents(&self, layout: &Layout, size: u64) -> Vec<Extent> {
        let (mut extents, mut at) = (Vec::with_capacity(self.runs.len() + 1), 0);
        for run in &self.runs {
            let len = (u64::from(run.len) * layout.cluster_size).min(size - at);
            if len > 0 {
                let backing = Backing::Device { member: 0, offset: layout.offset(run.first) };
                extents.push(Extent { logical: at, len, backing });
            }
            at += len;
        }
        if at < size {
            extents.push(Extent { logical: at, len: size - at, backing: Backing::Lost });
        }
        extents
    }
}

/// A set of clusters, one bit each.
#[derive(Clone, Default)]
pub struct ClusterSet(Vec<u64>);

impl ClusterSet {
    /// The empty set, with room for every cluster of a volume.
    pub fn new(layout: &Layout) -> Self {
        ClusterSet(vec![0; (layout.count as usize + 2).div_ceil(64)])
    }

    /// Adds a cluster; false where it was in the set before.
    pub fn insert(&mut self, cluster: Cluster) -> bool {
        let (word, bit) = (cluster.0 as usize / 64, 1 << (cluster.0 % 64));
        let Some(word) = self.0.get_mut(word) else { return false };
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }

    /// True if the cluster is in the set.
    pub fn contains(&self, cluster: Cluster) -> bool {
        self.0.get(cluster.0 as usize / 64).is_some_and(|word| word & (1 << (cluster.0 % 64)) != 0)
    }

    /// Number of clusters in the set.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// True if no cluster is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_merge_neighbours_and_map_to_extents() {
        let layout = Layout::new(1000, 512, 100).unwrap();
        let mut runs = Runs::default();
        [5, 6, 7, 20, 3].into_iter().filter_map(|n| layout.cluster(n)).for_each(|c| runs.push(c));
        assert_eq!(runs.runs().iter().map(|r| (r.first.0, r.len)).collect::<Vec<_>>(), [(5, 3), (20, 1), (3, 1)]);
        assert_eq!(runs.nth(3), layout.cluster(20));
        let extents = runs.extents(&layout, 6 * 512);
        assert_eq!(extents.len(), 4);
        assert_eq!(extents[0].backing, Backing::Device { member: 0, offset: 1000 + 3 * 512 });
        assert_eq!((extents[3].logical, extents[3].len, &extents[3].backing), (5 * 512, 512, &Backing::Lost));
        runs.truncate(2);
        assert_eq!((runs.count(), runs.last()), (2, layout.cluster(6)));
    }

    #[test]
    fn only_numbers_from_two_are_clusters() {
        let layout = Layout::new(0, 512, 10).unwrap();
        assert_eq!([0, 1, 12].map(|n| layout.cluster(n)), [None; 3]);
        assert_eq!(layout.holding(512), layout.cluster(3));
        assert!(Layout::new(u64::MAX, 512, 1).is_none());
    }
}
