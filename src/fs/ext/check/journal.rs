//! Pass 0, the journal.
//!
//! Tests: that the journal's inode and superblock can be used, and that they agree with the volume's superblock. What
//! is in the log is judged by those who replay it. Needs: the superblock. Leaves: findings, and whether a repair
//! program could go on.

use std::ops::Range;

use zerocopy::{FromBytes, IntoBytes};

use super::blocks;
use super::codes;
use super::extents::Visitor;
use super::inodes::checksum_agrees;
use super::volume::{Record, Volume};
use crate::finding::{Code, Finding, Log, Place};
use crate::node::Kind;
use crate::source::SourceGone;

use super::super::checksum::journal_superblock;
use super::super::disk::inode::{BASE_SIZE, Inode, flags};
use super::super::disk::journal::{JournalSuperblock, MAGIC, SUPERBLOCK_SIZE, blocktype, incompat};
use super::super::disk::padded;
use super::super::feature::{HAS_JOURNAL, METADATA_CSUM, NEEDS_RECOVERY};
use super::super::number::InodeNr;

/// `s_jnl_backup_type`: the superblock has a copy of the inode's map and size.
const BACKUP_OF_BLOCKS: u8 = 1;
/// Smallest journal, in blocks.
const MIN_BLOCKS: u64 = 1024;

/// Checks the journal, if the volume has one.
pub fn check(volume: &Volume) -> Result<Log, SourceGone> {
    let mut log = Log::new();
    let sb = &volume.sb;
    let (inode, device) = (sb.s_journal_inum.get(), sb.s_journal_dev.get());
    let feature = volume.has(HAS_JOURNAL);
    if inode == 0 && device == 0 && sb.s_journal_uuid == [0; 16] {
        if volume.has(NEEDS_RECOVERY) {
            log.add(Finding::new(codes::RECOVERY_WITHOUT_JOURNAL, Place::volume(), "needs_recovery", "a journal"));
        } else if feature {
            log.add(Finding::new(codes::JOURNAL_INODE, Place::volume(), "no inode is named", "the journal's inode"));
        }
        return Ok(log);
    }
    if inode == 0 {
        return Ok(log);
    }
    if sb.s_journal_uuid != [0; 16] {
        log.add(Finding::new(codes::JOURNAL_TWO, Place::volume(), format!("inode {inode}, and a UUID"), "one of them"));
    }
    let place = Place::inode(inode.into());
    let Some(first) = inode_is_journal(volume, inode, &place, &mut log)? else { return Ok(log) };
    let mut buf = vec![0; SUPERBLOCK_SIZE];
    volume.read(first.0 * volume.block_size, &mut buf)?;
    if let Ok(jsb) = JournalSuperblock::read_from_bytes(&buf) {
        superblock(volume, &jsb, first.1, place.at_block(first.0), &mut log);
    }
    Ok(log)
}

/// Walks the journal's blocks: where the first lies, how many there are in a row from the start.
struct Walk {
    first: Option<u64>,
    whole: u64,
    /// Blocks that there have to be; what lies behind them is no part of it.
    expected: u64,
    wrong: bool,
}

impl Visitor for Walk {
    fn map_block(&mut self, _: u64) {}

    fn data(&mut self, logical: u64, block: u64, len: u64, _: bool) -> bool {
        if logical == 0 {
            self.first = Some(block);
        }
        if logical == self.whole {
            self.whole += len;
        }
        true
    }

    fn problem(&mut self, _: Code, _: u64, part: Range<u64>, _: &dyn Fn() -> String) {
        self.wrong |= part.start < self.expected;
    }

    fn is_critical(&mut self, _: u64, _: Range<u64>) -> bool {
        false
    }
}

/// The journal's first block and its length, where its inode can be one, or the superblock's copy of it.
fn inode_is_journal(volume: &Volume, nr: u32, place: &Place, log: &mut Log) -> Result<Option<(u64, u64)>, SourceGone> {
    let judged = match volume.inode(InodeNr(nr))? {
        Some(record) if volume.has(METADATA_CSUM) && !checksum_agrees(volume, nr, &record.raw) => {
            // What the superblock copied of it is not asked for where the inode can not be believed.
            log.add(Finding::new(codes::JOURNAL_INODE, place.clone(), "its checksum is wrong", "a journal"));
            return Ok(None);
        }
        Some(record) => is_journal(volume, &record)?,
        None => Err(format!("inode {nr}")),
    };
    let why = match judged {
        Ok(place) => return Ok(Some(place)),
        Err(why) => why,
    };
    if let Some(copy) = copy_of_inode(volume, nr)
        && let Ok(place) = is_journal(volume, &copy)?
    {
        return Ok(Some(place));
    }
    log.add(Finding::new(codes::JOURNAL_INODE, place.clone(), why, "a journal"));
    Ok(None)
}

/// The journal's inode as the superblock keeps a copy of it: its map and size.
fn copy_of_inode(volume: &Volume, nr: u32) -> Option<Record> {
    let (sb, mut raw) = (&volume.sb, vec![0; volume.inode_size.max(BASE_SIZE)]);
    if sb.s_jnl_backup_type != BACKUP_OF_BLOCKS {
        return None;
    }
    let mut inode: Inode = padded(&raw);
    let words = sb.s_jnl_blocks.map(|word| word.get());
    inode.i_block.chunks_exact_mut(4).zip(words).for_each(|(place, word)| place.copy_from_slice(&word.to_le_bytes()));
    inode.i_size_high.set(words[15]);
    inode.i_size_lo.set(words[16]);
    inode.i_links_count.set(1);
    inode.i_mode.set(0o100_600);
    raw[..BASE_SIZE].copy_from_slice(&inode.as_bytes()[..BASE_SIZE]);
    Some(Record { nr: InodeNr(nr), inode, raw })
}

/// The first block and the length of a journal that an inode can hold, or why it can not.
fn is_journal(volume: &Volume, record: &Record) -> Result<Result<(u64, u64), String>, SourceGone> {
    let inode = &record.inode;
    if inode.i_links_count.get() == 0
        || Kind::from_mode(inode.i_mode.get().into()) != Kind::File
        || inode.has(flags::ENCRYPT)
    {
        let found = format!("mode {:06o}, {} links, flags {:#x}", inode.i_mode, inode.i_links_count, inode.i_flags);
        return Ok(Err(found));
    }
    let blocks = inode.size() / volume.block_size;
    if blocks < MIN_BLOCKS {
        return Ok(Err(format!("{blocks} blocks")));
    }
    let mut walk = Walk { first: None, whole: 0, expected: blocks, wrong: false };
    blocks::walk(volume, record, &mut walk)?;
    Ok(match walk.first {
        Some(first) if !walk.wrong && walk.whole >= blocks => Ok((first, blocks)),
        _ => Err(format!("{} of {blocks} blocks are mapped", walk.whole)),
    })
}

fn superblock(volume: &Volume, jsb: &JournalSuperblock, blocks: u64, place: Place, log: &mut Log) {
    let mut add = |code, found: String, expected: &str| log.add(Finding::new(code, place.clone(), found, expected));
    let header = jsb.s_header;
    if header.h_magic.get() != MAGIC {
        add(codes::JOURNAL_INODE, format!("magic number {:08x}", header.h_magic), "c03b3998");
        return add(codes::JOURNAL_SUPERBLOCK, format!("magic number {:08x}", header.h_magic), "c03b3998");
    }
    let features = [jsb.s_feature_compat.get(), jsb.s_feature_incompat.get(), jsb.s_feature_ro_compat.get()];
    let kind = header.h_blocktype.get();
    match kind {
        blocktype::SUPERBLOCK_V1 => {
            if features != [0; 3] || jsb.s_nr_users.get() != 0 {
                add(codes::JOURNAL_V2_FIELDS, format!("{} users", jsb.s_nr_users), "a version 1 superblock");
            }
        }
        blocktype::SUPERBLOCK_V2 => {
            if jsb.s_nr_users.get() > 1 {
                add(codes::JOURNAL_V2_FIELDS, format!("{} users", jsb.s_nr_users), "1");
            }
        }
        blocktype::DESCRIPTOR | blocktype::COMMIT | blocktype::REVOKE => {
            return add(codes::JOURNAL_SUPERBLOCK, format!("block type {kind}"), "3 or 4");
        }
        _ => return add(codes::JOURNAL_VERSION, format!("block type {kind}"), "3 or 4"),
    }
    if kind == blocktype::SUPERBLOCK_V2 {
        if features[1] & !incompat::KNOWN != 0 {
            return add(codes::JOURNAL_INCOMPATIBLE, format!("{:#x}", features[1] & !incompat::KNOWN), "");
        }
        if features[2] != 0 {
            return add(codes::JOURNAL_READ_ONLY, format!("{:#x}", features[2]), "");
        }
        let sums = journal_superblock(jsb);
        if features[1] & (incompat::CSUM_V2 | incompat::CSUM_V3) != 0 && !sums.agree() {
            return add(codes::JOURNAL_SUPERBLOCK, format!("checksum {:08x}", sums.found), "another");
        }
    }
    let (size, len) = (u64::from(jsb.s_blocksize.get()), u64::from(jsb.s_maxlen.get()));
    if size != volume.block_size || len > blocks {
        return add(codes::JOURNAL_SUPERBLOCK, format!("{len} blocks of {size} bytes"), "what its inode says");
    }
    if !volume.has(HAS_JOURNAL) {
        add(codes::JOURNAL_WITHOUT_FEATURE, "a journal".into(), "has_journal");
    }
    let waits = jsb.s_start.get() != 0;
    if waits && !volume.has(NEEDS_RECOVERY) {
        add(codes::RECOVERY_FLAG_CLEAR, format!("the log begins at block {}", jsb.s_start), "needs_recovery");
    }
}
