//! What was there before: below a volume over which another filesystem was made, and behind an image that was written
//! over the beginning of the disk.

use std::sync::Arc;

use super::divide::divide;
use super::{Content, SurveyOptions, Volume, look_into_all, search, with_inside};
use crate::bytes::{Span, Spans};
use crate::finding::Log;
use crate::fs::{DRIVERS, Driver, FileSystem, Members};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, Unreadable, Window, read_whole};
use crate::volume::{self, Table};

/// The name of what was on the whole disk before, and what its volumes' names begin with.
pub const DISK: &str = "disk.old";

/// Places behind an image that are looked at before all of it is searched, evenly spread, and the bytes looked at in each.
const SAMPLES: u64 = 4096;
const SAMPLE: u64 = 4096;

/// Each volume, followed by the filesystem that another one was made over: `p2.old`.
pub(super) fn with_older(
    disk: &Source,
    volumes: Vec<Volume>,
    options: &SurveyOptions,
    progress: &dyn Progress,
) -> Result<Vec<Volume>, SourceGone> {
    let mut all = Vec::new();
    let starts: Vec<u64> = volumes.iter().map(|volume| volume.span.start).collect();
    for volume in volumes {
        let whole = up_to_the_next(disk, &volume, &starts);
        let older = match &volume.content {
            Content::FileSystem(fs) => match fs.before(&whole, progress)? {
                None => beneath(&volume, &whole, Some(fs.driver()), options, progress)?,
                older => older,
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
    Ok(all)
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
    let is_asked = options.only.is_empty() || options.only.contains(&volume.name);
    for other in DRIVERS.iter().filter(|other| is_asked && driver.is_none_or(|driver| driver.name != other.name)) {
        if let Some(fs) = (other.beneath)(&Members::one(source.clone()), &options.open, progress)? {
            return Ok(Some(fs));
        }
    }
    Ok(None)
}

/// The volumes of a disk over whose beginning a smaller image was written, as it was before, and what was decided about
/// them. The image reads as lost; the rest is divided like any disk: by the copy of its table at the end, else by a search.
pub(super) fn behind(
    disk: &Source,
    table: Option<&Table>,
    volumes: &[Volume],
    options: &SurveyOptions,
    progress: &dyn Progress,
) -> Result<(Vec<Volume>, Vec<String>), SourceGone> {
    let nothing = (Vec::new(), Vec::new());
    let Some(only) = asked(&options.only).filter(|_| options.offset.is_none() && !options.open.strict) else {
        return Ok(nothing);
    };
    let end = volumes.iter().map(end_of).max().unwrap_or(0);
    if end.saturating_add(search::MEBIBYTE) > disk.len() {
        return Ok(nothing);
    }
    let rest: Source = Arc::new(Unreadable::new(disk.clone(), [Span::new(0, end)].into_iter().collect::<Spans>()));
    let older = volume::table(&rest, options.sector_size, &mut Log::new())?;
    let is_divided = older.is_some_and(|older| {
        let is_another = table.is_none_or(|table| table.id != older.id);
        is_another && older.partitions.iter().any(|partition| partition.span.end > end)
    });
    if !is_divided && (!is_unread_image(table, volumes) || is_blank(disk, end)?) {
        return Ok(nothing);
    }
    let options = SurveyOptions { only, ..options.clone() };
    let (older, places) = divide(&rest, &options, &mut Log::new(), progress)?;
    let found = look_into_all(&rest, places, &options, progress)?;
    let mut found = with_inside(&rest, found, &options, progress)?;
    found.retain(|volume| volume.span.end > end && volume.kind().is_some());
    for volume in &mut found {
        volume.name = if volume.name == "disk" { DISK.to_owned() } else { format!("{DISK}.{}", volume.name) };
        volume.is_older = true;
    }
    let mut decisions = vec![format!(
        "what was on the disk before its first {end} bytes were written over, by a filesystem or an image that is smaller"
    )];
    decisions.extend(older.into_iter().flat_map(|table| table.decisions));
    Ok(if found.is_empty() { nothing } else { (found, decisions) })
}

/// Of the volumes that alone are to be opened, those of the older disk, as that disk names them; `None` where it is not
/// asked for.
fn asked(only: &[String]) -> Option<Vec<String>> {
    let own = |name: &String| match name.strip_prefix(DISK)? {
        "" => Some("disk".to_owned()),
        rest => rest.strip_prefix('.').map(str::to_owned),
    };
    let named: Vec<String> = only.iter().filter_map(own).collect();
    (only.is_empty() || !named.is_empty()).then_some(named)
}

/// Where a volume ends, or, if it is smaller than its place, what it holds.
fn end_of(volume: &Volume) -> u64 {
    let size = match &volume.content {
        Content::FileSystem(fs) => Some(fs.summary().size),
        Content::Closed(sniffed) => Some(sniffed.size),
        Content::Known(known) => known.size,
        Content::Unknown | Content::Empty | Content::Unreadable => None,
    };
    match size.filter(|_| volume.partition.is_none()) {
        Some(size) => volume.span.start.saturating_add(size).min(volume.span.end),
        None => volume.span.end,
    }
}

/// True for a disk that holds, as a whole, something that is not read, as an image written to it.
fn is_unread_image(table: Option<&Table>, volumes: &[Volume]) -> bool {
    table.is_none() && matches!(volumes, [Volume { content: Content::Known(known), .. }] if known.inside.is_empty())
}

/// True if a look at places evenly spread finds nothing but zeros from `start` on.
fn is_blank(disk: &Source, start: u64) -> Result<bool, SourceGone> {
    let step = (disk.len().saturating_sub(start) / SAMPLES).max(SAMPLE);
    for at in (start..disk.len().saturating_sub(SAMPLE)).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let bytes = read_whole(&**disk, at, SAMPLE as usize)?;
        if bytes.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)) {
            return Ok(false);
        }
    }
    Ok(true)
}
