//! How far `e2fsck -fn` comes: there is damage at which it gives up where a question is answered no.
//!
//! These checks go on. What they find behind such a place is marked as unreached ([`Finding::unreached`]), for e2fsck does
//! not report it. Source: what e2fsck 1.47 is observed to do.

use std::collections::HashMap;

use super::codes;
use super::directories::Entries;
use super::inodes::{Found, Gathered, Order};
use super::volume::Volume;
use crate::finding::{Code, Finding, Log};

/// Damage of the journal at which e2fsck does not begin.
pub const JOURNAL_LOST: [Code; 5] = [
    codes::JOURNAL_INODE,
    codes::JOURNAL_SUPERBLOCK,
    codes::JOURNAL_VERSION,
    codes::JOURNAL_INCOMPATIBLE,
    codes::JOURNAL_READ_ONLY,
];

/// True if one of the codes was found.
pub fn has_any(log: &Log, codes: &[Code]) -> bool {
    codes.iter().any(|code| log.count(*code) > 0)
}

/// Gathers findings in the order in which e2fsck looks for them.
pub struct Reach<'r> {
    log: &'r mut Log,
    ended: bool,
}

impl<'r> Reach<'r> {
    pub fn new(log: &'r mut Log) -> Self {
        Reach { log, ended: false }
    }

    /// What was gathered so far.
    pub fn log(&mut self) -> &mut Log {
        self.log
    }

    /// Adds what a step found.
    pub fn add(&mut self, mut log: Log) {
        if self.ended {
            log.mark_unreached(|_| true);
        }
        self.log.merge(log);
    }

    /// Where the condition holds, e2fsck reports nothing of what is added from now on.
    pub fn end_if(&mut self, gives_up: bool) {
        self.ended |= gives_up;
    }
}

/// Pass 1: a map of blocks that e2fsck can not go through ends it there, and a block of attributes that is
/// none, and whose count would have to be corrected, at the end.
pub fn of_inodes(gathered: &Gathered, log: &mut Log) -> bool {
    if let Some(last) = gathered.stops_at.map(u64::from) {
        let judged_after = |code: Code| {
            [codes::BLOCKS_COUNT, codes::SIZE, codes::INODE_CHECKSUM, codes::DIRECTORY_EMPTY].contains(&code)
                || code.id.starts_with("ext-hash-")
        };
        log.mark_unreached(|finding| {
            finding.place.inode.is_some_and(|inode| inode > last || inode == last && judged_after(finding.code))
        });
    }
    gathered.stops_at.is_some() || gathered.has_lost_count
}

/// Pass 1B reads all inodes again, and ends at the first of which the checksum is wrong.
pub fn of_shared_blocks(found: &Found, log: &mut Log) -> bool {
    let Some(last) = found.unproved.iter().next().filter(|_| !log.is_empty()) else { return false };
    log.mark_unreached(|finding| {
        finding.code != codes::SHARED_BLOCK || finding.place.inode.is_some_and(|inode| inode >= last)
    });
    true
}

/// Pass 2 ends at the first block of a directory that can not be followed.
pub fn of_directories(volume: &Volume, gathered: &Gathered, entries: &mut Entries) -> bool {
    if entries.log.count(codes::DIRECTORY_CORRUPTED) == 0 {
        return false;
    }
    let orders: HashMap<u64, Order> =
        gathered.dir_blocks.iter().map(|place| (place.block, place.order(volume))).collect();
    let order = |finding: &Finding| finding.place.block.and_then(|block| orders.get(&block)).copied();
    let corrupted = entries.log.findings().filter(|finding| finding.code == codes::DIRECTORY_CORRUPTED);
    let last = corrupted.map(|finding| order(finding).unwrap_or_default()).min().unwrap_or_default();
    let whole_tree = |code: Code| code.id.starts_with("ext-hash-");
    // A node of a hash tree is looked at once the entries of its block are.
    let of_node = |code: Code| whole_tree(code) && code != codes::HASH_ROOT_FIELDS;
    entries.log.mark_unreached(|finding| {
        order(finding).is_some_and(|order| order > last || order == last && of_node(finding.code))
            || finding.code == codes::DIRECTORY_LINKED_TWICE
            || finding.place.block.is_none() && whole_tree(finding.code)
    });
    true
}

/// Pass 2 also reads inodes with stray fields again, which it can not where their checksum is wrong.
pub fn of_bad_inodes(found: &Found, log: &mut Log) -> bool {
    log.mark_unreached(|finding| finding.place.inode.is_some_and(|inode| found.unproved.has(inode)));
    log.findings().any(|finding| finding.unreached)
}

/// Pass 4 ends at an inode whose links are wrong and whose checksum is.
pub fn of_links(found: &Found, log: &mut Log) -> bool {
    let wrong = log.findings().filter_map(|finding| finding.place.inode);
    let Some(last) = wrong.filter(|inode| found.unproved.has(*inode)).min() else { return false };
    log.mark_unreached(|finding| finding.place.inode.is_some_and(|inode| inode >= last));
    true
}
