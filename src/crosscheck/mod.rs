//! A second, independent reader: [`cross_check`] reads every path and content of a volume again with someone else's
//! code and compares kind, size and BLAKE3 hash.
//!
//! Reading with two implementations is standard practice where evidence matters. The second readers ([`PEERS`]) are
//! stricter than ours and know less: what they are known not to do is [`Verdict::CannotJudge`], never
//! [`Verdict::Differs`]. They may panic, loop or try to write on a damaged volume: each call is caught, metered, and
//! refused the writes.

mod compare;
mod ext;
mod fat;
mod guarded;
mod metered;

pub use compare::{Request, cross_check};
pub use metered::{Meter, Metered};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::node::{Kind, Mapping, Node};
use crate::source::Source;

/// Every second reader, one a driver.
pub const PEERS: &[&Peer] = &[&ext::EXT4_VIEW, &fat::FATFS];

/// What is known of a second reader before it opens a volume.
pub struct Peer {
    /// Its name and version.
    pub name: &'static str,
    /// Name of the [`Driver`](crate::fs::Driver) whose volumes it reads.
    pub driver: &'static str,
    /// Opens a volume as it lies on the disk. The reader reads through a [`Metered`] with this meter.
    pub open: fn(&Source, Arc<Meter>) -> Opened,
    /// Why it can not name this node, or any path below it, though nothing is wrong with it.
    pub node_limit: fn(&Node) -> Option<&'static str>,
    /// Why it can not read these contents as they are, though nothing is wrong with them.
    pub content_limit: fn(&Mapping) -> Option<&'static str>,
}

/// What opening a volume gave.
pub type Opened = Result<Box<dyn Reader>, Refusal>;

/// A volume opened by a second reader; one instance per worker thread. Paths have no leading slash.
pub trait Reader {
    /// What a directory holds, without `.` and `..`.
    fn list(&mut self, dir: &[u8]) -> Result<Vec<Seen>, Refusal>;

    /// Hands over the contents of a file, or the target of a symbolic link, piece by piece, until told to stop.
    fn read(&mut self, path: &[u8], kind: Kind, visit: &mut Visit<'_>) -> Result<(), Refusal>;
}

/// Takes a piece of a file's contents.
pub type Visit<'v> = dyn FnMut(&[u8]) -> ControlFlow<()> + 'v;

/// An entry of a directory as a second reader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The name's bytes.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Length in bytes of a file; `None` where the reader does not say, or for other kinds.
    pub size: Option<u64>,
}

/// Why a second reader gave no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It does not know how: a feature, a limit of its own.
    Limit(String),
    /// It says that the volume is wrong there, or that the path is not.
    Fault(String),
}

/// What the comparison of one path came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Both readers say the same.
    Agrees,
    /// They do not, and neither damage nor a known limit explains it.
    Differs(Difference),
    /// The second reader is known not to be able to tell.
    CannotJudge {
        /// Why, in a few words.
        reason: String,
    },
}

/// In what two readers differ.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Difference {
    /// Only ours lists it.
    Missing,
    /// Only the second lists it.
    Extra,
    /// Ours is a [`Kind`], theirs another.
    Kind(Kind, Kind),
    /// Ours is so many bytes long, theirs so many.
    Size(u64, u64),
    /// Ours has this BLAKE3 hash, theirs this.
    Content(String, String),
    /// The second reader refuses what ours reads without complaint.
    Refused(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing => f.write_str("the second reader does not list it"),
            Difference::Extra => f.write_str("only the second reader lists it"),
            Difference::Kind(ours, theirs) => write!(f, "read as {ours:?}, the second reader says {theirs:?}"),
            Difference::Size(ours, theirs) => write!(f, "{ours} bytes, the second reader says {theirs}"),
            Difference::Content(ours, theirs) => write!(f, "contents hash to {ours}, the second reader's to {theirs}"),
            Difference::Refused(why) => write!(f, "the second reader refuses it: {why}"),
        }
    }
}

/// What comparing a volume came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison {
    /// Name and version of the second reader; `None` where there is none for this kind of filesystem.
    pub reader: Option<&'static str>,
    /// Paths on which both agree.
    pub agreed: u64,
    /// Bytes of contents on which both agree.
    pub bytes: u64,
    /// Paths on which they differ.
    pub differing: u64,
    /// The first of these by path, at most [`Comparison::KEPT`].
    pub differences: BTreeSet<(Vec<u8>, Difference)>,
    /// How many paths the second reader could not judge, by reason.
    pub unjudged: BTreeMap<String, u64>,
    /// Writes that the second reader tried, and that were refused.
    pub writes_refused: u64,
}

impl Comparison {
    /// How many differences are kept; all are counted.
    pub const KEPT: usize = 100;

    fn new(reader: Option<&'static str>) -> Self {
        Comparison {
            reader,
            agreed: 0,
            bytes: 0,
            differing: 0,
            differences: BTreeSet::new(),
            unjudged: BTreeMap::new(),
            writes_refused: 0,
        }
    }

    /// True if no path differs. Those that could not be judged do not count against it.
    pub fn agrees(&self) -> bool {
        self.differing == 0
    }

    /// How many paths could not be judged.
    pub fn unjudged_paths(&self) -> u64 {
        self.unjudged.values().sum()
    }

    fn add(&mut self, path: Vec<u8>, verdict: Verdict) {
        match verdict {
            Verdict::Agrees => self.agreed += 1,
            Verdict::CannotJudge { reason } => *self.unjudged.entry(reason).or_default() += 1,
            Verdict::Differs(difference) => {
                self.differing += 1;
                self.differences.insert((path, difference));
                self.trim();
            }
        }
    }

    fn merge(&mut self, other: Comparison) {
        self.agreed += other.agreed;
        self.bytes += other.bytes;
        self.differing += other.differing;
        self.differences.extend(other.differences);
        self.trim();
        for (reason, count) in other.unjudged {
            *self.unjudged.entry(reason).or_default() += count;
        }
        self.writes_refused += other.writes_refused;
    }

    fn trim(&mut self) {
        while self.differences.len() > Self::KEPT {
            self.differences.pop_last();
        }
    }
}
