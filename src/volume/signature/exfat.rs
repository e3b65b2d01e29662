//! exFAT. Main boot sector as Microsoft's exFAT specification gives it (section 3.1).

use super::{Role, Signature};
use crate::bytes::{le32, le64};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t exfat -o ro DEVICE /mnt", "fsck.exfat -n DEVICE"];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let Some(boot) = read_whole(&**source, 0, 512)? else { return Ok(None) };
    let shift = u32::from(boot[108]); // BytesPerSectorShift
    if boot[3..11] != *b"EXFAT   " || !(9..=12).contains(&shift) {
        return Ok(None);
    }
    let mut found = Signature::new("exfat", Role::FileSystem, ADVICE);
    found.size = le64(&boot, 72).and_then(|sectors| sectors.checked_mul(1 << shift)); // VolumeLength
    found.uuid = le32(&boot, 100).map(|serial| format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff));
    Ok(Some(found))
}
