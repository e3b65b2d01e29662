//! A file on its way: nameless until it is complete.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, ftruncate, linkat, openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::{Errno, pwrite};

use super::super::{Committed, Drain, Entry, Failure};
use super::{Folder, Local, failed, stands};

/// What the destination's filesystem turned out to be able to do; all of it until it refuses.
pub struct Ways {
    /// `O_TMPFILE`: files without a name.
    nameless: AtomicBool,
    /// `linkat` with `AT_EMPTY_PATH`, which needs root before Linux 6.10.
    by_handle: AtomicBool,
}

impl Default for Ways {
    fn default() -> Self {
        Ways { nameless: AtomicBool::new(true), by_handle: AtomicBool::new(true) }
    }
}

/// A file being written.
pub struct Writing<'a> {
    local: &'a Local,
    entry: &'a Entry<'a>,
    parent: Arc<OwnedFd>,
    name: &'a [u8],
    file: OwnedFd,
    /// Its name among the temporaries, where it has one.
    temporary: Option<Temporary<'a>>,
    end: u64,
}

/// A name among the temporaries, removed when dropped.
struct Temporary<'a> {
    directory: &'a OwnedFd,
    name: String,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        let _ = unlinkat(self.directory, &*self.name, AtFlags::empty());
    }
}

const WRITE: OFlags = OFlags::WRONLY.union(OFlags::CLOEXEC);

impl<'a> Writing<'a> {
    /// A new file for `entry`.
    pub fn begin(local: &'a Local, entry: &'a Entry<'a>) -> Result<Self, Failure> {
        let (parent, name) = local.below.parent(entry.path).map_err(|e| failed("opening its directory", e))?;
        let mode = Mode::from_raw_mode(u32::from(entry.node.mode) & 0o777);
        let (file, temporary) = match nameless(local, &parent, mode)? {
            Some(file) => (file, None),
            None => named(local, mode)?,
        };
        Ok(Writing { local, entry, parent, name, file, temporary, end: 0 })
    }

    /// Gives the complete file its name.
    fn appear(&self) -> Result<(), Errno> {
        match &self.temporary {
            Some(temporary) => rename_new(temporary, &self.parent, self.name),
            None => self.link(&self.parent, self.name),
        }
    }

    /// Gives the nameless file a name.
    fn link(&self, directory: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
        let by_handle = &self.local.ways.by_handle;
        if by_handle.load(Ordering::Relaxed) {
            match linkat(&self.file, "", directory, name, AtFlags::EMPTY_PATH) {
                Err(Errno::NOENT | Errno::PERM | Errno::INVAL) => by_handle.store(false, Ordering::Relaxed),
                done => return done,
            }
        }
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        linkat(CWD, &*path, directory, name, AtFlags::SYMLINK_FOLLOW)
    }

    /// Puts the complete file in the place of what stands there.
    fn replace(&mut self, folder: &'a Folder) -> Result<(), Errno> {
        if self.temporary.is_none() {
            let (directory, name) = folder.temporary();
            self.link(directory, name.as_bytes())?;
            self.temporary = Some(Temporary { directory, name });
        }
        match &self.temporary {
            Some(temporary) => renameat(temporary.directory, &*temporary.name, &*self.parent, self.name),
            None => Ok(()),
        }
    }
}

/// A file without a name; `None` where the filesystem has no such thing.
fn nameless(local: &Local, parent: &OwnedFd, mode: Mode) -> Result<Option<OwnedFd>, Failure> {
    if !local.ways.nameless.load(Ordering::Relaxed) {
        return Ok(None);
    }
    match openat(parent, ".", WRITE | OFlags::TMPFILE, mode) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => {
            local.ways.nameless.store(false, Ordering::Relaxed);
            Ok(None)
        }
        Err(error) => Err(failed("making a file", error)),
    }
}

fn named(local: &Local, mode: Mode) -> Result<(OwnedFd, Option<Temporary<'_>>), Failure> {
    let Some(folder) = &local.folder else {
        return Err(Failure::Refused("the destination is not open to write".into()));
    };
    let (directory, name) = folder.temporary();
    let file = openat(directory, &*name, WRITE | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, mode)
        .map_err(|e| failed("making a file", e))?;
    Ok((file, Some(Temporary { directory, name })))
}

/// Renames without replacing anything, also where the filesystem has no call for that.
fn rename_new(temporary: &Temporary<'_>, parent: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let from = (temporary.directory, &*temporary.name);
    match renameat_with(from.0, from.1, parent, name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {}
        done => return done,
    }
    match linkat(from.0, from.1, parent, name, AtFlags::empty()) {
        // No hard links either (FAT). Looking first is the best there is.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => renameat(from.0, from.1, parent, name),
            Ok(_) => Err(Errno::EXIST),
            Err(error) => Err(error),
        },
        done => done,
    }
}

impl Drain for Writing<'_> {
    fn write_at(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            match pwrite(&self.file, bytes, offset) {
                Ok(0) => return Err(Failure::Full),
                Ok(n) => {
                    bytes = &bytes[n..];
                    offset += n as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(failed("writing", error)),
            }
        }
        self.end = offset;
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, Failure> {
        if self.end < self.entry.node.size {
            ftruncate(&self.file, self.entry.node.size).map_err(|e| failed("setting its length", e))?;
        }
        let made = self.local.maker.restore(&self.file, self.entry, self.local.inherits());
        let (local, parent, name) = (self.local, self.parent.clone(), self.name);
        match self.appear() {
            Err(Errno::EXIST) => match local.folder.as_ref().filter(|_| self.entry.overwrite) {
                None => return Err(stands(&parent, name)),
                Some(folder) => match self.replace(folder) {
                    Err(Errno::ISDIR) => return Err(Failure::Stands("a directory")),
                    done => done.map_err(|e| failed("replacing it", e))?,
                },
            },
            done => done.map_err(|e| failed("naming it", e))?,
        }
        Ok(made.into())
    }
}
