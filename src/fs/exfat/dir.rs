//! Directories: sets of entries that belong together, with a checksum over each set.
//!
//! Damage never ends a listing early: a set of which a part is lost gives what is left of it, and a gap of zeros is
//! crossed.
//!
//! Source: Microsoft, "exFAT file system specification", sections 6 and 7.

use std::ops::ControlFlow;

use super::disk::{
    BITMAP, ENTRY, FILE, FileEntry, IN_USE, LABEL, NAME, STREAM, Slot, StreamEntry, UPCASE, file_entry, set_checksum,
    stream_entry,
};
use super::{Exfat, codes};
use crate::bytes::{Span, Spans};
use crate::finding::{Finding, Place as Where};
use crate::fs::cluster::{Cluster, Runs};
use crate::node::Trust;
use crate::source::SourceGone;

/// Bytes of a directory read at once.
const SECTION: u64 = 64 << 10;
/// Bytes after which a directory of zeros can go on: the smallest unit that is lost.
const SECTOR: usize = 512;
/// Most entries of a set: a file, its stream and 17 parts of a name.
const MOST_ENTRIES: usize = 19;

/// What is left of a file's set of entries.
#[derive(Clone, Debug)]
pub struct Set {
    /// Byte offset of its first entry on the volume.
    pub offset: u64,
    /// Byte offset of its stream entry.
    pub stream_offset: u64,
    /// The file entry, unless it is lost.
    pub file: Option<FileEntry>,
    /// The stream entry.
    pub stream: StreamEntry,
    /// The name, as far as it is there.
    pub name: String,
    /// The same in UTF-16.
    pub units: Vec<u16>,
    /// Entries of the set that are there.
    pub entries: usize,
    /// The name has all its parts.
    pub whole: bool,
    /// The set's checksum agrees.
    pub proven: bool,
    /// The set is in use, not deleted.
    pub in_use: bool,
}

impl Set {
    /// True for a directory.
    pub fn is_directory(&self) -> bool {
        self.file.is_some_and(|file| file.FileAttributes.get() & super::disk::ATTR_DIRECTORY != 0)
    }
}

/// What a directory holds.
#[derive(Clone, Debug)]
pub enum Item {
    /// A file or directory.
    Set(Box<Set>),
    /// An entry of the root directory that is no file: bitmap, up-case table, label.
    Other(Slot),
}

/// What was met while a directory was read.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// How far the listing can be trusted.
    pub trust: Trust,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Exfat {
    /// Everything in the directory that lies in these clusters, deleted sets among it.
    pub(super) fn walk(
        &self,
        runs: &Runs,
        visit: &mut dyn FnMut(Item) -> ControlFlow<()>,
    ) -> Result<Walked, SourceGone> {
        let mut reader = Reader { walked: Walked::default(), set: Vec::new(), gap: None, garbage: 0 };
        let cluster_size = self.layout().cluster_size();
        for cluster in runs.clusters() {
            reader.garbage = 0;
            let (mut at, end) = (self.layout().offset(cluster), self.layout().span(cluster).end);
            while at < end {
                let len = SECTION.min(cluster_size).min(end - at);
                let (mut bytes, mut lost) = (vec![0; len as usize], Spans::new());
                self.source.read(at, &mut bytes, &mut lost)?;
                if reader.section(at, &bytes, &lost, visit).is_break() {
                    return Ok(reader.walked);
                }
                at += len;
            }
        }
        let _ = reader.flush(visit);
        Ok(reader.walked)
    }

    /// True for a cluster that holds a whole set of entries in use, near its beginning.
    pub(super) fn looks_like_directory(&self, cluster: Cluster) -> Result<bool, SourceGone> {
        let offset = self.layout().offset(cluster);
        let len = self.layout().cluster_size().min(4096);
        let (mut bytes, mut lost) = (vec![0; len as usize], Spans::new());
        self.source.read(offset, &mut bytes, &mut lost)?;
        let known = |slot: &[u8]| [FILE, STREAM, NAME, BITMAP, UPCASE, LABEL].contains(&(slot[0] | IN_USE));
        if !bytes.chunks_exact(ENTRY).take(3).all(known) {
            return Ok(false);
        }
        let (mut reader, mut found) =
            (Reader { walked: Walked::default(), set: Vec::new(), gap: None, garbage: 0 }, false);
        let _ = reader.section(offset, &bytes, &lost, &mut |item| match item {
            Item::Set(set) if set.proven && set.in_use => {
                found = true;
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        });
        Ok(found)
    }
}

struct Reader {
    walked: Walked,
    /// The set begun last, with each entry's place.
    set: Vec<(u64, Slot)>,
    gap: Option<u64>,
    /// Entries of no known kind met in this cluster.
    garbage: u32,
}

impl Reader {
    fn note(&mut self, finding: Finding, trust: Trust) {
        self.walked.trust = self.walked.trust.max(trust);
        if self.walked.findings.len() < 64 {
            self.walked.findings.push(finding);
        }
    }

    fn section(
        &mut self,
        offset: u64,
        bytes: &[u8],
        lost: &Spans,
        visit: &mut dyn FnMut(Item) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for span in lost.iter() {
            let finding = Finding::new(codes::DIRECTORY_UNREADABLE, Where::volume().at(span), "unreadable", "entries");
            self.note(finding, Trust::Partial);
        }
        for (i, sector) in bytes.chunks(SECTOR).enumerate() {
            let at = offset + (i * SECTOR) as u64;
            if lost.touches(Span::new(at, sector.len() as u64)) {
                continue;
            }
            self.sector(at, sector, visit)?;
        }
        ControlFlow::Continue(())
    }

    fn sector(
        &mut self,
        offset: u64,
        sector: &[u8],
        visit: &mut dyn FnMut(Item) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if sector.iter().all(|&b| b == 0) {
            self.gap.get_or_insert(offset);
            return self.flush(visit);
        }
        if let Some(start) = self.gap.take() {
            if !matches!(sector[0] | IN_USE, FILE | STREAM | NAME | BITMAP | UPCASE | LABEL) {
                return ControlFlow::Break(());
            }
            let finding =
                Finding::new(codes::DIRECTORY_GAP, Where::volume().at(Span { start, end: offset }), "zeros", "entries");
            self.note(finding, Trust::Partial);
        }
        for (i, slot) in sector.chunks_exact(ENTRY).enumerate() {
            let mut entry = [0; ENTRY];
            entry.copy_from_slice(slot);
            if entry[0] == 0 && (self.garbage == 0 || entry == [0; ENTRY]) {
                let _ = self.flush(visit);
                return ControlFlow::Break(());
            }
            self.slot(offset + (i * ENTRY) as u64, entry, visit)?;
        }
        ControlFlow::Continue(())
    }

    fn slot(&mut self, offset: u64, slot: Slot, visit: &mut dyn FnMut(Item) -> ControlFlow<()>) -> ControlFlow<()> {
        let in_use = slot[0] & IN_USE;
        match slot[0] | IN_USE {
            FILE => {
                self.flush(visit)?;
                self.set.push((offset, slot));
            }
            // Secondary entries, those of other programs among them.
            kind if kind & 0x40 != 0 && (kind != STREAM || self.set.len() <= 1) => {
                let continues = self.set.last().is_some_and(|(_, last)| last[0] & IN_USE == in_use);
                if !continues {
                    self.flush(visit)?;
                }
                if self.set.is_empty() && kind != STREAM {
                    return self.garbage(offset, slot);
                }
                self.set.push((offset, slot));
                let (_, first) = self.set[0];
                let wanted = if first[0] | IN_USE == FILE { usize::from(first[1]) + 1 } else { MOST_ENTRIES };
                if self.set.len() >= wanted.min(MOST_ENTRIES) {
                    self.flush(visit)?;
                }
            }
            BITMAP | UPCASE | LABEL => {
                self.flush(visit)?;
                visit(Item::Other(slot))?;
            }
            _ => {
                self.flush(visit)?;
                return self.garbage(offset, slot);
            }
        }
        ControlFlow::Continue(())
    }

    fn garbage(&mut self, offset: u64, slot: Slot) -> ControlFlow<()> {
        // Deleted entries may be left of anything; benign ones are other programs' own.
        let benign = slot[0] & 0x60 == 0x20;
        if slot[0] & IN_USE != 0 && !benign {
            self.garbage += 1;
            let place = Where::volume().at(Span::new(offset, ENTRY as u64));
            let found = format!("entry type {:02x}", slot[0]);
            self.note(Finding::new(codes::DIRECTORY_GARBAGE, place, found, "a known type"), Trust::Partial);
        }
        ControlFlow::Continue(())
    }

    /// Hands out the set begun last, as far as it is there.
    fn flush(&mut self, visit: &mut dyn FnMut(Item) -> ControlFlow<()>) -> ControlFlow<()> {
        let set = std::mem::take(&mut self.set);
        let Some(&(offset, first)) = set.first() else { return ControlFlow::Continue(()) };
        let in_use = first[0] & IN_USE != 0;
        let place = Where::inode(offset).at(Span::new(offset, (set.len() * ENTRY) as u64));
        let Some(&(stream_offset, stream)) = set.iter().find(|(_, slot)| slot[0] | IN_USE == STREAM) else {
            if in_use {
                self.note(Finding::new(codes::SET_BROKEN, place, "no stream entry", ""), Trust::Partial);
            }
            return ControlFlow::Continue(());
        };
        let stream = stream_entry(stream);
        let slots: Vec<Slot> = set.iter().map(|(_, slot)| with_use(*slot)).collect();
        let file = (first[0] | IN_USE == FILE).then(|| file_entry(first));
        let proven = file.is_some_and(|file| {
            set_checksum(&slots) == file.SetChecksum.get() && usize::from(file.SecondaryCount) + 1 == slots.len()
        });
        let units: Vec<u16> = slots
            .iter()
            .filter(|slot| slot[0] == NAME)
            .flat_map(|slot| slot[2..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])))
            .collect();
        let len = usize::from(stream.NameLength);
        let whole = len > 0 && units.len() >= len;
        let units: Vec<u16> = units.into_iter().take(len).take_while(|&unit| unit != 0).collect();
        let name =
            char::decode_utf16(units.iter().copied()).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        if in_use && !proven {
            self.note(Finding::new(codes::SET_CHECKSUM, place, "a set that was changed", ""), Trust::Unproven);
        }
        visit(Item::Set(Box::new(Set {
            offset,
            stream_offset,
            file,
            stream,
            name,
            units,
            entries: set.len(),
            whole,
            proven,
            in_use,
        })))
    }
}

/// An entry as it was before it was deleted.
fn with_use(mut slot: Slot) -> Slot {
    slot[0] |= IN_USE;
    slot
}
