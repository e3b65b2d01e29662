//! Which files the unreadable parts of a disk hit, and which of its bytes are still needed for them.

use std::fmt::Write as _;

use rayon::prelude::*;

use crate::bytes::{Span, Spans};
use crate::node::{Backing, Extent, Kind, Node};
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;
use crate::tree::{ItemId, Tree};

/// Items looked at by one thread at once.
const CHUNK: usize = 1024;

/// Smallest unit that ddrescue reads.
const SECTOR: u64 = 512;

/// A path whose contents (or, of a directory, entries) lie partly on unreadable bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Affected {
    /// The path.
    pub item: ItemId,
    /// Bytes of the file that can not be read.
    pub lost: Spans,
    /// Bytes of the volume that would bring them back.
    pub needed: Spans,
}

/// Those of some paths of a tree that touch the bytes `bad` of its volume, in the same order.
///
/// # Errors
/// When the source is gone.
pub fn affected(
    tree: &Tree,
    items: &[ItemId],
    bad: &Spans,
    progress: &dyn Progress,
) -> Result<Vec<Affected>, SourceGone> {
    progress.stage("looking for files on unreadable parts", Some(items.len() as u64), Unit::Items);
    let hit: Result<Vec<Vec<Affected>>, SourceGone> = items
        .par_chunks(CHUNK)
        .map(|part| {
            let mut hit = Vec::new();
            for (&item, node) in part.iter().zip(tree.nodes(part)?) {
                if let Some(node) = node {
                    hit.extend(touched(tree, item, &node, bad)?);
                }
            }
            progress.advance(part.len() as u64);
            Ok(hit)
        })
        .collect();
    Ok(hit?.into_iter().flatten().collect())
}

fn touched(tree: &Tree, item: ItemId, node: &Node, bad: &Spans) -> Result<Option<Affected>, SourceGone> {
    if !matches!(node.kind, Kind::File | Kind::Directory | Kind::Symlink) {
        return Ok(None);
    }
    let mut it = Affected { item, lost: Spans::new(), needed: Spans::new() };
    for Extent { logical, len, backing } in tree.fs().mapping(node)?.extents {
        let Backing::Device { member: 0, offset } = backing else { continue };
        for span in bad.within(Span::new(offset, len)) {
            it.needed.insert(span);
            it.lost.insert(Span::new(logical.saturating_add(span.start - offset), span.len()));
        }
    }
    Ok((!it.needed.is_empty()).then_some(it))
}

/// A ddrescue domain map (its manual, "Mapfile structure") that limits a rescue to `needed`, of a disk of `size` bytes.
pub fn domain_map(needed: &Spans, size: u64) -> String {
    let sectors = needed.iter().map(|span| Span {
        start: span.start / SECTOR * SECTOR,
        end: span.end.next_multiple_of(SECTOR).min(size.max(span.end)),
    });
    let sectors: Spans = sectors.collect();
    let mut map = String::from("# Domain of a rescue: only what is marked + is still needed.\n0x00000000  ?  1\n");
    let mut line = |span: Span, status: char| {
        if !span.is_empty() {
            let _ = writeln!(map, "0x{:08X}  0x{:08X}  {status}", span.start, span.len());
        }
    };
    let mut at = 0;
    for span in sectors.iter() {
        line(Span { start: at, end: span.start }, '?');
        line(span, '+');
        at = span.end;
    }
    line(Span { start: at, end: size.max(at) }, '?');
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_map_covers_the_disk_once() {
        let needed: Spans = [Span::new(1000, 100), Span::new(4096, 512)].into_iter().collect();
        let lines = [
            "# Domain of a rescue: only what is marked + is still needed.",
            "0x00000000  ?  1",
            "0x00000000  0x00000200  ?",
            "0x00000200  0x00000400  +",
            "0x00000600  0x00000A00  ?",
            "0x00001000  0x00000200  +",
            "0x00001200  0x0000EE00  ?",
        ];
        assert_eq!(domain_map(&needed, 65536), lines.join("\n") + "\n");
        // What ours marks is what the reader of mapfiles calls finished.
        let unfinished = crate::source::mapfile::unfinished(&domain_map(&needed, 65536)).unwrap();
        assert_eq!(unfinished.total(), 65536 - 1024 - 512);
    }
}
