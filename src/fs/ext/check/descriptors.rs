//! Pass 0, the group descriptors.
//!
//! Tests: that bitmaps and tables lie where they may, that checksums match, that what is marked as never initialised
//! may be.
//! Needs: the descriptors that are used. Leaves: findings alone; passes ask the descriptors again.

use std::collections::BTreeSet;

use super::bits::Bits;
use super::codes;
use super::volume::{Volume, is_flexible};
use crate::finding::{Finding, Log, Place};
use crate::source::SourceGone;

use super::super::checksum;
use super::super::disk::group::{CHECKSUM_AT, flags};
use super::super::feature::METADATA_CSUM;

/// First group whose bitmaps or table lie outside the volume, or on superblocks and descriptors, and what.
pub fn misplaced(volume: &Volume) -> Option<(u32, String)> {
    let taken = Bits::new(volume.blocks);
    for (start, len) in (0..volume.groups).flat_map(|group| volume.reserved_in_group(group)) {
        (start..start.saturating_add(len).min(volume.blocks)).for_each(|block| {
            taken.set(block);
        });
    }
    for group in 0..volume.groups {
        for (what, block, len) in parts(volume, group) {
            let (first, end) = bounds(volume, group);
            let last = block.saturating_add(len);
            if block < first || last > end || taken.any(block, last) {
                return Some((group, format!("{what} at block {block}")));
            }
            (block..last).for_each(|block| {
                taken.set(block);
            });
        }
    }
    None
}

/// Block bitmap, inode bitmap and inode table of a group, with their length in blocks.
pub fn parts(volume: &Volume, group: u32) -> [(&'static str, u64, u64); 3] {
    [
        ("block bitmap", volume.block_bitmap(group), 1),
        ("inode bitmap", volume.inode_bitmap(group), 1),
        ("inode table", volume.inode_table(group), volume.itable_blocks()),
    ]
}

/// Where the bitmaps and table of a group may lie.
fn bounds(volume: &Volume, group: u32) -> (u64, u64) {
    match is_flexible(volume) {
        true => (volume.first_data_block, volume.blocks),
        false => (volume.group_start(group), volume.group_end(group)),
    }
}

/// Judges every descriptor. Leaves the groups whose descriptor's checksum is wrong.
pub fn check(volume: &Volume, copy: u32) -> Result<(Log, BTreeSet<u32>), SourceGone> {
    let (mut log, mut unproved) = (Log::new(), BTreeSet::new());
    for group in 0..volume.groups {
        place_of_parts(volume, group, &mut log);
        let before = log.count(codes::DESCRIPTOR_CHECKSUM);
        checksum_and_flags(volume, group, copy, &mut log)?;
        if log.count(codes::DESCRIPTOR_CHECKSUM) > before {
            unproved.insert(group);
        }
    }
    Ok((log, unproved))
}

fn place_of_parts(volume: &Volume, group: u32, log: &mut Log) {
    let (first, end) = bounds(volume, group);
    let outside = [codes::BLOCK_BITMAP_PLACE, codes::INODE_BITMAP_PLACE, codes::INODE_TABLE_PLACE];
    for ((what, block, len), code) in parts(volume, group).into_iter().zip(outside) {
        if block < first || block.saturating_add(len) > end {
            let place = Place::group(group.into()).at_block(block);
            log.add(Finding::new(
                code,
                place,
                format!("{what} at block {block}"),
                format!("between {first} and {}", end - 1),
            ));
        }
    }
}

fn checksum_and_flags(volume: &Volume, group: u32, copy: u32, log: &mut Log) -> Result<(), SourceGone> {
    let descriptor = &volume.descriptors[group as usize];
    let marks = descriptor.bg_flags.get();
    let place = || Place::group(group.into());
    if group + 1 == volume.groups && marks & flags::BLOCK_UNINIT != 0 {
        log.note(codes::LAST_BITMAP_UNINITIALISED, place(), || (format!("flags {marks:#x}"), String::new()));
    }
    if !volume.has_group_checksums() {
        if marks & (flags::INODE_UNINIT | flags::BLOCK_UNINIT) != 0 || volume.itable_unused(group) != 0 {
            log.note(codes::UNINITIALISED_WITHOUT_FEATURE, place(), || (format!("flags {marks:#x}"), "0".into()));
        }
        return Ok(());
    }
    let raw = volume.descriptor_bytes(group, copy)?;
    let nr = Volume::group_nr(group);
    let computed = match volume.has(METADATA_CSUM) {
        true => volume.seed.group(nr, &raw),
        false => checksum::group_crc16(&volume.sb.s_uuid, nr, &raw),
    };
    let found = crate::bytes::le16(&raw, CHECKSUM_AT).unwrap_or_default();
    if found != computed {
        log.note(codes::DESCRIPTOR_CHECKSUM, place(), || (format!("{found:04x}"), format!("{computed:04x}")));
    }
    let (unused, free) = (
        volume.itable_unused(group),
        volume.wide(descriptor.free_inodes_count(), descriptor.bg_free_inodes_count_lo.get()),
    );
    if unused > free || unused > volume.inodes_per_group {
        log.note(codes::UNUSED_INODES_COUNT, place(), || (unused.to_string(), format!("at most {free}")));
    }
    Ok(())
}
