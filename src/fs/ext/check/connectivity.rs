//! Pass 3: that every directory is reached from the root, and that `..` says so.
//!
//! Tests: parents. Needs: [`Entries`]. Leaves: findings alone.

use std::collections::BTreeSet;

use super::codes;
use super::directories::Entries;
use super::inodes::Found;
use crate::finding::{Cost, Finding, Log, Place};

use super::super::number::InodeNr;

/// Checks all directories.
pub fn check(found: &Found, entries: &Entries) -> Log {
    let mut log = Log::new();
    let root = InodeNr::ROOT.0;
    if !found.used.has(root.into()) {
        log.add(Finding::new(codes::ROOT_MISSING, Place::inode(root.into()), "not in use", "a directory"));
    }
    let mut reached = BTreeSet::from([root]);
    for dir in found.directories.iter().map(|dir| dir as u32) {
        let parent = if dir == root { Some(root) } else { entries.parents.get(&dir).copied() };
        climb(entries, dir, &mut reached, &mut log);
        if entries.unread.contains(&dir) {
            continue;
        }
        // A directory without a first block names no parent.
        let dotdot = entries.dotdots.get(&dir).copied().unwrap_or_default();
        if dotdot != parent.unwrap_or_default() {
            let expected =
                parent.map_or_else(|| "no directory, as none names it".to_owned(), |parent| parent.to_string());
            log.note(codes::DOTDOT_WRONG, Place::inode(dir.into()), || (dotdot.to_string(), expected));
        }
    }
    log
}

/// Goes up from a directory to one that is known to be reached.
fn climb(entries: &Entries, dir: u32, reached: &mut BTreeSet<u32>, log: &mut Log) {
    let (mut path, mut at) = (vec![], dir);
    while reached.insert(at) {
        path.push(at);
        match entries.parents.get(&at) {
            Some(&parent) if path.contains(&parent) && path.len() < 4096 => {
                let place = Place::inode(parent.into());
                log.note(codes::DIRECTORY_LOOP, place, || (format!("{} directories", path.len()), String::new()));
                return;
            }
            Some(&parent) => at = parent,
            None => {
                let was = entries.dotdots.get(&at).copied().unwrap_or_default();
                let (place, cost) = (Place::inode(at.into()), Cost { files: 1, bytes: 0 });
                let facts = || (format!("was in {was}"), String::new());
                log.note_costing(codes::DIRECTORY_UNCONNECTED, place, cost, facts);
                return;
            }
        }
    }
}
