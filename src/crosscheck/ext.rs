//! ext4-view reads ext2, ext3 and ext4 a second time.
//!
//! Version 1.0.0 refuses inline_data, meta_bg, mmp, ea_inode, large_dir, external journals, directory entries without
//! a file type, inodes of 128 bytes, and what it does not know; times whose low 32 bits are negative (1901 to 1970, 2038 to 2106); and it
//! gives what was on the disk before for extents that were allocated and never written. It replays the journal in its
//! own way, without fast commits.

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;

use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType};

use super::{Meter, Metered, Opened, Peer, Reader, Refusal, Seen, Visit};
use crate::bytes::{le16, le32};
use crate::node::{Backing, Kind, Mapping, Node};
use crate::source::Source;
use crate::time::Time;

/// ext4-view, for volumes of the `ext` driver.
pub const EXT4_VIEW: Peer = Peer { name: "ext4-view 1.0.0", driver: "ext", open, node_limit, content_limit };

/// What reading the superblock, all group descriptors and a journal may cost.
const OPEN_BUDGET: u64 = 4 << 30;

/// What following a path and listing a directory may cost, beside the contents: htree nodes, and read-ahead.
const CALL_BUDGET: u64 = 64 << 20;

/// Longest target that a link can have: a block of 64 KiB.
const LONGEST_LINK: u64 = 64 << 10;

struct Ext4View {
    fs: Ext4,
    meter: Arc<Meter>,
}

fn open(source: &Source, meter: Arc<Meter>) -> Opened {
    let metered = Metered::new(source.clone(), meter.clone());
    meter.allow(OPEN_BUDGET);
    judge_superblock(&metered, source.len())?;
    let fs = Ext4::load(Box::new(metered)).map_err(refusal)?;
    Ok(Box::new(Ext4View { fs, meter }))
}

/// ext4-view sets memory aside by what the superblock says before it reads it: a lie would end the whole program.
/// Offsets: Linux kernel documentation, ext4 "The Super Block".
fn judge_superblock(metered: &Metered, len: u64) -> Result<(), Refusal> {
    let mut superblock = [0; 1024];
    metered.read_exact_at(1024, &mut superblock).map_err(|e| Refusal::Fault(e.to_string()))?;
    let field = |at| le32(&superblock, at).map_or(0, u64::from);
    let is_64bit = field(0x60) & 0x80 != 0;
    let blocks = field(0x04) | if is_64bit { field(0x150) << 32 } else { 0 };
    let groups = blocks / field(0x20).max(1);
    let inode_size = le16(&superblock, 0x58).unwrap_or_default();
    if field(0x18) > 6 || groups.saturating_mul(32) > len {
        return Err(Refusal::Fault("the superblock claims more than the volume has room for".into()));
    }
    if inode_size == 128 {
        return Err(Refusal::Limit("it does not read inodes of 128 bytes".into()));
    }
    Ok(())
}

fn node_limit(node: &Node) -> Option<&'static str> {
    let refused = |time: &Time| time.secs & 0x8000_0000 != 0 || !time.is_valid();
    let times = [node.times.modified, node.times.accessed, node.times.changed, node.times.created];
    if times.iter().flatten().any(refused) {
        return Some("a time that it does not take (before 1970 or after 2038)");
    }
    node.encrypted.then_some("it does not read encrypted directories")
}

fn content_limit(mapping: &Mapping) -> Option<&'static str> {
    let unwritten = mapping.extents.iter().any(|extent| extent.backing == Backing::Zero);
    unwritten.then_some("blocks that are allocated and not written, of which it gives what was there before")
}

impl Reader for Ext4View {
    fn list(&mut self, dir: &[u8]) -> Result<Vec<Seen>, Refusal> {
        self.meter.allow(CALL_BUDGET);
        let mut seen = Vec::new();
        for entry in self.fs.read_dir(absolute(dir).as_slice()).map_err(refusal)? {
            let entry = entry.map_err(refusal)?;
            let name = entry.file_name();
            if name == b".".as_slice() || name == b"..".as_slice() {
                continue;
            }
            // Each entry is a small step forward: what one costs is bounded, their number by the directory.
            self.meter.allow(CALL_BUDGET);
            let metadata = entry.metadata().ok();
            let kind = metadata.as_ref().map_or_else(|| entry.file_type(), |m| Ok(m.file_type())).map_err(refusal)?;
            let size = metadata.filter(|m| m.file_type() == FileType::Regular).map(|m| m.len());
            seen.push(Seen { name: name.as_ref().to_vec(), kind: kind_of(kind), size });
        }
        Ok(seen)
    }

    fn read(&mut self, path: &[u8], kind: Kind, visit: &mut Visit<'_>) -> Result<(), Refusal> {
        self.meter.allow(CALL_BUDGET);
        let path = absolute(path);
        let metadata = self.fs.symlink_metadata(path.as_slice()).map_err(refusal)?;
        if kind == Kind::Symlink {
            if metadata.len() > LONGEST_LINK {
                return Err(Refusal::Fault(format!("a symbolic link of {} bytes", metadata.len())));
            }
            let target = self.fs.read_link(path.as_slice()).map_err(refusal)?;
            let _ = visit(target.as_ref());
            return Ok(());
        }
        self.meter.allow(CALL_BUDGET.saturating_add(metadata.len().saturating_mul(4)));
        let mut file = self.fs.open(path.as_slice()).map_err(refusal)?;
        let mut buf = vec![0; 256 << 10];
        loop {
            let filled = fill(&mut file, &mut buf)?;
            if filled == 0 || visit(&buf[..filled]) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
    }
}

/// Fills `buf` as far as the file goes: ext4-view reads a block at a time.
fn fill(file: &mut ext4_view::File, buf: &mut [u8]) -> Result<usize, Refusal> {
    let mut filled = 0;
    while filled < buf.len() {
        match file.read_bytes(&mut buf[filled..]).map_err(refusal)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

fn absolute(path: &[u8]) -> Vec<u8> {
    [b"/", path].concat()
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::Regular => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharDevice,
        FileType::BlockDevice => Kind::BlockDevice,
    }
}

fn refusal(error: Ext4Error) -> Refusal {
    let text = error.to_string();
    match error {
        Ext4Error::Incompatible(_)
        | Ext4Error::Encrypted
        | Ext4Error::FileTooLarge
        | Ext4Error::PathTooLong
        | Ext4Error::MalformedPath => Refusal::Limit(text),
        _ => Refusal::Fault(text),
    }
}

impl Ext4Read for Metered {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.read_exact_at(offset, buf)?)
    }
}
