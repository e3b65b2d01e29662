//! Filesystems without a header at the start of the source, for who searches a disk: [`scan`].

use std::sync::Arc;

use super::super::disk::superblock::Superblock;
use super::super::evidence::of_superblock;
use super::super::geometry::Copy;
use super::super::sniff;
use super::infer;
use super::superblock::{self, Elsewhere};
use super::traces::Traces;
use super::trial;
use crate::bytes::Span;
use crate::fs::{Candidate, OpenOptions, Sniffed};
use crate::progress::Progress;
use crate::source::{Headless, Source, SourceGone, Window};

/// Directories without a superblock that make a filesystem.
const FEWEST_DIRECTORIES: usize = 2;

/// Superblocks whose places are tried, those with the most copies.
const MOST_TRIED: usize = 64;

/// What is left of filesystems on `source`, the best first.
///
/// # Errors
/// When the source is gone.
pub fn scan(source: &Source, progress: &dyn Progress) -> Result<Vec<Candidate>, SourceGone> {
    let mut traces = None;
    let chosen = superblock::choose(source, &OpenOptions::default(), &mut traces, progress)?;
    let here = chosen.iter().filter_map(|chosen| {
        let evidence = format!("a superblock at byte {}", chosen.at);
        candidate(&chosen.sb, 0, source.len(), evidence, 90)
    });
    let here: Vec<Candidate> = here.collect();
    if chosen.is_some_and(|chosen| superblock::is_in_place(&chosen)) {
        return Ok(here);
    }
    let traces = match traces {
        Some(traces) => traces,
        None => Traces::find(source, progress)?,
    };
    let mut elsewhere = superblock::elsewhere(&traces.superblocks, source.len());
    elsewhere.sort_by_key(|place| (std::cmp::Reverse(place.copies), place.origin));
    let mut borne_out = Vec::new();
    for place in elsewhere.iter().take(MOST_TRIED) {
        if leads_to_inodes(source, place)? {
            borne_out.push(*place);
        }
    }
    if borne_out.is_empty() && !here.is_empty() {
        return Ok(here);
    }
    let mut found = Vec::new();
    for place in if borne_out.is_empty() { elsewhere } else { borne_out } {
        let confidence = if place.copies > 1 { 85 } else { 70 };
        let evidence = format!("{} superblocks that agree", place.copies);
        let candidate = candidate(&place.sb, place.span.start, place.span.len(), evidence, confidence);
        found.extend(candidate.map(|candidate| Candidate { missing: place.missing(), ..candidate }));
    }
    if found.is_empty() && traces.dirs.len() >= FEWEST_DIRECTORIES && infer::vote_block_size(&traces.dirs).is_some() {
        found.push(Candidate {
            sniffed: Sniffed { kind: "ext4", label: None, uuid: None, size: source.len() },
            span: Span::new(0, source.len()),
            missing: 0,
            evidence: format!("{} directories", traces.dirs.len()),
            confidence: 60,
        });
    }
    found.sort_by_key(|candidate| std::cmp::Reverse(candidate.confidence));
    Ok(found)
}

/// True where the inode tables of a filesystem lie where it says.
fn leads_to_inodes(source: &Source, place: &Elsewhere) -> Result<bool, SourceGone> {
    let window: Source = Arc::new(Window::new(source.clone(), place.span));
    let whole: Source = Arc::new(Headless::new(window, place.missing()));
    match of_superblock(&*whole, place.sb, Copy::Primary)? {
        Some(evidence) => Ok(!trial::misleads(&whole, &evidence.geometry)?),
        None => Ok(false),
    }
}

fn candidate(sb: &Superblock, start: u64, len: u64, evidence: String, confidence: u8) -> Option<Candidate> {
    let sniffed = sniff::sniffed(sb)?;
    Some(Candidate { sniffed, span: Span::new(start, len), missing: 0, evidence, confidence })
}
