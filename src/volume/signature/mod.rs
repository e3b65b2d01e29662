//! What a volume holds that no driver reads: named with label, UUID, size, and what to try next.

use serde::Serialize;

use crate::source::{Source, SourceGone};

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
    /// A disk image in a format of its own.
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
    /// Commands to try next, with `DEVICE` for the volume; none of them writes.
    pub advice: &'static [&'static str],
}

/// Recognises a volume by its headers.
///
/// # Errors
/// When the source is gone.
pub fn identify(_source: &Source) -> Result<Option<Signature>, SourceGone> {
    Ok(None)
}
