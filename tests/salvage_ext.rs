//! Damaged ext2, ext3 and ext4 volumes, made by `mke2fs` from a folder: with a structure destroyed, every file that is
//! still whole comes out under its own path, without any flag.

mod common;

use std::collections::BTreeMap;
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

/// Where all superblocks of an image lie, in bytes, as dumpe2fs says it.
fn superblocks(image: &Path) -> Vec<u64> {
    let shown = String::from_utf8(tool("dumpe2fs", &[image.to_str().unwrap()])).unwrap();
    let block = header(image, "Block size:");
    let blocks = shown.split("superblock at ").skip(1).map(|rest| {
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        number.parse::<u64>().unwrap()
    });
    blocks.map(|nr| (nr * block).max(1024)).collect()
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
    survives("size of inodes", |image| {
        lie(image, 0x58, &(2 * header(image, "Inode size:") as u16).to_le_bytes());
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

#[test]
fn directories_lead_elsewhere() {
    for directory in ["/many", "/wide/dir3"] {
        survives("size of a directory", |image| zero(image, inode_at(image, directory) + 4, 4));
        survives("map of a directory", |image| zero(image, inode_at(image, directory) + 0x28, 60));
    }
}

/// Writes over a field of a directory's inode.
fn ruin(image: &Path, directory: &str, field: u64, bytes: &[u8]) {
    let at = inode_at(image, directory) + field;
    File::options().write(true).open(image).unwrap().write_all_at(bytes, at).unwrap();
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

/// Where other fields show that sizes are ruined, one that only a hole at the end bears out is doubtful.
#[test]
fn a_hole_at_the_end_is_doubtful_where_sizes_lie() {
    for (kind, lies, trust) in [("ext2", "2000", "doubtful"), ("ext4", "2000", "doubtful"), ("ext2", "9000", "intact")]
    {
        let scratch = Scratch::new();
        let image = two_files(&scratch, &["-t", kind, "-b", "1024", "-O", "^metadata_csum"], |_| {
            format!(
                "set_inode_field /one size {lies}\nset_inode_field /other size {lies}\nset_inode_field /third size 20000"
            )
        });
        assert_eq!(trusts(&copied(&scratch, &image))["third"], trust, "{kind} {lies}");
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

/// The trust of each file copied, by path.
fn trusts(out: &Path) -> BTreeMap<String, String> {
    let manifest = fs::read_to_string(out.join(".offmount/manifest.jsonl")).unwrap();
    let records = manifest.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let told = records.filter_map(|it| Some((it["path"].as_str()?.to_owned(), it["trust"].as_str()?.to_owned())));
    told.collect()
}

/// A volume of two files and what `commands` make of it.
fn two_files(scratch: &Scratch, kind: &[&str], commands: impl Fn(&Path) -> String) -> PathBuf {
    let tree = scratch.dir("tree");
    fs::write(tree.join("one"), vec![b'1'; 9000]).unwrap();
    fs::write(tree.join("other"), vec![b'2'; 9000]).unwrap();
    fs::write(tree.join("third"), vec![b'3'; 9000]).unwrap();
    let image = volume(scratch, &tree, kind);
    let commands = commands(&image);
    let path = image.to_str().unwrap();
    for command in commands.lines() {
        tool("debugfs", &["-w", "-R", command, path]);
    }
    image
}

/// The block of a file that debugfs says is its first.
fn first_block(image: &Path, path: &str) -> u64 {
    let said = String::from_utf8(debugfs(image, &format!("bmap {path} 0\n"))).unwrap();
    said.lines().last().unwrap().trim().parse().unwrap()
}

#[test]
fn files_that_share_a_block_are_both_doubtful() {
    let scratch = Scratch::new();
    let image = two_files(&scratch, &["-t", "ext2", "-b", "1024"], |image| {
        format!("set_inode_field /one block[2] {}", first_block(image, "/other"))
    });
    let trusts = trusts(&copied(&scratch, &image));
    assert_eq!([&trusts["one"], &trusts["other"], &trusts["third"]], ["doubtful", "doubtful", "intact"]);
}

/// Of a file and many others in the same blocks the one is wrong that has a run of them all.
#[test]
fn a_file_that_leads_into_many_others_is_doubtful_alone() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    fs::write(tree.join("one"), vec![b'1'; 30 << 10]).unwrap();
    let image = volume(&scratch, &tree, &["-t", "ext4", "-b", "1024", "-g", "8192", "-O", "^metadata_csum"]);
    let others = first_block(&image, "/deep/one/two/three/file1") as u32;
    // The start of the first extent.
    ruin(&image, "/one", 0x28 + 12 + 8, &others.to_le_bytes());
    let trusts = trusts(&copied(&scratch, &image));
    let doubted: Vec<&str> =
        trusts.iter().filter(|(_, trust)| *trust == "doubtful").map(|(path, _)| path.as_str()).collect();
    assert_eq!(doubted, ["one"]);
}

#[test]
fn a_file_that_claims_a_bitmap_is_doubtful() {
    let scratch = Scratch::new();
    let image = two_files(&scratch, &["-t", "ext2", "-b", "1024"], |image| {
        let said = String::from_utf8(tool("dumpe2fs", &[image.to_str().unwrap()])).unwrap();
        let (_, bitmap) = said.split_once("Block bitmap at ").unwrap();
        let bitmap: String = bitmap.chars().take_while(char::is_ascii_digit).collect();
        format!("set_inode_field /one block[2] {bitmap}")
    });
    let trusts = trusts(&copied(&scratch, &image));
    assert_eq!([&trusts["one"], &trusts["other"]], ["doubtful", "intact"]);
}

#[test]
fn a_size_smaller_than_what_is_written_cuts_nothing_off() {
    let scratch = Scratch::new();
    let image = two_files(&scratch, &["-t", "ext4", "-b", "1024"], |_| "set_inode_field /one size 2000".to_owned());
    let out = copied(&scratch, &image);
    let one = fs::read(out.join("one")).unwrap();
    assert!(one.len() >= 9000 && one[..9000] == [b'1'; 9000], "{} bytes", one.len());
    let trusts = trusts(&out);
    assert_eq!([&trusts["one"], &trusts["other"]], ["doubtful", "intact"]);
}

/// Where an entry of a directory with this name lies, in bytes.
fn entry_at(image: &Path, name: &str) -> u64 {
    let bytes = fs::read(image).unwrap();
    let header = [&[name.len() as u8, 1][..], name.as_bytes()].concat();
    bytes.windows(header.len()).position(|some| some == header).unwrap() as u64 - 6
}

/// The number of a file, as debugfs says it.
fn number(image: &Path, path: &str) -> u32 {
    let said = String::from_utf8(debugfs(image, &format!("stat {path}\n"))).unwrap();
    let (_, rest) = said.split_once("Inode: ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
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

/// Where the number of blocks bears out the size, and extents lead further: nothing is cut off, as with e2fsck.
#[test]
fn extents_lead_further_than_size_and_blocks_say() {
    let scratch = Scratch::new();
    let image = two_files(&scratch, &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"], |_| {
        "set_inode_field /one size 2000\nset_inode_field /one blocks 4".to_owned()
    });
    let out = copied(&scratch, &image);
    let repaired = scratch.copy_of(&image, "repaired");
    let _ = common::run(common::system("e2fsck").args(["-fy", repaired.to_str().unwrap()]), b"");
    let expected = tool("debugfs", &["-R", "cat /one", repaired.to_str().unwrap()]);
    assert!(fs::read(out.join("one")).unwrap() == expected);
    assert_eq!(trusts(&out)["one"], "doubtful");
}

/// Files below `out`, wherever they are, by contents.
fn contents(out: &Path, found: &mut BTreeMap<Vec<u8>, PathBuf>) {
    for entry in fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents(&path, found);
        } else {
            found.insert(fs::read(&path).unwrap(), path);
        }
    }
}

#[test]
fn mkfs_was_run_over_a_volume() {
    let usual: &[&str] = &["-t", "ext4", "-b", "1024", "-g", "2048"];
    // Descriptors that the newer filesystem's overwrite, in all copies.
    let under: &[&str] = &["-t", "ext4", "-b", "2048", "-g", "4096", "-I", "512", "-O", "metadata_csum,64bit"];
    // With the same geometry, with more inodes, with larger blocks over small ones.
    for (old, new) in [
        (usual, ["-b", "1024", "-N", "1200"]),
        (usual, ["-b", "4096", "-N", "4000"]),
        (under, ["-b", "1024", "-N", "1200"]),
    ] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = volume(&scratch, &tree, old);
        tool(
            "mke2fs",
            &[&["-q", "-F", "-t", "ext4", "-E", "nodiscard"][..], &new, &[image.to_str().unwrap()]].concat(),
        );
        let out = copied(&scratch, &image);
        let (mut truth, mut found) = (BTreeMap::new(), BTreeMap::new());
        contents(&tree, &mut truth);
        contents(&out, &mut found);
        let left = truth.keys().filter(|contents| found.contains_key(*contents)).count();
        assert!(left * 10 >= truth.len() * 9, "{new:?}: {left} of {}", truth.len());
        let trusts = trusts(&out);
        for (contents, path) in found.iter().filter(|(contents, _)| !contents.is_empty()) {
            let name = path.strip_prefix(&out).unwrap().to_str().unwrap();
            let trust = trusts.get(name).map_or("", String::as_str);
            assert!(truth.contains_key(contents) || trust == "doubtful" || trust.is_empty(), "{new:?}: {name} {trust}");
        }
    }
}

#[test]
fn another_filesystem_was_made_over_a_volume() {
    for (maker, args) in [("mkswap", &[][..]), ("mkfs.btrfs", &["-q", "-f", "-m", "single"]), ("mkfs.exfat", &[])] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = scratch.sparse("image", 160 << 20);
        let (folder, path) = (tree.to_str().unwrap(), image.to_str().unwrap());
        // Groups as small as these have their tables all over the volume.
        tool("mke2fs", &["-q", "-F", "-t", "ext3", "-b", "4096", "-g", "1024", "-N", "4000", "-d", folder, path]);
        tool(maker, &[args, &[path]].concat());
        let out = copied(&scratch, &image);
        let (mut truth, mut found) = (BTreeMap::new(), BTreeMap::new());
        contents(&tree, &mut truth);
        contents(&out, &mut found);
        let left = truth.keys().filter(|contents| found.contains_key(*contents)).count();
        assert!(left * 10 >= truth.len() * 5, "{maker}: {left} of {}", truth.len());
    }
}

/// Sizes that lie on a volume without checksums: the blocks that are mapped, and the zeros behind the end, tell better.
/// Contents that damage has read as pointers lead everywhere, and from there everywhere again.
#[test]
fn contents_read_as_pointers_are_not_followed_for_long() {
    let scratch = Scratch::new();
    let tree = scratch.dir("tree");
    let pointers: Vec<u8> = (0..2u32 << 20).flat_map(|i| (i.wrapping_mul(0x9E37_79B9) >> 22).to_le_bytes()).collect();
    fs::write(tree.join("pointers"), pointers).unwrap();
    for i in 0..100 {
        fs::write(tree.join(format!("file{i}")), format!("file {i}")).unwrap();
    }
    let image = volume(&scratch, &tree, &["-t", "ext2", "-b", "16384"]);
    let first = first_block(&image, "/pointers");
    let ruined: String =
        (0..100).map(|i| format!("sif /file{i} block[TIND] {first}\nsif /file{i} size 0x4000000000\n")).collect();
    debugfs(&image, &ruined);
    let started = std::time::Instant::now();
    let out = copied(&scratch, &image);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    let trusts = trusts(&out);
    for i in 0..100 {
        assert!(["partial", "doubtful"].contains(&&*trusts[&format!("file{i}")]), "file{i}");
    }
}

/// What a newer filesystem writes when it is made is lost to the older one: its files say so.
#[test]
fn the_log_of_a_newer_filesystem_lies_in_a_file() {
    let scratch = Scratch::new();
    let tree = scratch.dir("tree");
    fs::write(tree.join("small"), "small").unwrap();
    let large: Vec<u8> = (1..25_000u32).flat_map(|i| i.to_le_bytes().repeat(1024)).collect();
    fs::write(tree.join("large"), &large).unwrap();
    let image = scratch.sparse("image", 320 << 20);
    let (folder, path) = (tree.to_str().unwrap(), image.to_str().unwrap());
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "4096", "-g", "8192", "-d", folder, path]);
    tool("mkfs.xfs", &["-q", "-f", "-K", "-l", "agnum=1", path]);
    let out = copied(&scratch, &image);
    let found = trusts(&out);
    let name = found.keys().find(|name| name.ends_with("/large")).unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(found[name], "partial");
    let copy = fs::read(out.join(name)).unwrap();
    assert_eq!(copy.len(), large.len());
    let differs = copy.chunks(512).zip(large.chunks(512)).filter(|(one, other)| one != other);
    assert!(differs.clone().count() > 0 && differs.clone().all(|(copy, _)| copy.iter().all(|&byte| byte == 0)));
}

#[test]
fn the_size_of_a_file_is_ruined() {
    for size in ["5", "2000", "4000000000", "0"] {
        let scratch = Scratch::new();
        let image = two_files(&scratch, &["-t", "ext2", "-b", "1024"], |_| format!("set_inode_field /one size {size}"));
        let out = copied(&scratch, &image);
        assert!(fs::read(out.join("one")).unwrap() == vec![b'1'; 9000], "size {size}");
        let trusts = trusts(&out);
        assert_eq!([&trusts["one"], &trusts["other"]], ["doubtful", "intact"], "size {size}");
    }
}

/// With checksums there is one size that makes an inode's right: of a file that ends in zeros, too.
#[test]
fn the_checksum_shows_the_size_of_a_file() {
    for size in ["5", "2000", "8999", "70000", "4000000000"] {
        let scratch = Scratch::new();
        let image =
            two_files(&scratch, &["-t", "ext4", "-b", "1024", "-I", "256", "-O", "metadata_csum"], |_| String::new());
        let at = inode_at(&image, "/one");
        let block = first_block(&image, "/one") * 1024 + 8990;
        zero(&image, block, 10);
        let lie: u64 = size.parse().unwrap();
        File::options().write(true).open(&image).unwrap().write_all_at(&lie.to_le_bytes()[..4], at + 4).unwrap();
        let out = copied(&scratch, &image);
        assert!(fs::read(out.join("one")).unwrap() == [vec![b'1'; 8990], vec![0; 10]].concat(), "size {size}");
    }
}

#[test]
fn a_file_whose_extent_tree_lost_its_root_is_put_together() {
    let scratch = Scratch::new();
    let tree = scratch.dir("tree");
    let blocks: Vec<u8> = (0..400u32).flat_map(|i| [i.to_le_bytes().to_vec(), vec![7; 1020]].concat()).collect();
    let image = scratch.sparse("image", 24 << 20);
    fs::write(tree.join("whole"), b"whole").unwrap();
    let (folder, path) = (tree.to_str().unwrap(), image.to_str().unwrap());
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "1024", "-O", "^has_journal", "-d", folder, path]);
    {
        // Every second block of a full volume is freed, so that the file needs many extents.
        let mount = common::Mounted::writable(&image, "");
        for i in 0..800 {
            fs::write(mount.join(format!("filler{i}")), vec![1; 1024]).unwrap();
        }
        tool("sync", &["-f", mount.path().to_str().unwrap()]);
        for i in (0..800).step_by(2) {
            fs::remove_file(mount.join(format!("filler{i}"))).unwrap();
        }
        let file = File::create(mount.join("many")).unwrap();
        for (i, block) in blocks.chunks(1024).enumerate() {
            // Holes between, so that no two blocks make one extent.
            file.write_all_at(block, 2 * i as u64 * 1024).unwrap();
        }
        file.sync_all().unwrap();
    }
    let expected = {
        let mount = common::Mounted::read_only(&image, "");
        fs::read(mount.join("many")).unwrap()
    };
    let said = String::from_utf8(debugfs(&image, "ex /many\n")).unwrap();
    assert!(said.contains(" 1/ "), "the tree has leaves of its own: {said}");
    let at = inode_at(&image, "/many");
    zero(&image, at + 0x28, 60);
    let out = copied(&scratch, &image);
    let got = fs::read(out.join("many")).unwrap();
    // Whether there was a hole or a leaf between two leaves, nothing tells.
    assert!(["unproven", "partial"].contains(&trusts(&out)["many"].as_str()));
    assert!(got == expected, "{} bytes, expected {}", got.len(), expected.len());
}

#[test]
fn deleted_files_come_back_from_the_journal() {
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 24 << 20);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "1024", image.to_str().unwrap()]);
    let text = "what was deleted\n".repeat(500);
    {
        let mount = common::Mounted::writable(&image, "");
        fs::create_dir_all(mount.join("home/user")).unwrap();
        for name in ["kept", "gone", "taken"] {
            fs::write(mount.join("home/user").join(name), format!("{name}: {text}")).unwrap();
        }
        tool("sync", &["-f", mount.path().to_str().unwrap()]);
        fs::remove_file(mount.join("home/user/gone")).unwrap();
        tool("sync", &["-f", mount.path().to_str().unwrap()]);
    }
    let listed = untouched(&image, |image| offmount(&["find", image.to_str().unwrap(), "--deleted"]).exits(0));
    assert_eq!(listed.lines(), ["disk:#deleted/home/user/gone"]);
    let out = scratch.join("out");
    let args = ["copy", image.to_str().unwrap(), "--to", out.to_str().unwrap(), "--quiet", "--deleted"];
    let _ = untouched(&image, |_| offmount(&args));
    assert_eq!(fs::read_to_string(out.join("#deleted/home/user/gone")).unwrap(), format!("gone: {text}"));
    assert_eq!(fs::read_to_string(out.join("home/user/kept")).unwrap(), format!("kept: {text}"));
    assert_eq!(trusts(&out)["#deleted/home/user/gone"], "journal");
    assert!(!out.join("home/user/gone").exists() && !out.join("#deleted/home/user/kept").exists());
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
