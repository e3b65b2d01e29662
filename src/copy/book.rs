//! The manifest and the files of sums, being written: [`Book`].

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, openat};

use super::done::Done;
use super::outcome::{Counts, NAMED, Problem};
use super::previous::Key;
use super::{Error, Hashes};
use crate::manifest::{AHEAD, Algorithm, Header, Line, NAME, PARTIAL, Reader, Trailer, parse, sums};
use crate::sink::local::Folder;

/// Writes what batches came to, in order.
pub struct Book {
    manifest: BufWriter<File>,
    sums: Vec<(Algorithm, BufWriter<File>)>,
    /// How many of what, so far.
    pub counts: Counts,
    /// What is not whole, so far.
    pub problems: Vec<Problem>,
    /// Paths of which this run knows nothing, so far: what earlier ones have on record of them still holds.
    pub unmade: HashSet<Key>,
    /// Paths at which something else stood, so far.
    pub kept: HashSet<Key>,
    failed: Option<io::Error>,
    ahead: Ahead,
}

/// Records that wait for those before them, as they come: a run that is killed has them on record all the same.
#[derive(Clone)]
pub struct Ahead(Option<Arc<Mutex<File>>>);

impl Ahead {
    /// Writes down what a batch came to, unless it is its turn.
    pub fn note(&self, done: &Done, is_next: bool) {
        if let Some(file) = self.0.as_ref().filter(|_| !is_next) {
            // At worst what stands there is read again by the next run.
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&done.lines);
        }
    }
}

impl Book {
    /// A book in offmount's own folder, under names that say it is not finished.
    pub fn in_folder(folder: &Folder, hashes: Hashes, header: &Header) -> Result<Self, Error> {
        let mut book = Self::begin(hashes, header, |name| folder.create(name))?;
        let making = |error| Error::Destination(format!("making {AHEAD}"), error);
        let mut ahead = folder.create(AHEAD).map_err(making)?;
        let mut line = Vec::new();
        header.write(&mut line);
        ahead.write_all(&line).map_err(making)?;
        book.ahead = Ahead(Some(Arc::new(Mutex::new(ahead))));
        Ok(book)
    }

    /// Where lanes write down what has to wait.
    pub fn ahead(&self) -> Ahead {
        self.ahead.clone()
    }

    /// A book in nameless temporary files.
    pub fn spooled(hashes: Hashes, header: &Header) -> Result<Self, Error> {
        Self::begin(hashes, header, |_| spool())
    }

    fn begin(hashes: Hashes, header: &Header, open: impl Fn(&str) -> io::Result<File>) -> Result<Self, Error> {
        let writer = |name: &str| match open(name) {
            Ok(file) => Ok(BufWriter::with_capacity(1 << 16, file)),
            Err(error) => Err(Error::Destination(format!("making {name}"), error)),
        };
        let sums: Result<_, Error> =
            hashes.algorithms().map(|algorithm| Ok((algorithm, writer(&partial(algorithm))?))).collect();
        let mut book = Book {
            manifest: writer(PARTIAL)?,
            sums: sums?,
            counts: Counts::default(),
            problems: Vec::new(),
            unmade: HashSet::new(),
            kept: HashSet::new(),
            failed: None,
            ahead: Ahead(None),
        };
        let mut line = Vec::new();
        header.write(&mut line);
        book.write(&line);
        Ok(book)
    }

    fn write(&mut self, lines: &[u8]) {
        let written = self.manifest.write_all(lines);
        self.keep(written);
    }

    fn keep(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    /// Takes what a batch came to.
    pub fn add(&mut self, done: Done) {
        self.write(&done.lines);
        for i in 0..self.sums.len() {
            let written = self.sums[i].1.write_all(&done.sums[i]);
            self.keep(written);
        }
        // On record even if the run is killed.
        let flushed = self.manifest.flush();
        self.keep(flushed);
        self.counts.merge(done.counts);
        let room = NAMED.saturating_sub(self.problems.len());
        self.problems.extend(done.problems.into_iter().take(room));
        self.unmade.extend(done.unmade);
        self.kept.extend(done.kept);
    }

    /// Takes lines of an earlier run's manifest, with their lines of sums.
    pub fn carry_over(&mut self, done: &Done) {
        self.write(&done.lines);
        for i in 0..self.sums.len() {
            let written = self.sums[i].1.write_all(&done.sums[i]);
            self.keep(written);
        }
    }

    /// Writes the trailer.
    pub fn end(&mut self, trailer: &Trailer) {
        let mut line = Vec::new();
        trailer.write(&mut line);
        self.write(&line);
    }

    /// Closes the files of a folder and gives them their names.
    pub fn publish(self, folder: &Folder) -> Result<(), Error> {
        let (manifest, sums) = self.close()?;
        let renamed = |from: &str, to: &str| {
            folder.rename(from, to).map_err(|error| Error::Destination(format!("naming {to}"), error))
        };
        drop(manifest);
        for (algorithm, _) in sums {
            renamed(&partial(algorithm), algorithm.sums_name())?;
        }
        renamed(PARTIAL, NAME)?;
        folder.remove(AHEAD).map_err(|error| Error::Destination(format!("removing {AHEAD}"), error))
    }

    /// The files, complete: the manifest, and those of sums.
    pub fn close(self) -> Result<(File, Vec<(Algorithm, File)>), Error> {
        let failed = |error: io::Error| Error::Destination("writing the manifest".into(), error);
        if let Some(error) = self.failed {
            return Err(failed(error));
        }
        let inner = |writer: BufWriter<File>| writer.into_inner().map_err(|error| failed(error.into_error()));
        let manifest = inner(self.manifest)?;
        let sums: Result<_, Error> =
            self.sums.into_iter().map(|(algorithm, file)| Ok((algorithm, inner(file)?))).collect();
        Ok((manifest, sums?))
    }
}

/// Makes the file of sums that the manifest of a folder comes to.
pub fn make_sums(folder: &Folder, algorithm: Algorithm) -> Result<(), Error> {
    let failed = |error| Error::Destination(format!("making {}", algorithm.sums_name()), error);
    let Some(manifest) = folder.open_file(NAME).map_err(failed)? else { return Ok(()) };
    let mut reader = Reader::new(BufReader::with_capacity(1 << 16, manifest));
    let mut file = BufWriter::with_capacity(1 << 16, folder.create(&partial(algorithm)).map_err(failed)?);
    let (mut line, mut sum) = (Vec::new(), Vec::new());
    while reader.next_line(&mut line).map_err(failed)? {
        if let Line::Record(record) = parse(&line) {
            sums::write(&record, algorithm, &mut sum);
            file.write_all(&sum).map_err(failed)?;
            sum.clear();
        }
    }
    file.flush().and_then(|()| folder.rename(&partial(algorithm), algorithm.sums_name())).map_err(failed)
}

fn partial(algorithm: Algorithm) -> String {
    format!("{}.partial", algorithm.sums_name())
}

/// A temporary file that no name leads to.
fn spool() -> io::Result<File> {
    let folder = std::env::temp_dir();
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    Ok(File::from(openat(rustix::fs::CWD, &folder, flags, Mode::from_raw_mode(0o600))?))
}
