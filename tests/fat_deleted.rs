//! Deleted files of FAT volumes: the same as the Sleuth Kit lists, with names, contents and trust.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{Scratch, offmount, tool, untouched};
use offmount::fs::content::Content;
use offmount::fs::{FileSystem, Members, OpenOptions, fat};
use offmount::node::Trust;
use offmount::progress::Silent;
use offmount::source::FileSource;
use offmount::tree::Tree;

const CLUSTER: usize = 2048;

struct Volume {
    scratch: Scratch,
    path: String,
}

impl Volume {
    fn new(bits: &str, size: u64) -> Self {
        let scratch = Scratch::new();
        let path = scratch.sparse("image", size).display().to_string();
        tool("mkfs.fat", &["-F", bits, "-s", "4", "-i", "12345678", &path]);
        Volume { scratch, path }
    }

    /// Writes a file of `len` bytes, which begin with the letter given.
    fn write(&self, at: &str, name: &str, letter: u8, len: usize) -> Vec<u8> {
        let file = self.scratch.join(name);
        let contents: Vec<u8> = (0..len).map(|i| if i < 3 { letter } else { (i * 31 % 251) as u8 }).collect();
        fs::write(&file, &contents).expect("a file");
        tool("mcopy", &["-i", &self.path, &file.display().to_string(), at]);
        contents
    }

    fn delete(&self, paths: &[&str]) {
        tool("mdel", &[&["-i", self.path.as_str()], paths].concat());
    }

    fn image(&self) -> &Path {
        Path::new(&self.path)
    }
}

/// What is deleted, by path: contents and trust.
fn deleted(image: &Path) -> BTreeMap<String, (Vec<u8>, Trust)> {
    untouched(image, |image| {
        let source = Arc::new(FileSource::open(image).expect("the image"));
        let fs: Arc<dyn FileSystem> =
            (fat::DRIVER.open)(&Members::one(source), &OpenOptions::default(), &Silent).unwrap().expect("a volume");
        let tree = Tree::whole(fs.clone(), &Silent).expect("a tree");
        let directories: BTreeMap<_, _> = tree.items().map(|item| (tree.id(item), tree.path(item))).collect();
        let strays = fs.deleted(&Silent).expect("a search");
        strays
            .into_iter()
            .map(|stray| {
                let parent = stray.parent.map(|parent| directories[&parent].clone()).unwrap_or_default();
                let name = String::from_utf8(stray.name.expect("a name")).expect("UTF-8");
                let parent = String::from_utf8(parent).expect("UTF-8");
                let path = if parent.is_empty() { name } else { format!("{parent}/{name}") };
                let content = Content::open(&*fs, &stray.node).expect("contents");
                let (bytes, _) = content.read_all(1 << 20).expect("contents").expect("short enough");
                (path, (bytes, content.mapping().trust.max(stray.node.trust)))
            })
            .collect()
    })
}

/// The paths of deleted files as the Sleuth Kit lists them.
fn fls(image: &Path) -> BTreeSet<String> {
    let out = tool("fls", &["-r", "-d", "-p", "-F", &image.display().to_string()]);
    let text = String::from_utf8(out).expect("UTF-8");
    text.lines().filter_map(|line| Some(line.split_once(":\t")?.1.to_owned())).collect()
}

fn lists_what_was_deleted(bits: &str, size: u64) {
    let volume = Volume::new(bits, size);
    tool("mmd", &["-i", &volume.path, "::/DIR"]);
    let first = volume.write("::/", "SHORT.TXT", b'S', 100);
    let second = volume.write("::/DIR", "a letter to keep.txt", b'L', 3 * CLUSTER + 5);
    volume.write("::/DIR", "kept.txt", b'K', 5000);
    let empty = volume.write("::/DIR", "nothing at all.txt", b'N', 0);
    volume.delete(&["::/SHORT.TXT", "::/DIR/a letter to keep.txt", "::/DIR/nothing at all.txt"]);

    let found = deleted(volume.image());
    assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), fls(volume.image()), "FAT{bits}");
    // Of a short name alone the first letter is gone; a long name tells it.
    assert_eq!(found["_HORT.TXT"], (first, Trust::Unproven));
    assert_eq!(found["DIR/a letter to keep.txt"], (second, Trust::Unproven));
    assert_eq!(found["DIR/nothing at all.txt"].0, empty);
}

#[test]
fn deleted_files_are_those_the_sleuth_kit_lists() {
    lists_what_was_deleted("12", 2 << 20);
    lists_what_was_deleted("16", 16 << 20);
    lists_what_was_deleted("32", 160 << 20);
}

#[test]
fn clusters_of_others_are_skipped_and_make_doubt() {
    let volume = Volume::new("16", 16 << 20);
    // The one to be deleted lies around another.
    volume.write("::/", "HOLE", b'H', CLUSTER);
    volume.write("::/", "WALL", b'W', CLUSTER);
    volume.delete(&["::/HOLE"]);
    tool("mcopy", &["-i", &volume.path, &volume.scratch.join("WALL").display().to_string(), "::/WALL2"]);
    volume.delete(&["::/WALL2"]);
    let file = volume.write("::/", "parted file.bin", b'P', 3 * CLUSTER);
    volume.delete(&["::/parted file.bin"]);
    let (contents, trust) = deleted(volume.image()).remove("parted file.bin").expect("the file");
    assert_eq!(contents.len(), file.len());
    assert!(contents == file || trust >= Trust::Doubtful, "{trust:?}");
}

#[test]
fn what_was_overwritten_is_doubted() {
    let volume = Volume::new("12", 1 << 20);
    tool("mmd", &["-i", &volume.path, "::/DIR"]);
    volume.write("::/DIR", "the old file.bin", b'O', 4 * CLUSTER);
    volume.delete(&["::/DIR/the old file.bin"]);
    // mcopy goes on behind the cluster it took last; it comes round when the volume is full.
    for i in 0..400 {
        let name = format!("FILE{i}");
        let file = volume.scratch.join(&name);
        fs::write(&file, vec![b'x'; 4 * CLUSTER]).expect("a file");
        let ran =
            common::run(common::system("mcopy").args(["-i", &volume.path, &file.display().to_string(), "::/"]), b"");
        if ran.code != 0 {
            break;
        }
    }
    let found = deleted(volume.image());
    let (_, trust) = found.get("DIR/the old file.bin").expect("the entry");
    assert!(*trust >= Trust::Partial, "{trust:?}");
}

#[test]
fn files_of_deleted_directories_are_listed() {
    let volume = Volume::new("16", 16 << 20);
    tool("mmd", &["-i", &volume.path, "::/DIR", "::/DIR/gone for good", "::/DIR/gone for good/SUB"]);
    let first = volume.write("::/DIR/gone for good", "first file.txt", b'F', 3000);
    let second = volume.write("::/DIR/gone for good/SUB", "second file.txt", b'S', 100);
    tool("mdeltree", &["-i", &volume.path, "::/DIR/gone for good"]);
    let found = deleted(volume.image());
    let listed: BTreeSet<String> = fls(volume.image());
    assert!(listed.iter().any(|path| path.ends_with("/second file.txt")), "{listed:?}");
    assert_eq!(found["DIR/first file.txt"].0, first);
    assert_eq!(found["DIR/second file.txt"].0, second);
}

/// A copy brings deleted files out beside those in use, and the manifest says how far each can be trusted.
#[test]
fn deleted_files_are_copied_with_their_trust() {
    let volume = Volume::new("32", 160 << 20);
    tool("mmd", &["-i", &volume.path, "::/DIR"]);
    let kept = volume.write("::/DIR", "kept.txt", b'K', 5000);
    let gone = volume.write("::/DIR", "gone by mistake.txt", b'G', 3 * CLUSTER + 5);
    volume.delete(&["::/DIR/gone by mistake.txt"]);
    let to = volume.scratch.join("copy");
    let args = ["copy", &volume.path, "--to", to.to_str().unwrap(), "--quiet", "--deleted"];
    untouched(volume.image(), |_| offmount(&args).exits(0));
    assert_eq!(fs::read(to.join("DIR/kept.txt")).unwrap(), kept);
    assert_eq!(fs::read(to.join("#deleted/DIR/gone by mistake.txt")).unwrap(), gone);
    let manifest = fs::read_to_string(to.join(".offmount/manifest.jsonl")).unwrap();
    let record = manifest.lines().find(|line| line.contains("gone by mistake")).expect("a record");
    assert!(record.contains(r#""trust":"unproven""#), "{record}");
    offmount(&["verify", to.to_str().unwrap()]).exits(0);
}
