//! What a filesystem that lost its headers leaves all over a source: superblocks at any byte, directories at any KiB and
//! their inodes at any multiple of 128 bytes, found in one pass.

use std::mem::offset_of;
use std::sync::Arc;

use super::super::disk::dirent::{self, DirEntry};
use super::super::disk::inode::{BASE_SIZE, Inode, flags};
use super::super::disk::superblock::{self as disk, MAGIC, Superblock};
use super::super::disk::{at, padded};
use super::superblock::{self, BLOCK_SIZES};
use super::{generation, record, sighting};
use crate::fs::search::{Sightings, sightings};
use crate::progress::{Progress, Unit};
use crate::source::{Source, SourceGone, read_whole};

/// Directories used as evidence, at most.
pub const MOST_DIRECTORIES: usize = 1 << 20;
/// Entries taken of one block.
const MOST_OF_BLOCK: usize = 32;
/// Bytes of a superblock, and where in it its magic number lies.
const LEN: usize = disk::SIZE;
const MAGIC_AT: usize = offset_of!(Superblock, s_magic);
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

/// What looks like the inode of a directory.
#[derive(Clone, Copy, Debug)]
pub struct DirInode {
    /// In bytes.
    pub at: u64,
    /// Its size, in bytes.
    pub size: u64,
    /// Number of its first block.
    pub first: u64,
    /// What its checksum begins with, but for its own number, if it has one: see [`generation::of_record`].
    pub seed: Option<u32>,
    /// It has extents.
    pub extents: bool,
}

/// An inode that a block of names names.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Its number.
    pub nr: u32,
    /// Its kind, as entries record it; 0 where they record none.
    pub kind: u8,
    /// Which of [`BLOCK_SIZES`] the block can have.
    pub ends: u8,
}

/// What was found.
#[derive(Default)]
pub struct Traces {
    /// Superblocks, with their places in bytes.
    pub superblocks: Vec<(Superblock, u64)>,
    /// First blocks of directories.
    pub dirs: Vec<Dir>,
    /// Inodes of directories, or what looks like them.
    pub inodes: Vec<DirInode>,
    /// Inodes that names lead to, some of each block of names.
    pub named: Vec<Named>,
}

impl Traces {
    /// Searches the whole source.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn find(source: &Source, progress: &dyn Progress) -> Result<Arc<Self>, SourceGone> {
        progress.stage("searching for superblocks and directories", Some(source.len()), Unit::Bytes);
        sightings(source, progress).map(Arc::new)
    }
}

impl Sightings for Traces {
    fn look(source: &Source, at: u64, chunk: &[u8]) -> Self {
        let (mut dirs, mut some) = (Vec::new(), Vec::new());
        for start in (0..chunk.len()).step_by(1024) {
            let (place, bytes) = (at + start as u64, &chunk[start..]);
            let chain = Chain::of(place, bytes);
            dirs.extend(directory(place, bytes, &chain));
            some.extend(named(bytes, &chain));
        }
        let inodes = (0..chunk.len()).step_by(BASE_SIZE).filter_map(|start| inode(at + start as u64, &chunk[start..]));
        let mut found = Traces { superblocks: superblocks(at, chunk), dirs, inodes: inodes.collect(), named: some };
        // One may lie across the end of a chunk, where its volume begins in the middle of a block.
        let across = (at + chunk.len() as u64).saturating_sub(LEN as u64 - 1);
        let bytes = read_whole(&**source, across, 2 * LEN - 2).unwrap_or_default();
        found.superblocks.extend(superblocks(across, &bytes.unwrap_or_default()));
        found
    }

    fn add(&mut self, later: Self) {
        let room = MOST_SUPERBLOCKS.saturating_sub(self.superblocks.len());
        self.superblocks.extend(later.superblocks.into_iter().take(room));
        let room = MOST_DIRECTORIES.saturating_sub(self.dirs.len());
        self.dirs.extend(later.dirs.into_iter().take(room));
        let room = MOST_DIRECTORIES.saturating_sub(self.inodes.len());
        self.inodes.extend(later.inodes.into_iter().take(room));
        let room = MOST_DIRECTORIES.saturating_sub(self.named.len());
        self.named.extend(later.named.into_iter().take(room));
    }
}

/// The superblocks that lie wholly in some bytes, which begin at `at`: a volume may begin at any byte of an image that
/// something was put before, or cut off from.
fn superblocks(at: u64, bytes: &[u8]) -> Vec<(Superblock, u64)> {
    let magic = MAGIC.to_le_bytes();
    let places = memchr::memmem::find_iter(bytes, &magic).filter_map(|place| place.checked_sub(MAGIC_AT));
    let found = places.filter_map(|start| Some((superblock::look(&bytes[start..])?, at + start as u64)));
    found.take(MOST_SUPERBLOCKS).collect()
}

fn inode(place: u64, bytes: &[u8]) -> Option<DirInode> {
    // Most bytes are no directory's inode: the kind first.
    if bytes.len() < BASE_SIZE || bytes[1] >> 4 != 4 {
        return None;
    }
    let inode: Inode = padded(&bytes[..bytes.len().min(160)]);
    let size = inode.size();
    if inode.i_links_count.get() < 2 || size == 0 || !size.is_multiple_of(BLOCK_SIZES[0]) || inode.i_dtime.get() != 0 {
        return None;
    }
    let first = record::first_block_number(&inode)?;
    let seed = [256, 512, 1024, 2048, 4096].iter().find_map(|&len| generation::of_record(bytes.get(..len)?));
    Some(DirInode { at: place, size, first, seed, extents: inode.has(flags::EXTENTS) })
}

/// Entries that follow each other from the first byte on.
#[derive(Default)]
struct Chain {
    /// Which of [`BLOCK_SIZES`] they can end at.
    ends: u8,
    /// They record kinds.
    typed: bool,
    /// Those of them up to which all entries are sound, one with a checksum in place of a name too.
    sound_ends: u8,
}

impl Chain {
    fn of(place: u64, bytes: &[u8]) -> Self {
        let (mut offset, mut sound, mut chain) = (0, true, Chain::default());
        while let Some(entry) = at::<DirEntry>(bytes, offset) {
            let len = dirent::rec_len(entry.rec_len.get(), 1024);
            if len < 8 || !len.is_multiple_of(4) || usize::from(entry.name_len) + 8 > len || offset + len > 0x1_0000 {
                break;
            }
            chain.typed |= entry.inode.get() != 0 && entry.file_type != 0;
            sound &= entry.inode.get() == 0 || entry.name_len > 0 && entry.file_type <= 7;
            offset += len;
            for (bit, size) in BLOCK_SIZES.iter().enumerate() {
                if offset as u64 == *size && place.is_multiple_of(*size) {
                    chain.ends |= 1 << bit;
                    chain.sound_ends |= u8::from(sound) << bit;
                }
            }
        }
        chain
    }
}

/// The first block of a directory that begins at `place`.
fn directory(place: u64, bytes: &[u8], chain: &Chain) -> Option<Dir> {
    let (own, _) = sighting::dot(bytes)?;
    (chain.ends != 0).then_some(Dir { at: place, own, ends: chain.ends, typed: chain.typed })
}

/// Some of the numbers and kinds in a block of names.
fn named(bytes: &[u8], chain: &Chain) -> Vec<Named> {
    let (mut named, mut offset) = (Vec::new(), 0);
    let Some(smallest) = BLOCK_SIZES.get(chain.sound_ends.trailing_zeros() as usize) else { return named };
    while let Some(entry) =
        at::<DirEntry>(bytes, offset).filter(|_| named.len() < MOST_OF_BLOCK && (offset as u64) < *smallest)
    {
        let len = dirent::rec_len(entry.rec_len.get(), 1024);
        if len < 8 {
            break;
        }
        if entry.inode.get() > 10 && (!chain.typed || (1..=7).contains(&entry.file_type)) {
            named.push(Named { nr: entry.inode.get(), kind: entry.file_type, ends: chain.sound_ends });
        }
        offset += len;
    }
    named
}
