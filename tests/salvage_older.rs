//! Volumes over which another filesystem was made: the older one's files come out.

mod common;
mod salvaging;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use common::{Scratch, tool, tool_fed};
use salvaging::{assert_all_there, contents, copied, filled, left, tree, trusts, volume};

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

/// Without checksums, tables that hold no directory's inode do not tell whose they are. The empty filesystem holds no files,
/// so the older one is the disk's root.
#[test]
fn an_empty_filesystem_gives_way_to_the_one_that_it_was_made_over() {
    let scratch = Scratch::new();
    let tree = scratch.dir("tree");
    for i in 0..1500 {
        let path = tree.join(format!("dir{}/file{i}", i % 3));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("contents of file {i}\n").repeat(1 + i % 90)).unwrap();
    }
    let image = scratch.sparse("image", 320 << 20);
    let (folder, path) = (tree.to_str().unwrap(), image.to_str().unwrap());
    let features = "none,extent,flex_bg,uninit_bg,filetype,sparse_super,resize_inode";
    tool("mke2fs", &["-q", "-F", "-b", "4096", "-g", "8192", "-N", "1700", "-O", features, "-d", folder, path]);
    tool("mkfs.fat", &[path]);
    let out = copied(&scratch, &image);
    assert_all_there(&tree, &out, "below a FAT");
}

/// Without checksums and superblocks, and with most tables gone, the places of those left tell how many inodes each has.
#[test]
fn a_newer_filesystem_has_its_tables_where_most_of_the_older_s_were() {
    let scratch = Scratch::new();
    let tree = scratch.dir("tree");
    let older = filled(
        &scratch,
        &tree,
        128 << 20,
        &["-t", "ext2", "-b", "1024", "-I", "128", "-N", "2400", "-O", "^resize_inode"],
    );
    let image = scratch.copy_of(&older, "image");
    tool("mke2fs", &["-q", "-F", "-t", "ext2", "-b", "1024", "-I", "256", "-E", "nodiscard", image.to_str().unwrap()]);
    let left = left(&older, &tree, &fs::read(&image).unwrap());
    assert!(left.len() > 20, "{} of the files are not written over", left.len());
    let out = copied(&scratch, &image);
    let mut found = BTreeMap::new();
    contents(&out, &mut found);
    for path in &left {
        assert!(found.contains_key(&fs::read(tree.join(path)).unwrap()), "{} is lost", path.display());
    }
}

/// A server was installed anew from a smaller image: all that lies behind it is still there, and the newer one's files, too.
#[test]
fn a_smaller_filesystem_with_files_was_written_over_the_head() {
    const LEN: u64 = 96 << 20;
    const NEWER: u64 = 16 << 20;
    const START: u64 = 1 << 20;
    for (kind, in_partition) in [("ext4", false), ("ext3", false), ("ext4", true)] {
        let scratch = Scratch::new();
        let (tree, news) = (scratch.dir("tree"), scratch.dir("news"));
        for i in 0..6 {
            fs::write(news.join(format!("news{i}")), format!("{i} of the newer\n").repeat(2000)).unwrap();
        }
        let args = ["-t", kind, "-b", "1024", "-O", "^flex_bg"];
        let older = filled(&scratch, &tree, LEN, &args);
        let newer = scratch.sparse("newer", NEWER);
        let folder = ["-q", "-F", "-d", news.to_str().unwrap(), newer.to_str().unwrap()];
        tool("mke2fs", &[&args[..], &folder].concat());
        let start = if in_partition { START } else { 0 };
        let image = scratch.sparse("image", START + LEN);
        let file = File::options().write(true).open(&image).unwrap();
        file.write_all_at(&fs::read(&older).unwrap(), start).unwrap();
        file.write_all_at(&fs::read(&newer).unwrap(), start).unwrap();
        let left = left(&older, &tree, &fs::read(&image).unwrap()[start as usize..]);
        assert!(left.len() > 20, "{} of the older one's files are not written over", left.len());
        if in_partition {
            let table = format!("label: dos\nstart={}, size={}, type=83\n", START / 512, NEWER / 512);
            tool_fed("sfdisk", &["-q", image.to_str().unwrap()], table.as_bytes());
        }
        let out = copied(&scratch, &image);
        let what = format!("{kind}, in a partition: {in_partition}");
        let mut found = BTreeMap::new();
        contents(&out, &mut found);
        for path in &left {
            let copy = found.get(&fs::read(tree.join(path)).unwrap());
            let copy = copy.unwrap_or_else(|| panic!("{what}: {} is lost", path.display()));
            assert!(copy.ends_with(path) || copy.to_str().unwrap().contains("#lost"), "{what}: {}", copy.display());
        }
        let (mut truth, trusts) = (BTreeMap::new(), trusts(&out));
        contents(&tree, &mut truth);
        contents(&news, &mut truth);
        for (contents, path) in &found {
            let trust = trusts.get(path.strip_prefix(&out).unwrap().to_str().unwrap()).map(String::as_str);
            let is_marked = trust.is_none_or(|trust| trust == "partial" || trust == "doubtful");
            assert!(is_marked || truth.contains_key(contents), "{what}: {} is {trust:?}", path.display());
        }
        let news_there =
            fs::read_dir(&news).unwrap().all(|it| found.contains_key(&fs::read(it.unwrap().path()).unwrap()));
        assert!(news_there, "{what}: the newer one's files");
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
    // The newer one holds no files, so the older one is the disk's root.
    assert_eq!(found.get("large").map(String::as_str), Some("partial"), "{found:?}");
    let copy = fs::read(out.join("large")).unwrap();
    assert_eq!(copy.len(), large.len());
    let differs = copy.chunks(512).zip(large.chunks(512)).filter(|(one, other)| one != other);
    assert!(differs.clone().count() > 0 && differs.clone().all(|(copy, _)| copy.iter().all(|&byte| byte == 0)));
}
