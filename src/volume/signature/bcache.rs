//! bcache and bcachefs, which share the place of their superblock.

use super::{Role, Signature, label, uuid};
use crate::source::{Source, SourceGone, read_whole};

const BCACHE: [u8; 16] = *b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81";
const BCACHEFS: [u8; 16] = *b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef";

const BCACHE_ADVICE: &[&str] = &["bcache-super-show DEVICE"];
const BCACHEFS_ADVICE: &[&str] =
    &["bcachefs show-super DEVICE", "mount -t bcachefs -o ro,nochanges,norecovery DEVICE /mnt"];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    let Some(sb) = read_whole(&**source, 4096, 128)? else { return Ok(None) };
    let magic = &sb[24..40];
    let mut found = if magic == BCACHE {
        Signature { uuid: uuid(&sb[40..56]), ..Signature::new("bcache", Role::Container, BCACHE_ADVICE) }
    } else if magic == BCACHEFS {
        Signature { uuid: uuid(&sb[56..72]), ..Signature::new("bcachefs", Role::FileSystem, BCACHEFS_ADVICE) }
    } else {
        return Ok(None);
    };
    found.label = label(&sb[72..104]);
    Ok(Some(found))
}
