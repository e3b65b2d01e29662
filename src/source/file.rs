//! A regular file or block device, opened read-only.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{ReadAt, SourceGone, clip};
use crate::bytes::{Span, Spans};

/// Sector size tried when a larger read fails; the smallest that any disk has.
const SECTOR: usize = 512;

/// A regular file or block device.
pub struct FileSource {
    file: File,
    path: PathBuf,
    len: u64,
    block_device: bool,
}

impl FileSource {
    /// Opens `path` read-only. The size of a device comes from the kernel.
    ///
    /// # Errors
    /// Those of opening; `InvalidInput` for what is neither a regular file nor a block device.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let kind = file.metadata()?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} is neither a regular file nor a block device", path.display()),
            ));
        }
        // The end of a block device is its size; its metadata says 0.
        let len = rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))?;
        Ok(FileSource { file, path: path.to_owned(), len, block_device: kind.is_block_device() })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True for a block device.
    pub fn is_block_device(&self) -> bool {
        self.block_device
    }

    /// The open file, to ask the kernel about it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads `buf` in one go, or in halves down to sectors where that fails.
    fn read_what_can_be(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], offset + done as u64) {
                // The file shrank since it was opened.
                Ok(0) => {
                    lose(offset + done as u64, &mut buf[done..], lost);
                    return Ok(());
                }
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if is_gone(&e) => return Err(SourceGone(format!("{}: {e}", self.path.display()))),
                Err(_) if buf.len() - done <= SECTOR => {
                    lose(offset + done as u64, &mut buf[done..], lost);
                    return Ok(());
                }
                Err(_) => {
                    // Sectors are aligned on the device, so the halves must be too, for a bad one to be named exactly.
                    let at = offset + done as u64;
                    let half = (at + (buf.len() - done) as u64 / 2).next_multiple_of(SECTOR as u64) - at;
                    let half = (half as usize).min(buf.len() - done - 1).max(1);
                    let (left, right) = buf[done..].split_at_mut(half);
                    self.read_what_can_be(at, left, lost)?;
                    return self.read_what_can_be(at + half as u64, right, lost);
                }
            }
        }
        Ok(())
    }
}

fn lose(offset: u64, buf: &mut [u8], lost: &mut Spans) {
    buf.fill(0);
    lost.insert(Span::new(offset, buf.len() as u64));
}

/// Errors that concern the whole device and not the sectors asked for.
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::NODEV, Errno::NXIO, Errno::BADF, Errno::STALE, Errno::NOTCONN, Errno::SHUTDOWN];
    error.raw_os_error().is_some_and(|code| gone.iter().any(|e| e.raw_os_error() == code))
}

impl ReadAt for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        let inside = clip(offset, buf, self.len, lost);
        self.read_what_can_be(offset, inside, lost)
    }
}
