//! Older copies: the log is a ring, and long after a transaction was written in place its blocks still stand in it.

use std::sync::Arc;

use super::Journal;
use super::descriptor::Tag;
use super::replay::unescape;
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
    /// Where in the journal it stands.
    at: u32,
    tag: Tag,
}

impl Journal<'_> {
    /// Every data block of the log of which the descriptor is still there, in the order they stand. A descriptor
    /// whose blocks were overwritten since can not be told from one whose were not: the reader of a copy must judge
    /// its content. With checksums in the tags, only copies that match theirs are listed.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn copies(&self) -> Result<Vec<LoggedBlock>, SourceGone> {
        let mut copies = Vec::new();
        for nr in self.log.clone() {
            let Some(content) = self.blocks.read(nr)? else { continue };
            let Some(header) = Self::header(&content) else { continue };
            if header.h_blocktype.get() == blocktype::DESCRIPTOR && self.is_proved(&content) {
                self.list(nr, header.h_sequence.get(), &content, &mut copies)?;
            }
        }
        Ok(copies)
    }

    fn list(
        &self,
        descriptor: u32,
        sequence: u32,
        content: &[u8],
        copies: &mut Vec<LoggedBlock>,
    ) -> Result<(), SourceGone> {
        let tags = self.tags(content);
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
            copies.push(LoggedBlock { target, sequence, at, tag: *tag });
        }
        Ok(())
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
