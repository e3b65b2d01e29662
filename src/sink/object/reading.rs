//! An object being read back ([`Reading`]).

use std::io::{self, Read};

use super::Bucket;
use crate::sink::ReadBack;

/// Bytes asked for at a time.
const WINDOW: u64 = 2 << 20;

/// An object, of which a stretch is held.
pub struct Reading<'a> {
    bucket: &'a dyn Bucket,
    key: String,
    size: u64,
    /// Where the stretch begins.
    begin: u64,
    held: Vec<u8>,
    /// Where a stream goes on.
    at: u64,
}

impl<'a> Reading<'a> {
    /// An object of `size` bytes.
    pub fn new(bucket: &'a dyn Bucket, key: String, size: u64) -> Self {
        Reading { bucket, key, size, begin: 0, held: Vec::new(), at: 0 }
    }
}

impl ReadBack for Reading<'_> {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let end = self.begin + self.held.len() as u64;
        if offset < self.begin || offset >= end {
            let range = offset..self.size.min(offset.saturating_add(WINDOW));
            self.held = self.bucket.get(&self.key, range)?;
            self.begin = offset;
        }
        let held = self.held.get((offset - self.begin) as usize..).unwrap_or_default();
        let len = held.len().min(buffer.len());
        buffer[..len].copy_from_slice(&held[..len]);
        Ok(len)
    }
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.read_at(self.at, buffer)?;
        self.at += len as u64;
        Ok(len)
    }
}
