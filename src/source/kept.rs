//! A source whose parts read last are kept.

use std::sync::Arc;

use super::recent::Recent;
use super::{ReadAt, Source, SourceGone};
use crate::bytes::{Buffer, Span, Spans};

/// Bytes read and kept at once.
const PART: u64 = 4 << 10;
/// Parts kept: 16 MiB in all.
const MOST_KEPT: usize = 4096;

/// A source of which little is read, but again and again: small reads of nearby places cost one read of it.
pub struct Kept {
    below: Source,
    parts: Recent<u64, Arc<Part>>,
}

struct Part {
    bytes: Buffer,
    lost: Spans,
}

impl Kept {
    /// `below`, with nothing kept yet.
    pub fn new(below: Source) -> Self {
        Kept { below, parts: Recent::new(MOST_KEPT) }
    }

    fn part(&self, start: u64) -> Result<Arc<Part>, SourceGone> {
        self.parts.get_or_make(start, || {
            let len = PART.min(self.len() - start) as usize;
            let (mut bytes, mut lost) = (Buffer::new(len), Spans::new());
            self.below.read(start, &mut bytes, &mut lost)?;
            Ok(Arc::new(Part { bytes, lost }))
        })
    }
}

impl ReadAt for Kept {
    fn len(&self) -> u64 {
        self.below.len()
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        let mut buf = super::clip(offset, buf, self.len(), lost);
        let mut at = offset;
        while !buf.is_empty() {
            let start = at / PART * PART;
            let part = self.part(start)?;
            let from = &part.bytes[(at - start) as usize..];
            let (now, rest) = buf.split_at_mut(from.len().min(buf.len()));
            now.copy_from_slice(&from[..now.len()]);
            for span in part.lost.within(Span::new(at, now.len() as u64)) {
                lost.insert(span);
            }
            at += now.len() as u64;
            buf = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MemorySource, Unreadable};
    use super::*;

    #[test]
    fn reads_as_the_source_below() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|at| (at % 251) as u8).collect();
        let bad = Spans::from_iter([Span::new(4000, 200), Span::new(9990, 5)]);
        let below: Source = Arc::new(Unreadable::new(Arc::new(MemorySource(bytes)), bad));
        let kept = Kept::new(below.clone());
        for (offset, len) in [(0, 10_000), (4090, 20), (3990, 20), (8192, 1808), (9980, 100), (20_000, 4), (17, 1)] {
            let read = |source: &dyn ReadAt| {
                let (mut buf, mut lost) = (vec![1; len], Spans::new());
                source.read(offset, &mut buf, &mut lost).unwrap();
                (buf, lost)
            };
            assert_eq!(read(&kept), read(&*below), "{len} bytes at {offset}");
            assert_eq!(read(&kept), read(&*below), "{len} bytes at {offset} again");
        }
    }
}
