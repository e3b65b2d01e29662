//! The size of a file whose inode's checksum is wrong, if nothing but the size is ruined: [`size`].
//!
//! A CRC is linear: of the four bytes of the size there is exactly one value with which the checksum is right. Where that
//! value lies in the last block that the inode maps, as one in a million does by accident, it is the size.

use zerocopy::IntoBytes;

use super::checksum::Sums;
use super::disk::inode as disk;
use super::geometry::Geometry;
use super::inode::Inode;

/// Where `i_size_lo` lies.
const SIZE_AT: usize = std::mem::offset_of!(disk::Inode, i_size_lo);

/// The size, both halves, with which the checksum of `inode` is right; `None` where it keeps only half a checksum.
pub fn size(geometry: &Geometry, inode: &Inode<'_>) -> Option<u64> {
    let has_hi = inode.record.len() > disk::BASE_SIZE && inode.raw.extra_reaches(disk::CHECKSUM_HI_AT + 2);
    let Sums { found, .. } = inode.sums(geometry).filter(|_| has_hi)?;
    let mut record = inode.record.to_vec();
    let mut with = |size: u32| {
        record.get_mut(SIZE_AT..SIZE_AT + 4)?.copy_from_slice(size.as_bytes());
        Some(inode.seed(geometry).inode_record(&record, true))
    };
    let empty = with(0)?;
    // What each bit of the size does to the checksum.
    let mut steps = Vec::with_capacity(32);
    for bit in 0..32 {
        steps.push((with(1u32 << bit)? ^ empty, 1u32 << bit));
    }
    let low = combined(steps, found ^ empty)?;
    Some(u64::from(inode.raw.i_size_high.get()) << 32 | u64::from(low))
}

/// The bits whose effects together make `wanted`: elimination, column by column.
fn combined(mut steps: Vec<(u32, u32)>, wanted: u32) -> Option<u32> {
    let (mut left, mut bits) = (wanted, 0);
    for column in 0..32 {
        let Some(at) = steps.iter().position(|(effect, _)| effect >> column & 1 == 1) else { continue };
        let pivot = steps.swap_remove(at);
        for step in steps.iter_mut().filter(|(effect, _)| effect >> column & 1 == 1) {
            *step = (step.0 ^ pivot.0, step.1 ^ pivot.1);
        }
        if left >> column & 1 == 1 {
            (left, bits) = (left ^ pivot.0, bits ^ pivot.1);
        }
    }
    (left == 0).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::combined;

    #[test]
    fn bits_are_found_by_their_effects() {
        let steps: Vec<(u32, u32)> =
            (0..32).map(|bit| (0x8000_0001u32.rotate_left(bit) ^ 1 << (bit / 2), 1 << bit)).collect();
        let effect =
            |bits: u32| steps.iter().filter(|(_, bit)| bits & bit != 0).fold(0, |sum, (effect, _)| sum ^ effect);
        for bits in [0, 1, 0xDEAD_BEEF, u32::MAX] {
            let found = combined(steps.clone(), effect(bits)).unwrap();
            assert_eq!(effect(found), effect(bits));
        }
    }
}
