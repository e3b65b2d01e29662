//! Fast commits: small changes that ext4 writes behind the log, recognised and counted.
//!
//! They change inodes and directories by description and not block by block. They are not replayed: what they change
//! is shown as the last full commit left it, and the inodes concerned are named.

use std::collections::BTreeSet;

use super::Journal;
use crate::fs::ext::checksum::crc32c;
use crate::fs::ext::disk::at;
use crate::fs::ext::disk::journal::{FcDentryInfo, FcHead, FcInode, FcTail, FcTl, fc_tag};
use crate::fs::ext::number::InodeNr;
use crate::source::SourceGone;

/// What the fast commit area holds beyond the last full commit.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct FastCommits {
    /// How many are whole.
    pub count: u32,
    /// The inodes they change.
    pub inodes: BTreeSet<InodeNr>,
}

impl Journal<'_> {
    /// The fast commits that follow transaction `tid - 1`.
    pub(super) fn fast_commits(&self, tid: u32) -> Result<FastCommits, SourceGone> {
        let mut area = Area { tid, crc: 0, begun: false, pending: BTreeSet::new(), whole: FastCommits::default() };
        for nr in self.fast.clone() {
            let Some(block) = self.blocks.read(nr)? else { break };
            if !area.block(&block) {
                break;
            }
        }
        Ok(area.whole)
    }
}

/// The state of a walk over the area.
struct Area {
    tid: u32,
    crc: u32,
    begun: bool,
    pending: BTreeSet<InodeNr>,
    whole: FastCommits,
}

impl Area {
    /// Walks one block's tags; false where the area ends.
    fn block(&mut self, block: &[u8]) -> bool {
        let mut offset = 0;
        while let Some(tl) = at::<FcTl>(block, offset) {
            let start = offset + size_of::<FcTl>();
            let end = start + usize::from(tl.fc_len.get());
            let Some(value) = block.get(start..end) else { return false };
            if !self.tag(tl.fc_tag.get(), value, &block[offset..end]) {
                return false;
            }
            offset = end;
        }
        true
    }

    fn tag(&mut self, tag: u16, value: &[u8], whole: &[u8]) -> bool {
        match tag {
            fc_tag::HEAD => {
                let is_next = at::<FcHead>(value, 0)
                    .is_some_and(|head| head.fc_features.get() == 0 && head.fc_tid.get() == self.tid);
                if !is_next {
                    return false;
                }
                self.begun = true;
            }
            _ if !self.begun => return false,
            fc_tag::ADD_RANGE | fc_tag::DEL_RANGE | fc_tag::INODE => {
                let Some(inode) = at::<FcInode>(value, 0) else { return false };
                self.pending.insert(InodeNr(inode.fc_ino.get()));
            }
            fc_tag::CREAT | fc_tag::LINK | fc_tag::UNLINK => {
                let Some(entry) = at::<FcDentryInfo>(value, 0) else { return false };
                self.pending.insert(InodeNr(entry.fc_ino.get()));
                self.pending.insert(InodeNr(entry.fc_parent_ino.get()));
            }
            fc_tag::PAD => {}
            fc_tag::TAIL => return self.tail(value, whole),
            _ => return false,
        }
        self.crc = crc32c(self.crc, whole);
        true
    }

    /// The end of one fast commit, which proves it.
    fn tail(&mut self, value: &[u8], whole: &[u8]) -> bool {
        let Some(tail) = at::<FcTail>(value, 0) else { return false };
        let proved = &whole[..size_of::<FcTl>() + 4];
        if tail.fc_tid.get() != self.tid || tail.fc_crc.get() != crc32c(self.crc, proved) {
            return false;
        }
        self.crc = 0;
        self.whole.count += 1;
        self.whole.inodes.append(&mut self.pending);
        true
    }
}
