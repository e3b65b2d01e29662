//! The search for filesystems whose headers are gone. First where copies of headers usually stand, which costs a few
//! reads ([`spare`]); else in one pass over the source, in which every driver looks at every chunk ([`candidates`]).

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::{Candidate, Driver, pass};
use crate::bytes::Span;
use crate::progress::{Progress, Unit};
use crate::source::{Source, SourceGone};

/// From here on a copy of the headers is so certain that nothing else is searched for.
const CERTAIN: u8 = 85;

/// Any filesystem's headers begin in a sector.
const SECTOR: u64 = 512;

/// What is seen in a pass over a source.
pub trait Sightings: Default + Send + Sync + 'static {
    /// What a chunk shows that begins at `at`, zeros where it is unreadable. Called on any thread.
    fn look(source: &Source, at: u64, chunk: &[u8]) -> Self;

    /// Takes over what a later chunk showed. Bounded, whatever the source holds.
    fn add(&mut self, later: Self);
}

/// Sightings that tell of filesystems.
pub trait Telling: Sightings {
    /// The filesystems that all of it speaks for, the best first.
    fn candidates(&self, source: &Source, progress: &dyn Progress) -> Found;
}

/// Filesystems found, or that the source is gone.
type Found = Result<Vec<Candidate>, SourceGone>;

/// Sightings of some driver.
type Seen = Box<dyn Any + Send + Sync>;

/// What a search saw of a filesystem: its driver, opening it, need not search again.
#[derive(Clone, Default)]
pub struct Lead(Option<Arc<dyn Any + Send + Sync>>);

impl Lead {
    /// The sightings, if they are of this kind.
    pub fn sightings<S: Sightings>(&self) -> Option<Arc<S>> {
        self.0.clone()?.downcast().ok()
    }
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Lead" } else { "no lead" })
    }
}

/// How one driver searches.
pub struct Search {
    none: fn() -> Seen,
    look: fn(&Source, u64, &[u8]) -> Seen,
    add: fn(&mut Seen, Seen),
    candidates: fn(&Lead, &Source, &dyn Progress) -> Found,
}

impl Search {
    /// A search for what `S` sees.
    pub const fn of<S: Telling>() -> Self {
        Search {
            none: || Box::new(S::default()),
            look: |source, at, chunk| Box::new(S::look(source, at, chunk)),
            add: |all, later| {
                // Each driver's sightings are handed back to itself alone.
                if let (Some(all), Ok(later)) = (all.downcast_mut::<S>(), later.downcast::<S>()) {
                    all.add(*later);
                }
            },
            candidates: |all, source, progress| match all.sightings::<S>() {
                Some(all) => all.candidates(source, progress),
                None => Ok(Vec::new()),
            },
        }
    }
}

/// One pass over a source for sightings of one kind.
///
/// # Errors
/// When the source is gone.
pub fn sightings<S: Sightings>(source: &Source, progress: &dyn Progress) -> Result<S, SourceGone> {
    let mut all = S::default();
    pass::chunks(source, SECTOR, progress, |at, chunk| S::look(source, at, chunk), |later| all.add(later))?;
    Ok(all)
}

/// The filesystems of these drivers that begin where the source does, by copies of their headers, if these are certain.
///
/// # Errors
/// When the source is gone.
pub fn spare(source: &Source, drivers: &[&'static Driver]) -> Result<Vec<(&'static Driver, Candidate)>, SourceGone> {
    let mut found = Vec::new();
    for &driver in drivers {
        let certain = (driver.spare)(source)?.into_iter().filter(|candidate| candidate.confidence >= CERTAIN);
        found.extend(certain.map(|candidate| (driver, candidate)));
    }
    Ok(found)
}

/// What is left on a source of filesystems of these drivers, in no order.
///
/// # Errors
/// When the source is gone.
pub fn candidates(
    source: &Source,
    drivers: &[&'static Driver],
    progress: &dyn Progress,
) -> Result<Vec<(&'static Driver, Candidate)>, SourceGone> {
    let mut found = spare(source, drivers)?;
    if !found.is_empty() {
        return Ok(found);
    }
    progress.stage("searching for filesystems", Some(source.len()), Unit::Bytes);
    let mut all: Vec<Seen> = drivers.iter().map(|driver| (driver.search.none)()).collect();
    let look = |at: u64, chunk: &[u8]| -> Vec<Seen> {
        drivers.iter().map(|driver| (driver.search.look)(source, at, chunk)).collect()
    };
    pass::chunks(source, SECTOR, progress, look, |seen| {
        for ((driver, all), later) in drivers.iter().zip(&mut all).zip(seen) {
            (driver.search.add)(all, later);
        }
    })?;
    for (&driver, all) in drivers.iter().zip(all) {
        let lead = Lead(Some(Arc::from(all)));
        for candidate in (driver.search.candidates)(&lead, source, progress)? {
            // Places in what was seen are places on the source that was searched.
            let is_all = candidate.span == Span::new(0, source.len()) && candidate.missing == 0;
            let lead = if is_all { lead.clone() } else { Lead::default() };
            found.push((driver, Candidate { lead, ..candidate }));
        }
    }
    Ok(found)
}
