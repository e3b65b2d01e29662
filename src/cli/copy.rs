//! `offmount copy`.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::arguments::{SourceArguments, duration, point_in_time, position};
use super::check::REPAIR_LIMIT;
use super::remote::RemoteArguments;
use super::session::Session;
use super::stop::Stop;
use super::{Global, doomed, evidence, output};
use crate::copy::{
    self, Destination, Error, Hashes, Order, Outcome, Part, Request, Selection, Stopped, is_below, may_be_glob,
};
use crate::crosscheck::{self, Comparison, cross_check};
use crate::manifest::{Algorithm, Image, Record};
use crate::name::escaped;
use crate::report::copy::{Copy, Mode, Unread};
use crate::report::json_line;
use crate::server::{Placement, Unresolved};
use crate::sink::PACK;
use crate::sink::url::To;
use crate::survey::Content;
use crate::time::Time;
use crate::tree::{DELETED, Tree};
use crate::volume::signature::Role;

/// Copy files out, hashed, with a manifest that proves what was copied
#[derive(Args, Debug)]
#[command(after_help = "\
Without a PATH everything is copied: the root filesystem to the top of the destination, the other volumes where the \
server's own fstab mounts them, what nothing places to #volumes/p3. A PATH is one of the server's own, with everything \
below it, or a glob ('/home/*/.ssh').

A file appears under its final name only when it is complete. What stands there already is never replaced unless \
--overwrite is given. Run the same command again to go on with what is missing, also inside a large file (--resume says \
the same). A WebDAV server can not be sent the rest of a file: there the file in flight is begun anew. A tar archive \
can not be gone on with at all: FILE must not exist, and one that broke off has no end. offmount's own files \
(manifest.jsonl, B3SUMS) go to .offmount in the destination.

With --only-doomed a temporary copy of each volume's metadata (in TMPDIR) is repaired first. Run the same command without \
it afterwards to bring out the rest.

Exit status: 0 all complete; 1 something is partial, doubtful, skipped or missing, each named; 2 could not run.

Examples:
  offmount copy testdata/server.img --to rescued
  offmount copy testdata/server.img /etc /home --to tar:- | tar -t")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,

    /// What to copy; everything unless given
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// A directory, made if it is missing; tar:FILE for a pax archive, tar:- for one on standard output; or a URL
    #[arg(long, value_name = "DIR|tar:FILE|URL", value_parser = super::remote::destination_parser())]
    to: To,

    #[command(flatten)]
    remote: RemoteArguments,

    /// Compress the archive of --to tar: (zstd)
    #[arg(long)]
    zstd: bool,

    /// Leave out what matches, with everything below (several may be given)
    #[arg(long, value_name = "GLOB", help_heading = WHICH)]
    exclude: Vec<String>,

    /// Also files that were deleted, as far as something is left of them, in #deleted
    #[arg(long, help_heading = WHICH)]
    deleted: bool,

    /// Only files changed after this time (2024-05-01, 2024-05-01T12:00:00Z, @SECONDS)
    #[arg(long, value_name = "TIME", value_parser = point_in_time, help_heading = WHICH)]
    newer: Option<Time>,

    /// Only files of at most this size (10MiB)
    #[arg(long, value_name = "SIZE", value_parser = position, help_heading = WHICH)]
    max_size: Option<u64>,

    /// Only what a repair by e2fsck, fsck.fat or fsck.exfat would destroy, move or change, as check --preview-repair tells;
    /// or what it told before, in a FILE of its --json
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with = "deleted",
          help_heading = WHICH)]
    only_doomed: Option<Option<PathBuf>>,

    /// With --only-doomed, end a repair that takes longer
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = REPAIR_LIMIT, requires = "only_doomed",
          help_heading = WHICH)]
    repair_limit: Duration,

    /// What comes first: what matters most on a server (keys, configuration, databases, ...), small files, what was changed
    /// last, or what lies first on the disk, which is fastest
    #[arg(long, value_name = "ORDER", default_value = "physical", help_heading = WHEN)]
    order: OrderArgument,

    /// Stop after so long (20h, 90m, 1h30m), and list what is left
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = WHEN)]
    deadline: Option<Duration>,

    /// Write at most so many bytes a second (20MiB)
    #[arg(long, value_name = "SIZE", value_parser = position, help_heading = WHEN)]
    bwlimit: Option<u64>,

    /// How often what was copied so far is put on record in a destination on another machine too: a run goes on from there
    /// where this machine forgot everything
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2m", help_heading = WHEN)]
    checkpoint: Duration,

    /// Send files of at most SIZE together, in tar archives of some 2 MiB in .offmount/packs of an object store: for servers
    /// that take a few hundred files a second at best. Verified and gone on with like others; fetch all, and
    /// restore-metadata puts them in their places
    #[arg(long, value_name = "SIZE", value_parser = pack_size, num_args = 0..=1, require_equals = true,
          default_missing_value = "64KiB")]
    pack: Option<u64>,

    /// More hashes than BLAKE3, which is always made
    #[arg(long, value_name = "HASH", value_delimiter = ',')]
    hash: Vec<HashArgument>,

    /// Replace files in the destination that differ
    #[arg(long)]
    overwrite: bool,

    /// Go on with what an earlier run left, as running the same command again always does
    #[arg(long)]
    resume: bool,

    /// Write nothing, say what would be copied
    #[arg(long)]
    dry_run: bool,

    /// Begin even where the destination has too little room
    #[arg(long)]
    no_space_check: bool,

    /// Read everything again with a second, independent reader and compare
    #[arg(long)]
    cross_check: bool,

    /// The summary (and the records of a dry run) as lines of JSON
    #[arg(long)]
    json: bool,
}

/// Largest file that goes together with others: half of an archive.
const PACKED_MAX: u64 = PACK / 2;

const NOT_PACKED: &str =
    "--pack is for object stores (s3, gs, az, swift): elsewhere small files are as fast on their own";

/// The size of files that go together.
fn pack_size(text: &str) -> Result<u64, String> {
    match position(text)? {
        size if size > PACKED_MAX => Err("at most 1MiB: larger files are as fast on their own".into()),
        size => Ok(size),
    }
}

const WHICH: &str = "Which files";
const WHEN: &str = "In which order, and for how long";

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum OrderArgument {
    Physical,
    Worth,
    SmallFirst,
    Newest,
}

impl OrderArgument {
    fn order(self) -> Order {
        match self {
            OrderArgument::Physical => Order::Physical,
            OrderArgument::Worth => Order::Worth,
            OrderArgument::SmallFirst => Order::SmallFirst,
            OrderArgument::Newest => Order::Newest,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum HashArgument {
    Sha256,
    Sha1,
    Md5,
}

impl HashArgument {
    fn algorithm(self) -> Algorithm {
        match self {
            HashArgument::Sha256 => Algorithm::Sha256,
            HashArgument::Sha1 => Algorithm::Sha1,
            HashArgument::Md5 => Algorithm::Md5,
        }
    }
}

impl Arguments {
    /// Where on this machine the copy writes, where all of it is known.
    pub(super) fn writes(&self) -> Option<Vec<PathBuf>> {
        match &self.to {
            // A repair writes to its copy, and who knows where else.
            _ if self.only_doomed == Some(None) => None,
            To::Directory(path) => Some(vec![path.clone()]),
            To::Tar(_) if to_stdout(&self.to) => Some(vec![std::env::temp_dir()]),
            // What a client of a remote service writes (hosts it knows, its own state) only the client knows.
            To::Tar(_) | To::Url(_) => None,
        }
    }
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let session = Session::open(&arguments.source, global)?;
    let wanted = Wanted::of(&session, &arguments.paths)?;
    let living = parts(&session, |at| wanted.concerns(at))?;
    let deleted = if arguments.deleted { deleted(&session, &living)? } else { Vec::new() };
    let doomed = doomed(&session, &arguments, &living)?;
    let parts: Vec<Part<'_>> = living.iter().map(copy_of).chain(deleted.iter().map(Deleted::part)).collect();
    session.show_decisions();
    session.unless_interrupted()?;
    let on_stdout = to_stdout(&arguments.to) && !arguments.dry_run;
    let mut request = request(&session, &arguments, global, &parts, &wanted);
    request.selection.only = doomed.as_ref().map(|doomed| doomed.files.clone());
    let outcome = copy_out(&session, &arguments, &request)?;
    let compared = match arguments.cross_check && outcome.stopped.is_none() {
        true => compare(&session, &living, &request.selection)?,
        false => Vec::new(),
    };
    session.progress.clear();
    let agrees = compared.iter().all(|(_, comparison)| comparison.agrees());
    let complete = outcome.is_complete() && agrees && wanted.unread.is_empty() && !wanted.missing;
    let complete = complete && doomed.is_none_or(|doomed| doomed.unknown == 0);
    // Who asks for everything is told of volumes of which nothing is left.
    let complete = complete && (!arguments.paths.is_empty() || !names_unreadable(&session));
    let complete = complete && (!arguments.paths.is_empty() || reads_something(&session));
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Copied };
    let unread = unread(&session);
    let can_go_on = !matches!(arguments.to, To::Tar(_));
    let summary = Copy { mode, outcome: &outcome, unread: &unread, compared: &compared, complete, can_go_on };
    evidence::note("copy", serde_json::to_value(summary.to_json())?);
    let mut text = Vec::new();
    match arguments.json {
        true => json_line(&mut text, &summary.to_json())?,
        false => text.extend(summary.to_text().into_bytes()),
    }
    if on_stdout {
        let _ = std::io::stderr().write_all(&text);
    } else {
        let mut out = output::stdout();
        out.write_all(&text)?;
        out.flush()?;
    }
    match outcome.stopped {
        Some(Stopped::Interrupted) => Err(Stop::Interrupted),
        _ => Ok(u8::from(!complete)),
    }
}

/// What the paths asked for lead to.
#[derive(Default)]
pub(super) struct Wanted {
    /// In the layout of the destination; globs as they were given.
    paths: Vec<Vec<u8>>,
    /// Volumes (indices) asked for that are not read.
    unread: Vec<usize>,
    /// True if a path leads nowhere at all.
    missing: bool,
}

impl Wanted {
    fn of(session: &Session, paths: &[PathBuf]) -> Result<Self, Stop> {
        let mut wanted = Wanted::default();
        let layout = session.server.layout();
        for path in paths {
            let bytes = path.as_os_str().as_bytes();
            match session.server.resolve(bytes, false, &session.progress) {
                Ok(found) => {
                    let at = layout.iter().find(|placement| placement.volume == found.volume);
                    wanted.paths.push(join(at.map_or(&b""[..], |placement| &placement.at), &found.path));
                }
                Err(Unresolved::Gone(gone)) => return Err(gone.into()),
                Err(Unresolved::NotRead(volume)) => wanted.unread.push(volume),
                Err(Unresolved::NoSuchVolume(name)) => {
                    output::complain(&format!("no volume is named {}", escaped(&name)));
                    wanted.missing = true;
                }
                // A glob, or a path that the copy will name as missing.
                Err(_) => wanted.paths.push(bytes.to_vec()),
            }
        }
        Ok(wanted)
    }

    /// True if the volume at this place may hold something wanted, or a directory on the way to it.
    fn concerns(&self, at: &[u8]) -> bool {
        let meets = |path: &Vec<u8>| {
            let path = path.strip_prefix(b"/").unwrap_or(path);
            may_be_glob(path) || is_below(path, at) || is_below(at, path)
        };
        self.paths.is_empty() || self.paths.iter().any(meets)
    }

    /// True if paths were given, and none of them leads to anything that could be copied.
    fn is_void(&self) -> bool {
        self.paths.is_empty() && (self.missing || !self.unread.is_empty())
    }
}

/// A path below another; without a slash at either end.
fn join(above: &[u8], below: &[u8]) -> Vec<u8> {
    match (above, below) {
        (b"", below) => {
            if below.is_empty() {
                b"/".to_vec()
            } else {
                below.to_vec()
            }
        }
        (above, b"") => above.to_vec(),
        (above, below) => [above, b"/", below].concat(),
    }
}

/// The volumes to copy from, with their trees: of those that stand at a place that `concerns` us, as a tree takes time
/// to make, and on a damaged volume much of it.
pub(super) fn parts(session: &Session, concerns: impl Fn(&[u8]) -> bool) -> Result<Vec<Part<'_>>, Stop> {
    let mut parts = Vec::new();
    for Placement { volume, at, .. } in session.server.layout().into_iter().filter(|it| concerns(&it.at)) {
        let Some(tree) = session.server.tree(volume, &session.progress)? else { continue };
        let it = session.server.volume(volume);
        parts.push(Part { tree, volume: it.name.clone(), start: it.span.start, at, source: Vec::new() });
    }
    Ok(parts)
}

fn copy_of<'a>(part: &Part<'a>) -> Part<'a> {
    let (at, source) = (part.at.clone(), part.source.clone());
    Part { tree: part.tree, volume: part.volume.clone(), start: part.start, at, source }
}

/// The deleted files of a volume, and where they go.
struct Deleted {
    tree: Tree,
    volume: String,
    start: u64,
    at: Vec<u8>,
}

impl Deleted {
    fn part(&self) -> Part<'_> {
        let (volume, at) = (self.volume.clone(), self.at.clone());
        Part { tree: &self.tree, volume, start: self.start, at, source: DELETED.to_vec() }
    }
}

/// What is left of the deleted files of every volume that has any.
fn deleted(session: &Session, parts: &[Part<'_>]) -> Result<Vec<Deleted>, Stop> {
    let mut found = Vec::new();
    for part in parts {
        let fs = part.tree.fs();
        let tree = Tree::of_deleted(fs, part.tree, &fs.deleted(&session.progress)?);
        if tree.len() > 1 {
            let at = join(&part.at, DELETED);
            found.push(Deleted { tree, volume: part.volume.clone(), start: part.start, at });
        }
    }
    Ok(found)
}

/// What a repair would destroy, where only that is asked for.
fn doomed(session: &Session, arguments: &Arguments, parts: &[Part<'_>]) -> Result<Option<doomed::Selected>, Stop> {
    let Some(earlier) = &arguments.only_doomed else { return Ok(None) };
    doomed::select(session, parts, earlier.as_deref(), arguments.repair_limit).map(Some)
}

fn request<'a>(
    session: &Session,
    arguments: &Arguments,
    global: Global,
    parts: &[Part<'a>],
    wanted: &Wanted,
) -> Request<'a> {
    let mut hashes = Hashes::default();
    arguments.hash.iter().for_each(|hash| hashes.add(hash.algorithm()));
    let plain = plain_request(session, global, parts, wanted);
    Request {
        selection: Selection {
            exclude: arguments.exclude.clone(),
            newer: arguments.newer,
            max_size: arguments.max_size,
            ..plain.selection
        },
        hashes,
        overwrite: arguments.overwrite,
        dry_run: arguments.dry_run,
        order: arguments.order.order(),
        deadline: arguments.deadline.and_then(|time| Instant::now().checked_add(time)),
        bandwidth: arguments.bwlimit,
        patience: arguments.remote.patience,
        checkpoint: arguments.checkpoint.max(Duration::from_secs(1)),
        pack: arguments.pack,
        check_space: !arguments.no_space_check,
        options: options(arguments),
        ..plain
    }
}

/// What copying `wanted` is asked unless the user says more.
pub(super) fn plain_request<'a>(session: &Session, global: Global, parts: &[Part<'a>], wanted: &Wanted) -> Request<'a> {
    let copy_of = |part: &Part<'a>| Part {
        tree: part.tree,
        volume: part.volume.clone(),
        start: part.start,
        at: part.at.clone(),
        source: part.source.clone(),
    };
    Request {
        // Where nothing of what was asked for can be copied, nothing else is.
        parts: if wanted.is_void() { Vec::new() } else { parts.iter().map(copy_of).collect() },
        selection: Selection { paths: wanted.paths.clone(), ..Selection::default() },
        hashes: Hashes::default(),
        overwrite: false,
        dry_run: false,
        order: Order::Physical,
        deadline: None,
        bandwidth: None,
        patience: copy::PATIENCE,
        checkpoint: copy::CHECKPOINT,
        pack: None,
        threads: global.threads,
        check_space: true,
        image: image(session),
        image_path: Some(session.opened.path.clone()),
        options: BTreeMap::new(),
    }
}

/// Visits the records of all that would be copied, in that order, without writing a byte.
pub(super) fn planned(
    session: &Session,
    global: Global,
    paths: &[PathBuf],
    order: Order,
    visit: &mut dyn FnMut(&Record),
) -> Result<Outcome, Stop> {
    let wanted = Wanted::of(session, paths)?;
    let parts = parts(session, |at| wanted.concerns(at))?;
    session.show_decisions();
    session.unless_interrupted()?;
    let request = Request { dry_run: true, order, ..plain_request(session, global, &parts, &wanted) };
    let nowhere = Destination::Tar(Box::new(std::io::sink()));
    let outcome = copy::run(&request, nowhere, &session.progress, visit);
    session.progress.clear();
    outcome.map_err(|error| Stop::Failed(next_step(&error)))
}

/// What is read, for a manifest's header.
pub(super) fn image(session: &Session) -> Image {
    let opened = &session.opened;
    let modified = std::fs::metadata(&opened.path).ok().filter(|_| !opened.is_device).and_then(|it| it.modified().ok());
    let modified = modified.and_then(|time| jiff::Timestamp::try_from(time).ok());
    Image {
        file: opened.path.to_string_lossy().into_owned(),
        size: opened.size,
        model: None,
        modified: modified.map(|stamp| format!("{stamp:.9}")),
    }
}

/// What was asked for, by name of the option.
fn options(arguments: &Arguments) -> BTreeMap<String, String> {
    let mut options: BTreeMap<String, String> = arguments.source.forced().into_iter().collect();
    let mut note = |name: &str, value: Option<String>| {
        options.extend(value.map(|value| (name.to_owned(), value)));
    };
    let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(" "));
    let yes = |set: bool| set.then(|| "yes".to_owned());
    let shown = |path: &PathBuf| escaped(path.as_os_str().as_bytes()).to_string();
    note("paths", list(arguments.paths.iter().map(shown).collect()));
    note("exclude", list(arguments.exclude.clone()));
    note("newer", arguments.newer.map(|time| time.to_string()));
    note("max-size", arguments.max_size.map(|size| size.to_string()));
    note("hash", list(arguments.hash.iter().map(|hash| format!("{hash:?}").to_lowercase()).collect()));
    note("only-doomed", yes(arguments.only_doomed.is_some()));
    note("deleted", yes(arguments.deleted));
    note("order", (arguments.order != OrderArgument::Physical).then(|| format!("{:?}", arguments.order.order())));
    note("deadline", arguments.deadline.map(|time| format!("{} s", time.as_secs())));
    note("bwlimit", arguments.bwlimit.map(|bytes| bytes.to_string()));
    note("pack", arguments.pack.map(|size| size.to_string()));
    note("overwrite", yes(arguments.overwrite));
    note("cross-check", yes(arguments.cross_check));
    options
}

fn to_stdout(to: &To) -> bool {
    matches!(to, To::Tar(path) if path == Path::new("-"))
}

fn copy_out(session: &Session, arguments: &Arguments, request: &Request<'_>) -> Result<Outcome, Stop> {
    let destination = destination(arguments)?;
    // Whoever holds standard output keeps an archive's writer waiting for it.
    let out: Box<dyn Write> = if arguments.dry_run { Box::new(output::stdout()) } else { Box::new(std::io::sink()) };
    let mut planned = Planned { json: arguments.json, out, broken: None };
    let outcome = copy::run(request, destination, &session.progress, &mut |record| planned.show(record));
    session.progress.clear();
    planned.finish()?;
    outcome.map_err(|error| Stop::Failed(next_step(&error)))
}

/// Where the copy goes.
fn destination(arguments: &Arguments) -> Result<Destination, Stop> {
    match &arguments.to {
        _ if arguments.dry_run => Ok(Destination::Tar(Box::new(std::io::sink()))),
        To::Directory(_) | To::Tar(_) if arguments.pack.is_some() => Err(Stop::Failed(NOT_PACKED.into())),
        To::Directory(_) | To::Url(_) if arguments.zstd => {
            Err(Stop::Failed("--zstd is for archives: --to tar:FILE --zstd".into()))
        }
        To::Directory(path) => Ok(Destination::Directory(path.clone())),
        To::Tar(path) if path == Path::new("-") => archive(std::io::stdout(), arguments.zstd),
        To::Tar(path) => {
            let file = std::fs::File::create_new(path).map_err(|error| archive_not_made(path, &error))?;
            archive(file, arguments.zstd)
        }
        To::Url(url) => {
            let state = arguments.remote.state(url)?;
            let store = arguments.remote.open(url, false)?;
            if arguments.pack.is_some() && !store.limits().packs {
                return Err(Stop::Failed(NOT_PACKED.into()));
            }
            Ok(Destination::Remote { store, state })
        }
    }
}

fn archive_not_made(path: &Path, error: &std::io::Error) -> Stop {
    if error.kind() == std::io::ErrorKind::AlreadyExists {
        let shown = path.display();
        return Stop::Failed(format!(
            "{shown} is there already, and an archive can not be gone on with: name another file"
        ));
    }
    Stop::with_file("make", path, error)
}

fn archive(out: impl Write + Send + 'static, compressed: bool) -> Result<Destination, Stop> {
    if !compressed {
        return Ok(Destination::Tar(Box::new(out)));
    }
    #[cfg(feature = "zstd")]
    return Ok(Destination::Tar(Box::new(crate::sink::tar::zstd::Zstd::new(out)?)));
    #[cfg(not(feature = "zstd"))]
    Err(Stop::Failed("this offmount was built without --zstd (cargo feature `zstd`)".into()))
}

/// Shows what a dry run would copy.
struct Planned<W> {
    json: bool,
    out: W,
    broken: Option<std::io::Error>,
}

impl<W: Write> Planned<W> {
    fn show(&mut self, record: &Record) {
        let mut line = Vec::new();
        if self.json {
            record.write(&mut line);
        } else {
            output::names().write(&record.path, &mut line);
            line.push(b'\n');
        }
        if self.broken.is_none() {
            self.broken = self.out.write_all(&line).err();
        }
    }

    fn finish(mut self) -> Result<(), Stop> {
        match self.broken.take() {
            Some(error) => Err(error.into()),
            None => Ok(self.out.flush()?),
        }
    }
}

fn next_step(error: &Error) -> String {
    let next = match error {
        Error::NoRoom { .. } => "; free some, choose fewer files (--exclude, --max-size), or --no-space-check",
        Error::OnSource(_) => "; copy to another disk",
        Error::Busy => "; wait for it, or choose another destination",
        _ => "",
    };
    format!("{error}{next}")
}

/// Compares what was wanted of each volume with a second reader.
fn compare(session: &Session, parts: &[Part<'_>], selection: &Selection) -> Result<Vec<(String, Comparison)>, Stop> {
    let mut compared = Vec::new();
    for part in parts {
        let Some(volume) = session.server.volume_named(part.volume.as_bytes()) else { continue };
        let is_chosen = |item| match &selection.only {
            Some(only) => only.get(&part.volume).is_some_and(|nodes| nodes.contains(&part.tree.id(item))),
            None => true,
        };
        let wanted = |item| is_chosen(item) && is_wanted(part.tree, &part.at, item, &selection.paths);
        let request = crosscheck::Request {
            tree: part.tree,
            source: &session.server.volume(volume).source,
            wanted: &wanted,
            hash_of: &|_| None,
        };
        compared.push((part.volume.clone(), cross_check(&request, &session.progress)?));
    }
    Ok(compared)
}

/// True if an item lies at or below one of the paths; any does where there are none.
fn is_wanted(tree: &Tree, at: &[u8], item: crate::tree::ItemId, paths: &[Vec<u8>]) -> bool {
    if paths.is_empty() {
        return true;
    }
    let path = join(at, &tree.path(item));
    paths.iter().any(|wanted| is_below(&path, wanted.strip_prefix(b"/").unwrap_or(wanted)))
}

/// True if a volume of the disk is read; says so where none is, as a copy of nothing is not complete.
fn reads_something(session: &Session) -> bool {
    let any = session.server.disk().volumes.iter().any(|volume| volume.fs().is_some());
    if !any {
        output::complain("no filesystem that is read was found on the disk");
    }
    any
}

/// Names the partitions of which nothing can be read; true if there are any.
fn names_unreadable(session: &Session) -> bool {
    let volumes = session.server.disk().volumes.iter();
    let unreadable = volumes.filter(|volume| matches!(volume.content, Content::Unreadable));
    let mut any = false;
    for volume in unreadable {
        output::complain(&format!("{}: nothing of it can be read, and nothing was copied", volume.name));
        any = true;
    }
    any
}

/// The volumes that hold files, or other volumes, and are not read.
fn unread(session: &Session) -> Vec<Unread> {
    let opened = &session.opened;
    let volumes = session.server.disk().volumes.iter();
    volumes
        .filter_map(|volume| match &volume.content {
            Content::Known(it) if matches!(it.role, Role::FileSystem | Role::Container | Role::Image) => Some(Unread {
                volume: volume.name.clone(),
                kind: it.kind,
                advice: volume.advice(&opened.path, opened.is_device),
            }),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_concerns_the_volumes_on_its_way_and_below_it() {
        let wanted = |path: &str| Wanted { paths: vec![path.into()], ..Wanted::default() };
        let volumes = ["", "srv", "srv/deep", "srv2", "#volumes/p9"];
        let concerned = |path| volumes.map(|at| wanted(path).concerns(at.as_bytes()));
        assert_eq!(concerned("srv/www"), [true, true, false, false, false]);
        assert_eq!(concerned("/srv"), [true, true, true, false, false]);
        assert_eq!(concerned("#volumes/p9/etc"), [true, false, false, false, true]);
        assert_eq!(concerned("/"), [true; 5]);
        assert_eq!(concerned("*/www"), [true; 5], "a glob may match anywhere");
        assert!(Wanted::default().concerns(b"srv"), "nothing asked for is everything");
    }
}
