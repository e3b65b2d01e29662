//! Directories and chains: names, `.` and `..`, sizes, and whose cluster is whose.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use crate::bytes::Span;
use crate::finding::{Code, Finding, Log, Place as Where};
use crate::fs::cluster::{Cluster, ClusterSet, Link, Object, is_dos_time};
use crate::fs::fat::dir::{Place, Slot, is_dot, is_dotdot};
use crate::fs::fat::disk::{ENTRY, KANJI_E5, ShortEntry};
use crate::fs::fat::geometry::Root;
use crate::fs::fat::name::{Assembled, short_name};
use crate::fs::fat::node::judge_long_name;
use crate::fs::fat::{Fat, codes};
use crate::node::NodeId;
use crate::progress::Progress;
use crate::source::SourceGone;

/// Characters that no short name may have; a dot stands only between name and extension, where it is not recorded.
const NOT_IN_NAMES: &[u8] = b"\"*./:<>?\\|";
/// `DIR_NTRes`: there is no short name, only a long one.
const NO_SHORT_NAME: u8 = 0x20;

/// Checks all directories that can be reached, and gives the clusters that belong to a file.
pub fn check(fat: &Fat, progress: &dyn Progress) -> Result<(Log, ClusterSet), SourceGone> {
    let mut checker = Checker {
        fat,
        log: Log::new(),
        owned: ClusterSet::new(fat.layout()),
        queue: Vec::new(),
        visited: HashSet::new(),
    };
    match fat.root_place() {
        Some(root) => {
            if let Place::Chain(start) = root {
                checker.root_chain(start)?;
            }
            checker.queue.push(Directory { id: Object::Root.id(), place: root, parent: 0 });
        }
        None => checker.note(codes::ROOT_CLUSTER, Where::volume(), "no such cluster"),
    }
    while let Some(directory) = checker.queue.pop() {
        checker.directory(&directory)?;
        progress.advance(1);
    }
    Ok((checker.log, checker.owned))
}

struct Directory {
    id: NodeId,
    place: Place,
    /// First cluster of the directory it is in; 0 for the root.
    parent: u32,
}

impl Directory {
    fn start(&self) -> u32 {
        match self.place {
            Place::Fixed(_) => 0,
            Place::Chain(start) => start.number(),
        }
    }
}

struct Checker<'f> {
    fat: &'f Fat,
    log: Log,
    owned: ClusterSet,
    queue: Vec<Directory>,
    visited: HashSet<Place>,
}

impl Checker<'_> {
    fn note(&mut self, code: Code, place: Where, found: &str) {
        self.log.note(code, place, || (found.to_owned(), String::new()));
    }

    fn directory(&mut self, directory: &Directory) -> Result<(), SourceGone> {
        if !self.visited.insert(directory.place) {
            return Ok(());
        }
        let mut slots = Vec::new();
        let walked = self.fat.walk(directory.place, &mut |slot: Slot| {
            if !slot.entry.is_deleted() {
                slots.push(slot);
            }
            ControlFlow::Continue(())
        })?;
        self.log.extend(walked.findings);
        if directory.id != Object::Root.id() {
            self.dots(directory, &slots);
        }
        let mut names: HashMap<[u8; 11], u64> = HashMap::new();
        for slot in &slots {
            self.slot(directory, slot)?;
            if !slot.entry.is_label()
                && let Some(first) = names.insert(slot.entry.DIR_Name, slot.offset)
            {
                self.note(codes::DUPLICATE_NAME, at(slot), &format!("the name of {first}"));
            }
        }
        Ok(())
    }

    /// The first two entries of a directory must be `.` and `..`.
    fn dots(&mut self, directory: &Directory, slots: &[Slot]) {
        let place = || Where::inode(directory.id.0);
        let parent = match self.fat.geometry.root {
            Root::Chain(root) if root == directory.parent => 0,
            _ => directory.parent,
        };
        let good = |slot: &&Slot, index: u64, test: fn(&ShortEntry) -> bool, start: u32| {
            let named = slot.entry.DIR_NTRes & NO_SHORT_NAME == 0;
            slot.index == index && test(&slot.entry) && named && self.fat.first_cluster(&slot.entry) == start
        };
        let (dot, dotdot) = (slots.first(), slots.get(1));
        let dot = dot.filter(|slot| good(slot, 0, is_dot, directory.start())).is_some();
        let dotdot = dotdot.filter(|slot| good(slot, 1, is_dotdot, parent)).is_some();
        if !dot {
            self.note(codes::DOT_ENTRY, place(), "no entry that leads to the directory itself");
        }
        if !dotdot {
            self.note(codes::DOTDOT_ENTRY, place(), "no entry that leads to the directory it is in");
        }
    }

    fn slot(&mut self, directory: &Directory, slot: &Slot) -> Result<(), SourceGone> {
        let entry = &slot.entry;
        if is_dot(entry) || is_dotdot(entry) {
            if slot.index > 1 || directory.id == Object::Root.id() {
                self.note(codes::DOT_STRAY, at(slot), "an entry that belongs elsewhere");
            }
            return Ok(());
        }
        if entry.is_label() {
            return Ok(());
        }
        self.log.extend(judge_long_name(slot));
        self.name(slot);
        self.times(slot);
        if entry.is_directory() { self.subdirectory(directory, slot) } else { self.file(slot) }
    }

    fn name(&mut self, slot: &Slot) {
        let name = &slot.entry.DIR_Name;
        let long = matches!(slot.long, Assembled::Whole(_));
        if slot.entry.DIR_NTRes & NO_SHORT_NAME != 0 && long {
            return;
        }
        let bad =
            |(i, &b): (usize, &u8)| (b < b' ' && !(i == 0 && b == KANJI_E5)) || b == 0x7f || NOT_IN_NAMES.contains(&b);
        let nameless = slot.entry.DIR_NTRes & NO_SHORT_NAME != 0;
        if nameless || name[0] == b' ' || name.iter().enumerate().any(bad) {
            let shown = short_name(&slot.entry, self.fat.page);
            self.note(codes::SHORT_NAME, at(slot), &shown.escape_debug().to_string());
        }
    }

    fn times(&mut self, slot: &Slot) {
        let entry = &slot.entry;
        let written = (entry.DIR_WrtDate.get(), entry.DIR_WrtTime.get());
        if written != (0, 0) && !is_dos_time(written.0, written.1) {
            self.note(codes::TIME_INVALID, at(slot), &format!("date {:#06x}, time {:#06x}", written.0, written.1));
        }
    }

    fn subdirectory(&mut self, directory: &Directory, slot: &Slot) -> Result<(), SourceGone> {
        if slot.entry.DIR_FileSize.get() != 0 {
            self.note(codes::DIRECTORY_SIZE, at(slot), &format!("{} bytes", slot.entry.DIR_FileSize.get()));
        }
        let number = self.fat.first_cluster(&slot.entry);
        if number == 0 {
            self.note(codes::DIRECTORY_EMPTY, at(slot), "no cluster");
            return Ok(());
        }
        let Some(start) = self.fat.layout().cluster(number) else {
            self.note(codes::CHAIN_START, at(slot), &format!("first cluster {number}"));
            return Ok(());
        };
        if number == directory.start() || number == directory.parent {
            self.note(codes::DIRECTORY_LOOP, at(slot), &format!("cluster {number}, of a directory it is in"));
            return Ok(());
        }
        let id = self.fat.directory_at(start).id();
        self.chain(id, slot.offset, start, None)?;
        self.fat.learn(slot.offset, &slot.entry);
        self.queue.push(Directory { id, place: Place::Chain(start), parent: directory.start() });
        Ok(())
    }

    fn file(&mut self, slot: &Slot) -> Result<(), SourceGone> {
        let size = u64::from(slot.entry.DIR_FileSize.get());
        let number = self.fat.first_cluster(&slot.entry);
        if number == 0 {
            if size > 0 {
                self.note(codes::CHAIN_SHORT, at(slot), &format!("{size} bytes and no cluster"));
            }
            return Ok(());
        }
        match self.fat.layout().cluster(number) {
            Some(start) => self.chain(NodeId(slot.offset), slot.offset, start, Some(size)),
            None => {
                let place = at(slot);
                let finding = Finding::new(codes::CHAIN_START, place, format!("first cluster {number}"), "");
                self.log.add(finding.costing(1, size));
                Ok(())
            }
        }
    }

    fn root_chain(&mut self, start: Cluster) -> Result<(), SourceGone> {
        if !self.fat.table.link(0, start)?.is_used() {
            self.note(codes::ROOT_CLUSTER, Where::inode(0).at_block(start.number().into()), "a cluster not in use");
        }
        self.chain(Object::Root.id(), 0, start, None)
    }

    /// Follows a chain as the first table has it, and takes its clusters; `size` is a file's.
    fn chain(&mut self, id: NodeId, entry: u64, start: Cluster, size: Option<u64>) -> Result<(), SourceGone> {
        let place = |cluster: Cluster| {
            let place = Where::inode(id.0).at_block(cluster.number().into());
            if entry == 0 { place } else { place.at(Span::new(entry, ENTRY as u64)) }
        };
        let (mut at, mut bytes) = (start, 0);
        loop {
            let link = self.fat.table.link(0, at)?;
            match link {
                Link::Free => self.note(codes::CHAIN_FREE, place(at), "a free cluster"),
                Link::Bad => self.note(codes::CHAIN_BAD, place(at), "a bad cluster"),
                _ => {}
            }
            if matches!(link, Link::Free | Link::Bad) {
                break;
            }
            if self.owned.contains(at) && self.comes_before(start, at, bytes)? {
                self.note(codes::CHAIN_LOOP, place(at), "a cluster that came before");
                break;
            }
            if size.is_some_and(|size| size <= bytes) {
                self.note(codes::CHAIN_LONG, place(at), &format!("clusters behind {bytes} bytes"));
                return Ok(());
            }
            if !self.owned.insert(at) {
                let cost = size.unwrap_or(0).saturating_sub(bytes);
                let finding = Finding::new(codes::CROSS_LINK, place(at), "a cluster of another file too", "");
                self.log.add(finding.costing(1, cost));
                return Ok(());
            }
            bytes += self.fat.layout().cluster_size();
            match link {
                Link::Next(next) => at = next,
                _ => break,
            }
        }
        if let Some(size) = size.filter(|&size| size > bytes) {
            let finding =
                Finding::new(codes::CHAIN_SHORT, place(start), format!("{bytes} bytes in clusters"), size.to_string());
            self.log.add(finding.costing(1, size - bytes));
        }
        Ok(())
    }
}

impl Checker<'_> {
    /// True if a cluster is one of the first `bytes` of the chain from `start`.
    fn comes_before(&self, start: Cluster, cluster: Cluster, bytes: u64) -> Result<bool, SourceGone> {
        let (mut at, mut left) = (start, bytes / self.fat.layout().cluster_size());
        while left > 0 {
            if at == cluster {
                return Ok(true);
            }
            match self.fat.table.link(0, at)? {
                Link::Next(next) => at = next,
                _ => return Ok(false),
            }
            left -= 1;
        }
        Ok(false)
    }
}

fn at(slot: &Slot) -> Where {
    Where::inode(slot.offset).at(Span { start: slot.first, end: slot.offset + ENTRY as u64 })
}
