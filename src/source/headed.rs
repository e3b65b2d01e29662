//! A source whose beginning is kept in memory: recognising a volume takes dozens of small reads there.

use super::{ReadAt, Source, SourceGone};
use crate::bytes::{Span, Spans};

/// `source`, with its first bytes at hand.
pub struct Headed {
    source: Source,
    head: Vec<u8>,
    lost: Spans,
}

impl Headed {
    /// Reads the first `len` bytes of `source`.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn new(source: Source, len: u64) -> Result<Self, SourceGone> {
        let (mut head, mut lost) = (vec![0; source.len().min(len) as usize], Spans::new());
        source.read(0, &mut head, &mut lost)?;
        Ok(Headed { source, head, lost })
    }

    /// The first bytes, zeros where they can not be read.
    pub fn head(&self) -> &[u8] {
        &self.head
    }
}

impl ReadAt for Headed {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(bytes) = at.checked_add(buf.len()).and_then(|end| self.head.get(at..end)) else {
            return self.source.read(offset, buf, lost);
        };
        buf.copy_from_slice(bytes);
        let read = Span::new(offset, bytes.len() as u64);
        self.lost.within(read).for_each(|span| lost.insert(span));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::{MemorySource, Unreadable};

    #[test]
    fn the_same_bytes_from_the_head_over_its_end_and_past_the_end() {
        let bytes: Source = Arc::new(MemorySource((0..100).collect()));
        let plain: Source =
            Arc::new(Unreadable::new(bytes, [Span::new(12, 2), Span::new(38, 4)].into_iter().collect()));
        let headed = Headed::new(plain.clone(), 40).unwrap();
        assert_eq!((headed.head().len(), headed.len()), (40, 100));
        for (offset, len) in [(0, 40), (10, 5), (39, 2), (40, 60), (90, 30), (200, 1), (u64::MAX, 8)] {
            let (mut one, mut other) = (vec![7; len], vec![7; len]);
            let (mut lost, mut lost_too) = (Spans::new(), Spans::new());
            headed.read(offset, &mut one, &mut lost).unwrap();
            plain.read(offset, &mut other, &mut lost_too).unwrap();
            assert!(one == other && lost.iter().eq(lost_too.iter()), "{len} bytes at {offset}: {lost:?}, {lost_too:?}");
        }
    }
}
