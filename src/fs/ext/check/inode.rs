//! Pass 1, one inode.
//!
//! Tests: everything that can be said of an inode by itself and its own blocks. Needs: the record, and what workers
//! share. Leaves: bits in [`super::inodes::Found`], and findings.

use std::borrow::Cow;

use super::blocks::{self, Owner};
use super::codes;
use super::extents::header_of;
use super::inodes::{Gathered, Shared, checksum_agrees, sums};
use super::special;
use super::volume::{Record, Volume};
use super::xattrs::{self, Attributes, Encryption, Problem};
use crate::bytes::le32;
use crate::finding::{Code, Cost, Place};
use crate::node::Kind;
use crate::source::SourceGone;

use super::super::disk::inode::{BASE_SIZE, I_BLOCK_SIZE, flags};
use super::super::feature::{
    BIT64, CASEFOLD, EA_INODE, EXT_ATTR, EXTENTS, HUGE_FILE, IMAGIC_INODES, INLINE_DATA, LARGE_DIR, METADATA_CSUM,
};
use super::super::number::InodeNr;

/// Judges one inode.
pub struct Judge<'a, 'g> {
    pub shared: &'a Shared<'a>,
    pub gathered: &'g mut Gathered,
    pub record: Record,
}

/// What a step says about going on.
enum Step {
    On,
    /// The inode is done, all but its checksum.
    Done,
}

impl Judge<'_, '_> {
    /// All steps, in order. `garbage`: the whole block of the table is.
    pub fn run(&mut self, garbage: bool) -> Result<(), SourceGone> {
        let volume = self.shared.volume;
        let checksum = !volume.has(METADATA_CSUM) || checksum_agrees(volume, self.nr(), &self.record.raw);
        if garbage {
            self.lose(codes::INODE_GARBAGE);
            self.shared.found.garbage.set(self.nr().into());
        }
        self.steps()?;
        if !checksum {
            let sums = sums(volume, self.nr(), &self.record.raw);
            self.shared.found.unproved.set(self.nr().into());
            self.note(codes::INODE_CHECKSUM, || (format!("{:08x}", sums.found), format!("{:08x}", sums.computed)));
        }
        Ok(())
    }

    fn steps(&mut self) -> Result<(), SourceGone> {
        self.casefold();
        if let Step::Done = self.flags_against_map()? {
            return Ok(());
        }
        if let Step::Done = self.special()? {
            return Ok(());
        }
        if let Step::Done = self.in_use() {
            return Ok(());
        }
        let nr = u64::from(self.nr());
        if !self.shared.found.garbage.has(nr) {
            self.shared.found.used.set(nr);
        }
        self.stray_fields();
        self.afs();
        let attributes = self.attributes()?;
        self.by_kind(attributes)
    }

    fn nr(&self) -> u32 {
        self.record.nr.0
    }

    fn has(&self, flag: u32) -> bool {
        self.record.inode.has(flag)
    }

    fn kind(&self) -> Kind {
        Kind::from_mode(self.record.inode.i_mode.get().into())
    }

    fn note(&mut self, code: Code, facts: impl FnOnce() -> (String, String)) {
        let nr = self.nr();
        self.gathered.note(code, nr, facts);
    }

    /// Notes what makes a repair throw the file away.
    fn lose(&mut self, code: Code) {
        let volume = self.shared.volume;
        // A size that the volume has no room for says nothing.
        let room = volume.blocks * volume.block_size;
        let bytes = Some(self.record.inode.size()).filter(|size| *size <= room).unwrap_or_default();
        let place = Place::inode(self.nr().into());
        self.gathered.log.note_costing(code, place, Cost { files: 1, bytes }, Default::default);
    }

    fn mark_bad(&mut self) {
        if !self.shared.found.garbage.has(self.nr().into()) {
            self.shared.found.bad.set(self.nr().into());
        }
    }

    fn casefold(&mut self) {
        if !self.has(flags::CASEFOLD) {
            return;
        }
        if self.kind() != Kind::Directory {
            self.note(codes::CASEFOLD_NOT_DIRECTORY, Default::default);
        }
        if !self.shared.volume.has(CASEFOLD) {
            self.note(codes::CASEFOLD_WITHOUT_FEATURE, Default::default);
        } else if self.kind() == Kind::Directory {
            self.shared.found.casefolded.set(self.nr().into());
        }
    }

    /// Inline data, extents and block maps exclude each other.
    fn flags_against_map(&mut self) -> Result<Step, SourceGone> {
        let volume = self.shared.volume;
        let extents = header_of(&self.record.inode.i_block).is_some();
        let inline = self.has(flags::INLINE_DATA);
        let ordinary = self.nr() >= volume.first_inode;
        if inline && self.has(flags::EXTENTS) && (volume.has(EXTENTS) || volume.has(INLINE_DATA)) {
            let code = match (extents, self.inline_value()?.is_some(), self.looks_like_block_map()) {
                (true, ..) => codes::INLINE_FLAG_WITH_EXTENTS,
                (_, true, _) => codes::EXTENTS_FLAG_WITH_INLINE,
                (.., true) => codes::BOTH_FLAGS_WITH_BLOCK_MAP,
                _ => codes::BOTH_FLAGS_WITH_JUNK,
            };
            if code == codes::BOTH_FLAGS_WITH_JUNK { self.lose(code) } else { self.note(code, Default::default) }
        }
        if inline && !volume.has(INLINE_DATA) && ordinary {
            match self.inline_value()? {
                Some(_) => self.note(codes::INLINE_WITHOUT_FEATURE, Default::default),
                None => self.lose(codes::INLINE_FLAG_WITHOUT_FEATURE),
            }
        }
        if inline && volume.has(INLINE_DATA) && ordinary && self.inline_value()?.is_none() {
            self.note(codes::INLINE_WITHOUT_ATTRIBUTE, Default::default);
        }
        if self.record.inode.i_links_count.get() == 0 && self.nr() >= volume.first_inode {
            return Ok(Step::On);
        }
        if self.has(flags::EXTENTS) && !volume.has(EXTENTS) {
            match extents {
                true => self.note(codes::EXTENTS_WITHOUT_FEATURE, Default::default),
                false => self.lose(codes::EXTENTS_FLAG_WITHOUT_FEATURE),
            }
        } else if !self.has(flags::EXTENTS) && volume.has(EXTENTS) && extents && self.maps_blocks() {
            self.note(codes::EXTENTS_FLAG_MISSING, Default::default);
        }
        Ok(Step::On)
    }

    /// Regular file, directory or a symbolic link that lies in blocks.
    fn maps_blocks(&self) -> bool {
        match self.kind() {
            Kind::File | Kind::Directory => true,
            Kind::Symlink => !is_fast_symlink(&self.record),
            _ => false,
        }
    }

    fn looks_like_block_map(&self) -> bool {
        let volume = self.shared.volume;
        let words: Vec<u64> = (0..15).filter_map(|i| le32(&self.record.inode.i_block, i * 4)).map(u64::from).collect();
        words.iter().any(|&w| w != 0) && words.iter().all(|&w| w == 0 || volume.is_block(w))
    }

    /// The part of the inline data that lies among the attributes; `None` where there is none.
    fn inline_value(&self) -> Result<Option<Vec<u8>>, SourceGone> {
        if !extra_size_is_valid(self.shared.volume, &self.record) {
            return Ok(None);
        }
        Ok(xattrs::in_inode(self.shared.volume, &self.record, &mut Vec::new())?.inline)
    }

    fn special(&mut self) -> Result<Step, SourceGone> {
        let nr = self.record.nr;
        if nr == InodeNr::ROOT {
            if self.kind() != Kind::Directory {
                let mode = self.record.inode.i_mode.get();
                self.note(codes::ROOT_NOT_DIRECTORY, || (format!("mode {mode:06o}"), "a directory".into()));
            }
            if self.record.inode.i_dtime.get() != 0 {
                self.note(codes::ROOT_DELETED, Default::default);
            }
            return Ok(Step::On);
        }
        let Some(role) = special::role(self.shared.volume, nr) else { return Ok(Step::On) };
        self.shared.found.used.set(nr.0.into());
        if nr == InodeNr::BAD_BLOCKS {
            // Walked before all others, by `bad_blocks`. e2fsck walks no inode whose checksum is wrong.
            let unproved =
                self.shared.volume.has(METADATA_CSUM) && !checksum_agrees(self.shared.volume, nr.0, &self.record.raw);
            if unproved || self.has(flags::INLINE_DATA) {
                self.gathered.stops_at = Some(nr.0);
            }
            return Ok(Step::Done);
        }
        if role == special::Role::Journal && !self.shared.journal_is_usable {
            // Its blocks are nobody's: the repair makes a new journal.
            return Ok(Step::Done);
        }
        if let Some((code, found)) = special::judge(self.shared.volume, &self.record, role) {
            self.note(code, || (found, String::new()));
        }
        if role != special::Role::Unused {
            blocks::check(self.shared, self.gathered, &self.record, Owner::special(role), &Attributes::default())?;
        }
        Ok(Step::Done)
    }

    /// Links and times of deletion.
    fn in_use(&mut self) -> Step {
        let inode = &self.record.inode;
        let (links, dtime, mode) = (inode.i_links_count.get(), inode.i_dtime.get(), inode.i_mode.get());
        let low = dtime != 0 && self.shared.low_dtime.is_some_and(|limit| dtime < limit);
        if links == 0 && (mode == 0 || self.record.nr != InodeNr::ROOT) {
            if mode != 0 && dtime == 0 {
                self.note(codes::DELETED_WITHOUT_TIME, Default::default);
            }
            if low {
                self.note(codes::ORPHAN_LIST_LEFT, || (format!("time of deletion {dtime}"), "0 or a time".into()));
            }
            return Step::Done;
        }
        if dtime != 0 && self.record.nr != InodeNr::ROOT {
            if low {
                self.note(codes::ORPHAN_LIST_LEFT, || (format!("time of deletion {dtime}"), "0".into()));
            }
            self.note(codes::IN_USE_BUT_DELETED, || (dtime.to_string(), "0".into()));
        }
        Step::On
    }

    /// Fields that must be zero. Judged again, by [`super::bad_inodes`], where an entry names the inode.
    fn stray_fields(&mut self) {
        let (volume, inode) = (self.shared.volume, &self.record.inode);
        let acl_high = !volume.has(BIT64) && inode.l_i_file_acl_high.get() != 0;
        let blocks_high =
            volume.sb.s_creator_os.get() == 0 && !volume.has(HUGE_FILE) && inode.l_i_blocks_high.get() != 0;
        if inode.i_obso_faddr.get() != 0 || acl_high || blocks_high {
            self.mark_bad();
        }
    }

    fn afs(&mut self) {
        if !self.has(flags::IMAGIC) {
            return;
        }
        if self.shared.volume.has(IMAGIC_INODES) {
            self.shared.found.afs.set(self.nr().into());
        } else {
            self.note(codes::AFS_FLAG, Default::default);
        }
    }

    /// Extra fields and attributes, in the inode and in a block.
    fn attributes(&mut self) -> Result<Attributes, SourceGone> {
        let volume = self.shared.volume;
        let mut attributes = Attributes::default();
        if volume.inode_size > BASE_SIZE {
            self.extra_fields();
            if extra_size_is_valid(volume, &self.record) {
                let mut problems = Vec::new();
                attributes = xattrs::in_inode(volume, &self.record, &mut problems)?;
                self.report(problems);
            }
        }
        if self.has(flags::EA_INODE) && volume.has(EA_INODE) {
            self.shared.found.values.set(self.nr().into());
        }
        self.count_values(&attributes.value_inodes);
        Ok(attributes)
    }

    fn count_values(&mut self, inodes: &[u32]) {
        for inode in inodes {
            *self.gathered.value_references.entry(*inode).or_default() += 1;
        }
    }

    fn report(&mut self, problems: Vec<Problem>) {
        // Of the file only attributes are in doubt.
        let (place, cost) = (Place::inode(self.nr().into()), Cost { files: 1, bytes: 0 });
        for Problem { code, found, .. } in problems {
            self.gathered.log.note_costing(code, place.clone(), cost, || (found, String::new()));
        }
    }

    fn extra_fields(&mut self) {
        let extra = self.record.inode.i_extra_isize.get();
        if !extra_size_is_valid(self.shared.volume, &self.record) {
            let room = self.shared.volume.inode_size - BASE_SIZE;
            self.note(codes::EXTRA_SIZE, || (extra.to_string(), format!("4 to {room}")));
        } else if time_is_misread(&self.record, self.shared.volume) {
            self.note(codes::TIME_OUT_OF_RANGE, Default::default);
        }
    }

    fn encryption(&mut self, attributes: &Attributes) {
        if !self.has(flags::ENCRYPT) {
            return;
        }
        match &attributes.encryption {
            Encryption::None => self.note(codes::ENCRYPTION_MISSING, Default::default),
            Encryption::Corrupt => self.lose(codes::ENCRYPTION_CORRUPT),
            Encryption::Policy(_) | Encryption::Unknown => {}
        }
        self.gathered.encrypted.insert(self.record.nr.0, attributes.encryption.clone());
    }

    fn by_kind(&mut self, mut attributes: Attributes) -> Result<(), SourceGone> {
        let volume = self.shared.volume;
        let nr = u64::from(self.nr());
        let block = self.attribute_block(&mut attributes)?;
        self.encryption(&attributes);
        if self.looks_like_directory()? {
            self.note(codes::REALLY_A_DIRECTORY, || (format!("mode {:06o}", 0), "a directory".into()));
        }
        match self.kind() {
            Kind::Directory => {
                self.shared.found.directories.set(nr);
                if self.record.inode.i_size_high.get() != 0 && !volume.has(LARGE_DIR) {
                    self.mark_bad();
                }
            }
            Kind::File => {
                self.shared.found.regular.set(nr);
            }
            Kind::Symlink if symlink_is_valid(volume, &self.record, attributes.inline.as_deref())? => {
                self.shared.found.symlinks.set(nr);
                self.immutable();
                if is_fast_symlink(&self.record) && self.has(flags::EXTENTS) && !self.has(flags::INLINE_DATA) {
                    self.note(codes::FAST_SYMLINK_EXTENTS, Default::default);
                }
            }
            Kind::Unknown | Kind::Symlink => self.mark_bad(),
            _ if device_is_valid(&self.record) => {
                if self.has(flags::EXTENTS | flags::INLINE_DATA) {
                    self.note(codes::SPECIAL_WITH_MAP, Default::default);
                }
                self.immutable();
                self.special_size();
            }
            _ => self.mark_bad(),
        }
        blocks::check(self.shared, self.gathered, &self.record, Owner::file(block), &attributes)?;
        Ok(())
    }

    /// Marks the inode's block of attributes; true if it counts.
    fn attribute_block(&mut self, attributes: &mut Attributes) -> Result<bool, SourceGone> {
        let volume = self.shared.volume;
        let block = file_acl(volume, &self.record);
        if block == 0 {
            return Ok(false);
        }
        if !volume.is_block(block) || !volume.has(EXT_ATTR) {
            self.mark_bad();
            return Ok(false);
        }
        let seen = self.shared.attribute_blocks.visit(self.shared, self.record.nr, block)?;
        if attributes.encryption == Encryption::None {
            attributes.encryption = seen.encryption;
        }
        attributes.value_bytes += seen.value_bytes;
        Ok(seen.counts)
    }

    fn immutable(&mut self) {
        if self.has(flags::IMMUTABLE | flags::APPEND) {
            self.note(codes::SPECIAL_IMMUTABLE, Default::default);
        }
    }

    fn special_size(&mut self) {
        let size = self.record.inode.size();
        if size != 0 {
            self.note(codes::SPECIAL_WITH_SIZE, || (size.to_string(), "0".into()));
        }
    }

    /// True for what is no directory and no file by its mode, and whose first block begins as directories do.
    fn looks_like_directory(&self) -> Result<bool, SourceGone> {
        if matches!(self.kind(), Kind::Directory | Kind::File | Kind::Symlink)
            || self.record.inode.i_links_count.get() == 0
        {
            return Ok(false);
        }
        let volume = self.shared.volume;
        if self.has(flags::EXTENTS | flags::INLINE_DATA) {
            return Ok(false);
        }
        let first = u64::from(le32(&self.record.inode.i_block, 0).unwrap_or_default());
        let rest = (4..15)
            .any(|i| le32(&self.record.inode.i_block, i * 4).is_some_and(|w| w != 0 && !volume.is_block(w.into())));
        if rest || !volume.is_block(first) || self.shared.found.metadata.has(first) {
            return Ok(false);
        }
        let mut block = Vec::new();
        volume.read_block(first, &mut block)?;
        Ok(special::begins_as_directory(&block, self.nr(), volume.inodes))
    }
}

/// The block of attributes that an inode names; without 64-bit blocks the upper half is none of it.
pub fn file_acl(volume: &Volume, record: &Record) -> u64 {
    if volume.has(BIT64) { record.inode.file_acl() } else { record.inode.i_file_acl_lo.get().into() }
}

/// True if the fields behind the first 128 bytes end inside the record.
pub fn extra_size_is_valid(volume: &Volume, record: &Record) -> bool {
    let extra = usize::from(record.inode.i_extra_isize.get());
    let room = volume.inode_size.saturating_sub(BASE_SIZE);
    room > 0 && (extra == 0 || (extra >= 4 && extra <= room && extra.is_multiple_of(4)))
}

/// True if a time lies past 2310, which old kernels wrote for times before 1970.
fn time_is_misread(record: &Record, volume: &Volume) -> bool {
    let inode = &record.inode;
    let now_is_past_2242 = volume.sb.s_wtime_hi > 1;
    let misread = |lo: u32, extra: u32, end: usize| inode.extra_reaches(end) && extra & 3 == 3 && lo >> 31 == 1;
    !now_is_past_2242
        && (misread(inode.i_ctime.get(), inode.i_ctime_extra.get(), 0x88)
            || misread(inode.i_mtime.get(), inode.i_mtime_extra.get(), 0x8C)
            || misread(inode.i_atime.get(), inode.i_atime_extra.get(), 0x90)
            || misread(inode.i_crtime.get(), inode.i_crtime_extra.get(), 0x98))
}

/// True for a symbolic link whose target lies in `i_block`.
pub fn is_fast_symlink(record: &Record) -> bool {
    let size = record.inode.size();
    Kind::from_mode(record.inode.i_mode.get().into()) == Kind::Symlink
        && size > 0
        && size < I_BLOCK_SIZE as u64
        && !record.inode.has(flags::INLINE_DATA)
}

/// A device, pipe or socket has no blocks; junk is only held against it where its flags are wrong too.
pub fn device_is_valid(record: &Record) -> bool {
    if record.inode.has(flags::INDEX) {
        return false;
    }
    let junk = (4..15).any(|i| le32(&record.inode.i_block, i * 4).is_some_and(|word| word != 0));
    !(record.inode.has(flags::IMMUTABLE) && junk)
}

/// True if a symbolic link's target is as long as its size says.
pub fn symlink_is_valid(volume: &Volume, record: &Record, inline: Option<&[u8]>) -> Result<bool, SourceGone> {
    let inode = &record.inode;
    let size = inode.size();
    if size == 0 || inode.i_size_high.get() != 0 || inode.has(flags::INDEX) {
        return Ok(false);
    }
    if inode.has(flags::INLINE_DATA) {
        return Ok(inline.is_some_and(|rest| size <= (I_BLOCK_SIZE + rest.len()) as u64));
    }
    let target: Cow<'_, [u8]> = if is_fast_symlink(record) {
        Cow::Borrowed(&inode.i_block)
    } else {
        if size >= volume.block_size {
            return Ok(false);
        }
        let Some(block) = blocks::first_block(volume, record)?.filter(|block| volume.is_block(*block)) else {
            return Ok(false);
        };
        let mut buf = Vec::new();
        volume.read_block(block, &mut buf)?;
        Cow::Owned(buf)
    };
    let len = if inode.has(flags::ENCRYPT) {
        crate::bytes::le16(&target, 0).map_or(0, |len| usize::from(len) + 2)
    } else {
        match target.iter().position(|&byte| byte == 0) {
            Some(len) => len,
            None => return Ok(false),
        }
    };
    Ok(len as u64 == size || inode.has(flags::ENCRYPT) && size == len as u64 + 1)
}
