//! Pass 2, the hash trees of directories.
//!
//! Tests: limits and counts of nodes, the order of hashes, that each block is named once and at the right depth, and
//! that the names of each leaf lie in its range. Needs: what each block of the directory was found to be. Leaves:
//! findings alone.

use super::codes;
use super::hashed_root;
use super::volume::Volume;
use crate::finding::{Finding, Log, Place};

use super::super::disk::at;
use super::super::disk::dirent::{DX_NODE_COUNT_AT, DX_ROOT_COUNT_AT, DxCountLimit, DxEntry, DxRoot};
use super::super::feature::METADATA_CSUM;

/// Length of the information in front of a root's entries.
const INFO_LENGTH: u8 = 8;

/// What a block of a hashed directory was found to be.
#[derive(Clone, Debug)]
pub enum Part {
    /// The root, with its depth.
    Root { depth: u8, node: Node },
    /// A node below the root.
    Inner(Node),
    /// A block of entries, with the smallest and largest hash of their names.
    Leaf { min: u32, max: u32 },
}

/// The entries of a node: the smallest hash below each, and the block that it names.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub entries: Vec<(u32, u32)>,
}

/// Reads a node, whose limit and count lie at `at`, and judges it by itself.
pub fn node(volume: &Volume, block: &[u8], count_at: usize, blocks: u64, place: &Place, log: &mut Log) -> Node {
    let mut node = Node::default();
    let Some(head) = at::<DxCountLimit>(block, count_at) else { return node };
    let (limit, count) = (usize::from(head.limit.get()), usize::from(head.count.get()));
    let tail = if volume.has(METADATA_CSUM) { 8 } else { 0 };
    let expected = (block.len() - count_at - tail) / 8;
    let mut note = |code, found: String, expected: String| log.add(Finding::new(code, place.clone(), found, expected));
    if limit != expected {
        note(codes::HASH_LIMIT, limit.to_string(), expected.to_string());
    }
    if count > expected {
        note(codes::HASH_COUNT, count.to_string(), format!("at most {expected}"));
    }
    let mut before = 0;
    for i in 0..count.min(expected) {
        let Some(entry) = at::<DxEntry>(block, count_at + i * 8) else { break };
        // The first entry's hash is limit and count; it covers all from 0 on.
        let hash = if i == 0 { 0 } else { entry.hash.get() };
        let named = entry.block.get() & 0x0FFF_FFFF;
        if u64::from(named) >= blocks {
            note(codes::HASH_BLOCK, named.to_string(), format!("1 to {}", blocks.saturating_sub(1)));
            continue;
        }
        if hash < before {
            note(codes::HASH_ORDER, format!("{hash:08x} after {before:08x}"), String::new());
        }
        before = hash;
        node.entries.push((hash, named));
    }
    node
}

/// Reads the root of a directory's tree.
pub fn root(volume: &Volume, block: &[u8], blocks: u64, place: &Place, log: &mut Log) -> Part {
    let Some(root) = at::<DxRoot>(block, 0) else { return Part::Root { depth: 0, node: Node::default() } };
    let (info, depth) = (root.info, root.info.indirect_levels);
    if info.reserved_zero.get() != 0 || info.info_length < INFO_LENGTH || depth > hashed_root::levels(volume) {
        let found = format!("{} bytes of information, {depth} levels", info.info_length);
        log.add(Finding::new(codes::HASH_ROOT_FIELDS, place.clone(), found, ""));
    }
    // The entries begin behind as much information as the root says that it has.
    let count_at = DX_ROOT_COUNT_AT - usize::from(INFO_LENGTH) + usize::from(info.info_length);
    Part::Root { depth, node: node(volume, block, count_at, blocks, place, log) }
}

/// Reads a node below the root.
pub fn inner(volume: &Volume, block: &[u8], blocks: u64, place: &Place, log: &mut Log) -> Part {
    Part::Inner(node(volume, block, DX_NODE_COUNT_AT, blocks, place, log))
}

/// A block, as the nodes above it describe it.
#[derive(Clone, Copy, Default)]
struct Named {
    times: u32,
    depth: u8,
    from: u32,
    to: u32,
}

/// Judges a whole tree, from what its blocks are. True if the tree is of no use.
pub fn judge(dir: u32, parts: &[Option<Part>], log: &mut Log) -> bool {
    let Some(Some(Part::Root { depth, node: top })) = parts.first() else { return false };
    let mut named = vec![Named::default(); parts.len()];
    // The root is where it has to be.
    named[0].times = 1;
    name(&mut named, top, 0, u32::MAX, 1);
    // Nodes are followed down from the root; each once, so that a loop ends.
    let mut level: Vec<usize> = top.entries.iter().map(|&(_, block)| block as usize).collect();
    let mut done = vec![false; parts.len()];
    while !level.is_empty() {
        let mut next = Vec::new();
        for block in level {
            if let Some(Some(Part::Inner(node))) = parts.get(block)
                && !std::mem::replace(&mut done[block], true)
            {
                let Named { from, to, depth, .. } = named[block];
                name(&mut named, node, from, to, depth.saturating_add(1));
                next.extend(node.entries.iter().map(|&(_, block)| block as usize));
            }
        }
        level = next;
    }
    // Those that nothing names lie below the root, where nothing else is known.
    for (_, part) in parts.iter().enumerate().filter(|(block, _)| !done[*block]) {
        if let Some(Part::Inner(node)) = part {
            name(&mut named, node, 0, u32::MAX, 2);
        }
    }
    let mut bad = false;
    for (block, part) in parts.iter().enumerate() {
        let Some(part) = part else { continue };
        bad |= judge_part(dir, block, part, named[block], *depth, log);
    }
    if bad {
        log.add(Finding::new(codes::HASH_TREE, Place::inode(dir.into()), "", ""));
    }
    bad
}

fn name(named: &mut [Named], node: &Node, from: u32, to: u32, depth: u8) {
    for (i, &(hash, block)) in node.entries.iter().enumerate() {
        let Some(below) = named.get_mut(block as usize) else { continue };
        let from = if i == 0 { from } else { hash };
        let to = node.entries.get(i + 1).map_or(to, |&(next, _)| next);
        *below = Named { times: below.times.saturating_add(1), depth, from, to };
    }
}

fn judge_part(dir: u32, block: usize, part: &Part, named: Named, depth: u8, log: &mut Log) -> bool {
    let mut bad = false;
    let mut note = |code, found: String| {
        log.add(Finding::new(code, Place::inode(dir.into()), format!("block {block}{found}"), ""));
        bad = true;
    };
    if named.times == 0 {
        note(codes::HASH_NOT_NAMED, String::new());
    } else if named.times > 1 {
        note(codes::HASH_NAMED_TWICE, String::new());
    }
    if let Part::Inner(node) = part
        && let Some((hash, _)) = node.entries.iter().max().filter(|(hash, _)| *hash > named.to)
    {
        note(codes::HASH_MAX, format!(": {hash:08x} above {:08x}", named.to));
    }
    if let Part::Leaf { min, max } = part {
        let at = if named.times > 0 { named.depth } else { 1 };
        if at != depth.saturating_add(1) {
            note(codes::HASH_LEAF_DEPTH, format!(" at depth {at}"));
        }
        // The lowest bit marks names with one hash that two leaves share.
        if min <= max && *min & !1 < named.from & !1 {
            note(codes::HASH_MIN, format!(": {min:08x} below {:08x}", named.from));
        }
        if *max > named.to {
            note(codes::HASH_MAX, format!(": {max:08x} above {:08x}", named.to));
        }
    }
    bad
}
