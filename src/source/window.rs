//! A part of another source: a partition, a volume at a forced offset.

use super::{ReadAt, Source, SourceGone, clip};
use crate::bytes::{Span, Spans};

/// The bytes of `source` in `span`, counted from zero. The span may reach past the end of the source (a truncated
/// image): the window keeps its nominal size, and what is missing reads as lost.
pub struct Window {
    source: Source,
    span: Span,
}

impl Window {
    /// The part of `source` that `span` names.
    pub fn new(source: Source, span: Span) -> Self {
        Window { source, span }
    }
}

impl ReadAt for Window {
    fn len(&self) -> u64 {
        self.span.len()
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        let inside = clip(offset, buf, self.len(), lost);
        if inside.is_empty() {
            return Ok(());
        }
        let mut below = Spans::new();
        self.source.read(self.span.start + offset, inside, &mut below)?;
        for span in below.iter() {
            lost.insert(Span::new(span.start - self.span.start, span.len()));
        }
        Ok(())
    }
}
