//! Which volume is the server's root: judged by content.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::Server;
use super::fstab::{self, Line};
use super::mounts::names_as_root;
use crate::fs::FileSystem;
use crate::fs::content;
use crate::node::{Kind, Node, Trust};
use crate::progress::Progress;
use crate::source::SourceGone;
use crate::survey::{Content, Volume, holds_files};
use crate::tree::ROOT;
use crate::volume::signature::{Role, Signature};

/// What speaks for a volume, and its fstab.
pub(super) struct Root {
    pub volume: usize,
    pub fstab: Vec<Line>,
    /// In this order: an fstab that names it, an fstab, directories that only a root has.
    evidence: (bool, bool, usize),
}

/// Names at the top of a root, whatever the distribution.
const TOP: &[&[u8]] = &[b"etc", b"usr", b"bin", b"sbin", b"var", b"root", b"lib"];

/// Of [`TOP`], so many make a root without an fstab: `etc`, and two more.
const ENOUGH: usize = 3;

/// The root filesystem of a server; `None` where no volume looks like one. A disk's only volume of files is it, whatever
/// it holds, and an empty filesystem that was made over another one is no volume of files.
pub(super) fn find(server: &Server, progress: &dyn Progress) -> Result<Option<Root>, SourceGone> {
    let mut candidates = Vec::new();
    let mut others = 0;
    for (index, volume) in server.disk.volumes.iter().enumerate() {
        if is_empty_over_older(server, index)? {
            continue;
        }
        match volume.fs() {
            Some(_) => candidates.push(judge(server, index, false, progress)?),
            None => others += usize::from(may_hold_files(volume)),
        }
    }
    if !candidates.iter().any(Root::has_fstab) {
        // What a damaged directory hides is found in the salvaged tree.
        for candidate in &mut candidates {
            if is_damaged(server, candidate.volume)? {
                *candidate = judge(server, candidate.volume, true, progress)?;
            }
        }
    }
    if candidates.len() + others > 1 {
        candidates.retain(Root::looks_like_one);
    }
    // Of equals the first on the disk.
    candidates.sort_by_key(|candidate| (std::cmp::Reverse(candidate.evidence), candidate.volume));
    Ok(candidates.into_iter().next())
}

/// True for a filesystem without files that was made over one of which something is left.
fn is_empty_over_older(server: &Server, index: usize) -> Result<bool, SourceGone> {
    let span = server.volume(index).span;
    let lies_over = |other: &Volume| other.is_older && other.span.intersection(span).is_some();
    if server.volume(index).is_older || !server.disk.volumes.iter().any(lies_over) {
        return Ok(false);
    }
    match &server.volume(index).content {
        Content::FileSystem(fs) => Ok(fs.node(fs.root())?.is_some() && !holds_files(&**fs)?),
        Content::Known(known) => Ok(known.is_empty),
        _ => Ok(false),
    }
}

/// True also for what is not read: the root may be there.
fn may_hold_files(volume: &Volume) -> bool {
    let unread = |known: &Signature| known.role == Role::Container && known.inside.is_empty();
    match &volume.content {
        Content::Known(known) => volume.holds_files() || unread(known),
        Content::FileSystem(_) | Content::Closed(_) | Content::Unknown | Content::Unreadable => true,
        Content::Empty => false,
    }
}

impl Root {
    fn has_fstab(&self) -> bool {
        self.evidence.1
    }

    fn looks_like_one(&self) -> bool {
        self.has_fstab() || self.evidence.2 >= ENOUGH
    }
}

fn judge(server: &Server, volume: usize, salvaged: bool, progress: &dyn Progress) -> Result<Root, SourceGone> {
    let look =
        |path: &[&[u8]]| if salvaged { server.salvaged(volume, path, progress) } else { server.plain(volume, path) };
    let mut names = server.names_at_top(volume)?;
    if salvaged && let Some(tree) = server.tree(volume, progress)? {
        names.extend(tree.children(ROOT).map(|child| tree.name(child).to_vec()));
    }
    // `etc` is on every root, and the others are not only on roots.
    let directories = if names.contains(TOP[0]) { TOP.iter().filter(|name| names.contains(**name)).count() } else { 0 };
    let fstab = match look(&[b"etc", b"fstab"])? {
        Some(node) => server.read(volume, &node)?.map(|text| fstab::parse(&text)),
        None => None,
    };
    let named = fstab.as_ref().is_some_and(|lines| names_as_root(lines, volume, &server.disk));
    Ok(Root { volume, evidence: (named, fstab.is_some(), directories), fstab: fstab.unwrap_or_default() })
}

/// True if the root directory or `/etc` can not be read as they should.
fn is_damaged(server: &Server, volume: usize) -> Result<bool, SourceGone> {
    let Some(fs) = server.volume(volume).fs() else { return Ok(false) };
    let Some(root) = fs.node(fs.root())? else { return Ok(true) };
    let etc = fs.lookup(&root, b"etc")?;
    let node = match &etc {
        Some(entry) => fs.node(entry.id)?,
        None => None,
    };
    Ok(is_doubtful(&**fs, &root)?
        || etc.is_some() && node.is_none()
        || node.is_some_and(|node| is_doubtful(&**fs, &node).unwrap_or(true)))
}

/// True for a directory of which entries may be missing.
pub(super) fn is_doubtful(fs: &dyn FileSystem, dir: &Node) -> Result<bool, SourceGone> {
    if dir.kind != Kind::Directory || dir.trust > Trust::Journal {
        return Ok(true);
    }
    Ok(fs.entries(dir, &mut |_| ControlFlow::Continue(()))?.trust > Trust::Journal)
}

impl Server {
    /// Names that make a root, of those at the top of a volume; their nodes may be gone.
    fn names_at_top(&self, volume: usize) -> Result<HashSet<Vec<u8>>, SourceGone> {
        let mut names = HashSet::new();
        let Some(fs) = self.volume(volume).fs() else { return Ok(names) };
        let Some(root) = fs.node(fs.root())? else { return Ok(names) };
        for name in TOP {
            names.extend(fs.lookup(&root, name)?.map(|entry| entry.name));
        }
        Ok(names)
    }

    /// The node at a path of a volume, as its directories lead there.
    fn plain(&self, volume: usize, path: &[&[u8]]) -> Result<Option<Node>, SourceGone> {
        let Some(fs) = self.volume(volume).fs() else { return Ok(None) };
        let mut at = fs.node(fs.root())?;
        for name in path {
            let Some(dir) = at.filter(|node| node.kind == Kind::Directory) else { return Ok(None) };
            at = match fs.lookup(&dir, name)? {
                Some(entry) => fs.node(entry.id)?,
                None => None,
            };
        }
        Ok(at)
    }

    /// The node at a path of a volume's salvaged tree.
    fn salvaged(&self, volume: usize, path: &[&[u8]], progress: &dyn Progress) -> Result<Option<Node>, SourceGone> {
        let Some(tree) = self.tree(volume, progress)? else { return Ok(None) };
        match tree.find(&path.join(&b'/')) {
            Some(item) => tree.fs().node(tree.id(item)),
            None => Ok(None),
        }
    }

    /// The bytes of a short regular file.
    fn read(&self, volume: usize, node: &Node) -> Result<Option<Vec<u8>>, SourceGone> {
        let Some(fs) = self.volume(volume).fs().map(Arc::clone) else { return Ok(None) };
        if node.kind != Kind::File {
            return Ok(None);
        }
        Ok(content::Content::open(&*fs, node)?.read_all(fstab::MAX_SIZE)?.map(|(text, _)| text))
    }
}
