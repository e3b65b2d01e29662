//! What a search found, in the form the reader asks for it: [`Remains`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::number::{BlockNr, InodeNr};
use crate::node::{Entry, NodeId, Trust};

/// Whose a block is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// An inode's in use.
    InUse,
    /// An inode's of which nothing else is left.
    Lost,
}

/// What a search of the whole volume found.
#[derive(Clone, Default)]
pub struct Remains {
    /// Better records of inodes: older copies, and ones made up for directories of which only the blocks are left.
    pub inodes: HashMap<InodeNr, Arc<[u8]>>,
    /// How far what was found for, or out about, an inode can be trusted.
    pub trust: HashMap<InodeNr, Trust>,
    /// Older versions of metadata blocks, the newest first, for where the one on the disk is wrong.
    pub blocks: HashMap<BlockNr, Vec<Arc<[u8]>>>,
    /// Entries that belong to a directory beside those its blocks hold.
    pub entries: HashMap<InodeNr, Vec<Entry>>,
    /// Blocks that a directory maps and that are another inode's: they are not listed.
    pub foreign: BTreeSet<(InodeNr, BlockNr)>,
    /// Leaves of extent trees that the inode's own map does not lead to, in the order of the file.
    pub leaves: HashMap<InodeNr, Vec<BlockNr>>,
    /// Nodes of extent trees of which it shows whose they are.
    pub nodes: HashMap<BlockNr, Owner>,
    /// The parents of directories whose `..` is lost.
    pub parents: HashMap<InodeNr, NodeId>,
    /// Directories made up to hold entries of which the directory is not known: numbers that no inode has.
    pub made_up: BTreeSet<InodeNr>,
    /// What was found, one sentence each.
    pub decisions: Vec<String>,
}
