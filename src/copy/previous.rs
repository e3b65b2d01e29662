//! What earlier runs into the same destination left: their manifests, finished or not ([`Previous`]).

use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader};
use std::sync::Arc;

use super::Error;
use super::carried::Carried;
use crate::manifest::{AHEAD, Digests, Header, Line, NAME, PARTIAL, Reader, Record, Status, parse};
use crate::node::{Kind, Node, Packed, Unkept};
use crate::sink::Committed;
use crate::sink::local::Folder;
use crate::time::Time;

/// The hash of a path, in place of the path.
pub type Key = [u8; 16];

/// The hash of a path.
pub fn key(path: &[u8]) -> Key {
    digest(&[path])
}

fn digest(parts: &[&[u8]]) -> Key {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

/// What a manifest says of a file that was copied whole.
struct Known {
    blake3: [u8; 32],
    file: Key,
    rest: Arc<Rest>,
    etag: Option<Box<str>>,
    /// Where in a pack it begins.
    at: u64,
}

/// What many records have in common, mostly: kept once.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Rest {
    /// Digests besides BLAKE3.
    digests: Digests,
    unkept: Vec<Unkept>,
    /// The name of the pack.
    pack: Option<String>,
}

/// What a manifest proves of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// Hashes of its contents; BLAKE3 is among them.
    pub digests: Digests,
    /// What the destination did not take.
    pub unkept: Vec<Unkept>,
    /// What the destination called its contents.
    pub etag: Option<String>,
    /// The archive that holds it.
    pub packed: Option<Packed>,
}

impl Proof {
    /// What became of the file when it was copied.
    pub fn committed(&self) -> Committed {
        Committed { unkept: self.unkept.clone(), etag: self.etag.clone(), packed: self.packed.clone() }
    }
}

/// Manifests of earlier runs, newest first.
pub struct Previous {
    names: Vec<String>,
    /// Those of runs that came to an end.
    ended: HashSet<String>,
    known: HashMap<Key, Known>,
}

impl Previous {
    /// Reads what there is in offmount's own folder. A manifest that a killed run left unfinished is set aside under
    /// another name, so that the next run may be killed too.
    pub fn read(folder: &Folder) -> Result<Self, Error> {
        let mut count = killed_count(folder);
        for name in [AHEAD, PARTIAL] {
            if !folder.has(name) {
                continue;
            }
            let set_aside = folder.rename(name, &killed(count));
            set_aside.map_err(|error| Error::Destination("setting an unfinished manifest aside".into(), error))?;
            count += 1;
        }
        let names = (0..count).rev().map(killed).chain(folder.has(NAME).then(|| NAME.into())).collect();
        let mut previous = Previous { names, ended: HashSet::new(), known: HashMap::new() };
        let (mut known, mut rests) = (HashMap::new(), HashSet::<Arc<Rest>>::new());
        let mut ended = HashSet::new();
        previous.each_line(folder, |name, header, line| {
            if let Line::Trailer(_) = line {
                ended.insert(name.to_owned());
            }
            if let Line::Record(record) = line
                && let Some(blake3) = record.digests.blake3.filter(|_| is_whole(&record))
            {
                let file = fingerprint(volume(header, &record.volume), record.inode, record.size, &record.times);
                let (pack, at) = record.packed.map(|it| (it.pack, it.at)).unzip();
                let rest = Rest { digests: Digests { blake3: None, ..record.digests }, unkept: record.unkept, pack };
                let rest = rests.get(&rest).cloned().unwrap_or_else(|| {
                    let rest = Arc::new(rest);
                    rests.insert(rest.clone());
                    rest
                });
                let etag = record.etag.map(String::into_boxed_str);
                known.entry(key(&record.path)).or_insert(Known { blake3, file, rest, etag, at: at.unwrap_or(0) });
            }
        })?;
        (previous.known, previous.ended) = (known, ended);
        Ok(previous)
    }

    /// The name of the next manifest that is set aside.
    pub fn next_killed(folder: &Folder) -> String {
        killed(killed_count(folder))
    }

    /// The names of the manifests that were set aside.
    pub fn killed(folder: &Folder) -> impl Iterator<Item = String> {
        (0..killed_count(folder)).map(killed)
    }

    /// Adds the manifest of a run that came to its end while this one was at work: the newest.
    pub fn add_ended(&mut self, name: String) {
        self.names.insert(0, name.clone());
        self.ended.insert(name);
    }

    /// True if there was no earlier run.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What is known of a copy of `node`, where a manifest has the very same file at `path`.
    pub fn proof(&self, path: &[u8], volume: &str, node: &Node) -> Option<Proof> {
        let known = self.known.get(&key(path))?;
        (known.file == fingerprint(volume, node.id.0, node.size, &node.times)).then(|| Proof {
            digests: Digests { blake3: Some(known.blake3), ..known.rest.digests },
            unkept: known.rest.unkept.clone(),
            etag: known.etag.as_deref().map(str::to_owned),
            packed: known.rest.pack.clone().map(|pack| Packed { pack, at: known.at }),
        })
    }

    /// Carries on the records of paths that have none yet, each once. Nobody ever read what a killed run left, and a bit that
    /// flipped in a path makes a record of what is not there: of that run's it is looked whether they are.
    pub fn carry_over(&self, folder: &Folder, carried: &mut Carried<'_>) -> Result<(), Error> {
        self.each_line(folder, |name, header, line| {
            if let Line::Record(record) = line {
                carried.add(header, record, !self.ended.contains(name));
            }
        })?;
        carried.look();
        Ok(())
    }

    /// Removes the manifests that killed runs left: what they say stands in the new one.
    pub fn remove_killed(&self, folder: &Folder) -> io::Result<()> {
        self.names.iter().filter(|name| *name != NAME).try_for_each(|name| folder.remove(name))
    }

    fn each_line(&self, folder: &Folder, mut visit: impl FnMut(&str, Option<&Header>, Line)) -> Result<(), Error> {
        for name in &self.names {
            let failed = |error: io::Error| Error::Destination(format!("reading {name}"), error);
            let Some(file) = folder.open_file(name).map_err(failed)? else { continue };
            let mut reader = Reader::new(BufReader::with_capacity(1 << 16, file));
            let (mut line, mut header) = (Vec::new(), None);
            while reader.next_line(&mut line).map_err(failed)? {
                match parse(&line) {
                    Line::Header(new) => header = Some(*new),
                    other => visit(name, header.as_ref(), other),
                }
            }
        }
        Ok(())
    }
}

fn killed(n: usize) -> String {
    format!("manifest.killed.{n}.jsonl")
}

fn killed_count(folder: &Folder) -> usize {
    (0..).take_while(|&n| folder.has(&killed(n))).count()
}

/// True if a record proves that the path stood there, with all of its bytes.
fn is_whole(record: &Record) -> bool {
    let is_there = matches!(record.status, Status::Copied | Status::AlreadyThere);
    is_there && record.kind == Kind::File && record.lost.is_empty()
}

/// What tells a volume apart from others, also in another image: its UUID, or else its name.
fn volume<'h>(header: Option<&'h Header>, name: &'h str) -> &'h str {
    let volume = header.and_then(|header| header.volumes.iter().find(|volume| volume.name == name));
    volume.and_then(|volume| volume.uuid.as_deref()).unwrap_or(name)
}

/// The same for a file as long as it was not changed.
pub fn fingerprint(volume: &str, inode: u64, size: u64, times: &crate::time::Times) -> Key {
    let time = |time: Option<Time>| {
        let time = time.unwrap_or_default();
        [time.secs.to_le_bytes(), u64::from(time.nanos).to_le_bytes()].concat()
    };
    let numbers = [inode.to_le_bytes(), size.to_le_bytes()].concat();
    digest(&[&numbers, &time(times.modified), &time(times.changed), volume.as_bytes()])
}
