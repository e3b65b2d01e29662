//! Finding FAT volumes whose boot sectors are not where they should be: [`spare`], [`Headers`].

use std::collections::HashMap;

use super::geometry::{Geometry, Judged};
use super::open::{BACKUP_SECTOR, BOOT, is_credible, sniffed, table_begins};
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

/// The volume that begins where the source does, by the copy of its boot sector.
pub fn spare(source: &Source) -> Result<Vec<Candidate>, SourceGone> {
    let mut found = HashMap::new();
    for at in SECTORS.map(|sector| sector * BACKUP_SECTOR) {
        if let Some(sector) = read_whole(&**source, at, BOOT)? {
            note_candidates(source, at, &sector, &mut found)?;
        }
    }
    Ok(found.into_values().filter(|candidate| candidate.span.start == 0).collect())
}

/// Boot sectors and their backups, in any sector, and what tells of a volume that has none.
#[derive(Default)]
pub struct Headers {
    boots: Vec<(u64, Vec<u8>)>,
    clues: Clues,
}

impl Sightings for Headers {
    fn look(source: &Source, at: u64, chunk: &[u8]) -> Self {
        let sectors = (at..).step_by(BOOT).zip(chunk.chunks_exact(BOOT));
        let is_boot = |(at, sector): &(u64, &[u8])| {
            sector[510..] == [0x55, 0xaa] && Geometry::from_boot_sector(sector, *at).is_some()
        };
        let boots = sectors.filter(is_boot).take(MOST_BOOTS).map(|(at, sector)| (at, sector.to_vec())).collect();
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
        for (at, sector) in &self.boots {
            note_candidates(source, *at, sector, &mut found)?;
        }
        let mut found: Vec<Candidate> = found.into_values().collect();
        if found.is_empty() {
            let inferred = self.clues.inferred(source)?;
            found.extend(inferred.map(|Inferred { geometry, evidence, confidence }| {
                let span = Span { start: 0, end: geometry.size.min(source.len()) };
                Candidate { sniffed: sniffed(&geometry), span, missing: 0, evidence, confidence, lead: Lead::default() }
            }));
        }
        found.sort_by_key(|candidate| (u8::MAX - candidate.confidence, candidate.span));
        Ok(found)
    }
}

/// Notes the volumes that a boot sector at `at` may be of, by where they begin.
fn note_candidates(
    source: &Source,
    at: u64,
    sector: &[u8],
    found: &mut HashMap<u64, Candidate>,
) -> Result<(), SourceGone> {
    let Some(Judged { geometry, .. }) = Geometry::from_boot_sector(sector, at) else { return Ok(()) };
    let mut add = |base: u64, confidence, evidence: &str| {
        let span = Span { start: base, end: base.saturating_add(geometry.size).min(source.len()) };
        let candidate = Candidate {
            sniffed: sniffed(&geometry),
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
    };
    if is_credible(sector, table_begins(source, at, &geometry)?) && table_begins(source, at, &geometry)? {
        add(at, 95, "boot sector and table");
    } else if let Some(base) = geometry.backup.and_then(|backup| at.checked_sub(backup)) {
        if table_begins(source, base, &geometry)? {
            add(base, 90, "backup boot sector and table");
        }
    } else if is_credible(sector, false) {
        add(at, 50, "boot sector");
    }
    Ok(())
}
