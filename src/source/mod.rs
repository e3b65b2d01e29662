//! Where bytes come from: [`ReadAt`], the only read there is, and the sources built on it.
//!
//! Nothing here can write. No mmap: a bad sector or a shrinking file would be a SIGBUS.

mod blanked;
mod file;
mod headed;
mod headless;
mod kept;
mod memory;
mod overlay;
mod unreadable;
mod window;

pub mod faulty;
pub mod mapfile;
pub(crate) mod recent;

pub use blanked::Blanked;
pub use file::FileSource;
pub use headed::Headed;
pub use headless::Headless;
pub use kept::Kept;
pub use memory::MemorySource;
pub use overlay::{Overlay, OverlayBuilder};
pub use unreadable::Unreadable;
pub use window::Window;

use std::fmt;
use std::sync::Arc;

use crate::bytes::Spans;

/// A shared source of bytes.
pub type Source = Arc<dyn ReadAt>;

/// Positional reads, safe from many threads.
pub trait ReadAt: Send + Sync {
    /// Size in bytes.
    fn len(&self) -> u64;

    /// Fills `buf` from `offset`. What can not be read (bad sectors, past the end) is zero in `buf` and listed in
    /// `lost`, as offsets of this source.
    ///
    /// # Errors
    /// Only when the source as a whole is gone: a device pulled out, a network file closed.
    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone>;

    /// True for a source of no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The source can not be read any more, at no offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceGone(pub String);

impl fmt::Display for SourceGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the source can not be read any more: {}", self.0)
    }
}

impl std::error::Error for SourceGone {}

/// Reads `len` bytes at `offset` into a new buffer; `None` if any of them is unreadable.
///
/// For structures that are worthless when incomplete. `len` must be bounded by the caller.
///
/// # Errors
/// When the source is gone.
pub fn read_whole(source: &dyn ReadAt, offset: u64, len: usize) -> Result<Option<Vec<u8>>, SourceGone> {
    let (mut buf, mut lost) = (vec![0; len], Spans::new());
    source.read(offset, &mut buf, &mut lost)?;
    Ok(lost.is_empty().then_some(buf))
}

/// Lists as lost, and zeroes, what of a read at `offset` lies past `end`; returns the part of `buf` before it.
fn clip<'b>(offset: u64, buf: &'b mut [u8], end: u64, lost: &mut Spans) -> &'b mut [u8] {
    let inside = end.saturating_sub(offset).min(buf.len() as u64) as usize;
    let (inside, outside) = buf.split_at_mut(inside);
    outside.fill(0);
    lost.insert(crate::bytes::Span::new(offset.saturating_add(inside.len() as u64), outside.len() as u64));
    inside
}
