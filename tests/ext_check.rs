//! The checks of ext volumes against e2fsck: healthy volumes of many kinds have no findings above a note, and each
//! recipe of `testdata/recipes/ext-damage.txt` is found, by its code and by that of e2fsck.

mod checking;
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use checking::recipe::{Recipe, recipes, try_out};
use checking::{check, damage, problem_names, problems, volume};
use common::{Mounted, Scratch, debugfs, is_root, offmount, poke, skipped, testdata, tool};
use rayon::prelude::*;

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

/// The codes of ext volumes, as the program's own page lists them.
fn codes() -> Vec<String> {
    let page = offmount(&["explain", "--all"]).exits(0);
    let ids = page.text().lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`').map(str::to_owned));
    ids.filter(|id| id.starts_with("ext-")).collect()
}

#[test]
fn damage_is_found_under_its_code_and_e2fsck_says_so_too() {
    // To try some recipes out.
    let only = std::env::var("RECIPES").unwrap_or_default();
    let is_chosen = |recipe: &Recipe| only.split(',').any(|part| recipe.name.contains(part));
    let mut kinds: BTreeMap<String, Vec<Recipe>> = BTreeMap::new();
    for recipe in recipes().into_iter().filter(is_chosen) {
        kinds.entry(recipe.mkfs.clone()).or_default().push(recipe);
    }
    // Several at a time: e2fsck waits long for other machines that may have a volume mounted.
    let wrong: Vec<String> =
        kinds.into_values().collect::<Vec<_>>().into_par_iter().flat_map(|kind| all_wrong(&kind)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not as recipes for volumes of one kind say.
fn all_wrong(recipes: &[Recipe]) -> Vec<String> {
    let (scratch, names) = (Scratch::new(), problem_names());
    let whole = volume(&scratch, "whole", &recipes[0].mkfs);
    let tried = recipes.iter().flat_map(|recipe| {
        // One that can not be carried out shall not hide the others.
        let tried = std::panic::catch_unwind(|| try_out(&scratch, &whole, recipe, &names));
        tried.unwrap_or_else(|_| vec![format!("{}: it can not be carried out", recipe.name)])
    });
    tried.collect()
}

#[test]
fn directories_of_more_links_than_can_be_counted() {
    if !is_root() {
        return skipped("mounting needs root");
    }
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 48 << 20);
    // Directories that lie in their inodes take no blocks.
    let options =
        ["-q", "-F", "-t", "ext4", "-b", "1024", "-N", "65600", "-O", "inline_data,^metadata_csum,^has_journal"];
    tool("mke2fs", &[&options[..], &[image.to_str().expect("a path in UTF-8")]].concat());
    let mounted = Mounted::writable(&image, "");
    fs::create_dir(mounted.join("many")).expect("a directory");
    (0..65_001).for_each(|i| fs::create_dir(mounted.join(format!("many/{i}"))).expect("a directory"));
    drop(mounted);
    let (code, findings) = check(&image);
    assert_eq!((code, findings), (0, vec![]), "with the feature");
    damage(&scratch, &image, "sb 0x64 4 ~0x20");
    let (code, findings) = check(&image);
    assert!(code == 4 && findings.iter().any(|(id, ..)| id == "ext-superblock-dir-nlink"), "{findings:?}");
    let said = problems(&scratch, &image, "-fn", &problem_names());
    assert!(said.contains("PR_4_DIR_NLINK_FEATURE"), "{said:?}");
}

/// The costs of the findings of a code.
fn costs(image: &Path, id: &str) -> Vec<String> {
    let ran = offmount(&["check".as_ref(), "--json".as_ref(), image.as_os_str()]).exits(4);
    let records = ran.lines().into_iter().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    records
        .filter(|it| it["code"] == id && it["cost"].is_object() && it["title"].is_string())
        .map(|it| it["cost"].to_string())
        .collect()
}

#[test]
fn damage_costs_the_files_and_bytes_that_it_is_about() {
    let scratch = Scratch::new();
    let (by_extents, by_blocks) = ("-t ext4 -b 1024 -O ^metadata_csum", "-t ext2 -b 1024");
    // Files of 5000 bytes, in blocks of 1024; the second extent of /holes has the bytes 8192 to 9215.
    for (mkfs, command, id, cost) in [
        (by_extents, "inode <16> 60 4 999999", "ext-extent-start", r#"{"bytes":5000,"files":1}"#),
        (by_extents, "node <20> 32 4 999999", "ext-extent-start", r#"{"bytes":1024,"files":1}"#),
        (by_extents, "node <20> 0 2 0", "ext-extent-header", r#"{"bytes":91136,"files":1}"#),
        (by_extents, "inode <16> 40 2 0", "ext-extent-root", r#"{"bytes":5000,"files":1}"#),
        (by_blocks, "inode <16> 56 4 999999", "ext-map-block-number", r#"{"bytes":904,"files":1}"#),
        (by_blocks, "inode <16> 0 2 0", "ext-inode-mode", r#"{"bytes":5000,"files":1}"#),
        (by_blocks, "unlink /f1", "ext-inode-unattached", r#"{"bytes":0,"files":1}"#),
        (by_blocks, "clri /f1", "ext-entry-unused", r#"{"bytes":0,"files":1}"#),
        (by_blocks, "acl <17> 44 4 1", "ext-xattr-hash", r#"{"bytes":0,"files":1}"#),
    ] {
        let image = volume(&scratch, "image", mkfs);
        damage(&scratch, &image, command);
        assert_eq!(costs(&image, id), [cost], "{command}");
    }
}

#[test]
fn what_damage_costs_is_told() {
    let scratch = Scratch::new();
    let image = volume(&scratch, "image", "-t ext2 -b 1024");
    damage(&scratch, &image, "copy_block /f1 /f2");
    // Two files of 5000 bytes share one block of 1024.
    assert_eq!(costs(&image, "ext-shared-file"), [r#"{"bytes":1024,"files":1}"#; 2]);
    let text = offmount(&["check".as_ref(), image.as_os_str()]).exits(4);
    assert!(text.text().contains("touches: 2 files, 2.0 KiB of contents"), "{text:?}");
}

#[test]
fn what_waits_in_a_journal_is_judged_as_a_replay_leaves_it() {
    let scratch = Scratch::new();
    let zeros = scratch.join("zeros");
    fs::write(&zeros, [0; 2 * 1024]).expect("a file");
    for (n, mkfs) in ["-t ext3 -b 1024", "-t ext4 -b 1024", "-t ext4 -b 1024 -O ^64bit"].iter().enumerate() {
        let image = volume(&scratch, &format!("waits-{n}"), mkfs);
        // Bitmaps that call everything free wait to be written.
        let block = |structure| poke::span(&image, structure).start / 1024;
        let (blocks, inodes) = (block("bitmap 0 block"), block("bitmap 0 inode"));
        debugfs(&image, &format!("jo\njw -b {blocks},{inodes} {}\njc\n", zeros.display()));
        let said = problems(&scratch, &image, "-fn", &problem_names());
        assert!(!said.contains("PR_5_BLOCK_BITMAP_HEADER"), "e2fsck -fn judges what will be overwritten: {said:?}");
        let replayed = scratch.copy_of(&image, &format!("replayed-{n}"));
        debugfs(&replayed, "jr\n");
        let said = problems(&scratch, &replayed, "-fn", &problem_names());
        assert!(said.contains("PR_5_BLOCK_BITMAP_HEADER") && said.contains("PR_5_INODE_BITMAP_HEADER"), "{said:?}");
        let ids = |image| {
            let (code, findings) = check(image);
            assert_eq!(code, 4, "mke2fs {mkfs}");
            findings.into_iter().map(|(id, ..)| id).filter(|id| id != "ext-journal-replayed").collect::<BTreeSet<_>>()
        };
        let found = ids(&image);
        assert_eq!(found, ids(&replayed), "mke2fs {mkfs}");
        assert!(found.contains("ext-bitmap-blocks-used") && found.contains("ext-bitmap-inodes-used"), "{found:?}");
    }
}

#[test]
fn a_table_that_can_not_be_read_costs_the_files_that_its_bitmap_knows() {
    let scratch = Scratch::new();
    let image = volume(&scratch, "image", "-t ext2 -b 1024");
    // A block of the table, with four records: the inodes 9 and 10 are reserved, 11 and 12 are in use.
    let table = poke::span(&image, "inode <9>").start / 1024 * 1024;
    let map = scratch.join("mapfile");
    let len = fs::metadata(&image).expect("the image").len();
    let lines =
        format!("0x0 + 1\n0x0 {table:#x} +\n{table:#x} 0x400 -\n{:#x} {:#x} +\n", table + 1024, len - table - 1024);
    fs::write(&map, lines).expect("a mapfile");
    let args = ["check".as_ref(), "--json".as_ref(), "--mapfile".as_ref(), map.as_os_str(), image.as_os_str()];
    let ran = offmount(&args).exits(4);
    let records = ran.lines().into_iter().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let found: Vec<_> =
        records.filter(|it| it["code"] == "ext-inode-table-unreadable" && it["found"].is_string()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["found"], &found[0]["cost"]["files"]), (&"inodes 9+4".into(), &2.into()), "{found:?}");
}

#[test]
fn one_wrong_checksum_at_a_tables_end_is_no_garbage() {
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 8 << 20);
    let path = image.to_str().expect("a path in UTF-8");
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "1024", "-N", "256", path]);
    // Four records fill a block; of the last that are looked at, the file's is the only one.
    let commands = "mkdir /a\nwrite /dev/null /file\nset_inode_field <13> checksum 0x1234\n";
    debugfs(&image, commands);
    let (code, findings) = check(&image);
    let ids: BTreeSet<&str> = findings.iter().map(|(id, ..)| id.as_str()).collect();
    assert!(code == 4 && ids.contains("ext-inode-checksum") && !ids.contains("ext-inode-garbage"), "{findings:?}");
    let said = problems(&scratch, &image, "-fn", &problem_names());
    assert!(!said.contains("PR_1_INODE_IS_GARBAGE"), "{said:?}");
}

/// The lines of a list in `testdata`.
fn lines(name: &str) -> Vec<String> {
    let text = fs::read_to_string(testdata(name)).expect("a list");
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn codes_never_change_and_each_is_provoked() {
    let codes = codes();
    let ids: BTreeSet<String> = codes.iter().cloned().collect();
    assert_eq!(ids.len(), codes.len(), "an id stands twice");
    let listed = lines("ext-codes.txt");
    let (gone, known): (Vec<String>, Vec<String>) = listed.into_iter().partition(|id| id.starts_with('-'));
    assert_eq!(ids, known.into_iter().collect(), "ids are added to the list, and never change");
    let again: Vec<&String> = gone.iter().filter(|id| ids.contains(&id[1..])).collect();
    assert!(again.is_empty(), "ids that were taken away are used again: {again:?}");
    let mut provoked: BTreeSet<String> =
        recipes().into_iter().flat_map(|recipe| recipe.finds.into_iter().chain(recipe.reads)).collect();
    for line in lines("ext-codes-elsewhere.txt") {
        let (id, file) = line.split_once(' ').expect("a code and a file");
        let test = fs::read_to_string(format!("{}/tests/{file}", env!("CARGO_MANIFEST_DIR"))).expect("a test");
        assert!(test.contains(&format!("\"{id}\"")), "{file} does not ask for {id}");
        assert!(provoked.insert(id.to_owned()), "a recipe provokes {id}");
    }
    let missing: Vec<&String> = ids.difference(&provoked).collect();
    assert!(missing.is_empty(), "nothing provokes {missing:?}");
}

#[test]
fn problems_of_e2fsck_are_called_by_their_names() {
    let names: BTreeSet<String> = problem_names().into_values().collect();
    let page = offmount(&["explain", "--all"]).exits(0);
    let words = page.text().split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let unknown: BTreeSet<&str> = words.filter(|word| word.starts_with("PR_") && !names.contains(*word)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
