//! The code tables of the checks, one file for the passes that report together: one row a code; ids are never reused.
//!
//! Where e2fsck has a problem that means the same, its name is in the row. Rows whose severity is below damage are those
//! that `e2fsck -fn` reports without failing the volume. Three things e2fsck reports have no row: headings and questions
//! around a problem, failures of its own run, and what it only says while it repairs.
//!
//! Where verdicts differ from e2fsck's, and why ours stands:
//! - A journal that waits, and whose replay damages the volume: `e2fsck -fn` judges the volume as it lies, and after
//!   `e2fsck -E journal_only` a run without `-f` believes the superblock's word that all is clean. With `-f` it reports
//!   the bitmaps and counts that are reported here, and so does a kernel that replays the journal itself.
//! - The inode for growing: e2fsck looks at the first quarter of its list ([`RESIZE_INODE_LATER`]).
//! - A time of the superblock past 2106: e2fsck 1.47.0 does not read the upper byte.
//! - Directories that name each other in a circle ([`DIRECTORY_LOOP`]): e2fsck marks a directory as done before it asks
//!   who is above it, so it meets each as done, and never comes to `PR_3_LOOPED_DIR`.
//! - A name in two blocks of a directory ([`NAME_IN_TWO_BLOCKS`]): e2fsck compares the names of one block, and those of
//!   all only while it hashes the directory anew.
//! - The depth of nodes below the root of an extent tree ([`EXTENT_NODE_DEPTH`]): kernels refuse the node, e2fsck does not
//!   look.
//! - Flags that exclude each other: where its first question is answered no, e2fsck asks the next, so that `-fn` names two
//!   problems for one (`PR_1_CLEAR_EXTENT_INLINE_DATA_INODE`, `PR_1_EXTENTS_SET`).
//! - The size and links of an inode that holds an attribute's value ([`XATTR_VALUE_DIFFERS`]): kernels refuse the value,
//!   e2fsck compares hashes alone.
//!
//! Problems of e2fsck that its own code can not come to with `-fn`, and so have no row: `PR_1_ATTR_NAME_LEN` and
//! `PR_1_ATTR_VALUE_OFFSET` (overlaps are found first), `PR_2_UNEXPECTED_HTREE_BLOCK` (the block is a hole, and not
//! looked at), `PR_2_FINAL_RECLEN` (only what a repair leaves).

mod counts;
mod directories;
mod inodes;
mod volume;

pub use counts::*;
pub use directories::*;
pub use inodes::*;
pub use volume::*;

use crate::finding::{Code, joined};

/// How many codes there are.
const LEN: usize = volume::TABLE.len() + inodes::TABLE.len() + directories::TABLE.len() + counts::TABLE.len();

/// Every code, in the order of the passes.
pub const TABLE: &[Code] = &joined::<LEN>(&[volume::TABLE, inodes::TABLE, directories::TABLE, counts::TABLE]);
