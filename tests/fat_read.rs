//! Healthy FAT volumes, made by mkfs.fat and mtools: names, times, sizes and contents as mtools has them.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Scratch, system, tool, untouched};
use offmount::fs::content::Content;
use offmount::fs::{FileSystem, Members, OpenOptions, fat};
use offmount::node::{Kind, Trust};
use offmount::progress::Silent;
use offmount::source::FileSource;
use offmount::tree::Tree;

/// A file of a listing: contents and, for files, the time of the last change.
#[derive(Clone, PartialEq, Eq, Debug)]
enum File {
    Directory,
    File { modified: i64, contents: Vec<u8> },
}

fn open(image: &Path, options: &OpenOptions) -> Arc<dyn FileSystem> {
    let source = Arc::new(FileSource::open(image).expect("the image"));
    (fat::DRIVER.open)(&Members::one(source), options, &Silent).expect("a source").expect("a FAT volume")
}

/// All of a volume as we read it; nothing may be wrong with it.
fn ours(image: &Path, options: &OpenOptions) -> BTreeMap<String, File> {
    let fs = open(image, options);
    assert!(fs.log().is_empty(), "{:?}", fs.log());
    let tree = Tree::whole(fs.clone(), &Silent).expect("a tree");
    assert!(tree.log().is_empty(), "{:?}", tree.log());
    let mut files = BTreeMap::new();
    for item in tree.items().skip(1) {
        let path = String::from_utf8(tree.path(item)).expect("UTF-8");
        let node = tree.nodes(&[item]).expect("nodes").remove(0).expect("a node");
        if node.kind == Kind::Directory {
            files.insert(path, File::Directory);
            continue;
        }
        let content = Content::open(&*fs, &node).expect("content");
        assert_eq!(content.mapping().trust, Trust::Intact, "{path}");
        let (contents, lost) = content.read_all(1 << 30).expect("contents").expect("short enough");
        assert!(lost.is_empty(), "{path}");
        let modified = node.times.modified.expect("a time").secs;
        files.insert(path, File::File { modified, contents });
    }
    files
}

/// All of a volume as mtools extracts it.
fn theirs(image: &Path, scratch: &Scratch) -> BTreeMap<String, File> {
    let out = scratch.dir("mtools");
    tool("mcopy", &["-s", "-n", "-m", "-i", &image.display().to_string(), "::*", &format!("{}/", out.display())]);
    on_disk(&out)
}

fn on_disk(root: &Path) -> BTreeMap<String, File> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(root).expect("below").to_str().expect("UTF-8").to_owned();
            if path.is_dir() {
                files.insert(name, File::Directory);
                folders.push(path);
            } else {
                let modified = std::os::unix::fs::MetadataExt::mtime(&entry.metadata().expect("metadata"));
                files.insert(name, File::File { modified, contents: fs::read(&path).expect("contents") });
            }
        }
    }
    files
}

/// A tree with names, sizes and depths of all sorts.
fn make_tree(scratch: &Scratch) -> PathBuf {
    let root = scratch.dir("tree");
    let put = |name: &str, len: usize| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        let contents: Vec<u8> = name.bytes().cycle().enumerate().map(|(i, b)| b ^ (i / 251) as u8).take(len).collect();
        fs::write(&path, contents).expect("a file");
        tool("touch", &["-d", &format!("@{}", 1_600_000_000 + 2 * len), &path.display().to_string()]);
    };
    put("EMPTY.TXT", 0);
    put("SHORT.BIN", 1);
    put("lower.txt", 511);
    put("Mixed Case with spaces.text", 512);
    put("файл с длинным именем.txt", 513);
    put("日本語/テスト.txt", 5000);
    put(&format!("{}.txt", "x".repeat(200)), 100);
    put("a/b/c/d/e/deep.dat", 70_000);
    (0..150).for_each(|i| put(&format!("many/file number {i:03}"), 10 * i));
    root
}

/// Makes a volume, copies the tree into it, and compares what we read with what mtools extracts.
fn reads_as_mtools(size: u64, mkfs: &[&str]) {
    let scratch = Scratch::new();
    let image = scratch.sparse("fat.img", size);
    let path = image.display().to_string();
    let args: Vec<&str> = mkfs.iter().copied().chain(["-n", "TEST", "-i", "12345678", &path]).collect();
    tool("mkfs.fat", &args);
    let root = make_tree(&scratch);
    let tops: Vec<String> =
        fs::read_dir(&root).expect("the tree").map(|e| e.unwrap().path().display().to_string()).collect();
    let mut copy: Vec<&str> = vec!["-Q", "-s", "-m", "-i", &path];
    copy.extend(tops.iter().map(String::as_str));
    copy.push("::/");
    tool("mcopy", &copy);
    tool("mdel", &["-i", &path, "::/a/b/c/d/e/deep.dat"]);
    fs::remove_file(root.join("a/b/c/d/e/deep.dat")).expect("the file");
    let ours = untouched(&image, |image| ours(image, &OpenOptions::default()));
    assert_eq!(ours.keys().collect::<Vec<_>>(), on_disk(&root).keys().collect::<Vec<_>>());
    assert!(ours == theirs(&image, &scratch), "{mkfs:?}: contents or times differ");
    let summary = open(&image, &OpenOptions::default()).summary();
    assert_eq!(summary.label.as_deref(), Some(&b"TEST"[..]));
    assert_eq!(summary.uuid.as_deref(), Some("1234-5678"));
    assert_eq!(summary.state, ["clean"]);
}

#[test]
fn fat12_reads_as_mtools_reads_it() {
    reads_as_mtools(2 << 20, &["-F", "12", "-s", "2"]);
}

#[test]
fn fat16_reads_as_mtools_reads_it() {
    reads_as_mtools(32 << 20, &["-F", "16", "-s", "2"]);
    reads_as_mtools(300 << 20, &["-F", "16", "-s", "128", "-f", "1", "-r", "1024"]);
}

#[test]
fn fat32_reads_as_mtools_reads_it() {
    reads_as_mtools(64 << 20, &["-F", "32", "-s", "1"]);
}

#[test]
fn all_sector_sizes_are_read() {
    for sector in ["1024", "2048", "4096"] {
        reads_as_mtools(96 << 20, &["-F", "16", "-s", "4", "-S", sector]);
        reads_as_mtools(600 << 20, &["-F", "32", "-s", "1", "-S", sector]);
    }
}

#[test]
fn clusters_may_have_256_kib() {
    reads_as_mtools(1200 << 20, &["-F", "16", "-s", "64", "-S", "4096"]);
}

#[test]
fn short_names_are_read_in_the_code_page_asked_for() {
    let scratch = Scratch::new();
    let image = scratch.sparse("fat.img", 2 << 20);
    let path = image.display().to_string();
    tool("mkfs.fat", &["-F", "12", &path]);
    let file = scratch.join("X");
    fs::write(&file, "x").expect("a file");
    tool("mcopy", &["-i", &path, &file.display().to_string(), "::/ABC"]);
    let bytes = fs::read(&image).expect("the image");
    let at = bytes.windows(11).position(|name| name == b"ABC        ").expect("the entry");
    // The byte 0x8e is Ä in 437 and 850, ž in no one's, О in 866; and the first byte of a character in 932.
    for (page, expected) in [(437, "Äa"), (850, "Äa"), (852, "Äa"), (866, "Оa"), (932, "蔵")] {
        let mut changed = bytes.clone();
        changed[at..at + 3].copy_from_slice(&[0x8e, if page == 932 { 0xa0 } else { b'a' }, b' ']);
        fs::write(&image, &changed).expect("the image");
        let expected = if page == 932 { encoding(&[0x8e, 0xa0]) } else { expected.to_owned() };
        let options = OpenOptions { code_page: Some(page), ..OpenOptions::default() };
        assert_eq!(ours(&image, &options).keys().collect::<Vec<_>>(), [&expected], "{page}");
    }
}

/// Shift JIS as iconv reads it.
fn encoding(bytes: &[u8]) -> String {
    String::from_utf8(common::tool_fed("iconv", &["-f", "CP932", "-t", "UTF-8"], bytes)).expect("UTF-8")
}

#[test]
fn times_are_local_to_the_offset_asked_for() {
    let scratch = Scratch::new();
    let image = scratch.sparse("fat.img", 2 << 20);
    let path = image.display().to_string();
    tool("mkfs.fat", &["-F", "12", &path]);
    let file = scratch.join("X");
    fs::write(&file, "x").expect("a file");
    tool("touch", &["-d", "2020-09-13T12:26:40Z", &file.display().to_string()]);
    let mut copy = system("mcopy");
    copy.env("TZ", "Europe/Athens").args(["-m", "-i", &path, &file.display().to_string(), "::/"]);
    common::run(&mut copy, b"").exits(0);
    let options = OpenOptions { utc_offset: 3 * 3600, ..OpenOptions::default() };
    let File::File { modified, .. } = ours(&image, &options)["X"].clone() else { panic!("a file") };
    assert_eq!(modified, 1_600_000_000);
}
