//! Names whose number damage changed: [`Builder::give_names_to_others`].
//!
//! With a bit of its number flipped an entry names another node: nothing, or one that then has more names than links.
//! The node that it named is one that no directory names any more.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;

use super::LOST_ID;
use super::build::{Builder, CHUNK};
use crate::fs::Stray;
use crate::node::{Kind, Node, NodeId, Trust};
use crate::progress::Progress;
use crate::source::SourceGone;

/// Bits of the numbers in entries.
const BITS: u32 = 32;

/// Items that name what they hardly can, by the number they give it.
type Suspects = BTreeMap<NodeId, Suspect>;

/// Names that may be another node's.
struct Suspect {
    items: Vec<u32>,
    /// How many of them there are beyond the node's links; none where there is no node.
    beyond: usize,
    /// What is too much stands in damaged directories.
    damaged: bool,
    /// Nothing speaks against the node and its number of links.
    sound: bool,
}

impl Builder {
    /// Gives lost directories the names that are theirs but for one bit of a number.
    pub(super) fn give_names_to_directories(
        &mut self,
        strays: &[Stray],
        progress: &dyn Progress,
    ) -> Result<(), SourceGone> {
        let unnamed: Vec<&Stray> = strays.iter().filter(|stray| stray.name.is_none()).collect();
        if unnamed.is_empty() {
            return Ok(());
        }
        let suspects = self.suspects()?;
        let (_, level) = self.give_names(unnamed, &suspects);
        self.descend(level, progress)
    }

    /// The same for all else that no directory names. Where it is not known which of a node's names is a stray's, all
    /// are doubtful.
    pub(super) fn give_names_to_others(&mut self, strays: &[Stray]) -> Result<(), SourceGone> {
        let suspects = self.suspects()?;
        let unnamed = strays.iter().filter(|stray| stray.name.is_none() && !self.is_reached(stray.node.id)).collect();
        let (lost, _) = self.give_names(unnamed, &suspects);
        suspects.iter().for_each(|(id, suspect)| self.doubt(*id, suspect, &lost));
        Ok(())
    }

    /// Gives each stray the one name that may be its, and no other's. Returns the kinds of those that got none, and the
    /// directories to list.
    fn give_names(&mut self, strays: Vec<&Stray>, suspects: &Suspects) -> (HashSet<Kind>, Vec<u32>) {
        let theirs: Vec<Vec<u32>> = strays.iter().map(|stray| self.near(stray, suspects)).collect();
        let mut wanted: HashMap<u32, usize> = HashMap::new();
        theirs.iter().flatten().for_each(|item| *wanted.entry(*item).or_default() += 1);
        let (mut lost, mut level) = (HashSet::new(), Vec::new());
        for (stray, items) in strays.into_iter().zip(theirs) {
            match items[..] {
                [item] if wanted[&item] == 1 => level.extend(self.rename(item, stray)),
                _ => _ = lost.insert(stray.node.kind),
            }
        }
        (lost, level)
    }

    /// The suspects that may be a stray's: one bit away, and of its kind. A directory knows which one it is in.
    fn near(&self, stray: &Stray, suspects: &Suspects) -> Vec<u32> {
        let numbers = (0..BITS).map(|bit| NodeId(stray.node.id.0 ^ 1 << bit));
        let items = numbers.filter_map(|id| suspects.get(&id)).flat_map(|suspect| suspect.items.iter().copied());
        let fits = |item: &u32| {
            let item = &self.items[*item as usize];
            let inside = self.items[item.parent as usize].id;
            item.kind == stray.node.kind && (item.kind != Kind::Directory || stray.parent == Some(inside))
        };
        items.filter(fits).collect()
    }

    /// Lets an item name a stray; returns it if it is a directory to list.
    fn rename(&mut self, item: u32, stray: &Stray) -> Option<u32> {
        let named = &mut self.items[item as usize];
        let was = std::mem::replace(&mut named.id, stray.node.id);
        named.trust = Trust::Renamed;
        if self.directories.get(&was) == Some(&item) {
            self.directories.remove(&was);
        }
        self.note_reached(item).then_some(item)
    }

    /// Doubts names of which still too many are left, if there is something of that kind that one of them may be of.
    fn doubt(&mut self, id: NodeId, suspect: &Suspect, lost: &HashSet<Kind>) {
        let left: Vec<u32> = suspect.items.iter().copied().filter(|item| self.items[*item as usize].id == id).collect();
        let Some(first) = left.first().filter(|_| suspect.items.len() - left.len() < suspect.beyond) else { return };
        // The same name in two directories shows a block of a directory that was written twice: either leads to the node.
        let name = |item: &u32| self.items[*item as usize].name(&self.names);
        let is_another_s = suspect.damaged || left.iter().any(|item| name(item) != name(first));
        let something_lost_its_name = lost.contains(&self.items[*first as usize].kind);
        if suspect.damaged && suspect.sound || is_another_s && something_lost_its_name {
            left.into_iter().for_each(|item| self.items[item as usize].trust = Trust::Doubtful);
        }
    }

    /// Names in damaged directories that name nothing, and names of nodes that have more than links. Where those in
    /// damaged directories are what is too much, they alone.
    fn suspects(&self) -> Result<Suspects, SourceGone> {
        let items = self.items.iter().zip(0..).skip(1);
        let mut named: Vec<(NodeId, u32)> =
            items.map(|(item, at)| (item.id, at)).filter(|(id, _)| *id != LOST_ID).collect();
        named.par_sort_unstable();
        let groups: Vec<&[(NodeId, u32)]> = named.chunk_by(|one, two| one.0 == two.0).collect();
        let suspects = groups.par_chunks(CHUNK).map(|some| {
            let ids: Vec<NodeId> = some.iter().map(|group| group[0].0).collect();
            let nodes = self.fs.nodes(&ids)?.into_iter().zip(some);
            let suspect = |(node, group): (Option<Node>, &&[(NodeId, u32)])| {
                let names = group.iter().map(|(_, item)| *item).collect();
                Some((group[0].0, self.suspect(node, names)?))
            };
            Ok(nodes.filter_map(suspect).collect::<Vec<_>>())
        });
        Ok(suspects.collect::<Result<Vec<_>, SourceGone>>()?.into_iter().flatten().collect())
    }

    /// Of the names of a node, those that may be another's.
    fn suspect(&self, node: Option<Node>, names: Vec<u32>) -> Option<Suspect> {
        let is_damaged = |item: &u32| self.items[*item as usize].trust >= Trust::Unproven;
        let damaged: Vec<u32> = names.iter().copied().filter(is_damaged).collect();
        let Some(node) = node else {
            return (!damaged.is_empty()).then_some(Suspect { items: damaged, beyond: 0, damaged: true, sound: true });
        };
        let beyond = names.len().checked_sub(node.links as usize).filter(|beyond| *beyond > 0)?;
        if node.kind == Kind::Directory {
            return None;
        }
        // What stands in sound directories is no more than it may be.
        let accounts = damaged.len() >= beyond;
        let items = if accounts { damaged } else { names };
        Some(Suspect { items, beyond, damaged: accounts, sound: node.trust == Trust::Intact })
    }
}
