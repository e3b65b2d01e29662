//! Pass 2: every block of every directory.
//!
//! Tests: entries, names, kinds, what they name, checksums, `.` and `..`, and what hashed directories look like.
//! Needs: [`Found`] and the blocks of directories. Leaves: [`Entries`]: who is whose parent, and how often each inode is
//! named.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use super::codes;
use super::counts::Counts;
use super::entry::{self, Context};
use super::hash_tree::{self, Part};
use super::inodes::{DirBlock, Found, Gathered, Order};
use super::volume::Volume;
use super::xattrs;
use crate::bytes::Buffer;
use crate::finding::{Log, Place};
use crate::progress::Progress;
use crate::source::SourceGone;

use super::super::dir::name_hash::NameHash;
use super::super::disk::at;
use super::super::disk::dirent::{DirEntry, DxRoot, INLINE_DOTDOT_SIZE};
use super::super::disk::inode::{I_BLOCK_SIZE, flags};
use super::super::number::InodeNr;

/// What pass 2 leaves.
#[derive(Default)]
pub struct Entries {
    pub log: Log,
    /// The directory that names each directory; the first to do so where several do.
    pub parents: BTreeMap<u32, u32>,
    /// What each directory says its parent is.
    pub dotdots: BTreeMap<u32, u32>,
    /// Directories whose `.` and `..` can not be read.
    pub unread: BTreeSet<u32>,
    /// Some block was damaged so far that names may be missing.
    pub corrupted: bool,
    pub interrupted: bool,
}

/// A directory that an entry names, the place of the entry (when its block is met, directory, block of it, byte), and the directory
/// that the entry is in.
pub type Child = (u32, (Order, u32, u32, u32), u32);

/// What one worker leaves.
#[derive(Default)]
pub struct Partial {
    pub log: Log,
    /// Entries that name directories.
    pub children: Vec<Child>,
    pub dotdots: Vec<(u32, u32)>,
    /// Directories whose `.` and `..` can not be read.
    pub unread: Vec<u32>,
    pub parts: Vec<(u32, u32, Part)>,
    /// Directories of which one block has a name twice.
    pub duplicates: BTreeSet<u32>,
    pub corrupted: bool,
}

impl Partial {
    fn merge(&mut self, other: Partial) {
        self.log.merge(other.log);
        self.children.extend(other.children);
        self.dotdots.extend(other.dotdots);
        self.unread.extend(other.unread);
        self.parts.extend(other.parts);
        self.duplicates.extend(other.duplicates);
        self.corrupted |= other.corrupted;
    }
}

/// What all workers share.
pub struct Shared<'a> {
    pub volume: &'a Volume,
    pub found: &'a Found,
    pub gathered: &'a Gathered,
    pub counts: &'a Counts,
    /// How the names of each hashed directory are hashed.
    pub hashes: BTreeMap<u32, Option<NameHash>>,
}

/// Blocks read by one worker before it takes more.
const RUN: usize = 64;

/// Checks all blocks of directories. `blocks` is sorted by place on the volume.
pub fn scan(
    volume: &Volume,
    found: &Found,
    gathered: &Gathered,
    counts: &Counts,
    progress: &dyn Progress,
) -> Result<Entries, SourceGone> {
    let shared = Shared { volume, found, gathered, counts, hashes: hashes(volume, gathered)? };
    let failure: Mutex<Option<SourceGone>> = Mutex::new(None);
    let parts: Vec<Partial> = gathered
        .dir_blocks
        .par_chunks(RUN)
        .map(|run| {
            progress.advance(run.len() as u64);
            if progress.interrupted() {
                return Partial::default();
            }
            scan_run(&shared, run).unwrap_or_else(|gone| {
                *failure.lock().unwrap_or_else(|e| e.into_inner()) = Some(gone);
                Partial::default()
            })
        })
        .collect();
    if let Some(gone) = failure.into_inner().unwrap_or_else(|e| e.into_inner()) {
        return Err(gone);
    }
    let mut whole = Partial::default();
    parts.into_iter().for_each(|part| whole.merge(part));
    let mut entries = Entries { corrupted: whole.corrupted, interrupted: progress.interrupted(), ..Entries::default() };
    let (parents, log) = parents(std::mem::take(&mut whole.children));
    entries.parents = parents;
    entries.dotdots = whole.dotdots.iter().copied().collect();
    entries.unread = whole.unread.iter().copied().collect();
    whole.log.merge(log);
    trees(gathered, std::mem::take(&mut whole.parts), &mut whole.log);
    for dir in &whole.duplicates {
        super::duplicates::report(&shared, *dir, &mut whole.log)?;
    }
    super::duplicates::across_blocks(&shared, &whole.duplicates, &mut whole.log)?;
    features(volume, gathered, &mut whole.log);
    entries.log = whole.log;
    Ok(entries)
}

/// How each hashed directory hashes, from its root.
fn hashes(volume: &Volume, gathered: &Gathered) -> Result<BTreeMap<u32, Option<NameHash>>, SourceGone> {
    let mut hashes = BTreeMap::new();
    let mut block = Vec::new();
    for place in &gathered.dir_blocks {
        if place.logical == 0 && place.block != 0 && gathered.hashed.contains_key(&place.dir) {
            volume.read_block(place.block, &mut block)?;
            let version = at::<DxRoot>(&block, 0).map_or(0, |root| root.info.hash_version);
            hashes.insert(place.dir, NameHash::of(&volume.sb, version));
        }
    }
    Ok(hashes)
}

/// Reads neighbouring blocks in one go.
fn scan_run(shared: &Shared<'_>, run: &[DirBlock]) -> Result<Partial, SourceGone> {
    let mut partial = Partial::default();
    let size = shared.volume.block_size as usize;
    let mut buf = Buffer::default();
    for together in neighbours(run) {
        let blocks = &run[together];
        if blocks[0].block == 0 {
            scan_block(shared, &blocks[0], &mut [], &mut partial)?;
            continue;
        }
        buf.resize(blocks.len() * size);
        shared.volume.read(blocks[0].block * shared.volume.block_size, &mut buf)?;
        for (place, block) in blocks.iter().zip(buf.chunks_mut(size)) {
            scan_block(shared, place, block, &mut partial)?;
        }
    }
    Ok(partial)
}

/// Cuts a run into stretches that follow each other on the volume.
fn neighbours(run: &[DirBlock]) -> Vec<Range<usize>> {
    let mut cuts: Vec<Range<usize>> = Vec::new();
    for (i, place) in run.iter().enumerate() {
        match cuts.last_mut() {
            Some(cut) if place.block != 0 && run[i - 1].block + 1 == place.block => cut.end = i + 1,
            _ => cuts.push(i..i + 1),
        }
    }
    cuts
}

fn scan_block(
    shared: &Shared<'_>,
    place: &DirBlock,
    block: &mut [u8],
    partial: &mut Partial,
) -> Result<(), SourceGone> {
    if place.inline {
        return scan_inline(shared, place, partial);
    }
    if place.block == 0 {
        let at = Place::inode(place.dir.into());
        partial.log.note(codes::DIRECTORY_HOLE, at, || (format!("block {}", place.logical), String::new()));
        if shared.gathered.hashed.contains_key(&place.dir) {
            partial.parts.push((place.dir, place.logical, Part::Leaf { min: 0, max: 0 }));
        }
        return Ok(());
    }
    let mut context = Context::new(shared, place, partial);
    context.block(block)
}

/// The entries of a directory that lie in its inode: behind the parent's number, and in the attribute `system.data`.
fn scan_inline(shared: &Shared<'_>, place: &DirBlock, partial: &mut Partial) -> Result<(), SourceGone> {
    let Some(record) = shared.volume.inode(InodeNr(place.dir))? else { return Ok(()) };
    let attributes = xattrs::in_inode(shared.volume, &record, &mut Vec::new())?;
    let mut bytes = vec![0; I_BLOCK_SIZE];
    if let Some(rest) = attributes.inline {
        bytes = record.inode.i_block.to_vec();
        bytes.extend(rest);
    }
    let size = record.inode.size();
    if !size.is_multiple_of(4) && record.inode.has(flags::INLINE_DATA) {
        partial.log.note(codes::INLINE_DIRECTORY_SIZE, Place::inode(place.dir.into()), || {
            (size.to_string(), "a multiple of 4".into())
        });
    }
    let mut context = Context::new(shared, place, partial);
    context.inline_parent(crate::bytes::le32(&bytes, 0).unwrap_or_default());
    context.entries(&bytes, INLINE_DOTDOT_SIZE, bytes.len(), entry::State::Ordinary)
}

/// The first directory to name each directory is its parent; every other is one too many.
fn parents(mut children: Vec<Child>) -> (BTreeMap<u32, u32>, Log) {
    children.par_sort_unstable();
    let (mut parents, mut log) = (BTreeMap::new(), Log::new());
    for (child, _, dir) in children {
        if let Some(first) = parents.get(&child).copied() {
            log.note(codes::DIRECTORY_LINKED_TWICE, Place::inode(child.into()), || {
                (format!("named in directory {dir}"), format!("in {first} alone"))
            });
        } else {
            parents.insert(child, dir);
        }
    }
    (parents, log)
}

/// Puts the blocks of each hashed directory together and judges its tree.
fn trees(gathered: &Gathered, mut parts: Vec<(u32, u32, Part)>, log: &mut Log) {
    parts.sort_by_key(|&(dir, logical, _)| (dir, logical));
    for run in parts.chunk_by(|a, b| a.0 == b.0) {
        let dir = run[0].0;
        let blocks = gathered.hashed.get(&dir).copied().unwrap_or_default().min(run.len() as u64 * 2 + 16) as usize;
        let mut tree = vec![None; blocks];
        for (_, logical, part) in run {
            if let Some(slot) = tree.get_mut(*logical as usize) {
                *slot = Some(part.clone());
            }
        }
        hash_tree::judge(dir, &tree, log);
    }
}

fn features(volume: &Volume, gathered: &Gathered, log: &mut Log) {
    use super::super::feature::{LARGE_DIR, LARGE_FILE};
    if gathered.large_files && !volume.has(LARGE_FILE) {
        log.note(codes::LARGE_FILE_FEATURE, Place::volume(), Default::default);
    }
    if gathered.large_directories && !volume.has(LARGE_DIR) {
        log.note(codes::LARGE_DIR_FEATURE, Place::volume(), Default::default);
    }
}

/// True if a block of a hashed directory is a node of its tree: one entry that is in no use spans it, and its room for
/// entries is a node's.
pub fn is_inner(block: &[u8], limit: usize) -> bool {
    let Some(fake) = at::<DirEntry>(block, 0) else { return false };
    let len = super::super::disk::dirent::rec_len(fake.rec_len.get(), block.len());
    fake.inode.get() == 0
        && fake.name_len == 0
        && len == block.len()
        && crate::bytes::le16(block, super::super::disk::dirent::DX_NODE_COUNT_AT).map(usize::from) == Some(limit)
}
