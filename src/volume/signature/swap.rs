//! Linux swap space, and a hibernated system in it. Header as `include/linux/swap.h` gives it (`union swap_header`).

use super::{Role, Signature, label, uuid};
use crate::bytes::{Span, le32};
use crate::source::{Source, SourceGone, read_whole};

/// Sizes of a page on the machines that Linux runs on. The mark ends the first page.
const PAGES: [u64; 5] = [4096, 8192, 16384, 32768, 65536];

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    for page in PAGES {
        let Some(magic) = read_whole(&**source, page - 10, 10)? else { continue };
        let (kind, facts) = match &magic[..] {
            b"SWAPSPACE2" => ("swap", Vec::new()),
            b"SWAP-SPACE" => ("swap", vec![("version", "0".into())]),
            b"S1SUSPEND\0" | b"S2SUSPEND\0" | b"ULSUSPEND\0" | b"LINHIB0001" => {
                ("swsuspend", vec![("state", "a hibernated system: the disk's filesystems were in use".into())])
            }
            _ => continue,
        };
        let mut found = Signature { facts, ..Signature::new(kind, Role::Swap, &[]) };
        if magic != b"SWAP-SPACE"
            && let Some(header) = read_whole(&**source, 1024, 44)?
        {
            found.size = le32(&header, 4).map(|last| (u64::from(last) + 1) * page);
            found.uuid = uuid(&header[12..28]);
            found.label = label(&header[28..44]);
        }
        found.written.insert(Span::new(0, page));
        return Ok(Some(found));
    }
    Ok(None)
}
