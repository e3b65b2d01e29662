//! Members of a ZFS pool. Labels as the ZFS On-Disk Specification gives them: name-value pairs in XDR (RFC 4506) at
//! 16 KiB, uberblocks from 128 KiB.

use super::{Role, Signature};
use crate::bytes::{be32, be64, le64};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &[
    "zpool import -d DEVICE",
    "zpool import -o readonly=on -N -R /mnt -d DEVICE POOL",
    "zfs mount -o ro POOL/DATASET",
];

const UBERBLOCK_MAGIC: u64 = 0x00ba_b10c;

const LABEL: u64 = 256 << 10;

/// Where in a label the list of pairs begins, and how: encoded by XDR.
const LIST: u64 = 16 << 10;
const XDR: [u8; 1] = [1];

/// Nested lists are skipped, so that a pool's own pairs are few.
const MAX_PAIRS: usize = 256;

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    for at in [0, LABEL] {
        // A label is long, and volumes are looked for at many places.
        if read_whole(&**source, at + LIST, XDR.len())?.is_none_or(|head| head != XDR) {
            continue;
        }
        let Some(label) = read_whole(&**source, at, LABEL as usize)? else { continue };
        let is_uberblock =
            |block: &[u8]| le64(block, 0) == Some(UBERBLOCK_MAGIC) || be64(block, 0) == Some(UBERBLOCK_MAGIC);
        if !label[128 << 10..].chunks_exact(1024).any(is_uberblock) {
            continue;
        }
        let mut found = Signature::new("zfs_member", Role::Container, ADVICE);
        read_pairs(&label[LIST as usize..128 << 10], &mut found);
        return Ok(Some(found));
    }
    Ok(None)
}

/// Takes pool name and GUID from the pairs.
fn read_pairs(list: &[u8], found: &mut Signature) -> Option<()> {
    // Encoding, endianness, two reserved bytes, version, flags.
    let mut at = 12;
    for _ in 0..MAX_PAIRS {
        let size = be32(list, at)? as usize;
        let pair = list.get(at..at.checked_add(size)?).filter(|pair| pair.len() > 8)?;
        let name_len = be32(pair, 8)? as usize;
        let name = pair.get(12..12usize.checked_add(name_len)?)?;
        // The name is padded to four bytes; type and count follow, then the value.
        let value = (12 + name_len).next_multiple_of(4) + 8;
        match name {
            b"name" => {
                let len = be32(pair, value)? as usize;
                found.label = pair.get(value + 4..(value + 4).checked_add(len)?).map(<[u8]>::to_vec);
            }
            b"pool_guid" => found.uuid = be64(pair, value).map(|guid| guid.to_string()),
            _ => {}
        }
        at += size;
    }
    None
}
