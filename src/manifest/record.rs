//! The record of one path of the destination: [`Record`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bytes::Span;
use crate::finding::Finding;
use crate::node::{Kind, Node, NodeId, Packed, Trust, Unkept, Xattr};
use crate::time::Times;

use super::Digests;

/// What became of a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Copied by this run.
    #[default]
    Copied,
    /// Stood there already, the same as it would be copied.
    AlreadyThere,
    /// Something different stood there and was kept.
    Kept,
    /// Could not be made; the reason says why.
    Failed,
    /// Not reached before the run stopped.
    Left,
    /// Would be copied (`--dry-run`).
    Planned,
}

/// What is wrong with one file, as text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Flaw {
    /// The finding's stable name.
    pub code: String,
    /// What was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub found: String,
    /// What was expected.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
}

impl From<&Finding> for Flaw {
    fn from(finding: &Finding) -> Self {
        Flaw { code: finding.code.id.into(), found: finding.found.clone(), expected: finding.expected.clone() }
    }
}

/// One path of the destination: what it is, where it came from, and what proves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Path below the destination, without a leading slash; `.` for the destination itself.
    pub path: Vec<u8>,
    /// Name of the volume it came from.
    pub volume: Arc<str>,
    /// Path within that volume, where it is another than `path`.
    pub source: Option<Vec<u8>>,
    /// The filesystem's number of the file; the same for all hard links to it.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Hard links, as the inode counts them.
    pub links: u32,
    /// All times that the filesystem records.
    pub times: Times,
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    /// Where a symbolic link leads.
    pub target: Option<Vec<u8>>,
    /// Extended attributes.
    pub xattrs: Vec<Xattr>,
    /// Hashes of the content, of files only.
    pub digests: Digests,
    /// BLAKE3 of the data without the holes, instead of the hashes of a file that is nearly all hole.
    pub data_blake3: Option<[u8; 32]>,
    /// Where the content was read: offset in the file, offset on the image, length. Holes are left out.
    pub extents: Vec<(u64, u64, u64)>,
    /// The parts of the file that hold data and were written; only for those with `data_blake3`.
    pub data: Vec<Span>,
    /// Bytes of the file that could not be read, and are zero in the copy.
    pub lost: Vec<Span>,
    /// What is wrong with it.
    pub findings: Vec<Flaw>,
    /// How far it can be trusted.
    pub trust: Trust,
    /// What became of it.
    pub status: Status,
    /// Why, where it was not copied.
    pub reason: Option<String>,
    /// What the destination did not take.
    pub unkept: Vec<Unkept>,
    /// What the destination calls the contents, where it has a name for that; of a file in a pack, those of the pack.
    pub etag: Option<String>,
    /// The archive in which the destination holds the contents, where that is no file of its own.
    pub packed: Option<Packed>,
}

impl Record {
    /// True where the destination has no such thing, and nothing stands at its path.
    pub fn is_in_manifest_alone(&self) -> bool {
        self.unkept.iter().any(|unkept| unkept.what == Unkept::ITSELF)
    }

    /// The file's metadata, as far as a destination needs it.
    pub fn node(&self) -> Node {
        Node {
            id: NodeId(self.inode),
            kind: self.kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            links: self.links,
            size: self.size,
            allocated: 0,
            times: self.times,
            device: self.device,
            encrypted: false,
            trust: self.trust,
        }
    }
}
