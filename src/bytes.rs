//! Byte positions on a disk: [`Span`], the set of spans [`Spans`], readers that never panic, and [`Buffer`]s to read into.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

/// A run of bytes, `start` included, `end` excluded. `start <= end` always holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl Span {
    /// The `len` bytes from `start`; clamped where the sum would not fit 64 bits.
    pub fn new(start: u64, len: u64) -> Self {
        Span { start, end: start.saturating_add(len) }
    }

    /// Number of bytes.
    pub fn len(self) -> u64 {
        self.end - self.start
    }

    /// True for a span of no bytes.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The bytes that both spans hold, if any.
    pub fn intersection(self, other: Span) -> Option<Span> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Span { start, end })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.start, self.len())
    }
}

/// A set of bytes, kept as sorted spans that neither touch nor overlap.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// The empty set.
    pub fn new() -> Self {
        Spans::default()
    }

    /// Adds a span, merging it with those it touches.
    pub fn insert(&mut self, span: Span) {
        if span.is_empty() {
            return;
        }
        let first = self.0.partition_point(|s| s.end < span.start);
        let last = self.0.partition_point(|s| s.start <= span.end);
        if first == last {
            self.0.insert(first, span);
        } else {
            let merged = Span { start: span.start.min(self.0[first].start), end: span.end.max(self.0[last - 1].end) };
            self.0.splice(first..last, [merged]);
        }
    }

    /// Adds every span of `other`.
    pub fn extend(&mut self, other: &Spans) {
        for span in other.iter() {
            self.insert(span);
        }
    }

    /// The spans in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    /// True if the set holds no byte.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of separate spans.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Number of bytes in the set.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|s| s.len()).sum()
    }

    /// The parts of `span` that the set holds, in ascending order.
    pub fn within(&self, span: Span) -> impl Iterator<Item = Span> + '_ {
        let first = self.0.partition_point(|s| s.end <= span.start);
        self.0[first..].iter().map_while(move |s| s.intersection(span))
    }

    /// True if the set holds at least one byte of `span`.
    pub fn touches(&self, span: Span) -> bool {
        self.within(span).next().is_some()
    }
}

impl FromIterator<Span> for Spans {
    fn from_iter<I: IntoIterator<Item = Span>>(iter: I) -> Self {
        let mut spans = Spans::new();
        iter.into_iter().for_each(|span| spans.insert(span));
        spans
    }
}

macro_rules! readers {
    ($($name:ident, $type:ty, $from:ident, $order:literal;)*) => {$(
        #[doc = concat!("The ", $order, "-endian `", stringify!($type), "` at `at`, or `None` where `buf` ends before it.")]
        pub fn $name(buf: &[u8], at: usize) -> Option<$type> {
            let end = at.checked_add(size_of::<$type>())?;
            // The slice has exactly the size of the integer, so the conversion holds.
            buf.get(at..end)?.try_into().ok().map(<$type>::$from)
        }
    )*};
}

readers! {
    le16, u16, from_le_bytes, "little";
    le32, u32, from_le_bytes, "little";
    le64, u64, from_le_bytes, "little";
    be16, u16, from_be_bytes, "big";
    be32, u32, from_be_bytes, "big";
    be64, u64, from_be_bytes, "big";
}

/// Bytes to read a large piece of a disk into.
///
/// Large vectors begin 16 bytes past a page, and the kernel's copies to there take some processors (AMD's) five times as
/// long as to anywhere else: these begin at a multiple of 64.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    const ALIGNMENT: usize = 64;

    /// So many zeros.
    pub fn new(len: usize) -> Self {
        let bytes = vec![0; len + Self::ALIGNMENT];
        let start = bytes.as_ptr().align_offset(Self::ALIGNMENT).min(Self::ALIGNMENT);
        Buffer { bytes, start, len }
    }

    /// Makes it hold `len` bytes. What they are is not said: they are there to be overwritten.
    pub fn resize(&mut self, len: usize) {
        if self.start + len <= self.bytes.len() {
            self.len = len;
        } else {
            *self = Buffer::new(len);
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(list: &[(u64, u64)]) -> Spans {
        list.iter().map(|&(start, end)| Span { start, end }).collect()
    }

    #[test]
    fn spans_that_touch_or_overlap_become_one() {
        assert_eq!(spans(&[(0, 4), (8, 12), (4, 8)]).iter().collect::<Vec<_>>(), [Span { start: 0, end: 12 }]);
        assert_eq!(spans(&[(0, 4), (6, 8), (2, 7)]).iter().collect::<Vec<_>>(), [Span { start: 0, end: 8 }]);
        assert_eq!(spans(&[(5, 5)]).count(), 0);
    }

    #[test]
    fn within_clips_to_the_question() {
        let set = spans(&[(0, 4), (8, 12), (16, 20)]);
        assert_eq!(
            set.within(Span { start: 2, end: 17 }).collect::<Vec<_>>(),
            [Span { start: 2, end: 4 }, Span { start: 8, end: 12 }, Span { start: 16, end: 17 }]
        );
        assert!(!set.touches(Span { start: 4, end: 8 }));
    }

    #[test]
    fn buffers_are_as_long_as_asked_and_aligned() {
        let mut buffer = Buffer::default();
        assert_eq!(buffer.len(), 0);
        for len in [1, 4096, 1 << 20, 3, 1 << 21] {
            buffer.resize(len);
            assert_eq!((buffer.len(), buffer.as_ptr().align_offset(64)), (len, 0));
            buffer.fill(1);
        }
    }

    #[test]
    fn readers_refuse_what_lies_past_the_end() {
        assert_eq!(le32(&[1, 2, 3, 4], 0), Some(0x0403_0201));
        assert_eq!(be16(&[1, 2, 3, 4], 2), Some(0x0304));
        assert_eq!(le32(&[1, 2, 3, 4], 1), None);
        assert_eq!(le64(&[0; 8], usize::MAX), None);
    }
}
