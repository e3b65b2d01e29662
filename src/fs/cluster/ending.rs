//! Where a file ends: what tells whether clusters that were only guessed are a file's.
//!
//! Writers fill the rest of a file's last sector with zeros. Another file's cluster does not change from contents to
//! zeros at the very byte where this file ends.

use super::{Layout, Runs};
use crate::source::{Source, SourceGone, read_whole};

/// Smallest unit that is written.
const SECTOR: u64 = 512;
/// Fewer zeros than this prove nothing.
const FEWEST: u64 = 8;

/// What a file's last sector says of the clusters that were taken for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Contents end and zeros begin where they should.
    Visible,
    /// The sector is too full, or can not be read: nothing tells.
    Unknown,
    /// Zeros begin elsewhere, or nowhere.
    Elsewhere,
}

/// How contents of `written` bytes end in the last of these clusters.
///
/// # Errors
/// When the source is gone.
pub fn ending(source: &Source, layout: &Layout, runs: &Runs, written: u64) -> Result<Ending, SourceGone> {
    let Some(last) = runs.last() else { return Ok(Ending::Unknown) };
    let before = u64::from(runs.count() - 1) * layout.cluster_size();
    let rest = written.next_multiple_of(SECTOR) - written;
    let Some(end) = written.checked_sub(before).filter(|&end| end > 0 && end <= layout.cluster_size()) else {
        return Ok(Ending::Unknown);
    };
    if rest < FEWEST {
        return Ok(Ending::Unknown);
    }
    let bytes = read_whole(&**source, layout.offset(last) + end - 1, 1 + rest as usize)?;
    Ok(match bytes.as_deref().and_then(<[u8]>::split_first) {
        None => Ending::Unknown,
        Some((last, rest)) if *last != 0 && rest.iter().all(|&byte| byte == 0) => Ending::Visible,
        Some(_) => Ending::Elsewhere,
    })
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
        // A whole sector, another cluster's end.
        assert_eq!([ends(2048), ends(700)], [Ending::Unknown; 2]);
    }
}
