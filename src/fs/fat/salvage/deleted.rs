//! Deleted files: their entries stay, but for the first byte of the short name, until another takes the place.
//!
//! Their chains are gone from the table. Files mostly lie in one piece, so the clusters from the first on that are free
//! are the best guess.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::fs::cluster::{Cluster, Link, Object, Runs};
use crate::fs::fat::Fat;
use crate::fs::fat::dir::{Looks, Place, Slot, is_dot, is_dotdot};
use crate::fs::fat::disk::ShortEntry;
use crate::fs::fat::name::{component, short_name};
use crate::fs::{Census, Stray};
use crate::node::{Node, NodeId, Trust};
use crate::source::SourceGone;

/// Stands for the first byte of a short name that no long name tells.
const UNKNOWN_FIRST: u8 = b'_';

impl Fat {
    /// What is left of deleted files, with name and directory; of those in deleted directories, with the directory that
    /// those were in.
    pub(in crate::fs::fat) fn find_deleted(&self) -> Result<Vec<Stray>, SourceGone> {
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        self.each_slot(&mut |directory, slot| {
            self.note_deleted(directory, &slot, &mut found, &mut gone);
            ControlFlow::Continue(())
        })?;
        let mut seen = HashSet::new();
        while let Some((directory, start)) = gone.pop() {
            if seen.insert(start) && self.is_free(start)? && self.looks(start)? == Looks::Head {
                self.walk(Place::Chain(start), &mut |slot| {
                    self.note_deleted(directory, &slot, &mut found, &mut gone);
                    ControlFlow::Continue(())
                })?;
            }
        }
        Ok(found)
    }

    /// Takes a slot over if it is of a deleted file or directory.
    fn note_deleted(&self, directory: NodeId, slot: &Slot, found: &mut Vec<Stray>, gone: &mut Vec<(NodeId, Cluster)>) {
        if !slot.entry.is_deleted() || slot.entry.is_label() {
            return;
        }
        if slot.entry.is_directory() {
            gone.extend(self.layout().cluster(self.first_cluster(&slot.entry)).map(|start| (directory, start)));
            return;
        }
        let (node, name) = (self.node_of(NodeId(slot.offset), &slot.entry), self.deleted_name(slot));
        found.push(Stray { node, parent: Some(directory), name: Some(name) });
    }

    pub(in crate::fs::fat) fn count(
        &self,
        which: Census,
        visit: &mut dyn FnMut(Node) -> ControlFlow<()>,
    ) -> Result<(), SourceGone> {
        let mut ids = Vec::new();
        self.each_slot(&mut |_, slot| {
            let entry = &slot.entry;
            let named = !entry.is_label() && !is_dot(entry) && !is_dotdot(entry);
            if named && entry.is_deleted() == (which == Census::Deleted) {
                ids.push(if entry.is_deleted() {
                    NodeId(slot.offset)
                } else {
                    self.object_of(slot.offset, entry).id()
                });
            }
            ControlFlow::Continue(())
        })?;
        if which == Census::InUse {
            ids.push(Object::Root.id());
        }
        ids.sort_unstable();
        ids.dedup();
        for node in self.nodes_of(&ids)?.into_iter().flatten() {
            if visit(node).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Every slot of every directory that was found.
    fn each_slot(&self, visit: &mut dyn FnMut(NodeId, Slot) -> ControlFlow<()>) -> Result<(), SourceGone> {
        for &(id, place) in &self.survey()?.places {
            self.walk(place, &mut |slot| visit(id, slot))?;
        }
        Ok(())
    }

    fn deleted_name(&self, slot: &Slot) -> Vec<u8> {
        match &slot.deleted {
            Some((long, _)) => component(long),
            None => {
                let mut entry = slot.entry;
                entry.DIR_Name[0] = UNKNOWN_FIRST;
                component(&short_name(&entry, self.page))
            }
        }
    }

    /// Where a deleted file lay, as far as its clusters are still free.
    pub(in crate::fs::fat) fn guess_deleted(&self, entry: &ShortEntry, size: u64) -> Result<(Runs, Trust), SourceGone> {
        let (mut runs, mut trust) = (Runs::default(), Trust::Unproven);
        let need = self.layout().clusters_for(size);
        let mut at = self.layout().cluster(self.first_cluster(entry));
        while let Some(cluster) = at.filter(|_| runs.count() < need) {
            if self.is_free(cluster)? {
                runs.push(cluster);
            } else {
                // Another file has this cluster now: it had it before, or took it since.
                trust = Trust::Doubtful;
            }
            at = self.layout().after(cluster);
        }
        Ok((runs, trust))
    }

    fn is_free(&self, cluster: Cluster) -> Result<bool, SourceGone> {
        Ok(self.table.link(0, cluster)? == Link::Free)
    }
}
