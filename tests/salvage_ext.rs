//! Damaged ext2, ext3 and ext4 volumes, made by `mke2fs` from a folder: with a structure destroyed, every file that is
//! still whole comes out under its own path, without any flag.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use common::{Scratch, debugfs, offmount, tool, untouched};

/// Kinds of volume: with checksums, without, with block pointers.
const KINDS: [&[&str]; 3] = [
    &["-t", "ext4", "-b", "1024", "-g", "2048", "-O", "metadata_csum,64bit"],
    &["-t", "ext4", "-b", "4096", "-g", "2048", "-O", "^metadata_csum,^metadata_csum_seed,uninit_bg"],
    &["-t", "ext2", "-b", "1024", "-g", "2048"],
];

/// A folder of small files in nested directories, one directory with many names.
fn tree(scratch: &Scratch) -> PathBuf {
    let root = scratch.dir("tree");
    for i in 0..400u32 {
        let path = match i % 4 {
            0 => format!("many/a name that is rather long, number {i:04}"),
            1 => format!("deep/one/two/three/file{i}"),
            _ => format!("wide/dir{}/file{i}", i % 17),
        };
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("contents of file {i}\n").repeat(1 + i as usize % 90)).unwrap();
    }
    root
}

fn volume(scratch: &Scratch, tree: &Path, kind: &[&str]) -> PathBuf {
    let image = scratch.sparse("image", 24 << 20);
    let mut args: Vec<&str> = vec!["-q", "-F", "-N", "1200"];
    args.extend(kind);
    args.extend(["-d", tree.to_str().unwrap(), image.to_str().unwrap()]);
    tool("mke2fs", &args);
    image
}

/// A value that `dumpe2fs -h` shows.
fn header(image: &Path, name: &str) -> u64 {
    let shown = String::from_utf8(tool("dumpe2fs", &["-h", image.to_str().unwrap()])).unwrap();
    let line = shown.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {shown}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Where an inode lies, in bytes, as debugfs says it.
fn inode_at(image: &Path, inode: &str) -> u64 {
    let said = String::from_utf8(debugfs(image, &format!("imap {inode}\n"))).unwrap();
    let (_, place) = said.split_once("located at block ").unwrap_or_else(|| panic!("{said}"));
    let (block, rest) = place.split_once(", offset 0x").unwrap();
    let offset: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    block.parse::<u64>().unwrap() * header(image, "Block size:") + u64::from_str_radix(&offset, 16).unwrap()
}

fn zero(image: &Path, at: u64, len: u64) {
    File::options().write(true).open(image).unwrap().write_all_at(&vec![0; len as usize], at).unwrap();
}

/// Everything copied out of the image.
fn copied(scratch: &Scratch, image: &Path) -> PathBuf {
    let out = scratch.join("out");
    let _ = fs::remove_dir_all(&out);
    untouched(image, |image| {
        let _ = offmount(&["copy", image.to_str().unwrap(), "--to", out.to_str().unwrap(), "--quiet"]);
    });
    out
}

/// Every file below `tree` is below `out`, with the same bytes.
fn assert_all_there(tree: &Path, out: &Path, what: &str) {
    for entry in fs::read_dir(tree).unwrap() {
        let path = entry.unwrap().path();
        let copy = out.join(path.file_name().unwrap());
        if path.is_dir() {
            assert_all_there(&path, &copy, what);
        } else {
            let expected = fs::read(&path).unwrap();
            let found = fs::read(&copy).unwrap_or_else(|e| panic!("{what}: {}: {e}", copy.display()));
            assert!(expected == found, "{what}: {} differs", copy.display());
        }
    }
}

/// Damages a fresh volume of every kind and expects all files under their own paths.
fn survives(what: &str, damage: impl Fn(&Path)) {
    for kind in KINDS {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = volume(&scratch, &tree, kind);
        damage(&image);
        let out = copied(&scratch, &image);
        assert_all_there(&tree, &out, &format!("{what}, {kind:?}"));
        assert!(!out.join("#lost").exists(), "{what}, {kind:?}: something has no place");
    }
}

#[test]
fn the_superblock_is_gone() {
    survives("superblock", |image| zero(image, 1024, 1024));
}

#[test]
fn every_copy_of_superblock_and_descriptors_is_gone() {
    survives("headers", |image| {
        let (block, group) = (header(image, "Block size:"), header(image, "Blocks per group:"));
        let (first, blocks) = (header(image, "First block:"), header(image, "Block count:"));
        for start in (first..blocks).step_by(group as usize) {
            let at = start * block;
            let copy = tool(
                "dd",
                &[
                    format!("if={}", image.display()),
                    "bs=1".into(),
                    format!("skip={}", if start == 0 { 1024 } else { at } + 56),
                    "count=2".into(),
                    "status=none".into(),
                ],
            );
            if copy == [0x53, 0xEF] {
                // The superblock's block, and that of the descriptors behind it.
                zero(image, if start == 0 { 1024 } else { at }, block);
                zero(image, at + block, block);
            }
        }
    });
}

#[test]
fn the_root_inode_is_gone() {
    survives("root inode", |image| {
        let at = inode_at(image, "/");
        zero(image, at, header(image, "Inode size:"));
    });
}

#[test]
fn directories_inodes_are_gone() {
    for dir in ["/many", "/deep/one", "/wide/dir3"] {
        survives(dir, |image| {
            let at = inode_at(image, dir);
            zero(image, at, header(image, "Inode size:"));
        });
    }
}
