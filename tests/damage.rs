//! Random damage: whatever is overwritten, nothing panics, reads are bounded, 1 and 8 threads see the same, and every
//! file of which no block was touched is still there and right.
//!
//! Cases are the same in every run; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for more and others.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Scratch, debugfs, run, system, tool};
use offmount::bytes::{Span, Spans};
use offmount::fs::FileSystem;
use offmount::fs::content::Content;
use offmount::node::{Kind, Node, Trust};
use offmount::progress::Silent;
use offmount::source::{MemorySource, ReadAt, Source, SourceGone};
use offmount::survey::{SurveyOptions, survey};
use offmount::tree::Tree;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// Damage is done a block at a time.
const BLOCK: usize = 1024;

/// No reading, salvage and all, may read the image more often than this.
const MOST_READS: u64 = 500;

#[derive(Clone, Debug)]
enum Damage {
    Zeros,
    Garbage(u64),
    FlippedBit(usize),
}

/// Blocks, as a fraction of the image, and what befalls each.
fn damages() -> impl Strategy<Value = Vec<(f64, Damage)>> {
    let damage = prop_oneof![
        Just(Damage::Zeros),
        any::<u64>().prop_map(Damage::Garbage),
        (0..BLOCK * 8).prop_map(Damage::FlippedBit),
    ];
    // The first blocks hold what all else hangs on.
    let place = prop_oneof![0.0..1.0, 0.0..0.05];
    prop::collection::vec((place, damage), 1..12)
}

fn config() -> Config {
    let mut config = Config::with_cases(40);
    config.failure_persistence = None;
    config.rng_seed = RngSeed::Fixed(1);
    // What the environment asks for goes first.
    let asked = Config::default();
    if std::env::var_os("PROPTEST_CASES").is_some() {
        config.cases = asked.cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_some() {
        config.rng_seed = asked.rng_seed;
    }
    config
}

/// Damages a copy of the image; returns it and the bytes touched.
fn damaged(image: &[u8], damages: &[(f64, Damage)]) -> (Vec<u8>, Spans) {
    let (mut image, mut touched) = (image.to_vec(), Spans::new());
    for (place, damage) in damages {
        let at = (place * (image.len() / BLOCK) as f64) as usize * BLOCK;
        let block = &mut image[at..at + BLOCK];
        match damage {
            Damage::Zeros => block.fill(0),
            Damage::Garbage(seed) => {
                blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(block);
            }
            Damage::FlippedBit(bit) => block[bit / 8] ^= 1 << (bit % 8),
        }
        touched.insert(Span::new(at as u64, BLOCK as u64));
    }
    (image, touched)
}

/// Counts the bytes read.
struct Counting(MemorySource, AtomicU64);

impl ReadAt for Counting {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read(&self, offset: u64, buf: &mut [u8], lost: &mut Spans) -> Result<(), SourceGone> {
        self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.0.read(offset, buf, lost)
    }
}

/// All that is told of one path.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Told {
    kind: Kind,
    size: u64,
    trust: Trust,
    /// BLAKE3 of the contents; of what is too long to be right, only its runs.
    contents: String,
}

type Telling = BTreeMap<(String, Vec<u8>), Told>;

/// Reads everything on a disk with so many threads: volume and path to what is told of it.
fn tell(image: &[u8], threads: usize) -> Telling {
    let counting = Arc::new(Counting(MemorySource(image.to_vec()), AtomicU64::new(0)));
    let source: Source = counting.clone();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let telling = pool.install(|| {
        let disk = survey(source, &SurveyOptions::default(), &Silent).unwrap();
        let mut telling = Telling::new();
        for volume in &disk.volumes {
            let Some(fs) = volume.fs() else { continue };
            let tree = Tree::whole(fs.clone(), &Silent).unwrap();
            fs.check(&Silent).unwrap();
            for item in tree.items() {
                let node = tree.nodes(&[item]).unwrap().remove(0);
                let told = node.map_or_else(nothing_left, |node| told(&**fs, &node, tree.trust(item)));
                assert!(telling.insert((volume.name.clone(), tree.path(item)), told).is_none(), "a path twice");
            }
        }
        telling
    });
    let read = counting.1.load(Ordering::Relaxed);
    assert!(read < MOST_READS * image.len() as u64, "{read} bytes read of an image of {}", image.len());
    telling
}

fn nothing_left() -> Told {
    Told { kind: Kind::Unknown, size: 0, trust: Trust::Partial, contents: String::new() }
}

fn told(fs: &dyn FileSystem, node: &Node, trust: Trust) -> Told {
    fs.xattrs(node).unwrap();
    let content = Content::open(fs, node).unwrap();
    let mut trust = trust.max(node.trust).max(content.mapping().trust);
    let contents = match content.read_all(1 << 20).unwrap() {
        Some((bytes, lost)) => {
            if !lost.is_empty() {
                trust = trust.max(Trust::Partial);
            }
            blake3::hash(&bytes).to_hex().to_string()
        }
        None => format!("{:?}", content.runs()),
    };
    Told { kind: node.kind, size: node.size, trust, contents }
}

/// What a healthy file holds, and on which bytes of the image it depends.
#[derive(Debug)]
struct Truth {
    path: String,
    contents: String,
    /// Its data, its map and its inode.
    own: Spans,
    /// The same of the directories that lead to it.
    way: Spans,
}

/// Nothing panics, and the number of threads makes no difference; returns what was told.
fn reads_the_same(image: &[u8]) -> Telling {
    let (one, eight) = (tell(image, 1), tell(image, 8));
    assert!(one == eight, "{:#?}", differences(&one, &eight));
    one
}

fn differences(one: &Telling, other: &Telling) -> Vec<String> {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let differ = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    differ.take(5).map(|key| format!("{key:?}: {:?}, {:?}", one.get(key), other.get(key))).collect()
}

fn untouched_files_are_right(telling: &Telling, truth: &[Truth], touched: &Spans) -> Result<(), TestCaseError> {
    let contents: BTreeSet<&str> = telling.values().map(|told| told.contents.as_str()).collect();
    let is_whole = |spans: &Spans| !spans.iter().any(|span| touched.touches(span));
    for file in truth.iter().filter(|file| is_whole(&file.own)) {
        prop_assert!(contents.contains(file.contents.as_str()), "{} is not found", file.path);
        if is_whole(&file.way) {
            let at_path = telling.iter().find(|((_, path), _)| path == file.path.as_bytes());
            prop_assert!(at_path.is_some_and(|(_, told)| told.contents == file.contents), "{} is moved", file.path);
        }
    }
    Ok(())
}

/// A small tree of files, each with contents of its own.
fn make_tree(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for (folder, files) in [("", 3), ("etc", 12), ("home/alice/mail", 20), ("var/log", 6), ("srv/www/static", 9)] {
        fs::create_dir_all(root.join(folder)).unwrap();
        for n in 0..files {
            let path = Path::new(folder).join(format!("file-{n}.txt")).to_str().unwrap().to_owned();
            let len = [40, 900, 3000, 20_000][n % 4] + n;
            let mut contents = vec![0; len];
            blake3::Hasher::new().update(path.as_bytes()).finalize_xof().fill(&mut contents);
            fs::write(root.join(&path), contents).unwrap();
            paths.push(path);
        }
    }
    paths
}

/// An ext filesystem of 4 MiB and what debugfs knows of its files.
fn make_ext(options: &[&str]) -> (Vec<u8>, Vec<Truth>) {
    let scratch = Scratch::new();
    let (image, root) = (scratch.sparse("image", 4 << 20), scratch.dir("root"));
    let paths = make_tree(&root);
    let (image_path, root_path) = (image.to_str().unwrap(), root.to_str().unwrap());
    tool("mke2fs", &[&["-q", "-F", "-b", "1024", "-d", root_path], options, &[image_path]].concat());
    let truth = paths.iter().map(|path| Truth {
        path: path.clone(),
        contents: common::hash_file(&root.join(path)),
        own: own_blocks(&image, path),
        way: ancestors(path).iter().flat_map(|dir| own_blocks(&image, dir).iter().collect::<Vec<_>>()).collect(),
    });
    (fs::read(&image).unwrap(), truth.collect())
}

fn ancestors(path: &str) -> Vec<String> {
    let parents = Path::new(path).ancestors().skip(1);
    parents.map(|parent| format!("/{}", parent.display())).collect()
}

/// The blocks of a file: inode, map and data, as debugfs lists them.
fn own_blocks(image: &Path, path: &str) -> Spans {
    let path = format!("/{}", path.trim_start_matches('/'));
    let said = debugfs(image, &format!("imap \"{path}\"\nblocks \"{path}\"\n"));
    let said = String::from_utf8(said).unwrap();
    // "Inode 12 is part of block group 0\n\tlocated at block 82, offset 0x0b00", then numbers alone.
    let inode = said.split("located at block ").nth(1).and_then(|rest| rest.split(',').next()).expect("imap");
    let data = said.lines().filter(|line| !line.starts_with("debugfs:")).flat_map(str::split_whitespace);
    let data = data.filter_map(|word| word.parse::<u64>().ok());
    let blocks = data.chain([inode.parse().unwrap()]);
    blocks.map(|block| Span::new(block * BLOCK as u64, BLOCK as u64)).collect()
}

#[test]
fn the_truth_is_the_truth() {
    let (image, truth) = make_ext(&["-t", "ext4"]);
    assert_eq!(truth.len(), 50);
    let telling = reads_the_same(&image);
    for file in &truth {
        assert!(file.own.total() >= 2 * BLOCK as u64 && file.way.total() >= 2 * BLOCK as u64, "{file:?}");
        let bytes: Vec<u8> = file.own.iter().flat_map(|s| image[s.start as usize..s.end as usize].to_vec()).collect();
        assert!(bytes.len() < image.len() / 10);
        let told = &telling[&("disk".to_owned(), file.path.clone().into_bytes())];
        assert_eq!((&told.contents, told.trust), (&file.contents, Trust::Intact), "{}", file.path);
    }
}

#[track_caller]
fn survives(options: &[&str]) {
    let (image, truth) = make_ext(options);
    proptest!(config(), |(damages in damages())| {
        let (image, touched) = damaged(&image, &damages);
        untouched_files_are_right(&reads_the_same(&image), &truth, &touched)?;
    });
}

#[test]
fn ext4() {
    survives(&["-t", "ext4"]);
}

#[test]
fn ext4_without_checksums() {
    survives(&["-t", "ext4", "-O", "^metadata_csum"]);
}

#[test]
fn ext2() {
    survives(&["-t", "ext2"]);
}

#[test]
fn ext4_with_clusters() {
    survives(&["-t", "ext4", "-O", "bigalloc,^resize_inode", "-C", "4096"]);
}

#[test]
fn ext4_with_descriptors_in_their_groups() {
    survives(&["-t", "ext4", "-O", "meta_bg,^resize_inode", "-g", "512"]);
}

#[test]
fn ext4_with_contents_in_inodes() {
    survives(&["-t", "ext4", "-O", "inline_data"]);
}

/// Reading a large disk takes hours: what a search saw must not be searched for again.
#[track_caller]
fn is_searched_once(options: &[&str]) {
    let (mut image, truth) = make_ext(&[options, &["-g", "512"]].concat());
    // Groups of 512 blocks from block 1 on; those with a superblock have the descriptors behind it.
    for group in 0..image.len() / (512 * BLOCK) {
        let start = (1 + group * 512) * BLOCK;
        if image[start + 56..start + 58] == [0x53, 0xef] {
            image[start..start + 2 * BLOCK].fill(0);
        }
    }
    assert!(!image.chunks(BLOCK).any(|block| block[56..58] == [0x53, 0xef]), "a superblock is left");
    image.resize(64 << 20, 0);
    let counting = Arc::new(Counting(MemorySource(image), AtomicU64::new(0)));
    let disk = survey(counting.clone(), &SurveyOptions::default(), &Silent).unwrap();
    let read = counting.1.load(Ordering::Relaxed);
    assert!(read < counting.len() / 2 * 3, "{read} bytes read of {}", counting.len());
    let fs = disk.volumes[0].fs().unwrap();
    let tree = Tree::whole(fs.clone(), &Silent).unwrap();
    for file in &truth {
        let item = tree.find(file.path.as_bytes()).unwrap_or_else(|| panic!("{} is lost", file.path));
        let node = tree.nodes(&[item]).unwrap().remove(0).unwrap();
        assert_eq!(told(&**fs, &node, node.trust).contents, file.contents, "{}", file.path);
    }
}

#[test]
fn volumes_without_any_header_are_searched_once() {
    is_searched_once(&["-t", "ext4", "-O", "^resize_inode"]);
    is_searched_once(&["-t", "ext4", "-O", "^resize_inode,^metadata_csum"]);
    is_searched_once(&["-t", "ext2", "-O", "^resize_inode"]);
}

#[test]
fn ext4_cut_short() {
    let (image, truth) = make_ext(&["-t", "ext4"]);
    proptest!(config(), |(left in 0.0..1.0)| {
        let left = (left * image.len() as f64) as usize;
        let gone = Span { start: left as u64, end: image.len() as u64 };
        untouched_files_are_right(&reads_the_same(&image[..left]), &truth, &Spans::from_iter([gone]))?;
    });
}

#[test]
fn fat_of_every_width() {
    for (width, size) in [("12", 2 << 20), ("16", 8 << 20), ("32", 36 << 20)] {
        let scratch = Scratch::new();
        let (image, root) = (scratch.sparse("image", size), scratch.dir("root"));
        make_tree(&root);
        tool("mkfs.fat", &["-F", width, "-s", "1", image.to_str().unwrap()]);
        let tops = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
        let mut mcopy = system("mcopy");
        run(mcopy.args(["-Q", "-s", "-i"]).arg(&image).args(tops).arg("::/"), b"").exits(0);
        let image = fs::read(&image).unwrap();
        assert!(tell(&image, 1).len() >= 50, "FAT{width}");
        let mut config = config();
        config.cases /= 4;
        proptest!(config, |(damages in damages())| {
            reads_the_same(&damaged(&image, &damages).0);
        });
    }
}
