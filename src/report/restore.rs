//! What restoring a copy's attributes came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::copy::{ProblemRecord, kind_count};
use super::text::{count, digits};
use crate::copy::{Problem, Restored};
use crate::name::{self, PACKS};
use crate::node::Kind;

/// Problems shown to people.
const SHOWN: usize = 20;

/// The summary in JSON.
#[derive(Serialize)]
pub struct RestoredRecord<'a> {
    summary: &'static str,
    complete: bool,
    files: u64,
    unpacked: u64,
    directories: u64,
    specials: u64,
    links: u64,
    unkept: &'a BTreeMap<String, u64>,
    damaged_lines: u64,
    problems: Vec<ProblemRecord<'a>>,
}

impl<'a> From<&'a Restored> for RestoredRecord<'a> {
    fn from(restored: &'a Restored) -> Self {
        RestoredRecord {
            summary: "restore-metadata",
            complete: restored.is_complete(),
            files: restored.files,
            unpacked: restored.unpacked,
            directories: restored.directories,
            specials: restored.specials,
            links: restored.links,
            unkept: &restored.unkept,
            damaged_lines: restored.garbage,
            problems: restored.problems.iter().map(ProblemRecord::from).collect(),
        }
    }
}

/// The summary for people.
pub fn summary(restored: &Restored) -> String {
    let mut text = String::new();
    for Problem { path, what, .. } in restored.problems.iter().take(SHOWN) {
        let _ = writeln!(text, "{}: {}", name::escaped(path), name::escaped(what.as_bytes()));
    }
    if let Some(more) = restored.problems.len().checked_sub(SHOWN + 1) {
        let _ = writeln!(text, "and {} more", digits(more as u64 + 1));
    }
    let _ = writeln!(
        text,
        "restored {}, {}, {}, {}",
        count(restored.files, "file"),
        kind_count(Kind::Directory, restored.directories),
        count(restored.links, "hard link"),
        count(restored.specials, "symbolic link or special file")
    );
    if restored.unpacked > 0 {
        let _ = writeln!(text, "  {:>9} of these files out of archives in {PACKS}", digits(restored.unpacked));
    }
    for (what, n) in &restored.unkept {
        let _ = writeln!(
            text,
            "  {:>9} without {}: the filesystem did not take it",
            digits(*n),
            name::escaped(what.as_bytes())
        );
    }
    if restored.garbage > 0 {
        let _ = writeln!(text, "  {:>9} damaged lines in the manifest", digits(restored.garbage));
    }
    text
}
