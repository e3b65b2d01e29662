//! A stream of members in the pax format of tape archives (POSIX.1-2017, pax, "pax Interchange Format"), as GNU tar,
//! bsdtar and others read it: [`Tar`].
//!
//! What the plain header has no room for stands in extended headers: times in nanoseconds, long names, large sizes and
//! numbers, extended attributes (`SCHILY.xattr.*`), access control lists as text too (`SCHILY.acl.*`), holes (GNU tar manual, "PAX Format, Version 1.0").
//!
//! Every directory comes twice: bare before what is in it, and with all its attributes at the end. Files come in the order
//! of the disk, so whoever reads the archive would else set a directory's times before its last file, and hand down its
//! default ACL to every file in it.

mod acl;
mod member;
mod pax;
#[cfg(feature = "zstd")]
pub mod zstd;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use self::member::{Member, padding};
use super::{Committed, Drain, Entry, Failure, Half, Limits, Made, Names, Sink};
use crate::node::{Kind, Unkept};

/// Two blocks of zeros end an archive.
pub(super) const END: [u8; 1024] = [0; 1024];

/// A stream of tape archive members, one after the other.
pub struct Tar {
    stream: Mutex<Stream>,
}

struct Stream {
    out: BufWriter<Box<dyn Write + Send>>,
    /// A member was begun and not ended: nothing that follows could be read.
    broken: bool,
}

impl Stream {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.broken {
            return Err(Failure::Gone(io::Error::other("a file in the stream is not whole")));
        }
        self.out.write_all(bytes).map_err(|error| {
            self.broken = true;
            Failure::Gone(error)
        })
    }
}

impl Tar {
    /// Members are written to `stream`.
    pub fn new(stream: Box<dyn Write + Send>) -> Self {
        let out = BufWriter::with_capacity(256 << 10, stream);
        Tar { stream: Mutex::new(Stream { out, broken: false }) }
    }

    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds offmount's own files to `folder`, and ends the archive. A stream that broke off is left without an end, for
    /// whoever reads it to notice.
    ///
    /// # Errors
    /// Those of reading the files and of writing.
    pub fn finish<'n>(self, folder: &str, own: impl Iterator<Item = (&'n str, File)>) -> io::Result<()> {
        let mut stream = self.stream.into_inner().unwrap_or_else(PoisonError::into_inner);
        if stream.broken {
            return stream.out.flush();
        }
        stream.out.write_all(&Member::own_directory(folder).header())?;
        for (name, mut file) in own {
            io::Seek::rewind(&mut file)?;
            let size = file.metadata()?.len();
            stream.out.write_all(&Member::own_file(&format!("{folder}/{name}"), size).header())?;
            io::copy(&mut file.take(size), &mut stream.out)?;
            stream.out.write_all(padding(size))?;
        }
        stream.out.write_all(&END)?;
        stream.out.flush()
    }

    fn put_whole(&self, member: &Member<'_>) -> Result<Made, Failure> {
        self.lock().put(&member.header())?;
        Ok(member.unkept())
    }
}

impl Sink for Tar {
    fn limits(&self) -> Limits {
        // Where it will be unpacked is not known: nearly every filesystem takes such names, and Linux such paths (`PATH_MAX`
        // without the slash of a directory and the byte at the end), relative to where it is unpacked.
        let names = Names { longest_path: 4096 - 2, ..Names::plain(255) };
        Limits { lanes: Some(1), names, finish_in_order: true, is_far: false, packs: false }
    }

    fn directory(&self, entry: &Entry<'_>) -> Result<(), Failure> {
        self.put_whole(&Member::empty_directory(entry)).map(drop)
    }

    fn create<'a>(&'a self, entry: &'a Entry<'a>, _half: Option<&Half>) -> Result<Box<dyn Drain + 'a>, Failure> {
        let member = Member::of(entry);
        self.lock().put(&member.header())?;
        let left = entry.data.iter().map(|span| span.len()).sum();
        Ok(Box::new(Writing { tar: self, left, size: left, unkept: member.unkept() }))
    }

    fn special(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        match entry.node.kind {
            Kind::Socket => Ok(vec![Unkept { what: Unkept::ITSELF.into(), why: "an archive holds no sockets".into() }]),
            Kind::Unknown => Err(Failure::Refused("it is of a kind that no archive can hold".into())),
            _ => self.put_whole(&Member::of(entry)),
        }
    }

    fn link(&self, entry: &Entry<'_>, first: &[u8]) -> Result<Made, Failure> {
        self.put_whole(&Member::link(entry, first))
    }

    fn finish_directory(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        self.put_whole(&Member::of(entry))
    }
}

/// A file whose header is written and whose bytes follow.
struct Writing<'a> {
    tar: &'a Tar,
    /// Bytes still to come.
    left: u64,
    size: u64,
    unkept: Vec<Unkept>,
}

impl Drain for Writing<'_> {
    fn write_at(&mut self, _offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        // Offsets ascend and holes are never written, so the data comes just as the map of holes announced it.
        self.left = self.left.saturating_sub(bytes.len() as u64);
        self.tar.lock().put(bytes)
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, Failure> {
        if self.left > 0 {
            return Err(Failure::Gone(io::Error::other("fewer bytes than were announced")));
        }
        self.tar.lock().put(padding(self.size))?;
        self.size = 0;
        Ok(std::mem::take(&mut self.unkept).into())
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.left > 0 {
            self.tar.lock().broken = true;
        }
    }
}
