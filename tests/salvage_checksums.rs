//! Damaged ext4 volumes with checksums of metadata: a checksum says whose a block is, and where it is missing or says
//! nothing, what is ruined casts no doubt on what is not.

mod common;
mod salvaging;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use common::{Mounted, Scratch, debugfs, offmount, tool};
use salvaging::{
    assert_all_there, copied, filled, first_block, header, inode_at, number, superblocks, tree, trusts, volume, zero,
};

const KIND: &[&str] = &["-t", "ext4", "-b", "1024", "-g", "2048", "-O", "metadata_csum,64bit"];

fn assert_nobody_is_doubted(out: &Path) {
    let trusts = trusts(out);
    let doubted: Vec<_> = trusts.iter().filter(|(_, trust)| *trust == "doubtful").collect();
    assert!(doubted.is_empty(), "{doubted:?}");
}

fn write(image: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(image).unwrap().write_all_at(bytes, at).unwrap();
}

fn read(image: &Path, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    File::open(image).unwrap().read_exact_at(&mut bytes, at).unwrap();
    bytes
}

/// Byte offset of block `index` of a directory.
fn block_at(image: &Path, directory: &str, index: u32) -> u64 {
    let said = String::from_utf8(debugfs(image, &format!("bmap {directory} {index}\n"))).unwrap();
    said.lines().last().unwrap().trim().parse::<u64>().unwrap() * header(image, "Block size:")
}

/// The names that both sides have in a directory.
fn assert_same_names(tree: &Path, out: &Path, directory: &str) {
    let names = |root: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(root.join(directory)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(out), names(tree), "{directory}");
}

/// The list of blocks kept for more descriptors leads into files: it is no file, and they are not doubted.
#[test]
fn the_room_for_descriptors_is_said_to_be_in_files() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, &["-t", "ext4", "-b", "1024", "-g", "2048", "-O", "metadata_csum,^64bit"]);
    // The block of pointers to blocks of pointers.
    let pointers = u32::from_le_bytes(read(&image, inode_at(&image, "<7>") + 0x28 + 13 * 4, 4).try_into().unwrap());
    assert!(pointers > 0);
    let files = (0..100).map(|i| first_block(&image, &format!("/deep/one/two/three/file{}", i * 4 + 1)) as u32);
    let list: Vec<u8> = files.flat_map(u32::to_le_bytes).collect();
    let free = header(&image, "Block count:") - 100;
    write(&image, free * 1024, &list);
    write(&image, u64::from(pointers) * 1024, &(free as u32).to_le_bytes());
    // Something to search for.
    zero(&image, inode_at(&image, "/many"), 256);
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "resize inode");
    assert_nobody_is_doubted(&out);
}

/// Without any header the tables end where the last inode is, whatever one damaged entry names.
#[test]
fn headers_are_gone_and_an_entry_names_an_inode_far_behind_the_last() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, &["-t", "ext4", "-b", "4096", "-g", "2048", "-O", "metadata_csum"]);
    let name = b"file42";
    let at = fs::read(&image).unwrap().windows(name.len()).position(|some| some == name).unwrap() as u64 - 8;
    write(&image, at + 1, &[0x40]);
    for at in superblocks(&image) {
        let start = if at == 1024 { 0 } else { at };
        zero(&image, start, 3 * 4096);
    }
    let out = copied(&scratch, &image);
    let is_whole = |i: u32| fs::read(out.join(format!("deep/one/two/three/file{}", i * 4 + 1))).is_ok();
    assert!((0..100).all(is_whole));
    assert_nobody_is_doubted(&out);
}

/// A right checksum proves a superblock, but not that all else was written with its UUID.
#[test]
fn superblocks_have_another_uuid_and_right_checksums() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(
        &scratch,
        &tree,
        &["-t", "ext4", "-b", "4096", "-g", "256", "-O", "metadata_csum,^metadata_csum_seed,^resize_inode"],
    );
    let other = scratch.copy_of(&image, "other");
    tool("tune2fs", &["-U", "12345678-1234-5678-1234-123456789abc", other.to_str().unwrap()]);
    for at in superblocks(&image) {
        write(&image, at, &read(&other, at, 1024));
    }
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "UUID");
    let trusts = trusts(&out);
    assert!(trusts.values().all(|trust| trust == "intact"), "{trusts:?}");
}

/// Small inodes keep half a checksum, which does not tell what checksums begin with: the blocks of directories do.
#[test]
fn headers_are_gone_of_a_volume_with_small_inodes() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image =
        volume(&scratch, &tree, &["-t", "ext4", "-b", "1024", "-I", "128", "-g", "2048", "-O", "metadata_csum"]);
    let directories = (0..17).filter(|i| i % 5 > 0).map(|i| format!("/wide/dir{i}"));
    for directory in directories.chain(["/many".to_owned(), "/deep/one/two/three".to_owned()]) {
        zero(&image, inode_at(&image, &directory), 128);
    }
    for at in superblocks(&image) {
        zero(&image, at, 2 * 1024);
    }
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "small inodes");
    assert!(trusts(&out).values().all(|trust| trust == "intact" || trust == "renamed"));
    let said = offmount(&["stat", image.to_str().unwrap(), "/wide/dir0/file34"]);
    assert!(said.text().contains("checksum: right"), "{}", said.text());
}

/// Most blocks of inode tables are garbage: the others still show where tables are, though no superblock does.
#[test]
fn headers_are_gone_and_most_of_the_inode_tables() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, &["-t", "ext4", "-b", "4096", "-g", "2048", "-O", "metadata_csum"]);
    let last = u64::from(number(&image, "/wide/dir16/file390"));
    let blocks: Vec<u64> = (17..last).step_by(16).map(|nr| inode_at(&image, &format!("<{nr}>")) / 4096).collect();
    let mut random = 1u32;
    let mut garbage = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 24) as u8
    };
    // Eight of each ten.
    let some = blocks.chunks(10).flat_map(|ten| ten.iter().take(8)).copied().collect::<BTreeSet<u64>>();
    let path = |i: u32| match i % 4 {
        0 => format!("many/a name that is rather long, number {i:04}"),
        1 => format!("deep/one/two/three/file{i}"),
        _ => format!("wide/dir{}/file{i}", i % 17),
    };
    let is_left = |path: &String| !some.contains(&(inode_at(&image, &format!("\"/{path}\"")) / 4096));
    let left: Vec<String> = (0..400).step_by(7).map(path).filter(is_left).collect();
    assert!(left.len() > 4);
    for block in &some {
        write(&image, block * 4096, &std::iter::repeat_with(&mut garbage).take(4096).collect::<Vec<u8>>());
    }
    for at in superblocks(&image) {
        zero(&image, if at == 1024 { 0 } else { at }, 2 * 4096);
    }
    let out = copied(&scratch, &image);
    for path in left {
        assert!(fs::read(out.join(&path)).ok() == fs::read(tree.join(&path)).ok(), "{path}");
    }
}

/// The journal has many copies of the inode tables' blocks: of all places that a number seems to have one is right.
#[test]
fn headers_are_gone_of_a_volume_with_a_full_journal() {
    let scratch = Scratch::new();
    let (tree, image) = (scratch.dir("tree"), scratch.sparse("image", 32 << 20));
    let path = image.to_str().unwrap();
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "4096", "-g", "2048", "-N", "2000", path]);
    for round in 0..12 {
        let mount = Mounted::writable(&image, "");
        for i in 0..40 {
            for root in [mount.path(), &tree] {
                let path = root.join(format!("dir{round}/dir{}/file{i}", i % 4));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, format!("file {i} of round {round}")).unwrap();
            }
        }
    }
    for at in superblocks(&image) {
        zero(&image, if at == 1024 { 0 } else { at }, 2 * 4096);
    }
    // Superblocks in the journal.
    let bytes = fs::read(&image).unwrap();
    for (at, _) in bytes.chunks(512).enumerate().filter(|(_, sector)| sector[0x38..0x3A] == [0x53, 0xEF]) {
        zero(&image, at as u64 * 512, 1024);
    }
    assert_all_there(&tree, &copied(&scratch, &image), "full journal");
}

/// All copies of a descriptor agree on a place where there is nothing: a checksum bears out none of them, and the rules of
/// layout lead to the table.
#[test]
fn all_copies_of_a_descriptor_name_an_empty_place() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, KIND);
    let empty = header(&image, "Block count:") - 200;
    for at in superblocks(&image) {
        // bg_inode_table of the third group.
        write(&image, at + 1024 + 2 * 64 + 8, &(empty as u32).to_le_bytes());
    }
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "descriptors");
}

/// All copies of a descriptor agree on a place that reaches over the table of the next group, or where there is nothing. No
/// directory is in the table that would say where it is, and no checksum of a record; that of the descriptor objects, where
/// it has one.
#[test]
fn all_copies_of_a_descriptor_name_a_place_that_nothing_bears_out() {
    let scratch = Scratch::new();
    let tree = scratch.dir("tree");
    for i in 0..800 {
        fs::write(tree.join(format!("file{i}")), format!("contents of file {i}\n")).unwrap();
    }
    for features in ["^metadata_csum,^64bit,uninit_bg", "^metadata_csum,^64bit,^uninit_bg"] {
        for place in [|table: u32| table + 8, |_| 2048 * 9] {
            let image = volume(&scratch, &tree, &["-t", "ext4", "-b", "1024", "-g", "2048", "-O", features]);
            for at in superblocks(&image) {
                // bg_inode_table of the fourth group.
                let at = at + 1024 + 3 * 32 + 8;
                let table = u32::from_le_bytes(read(&image, at, 4).try_into().unwrap());
                write(&image, at, &place(table).to_le_bytes());
            }
            let out = copied(&scratch, &image);
            assert_all_there(&tree, &out, features);
            assert_nobody_is_doubted(&out);
        }
    }
}

/// Two blocks of directories have changed places: each is listed where its checksum says, not where it lies. So it is where
/// the superblock denies that there are checksums, and its copies do not.
#[test]
fn blocks_of_directories_have_changed_places() {
    for denied in [false, true] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = volume(&scratch, &tree, KIND);
        for (one, two) in [((1, "/many"), (0, "/wide/dir3")), ((2, "/many"), (1, "/deep/one/two/three"))] {
            let (one, two) = (block_at(&image, one.1, one.0), block_at(&image, two.1, two.0));
            let (first, second) = (read(&image, one, 1024), read(&image, two, 1024));
            write(&image, two, &first);
            write(&image, one, &second);
        }
        if denied {
            let features = read(&image, 1024 + 0x64, 4);
            write(&image, 1024 + 0x65, &[features[1] & !4]);
        }
        let out = copied(&scratch, &image);
        assert_all_there(&tree, &out, &format!("denied: {denied}"));
        assert!(!out.join("#lost").exists(), "denied: {denied}");
        for directory in ["many", "wide/dir3", "deep/one/two/three"] {
            assert_same_names(&tree, &out, directory);
        }
    }
}

/// A block of one directory was written over another's: its names are listed once, where they belong.
#[test]
fn a_block_of_a_directory_lies_over_another_s() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, KIND);
    let block = read(&image, block_at(&image, "/many", 1), 1024);
    write(&image, block_at(&image, "/wide/dir3", 0), &block);
    let out = copied(&scratch, &image);
    assert_same_names(&tree, &out, "many");
    let of_many = |root: &Path| fs::read_dir(root).unwrap().any(|it| it.unwrap().file_name().len() > 20);
    assert!(!of_many(&out.join("wide/dir3")));
}

/// Nodes of extent trees have changed places: each says whose it is, and maps that file's blocks, wherever it lies.
#[test]
fn nodes_of_extent_trees_have_changed_places() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    for name in ["one", "other"] {
        let file = File::create(tree.join(name)).unwrap();
        (0..40).for_each(|i| file.write_all_at(format!("part {i} of {name}").as_bytes(), i * 8192).unwrap());
    }
    let image = volume(&scratch, &tree, KIND);
    // The root of each tree has one entry.
    let node = |name: &str| {
        let root = read(&image, inode_at(&image, name) + 0x28, 24);
        assert_eq!((root[2], root[6]), (1, 1), "{name}");
        u64::from(u32::from_le_bytes(root[16..20].try_into().unwrap())) * 1024
    };
    let (one, other) = (node("/one"), node("/other"));
    let (first, second) = (read(&image, one, 1024), read(&image, other, 1024));
    write(&image, one, &second);
    write(&image, other, &first);
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "nodes");
    assert_nobody_is_doubted(&out);
}

/// All superblocks count fewer groups than there are, and their checksums are right.
#[test]
fn superblocks_count_too_few_groups() {
    for kind in [KIND, &["-t", "ext2", "-b", "1024", "-g", "2048", "-I", "256"]] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = volume(&scratch, &tree, &[kind, &["-N", "450"]].concat());
        let per_group = header(&image, "Inodes per group:");
        let counted = u64::from(number(&image, "/wide/dir16/file390") - 1) / per_group;
        let commands = scratch.join("commands");
        fs::write(
            &commands,
            format!("ssv inodes_count {}\nssv blocks_count {}\n", counted * per_group, counted * 2048 + 1),
        )
        .unwrap();
        tool("debugfs", &["-w", "-f", commands.to_str().unwrap(), image.to_str().unwrap()]);
        assert_eq!(header(&image, "Block count:"), counted * 2048 + 1);
        let out = copied(&scratch, &image);
        assert_all_there(&tree, &out, "too few groups");
        assert_nobody_is_doubted(&out);
    }
}

/// A filesystem was made smaller: what it left behind its end is none of its any more.
#[test]
fn a_filesystem_was_made_smaller() {
    let scratch = Scratch::new();
    let tree = scratch.dir("tree");
    let image =
        filled(&scratch, &tree, 48 << 20, &["-t", "ext4", "-b", "1024", "-g", "2048", "-N", "3000", "-J", "size=1"]);
    let path = image.to_str().unwrap();
    let before = fs::read(&image).unwrap();
    tool("e2fsck", &["-fy", path]);
    tool("resize2fs", &[path, "24M"]);
    let len = header(&image, "Block count:") * 1024;
    assert!(len < before.len() as u64);
    write(&image, len, &before[len as usize..]);
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "smaller");
    assert!(!out.join("#lost").exists());
    assert!(trusts(&out).values().all(|trust| trust == "intact"));
}

/// One bit flipped in an entry's number, in a name, in an extent of an inode and in a node of an extent tree: each leads to
/// something else, or nowhere, and the checksums tell which bit it was.
#[test]
fn one_bit_flipped_in_each_of_some_structures() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    // Every second block of it is a hole: its map needs a node of its own.
    let sparse = File::create(tree.join("sparse")).unwrap();
    for block in 0..40u64 {
        sparse.write_all_at(&[block as u8 + 1; 1024], block * 2048).unwrap();
    }
    let image = volume(&scratch, &tree, KIND);
    let flip = |at: u64, bit: u8| write(&image, at, &[read(&image, at, 1)[0] ^ bit]);
    let block = read(&image, block_at(&image, "/wide/dir3", 0), 1024);
    let entry = block.windows(4).position(|some| some == b"file").unwrap() as u64 - 8;
    flip(block_at(&image, "/wide/dir3", 0) + entry, 4);
    let many = read(&image, block_at(&image, "/many", 1), 1024);
    let name = many.windows(6).position(|some| some == b"a name").unwrap() as u64;
    flip(block_at(&image, "/many", 1) + name + 2, 1);
    // ee_start_lo of the first extent in the inode.
    flip(inode_at(&image, "/deep/one/two/three/file5") + 0x28 + 12 + 8, 2);
    let index = read(&image, inode_at(&image, "/sparse") + 0x28, 60);
    assert_eq!(index[6], 1, "a tree of one level");
    let node = u64::from(u32::from_le_bytes(index[16..20].try_into().unwrap())) * 1024;
    flip(node + 12 + 8, 8);
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "flipped bits");
    assert_nobody_is_doubted(&out);
    let trusts = trusts(&out);
    for path in ["deep/one/two/three/file5", "sparse"] {
        assert_eq!(trusts[path], "unproven", "{path}");
    }
}
