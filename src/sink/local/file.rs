//! A file on its way: nameless until it is complete.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, fstat, ftruncate, linkat, openat, renameat, renameat_with, statat,
    unlinkat,
};
use rustix::io::{Errno, pread, pwrite};

use super::super::{Committed, Drain, Entry, Failure, Half, Mark, Token};
use super::{Folder, Local, Spot, failed, stands};

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
    /// Its own name, where nobody sees it yet.
    unseen: Option<Unseen<'a>>,
    /// Its name among the temporaries, where it has one.
    temporary: Option<Temporary<'a>>,
    end: u64,
    /// Bytes that an earlier run wrote.
    held: u64,
    /// End of the last part that was told to be taken.
    told: u64,
}

/// From this size on a file is worth going on with.
pub const LARGE: u64 = 64 << 20;

/// Bytes of a part of it.
pub const PART: u64 = 8 << 20;

/// A name among the temporaries, removed when dropped.
struct Temporary<'a> {
    directory: &'a OwnedFd,
    name: String,
    is_kept: bool,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let _ = unlinkat(self.directory, &*self.name, AtFlags::empty());
    }
}

/// The own name of a file in a directory out of sight, removed when dropped.
struct Unseen<'a> {
    directory: Arc<OwnedFd>,
    name: &'a [u8],
    is_kept: bool,
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = unlinkat(&*self.directory, self.name, AtFlags::empty());
        }
    }
}

const WRITE: OFlags = OFlags::WRONLY.union(OFlags::CLOEXEC);

/// What has a name from the start.
const NEW: OFlags = WRITE.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW);

/// What is gone on with is read, too.
const CHANGE: OFlags = OFlags::RDWR.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

impl<'a> Writing<'a> {
    /// A new file for `entry`, or what `half` left of it.
    pub fn begin(local: &'a Local, entry: &'a Entry<'a>, half: Option<&Half>) -> Result<Self, Failure> {
        let Spot { parent, name, is_seen } = local.spot(entry.path)?;
        let mode = Mode::from_raw_mode(u32::from(entry.node.mode) & 0o777);
        let writing = |file, parent| Writing {
            local,
            entry,
            parent,
            name,
            file,
            unseen: None,
            temporary: None,
            end: 0,
            held: 0,
            told: 0,
        };
        if let Some(folder) = local.folder.as_ref().filter(|_| entry.node.size >= LARGE) {
            let (file, temporary, held) = large(folder, entry.path, mode, half)?;
            let temporary = Some(temporary);
            return Ok(Writing { temporary, end: held, held, told: held, ..writing(file, parent) });
        }
        // A twin by another spelling may stand there: then as usual.
        if !is_seen && let Ok(file) = openat(&parent, name, NEW, mode) {
            let unseen = Some(Unseen { directory: parent.clone(), name, is_kept: false });
            return Ok(Writing { unseen, ..writing(file, parent) });
        }
        let (file, temporary) = match nameless(local, &parent, mode)? {
            Some(file) => (file, None),
            None => named(local, mode)?,
        };
        Ok(Writing { temporary, ..writing(file, parent) })
    }

    /// Gives the complete file its name.
    fn appear(&mut self) -> Result<(), Errno> {
        if let Some(unseen) = &mut self.unseen {
            unseen.is_kept = true;
            return Ok(());
        }
        match &self.temporary {
            Some(temporary) => rename_new((temporary.directory, temporary.name.as_bytes()), (&self.parent, self.name)),
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
            self.temporary = Some(Temporary { directory, name, is_kept: false });
        }
        match &self.temporary {
            Some(temporary) => renameat(temporary.directory, &*temporary.name, &*self.parent, self.name),
            None => Ok(()),
        }
    }
}

/// A large file under the name that it has in every run, and how much of it is there: a part that the kernel may have lost
/// in a crash shows when it is compared ([`Drain::holds`]).
fn large<'a>(
    folder: &'a Folder,
    path: &[u8],
    mode: Mode,
    half: Option<&Half>,
) -> Result<(OwnedFd, Temporary<'a>, u64), Failure> {
    let directory = folder.temporaries();
    let name = format!("half-{}", &blake3::hash(path).to_hex()[..32]);
    let is_named = |half: &&Half| half.token.get("name").and_then(Token::as_str) == Some(&name);
    if let Some(half) = half.filter(is_named)
        && let Ok(file) = openat(directory, &*name, CHANGE, Mode::empty())
    {
        let size = fstat(&file).map_err(|e| failed("looking", e))?.st_size as u64; // the kernel gives no negative size
        let held = half.marks.iter().map(|mark| mark.end).filter(|end| *end <= size).max().unwrap_or(0);
        return Ok((file, Temporary { directory, name, is_kept: false }, held));
    }
    let file = openat(directory, &*name, CHANGE | OFlags::CREATE | OFlags::TRUNC, mode);
    let file = file.map_err(|e| failed("making a file", e))?;
    Ok((file, Temporary { directory, name, is_kept: false }, 0))
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
    let file = openat(directory, &*name, NEW, mode).map_err(|e| failed("making a file", e))?;
    Ok((file, Some(Temporary { directory, name, is_kept: false })))
}

/// Renames without replacing anything, also where the filesystem has no call for that.
pub fn rename_new(from: (&OwnedFd, &[u8]), (parent, name): (&OwnedFd, &[u8])) -> Result<(), Errno> {
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
    fn token(&self) -> Token {
        let name = self.temporary.as_ref().map(|temporary| &temporary.name);
        name.map_or(Token::Null, |name| serde_json::json!({ "name": name }))
    }

    fn held(&self) -> u64 {
        self.held
    }

    fn holds(&mut self, offset: u64, bytes: &[u8]) -> Result<bool, Failure> {
        let (mut there, mut done) = (vec![0; bytes.len()], 0);
        while done < there.len() {
            match pread(&self.file, &mut there[done..], offset + done as u64) {
                Ok(0) => return Ok(false),
                Ok(n) => done += n,
                Err(Errno::INTR) => {}
                Err(error) => return Err(failed("reading what was written", error)),
            }
        }
        Ok(there == bytes)
    }

    fn taken(&mut self) -> Result<Vec<Mark>, Failure> {
        let mut marks = Vec::new();
        while self.told + PART <= self.end {
            self.told += PART;
            marks.push(Mark { end: self.told, note: Token::Null });
        }
        Ok(marks)
    }

    fn suspend(mut self: Box<Self>) {
        if let Some(temporary) = &mut self.temporary {
            temporary.is_kept = true;
        }
    }

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
