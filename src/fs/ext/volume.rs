//! Reads metadata: [`Volume`] gives inodes and blocks, what salvage found before what the disk says.

use std::sync::{Arc, OnceLock};

use super::changes::Changes;
use super::disk::superblock::Superblock;
use super::evidence::Evidence;
use super::geometry::Geometry;
use super::inode::Inode;
use super::number::{BlockNr, GroupNr, InodeNr};
use super::reserved::Reserved;
use super::salvage::Remains;
use super::tables::{Reader, Tables};
use crate::bytes::Spans;
use crate::source::{Source, SourceGone, read_whole};

/// A volume of which it is known where things lie.
pub struct Volume {
    /// The volume, the replayed journal over it.
    pub source: Source,
    /// Where things lie.
    pub geometry: Geometry,
    /// The superblock that was believed.
    pub superblock: Superblock,
    /// What fast commits change beyond that.
    pub changes: Arc<Changes>,
    tables: Tables,
    remains: OnceLock<Remains>,
    reserved: OnceLock<Arc<Reserved>>,
}

impl Volume {
    /// What `evidence` says lies on `source`.
    pub fn new(source: Source, evidence: &Evidence) -> Self {
        Volume {
            source,
            geometry: evidence.geometry.clone(),
            superblock: evidence.superblock,
            changes: Arc::default(),
            tables: Tables::default(),
            remains: OnceLock::new(),
            reserved: OnceLock::new(),
        }
    }

    /// What a search found; `None` before one was made.
    pub fn remains(&self) -> Option<&Remains> {
        self.remains.get()
    }

    /// The same volume, as it is read with what a search found so far.
    pub fn with(&self, remains: Remains) -> Volume {
        Volume {
            source: self.source.clone(),
            geometry: self.geometry.clone(),
            superblock: self.superblock,
            changes: self.changes.clone(),
            tables: Tables::default(),
            remains: OnceLock::from(remains),
            reserved: self.reserved.clone(),
        }
    }

    /// The blocks that no file can have.
    pub fn reserved(&self) -> &Reserved {
        self.reserved
            .get_or_init(|| Arc::new(Reserved::of(&self.geometry, self.superblock.s_reserved_gdt_blocks.get())))
    }

    /// Bytes that a newer filesystem on the same volume has written: what is read of them is its, not this one's.
    pub fn overwritten(&mut self, written: &Spans) {
        let own = Reserved::of(&self.geometry, self.superblock.s_reserved_gdt_blocks.get());
        self.reserved = OnceLock::from(Arc::new(own.and(written, &self.geometry)));
    }

    /// Takes what a search found; only the first time.
    pub fn set_remains(&self, remains: Remains) -> bool {
        self.remains.set(remains).is_ok()
    }

    /// True if a group's inode table, or some of it, can be there: it begins before the source ends.
    pub fn reaches_table(&self, group: GroupNr) -> bool {
        let offset = self.geometry.inode_offset(self.geometry.inode_at(group, 0));
        offset.is_some_and(|offset| offset < self.source.len())
    }

    /// The whole record of an inode that stands elsewhere than in its table: found by a search, or changed by a fast
    /// commit.
    pub fn better_record(&self, nr: InodeNr) -> Option<&[u8]> {
        let found = self.remains().and_then(|remains| remains.inodes.get(&nr)).map(|record| &**record);
        found.or_else(|| self.changes.inode(nr))
    }

    /// Reads inodes, fast where their numbers ascend.
    pub fn inodes(&self) -> Reader<'_> {
        Reader::new(self, &self.tables)
    }

    /// One inode's record, used or not; `None` where there is none or it can not be read.
    pub fn inode(&self, nr: InodeNr) -> Result<Option<Inode<'static>>, SourceGone> {
        Ok(self.inodes().read(nr)?.map(Inode::into_owned))
    }

    /// A block of metadata as it lies; `None` where it can not be read.
    pub fn block(&self, nr: BlockNr) -> Result<Option<Arc<[u8]>>, SourceGone> {
        let block = read_whole(&*self.source, self.geometry.offset(nr), self.geometry.block_size as usize)?;
        Ok(block.map(Arc::from))
    }

    /// An older version of a block, the newest that `proves` accepts.
    pub fn older_block(&self, nr: BlockNr, proves: impl Fn(&[u8]) -> bool) -> Option<Arc<[u8]>> {
        self.remains()?.blocks.get(&nr)?.iter().find(|block| proves(block)).cloned()
    }
}
