//! Where everything on a volume lies: [`Geometry`], a plain value.
//!
//! A healthy superblock is merely the best evidence of it: backups, or what is found when nothing of them is left,
//! make the same value ([`super::evidence`]). Who holds one may rely on its limits: they are checked by
//! [`Geometry::judge`], and the groups' places by [`Geometry::judge_groups`].
//!
//! Sources: the ext4 documentation, `super.rst`, `blockgroup.rst`, `group_descr.rst` and `bigalloc.rst`.

use super::checksum::{self, Seed};
use super::codes;
use super::disk::group::{GroupDescriptor, SIZE_32, SIZE_64, flags};
use super::disk::superblock::{self, DYNAMIC_REV, GOOD_OLD_FIRST_INO, GOOD_OLD_INODE_SIZE, Superblock, join};
use super::disk::{extent, padded};
use super::feature::{self, Features};
use super::number::{BlockNr, GroupNr, InodeNr};
use crate::finding::{Finding, Log, Place};

/// Largest block.
const MAX_BLOCK_SIZE: u32 = 0x1_0000;
/// Largest count of blocks: physical block numbers in extents have 48 bits.
const MAX_BLOCKS: u64 = 1 << 48;

/// Where everything on a volume lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Features switched on; bits nobody knows are kept and not obeyed.
    pub features: Features,
    /// Bytes of a block: a power of two, 1 KiB to 64 KiB.
    pub block_size: u32,
    /// Blocks of a cluster: a power of two; 1 without bigalloc.
    pub cluster_blocks: u32,
    /// Blocks of the volume: more than `first_data_block`, and their bytes fit 64 bits.
    pub blocks: u64,
    /// Where group 0 begins: 0 or 1.
    pub first_data_block: u64,
    /// Blocks of every group but the last: a multiple of 8, never 0.
    pub blocks_per_group: u32,
    /// Inodes of every group: never 0, at most 8 a byte of a block.
    pub inodes_per_group: u32,
    /// Inodes of the volume: those of all groups together.
    pub inodes: u32,
    /// First inode that is not reserved.
    pub first_inode: u32,
    /// Bytes of an inode: a power of two, 128 to a block.
    pub inode_size: u32,
    /// Bytes that new inodes use beyond 128, where the superblock says so plausibly; 32 otherwise.
    pub extra_isize: u16,
    /// Bytes of a group descriptor: a power of two, 32 to a block.
    pub descriptor_size: u32,
    /// With meta_bg: descriptor blocks from this one on lie in their own groups.
    pub first_meta_bg: u32,
    /// With sparse_super2: the groups with backups.
    pub backup_groups: [u32; 2],
    /// What checksums begin with.
    pub seed: Seed,
    /// The volume's UUID.
    pub uuid: [u8; 16],
    /// Its label, without padding.
    pub label: Vec<u8>,
    /// It was inferred from what lies on the volume: tables may end where their known inodes do, and where copies and
    /// bitmaps are is not known.
    pub inferred: bool,
    /// The groups: none before [`Geometry::judge_groups`], all of them afterwards.
    pub groups: Vec<Group>,
}

/// What a geometry holds of one group. Places that were impossible are `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Group {
    /// First block of the inode table; the whole table lies on the volume.
    pub inode_table: Option<BlockNr>,
    /// Its block bitmap. Not trusted for reading.
    pub block_bitmap: Option<BlockNr>,
    /// Its inode bitmap. Not trusted for reading.
    pub inode_bitmap: Option<BlockNr>,
    /// Inodes, from the first of the group, that may ever have been used; all where the descriptor is not proved.
    pub inodes_used: u32,
    /// `bg_flags`, 0 where the descriptor is not proved.
    pub flags: u16,
    /// Free clusters, as the descriptor counts them; never more than the group has.
    pub free_clusters: u32,
    /// Free inodes, as the descriptor counts them; never more than the group has.
    pub free_inodes: u32,
}

/// Why a superblock, or what was inferred in place of one, describes no possible volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfit(pub &'static str);

/// Which copy of the group descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copy {
    /// The one behind the primary superblock; with meta_bg, the one in the first group of each meta group.
    Primary,
    /// The one behind the backup superblock in this group.
    Backup(GroupNr),
    /// With meta_bg: the one in the second group of each meta group.
    MetaSecond,
    /// With meta_bg: the one in the last group of each meta group.
    MetaLast,
}

impl Geometry {
    /// The geometry that a superblock describes, its groups not placed yet. Fields that contradict each other without
    /// making the volume unreadable are corrected and noted in `log`.
    ///
    /// # Errors
    /// When the fields describe no possible volume.
    pub fn judge(sb: &Superblock, log: &mut Log) -> Result<Geometry, Unfit> {
        let mut features = Features::of(sb);
        // A device of journals has no inodes: where there are some, the feature is a lie.
        features.incompat &= !feature::JOURNAL_DEV.bit;
        let block_size = block_size(sb)?;
        let cluster_blocks = cluster_blocks(sb, features, block_size)?;
        let blocks = blocks_count(sb, features)?;
        let blocks_per_group = blocks_per_group(sb, features, block_size, cluster_blocks)?;
        let inodes_per_group = sb.s_inodes_per_group.get();
        if inodes_per_group == 0 || inodes_per_group > block_size * 8 {
            return Err(Unfit("impossible number of inodes in a group"));
        }
        let (inode_size, first_inode) = inode_size(sb, block_size)?;
        let mut geometry = Geometry {
            features,
            block_size,
            cluster_blocks,
            blocks,
            first_data_block: u64::from(block_size == 1024 && cluster_blocks == 1),
            blocks_per_group,
            inodes_per_group,
            inodes: 0,
            first_inode,
            inode_size,
            extra_isize: extra_isize(sb, inode_size),
            descriptor_size: descriptor_size(sb, features, block_size),
            first_meta_bg: sb.s_first_meta_bg.get(),
            backup_groups: sb.s_backup_bgs.map(|nr| nr.get()),
            seed: Seed::of(sb),
            uuid: sb.s_uuid,
            label: text(&sb.s_volume_name).to_vec(),
            inferred: false,
            groups: Vec::new(),
        };
        geometry.judge_counts(sb, log)?;
        Ok(geometry)
    }

    /// Counts that must agree with each other.
    fn judge_counts(&mut self, sb: &Superblock, log: &mut Log) -> Result<(), Unfit> {
        if self.blocks <= self.first_data_block {
            return Err(Unfit("no blocks"));
        }
        let inodes = u64::from(self.group_count()) * u64::from(self.inodes_per_group);
        self.inodes = u32::try_from(inodes).map_err(|_| Unfit("more groups than inodes can be counted in"))?;
        let facts = [
            ("first data block", u64::from(sb.s_first_data_block.get()), self.first_data_block),
            ("inodes", sb.s_inodes_count.get().into(), inodes),
        ];
        for (name, found, expected) in facts.into_iter().filter(|(_, found, expected)| found != expected) {
            let facts = (format!("{name} {found}"), expected.to_string());
            log.add(Finding::new(codes::SUPERBLOCK_COUNTS, Place::volume(), facts.0, facts.1));
        }
        Ok(())
    }

    /// Number of groups.
    pub fn group_count(&self) -> u32 {
        let count = (self.blocks - self.first_data_block).div_ceil(self.blocks_per_group.into());
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Places the groups as `descriptors` say. `None` stands for one that could not be read; missing ones at the end
    /// count as such.
    pub fn judge_groups(&mut self, descriptors: &[Option<RawDescriptor<'_>>], log: &mut Log) {
        self.groups = (0..self.group_count())
            .map(|nr| {
                let nr = GroupNr(nr);
                match descriptors.get(nr.0 as usize).copied().flatten() {
                    Some(raw) => self.judge_group(nr, raw, log),
                    None => {
                        log.note(codes::GROUP_UNREADABLE, Place::group(nr.0.into()), Default::default);
                        Group { inodes_used: self.inodes_per_group, ..Group::default() }
                    }
                }
            })
            .collect();
    }

    /// One group as its descriptor says.
    pub fn judge_group(&self, nr: GroupNr, raw: RawDescriptor<'_>, log: &mut Log) -> Group {
        let place = || Place::group(nr.0.into());
        let descriptor = raw.decode();
        let proof = self.prove_descriptor(nr, raw);
        if let Proof::Refuted { found, computed } = proof {
            log.note(codes::GROUP_CHECKSUM, place(), || (format!("{found:04x}"), format!("{computed:04x}")));
        }
        let table = self.blocks_on_volume(descriptor.inode_table(), self.inode_table_blocks());
        let bitmaps = [descriptor.block_bitmap(), descriptor.inode_bitmap()].map(|block| self.block(block));
        let mut impossible = |found: u64, what: &str| {
            log.note(codes::GROUP_PLACE, place(), || (format!("{what} at block {found}"), self.block_range()));
        };
        if table.is_none() {
            impossible(descriptor.inode_table(), "inode table");
        }
        if bitmaps[0].is_none() {
            impossible(descriptor.block_bitmap(), "block bitmap");
        }
        if bitmaps[1].is_none() {
            impossible(descriptor.inode_bitmap(), "inode bitmap");
        }
        let proved = proof == Proof::Proved;
        Group {
            inode_table: table,
            block_bitmap: bitmaps[0],
            inode_bitmap: bitmaps[1],
            inodes_used: if proved { self.inodes_used(&descriptor) } else { self.inodes_per_group },
            flags: if proved { descriptor.bg_flags.get() } else { 0 },
            free_clusters: descriptor.free_blocks_count().min(self.group_blocks(nr).div_ceil(self.cluster_blocks)),
            free_inodes: descriptor.free_inodes_count().min(self.inodes_per_group),
        }
    }

    /// Inodes that a proved descriptor says may have been used.
    fn inodes_used(&self, descriptor: &GroupDescriptor) -> u32 {
        if descriptor.bg_flags.get() & flags::INODE_UNINIT != 0 {
            return 0;
        }
        self.inodes_per_group.saturating_sub(descriptor.itable_unused())
    }

    /// What a descriptor's checksum says of it.
    pub fn prove_descriptor(&self, nr: GroupNr, raw: RawDescriptor<'_>) -> Proof {
        let found = raw.decode().bg_checksum.get();
        let computed = if self.features.has(feature::METADATA_CSUM) {
            self.seed.group(nr, raw.0)
        } else if self.features.has(feature::GDT_CSUM) {
            checksum::group_crc16(&self.uuid, nr, raw.0)
        } else {
            return Proof::None;
        };
        if found == computed { Proof::Proved } else { Proof::Refuted { found, computed } }
    }

    /// True where blocks of metadata have checksums.
    pub fn has_checksums(&self) -> bool {
        self.features.has(feature::METADATA_CSUM)
    }

    /// Blocks of one group's inode table.
    pub fn inode_table_blocks(&self) -> u64 {
        (u64::from(self.inodes_per_group) * u64::from(self.inode_size)).div_ceil(self.block_size.into())
    }

    /// Blocks that one group's inode table is known to take.
    pub fn known_table_blocks(&self, group: &Group) -> u64 {
        let inodes = if self.inferred { group.inodes_used } else { self.inodes_per_group };
        (u64::from(inodes) * u64::from(self.inode_size)).div_ceil(self.block_size.into())
    }

    /// First block of a group.
    pub fn group_start(&self, nr: GroupNr) -> BlockNr {
        BlockNr(self.first_data_block + u64::from(nr.0) * u64::from(self.blocks_per_group))
    }

    /// Blocks of a group: fewer in the last one.
    pub fn group_blocks(&self, nr: GroupNr) -> u32 {
        let left = self.blocks.saturating_sub(self.group_start(nr).0);
        // At most a u32, by the minimum.
        left.min(self.blocks_per_group.into()) as u32
    }

    /// The group that a block is in.
    pub fn group_of_block(&self, block: BlockNr) -> GroupNr {
        let nr = block.0.saturating_sub(self.first_data_block) / u64::from(self.blocks_per_group);
        GroupNr(u32::try_from(nr).unwrap_or(u32::MAX))
    }

    /// The group that an inode is in, and its place among the group's inodes. `nr` is not 0.
    pub fn group_of_inode(&self, nr: InodeNr) -> (GroupNr, u32) {
        let index = nr.0.saturating_sub(1);
        (GroupNr(index / self.inodes_per_group), index % self.inodes_per_group)
    }

    /// The inode at a place of a group.
    pub fn inode_at(&self, group: GroupNr, index: u32) -> InodeNr {
        InodeNr(group.0.saturating_mul(self.inodes_per_group).saturating_add(index).saturating_add(1))
    }

    /// Where an inode lies on the volume, in bytes; `None` where its group's table is not known.
    pub fn inode_offset(&self, nr: InodeNr) -> Option<u64> {
        let (group, index) = self.group_of_inode(self.inode(nr.0)?);
        let table = self.groups.get(group.0 as usize)?.inode_table?;
        Some(self.offset(table) + u64::from(index) * u64::from(self.inode_size))
    }

    /// A number that can be an inode's on this volume.
    pub fn inode(&self, nr: u32) -> Option<InodeNr> {
        (nr != 0 && nr <= self.inodes).then_some(InodeNr(nr))
    }

    /// A number that can be a block's on this volume and is none of the first data block's predecessors.
    pub fn block(&self, nr: u64) -> Option<BlockNr> {
        (nr != 0 && nr >= self.first_data_block && nr < self.blocks).then_some(BlockNr(nr))
    }

    /// The first of `count` blocks that all lie on this volume.
    pub fn blocks_on_volume(&self, start: u64, count: u64) -> Option<BlockNr> {
        let end = start.checked_add(count)?;
        (end <= self.blocks).then(|| self.block(start)).flatten()
    }

    /// Which blocks there are, in words.
    pub fn block_range(&self) -> String {
        format!("{} to {}", self.first_data_block, self.blocks - 1)
    }

    /// Where a block begins on the volume, in bytes. Blocks of the volume never overflow.
    pub fn offset(&self, block: BlockNr) -> u64 {
        block.0.saturating_mul(self.block_size.into())
    }

    /// Bytes of the volume.
    pub fn len(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size.into())
    }

    /// Largest size a file with extents, or with block pointers, can have.
    pub fn max_file_size(&self, extents: bool) -> u64 {
        let block = u64::from(self.block_size);
        if extents {
            return u64::from(u32::MAX) * block;
        }
        let pointers = block / 4;
        let blocks = 12 + pointers + pointers * pointers + pointers * pointers * pointers;
        blocks.min(u32::MAX.into()).saturating_mul(block)
    }

    /// Entries of an extent node in a block of its own.
    pub fn extents_per_block(&self) -> usize {
        (self.block_size as usize - extent::ENTRY_SIZE) / extent::ENTRY_SIZE
    }

    /// Descriptors in a block.
    pub fn descriptors_per_block(&self) -> u32 {
        self.block_size / self.descriptor_size
    }

    /// Blocks that all descriptors take.
    pub fn descriptor_blocks(&self) -> u32 {
        self.group_count().div_ceil(self.descriptors_per_block())
    }

    /// True if the group holds a copy of the superblock.
    pub fn has_superblock(&self, nr: GroupNr) -> bool {
        let nr = nr.0;
        if nr == 0 {
            return true;
        }
        if self.features.has(feature::SPARSE_SUPER2) {
            return self.backup_groups.contains(&nr);
        }
        nr == 1 || !self.features.has(feature::SPARSE_SUPER) || [3, 5, 7].iter().any(|&base| is_power(nr, base))
    }

    /// Blocks at a group's start before its bitmaps: the copy of the superblock, the descriptors, and `reserved` for
    /// more of them.
    pub fn overhead(&self, nr: GroupNr, reserved: u16) -> u64 {
        let superblock = u64::from(self.has_superblock(nr));
        if !self.features.has(feature::META_BG) {
            return superblock * (1 + u64::from(self.descriptor_blocks()) + u64::from(reserved));
        }
        let holds = |copy| {
            let index = nr.0 / self.descriptors_per_block();
            self.descriptor_block(index, copy).is_some_and(|block| self.group_of_block(block) == nr)
        };
        let descriptors = [Copy::Primary, Copy::MetaSecond, Copy::MetaLast].into_iter().any(holds);
        superblock + u64::from(descriptors)
    }

    /// Where a block of the descriptors lies; `None` where that copy has none of this index. `index` counts blocks of
    /// descriptors.
    pub fn descriptor_block(&self, index: u32, copy: Copy) -> Option<BlockNr> {
        if !self.features.has(feature::META_BG) || index < self.first_meta_bg {
            let superblock = match copy {
                Copy::Primary => superblock::OFFSET / u64::from(self.block_size),
                Copy::Backup(nr) if self.has_superblock(nr) && nr.0 != 0 => self.group_start(nr).0,
                _ => return None,
            };
            return self.block(superblock + 1 + u64::from(index));
        }
        let per_block = self.descriptors_per_block();
        let first = index.checked_mul(per_block)?;
        let group = match copy {
            Copy::Primary => first,
            Copy::MetaSecond if per_block > 1 => first.checked_add(1)?,
            Copy::MetaLast if per_block > 2 => first.checked_add(per_block - 1)?,
            _ => return None,
        };
        if group >= self.group_count() {
            return None;
        }
        // Clustered 1 KiB blocks: the superblock is in block 1 of a group 0 that begins at block 0.
        let shifted = group == 0 && self.block_size == 1024 && self.first_data_block == 0;
        let start = self.group_start(GroupNr(group)).0;
        self.block(start + u64::from(self.has_superblock(GroupNr(group))) + u64::from(shifted))
    }
}

/// What a checksum says of a structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// There is none.
    None,
    /// It is right.
    Proved,
    /// It is wrong.
    Refuted {
        /// The checksum on the disk.
        found: u16,
        /// That of the bytes.
        computed: u16,
    },
}

/// The bytes of a group descriptor: as many as the geometry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawDescriptor<'b>(pub &'b [u8]);

impl RawDescriptor<'_> {
    /// Its fields; those that a descriptor of 32 bytes has not are 0.
    pub fn decode(self) -> GroupDescriptor {
        padded(self.0)
    }
}

fn block_size(sb: &Superblock) -> Result<u32, Unfit> {
    let size = 1024u32.checked_shl(sb.s_log_block_size.get()).unwrap_or(0);
    if !(1024..=MAX_BLOCK_SIZE).contains(&size) {
        return Err(Unfit("impossible block size"));
    }
    Ok(size)
}

fn cluster_blocks(sb: &Superblock, features: Features, block_size: u32) -> Result<u32, Unfit> {
    if !features.has(feature::BIGALLOC) {
        return Ok(1);
    }
    match 1024u32.checked_shl(sb.s_log_cluster_size.get()) {
        Some(size) if size >= block_size && sb.s_log_cluster_size.get() <= 20 => Ok(size / block_size),
        _ => Err(Unfit("impossible cluster size")),
    }
}

fn blocks_count(sb: &Superblock, features: Features) -> Result<u64, Unfit> {
    let lo = u64::from(sb.s_blocks_count_lo.get());
    let blocks = if features.has(feature::BIT64) { join(sb.s_blocks_count_hi, sb.s_blocks_count_lo) } else { lo };
    if blocks > MAX_BLOCKS {
        return Err(Unfit("impossible number of blocks"));
    }
    Ok(blocks)
}

fn blocks_per_group(sb: &Superblock, features: Features, block_size: u32, cluster_blocks: u32) -> Result<u32, Unfit> {
    let bigalloc = features.has(feature::BIGALLOC);
    let clusters = if bigalloc { sb.s_clusters_per_group.get() } else { sb.s_blocks_per_group.get() };
    if clusters == 0 || clusters > block_size * 8 || clusters % 8 != 0 {
        return Err(Unfit("impossible number of blocks in a group"));
    }
    clusters.checked_mul(cluster_blocks).ok_or(Unfit("impossible number of blocks in a group"))
}

fn inode_size(sb: &Superblock, block_size: u32) -> Result<(u32, u32), Unfit> {
    if sb.s_rev_level.get() < DYNAMIC_REV {
        return Ok((GOOD_OLD_INODE_SIZE.into(), GOOD_OLD_FIRST_INO));
    }
    let size = u32::from(sb.s_inode_size.get());
    if !size.is_power_of_two() || size < u32::from(GOOD_OLD_INODE_SIZE) || size > block_size {
        return Err(Unfit("impossible inode size"));
    }
    // Numbers up to the tenth are reserved by their meaning; a superblock can only reserve more.
    let first = sb.s_first_ino.get();
    let plausible = first >= GOOD_OLD_FIRST_INO && first <= sb.s_inodes_per_group.get();
    Ok((size, if plausible { first } else { GOOD_OLD_FIRST_INO }))
}

fn extra_isize(sb: &Superblock, inode_size: u32) -> u16 {
    let room = inode_size - u32::from(GOOD_OLD_INODE_SIZE);
    let want = sb.s_want_extra_isize.get();
    if want >= 4 && want.is_multiple_of(4) && u32::from(want) <= room { want } else { 32.min(room) as u16 }
}

fn descriptor_size(sb: &Superblock, features: Features, block_size: u32) -> u32 {
    if !features.has(feature::BIT64) {
        return SIZE_32 as u32;
    }
    let size = u32::from(sb.s_desc_size.get());
    if size.is_power_of_two() && (SIZE_64 as u32..=block_size).contains(&size) { size } else { SIZE_64 as u32 }
}

/// The text of a fixed field: up to the first NUL.
pub fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|&b| b == 0).unwrap_or(field.len())]
}

fn is_power(mut nr: u32, base: u32) -> bool {
    while nr > 1 && nr.is_multiple_of(base) {
        nr /= base;
    }
    nr == 1
}
