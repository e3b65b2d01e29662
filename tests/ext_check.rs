//! The checks of ext volumes against e2fsck: healthy volumes of many kinds have no findings above a note, and each
//! recipe of `testdata/recipes/ext-damage.txt` is found, by its code and by that of e2fsck.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Scratch, debugfs, run, system, testdata, tool};

/// Options of mke2fs for volumes that differ in every structure the checks read.
const VARIANTS: &[&str] = &[
    "-t ext2 -b 1024",
    "-t ext2 -b 4096 -r 0",
    "-t ext3 -b 1024",
    "-t ext4 -b 1024",
    "-t ext4 -b 2048",
    "-t ext4 -b 4096",
    "-t ext4 -b 1024 -I 128 -O ^extra_isize",
    "-t ext4 -b 1024 -I 1024",
    "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg",
    "-t ext4 -b 1024 -O ^metadata_csum,^uninit_bg",
    "-t ext4 -b 1024 -O metadata_csum,metadata_csum_seed,64bit",
    "-t ext4 -b 1024 -O metadata_csum,^64bit",
    "-t ext4 -b 1024 -O meta_bg,^resize_inode",
    "-t ext4 -b 1024 -O sparse_super2",
    "-t ext4 -b 1024 -O ^sparse_super,^resize_inode",
    "-t ext4 -b 1024 -O ^flex_bg",
    "-t ext4 -b 1024 -O ^has_journal",
    "-t ext4 -b 1024 -O bigalloc -C 4096",
    "-t ext4 -b 4096 -O bigalloc -C 16384",
    "-t ext4 -b 1024 -O inline_data",
    "-t ext4 -b 1024 -O ea_inode,large_dir",
    "-t ext4 -b 1024 -O quota,project -E quotatype=usrquota:grpquota:prjquota",
    "-t ext4 -b 1024 -O mmp",
    "-t ext4 -b 1024 -O orphan_file",
    "-t ext4 -b 1024 -O encrypt,verity",
    "-t ext4 -b 1024 -O casefold",
    "-t ext4 -b 1024 -O ^dir_index,^filetype",
    "-t ext4 -b 1024 -g 1024 -N 512",
];

/// A volume of 8 MiB with some of everything.
fn volume(scratch: &Scratch, name: &str, mkfs: &str) -> PathBuf {
    let image = scratch.sparse(name, 8 << 20);
    let mut args: Vec<&str> = vec!["-q", "-F", "-U", "6f66666d-6f75-6e74-2074-657374730001"];
    args.extend(mkfs.split(' '));
    let path = image.to_str().expect("a path in UTF-8");
    args.push(path);
    tool("mke2fs", &args);
    let content = scratch.join("content");
    fs::write(&content, (0..5000u32).map(|i| (i % 251) as u8).collect::<Vec<u8>>()).expect("a file");
    let mut commands = String::from("mkdir /d\nmkdir /d/sub\nsymlink /link f1\nmknod pipe p\n");
    for i in 1..=4 {
        commands.push_str(&format!("write {} /f{i}\n", content.display()));
    }
    debugfs(&image, &commands);
    // debugfs leaves some counts as they were.
    let ran = run(system("e2fsck").args(["-fy"]).arg(&image), b"");
    assert!(ran.code <= 1, "e2fsck on a new volume: {ran:?}");
    image
}

/// What `offmount check` reports: its exit code, and each finding's id, severity and names at e2fsck.
fn check(image: &Path) -> (i32, Vec<(String, String, Vec<String>)>) {
    let before = fs::read(image).expect("the image");
    let ran = run(system(env!("CARGO_BIN_EXE_offmount")).args(["check", "--json"]).arg(image), b"");
    assert!(fs::read(image).expect("the image") == before, "the image was changed");
    let findings = ran.lines().into_iter().filter_map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| record[key].as_str().map(str::to_owned);
        let names =
            record["e2fsck"].as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned()));
        Some((text("code")?, text("severity")?, names.collect()))
    });
    (ran.code, findings.collect())
}

#[test]
fn healthy_volumes_have_no_findings_above_a_note() {
    let scratch = Scratch::new();
    for (i, mkfs) in VARIANTS.iter().enumerate() {
        let image = volume(&scratch, &format!("healthy-{i}"), mkfs);
        let (code, findings) = check(&image);
        let bad: Vec<_> = findings.iter().filter(|(_, severity, _)| severity != "note").collect();
        assert!(code == 0 && bad.is_empty(), "mke2fs {mkfs}: exit {code}, {bad:?}");
        fs::remove_file(image).expect("the image is ours");
    }
}

/// A paragraph of the recipes.
struct Recipe {
    name: String,
    mkfs: String,
    commands: Vec<String>,
    finds: BTreeSet<String>,
}

fn recipes() -> Vec<Recipe> {
    let text = fs::read_to_string(testdata("recipes/ext-damage.txt")).expect("the recipes");
    text.split("\n\n")
        .filter(|paragraph| !paragraph.starts_with('#'))
        .map(|paragraph| {
            let mut lines = paragraph.lines();
            let name = lines.next().expect("a name").to_owned();
            let mut recipe = Recipe { name, mkfs: String::new(), commands: Vec::new(), finds: BTreeSet::new() };
            for line in lines {
                match line.split_once(' ') {
                    Some(("mkfs", options)) => recipe.mkfs = options.to_owned(),
                    Some(("do", command)) => recipe.commands.push(command.to_owned()),
                    Some(("finds", codes)) => recipe.finds.extend(codes.split(' ').map(str::to_owned)),
                    _ => panic!("{}: {line}", recipe.name),
                }
            }
            recipe
        })
        .collect()
}

/// Damages an image: debugfs does it, but for what it has no command for.
fn damage(image: &Path, command: &str) {
    if let Some(files) = command.strip_prefix("copy_block ") {
        let (from, to) = files.split_once(' ').expect("two files");
        let blocks = debugfs(image, &format!("blocks {from}\n"));
        let text = String::from_utf8(blocks).expect("numbers");
        let first = text.split_whitespace().find(|word| word.parse::<u64>().is_ok()).expect("a block").to_owned();
        debugfs(image, &format!("set_inode_field {to} block[0] {first}\n"));
    } else {
        debugfs(image, &format!("{command}\n"));
    }
}

#[test]
fn damage_is_found_under_its_code() {
    let scratch = Scratch::new();
    let mut wrong = Vec::new();
    for recipe in recipes() {
        let image = volume(&scratch, &recipe.name, &recipe.mkfs);
        recipe.commands.iter().for_each(|command| damage(&image, command));
        let (_, findings) = check(&image);
        let found: BTreeSet<String> = findings.iter().map(|(code, ..)| code.clone()).collect();
        let missed: Vec<&String> = recipe.finds.difference(&found).collect();
        if !missed.is_empty() {
            wrong.push(format!("{}: not found {missed:?}, found {found:?}", recipe.name));
        }
        fs::remove_file(image).expect("the image is ours");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
