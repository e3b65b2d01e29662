//! Extent trees: the ext4 documentation, `ifork.rst`.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::{Beyond, Runs, hole};
use crate::fs::ext::checksum::{Seed, Sums};
use crate::fs::ext::codes;
use crate::fs::ext::disk::at;
use crate::fs::ext::disk::extent::{ENTRY_SIZE, Extent, ExtentHeader, ExtentIdx, MAGIC, MAX_DEPTH};
use crate::fs::ext::disk::inode::flags;
use crate::fs::ext::geometry::Geometry;
use crate::fs::ext::inode::{Inode, Layout};
use crate::fs::ext::number::BlockNr;
use crate::fs::ext::salvage::Owner;
use crate::fs::ext::unflipped;
use crate::fs::ext::volume::Volume;
use crate::node::{Backing, Trust};
use crate::source::SourceGone;

/// A file has blocks 0 to this one, exclusive.
const LOGICAL_END: u64 = 1 << 32;

/// Deepest tree that is followed: deeper than any that is needed, as damage and bad writers make them.
const DEEPEST: u16 = 32;

/// Maps what the tree of `inode` leads to.
pub fn map(runs: &mut Runs<'_>, inode: &Inode<'_>) -> Result<(), SourceGone> {
    let seed = runs.volume.geometry.has_checksums().then(|| inode.seed(&runs.volume.geometry));
    let proved = inode.is_proved(&runs.volume.geometry);
    let mut tree = Tree { runs, seed, proved, visited: HashSet::new(), dropped: false };
    tree.node(&inode.raw.i_block, None, None, 0..LOGICAL_END)?;
    let (dropped, nodes) = (tree.dropped, tree.visited.len() as u64);
    if dropped && runs.has_holes() && runs.lacks(inode, nodes) {
        runs.trust(Trust::Partial);
    }
    let volume = runs.volume;
    if let Some(leaves) = volume.remains().and_then(|remains| remains.leaves.get(&inode.nr))
        && runs.mapping.trust >= Trust::Partial
    {
        for leaf in leaves {
            let Some(bytes) = volume.block(*leaf)? else { continue };
            runs.refill(&leaf_runs(volume, &bytes));
        }
    }
    Ok(())
}

/// True where the root of the tree in `inode`, or a node right below it, is refuted: a search may find what is lost.
pub fn is_refuted(volume: &Volume, inode: &Inode<'_>) -> Result<bool, SourceGone> {
    let geometry = &volume.geometry;
    if inode.layout(geometry) != Layout::Extents || !geometry.has_checksums() {
        return Ok(false);
    }
    let header: Option<ExtentHeader> = at(&inode.raw.i_block, 0);
    let Some(header) = header.filter(|header| header.eh_magic.get() == MAGIC) else { return Ok(true) };
    if header.eh_depth.get() == 0 {
        return Ok(false);
    }
    let entries = inode.raw.i_block.chunks_exact(ENTRY_SIZE).skip(1).take(header.eh_entries.get().into());
    for index in entries.filter_map(|entry| at::<ExtentIdx>(entry, 0)) {
        let Some(block) = geometry.block(index.leaf()) else { return Ok(true) };
        let sums = volume.block(block)?.and_then(|bytes| inode.seed(geometry).extent_block(&bytes));
        if !sums.is_some_and(Sums::agree) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True for the root of a tree in which nothing is.
pub fn names_nothing(inode: &Inode<'_>) -> bool {
    let header: Option<ExtentHeader> = at(&inode.raw.i_block, 0);
    header.is_some_and(|header| header.eh_magic.get() == MAGIC && header.eh_entries.get() == 0)
}

/// What a leaf of the tree maps: blocks of the file, and where they lie. In the order of the file.
fn leaf_runs(volume: &Volume, bytes: &[u8]) -> Vec<(Range<u64>, Backing)> {
    let entries = at::<ExtentHeader>(bytes, 0).map_or(0, |header| header.eh_entries.get());
    let extents =
        bytes.chunks_exact(ENTRY_SIZE).skip(1).take(entries.into()).filter_map(|entry| at::<Extent>(entry, 0));
    let mut found: Vec<(Range<u64>, Backing)> = Vec::new();
    for extent in extents {
        let (logical, len) = (u64::from(extent.ee_block.get()), u64::from(extent.len()));
        let follows = found.last().is_none_or(|(before, _)| before.end <= logical);
        let Some(start) = volume.geometry.blocks_on_volume(extent.start(), len).filter(|_| follows && len > 0) else {
            continue;
        };
        let lies = Backing::Device { member: 0, offset: volume.geometry.offset(start) };
        found.push((logical..logical + len, if extent.is_unwritten() { Backing::Zero } else { lies }));
    }
    found
}

/// The blocks of the file that an extent is for.
fn logical(extent: &Extent) -> Range<u64> {
    let start = u64::from(extent.ee_block.get());
    start..start + u64::from(extent.len())
}

/// True where the first of these runs is out of order and not the next ones, which follow what comes before it. Of the last
/// two that one is which lies behind the end of the file.
fn strays(free_from: u64, runs: &[Range<u64>], file: u64) -> bool {
    let [one, next, rest @ ..] = runs else { return false };
    let is_passed = match rest.first() {
        Some(third) => third.start < one.end && third.start >= next.end,
        None => one.start >= file,
    };
    next.start >= free_from && next.start < one.end && is_passed
}

/// What the extents in the inode itself say of the bytes behind `size`. Room may be kept there, but only data that a
/// size covers is ever written; a Merkle tree (fs-verity) is an exception.
pub fn beyond(geometry: &Geometry, inode: &Inode<'_>, size: u64) -> Beyond {
    let header: Option<ExtentHeader> = at(&inode.raw.i_block, 0);
    let header = header.filter(|header| header.eh_magic.get() == MAGIC && header.eh_depth.get() == 0);
    let (Some(header), false) = (header, inode.raw.has(flags::VERITY)) else { return Beyond::Nothing };
    let entries = inode.raw.i_block.chunks_exact(ENTRY_SIZE).skip(1).take(header.eh_entries.get().into());
    let block = u64::from(geometry.block_size);
    let (mut end, mut all, mut beyond) = (size.div_ceil(block), 0, Beyond::Nothing);
    for extent in entries.filter_map(|entry| at::<Extent>(entry, 0)) {
        let (logical, len) = (u64::from(extent.ee_block.get()), u64::from(extent.len()));
        all = all.max(logical + len);
        let written = len > 0 && !extent.is_unwritten() && geometry.blocks_on_volume(extent.start(), len).is_some();
        if !written || (logical + len - 1) * block <= size {
            continue;
        }
        if logical > end || matches!(beyond, Beyond::Apart) {
            beyond = Beyond::Apart;
        } else {
            end = end.max(logical + len);
            beyond = Beyond::Joined;
        }
    }
    match beyond {
        Beyond::Nothing if all > 0 => hole(geometry, size.saturating_sub(all.saturating_mul(block))),
        beyond => beyond,
    }
}

struct Tree<'t, 'v> {
    runs: &'t mut Runs<'v>,
    /// What checksums begin with, where there are any.
    seed: Option<Seed>,
    /// The inode is as it was written, so that its seed is right and a wrong checksum is the node's fault.
    proved: bool,
    /// Blocks of the tree read so far: none is read twice, so damage can make no loop.
    visited: HashSet<BlockNr>,
    /// An extent is for no part of the file that it can be for.
    dropped: bool,
}

impl Tree<'_, '_> {
    /// Maps the blocks of the file in `range`, as the node in `bytes` says. `depth` is what its parent expects.
    fn node(
        &mut self,
        bytes: &[u8],
        block: Option<BlockNr>,
        depth: Option<u16>,
        range: Range<u64>,
    ) -> Result<(), SourceGone> {
        let header: Option<ExtentHeader> = at(bytes, 0);
        let Some(header) = header.filter(|header| header.eh_magic.get() == MAGIC) else {
            let found = crate::bytes::le16(bytes, 0).unwrap_or(0);
            self.note(codes::EXTENT_MAGIC, block, || (format!("{found:04x}"), format!("{MAGIC:04x}")));
            self.lose(range);
            return Ok(());
        };
        let depth = match (header.eh_depth.get(), depth) {
            (found, Some(expected)) if found != expected => {
                self.note(codes::EXTENT_DEPTH, block, || (found.to_string(), expected.to_string()));
                expected
            }
            (found, _) => {
                if found > MAX_DEPTH {
                    self.note(codes::EXTENT_DEPTH, block, || (found.to_string(), format!("at most {MAX_DEPTH}")));
                }
                if found > DEEPEST {
                    self.lose(range);
                    return Ok(());
                }
                found
            }
        };
        let room = bytes.len() / ENTRY_SIZE - 1;
        let (found, max) = (usize::from(header.eh_entries.get()), usize::from(header.eh_max.get()));
        if found > max.min(room) {
            self.note(codes::EXTENT_ENTRIES, block, || (found.to_string(), format!("at most {}", max.min(room))));
        }
        let entries = &bytes[ENTRY_SIZE..ENTRY_SIZE * (1 + found.min(room))];
        if depth == 0 {
            self.leaf(entries, block, range)
        } else {
            self.index(entries, block, depth, range)?
        };
        Ok(())
    }

    fn leaf(&mut self, entries: &[u8], block: Option<BlockNr>, range: Range<u64>) {
        let extents: Vec<Extent> = entries.chunks_exact(ENTRY_SIZE).filter_map(|entry| at(entry, 0)).collect();
        let runs: Vec<Range<u64>> = extents.iter().map(logical).collect();
        let mut free_from = range.start;
        for (extent, (i, run)) in extents.iter().zip(runs.iter().enumerate()) {
            let (mut logical, len) = (run.start, run.end - run.start);
            let stray = strays(free_from, &runs[i..], self.runs.blocks());
            if len == 0 || logical < free_from || run.end > range.end || stray {
                self.note(codes::EXTENT_RANGE, block, || {
                    (format!("{len} blocks at {logical}"), format!("within {free_from} to {}", range.end - 1))
                });
                // Where the others leave room for just this one, that is its place.
                let room = runs.get(i + 1).and_then(|next| next.start.checked_sub(free_from));
                if !(stray || logical < free_from) || len == 0 || room != Some(len) {
                    self.dropped |= len > 0;
                    continue;
                }
                logical = free_from;
            }
            free_from = logical + len;
            match self.runs.volume.geometry.blocks_on_volume(extent.start(), len) {
                Some(_) if extent.is_unwritten() => self.runs.unwritten(logical, len),
                Some(start) => self.runs.data(logical, len, start),
                None => {
                    let expected = self.runs.volume.geometry.block_range();
                    self.note(codes::MAP_BLOCK, block, || (format!("{len} blocks at {}", extent.start()), expected));
                    self.runs.lost(logical, len);
                }
            }
        }
    }

    fn index(
        &mut self,
        entries: &[u8],
        block: Option<BlockNr>,
        depth: u16,
        range: Range<u64>,
    ) -> Result<(), SourceGone> {
        let entries: Vec<ExtentIdx> = entries.chunks_exact(ENTRY_SIZE).filter_map(|entry| at(entry, 0)).collect();
        let starts = entries.iter().map(|entry| u64::from(entry.ei_block.get()));
        let starts: Vec<Range<u64>> = starts.map(|start| start..start + 1).collect();
        let file = self.runs.blocks();
        let mut free_from = range.start;
        for (i, entry) in entries.iter().enumerate() {
            let found = starts[i].start;
            let stray = strays(free_from, &starts[i..], file);
            if stray || found < free_from || found >= range.end {
                self.note(codes::EXTENT_RANGE, block, || {
                    (format!("index at {found}"), format!("within {free_from} to {}", range.end - 1))
                });
            }
            // Of one that is out of order the node itself says what it is for.
            let logical = if stray { free_from } else { found };
            if logical < free_from || logical >= range.end {
                continue;
            }
            let mut later = (i + 1..entries.len()).filter(|at| !strays(logical + 1, &starts[*at..], file));
            let next = later.find(|at| starts[*at].start > logical).map(|at| starts[at].start);
            let end = next.unwrap_or(range.end).min(range.end);
            free_from = logical + 1;
            if logical < self.runs.blocks() {
                self.below(entry.leaf(), depth - 1, logical..end)?;
            }
        }
        Ok(())
    }

    /// Maps what the node in block `nr` says.
    fn below(&mut self, nr: u64, depth: u16, range: Range<u64>) -> Result<(), SourceGone> {
        let volume = self.runs.volume;
        let Some(block) = volume.geometry.block(nr).filter(|block| self.visited.insert(*block)) else {
            let expected = volume.geometry.block_range();
            self.note(codes::MAP_BLOCK, None, || (format!("node of the tree in block {nr}"), expected));
            self.lose(range);
            return Ok(());
        };
        let on_disk = volume.block(block)?;
        let Some(bytes) = self.better(block, depth, on_disk.as_deref()).or(on_disk) else {
            self.note(codes::MAP_UNREADABLE, Some(block), Default::default);
            self.lose(range);
            return Ok(());
        };
        if let Some(sums) = self.seed.and_then(|seed| seed.extent_block(&bytes)).filter(|sums| !sums.agree()) {
            self.note(codes::EXTENT_CHECKSUM, Some(block), || {
                (format!("{:08x}", sums.found), format!("{:08x}", sums.computed))
            });
            if self.is_anothers(block) {
                self.lose(range);
                return Ok(());
            }
            if self.proved {
                self.runs.trust(Trust::Doubtful);
            }
        }
        self.node(&bytes, Some(block), Some(depth), range)
    }

    /// A better version of a node that is refuted or unreadable: an older one that a checksum proves, or what it was before
    /// one bit flipped. Without checksums there are only older versions of blocks that are no nodes any more.
    fn better(&mut self, nr: BlockNr, depth: u16, on_disk: Option<&[u8]>) -> Option<Arc<[u8]>> {
        let volume = self.runs.volume;
        volume.remains()?;
        let (better, trust) = match self.seed {
            Some(seed) => {
                let proves = |bytes: &[u8]| seed.extent_block(bytes).is_some_and(Sums::agree);
                if on_disk.is_some_and(proves) {
                    return None;
                }
                match volume.older_block(nr, proves) {
                    Some(older) => (older, Trust::Journal),
                    None => (unflipped::extent_block(seed, on_disk?)?.into(), Trust::Unproven),
                }
            }
            None => {
                let is_node = |head: ExtentHeader| head.eh_magic.get() == MAGIC && head.eh_depth.get() == depth;
                let older = volume.older_block(nr, |bytes| at::<ExtentHeader>(bytes, 0).is_some_and(is_node))?;
                (older, Trust::Journal)
            }
        };
        self.runs.trust(trust);
        Some(better)
    }

    /// True where a search showed whose node a block is that the checksum denies to be this inode's. What begins this
    /// one's checksums may be damaged, too: then only an inode in use can be another.
    fn is_anothers(&self, block: BlockNr) -> bool {
        match self.runs.volume.remains().and_then(|remains| remains.nodes.get(&block)) {
            Some(Owner::InUse) => true,
            Some(Owner::Lost) => self.proved,
            None => false,
        }
    }

    fn lose(&mut self, range: Range<u64>) {
        self.runs.lost(range.start, range.end - range.start);
    }

    fn note(&mut self, code: crate::finding::Code, block: Option<BlockNr>, facts: impl FnOnce() -> (String, String)) {
        self.runs.note(code, block.map(|block| block.0), facts);
    }
}
