//! Older copies: the log is a ring, and long after a transaction was written in place its blocks still stand in it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Journal;
use super::descriptor::Tag;
use super::replay::{not_later, unescape};
use crate::fs::ext::disk::journal::blocktype;
use crate::fs::ext::number::BlockNr;
use crate::source::SourceGone;

/// A block of the volume that the log holds in some version.
#[derive(Clone, Copy, Debug)]
pub struct LoggedBlock {
    /// Where it belongs.
    pub target: BlockNr,
    /// The transaction that wrote it: of two copies, the one with the later number is newer.
    pub sequence: u32,
    /// Its own checksum, or the commit at the end of its transaction, shows that nothing newer stands in its place.
    pub is_whole: bool,
    /// Where in the journal its descriptor stands.
    descriptor: u32,
    /// Where it stands itself.
    at: u32,
    tag: Tag,
}

/// A block of the journal's own, and the one that follows what belongs to it.
struct Head {
    sequence: u32,
    kind: u32,
    next: u32,
}

impl Journal<'_> {
    /// Every data block of the log of which the descriptor is still there, in the order they stand. The reader of a copy
    /// that is not whole must judge its content. With checksums in the tags, only copies that match theirs are listed.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn copies(&self) -> Result<Vec<LoggedBlock>, SourceGone> {
        let (mut heads, mut copies) = (BTreeMap::new(), Vec::new());
        for nr in self.log.clone() {
            let Some(content) = self.blocks.read(nr)? else { continue };
            let Some(header) = Self::header(&content) else { continue };
            let (sequence, kind) = (header.h_sequence.get(), header.h_blocktype.get());
            let mut count = 0;
            if kind == blocktype::DESCRIPTOR && self.is_proved(&content) {
                let tags = self.tags(&content);
                count = tags.len().min(self.log.len()) as u32;
                self.list(nr, sequence, &tags, &mut copies)?;
            }
            heads.insert(nr, Head { sequence, kind, next: self.after(nr, count + 1) });
        }
        if !self.has_block_checksums() {
            let committed = committed(&heads);
            for copy in &mut copies {
                copy.is_whole = committed.get(&copy.descriptor).copied().unwrap_or(false);
            }
        }
        Ok(copies)
    }

    fn list(
        &self,
        descriptor: u32,
        sequence: u32,
        tags: &[Tag],
        copies: &mut Vec<LoggedBlock>,
    ) -> Result<(), SourceGone> {
        for (i, tag) in tags.iter().enumerate().take(self.log.len()) {
            let Some(target) = self.geometry.block(tag.target) else { continue };
            let at = self.after(descriptor, i as u32 + 1);
            // Not proved by a checksum, a copy is read only when it is wanted.
            if self.has_block_checksums() {
                let Some(block) = self.blocks.read(at)? else { continue };
                if !self.is_data_proved(tag, sequence, &block) {
                    continue;
                }
            }
            copies.push(LoggedBlock {
                target,
                sequence,
                is_whole: self.has_block_checksums(),
                descriptor,
                at,
                tag: *tag,
            });
        }
        Ok(())
    }

    /// True where a copy was written in place before the log began as it does now, by a mount of the same filesystem.
    pub fn is_written(&self, copy: &LoggedBlock) -> bool {
        let next = self.superblock.s_sequence.get();
        copy.sequence != next && not_later(copy.sequence, next)
    }

    /// The content of a copy, as it belongs on the volume; `None` where it can not be read, or where another block
    /// of the journal's own stands there now.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn read_copy(&self, copy: &LoggedBlock) -> Result<Option<Arc<[u8]>>, SourceGone> {
        let block = self.blocks.read(copy.at)?.filter(|block| Self::header(block).is_none());
        Ok(block.map(|block| unescape(block, &copy.tag)))
    }
}

/// Which blocks of the journal's own are followed, over others of their transaction, by its commit. The log is written from
/// one end to the other: where the commit still stands, so does all before it.
fn committed(heads: &BTreeMap<u32, Head>) -> HashMap<u32, bool> {
    let mut known: HashMap<u32, bool> = HashMap::new();
    for (first, head) in heads {
        let (mut nr, mut way) = (*first, Vec::new());
        let ends = loop {
            let Some(here) = heads.get(&nr).filter(|here| here.sequence == head.sequence) else { break false };
            if let Some(known) = known.get(&nr) {
                break *known;
            }
            // What comes back to itself never ends.
            known.insert(nr, here.kind == blocktype::COMMIT);
            if !matches!(here.kind, blocktype::DESCRIPTOR | blocktype::REVOKE) {
                break here.kind == blocktype::COMMIT;
            }
            way.push(nr);
            nr = here.next;
        };
        known.extend(way.into_iter().map(|nr| (nr, ends)));
    }
    known
}
