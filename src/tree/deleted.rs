//! The tree of what was deleted: [`Tree::of_deleted`].

use std::collections::HashMap;
use std::sync::Arc;

use super::build::{Builder, MAX_DEPTH};
use super::{ItemId, Tree};
use crate::fs::{FileSystem, Stray};
use crate::node::{Kind, Node, NodeId, Trust};

/// Name of the directory that deleted files are shown in.
pub const DELETED: &[u8] = b"#deleted";

impl Tree {
    /// What is left of deleted files, each under the path it had: below `living`, the tree of what is still there, and
    /// below directories deleted with it. What has no known place is under its number; of directories and of what has no
    /// contents, nothing is left to show then.
    pub fn of_deleted(fs: &Arc<dyn FileSystem>, living: &Tree, strays: &[Stray]) -> Tree {
        let directories = living
            .items()
            .filter(|item| living.kind(*item) == Kind::Directory)
            .map(|item| (living.id(item), item))
            .collect();
        let dead = strays.iter().filter(|stray| stray.node.kind == Kind::Directory);
        let mut planted = Planted {
            living,
            directories,
            dead: dead.map(|stray| (stray.node.id, stray)).collect(),
            builder: Builder::new(fs, fs.root()),
            ways: HashMap::from([(fs.root(), 0)]),
        };
        for stray in strays {
            planted.plant(stray);
        }
        planted.builder.finish()
    }
}

/// A tree growing along another.
struct Planted<'t> {
    living: &'t Tree,
    /// Its directories.
    directories: HashMap<NodeId, ItemId>,
    /// Directories that were deleted.
    dead: HashMap<NodeId, &'t Stray>,
    builder: Builder,
    /// The directories that stand already.
    ways: HashMap<NodeId, u32>,
}

impl Planted<'_> {
    fn plant(&mut self, stray: &Stray) {
        let Stray { node, parent, name } = stray;
        if node.kind == Kind::Directory {
            if self.above(node.id).is_some() {
                self.way(node.id);
            }
            return;
        }
        match parent.and_then(|parent| self.way(parent)).zip(name.as_deref()) {
            Some((dir, name)) => _ = self.builder.push(dir, name, node.id, node.kind, Trust::Journal),
            None if has_contents(node) => _ = self.push_by_number(node.id, node.kind),
            None => {}
        }
    }

    fn push_by_number(&mut self, id: NodeId, kind: Kind) -> Option<u32> {
        self.builder.push(0, id.to_string().as_bytes(), id, kind, Trust::Renamed)
    }

    /// A directory in the new tree, made with all above it where it is missing; `None` for one that is neither there nor
    /// among what was deleted.
    fn way(&mut self, dir: NodeId) -> Option<u32> {
        let (mut missing, mut at) = (Vec::new(), dir);
        let mut item = loop {
            if let Some(item) = self.ways.get(&at) {
                break *item;
            }
            // Names that lead round in a circle lead nowhere.
            let above = self.above(at).filter(|_| missing.len() < usize::from(MAX_DEPTH));
            let Some((parent, name, trust)) = above else {
                self.dead.get(&at)?;
                let item = self.push_by_number(at, Kind::Directory)?;
                self.ways.insert(at, item);
                break item;
            };
            missing.push((at, name, trust));
            at = parent;
        };
        for (dir, name, trust) in missing.into_iter().rev() {
            item = match self.ways.get(&dir) {
                Some(item) => *item,
                None => self.builder.push(item, &name, dir, Kind::Directory, trust)?,
            };
            self.ways.insert(dir, item);
        }
        Some(item)
    }

    /// What a directory is or was in, and its name there; `None` where that leads no further.
    fn above(&self, dir: NodeId) -> Option<(NodeId, Vec<u8>, Trust)> {
        if let Some(item) = self.directories.get(&dir) {
            let parent = self.living.id(self.living.parent(*item));
            return Some((parent, self.living.name(*item).to_vec(), Trust::Intact));
        }
        let stray = self.dead.get(&dir)?;
        let leads = |parent: &NodeId| self.directories.contains_key(parent) || self.dead.contains_key(parent);
        Some((stray.parent.filter(leads)?, stray.name.clone()?, Trust::Journal))
    }
}

/// True where a number alone is worth showing.
fn has_contents(node: &Node) -> bool {
    matches!(node.kind, Kind::File | Kind::Symlink) && node.size > 0
}
