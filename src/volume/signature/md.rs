//! Members of Linux software RAID (md). Superblocks as `include/uapi/linux/raid/md_p.h` gives them.

use uuid::Uuid;

use super::{Inside, Role, Signature, label, uuid};
use crate::bytes::{Span, be32, le16, le32, le64};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mdadm --examine DEVICE", "mdadm --assemble --readonly --run /dev/md/rescue DEVICE"];

const MAGIC: u32 = 0xa92b_4efc;

/// Level number of mirrors.
const MIRROR: i32 = 1;

/// Bytes of a version 1 superblock before its table of devices.
const FIXED: usize = 256;

/// A member whose superblock stands at its start (1.1, 1.2).
pub(super) fn probe_start(source: &Source) -> Result<Option<Signature>, SourceGone> {
    for (at, version) in [(0, "1.1"), (4096, "1.2")] {
        if let Some(found) = version_1(source, at, version)? {
            return Ok(Some(found.signature));
        }
    }
    Ok(None)
}

/// A member whose superblock stands at its end (0.90, 1.0), of an array whose members are no filesystem by themselves.
pub(super) fn probe_end(source: &Source) -> Result<Option<Signature>, SourceGone> {
    Ok(member(source)?.filter(|member| !member.is_mirror).map(|member| member.signature))
}

/// A mirror's member whose superblock stands at its end: named only where its contents are not recognised.
pub(super) fn probe_mirror(source: &Source) -> Result<Option<Signature>, SourceGone> {
    Ok(member(source)?.map(|member| member.signature))
}

struct Member {
    signature: Signature,
    /// Each member of a mirror reads like the array, where the superblock stands at the end.
    is_mirror: bool,
}

fn member(source: &Source) -> Result<Option<Member>, SourceGone> {
    let sectors = source.len() / 512;
    if let Some(sector) = sectors.checked_sub(16)
        && let Some(found) = version_1(source, (sector & !7) * 512, "1.0")?
    {
        return Ok(Some(found));
    }
    match (source.len() & !0xffff).checked_sub(0x1_0000) {
        Some(at) => Ok(read_whole(&**source, at, 4096)?.and_then(|sb| version_0(&sb))),
        None => Ok(None),
    }
}

fn version_1(source: &Source, at: u64, version: &str) -> Result<Option<Member>, SourceGone> {
    let Some(sb) = read_whole(&**source, at, 4096)? else { return Ok(None) };
    if le32(&sb, 0) != Some(MAGIC) || le32(&sb, 4) != Some(1) || le64(&sb, 144) != Some(at / 512) || !sum_matches(&sb) {
        return Ok(None);
    }
    let level = le32(&sb, 72).unwrap_or(0).cast_signed();
    let mut signature = named(version, level, le32(&sb, 92).unwrap_or(0));
    signature.uuid = uuid(&sb[16..32]);
    signature.label = label(&sb[32..64]);
    signature.size = le64(&sb, 136).and_then(|sectors| sectors.checked_mul(512));
    if let Some(device) = uuid(&sb[168..184]) {
        signature.facts.push(("device uuid", device));
    }
    if let Some(offset) = le64(&sb, 128).and_then(|sectors| sectors.checked_mul(512)) {
        signature.facts.push(("data offset", offset.to_string()));
    }
    let data = || Some((le64(&sb, 128)?.checked_mul(512)?, signature.size?));
    if let Some((start, len)) = data().filter(|(start, _)| level == MIRROR && *start > 0) {
        signature.inside.push(Inside { name: "md".to_owned(), span: Span::new(start, len) });
    }
    Ok(Some(Member { signature, is_mirror: level == MIRROR }))
}

/// The sum of all 32-bit words, the checksum itself as zero, with the carries added in.
fn sum_matches(sb: &[u8]) -> bool {
    let Some(covered) = le32(sb, 220).and_then(|devices| sb.get(..FIXED + 2 * devices as usize)) else { return false };
    let words = covered.chunks_exact(4);
    let half = le16(words.remainder(), 0).map_or(0, u64::from);
    let sum: u64 = words.filter_map(|word| le32(word, 0)).map(u64::from).sum::<u64>() + half;
    let stored = le32(sb, 216).unwrap_or(0);
    let sum = sum - u64::from(stored);
    (sum & 0xffff_ffff).wrapping_add(sum >> 32) as u32 == stored
}

fn version_0(sb: &[u8]) -> Option<Member> {
    if le32(sb, 0)? != MAGIC || le32(sb, 4)? != 0 {
        return None;
    }
    let level = le32(sb, 28)?.cast_signed();
    let mut signature = named(&format!("0.{}", le32(sb, 8)?), level, le32(sb, 40)?);
    // Four words, printed as numbers, so that the bytes of each stand in reverse.
    let mut id = [0; 16];
    for (i, at) in [20, 52, 56, 60].into_iter().enumerate() {
        id[4 * i..4 * i + 4].copy_from_slice(&be32(sb, at)?.swap_bytes().to_be_bytes());
    }
    signature.uuid = Some(Uuid::from_bytes(id).to_string());
    signature.size = Some(u64::from(le32(sb, 32)?) * 1024);
    Some(Member { signature, is_mirror: level == MIRROR })
}

fn named(version: &str, level: i32, devices: u32) -> Signature {
    let level = match level {
        -1 => "linear".to_owned(),
        -4 => "multipath".to_owned(),
        level => format!("raid{level}"),
    };
    let facts = vec![("version", version.to_owned()), ("level", level), ("devices", devices.to_string())];
    Signature { facts, ..Signature::new("linux_raid_member", Role::Container, ADVICE) }
}
