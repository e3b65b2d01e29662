//! The second reader agrees on healthy volumes, finds planted differences, and its known limits are no differences.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Mounted, Scratch, debugfs, testdata, tool, untouched, with_threads};
use offmount::bytes::Span;
use offmount::crosscheck::{Comparison, Difference, Request, cross_check};
use offmount::fs::{Members, OpenOptions, ext};
use offmount::node::Kind;
use offmount::progress::Silent;
use offmount::source::{FileSource, Source, Window};
use offmount::tree::Tree;

fn source(image: &Path) -> Source {
    Arc::new(FileSource::open(image).unwrap())
}

fn tree(source: &Source) -> Tree {
    let fs = (ext::DRIVER.open)(&Members::one(source.clone()), &OpenOptions::default(), &Silent).unwrap();
    Tree::whole(fs.expect("an ext volume"), &Silent).unwrap()
}

/// Our reading of one source against the second reader's of another, with 1 and with 8 threads.
fn compare(ours: &Source, theirs: &Source) -> Comparison {
    let tree = tree(ours);
    let request = Request { tree: &tree, source: theirs, wanted: &|_| true, hash_of: &|_| None };
    with_threads(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse().unwrap()).build().unwrap();
        pool.install(|| cross_check(&request, &Silent)).unwrap()
    })
}

fn self_compare(image: &Path) -> (Comparison, usize) {
    untouched(image, |image| (compare(&source(image), &source(image)), tree(&source(image)).len()))
}

#[track_caller]
fn agrees_on_all(image: &Path) {
    let (comparison, paths) = self_compare(image);
    assert_eq!((comparison.agreed, comparison.reader), (paths as u64, Some("ext4-view 1.0.0")), "{comparison:#?}");
    assert!(comparison.agrees() && comparison.unjudged_paths() == 0, "{comparison:#?}");
}

/// An image of files, folders, links and specials, by mke2fs and debugfs.
fn make(scratch: &Scratch, name: &str, options: &[&str]) -> PathBuf {
    let image = scratch.sparse(name, 16 << 20);
    tool("mke2fs", &[&["-q", "-F"], options, &[image.to_str().unwrap()]].concat());
    let file = scratch.join("contents");
    fs::write(&file, (0..300_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    let mut commands =
        "mkdir d\nmkdir d/e\nsymlink d/short target\ncd d\nmknod pipe p\nmknod null c 1 3\ncd /\n".to_owned();
    commands += &format!("symlink d/long {}\nsymlink d/middle {}\n", "l".repeat(200), "m".repeat(60));
    for path in ["large", "d/also", "d/e/third"] {
        commands += &format!("write {} {path}\n", file.display());
    }
    (0..300).for_each(|n| commands += &format!("symlink d/e/link-{n} {n}\n"));
    debugfs(&image, &commands);
    image
}

#[test]
fn it_agrees_on_healthy_volumes() {
    let scratch = Scratch::new();
    let variants: [&[&str]; 6] = [
        &["-t", "ext4"],
        &["-t", "ext4", "-b", "1024"],
        &["-t", "ext4", "-O", "^metadata_csum,^64bit"],
        &["-t", "ext4", "-O", "bigalloc", "-C", "16384"],
        &["-t", "ext3"],
        &["-t", "ext2"],
    ];
    for (n, options) in variants.iter().enumerate() {
        agrees_on_all(&make(&scratch, &format!("image-{n}"), options));
    }
}

#[test]
fn it_agrees_on_what_the_kernel_wrote() {
    if !common::is_root() {
        return common::skipped("mounting needs root");
    }
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 64 << 20);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", image.to_str().unwrap()]);
    let mounted = Mounted::writable(&image, "");
    for n in 0..3000 {
        fs::write(mounted.join(format!("file-{n}")), n.to_string().repeat(n % 50)).unwrap();
    }
    (0..3000).step_by(3).for_each(|n| fs::remove_file(mounted.join(format!("file-{n}"))).unwrap());
    tool("dd", &["if=/dev/urandom", "bs=64K", "count=100", &format!("of={}", mounted.join("large").display())]);
    tool("truncate", &["-s", "3G", mounted.join("large").to_str().unwrap()]);
    fs::hard_link(mounted.join("large"), mounted.join("second")).unwrap();
    drop(mounted);
    agrees_on_all(&image);
}

#[test]
fn planted_differences_are_found() {
    let scratch = Scratch::new();
    let ours = make(&scratch, "ours", &["-t", "ext4"]);
    let theirs = scratch.copy_of(&ours, "theirs");
    let (longer, other) = (scratch.join("longer"), scratch.join("other"));
    let mut contents = fs::read(scratch.join("contents")).unwrap();
    contents[123_456] ^= 1;
    fs::write(&other, &contents).unwrap();
    contents.push(0);
    fs::write(&longer, &contents).unwrap();
    let rewrite = |path: &str, file: &Path| format!("rm {path}\nwrite {} {path}\n", file.display());
    let mut commands = rewrite("large", &other) + &rewrite("d/also", &longer);
    commands += "rm d/pipe\nmkdir d/pipe\nrm d/e/link-7\nsymlink d/e/new x\nrm d/short\nsymlink d/short tarGet\n";
    debugfs(&theirs, &commands);

    let comparison = compare(&source(&ours), &source(&theirs));
    let found: Vec<_> =
        comparison.differences.iter().map(|(path, what)| (path.escape_ascii().to_string(), what)).collect();
    let expect = |path: &str, is: fn(&Difference) -> bool| {
        assert!(found.iter().any(|(at, what)| at == path && is(what)), "{path}: {found:#?}");
    };
    expect("large", |what| matches!(what, Difference::Content(..)));
    expect("d/also", |what| *what == Difference::Size(1_200_000, 1_200_001));
    expect("d/pipe", |what| *what == Difference::Kind(Kind::Fifo, Kind::Directory));
    expect("d/e/link-7", |what| *what == Difference::Missing);
    expect("d/e/new", |what| *what == Difference::Extra);
    expect("d/short", |what| matches!(what, Difference::Content(..)));
    assert_eq!((comparison.differing, found.len()), (6, 6), "{found:#?}");
    assert!(!comparison.agrees());
}

#[test]
fn what_was_hashed_before_is_compared_with_that_hash() {
    let scratch = Scratch::new();
    let image = make(&scratch, "image", &["-t", "ext4"]);
    let (source, tree) = (source(&image), tree(&source(&image)));
    let wrong = blake3::hash(b"something else");
    let request = Request { tree: &tree, source: &source, wanted: &|_| true, hash_of: &|_| Some(wrong) };
    let comparison = cross_check(&request, &Silent).unwrap();
    assert_eq!(comparison.differing, 306, "3 files and 303 links");
}

#[test]
fn only_what_is_wanted_is_compared() {
    let scratch = Scratch::new();
    let image = make(&scratch, "image", &["-t", "ext4"]);
    let (source, tree) = (source(&image), tree(&source(&image)));
    let large = tree.find(b"large").unwrap();
    let request = Request { tree: &tree, source: &source, wanted: &|item| item == large, hash_of: &|_| None };
    let comparison = cross_check(&request, &Silent).unwrap();
    assert_eq!((comparison.agreed, comparison.bytes, comparison.unjudged_paths()), (1, 1_200_000, 0));
}

/// Nothing differs, and what can not be judged is so for a reason that holds `why`.
#[track_caller]
fn is_limited(image: &Path, why: &str) {
    let (comparison, paths) = self_compare(image);
    assert!(comparison.agrees(), "{comparison:#?}");
    assert!(comparison.unjudged.keys().any(|reason| reason.contains(why)), "{comparison:#?}");
    assert_eq!(comparison.agreed + comparison.unjudged_paths(), paths as u64, "every path is accounted for");
}

#[test]
fn features_that_it_does_not_read_are_limits() {
    let scratch = Scratch::new();
    let features = ["inline_data", "meta_bg,^resize_inode", "mmp", "ea_inode", "large_dir", "^filetype"];
    for (n, feature) in features.iter().enumerate() {
        let image = make(&scratch, &format!("image-{n}"), &["-t", "ext4", "-O", feature]);
        is_limited(&image, "incompatible filesystem");
    }
    is_limited(&make(&scratch, "small-inodes", &["-t", "ext4", "-I", "128"]), "inodes of 128 bytes");
}

#[test]
fn times_that_it_does_not_take_are_a_limit() {
    let scratch = Scratch::new();
    let image = make(&scratch, "image", &["-t", "ext4"]);
    // 1955, and 2040 with the extra bits of the time.
    debugfs(&image, "sif /large mtime @-446000000\nsif /d mtime @2209000000\n");
    is_limited(&image, "a time that it does not take");
}

#[test]
fn preallocated_blocks_are_a_limit() {
    if !common::is_root() {
        return common::skipped("mounting needs root");
    }
    let scratch = Scratch::new();
    let image = scratch.join("image");
    // Every block holds something, so that what was there before shows.
    fs::write(&image, b"stale---".repeat(4 << 20)).unwrap();
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-E", "nodiscard", image.to_str().unwrap()]);
    let mounted = Mounted::writable(&image, "nodiscard");
    tool("fallocate", &["-l", "100K", mounted.join("preallocated").to_str().unwrap()]);
    drop(mounted);
    is_limited(&image, "allocated and not written");
}

#[test]
fn damage_is_no_difference() {
    let disk = testdata("server.img");
    untouched(&disk, |disk| {
        let volume: Source = Arc::new(Window::new(source(disk), Span::new(2 << 20, 10 << 20)));
        let comparison = compare(&volume, &volume);
        assert!(comparison.agrees(), "{comparison:#?}");
        // The second reader stops in the directory of eight files, and reads all others.
        assert_eq!(comparison.unjudged_paths(), 8, "{comparison:#?}");
        assert_eq!(comparison.agreed + 8, tree(&volume).len() as u64);
    });
}

#[test]
fn a_journal_to_replay_is_no_difference() {
    if !common::is_root() {
        return common::skipped("mounting needs root");
    }
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 32 << 20);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", image.to_str().unwrap()]);
    let mounted = Mounted::writable(&image, "");
    fs::create_dir(mounted.join("before")).unwrap();
    for n in 0..200 {
        fs::write(mounted.join(format!("before/{n}")), format!("contents {n}")).unwrap();
    }
    tool("sync", &["-f", mounted.path().to_str().unwrap()]);
    // As the power would leave it: a copy while it is mounted.
    let dirty = scratch.copy_of(&image, "dirty");
    drop(mounted);
    let (comparison, paths) = self_compare(&dirty);
    assert!(comparison.agrees(), "{comparison:#?}");
    assert!(paths > 200 && comparison.agreed > 0, "{comparison:#?}");
}
