//! A whole disk: its partition table, its volumes and what each of them holds.
//!
//! [`open_source`] opens an image or device, [`survey`] finds the volumes and opens their filesystems: [`Disk`].

mod divide;
mod former;
mod identify;
mod mounted;
mod older;
mod open;
mod search;

pub use former::DISK as FORMER_DISK;
pub use mounted::{Mounted, mounted};
pub use older::holds_files;
pub use open::{OpenError, Opened, SourceOptions, open_source};

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::bytes::Span;
use crate::finding::Log;
use crate::fs::{FileSystem, OpenOptions, Sniffed};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, Window};
use crate::volume::signature::{self, Role, Signature};
use crate::volume::{Partition, Table};
use divide::{Place, divide};

/// Bytes of a sector where nothing says otherwise.
const SECTOR: u32 = 512;

/// What to look for on a disk.
#[derive(Clone, Debug, Default)]
pub struct SurveyOptions {
    /// Byte offset of a volume: the partition table is not looked at.
    pub offset: Option<u64>,
    /// Bytes of a logical sector, where a device tells or the user does; found out otherwise.
    pub sector_size: Option<u32>,
    /// How filesystems are opened. `strict` also means that nothing is searched for.
    pub open: OpenOptions,
    /// Names of the only volumes whose filesystems are opened; the others are merely identified, and nothing older than
    /// those is looked for. Empty: all.
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
    /// In the order of the table; each followed by the volumes inside it.
    pub volumes: Vec<Volume>,
    /// What is wrong with the table. What is wrong with a filesystem stands in its own log.
    pub log: Log,
    /// What was decided about the disk as it was before an image was written over its beginning, or before it was divided
    /// anew; one sentence each.
    pub former: Vec<String>,
}

/// A partition, or the whole disk where it has none.
pub struct Volume {
    /// `p2`; `disk` for a filesystem on the whole disk, `@OFFSET` for one at an offset (given or found). A volume inside
    /// another: `p2.md` (the data of a mirror), `p3.vg0-root` (a logical volume). `p2.old`: what was on `p2` before another
    /// filesystem was made over it; `disk.old.p2`: the second partition of the disk as it was before an image was
    /// written over its beginning.
    pub name: String,
    /// The bytes of the disk it spans; may reach past the end of a truncated image.
    pub span: Span,
    /// The bytes of the volume.
    pub source: Source,
    /// What the partition table says of it.
    pub partition: Option<Partition>,
    /// What it holds.
    pub content: Content,
    /// What it holds was there before another filesystem was made over it: remains, of which nothing is to be repaired.
    pub is_older: bool,
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
    /// Nothing that can be read: it lies past the end of a cut image, or on what is lost.
    Unreadable,
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
            Content::Unknown | Content::Empty | Content::Unreadable => None,
        }
    }

    /// The label of what it holds.
    pub fn label(&self) -> Option<Vec<u8>> {
        match &self.content {
            Content::FileSystem(fs) => fs.summary().label,
            Content::Closed(sniffed) => sniffed.label.clone(),
            Content::Known(signature) => signature.label.clone(),
            Content::Unknown | Content::Empty | Content::Unreadable => None,
        }
    }

    /// The UUID or serial number of what it holds, as `blkid` prints it.
    pub fn uuid(&self) -> Option<String> {
        match &self.content {
            Content::FileSystem(fs) => fs.summary().uuid,
            Content::Closed(sniffed) => sniffed.uuid.clone(),
            Content::Known(signature) => signature.uuid.clone(),
            Content::Unknown | Content::Empty | Content::Unreadable => None,
        }
    }

    /// True if it holds files, read here or not.
    pub fn holds_files(&self) -> bool {
        match &self.content {
            Content::FileSystem(_) | Content::Closed(_) => true,
            Content::Known(signature) => signature.role == Role::FileSystem,
            Content::Unknown | Content::Empty | Content::Unreadable => false,
        }
    }

    /// Commands that would bring a user further with a volume that is not read here, in order. `path` is that of the
    /// disk. None of them writes to it.
    pub fn advice(&self, path: &Path, is_device: bool) -> Vec<String> {
        let Content::Known(signature) = &self.content else { return Vec::new() };
        let path = shell_word(&path.to_string_lossy());
        let mut commands = Vec::new();
        if signature.advice.iter().any(|line| line.contains("DEVICE")) {
            commands.push(if is_device && self.span.start == 0 && self.partition.is_none() {
                format!("DEVICE={path}")
            } else {
                let Span { start, .. } = self.span;
                let size = self.span.len();
                format!("DEVICE=$(losetup --find --show --read-only --offset {start} --sizelimit {size} {path})")
            });
        }
        commands.extend(signature.advice.iter().map(|line| line.replace("DEVICE", "$DEVICE").replace("IMAGE", &path)));
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
/// Where neither a table nor a volume that fills the disk is found, the whole disk is searched. Where the table is
/// damaged, the space that it gives to no partition is searched too.
///
/// # Errors
/// When the source is gone.
pub fn survey(source: Source, options: &SurveyOptions, progress: &dyn Progress) -> Result<Disk, SourceGone> {
    let mut log = Log::new();
    if let Some(image) = signature::image(&source)?.filter(|_| options.offset.is_none()) {
        let Place { name, span, .. } = Place::whole(&source);
        let content = Content::Known(image);
        let volumes = vec![Volume { name, span, source: source.clone(), partition: None, content, is_older: false }];
        return Ok(Disk { source, sector_size: SECTOR, table: None, volumes, log, former: Vec::new() });
    }
    let (table, places) = match options.offset {
        Some(at) => (None, vec![Place::at(Span { start: at, end: source.len().max(at) })]),
        None => divide(&source, options, &mut log, progress)?,
    };
    let volumes = look_into_all(&source, places, options, progress)?;
    let volumes = with_inside(&source, volumes, options, progress)?;
    let (mut volumes, is_divided_anew) = older::with_older(&source, volumes, options, progress)?;
    let (before, former) = former::former(&source, table.as_ref(), &volumes, is_divided_anew, options, progress)?;
    volumes.extend(before);
    let sector_size = table.as_ref().map(|table| table.sector_size).or(options.sector_size).unwrap_or(SECTOR);
    Ok(Disk { source, sector_size, table, volumes, log, former })
}

/// How deep volumes may lie in volumes: a logical volume in a mirror, and one more.
const MAX_DEPTH: usize = 3;

/// Each volume, followed by those inside it.
fn with_inside(
    disk: &Source,
    volumes: Vec<Volume>,
    options: &SurveyOptions,
    progress: &dyn Progress,
) -> Result<Vec<Volume>, SourceGone> {
    let mut all = Vec::new();
    let mut todo: Vec<(Volume, usize)> = volumes.into_iter().rev().map(|volume| (volume, 0)).collect();
    while let Some((volume, depth)) = todo.pop() {
        if let Content::Known(known) = &volume.content
            && depth < MAX_DEPTH
        {
            let places = known.inside.iter().map(|inside| Place::inside(&volume, inside)).collect();
            let inside = look_into_all(disk, places, options, progress)?;
            todo.extend(inside.into_iter().rev().map(|volume| (volume, depth + 1)));
        }
        all.push(volume);
    }
    Ok(all)
}

fn look_into_all(
    disk: &Source,
    places: Vec<Place>,
    options: &SurveyOptions,
    progress: &dyn Progress,
) -> Result<Vec<Volume>, SourceGone> {
    let looked = places.into_par_iter().map(|place| look_into(disk, place, options, progress));
    looked.filter_map(Result::transpose).collect()
}

/// A volume with what it holds; `None` for a guess that was wrong.
fn look_into(
    disk: &Source,
    place: Place,
    options: &SurveyOptions,
    progress: &dyn Progress,
) -> Result<Option<Volume>, SourceGone> {
    let Span { start, end } = place.span;
    let source: Source = Arc::new(Window::new(disk.clone(), place.span));
    // What a damaged table claims past the end of the disk must not be searched.
    let present: Source = Arc::new(Window::new(disk.clone(), Span { start, end: end.min(disk.len()).max(start) }));
    let open = options.only.is_empty() || options.only.contains(&place.name);
    let content = identify::content(&source, &present, place.searched, open.then_some(&options.open), progress)?;
    let volume =
        Volume { name: place.name, span: place.span, source, partition: place.partition, content, is_older: false };
    Ok(Some(volume).filter(|volume| !place.guessed || volume.fs().is_some()))
}
