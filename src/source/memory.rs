//! Bytes held in memory.

use super::{ReadAt, SourceGone, clip};
use crate::bytes::Spans;

/// A source over bytes in memory.
pub struct MemorySource(pub Vec<u8>);

impl ReadAt for MemorySource {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        let inside = clip(offset, buf, self.len(), lost);
        if !inside.is_empty() {
            let start = offset as usize; // below self.0.len(), as something lies inside
            inside.copy_from_slice(&self.0[start..start + inside.len()]);
        }
        Ok(())
    }
}
