//! Damaged ext2, ext3 and ext4 volumes, made by `mke2fs` from a folder: with superblocks, descriptors, inode tables or
//! directories destroyed, every file that is still whole comes out under its own path, without any flag.

mod common;
mod salvaging;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use common::{Scratch, debugfs, offmount, tool};
use salvaging::{
    assert_all_there, copied, first_block, header, inode_at, number, ruin, superblocks, tree, trusts, volume, zero,
};

/// Kinds of volume: with checksums, without, with block pointers.
const KINDS: [&[&str]; 3] = [
    &["-t", "ext4", "-b", "1024", "-g", "2048", "-O", "metadata_csum,64bit"],
    &["-t", "ext4", "-b", "4096", "-g", "2048", "-O", "^metadata_csum,^metadata_csum_seed,uninit_bg"],
    &["-t", "ext2", "-b", "1024", "-g", "2048"],
];

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

/// Zeroes the descriptors behind every superblock of an image, and with `all` the superblocks' blocks, too.
fn zero_headers(image: &Path, all: bool) {
    let (block, groups) = (header(image, "Block size:"), superblocks(image));
    let descriptors = (header(image, "Block count:") / header(image, "Blocks per group:") + 1) * 64;
    for at in groups {
        let start = if at == 1024 && block > 1024 { 0 } else { at };
        zero(image, start + block, descriptors.next_multiple_of(block));
        if all {
            zero(image, at, 1024);
        }
    }
}

#[test]
fn every_copy_of_superblock_and_descriptors_is_gone() {
    survives("headers", |image| zero_headers(image, true));
}

/// Sizes of blocks, inodes and groups that `mke2fs` makes only if asked.
const UNUSUAL: [&[&str]; 4] = [
    &["-t", "ext4", "-b", "2048", "-g", "4096", "-I", "512", "-O", "metadata_csum,64bit,^has_journal"],
    &["-t", "ext2", "-b", "1024", "-g", "4096", "-I", "128", "-O", "none"],
    &["-t", "ext4", "-b", "1024", "-g", "2048", "-G", "64", "-O", "^metadata_csum,^64bit"],
    &["-t", "ext4", "-b", "1024", "-g", "2048", "-G", "4", "-O", "metadata_csum"],
];

#[test]
fn headers_of_unusual_volumes_are_gone() {
    for (kind, all) in UNUSUAL.into_iter().flat_map(|kind| [(kind, true), (kind, false)]) {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = volume(&scratch, &tree, kind);
        zero_headers(&image, all);
        assert_all_there(&tree, &copied(&scratch, &image), &format!("{kind:?}, superblocks gone: {all}"));
    }
}

/// With few and large blocks, one that is damaged is a large part of an inode table: the rest still shows where it is.
#[test]
fn the_headers_of_large_blocks_and_part_of_the_inodes_are_gone() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, &["-t", "ext2", "-b", "16384"]);
    let table = inode_at(&image, "<1>");
    let lost: Vec<String> =
        (65..129).map(|nr| String::from_utf8(debugfs(&image, &format!("ncheck {nr}\n"))).unwrap()).collect();
    zero_headers(&image, true);
    let garbage: Vec<u8> = (0..16384u32).map(|i| (i.wrapping_mul(0x9E37_79B9) >> 13) as u8).collect();
    File::options().write(true).open(&image).unwrap().write_all_at(&garbage, table + 16384).unwrap();
    let out = copied(&scratch, &image);
    for i in 0..400 {
        let (path, contents) = (format!("deep/one/two/three/file{i}"), format!("contents of file {i}\n"));
        let is_lost = lost.iter().any(|said| said.trim_end().ends_with(&path));
        let found = fs::read_to_string(out.join(&path)).unwrap_or_default();
        assert!(i % 4 != 1 || is_lost || found == contents.repeat(1 + i % 90), "{path}");
    }
}

/// Behind the only table lie files of a few bytes, which look like inodes that were never used.
#[test]
fn the_headers_of_large_blocks_with_short_files_are_gone() {
    let scratch = Scratch::new();
    let tree = flat(&scratch);
    let kind = ["-t", "ext4", "-b", "16384", "-O", "^metadata_csum,^metadata_csum_seed,uninit_bg"];
    let image = volume(&scratch, &tree, &kind);
    zero_headers(&image, true);
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "short files");
    let doubtful = trusts(&out).into_values().filter(|trust| trust == "doubtful").count();
    assert_eq!(doubtful, 0);
}

/// Writes the same over a field of all superblocks.
fn lie(image: &Path, field: u64, bytes: &[u8]) {
    let file = File::options().write(true).open(image).unwrap();
    for at in superblocks(image) {
        file.write_all_at(bytes, at + field).unwrap();
    }
}

#[test]
fn all_superblocks_lie_about_inodes() {
    survives("inodes of a group", |image| {
        lie(image, 0x28, &(2 * header(image, "Inodes per group:") as u32).to_le_bytes());
    });
    survives("size of inodes, doubled", |image| {
        lie(image, 0x58, &(2 * header(image, "Inode size:") as u16).to_le_bytes());
    });
    survives("size of inodes, halved", |image| {
        lie(image, 0x58, &(header(image, "Inode size:") as u16 / 2).to_le_bytes());
    });
    survives("first inode of a file", |image| lie(image, 0x54, &100u32.to_le_bytes()));
}

/// Where it has no checksum, the superblock is believed no more than its copies.
#[test]
fn the_superblock_lies_about_the_size_of_blocks() {
    survives("size of blocks", |image| {
        let log = header(image, "Block size:").ilog2() - 10;
        let file = File::options().write(true).open(image).unwrap();
        file.write_all_at(&((log + 1) % 3).to_le_bytes(), 1024 + 0x18).unwrap();
    });
}

#[test]
fn all_superblocks_lie_about_features() {
    for features in [[0; 4], [0xFF; 4]] {
        survives("incompatible features", |image| lie(image, 0x60, &features));
    }
    survives("features that only reading allows", |image| lie(image, 0x64, &[0xA5; 4]));
}

#[test]
fn all_superblocks_lie_about_what_begins_checksums() {
    survives("UUID", |image| lie(image, 0x68, &[0x5A; 16]));
}

#[test]
fn all_superblocks_lie_about_the_number_of_blocks() {
    survives("number of blocks", |image| lie(image, 4, &[0xFF; 4]));
    survives("number of blocks, halved", |image| {
        lie(image, 4, &(header(image, "Block count:") as u32 / 2).to_le_bytes());
    });
}

#[test]
fn all_descriptors_name_one_table() {
    survives("descriptors", |image| {
        let (block, file) = (header(image, "Block size:"), File::options().read(true).write(true).open(image).unwrap());
        let mut first = [0; 12];
        for at in superblocks(image) {
            let at = at / block * block + block;
            file.read_exact_at(&mut first, at).unwrap();
            for descriptor in (0..block).step_by(32) {
                file.write_all_at(&first, at + descriptor).unwrap();
            }
        }
    });
}

/// Without checksums a wrong place of a table looks like any other; the copies say where it is.
#[test]
fn one_descriptor_names_another_place() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    for kind in ["ext2", "ext3"] {
        let healthy = volume(&scratch, &tree, &["-t", kind, "-b", "1024", "-g", "2048"]);
        for (group, blocks) in [(1, 1), (2, 40), (3, 4)] {
            let image = scratch.join("damaged");
            fs::copy(&healthy, &image).unwrap();
            // bg_inode_table, in the second block behind the boot block.
            let at = 2048 + 32 * group + 8;
            let file = File::options().read(true).write(true).open(&image).unwrap();
            let mut table = [0; 4];
            file.read_exact_at(&mut table, at).unwrap();
            file.write_all_at(&(u32::from_le_bytes(table) + blocks).to_le_bytes(), at).unwrap();
            let out = copied(&scratch, &image);
            assert_all_there(&tree, &out, &format!("{kind}, group {group}"));
            assert!(!out.join("#lost").exists(), "{kind}, group {group}");
        }
    }
}

/// All copies agree on a wrong place: the other tables and what lies in the usual place say where it is.
#[test]
fn all_copies_of_a_descriptor_name_another_place() {
    let scratch = Scratch::new();
    let tree = flat(&scratch);
    for kind in ["ext2", "ext3"] {
        let healthy = volume(&scratch, &tree, &["-t", kind, "-b", "1024", "-g", "2048"]);
        let copies = superblocks(&healthy);
        for (group, blocks) in [(2, 4), (5, 40)] {
            let image = scratch.join("damaged");
            fs::copy(&healthy, &image).unwrap();
            let file = File::options().read(true).write(true).open(&image).unwrap();
            for copy in &copies {
                let at = copy + 1024 + 32 * group + 8;
                let mut table = [0; 4];
                file.read_exact_at(&mut table, at).unwrap();
                file.write_all_at(&(u32::from_le_bytes(table) + blocks).to_le_bytes(), at).unwrap();
            }
            assert_all_there(&tree, &copied(&scratch, &image), &format!("{kind}, group {group}"));
        }
    }
}

/// Of two blocks with the same inodes the copy is the one whose neighbours' files lie elsewhere.
#[test]
fn a_copy_of_files_inodes_lies_in_another_s_place() {
    let scratch = Scratch::new();
    let tree = flat(&scratch);
    let image = volume(&scratch, &tree, &["-t", "ext2", "-b", "4096", "-g", "2048"]);
    let block_of = |path: &str| inode_at(&image, path) / 4096 * 4096;
    let (right, lost) = (block_of("/dir1/file400"), block_of("/dir1/file700"));
    assert!(right != lost);
    let file = File::options().read(true).write(true).open(&image).unwrap();
    let mut block = [0; 4096];
    file.read_exact_at(&mut block, right).unwrap();
    file.write_all_at(&block, lost).unwrap();
    let out = copied(&scratch, &image);
    let trusts = trusts(&out);
    let is_right = |i: &u32| {
        let found = fs::read_to_string(out.join(format!("dir{}/file{i}", i % 3)));
        found.is_ok_and(|found| found == format!("contents of file {i}\n"))
    };
    let right: Vec<u32> = (0..900).filter(is_right).collect();
    assert!(right.len() >= 900 - 4096 / 128, "{}", right.len());
    for i in right {
        assert_ne!(trusts[&format!("dir{}/file{i}", i % 3)], "doubtful", "{i}");
    }
}

/// It is the directories' blocks that changed places: the inodes beside theirs have their files near those.
#[test]
fn first_blocks_of_directories_are_in_each_other_s_place() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let healthy = volume(&scratch, &tree, &["-t", "ext2", "-b", "1024", "-I", "256", "-g", "2048"]);
    let directories: Vec<String> = (0..17).map(|i| format!("/wide/dir{i}")).collect();
    let slots: Vec<u64> = directories.iter().map(|path| inode_at(&healthy, path)).collect();
    let places: Vec<u64> = directories.iter().map(|path| first_block(&healthy, path) * 1024).collect();
    let pairs = (0..17).flat_map(|one| (one + 1..17).map(move |other| (one, other)));
    let alike = pairs.filter(|(one, other)| slots[*one] % 1024 == slots[*other] % 1024);
    for (one, other) in alike.step_by(3).take(4) {
        let image = scratch.join("damaged");
        fs::copy(&healthy, &image).unwrap();
        let file = File::options().read(true).write(true).open(&image).unwrap();
        let (mut first, mut second) = ([0; 1024], [0; 1024]);
        file.read_exact_at(&mut first, places[one]).unwrap();
        file.read_exact_at(&mut second, places[other]).unwrap();
        file.write_all_at(&first, places[other]).unwrap();
        file.write_all_at(&second, places[one]).unwrap();
        assert_all_there(&tree, &copied(&scratch, &image), &format!("{} and {}", directories[one], directories[other]));
    }
}

/// A disk wrote blocks of an inode table to the wrong places: each is sound, and only directories tell that it is not here
/// that it belongs.
#[test]
fn blocks_of_inode_tables_are_in_another_s_place() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let small_inodes = &["-t", "ext4", "-I", "128", "-O", "metadata_csum"][..];
    for kind in [&["-t", "ext2"][..], &["-t", "ext3"], small_inodes] {
        let healthy = volume(&scratch, &tree, &[kind, &["-b", "1024", "-g", "2048"]].concat());
        let block_of = |inode: &str| inode_at(&healthy, inode) / 1024 * 1024;
        let (root, one, two) = (block_of("<2>"), block_of("/wide/dir3"), block_of("/wide/dir11"));
        assert!(root != one && one != two && root != two);
        // Two swapped; one over the root's, which is then nowhere.
        for (from, to, swaps) in [(one, two, true), (root, one, true), (one, root, false)] {
            let image = scratch.join("damaged");
            fs::copy(&healthy, &image).unwrap();
            let file = File::options().read(true).write(true).open(&image).unwrap();
            let (mut first, mut second) = ([0; 1024], [0; 1024]);
            file.read_exact_at(&mut first, from).unwrap();
            file.read_exact_at(&mut second, to).unwrap();
            file.write_all_at(&first, to).unwrap();
            if swaps {
                file.write_all_at(&second, from).unwrap();
            }
            let out = copied(&scratch, &image);
            let what = format!("{kind:?}, from {from} to {to}");
            assert_all_there(&tree, &out, &what);
            assert!(!out.join("#lost").exists(), "{what}");
        }
    }
}

/// The orphan file belongs to nobody, though nothing but its contents says so any more.
#[test]
fn headers_are_gone_of_a_volume_with_an_orphan_file() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, &["-t", "ext4", "-b", "1024", "-g", "2048", "-O", "orphan_file"]);
    zero_headers(&image, true);
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "orphan_file");
    assert!(!out.join("#lost").exists());
}

/// Nor do the files of quotas belong to anybody, where headers are gone, or name others.
#[test]
fn nothing_says_which_files_are_those_of_quotas() {
    for gone in [true, false] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let kind = ["-t", "ext4", "-b", "1024", "-g", "2048", "-I", "256", "-O", "quota,project,^metadata_csum"];
        let image = volume(&scratch, &tree, &kind);
        if gone {
            zero_headers(&image, true);
        } else {
            let bytes = File::options().write(true).open(&image).unwrap();
            // s_prj_quota_inum
            superblocks(&image).iter().for_each(|at| bytes.write_all_at(&[99], at + 0x26C).unwrap());
        }
        let out = copied(&scratch, &image);
        assert_all_there(&tree, &out, "quota");
        assert!(!out.join("#lost").exists(), "headers gone: {gone}");
    }
}

/// A folder of three directories with many files: most tables hold nothing but files.
fn flat(scratch: &Scratch) -> PathBuf {
    let tree = scratch.dir("flat");
    for i in 0..900 {
        let path = tree.join(format!("dir{}/file{i}", i % 3));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("contents of file {i}\n")).unwrap();
    }
    tree
}

/// All directories lie in the first of few groups: only the places of the other tables tell how many inodes each has.
#[test]
fn headers_are_gone_and_all_directories_are_in_one_group() {
    let scratch = Scratch::new();
    let tree = flat(&scratch);
    let image = volume(&scratch, &tree, &["-t", "ext2", "-b", "2048", "-g", "4096"]);
    zero_headers(&image, true);
    assert_all_there(&tree, &copied(&scratch, &image), "directories in one group");
}

#[test]
fn directories_lead_elsewhere() {
    for directory in ["/many", "/wide/dir3"] {
        survives("size of a directory", |image| zero(image, inode_at(image, directory) + 4, 4));
        survives("map of a directory", |image| zero(image, inode_at(image, directory) + 0x28, 60));
    }
}

#[test]
fn a_field_of_a_directory_s_inode_is_ruined() {
    let fields: [(&str, u64, &[u8]); 9] = [
        ("mode of a file", 0, &[0xA4, 0x81]),
        ("mode of nothing", 0, &[0xA4, 0xF1]),
        ("no mode", 0, &[0, 0]),
        ("size of one block", 4, &[0, 4, 0, 0]),
        ("huge size", 4, &[0xA5; 4]),
        ("no links", 0x1A, &[0, 0]),
        ("flags", 0x20, &[0xA5; 4]),
        ("head of the extent tree, or pointers", 0x28, &[0xA5; 12]),
        ("first extent, or pointer", 0x28 + 12, &[0x5A; 12]),
    ];
    for (what, field, bytes) in fields {
        survives(what, |image| {
            for directory in ["/many", "/wide/dir3", "/deep/one"] {
                ruin(image, directory, field, bytes);
            }
        });
    }
}

/// Directories without hash trees and with one, many of them with several blocks, written by the kernel at the same time,
/// so that their blocks lie between each other's.
#[test]
fn directories_that_grew_together_lose_their_inodes() {
    for features in ["^dir_index", "dir_index"] {
        let scratch = Scratch::new();
        let (tree, image) = (scratch.dir("tree"), scratch.sparse("image", 32 << 20));
        tool("mke2fs", &["-q", "-F", "-t", "ext3", "-b", "1024", "-O", features, image.to_str().unwrap()]);
        let mount = common::Mounted::writable(&image, "");
        for (i, dir) in (0..600).map(|i| (i, format!("dir{}", i % 6))) {
            for root in [mount.path(), &tree] {
                fs::create_dir_all(root.join(&dir)).unwrap();
                fs::write(root.join(&dir).join(format!("a name as long as this, {i:03}")), format!("file {i}"))
                    .unwrap();
            }
        }
        drop(mount);
        for i in [1, 2, 4] {
            zero(&image, inode_at(&image, &format!("/dir{i}")), header(&image, "Inode size:"));
        }
        ruin(&image, "/dir5", 0x28, &[0xA5; 4]);
        // A block there is, and one that is free. Then the fields before the map, and half of its pointers.
        ruin(&image, "/dir0", 0x28, &30_000u32.to_le_bytes());
        ruin(&image, "/dir3", 0, &[0xA5; 64]);
        let out = copied(&scratch, &image);
        assert_all_there(&tree, &out, features);
    }
}

/// The copies of directories' blocks that a journal holds, whose inode is lost like theirs, are nobody else's.
#[test]
fn a_journal_without_an_inode_holds_copies_of_directories() {
    let scratch = Scratch::new();
    let (tree, image) = (scratch.dir("tree"), scratch.sparse("image", 32 << 20));
    tool("mke2fs", &["-q", "-F", "-t", "ext3", "-b", "1024", "-N", "2000", image.to_str().unwrap()]);
    let mount = common::Mounted::writable(&image, "");
    for i in 0..600 {
        let path = match i % 6 {
            0 => format!("small{}/{i:03}", i % 7),
            _ => format!("large/a name as long as this, {i:03}"),
        };
        for root in [mount.path(), &tree] {
            let path = root.join(&path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("file {i}")).unwrap();
        }
    }
    drop(mount);
    let directories = fs::read_dir(&tree).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let records: Vec<u64> = directories.map(|name| inode_at(&image, &format!("/{name}"))).collect();
    for at in records.into_iter().chain([inode_at(&image, "<8>")]) {
        zero(&image, at, header(&image, "Inode size:"));
    }
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "the journal's inode");
}

/// A hash tree of two levels beside one of a single level: the nodes below the root say which block is whose.
#[test]
fn large_directories_lose_their_inodes() {
    let scratch = Scratch::new();
    let (tree, image) = (scratch.dir("tree"), scratch.sparse("image", 32 << 20));
    tool("mke2fs", &["-q", "-F", "-t", "ext3", "-b", "1024", "-N", "4000", image.to_str().unwrap()]);
    let mount = common::Mounted::writable(&image, "");
    for i in 0..1200 {
        let path = format!("{}/{i:04}{}", if i % 4 == 0 { "small" } else { "large" }, "y".repeat(200));
        for root in [mount.path(), &tree] {
            let path = root.join(&path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("file {i}")).unwrap();
        }
    }
    drop(mount);
    let said = tool("debugfs", &["-R", "htree /large", image.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("Indirect levels: 1"), "{said}");
    for directory in ["/large", "/small"] {
        zero(&image, inode_at(&image, directory), header(&image, "Inode size:"));
    }
    assert_all_there(&tree, &copied(&scratch, &image), "large directories");
    // Nor does anything tell any more what begins the hashes.
    zero_headers(&image, true);
    assert_all_there(&tree, &copied(&scratch, &image), "large directories without headers");
}

/// A ruined map leads into files and another directory's blocks: they are not this directory's, and nobody is doubted.
#[test]
fn a_directory_s_map_leads_into_others() {
    for kind in KINDS {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = volume(&scratch, &tree, kind);
        let blocks = 12;
        let size = (blocks * header(&image, "Block size:")) as u32;
        if kind[1] == "ext2" {
            let another_s = String::from_utf8(debugfs(&image, "bmap /many 1\n")).unwrap();
            let another_s = another_s.lines().last().unwrap().trim().parse().unwrap();
            let files = (1..blocks - 1).map(|i| first_block(&image, &format!("/deep/one/two/three/file{}", i * 4 + 1)));
            for (i, block) in files.chain([another_s]).enumerate() {
                ruin(&image, "/wide/dir3", 0x28 + 4 + i as u64 * 4, &(block as u32).to_le_bytes());
            }
        } else {
            ruin(&image, "/wide/dir3", 0x28 + 12 + 4, &(blocks as u16).to_le_bytes());
        }
        ruin(&image, "/wide/dir3", 4, &size.to_le_bytes());
        let out = copied(&scratch, &image);
        assert_all_there(&tree, &out, &format!("{kind:?}"));
        let names = |root: &Path| fs::read_dir(root.join("wide/dir3")).unwrap().count();
        assert_eq!(names(&out), names(&tree), "{kind:?}");
        let trusts = trusts(&out);
        let doubted: Vec<_> = trusts.iter().filter(|(_, trust)| *trust == "doubtful").collect();
        assert!(doubted.is_empty(), "{kind:?}: {doubted:?}");
    }
}

/// Neither the inode nor the first block of some directories is left: the other blocks go where the names say that
/// there is a directory.
#[test]
fn directories_lose_their_inodes_and_their_first_blocks() {
    for kind in &KINDS[1..] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = volume(&scratch, &tree, kind);
        let block = header(&image, "Block size:");
        let first = first_block(&image, "/many") * block;
        let lost = fs::read(&image).unwrap()[first as usize..(first + block) as usize].to_vec();
        for directory in ["/many", "/wide/dir3", "/deep/one/two/three"] {
            let at = inode_at(&image, directory);
            zero(&image, first_block(&image, directory) * block, block);
            zero(&image, at, header(&image, "Inode size:"));
        }
        let out = copied(&scratch, &image);
        let mut left = 0;
        for entry in fs::read_dir(tree.join("many")).unwrap() {
            let name = entry.unwrap().file_name();
            if lost.windows(name.len()).any(|some| some == name.as_encoded_bytes()) {
                continue;
            }
            let read = |root: &Path| fs::read(root.join("many").join(&name)).unwrap_or_default();
            assert!(read(&out) == read(&tree), "{kind:?}: {}", name.display());
            left += 1;
        }
        assert!(left > 10, "{kind:?}: {left}");
    }
}

/// A volume as [`survives`] makes them, of which only the bytes from `missing` on are left.
#[test]
fn the_beginning_is_cut_off() {
    for missing in [4096, 4096 + 512, 5001] {
        survives("beginning", |image| {
            let bytes = fs::read(image).unwrap();
            fs::write(image, &bytes[missing..]).unwrap();
        });
    }
}

/// Of one group, with the only superblock in what is missing: directories tell how much that is.
#[test]
fn the_beginning_of_a_small_volume_is_cut_off() {
    for kind in [&["-t", "ext4", "-O", "metadata_csum"][..], &["-t", "ext4", "-O", "^metadata_csum"], &["-t", "ext2"]] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = volume(&scratch, &tree, &[kind, &["-b", "4096"]].concat());
        // A kernel leaves copies of the superblock in the journal.
        let mount = common::Mounted::writable(&image, "");
        for root in [mount.path(), &tree] {
            fs::create_dir(root.join("new")).unwrap();
            fs::write(root.join("new/file"), "new").unwrap();
        }
        drop(mount);
        let bytes = fs::read(&image).unwrap();
        fs::write(&image, &bytes[2 * 4096..]).unwrap();
        let out = copied(&scratch, &image);
        assert_all_there(&tree, &out, &format!("{kind:?}"));
        // Something else is there instead, and more of it.
        fs::write(&image, [&vec![0xA5; 1 << 20], &vec![0; 2 * 4096], &bytes[2 * 4096..]].concat()).unwrap();
        let out = copied(&scratch, &image);
        assert_all_there(&tree, &out, &format!("{kind:?}, something before it"));
    }
}

#[test]
fn something_else_is_before_the_volume() {
    for junk in [512, 777, 4096 + 512, 1 << 20] {
        survives("something before it", |image| {
            let bytes = fs::read(image).unwrap();
            fs::write(image, [vec![0xA5; junk], bytes].concat()).unwrap();
        });
    }
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

/// Where an entry of a directory with this name lies, in bytes.
fn entry_at(image: &Path, name: &str) -> u64 {
    let bytes = fs::read(image).unwrap();
    let header = [&[name.len() as u8, 1][..], name.as_bytes()].concat();
    bytes.windows(header.len()).position(|some| some == header).unwrap() as u64 - 6
}

/// A flipped bit makes an entry name another file: neither comes out as what it is not.
#[test]
fn an_entry_names_another_s_inode() {
    for kind in [&["-t", "ext4", "-b", "1024", "-O", "metadata_csum"][..], &["-t", "ext2", "-b", "1024"]] {
        let scratch = Scratch::new();
        let tree = scratch.dir("tree");
        let names: Vec<String> = (0..64).map(|i| format!("dir{}/file{i:02}", i % 2)).collect();
        for name in &names {
            fs::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
            fs::write(tree.join(name), name.repeat(100)).unwrap();
        }
        let image = volume(&scratch, &tree, kind);
        let numbers: Vec<u32> = names.iter().map(|name| number(&image, &format!("/{name}"))).collect();
        let two = (0..64).flat_map(|one| (0..64).map(move |other| (one, other)));
        // In different directories, so that of two names one stands in a sound one.
        let one_bit =
            |&(one, other): &(usize, usize)| one % 2 != other % 2 && (numbers[one] ^ numbers[other]).is_power_of_two();
        let (one, other) = two.clone().find(one_bit).unwrap();
        let at = entry_at(&image, names[one].rsplit('/').next().unwrap());
        File::options().write(true).open(&image).unwrap().write_all_at(&numbers[other].to_le_bytes(), at).unwrap();
        let out = copied(&scratch, &image);
        let trusts = trusts(&out);
        for name in &names {
            let is_right = fs::read(out.join(name)).unwrap() == name.repeat(100).as_bytes();
            assert!(is_right || trusts[name] == "doubtful", "{kind:?}: {name} {}", trusts[name]);
            // A checksum says in which of the two directories the entry is wrong.
            assert!(is_right || kind[1] == "ext2", "{kind:?}: {name}");
        }
    }
}

#[test]
fn what_was_rebuilt_is_said() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, KINDS[0]);
    zero(&image, inode_at(&image, "/wide/dir3"), header(&image, "Inode size:"));
    zero(&image, 1024, 1024);
    let ran = offmount(&["ls", image.to_str().unwrap(), "/wide/dir3"]);
    let said = &ran.stderr;
    for words in ["the superblock is damaged; its copy at byte", "1 directories are put together again"] {
        assert!(said.contains(words), "{said}");
    }
}
