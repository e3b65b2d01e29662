//! Checksums of metadata: the ext4 documentation, `checksums.rst` and `group_descr.rst`, and for the journal
//! `journal.rst`.
//!
//! With metadata_csum all are crc32c, begun with a seed that belongs to the volume ([`Seed::of`]), further mixed with
//! the inode's number and generation for what belongs to one inode ([`Seed::inode`]): a block with the right checksum
//! is proved to belong to that inode. With gdt_csum alone group descriptors have a crc16.

use crc::{CRC_16_MODBUS, CRC_32_MPEG_2, Crc};
use zerocopy::IntoBytes;

use super::disk::dirent::{DirEntryTail, DxCountLimit, DxEntry, DxTail};
use super::disk::extent::{ExtentHeader, tail_at};
use super::disk::superblock::Superblock;
use super::disk::{at, group, inode, journal, xattr};
use super::feature::{CSUM_SEED, Features};
use super::number::{BlockNr, GroupNr, InodeNr};

/// crc32c as jbd2 and ext4 run it: neither the seed nor the result is inverted.
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// A superblock's own checksum: over all before the field.
pub fn superblock(sb: &Superblock) -> u32 {
    let bytes = sb.as_bytes();
    crc32c(!0, &bytes[..bytes.len() - 4])
}

/// What the checksums of a volume, or of one inode's blocks, begin with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Seed(pub u32);

impl Seed {
    /// The volume's: kept in the superblock with metadata_csum_seed, from the UUID otherwise.
    pub fn of(sb: &Superblock) -> Self {
        if Features::of(sb).has(CSUM_SEED) { Seed(sb.s_checksum_seed.get()) } else { Seed::of_uuid(&sb.s_uuid) }
    }

    /// The seed that a UUID gives.
    pub fn of_uuid(uuid: &[u8; 16]) -> Self {
        Seed(crc32c(!0, uuid))
    }

    /// The seed of what belongs to one inode. `self` is the volume's.
    pub fn inode(self, nr: InodeNr, generation: u32) -> Seed {
        Seed(crc32c(crc32c(self.0, &nr.0.to_le_bytes()), &generation.to_le_bytes()))
    }

    /// A bitmap's checksum. `bitmap` is cut to the clusters or inodes of a group.
    pub fn bitmap(self, bitmap: &[u8]) -> u32 {
        crc32c(self.0, bitmap)
    }

    /// A group descriptor's checksum with metadata_csum. `descriptor` is whole, as long as descriptors are.
    pub fn group(self, nr: GroupNr, descriptor: &[u8]) -> u16 {
        let at = group::CHECKSUM_AT.min(descriptor.len());
        let rest = descriptor.get(at + 2..).unwrap_or_default();
        let crc = crc32c(self.0, &nr.0.to_le_bytes());
        let crc = crc32c(crc32c(crc, &descriptor[..at]), &[0, 0]);
        // The lower half is what is kept.
        crc32c(crc, rest) as u16
    }

    /// An inode's checksum. `self` is the inode's seed, `record` the whole inode. Only the lower half is recorded where
    /// `has_hi` is false.
    pub fn inode_record(self, record: &[u8], has_hi: bool) -> u32 {
        let (lo, hi) = (inode::CHECKSUM_LO_AT, inode::CHECKSUM_HI_AT);
        if record.len() < inode::BASE_SIZE {
            return crc32c(self.0, record);
        }
        let crc = crc32c(crc32c(self.0, &record[..lo]), &[0, 0]);
        let rest = &record[lo + 2..];
        let crc = match has_hi.then(|| rest.split_at_checked(hi - lo - 2)).flatten() {
            Some((before, after)) => crc32c(crc32c(crc32c(crc, before), &[0, 0]), after.get(2..).unwrap_or_default()),
            None => crc32c(crc, rest),
        };
        if has_hi { crc } else { crc & 0xFFFF }
    }

    /// The checksum recorded in the tail of a directory's leaf block, and the one it should be. `self` is the
    /// directory's. `None` where there is no tail.
    pub fn leaf_block(self, block: &[u8]) -> Option<Sums> {
        let tail_at = block.len().checked_sub(size_of::<DirEntryTail>())?;
        let tail: DirEntryTail = at(block, tail_at)?;
        tail.is_tail().then(|| Sums { found: tail.det_checksum.get(), computed: crc32c(self.0, &block[..tail_at]) })
    }

    /// The same for a hash tree's node, whose limit and count lie at `count_at`. `None` where count and limit leave no
    /// room for a tail.
    pub fn dx_block(self, block: &[u8], count_at: usize) -> Option<Sums> {
        let head: DxCountLimit = at(block, count_at)?;
        let (limit, count) = (usize::from(head.limit.get()), usize::from(head.count.get()));
        let tail_at = count_at + limit * size_of::<DxEntry>();
        let used = count_at + count * size_of::<DxEntry>();
        let tail: DxTail = at(block, tail_at)?;
        if count > limit || tail_at + size_of::<DxTail>() != block.len() {
            return None;
        }
        let crc = crc32c(self.0, &block[..used]);
        let crc = crc32c(crc32c(crc, tail.dt_reserved.as_bytes()), &[0; 4]);
        Some(Sums { found: tail.dt_checksum.get(), computed: crc })
    }

    /// The same for a block of an extent tree. `None` where its header leaves no room for a tail.
    pub fn extent_block(self, block: &[u8]) -> Option<Sums> {
        let header: ExtentHeader = at(block, 0)?;
        let at = tail_at(header.eh_max.get());
        Some(Sums { found: crate::bytes::le32(block, at)?, computed: crc32c(self.0, &block[..at]) })
    }

    /// The same for a block of extended attributes. `self` is the volume's seed.
    pub fn xattr_block(self, nr: BlockNr, block: &[u8]) -> Option<Sums> {
        let header: xattr::XattrHeader = at(block, 0)?;
        let crc = crc32c(crc32c(self.0, &nr.0.to_le_bytes()), &block[..0x10]);
        let crc = crc32c(crc32c(crc, &[0; 4]), &block[0x14..]);
        Some(Sums { found: header.h_checksum.get(), computed: crc })
    }

    /// The same for the block of multi-mount protection. `self` is the volume's seed.
    pub fn mmp_block(self, block: &[u8]) -> Option<Sums> {
        Some(Sums { found: crate::bytes::le32(block, 0x3FC)?, computed: crc32c(self.0, &block[..0x3FC]) })
    }

    /// The same for a block of the orphan file. `self` is that file's, `nr` the block's place on the volume.
    pub fn orphan_block(self, nr: BlockNr, block: &[u8]) -> Option<Sums> {
        let at = block.len().checked_sub(8)?;
        let crc = crc32c(crc32c(self.0, &nr.0.to_le_bytes()), &block[..at]);
        Some(Sums { found: crate::bytes::le32(block, at + 4)?, computed: crc })
    }

    /// The checksum of an attribute's value that has an inode of its own. `self` is the volume's seed.
    pub fn ea_value(self, value: &[u8]) -> u32 {
        crc32c(self.0, value)
    }
}

/// A checksum that stands on the disk, and what it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sums {
    /// On the disk.
    pub found: u32,
    /// Of the bytes.
    pub computed: u32,
}

impl Sums {
    /// True if they agree.
    pub fn agree(self) -> bool {
        self.found == self.computed
    }
}

/// A group descriptor's checksum with gdt_csum. `descriptor` is whole, as long as descriptors are.
pub fn group_crc16(uuid: &[u8; 16], nr: GroupNr, descriptor: &[u8]) -> u16 {
    static CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);
    let at = group::CHECKSUM_AT.min(descriptor.len());
    let mut crc = CRC16.digest();
    crc.update(uuid);
    crc.update(&nr.0.to_le_bytes());
    crc.update(&descriptor[..at]);
    crc.update(descriptor.get(at + 2..).unwrap_or_default());
    crc.finalize()
}

/// What the checksums v2 and v3 of a journal begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalSeed(u32);

impl JournalSeed {
    /// Of the journal with this UUID.
    pub fn of_uuid(uuid: &[u8; 16]) -> Self {
        JournalSeed(crc32c(!0, uuid))
    }

    /// The checksum at the end of a descriptor or revoke block.
    pub fn tail(self, block: &[u8]) -> Option<Sums> {
        let at = block.len().checked_sub(journal::TAIL_SIZE)?;
        let computed = crc32c(crc32c(self.0, &block[..at]), &[0; 4]);
        Some(Sums { found: crate::bytes::be32(block, at)?, computed })
    }

    /// The checksum in a commit block.
    pub fn commit(self, block: &[u8]) -> Option<Sums> {
        let found = crate::bytes::be32(block, 0x10)?;
        let computed = crc32c(crc32c(crc32c(self.0, &block[..0x10]), &[0; 4]), &block[0x14..]);
        Some(Sums { found, computed })
    }

    /// The checksum of a data block, as it lies in the journal; v2 keeps the lower half.
    pub fn data(self, sequence: u32, block: &[u8]) -> u32 {
        crc32c(crc32c(self.0, &sequence.to_be_bytes()), block)
    }
}

/// The checksum of a journal's superblock.
pub fn journal_superblock(sb: &journal::JournalSuperblock) -> Sums {
    let bytes = sb.as_bytes();
    let computed = crc32c(crc32c(crc32c(!0, &bytes[..0xFC]), &[0; 4]), &bytes[0x100..]);
    Sums { found: sb.s_checksum.get(), computed }
}

/// The running checksum v1 over the blocks of a transaction, begun with `!0`.
pub fn journal_v1(crc: u32, block: &[u8]) -> u32 {
    static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_MPEG_2);
    let mut digest = CRC32.digest_with_initial(crc);
    digest.update(block);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::ext::disk::dirent;

    #[test]
    fn the_journals_first_checksum_runs_on_over_blocks() {
        let whole = Crc::<u32>::new(&CRC_32_MPEG_2).checksum(b"123456789");
        assert_eq!(journal_v1(journal_v1(!0, b"1234"), b"56789"), whole);
        assert_eq!(whole, 0x0376_E6E7); // the catalogue's check value
    }

    #[test]
    fn crc32c_is_not_inverted() {
        // The catalogue's check value of CRC-32/ISCSI, which inverts at both ends.
        assert_eq!(!crc32c(!0, b"123456789"), 0xE306_9283);
    }

    #[test]
    fn a_directory_without_tail_has_no_checksum() {
        assert_eq!(Seed(0).leaf_block(&[0; 1024]), None);
        assert_eq!(Seed(0).leaf_block(&[0; 4]), None);
        assert_eq!(Seed(0).dx_block(&[0xFF; 1024], dirent::DX_NODE_COUNT_AT), None);
        assert_eq!(Seed(0).extent_block(&[0xFF; 1024]), None);
    }
}
