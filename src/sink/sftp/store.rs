//! What else the place of a copy over SFTP can do: offmount's own files, listings, hashes made there.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

use super::super::store::Digest;
use super::super::{Failure, Found, Store};
use super::packet::{Answer, Ask, Attributes, kind, open, status};
use super::{LANES, Sftp, cleared_away, hash, is_top};
use crate::name::OWN_FOLDER;

impl Store for Sftp {
    fn found(&self) -> Found {
        self.found
    }

    fn get_own(&self, name: &str) -> Result<Option<Box<dyn Read + '_>>, Failure> {
        let reading = self.reading(&self.below(format!("{OWN_FOLDER}/{name}").as_bytes()))?;
        Ok(reading.map(|reading| Box::new(reading) as Box<dyn Read + '_>))
    }

    fn put_own(&self, name: &str, file: &File) -> Result<(), Failure> {
        let line = self.line()?;
        let (temporary, place) =
            (self.temporary(&self.new_name()), self.below(format!("{OWN_FOLDER}/{name}").as_bytes()));
        let flags = open::WRITE | open::CREATE | open::EXCLUSIVE;
        let ask = Ask::new(kind::OPEN).bytes(&temporary).u32(flags).attributes(&Attributes::default());
        let handle = self.handle("making it", &line, &ask)?;
        let (mut buffer, mut offset, mut sent) = (vec![0; line.piece], 0, VecDeque::new());
        loop {
            let n = file.read_at(&mut buffer, offset).map_err(|error| Failure::of("reading the manifest", error))?;
            if n == 0 || sent.len() >= LANES {
                for pending in sent.drain(..) {
                    self.success("writing", &self.wait(pending)?)?;
                }
            }
            if n == 0 {
                break;
            }
            let ask = Ask::new(kind::WRITE).bytes(&handle).u64(offset);
            sent.push_back(line.send(&ask, Some(&buffer[..n])).map_err(|broken| self.broken(broken))?);
            offset += n as u64;
        }
        self.success("closing it", &self.ask(&line, &Ask::new(kind::CLOSE).bytes(&handle))?)?;
        match self.rename(&line, &temporary, &place, true)? {
            Answer::Status(status::NO_SUCH_FILE, _) => Err(cleared_away()),
            answer => self.success("naming it", &answer),
        }
    }

    fn remove_own(&self, name: &str) -> Result<(), Failure> {
        let place = self.below(format!("{OWN_FOLDER}/{name}").as_bytes());
        match self.ask(&*self.line()?, &Ask::new(kind::REMOVE).bytes(&place))? {
            Answer::Status(status::NO_SUCH_FILE, _) => Ok(()),
            answer => self.success("removing it", &answer),
        }
    }

    fn own_names(&self) -> Result<Vec<Vec<u8>>, Failure> {
        Ok(self.list(OWN_FOLDER.as_bytes())?.keys().cloned().collect())
    }

    fn names(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        match self.know(directory)? {
            Some(_) => Ok(self.listing(if is_top(directory) { b"" } else { directory })?.keys().cloned().collect()),
            None => Ok(Vec::new()),
        }
    }

    fn hashes_there<'n>(&self, wanted: &[&'n str]) -> Option<&'n str> {
        let there = self.hasher.get_or_init(|| hash::available(&self.way));
        wanted.iter().find(|name| there.contains(name)).copied()
    }

    fn hash_there(&self, paths: &[&[u8]], algorithm: &str) -> Result<Vec<Option<Digest>>, Failure> {
        Ok(hash::digests(&self.way, &self.root, paths, algorithm))
    }
}
