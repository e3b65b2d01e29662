//! Volumes that no table names: looked for at the places where volumes usually begin.

use std::sync::Arc;

use rayon::prelude::*;

use super::identify::{identify_start, scan};
use crate::bytes::{Span, Spans};
use crate::fs::search::Lead;
use crate::fs::{Candidate, DRIVERS, Driver, search};
use crate::progress::{Progress, Unit};
use crate::source::{Headed, Source, SourceGone, Window};

/// Every partitioning tool of the last fifteen years aligns to this.
pub(super) const MEBIBYTE: u64 = 1 << 20;

/// A cylinder of 255 heads and 63 sectors: what older tools align to, and the first track they leave free.
const CYLINDER: u64 = 255 * 63 * 512;
const TRACK: u64 = 63 * 512;

/// The bytes in which every header stands that begins a volume.
const HEADERS: u64 = 72 << 10;

/// Places looked at side by side.
const PLACES: usize = 64;

/// Difference of confidence by which one candidate rules out another.
const FAR: u8 = 30;

/// A volume found by searching.
pub(super) struct Found {
    /// Its bytes, as its headers count them.
    pub span: Span,
    /// The driver whose search found it; `None` where headers tell.
    pub driver: Option<&'static Driver>,
    /// Bytes of it that are missing before its span.
    pub missing: u64,
    /// What the search saw.
    pub lead: Lead,
}

/// Where volumes begin in `span`, by their headers.
pub(super) fn volumes_in(source: &Source, span: Span, progress: &dyn Progress) -> Result<Vec<Found>, SourceGone> {
    progress.stage("searching for volumes", Some(span.len()), Unit::Bytes);
    let mut found = Vec::new();
    let mut at = span.start;
    while at < span.end && !progress.interrupted() {
        let following = std::iter::successors(Some(at), |at| Some(next_place(*at)));
        let places: Vec<u64> = following.take(PLACES).take_while(|at| *at < span.end).collect();
        let look = |at: &u64| Ok(volume_at(source, Span { start: *at, end: span.end })?.map(|size| (*at, size)));
        let volumes: Result<Vec<_>, SourceGone> = places.par_iter().map(look).collect();
        let next = match volumes?.into_iter().flatten().next() {
            Some((start, size)) => {
                let end = start.saturating_add(size).min(span.end);
                found.push(Found { span: Span { start, end }, driver: None, missing: 0, lead: Lead::default() });
                // A volume's end is a place to look too: partitions mostly follow each other.
                end.next_multiple_of(512)
            }
            None => places.last().map_or(span.end, |at| next_place(*at)),
        };
        progress.advance(next.min(span.end) - at);
        at = next;
    }
    Ok(found)
}

/// Where volumes begin on a disk without a table: by their headers, and by the search of every driver.
pub(super) fn volumes_on(source: &Source, progress: &dyn Progress) -> Result<Vec<Found>, SourceGone> {
    let disk = Span { start: 0, end: source.len() };
    let spare = search::spare(source, DRIVERS)?;
    if let Some((driver, candidate)) = spare.into_iter().find(|(_, candidate)| candidate.span.end >= disk.end / 10 * 9)
    {
        // The copies of its headers say that it fills the disk.
        let Candidate { span, missing, lead, .. } = candidate;
        return Ok(vec![Found { span, driver: Some(driver), missing, lead }]);
    }
    let mut all = volumes_in(source, disk, progress)?;
    let scanned = without_guesses(scan(source, progress)?);
    all.extend(scanned.into_iter().map(|(driver, Candidate { span, missing, lead, .. })| Found {
        span,
        driver: Some(driver),
        missing,
        lead,
    }));
    // A volume inside another one (a disk image in a file) begins later.
    all.sort_by_key(|found| (found.span.start, std::cmp::Reverse(found.span.end)));
    let mut apart: Vec<Found> = Vec::new();
    for found in all {
        if apart.last().is_none_or(|before| before.span.end <= found.span.start) {
            apart.push(found);
        }
    }
    Ok(apart)
}

/// Candidates without those that a far more certain one overlaps.
fn without_guesses(found: Vec<(&'static Driver, Candidate)>) -> Vec<(&'static Driver, Candidate)> {
    let sure: Vec<(Span, u8)> = found.iter().map(|(_, candidate)| (candidate.span, candidate.confidence)).collect();
    let is_guess = |candidate: &Candidate| {
        let span = candidate.span;
        let overlaps = |other: &Span| other.start < span.end && span.start < other.end;
        sure.iter().any(|(other, confidence)| *confidence >= candidate.confidence + FAR && overlaps(other))
    };
    found.into_iter().filter(|(_, candidate)| !is_guess(candidate)).collect()
}

/// The parts of a disk that none of `taken` covers.
pub(super) fn gaps(disk: u64, taken: impl Iterator<Item = Span>) -> Vec<Span> {
    let taken: Spans = taken.collect();
    let (mut gaps, mut at) = (Vec::new(), 0);
    for span in taken.iter() {
        if at < span.start.min(disk) {
            gaps.push(Span { start: at, end: span.start.min(disk) });
        }
        at = span.end;
    }
    if at < disk {
        gaps.push(Span { start: at, end: disk });
    }
    gaps
}

/// The size of the volume that begins where `span` does; `None` where there is none.
fn volume_at(source: &Source, span: Span) -> Result<Option<u64>, SourceGone> {
    let headed = Headed::new(Arc::new(Window::new(source.clone(), span)), HEADERS)?;
    if headed.head().chunks(4096).all(|part| part.iter().fold(0, |bits, byte| bits | byte) == 0) {
        return Ok(None);
    }
    let window: Source = Arc::new(headed);
    let size = |size: Option<u64>| size.filter(|size| *size > 0).unwrap_or(span.len());
    Ok(identify_start(&window)?.map(|identity| size(identity.size())))
}

/// The next place after `at` where a volume may begin.
fn next_place(at: u64) -> u64 {
    let after = |step: u64, offset: u64| match at.checked_sub(offset) {
        Some(past) => (past / step + 1).saturating_mul(step).saturating_add(offset),
        None => offset,
    };
    after(MEBIBYTE, 0).min(after(CYLINDER, 0)).min(after(CYLINDER, TRACK)).max(at.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_mebibytes_cylinders_and_first_tracks() {
        let places: Vec<u64> = std::iter::successors(Some(0), |at| Some(next_place(*at))).take(12).collect();
        let mib = |n: u64| n * MEBIBYTE;
        let expected =
            [0, TRACK, mib(1), mib(2), mib(3), mib(4), mib(5), mib(6), mib(7), CYLINDER, CYLINDER + TRACK, mib(8)];
        assert_eq!(places, expected);
    }

    #[test]
    fn gaps_are_what_nothing_covers() {
        let span = |start, end| Span { start, end };
        assert_eq!(gaps(100, [span(10, 20), span(15, 30), span(90, 200)].into_iter()), [span(0, 10), span(30, 90)]);
        assert_eq!(gaps(100, [].into_iter()), [span(0, 100)]);
        assert_eq!(gaps(100, [span(150, 200)].into_iter()), [span(0, 100)]);
    }
}
