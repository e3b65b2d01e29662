//! What the server's fstab mounts, and on which of the disk's volumes: [`Mount`].

use super::fstab::Line;
use super::place::{disk_name, place};
use crate::survey::Disk;

/// One line of the fstab that concerns files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Absolute path, without a trailing slash (`/` itself apart).
    pub at: Vec<u8>,
    /// The first field: `UUID=…`, `/dev/sda1`.
    pub spec: Vec<u8>,
    /// The type field.
    pub kind: Vec<u8>,
    /// The options field.
    pub options: Vec<u8>,
    /// Line number in the fstab, from 1.
    pub line: usize,
    /// The volume it means.
    pub placed: Placed,
}

/// The volume that an fstab line means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Placed {
    /// Index into [`Disk::volumes`].
    On(usize),
    /// None: it shows a directory of the server, of this path, at another place (a bind mount).
    Bound(Vec<u8>),
    /// None of them: why, in a few words.
    Nowhere(String),
}

/// The mounts of a server whose fstab has `lines` and whose root is the volume `root`, in the order a boot would
/// make them: parents before what is mounted below them.
pub(super) fn mounts(lines: Vec<Line>, root: usize, disk: &Disk) -> Vec<Mount> {
    let lines: Vec<Line> = lines.into_iter().filter(|line| line.concerns_files() || line.bound().is_some()).collect();
    let this_disk = this_disk(&lines);
    let mut mounts: Vec<Mount> = lines
        .iter()
        .map(|line| Mount {
            at: line.at.clone(),
            spec: line.spec.clone(),
            kind: line.kind.clone(),
            options: line.options.clone(),
            line: line.number,
            // The fstab stands on the root, whatever its line says.
            placed: match line.bound() {
                Some(directory) => Placed::Bound(directory),
                None if line.at == b"/" => Placed::On(root),
                None => place(line, disk, this_disk),
            },
        })
        .collect();
    mounts.sort_by_key(|mount| depth(&mount.at));
    mounts
}

/// True if one of the lines says of itself that the volume is the root.
pub(super) fn names_as_root(lines: &[Line], volume: usize, disk: &Disk) -> bool {
    let this_disk = this_disk(lines);
    lines.iter().any(|line| line.at == b"/" && place(line, disk, this_disk) == Placed::On(volume))
}

/// The server's name of the disk that the fstab is on: that of the root, or the only one named.
fn this_disk(lines: &[Line]) -> Option<&[u8]> {
    let of_root = lines.iter().find(|line| line.at == b"/").and_then(disk_name);
    of_root.or_else(|| {
        let mut names: Vec<&[u8]> = lines.iter().filter(|line| line.concerns_files()).filter_map(disk_name).collect();
        names.sort_unstable();
        names.dedup();
        // Of several, the first is the one that the server boots from.
        names.first().copied()
    })
}

fn depth(path: &[u8]) -> usize {
    path.split(|&b| b == b'/').filter(|name| !name.is_empty()).count()
}
