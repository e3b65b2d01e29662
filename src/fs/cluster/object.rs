//! What a [`NodeId`] stands for.
//!
//! A file is known by the place of its short entry. A directory is known by its first cluster, so that two entries
//! which lead to one directory name one node, and a walk through crossed links ends.

use crate::node::{Kind, Node, NodeId, Trust};
use crate::time::Times;

/// What a node is known by. Places are byte offsets on the volume; entries lie at multiples of 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Object {
    /// The root directory.
    Root,
    /// What the short entry at this place describes.
    Entry(u64),
    /// The directory whose first cluster lies at this place.
    Directory(u64),
    /// The chain that begins at this place, which no entry leads to.
    Chain(u64),
}

const TAG: u64 = 31;
const DIRECTORY: u64 = 1;
const CHAIN: u64 = 2;

impl Object {
    /// What a number stands for.
    pub fn of(id: NodeId) -> Self {
        let place = id.0 & !TAG;
        match id.0 & TAG {
            _ if id.0 == 0 => Object::Root,
            DIRECTORY => Object::Directory(place),
            CHAIN => Object::Chain(place),
            _ => Object::Entry(place),
        }
    }

    /// Its number.
    pub fn id(self) -> NodeId {
        NodeId(match self {
            Object::Root => 0,
            Object::Entry(place) => place,
            Object::Directory(place) => place | DIRECTORY,
            Object::Chain(place) => place | CHAIN,
        })
    }
}

/// The node of an object of which no entry tells more.
pub fn bare_node(id: NodeId, kind: Kind, size: u64) -> Node {
    Node {
        id,
        kind,
        mode: if kind == Kind::Directory { 0o755 } else { 0o644 },
        uid: 0,
        gid: 0,
        links: 1,
        size,
        allocated: size,
        times: Times::default(),
        device: None,
        encrypted: false,
        trust: Trust::Intact,
    }
}
