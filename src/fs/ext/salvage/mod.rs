//! What is found where the tables of the disk no longer lead.
//!
//! The reader asks at these seams, and reads on the same way whatever the answer:
//!
//! - [`evidence`]: a superblock and descriptors better than the primary ones, asked before and after the journal is
//!   replayed, when the primary ones are not sound;
//! - [`Remains`]: kept by the opened filesystem, empty until a search filled it. Inodes, directory entries and blocks
//!   found in it come before those of the disk.

mod before;
mod buried;
mod candidates;
mod claims;
mod copies;
mod deleted;
mod descriptors;
mod detached;
mod directories;
mod displaced;
mod entries;
mod foreign;
mod generation;
mod hashed;
mod infer;
mod irregular;
mod layout;
mod leaves;
mod mend;
mod pattern;
mod record;
mod remains;
mod roll;
mod search;
mod shifted;
mod sighting;
mod superblock;
mod supposed;
mod tables;
mod traces;
mod trial;
mod uncounted;
mod written;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use before::{Older, evidence as before, written_by as written};
pub use candidates::spare;
pub use deleted::{Deleted, find as find_deleted};
pub use record::{Verdict, judge as judge_record};
pub use remains::{Owner, Remains};
pub use search::salvage;
pub use superblock::has_backup;
pub use traces::Traces;
pub use trial::is_borne_out;

use roll::Roll;

use super::disk::superblock::GOOD_OLD_FIRST_INO;
use super::evidence::{Evidence, of_superblock, prove_superblock};
use super::feature::{FILETYPE, METADATA_CSUM};
use super::geometry::{Copy, Geometry};
use super::recover::{self, Located};
use super::volume::Volume;
use super::{Ext, census, codes, own};
use crate::finding::{Finding, Log, Place};
use crate::fs::{Census, FileSystem, OpenOptions, Stray};
use crate::node::{Kind, NodeId};
use crate::progress::Progress;
use crate::source::{Source, SourceGone};

/// Inodes that only the journal has and that make a filesystem.
const FEWEST_IN_JOURNAL: usize = 16;

/// Better evidence than `primary`, which is missing or not sound; `primary` itself where there is none. The source is
/// searched where need be, unless a search already saw what is there.
///
/// # Errors
/// When the source is gone.
pub fn evidence(
    source: &Source,
    options: &OpenOptions,
    primary: Option<Evidence>,
    seen: Option<Arc<Traces>>,
    progress: &dyn Progress,
) -> Result<Option<Evidence>, SourceGone> {
    let mut traces = seen;
    let chosen = superblock::choose(source, options, &mut traces, progress)?;
    let read = chosen.as_ref().map(|chosen| of_superblock(&**source, chosen.sb, Copy::Primary)).transpose()?.flatten();
    let mut best = match (read, chosen) {
        (Some(read), Some(chosen)) => Some(Evidence { decisions: [read.decisions, chosen.decisions].concat(), ..read }),
        _ if primary.is_none() => {
            let traces = traces.map_or_else(|| Traces::find(source, progress), Ok)?;
            return infer::evidence(source, options.block_size, &traces);
        }
        _ => primary,
    };
    if let Some(best) = &mut best {
        mend(source, best)?;
    }
    match best {
        Some(best) if trial::misleads(source, &best.geometry)? => match instead(source, options)? {
            Some(backups) => Ok(Some(backups)),
            None => fuller(source, options, best, traces, progress).map(Some),
        },
        best => Ok(best),
    }
}

/// What the backups say instead of a superblock that leads astray, if they do not.
fn instead(source: &Source, options: &OpenOptions) -> Result<Option<Evidence>, SourceGone> {
    let Some(chosen) = superblock::instead(source, options)? else { return Ok(None) };
    let Some(mut evidence) = of_superblock(&**source, chosen.sb, Copy::Primary)? else { return Ok(None) };
    evidence.decisions.extend(chosen.decisions);
    mend(source, &mut evidence)?;
    Ok(if trial::misleads(source, &evidence.geometry)? { None } else { Some(evidence) })
}

/// Mends what other structures show to be wrong.
fn mend(source: &Source, evidence: &mut Evidence) -> Result<(), SourceGone> {
    let is_proved = is_proved(evidence);
    if !is_proved {
        if let Some(size) = trial::shown_inode_size(source, &evidence.geometry)? {
            evidence.geometry.inode_size = size;
            evidence.decisions.push(format!("inodes have {size} bytes, whatever the superblock says"));
        }
        if trial::hides_files(source, &evidence.geometry)? {
            let said = std::mem::replace(&mut evidence.geometry.first_inode, GOOD_OLD_FIRST_INO);
            evidence.decisions.push(format!("files have inodes below {said}, the first by the superblock"));
        }
    }
    // A right checksum does not prove the UUID to be the one that all else was written with.
    evidence.decisions.extend(mend_checksums(source, &mut evidence.geometry, is_proved)?);
    if !is_proved {
        evidence.decisions.extend(descriptors::mend_size(source, &mut evidence.geometry)?);
    }
    if let Some(wider) = uncounted::find(source, evidence)? {
        let (said, shown) = (evidence.geometry.group_count(), wider.group_count());
        evidence.geometry = wider;
        evidence.decisions.push(format!("there are {shown} groups, whatever the superblock says, which counts {said}"));
        evidence.log.add(Finding::new(
            codes::SUPERBLOCK_COUNTS,
            Place::volume(),
            format!("groups {said}"),
            shown.to_string(),
        ));
    }
    let reserved = evidence.superblock.s_reserved_gdt_blocks.get();
    evidence.decisions.extend(descriptors::place(source, &mut evidence.geometry, reserved)?);
    if !is_proved {
        evidence.decisions.extend(mend_kinds(source, &mut evidence.geometry)?);
    }
    Ok(())
}

/// True where a checksum proves the superblock.
fn is_proved(evidence: &Evidence) -> bool {
    prove_superblock(&evidence.superblock, &evidence.geometry).is_some_and(|sums| sums.agree())
}

/// Corrects what the superblock says of checksums where the inodes' own show the contrary. That there are some, a right one
/// of its own proves.
fn mend_checksums(source: &Source, geometry: &mut Geometry, is_proved: bool) -> Result<Option<String>, SourceGone> {
    let says = geometry.has_checksums().then_some(geometry.seed);
    let differs = |shown: &Option<_>| *shown != says && (shown.is_some() || !is_proved);
    let Some(shown) = trial::shown_seed(source, geometry)?.filter(differs) else { return Ok(None) };
    geometry.features.ro_compat &= !METADATA_CSUM.bit;
    let what = match shown {
        Some(seed) => {
            geometry.features.ro_compat |= METADATA_CSUM.bit;
            geometry.seed = seed;
            "inodes have checksums, which say how they begin"
        }
        None => "inodes have no checksums",
    };
    Ok(Some(format!("{what}, whatever the superblock says")))
}

/// Corrects the feature that says whether entries record kinds, where directories show the contrary.
fn mend_kinds(source: &Source, geometry: &mut Geometry) -> Result<Option<String>, SourceGone> {
    let says = geometry.features.has(FILETYPE);
    let Some(shown) = trial::shown_kinds(source, geometry)?.filter(|shown| *shown != says) else { return Ok(None) };
    geometry.features.incompat = geometry.features.incompat & !FILETYPE.bit | if shown { FILETYPE.bit } else { 0 };
    let what = if shown { "record" } else { "do not record" };
    Ok(Some(format!("directories {what} the kinds of files, whatever the superblock says")))
}

/// Of `best`, which leads astray, and what the directories show of the geometry, the one with more files.
fn fuller(
    source: &Source,
    options: &OpenOptions,
    best: Evidence,
    traces: Option<Arc<Traces>>,
    progress: &dyn Progress,
) -> Result<Evidence, SourceGone> {
    let traces = traces.map_or_else(|| Traces::find(source, progress), Ok)?;
    if traces.dirs.is_empty() {
        return Ok(best);
    }
    let Some(mut shown) = infer::evidence(source, options.block_size, &traces)? else { return Ok(best) };
    if before::files(source, &shown, progress)? <= before::files(source, &best, progress)? {
        return Ok(best);
    }
    // Small groups, placed one by one, follow blocks of tables to wherever those were written by mistake.
    let balance = |of: &Evidence| infer::balance(source, &of.geometry, shown.geometry.block_size.into(), &traces);
    if balance(&shown)? < balance(&best)? {
        return Ok(best);
    }
    shown.decisions.insert(0, "the superblock leads astray, and so do its copies".to_owned());
    Ok(shown)
}

/// True where what lies on a volume, or its journal, has the inodes that `evidence` speaks of.
///
/// # Errors
/// When the source is gone.
pub fn leads_to_inodes(source: &Source, evidence: &Evidence, progress: &dyn Progress) -> Result<bool, SourceGone> {
    if !trial::is_gone(source, &evidence.geometry)? {
        return Ok(true);
    }
    let volume = Volume::new(source.clone(), evidence);
    let roll = Roll::take(&volume, progress)?;
    Ok(older(&volume, &roll)?.is_some_and(|older| older.inodes.len() >= FEWEST_IN_JOURNAL))
}

/// What the journal still holds of what is damaged; `None` where there is no journal.
fn older(volume: &Volume, roll: &Roll) -> Result<Option<copies::Older>, SourceGone> {
    match recover::locate(volume, None, &mut Log::new())? {
        Located::Found(journal) => copies::read(volume, &journal, roll).map(Some),
        _ => Ok(None),
    }
}

/// The inodes in use that no directory named.
///
/// # Errors
/// When the source is gone.
pub fn strays(
    ext: &Ext,
    reached: &mut dyn FnMut(NodeId, Kind) -> bool,
    progress: &dyn Progress,
) -> Result<Vec<Stray>, SourceGone> {
    let mut strays = Vec::new();
    census::census(ext, Census::InUse, progress, &mut |node| {
        if !reached(node.id, node.kind) {
            strays.push(Stray { node, parent: None, name: None });
        }
        ControlFlow::Continue(())
    })?;
    leave_out_own(&ext.volume, &mut strays)?;
    let Some(remains) = ext.volume.remains() else { return Ok(strays) };
    for nr in &remains.made_up {
        if let Some(node) = ext.node(nr.node())?.filter(|node| !reached(node.id, node.kind)) {
            strays.push(Stray { node, parent: None, name: Some(format!("directory-{nr}").into_bytes()) });
        }
    }
    for stray in strays.iter_mut().filter(|stray| stray.node.kind == Kind::Directory && stray.name.is_none()) {
        stray.parent = ext.parent(&stray.node)?;
    }
    Ok(strays)
}

/// Leaves out files of the filesystem's own: where the superblock is lost or wrong, only their contents tell.
fn leave_out_own(volume: &Volume, strays: &mut Vec<Stray>) -> Result<(), SourceGone> {
    let mut kept = Vec::new();
    for stray in std::mem::take(strays) {
        let nr = u32::try_from(stray.node.id.0).ok().and_then(|nr| volume.geometry.inode(nr));
        let is_file = nr.filter(|_| stray.node.kind == Kind::File);
        if !is_file.map(|nr| own::is_own(volume, nr)).transpose()?.unwrap_or(false) {
            kept.push(stray);
        }
    }
    *strays = kept;
    Ok(())
}
