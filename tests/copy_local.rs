//! Copies to a directory: as faithful as rsync from a mount, run again, stopped, refused.

mod common;
mod copying;
#[path = "common/exfat.rs"]
mod exfat;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};

use common::{Mounted, Scratch, system, tool, tool_fed, untouched};
use copying::{EVERYTHING, copy, copy_with, ext4, record, records, rsync_differences};
use offmount::copy::{Destination, Stopped};
use offmount::manifest::{Algorithm, Status};

const MIB: u64 = 1 << 20;

#[test]
fn a_copy_is_what_rsync_makes_from_a_mount() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, EVERYTHING);
    let to = scratch.join("copy");
    let outcome = untouched(&image, |image| copy(image, &to));
    assert!(outcome.is_complete(), "{outcome:?}");
    let mounted = Mounted::read_only(&image, "noload");
    assert_eq!(rsync_differences(mounted.path(), &to), "");
    // rsync compares no holes, and not when a file was read last.
    for name in ["home/alice/sparse", "home/alice/hole", "home/alice/prealloc"] {
        let (ours, theirs) = (fs::metadata(to.join(name)).unwrap(), fs::metadata(mounted.join(name)).unwrap());
        assert!(ours.blocks() <= theirs.blocks(), "{name}: {} blocks, not {}", ours.blocks(), theirs.blocks());
    }
    for name in ["etc/passwd", "home/alice/hard2", "var/log/f2"].map(|name| name.replace("home/alice/hard2", "hard2")) {
        let (ours, theirs) = (fs::metadata(to.join(&name)).unwrap(), fs::metadata(mounted.join(&name)).unwrap());
        assert_eq!((ours.nlink(), ours.mtime_nsec()), (theirs.nlink(), theirs.mtime_nsec()), "{name}");
    }
    let ours = fs::metadata(to.join("hard2")).unwrap().ino();
    assert_eq!(ours, fs::metadata(to.join("etc/deep/er/hard")).unwrap().ino());
}

#[test]
fn sums_are_accepted_by_the_programs_that_check_them() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, EVERYTHING);
    let to = scratch.join("copy");
    let all = |request: &mut offmount::copy::Request<'_>| {
        Algorithm::ALL.into_iter().for_each(|algorithm| request.hashes.add(algorithm));
    };
    let outcome = copy_with(&image, Destination::Directory(to.clone()), all).unwrap();
    assert_eq!(outcome.counts.unnamed_in_sums, 2, "the name that is not UTF-8 and the one that ends with a return");
    let files = records(&to).iter().filter(|record| record.digests.blake3.is_some()).count();
    for (program, sums) in [("sha256sum", "SHA256SUMS"), ("sha1sum", "SHA1SUMS"), ("md5sum", "MD5SUMS")] {
        let ran = common::run(
            system(program).args(["-c", "--quiet", "--strict", &format!(".offmount/{sums}")]).current_dir(&to),
            b"",
        );
        assert!(ran.code == 0 && ran.stderr.is_empty(), "{program}: {ran:?}");
        let lines = fs::read(to.join(".offmount").join(sums)).unwrap().iter().filter(|&&b| b == b'\n').count();
        assert_eq!(lines, files, "{sums}");
    }
    // b3sum is not in every distribution: the hash of the standard's own implementation stands in for it.
    for record in records(&to).iter().filter(|record| record.digests.blake3.is_some()) {
        let path = to.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&record.path));
        assert_eq!(record.digests.blake3, Some(*blake3::hash(&fs::read(&path).unwrap()).as_bytes()), "{path:?}");
    }
    if std::process::Command::new("b3sum").arg("--version").output().is_ok() {
        let ran = common::run(system("b3sum").args(["-c", "--quiet", ".offmount/B3SUMS"]).current_dir(&to), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[test]
fn extents_of_the_manifest_lead_to_the_bytes() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "head -c 100000 /dev/urandom > a; sync; head -c 5000 /dev/urandom >> a");
    let to = scratch.join("copy");
    copy(&image, &to);
    let (disk, file) = (fs::File::open(&image).unwrap(), fs::read(to.join("a")).unwrap());
    let record = record(&to, "a");
    let mut covered = 0;
    for (logical, place, len) in record.extents {
        let mut bytes = vec![0; len as usize];
        disk.read_exact_at(&mut bytes, place).unwrap();
        assert_eq!(bytes, file[logical as usize..(logical + len) as usize]);
        covered += len;
    }
    assert_eq!(covered, record.size);
}

#[test]
fn one_thread_and_eight_give_the_same_manifest() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, EVERYTHING);
    let manifests = [1, 8].map(|threads| {
        let to = scratch.join(format!("copy{threads}"));
        let options = |request: &mut offmount::copy::Request<'_>| request.threads = Some(threads);
        copy_with(&image, Destination::Directory(to.clone()), options).unwrap();
        records(&to)
    });
    assert!(manifests[0].len() > 400);
    assert_eq!(manifests[0], manifests[1]);
}

#[test]
fn run_again_it_finds_everything_there_and_a_file_that_differs_is_kept() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, EVERYTHING);
    let to = scratch.join("copy");
    let first = copy(&image, &to);
    let again = copy(&image, &to);
    assert!(again.is_complete(), "{:?}", again.problems);
    let directories = first.counts.copied[&offmount::node::Kind::Directory];
    assert_eq!(again.counts.already_there + directories, first.counts.total_copied());
    let mounted = Mounted::read_only(&image, "noload");
    assert_eq!(rsync_differences(mounted.path(), &to), "");

    fs::write(to.join("etc/passwd"), "changed\n").unwrap();
    fs::remove_file(to.join("var/log/f3")).unwrap();
    fs::remove_file(to.join("etc/soft")).unwrap();
    fs::write(to.join("etc/soft"), "in its place").unwrap();
    let again = copy(&image, &to);
    assert!(!again.is_complete());
    let kept: BTreeSet<_> = again.problems.iter().map(|it| String::from_utf8_lossy(&it.path).into_owned()).collect();
    let expected = ["etc/passwd", "etc/soft", "etc/soft-hard"].map(String::from);
    assert!(kept.contains("etc/passwd") && kept.contains("etc/soft"), "{kept:?} has not all of {expected:?}");
    assert_eq!(fs::read_to_string(to.join("etc/passwd")).unwrap(), "changed\n");
    assert_eq!(fs::read_to_string(to.join("etc/soft")).unwrap(), "in its place");
    assert!(to.join("var/log/f3").exists());

    let over = copy_with(&image, Destination::Directory(to.clone()), |request| request.overwrite = true).unwrap();
    assert!(over.is_complete(), "{:?}", over.problems);
    assert_eq!(rsync_differences(mounted.path(), &to), "");
}

#[test]
fn a_second_copy_of_other_paths_keeps_the_records_of_the_first() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "mkdir a b; echo 1 > a/x; echo 2 > b/y");
    let to = scratch.join("copy");
    for path in ["/a", "/b"] {
        let only = |request: &mut offmount::copy::Request<'_>| request.selection.paths = vec![path.into()];
        assert!(copy_with(&image, Destination::Directory(to.clone()), only).unwrap().is_complete());
    }
    assert_eq!(record(&to, "a/x").status, Status::Copied);
    assert_eq!(record(&to, "b/y").status, Status::Copied);
    let sums = fs::read_to_string(to.join(".offmount/B3SUMS")).unwrap();
    assert!(sums.contains("  a/x\n") && sums.contains("  b/y\n"), "{sums}");
}

#[test]
fn selections() {
    let scratch = Scratch::new();
    let script = "mkdir -p etc/ssh var/log; echo 1 > etc/a.conf; echo 2 > etc/ssh/b.conf; echo 3 > etc/ssh/key; \
                  head -c 5000 /dev/zero > var/log/big; echo 4 > var/log/small; touch -d 2001-01-01 var/log/small";
    let image = ext4(&scratch, 64 * MIB, script);
    let chosen = |name: &str, change: &dyn Fn(&mut offmount::copy::Request<'_>)| {
        let to = scratch.join(name);
        let outcome = copy_with(&image, Destination::Directory(to.clone()), change).unwrap();
        let found = tool_fed(
            "find",
            &[to.to_str().unwrap(), "-type", "f", "-not", "-path", "*/.offmount/*", "-printf", "%P "],
            b"",
        );
        let mut found: Vec<String> = String::from_utf8(found).unwrap().split(' ').map(String::from).collect();
        found.retain(|path| !path.is_empty());
        found.sort();
        (found.join(" "), outcome)
    };
    assert_eq!(chosen("1", &|r| r.selection.paths = vec![b"/etc/ssh".into()]).0, "etc/ssh/b.conf etc/ssh/key");
    assert_eq!(chosen("2", &|r| r.selection.paths = vec![b"/etc/*.conf".into()]).0, "etc/a.conf");
    assert_eq!(chosen("3", &|r| r.selection.paths = vec![b"**/*.conf".into()]).0, "etc/a.conf etc/ssh/b.conf");
    assert_eq!(
        chosen("4", &|r| r.selection.exclude = vec!["ssh".into(), "var/log/b*".into()]).0,
        "etc/a.conf var/log/small"
    );
    let small = chosen("5", &|r| r.selection.max_size = Some(4000));
    assert_eq!((&*small.0, small.1.counts.filtered), ("etc/a.conf etc/ssh/b.conf etc/ssh/key var/log/small", 1));
    let newer = offmount::time::Time::from_secs(1_500_000_000);
    assert!(!chosen("6", &|r| r.selection.newer = Some(newer)).0.contains("small"));
    let missing =
        chosen("7", &|r| r.selection.paths = vec![b"/etc/none".into(), b"/*.none".into(), b"/etc/a.conf".into()]);
    assert_eq!((&*missing.0, missing.1.problems.len(), missing.1.is_complete()), ("etc/a.conf", 2, false));
}

#[test]
fn what_stood_there_before_keeps_its_own() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "mkdir -m 700 d; echo 1 > d/x; echo 2 > y; chmod 750 .");
    let to = scratch.dir("copy");
    fs::create_dir(to.join("d")).unwrap();
    tool("chmod", &["711", to.to_str().unwrap(), to.join("d").to_str().unwrap()]);
    fs::write(to.join("mine"), "mine").unwrap();
    assert!(copy(&image, &to).is_complete());
    for directory in [to.clone(), to.join("d")] {
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o7777, 0o711, "{directory:?}");
    }
    assert_eq!(fs::read_to_string(to.join("d/x")).unwrap(), "1\n");
    assert_eq!(fs::read_to_string(to.join("mine")).unwrap(), "mine");
}

#[test]
fn a_destination_that_is_too_small_is_refused_and_a_full_one_stops_with_what_is_left() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, "for i in $(seq 60); do head -c 200000 /dev/urandom > f$i; done");
    let small = scratch.dir("small");
    tool("mount", &["-t", "tmpfs", "-o", "size=5M", "none", small.to_str().unwrap()]);
    let unmount = Unmount(small.clone());
    let to = small.join("copy");
    let refused = copy_with(&image, Destination::Directory(to.clone()), |_| {});
    assert!(matches!(refused, Err(offmount::copy::Error::NoRoom { of: "bytes", .. })), "{refused:?}");
    let outcome = copy_with(&image, Destination::Directory(to.clone()), |request| request.check_space = false).unwrap();
    assert_eq!(outcome.stopped, Some(Stopped::Full));
    let copied = fs::read_dir(&to).unwrap().count() as u64 - 2; // less offmount's own folder and lost+found
    assert!(outcome.counts.left > 30 && outcome.counts.left + copied == 60, "{copied} {:?}", outcome.counts);
    assert_eq!(
        outcome.problems.iter().filter(|it| it.status == Some(Status::Left)).count() as u64,
        outcome.counts.left
    );
    for entry in fs::read_dir(&to).unwrap().flatten().filter(|entry| entry.file_name().as_encoded_bytes()[0] == b'f') {
        assert_eq!(entry.metadata().unwrap().len(), 200_000, "{entry:?}");
    }
    drop(unmount);
}

#[test]
fn a_destination_on_the_image_itself_is_refused() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "echo 1 > x");
    let mounted = Mounted::writable(&image, "");
    let refused = copy_with(&image, Destination::Directory(mounted.join("copy")), |_| {});
    assert!(matches!(refused, Err(offmount::copy::Error::OnSource(_))), "{refused:?}");
}

#[test]
fn a_dry_run_writes_nothing_and_tells_everything() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "mkdir d; echo 1 > d/x; ln d/x y; ln -s x z");
    let to = scratch.join("copy");
    let outcome = copy_with(&image, Destination::Directory(to.clone()), |request| request.dry_run = true).unwrap();
    assert!(!to.exists());
    assert_eq!((outcome.counts.total_copied(), outcome.counts.hard_links, outcome.counts.bytes), (6, 1, 2));
}

/// Unmounts when dropped.
struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        tool("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

/// A stick has no hard links, owners or modes: contents come, under every name, and what is missing is in the manifest.
#[test]
fn a_destination_without_links_gets_copies() {
    if !common::is_root() {
        return common::skipped("mounting needs root");
    }
    let scratch = Scratch::new();
    let script = "mkdir d; echo contents > d/first; ln d/first second; chmod 640 second; echo alone > alone";
    let image = ext4(&scratch, 64 * MIB, script);
    let stick = scratch.sparse("stick", 64 * MIB);
    tool("mkfs.exfat", &[stick.as_os_str()]);
    let mounted = exfat::Fuse::mount(&stick);
    let to = mounted.join("copy");
    let outcome = copy(&image, &to);
    for name in ["d/first", "second"] {
        assert_eq!(fs::read_to_string(to.join(name)).unwrap(), "contents\n", "{name}: {outcome:?}");
    }
    let made: Vec<_> = records(&to).into_iter().filter(|record| !record.unkept.is_empty()).collect();
    let link = made.iter().filter(|record| record.unkept.iter().any(|unkept| unkept.what == "hard link"));
    assert_eq!((link.count(), outcome.counts.hard_links), (1, 0), "{outcome:?}");
    assert_eq!(outcome.counts.failed, 0, "{outcome:?}");
}
