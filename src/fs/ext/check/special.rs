//! Pass 1, the inodes with a role of their own.

use super::codes;
use super::volume::{Record, Volume};
use crate::bytes::le32;
use crate::finding::Code;
use crate::node::Kind;

use super::super::disk::at;
use super::super::disk::dirent::DirEntry;
use super::super::feature::{HAS_JOURNAL, ORPHAN_FILE, PROJECT, QUOTA};
use super::super::number::InodeNr;

/// The inode of the boot loader.
const BOOT_LOADER: InodeNr = InodeNr(5);
const USER_QUOTA: InodeNr = InodeNr(3);
const GROUP_QUOTA: InodeNr = InodeNr(4);

/// What an inode is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Lists bad blocks.
    BadBlocks,
    /// Holds the blocks kept for growing.
    Resize,
    Journal,
    Quota,
    OrphanFile,
    BootLoader,
    /// Reserved, and of no use on this volume; it should hold nothing.
    Unused,
    /// Reserved, and no program uses it.
    Reserved,
}

/// The role of an inode; `None` for ordinary ones and the root.
pub fn role(volume: &Volume, nr: InodeNr) -> Option<Role> {
    let sb = &volume.sb;
    let quota = [sb.s_usr_quota_inum.get(), sb.s_grp_quota_inum.get(), sb.s_prj_quota_inum.get()];
    if nr == InodeNr::BAD_BLOCKS {
        return Some(Role::BadBlocks);
    }
    if nr == InodeNr::JOURNAL {
        let journal = volume.has(HAS_JOURNAL) && sb.s_journal_inum.get() == nr.0;
        return Some(if journal { Role::Journal } else { Role::Unused });
    }
    if volume.has(QUOTA) && quota.contains(&nr.0) && (nr.0 != quota[2] || volume.has(PROJECT)) {
        return Some(Role::Quota);
    }
    if !volume.has(QUOTA) && (nr == USER_QUOTA || nr == GROUP_QUOTA || nr.0 != 0 && quota.contains(&nr.0)) {
        return Some(Role::Unused);
    }
    if nr.0 != 0 && nr.0 == sb.s_orphan_file_inum.get() {
        return Some(if volume.has(ORPHAN_FILE) { Role::OrphanFile } else { Role::Unused });
    }
    if nr == InodeNr::RESIZE {
        return Some(Role::Resize);
    }
    if nr.0 < volume.first_inode && nr != InodeNr::ROOT {
        return Some(if nr == BOOT_LOADER { Role::BootLoader } else { Role::Reserved });
    }
    None
}

/// True for the inodes of quota and orphan files, which no directory names.
pub fn is_hidden(volume: &Volume, inode: u32) -> bool {
    let sb = &volume.sb;
    [sb.s_usr_quota_inum, sb.s_grp_quota_inum, sb.s_prj_quota_inum, sb.s_orphan_file_inum]
        .iter()
        .any(|hidden| hidden.get() == inode)
}

/// What is wrong with an inode in its role.
pub fn judge(volume: &Volume, record: &Record, role: Role) -> Option<(Code, String)> {
    let inode = &record.inode;
    let mode = inode.i_mode.get();
    let kind = Kind::from_mode(mode.into());
    let bad_mode = |code| Some((code, format!("mode {mode:06o}")));
    let holds = inode.i_links_count.get() != 0 || inode.i_blocks_lo.get() != 0 || le32(&inode.i_block, 0) != Some(0);
    match role {
        Role::Journal if kind != Kind::File => bad_mode(codes::JOURNAL_MODE),
        Role::Quota if kind != Kind::File => bad_mode(codes::QUOTA_MODE),
        Role::OrphanFile if kind != Kind::File => bad_mode(codes::ORPHAN_FILE_MODE),
        Role::Unused if holds => {
            let code = match record.nr {
                InodeNr::JOURNAL => codes::JOURNAL_NOT_CLEAR,
                nr if nr.0 == volume.sb.s_orphan_file_inum.get() => codes::ORPHAN_FILE_NOT_CLEAR,
                _ => codes::QUOTA_NOT_CLEAR,
            };
            Some((code, format!("{} links, {} blocks", inode.i_links_count, inode.blocks())))
        }
        Role::BootLoader if kind == Kind::Directory => bad_mode(codes::RESERVED_MODE),
        Role::Resize if mode != 0 && kind != Kind::File => bad_mode(codes::RESERVED_MODE),
        Role::Reserved if mode != 0 && volume.first_inode > record.nr.0 => bad_mode(codes::RESERVED_MODE),
        _ => None,
    }
}

/// True if a block begins with the entries `.` and `..` of a directory.
pub fn begins_as_directory(block: &[u8], nr: u32, inodes: u32) -> bool {
    let Some(dot) = at::<DirEntry>(block, 0) else { return false };
    let len = usize::from(dot.rec_len.get());
    if dot.inode.get() != nr || dot.name_len != 1 || block.get(8) != Some(&b'.') || !(12..block.len()).contains(&len) {
        return false;
    }
    let Some(dotdot) = at::<DirEntry>(block, len) else { return false };
    let parent = dotdot.inode.get();
    dotdot.name_len == 2 && block.get(len + 8..len + 10) == Some(b"..") && (1..=inodes).contains(&parent)
}
