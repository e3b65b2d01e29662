//! Pass 1, the blocks of files mapped by extents.
//!
//! Tests: headers, order, bounds and checksums of an extent tree. Needs: the inode. Leaves: every block of the tree and
//! of the file, told to a [`Visitor`].

use std::ops::Range;

use super::codes;
use super::volume::{Record, Volume};
use crate::finding::Code;
use crate::source::SourceGone;

use super::super::checksum::Seed;
use super::super::disk::at;
use super::super::disk::extent::{ENTRY_SIZE, Extent, ExtentHeader, ExtentIdx, MAGIC};
use super::super::disk::inode::flags;
use super::super::feature::METADATA_CSUM;

/// Deepest tree that is walked; the format allows 5, and e2fsck reads deeper ones.
const MAX_DEPTH: u16 = 8;

/// Learns what the map of an inode holds. Both kinds of map tell the same.
pub trait Visitor {
    /// A block of the map itself.
    fn map_block(&mut self, block: u64);
    /// Blocks of the file. Returns false to stop the walk.
    fn data(&mut self, logical: u64, block: u64, len: u64, unwritten: bool) -> bool;
    /// Something is wrong. `block` is the block number concerned, and `part` the blocks of the file that it is about.
    fn problem(&mut self, code: Code, block: u64, part: Range<u64>, found: &dyn Fn() -> String);
    /// A block of the map, which maps `part` of the file, overlies metadata: a node of extents is not read if this says so.
    fn is_critical(&mut self, block: u64, part: Range<u64>) -> bool;
    /// The checksum of the node that comes next is wrong.
    fn unproved_node(&mut self) {}
    /// e2fsck does not get past this map.
    fn stops_e2fsck(&mut self) {}
}

/// The shape of an extent tree, one place a level.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Entries in use, room for entries, and nodes of each level, from the root down.
    pub levels: Vec<Level>,
    pub depth: u16,
}

/// One level of an extent tree.
#[derive(Clone, Copy, Debug, Default)]
pub struct Level {
    pub entries: u64,
    pub room: u64,
}

/// True if an inode's `i_block`, or a block, begins with the header of a node that can be.
pub fn header_of(node: &[u8]) -> Option<ExtentHeader> {
    let header: ExtentHeader = at(node, 0)?;
    let room = (node.len() - ENTRY_SIZE) / ENTRY_SIZE;
    let (max, entries) = (usize::from(header.eh_max.get()), header.eh_entries.get());
    let fits = max <= room && max + 2 >= room && entries <= header.eh_max.get();
    (header.eh_magic.get() == MAGIC && fits).then_some(header)
}

/// Walks the tree of an inode. `budget` is how many blocks of the tree may be read.
pub fn walk<V: Visitor>(volume: &Volume, record: &Record, visitor: &mut V) -> Result<Shape, SourceGone> {
    let inode = &record.inode;
    let Some(header) = header_of(&inode.i_block) else { return Ok(Shape::default()) };
    let depth = header.eh_depth.get();
    let size = inode.size();
    let mut tree = Tree {
        volume,
        seed: volume.seed.inode(record.nr, inode.i_generation.get()),
        depth,
        eof: (size.saturating_add(volume.block_size) / volume.block_size).saturating_sub(1),
        budget: volume.blocks,
        mapped: 0,
        shape: Shape { levels: vec![Level::default(); usize::from(depth.min(MAX_DEPTH)) + 1], depth },
        visitor,
    };
    // A verity file's tree of hashes lies behind its end.
    let end = match inode.has(flags::VERITY) {
        true => u64::from(u32::MAX),
        false => size.div_ceil(volume.block_size).min(u64::from(u32::MAX)),
    };
    let bounds = Bounds { start: 0, last: None, end };
    tree.node(&inode.i_block, header, 0, bounds)?;
    Ok(tree.shape)
}

/// The part of a file that a node may map.
#[derive(Clone, Copy)]
struct Bounds {
    start: u64,
    /// Last block allowed, where the node above says.
    last: Option<u64>,
    /// One past the last block of the index entry that leads here.
    end: u64,
}

struct Tree<'a, V> {
    volume: &'a Volume,
    seed: Seed,
    depth: u16,
    /// Last block by the inode's size.
    eof: u64,
    budget: u64,
    /// One past the last file block mapped so far.
    mapped: u64,
    shape: Shape,
    visitor: &'a mut V,
}

impl<V: Visitor> Tree<'_, V> {
    /// Walks a node; false if the walk was stopped.
    fn node(&mut self, node: &[u8], header: ExtentHeader, level: u16, bounds: Bounds) -> Result<bool, SourceGone> {
        if let Some(shape) = self.shape.levels.get_mut(usize::from(level)) {
            shape.entries += u64::from(header.eh_entries.get());
            shape.room += u64::from(header.eh_max.get());
        }
        let mut start = bounds.start;
        for i in 0..usize::from(header.eh_entries.get()) {
            let offset = ENTRY_SIZE * (i + 1);
            let going = if level == self.depth {
                self.leaf(node, offset, &mut start, bounds)
            } else {
                let next: Option<ExtentIdx> =
                    (i + 1 < usize::from(header.eh_entries.get())).then(|| at(node, offset + ENTRY_SIZE)).flatten();
                let end = next.map_or(bounds.end, |next| next.ei_block.get().into());
                self.index(node, offset, level, &mut start, Bounds { end, ..bounds })?
            };
            if !going {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn leaf(&mut self, node: &[u8], offset: usize, start: &mut u64, bounds: Bounds) -> bool {
        let Some(extent) = at::<Extent>(node, offset) else { return true };
        let (logical, block, len) = (u64::from(extent.ee_block.get()), extent.start(), u64::from(extent.len()));
        let last = logical + len.saturating_sub(1);
        let beyond = extent.is_unwritten() && last > self.eof;
        let problem = if !self.volume.is_block(block) {
            Some(codes::EXTENT_START)
        } else if logical < *start {
            Some(codes::EXTENT_ORDER)
        } else if bounds.last.is_some_and(|end| last > end) && !beyond {
            Some(codes::EXTENT_OUT_OF_BOUNDS)
        } else if len == 0 {
            Some(codes::EXTENT_LENGTH_ZERO)
        } else if block + len > self.volume.blocks {
            Some(codes::EXTENT_END)
        } else if logical < self.mapped {
            Some(codes::EXTENT_COLLISION)
        } else {
            None
        };
        if let Some(code) = problem {
            let part = logical..logical + len;
            self.visitor.problem(code, block, part, &|| format!("file blocks {logical}+{len} at block {block}"));
            return true;
        }
        *start = last;
        self.mapped = self.mapped.max(logical + len);
        self.visitor.data(logical, block, len, extent.is_unwritten())
    }

    fn index(
        &mut self,
        node: &[u8],
        offset: usize,
        level: u16,
        start: &mut u64,
        bounds: Bounds,
    ) -> Result<bool, SourceGone> {
        let Some(index) = at::<ExtentIdx>(node, offset) else { return Ok(true) };
        let (logical, block) = (u64::from(index.ei_block.get()), index.leaf());
        let len = bounds.end.saturating_sub(logical);
        let last = logical + len.saturating_sub(1);
        let problem = if !self.volume.is_block(block) {
            Some(codes::EXTENT_START)
        } else if logical < *start {
            Some(codes::EXTENT_ORDER)
        } else if bounds.last.is_some_and(|end| last > end) {
            Some(codes::EXTENT_OUT_OF_BOUNDS)
        } else {
            None
        };
        if let Some(code) = problem {
            let part = logical..bounds.end;
            self.visitor.problem(code, block, part, &|| format!("file blocks from {logical} mapped at block {block}"));
            return Ok(true);
        }
        *start = logical + len;
        self.budget = self.budget.saturating_sub(1);
        if self.visitor.is_critical(block, logical..bounds.end) || level + 1 > MAX_DEPTH || self.budget == 0 {
            return Ok(true);
        }
        self.below(block, logical, level, Bounds { start: logical, last: (last > 0).then_some(last), end: bounds.end })
    }

    /// Reads and walks the node that an index entry names.
    fn below(&mut self, block: u64, logical: u64, level: u16, bounds: Bounds) -> Result<bool, SourceGone> {
        let (mut node, part) = (Vec::new(), logical..bounds.end);
        self.volume.read_block(block, &mut node)?;
        let Some(header) = header_of(&node) else {
            let found = || format!("node for file block {logical} at block {block}");
            self.visitor.problem(codes::EXTENT_HEADER, block, part, &found);
            return Ok(true);
        };
        self.visitor.map_block(block);
        if header.eh_entries.get() == 0 {
            self.visitor.problem(codes::EXTENT_NODE_EMPTY, block, part, &|| format!("node for file block {logical}"));
            self.visitor.stops_e2fsck();
            return Ok(true);
        }
        let (depth, expected) = (header.eh_depth.get(), self.depth - level - 1);
        if depth != expected {
            let found = || format!("depth {depth}, expected {expected}");
            self.visitor.problem(codes::EXTENT_NODE_DEPTH, block, part.clone(), &found);
        }
        let sums = if self.volume.has(METADATA_CSUM) { self.seed.extent_block(&node) } else { None };
        let wrong = sums.filter(|sums| !sums.agree());
        if wrong.is_some() {
            self.visitor.unproved_node();
        }
        // Leaf and index entries both begin with the file's block.
        let first = crate::bytes::le32(&node, ENTRY_SIZE).map_or(logical, u64::from);
        if first != logical {
            // Every block is found all the same.
            self.visitor.problem(codes::EXTENT_INDEX_START, block, 0..0, &|| {
                format!("file block {first} below an entry for {logical}")
            });
        }
        // Of a node that is out of place it is no news that its checksum is wrong.
        if let Some(sums) = wrong.filter(|_| first == logical) {
            self.visitor.problem(codes::EXTENT_CHECKSUM, block, part, &|| {
                format!("{:08x}, computed {:08x}", sums.found, sums.computed)
            });
        }
        // The first entry says from where on the others count.
        self.node(&node, header, level + 1, Bounds { start: first, ..bounds })
    }
}
