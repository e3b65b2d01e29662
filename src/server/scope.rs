//! Everything below a path of the server, over mounts: [`Server::below`], [`Server::everything`].

use super::list::TreeRef;
use super::{Placement, Resolved, Server};
use crate::node::Kind;
use crate::progress::Progress;
use crate::source::SourceGone;
use crate::tree::{ItemId, ROOT, Tree};

/// Part of one volume: a tree, where in it to begin, and the path of that beginning.
pub struct Part<'s> {
    /// Index into [`Disk::volumes`](crate::survey::Disk::volumes).
    pub volume: usize,
    /// The tree.
    pub tree: TreeRef<'s>,
    /// Where to begin.
    pub start: ItemId,
    /// The path of the beginning, as a user would ask for it: `/etc`, `p3:/`.
    pub at: Vec<u8>,
    /// Directories that another volume is mounted on: they are not descended into, and not shown.
    pub covered: Vec<ItemId>,
}

impl Server {
    /// A path and everything below it, the volumes mounted there included: the part that holds the path comes first.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn below(&self, top: &Resolved, progress: &dyn Progress) -> Result<Vec<Part<'_>>, SourceGone> {
        let names_volume = !top.server_path.starts_with(b"/");
        let mounted: Vec<Placement> = match names_volume {
            true => Vec::new(),
            false => self.layout().into_iter().filter(|it| it.placed && is_below(&it.at, &top.server_path)).collect(),
        };
        let mut parts = Vec::new();
        parts.extend(self.part(top, progress)?);
        for placement in mounted {
            let at = [b"/", &placement.at[..]].concat();
            parts.extend(self.volume_part(placement.volume, at, progress)?);
        }
        self.cover(&mut parts);
        Ok(parts)
    }

    /// All files of the disk: the server's own paths, then the volumes that nothing places, as `p3:/`.
    ///
    /// # Errors
    /// When the source is gone.
    pub fn everything(&self, progress: &dyn Progress) -> Result<Vec<Part<'_>>, SourceGone> {
        let mut parts = Vec::new();
        for Placement { volume, at, placed } in self.layout() {
            let at = match placed {
                true => [b"/", &at[..]].concat(),
                false => format!("{}:/", self.volume(volume).name).into_bytes(),
            };
            parts.extend(self.volume_part(volume, at, progress)?);
        }
        self.cover(&mut parts);
        Ok(parts)
    }

    fn volume_part(&self, volume: usize, at: Vec<u8>, progress: &dyn Progress) -> Result<Option<Part<'_>>, SourceGone> {
        let tree = self.tree(volume, progress)?.map(TreeRef::Kept);
        Ok(tree.map(|tree| Part { volume, tree, start: ROOT, at, covered: Vec::new() }))
    }

    /// The part below a path: only that is walked, unless damage there makes the whole tree necessary.
    fn part(&self, top: &Resolved, progress: &dyn Progress) -> Result<Option<Part<'_>>, SourceGone> {
        let at = top.server_path.clone();
        let small = match (self.volume(top.volume).fs(), &top.node, top.item) {
            (Some(fs), Some(node), None) if !top.path.is_empty() && node.kind == Kind::Directory => {
                Tree::below(fs.clone(), node.id, progress)?
            }
            _ => None,
        };
        if let Some(tree) = small {
            let tree = TreeRef::Own(Box::new(tree));
            return Ok(Some(Part { volume: top.volume, tree, start: ROOT, at, covered: Vec::new() }));
        }
        let Some(tree) = self.tree(top.volume, progress)? else { return Ok(None) };
        let Some(start) = top.item.or_else(|| tree.find(&top.path)) else { return Ok(None) };
        Ok(Some(Part { volume: top.volume, tree: TreeRef::Kept(tree), start, at, covered: Vec::new() }))
    }

    /// Notes in each part where the others are mounted over it.
    fn cover(&self, parts: &mut [Part<'_>]) {
        let places: Vec<Vec<u8>> = parts.iter().map(|part| part.at.clone()).collect();
        for part in parts {
            let below = places.iter().filter(|at| **at != part.at).filter_map(|at| relative(at, &part.at));
            part.covered = below.filter_map(|path| find_below(&part.tree, part.start, path)).collect();
        }
    }
}

/// True if `at` (without a leading slash) lies below the absolute path `top`.
fn is_below(at: &[u8], top: &[u8]) -> bool {
    relative(&[b"/", at].concat(), top).is_some_and(|path| !path.is_empty())
}

/// `path` seen from the absolute path `top`; `None` if it is not below.
fn relative<'p>(path: &'p [u8], top: &[u8]) -> Option<&'p [u8]> {
    let rest = path.strip_prefix(top)?;
    if top.ends_with(b"/") { Some(rest) } else { rest.strip_prefix(b"/") }
}

fn find_below(tree: &Tree, start: ItemId, path: &[u8]) -> Option<ItemId> {
    path.split(|&b| b == b'/')
        .filter(|name| !name.is_empty())
        .try_fold(start, |dir, name| tree.children(dir).find(|&child| tree.name(child) == name))
}

impl Part<'_> {
    /// The items from the start on, each directory before what it holds, names of a directory in order.
    pub fn items(&self) -> Vec<ItemId> {
        let (mut items, mut stack) = (Vec::with_capacity(self.tree.len()), vec![self.start]);
        while let Some(item) = stack.pop() {
            items.push(item);
            stack.extend(self.tree.by_name(item).rev().filter(|child| !self.covered.contains(child)));
        }
        items
    }

    /// Appends the path of an item at or below the start to `path`.
    pub fn path_into(&self, item: ItemId, path: &mut Vec<u8>) {
        path.extend_from_slice(&self.at);
        let mut names = Vec::new();
        let mut at = item;
        while at != self.start && at != ROOT {
            names.push(self.tree.name(at));
            at = self.tree.parent(at);
        }
        for name in names.into_iter().rev() {
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_a_question_of_whole_names() {
        assert!(is_below(b"var/log", b"/"));
        assert!(is_below(b"var/log", b"/var"));
        assert!(!is_below(b"var/log", b"/var/log"));
        assert!(!is_below(b"variety", b"/var"));
        assert_eq!(relative(b"/var/log", b"/var"), Some(&b"log"[..]));
        assert_eq!(relative(b"p3:/", b"/"), None);
    }
}
