//! The shared helpers must be able to fail: a proof that can not fail proves nothing.

mod common;

use std::fs;
use std::panic::catch_unwind;

use common::{Mounted, Scratch, debugfs, run, system, tool, untouched, with_threads};

#[test]
fn a_changed_image_is_noticed() {
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 4096);
    untouched(&image, |image| fs::read(image).unwrap());
    let written = catch_unwind(|| untouched(&image, |image| fs::write(image, [0; 4096]).unwrap()));
    assert!(written.is_err(), "the same bytes written anew");
    let touched = catch_unwind(|| untouched(&image, |image| tool("touch", &[image])));
    assert!(touched.is_err(), "only its time changed");
}

#[test]
fn output_that_depends_on_threads_is_noticed() {
    assert_eq!(with_threads(|_| 1), 1);
    assert!(catch_unwind(|| with_threads(|threads| threads.to_owned())).is_err());
}

#[test]
fn a_tool_that_fails_or_is_missing_is_noticed() {
    assert_eq!(run(system("cat").arg("-"), b"in").exits(0).stdout, b"in");
    assert!(catch_unwind(|| tool("false", &[""; 0])).is_err());
    assert!(catch_unwind(|| tool("no-such-tool", &[""; 0])).is_err());
    assert_eq!(run(system("sh").args(["-c", "kill -9 $$"]), b"").code, 137);
}

#[test]
fn debugfs_complaints_are_noticed() {
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 1 << 20);
    tool("mke2fs", &["-q", "-F", image.to_str().unwrap()]);
    debugfs(&image, "mkdir a\n");
    assert!(catch_unwind(|| debugfs(&image, "cd missing\n")).is_err());
}

#[test]
fn a_mount_ends_with_its_guard_and_leaves_a_read_only_image_alone() {
    if !common::is_root() {
        return common::skipped("mounting needs root");
    }
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 1 << 20);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", image.to_str().unwrap()]);
    fs::write(Mounted::writable(&image, "").join("file"), "text").unwrap();
    let place = untouched(&image, |image| {
        let mounted = Mounted::read_only(image, "noload");
        assert_eq!(fs::read(mounted.join("file")).unwrap(), b"text");
        let place = mounted.path().to_str().unwrap().to_owned();
        assert!(fs::read_to_string("/proc/self/mounts").unwrap().contains(&place), "mounted elsewhere than at {place}");
        place
    });
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&place), "still mounted: {mounts}");
}
