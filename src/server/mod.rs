//! The server's own paths: its root filesystem is found, and the other volumes stand where its fstab mounts them.
//!
//! [`Server::assemble`] makes a [`Server`] of a surveyed disk; [`Server::resolve`] follows a path over mounts and
//! symbolic links; [`Server::layout`] says where each volume's files go.

mod fstab;
mod list;
mod mounts;
mod place;
mod resolve;
mod root;
mod scope;

pub use list::{Listed, TreeRef, link_target};
pub use mounts::{Mount, Placed};
pub use resolve::{Resolved, Unresolved};
pub use scope::Part;

use std::sync::OnceLock;

use crate::progress::Progress;
use crate::source::SourceGone;
use crate::survey::{Disk, Volume};
use crate::tree::Tree;

/// A disk seen as the server saw it.
pub struct Server {
    disk: Disk,
    root: Option<usize>,
    mounts: Vec<Mount>,
    /// Salvaged trees, one a volume, made when a path leads nowhere without.
    trees: Vec<OnceLock<Tree>>,
}

/// Where the files of a volume stand among those of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    /// Index into [`Disk::volumes`].
    pub volume: usize,
    /// Path without a leading slash; empty for the root.
    pub at: Vec<u8>,
    /// False for a volume that nothing places, and that stands below `#volumes`.
    pub placed: bool,
}

impl Server {
    /// Finds the root filesystem and reads its fstab. Volumes that the survey left closed take no part in the search,
    /// but are placed.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn assemble(disk: Disk, progress: &dyn Progress) -> Result<Self, SourceGone> {
        let trees = disk.volumes.iter().map(|_| OnceLock::new()).collect();
        let mut server = Server { disk, root: None, mounts: Vec::new(), trees };
        if let Some(root) = root::find(&server, progress)? {
            server.root = Some(root.volume);
            server.mounts = mounts::mounts(root.fstab, root.volume, &server.disk);
        }
        Ok(server)
    }

    /// The disk it is made of.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// A volume by its index.
    pub fn volume(&self, index: usize) -> &Volume {
        &self.disk.volumes[index]
    }

    /// The root filesystem, as an index into [`Disk::volumes`]; `None` where no volume looks like one.
    pub fn root(&self) -> Option<usize> {
        self.root
    }

    /// What the fstab says of files, parents before what is mounted below them. Swap, network filesystems and the
    /// kernel's own are left out.
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// The volume of a name: `p2`, `disk`, `@1048576`.
    pub fn volume_named(&self, name: &[u8]) -> Option<usize> {
        self.disk.volumes.iter().position(|volume| volume.name.as_bytes() == name)
    }

    /// Where each volume's files stand: the root at the top, the others where the fstab mounts them, what nothing
    /// places at `#volumes/NAME`. Volumes that are not read are among them; empty ones, swap and containers are not.
    /// The root comes first, then in order of path.
    pub fn layout(&self) -> Vec<Placement> {
        let mut layout: Vec<Placement> = Vec::new();
        for (volume, it) in self.disk.volumes.iter().enumerate().filter(|(_, it)| it.holds_files()) {
            let mounted = self.mounts.iter().find(|mount| mount.placed == Placed::On(volume));
            let placed = self.root == Some(volume) || mounted.is_some();
            let at = match mounted {
                _ if self.root == Some(volume) => Vec::new(),
                Some(mount) => mount.at.strip_prefix(b"/").unwrap_or(&mount.at).to_vec(),
                None => format!("#volumes/{}", it.name).into_bytes(),
            };
            layout.push(Placement { volume, at, placed });
        }
        layout.sort_by(|a, b| (self.root != Some(a.volume), &a.at).cmp(&(self.root != Some(b.volume), &b.at)));
        layout
    }

    /// The salvaged tree of a volume, made at the first call; `None` where the volume has no opened filesystem.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn tree(&self, volume: usize, progress: &dyn Progress) -> Result<Option<&Tree>, SourceGone> {
        let (Some(fs), Some(cell)) = (self.volume(volume).fs(), self.trees.get(volume)) else { return Ok(None) };
        if cell.get().is_none() {
            // Two threads may both make it; one is kept.
            let _ = cell.set(Tree::whole(fs.clone(), progress)?);
        }
        Ok(cell.get())
    }
}
