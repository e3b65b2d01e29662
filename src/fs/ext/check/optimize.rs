//! Pass 1E: extent trees that could be smaller. Nothing is wrong with them.

use super::codes;
use super::extents::Shape;
use super::volume::Volume;
use crate::finding::Code;

/// Entries that the root has room for.
const ROOT_ROOM: u64 = 4;

/// Deepest tree that 2^32 file blocks may need, at the room that nodes of this block size have.
fn deepest(volume: &Volume) -> u16 {
    let per = (volume.block_size - 12) / 12;
    // Each node of the worst tree is half full; the root has room for four.
    let (mut reach, mut depth) = (4u64, 0);
    while reach < 1 << 32 {
        reach = reach.saturating_mul((per / 2).max(2));
        depth += 1;
    }
    depth
}

/// What could be smaller about a tree. Of one that is `wrong` it is not known how many entries will be left.
pub fn judge(volume: &Volume, shape: &Shape, wrong: bool) -> Vec<Code> {
    let mut codes = Vec::new();
    let per = (volume.block_size - 12) / 12;
    if shape.depth > deepest(volume) {
        codes.push(codes::EXTENT_TREE_DEPTH);
    }
    for level in 1..shape.levels.len() {
        let (this, above) = (shape.levels[level], shape.levels[level - 1]);
        if level == 1 && this.entries < ROOT_ROOM || level > 1 && above.entries == 1 && this.entries <= ROOT_ROOM {
            codes.push(codes::EXTENT_TREE_COLLAPSE);
            break;
        }
        if !wrong && this.entries.div_ceil(per) < above.entries && above.entries > 1 {
            codes.push(codes::EXTENT_TREE_NARROW);
            break;
        }
    }
    codes
}
