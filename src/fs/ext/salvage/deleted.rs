//! Files that were deleted, and what is left of them: [`find`].
//!
//! The kernel clears the map and the size of an inode that it deletes. Older copies of both stand in the journal until
//! it comes round: the newest copy of the inode that was in use, and the newest copy of a directory block that names
//! it, or that directory's own blocks ([`Buried`]). Other writers (debugfs, the kernel on ext2) leave the map where it is. What blocks hold now may be another
//! file's: where one in use claims them, what is read is doubtful.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::inode::Inode;
use super::super::journal::LoggedBlock;
use super::super::number::InodeNr;
use super::super::recover::{self, Located};
use super::super::volume::Volume;
use super::super::{Ext, census, map};
use super::buried::Buried;
use super::claims::Claims;
use super::copies;
use super::record::{self, Verdict};
use super::roll::{Roll, State};
use crate::finding::Log;
use crate::fs::Census;
use crate::node::{Backing, Kind, Trust};
use crate::progress::Progress;
use crate::source::SourceGone;
use crate::time::Time;

/// What is left of a deleted file.
#[derive(Clone)]
pub struct Deleted {
    /// The inode's record as it was while the file was there.
    pub record: Arc<[u8]>,
    /// How far it can be trusted.
    pub trust: Trust,
    /// When the file was deleted.
    pub when: Option<Time>,
    /// The directory it was in, and its name there.
    pub place: Option<(InodeNr, Vec<u8>)>,
}

/// All deleted files of which more is left than the number, by number.
///
/// # Errors
/// When the source is gone.
pub fn find(ext: &Ext, progress: &dyn Progress) -> Result<BTreeMap<InodeNr, Deleted>, SourceGone> {
    let volume = &ext.volume;
    let roll = Roll::take(volume, progress)?;
    let claims = Claims::take(volume, &roll, progress)?;
    let mut found = BTreeMap::new();
    if let Located::Found(journal) = recover::locate(volume, None, &mut Log::new())? {
        let mut copies = journal.copies()?;
        copies.sort_by_key(|copy| std::cmp::Reverse(copy.sequence));
        let tables = copies::tables(volume);
        let (in_tables, others): (Vec<LoggedBlock>, Vec<LoggedBlock>) =
            copies.into_iter().partition(|copy| copies::first_inode(volume, &tables, copy.target).is_some());
        for copy in in_tables {
            let first = copies::first_inode(volume, &tables, copy.target);
            let (Some(first), Some(content)) = (first, journal.read_copy(&copy)?) else { continue };
            take_records(volume, &roll, first, &content, &mut found);
        }
        let buried = Buried::new(volume, &roll, &claims, &found)?;
        for copy in others {
            let Some(content) = journal.read_copy(&copy)? else { continue };
            buried.take(copy.target, &content, &mut found);
        }
    }
    take_from_disk(ext, progress, &mut found)?;
    Buried::new(volume, &roll, &claims, &found)?.take_from_disk(&mut found)?;
    for (nr, deleted) in &mut found {
        let inode = Inode::decode(*nr, &deleted.record);
        if is_taken(volume, &claims, &inode)? {
            deleted.trust = Trust::Doubtful;
        }
        deleted.when = volume.inode(*nr)?.and_then(|now| now.times(&volume.geometry, false).deleted);
    }
    Ok(found)
}

/// Takes from an older copy of a table's block the inodes that were in use then and are not now.
fn take_records(volume: &Volume, roll: &Roll, first: InodeNr, content: &[u8], found: &mut BTreeMap<InodeNr, Deleted>) {
    let geometry = &volume.geometry;
    for (bytes, nr) in content.chunks_exact(geometry.inode_size as usize).zip(first.0..) {
        let nr = InodeNr(nr);
        let gone = matches!(roll.get(nr).state, State::Deleted | State::Blank);
        if nr.0 < geometry.first_inode || !gone || found.contains_key(&nr) {
            continue;
        }
        let inode = Inode::decode(nr, bytes);
        let verdict = record::judge(geometry, nr, bytes);
        let believed = verdict == Verdict::Proved || verdict == Verdict::Plausible && !geometry.has_checksums();
        if believed && inode.is_in_use() && inode.kind() != Kind::Unknown {
            let record: Arc<[u8]> = bytes.into();
            found.insert(nr, Deleted { record, trust: Trust::Journal, when: None, place: None });
        }
    }
}

/// Takes the deleted inodes on the disk that still have a map.
fn take_from_disk(
    ext: &Ext,
    progress: &dyn Progress,
    found: &mut BTreeMap<InodeNr, Deleted>,
) -> Result<(), SourceGone> {
    let mut others = Vec::new();
    census::census(ext, Census::Deleted, progress, &mut |node| {
        others.extend(InodeNr::of(node.id).filter(|nr| node.size > 0 && !found.contains_key(nr)));
        ControlFlow::Continue(())
    })?;
    for nr in others {
        if let Some(inode) = ext.volume.inode(nr)? {
            let record: Arc<[u8]> = inode.record.as_ref().into();
            found.insert(nr, Deleted { record, trust: Trust::Unproven, when: None, place: None });
        }
    }
    Ok(())
}

/// True where a file in use, or the filesystem itself, has a block that the deleted one had.
fn is_taken(volume: &Volume, claims: &Claims, inode: &Inode<'_>) -> Result<bool, SourceGone> {
    let block = u64::from(volume.geometry.block_size);
    let extents = map::map(volume, inode, inode.size(&volume.geometry))?.extents;
    Ok(extents.iter().any(|extent| match extent.backing {
        Backing::Device { offset, .. } => claims.touch(offset / block, (offset + extent.len).div_ceil(block)),
        _ => false,
    }))
}
