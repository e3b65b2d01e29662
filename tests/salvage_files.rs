//! Files of damaged ext volumes whose own inode or map is ruined: what is left of them comes out, and says how far it can
//! be trusted.

mod common;
mod salvaging;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use offmount::fs::{Members, OpenOptions, ext};
use offmount::progress::Silent;
use offmount::source::FileSource;

use common::{Scratch, debugfs, offmount, tool, untouched};
use salvaging::{assert_all_there, copied, first_block, inode_at, ruin, tree, trusts, volume, zero};

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

/// Where size and number of blocks agree, an extent that is longer than both claims nothing for it, and of two such that
/// lead into the same files either is doubtful alone.
#[test]
fn extents_too_long_make_nobody_else_doubtful() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, &["-t", "ext4", "-b", "1024", "-g", "8192", "-O", "^metadata_csum"]);
    for (name, blocks) in [("file1", 129u16), ("file5", 513)] {
        // The length of the first extent.
        ruin(&image, &format!("/deep/one/two/three/{name}"), 0x28 + 12 + 4, &blocks.to_le_bytes());
    }
    let trusts = trusts(&copied(&scratch, &image));
    let mut doubted: Vec<&str> =
        trusts.iter().filter(|(_, trust)| *trust == "doubtful").map(|(path, _)| path.as_str()).collect();
    doubted.sort_unstable();
    assert_eq!(doubted, ["deep/one/two/three/file1", "deep/one/two/three/file5"]);
    assert!(trusts.len() > 20);
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

/// Zeros where pointers were: what they led to is lost, unless the inode counts no more than is left.
#[test]
fn a_block_of_pointers_is_zeroed() {
    for (blocks, trust) in [(None, "partial"), (Some(26), "intact")] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        fs::write(tree.join("one"), vec![b'1'; 40 << 10]).unwrap();
        let image = volume(&scratch, &tree, &["-t", "ext2", "-b", "1024"]);
        let said = String::from_utf8(debugfs(&image, "stat /one\n")).unwrap();
        let (_, pointers) = said.split_once("(IND):").unwrap();
        let pointers: String = pointers.chars().take_while(char::is_ascii_digit).collect();
        zero(&image, pointers.parse::<u64>().unwrap() * 1024, 1024);
        if let Some(blocks) = blocks {
            debugfs(&image, &format!("set_inode_field /one blocks {blocks}\n"));
        }
        let out = copied(&scratch, &image);
        let expected = [vec![b'1'; 12 << 10], vec![0; 28 << 10]].concat();
        assert!(fs::read(out.join("one")).unwrap() == expected);
        assert_eq!(trusts(&out)["one"], trust, "{blocks:?}");
    }
}

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
    let source = Arc::new(FileSource::open(&image).unwrap());
    let fs = (ext::DRIVER.open)(&Members::one(source), &OpenOptions::default(), &Silent).unwrap().unwrap();
    let root = fs.node(fs.root()).unwrap().unwrap();
    let file = fs.lookup(&root, b"file7").unwrap().unwrap();
    let mapping = fs.mapping(&fs.node(file.id).unwrap().unwrap()).unwrap();
    let mapped: u64 = mapping.extents.iter().map(|extent| extent.len).sum();
    assert!(mapped <= fs::metadata(&image).unwrap().len(), "{mapped} bytes are mapped");
    let trusts = trusts(&copied(&scratch, &image));
    for i in 0..100 {
        assert!(["partial", "doubtful"].contains(&&*trusts[&format!("file{i}")]), "file{i}");
    }
}

/// Sizes that lie on a volume without checksums: the blocks that are mapped, and the zeros behind the end, tell better.
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

/// A file that counts blocks and maps none is no hole.
#[test]
fn the_map_of_a_file_is_blank() {
    for kind in [&["-t", "ext2", "-b", "1024"][..], &["-t", "ext3", "-b", "1024", "-O", "metadata_csum"]] {
        let scratch = Scratch::new();
        let image = two_files(&scratch, kind, |_| String::new());
        zero(&image, inode_at(&image, "/one") + 0x28, 60);
        let trusts = trusts(&copied(&scratch, &image));
        assert_eq!([&trusts["one"], &trusts["other"]], ["doubtful", "intact"], "{kind:?}");
    }
}

/// With checksums there is one size that makes an inode's right: of a file that ends in zeros, too.
#[test]
fn the_checksum_shows_the_size_of_a_file() {
    let whole = [5, 2000, 8999, 70000, 4_000_000_000u64].map(|size| ("256", size));
    // Small inodes keep half a checksum, which shows a bit that flipped.
    let half = [3, 12, 13, 30].map(|bit| ("128", 9000 ^ 1 << bit));
    for (len, size) in whole.into_iter().chain(half) {
        let scratch = Scratch::new();
        let image =
            two_files(&scratch, &["-t", "ext4", "-b", "1024", "-I", len, "-O", "metadata_csum"], |_| String::new());
        let at = inode_at(&image, "/one");
        let block = first_block(&image, "/one") * 1024 + 8990;
        zero(&image, block, 10);
        File::options().write(true).open(&image).unwrap().write_all_at(&size.to_le_bytes()[..4], at + 4).unwrap();
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

/// `rm -r` of directories, large ones among them: all that was in them is below them again.
#[test]
fn a_deleted_tree_comes_back_under_its_paths() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    fs::write(tree.join("deep/one/empty"), "").unwrap();
    for kind in [&["-t", "ext4"][..], &["-t", "ext4", "-O", "^metadata_csum"], &["-t", "ext3", "-b", "1024"]] {
        let image = scratch.sparse("image", 64 << 20);
        tool("mke2fs", &[&["-q", "-F"], kind, &[image.to_str().unwrap()]].concat());
        {
            let mount = common::Mounted::writable(&image, "");
            fs::create_dir(mount.join("srv")).unwrap();
            tool("cp", &["-a", tree.to_str().unwrap(), mount.join("srv/www").to_str().unwrap()]);
            tool("sync", &["-f", mount.path().to_str().unwrap()]);
            fs::remove_dir_all(mount.join("srv/www")).unwrap();
        }
        let out = scratch.join("out");
        let _ = fs::remove_dir_all(&out);
        let args = ["copy", image.to_str().unwrap(), "--to", out.to_str().unwrap(), "--quiet", "--deleted"];
        let _ = untouched(&image, |_| offmount(&args));
        assert_all_there(&tree, &out.join("#deleted/srv/www"), &kind.join(" "));
        assert_eq!(fs::read_dir(out.join("#deleted")).unwrap().count(), 1, "{kind:?}");
        assert_eq!(fs::read_dir(out.join("srv")).unwrap().count(), 0, "{kind:?}");
    }
}

/// Contents go on behind the end that a size says: writers leave zeros there.
#[test]
fn a_size_ends_a_file_in_the_middle_of_its_last_block() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    let image = volume(&scratch, &tree, &["-t", "ext2", "-b", "1024"]);
    ruin(&image, "/deep/one/two/three/file1", 4, &10u32.to_le_bytes());
    // Something to search for.
    zero(&image, inode_at(&image, "/many"), 128);
    let trusts = trusts(&copied(&scratch, &image));
    let doubted: Vec<&String> = trusts.iter().filter(|(_, trust)| *trust == "doubtful").map(|(path, _)| path).collect();
    assert_eq!(doubted, ["deep/one/two/three/file1"]);
}

/// The maps of a directory and a file have changed places: the file is no file, the directory's names are its.
#[test]
fn a_file_leads_to_a_directory_s_blocks() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    fs::write(tree.join("one"), vec![b'1'; 7000]).unwrap();
    let image = volume(&scratch, &tree, &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"]);
    let bytes = fs::read(&image).unwrap();
    let [one, many] = ["/one", "/many"].map(|name| bytes[inode_at(&image, name) as usize + 0x28..][..60].to_vec());
    ruin(&image, "/one", 0x28, &many);
    ruin(&image, "/many", 0x28, &one);
    let out = copied(&scratch, &image);
    fs::remove_file(tree.join("one")).unwrap();
    assert_all_there(&tree, &out, "maps");
    assert_eq!(trusts(&out)["one"], "doubtful");
}

/// One extent of several is for another part of the file than it says: the others leave room for it alone, or for more.
#[test]
fn an_extent_is_out_of_order() {
    let extents: [(&[(u32, u16)], bool); 3] = [
        (&[(0, 3), (0x1003, 3), (6, 3)], true),
        (&[(0, 2), (0x402, 2), (4, 2), (6, 3)], true),
        (&[(0, 2), (0x402, 1), (4, 2), (6, 3)], false),
    ];
    for (extents, is_whole) in extents {
        let scratch = Scratch::new();
        let image = two_files(&scratch, &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"], |_| String::new());
        let mut root = [0xF30A, extents.len() as u16, 4, 0, 0, 0].map(u16::to_le_bytes).concat();
        let mut at = first_block(&image, "/one") as u32;
        for (logical, len) in extents {
            root.extend([logical.to_le_bytes(), u32::from(*len).to_le_bytes(), at.to_le_bytes()].concat());
            at += u32::from(*len);
        }
        ruin(&image, "/one", 0x28, &root);
        let out = copied(&scratch, &image);
        assert_eq!(fs::read(out.join("one")).unwrap() == vec![b'1'; 9000], is_whole, "{extents:?}");
        assert_eq!(trusts(&out)["one"], "doubtful");
    }
}

/// The blocks of pointers of a directory and a file have changed places: names behind the first ones are found all the
/// same.
#[test]
fn a_file_leads_to_most_of_a_directory_s_blocks() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    for i in 0..400 {
        let name = format!("large/another name that is so long that it takes room, number {i:04}");
        fs::create_dir_all(tree.join("large")).unwrap();
        fs::write(tree.join(name), format!("contents of large file {i}")).unwrap();
    }
    fs::write(tree.join("one"), vec![b'1'; 40_000]).unwrap();
    let image = volume(&scratch, &tree, &["-t", "ext2", "-b", "1024", "-N", "2000"]);
    let bytes = fs::read(&image).unwrap();
    let pointers = |name: &str| bytes[inode_at(&image, name) as usize + 0x28 + 12 * 4..][..4].to_vec();
    let (one, large) = (pointers("/one"), pointers("/large"));
    ruin(&image, "/one", 0x28 + 12 * 4, &large);
    ruin(&image, "/large", 0x28 + 12 * 4, &one);
    let out = copied(&scratch, &image);
    fs::remove_file(tree.join("one")).unwrap();
    assert_all_there(&tree, &out, "pointers");
    assert_eq!(trusts(&out)["one"], "doubtful");
}
