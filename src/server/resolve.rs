//! Following a path over mounts and symbolic links.

use std::fmt;

use super::root::is_doubtful;
use super::{Placed, Server};
use crate::fs::content::Content;
use crate::node::{Kind, Node, NodeId, Trust};
use crate::progress::Progress;
use crate::source::SourceGone;
use crate::tree::{ItemId, LOST, ROOT};

/// Symbolic links, and bind mounts, followed in one path, as Linux does.
const MAX_LINKS: usize = 40;

/// Longest target of a symbolic link, in bytes (`PATH_MAX`).
const MAX_TARGET: usize = 4096;

/// What a path leads to.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Index into [`Disk::volumes`](crate::survey::Disk::volumes).
    pub volume: usize,
    /// The node; `None` for the directory of what is lost, which is on no disk.
    pub node: Option<Node>,
    /// Its item in [`Server::tree`], where it took the salvaged tree to find it.
    pub item: Option<ItemId>,
    /// Path within the volume, links resolved, without a leading slash; empty for the volume's root.
    pub path: Vec<u8>,
    /// Absolute path among the server's, links resolved. For a path that names a volume (`p2:/etc`) that the fstab
    /// does not place: the same with the name.
    pub server_path: Vec<u8>,
    /// How the names on the way were come by.
    pub trust: Trust,
}

/// Why a path leads nowhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unresolved {
    /// No such file: the path up to what is missing.
    NotFound(Vec<u8>),
    /// Something on the way is not a directory.
    NotADirectory(Vec<u8>),
    /// More than 40 symbolic links and bind mounts.
    TooManyLinks(Vec<u8>),
    /// No volume has this name.
    NoSuchVolume(Vec<u8>),
    /// No root filesystem was found: name the volume, as in `p2:/etc`.
    NoRoot,
    /// The path leads into this volume (an index), which holds no filesystem that is read (or was opened).
    NotRead(usize),
    /// The source can not be read any more.
    Gone(SourceGone),
}

impl From<SourceGone> for Unresolved {
    fn from(gone: SourceGone) -> Self {
        Unresolved::Gone(gone)
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        match self {
            Unresolved::NotFound(at) => write!(f, "{}: no such file or directory", path(at)),
            Unresolved::NotADirectory(at) => write!(f, "{}: not a directory", path(at)),
            Unresolved::TooManyLinks(at) => write!(f, "{}: too many symbolic links or bind mounts", path(at)),
            Unresolved::NoSuchVolume(name) => write!(f, "no volume is named {}", path(name)),
            Unresolved::NoRoot => f.write_str("no root filesystem was found: name the volume, as in p2:/etc"),
            Unresolved::NotRead(volume) => write!(f, "volume {volume} holds no filesystem that is read"),
            Unresolved::Gone(gone) => gone.fmt(f),
        }
    }
}

impl std::error::Error for Unresolved {}

/// Splits `p2:/etc/fstab` into volume and path; `None` where no volume is named.
fn split_volume(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = path.iter().position(|&b| b == b':')?;
    let (name, rest) = (&path[..colon], &path[colon + 1..]);
    (!name.contains(&b'/') && (rest.is_empty() || rest[0] == b'/')).then_some((name, rest))
}

/// A directory or file on the way.
#[derive(Clone)]
struct Step {
    volume: usize,
    /// Of the component, empty for a root.
    name: Vec<u8>,
    node: Option<Node>,
    item: Option<ItemId>,
    trust: Trust,
    /// Its volume's root: a mount point, or where the path began.
    is_root: bool,
}

/// A path being followed: the steps from the start, links resolved.
struct Walk<'s> {
    server: &'s Server,
    progress: &'s dyn Progress,
    steps: Vec<Step>,
    /// True where the walk began at the server's root, and mounts count.
    over_mounts: bool,
    prefix: Vec<u8>,
    links: usize,
}

impl Server {
    /// Follows a path: of the server (`/etc/fstab`), or of a volume (`p2:/etc/fstab`), where no mounts count. A final
    /// symbolic link is followed where `follow` says so. What damage hides is looked for in the salvaged tree.
    ///
    /// # Errors
    /// [`Unresolved`] tells what is missing.
    pub fn resolve(&self, path: &[u8], follow: bool, progress: &dyn Progress) -> Result<Resolved, Unresolved> {
        let (start, over_mounts, prefix, rest) = match split_volume(path) {
            Some((name, rest)) => match self.volume_named(name) {
                Some(volume) => (volume, false, [name, b":"].concat(), rest),
                None => return Err(Unresolved::NoSuchVolume(name.to_vec())),
            },
            None => (self.root.ok_or(Unresolved::NoRoot)?, true, Vec::new(), path),
        };
        let mut walk = Walk { server: self, progress, steps: Vec::new(), over_mounts, prefix, links: 0 };
        let root = walk.root_of(start, Vec::new())?;
        walk.steps.push(root);
        walk.follow(rest, follow)?;
        Ok(walk.finish())
    }
}

impl Walk<'_> {
    fn root_of(&self, volume: usize, name: Vec<u8>) -> Result<Step, Unresolved> {
        let fs = self.server.volume(volume).fs().ok_or(Unresolved::NotRead(volume))?;
        let node = fs.node(fs.root())?;
        let item = node.is_none().then_some(ROOT);
        Ok(Step { volume, name, node, item, trust: Trust::Intact, is_root: true })
    }

    /// Where the steps have led so far, as an absolute path.
    fn here(&self) -> Vec<u8> {
        let names: Vec<&[u8]> = self.steps.iter().skip(1).map(|step| step.name.as_slice()).collect();
        [b"/".as_slice(), &names.join(&b'/')].concat()
    }

    fn follow(&mut self, path: &[u8], follow_last: bool) -> Result<(), Unresolved> {
        let mut todo: Vec<Vec<u8>> = components(path);
        todo.reverse();
        while let Some(name) = todo.pop() {
            if name == b".." {
                if self.steps.len() > 1 {
                    self.steps.pop();
                }
                continue;
            }
            if let Some(directory) = self.bound_at(&name) {
                self.count_link()?;
                self.steps.truncate(1);
                todo.extend(components(&directory).into_iter().rev());
                continue;
            }
            let step = self.enter(name)?;
            self.steps.push(step);
            let is_last = todo.is_empty() && !path.ends_with(b"/");
            let Some(target) = self.link_target()?.filter(|_| !is_last || follow_last) else { continue };
            self.count_link()?;
            self.steps.pop();
            if target.starts_with(b"/") {
                self.steps.truncate(1);
            }
            todo.extend(components(&target).into_iter().rev());
        }
        Ok(())
    }

    /// The step from where the walk is to `name`.
    fn enter(&mut self, name: Vec<u8>) -> Result<Step, Unresolved> {
        if let Some(volume) = self.mounted_at(&name) {
            return self.root_of(volume, name);
        }
        let last = self.steps.last().cloned().ok_or(Unresolved::NoRoot)?;
        let is_directory = last.node.as_ref().is_none_or(|node| node.kind == Kind::Directory);
        if !is_directory {
            return Err(Unresolved::NotADirectory(self.named()));
        }
        if last.item.is_none()
            && let Some(step) = self.look_up(&last, &name)?
        {
            return Ok(step);
        }
        let salvaged = match self.may_hide(&last, &name)? {
            true => self.look_up_salvaged(&last, &name)?,
            false => None,
        };
        salvaged.ok_or_else(|| Unresolved::NotFound(join(self.named(), &name)))
    }

    /// True if a name that a directory does not have may yet be found by searching the volume: its directory is
    /// damaged, its node is gone, or it is what has no name any more. A healthy directory is believed.
    fn may_hide(&self, dir: &Step, name: &[u8]) -> Result<bool, SourceGone> {
        let Some(fs) = self.server.volume(dir.volume).fs() else { return Ok(false) };
        let Some(node) = dir.node.as_ref().filter(|_| dir.item.is_none()) else { return Ok(true) };
        Ok((dir.is_root && name.starts_with(LOST))
            || self.server.trees[dir.volume].get().is_some()
            || is_doubtful(&**fs, node)?
            || fs.lookup(node, name)?.is_some())
    }

    fn mounted_at(&self, name: &[u8]) -> Option<usize> {
        self.mounts_at(name).into_iter().find_map(|placed| match placed {
            Placed::On(volume) => Some(*volume),
            _ => None,
        })
    }

    /// The directory that a bind mount shows here.
    fn bound_at(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.mounts_at(name).into_iter().find_map(|placed| match placed {
            Placed::Bound(directory) => Some(directory.clone()),
            _ => None,
        })
    }

    /// What the fstab mounts at `name`, the last first.
    fn mounts_at(&self, name: &[u8]) -> Vec<&Placed> {
        if !self.over_mounts {
            return Vec::new();
        }
        let at = join(self.here(), name);
        self.server.mounts.iter().rev().filter(|mount| mount.at == at).map(|mount| &mount.placed).collect()
    }

    fn count_link(&mut self) -> Result<(), Unresolved> {
        self.links += 1;
        if self.links > MAX_LINKS { Err(Unresolved::TooManyLinks(self.named())) } else { Ok(()) }
    }

    /// Looks a name up in the directory itself.
    fn look_up(&self, dir: &Step, name: &[u8]) -> Result<Option<Step>, SourceGone> {
        let (Some(fs), Some(node)) = (self.server.volume(dir.volume).fs(), &dir.node) else { return Ok(None) };
        let Some(entry) = fs.lookup(node, name)? else { return Ok(None) };
        let Some(node) = fs.node(entry.id)? else { return Ok(None) };
        let trust = dir.trust.max(entry.trust);
        Ok(Some(Step { volume: dir.volume, name: entry.name, node: Some(node), item: None, trust, is_root: false }))
    }

    /// Looks a name up in the salvaged tree.
    fn look_up_salvaged(&self, dir: &Step, name: &[u8]) -> Result<Option<Step>, SourceGone> {
        let Some(tree) = self.server.tree(dir.volume, self.progress)? else { return Ok(None) };
        let Some(above) = dir.item.or_else(|| tree.find(&self.path_in_volume())) else { return Ok(None) };
        let Some(item) = tree.children(above).find(|&child| tree.name(child) == name) else { return Ok(None) };
        let node = self.node_of(dir.volume, tree.id(item), tree.is_lost_directory(item))?;
        if node.is_none() && !tree.is_lost_directory(item) {
            return Ok(None);
        }
        let trust = dir.trust.max(tree.trust(item));
        Ok(Some(Step { volume: dir.volume, name: name.to_vec(), node, item: Some(item), trust, is_root: false }))
    }

    fn node_of(&self, volume: usize, id: NodeId, is_lost: bool) -> Result<Option<Node>, SourceGone> {
        match self.server.volume(volume).fs() {
            Some(fs) if !is_lost => fs.node(id),
            _ => Ok(None),
        }
    }

    /// The target of the symbolic link that the walk stands on.
    fn link_target(&self) -> Result<Option<Vec<u8>>, SourceGone> {
        let Some(Step { volume, node: Some(node), .. }) = self.steps.last() else { return Ok(None) };
        let Some(fs) = self.server.volume(*volume).fs().filter(|_| node.kind == Kind::Symlink) else { return Ok(None) };
        Ok(Content::open(&**fs, node)?.read_all(MAX_TARGET)?.map(|(target, _)| target))
    }

    fn path_in_volume(&self) -> Vec<u8> {
        let from = self.steps.iter().rposition(|step| step.is_root).map_or(0, |root| root + 1);
        let names: Vec<&[u8]> = self.steps[from..].iter().map(|step| step.name.as_slice()).collect();
        names.join(&b'/')
    }

    /// The path so far, with the volume's name where one was given.
    fn named(&self) -> Vec<u8> {
        [self.prefix.as_slice(), &self.here()].concat()
    }

    fn finish(mut self) -> Resolved {
        let (path, server_path) = (self.path_in_volume(), self.named());
        // There is always the first step: only `..` removes any, and never that one.
        let Step { volume, node, item, trust, .. } = self.steps.pop().unwrap_or_else(|| unreachable!());
        Resolved { volume, node, item, path, server_path, trust }
    }
}

/// A path with one more name.
fn join(mut path: Vec<u8>, name: &[u8]) -> Vec<u8> {
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The components of a path that lead anywhere.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&b| b == b'/').filter(|name| !name.is_empty() && *name != b".").map(<[u8]>::to_vec).collect()
}
