//! Geometry without a boot region: from the entries of bitmap and up-case table in the root directory, and from the
//! up-case table itself, which every writer makes the same.

use crate::bytes::{le32, le64};
use crate::fs::cluster::{Layout, Width};
use crate::fs::exfat::disk::{BITMAP, ENTRY, UPCASE, table_checksum};
use crate::fs::exfat::geometry::Geometry;
use crate::fs::search::{Sightings, sightings};
use crate::progress::{Progress, Unit};
use crate::source::{Source, SourceGone, read_whole};

/// Smallest unit in which anything is aligned.
const SECTOR: u64 = 512;
/// Largest up-case table: two bytes for each UTF-16 unit.
const LARGEST_UPCASE: u64 = 128 << 10;

/// A geometry that was inferred, and what speaks for it.
pub struct Inferred {
    /// The geometry.
    pub geometry: Geometry,
    /// What speaks for it, in a few words.
    pub evidence: String,
}

/// What the root directory says of the two files of the system.
#[derive(Clone, Copy)]
struct Root {
    offset: u64,
    bitmap_cluster: u32,
    bitmap_bytes: u64,
    upcase_sum: u32,
    upcase_cluster: u32,
    upcase_bytes: u64,
}

/// Roots, and beginnings of up-case tables, that are looked at; one of each suffices.
const MOST: usize = 16;

/// What a volume without boot regions is known by.
#[derive(Default)]
pub struct Clues {
    roots: Vec<Root>,
    upcases: Vec<u64>,
    table: Option<u64>,
}

/// Searches the source for what is left of an exFAT volume without boot regions.
pub fn infer(source: &Source, progress: &dyn Progress) -> Result<Option<Inferred>, SourceGone> {
    progress.stage("searching for an exFAT root directory", Some(source.len()), Unit::Bytes);
    sightings::<Clues>(source, progress)?.inferred(source)
}

impl Sightings for Clues {
    fn look(_: &Source, at: u64, chunk: &[u8]) -> Self {
        let mut clues = Clues::default();
        for (offset, sector) in (at..).step_by(SECTOR as usize).zip(chunk.chunks_exact(SECTOR as usize)) {
            if sector[..8] == [0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] && sector[8..16] != [0xff; 8] {
                clues.table.get_or_insert(offset);
            }
            // The first letters are their own upper case.
            if sector[..8] == [0, 0, 1, 0, 2, 0, 3, 0] {
                clues.upcases.push(offset);
            }
            clues.roots.extend(root_of(sector, offset));
        }
        clues
    }

    fn add(&mut self, later: Self) {
        self.table = self.table.or(later.table);
        self.upcases.extend(later.upcases.into_iter().take(MOST.saturating_sub(self.upcases.len())));
        self.roots.extend(later.roots.into_iter().take(MOST.saturating_sub(self.roots.len())));
    }
}

impl Clues {
    /// The geometry that a root directory and an up-case table agree on.
    pub fn inferred(&self, source: &Source) -> Result<Option<Inferred>, SourceGone> {
        for root in &self.roots {
            for &upcase in &self.upcases {
                if is_upcase(source, upcase, root)?
                    && let Some(geometry) = solve(source, root, upcase, self.table)
                {
                    let evidence = "the root directory and the up-case table".to_owned();
                    return Ok(Some(Inferred { geometry, evidence }));
                }
            }
        }
        Ok(None)
    }
}

fn root_of(sector: &[u8], offset: u64) -> Option<Root> {
    let entry = |kind: u8| sector.chunks_exact(ENTRY).take(4).find(|slot| slot[0] == kind);
    let (bitmap, upcase) = (entry(BITMAP)?, entry(UPCASE)?);
    let root = Root {
        offset,
        bitmap_cluster: le32(bitmap, 20)?,
        bitmap_bytes: le64(bitmap, 24)?,
        upcase_sum: le32(upcase, 4)?,
        upcase_cluster: le32(upcase, 20)?,
        upcase_bytes: le64(upcase, 24)?,
    };
    let possible = root.bitmap_cluster >= 2 && root.upcase_cluster >= 2 && (1..1 << 29).contains(&root.bitmap_bytes);
    (possible && (2..=LARGEST_UPCASE).contains(&root.upcase_bytes)).then_some(root)
}

fn is_upcase(source: &Source, at: u64, root: &Root) -> Result<bool, SourceGone> {
    let bytes = read_whole(&**source, at, root.upcase_bytes as usize)?;
    Ok(bytes.is_some_and(|bytes| table_checksum(0, &bytes, &[]) == root.upcase_sum))
}

/// The one size of clusters with which the bitmap has a bit for each cluster up to the end of the source, and the
/// root directory begins where a cluster does.
fn solve(source: &Source, root: &Root, upcase: u64, table: Option<u64>) -> Option<Geometry> {
    let most = root.bitmap_bytes * 8;
    let sizes = (9..=25).map(|shift| 1u64 << shift);
    let mut best = None::<(u64, Geometry)>;
    for size in sizes {
        let Some(heap) = upcase.checked_sub(u64::from(root.upcase_cluster - 2) * size) else { continue };
        let Some(into) = root.offset.checked_sub(heap).filter(|into| into % size == 0) else { continue };
        let room = source.len().saturating_sub(heap) / size;
        // What the bitmap rounds up to whole bytes; a truncated image has less, a partition's tail a little more.
        let apart = most.abs_diff(room.max(1));
        let count = u32::try_from(most).ok()?;
        let number = u32::try_from(into / size).ok()?.checked_add(2)?;
        let Some(layout) = Layout::new(heap, size, count) else { continue };
        if layout.cluster(number).is_none() || layout.cluster(root.bitmap_cluster).is_none() {
            continue;
        }
        let table = table.filter(|&at| at < heap && heap - at >= Width::Exfat.bytes(most.saturating_sub(6)));
        let geometry = Geometry {
            layout,
            tables: table.into_iter().collect(),
            root: number,
            sector_size: SECTOR,
            size: (heap + layout.bytes()).min(source.len().max(heap + 1)),
            serial: None,
            flags: 0,
            percent: None,
        };
        if best.as_ref().is_none_or(|(known, _)| apart < *known) {
            best = Some((apart, geometry));
        }
    }
    best.map(|(_, geometry)| geometry)
}
