//! What is wrong with a disk: a [`Finding`] is a row of a code table ([`Code`]), a [`Place`] and the facts; a [`Log`]
//! collects them.
//!
//! Errors are about our run; findings are about their disk.

mod code;
mod log;

pub use code::{Code, Row, Severity};
pub(crate) use code::{codes, joined};
pub use log::Log;

use serde::Serialize;

use crate::bytes::Span;

/// Where on the disk. Findings are listed in ascending order of place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
pub struct Place {
    /// Block group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<u64>,
    /// Inode number, or the filesystem's own number of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// Block or cluster number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
    /// Bytes of the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Path within the volume, filled in where it is known; lossy where the name is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Place {
    /// The volume as a whole.
    pub fn volume() -> Self {
        Place::default()
    }

    /// A block group.
    pub fn group(group: u64) -> Self {
        Place { group: Some(group), ..Place::default() }
    }

    /// An inode.
    pub fn inode(inode: u64) -> Self {
        Place { inode: Some(inode), ..Place::default() }
    }

    /// The same place, with a block number.
    pub fn at_block(self, block: u64) -> Self {
        Place { block: Some(block), ..self }
    }

    /// The same place, with the bytes concerned.
    pub fn at(self, span: Span) -> Self {
        Place { span: Some(span), ..self }
    }
}

/// What a finding costs the owner of the disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
pub struct Cost {
    /// Files touched.
    pub files: u64,
    /// Bytes of file contents lost or in doubt.
    pub bytes: u64,
}

/// One thing wrong at one place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// Which row of the table.
    pub code: Code,
    /// Where.
    pub place: Place,
    /// What was found, in a few words ("checksum 1234abcd").
    pub found: String,
    /// What was expected, in a few words ("00ff00ff"); empty where the code says it all.
    pub expected: String,
    /// What it costs, as far as known.
    pub cost: Cost,
    /// The system's own checker gives up before it comes to this, and so does not report it.
    pub unreached: bool,
}

impl Finding {
    /// A finding that costs nothing known yet.
    pub fn new(code: Code, place: Place, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Finding { code, place, found: found.into(), expected: expected.into(), cost: Cost::default(), unreached: false }
    }

    /// The same finding with its cost.
    pub fn costing(self, files: u64, bytes: u64) -> Self {
        Finding { cost: Cost { files, bytes }, ..self }
    }
}
