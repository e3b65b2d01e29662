//! The size of a file whose inode's checksum is wrong, if nothing but the size is ruined: [`sizes`].
//!
//! A CRC is linear: of the four bytes of the size there is exactly one value with which the checksum is right. Where that
//! value lies in the last block that the inode maps, as one in a million does by accident, it is the size. Half a checksum
//! allows for thousands of values: there it is one that differs in one bit.

use zerocopy::IntoBytes;

use super::checksum::Sums;
use super::disk::inode as disk;
use super::geometry::Geometry;
use super::inode::Inode;

/// Where the halves of the size lie.
const SIZE_AT: usize = std::mem::offset_of!(disk::Inode, i_size_lo);
const SIZE_HIGH_AT: usize = std::mem::offset_of!(disk::Inode, i_size_high);

/// The sizes, both halves, with which the checksum of `inode` is right: at most one where it keeps a whole one.
pub fn sizes(geometry: &Geometry, inode: &Inode<'_>) -> Vec<u64> {
    let has_hi = inode.record.len() > disk::BASE_SIZE && inode.raw.extra_reaches(disk::CHECKSUM_HI_AT + 2);
    if has_hi { size(geometry, inode).into_iter().collect() } else { flipped(geometry, inode) }
}

/// Those that differ in one bit.
fn flipped(geometry: &Geometry, inode: &Inode<'_>) -> Vec<u64> {
    let whole = inode.sums(geometry).filter(|_| inode.record.len() >= disk::BASE_SIZE);
    let Some(Sums { found, .. }) = whole else { return Vec::new() };
    let size = inode.raw.size();
    let mut record = inode.record.to_vec();
    let mut is_right = |size: u64| {
        for (at, half) in [(SIZE_AT, size as u32), (SIZE_HIGH_AT, (size >> 32) as u32)] {
            record[at..at + 4].copy_from_slice(half.as_bytes());
        }
        inode.seed(geometry).inode_record(&record, false) == found
    };
    (0..u64::BITS).map(|bit| size ^ 1 << bit).filter(|size| is_right(*size)).collect()
}

/// The one with which a whole checksum is right.
fn size(geometry: &Geometry, inode: &Inode<'_>) -> Option<u64> {
    let Sums { found, .. } = inode.sums(geometry)?;
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
