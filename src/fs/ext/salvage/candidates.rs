//! Filesystems without a header at the start of the source, for who searches a disk: [`scan`].

use std::sync::Arc;

use super::super::disk::superblock::Superblock;
use super::super::evidence::of_superblock;
use super::super::geometry::Copy;
use super::super::sniff;
use super::infer;
use super::superblock;
use super::traces::Traces;
use super::trial;
use crate::bytes::Span;
use crate::fs::{Candidate, OpenOptions, Sniffed};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, Window};

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
    elsewhere.sort_by_key(|(start, _, _, copies)| (std::cmp::Reverse(*copies), *start));
    let mut borne_out = Vec::new();
    for place in elsewhere.iter().take(MOST_TRIED) {
        if leads_to_inodes(source, place.0, place.1, place.2)? {
            borne_out.push(*place);
        }
    }
    if borne_out.is_empty() && !here.is_empty() {
        return Ok(here);
    }
    let mut found = Vec::new();
    for (start, len, sb, copies) in if borne_out.is_empty() { elsewhere } else { borne_out } {
        let confidence = if copies > 1 { 85 } else { 70 };
        found.extend(candidate(&sb, start, len, format!("{copies} superblocks that agree"), confidence));
    }
    if found.is_empty() && traces.dirs.len() >= FEWEST_DIRECTORIES && infer::vote_block_size(&traces.dirs).is_some() {
        found.push(Candidate {
            sniffed: Sniffed { kind: "ext4", label: None, uuid: None, size: source.len() },
            span: Span::new(0, source.len()),
            evidence: format!("{} directories", traces.dirs.len()),
            confidence: 60,
        });
    }
    found.sort_by_key(|candidate| std::cmp::Reverse(candidate.confidence));
    Ok(found)
}

/// True where the inode tables of a filesystem that begins at `start` lie where it says.
fn leads_to_inodes(source: &Source, start: u64, len: u64, sb: Superblock) -> Result<bool, SourceGone> {
    let window: Source = Arc::new(Window::new(source.clone(), Span::new(start, len)));
    match of_superblock(&*window, sb, Copy::Primary)? {
        Some(evidence) => Ok(!trial::misleads(&window, &evidence.geometry)?),
        None => Ok(false),
    }
}

fn candidate(sb: &Superblock, start: u64, len: u64, evidence: String, confidence: u8) -> Option<Candidate> {
    let sniffed = sniff::sniffed(sb)?;
    Some(Candidate { sniffed, span: Span::new(start, len), evidence, confidence })
}
