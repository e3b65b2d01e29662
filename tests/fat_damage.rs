//! Seeded damage on FAT and exFAT volumes, with the most that can be recovered known: recall, wrong and invented files.
//!
//! The healthy volumes are written by mtools and by the exFAT driver for FUSE; what must come out are the files that
//! went in. What befalls a file is told by the bytes that were damaged: its entries, its clusters, its chain.

mod common;
#[path = "common/exfat.rs"]
mod fuse;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Scratch, tool};
use fuse::Fuse;
use offmount::bytes::{Span, Spans, le16, le32};
use offmount::fs::content::Content;
use offmount::fs::{Driver, FileSystem, Members, OpenOptions, exfat, fat};
use offmount::node::{Backing, Kind, Trust};
use offmount::progress::Silent;
use offmount::source::MemorySource;
use offmount::tree::Tree;

/// A small generator of pseudo-random numbers (xorshift), so that a seed means the same damage for ever.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// A file that came out.
struct Got {
    contents: Vec<u8>,
    marked: bool,
}

/// Everything that comes out of a volume, by path; `None` where nothing opens.
fn rescued(driver: &Driver, image: Vec<u8>) -> Option<BTreeMap<String, Got>> {
    let source = Arc::new(MemorySource(image));
    let fs = (driver.open)(&Members::one(source), &OpenOptions::default(), &Silent).expect("a source")?;
    let tree = Tree::whole(fs.clone(), &Silent).expect("a tree");
    let mut files = BTreeMap::new();
    for item in tree.items() {
        let Some(node) = tree.nodes(&[item]).expect("nodes").remove(0).filter(|node| node.kind == Kind::File) else {
            continue;
        };
        let content = Content::open(&*fs, &node).expect("content");
        let (contents, lost) = content.read_all(64 << 20).expect("contents").expect("short enough");
        let trust = tree.trust(item).max(node.trust).max(content.mapping().trust);
        let marked = trust >= Trust::Partial || !lost.is_empty();
        files.insert(String::from_utf8(tree.path(item)).expect("UTF-8"), Got { contents, marked });
    }
    Some(files)
}

/// Where the parts of a healthy file lie.
struct Laid {
    contents: Vec<u8>,
    /// Its directory entries.
    entry: Spans,
    /// Its clusters.
    data: Spans,
    /// The entries of its chain, in the first table.
    chain: Spans,
    /// The entries of the directories it is in.
    parents: Spans,
    contiguous: bool,
}

/// A healthy volume.
struct Volume {
    driver: &'static Driver,
    image: Vec<u8>,
    files: BTreeMap<String, Laid>,
    /// Byte offsets of the tables, and their length.
    tables: Vec<u64>,
    table_len: u64,
    heap: u64,
    cluster: u64,
    /// Every cluster of every directory but the root's.
    directories: Vec<u64>,
    root: Span,
}

impl Volume {
    /// Learns where everything lies from a healthy image, whose files must come out as they went in.
    fn learn(driver: &'static Driver, path: &Path, truth: BTreeMap<String, Vec<u8>>) -> Volume {
        let image = fs::read(path).expect("the image");
        let boot = &image[..512];
        let (tables, table_len, heap, cluster, bits) = if driver.name == "exfat" {
            let sector = 1u64 << boot[108];
            let field = |at| u64::from(le32(boot, at).expect("a boot sector"));
            let tables = vec![field(80) * sector];
            (tables, field(84) * sector, field(88) * sector, sector << boot[109], 32)
        } else {
            let short = |at| u64::from(le16(boot, at).expect("a boot sector"));
            let sector = short(11);
            let size = if short(22) == 0 { u64::from(le32(boot, 36).expect("a boot sector")) } else { short(22) };
            let first = short(14) * sector;
            let root = short(17) * 32;
            let bits = if boot[54..59] == *b"FAT12" { 12 } else { 16 };
            let tables = vec![first, first + size * sector];
            let bits = if short(22) == 0 { 32 } else { bits };
            (tables, size * sector, first + 2 * size * sector + root, u64::from(boot[13]) * sector, bits)
        };
        let source = Arc::new(MemorySource(image.clone()));
        let fs = (driver.open)(&Members::one(source), &OpenOptions::default(), &Silent).unwrap().expect("a volume");
        let tree = Tree::whole(fs.clone(), &Silent).expect("a tree");
        let mut volume = Volume {
            driver,
            image,
            files: BTreeMap::new(),
            tables,
            table_len,
            heap,
            cluster,
            directories: Vec::new(),
            root: Span::new(0, 0),
        };
        volume.lay(&*fs, &tree, truth, bits);
        volume
    }

    fn lay(&mut self, fs: &dyn FileSystem, tree: &Tree, mut truth: BTreeMap<String, Vec<u8>>, bits: u64) {
        let entries: BTreeMap<_, Spans> = tree.items().map(|item| (item, self.entry_of(fs, tree, item))).collect();
        for item in tree.items() {
            let path = String::from_utf8(tree.path(item)).expect("UTF-8");
            let node = tree.nodes(&[item]).unwrap().remove(0).expect("a node");
            let mapping = fs.mapping(&node).expect("a mapping");
            let (mut data, mut runs) = (Spans::new(), 0);
            for extent in &mapping.extents {
                if let Backing::Device { offset, .. } = extent.backing {
                    data.insert(Span::new(offset, extent.len.next_multiple_of(self.cluster)));
                    runs += 1;
                }
            }
            if node.kind == Kind::Directory {
                let clusters = data.iter().flat_map(|span| (span.start..span.end).step_by(self.cluster as usize));
                if path.is_empty() {
                    self.root = data.iter().next().expect("a root directory");
                } else {
                    self.directories.extend(clusters);
                }
                continue;
            }
            let chain = data
                .iter()
                .flat_map(|span| (span.start..span.end).step_by(self.cluster as usize))
                .map(|at| {
                    Span::new(self.tables[0] + ((at - self.heap) / self.cluster + 2) * bits / 8, bits.div_ceil(8))
                })
                .collect();
            let (mut parents, mut up) = (Spans::new(), tree.parent(item));
            while up != tree.parent(up) {
                parents.extend(&entries[&up]);
                up = tree.parent(up);
            }
            let contents = truth.remove(&path).unwrap_or_else(|| panic!("{path} went not in"));
            let (found, _) = Content::open(fs, &node).unwrap().read_all(64 << 20).unwrap().expect("short enough");
            assert!(found == contents, "{path} differs on the healthy volume");
            let entry = entries[&item].clone();
            self.files.insert(path, Laid { contents, entry, data, chain, parents, contiguous: runs <= 1 });
        }
        assert!(truth.is_empty(), "{:?} did not come out of the healthy volume", truth.keys());
    }

    /// The directory entries of an item: found by what the filesystem tells of it.
    fn entry_of(&self, fs: &dyn FileSystem, tree: &Tree, item: offmount::tree::ItemId) -> Spans {
        let Some(node) = tree.nodes(&[item]).unwrap().remove(0) else { return Spans::new() };
        let details = fs.details(&node).expect("details");
        let Some((_, entry)) = details.iter().find(|(name, _)| *name == "entry") else { return Spans::new() };
        let entry: u64 = entry.parse().expect("a number");
        let units = String::from_utf8_lossy(tree.name(item)).encode_utf16().count() as u64;
        let mut spans = Spans::new();
        if self.driver.name == "exfat" {
            spans.insert(Span::new(entry, (2 + units.div_ceil(15)) * 32));
        } else {
            // The long name stands before it; more than it has does no harm.
            let parts = (units.div_ceil(13)) * 32;
            spans.insert(Span::new(entry.saturating_sub(parts), parts + 32));
        }
        spans
    }
}

/// A damaged copy of a volume, and which bytes were hit.
struct Damaged<'v> {
    volume: &'v Volume,
    image: Vec<u8>,
    hit: Spans,
}

impl<'v> Damaged<'v> {
    fn new(volume: &'v Volume) -> Self {
        Damaged { volume, image: volume.image.clone(), hit: Spans::new() }
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let at = offset as usize;
        for (i, &byte) in bytes.iter().enumerate() {
            if self.image[at + i] != byte {
                self.hit.insert(Span::new(offset + i as u64, 1));
            }
        }
        self.image[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn zero(&mut self, offset: u64, len: u64) {
        self.write(offset, &vec![0; len as usize]);
    }

    fn truncate(&mut self, len: u64) {
        self.hit.insert(Span { start: len, end: self.image.len() as u64 });
        self.image.truncate(len as usize);
    }

    fn touches(&self, spans: &Spans) -> bool {
        spans.iter().any(|span| self.hit.touches(span))
    }

    /// Files whose contents can be recovered: entry and clusters are whole, and the chain in one table, or there is
    /// no need of a chain.
    fn most(&self) -> BTreeSet<&'v str> {
        let whole = |laid: &Laid| {
            let chain = (0..self.volume.tables.len()).any(|i| {
                let apart = self.volume.tables[i] - self.volume.tables[0];
                laid.chain.iter().all(|s| !self.hit.touches(Span::new(s.start + apart, s.len())))
            });
            !self.touches(&laid.entry) && !self.touches(&laid.data) && (chain || laid.contiguous)
        };
        let files = self.volume.files.iter().filter(|(_, laid)| !laid.contents.is_empty() && whole(laid));
        files.map(|(path, _)| path.as_str()).collect()
    }

    /// Salvages the volume and holds the bounds. `marks` says whether right files may be marked.
    fn hold(self, name: &str, marks: bool) {
        let most = self.most();
        let files = &self.volume.files;
        let got = rescued(self.volume.driver, self.image.clone()).unwrap_or_default();
        let contents: BTreeSet<&[u8]> = got.values().map(|got| got.contents.as_slice()).collect();
        let known: BTreeSet<&[u8]> = files.values().map(|laid| laid.contents.as_slice()).collect();
        // What was overwritten in a file's clusters nothing can tell, also where it comes out under another name.
        let overwritten = files.values().filter(|laid| self.touches(&laid.data));
        let spoiled: BTreeSet<usize> = overwritten.map(|laid| laid.contents.len()).collect();
        let right = |path: &&str| got.get(*path).is_some_and(|got| got.contents == files[*path].contents);
        let content = most.iter().filter(|path| contents.contains(files[**path].contents.as_slice())).count();
        let named: Vec<&&str> = most.iter().filter(|path| !self.touches(&files[**path].parents)).collect();
        let paths = named.iter().filter(|path| right(path)).count();
        let wrong: Vec<_> =
            most.iter().filter(|path| got.get(**path).is_some_and(|got| !got.marked) && !right(path)).collect();
        let over = most.iter().filter(|path| right(path) && got[**path].marked).count();
        let invented: Vec<&String> = got
            .iter()
            .filter(|(path, got)| !got.marked && !got.contents.is_empty() && !files.contains_key(*path))
            .filter(|(_, got)| !known.contains(got.contents.as_slice()) && !spoiled.contains(&got.contents.len()))
            .map(|(path, _)| path)
            .collect();
        let told = format!(
            "{name}: content {content}/{}, paths {paths}/{}, marked {over}, wrong {wrong:?}, invented {invented:?}",
            most.len(),
            named.len()
        );
        assert!(!most.is_empty(), "{told}: nothing can be recovered");
        assert!(content * 100 >= most.len() * 99, "{told}");
        assert!(paths * 100 >= named.len() * 98, "{told}");
        assert!(wrong.is_empty() && invented.is_empty(), "{told}");
        assert!(marks || over * 100 <= most.len(), "{told}");
    }
}

/// A tree of files of all sizes, as paths and contents; written to the folder.
fn fill(root: &Path, seed: u64) -> BTreeMap<String, Vec<u8>> {
    let (mut random, mut truth) = (Random::new(seed), BTreeMap::new());
    let mut put = |path: String, len: u64| {
        let mut contents = format!("#{:016x}", random.next()).into_bytes();
        let rest = random.bytes((len as usize).saturating_sub(contents.len()));
        contents.extend(rest);
        let file = root.join(&path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("folders");
        fs::write(&file, &contents).expect("a file");
        truth.insert(path, contents);
    };
    (0..160).for_each(|i| put(format!("mail/cur/{:08}_message number {i}.eml", 16_000_000 + i), 30 + i * 5));
    (0..60).for_each(|i| put(format!("home/user{}/notes/заметка {i:03}.txt", i % 4), 100 + i * 700));
    (0..5).for_each(|i| put(format!("srv/big{i}.bin"), 300_000 + i * 90_000));
    (0..8).for_each(|i| put(format!("{}leaf{i}.txt", "deep/".repeat(i as usize + 1)), 100 + i * 900));
    truth
}

/// Files that are deleted again, so that what is written beside them has holes to fill.
fn plugs(folder: &Path) -> Vec<PathBuf> {
    fs::create_dir_all(folder).expect("a folder");
    let paths: Vec<PathBuf> = (0..60).map(|i| folder.join(format!("PLUG{i:03}"))).collect();
    let mut random = Random::new(99);
    for path in &paths {
        let len = 500 + random.below(9000) as usize;
        fs::write(path, random.bytes(len)).expect("a file");
    }
    paths
}

fn fat_volume(mkfs: &[&str], size: u64) -> Volume {
    let scratch = Scratch::new();
    let image = scratch.sparse("fat.img", size);
    let path = image.display().to_string();
    tool("mkfs.fat", &[mkfs, &["-f", "2", "-i", "12345678", &path]].concat());
    let plugs = plugs(&scratch.join("plugs"));
    let names: Vec<String> = plugs.iter().map(|path| path.display().to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    tool("mcopy", &[&["-i", &path], names.as_slice(), &["::/"]].concat());
    let deleted: Vec<String> = (0..60).step_by(2).map(|i| format!("::/PLUG{i:03}")).collect();
    tool("mdel", &[&["-i", path.as_str()], deleted.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat());
    let root = scratch.dir("tree");
    let truth = fill(&root, 7);
    let tops: Vec<String> =
        ["mail", "home", "srv", "deep"].iter().map(|top| root.join(top).display().to_string()).collect();
    let tops: Vec<&str> = tops.iter().map(String::as_str).collect();
    tool("mcopy", &[&["-Q", "-s", "-i", &path], tops.as_slice(), &["::/"]].concat());
    let deleted: Vec<String> = (1..60).step_by(2).map(|i| format!("::/PLUG{i:03}")).collect();
    tool("mdel", &[&["-i", path.as_str()], deleted.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat());
    tool("fsck.fat", &["-n", &path]);
    Volume::learn(&fat::DRIVER, &image, truth)
}

/// An exFAT volume filled through FUSE.
fn exfat_volume(cluster: &str) -> Volume {
    let scratch = Scratch::new();
    let image = scratch.sparse("exfat.img", 24 << 20);
    tool("mkfs.exfat", &["-c", cluster, "-L", "TEST", &image.display().to_string()]);
    let mounted = Fuse::mount(&image);
    let plugs = plugs(&mounted.join("plugs"));
    plugs.iter().step_by(2).for_each(|plug| fs::remove_file(plug).expect("a file"));
    let truth = fill(mounted.path(), 11);
    plugs.iter().skip(1).step_by(2).for_each(|plug| fs::remove_file(plug).expect("a file"));
    fs::remove_dir(mounted.join("plugs")).expect("a folder");
    mounted.unmount();
    tool("fsck.exfat", &["-n", &image.display().to_string()]);
    Volume::learn(&exfat::DRIVER, &image, truth)
}

/// Damage that both kinds of volume can suffer.
fn common_damage(volume: &Volume, kind: &str) {
    let each = |name: &str, marks: bool, damage: &dyn Fn(&mut Damaged<'_>, &mut Random)| {
        for seed in 1..=2 {
            let mut damaged = Damaged::new(volume);
            damage(&mut damaged, &mut Random::new(seed));
            damaged.hold(&format!("{kind}, {name}, seed {seed}"), marks);
        }
    };
    each("none", false, &|_, _| {});
    each("boot sector zeroed", false, &|d, _| d.zero(0, 512));
    each("reserved sectors zeroed", false, &|d, _| d.zero(0, volume.tables[0]));
    each("directories of garbage", false, &|d, random| {
        for _ in 0..volume.directories.len().div_ceil(10) {
            let at = volume.directories[random.below(volume.directories.len() as u64) as usize];
            d.write(at, &random.bytes(volume.cluster as usize));
        }
    });
    each("entries flipped", false, &|d, random| {
        for at in volume.directories.iter().filter(|_| random.below(4) == 0).copied().collect::<Vec<_>>() {
            let at = at + random.below(volume.cluster);
            let flipped = d.image[at as usize] ^ 1 << random.below(8);
            d.write(at, &[flipped]);
        }
    });
    each("root directory zeroed", false, &|d, _| d.zero(volume.root.start, volume.root.len()));
    each("truncated to 70 percent", false, &|d, _| {
        let used = volume.files.values().flat_map(|laid| laid.data.iter().map(|s| s.end)).max().unwrap_or(0);
        d.truncate(used / 10 * 7 / 4096 * 4096);
    });
    each("sectors unreadable as zeros", false, &|d, random| {
        for _ in 0..40 {
            let at = volume.heap + random.below((d.image.len() as u64 - volume.heap) / 512 / 4) * 512;
            d.zero(at, 512);
        }
    });
}

fn fat_damage(volume: &Volume, kind: &str) {
    common_damage(volume, kind);
    let each = |name: &str, marks: bool, damage: &dyn Fn(&mut Damaged<'_>, &mut Random)| {
        for seed in 1..=2 {
            let mut damaged = Damaged::new(volume);
            damage(&mut damaged, &mut Random::new(seed));
            damaged.hold(&format!("{kind}, {name}, seed {seed}"), marks);
        }
    };
    let width = if kind == "FAT32" { 4 } else { 2 };
    let flip = |d: &mut Damaged<'_>, random: &mut Random, both: bool| {
        let used: Vec<u64> = volume.files.values().flat_map(|laid| laid.chain.iter().map(|s| s.start)).collect();
        for _ in 0..(used.len() / 50).max(2) {
            let at = used[random.below(used.len() as u64) as usize];
            let value = (2 + random.below(volume.table_len / width - 2)).to_le_bytes();
            d.write(at, &value[..width as usize]);
            if both {
                d.write(at + volume.tables[1] - volume.tables[0], &value[..width as usize]);
            }
        }
    };
    each("first table zeroed", false, &|d, _| d.zero(volume.tables[0], volume.table_len));
    each("second table zeroed", false, &|d, _| d.zero(volume.tables[1], volume.table_len));
    each("first table of garbage", false, &|d, random| {
        d.write(volume.tables[0], &random.bytes(volume.table_len as usize));
    });
    each("both tables zeroed", true, &|d, _| {
        volume.tables.iter().for_each(|&table| d.zero(table, volume.table_len));
    });
    each("both tables of garbage", true, &|d, random| {
        volume.tables.iter().for_each(|&table| d.write(table, &random.bytes(volume.table_len as usize)));
    });
    each("fields of the boot sector ruined", false, &|d, random| {
        // Offsets and lengths of the fields that geometry comes from.
        for (at, len) in [(11, 2), (13, 1), (14, 2), (16, 1), (17, 2), (19, 2), (22, 2), (32, 4), (36, 4), (44, 4)] {
            if random.below(3) == 0 {
                d.write(at, &random.bytes(len));
            }
        }
    });
    each("boot sectors and first table zeroed", false, &|d, _| d.zero(0, volume.tables[1]));
    each("entries of the first table flipped", false, &|d, random| flip(d, random, false));
    each("entries of both tables flipped", false, &|d, random| flip(d, random, true));
}

#[test]
fn fat12_comes_out_of_damage() {
    fat_damage(&fat_volume(&["-F", "12", "-s", "8"], 12 << 20), "FAT12");
}

#[test]
fn fat16_comes_out_of_damage() {
    fat_damage(&fat_volume(&["-F", "16", "-s", "4"], 24 << 20), "FAT16");
}

#[test]
fn fat32_comes_out_of_damage() {
    fat_damage(&fat_volume(&["-F", "32", "-s", "2"], 72 << 20), "FAT32");
}

#[test]
fn exfat_comes_out_of_damage() {
    let volume = exfat_volume("4K");
    common_damage(&volume, "exFAT");
    let each = |name: &str, marks: bool, damage: &dyn Fn(&mut Damaged<'_>, &mut Random)| {
        for seed in 1..=2 {
            let mut damaged = Damaged::new(&volume);
            damage(&mut damaged, &mut Random::new(seed));
            damaged.hold(&format!("exFAT, {name}, seed {seed}"), marks);
        }
    };
    each("table zeroed", false, &|d, _| d.zero(volume.tables[0], volume.table_len));
    each("table of garbage", false, &|d, random| d.write(volume.tables[0], &random.bytes(volume.table_len as usize)));
    // The bitmap is the first thing in the heap that mkfs.exfat makes.
    each("bitmap zeroed", false, &|d, _| d.zero(volume.heap, volume.cluster));
    each("bitmap of garbage", false, &|d, random| d.write(volume.heap, &random.bytes(volume.cluster as usize)));
}
