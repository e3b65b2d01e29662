//! Recognising, finding and opening FAT volumes.

use std::sync::{Arc, OnceLock, RwLock};

use once_cell::sync::OnceCell;

use zerocopy::FromBytes;

use super::disk::FsInfo;
use super::geometry::{Geometry, Judged};
use super::name::{self, CodePage};
use super::salvage::Agreement;
use super::salvage::infer::{Inferred, infer};
use super::{Fat, codes};
use crate::bytes::{Span, le32};
use crate::finding::{Finding, Log, Place};
use crate::fs::cluster::{Link, Table, Width};
use crate::fs::{FileSystem, Members, OpenOptions, Sniffed};
use crate::progress::Progress;
use crate::source::{Source, SourceGone, read_whole};

/// Bytes of a boot sector that are looked at.
pub const BOOT: usize = 512;
/// Sector number of the backup boot sector, as all known programs choose it.
pub const BACKUP_SECTOR: u64 = 6;

/// Recognises a FAT volume by its boot sector.
pub fn sniff(source: &Source) -> Result<Option<Sniffed>, SourceGone> {
    let boot = boot_at(source, 0, 0)?;
    Ok(boot.map(|judged| sniffed(&judged.geometry)))
}

/// What a geometry says of its volume.
pub fn sniffed(geometry: &Geometry) -> Sniffed {
    Sniffed {
        kind: "vfat",
        label: geometry.label.and_then(|raw| name::label(&raw, CodePage::new(None))),
        uuid: geometry.serial.map(serial_text),
        size: geometry.size,
    }
}

/// The volume's serial number as `blkid` writes it.
pub fn serial_text(serial: u32) -> String {
    format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff)
}

/// The boot sector at `at`, of a volume that begins at `base`, if it is one.
fn boot_at(source: &Source, at: u64, base: u64) -> Result<Option<Judged>, SourceGone> {
    let Some(bytes) = read_whole(&**source, at, BOOT)? else { return Ok(None) };
    let Some(judged) = Geometry::from_boot_sector(&bytes, at) else { return Ok(None) };
    let begins = table_begins(source, base, &judged.geometry)?;
    Ok(is_credible(&bytes, begins).then_some(judged))
}

/// True where one of the tables begins with the media byte.
pub fn table_begins(source: &Source, base: u64, geometry: &Geometry) -> Result<bool, SourceGone> {
    for table in &geometry.tables {
        let bytes = read_whole(&**source, base.saturating_add(*table), 4)?.unwrap_or_default();
        let ones = bytes.get(1..3).is_some_and(|ones| ones == [0xff, 0xff]);
        if ones && bytes.first().copied() == geometry.media {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True for a boot sector with numbers in order for which two marks speak, of those that only habit puts there.
pub fn is_credible(bytes: &[u8], table_begins: bool) -> bool {
    let text = |at: usize| bytes.get(at..at + 3) == Some(b"FAT");
    let foreign = [&b"NTFS    "[..], b"EXFAT   "].contains(&bytes.get(3..11).unwrap_or_default());
    let media = bytes[21];
    let marks = [
        bytes[0] == 0xe9 || (bytes[0] == 0xeb && bytes[2] == 0x90),
        bytes[510..512] == [0x55, 0xaa],
        text(54) || text(82),
        table_begins,
    ];
    !foreign && (media == 0xf0 || media >= 0xf8) && marks.iter().filter(|&&mark| mark).count() >= 2
}

/// Opens a FAT volume, through its backup boot sector where the first is damaged, or says what nothing agrees with.
pub fn open(
    members: &Members,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<Option<Arc<dyn FileSystem>>, SourceGone> {
    let Some(source) = members.first() else { return Ok(None) };
    if let Some(sector) = options.superblock {
        let size = options.block_size.unwrap_or(512);
        let decision = format!("the boot sector in sector {sector} was used, as asked");
        let Some(judged) = boot_at(source, sector.saturating_mul(size), 0)? else { return Ok(None) };
        return Ok(Some(Arc::new(Fat::new(source.clone(), judged, options, vec![decision])?)));
    }
    let said = boot_at(source, 0, 0)?;
    let said = said.map(|judged| Fat::new(source.clone(), judged, options, Vec::new())).transpose()?;
    let agreement = said.as_ref().map(Fat::agreement).transpose()?;
    if options.strict || agreement.is_some_and(|agreement| !agreement.is_poor()) {
        return Ok(said.map(|fat| Arc::new(fat) as Arc<dyn FileSystem>));
    }
    let found = if said.is_some() { "a boot sector that nothing agrees with" } else { "no boot sector" };
    let rootless = said.as_ref().is_some_and(|fat| fat.root_place().is_none());
    let mut best = said.zip(agreement);
    let consider = |judged, decision, best: &mut Option<(Fat, Agreement)>| -> Result<(), SourceGone> {
        let mut fat = Fat::new(source.clone(), judged, options, vec![decision])?;
        if rootless {
            fat.log.add(Finding::new(codes::ROOT_CLUSTER, Place::volume(), "no such cluster", ""));
        }
        let agreement = fat.agreement()?;
        if best.as_ref().is_none_or(|(_, known)| known.weight() < agreement.weight()) {
            *best = Some((fat, agreement));
        }
        Ok(())
    };
    for judged in backups(source, found)? {
        let decision = format!("the boot sector is damaged: its backup in sector {BACKUP_SECTOR} was used");
        consider(judged, decision, &mut best)?;
    }
    if best.as_ref().is_none_or(|(_, agreement)| agreement.is_poor())
        && let Some(Inferred { geometry, evidence, .. }) = infer(source, progress)?
    {
        let judged = Judged { geometry, findings: vec![boot_sector_finding(found, "what was inferred")] };
        let decision = format!("there is {found}: the geometry was inferred from {evidence}");
        consider(judged, decision, &mut best)?;
    }
    let Some((fat, agreement)) = best else { return Ok(None) };
    if agreement.is_poor() {
        fat.table.distrust_garbage()?;
    }
    Ok(Some(Arc::new(fat)))
}

/// The backup boot sector, wherever sectors of some size put it. `found` is what stands in the boot sector's place.
fn backups(source: &Source, found: &str) -> Result<Vec<Judged>, SourceGone> {
    let mut backups = Vec::new();
    for size in [512, 1024, 2048, 4096] {
        let Some(mut judged) = boot_at(source, BACKUP_SECTOR * size, 0)? else { continue };
        if judged.geometry.sector_size == size {
            judged.findings.push(boot_sector_finding(found, "the backup boot sector"));
            backups.push(judged);
        }
    }
    Ok(backups)
}

fn boot_sector_finding(found: &str, used: &str) -> Finding {
    Finding::new(codes::BOOT_SECTOR, Place::volume().at(Span::new(0, 512)), found, format!("{used} was used"))
}

impl Fat {
    fn new(source: Source, judged: Judged, options: &OpenOptions, decisions: Vec<String>) -> Result<Self, SourceGone> {
        let Judged { geometry, findings } = judged;
        let mut log = Log::new();
        log.extend(findings);
        if source.len() < geometry.size {
            let gone = Span { start: source.len(), end: geometry.size };
            let found = format!("{} bytes", source.len());
            let finding = Finding::new(codes::TRUNCATED, Place::volume().at(gone), found, geometry.size.to_string());
            log.add(finding);
        }
        let table = Table::new(source.clone(), geometry.width, geometry.layout, &geometry.tables);
        let (page, utc_offset) = (CodePage::new(options.code_page), options.utc_offset);
        Ok(Fat {
            source,
            geometry,
            table,
            page,
            utc_offset,
            log,
            decisions,
            leads: RwLock::default(),
            survey: OnceCell::new(),
            pieced: OnceLock::new(),
        })
    }

    /// True if a table begins with the media byte, as all do.
    pub(super) fn table_begins(&self) -> bool {
        table_begins(&self.source, 0, &self.geometry).unwrap_or(false)
    }

    /// The label in the root directory, or else the boot sector's.
    pub(super) fn label(&self) -> Option<Vec<u8>> {
        let mut found = None;
        if let Some(place) = self.root_place() {
            // A source that is gone has no label.
            let _ = self.walk(place, &mut |slot| {
                if slot.entry.is_label() && !slot.entry.is_deleted() {
                    found = name::label(&slot.entry.DIR_Name, self.page);
                    return std::ops::ControlFlow::Break(());
                }
                std::ops::ControlFlow::Continue(())
            });
        }
        found.or_else(|| self.geometry.label.and_then(|raw| name::label(&raw, self.page)))
    }

    /// The state bits, in words: those of the boot sector and of the table's second entry.
    pub(super) fn state(&self) -> Vec<&'static str> {
        let second = self.table.raw(0, 1).ok().flatten().unwrap_or(u32::MAX);
        let (shut, sound) = match self.geometry.width {
            Width::ThirtyTwo | Width::Exfat => (0x0800_0000, 0x0400_0000),
            Width::Sixteen => (0x8000, 0x4000),
            Width::Twelve => (0, 0),
        };
        let mut state = Vec::new();
        if self.geometry.state & 1 != 0 || second & shut != shut {
            state.push("not unmounted");
        }
        if self.geometry.state & 2 != 0 || second & sound != sound {
            state.push("disk errors recorded");
        }
        if state.is_empty() {
            state.push("clean");
        }
        state
    }

    /// The number of free clusters: as FSInfo has it, or counted where the table is short.
    pub(super) fn free_clusters(&self) -> Result<Option<u32>, SourceGone> {
        if let Some(info) = self.read_fs_info()? {
            let free = info.FSI_Free_Count.get();
            if free <= self.layout().count() {
                return Ok(Some(free));
            }
        }
        if self.geometry.is_fat32() {
            return Ok(None);
        }
        let mut free = 0;
        for cluster in self.layout().clusters() {
            free += u32::from(self.table.link(0, cluster)? == Link::Free);
        }
        Ok(Some(free))
    }

    /// The FSInfo sector, if it is one.
    pub(super) fn read_fs_info(&self) -> Result<Option<FsInfo>, SourceGone> {
        let Some(at) = self.geometry.fs_info else { return Ok(None) };
        let Some(bytes) = read_whole(&*self.source, at, size_of::<FsInfo>())? else { return Ok(None) };
        let signed = le32(&bytes, 0) == Some(0x4161_5252) && le32(&bytes, 484) == Some(0x6141_7272);
        Ok(FsInfo::read_from_bytes(&bytes).ok().filter(|_| signed))
    }
}
