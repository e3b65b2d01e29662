//! The second reader of FAT volumes agrees on healthy ones, and damage neither stops it nor makes a difference of it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Scratch, offmount, tool, untouched};
use offmount::crosscheck::{Comparison, Request, cross_check};
use offmount::fs::{Members, OpenOptions, fat};
use offmount::progress::Silent;
use offmount::source::{MemorySource, Source};
use offmount::tree::Tree;

/// Longer than the second reader may take on any of these volumes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A volume of files, long names and folders, by mkfs.fat and mtools.
fn make(scratch: &Scratch, bits: &str, size: u64) -> PathBuf {
    let image = scratch.sparse(&format!("fat{bits}.img"), size);
    let path = image.display().to_string();
    tool("mkfs.fat", &["-F", bits, "-s", "1", "-n", "LABEL", "-i", "12345678", &path]);
    let root = scratch.dir(&format!("tree{bits}"));
    for (name, len) in
        [("A", 1500), ("EMPTY", 0), ("a long name — with letters.txt", 700), ("d/e/f/deep file.bin", 40_000)]
    {
        let at = root.join(name);
        fs::create_dir_all(at.parent().expect("a parent")).expect("folders");
        fs::write(at, (0..len).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>()).expect("a file");
    }
    fs::create_dir_all(root.join("many")).expect("a folder");
    (0..60).for_each(|i| fs::write(root.join(format!("many/message number {i}.eml")), vec![i; 900]).expect("a file"));
    let tops: Vec<PathBuf> =
        fs::read_dir(&root).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    let tops: Vec<String> = tops.iter().map(|path| path.display().to_string()).collect();
    tool(
        "mcopy",
        &[&["-s", "-Q", "-i", &path], tops.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), &["::/"]]
            .concat(),
    );
    image
}

fn compare(bytes: Vec<u8>) -> Option<(Comparison, usize)> {
    let source: Source = Arc::new(MemorySource(bytes));
    let fs = (fat::DRIVER.open)(&Members::one(source.clone()), &OpenOptions::default(), &Silent).expect("a source")?;
    let tree = Tree::whole(fs, &Silent).expect("a tree");
    let began = Instant::now();
    let request = Request { tree: &tree, source: &source, wanted: &|_| true, hash_of: &|_| None };
    let comparison = cross_check(&request, &Silent).expect("a comparison");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    Some((comparison, tree.len()))
}

fn volumes(scratch: &Scratch) -> [PathBuf; 3] {
    [make(scratch, "12", 1 << 20), make(scratch, "16", 4 << 20), make(scratch, "32", 34 << 20)]
}

#[test]
fn it_agrees_on_healthy_volumes() {
    let scratch = Scratch::new();
    for image in volumes(&scratch) {
        let (comparison, paths) = compare(fs::read(&image).expect("the image")).expect("a volume");
        assert_eq!((comparison.agreed, comparison.reader), (paths as u64, Some("fatfs 0.3.6")), "{comparison:#?}");
        assert!(comparison.agrees() && comparison.unjudged_paths() == 0, "{comparison:#?}");
    }
}

#[test]
fn copy_can_be_cross_checked() {
    let scratch = Scratch::new();
    for (i, image) in volumes(&scratch).iter().enumerate() {
        let target = scratch.join(format!("target{i}"));
        untouched(image, |image: &Path| {
            let (image, target) = (image.as_os_str(), target.as_os_str());
            offmount(&["copy".as_ref(), image, "--to".as_ref(), target, "--cross-check".as_ref()]).exits(0)
        });
    }
}

/// Places of the first table and of the entry with a short name.
fn places(bytes: &[u8], name: &[u8; 11]) -> (usize, usize) {
    let short = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    (short(14) * 512, bytes.windows(11).position(|window| window == name).expect("the entry"))
}

#[test]
fn what_it_is_known_to_fail_on_is_survived() {
    let scratch = Scratch::new();
    let healthy = fs::read(make(&scratch, "16", 4 << 20)).expect("the image");
    let (table, entry) = places(&healthy, b"A          ");
    let start = usize::from(u16::from_le_bytes([healthy[entry + 26], healthy[entry + 27]]));
    // A first cluster of 1 makes it panic; a circle makes it go round for ever.
    let mut panics = healthy.clone();
    panics[entry + 26..entry + 28].copy_from_slice(&[1, 0]);
    let mut circles = healthy.clone();
    circles[entry + 28..entry + 32].copy_from_slice(&[0xff, 0xff, 0xff, 0]);
    for table in [table, table + 16 * 512] {
        circles[table + start * 2..table + start * 2 + 2].copy_from_slice(&(start as u16).to_le_bytes());
    }
    let (_, directory) = places(&healthy, b"MANY       ");
    let start = usize::from(u16::from_le_bytes([healthy[directory + 26], healthy[directory + 27]]));
    let mut endless = healthy.clone();
    endless[table + start * 2..table + start * 2 + 2].copy_from_slice(&(start as u16).to_le_bytes());
    for (name, bytes) in [("panic", panics), ("circle", circles), ("endless directory", endless)] {
        let (comparison, paths) = compare(bytes).expect("a volume");
        assert!(comparison.unjudged_paths() > 0 || comparison.agreed < paths as u64, "{name}: {comparison:#?}");
        assert!(comparison.agreed > 5, "{name}: all else is compared: {comparison:#?}");
    }
}

#[test]
fn random_damage_is_survived() {
    let scratch = Scratch::new();
    let healthy = fs::read(make(&scratch, "12", 1 << 20)).expect("the image");
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % end as u64) as usize
    };
    for _ in 0..24 {
        let mut bytes = healthy.clone();
        for _ in 0..40 {
            // Boot sector, tables and directories stand at the front.
            let at = random(48 << 10);
            bytes[at] = random(256) as u8;
        }
        compare(bytes);
    }
}
