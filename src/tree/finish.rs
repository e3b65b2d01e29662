//! The last step of building: items in order, names made unique.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use rayon::prelude::*;

use super::build::{Builder, MAX_DEPTH};
use super::{Item, Tree};
use crate::node::Trust;

impl Builder {
    /// Orders the items level by level; what was taken out is left behind, with all below it.
    pub(super) fn finish(mut self) -> Tree {
        self.settle();
        let (first, sorted) = by_parent(&self.items);
        let mut items = Vec::with_capacity(self.items.len());
        let mut first_child = Vec::with_capacity(self.items.len() + 1);
        items.push(self.items[0]);
        let mut was = vec![0u32];
        // `items` grows while it is walked: each item's own follow those of the items before it.
        let mut at = 0;
        while at < items.len() {
            first_child.push(items.len() as u32);
            let (old, above) = (was[at] as usize, items[at]);
            // Moving directories to where they belong can only make chains this long in a tree forged to do so.
            let listed = above.depth < 2 * MAX_DEPTH;
            for &child in sorted[first[old] as usize..first[old + 1] as usize].iter().filter(|_| listed) {
                let mut item = self.items[child as usize];
                (item.parent, item.depth) = (at as u32, above.depth + 1);
                if above.trust >= Trust::Renamed {
                    // Whose place is reconstructed, so are the places of all below.
                    item.trust = item.trust.max(Trust::Renamed);
                }
                items.push(item);
                was.push(child);
            }
            at += 1;
        }
        first_child.push(items.len() as u32);
        let by_name = (0..items.len() as u32).collect();
        let mut tree = Tree { fs: self.fs, items, names: self.names, first_child, by_name, log: self.log };
        tree.make_names_unique();
        tree
    }
}

/// Items sorted by parent, and where each parent's begin. The root, and what is its own parent, is in none.
fn by_parent(items: &[Item]) -> (Vec<u32>, Vec<u32>) {
    let mut first = vec![0u32; items.len() + 1];
    let placed = || items.iter().enumerate().filter(|(i, item)| item.parent as usize != *i);
    for (_, item) in placed() {
        first[item.parent as usize + 1] += 1;
    }
    for i in 0..items.len() {
        first[i + 1] += first[i];
    }
    let mut next = first.clone();
    let mut sorted = vec![0u32; first[items.len()] as usize];
    for (i, item) in placed() {
        let slot = &mut next[item.parent as usize];
        sorted[*slot as usize] = i as u32;
        *slot += 1;
    }
    (first, sorted)
}

impl Tree {
    /// Of two items with one name in one directory the later gets its node's number after the name.
    fn make_names_unique(&mut self) {
        let (items, names) = (&self.items, &self.names);
        let of_one_directory = |&a: &u32, &b: &u32| items[a as usize].parent == items[b as usize].parent;
        let ordered = self.by_name[1..].par_chunk_by_mut(of_one_directory).filter_map(|children| {
            let name = |child: u32| items[child as usize].name(names);
            children.sort_unstable_by_key(|&child| name(child));
            let has_twins = children.windows(2).any(|pair| name(pair[0]) == name(pair[1]));
            has_twins.then(|| items[children[0] as usize].parent)
        });
        for dir in ordered.collect::<Vec<u32>>() {
            self.rename_twins(dir);
            let (items, names, children) = (&self.items, &self.names, self.children_of(dir));
            self.by_name[children].sort_unstable_by_key(|&child| items[child as usize].name(names));
        }
    }

    /// The best known item keeps its name. Where two are known as well as each other, it may be either's: all are
    /// doubtful.
    fn rename_twins(&mut self, dir: u32) {
        let mut order: Vec<usize> = self.children_of(dir).collect();
        order.sort_by_key(|&child| self.items[child].trust);
        let mut taken: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut twins = Vec::new();
        for child in order {
            match taken.entry(self.items[child].name(&self.names).to_vec()) {
                Vacant(free) => _ = free.insert(child),
                Occupied(kept) => twins.push((*kept.get(), child)),
            }
        }
        for (kept, child) in twins {
            let (first, second) = (self.items[kept], self.items[child]);
            if first.id != second.id && first.trust == second.trust {
                self.items[kept].trust = Trust::Doubtful;
                self.items[child].trust = Trust::Doubtful;
            }
            let item = &mut self.items[child];
            let mut name = item.name(&self.names).to_vec();
            while taken.contains_key(&name) {
                name.extend_from_slice(format!("#{}", item.id).as_bytes());
            }
            let (Ok(at), Ok(len)) = (u32::try_from(self.names.len()), u16::try_from(name.len())) else { continue };
            self.names.extend_from_slice(&name);
            (item.name_at, item.name_len, item.trust) = (at, len, item.trust.max(Trust::Renamed));
            taken.insert(name, child);
        }
    }
}
