//! Volumes made from a folder, damaged, and copied.

#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::common::{Mounted, Scratch, debugfs, offmount, tool, untouched};

/// A folder of small files in nested directories, one directory with many names.
pub fn tree(scratch: &Scratch) -> PathBuf {
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

pub fn volume(scratch: &Scratch, tree: &Path, kind: &[&str]) -> PathBuf {
    let image = scratch.sparse("image", 24 << 20);
    let mut args: Vec<&str> = vec!["-q", "-F", "-N", "1200"];
    args.extend(kind);
    args.extend(["-d", tree.to_str().unwrap(), image.to_str().unwrap()]);
    tool("mke2fs", &args);
    image
}

/// A value that `dumpe2fs -h` shows.
pub fn header(image: &Path, name: &str) -> u64 {
    let shown = String::from_utf8(tool("dumpe2fs", &["-h", image.to_str().unwrap()])).unwrap();
    let line = shown.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {shown}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Where an inode lies, in bytes, as debugfs says it.
pub fn inode_at(image: &Path, inode: &str) -> u64 {
    let said = String::from_utf8(debugfs(image, &format!("imap {inode}\n"))).unwrap();
    let (_, place) = said.split_once("located at block ").unwrap_or_else(|| panic!("{said}"));
    let (block, rest) = place.split_once(", offset 0x").unwrap();
    let offset: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    block.parse::<u64>().unwrap() * header(image, "Block size:") + u64::from_str_radix(&offset, 16).unwrap()
}

pub fn zero(image: &Path, at: u64, len: u64) {
    File::options().write(true).open(image).unwrap().write_all_at(&vec![0; len as usize], at).unwrap();
}

/// Everything copied out of the image.
pub fn copied(scratch: &Scratch, image: &Path) -> PathBuf {
    let out = scratch.join("out");
    let _ = fs::remove_dir_all(&out);
    untouched(image, |image| {
        let _ = offmount(&["copy", image.to_str().unwrap(), "--to", out.to_str().unwrap(), "--quiet"]);
    });
    out
}

/// Every file below `tree` is below `out`, with the same bytes.
pub fn assert_all_there(tree: &Path, out: &Path, what: &str) {
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

/// Where all superblocks of an image lie, in bytes, as dumpe2fs says it.
pub fn superblocks(image: &Path) -> Vec<u64> {
    let shown = String::from_utf8(tool("dumpe2fs", &[image.to_str().unwrap()])).unwrap();
    let block = header(image, "Block size:");
    let blocks = shown.split("superblock at ").skip(1).map(|rest| {
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        number.parse::<u64>().unwrap()
    });
    blocks.map(|nr| (nr * block).max(1024)).collect()
}

/// The trust of each file copied, by path.
pub fn trusts(out: &Path) -> BTreeMap<String, String> {
    let manifest = fs::read_to_string(out.join(".offmount/manifest.jsonl")).unwrap();
    let records = manifest.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let told = records.filter_map(|it| Some((it["path"].as_str()?.to_owned(), it["trust"].as_str()?.to_owned())));
    told.collect()
}

/// The block of a file that debugfs says is its first.
pub fn first_block(image: &Path, path: &str) -> u64 {
    let said = String::from_utf8(debugfs(image, &format!("bmap {path} 0\n"))).unwrap();
    said.lines().last().unwrap().trim().parse().unwrap()
}

/// The number of a file, as debugfs says it.
pub fn number(image: &Path, path: &str) -> u32 {
    let said = String::from_utf8(debugfs(image, &format!("stat {path}\n"))).unwrap();
    let (_, rest) = said.split_once("Inode: ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Writes over a field of a directory's inode.
pub fn ruin(image: &Path, directory: &str, field: u64, bytes: &[u8]) {
    let at = inode_at(image, directory) + field;
    File::options().write(true).open(image).unwrap().write_all_at(bytes, at).unwrap();
}

/// Files below `out`, wherever they are, by contents.
pub fn contents(out: &Path, found: &mut BTreeMap<Vec<u8>, PathBuf>) {
    for entry in fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents(&path, found);
        } else {
            found.insert(fs::read(&path).unwrap(), path);
        }
    }
}

/// Of an image's files, those of which a newer image still has the inode and all blocks, as debugfs says where they lie.
pub fn left(older: &Path, tree: &Path, newer: &[u8]) -> BTreeSet<PathBuf> {
    let mut files = BTreeMap::new();
    contents(tree, &mut files);
    let paths: Vec<&Path> = files.values().map(|path| path.strip_prefix(tree).unwrap()).collect();
    let script: String = paths.iter().map(|path| format!("imap {path:?}\nblocks {path:?}\n")).collect();
    let said = String::from_utf8(debugfs(older, &script)).unwrap();
    let (block, older) = (header(older, "Block size:") as usize, fs::read(older).unwrap());
    let is_left = |nr: usize| older[nr * block..][..block] == newer[nr * block..][..block];
    let all = paths.into_iter().zip(said.split("located at block ").skip(1)).filter(|(_, said)| {
        // "82, offset 0x0b00", then a line of blocks' numbers alone, then what is said of the next.
        let (inode, rest) = said.split_once(',').unwrap();
        let line = |line: &str| line.split_whitespace().map(str::parse).collect::<Result<Vec<usize>, _>>().ok();
        let data = rest.lines().skip(1).filter_map(line).flatten();
        data.chain([inode.parse().unwrap()]).all(is_left)
    });
    all.map(|(path, _)| path.to_owned()).collect()
}

/// A filesystem that the kernel filled: it spreads directories over the volume, and their files with them.
pub fn filled(scratch: &Scratch, tree: &Path, len: u64, args: &[&str]) -> PathBuf {
    for i in 0..600 {
        let path = tree.join(format!("dir{}/file{i}", i % 20));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("contents of file {i}\n").repeat(1 + i % 90)).unwrap();
    }
    let image = scratch.sparse("older", len);
    tool("mke2fs", &[args, &["-q", "-F", image.to_str().unwrap()]].concat());
    let mounted = Mounted::writable(&image, "");
    tool("cp", &[OsStr::new("-r"), tree.join(".").as_os_str(), mounted.path().as_os_str()]);
    image
}
