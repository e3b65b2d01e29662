//! A stream that is compressed on its way: [`Zstd`].
//!
//! The encoder is the reference implementation, as a binding to its C code: an encoder in Rust alone gave up with a panic
//! where the disk behind it was full.

use std::io::{self, Write};

use zstd::stream::write::Encoder;

/// What the `zstd` program compresses with unless told otherwise.
const LEVEL: i32 = 3;

/// Compresses what is written. Flushing ends the compressed stream: nothing more can be written.
pub struct Zstd<W: Write> {
    out: Encoder<'static, W>,
    is_ended: bool,
}

impl<W: Write> Zstd<W> {
    /// Compresses into `out`.
    ///
    /// # Errors
    /// Want of memory.
    pub fn new(out: W) -> io::Result<Self> {
        let mut out = Encoder::new(out, LEVEL)?;
        out.include_checksum(true)?;
        Ok(Zstd { out, is_ended: false })
    }
}

impl<W: Write> Write for Zstd<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_ended {
            return Err(io::Error::other("the compressed stream has ended"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.is_ended {
            self.out.do_finish()?;
            self.is_ended = true;
        }
        self.out.get_mut().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_takes_no_more_is_an_error_and_no_panic() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let n = bytes.len().min(self.0);
                self.0 -= n;
                if n == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(n) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut out = Zstd::new(Full(1000)).unwrap();
        let noise: Vec<u8> = (0..1u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let written = out.write_all(&noise).and_then(|()| out.flush());
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(out.flush().is_err());
    }
}
