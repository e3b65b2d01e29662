//! What fsck.fat says of a damaged volume, and what we find: a table of recipes, one damage each.
//!
//! Each recipe is applied to a healthy volume made by mkfs.fat and mtools. fsck.fat must say its sentence, our check
//! must have its finding, and both must agree on whether the volume is in order.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{Scratch, run, system, tool, untouched};
use offmount::bytes::{le16, le32};
use offmount::finding::Severity;
use offmount::fs::{Members, OpenOptions, fat};
use offmount::progress::Silent;
use offmount::source::FileSource;

/// A volume to damage, with the numbers that recipes need.
struct Volume {
    bytes: Vec<u8>,
    fat32: bool,
    tables: [usize; 2],
    root: usize,
}

impl Volume {
    fn new(bytes: Vec<u8>) -> Self {
        let short = |at| usize::from(le16(&bytes, at).expect("a boot sector"));
        let fat32 = short(22) == 0;
        let size = if fat32 { le32(&bytes, 36).expect("a boot sector") as usize } else { short(22) };
        let first = short(14) * 512;
        let tables = [first, first + size * 512];
        let root = first + 2 * size * 512;
        Volume { bytes, fat32, tables, root }
    }

    /// Writes an entry of both tables.
    fn entry(&mut self, cluster: usize, value: u32) {
        for table in self.tables {
            self.entry_of(table, cluster, value);
        }
    }

    fn entry_of(&mut self, table: usize, cluster: usize, value: u32) {
        if self.fat32 {
            self.put(table + cluster * 4, &value.to_le_bytes());
        } else {
            self.put(table + cluster * 2, &(value as u16).to_le_bytes());
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn change(&mut self, at: usize, change: fn(u8) -> u8) {
        self.bytes[at] = change(self.bytes[at]);
    }

    /// Place of the entry with a short name.
    fn find(&self, name: &str) -> usize {
        let at = self.bytes[self.root..].windows(11).position(|bytes| bytes == format!("{name:11}").as_bytes());
        self.root + at.expect("the entry")
    }

    fn start(&self, name: &str) -> usize {
        usize::from(le16(&self.bytes, self.find(name) + 26).expect("an entry"))
    }

    /// A field of the boot sector that FAT32 has elsewhere.
    fn boot(&self, fat16: usize, fat32: usize) -> usize {
        if self.fat32 { fat32 } else { fat16 }
    }
}

/// A recipe for one damage.
struct Recipe {
    name: &'static str,
    /// Which volumes it is for: 16, 32, or 0 for both.
    bits: u8,
    damage: fn(&mut Volume),
    /// What fsck.fat says.
    says: &'static str,
    /// What we find; empty where we must find nothing of weight.
    code: &'static str,
}

const fn recipe(
    name: &'static str,
    bits: u8,
    says: &'static str,
    code: &'static str,
    damage: fn(&mut Volume),
) -> Recipe {
    Recipe { name, bits, damage, says, code }
}

const END: u32 = 0x0fff_ffff;
const BAD: u32 = 0x0fff_fff7;
const BEYOND: u32 = 0x0fff_fff0;

const RECIPES: &[Recipe] = &[
    recipe("healthy", 0, "9 files", "", |_| {}),
    recipe("tables differ", 0, "FATs differ but appear to be intact", "fat-tables-differ", |v| {
        v.entry_of(v.tables[1], 200, END);
    }),
    recipe("first table overwritten", 0, "FATs differ - using second FAT", "fat-media-byte", |v| {
        v.put(v.tables[0], &[0; 4])
    }),
    recipe("second table overwritten", 0, "FATs differ - using first FAT", "fat-tables-differ", |v| {
        v.put(v.tables[1], &[0; 4])
    }),
    recipe("media entries zeroed", 0, "Both FATs appear to be corrupt", "fat-media-byte", |v| v.entry(0, 0)),
    recipe("shutdown bit cleared", 0, "Dirty bit is set", "fat-dirty", |v| {
        v.entry(1, if v.fat32 { 0x07ff_ffff } else { 0x7fff });
    }),
    recipe("dirty mark in the boot sector", 0, "Dirty bit is set", "fat-dirty", |v| {
        v.change(v.boot(37, 65), |b| b | 1);
    }),
    recipe("lost chain", 0, "Reclaimed 1 unused cluster", "fat-lost-chain", |v| v.entry(300, END)),
    recipe("crossed files", 0, "share clusters", "fat-cross-link", |v| {
        let (at, start) = (v.find("B"), v.start("A") as u16);
        v.put(at + 26, &start.to_le_bytes());
    }),
    recipe("circle", 0, "Circular cluster chain", "fat-chain-loop", |v| {
        let start = v.start("A");
        v.entry(start + 2, start as u32);
    }),
    recipe("free cluster in a chain", 0, "Contains a free cluster", "fat-chain-free", |v| v.entry(v.start("A") + 1, 0)),
    recipe("bad cluster in a chain", 0, "next_cluster on bad cluster", "fat-chain-bad", |v| {
        v.entry(v.start("A") + 1, BAD);
    }),
    recipe("chain out of the volume", 0, "out of range", "fat-chain-invalid", |v| v.entry(v.start("A") + 1, BEYOND)),
    recipe("unused entry out of the volume", 0, "out of range", "fat-chain-invalid", |v| v.entry(500, BEYOND)),
    recipe("chain too short", 0, "cluster chain length is", "fat-chain-short", |v| {
        v.entry(v.start("A") + 1, END);
        v.entry(v.start("A") + 2, 0);
    }),
    recipe("chain too long", 0, "cluster chain length is >", "fat-chain-long", |v| {
        v.put(v.find("A") + 28, &600u32.to_le_bytes());
    }),
    recipe("clusters of an empty file", 0, "cluster chain length is > 0", "fat-chain-long", |v| {
        v.put(v.find("A") + 28, &[0; 4]);
    }),
    recipe("first cluster 1", 0, "Bad start cluster 1", "fat-chain-start", |v| v.put(v.find("A") + 26, &[1, 0])),
    recipe("first cluster beyond", 0, "Start cluster beyond limit", "fat-chain-start", |v| {
        v.put(v.find("A") + 26, &[0xf0, 0xff]);
        let upper = if v.fat32 { [0xff, 0] } else { [0, 0] };
        v.put(v.find("A") + 20, &upper);
    }),
    recipe("no first cluster", 0, "cluster chain length is 0", "fat-chain-short", |v| v.put(v.find("A") + 26, &[0, 0])),
    recipe("name with a leading space", 16, "Bad short file name", "fat-short-name", |v| v.put(v.find("A"), b" A")),
    recipe("name with a star", 16, "Bad short file name", "fat-short-name", |v| v.put(v.find("A"), b"A*")),
    recipe("name with a dot", 16, "Bad short file name", "fat-short-name", |v| v.put(v.find("A"), b"A.")),
    recipe("name with a control character", 16, "Bad short file name", "fat-short-name", |v| {
        v.put(v.find("A"), b"A\x03")
    }),
    recipe("name in lower case", 16, "", "", |v| v.put(v.find("A"), b"a")),
    recipe("name with a plus", 16, "", "", |v| v.put(v.find("A"), b"A+")),
    recipe("name beyond ASCII", 16, "", "", |v| v.put(v.find("A"), b"\x80\x81\x82\x83")),
    recipe("two files of one name", 0, "Duplicate directory entry", "fat-duplicate-name", |v| v.put(v.find("B"), b"A")),
    recipe("directory with a size", 0, "Directory has non-zero size", "fat-directory-size", |v| {
        v.put(v.find("DIR") + 28, &[5]);
    }),
    recipe("directory without a cluster", 0, "Start does point to root directory", "fat-directory-empty", |v| {
        v.put(v.find("DIR") + 26, &[0, 0]);
    }),
    recipe("directory's chain is free", 0, "Contains a free cluster", "fat-chain-free", |v| v.entry(v.start("DIR"), 0)),
    recipe("wrong dot", 0, "Invalid '.' entry", "fat-dot-entry", |v| v.change(v.find(".") + 26, |b| b ^ 7)),
    recipe("wrong dot dot", 0, "Invalid '..' entry", "fat-dotdot-entry", |v| v.change(v.find("..") + 26, |b| b ^ 7)),
    recipe("dot deleted", 0, "Expected a valid '.' entry", "fat-dot-entry", |v| v.put(v.find("."), &[0xe5])),
    recipe("directory in itself", 0, "Start does point to containing directory", "fat-directory-loop", |v| {
        let start = v.start("DIR") as u16;
        v.put(v.find("SUB") + 26, &start.to_le_bytes());
    }),
    recipe("directory in its parent", 0, "containing directory's parent", "fat-directory-loop", |v| {
        let start = v.start("DIR") as u16;
        let at = v.find("DEEP");
        v.put(at + 26, &start.to_le_bytes());
    }),
    recipe("dot marked nameless", 0, "Is a dot with no 8.3 name flag set", "fat-dot-entry", |v| {
        v.put(v.find(".") + 12, &[0x20]);
    }),
    recipe("directory of garbage", 32, "Has a large number of bad entries", "fat-directory-garbage", |v| {
        let at = v.root + (v.start("SUB") - 2) * 512 + if v.fat32 { 0 } else { 512 * 32 };
        (2..16).for_each(|i| {
            v.put(at + i * 32, &[b'*', 0x81, 0x9f, 3, 4, 5, 6, 7, 1, 2, 3, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 9])
        });
    }),
    recipe("long name begins twice", 0, "starts within an old one", "fat-long-name-fragment", |v| {
        v.change(v.find("LONGNA~1TXT") - 32, |b| b | 0x40);
    }),
    recipe(
        "part of a long name of another",
        0,
        "Checksum in long filename part wrong",
        "fat-long-name-fragment",
        |v| {
            v.change(v.find("LONGNA~1TXT") - 32 + 13, |b| b ^ 9);
        },
    ),
    recipe("long name without its end", 0, "Unfinished long file name", "fat-long-name-broken", |v| {
        let at = v.find("LONGNA~1TXT");
        let entry = v.bytes[at..at + 32].to_vec();
        v.put(at - 32, &entry);
        v.put(at, &[0xe5]);
    }),
    recipe("long name without an entry", 0, "Orphaned long file name part", "fat-long-name-orphan", |v| {
        v.put(v.find("LONGNA~1TXT"), &[0xe5]);
    }),
    recipe("long name of another", 0, "Wrong checksum for long file name", "fat-long-name-checksum", |v| {
        v.put(v.find("LONGNA~1TXT"), b"X");
    }),
    recipe("long name out of order", 0, "Unexpected long filename sequence number", "fat-long-name-fragment", |v| {
        v.put(v.find("LONGNA~1TXT") - 32, &[3]);
    }),
    recipe("long name without its beginning", 0, "found outside a LFN sequence", "fat-long-name-fragment", |v| {
        v.change(v.find("LONGNA~1TXT") - 64, |b| b & 0x3f);
    }),
    recipe("long name with a cluster", 0, "Start cluster field in VFAT", "fat-long-name-field", |v| {
        v.put(v.find("LONGNA~1TXT") - 32 + 26, &[5]);
    }),
    recipe("long name with a type", 0, "Reserved field in VFAT", "fat-long-name-field", |v| {
        v.put(v.find("LONGNA~1TXT") - 32 + 12, &[5]);
    }),
    recipe("garbage in place of an entry", 0, "Start cluster beyond limit", "fat-directory-garbage", |v| {
        let garbage: Vec<u8> = (0..32u32).map(|k| (k * 37 + 11) as u8).collect();
        v.put(v.find("B"), &garbage);
    }),
    recipe("no label in the boot sector", 0, "There is no label in boot sector", "fat-label-root-only", |v| {
        v.put(v.boot(43, 71), b"NO NAME    ");
    }),
    recipe("no label in the root directory", 0, "there is no volume label in root", "fat-label-boot-only", |v| {
        v.put(v.find("LABEL"), &[0xe5]);
    }),
    recipe(
        "label with a star in the root directory",
        0,
        "stored in root directory is not valid",
        "fat-label-invalid",
        |v| {
            v.put(v.boot(43, 71), b"LA*EL      ");
            v.put(v.find("LABEL"), b"LA*EL      ");
        },
    ),
    recipe("two labels", 0, "and different", "fat-label-differs", |v| v.put(v.boot(43, 71), b"OTHER      ")),
    recipe("empty label", 0, "is not valid", "fat-label-invalid", |v| {
        v.put(v.boot(43, 71), b"           ");
        v.put(v.find("LABEL"), &[0xe5]);
    }),
    recipe("count of free clusters", 32, "Free cluster summary wrong", "fat-free-count", |v| {
        v.put(512 + 488, &[5, 0, 0, 0])
    }),
    recipe("free clusters unknown", 32, "Free cluster summary uninitialized", "fat-free-count-unknown", |v| {
        v.put(512 + 488, &[0xff; 4]);
    }),
    recipe("FSInfo without its mark", 32, "FSINFO sector has bad magic", "fat-fsinfo", |v| v.put(512, &[0])),
    recipe("no FSInfo", 32, "No FSINFO sector", "fat-fsinfo-missing", |v| {
        v.put(48, &[0, 0]);
        v.put(6 * 512 + 48, &[0, 0]);
    }),
    recipe("backup differs", 32, "differences between boot sector and its backup", "fat-boot-backup", |v| {
        v.put(6 * 512 + 3, b"A");
    }),
    recipe("no backup", 32, "There is no backup boot sector", "fat-boot-backup-missing", |v| v.put(50, &[0, 0])),
    recipe("root directory is free", 32, "root dir starts with a bad cluster", "fat-root-cluster", |v| v.entry(2, 0)),
    recipe("root directory beyond", 32, "start cluster beyond limit", "fat-root-cluster", |v| v.put(44, &[0, 0, 0xff])),
    recipe("root directory nowhere", 32, "Bad FAT32 root directory", "fat-root-cluster", |v| v.put(44, &[1])),
    recipe("no mark at the boot sector's end", 16, "", "fat-boot-signature", |v| v.put(510, &[0, 0])),
    recipe("boot sector zeroed", 32, "Logical sector size is zero", "fat-boot-sector", |v| v.put(0, &[0; 512])),
    recipe("image cut", 0, "Failed to read sector", "fat-truncated", |v| v.bytes.truncate(v.bytes.len() / 2)),
    recipe("no time", 0, "", "fat-time", |v| v.put(v.find("B") + 22, &[0xff; 4])),
];

fn healthy(scratch: &Scratch, bits: u8) -> Volume {
    let image = scratch.sparse(&format!("healthy{bits}.img"), if bits == 16 { 16 << 20 } else { 40 << 20 });
    let path = image.display().to_string();
    tool("mkfs.fat", &["-F", &bits.to_string(), "-s", "1", "-n", "LABEL", "-i", "12345678", &path]);
    let file = |name: &str, len: usize| {
        let at = scratch.join(name);
        fs::write(&at, vec![b'x'; len]).expect("a file");
        at.display().to_string()
    };
    let (a, b, long) = (file("A", 1500), file("B", 600), file("long name file.txt", 700));
    tool("mmd", &["-i", &path, "::/DIR"]);
    tool("mcopy", &["-i", &path, &a, &b, &long, "::/"]);
    tool("mcopy", &["-i", &path, &a, &b, "::/DIR"]);
    tool("mmd", &["-i", &path, "::/DIR/SUB", "::/DIR/SUB/DEEP"]);
    Volume::new(fs::read(&image).expect("the image"))
}

/// What we find: every code, and whether any of it has weight.
fn found(image: &Path) -> (BTreeSet<&'static str>, bool) {
    let source = Arc::new(FileSource::open(image).expect("the image"));
    let fs = (fat::DRIVER.open)(&Members::one(source), &OpenOptions::default(), &Silent).expect("a source");
    let log = fs.expect("a FAT volume").check(&Silent).expect("a check").log;
    let codes = log.counts().map(|(code, _)| code.id).collect();
    (codes, log.worst().is_some_and(|worst| worst >= Severity::Damage))
}

#[test]
fn every_message_of_fsck_has_its_finding() {
    let scratch = Scratch::new();
    let mut wrong = Vec::new();
    for bits in [16, 32] {
        let bytes = healthy(&scratch, bits).bytes;
        for recipe in RECIPES.iter().filter(|recipe| recipe.bits == 0 || recipe.bits == bits) {
            let mut volume = Volume::new(bytes.clone());
            (recipe.damage)(&mut volume);
            let image = scratch.join("damaged.img");
            fs::write(&image, &volume.bytes).expect("the image");
            let ran = run(system("fsck.fat").arg("-n").arg(&image), b"");
            let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
            let (codes, damaged) = untouched(&image, found);
            let name = format!("FAT{bits}, {}", recipe.name);
            if !said.contains(recipe.says) {
                wrong.push(format!("{name}: fsck.fat does not say {:?}: {said}", recipe.says));
            }
            if damaged != (ran.code != 0) {
                wrong.push(format!("{name}: fsck.fat ended with {}, we found {codes:?}: {said}", ran.code));
            }
            if !recipe.code.is_empty() && !codes.contains(recipe.code) {
                wrong.push(format!("{name}: no {}, but {codes:?}", recipe.code));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_are_unique_and_explained() {
    let mut ids = BTreeSet::new();
    for code in fat::codes::TABLE.iter().chain(offmount::fs::exfat::codes::TABLE) {
        assert!(ids.insert(code.id), "{} twice", code.id);
        assert!(!code.title.is_empty() && !code.explain.is_empty(), "{} is not explained", code.id);
    }
}
