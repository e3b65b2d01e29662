//! Pass 2, inodes that pass 1 marked as bad: fields that must be zero, modes that do not exist.
//!
//! Tests: those fields one by one. Needs: the inodes marked. Leaves: findings alone.

use super::codes;
use super::inode::{device_is_valid, file_acl, symlink_is_valid};
use super::inodes::Found;
use super::volume::{Record, Volume};
use super::xattrs;
use crate::finding::{Code, Cost, Log, Place};
use crate::node::Kind;
use crate::source::SourceGone;

use super::super::feature::{BIT64, EXT_ATTR, HUGE_FILE, LARGE_DIR};
use super::super::number::InodeNr;

/// Judges every inode that was marked.
pub fn check(volume: &Volume, found: &Found) -> Result<Log, SourceGone> {
    let mut log = Log::new();
    for nr in found.bad.iter() {
        let Some(record) = volume.inode(InodeNr(nr as u32))? else { continue };
        for (code, what, expected) in judge(volume, &record)? {
            // Fields that must be zero are cleared; of another kind an inode is thrown away.
            let bytes = record.inode.size().min(volume.blocks * volume.block_size);
            let cost = if expected.is_empty() { Cost { files: 1, bytes } } else { Cost::default() };
            log.note_costing(code, Place::inode(nr), cost, || (what, expected.to_owned()));
        }
    }
    Ok(log)
}

fn judge(volume: &Volume, record: &Record) -> Result<Vec<(Code, String, &'static str)>, SourceGone> {
    let inode = &record.inode;
    let mut problems = Vec::new();
    let mut zero = |code, value: u64| {
        if value != 0 {
            problems.push((code, value.to_string(), "0"));
        }
    };
    let acl = file_acl(volume, record);
    if !volume.has(EXT_ATTR) {
        zero(codes::ATTRIBUTES_WITHOUT_FEATURE, acl);
    }
    zero(codes::FRAGMENT_ADDRESS, inode.i_obso_faddr.get().into());
    if volume.sb.s_creator_os.get() == 0 && !volume.has(HUGE_FILE) {
        zero(codes::BLOCKS_HIGH, inode.l_i_blocks_high.get().into());
    }
    if !volume.has(BIT64) {
        zero(codes::ATTRIBUTES_HIGH, inode.l_i_file_acl_high.get().into());
    }
    let kind = Kind::from_mode(inode.i_mode.get().into());
    if kind == Kind::Directory && !volume.has(LARGE_DIR) {
        zero(codes::DIRECTORY_SIZE_HIGH, inode.i_size_high.get().into());
    }
    if acl != 0 && !volume.is_block(acl) {
        problems.push((codes::ATTRIBUTES_BLOCK, acl.to_string(), "a block of the volume"));
    }
    let wrong = match kind {
        Kind::Unknown => Some(codes::MODE),
        Kind::CharDevice if !device_is_valid(record) => Some(codes::CHAR_DEVICE),
        Kind::BlockDevice if !device_is_valid(record) => Some(codes::BLOCK_DEVICE),
        Kind::Fifo if !device_is_valid(record) => Some(codes::FIFO),
        Kind::Socket if !device_is_valid(record) => Some(codes::SOCKET),
        Kind::Symlink => {
            let inline = xattrs::in_inode(volume, record, &mut Vec::new())?.inline;
            (!symlink_is_valid(volume, record, inline.as_deref())?).then_some(codes::SYMLINK)
        }
        _ => None,
    };
    problems.extend(wrong.map(|code| (code, format!("mode {:06o}, size {}", inode.i_mode, inode.size()), "")));
    Ok(problems)
}
