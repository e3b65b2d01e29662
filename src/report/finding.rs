//! Findings: grouped by code for people, worst first; one record each for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::text::{count, size};
use crate::bytes::Span;
use crate::finding::{Code, Cost, Finding, Log, Place, Severity};
use crate::name;

/// So many codes are shown at length.
const PARAGRAPHS: usize = 8;

/// Examples shown of each code.
const EXAMPLES: usize = 3;

/// A finding as a record in JSON.
#[derive(Serialize)]
pub struct FindingRecord<'a> {
    code: &'static str,
    severity: Severity,
    volume: &'a str,
    #[serde(flatten)]
    place: &'a Place,
    title: &'static str,
    found: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    expected: &'a str,
    cost: Cost,
    #[serde(skip_serializing_if = "str::is_empty")]
    repair: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    e2fsck: &'static [&'static str],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unreached: bool,
}

impl<'a> FindingRecord<'a> {
    /// The record of a finding on a volume of this name.
    pub fn new(volume: &'a str, finding: &'a Finding) -> Self {
        let Code(row) = finding.code;
        FindingRecord {
            code: row.id,
            severity: row.severity,
            volume,
            place: &finding.place,
            title: row.title,
            found: &finding.found,
            expected: &finding.expected,
            cost: finding.cost,
            repair: row.repair,
            e2fsck: if finding.unreached { &[] } else { row.e2fsck },
            unreached: finding.unreached,
        }
    }
}

/// How often a code was found, and what that costs: also what a log did not keep.
#[derive(Serialize)]
pub struct CodeCount {
    code: &'static str,
    severity: Severity,
    count: u64,
    cost: Cost,
}

/// The codes of a log with their counts, worst first.
pub fn code_counts(log: &Log) -> Vec<CodeCount> {
    let counted = worst_first(log).into_iter();
    counted
        .map(|(code, count)| CodeCount { code: code.id, severity: code.severity, count, cost: log.cost(code) })
        .collect()
}

fn worst_first(log: &Log) -> Vec<(Code, u64)> {
    let mut counts: Vec<(Code, u64)> = log.counts().collect();
    counts.sort_by_key(|(code, count)| (std::cmp::Reverse(code.severity), std::cmp::Reverse(*count), *code));
    counts
}

/// A log for people: one paragraph a code, worst first, with the first examples. Where there are so many that no screen
/// would hold them, those that are not critical get a line each.
pub fn grouped(log: &Log) -> String {
    let mut text = String::new();
    let codes = worst_first(log);
    let is_long = codes.len() > PARAGRAPHS;
    for (i, (code, n)) in codes.into_iter().enumerate() {
        let is_short = is_long && (code.severity < Severity::Critical || i >= PARAGRAPHS);
        let write = if is_short { line } else { paragraph };
        write(&mut text, log, code, n).unwrap_or_default(); // writing to memory can not fail
    }
    text
}

/// A code in a line: the first place, and how many files it touches.
fn line(text: &mut String, log: &Log, code: Code, n: u64) -> std::fmt::Result {
    write!(text, "{:<8} {}: {} ({n}x)", severity(code.severity), code.id, code.title)?;
    let first = log.findings().find(|finding| finding.code == code).map(|finding| &finding.place);
    if let Some(Place { inode: Some(inode), path, .. }) = first {
        let words = place(&Place { path: path.clone(), ..Place::inode(*inode) });
        write!(text, "{} {words}", if n > 1 { ", first" } else { "," })?;
    }
    writeln!(text)
}

fn paragraph(text: &mut String, log: &Log, code: Code, n: u64) -> std::fmt::Result {
    writeln!(text, "{:<8} {}: {} ({n}x)", severity(code.severity), code.id, code.title)?;
    let mut shown = 0;
    // Of what touches no file one example is enough.
    let touches = |finding: &Finding| finding.place.inode.is_some() || finding.cost != Cost::default();
    let of_code = || log.findings().filter(|finding| finding.code == code);
    let is_bookkeeping = code.severity < Severity::Critical && !of_code().any(touches);
    let examples = if is_bookkeeping || code.severity <= Severity::Warning { 1 } else { EXAMPLES };
    for finding in of_code().take(examples) {
        writeln!(text, "         {}", example(finding))?;
        shown += 1;
    }
    if n > shown {
        writeln!(text, "         and {} more", n - shown)?;
    }
    let Cost { files, bytes } = log.cost(code);
    if files > 0 || bytes > 0 {
        let contents = if bytes > 0 { format!(", {} of contents", size(bytes)) } else { String::new() };
        writeln!(text, "         touches: {}{contents}", count(files, "file"))?;
    }
    if !code.repair.is_empty() {
        writeln!(text, "         repair: {}", code.repair)?;
    }
    Ok(())
}

/// One finding in a line: place, what was found, what was expected.
pub fn example(finding: &Finding) -> String {
    let mut text = place(&finding.place);
    if !finding.found.is_empty() {
        let colon = if text.is_empty() { "" } else { ": " };
        write!(text, "{colon}{}", name::escaped(finding.found.as_bytes())).unwrap_or_default();
    }
    if !finding.expected.is_empty() {
        write!(text, ", expected {}", name::escaped(finding.expected.as_bytes())).unwrap_or_default();
    }
    text
}

/// A place in words: `inode 12 (/etc/fstab), block 34`; empty for the volume as a whole.
pub fn place(place: &Place) -> String {
    let Place { group, inode, block, span, path } = place;
    let mut words = Vec::new();
    words.extend(group.map(|n| format!("group {n}")));
    match (inode, path) {
        (Some(n), Some(path)) => words.push(format!("inode {n} ({})", name::escaped(path.as_bytes()))),
        (Some(n), None) => words.push(format!("inode {n}")),
        (None, Some(path)) => words.push(name::escaped(path.as_bytes()).to_string()),
        (None, None) => {}
    }
    words.extend(block.map(|n| format!("block {n}")));
    words.extend(span.map(|Span { start, end }| format!("bytes {start} to {end}")));
    words.join(", ")
}

/// The word for a severity.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Damage => "damage",
        Severity::Critical => "critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::finding::codes! {
        SMALL = "test-small", Note, "something odd", explain: "", repair: "", e2fsck: [];
        LARGE = "test-large", Damage, "something wrong", explain: "", repair: "mends it", e2fsck: ["PR_X"];
    }

    fn log() -> Log {
        let mut log = Log::keeping(4);
        log.add(Finding::new(SMALL, Place::volume(), "an odd thing", ""));
        log.extend((1..=9).map(|n| Finding::new(LARGE, Place::inode(n), "1", "2").costing(1, 1024)));
        log
    }

    #[test]
    fn the_worst_stands_first_and_a_screen_suffices() {
        let expected = "damage   test-large: something wrong (9x)\n         inode 1: 1, expected 2\n         inode 2: 1, \
                        expected 2\n         inode 3: 1, expected 2\n         and 6 more\n         touches: 9 files, 9.0 KiB \
                        of contents\n         repair: mends it\nnote     test-small: something odd (1x)\n         \
                        an odd thing\n";
        assert_eq!(grouped(&log()), expected);
        assert_eq!(TABLE.len(), 2);
    }

    #[test]
    fn a_record_has_code_place_and_problem_name() {
        let log = log();
        let finding = log.findings().next().unwrap();
        let json = serde_json::to_value(FindingRecord::new("p2", finding)).unwrap();
        assert_eq!(json["code"], "test-large");
        assert_eq!(json["inode"], 1);
        assert_eq!(json["e2fsck"][0], "PR_X");
        assert_eq!(json["volume"], "p2");
    }
}
