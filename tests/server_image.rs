//! The disk of `testdata/`: its recipe makes it again, and other readers see of its damaged directory what README
//! says they see.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Scratch, run, same_for_threads, skipped, system, testdata, tool, untouched, with_threads};

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

#[test]
fn offmount_lists_all_eight() {
    untouched(&testdata("server.img"), |disk| {
        let listed = same_for_threads(&["ls".as_ref(), disk.as_os_str(), "/srv/invoices".as_ref()]).exits(0);
        let names: Vec<String> = (1..=8).map(|month| format!("2026-{month:02}.csv")).collect();
        assert_eq!(listed.lines(), names);
    });
}

#[test]
fn offmount_copies_every_file_as_the_recipe_wrote_it() {
    let scratch = Scratch::new();
    untouched(&testdata("server.img"), |disk| {
        with_threads(|threads| {
            let copy = scratch.join(format!("copy-{threads}"));
            let args = ["copy".as_ref(), disk.as_os_str(), "--to".as_ref(), copy.as_os_str()];
            let args = [&args[..], &["--quiet".as_ref(), "--threads".as_ref(), threads.as_ref()]].concat();
            common::offmount(&args).exits(0);
            let mut sha256sum = system("sha256sum");
            let checked = sha256sum.arg("-c").arg(testdata("server.sha256")).current_dir(&copy);
            assert_eq!(run(checked, b"").exits(0).lines().len(), 24);
            let mut b3sum = system("b3sum");
            let checked = b3sum.args(["-c", ".offmount/B3SUMS"]).current_dir(&copy);
            // The same, and two files on the EFI system partition, which stands at /boot/efi.
            assert_eq!(run(checked, b"").exits(0).lines().len(), 26);
            let grub = fs::read_to_string(copy.join("boot/efi/EFI/debian/grub.cfg")).unwrap();
            assert!(grub.contains("6f66666d-6f75-6e74-8000-00000000000a"));
        });
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
