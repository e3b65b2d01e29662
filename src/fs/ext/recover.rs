//! Finds the journal of a volume and replays it: [`recover`].
//!
//! The journal is the file of the inode that the superblock names; where that inode is damaged, the superblock's copy
//! of its map leads to it; or it is on a device of its own. Source: the ext4 documentation, `journal.rst` and
//! `super.rst`.

use super::codes;
use super::disk::inode::{self as disk, flags};
use super::disk::{extent, superblock};
use super::evidence::read_superblock;
use super::feature::{self, Features};
use super::inode::Inode;
use super::journal::{Change, Journal, Replayed};
use super::map;
use super::number::InodeNr;
use super::sniff;
use super::volume::Volume;
use crate::bytes::{Span, Spans, le16};
use crate::finding::{Finding, Log, Place};
use crate::fs::JournalState;
use crate::node::{Backing, Extent, Kind, Mapping, Trust};
use crate::source::{OverlayBuilder, Source, SourceGone};

/// What the journal gave.
#[derive(Default)]
pub struct Recovered {
    /// What state it was found in; `None` where there is none.
    pub state: Option<JournalState>,
    /// The blocks it writes; `None` where it writes none.
    pub blocks: Option<OverlayBuilder>,
    /// What its fast commits change beyond them.
    pub changes: Vec<Change>,
    /// What is wrong with it.
    pub log: Log,
    /// What was done, one sentence each, where there was something to do.
    pub decisions: Vec<String>,
}

/// What came of looking for the journal.
pub enum Located<'v> {
    /// The volume has none.
    None,
    /// It is on another device, which was not given.
    Elsewhere,
    /// There is one, and nothing of it can be used.
    Damaged,
    /// It is here.
    Found(Box<Journal<'v>>),
}

/// Replays the journal of `volume`, which lies as it is on the disk. `external` is the device that holds it, if given.
pub fn recover(volume: &Volume, external: Option<&Source>) -> Result<Recovered, SourceGone> {
    let mut recovered = Recovered::default();
    let waits = volume.geometry.features.has(feature::NEEDS_RECOVERY);
    match locate(volume, external, &mut recovered.log)? {
        Located::None => {}
        Located::Elsewhere => {
            recovered.state = Some(JournalState::Elsewhere);
            if waits {
                recovered.miss(volume);
            }
        }
        Located::Damaged => {
            recovered.state = Some(JournalState::Damaged);
            recovered.decisions.push("The journal is damaged and was not replayed.".to_owned());
        }
        Located::Found(journal) if journal.is_waiting() => {
            if !waits {
                let found = format!("a log that begins at block {}", journal.superblock().s_start);
                recovered.add(codes::JOURNAL_UNFLAGGED, found, "needs_recovery");
            }
            let replayed = journal.replay()?;
            recovered.take(replayed);
        }
        Located::Found(_) => recovered.state = Some(JournalState::Empty),
    }
    Ok(recovered)
}

impl Recovered {
    fn add(&mut self, code: crate::finding::Code, found: String, expected: &str) {
        self.log.add(Finding::new(code, Place::volume(), found, expected));
    }

    /// The journal is needed and not here.
    fn miss(&mut self, volume: &Volume) {
        let uuid = sniff::uuid(&volume.superblock.s_journal_uuid).unwrap_or_else(|| "unknown".to_owned());
        self.decisions.push(format!("The journal is on another device (UUID {uuid}) and was not replayed."));
        self.add(codes::JOURNAL_EXTERNAL, format!("a journal with UUID {uuid}"), "its device");
    }

    fn take(&mut self, replayed: Replayed) {
        let (transactions, count) = (replayed.transactions, replayed.blocks.count());
        self.decisions
            .push(format!("The journal was replayed in memory: {transactions} transactions, {count} blocks."));
        self.state = Some(if replayed.log.is_empty() { JournalState::Replayed } else { JournalState::Damaged });
        self.log.merge(replayed.log);
        for nr in &replayed.fast_commits.inodes {
            self.log.note(codes::JOURNAL_FAST_COMMIT, Place::inode(nr.0.into()), Default::default);
        }
        if replayed.fast_commits.count > 0 {
            let (count, inodes) = (replayed.fast_commits.count, replayed.fast_commits.inodes.len());
            self.decisions.push(format!("{count} fast commits on {inodes} inodes were replayed in memory."));
        }
        self.changes = replayed.fast_commits.changes;
        self.blocks = (count > 0).then_some(replayed.blocks);
    }
}

/// Looks for the journal of a volume.
pub fn locate<'v>(volume: &'v Volume, external: Option<&Source>, log: &mut Log) -> Result<Located<'v>, SourceGone> {
    if !volume.geometry.features.has(feature::HAS_JOURNAL) {
        return Ok(Located::None);
    }
    let sb = &volume.superblock;
    if sb.s_journal_inum.get() == 0 && (sb.s_journal_dev.get() != 0 || sb.s_journal_uuid != [0; 16]) {
        let found = match external {
            Some(source) => on_device(source, volume, log)?,
            None => None,
        };
        return Ok(found.map_or(Located::Elsewhere, |journal| Located::Found(Box::new(journal))));
    }
    let (nr, inode) = inode(volume)?;
    let mut faults = Log::new();
    for inode in [inode, backup(volume, nr)].into_iter().flatten() {
        let mapping = map::map(volume, &inode, inode.raw.size())?;
        if let Some(journal) = Journal::open(&volume.source, &volume.geometry, mapping, &mut faults)? {
            log.merge(faults);
            return Ok(Located::Found(Box::new(journal)));
        }
    }
    if faults.is_empty() {
        faults.add(Finding::new(codes::JOURNAL_SUPERBLOCK, Place::inode(nr.0.into()), "no journal", "a journal"));
    }
    log.merge(faults);
    Ok(Located::Damaged)
}

/// The inode of a journal on the volume itself, by its number, if it is a file's still.
fn inode(volume: &Volume) -> Result<(InodeNr, Option<Inode<'static>>), SourceGone> {
    let nr = volume.geometry.inode(volume.superblock.s_journal_inum.get()).unwrap_or(InodeNr::JOURNAL);
    Ok((nr, volume.inode(nr)?.filter(|inode| inode.is_in_use() && inode.kind() == Kind::File)))
}

/// The bytes of a journal whose inode is lost, by the superblock's copy of its map.
pub fn unclaimed(volume: &Volume) -> Result<Spans, SourceGone> {
    let (nr, None) = inode(volume)? else { return Ok(Spans::new()) };
    let Some(inode) = backup(volume, nr) else { return Ok(Spans::new()) };
    let mapping = map::map(volume, &inode, inode.raw.size())?;
    let on_disk = mapping.extents.iter().filter_map(|extent| match extent.backing {
        Backing::Device { offset, .. } => Some(Span::new(offset, extent.len)),
        _ => None,
    });
    let spans = on_disk.collect();
    let is_journal = Journal::open(&volume.source, &volume.geometry, mapping, &mut Log::new())?.is_some();
    Ok(if is_journal { spans } else { Spans::new() })
}

/// The journal's inode as the superblock's copy of its map has it.
fn backup(volume: &Volume, nr: InodeNr) -> Option<Inode<'static>> {
    let blocks = &volume.superblock.s_jnl_blocks;
    if volume.superblock.s_jnl_backup_type > 1 || blocks[16].get() == 0 {
        return None;
    }
    let mut raw: disk::Inode = zerocopy::FromZeros::new_zeroed();
    for (word, into) in blocks.iter().zip(raw.i_block.chunks_exact_mut(4)) {
        into.copy_from_slice(&word.get().to_le_bytes());
    }
    let by_extents = le16(&raw.i_block, 0) == Some(extent::MAGIC);
    raw.i_mode = 0o100_600.into();
    raw.i_links_count = 1.into();
    raw.i_flags = if by_extents { flags::EXTENTS } else { 0 }.into();
    raw.i_size_high = blocks[15];
    raw.i_size_lo = blocks[16];
    Some(Inode::decode(nr, &zerocopy::IntoBytes::as_bytes(&raw)[..disk::BASE_SIZE]).into_owned())
}

/// The journal on a device of its own, if it is this volume's.
fn on_device<'v>(source: &Source, volume: &'v Volume, log: &mut Log) -> Result<Option<Journal<'v>>, SourceGone> {
    let Some(sb) = read_superblock(&**source, superblock::OFFSET)? else { return Ok(None) };
    let same = sb.s_uuid == volume.superblock.s_journal_uuid;
    if !same || !Features::of(&sb).has(feature::JOURNAL_DEV) {
        return Ok(None);
    }
    let block = u64::from(volume.geometry.block_size);
    // The journal's own superblock is in the block behind that of the filesystem. All others count from the start of
    // the device.
    let first = (superblock::OFFSET / block + 1) * block;
    let extent = |logical, len, offset| Extent { logical, len, backing: Backing::Device { member: 0, offset } };
    let rest = (source.len() / block * block).saturating_sub(block);
    let extents = vec![extent(0, block, first), extent(block, rest, block)];
    let mapping = Mapping { extents, trust: Trust::Intact, findings: Vec::new() };
    Journal::open(source, &volume.geometry, mapping, log)
}
