//! Contents in the inode: the ext4 documentation, `inlinedata.rst`.

use super::Runs;
use crate::fs::ext::inode::Inode;
use crate::fs::ext::xattr;
use crate::node::Trust;

/// Maps the contents that stand in place of the map, and go on in the attribute `system.data`.
pub fn map(runs: &mut Runs<'_>, inode: &Inode<'_>) {
    let mut bytes = inode.raw.i_block.to_vec();
    let (more, alone) = xattr::inline_data(inode, &runs.volume.geometry);
    if !alone {
        runs.trust(Trust::Doubtful);
    }
    bytes.extend_from_slice(more);
    runs.inline(bytes);
}
