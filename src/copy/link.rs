//! Further names of files that are copied already.

use super::done::Done;
use super::job::{Halt, Job};
use super::plan::Link;
use super::standing;
use crate::manifest::{Record, Status};
use crate::node::{Node, NodeId};
use crate::sink::Entry;

impl Job<'_> {
    /// Makes a batch of further names.
    pub fn make_links(&self, batch: &[Link]) -> Done {
        let mut done = Done::new(self.hashes);
        for link in batch {
            let first = self.first_name(link.part, link.first);
            let record = match first {
                Some(first) if !self.is_stopped() => self.make_link(link, &first),
                _ => self.left(link.part, link.item),
            };
            done.counts.hard_links += u64::from(record.status == Status::Copied);
            done.add(&record);
        }
        self.progress.files(batch.len() as u64);
        done
    }

    fn make_link(&self, link: &Link, first: &Record) -> Record {
        let named = self.record(link.part, link.item, None);
        let name_trust = self.part(link.part).tree.trust(link.item);
        let mut record = Record {
            path: named.path,
            source: named.source,
            trust: first.trust.max(name_trust),
            unkept: Vec::new(),
            status: Status::Copied,
            reason: None,
            ..first.clone()
        };
        let there = matches!(first.status, Status::Copied | Status::AlreadyThere);
        if !there {
            (record.status, record.reason) = (first.status, first.reason.clone());
            return record;
        }
        if let Err(halt) = self.try_link(first, &mut record) {
            self.settle(&mut record, halt);
        }
        record
    }

    fn try_link(&self, first: &Record, record: &mut Record) -> Result<(), Halt> {
        let node = node_of(first);
        let path = record.path.clone();
        let target = first.target.as_deref().unwrap_or_default();
        let overwrite = self.request.overwrite;
        let entry = Entry { path: &path, node: &node, target, xattrs: &[], data: &[], overwrite };
        if let Some(standing) = self.sink.standing(&path)? {
            let other = self.sink.standing(&first.path)?;
            if other.is_some_and(|other| other.identity == standing.identity) {
                record.status = Status::AlreadyThere;
                return Ok(());
            }
            standing::may_replace(&entry, &standing)?;
        }
        record.unkept = self.sink.link(&entry, &first.path)?;
        Ok(())
    }
}

/// What a sink needs to know of a file for a further name of it.
fn node_of(record: &Record) -> Node {
    Node {
        id: NodeId(record.inode),
        kind: record.kind,
        mode: record.mode,
        uid: record.uid,
        gid: record.gid,
        links: record.links,
        size: record.size,
        allocated: 0,
        times: record.times,
        device: record.device,
        encrypted: false,
        trust: record.trust,
    }
}
