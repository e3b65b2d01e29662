//! What fsck.exfat says of a damaged volume, and what we find: a table of recipes, one damage each.
//!
//! Each recipe is applied to a healthy volume made by mkfs.exfat and filled through FUSE. fsck.exfat must say its
//! sentence, our check must have its finding, and both must agree on whether the volume is in order.

mod common;
#[path = "common/exfat.rs"]
mod fuse;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use common::{Scratch, run, system, tool, untouched};
use fuse::Fuse;
use offmount::bytes::le32;
use offmount::finding::Severity;
use offmount::fs::{Members, OpenOptions, exfat};
use offmount::progress::Silent;
use offmount::source::FileSource;

const CLUSTER: usize = 4096;
const SECTOR: usize = 512;
/// Bytes of an entry, and places of fields in the sets of a file: its own entry, that of its stream, its name.
const ENTRY: usize = 32;
const STREAM: usize = 32;
const FLAGS: usize = STREAM + 1;
const NAME_LENGTH: usize = STREAM + 3;
const NAME_HASH: usize = STREAM + 4;
const VALID_LENGTH: usize = STREAM + 8;
const FIRST_CLUSTER: usize = STREAM + 20;
const LENGTH: usize = STREAM + 24;
const NAME: usize = 2 * ENTRY + 2;

/// A volume to damage.
struct Volume {
    bytes: Vec<u8>,
    table: usize,
    heap: usize,
    root: usize,
}

impl Volume {
    fn new(bytes: Vec<u8>) -> Self {
        let field = |at| le32(&bytes, at).expect("a boot sector") as usize;
        let (table, heap, root) = (field(80) * SECTOR, field(88) * SECTOR, field(96));
        Volume { bytes, table, heap, root: heap + (root - 2) * CLUSTER }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Place of the file entry with this name.
    fn find(&self, name: &str) -> usize {
        let mut units: Vec<u8> = vec![0xc1, 0];
        units.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        units.resize(ENTRY, 0);
        let at = self.bytes[self.heap..].windows(ENTRY).position(|bytes| bytes == units).expect("the entry");
        self.heap + at - 2 * ENTRY
    }

    /// Place of the first entry of a kind in the root directory.
    fn system(&self, kind: u8) -> usize {
        let entries = self.bytes[self.root..self.root + CLUSTER].chunks(ENTRY);
        self.root + entries.map(|entry| entry[0]).position(|found| found == kind).expect("the entry") * ENTRY
    }

    /// Changes a field of a file's set, and makes its checksum right again.
    fn set(&mut self, name: &str, field: usize, bytes: &[u8]) {
        let at = self.find(name);
        self.put(at + field, bytes);
        let len = (1 + usize::from(self.bytes[at + 1])) * ENTRY;
        let summed = self.bytes[at..at + len].iter().enumerate().filter(|(i, _)| ![2, 3].contains(i));
        let sum = summed.fold(0u16, |sum, (_, &byte)| sum.rotate_right(1).wrapping_add(byte.into()));
        self.put(at + 2, &sum.to_le_bytes());
    }

    /// Gives a file a name of one upper-case letter, with the hash that belongs to it.
    fn rename(&mut self, name: &str, letter: &str) {
        let at = self.find(name);
        let bytes: Vec<u8> = letter.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hash = bytes.iter().fold(0u16, |hash, &byte| hash.rotate_right(1).wrapping_add(byte.into()));
        self.put(at + NAME_HASH, &hash.to_le_bytes());
        self.set(name, NAME, &bytes);
    }

    fn start(&self, name: &str) -> usize {
        le32(&self.bytes, self.find(name) + FIRST_CLUSTER).expect("an entry") as usize
    }

    /// The `n`th cluster of a chain.
    fn nth(&self, name: &str, n: usize) -> usize {
        (0..n).fold(self.start(name), |at, _| le32(&self.bytes, self.table + at * 4).expect("a table") as usize)
    }

    fn link(&mut self, cluster: usize, value: u32) {
        self.put(self.table + cluster * 4, &value.to_le_bytes());
    }

    /// Sets or clears the bit of a cluster.
    fn mark(&mut self, cluster: usize, used: bool) {
        let bitmap = le32(&self.bytes, self.system(0x81) + 20).expect("an entry") as usize;
        let at = self.heap + (bitmap - 2) * CLUSTER + (cluster - 2) / 8;
        let bit = 1 << ((cluster - 2) % 8);
        self.bytes[at] = if used { self.bytes[at] | bit } else { self.bytes[at] & !bit };
    }
}

/// A recipe for one damage.
struct Recipe {
    name: &'static str,
    damage: fn(&mut Volume),
    /// What fsck.exfat says; empty where it says nothing.
    says: &'static str,
    /// What we find.
    code: &'static str,
    /// We call it damage, and fsck.exfat does not.
    missed: bool,
}

const fn recipe(name: &'static str, says: &'static str, code: &'static str, damage: fn(&mut Volume)) -> Recipe {
    Recipe { name, damage, says, code, missed: false }
}

/// Damage that fsck.exfat tells of, and calls the volume clean all the same.
const fn lenient(name: &'static str, says: &'static str, code: &'static str, damage: fn(&mut Volume)) -> Recipe {
    Recipe { name, damage, says, code, missed: true }
}

/// Damage that fsck.exfat does not see.
const fn missed(name: &'static str, code: &'static str, damage: fn(&mut Volume)) -> Recipe {
    Recipe { name, damage, says: "", code, missed: true }
}

const END: u32 = u32::MAX;
const BAD: u32 = u32::MAX - 8;

const RECIPES: &[Recipe] = &[
    recipe("healthy", "clean", "", |_| {}),
    recipe("boot region's checksum", "checksum of boot region is not correct", "exfat-boot-checksum", |v| {
        v.put(11 * SECTOR, &[0xff; 4]);
    }),
    recipe("both boot regions' checksums", "checksum of boot region is not correct", "exfat-boot-checksum", |v| {
        v.put(11 * SECTOR, &[0xff; 4]);
        v.put(23 * SECTOR, &[0xff; 4]);
    }),
    recipe("boot sector zeroed", "Bad fs_name in boot sector", "exfat-boot-sector", |v| v.put(0, &[0; SECTOR])),
    recipe("root directory in circles", "cluster chain of root is cyclic", "exfat-chain-loop", |v| {
        let root = (v.root - v.heap) / CLUSTER + 2;
        v.link(root, root as u32);
    }),
    recipe("root directory's chain is free", "cluster chain of root is broken", "exfat-chain-free", |v| {
        v.link((v.root - v.heap) / CLUSTER + 2, 0);
    }),
    recipe("bitmap too small", "invalid size of allocation bitmap", "exfat-bitmap-size", |v| {
        v.put(v.system(0x81) + 24, &[1, 0, 0, 0]);
    }),
    recipe("bitmap nowhere", "invalid start cluster of allocate bitmap", "exfat-bitmap-missing", |v| {
        v.put(v.system(0x81) + 20, &[1, 0, 0, 0]);
    }),
    recipe("no bitmap", "failed to read bitmap", "exfat-bitmap-missing", |v| v.put(v.system(0x81), &[1])),
    recipe("up-case table nowhere", "invalid start cluster of upcase table", "exfat-upcase-missing", |v| {
        v.put(v.system(0x82) + 20, &[1, 0, 0, 0]);
    }),
    recipe("no up-case table", "failed to read upcase table", "exfat-upcase-missing", |v| v.put(v.system(0x82), &[2])),
    recipe("up-case table's checksum", "corrupted upcase table", "exfat-upcase-checksum", |v| {
        v.put(v.system(0x82) + 4, &[0; 4]);
    }),
    lenient("label too long", "failed to read volume label", "exfat-label", |v| v.put(v.system(0x83) + 1, &[12])),
    recipe("set's checksum", "the checksum of a file is wrong", "exfat-set-checksum", |v| {
        v.put(v.find("A") + 2, &[9, 9])
    }),
    recipe("too few entries", "too few secondary count", "exfat-set-broken", |v| v.set("A", 1, &[1])),
    recipe("no stream entry", "failed to get stream dentry", "exfat-set-broken", |v| v.set("A", STREAM, &[0xc1])),
    recipe("no name entry", "corrupted", "exfat-set-broken", |v| v.set("A", 2 * ENTRY, &[0xc0])),
    recipe("name's length", "the name length of a file is wrong", "exfat-set-broken", |v| {
        v.set("A", NAME_LENGTH, &[40])
    }),
    recipe("name's hash", "the name hash of a file is wrong", "exfat-name-hash", |v| v.set("A", NAME_HASH, &[9, 9])),
    missed("name with a star", "exfat-name", |v| v.rename("A", "*")),
    recipe("valid beyond its length", "valid size", "exfat-valid-length", |v| v.set("A", VALID_LENGTH, &[0xff, 0xff])),
    recipe("first cluster 1", "but the first cluster", "exfat-first-cluster", |v| v.set("A", FIRST_CLUSTER, &[1, 0])),
    recipe("empty with a cluster", "but the first cluster", "exfat-first-cluster", |v| {
        v.set("A", VALID_LENGTH, &[0; 8]);
        v.set("A", LENGTH, &[0; 8]);
    }),
    recipe("chain too long", "more clusters are allocated", "exfat-chain-long", |v| {
        v.set("chain", VALID_LENGTH, &[1, 0, 0, 0]);
        v.set("chain", LENGTH, &[1, 0, 0, 0]);
    }),
    recipe("chain too short", "less clusters are allocated", "exfat-chain-short", |v| v.link(v.nth("chain", 1), END)),
    recipe("circle", "cluster is already allocated", "exfat-chain-loop", |v| {
        v.link(v.nth("chain", 2), v.start("chain") as u32);
    }),
    recipe("crossed files", "cluster is already allocated", "exfat-cross-link", |v| {
        let start = (v.start("B") as u32).to_le_bytes();
        v.set("A", FIRST_CLUSTER, &start);
    }),
    recipe("cluster marked free", "is marked as free", "exfat-bitmap-free", |v| v.mark(v.start("A"), false)),
    recipe("bad cluster in a chain", "BAD cluster", "exfat-chain-bad", |v| v.link(v.nth("chain", 1), BAD)),
    recipe("free cluster in a chain", "broken cluster chain", "exfat-chain-free", |v| v.link(v.nth("chain", 1), 0)),
    recipe("chain out of the volume", "broken cluster chain", "exfat-chain-invalid", |v| {
        v.link(v.nth("chain", 1), 0x00ff_ffff);
    }),
    recipe("empty without a chain", "empty, but has no Fat chain", "exfat-empty-contiguous", |v| {
        v.set("empty", FLAGS, &[3])
    }),
    recipe("directory's size", "is not divisible by", "exfat-directory-size", |v| {
        v.set("DIR", VALID_LENGTH, &[1, 0]);
        v.set("DIR", LENGTH, &[1, 0]);
    }),
    lenient("unknown entry", "unknown entry type", "exfat-directory-garbage", |v| {
        let at = v.find("A");
        (0..3).for_each(|i| v.put(at + i * ENTRY, &[0x91]));
    }),
    missed("clusters of no file", "exfat-bitmap-used", |v| v.mark(400, true)),
    missed("backup boot region", "exfat-boot-backup", |v| v.put(23 * SECTOR, &[0xff; 4])),
    missed("two files of one name", "exfat-duplicate-name", |v| {
        v.rename("B", "A");
    }),
    missed("reserved entries of the table", "exfat-reserved-entry", |v| v.link(0, 0)),
    missed("mark of a mounted volume", "exfat-dirty", |v| v.put(106, &[2])),
    missed("mark of a failing disk", "exfat-media-failure", |v| v.put(106, &[4])),
    missed("no time", "exfat-time", |v| v.set("A", 12, &[0xff; 4])),
];

fn healthy(scratch: &Scratch) -> Vec<u8> {
    let image = scratch.sparse("healthy.img", 8 << 20);
    tool("mkfs.exfat", &["-c", "4096", "-b", "4096", "-L", "LABEL", &image.display().to_string()]);
    let mounted = Fuse::mount(&image);
    fs::create_dir(mounted.join("DIR")).expect("a folder");
    for name in ["A", "B", "DIR/C"] {
        fs::write(mounted.join(name), vec![b'x'; 10_000]).expect("a file");
    }
    fs::write(mounted.join("empty"), b"").expect("a file");
    // Two files that grow by turns lie in pieces.
    let mut files = ["chain", "other"].map(|name| fs::File::create(mounted.join(name)).expect("a file"));
    for _ in 0..6 {
        for file in &mut files {
            file.write_all(&[b'y'; CLUSTER]).expect("room");
            file.sync_all().expect("room");
        }
    }
    drop(files);
    mounted.unmount();
    fs::read(&image).expect("the image")
}

/// What we find: every code, and whether any of it has weight.
fn found(image: &Path) -> (BTreeSet<&'static str>, bool) {
    let source = Arc::new(FileSource::open(image).expect("the image"));
    let fs = (exfat::DRIVER.open)(&Members::one(source), &OpenOptions::default(), &Silent).expect("a source");
    let log = fs.expect("an exFAT volume").check(&Silent).expect("a check").log;
    let codes = log.counts().map(|(code, _)| code.id).collect();
    (codes, log.worst().is_some_and(|worst| worst >= Severity::Damage))
}

#[test]
fn every_message_of_fsck_has_its_finding() {
    let scratch = Scratch::new();
    let bytes = healthy(&scratch);
    let mut wrong = Vec::new();
    for recipe in RECIPES {
        let mut volume = Volume::new(bytes.clone());
        (recipe.damage)(&mut volume);
        let image = scratch.join("damaged.img");
        fs::write(&image, &volume.bytes).expect("the image");
        let ran = run(system("fsck.exfat").arg("-n").arg(&image), b"");
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
        let (codes, damaged) = untouched(&image, found);
        if !said.contains(recipe.says) {
            wrong.push(format!("{}: fsck.exfat does not say {:?}: {said}", recipe.name, recipe.says));
        }
        if !recipe.missed && damaged != (ran.code != 0) {
            wrong.push(format!("{}: fsck.exfat ended with {}, we found {codes:?}: {said}", recipe.name, ran.code));
        }
        if !recipe.code.is_empty() && !codes.contains(recipe.code) {
            wrong.push(format!("{}: no {}, but {codes:?}", recipe.name, recipe.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
