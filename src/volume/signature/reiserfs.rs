//! ReiserFS, version 3.

use super::{Role, Signature, label, uuid};
use crate::bytes::{le16, le32};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t reiserfs -o ro,nolog DEVICE /mnt", "reiserfsck --check DEVICE"];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let Some(sb) = read_whole(&**source, 64 << 10, 128)? else { return Ok(None) };
    let magic = &sb[52..62];
    if !(magic.starts_with(b"ReIsErFs") || magic.starts_with(b"ReIsEr2Fs") || magic.starts_with(b"ReIsEr3Fs")) {
        return Ok(None);
    }
    let mut found = Signature::new("reiserfs", Role::FileSystem, ADVICE);
    found.size = le32(&sb, 0).zip(le16(&sb, 44)).map(|(blocks, size)| u64::from(blocks) * u64::from(size));
    found.uuid = uuid(&sb[84..100]);
    found.label = label(&sb[100..116]);
    Ok(Some(found))
}
