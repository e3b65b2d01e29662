//! What every pass stands on: the superblock and descriptors that are used, the numbers that follow from them, and
//! reading by block. Read-only and shared by all threads.

use crate::bytes::{Span, Spans};
use crate::source::{Source, SourceGone};

use super::super::checksum::Seed;
use super::super::disk::group::{GroupDescriptor, SIZE_32, SIZE_64, flags};
use super::super::disk::superblock::{DYNAMIC_REV, GOOD_OLD_FIRST_INO, GOOD_OLD_INODE_SIZE, Superblock, join};
use super::super::disk::{inode::Inode, padded};
use super::super::feature::{
    BIGALLOC, BIT64, FLEX_BG, Feature, Features, GDT_CSUM, META_BG, METADATA_CSUM, RESIZE_INODE, SPARSE_SUPER,
    SPARSE_SUPER2,
};
use super::super::number::{GroupNr, InodeNr};

/// A volume whose superblock was found usable.
pub struct Volume {
    /// The bytes, as they are after the journal was replayed.
    pub source: Source,
    pub sb: Superblock,
    pub features: Features,
    /// Bytes.
    pub block_size: u64,
    pub first_data_block: u64,
    /// Blocks of the volume, and the first that is none.
    pub blocks: u64,
    pub blocks_per_group: u64,
    /// Blocks of a cluster.
    pub cluster_ratio: u64,
    pub inodes: u32,
    pub inodes_per_group: u32,
    /// Bytes of an inode's record.
    pub inode_size: usize,
    /// The first inode that is not reserved.
    pub first_inode: u32,
    pub groups: u32,
    /// Bytes of a group's descriptor.
    pub descriptor_size: usize,
    pub descriptors: Vec<GroupDescriptor>,
    pub seed: Seed,
}

impl Volume {
    /// Takes the numbers from a superblock that [`super::superblock::usable`] let pass. Descriptors come later.
    pub fn of(source: Source, sb: Superblock) -> Self {
        let features = Features::of(&sb);
        let block_size = 1024u64 << sb.s_log_block_size.get();
        let blocks = match features.has(BIT64) {
            true => join(sb.s_blocks_count_hi, sb.s_blocks_count_lo),
            false => sb.s_blocks_count_lo.get().into(),
        };
        let first_data_block = u64::from(sb.s_first_data_block.get());
        let blocks_per_group = u64::from(sb.s_blocks_per_group.get());
        let dynamic = sb.s_rev_level.get() >= DYNAMIC_REV;
        let cluster_bits = sb.s_log_cluster_size.get().saturating_sub(sb.s_log_block_size.get());
        let groups = blocks.saturating_sub(first_data_block).div_ceil(blocks_per_group.max(1));
        let descriptor_size = match (features.has(BIT64), usize::from(sb.s_desc_size.get())) {
            (false, _) | (true, 0) => SIZE_32,
            (true, size) => size.max(SIZE_64),
        };
        Volume {
            source,
            features,
            block_size,
            first_data_block,
            blocks,
            blocks_per_group,
            cluster_ratio: if features.has(BIGALLOC) { 1 << cluster_bits.min(30) } else { 1 },
            inodes: sb.s_inodes_count.get(),
            inodes_per_group: sb.s_inodes_per_group.get(),
            inode_size: if dynamic { sb.s_inode_size.get() } else { GOOD_OLD_INODE_SIZE }.into(),
            first_inode: if dynamic { sb.s_first_ino.get() } else { GOOD_OLD_FIRST_INO },
            groups: u32::try_from(groups).unwrap_or(u32::MAX),
            descriptor_size,
            descriptors: Vec::new(),
            seed: Seed::of(&sb),
            sb,
        }
    }

    pub fn has(&self, feature: Feature) -> bool {
        self.features.has(feature)
    }

    /// True where group descriptors have a checksum, and with it the marks of what was never initialised.
    pub fn has_group_checksums(&self) -> bool {
        self.has(GDT_CSUM) || self.has(METADATA_CSUM)
    }

    /// Reads at a byte offset; what is unreadable is zero. True if all was readable.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<bool, SourceGone> {
        let mut lost = Spans::new();
        self.source.read(offset, buf, &mut lost)?;
        Ok(lost.is_empty())
    }

    /// The same, and which bytes were unreadable.
    pub fn read_what_is_there(&self, offset: u64, buf: &mut [u8]) -> Result<Spans, SourceGone> {
        let mut lost = Spans::new();
        self.source.read(offset, buf, &mut lost)?;
        Ok(lost)
    }

    /// Reads a block into `buf`, which is made to fit; false if some of it is unreadable.
    pub fn read_block(&self, block: u64, buf: &mut Vec<u8>) -> Result<bool, SourceGone> {
        buf.resize(self.block_size as usize, 0);
        self.read(block.saturating_mul(self.block_size), buf)
    }

    /// True for a block of the volume that files may use.
    pub fn is_block(&self, block: u64) -> bool {
        (self.first_data_block..self.blocks).contains(&block)
    }

    /// The bytes of a block.
    pub fn span(&self, block: u64) -> Span {
        Span::new(block.saturating_mul(self.block_size), self.block_size)
    }

    /// The group of an inode. `inode` is at least 1.
    pub fn group_of_inode(&self, inode: u32) -> u32 {
        (inode - 1) / self.inodes_per_group
    }

    /// First block of a group.
    pub fn group_start(&self, group: u32) -> u64 {
        self.first_data_block + u64::from(group) * self.blocks_per_group
    }

    /// One past the last block of a group.
    pub fn group_end(&self, group: u32) -> u64 {
        (self.group_start(group) + self.blocks_per_group).min(self.blocks)
    }

    /// Blocks of a group's inode table.
    pub fn itable_blocks(&self) -> u64 {
        (u64::from(self.inodes_per_group) * self.inode_size as u64).div_ceil(self.block_size)
    }

    /// Entries of a block of block numbers.
    pub fn addresses(&self) -> u64 {
        self.block_size / 4
    }

    /// Descriptors in a block.
    pub fn descriptors_per_block(&self) -> u64 {
        (self.block_size / self.descriptor_size as u64).max(1)
    }

    /// Blocks that all descriptors take.
    pub fn descriptor_blocks(&self) -> u64 {
        u64::from(self.groups).div_ceil(self.descriptors_per_block())
    }

    /// Descriptor blocks that lie together behind each superblock; those behind them lie in meta block groups.
    pub fn old_descriptor_blocks(&self) -> u64 {
        match self.has(META_BG) {
            true => u64::from(self.sb.s_first_meta_bg.get()).min(self.descriptor_blocks()),
            false => self.descriptor_blocks(),
        }
    }

    /// True for the groups that begin with a superblock.
    pub fn has_superblock(&self, group: u32) -> bool {
        if group == 0 {
            return true;
        }
        if self.has(SPARSE_SUPER2) {
            return self.sb.s_backup_bgs.iter().any(|nr| nr.get() == group);
        }
        if group == 1 || !self.has(SPARSE_SUPER) {
            return true;
        }
        [3, 5, 7].into_iter().any(|base| is_power(group, base))
    }

    /// Where the descriptor block `index` lies, in the copy that begins with group `copy` (0 for the primary).
    pub fn descriptor_block(&self, index: u64, copy: u32) -> u64 {
        if index < self.old_descriptor_blocks() {
            let boot = u64::from(copy == 0 && self.block_size == 1024 && self.first_data_block == 0);
            return self.group_start(copy) + 1 + boot + index;
        }
        let per = self.descriptors_per_block();
        let mut group = (index * per).min(u64::from(u32::MAX)) as u32;
        // With a backup superblock, the copy in the second group of the meta group.
        if copy > 0 && group.saturating_add(1) < self.groups {
            group += 1;
        }
        let has_super = self.has_superblock(group);
        // The first block of a volume of 1 KiB blocks counted from 0 is the boot sector's.
        let boot = u64::from(group == 0 && self.block_size == 1024 && self.first_data_block == 0);
        self.group_start(group) + u64::from(has_super) + boot
    }

    /// The blocks at a group's start that hold superblock and descriptors: the superblock, descriptors or their copy,
    /// and those kept for growing.
    pub fn reserved_in_group(&self, group: u32) -> Vec<(u64, u64)> {
        let start = self.group_start(group);
        let mut list = Vec::new();
        let old = self.old_descriptor_blocks();
        let per_meta = self.descriptors_per_block();
        let meta_group = u64::from(group) / per_meta;
        let has_super = self.has_superblock(group);
        let boot = u64::from(group == 0 && self.block_size == 1024 && self.first_data_block == 0);
        if has_super {
            list.push((start, 1 + boot));
        }
        if !self.has(META_BG) || meta_group < old {
            if has_super {
                let kept =
                    if self.has(RESIZE_INODE) || !self.has(META_BG) { self.sb.s_reserved_gdt_blocks.get() } else { 0 };
                list.push((start + 1 + boot, old + u64::from(kept)));
            }
        } else {
            let first = meta_group * per_meta;
            let within = u64::from(group) - first;
            if within == 0 || within == 1 || within == per_meta - 1 {
                list.push((start + u64::from(has_super) + boot, 1));
            }
        }
        list
    }

    /// Reads all descriptors, in the copy that begins with group `copy`.
    pub fn load_descriptors(&mut self, copy: u32) -> Result<(), SourceGone> {
        let (size, per) = (self.descriptor_size, self.descriptors_per_block() as usize);
        let mut all = Vec::with_capacity(self.groups as usize);
        let mut buf = Vec::new();
        for index in 0..self.descriptor_blocks() {
            self.read_block(self.descriptor_block(index, copy), &mut buf)?;
            let left = self.groups as usize - all.len();
            all.extend(
                buf.chunks_exact(size)
                    .take(per.min(left))
                    .map(|raw| padded::<GroupDescriptor>(&raw[..size.min(SIZE_64)])),
            );
        }
        if copy > 0 && self.has_group_checksums() {
            // A copy may be older than the groups: what it calls untouched may be in use by now.
            for descriptor in &mut all {
                descriptor.bg_flags.set(descriptor.bg_flags.get() & !(flags::INODE_UNINIT | flags::BLOCK_UNINIT));
                descriptor.bg_itable_unused_lo.set(0);
                descriptor.bg_itable_unused_hi.set(0);
            }
        }
        self.descriptors = all;
        Ok(())
    }

    /// The bytes of one descriptor, as its checksum covers them.
    pub fn descriptor_bytes(&self, group: u32, copy: u32) -> Result<Vec<u8>, SourceGone> {
        let (size, per) = (self.descriptor_size, self.descriptors_per_block());
        let block = self.descriptor_block(u64::from(group) / per, copy);
        let mut raw = vec![0; size];
        self.read(block * self.block_size + u64::from(group) % per * size as u64, &mut raw)?;
        Ok(raw)
    }

    /// Inodes of a group's table that may be in use; what lies behind was never initialised.
    pub fn inodes_to_scan(&self, group: u32) -> u32 {
        let Some(descriptor) = self.descriptors.get(group as usize) else { return 0 };
        if !self.has_group_checksums() {
            return self.inodes_per_group;
        }
        if descriptor.bg_flags.get() & flags::INODE_UNINIT != 0 {
            return 0;
        }
        self.inodes_per_group.checked_sub(self.itable_unused(group)).unwrap_or(self.inodes_per_group)
    }

    /// Unused inodes at the end of a group's table, as its descriptor says.
    pub fn itable_unused(&self, group: u32) -> u32 {
        let descriptor = &self.descriptors[group as usize];
        self.wide(descriptor.itable_unused(), descriptor.bg_itable_unused_lo.get())
    }

    /// A count of a descriptor: both halves where descriptors have two.
    pub fn wide(&self, both: u32, low: u16) -> u32 {
        if self.descriptor_size >= SIZE_64 { both } else { low.into() }
    }

    /// Where an inode's record lies, in bytes.
    pub fn inode_offset(&self, inode: InodeNr) -> Option<u64> {
        if inode.0 == 0 || inode.0 > self.inodes || self.inodes_per_group == 0 {
            return None;
        }
        let table = self.itable(self.group_of_inode(inode.0))?;
        let within = u64::from((inode.0 - 1) % self.inodes_per_group) * self.inode_size as u64;
        table.checked_mul(self.block_size)?.checked_add(within)
    }

    /// First block of a group's inode table; `None` where the descriptor has none that can be.
    pub fn itable(&self, group: u32) -> Option<u64> {
        let descriptor = self.descriptors.get(group as usize)?;
        let table = self.wide_block(descriptor.inode_table(), descriptor.bg_inode_table_lo.get());
        (table != 0 && table.checked_add(self.itable_blocks())? <= self.blocks).then_some(table)
    }

    /// A block number of a descriptor: both halves where descriptors have two.
    pub fn wide_block(&self, both: u64, low: u32) -> u64 {
        if self.descriptor_size >= SIZE_64 { both } else { low.into() }
    }

    /// Block of a group's block bitmap, as its descriptor says.
    pub fn block_bitmap(&self, group: u32) -> u64 {
        let descriptor = &self.descriptors[group as usize];
        self.wide_block(descriptor.block_bitmap(), descriptor.bg_block_bitmap_lo.get())
    }

    /// Block of a group's inode bitmap, as its descriptor says.
    pub fn inode_bitmap(&self, group: u32) -> u64 {
        let descriptor = &self.descriptors[group as usize];
        self.wide_block(descriptor.inode_bitmap(), descriptor.bg_inode_bitmap_lo.get())
    }

    /// Block of a group's inode table, as its descriptor says.
    pub fn inode_table(&self, group: u32) -> u64 {
        let descriptor = &self.descriptors[group as usize];
        self.wide_block(descriptor.inode_table(), descriptor.bg_inode_table_lo.get())
    }

    /// A group's number, as checksums take it.
    pub fn group_nr(group: u32) -> GroupNr {
        GroupNr(group)
    }

    /// Reads one inode's record.
    pub fn inode(&self, nr: InodeNr) -> Result<Option<Record>, SourceGone> {
        let Some(offset) = self.inode_offset(nr) else { return Ok(None) };
        let mut raw = vec![0; self.inode_size];
        self.read(offset, &mut raw)?;
        Ok(Some(Record::of(nr, &raw)))
    }
}

/// An inode with its number and all bytes of its record.
#[derive(Clone)]
pub struct Record {
    pub nr: InodeNr,
    pub inode: Inode,
    pub raw: Vec<u8>,
}

impl Record {
    pub fn of(nr: InodeNr, raw: &[u8]) -> Self {
        Record { nr, inode: padded(raw), raw: raw.to_vec() }
    }
}

/// True if `number` is a power of `base`, 1 among them.
fn is_power(mut number: u32, base: u32) -> bool {
    while number > 1 && number.is_multiple_of(base) {
        number /= base;
    }
    number == 1
}

/// True with flexible groups, whose bitmaps and tables may lie in any group.
pub fn is_flexible(volume: &Volume) -> bool {
    volume.has(FLEX_BG)
}
