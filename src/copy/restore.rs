//! Giving a copy back what a place on its way could not hold: owners, modes, times, attributes, links, special files.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::sync::Arc;

use super::packs;
use super::standing::{Cover, hash_standing, is_same_special};
use super::{Error, Hashes, Problem};
use crate::bytes::{Buffer, Span};
use crate::manifest::{Line, NAME, Reader, Record, Status, parse};
use crate::name::escaped;
use crate::node::{Kind, Packed};
use crate::progress::{Progress, Unit};
use crate::sink::local::Local;
use crate::sink::{Entry, Failure, Made, Sink, key};

/// Bytes of an archive read at a time.
const BUFFER: usize = 256 << 10;

/// What restoring came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Restored {
    /// Files whose attributes were restored.
    pub files: u64,
    /// Of these, files taken out of archives.
    pub unpacked: u64,
    /// Directories, those made anew included.
    pub directories: u64,
    /// Links, pipes, sockets and devices, those made anew included.
    pub specials: u64,
    /// Names that are hard links again.
    pub links: u64,
    /// Attributes that the directory's filesystem did not take, by name, in paths.
    pub unkept: BTreeMap<String, u64>,
    /// Lines of the manifest that are damaged.
    pub garbage: u64,
    /// What could not be restored.
    pub problems: Vec<Problem>,
    /// True if the user asked to stop.
    pub interrupted: bool,
}

impl Restored {
    /// True if everything is as the manifest says: exit status 0, else 1.
    pub fn is_complete(&self) -> bool {
        self.problems.is_empty() && self.unkept.is_empty() && self.garbage == 0 && !self.interrupted
    }
}

/// Restores in `dir` all that `manifest` records besides contents; `None` is the manifest that came with the files.
///
/// # Errors
/// Where the directory can not be opened, or the manifest not read.
pub fn restore(dir: &Path, manifest: Option<&Path>, progress: &dyn Progress) -> Result<Restored, Error> {
    let cannot = |error| Error::Destination(format!("opening {}", dir.display()), error);
    if !dir.is_dir() {
        return Err(cannot(io::Error::from(io::ErrorKind::NotFound)));
    }
    let local = Local::open(dir).map_err(cannot)?.ok_or(Error::Busy)?;
    let mut run = Run { local, progress, firsts: HashMap::new(), restored: Restored::default() };
    progress.stage("making directories", None, Unit::Items);
    let mut directories = Vec::new();
    run.each(manifest, |_, record| {
        if record.kind == Kind::Directory {
            directories.push(record);
        }
    })?;
    // A manifest names them as they were finished, those within others first.
    directories.sort_by(|a, b| a.path.cmp(&b.path));
    directories.retain(|record| run.tried(record, |run| run.make_directory(record)).is_some());
    progress.stage("restoring", None, Unit::Items);
    run.each(manifest, |run, record| {
        run.progress.advance(1);
        match record.kind {
            Kind::Directory => {}
            Kind::File => {
                // What can not be renamed is told as missing.
                run.tried(&record, |run| run.give_name(&record));
                run.name(&record);
            }
            _ => run.name(&record),
        }
    })?;
    for record in directories.iter().rev() {
        run.finish_directory(record);
    }
    run.restored.interrupted = progress.interrupted();
    Ok(run.restored)
}

/// A file known by several names: volume and number.
type Several = (Arc<str>, u64);

struct Run<'a> {
    local: Local,
    progress: &'a dyn Progress,
    /// Where the first name stands of files that have several.
    firsts: HashMap<Several, Vec<u8>>,
    restored: Restored,
}

impl Run<'_> {
    /// Visits the records of all paths that were copied.
    fn each(&mut self, manifest: Option<&Path>, mut visit: impl FnMut(&mut Self, Box<Record>)) -> Result<(), Error> {
        let mut reader = Reader::new(BufReader::with_capacity(1 << 16, self.open(manifest)?));
        let (mut line, mut garbage) = (Vec::new(), 0);
        while reader.next_line(&mut line).map_err(|error| Error::Destination("reading the manifest".into(), error))? {
            if self.progress.interrupted() {
                break;
            }
            match parse(&line) {
                Line::Record(record) if is_there(&record) => visit(self, record),
                Line::Garbage => garbage += 1,
                _ => {}
            }
        }
        self.restored.garbage = garbage;
        Ok(())
    }

    fn open(&self, manifest: Option<&Path>) -> Result<File, Error> {
        let Some(path) = manifest else {
            let found = self.local.folder().and_then(|folder| folder.open_file(NAME).transpose());
            let missing =
                || Err(io::Error::new(io::ErrorKind::NotFound, "no manifest came with the files (--manifest)"));
            return found.unwrap_or_else(missing).map_err(|error| Error::Destination(NAME.into(), error));
        };
        File::open(path).map_err(|error| Error::Destination(path.display().to_string(), error))
    }

    /// Does something with a path; what fails becomes a problem.
    fn tried<T>(&mut self, record: &Record, act: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Option<T> {
        match act(self) {
            Ok(done) => Some(done),
            Err(failure) => {
                let (path, what) = (record.path.clone(), failure.to_string());
                self.restored.problems.push(Problem { path, status: Some(Status::Failed), what });
                None
            }
        }
    }

    fn count_unkept(&mut self, made: Made) {
        for unkept in made {
            *self.restored.unkept.entry(unkept.what).or_default() += 1;
        }
    }

    fn make_directory(&mut self, record: &Record) -> Result<(), Failure> {
        let node = record.node();
        self.local.directory(&entry(record, &node, false))
    }

    fn finish_directory(&mut self, record: &Record) {
        let node = record.node();
        let path = if record.path == b"." { &b""[..] } else { &record.path };
        let entry = Entry { path, ..entry(record, &node, false) };
        if let Some(made) = self.tried(record, |run| run.local.finish_directory(&entry)) {
            self.restored.directories += 1;
            self.count_unkept(made);
        }
    }

    /// Gives a file the name it had, where a store could hold it only under another one.
    fn give_name(&mut self, record: &Record) -> Result<(), Failure> {
        let name_there = key::encode(&record.path);
        if name_there.as_bytes() == record.path || self.local.stands_at(&record.path)?.is_some() {
            return Ok(());
        }
        match self.local.stands_at(name_there.as_bytes())? {
            Some(standing) if standing.kind == Kind::File && standing.size == record.size => {
                self.local.move_to(name_there.as_bytes(), &record.path)
            }
            _ => Ok(()),
        }
    }

    /// Restores what is no directory: the first name of it, or a further one.
    fn name(&mut self, record: &Record) {
        let several = (record.links > 1).then(|| (record.volume.clone(), record.inode));
        let first = several.as_ref().and_then(|several| self.firsts.get(several)).cloned();
        let done = match &first {
            Some(first) => self.tried(record, |run| run.link(record, first)),
            None if record.kind == Kind::File => self.tried(record, |run| run.attributes(record)),
            None => self.tried(record, |run| run.special(record)),
        };
        if let (Some(several), None, Some(())) = (several, first, done) {
            self.firsts.insert(several, record.path.clone());
        }
    }

    fn special(&mut self, record: &Record) -> Result<(), Failure> {
        let node = record.node();
        let entry = entry(record, &node, false);
        let made = match self.local.stands_at(&record.path)? {
            None => self.local.special(&entry)?,
            Some(standing) if is_same_special(&entry, &standing) => self.local.restore(&entry)?,
            Some(_) => return Err(Failure::Stands("something else")),
        };
        self.count_unkept(made);
        self.restored.specials += 1;
        Ok(())
    }

    fn attributes(&mut self, record: &Record) -> Result<(), Failure> {
        let node = record.node();
        let made = match (self.local.stands_at(&record.path)?, &record.packed) {
            (None, Some(packed)) => {
                let made = self.unpack(record, packed)?;
                self.restored.unpacked += 1;
                made
            }
            (None, None) => return Err(Failure::Refused("it is not there".into())),
            (Some(standing), _) if standing.kind != Kind::File => return Err(Failure::Stands("something else")),
            (Some(standing), _) if standing.size != record.size => return Err(Failure::Stands("a different file")),
            (Some(_), _) => self.local.restore(&entry(record, &node, false))?,
        };
        self.count_unkept(made);
        self.restored.files += 1;
        Ok(())
    }

    /// Makes a file of what an archive holds of it, with its attributes, if that is what was copied.
    fn unpack(&self, record: &Record, packed: &Packed) -> Result<Made, Failure> {
        let (path, size) = (packed.path(), record.size);
        let shown = escaped(&path);
        if packs::standing(packed, size, |path| self.local.stands_at(path))?.is_none() {
            return Err(Failure::Refused(format!("neither it nor {shown}, which holds it, is there")));
        }
        let (node, whole) = (record.node(), [Span::new(0, size)]);
        let entry = Entry { data: &whole[..usize::from(size > 0)], ..entry(record, &node, false) };
        let mut pack = self.local.read_back(&path)?;
        let mut drain = self.local.create(&entry, None)?;
        let (mut hasher, mut buffer, mut at) = (blake3::Hasher::new(), Buffer::new(BUFFER), 0);
        while at < size {
            let len = (size - at).min(BUFFER as u64) as usize; // of the buffer
            let read = pack.read_at(packed.at + at, &mut buffer[..len]);
            let read = read.map_err(|error| Failure::of("reading its archive", error))?;
            if read == 0 {
                return Err(Failure::Refused(format!("{shown} ended before its time")));
            }
            hasher.update(&buffer[..read]);
            drain.write_at(at, &buffer[..read])?;
            at += read as u64;
        }
        if record.digests.blake3 != Some(*hasher.finalize().as_bytes()) {
            return Err(Failure::Refused(format!("what {shown} holds of it is not what was copied")));
        }
        Ok(drain.commit()?.unkept)
    }

    /// Makes a path a further name of a file again; a copy of its own makes way if it is the recorded one.
    fn link(&mut self, record: &Record, first: &[u8]) -> Result<(), Failure> {
        let node = record.node();
        let standing = self.local.stands_at(&record.path)?;
        let identity = self.local.stands_at(first)?.map(|it| it.identity);
        if let Some(standing) = &standing {
            if Some(standing.identity) == identity {
                return Ok(());
            }
            let is_recorded = match record.kind {
                Kind::File => standing.kind == Kind::File && self.has_content(record, standing.size)?,
                _ => is_same_special(&entry(record, &node, false), standing),
            };
            if !is_recorded {
                return Err(Failure::Stands("a different file"));
            }
        }
        let made = self.local.link(&entry(record, &node, standing.is_some()), first)?;
        self.count_unkept(made);
        self.restored.links += 1;
        Ok(())
    }

    /// True if what stands at the record's path has the recorded content.
    fn has_content(&self, record: &Record, size: u64) -> Result<bool, Failure> {
        if size != record.size || record.digests.blake3.is_none() {
            return Ok(false);
        }
        let mut file = self.local.read_back(&record.path)?;
        let unreadable = |error: io::Error| Failure::of("reading what stands there", error);
        let found = hash_standing(&mut *file, record.size, &Cover::Whole, Hashes::default(), self.progress)
            .map_err(unreadable)?;
        Ok(found.is_some_and(|found| found.blake3 == record.digests.blake3))
    }
}

/// True for paths that a copy made, or tried to make where a place could not hold the kind.
fn is_there(record: &Record) -> bool {
    let is_special = !matches!(record.kind, Kind::File | Kind::Directory | Kind::Unknown);
    matches!(record.status, Status::Copied | Status::AlreadyThere) || is_special && record.status == Status::Failed
}

fn entry<'a>(record: &'a Record, node: &'a crate::node::Node, overwrite: bool) -> Entry<'a> {
    let target = record.target.as_deref().unwrap_or_default();
    Entry { path: &record.path, node, target, xattrs: &record.xattrs, data: &[], overwrite }
}
