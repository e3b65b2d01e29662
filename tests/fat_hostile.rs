//! Random damage on FAT and exFAT volumes: no panic, no endless loop, no more than the image holds.

mod common;

use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use common::{Scratch, tool};
use offmount::fs::content::{Content, Run};
use offmount::fs::{Driver, Members, OpenOptions, exfat, fat};
use offmount::node::Kind;
use offmount::progress::Silent;
use offmount::source::faulty::{Fault, Faulty};
use offmount::source::{MemorySource, Source};
use offmount::tree::Tree;
use proptest::prelude::*;

/// Longer than any of these tiny volumes may take, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn volumes() -> &'static [(&'static Driver, Vec<u8>)] {
    static VOLUMES: OnceLock<Vec<(&'static Driver, Vec<u8>)>> = OnceLock::new();
    VOLUMES.get_or_init(|| {
        let scratch = Scratch::new();
        let files: Vec<String> = (0..12)
            .map(|i| {
                let path = scratch.join(format!("a file with a long name {i}.txt"));
                fs::write(&path, vec![i as u8; 100 + i * 900]).expect("a file");
                path.display().to_string()
            })
            .collect();
        let fat = |name: &str, size: u64, mkfs: &[&str]| {
            let image = scratch.sparse(name, size);
            let path = image.display().to_string();
            tool("mkfs.fat", &[mkfs, &[&path]].concat());
            tool("mmd", &["-i", &path, "::/DIR", "::/DIR/SUB"]);
            let names: Vec<&str> = files.iter().map(String::as_str).collect();
            tool("mcopy", &[&["-i", path.as_str()], names.as_slice(), &["::/DIR/SUB"]].concat());
            fs::read(&image).expect("the image")
        };
        let image = scratch.sparse("exfat", 8 << 20);
        tool("mkfs.exfat", &["-c", "512", &image.display().to_string()]);
        vec![
            (&fat::DRIVER, fat("fat12", 360 << 10, &["-F", "12"])),
            (&fat::DRIVER, fat("fat16", 3 << 20, &["-F", "16", "-s", "1"])),
            (&fat::DRIVER, fat("fat32", 34 << 20, &["-F", "32", "-s", "1"])),
            (&exfat::DRIVER, fs::read(&image).expect("the image")),
        ]
    })
}

/// Does everything that can be done with a volume.
fn use_all(driver: &Driver, source: Source) {
    let began = Instant::now();
    let len = source.len();
    let Ok(Some(fs)) = (driver.open)(&Members::one(source), &OpenOptions::default(), &Silent) else { return };
    let _ = fs.summary();
    let Ok(tree) = Tree::whole(fs.clone(), &Silent) else { return };
    for item in tree.items().take(2000) {
        let Some(node) = tree.nodes(&[item]).ok().and_then(|mut nodes| nodes.remove(0)) else { continue };
        assert!(node.size <= len.max(1 << 36), "{} bytes", node.size);
        let Ok(content) = Content::open(&*fs, &node) else { continue };
        let real: u64 =
            content.runs().iter().filter(|run| matches!(run, Run::Data(..))).map(|run| run.span().len()).sum();
        assert!(node.kind != Kind::File || real <= node.size, "more is mapped than the file holds");
    }
    let _ = fs.check(&Silent);
    let _ = fs.deleted(&Silent);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_anywhere(
        which in 0usize..4,
        places in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 1..64)), 1..24),
    ) {
        let (driver, bytes) = &volumes()[which];
        let mut bytes = bytes.clone();
        for (at, with) in places {
            // Most of what matters stands in the first 64 KiB.
            let room = if at & 1 == 0 { bytes.len().min(64 << 10) } else { bytes.len() };
            let at = at as usize % room;
            let end = (at + with.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&with[..end - at]);
        }
        use_all(driver, Arc::new(MemorySource(bytes)));
    }

    #[test]
    fn any_end_of_the_image(which in 0usize..4, len in any::<u32>()) {
        let (driver, bytes) = &volumes()[which];
        let len = len as usize % bytes.len();
        use_all(driver, Arc::new(MemorySource(bytes[..len].to_vec())));
    }

    #[test]
    fn any_read_that_fails(which in 0usize..4, at in 0u64..200, gone in any::<bool>()) {
        let (driver, bytes) = &volumes()[which];
        let fault = if gone { Fault::Gone } else { Fault::Lost };
        use_all(driver, Arc::new(Faulty::new(Arc::new(MemorySource(bytes.clone())), fault, at)));
    }
}
