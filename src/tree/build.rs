//! The walk: lists every directory once, level by level, in parallel, and checks each entry against its node.

use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use rayon::prelude::*;

use super::{Item, LOST_ID};
use crate::finding::Log;
use crate::fs::FileSystem;
use crate::node::{Entry, Kind, Node, NodeId, Trust};
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

/// Deeper than any path a kernel accepts (`PATH_MAX` over two bytes a component), against chains that damage makes.
pub(super) const MAX_DEPTH: u16 = 2048;

/// Nodes asked for at once.
pub(super) const CHUNK: usize = 8192;

/// A tree being built. Items may stand in any order; [`Builder::finish`] orders them.
pub(super) struct Builder {
    pub(super) fs: Arc<dyn FileSystem>,
    pub(super) items: Vec<Item>,
    pub(super) names: Vec<u8>,
    /// The item under which each directory was listed: the first that named it.
    pub(super) directories: HashMap<NodeId, u32>,
    /// Every other node an item names; `None` while entries are believed, and nobody asks.
    others: Option<HashSet<NodeId>>,
    /// Further names of directories, as far as entries say that they are some.
    pub(super) rivals: Vec<u32>,
    /// Directories whose `..` says another directory than the one that names them, and which.
    pub(super) claims: HashMap<u32, NodeId>,
    pub(super) log: Log,
    troubled: bool,
}

/// What listing one directory gave.
struct Listed {
    entries: Vec<Short>,
    /// The names, one after the other.
    names: Vec<u8>,
    log: Log,
    trust: Trust,
    /// What the directory says its parent is.
    parent: Option<NodeId>,
}

/// An entry without its name: of so many entries, each with a name of its own, memory is given back slowly.
struct Short {
    id: NodeId,
    kind: Option<Kind>,
    trust: Trust,
    name_len: usize,
}

impl Builder {
    /// A tree of nothing but its root.
    pub(super) fn new(fs: &Arc<dyn FileSystem>, start: NodeId) -> Self {
        let root = Item {
            id: start,
            parent: 0,
            name_at: 0,
            name_len: 0,
            depth: 0,
            kind: Kind::Directory,
            trust: Trust::Intact,
        };
        Builder {
            fs: fs.clone(),
            items: vec![root],
            names: Vec::new(),
            directories: HashMap::from([(start, 0)]),
            others: Some(HashSet::new()),
            rivals: Vec::new(),
            claims: HashMap::new(),
            log: Log::new(),
            troubled: false,
        }
    }

    /// Walks from `start`, as far as directories lead.
    pub(super) fn walk(fs: &Arc<dyn FileSystem>, start: NodeId, progress: &dyn Progress) -> Result<Self, SourceGone> {
        let mut builder = Builder::new(fs, start);
        progress.stage("reading directories", None, Unit::Items);
        builder.descend(vec![0], progress)?;
        Ok(builder)
    }

    /// True if the walk met damage that a salvage may mend.
    pub(super) fn is_troubled(&self) -> bool {
        self.troubled
    }

    /// Walks from `start` and believes every entry about the kind of its node.
    pub(super) fn believe(
        fs: &Arc<dyn FileSystem>,
        start: NodeId,
        progress: &dyn Progress,
    ) -> Result<Self, SourceGone> {
        let mut builder = Builder { others: None, ..Builder::new(fs, start) };
        progress.stage("reading directories", None, Unit::Items);
        builder.list_all(vec![0], progress)?;
        Ok(builder)
    }

    /// After [`Builder::believe`]: true if the walk met no damage and reached every node in use, and all are of the kind
    /// that their entries say.
    pub(super) fn is_borne_out(&self, progress: &dyn Progress) -> Result<bool, SourceGone> {
        if self.troubled {
            return Ok(false);
        }
        let mut named = Named::by(&self.items);
        if !self.fs.strays(&mut |id, kind| named.is_reached(id, kind), progress)?.is_empty() || self.fs.wants_salvage()
        {
            return Ok(false);
        }
        Ok(named.is_proved() || self.all_differing(0..self.items.len())?.is_empty())
    }

    pub(super) fn is_reached(&self, id: NodeId) -> bool {
        self.others.as_ref().is_some_and(|others| others.contains(&id)) || self.directories.contains_key(&id)
    }

    /// Lists the directories of `level` and all below, and compares all entries met with their nodes.
    pub(super) fn descend(&mut self, mut level: Vec<u32>, progress: &dyn Progress) -> Result<(), SourceGone> {
        let mut compared = self.items.len();
        while !level.is_empty() && !progress.interrupted() {
            self.list_all(level, progress)?;
            let met = compared..self.items.len();
            compared = self.items.len();
            level = self.compare_with_nodes(met)?;
        }
        Ok(())
    }

    /// Lists the directories of `level` and all below.
    fn list_all(&mut self, mut level: Vec<u32>, progress: &dyn Progress) -> Result<(), SourceGone> {
        while !level.is_empty() && !progress.interrupted() {
            level = self.list_level(level, progress)?;
        }
        Ok(())
    }

    /// Lists some directories; returns those found in them.
    fn list_level(&mut self, level: Vec<u32>, progress: &dyn Progress) -> Result<Vec<u32>, SourceGone> {
        let mut next = Vec::new();
        for part in level.chunks(CHUNK) {
            for (&dir, listed) in part.iter().zip(self.listed(part)?) {
                let Some(listed) = listed else {
                    self.troubled = true;
                    continue;
                };
                progress.advance(listed.entries.len() as u64);
                self.adopt(dir, listed, &mut next);
            }
        }
        Ok(next)
    }

    /// What some directories list, read in the order of their nodes; `None` for what is no directory.
    fn listed(&self, dirs: &[u32]) -> Result<Vec<Option<Listed>>, SourceGone> {
        let id = |dir: u32| self.items[dir as usize].id;
        let mut order: Vec<usize> = (0..dirs.len()).collect();
        order.sort_unstable_by_key(|&i| id(dirs[i]));
        let ids: Vec<NodeId> = order.iter().map(|&i| id(dirs[i])).collect();
        let nodes = self.fs.nodes(&ids)?;
        let read: Result<Vec<_>, _> = nodes.into_par_iter().map(|node| list(&*self.fs, node)).collect();
        let mut listed: Vec<Option<Listed>> = dirs.iter().map(|_| None).collect();
        for (i, it) in order.into_iter().zip(read?) {
            listed[i] = it;
        }
        Ok(listed)
    }

    /// Takes over what a directory lists, and notes which of it to list next.
    fn adopt(&mut self, dir: u32, listed: Listed, next: &mut Vec<u32>) {
        let Item { id, parent, depth, .. } = self.items[dir as usize];
        // A replayed journal is in order; only what is worse sends for a salvage.
        self.troubled |= listed.trust > Trust::Journal;
        self.log.merge(listed.log);
        let named_by = self.items[parent as usize].id;
        if let Some(claimed) = listed.parent.filter(|&claimed| claimed != named_by && claimed != id)
            && dir != 0
            && named_by != LOST_ID
        {
            self.troubled = true;
            self.claims.insert(dir, claimed);
        }
        let mut names = listed.names.as_slice();
        for entry in &listed.entries {
            let name = names.split_off(..entry.name_len).unwrap_or_default();
            let kind = entry.kind.unwrap_or(Kind::Unknown);
            if kind == Kind::Directory && depth + 1 >= MAX_DEPTH {
                // Not reached from here: it turns up again as a stray, nearer to the root.
                self.troubled = true;
                continue;
            }
            let Some(item) = self.push(dir, name, entry.id, kind, entry.trust) else { return };
            if self.note_reached(item) {
                next.push(item);
            }
        }
    }

    /// Adds an item; `None` only where there are four billion of them, or as many bytes of names.
    pub(super) fn push(&mut self, parent: u32, name: &[u8], id: NodeId, kind: Kind, trust: Trust) -> Option<u32> {
        let item = u32::try_from(self.items.len()).ok()?;
        let (name_at, name_len) = (u32::try_from(self.names.len()).ok()?, u16::try_from(name.len()).ok()?);
        let depth = self.items[parent as usize].depth.saturating_add(1);
        self.names.extend_from_slice(name);
        self.items.push(Item { id, parent, name_at, name_len, depth, kind, trust });
        Some(item)
    }

    /// Notes that an item names its node; true if that is a directory not listed yet.
    pub(super) fn note_reached(&mut self, item: u32) -> bool {
        let Item { id, kind, .. } = self.items[item as usize];
        if kind != Kind::Directory {
            self.others.as_mut().map(|others| others.insert(id));
            return false;
        }
        if self.directories.contains_key(&id) {
            self.troubled = true;
            self.rivals.push(item);
            return false;
        }
        self.directories.insert(id, item);
        true
    }

    /// Where an entry and its node disagree about the kind, the node is right. Returns the directories that entries
    /// called something else.
    fn compare_with_nodes(&mut self, items: Range<usize>) -> Result<Vec<u32>, SourceGone> {
        let mut unlisted = Vec::new();
        for (item, kind) in self.all_differing(items)? {
            self.troubled = true;
            let Some(kind) = kind else { continue };
            let Item { id, kind: was, .. } = self.items[item as usize];
            self.items[item as usize].kind = kind;
            if was == Kind::Directory && self.directories.get(&id) == Some(&item) {
                self.directories.remove(&id);
            }
            if self.note_reached(item) {
                unlisted.push(item);
            }
        }
        Ok(unlisted)
    }

    /// Those of a range of items whose node is not of the kind the entry says, or gone, in the order of the nodes.
    fn all_differing(&self, items: Range<usize>) -> Result<Vec<(u32, Option<Kind>)>, SourceGone> {
        let mut order: Vec<u32> = (items.start as u32..items.end as u32).collect();
        order.par_sort_unstable_by_key(|&item| self.items[item as usize].id);
        let differing: Result<Vec<_>, _> = order.par_chunks(CHUNK).map(|part| self.differing(part)).collect();
        Ok(differing?.into_iter().flatten().collect())
    }

    /// Those of some items whose node is not of the kind the entry says, or gone.
    fn differing(&self, items: &[u32]) -> Result<Vec<(u32, Option<Kind>)>, SourceGone> {
        let ids: Vec<NodeId> = items.iter().map(|&item| self.items[item as usize].id).collect();
        let nodes = self.fs.nodes(&ids)?;
        let kinds = nodes.iter().map(|node| node.as_ref().map(|node| node.kind));
        let differs = |&(item, kind): &(u32, Option<Kind>)| kind != Some(self.items[item as usize].kind);
        Ok(items.iter().copied().zip(kinds).filter(differs).collect())
    }
}

/// What the items of a tree say about nodes, to be compared with the nodes as they are met.
struct Named {
    /// Nodes and their kinds, in ascending order.
    nodes: Vec<(NodeId, Kind)>,
    /// How many of them were met, one after the other.
    proved: usize,
}

impl Named {
    fn by(items: &[Item]) -> Self {
        let mut nodes: Vec<(NodeId, Kind)> = items.par_iter().map(|item| (item.id, item.kind)).collect();
        nodes.par_sort_unstable();
        nodes.dedup();
        Named { nodes, proved: 0 }
    }

    /// True if an item names this node. Proves it where the kind is the same, and all before it are proved.
    fn is_reached(&mut self, id: NodeId, kind: Kind) -> bool {
        if self.nodes.get(self.proved) == Some(&(id, kind)) {
            self.proved += 1;
            return true;
        }
        self.nodes.binary_search_by_key(&id, |(id, _)| *id).is_ok()
    }

    fn is_proved(&self) -> bool {
        self.proved == self.nodes.len()
    }
}

/// Lists one directory; `None` for what is none.
fn list(fs: &dyn FileSystem, node: Option<Node>) -> Result<Option<Listed>, SourceGone> {
    let Some(node) = node.filter(|node| node.kind == Kind::Directory) else { return Ok(None) };
    let (mut entries, mut names) = (Vec::new(), Vec::new());
    let judged = fs.entries(&node, &mut |entry: Entry| {
        names.extend_from_slice(&entry.name);
        entries.push(Short { id: entry.id, kind: entry.kind, trust: entry.trust, name_len: entry.name.len() });
        ControlFlow::Continue(())
    })?;
    if judged.trust > Trust::Intact {
        (entries, names) = without_repeats(entries, &names);
    }
    ask_for_kinds(fs, &mut entries)?;
    let mut log = Log::new();
    log.extend(judged.findings);
    Ok(Some(Listed { entries, names, log, trust: judged.trust.max(node.trust), parent: fs.parent(&node)? }))
}

/// The entries without those that say the same again, as an older copy of one block does of what has moved to another.
fn without_repeats(entries: Vec<Short>, names: &[u8]) -> (Vec<Short>, Vec<u8>) {
    let (mut said, mut kept, mut left) = (HashSet::new(), Vec::with_capacity(entries.len()), names);
    let mut kept_names = Vec::with_capacity(names.len());
    for entry in entries {
        let name = left.split_off(..entry.name_len).unwrap_or_default();
        if said.insert((entry.id, name)) {
            kept_names.extend_from_slice(name);
            kept.push(entry);
        }
    }
    (kept, kept_names)
}

/// Fills in the kinds that the entries do not record, from the nodes.
fn ask_for_kinds(fs: &dyn FileSystem, entries: &mut [Short]) -> Result<(), SourceGone> {
    let mut unknown: Vec<&mut Short> = entries.iter_mut().filter(|entry| entry.kind.is_none()).collect();
    unknown.sort_unstable_by_key(|entry| entry.id);
    let ids: Vec<NodeId> = unknown.iter().map(|entry| entry.id).collect();
    for (entry, node) in unknown.into_iter().zip(fs.nodes(&ids)?) {
        entry.kind = node.map(|node| node.kind);
    }
    Ok(())
}
