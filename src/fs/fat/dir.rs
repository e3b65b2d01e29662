//! Directories: slots of 32 bytes in a chain of clusters, or in front of them.
//!
//! Damage never ends a listing early: what can be no entry is skipped, a gap of zeros is crossed, and where the chain
//! breaks the next cluster is taken if it looks like the directory's own.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::Fat;
use super::codes;
use super::disk::{ATTR_MASK, ENTRY, LAST_LONG_ENTRY, LongEntry, ShortEntry};
use super::geometry::Root;
use super::name::{Assembled, Fit, LongName};
use crate::bytes::{Span, Spans};
use crate::finding::{Finding, Place as Where};
use crate::fs::cluster::{Cluster, Link, Runs, is_dos_time};
use crate::node::Trust;
use crate::source::SourceGone;

/// Bytes after which a directory of zeros can go on: the smallest unit that is lost.
const SECTOR: usize = 512;
/// Bytes of a fixed root directory read at once.
const SECTION: u64 = 16 << 10;

/// Where a directory lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// In front of the clusters.
    Fixed(Span),
    /// In a chain.
    Chain(Cluster),
}

/// An entry of a directory, with the long name that stands in front of it.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Byte offset on the volume.
    pub offset: u64,
    /// Byte offset of the first entry of its long name, or its own.
    pub first: u64,
    /// How many slots of the directory stand before it.
    pub index: u64,
    /// The short entry.
    pub entry: ShortEntry,
    /// Its long name.
    pub long: Assembled,
    /// The long name of a deleted entry, and the first byte of its short name.
    pub deleted: Option<(String, u8)>,
}

/// What was met while a directory was read.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// Its clusters.
    pub runs: Runs,
    /// How far the listing can be trusted.
    pub trust: Trust,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// It was read to its end mark, or to the end of its chain.
    pub ended: bool,
    /// A long name that its last cluster begins and does not end.
    pub pending: LongName,
}

/// What a cluster looks like, seen as a part of a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Looks {
    /// It begins with a `.` entry that leads to itself: the first cluster of a directory.
    Head,
    /// Entries, from its first slot on.
    Entries,
    /// Zeros.
    Blank,
    /// Anything else.
    Other,
}

impl Fat {
    /// Where the root directory lies; `None` where the boot sector names no cluster of this volume.
    pub(super) fn root_place(&self) -> Option<Place> {
        match self.geometry.root {
            Root::Fixed(span) => Some(Place::Fixed(span)),
            Root::Chain(number) => self.layout().cluster(number).map(Place::Chain),
        }
    }

    /// Every entry of a directory, deleted ones, labels, `.` and `..` among them, in the order they lie on the disk.
    pub(super) fn walk(
        &self,
        place: Place,
        visit: &mut dyn FnMut(Slot) -> ControlFlow<()>,
    ) -> Result<Walked, SourceGone> {
        let mut reader = Reader {
            fat: self,
            walked: Walked::default(),
            long: LongName::default(),
            gap: None,
            garbage: false,
            index: 0,
        };
        match place {
            Place::Fixed(span) => reader.fixed(span, visit)?,
            Place::Chain(start) => reader.chain(start, visit)?,
        }
        Ok(reader.walked)
    }

    /// What a cluster looks like, seen as a part of a directory.
    pub(super) fn looks(&self, cluster: Cluster) -> Result<Looks, SourceGone> {
        let len = self.layout().cluster_size().min(SECTION) as usize;
        let mut bytes = vec![0; len];
        self.source.read(self.layout().offset(cluster), &mut bytes, &mut Spans::new())?;
        Ok(self.judge_looks(cluster, &bytes))
    }

    /// The first 32 bytes of a cluster; zeros where they can not be read.
    pub(super) fn first_slot(&self, cluster: Cluster) -> Result<[u8; ENTRY], SourceGone> {
        let mut slot = [0; ENTRY];
        self.source.read(self.layout().offset(cluster), &mut slot, &mut Spans::new())?;
        Ok(slot)
    }

    fn judge_looks(&self, cluster: Cluster, bytes: &[u8]) -> Looks {
        let first = ShortEntry::decode(bytes);
        if is_dot(&first) && self.first_cluster(&first) == cluster.number() {
            return Looks::Head;
        }
        if bytes.iter().all(|&b| b == 0) {
            return Looks::Blank;
        }
        let (mut good, mut bad) = (0, 0);
        for slot in bytes.chunks_exact(ENTRY) {
            let entry = ShortEntry::decode(slot);
            if entry.is_end() && bad == 0 {
                break;
            }
            if entry.is_end() || self.is_garbage(&entry, slot) {
                bad += 1;
            } else if !entry.is_deleted() {
                good += 1;
            }
        }
        if good > 0 && bad * 8 <= good { Looks::Entries } else { Looks::Other }
    }

    /// True for 32 bytes that can be no entry: two fields or more hold what no writer puts there.
    pub(super) fn is_garbage(&self, entry: &ShortEntry, slot: &[u8]) -> bool {
        if entry.is_long() {
            let Ok(slot) = slot.try_into() else { return true };
            let long = LongEntry::decode(slot);
            let ordinal = long.LDIR_Ord & 0x3f;
            let odd = [
                long.LDIR_Type != 0,
                long.LDIR_FstClusLO.get() != 0,
                !entry.is_deleted() && (ordinal == 0 || ordinal > 20),
                long.LDIR_Attr & !ATTR_MASK != 0,
            ];
            return odd.iter().filter(|&&odd| odd).count() >= 2;
        }
        if entry.is_deleted() {
            return entry.DIR_Attr & !ATTR_MASK != 0 && entry.DIR_Name[1..].iter().any(|&b| b < 0x20);
        }
        let start = self.first_cluster(entry);
        let (date, time) = (entry.DIR_WrtDate.get(), entry.DIR_WrtTime.get());
        let name = &entry.DIR_Name;
        let odd = [
            entry.DIR_Attr & !ATTR_MASK != 0,
            start != 0 && self.layout().cluster(start).is_none(),
            name[1..].iter().any(|&b| b < 0x20) || (name[0] < 0x20 && name[0] != super::disk::KANJI_E5),
            (date != 0 || time != 0) && !is_dos_time(date, time),
            u64::from(entry.DIR_FileSize.get()) > self.layout().bytes(),
            entry.is_directory() && entry.DIR_FileSize.get() != 0,
            entry.DIR_NTRes & !(super::disk::NT_LOWER_NAME | super::disk::NT_LOWER_EXT) != 0,
        ];
        odd.iter().filter(|&&odd| odd).count() >= 2
    }
}

/// True for an entry named `.`.
pub fn is_dot(entry: &ShortEntry) -> bool {
    entry.DIR_Name == *b".          " && entry.is_directory()
}

/// True for an entry named `..`.
pub fn is_dotdot(entry: &ShortEntry) -> bool {
    entry.DIR_Name == *b"..         " && entry.is_directory()
}

struct Reader<'f> {
    fat: &'f Fat,
    walked: Walked,
    long: LongName,
    /// Where a gap of zeros began that may be the directory's end.
    gap: Option<u64>,
    /// What can be no entry was met in this cluster: a zero in it need not be the end mark.
    garbage: bool,
    index: u64,
}

impl Reader<'_> {
    fn note(&mut self, finding: Finding, trust: Trust) {
        self.walked.trust = self.walked.trust.max(trust);
        // A directory of nothing but garbage is told of once, not once a slot.
        if self.walked.findings.len() < 64 {
            self.walked.findings.push(finding);
        }
    }

    fn fixed(&mut self, span: Span, visit: &mut dyn FnMut(Slot) -> ControlFlow<()>) -> Result<(), SourceGone> {
        let mut at = span.start;
        while at < span.end {
            let len = SECTION.min(span.end - at);
            if self.section(at, len, visit)?.is_break() {
                return Ok(());
            }
            at += len;
        }
        self.walked.ended = true;
        Ok(())
    }

    fn chain(&mut self, start: Cluster, visit: &mut dyn FnMut(Slot) -> ControlFlow<()>) -> Result<(), SourceGone> {
        let (mut at, mut seen) = (start, HashSet::new());
        let pieced = self.fat.pieced(start).cloned();
        loop {
            seen.insert(at);
            self.walked.runs.push(at);
            let flow = self.section(self.fat.layout().offset(at), self.fat.layout().cluster_size(), visit)?;
            if flow.is_break() {
                if let Some(runs) = pieced {
                    self.walked.runs = runs;
                    return Ok(());
                }
                return self.finish(at, seen);
            }
            let next = match &pieced {
                Some(runs) => {
                    self.walked.ended = true;
                    runs.nth(self.walked.runs.count())
                }
                None => self.next(at, &seen)?,
            };
            match next.filter(|next| !seen.contains(next)) {
                Some(next) => at = next,
                None => {
                    self.walked.pending = std::mem::take(&mut self.long);
                    return Ok(());
                }
            }
        }
    }

    /// Behind the end mark: the rest of the chain belongs to the directory all the same.
    fn finish(&mut self, mut at: Cluster, mut seen: HashSet<Cluster>) -> Result<(), SourceGone> {
        loop {
            let links = self.fat.table.links(at)?;
            let Link::Next(next) = links.first() else { break };
            // Where the tables differ, nothing behind the end mark tells which is right.
            if links.differ() || !seen.insert(next) {
                break;
            }
            self.walked.runs.push(next);
            at = next;
        }
        Ok(())
    }

    /// The cluster that the directory goes on in.
    fn next(&mut self, at: Cluster, seen: &HashSet<Cluster>) -> Result<Option<Cluster>, SourceGone> {
        let links = self.fat.table.links(at)?;
        let ends = links.iter().any(|link| link == Link::End);
        let (mut blank, mut other) = (None, None);
        for link in links.iter() {
            let Link::Next(next) = link else { continue };
            if seen.contains(&next) {
                continue;
            }
            match self.fat.looks(next)? {
                Looks::Entries if links.differ() && self.long.fits(&self.fat.first_slot(next)?) == Fit::Impossible => {}
                Looks::Entries => return Ok(Some(next)),
                // A cluster fresh from the writer is blank, and in use; one that damage leads to is mostly free.
                Looks::Blank if self.fat.table.links(next)?.is_used() => blank = blank.or(Some(next)),
                Looks::Blank => {}
                Looks::Other => other = other.or(Some(next)),
                Looks::Head => {}
            }
        }
        if ends || blank.is_some() {
            self.walked.ended = true;
            return Ok(blank);
        }
        // The chain is broken. Directories mostly grow by the cluster behind their last.
        let behind = self.fat.layout().after(at).filter(|next| !seen.contains(next));
        let behind = match behind {
            Some(next) if self.continues(next, links.is_used())? => Some(next),
            _ => None,
        };
        let place = Where::volume().at_block(at.number().into()).at(self.fat.layout().span(at));
        let code = match links.first() {
            Link::Next(_) => codes::CHAIN_LOOP,
            Link::Invalid(_) => codes::CHAIN_INVALID,
            Link::Bad => codes::CHAIN_BAD,
            Link::Unreadable => codes::TABLE_UNREADABLE,
            Link::Free | Link::End => codes::CHAIN_FREE,
        };
        if behind.is_some() || other.is_none() {
            let found = format!("a directory's chain breaks behind cluster {}", at.number());
            let trust = if behind.is_some() { Trust::Unproven } else { Trust::Partial };
            self.note(Finding::new(code, place, found, "a cluster of entries, or an end mark"), trust);
        }
        Ok(behind.or(other))
    }

    /// True for a cluster that looks like the next of this directory. Where the table is silent about it, a long
    /// name that begins in the last cluster and goes on in this one must prove it.
    fn continues(&self, next: Cluster, used: bool) -> Result<bool, SourceGone> {
        if self.fat.looks(next)? != Looks::Entries || self.fat.table.pointed()?.contains(next) {
            return Ok(false);
        }
        Ok(match self.long.fits(&self.fat.first_slot(next)?) {
            Fit::Proven => true,
            Fit::Possible => used,
            Fit::Impossible => false,
        })
    }

    fn section(
        &mut self,
        offset: u64,
        len: u64,
        visit: &mut dyn FnMut(Slot) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, SourceGone> {
        let (mut bytes, mut lost) = (vec![0; len as usize], Spans::new());
        self.fat.source.read(offset, &mut bytes, &mut lost)?;
        self.garbage = false;
        for span in lost.iter() {
            self.long.clear();
            let place = Where::volume().at(span);
            self.note(Finding::new(codes::DIRECTORY_UNREADABLE, place, "unreadable", "entries"), Trust::Partial);
        }
        for (i, sector) in bytes.chunks(SECTOR).enumerate() {
            let at = offset + (i * SECTOR) as u64;
            if lost.touches(Span::new(at, sector.len() as u64)) {
                self.index += (sector.len() / ENTRY) as u64;
                continue;
            }
            if self.sector(at, sector, visit).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn sector(
        &mut self,
        offset: u64,
        sector: &[u8],
        visit: &mut dyn FnMut(Slot) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if sector.first() == Some(&0) && sector.iter().all(|&b| b == 0) {
            // The end, or a sector that was lost: the next one tells.
            self.gap.get_or_insert(offset);
            self.long.clear();
            self.index += (sector.len() / ENTRY) as u64;
            return ControlFlow::Continue(());
        }
        if let Some(start) = self.gap.take() {
            let first = ShortEntry::decode(sector);
            if first.is_end() || self.fat.is_garbage(&first, &sector[..ENTRY.min(sector.len())]) {
                self.walked.ended = true;
                return ControlFlow::Break(());
            }
            let place = Where::volume().at(Span { start, end: offset });
            self.note(Finding::new(codes::DIRECTORY_GAP, place, "zeros", "entries"), Trust::Partial);
        }
        for (i, slot) in sector.chunks_exact(ENTRY).enumerate() {
            let at = offset + (i * ENTRY) as u64;
            let entry = ShortEntry::decode(slot);
            if entry.is_end() && !(self.garbage && slot.iter().any(|&b| b != 0)) {
                self.orphan(at);
                self.walked.ended = true;
                return ControlFlow::Break(());
            }
            self.slot(at, entry, slot, visit)?;
            self.index += 1;
        }
        ControlFlow::Continue(())
    }

    /// A long name that is whole, and whose short entry does not come.
    fn orphan(&mut self, end: u64) {
        if let Some(start) = self.long.whole_since() {
            let place = Where::volume().at(Span { start: start.min(end), end });
            self.note(Finding::new(codes::LONG_NAME_ORPHAN, place, "a long name without an entry", ""), Trust::Intact);
            self.long.clear();
        }
    }

    fn slot(
        &mut self,
        offset: u64,
        entry: ShortEntry,
        slot: &[u8],
        visit: &mut dyn FnMut(Slot) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if entry.is_end() || self.fat.is_garbage(&entry, slot) {
            self.garbage = true;
            self.long.clear();
            let place = Where::volume().at(Span::new(offset, ENTRY as u64));
            self.note(Finding::new(codes::DIRECTORY_GARBAGE, place, "what can be no entry", ""), Trust::Partial);
            return ControlFlow::Continue(());
        }
        if entry.is_long() {
            let mut part = [0; ENTRY];
            part.copy_from_slice(slot);
            let place = || Where::volume().at(Span::new(offset, ENTRY as u64));
            let long = LongEntry::decode(part);
            if long.LDIR_Type != 0 || long.LDIR_FstClusLO.get() != 0 {
                let found = format!("type {}, cluster {}", long.LDIR_Type, long.LDIR_FstClusLO.get());
                self.note(Finding::new(codes::LONG_NAME_FIELD, place(), found, "0 and 0"), Trust::Intact);
            }
            if long.LDIR_Ord & LAST_LONG_ENTRY != 0 && !entry.is_deleted() {
                self.orphan(offset);
            }
            if !self.long.add(part, offset) {
                self.note(Finding::new(codes::LONG_NAME_FRAGMENT, place(), "a part of no name", ""), Trust::Intact);
            }
            return ControlFlow::Continue(());
        }
        if entry.is_deleted() || entry.is_label() {
            self.orphan(offset);
        }
        let first = self.long.first().unwrap_or(offset);
        if entry.is_deleted() {
            let deleted = self.long.take_deleted(&entry);
            return visit(Slot { offset, first, index: self.index, entry, long: Assembled::None, deleted });
        }
        let long = self.long.take(&entry);
        visit(Slot { offset, first, index: self.index, entry, long, deleted: None })
    }
}
