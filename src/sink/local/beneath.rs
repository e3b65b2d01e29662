//! Directories below the destination, opened so that no link is followed and nothing outside is reached.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// Directories kept open: twice as many at most.
const OPEN: usize = 128;

/// Longest path given to one system call; Linux takes 4095 bytes (`PATH_MAX`).
const LONGEST: usize = 3800;

/// How every directory is opened.
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// A directory and all below it.
pub struct Beneath {
    root: Arc<OwnedFd>,
    /// False where the kernel has no `openat2` (before Linux 5.6), or a sandbox forbids it.
    has_openat2: AtomicBool,
    open: Mutex<Cache>,
}

/// Open directories by path. Those not asked for while `young` fills up go with `old`.
#[derive(Default)]
struct Cache {
    young: HashMap<Box<[u8]>, Arc<OwnedFd>>,
    old: HashMap<Box<[u8]>, Arc<OwnedFd>>,
}

impl Cache {
    fn get(&mut self, path: &[u8]) -> Option<Arc<OwnedFd>> {
        if let Some(dir) = self.young.get(path) {
            return Some(dir.clone());
        }
        let (path, dir) = self.old.remove_entry(path)?;
        self.insert(path, dir.clone());
        Some(dir)
    }

    fn insert(&mut self, path: Box<[u8]>, dir: Arc<OwnedFd>) {
        if self.young.len() >= OPEN {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(path, dir);
    }
}

/// True if `name` may be one component of a path: what a directory can hold under its own name.
pub fn is_plain(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.iter().any(|&b| b == b'/' || b == 0)
}

impl Beneath {
    /// Everything below an open directory.
    pub fn new(root: OwnedFd) -> Self {
        Beneath { root: Arc::new(root), has_openat2: AtomicBool::new(true), open: Mutex::default() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Arc<OwnedFd> {
        &self.root
    }

    /// A directory by its path; the empty path and `.` are the top.
    ///
    /// # Errors
    /// `INVAL` for a path with a component that is not plain; `LOOP` or `NOTDIR` where a link or a file is in the way.
    pub fn directory(&self, path: &[u8]) -> Result<Arc<OwnedFd>, Errno> {
        if path.is_empty() || path == b"." {
            return Ok(self.root.clone());
        }
        if let Some(dir) = self.cache().get(path) {
            return Ok(dir);
        }
        let dir = Arc::new(self.resolve(path)?);
        self.remember(path, dir.clone());
        Ok(dir)
    }

    /// The directory that holds a path, and the name in it.
    ///
    /// # Errors
    /// As [`Beneath::directory`].
    pub fn parent<'p>(&self, path: &'p [u8]) -> Result<(Arc<OwnedFd>, &'p [u8]), Errno> {
        let (parent, name) = match path.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        if !is_plain(name) {
            return Err(Errno::INVAL);
        }
        Ok((self.directory(parent)?, name))
    }

    /// Opens a directory named in another one, and remembers it under its path.
    ///
    /// # Errors
    /// As [`Beneath::directory`].
    pub fn child(&self, parent: &OwnedFd, name: &[u8], path: &[u8]) -> Result<Arc<OwnedFd>, Errno> {
        let dir = Arc::new(openat(parent, name, DIRECTORY, Mode::empty())?);
        self.remember(path, dir.clone());
        Ok(dir)
    }

    /// Keeps the handle of a directory under its path, instead of what was kept there.
    pub fn remember(&self, path: &[u8], dir: Arc<OwnedFd>) {
        self.cache().insert(path.into(), dir);
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        // A cache is as good after a panic elsewhere as before.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resolve(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        if !path.split(|&b| b == b'/').all(is_plain) {
            return Err(Errno::INVAL);
        }
        let (mut at, mut rest): (Option<OwnedFd>, &[u8]) = (None, path);
        while !rest.is_empty() {
            let (piece, after) = cut(rest, LONGEST);
            let from = at.as_ref().unwrap_or(&self.root);
            at = Some(self.step(from, piece)?);
            rest = after;
        }
        at.ok_or(Errno::INVAL)
    }

    /// One stretch of a path, short enough for a system call.
    fn step(&self, from: &OwnedFd, piece: &[u8]) -> Result<OwnedFd, Errno> {
        if self.has_openat2.load(Ordering::Relaxed) {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match openat2(from, piece, DIRECTORY, Mode::empty(), resolve) {
                Err(Errno::NOSYS | Errno::PERM) => self.has_openat2.store(false, Ordering::Relaxed),
                // Another process moved a directory meanwhile: by components there is nothing to race with.
                Err(Errno::AGAIN) => {}
                done => return done,
            }
        }
        let mut at: Option<OwnedFd> = None;
        for name in piece.split(|&b| b == b'/') {
            at = Some(openat(at.as_ref().unwrap_or(from), name, DIRECTORY, Mode::empty())?);
        }
        at.ok_or(Errno::INVAL)
    }
}

/// Cuts a path at the last slash within `longest` bytes, or at the first after them.
fn cut(path: &[u8], longest: usize) -> (&[u8], &[u8]) {
    if path.len() <= longest {
        return (path, b"");
    }
    let slash = path[..longest].iter().rposition(|&b| b == b'/').or_else(|| path.iter().position(|&b| b == b'/'));
    match slash {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (path, b""),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn beneath(dir: &std::path::Path) -> Beneath {
        Beneath::new(openat(rustix::fs::CWD, dir, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap())
    }

    #[test]
    fn no_way_leads_outside_with_openat2_and_without() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        symlink("/etc", dir.path().join("abs")).unwrap();
        symlink("a", dir.path().join("rel")).unwrap();
        for has_openat2 in [true, false] {
            let below = beneath(dir.path());
            below.has_openat2.store(has_openat2, Ordering::Relaxed);
            assert!(below.directory(b"a/b").is_ok());
            for path in [&b"abs"[..], b"rel", b"rel/b", b"abs/ssh"] {
                assert!(matches!(below.directory(path), Err(Errno::LOOP | Errno::NOTDIR)), "{path:?}");
            }
            for path in [&b".."[..], b"a/../..", b"/etc", b"a//b", b"a/\0"] {
                assert_eq!(below.directory(path).err(), Some(Errno::INVAL), "{path:?}");
            }
        }
    }

    #[test]
    fn paths_longer_than_a_system_call_takes() {
        let dir = tempfile::tempdir().unwrap();
        let below = beneath(dir.path());
        let mut path = Vec::new();
        let mut parent = below.root().clone();
        for i in 0..40 {
            let name = vec![b'a' + i % 20; 250];
            rustix::fs::mkdirat(&parent, &name[..], Mode::RWXU).unwrap();
            path.extend_from_slice(if i == 0 { b"" } else { b"/" });
            path.extend_from_slice(&name);
            parent = below.child(&parent, &name, &path).unwrap();
        }
        assert!(beneath(dir.path()).directory(&path).is_ok());
    }
}
