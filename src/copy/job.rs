//! What all lanes of a run share: [`Job`], and how it stops.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::journal::Journal;
use super::pace::Pace;
use super::patience::Luck;
use super::place::Places;
use super::previous::Previous;
use super::{Hashes, Part, Request, Stopped};
use crate::manifest::{Digests, Flaw, Record, Status};
use crate::name::escaped;
use crate::node::{Kind, Node, Trust};
use crate::progress::Progress;
use crate::sink::{Failure, Sink};
use crate::source::SourceGone;
use crate::time::Times;
use crate::tree::{ItemId, Tree};

/// A run, as its lanes see it.
pub struct Job<'a> {
    /// What was asked for.
    pub request: &'a Request<'a>,
    /// Which hashes are made.
    pub hashes: Hashes,
    /// Where items go.
    pub places: &'a Places<'a>,
    /// Where bytes go.
    pub sink: &'a dyn Sink,
    /// What earlier runs left.
    pub previous: Option<&'a Previous>,
    /// What is half-sent; `None` where nothing can be gone on with.
    pub journal: Option<&'a Journal>,
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// Names of the parts' volumes.
    volumes: Vec<Arc<str>>,
    /// What tells the parts' volumes from those of other images.
    identities: Vec<String>,
    /// What was found wrong with directories while they were listed, by the number of their node.
    listed: Vec<HashMap<u64, Vec<Flaw>>>,
    /// Files of which further names are still to come, by their first item.
    linked: Mutex<HashMap<(u16, ItemId), Arc<Record>>>,
    /// What the destination took so far.
    pub luck: Luck,
    pace: Option<Pace>,
    stopped: AtomicBool,
    why: Mutex<Option<Stopped>>,
}

/// Why one file was not copied.
pub enum Halt {
    /// The destination did not take it.
    Failure(Failure),
    /// The source is gone.
    Gone(SourceGone),
    /// The user asked to stop.
    Interrupted,
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Halt::Failure(failure)
    }
}

impl From<SourceGone> for Halt {
    fn from(gone: SourceGone) -> Self {
        Halt::Gone(gone)
    }
}

impl<'a> Job<'a> {
    /// A run that has not begun.
    pub fn new(
        request: &'a Request<'a>,
        hashes: Hashes,
        places: &'a Places<'a>,
        sink: &'a dyn Sink,
        previous: Option<&'a Previous>,
        journal: Option<&'a Journal>,
        progress: &'a dyn Progress,
    ) -> Self {
        let identity = |part: &Part<'_>| part.tree.fs().summary().uuid.unwrap_or_else(|| part.volume.clone());
        Job {
            request,
            hashes,
            places,
            sink,
            previous,
            journal,
            progress,
            volumes: request.parts.iter().map(|part| Arc::from(&*part.volume)).collect(),
            identities: request.parts.iter().map(identity).collect(),
            listed: request.parts.iter().map(|part| flaws_by_node(part.tree)).collect(),
            linked: Mutex::default(),
            luck: Luck::default(),
            pace: request.bandwidth.map(Pace::new),
            stopped: AtomicBool::new(false),
            why: Mutex::default(),
        }
    }

    /// A part by its number.
    pub fn part(&self, n: u16) -> &'a Part<'a> {
        &self.request.parts[usize::from(n)]
    }

    /// What tells a part's volume from those of other images.
    pub fn identity(&self, n: u16) -> &str {
        &self.identities[usize::from(n)]
    }

    /// Stops the run; the first reason is kept.
    pub fn stop(&self, why: Stopped) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Waits until `bytes` more may go to the destination.
    pub fn pace(&self, bytes: u64) {
        if let Some(pace) = &self.pace {
            pace.wait(bytes, || self.is_stopped());
        }
    }

    /// True if nothing more is to be begun.
    pub fn is_stopped(&self) -> bool {
        if self.request.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.stop(Stopped::Deadline);
        }
        if self.progress.interrupted() {
            self.stop(Stopped::Interrupted);
        }
        self.stopped.load(Ordering::Relaxed)
    }

    /// Why the run stopped, if it did.
    pub fn why(&self) -> Option<Stopped> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the record of a file of which further names are still to come.
    pub fn remember(&self, part: u16, item: ItemId, record: &Record) {
        let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        linked.insert((part, item), Arc::new(record.clone()));
    }

    /// The record of a file's first name.
    pub fn first_name(&self, part: u16, item: ItemId) -> Option<Arc<Record>> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).get(&(part, item)).cloned()
    }

    /// What is known of an item before it is copied. Without a node only what its entry tells.
    pub fn record(&self, part: u16, item: ItemId, node: Option<&Node>) -> Record {
        let tree = self.part(part).tree;
        let mut path = self.places.path(part, item);
        let source = self.places.source(part, item, &path);
        if path.is_empty() {
            path.push(b'.');
        }
        Record {
            path,
            volume: self.volumes[usize::from(part)].clone(),
            source,
            inode: node.map_or(tree.id(item).0, |node| node.id.0),
            kind: node.map_or(tree.kind(item), |node| node.kind),
            size: node.map_or(0, |node| node.size),
            mode: node.map_or(0, |node| node.mode),
            uid: node.map_or(0, |node| node.uid),
            gid: node.map_or(0, |node| node.gid),
            links: node.map_or(0, |node| node.links),
            times: node.map_or(Times::default(), |node| node.times),
            device: node.and_then(|node| node.device),
            target: None,
            xattrs: Vec::new(),
            digests: Digests::default(),
            data_blake3: None,
            extents: Vec::new(),
            data: Vec::new(),
            lost: Vec::new(),
            findings: Vec::new(),
            trust: node.map_or(Trust::Intact, |node| node.trust).max(tree.trust(item)),
            status: Status::Copied,
            reason: None,
            unkept: Vec::new(),
            etag: None,
            packed: None,
        }
    }

    /// Notes on a record why it was not copied, and stops the run where nothing more can be.
    pub fn settle(&self, record: &mut Record, halt: Halt) {
        record.status = Status::Left;
        match halt {
            Halt::Gone(gone) => self.stop(Stopped::SourceGone(gone)),
            Halt::Interrupted => self.stop(Stopped::Interrupted),
            Halt::Failure(Failure::Full) => self.stop(Stopped::Full),
            Halt::Failure(Failure::Gone(error)) => self.stop(Stopped::DestinationGone(error.to_string())),
            Halt::Failure(Failure::Passing(why)) => self.stop(Stopped::DestinationGone(why)),
            Halt::Failure(Failure::Busy(why)) => {
                self.stop(Stopped::DestinationGone(format!(
                    "{}: {why}; it is there, but takes nothing: its disks may be full, or this name is too much for it \
                     (--exclude)",
                    escaped(&record.path)
                )));
            }
            Halt::Failure(failure @ Failure::Stands(_)) => {
                record.status = Status::Kept;
                record.reason = Some(failure.to_string());
            }
            Halt::Failure(failure @ (Failure::Refused(_) | Failure::Forgotten(_) | Failure::Apart)) => {
                record.status = Status::Failed;
                record.reason = Some(failure.to_string());
            }
        }
    }

    /// Adds to a directory's record what was found wrong with it while it was listed.
    pub fn note_listing(&self, part: u16, record: &mut Record) {
        if let Some(flaws) = self.listed[usize::from(part)].get(&record.inode) {
            record.findings.extend(flaws.iter().cloned());
        }
    }

    /// Reads a node's extended attributes into its record.
    pub fn read_xattrs(&self, part: u16, node: &Node, record: &mut Record) -> Result<(), SourceGone> {
        let judged = self.part(part).tree.fs().xattrs(node)?;
        record.xattrs = judged.value;
        record.trust = record.trust.max(judged.trust);
        record.findings.extend(judged.findings.iter().map(Flaw::from));
        Ok(())
    }
}

fn flaws_by_node(tree: &Tree) -> HashMap<u64, Vec<Flaw>> {
    let mut flaws: HashMap<u64, Vec<Flaw>> = HashMap::new();
    for finding in tree.log().findings() {
        if let Some(inode) = finding.place.inode {
            flaws.entry(inode).or_default().push(Flaw::from(finding));
        }
    }
    flaws
}

/// The node of the directory, made by us, of what has no known name.
pub fn made_up_directory(item_id: crate::node::NodeId) -> Node {
    Node {
        id: item_id,
        kind: Kind::Directory,
        mode: 0o700,
        uid: 0,
        gid: 0,
        links: 2,
        size: 0,
        allocated: 0,
        times: Times::default(),
        device: None,
        encrypted: false,
        trust: Trust::Intact,
    }
}
