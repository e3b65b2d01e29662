//! Every inode of a volume, in ascending order, read in large sequential reads and judged in parallel.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::Ext;
use super::disk::superblock;
use super::feature;
use super::inode::Inode;
use super::map;
use super::number::{GroupNr, InodeNr};
use super::sharing::{self, Claimant, Claimed};
use super::tables::Window;
use crate::fs::Census;
use crate::node::{Kind, Node, Trust};
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;

/// Bytes of a table read at once.
const CHUNK: u32 = 256 << 10;
/// Files whose sizes other fields contradict, from which on no size is believed that only a hole bears out.
const FEWEST_LIES: usize = 2;
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
    let claimed = (which == Census::InUse && ext.minds_sharing()).then(|| Claimed::new(&ext.volume.geometry));
    let inodes: u64 = chunks.iter().map(|chunk| u64::from(chunk.count)).sum();
    progress.stage("reading inode tables", Some(inodes), Unit::Items);
    let mut lies = 0;
    for batch in chunks.chunks(BATCH) {
        let nodes: Vec<Vec<Node>> = batch
            .par_iter()
            .map(|chunk| read(ext, chunk, which, claimed.as_ref()))
            .collect::<Result<_, SourceGone>>()?;
        for (chunk, nodes) in batch.iter().zip(nodes) {
            progress.advance(chunk.count.into());
            for node in nodes {
                lies += usize::from(node.kind == Kind::File && node.trust == Trust::Doubtful);
                if visit(node).is_break() {
                    return Ok(());
                }
            }
        }
        if progress.interrupted() {
            return Ok(());
        }
    }
    if which == Census::InUse && ext.sizes_lie.get().is_none() {
        let _ = ext.sizes_lie.set(lies >= FEWEST_LIES);
    }
    if let Some(claimed) = claimed {
        let _ = ext.shared.set(shared(ext, claimed, &chunks)?);
    }
    Ok(())
}

/// The inodes of which another claims some blocks too.
fn shared(ext: &Ext, claimed: Claimed, chunks: &[Chunk]) -> Result<BTreeSet<InodeNr>, SourceGone> {
    let none = Claimed::new(&ext.volume.geometry);
    let twice = claimed.twice();
    if twice.is_empty() {
        return Ok(BTreeSet::new());
    }
    let of_chunk = |chunk: &Chunk| {
        let mut claimants = Vec::new();
        for_each(ext, chunk, |inode| {
            if ext.claims(&inode) {
                let runs = none.runs(&ext.volume, &inode, ext.has_errors())?;
                claimants.extend(Claimant::of(&twice, &inode, &ext.volume.geometry, &runs));
            }
            Ok(())
        })?;
        Ok(claimants)
    };
    let claimants: Vec<Vec<Claimant>> = chunks.par_iter().map(of_chunk).collect::<Result<_, SourceGone>>()?;
    let claimants: Vec<Claimant> = claimants.into_iter().flatten().collect();
    sharing::sharers(&ext.volume, &claimants)
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
    let used = geometry.groups.iter().map(|group| group.inodes_used);
    (0..).zip(used).filter(|(nr, _)| ext.volume.reaches_table(GroupNr(*nr))).flat_map(of_group).collect()
}

fn read(ext: &Ext, chunk: &Chunk, which: Census, claimed: Option<&Claimed>) -> Result<Vec<Node>, SourceGone> {
    let mut nodes = Vec::new();
    for_each(ext, chunk, |inode| {
        if let Some(claimed) = claimed.filter(|_| ext.claims(&inode)) {
            claimed.take(&claimed.runs(&ext.volume, &inode, ext.has_errors())?);
            if map::is_refuted(&ext.volume, &inode)? {
                ext.refuted.store(true, Ordering::Relaxed);
            }
        }
        if is_asked(&inode, which) && !ext.is_hidden(&inode) && !ext.is_garbage(&inode) {
            nodes.push(ext.node_of(&inode)?);
        }
        Ok(())
    })?;
    Ok(nodes)
}

/// Calls `visit` with every inode of a chunk that can be read.
fn for_each(
    ext: &Ext,
    chunk: &Chunk,
    mut visit: impl FnMut(Inode<'_>) -> Result<(), SourceGone>,
) -> Result<(), SourceGone> {
    let geometry = &ext.volume.geometry;
    let window = Window::read(&ext.volume.source, geometry, chunk.group, chunk.first, chunk.count)?;
    for index in chunk.first..chunk.first + chunk.count {
        let nr = geometry.inode_at(chunk.group, index);
        let record = ext.volume.better_record(nr).or_else(|| window.as_ref().and_then(|window| window.record(index)));
        if let Some(record) = record {
            visit(Inode::decode(nr, record))?;
        }
    }
    Ok(())
}

fn is_asked(inode: &Inode<'_>, which: Census) -> bool {
    match which {
        Census::InUse => inode.is_in_use(),
        Census::Deleted => inode.is_deleted() && inode.kind() != Kind::Unknown && inode.raw.i_dtime.get() != 0,
    }
}

impl Ext {
    /// True where it is not known yet which inodes share blocks, and none may.
    fn minds_sharing(&self) -> bool {
        let features = self.volume.geometry.features;
        self.shared.get().is_none() && !features.has(feature::SHARED_BLOCKS) && self.volume.changes.is_empty()
    }

    /// True where the volume says itself that something is wrong with it: then whole maps are compared.
    fn has_errors(&self) -> bool {
        let sb = &self.superblock_on_disk;
        sb.s_error_count.get() > 0 || sb.s_state.get() & superblock::state::ERROR != 0
    }

    /// True where an inode's blocks are its own.
    fn claims(&self, inode: &Inode<'_>) -> bool {
        inode.is_in_use() && !inode.nr.only_lists_blocks() && !self.is_garbage(inode)
    }

    /// True for inodes that hold the filesystem's own data, and no user's.
    pub(super) fn is_hidden(&self, inode: &Inode<'_>) -> bool {
        let sb = &self.volume.superblock;
        let nr = inode.nr;
        let named = [sb.s_journal_inum, sb.s_usr_quota_inum, sb.s_grp_quota_inum, sb.s_prj_quota_inum];
        let reserved = nr.0 < self.volume.geometry.first_inode && nr != InodeNr::ROOT;
        reserved
            || inode.raw.has(super::disk::inode::flags::EA_INODE)
            || named.iter().any(|own| own.get() == nr.0)
            || (self.volume.geometry.features.has(feature::ORPHAN_FILE) && sb.s_orphan_file_inum.get() == nr.0)
    }
}
