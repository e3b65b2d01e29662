//! Which inode a checksummed block belongs to, learnt from the block alone.
//!
//! A block's checksum is crc32c run over the block from the seed of its inode: [`Seed::inode`] of number and
//! generation. A CRC can be run backwards, so block and checksum give the seed ([`of_leaf`] and its like): blocks with
//! one seed belong to one inode, even where that inode is destroyed. Run back further, an inode's record gives the
//! inode's own number, and the number gives the generation.

use super::super::checksum::Seed;
use super::super::crc::rewind;
use super::super::disk::dirent::{DX_ROOT_COUNT_AT, DirEntryTail, DxCountLimit, DxEntry, DxTail};
use super::super::disk::extent::{ExtentHeader, tail_at};
use super::super::disk::{at, inode};
use super::super::number::InodeNr;
use crate::bytes::{le16, le32};

/// The seed of the directory that a leaf block with a tail belongs to, if its checksum is right.
pub fn of_leaf(block: &[u8]) -> Option<Seed> {
    let tail_at = block.len().checked_sub(size_of::<DirEntryTail>())?;
    let tail: DirEntryTail = at(block, tail_at)?;
    tail.is_tail().then(|| Seed(rewind(tail.det_checksum.get(), &block[..tail_at])))
}

/// The same for a node of a hash tree, whose limit and count lie at `count_at`.
pub fn of_dx(block: &[u8], count_at: usize) -> Option<Seed> {
    let head: DxCountLimit = at(block, count_at)?;
    let (limit, count) = (usize::from(head.limit.get()), usize::from(head.count.get()));
    let tail_at = count_at + limit * size_of::<DxEntry>();
    let tail: DxTail = at(block, tail_at)?;
    if count > limit || tail_at + size_of::<DxTail>() != block.len() {
        return None;
    }
    let before_sum = rewind(rewind(tail.dt_checksum.get(), &[0; 4]), &tail.dt_reserved.get().to_le_bytes());
    Some(Seed(rewind(before_sum, &block[..count_at + count * size_of::<DxEntry>()])))
}

/// The same for a block of an extent tree.
pub fn of_extent_block(block: &[u8]) -> Option<Seed> {
    let header: ExtentHeader = at(block, 0)?;
    let tail_at = tail_at(header.eh_max.get());
    Some(Seed(rewind(le32(block, tail_at)?, &block[..tail_at])))
}

/// The number of the inode with this generation, of whose blocks `seed` is the seed.
pub fn number(volume: Seed, generation: u32, seed: Seed) -> InodeNr {
    let numbered = rewind(seed.0, &generation.to_le_bytes());
    InodeNr(rewind(numbered, &[0; 4]) ^ volume.0)
}

/// What the first block of a directory of this number and generation says that the volume's seed is.
pub fn of_volume(nr: InodeNr, generation: u32, block: &[u8]) -> Option<u32> {
    let seed = of_dx(block, DX_ROOT_COUNT_AT).or_else(|| of_leaf(block))?;
    // Number and volume are combined: each gives the other.
    Some(number(Seed(nr.0), generation, seed).0)
}

/// What an inode's record says its number is combined with the volume's seed: `volume ^ number`. `None` where the
/// record keeps only half of the checksum.
pub fn of_record(record: &[u8]) -> Option<u32> {
    let (lo_at, hi_at) = (inode::CHECKSUM_LO_AT, inode::CHECKSUM_HI_AT);
    let extra = usize::from(le16(record, inode::BASE_SIZE)?);
    // Where records are small, another one's mode stands there.
    if inode::BASE_SIZE + extra < hi_at + 2 || inode::BASE_SIZE + extra > record.len() {
        return None;
    }
    let sum = u32::from(le16(record, hi_at)?) << 16 | u32::from(le16(record, lo_at)?);
    let register = rewind(sum, record.get(hi_at + 2..)?);
    let register = rewind(rewind(register, &[0; 2]), &record[lo_at + 2..hi_at]);
    let register = rewind(rewind(register, &[0; 2]), &record[..lo_at]);
    let generation = le32(record, 0x64)?;
    Some(rewind(rewind(register, &generation.to_le_bytes()), &[0; 4]))
}

#[cfg(test)]
mod tests {
    use super::super::super::checksum::crc32c;
    use super::*;

    const VOLUME: Seed = Seed(0x1234_5678);

    #[test]
    fn a_register_goes_back_the_way_it_came() {
        let bytes: Vec<u8> = (0..1000).map(|i| (i * 7) as u8).collect();
        assert_eq!(rewind(crc32c(0xDEAD_BEEF, &bytes), &bytes), 0xDEAD_BEEF);
    }

    #[test]
    fn a_leaf_block_tells_its_directory() {
        let seed = VOLUME.inode(InodeNr(4711), 0xCAFE);
        let mut block = vec![7; 1024];
        block[1012..].copy_from_slice(&[0, 0, 0, 0, 12, 0, 0, 0xDE, 0, 0, 0, 0]);
        let sum = crc32c(seed.0, &block[..1012]);
        block[1020..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(of_leaf(&block), Some(seed));
        assert_eq!(number(VOLUME, 0xCAFE, seed), InodeNr(4711));
    }

    #[test]
    fn a_record_tells_its_number() {
        let mut record = vec![3; 256];
        record[0x80..0x82].copy_from_slice(&[32, 0]);
        let generation = le32(&record, 0x64).unwrap();
        let sum = VOLUME.inode(InodeNr(99), generation).inode_record(&record, true);
        record[0x7C..0x7E].copy_from_slice(&sum.to_le_bytes()[..2]);
        record[0x82..0x84].copy_from_slice(&sum.to_le_bytes()[2..]);
        assert_eq!(of_record(&record), Some(VOLUME.0 ^ 99));
    }
}
