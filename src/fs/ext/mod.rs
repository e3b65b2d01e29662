//! ext2, ext3 and ext4.
//!
//! Three steps are never mixed. *Decode*: `disk` has the structures as they lie. *Judge*: `geometry`, `inode`, `map`,
//! `dir` and `xattr` take them field by field, note what is wrong and keep the rest. *Use*: only judged values reach
//! `Ext`, which answers as a [`FileSystem`].
//!
//! A volume is opened in the order of `open`: evidence of its geometry (`evidence`), the journal replayed in memory
//! (`journal`), evidence again as the journal left it, orphans (`orphan`). What damaged tables no longer lead to is
//! `salvage`'s to find; the reader asks it at the seams that module names.

pub mod codes;
mod crc;

mod census;
mod changes;
mod check;
mod checksum;
mod details;
mod dir;
mod disk;
mod evidence;
mod feature;
mod geometry;
mod inode;
mod journal;
mod map;
mod number;
mod open;
mod orphan;
mod own;
mod recover;
mod reserved;
mod salvage;
mod sharing;
mod sniff;
mod solve;
mod tables;
mod twins;
mod unflipped;
mod volume;
mod xattr;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use disk::superblock::Superblock;
use inode::{Inode, Layout};
use map::Beyond;
use number::InodeNr;
use salvage::{Deleted, Older};
use volume::Volume;

use super::search::Search;
use super::{Before, Census, CheckReport, Driver, FileSystem, JournalState, OpenOptions, Stray, Summary};
use crate::bytes::Spans;
use crate::finding::{Code, Log, joined};
use crate::node::{Backing, Entry, Extent, Judged, Kind, Mapping, Node, NodeId, Trust, Xattr};
use crate::progress::Progress;
use crate::source::{Source, SourceGone};

/// ext2, ext3 and ext4.
pub const DRIVER: Driver = Driver {
    name: "ext",
    codes: CODES,
    sniff: sniff::sniff,
    spare: salvage::spare,
    search: Search::of::<salvage::Traces>(),
    open: open::open,
    beneath: open::beneath,
};

/// Every code: the reader's, then the checks'.
const CODES: &[Code] =
    &joined::<{ codes::TABLE.len() + check::codes::TABLE.len() }>(&[codes::TABLE, check::codes::TABLE]);

/// Inodes that one thread reads before it asks for more.
const NODES_PER_TASK: usize = 1024;

/// An opened volume.
struct Ext {
    /// Reads metadata as the journal left it.
    volume: Volume,
    /// The superblock as it lies.
    superblock_on_disk: Superblock,
    options: OpenOptions,
    journal: Option<JournalState>,
    /// Inodes unlinked while open, or being truncated.
    orphans: BTreeSet<InodeNr>,
    /// What was found wrong while opening.
    log: Log,
    decisions: Vec<String>,
    /// Inodes whose blocks others claim too; empty until inodes were counted.
    shared: OnceLock<BTreeSet<InodeNr>>,
    /// Sizes of files are ruined, so that one which only a hole bears out is doubtful; false until inodes were counted.
    sizes_lie: OnceLock<bool>,
    /// What is left of deleted files; empty until they were searched for.
    deleted: OnceLock<BTreeMap<InodeNr, Deleted>>,
    /// A map was met that a search may mend.
    refuted: AtomicBool,
}

impl Ext {
    /// The inode of a node, used or not.
    fn inode(&self, id: NodeId) -> Result<Option<Inode<'static>>, SourceGone> {
        let Some(nr) = InodeNr::of(id) else { return Ok(None) };
        match self.deleted_inode(nr) {
            Some(deleted) => Ok(Some(Inode::decode(nr, &deleted.record).into_owned())),
            None => self.volume.inode(nr),
        }
    }

    /// What is left of a deleted file, if they were searched for.
    fn deleted_inode(&self, nr: InodeNr) -> Option<&Deleted> {
        self.deleted.get()?.get(&nr)
    }

    /// The node that a deleted file had.
    fn node_of_deleted(&self, nr: InodeNr, deleted: &Deleted) -> Result<Node, SourceGone> {
        let mut node = self.node_of(&Inode::decode(nr, &deleted.record))?;
        node.trust = node.trust.max(deleted.trust);
        node.times.deleted = deleted.when;
        Ok(node)
    }

    /// What was decided while opening, and by a search if there was one.
    fn decisions_so_far(&self) -> Vec<String> {
        let found = self.volume.remains().map_or(&[][..], |remains| &remains.decisions);
        self.decisions.iter().chain(found).cloned().collect()
    }

    /// The node of an inode that is used, or was.
    fn node_of(&self, inode: &Inode<'_>) -> Result<Node, SourceGone> {
        let geometry = &self.volume.geometry;
        let mut node = inode.node(geometry, self.orphans.contains(&inode.nr));
        if let Some(size) = self.solved_size(&node, inode)? {
            node.size = size;
        } else if node.kind != Kind::Directory && node.size > 0 && !inode.has_possible_size(geometry) {
            node.size = map::written_end(&self.volume, inode)?;
            node.trust = Trust::Doubtful;
        } else if self.has_lost_size(&node, inode) {
            let mapped = map::written_end(&self.volume, inode)?;
            if mapped > 0 {
                (node.size, node.trust) = (mapped, Trust::Doubtful);
            }
        }
        // What is being cut, or was by a fast commit, may still map what it had.
        let cut = self.orphans.contains(&inode.nr) || self.volume.changes.inode(inode.nr).is_some();
        if node.kind == Kind::File && inode.is_in_use() && !cut {
            match map::beyond(geometry, inode, node.size) {
                Beyond::Nothing => {}
                Beyond::Apart => node.trust = Trust::Doubtful,
                Beyond::Hole | Beyond::Nonsense if self.may_end_in_hole(inode, node.size)? => {}
                Beyond::Hole => node.trust = Trust::Doubtful,
                Beyond::Nonsense => {
                    (node.size, node.trust) = (map::written_end(&self.volume, inode)?, Trust::Doubtful);
                }
                Beyond::Joined => {
                    let end = map::written_end(&self.volume, inode)?;
                    if end > node.size {
                        node.trust = Trust::Doubtful;
                        node.size = self.joined_end(inode, node.size, end)?;
                    }
                }
            }
        }
        if inode.is_in_use() && !cut && self.has_lost_map(&node, inode) {
            node.trust = Trust::Doubtful;
        }
        if node.trust < Trust::Doubtful && self.ends_in_doubtful_hole(&node, inode)? {
            node.trust = Trust::Doubtful;
        }
        node.size = node.size.min(geometry.max_file_size(true));
        // A search judges anew who claims the blocks of whom.
        let shared = self.shared.get().filter(|_| self.volume.remains().is_none());
        if shared.is_some_and(|shared| shared.contains(&inode.nr)) {
            node.trust = node.trust.max(Trust::Doubtful);
        }
        if let Some(trust) = self.volume.remains().and_then(|remains| remains.trust.get(&inode.nr)) {
            // What was made up has no checksum, and needs none.
            let made = *trust == Trust::Renamed;
            node.trust = if made { *trust } else { node.trust.max(*trust) };
        }
        Ok(node)
    }

    /// True where a size that lies far behind all data may be meant: of whole MiB, as disks of virtual machines have it,
    /// and no single damaged byte explains it, without which the file would end in the last block that is mapped.
    fn may_end_in_hole(&self, inode: &Inode<'_>, size: u64) -> Result<bool, SourceGone> {
        let (block, end) = (u64::from(self.volume.geometry.block_size), map::mapped_end(&self.volume, inode)?);
        let fits = |size: u64| size.div_ceil(block).saturating_mul(block) == end;
        let without = |at: u32| size & !(0xFF << at);
        let explains = |at: u32| (0..=0xFFu64).any(|byte| fits(without(at) | byte << at));
        Ok(size.is_multiple_of(1 << 20) && !(0..u64::BITS).step_by(8).any(explains))
    }

    /// True for a file that ends in a hole, on a volume where sizes are ruined and no checksum bears this one out.
    fn ends_in_doubtful_hole(&self, node: &Node, inode: &Inode<'_>) -> Result<bool, SourceGone> {
        let geometry = &self.volume.geometry;
        let is_asked = node.kind == Kind::File && self.sizes_lie.get() == Some(&true) && !geometry.has_checksums();
        if !is_asked || node.allocated >= node.size || inode.layout(geometry) == Layout::Inline {
            return Ok(false);
        }
        Ok(map::mapped_end(&self.volume, inode)?.next_multiple_of(geometry.block_size.into()) < node.size)
    }

    /// Where a file ends that maps more than its size says, up to `written` with what is no zeros. An inode that counts
    /// all of it has lost its size alone. Else the count speaks for the size: of extents nothing is cut off all the same,
    /// but any bytes lead somewhere as pointers.
    fn joined_end(&self, inode: &Inode<'_>, size: u64, written: u64) -> Result<u64, SourceGone> {
        if map::is_counted(&self.volume, inode)? {
            return Ok(written);
        }
        match inode.layout(&self.volume.geometry) {
            Layout::Extents => map::mapped_end(&self.volume, inode),
            _ => Ok(size),
        }
    }

    /// The size of a file of whose inode nothing but the size is ruined, as its checksum shows it.
    fn solved_size(&self, node: &Node, inode: &Inode<'_>) -> Result<Option<u64>, SourceGone> {
        let geometry = &self.volume.geometry;
        let has_blocks = matches!(inode.layout(geometry), Layout::Extents | Layout::Pointers);
        if node.kind != Kind::File || !has_blocks || !inode.is_in_use() || inode.is_proved(geometry) {
            return Ok(None);
        }
        let sizes = solve::sizes(geometry, inode);
        if sizes.is_empty() {
            return Ok(None);
        }
        let (block, end) = (u64::from(geometry.block_size), map::mapped_end(&self.volume, inode)?);
        let fits = |size: &u64| size.div_ceil(block).saturating_mul(block) == end && end > 0;
        let fitting: Vec<u64> = sizes.into_iter().filter(fits).collect();
        Ok(fitting.first().copied().filter(|_| fitting.len() == 1))
    }

    /// True for a file of no bytes that uses blocks of its own and was not being cut: its size may be gone.
    fn has_lost_size(&self, node: &Node, inode: &Inode<'_>) -> bool {
        node.kind == Kind::File
            && node.size == 0
            && node.allocated > self.of_attributes(inode)
            && !self.orphans.contains(&inode.nr)
    }

    /// True for a file that counts blocks as its own and names none, where no checksum proves that: what stands in place of
    /// its map was never one, or is gone.
    fn has_lost_map(&self, node: &Node, inode: &Inode<'_>) -> bool {
        let geometry = &self.volume.geometry;
        node.kind == Kind::File
            && node.size > 0
            && node.allocated > self.of_attributes(inode)
            && map::names_nothing(geometry, inode)
            && !(geometry.has_checksums() && inode.is_proved(geometry))
    }

    /// Bytes that an inode's block of attributes takes.
    fn of_attributes(&self, inode: &Inode<'_>) -> u64 {
        let geometry = &self.volume.geometry;
        let cluster = u64::from(geometry.block_size) * u64::from(geometry.cluster_blocks);
        inode.attribute_block(geometry).map_or(0, |_| cluster)
    }

    /// The node of an inode that a directory may name.
    fn used(&self, inode: Option<Inode<'_>>) -> Result<Option<Node>, SourceGone> {
        let Some(inode) =
            inode.filter(|inode| inode.is_in_use() && !self.is_left_over(inode) && !self.is_garbage(inode))
        else {
            return Ok(None);
        };
        self.node_of(&inode).map(Some)
    }

    /// True where too many fields are impossible: what lies there is no inode.
    fn is_garbage(&self, inode: &Inode<'_>) -> bool {
        let geometry = &self.volume.geometry;
        let is_proved = geometry.has_checksums() && inode.is_proved(geometry);
        !is_proved && salvage::judge_record(geometry, inode.nr, &inode.record) <= salvage::Verdict::Garbage
    }

    /// True where a proved descriptor says that the inode was never used, and nothing proves the contrary: what lies
    /// there is of an older filesystem.
    fn is_left_over(&self, inode: &Inode<'_>) -> bool {
        let geometry = &self.volume.geometry;
        let (group, index) = geometry.group_of_inode(inode.nr);
        let never_used = geometry.groups.get(group.0 as usize).is_none_or(|group| index >= group.inodes_used);
        never_used && geometry.has_checksums() && !inode.is_proved(geometry)
    }
}

impl FileSystem for Ext {
    fn driver(&self) -> &'static Driver {
        &DRIVER
    }

    fn summary(&self) -> Summary {
        let (geometry, sb) = (&self.volume.geometry, &self.volume.superblock);
        let block_size = u64::from(geometry.block_size);
        let free: u64 = geometry.groups.iter().map(|group| u64::from(group.free_clusters)).sum();
        let free_inodes: u64 = geometry.groups.iter().map(|group| u64::from(group.free_inodes)).sum();
        let inodes = u64::from(geometry.inodes);
        Summary {
            kind: sniff::kind(geometry.features),
            label: Some(geometry.label.clone()).filter(|label| !label.is_empty()),
            uuid: sniff::uuid(&geometry.uuid),
            block_size,
            size: geometry.len(),
            used: Some(geometry.blocks.saturating_sub(free * u64::from(geometry.cluster_blocks)) * block_size),
            inodes: Some((inodes, inodes.saturating_sub(free_inodes))),
            state: sniff::states(&self.superblock_on_disk),
            features: geometry.features.names(),
            last_mounted: sniff::last_mounted(sb),
            decisions: self.decisions_so_far(),
        }
    }

    fn log(&self) -> Log {
        self.log.clone()
    }

    fn source(&self, member: u16) -> Option<&Source> {
        (member == 0).then_some(&self.volume.source)
    }

    fn root(&self) -> NodeId {
        InodeNr::ROOT.node()
    }

    fn node(&self, id: NodeId) -> Result<Option<Node>, SourceGone> {
        match InodeNr::of(id).and_then(|nr| Some((nr, self.deleted_inode(nr)?))) {
            Some((nr, deleted)) => self.node_of_deleted(nr, deleted).map(Some),
            None => {
                let inode = self.inode(id)?;
                self.used(inode)
            }
        }
    }

    fn nodes(&self, ids: &[NodeId]) -> Result<Vec<Option<Node>>, SourceGone> {
        let read = |ids: &[NodeId]| {
            let mut inodes = self.volume.inodes();
            let node = |id: &NodeId| {
                let Some(nr) = InodeNr::of(*id) else { return Ok(None) };
                match self.deleted_inode(nr) {
                    Some(deleted) => self.node_of_deleted(nr, deleted).map(Some),
                    None => self.used(inodes.read(nr)?),
                }
            };
            ids.iter().map(node).collect::<Result<Vec<_>, SourceGone>>()
        };
        if ids.len() <= NODES_PER_TASK {
            return read(ids);
        }
        Ok(ids.par_chunks(NODES_PER_TASK).map(read).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    fn entries(&self, dir: &Node, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<Judged<()>, SourceGone> {
        match self.inode(dir.id)? {
            Some(inode) => dir::visit(&self.volume, &inode, dir.size, visit),
            None => Ok(Judged { trust: Trust::Partial, ..Judged::default() }),
        }
    }

    fn parent(&self, dir: &Node) -> Result<Option<NodeId>, SourceGone> {
        match self.inode(dir.id)? {
            Some(inode) => dir::parent(&self.volume, &inode, dir.size),
            None => Ok(None),
        }
    }

    fn lookup(&self, dir: &Node, name: &[u8]) -> Result<Option<Entry>, SourceGone> {
        let Some(inode) = self.inode(dir.id)? else { return Ok(None) };
        dir::lookup(&self.volume, &inode, dir.size, name)
    }

    fn mapping(&self, node: &Node) -> Result<Mapping, SourceGone> {
        match self.inode(node.id)? {
            Some(inode) => {
                let mut mapping = map::map(&self.volume, &inode, node.size)?;
                // Where there is damage and no checksum, a size may be too small.
                let is_doubted = self.volume.remains().is_some() && !self.volume.geometry.has_checksums();
                if is_doubted && node.kind == Kind::File && map::goes_on(&self.volume, &inode, &mapping, node.size)? {
                    mapping.trust = mapping.trust.max(Trust::Doubtful);
                }
                Ok(mapping)
            }
            None => {
                let lost = Extent { logical: 0, len: node.size, backing: Backing::Lost };
                let extents = if node.size > 0 { vec![lost] } else { Vec::new() };
                Ok(Mapping { extents, trust: Trust::Partial, findings: Vec::new() })
            }
        }
    }

    fn xattrs(&self, node: &Node) -> Result<Judged<Vec<Xattr>>, SourceGone> {
        match self.inode(node.id)? {
            Some(inode) => xattr::read(&self.volume, &inode),
            None => Ok(Judged::default()),
        }
    }

    fn details(&self, node: &Node) -> Result<Vec<(&'static str, String)>, SourceGone> {
        Ok(self.inode(node.id)?.map_or_else(Vec::new, |inode| details::details(self, &inode)))
    }

    fn census(
        &self,
        which: Census,
        progress: &dyn Progress,
        visit: &mut dyn FnMut(Node) -> ControlFlow<()>,
    ) -> Result<(), SourceGone> {
        census::census(self, which, progress, visit)
    }

    fn deleted(&self, progress: &dyn Progress) -> Result<Vec<Stray>, SourceGone> {
        if self.deleted.get().is_none() && !self.options.strict {
            let _ = self.deleted.set(salvage::find_deleted(self, progress)?);
        }
        let mut strays: BTreeMap<NodeId, Stray> = BTreeMap::new();
        self.census(Census::Deleted, progress, &mut |node| {
            strays.insert(node.id, Stray { node, parent: None, name: None });
            ControlFlow::Continue(())
        })?;
        for (nr, deleted) in self.deleted.get().into_iter().flatten() {
            let node = self.node_of_deleted(*nr, deleted)?;
            let (parent, name) = deleted.place.clone().map(|(dir, name)| (dir.node(), name)).unzip();
            strays.insert(node.id, Stray { node, parent, name });
        }
        Ok(strays.into_values().collect())
    }

    fn before(&self, whole: &Source, progress: &dyn Progress) -> Result<Before, SourceGone> {
        if self.options.strict {
            return Ok(Before::Nothing);
        }
        Ok(match salvage::before(self, whole, progress)? {
            Older::None => Before::Nothing,
            Older::Here { source, evidence, written } => {
                Before::Here(open::as_it_lies(source, *evidence, &written, &self.options))
            }
            Older::Elsewhere => Before::Elsewhere,
        })
    }

    fn written(&self) -> Result<Option<Spans>, SourceGone> {
        salvage::written(self).map(Some)
    }

    fn salvage(&self, progress: &dyn Progress) -> Result<(), SourceGone> {
        salvage::salvage(self, progress)
    }

    fn wants_salvage(&self) -> bool {
        self.refuted.load(Ordering::Relaxed)
    }

    fn strays(
        &self,
        reached: &mut dyn FnMut(NodeId, Kind) -> bool,
        progress: &dyn Progress,
    ) -> Result<Vec<Stray>, SourceGone> {
        salvage::strays(self, reached, progress)
    }

    fn check(&self, progress: &dyn Progress) -> Result<CheckReport, SourceGone> {
        check::check(self, progress)
    }
}
