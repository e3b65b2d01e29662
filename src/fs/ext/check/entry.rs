//! Pass 2, one block of a directory and its entries.

use super::codes;
use super::directories::{Partial, Shared, is_inner};
use super::hash_tree::{self, Part};
use super::inodes::DirBlock;
use super::special;
use super::volume::Volume;
use super::xattrs::Encryption;
use crate::finding::{Code, Cost, Finding, Place};
use crate::node::Kind;
use crate::source::SourceGone;

use super::super::checksum::Sums;
use super::super::disk::at;
use super::super::disk::dirent::{DX_NODE_COUNT_AT, DX_ROOT_COUNT_AT, DirEntry, DirEntryTail, HEADER_SIZE, rec_len};
use super::super::disk::group::flags as group_flags;
use super::super::feature::{CASEFOLD, FILETYPE, METADATA_CSUM};
use super::super::number::InodeNr;

/// Smallest entry.
const MIN_LEN: usize = 12;
/// Shortest name in an encrypted directory: one block of the cipher.
const MIN_ENCRYPTED: usize = 16;

/// What leaves a name without its file, or a file without its name.
const NAMELESS: [Code; 4] = [codes::ENTRY_INODE, codes::ENTRY_UNUSED, codes::ENTRY_IN_BAD_BLOCK, codes::NAME_EMPTY];

/// Which entry comes next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    Dot,
    DotDot,
    Ordinary,
}

/// One entry, decoded.
struct Entry<'b> {
    offset: usize,
    len: usize,
    inode: u32,
    name: &'b [u8],
    /// The byte that records the kind, where the feature says it does.
    kind: u8,
}

/// The block that is checked, and where its findings go.
pub struct Context<'a, 'p> {
    shared: &'a Shared<'a>,
    place: &'a DirBlock,
    partial: &'p mut Partial,
    policy: Option<&'a Encryption>,
    casefolded: bool,
    /// Smallest and largest hash so far.
    hashes: (u32, u32),
}

impl<'a, 'p> Context<'a, 'p> {
    pub fn new(shared: &'a Shared<'a>, place: &'a DirBlock, partial: &'p mut Partial) -> Self {
        let policy = shared.gathered.encrypted.get(&place.dir);
        let casefolded = shared.found.casefolded.has(place.dir.into());
        Context { shared, place, partial, policy, casefolded, hashes: (u32::MAX, 0) }
    }

    fn at(&self) -> Place {
        let place = Place::inode(self.place.dir.into());
        if self.place.block == 0 {
            place
        } else {
            place.at_block(self.place.block).at(self.shared.volume.span(self.place.block))
        }
    }

    fn note(&mut self, code: Code, facts: impl FnOnce() -> (String, String)) {
        let place = self.at();
        self.partial.log.note(code, place, facts);
    }

    /// Notes a finding about an entry.
    fn about(&mut self, code: Code, entry: &Entry<'_>, expected: &str) {
        let (name, inode, offset) = (shown(entry.name), entry.inode, entry.offset);
        let (place, cost) = (self.at(), Cost { files: NAMELESS.contains(&code).into(), bytes: 0 });
        let facts = || (format!("'{name}' for inode {inode} at byte {offset}"), expected.to_owned());
        self.partial.log.note_costing(code, place, cost, facts);
    }

    /// Checks a block on the volume.
    pub fn block(&mut self, block: &[u8]) -> Result<(), SourceGone> {
        let volume = self.shared.volume;
        let hashed = self.shared.gathered.hashed.get(&self.place.dir).copied();
        let mut end = block.len();
        if let Some(blocks) = hashed
            && let Some(part) = self.node(block, blocks)
        {
            let root = matches!(part, Part::Root { .. });
            self.node_checksum(block, root);
            self.partial.parts.push((self.place.dir, self.place.logical, part));
            if !root {
                return Ok(());
            }
        }
        let is_root = hashed.is_some() && self.place.logical == 0;
        let mut checksum = None;
        if volume.has(METADATA_CSUM) && !is_root {
            checksum = self.leaf_sums(block)?;
            match checksum {
                Some(_) => end -= size_of::<DirEntryTail>(),
                None if has_room_for_tail(block) => self.note(codes::LEAF_WITHOUT_CHECKSUM, Default::default),
                None => {}
            }
        }
        let before = self.partial.corrupted;
        self.partial.corrupted = false;
        let state = if self.place.logical == 0 { State::Dot } else { State::Ordinary };
        self.entries(block, 0, end, state)?;
        let corrupted = self.partial.corrupted;
        self.partial.corrupted |= before;
        if volume.has(METADATA_CSUM) && !is_root && !corrupted && checksum.is_none_or(|sums| !sums.agree()) {
            let words = |sums: Sums| (format!("{:08x}", sums.found), format!("{:08x}", sums.computed));
            self.note(codes::LEAF_CHECKSUM, || checksum.map(words).unwrap_or_default());
        } else if volume.has(METADATA_CSUM)
            && !is_root
            && !corrupted
            && self.shared.found.unproved.has(self.place.dir.into())
        {
            self.note(codes::LEAF_UNPROVED, Default::default);
        }
        if hashed.is_some() && !is_root {
            let (min, max) = self.hashes;
            self.partial.parts.push((self.place.dir, self.place.logical, Part::Leaf { min, max }));
        }
        Ok(())
    }

    /// The block as a node of the directory's hash tree, if it is one.
    fn node(&mut self, block: &[u8], blocks: u64) -> Option<Part> {
        let (volume, place) = (self.shared.volume, self.at());
        let tail = if volume.has(METADATA_CSUM) { 8 } else { 0 };
        let limit = (block.len() - DX_NODE_COUNT_AT - tail) / 8;
        if self.place.logical == 0 {
            Some(hash_tree::root(volume, block, blocks, &place, &mut self.partial.log))
        } else if is_inner(block, limit) {
            Some(hash_tree::inner(volume, block, blocks, &place, &mut self.partial.log))
        } else {
            None
        }
    }

    fn seed(&self) -> Result<super::super::checksum::Seed, SourceGone> {
        let volume = self.shared.volume;
        let generation = volume.inode(InodeNr(self.place.dir))?.map_or(0, |record| record.inode.i_generation.get());
        Ok(volume.seed.inode(InodeNr(self.place.dir), generation))
    }

    fn leaf_sums(&self, block: &[u8]) -> Result<Option<Sums>, SourceGone> {
        Ok(self.seed()?.leaf_block(block))
    }

    fn node_checksum(&mut self, block: &[u8], root: bool) {
        if !self.shared.volume.has(METADATA_CSUM) {
            return;
        }
        let count_at = if root { DX_ROOT_COUNT_AT } else { DX_NODE_COUNT_AT };
        let Ok(seed) = self.seed() else { return };
        if seed.dx_block(block, count_at).is_none_or(|sums| !sums.agree()) {
            self.note(if root { codes::HASH_ROOT_CHECKSUM } else { codes::HASH_NODE_CHECKSUM }, Default::default);
        }
    }

    /// The parent's number, with which an inline directory begins; `.` is implied.
    pub fn inline_parent(&mut self, parent: u32) {
        self.shared.counts.add(self.place.dir);
        if parent == 0 {
            return;
        }
        self.partial.dotdots.push((self.place.dir, parent));
        if parent <= self.shared.volume.inodes {
            self.shared.counts.add(parent);
        } else {
            let entry = Entry { offset: 0, len: 4, inode: parent, name: b"..", kind: 2 };
            self.about(codes::ENTRY_INODE, &entry, "");
        }
    }

    /// Checks the entries in `block[start..end]`.
    pub fn entries(&mut self, block: &[u8], start: usize, end: usize, mut state: State) -> Result<(), SourceGone> {
        let mut names: Vec<&[u8]> = Vec::new();
        let mut offset = start;
        while offset < end {
            let Some(entry) = self.decode(block, offset, end) else {
                self.partial.corrupted = true;
                if self.place.inline || state != State::Ordinary && self.place.logical == 0 {
                    self.partial.unread.push(self.place.dir);
                }
                self.note(codes::DIRECTORY_CORRUPTED, || (format!("entry at byte {offset}"), String::new()));
                return Ok(());
            };
            self.entry(block, &entry, state)?;
            if entry.inode != 0 && !entry.name.is_empty() {
                names.push(entry.name);
            }
            state = match state {
                State::Dot => State::DotDot,
                _ => State::Ordinary,
            };
            offset += entry.len;
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            self.partial.duplicates.insert(self.place.dir);
        }
        Ok(())
    }

    /// Decodes the entry at `offset`; `None` if its lengths do not fit.
    fn decode<'b>(&self, block: &'b [u8], offset: usize, end: usize) -> Option<Entry<'b>> {
        let raw: DirEntry = at(block, offset)?;
        let volume = self.shared.volume;
        let len = rec_len(raw.rec_len.get(), volume.block_size as usize);
        let mut name_len = usize::from(raw.name_len);
        if !volume.has(FILETYPE) && !volume.has(super::super::feature::DIRDATA) {
            // Without the feature the upper half of the length is mostly a kind that old programs wrote.
            name_len = usize::from(raw.name_len);
        }
        let extra = if self.has_hashes() && raw.inode.get() != 0 && name_len > 2 { 8 } else { 0 };
        let fits =
            len >= MIN_LEN && len.is_multiple_of(4) && offset + len <= end && HEADER_SIZE + name_len + extra <= len;
        let name = block.get(offset + HEADER_SIZE..offset + HEADER_SIZE + name_len)?;
        fits.then_some(Entry { offset, len, inode: raw.inode.get(), name, kind: raw.file_type })
    }

    /// True for directories whose entries carry the hash behind the name.
    fn has_hashes(&self) -> bool {
        self.casefolded && self.policy.is_some() && self.shared.volume.has(CASEFOLD)
    }

    fn entry(&mut self, block: &[u8], entry: &Entry<'_>, state: State) -> Result<(), SourceGone> {
        match state {
            State::Dot => self.dot(block, entry),
            State::DotDot => self.dotdot(block, entry),
            State::Ordinary => {}
        }
        if entry.inode == 0 {
            return Ok(());
        }
        if !self.target(entry, state) {
            return Ok(());
        }
        if state == State::Ordinary {
            self.encrypted(entry);
        }
        self.name(entry, state);
        self.kind(entry)?;
        self.hash(block, entry, state);
        let found = self.shared.found;
        if state == State::Ordinary && found.directories.has(entry.inode.into()) {
            let order = (self.place.order(self.shared.volume), self.place.dir, self.place.logical, entry.offset as u32);
            self.partial.children.push((entry.inode, order, self.place.dir));
        }
        self.shared.counts.add(entry.inode);
        Ok(())
    }

    fn dot(&mut self, block: &[u8], entry: &Entry<'_>) {
        let dir = self.place.dir;
        let terminated = block.get(entry.offset + HEADER_SIZE + 1) == Some(&0);
        if entry.inode == 0 {
            self.about(codes::DOT_MISSING, entry, "");
        } else if entry.name != b"." {
            self.about(codes::DOT_NOT_FIRST, entry, "'.'");
        } else if !terminated {
            self.about(codes::DOT_NOT_TERMINATED, entry, "");
        }
        if entry.inode != dir {
            self.about(codes::DOT_INODE, entry, &dir.to_string());
        }
        if entry.len > 2 * MIN_LEN {
            self.about(codes::DOT_BIG, entry, "12 bytes");
        }
    }

    fn dotdot(&mut self, block: &[u8], entry: &Entry<'_>) {
        let terminated = block.get(entry.offset + HEADER_SIZE + 2) == Some(&0);
        if entry.inode == 0 {
            self.about(codes::DOTDOT_MISSING, entry, "");
        } else if entry.name != b".." {
            self.about(codes::DOTDOT_NOT_SECOND, entry, "'..'");
        } else if !terminated {
            self.about(codes::DOTDOT_NOT_TERMINATED, entry, "");
        } else {
            self.partial.dotdots.push((self.place.dir, entry.inode));
            return;
        }
        // What is no `..` names no parent.
        self.partial.dotdots.push((self.place.dir, 0));
    }

    /// Judges the inode that an entry names; false if the entry is not to be followed.
    fn target(&mut self, entry: &Entry<'_>, state: State) -> bool {
        let (volume, found, inode) = (self.shared.volume, self.shared.found, entry.inode);
        let ordinary = state == State::Ordinary;
        let reserved = inode != InodeNr::ROOT.0 && inode < volume.first_inode;
        if reserved || inode > volume.inodes || special::is_hidden(volume, inode) {
            self.about(codes::ENTRY_INODE, entry, &format!("at most {}", volume.inodes));
            return false;
        }
        if ordinary && entry.name == b"." && inode == self.place.dir {
            self.about(codes::ENTRY_SELF, entry, "");
        }
        if found.in_bad_block.has(inode.into()) {
            self.about(codes::ENTRY_IN_BAD_BLOCK, entry, "");
        } else if ordinary && entry.name == b"." {
            self.about(codes::DOT_TWICE, entry, "");
        } else if ordinary && entry.name == b".." {
            self.about(codes::DOTDOT_TWICE, entry, "");
        } else if ordinary && inode == InodeNr::ROOT.0 {
            self.about(codes::ENTRY_ROOT, entry, "");
        } else if ordinary && inode == self.place.dir {
            self.about(codes::ENTRY_SELF, entry, "");
            if entry.name.is_empty() {
                self.about(codes::NAME_EMPTY, entry, "");
            }
        } else if ordinary && entry.name.is_empty() {
            self.about(codes::NAME_EMPTY, entry, "");
        }
        self.against_group(entry);
        if !found.used.has(inode.into()) {
            self.about(codes::ENTRY_UNUSED, entry, "");
        }
        true
    }

    /// What the group says of its inodes, also where no feature says that it means it.
    fn against_group(&mut self, entry: &Entry<'_>) {
        let volume = self.shared.volume;
        let group = volume.group_of_inode(entry.inode);
        let within = (entry.inode - 1) % volume.inodes_per_group;
        let marks = volume.descriptors[group as usize].bg_flags.get();
        if marks & group_flags::INODE_UNINIT != 0 {
            self.about(codes::ENTRY_GROUP_UNINITIALISED, entry, "");
        } else if volume.inodes_per_group.checked_sub(volume.itable_unused(group)).is_some_and(|used| within >= used) {
            self.about(codes::ENTRY_IN_UNUSED, entry, "");
        }
    }

    fn encrypted(&mut self, entry: &Entry<'_>) {
        let Some(policy) = self.policy else { return };
        if entry.name.len() < MIN_ENCRYPTED {
            self.about(codes::ENCRYPTED_NAME, entry, &format!("at least {MIN_ENCRYPTED} bytes"));
        }
        let found = self.shared.found;
        let inode = u64::from(entry.inode);
        if !found.used.has(inode)
            || !(found.directories.has(inode) || found.regular.has(inode) || found.symlinks.has(inode))
        {
            return;
        }
        let can_be_compared = |it: &Encryption| matches!(it, Encryption::Policy(_) | Encryption::Unknown);
        match self.shared.gathered.encrypted.get(&entry.inode).filter(|theirs| can_be_compared(theirs)) {
            Some(theirs) if can_be_compared(policy) && theirs != policy => {
                self.about(codes::ENCRYPTION_POLICY, entry, "");
            }
            Some(_) => {}
            None => self.about(codes::ENTRY_UNENCRYPTED, entry, ""),
        }
    }

    fn name(&mut self, entry: &Entry<'_>, state: State) {
        if self.policy.is_none() && entry.name.iter().any(|&byte| byte == b'/' || byte == 0) {
            self.about(codes::NAME_CHARACTERS, entry, "");
        }
        let strict = self.shared.volume.sb.s_encoding_flags.get() & 1 != 0;
        if state == State::Ordinary
            && self.casefolded
            && strict
            && self.policy.is_none()
            && std::str::from_utf8(entry.name).is_err()
        {
            self.about(codes::NAME_ENCODING, entry, "UTF-8");
        }
    }

    fn kind(&mut self, entry: &Entry<'_>) -> Result<(), SourceGone> {
        let volume = self.shared.volume;
        if !volume.has(FILETYPE) {
            if entry.kind != 0 {
                self.about(codes::KIND_WITHOUT_FEATURE, entry, "no kind");
            }
            return Ok(());
        }
        let found = self.shared.found;
        let inode = u64::from(entry.inode);
        if found.garbage.has(inode) {
            return Ok(());
        }
        let expected = if found.directories.has(inode) {
            2
        } else if found.regular.has(inode) {
            1
        } else if found.bad.has(inode) {
            0
        } else if found.symlinks.has(inode) {
            7
        } else {
            kind_number(volume, entry.inode)?
        };
        if entry.kind != expected {
            let code = if entry.kind == 0 { codes::KIND_MISSING } else { codes::KIND_WRONG };
            let words = format!("'{}' for inode {} at byte {}", shown(entry.name), entry.inode, entry.offset);
            let finding = Finding::new(code, self.at(), words, format!("kind {expected}, not {}", entry.kind));
            // e2fsck gives up at an inode with stray fields that it can not read again.
            let unreached = found.bad.has(inode) && found.unproved.has(inode);
            self.partial.log.add(Finding { unreached, ..finding });
        }
        Ok(())
    }

    fn hash(&mut self, block: &[u8], entry: &Entry<'_>, state: State) {
        if state != State::Ordinary {
            return;
        }
        let hash = if self.has_hashes() {
            let at = entry.offset + (HEADER_SIZE + entry.name.len()).next_multiple_of(4);
            crate::bytes::le32(block, at).map(|hash| hash & !1)
        } else {
            match self.shared.hashes.get(&self.place.dir) {
                Some(Some(_)) if self.casefolded && !entry.name.is_ascii() => None,
                Some(Some(how)) if self.casefolded => Some(how.hash(&entry.name.to_ascii_lowercase())),
                Some(Some(how)) => Some(how.hash(entry.name)),
                // A hash that nobody knows is 0 for every name.
                Some(None) => Some(0),
                None => None,
            }
        };
        if let Some(hash) = hash {
            self.hashes = (self.hashes.0.min(hash), self.hashes.1.max(hash));
        }
    }
}

/// True if the lengths of a block's entries lead to its end: only the tail itself is wrong or missing.
fn has_room_for_tail(block: &[u8]) -> bool {
    let mut offset = 0;
    while offset + size_of::<DirEntryTail>() < block.len() {
        let len = at::<DirEntry>(block, offset).map_or(0, |entry| rec_len(entry.rec_len.get(), block.len()));
        if len < HEADER_SIZE || !len.is_multiple_of(4) {
            return false;
        }
        offset += len;
    }
    true
}

/// The number that entries record for an inode's kind; 0 for one in no use.
fn kind_number(volume: &Volume, inode: u32) -> Result<u8, SourceGone> {
    let Some(record) = volume.inode(InodeNr(inode))? else { return Ok(0) };
    Ok(match Kind::from_mode(record.inode.i_mode.get().into()) {
        Kind::File => 1,
        Kind::Directory => 2,
        Kind::CharDevice => 3,
        Kind::BlockDevice => 4,
        Kind::Fifo => 5,
        Kind::Socket => 6,
        Kind::Symlink => 7,
        Kind::Unknown => 0,
    })
}

/// A name as findings show it.
pub fn shown(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}
