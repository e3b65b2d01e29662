//! Nodes from sets of entries: kind, mode, times, size.

use super::dir::Set;
use super::disk::{
    ATTR_DIRECTORY, ATTR_READ_ONLY, ENTRY, FILE, FileEntry, IN_USE, STREAM, Slot, StreamEntry, file_entry, stream_entry,
};
use super::{Exfat, map};
use crate::fs::cluster::{Object, bare_node, dos_time};
use crate::node::{Kind, Node, NodeId, Trust};
use crate::source::{SourceGone, read_whole};
use crate::time::{Time, Times};

/// `UtcOffset`: the offset is valid.
const OFFSET_VALID: u8 = 0x80;
/// Seconds of the unit in which offsets are recorded.
const QUARTER: i32 = 15 * 60;

/// The name of a set as a path component: never empty, without `/` and NUL, neither `.` nor `..`.
pub fn component(set: &Set) -> Vec<u8> {
    let clean: String = set.name.chars().map(|c| if c == '/' || c.is_ascii_control() { '_' } else { c }).collect();
    match clean.as_str() {
        "" => format!("_{}", set.offset).into_bytes(),
        "." => b"_.".to_vec(),
        ".." => b"_..".to_vec(),
        _ => clean.into_bytes(),
    }
}

impl Exfat {
    fn slot_at(&self, offset: u64) -> Result<Option<Slot>, SourceGone> {
        Ok(read_whole(&*self.source, offset, ENTRY)?.and_then(|bytes| bytes.try_into().ok()))
    }

    /// The file and stream entry of the set that begins at a place. The file entry is missing where it is lost, and
    /// the set begins with its stream.
    pub(super) fn stream_at(&self, offset: u64) -> Result<Option<(Option<FileEntry>, StreamEntry)>, SourceGone> {
        let Some(first) = self.slot_at(offset)? else { return Ok(None) };
        match first[0] | IN_USE {
            STREAM => Ok(Some((None, stream_entry(first)))),
            FILE => {
                let at = self.seam(offset).unwrap_or(offset.saturating_add(ENTRY as u64));
                let second = self.slot_at(at)?.filter(|slot| slot[0] | IN_USE == STREAM);
                Ok(second.map(|second| (Some(file_entry(first)), stream_entry(second))))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn read_node(&self, id: NodeId) -> Result<Option<Node>, SourceGone> {
        match Object::of(id) {
            Object::Root => {
                let size = self.directory_size(id)?;
                Ok(Some(bare_node(id, Kind::Directory, size)))
            }
            Object::Directory(place) => {
                let Some(start) = self.layout().holding(place) else { return Ok(None) };
                let entry = match self.lead_to(start) {
                    Some(lead) => self.stream_at(lead.offset)?,
                    None => None,
                };
                let size = self.directory_size(id)?;
                let node = entry.map_or(bare_node(id, Kind::Directory, size), |(file, stream)| {
                    self.node_of(id, file.as_ref(), &stream)
                });
                Ok(Some(Node { kind: Kind::Directory, size, allocated: size, ..node }))
            }
            Object::Chain(place) => {
                let Some(runs) = self.survey()?.chain(place) else { return Ok(None) };
                let size = u64::from(runs.count()) * self.layout().cluster_size();
                Ok(Some(Node { trust: Trust::Doubtful, ..bare_node(id, Kind::File, size) }))
            }
            Object::Entry(offset) => {
                Ok(self.stream_at(offset)?.map(|(file, stream)| self.node_of(id, file.as_ref(), &stream)))
            }
        }
    }

    fn directory_size(&self, id: NodeId) -> Result<u64, SourceGone> {
        let clusters = self.directory(id)?.map_or(0, |found| found.runs.count());
        Ok(u64::from(clusters) * self.layout().cluster_size())
    }

    pub(super) fn node_of(&self, id: NodeId, file: Option<&FileEntry>, stream: &StreamEntry) -> Node {
        let attributes = file.map_or(0, |file| file.FileAttributes.get());
        let kind = if attributes & ATTR_DIRECTORY != 0 { Kind::Directory } else { Kind::File };
        let recorded = stream.DataLength.get();
        let size = recorded.min(self.layout().bytes());
        let mode = match (kind, attributes & ATTR_READ_ONLY != 0) {
            (Kind::Directory, false) => 0o755,
            (Kind::Directory, true) => 0o555,
            (_, false) => 0o644,
            (_, true) => 0o444,
        };
        let trust = if size < recorded { Trust::Partial } else { Trust::Intact };
        let allocated = size.next_multiple_of(self.layout().cluster_size());
        let times = file.map_or(Times::default(), |file| self.times_of(file));
        Node { mode, allocated, times, trust, ..bare_node(id, kind, size) }
    }

    fn times_of(&self, file: &FileEntry) -> Times {
        let time = |stamp: u32, centis: u8, offset: u8| -> Option<Time> {
            // Seven bits with a sign.
            let quarters = i32::from((offset << 1).cast_signed() >> 1);
            let offset = if offset & OFFSET_VALID != 0 { quarters * QUARTER } else { self.utc_offset };
            dos_time((stamp >> 16) as u16, stamp as u16, centis, offset)
        };
        Times {
            modified: time(
                file.LastModifiedTimestamp.get(),
                file.LastModified10msIncrement,
                file.LastModifiedUtcOffset,
            ),
            accessed: time(file.LastAccessedTimestamp.get(), 0, file.LastAccessedUtcOffset),
            created: time(file.CreateTimestamp.get(), file.Create10msIncrement, file.CreateUtcOffset),
            changed: None,
            deleted: None,
        }
    }

    pub(super) fn entry_details(&self, id: NodeId) -> Result<Vec<(&'static str, String)>, SourceGone> {
        let offset = match Object::of(id) {
            Object::Root | Object::Chain(_) => None,
            Object::Entry(offset) => Some(offset),
            Object::Directory(place) => {
                self.layout().holding(place).and_then(|start| self.lead_to(start)).map(|lead| lead.offset)
            }
        };
        let Some(offset) = offset else { return Ok(Vec::new()) };
        let Some((file, stream)) = self.stream_at(offset)? else { return Ok(Vec::new()) };
        Ok(vec![
            ("entry", offset.to_string()),
            ("attributes", file.map_or("lost".to_owned(), |file| format!("{:#06x}", file.FileAttributes.get()))),
            ("first cluster", stream.FirstCluster.get().to_string()),
            ("valid length", stream.ValidDataLength.get().to_string()),
            ("contiguous", if map::is_contiguous(&stream) { "yes" } else { "no" }.to_owned()),
        ])
    }
}
