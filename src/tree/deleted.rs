//! The tree of what was deleted: [`Tree::of_deleted`].

use std::collections::HashMap;
use std::sync::Arc;

use super::build::Builder;
use super::{ItemId, ROOT, Tree};
use crate::fs::{FileSystem, Stray};
use crate::node::{Kind, NodeId, Trust};

/// Name of the directory that deleted files are shown in.
pub const DELETED: &[u8] = b"#deleted";

impl Tree {
    /// What is left of deleted files, each under the path it had as far as `living`, the tree of what is still there,
    /// has the directory; else under its number. Of directories and of what has no contents nothing is left to show.
    pub fn of_deleted(fs: &Arc<dyn FileSystem>, living: &Tree, strays: Vec<Stray>) -> Tree {
        let directories: HashMap<NodeId, ItemId> = living
            .items()
            .filter(|item| living.kind(*item) == Kind::Directory)
            .map(|item| (living.id(item), item))
            .collect();
        let mut planted = Planted { living, builder: Builder::new(fs, fs.root()), ways: HashMap::from([(ROOT, 0)]) };
        for Stray { node, parent, name } in strays {
            if !matches!(node.kind, Kind::File | Kind::Symlink) || node.size == 0 {
                continue;
            }
            let known = parent.and_then(|parent| directories.get(&parent).copied()).zip(name);
            let (dir, name, trust) = match known {
                Some((dir, name)) => (planted.way(dir), name, Trust::Journal),
                None => (Some(0), node.id.to_string().into_bytes(), Trust::Renamed),
            };
            let Some(dir) = dir else { continue };
            planted.builder.push(dir, &name, node.id, node.kind, trust);
        }
        planted.builder.finish()
    }
}

/// A tree growing along another.
struct Planted<'t> {
    living: &'t Tree,
    builder: Builder,
    /// The directories that stand already.
    ways: HashMap<ItemId, u32>,
}

impl Planted<'_> {
    /// The same directory in the new tree, made with all above it where it is missing.
    fn way(&mut self, dir: ItemId) -> Option<u32> {
        let mut missing = Vec::new();
        let mut at = dir;
        while !self.ways.contains_key(&at) {
            missing.push(at);
            at = self.living.parent(at);
        }
        let mut item = self.ways[&at];
        for dir in missing.into_iter().rev() {
            let (name, id) = (self.living.name(dir).to_vec(), self.living.id(dir));
            item = self.builder.push(item, &name, id, Kind::Directory, Trust::Intact)?;
            self.ways.insert(dir, item);
        }
        Some(item)
    }
}
