//! The checks of ext volumes against e2fsck: healthy volumes of many kinds have no findings above a note, and each
//! recipe of `testdata/recipes/ext-damage.txt` is found, by its code and by that of e2fsck.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use common::{Scratch, debugfs, offmount, poke, run, system, testdata, tool};

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
    debugfs(&image, &commands(scratch, &content));
    // debugfs leaves some counts as they were, and hashes no directory.
    let ran = run(system("e2fsck").args(["-fyD"]).arg(&image), b"");
    assert!(ran.code <= 1, "e2fsck on a new volume: {ran:?}");
    image
}

/// What debugfs puts into a volume.
fn commands(scratch: &Scratch, content: &Path) -> String {
    let (holes, small, value) = (scratch.join("holes"), scratch.join("small"), scratch.join("value"));
    let sparse = fs::File::create(&holes).expect("a file");
    (0..12).for_each(|i| sparse.write_all_at(&[b'y'; 1024], i * 8192).expect("a part of a file"));
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
    } else if STRUCTURES.iter().any(|structure| command.starts_with(structure)) {
        poke::poke(image, command);
    } else {
        debugfs(image, &format!("{command}\n"));
    }
}

/// What pokes begin with.
const STRUCTURES: &[&str] = &["sb ", "gd ", "inode ", "file ", "file-be ", "acl ", "node ", "bitmap ", "mmp "];

/// The problems that `e2fsck -fn` logs, by name.
fn problems(scratch: &Scratch, image: &Path, names: &BTreeMap<u32, String>) -> BTreeSet<String> {
    let (config, log) = (scratch.join("e2fsck.conf"), scratch.join("problems.xml"));
    fs::write(&config, format!("[options]\nproblem_log_filename = {}\n", log.display())).expect("a file");
    let _ = fs::remove_file(&log);
    run(system("e2fsck").env("E2FSCK_CONFIG", &config).arg("-fn").arg(image), b"");
    // A volume that can not be opened has a log, but without its end; one without problems may have none.
    let text = fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let numbers = text.split("<problem code=\"0x").skip(1).filter_map(|part| u32::from_str_radix(&part[..6], 16).ok());
    numbers.filter_map(|number| names.get(&number).cloned()).collect()
}

/// The names of e2fsck's problems.
fn problem_names() -> BTreeMap<u32, String> {
    let text = fs::read_to_string(testdata("e2fsck-problems.txt")).expect("the names");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (number, name) = line.split_once(' ').expect("a number and a name");
            (u32::from_str_radix(&number[2..], 16).expect("a number"), name.to_owned())
        })
        .collect()
}

/// The codes of ext volumes, as the program's own page lists them.
fn codes() -> Vec<String> {
    let page = offmount(&["explain", "--all"]).exits(0);
    let ids = page.text().lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`').map(str::to_owned));
    ids.filter(|id| id.starts_with("ext-")).collect()
}

#[test]
fn damage_is_found_under_its_code_and_e2fsck_says_so_too() {
    let scratch = Scratch::new();
    let names = problem_names();
    let mut volumes: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut wrong = Vec::new();
    for recipe in recipes() {
        let next = format!("volume-{}", volumes.len());
        let whole = volumes.entry(recipe.mkfs.clone()).or_insert_with(|| volume(&scratch, &next, &recipe.mkfs));
        let image = scratch.copy_of(whole, &recipe.name);
        recipe.commands.iter().for_each(|command| damage(&image, command));
        let (_, findings) = check(&image);
        let said = problems(&scratch, &image, &names);
        for id in &recipe.finds {
            match findings.iter().find(|(code, ..)| code == id) {
                None => wrong.push(format!("{}: {id} is not found", recipe.name)),
                Some((.., theirs)) if !theirs.is_empty() && !theirs.iter().any(|name| said.contains(name)) => {
                    wrong.push(format!("{}: {id} is {theirs:?}, and e2fsck says {said:?}", recipe.name));
                }
                Some(_) => {}
            }
        }
        fs::remove_file(image).expect("the image is ours");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_damage_costs_is_told() {
    let scratch = Scratch::new();
    let image = volume(&scratch, "image", "-t ext2 -b 1024");
    damage(&image, "copy_block /f1 /f2");
    let ran = offmount(&["check".as_ref(), "--json".as_ref(), image.as_os_str()]).exits(4);
    let records = ran.lines().into_iter().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let costs: Vec<_> = records.filter(|it| it["code"] == "ext-shared-file").map(|it| it["cost"].to_string()).collect();
    // Two files of 5000 bytes share one block of 1024.
    assert_eq!(costs, [r#"{"bytes":1024,"files":1}"#; 2]);
    let text = offmount(&["check".as_ref(), image.as_os_str()]).exits(4);
    assert!(text.text().contains("costs: 2 files, 2.0 KiB of contents"), "{text:?}");
}

#[test]
fn codes_never_change_and_each_is_provoked() {
    let lines = |name: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(testdata(name)).expect("a list");
        let ids = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').next());
        ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
    };
    let codes = codes();
    let ids: BTreeSet<String> = codes.iter().cloned().collect();
    assert_eq!(ids.len(), codes.len(), "an id stands twice");
    assert_eq!(ids, lines("ext-codes.txt"), "ids are added to the list, and never change");
    let provoked: BTreeSet<String> = recipes().into_iter().flat_map(|recipe| recipe.finds).collect();
    let elsewhere = lines("ext-codes-elsewhere.txt");
    let missing: Vec<&String> = ids.iter().filter(|id| !provoked.contains(*id) && !elsewhere.contains(*id)).collect();
    assert!(missing.is_empty(), "no recipe provokes {missing:?}");
    let needless: Vec<&String> = elsewhere.iter().filter(|id| provoked.contains(*id)).collect();
    assert!(needless.is_empty(), "recipes provoke {needless:?}");
}
