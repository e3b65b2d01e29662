//! What a block is, judged by its contents alone.

use super::super::checksum::Seed;
use super::super::disk::at;
use super::super::disk::dirent::{
    self, DX_NODE_COUNT_AT, DX_ROOT_COUNT_AT, DirEntry, DirEntryTail, DxCountLimit, DxEntry, NAME_LEN,
};
use super::super::disk::extent::{self, ExtentHeader};
use super::super::feature::EXTENTS;
use super::super::geometry::Geometry;
use super::super::number::BlockNr;
use super::generation;
use crate::bytes::le32;

/// A block of metadata recognised, and the seed that its checksum gives where blocks have one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// Where.
    pub block: BlockNr,
    /// What.
    pub what: What,
    /// The seed of the inode it belongs to, if its checksum is right. [`generation`] says how.
    pub seed: Option<Seed>,
}

/// Kinds of block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The first block of a directory, which names the directory and the one it is in.
    First {
        /// `.`
        own: u32,
        /// `..`
        parent: u32,
    },
    /// Another block of a directory, with entries.
    Leaf,
    /// A node of a directory's hash tree below the root.
    HashNode,
    /// A node of an extent tree.
    Extents {
        /// 0 for a leaf.
        depth: u16,
        /// The first block of the file that it maps.
        first: u32,
    },
}

impl What {
    /// True for a block of a directory.
    pub fn is_of_directory(self) -> bool {
        !matches!(self, What::Extents { .. })
    }
}

/// What `block` is; `None` for contents, free space and all that names nothing.
pub fn look(geometry: &Geometry, nr: BlockNr, block: &[u8]) -> Option<Sighting> {
    let checksums = geometry.has_checksums();
    if let Some((own, parent)) = dot(block).filter(|&(own, _)| geometry.inode(own).is_some()) {
        let seed = if checksums {
            generation::of_dx(block, DX_ROOT_COUNT_AT).or_else(|| generation::of_leaf(block))
        } else {
            None
        };
        return Some(Sighting { block: nr, what: What::First { own, parent }, seed });
    }
    if is_extent_node(geometry, block) {
        let header: ExtentHeader = at(block, 0)?;
        let what = What::Extents { depth: header.eh_depth.get(), first: le32(block, extent::ENTRY_SIZE)? };
        let seed = if checksums { generation::of_extent_block(block) } else { None };
        return Some(Sighting { block: nr, what, seed });
    }
    if is_hash_node(block, checksums) {
        let seed = if checksums { generation::of_dx(block, DX_NODE_COUNT_AT) } else { None };
        return Some(Sighting { block: nr, what: What::HashNode, seed });
    }
    if checksums && has_tail(block) {
        // The signature of the tail is worth more than entries, some of which may be damaged.
        return Some(Sighting { block: nr, what: What::Leaf, seed: generation::of_leaf(block) });
    }
    is_leaf(geometry, block).then_some(Sighting { block: nr, what: What::Leaf, seed: None })
}

/// The numbers that the first block of a directory begins with: its own and its parent's.
pub fn dot(block: &[u8]) -> Option<(u32, u32)> {
    let (dot, dotdot): (DirEntry, DirEntry) = (at(block, 0)?, at(block, 12)?);
    let fits = dot.rec_len.get() == 12
        && dot.name_len == 1
        && block[8..12] == *b".\0\0\0"
        && dotdot.name_len == 2
        && dotdot.rec_len.get() >= 12
        && block[20..24] == *b"..\0\0"
        && dot.inode.get() != 0;
    fits.then(|| (dot.inode.get(), dotdot.inode.get()))
}

/// True for one unused entry that fills the block, and inside it hashes that ascend.
fn is_hash_node(block: &[u8], checksums: bool) -> bool {
    let (Some(fake), Some(head)) = (at::<DirEntry>(block, 0), at::<DxCountLimit>(block, DX_NODE_COUNT_AT)) else {
        return false;
    };
    let room = (block.len() - DX_NODE_COUNT_AT) / size_of::<DxEntry>() - usize::from(checksums);
    let (limit, count) = (usize::from(head.limit.get()), usize::from(head.count.get()));
    fake.inode.get() == 0
        && fake.name_len == 0
        && dirent::rec_len(fake.rec_len.get(), block.len()) == block.len()
        && limit == room
        && (1..=limit).contains(&count)
        && hashes(block, DX_NODE_COUNT_AT).is_sorted()
}

/// The hashes that a node of a hash tree begins its parts with; the first begins at 0.
pub fn hashes(block: &[u8], count_at: usize) -> Vec<u32> {
    let count = at::<DxCountLimit>(block, count_at).map_or(0, |head| usize::from(head.count.get()));
    let rest = (1..count).map_while(|i| at::<DxEntry>(block, count_at + i * size_of::<DxEntry>()));
    std::iter::once(0).chain(rest.map(|entry| entry.hash.get())).collect()
}

fn has_tail(block: &[u8]) -> bool {
    let tail =
        block.len().checked_sub(size_of::<DirEntryTail>()).and_then(|at_tail| at::<DirEntryTail>(block, at_tail));
    tail.is_some_and(|tail| tail.is_tail() && tail.det_checksum.get() != 0)
}

fn is_extent_node(geometry: &Geometry, block: &[u8]) -> bool {
    let Some(header) = at::<ExtentHeader>(block, 0) else { return false };
    let (entries, max) = (usize::from(header.eh_entries.get()), usize::from(header.eh_max.get()));
    header.eh_magic.get() == extent::MAGIC
        && (1..=max).contains(&entries)
        && max <= geometry.extents_per_block()
        && max + 1 >= geometry.extents_per_block()
        && header.eh_depth.get() < extent::MAX_DEPTH
}

/// True if entries fill the block without a gap, and at least one names something.
pub fn is_leaf(geometry: &Geometry, block: &[u8]) -> bool {
    names(geometry, block).is_some_and(|names| names > 0)
}

/// True if entries fill the block without a gap, used or not.
pub fn is_filled(geometry: &Geometry, block: &[u8]) -> bool {
    names(geometry, block).is_some()
}

/// How many entries name something, where entries fill the block without a gap.
fn names(geometry: &Geometry, block: &[u8]) -> Option<usize> {
    let (mut offset, mut names) = (0, 0);
    while offset < block.len() {
        let entry = at::<DirEntry>(block, offset)?;
        let len = dirent::rec_len(entry.rec_len.get(), block.len());
        let name_len = usize::from(entry.name_len);
        let type_known = entry.file_type <= 7 || entry.inode.get() == 0 && entry.file_type == dirent::TAIL_TYPE;
        let fits = len >= 8 && len.is_multiple_of(4) && len <= block.len() - offset && type_known;
        if !fits || name_len + 8 > len || name_len > NAME_LEN {
            return None;
        }
        if entry.inode.get() != 0 {
            let name = &block[offset + 8..offset + 8 + name_len];
            if geometry.inode(entry.inode.get()).is_none()
                || name.is_empty()
                || name.iter().any(|&b| b == 0 || b == b'/')
            {
                return None;
            }
            names += 1;
        }
        offset += len;
    }
    Some(names)
}

/// True for a block of numbers of the volume's blocks, as a file without extents has.
pub fn has_pointers(geometry: &Geometry, block: &[u8]) -> bool {
    let mut used = block.chunks_exact(4).filter_map(|bytes| le32(bytes, 0)).filter(|pointer| *pointer != 0).peekable();
    !geometry.features.has(EXTENTS)
        && used.peek().is_some()
        && used.all(|pointer| geometry.block(pointer.into()).is_some())
}
