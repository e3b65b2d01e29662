//! Filesystems: the [`FileSystem`] trait, the table of [`DRIVERS`], and one folder per filesystem.
//!
//! A new filesystem is one folder, one `mod` line and one row of [`DRIVERS`].

pub mod cluster;
pub mod content;
pub mod exfat;
pub mod ext;
pub mod fat;
pub mod pass;
pub mod search;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::bytes::{Span, Spans};
use crate::finding::{Code, Log};
use crate::node::{Entry, Judged, Kind, Mapping, Node, NodeId, Xattr};
use crate::progress::Progress;
use crate::source::{Source, SourceGone};

/// Every filesystem offmount reads, in the order they are tried.
pub const DRIVERS: &[&Driver] = &[&ext::DRIVER, &fat::DRIVER, &exfat::DRIVER];

/// Opens a filesystem; `None` where nothing of the driver's kind is there.
pub type Open = fn(&Members, &OpenOptions, &dyn Progress) -> Result<Option<Arc<dyn FileSystem>>, SourceGone>;

/// What the program knows of a kind of filesystem before it opens one.
pub struct Driver {
    /// Short name: `ext`, `fat`.
    pub name: &'static str,
    /// Its code table.
    pub codes: &'static [Code],
    /// Recognises a filesystem from its own headers, without a search.
    pub sniff: fn(&Source) -> Result<Option<Sniffed>, SourceGone>,
    /// Looks for copies of the headers where they usually stand, at the cost of a few reads.
    pub spare: fn(&Source) -> Result<Vec<Candidate>, SourceGone>,
    /// How to search a whole source for what is left of filesystems whose headers are gone.
    pub search: search::Search,
    /// Opens a filesystem; `None` where nothing of this kind is there. What is damaged is salvaged from what is left.
    pub open: Open,
    /// Opens what is left of a filesystem over which another one, of any other kind, was made; `None` where a look at a
    /// few places shows no trace of one, as on nearly all volumes.
    pub beneath: Open,
}

/// What a volume's headers say, without opening it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sniffed {
    /// What users call it: `ext4`, `vfat`.
    pub kind: &'static str,
    /// Label, without padding.
    pub label: Option<Vec<u8>>,
    /// UUID or serial number, written as `blkid` writes it.
    pub uuid: Option<String>,
    /// Size in bytes, as the filesystem counts it.
    pub size: u64,
}

/// A filesystem found by searching.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What its header says, or what was inferred.
    pub sniffed: Sniffed,
    /// The bytes of the source it spans.
    pub span: Span,
    /// Bytes of it that are missing before those: the beginning was cut off.
    pub missing: u64,
    /// What speaks for it, in a few words.
    pub evidence: String,
    /// 0 to 100.
    pub confidence: u8,
    /// What the search saw.
    pub lead: search::Lead,
}

/// What was on a volume before its filesystem was made.
pub enum Before {
    /// Nothing of which enough is left.
    Nothing,
    /// A filesystem that began where the volume does.
    Here(Arc<dyn FileSystem>),
    /// Filesystems that began elsewhere: the disk was divided in another way.
    Elsewhere,
}

/// What a filesystem is opened from.
pub struct Members {
    /// Its devices, in its own order; some perhaps missing.
    pub devices: Vec<Option<Source>>,
    /// What a search of the first one saw.
    pub lead: search::Lead,
    /// Something newer on the same bytes holds files, too. Which bytes it wrote, nothing tells.
    pub is_written_over: bool,
}

impl Members {
    /// A filesystem on one device.
    pub fn one(source: Source) -> Self {
        Members { devices: vec![Some(source)], lead: search::Lead::default(), is_written_over: false }
    }

    /// The filesystem on one device that a search led to.
    pub fn found(source: Source, lead: search::Lead) -> Self {
        Members { lead, ..Members::one(source) }
    }

    /// The first device.
    pub fn first(&self) -> Option<&Source> {
        self.devices.first().and_then(Option::as_ref)
    }
}

/// What the user forces.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Show the disk as it lies, without replaying the journal.
    pub no_replay: bool,
    /// Believe nothing but the primary metadata: no backups, no search.
    pub strict: bool,
    /// Block number of the superblock to use.
    pub superblock: Option<u64>,
    /// Block size in bytes.
    pub block_size: Option<u64>,
    /// OEM code page of FAT short names.
    pub code_page: Option<u16>,
    /// Offset from UTC of local times, in seconds (FAT).
    pub utc_offset: i32,
}

/// A volume as a whole.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What users call it: `ext4`, `vfat`.
    pub kind: &'static str,
    /// Label, without padding.
    pub label: Option<Vec<u8>>,
    /// UUID or serial number, written as `blkid` writes it.
    pub uuid: Option<String>,
    /// Bytes of a block or cluster.
    pub block_size: u64,
    /// Size in bytes, as the filesystem counts it.
    pub size: u64,
    /// Bytes in use, as the filesystem counts them.
    pub used: Option<u64>,
    /// Inodes in all and in use, where it has inodes.
    pub inodes: Option<(u64, u64)>,
    /// State, in words: `clean`, `needs recovery`, `errors recorded`.
    pub state: Vec<&'static str>,
    /// Names of the features switched on.
    pub features: Vec<String>,
    /// Where it was mounted last.
    pub last_mounted: Option<PathBuf>,
    /// What was decided about a damaged volume, one sentence each: which superblock, which descriptors, what was
    /// rebuilt. Empty for a healthy one.
    pub decisions: Vec<String>,
}

/// Which nodes a census counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Census {
    /// Those in use.
    InUse,
    /// Those deleted of which something is left.
    Deleted,
}

/// A node that no directory reachable from the root names.
#[derive(Clone, Debug)]
pub struct Stray {
    /// The node.
    pub node: Node,
    /// The directory it was in, where that is known.
    pub parent: Option<NodeId>,
    /// The name it had there, where that is known.
    pub name: Option<Vec<u8>>,
}

/// What a check of a whole filesystem found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// The findings.
    pub log: Log,
    /// The journal, where there is one.
    pub journal: Option<JournalState>,
    /// What could not be checked and why, one sentence each; empty where everything was.
    pub unfinished: Vec<String>,
}

/// What state a journal was found in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JournalState {
    /// Nothing waits in it.
    Empty,
    /// Transactions waited in it, and were replayed in memory without a fault.
    Replayed,
    /// Transactions wait in it, and some of them can not be replayed.
    Damaged,
    /// It lies on another device, which was not given.
    Elsewhere,
}

/// An opened filesystem. All methods may be called from many threads; damage never makes one fail.
pub trait FileSystem: Send + Sync {
    /// Its driver.
    fn driver(&self) -> &'static Driver;

    /// The volume as a whole, with what is known now.
    fn summary(&self) -> Summary;

    /// What was found wrong while opening.
    fn log(&self) -> Log;

    /// Where file data is read from: the volume with the replayed journal over it. `member` as in
    /// [`Backing::Device`](crate::node::Backing::Device).
    fn source(&self, member: u16) -> Option<&Source>;

    /// The root directory.
    fn root(&self) -> NodeId;

    /// A node; `None` where there is none of this number or nothing is left of it.
    fn node(&self, id: NodeId) -> Result<Option<Node>, SourceGone>;

    /// Many nodes at once, answers in the order asked. Fast where the numbers ascend: metadata is then read in large
    /// sequential reads.
    fn nodes(&self, ids: &[NodeId]) -> Result<Vec<Option<Node>>, SourceGone> {
        ids.iter().map(|id| self.node(*id)).collect()
    }

    /// The entries of a directory, without `.` and `..`, in the order they lie on the disk, each name once.
    fn entries(&self, dir: &Node, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<Judged<()>, SourceGone>;

    /// The directory that a directory says it is in (`..`).
    fn parent(&self, dir: &Node) -> Result<Option<NodeId>, SourceGone>;

    /// The node that a name in a directory stands for, compared as the filesystem compares names (casefold, FAT).
    fn lookup(&self, dir: &Node, name: &[u8]) -> Result<Option<Entry>, SourceGone> {
        let mut found = None;
        self.entries(dir, &mut |entry| {
            if entry.name == name {
                found = Some(entry);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Where a node's bytes lie: a file's contents, a symbolic link's target, a directory's blocks.
    fn mapping(&self, node: &Node) -> Result<Mapping, SourceGone>;

    /// Extended attributes, ACLs and capabilities among them, in the form `getxattr` gives.
    fn xattrs(&self, node: &Node) -> Result<Judged<Vec<Xattr>>, SourceGone>;

    /// Facts of one node that only this filesystem has (generation, flags, checksum), as name and value.
    fn details(&self, _node: &Node) -> Result<Vec<(&'static str, String)>, SourceGone> {
        Ok(Vec::new())
    }

    /// Every node of the kind asked for, in ascending order of number, in large sequential reads.
    fn census(
        &self,
        which: Census,
        progress: &dyn Progress,
        visit: &mut dyn FnMut(Node) -> ControlFlow<()>,
    ) -> Result<(), SourceGone>;

    /// What is left of deleted files, with what is known of their place. Their contents may have been taken by others
    /// since: the mapping's trust tells.
    fn deleted(&self, progress: &dyn Progress) -> Result<Vec<Stray>, SourceGone> {
        let mut found = Vec::new();
        self.census(Census::Deleted, progress, &mut |node| {
            found.push(Stray { node, parent: None, name: None });
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// What was here before this filesystem was made. `whole` begins where the volume does, and reaches to the next one: the
    /// older one may have been larger.
    fn before(&self, _whole: &Source, _progress: &dyn Progress) -> Result<Before, SourceGone> {
        Ok(Before::Nothing)
    }

    /// The bytes of its first source that this filesystem wrote, as far as it can tell; `None` where it can not.
    fn written(&self) -> Result<Option<Spans>, SourceGone> {
        Ok(None)
    }

    /// Searches the whole volume for what damaged directories and inode tables no longer lead to. Slow, done once:
    /// afterwards every other method answers with what was found. Called when a walk met damage.
    fn salvage(&self, progress: &dyn Progress) -> Result<(), SourceGone>;

    /// True if maps of files were met, while nodes were counted, that [`FileSystem::salvage`] may mend.
    fn wants_salvage(&self) -> bool {
        false
    }

    /// The nodes in use that a walk from the root did not reach, with what is known of their place. `reached` is told
    /// each node's kind, too: asked of every node in use, in ascending order, it proves what entries say.
    fn strays(
        &self,
        reached: &mut dyn FnMut(NodeId, Kind) -> bool,
        progress: &dyn Progress,
    ) -> Result<Vec<Stray>, SourceGone>;

    /// Checks the whole filesystem, read-only, as it is after the journal was replayed in memory.
    fn check(&self, progress: &dyn Progress) -> Result<CheckReport, SourceGone>;
}
