//! The tree of a filesystem: paths, hard links, loops, and what no directory names any more. Over any [`FileSystem`].
//!
//! [`Tree::whole`] walks from the root, then counts the nodes in use against those reached. Where something is missing
//! it has the filesystem search for it ([`FileSystem::salvage`]) and walks again; what still has no name is placed
//! under `#lost`, with its subtree.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use crate::finding::Log;
use crate::fs::{FileSystem, Stray};
use crate::node::{Entry, Kind, Node, NodeId, Trust};
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

/// Name of the directory, below the root, of what has no known name.
pub const LOST: &[u8] = b"#lost";

/// Number of the directory [`LOST`], which is on no disk.
const LOST_ID: NodeId = NodeId(u64::MAX);

/// Deeper than any path a kernel accepts (`PATH_MAX` over two bytes a component), against chains that damage makes.
const MAX_DEPTH: u16 = 2048;

/// An item of a tree: one path. Hard links are several items with one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ItemId(u32);

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

/// All paths of a filesystem, or of the part below one directory.
pub struct Tree {
    fs: Arc<dyn FileSystem>,
    items: Vec<Item>,
    names: Vec<u8>,
    /// Items sorted by parent, and where each parent's begin.
    children: Vec<u32>,
    first_child: Vec<u32>,
    log: Log,
}

impl Tree {
    /// The whole tree, salvaged where it is damaged.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn whole(fs: Arc<dyn FileSystem>, progress: &dyn Progress) -> Result<Self, SourceGone> {
        let first = Builder::walk(&fs, fs.root(), progress)?;
        if !first.is_troubled(&fs, progress)? {
            return Ok(first.finish());
        }
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
        let missing = built.troubled || built.has_dangling(&fs)?;
        Ok((!missing).then(|| built.finish()))
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

    /// Every item, parents before their children.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = ItemId> + ExactSizeIterator + use<> {
        (0..self.items.len() as u32).map(ItemId)
    }

    /// The items of a directory, in the order of the disk.
    pub fn children(&self, dir: ItemId) -> impl DoubleEndedIterator<Item = ItemId> + ExactSizeIterator + '_ {
        let range = self.first_child[dir.0 as usize] as usize..self.first_child[dir.0 as usize + 1] as usize;
        self.children[range].iter().map(|&item| ItemId(item))
    }

    /// The node an item names.
    pub fn id(&self, item: ItemId) -> NodeId {
        self.items[item.0 as usize].id
    }

    /// The kind its entry records, or its node where the entry records none.
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

    /// Its name; empty for the root.
    pub fn name(&self, item: ItemId) -> &[u8] {
        let Item { name_at, name_len, .. } = self.items[item.0 as usize];
        &self.names[name_at as usize..name_at as usize + name_len as usize]
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

/// What listing one directory gave.
struct Listed {
    entries: Vec<Entry>,
    log: Log,
    trust: Trust,
    /// What the directory says its parent is.
    parent: Option<NodeId>,
    is_directory: bool,
}

struct Builder {
    fs: Arc<dyn FileSystem>,
    items: Vec<Item>,
    names: Vec<u8>,
    reached: HashSet<NodeId>,
    log: Log,
    troubled: bool,
    /// Directories named by one that is not the parent they claim; taken where no better place turns up.
    deferred: Vec<u32>,
}

impl Builder {
    fn walk(fs: &Arc<dyn FileSystem>, start: NodeId, progress: &dyn Progress) -> Result<Self, SourceGone> {
        let root = Item {
            id: start,
            parent: 0,
            name_at: 0,
            name_len: 0,
            depth: 0,
            kind: Kind::Directory,
            trust: Trust::Intact,
        };
        let mut builder = Builder {
            fs: fs.clone(),
            items: vec![root],
            names: Vec::new(),
            reached: HashSet::from([start]),
            log: Log::new(),
            troubled: false,
            deferred: Vec::new(),
        };
        progress.stage("reading directories", None, Unit::Items);
        builder.descend(vec![0], progress)?;
        Ok(builder)
    }

    /// Lists directories, level by level, until there are none left below `level`.
    fn descend(&mut self, mut level: Vec<u32>, progress: &dyn Progress) -> Result<(), SourceGone> {
        loop {
            while !level.is_empty() && !progress.interrupted() {
                let ids: Vec<NodeId> = level.iter().map(|&item| self.items[item as usize].id).collect();
                let nodes = self.fs.nodes(&ids)?;
                let fs = self.fs.clone();
                let listed: Result<Vec<Listed>, SourceGone> =
                    nodes.into_par_iter().map(|node| list(&*fs, node)).collect();
                let mut next = Vec::new();
                for (item, listed) in level.into_iter().zip(listed?) {
                    progress.advance(listed.entries.len() as u64);
                    self.adopt(item, listed, &mut next);
                }
                level = next;
            }
            // Nothing better turned up for these: the first claim stands.
            while let Some(item) = self.deferred.pop() {
                if self.reached.insert(self.items[item as usize].id) {
                    level.push(item);
                    break;
                }
                self.drop_item(item);
            }
            if level.is_empty() {
                return Ok(());
            }
        }
    }

    /// Takes over what a directory lists, and notes which of it to list next.
    fn adopt(&mut self, dir: u32, listed: Listed, next: &mut Vec<u32>) {
        let Item { id, parent, depth, .. } = self.items[dir as usize];
        self.log.merge(listed.log);
        self.troubled |= listed.trust > Trust::Intact || !listed.is_directory;
        let named_by = self.items[parent as usize].id;
        let elsewhere = listed.parent.is_some_and(|claimed| claimed != named_by && claimed != id);
        if dir != 0 && elsewhere && self.items[dir as usize].trust == Trust::Intact && named_by != LOST_ID {
            // Two directories name it, or its `..` is damaged: wait whether the one it claims names it too.
            self.troubled = true;
            self.reached.remove(&id);
            self.items[dir as usize].trust = Trust::Renamed;
            self.deferred.insert(0, dir);
            return;
        }
        let mut seen: HashMap<&[u8], ()> = HashMap::new();
        for entry in &listed.entries {
            let twin = seen.insert(&entry.name, ()).is_some();
            self.troubled |= twin;
            let child = if twin {
                let mut name = entry.name.clone();
                name.extend_from_slice(format!("#{}", entry.id).as_bytes());
                self.push(dir, &name, entry.id, entry.kind, entry.trust.max(Trust::Renamed), depth + 1)
            } else {
                self.push(dir, &entry.name, entry.id, entry.kind, entry.trust, depth + 1)
            };
            let Some(child) = child else { continue };
            if self.items[child as usize].kind != Kind::Directory {
                self.reached.insert(entry.id);
            } else if depth + 1 >= MAX_DEPTH || !self.reached.insert(entry.id) {
                // A second name of a directory is damage; the first, or the one its `..` agrees with, is kept.
                self.troubled = true;
                self.drop_item(child);
            } else {
                next.push(child);
            }
        }
    }

    fn push(
        &mut self,
        parent: u32,
        name: &[u8],
        id: NodeId,
        kind: Option<Kind>,
        trust: Trust,
        depth: u16,
    ) -> Option<u32> {
        let item = u32::try_from(self.items.len()).ok()?;
        let (name_at, name_len) = (u32::try_from(self.names.len()).ok()?, u16::try_from(name.len()).ok()?);
        self.names.extend_from_slice(name);
        let kind = kind.or_else(|| Some(self.fs.node(id).ok()??.kind)).unwrap_or(Kind::Unknown);
        self.items.push(Item { id, parent, name_at, name_len, depth, kind, trust });
        Some(item)
    }

    /// Takes back the item pushed last, or hides one that was pushed earlier.
    fn drop_item(&mut self, item: u32) {
        // An item that is its own parent and not the root is in no directory.
        self.items[item as usize].parent = item;
    }

    fn has_dangling(&self, fs: &Arc<dyn FileSystem>) -> Result<bool, SourceGone> {
        let mut ids: Vec<NodeId> = self.items.iter().map(|item| item.id).collect();
        ids.sort_unstable();
        ids.dedup();
        for chunk in ids.chunks(8192) {
            if fs.nodes(chunk)?.iter().any(Option::is_none) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// True if the walk met damage, or the nodes in use are not those reached.
    fn is_troubled(&self, fs: &Arc<dyn FileSystem>, progress: &dyn Progress) -> Result<bool, SourceGone> {
        if self.troubled {
            return Ok(true);
        }
        if !fs.strays(&|id| self.reached.contains(&id), progress)?.is_empty() {
            return Ok(true);
        }
        self.has_dangling(fs)
    }

    fn place_strays(&mut self, progress: &dyn Progress) -> Result<(), SourceGone> {
        let strays = self.fs.strays(&|id| self.reached.contains(&id), progress)?;
        if strays.is_empty() {
            return Ok(());
        }
        let item_of: HashMap<NodeId, u32> = (0..self.items.len() as u32)
            .filter(|&i| self.items[i as usize].kind == Kind::Directory)
            .map(|i| (self.items[i as usize].id, i))
            .collect();
        let (directories, others): (Vec<Stray>, Vec<Stray>) =
            strays.into_iter().partition(|stray| stray.node.kind == Kind::Directory);
        let among: HashSet<NodeId> = directories.iter().map(|stray| stray.node.id).collect();
        // Those whose parent is lost too come last: by then their parent has mostly named them.
        let (inner, outer): (Vec<Stray>, Vec<Stray>) =
            directories.into_iter().partition(|s| s.parent.is_some_and(|p| p != s.node.id && among.contains(&p)));
        let mut lost = None;
        let mut level = Vec::new();
        for stray in outer {
            level.extend(self.place(stray, &item_of, &mut lost));
        }
        self.descend(level, progress)?;
        for stray in inner.into_iter().chain(others) {
            let level = self.place(stray, &item_of, &mut lost).into_iter().collect();
            self.descend(level, progress)?;
        }
        Ok(())
    }

    /// Places a stray where it belongs, or under `#lost`; returns the item if it is a directory to list.
    fn place(&mut self, stray: Stray, item_of: &HashMap<NodeId, u32>, lost: &mut Option<u32>) -> Option<u32> {
        let Stray { node, parent, name } = stray;
        if !self.reached.insert(node.id) {
            return None;
        }
        let known = parent.and_then(|parent| item_of.get(&parent)).zip(name);
        let (dir, name) = match known {
            Some((&dir, name)) => (dir, name),
            None => (*lost.get_or_insert_with(|| self.lost_directory()), node.id.to_string().into_bytes()),
        };
        let depth = self.items[dir as usize].depth + 1;
        let item = self.push(dir, &name, node.id, Some(node.kind), Trust::Renamed, depth)?;
        (node.kind == Kind::Directory && depth < MAX_DEPTH).then_some(item)
    }

    fn lost_directory(&mut self) -> u32 {
        let taken = |name: &[u8]| {
            self.items.iter().skip(1).any(|item| {
                item.parent == 0
                    && &self.names[item.name_at as usize..item.name_at as usize + item.name_len as usize] == name
            })
        };
        let mut name = LOST.to_vec();
        while taken(&name) {
            name.push(b'_');
        }
        // Only a tree of four billion items has no room for one more.
        self.push(0, &name, LOST_ID, Some(Kind::Directory), Trust::Intact, 1).unwrap_or(0)
    }

    fn finish(mut self) -> Tree {
        self.sweep_dropped();
        let n = self.items.len();
        let mut first_child = vec![0u32; n + 1];
        for item in &self.items[1..] {
            first_child[item.parent as usize + 1] += 1;
        }
        for i in 0..n {
            first_child[i + 1] += first_child[i];
        }
        let mut at = first_child.clone();
        let mut children = vec![0u32; n - 1];
        for (i, item) in self.items.iter().enumerate().skip(1) {
            let slot = &mut at[item.parent as usize];
            children[*slot as usize] = i as u32;
            *slot += 1;
        }
        Tree { fs: self.fs, items: self.items, names: self.names, children, first_child, log: self.log }
    }

    /// Removes the items that [`Builder::drop_item`] hid, keeping the order of the others.
    fn sweep_dropped(&mut self) {
        let mut moved = vec![u32::MAX; self.items.len()];
        let mut kept: Vec<Item> = Vec::with_capacity(self.items.len());
        for (i, mut item) in std::mem::take(&mut self.items).into_iter().enumerate() {
            // Parents stand before their children, so theirs is known; a dropped one takes its subtree along.
            let parent = if i == 0 { 0 } else { moved[item.parent as usize] };
            if i != 0 && (item.parent as usize == i || parent == u32::MAX) {
                continue;
            }
            item.parent = parent;
            moved[i] = kept.len() as u32;
            kept.push(item);
        }
        self.items = kept;
    }
}

fn list(fs: &dyn FileSystem, node: Option<Node>) -> Result<Listed, SourceGone> {
    let mut listed =
        Listed { entries: Vec::new(), log: Log::new(), trust: Trust::Intact, parent: None, is_directory: false };
    let Some(node) = node.filter(|node| node.kind == Kind::Directory) else { return Ok(listed) };
    listed.is_directory = true;
    listed.parent = fs.parent(&node)?;
    let judged = fs.entries(&node, &mut |entry| {
        listed.entries.push(entry);
        ControlFlow::Continue(())
    })?;
    listed.trust = judged.trust.max(node.trust);
    listed.log.extend(judged.findings);
    Ok(listed)
}
