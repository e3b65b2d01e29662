//! Healthy exFAT volumes, made by mkfs.exfat and filled through FUSE: names, times, sizes and contents as they went in.

mod common;
#[path = "common/exfat.rs"]
mod fuse;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use common::{Scratch, tool, untouched};
use fuse::Fuse;
use offmount::fs::content::Content;
use offmount::fs::{FileSystem, Members, OpenOptions, exfat};
use offmount::node::{Kind, Trust};
use offmount::progress::Silent;
use offmount::source::FileSource;
use offmount::tree::Tree;

fn open(image: &Path) -> Arc<dyn FileSystem> {
    let source = Arc::new(FileSource::open(image).expect("the image"));
    let members = Members::one(source);
    (exfat::DRIVER.open)(&members, &OpenOptions::default(), &Silent).expect("a source").expect("an exFAT volume")
}

/// Path, time of last change and contents of every file, as we read them; nothing may be wrong.
fn ours(image: &Path) -> BTreeMap<String, (i64, Vec<u8>)> {
    let fs = open(image);
    assert!(fs.log().is_empty(), "{:?}", fs.log());
    let tree = Tree::whole(fs.clone(), &Silent).expect("a tree");
    assert!(tree.log().is_empty(), "{:?}", tree.log());
    let mut files = BTreeMap::new();
    for item in tree.items() {
        let node = tree.nodes(&[item]).expect("nodes").remove(0).expect("a node");
        if node.kind == Kind::Directory {
            continue;
        }
        let content = Content::open(&*fs, &node).expect("content");
        assert_eq!(content.mapping().trust, Trust::Intact);
        let (contents, lost) = content.read_all(1 << 30).expect("contents").expect("short enough");
        assert!(lost.is_empty());
        let modified = node.times.modified.expect("a time").secs;
        files.insert(String::from_utf8(tree.path(item)).expect("UTF-8"), (modified, contents));
    }
    files
}

fn reads_what_went_in(cluster: &str) {
    let scratch = Scratch::new();
    let image = scratch.sparse("exfat.img", 64 << 20);
    tool("mkfs.exfat", &["-c", cluster, "-L", "Etikett", &image.display().to_string()]);
    let mounted = Fuse::mount(&image);
    let mut truth = BTreeMap::new();
    let mut put = |name: String, contents: Vec<u8>| {
        let path = mounted.join(&name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, &contents).expect("a file");
        tool("touch", &["-d", &format!("@{}", 1_600_000_000 + 2 * contents.len()), &path.display().to_string()]);
        truth.insert(name, (fs::metadata(&path).expect("metadata").mtime(), contents));
    };
    put("empty".to_owned(), Vec::new());
    put("a name of 255 characters ".to_owned() + &"x".repeat(230), b"long".to_vec());
    put("файл.txt".to_owned(), vec![7; 4097]);
    put("日本語/🎉.txt".to_owned(), vec![8; 70_000]);
    (0..200).for_each(|i| put(format!("many/file {i:03} with a name that takes a few entries"), vec![i as u8; i * 37]));
    // Two files grow in turns, so that neither lies in one piece.
    let mut grown = [Vec::new(), Vec::new()];
    for round in 0..40u8 {
        for (i, contents) in grown.iter_mut().enumerate() {
            contents.extend(vec![round * 2 + i as u8; 5000]);
            fs::write(mounted.join(format!("grown{i}")), contents.as_slice()).expect("a file");
        }
    }
    for (i, contents) in grown.into_iter().enumerate() {
        let name = format!("grown{i}");
        truth.insert(name.clone(), (fs::metadata(mounted.join(&name)).expect("metadata").mtime(), contents));
    }
    fs::write(mounted.join("gone.txt"), vec![9; 9000]).expect("a file");
    fs::remove_file(mounted.join("gone.txt")).expect("the file");
    mounted.unmount();
    let ours = untouched(&image, ours);
    assert_eq!(ours.keys().collect::<Vec<_>>(), truth.keys().collect::<Vec<_>>());
    for (name, (modified, contents)) in truth {
        assert!(ours[&name].1 == contents, "{name}: contents differ");
        assert!((ours[&name].0 - modified).abs() <= 2, "{name}: {} is not {modified}", ours[&name].0);
    }
    let fs = open(&image);
    let summary = fs.summary();
    assert_eq!(summary.label.as_deref(), Some("Etikett".as_bytes()));
    assert_eq!(summary.kind, "exfat");
    let deleted = fs.deleted(&Silent).expect("a search");
    let gone = deleted.iter().find(|stray| stray.name.as_deref() == Some(b"gone.txt")).expect("the deleted file");
    let (contents, _) = Content::open(&*fs, &gone.node).unwrap().read_all(1 << 20).unwrap().expect("short enough");
    assert_eq!(contents, vec![9; 9000]);
    assert!(fs.check(&Silent).expect("a check").log.is_empty());
}

#[test]
fn all_cluster_sizes_are_read() {
    ["512", "4K", "64K"].into_iter().for_each(reads_what_went_in);
}
