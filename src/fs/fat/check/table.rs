//! The tables alone: whether the copies agree, whether entries can be, and what belongs to no file.

use crate::bytes::Span;
use crate::finding::{Finding, Log, Place};
use crate::fs::cluster::{ClusterSet, Link};
use crate::fs::fat::{Fat, codes};
use crate::source::SourceGone;

/// Compares the copies and looks for entries that can not be.
pub fn check(fat: &Fat) -> Result<Log, SourceGone> {
    let mut log = Log::new();
    let mask = fat.table.width().mask();
    for number in 0..fat.layout().count().saturating_add(2) {
        let first = fat.table.raw(0, number)?;
        let place = |copy| {
            let span = Span::new(fat.table.offset(copy, number), 4);
            Place::volume().at_block(number.into()).at(span)
        };
        for copy in 1..fat.table.copies() {
            let other = fat.table.raw(copy, number)?;
            if first.map(|raw| raw & mask) != other.map(|raw| raw & mask) {
                log.note(codes::TABLES_DIFFER, place(copy), || {
                    (shown(other), format!("{}, as in the first", shown(first)))
                });
            }
        }
        match fat.layout().cluster(number).map(|cluster| fat.table.link(0, cluster)).transpose()? {
            Some(Link::Invalid(value)) => {
                let words = || (format!("{value:#x}"), "a cluster of the volume, or a mark".to_owned());
                log.note(codes::CHAIN_INVALID, place(0), words);
            }
            Some(Link::Unreadable) => {
                log.note(codes::TABLE_UNREADABLE, place(0), || (String::from("unreadable"), String::new()));
            }
            _ => {}
        }
    }
    Ok(log)
}

fn shown(raw: Option<u32>) -> String {
    raw.map_or("unreadable".to_owned(), |raw| format!("{raw:#x}"))
}

/// Looks for what is in use and belongs to no file, and compares the count of free clusters.
pub fn check_unowned(fat: &Fat, owned: &ClusterSet) -> Result<Log, SourceGone> {
    let (mut log, mut free, mut lost) = (Log::new(), 0u32, Vec::new());
    for cluster in fat.layout().clusters() {
        match fat.table.link(0, cluster)? {
            Link::Free => free += 1,
            link if link.is_used() && !owned.contains(cluster) => lost.push(cluster),
            _ => {}
        }
    }
    for cluster in lost {
        // One finding for each chain: at its first cluster.
        if !fat.table.pointed()?.contains(cluster) {
            let place = Place::volume().at_block(cluster.number().into()).at(fat.layout().span(cluster));
            log.note(codes::LOST_CHAIN, place, || ("a chain that no entry leads to".to_owned(), String::new()));
        }
    }
    if let (Some(info), Some(place)) = (fat.read_fs_info()?, fat.geometry.fs_info) {
        let place = Place::volume().at(Span::new(place, 512));
        match info.FSI_Free_Count.get() {
            u32::MAX => log.add(Finding::new(codes::FREE_COUNT_UNKNOWN, place, "unknown", free.to_string())),
            known if known != free => {
                log.add(Finding::new(codes::FREE_COUNT, place, known.to_string(), free.to_string()));
            }
            _ => {}
        }
    }
    Ok(log)
}
