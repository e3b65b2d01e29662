//! A directory of this machine: [`Local`].
//!
//! Everything is done below handles of directories (`beneath`), so no link is ever followed. A file has no name until it
//! is complete: it is written nameless (`O_TMPFILE`, see open(2)) and then linked, or the whole directory is out of sight
//! until all its files are (`unseen`). Where a filesystem can not do that, and for large files that are gone on with
//! after an interruption, it is written in [`Folder`] and renamed.

mod attributes;
mod beneath;
mod file;
mod folder;
mod standing;
mod unseen;

pub use beneath::{Beneath, is_plain};
pub use folder::{Folder, names};

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, linkat, makedev, mkdirat, mknodat, openat, renameat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use self::attributes::Maker;
use super::{Drain, Entry, Failure, Found, Half, Limits, Made, Names, ReadBack, Sink, Standing, Store, Token};
use crate::name::OWN_FOLDER;
use crate::node::Kind;

/// A directory of this machine, with all below it.
pub struct Local {
    below: Beneath,
    found: Found,
    folder: Option<Folder>,
    maker: Maker,
    name_max: usize,
    /// Directories that stood there before this run, by the hash of their path: others need not be looked into.
    older: Mutex<HashSet<[u8; 16]>>,
    /// Some directory hands down group or ACL to what is made in it.
    hands_down: AtomicBool,
    unseen: unseen::Unseen,
    ways: file::Ways,
}

/// Where something is made: a directory, and the name in it.
struct Spot<'p> {
    parent: Arc<OwnedFd>,
    name: &'p [u8],
    /// Everybody sees what is made there.
    is_seen: bool,
}

impl Local {
    /// Opens `path` as a destination, making it if it is missing, and offmount's own folder in it. `None` where another run
    /// is at work there.
    ///
    /// # Errors
    /// Those of making and opening.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(path).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
            _ => e,
        })?;
        let below = open_root(path)?;
        let held = names(below.root())?;
        let found = match held.iter().any(|name| name == OWN_FOLDER.as_bytes()) {
            true => Found::Copy,
            false if held.is_empty() => Found::Empty,
            false => Found::Other,
        };
        let Some(folder) = Folder::open(below.root(), OWN_FOLDER)? else { return Ok(None) };
        let name_max = rustix::fs::fstatvfs(below.root())?.f_namemax;
        let local = Local {
            name_max: usize::try_from(name_max).unwrap_or(255).clamp(1, 255),
            hands_down: AtomicBool::new(attributes::hands_down(below.root())),
            below,
            found,
            folder: Some(folder),
            maker: Maker::this(),
            older: Mutex::default(),
            unseen: unseen::Unseen::default(),
            ways: file::Ways::default(),
        };
        if found != Found::Empty {
            local.note_older(b"");
        }
        Ok(Some(local))
    }

    /// Opens `path` as it is, to look only.
    ///
    /// # Errors
    /// Those of opening.
    pub fn look(path: &Path) -> io::Result<Self> {
        let below = open_root(path)?;
        Ok(Local {
            below,
            found: Found::Copy,
            folder: None,
            maker: Maker::this(),
            name_max: 255,
            older: Mutex::default(),
            hands_down: AtomicBool::new(false),
            unseen: unseen::Unseen::default(),
            ways: file::Ways::default(),
        })
    }

    /// offmount's own folder; `None` where the destination is only looked at.
    pub fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }

    /// Bytes and files that still fit.
    ///
    /// # Errors
    /// Those of asking the kernel.
    pub fn room(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::fstatvfs(self.below.root())?;
        let blocks = if self.maker.is_root() { stat.f_bfree } else { stat.f_bavail };
        let files = if stat.f_files == 0 { u64::MAX } else { stat.f_ffree };
        Ok((blocks.saturating_mul(stat.f_frsize), files))
    }

    /// Bytes of a block of the destination.
    ///
    /// # Errors
    /// Those of asking the kernel.
    pub fn block_size(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstatvfs(self.below.root())?.f_frsize.max(512))
    }

    /// What stands at a path that this copy neither made nor went through.
    ///
    /// # Errors
    /// What stands there can not be looked at.
    pub fn stands_at(&self, path: &[u8]) -> Result<Option<Standing>, Failure> {
        standing::look(&self.below, path)
    }

    /// Gives what stands at `from` the path `to`, where nothing stands. Directories that are left empty go.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn move_to(&self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        let opening = |path| self.below.parent(path).map_err(|e| failed("opening its directory", e));
        let ((old, old_name), (new, new_name)) = (opening(from)?, opening(to)?);
        file::rename_new((&*old, old_name), (&*new, new_name)).map_err(|e| failed("naming it", e))?;
        let mut above = from;
        while let Some(slash) = above.iter().rposition(|&b| b == b'/') {
            above = &above[..slash];
            let (parent, name) = opening(above)?;
            if unlinkat(&*parent, name, AtFlags::REMOVEDIR).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Where what is to stand at `path` is made.
    fn spot<'p>(&self, path: &'p [u8]) -> Result<Spot<'p>, Failure> {
        if let Some((parent, name)) = self.unseen.parent(path) {
            return Ok(Spot { parent, name, is_seen: false });
        }
        let (parent, name) = self.below.parent(path).map_err(|e| failed("opening its directory", e))?;
        Ok(Spot { parent, name, is_seen: true })
    }

    fn note_older(&self, path: &[u8]) {
        self.older.lock().unwrap_or_else(PoisonError::into_inner).insert(key(path));
    }

    /// True if the directory that holds `path` stood there before this run.
    fn is_in_older(&self, path: &[u8]) -> bool {
        let parent = path.iter().rposition(|&b| b == b'/').map_or(&path[..0], |slash| &path[..slash]);
        let older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        !older.is_empty() && older.contains(&key(parent))
    }

    fn inherits(&self) -> bool {
        self.hands_down.load(Ordering::Relaxed)
    }

    /// Takes over a directory that stands there.
    fn take_over(&self, parent: &OwnedFd, name: &[u8], path: &[u8]) -> Result<(), Failure> {
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| failed("looking", e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(Failure::Stands(standing::word(stat.st_mode)));
        }
        if !self.maker.is_root() {
            attributes::unlock(parent, name, stat.st_mode).map_err(|e| failed("opening a directory", e))?;
        }
        let dir = self.below.child(parent, name, path).map_err(|e| failed("opening a directory", e))?;
        if attributes::hands_down(&dir) {
            self.hands_down.store(true, Ordering::Relaxed);
        }
        self.note_older(path);
        Ok(())
    }

    /// Makes something by `make`; where something stands there already, in its stead if `overwrite` says so.
    fn make(
        &self,
        parent: &OwnedFd,
        name: &[u8],
        overwrite: bool,
        make: impl Fn(&OwnedFd, &[u8]) -> Result<(), Errno>,
    ) -> Result<(), Failure> {
        match make(parent, name) {
            Err(Errno::EXIST) => {}
            done => return done.map_err(|e| failed("making it", e)),
        }
        let Some(folder) = self.folder.as_ref().filter(|_| overwrite) else { return Err(stands(parent, name)) };
        let (temporary, other) = folder.temporary();
        make(temporary, other.as_bytes()).map_err(|e| failed("making it", e))?;
        renameat(temporary, &*other, parent, name).map_err(|error| {
            let _ = unlinkat(temporary, &*other, AtFlags::empty());
            if error == Errno::ISDIR { Failure::Stands("a directory") } else { failed("replacing it", error) }
        })
    }
}

/// Opens a directory, and with it all below it.
///
/// # Errors
/// Those of opening.
pub fn open_root(path: &Path) -> io::Result<Beneath> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(Beneath::new(openat(rustix::fs::CWD, path, flags, Mode::empty())?))
}

fn key(path: &[u8]) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(path).as_bytes()[..16]);
    key
}

/// Judges an error of a system call.
fn failed(doing: &str, error: Errno) -> Failure {
    match error {
        Errno::LOOP | Errno::NOTDIR => Failure::Stands("a link or a file, where a directory is needed,"),
        error => Failure::of(doing, error),
    }
}

fn stands(parent: &OwnedFd, name: &[u8]) -> Failure {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
    Failure::Stands(stat.map_or("something", |stat| standing::word(stat.st_mode)))
}

impl Sink for Local {
    fn limits(&self) -> Limits {
        let finish_in_order = !self.maker.is_root();
        Limits { lanes: None, names: Names::plain(self.name_max), finish_in_order, is_far: false, packs: false }
    }

    fn standing(&self, path: &[u8]) -> Result<Option<Standing>, Failure> {
        if self.folder.is_some() && !self.is_in_older(path) {
            return Ok(None);
        }
        standing::look(&self.below, path)
    }

    fn is_older(&self, path: &[u8]) -> bool {
        self.older.lock().unwrap_or_else(PoisonError::into_inner).contains(&key(path))
    }

    fn read_back(&self, path: &[u8]) -> Result<Box<dyn ReadBack + '_>, Failure> {
        Ok(Box::new(standing::open(&self.below, path)?))
    }

    fn restore(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        let (parent, name) = self.below.parent(entry.path).map_err(|e| failed("opening its directory", e))?;
        if entry.node.kind != Kind::File {
            return Ok(self.maker.restore_at(&parent, name, entry, true));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&parent, name, flags, Mode::empty()).map_err(|e| failed("opening it", e))?;
        Ok(self.maker.restore(&file, entry, true))
    }

    fn directory(&self, entry: &Entry<'_>) -> Result<(), Failure> {
        if entry.path.is_empty() || entry.path == b"." {
            return Ok(());
        }
        let (parent, name) = self.below.parent(entry.path).map_err(|e| failed("opening its directory", e))?;
        let mut made = mkdirat(&parent, name, Mode::RWXU);
        if made == Err(Errno::EXIST) {
            match self.take_over(&parent, name, entry.path) {
                Err(Failure::Stands(_)) if entry.overwrite => {
                    unlinkat(&parent, name, AtFlags::empty()).map_err(|e| failed("replacing it", e))?;
                    made = mkdirat(&parent, name, Mode::RWXU);
                }
                taken => return taken,
            }
        }
        made.map_err(|e| failed("making a directory", e))?;
        self.below.child(&parent, name, entry.path).map_err(|e| failed("opening a directory", e))?;
        Ok(())
    }

    fn begin_whole(&self, directory: &[u8]) -> bool {
        match &self.folder {
            Some(folder) if !self.inherits() && !self.is_older(directory) => self.unseen.begin(folder, directory),
            _ => false,
        }
    }

    fn end_whole(&self, directory: &[u8]) -> Result<(), Failure> {
        let (Some(folder), Ok((parent, name))) = (&self.folder, self.below.parent(directory)) else { return Ok(()) };
        let Some(handle) = self.unseen.end(folder, directory, (&parent, name))? else { return Ok(()) };
        self.below.remember(directory, handle);
        Ok(())
    }

    fn part_size(&self, size: u64) -> Option<u64> {
        (self.folder.is_some() && size >= file::LARGE).then_some(file::PART)
    }

    fn sweep(&self, kept: &[&Token]) -> Result<(), Failure> {
        let kept: Vec<&str> = kept.iter().filter_map(|token| token.get("name")?.as_str()).collect();
        let swept = self.folder.as_ref().map_or(Ok(()), |folder| folder.sweep(&kept));
        swept.map_err(|error| Failure::of("removing a temporary", error))
    }

    fn create<'a>(&'a self, entry: &'a Entry<'a>, half: Option<&Half>) -> Result<Box<dyn Drain + 'a>, Failure> {
        Ok(Box::new(file::Writing::begin(self, entry, half)?))
    }

    fn special(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        let Spot { parent, name, .. } = self.spot(entry.path)?;
        let node = entry.node;
        let mode = Mode::from_raw_mode(u32::from(node.mode) & 0o777);
        let (major, minor) = node.device.unwrap_or_default();
        let file_type = match node.kind {
            Kind::Symlink => {
                self.make(&parent, name, entry.overwrite, |dir, name| symlinkat(entry.target, dir, name))?;
                return Ok(self.maker.restore_at(&parent, name, entry, self.inherits()));
            }
            Kind::Fifo => FileType::Fifo,
            Kind::Socket => FileType::Socket,
            Kind::CharDevice => FileType::CharacterDevice,
            Kind::BlockDevice => FileType::BlockDevice,
            Kind::File | Kind::Directory | Kind::Unknown => {
                return Err(Failure::Refused("it is of a kind that no filesystem here can hold".into()));
            }
        };
        let device = if node.device.is_some() { makedev(major, minor) } else { 0 };
        let made = self.make(&parent, name, entry.overwrite, |dir, name| mknodat(dir, name, file_type, mode, device));
        if let Err(Failure::Refused(_)) = made
            && !self.maker.is_root()
            && node.device.is_some()
        {
            return Err(Failure::Refused("making a device needs root".into()));
        }
        made?;
        Ok(self.maker.restore_at(&parent, name, entry, self.inherits()))
    }

    fn link(&self, entry: &Entry<'_>, first: &[u8]) -> Result<Made, Failure> {
        let (from, first) = self.below.parent(first).map_err(|e| failed("opening its directory", e))?;
        let (parent, name) = self.below.parent(entry.path).map_err(|e| failed("opening its directory", e))?;
        self.make(&parent, name, entry.overwrite, |dir, name| linkat(&*from, first, dir, name, AtFlags::empty()))?;
        Ok(Made::new())
    }

    fn finish_directory(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        let dir = self.below.directory(entry.path).map_err(|e| failed("opening a directory", e))?;
        Ok(self.maker.restore(&dir, entry, self.inherits()))
    }
}

impl Store for Local {
    fn found(&self) -> Found {
        self.found
    }

    fn get_own(&self, name: &str) -> Result<Option<Box<dyn Read + '_>>, Failure> {
        let path = format!("{OWN_FOLDER}/{name}");
        match standing::look(&self.below, path.as_bytes())? {
            Some(standing) if standing.kind == Kind::File => {
                Ok(Some(Box::new(standing::open(&self.below, path.as_bytes())?)))
            }
            _ => Ok(None),
        }
    }

    fn put_own(&self, name: &str, mut file: &File) -> Result<(), Failure> {
        let Some(folder) = &self.folder else {
            return Err(Failure::Refused("the destination is not open to write".into()));
        };
        let mut put = || -> io::Result<()> {
            io::Seek::rewind(&mut file)?;
            io::copy(&mut file, &mut folder.create(name)?).map(drop)
        };
        put().map_err(|error| Failure::of("writing it", error))
    }

    fn remove_own(&self, name: &str) -> Result<(), Failure> {
        let removed = self.folder.as_ref().map_or(Ok(()), |folder| folder.remove(name));
        removed.map_err(|error| Failure::of("removing it", error))
    }

    fn names(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let handle = self.below.directory(directory).map_err(|e| failed("opening a directory", e))?;
        names(&*handle).map_err(|error| Failure::of("listing a directory", error))
    }

    fn find(&self, path: &[u8]) -> Result<Option<Standing>, Failure> {
        standing::look(&self.below, path)
    }

    fn xattr(&self, path: &[u8], name: &[u8]) -> Option<Vec<u8>> {
        standing::xattr(&self.below, path, name)
    }
}
