//! Pass 0, the superblock.
//!
//! Tests: that the primary superblock can be used, or a backup in its place; that its fields agree with each other, the
//! features and the size of the device.
//! Needs: the source. Leaves: the [`Volume`] all passes stand on, with the descriptors of the copy that is used.

use std::time::{SystemTime, UNIX_EPOCH};

use zerocopy::FromBytes;

use super::codes;
use super::descriptors::misplaced;
use super::volume::Volume;
use crate::bytes::{Span, Spans};
use crate::finding::{Code, Finding, Log, Place};
use crate::source::{Source, SourceGone};

use super::super::checksum;
use super::super::disk::superblock::{DYNAMIC_REV, GOOD_OLD_FIRST_INO, MAGIC, OFFSET, SIZE, Superblock, join};
use super::super::feature::{
    BIGALLOC, BIT64, CSUM_SEED, EXTENTS, Features, GDT_CSUM, JOURNAL_DEV, META_BG, METADATA_CSUM, RESIZE_INODE, Word,
};

/// Largest `s_log_block_size`: blocks of 64 KiB.
const MAX_LOG_BLOCK_SIZE: u32 = 6;
/// How much larger than the device a volume may claim to be before its superblock is not believed.
const MAX_OVERSIZE: u64 = 64;

/// What opening for a check came to.
pub enum Opened {
    /// A superblock was found usable: the primary, or the backup in group 1; and which copy of the descriptors goes
    /// with it.
    Volume(Box<Volume>, u32, Log),
    /// None was, and why the first was not.
    Nothing(Log, String),
}

/// Finds the superblock and descriptors to use.
pub fn open(source: &Source) -> Result<Opened, SourceGone> {
    let mut log = Log::new();
    let primary = read(source, OFFSET)?;
    let volume = match primary
        .as_ref()
        .map_or_else(|| Err(Unfit::unusable("it can not be read")), |sb| usable(sb, source.len()))
    {
        Ok(()) => primary.map(|sb| Volume::of(source.clone(), sb)),
        Err(Unfit { code, why }) => {
            let place = Place::volume().at(Span::new(OFFSET, SIZE as u64));
            log.add(Finding::new(code, place, why.clone(), ""));
            let usual = backup(source, None)?;
            let is_usual = usual.is_some();
            match usual.map_or_else(|| backup(source, primary.as_ref()), |volume| Ok(Some(volume)))? {
                Some(mut volume) => {
                    if !is_usual {
                        log.add(elsewhere(&volume));
                    }
                    volume.load_descriptors(1)?;
                    return Ok(Opened::Volume(Box::new(volume), 1, log));
                }
                None => {
                    log.add(Finding::new(codes::NO_SUPERBLOCK, Place::volume(), why.clone(), ""));
                    return Ok(Opened::Nothing(log, why));
                }
            }
        }
    };
    let Some(mut volume) = volume else { return Ok(Opened::Nothing(log, "it can not be read".to_owned())) };
    volume.load_descriptors(0)?;
    let mut copy = 0;
    if let Some((group, what)) = misplaced(&volume) {
        log.add(Finding::new(codes::DESCRIPTORS_UNUSABLE, Place::group(group.into()), what, ""));
        if let Some(mut other) = backup(source, Some(&volume.sb))? {
            other.load_descriptors(1)?;
            (volume, copy) = (other, 1);
        }
    }
    Ok(Opened::Volume(Box::new(volume), copy, log))
}

/// A backup that is used, and that repair programs have to be told of.
fn elsewhere(volume: &Volume) -> Finding {
    let (block, size) = (volume.group_start(1), volume.block_size);
    let place = Place::volume().at(volume.span(block));
    Finding::new(codes::BACKUP_ELSEWHERE, place, format!("block {block}"), format!("`e2fsck -b {block} -B {size}`"))
}

fn read(source: &Source, offset: u64) -> Result<Option<Superblock>, SourceGone> {
    let (mut buf, mut lost) = ([0; SIZE], Spans::new());
    source.read(offset, &mut buf, &mut lost)?;
    Ok(lost.is_empty().then(|| Superblock::read_from_bytes(&buf).ok()).flatten())
}

/// The backup superblock in group 1, where it can be used: at the block size the primary says, or at any.
fn backup(source: &Source, primary: Option<&Superblock>) -> Result<Option<Volume>, SourceGone> {
    let known = primary.filter(|sb| sb.s_magic.get() == MAGIC && sb.s_log_block_size.get() <= MAX_LOG_BLOCK_SIZE);
    let logs: Vec<u32> = match known {
        Some(sb) => vec![sb.s_log_block_size.get()],
        None => (0..=MAX_LOG_BLOCK_SIZE).collect(),
    };
    for log in logs {
        let size = 1024u64 << log;
        let standard = size * 8 + u64::from(log == 0);
        let said = known.map(|sb| u64::from(sb.s_first_data_block.get()) + u64::from(sb.s_blocks_per_group.get()));
        for block in said.into_iter().chain([standard]) {
            let Some(offset) = block.checked_mul(size) else { continue };
            let Some(sb) = read(source, offset)? else { continue };
            if usable(&sb, source.len()).is_ok() && sb.s_log_block_size.get() == log {
                return Ok(Some(Volume::of(source.clone(), sb)));
            }
        }
    }
    Ok(None)
}

/// Why a superblock can not be used.
pub struct Unfit {
    code: Code,
    why: String,
}

impl Unfit {
    fn unusable(why: impl Into<String>) -> Self {
        Unfit { code: codes::SUPERBLOCK_UNUSABLE, why: why.into() }
    }

    fn impossible(why: String) -> Self {
        Unfit { code: codes::SUPERBLOCK_IMPOSSIBLE, why }
    }
}

/// Whether anything can be read by this superblock, and why not.
pub fn usable(sb: &Superblock, device: u64) -> Result<(), Unfit> {
    let features = Features::of(sb);
    if sb.s_magic.get() != MAGIC {
        return Err(Unfit::unusable(format!("magic number {:04x}", sb.s_magic.get())));
    }
    if features.has(METADATA_CSUM) && checksum::superblock(sb) != sb.s_checksum.get() {
        return Err(Unfit::unusable(format!(
            "checksum {:08x}, computed {:08x}",
            sb.s_checksum.get(),
            checksum::superblock(sb)
        )));
    }
    let unknown = features.unknown(Word::Incompat);
    if unknown != 0 {
        return Err(Unfit::unusable(format!("unknown incompatible features {unknown:#x}")));
    }
    if features.has(JOURNAL_DEV) {
        return Err(Unfit::unusable("it is an external journal and no filesystem"));
    }
    if sb.s_rev_level.get() > DYNAMIC_REV {
        return Err(Unfit::impossible(format!("revision {}", sb.s_rev_level)));
    }
    let log = sb.s_log_block_size.get();
    if log > MAX_LOG_BLOCK_SIZE {
        return Err(Unfit::unusable(format!("block size 2^{}", log.saturating_add(10))));
    }
    geometry(sb, features, 1024 << log, device)
}

/// Whether the numbers of groups, inodes and blocks fit together.
fn geometry(sb: &Superblock, features: Features, block_size: u64, device: u64) -> Result<(), Unfit> {
    let (log, cluster) = (sb.s_log_block_size.get(), sb.s_log_cluster_size.get());
    if cluster < log || (!features.has(BIGALLOC) && cluster != log) || cluster - log > 20 {
        return Err(Unfit::unusable(format!(
            "cluster size 2^{} with block size 2^{}",
            cluster.saturating_add(10),
            log + 10
        )));
    }
    let inode_size = u64::from(if sb.s_rev_level.get() >= DYNAMIC_REV { sb.s_inode_size.get() } else { 128 });
    if inode_size < 128 || inode_size > block_size || !inode_size.is_power_of_two() {
        return Err(Unfit::unusable(format!("inode size {inode_size}")));
    }
    let descriptor = sb.s_desc_size.get();
    if features.has(BIT64) && (descriptor < 64 || u64::from(descriptor) > block_size || !descriptor.is_power_of_two()) {
        return Err(Unfit::impossible(format!("descriptor size {descriptor}")));
    }
    if !features.has(BIT64) && u64::from(descriptor) > block_size {
        return Err(Unfit::impossible(format!("descriptor size {descriptor}")));
    }
    let (blocks_per_group, inodes_per_group) =
        (u64::from(sb.s_blocks_per_group.get()), u64::from(sb.s_inodes_per_group.get()));
    let in_clusters = u64::from(sb.s_clusters_per_group.get()).checked_shl(cluster - log);
    if in_clusters != Some(blocks_per_group) {
        return Err(Unfit::unusable(format!("{} clusters per group", sb.s_clusters_per_group)));
    }
    if sb.s_log_groups_per_flex >= 32 {
        return Err(Unfit::unusable(format!("2^{} groups together", sb.s_log_groups_per_flex)));
    }
    let clusters_per_group = blocks_per_group >> (cluster - log);
    if clusters_per_group == 0 || clusters_per_group > block_size * 8 || !blocks_per_group.is_multiple_of(8) {
        return Err(Unfit::unusable(format!("{blocks_per_group} blocks per group")));
    }
    if inodes_per_group == 0 || inodes_per_group > block_size * 8 {
        return Err(Unfit::unusable(format!("{inodes_per_group} inodes per group")));
    }
    let hi = if features.has(BIT64) { u64::from(sb.s_blocks_count_hi.get()) << 32 } else { 0 };
    let (blocks, first) = (hi | u64::from(sb.s_blocks_count_lo.get()), u64::from(sb.s_first_data_block.get()));
    if first >= blocks || blocks / MAX_OVERSIZE > (device / block_size).max(1024) {
        return Err(Unfit::unusable(format!("{blocks} blocks from {first}")));
    }
    let groups = (blocks - first).div_ceil(blocks_per_group);
    if groups.saturating_mul(inodes_per_group) != u64::from(sb.s_inodes_count.get()) {
        let why = format!("{} inodes in {groups} groups of {inodes_per_group}", sb.s_inodes_count.get());
        return Err(Unfit { code: codes::INODE_COUNT, why });
    }
    let first_inode = sb.s_first_ino.get();
    if sb.s_rev_level.get() >= DYNAMIC_REV && !(GOOD_OLD_FIRST_INO..sb.s_inodes_count.get()).contains(&first_inode) {
        return Err(Unfit::impossible(format!("first inode {first_inode}")));
    }
    Ok(())
}

/// Judges the fields of the superblock that is used.
pub fn check(volume: &Volume) -> Log {
    let mut log = Log::new();
    let place = || Place::volume().at(Span::new(OFFSET, SIZE as u64));
    let sb = &volume.sb;
    let mut add = |code, found: String, expected: String| log.add(Finding::new(code, place(), found, expected));
    let first = u64::from(volume.block_size == 1024 && volume.cluster_ratio == 1);
    if volume.first_data_block != first && volume.cluster_ratio == 1 {
        add(codes::FIRST_DATA_BLOCK, volume.first_data_block.to_string(), first.to_string());
    }
    let reserved = join(sb.s_r_blocks_count_hi, sb.s_r_blocks_count_lo);
    let reserved = if volume.has(BIT64) { reserved } else { sb.s_r_blocks_count_lo.get().into() };
    if reserved > volume.blocks / 2 {
        add(codes::SUPERBLOCK_FIELD, format!("{reserved} blocks reserved"), format!("at most {}", volume.blocks / 2));
    }
    if u64::from(sb.s_reserved_gdt_blocks.get()) > volume.addresses() {
        add(
            codes::SUPERBLOCK_FIELD,
            format!("{} descriptor blocks reserved", sb.s_reserved_gdt_blocks),
            format!("at most {}", volume.addresses()),
        );
    }
    if volume.has(META_BG) && u64::from(sb.s_first_meta_bg.get()) > volume.descriptor_blocks() {
        add(codes::FIRST_META_GROUP, sb.s_first_meta_bg.to_string(), format!("at most {}", volume.descriptor_blocks()));
    }
    let device = volume.source.len() / volume.block_size;
    if volume.blocks > device {
        add(codes::VOLUME_LARGER_THAN_DEVICE, format!("{} blocks", volume.blocks), format!("at most {device}"));
    }
    features(volume, &mut add);
    extra_sizes(volume, &mut add);
    quota_inodes(volume, &mut add);
    times(volume, &mut add);
    log
}

type Add<'a> = dyn FnMut(crate::finding::Code, String, String) + 'a;

/// Features that exclude or need each other.
fn features(volume: &Volume, add: &mut Add<'_>) {
    if volume.has(METADATA_CSUM) && volume.has(GDT_CSUM) {
        add(codes::BOTH_CHECKSUM_FEATURES, "metadata_csum and uninit_bg".into(), "one of them".into());
    }
    if volume.has(CSUM_SEED) && !volume.has(METADATA_CSUM) {
        add(codes::SEED_WITHOUT_CHECKSUMS, "metadata_csum_seed".into(), "metadata_csum with it".into());
    }
    if volume.has(BIT64) && !volume.has(EXTENTS) {
        add(codes::LARGE_WITHOUT_EXTENTS, "64bit".into(), "extents with it".into());
    }
    if volume.has(META_BG) && volume.has(RESIZE_INODE) {
        add(codes::RESIZE_WITH_META_GROUPS, "meta_bg and resize_inode".into(), "one of them".into());
    }
    let unknown = (volume.features.unknown(Word::Compat), volume.features.unknown(Word::RoCompat));
    if unknown != (0, 0) {
        add(codes::UNKNOWN_FEATURES, format!("compatible {:#x}, read-only {:#x}", unknown.0, unknown.1), String::new());
    }
    let sb = &volume.sb;
    let any = sb.s_feature_compat.get() | sb.s_feature_incompat.get() | sb.s_feature_ro_compat.get();
    if sb.s_rev_level.get() < DYNAMIC_REV && any != 0 {
        add(codes::FEATURES_IN_REVISION_0, format!("revision {}", sb.s_rev_level), "1".into());
    }
}

/// How much of an inode behind its first 128 bytes the kernel shall use.
fn extra_sizes(volume: &Volume, add: &mut Add<'_>) {
    let room = volume.inode_size.saturating_sub(128);
    let wrong = |size: u16| usize::from(size) > room || !size.is_multiple_of(4);
    let (min, want) = (volume.sb.s_min_extra_isize.get(), volume.sb.s_want_extra_isize.get());
    if room > 0 && wrong(min) {
        add(codes::MIN_EXTRA_SIZE, min.to_string(), format!("at most {room}"));
    }
    if room > 0 && wrong(want) {
        add(codes::WANT_EXTRA_SIZE, want.to_string(), format!("at most {room}"));
    }
}

/// The numbers of the quota files.
fn quota_inodes(volume: &Volume, add: &mut Add<'_>) {
    let sb = &volume.sb;
    let fixed = [("user", sb.s_usr_quota_inum.get(), 3), ("group", sb.s_grp_quota_inum.get(), 4)];
    for (kind, found, reserved) in fixed {
        if found != 0 && found != reserved && !(volume.first_inode..=volume.inodes).contains(&found) {
            add(codes::QUOTA_INODE_NUMBER, format!("{kind} quota in inode {found}"), reserved.to_string());
        }
    }
    let project = sb.s_prj_quota_inum.get();
    if project != 0 && !(volume.first_inode..=volume.inodes).contains(&project) {
        add(
            codes::QUOTA_INODE_NUMBER,
            format!("project quota in inode {project}"),
            format!("at most {}", volume.inodes),
        );
    }
}

/// Seconds by which clocks may differ that are set to local time.
const DAY: u64 = 86400;

/// Times that lie in the future.
fn times(volume: &Volume, add: &mut Add<'_>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let at = |lo: u32, hi: u8| u64::from(hi) << 32 | u64::from(lo);
    let sb = &volume.sb;
    for (what, time, late, early) in [
        ("mounted", at(sb.s_mtime.get(), sb.s_mtime_hi), codes::MOUNTED_IN_FUTURE, codes::MOUNTED_AHEAD),
        ("written", at(sb.s_wtime.get(), sb.s_wtime_hi), codes::WRITTEN_IN_FUTURE, codes::WRITTEN_AHEAD),
    ] {
        if time > now {
            let code = if time > now + DAY { late } else { early };
            add(code, format!("last {what} at {}", crate::time::Time::from_secs(time as i64)), "a time past".into());
        }
    }
}
