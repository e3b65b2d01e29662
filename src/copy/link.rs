//! Further names of files that are copied already.

use super::done::Done;
use super::job::{Halt, Job};
use super::patience::Patience;
use super::plan::Link;
use super::standing;
use crate::manifest::{Record, Status};
use crate::node::{Kind, Node, NodeId, Unkept};
use crate::sink::{Entry, Failure, Standing};

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
            status: Status::Copied,
            reason: None,
            ..first.clone()
        };
        let mut patience = Patience::new();
        let there = matches!(first.status, Status::Copied | Status::AlreadyThere);
        if !there {
            (record.status, record.reason) = (first.status, first.reason.clone());
            return record;
        }
        let made = loop {
            match self.try_link(link, first, &mut record) {
                Err(Halt::Failure(Failure::Passing(_))) if !self.is_stopped() && patience.wait(self.progress) => {}
                made => break made,
            }
        };
        if let Err(halt) = made {
            self.settle(&mut record, halt);
        }
        record
    }

    /// True if an earlier run made a name, and it is as it was, as far as a destination far away tells.
    fn is_known_link(&self, part: u16, entry: &Entry<'_>, there: &Standing) -> bool {
        if entry.node.kind != Kind::File {
            return standing::is_same_special(entry, there);
        }
        let proof = self.previous.and_then(|previous| previous.proof(entry.path, self.identity(part), entry.node));
        let same_size = there.kind == Kind::File && there.size == entry.node.size;
        proof.is_some_and(|proof| same_size && standing::is_recognised(entry, there, &proof))
    }

    fn try_link(&self, link: &Link, first: &Record, record: &mut Record) -> Result<(), Halt> {
        let node = node_of(first);
        let path = record.path.clone();
        let target = first.target.as_deref().unwrap_or_default();
        let overwrite = self.request.overwrite;
        let entry = Entry { path: &path, node: &node, target, xattrs: &[], data: &[], overwrite };
        if first.unkept.iter().any(|unkept| unkept.what == Unkept::ITSELF) {
            // Of what is not there, there is no second name.
            return Ok(());
        }
        if let Some(standing) = self.sink.standing(&path)? {
            if self.sink.limits().is_far && self.is_known_link(link.part, &entry, &standing) {
                record.status = Status::AlreadyThere;
                return Ok(());
            }
            let other = self.sink.standing(&first.path)?;
            if other.is_some_and(|other| other.identity == standing.identity) {
                record.status = Status::AlreadyThere;
                return Ok(());
            }
            standing::may_replace(&entry, &standing)?;
        }
        record.unkept.extend(self.sink.link(&entry, &first.path)?);
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
