//! Healthy ext volumes, of every kind that mke2fs makes and as a kernel leaves them after heavy use: nothing above a note
//! is found, and e2fsck finds nothing either.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, chown, symlink};
use std::path::{Path, PathBuf};

use common::{Mounted, Scratch, offmount, run, skipped, system, tool, untouched};
use rustix::fs::{FallocateFlags, XattrFlags, fallocate, lsetxattr};

/// Options of mke2fs: block sizes, sizes of inodes, groups and clusters, and the features, alone and together.
const VARIANTS: &[&str] = &[
    "-t ext2 -b 1024 -I 128",
    "-t ext2 -b 2048 -O ^resize_inode",
    "-t ext2 -b 4096 -O ^dir_index,^ext_attr",
    "-t ext2 -b 1024 -r 0",
    "-t ext3 -b 2048",
    "-t ext3 -b 4096 -J size=4",
    "-t ext4 -b 1024 -I 256",
    "-t ext4 -b 1024 -I 512",
    "-t ext4 -b 4096 -I 1024",
    "-t ext4 -b 4096 -I 4096 -N 512",
    "-t ext4 -b 8192",
    "-t ext4 -b 65536 -O ^has_journal",
    "-t ext4 -b 1024 -O ^metadata_csum,^extent,^64bit,^huge_file",
    "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^flex_bg",
    "-t ext4 -b 1024 -O ^extra_isize,^dir_nlink,^large_file",
    "-t ext4 -b 1024 -O metadata_csum_seed,project,quota",
    "-t ext4 -b 1024 -O sparse_super2,^resize_inode -E num_backup_sb=1",
    "-t ext4 -b 1024 -O sparse_super2 -E num_backup_sb=0",
    "-t ext4 -b 1024 -O stable_inodes,encrypt,verity",
    "-t ext4 -b 4096 -O casefold,encrypt -E encoding=utf8-12.1",
    "-t ext4 -b 1024 -O casefold -E encoding=utf8,encoding_flags=strict",
    "-t ext4 -b 1024 -O inline_data,large_dir,ea_inode -I 512",
    "-t ext4 -b 1024 -O inline_data,^metadata_csum,encrypt",
    "-t ext4 -b 1024 -O bigalloc -C 8192",
    "-t ext4 -b 4096 -O bigalloc,quota,project -C 65536",
    "-t ext4 -b 1024 -O bigalloc,inline_data,^has_journal -C 2048",
    "-t ext4 -b 1024 -O orphan_file,metadata_csum",
    "-t ext4 -b 1024 -O orphan_file,^metadata_csum",
    "-t ext4 -b 1024 -O fast_commit",
    "-t ext4 -b 1024 -O mmp,64bit -E mmp_update_interval=5",
    "-t ext4 -b 1024 -g 1024 -G 4",
    "-t ext4 -b 1024 -g 2048 -G 64",
    "-t ext4 -b 1024 -O meta_bg,^resize_inode -g 512",
    "-t ext4 -b 1024 -O meta_bg,^resize_inode,bigalloc -C 4096",
    "-t ext4 -b 1024 -O ^flex_bg -g 1024",
    "-t ext4 -b 1024 -E packed_meta_blocks=1",
    "-t ext4 -b 1024 -E lazy_itable_init=1,lazy_journal_init=1",
    "-t ext4 -b 1024 -E lazy_itable_init=0,root_owner=5:6",
    "-t ext4 -b 1024 -E resize=65536",
    "-t ext4 -b 1024 -E hash_seed=6f66666d-6f75-6e74-2074-657374730002 -O ^filetype",
    "-t ext4 -b 1024 -E test_fs",
    "-t ext4 -b 1024 -m 0 -e panic",
];

/// Files of every kind, to be put into a volume by mke2fs.
fn content(scratch: &Scratch) -> PathBuf {
    let top = scratch.dir("content");
    fs::create_dir_all(top.join("d/sub/deep")).expect("directories");
    fs::create_dir(top.join("many")).expect("a directory");
    for i in 0..120 {
        fs::write(top.join(format!("many/{}{i:03}", "name".repeat(8))), vec![b'x'; i % 3 * 40]).expect("a file");
    }
    for (name, len) in [("tiny", 20), ("small", 100), ("large", 300_000)] {
        fs::write(top.join(name), (0..len).map(|i: u32| (i % 251) as u8).collect::<Vec<_>>()).expect("a file");
    }
    let holes = File::create(top.join("holes")).expect("a file");
    (0..12).for_each(|i| holes.write_all_at(&[b'y'; 1024], i * 8192).expect("a part of a file"));
    symlink("small", top.join("fast")).expect("a link");
    symlink("x".repeat(200), top.join("slow")).expect("a link");
    fs::hard_link(top.join("small"), top.join("hard")).expect("a link");
    top
}

/// What is found, and what e2fsck says, where that is not as it should be; `None` where all is well.
fn unwell(image: &Path) -> Option<String> {
    let ran = untouched(image, |image| offmount(&["check".as_ref(), "--json".as_ref(), image.as_os_str()]));
    let is_note = |line: &&str| line.contains("\"severity\":\"note\"");
    let found: Vec<&str> = ran.lines().into_iter().filter(|line| line.contains("\"severity\"")).collect();
    let bad: Vec<&str> = found.into_iter().filter(|line| line.contains("\"code\":\"ext-") && !is_note(line)).collect();
    let theirs = run(system("e2fsck").arg("-fn").arg(image), b"");
    (ran.code != 0 || !bad.is_empty() || theirs.code != 0)
        .then(|| format!("exit {}, {bad:?}; e2fsck exits with {}: {theirs:?}", ran.code, theirs.code))
}

#[test]
fn whatever_mke2fs_makes_is_healthy() {
    let scratch = Scratch::new();
    let (content, mut wrong) = (content(&scratch), Vec::new());
    for (i, mkfs) in VARIANTS.iter().enumerate() {
        let image = scratch.sparse(&format!("image-{i}"), 24 << 20);
        let mut args = vec!["-q", "-F", "-d", content.to_str().expect("a path in UTF-8")];
        args.extend(mkfs.split(' '));
        args.push(image.to_str().expect("a path in UTF-8"));
        tool("mke2fs", &args);
        // With files put in, mke2fs leaves quotas as they were before.
        let ran = run(system("e2fsck").arg("-fy").arg(&image), b"");
        assert!(ran.code <= 1, "mke2fs {mkfs}: {ran:?}");
        wrong.extend(unwell(&image).map(|why| format!("mke2fs {mkfs}: {why}")));
        fs::remove_file(image).expect("the image is ours");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Options of mke2fs, and of mount, for volumes that a kernel writes to.
const MOUNTED: &[(&str, &str)] = &[
    ("-t ext4 -b 1024", ""),
    ("-t ext4 -b 4096", "noatime,data=journal"),
    ("-t ext4 -b 4096 -O inline_data,ea_inode", ""),
    ("-t ext4 -b 1024 -O inline_data,metadata_csum_seed,large_dir", "nodelalloc"),
    ("-t ext4 -b 4096 -O bigalloc -C 16384", ""),
    ("-t ext4 -b 1024 -O orphan_file,metadata_csum_seed,large_dir", ""),
    ("-t ext4 -b 4096 -O fast_commit", ""),
    ("-t ext3 -b 1024", ""),
    ("-t ext2 -b 1024", ""),
];

#[test]
fn what_a_kernel_leaves_after_heavy_use_is_healthy() {
    if !common::is_root() {
        return skipped("mounting takes root");
    }
    let scratch = Scratch::new();
    let mut wrong = Vec::new();
    for (i, (mkfs, options)) in MOUNTED.iter().enumerate() {
        let image = scratch.sparse(&format!("image-{i}"), 64 << 20);
        let mut args = vec!["-q", "-F", "-N", "6000"];
        args.extend(mkfs.split(' '));
        args.push(image.to_str().expect("a path in UTF-8"));
        tool("mke2fs", &args);
        // Twice: what was deleted the first time is used again the second time.
        for round in 0..2 {
            let mounted = Mounted::writable(&image, options);
            use_heavily(mounted.path(), round, !mkfs.contains("ext2") && !mkfs.contains("ext3"));
            drop(mounted);
            wrong.extend(unwell(&image).map(|why| format!("mke2fs {mkfs}, round {round}: {why}")));
        }
        fs::remove_file(image).expect("the image is ours");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Creates, renames, links, cuts, punches, and deletes most of it again. `extents`: space can be allocated ahead.
fn use_heavily(top: &Path, round: u32, extents: bool) {
    let dir = top.join(format!("round-{round}"));
    fs::create_dir(&dir).expect("a directory");
    big_directory(&dir.join("big"));
    tree(&dir.join("tree"));
    contents(&dir, extents);
    attributes(&dir);
    // Open and already without a name when the volume is unmounted soon after: closed at the end of this function.
    let nameless = File::create(dir.join("nameless")).expect("a file");
    fs::remove_file(dir.join("nameless")).expect("a file");
    nameless.write_all_at(&[1; 5000], 0).expect("a file without a name");
    if round == 1 {
        fs::remove_dir_all(top.join("round-0/big")).expect("a directory");
    }
}

/// A directory of two levels of hashes, most of whose names are gone again.
fn big_directory(dir: &Path) {
    fs::create_dir(dir).expect("a directory");
    let name = |i: u32| dir.join(format!("{i:04}-{}", "n".repeat(80)));
    (0..1500).for_each(|i| drop(File::create(name(i)).expect("a file")));
    (0..1500).filter(|i| i % 3 != 0).for_each(|i| fs::remove_file(name(i)).expect("a file"));
    (0..100).map(|i| i * 3).for_each(|i| fs::rename(name(i), dir.join(format!("new-{i}"))).expect("a file"));
}

/// Directories that move, links of both kinds, and other owners.
fn tree(dir: &Path) {
    fs::create_dir(dir).expect("a directory");
    for i in 0..40u32 {
        let sub = dir.join(format!("sub-{i}"));
        fs::create_dir(&sub).expect("a directory");
        let file = sub.join("file");
        fs::write(&file, format!("file {i}").repeat(i as usize * 20)).expect("a file");
        chown(&file, Some(1000 + i % 5), Some(2000 + i % 3)).expect("another owner");
        (0..i % 7).for_each(|n| fs::hard_link(&file, dir.join(format!("hard-{i}-{n}"))).expect("a link"));
        symlink("l".repeat(1 + i as usize * 9), sub.join("link")).expect("a link");
    }
    (0..20).for_each(|i| {
        let (from, to) = (dir.join(format!("sub-{i}")), dir.join(format!("sub-{}/moved", i + 20)));
        fs::rename(from, to).expect("a directory");
    });
    (20..30).for_each(|i| fs::remove_dir_all(dir.join(format!("sub-{i}"))).expect("a directory"));
    (0..6).for_each(|i| {
        let (one, other) = (dir.join(format!("hard-6-{i}")), dir.join(format!("hard-13-{i}")));
        fs::rename(one, other).expect("a file over another");
    });
}

/// Files with holes, cut, punched, and with space allocated ahead.
fn contents(dir: &Path, extents: bool) {
    let file = |name: &str| File::create(dir.join(name)).expect("a file");
    let holes = file("holes");
    (0..300).for_each(|i| holes.write_all_at(&[b'h'; 700], i * 9000).expect("a part of a file"));
    holes.set_len(1_000_001).expect("a shorter file");
    let long = file("long");
    (0..40).for_each(|i| long.write_all_at(&[b'l'; 65536], i << 16).expect("a part of a file"));
    if extents {
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        (0..100).for_each(|i| fallocate(&long, punch, i * 25_000 + 100, 9_000).expect("a hole"));
        fallocate(file("ahead"), FallocateFlags::empty(), 0, 3 << 20).expect("space");
        let behind = file("behind");
        fallocate(&behind, FallocateFlags::KEEP_SIZE, 0, 1 << 20).expect("space behind the end");
        behind.write_all_at(b"short", 0).expect("a file");
    }
    let cut = file("cut");
    cut.write_all_at(&[b'c'; 400_000], 0).expect("a file");
    cut.set_len(10).expect("a shorter file");
    cut.set_len(200_000).expect("a longer file");
}

/// Attributes in the inode, in a block, shared and changed.
fn attributes(dir: &Path) {
    let set = |path: &Path, name: &str, len: usize| {
        lsetxattr(path, name, &vec![b'v'; len], XattrFlags::empty()).unwrap_or_else(|e| panic!("{name}: {e}"));
    };
    for i in 0..30 {
        let path = dir.join(format!("attributes-{i}"));
        drop(File::create(&path).expect("a file"));
        set(&path, "user.small", 10);
        set(&path, "user.large", 600);
        if i % 2 == 0 {
            set(&path, "user.large", 300 + i);
        }
        if i % 3 == 0 {
            rustix::fs::lremovexattr(&path, "user.large").expect("an attribute");
        }
        if i % 5 == 0 {
            fs::remove_file(&path).expect("a file");
        }
    }
    set(dir, "user.of-a-directory", 40);
}
