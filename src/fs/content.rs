//! The only code that reads file bytes: [`Content`] turns a [`Mapping`] into bytes, holes and lost spans.

use super::FileSystem;
use crate::bytes::{Buffer, Span, Spans};
use crate::node::{Backing, Mapping, Node};
use crate::source::SourceGone;

/// The bytes of one file.
pub struct Content<'f> {
    fs: &'f dyn FileSystem,
    size: u64,
    mapping: Mapping,
}

/// Bytes of a filesystem's first device, read ahead of the small files that lie in them.
#[derive(Default)]
pub struct Ahead {
    span: Option<Span>,
    bytes: Buffer,
    lost: Spans,
}

impl Ahead {
    /// Reads `span` of the device, which the caller keeps small, in one go.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn read(&mut self, fs: &dyn FileSystem, span: Span) -> Result<(), SourceGone> {
        self.span = None;
        let Some(source) = fs.source(0) else { return Ok(()) };
        self.bytes.resize(span.len() as usize);
        self.lost = Spans::new();
        source.read(span.start, &mut self.bytes, &mut self.lost)?;
        self.span = Some(span);
        Ok(())
    }

    /// Forgets what was read: the next files are of another filesystem.
    pub fn forget(&mut self) {
        self.span = None;
    }

    /// The bytes of the device in `wanted`; `None` where they were not read ahead, or not all could be read.
    fn get(&self, wanted: Span) -> Option<&[u8]> {
        let span = self.span.filter(|span| span.start <= wanted.start && wanted.end <= span.end)?;
        if self.lost.touches(wanted) {
            return None;
        }
        Some(&self.bytes[(wanted.start - span.start) as usize..(wanted.end - span.start) as usize])
    }
}

/// A run of a file: what a copy does with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// Bytes to read. With the place of the first on the volume, where it has one.
    Data(Span, Option<u64>),
    /// Zeros that need not be written: a hole, or allocated and never written.
    Hole(Span),
    /// Zeros in place of what is lost.
    Lost(Span),
}

impl Run {
    /// The bytes of the file it covers.
    pub fn span(self) -> Span {
        match self {
            Run::Data(span, _) | Run::Hole(span) | Run::Lost(span) => span,
        }
    }
}

impl<'f> Content<'f> {
    /// The bytes of `node`, which must be of `fs`.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn open(fs: &'f dyn FileSystem, node: &Node) -> Result<Self, SourceGone> {
        Ok(Content { fs, size: node.size, mapping: fs.mapping(node)? })
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the bytes lie.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The file from start to end as runs, in ascending order, none empty, none left out.
    pub fn runs(&self) -> Vec<Run> {
        let (mut runs, mut at) = (Vec::with_capacity(self.mapping.extents.len()), 0);
        for extent in &self.mapping.extents {
            let Some(span) = extent.span().intersection(Span { start: at, end: self.size }) else { continue };
            if at < span.start {
                runs.push(Run::Hole(Span { start: at, end: span.start }));
            }
            let skipped = span.start - extent.logical;
            runs.push(match &extent.backing {
                Backing::Device { offset, .. } => Run::Data(span, Some(offset + skipped)),
                Backing::Inline(_) => Run::Data(span, None),
                Backing::Zero => Run::Hole(span),
                Backing::Lost => Run::Lost(span),
            });
            at = span.end;
        }
        if at < self.size {
            runs.push(Run::Hole(Span { start: at, end: self.size }));
        }
        runs
    }

    /// The bytes of `span`, without a copy; `None` unless they lie together and were read ahead, all of them.
    pub fn read_ahead<'a>(&self, span: Span, ahead: &'a Ahead) -> Option<&'a [u8]> {
        let at = self.mapping.extents.partition_point(|e| e.span().end <= span.start);
        let extent = self.mapping.extents.get(at)?;
        let Backing::Device { member: 0, offset } = extent.backing else { return None };
        let from = offset.checked_add(span.start.checked_sub(extent.logical)?)?;
        (span.end <= extent.span().end).then(|| ahead.get(Span::new(from, span.len())))?
    }

    /// Fills `buf` with the bytes from `offset`, which must lie before the end. Holes and lost bytes are zero; lost
    /// ones are listed in `lost`, as offsets in the file. Returns how many bytes there were.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<usize, SourceGone> {
        let wanted = Span { start: offset, end: self.size.min(offset.saturating_add(buf.len() as u64)) };
        if wanted.start >= wanted.end {
            return Ok(0);
        }
        let buf = &mut buf[..wanted.len() as usize];
        let first = self.mapping.extents.partition_point(|e| e.span().end <= offset);
        let mut at = offset;
        for extent in &self.mapping.extents[first..] {
            let Some(part) = extent.span().intersection(wanted) else { break };
            buf[(at - offset) as usize..(part.start - offset) as usize].fill(0);
            let into = &mut buf[(part.start - offset) as usize..(part.end - offset) as usize];
            self.read_extent(&extent.backing, part, part.start - extent.logical, into, lost)?;
            at = part.end;
        }
        buf[(at - offset) as usize..].fill(0);
        Ok(buf.len())
    }

    fn read_extent(
        &self,
        backing: &Backing,
        part: Span,
        skipped: u64,
        into: &mut [u8],
        lost: &mut Spans,
    ) -> Result<(), SourceGone> {
        match backing {
            Backing::Device { member, offset } => {
                let mut below = Spans::new();
                let from = offset.saturating_add(skipped);
                match self.fs.source(*member) {
                    Some(source) => source.read(from, into, &mut below)?,
                    None => below.insert(Span::new(from, part.len())),
                }
                for span in below.iter() {
                    lost.insert(Span::new(part.start + (span.start - from), span.len()));
                }
            }
            Backing::Inline(bytes) => {
                into.fill(0);
                let here = bytes.get(skipped as usize..).unwrap_or_default();
                let len = here.len().min(into.len());
                into[..len].copy_from_slice(&here[..len]);
            }
            Backing::Zero => into.fill(0),
            Backing::Lost => {
                into.fill(0);
                lost.insert(part);
            }
        }
        Ok(())
    }

    /// The whole of a short file; `None` where it is longer than `limit` bytes.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn read_all(&self, limit: usize) -> Result<Option<(Vec<u8>, Spans)>, SourceGone> {
        let Some(size) = usize::try_from(self.size).ok().filter(|size| *size <= limit) else { return Ok(None) };
        let (mut buf, mut lost) = (vec![0; size], Spans::new());
        self.read(0, &mut buf, &mut lost)?;
        Ok(Some((buf, lost)))
    }
}
