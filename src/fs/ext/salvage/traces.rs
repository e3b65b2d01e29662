//! What a filesystem that lost its headers leaves all over a source: superblocks in any sector and directories at any
//! KiB, found in one pass.

use super::super::disk::at;
use super::super::disk::dirent::{self, DirEntry};
use super::super::disk::superblock::Superblock;
use super::superblock::{self, BLOCK_SIZES};
use super::{scan, sighting};
use crate::progress::{Progress, Unit};
use crate::source::{Source, SourceGone};

/// Directories used as evidence, at most.
pub const MOST_DIRECTORIES: usize = 1 << 20;
/// Bytes from one place where a volume may begin to the next.
const SECTOR: usize = 512;
/// Superblocks used as evidence, at most.
const MOST_SUPERBLOCKS: usize = 4096;

/// The first block of a directory, found by content.
#[derive(Clone, Copy, Debug)]
pub struct Dir {
    /// In bytes.
    pub at: u64,
    /// The directory's own number.
    pub own: u32,
    /// Which of [`BLOCK_SIZES`] its entries can end at.
    pub ends: u8,
    /// Its entries record kinds.
    pub typed: bool,
}

/// What was found.
#[derive(Default)]
pub struct Traces {
    /// Superblocks, with their places in bytes.
    pub superblocks: Vec<(Superblock, u64)>,
    /// First blocks of directories.
    pub dirs: Vec<Dir>,
}

impl Traces {
    /// Searches the whole source.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn find(source: &Source, progress: &dyn Progress) -> Result<Self, SourceGone> {
        progress.stage("searching for superblocks and directories", Some(source.len()), Unit::Bytes);
        let mut found = Traces::default();
        scan::chunks(source, 1024, progress, look, |some| found.add(some))?;
        Ok(found)
    }

    fn add(&mut self, some: Traces) {
        let room = MOST_SUPERBLOCKS.saturating_sub(self.superblocks.len());
        self.superblocks.extend(some.superblocks.into_iter().take(room));
        let room = MOST_DIRECTORIES.saturating_sub(self.dirs.len());
        self.dirs.extend(some.dirs.into_iter().take(room));
    }
}

fn look(at: u64, chunk: &[u8]) -> Traces {
    let mut found = Traces::default();
    // A volume begins in any sector; within it blocks, and so directories, begin at every KiB at most.
    for start in (0..chunk.len()).step_by(SECTOR) {
        let (bytes, place) = (&chunk[start..], at + start as u64);
        found.superblocks.extend(superblock::look(bytes).map(|sb| (sb, place)));
        if start.is_multiple_of(1024) {
            found.dirs.extend(directory(place, bytes));
        }
    }
    found
}

fn directory(place: u64, bytes: &[u8]) -> Option<Dir> {
    let (own, _) = sighting::dot(bytes)?;
    let (mut offset, mut ends, mut typed) = (0, 0, false);
    while let Some(entry) = at::<DirEntry>(bytes, offset) {
        let len = dirent::rec_len(entry.rec_len.get(), 1024);
        if len < 8 || !len.is_multiple_of(4) || usize::from(entry.name_len) + 8 > len || offset + len > 0x1_0000 {
            break;
        }
        typed |= entry.inode.get() != 0 && entry.file_type != 0;
        offset += len;
        for (bit, size) in BLOCK_SIZES.iter().enumerate() {
            if offset as u64 == *size && place.is_multiple_of(*size) {
                ends |= 1 << bit;
            }
        }
    }
    (ends != 0).then_some(Dir { at: place, own, ends, typed })
}
