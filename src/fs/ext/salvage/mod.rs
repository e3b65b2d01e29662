//! What is found where the tables of the disk no longer lead.
//!
//! The reader asks at these seams, and reads on the same way whatever the answer:
//!
//! - [`evidence`]: a superblock and descriptors better than the primary ones, asked before and after the journal is
//!   replayed, when the primary ones are not sound;
//! - [`Remains`]: kept by the opened filesystem, empty until a search filled it. Inodes, directory entries and blocks
//!   found in it come before those of the disk.

mod descriptors;
mod generation;
mod infer;
mod layout;
mod record;
mod scan;
mod sighting;
mod superblock;
mod tables;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::evidence::{Evidence, of_superblock};
use super::geometry::Copy;
use super::number::{BlockNr, InodeNr};
use super::{Ext, census};
use crate::fs::{Census, OpenOptions, Stray};
use crate::node::{Entry, NodeId};
use crate::progress::Progress;
use crate::source::{Source, SourceGone};

/// Better evidence than `primary`, which is missing or not sound; `primary` itself where there is none.
///
/// # Errors
/// When the source is gone.
pub fn evidence(
    source: &Source,
    options: &OpenOptions,
    primary: Option<Evidence>,
    progress: &dyn Progress,
) -> Result<Option<Evidence>, SourceGone> {
    let mut best = match superblock::choose(source, options, progress)? {
        Some(chosen) => of_superblock(&**source, chosen.sb, Copy::Primary)?
            .map(|evidence| Evidence { decisions: [evidence.decisions, chosen.decisions].concat(), ..evidence }),
        None if primary.is_none() => return infer::evidence(source, options.block_size, progress),
        None => primary,
    };
    if let Some(best) = &mut best {
        let reserved = best.superblock.s_reserved_gdt_blocks.get();
        best.decisions.extend(descriptors::place(source, &mut best.geometry, reserved)?);
    }
    Ok(best)
}

/// What a search of the whole volume found.
#[derive(Default)]
pub struct Remains {
    /// Better copies of inodes: their whole records.
    pub inodes: HashMap<InodeNr, Arc<[u8]>>,
    /// Better copies of metadata blocks: directory blocks, nodes of extent trees, indirect blocks, attributes.
    pub blocks: HashMap<BlockNr, Arc<[u8]>>,
    /// Entries that belong to a directory beside those its blocks hold.
    pub entries: HashMap<InodeNr, Vec<Entry>>,
    /// The parents of directories whose `..` is lost.
    pub parents: HashMap<InodeNr, NodeId>,
}

/// Searches the whole volume, once.
pub fn salvage(_ext: &Ext, _progress: &dyn Progress) -> Result<(), SourceGone> {
    Ok(())
}

/// The inodes in use that no directory named.
pub fn strays(ext: &Ext, reached: &dyn Fn(NodeId) -> bool, progress: &dyn Progress) -> Result<Vec<Stray>, SourceGone> {
    let mut strays = Vec::new();
    census::census(ext, Census::InUse, progress, &mut |node| {
        if !reached(node.id) {
            strays.push(Stray { node, parent: None, name: None });
        }
        ControlFlow::Continue(())
    })?;
    Ok(strays)
}
