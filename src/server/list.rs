//! Listing one directory of the server, mount points and salvaged names among it: [`Server::list`].

use std::ops::ControlFlow;

use super::{Resolved, Server};
use crate::fs::FileSystem;
use crate::fs::content::Content;
use crate::node::{Entry, Kind, Node, NodeId, Trust};
use crate::progress::Progress;
use crate::source::SourceGone;
use crate::tree::Tree;

/// Longest target of a symbolic link that is read, in bytes (`PATH_MAX`).
const MAX_TARGET: usize = 4096;

/// One line of a listing.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name in the directory.
    pub name: Vec<u8>,
    /// Index into [`Disk::volumes`](crate::survey::Disk::volumes); for a mount point that of the volume mounted.
    pub volume: usize,
    /// The node's number; `None` for the directory of what is lost.
    pub id: Option<NodeId>,
    /// What it is, also where no node is left.
    pub kind: Kind,
    /// Its metadata; `None` where only its name is left.
    pub node: Option<Node>,
    /// How far name, place and metadata can be trusted.
    pub trust: Trust,
}

impl Server {
    /// What stands in a directory, in order of name. Where the directory is damaged it is listed as the salvaged tree
    /// has it. The roots of volumes mounted here take the place of the directories they are mounted on.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn list(&self, dir: &Resolved, progress: &dyn Progress) -> Result<Vec<Listed>, SourceGone> {
        let plain = if dir.item.is_none() { self.list_plain(dir)? } else { None };
        let mut listed = match plain {
            Some(listed) => listed,
            None => self.list_salvaged(dir, progress)?,
        };
        for item in &mut listed {
            item.trust = item.trust.max(dir.trust.min(Trust::Renamed));
        }
        self.mount_over(dir, &mut listed)?;
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// As the directory itself says; `None` where it or an entry is damaged.
    fn list_plain(&self, dir: &Resolved) -> Result<Option<Vec<Listed>>, SourceGone> {
        let (Some(fs), Some(node)) = (self.volume(dir.volume).fs(), &dir.node) else { return Ok(None) };
        let mut entries: Vec<Entry> = Vec::new();
        let judged = fs.entries(node, &mut |entry| {
            entries.push(entry);
            ControlFlow::Continue(())
        })?;
        entries.sort_by_key(|entry| entry.id);
        let ids: Vec<NodeId> = entries.iter().map(|entry| entry.id).collect();
        let nodes = fs.nodes(&ids)?;
        if judged.trust.max(node.trust) > Trust::Journal || nodes.iter().any(Option::is_none) {
            return Ok(None);
        }
        let listed = entries.into_iter().zip(nodes).map(|(entry, node)| Listed {
            name: entry.name,
            volume: dir.volume,
            id: Some(entry.id),
            kind: node.as_ref().map(|node| node.kind).or(entry.kind).unwrap_or(Kind::Unknown),
            trust: entry.trust.max(node.as_ref().map_or(Trust::Intact, |node| node.trust)),
            node,
        });
        Ok(Some(listed.collect()))
    }

    fn list_salvaged(&self, dir: &Resolved, progress: &dyn Progress) -> Result<Vec<Listed>, SourceGone> {
        let Some(tree) = self.tree(dir.volume, progress)? else { return Ok(Vec::new()) };
        let Some(item) = dir.item.or_else(|| tree.find(&dir.path)) else { return Ok(Vec::new()) };
        let children: Vec<_> = tree.children(item).collect();
        let nodes = tree.nodes(&children)?;
        let listed = children.into_iter().zip(nodes).map(|(child, node)| Listed {
            name: tree.name(child).to_vec(),
            volume: dir.volume,
            id: (!tree.is_lost_directory(child)).then(|| tree.id(child)),
            kind: tree.kind(child),
            trust: tree.trust(child).max(node.as_ref().map_or(Trust::Intact, |node| node.trust)),
            node,
        });
        Ok(listed.collect())
    }

    /// Replaces the directories that volumes are mounted on by the roots of those volumes.
    fn mount_over(&self, dir: &Resolved, listed: &mut Vec<Listed>) -> Result<(), SourceGone> {
        for (volume, name) in self.mounted_in(&dir.server_path) {
            let Some(fs) = self.volume(volume).fs() else { continue };
            let node = fs.node(fs.root())?;
            let trust = node.as_ref().map_or(Trust::Intact, |node| node.trust);
            listed.retain(|item| item.name != name);
            listed.push(Listed { name, volume, id: Some(fs.root()), kind: Kind::Directory, node, trust });
        }
        Ok(())
    }

    /// The volumes mounted directly in a directory of the server, with the names they have there.
    fn mounted_in(&self, server_path: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let placed = self.layout().into_iter().filter(|placement| placement.placed && !placement.at.is_empty());
        placed
            .filter_map(|placement| {
                let slash = placement.at.iter().rposition(|&b| b == b'/');
                let (above, name) =
                    slash.map_or((&b""[..], &placement.at[..]), |at| (&placement.at[..at], &placement.at[at + 1..]));
                (server_path == [b"/", above].concat()).then(|| (placement.volume, name.to_vec()))
            })
            .collect()
    }
}

/// Where a symbolic link leads; `None` for another kind of file, or a target longer than any kernel takes.
///
/// # Errors
/// When the source is gone.
pub fn link_target(fs: &dyn FileSystem, node: &Node) -> Result<Option<Vec<u8>>, SourceGone> {
    if node.kind != Kind::Symlink {
        return Ok(None);
    }
    Ok(Content::open(fs, node)?.read_all(MAX_TARGET)?.map(|(target, _)| target))
}

/// The part of a volume's tree below one directory, in a form that owns what it must.
pub enum TreeRef<'s> {
    /// The salvaged tree that the server keeps.
    Kept(&'s Tree),
    /// Made for this purpose.
    Own(Box<Tree>),
}

impl std::ops::Deref for TreeRef<'_> {
    type Target = Tree;
    fn deref(&self) -> &Tree {
        match self {
            TreeRef::Kept(tree) => tree,
            TreeRef::Own(tree) => tree,
        }
    }
}
