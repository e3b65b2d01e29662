//! The checks of ext volumes against e2fsck: healthy volumes of many kinds have no findings above a note, and each
//! recipe of `testdata/recipes/ext-damage.txt` is found, by its code and by that of e2fsck.

mod checking;
mod common;

use std::collections::BTreeSet;
use std::fs;

use checking::recipe::{Kitchen, recipes};
use checking::{check, damage, problem_names, volume};
use common::{Scratch, offmount, testdata};

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
    let (scratch, names) = (Scratch::new(), problem_names());
    let mut kitchen = Kitchen::new(&scratch, &names);
    // To try some recipes out.
    let only = std::env::var("RECIPES").unwrap_or_default();
    let chosen = recipes().into_iter().filter(|recipe| only.split(',').any(|part| recipe.name.contains(part)));
    let wrong: Vec<String> = chosen
        .flat_map(|recipe| {
            // One that can not be carried out shall not hide the others.
            let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| kitchen.try_out(&recipe)));
            tried.unwrap_or_else(|_| vec![format!("{}: it can not be carried out", recipe.name)])
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_damage_costs_is_told() {
    let scratch = Scratch::new();
    let image = volume(&scratch, "image", "-t ext2 -b 1024");
    damage(&scratch, &image, "copy_block /f1 /f2");
    let ran = offmount(&["check".as_ref(), "--json".as_ref(), image.as_os_str()]).exits(4);
    let records = ran.lines().into_iter().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let costs: Vec<_> = records.filter(|it| it["code"] == "ext-shared-file").map(|it| it["cost"].to_string()).collect();
    // Two files of 5000 bytes share one block of 1024.
    assert_eq!(costs, [r#"{"bytes":1024,"files":1}"#; 2]);
    let text = offmount(&["check".as_ref(), image.as_os_str()]).exits(4);
    assert!(text.text().contains("costs: 2 files, 2.0 KiB of contents"), "{text:?}");
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
