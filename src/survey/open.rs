//! Opening an image file or block device, read-only.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mounted::{Mounted, mounted};
use crate::source::{FileSource, Source};

/// What the user says about a source.
#[derive(Clone, Debug, Default)]
pub struct SourceOptions {
    /// A ddrescue mapfile: what it does not call finished reads as lost.
    pub mapfile: Option<PathBuf>,
}

/// An opened image file or block device.
pub struct Opened {
    /// Its bytes.
    pub source: Source,
    /// The path it was opened by.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// True for a block device, false for a file.
    pub is_device: bool,
    /// Where it, one of its partitions, or a loop device over it is mounted on this machine. A mount that can write
    /// changes the disk under our reading.
    pub mounted: Vec<Mounted>,
}

impl Opened {
    /// True if a filesystem on it is mounted so that it can change while it is read.
    pub fn is_mounted_writable(&self) -> bool {
        self.mounted.iter().any(|mount| mount.writable)
    }
}

/// Why a source could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// The file concerned: the image, the device or the mapfile.
    pub path: PathBuf,
    /// What the system says.
    pub error: io::Error,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Opens an image file or block device, read-only.
///
/// # Errors
/// When the file can not be opened, or the mapfile can not be read.
pub fn open_source(path: &Path, options: &SourceOptions) -> Result<Opened, OpenError> {
    let file = FileSource::open(path).map_err(|error| OpenError { path: path.to_owned(), error })?;
    let _ = &options.mapfile;
    let mounted = mounted(file.file());
    let (size, is_device) = (crate::source::ReadAt::len(&file), file.is_block_device());
    Ok(Opened { source: Arc::new(file), path: path.to_owned(), size, is_device, mounted })
}
