//! exFAT.
//!
//! [`geometry`] says where everything lies, `dir` lists directories, `map` finds a file's bytes, `check` says what is
//! wrong, and `salvage` finds what damaged structures no longer lead to.
//!
//! Source: Microsoft, "exFAT file system specification".

mod check;
pub mod codes;
mod dir;
mod disk;
mod find;
pub mod geometry;
mod map;
mod node;
mod open;
mod salvage;
mod upcase;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{OnceLock, PoisonError, RwLock};

use once_cell::sync::OnceCell;

use self::dir::{Item, Set};
use self::geometry::Geometry;
use self::salvage::Survey;
use super::cluster::{self, Cluster, ClusterSet, Layout, Object, Runs, Table};
use super::search::Search;
use super::{Census, CheckReport, Driver, FileSystem, Stray, Summary};
use crate::finding::Log;
use crate::node::{Entry, Judged, Kind, Mapping, Node, NodeId, Trust, Xattr};
use crate::progress::Progress;
use crate::source::{Source, SourceGone};

/// The exFAT driver.
pub const DRIVER: Driver = Driver {
    name: "exfat",
    codes: codes::TABLE,
    sniff: open::sniff,
    spare: find::spare,
    search: Search::of::<find::Headers>(),
    open: open::open,
    // Its headers are at the start alone, where the other filesystem's are now.
    beneath: |_, _, _| Ok(None),
};

/// Where an entry says that a file's clusters lie.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Lead {
    /// Byte offset of the set's first entry.
    offset: u64,
    /// Byte offset of its stream entry.
    stream_offset: u64,
    /// The clusters lie behind each other.
    contiguous: bool,
    /// Bytes.
    size: u64,
}

/// An opened exFAT volume.
pub struct Exfat {
    source: Source,
    geometry: Geometry,
    table: Table,
    utc_offset: i32,
    log: Log,
    decisions: Vec<String>,
    label: Option<Vec<u8>>,
    /// Clusters in use; `None` where the bitmap can not be read.
    bitmap: Option<ClusterSet>,
    /// For each directory's first cluster, the set that leads to it: the first on the disk of those met so far.
    leads: RwLock<HashMap<u32, Lead>>,
    /// Stream entries that do not stand right behind their file entry, where a directory's clusters part them.
    seams: RwLock<HashMap<u64, u64>>,
    survey: OnceCell<Survey>,
    /// Directories whose chain is broken, and the clusters they were pieced together from.
    pieced: OnceLock<HashMap<Cluster, Runs>>,
}

impl Exfat {
    fn layout(&self) -> &Layout {
        &self.geometry.layout
    }

    fn directory_at(&self, start: Cluster) -> Object {
        if self.geometry.root == start.number() { Object::Root } else { Object::Directory(self.layout().offset(start)) }
    }

    /// What a set of entries leads to.
    fn object_of(&self, set: &Set) -> Object {
        match self.layout().cluster(set.stream.FirstCluster.get()) {
            Some(start) if set.is_directory() => self.directory_at(start),
            _ => Object::Entry(set.offset),
        }
    }

    /// Remembers where a set leads to, and where its stream entry lies.
    fn learn(&self, set: &Set) {
        self.learn_seam(set);
        if set.is_directory() {
            let lead = Lead {
                offset: set.offset,
                stream_offset: set.stream_offset,
                contiguous: map::is_contiguous(&set.stream),
                size: set.stream.DataLength.get(),
            };
            let mut leads = self.leads.write().unwrap_or_else(PoisonError::into_inner);
            let known = leads.entry(set.stream.FirstCluster.get()).or_insert(lead);
            *known = lead.min(*known);
        }
    }

    fn learn_seam(&self, set: &Set) {
        if set.stream_offset != set.offset && set.stream_offset != set.offset + disk::ENTRY as u64 {
            // A poisoned lock means that a thread panicked while it held the map, whose entries are whole at any time.
            self.seams.write().unwrap_or_else(PoisonError::into_inner).insert(set.offset, set.stream_offset);
        }
    }

    fn lead_to(&self, start: Cluster) -> Option<Lead> {
        self.leads.read().unwrap_or_else(PoisonError::into_inner).get(&start.number()).copied()
    }

    fn seam(&self, offset: u64) -> Option<u64> {
        self.seams.read().unwrap_or_else(PoisonError::into_inner).get(&offset).copied()
    }
}

impl FileSystem for Exfat {
    fn driver(&self) -> &'static Driver {
        &DRIVER
    }

    fn summary(&self) -> Summary {
        let flags = self.geometry.flags;
        let mut state = Vec::new();
        if flags & disk::VOLUME_DIRTY != 0 {
            state.push("not unmounted");
        }
        if flags & disk::MEDIA_FAILURE != 0 {
            state.push("disk errors recorded");
        }
        if state.is_empty() {
            state.push("clean");
        }
        Summary {
            kind: "exfat",
            label: self.label.clone(),
            uuid: self.geometry.serial.map(open::serial_text),
            block_size: self.layout().cluster_size(),
            size: self.geometry.size,
            used: self.bitmap.as_ref().map(|used| used.len() * self.layout().cluster_size()),
            inodes: None,
            state,
            features: Vec::new(),
            last_mounted: None,
            decisions: self.decisions.clone(),
        }
    }

    fn log(&self) -> Log {
        self.log.clone()
    }

    fn source(&self, member: u16) -> Option<&Source> {
        (member == 0).then_some(&self.source)
    }

    fn root(&self) -> NodeId {
        Object::Root.id()
    }

    fn node(&self, id: NodeId) -> Result<Option<Node>, SourceGone> {
        self.read_node(id)
    }

    fn entries(&self, dir: &Node, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<Judged<()>, SourceGone> {
        let Some(found) = self.directory(dir.id)? else {
            return Ok(Judged { value: (), trust: Trust::Partial, findings: Vec::new() });
        };
        let walked = self.walk(&found.runs, &mut |item| {
            let Item::Set(set) = item else { return ControlFlow::Continue(()) };
            if !set.in_use {
                return ControlFlow::Continue(());
            }
            self.learn(&set);
            let kind = if set.is_directory() { Kind::Directory } else { Kind::File };
            let trust = match (set.whole, set.proven) {
                (true, true) => Trust::Intact,
                (true, false) => Trust::Unproven,
                (false, _) => Trust::Renamed,
            };
            visit(Entry { name: node::component(&set), id: self.object_of(&set).id(), kind: Some(kind), trust })
        })?;
        let mut findings = walked.findings;
        findings.extend(found.findings);
        Ok(Judged { value: (), trust: walked.trust.max(found.trust), findings })
    }

    fn parent(&self, _dir: &Node) -> Result<Option<NodeId>, SourceGone> {
        Ok(None) // exFAT has no `..` entries.
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
        progress: &dyn Progress,
        visit: &mut dyn FnMut(Node) -> ControlFlow<()>,
    ) -> Result<(), SourceGone> {
        self.count(which, progress, visit)
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
