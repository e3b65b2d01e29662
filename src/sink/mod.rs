//! Where copied files go: a [`Sink`] takes entries, a [`Drain`] the bytes of one file.
//!
//! [`local`] is a directory of this machine, [`tar`] a stream of tape archive members, and [`store`] tells what all
//! destinations have in common whose files can be read back, and how to add a remote one. A sink never follows a link
//! and never writes outside its destination, whatever the names it is given.

#[cfg(any(feature = "object-stores", feature = "swift", feature = "webdav"))]
mod budget;
pub mod half;
#[cfg(any(feature = "swift", feature = "webdav"))]
mod http;
pub mod key;
#[cfg(any(feature = "object-stores", feature = "swift", feature = "webdav"))]
mod lacks;
pub mod local;
#[cfg(any(feature = "object-stores", feature = "swift"))]
mod object;
#[cfg(feature = "object-stores")]
mod s3;
#[cfg(feature = "sftp")]
mod sftp;
pub mod store;
#[cfg(feature = "swift")]
mod swift;
pub mod tar;
#[cfg(any(feature = "object-stores", feature = "swift", feature = "webdav"))]
mod trust;
pub mod url;
#[cfg(feature = "webdav")]
mod webdav;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

pub use half::{Half, Mark, Token};
pub use store::{Found, Store};

use crate::bytes::Span;
use crate::node::{Kind, Node, Packed, Unkept, Xattr};
use crate::time::Time;

/// What a sink can do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Files taken at a time; `None`: as many as there are threads. A [`Store`] far away asks for more than those.
    pub lanes: Option<usize>,
    /// Which names and paths it can hold.
    pub names: Names,
    /// Directories are finished one after the other, children first: a finished one may shut us out.
    pub finish_in_order: bool,
    /// Reading back costs more than it proves: what stands there is recognised by the manifest, and by the size, the time
    /// and the ETag that the destination tells.
    pub is_far: bool,
    /// Each file costs it a request, whatever its size: small ones may go together ([`Sink::pack`]).
    pub packs: bool,
}

/// Which names and paths a destination can hold.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Longest name of one file, in bytes.
    pub longest: usize,
    /// Longest path below the destination, in bytes.
    pub longest_path: usize,
    /// Bytes that it needs for a name.
    pub length: fn(&[u8]) -> usize,
}

impl Names {
    /// As they are, in paths of any length.
    pub fn plain(longest: usize) -> Self {
        Names { longest, longest_path: usize::MAX, length: <[u8]>::len }
    }
}

/// One path to make, with all that is to be restored of it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Path below the destination, without a leading slash.
    pub path: &'a [u8],
    /// What it is.
    pub node: &'a Node,
    /// Where a symbolic link leads; empty for everything else.
    pub target: &'a [u8],
    /// Extended attributes.
    pub xattrs: &'a [Xattr],
    /// The parts of a file that hold data, in ascending order; the rest reads as zero.
    pub data: &'a [Span],
    /// Replace what stands there.
    pub overwrite: bool,
}

/// What became of an entry that was made: the attributes that the destination did not take.
pub type Made = Vec<Unkept>;

/// What became of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Committed {
    /// The attributes that the destination did not take.
    pub unkept: Made,
    /// What the destination calls its contents, where it has a name for that ([`Standing::etag`]).
    pub etag: Option<String>,
    /// Where its contents stand, if that is in an archive.
    pub packed: Option<Packed>,
}

impl From<Made> for Committed {
    fn from(unkept: Made) -> Self {
        Committed { unkept, etag: None, packed: None }
    }
}

/// Why an entry was not made.
#[derive(Debug)]
pub enum Failure {
    /// Something else stands there, and is left alone.
    Stands(&'static str),
    /// The destination is full, or its quota is used up: nothing more will fit.
    Full,
    /// The destination as a whole is gone: a pipe closed, a device pulled out.
    Gone(io::Error),
    /// It may do when tried again: a connection was lost.
    Passing(String),
    /// It may do when tried again: the server answers, and says that it can not do it now.
    Busy(String),
    /// This entry can not be made, others may.
    Refused(String),
    /// What was sent of a file is not there any more: it may do when begun anew.
    Forgotten(String),
    /// It does not go together with others: on its own it may.
    Apart,
}

impl Failure {
    /// Judges an error of a system call about one entry.
    pub fn of(doing: &str, error: impl Into<io::Error>) -> Self {
        let error = match error.into().downcast::<Failure>() {
            Ok(failure) => return failure,
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::Full,
            io::ErrorKind::BrokenPipe => Failure::Gone(error),
            _ => Failure::Refused(format!("{doing}: {error}")),
        }
    }
}

impl Failure {
    /// True where it may do when tried again.
    pub fn may_pass(&self) -> bool {
        matches!(self, Failure::Passing(_) | Failure::Busy(_))
    }

    /// Why a destination could not be opened.
    pub fn unopened(self) -> store::Unopened {
        match self {
            Failure::Gone(error) => error.to_string().into(),
            Failure::Busy(why) => store::Unopened { why, is_busy: true },
            failure => failure.to_string().into(),
        }
    }
}

impl std::error::Error for Failure {}

/// As an error of reading; [`Failure::of`] has it back.
impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        io::Error::other(failure)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Stands(what) => write!(f, "{what} stands there and was kept"),
            Failure::Full => f.write_str("the destination is full"),
            Failure::Apart => f.write_str("it does not go together with others"),
            Failure::Gone(error) => write!(f, "the destination is gone: {error}"),
            Failure::Passing(why) | Failure::Busy(why) | Failure::Refused(why) | Failure::Forgotten(why) => {
                f.write_str(why)
            }
        }
    }
}

/// What stands at a path of the destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
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
    /// Contents last changed.
    pub modified: Time,
    /// Tells files apart: the same for two names of one file.
    pub identity: (u64, u64),
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    /// Where a symbolic link leads.
    pub target: Vec<u8>,
    /// What the destination calls the contents of a file: the same as long as they are. `None` where it has no such name.
    /// With `W/` before it, it is made of size and time, and tells nothing of contents that decayed.
    pub etag: Option<String>,
}

/// Reads a file that stands in a destination.
pub trait ReadBack {
    /// Reads at an offset, as much as comes at once; 0 at the end. Offsets mostly ascend.
    ///
    /// # Errors
    /// Those of reading.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ReadBack for File {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

/// Takes entries, from many threads at once. Directories come before what is in them, and are finished after it.
pub trait Sink: Sync {
    /// What it can do.
    fn limits(&self) -> Limits;

    /// What stands at a path already, if anything does. Never follows a link.
    ///
    /// # Errors
    /// [`Failure`].
    fn standing(&self, _path: &[u8]) -> Result<Option<Standing>, Failure> {
        Ok(None)
    }

    /// True for a directory that stood there before this run.
    fn is_older(&self, _path: &[u8]) -> bool {
        false
    }

    /// Opens a file that stands at a path, to read it. Never follows a link.
    ///
    /// # Errors
    /// [`Failure`].
    fn read_back(&self, _path: &[u8]) -> Result<Box<dyn ReadBack + '_>, Failure> {
        Err(Failure::Refused("the destination can not be read".into()))
    }

    /// Restores the attributes of something that stands there already and is no directory.
    ///
    /// # Errors
    /// [`Failure`].
    fn restore(&self, _entry: &Entry<'_>) -> Result<Made, Failure> {
        Ok(Made::new())
    }

    /// Makes a directory, or finds it there. Its attributes are left to [`Sink::finish_directory`].
    ///
    /// # Errors
    /// [`Failure`].
    fn directory(&self, entry: &Entry<'_>) -> Result<(), Failure>;

    /// Begins to make all that is in a directory of this run, one entry after the other: files, then, need no other name
    /// until they are complete, for the directory appears when all of them are. False where that makes no difference.
    fn begin_whole(&self, _directory: &[u8]) -> bool {
        false
    }

    /// Makes a directory appear, with all that was made in it since [`Sink::begin_whole`].
    ///
    /// # Errors
    /// [`Failure`]. Nothing of it is there then.
    fn end_whole(&self, _directory: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    /// Begins a pack: of files that are made in it those of at most `longest` bytes go together. `None` where each is as well
    /// on its own.
    fn pack(&self, _longest: u64) -> Option<Box<dyn Pack + '_>> {
        None
    }

    /// In parts of how many bytes a file of this size is sent, if it can be gone on with after an interruption.
    fn part_size(&self, _size: u64) -> Option<u64> {
        None
    }

    /// Called before anything is made: what half-sent files are in the destination and not in `kept` is of no use to anyone,
    /// and is cleared away. Called again at the end: then what this run left; what others began since, they may be sending.
    ///
    /// # Errors
    /// [`Failure`].
    fn sweep(&self, _kept: &[&Token]) -> Result<(), Failure> {
        Ok(())
    }

    /// Begins a file, or goes on with `half` of it, if that is still there. Nothing stands under its name until the drain
    /// is committed.
    ///
    /// # Errors
    /// [`Failure`].
    fn create<'a>(&'a self, entry: &'a Entry<'a>, half: Option<&Half>) -> Result<Box<dyn Drain + 'a>, Failure>;

    /// Makes a symbolic link, named pipe, socket or device.
    ///
    /// # Errors
    /// [`Failure`].
    fn special(&self, entry: &Entry<'_>) -> Result<Made, Failure>;

    /// Makes `entry` a second name of the entry made at `first`.
    ///
    /// # Errors
    /// [`Failure`].
    fn link(&self, entry: &Entry<'_>, first: &[u8]) -> Result<Made, Failure>;

    /// Restores the attributes of a directory: nothing more will be made in it, nor in those below it.
    ///
    /// # Errors
    /// [`Failure`].
    fn finish_directory(&self, entry: &Entry<'_>) -> Result<Made, Failure>;
}

/// Bytes of a pack at most: far more than what a request costs besides, and few enough to be held by every lane, and to be
/// sent again.
pub const PACK: u64 = 2 << 20;

/// Gathers small files in an archive, one after the other, and makes all else where it belongs. What was gathered is in the
/// destination once it is sent.
pub trait Pack: Sink {
    /// Sends what was gathered; `None` where nothing was.
    ///
    /// # Errors
    /// [`Failure`]. Nothing of it is there then.
    fn send(self: Box<Self>) -> Result<Option<Sent>, Failure>;
}

/// An archive of small files that is in the destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Its name in the folder of packs.
    pub pack: String,
    /// What the destination calls its contents.
    pub etag: Option<String>,
}

/// Takes the bytes of one file. Dropped before it is committed or suspended, it leaves nothing behind.
pub trait Drain {
    /// What finds the file again if it is left half-sent; null where it can not be gone on with.
    fn token(&self) -> Token {
        Token::Null
    }

    /// Bytes from the start of the file, holes counted, that the destination holds already: the end of one of the marks of
    /// the [`Half`] that was gone on with, or 0. Writing begins there.
    fn held(&self) -> u64 {
        0
    }

    /// Whether the bytes at an offset below [`Drain::held`] are these, as far as looking costs little. They are the
    /// source's; that they are those that were sent is proved already, by the journal.
    ///
    /// # Errors
    /// [`Failure`].
    fn holds(&mut self, _offset: u64, _bytes: &[u8]) -> Result<bool, Failure> {
        Ok(true)
    }

    /// Writes bytes at an offset; offsets ascend. What is never written reads as zero.
    ///
    /// # Errors
    /// [`Failure`].
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure>;

    /// The parts that the destination took for good since this was last asked. Never waits. Asked after every part.
    ///
    /// # Errors
    /// [`Failure`].
    fn taken(&mut self) -> Result<Vec<Mark>, Failure> {
        Ok(Vec::new())
    }

    /// Leaves the file half-sent, for [`Sink::create`] to go on with.
    fn suspend(self: Box<Self>) {}

    /// Restores the attributes and makes the file appear under its name, whole.
    ///
    /// # Errors
    /// [`Failure`].
    fn commit(self: Box<Self>) -> Result<Committed, Failure>;
}
