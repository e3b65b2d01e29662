//! Geometry without a boot sector: from the tables, which begin with a mark and come in equal copies, and from the
//! directories, whose `.` entries say which cluster they lie in.

use std::collections::HashMap;

use crate::bytes::{Span, le16, le32};
use crate::fs::cluster::{Layout, Table, Width};
use crate::fs::fat::dir::{is_dot, is_dotdot};
use crate::fs::fat::disk::{ENTRY, ShortEntry};
use crate::fs::fat::geometry::{Geometry, Root};
use crate::fs::search::{Sightings, sightings};
use crate::progress::{Progress, Unit};
use crate::source::{Source, SourceGone, read_whole};

/// Smallest unit in which anything is aligned.
const SECTOR: u64 = 512;
/// Directories that are looked at; two suffice.
const MOST_HEADS: usize = 4096;
/// Directories that are asked whether a table is one.
const MOST_ASKED: usize = 256;
/// Marks of tables that are looked at.
const MOST_MARKS: usize = 128;
/// Bytes of a fixed root directory where nothing tells its size: 512 entries, as all formatters choose for disks.
const USUAL_ROOT: u64 = 512 * ENTRY as u64;
/// Largest cluster that any system makes.
const LARGEST_CLUSTER: u64 = 256 << 10;

/// A geometry that was inferred, and what speaks for it.
pub struct Inferred {
    /// The geometry.
    pub geometry: Geometry,
    /// What speaks for it, in a few words.
    pub evidence: String,
    /// 0 to 100.
    pub confidence: u8,
}

/// A directory's first cluster, found by its `.` entry.
#[derive(Clone, Copy)]
struct Head {
    offset: u64,
    cluster: u32,
}

/// The beginning of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    offset: u64,
    width: Width,
}

/// The copies of a table.
#[derive(Clone, Debug)]
struct Tables {
    offsets: Vec<u64>,
    size: u64,
    width: Width,
}

/// Searches the source for what is left of a FAT volume without boot sectors.
pub fn infer(source: &Source, progress: &dyn Progress) -> Result<Option<Inferred>, SourceGone> {
    progress.stage("searching for FAT tables and directories", Some(source.len()), Unit::Bytes);
    sightings::<Clues>(source, progress)?.inferred(source)
}

/// What a volume without boot sectors is known by.
#[derive(Default)]
pub struct Clues {
    heads: Vec<Head>,
    marks: Vec<Mark>,
}

impl Sightings for Clues {
    fn look(source: &Source, at: u64, chunk: &[u8]) -> Self {
        // Tables stand at the front: behind a few reserved sectors, and an entry is a hundredth of a cluster at most.
        let front = (32 << 20) + source.len() / 64;
        let mut clues = Clues::default();
        for (offset, sector) in (at..).step_by(SECTOR as usize).zip(chunk.chunks_exact(SECTOR as usize)) {
            if let Some(cluster) = head_of(sector) {
                clues.heads.push(Head { offset, cluster });
            }
            if offset < front {
                clues.marks.extend(marks_of(sector).into_iter().flatten().map(|width| Mark { offset, width }));
            }
        }
        clues
    }

    fn add(&mut self, later: Self) {
        let room = MOST_HEADS.saturating_sub(self.heads.len());
        self.heads.extend(later.heads.into_iter().take(room));
        let room = MOST_MARKS.saturating_sub(self.marks.len());
        self.marks.extend(later.marks.into_iter().take(room));
    }
}

impl Clues {
    /// The geometry that all of them speak for.
    pub fn inferred(&self, source: &Source) -> Result<Option<Inferred>, SourceGone> {
        let Clues { heads, marks } = self;
        Ok(match solve(heads) {
            Some(places) => from_directories(source, heads, places, marks)?,
            None => tables_of(source, marks)?.and_then(|tables| from_tables(source, heads, &tables)),
        })
    }
}

/// The cluster number in the `.` entry of a directory's first sector.
fn head_of(sector: &[u8]) -> Option<u32> {
    if !sector.starts_with(b".          ") {
        return None;
    }
    let (dot, dotdot) = (ShortEntry::decode(sector), ShortEntry::decode(&sector[ENTRY..]));
    let cluster = dot.first_cluster(true);
    (is_dot(&dot) && is_dotdot(&dotdot) && cluster >= 2 && dot.DIR_FileSize.get() == 0).then_some(cluster)
}

/// The kinds of table that may begin with a sector, the likelier first: a FAT12 whose first file has one cluster begins
/// like a FAT16.
fn marks_of(sector: &[u8]) -> [Option<Width>; 2] {
    let media = sector.first().copied().unwrap_or(0);
    let is_mark = (media == 0xf0 || media >= 0xf8) && sector[1..3] == [0xff; 2] && sector[..16] != [0xff; 16];
    if !is_mark {
        return [None; 2];
    }
    // In the second entry the two highest bits tell of the shutdown.
    let second32 = le32(sector, 4).is_some_and(|second| second & 0x03ff_ffff == 0x03ff_ffff);
    let second16 = le16(sector, 2).is_some_and(|second| second & 0x3fff == 0x3fff);
    match (sector[3] == 0x0f && second32, second16) {
        (true, _) => [Some(Width::ThirtyTwo), None],
        (false, true) => [Some(Width::Sixteen), Some(Width::Twelve)],
        (false, false) => [Some(Width::Twelve), None],
    }
}

/// Where the directories say that clusters lie.
#[derive(Clone, Copy)]
struct Places {
    heap: u64,
    size: u64,
    /// Pairs of directories that say so.
    votes: usize,
}

/// Where cluster 2 would lie and how large clusters are, from the directories: the answer that most pairs give.
fn solve(heads: &[Head]) -> Option<Places> {
    let mut votes: HashMap<(u64, u64), usize> = HashMap::new();
    for (i, one) in heads.iter().enumerate() {
        for other in heads[i + 1..].iter().take(8) {
            let (Some(apart), Some(clusters)) =
                (other.offset.checked_sub(one.offset), other.cluster.checked_sub(one.cluster))
            else {
                continue;
            };
            if clusters == 0 || apart % u64::from(clusters) != 0 {
                continue;
            }
            let size = apart / u64::from(clusters);
            let heap = one.offset.checked_sub(u64::from(one.cluster - 2) * size);
            if let Some(heap) = heap.filter(|_| size.is_power_of_two() && (SECTOR..=LARGEST_CLUSTER).contains(&size)) {
                *votes.entry((heap, size)).or_default() += 1;
            }
        }
    }
    let ((heap, size), votes) = votes.into_iter().max_by_key(|&(place, votes)| (votes, place))?;
    Some(Places { heap, size, votes })
}

/// Tables that come in two equal copies, the first such pair.
fn tables_of(source: &Source, marks: &[Mark]) -> Result<Option<Tables>, SourceGone> {
    for (i, one) in marks.iter().enumerate() {
        for other in marks[i + 1..].iter().filter(|other| other.width == one.width) {
            let size = other.offset - one.offset;
            if similar(source, one.offset, other.offset, size)? {
                return Ok(Some(Tables { offsets: vec![one.offset, other.offset], size, width: one.width }));
            }
        }
    }
    Ok(None)
}

/// Bytes compared at once.
const PIECE: usize = 128;

/// True where two stretches mostly agree.
fn similar(source: &Source, one: u64, other: u64, len: u64) -> Result<bool, SourceGone> {
    let len = len.min(16 << 10) as usize;
    let (Some(one), Some(other)) = (read_whole(&**source, one, len)?, read_whole(&**source, other, len)?) else {
        return Ok(false);
    };
    // Counted in short pieces, each of which a byte can count: so it goes many at a time.
    let equal_in = |(one, other): (&[u8], &[u8])| one.iter().zip(other).map(|(a, b)| u8::from(a == b)).sum::<u8>();
    let equal: usize = one.chunks(PIECE).zip(other.chunks(PIECE)).map(equal_in).map(usize::from).sum();
    Ok(equal * 10 >= len * 9)
}

/// The tables in front of the clusters: two equal ones of the right size, or the one that most directories agree with.
fn tables_before(
    source: &Source,
    heads: &[Head],
    marks: &[Mark],
    heap: u64,
    count: u64,
) -> Result<Option<Tables>, SourceGone> {
    let possible = |mark: &Mark| {
        let kind = match mark.width {
            Width::Twelve => count < 4085,
            Width::Sixteen => (4085..65_525).contains(&count),
            Width::ThirtyTwo | Width::Exfat => true,
        };
        let room = if mark.width == Width::ThirtyTwo { 0 } else { ENTRY as u64 };
        kind && mark.offset + mark.width.bytes(count + 2) + room <= heap
    };
    let marks: Vec<Mark> = marks.iter().filter(|mark| possible(mark)).copied().collect();
    for (i, one) in marks.iter().enumerate() {
        for other in marks[i + 1..].iter().filter(|other| other.width == one.width) {
            let size = other.offset - one.offset;
            let fits = size >= one.width.bytes(count + 2) && other.offset + size <= heap;
            if fits && similar(source, one.offset, other.offset, size)? {
                return Ok(Some(Tables { offsets: vec![one.offset, other.offset], size, width: one.width }));
            }
        }
    }
    // One copy is gone, or there never was a second. What lies within a table may look like the beginning of one.
    let mut best = None;
    for mark in marks {
        let agreeing = agreeing(source, heads, mark)?;
        if best.is_none_or(|(known, _)| agreeing > known) {
            best = Some((agreeing, mark));
        }
    }
    Ok(best.map(|(_, mark)| {
        let size = mark.width.bytes(count + 2).next_multiple_of(SECTOR);
        Tables { offsets: vec![mark.offset], size, width: mark.width }
    }))
}

/// How many directories have a cluster that a table beginning at this mark calls used.
fn agreeing(source: &Source, heads: &[Head], mark: Mark) -> Result<usize, SourceGone> {
    let highest = heads.iter().map(|head| head.cluster).max().unwrap_or(0);
    let Some(layout) = Layout::new(0, SECTOR, highest.min(mark.width.mask())) else { return Ok(0) };
    let table = Table::new(source.clone(), mark.width, layout, &[mark.offset]);
    let mut count = 0;
    for cluster in heads.iter().take(MOST_ASKED).filter_map(|head| layout.cluster(head.cluster)) {
        count += usize::from(table.link(0, cluster)?.is_used());
    }
    Ok(count)
}

fn from_directories(
    source: &Source,
    heads: &[Head],
    places: Places,
    marks: &[Mark],
) -> Result<Option<Inferred>, SourceGone> {
    let Places { heap, size, votes } = places;
    let highest = heads.iter().map(|head| u64::from(head.cluster)).max().unwrap_or(0);
    // A truncated image still knows of the clusters that its directories lay in.
    let count = (source.len().saturating_sub(heap) / size).max(1);
    let tables = tables_before(source, heads, marks, heap, count)?;
    let found = tables.as_ref().map_or(0, |tables| tables.offsets.len());
    if found == 0 && votes < 2 {
        return Ok(None);
    }
    let width = match &tables {
        Some(tables) => tables.width,
        None => guess_width(source, heap, count.max(highest))?,
    };
    let count = if width == Width::Twelve { count.min(4084) } else { count };
    let root = match (width, &tables) {
        (Width::ThirtyTwo, _) => Root::Chain(2),
        (_, Some(Tables { offsets, size, .. })) if offsets.len() > 1 => {
            Root::Fixed(Span { start: offsets[1] + size, end: heap })
        }
        _ => Root::Fixed(Span { start: heap.saturating_sub(USUAL_ROOT), end: heap }),
    };
    let evidence = format!("{votes} pairs of directories and {found} tables");
    let offsets = tables.map_or(Vec::new(), |tables| tables.offsets);
    // Directories alone give way to a header that has copies.
    let confidence = if found > 0 { 80 } else { 55 };
    Ok(inferred(heap, size, count, width, offsets, root, evidence, confidence))
}

/// The kind of table where none is left: by the number of clusters, unless the root directory lies in the first.
fn guess_width(source: &Source, heap: u64, count: u64) -> Result<Width, SourceGone> {
    let bytes = read_whole(&**source, heap, ENTRY)?.unwrap_or_default();
    let first = ShortEntry::decode(&bytes);
    let root = first.is_label() || (first.is_long() && first.DIR_NTRes == 0);
    Ok(match count {
        _ if root => Width::ThirtyTwo,
        0..4085 => Width::Twelve,
        4085..65_525 => Width::Sixteen,
        _ => Width::ThirtyTwo,
    })
}

/// Without two directories, the size of clusters follows from the size of the table.
fn from_tables(source: &Source, heads: &[Head], tables: &Tables) -> Option<Inferred> {
    let end = tables.offsets.last()? + tables.size;
    let fat32 = tables.width == Width::ThirtyTwo;
    let heap = if fat32 { end } else { end + if source.len() < 4 << 20 { 224 * ENTRY as u64 } else { USUAL_ROOT } };
    let fits = |size: &u64| {
        let count = source.len().saturating_sub(heap) / size;
        tables.width.bytes(count + 2) <= tables.size
            && heads.iter().all(|head| heap + u64::from(head.cluster - 2) * size == head.offset)
    };
    let size = (9..=18).map(|shift| 1u64 << shift).find(fits)?;
    let count = source.len().saturating_sub(heap) / size;
    let root = if fat32 { Root::Chain(2) } else { Root::Fixed(Span { start: end, end: heap }) };
    inferred(heap, size, count, tables.width, tables.offsets.clone(), root, "two equal tables".to_owned(), 50)
}

#[allow(clippy::too_many_arguments, reason = "every number of a geometry, named once")]
fn inferred(
    heap: u64,
    cluster_size: u64,
    count: u64,
    width: Width,
    tables: Vec<u64>,
    root: Root,
    evidence: String,
    confidence: u8,
) -> Option<Inferred> {
    let layout = Layout::new(heap, cluster_size, u32::try_from(count).ok().filter(|&count| count > 0)?)?;
    let geometry = Geometry {
        layout,
        width,
        tables,
        root,
        sector_size: SECTOR,
        size: heap + layout.bytes(),
        fs_info: None,
        backup: None,
        media: None,
        serial: None,
        label: None,
        state: 0,
    };
    Some(Inferred { geometry, evidence, confidence })
}
