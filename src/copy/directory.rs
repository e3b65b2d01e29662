//! Directories: made before what is in them, finished after it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::done::Done;
use super::job::{Halt, Job, made_up_directory};
use super::patience::patiently;
use crate::manifest::{Record, Status};
use crate::node::{Node, NodeId, Unkept};
use crate::sink::{Entry, Failure};
use crate::source::SourceGone;
use crate::tree::ItemId;

/// A directory of a part.
pub type Directory = (u16, ItemId);

impl Job<'_> {
    /// Nodes of directories of one part; a made-up one for the directory of what is lost, and for one whose inode is lost.
    fn directory_nodes(&self, batch: &[Directory]) -> Result<Vec<Node>, SourceGone> {
        let items: Vec<ItemId> = batch.iter().map(|(_, item)| *item).collect();
        let Some((part, _)) = batch.first() else { return Ok(Vec::new()) };
        let tree = self.part(*part).tree;
        let nodes = tree.nodes(&items)?;
        Ok(items
            .iter()
            .zip(nodes)
            .map(|(item, node)| node.unwrap_or_else(|| made_up_directory(tree.id(*item))))
            .collect())
    }

    /// Makes directories that no part has, on the way to others.
    pub fn make_implied(&self, paths: &[Vec<u8>]) -> Result<(), Failure> {
        let node = Node { mode: 0o755, ..made_up_directory(NodeId(0)) };
        let overwrite = self.request.overwrite;
        paths.iter().try_for_each(|path| {
            let entry = Entry { path, node: &node, target: &[], xattrs: &[], data: &[], overwrite };
            patiently(self.progress, self.request.patience, || self.sink.directory(&entry))
        })
    }

    /// Gives directories that no part has the mode that new directories have.
    pub fn finish_implied(&self, paths: &[Vec<u8>]) {
        let node = Node { mode: 0o755, ..made_up_directory(NodeId(0)) };
        for path in paths.iter().rev() {
            let entry = Entry { path, node: &node, target: &[], xattrs: &[], data: &[], overwrite: false };
            // They are in no record, and what is in them is there whatever their mode.
            let _ = self.sink.finish_directory(&entry);
        }
    }

    /// Makes a batch of directories of one part. Those that failed are noted in `failed`, with their records in what is
    /// returned; the others' records are written when they are finished.
    pub fn make_directories(&self, batch: &[Directory], failed: &Mutex<HashSet<Directory>>) -> Done {
        let mut done = Done::new(self.hashes);
        let nodes = match self.directory_nodes(batch) {
            Ok(nodes) => nodes,
            Err(gone) => {
                self.stop(super::Stopped::SourceGone(gone));
                Vec::new()
            }
        };
        for (directory, node) in batch.iter().zip(&nodes) {
            if self.is_stopped() {
                break;
            }
            if let Err(record) = self.make_directory(*directory, node) {
                failed.lock().unwrap_or_else(PoisonError::into_inner).insert(*directory);
                done.add(&record);
            }
        }
        done
    }

    fn make_directory(&self, (part, item): Directory, node: &Node) -> Result<(), Box<Record>> {
        let path = self.places.path(part, item);
        let overwrite = self.request.overwrite;
        let entry = Entry { path: &path, node, target: &[], xattrs: &[], data: &[], overwrite };
        patiently(self.progress, self.request.patience, || self.sink.directory(&entry)).map_err(|failure| {
            let mut record = Box::new(self.record(part, item, Some(node)));
            self.settle(&mut record, Halt::Failure(failure));
            record
        })
    }

    /// Restores the attributes of a batch of directories of one part, last first, and writes their records. `restore`:
    /// false for a destination whose directories are not ours to change.
    pub fn finish_directories(&self, batch: &[Directory], restore: bool) -> Done {
        let mut done = Done::new(self.hashes);
        let nodes = match self.directory_nodes(batch) {
            Ok(nodes) => nodes,
            Err(gone) => {
                self.stop(super::Stopped::SourceGone(gone));
                batch.iter().for_each(|(part, item)| done.add(&self.left(*part, *item)));
                return done;
            }
        };
        for ((part, item), node) in batch.iter().zip(&nodes).rev() {
            let mut record = self.record(*part, *item, Some(node));
            self.note_listing(*part, &mut record);
            match self.finish_directory(*part, node, restore, &mut record) {
                Ok(()) => {}
                // A run that was stopped has not made all of them.
                Err(_) if self.is_stopped() => record.status = Status::Left,
                Err(halt) => self.settle(&mut record, halt),
            }
            done.add(&record);
        }
        done
    }

    fn finish_directory(&self, part: u16, node: &Node, restore: bool, record: &mut Record) -> Result<(), Halt> {
        self.read_xattrs(part, node, record)?;
        let path = if record.path == b"." { b"" } else { &record.path[..] };
        let entry = Entry { path, node, target: &[], xattrs: &record.xattrs, data: &[], overwrite: false };
        if restore || !self.stood_there(path) {
            record.unkept = patiently(self.progress, self.request.patience, || self.sink.finish_directory(&entry))?;
        } else {
            record.status = Status::AlreadyThere;
            let why = "it stood there before";
            record.unkept = ["owner", "mode", "times"].map(|what| Unkept { what: what.into(), why: why.into() }).into();
            record.unkept.extend(
                record
                    .xattrs
                    .iter()
                    .map(|xattr| Unkept { what: String::from_utf8_lossy(&xattr.name).into_owned(), why: why.into() }),
            );
        }
        Ok(())
    }

    fn stood_there(&self, path: &[u8]) -> bool {
        path.is_empty() || self.sink.is_older(path)
    }
}
