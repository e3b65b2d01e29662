//! Disk images in a format of their own: named, with the command that makes a raw image of them.

use super::{Role, Signature};
use crate::bytes::be64;
use crate::source::{Source, SourceGone, read_whole};

const QCOW2: &[&str] = &["qemu-img convert -O raw IMAGE disk.raw", "offmount info disk.raw"];
const EWF: &[&str] = &["ewfmount IMAGE /mnt", "offmount info /mnt/ewf1"];
const SPARSE: &[&str] = &["simg2img IMAGE disk.raw", "offmount info disk.raw"];

/// A mark, where it stands, and what it is the mark of.
const MARKS: &[(u64, &[u8], &str, &[&str])] = &[
    (0, b"QFI\xfb", "qcow2", QCOW2),
    (0, b"KDMV", "vmdk", QCOW2),
    (0, b"COWD", "vmdk", QCOW2),
    (0, b"# Disk DescriptorFile", "vmdk", QCOW2),
    (0, b"conectix", "vhd", QCOW2),
    (0, b"vhdxfile", "vhdx", QCOW2),
    (64, b"\x7f\x10\xda\xbe", "vdi", QCOW2),
    (0, b"EVF\x09\x0d\x0a\xff\x00", "ewf", EWF),
    (0, b"\x3a\xff\x26\xed", "android-sparse", SPARSE),
];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    for &(at, magic, kind, advice) in MARKS {
        if read_whole(&**source, at, magic.len())?.is_some_and(|bytes| bytes == magic) {
            let mut found = Signature::new(kind, Role::Image, advice);
            if kind == "qcow2" {
                found.size = read_whole(&**source, 24, 8)?.and_then(|bytes| be64(&bytes, 0));
            }
            return Ok(Some(found));
        }
    }
    Ok(None)
}
