//! Pass 1, extended attributes: in the inode, in a block, and values that have inodes of their own.
//!
//! Tests: that entries and values lie inside and do not overlap; names, sizes, hashes; that inodes of values are such.
//! Needs: the inode, or the block. Leaves: [`Attributes`].

use super::codes;
use super::volume::{Record, Volume};
use crate::bytes::le32;
use crate::finding::Code;
use crate::source::SourceGone;

use super::super::disk::at;
use super::super::disk::inode::{BASE_SIZE, flags};
use super::super::disk::xattr::{
    BLOCK_HEADER_SIZE, ENTRY_SIZE, IBODY_HEADER_SIZE, INDEX_SYSTEM, MAGIC, XattrEntry, XattrHeader, entry_len,
};
use super::super::number::InodeNr;

/// `e_name_index` of the context of an encrypted file, whose name is `c`.
const INDEX_ENCRYPTION: u8 = 9;
/// Bytes of an encryption context of version 1 and 2; the last 16 differ from file to file.
const CONTEXT_SIZES: [(u8, usize); 2] = [(1, 28), (2, 40)];
const NONCE_SIZE: usize = 16;
/// `h_magic` of the first version, which nobody writes any more.
const MAGIC_V1: u32 = 0xEA01_0000;

/// What passes need to know of an inode's attributes.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Bytes of `system.data`, with which a file's inline data goes on behind `i_block`.
    pub inline: Option<Vec<u8>>,
    pub encryption: Encryption,
    /// Inodes that hold values.
    pub value_inodes: Vec<u32>,
    /// Bytes and blocks that values in inodes of their own count for quota: the owner pays for them.
    pub value_bytes: u64,
    /// Why the entries could not all be read.
    pub broken: bool,
}

/// The encryption context of an inode.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Encryption {
    /// There is none.
    #[default]
    None,
    /// It is not as long as its version says.
    Corrupt,
    /// It is of a version that nobody knows yet.
    Unknown,
    /// All of it that files of one directory share.
    Policy(Vec<u8>),
}

/// Something wrong with attributes.
pub struct Problem {
    pub code: Code,
    pub found: String,
    /// The attributes that were read so far do not count.
    pub fatal: bool,
}

/// What a list of entries is judged by.
struct Rules {
    /// Entries in an inode: offsets count from the first entry, and hashes may be 0.
    in_inode: bool,
    collision: Code,
    /// An entry's name, and the end of a value, that can not be.
    bad: Option<(Code, Code)>,
}

const IN_INODE: Rules = Rules { in_inode: true, collision: codes::XATTR_INODE_COLLISION, bad: None };
const IN_BLOCK: Rules =
    Rules { in_inode: false, collision: codes::XATTR_COLLISION, bad: Some((codes::XATTR_NAME, codes::XATTR_VALUE)) };

/// Judges the attributes in an inode. `extra` is its `i_extra_isize`.
pub fn in_inode(volume: &Volume, record: &Record, problems: &mut Vec<Problem>) -> Result<Attributes, SourceGone> {
    let extra = usize::from(record.inode.i_extra_isize.get());
    let start = BASE_SIZE + extra + IBODY_HEADER_SIZE;
    let magic = le32(&record.raw, start - IBODY_HEADER_SIZE);
    if volume.inode_size <= BASE_SIZE || magic != Some(MAGIC) {
        return Ok(Attributes::default());
    }
    entries(volume, record.nr, &record.raw[start..], 0, &IN_INODE, problems)
}

/// What a block of attributes holds, judged once however many inodes share it.
#[derive(Clone, Debug, Default)]
pub struct BlockOfAttributes {
    pub attributes: Attributes,
    /// Inodes that share it, as it says.
    pub references: u32,
    /// It counts as a block of the inode.
    pub counts: bool,
    /// It is a block of attributes, and in use as such.
    pub claims: bool,
}

/// Judges a block of attributes.
pub fn in_block(
    volume: &Volume,
    owner: InodeNr,
    block: u64,
    buf: &[u8],
    problems: &mut Vec<Problem>,
) -> Result<BlockOfAttributes, SourceGone> {
    let Some(header) = at::<XattrHeader>(buf, 0) else { return Ok(BlockOfAttributes::default()) };
    let magic = header.h_magic.get();
    if magic == MAGIC_V1 {
        problems.push(Problem { code: codes::XATTR_BLOCK, found: format!("magic number {magic:08x}"), fatal: true });
        return Ok(BlockOfAttributes::default());
    }
    if magic != MAGIC {
        problems.push(Problem { code: codes::XATTR_MAGIC, found: format!("{magic:08x}"), fatal: false });
    }
    if header.h_blocks.get() != 1 {
        problems.push(Problem { code: codes::XATTR_BLOCK_COUNT, found: header.h_blocks.to_string(), fatal: false });
    }
    let before = problems.len();
    let attributes = entries(volume, owner, buf, BLOCK_HEADER_SIZE, &IN_BLOCK, problems)?;
    // What is no block of attributes has no checksum.
    if magic == MAGIC
        && volume.has(super::super::feature::METADATA_CSUM)
        && let Some(sums) = volume.seed.xattr_block(super::super::number::BlockNr(block), buf)
        && !sums.agree()
    {
        let found = format!("{:08x}, computed {:08x}", sums.found, sums.computed);
        problems.push(Problem { code: codes::XATTR_CHECKSUM, found, fatal: false });
    }
    let counts = !problems[before..].iter().any(|p| p.fatal);
    Ok(BlockOfAttributes { attributes, references: header.h_refcount.get(), counts, claims: counts && magic == MAGIC })
}

/// Judges a list of entries that begins at `first` of `bytes`; values are placed from the start of `bytes`.
fn entries(
    volume: &Volume,
    owner: InodeNr,
    bytes: &[u8],
    first: usize,
    rules: &Rules,
    problems: &mut Vec<Problem>,
) -> Result<Attributes, SourceGone> {
    let mut found = Attributes::default();
    let mut taken = Regions::new(bytes.len());
    taken.take(0, first);
    let mut problem = |code, what: String, fatal: bool| problems.push(Problem { code, found: what, fatal });
    let mut offset = first;
    // Four zero bytes end the list; so does the end of the space.
    while le32(bytes, offset).is_some_and(|word| word != 0) {
        let Some(entry) = at::<XattrEntry>(bytes, offset) else {
            problem(rules.collision, format!("entry at byte {offset} reaches past the end"), false);
            break;
        };
        let len = entry_len(entry.e_name_len);
        let bad = if !taken.take(offset, len) {
            Some((rules.collision, format!("entry at byte {offset} overlaps")))
        } else {
            let nameless = rules.bad.filter(|_| entry.e_name_index == 0);
            nameless.map(|(code, _)| (code, format!("entry at byte {offset} has name index 0")))
        };
        if let Some((code, what)) = bad {
            problem(code, what, false);
            found.broken = true;
            break;
        }
        let name =
            bytes.get(offset + ENTRY_SIZE..offset + ENTRY_SIZE + usize::from(entry.e_name_len)).unwrap_or_default();
        if !value(volume, owner, bytes, &entry, name, rules, &mut taken, &mut found, &mut problem)? {
            found.broken = true;
            if rules.in_inode || entry.e_value_inum.get() == 0 {
                break;
            }
        }
        offset += len;
    }
    if !taken.take(offset, 4) && !rules.in_inode {
        problem(rules.collision, format!("end of the list at byte {offset} overlaps"), false);
    }
    Ok(found)
}

type Report<'a> = dyn FnMut(Code, String, bool) + 'a;

/// Judges one entry's value; false where the list is not to be followed any further.
#[expect(clippy::too_many_arguments, reason = "one step of a loop, cut out for its length")]
fn value(
    volume: &Volume,
    owner: InodeNr,
    bytes: &[u8],
    entry: &XattrEntry,
    name: &[u8],
    rules: &Rules,
    taken: &mut Regions,
    found: &mut Attributes,
    problem: &mut Report<'_>,
) -> Result<bool, SourceGone> {
    let inum = entry.e_value_inum.get();
    if inum != 0 {
        return value_in_inode(volume, owner, inum, entry, name, rules, found, problem);
    }
    let size = entry.e_value_size.get() as usize;
    // A value of no bytes has no place.
    let start = if size == 0 && rules.in_inode { 0 } else { usize::from(entry.e_value_offs.get()) };
    let room = bytes.len();
    if rules.in_inode && size > room {
        problem(codes::XATTR_VALUE_SIZE, format!("value of {size} bytes"), false);
        return Ok(false);
    }
    if start + size > room {
        let code = rules.bad.map_or(rules.collision, |(_, code)| code);
        problem(code, format!("value of {size} bytes at byte {start}"), false);
        return Ok(false);
    }
    if size > 0 && !taken.take(start, size.next_multiple_of(4)) {
        problem(rules.collision, format!("value of {size} bytes at byte {start} overlaps"), false);
        if rules.in_inode {
            return Ok(false);
        }
    }
    let value = &bytes[start..start + size];
    // Hashes are made of whole words, with whatever stands behind the value.
    let words = &bytes[start..(start + size.next_multiple_of(4)).min(room)];
    let hash = entry.e_hash.get();
    if (hash != 0 || !rules.in_inode) && !hashes(name, words).contains(&hash) {
        problem(codes::XATTR_HASH, format!("{hash:08x}, computed {:08x}", hashes(name, words)[0]), false);
        return Ok(!rules.in_inode);
    }
    // e2fsck takes names for text that ends with a zero.
    let text = name.split(|&byte| byte == 0).next().unwrap_or_default();
    if rules.in_inode && entry.e_name_index == INDEX_SYSTEM && text == b"data" {
        found.inline = Some(value.to_vec());
    }
    if entry.e_name_index == INDEX_ENCRYPTION && name == b"c" {
        found.encryption = context(value);
    }
    Ok(true)
}

fn context(value: &[u8]) -> Encryption {
    let size = |version: &u8| CONTEXT_SIZES.iter().find(|(known, _)| known == version).map(|(_, size)| *size);
    match value.first().map(size) {
        Some(None) => Encryption::Unknown,
        Some(Some(size)) if size == value.len() => Encryption::Policy(value[..size - NONCE_SIZE].to_vec()),
        _ => Encryption::Corrupt,
    }
}

/// Judges the inode that holds a value.
#[expect(clippy::too_many_arguments, reason = "one step of a loop, cut out for its length")]
fn value_in_inode(
    volume: &Volume,
    owner: InodeNr,
    inum: u32,
    entry: &XattrEntry,
    name: &[u8],
    rules: &Rules,
    found: &mut Attributes,
    problem: &mut Report<'_>,
) -> Result<bool, SourceGone> {
    let allowed = (volume.first_inode..=volume.inodes).contains(&inum) && inum != owner.0;
    let holder = if allowed { volume.inode(InodeNr(inum))? } else { None };
    let Some(holder) = holder else {
        problem(codes::XATTR_VALUE_INODE, format!("value in inode {inum}"), true);
        // e2fsck counts the blocks of such a value all the same, where a block of attributes names it.
        if !rules.in_inode {
            found.value_bytes += rounded(volume, entry.e_value_size.get());
        }
        return Ok(true);
    };
    let hash = entry.e_hash.get();
    let value_hash = holder.inode.i_atime.get().to_le_bytes();
    // Values written by old Lustre have no hash, and name the inode that owns them instead.
    let lustre = owner.0 != 0 && holder.inode.i_mtime.get() == owner.0;
    if !holder.inode.has(flags::EA_INODE) {
        // Where the hash speaks against the inode too, it is the number that is wrong.
        if !lustre && !hashes(name, &value_hash).contains(&hash) {
            problem(codes::XATTR_VALUE_INODE, format!("value in inode {inum}, which holds none"), false);
            return Ok(true);
        }
        problem(codes::XATTR_VALUE_INODE_FLAG, format!("value in inode {inum}"), false);
        return Ok(false);
    }
    if hash != 0 && !lustre && !hashes(name, &value_hash).contains(&hash) {
        problem(codes::XATTR_HASH, format!("{hash:08x}, computed {:08x}", hashes(name, &value_hash)[0]), false);
        return Ok(false);
    }
    let size = u64::from(entry.e_value_size.get());
    if holder.inode.size() != size || holder.inode.i_links_count.get() == 0 {
        let what = format!("{} bytes, {} links in inode {inum}", holder.inode.size(), holder.inode.i_links_count);
        problem(codes::XATTR_VALUE_DIFFERS, what, false);
    }
    found.value_inodes.push(inum);
    found.value_bytes += rounded(volume, entry.e_value_size.get());
    Ok(true)
}

/// Bytes of a value in an inode of its own, in whole clusters.
fn rounded(volume: &Volume, size: u32) -> u64 {
    u64::from(size).next_multiple_of(volume.cluster_ratio * volume.block_size)
}

/// The hash of an entry, with the name's bytes taken as unsigned and as signed: writers did both.
fn hashes(name: &[u8], value: &[u8]) -> [u32; 2] {
    let name_hash = |widen: fn(u8) -> u32| name.iter().fold(0u32, |hash, &byte| hash.rotate_left(5) ^ widen(byte));
    let words = |hash: u32| {
        value.chunks(4).fold(hash, |hash, chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            hash.rotate_left(16) ^ u32::from_le_bytes(word)
        })
    };
    [words(name_hash(u32::from)), words(name_hash(|byte| byte as i8 as u32))]
}

/// The bytes of a space that are taken.
struct Regions {
    len: usize,
    taken: Vec<(usize, usize)>,
}

impl Regions {
    fn new(len: usize) -> Self {
        Regions { len, taken: Vec::new() }
    }

    /// Takes bytes; false if some are taken already or lie outside.
    fn take(&mut self, start: usize, len: usize) -> bool {
        let end = start.saturating_add(len);
        if len == 0 {
            return true;
        }
        if end > self.len || self.taken.iter().any(|&(s, e)| start < e && s < end) {
            return false;
        }
        self.taken.push((start, end));
        true
    }
}
