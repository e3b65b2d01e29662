//! What one batch came to, ready for the manifest: [`Done`].

use super::Hashes;
use super::outcome::{Counts, Problem};
use super::previous::{Key, key};
use crate::manifest::{Algorithm, Record, Status, sums};
use crate::node::{Kind, Trust};

/// Records of one batch as text, with their counts.
pub struct Done {
    hashes: Hashes,
    /// Lines of the manifest.
    pub lines: Vec<u8>,
    /// Lines of the files of sums, one file an algorithm, in the order of [`Hashes::algorithms`].
    pub sums: Vec<Vec<u8>>,
    /// How many of what.
    pub counts: Counts,
    /// What is not whole.
    pub problems: Vec<Problem>,
    /// Paths of which this run knows nothing: it could not make them, or did not get there.
    pub unmade: Vec<Key>,
    /// Paths at which something else stood.
    pub kept: Vec<Key>,
}

impl Done {
    /// Nothing yet.
    pub fn new(hashes: Hashes) -> Self {
        let sums = hashes.algorithms().map(|_| Vec::new()).collect();
        let (counts, problems, unmade, kept) = (Counts::default(), Vec::new(), Vec::new(), Vec::new());
        Done { hashes, lines: Vec::new(), sums, counts, problems, unmade, kept }
    }

    /// Bytes it holds.
    pub fn size(&self) -> usize {
        self.lines.capacity() + self.sums.iter().map(Vec::capacity).sum::<usize>() + self.problems.len() * 128 + 1024
    }

    /// Takes a record.
    pub fn add(&mut self, record: &Record) {
        record.write(&mut self.lines);
        self.add_sums(record);
        self.count(record);
        match record.status {
            Status::Failed | Status::Left => self.unmade.push(key(&record.path)),
            Status::Kept => self.kept.push(key(&record.path)),
            Status::Copied | Status::AlreadyThere | Status::Planned => {}
        }
        if let Some(what) = problem(record) {
            self.problems.push(Problem { path: record.path.clone(), status: Some(record.status), what });
        }
    }

    fn add_sums(&mut self, record: &Record) {
        for (algorithm, lines) in self.hashes.algorithms().zip(&mut self.sums) {
            let named = sums::write(record, algorithm, lines);
            self.counts.unnamed_in_sums += u64::from(!named && algorithm == Algorithm::Blake3);
        }
    }

    fn count(&mut self, record: &Record) {
        let counts = &mut self.counts;
        match record.status {
            Status::Copied | Status::Planned => {
                *counts.copied.entry(record.kind).or_default() += 1;
                counts.unhashed += u64::from(record.data_blake3.is_some());
                counts.packed += u64::from(record.packed.is_some() && !record.is_in_manifest_alone());
            }
            Status::AlreadyThere => counts.already_there += 1,
            Status::Kept => counts.kept += 1,
            Status::Failed => counts.failed += 1,
            Status::Left => counts.left += 1,
        }
        if matches!(record.status, Status::Copied | Status::AlreadyThere) {
            if record.trust > Trust::Intact {
                *counts.trust.entry(record.trust).or_default() += 1;
            }
            counts.lost += record.lost.iter().map(|span| span.len()).sum::<u64>();
        }
        for unkept in &record.unkept {
            *counts.unkept.entry(unkept.what.clone()).or_default() += 1;
        }
    }
}

/// What is not as it should be with a path, in words.
fn problem(record: &Record) -> Option<String> {
    let reason = record.reason.as_deref().unwrap_or_default();
    match record.status {
        Status::Kept => Some(reason.into()),
        Status::Failed => Some(format!("not copied: {reason}")),
        Status::Left => Some("not reached".into()),
        Status::Planned => None,
        Status::Copied | Status::AlreadyThere => match record.trust {
            Trust::Doubtful => Some("doubtful: its bytes may belong to another file".into()),
            Trust::Partial if record.lost.is_empty() && record.kind == Kind::Directory => {
                Some("partial: some of its entries are lost".into())
            }
            Trust::Partial => {
                let lost: u64 = record.lost.iter().map(|span| span.len()).sum();
                Some(format!("partial: {lost} of {} bytes are lost", record.size))
            }
            _ => None,
        },
    }
}
