//! What the system's repair program would do to a volume: run on a sparse copy, and the trees before and after compared.
//!
//! The copy holds at their places all blocks but the contents of files that nothing speaks against; those read as zeros
//! in it, which no repair looks at. Names, sizes, owners, modes and how many bytes are mapped are compared, not contents.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::attempt::{Outcome, attempt};
use super::repairs::repair_of;
use crate::bytes::{Buffer, Span, Spans};
use crate::fs::{Census, DRIVERS, FileSystem, Members, OpenOptions};
use crate::node::{Backing, Extent, Kind, Node, NodeId, Trust};
use crate::progress::Progress;
use crate::source::{FileSource, SourceGone};
use crate::tree::Tree;

/// Bytes copied at once.
const CHUNK: usize = 1 << 20;
/// Bytes that are left out of the copy where all are zero.
const HOLE: usize = 4096;

/// What becomes of one file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// It is gone.
    Lost,
    /// It is found elsewhere, mostly in `lost+found`.
    Moved {
        /// Its path after the repair.
        to: String,
    },
    /// A fact of it is another.
    Changed {
        /// Which: size, kind, mode, owner, links or contents (bytes of them that lie somewhere).
        what: &'static str,
        /// Before.
        from: String,
        /// After.
        to: String,
    },
}

/// What a repair would do.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// The program that was run.
    pub program: &'static str,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Files, by their path now, of which something changes.
    pub doomed: BTreeMap<String, Vec<Change>>,
    /// Directories among them of which nothing changes but the size.
    #[serde(skip)]
    pub packed: BTreeSet<String>,
    /// The same files, under all their names: their nodes in the filesystem.
    pub nodes: BTreeSet<NodeId>,
    /// Files that stay as they are.
    pub survive: u64,
}

impl Preview {
    /// True where the repair finds nothing wrong, and only packs the names of directories into fewer blocks.
    pub fn only_packs(&self) -> bool {
        let is_packed = |path: &String| self.packed.contains(path);
        self.outcome == (Outcome::Ended { code: 0 }) && self.doomed.keys().all(is_packed)
    }
}

/// Why no preview could be made.
#[derive(Debug)]
pub enum PreviewError {
    /// The disk can not be read any more.
    Gone(SourceGone),
    /// The copy could not be written.
    Copy(io::Error),
    /// No repair program is known for volumes of this kind.
    NoRepair,
}

impl From<SourceGone> for PreviewError {
    fn from(gone: SourceGone) -> Self {
        PreviewError::Gone(gone)
    }
}

impl From<io::Error> for PreviewError {
    fn from(error: io::Error) -> Self {
        PreviewError::Copy(error)
    }
}

impl std::fmt::Display for PreviewError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PreviewError::Gone(gone) => gone.fmt(f),
            PreviewError::Copy(error) => write!(f, "the copy to repair can not be made: {error}"),
            PreviewError::NoRepair => write!(f, "only repairs of ext, FAT and exFAT volumes can be previewed"),
        }
    }
}

impl std::error::Error for PreviewError {}

/// Repairs a copy of `fs` in the new file `copy`, and compares. The caller removes the file.
///
/// # Errors
/// When the disk is gone, or the copy can not be written.
pub fn preview(
    fs: &Arc<dyn FileSystem>,
    copy: &Path,
    limit: Duration,
    progress: &dyn Progress,
) -> Result<Preview, PreviewError> {
    let program = repair_of(fs.driver().name).ok_or(PreviewError::NoRepair)?;
    let source = fs.source(0).ok_or(PreviewError::NoRepair)?;
    let left_out = contents(&**fs, progress)?;
    let target = File::create_new(copy)?;
    write_copy(&**source, &target, &left_out)?;
    drop(target);
    let before = facts(fs, progress)?;
    let mut preview = Preview {
        program: program.program,
        outcome: attempt(program, copy, limit, progress)?,
        doomed: BTreeMap::new(),
        packed: BTreeSet::new(),
        nodes: BTreeSet::new(),
        survive: 0,
    };
    if !matches!(preview.outcome, Outcome::Ended { .. }) {
        return Ok(preview);
    }
    let repaired = Members::one(Arc::new(FileSource::open(copy)?));
    let opened = match DRIVERS.iter().find(|driver| driver.name == program.driver) {
        Some(driver) => (driver.open)(&repaired, &OpenOptions::default(), progress)?,
        None => None,
    };
    let after = match opened {
        Some(fs) => facts(&fs, progress)?,
        None => HashMap::new(),
    };
    for (id, facts) in &before {
        let changes = compare(facts, after.get(id));
        if changes.is_empty() {
            preview.survive += 1;
        } else {
            if facts.node.kind == Kind::Directory
                && let [Change::Changed { what: "size", .. }] = changes[..]
            {
                preview.packed.insert(facts.path.clone());
            }
            preview.doomed.insert(facts.path.clone(), changes);
            preview.nodes.insert(*id);
        }
    }
    Ok(preview)
}

/// The bytes of files that nothing speaks against, less those that any other node leads to.
fn contents(fs: &dyn FileSystem, progress: &dyn Progress) -> Result<Spans, SourceGone> {
    let (mut sound, mut doubtful, mut failure) = (Spans::new(), Spans::new(), None);
    fs.census(Census::InUse, progress, &mut |node| match fs.mapping(&node) {
        Ok(mapping) => {
            let plain = node.kind == Kind::File && node.trust == Trust::Intact && mapping.trust == Trust::Intact;
            let into = if plain { &mut sound } else { &mut doubtful };
            for extent in &mapping.extents {
                if let Backing::Device { member: 0, offset } = extent.backing {
                    into.insert(Span::new(offset, extent.len));
                }
            }
            ControlFlow::Continue(())
        }
        Err(gone) => {
            failure = Some(gone);
            ControlFlow::Break(())
        }
    })?;
    if let Some(gone) = failure {
        return Err(gone);
    }
    // Short stretches are not worth a seek.
    Ok(sound.iter().filter(|span| span.len() >= CHUNK as u64 && !doubtful.touches(*span)).collect())
}

fn write_copy(source: &dyn crate::source::ReadAt, target: &File, left_out: &Spans) -> Result<(), PreviewError> {
    target.set_len(source.len())?;
    let mut buf = Buffer::new(CHUNK);
    let mut at = 0;
    while at < source.len() {
        let len = CHUNK.min((source.len() - at) as usize);
        let here = Span::new(at, len as u64);
        if left_out.within(here).next() != Some(here) {
            source.read(at, &mut buf[..len], &mut Spans::new())?;
            for (i, part) in buf[..len].chunks(HOLE).enumerate() {
                if part.iter().any(|&byte| byte != 0) {
                    target.write_all_at(part, at + (i * HOLE) as u64)?;
                }
            }
        }
        at += len as u64;
    }
    Ok(())
}

/// What is compared of a node.
struct Facts {
    /// The first of its paths.
    path: String,
    node: Node,
    /// Bytes of a file's contents that lie somewhere.
    held: u64,
}

/// Every node of a tree.
fn facts(fs: &Arc<dyn FileSystem>, progress: &dyn Progress) -> Result<HashMap<NodeId, Facts>, SourceGone> {
    let tree = Tree::whole(fs.clone(), progress)?;
    let items: Vec<_> = tree.items().collect();
    let nodes = tree.nodes(&items)?;
    let mut all = HashMap::new();
    for (item, node) in items.into_iter().zip(nodes) {
        if let Some(node) = node
            && let Entry::Vacant(vacant) = all.entry(node.id)
        {
            let path = format!("/{}", String::from_utf8_lossy(&tree.path(item)));
            let held = if node.kind == Kind::File { held(&**fs, &node)? } else { 0 };
            vacant.insert(Facts { path, node, held });
        }
    }
    Ok(all)
}

/// Bytes of a file's contents that lie somewhere.
fn held(fs: &dyn FileSystem, node: &Node) -> Result<u64, SourceGone> {
    let lies = |extent: &&Extent| matches!(extent.backing, Backing::Device { .. } | Backing::Inline(_));
    let mapping = fs.mapping(node)?;
    Ok(mapping.extents.iter().filter(lies).fold(0, |sum, extent| sum.saturating_add(extent.len)))
}

/// What becomes of one node.
fn compare(before: &Facts, after: Option<&Facts>) -> Vec<Change> {
    let Some(after) = after else { return vec![Change::Lost] };
    let mut changes = Vec::new();
    if after.path != before.path {
        changes.push(Change::Moved { to: after.path.clone() });
    }
    let of_node = |node: &Node| {
        [
            ("kind", node.kind.letter().to_string()),
            ("size", node.size.to_string()),
            ("mode", format!("{:04o}", node.mode)),
            ("owner", format!("{}:{}", node.uid, node.gid)),
            ("links", node.links.to_string()),
        ]
    };
    for ((what, from), (_, to)) in of_node(&before.node).into_iter().zip(of_node(&after.node)) {
        if from != to {
            changes.push(Change::Changed { what, from, to });
        }
    }
    if after.held < before.held && after.node.size == before.node.size {
        let (from, to) = (before.held.to_string(), after.held.to_string());
        changes.push(Change::Changed { what: "contents", from, to });
    }
    changes
}
