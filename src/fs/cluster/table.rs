//! The file allocation table: for each cluster the next of its file. Read lazily, in all its copies.
//!
//! Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03, "FAT Data Structure"; Microsoft, "exFAT file
//! system specification", section 4.

use std::sync::OnceLock;

use super::garbage::Garbage;
use super::{Cluster, ClusterSet, Layout};
use crate::bytes::{Buffer, Spans, le16, le32};
use crate::source::{Source, SourceGone};

/// Bytes of the table read at once. A FAT12 table is shorter, so no 12-bit entry crosses a border.
const CHUNK: usize = 64 << 10;

/// Form of the entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Width {
    /// 12 bits, two entries in three bytes.
    Twelve,
    /// 16 bits.
    Sixteen,
    /// 28 of 32 bits; the highest four are reserved.
    ThirtyTwo,
    /// 32 bits, with exFAT's reserved values.
    Exfat,
}

impl Width {
    /// Bytes that `entries` entries take.
    pub fn bytes(self, entries: u64) -> u64 {
        match self {
            Width::Twelve => (entries * 3).div_ceil(2),
            Width::Sixteen => entries * 2,
            Width::ThirtyTwo | Width::Exfat => entries * 4,
        }
    }

    /// Entries that fit in `bytes`.
    pub fn entries(self, bytes: u64) -> u64 {
        match self {
            Width::Twelve => bytes.saturating_mul(2) / 3,
            Width::Sixteen => bytes / 2,
            Width::ThirtyTwo | Width::Exfat => bytes / 4,
        }
    }

    /// The bits of an entry that count.
    pub fn mask(self) -> u32 {
        match self {
            Width::Twelve => 0xfff,
            Width::Sixteen => 0xffff,
            Width::ThirtyTwo => 0x0fff_ffff,
            Width::Exfat => 0xffff_ffff,
        }
    }

    fn read(self, bytes: &[u8], index: usize) -> Option<u32> {
        match self {
            Width::Twelve => {
                let pair = u32::from(le16(bytes, index * 3 / 2)?);
                Some(if index.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 })
            }
            Width::Sixteen => le16(bytes, index * 2).map(u32::from),
            Width::ThirtyTwo | Width::Exfat => le32(bytes, index * 4),
        }
    }
}

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// The cluster is free.
    Free,
    /// The file goes on in another cluster.
    Next(Cluster),
    /// The file ends here.
    End,
    /// The cluster is bad and must not be used.
    Bad,
    /// No cluster of this volume, and none of the reserved values.
    Invalid(u32),
    /// The entry can not be read.
    Unreadable,
}

impl Link {
    /// True for an entry that says its cluster belongs to a file.
    pub fn is_used(self) -> bool {
        matches!(self, Link::Next(_) | Link::End | Link::Invalid(_))
    }
}

struct Chunk {
    bytes: Buffer,
    lost: Spans,
}

struct Copy {
    offset: u64,
    chunks: Vec<OnceLock<Chunk>>,
}

/// The table in all its copies, the active one first.
pub struct Table {
    source: Source,
    width: Width,
    layout: Layout,
    bytes: u64,
    copies: Vec<Copy>,
    /// What is no table in each copy, once that was judged.
    garbage: OnceLock<Vec<Garbage>>,
    /// The clusters that some entry leads to: by all entries, and without garbage.
    pointed: [OnceLock<ClusterSet>; 2],
}

impl Table {
    /// The table whose copies lie at `offsets`, at most 16 of them. What of it lies past the end of the source is
    /// unreadable and takes no memory.
    pub fn new(source: Source, width: Width, layout: Layout, offsets: &[u64]) -> Self {
        let bytes = width.bytes(u64::from(layout.count()) + 2);
        let copy = |&offset: &u64| {
            let within = bytes.min(source.len().saturating_sub(offset));
            let chunks = (0..within.div_ceil(CHUNK as u64)).map(|_| OnceLock::new()).collect();
            Copy { offset, chunks }
        };
        let copies = offsets.iter().take(16).map(copy).collect();
        Table { source, width, layout, bytes, copies, garbage: OnceLock::new(), pointed: Default::default() }
    }

    /// What the volume is read from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Form of the entries.
    pub fn width(&self) -> Width {
        self.width
    }

    /// Where the clusters lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Number of copies.
    pub fn copies(&self) -> usize {
        self.copies.len()
    }

    /// Byte offset of an entry on the volume, in the given copy.
    pub fn offset(&self, copy: usize, number: u32) -> u64 {
        let within = self.width.bytes(u64::from(number) * 2) / 2;
        self.copies.get(copy).map_or(0, |copy| copy.offset.saturating_add(within))
    }

    /// An entry as it lies on the disk, reserved bits included; also of the numbers 0 and 1, which are no clusters.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn raw(&self, copy: usize, number: u32) -> Result<Option<u32>, SourceGone> {
        let Some(copy) = self.copies.get(copy) else { return Ok(None) };
        let at = self.width.bytes(u64::from(number) * 2) / 2;
        let per_chunk = self.width.entries(CHUNK as u64) as usize;
        let (chunk, index) = match self.width {
            Width::Twelve => (0, number as usize),
            _ => (number as usize / per_chunk, number as usize % per_chunk),
        };
        if at >= self.bytes {
            return Ok(None);
        }
        let Some(slot) = copy.chunks.get(chunk) else { return Ok(None) };
        let chunk = match slot.get() {
            Some(chunk) => chunk,
            None => {
                let read = self.read_chunk(copy, chunk)?;
                slot.get_or_init(|| read)
            }
        };
        if !chunk.lost.is_empty() {
            let size = self.width.bytes(1).max(2);
            if chunk.lost.touches(crate::bytes::Span::new(copy.offset.saturating_add(at), size)) {
                return Ok(None);
            }
        }
        Ok(self.width.read(&chunk.bytes, index))
    }

    fn read_chunk(&self, copy: &Copy, chunk: usize) -> Result<Chunk, SourceGone> {
        let start = chunk as u64 * CHUNK as u64;
        let mut bytes = Buffer::new(CHUNK.min((self.bytes - start) as usize));
        let mut lost = Spans::new();
        self.source.read(copy.offset.saturating_add(start), &mut bytes, &mut lost)?;
        Ok(Chunk { bytes, lost })
    }

    /// What the entry of a cluster says, in the given copy.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn link(&self, copy: usize, cluster: Cluster) -> Result<Link, SourceGone> {
        if self.garbage.get().and_then(|copies| copies.get(copy)).is_some_and(|it| it.covers(cluster.number())) {
            return Ok(Link::Unreadable);
        }
        Ok(self.raw(copy, cluster.number())?.map_or(Link::Unreadable, |raw| self.decode(raw)))
    }

    /// Looks through the whole table for what is none: from now on such entries count as unreadable. False where nothing
    /// is.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn distrust_garbage(&self) -> Result<bool, SourceGone> {
        if self.garbage.get().is_none() {
            let garbage = (0..self.copies.len()).map(|copy| Garbage::of(self, copy)).collect::<Result<Vec<_>, _>>()?;
            let _ = self.garbage.set(garbage);
        }
        Ok(self.garbage.get().is_some_and(|copies| copies.iter().any(|garbage| !garbage.is_empty())))
    }

    /// What the entry of a cluster says in each copy, each answer once, that of the active copy first.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn links(&self, cluster: Cluster) -> Result<Links, SourceGone> {
        let mut links = Links::default();
        for copy in 0..self.copies.len() {
            links.add(self.link(copy, cluster)?);
        }
        Ok(links)
    }

    /// The clusters that some entry, in any copy, leads to. Reads the whole table, once.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn pointed(&self) -> Result<&ClusterSet, SourceGone> {
        let slot = &self.pointed[usize::from(self.garbage.get().is_some())];
        if let Some(pointed) = slot.get() {
            return Ok(pointed);
        }
        let mut pointed = ClusterSet::new(&self.layout);
        for cluster in self.layout.clusters() {
            for link in self.links(cluster)?.iter() {
                if let Link::Next(next) = link {
                    pointed.insert(next);
                }
            }
        }
        Ok(slot.get_or_init(|| pointed))
    }

    fn decode(&self, raw: u32) -> Link {
        let value = raw & self.width.mask();
        let top = self.width.mask();
        match value {
            0 => Link::Free,
            _ if value == top - 8 => Link::Bad,
            // exFAT has one value for the end and none beside it; what lies between is no cluster either way.
            _ if value > top - 8 => Link::End,
            _ => self.layout.cluster(value).map_or(Link::Invalid(value), Link::Next),
        }
    }
}

/// The different answers of a table's copies for one cluster. At most four are kept.
#[derive(Clone, Copy, Default, Debug)]
pub struct Links {
    answers: [Option<Link>; 4],
}

impl Links {
    /// One answer.
    pub fn of(link: Link) -> Self {
        Links { answers: [Some(link), None, None, None] }
    }

    fn add(&mut self, link: Link) {
        for answer in &mut self.answers {
            match answer {
                Some(known) if *known == link => return,
                Some(_) => {}
                None => {
                    *answer = Some(link);
                    return;
                }
            }
        }
    }

    /// The answers, that of the active copy first.
    pub fn iter(&self) -> impl Iterator<Item = Link> + '_ {
        self.answers.iter().flatten().copied()
    }

    /// What the active copy says.
    pub fn first(&self) -> Link {
        self.answers[0].unwrap_or(Link::Unreadable)
    }

    /// True where the copies differ.
    pub fn differ(&self) -> bool {
        self.answers[1].is_some()
    }

    /// True if any copy says that the cluster belongs to a file.
    pub fn is_used(&self) -> bool {
        self.iter().any(Link::is_used)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::MemorySource;

    fn table(width: Width, bytes: Vec<u8>, count: u32) -> Table {
        Table::new(Arc::new(MemorySource(bytes)), width, Layout::new(4096, 512, count).unwrap(), &[0])
    }

    #[test]
    fn twelve_bit_entries_share_bytes() {
        // The example of the specification: entries f8 ff ff, then 0x003, 0xfff.
        let table = table(Width::Twelve, vec![0xf8, 0xff, 0xff, 0x03, 0xf0, 0xff], 2);
        let layout = *table.layout();
        assert_eq!(table.raw(0, 0).unwrap(), Some(0xff8));
        assert_eq!(table.link(0, layout.cluster(2).unwrap()).unwrap(), Link::Next(layout.cluster(3).unwrap()));
        assert_eq!(table.link(0, layout.cluster(3).unwrap()).unwrap(), Link::End);
    }

    #[test]
    fn reserved_bits_of_fat32_do_not_count() {
        let mut bytes = vec![0; 12];
        bytes.extend(0xf000_0000u32.to_le_bytes());
        bytes.extend(0x0fff_fff7u32.to_le_bytes());
        bytes.extend(99u32.to_le_bytes());
        let table = table(Width::ThirtyTwo, bytes, 8);
        let link = |n| table.link(0, table.layout().cluster(n).unwrap()).unwrap();
        assert_eq!([link(3), link(4), link(5), link(6)], [Link::Free, Link::Bad, Link::Invalid(99), Link::Unreadable]);
    }
}
