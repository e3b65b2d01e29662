//! Pass 1, the blocks of one inode: claimed, counted, and held against its size.
//!
//! Tests: what the map names, the counts of blocks, the size. Needs: the inode and its judged attributes. Leaves: blocks
//! marked in use, and a directory's blocks for pass 2.

use std::collections::BTreeSet;
use std::ops::Range;

use super::codes;
use super::extents::{self, Shape, Visitor, header_of};
use super::inode::is_fast_symlink;
use super::inodes::{DirBlock, Gathered, Shared};
use super::special::Role;
use super::volume::{Record, Volume};
use super::xattrs::Attributes;
use super::{hashed_root, indirect, optimize, resize};
use crate::bytes::le32;
use crate::finding::{Code, Cost, Finding, Place};
use crate::node::Kind;
use crate::source::SourceGone;

use super::super::disk::inode::{I_BLOCK_SIZE, flags};
use super::super::feature::{BIGALLOC, DIR_PREALLOC, EXTENTS, HUGE_FILE, LARGE_DIR};
use super::super::number::InodeNr;

/// Illegal block numbers after which a map is not believed any more.
const TOO_MANY: u64 = 12;

/// Whose blocks are checked.
#[derive(Clone, Copy)]
pub struct Owner {
    role: Option<Role>,
    /// The inode has a block of attributes that counts.
    attribute_block: bool,
}

impl Owner {
    pub fn special(role: Role) -> Self {
        Owner { role: Some(role), attribute_block: false }
    }

    pub fn file(attribute_block: bool) -> Self {
        Owner { role: None, attribute_block }
    }
}

/// True if an inode of this kind has blocks that are mapped.
pub fn has_map(record: &Record) -> bool {
    let kind = Kind::from_mode(record.inode.i_mode.get().into());
    !record.inode.has(flags::INLINE_DATA)
        && (matches!(kind, Kind::File | Kind::Directory)
            || kind == Kind::Symlink && !is_fast_symlink(record) && record.inode.blocks() != 0)
}

/// Tells `visitor` every block of an inode, by whichever map it has.
pub fn walk<V: Visitor>(volume: &Volume, record: &Record, visitor: &mut V) -> Result<Shape, SourceGone> {
    if record.inode.has(flags::EXTENTS) && volume.has(EXTENTS) {
        return extents::walk(volume, record, visitor);
    }
    indirect::walk(volume, record, visitor)?;
    Ok(Shape::default())
}

/// The first block of a file, whether or not it can be one; `None` where its map does not lead there for certain.
pub fn first_block(volume: &Volume, record: &Record) -> Result<Option<u64>, SourceGone> {
    struct First {
        block: Option<u64>,
        /// A node on the way has a wrong checksum: no repair follows it.
        unproved: bool,
    }
    impl Visitor for First {
        fn map_block(&mut self, _: u64) {}
        fn data(&mut self, logical: u64, block: u64, _: u64, _: bool) -> bool {
            if logical == 0 {
                self.block = Some(block);
            }
            false
        }
        fn unproved_node(&mut self) {
            self.unproved = true;
        }
        fn problem(&mut self, _: Code, _: u64, _: Range<u64>, _: &dyn Fn() -> String) {}
        fn is_critical(&mut self, _: u64, _: Range<u64>) -> bool {
            false
        }
    }
    let mut first = First { block: None, unproved: false };
    walk(volume, record, &mut first)?;
    Ok(first.block.filter(|_| !first.unproved))
}

/// Checks the blocks of one inode.
pub fn check(
    shared: &Shared<'_>,
    gathered: &mut Gathered,
    record: &Record,
    owner: Owner,
    attributes: &Attributes,
) -> Result<(), SourceGone> {
    let volume = shared.volume;
    let is_dir = Kind::from_mode(record.inode.i_mode.get().into()) == Kind::Directory && owner.role.is_none();
    let mut claims = Claims::new(shared, gathered, record, owner, is_dir);
    let mapped = has_map(record);
    if let Some(count) = shared.resize_blocks.filter(|_| owner.role == Some(Role::Resize)) {
        claims.claim_known(count);
        return claims.finish(attributes, mapped);
    }
    if mapped {
        if record.inode.has(flags::EXTENTS) && volume.has(EXTENTS) && header_of(&record.inode.i_block).is_none() {
            claims.lose(codes::EXTENT_ROOT, String::new());
            return claims.finish(attributes, mapped);
        }
        if owner.role.is_none() && volume.has(BIGALLOC) && !record.inode.has(flags::EXTENTS) && has_any_block(record) {
            claims.lose(codes::BLOCK_MAP_WITH_CLUSTERS, String::new());
        }
        let shape = walk(volume, record, &mut claims)?;
        if claims.illegal >= TOO_MANY {
            claims.too_many_illegal();
        }
        for code in optimize::judge(volume, &shape, claims.wrong) {
            claims.note(code, Default::default);
        }
    }
    claims.finish(attributes, mapped)
}

fn has_any_block(record: &Record) -> bool {
    record.inode.i_block.iter().any(|&byte| byte != 0)
}

/// Claims the blocks that a map names, and gathers what sizes and counts are held against.
struct Claims<'a, 'g> {
    shared: &'a Shared<'a>,
    gathered: &'g mut Gathered,
    record: &'a Record,
    owner: Owner,
    is_dir: bool,
    /// Blocks in use, rounded up to clusters.
    count: u64,
    /// The last block of the file that is mapped.
    last: Option<u64>,
    /// The last that is not marked as unwritten.
    last_written: Option<u64>,
    /// Next block of a directory to be expected.
    next: u64,
    illegal: u64,
    /// How many of them e2fsck counts, where it does not get past this map.
    counted_by_e2fsck: Option<u64>,
    /// Something is wrong with the map, beyond a node that is none.
    wrong: bool,
    /// Cluster that was counted last.
    cluster: Option<u64>,
    /// Codes under which the file is counted already.
    counted: BTreeSet<Code>,
}

impl<'a, 'g> Claims<'a, 'g> {
    fn new(shared: &'a Shared<'a>, gathered: &'g mut Gathered, record: &'a Record, owner: Owner, is_dir: bool) -> Self {
        Claims {
            shared,
            gathered,
            record,
            owner,
            is_dir,
            count: 0,
            last: None,
            last_written: None,
            next: 0,
            illegal: 0,
            counted_by_e2fsck: None,
            wrong: false,
            cluster: None,
            counted: BTreeSet::new(),
        }
    }

    fn note(&mut self, code: Code, facts: impl FnOnce() -> (String, String)) {
        self.gathered.note(code, self.record.nr.0, facts);
    }

    /// Notes what makes a repair throw the whole file away.
    fn lose(&mut self, code: Code, found: String) {
        let cost = self.cost(code, 0..self.shared.volume.blocks);
        self.gathered.log.note_costing(code, Place::inode(self.record.nr.0.into()), cost, || (found, String::new()));
    }

    /// Notes that the map is not believed any more; e2fsck may have given up before it counted so far.
    fn too_many_illegal(&mut self) {
        let (code, found) = (codes::TOO_MANY_ILLEGAL, self.illegal.to_string());
        let Cost { files, bytes } = self.cost(code, 0..self.shared.volume.blocks);
        let finding = Finding::new(code, Place::inode(self.record.nr.0.into()), found, "").costing(files, bytes);
        let unreached = self.counted_by_e2fsck.is_some_and(|counted| counted < TOO_MANY);
        self.gathered.log.add(Finding { unreached, ..finding });
    }

    /// What it costs that part of the file's map is wrong; the file counts once under each code.
    fn cost(&mut self, code: Code, part: Range<u64>) -> Cost {
        if self.owner.role.is_some() {
            return Cost::default();
        }
        let byte = |block: u64| block.saturating_mul(self.shared.volume.block_size).min(self.record.inode.size());
        let bytes = byte(part.end).saturating_sub(byte(part.start));
        Cost { files: self.counted.insert(code).into(), bytes }
    }

    fn claim(&mut self, block: u64, len: u64) {
        let found = self.shared.found;
        found.blocks.claim(block, block + len, &found.twice);
    }

    /// The blocks of the inode for growing, which were looked at before: of them only the list is no metadata.
    fn claim_known(&mut self, count: u64) {
        let list = le32(&self.record.inode.i_block, resize::DOUBLE * 4).unwrap_or_default();
        self.claim(list.into(), 1);
        self.count = count * self.shared.volume.cluster_ratio;
    }

    /// Counts blocks as clusters are allocated.
    fn count(&mut self, logical: u64, block: u64, len: u64) {
        let ratio = self.shared.volume.cluster_ratio;
        if ratio == 1 {
            self.count += len;
            return;
        }
        if self.owner.role == Some(Role::Resize) {
            // What is kept for growing lies where descriptors will, whatever the clusters; each block counts as one.
            self.count += len * ratio;
            return;
        }
        for i in 0..len {
            let cluster = (block + i) / ratio;
            if self.cluster != Some(cluster) {
                self.count += ratio;
                self.cluster = Some(cluster);
            }
            if (logical + i) % ratio != (block + i) % ratio {
                let at = logical + i;
                self.shared.found.twice.set(block + i);
                self.note(codes::MISALIGNED_CLUSTER, || {
                    (format!("file block {at} at block {}", block + i), String::new())
                });
                break;
            }
        }
    }

    /// Lists blocks of a directory, and the holes before them.
    fn list(&mut self, logical: u64, block: u64, len: u64) {
        let dir = self.record.nr.0;
        // A directory's size bounds what is believed: a hole of four billion blocks is none.
        let holes = logical.saturating_sub(self.next).min(1 << 16);
        for i in 0..holes {
            self.gathered.dir_blocks.push(DirBlock { block: 0, dir, logical: (self.next + i) as u32, inline: false });
        }
        for i in 0..len {
            self.gathered.dir_blocks.push(DirBlock {
                block: block + i,
                dir,
                logical: (logical + i) as u32,
                inline: false,
            });
        }
        self.next = logical + len;
    }

    fn finish(mut self, attributes: &Attributes, mapped: bool) -> Result<(), SourceGone> {
        let volume = self.shared.volume;
        if self.is_dir && self.record.inode.has(flags::INLINE_DATA) {
            let dir = self.record.nr.0;
            self.gathered.dir_blocks.push(DirBlock { block: 0, dir, logical: 0, inline: true });
        }
        if self.owner.role.is_none() && self.record.inode.has(flags::INDEX) {
            self.hashed()?;
        }
        if self.is_dir && self.count == 0 && !self.record.inode.has(flags::INLINE_DATA) {
            self.note(codes::DIRECTORY_EMPTY, Default::default);
        }
        if !matches!(self.owner.role, Some(Role::Resize | Role::BadBlocks)) {
            self.size(attributes, mapped);
        }
        self.blocks_count(attributes);
        if self.owner.role.is_none() && !self.record.inode.has(flags::EA_INODE) {
            let bytes = self.count * volume.block_size + attributes.value_bytes;
            let block = if self.owner.attribute_block { volume.block_size } else { 0 };
            self.gathered.usage.add(&self.record.inode, bytes + block);
        }
        Ok(())
    }

    fn hashed(&mut self) -> Result<(), SourceGone> {
        let problems = hashed_root::judge(self.shared.volume, self.record)?;
        if problems.iter().any(|(code, _)| *code == codes::HASH_DEPTH) {
            self.gathered.large_directories |= hashed_root::asks_for_large_dir(self.shared.volume, self.record)?;
        }
        for (code, found) in problems {
            self.note(code, || (found, String::new()));
        }
        if self.is_dir {
            self.gathered.hashed.insert(self.record.nr.0, self.last.map_or(0, |last| last + 1));
        }
        Ok(())
    }

    fn size(&mut self, attributes: &Attributes, mapped: bool) {
        let (volume, inode) = (self.shared.volume, &self.record.inode);
        let size = inode.size();
        let mapped_size = self.last.map_or(0, |last| (last + 1) * volume.block_size);
        let expected = if self.is_dir {
            self.directory_size(attributes, mapped_size)
        } else {
            self.file_size(mapped_size, mapped)
        };
        if let Some(expected) = expected {
            let cost = Cost { files: 1, bytes: size.abs_diff(expected).min(volume.blocks * volume.block_size) };
            let place = Place::inode(self.record.nr.0.into());
            let facts = || (size.to_string(), expected.to_string());
            self.gathered.log.note_costing(codes::SIZE, place, cost, facts);
        }
        let large = |size: u64| size > 0x7FFF_FFFF;
        if self.is_dir && large(if volume.has(LARGE_DIR) { size } else { inode.i_size_lo.get().into() }) {
            self.gathered.large_directories = true;
        } else if !self.is_dir
            && large(size)
            && self.owner.role.is_none()
            && Kind::from_mode(inode.i_mode.get().into()) == Kind::File
        {
            self.gathered.large_files = true;
        }
    }

    /// What a directory's size should be, if it is not.
    fn directory_size(&self, attributes: &Attributes, mapped: u64) -> Option<u64> {
        let (volume, inode) = (self.shared.volume, &self.record.inode);
        let size = inode.size();
        if inode.has(flags::INLINE_DATA) {
            let inline = attributes.inline.as_ref().map(|rest| (I_BLOCK_SIZE + rest.len()) as u64);
            return inline.filter(|inline| *inline != size);
        }
        // Some kernels allocated blocks of a directory ahead.
        let ahead = if volume.has(DIR_PREALLOC) { u64::from(volume.sb.s_prealloc_dir_blocks).max(1) } else { 0 };
        let blocks = size / volume.block_size;
        let mapped_blocks = mapped / volume.block_size;
        let wrong = !size.is_multiple_of(volume.block_size) || blocks > mapped_blocks || mapped_blocks - blocks > ahead;
        wrong.then_some(mapped)
    }

    /// What a file's size should be, if it is not.
    fn file_size(&self, mapped_size: u64, mapped: bool) -> Option<u64> {
        let (volume, inode) = (self.shared.volume, &self.record.inode);
        let size = inode.size();
        let written = self.last_written.map_or(0, |last| last * volume.block_size);
        // A verity file's tree of hashes lies behind its end.
        if mapped && self.last_written.is_some() && size < written && !inode.has(flags::VERITY) {
            return Some(mapped_size);
        }
        let limit = match inode.has(flags::EXTENTS) {
            true => u64::from(u32::MAX) * volume.block_size,
            false => largest_by_block_map(volume),
        };
        (size > limit).then_some(mapped_size)
    }

    fn blocks_count(&mut self, attributes: &Attributes) {
        let (volume, inode) = (self.shared.volume, &self.record.inode);
        let sectors = volume.block_size / 512;
        let cluster = volume.cluster_ratio * volume.block_size;
        let block = if self.owner.attribute_block { volume.cluster_ratio } else { 0 };
        let values = attributes.value_bytes / cluster * volume.cluster_ratio;
        let expected = (self.count + block + values) * sectors;
        let huge = volume.has(HUGE_FILE);
        let mut found = u64::from(inode.i_blocks_lo.get());
        if huge {
            found |= u64::from(inode.l_i_blocks_high.get()) << 32;
        }
        if huge && inode.has(flags::HUGE_FILE) {
            found *= sectors;
        }
        if found != expected {
            self.note(codes::BLOCKS_COUNT, || (found.to_string(), expected.to_string()));
        }
    }
}

/// The largest file that a block map can hold, which `i_blocks` may bound further.
fn largest_by_block_map(volume: &Volume) -> u64 {
    let per = volume.addresses();
    let map = indirect::DIRECT + per + per.pow(2) + per.pow(3);
    let sectors = if volume.has(HUGE_FILE) { u64::MAX } else { u64::from(u32::MAX) / (volume.block_size / 512) };
    map.min(sectors).saturating_mul(volume.block_size)
}

impl Visitor for Claims<'_, '_> {
    fn map_block(&mut self, block: u64) {
        // What is kept for growing lies among the descriptors, all but the block that lists it, which comes first.
        if self.owner.role != Some(Role::Resize) || self.count == 0 {
            self.claim(block, 1);
        }
        self.count += self.shared.volume.cluster_ratio;
    }

    fn data(&mut self, logical: u64, block: u64, len: u64, unwritten: bool) -> bool {
        if self.owner.role != Some(Role::Resize) {
            self.claim(block, len);
        }
        if self.is_dir {
            if unwritten {
                self.note(codes::DIRECTORY_UNWRITTEN, || (format!("file blocks {logical}+{len}"), String::new()));
            }
            if logical > self.next && self.record.inode.has(flags::EXTENTS) {
                let next = self.next;
                self.note(codes::DIRECTORY_GAP, || (format!("block {logical}"), format!("block {next}")));
            }
            self.list(logical, block, len);
        }
        self.count(logical, block, len);
        self.last = self.last.max(Some(logical + len - 1));
        if !unwritten {
            self.last_written = self.last_written.max(Some(logical + len - 1));
        }
        true
    }

    fn problem(&mut self, code: Code, block: u64, part: Range<u64>, found: &dyn Fn() -> String) {
        self.illegal += u64::from(code == codes::ILLEGAL_BLOCK);
        self.wrong |= code != codes::EXTENT_HEADER;
        let place = Place::inode(self.record.nr.0.into()).at_block(block);
        let cost = self.cost(code, part);
        self.gathered.log.note_costing(code, place, cost, || (found(), String::new()));
    }

    fn stops_e2fsck(&mut self) {
        let nr = self.record.nr.0;
        self.counted_by_e2fsck.get_or_insert(self.illegal);
        self.gathered.stops_at = Some(self.gathered.stops_at.map_or(nr, |before| before.min(nr)));
    }

    fn is_critical(&mut self, block: u64, part: Range<u64>) -> bool {
        let critical = self.owner.role != Some(Role::Resize) && self.shared.found.metadata.has(block);
        if critical {
            self.problem(codes::CRITICAL_BLOCK, block, part, &|| format!("block {block}"));
        }
        critical
    }
}

/// The list of bad blocks: walked before all else, for its blocks may lie under metadata.
pub fn bad_blocks(volume: &Volume) -> Result<(BTreeSet<u64>, Option<Record>), SourceGone> {
    struct List<'a>(&'a Volume, BTreeSet<u64>);
    impl Visitor for List<'_> {
        fn map_block(&mut self, _: u64) {}
        fn data(&mut self, _: u64, block: u64, len: u64, _: bool) -> bool {
            self.1.extend((block..block + len).filter(|block| self.0.is_block(*block)));
            self.1.len() < 1 << 20
        }
        fn problem(&mut self, _: Code, _: u64, _: Range<u64>, _: &dyn Fn() -> String) {}
        fn is_critical(&mut self, _: u64, _: Range<u64>) -> bool {
            false
        }
    }
    let mut list = List(volume, BTreeSet::new());
    let Some(record) = volume.inode(InodeNr::BAD_BLOCKS)? else { return Ok((BTreeSet::new(), None)) };
    if record.inode.i_block.iter().any(|&byte| byte != 0) && !record.inode.has(flags::INLINE_DATA) {
        walk(volume, &record, &mut list)?;
    }
    Ok((list.1, Some(record)))
}
