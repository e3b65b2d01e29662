//! What a journal still holds of volumes that a kernel filled: older copies of inode tables, directories and maps take the
//! place of those that are gone.

mod common;
mod salvaging;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Mounted, Scratch, tool, tool_fed};
use salvaging::{assert_all_there, contents, copied, first_block, header, tree, trusts, zero};

/// A volume that a kernel filled with the files of `tree`, and with others that it deleted.
fn filled(scratch: &Scratch, tree: &Path, kind: &[&str]) -> PathBuf {
    let image = scratch.sparse("image", 96 << 20);
    tool("mke2fs", &[&["-q", "-F", "-N", "4096"], kind, &[image.to_str().unwrap()]].concat());
    let mount = Mounted::writable(&image, "");
    let deleted = mount.path().join("deleted");
    fs::create_dir(&deleted).unwrap();
    for i in 0..200 {
        fs::write(deleted.join(format!("file{i}")), format!("deleted {i}")).unwrap();
    }
    tool("sync", &["-f", mount.path().to_str().unwrap()]);
    tool("cp", &["-a", &format!("{}/.", tree.display()), mount.path().to_str().unwrap()]);
    for i in 0..200 {
        fs::remove_file(deleted.join(format!("file{i}"))).unwrap();
    }
    drop(mount);
    image
}

/// Everything up to the root directory's block was overwritten: superblock, descriptors, and the inodes of most files.
#[test]
fn the_beginning_of_a_volume_is_gone() {
    let scratch = Scratch::new();
    let tree = tree(&scratch);
    // A file whose blocks are found over a block of pointers.
    fs::write(tree.join("long"), "line by line\n".repeat(20_000)).unwrap();
    let kinds: [&[&str]; 4] = [
        &["-t", "ext4", "-b", "4096", "-g", "8192"],
        &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"],
        &["-t", "ext3", "-b", "1024"],
        &["-t", "ext3", "-b", "1024", "-I", "128"],
    ];
    for kind in kinds {
        let image = filled(&scratch, &tree, kind);
        let end = (first_block(&image, "/") + 1) * header(&image, "Block size:");
        zero(&image, 0, end);
        let out = copied(&scratch, &image);
        assert_all_there(&tree, &out, &kind.join(" "));
        let trusts = trusts(&out);
        assert!(trusts.values().any(|trust| trust == "journal"), "{kind:?}");
        let doubted: Vec<_> = trusts.iter().filter(|(_, trust)| *trust == "doubtful" || *trust == "partial").collect();
        assert!(doubted.is_empty(), "{kind:?}: {doubted:?}");
        assert_eq!(fs::read_dir(out.join("deleted")).unwrap().count(), 0, "{kind:?}");
        let mut found = BTreeMap::new();
        contents(&out, &mut found);
        assert!(found.keys().all(|bytes| !bytes.starts_with(b"deleted ")), "{kind:?}");
    }
}

/// An encrypted volume's header, or another filesystem, was put where the first inode tables were.
#[test]
fn something_else_was_made_over_the_inode_tables() {
    let luks = ["luksFormat", "--batch-mode", "--type", "luks1", "--pbkdf-force-iterations", "1000"];
    for (maker, args) in [("cryptsetup", &luks[..]), ("mkfs.exfat", &[])] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let image = filled(&scratch, &tree, &["-t", "ext4", "-b", "1024"]);
        let path = image.to_str().unwrap();
        let end: &[&str] = if maker == "cryptsetup" { &[path, "-"] } else { &[path] };
        tool_fed(maker, &[args, end].concat(), b"password");
        let out = copied(&scratch, &image);
        let volume = out.join("#volumes/disk.old");
        assert_all_there(&tree, if volume.exists() { &volume } else { &out }, maker);
    }
}
