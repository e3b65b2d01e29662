//! Large files go in parts, so that one that was half sent is gone on with where it broke off.
//!
//! What was sent counts only if the source still is what it was: the source is read from its start again, and the hash of
//! every part compared with the journal's, before the first new byte is written. That reading also yields the hash of the
//! whole file.

use std::collections::VecDeque;

use super::job::{Halt, Job};
use super::journal::{Journal, PartHash, Sent};
use super::lane::{ContentRead, Copying, Lane};
use super::patience::Luck;
use super::previous::fingerprint;
use crate::sink::{Committed, Drain, Failure};

impl Job<'_> {
    /// Writes a file in parts of `part_size` bytes, after what an earlier attempt left of it.
    pub fn write_in_parts(
        &self,
        it: &Copying<'_, '_>,
        part_size: u64,
        journal: &Journal,
        lane: &mut Lane,
    ) -> Result<(ContentRead, Committed), Halt> {
        let (path, node) = (it.entry.path, it.entry.node);
        let source = fingerprint(self.identity(it.file.part), node.id.0, node.size, &node.times);
        for _ in 0..2 {
            let sent = journal.sent(path, &source, part_size);
            let drain = self.sink.create(it.entry, sent.as_ref().map(|sent| &sent.half))?;
            // Where the sink could not go on, the token may be another one.
            match drain.held() {
                0 => journal.begin(path, &source, part_size, drain.token()).map_err(not_written)?,
                held => journal.go_on(path, held).map_err(not_written)?,
            }
            let parts = Parts::new(drain, part_size, (journal, &self.luck), path, sent);
            if let Some(done) = self.send(it, parts, lane)? {
                return Ok(done);
            }
            // It was another source's, or is not what was sent.
            journal.over(path).map_err(not_written)?;
        }
        Err(Failure::Refused("its beginning was not what it had just been".into()).into())
    }

    /// Reads the file into the parts. `None` where what was sent before can not be gone on with.
    fn send(
        &self,
        it: &Copying<'_, '_>,
        mut parts: Parts<'_>,
        lane: &mut Lane,
    ) -> Result<Option<(ContentRead, Committed)>, Halt> {
        let (journal, path) = (parts.journal, it.entry.path);
        let read = self.read_file(it.file, it.content, it.runs, lane, Some(&mut parts));
        match read {
            Ok(read) => {
                parts.close_until(it.entry.node.size)?;
                if parts.differs {
                    return Ok(None);
                }
                let committed = parts.drain.commit();
                if matches!(committed, Ok(_) | Err(Failure::Forgotten(_))) {
                    journal.over(path).map_err(not_written)?;
                }
                Ok(Some((read, committed?)))
            }
            Err(_) if parts.differs => Ok(None),
            Err(Halt::Failure(failure @ (Failure::Refused(_) | Failure::Stands(_) | Failure::Forgotten(_)))) => {
                journal.over(path).map_err(not_written)?;
                Err(failure.into())
            }
            // What stopped this run need not stop the next.
            Err(halt) => {
                parts.drain.suspend();
                Err(halt)
            }
        }
    }
}

/// The journal could not be written.
pub fn not_written(error: std::io::Error) -> Failure {
    Failure::of("writing the journal", error)
}

/// A drain that knows what was sent of its file before.
struct Parts<'a> {
    drain: Box<dyn Drain + 'a>,
    part_size: u64,
    journal: &'a Journal,
    luck: &'a Luck,
    path: &'a [u8],
    /// Hashes of the parts that the destination holds.
    known: Vec<PartHash>,
    held: u64,
    /// Where the part begins that is being filled.
    begin: u64,
    hasher: blake3::Hasher,
    /// Where the last byte hashed was.
    hashed: u64,
    /// Hashes of parts that were sent, and are not known to be taken.
    sent: VecDeque<PartHash>,
    /// What was sent before is not this.
    differs: bool,
}

impl<'a> Parts<'a> {
    fn new(
        drain: Box<dyn Drain + 'a>,
        part_size: u64,
        (journal, luck): (&'a Journal, &'a Luck),
        path: &'a [u8],
        sent: Option<Sent>,
    ) -> Self {
        let held = drain.held();
        let known = sent.map(|sent| sent.hashes).unwrap_or_default();
        Parts {
            drain,
            part_size,
            journal,
            luck,
            path,
            known,
            held,
            begin: 0,
            hasher: blake3::Hasher::new(),
            hashed: 0,
            sent: VecDeque::new(),
            differs: false,
        }
    }

    /// Closes the parts that end at or before `offset`: no more bytes of them will come.
    fn close_until(&mut self, offset: u64) -> Result<(), Failure> {
        while self.begin + self.part_size <= offset {
            let hash = self.hasher.finalize().into();
            self.hasher.reset();
            let number = (self.begin / self.part_size) as usize; // as many as there are hashes, or more
            self.begin += self.part_size;
            self.hashed = self.begin;
            if self.begin <= self.held {
                if self.known.get(number) != Some(&hash) {
                    return Err(self.differ());
                }
                continue;
            }
            self.sent.push_back(hash);
            self.note_taken()?;
        }
        Ok(())
    }

    fn note_taken(&mut self) -> Result<(), Failure> {
        for mark in self.drain.taken()? {
            let Some(hash) = self.sent.pop_front() else { break };
            self.journal.part(self.path, hash, mark).map_err(not_written)?;
            self.luck.note();
        }
        Ok(())
    }

    fn differ(&mut self) -> Failure {
        self.differs = true;
        Failure::Refused("what was sent before is not of this file".into())
    }

    /// Takes bytes that lie in one part.
    fn take(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        if offset != self.hashed {
            // Where bytes lie counts too, where there are holes.
            self.hasher.update(&offset.to_le_bytes());
        }
        self.hasher.update(bytes);
        self.hashed = offset + bytes.len() as u64;
        if self.hashed > self.held {
            return self.drain.write_at(offset, bytes);
        }
        if self.drain.holds(offset, bytes)? { Ok(()) } else { Err(self.differ()) }
    }
}

impl Drain for Parts<'_> {
    fn held(&self) -> u64 {
        self.held
    }

    fn write_at(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            self.close_until(offset)?;
            let room = (self.begin + self.part_size - offset).min(bytes.len() as u64) as usize; // of bytes in memory
            let (now, rest) = bytes.split_at(room);
            self.take(offset, now)?;
            (offset, bytes) = (offset + room as u64, rest);
        }
        self.close_until(offset)
    }

    fn commit(self: Box<Self>) -> Result<Committed, Failure> {
        self.drain.commit()
    }
}
