//! How a disk is divided: by its table, not at all, or as a search tells.

use std::sync::Arc;

use super::identify::{Searched, identify};
use super::search::{self, Found};
use super::{SurveyOptions, Volume};
use crate::bytes::Span;
use crate::finding::{self, Code, Finding, Log};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, Window};
use crate::volume::signature::Inside;
use crate::volume::{self, Partition, Scheme, Table, codes};

/// A volume before it is looked into.
pub(super) struct Place {
    pub name: String,
    pub span: Span,
    pub partition: Option<Partition>,
    /// What a search of its bytes already gave.
    pub searched: Searched,
    /// No header says that a volume begins here: it is shown only if a filesystem opens.
    pub guessed: bool,
}

impl Place {
    /// The whole disk as one volume.
    pub(super) fn whole(source: &Source) -> Self {
        let span = Span { start: 0, end: source.len() };
        Place { name: "disk".to_owned(), span, partition: None, searched: Searched::NotYet, guessed: false }
    }

    /// A volume that no table names.
    pub(super) fn at(span: Span) -> Self {
        Place { name: format!("@{}", span.start), span, partition: None, searched: Searched::NotYet, guessed: false }
    }

    /// A volume inside another one.
    pub(super) fn inside(outer: &Volume, inside: &Inside) -> Self {
        let start = outer.span.start.saturating_add(inside.span.start);
        let name = format!("{}.{}", outer.name, inside.name);
        Place {
            name,
            span: Span::new(start, inside.span.len()),
            partition: None,
            searched: Searched::NotYet,
            guessed: false,
        }
    }

    fn of(partition: &Partition) -> Self {
        let name = format!("p{}", partition.number);
        Place {
            name,
            span: partition.span,
            partition: Some(partition.clone()),
            searched: Searched::NotYet,
            guessed: false,
        }
    }
}

/// The table of a disk, where it has one that is to be believed, and its volumes: at least one.
pub(super) fn divide(
    source: &Source,
    options: &SurveyOptions,
    log: &mut Log,
    progress: &dyn Progress,
) -> Result<(Option<Table>, Vec<Place>), SourceGone> {
    let mut of_table = Log::new();
    let table = volume::table(source, options.sector_size, &mut of_table)?;
    let fills_the_disk = identify(source)?.is_some();
    let table = match table {
        Some(table) if !fills_the_disk || is_rather_divided(source, &table, &of_table)? => table,
        _ if fills_the_disk => return Ok((None, vec![Place::whole(source)])),
        _ => {
            log.merge(of_table);
            return without_table(source, options, log, progress);
        }
    };
    log.merge(of_table);
    let mut places: Vec<Place> = table.partitions.iter().map(Place::of).collect();
    if !options.open.strict {
        places.extend(unlisted(source, &table, log, progress)?);
    }
    if places.is_empty() {
        places.push(Place::whole(source));
    }
    Ok((Some(table), places))
}

/// Of a disk that holds a volume as a whole and also has a partition table: is the table the one to believe? It is if
/// it is a GPT with its protective MBR, or if at least one of its partitions is recognised.
fn is_rather_divided(source: &Source, table: &Table, log: &Log) -> Result<bool, SourceGone> {
    if table.scheme == Scheme::Gpt {
        return Ok(log.count(codes::GPT_UNPROTECTED) == 0);
    }
    for partition in &table.partitions {
        let window: Source = Arc::new(Window::new(source.clone(), partition.span));
        if identify(&window)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A disk whose start says nothing: a volume without its headers, or several whose table is lost.
fn without_table(
    source: &Source,
    options: &SurveyOptions,
    log: &mut Log,
    progress: &dyn Progress,
) -> Result<(Option<Table>, Vec<Place>), SourceGone> {
    let open = &options.open;
    if open.strict || open.superblock.is_some() || open.block_size.is_some() {
        return Ok((None, vec![Place::whole(source)]));
    }
    let found = search::volumes_on(source, progress)?;
    if let Some(first) = found.first().filter(|first| first.span.start == 0) {
        let searched = searched(first);
        return Ok((None, vec![Place { searched, ..Place::whole(source) }]));
    }
    if let Some(table) = volume::search_table(source, log, progress)? {
        let places = table.partitions.iter().map(Place::of).collect();
        return Ok((Some(table), places));
    }
    if found.is_empty() {
        return Ok((None, vec![Place { searched: Searched::Nothing, ..Place::whole(source) }]));
    }
    let gaps = search::gaps(source.len(), found.iter().map(|found| found.span));
    let guesses = gaps.into_iter().filter_map(guess);
    let mut places: Vec<Place> = guesses.chain(noted(found, codes::TABLE_LOST, log)).collect();
    places.sort_by_key(|place| place.span);
    Ok((None, places))
}

/// A volume without its header may begin where another one ends, or where partitioning tools put the first one.
fn guess(gap: Span) -> Option<Place> {
    let start = if gap.start == 0 { search::MEBIBYTE } else { gap.start };
    let is_worth_it = gap.end.saturating_sub(start) >= search::MEBIBYTE;
    is_worth_it.then(|| Place { guessed: true, ..Place::at(Span { start, end: gap.end }) })
}

/// Volumes that a table does not name: anywhere for an empty one, between its partitions for a damaged one.
fn unlisted(source: &Source, table: &Table, log: &mut Log, progress: &dyn Progress) -> Result<Vec<Place>, SourceGone> {
    let mut found = Vec::new();
    if table.partitions.is_empty() {
        found.extend(search::volumes_on(source, progress)?);
    } else if !table.decisions.is_empty() {
        for gap in search::gaps(source.len(), table.partitions.iter().map(|partition| partition.span)) {
            found.extend(search::volumes_in(source, gap, progress)?);
        }
    }
    Ok(noted(found, codes::VOLUME_FOUND, log))
}

/// What the search of a volume's bytes gave.
fn searched(found: &Found) -> Searched {
    let (missing, lead) = (found.missing, found.lead.clone());
    found.driver.map_or(Searched::NotYet, |driver| Searched::Found { driver, missing, lead })
}

fn noted(found: Vec<Found>, code: Code, log: &mut Log) -> Vec<Place> {
    let place = |found: Found| {
        let Found { span, .. } = found;
        log.add(Finding::new(code, finding::Place::volume().at(span), format!("a volume at byte {}", span.start), ""));
        Place { searched: searched(&found), ..Place::at(span) }
    };
    found.into_iter().map(place).collect()
}
