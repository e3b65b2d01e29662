//! The blocks that the filesystem keeps for itself: [`Reserved`]. No file can have them; a map that leads there
//! contradicts the layout, and one of the two is wrong.

use super::feature::RESIZE_INODE;
use super::geometry::Geometry;
use super::number::{BlockNr, GroupNr};
use crate::bytes::Spans;

/// Copies of the superblock, descriptors and the room kept for more of them, bitmaps and inode tables.
pub struct Reserved {
    /// First block and the one behind the last, ascending, none touching another.
    runs: Vec<(u64, u64)>,
}

impl Reserved {
    /// Those of a volume; `reserved` is what its superblock says of the blocks kept for more descriptors.
    pub fn of(geometry: &Geometry, reserved: u16) -> Self {
        // The indirect block of the resize inode has room for no more of them.
        let possible = geometry.features.has(RESIZE_INODE) && u32::from(reserved) <= geometry.block_size / 4;
        let reserved = if possible { reserved } else { 0 };
        let mut runs = Vec::new();
        for (group, nr) in geometry.groups.iter().zip(0..) {
            if !geometry.inferred {
                let start = geometry.group_start(GroupNr(nr)).0;
                runs.push((start, start + geometry.overhead(GroupNr(nr), reserved)));
            }
            runs.extend([group.block_bitmap, group.inode_bitmap].into_iter().flatten().map(|nr| (nr.0, nr.0 + 1)));
            runs.extend(group.inode_table.map(|table| (table.0, table.0 + geometry.known_table_blocks(group))));
        }
        Reserved::merged(runs)
    }

    /// The same, and bytes that another filesystem on the volume has written.
    pub fn and(self, written: &Spans, geometry: &Geometry) -> Self {
        let block = u64::from(geometry.block_size);
        let written = written.iter().map(|span| (span.start / block, span.end.div_ceil(block)));
        Reserved::merged(self.runs.into_iter().chain(written).collect())
    }

    fn merged(mut runs: Vec<(u64, u64)>) -> Self {
        // A group without copies of the superblock keeps nothing at its start.
        runs.retain(|run| run.0 < run.1);
        runs.sort_unstable();
        runs.dedup_by(|next, run| {
            let joins = next.0 <= run.1;
            if joins {
                run.1 = run.1.max(next.1);
            }
            joins
        });
        Reserved { runs }
    }

    /// True if one of `count` blocks from `start` on is among them.
    pub fn touches(&self, start: BlockNr, count: u64) -> bool {
        let next = self.runs.partition_point(|run| run.1 <= start.0);
        self.runs.get(next).is_some_and(|run| run.0 < start.0.saturating_add(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_across_the_start_of_a_group_that_keeps_nothing_there_touches_nothing() {
        let reserved = Reserved::merged(vec![(0, 10), (100, 100), (200, 203), (203, 205)]);
        for (start, count, touches) in
            [(95, 10, false), (10, 190, false), (9, 1, true), (10, 191, true), (204, 1, true), (205, 1, false)]
        {
            assert_eq!(reserved.touches(BlockNr(start), count), touches, "{count} from {start}");
        }
    }
}
