//! What is sent as one object, or as one part of one ([`Body`]).

use std::io;
use std::ops::Deref;

use memmap2::MmapMut;

/// Bodies of at least so many bytes are mapped.
const LARGE: usize = 32 << 10;

/// Bytes gathered to be sent.
///
/// Large ones are memory of their own, which is the system's again as soon as they were sent. Of the allocator's, each of
/// the many threads would keep what it freed: 75 MiB more with 16 lanes.
pub struct Body {
    bytes: Bytes,
    len: usize,
}

enum Bytes {
    Small(Vec<u8>),
    Large(MmapMut),
}

impl Body {
    /// Room for so many bytes, and no more.
    ///
    /// # Errors
    /// When there is no such room in memory.
    pub fn new(room: usize) -> io::Result<Self> {
        let bytes = if room < LARGE { Bytes::Small(vec![0; room]) } else { Bytes::Large(MmapMut::map_anon(room)?) };
        Ok(Body { bytes, len: 0 })
    }

    /// Adds as many of these bytes as there is room for; returns how many.
    pub fn add(&mut self, bytes: &[u8]) -> usize {
        let all: &mut [u8] = match &mut self.bytes {
            Bytes::Small(all) => all,
            Bytes::Large(all) => all,
        };
        let len = bytes.len().min(all.len() - self.len);
        all[self.len..self.len + len].copy_from_slice(&bytes[..len]);
        self.len += len;
        len
    }

    /// Takes away what was added after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Default for Body {
    fn default() -> Self {
        Body { bytes: Bytes::Small(Vec::new()), len: 0 }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Body { len: bytes.len(), bytes: Bytes::Small(bytes) }
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Small(all) => &all[..self.len],
            Bytes::Large(all) => &all[..self.len],
        }
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_takes_what_there_is_room_for() {
        for room in [0, 10, LARGE, LARGE + 1] {
            let mut body = Body::new(room).unwrap();
            assert_eq!(body.add(&vec![1; room / 2]), room / 2);
            assert_eq!(body.add(&vec![2; room]), room - room / 2);
            assert_eq!(body.add(b"more"), 0);
            assert_eq!(body[..room / 2], vec![1; room / 2]);
            assert_eq!(body[room / 2..], vec![2; room - room / 2]);
        }
    }
}
