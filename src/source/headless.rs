//! A source whose beginning is missing: an image that was cut off at the front.

use super::{ReadAt, Source, SourceGone};
use crate::bytes::{Span, Spans};

/// `source` with so many bytes before it that are lost, so that offsets are what they were.
pub struct Headless {
    source: Source,
    missing: u64,
}

impl Headless {
    /// A source that lacks its first `missing` bytes.
    pub fn new(source: Source, missing: u64) -> Self {
        Headless { source, missing }
    }
}

impl ReadAt for Headless {
    fn len(&self) -> u64 {
        self.source.len().saturating_add(self.missing)
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        let gone = self.missing.saturating_sub(offset).min(buf.len() as u64) as usize;
        let (before, there) = buf.split_at_mut(gone);
        before.fill(0);
        lost.insert(Span::new(offset, before.len() as u64));
        if there.is_empty() {
            return Ok(());
        }
        let mut below = Spans::new();
        self.source.read(offset + gone as u64 - self.missing, there, &mut below)?;
        for span in below.iter() {
            lost.insert(Span::new(span.start.saturating_add(self.missing), span.len()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::MemorySource;
    use super::*;

    #[test]
    fn what_is_missing_is_lost_and_the_rest_where_it_was() {
        let source = Headless::new(Arc::new(MemorySource(vec![1, 2, 3])), 2);
        let (mut buf, mut lost) = ([9; 7], Spans::new());
        source.read(0, &mut buf, &mut lost).unwrap();
        assert_eq!((source.len(), buf), (5, [0, 0, 1, 2, 3, 0, 0]));
        assert_eq!(lost.iter().collect::<Vec<_>>(), [Span::new(0, 2), Span::new(5, 2)]);
        let mut one = [0];
        source.read(3, &mut one, &mut Spans::new()).unwrap();
        assert_eq!(one, [2]);
    }
}
