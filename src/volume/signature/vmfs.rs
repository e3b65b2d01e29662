//! VMware's VMFS: recognised and named.

use super::{Role, Signature};
use crate::bytes::le32;
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["vmfs-fuse DEVICE /mnt", "vmfs6-fuse DEVICE /mnt"];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let magic = |at: u64| Ok(read_whole(&**source, at, 4)?.and_then(|bytes| le32(&bytes, 0)));
    Ok(if magic(1 << 20)? == Some(0xc001_d00d) {
        Some(Signature::new("VMFS_volume_member", Role::FileSystem, ADVICE))
    } else if magic(2 << 20)? == Some(0x2fab_f15e) {
        Some(Signature::new("VMFS", Role::FileSystem, ADVICE))
    } else {
        None
    })
}
