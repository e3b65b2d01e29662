//! Copies as a tar stream: GNU tar restores from it what the kernel showed.

mod common;
mod copying;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::{Mounted, Scratch, run, system, tool};
use copying::{EVERYTHING, copy_with, ext4, rsync_differences_but};
use offmount::copy::{Destination, Outcome};

const MIB: u64 = 1 << 20;

fn archive(image: &Path, scratch: &Scratch) -> (PathBuf, Outcome) {
    let path = scratch.join("copy.tar");
    let stream = Box::new(File::create(&path).unwrap());
    (path, copy_with(image, Destination::Tar(stream), |_| {}).unwrap())
}

/// GNU tar makes links that lead upwards last of all, and thereby changes the times of directories that it does not
/// remember: `--delay-directory-restore` makes it remember all.
fn extract(archive: &Path, scratch: &Scratch) -> PathBuf {
    let to = scratch.dir("extracted");
    let ran = run(
        system("tar")
            .args([
                "--xattrs",
                "--xattrs-include=*",
                "--warning=no-timestamp",
                "--delay-directory-restore",
                "--same-owner",
                "--numeric-owner",
                "-xpSf",
            ])
            .arg(archive)
            .current_dir(&to),
        b"",
    );
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    to
}

#[test]
fn gnu_tar_restores_everything() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, EVERYTHING);
    let (archive, outcome) = archive(&image, &scratch);
    let named: Vec<_> = outcome.problems.iter().map(|it| String::from_utf8_lossy(&it.path).into_owned()).collect();
    assert_eq!(named, ["home/alice/sock"], "an archive holds no sockets");
    let to = extract(&archive, &scratch);
    let mounted = Mounted::read_only(&image, "noload");
    assert_eq!(rsync_differences_but(mounted.path(), &to, &["/home/alice/sock"]), "");
    let (ours, theirs) =
        (fs::metadata(to.join("etc/passwd")).unwrap(), fs::metadata(mounted.join("etc/passwd")).unwrap());
    assert_eq!((ours.nlink(), ours.mtime_nsec()), (theirs.nlink(), theirs.mtime_nsec()));
    let sparse = fs::metadata(to.join("home/alice/sparse")).unwrap();
    assert!(sparse.blocks() < 1000, "{} blocks", sparse.blocks());
    assert!(to.join(".offmount/manifest.jsonl").exists() && to.join(".offmount/B3SUMS").exists());
}

#[test]
fn the_stream_of_one_image_is_always_the_same_and_lists_without_a_complaint() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "mkdir d; echo 1 > d/x; ln d/x y; truncate -s 5G hole; touch -d 1950-01-01 y");
    let (path, _) = archive(&image, &scratch);
    let listed = String::from_utf8(tool("tar", &[Path::new("-tvf"), &path])).unwrap();
    assert!(
        listed.contains("5368709120") && listed.contains("y link to d/x") || listed.contains("d/x link to y"),
        "{listed}"
    );
}
