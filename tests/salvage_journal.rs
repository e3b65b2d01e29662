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
fn filled(scratch: &Scratch, tree: &Path, size: u64, kind: &[&str]) -> PathBuf {
    let image = scratch.sparse("image", size);
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
        let image = filled(&scratch, &tree, 96 << 20, kind);
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
        let image = filled(&scratch, &tree, 96 << 20, &["-t", "ext4", "-b", "1024"]);
        let path = image.to_str().unwrap();
        let end: &[&str] = if maker == "cryptsetup" { &[path, "-"] } else { &[path] };
        tool_fed(maker, &[args, end].concat(), b"password");
        let out = copied(&scratch, &image);
        // What the newer one has in use, nothing tells: it is new.
        let trusts = trusts(&out);
        assert!(trusts.values().all(|trust| trust != "doubtful"), "{maker}");
        let volume = out.join("#volumes/disk.old");
        assert_all_there(&tree, if volume.exists() { &volume } else { &out }, maker);
    }
}

/// A newer filesystem that is not read counts files of its own: what lay in their blocks is not the older one's any more.
#[test]
fn a_newer_filesystem_is_full_of_files() {
    for maker in ["mkfs.xfs", "mkfs.btrfs"] {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        // xfs is no smaller than this.
        let image = filled(&scratch, &tree, 320 << 20, &["-t", "ext4", "-b", "1024"]);
        tool(maker, &["-q", "-f", "-K", image.to_str().unwrap()]);
        let mount = Mounted::writable(&image, "");
        for i in 0..400 {
            fs::write(mount.join(format!("new{i}")), format!("newer {i} ").repeat(40_000)).unwrap();
        }
        drop(mount);
        let out = copied(&scratch, &image);
        let trusts = trusts(&out);
        let (mut truth, mut found) = (BTreeMap::new(), BTreeMap::new());
        contents(&tree, &mut truth);
        contents(&out, &mut found);
        assert!(!found.is_empty(), "{maker}");
        for (bytes, path) in found.iter().filter(|(bytes, _)| !bytes.is_empty() && !truth.contains_key(*bytes)) {
            let name = path.strip_prefix(&out).unwrap().to_str().unwrap();
            let trust = trusts.get(name).map_or("doubtful", String::as_str);
            assert!(["doubtful", "partial"].contains(&trust), "{maker}: {name} {trust}, {} bytes", bytes.len());
        }
    }
}
