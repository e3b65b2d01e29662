//! What `offmount info` shows of the disk in testdata/, against fdisk, blkid and dumpe2fs; and the page of findings.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use common::{offmount, run, same_for_threads, system, testdata, tool, untouched};
use serde_json::Value;

fn info() -> Value {
    let image = testdata("server.img");
    let args = [OsStr::new("info"), OsStr::new("--json"), image.as_os_str()];
    let ran = untouched(&image, |_| same_for_threads(&args)).exits(0);
    serde_json::from_slice(&ran.stdout).expect("one document")
}

/// The value of `NAME=VALUE` or `NAME: VALUE` in some lines.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(['=', ':'])).map(str::trim)
}

#[test]
fn partitions_are_those_of_sfdisk() {
    let ours = info();
    let theirs: Value =
        serde_json::from_slice(&tool("sfdisk", &[OsStr::new("-J"), testdata("server.img").as_os_str()])).unwrap();
    let theirs = &theirs["partitiontable"];
    assert_eq!(ours["scheme"], theirs["label"]);
    assert_eq!(ours["id"].as_str().map(str::to_uppercase), theirs["id"].as_str().map(str::to_owned));
    let (ours, theirs) = (ours["volumes"].as_array().unwrap(), theirs["partitions"].as_array().unwrap());
    assert_eq!(ours.len(), theirs.len());
    for (volume, partition) in ours.iter().zip(theirs) {
        let sectors = |name: &str| partition[name].as_u64().unwrap() * 512;
        assert_eq!((&volume["start"], &volume["size"]), (&sectors("start").into(), &sectors("size").into()));
        assert_eq!(volume["partition"]["label"], partition["name"]);
        let uuid = volume["partition"]["partuuid"].as_str().unwrap().to_uppercase();
        assert_eq!(uuid, partition["uuid"].as_str().unwrap());
    }
}

#[test]
fn contents_are_those_of_blkid() {
    for volume in info()["volumes"].as_array().unwrap() {
        let number = |name: &str| volume[name].as_u64().unwrap().to_string();
        let image = testdata("server.img");
        let args = ["-p", "-O", &number("start"), "-S", &number("size"), "-o", "export", image.to_str().unwrap()];
        let theirs = String::from_utf8(tool("blkid", &args)).unwrap();
        for (ours, name) in [("kind", "TYPE"), ("label", "LABEL"), ("uuid", "UUID")] {
            assert_eq!(volume[ours].as_str(), value(&theirs, name), "{ours} of {}", volume["name"]);
        }
    }
}

#[test]
fn space_is_that_of_dumpe2fs() {
    let ours = info();
    let root = ours["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "p2").unwrap();
    let place = format!("{}?offset={}", testdata("server.img").display(), root["start"]);
    let theirs = run(system("dumpe2fs").args(["-h", &place]), b"").exits(0);
    let number = |name: &str| value(theirs.text(), name).unwrap().parse::<u64>().unwrap();
    let used = (number("Block count") - number("Free blocks")) * number("Block size");
    assert_eq!((root["used"].as_u64(), root["block_size"].as_u64()), (Some(used), Some(number("Block size"))));
    let inodes = (number("Inode count"), number("Inode count") - number("Free inodes"));
    assert_eq!((&root["inodes"], &root["inodes_used"]), (&inodes.0.into(), &inodes.1.into()));
}

#[test]
fn volumes_stand_where_the_fstab_mounts_them() {
    let ours = info();
    assert_eq!(ours["root"], "p2");
    let at: Vec<&Value> = ours["volumes"].as_array().unwrap().iter().map(|volume| &volume["mounted_at"]).collect();
    assert_eq!(at, [&serde_json::json!(["/boot/efi"]), &serde_json::json!(["/"]), &serde_json::json!([])]);
    let text = offmount(&[OsStr::new("info"), testdata("server.img").as_os_str()]).exits(0);
    for part in ["GPT", "p2", "ext4", "/boot/efi", "the root filesystem is p2", "swap"] {
        assert!(text.text().contains(part), "{part} in {text:?}");
    }
}

#[test]
fn check_ends_with_a_verdict_for_each_volume() {
    let image = testdata("server.img");
    let args = [OsStr::new("check"), OsStr::new("--json"), image.as_os_str()];
    let ran = untouched(&image, |_| same_for_threads(&args));
    let records: Vec<Value> = ran.text().lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let verdicts: Vec<&Value> = records.iter().filter(|record| record["summary"].is_string()).collect();
    assert_eq!(verdicts.iter().map(|it| it["summary"].as_str().unwrap()).collect::<Vec<_>>(), ["p1", "p2"]);
    assert_eq!(verdicts[0]["verdict"], "clean");
    let damaged = verdicts.iter().any(|it| it["verdict"] == "damaged");
    assert_eq!(ran.code, if damaged { 4 } else { 0 });
    let unknown = offmount(&[OsStr::new("check"), image.as_os_str(), OsStr::new("p9")]).exits(8);
    assert!(unknown.stderr.contains("the volumes are: p1, p2, p3"), "{unknown:?}");
}

#[test]
fn the_page_of_findings_is_the_programs() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/findings.md")).expect("docs/findings.md");
    let same = offmount(&["explain", "--all"]).exits(0).text() == page;
    assert!(same, "docs/findings.md is out of date: run `cargo run -- explain --all >docs/findings.md`");
}

/// Partitions past the end of a cut image are not empty: nothing is known of them, and a copy of everything says so.
#[test]
fn what_a_cut_image_lacks_is_no_zeros() {
    let scratch = common::Scratch::new();
    let image = scratch.join("cut.img");
    fs::copy(testdata("server.img"), &image).unwrap();
    fs::File::options().write(true).open(&image).unwrap().set_len(12_000_000).unwrap();
    let ran = offmount(&[OsStr::new("info"), OsStr::new("--json"), image.as_os_str()]).exits(0);
    let info: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let swap = info["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "p3").unwrap();
    assert_eq!(swap["content"], "unreadable");
    let to = scratch.join("to");
    let ran = offmount(&["copy".as_ref(), "--quiet".as_ref(), image.as_os_str(), "--to".as_ref(), to.as_os_str()]);
    assert!(ran.exits(1).stderr.contains("p3: nothing of it can be read"));
}
