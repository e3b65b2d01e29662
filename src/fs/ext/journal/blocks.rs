//! Reads the blocks of the journal's file, a window at a time.

use std::sync::{Arc, Mutex};

use crate::bytes::{Buffer, Span, Spans};
use crate::node::{Backing, Mapping};
use crate::source::{Source, SourceGone};

/// Bytes read at once: a log is read from front to end.
const WINDOW: u64 = 1 << 20;

/// The journal's file, by its own block numbers.
pub struct Blocks {
    source: Source,
    mapping: Mapping,
    block_size: u32,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    /// Place in the file of the first byte.
    start: u64,
    bytes: Buffer,
    lost: Spans,
}

impl Blocks {
    pub fn new(source: Source, mapping: Mapping, block_size: u32) -> Self {
        Blocks { source, mapping, block_size, window: Mutex::default() }
    }

    /// How many blocks the map reaches.
    pub fn count(&self) -> u32 {
        let end = self.mapping.extents.last().map_or(0, |extent| extent.span().end);
        u32::try_from(end / u64::from(self.block_size)).unwrap_or(u32::MAX)
    }

    /// A block of the file; `None` where it can not be read, or lies nowhere.
    pub fn read(&self, nr: u32) -> Result<Option<Arc<[u8]>>, SourceGone> {
        let span = Span::new(u64::from(nr) * u64::from(self.block_size), self.block_size.into());
        // A thread that panicked while it read has left a window of an older place, or none.
        let mut window = self.window.lock().unwrap_or_else(|broken| broken.into_inner());
        if !window.holds(span) {
            *window = self.fill(span)?;
        }
        Ok(window.get(span))
    }

    /// The window that begins with `wanted`.
    fn fill(&self, wanted: Span) -> Result<Window, SourceGone> {
        let mut window = Window { start: wanted.start, bytes: Buffer::default(), lost: Spans::new() };
        let first = self.mapping.extents.partition_point(|extent| extent.span().end <= wanted.start);
        let Some(extent) = self.mapping.extents.get(first) else { return Ok(window) };
        let reach = Span::new(wanted.start, WINDOW.max(wanted.len()));
        let Some(part) = extent.span().intersection(reach).filter(|part| part.start == wanted.start) else {
            return Ok(window);
        };
        // Extents are whole blocks, save the last one of a size that is none; it never holds a whole block.
        if let Backing::Device { offset, .. } = extent.backing {
            let from = offset + (part.start - extent.logical);
            window.bytes = Buffer::new(part.len() as usize);
            self.source.read(from, &mut window.bytes, &mut window.lost)?;
            window.lost = window.lost.iter().map(|s| Span::new(s.start - from + part.start, s.len())).collect();
        }
        Ok(window)
    }
}

impl Window {
    fn holds(&self, span: Span) -> bool {
        self.start <= span.start && span.end <= self.start + self.bytes.len() as u64
    }

    fn get(&self, span: Span) -> Option<Arc<[u8]>> {
        if !self.holds(span) || self.lost.touches(span) {
            return None;
        }
        let start = (span.start - self.start) as usize;
        Some(Arc::from(&self.bytes[start..start + span.len() as usize]))
    }
}
