//! What damaged structures no longer lead to: the whole volume looked at once.
//!
//! [`Survey`] walks every directory, weighs all chains against each other, and looks into the clusters that belong to
//! no file: for directories whose entry is gone, and for chains without a name.

pub mod infer;
mod pieces;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use super::dir::{Item, Set};
use super::disk::{StreamEntry, stream_entry};
use super::node::component;
use super::{Exfat, map};
use crate::fs::cluster::{Allocation, Claim, Cluster, Object, Runs, Verdict};
use crate::fs::{Census, Stray};
use crate::node::{Kind, Node, NodeId, Trust};
use crate::progress::Progress;
use crate::source::SourceGone;

/// What a look at the whole volume gave.
pub struct Survey {
    verdicts: HashMap<NodeId, Verdict>,
    /// Directories that no entry leads to, with their clusters.
    directories: HashMap<Cluster, Runs>,
    /// Chains that no entry leads to.
    chains: HashMap<u64, Runs>,
    /// Places of the sets in use that were met.
    sets: BTreeSet<NodeId>,
    /// Places of deleted sets, with directory and name.
    deleted: BTreeMap<u64, (NodeId, Vec<u8>)>,
}

impl Survey {
    /// What was decided about a file.
    pub fn verdict(&self, id: NodeId) -> Option<&Verdict> {
        self.verdicts.get(&id)
    }

    /// The clusters of a directory that no entry leads to.
    pub fn directory(&self, start: Cluster) -> Option<&Runs> {
        self.directories.get(&start)
    }

    /// The clusters of a chain that no entry leads to, by its place.
    pub fn chain(&self, place: u64) -> Option<&Runs> {
        self.chains.get(&place)
    }
}

impl Exfat {
    /// The look at the whole volume, taken once.
    pub(super) fn survey(&self) -> Result<&Survey, SourceGone> {
        self.survey.get_or_try_init(|| {
            let mut surveyor = Surveyor::new(self);
            surveyor.look()?;
            if !surveyor.open.is_empty() && !surveyor.parts.is_empty() {
                // Parts of directories lie about: with the directories whole, all is looked at again.
                let pieced = pieces::join(self, &surveyor.open, &surveyor.parts)?;
                let _ = self.pieced.set(pieced);
                surveyor = Surveyor::new(self);
                surveyor.look()?;
            }
            surveyor.finish()
        })
    }

    /// What was found that no entry leads to. No directory of exFAT says where it belongs.
    pub(super) fn find_strays(&self, reached: &mut dyn FnMut(NodeId, Kind) -> bool) -> Result<Vec<Stray>, SourceGone> {
        let survey = self.survey()?;
        let directory = |start: &Cluster| (self.directory_at(*start).id(), Kind::Directory);
        let mut found: Vec<(NodeId, Kind)> = survey.directories.keys().map(directory).collect();
        found.extend(survey.chains.keys().map(|&place| (Object::Chain(place).id(), Kind::File)));
        found.sort_unstable_by_key(|(id, _)| *id);
        let mut strays = Vec::new();
        for (id, _) in found.into_iter().filter(|&(id, kind)| !reached(id, kind)) {
            strays.extend(self.read_node(id)?.map(|node| Stray { node, parent: None, name: None }));
        }
        Ok(strays)
    }

    /// What is left of deleted files, with name and directory.
    pub(super) fn find_deleted(&self) -> Result<Vec<Stray>, SourceGone> {
        let mut found = Vec::new();
        for (&offset, (parent, name)) in &self.survey()?.deleted {
            let node = self.read_node(Object::Entry(offset).id())?.filter(|node| node.kind == Kind::File);
            found.extend(node.map(|node| Stray { node, parent: Some(*parent), name: Some(name.clone()) }));
        }
        Ok(found)
    }

    pub(super) fn count(
        &self,
        which: Census,
        progress: &dyn Progress,
        visit: &mut dyn FnMut(Node) -> ControlFlow<()>,
    ) -> Result<(), SourceGone> {
        let survey = self.survey()?;
        let ids: Vec<NodeId> = match which {
            Census::InUse => survey.sets.iter().copied().collect(),
            Census::Deleted => survey.deleted.keys().map(|&offset| Object::Entry(offset).id()).collect(),
        };
        for id in ids {
            progress.advance(1);
            if let Some(node) = self.read_node(id)?
                && visit(node).is_break()
            {
                break;
            }
        }
        Ok(())
    }
}

struct Surveyor<'f> {
    exfat: &'f Exfat,
    allocation: Allocation<'f>,
    visited: HashSet<NodeId>,
    sets: BTreeSet<NodeId>,
    deleted: BTreeMap<u64, (NodeId, Vec<u8>)>,
    troubled: bool,
    /// Directories with clusters that were not found, and how many.
    open: Vec<(Cluster, Runs, u32)>,
    /// Clusters that look like a part of a directory and belong to none.
    parts: Vec<Cluster>,
    /// Directories that no entry leads to.
    lost: HashMap<Cluster, Runs>,
}

impl<'f> Surveyor<'f> {
    fn new(exfat: &'f Exfat) -> Self {
        let allocation = Allocation::new(&exfat.table, exfat.bitmap.clone());
        let (visited, sets, deleted) = (HashSet::new(), BTreeSet::new(), BTreeMap::new());
        let (open, parts, lost) = (Vec::new(), Vec::new(), HashMap::new());
        let troubled = exfat.bitmap.is_none() || !exfat.decisions.is_empty();
        Surveyor { exfat, allocation, visited, sets, deleted, troubled, open, parts, lost }
    }

    fn look(&mut self) -> Result<(), SourceGone> {
        let root = Object::Root.id();
        let start = self.exfat.layout().cluster(self.exfat.geometry.root);
        let found = self.exfat.directory(root)?;
        if let (Some(start), Some(found)) = (start, found) {
            self.troubled |= found.trust > Trust::Intact;
            self.system_files()?;
            self.collect(root, start, found.runs)?;
        }
        self.lost = self.lost_directories()?;
        Ok(())
    }

    fn finish(mut self) -> Result<Survey, SourceGone> {
        let directories = self.lost;
        self.allocation.settle()?;
        let mut chains = HashMap::new();
        for head in self.allocation.lost()? {
            chains.insert(self.exfat.layout().offset(head), self.allocation.lost_chain(head)?.runs);
        }
        let (sets, deleted) = (self.sets, self.deleted);
        Ok(Survey { verdicts: self.allocation.into_verdicts(), directories, chains, sets, deleted })
    }

    /// The bitmap and the up-case table have clusters too.
    fn system_files(&mut self) -> Result<(), SourceGone> {
        let facts = self.exfat.root_facts()?;
        let entries: [Option<StreamEntry>; 2] = [facts.bitmap, facts.upcase.map(stream_entry)];
        self.troubled |= entries.iter().any(Option::is_none);
        for (i, entry) in entries.into_iter().flatten().enumerate() {
            if let Some(runs) = self.exfat.system_runs(&entry)?
                && let Some(start) = runs.nth(0)
            {
                let (id, need) = (NodeId(u64::MAX - 1 - i as u64), runs.count());
                self.allocation.add(Claim { id, start, need, written: 0, known: Some(runs), proven: true })?;
            }
        }
        Ok(())
    }

    /// Claims for a directory and everything below it.
    fn collect(&mut self, id: NodeId, start: Cluster, runs: Runs) -> Result<(), SourceGone> {
        let mut queue = vec![(id, start, runs, true)];
        while let Some((id, start, runs, proven)) = queue.pop() {
            if !self.visited.insert(id) {
                continue;
            }
            let mut sets: Vec<Set> = Vec::new();
            let walked = self.exfat.walk(&runs, &mut |item| {
                if let Item::Set(set) = item {
                    sets.push(*set);
                }
                ControlFlow::Continue(())
            })?;
            self.troubled |= walked.trust > Trust::Unproven;
            self.sets.insert(id);
            let need = runs.count();
            self.allocation.add(Claim { id, start, need, written: 0, known: Some(runs), proven })?;
            for set in sets {
                queue.extend(self.claim(id, &set)?);
            }
        }
        Ok(())
    }

    /// Claims for what a set leads to; a directory is returned to be read.
    fn claim(&mut self, directory: NodeId, set: &Set) -> Result<Option<(NodeId, Cluster, Runs, bool)>, SourceGone> {
        if !set.in_use {
            if set.proven {
                self.deleted.insert(set.offset, (directory, component(set)));
                self.exfat.learn_seam(set);
            }
            return Ok(None);
        }
        self.exfat.learn(set);
        let id = self.exfat.object_of(set).id();
        self.sets.insert(id);
        let Some(start) = self.exfat.layout().cluster(set.stream.FirstCluster.get()) else { return Ok(None) };
        if set.is_directory() {
            let found = self.exfat.directory(id)?;
            if let Some(found) = found.as_ref().filter(|found| found.missing > 0) {
                self.open.push((start, found.runs.clone(), found.missing));
            }
            return Ok(found.map(|found| (id, start, found.runs, set.proven)));
        }
        let size = set.stream.DataLength.get();
        let (need, written) = (self.exfat.layout().clusters_for(size), set.stream.ValidDataLength.get().min(size));
        let known = map::is_contiguous(&set.stream).then(|| Runs::contiguous(self.exfat.layout(), start, need));
        self.allocation.add(Claim { id, start, need, written, known, proven: set.proven })?;
        Ok(None)
    }

    /// Directories that no entry leads to, found by what they look like.
    fn lost_directories(&mut self) -> Result<HashMap<Cluster, Runs>, SourceGone> {
        // Where the bitmap or a directory is damaged, what is called free may be in use.
        let deep = self.troubled || self.allocation.has_broken();
        let mut parts = Vec::new();
        for cluster in self.exfat.layout().clusters() {
            if self.exfat.layout().offset(cluster) >= self.exfat.source.len() {
                break;
            }
            let candidate = self.allocation.owner(cluster).is_none() && (deep || self.allocation.is_used(cluster)?);
            if candidate && self.exfat.looks_like_directory(cluster)? {
                parts.push(cluster);
            }
        }
        // Those that one of the others names come after it, and are then no longer lost.
        let named = self.named_by(&parts)?;
        self.parts.clone_from(&parts);
        let (inner, outer): (Vec<Cluster>, Vec<Cluster>) =
            parts.into_iter().partition(|part| named.contains(&part.number()));
        let mut found = HashMap::new();
        for start in outer.into_iter().chain(inner) {
            let id = self.exfat.directory_at(start).id();
            if self.allocation.owner(start).is_none() && !self.visited.contains(&id) {
                let runs = self.exfat.loose_directory(start)?;
                self.collect(id, start, runs.clone())?;
                found.insert(start, runs);
            }
        }
        Ok(found)
    }

    /// First clusters of the directories that are named in these clusters.
    fn named_by(&self, parts: &[Cluster]) -> Result<HashSet<u32>, SourceGone> {
        let mut named = HashSet::new();
        for &part in parts {
            self.exfat.walk(&Runs::contiguous(self.exfat.layout(), part, 1), &mut |item| {
                if let Item::Set(set) = item
                    && set.in_use
                    && set.is_directory()
                {
                    named.insert(set.stream.FirstCluster.get());
                    self.exfat.learn(&set);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(named)
    }
}
