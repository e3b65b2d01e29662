//! The folder of offmount's own files at the top of the destination: manifest, sums, temporaries.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// Where temporaries lie until they are complete. On the destination's own filesystem, and never among the user's files.
const TEMPORARY: &str = "tmp";

/// The folder, locked against a second run.
pub struct Folder {
    folder: OwnedFd,
    temporary: OwnedFd,
    next: AtomicU64,
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens or makes the folder `name` in `root`, and locks it. `None` where another run has the lock.
    ///
    /// # Errors
    /// Those of making it; a link or a file that stands in its place among them.
    pub fn open(root: &OwnedFd, name: &str) -> io::Result<Option<Self>> {
        let folder = make(root, name)?;
        // Some network filesystems have no locks; a second run is then up to the user.
        if flock(&folder, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Ok(None);
        }
        let temporary = make(&folder, TEMPORARY)?;
        Ok(Some(Folder { folder, temporary, next: AtomicU64::new(0) }))
    }

    /// Clears away the temporaries of a killed run but those that are `kept`.
    ///
    /// # Errors
    /// Those of removing.
    pub fn sweep(&self, kept: &[&str]) -> io::Result<()> {
        for name in names(&self.temporary)? {
            if !kept.iter().any(|kept| kept.as_bytes() == name) {
                match unlinkat(&self.temporary, &name[..], AtFlags::empty()) {
                    Err(Errno::ISDIR | Errno::PERM) => self.remove_directory(&name)?,
                    done => done?,
                }
            }
        }
        Ok(())
    }

    /// Makes a directory among the temporaries, for us alone, and tells its name.
    ///
    /// # Errors
    /// Those of making and opening.
    pub fn make_directory(&self) -> Result<(OwnedFd, String), Errno> {
        let (temporaries, name) = self.temporary();
        mkdirat(temporaries, &*name, Mode::RWXU)?;
        Ok((openat(temporaries, &*name, DIRECTORY, Mode::empty())?, name))
    }

    /// Removes a directory of the temporaries, with the files in it.
    ///
    /// # Errors
    /// Those of removing.
    pub fn remove_directory(&self, name: &[u8]) -> io::Result<()> {
        let directory = openat(&self.temporary, name, DIRECTORY, Mode::empty())?;
        for file in names(&directory)? {
            unlinkat(&directory, &file[..], AtFlags::empty())?;
        }
        Ok(unlinkat(&self.temporary, name, AtFlags::REMOVEDIR)?)
    }

    /// The directory of temporaries.
    pub fn temporaries(&self) -> &OwnedFd {
        &self.temporary
    }

    /// The directory of temporaries, and a name in it that nothing has.
    pub fn temporary(&self) -> (&OwnedFd, String) {
        (&self.temporary, self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Makes a file of the folder, empty.
    ///
    /// # Errors
    /// Those of opening.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.folder, name, flags, Mode::from_raw_mode(0o666))?))
    }

    /// Opens a file of the folder to read; `None` where there is none.
    ///
    /// # Errors
    /// Those of opening.
    pub fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        match openat(&self.folder, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a file of the folder another name; what had it is replaced.
    ///
    /// # Errors
    /// Those of renaming.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.folder, from, &self.folder, to)?)
    }

    /// Removes a file of the folder, if it is there.
    ///
    /// # Errors
    /// Those of removing.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// True if the folder holds a file of this name.
    pub fn has(&self, name: &str) -> bool {
        statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = unlinkat(&self.folder, TEMPORARY, AtFlags::REMOVEDIR);
        // Closing it would not do: a child process that is just being started has it open, too, until it is another program.
        let _ = flock(&self.folder, FlockOperation::Unlock);
    }
}

fn make(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => Ok(openat(parent, name, DIRECTORY, Mode::empty())?),
        Err(error) => Err(error.into()),
    }
}

/// The names in a directory, without `.` and `..`.
pub fn names(directory: impl AsFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}
