//! Which items are copied: paths, globs, exclusions ([`Selected`]).

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::place::{Places, is_below, strip};
use super::{Error, Part, Selection};
use crate::node::Kind;
use crate::tree::{ItemId, ROOT};

/// What is done with an item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mark {
    /// It is left out.
    No,
    /// It is a directory on the way to something wanted.
    Way,
    /// It is wanted.
    Yes,
}

/// The items wanted, for each part.
pub struct Selected {
    marks: Vec<Vec<Mark>>,
    /// Paths asked for that are not there.
    pub missing: Vec<Vec<u8>>,
    /// Items left out by `exclude`.
    pub excluded: u64,
}

impl Selected {
    /// Applies `selection`, without what it takes nodes to know (times, sizes).
    pub fn choose(places: &Places<'_>, parts: &[Part<'_>], selection: &Selection) -> Result<Self, Error> {
        let rules = Rules::parse(places, parts, selection)?;
        let mut selected = Selected { marks: Vec::new(), missing: rules.missing.clone(), excluded: 0 };
        let mut matched = vec![false; rules.globs.len()];
        for (n, part) in (0u16..).zip(parts) {
            let mut marks = rules.mark(places, n, part, &mut matched, &mut selected.excluded);
            if let Some(only) = &selection.only {
                let chosen = only.get(&part.volume);
                let is_chosen = |item| chosen.is_some_and(|nodes| nodes.contains(&part.tree.id(item)));
                part.tree.items().filter(|item| !is_chosen(*item)).for_each(|item| marks[item.index()] = Mark::No);
            }
            selected.marks.push(marks);
        }
        let unmatched = rules.glob_texts.iter().zip(&matched).filter(|(_, matched)| !**matched);
        selected.missing.extend(unmatched.map(|(text, _)| text.clone()));
        Ok(selected)
    }

    /// What is done with an item.
    pub fn mark(&self, part: u16, item: ItemId) -> Mark {
        self.marks[usize::from(part)][item.index()]
    }

    /// Leaves out an item that seemed wanted.
    pub fn drop(&mut self, part: u16, item: ItemId) {
        self.marks[usize::from(part)][item.index()] = Mark::No;
    }

    /// Marks the directories on the way to what is wanted. `only_ways`: directories count for nothing themselves.
    pub fn mark_ways(&mut self, places: &Places<'_>, parts: &[Part<'_>], only_ways: bool) {
        if only_ways {
            for (marks, part) in self.marks.iter_mut().zip(parts) {
                part.tree
                    .items()
                    .filter(|&item| part.tree.kind(item) == Kind::Directory)
                    .for_each(|item| marks[item.index()] = Mark::No);
            }
        }
        for (n, part) in parts.iter().enumerate() {
            // Children come after their parents, so from the end every mark is final when it is met.
            for item in part.tree.items().rev() {
                if self.marks[n][item.index()] != Mark::No {
                    let mark = &mut self.marks[n][part.tree.parent(item).index()];
                    *mark = (*mark).max(Mark::Way);
                }
            }
            if self.is_used(n) {
                self.mark_way_to(places, &part.at);
            }
        }
    }

    /// Marks the directories of other parts on the way to `at`, all of which come before it.
    fn mark_way_to(&mut self, places: &Places<'_>, at: &[u8]) {
        for end in (0..at.len()).filter(|&i| i == 0 || at[i] == b'/') {
            if let Some((n, item)) = places.directory_at(&at[..end]) {
                let mark = &mut self.marks[usize::from(n)][item.index()];
                *mark = (*mark).max(Mark::Way);
            }
        }
    }

    /// True if anything of a part is wanted.
    pub fn is_used(&self, part: usize) -> bool {
        self.marks[part][ROOT.index()] != Mark::No
    }
}

/// A selection, made ready.
struct Rules {
    /// Nothing was asked for by path, so everything is.
    everything: bool,
    /// Items asked for by path.
    seeds: HashSet<(u16, ItemId)>,
    globs: GlobSet,
    glob_texts: Vec<Vec<u8>>,
    exclude_names: GlobSet,
    exclude_paths: GlobSet,
    missing: Vec<Vec<u8>>,
}

impl Rules {
    fn parse(places: &Places<'_>, parts: &[Part<'_>], selection: &Selection) -> Result<Self, Error> {
        let (mut seeds, mut missing, mut glob_texts) = (HashSet::new(), Vec::new(), Vec::new());
        for asked in &selection.paths {
            let path = normal(asked);
            let found = find(places, parts, &path);
            if found.is_empty() {
                if may_be_glob(asked) { glob_texts.push(path) } else { missing.push(asked.clone()) }
            }
            seeds.extend(found);
        }
        let texts: Vec<String> = glob_texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        let (paths, names): (Vec<&String>, Vec<&String>) =
            selection.exclude.iter().partition(|glob| glob.contains('/'));
        Ok(Rules {
            everything: selection.paths.is_empty(),
            seeds,
            globs: globs(texts.iter().map(String::as_str))?,
            glob_texts,
            exclude_names: globs(names.into_iter().map(String::as_str))?,
            exclude_paths: globs(paths.into_iter().map(|glob| glob.trim_matches('/')))?,
            missing,
        })
    }

    fn mark(
        &self,
        places: &Places<'_>,
        n: u16,
        part: &Part<'_>,
        matched: &mut [bool],
        excluded: &mut u64,
    ) -> Vec<Mark> {
        let mut marks = vec![Mark::No; part.tree.len()];
        // Items below what is excluded are left out as well; parents stand before their children.
        let mut out = vec![false; if self.excludes() { part.tree.len() } else { 0 }];
        for item in part.tree.items() {
            let parent = part.tree.parent(item);
            let inherited = if item == ROOT { self.everything } else { marks[parent.index()] == Mark::Yes };
            if self.excludes() && ((item != ROOT && out[parent.index()]) || self.is_excluded(places, n, part, item)) {
                out[item.index()] = true;
                *excluded += u64::from(inherited);
                continue;
            }
            let asked = inherited || self.seeds.contains(&(n, item)) || self.globs_match(places, n, item, matched);
            if asked {
                marks[item.index()] = Mark::Yes;
            }
        }
        marks
    }

    fn excludes(&self) -> bool {
        !self.exclude_names.is_empty() || !self.exclude_paths.is_empty()
    }

    fn is_excluded(&self, places: &Places<'_>, n: u16, part: &Part<'_>, item: ItemId) -> bool {
        self.exclude_names.is_match(as_path(part.tree.name(item)))
            || !self.exclude_paths.is_empty() && self.exclude_paths.is_match(as_path(&places.path(n, item)))
    }

    fn globs_match(&self, places: &Places<'_>, n: u16, item: ItemId, matched: &mut [bool]) -> bool {
        if self.globs.is_empty() {
            return false;
        }
        let found = self.globs.matches(as_path(&places.path(n, item)));
        found.iter().for_each(|&i| matched[i] = true);
        !found.is_empty()
    }
}

/// True for a path that names more than one, unless a name really holds such a character.
pub fn may_be_glob(path: &[u8]) -> bool {
    path.iter().any(|b| b"*?[".contains(b))
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn globs<'g>(texts: impl Iterator<Item = &'g str>) -> Result<GlobSet, Error> {
    let bad = |error: globset::Error| Error::BadGlob(error.to_string());
    let mut set = GlobSetBuilder::new();
    for text in texts {
        set.add(GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build().map_err(bad)?);
    }
    set.build().map_err(bad)
}

/// A path without leading, trailing and double slashes and without `.`.
fn normal(path: &[u8]) -> Vec<u8> {
    let names: Vec<&[u8]> = path.split(|&b| b == b'/').filter(|name| !name.is_empty() && *name != b".").collect();
    names.join(&b'/')
}

/// The items that a path stands for: one, or the roots of all parts below it as well.
fn find(places: &Places<'_>, parts: &[Part<'_>], path: &[u8]) -> Vec<(u16, ItemId)> {
    let mut found = Vec::new();
    for (n, part) in (0u16..).zip(parts) {
        if is_below(&part.at, path) {
            found.push((n, ROOT));
        } else if let Some(item) = strip(path, &part.at).and_then(|below| part.tree.find(below))
            && !places.is_covered(n, item)
            && !places.is_hidden(n, item)
        {
            found.push((n, item));
        }
    }
    found
}
