//! A source that fails on purpose, so that tests can make every read fail in turn.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{ReadAt, Source, SourceGone};
use crate::bytes::{Span, Spans};

/// What a [`Faulty`] source does at the chosen read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// All bytes of that one read are lost; later reads work.
    Lost,
    /// The source is gone, at that read and ever after.
    Gone,
}

/// Fails at the `at`-th read (counted from 0).
pub struct Faulty {
    below: Source,
    fault: Fault,
    at: u64,
    reads: AtomicU64,
}

impl Faulty {
    /// `below`, with `fault` at its `at`-th read.
    pub fn new(below: Source, fault: Fault, at: u64) -> Self {
        Faulty { below, fault, at, reads: AtomicU64::new(0) }
    }

    /// How many reads there were.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl ReadAt for Faulty {
    fn len(&self) -> u64 {
        self.below.len()
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        let read = self.reads.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::Gone if read >= self.at => Err(SourceGone("it was told to fail".into())),
            Fault::Lost if read == self.at => {
                buf.fill(0);
                lost.insert(Span::new(offset, buf.len() as u64));
                Ok(())
            }
            _ => self.below.read(offset, buf, lost),
        }
    }
}
