//! The preview of e2fsck: what it would destroy is told and can be copied first; and where it is missing, crashes or does
//! not end, that is what is told.

mod common;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{Mounted, Ran, Scratch, debugfs, offmount, run, skipped, system, tool, untouched};

/// Files of a volume: path and contents, no two alike.
fn files() -> BTreeMap<&'static str, Vec<u8>> {
    let paths = ["unlinked", "d/inner", "d/sub/deep", "kept/file", "plain"];
    paths.into_iter().zip(1u8..).map(|(path, seed)| (path, vec![seed; 3000 + usize::from(seed)])).collect()
}

/// A volume of which e2fsck would move some files: their directory's inode is wiped, or their name is gone.
fn damaged(scratch: &Scratch) -> PathBuf {
    let image = scratch.sparse("image", 8 << 20);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "1024", &image.display().to_string()]);
    let mut commands = String::from("mkdir /d\nmkdir /d/sub\nmkdir /kept\n");
    for (path, contents) in files() {
        let file = scratch.join(path.replace('/', "-"));
        fs::write(&file, contents).expect("a file");
        commands.push_str(&format!("write {} /{path}\n", file.display()));
    }
    debugfs(&image, &commands);
    debugfs(&image, "clri /d\nunlink /unlinked\n");
    image
}

/// Every file below a directory, by its path; without our own.
fn below(top: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in walk(top) {
        let path = entry.strip_prefix(top).expect("below").to_owned();
        if !path.starts_with(".offmount") {
            found.insert(path, fs::read(&entry).expect("a file"));
        }
    }
    found
}

fn walk(at: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(at).expect("a directory").map(|entry| entry.expect("an entry"));
    let (dirs, files): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.file_type().expect("a kind").is_dir());
    let deeper = dirs.into_iter().flat_map(|dir| walk(&dir.path()));
    files.into_iter().map(|file| file.path()).chain(deeper).collect()
}

/// The files that are not where they were after e2fsck repaired a full copy, by contents.
fn doomed(scratch: &Scratch, image: &Path) -> Vec<Vec<u8>> {
    let copy = scratch.copy_of(image, "repaired");
    let ran = run(system("e2fsck").arg("-fy").arg(&copy), b"");
    assert_eq!(ran.code, 1, "{ran:?}");
    let mounted = Mounted::read_only(&copy, "");
    let is_there = |path: &str, contents: &Vec<u8>| fs::read(mounted.join(path)).is_ok_and(|found| found == *contents);
    let mut doomed: Vec<_> = files().into_iter().filter(|(path, contents)| !is_there(path, contents)).collect();
    doomed.sort_by_key(|(_, contents)| contents[0]);
    doomed.into_iter().map(|(_, contents)| contents).collect()
}

fn copied(top: &Path) -> Vec<Vec<u8>> {
    let mut contents: Vec<_> = below(top).into_values().collect();
    contents.sort();
    contents
}

#[test]
fn exactly_what_a_repair_would_destroy_is_copied() {
    let scratch = Scratch::new();
    let image = damaged(&scratch);
    let expected = doomed(&scratch, &image);
    assert_eq!(expected.len(), 3, "the damage is made for this");
    let out = scratch.join("out");
    let args = |more: &[OsString]| [&["copy".into(), image.clone().into(), "--to".into()], more].concat();
    untouched(&image, |_| offmount(&args(&[out.clone().into(), "--only-doomed".into()]))).exits(0);
    assert_eq!(copied(&out), expected);
    // The same from what an earlier preview said.
    let said = untouched(&image, |image| {
        offmount(&["check".as_ref(), "--preview-repair".as_ref(), "--json".as_ref(), image.as_os_str()])
    });
    let earlier = scratch.join("preview.json");
    fs::write(&earlier, &said.exits(4).stdout).expect("a file");
    let again = scratch.join("again");
    let option = format!("--only-doomed={}", earlier.display());
    offmount(&args(&[again.clone().into(), option.into()])).exits(0);
    assert_eq!(below(&again), below(&out));
    // The rest comes with everything else, and what is there stays.
    let ran = offmount(&args(&[out.clone().into()]));
    assert!(ran.code <= 1, "{ran:?}");
    let mut all: Vec<Vec<u8>> = files().into_values().collect();
    all.sort();
    assert_eq!(copied(&out), all);
}

#[test]
fn directories_that_are_packed_anew_are_no_damage() {
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 8 << 20);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "1024", &image.display().to_string()]);
    // Many names, most of them gone: e2fsck hashes a directory of several blocks that has no hash tree yet.
    let names: Vec<String> = (0..120).map(|i| format!("/many/{}{i:03}", "n".repeat(60))).collect();
    let made: String = names.iter().map(|name| format!("write /dev/null {name}\n")).collect();
    let gone: String = names.iter().skip(4).map(|name| format!("rm {name}\n")).collect();
    debugfs(&image, &format!("mkdir /many\n{made}{gone}"));
    let repaired = scratch.copy_of(&image, "repaired");
    run(system("e2fsck").arg("-fy").arg(&repaired), b"").exits(0);
    let size = |image: &Path| {
        let text = String::from_utf8_lossy(&debugfs(image, "stat /many\n")).into_owned();
        text.split("Size: ").nth(1).map(|rest| rest.lines().next().unwrap_or_default().to_owned())
    };
    assert_ne!(size(&image), size(&repaired), "e2fsck packs it");
    let ran = untouched(&image, |image| offmount(&["check".as_ref(), "--preview-repair".as_ref(), image.as_os_str()]));
    let ran = ran.exits(0);
    assert!(ran.text().contains("pack these directories anew"), "{ran:?}");
}

#[test]
fn only_below_the_paths_asked_for() {
    let scratch = Scratch::new();
    let image = damaged(&scratch);
    let out = scratch.join("out");
    let args: [OsString; 6] =
        ["copy".into(), image.into(), "/d/sub".into(), "--only-doomed".into(), "--to".into(), out.clone().into()];
    offmount(&args).exits(0);
    assert_eq!(below(&out).into_keys().collect::<Vec<_>>(), [Path::new("d/sub/deep")]);
}

/// What stands for a system whose e2fsck is the script `text`.
fn with_e2fsck(scratch: &Scratch, image: &Path, text: &str, args: &[&str]) -> Ran {
    let bin = scratch.join("bin");
    fs::create_dir_all(&bin).expect("a directory");
    let script = bin.join("e2fsck");
    fs::write(&script, format!("#!/bin/sh\n{text}\n")).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a script that runs");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = system(env!("CARGO_BIN_EXE_offmount"));
    untouched(image, |image| run(command.env("PATH", format!("{}:{path}", bin.display())).args(args).arg(image), b""))
}

const PREVIEW: &[&str] = &["check", "--preview-repair"];

#[test]
fn a_repair_that_crashes_is_a_danger() {
    let scratch = Scratch::new();
    let image = damaged(&scratch);
    // A program dies of a signal, or catches it and says so, as e2fsck does.
    for script in ["kill -SEGV $$", "echo 'Signal (11) SIGSEGV si_code=SEGV_MAPERR' >&2; exit 8"] {
        let ran = with_e2fsck(&scratch, &image, script, PREVIEW).exits(8);
        assert!(ran.text().contains("e2fsck crashes on it (signal 11): do not run it on the disk"), "{ran:?}");
        let json = with_e2fsck(&scratch, &image, script, &["check", "--preview-repair", "--json"]).exits(8);
        let record: serde_json::Value = serde_json::from_str(json.text()).expect("JSON");
        assert_eq!((&record["outcome"], &record["signal"]), (&"crashed".into(), &11.into()), "{record}");
    }
}

#[test]
fn a_repair_without_end_is_a_danger() {
    let scratch = Scratch::new();
    let image = damaged(&scratch);
    // What the script starts is ended with it.
    let args = &["check", "--preview-repair", "--repair-limit", "1s"];
    let ran = with_e2fsck(&scratch, &image, "sleep 1000; true", args).exits(8);
    assert!(ran.text().contains("e2fsck does not end on it in time: do not run it on the disk"), "{ran:?}");
    let noisy = with_e2fsck(&scratch, &image, "while true; do echo y; echo n >&2; done", args).exits(8);
    assert!(noisy.text().contains("does not end on it in time"), "{noisy:?}");
}

#[test]
fn a_repair_that_makes_the_disk_grow_without_end_is_stopped() {
    let scratch = Scratch::new();
    let image = damaged(&scratch);
    let ran = with_e2fsck(&scratch, &image, "sleep 1; exec cat /dev/zero >>\"$2\"", PREVIEW).exits(8);
    assert!(ran.text().contains("e2fsck crashes on it (signal 25)"), "{ran:?}");
}

#[test]
fn a_full_folder_says_nothing_of_the_disk() {
    let scratch = Scratch::new();
    let image = damaged(&scratch);
    let ran =
        with_e2fsck(&scratch, &image, "echo 'e2fsck: No space left on device while writing' >&2; exit 8", PREVIEW);
    assert!(ran.code == 8 && ran.stderr.contains("the copy to repair can not be made"), "{ran:?}");
    if !common::is_root() {
        return skipped("a small filesystem takes root");
    }
    let small = scratch.dir("small");
    let mount = "mount -t tmpfs -o size=16k tmpfs \"$1\" && TMPDIR=\"$1\" && export TMPDIR && shift && exec \"$@\"";
    let mut command = system("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", mount, "sh"]).arg(&small);
    command.arg(env!("CARGO_BIN_EXE_offmount")).args(PREVIEW).arg(&image);
    let ran = untouched(&image, |_| run(&mut command, b"")).exits(8);
    assert!(ran.stderr.contains("the copy to repair can not be made: No space left on device"), "{ran:?}");
    assert!(ran.text().is_empty(), "{ran:?}");
}

#[test]
fn where_nothing_is_known_nothing_is_chosen() {
    let scratch = Scratch::new();
    let image = damaged(&scratch);
    let out = scratch.join("out");
    let to = format!("--to={}", out.display());
    let ran = with_e2fsck(&scratch, &image, "kill -ABRT $$", &["copy", "--only-doomed", &to]).exits(2);
    assert!(ran.stderr.contains("what a repair would destroy is not known: e2fsck crashes on it"), "{ran:?}");
    assert!(!out.exists(), "nothing is copied");
}

#[test]
fn a_repair_that_is_not_installed_is_named_with_its_package() {
    let scratch = Scratch::new();
    let image = damaged(&scratch);
    let empty = scratch.dir("empty");
    // e2fsck is hidden for this one process: it is sought in the administrator's folders, whatever PATH says.
    let hide = "mount --bind \"$1\" /usr/sbin && { mount --bind \"$1\" /sbin || true; } && shift && exec \"$@\"";
    let mut command = system("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", hide, "sh"]).arg(&empty);
    if !common::is_root() {
        return skipped("hiding e2fsck takes root");
    }
    command.env("PATH", "/usr/bin:/bin").arg(env!("CARGO_BIN_EXE_offmount")).args(PREVIEW).arg(&image);
    let ran = untouched(&image, |_| run(&mut command, b"")).exits(8);
    assert!(ran.text().contains("e2fsck is not installed; it is in the package e2fsprogs"), "{ran:?}");
}
