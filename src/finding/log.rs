//! Findings of one run, counted exactly and kept in bounded memory.

use std::collections::BTreeMap;

use super::{Code, Cost, Finding, Place, Severity};

/// How many findings of one code a log keeps unless told otherwise.
const KEPT: usize = 100;

/// Findings of one worker, merged at the end.
///
/// Keeps an exact count per code and the smallest findings by (code, place), so that the result is the same for any
/// number of threads and a ruined bitmap can not fill memory.
#[derive(Clone, Debug)]
pub struct Log {
    kept: usize,
    codes: BTreeMap<Code, Tally>,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    count: u64,
    files: u64,
    bytes: u64,
    /// Sorted, at most `Log::kept` long.
    smallest: Vec<Finding>,
}

impl Default for Log {
    fn default() -> Self {
        Log::keeping(KEPT)
    }
}

impl Log {
    /// An empty log that keeps 100 findings of each code.
    pub fn new() -> Self {
        Log::default()
    }

    /// An empty log that keeps `kept` findings of each code.
    pub fn keeping(kept: usize) -> Self {
        Log { kept, codes: BTreeMap::new() }
    }

    /// Notes a finding.
    pub fn add(&mut self, finding: Finding) {
        let kept = self.kept;
        let tally = self.codes.entry(finding.code).or_default();
        tally.count += 1;
        tally.files = tally.files.saturating_add(finding.cost.files);
        tally.bytes = tally.bytes.saturating_add(finding.cost.bytes);
        tally.keep(finding, kept);
    }

    /// Notes a finding whose words are only made if it is kept: for checks that may find millions.
    pub fn note(&mut self, code: Code, place: Place, facts: impl FnOnce() -> (String, String)) {
        self.note_costing(code, place, Cost::default(), facts);
    }

    /// The same for a finding that costs something.
    pub fn note_costing(&mut self, code: Code, place: Place, cost: Cost, facts: impl FnOnce() -> (String, String)) {
        let kept = self.kept;
        let tally = self.codes.entry(code).or_default();
        if tally.smallest.len() == kept && tally.smallest.last().is_some_and(|last| last.place < place) {
            tally.count += 1;
            tally.files = tally.files.saturating_add(cost.files);
            tally.bytes = tally.bytes.saturating_add(cost.bytes);
            return;
        }
        let (found, expected) = facts();
        self.add(Finding { cost, ..Finding::new(code, place, found, expected) });
    }

    /// Adds all that another worker found.
    pub fn merge(&mut self, other: Log) {
        for (code, theirs) in other.codes {
            let kept = self.kept;
            let ours = self.codes.entry(code).or_default();
            ours.count += theirs.count;
            ours.files = ours.files.saturating_add(theirs.files);
            ours.bytes = ours.bytes.saturating_add(theirs.bytes);
            for finding in theirs.smallest {
                ours.keep(finding, kept);
            }
        }
    }

    /// True if nothing was found.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The worst severity found.
    pub fn worst(&self) -> Option<Severity> {
        self.codes.keys().map(|code| code.severity).max()
    }

    /// Codes with their exact count, in order of code.
    pub fn counts(&self) -> impl Iterator<Item = (Code, u64)> + '_ {
        self.codes.iter().map(|(code, tally)| (*code, tally.count))
    }

    /// How often a code was found.
    pub fn count(&self, code: Code) -> u64 {
        self.codes.get(&code).map_or(0, |tally| tally.count)
    }

    /// Files and bytes that a code's findings cost together, also those not kept.
    pub fn cost(&self, code: Code) -> super::Cost {
        self.codes.get(&code).map_or(super::Cost::default(), |t| super::Cost { files: t.files, bytes: t.bytes })
    }

    /// The findings kept, in order of code and place.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.codes.values().flat_map(|tally| &tally.smallest)
    }

    /// Marks those of the findings kept that the system's own checker does not come to.
    pub fn mark_unreached(&mut self, is_unreached: impl Fn(&Finding) -> bool) {
        self.findings_mut().for_each(|finding| finding.unreached |= is_unreached(finding));
    }

    /// The same, to fill in what only a later stage knows (paths, costs).
    pub fn findings_mut(&mut self) -> impl Iterator<Item = &mut Finding> {
        self.codes.values_mut().flat_map(|tally| &mut tally.smallest)
    }
}

impl Tally {
    fn keep(&mut self, finding: Finding, kept: usize) {
        let at = self.smallest.partition_point(|known| *known < finding);
        if at < kept {
            self.smallest.insert(at, finding);
            self.smallest.truncate(kept);
        }
    }
}

impl Extend<Finding> for Log {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, iter: I) {
        iter.into_iter().for_each(|finding| self.add(finding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::finding::codes! {
        A = "test-a", Note, "a test", explain: "", repair: "", e2fsck: [];
    }

    fn finding(inode: u64) -> Finding {
        Finding::new(A, Place::inode(inode), "1", "2")
    }

    #[test]
    fn keeps_the_smallest_and_counts_all_whatever_the_order() {
        let mut one = Log::keeping(3);
        one.extend((1..=9).map(finding));
        let (mut left, mut right) = (Log::keeping(3), Log::keeping(3));
        right.extend((1..=5).rev().map(finding));
        left.extend((6..=9).map(finding));
        left.merge(right);
        for log in [one, left] {
            assert_eq!(log.count(A), 9);
            assert_eq!(log.findings().map(|f| f.place.inode.unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
        }
    }

    #[test]
    fn a_table_lists_its_codes() {
        assert_eq!(TABLE, [A]);
    }

    #[test]
    fn a_finding_not_kept_costs_no_words() {
        let mut log = Log::keeping(1);
        log.note(A, Place::inode(1), || (String::new(), String::new()));
        log.note(A, Place::inode(2), || unreachable!("words for a finding that is not kept"));
        assert_eq!(log.count(A), 2);
    }
}
