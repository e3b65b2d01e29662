//! The run of a copy, from request to outcome: [`run`].

use std::collections::HashSet;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::book::{Book, make_sums};
use super::carried::Carried;
use super::checkpoint::Keeper;
use super::directory::Directory;
use super::done::Done;
use super::job::Job;
use super::journal::Journal;
use super::lane::Lane;
use super::order::Reorder;
use super::patience::patiently;
use super::place::Places;
use super::plan::Plan;
use super::previous::{Key, Previous, key};
use super::select::{Mark, Selected};
use super::there::{Ended, There};
use super::{Counts, Destination, Error, Outcome, Problem, Request, Stopped, dry, guard, remote};
use crate::manifest::{Algorithm, FOLDER, Header, NAME, Record, Trailer, VolumeId};
use crate::name::escaped;
use crate::progress::{Progress, Unit};
use crate::sink::local::{Folder, Local};
use crate::sink::tar::Tar;
use crate::sink::{Found, Names, Sink, Store};

/// Directories and further names of a batch.
const BATCH: usize = 256;

/// Directories of a batch where each costs a wait.
const FAR_BATCH: usize = 8;

/// Copies what `request` selects to `destination`. In a dry run nothing is written, and `planned` is told every record.
///
/// # Errors
/// Where the run could not begin, or its manifest could not be written. What befalls single files is in the outcome.
pub fn run(
    request: &Request<'_>,
    destination: Destination,
    progress: &dyn Progress,
    planned: &mut dyn FnMut(&Record),
) -> Result<Outcome, Error> {
    let began = Instant::now();
    let pool = pool(request.threads.unwrap_or(0))?;
    let mut outcome = match destination {
        _ if request.dry_run => dry::run(request, progress, planned)?,
        Destination::Directory(path) => to_directory(request, &path, &pool, progress)?,
        Destination::Tar(stream) => to_tar(request, stream, &pool, progress)?,
        Destination::Remote { store, state } => remote::to_remote(request, &*store, &state, progress)?,
    };
    outcome.seconds = began.elapsed().as_secs_f64();
    Ok(outcome)
}

/// So many threads; one a core for 0.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool, Error> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("copy-{n}")).build();
    pool.map_err(|error| Error::Destination("starting threads".into(), std::io::Error::other(error)))
}

/// What is decided before the first byte is written.
pub struct Prepared<'a> {
    /// Where items go.
    pub places: Places<'a>,
    /// Which items are wanted.
    pub selected: Selected,
    /// In which order.
    pub plan: Plan,
}

impl<'a> Prepared<'a> {
    /// Decides where everything goes, what is wanted and in which order.
    pub fn new(request: &'a Request<'a>, names: Names, progress: &dyn Progress) -> Result<Self, Error> {
        let places = Places::decide(&request.parts, names);
        let mut selected = Selected::choose(&places, &request.parts, &request.selection)?;
        let plan = Plan::make(request, &places, &mut selected, progress)?;
        Ok(Prepared { places, selected, plan })
    }

    /// The outcome of a run that came to `counts` and `problems`.
    pub fn outcome(self, mut counts: Counts, mut problems: Vec<Problem>, stopped: Option<Stopped>) -> Outcome {
        counts.renamed = self.places.renamed;
        counts.filtered += self.selected.excluded + self.plan.filtered;
        let missing = |path: Vec<u8>| Problem { path, status: None, what: "no such file".into() };
        problems.splice(0..0, self.selected.missing.into_iter().map(missing));
        Outcome { counts, problems, notes: self.places.notes, stopped, seconds: 0.0 }
    }
}

fn to_directory(
    request: &Request<'_>,
    path: &Path,
    pool: &rayon::ThreadPool,
    progress: &dyn Progress,
) -> Result<Outcome, Error> {
    if let Some(why) = request.image_path.as_deref().and_then(|image| guard::on_source(image, path)) {
        return Err(Error::OnSource(why));
    }
    let cannot = |error| Error::Destination(format!("opening {}", path.display()), error);
    let local = Local::open(path).map_err(cannot)?.ok_or(Error::Busy)?;
    let folder = local.folder().ok_or(Error::Busy)?;
    let mut prepared = pool.install(|| Prepared::new(request, local.limits().names, progress))?;
    prepared.plan.gather(&request.parts, &prepared.places);
    if request.check_space {
        super::space::check(&local, &prepared.plan, |part, item| prepared.places.path(part, item))?;
    }
    let previous = Previous::read(folder)?;
    let (outcome, published) = through_folder(request, &local, (folder, None), prepared, previous, pool, progress)?;
    published.map(|()| outcome)
}

/// Copies what is `prepared` to a store, with the book in a folder of this machine. Of one far away that folder is put on
/// record over there, where other machines may be at work too. Also tells whether the manifest could be given its name.
pub fn through_folder<'a>(
    request: &'a Request<'a>,
    store: &dyn Store,
    (folder, far): (&Folder, Option<(&Keeper<'_>, &There<'_>)>),
    prepared: Prepared<'a>,
    mut previous: Previous,
    pool: &rayon::ThreadPool,
    progress: &dyn Progress,
) -> Result<(Outcome, Result<(), Error>), Error> {
    // Sums that an earlier run made are kept up, or else they would be wrong from now on.
    let mut hashes = request.hashes;
    let is_kept_up =
        |it: &Algorithm| folder.has(it.sums_name()) || far.is_some_and(|(_, there)| there.sums().contains(it));
    Algorithm::ALL.into_iter().filter(is_kept_up).for_each(|it| hashes.add(it));
    let journal = Journal::open(folder)?;
    let tokens = journal.tokens();
    let swept = patiently(progress, request.patience, || store.sweep(&tokens.iter().collect::<Vec<_>>()));
    swept.map_err(|failure| {
        Error::Destination("clearing away what an earlier run left".into(), io::Error::other(failure.to_string()))
    })?;
    let mut book = Book::in_folder(folder, hashes, &header(request))?;
    let known = Some(&previous).filter(|previous| !previous.is_empty());
    let job = Job::new(request, hashes, &prepared.places, store, known, Some(&journal), progress);
    let mut copy = || work(&job, &prepared, store.found() != Found::Other, pool, &mut book);
    match far {
        Some((keeper, _)) => keeper.beside(copy),
        None => copy(),
    }
    let mut stopped = job.why();
    drop(job);
    let meanwhile = far.and_then(|(_, there)| ended_meanwhile(there, request, progress, &mut stopped));
    if let Some(ended) = &meanwhile {
        previous.add_ended(ended.manifest.clone());
        // It may be the other run's.
        let kept = std::mem::take(&mut book.kept);
        book.unmade.extend(kept);
    }
    book.end(&Trailer::now(stopped.as_ref().map(Stopped::to_string), named(&book.counts)));
    let mut absent = 0;
    if !previous.is_empty() {
        let on_record = on_record(&prepared, &std::mem::take(&mut book.unmade));
        let mut pass = |done: &Done| book.carry_over(done);
        let mut carried = Carried::new((store, is_gone(&stopped)), pool, hashes, on_record, &mut pass);
        previous.carry_over(folder, &mut carried)?;
        absent = carried.absent;
    }
    let (counts, problems) = (std::mem::take(&mut book.counts), std::mem::take(&mut book.problems));
    // What another run keeps up and this one does not make.
    let mut late =
        meanwhile.iter().flat_map(|ended| &ended.sums).filter(|it| hashes.algorithms().all(|ours| ours != **it));
    let published = book.publish(folder).and_then(|()| late.try_for_each(|it| make_sums(folder, *it))).and_then(|()| {
        previous.remove_killed(folder).map_err(|error| Error::Destination("removing an old manifest".into(), error))
    });
    // Where the destination is full the unfinished manifest stays, and says what it can.
    let published = if stopped == Some(Stopped::Full) { Ok(()) } else { published };
    if stopped.is_none() {
        // What lost connections left half-written. Where it can not be cleared away, the next run does it.
        let _ = store.sweep(&journal.tokens().iter().collect::<Vec<_>>());
    }
    let closed = journal.close(folder).map_err(|error| Error::Destination("removing the journal".into(), error));
    let mut outcome = prepared.outcome(counts, problems, stopped);
    if meanwhile.is_some() {
        outcome.notes.push("another run ended in the same place meanwhile: its records were taken over".into());
    }
    if absent > 0 {
        outcome.notes.push(format!(
            "{absent} records that a killed run left are of what is not there: the manifest is without them"
        ));
    }
    Ok((outcome, published.and(closed)))
}

/// What another run left that ended since this one began. Where that can not be fetched, nothing more is put there: it would
/// be lost.
fn ended_meanwhile(
    there: &There<'_>,
    request: &Request<'_>,
    progress: &dyn Progress,
    stopped: &mut Option<Stopped>,
) -> Option<Ended> {
    if is_gone(stopped) {
        return None;
    }
    patiently(progress, request.patience, || there.meanwhile()).unwrap_or_else(|failure| {
        *stopped = Some(Stopped::DestinationGone(failure.to_string()));
        None
    })
}

fn is_gone(stopped: &Option<Stopped>) -> bool {
    matches!(stopped, Some(Stopped::DestinationGone(_)))
}

fn to_tar(
    request: &Request<'_>,
    stream: Box<dyn Write + Send>,
    pool: &rayon::ThreadPool,
    progress: &dyn Progress,
) -> Result<Outcome, Error> {
    let tar = Tar::new(stream);
    let prepared = pool.install(|| Prepared::new(request, tar.limits().names, progress))?;
    let mut book = Book::spooled(request.hashes, &header(request))?;
    let job = Job::new(request, request.hashes, &prepared.places, &tar, None, None, progress);
    work(&job, &prepared, true, pool, &mut book);
    let stopped = job.why();
    book.end(&Trailer::now(stopped.as_ref().map(Stopped::to_string), named(&book.counts)));
    let (counts, problems) = (std::mem::take(&mut book.counts), std::mem::take(&mut book.problems));
    let (manifest, sums) = book.close()?;
    drop(job);
    if !is_gone(&stopped) {
        let own = sums.into_iter().map(|(algorithm, file)| (algorithm.sums_name(), file));
        tar.finish(FOLDER, own.chain([(NAME, manifest)]))
            .map_err(|error| Error::Destination("writing the end of the stream".into(), error))?;
    }
    Ok(prepared.outcome(counts, problems, stopped))
}

/// Makes directories, copies files, makes further names, finishes directories.
fn work(job: &Job<'_>, prepared: &Prepared<'_>, ours: bool, pool: &rayon::ThreadPool, book: &mut Book) {
    let Prepared { places, selected, plan } = prepared;
    let limits = job.sink.limits();
    let lanes = limits.lanes.unwrap_or(usize::MAX).min(pool.current_num_threads());
    let finish_lanes = if limits.finish_in_order { 1 } else { lanes };
    let implied = places.implied(|part, item| selected.mark(part, item) != Mark::No);
    let failed = Mutex::new(HashSet::new());

    job.progress.stage("making directories", Some(plan.directories.len() as u64), Unit::Items);
    if let Err(failure) = job.make_implied(&implied) {
        book.problems.push(Problem { path: b".".to_vec(), status: None, what: failure.to_string() });
    }
    let most = if limits.is_far { FAR_BATCH } else { BATCH };
    for level in levels(&plan.directories, places, limits.is_far) {
        let batches: Vec<&[Directory]> = directory_batches(&level, most).collect();
        in_lanes(
            pool,
            if limits.is_far { lanes } else { 1 },
            &batches,
            book,
            || (),
            |batch, ()| {
                job.progress.advance(batch.len() as u64);
                job.make_directories(batch, &failed)
            },
        );
    }
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);

    job.progress.stage("copying", Some(plan.bytes), Unit::Bytes);
    let batches = plan.batches(&job.request.parts);
    in_lanes(
        pool,
        lanes,
        &batches,
        book,
        || Lane::new(job.hashes, lanes),
        |batch, lane| job.copy_files(&plan.files[batch.files], batch.company, lane),
    );
    let links = ranges(plan.links.len());
    in_lanes(
        pool,
        lanes,
        &links,
        book,
        || Lane::new(job.hashes, lanes),
        |range, lane| job.make_links(&plan.links[range], lane),
    );

    job.progress.stage("finishing directories", Some(plan.directories.len() as u64), Unit::Items);
    let made: Vec<Directory> = plan.directories.iter().filter(|dir| !failed.contains(dir)).copied().collect();
    let mut batches: Vec<&[Directory]> = directory_batches(&made, most).collect();
    batches.reverse();
    in_lanes(
        pool,
        finish_lanes,
        &batches,
        book,
        || (),
        |batch, ()| {
            job.progress.advance(batch.len() as u64);
            job.finish_directories(batch, ours)
        },
    );
    job.finish_implied(&implied);
}

/// Works through batches in parallel; what they come to reaches the book in their order.
fn in_lanes<B: Clone + Sync, L>(
    pool: &rayon::ThreadPool,
    lanes: usize,
    batches: &[B],
    book: &mut Book,
    open: impl Fn() -> L + Sync,
    work: impl Fn(B, &mut L) -> Done + Sync,
) {
    let ahead = book.ahead();
    let order = Reorder::new(|done: Done| book.add(done));
    let next = AtomicUsize::new(0);
    pool.scope(|scope| {
        for _ in 0..lanes.min(batches.len()) {
            scope.spawn(|_| {
                let mut lane = open();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(batch) = batches.get(number) else { return };
                    let done = work(batch.clone(), &mut lane);
                    let size = done.size();
                    ahead.note(&done, order.is_next(number));
                    order.put(number, done, size);
                }
            });
        }
    });
}

fn ranges(len: usize) -> Vec<Range<usize>> {
    (0..len).step_by(BATCH).map(|begin| begin..len.min(begin + BATCH)).collect()
}

/// Directories in batches of at most `most`, each of one part.
fn directory_batches(directories: &[Directory], most: usize) -> impl Iterator<Item = &[Directory]> {
    directories.chunk_by(|a, b| a.0 == b.0).flat_map(move |part| part.chunks(most))
}

/// Directories in groups within which none is in another: each costs a far destination a wait. For others that is no matter.
fn levels(directories: &[Directory], places: &Places<'_>, is_far: bool) -> Vec<Vec<Directory>> {
    if !is_far {
        return vec![directories.to_vec()];
    }
    let mut levels: Vec<Vec<Directory>> = Vec::new();
    for &(part, item) in directories {
        let path = places.path(part, item);
        let depth = if path.is_empty() { 0 } else { 1 + path.iter().filter(|&&b| b == b'/').count() };
        if levels.len() <= depth {
            levels.resize_with(depth + 1, Vec::new);
        }
        levels[depth].push((part, item));
    }
    levels
}

/// The paths of which a run has records that count.
fn on_record(prepared: &Prepared<'_>, unmade: &HashSet<Key>) -> HashSet<Key> {
    let Prepared { places, plan, .. } = prepared;
    let files = plan.files.iter().map(|file| (file.part, file.item));
    let links = plan.links.iter().map(|link| (link.part, link.item));
    let items = files.chain(links).chain(plan.directories.iter().copied());
    let path = |(part, item)| match places.path(part, item) {
        path if path.is_empty() => key(b"."),
        path => key(&path),
    };
    items.map(path).filter(|path| !unmade.contains(path)).collect()
}

/// The manifest's first line.
pub fn header(request: &Request<'_>) -> Header {
    let volumes = request.parts.iter().map(|part| {
        let summary = part.tree.fs().summary();
        VolumeId {
            name: part.volume.clone(),
            kind: summary.kind.into(),
            uuid: summary.uuid,
            label: summary.label.map(|label| escaped(&label).to_string()),
            start: part.start,
            at: escaped(&part.at).to_string(),
            decisions: summary.decisions,
        }
    });
    Header::now(request.image.clone(), volumes.collect(), request.options.clone())
}

/// Counts by the names they have in the trailer.
fn named(counts: &Counts) -> std::collections::BTreeMap<String, u64> {
    let mut named: Vec<(String, u64)> = vec![
        ("copied".into(), counts.total_copied()),
        ("hard_links".into(), counts.hard_links),
        ("bytes".into(), counts.bytes),
        ("already_there".into(), counts.already_there),
        ("kept".into(), counts.kept),
        ("failed".into(), counts.failed),
        ("left".into(), counts.left),
        ("lost_bytes".into(), counts.lost),
        ("not_in_b3sums".into(), counts.unnamed_in_sums),
        ("unhashed".into(), counts.unhashed),
    ];
    named.extend(counts.trust.iter().map(|(trust, n)| (format!("trust_{trust}"), *n)));
    named.extend(counts.unkept.iter().map(|(what, n)| (format!("unkept_{what}"), *n)));
    named.into_iter().collect()
}
