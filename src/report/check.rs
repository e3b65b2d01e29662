//! What checking found.

use std::fmt::Write as _;

use serde::Serialize;

use super::finding::{CodeCount, code_counts, grouped};
use super::text::count;
use crate::finding::{Log, Severity};
use crate::fs::{CheckReport, JournalState};
use crate::name;

/// What one volume (or the partition table) was found to be.
pub struct Checked<'a> {
    /// Name of the volume; `table` for the partition table.
    pub volume: &'a str,
    /// What it holds.
    pub kind: &'a str,
    /// What was found.
    pub report: &'a CheckReport,
}

/// The summary of one volume in JSON.
#[derive(Serialize)]
pub struct CheckedRecord<'a> {
    summary: &'a str,
    kind: &'a str,
    verdict: &'static str,
    journal: Option<JournalState>,
    unfinished: &'a [String],
    counts: Vec<CodeCount>,
}

/// True if a log holds damage.
pub fn is_damaged(log: &Log) -> bool {
    log.worst().is_some_and(|worst| worst >= Severity::Damage)
}

impl Checked<'_> {
    /// For programs.
    pub fn to_json(&self) -> CheckedRecord<'_> {
        CheckedRecord {
            summary: self.volume,
            kind: self.kind,
            verdict: self.verdict(),
            journal: self.report.journal,
            unfinished: &self.report.unfinished,
            counts: code_counts(&self.report.log),
        }
    }

    fn verdict(&self) -> &'static str {
        match (is_damaged(&self.report.log), self.report.unfinished.is_empty()) {
            (true, _) => "damaged",
            (false, false) => "unfinished",
            (false, true) => "clean",
        }
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = format!("{} ({}): {}", self.volume, self.kind, self.verdict());
        let codes = self.report.log.counts().filter(|(code, _)| code.severity >= Severity::Damage);
        let (kinds, places) = codes.fold((0, 0), |(kinds, places), (_, n)| (kinds + 1, places + n));
        if kinds > 0 {
            let _ = write!(text, ", {} of damage, found {}", count(kinds, "kind"), count(places, "time"));
        }
        if let Some(journal) = self.report.journal {
            let _ = write!(text, "; {}", journal_text(journal));
        }
        text.push('\n');
        for sentence in &self.report.unfinished {
            let _ = writeln!(text, "not checked: {}", name::escaped(sentence.as_bytes()));
        }
        text.push_str(&grouped(&self.report.log));
        text.push_str(&self.advice());
        text
    }
}

impl Checked<'_> {
    /// What to do next, where there is damage.
    fn advice(&self) -> String {
        let mut text = String::new();
        if self.report.log.findings().any(|finding| finding.unreached) {
            text.push_str("`e2fsck -fn` gives up before it comes to some of this, and reports less.\n");
        }
        if is_damaged(&self.report.log) && self.volume != "table" {
            text.push_str(
                "Before any repair: `offmount copy` brings the files out, `offmount check --preview-repair` says what a \
                 repair would do to each, `offmount explain CODE` what a code means.\n",
            );
        }
        text
    }
}

fn journal_text(journal: JournalState) -> &'static str {
    match journal {
        JournalState::Empty => "nothing waits in the journal",
        JournalState::Replayed => "the journal was replayed in memory",
        JournalState::Damaged => "the journal can not be replayed",
        JournalState::Elsewhere => "the journal is on another device, which was not given",
    }
}
