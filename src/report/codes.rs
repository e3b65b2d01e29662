//! What findings mean: the paragraph of one code, and the page of all.

use std::fmt::Write as _;

use super::finding::severity;
use crate::check;
use crate::finding::Code;
use crate::fs::DRIVERS;
use crate::volume;

/// The code tables of the program, each with its heading.
pub fn tables() -> Vec<(String, &'static [Code])> {
    let mut tables =
        vec![("Whole disks".to_owned(), check::codes::TABLE), ("Partition tables".to_owned(), volume::codes::TABLE)];
    tables.extend(DRIVERS.iter().map(|driver| (format!("Filesystem driver `{}`", driver.name), driver.codes)));
    tables
}

/// The code of a name, in whatever case.
pub fn find(id: &str) -> Option<Code> {
    tables().into_iter().flat_map(|(_, codes)| codes).copied().find(|code| code.id.eq_ignore_ascii_case(id))
}

/// The codes whose names hold `part`, or that e2fsck calls so.
pub fn similar(part: &str) -> Vec<Code> {
    let part = part.to_ascii_lowercase();
    let matches = |code: &&Code| {
        code.id.contains(&part) || code.e2fsck.iter().any(|problem| problem.to_ascii_lowercase().contains(&part))
    };
    tables().into_iter().flat_map(|(_, codes)| codes.iter().filter(matches)).copied().collect()
}

/// One code for people at a terminal.
pub fn paragraph(code: Code) -> String {
    let mut text = format!("{} ({})\n{}\n\n{}\n", code.id, severity(code.severity), sentence(code.title), code.explain);
    if !code.repair.is_empty() {
        let _ = writeln!(text, "\nRepair: {}", code.repair);
    }
    if !code.e2fsck.is_empty() {
        let _ = writeln!(text, "\ne2fsck calls it: {}", code.e2fsck.join(", "));
    }
    text
}

/// Where the verdict of e2fsck can not be compared as it is.
const BESIDE_E2FSCK: &str = "
## Beside e2fsck

- A journal waits to be replayed: `e2fsck -fn` judges the volume as it lies, and so blocks that a replay will overwrite;
  offmount judges what the replay leaves. To compare, replay the journal of a copy: `debugfs -w -R journal_run COPY`, then
  `e2fsck -fn COPY`. `e2fsck -fy -E journal_only COPY` (1.47.0) does not serve: it replays, and goes on to repair.
- `e2fsck -fn` ends with 0 after some problems that `e2fsck -fy` mends: counts of the superblock, extent trees that
  could be smaller. They are warnings or notes here, and a volume that has no others is called clean.
- `e2fsck -fn` also ends with 0 where the checksum of a group descriptor is wrong. That is damage here.
- Two of its own test images make `e2fsck -fn` print without end; offmount ends on them, with what it found.
";

/// Every code of the program as one page of Markdown.
pub fn page() -> String {
    let mut text = String::from(
        "# What offmount finds\n\nEvery finding has a code that never changes. `note` and `warning` cost no data; \
         `damage` is what a repair would change; `critical` keeps files, or the whole volume, from being reached the \
         usual way. Where `e2fsck -fn` gives up before it comes to a finding, that names no problem of e2fsck, and is \
         `unreached` in JSON.\n\nThis page is made by `offmount explain --all`.\n",
    );
    text.push_str(BESIDE_E2FSCK);
    for (heading, codes) in tables() {
        let _ = write!(text, "\n## {heading}\n");
        for code in codes {
            let _ = write!(text, "\n### `{}`\n\n", code.id);
            let _ = write!(text, "*{}*: {}\n\n{}\n", severity(code.severity), sentence(code.title), code.explain);
            if !code.repair.is_empty() {
                let _ = write!(text, "\nRepair: {}\n", code.repair);
            }
            if !code.e2fsck.is_empty() {
                let names: Vec<String> = code.e2fsck.iter().map(|name| format!("`{name}`")).collect();
                let _ = write!(text, "\ne2fsck: {}\n", names.join(", "));
            }
        }
    }
    text
}

/// A title as a sentence.
fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_every_code_has_its_paragraph() {
        let mut ids = HashSet::new();
        for code in tables().into_iter().flat_map(|(_, codes)| codes) {
            assert!(ids.insert(code.id), "{} stands twice", code.id);
            let well_formed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(code.id.chars().all(well_formed), "{} is not lower case with hyphens", code.id);
            assert!(code.explain.len() > 20, "{} is not explained", code.id);
            assert!(!code.title.ends_with('.'), "the title of {} ends with a full stop", code.id);
            assert!(find(code.id) == Some(*code) && page().contains(code.explain));
        }
        assert!(ids.len() > 1);
    }
}
