//! The disk as it was before: an image was written over its beginning, or it was divided anew.
//!
//! What was written since reads as lost; then the disk is divided like any damaged one.

use std::sync::Arc;

use super::divide::divide;
use super::{Content, SurveyOptions, Volume, look_into_all, search, with_inside};
use crate::bytes::{Span, Spans};
use crate::finding::Log;
use crate::progress::Progress;
use crate::source::{Source, SourceGone, Unreadable, read_whole};
use crate::volume::{self, Table};

/// The name of the disk as it was before, and what its volumes' names begin with.
pub const DISK: &str = "disk.old";

/// Places behind an image that are looked at before all of it is searched, evenly spread, and the bytes looked at in each.
const SAMPLES: u64 = 4096;
const SAMPLE: u64 = 4096;

/// What was written since, and what happened to the disk.
struct Since {
    written: Spans,
    what: String,
}

/// The volumes of the disk as it was before, and what was decided about them. `is_divided_anew`: of filesystems that begin
/// in none of `volumes` something is left.
pub(super) fn former(
    disk: &Source,
    table: Option<&Table>,
    volumes: &[Volume],
    is_divided_anew: bool,
    options: &SurveyOptions,
    progress: &dyn Progress,
) -> Result<(Vec<Volume>, Vec<String>), SourceGone> {
    let nothing = (Vec::new(), Vec::new());
    if options.offset.is_some() || options.open.strict || !options.only.is_empty() {
        return Ok(nothing);
    }
    let since = match written_over(disk, table, volumes, options)? {
        None if is_divided_anew => Some(divided_anew(disk, volumes)?),
        since => since,
    };
    let Some(Since { written, what }) = since else { return Ok(nothing) };
    let rest: Source = Arc::new(Unreadable::new(disk.clone(), written.clone()));
    let (older, places) = divide(&rest, options, &mut Log::new(), progress)?;
    let found = look_into_all(&rest, places, options, progress)?;
    let mut found = with_inside(&rest, found, options, progress)?;
    let is_left = |span: Span| written.within(span).map(|lost| lost.len()).sum::<u64>() < span.len();
    let is_known = |span: Span| volumes.iter().any(|volume| volume.is_older && volume.span.start == span.start);
    found.retain(|volume| volume.kind().is_some() && is_left(volume.span) && !is_known(volume.span));
    if found.is_empty() {
        return Ok(nothing);
    }
    for volume in &mut found {
        volume.name = if volume.name == "disk" { DISK.to_owned() } else { format!("{DISK}.{}", volume.name) };
        volume.is_older = true;
    }
    let of_table = older.into_iter().flat_map(|table| table.decisions);
    Ok((found, [format!("the disk as it was before {what}")].into_iter().chain(of_table).collect()))
}

/// The beginning of the disk, over which a smaller image was written: a copy of another table is left behind it, or it is
/// an image that is not read itself, and more than zeros follow.
fn written_over(
    disk: &Source,
    table: Option<&Table>,
    volumes: &[Volume],
    options: &SurveyOptions,
) -> Result<Option<Since>, SourceGone> {
    let end = volumes.iter().map(end_of).max().unwrap_or(0);
    if end.saturating_add(search::MEBIBYTE) > disk.len() {
        return Ok(None);
    }
    let written: Spans = [Span::new(0, end)].into_iter().collect();
    let rest: Source = Arc::new(Unreadable::new(disk.clone(), written.clone()));
    let older = volume::table(&rest, options.sector_size, &mut Log::new())?;
    let has_another_table = older.is_some_and(|older| {
        table.is_none_or(|table| table.id != older.id)
            && older.partitions.iter().any(|partition| partition.span.end > end)
    });
    let is_left = has_another_table || is_unread_image(table, volumes) && !is_blank(disk, end)?;
    Ok(is_left.then(|| Since { written, what: format!("an image of {end} bytes was written over its beginning") }))
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

/// What the tools wrote that divided the disk and made filesystems on it.
fn divided_anew(disk: &Source, volumes: &[Volume]) -> Result<Since, SourceGone> {
    let first = volumes.iter().map(|volume| volume.span.start).min().unwrap_or(0);
    let last = volumes.iter().map(|volume| volume.span.end).max().unwrap_or(0).min(disk.len());
    // The table, and its copy at the end.
    let mut written: Spans =
        [Span::new(0, first.min(search::MEBIBYTE)), Span { start: last, end: disk.len() }].into_iter().collect();
    for volume in volumes.iter().filter(|volume| !volume.is_older) {
        let told = match &volume.content {
            Content::FileSystem(fs) => fs.written()?,
            Content::Known(known) => Some(known.written.clone()).filter(|written| !written.is_empty()),
            Content::Closed(_) => None,
            Content::Unknown | Content::Empty | Content::Unreadable => Some(Spans::new()),
        };
        match told {
            Some(told) => {
                let on_disk = |span: Span| Span::new(volume.span.start.saturating_add(span.start), span.len());
                told.iter().for_each(|span| written.insert(on_disk(span)));
            }
            None => written.insert(volume.span),
        }
    }
    Ok(Since { written, what: "it was divided anew".to_owned() })
}
