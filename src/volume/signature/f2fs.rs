//! F2FS. Superblock as the kernel's `include/linux/f2fs_fs.h` gives it.

use super::{Role, Signature, label16, uuid};
use crate::bytes::{le32, le64};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t f2fs -o ro,norecovery DEVICE /mnt", "fsck.f2fs --dry-run DEVICE"];

/// The superblock and its copy, each 1 KiB into a block of 4 KiB.
const PLACES: [u64; 2] = [1024, 4096 + 1024];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    for at in PLACES {
        let Some(sb) = read_whole(&**source, at, 1148)? else { continue };
        let shift = le32(&sb, 16).filter(|shift| (9..=16).contains(shift));
        let (Some(0xf2f5_2010), Some(shift)) = (le32(&sb, 0), shift) else { continue };
        let mut found = Signature::new("f2fs", Role::FileSystem, ADVICE);
        found.size = le64(&sb, 36).and_then(|blocks| blocks.checked_mul(1 << shift));
        found.uuid = uuid(&sb[108..124]);
        found.label = label16(sb[124..1148].chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])));
        return Ok(Some(found));
    }
    Ok(None)
}
