//! Nodes from short entries: kind, mode, times, size.

use super::codes;
use super::dir::{Place, Slot, is_dot, is_dotdot};
use super::disk::{ATTR_ARCHIVE, ATTR_DIRECTORY, ATTR_HIDDEN, ATTR_READ_ONLY, ATTR_SYSTEM, ENTRY, ShortEntry};
use super::name::Assembled;
use super::{Fat, name};
use crate::bytes::Span;
use crate::finding::{Finding, Place as Where};
use crate::fs::cluster::{Cluster, Object, bare_node, dos_time, follow};
use crate::node::{Kind, Node, NodeId, Trust};
use crate::source::{Source, SourceGone, read_whole};
use crate::time::{Time, Times};

/// Bytes read at once when many entries are asked for.
const WINDOW: u64 = 16 << 10;

impl Fat {
    /// A node; `entry_at` reads short entries.
    pub(super) fn read_node(
        &self,
        id: NodeId,
        entry_at: &mut dyn FnMut(u64) -> Result<Option<ShortEntry>, SourceGone>,
    ) -> Result<Option<Node>, SourceGone> {
        match Object::of(id) {
            Object::Root => self.root_node().map(Some),
            Object::Directory(place) => {
                let Some(start) = self.layout().holding(place) else { return Ok(None) };
                let entry = match self.lead_to(start) {
                    Some(offset) => entry_at(offset)?,
                    None => entry_at(self.layout().offset(start))?.filter(is_dot),
                };
                self.directory_node(id, start, entry).map(Some)
            }
            Object::Chain(place) => {
                let Some(runs) = self.survey()?.chain(place) else { return Ok(None) };
                let size = u64::from(runs.count()) * self.layout().cluster_size();
                // Where the file ended within its last cluster, and what it was called, nothing tells.
                Ok(Some(Node { trust: Trust::Doubtful, ..bare_node(id, Kind::File, size) }))
            }
            Object::Entry(offset) => {
                let entry = entry_at(offset)?.filter(|entry| !entry.is_end() && !entry.is_label() && !entry.is_long());
                Ok(entry.map(|entry| self.node_of(id, &entry)))
            }
        }
    }

    /// Many nodes, in the order asked.
    pub(super) fn nodes_of(&self, ids: &[NodeId]) -> Result<Vec<Option<Node>>, SourceGone> {
        let mut window = Window::new(&self.source);
        ids.iter().map(|&id| self.read_node(id, &mut |offset| window.entry_at(offset))).collect()
    }

    fn root_node(&self) -> Result<Node, SourceGone> {
        let root = Object::Root.id();
        match self.root_place() {
            Some(Place::Chain(start)) => self.directory_node(root, start, None),
            Some(Place::Fixed(span)) => Ok(bare_node(root, Kind::Directory, span.len())),
            None => Ok(Node { trust: Trust::Partial, ..bare_node(root, Kind::Directory, 0) }),
        }
    }

    fn directory_node(&self, id: NodeId, start: Cluster, entry: Option<ShortEntry>) -> Result<Node, SourceGone> {
        // As long as any directory may be: 65,536 entries.
        let clusters = follow(&self.table, start, self.layout().clusters_for(2 << 20))?.runs.count();
        let size = u64::from(clusters) * self.layout().cluster_size();
        let node = entry.map_or(bare_node(id, Kind::Directory, size), |entry| self.node_of(id, &entry));
        Ok(Node { kind: Kind::Directory, size, allocated: size, ..node })
    }

    /// The node that a short entry describes.
    pub(super) fn node_of(&self, id: NodeId, entry: &ShortEntry) -> Node {
        let directory = entry.is_directory();
        let recorded = if directory { 0 } else { u64::from(entry.DIR_FileSize.get()) };
        let size = recorded.min(self.layout().bytes());
        let trust = if size < recorded { Trust::Partial } else { Trust::Intact };
        let mode = match (directory, entry.DIR_Attr & ATTR_READ_ONLY != 0) {
            (true, false) => 0o755,
            (true, true) => 0o555,
            (false, false) => 0o644,
            (false, true) => 0o444,
        };
        let kind = if directory { Kind::Directory } else { Kind::File };
        let allocated = size.next_multiple_of(self.layout().cluster_size());
        Node { mode, allocated, times: self.times_of(entry), trust, ..bare_node(id, kind, size) }
    }

    fn times_of(&self, entry: &ShortEntry) -> Times {
        let time = |date: u16, time: u16, centis: u8| -> Option<Time> { dos_time(date, time, centis, self.utc_offset) };
        Times {
            modified: time(entry.DIR_WrtDate.get(), entry.DIR_WrtTime.get(), 0),
            accessed: time(entry.DIR_LstAccDate.get(), 0, 0),
            created: time(entry.DIR_CrtDate.get(), entry.DIR_CrtTime.get(), entry.DIR_CrtTimeTenth),
            changed: None,
            deleted: None,
        }
    }

    /// The directory that the `..` entry of a directory leads to.
    pub(super) fn dotdot(&self, start: Cluster) -> Result<Option<Object>, SourceGone> {
        let offset = self.layout().offset(start);
        let Some(bytes) = read_whole(&*self.source, offset, 2 * ENTRY)? else { return Ok(None) };
        let slots = bytes.chunks_exact(ENTRY).map(ShortEntry::decode);
        let Some(entry) = slots.into_iter().find(is_dotdot) else { return Ok(None) };
        Ok(match self.first_cluster(&entry) {
            0 => Some(Object::Root),
            number => self.layout().cluster(number).map(|parent| self.directory_at(parent)),
        })
    }

    pub(super) fn entry_details(&self, id: NodeId) -> Result<Vec<(&'static str, String)>, SourceGone> {
        let offset = match Object::of(id) {
            Object::Root | Object::Chain(_) => None,
            Object::Entry(offset) => Some(offset),
            Object::Directory(place) => self.layout().holding(place).and_then(|start| self.lead_to(start)),
        };
        let Some(offset) = offset else { return Ok(Vec::new()) };
        let Some(entry) = self.entry_at(offset)? else { return Ok(Vec::new()) };
        Ok(vec![
            ("entry", offset.to_string()),
            ("short name", name::short_name(&entry, self.page)),
            ("attributes", attributes(entry.DIR_Attr)),
            ("first cluster", self.first_cluster(&entry).to_string()),
        ])
    }
}

fn attributes(bits: u8) -> String {
    let names = [
        (ATTR_READ_ONLY, "read-only"),
        (ATTR_HIDDEN, "hidden"),
        (ATTR_SYSTEM, "system"),
        (ATTR_DIRECTORY, "directory"),
        (ATTR_ARCHIVE, "archive"),
    ];
    names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
}

/// What is wrong with the long name of an entry.
pub fn judge_long_name(slot: &Slot) -> Option<Finding> {
    let code = match slot.long {
        Assembled::Foreign => codes::LONG_NAME_CHECKSUM,
        Assembled::Broken => codes::LONG_NAME_BROKEN,
        Assembled::None | Assembled::Whole(_) => return None,
    };
    let place = Where::inode(slot.offset).at(Span { start: slot.first, end: slot.offset });
    let sum = name::checksum(&slot.entry.DIR_Name);
    Some(Finding::new(code, place, "a long name that is not this entry's", format!("checksum {sum:02x}")))
}

/// Reads many entries, those near each other at once.
pub struct Window<'s> {
    source: &'s Source,
    start: u64,
    bytes: Vec<u8>,
}

impl<'s> Window<'s> {
    /// Nothing read yet.
    pub fn new(source: &'s Source) -> Self {
        Window { source, start: 0, bytes: Vec::new() }
    }

    /// The short entry at a place of the volume; `None` where it can not be read.
    pub fn entry_at(&mut self, offset: u64) -> Result<Option<ShortEntry>, SourceGone> {
        let held = |window: &Self| {
            let at = usize::try_from(offset.checked_sub(window.start)?).ok()?;
            window.bytes.get(at..at.checked_add(ENTRY)?).map(ShortEntry::decode)
        };
        if let Some(entry) = held(self) {
            return Ok(Some(entry));
        }
        let start = offset / WINDOW * WINDOW;
        let len = WINDOW.min(self.source.len().saturating_sub(start));
        match read_whole(&**self.source, start, len as usize)? {
            Some(bytes) => (self.start, self.bytes) = (start, bytes),
            None => {
                self.bytes.clear();
                return Ok(read_whole(&**self.source, offset, ENTRY)?.map(|bytes| ShortEntry::decode(&bytes)));
            }
        }
        Ok(held(self))
    }
}
