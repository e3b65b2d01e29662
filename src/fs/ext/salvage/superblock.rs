//! Which superblock to believe: the primary, one of its backups, or the primary with the backups' word on what never
//! changes. By checksum, by consistency, and by agreement among the copies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zerocopy::{FromBytes, IntoBytes};

use super::super::checksum;
use super::super::disk::superblock::{self as disk, Superblock, join};
use super::super::feature::{self, BIGALLOC, BIT64, Features, METADATA_CSUM, NEEDS_RECOVERY, Word};
use super::traces::Traces;
use crate::bytes::Span;
use crate::fs::OpenOptions;
use crate::progress::Progress;
use crate::source::{Source, SourceGone, read_whole};

/// Block sizes there are, in bytes.
pub const BLOCK_SIZES: [u64; 7] = [1024, 2048, 4096, 8192, 16384, 32768, 65536];

/// The superblock decided on.
#[derive(Clone)]
pub struct Chosen {
    /// As the reader shall believe it.
    pub sb: Superblock,
    /// Where it, or the copy that overruled it, lies, in bytes.
    pub at: u64,
    /// What was decided and why; empty for a healthy primary.
    pub decisions: Vec<String>,
}

/// One copy found, and what speaks for it.
#[derive(Clone)]
struct Copy {
    sb: Superblock,
    at: u64,
    proved: bool,
}

/// What of a superblock never changes between mkfs and resize: the copies agree on it, byte by byte.
const STATIC: &[std::ops::Range<usize>] = &[
    0x00..0x08,   // inodes and blocks
    0x14..0x2C,   // first data block, sizes of blocks, clusters and groups
    0x4C..0x50,   // revision
    0x54..0x5A,   // first inode, inode size
    0x68..0x78,   // UUID
    0xCE..0xD0,   // reserved descriptor blocks
    0xEC..0x100,  // hash seed and version, descriptor size
    0x104..0x108, // first meta group
    0x150..0x154, // upper half of the number of blocks
    0x174..0x176, // groups per flexible group, kind of checksum
    0x24C..0x254, // groups of the backups (sparse_super2)
    0x270..0x274, // seed of checksums
];

/// Where the words of features lie.
const FEATURES: std::ops::Range<usize> = 0x5C..0x68;

/// Features the kernel switches on and off in the primary alone.
const VOLATILE: Features = Features { compat: 0, incompat: 0x4, ro_compat: 0x1_0042 };

/// Decides which superblock of `source` to use; `None` where there is none anywhere. Searches the whole source where none
/// is in a usual place, unless `traces` are known.
///
/// # Errors
/// When the source is gone.
pub fn choose(
    source: &Source,
    options: &OpenOptions,
    traces: &mut Option<Arc<Traces>>,
    progress: &dyn Progress,
) -> Result<Option<Chosen>, SourceGone> {
    if let Some(chosen) = nearby(source, options)? {
        return Ok(Some(chosen));
    }
    let traces = match traces {
        Some(traces) => traces,
        None => traces.insert(Traces::find(source, progress)?),
    };
    of_found(source, &traces.superblocks)
}

/// As [`choose`], from the usual places alone: `None` where there is no sound one.
///
/// # Errors
/// When the source is gone.
pub fn nearby(source: &Source, options: &OpenOptions) -> Result<Option<Chosen>, SourceGone> {
    let primary = read_at(source, disk::OFFSET)?;
    let sound = primary.filter(|sb| is_sound(sb, source.len()));
    if let Some(sb) = sound
        && (is_proved(&sb) || first_backup_agrees(source, &sb)?)
    {
        return Ok(Some(Chosen { sb, at: disk::OFFSET, decisions: Vec::new() }));
    }
    let copies = backups(source, options, primary.as_ref())?;
    if copies.is_empty() && sound.is_none() {
        return Ok(None);
    }
    Ok(vote(primary, copies, source.len()))
}

/// What the backups in the usual places say where the primary, which leads astray, says something else.
///
/// # Errors
/// When the source is gone.
pub fn instead(source: &Source, options: &OpenOptions) -> Result<Option<Chosen>, SourceGone> {
    let primary = read_at(source, disk::OFFSET)?;
    let mut copies = backups(source, options, primary.as_ref())?;
    copies.retain(|copy| primary.is_none_or(|sb| key(&sb) != key(&copy.sb)));
    let of_copies = vote(None, copies.clone(), source.len());
    let party = |best: &Chosen| copies.into_iter().filter(|copy| key(&copy.sb) == key(&best.sb)).collect::<Vec<_>>();
    Ok(of_copies.map(|best| match primary.filter(|sb| sb.s_uuid == best.sb.s_uuid) {
        Some(sb) => overruled(sb, &party(&best)),
        None => best,
    }))
}

/// As [`choose`], where no usual place has one, from those that a search found.
///
/// # Errors
/// When the source is gone.
pub fn of_found(source: &Source, found: &[(Superblock, u64)]) -> Result<Option<Chosen>, SourceGone> {
    Ok(vote(read_at(source, disk::OFFSET)?, among(found, source.len()), source.len()))
}

fn read_at(source: &Source, at: u64) -> Result<Option<Superblock>, SourceGone> {
    if at.saturating_add(disk::SIZE as u64) > source.len() {
        return Ok(None);
    }
    let bytes = read_whole(&**source, at, disk::SIZE)?;
    Ok(bytes.and_then(|bytes| Superblock::read_from_bytes(&bytes).ok()).filter(|sb| sb.s_magic.get() == disk::MAGIC))
}

/// Bytes of a block, where the field holds one of the seven values.
pub fn block_size(sb: &Superblock) -> Option<u64> {
    BLOCK_SIZES.get(usize::try_from(sb.s_log_block_size.get()).ok()?).copied()
}

/// Number of blocks.
pub fn blocks_count(sb: &Superblock) -> u64 {
    let low = u64::from(sb.s_blocks_count_lo.get());
    if Features::of(sb).has(BIT64) { join(sb.s_blocks_count_hi, sb.s_blocks_count_lo) } else { low }
}

/// Number of groups, if the fields that say it are possible.
fn groups(sb: &Superblock) -> Option<u64> {
    let blocks = blocks_count(sb).checked_sub(sb.s_first_data_block.get().into())?;
    (blocks > 0).then(|| blocks.checked_div_ceil(sb.s_blocks_per_group.get().into()))?
}

trait CheckedDivCeil: Sized {
    fn checked_div_ceil(self, by: Self) -> Option<Self>;
}

impl CheckedDivCeil for u64 {
    fn checked_div_ceil(self, by: u64) -> Option<u64> {
        (by != 0).then(|| self.div_ceil(by))
    }
}

/// True if a filesystem can be read with it at all, for want of a better one.
fn is_usable(sb: &Superblock) -> bool {
    // A device of journals has no inodes: where there are some, the feature is a lie.
    block_size(sb).is_some() && (!Features::of(sb).has(feature::JOURNAL_DEV) || sb.s_inodes_per_group.get() > 0)
}

/// True if its fields fit each other and, roughly, the source.
fn is_sound(sb: &Superblock, source_len: u64) -> bool {
    let features = Features::of(sb);
    let Some(block) = block_size(sb).filter(|_| is_usable(sb)) else { return false };
    let Some(groups) = groups(sb) else { return false };
    let (ipg, bpg) = (u64::from(sb.s_inodes_per_group.get()), u64::from(sb.s_blocks_per_group.get()));
    let cluster_ratio = match sb.s_log_cluster_size.get().checked_sub(sb.s_log_block_size.get()) {
        Some(shift @ 0..=16) if features.has(BIGALLOC) => 1 << shift,
        _ => 1,
    };
    let first = u64::from(sb.s_first_data_block.get());
    let inode_size = inode_size(sb);
    sb.s_rev_level.get() <= disk::DYNAMIC_REV
        && first <= u64::from(block == 1024)
        && (1..=block * 8).contains(&ipg)
        && (8..=block * 8 * cluster_ratio).contains(&bpg)
        && inode_size.is_power_of_two()
        && (128..=block).contains(&inode_size)
        && ipg * groups == u64::from(sb.s_inodes_count.get())
        && features.unknown(Word::Incompat) == 0
        // A truncated image keeps its superblock; one a thousand times smaller than it says does not exist.
        && blocks_count(sb) / 1024 <= source_len / block
}

fn inode_size(sb: &Superblock) -> u64 {
    let size = if sb.s_rev_level.get() == 0 { disk::GOOD_OLD_INODE_SIZE } else { sb.s_inode_size.get() };
    size.into()
}

/// True if it has a checksum that is right.
fn is_proved(sb: &Superblock) -> bool {
    Features::of(sb).has(METADATA_CSUM) && sb.s_checksum.get() == checksum::superblock(sb)
}

/// True if a checksum that it should have is wrong.
fn is_disproved(sb: &Superblock) -> bool {
    Features::of(sb).has(METADATA_CSUM) && !is_proved(sb)
}

/// Where a copy that lies in group `group` starts, in bytes.
fn place(sb: &Superblock, group: u64) -> Option<u64> {
    let block = block_size(sb)?;
    let bpg = u64::from(sb.s_blocks_per_group.get());
    let first = u64::from(sb.s_first_data_block.get()).checked_add(group.checked_mul(bpg)?)?;
    if first == 0 { Some(disk::OFFSET) } else { first.checked_mul(block) }
}

/// True if nothing the first backup says contradicts a superblock that no checksum proves. A backup that is gone, or
/// of another filesystem, does not.
fn first_backup_agrees(source: &Source, sb: &Superblock) -> Result<bool, SourceGone> {
    if is_disproved(sb) {
        return Ok(false);
    }
    let group = match sb.s_backup_bgs[0].get() {
        group if Features::of(sb).has(feature::SPARSE_SUPER2) => u64::from(group),
        _ => 1,
    };
    if groups(sb).is_none_or(|groups| group >= groups) || group == 0 {
        return Ok(true);
    }
    let Some(backup) = place(sb, group).map(|at| read_at(source, at)).transpose()?.flatten() else {
        return Ok(true);
    };
    Ok(key(&backup) == key(sb))
}

/// The bytes that copies of one superblock have in common.
fn key(sb: &Superblock) -> Vec<u8> {
    let bytes = sb.as_bytes();
    let mut key: Vec<u8> = STATIC.iter().flat_map(|range| &bytes[range.clone()]).copied().collect();
    let features = Features::of(sb);
    key.extend((features.compat & !VOLATILE.compat).to_le_bytes());
    key.extend((features.incompat & !VOLATILE.incompat).to_le_bytes());
    key.extend((features.ro_compat & !VOLATILE.ro_compat).to_le_bytes());
    key
}

/// Groups that may hold a backup: 1 and powers of 3, 5 and 7 (sparse_super), which also are among all groups.
fn backup_groups(groups: u64) -> Vec<u64> {
    let mut list = vec![1];
    for base in [3u64, 5, 7] {
        list.extend(std::iter::successors(Some(base), |power| power.checked_mul(base)).take_while(|&g| g < groups));
    }
    list.retain(|&group| group < groups);
    list.sort_unstable();
    list.truncate(12);
    list
}

/// Places at which `mke2fs` puts backups, for every size of blocks and groups it makes.
fn usual_places(
    sizes: &[u64],
    primary: Option<&Superblock>,
    source_len: u64,
    backup_groups: impl Fn(u64) -> Vec<u64>,
) -> BTreeSet<u64> {
    let mut places = BTreeSet::new();
    for &block in sizes {
        let first = u64::from(block == 1024);
        let mut sizes: BTreeSet<u64> = (8..=19).map(|shift| 1 << shift).filter(|&bpg| bpg <= block * 8 * 16).collect();
        sizes.extend(primary.map(|sb| u64::from(sb.s_blocks_per_group.get())).filter(|&bpg| bpg >= 8));
        for bpg in sizes {
            let groups = (source_len / block).div_ceil(bpg);
            places.extend(backup_groups(groups).into_iter().map(|group| (first + group * bpg).saturating_mul(block)));
        }
    }
    if let Some(sb) = primary {
        places.extend(sb.s_backup_bgs.iter().filter_map(|group| place(sb, group.get().into())));
    }
    places
}

/// The backups at their usual places that are where they say they are.
fn backups(source: &Source, options: &OpenOptions, primary: Option<&Superblock>) -> Result<Vec<Copy>, SourceGone> {
    let sizes = options.block_size.map_or(BLOCK_SIZES.to_vec(), |size| vec![size]);
    let mut found = Vec::new();
    for at in usual_places(&sizes, primary, source.len(), backup_groups) {
        if at == disk::OFFSET {
            continue;
        }
        let Some(sb) = read_at(source, at)? else { continue };
        found.extend(as_backup(sb, at, source.len()));
    }
    Ok(found)
}

fn as_backup(sb: Superblock, at: u64, source_len: u64) -> Option<Copy> {
    let says = place(&sb, sb.s_block_group_nr.get().into())?;
    (is_sound(&sb, source_len) && says == at && !is_disproved(&sb)).then(|| Copy { sb, at, proved: is_proved(&sb) })
}

/// The superblocks found anywhere that are backups at their places, or failing that copies at any place (the
/// journal's) of a filesystem that fits the source.
fn among(superblocks: &[(Superblock, u64)], source_len: u64) -> Vec<Copy> {
    let placed: Vec<Copy> = superblocks.iter().filter_map(|&(sb, at)| as_backup(sb, at, source_len)).collect();
    if !placed.is_empty() {
        return placed;
    }
    let fitting =
        superblocks.iter().filter(|(sb, _)| is_sound(sb, source_len) && fits(sb, source_len) && !is_disproved(sb));
    fitting.map(|&(sb, at)| Copy { sb, at, proved: is_proved(&sb) }).collect()
}

/// The superblock that most of some copies agree on, found anywhere.
pub fn of_copies(superblocks: &[(Superblock, u64)], source_len: u64) -> Option<Chosen> {
    vote(None, among(superblocks, source_len), source_len)
}

/// True where a superblock lies where it says, counted from the start of the source.
pub fn is_in_place(chosen: &Chosen) -> bool {
    place(&chosen.sb, chosen.sb.s_block_group_nr.get().into()) == Some(chosen.at)
}

/// Where superblocks say that a filesystem begins; mostly not where the source does.
#[derive(Clone, Copy)]
pub struct Elsewhere {
    /// Where its superblocks say it begins, in bytes; before the source, where the beginning was cut off.
    pub origin: i64,
    /// The bytes of the source that it has.
    pub span: Span,
    /// A copy of its superblock.
    pub sb: Superblock,
    /// How many copies agree.
    pub copies: usize,
}

impl Elsewhere {
    /// Bytes missing before the source.
    pub fn missing(&self) -> u64 {
        if self.origin < 0 { self.origin.unsigned_abs() } else { 0 }
    }
}

/// Filesystems that do not begin where the source does.
pub fn elsewhere(superblocks: &[(Superblock, u64)], source_len: u64) -> Vec<Elsewhere> {
    let mut found: BTreeMap<(i64, Vec<u8>), (Superblock, usize)> = BTreeMap::new();
    for (sb, at) in superblocks {
        if !is_sound(sb, source_len) || is_disproved(sb) {
            continue;
        }
        let place = place(sb, sb.s_block_group_nr.get().into()).and_then(|place| i64::try_from(place).ok());
        let origin = i64::try_from(*at).ok().zip(place).and_then(|(at, place)| at.checked_sub(place));
        if let Some(origin) = origin {
            found.entry((origin, key(sb))).or_insert((*sb, 0)).1 += 1;
        }
    }
    let spanning = found.into_iter().map(|((origin, _), (sb, copies))| {
        let size = blocks_count(&sb).saturating_mul(block_size(&sb).unwrap_or_default());
        let end = i64::try_from(size).unwrap_or(i64::MAX).saturating_add(origin).max(0).unsigned_abs();
        let span = Span { start: origin.max(0).unsigned_abs(), end: end.min(source_len) };
        Elsewhere { origin, span, sb, copies }
    });
    spanning.filter(|place| place.span.start < place.span.end).collect()
}

/// True if a copy of a superblock lies where the second group of a volume has it, for any size of blocks and groups, or
/// where one of the next does, for the usual sizes: asked with few reads.
///
/// # Errors
/// When the source is gone.
pub fn has_backup(source: &Source) -> Result<bool, SourceGone> {
    let mut places = usual_places(&BLOCK_SIZES, None, source.len(), |_| vec![1]);
    places.extend(default_places(source.len(), |_| vec![3, 5, 7]));
    for at in places {
        if read_at(source, at)?.and_then(|sb| as_backup(sb, at, source.len())).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True if a copy of another filesystem's superblock than `own` lies where the usual sizes put it: in the next groups, or
/// behind the end of that filesystem, which is `len` bytes long. Asked with few reads.
///
/// # Errors
/// When the source is gone.
pub fn has_foreign_copy(source: &Source, own: &Superblock, len: u64) -> Result<bool, SourceGone> {
    let mut places = default_places(source.len(), |_| vec![1, 3]);
    places.extend(default_places(source.len(), backup_groups).into_iter().filter(|at| *at >= len));
    // Damage may change one of them.
    let differs = |sb: &Superblock| {
        let made = |sb: &Superblock| (sb.s_mkfs_time, sb.s_hash_seed);
        sb.s_uuid != own.s_uuid && made(sb) != made(own)
    };
    for at in places {
        let copy = read_at(source, at)?.and_then(|sb| as_backup(sb, at, source.len()));
        if copy.is_some_and(|copy| differs(&copy.sb)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where backups lie in some groups of the size that `mke2fs` makes unless told otherwise, for every size of blocks.
fn default_places(source_len: u64, groups: impl Fn(u64) -> Vec<u64>) -> BTreeSet<u64> {
    let places = BLOCK_SIZES.iter().flat_map(|&block| {
        let of_group = move |nr: u64| (nr * 8 * block + u64::from(block == 1024)) * block;
        groups((source_len / block).div_ceil(8 * block)).into_iter().map(of_group)
    });
    places.filter(|at| *at < source_len).collect()
}

/// True if the filesystem fills the source, or nearly.
fn fits(sb: &Superblock, source_len: u64) -> bool {
    let size = blocks_count(sb).saturating_mul(block_size(sb).unwrap_or_default());
    size <= source_len && size >= source_len / 16 * 15
}

/// The superblock in a KiB, if it looks like one.
pub fn look(kib: &[u8]) -> Option<Superblock> {
    if kib.get(0x38..0x3A)? != disk::MAGIC.to_le_bytes() {
        return None;
    }
    let sb = Superblock::read_from_prefix(kib).ok()?.0;
    (is_usable(&sb) && groups(&sb).is_some()).then_some(sb)
}

/// The superblock that most, and the best proved, copies agree on.
fn vote(primary: Option<Superblock>, copies: Vec<Copy>, source_len: u64) -> Option<Chosen> {
    let sound = primary.filter(|sb| is_sound(sb, source_len));
    let mut parties: BTreeMap<Vec<u8>, (u32, Vec<Copy>)> = BTreeMap::new();
    for copy in copies {
        let (votes, party) = parties.entry(key(&copy.sb)).or_default();
        *votes += if copy.proved { 3 } else { 1 };
        party.push(copy);
    }
    if let Some(sb) = sound {
        // A wrong checksum is a vote less; alone against one backup the primary still stands.
        parties.entry(key(&sb)).or_default().0 += if is_disproved(&sb) { 1 } else { 2 };
    }
    let best = parties.into_iter().max_by_key(|(_, (votes, party))| (*votes, newest(party)));
    let Some((best, (_, party))) = best else { return primary.filter(is_usable).map(|sb| mended(sb, source_len)) };
    match (primary, party.first()) {
        (Some(sb), backup) if key(&sb) == best => {
            let decisions = match backup {
                Some(backup) if is_disproved(&sb) => vec![format!(
                    "the superblock's checksum is wrong; it is used, since the copy at byte {} agrees with it",
                    backup.at
                )],
                None if is_disproved(&sb) => {
                    vec!["the superblock's checksum is wrong; it is used for want of a copy".into()]
                }
                _ => Vec::new(),
            };
            Some(Chosen { sb, at: disk::OFFSET, decisions })
        }
        (Some(sb), Some(backup)) if sb.s_uuid == backup.sb.s_uuid => Some(overruled(sb, &party)),
        (_, Some(backup)) => {
            let decisions = vec![format!(
                "the superblock is damaged; its copy at byte {} is used{}",
                backup.at,
                agreeing(party.len())
            )];
            Some(Chosen { sb: backup.sb, at: backup.at, decisions })
        }
        _ => None,
    }
}

fn newest(party: &[Copy]) -> u32 {
    party.iter().map(|copy| copy.sb.s_wtime.get().max(copy.sb.s_mkfs_time.get())).max().unwrap_or_default()
}

fn agreeing(copies: usize) -> String {
    if copies > 1 { format!(" ({copies} copies agree)") } else { String::new() }
}

/// The primary with what its backups say of all that never changes.
fn overruled(primary: Superblock, party: &[Copy]) -> Chosen {
    let backup = &party[0];
    let mut sb = primary;
    for range in STATIC.iter().chain([&FEATURES]) {
        sb.as_mut_bytes()[range.clone()].copy_from_slice(&backup.sb.as_bytes()[range.clone()]);
    }
    let waiting = primary.s_feature_incompat.get() & NEEDS_RECOVERY.bit;
    sb.s_feature_incompat.set(sb.s_feature_incompat.get() | waiting);
    let decisions = vec![format!(
        "the superblock contradicts its copies; what never changes is taken from the copy at byte {}{}",
        backup.at,
        agreeing(party.len())
    )];
    Chosen { sb, at: backup.at, decisions }
}

/// The primary alone, with fields that can not be replaced by what is usual.
fn mended(mut sb: Superblock, source_len: u64) -> Chosen {
    let mut decisions =
        vec!["the superblock is damaged and no copy of it was found; it is used as far as it goes".into()];
    let unknown = Features::of(&sb).unknown(Word::Incompat);
    if unknown != 0 {
        sb.s_feature_incompat.set(sb.s_feature_incompat.get() & !unknown);
        decisions.push(format!("features that nobody knows are ignored (incompat {unknown:#x})"));
    }
    if let Some(blocks) = shown_blocks(&sb, source_len) {
        decisions
            .push(format!("it contradicts itself; by its inodes and by the volume's length it has {blocks} blocks"));
        sb.s_blocks_count_lo.set(blocks as u32);
        sb.s_blocks_count_hi.set((blocks >> 32) as u32);
    }
    Chosen { sb, at: disk::OFFSET, decisions }
}

/// The number of blocks that the number of inodes and the length of the source agree on, where the superblock's own
/// contradicts both.
fn shown_blocks(sb: &Superblock, source_len: u64) -> Option<u64> {
    let (inodes, per_group) = (u64::from(sb.s_inodes_count.get()), u64::from(sb.s_inodes_per_group.get()));
    let blocks = source_len / block_size(sb)?;
    let present = blocks.checked_sub(sb.s_first_data_block.get().into())?;
    let agreeing = present.checked_div_ceil(sb.s_blocks_per_group.get().into())?;
    let agrees = agreeing.checked_mul(per_group) == Some(inodes);
    (agrees && groups(sb) != Some(agreeing)).then_some(blocks)
}
