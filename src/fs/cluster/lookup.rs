//! Names as FAT and exFAT compare them: without regard to case.

use std::ops::ControlFlow;

use crate::fs::FileSystem;
use crate::node::{Entry, Node};
use crate::source::SourceGone;

/// The entry of this very name, or the first that differs from it in case alone.
pub fn lookup(fs: &dyn FileSystem, dir: &Node, name: &[u8]) -> Result<Option<Entry>, SourceGone> {
    let fold = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase();
    let wanted = fold(name);
    let mut found = None::<Entry>;
    fs.entries(dir, &mut |entry| {
        let exact = entry.name == name;
        if exact || (found.is_none() && fold(&entry.name) == wanted) {
            found = Some(entry);
        }
        if exact { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}
