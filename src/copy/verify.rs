//! Checking a copy against its manifest.

use std::collections::HashSet;
use std::io::{self, BufReader, Read};
use std::path::Path;

use rayon::prelude::*;

use super::previous::{Key, key};
use super::standing::{Cover, hash_standing};
use super::{Error, Hashes};
use crate::manifest::{Digests, FOLDER, Line, NAME, PARTIAL, Reader, Record, Status, parse};
use crate::name::escaped;
use crate::node::{Kind, Unkept};
use crate::progress::{Progress, Unit};
use crate::sink::local::Local;
use crate::sink::{Failure, Standing, Store};

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
    verify_store(&local, &dir.display().to_string(), threads, progress, each)
}

/// The same for any destination that can be read back. `name` is for messages.
///
/// # Errors
/// Where the destination or its manifest can not be read.
pub fn verify_store(
    store: &dyn Store,
    name: &str,
    threads: Option<usize>,
    progress: &dyn Progress,
    each: &mut dyn FnMut(&Difference),
) -> Result<Verified, Error> {
    let (manifest, finished) = open_manifest(store, name)?;
    let threads = threads.or(store.limits().lanes);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build();
    let pool = pool.map_err(|error| Error::Destination("starting threads".into(), io::Error::other(error)))?;
    let mut verified = Verified { unfinished: !finished, ..Verified::default() };
    progress.stage("verifying", None, Unit::Bytes);
    let recorded = check_records(store, manifest, &pool, progress, &mut verified, each)?;
    if !progress.interrupted() {
        find_extra(store, &recorded, &mut verified, each);
    }
    verified.interrupted = progress.interrupted();
    Ok(verified)
}

/// The manifest, and whether its run came to an end.
fn open_manifest<'s>(store: &'s dyn Store, at: &str) -> Result<(Box<dyn Read + 's>, bool), Error> {
    for (name, finished) in [(NAME, true), (PARTIAL, false)] {
        let refused =
            |failure: Failure| Error::Destination(format!("{FOLDER}/{name}"), io::Error::other(failure.to_string()));
        if let Some(file) = store.get_own(name).map_err(refused)? {
            return Ok((file, finished));
        }
    }
    let missing = io::Error::new(io::ErrorKind::NotFound, "no manifest of a copy is there");
    Err(Error::Destination(at.to_owned(), missing))
}

/// Checks every record; returns the paths that may be there.
fn check_records(
    store: &dyn Store,
    manifest: Box<dyn Read + '_>,
    pool: &rayon::ThreadPool,
    progress: &dyn Progress,
    verified: &mut Verified,
    each: &mut dyn FnMut(&Difference),
) -> Result<HashSet<Key>, Error> {
    let mut recorded = HashSet::from([key(b"."), key(FOLDER.as_bytes())]);
    let mut reader = Reader::new(BufReader::with_capacity(1 << 16, manifest));
    loop {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        while lines.len() < CHUNK {
            let mut line = Vec::new();
            let failed = |error| Error::Destination("reading the manifest".into(), error);
            if !reader.next_line(&mut line).map_err(failed)? {
                break;
            }
            lines.push(line);
        }
        if lines.is_empty() || progress.interrupted() {
            return Ok(recorded);
        }
        let checked: Vec<Checked> =
            pool.install(|| lines.par_iter().map(|line| Checked::line(store, line, progress)).collect());
        for it in checked {
            recorded.extend(it.keys);
            verified.count(&it.found);
            if let Found::Record { differences, .. } = it.found {
                differences.iter().for_each(&mut *each);
            }
        }
    }
}

/// What checking one line gave.
struct Checked {
    /// The path of its record and those of the directories it is in.
    keys: Vec<Key>,
    found: Found,
}

enum Found {
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

impl Checked {
    fn line(store: &dyn Store, line: &[u8], progress: &dyn Progress) -> Self {
        let record = match parse(line) {
            Line::Record(record) => record,
            Line::Garbage => return Checked { keys: Vec::new(), found: Found::Garbage },
            Line::Header(_) | Line::Trailer(_) => return Checked { keys: Vec::new(), found: Found::Other },
        };
        let path = &record.path[..];
        let ends = (0..path.len()).filter(|&i| path[i] == b'/').chain([path.len()]);
        let keys = ends.map(|end| key(&path[..end])).collect();
        let found = match record.status {
            Status::Copied | Status::AlreadyThere => check(store, &record, progress),
            Status::Kept | Status::Failed | Status::Left | Status::Planned => Found::NotCopied,
        };
        Checked { keys, found }
    }
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

/// Compares what stands at a record's path with the record.
fn check(store: &dyn Store, record: &Record, progress: &dyn Progress) -> Found {
    if record.unkept.iter().any(|unkept| unkept.what == Unkept::ITSELF) {
        return Found::NotCopied;
    }
    let mut comparison = Comparison { record, differences: Vec::new() };
    let (mut bytes, mut unhashed) = (0, false);
    match store.standing(&record.path) {
        Err(failure) => comparison.note(What::Unreadable(failure.to_string())),
        Ok(None) => comparison.note(What::Missing),
        Ok(Some(standing)) if standing.kind != record.kind => {
            comparison.differs("kind", &format!("{:?}", record.kind), &format!("{:?}", standing.kind));
        }
        Ok(Some(standing)) => {
            comparison.attributes(store, &standing);
            if record.kind == Kind::File {
                unhashed = record.digests == Digests::default() && record.data_blake3.is_none();
                bytes = comparison.content(store, &standing, progress);
            }
        }
    }
    Found::Record { bytes, unhashed, differences: comparison.differences }
}

struct Comparison<'r> {
    record: &'r Record,
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    fn note(&mut self, what: What) {
        self.differences.push(Difference { path: self.record.path.clone(), what });
    }

    fn differs(&mut self, name: &str, recorded: &str, found: &str) {
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
        if let Some(modified) = record.times.modified.filter(|_| self.took("times")) {
            self.differs("modified", &modified.to_string(), &standing.modified.to_string());
        }
        if is_link {
            let target = record.target.as_deref().unwrap_or_default();
            self.differs("target", &escaped(target).to_string(), &escaped(&standing.target).to_string());
        }
        if record.device != standing.device {
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

    /// Compares sizes and hashes; returns how many bytes were read.
    fn content(&mut self, store: &dyn Store, standing: &Standing, progress: &dyn Progress) -> u64 {
        let record = self.record;
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
        let hashed = store.read_back(&record.path).map_err(|failure| failure.to_string()).and_then(|mut file| {
            hash_standing(&mut *file, record.size, &cover, hashes, progress).map_err(|error| error.to_string())
        });
        match hashed {
            Err(why) => self.note(What::Unreadable(why)),
            Ok(None) => {}
            Ok(Some(found)) => {
                let mut recorded = record.digests;
                recorded.blake3 = recorded.blake3.or(record.data_blake3);
                for algorithm in recorded.algorithms() {
                    self.differs(algorithm.name(), &hex(recorded.get(algorithm)), &hex(found.get(algorithm)));
                }
            }
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
fn find_extra(store: &dyn Store, recorded: &HashSet<Key>, verified: &mut Verified, each: &mut dyn FnMut(&Difference)) {
    let mut open: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some(directory) = open.pop() {
        let Ok(mut held) = store.names(&directory) else { continue };
        held.sort();
        for name in held {
            let path = if directory.is_empty() { name } else { [&directory[..], b"/", &name].concat() };
            if path == FOLDER.as_bytes() {
                continue;
            }
            if !recorded.contains(&key(&path)) {
                verified.extra += 1;
                each(&Difference { path, what: What::Extra });
            } else if matches!(store.standing(&path), Ok(Some(standing)) if standing.kind == Kind::Directory) {
                open.push(path);
            }
        }
    }
}
