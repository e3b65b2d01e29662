//! Whether this machine has the source mounted: [`mounted`].

use std::fs::File;
use std::path::PathBuf;

/// A mount of the source, of one of its partitions, or of a loop device over it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mounted {
    /// Where.
    pub at: PathBuf,
    /// The device mounted, as the kernel names it: `sda1`, `loop0`.
    pub device: String,
    /// False for a read-only superblock.
    pub writable: bool,
}

/// The mounts of an opened file or device on this machine, as far as the kernel tells.
pub fn mounted(_file: &File) -> Vec<Mounted> {
    Vec::new()
}
