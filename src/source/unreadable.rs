//! A source some bytes of which are known to be bad: from a ddrescue mapfile, or found out by reading.

use super::{ReadAt, Source, SourceGone};
use crate::bytes::{Span, Spans};

/// A source in which the spans of `bad` read as lost, whatever stands there.
pub struct Unreadable {
    below: Source,
    bad: Spans,
}

impl Unreadable {
    /// `below` without the bytes of `bad`.
    pub fn new(below: Source, bad: Spans) -> Self {
        Unreadable { below, bad }
    }
}

impl ReadAt for Unreadable {
    fn len(&self) -> u64 {
        self.below.len()
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        self.below.read(offset, buf, lost)?;
        for span in self.bad.within(Span::new(offset, buf.len() as u64)) {
            buf[(span.start - offset) as usize..(span.end - offset) as usize].fill(0);
            lost.insert(span);
        }
        Ok(())
    }
}
