//! What was on a volume before another filesystem was made over it.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Content, SurveyOptions, Volume};
use crate::bytes::Span;
use crate::fs::{Before, DRIVERS, Driver, FileSystem, Members};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, Unreadable, Window};

/// Each volume, followed by the filesystem that another one was made over: `p2.old`. True if something is left of ones that
/// began elsewhere.
pub(super) fn with_older(
    disk: &Source,
    volumes: Vec<Volume>,
    options: &SurveyOptions,
    progress: &dyn Progress,
) -> Result<(Vec<Volume>, bool), SourceGone> {
    let (mut all, mut is_elsewhere) = (Vec::new(), false);
    let starts: Vec<u64> = volumes.iter().map(|volume| volume.span.start).collect();
    for volume in volumes {
        let whole = up_to_the_next(disk, &volume, &starts);
        let older = match &volume.content {
            Content::FileSystem(fs) => match fs.before(&whole, progress)? {
                Before::Nothing => beneath(&volume, &whole, Some(fs.driver()), options, progress)?,
                Before::Here(older) => Some(older),
                Before::Elsewhere => {
                    is_elsewhere = true;
                    None
                }
            },
            Content::Known(known) if known.inside.is_empty() => beneath(&volume, &whole, None, options, progress)?,
            _ => None,
        };
        let older = older.map(|fs| Volume {
            name: format!("{}.old", volume.name),
            span: Span::new(volume.span.start, whole.len()),
            source: fs.source(0).unwrap_or(&whole).clone(),
            partition: None,
            content: Content::FileSystem(fs),
            is_older: true,
        });
        all.push(volume);
        all.extend(older);
    }
    Ok((all, is_elsewhere))
}

/// A partition's bytes, and those behind it that no volume has: an older partition may have been larger.
fn up_to_the_next(disk: &Source, volume: &Volume, starts: &[u64]) -> Source {
    if volume.partition.is_none() {
        return volume.source.clone();
    }
    let Span { start, end } = volume.span;
    let next = starts.iter().copied().filter(|other| *other > start).min().unwrap_or(disk.len());
    Arc::new(Window::new(disk.clone(), Span { start, end: next.max(end) }))
}

/// What is left on a volume of a filesystem of another kind than `driver`'s.
fn beneath(
    volume: &Volume,
    whole: &Source,
    driver: Option<&'static Driver>,
    options: &SurveyOptions,
    progress: &dyn Progress,
) -> Result<Option<Arc<dyn FileSystem>>, SourceGone> {
    let mut source = whole.clone();
    if let Content::Known(known) = &volume.content
        && !known.written.is_empty()
    {
        source = Arc::new(Unreadable::new(source, known.written.clone()));
    }
    let is_written_over = match &volume.content {
        Content::Known(known) => known.is_used,
        Content::FileSystem(fs) => holds_files(&**fs)?,
        _ => false,
    };
    let members = Members { is_written_over, ..Members::one(source) };
    let is_asked = options.only.is_empty() || options.only.contains(&volume.name);
    for other in DRIVERS.iter().filter(|other| is_asked && driver.is_none_or(|driver| driver.name != other.name)) {
        if let Some(fs) = (other.beneath)(&members, &options.open, progress)? {
            return Ok(Some(fs));
        }
    }
    Ok(None)
}

/// True where a filesystem has anything in its root directory that `mkfs` did not put there.
///
/// # Errors
/// When the source is gone.
pub fn holds_files(fs: &dyn FileSystem) -> Result<bool, SourceGone> {
    let Some(root) = fs.node(fs.root())? else { return Ok(false) };
    let mut found = false;
    fs.entries(&root, &mut |entry| {
        found |= entry.name != b"lost+found";
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}
