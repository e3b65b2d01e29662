//! A destination that can be looked at, read back and gone on with: [`Store`], and how one is opened by its URL, [`open()`].
//!
//! # How to add a remote destination
//! 1. One folder or file in `sink/`, behind a feature; the type implements [`Sink`] and [`Store`], and nothing
//!    outside that folder names the client library. Where that library is asynchronous, the runtime lives in there too.
//! 2. One row in [`SCHEMES`] and one arm in [`open()`].
//! 3. What can pass is [`Failure::Passing`] (a connection lost, or over which nothing moves for [`Options::stall`]) or
//!    [`Failure::Busy`] (a server's 5xx): the copy waits and tries again, so a sink need not. What can not pass is [`Failure::Gone`] where it stops everything (credentials, a bucket
//!    that is missing), [`Failure::Full`] for a quota, [`Failure::Refused`] where it befalls one file.
//! 4. An attribute that the destination does not keep is told as [`Unkept`](crate::node::Unkept); the manifest keeps it.
//!    Of a file that it can not hold at all (a device), that is [`Unkept::ITSELF`](crate::node::Unkept::ITSELF).
//! 5. The manifest is written on this machine while the copy runs (in its state folder), and given to
//!    [`Store::put_own`] at the end, also where the run stopped early. A run that finds no state here asks
//!    [`Store::get_own`] for what an earlier one left, also for the pieces that one left which never came to an end. offmount's own files go to `.offmount/` below the destination.
//! 6. Where each request costs far more than the bytes of a small file, [`Sink::pack`] takes many at a time, and
//!    [`Limits::packs`](super::Limits::packs) says so.
//! 7. Files of at least two parts are resumed: [`super::half`] tells how.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use super::url::Url;
use super::{Failure, Sink, Standing};
use crate::name::OWN_FOLDER;

/// How a destination was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// It was missing or empty.
    Empty,
    /// It holds an earlier copy, with offmount's own folder.
    Copy,
    /// It holds something else.
    Other,
}

/// A digest as a destination computed it.
pub type Digest = Vec<u8>;

/// A [`Sink`] whose files stay where they are: they can be looked at, read back, and added to by another run.
pub trait Store: Sink + Send {
    /// How it was found.
    fn found(&self) -> Found;

    /// One of offmount's own files, by its name in the folder; `None` where there is none.
    ///
    /// # Errors
    /// [`Failure`].
    fn get_own(&self, name: &str) -> Result<Option<Box<dyn Read + '_>>, Failure>;

    /// Puts one of offmount's own files in its folder, in place of what has the name. Read from the file's start.
    ///
    /// # Errors
    /// [`Failure`].
    fn put_own(&self, name: &str, file: &File) -> Result<(), Failure>;

    /// Removes one of offmount's own files, if it is there.
    ///
    /// # Errors
    /// [`Failure`].
    fn remove_own(&self, name: &str) -> Result<(), Failure>;

    /// The names of offmount's own files, as they are now. The folder is there.
    ///
    /// # Errors
    /// [`Failure`].
    fn own_names(&self) -> Result<Vec<Vec<u8>>, Failure> {
        self.names(OWN_FOLDER.as_bytes())
    }

    /// The names in a directory of the destination; the empty path is its top. `.offmount` may be among them.
    ///
    /// # Errors
    /// [`Failure`].
    fn names(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, Failure>;

    /// What stands at a path, also where this run has not been. Never follows a link.
    ///
    /// # Errors
    /// [`Failure`].
    fn find(&self, path: &[u8]) -> Result<Option<Standing>, Failure> {
        self.standing(path)
    }

    /// The value of an extended attribute; `None` where there is none of this name.
    fn xattr(&self, _path: &[u8], _name: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// Which of the algorithms `wanted` (`blake3`, `sha256`, `sha1`, `md5`) [`Store::hash_there`] computes, if any.
    fn hashes_there<'n>(&self, _wanted: &[&'n str]) -> Option<&'n str> {
        None
    }

    /// Digests of files, computed where they are and not sent here; `None` for one that could not be.
    ///
    /// # Errors
    /// [`Failure`].
    fn hash_there(&self, paths: &[&[u8]], _algorithm: &str) -> Result<Vec<Option<Digest>>, Failure> {
        Ok(vec![None; paths.len()])
    }
}

/// A number that no other run has, of another machine either: what is half sent is known by it.
#[cfg(any(feature = "sftp", feature = "webdav"))]
pub(super) fn run_number() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32) // only to be different
}

/// What a user may say about remote destinations, besides the URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The command in place of `ssh`, with its arguments.
    pub ssh: Option<String>,
    /// Only look: nothing is made, not even a directory.
    pub look_only: bool,
    /// A connection over which nothing has moved for so long is lost. A slow one, over which something moves, is not.
    pub stall: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { ssh: None, look_only: false, stall: Duration::from_secs(60) }
    }
}

/// A scheme, the feature that brings it, whether this program was built with it, and its form.
type Row = (&'static str, &'static str, bool, &'static str);

/// All schemes there are.
pub const SCHEMES: &[Row] = &[
    ("sftp", "sftp", cfg!(feature = "sftp"), "sftp://[USER@]HOST[:PORT]/PATH"),
    ("s3", "object-stores", cfg!(feature = "object-stores"), "s3://BUCKET/PREFIX"),
    ("gs", "object-stores", cfg!(feature = "object-stores"), "gs://BUCKET/PREFIX"),
    ("az", "object-stores", cfg!(feature = "object-stores"), "az://CONTAINER/PREFIX"),
    ("swift", "swift", cfg!(feature = "swift"), "swift://CONTAINER/PREFIX"),
    ("webdavs", "webdav", cfg!(feature = "webdav"), "webdavs://[USER@]HOST[:PORT]/PATH"),
    ("webdav", "webdav", cfg!(feature = "webdav"), "webdav://[USER@]HOST[:PORT]/PATH (not encrypted)"),
];

/// Why a destination could not be opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unopened {
    /// What is wrong and what to do, in words.
    pub why: String,
    /// The server is there, and says that it can not do it now: it may do when tried again.
    pub is_busy: bool,
}

impl From<String> for Unopened {
    fn from(why: String) -> Self {
        Unopened { why, is_busy: false }
    }
}

/// Opens a remote destination.
///
/// # Errors
/// In words: an unknown scheme, a host that can not be reached, credentials that are refused.
pub fn open(url: &Url, options: &Options) -> Result<Box<dyn Store>, Unopened> {
    // Without any feature there is nothing to look for.
    let _ = options;
    match url.scheme.as_str() {
        #[cfg(feature = "object-stores")]
        "s3" | "gs" | "az" => super::s3::open(url, options),
        #[cfg(feature = "swift")]
        "swift" => super::swift::open(url, options),
        #[cfg(feature = "webdav")]
        "webdav" | "webdavs" => super::webdav::open(url, options),
        #[cfg(feature = "sftp")]
        "sftp" => Ok(Box::new(super::sftp::Sftp::open(url, options)?)),
        scheme => Err(unknown(scheme).into()),
    }
}

fn unknown(scheme: &str) -> String {
    if let Some((_, feature, ..)) = SCHEMES.iter().find(|row| row.0 == scheme) {
        return format!("this offmount was built without {scheme}:// (cargo feature `{feature}`)");
    }
    let known: Vec<&str> = SCHEMES.iter().filter(|row| row.2).map(|row| row.3).collect();
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    format!("{scheme}:// is no destination that offmount knows; there are DIR, tar:FILE, and of URLs: {known}")
}
