//! Directories: [`visit`] lists one, whether its entries lie in blocks, in a hash tree, or in the inode.
//!
//! A hash tree is read like any other directory: its nodes are written as blocks of one unused entry, and every name
//! is in a leaf. Source: the ext4 documentation, `directory.rst` and `inlinedata.rst`.

pub mod block;
pub mod name_hash;

use std::ops::ControlFlow;
use std::sync::Arc;

use block::{Format, Found};

use super::checksum::{Seed, Sums};
use super::codes;
use super::disk::at;
use super::disk::dirent::{DX_NODE_COUNT_AT, DX_ROOT_COUNT_AT, DirEntry, DxRoot, INLINE_DOTDOT_SIZE, rec_len};
use super::disk::inode::{I_BLOCK_SIZE, flags};
use super::feature;
use super::inode::{Inode, Layout};
use super::map;
use super::number::{BlockNr, InodeNr};
use super::volume::Volume;
use super::{unflipped, xattr};
use crate::bytes::{Buffer, Span, Spans, le32};
use crate::finding::{Code, Finding, Place};
use crate::node::{Backing, Entry, Judged, Kind, NodeId, Trust};
use crate::source::SourceGone;

/// Bytes of a directory read at once.
const CHUNK: usize = 256 << 10;
/// Findings kept of one directory.
const MAX_FINDINGS: usize = 64;

/// Visits the entries of a directory of `size` bytes, in the order they lie, without `.` and `..`.
pub fn visit(
    volume: &Volume,
    inode: &Inode<'_>,
    size: u64,
    visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<Judged<()>, SourceGone> {
    let mut dir = Listing::new(volume, inode);
    let changed = volume.changes.names(inode.nr);
    let is_changed = |entry: &Entry| changed.is_some_and(|names| names.contains_key(&entry.name));
    let mut flow = ControlFlow::Continue(());
    if volume.changes.made_in(inode.nr).is_none() {
        flow = dir.own(inode, size, &mut |found, trust| match entry(found, trust) {
            Some(entry) if !is_changed(&entry) => visit(entry),
            _ => ControlFlow::Continue(()),
        })?;
    }
    let more = volume.remains().and_then(|remains| remains.entries.get(&inode.nr));
    let linked = changed.into_iter().flatten().filter_map(|(name, nr)| Some((name, (*nr)?)));
    let linked: Vec<Entry> = linked.map(|(name, nr)| linked_entry(volume, name, nr)).collect::<Result<_, _>>()?;
    if flow.is_continue() {
        let _ = linked.into_iter().chain(more.into_iter().flatten().cloned()).try_for_each(visit);
    }
    Ok(dir.judged)
}

/// The entry that a name stands for: the very name, or in a casefolded directory one that differs in case alone.
///
/// Case is folded as Unicode's default folding does it for what has one; names are not normalised.
pub fn lookup(volume: &Volume, inode: &Inode<'_>, size: u64, name: &[u8]) -> Result<Option<Entry>, SourceGone> {
    let folds = inode.raw.has(flags::CASEFOLD) && volume.geometry.features.has(feature::CASEFOLD);
    let folded = folds.then(|| fold(name)).flatten();
    let (mut exact, mut similar) = (None, None);
    visit(volume, inode, size, &mut |entry| {
        if entry.name == name {
            exact = Some(entry);
            return ControlFlow::Break(());
        }
        if folded.is_some() && similar.is_none() && fold(&entry.name) == folded {
            similar = Some(entry);
        }
        ControlFlow::Continue(())
    })?;
    Ok(exact.or(similar))
}

/// A name without case, by way of upper case, which makes two letters of some; `None` where it is not UTF-8, which the kernel compares byte by byte.
fn fold(name: &[u8]) -> Option<String> {
    std::str::from_utf8(name).ok().map(|name| name.to_uppercase().to_lowercase())
}

/// The directory that a directory says it is in.
pub fn parent(volume: &Volume, inode: &Inode<'_>, size: u64) -> Result<Option<NodeId>, SourceGone> {
    if let Some(parent) = volume.remains().and_then(|remains| remains.parents.get(&inode.nr)) {
        return Ok(Some(*parent));
    }
    if let Some(parent) = volume.changes.made_in(inode.nr) {
        return Ok(Some(parent.node()));
    }
    if inode.layout(&volume.geometry) == Layout::Inline {
        let parent = le32(&inode.raw.i_block, 0).and_then(|nr| volume.geometry.inode(nr));
        return Ok(parent.map(InodeNr::node));
    }
    let mut parent = None;
    let first_block = size.min(volume.geometry.block_size.into());
    let _ = Listing::new(volume, inode).own(inode, first_block, &mut |found, _| {
        if found.name != b".." {
            return ControlFlow::Continue(());
        }
        parent = Some(InodeNr(found.inode).node());
        ControlFlow::Break(())
    })?;
    Ok(parent)
}

/// The entry of a found one; `None` for `.` and `..`. Bytes that no name has become dots, as e2fsck makes them.
pub fn entry(found: Found<'_>, trust: Trust) -> Option<Entry> {
    if matches!(found.name, b"." | b"..") {
        return None;
    }
    let is_bad = |byte: &u8| matches!(byte, 0 | b'/');
    let (mut name, mut trust) = (found.name.to_vec(), trust);
    if name.iter().any(is_bad) {
        name.iter_mut().filter(|byte| is_bad(byte)).for_each(|byte| *byte = b'.');
        trust = trust.max(Trust::Renamed);
    }
    Some(Entry { name, id: InodeNr(found.inode).node(), kind: found.kind, trust })
}

/// The entry that a fast commit made.
fn linked_entry(volume: &Volume, name: &[u8], nr: InodeNr) -> Result<Entry, SourceGone> {
    let kind = volume.inode(nr)?.map(|inode| inode.kind());
    Ok(Entry { name: name.to_vec(), id: nr.node(), kind, trust: Trust::Intact })
}

/// What an entry, and its trust, is given to.
type Take<'t> = &'t mut dyn FnMut(Found<'_>, Trust) -> ControlFlow<()>;

struct Listing<'v> {
    volume: &'v Volume,
    nr: InodeNr,
    format: Format,
    /// The directory has a hash tree, so that its first block holds the root of it.
    indexed: bool,
    /// What checksums begin with, where there are any.
    seed: Option<Seed>,
    place: Place,
    judged: Judged<()>,
}

impl<'v> Listing<'v> {
    fn new(volume: &'v Volume, inode: &Inode<'_>) -> Self {
        let geometry = &volume.geometry;
        let hashed = inode.raw.has(flags::ENCRYPT) && inode.raw.has(flags::CASEFOLD);
        Listing {
            volume,
            nr: inode.nr,
            format: Format::new(geometry, hashed),
            indexed: inode.raw.has(flags::INDEX),
            seed: geometry.has_checksums().then(|| inode.seed(geometry)),
            place: Place::inode(inode.nr.0.into()),
            judged: Judged::default(),
        }
    }

    /// Visits the entries that the directory's own blocks hold.
    fn own(&mut self, inode: &Inode<'_>, size: u64, take: Take<'_>) -> Result<ControlFlow<()>, SourceGone> {
        if inode.layout(&self.volume.geometry) == Layout::Inline {
            return Ok(self.inline(inode, take));
        }
        let mapping = map::map(self.volume, inode, size.next_multiple_of(self.format.block_size as u64))?;
        self.judged.trust = mapping.trust;
        self.judged.findings = mapping.findings;
        for extent in &mapping.extents {
            let Backing::Device { offset, .. } = extent.backing else {
                self.trust(Trust::Partial);
                continue;
            };
            if self.extent(offset, extent.logical, extent.len, take)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Entries in the inode: behind the parent's number, and in the attribute that goes on.
    fn inline(&mut self, inode: &Inode<'_>, take: Take<'_>) -> ControlFlow<()> {
        let trust = if inode.is_proved(&self.volume.geometry) { Trust::Intact } else { Trust::Unproven };
        let more = xattr::inline_data(inode, &self.volume.geometry).0;
        for part in [&inode.raw.i_block[INLINE_DOTDOT_SIZE..I_BLOCK_SIZE], more] {
            self.entries(part, None, trust, take)?;
        }
        ControlFlow::Continue(())
    }

    /// Blocks that follow each other on the volume from `offset` on, and in the directory from `logical` on.
    fn extent(&mut self, offset: u64, logical: u64, len: u64, take: Take<'_>) -> Result<ControlFlow<()>, SourceGone> {
        let block_size = self.format.block_size;
        let mut buf = Buffer::new((len.min(CHUNK as u64) as usize).next_multiple_of(block_size));
        let mut done = 0;
        while done < len {
            let chunk = (len - done).min(CHUNK as u64) as usize;
            let (at_byte, mut lost) = (offset + done, Spans::new());
            self.volume.source.read(at_byte, &mut buf[..chunk], &mut lost)?;
            for (i, bytes) in buf[..chunk].chunks_exact(block_size).enumerate() {
                let start = i * block_size;
                let nr = BlockNr((at_byte + start as u64) / block_size as u64);
                let first = logical + done + start as u64 == 0;
                let readable = !lost.touches(Span::new(at_byte + start as u64, block_size as u64));
                if first && self.seed.is_none() && self.is_another_s(bytes)? {
                    self.trust(Trust::Unproven);
                }
                if self.block(nr, bytes, readable, first, take).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            done += chunk as u64;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// True for the first block of another directory, which it names.
    fn is_another_s(&self, bytes: &[u8]) -> Result<bool, SourceGone> {
        let other = itself(bytes).and_then(|nr| self.volume.geometry.inode(nr)).filter(|nr| *nr != self.nr);
        let Some(other) = other.map(|nr| self.volume.inode(nr)).transpose()?.flatten() else { return Ok(false) };
        Ok(other.is_in_use() && other.kind() == Kind::Directory)
    }

    /// One block of the directory; `first` for its first one.
    fn block(&mut self, nr: BlockNr, bytes: &[u8], readable: bool, first: bool, take: Take<'_>) -> ControlFlow<()> {
        let better = self.better(nr, bytes, first, readable);
        let is_foreign = || self.volume.remains().is_some_and(|remains| remains.foreign.contains(&(self.nr, nr)));
        if better.is_none() && is_foreign() {
            self.trust(Trust::Partial);
            return ControlFlow::Continue(());
        }
        if let Some((_, trust)) = better {
            self.trust(trust);
        } else if !readable {
            self.trust(Trust::Partial);
            self.note(codes::DIR_UNREADABLE, nr, Default::default);
        }
        let bytes = better.as_ref().map_or(bytes, |(better, _)| &**better);
        let root = first && self.indexed && is_root(bytes);
        let trust = self.prove(nr, bytes, root);
        // The tree's root has nothing but `.` and `..` before the tree.
        let bytes = if root { &bytes[..DX_ROOT_COUNT_AT - 8] } else { bytes };
        if root { self.root(bytes, trust, take) } else { self.entries(bytes, Some(nr), trust, take) }
    }

    /// A better version of a block that is refuted or unreadable, and how far it can be trusted: an older one that a checksum
    /// proves, or what it was before one bit flipped. Without checksums there are only older versions of blocks that hold no
    /// entries any more.
    fn better(&self, nr: BlockNr, bytes: &[u8], first: bool, readable: bool) -> Option<(Arc<[u8]>, Trust)> {
        self.volume.remains()?;
        let Some(seed) = self.seed else {
            let older = self.volume.older_block(nr, |bytes| !first || itself(bytes) == Some(self.nr.0));
            return older.map(|older| (older, Trust::Journal));
        };
        let is_root = |bytes: &[u8]| first && self.indexed && is_root(bytes);
        let proves = |bytes: &[u8]| sums(seed, bytes, is_root(bytes)).is_some_and(Sums::agree);
        if readable && proves(bytes) {
            return None;
        }
        let older = self.volume.older_block(nr, proves);
        older.map(|older| (older, Trust::Journal)).or_else(|| {
            let before = unflipped::leaf_block(seed, bytes).filter(|before| readable && !is_root(before))?;
            let (verdict, _) = block::scan(&before, &self.format, &mut |_| ControlFlow::Continue(()));
            verdict.bad.is_empty().then(|| (before.into(), Trust::Unproven))
        })
    }

    /// `.` and `..` of a tree's root, whatever lengths they claim.
    fn root(&mut self, bytes: &[u8], trust: Trust, take: Take<'_>) -> ControlFlow<()> {
        let Some(root) = at::<DirEntry>(bytes, 12).filter(|dotdot| dotdot.inode.get() <= self.format.inodes) else {
            return ControlFlow::Continue(());
        };
        if root.inode.get() == 0 {
            return ControlFlow::Continue(());
        }
        take(Found { inode: root.inode.get(), name: b"..", kind: block::kind(root.file_type) }, trust)
    }

    fn entries(&mut self, bytes: &[u8], nr: Option<BlockNr>, trust: Trust, take: Take<'_>) -> ControlFlow<()> {
        let (verdict, flow) = block::scan(bytes, &self.format, &mut |found| take(found, trust));
        for (at_byte, fault) in verdict.bad {
            self.trust(Trust::Unproven);
            let place = Place { block: nr.map(|nr| nr.0), ..self.place.clone() };
            self.add(codes::DIR_ENTRY, place, || (format!("{fault} at byte {at_byte}"), String::new()));
        }
        flow
    }

    /// What the block's checksum makes of its entries.
    fn prove(&mut self, nr: BlockNr, bytes: &[u8], root: bool) -> Trust {
        let Some(seed) = self.seed else { return Trust::Intact };
        match sums(seed, bytes, root) {
            Some(sums) if sums.agree() => return Trust::Intact,
            Some(sums) => {
                self.note(codes::DIR_CHECKSUM, nr, || (format!("{:08x}", sums.found), format!("{:08x}", sums.computed)))
            }
            None => self.note(codes::DIR_NO_CHECKSUM, nr, Default::default),
        }
        self.trust(Trust::Unproven);
        Trust::Unproven
    }

    fn trust(&mut self, trust: Trust) {
        self.judged.trust = self.judged.trust.max(trust);
    }

    fn note(&mut self, code: Code, nr: BlockNr, facts: impl FnOnce() -> (String, String)) {
        self.add(code, self.place.clone().at_block(nr.0), facts);
    }

    fn add(&mut self, code: Code, place: Place, facts: impl FnOnce() -> (String, String)) {
        if self.judged.findings.len() < MAX_FINDINGS {
            let (found, expected) = facts();
            self.judged.findings.push(Finding::new(code, place, found, expected));
        }
    }
}

/// The checksum of a directory block, in whatever form it has one: a leaf's tail, or that of a tree's node.
pub fn sums(seed: Seed, bytes: &[u8], root: bool) -> Option<Sums> {
    if root {
        return seed.dx_block(bytes, DX_ROOT_COUNT_AT);
    }
    let is_node = at::<DirEntry>(bytes, 0)
        .is_some_and(|fake| fake.inode.get() == 0 && rec_len(fake.rec_len.get(), bytes.len()) == bytes.len());
    let node = || if is_node { seed.dx_block(bytes, DX_NODE_COUNT_AT) } else { None };
    seed.leaf_block(bytes).or_else(node)
}

/// The number of the directory whose first block this is, by its `.`.
fn itself(bytes: &[u8]) -> Option<u32> {
    let dot = at::<DirEntry>(bytes, 0).filter(|dot| dot.name_len == 1 && bytes.get(8) == Some(&b'.'));
    dot.map(|dot| dot.inode.get())
}

/// True if a directory's first block is the root of a tree: what stands behind `..` is a tree's information.
pub fn is_root(bytes: &[u8]) -> bool {
    at::<DxRoot>(bytes, 0).is_some_and(|root| {
        root.info.reserved_zero.get() == 0
            && root.info.info_length == 8
            && root.info.hash_version <= 6
            && root.info.indirect_levels <= 3
    })
}
