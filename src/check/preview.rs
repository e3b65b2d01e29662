//! What the system's repair program would do to a volume: run on a sparse copy, and the trees before and after compared.
//!
//! The copy holds at their places all blocks but the contents of files that nothing speaks against; those read as zeros
//! in it, which no repair looks at. Names, sizes, owners and modes are compared, not contents.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::repairs::{Repair, repair_of};
use crate::bytes::{Span, Spans};
use crate::fs::{Census, DRIVERS, FileSystem, Members, OpenOptions};
use crate::node::{Backing, Kind, Node, NodeId, Trust};
use crate::progress::Progress;
use crate::source::{FileSource, SourceGone};
use crate::tree::Tree;

/// Bytes copied at once.
const CHUNK: usize = 1 << 20;
/// Bytes that are left out of the copy where all are zero.
const HOLE: usize = 4096;
/// How often the repair is asked whether it is done.
const TICK: Duration = Duration::from_millis(20);

/// How the repair ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// It ended by itself.
    Ended {
        /// Its exit code: 0 nothing to do, 1 repaired, 4 and more not wholly.
        code: i32,
    },
    /// It crashed: running it on the disk is a danger.
    Crashed {
        /// The signal.
        signal: i32,
    },
    /// It did not end in time.
    TimedOut,
    /// The program is not installed.
    NotInstalled {
        /// The package it is in.
        package: &'static str,
    },
}

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
        /// Which: size, kind, mode, owner or links.
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
    /// Files that stay as they are.
    pub survive: u64,
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
        outcome: repair(program, copy, limit)?,
        doomed: BTreeMap::new(),
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
    for (id, (path, node)) in &before {
        let changes = compare(path, node, after.get(id));
        if changes.is_empty() {
            preview.survive += 1;
        } else {
            preview.doomed.insert(path.clone(), changes);
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
    let mut buf = vec![0; CHUNK];
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

/// Runs the repair on the copy, and ends it when it takes too long.
fn repair(repair: &Repair, copy: &Path, limit: Duration) -> io::Result<Outcome> {
    let path = std::env::var("PATH").unwrap_or_default();
    let started = Command::new(repair.program)
        .env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"))
        .arg(repair.argument)
        .arg(copy)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(Outcome::NotInstalled { package: repair.package });
        }
        Err(e) => return Err(e),
    };
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            let signal = std::os::unix::process::ExitStatusExt::signal(&status);
            return Ok(match (status.code(), signal) {
                (Some(code), _) => Outcome::Ended { code },
                (None, signal) => Outcome::Crashed { signal: signal.unwrap_or_default() },
            });
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(Outcome::TimedOut);
        }
        std::thread::sleep(TICK);
    }
}

/// Every node of a tree, under the first of its paths.
fn facts(fs: &Arc<dyn FileSystem>, progress: &dyn Progress) -> Result<HashMap<NodeId, (String, Node)>, SourceGone> {
    let tree = Tree::whole(fs.clone(), progress)?;
    let items: Vec<_> = tree.items().collect();
    let nodes = tree.nodes(&items)?;
    let mut all = HashMap::new();
    for (item, node) in items.into_iter().zip(nodes) {
        if let Some(node) = node {
            let path = || format!("/{}", String::from_utf8_lossy(&tree.path(item)));
            all.entry(node.id).or_insert_with(|| (path(), node));
        }
    }
    Ok(all)
}

/// What becomes of one node.
fn compare(path: &str, before: &Node, after: Option<&(String, Node)>) -> Vec<Change> {
    let Some((new_path, after)) = after else { return vec![Change::Lost] };
    let mut changes = Vec::new();
    if new_path != path {
        changes.push(Change::Moved { to: new_path.clone() });
    }
    let facts = |node: &Node| {
        [
            ("kind", node.kind.letter().to_string()),
            ("size", node.size.to_string()),
            ("mode", format!("{:04o}", node.mode)),
            ("owner", format!("{}:{}", node.uid, node.gid)),
            ("links", node.links.to_string()),
        ]
    };
    for ((what, from), (_, to)) in facts(before).into_iter().zip(facts(after)) {
        if from != to {
            changes.push(Change::Changed { what, from, to });
        }
    }
    changes
}
