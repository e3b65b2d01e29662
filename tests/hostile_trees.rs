//! Trees made to harm: whatever an image or a destination holds, nothing is written outside the destination.

mod common;
mod copying;

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use common::{Scratch, tool};
use copying::{copy, ext4, record, records};
use offmount::manifest::Status;

const MIB: u64 = 1 << 20;

/// Replaces every directory entry's name `from` by `to`, of the same length, on an image without checksums.
fn rename_on_disk(image: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let disk = fs::OpenOptions::new().read(true).write(true).open(image).unwrap();
    let bytes = fs::read(image).unwrap();
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|&i| &bytes[i..i + from.len()] == from).collect();
    assert!(!places.is_empty());
    for place in places {
        disk.write_all_at(to, place as u64).unwrap();
    }
}

fn plain_ext4(scratch: &Scratch, script: &str) -> std::path::PathBuf {
    let image = ext4(scratch, 16 * MIB, script);
    // tune2fs wants a filesystem that was checked after it was mounted last.
    common::run(common::system("e2fsck").arg("-fy").arg(&image), b"");
    tool("tune2fs", &["-O", "^metadata_csum,^dir_index", image.to_str().unwrap()]);
    tool("e2fsck", &["-fyD", image.to_str().unwrap()]);
    image
}

#[test]
fn names_that_lead_outside() {
    let scratch = Scratch::new();
    let script = "mkdir dir; echo evil > QQQQQQQ1; echo evil > QQQQQQQ2; echo evil > dir/Q3; echo evil > QQQQQQQ4; \
                  echo good > good";
    let image = plain_ext4(&scratch, script);
    rename_on_disk(&image, b"QQQQQQQ1", b"../../e1");
    rename_on_disk(&image, b"QQQQQQQ2", b"/tmp//e2");
    rename_on_disk(&image, b"Q3", b"..");
    rename_on_disk(&image, b"QQQQQQQ4", b"nul\0\0lxx");
    let outer = scratch.dir("outer");
    let to = outer.join("inner").join("copy");
    copy(&image, &to);
    assert_eq!(fs::read_to_string(to.join("good")).unwrap(), "good\n");
    let outside: Vec<_> = fs::read_dir(&outer).unwrap().chain(fs::read_dir(outer.join("inner")).unwrap()).collect();
    assert_eq!(outside.len(), 2, "{outside:?}");
    assert!(!Path::new("/tmp/e2").exists());
}

#[test]
fn a_link_and_a_directory_of_one_name() {
    let scratch = Scratch::new();
    let outside = scratch.dir("outside");
    let script = format!("ln -s {} aaaaaaa1; mkdir aaaaaaa2; echo evil > aaaaaaa2/evil", outside.display());
    let image = plain_ext4(&scratch, &script);
    rename_on_disk(&image, b"aaaaaaa2", b"aaaaaaa1");
    let to = scratch.join("copy");
    copy(&image, &to);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let evil = records(&to).into_iter().find(|record| record.path.ends_with(b"/evil")).expect("a record");
    assert!(evil.status == Status::Copied || evil.reason.is_some(), "{evil:?}");
}

#[test]
fn links_in_the_destination_are_not_followed() {
    let scratch = Scratch::new();
    let outside = scratch.dir("outside");
    fs::write(outside.join("file"), "mine").unwrap();
    let image = ext4(&scratch, 16 * MIB, "mkdir d; echo evil > d/x; echo evil > f; ln -s target l; echo fine > fine");
    let to = scratch.dir("copy");
    symlink(&outside, to.join("d")).unwrap();
    symlink(outside.join("file"), to.join("f")).unwrap();
    symlink(outside.join("file"), to.join("l")).unwrap();
    let outcome = copy(&image, &to);
    assert!(!outcome.is_complete());
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "mine");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    for path in ["d", "d/x", "f", "l"] {
        assert_eq!(record(&to, path).status, Status::Kept, "{path}");
    }
    assert_eq!(fs::read_to_string(to.join("fine")).unwrap(), "fine\n");
}

#[test]
fn a_link_in_place_of_our_own_folder_is_refused() {
    let scratch = Scratch::new();
    let outside = scratch.dir("outside");
    let image = ext4(&scratch, 16 * MIB, "echo 1 > x");
    let to = scratch.dir("copy");
    symlink(&outside, to.join(".offmount")).unwrap();
    let destination = offmount::copy::Destination::Directory(to);
    assert!(copying::copy_with(&image, destination, |_| {}).is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn names_that_the_destination_can_not_have() {
    let scratch = Scratch::new();
    let image =
        ext4(&scratch, 16 * MIB, "mkdir -p .offmount .offmount~; echo theirs > .offmount/manifest.jsonl; echo 1 > x");
    let to = scratch.join("copy");
    let outcome = copy(&image, &to);
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!((outcome.counts.renamed, outcome.notes.len()), (1, 1), "{outcome:?}");
    let theirs = records(&to).into_iter().find(|record| record.source.as_deref() == Some(b".offmount/manifest.jsonl"));
    let path = theirs.expect("a record").path;
    assert!(path.starts_with(b".offmount~"));
    assert_eq!(fs::read_to_string(to.join(String::from_utf8(path).unwrap())).unwrap(), "theirs\n");
}

#[test]
fn names_longer_than_the_destination_takes() {
    let scratch = Scratch::new();
    let image = scratch.sparse("fat.img", 64 * MIB);
    tool("mkfs.vfat", &["-F", "32", image.to_str().unwrap()]);
    let (one, other) = (format!("{}1.txt", "ü".repeat(126)), format!("{}2.txt", "ü".repeat(126)));
    fs::write(scratch.join("a"), "a").unwrap();
    for name in [&one, &other] {
        tool("mcopy", &["-i", image.to_str().unwrap(), scratch.join("a").to_str().unwrap(), &format!("::/{name}")]);
    }
    let to = scratch.join("copy");
    let outcome = copy(&image, &to);
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!(outcome.counts.renamed, 2);
    for name in [one, other] {
        let record = records(&to).into_iter().find(|record| record.source.as_deref() == Some(name.as_bytes()));
        let path = String::from_utf8(record.expect("a record").path).expect("characters kept whole");
        assert!(path.starts_with("üüü") && path.len() <= 255, "{path}");
        assert_eq!(fs::read_to_string(to.join(path)).unwrap(), "a");
    }
}

#[test]
fn a_file_with_a_ruined_size_is_not_hashed_for_hours() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 16 * MIB, "printf data > x; truncate -s 15T x; printf end >> x; truncate -s 8T y");
    let to = scratch.join("copy");
    let began = std::time::Instant::now();
    let outcome = copy(&image, &to);
    assert!(began.elapsed().as_secs() < 60);
    assert_eq!(outcome.counts.unhashed, 2);
    let x = record(&to, "x");
    assert!(x.digests.blake3.is_none() && x.data_blake3.is_some() && x.data.len() == 2, "{x:?}");
    assert_eq!(fs::metadata(to.join("x")).unwrap().len(), (15 << 40) + 3);
    let mut told = 0;
    let verified = offmount::copy::verify(&to, None, &offmount::progress::Silent, &mut |_| told += 1).unwrap();
    assert!(verified.is_clean() && told == 0);
}

#[test]
fn what_a_mount_hides_and_mounts_that_lead_outside() {
    let scratch = Scratch::new();
    let disk = scratch.sparse("disk.img", 64 * MIB);
    let table = "label: gpt\nstart=1MiB, size=20MiB\nstart=22MiB, size=16MiB\nstart=40MiB, size=16MiB\n";
    common::tool_fed("sfdisk", &["-q", disk.to_str().unwrap()], table.as_bytes());
    let fstab = "UUID=11111111-1111-1111-1111-111111111111 / ext4 defaults 0 1\n\
                 UUID=22222222-2222-2222-2222-222222222222 /srv/data ext4 defaults 0 2\n\
                 UUID=33333333-3333-3333-3333-333333333333 /../../../outside ext4 defaults 0 2\n";
    let script = format!(
        "mkdir -p etc bin usr var srv/data/below; printf '{fstab}' > etc/fstab; echo hidden > srv/data/below/file; \
         echo shown > srv/shown"
    );
    let volumes = [(1, "1", &*script), (22, "2", "echo data > mounted"), (40, "3", "echo evil > evil")];
    for (start, digit, script) in volumes {
        let image = scratch.sparse(&format!("v{digit}"), 16 * MIB);
        let uuid: String = "11111111-1111-1111-1111-111111111111".replace('1', digit);
        tool("mkfs.ext4", &["-qFb4096", "-U", &uuid, image.to_str().unwrap()]);
        let mounted = common::Mounted::writable(&image, "");
        let ran = common::run(common::system("bash").args(["-euc", script]).current_dir(mounted.path()), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        drop(mounted);
        let bytes = fs::read(&image).unwrap();
        fs::OpenOptions::new().write(true).open(&disk).unwrap().write_all_at(&bytes, start * MIB).unwrap();
    }
    let outer = scratch.dir("outer");
    let to = outer.join("1").join("2").join("copy");
    let outcome = copy(&disk, &to);
    assert!(outcome.is_complete(), "{outcome:?}");
    let read = |path: &str| fs::read_to_string(to.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(read("srv/shown"), "shown\n");
    assert_eq!(read("srv/data/mounted"), "data\n");
    assert_eq!(read("#volumes/p1/srv/data/below/file"), "hidden\n");
    assert_eq!(read("#volumes/p3/evil"), "evil\n");
    assert_eq!(outcome.notes.len(), 1, "{:?}", outcome.notes);
    assert_eq!(fs::read_dir(&outer).unwrap().count(), 1);
    let hidden = record(&to, "#volumes/p1/srv/data/below/file");
    assert_eq!(hidden.source.as_deref(), Some(&b"srv/data/below/file"[..]));
    let mut told = Vec::new();
    let mut each = |it: &offmount::copy::Difference| told.push(it.clone());
    offmount::copy::verify(&to, None, &offmount::progress::Silent, &mut each).unwrap();
    assert!(told.is_empty(), "{told:?}");
}
