//! A dry run: everything is planned, nothing is written.

use super::done::Done;
use super::job::Job;
use super::lane::{TARGET, note_extents};
use super::run::Prepared;
use super::{Error, Outcome, Request};
use crate::fs::content::Content;
use crate::manifest::{Record, Status};
use crate::node::{Kind, Node};
use crate::progress::Progress;
use crate::sink::Names;
use crate::sink::tar::Tar;
use crate::source::SourceGone;
use crate::tree::ItemId;

/// Names in a destination that is not looked at: what nearly every filesystem takes.
const NAME_MAX: usize = 255;

/// Items whose nodes are asked for at a time.
const BATCH: usize = 1024;

/// Plans `request` and tells `planned` every record.
pub fn run(request: &Request<'_>, progress: &dyn Progress, planned: &mut dyn FnMut(&Record)) -> Result<Outcome, Error> {
    let prepared = Prepared::new(request, Names::plain(NAME_MAX), progress)?;
    let nowhere = Tar::new(Box::new(std::io::sink()));
    let job = Job::new(request, request.hashes, &prepared.places, &nowhere, None, None, progress);
    let plan = &prepared.plan;
    let files = plan.files.iter().map(|file| (file.part, file.item));
    let links = plan.links.iter().map(|link| (link.part, link.item));
    let items: Vec<(u16, ItemId)> = plan.directories.iter().copied().chain(files).chain(links).collect();
    let mut done = Done::new(request.hashes);
    for batch in items.chunk_by(|a, b| a.0 == b.0).flat_map(|part| part.chunks(BATCH)) {
        let part = batch[0].0;
        let tree = job.part(part).tree;
        let batch: Vec<ItemId> = batch.iter().map(|(_, item)| *item).collect();
        for (item, node) in batch.iter().zip(tree.nodes(&batch)?) {
            let lost = node.is_none() && tree.kind(*item) != Kind::Directory;
            let record = match lost {
                true => job.nothing_left_of(part, *item),
                false => planned_record(&job, part, *item, node.as_ref())?,
            };
            planned(&record);
            done.add(&record);
            done.lines.clear();
        }
    }
    done.counts.bytes = plan.bytes;
    done.counts.hard_links = plan.links.len() as u64;
    let (counts, problems) = (done.counts, done.problems);
    drop(job);
    Ok(prepared.outcome(counts, problems, None))
}

/// What would be copied, and from where.
fn planned_record(job: &Job<'_>, part: u16, item: ItemId, node: Option<&Node>) -> Result<Record, SourceGone> {
    let mut record = Record { status: Status::Planned, ..job.record(part, item, node) };
    if let Some(node) = node.filter(|node| matches!(node.kind, Kind::File | Kind::Symlink)) {
        let content = Content::open(&**job.part(part).tree.fs(), node)?;
        match node.kind {
            Kind::File => note_extents(&mut record, &content.runs(), job.part(part).start),
            _ => record.target = content.read_all(TARGET)?.map(|(target, _)| target),
        }
    }
    Ok(record)
}
