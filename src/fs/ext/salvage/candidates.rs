//! Filesystems without a header at the start of the source, for who searches a disk: [`spare`], and what [`Traces`] tell.

use std::sync::Arc;

use super::super::disk::superblock::Superblock;
use super::super::evidence::{Evidence, of_superblock};
use super::super::geometry::Copy;
use super::super::sniff;
use super::infer;
use super::superblock::{self, Chosen, Elsewhere};
use super::traces::Traces;
use super::{descriptors, shifted, trial};
use crate::bytes::Span;
use crate::fs::search::{Lead, Telling};
use crate::fs::{Candidate, OpenOptions, Sniffed};
use crate::progress::Progress;
use crate::source::{Headless, Source, SourceGone, Window};

/// Directories without a superblock that make a filesystem.
const FEWEST_DIRECTORIES: usize = 2;

/// Superblocks whose places are tried, those with the most copies.
const MOST_TRIED: usize = 64;

/// The filesystem that begins where the source does, by the copies of its superblock in their usual places, if its inode
/// tables are where they say.
///
/// # Errors
/// When the source is gone.
pub fn spare(source: &Source) -> Result<Vec<Candidate>, SourceGone> {
    let chosen = superblock::nearby(source, &OpenOptions::default())?;
    let Some(chosen) = chosen.filter(superblock::is_in_place) else { return Ok(Vec::new()) };
    let place = Elsewhere { origin: 0, span: Span::new(0, source.len()), sb: chosen.sb, copies: 1 };
    Ok(if leads_to_inodes(source, &place)? { here(source, &chosen) } else { Vec::new() })
}

fn here(source: &Source, chosen: &Chosen) -> Vec<Candidate> {
    let evidence = format!("a superblock at byte {}", chosen.at);
    candidate(&chosen.sb, 0, source.len(), evidence, 90).into_iter().collect()
}

impl Telling for Traces {
    fn candidates(&self, source: &Source, _: &dyn Progress) -> Result<Vec<Candidate>, SourceGone> {
        let chosen = match superblock::nearby(source, &OpenOptions::default())? {
            None => superblock::of_found(source, &self.superblocks)?,
            nearby => nearby,
        };
        let here = chosen.as_ref().map(|chosen| here(source, chosen)).unwrap_or_default();
        if chosen.is_some_and(|chosen| superblock::is_in_place(&chosen)) {
            return Ok(here);
        }
        candidates(source, self, here)
    }
}

/// What is left of filesystems on `source`, the best first; `here` where none begins elsewhere.
fn candidates(source: &Source, traces: &Traces, here: Vec<Candidate>) -> Result<Vec<Candidate>, SourceGone> {
    let mut elsewhere = superblock::elsewhere(&traces.superblocks, source.len());
    elsewhere.sort_by_key(|place| (std::cmp::Reverse(place.copies), place.origin));
    let mut borne_out = Vec::new();
    for place in elsewhere.iter().take(MOST_TRIED) {
        if leads_to_inodes(source, place)? {
            borne_out.push(*place);
        }
    }
    let is_shown = traces.dirs.len() >= FEWEST_DIRECTORIES && infer::vote_block_size(&traces.dirs).is_some();
    if borne_out.is_empty() {
        // The journal has copies of the superblock, too, which say nothing of how far they are from the start.
        let shift = shifted::shift(source.len(), traces);
        if !here.is_empty() {
            return Ok(here.into_iter().map(|candidate| shifted_by(shift, candidate)).collect());
        }
        let agree = elsewhere.iter().any(|place| place.copies > 1);
        if is_shown && (shift != 0 || !agree) {
            return Ok(vec![shifted_by(shift, by_directories(source, traces))]);
        }
    }
    let mut found = Vec::new();
    for place in if borne_out.is_empty() { elsewhere } else { borne_out } {
        let confidence = if place.copies > 1 { 85 } else { 70 };
        let evidence = format!("{} superblocks that agree", place.copies);
        let candidate = candidate(&place.sb, place.span.start, place.span.len(), evidence, confidence);
        found.extend(candidate.map(|candidate| Candidate { missing: place.missing(), ..candidate }));
    }
    if found.is_empty() && is_shown {
        found.push(by_directories(source, traces));
    }
    found.sort_by_key(|candidate| std::cmp::Reverse(candidate.confidence));
    Ok(found)
}

/// A filesystem of which so much is missing, or that begins so far behind the start of the source.
fn shifted_by(shift: i64, candidate: Candidate) -> Candidate {
    let (missing, before) = (shift.max(0).unsigned_abs(), shift.min(0).unsigned_abs());
    let Span { start, end } = candidate.span;
    let mut sniffed = candidate.sniffed;
    sniffed.size = sniffed.size.saturating_add(missing);
    Candidate { sniffed, missing, span: Span { start: start.saturating_add(before).min(end), end }, ..candidate }
}

/// A filesystem of which nothing but directories is known.
fn by_directories(source: &Source, traces: &Traces) -> Candidate {
    Candidate {
        sniffed: Sniffed { kind: "ext4", label: None, uuid: None, size: source.len() },
        span: Span::new(0, source.len()),
        missing: 0,
        evidence: format!("{} directories", traces.dirs.len()),
        confidence: 60,
        lead: Lead::default(),
    }
}

/// True where the inode tables of a filesystem lie where it says; without a table that tells, several copies of its
/// superblock in their places are believed.
fn leads_to_inodes(source: &Source, place: &Elsewhere) -> Result<bool, SourceGone> {
    let window: Source = Arc::new(Window::new(source.clone(), place.span));
    let whole: Source = Arc::new(Headless::new(window, place.missing()));
    match of_superblock(&*whole, place.sb, Copy::Primary)? {
        Some(Evidence { mut geometry, .. }) => {
            // Where its own descriptors are gone, their copies tell.
            descriptors::place(&whole, &mut geometry, place.sb.s_reserved_gdt_blocks.get())?;
            Ok(!trial::is_gone(&whole, &geometry)? || place.copies > 1 && trial::is_unrefuted(&whole, &geometry)?)
        }
        None => Ok(false),
    }
}

fn candidate(sb: &Superblock, start: u64, len: u64, evidence: String, confidence: u8) -> Option<Candidate> {
    let sniffed = sniff::sniffed(sb)?;
    Some(Candidate { sniffed, span: Span::new(start, len), missing: 0, evidence, confidence, lead: Lead::default() })
}
