//! squashfs. Superblock as the kernel's `fs/squashfs/squashfs_fs.h` gives it.

use super::{Role, Signature};
use crate::bytes::{Span, le16, le64};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t squashfs -o ro DEVICE /mnt", "unsquashfs -ll DEVICE"];

const COMPRESSORS: [&str; 6] = ["gzip", "lzma", "lzo", "xz", "lz4", "zstd"];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let Some(sb) = read_whole(&**source, 0, 96)?.filter(|sb| sb.starts_with(b"hsqs")) else { return Ok(None) };
    let mut found = Signature::new("squashfs", Role::FileSystem, ADVICE);
    found.size = le64(&sb, 40);
    // An image is written as a whole.
    found.written.insert(Span::new(0, found.size.unwrap_or(0)));
    found.facts.push(("version", format!("{}.{}", le16(&sb, 28).unwrap_or(0), le16(&sb, 30).unwrap_or(0))));
    let compressor = le16(&sb, 20).and_then(|id| COMPRESSORS.get(usize::from(id).wrapping_sub(1)));
    found.facts.extend(compressor.map(|name| ("compression", (*name).to_owned())));
    Ok(Some(found))
}
