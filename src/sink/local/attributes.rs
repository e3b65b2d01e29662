//! Restoring what a file is besides its content: owner, extended attributes, mode, times, in this order. (Changing the
//! owner clears setuid and capabilities; setting an ACL changes the mode; all of it changes no time that is set last.)

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmod, chownat, fchmod, fchown,
    fremovexattr, fsetxattr, futimens, lsetxattr, openat, utimensat,
};
use rustix::io::Errno;

use super::super::{Entry, Made};
use crate::node::{Kind, Node, Unkept, Xattr};
use crate::time::Time;

/// Who we are, and how much of what we make is as we ask for it.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Mode bits that the kernel takes from what we make.
    pub umask: u32,
}

const ACL: &[u8] = b"system.posix_acl_access";
const DEFAULT_ACL: &[u8] = b"system.posix_acl_default";
/// setuid and setgid.
const SET_ID: u32 = 0o6000;

impl Maker {
    /// This process. The umask is read, not set: it belongs to the whole process.
    pub fn this() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let umask = status.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("Umask:")?.trim(), 8).ok());
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Maker { uid, gid, umask: umask.unwrap_or(0o777) }
    }

    /// True for the superuser, who may give files away.
    pub fn is_root(self) -> bool {
        self.uid == 0
    }

    /// Restores all of `entry` on an open file or directory. `inherits`: the directory it was made in hands down group
    /// or ACL, so nothing of it is taken for granted.
    pub fn restore(self, fd: &OwnedFd, entry: &Entry<'_>, inherits: bool) -> Made {
        let (node, mut unkept) = (entry.node, Made::new());
        if inherits {
            // Not there, or not known here: all the better.
            let _ = fremovexattr(fd, ACL);
            let _ = fremovexattr(fd, DEFAULT_ACL);
        }
        let owned = self.restore_owner(node, inherits, &mut unkept, |uid, gid| fchown(fd, uid, gid));
        restore_xattrs(entry.xattrs, &mut unkept, |name, value| fsetxattr(fd, name, value, XattrFlags::empty()));
        let mode = wanted_mode(node, owned, &mut unkept);
        let made_so = node.kind == Kind::File && mode & (0o7000 | self.umask) == 0 && !inherits;
        if !made_so {
            note(&mut unkept, "mode", fchmod(fd, Mode::from_raw_mode(mode)));
        }
        note(&mut unkept, "times", restore_times(node, |times| futimens(fd, times)));
        unkept
    }

    /// Restores all of `entry` on something that can not be opened: a link, pipe, socket or device. Never follows a link.
    pub fn restore_at(self, parent: &OwnedFd, name: &[u8], entry: &Entry<'_>, inherits: bool) -> Made {
        let (node, mut unkept) = (entry.node, Made::new());
        let owned = self.restore_owner(node, inherits, &mut unkept, |uid, gid| {
            chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        });
        if !entry.xattrs.is_empty() {
            // There is no call for extended attributes below a directory handle. The last name is not followed.
            let mut path = format!("/proc/self/fd/{}/", parent.as_raw_fd()).into_bytes();
            path.extend_from_slice(name);
            restore_xattrs(entry.xattrs, &mut unkept, |attribute, value| {
                lsetxattr(&path[..], attribute, value, XattrFlags::empty())
            });
        }
        if node.kind != Kind::Symlink {
            let mode = wanted_mode(node, owned, &mut unkept);
            if mode & (0o7000 | self.umask) != 0 || inherits {
                note(&mut unkept, "mode", chmod_at(parent, name, mode));
            }
        }
        let set = |times: &Timestamps| utimensat(parent, name, times, AtFlags::SYMLINK_NOFOLLOW);
        note(&mut unkept, "times", restore_times(node, set));
        unkept
    }

    /// True if the owner and group are now the node's.
    fn restore_owner(
        self,
        node: &Node,
        inherits: bool,
        unkept: &mut Made,
        change: impl FnOnce(Option<Uid>, Option<Gid>) -> Result<(), Errno>,
    ) -> bool {
        if (node.uid, node.gid) == (self.uid, self.gid) && !inherits {
            return true;
        }
        // All bits set is no owner: the kernel would leave the owner as it is, and call that success.
        let owner = (node.uid != u32::MAX).then(|| Uid::from_raw(node.uid));
        let group = (node.gid != u32::MAX).then(|| Gid::from_raw(node.gid));
        let changed = match (owner, group) {
            (Some(owner), Some(group)) => change((owner.as_raw() != self.uid).then_some(owner), Some(group)),
            _ => Err(Errno::INVAL),
        };
        note(unkept, "owner", changed);
        changed.is_ok()
    }
}

/// Mode bits without those that would give rights to an owner who is not the file's own.
fn wanted_mode(node: &Node, owned: bool, unkept: &mut Made) -> u32 {
    let mode = u32::from(node.mode) & 0o7777;
    if owned || mode & SET_ID == 0 {
        return mode;
    }
    unkept.push(Unkept { what: "mode".into(), why: "setuid and setgid are for its own owner only".into() });
    mode & !SET_ID
}

fn restore_xattrs(xattrs: &[Xattr], unkept: &mut Made, mut set: impl FnMut(&[u8], &[u8]) -> Result<(), Errno>) {
    for xattr in xattrs {
        if let Err(error) = set(&xattr.name, &xattr.value) {
            let what = String::from_utf8_lossy(&xattr.name).into_owned();
            unkept.push(Unkept { what, why: why(error) });
        }
    }
}

fn note(unkept: &mut Made, what: &str, done: Result<(), Errno>) {
    if let Err(error) = done {
        unkept.push(Unkept { what: what.into(), why: why(error) });
    }
}

fn why(error: Errno) -> String {
    match error {
        Errno::PERM => "needs root".into(),
        Errno::OPNOTSUPP => "the destination has no such thing".into(),
        error => std::io::Error::from(error).to_string(),
    }
}

/// `chmod` that follows no link: through a handle that stands for the name itself.
pub fn chmod_at(parent: &OwnedFd, name: &[u8], mode: u32) -> Result<(), Errno> {
    let handle = openat(parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let path = format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd());
    chmod(&*path, Mode::from_raw_mode(mode))
}

fn restore_times(node: &Node, set: impl FnOnce(&Timestamps) -> Result<(), Errno>) -> Result<(), Errno> {
    let (modified, accessed) = (node.times.modified, node.times.accessed.or(node.times.modified));
    if modified.is_none() && accessed.is_none() {
        return Ok(());
    }
    if ![modified, accessed].into_iter().flatten().all(Time::is_valid) {
        return Err(Errno::INVAL);
    }
    set(&Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) })
}

fn timespec(time: Option<Time>) -> Timespec {
    match time {
        Some(time) => Timespec { tv_sec: time.secs, tv_nsec: time.nanos.into() },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    }
}

/// True if what is made in this directory does not wholly get the group and mode asked for.
pub fn hands_down(directory: &OwnedFd) -> bool {
    let setgid = rustix::fs::fstat(directory).is_ok_and(|stat| stat.st_mode & 0o2000 != 0);
    setgid || rustix::fs::fgetxattr(directory, DEFAULT_ACL, &mut [0u8; 0][..]).is_ok()
}

/// Lets us into a directory of ours that an earlier run finished with a mode that shuts us out.
pub fn unlock(parent: &OwnedFd, name: &[u8], mode: u32) -> Result<(), Errno> {
    if mode & 0o700 == 0o700 { Ok(()) } else { chmod_at(parent, name, mode & 0o7777 | 0o700) }
}
