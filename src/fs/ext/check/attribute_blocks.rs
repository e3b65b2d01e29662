//! Pass 1, blocks of extended attributes, which many inodes may share.
//!
//! Tests: each block once, and at the end that as many inodes name it as it says. Needs: the numbers that inodes name.
//! Leaves: the blocks marked in use.

use std::collections::HashMap;
use std::sync::Mutex;

use super::codes;
use super::inodes::Shared;
use super::volume::Volume;
use super::xattrs::{self, Encryption, Problem};
use crate::finding::{Finding, Log, Place};
use crate::source::SourceGone;

use super::super::number::InodeNr;

const SHARDS: usize = 16;

/// What an inode needs to know of its block.
#[derive(Clone, Default)]
pub struct Seen {
    pub encryption: Encryption,
    pub value_bytes: u64,
    pub counts: bool,
}

struct Known {
    seen: Seen,
    claims: bool,
    value_inodes: Vec<u32>,
    /// Inodes that name it; the first of them owns the findings.
    named: u64,
    first: u32,
    references: u32,
    problems: Vec<Problem>,
}

/// The blocks of attributes met so far, by any thread.
#[derive(Default)]
pub struct AttributeBlocks {
    shards: [Mutex<HashMap<u64, Known>>; SHARDS],
}

impl AttributeBlocks {
    /// An inode names a block: judges it if it is the first to do so.
    pub fn visit(&self, shared: &Shared<'_>, inode: InodeNr, block: u64) -> Result<Seen, SourceGone> {
        let mut shard = self.shards[block as usize % SHARDS].lock().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = shard.get_mut(&block) {
            known.named += 1;
            known.first = known.first.min(inode.0);
            return Ok(known.seen.clone());
        }
        let mut known = judge(shared.volume, block)?;
        known.first = inode.0;
        if known.claims {
            shared.found.blocks.claim(block, block + 1, &shared.found.twice);
        }
        let seen = known.seen.clone();
        shard.insert(block, known);
        Ok(seen)
    }

    /// What was found wrong, how often each inode of a value was named, and whether e2fsck gives up: it does where it
    /// would have to correct the count of a block that is none.
    pub fn finish(self, volume: &Volume) -> (Log, HashMap<u32, u64>, bool) {
        let (mut log, mut references, mut gives_up) = (Log::new(), HashMap::new(), false);
        let known = self.shards.into_iter().flat_map(|shard| shard.into_inner().unwrap_or_else(|e| e.into_inner()));
        for (block, known) in known {
            let place = || Place::inode(known.first.into()).at_block(block).at(volume.span(block));
            if known.problems.is_empty() && u64::from(known.references) != known.named {
                log.note(codes::XATTR_REFERENCES, place(), || (known.references.to_string(), known.named.to_string()));
            }
            let is_none = known.problems.iter().any(|problem| problem.code == codes::XATTR_MAGIC);
            gives_up |= is_none && u64::from(known.references) != known.named;
            for inode in &known.value_inodes {
                *references.entry(*inode).or_default() += 1;
            }
            for problem in &known.problems {
                // Every file that shares the block has its attributes in doubt; contents are elsewhere.
                log.add(Finding::new(problem.code, place(), problem.found.clone(), "").costing(known.named, 0));
            }
        }
        (log, references, gives_up)
    }
}

fn judge(volume: &Volume, block: u64) -> Result<Known, SourceGone> {
    let (mut buf, mut problems) = (Vec::new(), Vec::new());
    volume.read_block(block, &mut buf)?;
    let judged = xattrs::in_block(volume, InodeNr(0), block, &buf, &mut problems)?;
    Ok(Known {
        claims: judged.claims,
        seen: Seen {
            encryption: judged.attributes.encryption,
            value_bytes: judged.attributes.value_bytes,
            counts: judged.counts,
        },
        value_inodes: judged.attributes.value_inodes,
        named: 1,
        first: 0,
        references: judged.references,
        problems,
    })
}
