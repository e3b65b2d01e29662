//! A source without what is not to be looked at.

use super::{ReadAt, Source, SourceGone};
use crate::bytes::{Span, Spans};

/// A source in which some bytes read as zeros, whatever stands there.
pub struct Blanked {
    below: Source,
    blank: Spans,
}

impl Blanked {
    /// `below` with zeros in the bytes of `blank`.
    pub fn new(below: Source, blank: Spans) -> Self {
        Blanked { below, blank }
    }
}

impl ReadAt for Blanked {
    fn len(&self) -> u64 {
        self.below.len()
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        self.below.read(offset, buf, lost)?;
        for span in self.blank.within(Span::new(offset, buf.len() as u64)) {
            buf[(span.start - offset) as usize..(span.end - offset) as usize].fill(0);
        }
        Ok(())
    }
}
