//! Disks over whose beginning a smaller image was written, as `dd` to the wrong device does, and disks that were divided
//! anew: what is left of the files on them before comes out.

mod common;
mod salvaging;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use common::{Scratch, offmount, tool, tool_fed};
use salvaging::{assert_all_there, contents, copied, filled, left, tree, trusts, volume};

const MIB: u64 = 1 << 20;

/// A disk with a volume of files at some place.
struct Disk {
    scratch: Scratch,
    tree: PathBuf,
    image: PathBuf,
}

impl Disk {
    /// With a small ext4, behind what makes the partition table.
    fn new(start: u64, divide: impl Fn(&str)) -> Self {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let volume = volume(&scratch, &tree, &["-t", "ext4"]);
        Disk::of(scratch, tree, &volume, start, divide)
    }

    fn of(scratch: Scratch, tree: PathBuf, volume: &Path, start: u64, divide: impl Fn(&str)) -> Self {
        let volume = fs::read(volume).unwrap();
        let image = scratch.sparse("disk", start + volume.len() as u64 + 16 * MIB);
        divide(image.to_str().unwrap());
        let disk = Disk { scratch, tree, image };
        disk.write(&volume, start);
        disk
    }

    fn write(&self, bytes: &[u8], at: u64) {
        File::options().write(true).open(&self.image).unwrap().write_all_at(bytes, at).unwrap();
    }

    /// An ISO image with a file of so many bytes.
    fn iso(&self, len: usize) -> Vec<u8> {
        let (folder, iso) = (self.scratch.dir("iso"), self.scratch.join("iso.img"));
        fs::write(folder.join("file"), b"something else\n".repeat(len / 15)).unwrap();
        tool("genisoimage", &["-quiet", "-R", "-o", iso.to_str().unwrap(), folder.to_str().unwrap()]);
        fs::read(iso).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let told = offmount(&["info", "--json", self.image.to_str().unwrap()]).exits(0);
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        let volumes = told["volumes"].as_array().unwrap();
        volumes.iter().map(|volume| volume["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// An EFI partition first, then the files, as servers have it.
fn gpt(path: &str) {
    tool("sgdisk", &["--new=1:2048:+8M", "--typecode=1:EF00", "--new=2:18432:+24M", "--typecode=2:8300", path]);
}

#[test]
fn an_iso_was_written_over_a_disk_with_a_gpt() {
    let disk = Disk::new(9 * MIB, gpt);
    disk.write(&disk.iso(5 << 20), 0);
    assert_eq!(disk.names(), ["disk", "disk.old.p2"], "the ISO, and behind it what the backup of the table has");
    let out = copied(&disk.scratch, &disk.image);
    assert_all_there(&disk.tree, &out.join("#volumes/disk.old.p2"), "behind the ISO");
}

#[test]
fn an_image_of_another_disk_was_written_over_one_with_a_gpt() {
    let disk = Disk::new(9 * MIB, gpt);
    let smaller = disk.scratch.sparse("smaller", 6 * MIB);
    tool("sgdisk", &["--new=1:2048:+4M", smaller.to_str().unwrap()]);
    disk.write(&fs::read(smaller).unwrap(), 0);
    assert_eq!(disk.names(), ["p1", "disk.old.p2"], "the newer table's, and of the older what lies behind its end");
    let out = copied(&disk.scratch, &disk.image);
    // It is the only volume of files, and so the disk's root.
    assert_all_there(&disk.tree, &out, "behind the image");
}

/// Of this table nothing is left, nor of the volume's beginning: the copies of its superblock tell where it began.
#[test]
fn an_iso_was_written_over_the_head_of_a_volume_on_a_disk_with_an_mbr() {
    for kind in ["ext3", "ext4"] {
        let scratch = Scratch::new();
        let tree = scratch.dir("tree");
        // Groups of 8 MiB, each with its own inode table.
        let volume = filled(&scratch, &tree, 64 * MIB, &["-t", kind, "-b", "1024", "-O", "^flex_bg"]);
        let disk = Disk::of(scratch, tree, &volume, MIB, |path| {
            drop(tool_fed("sfdisk", &["-q", path], b"label: dos\nstart=2048, type=83\n"));
        });
        disk.write(&disk.iso(6 << 20), 0);
        assert_eq!(disk.names(), ["disk".to_owned(), format!("disk.old.@{MIB}")], "{kind}");
        let left = left(&volume, &disk.tree, &fs::read(&disk.image).unwrap()[MIB as usize..]);
        assert!(left.len() > 200, "{kind}: {} files lie behind the ISO", left.len());
        let mut copies = BTreeMap::new();
        contents(&copied(&disk.scratch, &disk.image), &mut copies);
        for path in left {
            let is_there = copies.contains_key(&fs::read(disk.tree.join(&path)).unwrap());
            assert!(is_there, "{kind}: {} is lost", path.display());
        }
    }
}

/// As an installer does it: another table, another start, and a filesystem that is still empty.
#[test]
fn a_disk_was_divided_anew() {
    let scratch = Scratch::new();
    let tree = scratch.dir("tree");
    let volume = filled(&scratch, &tree, 64 * MIB, &["-t", "ext4", "-b", "1024", "-O", "^flex_bg"]);
    let disk = Disk::of(scratch, tree, &volume, 9 * MIB, |path| {
        drop(tool_fed("sfdisk", &["-q", path], b"label: dos\nstart=2048, size=16384, type=c\nstart=18432, type=83\n"));
    });
    let path = disk.image.to_str().unwrap();
    tool("sgdisk", &["--zap-all", path]);
    tool("sgdisk", &["--new=1:2048:+3M", "--typecode=1:EF00", "--new=2:0:0", path]);
    tool("mkfs.fat", &["--offset", "2048", path, "3072"]);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-E", &format!("nodiscard,offset={}", 4 * MIB), path, "81920"]);
    assert_eq!(disk.names(), ["p1", "p2", &format!("disk.old.@{}", 9 * MIB)]);
    let left = left(&volume, &disk.tree, &fs::read(&disk.image).unwrap()[9 * MIB as usize..]);
    assert!(left.len() > 300, "{} files are not written over", left.len());
    let out = copied(&disk.scratch, &disk.image);
    let trusts = trusts(&out);
    for path in left {
        let name = format!("#volumes/disk.old.@{}/{}", 9 * MIB, path.display());
        let copy = fs::read(out.join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(copy == fs::read(disk.tree.join(&path)).unwrap(), "{name} differs");
        assert_ne!(trusts[&name], "partial", "{name}");
    }
}

/// Nothing older is looked for behind a filesystem whose place has grown.
#[test]
fn a_disk_that_grew_has_nothing_older() {
    let disk = Disk::new(0, |_| ());
    assert_eq!(disk.names(), ["disk"]);
    let disk = Disk::new(9 * MIB, |path| {
        let file = File::options().write(true).open(path).unwrap();
        let len = file.metadata().unwrap().len();
        file.set_len(len - 8 * MIB).unwrap();
        gpt(path);
        file.set_len(len).unwrap();
    });
    assert_eq!(disk.names(), ["p1", "p2"]);
}
