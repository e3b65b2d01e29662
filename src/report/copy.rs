//! What came of a copy, and of comparing it with a second reader.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::text::{count, digits, size};
use crate::copy::{Outcome, Problem};
use crate::crosscheck::Comparison;
use crate::manifest::Status;
use crate::name;
use crate::node::{Kind, Trust, Unkept};

/// Problems shown to people; all stand in the manifest.
const SHOWN: usize = 20;

/// What a run was asked, as far as its summary tells of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Files were written.
    Copied,
    /// Nothing was written.
    DryRun,
}

/// The summary of a copy in JSON.
#[derive(Serialize)]
pub struct CopyRecord<'a> {
    summary: &'static str,
    complete: bool,
    copied: &'a BTreeMap<Kind, u64>,
    hard_links: u64,
    bytes: u64,
    seconds: f64,
    already_there: u64,
    kept: u64,
    failed: u64,
    left: u64,
    filtered: u64,
    renamed: u64,
    trust: &'a BTreeMap<Trust, u64>,
    lost_bytes: u64,
    unkept: &'a BTreeMap<String, u64>,
    not_in_b3sums: u64,
    unhashed: u64,
    packed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    problems: Vec<ProblemRecord<'a>>,
    notes: &'a [String],
    unread_volumes: &'a [Unread],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cross_check: Vec<ComparisonRecord<'a>>,
}

/// A path that is not whole.
#[derive(Serialize)]
pub struct ProblemRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    status: Option<Status>,
    what: &'a str,
}

/// A volume that holds files, or other volumes, and is not read.
#[derive(Serialize)]
pub struct Unread {
    /// Its name.
    pub volume: String,
    /// What it holds.
    pub kind: &'static str,
    /// Commands to try next.
    pub advice: Vec<String>,
}

#[derive(Serialize)]
struct ComparisonRecord<'a> {
    volume: &'a str,
    reader: Option<&'static str>,
    agreed: u64,
    bytes: u64,
    differing: u64,
    cannot_judge: &'a BTreeMap<String, u64>,
    differences: Vec<String>,
}

/// A copy and all that its summary tells.
pub struct Copy<'a> {
    /// Whether anything was written.
    pub mode: Mode,
    /// What came of it.
    pub outcome: &'a Outcome,
    /// Volumes that were left behind.
    pub unread: &'a [Unread],
    /// Comparisons with a second reader, by volume.
    pub compared: &'a [(String, Comparison)],
    /// True if everything asked for is there and nothing differs.
    pub complete: bool,
    /// The same command, run again, goes on.
    pub can_go_on: bool,
}

impl Copy<'_> {
    /// For programs.
    pub fn to_json(&self) -> CopyRecord<'_> {
        let counts = &self.outcome.counts;
        CopyRecord {
            summary: "copy",
            complete: self.complete,
            copied: &counts.copied,
            hard_links: counts.hard_links,
            bytes: counts.bytes,
            seconds: self.outcome.seconds,
            already_there: counts.already_there,
            kept: counts.kept,
            failed: counts.failed,
            left: counts.left,
            filtered: counts.filtered,
            renamed: counts.renamed,
            trust: &counts.trust,
            lost_bytes: counts.lost,
            unkept: &counts.unkept,
            not_in_b3sums: counts.unnamed_in_sums,
            unhashed: counts.unhashed,
            packed: counts.packed,
            stopped: self.outcome.stopped.as_ref().map(ToString::to_string),
            problems: self.outcome.problems.iter().map(ProblemRecord::from).collect(),
            notes: &self.outcome.notes,
            unread_volumes: self.unread,
            cross_check: self.compared.iter().map(|(volume, it)| comparison_record(volume, it)).collect(),
        }
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).unwrap_or_default(); // writing to memory can not fail
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (outcome, counts) = (self.outcome, &self.outcome.counts);
        self.write_problems(text)?;
        for note in &outcome.notes {
            writeln!(text, "note: {}", name::escaped(note.as_bytes()))?;
        }
        let verb = if self.mode == Mode::DryRun { "would copy" } else { "copied" };
        let kinds: Vec<String> = counts.copied.iter().map(|(kind, n)| kind_count(*kind, *n)).collect();
        let what = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") };
        write!(text, "{verb} {what}; {} of contents", size(counts.bytes))?;
        if counts.hard_links > 0 {
            write!(text, ", {}", count(counts.hard_links, "further hard link"))?;
        }
        if self.mode == Mode::Copied && outcome.seconds > 0.0 {
            let rate = (counts.bytes as f64 / outcome.seconds) as u64;
            write!(text, "; {:.1} s, {}/s", outcome.seconds, size(rate))?;
        }
        text.push('\n');
        let left = match self.can_go_on {
            true => "left when the run stopped: run the same command again",
            false => "left when the run stopped: an archive can not be gone on with, make another",
        };
        for (n, what) in [
            (counts.already_there, "already there, and the same"),
            (counts.kept, "different there, and kept (--overwrite replaces them)"),
            (counts.failed, "could not be copied"),
            (counts.left, left),
            (counts.filtered, "left out as asked"),
            (counts.renamed, "under another name, as the destination can not hold theirs"),
            (counts.packed, "sent together, in archives in .offmount/packs (restore-metadata unpacks them)"),
            (counts.unhashed, "nearly all holes, hashed without them"),
            (counts.unnamed_in_sums, "not in B3SUMS, whose form can not name them; `offmount verify` covers them"),
        ] {
            if n > 0 {
                writeln!(text, "  {:>9} {what}", digits(n))?;
            }
        }
        self.write_trust(text)?;
        for (what, n) in &counts.unkept {
            let what = name::escaped(what.as_bytes());
            let n = digits(*n);
            match what.to_string().as_str() {
                Unkept::ITSELF => {
                    writeln!(text, "  {n:>9} in the manifest alone: the destination has nothing of the kind")?
                }
                what => writeln!(
                    text,
                    "  {n:>9} without {what}, which the destination does not take; the manifest keeps it"
                )?,
            }
        }
        for (volume, comparison) in self.compared {
            write_comparison(text, volume, comparison)?;
        }
        self.write_unread(text)?;
        if let Some(stopped) = &outcome.stopped {
            writeln!(text, "stopped: {stopped}")?;
        }
        Ok(())
    }

    fn write_problems(&self, text: &mut String) -> std::fmt::Result {
        let problems = &self.outcome.problems;
        for Problem { path, what, .. } in problems.iter().take(SHOWN) {
            writeln!(text, "{}: {}", name::escaped(path), name::escaped(what.as_bytes()))?;
        }
        if problems.len() > SHOWN {
            writeln!(
                text,
                "and {} more, each with its reason in the manifest",
                digits((problems.len() - SHOWN) as u64)
            )?;
        }
        Ok(())
    }

    fn write_trust(&self, text: &mut String) -> std::fmt::Result {
        for (trust, n) in self.outcome.counts.trust.iter().filter(|(_, n)| **n > 0) {
            let meaning = match trust {
                Trust::Intact => "in order",
                Trust::Journal => "with metadata from the journal",
                Trust::Renamed => "whose name or place was reconstructed",
                Trust::Unproven => {
                    "a checksum does not match or clusters were guessed, and nothing else speaks against them"
                }
                Trust::Partial => "some of their bytes are lost, zeros stand for them",
                Trust::Doubtful => "structures contradict each other: bytes may belong to other files",
            };
            writeln!(text, "  {:>9} {trust}: {meaning}", digits(*n))?;
        }
        if self.outcome.counts.lost > 0 {
            writeln!(text, "            {} lost in all", size(self.outcome.counts.lost))?;
        }
        Ok(())
    }

    fn write_unread(&self, text: &mut String) -> std::fmt::Result {
        for Unread { volume, kind, advice } in self.unread {
            writeln!(text, "{volume} holds {kind}, which offmount does not read. To go on, without writing to it:")?;
            for command in advice {
                writeln!(text, "    {command}")?;
            }
        }
        Ok(())
    }
}

impl<'a> From<&'a Problem> for ProblemRecord<'a> {
    fn from(problem: &'a Problem) -> Self {
        let (path, path_b64) = name::to_json(&problem.path);
        ProblemRecord { path, path_b64, status: problem.status, what: &problem.what }
    }
}

/// A number of things of a kind.
/// A number of paths of one kind: `1 directory`, `1,204 files`.
pub fn kind_count(kind: Kind, n: u64) -> String {
    match kind {
        Kind::File => count(n, "file"),
        Kind::Directory if n == 1 => "1 directory".into(),
        Kind::Directory => format!("{} directories", digits(n)),
        Kind::Symlink => count(n, "symbolic link"),
        Kind::Fifo => count(n, "named pipe"),
        Kind::Socket => count(n, "socket"),
        Kind::CharDevice => count(n, "character device"),
        Kind::BlockDevice => count(n, "block device"),
        Kind::Unknown => count(n, "path") + " of unknown kind",
    }
}

fn comparison_record<'a>(volume: &'a str, comparison: &'a Comparison) -> ComparisonRecord<'a> {
    ComparisonRecord {
        volume,
        reader: comparison.reader,
        agreed: comparison.agreed,
        bytes: comparison.bytes,
        differing: comparison.differing,
        cannot_judge: &comparison.unjudged,
        differences: differences(comparison),
    }
}

fn differences(comparison: &Comparison) -> Vec<String> {
    let line = |(path, difference): &(Vec<u8>, crate::crosscheck::Difference)| {
        format!("{}: {}", name::escaped(path), name::escaped(difference.to_string().as_bytes()))
    };
    comparison.differences.iter().map(line).collect()
}

/// What comparing a volume with a second reader came to, for people.
pub fn write_comparison(text: &mut String, volume: &str, comparison: &Comparison) -> std::fmt::Result {
    let Some(reader) = comparison.reader else {
        return writeln!(text, "{volume}: there is no second reader for this kind of filesystem");
    };
    let Comparison { agreed, bytes, differing, .. } = comparison;
    writeln!(text, "{volume}: {reader} agrees on {} and {} of contents", count(*agreed, "path"), size(*bytes))?;
    for line in differences(comparison).iter().take(SHOWN) {
        writeln!(text, "  differs: {line}")?;
    }
    if *differing > SHOWN as u64 {
        writeln!(text, "  {} differ in all", count(*differing, "path"))?;
    }
    for (reason, n) in &comparison.unjudged {
        writeln!(text, "  {} it can not judge: {reason}", count(*n, "path"))?;
    }
    Ok(())
}
