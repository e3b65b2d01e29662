//! Recognising, finding and opening exFAT volumes.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock, RwLock};

use once_cell::sync::OnceCell;

use super::dir::Item;
use super::disk::{BITMAP, LABEL, NOT_SUMMED, REGION_SECTORS, Slot, StreamEntry, stream_entry, table_checksum};
use super::geometry::Geometry;
use super::salvage::infer::{Inferred, infer};
use super::{Exfat, codes};
use crate::bytes::{Span, le32};
use crate::finding::{Finding, Log, Place};
use crate::fs::cluster::{Cluster, ClusterSet, Layout, Object, Runs, Table, Width, follow};
use crate::fs::{FileSystem, Members, OpenOptions, Sniffed};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, read_whole};

/// Bytes of a boot sector that are looked at.
pub const BOOT: usize = 512;

/// Recognises an exFAT volume by its boot sector.
pub fn sniff(source: &Source) -> Result<Option<Sniffed>, SourceGone> {
    Ok(boot_at(source, 0)?.map(|geometry| sniffed(&geometry)))
}

/// What a geometry says of its volume.
pub fn sniffed(geometry: &Geometry) -> Sniffed {
    Sniffed { kind: "exfat", label: None, uuid: geometry.serial.map(serial_text), size: geometry.size }
}

/// The volume's serial number as `blkid` writes it.
pub fn serial_text(serial: u32) -> String {
    format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff)
}

fn boot_at(source: &Source, at: u64) -> Result<Option<Geometry>, SourceGone> {
    Ok(read_whole(&**source, at, BOOT)?.and_then(|bytes| Geometry::from_boot_sector(&bytes)))
}

/// True where the checksum of the boot region at `at` matches; `None` where it can not be read.
pub fn region_is_sound(source: &Source, at: u64, sector: u64) -> Result<Option<bool>, SourceGone> {
    let len = (REGION_SECTORS * sector) as usize;
    let Some(bytes) = read_whole(&**source, at, len)? else { return Ok(None) };
    let (region, sums) = bytes.split_at(len - sector as usize);
    let sum = table_checksum(0, region, &NOT_SUMMED);
    Ok(Some(sums.chunks_exact(4).all(|four| le32(four, 0) == Some(sum))))
}

/// Opens an exFAT volume, through its backup boot region where the first is damaged.
pub fn open(
    members: &Members,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<Option<Arc<dyn FileSystem>>, SourceGone> {
    let Some(source) = members.first() else { return Ok(None) };
    let (mut log, mut decisions) = (Log::new(), Vec::new());
    let Some(geometry) = find_geometry(source, options, &mut log, &mut decisions, progress)? else { return Ok(None) };
    Ok(Some(Arc::new(Exfat::new(source.clone(), geometry, options, log, decisions)?)))
}

fn find_geometry(
    source: &Source,
    options: &OpenOptions,
    log: &mut Log,
    decisions: &mut Vec<String>,
    progress: &dyn Progress,
) -> Result<Option<Geometry>, SourceGone> {
    let place = || Place::volume().at(Span::new(0, BOOT as u64));
    let primary = boot_at(source, 0)?;
    let sound = match &primary {
        Some(geometry) => region_is_sound(source, 0, geometry.sector_size)?.unwrap_or(false),
        None => false,
    };
    if sound || options.strict {
        return Ok(primary);
    }
    for size in [512, 1024, 2048, 4096] {
        let at = REGION_SECTORS * size;
        let Some(geometry) = boot_at(source, at)?.filter(|geometry| geometry.sector_size == size) else { continue };
        if !region_is_sound(source, at, size)?.unwrap_or(false) && primary.is_some() {
            continue;
        }
        let code = if primary.is_some() { codes::BOOT_CHECKSUM } else { codes::BOOT_SECTOR };
        log.add(Finding::new(code, place(), "a damaged boot region", "the backup boot region was used"));
        decisions.push("the boot region is damaged: its backup was used".to_owned());
        return Ok(Some(geometry));
    }
    if let Some(geometry) = primary {
        log.add(Finding::new(codes::BOOT_CHECKSUM, place(), "a checksum that does not match", ""));
        return Ok(Some(geometry));
    }
    let Some(Inferred { geometry, evidence }) = infer(source, progress)? else { return Ok(None) };
    log.add(Finding::new(codes::BOOT_SECTOR, place(), "no boot region", "what was inferred was used"));
    decisions.push(format!("there is no boot region: the geometry was inferred from {evidence}"));
    Ok(Some(geometry))
}

/// What the root directory tells of the volume.
#[derive(Default)]
pub struct RootFacts {
    /// The bitmap's entry.
    pub bitmap: Option<StreamEntry>,
    /// The up-case table's entry.
    pub upcase: Option<Slot>,
    /// The label's entry.
    pub label: Option<Slot>,
}

impl Exfat {
    fn new(
        source: Source,
        geometry: Geometry,
        options: &OpenOptions,
        mut log: Log,
        decisions: Vec<String>,
    ) -> Result<Self, SourceGone> {
        if source.len() < geometry.size {
            let gone = Span { start: source.len(), end: geometry.size };
            let found = format!("{} bytes", source.len());
            log.add(Finding::new(codes::TRUNCATED, Place::volume().at(gone), found, geometry.size.to_string()));
        }
        let table = Table::new(source.clone(), Width::Exfat, geometry.layout, &geometry.tables);
        let mut exfat = Exfat {
            source,
            geometry,
            table,
            utc_offset: options.utc_offset,
            log,
            decisions,
            label: None,
            bitmap: None,
            leads: RwLock::default(),
            seams: RwLock::default(),
            survey: OnceCell::new(),
            pieced: OnceLock::new(),
        };
        let facts = exfat.root_facts()?;
        exfat.label = facts.label.and_then(label_text);
        exfat.bitmap = match facts.bitmap {
            Some(entry) => exfat.read_bitmap(&entry)?,
            None => None,
        };
        Ok(exfat)
    }

    /// What the root directory tells of the volume.
    pub(super) fn root_facts(&self) -> Result<RootFacts, SourceGone> {
        let mut facts = RootFacts::default();
        let Some(root) = self.directory(Object::Root.id())? else { return Ok(facts) };
        self.walk(&root.runs, &mut |item| {
            if let Item::Other(slot) = item {
                match slot[0] {
                    // With two tables there are two bitmaps; bit 0 of the flags tells them apart.
                    BITMAP if facts.bitmap.is_none() => facts.bitmap = Some(stream_entry(slot)),
                    super::disk::UPCASE if facts.upcase.is_none() => facts.upcase = Some(slot),
                    LABEL if facts.label.is_none() => facts.label = Some(slot),
                    _ => {}
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(facts)
    }

    /// The clusters of a file that the root directory names.
    pub(super) fn system_runs(&self, entry: &StreamEntry) -> Result<Option<Runs>, SourceGone> {
        let Some(start) = self.layout().cluster(entry.FirstCluster.get()) else { return Ok(None) };
        let need = self.layout().clusters_for(entry.DataLength.get());
        let runs = follow(&self.table, start, need)?.runs;
        // Both lie in one piece on every volume; the table may be damaged.
        Ok(Some(if runs.count() < need { Runs::contiguous(self.layout(), start, need) } else { runs }))
    }

    fn read_bitmap(&self, entry: &StreamEntry) -> Result<Option<ClusterSet>, SourceGone> {
        let wanted = u64::from(self.layout().count()).div_ceil(8);
        let Some(runs) = self.system_runs(entry)? else { return Ok(None) };
        if entry.DataLength.get() < wanted {
            return Ok(None);
        }
        let mut set = ClusterSet::new(self.layout());
        let mut clusters = self.layout().clusters();
        for cluster in runs.clusters() {
            if !read_bits(&self.source, self.layout(), cluster, &mut clusters, &mut set)? {
                return Ok(None);
            }
        }
        Ok(Some(set))
    }
}

/// Reads one cluster of the bitmap; false where it can not be read.
fn read_bits(
    source: &Source,
    layout: &Layout,
    cluster: Cluster,
    clusters: &mut impl Iterator<Item = Cluster>,
    set: &mut ClusterSet,
) -> Result<bool, SourceGone> {
    let len = layout.cluster_size().min(u64::from(layout.count()).div_ceil(8)) as usize;
    let Some(bytes) = read_whole(&**source, layout.offset(cluster), len)? else { return Ok(false) };
    for byte in bytes {
        for bit in 0..8 {
            let Some(cluster) = clusters.next() else { return Ok(true) };
            if byte & 1 << bit != 0 {
                set.insert(cluster);
            }
        }
    }
    Ok(true)
}

fn label_text(slot: Slot) -> Option<Vec<u8>> {
    let len = usize::from(slot[1]).min(11);
    let units = slot[2..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).take(len);
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    (!text.is_empty()).then(|| text.into_bytes())
}
