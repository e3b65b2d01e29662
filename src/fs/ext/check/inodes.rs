//! Pass 1: every inode of every table.
//!
//! Tests: each inode for itself (mode, size, times, flags, counts, checksum, attributes) and the map to its blocks.
//! Needs: the descriptors, and the blocks of metadata, already marked. Leaves: [`Found`], on which all later passes
//! stand: which blocks and inodes are in use, and where the directories' blocks are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use rayon::prelude::*;

use super::attribute_blocks::AttributeBlocks;
use super::bits::Bits;
use super::codes;
use super::inode::Judge;
use super::quota::Usage;
use super::volume::{Record, Volume};
use super::xattrs::Encryption;
use crate::bytes::{Buffer, Spans};
use crate::finding::{Code, Cost, Finding, Log, Place};
use crate::progress::Progress;
use crate::source::SourceGone;

use super::super::checksum::Sums;
use super::super::disk::padded;
use super::super::feature::{DIR_INDEX, METADATA_CSUM, MMP};
use super::super::number::InodeNr;

/// A block of a directory, as the directory's map places it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DirBlock {
    /// On the volume; 0 for a hole, and for what lies in the inode.
    pub block: u64,
    pub dir: u32,
    /// Which block of the directory.
    pub logical: u32,
    /// The directory's contents lie in its inode.
    pub inline: bool,
}

/// What pass 1 leaves. Filled by all threads; nothing in it depends on their order.
pub struct Found {
    /// Blocks in use, by metadata and files.
    pub blocks: Bits,
    /// Blocks claimed more than once.
    pub twice: Bits,
    /// Blocks of superblocks, descriptors, bitmaps and tables.
    pub metadata: Bits,
    /// Inodes in use.
    pub used: Bits,
    pub directories: Bits,
    pub regular: Bits,
    /// Symbolic links.
    pub symlinks: Bits,
    /// Inodes with fields that no inode should have: judged again where an entry names them.
    pub bad: Bits,
    /// Inodes whose record lies in a bad block.
    pub in_bad_block: Bits,
    /// Inodes of AFS, which no directory names.
    pub afs: Bits,
    /// Inodes that hold values of attributes.
    pub values: Bits,
    /// Inodes in a part of a table that is garbage.
    pub garbage: Bits,
    /// Inodes in use whose checksum is wrong.
    pub unproved: Bits,
    /// Casefolded directories.
    pub casefolded: Bits,
}

impl Found {
    pub fn new(volume: &Volume) -> Self {
        let (blocks, inodes) = (volume.blocks, u64::from(volume.inodes) + 1);
        Found {
            blocks: Bits::new(blocks),
            twice: Bits::new(blocks),
            metadata: Bits::new(blocks),
            used: Bits::new(inodes),
            directories: Bits::new(inodes),
            regular: Bits::new(inodes),
            symlinks: Bits::new(inodes),
            bad: Bits::new(inodes),
            in_bad_block: Bits::new(inodes),
            afs: Bits::new(inodes),
            values: Bits::new(inodes),
            garbage: Bits::new(inodes),
            unproved: Bits::new(inodes),
            casefolded: Bits::new(inodes),
        }
    }
}

/// What pass 1 gathered beside the bits, sorted.
#[derive(Default)]
pub struct Gathered {
    pub log: Log,
    /// Link counts of each group's inodes, up to the last in use.
    pub links: Vec<Box<[u16]>>,
    /// Blocks of all directories.
    pub dir_blocks: Vec<DirBlock>,
    /// Hashed directories with the number of their blocks.
    pub hashed: BTreeMap<u32, u64>,
    /// Encrypted inodes, with the number of their policy.
    pub encrypted: BTreeMap<u32, Encryption>,
    /// How many entries of attributes name an inode that holds a value.
    pub value_references: HashMap<u32, u64>,
    /// True if a regular file needs 64-bit sizes.
    pub large_files: bool,
    /// True if a directory does.
    pub large_directories: bool,
    pub usage: Usage,
    /// The first inode with a map that e2fsck does not get past.
    pub stops_at: Option<u32>,
    /// A block of attributes that is none is named another number of times than it says.
    pub has_lost_count: bool,
    /// True if the pass was stopped before its end.
    pub interrupted: bool,
}

/// When a block of a directory is met: later blocks come after all first ones where directories are hashed.
pub type Order = (bool, u64);

impl DirBlock {
    /// When e2fsck meets the block.
    pub fn order(&self, volume: &Volume) -> Order {
        (volume.has(DIR_INDEX) && self.logical != 0, self.block)
    }
}

impl Gathered {
    /// Notes a finding about an inode.
    pub fn note(&mut self, code: Code, inode: u32, facts: impl FnOnce() -> (String, String)) {
        self.log.note(code, Place::inode(inode.into()), facts);
    }

    fn merge(&mut self, other: Gathered) {
        self.log.merge(other.log);
        self.dir_blocks.extend(other.dir_blocks);
        self.hashed.extend(other.hashed);
        self.encrypted.extend(other.encrypted);
        for (inode, count) in other.value_references {
            *self.value_references.entry(inode).or_default() += count;
        }
        self.large_files |= other.large_files;
        self.large_directories |= other.large_directories;
        self.usage.merge(other.usage);
        self.links.extend(other.links);
        self.interrupted |= other.interrupted;
        self.stops_at = self.stops_at.into_iter().chain(other.stops_at).min();
    }
}

/// What every worker of pass 1 shares.
pub struct Shared<'a> {
    pub volume: &'a Volume,
    pub found: &'a Found,
    pub attribute_blocks: &'a AttributeBlocks,
    /// Blocks that the list of bad blocks names.
    pub bad_blocks: &'a BTreeSet<u64>,
    /// The journal's inode can be one.
    pub journal_is_usable: bool,
    /// Blocks of the inode for growing, where it was found to be as it has to be.
    pub resize_blocks: Option<u64>,
    /// Times of deletion below this are no times, but the next inode of the orphan list.
    pub low_dtime: Option<u32>,
}

/// Scans all inode tables.
pub fn scan(shared: &Shared<'_>, progress: &dyn Progress) -> Result<Gathered, SourceGone> {
    let groups = shared.volume.groups;
    let failure: Mutex<Option<SourceGone>> = Mutex::new(None);
    // Groups in runs, small enough that all threads have work and the parts merge in order.
    let parts: Vec<Gathered> = (0..groups)
        .into_par_iter()
        .with_min_len(1)
        .map(|group| {
            progress.advance(1);
            if progress.interrupted() {
                return Gathered { interrupted: true, links: vec![Box::default()], ..Gathered::default() };
            }
            scan_group(shared, group).unwrap_or_else(|gone| {
                *failure.lock().unwrap_or_else(|e| e.into_inner()) = Some(gone);
                Gathered { links: vec![Box::default()], ..Gathered::default() }
            })
        })
        .collect();
    if let Some(gone) = failure.into_inner().unwrap_or_else(|e| e.into_inner()) {
        return Err(gone);
    }
    let mut whole = Gathered::default();
    parts.into_iter().for_each(|part| whole.merge(part));
    Ok(whole)
}

/// Bytes of an inode table read at once.
const CHUNK: usize = 1 << 20;

fn scan_group(shared: &Shared<'_>, group: u32) -> Result<Gathered, SourceGone> {
    let volume = shared.volume;
    let mut gathered = Gathered::default();
    let mut links = Vec::new();
    let (count, size) = (volume.inodes_to_scan(group), volume.inode_size);
    if let Some(table) = volume.itable(group) {
        let first = group * volume.inodes_per_group + 1;
        let per_chunk = (CHUNK / volume.block_size as usize).max(1) * volume.block_size as usize / size;
        let mut buf = Buffer::default();
        let mut at = 0;
        while at < count as usize {
            let now = per_chunk.min(count as usize - at);
            buf.resize(now * size);
            let offset = table * volume.block_size + (at * size) as u64;
            let lost = volume.read_what_is_there(offset, &mut buf)?;
            if !lost.is_empty() {
                unreadable(volume, group, table * volume.block_size, &lost, &mut gathered.log)?;
            }
            scan_chunk(shared, first + at as u32, &buf, &mut links, &mut gathered)?;
            at += now;
        }
    }
    // What is not in use at the end needs no place.
    let used = links.iter().rposition(|&n| n != 0).map_or(0, |last| last + 1);
    links.truncate(used);
    gathered.links = vec![links.into_boxed_slice()];
    Ok(gathered)
}

/// Notes the inodes of a group's table, which begins at `start`, whose records can not be read, and how many files that
/// costs: what the bitmap calls in use.
fn unreadable(volume: &Volume, group: u32, start: u64, lost: &Spans, log: &mut Log) -> Result<(), SourceGone> {
    let mut bitmap = Vec::new();
    if volume.is_block(volume.inode_bitmap(group)) {
        volume.read_block(volume.inode_bitmap(group), &mut bitmap)?;
    }
    let in_use = |index: u64| bitmap.get((index / 8) as usize).is_some_and(|byte| byte >> (index % 8) & 1 != 0);
    let first = u64::from(group) * u64::from(volume.inodes_per_group) + 1;
    let size = volume.inode_size as u64;
    for span in lost.iter() {
        let from = span.start.saturating_sub(start) / size;
        let end = span.end.saturating_sub(start).div_ceil(size).min(volume.inodes_per_group.into());
        let is_file = |index: &u64| in_use(*index) && first + index >= volume.first_inode.into();
        let cost = Cost { files: (from..end).filter(is_file).count() as u64, bytes: 0 };
        let place = Place::group(group.into()).at(span);
        log.note_costing(codes::INODE_TABLE_UNREADABLE, place, cost, || {
            (format!("inodes {}+{}", first + from, end.saturating_sub(from)), String::new())
        });
    }
    Ok(())
}

fn scan_chunk(
    shared: &Shared<'_>,
    first: u32,
    buf: &[u8],
    links: &mut Vec<u16>,
    gathered: &mut Gathered,
) -> Result<(), SourceGone> {
    let volume = shared.volume;
    let (size, block_size) = (volume.inode_size, volume.block_size as usize);
    for (i, block) in buf.chunks(block_size).enumerate() {
        let start = first + (i * block_size / size) as u32;
        let in_bad_block = is_bad(shared, start);
        let garbage = !in_bad_block && is_garbage(volume, start, block);
        for (j, raw) in block.chunks_exact(size).enumerate() {
            let nr = start + j as u32;
            if nr > volume.inodes {
                return Ok(());
            }
            if in_bad_block {
                shared.found.in_bad_block.set(nr.into());
                shared.found.used.set(nr.into());
                links.push(0);
                continue;
            }
            // Most of a table is empty; reserved inodes are in use even so.
            if nr >= volume.first_inode && is_zero(raw) {
                links.push(0);
                continue;
            }
            let record = Record { nr: InodeNr(nr), inode: padded(raw), raw: raw.to_vec() };
            let gone = garbage && !checksum_agrees(volume, nr, raw);
            links.push(if gone { 0 } else { record.inode.i_links_count.get() });
            Judge { shared, gathered, record }.run(gone)?;
        }
    }
    Ok(())
}

/// True if the block that holds this inode's record is on the list of bad blocks.
fn is_bad(shared: &Shared<'_>, inode: u32) -> bool {
    if shared.bad_blocks.is_empty() {
        return false;
    }
    let offset = shared.volume.inode_offset(InodeNr(inode));
    offset.is_some_and(|offset| shared.bad_blocks.contains(&(offset / shared.volume.block_size)))
}

pub fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<32>();
    words.iter().all(|word| *word == [0; 32]) && rest.iter().all(|&byte| byte == 0)
}

/// True if more than half of the inodes in a block of a table have wrong checksums: it never was such a block.
fn is_garbage(volume: &Volume, first: u32, block: &[u8]) -> bool {
    if !volume.has(METADATA_CSUM) {
        return false;
    }
    // The last inodes of a block may not be looked at: they count as in order.
    let (mut wrong, all) = (0, volume.block_size as usize / volume.inode_size);
    for (i, raw) in block.chunks_exact(volume.inode_size).enumerate() {
        if !is_zero(raw) && !checksum_agrees(volume, first + i as u32, raw) {
            wrong += 1;
        }
        // A block whose first half is in order is none.
        if i + 1 - wrong > all / 2 {
            return false;
        }
    }
    wrong * 2 > all
}

/// True if an inode's checksum matches, or it never was written.
pub fn checksum_agrees(volume: &Volume, nr: u32, raw: &[u8]) -> bool {
    sums(volume, nr, raw).agree() || is_zero(raw)
}

/// An inode's checksum.
pub fn sums(volume: &Volume, nr: u32, raw: &[u8]) -> Sums {
    let inode: super::super::disk::inode::Inode = padded(raw);
    let has_hi = raw.len() > super::super::disk::inode::BASE_SIZE
        && inode.extra_reaches(super::super::disk::inode::CHECKSUM_HI_AT + 2);
    let seed = volume.seed.inode(InodeNr(nr), inode.i_generation.get());
    let computed = seed.inode_record(raw, has_hi);
    let found = if has_hi { inode.checksum() } else { inode.l_i_checksum_lo.get().into() };
    Sums { found, computed }
}

/// Marks the blocks of metadata, and finds those that lie on each other.
///
/// Superblocks and descriptors come first, then the tables, then the bitmaps.
pub fn mark_metadata(volume: &Volume, found: &Found, log: &mut Log) {
    let mark = |start: u64, len: u64| {
        let end = start.saturating_add(len).min(volume.blocks);
        let overlap = found.metadata.any(start, end);
        for block in start..end {
            found.metadata.set(block);
            found.blocks.set(block);
        }
        overlap
    };
    for group in 0..volume.groups {
        for (start, len) in volume.reserved_in_group(group) {
            mark(start, len);
        }
    }
    if volume.has(MMP) && volume.is_block(volume.sb.s_mmp_block.get()) {
        mark(volume.sb.s_mmp_block.get(), 1);
    }
    let mut conflict = |code, group: u32, block: u64| {
        log.add(Finding::new(
            code,
            Place::group(group.into()).at_block(block).at(volume.span(block)),
            format!("block {block}"),
            "a block of its own",
        ));
    };
    for group in 0..volume.groups {
        let table = volume.inode_table(group);
        if volume.itable(group).is_some() && mark(table, volume.itable_blocks()) {
            conflict(codes::INODE_TABLE_CONFLICT, group, table);
        }
        let bitmaps = [
            (codes::BLOCK_BITMAP_CONFLICT, volume.block_bitmap(group)),
            (codes::INODE_BITMAP_CONFLICT, volume.inode_bitmap(group)),
        ];
        for (code, block) in bitmaps {
            if volume.is_block(block) && mark(block, 1) {
                conflict(code, group, block);
            }
        }
    }
}
