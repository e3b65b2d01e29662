//! What a volume holds: recognised by its headers, opened, or searched for where the headers are gone.

use std::sync::Arc;

use super::Content;
use crate::bytes::Spans;
use crate::fs::search::Lead;
use crate::fs::{Candidate, DRIVERS, Driver, Members, OpenOptions, Sniffed, search};
use crate::progress::Progress;
use crate::source::{Headless, ReadAt, Source, SourceGone, Window};
use crate::volume::signature::{self, Signature};

/// A search's answer below this is not believed.
const BELIEVED: u8 = 50;

/// Bytes at the start and at the end that must be zero for a volume to count as empty.
const LOOKED_AT: usize = 1 << 20;

/// What a volume's headers say.
pub(super) enum Identity {
    /// A driver knows it.
    Driver(&'static Driver, Sniffed),
    /// It is named, not read.
    Known(Signature),
}

impl Identity {
    /// Size in bytes, as the headers count it.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Identity::Driver(_, sniffed) => Some(sniffed.size),
            Identity::Known(signature) => signature.size,
        }
    }
}

/// What a search of a volume's bytes gave.
#[derive(Clone)]
pub(super) enum Searched {
    /// There was none.
    NotYet,
    /// A filesystem of this driver, from the first byte on, or from so many bytes before it.
    Found { driver: &'static Driver, missing: u64, lead: Lead },
    /// Nothing that is believed.
    Nothing,
}

/// Recognises a volume by its headers alone.
pub(super) fn identify(source: &Source) -> Result<Option<Identity>, SourceGone> {
    if let Some(container) = signature::container(source)? {
        return Ok(Some(Identity::Known(container)));
    }
    if let Some((driver, sniffed)) = sniff(source)? {
        return Ok(Some(Identity::Driver(driver, sniffed)));
    }
    Ok(signature::identify(source)?.map(Identity::Known))
}

/// Recognises what begins where the source does, whose end is not known.
pub(super) fn identify_start(source: &Source) -> Result<Option<Identity>, SourceGone> {
    if let Some((driver, sniffed)) = sniff(source)? {
        return Ok(Some(Identity::Driver(driver, sniffed)));
    }
    Ok(signature::identify_start(source)?.map(Identity::Known))
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

/// What a volume holds; opened if `open` says how. `present` is the part of `source` that the disk has.
pub(super) fn content(
    source: &Source,
    present: &Source,
    searched: Searched,
    open: Option<&OpenOptions>,
    progress: &dyn Progress,
) -> Result<Content, SourceGone> {
    match identify(source)? {
        Some(Identity::Known(signature)) => return Ok(Content::Known(signature)),
        Some(Identity::Driver(driver, sniffed)) => {
            let Some(options) = open else { return Ok(Content::Closed(sniffed)) };
            if let Some(fs) = (driver.open)(&Members::one(source.clone()), options, progress)? {
                return Ok(Content::FileSystem(fs));
            }
        }
        None => {}
    }
    if let Some(options) = open
        && let Some(found) = open_headless(present, searched, options, progress)?
    {
        return Ok(found);
    }
    ends(&**present)
}

/// Opens a filesystem whose headers are gone: as the user says, or where a search finds it.
fn open_headless(
    source: &Source,
    searched: Searched,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<Option<Content>, SourceGone> {
    if (options.superblock.is_some() || options.block_size.is_some())
        && let Some(found) = open_with_any(source, options, progress)?
    {
        return Ok(Some(found));
    }
    let candidates = match searched {
        _ if options.strict => return Ok(None),
        Searched::Nothing => Vec::new(),
        Searched::Found { driver, missing, lead } => {
            let whole = with_beginning(source, missing);
            return Ok((driver.open)(&Members::found(whole, lead), options, progress)?.map(Content::FileSystem));
        }
        Searched::NotYet => scan(source, progress)?,
    };
    for (driver, candidate) in candidates {
        let window: Source = match candidate.span.start {
            0 => source.clone(),
            _ => Arc::new(Window::new(source.clone(), candidate.span)),
        };
        let whole = with_beginning(&window, candidate.missing);
        if let Some(fs) = (driver.open)(&Members::found(whole, candidate.lead), options, progress)? {
            return Ok(Some(Content::FileSystem(fs)));
        }
    }
    open_with_any(source, options, progress)
}

/// A source as it was before its first bytes were cut off.
fn with_beginning(source: &Source, missing: u64) -> Source {
    if missing == 0 { source.clone() } else { Arc::new(Headless::new(source.clone(), missing)) }
}

/// Opens a filesystem with the first driver that finds enough of one: copies of its headers, the shape of its metadata.
fn open_with_any(
    source: &Source,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<Option<Content>, SourceGone> {
    for driver in DRIVERS {
        if let Some(fs) = (driver.open)(&Members::one(source.clone()), options, progress)? {
            return Ok(Some(Content::FileSystem(fs)));
        }
    }
    Ok(None)
}

/// What the drivers find by searching, the most certain first.
pub(super) fn scan(source: &Source, progress: &dyn Progress) -> Result<Vec<(&'static Driver, Candidate)>, SourceGone> {
    let mut found = search::candidates(source, DRIVERS, progress)?;
    found.retain(|(_, candidate)| candidate.confidence >= BELIEVED && !candidate.span.is_empty());
    found.sort_by_key(|(_, candidate)| (std::cmp::Reverse(candidate.confidence), candidate.span));
    Ok(found)
}

/// What both ends say of a volume on which nothing was recognised.
fn ends(source: &dyn ReadAt) -> Result<Content, SourceGone> {
    let mut buf = vec![0; (source.len().min(LOOKED_AT as u64)) as usize];
    let (mut readable, mut zeros) = (false, true);
    for at in [0, source.len() - buf.len() as u64] {
        let mut lost = Spans::new();
        source.read(at, &mut buf, &mut lost)?;
        readable |= lost.total() < buf.len() as u64;
        zeros &= lost.is_empty() && buf.iter().all(|&byte| byte == 0);
    }
    Ok(match (readable, zeros) {
        (false, _) => Content::Unreadable,
        (true, true) => Content::Empty,
        (true, false) => Content::Unknown,
    })
}
