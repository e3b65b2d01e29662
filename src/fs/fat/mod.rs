//! FAT12, FAT16 and FAT32.
//!
//! [`geometry`] says where everything lies, `dir` lists directories, `map` finds a file's bytes, `check` says what is
//! wrong, and `salvage` finds what damaged structures no longer lead to.
//!
//! Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03 (fatgen103).

mod check;
pub mod codes;
mod dir;
mod disk;
mod find;
pub mod geometry;
mod map;
mod name;
mod node;
mod open;
mod salvage;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{OnceLock, RwLock};

use once_cell::sync::OnceCell;

use self::dir::{Place, is_dot, is_dotdot};
use self::disk::ShortEntry;
use self::geometry::{Geometry, type_name};
use self::name::{Assembled, CodePage};
use self::salvage::Survey;
use super::cluster::{self, Cluster, Layout, Object, Runs, Table};
use super::search::Search;
use super::{Census, CheckReport, Driver, FileSystem, Stray, Summary};
use crate::bytes::{Span, Spans};
use crate::finding::{Finding, Log};
use crate::node::{Entry, Judged, Kind, Mapping, Node, NodeId, Trust, Xattr};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, read_whole};

/// The FAT driver.
pub const DRIVER: Driver = Driver {
    name: "fat",
    codes: codes::TABLE,
    sniff: open::sniff,
    spare: find::spare,
    search: Search::of::<find::Headers>(),
    open: open::open,
    // Its headers are at the start alone, where the other filesystem's are now.
    beneath: |_, _, _| Ok(None),
};

/// An opened FAT volume.
pub struct Fat {
    source: Source,
    geometry: Geometry,
    table: Table,
    page: CodePage,
    utc_offset: i32,
    log: Log,
    decisions: Vec<String>,
    /// For each directory's first cluster, the place of the entry that leads to it: the lowest of those met so far.
    leads: RwLock<HashMap<u32, u64>>,
    survey: OnceCell<Survey>,
    /// Directories whose chain is broken, and the clusters they were pieced together from.
    pieced: OnceLock<HashMap<Cluster, Runs>>,
}

impl Fat {
    fn layout(&self) -> &Layout {
        &self.geometry.layout
    }

    fn first_cluster(&self, entry: &ShortEntry) -> u32 {
        entry.first_cluster(self.geometry.is_fat32())
    }

    /// The short entry at a place of the volume; `None` where it can not be read.
    fn entry_at(&self, offset: u64) -> Result<Option<ShortEntry>, SourceGone> {
        Ok(read_whole(&*self.source, offset, disk::ENTRY)?.map(|bytes| ShortEntry::decode(&bytes)))
    }

    /// The clusters that a directory was pieced together from.
    fn pieced(&self, start: Cluster) -> Option<&Runs> {
        self.pieced.get()?.get(&start)
    }

    /// What an entry of a directory leads to.
    fn object_of(&self, offset: u64, entry: &ShortEntry) -> Object {
        if !entry.is_directory() {
            return Object::Entry(offset);
        }
        match self.layout().cluster(self.first_cluster(entry)) {
            Some(start) => self.directory_at(start),
            None => Object::Entry(offset),
        }
    }

    fn directory_at(&self, start: Cluster) -> Object {
        match self.geometry.root {
            geometry::Root::Chain(root) if root == start.number() => Object::Root,
            _ => Object::Directory(self.layout().offset(start)),
        }
    }

    /// Where a directory lies.
    fn place_of(&self, id: NodeId) -> Option<Place> {
        match Object::of(id) {
            Object::Root => self.root_place(),
            Object::Directory(offset) => self.layout().holding(offset).map(Place::Chain),
            Object::Entry(_) | Object::Chain(_) => None,
        }
    }

    /// Remembers which entry leads to a directory.
    fn learn(&self, offset: u64, entry: &ShortEntry) {
        if entry.is_directory() {
            let start = self.first_cluster(entry);
            // A poisoned lock means that a thread panicked while it held the map, whose entries are whole at any time.
            let mut leads = self.leads.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            leads.entry(start).and_modify(|known| *known = offset.min(*known)).or_insert(offset);
        }
    }

    /// The place of the entry that leads to the directory at a cluster.
    fn lead_to(&self, start: Cluster) -> Option<u64> {
        let leads = self.leads.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        leads.get(&start.number()).copied()
    }

    /// The name that users see.
    fn name_of(&self, long: &Assembled, entry: &ShortEntry) -> Vec<u8> {
        match long {
            Assembled::Whole(long) => name::component(long),
            _ => name::component(&name::short_name(entry, self.page)),
        }
    }
}

impl FileSystem for Fat {
    fn driver(&self) -> &'static Driver {
        &DRIVER
    }

    fn summary(&self) -> Summary {
        let layout = self.layout();
        let free = self.free_clusters().unwrap_or_default();
        Summary {
            kind: "vfat",
            label: self.label(),
            uuid: self.geometry.serial.map(open::serial_text),
            block_size: layout.cluster_size(),
            size: self.geometry.size,
            used: free.map(|free| u64::from(layout.count().saturating_sub(free)) * layout.cluster_size()),
            inodes: None,
            state: self.state(),
            features: vec![type_name(self.geometry.width).to_owned()],
            last_mounted: None,
            decisions: self.decisions.clone(),
        }
    }

    fn log(&self) -> Log {
        self.log.clone()
    }

    fn written(&self) -> Result<Option<Spans>, SourceGone> {
        let layout = self.layout();
        let mut spans: Spans = [Span { start: 0, end: layout.heap() }].into_iter().collect();
        for cluster in layout.clusters() {
            if self.table.links(cluster)?.is_used() {
                spans.insert(layout.span(cluster));
            }
        }
        Ok(Some(spans))
    }

    fn source(&self, member: u16) -> Option<&Source> {
        (member == 0).then_some(&self.source)
    }

    fn root(&self) -> NodeId {
        Object::Root.id()
    }

    fn node(&self, id: NodeId) -> Result<Option<Node>, SourceGone> {
        self.read_node(id, &mut |offset| self.entry_at(offset))
    }

    fn nodes(&self, ids: &[NodeId]) -> Result<Vec<Option<Node>>, SourceGone> {
        self.nodes_of(ids)
    }

    fn entries(&self, dir: &Node, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<Judged<()>, SourceGone> {
        let Some(place) = self.place_of(dir.id) else {
            return Ok(Judged { value: (), trust: Trust::Partial, findings: Vec::new() });
        };
        let mut names: Vec<Finding> = Vec::new();
        let walked = self.walk(place, &mut |slot| {
            let entry = &slot.entry;
            if entry.is_deleted() || entry.is_label() || is_dot(entry) || is_dotdot(entry) {
                return ControlFlow::Continue(());
            }
            self.learn(slot.offset, entry);
            names.extend(node::judge_long_name(&slot));
            let kind = if entry.is_directory() { Kind::Directory } else { Kind::File };
            let trust = match slot.long {
                Assembled::Foreign | Assembled::Broken => Trust::Renamed,
                _ => Trust::Intact,
            };
            let name = self.name_of(&slot.long, entry);
            visit(Entry { name, id: self.object_of(slot.offset, entry).id(), kind: Some(kind), trust })
        })?;
        let mut findings = walked.findings;
        findings.extend(names);
        Ok(Judged { value: (), trust: walked.trust, findings })
    }

    fn parent(&self, dir: &Node) -> Result<Option<NodeId>, SourceGone> {
        let Some(Place::Chain(start)) = self.place_of(dir.id) else { return Ok(None) };
        if dir.id == self.root() {
            return Ok(None);
        }
        Ok(self.dotdot(start)?.map(|object| object.id()))
    }

    fn lookup(&self, dir: &Node, name: &[u8]) -> Result<Option<Entry>, SourceGone> {
        cluster::lookup(self, dir, name)
    }

    fn mapping(&self, node: &Node) -> Result<Mapping, SourceGone> {
        self.map(node)
    }

    fn xattrs(&self, _node: &Node) -> Result<Judged<Vec<Xattr>>, SourceGone> {
        Ok(Judged::default())
    }

    fn details(&self, node: &Node) -> Result<Vec<(&'static str, String)>, SourceGone> {
        self.entry_details(node.id)
    }

    fn census(
        &self,
        which: Census,
        _progress: &dyn Progress,
        visit: &mut dyn FnMut(Node) -> ControlFlow<()>,
    ) -> Result<(), SourceGone> {
        self.count(which, visit)
    }

    fn deleted(&self, _progress: &dyn Progress) -> Result<Vec<Stray>, SourceGone> {
        self.find_deleted()
    }

    fn salvage(&self, _progress: &dyn Progress) -> Result<(), SourceGone> {
        self.survey().map(drop)
    }

    fn strays(
        &self,
        reached: &mut dyn FnMut(NodeId, Kind) -> bool,
        _: &dyn Progress,
    ) -> Result<Vec<Stray>, SourceGone> {
        self.find_strays(reached)
    }

    fn check(&self, progress: &dyn Progress) -> Result<CheckReport, SourceGone> {
        check::check(self, progress)
    }
}
