//! Pass 2, names that a directory has twice. Only asked of directories where a block has one: names that are equal are
//! mostly in one block.

use super::codes;
use super::directories::Shared;
use super::entry::shown;
use crate::finding::{Log, Place};
use crate::source::SourceGone;

use super::super::disk::at;
use super::super::disk::dirent::{DirEntry, HEADER_SIZE, rec_len};

/// Reports every name of a directory after its first occurrence.
pub fn report(shared: &Shared<'_>, dir: u32, log: &mut Log) -> Result<(), SourceGone> {
    let mut names = Vec::new();
    let mut block = Vec::new();
    for place in shared.gathered.dir_blocks.iter().filter(|place| place.dir == dir && place.block != 0) {
        shared.volume.read_block(place.block, &mut block)?;
        gather(&block, &mut names);
    }
    names.sort();
    for pair in names.windows(2) {
        let ((name, inode), (again, other)) = (&pair[0], &pair[1]);
        if name != again || name == b"." || name == b".." {
            continue;
        }
        let facts = || (format!("'{}' for inodes {inode} and {other}", shown(name)), "once".to_owned());
        if inode == other {
            log.note(codes::ENTRY_TWICE, Place::inode(dir.into()), facts);
        }
        log.note(codes::NAME_TWICE, Place::inode(dir.into()), facts);
    }
    Ok(())
}

fn gather(block: &[u8], names: &mut Vec<(Vec<u8>, u32)>) {
    let mut offset = 0;
    while let Some(entry) = at::<DirEntry>(block, offset) {
        let len = rec_len(entry.rec_len.get(), block.len());
        let name = block.get(offset + HEADER_SIZE..offset + HEADER_SIZE + usize::from(entry.name_len));
        if len < HEADER_SIZE {
            return;
        }
        if let Some(name) = name.filter(|name| entry.inode.get() != 0 && !name.is_empty()) {
            names.push((name.to_vec(), entry.inode.get()));
        }
        offset += len;
    }
}
