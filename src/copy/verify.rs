//! Checking a copy against its manifest.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use rayon::prelude::*;

use super::packs;
use super::patience::patiently;
use super::previous::{Key, key};
use super::standing::{Cover, hash_standing};
use super::{Error, Hashes};
use crate::manifest::{Algorithm, Digests, FOLDER, Line, NAME, PARTIAL, Reader, Record, Status, parse};
use crate::name::escaped;
use crate::node::{Kind, Packed, Unkept};
use crate::progress::{Progress, Unit};
use crate::sink::local::Local;
use crate::sink::store::Digest;
use crate::sink::{Failure, ReadBack, Standing, Store};

/// One thing that is not as the manifest says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Path in the destination.
    pub path: Vec<u8>,
    /// What differs.
    pub what: What,
}

/// What differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// Nothing stands there.
    Missing,
    /// Stands there, and is in no record.
    Extra,
    /// It could not be read.
    Unreadable(String),
    /// A property is another one: its name, as recorded, as found.
    Differs(String, String, String),
}

/// What checking found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Paths checked.
    pub paths: u64,
    /// Bytes of file contents read.
    pub bytes: u64,
    /// Paths that the manifest says are not, or not as they should be, in the destination: kept, failed, left.
    pub not_copied: u64,
    /// Files whose content no hash in the manifest covers.
    pub unhashed: u64,
    /// Paths with differences.
    pub differing: u64,
    /// Paths that are missing.
    pub missing: u64,
    /// Paths that no record names.
    pub extra: u64,
    /// Lines of the manifest that are damaged.
    pub garbage: u64,
    /// True if the manifest has no trailer: the run was killed, and this is what it got to.
    pub unfinished: bool,
    /// True if the user asked to stop: the rest was not checked.
    pub interrupted: bool,
}

impl Verified {
    /// True if everything is as the manifest says: exit status 0, else 1.
    pub fn is_clean(&self) -> bool {
        self.differing + self.missing + self.extra + self.garbage == 0 && !self.unfinished && !self.interrupted
    }
}

/// Lines of the manifest checked at a time, in parallel.
const CHUNK: usize = 512;

/// Re-reads the copy in `dir` and compares it with its manifest; `each` is told every difference, in the order of the
/// manifest, then what is there too much.
///
/// # Errors
/// Where the directory or its manifest can not be read.
pub fn verify(
    dir: &Path,
    threads: Option<usize>,
    progress: &dyn Progress,
    each: &mut dyn FnMut(&Difference),
) -> Result<Verified, Error> {
    let failed = |error| Error::Destination(format!("opening {}", dir.display()), error);
    let local = Local::look(dir).map_err(failed)?;
    verify_store(
        &local,
        &dir.display().to_string(),
        Options { threads, read_back: true, patience: Duration::ZERO },
        progress,
        each,
    )
}

/// How a destination is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// How many threads; `None`: as suits the destination.
    pub threads: Option<usize>,
    /// Read every file back, where the destination could also tell a hash, or what it calls the contents.
    pub read_back: bool,
    /// How long to try again what may pass.
    pub patience: Duration,
}

/// A destination being checked.
#[derive(Clone, Copy)]
struct Checked<'a> {
    store: &'a dyn Store,
    options: Options,
    progress: &'a dyn Progress,
}

impl Checked<'_> {
    /// Asks the destination, and again for as long as what fails may pass.
    fn ask<T>(&self, attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        patiently(self.progress, self.options.patience, attempt)
    }
}

/// A file of our own in a destination, read on where the connection was lost.
struct Own<'a> {
    from: Checked<'a>,
    name: &'static str,
    stream: Option<Box<dyn Read + 'a>>,
    at: u64,
}

impl<'a> Own<'a> {
    /// A stream that goes on where the last one ended; `None` where there is no such file.
    fn open(&self) -> Result<Option<Box<dyn Read + 'a>>, Failure> {
        let Some(mut stream) = self.from.store.get_own(self.name)? else { return Ok(None) };
        let skipped = io::copy(&mut (&mut stream).take(self.at), &mut io::sink());
        skipped.map_err(|error| lost(self.name, &error))?;
        Ok(Some(stream))
    }
}

/// A file in a destination, read on where the connection was lost.
struct Copied<'a> {
    from: Checked<'a>,
    path: Vec<u8>,
    file: Option<Box<dyn ReadBack + 'a>>,
    /// Where in it the contents begin that are read.
    begin: u64,
}

impl<'a> Copied<'a> {
    fn of(from: Checked<'a>, path: Vec<u8>) -> Self {
        Copied { from, path, file: None, begin: 0 }
    }
}

impl ReadBack for Copied<'_> {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = self.from;
        let read = from.ask(|| {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => from.store.read_back(&self.path)?,
            };
            let read = file.read_at(self.begin + offset, buffer).map_err(|error| Failure::of("reading", error))?;
            self.file = Some(file);
            Ok(read)
        });
        Ok(read?)
    }
}

/// Which side of a connection failed is not told: it is tried again.
fn lost(name: &str, error: &io::Error) -> Failure {
    Failure::Passing(format!("reading {FOLDER}/{name}: {error}"))
}

impl Read for Own<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let from = self.from;
        let read = from.ask(|| {
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => self.open()?.ok_or_else(|| Failure::Refused(format!("{FOLDER}/{} is gone", self.name)))?,
            };
            let read = stream.read(buffer).map_err(|error| lost(self.name, &error))?;
            self.stream = Some(stream);
            Ok(read)
        })?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The same for any destination that can be read back. `name` is for messages.
///
/// # Errors
/// Where the destination or its manifest can not be read.
pub fn verify_store(
    store: &dyn Store,
    name: &str,
    options: Options,
    progress: &dyn Progress,
    each: &mut dyn FnMut(&Difference),
) -> Result<Verified, Error> {
    let checked = Checked { store, options, progress };
    let (manifest, finished) = open_manifest(checked, name)?;
    // Where answers are waited for, there are more threads than cores.
    let threads = options.threads.or(store.limits().lanes).unwrap_or(0);
    let mut verified = Verified { unfinished: !finished, ..Verified::default() };
    let check = |lines: &[Line]| check_in_store(checked, lines);
    let recorded = check_records(manifest, threads, progress, &mut verified, each, &check)?;
    if !progress.interrupted() {
        find_extra(checked, &recorded, &mut verified, each);
    }
    verified.interrupted = progress.interrupted();
    Ok(verified)
}

/// The manifest, and whether its run came to an end.
fn open_manifest<'s>(from: Checked<'s>, at: &str) -> Result<(Box<dyn Read + 's>, bool), Error> {
    for (name, finished) in [(NAME, true), (PARTIAL, false)] {
        let refused =
            |failure: Failure| Error::Destination(format!("{FOLDER}/{name}"), io::Error::other(failure.to_string()));
        let mut own = Own { from, name, stream: None, at: 0 };
        own.stream = from.ask(|| own.open()).map_err(refused)?;
        if own.stream.is_some() {
            return Ok((Box::new(own), finished));
        }
    }
    let missing = io::Error::new(io::ErrorKind::NotFound, "no manifest of a copy is there");
    Err(Error::Destination(at.to_owned(), missing))
}

/// Checks every record with `check`, which is given many lines at a time; returns the paths that may be there.
pub(super) fn check_records(
    manifest: Box<dyn Read + '_>,
    threads: usize,
    progress: &dyn Progress,
    verified: &mut Verified,
    each: &mut dyn FnMut(&Difference),
    check: &(dyn Fn(&[Line]) -> Vec<Found> + Sync),
) -> Result<HashSet<Key>, Error> {
    let pool = super::run::pool(threads)?;
    progress.stage("verifying", None, Unit::Bytes);
    let mut recorded = HashSet::from([key(b"."), key(FOLDER.as_bytes())]);
    let mut reader = Reader::new(BufReader::with_capacity(1 << 16, manifest));
    loop {
        let mut lines: Vec<Line> = Vec::new();
        let mut line = Vec::new();
        let failed = |error| Error::Destination("reading the manifest".into(), error);
        while lines.len() < CHUNK && reader.next_line(&mut line).map_err(failed)? {
            lines.push(parse(&line));
        }
        if lines.is_empty() || progress.interrupted() {
            return Ok(recorded);
        }
        let found = pool.install(|| check(&lines));
        for (line, found) in lines.iter().zip(found) {
            if let Line::Record(record) = line {
                recorded.extend(ways(&record.path).map(key));
            }
            verified.count(&found);
            if let Found::Record { differences, .. } = found {
                differences.iter().for_each(&mut *each);
            }
        }
    }
}

/// A path and those of the directories it is in.
fn ways(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..path.len()).filter(|&i| path[i] == b'/').chain([path.len()]).map(|end| &path[..end])
}

/// What checking one line gave.
pub(super) enum Found {
    /// Header or trailer.
    Other,
    Garbage,
    NotCopied,
    Record {
        bytes: u64,
        unhashed: bool,
        differences: Vec<Difference>,
    },
}

impl Found {
    /// What a line comes to if it is the record of something that is there, checked with `check`.
    pub(super) fn of(line: &Line, check: impl FnOnce(&Record) -> Found) -> Self {
        match line {
            Line::Record(record) => match record.status {
                Status::Copied | Status::AlreadyThere => check(record),
                Status::Kept | Status::Failed | Status::Left | Status::Planned => Found::NotCopied,
            },
            Line::Garbage => Found::Garbage,
            Line::Header(_) | Line::Trailer(_) => Found::Other,
        }
    }
}

/// Digests that a destination computed, by path.
type Told = HashMap<Vec<u8>, (Algorithm, Digest)>;

fn check_in_store(from: Checked<'_>, lines: &[Line]) -> Vec<Found> {
    let told = if from.options.read_back { Told::new() } else { ask_digests(from.store, lines) };
    // What stands in one archive is read one after the other, and so with few requests.
    let groups: Vec<&[Line]> = lines.chunk_by(are_in_one_pack).collect();
    let check_group = |group: &&[Line]| {
        let mut pack = pack_of(&group[0]).map(|packed| Copied::of(from, packed.path()));
        let check = |line: &Line| Found::of(line, |record| check(from, record, &told, pack.as_mut()));
        group.iter().map(check).collect::<Vec<_>>()
    };
    groups.par_iter().flat_map_iter(check_group).collect()
}

fn are_in_one_pack(a: &Line, b: &Line) -> bool {
    matches!((pack_of(a), pack_of(b)), (Some(a), Some(b)) if a.pack == b.pack)
}

fn pack_of(line: &Line) -> Option<&Packed> {
    match line {
        Line::Record(record) => record.packed.as_ref(),
        _ => None,
    }
}

/// Has the destination hash files, if it can.
fn ask_digests(store: &dyn Store, lines: &[Line]) -> Told {
    let records: Vec<&Record> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Record(record) if record.kind == Kind::File && record.etag.is_none() => Some(&**record),
            _ => None,
        })
        .filter(|record| matches!(record.status, Status::Copied | Status::AlreadyThere))
        .collect();
    let Some(first) = records.first() else { return Told::new() };
    let names: Vec<&str> = first.digests.algorithms().map(Algorithm::name).collect();
    let algorithm = store.hashes_there(&names).and_then(|name| Algorithm::ALL.into_iter().find(|it| it.name() == name));
    let Some(algorithm) = algorithm else { return Told::new() };
    // What is no file there, or lies behind a link, is not followed by a program there either.
    let is_file = |record: &&&Record| {
        record.digests.get(algorithm).is_some()
            && matches!(store.standing(&record.path), Ok(Some(there)) if there.kind == Kind::File && there.size == record.size)
    };
    let paths: Vec<&[u8]> = records.iter().filter(is_file).map(|record| &record.path[..]).collect();
    let digests = store.hash_there(&paths, algorithm.name()).unwrap_or_default();
    let told = paths.iter().zip(digests);
    told.filter_map(|(path, digest)| Some((path.to_vec(), (algorithm, digest?)))).collect()
}

impl Verified {
    fn count(&mut self, found: &Found) {
        match found {
            Found::Other => {}
            Found::Garbage => self.garbage += 1,
            Found::NotCopied => self.not_copied += 1,
            Found::Record { bytes, unhashed, differences } => {
                self.paths += 1;
                self.bytes += bytes;
                self.unhashed += u64::from(*unhashed);
                match differences.first().map(|difference| &difference.what) {
                    None => {}
                    Some(What::Missing) => self.missing += 1,
                    Some(_) => self.differing += 1,
                }
            }
        }
    }
}

/// Compares what stands at a record's path with the record; `pack` is the archive that its contents may stand in.
fn check<'a>(from: Checked<'a>, record: &Record, told: &Told, pack: Option<&mut Copied<'a>>) -> Found {
    if record.is_in_manifest_alone() {
        return Found::NotCopied;
    }
    let mut comparison = Comparison::of(record);
    let (mut bytes, mut unhashed) = (0, false);
    let store = from.store;
    match from.ask(|| packs::standing_of(record, |path| store.standing(path))) {
        Err(failure) => comparison.note(What::Unreadable(failure.to_string())),
        Ok(None) => comparison.note(What::Missing),
        Ok(Some((standing, _))) if standing.kind != record.kind => {
            comparison.differs("kind", &format!("{:?}", record.kind), &format!("{:?}", standing.kind));
        }
        Ok(Some((standing, packed))) => {
            if packed.is_none() {
                comparison.attributes(store, &standing);
            }
            if record.kind == Kind::File {
                unhashed = record.digests == Digests::default() && record.data_blake3.is_none();
                let mut own = Copied::of(from, record.path.clone());
                let file = match (packed, pack) {
                    (Some(packed), Some(pack)) => {
                        pack.begin = packed.at;
                        pack
                    }
                    _ => &mut own,
                };
                bytes = comparison.file(file, &standing, told.get(&record.path));
            }
        }
    }
    comparison.found(bytes, unhashed)
}

/// A record and what is not as it says.
pub(super) struct Comparison<'r> {
    /// The record.
    pub(super) record: &'r Record,
    differences: Vec<Difference>,
}

impl<'r> Comparison<'r> {
    /// Nothing compared yet.
    pub(super) fn of(record: &'r Record) -> Self {
        Comparison { record, differences: Vec::new() }
    }

    /// What it came to.
    pub(super) fn found(self, bytes: u64, unhashed: bool) -> Found {
        Found::Record { bytes, unhashed, differences: self.differences }
    }

    /// Compares the hashes that the record has.
    pub(super) fn digests(&mut self, found: &Digests) {
        let mut recorded = self.record.digests;
        recorded.blake3 = recorded.blake3.or(self.record.data_blake3);
        for algorithm in recorded.algorithms() {
            self.differs(algorithm.name(), &hex(recorded.get(algorithm)), &hex(found.get(algorithm)));
        }
    }

    /// Notes a difference.
    pub(super) fn note(&mut self, what: What) {
        self.differences.push(Difference { path: self.record.path.clone(), what });
    }

    /// Notes a difference of a property, if it is one.
    pub(super) fn differs(&mut self, name: &str, recorded: &str, found: &str) {
        if recorded != found {
            self.note(What::Differs(name.to_owned(), recorded.to_owned(), found.to_owned()));
        }
    }

    /// True if the destination took an attribute.
    fn took(&self, what: &str) -> bool {
        !self.record.unkept.iter().any(|unkept| unkept.what == what)
    }

    fn attributes(&mut self, store: &dyn Store, standing: &Standing) {
        let record = self.record;
        let is_link = record.kind == Kind::Symlink;
        if !is_link && self.took("mode") {
            self.differs("mode", &format!("{:04o}", record.mode), &format!("{:04o}", standing.mode));
        }
        if self.took("owner") {
            let of = |uid: u32, gid: u32| format!("{uid}:{gid}");
            self.differs("owner", &of(record.uid, record.gid), &of(standing.uid, standing.gid));
        }
        if let Some(mut modified) = record.times.modified.filter(|_| self.took("times")) {
            if !self.took(Unkept::NANOSECONDS) {
                modified.nanos = 0;
            }
            self.differs("modified", &modified.to_string(), &standing.modified.to_string());
        }
        if is_link {
            let target = record.target.as_deref().unwrap_or_default();
            self.differs("target", &escaped(target).to_string(), &escaped(&standing.target).to_string());
        }
        if record.device != standing.device && self.took(Unkept::ITSELF) {
            self.differs("device", &format!("{:?}", record.device), &format!("{:?}", standing.device));
        }
        for xattr in &record.xattrs {
            let name = escaped(&xattr.name).to_string();
            if !self.took(&String::from_utf8_lossy(&xattr.name)) {
                continue;
            }
            let found = store.xattr(&record.path, &xattr.name);
            if found.as_deref() != Some(&xattr.value) {
                let found = found.map_or("nothing".into(), |value| escaped(&value).to_string());
                self.differs(&name, &escaped(&xattr.value).to_string(), &found);
            }
        }
    }

    /// Compares a file with what proves its contents at the least cost; returns how many bytes that covers.
    fn file(&mut self, file: &mut Copied<'_>, standing: &Standing, told: Option<&(Algorithm, Digest)>) -> u64 {
        let (record, Checked { options, progress, .. }) = (self.record, file.from);
        let etag = record.etag.as_ref().filter(|etag| !etag.starts_with("W/"));
        let is_same = !options.read_back && etag.is_some() && etag == standing.etag.as_ref();
        match told {
            _ if standing.size != record.size => self.content(file, standing),
            _ if is_same => record.size,
            Some((algorithm, digest)) => self.told(*algorithm, digest, progress),
            None => self.content(file, standing),
        }
    }

    /// Compares with the digest that the destination told; returns how many bytes that covers.
    fn told(&mut self, algorithm: Algorithm, digest: &[u8], progress: &dyn Progress) -> u64 {
        self.differs(algorithm.name(), &hex(self.record.digests.get(algorithm)), &hex(Some(digest)));
        progress.advance(self.record.size);
        progress.files(1);
        self.record.size
    }

    /// Compares sizes and hashes; returns how many bytes were read.
    fn content(&mut self, file: &mut Copied<'_>, standing: &Standing) -> u64 {
        let (record, progress) = (self.record, file.from.progress);
        if standing.size != record.size {
            self.differs("size", &record.size.to_string(), &standing.size.to_string());
            return 0;
        }
        let mut hashes = Hashes::default();
        record.digests.algorithms().for_each(|algorithm| hashes.add(algorithm));
        let cover = match record.data_blake3 {
            Some(_) => Cover::Only(&record.data),
            None if record.digests == Digests::default() => return 0,
            None => Cover::Whole,
        };
        let hashed = hash_standing(file, record.size, &cover, hashes, progress);
        match hashed {
            Err(error) => self.note(What::Unreadable(error.to_string())),
            Ok(None) => {}
            Ok(Some(found)) => self.digests(&found),
        }
        progress.advance(record.size);
        progress.files(1);
        record.size
    }
}

fn hex(digest: Option<&[u8]>) -> String {
    digest.unwrap_or_default().iter().map(|b| format!("{b:02x}")).collect()
}

/// Tells what is there and in no record. What is in a directory that no record names is not told one by one.
fn find_extra(from: Checked<'_>, recorded: &HashSet<Key>, verified: &mut Verified, each: &mut dyn FnMut(&Difference)) {
    let store = from.store;
    let mut open: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some(directory) = open.pop() {
        let mut held = match from.ask(|| store.names(&directory)) {
            Ok(held) => held,
            // What it holds too much is not known.
            Err(failure) => {
                verified.differing += 1;
                each(&Difference { path: directory, what: What::Unreadable(failure.to_string()) });
                continue;
            }
        };
        held.sort();
        for name in held {
            let path = if directory.is_empty() { name } else { [&directory[..], b"/", &name].concat() };
            if path == FOLDER.as_bytes() {
                continue;
            }
            if !recorded.contains(&key(&path)) {
                verified.extra += 1;
                each(&Difference { path, what: What::Extra });
            } else if matches!(from.ask(|| store.standing(&path)), Ok(Some(standing)) if standing.kind == Kind::Directory)
            {
                open.push(path);
            }
        }
    }
}
