//! What came of a copy.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use crate::manifest::Status;
use crate::node::{Kind, Trust};
use crate::source::SourceGone;

/// How many problems an outcome names; the others are counted, and stand in the manifest.
pub(super) const NAMED: usize = 10_000;

/// Exact counts of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Paths copied (or planned, in a dry run), by kind.
    pub copied: BTreeMap<Kind, u64>,
    /// Of these, second and further names of a file.
    pub hard_links: u64,
    /// Bytes of file contents copied: what was read, without holes.
    pub bytes: u64,
    /// Paths that stood there already.
    pub already_there: u64,
    /// Paths where something different stood, and was kept.
    pub kept: u64,
    /// Paths that could not be made.
    pub failed: u64,
    /// Paths not reached before the run stopped.
    pub left: u64,
    /// Paths copied that are not intact, by trust.
    pub trust: BTreeMap<Trust, u64>,
    /// Bytes lost in files copied.
    pub lost: u64,
    /// Attributes that the destination did not take, by name (`owner`, `user.tag`), in paths.
    pub unkept: BTreeMap<String, u64>,
    /// Paths that got another name, as the destination can not hold theirs.
    pub renamed: u64,
    /// Files that `B3SUMS` can not name.
    pub unnamed_in_sums: u64,
    /// Files whose holes were too large to be hashed.
    pub unhashed: u64,
    /// Files copied whose contents are in archives of small files.
    pub packed: u64,
    /// Paths left out by `--exclude`, `--newer` and `--max-size`.
    pub filtered: u64,
}

impl Counts {
    /// Paths copied, of all kinds.
    pub fn total_copied(&self) -> u64 {
        self.copied.values().sum()
    }

    /// Adds those of another worker.
    pub fn merge(&mut self, other: Counts) {
        let Counts { copied, hard_links, bytes, already_there, kept, failed, left, trust, lost, unkept, .. } = other;
        add_all(&mut self.copied, copied);
        add_all(&mut self.trust, trust);
        add_all(&mut self.unkept, unkept);
        self.hard_links += hard_links;
        self.bytes += bytes;
        self.already_there += already_there;
        self.kept += kept;
        self.failed += failed;
        self.left += left;
        self.lost += lost;
        self.renamed += other.renamed;
        self.unnamed_in_sums += other.unnamed_in_sums;
        self.unhashed += other.unhashed;
        self.packed += other.packed;
        self.filtered += other.filtered;
    }
}

fn add_all<K: Ord>(ours: &mut BTreeMap<K, u64>, theirs: BTreeMap<K, u64>) {
    for (key, n) in theirs {
        *ours.entry(key).or_default() += n;
    }
}

/// One path that is not whole in the destination, or not where it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Path in the destination (or as asked for, where it is not there at all).
    pub path: Vec<u8>,
    /// What became of it; `None` where a path asked for does not exist.
    pub status: Option<Status>,
    /// What is wrong, in words.
    pub what: String,
}

/// Why a run stopped before its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// The destination is full.
    Full,
    /// The user asked to stop.
    Interrupted,
    /// The time given is over.
    Deadline,
    /// The source can not be read any more.
    SourceGone(SourceGone),
    /// The destination can not be written any more.
    DestinationGone(String),
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Full => f.write_str("the destination is full"),
            Stopped::Interrupted => f.write_str("interrupted"),
            Stopped::Deadline => f.write_str("the time given is over"),
            Stopped::SourceGone(gone) => gone.fmt(f),
            Stopped::DestinationGone(why) => write!(f, "the destination can not be written any more: {why}"),
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many of what.
    pub counts: Counts,
    /// What is not whole, in order of the manifest; the first 10,000.
    pub problems: Vec<Problem>,
    /// Worth saying, and no problem: names that had to change, mount points that hid files.
    pub notes: Vec<String>,
    /// Why it stopped early, if it did.
    pub stopped: Option<Stopped>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Outcome {
    /// True if everything asked for is in the destination, whole: exit status 0, else 1.
    pub fn is_complete(&self) -> bool {
        let doubtful = self.counts.trust.iter().any(|(trust, n)| *trust >= Trust::Partial && *n > 0);
        self.stopped.is_none() && self.problems.is_empty() && !doubtful
    }
}

/// Why a run could not begin, or its manifest could not be written: exit status 2.
#[derive(Debug)]
pub enum Error {
    /// The destination lies on the disk that is read.
    OnSource(String),
    /// The destination has too little room.
    NoRoom {
        /// `bytes` or `files`.
        of: &'static str,
        /// How many would be written.
        needed: u64,
        /// For how many there is room.
        free: u64,
    },
    /// Another run is writing to the destination.
    Busy,
    /// A glob is not one.
    BadGlob(String),
    /// The source can not be read any more.
    Gone(SourceGone),
    /// What could not be done with the destination, and why.
    Destination(String, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::OnSource(why) => write!(f, "the destination lies on the disk that is read: {why}"),
            Error::NoRoom { of, needed, free } => {
                write!(f, "the destination has room for {free} {of}, and {needed} are needed")
            }
            Error::Busy => f.write_str("another run is writing to the destination"),
            Error::BadGlob(why) => f.write_str(why),
            Error::Gone(gone) => gone.fmt(f),
            Error::Destination(doing, error) => write!(f, "{doing}: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<SourceGone> for Error {
    fn from(gone: SourceGone) -> Self {
        Error::Gone(gone)
    }
}
