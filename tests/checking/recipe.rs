//! The recipes of `testdata/recipes/ext-damage.txt`, and what comes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use offmount::bytes::{Span, Spans};
use offmount::fs::{Census, FileSystem, Members, OpenOptions, ext};
use offmount::node::{Kind, Node};
use offmount::progress::Silent;
use offmount::source::{FileSource, Source, Unreadable};

use super::{check_with, damage, problems};
use crate::common::{Scratch, poke, testdata};

/// A paragraph of the recipes.
#[derive(Default)]
pub struct Recipe {
    pub name: String,
    /// What mke2fs is told.
    pub mkfs: String,
    commands: Vec<String>,
    /// Structures that can not be read.
    lost: Vec<String>,
    /// How e2fsck is asked: `-fn` but for what it says only while it repairs.
    asked: String,
    /// What the check must find.
    pub finds: BTreeSet<String>,
    /// What our reader must find while it opens the volume and reads every file.
    pub reads: BTreeSet<String>,
}

/// All recipes.
pub fn recipes() -> Vec<Recipe> {
    let text = fs::read_to_string(testdata("recipes/ext-damage.txt")).expect("the recipes");
    text.split("\n\n").filter(|paragraph| !paragraph.starts_with('#')).map(parse).collect()
}

fn parse(paragraph: &str) -> Recipe {
    let mut lines = paragraph.lines();
    let name = lines.next().expect("a name").to_owned();
    let mut recipe = Recipe { name, asked: "-fn".to_owned(), ..Recipe::default() };
    for line in lines {
        let codes = |list: &str| list.split(' ').map(str::to_owned).collect::<Vec<_>>();
        match line.split_once(' ') {
            Some(("mkfs", options)) => recipe.mkfs = options.to_owned(),
            Some(("do", command)) => recipe.commands.push(command.to_owned()),
            Some(("lose", structure)) => recipe.lost.push(structure.to_owned()),
            Some(("e2fsck", option)) => recipe.asked = option.to_owned(),
            Some(("finds", list)) => recipe.finds.extend(codes(list)),
            Some(("reads", list)) => recipe.reads.extend(codes(list)),
            _ => panic!("{}: {line}", recipe.name),
        }
    }
    recipe
}

/// Carries out a recipe on a copy of the volume `whole`, and says what is not as it says. `names` are those of e2fsck's
/// problems.
pub fn try_out(scratch: &Scratch, whole: &Path, recipe: &Recipe, names: &BTreeMap<u32, String>) -> Vec<String> {
    let image = scratch.copy_of(whole, &recipe.name);
    recipe.commands.iter().for_each(|command| damage(scratch, &image, command));
    let lost: Spans = recipe.lost.iter().map(|structure| poke::span(&image, structure)).collect();
    // e2fsck is not asked about sectors that can not be read: it would be given zeros.
    let said = lost.is_empty().then(|| problems(scratch, &judged(scratch, &image, recipe), &recipe.asked, names));
    let mut wrong = Vec::new();
    let mut compare = |by: &str, expected: &BTreeSet<String>, found: &[(String, Vec<String>)]| {
        let disagreements = expected.iter().filter_map(|id| Some((id, disagreement(id, found, said.as_ref())?)));
        wrong.extend(disagreements.map(|(id, why)| format!("{} ({by}): {id} {why}", recipe.name)));
    };
    if !recipe.finds.is_empty() {
        let map = scratch.join("mapfile");
        fs::write(&map, mapfile(&lost, fs::metadata(&image).expect("the image").len())).expect("a mapfile");
        let (_, findings) = check_with(&image, &["--mapfile", map.to_str().expect("a path in UTF-8")]);
        let found: Vec<_> = findings.into_iter().map(|(id, _, names)| (id, names)).collect();
        compare("check", &recipe.finds, &found);
    }
    if !recipe.reads.is_empty() {
        compare("reader", &recipe.reads, &read_all(&image, lost));
    }
    fs::remove_file(image).expect("the image is ours");
    wrong
}

/// The image that e2fsck is asked about: a copy, where it may write.
fn judged(scratch: &Scratch, image: &Path, recipe: &Recipe) -> PathBuf {
    if recipe.asked == "-fn" { image.to_owned() } else { scratch.copy_of(image, "repaired") }
}

/// What is wrong with the finding of a code, if anything.
fn disagreement(id: &str, found: &[(String, Vec<String>)], said: Option<&BTreeSet<String>>) -> Option<String> {
    let Some((_, theirs)) = found.iter().find(|(code, _)| code == id) else {
        let ids: BTreeSet<&String> = found.iter().map(|(code, _)| code).collect();
        return Some(format!("is not found, but {ids:?}; e2fsck says {said:?}"));
    };
    let said = said?;
    let agree = theirs.is_empty() || theirs.iter().any(|name| said.contains(name));
    (!agree).then(|| format!("is {theirs:?}, and e2fsck says {said:?}"))
}

/// A ddrescue mapfile in which all is read but `lost`.
fn mapfile(lost: &Spans, len: u64) -> String {
    let (mut text, mut at) = (String::from("0x0 + 1\n"), 0);
    for Span { start, end } in lost.iter() {
        text.push_str(&format!("{at:#x} {:#x} +\n{start:#x} {:#x} -\n", start - at, end - start));
        at = end;
    }
    text + &format!("{at:#x} {:#x} +\n", len.saturating_sub(at))
}

/// What our reader reports while it opens a volume and reads every file, directory and attribute of it.
fn read_all(image: &Path, lost: Spans) -> Vec<(String, Vec<String>)> {
    let file: Source = Arc::new(FileSource::open(image).expect("the image"));
    let members = Members::one(Arc::new(Unreadable::new(file, lost)));
    let open = |options| (ext::DRIVER.open)(&members, &options, &Silent).expect("a source").expect("a filesystem");
    let fs = open(OpenOptions::default());
    let mut findings: Vec<_> = fs.log().findings().cloned().collect();
    // What better evidence overrules is only reported where nothing else may be used.
    findings.extend(open(OpenOptions { strict: true, ..OpenOptions::default() }).log().findings().cloned());
    let mut visit = |node: Node| {
        findings.extend(of_node(&*fs, &node));
        ControlFlow::Continue(())
    };
    fs.census(Census::InUse, &Silent, &mut visit).expect("a source");
    let theirs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    findings.iter().map(|finding| (finding.code.id.to_owned(), theirs(finding.code.e2fsck))).collect()
}

fn of_node(fs: &dyn FileSystem, node: &Node) -> Vec<offmount::finding::Finding> {
    let mut findings = fs.mapping(node).expect("a source").findings;
    findings.extend(fs.xattrs(node).expect("a source").findings);
    if node.kind == Kind::Directory {
        findings.extend(fs.entries(node, &mut |_| ControlFlow::Continue(())).expect("a source").findings);
    }
    findings
}
