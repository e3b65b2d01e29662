//! Where every item goes: names that a destination can not hold, mount points, and offmount's own folder ([`Places`]).

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Part;
use crate::manifest::FOLDER;
use crate::name::escaped;
use crate::node::Kind;
use crate::sink::Names;
use crate::tree::{ItemId, ROOT};

/// Where the files go that a mount hides, below the top: `#volumes/p2/boot`.
const VOLUMES: &[u8] = b"#volumes";

/// Where goes what has too long a path, below the top.
const LONG: &[u8] = b"#long";

/// How many changed names are told one by one; all of them stand in the manifest.
const NOTED: u64 = 100;

/// Where items go. Without an entry here an item goes below its directory, under its own name.
pub struct Places<'a> {
    parts: &'a [Part<'a>],
    /// Items that go elsewhere, with all below them: their whole path. Of a mount point only what is below it goes there.
    moved: HashMap<(u16, ItemId), Vec<u8>>,
    /// Mount points: another part's root stands in their place.
    covered: HashSet<(u16, ItemId)>,
    /// What had to be moved and why, for the user.
    pub notes: Vec<String>,
    /// How many names had to change.
    pub renamed: u64,
}

impl<'a> Places<'a> {
    /// Decides where the items of `parts` go, in a destination that takes such names.
    pub fn decide(parts: &'a [Part<'a>], names: Names) -> Self {
        let mut places =
            Places { parts, moved: HashMap::new(), covered: HashSet::new(), notes: Vec::new(), renamed: 0 };
        for (n, part) in (0u16..).zip(parts) {
            for other in parts.iter().filter(|other| is_below(&other.at, &part.at) && other.at != part.at) {
                places.make_way(n, part, other);
            }
            places.rename_misfits(n, part, names);
            places.shorten(n, part, names);
        }
        places
    }

    /// What stands in `part` at a mount point, or in the way to it, makes way.
    fn make_way(&mut self, n: u16, part: &Part<'_>, other: &Part<'_>) {
        let below = other.at.strip_prefix(&part.at[..]).unwrap_or(&other.at);
        let mut at = ROOT;
        for name in below.split(|&b| b == b'/').filter(|name| !name.is_empty()) {
            let Some(item) = part.tree.children(at).find(|&child| part.tree.name(child) == name) else { return };
            if part.tree.kind(item) != Kind::Directory {
                return self.set_aside(n, part, item);
            }
            at = item;
        }
        if at == ROOT {
            return;
        }
        self.covered.insert((n, at));
        if part.tree.children(at).len() > 0 {
            self.set_aside(n, part, at);
        }
    }

    fn set_aside(&mut self, n: u16, part: &Part<'_>, item: ItemId) {
        let from = part.tree.path(item);
        let to = [VOLUMES, b"/", part.volume.as_bytes(), b"/", &from].concat();
        self.notes.push(format!("what a mount hides at /{} goes to {}", escaped(&from), escaped(&to)));
        self.moved.insert((n, item), to);
    }

    fn rename_misfits(&mut self, n: u16, part: &Part<'_>, names: Names) {
        // Items of one directory stand together: its names are gathered once.
        let mut siblings: (Option<ItemId>, HashSet<&[u8]>) = (None, HashSet::new());
        for item in part.tree.items().skip(1) {
            let (name, parent) = (part.tree.name(item), part.tree.parent(item));
            let is_top = part.at.is_empty() && parent == ROOT;
            let is_ours = is_top
                && (name.eq_ignore_ascii_case(FOLDER.as_bytes())
                    || is_placed(name, part.tree.kind(item), self.parts.len()));
            if (fits(name, names) && !is_ours) || self.moved.contains_key(&(n, item)) {
                continue;
            }
            if siblings.0 != Some(parent) {
                siblings = (Some(parent), part.tree.children(parent).map(|twin| part.tree.name(twin)).collect());
            }
            let mut path = self.path(n, parent);
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&other_name(name, names, &siblings.1));
            let why = if is_ours { "the name is offmount's own" } else { "the destination can not hold the name" };
            self.rename(n, part, item, path, why);
        }
    }

    fn rename(&mut self, n: u16, part: &Part<'_>, item: ItemId, path: Vec<u8>, why: &str) {
        if self.renamed < NOTED {
            let (from, to) = (part.tree.path(item), escaped(&path));
            self.notes.push(format!("/{} goes to {to}: {why}", escaped(&from)));
        }
        self.renamed += 1;
        self.moved.insert((n, item), path);
    }

    /// What has too long a path goes to a directory of its own at the top, with all below it.
    fn shorten(&mut self, n: u16, part: &Part<'_>, names: Names) {
        if names.longest_path == usize::MAX {
            return;
        }
        // Of what a directory moves along some may have been moved before it: the path decides each time.
        for item in part.tree.items().skip(1) {
            if self.length(n, item, names.length) <= names.longest_path {
                continue;
            }
            let hash = blake3::hash(&[part.volume.as_bytes(), b"/", &part.tree.path(item)].concat()).to_hex();
            let name = with_end(part.tree.name(item), &format!("~{}", &hash[..16]), names);
            let path = [LONG, b"/", &name].concat();
            self.rename(n, part, item, path, "the destination can not hold so long a path");
        }
    }

    /// Bytes that a destination needs for an item's path.
    fn length(&self, n: u16, item: ItemId, length: fn(&[u8]) -> usize) -> usize {
        let Part { tree, at: top, .. } = &self.parts[usize::from(n)];
        let (mut bytes, mut at) = (0, item);
        loop {
            if let Some(path) = self.moved.get(&(n, at)) {
                return bytes + length(path);
            }
            if at == ROOT {
                return bytes + length(top);
            }
            bytes += length(tree.name(at)) + 1;
            at = tree.parent(at);
        }
    }

    /// True for a mount point whose place another part's root takes.
    pub fn is_covered(&self, part: u16, item: ItemId) -> bool {
        !self.covered.is_empty() && self.covered.contains(&(part, item))
    }

    /// True for an item that goes elsewhere than below its directory, under its own name.
    pub fn is_moved(&self, part: u16, item: ItemId) -> bool {
        !self.moved.is_empty() && self.moved.contains_key(&(part, item))
    }

    /// True for what lies below a mount point, hidden by what is mounted there.
    pub fn is_hidden(&self, part: u16, item: ItemId) -> bool {
        let at = &self.parts[usize::from(part)].at;
        !self.moved.is_empty() && !is_below(at, VOLUMES) && is_below(&self.path(part, item), VOLUMES)
    }

    /// Path of an item in the destination; empty for the top.
    pub fn path(&self, part: u16, item: ItemId) -> Vec<u8> {
        let tree = self.parts[usize::from(part)].tree;
        let (mut names, mut at): (Vec<&[u8]>, _) = (Vec::with_capacity(16), item);
        let top = loop {
            if !self.moved.is_empty()
                && let Some(path) = self.moved.get(&(part, at))
            {
                break &path[..];
            }
            if at == ROOT {
                break &self.parts[usize::from(part)].at[..];
            }
            names.push(tree.name(at));
            at = tree.parent(at);
        };
        let mut path = Vec::with_capacity(top.len() + names.iter().map(|name| name.len() + 1).sum::<usize>());
        path.extend_from_slice(top);
        for name in names.iter().rev() {
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
        path
    }

    /// Path of an item in its volume, where it is another than `path`, its path in the destination.
    pub fn source(&self, part: u16, item: ItemId, path: &[u8]) -> Option<Vec<u8>> {
        let Part { tree, at, source, .. } = &self.parts[usize::from(part)];
        if at == source && self.moved.is_empty() {
            return None;
        }
        let below = tree.path(item);
        let whole = match (source.is_empty(), below.is_empty()) {
            (true, _) => below,
            (false, true) => source.clone(),
            (false, false) => [&source[..], b"/", &below].concat(),
        };
        (whole != path).then_some(whole)
    }

    /// Directories that no part has and that are needed on the way to what is `wanted`, parents first.
    pub fn implied(&self, wanted: impl Fn(u16, ItemId) -> bool) -> Vec<Vec<u8>> {
        let mut implied = BTreeSet::new();
        for (n, part) in (0u16..).zip(self.parts).filter(|(n, _)| wanted(*n, ROOT)) {
            let missing = ways(&part.at).filter(|path| self.directory_at(path).is_none());
            implied.extend(missing.map(<[u8]>::to_vec));
            for ((of, item), path) in self.moved.iter().filter(|((of, item), _)| *of == n && wanted(n, *item)) {
                if is_below(path, LONG) {
                    implied.extend(ways(path).filter(|path| self.directory_at(path).is_none()).map(<[u8]>::to_vec));
                }
                if is_below(path, VOLUMES) && !is_below(&part.at, VOLUMES) {
                    implied.extend(ways(path).map(<[u8]>::to_vec));
                    implied.extend(self.is_covered(*of, *item).then(|| path.clone()));
                }
            }
        }
        implied.into_iter().collect()
    }

    /// The part and item that make the directory at a path of the destination.
    pub fn directory_at(&self, path: &[u8]) -> Option<(u16, ItemId)> {
        (0u16..).zip(self.parts).find_map(|(n, part)| {
            let item = part.tree.find(strip(path, &part.at)?)?;
            let is_there = part.tree.kind(item) == Kind::Directory && !self.is_covered(n, item);
            is_there.then_some((n, item))
        })
    }
}

/// What of `path` lies below `top`.
pub fn strip<'p>(path: &'p [u8], top: &[u8]) -> Option<&'p [u8]> {
    if top.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(top)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
}

/// True if `path` is `top` or below it; both without a leading slash.
pub fn is_below(path: &[u8], top: &[u8]) -> bool {
    strip(path, top).is_some()
}

/// True for a name at the top below which we put things.
fn is_placed(name: &[u8], kind: Kind, parts: usize) -> bool {
    name == VOLUMES && parts > 1 || name == LONG && kind != Kind::Directory
}

fn fits(name: &[u8], names: Names) -> bool {
    (names.length)(name) <= names.longest
        && !name.is_empty()
        && name != b"."
        && name != b".."
        && !name.iter().any(|b| matches!(b, 0 | b'/'))
}

/// A name like the one given that a destination can hold and that none of its `siblings` has: its beginning, and a part of
/// its hash.
fn other_name(name: &[u8], names: Names, siblings: &HashSet<&[u8]>) -> Vec<u8> {
    let plain: Vec<u8> = name.iter().map(|&b| if matches!(b, 0 | b'/') { b'_' } else { b }).collect();
    let hash = blake3::hash(name).to_hex();
    for digits in [8, 16, 32] {
        let other = with_end(&plain, &format!("~{}", &hash[..digits]), names);
        if !siblings.contains(&other[..]) {
            return other;
        }
    }
    [b"~".as_slice(), hash.as_bytes()].concat()
}

/// As much of a name as fits before an end.
fn with_end(name: &[u8], end: &str, names: Names) -> Vec<u8> {
    let mut keep = name.len().min(names.longest.saturating_sub(end.len()));
    loop {
        // A character of several bytes is kept whole or not at all.
        while keep > 0 && keep < name.len() && name[keep] & 0xc0 == 0x80 {
            keep -= 1;
        }
        let whole = [&name[..keep], end.as_bytes()].concat();
        if keep == 0 || (names.length)(&whole) <= names.longest {
            return whole;
        }
        keep -= 1;
    }
}

/// The directories on the way to a path, without the path itself and the top.
fn ways(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..path.len()).filter(|&i| path[i] == b'/').map(|i| &path[..i])
}
