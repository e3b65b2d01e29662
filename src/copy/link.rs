//! Further names of files that are copied already.

use super::done::Done;
use super::job::{Halt, Job};
use super::lane::Lane;
use super::patience::Patience;
use super::plan::{Link, Planned};
use super::standing;
use crate::manifest::{Record, Status};
use crate::node::{Kind, Unkept};
use crate::sink::{Entry, Failure, Standing};

/// What a destination did not take where two names are two files.
const LINK: &str = "hard link";

impl Job<'_> {
    /// Makes a batch of further names.
    pub fn make_links(&self, batch: &[Link], lane: &mut Lane) -> Done {
        let mut done = Done::new(self.hashes);
        for link in batch {
            let first = self.first_name(link.part, link.first);
            let record = match first {
                Some(first) if !self.is_stopped() => self.make_link(link, &first, lane),
                _ => self.left(link.part, link.item),
            };
            let is_link = !record.unkept.iter().any(|unkept| unkept.what == LINK);
            done.counts.hard_links += u64::from(record.status == Status::Copied && is_link);
            done.add(&record);
        }
        self.progress.files(batch.len() as u64);
        done
    }

    fn make_link(&self, link: &Link, first: &Record, lane: &mut Lane) -> Record {
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
        let mut patience = Patience::new(self.request.patience);
        let there = matches!(first.status, Status::Copied | Status::AlreadyThere);
        if !there {
            (record.status, record.reason) = (first.status, first.reason.clone());
            return record;
        }
        let made = loop {
            match self.try_link(link, first, &mut record) {
                Err(Halt::Failure(failure))
                    if patience.wait(&failure, (self.progress, &self.luck), || self.is_stopped()) => {}
                made => break made,
            }
        };
        match made {
            Ok(()) => {}
            Err(Halt::Failure(Failure::Refused(why))) if record.kind == Kind::File => {
                return self.copy_instead(link, first, why, lane);
            }
            Err(halt) => self.settle(&mut record, halt),
        }
        record
    }

    /// Copies the file once more under a further name, where the destination has no hard links.
    fn copy_instead(&self, link: &Link, first: &Record, why: String, lane: &mut Lane) -> Record {
        let Link { part, item, .. } = *link;
        let file = Planned {
            rank: 0,
            offset: 0,
            id: first.node().id,
            part,
            item,
            linked: false,
            bytes: first.size,
            size: first.size,
        };
        let Some(opened) = self.open_batch(part, &[file]) else { return self.left(part, item) };
        let Some(Some(opened)) = opened.first() else { return self.nothing_left_of(part, item) };
        let mut record = self.copy_file(&file, opened, lane);
        record.unkept.push(Unkept { what: LINK.into(), why });
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
        let node = first.node();
        let path = record.path.clone();
        let target = first.target.as_deref().unwrap_or_default();
        let overwrite = self.request.overwrite;
        let entry = Entry { path: &path, node: &node, target, xattrs: &[], data: &[], overwrite };
        if first.is_in_manifest_alone() {
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
