//! Inode tables in large reads: [`Reader`] gives inodes by number, from [`Window`]s of a table that [`Tables`] keeps
//! for all threads.

use std::sync::Arc;

use super::geometry::Geometry;
use super::inode::Inode;
use super::number::{GroupNr, InodeNr};
use super::volume::Volume;
use crate::bytes::{Buffer, Span, Spans};
use crate::source::recent::Recent;
use crate::source::{Source, SourceGone};

/// Bytes read at once around one inode.
const WINDOW: u32 = 16 << 10;
/// Windows kept: 16 MiB in all.
const WINDOWS: usize = 1024;

/// A part of one group's inode table.
pub struct Window {
    bytes: Buffer,
    lost: Spans,
    /// Place in the group of the first inode.
    first: u32,
    inode_size: usize,
}

impl Window {
    /// Reads `count` inodes of a group from place `first` on, all of them inodes of the group; `None` where the
    /// group's table is not known.
    pub fn read(
        source: &Source,
        geometry: &Geometry,
        group: GroupNr,
        first: u32,
        count: u32,
    ) -> Result<Option<Self>, SourceGone> {
        let Some(offset) = geometry.inode_offset(geometry.inode_at(group, first)) else { return Ok(None) };
        let inode_size = geometry.inode_size as usize;
        let (mut bytes, mut lost) = (Buffer::new(count as usize * inode_size), Spans::new());
        source.read(offset, &mut bytes, &mut lost)?;
        let lost = lost.iter().map(|span| Span::new(span.start.saturating_sub(offset), span.len())).collect();
        Ok(Some(Window { bytes, lost, first, inode_size }))
    }

    /// The record of the inode at a place of the group; `None` where it is not in this window or was unreadable.
    pub fn record(&self, index: u32) -> Option<&[u8]> {
        let at = index.checked_sub(self.first)? as usize * self.inode_size;
        let record = self.bytes.get(at..at + self.inode_size)?;
        let readable = self.lost.is_empty() || !self.lost.touches(Span::new(at as u64, self.inode_size as u64));
        readable.then_some(record)
    }
}

/// Which window: group, and place of its first inode.
type Key = (u32, u32);

/// The windows read last.
pub struct Tables(Recent<Key, Option<Arc<Window>>>);

impl Default for Tables {
    fn default() -> Self {
        Tables(Recent::new(WINDOWS))
    }
}

impl Tables {
    fn window(&self, volume: &Volume, key: Key, count: u32) -> Result<Option<Arc<Window>>, SourceGone> {
        let read = || Window::read(&volume.source, &volume.geometry, GroupNr(key.0), key.1, count);
        self.0.get_or_make(key, || Ok(read()?.map(Arc::new)))
    }
}

/// Reads inodes; keeps the last window at hand, so that ascending numbers cost no look-up.
pub struct Reader<'v> {
    volume: &'v Volume,
    tables: &'v Tables,
    current: Option<(Key, Option<Arc<Window>>)>,
}

impl<'v> Reader<'v> {
    pub(super) fn new(volume: &'v Volume, tables: &'v Tables) -> Self {
        Reader { volume, tables, current: None }
    }

    /// An inode, used or not; `None` where there is none of this number or it can not be read.
    pub fn read(&mut self, nr: InodeNr) -> Result<Option<Inode<'_>>, SourceGone> {
        if let Some(record) = self.volume.better_record(nr) {
            return Ok(Some(Inode::decode(nr, record)));
        }
        let geometry = &self.volume.geometry;
        if geometry.inode(nr.0).is_none() {
            return Ok(None);
        }
        let (group, index) = geometry.group_of_inode(nr);
        let per_window = (WINDOW / geometry.inode_size).max(1);
        let first = index / per_window * per_window;
        let key = (group.0, first);
        if self.current.as_ref().is_none_or(|(current, _)| *current != key) {
            let count = per_window.min(geometry.inodes_per_group - first);
            self.current = Some((key, self.tables.window(self.volume, key, count)?));
        }
        let window = self.current.as_ref().and_then(|(_, window)| window.as_deref());
        Ok(window.and_then(|window| window.record(index)).map(|record| Inode::decode(nr, record)))
    }
}
