//! Opening an image file or block device, read-only.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mounted::{Mounted, mounted};
use crate::bytes::Spans;
use crate::source::{FileSource, ReadAt, Source, Unreadable, mapfile};

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
    /// Bytes of a device's logical sector.
    pub sector_size: Option<u32>,
    /// The bytes that the mapfile does not call finished.
    pub unfinished: Spans,
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
    let mounted = mounted(file.file());
    let (size, is_device) = (file.len(), file.is_block_device());
    // Only a device has sectors of its own; the ioctl fails on a file.
    let sector_size = rustix::fs::ioctl_blksszget(file.file()).ok().filter(|size| size.is_power_of_two());
    let mut source: Source = Arc::new(file);
    let mut unfinished = Spans::new();
    if let Some(mapfile) = &options.mapfile {
        unfinished = read_mapfile(mapfile).map_err(|error| OpenError { path: mapfile.clone(), error })?;
        source = Arc::new(Unreadable::new(source, unfinished.clone()));
    }
    Ok(Opened { source, path: path.to_owned(), size, is_device, sector_size, unfinished, mounted })
}

fn read_mapfile(path: &Path) -> io::Result<Spans> {
    let text = std::fs::read_to_string(path)?;
    mapfile::unfinished(&text).map_err(|(line, what)| {
        io::Error::new(io::ErrorKind::InvalidData, format!("not a ddrescue mapfile: line {line}: {what}"))
    })
}
