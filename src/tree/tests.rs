//! Trees of a filesystem in memory, damaged in every way that concerns a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::fs::{Census, CheckReport, Driver, Stray, Summary};
use crate::node::{Entry, Judged, Mapping, Xattr};
use crate::progress::Silent;
use crate::source::Source;
use crate::time::Times;

const ROOT_ID: u64 = 2;

/// What a salvage knows of a node that no directory names.
#[derive(Clone, Default)]
struct Known {
    parent: Option<u64>,
    name: Option<&'static str>,
}

#[derive(Clone)]
struct Dir {
    parent: u64,
    entries: Vec<(String, u64, Option<Kind>)>,
    trust: Trust,
}

/// A filesystem in memory, built by its methods.
#[derive(Default)]
struct Memory {
    dirs: BTreeMap<u64, Dir>,
    others: BTreeMap<u64, Kind>,
    unproven: BTreeSet<u64>,
    known: BTreeMap<u64, Known>,
    salvaged: AtomicBool,
}

impl Memory {
    fn new() -> Self {
        Memory::default().dir(ROOT_ID, ROOT_ID)
    }

    /// A directory, whose `..` is `parent`. Nothing names it yet.
    fn dir(mut self, id: u64, parent: u64) -> Self {
        self.dirs.insert(id, Dir { parent, entries: Vec::new(), trust: Trust::Intact });
        self
    }

    fn file(mut self, id: u64) -> Self {
        self.others.insert(id, Kind::File);
        self
    }

    /// The checksum of its record is wrong: so may be its number of links.
    fn unproven(mut self, id: u64) -> Self {
        self.unproven.insert(id);
        self
    }

    /// An entry of a directory, of the kind that its node has.
    fn entry(self, dir: u64, name: &str, id: u64) -> Self {
        let kind = if self.dirs.contains_key(&id) { Kind::Directory } else { Kind::File };
        self.entry_of(dir, name, id, Some(kind))
    }

    fn entry_of(mut self, dir: u64, name: &str, id: u64, kind: Option<Kind>) -> Self {
        self.dirs.get_mut(&dir).unwrap().entries.push((name.into(), id, kind));
        self
    }

    fn known(mut self, id: u64, parent: u64, name: Option<&'static str>) -> Self {
        self.known.insert(id, Known { parent: Some(parent), name });
        self
    }

    fn damaged(mut self, dir: u64) -> Self {
        self.dirs.get_mut(&dir).unwrap().trust = Trust::Partial;
        self
    }

    /// Its checksum is wrong: so may be its entries.
    fn refuted(mut self, dir: u64) -> Self {
        self.dirs.get_mut(&dir).unwrap().trust = Trust::Unproven;
        self
    }

    /// The paths with number and trust, one a line, in order; the same for one and eight threads.
    fn listing(self) -> String {
        let fs: Arc<dyn FileSystem> = Arc::new(self);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Tree::whole(fs.clone(), &Silent)).unwrap()
        };
        let (one, eight) = (show(&with(1)), show(&with(8)));
        assert_eq!(one, eight);
        one
    }
}

fn show(tree: &Tree) -> String {
    let line = |item| {
        let id = if tree.is_lost_directory(item) { "-".into() } else { tree.id(item).to_string() };
        format!("{} {id} {}", String::from_utf8_lossy(&tree.path(item)), tree.trust(item))
    };
    for item in tree.items() {
        assert!(tree.children(item).all(|child| tree.parent(child) == item && child > item));
        assert_eq!(tree.find(&tree.path(item)), Some(item));
    }
    let lines: BTreeSet<String> = tree.items().skip(1).map(line).collect();
    assert_eq!(lines.len(), tree.len() - 1);
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

fn node(id: NodeId, kind: Kind) -> Node {
    Node {
        id,
        kind,
        mode: 0o644,
        uid: 0,
        gid: 0,
        links: 1,
        size: 1,
        allocated: 0,
        times: Times::default(),
        device: None,
        encrypted: false,
        trust: Trust::Intact,
    }
}

impl FileSystem for Memory {
    fn driver(&self) -> &'static Driver {
        unimplemented!()
    }
    fn summary(&self) -> Summary {
        unimplemented!()
    }
    fn log(&self) -> Log {
        Log::new()
    }
    fn source(&self, _: u16) -> Option<&Source> {
        None
    }
    fn root(&self) -> NodeId {
        NodeId(ROOT_ID)
    }
    fn node(&self, id: NodeId) -> Result<Option<Node>, SourceGone> {
        let kind = self.dirs.get(&id.0).map(|_| Kind::Directory).or_else(|| self.others.get(&id.0).copied());
        Ok(kind.map(|kind| Node {
            trust: if self.unproven.contains(&id.0) { Trust::Unproven } else { Trust::Intact },
            ..node(id, kind)
        }))
    }
    fn entries(&self, dir: &Node, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<Judged<()>, SourceGone> {
        let dir = &self.dirs[&dir.id.0];
        for (name, id, kind) in &dir.entries {
            let trust = if dir.trust == Trust::Unproven { Trust::Unproven } else { Trust::Intact };
            let entry = Entry { name: name.clone().into(), id: NodeId(*id), kind: *kind, trust };
            if visit(entry).is_break() {
                break;
            }
        }
        Ok(Judged { trust: dir.trust, ..Judged::default() })
    }
    fn parent(&self, dir: &Node) -> Result<Option<NodeId>, SourceGone> {
        Ok(self.dirs.get(&dir.id.0).map(|dir| NodeId(dir.parent)))
    }
    fn mapping(&self, _: &Node) -> Result<Mapping, SourceGone> {
        Ok(Mapping::default())
    }
    fn xattrs(&self, _: &Node) -> Result<Judged<Vec<Xattr>>, SourceGone> {
        Ok(Judged::default())
    }
    fn census(
        &self,
        _: Census,
        _: &dyn Progress,
        _: &mut dyn FnMut(Node) -> ControlFlow<()>,
    ) -> Result<(), SourceGone> {
        unimplemented!()
    }
    fn salvage(&self, _: &dyn Progress) -> Result<(), SourceGone> {
        self.salvaged.store(true, Ordering::Relaxed);
        Ok(())
    }
    fn strays(
        &self,
        reached: &mut dyn FnMut(NodeId, Kind) -> bool,
        _: &dyn Progress,
    ) -> Result<Vec<Stray>, SourceGone> {
        let mut kinds = self.others.clone();
        kinds.extend(self.dirs.keys().map(|&id| (id, Kind::Directory)));
        let mut strays = Vec::new();
        for id in kinds.into_iter().filter(|&(id, kind)| !reached(NodeId(id), kind)).map(|(id, _)| NodeId(id)) {
            let known = self.known.get(&id.0).cloned().unwrap_or_default();
            let parent = known.parent.map(NodeId);
            strays.extend(self.node(id)?.map(|node| Stray { node, parent, name: known.name.map(Into::into) }));
        }
        Ok(strays)
    }
    fn check(&self, _: &dyn Progress) -> Result<CheckReport, SourceGone> {
        unimplemented!()
    }
}

#[test]
fn a_healthy_tree_is_not_salvaged() {
    let fs = Memory::new().dir(11, 2).file(12).entry(2, "a", 11).entry(11, "f", 12).entry(2, "link", 12);
    let fs = Arc::new(fs);
    let tree = Tree::whole(fs.clone(), &Silent).unwrap();
    assert_eq!(show(&tree), "a 11 intact\na/f 12 intact\nlink 12 intact");
    assert!(!fs.salvaged.load(Ordering::Relaxed));
    let part = Tree::below(fs, NodeId(11), &Silent).unwrap().unwrap();
    assert_eq!(show(&part), "f 12 intact");
}

#[test]
fn a_loop_ends() {
    let fs = Memory::new().dir(11, 2).dir(12, 11).entry(2, "a", 11).entry(11, "b", 12);
    let fs = fs.entry(12, "up", 11).entry(12, "self", 12).entry(12, "root", 2);
    assert_eq!(fs.listing(), "a 11 intact\na/b 12 intact");
}

#[test]
fn a_directory_of_two_names_stands_where_its_parent_entry_says() {
    // `z` comes after `a` in the same level, and is right; so is `d/deep`, found later.
    let fs = Memory::new().dir(11, 2).dir(12, 2).dir(20, 12).file(21);
    let fs = fs.entry(2, "a", 11).entry(2, "z", 12).entry(11, "wrong", 20).entry(12, "right", 20);
    assert_eq!(fs.entry(20, "f", 21).listing(), "a 11 intact\nz 12 intact\nz/right 20 intact\nz/right/f 21 intact");
    let fs = Memory::new().dir(11, 2).dir(12, 11).dir(20, 12).file(21);
    let fs = fs.entry(2, "wrong", 20).entry(2, "d", 11).entry(11, "e", 12).entry(12, "right", 20);
    assert_eq!(
        fs.entry(20, "f", 21).listing(),
        "d 11 intact\nd/e 12 intact\nd/e/right 20 intact\nd/e/right/f 21 intact"
    );
}

#[test]
fn a_directory_is_never_moved_below_itself() {
    // Named by the root, but its `..` says the child, which names it too.
    let fs = Memory::new().dir(11, 12).dir(12, 11).entry(2, "a", 11).entry(11, "b", 12).entry(12, "c", 11);
    assert_eq!(fs.listing(), "a 11 renamed\na/b 12 renamed");
}

#[test]
fn a_wrong_parent_entry_alone_costs_only_trust() {
    let fs = Memory::new().dir(11, 99).file(12).entry(2, "a", 11).entry(11, "f", 12);
    assert_eq!(fs.listing(), "a 11 renamed\na/f 12 renamed");
}

#[test]
fn names_are_unique() {
    let fs = Memory::new().file(11).file(12).file(13).entry(2, "a", 11).entry(2, "a", 12).entry(2, "a#12", 13);
    assert_eq!(fs.listing(), "a 11 doubtful\na#12 13 intact\na#12#12 12 doubtful");
}

#[test]
fn what_no_directory_names_stands_in_lost_with_its_subtree() {
    let fs = Memory::new().dir(11, 2).file(12).file(13).entry(11, "f", 12);
    assert_eq!(fs.listing(), "#lost - intact\n#lost/11 11 renamed\n#lost/11/f 12 renamed\n#lost/13 13 renamed");
}

#[test]
fn a_file_of_the_name_lost_keeps_it() {
    let fs = Memory::new().file(11).file(12).entry(2, "#lost", 11);
    assert_eq!(fs.listing(), "#lost 11 intact\n#lost_ - intact\n#lost_/12 12 renamed");
}

#[test]
fn strays_stand_where_they_are_known_to_belong() {
    let fs = Memory::new().dir(11, 2).entry(2, "a", 11).dir(12, 11).file(13).file(14).file(15);
    let fs = fs.entry(12, "f", 13).known(12, 11, Some("sub")).known(14, 12, Some("g")).known(15, 77, Some("h"));
    assert_eq!(
        fs.listing(),
        "#lost - intact\n#lost/15 15 renamed\na 11 intact\na/sub 12 renamed\na/sub/f 13 renamed\na/sub/g 14 renamed"
    );
}

#[test]
fn a_stray_whose_name_is_taken_gets_its_number() {
    let fs = Memory::new().file(11).file(12).entry(2, "a", 11).known(12, 2, Some("a"));
    assert_eq!(fs.listing(), "a 11 intact\na#12 12 renamed");
}

#[test]
fn a_name_whose_number_has_a_wrong_bit_is_given_back() {
    // 10 is named by what names nothing; 21 by one of the names of 20, which has one link.
    let fs = Memory::new().dir(3, 2).file(10).file(20).file(21).entry(2, "d", 3).entry(2, "b", 20);
    let fs = fs.entry_of(3, "a", 14, Some(Kind::File)).entry(3, "c", 20).refuted(3);
    assert_eq!(fs.listing(), "b 20 intact\nd 3 intact\nd/a 10 renamed\nd/c 21 renamed");
}

#[test]
fn a_lost_directory_gets_its_name_back_with_all_below() {
    let fs = Memory::new().dir(10, 2).file(11).entry(10, "f", 11).known(10, 2, None);
    let fs = fs.entry_of(2, "d", 14, Some(Kind::Directory));
    assert_eq!(fs.refuted(2).listing(), "d 10 renamed\nd/f 11 renamed");
}

#[test]
fn where_either_name_may_be_a_stray_s_both_are_doubtful() {
    let fs = Memory::new().file(10).file(11).entry(2, "a", 11).entry(2, "b", 11);
    assert_eq!(fs.listing(), "#lost - intact\n#lost/10 10 renamed\na 11 doubtful\nb 11 doubtful");
}

#[test]
fn too_many_names_are_doubtful_only_in_damaged_directories_or_if_a_node_is_lost() {
    let fs = Memory::new().dir(3, 2).file(11).entry(2, "a", 11).entry(2, "d", 3).entry(3, "b", 11);
    assert_eq!(fs.listing(), "a 11 intact\nd 3 intact\nd/b 11 intact");
    let fs = Memory::new().dir(3, 2).file(11).entry(2, "a", 11).entry(2, "d", 3).entry(3, "b", 11).refuted(3);
    assert_eq!(fs.listing(), "a 11 intact\nd 3 intact\nd/b 11 doubtful");
}

#[test]
fn a_name_too_many_of_an_unproven_node_is_doubtful_if_another_lost_its_name() {
    let fs = || Memory::new().dir(3, 2).file(11).unproven(11).entry(2, "a", 11).entry(2, "d", 3).entry(3, "b", 11);
    assert_eq!(fs().refuted(3).listing(), "a 11 intact\nd 3 intact\nd/b 11 unproven");
    // 9 and 10 are as near to 11 as each other.
    let lost = "#lost - intact\n#lost/10 10 renamed\n#lost/9 9 renamed\n";
    assert_eq!(fs().refuted(3).file(9).file(10).listing(), format!("{lost}a 11 intact\nd 3 intact\nd/b 11 doubtful"));
}

#[test]
fn lost_directories_are_placed_from_the_outside_in() {
    // 10 is the outermost and has the highest claim; 30 names 20, 20 names 10's file.
    let fs = Memory::new().dir(10, 20).dir(20, 30).dir(30, 2).file(40);
    let fs = fs.entry(10, "f", 40).entry(20, "ten", 10).known(10, 20, None).known(20, 30, Some("twenty"));
    assert_eq!(
        fs.known(30, 2, None).listing(),
        "#lost - intact\n#lost/30 30 renamed\n#lost/30/twenty 20 renamed\n#lost/30/twenty/ten 10 renamed\n\
         #lost/30/twenty/ten/f 40 renamed"
    );
}

#[test]
fn a_ring_of_lost_directories_ends() {
    let fs = Memory::new().dir(11, 12).dir(12, 11).entry(11, "b", 12).entry(12, "a", 11);
    assert_eq!(
        fs.known(11, 12, Some("a")).known(12, 11, Some("b")).listing(),
        "#lost - intact\n#lost/12 12 renamed\n#lost/12/a 11 renamed"
    );
}

#[test]
fn the_node_is_right_about_its_kind() {
    // An entry that calls a directory a file must not hide what is below; one that calls a file a directory is a file.
    let fs = Memory::new().dir(11, 2).file(12).file(13).entry(11, "f", 12);
    let fs = fs.entry_of(2, "d", 11, Some(Kind::File)).entry_of(2, "x", 13, Some(Kind::Directory));
    let fs: Arc<dyn FileSystem> = Arc::new(fs);
    let tree = Tree::whole(fs, &Silent).unwrap();
    assert_eq!(show(&tree), "d 11 intact\nd/f 12 intact\nx 13 intact");
    assert_eq!(tree.kind(tree.find(b"x").unwrap()), Kind::File);
    assert_eq!(tree.kind(tree.find(b"/d/").unwrap()), Kind::Directory);
}

#[test]
fn entries_without_a_kind_get_that_of_their_nodes() {
    let fs = Memory::new().dir(11, 2).file(12).entry_of(2, "d", 11, None).entry_of(11, "f", 12, None);
    assert_eq!(fs.listing(), "d 11 intact\nd/f 12 intact");
}

#[test]
fn an_entry_without_a_node_is_listed() {
    let fs: Arc<dyn FileSystem> = Arc::new(Memory::new().entry_of(2, "gone", 99, Some(Kind::File)));
    let tree = Tree::whole(fs.clone(), &Silent).unwrap();
    assert_eq!(show(&tree), "gone 99 intact");
    assert!(tree.nodes(&[tree.find(b"gone").unwrap()]).unwrap()[0].is_none());
    assert!(Tree::below(fs, NodeId(ROOT_ID), &Silent).unwrap().is_none());
}

#[test]
fn part_of_a_tree_is_refused_where_it_is_damaged() {
    let fs = Memory::new().dir(11, 2).dir(12, 2).file(13).entry(2, "a", 11).entry(2, "b", 12).entry(11, "f", 13);
    let fs: Arc<dyn FileSystem> = Arc::new(fs.damaged(12));
    assert!(Tree::below(fs.clone(), NodeId(11), &Silent).unwrap().is_some());
    assert!(Tree::below(fs, NodeId(12), &Silent).unwrap().is_none());
}

#[test]
fn what_is_too_deep_stands_in_lost() {
    let mut fs = Memory::new();
    for id in 10..5000 {
        let above = if id == 10 { ROOT_ID } else { id - 1 };
        fs = fs.dir(id, above).entry(above, "d", id).known(id, above, Some("d"));
    }
    let fs: Arc<dyn FileSystem> = Arc::new(fs);
    let tree = Tree::whole(fs, &Silent).unwrap();
    // Each directory once, the root, and `#lost`.
    assert_eq!(tree.len(), 4990 + 2);
    assert!(tree.items().all(|item| tree.path(item).len() < 5000));
}

#[test]
fn nodes_come_in_the_order_asked() {
    let fs = Memory::new().file(11).file(12).file(13).entry(2, "c", 11).entry(2, "a", 13).entry(2, "b", 12);
    let tree = Tree::whole(Arc::new(fs), &Silent).unwrap();
    let items: Vec<ItemId> = tree.children(ROOT).collect();
    let ids: Vec<u64> = tree.nodes(&items).unwrap().into_iter().map(|node| node.unwrap().id.0).collect();
    assert_eq!(ids, [11, 13, 12]);
}

/// Directories that were deleted with what was in them stand again; a circle of them, or one that is not known, leads no
/// further than to a number.
#[test]
fn deleted_directories_lead_to_what_was_in_them() {
    let fs: Arc<dyn FileSystem> = Arc::new(Memory::new().dir(10, 2).entry(2, "home", 10));
    let living = Tree::whole(fs.clone(), &Silent).unwrap();
    let stray = |id, kind, parent, name: &str| Stray {
        node: node(NodeId(id), kind),
        parent: Some(NodeId(parent)),
        name: Some(name.into()),
    };
    let strays = [
        stray(21, Kind::File, 20, "f"),
        stray(20, Kind::Directory, 10, "joe"),
        stray(30, Kind::Directory, 31, "a"),
        stray(31, Kind::Directory, 30, "b"),
        stray(32, Kind::File, 30, "g"),
        stray(40, Kind::File, 41, "h"),
    ];
    let listing = show(&Tree::of_deleted(&fs, &living, &strays));
    let expected = "30 30 renamed\n30/b 31 renamed\n30/g 32 renamed\n40 40 renamed\nhome 10 intact\n\
                    home/joe 20 journal\nhome/joe/f 21 journal";
    assert_eq!(listing, expected);
}

/// A damaged directory whose blocks name a node twice by one name names it once; another node of that name stands beside.
#[test]
fn what_a_damaged_directory_says_twice_is_listed_once() {
    let fs = Memory::new().file(11).file(12).entry(2, "a", 11).entry(2, "a", 11).entry(2, "a", 12).damaged(2);
    assert_eq!(fs.listing(), "a 11 doubtful\na#12 12 doubtful");
}
