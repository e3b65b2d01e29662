//! Bit sets over the blocks or inodes of a volume, filled by many threads at once.
//!
//! What is set does not depend on the order of the threads: a bit is set or not, and a bit set twice is set in a second
//! set.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A set of numbers below a bound. Numbers past the bound are never in it.
pub struct Bits {
    words: Vec<AtomicU64>,
    len: u64,
}

impl Bits {
    /// The empty set of numbers below `len`.
    pub fn new(len: u64) -> Self {
        Bits { words: (0..len.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(), len }
    }

    /// True if `at` is in the set.
    pub fn has(&self, at: u64) -> bool {
        at < self.len && self.words[(at / 64) as usize].load(Relaxed) >> (at % 64) & 1 != 0
    }

    /// Adds `at`; true if it was in the set before.
    pub fn set(&self, at: u64) -> bool {
        if at >= self.len {
            return false;
        }
        let bit = 1 << (at % 64);
        self.words[(at / 64) as usize].fetch_or(bit, Relaxed) & bit != 0
    }

    /// Adds `start..end`, and to `twice` what of it was in the set before; true if anything was.
    pub fn claim(&self, start: u64, end: u64, twice: &Bits) -> bool {
        let end = end.min(self.len);
        let (mut at, mut any) = (start, false);
        while at < end {
            let (word, shift) = ((at / 64) as usize, at % 64);
            let take = (64 - shift).min(end - at);
            let mask = (u64::MAX >> (64 - take)) << shift;
            let before = self.words[word].fetch_or(mask, Relaxed) & mask;
            if before != 0 {
                twice.words[word].fetch_or(before, Relaxed);
                any = true;
            }
            at += take;
        }
        any
    }

    /// True if the set is empty.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| word.load(Relaxed) == 0)
    }

    /// True if any of `start..end` is in the set.
    pub fn any(&self, start: u64, end: u64) -> bool {
        let end = end.min(self.len);
        let mut at = start;
        while at < end {
            let shift = at % 64;
            let take = (64 - shift).min(end - at);
            if self.bits(at, take) != 0 {
                return true;
            }
            at += take;
        }
        false
    }

    /// The numbers of the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().enumerate().flat_map(|(i, word)| {
            let mut word = word.load(Relaxed);
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(i as u64 * 64 + u64::from(bit))
            })
        })
    }

    /// The `count` bits from `at` as a word, lowest first. `count` is at most 64; what lies past the bound is zero.
    pub fn bits(&self, at: u64, count: u64) -> u64 {
        let word = |i: u64| self.words.get(i as usize).map_or(0, |w| w.load(Relaxed));
        let (i, shift) = (at / 64, at % 64);
        let low = word(i) >> shift;
        let both = if shift == 0 { low } else { low | word(i + 1) << (64 - shift) };
        both & low_mask(count)
    }
}

/// A word whose lowest `count` bits are set.
pub fn low_mask(count: u64) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_twice_is_in_the_second_set() {
        let (once, twice) = (Bits::new(300), Bits::new(300));
        assert!(!once.claim(10, 200, &twice));
        assert!(once.claim(190, 1000, &twice));
        assert_eq!(twice.iter().collect::<Vec<_>>(), (190..200).collect::<Vec<_>>());
        assert_eq!(once.iter().collect::<Vec<_>>(), (10..300).collect::<Vec<_>>());
        assert!(once.any(0, 11) && !once.any(0, 10));
    }

    #[test]
    fn words_are_read_at_any_place() {
        let bits = Bits::new(130);
        bits.set(63);
        bits.set(64);
        bits.set(129);
        assert_eq!(bits.bits(60, 64), 0b11000);
        assert_eq!(bits.bits(128, 64), 0b10);
        assert!(!bits.set(130) && !bits.has(130));
    }
}
