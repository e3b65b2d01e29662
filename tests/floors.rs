//! Holds the floors of ARCHITECTURE.md: a module imports only from lower floors, and crates that belong to one
//! module are named there alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates that only one module names.
const OWNED: &[(&str, &str)] = &[
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
    ("indicatif", "cli"),
    ("ext4_view", "crosscheck"),
    ("fatfs", "crosscheck"),
    ("http_body", "sink"),
    ("object_store", "sink"),
    ("quick_xml", "sink"),
    ("reqwest", "sink"),
    ("rustls", "sink"),
    ("tokio", "sink"),
    ("ureq", "sink"),
];

/// Module to floor.
type Floors = BTreeMap<String, u32>;

#[test]
fn imports_go_down_only() {
    let floors = floors(&fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md"));
    let files = sources();
    assert!(files.len() > 10, "the sources were not found");
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| {
            let faults = climbs(path, text, &floors).into_iter().chain(trespasses(path, text));
            faults.map(|fault| format!("src/{}: {fault}", path.display())).collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file below src/, its path relative to that.
fn sources() -> Vec<(PathBuf, String)> {
    let (mut files, mut folders) = (Vec::new(), vec![root().join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder below src/") {
            let path = entry.expect("an entry of src/").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                files.push((path.strip_prefix(root().join("src")).expect("below src/").to_owned(), text));
            }
        }
    }
    files
}

/// The floors' table: rows of a number and module names in backquotes.
fn floors(architecture: &str) -> Floors {
    let mut floors = Floors::new();
    for row in architecture.lines() {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let Some(floor) = cells.next().and_then(|cell| cell.parse().ok()) else { continue };
        for name in cells.next().unwrap_or_default().split('`').skip(1).step_by(2) {
            floors.insert(name.trim_end_matches('/').to_owned(), floor);
        }
    }
    floors
}

/// The path of modules that a file is: `fs/ext/mod.rs` is `[fs, ext]`.
fn module(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    names.pop_if(|name| name == "mod");
    names
}

/// Imports of a file that do not go down.
fn climbs(path: &Path, text: &str, floors: &Floors) -> Vec<String> {
    let module = module(path);
    let here = module[0].as_str();
    if ["main", "lib"].contains(&here) {
        return Vec::new();
    }
    let Some(own) = floors.get(here) else { return vec![format!("{here} has no floor in ARCHITECTURE.md")] };
    let mut faults = Vec::new();
    for name in crate_paths(&code(text), module.len()) {
        // What has no floor is no module: a macro, or what a `super::` of inline tests names.
        if let Some(floor) = floors.get(&name).filter(|floor| name != here && *floor >= own) {
            faults.push(format!("floor {own} imports {name}, which is on floor {floor}"));
        }
    }
    faults
}

/// Crates of another module that a file names.
fn trespasses(path: &Path, text: &str) -> Vec<String> {
    let (module, code) = (module(path), code(text));
    let names = |name: &str| {
        words(&code).any(|(at, word)| {
            let used = code[at + word.len()..].starts_with("::") || code[..at].ends_with("use ");
            word == name && used
        })
    };
    let foreign = OWNED.iter().filter(|(name, owner)| module[0] != *owner && names(name));
    foreign.map(|(name, owner)| format!("names {name}, which is {owner}'s alone")).collect()
}

/// The text without comments.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Identifiers and where they begin.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        at += code[at..].find(is_word)?;
        let len = code[at..].find(|c| !is_word(c)).unwrap_or(code.len() - at);
        at += len;
        Some((at - len, &code[at - len..at]))
    })
}

/// The top modules that paths from the crate's root name: `crate::a::b`, `crate::{a, b::{c}}`, and as many `super::`
/// as lead from a module `depth` deep to the root.
fn crate_paths(code: &str, depth: usize) -> Vec<String> {
    let up = format!("{}{{", "super::".repeat(depth));
    let mut names = Vec::new();
    for start in ["crate::", up.trim_end_matches('{')] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || (start != "crate::" && c == ':')) {
                continue;
            }
            names.extend(heads(&code[at + start.len()..]));
        }
    }
    names.retain(|name| name != "super" && name != "self" && name != "*");
    names
}

/// The first names of what follows `crate::`: one, or those of a group in braces.
fn heads(rest: &str) -> Vec<String> {
    let first = |part: &str| words(part).next().map(|(_, word)| word.to_owned());
    let Some(group) = rest.strip_prefix('{') else {
        return if rest.starts_with('*') { vec!["*".into()] } else { first(rest).into_iter().collect() };
    };
    let (mut open, mut part, mut names) = (1, String::new(), Vec::new());
    for c in group.chars() {
        open += i32::from(c == '{') - i32::from(c == '}');
        if open == 0 || (open == 1 && c == ',') {
            names.extend(first(&part));
            part.clear();
        } else {
            part.push(c);
        }
        if open == 0 {
            break;
        }
    }
    names
}

#[test]
fn an_import_that_climbs_is_seen_in_every_form() {
    let floors =
        floors("| floor | module |\n| --- | --- |\n| 0 | `bytes` | x |\n| 3 | `fs/`, `sink/` | y |\n| 7 | `cli/` |");
    let faults = |path: &str, text: &str| climbs(Path::new(path), text, &floors).len();
    assert_eq!(faults("fs/mod.rs", "use crate::bytes::Span;"), 0);
    assert_eq!(faults("fs/mod.rs", "use crate::fs::content;"), 0);
    assert_eq!(faults("fs/mod.rs", "// crate::cli is above"), 0);
    assert_eq!(faults("fs/ext/dir.rs", "use super::super::content;"), 0);
    assert_eq!(faults("fs/mod.rs", "use crate::cli;"), 1);
    assert_eq!(faults("fs/mod.rs", "use crate::sink::Sink;"), 1, "its own floor");
    assert_eq!(faults("fs/mod.rs", "fn f(x: crate::cli::X) {}"), 1);
    assert_eq!(faults("fs/mod.rs", "use crate::{\n    bytes::{Span, Spans},\n    cli::X,\n};"), 1);
    assert_eq!(faults("fs/ext/dir.rs", "use super::super::super::cli;"), 1);
    assert_eq!(faults("bytes.rs", "use super::fs;"), 1);
    assert_eq!(faults("new.rs", ""), 1, "a module without a floor");
}

#[test]
fn a_crate_named_in_the_wrong_place_is_seen() {
    let faults = |path: &str, text: &str| trespasses(Path::new(path), text).len();
    assert_eq!(faults("cli/mod.rs", "use clap::Parser;"), 0);
    assert_eq!(faults("copy/mod.rs", "let fatfs = 1; // fatfs::X"), 0);
    assert_eq!(faults("copy/mod.rs", "use clap::Parser;"), 1);
    assert_eq!(faults("main.rs", "#[derive(clap::Parser)]"), 1);
    assert_eq!(faults("fs/mod.rs", "use ext4_view as peer;"), 1);
}
