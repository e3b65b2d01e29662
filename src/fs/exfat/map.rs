//! Where a file's bytes lie: its clusters as extents, zeros behind the length that was written.

use super::disk::{ALLOCATION_POSSIBLE, IN_USE, NO_FAT_CHAIN, StreamEntry};
use super::{Exfat, codes};
use crate::finding::{Finding, Place};
use crate::fs::cluster::{Flaw, Object, Runs, Verdict, follow};
use crate::node::{Backing, Extent, Mapping, Node, NodeId, Trust};
use crate::source::SourceGone;

/// Most bytes of a directory.
pub const LARGEST_DIRECTORY: u64 = 256 << 20;

/// A directory's clusters, and what is wrong with them.
pub struct Found {
    /// The clusters.
    pub runs: Runs,
    /// How far they can be trusted.
    pub trust: Trust,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Clusters that were not found.
    pub missing: u32,
}

/// True for a stream whose clusters lie behind each other.
pub fn is_contiguous(stream: &StreamEntry) -> bool {
    stream.GeneralSecondaryFlags & (NO_FAT_CHAIN | ALLOCATION_POSSIBLE) == NO_FAT_CHAIN | ALLOCATION_POSSIBLE
}

impl Exfat {
    /// The clusters of a directory; `None` where there is no such directory.
    pub(super) fn directory(&self, id: NodeId) -> Result<Option<Found>, SourceGone> {
        let place = match Object::of(id) {
            Object::Root => return self.root_directory().map(Some),
            Object::Directory(place) => place,
            Object::Entry(_) | Object::Chain(_) => return Ok(None),
        };
        let Some(start) = self.layout().holding(place) else { return Ok(None) };
        if let Some(runs) = self.pieced.get().and_then(|pieced| pieced.get(&start)) {
            return Ok(Some(Found { runs: runs.clone(), trust: Trust::Unproven, findings: Vec::new(), missing: 0 }));
        }
        let Some(lead) = self.lead_to(start) else {
            let runs = match self.survey.get().and_then(|survey| survey.directory(start)) {
                Some(runs) => runs.clone(),
                None => self.loose_directory(start)?,
            };
            return Ok(Some(Found { runs, trust: Trust::Intact, findings: Vec::new(), missing: 0 }));
        };
        let need = self.layout().clusters_for(lead.size.min(LARGEST_DIRECTORY));
        if lead.contiguous {
            let runs = Runs::contiguous(self.layout(), start, need.max(1));
            return Ok(Some(Found { runs, trust: Trust::Intact, findings: Vec::new(), missing: 0 }));
        }
        let chain = follow(&self.table, start, need.max(1))?;
        let whole = chain.runs.count() >= need;
        let mut found = Found { runs: chain.runs, trust: Trust::Intact, findings: Vec::new(), missing: 0 };
        if let Some(flaw) = chain.flaw.filter(|_| !whole) {
            found.findings.push(describe(id, flaw, &found.runs, need));
            found.trust = Trust::Partial;
            self.grow(&mut found.runs, need)?;
            found.missing = need - found.runs.count().min(need);
        }
        Ok(Some(found))
    }

    fn root_directory(&self) -> Result<Found, SourceGone> {
        let Some(start) = self.layout().cluster(self.geometry.root) else {
            return Ok(Found { runs: Runs::default(), trust: Trust::Partial, findings: Vec::new(), missing: 0 });
        };
        // The root directory's size is recorded nowhere: its chain alone tells.
        let most = self.layout().clusters_for(LARGEST_DIRECTORY);
        let chain = follow(&self.table, start, most)?;
        let mut found = Found { runs: chain.runs, trust: Trust::Intact, findings: Vec::new(), missing: 0 };
        if let Some(flaw) = chain.flaw.filter(|flaw| !matches!(flaw, Flaw::Short | Flaw::Long)) {
            found.findings.push(describe(Object::Root.id(), flaw, &found.runs, most));
            found.trust = Trust::Unproven;
            self.grow(&mut found.runs, most)?;
        }
        Ok(found)
    }

    /// A directory that nothing is known of but its first cluster.
    pub(super) fn loose_directory(&self, start: crate::fs::cluster::Cluster) -> Result<Runs, SourceGone> {
        let chain = follow(&self.table, start, self.layout().clusters_for(LARGEST_DIRECTORY))?;
        let mut runs = chain.runs;
        if !matches!(chain.flaw, None | Some(Flaw::Short)) {
            runs.truncate(1);
            self.grow(&mut runs, u32::MAX)?;
        }
        Ok(runs)
    }

    /// Adds the clusters behind the last that look like the directory's own.
    fn grow(&self, runs: &mut Runs, need: u32) -> Result<(), SourceGone> {
        while runs.count() < need {
            let Some(next) = runs.last().and_then(|last| self.layout().after(last)) else { return Ok(()) };
            let taken = self.lead_to(next).is_some() || !self.looks_like_directory(next)?;
            if taken {
                return Ok(());
            }
            runs.push(next);
        }
        Ok(())
    }

    pub(super) fn map(&self, node: &Node) -> Result<Mapping, SourceGone> {
        match Object::of(node.id) {
            Object::Root | Object::Directory(_) => {
                let Some(found) = self.directory(node.id)? else { return Ok(Mapping::default()) };
                let size = node.size.min(u64::from(found.runs.count()) * self.layout().cluster_size());
                let extents = found.runs.extents(self.layout(), size);
                Ok(Mapping { extents, trust: found.trust, findings: found.findings })
            }
            Object::Chain(place) => {
                let runs = self.survey()?.chain(place).cloned().unwrap_or_default();
                let extents = runs.extents(self.layout(), node.size);
                Ok(Mapping { extents, trust: Trust::Doubtful, findings: Vec::new() })
            }
            Object::Entry(offset) => match self.stream_at(offset)? {
                Some((_, stream)) if stream.EntryType & IN_USE == 0 => self.map_deleted(&stream, node.size),
                Some((_, stream)) => self.map_file(node.id, &stream, node.size),
                None => Ok(Mapping::default()),
            },
        }
    }

    /// A deleted file's table entries are gone; most never needed any.
    fn map_deleted(&self, stream: &StreamEntry, size: u64) -> Result<Mapping, SourceGone> {
        let valid = stream.ValidDataLength.get().min(size);
        let Some(start) = self.layout().cluster(stream.FirstCluster.get()).filter(|_| size > 0) else {
            let trust = if size > 0 { Trust::Partial } else { Trust::Intact };
            return Ok(self.mapping_of(&Runs::default(), size, valid, trust, Vec::new()));
        };
        let runs = Runs::contiguous(self.layout(), start, self.layout().clusters_for(size));
        let taken = |cluster| self.bitmap.as_ref().is_none_or(|used| used.contains(cluster));
        let doubt = !is_contiguous(stream) || runs.clusters().any(taken);
        let trust = if doubt { Trust::Doubtful } else { Trust::Unproven };
        Ok(self.mapping_of(&runs, size, valid, trust, Vec::new()))
    }

    fn map_file(&self, id: NodeId, stream: &StreamEntry, size: u64) -> Result<Mapping, SourceGone> {
        if size == 0 {
            return Ok(Mapping::default());
        }
        let valid = stream.ValidDataLength.get().min(size);
        let need = self.layout().clusters_for(size);
        let Some(start) = self.layout().cluster(stream.FirstCluster.get()) else {
            let found = format!("first cluster {}", stream.FirstCluster.get());
            let finding = Finding::new(codes::FIRST_CLUSTER, Place::inode(id.0), found, "a cluster of the volume");
            let (runs, findings) = (Runs::default(), vec![finding.costing(1, size)]);
            return Ok(self.mapping_of(&runs, size, valid, Trust::Partial, findings));
        };
        if let Some(verdict) = self.survey.get().and_then(|survey| survey.verdict(id)) {
            return Ok(self.judged(id, need, size, valid, verdict));
        }
        if is_contiguous(stream) {
            let runs = Runs::contiguous(self.layout(), start, need);
            let trust = if runs.count() < need { Trust::Partial } else { Trust::Intact };
            return Ok(self.mapping_of(&runs, size, valid, trust, Vec::new()));
        }
        let chain = follow(&self.table, start, need)?;
        if chain.flaw.is_none() && !chain.disputed {
            return Ok(self.mapping_of(&chain.runs, size, valid, Trust::Intact, Vec::new()));
        }
        // Not in order: what all other files have tells what is this one's.
        if let Some(verdict) = self.survey()?.verdict(id) {
            return Ok(self.judged(id, need, size, valid, verdict));
        }
        let findings = chain.flaw.map(|flaw| describe(id, flaw, &chain.runs, need)).into_iter().collect();
        Ok(self.mapping_of(&chain.runs, size, valid, chain.trust(need), findings))
    }

    fn judged(&self, id: NodeId, need: u32, size: u64, valid: u64, verdict: &Verdict) -> Mapping {
        let mut findings: Vec<Finding> =
            verdict.flaw.map(|flaw| describe(id, flaw, &verdict.runs, need)).into_iter().collect();
        findings.extend(verdict.shared.map(|(other, cluster)| {
            let place = Place::inode(id.0).at_block(cluster.number().into());
            Finding::new(codes::CROSS_LINK, place, format!("a cluster of {other} too"), "").costing(1, size)
        }));
        self.mapping_of(&verdict.runs, size, valid, verdict.trust, findings)
    }

    /// The extents of a file; behind `valid` bytes nothing was written yet.
    fn mapping_of(&self, runs: &Runs, size: u64, valid: u64, trust: Trust, findings: Vec<Finding>) -> Mapping {
        let mut extents = runs.extents(self.layout(), size);
        extents.retain_mut(|extent| {
            extent.len = extent.len.min(valid.saturating_sub(extent.logical));
            extent.len > 0
        });
        if valid < size {
            extents.push(Extent { logical: valid, len: size - valid, backing: Backing::Zero });
        }
        Mapping { extents, trust, findings }
    }
}

/// The code and words for a chain's flaw.
pub fn describe(id: NodeId, flaw: Flaw, runs: &Runs, need: u32) -> Finding {
    let (code, cluster) = match flaw {
        Flaw::Free(cluster) => (codes::CHAIN_FREE, Some(cluster)),
        Flaw::Bad(cluster) => (codes::CHAIN_BAD, Some(cluster)),
        Flaw::Invalid(cluster, _) => (codes::CHAIN_INVALID, Some(cluster)),
        Flaw::Unreadable(cluster) => (codes::TABLE_UNREADABLE, Some(cluster)),
        Flaw::Loop(cluster) => (codes::CHAIN_LOOP, Some(cluster)),
        Flaw::Short => (codes::CHAIN_SHORT, None),
        Flaw::Long => (codes::CHAIN_LONG, None),
    };
    let place = Place::inode(id.0);
    let place = cluster.map_or(place.clone(), |cluster| place.at_block(cluster.number().into()));
    Finding::new(code, place, format!("{} clusters", runs.count()), format!("{need} clusters"))
}
