//! How a second reader reads: [`Metered`] gives it `Read`, `Seek` and a `Write` that refuses, and a [`Meter`] ends
//! what would go on for ever.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::bytes::Spans;
use crate::source::Source;

/// What one reader may still read, and what it tried to do.
#[derive(Debug, Default)]
pub struct Meter {
    left: AtomicU64,
    exhausted: AtomicBool,
    unreadable: AtomicBool,
    writes: AtomicU64,
}

impl Meter {
    /// A meter that allows nothing yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Allows `bytes` more for the next call, whatever the last one left.
    pub fn allow(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
        self.exhausted.store(false, Ordering::Relaxed);
        self.unreadable.store(false, Ordering::Relaxed);
    }

    /// Why reads of this call failed for our own reasons, if they did.
    pub fn stopped(&self) -> Option<&'static str> {
        if self.exhausted.load(Ordering::Relaxed) {
            return Some("it read far more than the file holds, and was stopped");
        }
        self.unreadable.load(Ordering::Relaxed).then_some("it needs bytes that can not be read")
    }

    /// How many writes were refused.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Takes `bytes` from what is left; a call costs a sector at least, so that reading nothing for ever ends too.
    fn take(&self, bytes: u64) -> io::Result<()> {
        let left = self.left.load(Ordering::Relaxed);
        let Some(rest) = left.checked_sub(bytes.max(512)) else {
            self.exhausted.store(true, Ordering::Relaxed);
            return Err(io::Error::other("the read budget is used up"));
        };
        self.left.store(rest, Ordering::Relaxed);
        Ok(())
    }
}

/// A source as other people's crates read one. Incomplete reads are errors: they know of no lost bytes.
pub struct Metered {
    source: Source,
    meter: Arc<Meter>,
    at: u64,
}

impl Metered {
    /// `source`, read from its start, on `meter`.
    pub fn new(source: Source, meter: Arc<Meter>) -> Self {
        Metered { source, meter, at: 0 }
    }

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// Where a byte is unreadable or past the end, and where the meter allows no more.
    pub fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.meter.take(buf.len() as u64)?;
        let mut lost = Spans::new();
        self.source.read(offset, buf, &mut lost).map_err(io::Error::other)?;
        if lost.is_empty() {
            return Ok(());
        }
        self.meter.unreadable.store(true, Ordering::Relaxed);
        Err(io::Error::other("bytes that can not be read"))
    }
}

impl Read for Metered {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let inside = self.source.len().saturating_sub(self.at).min(buf.len() as u64) as usize;
        self.read_exact_at(self.at, &mut buf[..inside])?;
        self.at += inside as u64;
        Ok(inside)
    }
}

impl Seek for Metered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.source.len().checked_add_signed(by),
        };
        self.at = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// Refuses, and counts: fatfs wants a `Write` even to read.
impl Write for Metered {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.meter.writes.fetch_add(1, Ordering::Relaxed);
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    fn metered(bytes: u64) -> Metered {
        let meter = Meter::new();
        meter.allow(bytes);
        Metered::new(Arc::new(MemorySource((0..=255).collect())), meter)
    }

    #[test]
    fn reads_until_the_meter_ends_it() {
        let mut source = metered(1024);
        let mut buf = [0; 200];
        assert_eq!(source.read(&mut buf).unwrap(), 200);
        assert_eq!(source.read(&mut buf).unwrap(), 56);
        assert_eq!(buf[55], 255);
        assert_eq!(source.meter.stopped(), None);
        assert!(source.read(&mut buf).is_err(), "two calls cost two sectors");
        assert!(source.meter.stopped().unwrap().contains("stopped"));
    }

    #[test]
    fn lost_bytes_and_writes_are_errors_and_noted() {
        let mut source = metered(1 << 20);
        assert!(source.read_exact_at(250, &mut [0; 10]).is_err());
        assert!(source.meter.stopped().unwrap().contains("can not be read"));
        assert!(source.write(b"x").is_err());
        assert_eq!(source.meter.writes(), 1);
    }
}
