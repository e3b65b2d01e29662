//! Directories that are made among the temporaries and appear with all that is in them: [`Unseen`].
//!
//! What is made in one can have its own name from the start, for nobody finds it there before it is complete. That costs
//! less than giving every file its name when it is: one renaming for all of them.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::renameat;

use super::super::Failure;
use super::{Folder, failed, is_plain};

/// Directories out of sight, by the path where they will appear.
#[derive(Default)]
pub struct Unseen(Mutex<HashMap<Box<[u8]>, Hidden>>);

struct Hidden {
    handle: Arc<OwnedFd>,
    /// Its name among the temporaries.
    name: String,
}

impl Unseen {
    /// From now on, what is made in `directory` is made out of sight; false where that can not be.
    pub fn begin(&self, folder: &Folder, directory: &[u8]) -> bool {
        let Ok((handle, name)) = folder.make_directory() else { return false };
        self.lock().insert(directory.into(), Hidden { handle: Arc::new(handle), name });
        true
    }

    /// The directory out of sight that holds a path, and the name in it.
    pub fn parent<'p>(&self, path: &'p [u8]) -> Option<(Arc<OwnedFd>, &'p [u8])> {
        let slash = path.iter().rposition(|&b| b == b'/')?;
        let name = &path[slash + 1..];
        let handle = self.lock().get(&path[..slash])?.handle.clone();
        is_plain(name).then_some((handle, name))
    }

    /// Puts `directory` in its place, where it stands empty so far, and returns its handle.
    ///
    /// # Errors
    /// [`Failure`], where something was made there meanwhile, or it lies on another filesystem. All that was made out of
    /// sight is gone then.
    pub fn end(
        &self,
        folder: &Folder,
        directory: &[u8],
        (parent, name): (&OwnedFd, &[u8]),
    ) -> Result<Option<Arc<OwnedFd>>, Failure> {
        let Some(hidden) = self.lock().remove(directory) else { return Ok(None) };
        match renameat(folder.temporaries(), &*hidden.name, parent, name) {
            Ok(()) => Ok(Some(hidden.handle)),
            Err(error) => {
                // What can not be removed now is swept away by the next run.
                let _ = folder.remove_directory(hidden.name.as_bytes());
                Err(failed("naming a directory", error))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Hidden>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Local;
    use crate::node::{Kind, Node, NodeId, Trust};
    use crate::sink::{Entry, Sink};

    fn node(kind: Kind) -> Node {
        Node {
            id: NodeId(12),
            kind,
            mode: 0o644,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            links: 1,
            size: 3,
            allocated: 0,
            times: Default::default(),
            device: None,
            encrypted: false,
            trust: Trust::Intact,
        }
    }

    fn entry<'a>(path: &'a [u8], node: &'a Node) -> Entry<'a> {
        Entry { path, node, target: b"a", xattrs: &[], data: &[], overwrite: false }
    }

    fn make(local: &Local, path: &[u8]) {
        let node = node(Kind::File);
        let entry = entry(path, &node);
        let mut drain = local.create(&entry, None).unwrap();
        drain.write_at(0, b"abc").unwrap();
        drain.commit().unwrap();
    }

    #[test]
    fn a_directory_appears_with_all_that_is_in_it() {
        let to = tempfile::tempdir().unwrap();
        let local = Local::open(to.path()).unwrap().unwrap();
        let (directory, link) = (node(Kind::Directory), node(Kind::Symlink));
        local.directory(&entry(b"d", &directory)).unwrap();
        assert!(local.begin_whole(b"d"));
        make(&local, b"d/a");
        local.special(&entry(b"d/link", &link)).unwrap();
        drop(local.create(&entry(b"d/half", &node(Kind::File)), None).unwrap());
        assert_eq!(fs::read_dir(to.path().join("d")).unwrap().count(), 0, "nobody sees it before it is complete");
        local.end_whole(b"d").unwrap();
        make(&local, b"d/later");
        assert_eq!(fs::read(to.path().join("d/link")).unwrap(), b"abc");
        assert_eq!(fs::read_dir(to.path().join("d")).unwrap().count(), 3);
    }

    #[test]
    fn what_somebody_else_makes_there_is_kept_and_ours_is_made_beside_it() {
        let to = tempfile::tempdir().unwrap();
        let local = Local::open(to.path()).unwrap().unwrap();
        local.directory(&entry(b"d", &node(Kind::Directory))).unwrap();
        assert!(local.begin_whole(b"d"));
        make(&local, b"d/a");
        fs::write(to.path().join("d/theirs"), "x").unwrap();
        assert!(local.end_whole(b"d").is_err());
        make(&local, b"d/a");
        assert_eq!(fs::read(to.path().join("d/theirs")).unwrap(), b"x");
        assert_eq!(fs::read(to.path().join("d/a")).unwrap(), b"abc");
        assert_eq!(fs::read_dir(to.path().join(".offmount/tmp")).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_stood_there_is_written_in_sight() {
        let to = tempfile::tempdir().unwrap();
        fs::create_dir(to.path().join("d")).unwrap();
        let local = Local::open(to.path()).unwrap().unwrap();
        local.directory(&entry(b"d", &node(Kind::Directory))).unwrap();
        assert!(!local.begin_whole(b"d"));
    }

    #[test]
    fn what_a_killed_run_left_out_of_sight_is_swept_away() {
        let to = tempfile::tempdir().unwrap();
        let left = to.path().join(".offmount/tmp/7");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("half"), "x").unwrap();
        let local = Local::open(to.path()).unwrap().unwrap();
        local.sweep(&[]).unwrap();
        assert!(!left.exists());
    }
}
