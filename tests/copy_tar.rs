//! Copies as a tar stream: GNU tar restores from it what the kernel showed.

mod common;
mod copying;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::{Mounted, Scratch, offmount, run, system, tool};
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
    extract_with(archive, scratch, &["--xattrs", "--xattrs-include=*"])
}

fn extract_with(archive: &Path, scratch: &Scratch, attributes: &[&str]) -> PathBuf {
    let to = scratch.dir("extracted");
    let ran = run(
        system("tar")
            .args(attributes)
            .args(["--warning=no-timestamp", "--delay-directory-restore", "--same-owner", "--numeric-owner", "-xpSf"])
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
    assert_eq!(named, [""; 0]);
    assert_eq!(outcome.counts.unkept.get("itself"), Some(&1), "an archive holds no sockets");
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

/// GNU tar makes no path longer than a call of the system takes.
#[test]
fn a_tree_deeper_than_paths_may_be_is_unpacked_whole() {
    let scratch = Scratch::new();
    let deep = "for i in $(seq 25); do mkdir \"$(printf 'd%.0s' $(seq 200))\"; cd d*; echo $i > at; done";
    let image = ext4(&scratch, 32 * MIB, deep);
    let (archive, outcome) = archive(&image, &scratch);
    assert!(outcome.notes.iter().any(|note| note.contains("#long/")), "{outcome:?}");
    let to = extract(&archive, &scratch);
    let files = run(system("find").args([".", "-name", "at"]).current_dir(&to), b"").exits(0);
    assert_eq!(files.text().lines().count(), 25);
}

/// Lists of access control are also what `--acls` looks for. Nothing that GNU tar calls an attribute is needed for them.
#[test]
fn gnu_tar_restores_lists_of_access_control_by_their_own_option() {
    let scratch = Scratch::new();
    let script = "mkdir -p d/e; echo 1 > d/x; setfacl -m u:1000:rwx,g:4:r d/x; setfacl -d -m u:1000:rx d; setfacl -m u:33:rwx d/e";
    let image = ext4(&scratch, 32 * MIB, script);
    let (archive, _) = archive(&image, &scratch);
    let to = extract_with(&archive, &scratch, &["--acls"]);
    let mounted = Mounted::read_only(&image, "noload");
    assert_eq!(rsync_differences_but(mounted.path(), &to, &[]), "");
    let listed =
        |top: &Path| run(system("getfacl").args(["-Rn", "."]).current_dir(top), b"").exits(0).text().to_owned();
    let without_own = listed(&to).split("\n\n").filter(|it| !it.contains(".offmount")).collect::<Vec<_>>().join("\n\n");
    assert!(without_own.contains("user:1000:r-x") && without_own.contains("user:33:rwx"), "{without_own}");
}

#[test]
fn a_compressed_archive_is_what_zstd_reads() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "mkdir d; seq 200000 > d/x; head -c 3000000 /dev/urandom > y");
    let (to, image_text) = (scratch.join("copy.tar.zst"), image.to_str().unwrap());
    let url = format!("tar:{}", to.display());
    offmount(&["copy", image_text, "--to", &url, "--zstd"]).exits(0);
    tool("zstd", &["-tq", to.to_str().unwrap()]);
    let plain = scratch.join("copy.tar");
    tool("zstd", &["-dq", to.to_str().unwrap(), "-o", plain.to_str().unwrap()]);
    let extracted = extract(&plain, &scratch);
    let mounted = Mounted::read_only(&image, "noload");
    assert_eq!(rsync_differences_but(mounted.path(), &extracted, &[]), "");
    // It is never written over, and can not be gone on with.
    let again = offmount(&["copy", image_text, "--to", &url, "--zstd"]).exits(2);
    assert!(again.stderr.contains("can not be gone on with"), "{again:?}");
}

/// More than what the archive's writer, and a pipe, hold.
#[test]
fn an_archive_on_standard_output_comes_to_its_end() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "head -c 9000000 /dev/urandom > x; echo 1 > y");
    let copy = |end: &str| {
        let program = env!("CARGO_BIN_EXE_offmount");
        let script =
            format!("set -o pipefail; timeout -s KILL 60 '{program}' copy '{}' --to tar:- {end}", image.display());
        run(system("bash").args(["-c", &script]), b"")
    };
    assert!(copy("| tar -t").exits(0).text().contains(".offmount/B3SUMS"));
    copy("--dry-run").exits(0);
    for nobody in ["> /dev/full", "| head -c 1000 > /dev/null"] {
        let ran = copy(nobody).exits(1);
        assert!(ran.stderr.contains("can not be written any more"), "{nobody}: {ran:?}");
        assert!(ran.stderr.contains("an archive can not be gone on with"), "{nobody}: {ran:?}");
    }
}

#[test]
fn an_archive_that_does_not_fit_is_told() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "head -c 9000000 /dev/urandom > x");
    for zstd in [&[][..], &["--zstd"]] {
        let to = ["copy", image.to_str().unwrap(), "--to", "tar:/dev/full"];
        let ran = offmount(&[&to[..], zstd].concat());
        assert!(ran.code == 2 && ran.stderr.contains("/dev/full"), "{ran:?}");
        let small = scratch.dir(if zstd.is_empty() { "plain" } else { "compressed" });
        tool("mount", &["-t", "tmpfs", "-o", "size=4M", "none", small.to_str().unwrap()]);
        let url = format!("tar:{}", small.join("x.tar").display());
        let ran = offmount(&[&["copy", image.to_str().unwrap(), "--to", &url][..], zstd].concat());
        tool("umount", &["-l", small.to_str().unwrap()]);
        assert!(ran.code == 1 && ran.text().contains("No space left"), "{ran:?}");
    }
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
