//! What damaged structures no longer lead to: the whole volume looked at once.
//!
//! [`Survey`] walks every directory, weighs all chains against each other, and looks into the clusters that belong to
//! no file: for directories whose entry is gone, for parts of directories, and for chains without a name.

mod agree;
mod deleted;
pub mod infer;
mod pieces;

pub use agree::Agreement;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::Fat;
use super::dir::{Looks, Place, Slot, is_dot, is_dotdot};
use crate::fs::Stray;
use crate::fs::cluster::{Allocation, Claim, Cluster, Object, Runs, Verdict};
use crate::node::{Kind, NodeId, Trust};
use crate::source::SourceGone;

/// More loose chains than this many a file: the table is no witness, and they are no files.
const CHAINS_PER_FILE: usize = 4;

/// What a look at the whole volume gave.
pub struct Survey {
    /// Files whose chain is not simply in order.
    verdicts: HashMap<NodeId, Verdict>,
    /// Directories that no entry leads to, in ascending order of place.
    directories: Vec<Cluster>,
    /// Chains that no entry leads to.
    chains: HashMap<u64, Runs>,
    /// All directories that were read.
    places: Vec<(NodeId, Place)>,
}

impl Survey {
    /// What was decided about a file.
    pub fn verdict(&self, id: NodeId) -> Option<&Verdict> {
        self.verdicts.get(&id)
    }

    /// The clusters of a chain that no entry leads to, by its place.
    pub fn chain(&self, place: u64) -> Option<&Runs> {
        self.chains.get(&place)
    }
}

impl Fat {
    /// The look at the whole volume, taken once.
    pub(super) fn survey(&self) -> Result<&Survey, SourceGone> {
        self.survey.get_or_try_init(|| {
            self.table.distrust_garbage()?;
            let mut surveyor = Surveyor::new(self);
            surveyor.look()?;
            if !surveyor.parts.is_empty() {
                // Parts of directories lie about: with the directories whole, all is looked at again.
                let pieced = pieces::join(self, &surveyor.open, &surveyor.parts)?;
                let _ = self.pieced.set(pieced);
                surveyor = Surveyor::new(self);
                surveyor.look()?;
            }
            surveyor.finish()
        })
    }

    /// What was found that no entry leads to, with what is known of its place.
    pub(super) fn find_strays(&self, reached: &mut dyn FnMut(NodeId, Kind) -> bool) -> Result<Vec<Stray>, SourceGone> {
        let survey = self.survey()?;
        let mut strays = Vec::new();
        let mut add = |object: Object, kind: Kind, parent: Option<NodeId>| -> Result<(), SourceGone> {
            let id = object.id();
            if !reached(id, kind)
                && let Some(node) = self.read_node(id, &mut |offset| self.entry_at(offset))?
            {
                strays.push(Stray { node, parent, name: None });
            }
            Ok(())
        };
        for &start in &survey.directories {
            let parent = self.dotdot(start)?.map(Object::id);
            add(self.directory_at(start), Kind::Directory, parent)?;
        }
        let mut chains: Vec<u64> = survey.chains.keys().copied().collect();
        chains.sort_unstable();
        for place in chains {
            add(Object::Chain(place), Kind::File, None)?;
        }
        Ok(strays)
    }
}

struct Surveyor<'f> {
    fat: &'f Fat,
    allocation: Allocation<'f>,
    visited: HashSet<Place>,
    places: Vec<(NodeId, Place)>,
    /// First clusters of directories that were deleted.
    deleted: HashSet<u32>,
    files: usize,
    troubled: bool,
    /// Directories whose chain breaks before their end.
    open: Vec<Cluster>,
    /// Clusters that look like a part of a directory and belong to none.
    parts: Vec<Cluster>,
    /// Directories that no entry leads to.
    lost: Vec<Cluster>,
}

impl<'f> Surveyor<'f> {
    fn new(fat: &'f Fat) -> Self {
        let allocation = Allocation::new(&fat.table, None);
        let (visited, deleted) = (HashSet::new(), HashSet::new());
        let (open, parts, lost) = (Vec::new(), Vec::new(), Vec::new());
        // An empty root directory is credible only on a volume whose beginning is in order.
        let troubled = !fat.decisions.is_empty() || !fat.table_begins();
        Surveyor { fat, allocation, visited, places: Vec::new(), deleted, files: 0, troubled, open, parts, lost }
    }

    fn look(&mut self) -> Result<(), SourceGone> {
        match self.fat.root_place() {
            Some(root) => self.collect(Object::Root.id(), root)?,
            None => self.troubled = true,
        }
        self.lost_directories()
    }

    fn finish(mut self) -> Result<Survey, SourceGone> {
        self.allocation.settle()?;
        let chains = self.lost_chains()?;
        let mut directories = self.lost;
        directories.sort_unstable();
        Ok(Survey { verdicts: self.allocation.into_verdicts(), directories, chains, places: self.places })
    }

    /// Claims for a directory and everything below it.
    fn collect(&mut self, id: NodeId, place: Place) -> Result<(), SourceGone> {
        let mut queue = vec![(id, place)];
        while let Some((id, place)) = queue.pop() {
            if !self.visited.insert(place) {
                continue;
            }
            self.places.push((id, place));
            let mut slots: Vec<Slot> = Vec::new();
            let walked = self.fat.walk(place, &mut |slot| {
                slots.push(slot);
                ControlFlow::Continue(())
            })?;
            self.troubled |= walked.trust > Trust::Intact;
            if let Place::Chain(start) = place {
                if !walked.ended {
                    self.open.push(start);
                }
                let need = walked.runs.count();
                let known = Some(walked.runs);
                self.allocation.add(Claim { id, start, need, written: 0, known, proven: true })?;
            }
            for slot in slots {
                queue.extend(self.claim(&slot)?);
            }
        }
        Ok(())
    }

    /// Claims for what an entry leads to; a directory is returned to be read.
    fn claim(&mut self, slot: &Slot) -> Result<Option<(NodeId, Place)>, SourceGone> {
        let entry = &slot.entry;
        let first = self.fat.first_cluster(entry);
        if entry.is_deleted() {
            if entry.is_directory() {
                self.deleted.insert(first);
            }
            return Ok(None);
        }
        if entry.is_label() || is_dot(entry) || is_dotdot(entry) {
            return Ok(None);
        }
        let Some(start) = self.fat.layout().cluster(first) else { return Ok(None) };
        if entry.is_directory() {
            self.fat.learn(slot.offset, entry);
            return Ok(Some((self.fat.directory_at(start).id(), Place::Chain(start))));
        }
        self.files += 1;
        let size = u64::from(entry.DIR_FileSize.get());
        let (id, need) = (Object::Entry(slot.offset).id(), self.fat.layout().clusters_for(size));
        self.allocation.add(Claim { id, start, need, written: size, known: None, proven: true })?;
        Ok(None)
    }

    /// Directories that no entry leads to, found by what they look like. Their files claim clusters too.
    fn lost_directories(&mut self) -> Result<(), SourceGone> {
        let heads = self.scan(Looks::Head)?;
        self.adopt(heads)?;
        let parts = self.scan(Looks::Entries)?;
        if self.fat.pieced.get().is_some() {
            return self.adopt(parts);
        }
        self.parts = parts;
        Ok(())
    }

    /// Clusters of no file that look as asked for.
    fn scan(&self, wanted: Looks) -> Result<Vec<Cluster>, SourceGone> {
        let mut found = Vec::new();
        // Where the table is damaged, what it calls free may be in use.
        let deep = self.troubled || self.allocation.has_broken();
        for cluster in self.fat.layout().clusters() {
            if self.fat.layout().offset(cluster) >= self.fat.source.len() {
                break;
            }
            if self.allocation.owner(cluster).is_some() {
                continue;
            }
            let used = self.allocation.is_used(cluster)?;
            if (!used && !deep) || self.fat.looks(cluster)? != wanted {
                continue;
            }
            let taken = match wanted {
                Looks::Head => used || !self.deleted.contains(&cluster.number()),
                _ => !self.fat.table.pointed()?.contains(cluster),
            };
            if taken {
                found.push(cluster);
            }
        }
        Ok(found)
    }

    fn adopt(&mut self, starts: Vec<Cluster>) -> Result<(), SourceGone> {
        for start in self.outermost_first(starts)? {
            if self.allocation.owner(start).is_none() && !self.visited.contains(&Place::Chain(start)) {
                self.collect(self.fat.directory_at(start).id(), Place::Chain(start))?;
                self.lost.push(start);
            }
        }
        Ok(())
    }

    /// Directories whose parent is not itself among the lost come first: they lead to the others.
    fn outermost_first(&self, heads: Vec<Cluster>) -> Result<Vec<Cluster>, SourceGone> {
        let lost: HashSet<Object> = heads.iter().map(|&head| self.fat.directory_at(head)).collect();
        let (mut outer, mut inner) = (Vec::new(), Vec::new());
        for head in heads {
            let parent = self.fat.dotdot(head)?;
            let is_inner = parent.is_some_and(|parent| lost.contains(&parent));
            (if is_inner { &mut inner } else { &mut outer }).push(head);
        }
        outer.extend(inner);
        Ok(outer)
    }

    fn lost_chains(&mut self) -> Result<HashMap<u64, Runs>, SourceGone> {
        let heads = self.allocation.lost()?;
        if heads.len() > 64 + self.files * CHAINS_PER_FILE {
            return Ok(HashMap::new());
        }
        let mut chains = HashMap::new();
        for head in heads {
            let chain = self.allocation.lost_chain(head)?;
            chains.insert(self.fat.layout().offset(head), chain.runs);
        }
        Ok(chains)
    }
}
