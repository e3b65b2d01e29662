//! Blocks that replace those of another source: the replayed journal, without a write.

use std::collections::HashMap;
use std::sync::Arc;

use super::{ReadAt, Source, SourceGone};
use crate::bytes::{Span, Spans};

/// A source of which some blocks are replaced. A replaced block is readable even where the block below is not.
pub struct Overlay {
    below: Source,
    block_size: u64,
    blocks: HashMap<u64, Arc<[u8]>>,
}

/// Collects the blocks of an [`Overlay`].
pub struct OverlayBuilder {
    block_size: u64,
    blocks: HashMap<u64, Arc<[u8]>>,
}

impl OverlayBuilder {
    /// No blocks yet, of `block_size` bytes each (not zero).
    pub fn new(block_size: u64) -> Self {
        assert_ne!(block_size, 0, "blocks have a size");
        OverlayBuilder { block_size, blocks: HashMap::new() }
    }

    /// Replaces a block; a later call for the same block wins.
    ///
    /// # Panics
    /// When `content` is not one block long: the caller cut it.
    pub fn replace(&mut self, block: u64, content: Arc<[u8]>) {
        assert_eq!(content.len() as u64, self.block_size, "one block");
        self.blocks.insert(block, content);
    }

    /// Numbers of the blocks replaced, in no order.
    pub fn blocks(&self) -> impl Iterator<Item = u64> + '_ {
        self.blocks.keys().copied()
    }

    /// Number of blocks replaced.
    pub fn count(&self) -> usize {
        self.blocks.len()
    }

    /// Lays the blocks over `below`.
    pub fn over(self, below: Source) -> Overlay {
        Overlay { below, block_size: self.block_size, blocks: self.blocks }
    }
}

impl Overlay {
    /// The content of a replaced block.
    pub fn replaced(&self, block: u64) -> Option<&Arc<[u8]>> {
        self.blocks.get(&block)
    }

    /// The source as it lies on the disk.
    pub fn below(&self) -> &Source {
        &self.below
    }
}

impl ReadAt for Overlay {
    fn len(&self) -> u64 {
        self.below.len()
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        let mut below = Spans::new();
        self.below.read(offset, buf, &mut below)?;
        let wanted = Span::new(offset, buf.len() as u64);
        let mut replaced = Spans::new();
        for block in wanted.start / self.block_size..wanted.end.div_ceil(self.block_size) {
            let Some(content) = self.blocks.get(&block) else { continue };
            let here = Span::new(block * self.block_size, self.block_size);
            let Some(part) = here.intersection(wanted) else { continue };
            let to = (part.start - wanted.start) as usize..(part.end - wanted.start) as usize;
            let from = (part.start - here.start) as usize..(part.end - here.start) as usize;
            buf[to].copy_from_slice(&content[from]);
            replaced.insert(part);
        }
        for span in below.iter() {
            let mut at = span.start;
            for part in replaced.within(span) {
                lost.insert(Span { start: at, end: part.start });
                at = part.end;
            }
            lost.insert(Span { start: at, end: span.end });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemorySource;
    use super::*;

    #[test]
    fn replaced_blocks_shine_through_at_any_alignment_even_past_the_end() {
        let below = Arc::new(MemorySource((0..40).collect()));
        let mut blocks = OverlayBuilder::new(8);
        blocks.replace(1, Arc::from([0xaa; 8]));
        blocks.replace(5, Arc::from([0xbb; 8])); // wholly past the end of the 40 bytes below
        let overlay = blocks.over(below);
        let (mut buf, mut lost) = ([0; 46], Spans::new());
        overlay.read(4, &mut buf, &mut lost).unwrap();
        assert_eq!(buf[..4], [4, 5, 6, 7]);
        assert_eq!(buf[4..12], [0xaa; 8]);
        assert_eq!(buf[12], 16);
        assert_eq!(buf[36..44], [0xbb; 8]);
        assert_eq!(buf[44..], [0, 0]);
        assert_eq!(lost.iter().collect::<Vec<_>>(), [Span { start: 48, end: 50 }]);
    }
}
