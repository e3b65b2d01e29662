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
mod shifted;
mod sighting;
mod superblock;
mod supposed;
mod tables;
mod traces;
mod trial;
mod uncounted;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

pub use before::{Older, evidence as before, written_by as written};
pub use candidates::spare;
pub use deleted::{Deleted, find as find_deleted};
pub use record::{Verdict, judge as judge_record};
pub use remains::{Owner, Remains};
pub use superblock::has_backup;
pub use traces::Traces;
pub use trial::is_borne_out;

use claims::Claims;
use roll::{Roll, State};
use sighting::Sighting;

use super::disk::superblock::GOOD_OLD_FIRST_INO;
use super::evidence::{Evidence, of_superblock, prove_superblock};
use super::feature::{FILETYPE, METADATA_CSUM};
use super::geometry::{Copy, Geometry};
use super::number::{BlockNr, InodeNr};
use super::recover::{self, Located};
use super::volume::Volume;
use super::{Ext, census, codes, own, twins, unflipped};
use crate::bytes::Span;
use crate::finding::{Finding, Log, Place};
use crate::fs::{Census, FileSystem, OpenOptions, Stray, pass};
use crate::node::{Kind, NodeId, Trust};
use crate::progress::{Progress, Unit};
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

/// Searches the whole volume, once.
///
/// # Errors
/// When the source is gone.
pub fn salvage(ext: &Ext, progress: &dyn Progress) -> Result<(), SourceGone> {
    if ext.options.strict || ext.volume.remains().is_some() {
        return Ok(());
    }
    let mut remains = Remains::default();
    let roll = Roll::take(&ext.volume, progress)?;
    // With what the journal still holds, the rest is searched: it then sees what the reader will see.
    let volume = match older(&ext.volume, &roll)? {
        Some(older) => {
            remains.trust.extend(older.inodes.keys().map(|nr| (*nr, Trust::Journal)));
            remains.inodes = older.inodes;
            remains.blocks = older.blocks;
            ext.volume.with(remains.clone())
        }
        None => ext.volume.with(Remains::default()),
    };
    let volume = take_misplaced(volume, &roll, &mut remains);
    let (volume, flips) = take_unflipped(volume, &roll, &mut remains)?;
    let mut roll = Roll::take(&volume, progress)?;
    let mut claims = Claims::take(&volume, &roll, progress)?;
    let sightings = search(&volume, progress)?;
    let displaced = displaced::records(&volume, &roll, &claims, &sightings)?;
    let moved = displaced.len();
    let volume = take_better(volume, displaced, Trust::Renamed, &mut roll, &mut claims, &mut remains)?;
    let mended = mend::directories(&volume, &roll, &claims, &sightings)?;
    let volume = take_better(volume, mended, Trust::Unproven, &mut roll, &mut claims, &mut remains)?;
    let volume = take_nodes(volume, &roll, &mut claims, &sightings, &mut remains)?;
    let volume = leave_foreign(volume, &roll, &mut claims, &sightings, &mut remains)?;
    let astray = directories::astray(&roll, &claims, &sightings);
    let intruding = directories::intruding(&roll, &claims, &sightings, &astray);
    remains.trust.extend(intruding.iter().map(|nr| (*nr, Trust::Doubtful)));
    judge_contradictions(&volume, &roll, &claims, &astray, &mut remains)?;
    let evidence = directories::Evidence {
        volume: &volume,
        roll: &roll,
        claims: &claims,
        sightings: &sightings,
        astray,
        intruding,
    };
    let rebuilt = directories::rebuild(&evidence, &mut remains)?;
    if !remains.entries.contains_key(&InodeNr::ROOT) && !roll.get(InodeNr::ROOT).is_directory() {
        // Nothing is left of the root: a tree needs one all the same.
        remains.inodes.insert(InodeNr::ROOT, directories::record(volume.geometry.inode_size as usize));
        remains.trust.insert(InodeNr::ROOT, Trust::Renamed);
    }
    remains.decisions = decisions(&remains, rebuilt, moved, flips);
    ext.volume.set_remains(remains);
    Ok(())
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

/// What a search found, one sentence each.
fn decisions(remains: &Remains, rebuilt: usize, moved: usize, flips: usize) -> Vec<String> {
    let of = |trust: Trust| remains.trust.values().filter(|it| **it == trust).count();
    let root =
        remains.inodes.contains_key(&InodeNr::ROOT) && remains.trust.get(&InodeNr::ROOT) == Some(&Trust::Renamed);
    let found = [
        (of(Trust::Journal), "inodes are damaged; older copies of them in the journal are used"),
        (flips, "inodes have one flipped bit, which their checksums tell"),
        (moved, "inodes lie in others' places, as the blocks of directories among them tell, or are lost by that"),
        (rebuilt, "directories are put together again from blocks found by their contents"),
        (remains.made_up.len(), "of them have no known inode"),
        (remains.leaves.len(), "files' extent trees are damaged; leaves found by their checksums are used"),
        (of(Trust::Doubtful), "inodes claim blocks that others claim too; they are doubtful"),
        (usize::from(root), "root directory's inode is lost; the tree is rebuilt from the entries that name parents"),
    ];
    found.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}

/// Takes records that lie in another's place for the inodes they prove to be of, where nothing better is known of them.
fn take_misplaced(volume: Volume, roll: &Roll, remains: &mut Remains) -> Volume {
    let before = remains.inodes.len();
    for (nr, record) in &roll.misplaced {
        if !roll.get(*nr).proved && record::judge(&volume.geometry, *nr, record) == Verdict::Proved {
            remains.inodes.insert(*nr, record.clone());
            remains.trust.remove(nr);
        }
    }
    if remains.inodes.len() == before && roll.misplaced.is_empty() { volume } else { volume.with(remains.clone()) }
}

/// Takes records of which one bit flipped as they were, where nothing better is known. Returns how many there are.
fn take_unflipped(volume: Volume, roll: &Roll, remains: &mut Remains) -> Result<(Volume, usize), SourceGone> {
    let mut inodes = volume.inodes();
    let mut found = Vec::new();
    for (nr, known) in roll.iter() {
        let is_wanted = !known.proved && !matches!(known.state, State::Unreadable | State::Blank);
        if !is_wanted || !volume.geometry.has_checksums() || remains.inodes.contains_key(&nr) {
            continue;
        }
        if let Some(inode) = inodes.read(nr)? {
            found.extend(unflipped::inode(&volume.geometry, &inode).map(|record| (nr, Arc::from(record))));
        }
    }
    drop(inodes);
    if found.is_empty() {
        return Ok((volume, 0));
    }
    let count = found.len();
    remains.trust.extend(found.iter().map(|(nr, _)| (*nr, Trust::Unproven)));
    remains.inodes.extend(found);
    Ok((volume.with(remains.clone()), count))
}

/// Takes better records for those on the disk, trusted so far.
fn take_better(
    volume: Volume,
    better: BTreeMap<InodeNr, Arc<[u8]>>,
    trust: Trust,
    roll: &mut Roll,
    claims: &mut Claims,
    remains: &mut Remains,
) -> Result<Volume, SourceGone> {
    if better.is_empty() {
        return Ok(volume);
    }
    let some: BTreeSet<InodeNr> = better.keys().copied().collect();
    for (nr, record) in better {
        roll.correct(&volume, nr, &record);
        remains.inodes.insert(nr, record);
        remains.trust.insert(nr, trust);
    }
    let volume = volume.with(remains.clone());
    claims.take_again(&volume, roll, &some)?;
    Ok(volume)
}

/// Leaves nodes of extent trees to those they are of, and takes the leaves that maps no longer lead to.
fn take_nodes(
    volume: Volume,
    roll: &Roll,
    claims: &mut Claims,
    sightings: &[Sighting],
    remains: &mut Remains,
) -> Result<Volume, SourceGone> {
    let mut volume = volume;
    if !claims.denied.is_empty() {
        remains.nodes = detached::claimed(&volume, roll, sightings)?;
        volume = volume.with(remains.clone());
        claims.take_again(&volume, roll, &claims.denied.clone())?;
    }
    remains.leaves = detached::leaves(&volume, claims, sightings)?;
    if !remains.leaves.is_empty() {
        volume = volume.with(remains.clone());
        claims.take_again(&volume, roll, &remains.leaves.keys().copied().collect())?;
    }
    Ok(volume)
}

/// Leaves blocks to those they are of which ruined directories map.
fn leave_foreign(
    volume: Volume,
    roll: &Roll,
    claims: &mut Claims,
    sightings: &[Sighting],
    remains: &mut Remains,
) -> Result<Volume, SourceGone> {
    remains.foreign = foreign::find(&volume, roll, claims, sightings)?;
    if remains.foreign.is_empty() {
        return Ok(volume);
    }
    claims.release(&remains.foreign);
    Ok(volume.with(remains.clone()))
}

/// What the journal still holds of what is damaged; `None` where there is no journal.
fn older(volume: &Volume, roll: &Roll) -> Result<Option<copies::Older>, SourceGone> {
    match recover::locate(volume, None, &mut Log::new())? {
        Located::Found(journal) => copies::read(volume, &journal, roll).map(Some),
        _ => Ok(None),
    }
}

/// Where two inodes map the same block, one of them is wrong: the one no checksum proves, or any of the two. What
/// directories claim that lead `astray` counts for nothing.
fn judge_contradictions(
    volume: &Volume,
    roll: &Roll,
    claims: &Claims,
    astray: &BTreeSet<u32>,
    remains: &mut Remains,
) -> Result<(), SourceGone> {
    let proved = |nr| roll.get(nr).proved && !claims.refuted.contains(&nr);
    let intruders = claims::intruders(&claims.overlaps());
    for (one, other) in claims.contradictions() {
        if astray.contains(&one.0) || astray.contains(&other.0) {
            continue;
        }
        let (first, second) = match (proved(one), proved(other)) {
            (false, false) if intruders.contains(&one) != intruders.contains(&other) => {
                (intruders.contains(&one), intruders.contains(&other))
            }
            (false, false) => match twins::copy(volume, one, other)? {
                Some(nr) => (nr == one, nr == other),
                None => (true, true),
            },
            (first, second) => (!first || second, !second || first),
        };
        for (nr, _) in [(one, first), (other, second)].into_iter().filter(|(_, is_doubtful)| *is_doubtful) {
            remains.trust.insert(nr, Trust::Doubtful);
        }
    }
    Ok(())
}

/// The metadata blocks that can be told by their contents, in the order of the disk. The journal's are copies.
fn search(volume: &Volume, progress: &dyn Progress) -> Result<Vec<Sighting>, SourceGone> {
    let geometry = &volume.geometry;
    progress.stage("searching for directories", Some(volume.source.len()), Unit::Bytes);
    let block_size = u64::from(geometry.block_size);
    let journal = recover::unclaimed(volume)?;
    let mut found = Vec::new();
    pass::chunks(
        &volume.source,
        block_size,
        progress,
        |at, chunk| {
            let blocks = chunk.chunks_exact(block_size as usize).zip(at / block_size..);
            blocks.filter_map(|(block, nr)| sighting::look(geometry, BlockNr(nr), block)).collect::<Vec<_>>()
        },
        |some| found.extend(some),
    )?;
    found.retain(|sighting| !journal.touches(Span::new(geometry.offset(sighting.block), block_size)));
    Ok(found)
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
