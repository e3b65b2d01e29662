//! Numbers that must not be mixed up: blocks, inodes and groups are counted by different types.

use std::fmt;

use crate::node::NodeId;

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident($type:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $type);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

number! {
    /// A block of the filesystem, counted from its first byte in blocks (not clusters).
    BlockNr(u64);
    /// An inode, counted from 1; 0 stands for none.
    InodeNr(u32);
    /// A block group, counted from 0.
    GroupNr(u32);
}

impl InodeNr {
    /// Holds the list of bad blocks.
    pub const BAD_BLOCKS: InodeNr = InodeNr(1);
    /// The root directory.
    pub const ROOT: InodeNr = InodeNr(2);
    /// Holds the blocks kept for more group descriptors.
    pub const RESIZE: InodeNr = InodeNr(7);
    /// The journal, where the superblock does not name another.
    pub const JOURNAL: InodeNr = InodeNr(8);

    /// True where the map only lists blocks that no file has: bad sectors, and the room for descriptors. What damage makes
    /// of such a list speaks against no file.
    pub fn only_lists_blocks(self) -> bool {
        matches!(self, InodeNr::BAD_BLOCKS | InodeNr::RESIZE)
    }

    /// As the rest of the program names it.
    pub fn node(self) -> NodeId {
        NodeId(self.0.into())
    }

    /// The inode that a node's number means, if it can be one.
    pub fn of(id: NodeId) -> Option<InodeNr> {
        u32::try_from(id.0).ok().filter(|&nr| nr != 0).map(InodeNr)
    }
}
