//! btrfs. Superblock as the btrfs documentation gives it (On-disk Format: Superblock).

use super::{Role, Signature, label, uuid};
use crate::bytes::le64;
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &[
    "mount -t btrfs -o ro,rescue=all DEVICE /mnt",
    "btrfs restore --dry-run DEVICE /mnt",
    "btrfs check --readonly DEVICE",
];

/// Where the superblock and its copies stand.
const PLACES: [u64; 3] = [64 << 10, 64 << 20, 256 << 30];

/// Bytes in use beyond which there is more than the trees that `mkfs.btrfs` makes, of which it keeps two copies at most.
const EMPTY: u64 = 1 << 20;

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    for at in PLACES {
        let is_ours = |sb: &Vec<u8>| sb[64..72] == *b"_BHRfS_M" && le64(sb, 48) == Some(at);
        if let Some(sb) = read_whole(&**source, at, 4096)?.filter(is_ours) {
            return Ok(Some(read(&sb, at)));
        }
    }
    Ok(None)
}

fn read(sb: &[u8], at: u64) -> Signature {
    let mut found = Signature::new("btrfs", Role::FileSystem, ADVICE);
    found.uuid = uuid(&sb[32..48]);
    found.label = label(&sb[0x12b..0x22b]);
    found.size = le64(sb, 0x70);
    if let Some(used) = le64(sb, 0x78) {
        (found.is_empty, found.is_used) = (used <= EMPTY, used > EMPTY);
    }
    if let Some(devices) = le64(sb, 0x88).filter(|devices| *devices != 1) {
        found.facts.push(("devices", devices.to_string()));
    }
    if at != PLACES[0] {
        found.facts.push(("superblock", format!("the copy at byte {at}: the first is damaged")));
    }
    found
}
