//! What a volume holds that no driver reads: named with label, UUID, size, and what to try next.
//!
//! One file per kind. Labels and UUIDs are as `blkid` prints them.

pub(super) mod fat;

mod archive;
mod bcache;
mod btrfs;
mod exfat;
mod f2fs;
mod image;
mod iso9660;
mod jbd;
mod luks;
mod lvm;
mod md;
mod named;
mod ntfs;
mod reiserfs;
mod squashfs;
mod swap;
mod udf;
mod vmfs;
mod xfs;
mod zfs;

use serde::Serialize;
use uuid::Uuid;

use crate::bytes::{Span, Spans};
use crate::source::{Source, SourceGone, read_whole};

/// What a recognised volume is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A filesystem.
    FileSystem,
    /// Holds other volumes: LVM, LUKS, md.
    Container,
    /// Swap space.
    Swap,
    /// The journal of a filesystem that lies elsewhere.
    Journal,
    /// A disk image in a format of its own, or a compressed file.
    Image,
}

/// A volume recognised by its headers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Signature {
    /// As `blkid` prints TYPE: `xfs`, `LVM2_member`, `crypto_LUKS`.
    pub kind: &'static str,
    /// What it is for.
    pub role: Role,
    /// Label, without padding.
    pub label: Option<Vec<u8>>,
    /// As `blkid` prints UUID.
    pub uuid: Option<String>,
    /// Size in bytes, as its header counts it.
    pub size: Option<u64>,
    /// More that the header says, as name and value (`version`, `level`, `cipher`).
    pub facts: Vec<(&'static str, String)>,
    /// Volumes inside it that can be read as they lie: a mirror's data, logical volumes in one piece.
    pub inside: Vec<Inside>,
    /// Bytes that were written when it was made: of what was on the volume before, these are lost.
    #[serde(skip)]
    pub written: Spans,
    /// Its header counts no files, as after it was made.
    #[serde(skip)]
    pub is_empty: bool,
    /// Its header counts some.
    #[serde(skip)]
    pub is_used: bool,
    /// Commands to try next, with `DEVICE` for the volume as a device, `IMAGE` for the file; none of them writes to it.
    pub advice: &'static [&'static str],
}

/// A volume inside another one, in one piece.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Inside {
    /// `md`, or a logical volume as the device mapper names it (`vg0-root`).
    pub name: String,
    /// Its bytes, counted from the start of the volume it is in.
    pub span: Span,
}

impl Signature {
    /// A kind of which nothing more is known.
    fn new(kind: &'static str, role: Role, advice: &'static [&'static str]) -> Self {
        Signature {
            kind,
            role,
            label: None,
            uuid: None,
            size: None,
            facts: Vec::new(),
            inside: Vec::new(),
            written: Spans::new(),
            is_empty: false,
            is_used: false,
            advice,
        }
    }
}

/// Recognises one kind.
type Probe = fn(&Source) -> Result<Option<Signature>, SourceGone>;

/// Volumes that hold other volumes. What lies under them may look like a filesystem and is none by itself.
const CONTAINERS: &[Probe] = &[luks::probe, lvm::probe, md::probe_start];

/// Everything else, those with the surest marks first.
const OTHERS: &[Probe] = &[
    xfs::probe,
    btrfs::probe,
    ntfs::probe,
    exfat::probe,
    swap::probe,
    jbd::probe,
    squashfs::probe,
    f2fs::probe,
    bcache::probe,
    vmfs::probe,
    reiserfs::probe,
    named::probe,
    zfs::probe,
    udf::probe,
    iso9660::probe,
    fat::probe,
];

/// Recognises a volume that holds others, before its insides are taken for a filesystem.
///
/// # Errors
/// When the source is gone.
pub fn container(source: &Source) -> Result<Option<Signature>, SourceGone> {
    match first(CONTAINERS, source)? {
        Some(found) => Ok(Some(found)),
        None => md::probe_end(source),
    }
}

/// Recognises a volume by its headers.
///
/// # Errors
/// When the source is gone.
pub fn identify(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let found = match container(source)? {
        Some(found) => Some(found),
        None => first(OTHERS, source)?,
    };
    match found {
        Some(found) => Ok(Some(found)),
        None => md::probe_mirror(source),
    }
}

/// Recognises a volume by the headers at its start: where its end is not known.
///
/// # Errors
/// When the source is gone.
pub fn identify_start(source: &Source) -> Result<Option<Signature>, SourceGone> {
    match first(CONTAINERS, source)? {
        Some(found) => Ok(Some(found)),
        None => first(OTHERS, source),
    }
}

/// Recognises a file that is no raw image: a disk image in a format of its own, or compressed.
///
/// # Errors
/// When the source is gone.
pub fn image(source: &Source) -> Result<Option<Signature>, SourceGone> {
    first(&[image::probe, archive::probe], source)
}

fn first(probes: &[Probe], source: &Source) -> Result<Option<Signature>, SourceGone> {
    for probe in probes {
        if let Some(found) = probe(source)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// True if a volume, or a link of logical partitions, seems to begin at a byte offset: a few marks, quickly looked at.
pub(super) fn looks_like_volume(source: &Source, at: u64) -> Result<bool, SourceGone> {
    let Some(head) = read_whole(&**source, at, 4096)? else { return Ok(false) };
    Ok(head[510..512] == [0x55, 0xaa]
        || head[1080..1082] == [0x53, 0xef]
        || head.starts_with(b"XFSB")
        || head.starts_with(b"LUKS\xba\xbe")
        || head[512..].starts_with(b"LABELONE")
        || head[4086..].starts_with(b"SWAP")
        || read_whole(&**source, at.saturating_add(0x1_0040), 8)?.is_some_and(|magic| magic == *b"_BHRfS_M"))
}

/// The bytes before the first NUL, spaces at the end cut off; `None` where nothing is left.
fn label(bytes: &[u8]) -> Option<Vec<u8>> {
    let label = bytes.split(|&b| b == 0).next().unwrap_or_default().trim_ascii_end();
    (!label.is_empty()).then(|| label.to_vec())
}

/// The units before the first NUL as UTF-8; `None` where there are none.
fn label16(units: impl Iterator<Item = u16>) -> Option<Vec<u8>> {
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    let text = String::from_utf16_lossy(&units);
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.as_bytes().to_vec())
}

/// A UUID that lies in the order of its text; `None` for zeros.
fn uuid(bytes: &[u8]) -> Option<String> {
    Uuid::from_slice(bytes).ok().filter(|uuid| !uuid.is_nil()).map(|uuid| uuid.to_string())
}
