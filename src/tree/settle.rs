//! Where a directory belongs that two directories name, and what no directory names.

use std::collections::{BTreeMap, HashSet};

use super::build::{Builder, MAX_DEPTH};
use super::{Item, LOST, LOST_ID};
use crate::fs::Stray;
use crate::node::{Kind, NodeId, Trust};
use crate::progress::Progress;
use crate::source::SourceGone;

impl Builder {
    /// Places every node in use that the walk did not reach: where it belongs as far as that is known, else in
    /// `#lost`.
    pub(super) fn place_strays(&mut self, progress: &dyn Progress) -> Result<(), SourceGone> {
        let strays = self.fs.strays(&mut |id, _| self.is_reached(id), progress)?;
        let (directories, others): (Vec<Stray>, Vec<Stray>) =
            strays.into_iter().partition(|stray| stray.node.kind == Kind::Directory);
        let mut lost = None;
        self.give_names_to_directories(&directories, progress)?;
        self.place_directories(directories, &mut lost, progress)?;
        self.give_names_to_others(&others)?;
        for stray in others {
            self.place(stray, &mut lost);
        }
        Ok(())
    }

    /// Places lost directories from the outside in: a directory whose parent is lost too waits for it, because its
    /// parent has mostly kept its name.
    fn place_directories(
        &mut self,
        strays: Vec<Stray>,
        lost: &mut Option<u32>,
        progress: &dyn Progress,
    ) -> Result<(), SourceGone> {
        let among: HashSet<NodeId> = strays.iter().map(|stray| stray.node.id).collect();
        let (mut now, mut waiting) = (Vec::new(), BTreeMap::<NodeId, Vec<Stray>>::new());
        for stray in strays {
            match stray.parent.filter(|&parent| parent != stray.node.id && among.contains(&parent)) {
                Some(parent) => waiting.entry(parent).or_default().push(stray),
                None => now.push(stray),
            }
        }
        while !now.is_empty() || !waiting.is_empty() {
            if now.is_empty() {
                // A ring of parents: it has to begin somewhere.
                now.extend(waiting.pop_first().into_iter().flat_map(|(_, strays)| strays));
            }
            let placed: Vec<NodeId> = now.iter().map(|stray| stray.node.id).collect();
            let level: Vec<u32> = now.drain(..).filter_map(|stray| self.place(stray, lost)).collect();
            self.descend(level, progress)?;
            now.extend(placed.iter().filter_map(|id| waiting.remove(id)).flatten());
        }
        Ok(())
    }

    /// Places one stray; returns its item if it is a directory to list.
    fn place(&mut self, stray: Stray, lost: &mut Option<u32>) -> Option<u32> {
        let Stray { node, parent, name } = stray;
        if self.is_reached(node.id) {
            return None;
        }
        let known = parent.and_then(|parent| self.directories.get(&parent).copied()).zip(name);
        let (dir, name) = match known {
            Some((dir, name)) if self.items[dir as usize].depth + 1 < MAX_DEPTH => (dir, name),
            _ => (self.lost_directory(lost)?, node.id.to_string().into_bytes()),
        };
        let item = self.push(dir, &name, node.id, node.kind, Trust::Renamed)?;
        self.note_reached(item).then_some(item)
    }

    fn lost_directory(&mut self, lost: &mut Option<u32>) -> Option<u32> {
        if lost.is_none() {
            let mut name = LOST.to_vec();
            while self.items[1..].iter().any(|item| item.parent == 0 && item.name(&self.names) == name) {
                name.push(b'_');
            }
            *lost = self.push(0, &name, LOST_ID, Kind::Directory, Trust::Intact);
        }
        *lost
    }

    /// Decides for each directory with several names which one stands: the one in the directory that its `..` says,
    /// else the first. The others are taken out.
    pub(super) fn settle(&mut self) {
        for rival in std::mem::take(&mut self.rivals) {
            let Item { id, parent, name_at, name_len, kind, trust, .. } = self.items[rival as usize];
            let Some(&kept) = self.directories.get(&id).filter(|_| kind == Kind::Directory) else { continue };
            let agrees = self.claims.get(&kept) == Some(&self.items[parent as usize].id);
            if agrees && !self.is_within(parent, kept) {
                self.claims.remove(&kept);
                let item = &mut self.items[kept as usize];
                (item.parent, item.name_at, item.name_len, item.trust) = (parent, name_at, name_len, trust);
            }
            // An item that is its own parent, and not the root, is in no directory.
            self.items[rival as usize].parent = rival;
        }
        for &item in self.claims.keys() {
            let trust = &mut self.items[item as usize].trust;
            *trust = Trust::Renamed.max(*trust);
        }
    }

    /// True if `item` is `dir` or below it, or too deep to tell.
    fn is_within(&self, item: u32, dir: u32) -> bool {
        let mut at = item;
        for _ in 0..MAX_DEPTH {
            let parent = self.items[at as usize].parent;
            // The root, and what was taken out, is its own parent.
            if at == dir || parent == at {
                return at == dir;
            }
            at = parent;
        }
        true
    }
}
