//! A copy in a flat store of objects: [`Objects`], over any [`Bucket`].
//!
//! A file is an object named as its path (see [`super::key`]). Small ones are sent in one piece, others in parts, several
//! at a time; an object appears when it is whole. Whatever else a filesystem holds (directories, links, devices, owners,
//! modes, times) the manifest keeps alone. Small files may go together instead, in archives that keep most of that.

mod body;
mod bucket;
mod index;
mod pack;
mod reading;
pub mod tag;
mod upload;

pub use body::Body;
pub use bucket::{Bucket, Object, Part, Rules};

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use self::index::{Index, Named};
use self::pack::Gathered;
use self::reading::Reading;
use self::upload::Upload;
use super::budget::{Budget, Share};
use super::{
    Drain, Entry, Failure, Found, Half, Limits, Made, Names, Pack, ReadBack, Sink, Standing, Store, Token, key, lacks,
};
use crate::bytes::Span;
use crate::name::OWN_FOLDER;
use crate::node::Kind;
use crate::time::Time;

/// As messages name it.
const NAME: &str = "an object store";

/// Bytes of a part, unless there would be too many: so much is kept in memory, and sent anew after an interruption.
const PART: u64 = 5 << 20;

/// Where in offmount's own folder stands which uploads were begun and are not done.
const UPLOADS: &str = "uploads/";

/// Longest note of an upload.
const NOTE_MAX: u64 = 64 << 10;

/// Parts and small files held in memory at a time, over all lanes.
const MEMORY: u64 = 28 << 20;

/// Parts sent at a time.
const SENDERS: usize = 6;

/// Bytes of parts and files on the line at a time: what is lost with it, but for small files. A line of 100 ms over which
/// 200 MB/s fit is full with as many.
const ON_LINE: u64 = 20 << 20;

/// Requests up to this size are always sent at once.
const SMALL: u64 = 256 << 10;

/// Files taken at a time: each request waits for an answer from far away.
const LANES: usize = 16;

/// Longest name of one file: what filesystems take.
const NAME_MAX: usize = 255;

/// Longest key (Amazon S3 User Guide, "Naming Amazon S3 objects"; Azure, Google and Swift take as much).
const KEY_MAX: usize = 1024;

/// Files with more holes than this, and many times more than data, are not sent: a ruined size would cost days.
const HOLES: u64 = 1 << 30;

/// A place in a store of objects, as a destination.
pub struct Objects {
    bucket: Arc<dyn Bucket>,
    /// What all names begin with: empty, or with a slash at its end.
    prefix: String,
    found: Found,
    index: OnceLock<Option<Index>>,
    budget: Arc<Budget>,
    line: Arc<Budget>,
    senders: rayon::ThreadPool,
    /// Uploads that this run began and that are not over.
    begun: Mutex<HashSet<String>>,
    /// What others left was cleared away.
    is_swept: AtomicBool,
}

/// An upload of parts, as it is noted in the store: whoever comes later, from wherever, can forget it.
#[derive(Serialize, Deserialize)]
struct Noted {
    key: String,
    upload: String,
}

impl Objects {
    /// Looks at what is in `bucket` below `prefix`.
    ///
    /// # Errors
    /// What the store says to the first request.
    pub fn open(bucket: Arc<dyn Bucket>, prefix: &[u8]) -> Result<Self, Failure> {
        let mut prefix = key::encode(prefix).into_owned();
        if !prefix.is_empty() {
            prefix.push('/');
        }
        let senders = rayon::ThreadPoolBuilder::new().num_threads(SENDERS).thread_name(|n| format!("part-{n}")).build();
        let senders = senders.map_err(|error| Failure::Gone(io::Error::other(error)))?;
        let (budget, line) = (Budget::new(MEMORY), Budget::new(ON_LINE));
        let mut it = Objects {
            bucket,
            prefix,
            found: Found::Empty,
            index: OnceLock::new(),
            budget,
            line,
            senders,
            begun: Mutex::default(),
            is_swept: AtomicBool::new(false),
        };
        it.found = it.look()?;
        Ok(it)
    }

    fn look(&self) -> Result<Found, Failure> {
        let mut found = Found::Empty;
        for (prefix, holds) in [(self.prefix.clone(), Found::Other), (self.own(""), Found::Copy)] {
            self.bucket.list(&prefix, true, &mut |_, _| {
                found = holds;
                false
            })?;
        }
        Ok(found)
    }

    fn key(&self, path: &[u8]) -> String {
        format!("{}{}", self.prefix, key::encode(path))
    }

    fn own(&self, name: &str) -> String {
        format!("{}{OWN_FOLDER}/{name}", self.prefix)
    }

    /// What stood there when the run began; the store is asked for each file only where it holds very many.
    fn named(&self, path: &[u8]) -> Result<Option<Named>, Failure> {
        if self.found == Found::Empty {
            return Ok(None);
        }
        let index = match self.index.get() {
            Some(index) => index,
            None => {
                let made = Index::of(&*self.bucket, &self.prefix)?;
                self.index.get_or_init(|| made)
            }
        };
        match index {
            Some(index) => Ok(index.get(&self.key(path))),
            None => Ok(self.bucket.find(&self.key(path))?.map(Named::Object)),
        }
    }

    /// Bytes of each part of a file of this size.
    fn part(&self, size: u64) -> u64 {
        let rules = self.bucket.rules();
        let least = size.div_ceil(rules.parts_max.max(1)).next_multiple_of(1 << 20);
        PART.max(rules.part_min).max(least)
    }

    /// A share of the line for a request of so many bytes.
    fn line(line: &Arc<Budget>, bytes: usize) -> Option<Share> {
        (bytes as u64 > SMALL).then(|| line.take(bytes as u64))
    }

    /// Where an upload is noted.
    fn note_of(&self, upload: &str) -> String {
        self.own(&format!("{UPLOADS}{}", &blake3::hash(upload.as_bytes()).to_hex()[..32]))
    }

    fn begun(&self) -> MutexGuard<'_, HashSet<String>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an object of parts, and notes that in the store.
    fn begin(&self, key: &str) -> Result<String, Failure> {
        let upload = self.bucket.begin(key)?;
        self.begun().insert(upload.clone());
        let noted = Noted { key: key.to_owned(), upload };
        let note = serde_json::to_vec(&noted).unwrap_or_default();
        self.bucket.put(&self.note_of(&noted.upload), note.into())?;
        Ok(noted.upload)
    }

    /// An upload is over: its note goes. Where it can not go, a later run finds that there is nothing to forget.
    fn end(&self, upload: &str) {
        if self.bucket.delete(&self.note_of(upload)).is_ok() {
            self.begun().remove(upload);
        }
    }

    /// Forgets an upload and its parts.
    fn abort(&self, key: &str, upload: &str) {
        self.bucket.abort(key, upload);
        self.end(upload);
    }

    /// Sends one of offmount's own files.
    fn send(&self, name: &str, file: &mut &File) -> Result<(), Failure> {
        let reading = |error: io::Error| Failure::Refused(format!("reading {name}: {error}"));
        let size = file.metadata().map_err(reading)?.len();
        io::Seek::rewind(file).map_err(reading)?;
        let mut upload = Upload::begin(self, self.own(name), size, None)?;
        let (mut buffer, mut at) = (vec![0; 256 << 10], 0);
        loop {
            match file.read(&mut buffer).map_err(reading)? {
                0 => break,
                n => upload.write_at(at, &buffer[..n])?,
            }
            at = io::Seek::stream_position(file).map_err(reading)?;
        }
        upload.finish().map(drop)
    }
}

fn is_nearly_all_hole(size: u64, data: &[Span]) -> bool {
    let data: u64 = data.iter().map(|span| span.len()).sum();
    let holes = size.saturating_sub(data);
    holes > HOLES && holes / 16 > data
}

impl Sink for Objects {
    fn limits(&self) -> Limits {
        let longest_path = KEY_MAX.saturating_sub(self.prefix.len());
        let names = Names { longest: NAME_MAX, longest_path, length: key::length };
        Limits { lanes: Some(LANES), names, finish_in_order: false, is_far: true, packs: true }
    }

    fn standing(&self, path: &[u8]) -> Result<Option<Standing>, Failure> {
        let named = match path {
            b"" | b"." => Some(Named::Directory),
            path => self.named(path)?,
        };
        let (kind, object) = match named {
            None => return Ok(None),
            Some(Named::Object(object)) => (Kind::File, object),
            Some(Named::Directory) => (Kind::Directory, Object::default()),
        };
        Ok(Some(Standing {
            kind,
            size: object.size,
            mode: 0,
            uid: 0,
            gid: 0,
            modified: Time::default(),
            identity: (0, 0),
            device: None,
            target: Vec::new(),
            etag: (!object.tag.is_empty()).then_some(object.tag),
        }))
    }

    fn read_back(&self, path: &[u8]) -> Result<Box<dyn ReadBack + '_>, Failure> {
        let key = self.key(path);
        let Some(Named::Object(object)) = self.named(path)? else {
            return Err(Failure::Refused("no object stands there".into()));
        };
        Ok(Box::new(Reading::new(&*self.bucket, key, object.size)))
    }

    fn restore(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        Ok(lacks::of(entry, NAME))
    }

    fn directory(&self, _entry: &Entry<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn pack(&self, longest: u64) -> Option<Box<dyn Pack + '_>> {
        // Where there is no memory for it, each goes on its own.
        Some(Box::new(Gathered::new(self, longest).ok()?))
    }

    fn part_size(&self, size: u64) -> Option<u64> {
        Some(self.part(size))
    }

    fn sweep(&self, kept: &[&Token]) -> Result<(), Failure> {
        // Of what others begin later, somebody may be sending more.
        let is_first = !self.is_swept.load(Ordering::Relaxed);
        let ours = self.begun().clone();
        if ours.is_empty() && (!is_first || self.found == Found::Empty) {
            self.is_swept.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let kept: HashSet<&str> = kept.iter().filter_map(|token| token.get("upload")?.as_str()).collect();
        let mut notes = Vec::new();
        self.bucket.list(&self.own(UPLOADS), false, &mut |key, object| {
            notes.push((key.to_owned(), object.size.min(NOTE_MAX)));
            true
        })?;
        for (key, size) in notes {
            let Ok(text) = self.bucket.get(&key, 0..size) else { continue };
            match serde_json::from_slice::<Noted>(&text) {
                Ok(noted) if kept.contains(&*noted.upload) || !(is_first || ours.contains(&noted.upload)) => {}
                Ok(noted) => self.abort(&noted.key, &noted.upload),
                Err(_) => drop(self.bucket.delete(&key)),
            }
        }
        self.is_swept.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn create<'a>(&'a self, entry: &'a Entry<'a>, half: Option<&Half>) -> Result<Box<dyn Drain + 'a>, Failure> {
        let key = self.key(entry.path);
        if key.len() > self.bucket.rules().key_max {
            return Err(Failure::Refused("the path is longer than the names that the store takes".into()));
        }
        if is_nearly_all_hole(entry.node.size, entry.data) {
            let why = "nearly all of it is holes, which an object store would have to hold as zeros";
            return Err(Failure::Refused(why.into()));
        }
        let upload = Upload::begin(self, key, entry.node.size, half)?;
        Ok(Box::new(upload::File { upload, entry }))
    }

    fn special(&self, _entry: &Entry<'_>) -> Result<Made, Failure> {
        Ok(lacks::itself(NAME))
    }

    fn link(&self, _entry: &Entry<'_>, _first: &[u8]) -> Result<Made, Failure> {
        Ok(lacks::itself(NAME))
    }

    fn finish_directory(&self, _entry: &Entry<'_>) -> Result<Made, Failure> {
        Ok(lacks::itself(NAME))
    }
}

impl Store for Objects {
    fn found(&self) -> Found {
        self.found
    }

    fn get_own(&self, name: &str) -> Result<Option<Box<dyn Read + '_>>, Failure> {
        let key = self.own(name);
        let Some(object) = self.bucket.find(&key)? else { return Ok(None) };
        Ok(Some(Box::new(Reading::new(&*self.bucket, key, object.size))))
    }

    fn put_own(&self, name: &str, mut file: &File) -> Result<(), Failure> {
        self.send(name, &mut file)
    }

    fn remove_own(&self, name: &str) -> Result<(), Failure> {
        self.bucket.delete(&self.own(name))
    }

    fn names(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let mut above = self.key(directory);
        if !directory.is_empty() {
            above.push('/');
        }
        let mut names = Vec::new();
        self.bucket.list(&above, true, &mut |key, _| {
            let name = key.strip_prefix(&above).unwrap_or(key).trim_end_matches('/');
            if !name.is_empty() {
                names.push(key::decode(name));
            }
            true
        })?;
        Ok(names)
    }
}
