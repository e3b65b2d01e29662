//! The tree of a filesystem: paths, hard links, loops, and what no directory names any more. Over any [`FileSystem`].
//!
//! [`Tree::whole`] walks from the root, then compares the nodes in use with those reached. Where something is missing it
//! has the filesystem search for it ([`FileSystem::salvage`]) and walks again; what still has no name is placed
//! under `#lost`, with its subtree.

mod build;
mod deleted;
mod finish;
mod names;
mod settle;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use crate::finding::Log;
use crate::fs::FileSystem;
use crate::node::{Kind, Node, NodeId, Trust};
use crate::progress::Progress;
use crate::source::SourceGone;

use build::Builder;

pub use deleted::DELETED;

/// Name of the directory, below the root, of what has no known name.
pub const LOST: &[u8] = b"#lost";

/// Number of the directory [`LOST`], which is on no disk.
const LOST_ID: NodeId = NodeId(u64::MAX);

/// An item of a tree: one path. Hard links are several items with one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ItemId(u32);

impl ItemId {
    /// Its number: the root's is 0, and every number up to [`Tree::len`] is an item.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The root of every tree.
pub const ROOT: ItemId = ItemId(0);

#[derive(Clone, Copy)]
struct Item {
    id: NodeId,
    parent: u32,
    name_at: u32,
    name_len: u16,
    depth: u16,
    kind: Kind,
    trust: Trust,
}

impl Item {
    fn name<'n>(&self, names: &'n [u8]) -> &'n [u8] {
        &names[self.name_at as usize..self.name_at as usize + self.name_len as usize]
    }
}

/// All paths of a filesystem, or of the part below one directory.
pub struct Tree {
    fs: Arc<dyn FileSystem>,
    /// Level by level: the items of a directory stand together, in the order of their directories.
    items: Vec<Item>,
    names: Vec<u8>,
    /// Where each item's own items begin; one more than there are items.
    first_child: Vec<u32>,
    /// The items again, those of each directory ordered by their names.
    by_name: Vec<u32>,
    log: Log,
}

impl Tree {
    /// The whole tree, salvaged where it is damaged.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn whole(fs: Arc<dyn FileSystem>, progress: &dyn Progress) -> Result<Self, SourceGone> {
        let believing = Builder::believe(&fs, fs.root(), progress)?;
        if believing.is_borne_out(progress)? {
            return Ok(believing.finish());
        }
        drop(believing);
        fs.salvage(progress)?;
        let mut again = Builder::walk(&fs, fs.root(), progress)?;
        again.place_strays(progress)?;
        Ok(again.finish())
    }

    /// The tree below one directory, as far as undamaged directories lead; `None` where they do not and
    /// [`Tree::whole`] may find more.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn below(fs: Arc<dyn FileSystem>, start: NodeId, progress: &dyn Progress) -> Result<Option<Self>, SourceGone> {
        let built = Builder::walk(&fs, start, progress)?;
        Ok((!built.is_troubled()).then(|| built.finish()))
    }

    /// The filesystem it is of.
    pub fn fs(&self) -> &Arc<dyn FileSystem> {
        &self.fs
    }

    /// Number of items, the root among them.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Never true: there is always a root.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Every item, level by level: parents before their children.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = ItemId> + ExactSizeIterator + use<> {
        (0..self.items.len() as u32).map(ItemId)
    }

    /// The items of a directory, in the order of the disk.
    pub fn children(&self, dir: ItemId) -> impl DoubleEndedIterator<Item = ItemId> + ExactSizeIterator + use<> {
        let at = dir.0 as usize;
        (self.first_child[at]..self.first_child[at + 1]).map(ItemId)
    }

    /// The items of a directory, in the order of their names.
    pub fn by_name(&self, dir: ItemId) -> impl DoubleEndedIterator<Item = ItemId> + ExactSizeIterator {
        self.by_name[self.children_of(dir.0)].iter().copied().map(ItemId)
    }

    /// Where a directory's items stand.
    fn children_of(&self, dir: u32) -> Range<usize> {
        self.first_child[dir as usize] as usize..self.first_child[dir as usize + 1] as usize
    }

    /// The node an item names.
    pub fn id(&self, item: ItemId) -> NodeId {
        self.items[item.0 as usize].id
    }

    /// The kind its node has; the one its entry records where no node is left.
    pub fn kind(&self, item: ItemId) -> Kind {
        self.items[item.0 as usize].kind
    }

    /// How its name and place were come by. The node's own trust is not in it.
    pub fn trust(&self, item: ItemId) -> Trust {
        self.items[item.0 as usize].trust
    }

    /// The directory it is in; the root is in itself.
    pub fn parent(&self, item: ItemId) -> ItemId {
        ItemId(self.items[item.0 as usize].parent)
    }

    /// Its name; empty for the root. No two items of a directory have the same.
    pub fn name(&self, item: ItemId) -> &[u8] {
        self.items[item.0 as usize].name(&self.names)
    }

    /// Its path below the start of the tree, without a leading slash; empty for the root.
    pub fn path(&self, item: ItemId) -> Vec<u8> {
        let (mut names, mut at) = (Vec::new(), item);
        while at != ROOT {
            names.push(self.name(at));
            at = self.parent(at);
        }
        names.reverse();
        names.join(&b'/')
    }

    /// The item of a path below the start of the tree. Empty components and `.` are skipped, links are not followed.
    pub fn find(&self, path: &[u8]) -> Option<ItemId> {
        path.split(|&b| b == b'/')
            .filter(|name| !name.is_empty() && *name != b".")
            .try_fold(ROOT, |dir, name| self.children(dir).find(|&child| self.name(child) == name))
    }

    /// The nodes of many items at once, in the order asked; `None` for the directory of what is lost and for entries
    /// of which no node is left.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn nodes(&self, items: &[ItemId]) -> Result<Vec<Option<Node>>, SourceGone> {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&i| self.id(items[i]));
        let ids: Vec<NodeId> = order.iter().map(|&i| self.id(items[i])).collect();
        let mut nodes = vec![None; items.len()];
        for (i, node) in order.into_iter().zip(self.fs.nodes(&ids)?) {
            nodes[i] = node;
        }
        Ok(nodes)
    }

    /// True for the directory, made by us, of what has no known name.
    pub fn is_lost_directory(&self, item: ItemId) -> bool {
        self.id(item) == LOST_ID
    }

    /// What was found wrong with directories on the way.
    pub fn log(&self) -> &Log {
        &self.log
    }
}
