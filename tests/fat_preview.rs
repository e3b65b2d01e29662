//! The preview of a repair tells what fsck.fat and fsck.exfat do to a copy, and leaves the image alone.

mod common;
#[path = "common/exfat.rs"]
mod fuse;

use std::fs;
use std::path::Path;

use common::{Ran, Scratch, offmount, tool, untouched};
use fuse::Fuse;

fn preview(image: &Path) -> Ran {
    untouched(image, |image| offmount(&["check".as_ref(), "--preview-repair".as_ref(), image.as_os_str()]))
}

/// A FAT16 volume with two files of three clusters.
fn fat(scratch: &Scratch) -> Vec<u8> {
    let image = scratch.sparse("fat.img", 16 << 20);
    let path = image.display().to_string();
    tool("mkfs.fat", &["-F", "16", "-s", "1", "-i", "12345678", &path]);
    for name in ["A", "B"] {
        let file = scratch.join(name);
        fs::write(&file, vec![b'x'; 1500]).expect("a file");
        tool("mcopy", &["-i", &path, &file.display().to_string(), "::/"]);
    }
    fs::read(&image).expect("the image")
}

#[test]
fn a_healthy_volume_would_stay_as_it_is() {
    let scratch = Scratch::new();
    let image = scratch.join("image");
    fs::write(&image, fat(&scratch)).expect("the image");
    let ran = preview(&image).exits(0);
    assert!(ran.text().contains("fsck.fat would change nothing"), "{ran:?}");
}

#[test]
fn what_fsck_fat_cuts_is_told() {
    let scratch = Scratch::new();
    let mut bytes = fat(&scratch);
    // The chain of A ends after its first cluster, in both tables: fsck.fat shortens the file.
    let short = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let (first, size) = (short(14) * 512, short(22) * 512);
    for table in [first, first + size] {
        bytes[table + 4..table + 6].copy_from_slice(&[0xff, 0xff]);
    }
    let image = scratch.join("image");
    fs::write(&image, bytes).expect("the image");
    let ran = preview(&image).exits(4);
    assert!(ran.text().contains("fsck.fat would repair it"), "{ran:?}");
    assert!(ran.text().contains("/A: size 1500 becomes 512"), "{ran:?}");
    assert!(!ran.text().contains("/B:"), "{ran:?}");
}

#[test]
fn what_fsck_fat_would_cut_is_copied_whole() {
    let scratch = Scratch::new();
    let mut bytes = fat(&scratch);
    // The chain of A ends early in the first table, the one that fsck.fat believes.
    let first = usize::from(u16::from_le_bytes([bytes[14], bytes[15]])) * 512;
    bytes[first + 4..first + 6].copy_from_slice(&[0xff, 0xff]);
    let image = scratch.join("image");
    fs::write(&image, &bytes).expect("the image");
    let out = scratch.join("out");
    let to = format!("--to={}", out.display());
    untouched(&image, |image| {
        let args = ["copy".as_ref(), "--only-doomed".as_ref(), to.as_ref(), image.as_os_str()];
        offmount(&args).exits(0);
    });
    let copied: Vec<_> = fs::read_dir(&out).expect("a directory").map(|it| it.expect("an entry").file_name()).collect();
    assert!(copied.iter().all(|name| name == "A" || name == ".offmount"), "{copied:?}");
    assert_eq!(fs::read(out.join("A")).expect("the file"), vec![b'x'; 1500]);
    // That fsck.fat would cut it is what fsck.fat says itself.
    let repaired = scratch.copy_of(&image, "repaired");
    common::run(common::system("fsck.fat").arg("-a").arg(&repaired), b"");
    let left = tool("mtype", &["-i", &repaired.display().to_string(), "::/A"]);
    assert_eq!(left.len(), 512);
    let left = tool("mtype", &["-i", &repaired.display().to_string(), "::/B"]);
    assert_eq!(left.len(), 1500);
}

#[test]
fn what_fsck_exfat_cuts_is_told() {
    let scratch = Scratch::new();
    let image = scratch.sparse("exfat.img", 8 << 20);
    tool("mkfs.exfat", &["-c", "4096", &image.display().to_string()]);
    let mounted = Fuse::mount(&image);
    fs::write(mounted.join("kept"), b"kept").expect("a file");
    fs::write(mounted.join("doomed"), vec![b'x'; 9000]).expect("a file");
    mounted.unmount();
    let healthy = preview(&image).exits(0);
    assert!(healthy.text().contains("fsck.exfat would change nothing"), "{healthy:?}");
    // A set without its right checksum is deleted by fsck.exfat.
    let mut bytes = fs::read(&image).expect("the image");
    let name: Vec<u8> = "doomed".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = bytes.windows(name.len()).position(|window| window == name).expect("the name") - 2 - 64;
    bytes[at + 2] ^= 0xff;
    fs::write(&image, bytes).expect("the image");
    let ran = preview(&image).exits(4);
    assert!(ran.text().contains("fsck.exfat would repair it"), "{ran:?}");
    assert!(ran.text().contains("/doomed: lost"), "{ran:?}");
    assert!(!ran.text().contains("/kept:"), "{ran:?}");
}
