//! Opening a source: what this machine has mounted of it, and what a mapfile says of it.

mod common;

use std::path::Path;

use common::{Mounted, Scratch, is_root, run, skipped, system, tool, untouched};
use offmount::bytes::{Span, Spans};
use offmount::survey::{SourceOptions, open_source};

fn filesystem(scratch: &Scratch) -> std::path::PathBuf {
    let path = scratch.sparse("image", 8 << 20);
    tool("mkfs.ext4", &["-q", path.to_str().unwrap()]);
    path
}

fn options() -> SourceOptions {
    SourceOptions::default()
}

#[test]
fn an_image_that_is_mounted_is_told_of() {
    if !is_root() {
        return skipped("mounting needs root");
    }
    let scratch = Scratch::new();
    let path = filesystem(&scratch);
    assert!(open_source(&path, &options()).unwrap().mounted.is_empty());
    for writable in [true, false] {
        let mount = if writable { Mounted::writable(&path, "") } else { Mounted::read_only(&path, "noload") };
        let opened = open_source(&path, &options()).unwrap();
        assert_eq!(opened.mounted.iter().map(|m| m.at.as_path()).collect::<Vec<_>>(), [mount.path()]);
        assert_eq!(opened.is_mounted_writable(), writable);
        // The loop device over it says the same.
        let device = run(system("findmnt").args(["-n", "-o", "SOURCE"]).arg(mount.path()), b"");
        let opened = open_source(Path::new(device.text().trim()), &options()).unwrap();
        assert_eq!((opened.is_device, opened.is_mounted_writable()), (true, writable));
        assert_eq!((opened.size, opened.sector_size), (8 << 20, Some(512)));
    }
    assert!(open_source(&path, &options()).unwrap().mounted.is_empty());
}

#[test]
fn what_a_mapfile_does_not_call_finished_reads_as_lost() {
    let scratch = Scratch::new();
    let path = filesystem(&scratch);
    let mapfile = scratch.join("map");
    std::fs::write(&mapfile, "# a map\n0x0 + 1\n0x0 0x1000 +\n0x1000 0x200 -\n0x1200 0x7FEE00 +\n").unwrap();
    let options = SourceOptions { mapfile: Some(mapfile.clone()) };
    untouched(&path, |path| {
        let opened = open_source(path, &options).unwrap();
        let bad = Span { start: 0x1000, end: 0x1200 };
        assert_eq!(opened.unfinished.iter().collect::<Vec<_>>(), [bad]);
        let (mut buf, mut lost) = (vec![1; 0x3000], Spans::new());
        opened.source.read(0, &mut buf, &mut lost).unwrap();
        assert_eq!(lost.iter().collect::<Vec<_>>(), [bad]);
        assert!(buf[0x1000..0x1200].iter().all(|&byte| byte == 0));
    });

    std::fs::write(&mapfile, "not a map\n").unwrap();
    let error = open_source(&path, &options).map(|_| ()).unwrap_err();
    assert_eq!(error.path, mapfile);
}

#[test]
fn what_is_no_disk_can_not_be_opened() {
    let scratch = Scratch::new();
    for path in [scratch.join("missing"), scratch.path().to_owned(), "/dev/null".into()] {
        assert!(open_source(&path, &options()).is_err(), "{}", path.display());
    }
}
