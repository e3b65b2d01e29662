//! Pass 5: the bitmaps and counters of every group, and the volume's totals.
//!
//! Tests: bitmaps against what passes 1 found in use, their padding and checksums; counts against the bitmaps. Needs:
//! [`Found`]. Leaves: findings alone.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::bits::low_mask;
use super::codes;
use super::inodes::Found;
use super::volume::Volume;
use crate::finding::{Code, Finding, Log, Place};
use crate::source::SourceGone;

use super::super::disk::group::flags;
use super::super::disk::superblock::join;
use super::super::feature::{BIT64, METADATA_CSUM};

/// What one group adds to the volume's totals.
#[derive(Clone, Copy, Default)]
struct Free {
    clusters: u64,
    inodes: u64,
}

/// Checks all groups and the totals.
/// The marks of what was never initialised count only where the group's descriptor is not among the `unproved`: else its
/// bitmaps have to be in order as they lie.
pub fn check(volume: &Volume, found: &Found, unproved: &BTreeSet<u32>) -> Result<Log, SourceGone> {
    let parts: Result<Vec<(Log, Free)>, SourceGone> = (0..volume.groups)
        .into_par_iter()
        .map(|group| {
            let mut log = Log::new();
            if unproved.contains(&group) {
                uninitialised(volume, group, &mut log)?;
            }
            let clusters = blocks(volume, found, group, &mut log)?;
            let inodes = inodes(volume, found, group, &mut log)?;
            Ok((log, Free { clusters, inodes }))
        })
        .collect();
    let (mut whole, mut free) = (Log::new(), Free::default());
    for (log, part) in parts? {
        whole.merge(log);
        free.clusters += part.clusters;
        free.inodes += part.inodes;
    }
    totals(volume, free, &mut whole);
    Ok(whole)
}

/// The ends of bitmaps that a descriptor which is not proved calls uninitialised.
fn uninitialised(volume: &Volume, group: u32, log: &mut Log) -> Result<(), SourceGone> {
    let (marks, mut buf) = (volume.descriptors[group as usize].bg_flags.get(), Vec::new());
    let ratio = volume.cluster_ratio;
    let bits = (volume.group_end(group) - volume.group_start(group)).div_ceil(ratio);
    if marks & flags::BLOCK_UNINIT != 0 && read_bitmap(volume, volume.block_bitmap(group), &mut buf)? {
        padding(volume, &buf, bits, volume.blocks_per_group / ratio, group, codes::BLOCK_BITMAP_PADDING, log);
    }
    let inodes = volume.inodes_per_group.into();
    if marks & flags::INODE_UNINIT != 0 && read_bitmap(volume, volume.inode_bitmap(group), &mut buf)? {
        padding(volume, &buf, inodes, inodes, group, codes::INODE_BITMAP_PADDING, log);
    }
    Ok(())
}

fn totals(volume: &Volume, free: Free, log: &mut Log) {
    let sb = &volume.sb;
    let recorded = if volume.has(BIT64) {
        join(sb.s_free_blocks_count_hi, sb.s_free_blocks_count_lo)
    } else {
        sb.s_free_blocks_count_lo.get().into()
    };
    // Groups count clusters, the superblock blocks.
    let blocks = free.clusters * volume.cluster_ratio;
    if recorded != blocks {
        log.add(Finding::new(codes::FREE_BLOCKS, Place::volume(), recorded.to_string(), blocks.to_string()));
    }
    let recorded = u64::from(sb.s_free_inodes_count.get());
    if recorded != free.inodes {
        log.add(Finding::new(codes::FREE_INODES, Place::volume(), recorded.to_string(), free.inodes.to_string()));
    }
}

/// The codes that differences of one kind of bitmap are reported by.
struct Codes {
    marked_one: Code,
    marked_many: Code,
    unmarked_one: Code,
    unmarked_many: Code,
}

const BLOCK_CODES: Codes = Codes {
    marked_one: codes::BLOCK_UNUSED,
    marked_many: codes::BLOCKS_UNUSED,
    unmarked_one: codes::BLOCK_USED,
    unmarked_many: codes::BLOCKS_USED,
};
const INODE_CODES: Codes = Codes {
    marked_one: codes::INODE_UNUSED,
    marked_many: codes::INODES_UNUSED,
    unmarked_one: codes::INODE_USED,
    unmarked_many: codes::INODES_USED,
};

/// A bitmap as words, with as many bits as the group has.
fn words(bytes: &[u8], bits: u64) -> Vec<u64> {
    let mut words: Vec<u64> = bytes.chunks(8).take(bits.div_ceil(64) as usize).map(word).collect();
    if let Some(last) = words.last_mut() {
        *last &= low_mask((bits - 1) % 64 + 1);
    }
    words
}

fn word(chunk: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..chunk.len()].copy_from_slice(chunk);
    u64::from_le_bytes(bytes)
}

/// Holds a bitmap against what is in use, and reports runs of bits that differ. `first` is the number of bit 0.
fn compare(
    bitmap: &[u64],
    used: &[u64],
    codes: &Codes,
    mut place: impl FnMut(u64) -> Place,
    first: u64,
    log: &mut Log,
) {
    let mut run: Option<(u64, u64, bool)> = None;
    let mut end = |run: Option<(u64, u64, bool)>| {
        let Some((start, len, marked)) = run else { return };
        let code = match (marked, len) {
            (true, 1) => codes.marked_one,
            (true, _) => codes.marked_many,
            (false, 1) => codes.unmarked_one,
            (false, _) => codes.unmarked_many,
        };
        let start = first + start;
        // Of one the place says all.
        let run = || if len > 1 { format!("{start} to {}, {len} of them", start + len - 1) } else { String::new() };
        log.note(code, place(start), || (run(), String::new()));
    };
    for (i, (&marked, &in_use)) in bitmap.iter().zip(used).enumerate() {
        let mut differ = marked ^ in_use;
        while differ != 0 {
            let bit = differ.trailing_zeros();
            differ &= differ - 1;
            let (at, is_marked) = (i as u64 * 64 + u64::from(bit), marked >> bit & 1 != 0);
            run = match run {
                Some((start, len, was)) if start + len == at && was == is_marked => Some((start, len + 1, was)),
                other => {
                    end(other);
                    Some((at, 1, is_marked))
                }
            };
        }
    }
    end(run);
}

/// Block bitmap of a group; returns the clusters that are free by it.
fn blocks(volume: &Volume, found: &Found, group: u32, log: &mut Log) -> Result<u64, SourceGone> {
    let (start, end) = (volume.group_start(group), volume.group_end(group));
    let ratio = volume.cluster_ratio;
    let bits = (end - start).div_ceil(ratio);
    let used: Vec<u64> = used_clusters(volume, found, start, end, bits);
    let descriptor = &volume.descriptors[group as usize];
    let uninit = volume.has_group_checksums() && descriptor.bg_flags.get() & flags::BLOCK_UNINIT != 0;
    let place = Place::group(group.into());
    let bitmap = if uninit {
        // Not written yet: all that metadata does not take is free.
        let metadata: Vec<u64> = clusters_of(&found.metadata, start, end, bits, ratio);
        if group + 1 == volume.groups && bits < volume.blocks_per_group / ratio {
            log.note(codes::BLOCK_BITMAP_PADDING, place.clone(), Default::default);
        }
        if used.iter().zip(&metadata).any(|(used, metadata)| used & !metadata != 0) {
            log.note(codes::BLOCKS_IN_UNINITIALISED, place.clone(), Default::default);
        }
        used.clone()
    } else {
        let mut buf = Vec::new();
        let block = volume.block_bitmap(group);
        let is_there = read_bitmap(volume, block, &mut buf)?;
        padding(volume, &buf, bits, volume.blocks_per_group / ratio, group, codes::BLOCK_BITMAP_PADDING, log);
        let bytes = (volume.blocks_per_group / ratio / 8) as usize;
        if volume.has(METADATA_CSUM) && is_there {
            let recorded = volume.wide(descriptor.block_bitmap_csum(), descriptor.bg_block_bitmap_csum_lo.get());
            checksum(volume, &buf, bytes, recorded, codes::BLOCK_BITMAP_CHECKSUM, &place, log);
        }
        words(&buf, bits)
    };
    compare(
        &bitmap,
        &used,
        &BLOCK_CODES,
        |block| Place::group(group.into()).at_block(block * ratio),
        start / ratio,
        log,
    );
    let free = bits - bitmap.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
    let recorded = volume.wide(descriptor.free_blocks_count(), descriptor.bg_free_blocks_count_lo.get());
    if u64::from(recorded) != free {
        log.note(codes::FREE_BLOCKS_GROUP, place, || (recorded.to_string(), free.to_string()));
    }
    Ok(free)
}

/// Reads a bitmap; one outside the volume is taken for empty. True if it is there.
fn read_bitmap(volume: &Volume, block: u64, buf: &mut Vec<u8>) -> Result<bool, SourceGone> {
    if volume.is_block(block) {
        volume.read_block(block, buf)?;
        return Ok(true);
    }
    buf.clear();
    buf.resize(volume.block_size as usize, 0);
    Ok(false)
}

fn used_clusters(volume: &Volume, found: &Found, start: u64, end: u64, bits: u64) -> Vec<u64> {
    clusters_of(&found.blocks, start, end, bits, volume.cluster_ratio)
}

/// The clusters of `start..end` of which any block is in `set`.
fn clusters_of(set: &super::bits::Bits, start: u64, end: u64, bits: u64, ratio: u64) -> Vec<u64> {
    if ratio == 1 {
        return (0..bits.div_ceil(64)).map(|i| set.bits(start + i * 64, 64.min(bits - i * 64))).collect();
    }
    let mut words = vec![0; bits.div_ceil(64) as usize];
    for cluster in 0..bits {
        let first = start + cluster * ratio;
        if set.any(first, (first + ratio).min(end)) {
            words[(cluster / 64) as usize] |= 1 << (cluster % 64);
        }
    }
    words
}

/// What stands in a bitmap's block behind its last bit is set.
fn padding(volume: &Volume, buf: &[u8], bits: u64, per_group: u64, group: u32, code: Code, log: &mut Log) {
    let set = |from: u64, to: u64| {
        (from..to).all(|bit| buf.get((bit / 8) as usize).is_none_or(|byte| byte >> (bit % 8) & 1 != 0))
    };
    let all = volume.block_size * 8;
    if !set(bits, per_group) || !set(per_group, all) {
        log.note(code, Place::group(group.into()), Default::default);
    }
}

fn checksum(volume: &Volume, buf: &[u8], bytes: usize, recorded: u32, code: Code, place: &Place, log: &mut Log) {
    let mut computed = volume.seed.bitmap(&buf[..bytes.min(buf.len())]);
    if volume.descriptor_size < super::super::disk::group::SIZE_64 {
        computed &= 0xFFFF;
    }
    if computed != recorded {
        log.note(code, place.clone(), || (format!("{recorded:08x}"), format!("{computed:08x}")));
    }
}

/// Inode bitmap of a group; returns the inodes that are free by it.
fn inodes(volume: &Volume, found: &Found, group: u32, log: &mut Log) -> Result<u64, SourceGone> {
    let bits = u64::from(volume.inodes_per_group);
    let first = u64::from(group) * bits + 1;
    let set = |set: &super::bits::Bits| -> Vec<u64> {
        (0..bits.div_ceil(64)).map(|i| set.bits(first + i * 64, 64.min(bits - i * 64))).collect()
    };
    let (used, directories) = (set(&found.used), set(&found.directories));
    let descriptor = &volume.descriptors[group as usize];
    let place = Place::group(group.into());
    let uninit = volume.has_group_checksums() && descriptor.bg_flags.get() & flags::INODE_UNINIT != 0;
    let bitmap = if uninit {
        if used.iter().any(|&word| word != 0) {
            log.note(codes::INODES_IN_UNINITIALISED, place.clone(), Default::default);
        }
        vec![0; used.len()]
    } else {
        let mut buf = Vec::new();
        let is_there = read_bitmap(volume, volume.inode_bitmap(group), &mut buf)?;
        if is_there {
            padding(volume, &buf, bits, bits, group, codes::INODE_BITMAP_PADDING, log);
        }
        if volume.has(METADATA_CSUM) && is_there {
            let recorded = volume.wide(descriptor.inode_bitmap_csum(), descriptor.bg_inode_bitmap_csum_lo.get());
            checksum(volume, &buf, (bits / 8) as usize, recorded, codes::INODE_BITMAP_CHECKSUM, &place, log);
        }
        let bitmap = words(&buf, bits);
        compare(
            &bitmap,
            &used,
            &INODE_CODES,
            |inode| Place { group: Some(group.into()), ..Place::inode(inode) },
            first,
            log,
        );
        bitmap
    };
    let free = bits - bitmap.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
    let recorded = volume.wide(descriptor.free_inodes_count(), descriptor.bg_free_inodes_count_lo.get());
    if u64::from(recorded) != free {
        log.note(codes::FREE_INODES_GROUP, place.clone(), || (recorded.to_string(), free.to_string()));
    }
    let counted: u32 = bitmap.iter().zip(&directories).map(|(marked, dirs)| (marked & dirs).count_ones()).sum();
    let recorded = volume.wide(descriptor.used_dirs_count(), descriptor.bg_used_dirs_count_lo.get());
    if recorded != counted {
        log.note(codes::DIRECTORIES_GROUP, place, || (recorded.to_string(), counted.to_string()));
    }
    Ok(free)
}
