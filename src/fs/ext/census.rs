//! Every inode of a volume, in ascending order, read in large sequential reads and judged in parallel.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::Ext;
use super::inode::Inode;
use super::number::{GroupNr, InodeNr};
use super::tables::Window;
use crate::fs::Census;
use crate::node::{Kind, Node};
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

/// Bytes of a table read at once.
const CHUNK: u32 = 256 << 10;
/// Chunks read and judged before they are visited: what bounds memory.
const BATCH: usize = 32;

/// Visits the inodes that `which` asks for. Reserved inodes and those that hold no user's data are left out.
pub fn census(
    ext: &Ext,
    which: Census,
    progress: &dyn Progress,
    visit: &mut dyn FnMut(Node) -> ControlFlow<()>,
) -> Result<(), SourceGone> {
    let chunks = chunks(ext);
    let inodes: u64 = chunks.iter().map(|chunk| u64::from(chunk.count)).sum();
    progress.stage("reading inode tables", Some(inodes), Unit::Items);
    for batch in chunks.chunks(BATCH) {
        let nodes: Vec<Vec<Node>> =
            batch.par_iter().map(|chunk| read(ext, chunk, which)).collect::<Result<_, SourceGone>>()?;
        for (chunk, nodes) in batch.iter().zip(nodes) {
            progress.advance(chunk.count.into());
            for node in nodes {
                if visit(node).is_break() {
                    return Ok(());
                }
            }
        }
        if progress.interrupted() {
            return Ok(());
        }
    }
    Ok(())
}

/// A run of a group's inodes.
struct Chunk {
    group: GroupNr,
    first: u32,
    count: u32,
}

/// The parts of all tables that may have been used.
fn chunks(ext: &Ext) -> Vec<Chunk> {
    let geometry = &ext.volume.geometry;
    let per_chunk = (CHUNK / geometry.inode_size).max(1);
    let of_group = |(nr, used): (u32, u32)| {
        (0..used).step_by(per_chunk as usize).map(move |first| Chunk {
            group: GroupNr(nr),
            first,
            count: per_chunk.min(used - first),
        })
    };
    (0..).zip(geometry.groups.iter().map(|group| group.inodes_used)).flat_map(of_group).collect()
}

fn read(ext: &Ext, chunk: &Chunk, which: Census) -> Result<Vec<Node>, SourceGone> {
    let geometry = &ext.volume.geometry;
    let window = Window::read(&ext.volume.source, geometry, chunk.group, chunk.first, chunk.count)?;
    let mut nodes = Vec::new();
    for index in chunk.first..chunk.first + chunk.count {
        let nr = geometry.inode_at(chunk.group, index);
        let record = ext.volume.better_record(nr).or_else(|| window.as_ref().and_then(|window| window.record(index)));
        let Some(inode) = record.map(|record| Inode::decode(nr, record)) else { continue };
        if is_asked(&inode, which) && !ext.is_hidden(&inode) && !ext.is_garbage(&inode) {
            nodes.push(ext.node_of(&inode)?);
        }
    }
    Ok(nodes)
}

fn is_asked(inode: &Inode<'_>, which: Census) -> bool {
    match which {
        Census::InUse => inode.is_in_use(),
        Census::Deleted => inode.is_deleted() && inode.kind() != Kind::Unknown && inode.raw.i_dtime.get() != 0,
    }
}

impl Ext {
    /// True for inodes that hold the filesystem's own data, and no user's.
    pub(super) fn is_hidden(&self, inode: &Inode<'_>) -> bool {
        let sb = &self.volume.superblock;
        let nr = inode.nr;
        let named = [sb.s_journal_inum, sb.s_usr_quota_inum, sb.s_grp_quota_inum, sb.s_prj_quota_inum];
        let reserved = nr.0 < self.volume.geometry.first_inode && nr != InodeNr::ROOT;
        reserved
            || inode.raw.has(super::disk::inode::flags::EA_INODE)
            || named.iter().any(|own| own.get() == nr.0)
            || (self.volume.geometry.features.has(super::feature::ORPHAN_FILE) && sb.s_orphan_file_inum.get() == nr.0)
    }
}
