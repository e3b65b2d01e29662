//! The disk of `testdata/`: its recipe makes it again, and other readers see of its damaged directory what README
//! says they see.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Scratch, run, skipped, system, testdata, tool, untouched};

/// Where its root filesystem begins and ends, in MiB.
const ROOT: (u64, u64) = (2, 12);

#[test]
fn the_recipe_makes_the_image_to_the_last_bit() {
    let version = run(system("mke2fs").arg("-V"), b"").stderr;
    if !version.contains("1.47.0") {
        return skipped(&format!("the image was made by mke2fs 1.47.0, this is {}", version.lines().next().unwrap()));
    }
    let scratch = Scratch::new();
    let made = scratch.join("server.img");
    tool("bash", &[testdata("make-server.sh"), made.clone()]);
    assert_eq!(common::hash_file(&made), common::hash_file(&testdata("server.img")));
    assert_eq!(fs::read(made.with_extension("sha256")).unwrap(), fs::read(testdata("server.sha256")).unwrap());
}

#[test]
fn debugfs_and_ext4_view_list_three_of_eight_files() {
    let scratch = Scratch::new();
    untouched(&root_filesystem(&scratch), |root| {
        let listed = run(system("debugfs").args(["-R", "ls -p /srv/invoices"]).arg(root), b"");
        assert_eq!(String::from_utf8_lossy(&listed.stdout).matches(".csv").count(), 3, "{listed:?}");
        assert!(listed.stderr.contains("directory corrupted"), "{listed:?}");

        let peer = ext4_view::Ext4::load(Box::new(fs::read(root).unwrap())).unwrap();
        let listed: Vec<_> = peer.read_dir("/srv/invoices").unwrap().collect();
        let names = listed.iter().flatten().filter(|entry| entry.file_name().as_str().unwrap().ends_with(".csv"));
        assert_eq!(names.count(), 3);
        assert!(listed.last().unwrap().is_err());
    });
}

#[test]
fn e2fsck_gives_up_at_the_damaged_directory() {
    let scratch = Scratch::new();
    untouched(&root_filesystem(&scratch), |root| {
        let ran = run(system("e2fsck").arg("-fn").arg(root), b"");
        let offset = "Directory inode 24, block #0, offset 84: directory corrupted";
        assert!(ran.text().contains(offset) && ran.stderr.contains("e2fsck: aborted"), "{ran:?}");
    });
}

/// The root filesystem of the image as a file of its own, for tools that take no offset.
fn root_filesystem(scratch: &Scratch) -> PathBuf {
    let path = scratch.join("root.ext4");
    let mib = 1 << 20;
    let disk = fs::read(testdata("server.img")).unwrap();
    write(&path, &disk[(ROOT.0 * mib) as usize..(ROOT.1 * mib) as usize]);
    path
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
