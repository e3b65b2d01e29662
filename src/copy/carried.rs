//! Records on their way from earlier manifests into a new one ([`Carried`]).

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::Hashes;
use super::done::Done;
use super::packs;
use super::previous::{Key, key};
use crate::manifest::{Header, Record, Status};
use crate::node::Kind;
use crate::sink::{Failure, Store};

/// Records looked for in the destination at a time.
const LOOKED_FOR: usize = 512;

/// Hands records on, those that are doubtful only once they were looked for.
pub struct Carried<'a> {
    there: There<'a>,
    pool: &'a rayon::ThreadPool,
    hashes: Hashes,
    pass: &'a mut dyn FnMut(&Done),
    /// Paths that have a record already.
    now: HashSet<Key>,
    /// Of the records that are met, and of the last one that was handed on.
    header: Option<Header>,
    last: Option<Header>,
    waiting: Vec<Record>,
    /// How many are of what is not there, and were left out.
    pub absent: u64,
}

/// The destination, as long as it answers.
struct There<'a> {
    store: &'a dyn Store,
    is_gone: AtomicBool,
}

impl<'a> Carried<'a> {
    /// Hands on, as lines of a manifest, what is of no path in `now`. `is_gone`: the destination is not to be asked.
    pub fn new(
        (store, is_gone): (&'a dyn Store, bool),
        pool: &'a rayon::ThreadPool,
        hashes: Hashes,
        now: HashSet<Key>,
        pass: &'a mut dyn FnMut(&Done),
    ) -> Self {
        let there = There { store, is_gone: AtomicBool::new(is_gone) };
        Carried { there, pool, hashes, pass, now, header: None, last: None, waiting: Vec::new(), absent: 0 }
    }

    /// Takes a record that follows a header.
    pub fn add(&mut self, header: Option<&Header>, record: Box<Record>, is_doubtful: bool) {
        let is_there = matches!(record.status, Status::Copied | Status::AlreadyThere);
        if !is_there || self.now.contains(&key(&record.path)) {
            return;
        }
        if self.header.as_ref() != header {
            self.look();
            self.header = header.cloned();
        }
        if !is_doubtful {
            return self.hand_on(&record);
        }
        self.waiting.push(*record);
        if self.waiting.len() == LOOKED_FOR {
            self.look();
        }
    }

    /// Looks for what waits.
    pub fn look(&mut self) {
        let (waiting, there) = (std::mem::take(&mut self.waiting), &self.there);
        let held: Vec<bool> = self.pool.install(|| waiting.par_iter().map(|record| there.holds(record)).collect());
        for (record, is_held) in waiting.iter().zip(held) {
            match is_held {
                true => self.hand_on(record),
                false => self.absent += 1,
            }
        }
    }

    fn hand_on(&mut self, record: &Record) {
        if !self.now.insert(key(&record.path)) {
            return;
        }
        let mut done = Done::new(self.hashes);
        if self.header.is_some() && self.header != self.last {
            self.last = self.header.clone();
            self.last.iter().for_each(|header| header.write(&mut done.lines));
        }
        done.add(record);
        (self.pass)(&done);
    }
}

impl There<'_> {
    /// False if nothing stands at a record's path, or what can not be what was copied.
    fn holds(&self, record: &Record) -> bool {
        if record.is_in_manifest_alone() || self.is_gone.load(Ordering::Relaxed) {
            return true;
        }
        match packs::standing_of(record, |path| self.store.find(path)) {
            Ok(Some((there, _))) => {
                there.kind == record.kind && (there.kind != Kind::File || there.size == record.size)
            }
            Ok(None) | Err(Failure::Stands(_)) => false,
            Err(failure) => {
                let is_gone = failure.may_pass() || matches!(failure, Failure::Gone(_));
                self.is_gone.fetch_or(is_gone, Ordering::Relaxed);
                true
            }
        }
    }
}
