//! What a copy is asked to do.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::manifest::{Algorithm, Image};
use crate::node::NodeId;
use crate::sink::Store;
use crate::time::Time;
use crate::tree::Tree;

/// A tree of files to copy, and where it goes.
pub struct Part<'a> {
    /// The files.
    pub tree: &'a Tree,
    /// Name of the volume, as records give it.
    pub volume: String,
    /// Where on the image the volume begins, in bytes.
    pub start: u64,
    /// Where the tree's root goes in the destination, without a leading slash; empty for the top.
    pub at: Vec<u8>,
    /// Path, within the volume, of the tree's root; empty for the volume's root.
    pub source: Vec<u8>,
}

/// Which files. An empty selection is everything.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Paths in the destination's layout (the server's own paths), with everything below them; where no such path
    /// exists and it holds `*`, `?` or `[`, a glob. Empty: everything.
    pub paths: Vec<Vec<u8>>,
    /// Globs of what is left out, with everything below: against the whole path where they hold a slash, else against
    /// every name.
    pub exclude: Vec<String>,
    /// Only files modified after this.
    pub newer: Option<Time>,
    /// Only files of at most so many bytes.
    pub max_size: Option<u64>,
    /// Only these, directories without what is in them.
    pub only: Option<Chosen>,
}

/// Files chosen one by one: nodes, by the name of their volume.
pub type Chosen = BTreeMap<String, BTreeSet<NodeId>>;

/// Hashes computed besides BLAKE3, which always is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hashes {
    /// SHA-256.
    pub sha256: bool,
    /// SHA-1.
    pub sha1: bool,
    /// MD5.
    pub md5: bool,
}

impl Hashes {
    /// Asks for one more.
    pub fn add(&mut self, algorithm: Algorithm) {
        match algorithm {
            Algorithm::Blake3 => {}
            Algorithm::Sha256 => self.sha256 = true,
            Algorithm::Sha1 => self.sha1 = true,
            Algorithm::Md5 => self.md5 = true,
        }
    }

    /// True if an algorithm is computed.
    pub fn has(self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Blake3 => true,
            Algorithm::Sha256 => self.sha256,
            Algorithm::Sha1 => self.sha1,
            Algorithm::Md5 => self.md5,
        }
    }

    /// The algorithms computed.
    pub fn algorithms(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |&algorithm| self.has(algorithm))
    }
}

/// What comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// As it lies on the disk: the fastest.
    #[default]
    Physical,
    /// What matters most on a server ([`super::worth`]).
    Worth,
    /// Small files: the most files in the least time.
    SmallFirst,
    /// What was changed last.
    Newest,
}

/// What to copy and how.
pub struct Request<'a> {
    /// The trees; where one stands inside another (a mount point), its own root takes the place.
    pub parts: Vec<Part<'a>>,
    /// Which of their files.
    pub selection: Selection,
    /// Which hashes.
    pub hashes: Hashes,
    /// Replace files that differ.
    pub overwrite: bool,
    /// Change nothing, only say what would be copied.
    pub dry_run: bool,
    /// What comes first.
    pub order: Order,
    /// When to stop and say what is left.
    pub deadline: Option<Instant>,
    /// Bytes a second at most.
    pub bandwidth: Option<u64>,
    /// How long to try again what may pass, while nothing gets through.
    pub patience: Duration,
    /// How often what was copied so far is put on record in a destination on another machine too.
    pub checkpoint: Duration,
    /// Send files of at most so many bytes together in archives, where the destination can ([`crate::sink::Limits::packs`]).
    pub pack: Option<u64>,
    /// How many threads; `None`: one a core.
    pub threads: Option<usize>,
    /// Refuse to begin where the destination has too little room.
    pub check_space: bool,
    /// What is read, for the manifest.
    pub image: Image,
    /// Path of the image or device, to refuse a destination on it; `None` where there is none.
    pub image_path: Option<PathBuf>,
    /// What was asked for, by name of the option, for the manifest's header.
    pub options: BTreeMap<String, String>,
}

/// Where the copy goes.
pub enum Destination {
    /// A directory, made if it is missing.
    Directory(PathBuf),
    /// A pax tar stream.
    Tar(Box<dyn Write + Send>),
    /// Another machine or service.
    Remote {
        /// It, opened.
        store: Box<dyn Store>,
        /// The directory of this machine that keeps manifest and journal while the copy runs, made if it is missing.
        state: PathBuf,
    },
}
