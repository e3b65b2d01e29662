//! Opens a volume: evidence, journal, evidence again as the journal left it, orphans.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use super::changes::Changes;
use super::evidence::{self, Evidence};
use super::feature;
use super::recover::{Recovered, recover};
use super::salvage::Traces;
use super::volume::Volume;
use super::{Ext, codes, orphan, salvage};
use crate::bytes::{Span, Spans};
use crate::finding::{Finding, Log, Place};
use crate::fs::{FileSystem, JournalState, Members, OpenOptions};
use crate::progress::Progress;
use crate::source::{Source, SourceGone};

/// Opens the filesystem on the first of `members`; the second is the device of an external journal.
pub fn open(
    members: &Members,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<Option<Arc<dyn FileSystem>>, SourceGone> {
    let Some(disk) = members.first() else { return Ok(None) };
    let seen = members.lead.sightings();
    let Some(before) = evidence::choose(disk, options, seen.clone(), progress)? else { return Ok(None) };
    let external = members.devices.get(1).and_then(Option::as_ref);
    let recovered = replay(disk, &before, external, options)?;
    let ext = build(disk, (before, seen), recovered, options, progress)?;
    Ok(Some(Arc::new(ext)))
}

/// Opens what is left below a filesystem of another kind: only where a copy of the superblock is in its place, and
/// inode tables are where it says, or in the journal.
pub fn beneath(
    members: &Members,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<Option<Arc<dyn FileSystem>>, SourceGone> {
    let Some(disk) = members.first() else { return Ok(None) };
    if options.strict || !salvage::has_backup(disk)? {
        return Ok(None);
    }
    let Some(mut before) = evidence::choose(disk, options, None, progress)? else { return Ok(None) };
    if !salvage::leads_to_inodes(disk, &before, progress)? {
        return Ok(None);
    }
    let over = "an older filesystem, over which another one was made".to_owned();
    let unknown = if members.is_written_over { "; what that one has written since, nothing tells" } else { "" };
    before.decisions.insert(0, over + unknown);
    let recovered = replay(disk, &before, None, options)?;
    let mut ext = build(disk, (before, None), recovered, options, progress)?;
    if members.is_written_over {
        ext.volume.overwritten(&Spans::from_iter([Span::new(0, disk.len())]));
    }
    Ok(Some(Arc::new(ext)))
}

fn replay(
    disk: &Source,
    before: &Evidence,
    external: Option<&Source>,
    options: &OpenOptions,
) -> Result<Recovered, SourceGone> {
    let volume = Volume::new(disk.clone(), before);
    if !options.no_replay {
        return recover(&volume, external);
    }
    let waits = volume.geometry.features.has(feature::NEEDS_RECOVERY);
    let mut skipped = Recovered::default();
    if waits {
        skipped.decisions.push("The journal was not replayed, as asked.".to_owned());
    }
    Ok(skipped)
}

/// The filesystem as the journal leaves it: superblock and descriptors are judged anew where it wrote anything. `seen` is
/// what a search of the disk saw.
fn build(
    disk: &Source,
    (before, seen): (Evidence, Option<Arc<Traces>>),
    recovered: Recovered,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<Ext, SourceGone> {
    let superblock_on_disk = before.superblock;
    let Recovered { state, blocks, changes, log: journal_log, decisions } = recovered;
    let (source, evidence): (Source, Evidence) = match blocks {
        None => (disk.clone(), before),
        Some(blocks) => {
            let source: Source = Arc::new(blocks.over(disk.clone()));
            let after = evidence::choose(&source, options, seen, progress)?;
            (source, after.unwrap_or(before))
        }
    };
    let mut volume = Volume::new(source, &evidence);
    volume.changes = Arc::new(Changes::gather(changes, &volume)?);
    let mut log = evidence.log;
    log.merge(journal_log);
    judge_state(&volume, state, &mut log);
    let orphans = orphan::read(&volume, &mut log)?;
    let decisions = evidence.decisions.into_iter().chain(decisions).collect();
    Ok(Ext {
        volume,
        superblock_on_disk,
        options: options.clone(),
        journal: state,
        orphans,
        log,
        decisions,
        shared: OnceLock::new(),
        sizes_lie: OnceLock::new(),
        deleted: OnceLock::new(),
        refuted: AtomicBool::new(false),
    })
}

/// A filesystem that is read as it lies, by evidence that is not on it any more: what its journal held is gone.
/// `written` are the bytes that a newer one wrote over it.
pub fn as_it_lies(source: Source, evidence: Evidence, written: &Spans, options: &OpenOptions) -> Arc<dyn FileSystem> {
    let mut volume = Volume::new(source, &evidence);
    volume.overwritten(written);
    Arc::new(Ext {
        volume,
        superblock_on_disk: evidence.superblock,
        options: options.clone(),
        journal: None,
        orphans: BTreeSet::new(),
        log: evidence.log,
        decisions: evidence.decisions,
        shared: OnceLock::new(),
        sizes_lie: OnceLock::new(),
        deleted: OnceLock::new(),
        refuted: AtomicBool::new(false),
    })
}

/// What the superblock says of the volume's past.
fn judge_state(volume: &Volume, journal: Option<JournalState>, log: &mut Log) {
    let sb = &volume.superblock;
    if sb.s_error_count.get() > 0 {
        let facts = format!("{} errors", sb.s_error_count);
        log.add(Finding::new(codes::ERRORS_RECORDED, Place::volume(), facts, "none"));
    }
    if journal == Some(JournalState::Replayed) {
        log.add(Finding::new(codes::JOURNAL_REPLAYED, Place::volume(), "transactions waiting", "none"));
    }
}
