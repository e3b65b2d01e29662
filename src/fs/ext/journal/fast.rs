//! Fast commits: small changes that ext4 writes behind the log.
//!
//! They change inodes and directories by description and not block by block: each is a [`Change`], and
//! [`super::super::changes`] lays them over what is read.

use std::collections::BTreeSet;

use super::Journal;
use crate::fs::ext::checksum::crc32c;
use crate::fs::ext::disk::at;
use crate::fs::ext::disk::extent::Extent;
use crate::fs::ext::disk::journal::{FcAddRange, FcDelRange, FcDentryInfo, FcHead, FcInode, FcTail, FcTl, fc_tag};
use crate::fs::ext::number::InodeNr;
use crate::source::SourceGone;

/// What the fast commit area holds beyond the last full commit.
#[derive(Clone, Default, Debug)]
pub struct FastCommits {
    /// How many are whole.
    pub count: u32,
    /// The inodes they change.
    pub inodes: BTreeSet<InodeNr>,
    /// What they change, in the order it happened.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// The fields of an inode, save its map.
    Inode(InodeNr, Vec<u8>),
    /// Blocks of an inode lie here now.
    AddRange(InodeNr, Extent),
    /// An inode has no such blocks any more: the first, and how many.
    DelRange(InodeNr, u32, u32),
    /// A directory has a name for an inode that is new.
    Create(InodeNr, Vec<u8>, InodeNr),
    /// A directory has a name for an inode.
    Link(InodeNr, Vec<u8>, InodeNr),
    /// A directory has a name for an inode no more.
    Unlink(InodeNr, Vec<u8>, InodeNr),
}

impl Journal<'_> {
    /// The fast commits that follow transaction `tid - 1`.
    pub(super) fn fast_commits(&self, tid: u32) -> Result<FastCommits, SourceGone> {
        let mut area =
            Area { tid, crc: 0, begun: false, pending: FastCommits::default(), whole: FastCommits::default() };
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
    /// What the commit that is being read changes.
    pending: FastCommits,
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
                let Some((nr, change)) = inode_change(tag, value) else { return false };
                self.pending.inodes.insert(nr);
                self.pending.changes.push(change);
            }
            fc_tag::CREAT | fc_tag::LINK | fc_tag::UNLINK => {
                let Some(entry) = at::<FcDentryInfo>(value, 0) else { return false };
                let (dir, nr) = (InodeNr(entry.fc_parent_ino.get()), InodeNr(entry.fc_ino.get()));
                let name = value[size_of::<FcDentryInfo>()..].to_vec();
                self.pending.inodes.extend([dir, nr]);
                let change = match tag {
                    fc_tag::CREAT => Change::Create,
                    fc_tag::LINK => Change::Link,
                    _ => Change::Unlink,
                };
                self.pending.changes.push(change(dir, name, nr));
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
        self.whole.inodes.append(&mut self.pending.inodes);
        self.whole.changes.append(&mut self.pending.changes);
        true
    }
}

/// The change that a tag makes to one inode.
fn inode_change(tag: u16, value: &[u8]) -> Option<(InodeNr, Change)> {
    let nr = InodeNr(at::<FcInode>(value, 0)?.fc_ino.get());
    let change = match tag {
        fc_tag::INODE => Change::Inode(nr, value[size_of::<FcInode>()..].to_vec()),
        fc_tag::ADD_RANGE => Change::AddRange(nr, at::<FcAddRange>(value, 0)?.fc_ex),
        _ => {
            let range: FcDelRange = at(value, 0)?;
            Change::DelRange(nr, range.fc_lblk.get(), range.fc_len.get())
        }
    };
    Some((nr, change))
}
