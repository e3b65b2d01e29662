//! Volumes to damage, ways to damage them, and what `offmount check`, our reader and e2fsck say of them.
#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

pub mod recipe;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::common::{Scratch, debugfs, offmount, poke, run, system, testdata, tool};

/// A volume of 8 MiB with some of everything.
pub fn volume(scratch: &Scratch, name: &str, mkfs: &str) -> PathBuf {
    let image = scratch.sparse(name, 8 << 20);
    let mut args: Vec<&str> = vec!["-q", "-F", "-U", "6f66666d-6f75-6e74-2074-657374730001"];
    args.extend(mkfs.split(' '));
    let path = image.to_str().expect("a path in UTF-8");
    args.push(path);
    tool("mke2fs", &args);
    let content = scratch.join("content");
    fs::write(&content, (0..5000u32).map(|i| (i % 251) as u8).collect::<Vec<u8>>()).expect("a file");
    debugfs(&image, &commands(scratch, &content));
    rebuild(&image);
    image
}

/// Has e2fsck correct what debugfs leaves as it was, and hash the directories.
fn rebuild(image: &Path) {
    let ran = run(system("e2fsck").args(["-fyD"]).arg(image), b"");
    assert!(ran.code <= 1, "e2fsck on a new volume: {ran:?}");
}

/// What debugfs puts into a volume.
fn commands(scratch: &Scratch, content: &Path) -> String {
    let (holes, small, value) = (scratch.join("holes"), scratch.join("small"), scratch.join("value"));
    pieces(&holes, 12, 8192);
    fs::write(&small, [b's'; 100]).expect("a file");
    fs::write(&value, [b'v'; 600]).expect("a file");
    // Which block of a hashed directory a name lies in shall not be up to chance.
    let mut commands = String::from("set_super_value hash_seed 6f66666d-6f75-6e74-2074-657374730002\n");
    commands.push_str("mkdir /d\nmkdir /d/sub\nsymlink /link f1\nmknod pipe p\n");
    for i in 1..=4 {
        commands.push_str(&format!("write {} /f{i}\n", content.display()));
    }
    commands.push_str(&format!("write {} /holes\nwrite {} /small\n", holes.display(), small.display()));
    commands.push_str(&format!("symlink /slow {}\nmknod chr c 5 1\nmknod blk b 8 3\n", "x".repeat(200)));
    commands.push_str(&format!("ea_set /f1 user.small v\nea_set -f {} /f2 user.large\n", value.display()));
    commands.push_str("mkdir /many\n");
    for i in 0..60 {
        commands.push_str(&format!("write /dev/null /many/{}{i:02}\n", "n".repeat(50)));
    }
    commands
}

/// A file of `count` pieces of 1 KiB, one every `stride` bytes.
fn pieces(path: &Path, count: u64, stride: u64) {
    let sparse = fs::File::create(path).expect("a file");
    (0..count).for_each(|i| sparse.write_all_at(&[b'y'; 1024], i * stride).expect("a part of a file"));
}

/// The file that a command of a recipe names as `@NAME`.
fn material(scratch: &Scratch, name: &str) -> PathBuf {
    let path = scratch.join(format!("material-{name}"));
    // The context of an encrypted file (`fscrypt_context_v1`), the last 16 bytes of which differ from file to file.
    let context = |version: u8, policy: u8| [&[version, 1, 4, 0][..], &[policy; 8], &[7; 16]].concat();
    match name {
        "pieces" => pieces(&path, 200, 2048),
        "nodes" => fs::write(&path, vec![0; 10 << 10]).expect("a file"),
        "value-3000" => fs::write(&path, [b'w'; 3000]).expect("a file"),
        "context" => fs::write(&path, context(1, 1)).expect("a file"),
        "context-other" => fs::write(&path, context(1, 2)).expect("a file"),
        "context-short" => fs::write(&path, &context(1, 1)[..24]).expect("a file"),
        _ => panic!("no material {name}"),
    }
    path
}

/// Damages an image: debugfs does it, but for what it has no command for.
pub fn damage(scratch: &Scratch, image: &Path, command: &str) {
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    match verb {
        "copy_block" => copy_block(image, rest),
        "fill" => fill(image, rest),
        "rebuild" => rebuild(image),
        "truncate" => {
            let len = rest.parse().expect("a length");
            fs::OpenOptions::new().write(true).open(image).and_then(|file| file.set_len(len)).expect("a shorter image");
        }
        "zero" => poke::zero(image, rest),
        "chain" => chain(image, rest),
        _ if poke::STRUCTURES.contains(&verb) => poke::poke(image, command),
        _ => {
            let words = command.split_inclusive([' ', ';']).map(|word| match word.strip_prefix('@') {
                Some(name) => {
                    let end = name.find([' ', ';']).unwrap_or(name.len());
                    format!("{}{}", material(scratch, &name[..end]).display(), &name[end..])
                }
                None => word.to_owned(),
            });
            // One session: a transaction of the journal takes several commands.
            debugfs(image, &format!("{}\n", words.collect::<String>().replace("; ", "\n")));
        }
    }
}

/// Has a file claim the first block of another.
fn copy_block(image: &Path, files: &str) {
    let (from, to) = files.split_once(' ').expect("two files");
    let blocks = debugfs(image, &format!("blocks {from}\n"));
    let text = String::from_utf8(blocks).expect("numbers");
    let first = text.split_whitespace().find(|word| word.parse::<u64>().is_ok()).expect("a block").to_owned();
    debugfs(image, &format!("set_inode_field {to} block[0] {first}\n"));
}

/// Gives an inode an extent tree of so many levels, one node each, in the blocks of a file: `INODE FILE LEVELS`. Offsets
/// are those of `struct ext4_extent_header`, `ext4_extent_idx` and `ext4_extent`.
fn chain(image: &Path, what: &str) {
    let words: Vec<&str> = what.split(' ').collect();
    let [inode, file, levels] = words[..] else { panic!("chain INODE FILE LEVELS") };
    let levels: u16 = levels.parse().expect("a number");
    for level in 0..=levels {
        let (node, base, room) = match level {
            0 => (format!("inode {inode}"), 40, 4),
            _ => (format!("file {file} {}", level - 1), 0, 84),
        };
        let below = format!("@file:{file}:{level}");
        let is_leaf = level == levels;
        let fields = [(0, 2, "0xf30a"), (2, 2, "1"), (4, 2, &room.to_string()), (6, 2, &(levels - level).to_string())];
        let entry =
            [(12, 4, "0"), (16, 4, if is_leaf { "1" } else { &below }), (20, 4, if is_leaf { &below } else { "0" })];
        for (at, size, value) in fields.into_iter().chain(entry) {
            poke::poke(image, &format!("{node} {} {size} {value}", base + at));
        }
    }
}

/// Makes a directory with so many symbolic links, whose names are so long.
fn fill(image: &Path, what: &str) {
    let words: Vec<&str> = what.split(' ').collect();
    let [dir, count, len] = words[..] else { panic!("fill DIRECTORY COUNT LENGTH") };
    let (count, len): (usize, usize) = (count.parse().expect("a count"), len.parse().expect("a length"));
    let mut commands = format!("mkdir {dir}\n");
    (0..count).for_each(|i| commands.push_str(&format!("symlink {dir}/{i:0len$} to\n")));
    debugfs(image, &commands);
    rebuild(image);
}

/// A finding's id, severity and names at e2fsck.
pub type Finding = (String, String, Vec<String>);

/// What `offmount check` reports: its exit code, and the findings.
pub fn check(image: &Path) -> (i32, Vec<Finding>) {
    check_with(image, &[])
}

/// The same, with more arguments.
pub fn check_with(image: &Path, more: &[&str]) -> (i32, Vec<Finding>) {
    let before = fs::read(image).expect("the image");
    let mut args = vec!["check", "--json", image.to_str().expect("a path in UTF-8")];
    args.extend(more);
    let ran = offmount(&args);
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

/// The problems that e2fsck logs, run with `option` on the image, by name.
pub fn problems(scratch: &Scratch, image: &Path, option: &str, names: &BTreeMap<u32, String>) -> BTreeSet<String> {
    let (config, log) = (scratch.join("e2fsck.conf"), scratch.join("problems.xml"));
    fs::write(&config, format!("[options]\nproblem_log_filename = {}\n", log.display())).expect("a file");
    let _ = fs::remove_file(&log);
    run(system("e2fsck").env("E2FSCK_CONFIG", &config).arg(option).arg(image), b"");
    // A volume that can not be opened has a log, but without its end; one without problems may have none.
    let text = fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let numbers = text.split("<problem code=\"0x").skip(1).filter_map(|part| u32::from_str_radix(&part[..6], 16).ok());
    numbers.filter_map(|number| names.get(&number).cloned()).collect()
}

/// The names of e2fsck's problems.
pub fn problem_names() -> BTreeMap<u32, String> {
    let text = fs::read_to_string(testdata("e2fsck-problems.txt")).expect("the names");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (number, name) = line.split_once(' ').expect("a number and a name");
            (u32::from_str_radix(&number[2..], 16).expect("a number"), name.to_owned())
        })
        .collect()
}
