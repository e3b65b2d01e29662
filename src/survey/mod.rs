//! A whole disk: its partition table, its volumes and what each of them holds.
//!
//! [`open_source`] opens an image or device, [`survey`] finds the volumes and opens their filesystems: [`Disk`].

mod mounted;
mod open;

pub use mounted::{Mounted, mounted};
pub use open::{OpenError, Opened, SourceOptions, open_source};

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::bytes::Span;
use crate::finding::Log;
use crate::fs::{DRIVERS, Driver, FileSystem, Members, OpenOptions, Sniffed};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, Window};
use crate::volume::signature::{self, Role, Signature};
use crate::volume::{self, Partition, Table};

/// What to look for on a disk.
#[derive(Clone, Debug, Default)]
pub struct SurveyOptions {
    /// Byte offset of a volume: the partition table is not looked at.
    pub offset: Option<u64>,
    /// How filesystems are opened.
    pub open: OpenOptions,
    /// Names of the only volumes whose filesystems are opened; the others are merely identified. Empty: all.
    pub only: Vec<String>,
}

/// A disk and all that is known of it.
pub struct Disk {
    /// The disk as a whole.
    pub source: Source,
    /// Bytes of a logical sector.
    pub sector_size: u32,
    /// How it is divided, where it is.
    pub table: Option<Table>,
    /// In the order of the table.
    pub volumes: Vec<Volume>,
    /// What is wrong with the table. What is wrong with a filesystem stands in its own log.
    pub log: Log,
}

/// A partition, or the whole disk where it has none.
pub struct Volume {
    /// `p2`; `disk` for a filesystem on the whole disk, `@OFFSET` for one at an offset (given or found).
    pub name: String,
    /// The bytes of the disk it spans; may reach past the end of a truncated image.
    pub span: Span,
    /// The bytes of the volume.
    pub source: Source,
    /// What the partition table says of it.
    pub partition: Option<Partition>,
    /// What it holds.
    pub content: Content,
}

/// What a volume holds.
pub enum Content {
    /// A filesystem, opened.
    FileSystem(Arc<dyn FileSystem>),
    /// A filesystem that offmount reads, and that was not asked for.
    Closed(Sniffed),
    /// Something that offmount names and does not read.
    Known(Signature),
    /// Nothing that is recognised.
    Unknown,
    /// Zeros, as far as was looked.
    Empty,
}

impl Volume {
    /// The filesystem, where one was opened.
    pub fn fs(&self) -> Option<&Arc<dyn FileSystem>> {
        match &self.content {
            Content::FileSystem(fs) => Some(fs),
            _ => None,
        }
    }

    /// What it holds, as `blkid` prints TYPE (`ext4`, `vfat`, `swap`).
    pub fn kind(&self) -> Option<&'static str> {
        match &self.content {
            Content::FileSystem(fs) => Some(fs.summary().kind),
            Content::Closed(sniffed) => Some(sniffed.kind),
            Content::Known(signature) => Some(signature.kind),
            Content::Unknown | Content::Empty => None,
        }
    }

    /// The label of what it holds.
    pub fn label(&self) -> Option<Vec<u8>> {
        match &self.content {
            Content::FileSystem(fs) => fs.summary().label,
            Content::Closed(sniffed) => sniffed.label.clone(),
            Content::Known(signature) => signature.label.clone(),
            Content::Unknown | Content::Empty => None,
        }
    }

    /// The UUID or serial number of what it holds, as `blkid` prints it.
    pub fn uuid(&self) -> Option<String> {
        match &self.content {
            Content::FileSystem(fs) => fs.summary().uuid,
            Content::Closed(sniffed) => sniffed.uuid.clone(),
            Content::Known(signature) => signature.uuid.clone(),
            Content::Unknown | Content::Empty => None,
        }
    }

    /// True if it holds files, read here or not.
    pub fn holds_files(&self) -> bool {
        match &self.content {
            Content::FileSystem(_) | Content::Closed(_) => true,
            Content::Known(signature) => signature.role == Role::FileSystem,
            Content::Unknown | Content::Empty => false,
        }
    }

    /// Commands that would bring a user further with a volume that is not read here, in order. `path` is that of the
    /// disk. None of them writes to it.
    pub fn advice(&self, path: &Path, is_device: bool) -> Vec<String> {
        let Content::Known(signature) = &self.content else { return Vec::new() };
        let mut commands = Vec::new();
        if !is_device || self.name != "disk" {
            commands.push(format!(
                "DEVICE=$(losetup --find --show --read-only --offset {} --sizelimit {} {})",
                self.span.start,
                self.span.len(),
                shell_word(&path.to_string_lossy()),
            ));
        } else {
            commands.push(format!("DEVICE={}", shell_word(&path.to_string_lossy())));
        }
        commands.extend(signature.advice.iter().map(|line| line.replace("DEVICE", "$DEVICE")));
        commands
    }
}

/// A word as a POSIX shell reads it back.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Finds the volumes of a disk and opens their filesystems, in parallel.
///
/// # Errors
/// When the source is gone.
pub fn survey(source: Source, options: &SurveyOptions, progress: &dyn Progress) -> Result<Disk, SourceGone> {
    let mut log = Log::new();
    let table = match options.offset {
        Some(_) => None,
        None => volume::table(&source, None, &mut log)?,
    };
    let places = match (&table, options.offset) {
        (Some(table), _) => {
            table.partitions.iter().map(|p| (format!("p{}", p.number), p.span, Some(p.clone()))).collect()
        }
        (None, Some(offset)) => {
            vec![(format!("@{offset}"), Span { start: offset, end: source.len().max(offset) }, None)]
        }
        (None, None) => vec![("disk".to_owned(), Span { start: 0, end: source.len() }, None)],
    };
    let volumes: Result<Vec<Volume>, SourceGone> = places
        .into_par_iter()
        .map(|(name, span, partition)| {
            let window: Source = Arc::new(Window::new(source.clone(), span));
            let open = options.only.is_empty() || options.only.contains(&name);
            let content = content(&window, open.then_some(&options.open), progress)?;
            Ok(Volume { name, span, source: window, partition, content })
        })
        .collect();
    let sector_size = table.as_ref().map_or(512, |table| table.sector_size);
    Ok(Disk { source, sector_size, table, volumes: volumes?, log })
}

/// What a volume holds; opened if `open` says how.
fn content(source: &Source, open: Option<&OpenOptions>, progress: &dyn Progress) -> Result<Content, SourceGone> {
    if let Some((driver, sniffed)) = sniff(source)? {
        let Some(options) = open else { return Ok(Content::Closed(sniffed)) };
        if let Some(fs) = (driver.open)(&Members::one(source.clone()), options, progress)? {
            return Ok(Content::FileSystem(fs));
        }
    }
    Ok(signature::identify(source)?.map_or(Content::Unknown, Content::Known))
}

/// The first driver that recognises the volume.
fn sniff(source: &Source) -> Result<Option<(&'static Driver, Sniffed)>, SourceGone> {
    for driver in DRIVERS {
        if let Some(sniffed) = (driver.sniff)(source)? {
            return Ok(Some((driver, sniffed)));
        }
    }
    Ok(None)
}
