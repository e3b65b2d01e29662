//! Directories, names and clusters: whose cluster is whose, compared with the bitmap.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use crate::bytes::Span;
use crate::finding::{Code, Finding, Log, Place};
use crate::fs::cluster::{Cluster, ClusterSet, Flaw, Object, Runs, follow, is_dos_time};
use crate::fs::exfat::dir::{Item, Set};
use crate::fs::exfat::disk::{ENTRY, NO_FAT_CHAIN, stream_entry};
use crate::fs::exfat::map::{LARGEST_DIRECTORY, describe, is_contiguous};
use crate::fs::exfat::upcase::Upcase;
use crate::fs::exfat::{Exfat, codes};
use crate::node::NodeId;
use crate::progress::Progress;
use crate::source::SourceGone;

/// Characters that no name may have, beside control characters.
const NOT_IN_NAMES: &[u8] = b"\"*/:<>?\\|";

/// Checks all directories that can be reached, and the bitmap against what they hold.
pub fn check(exfat: &Exfat, upcase: Option<&Upcase>, progress: &dyn Progress) -> Result<Log, SourceGone> {
    let mut checker = Checker {
        exfat,
        upcase,
        log: Log::new(),
        owned: ClusterSet::new(exfat.layout()),
        queue: Vec::new(),
        visited: HashSet::new(),
    };
    checker.system_files()?;
    checker.root()?;
    while let Some((id, runs)) = checker.queue.pop() {
        if checker.visited.insert(id) {
            checker.directory(&runs)?;
        }
        progress.advance(1);
    }
    checker.unowned()?;
    Ok(checker.log)
}

struct Checker<'f> {
    exfat: &'f Exfat,
    upcase: Option<&'f Upcase>,
    log: Log,
    owned: ClusterSet,
    queue: Vec<(NodeId, Runs)>,
    visited: HashSet<NodeId>,
}

impl Checker<'_> {
    fn note(&mut self, code: Code, set: &Set, found: &str) {
        self.log.note(code, at(set), || (found.to_owned(), String::new()));
    }

    fn system_files(&mut self) -> Result<(), SourceGone> {
        let facts = self.exfat.root_facts()?;
        for entry in [facts.bitmap, facts.upcase.map(stream_entry)].into_iter().flatten() {
            if let Some(runs) = self.exfat.system_runs(&entry)? {
                self.own(&Place::volume(), &runs);
            }
        }
        Ok(())
    }

    fn root(&mut self) -> Result<(), SourceGone> {
        let id = Object::Root.id();
        let found = self.exfat.directory(id)?.map(|found| found.runs).unwrap_or_default();
        match self.exfat.layout().cluster(self.exfat.geometry.root) {
            None => {
                let number = format!("cluster {}", self.exfat.geometry.root);
                self.log.add(Finding::new(codes::ROOT_CLUSTER, Place::volume(), number, "a cluster of the volume"));
            }
            Some(start) => {
                let most = self.exfat.layout().clusters_for(LARGEST_DIRECTORY);
                let chain = follow(&self.exfat.table, start, most)?;
                if let Some(flaw) = chain.flaw.filter(|flaw| *flaw != Flaw::Short) {
                    self.log.add(describe(id, flaw, &chain.runs, most));
                }
            }
        }
        self.own(&Place::inode(0), &found);
        self.queue.push((id, found));
        Ok(())
    }

    /// Takes clusters; false where another had one of them.
    fn own(&mut self, place: &Place, runs: &Runs) -> bool {
        let mut free = None;
        for cluster in runs.clusters() {
            if !self.owned.insert(cluster) {
                let place = place.clone().at_block(cluster.number().into());
                self.log.note(codes::CROSS_LINK, place, || ("a cluster of another file too".into(), String::new()));
                return false;
            }
            let marked = self.exfat.bitmap.as_ref().is_none_or(|bitmap| bitmap.contains(cluster));
            if !marked && free.is_none() {
                free = Some(cluster);
            }
        }
        if let Some(cluster) = free {
            let place = place.clone().at_block(cluster.number().into());
            self.log.note(codes::BITMAP_FREE, place, || ("a cluster of a file, marked free".into(), String::new()));
        }
        true
    }

    fn directory(&mut self, runs: &Runs) -> Result<(), SourceGone> {
        let mut sets: Vec<Set> = Vec::new();
        let walked = self.exfat.walk(runs, &mut |item| {
            if let Item::Set(set) = item
                && set.in_use
            {
                sets.push(*set);
            }
            ControlFlow::Continue(())
        })?;
        self.log.extend(walked.findings);
        let mut names: HashMap<Vec<u16>, u64> = HashMap::new();
        for set in &sets {
            self.exfat.learn(set);
            self.names(set, &mut names);
            self.lengths(set);
            self.times(set);
            self.clusters(set)?;
        }
        Ok(())
    }

    fn names(&mut self, set: &Set, names: &mut HashMap<Vec<u16>, u64>) {
        let parts = usize::from(set.stream.NameLength).div_ceil(15);
        if !set.whole || set.entries != parts + 2 {
            let found = format!("{} entries, a name of {} characters", set.entries, set.stream.NameLength);
            self.note(codes::SET_BROKEN, set, &found);
        }
        let bad = |unit: &u16| *unit < 0x20 || u8::try_from(*unit).is_ok_and(|b| NOT_IN_NAMES.contains(&b));
        if set.units.is_empty() || set.units.iter().any(bad) || set.name == "." || set.name == ".." {
            self.note(codes::NAME_INVALID, set, &set.name.escape_debug().to_string());
        }
        let Some(upcase) = self.upcase else { return };
        let (hash, recorded) = (upcase.hash(&set.units), set.stream.NameHash.get());
        if hash != recorded {
            self.note(codes::NAME_HASH, set, &format!("{recorded:04x} in place of {hash:04x}"));
        }
        if let Some(first) = names.insert(upcase.fold(&set.units), set.offset) {
            self.note(codes::DUPLICATE_NAME, set, &format!("the name of {first}"));
        }
    }

    fn lengths(&mut self, set: &Set) {
        let (valid, size) = (set.stream.ValidDataLength.get(), set.stream.DataLength.get());
        if valid > size {
            self.note(codes::VALID_LENGTH, set, &format!("{valid} of {size} bytes"));
        }
        let whole = size.is_multiple_of(self.exfat.layout().cluster_size());
        if set.is_directory() && (!whole || size > LARGEST_DIRECTORY || size == 0) {
            self.note(codes::DIRECTORY_SIZE, set, &format!("{size} bytes"));
        }
    }

    fn times(&mut self, set: &Set) {
        let Some(file) = set.file else { return };
        let stamp = file.LastModifiedTimestamp.get();
        if !is_dos_time((stamp >> 16) as u16, stamp as u16) {
            self.note(codes::TIME_INVALID, set, &format!("{stamp:#010x}"));
        }
    }

    fn clusters(&mut self, set: &Set) -> Result<(), SourceGone> {
        let size = set.stream.DataLength.get();
        let number = set.stream.FirstCluster.get();
        let Some(start) = self.exfat.layout().cluster(number) else {
            if size > 0 || number != 0 {
                self.note(codes::FIRST_CLUSTER, set, &format!("first cluster {number}, {size} bytes"));
            } else if set.stream.GeneralSecondaryFlags & NO_FAT_CHAIN != 0 {
                self.note(codes::EMPTY_CONTIGUOUS, set, "no bytes, and no need of a chain");
            }
            return Ok(());
        };
        let need = self.exfat.layout().clusters_for(size);
        if size == 0 {
            self.note(codes::FIRST_CLUSTER, set, &format!("first cluster {number}, and no bytes"));
            return Ok(());
        }
        let id = self.exfat.object_of(set).id();
        let runs = if is_contiguous(&set.stream) {
            let runs = Runs::contiguous(self.exfat.layout(), start, need);
            if runs.count() < need {
                self.note(codes::CHAIN_SHORT, set, &format!("{} of {need} clusters", runs.count()));
            }
            runs
        } else {
            let chain = follow(&self.exfat.table, start, need)?;
            if let Some(flaw) = chain.flaw {
                self.log.add(describe(id, flaw, &chain.runs, need).costing(1, 0));
            }
            chain.runs
        };
        let apart = self.own(&at(set), &runs);
        if set.is_directory() && apart {
            self.queue.push((id, runs));
        }
        Ok(())
    }

    /// What the bitmap calls in use, and belongs to no file.
    fn unowned(&mut self) -> Result<(), SourceGone> {
        let Some(bitmap) = &self.exfat.bitmap else { return Ok(()) };
        let mut before = None::<Cluster>;
        for cluster in self.exfat.layout().clusters().filter(|&c| bitmap.contains(c) && !self.owned.contains(c)) {
            // One finding for each run: at its first cluster.
            let follows = before.is_some_and(|before| self.exfat.layout().after(before) == Some(cluster));
            before = Some(cluster);
            if !follows {
                let place = Place::volume().at_block(cluster.number().into());
                self.log.note(codes::BITMAP_USED, place, || ("clusters of no file".into(), String::new()));
            }
        }
        Ok(())
    }
}

fn at(set: &Set) -> Place {
    Place::inode(set.offset).at(Span::new(set.offset, (set.entries * ENTRY) as u64))
}
