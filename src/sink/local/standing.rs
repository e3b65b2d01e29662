//! What stands at a path of the destination.

use std::fs::File;
use std::os::fd::AsRawFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, major, minor, openat, readlinkat, statat};
use rustix::io::Errno;

use super::super::{Failure, Standing};
use super::{Beneath, failed};
use crate::node::Kind;
use crate::time::Time;

/// What stands at `path`; `None` where nothing does, or its directory is missing.
pub fn look(below: &Beneath, path: &[u8]) -> Result<Option<Standing>, Failure> {
    let stat = if path.is_empty() || path == b"." {
        rustix::fs::fstat(below.root()).map_err(|e| failed("looking", e))?
    } else {
        let (parent, name) = match below.parent(path) {
            Err(Errno::NOENT) => return Ok(None),
            found => found.map_err(|e| failed("opening its directory", e))?,
        };
        let stat = match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT | Errno::NAMETOOLONG) => return Ok(None),
            found => found.map_err(|e| failed("looking", e))?,
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            let target = readlinkat(&parent, name, Vec::new()).map_err(|e| failed("reading a link", e))?;
            return Ok(Some(Standing { target: target.into_bytes(), ..of(&stat) }));
        }
        stat
    };
    Ok(Some(of(&stat)))
}

fn of(stat: &Stat) -> Standing {
    let kind = Kind::from_mode(stat.st_mode);
    let is_device = matches!(kind, Kind::CharDevice | Kind::BlockDevice);
    Standing {
        kind,
        size: stat.st_size as u64, // the kernel gives no negative size
        mode: (stat.st_mode & 0o7777) as u16,
        uid: stat.st_uid,
        gid: stat.st_gid,
        modified: Time { secs: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 },
        identity: (stat.st_dev, stat.st_ino),
        device: is_device.then(|| (major(stat.st_rdev), minor(stat.st_rdev))),
        target: Vec::new(),
        etag: None,
    }
}

/// Opens a file to read; never waits for a pipe's other end.
pub fn open(below: &Beneath, path: &[u8]) -> Result<File, Failure> {
    let (parent, name) = below.parent(path).map_err(|e| failed("opening its directory", e))?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(&parent, name, flags, Mode::empty()).map_err(|e| failed("opening it", e))?;
    Ok(File::from(file))
}

/// What stands there, in words.
pub fn word(mode: u32) -> &'static str {
    match Kind::from_mode(mode) {
        Kind::File => "another file",
        Kind::Directory => "a directory",
        Kind::Symlink => "a link",
        _ => "something else",
    }
}

/// The value of an extended attribute; `None` where there is none of this name.
pub fn xattr(below: &Beneath, path: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    /// No attribute is longer (`XATTR_SIZE_MAX`).
    const LONGEST: usize = 64 << 10;
    let mut value = vec![0u8; LONGEST];
    let len = if path.is_empty() || path == b"." {
        rustix::fs::fgetxattr(below.root(), name, &mut value[..]).ok()?
    } else {
        let (parent, last) = below.parent(path).ok()?;
        let mut at = format!("/proc/self/fd/{}/", parent.as_raw_fd()).into_bytes();
        at.extend_from_slice(last);
        rustix::fs::lgetxattr(&at[..], name, &mut value[..]).ok()?
    };
    value.truncate(len);
    Some(value)
}
