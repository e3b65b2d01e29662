//! Which superblock and which group descriptors to believe: [`Evidence`].
//!
//! [`choose`] takes the primary ones where nothing speaks against them, and asks [`salvage::evidence`] for better
//! ones otherwise. What it gives is all that the reader knows of where things lie: wherever a [`Geometry`] comes
//! from, reading goes on the same way.

use std::sync::Arc;

use super::checksum;
use super::codes;
use super::disk::at;
use super::disk::superblock::{self, CHECKSUM_TYPE_CRC32C, MAGIC, Superblock};
use super::feature::Word;
use super::geometry::{Copy, Geometry, RawDescriptor, Unfit};
use super::number::GroupNr;
use super::salvage::{self, Traces};
use crate::bytes::Span;
use crate::finding::{Finding, Log, Place};
use crate::fs::OpenOptions;
use crate::progress::Progress;
use crate::source::{ReadAt, Source, SourceGone, read_whole};

/// What is believed of a volume before any of its files is read.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The superblock: read, or made up from what was inferred.
    pub superblock: Superblock,
    /// Where everything lies, the groups placed.
    pub geometry: Geometry,
    /// Nothing speaks against it: checksums are right where there are any, and every place is possible.
    pub sound: bool,
    /// What is wrong.
    pub log: Log,
    /// What was decided, one sentence each, where it is not the obvious.
    pub decisions: Vec<String>,
}

/// The best evidence there is; `None` where the source shows no trace of a filesystem of this kind. `seen` is what a
/// search already saw.
pub fn choose(
    source: &Source,
    options: &OpenOptions,
    seen: Option<Arc<Traces>>,
    progress: &dyn Progress,
) -> Result<Option<Evidence>, SourceGone> {
    let first = if options.superblock.is_some() { forced(&**source, options)? } else { primary(&**source)? };
    if options.strict {
        return Ok(first);
    }
    if let Some(evidence) = first.as_ref().filter(|evidence| evidence.sound)
        && (options.superblock.is_some() || salvage::is_borne_out(source, evidence)?)
    {
        return Ok(first);
    }
    salvage::evidence(source, options, first, seen, progress)
}

/// The primary superblock with the primary descriptors; `None` where there is no such superblock, or it describes no
/// possible volume.
pub fn primary(source: &dyn ReadAt) -> Result<Option<Evidence>, SourceGone> {
    match read_superblock(source, superblock::OFFSET)? {
        Some(sb) => of_superblock(source, sb, Copy::Primary),
        None => Ok(None),
    }
}

/// The superblock that the user names by its block, with the descriptors behind it.
fn forced(source: &dyn ReadAt, options: &OpenOptions) -> Result<Option<Evidence>, SourceGone> {
    let Some(block) = options.superblock else { return Ok(None) };
    let sizes = (10..=16).map(|log| 1u64 << log).filter(|size| options.block_size.is_none_or(|asked| asked == *size));
    for size in sizes {
        // Block 0 of larger blocks has the superblock behind 1024 bytes for the boot loader.
        let offset = block.saturating_mul(size).max(superblock::OFFSET);
        let Some(sb) = read_superblock(source, offset)? else { continue };
        if sb.s_log_block_size.get() > 6 || 1024u64 << sb.s_log_block_size.get() != size {
            continue;
        }
        let copy = match sb.s_block_group_nr.get() {
            0 => Copy::Primary,
            nr => Copy::Backup(GroupNr(nr.into())),
        };
        if let Some(mut evidence) = of_superblock(source, sb, copy)? {
            evidence.decisions.push(format!("The superblock in block {block} is used, as asked."));
            return Ok(Some(evidence));
        }
    }
    Ok(None)
}

/// What stands at `offset`, if it has a superblock's magic number and can be read.
pub fn read_superblock(source: &dyn ReadAt, offset: u64) -> Result<Option<Superblock>, SourceGone> {
    let bytes = read_whole(source, offset, superblock::SIZE)?;
    let sb: Option<Superblock> = bytes.and_then(|bytes| at(&bytes, 0));
    Ok(sb.filter(|sb| sb.s_magic.get() == MAGIC))
}

/// What a superblock's own checksum says of it. Only volumes with metadata_csum have one.
pub fn prove_superblock(sb: &Superblock, geometry: &Geometry) -> Option<checksum::Sums> {
    (geometry.has_checksums() && sb.s_checksum_type == CHECKSUM_TYPE_CRC32C)
        .then(|| checksum::Sums { found: sb.s_checksum.get(), computed: checksum::superblock(sb) })
}

/// The evidence of one superblock with one copy of the descriptors; `None` where it describes no possible volume.
pub fn of_superblock(source: &dyn ReadAt, superblock: Superblock, copy: Copy) -> Result<Option<Evidence>, SourceGone> {
    let mut log = Log::new();
    let Ok(mut geometry) = Geometry::judge(&superblock, &mut log).and_then(|geometry| fits(geometry, source)) else {
        return Ok(None);
    };
    judge_superblock(&superblock, &geometry, &mut log);
    let table = Descriptors::read(source, &geometry, copy)?;
    let descriptors: Vec<_> = (0..geometry.group_count()).map(|nr| table.get(&geometry, GroupNr(nr))).collect();
    geometry.judge_groups(&descriptors, &mut log);
    let sound = log.is_empty();
    judge_length(source, &geometry, &mut log);
    Ok(Some(Evidence { superblock, geometry, sound, log, decisions: Vec::new() }))
}

/// A geometry whose group descriptors the source has room for: what bounds their memory.
fn fits(geometry: Geometry, source: &dyn ReadAt) -> Result<Geometry, Unfit> {
    let bytes = u64::from(geometry.group_count()) * u64::from(geometry.descriptor_size);
    if bytes > source.len() { Err(Unfit("more group descriptors than the volume has room for")) } else { Ok(geometry) }
}

/// What speaks against a superblock that describes a possible volume.
fn judge_superblock(sb: &Superblock, geometry: &Geometry, log: &mut Log) {
    let place = || Place::volume().at(Span::new(superblock::OFFSET, superblock::SIZE as u64));
    if let Some(sums) = prove_superblock(sb, geometry).filter(|sums| !sums.agree()) {
        let facts = (format!("{:08x}", sums.found), format!("{:08x}", sums.computed));
        log.add(Finding::new(codes::SUPERBLOCK_CHECKSUM, place(), facts.0, facts.1));
    }
    let unknown = geometry.features.unknown(Word::Incompat);
    if unknown != 0 {
        log.add(Finding::new(codes::SUPERBLOCK_FEATURES, place(), format!("incompat bits {unknown:#x}"), "none"));
    }
}

/// A source shorter than the volume: a cut image. No fault of the superblock.
fn judge_length(source: &dyn ReadAt, geometry: &Geometry, log: &mut Log) {
    if source.len() < geometry.len() {
        let missing = Span { start: source.len(), end: geometry.len() };
        let finding = Finding::new(
            codes::VOLUME_TRUNCATED,
            Place::volume().at(missing),
            format!("{} bytes", source.len()),
            format!("{} bytes", geometry.len()),
        );
        log.add(finding);
    }
}

/// The bytes of one copy of the group descriptors.
pub struct Descriptors(Vec<Option<Vec<u8>>>);

impl Descriptors {
    /// Reads a copy; blocks of it that are not there or can not be read are left out.
    pub fn read(source: &dyn ReadAt, geometry: &Geometry, copy: Copy) -> Result<Self, SourceGone> {
        let blocks = (0..geometry.descriptor_blocks()).map(|index| {
            let Some(block) = geometry.descriptor_block(index, copy) else { return Ok(None) };
            read_whole(source, geometry.offset(block), geometry.block_size as usize)
        });
        Ok(Descriptors(blocks.collect::<Result<_, _>>()?))
    }

    /// One group's.
    pub fn get(&self, geometry: &Geometry, nr: GroupNr) -> Option<RawDescriptor<'_>> {
        let per_block = geometry.descriptors_per_block();
        let block = self.0.get((nr.0 / per_block) as usize)?.as_deref()?;
        let size = geometry.descriptor_size as usize;
        let start = (nr.0 % per_block) as usize * size;
        block.get(start..start + size).map(RawDescriptor)
    }
}
