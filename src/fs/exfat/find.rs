//! Finding exFAT volumes whose boot regions are not where they should be: [`spare`], [`Headers`].

use std::collections::HashMap;

use super::disk::REGION_SECTORS;
use super::geometry::Geometry;
use super::open::{BOOT, sniffed};
use super::salvage::infer::{Clues, Inferred};
use crate::bytes::Span;
use crate::fs::Candidate;
use crate::fs::search::{Lead, Sightings, Telling};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, read_whole};

/// Sizes of sectors.
const SECTORS: [u64; 4] = [512, 1024, 2048, 4096];
/// Boot sectors that are judged; a disk has a few, an image of nothing else millions.
const MOST_BOOTS: usize = 4096;

/// The volume that begins where the source does, by the copy of its boot region.
pub fn spare(source: &Source) -> Result<Vec<Candidate>, SourceGone> {
    let mut found = HashMap::new();
    for at in SECTORS.map(|sector| sector * REGION_SECTORS) {
        let sector = read_whole(&**source, at, BOOT)?;
        if let Some(geometry) = sector.and_then(|sector| boot(&sector)) {
            note_candidate(source, at, &geometry, &mut found)?;
        }
    }
    Ok(found.into_values().filter(|candidate| candidate.span.start == 0).collect())
}

fn boot(sector: &[u8]) -> Option<Geometry> {
    (sector[3..11] == *b"EXFAT   ").then(|| Geometry::from_boot_sector(sector))?
}

/// Boot sectors and their backups, in any sector, and what tells of a volume that has none.
#[derive(Default)]
pub struct Headers {
    boots: Vec<(u64, Geometry)>,
    clues: Clues,
}

impl Sightings for Headers {
    fn look(source: &Source, at: u64, chunk: &[u8]) -> Self {
        let sectors = (at..).step_by(BOOT).zip(chunk.chunks_exact(BOOT));
        let boots = sectors.filter_map(|(at, sector)| Some((at, boot(sector)?))).take(MOST_BOOTS).collect();
        Headers { boots, clues: Clues::look(source, at, chunk) }
    }

    fn add(&mut self, later: Self) {
        let room = MOST_BOOTS.saturating_sub(self.boots.len());
        self.boots.extend(later.boots.into_iter().take(room));
        self.clues.add(later.clues);
    }
}

impl Telling for Headers {
    fn candidates(&self, source: &Source, _: &dyn Progress) -> Result<Vec<Candidate>, SourceGone> {
        let mut found = HashMap::new();
        for (at, geometry) in &self.boots {
            note_candidate(source, *at, geometry, &mut found)?;
        }
        let mut found: Vec<Candidate> = found.into_values().collect();
        if found.is_empty() {
            let inferred = self.clues.inferred(source)?;
            found.extend(inferred.map(|Inferred { geometry, evidence }| {
                let span = Span { start: 0, end: geometry.size.min(source.len()) };
                Candidate {
                    sniffed: sniffed(&geometry),
                    span,
                    missing: 0,
                    evidence,
                    confidence: 70,
                    lead: Lead::default(),
                }
            }));
        }
        found.sort_by_key(|candidate| (u8::MAX - candidate.confidence, candidate.span));
        Ok(found)
    }
}

/// Notes the volume that a boot sector at `here` is of, by where it begins.
fn note_candidate(
    source: &Source,
    here: u64,
    geometry: &Geometry,
    found: &mut HashMap<u64, Candidate>,
) -> Result<(), SourceGone> {
    let begins = |base: u64| -> Result<bool, SourceGone> {
        let table = geometry.tables.first().map_or(0, |&table| base.saturating_add(table));
        Ok(read_whole(&**source, table, 8)?.is_some_and(|bytes| bytes[1..8] == [0xff; 7]))
    };
    let backup_of = here.checked_sub(REGION_SECTORS * geometry.sector_size);
    let (base, confidence, evidence) = match backup_of {
        _ if begins(here)? => (here, 95, "boot sector and table"),
        Some(base) if begins(base)? => (base, 90, "backup boot sector and table"),
        _ => (here, 50, "boot sector"),
    };
    let span = Span { start: base, end: base.saturating_add(geometry.size).min(source.len()) };
    let candidate = Candidate {
        sniffed: sniffed(geometry),
        span,
        missing: 0,
        evidence: evidence.to_owned(),
        confidence,
        lead: Lead::default(),
    };
    let known = found.entry(base).or_insert_with(|| candidate.clone());
    if known.confidence < confidence {
        *known = candidate;
    }
    Ok(())
}
