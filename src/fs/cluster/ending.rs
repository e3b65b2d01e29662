//! Where a file ends: what tells whether clusters that were only guessed are a file's.
//!
//! Writers fill the rest of a file's last sector with zeros, or leave there what an older file had. Another file's cluster
//! does not change from contents to zeros, or from text to something else, at the very byte where this file ends.

use super::{Layout, Runs};
use crate::source::{Source, SourceGone, read_whole};

/// Smallest unit that is written.
const SECTOR: u64 = 512;
/// Fewer bytes behind the contents than this prove nothing.
const FEWEST: u64 = 8;
/// Bytes of the contents' end that are looked at.
const BEFORE: u64 = 32;

/// What a file's last sector says of the clusters that were taken for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Contents end and zeros begin where they should.
    Visible,
    /// The sector is too full, or can not be read: nothing tells.
    Unknown,
    /// Nothing changes there.
    Elsewhere,
}

/// How contents of `written` bytes end in the last of these clusters.
///
/// # Errors
/// When the source is gone.
pub fn ending(source: &Source, layout: &Layout, runs: &Runs, written: u64) -> Result<Ending, SourceGone> {
    let Some(last) = runs.last() else { return Ok(Ending::Unknown) };
    let before = u64::from(runs.count() - 1) * layout.cluster_size();
    let Some(end) = written.checked_sub(before).filter(|&end| end > 0 && end <= layout.cluster_size()) else {
        return Ok(Ending::Unknown);
    };
    // Behind a sector that is full, zeros tell too; but nobody has to write them.
    let in_sector = written.next_multiple_of(SECTOR) - written;
    let (rest, otherwise) = match in_sector {
        FEWEST.. => (in_sector, Ending::Elsewhere),
        _ => ((layout.cluster_size() - end).min(in_sector + SECTOR), Ending::Unknown),
    };
    if rest < FEWEST {
        return Ok(Ending::Unknown);
    }
    let before = end.min(BEFORE);
    let bytes = read_whole(&**source, layout.offset(last) + end - before, (before + rest) as usize)?;
    Ok(match bytes.as_deref().and_then(|bytes| bytes.split_at_checked(before as usize)) {
        None => Ending::Unknown,
        Some((contents, rest)) if changes(contents, rest) => Ending::Visible,
        Some(_) => otherwise,
    })
}

/// True where what lies behind a file's contents is visibly something else: zeros, or no text behind text. (Writers that
/// leave the rest of a sector as it was leave older files' bytes there.)
fn changes(contents: &[u8], rest: &[u8]) -> bool {
    let zeros = contents.last() != Some(&0) && rest.iter().all(|&byte| byte == 0);
    let is_text = |bytes: &[u8]| bytes.iter().all(|&byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    let begins = &rest[..rest.len().min(FEWEST as usize)];
    zeros || (contents.len() as u64 == BEFORE && is_text(contents) && !is_text(begins))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::MemorySource;

    #[test]
    fn contents_end_where_zeros_begin() {
        let layout = Layout::new(0, 1024, 4).unwrap();
        let mut bytes = vec![7; 4096];
        bytes[1024 + 700..2048].fill(0);
        let source: Source = Arc::new(MemorySource(bytes));
        let runs = Runs::contiguous(&layout, layout.cluster(2).unwrap(), 2);
        let ends = |written| ending(&source, &layout, &runs, written).unwrap();
        assert_eq!(ends(1024 + 700), Ending::Visible);
        assert_eq!([ends(1024 + 701), ends(1024 + 699)], [Ending::Elsewhere; 2]);
        // A whole cluster, another cluster's end.
        assert_eq!([ends(2048), ends(700)], [Ending::Unknown; 2]);
    }

    #[test]
    fn text_ends_where_something_else_begins() {
        let text = [b"all the words of a letter, and its end\n".as_slice(), &[0x9c; 8]].concat();
        let (contents, rest) = text.split_at(text.len() - 8);
        assert!(changes(&contents[contents.len() - 32..], rest));
        assert!(!changes(&contents[contents.len() - 32..], b"and more"), "text goes on");
        assert!(!changes(&contents[contents.len() - 8..], rest), "too little text");
        assert!(!changes(&[0x9c; 32], rest), "no text");
    }

    #[test]
    fn zeros_behind_a_full_sector_tell_too() {
        let layout = Layout::new(0, 1024, 4).unwrap();
        let mut bytes = vec![7; 4096];
        bytes[512..1024].fill(0);
        let source: Source = Arc::new(MemorySource(bytes));
        let ends = |cluster| {
            ending(&source, &layout, &Runs::contiguous(&layout, layout.cluster(cluster).unwrap(), 1), 512).unwrap()
        };
        assert_eq!([ends(2), ends(3)], [Ending::Visible, Ending::Unknown]);
    }
}
