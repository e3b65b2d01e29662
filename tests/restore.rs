//! Files that lost all but their contents on the way get it back from the manifest.

mod common;
mod copying;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Mounted, Scratch, is_root, offmount, run, skipped, system, tool};
use copying::{EVERYTHING, copy, ext4, rsync_differences};

/// What an object store gives back of a copy: contents under their names, and nothing else. Empty directories, links and
/// special files are gone.
fn downloaded(scratch: &Scratch, copy: &Path) -> PathBuf {
    let to = scratch.dir("downloaded");
    let (from, into) = (format!("{}/", copy.display()), format!("{}/", to.display()));
    tool("rsync", &["-rmS", "--no-perms", "--chmod=ugo=rwX", &from, &into]);
    to
}

#[test]
fn a_download_becomes_what_was_copied() {
    if !is_root() {
        return skipped("owners and devices need root");
    }
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 << 20, EVERYTHING);
    let to = scratch.join("copy");
    assert!(copy(&image, &to).is_complete());
    let down = downloaded(&scratch, &to);
    let mounted = Mounted::read_only(&image, "noload");
    assert_ne!(rsync_differences(mounted.path(), &down), "", "the download is not whole before");
    assert!(!down.join("home/alice/pipe").exists() && !down.join("empty").exists());

    let ran = offmount(&["restore-metadata", "--json", down.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(rsync_differences(mounted.path(), &down), "");
    let summary: serde_json::Value = serde_json::from_str(ran.text()).unwrap();
    assert_eq!((summary["complete"].as_bool(), summary["links"].as_u64()), (Some(true), Some(3)), "{summary}");
    // And again: there is nothing to do, and nothing changes.
    assert_eq!(offmount(&["restore-metadata", down.to_str().unwrap()]).code, 0);
    assert_eq!(rsync_differences(mounted.path(), &down), "");
}

#[test]
fn what_is_missing_or_different_is_told_and_never_replaced() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 << 20, EVERYTHING);
    let to = scratch.join("copy");
    copy(&image, &to);
    let down = downloaded(&scratch, &to);
    fs::remove_file(down.join("var/log/f3")).unwrap();
    fs::write(down.join("hard2"), "somebody's own").unwrap();
    fs::write(down.join("etc/soft"), "somebody's own").unwrap();
    let ran = offmount(&["restore-metadata", "--json", down.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let summary: serde_json::Value = serde_json::from_str(ran.text()).unwrap();
    let named: Vec<&str> =
        summary["problems"].as_array().unwrap().iter().filter_map(|problem| problem["path"].as_str()).collect();
    for path in ["var/log/f3", "hard2", "etc/soft"] {
        assert!(named.contains(&path), "{path}: {named:?}");
    }
    assert_eq!(fs::read_to_string(down.join("etc/soft")).unwrap(), "somebody's own");
    assert_eq!(fs::read_to_string(down.join("hard2")).unwrap(), "somebody's own");
}

#[test]
fn a_hostile_manifest_reaches_nothing_outside() {
    let scratch = Scratch::new();
    let (down, outside) = (scratch.dir("down"), scratch.dir("outside"));
    fs::write(outside.join("file"), "untouched").unwrap();
    std::os::unix::fs::symlink(&outside, down.join("way")).unwrap();
    let before = fs::metadata(outside.join("file")).unwrap().permissions();
    let image = ext4(&scratch, 64 << 20, "mkdir d; echo x > d/file; chmod 4777 d/file; ln -s /etc d/link");
    let copied = scratch.join("copy");
    copy(&image, &copied);
    let manifest = fs::read_to_string(copied.join(".offmount/manifest.jsonl")).unwrap();
    for (n, evil) in ["../outside/file", "way/file", "/etc/passwd", "way/../../outside/file"].iter().enumerate() {
        let path = scratch.join(format!("manifest-{n}"));
        fs::write(&path, manifest.replace("\"d/file\"", &format!("\"{evil}\""))).unwrap();
        let ran = offmount(&["restore-metadata", "--manifest", path.to_str().unwrap(), down.to_str().unwrap()]);
        assert_eq!(ran.code, 1, "{evil}: {ran:?}");
    }
    assert_eq!(fs::metadata(outside.join("file")).unwrap().permissions(), before);
    let listed = run(system("ls").arg("-A").arg(&outside), b"");
    assert_eq!(listed.text(), "file\n");
}
