//! Compressed files: an image of a disk is often kept as one.

use super::{Role, Signature};
use crate::source::{Source, SourceGone, read_whole};

/// A mark, the kind, and how to unpack it.
const MARKS: &[(&[u8], &str, &[&str])] = &[
    (b"\x1f\x8b\x08", "gzip", &["gunzip --stdout IMAGE > disk.raw", "offmount info disk.raw"]),
    (b"\xfd7zXZ\0", "xz", &["xz --decompress --stdout IMAGE > disk.raw", "offmount info disk.raw"]),
    (b"\x28\xb5\x2f\xfd", "zstd", &["zstd --decompress --stdout IMAGE > disk.raw", "offmount info disk.raw"]),
    (b"\x04\x22\x4d\x18", "lz4", &["lz4 -d IMAGE disk.raw", "offmount info disk.raw"]),
    (b"BZh", "bzip2", &["bzip2 --decompress --stdout IMAGE > disk.raw", "offmount info disk.raw"]),
    (b"PK\x03\x04", "zip", &["7z x IMAGE"]),
    (b"7z\xbc\xaf\x27\x1c", "7z", &["7z x IMAGE"]),
];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let Some(head) = read_whole(&**source, 0, 8)? else { return Ok(None) };
    let found = MARKS.iter().find(|(magic, ..)| head.starts_with(magic));
    Ok(found.map(|(_, kind, advice)| Signature::new(kind, Role::Image, advice)))
}
