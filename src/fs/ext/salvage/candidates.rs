//! Filesystems without a header at the start of the source, for who searches a disk: [`scan`].

use super::super::disk::superblock::Superblock;
use super::super::sniff;
use super::infer;
use super::superblock;
use super::traces::Traces;
use crate::bytes::Span;
use crate::fs::{Candidate, OpenOptions, Sniffed};
use crate::progress::Progress;
use crate::source::{Source, SourceGone};

/// Directories without a superblock that make a filesystem.
const FEWEST_DIRECTORIES: usize = 2;

/// What is left of filesystems on `source`, the best first.
///
/// # Errors
/// When the source is gone.
pub fn scan(source: &Source, progress: &dyn Progress) -> Result<Vec<Candidate>, SourceGone> {
    let mut traces = None;
    if let Some(chosen) = superblock::choose(source, &OpenOptions::default(), &mut traces, progress)? {
        let evidence = format!("a superblock at byte {}", chosen.at);
        return Ok(candidate(&chosen.sb, 0, source.len(), evidence, 90).into_iter().collect());
    }
    let traces = match traces {
        Some(traces) => traces,
        None => Traces::find(source, progress)?,
    };
    let mut found = Vec::new();
    for (start, len, sb, copies) in superblock::elsewhere(&traces.superblocks, source.len()) {
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

fn candidate(sb: &Superblock, start: u64, len: u64, evidence: String, confidence: u8) -> Option<Candidate> {
    let sniffed = sniff::sniffed(sb)?;
    Some(Candidate { sniffed, span: Span::new(start, len), evidence, confidence })
}
