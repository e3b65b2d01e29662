//! Filesystems that servers rarely have: recognised by one mark, and named.

use super::{Role, Signature};
use crate::source::{Source, SourceGone, read_whole};

struct Mark {
    kind: &'static str,
    at: u64,
    magic: &'static [u8],
    advice: &'static [&'static str],
}

const MARKS: &[Mark] = &[
    Mark { kind: "jfs", at: 32768, magic: b"JFS1", advice: &["mount -t jfs -o ro DEVICE /mnt", "fsck.jfs -n DEVICE"] },
    Mark {
        kind: "erofs",
        at: 1024,
        magic: b"\xe2\xe1\xf5\xe0",
        advice: &["mount -t erofs -o ro DEVICE /mnt", "dump.erofs DEVICE"],
    },
    Mark { kind: "ocfs2", at: 8192, magic: b"OCFSV2", advice: &["mount -t ocfs2 -o ro DEVICE /mnt"] },
    Mark { kind: "gfs2", at: 65536, magic: b"\x01\x16\x19\x70", advice: &["fsck.gfs2 -n DEVICE"] },
    Mark {
        kind: "ceph_bluestore",
        at: 0,
        magic: b"bluestore block device\n",
        advice: &["ceph-volume raw list DEVICE"],
    },
    Mark { kind: "hfsplus", at: 1024, magic: b"H+\0\x04", advice: &["mount -t hfsplus -o ro DEVICE /mnt"] },
    Mark { kind: "apfs", at: 32, magic: b"NXSB", advice: &["apfs-fuse DEVICE /mnt"] },
    Mark {
        kind: "ufs",
        at: 8192 + 1372,
        magic: b"\x54\x19\x01\x00",
        advice: &["mount -t ufs -o ro,ufstype=44bsd DEVICE /mnt"],
    },
    Mark {
        kind: "ufs",
        at: 65536 + 1372,
        magic: b"\x19\x01\x54\x19",
        advice: &["mount -t ufs -o ro,ufstype=ufs2 DEVICE /mnt"],
    },
];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    for mark in MARKS {
        if read_whole(&**source, mark.at, mark.magic.len())?.is_some_and(|bytes| bytes == mark.magic) {
            return Ok(Some(Signature::new(mark.kind, Role::FileSystem, mark.advice)));
        }
    }
    Ok(None)
}
