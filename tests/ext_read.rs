//! Healthy ext2, ext3 and ext4 volumes with every feature, filled by the kernel: all that the kernel shows of them,
//! read without it.

mod common;
#[path = "common/listing.rs"]
mod listing;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions as Files};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use common::{Mounted, Scratch, debugfs, is_root, run, skipped, system, tool, untouched};
use listing::{assert_same, mounted, ours};
use offmount::node::Trust;
use rustix::fs::{AtFlags, CWD, FallocateFlags, FileType, Mode, Timespec, Timestamps, XattrFlags};

/// What every volume holds, and what only some can.
#[derive(Clone, Copy)]
struct Fill {
    /// Attributes of any size.
    large_values: bool,
    /// A file that reaches into triple indirect blocks.
    far: u64,
    /// Entries of the largest directory.
    names: u32,
}

const FILL: Fill = Fill { large_values: false, far: 1 << 20, names: 1500 };

/// Makes a volume of `mib` MiB, has the kernel fill it, and compares.
#[track_caller]
fn reads_as_the_kernel(mib: u64, args: &[&str], fill: Fill) {
    if !is_root() {
        return skipped("mounting needs root");
    }
    let scratch = Scratch::new();
    let image = scratch.sparse("image", mib << 20);
    let mut command: Vec<&OsStr> = ["-q", "-F"].iter().chain(args).map(OsStr::new).collect();
    command.push(image.as_os_str());
    tool("mke2fs", &command);
    {
        let volume = Mounted::writable(&image, "");
        populate(volume.path(), fill);
    }
    compare(&image, &format!("{args:?}"));
}

/// Compares what we read with what the kernel shows of an image that it mounts without a write.
#[track_caller]
fn compare(image: &Path, what: &str) {
    untouched(image, |image| {
        let fs = listing::open(image, &offmount::fs::OpenOptions::default());
        let log = fs.log();
        assert!(log.is_empty(), "{what}: {:?}", log.findings().collect::<Vec<_>>());
        let ours = ours(image);
        let journal = fs.summary().features.iter().any(|feature| feature == "has_journal");
        let volume = Mounted::read_only(image, if journal { "noload" } else { "" });
        assert_same(&ours, &mounted(volume.path()), what);
        no_node_is_doubted(&*fs, what);
        summary_as_told_by_others(image, &fs.summary());
    });
}

/// The volume as a whole, as dumpe2fs and blkid tell it.
#[track_caller]
fn summary_as_told_by_others(image: &Path, summary: &offmount::fs::Summary) {
    let told = String::from_utf8(tool("dumpe2fs", &[OsStr::new("-h"), image.as_os_str()])).unwrap();
    let field = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{name}: {told}")).trim()
    };
    let number = |name: &str| field(name).parse::<u64>().unwrap();
    let features = summary.features.join(" ");
    assert_eq!(if features.is_empty() { "(none)" } else { &features }, field("Filesystem features"));
    assert_eq!(summary.block_size, number("Block size"));
    assert_eq!(summary.size, number("Block count") * summary.block_size);
    assert_eq!(summary.used, Some((number("Block count") - number("Free blocks")) * summary.block_size));
    let inodes = number("Inode count");
    assert_eq!(summary.inodes, Some((inodes, inodes - number("Free inodes"))));
    assert_eq!(summary.state, ["clean"]);
    let told = String::from_utf8(tool("blkid", &["-p", "-o", "export", &image.display().to_string()])).unwrap();
    assert!(told.contains(&format!("\nTYPE={}\n", summary.kind)), "{} {told}", summary.kind);
    assert!(told.contains(&format!("UUID={}\n", summary.uuid.as_deref().unwrap())), "{told}");
    assert!(told.contains("LABEL=label\n") == (summary.label.as_deref() == Some(b"label")), "{told}");
}

fn no_node_is_doubted(fs: &dyn offmount::fs::FileSystem, what: &str) {
    let mut visit = |node: offmount::node::Node| {
        assert_eq!(node.trust, Trust::Intact, "{what}: {node:?}");
        let mapping = fs.mapping(&node).unwrap();
        assert!(mapping.trust == Trust::Intact && mapping.findings.is_empty(), "{what}: {node:?} {mapping:?}");
        let attributes = fs.xattrs(&node).unwrap();
        assert!(attributes.trust == Trust::Intact && attributes.findings.is_empty(), "{what}: {attributes:?}");
        std::ops::ControlFlow::Continue(())
    };
    fs.census(offmount::fs::Census::InUse, &offmount::progress::Silent, &mut visit).unwrap();
}

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn populate(root: &Path, fill: Fill) {
    for (name, len) in
        [("empty", 0), ("one", 1), ("tiny", 59), ("sixty", 60), ("small", 61), ("more", 150), ("block", 4096)]
    {
        fs::write(root.join(name), bytes(len as u64, len)).unwrap();
    }
    fs::write(root.join("big"), bytes(7, 3 << 20)).unwrap();
    sparse(root, fill.far);
    names(root, fill.names);
    links(root);
    special(root);
    attributes(root, fill.large_values);
    times(root);
    let odd = root.join("odd");
    fs::write(&odd, b"owned").unwrap();
    std::os::unix::fs::chown(&odd, Some(70_000), Some(4_000_000_000)).unwrap();
    rustix::fs::chmod(&odd, Mode::from_raw_mode(0o6755)).unwrap();
    let sticky = root.join("sticky");
    fs::create_dir(&sticky).unwrap();
    rustix::fs::chmod(&sticky, Mode::from_raw_mode(0o1777)).unwrap();
}

/// Holes, preallocated ranges, and a file in so many pieces that its map needs blocks of its own.
fn sparse(root: &Path, far: u64) {
    let file = File::create(root.join("sparse")).unwrap();
    for at in [0, 100_000, far] {
        file.write_all_at(&bytes(at, 5000), at).unwrap();
    }
    file.set_len(far + 123_456).unwrap();
    let pieces = File::create(root.join("pieces")).unwrap();
    for i in 0..600 {
        pieces.write_all_at(&bytes(i, 10), i * 9000).unwrap();
    }
    let allocated = File::create(root.join("allocated")).unwrap();
    // Not every kind of volume can allocate without writing.
    if rustix::fs::fallocate(&allocated, FallocateFlags::empty(), 0, 200_000).is_ok() {
        allocated.write_all_at(&bytes(3, 1000), 70_000).unwrap();
    }
}

/// Names of every shape; a directory of many, some of them removed again.
fn names(root: &Path, count: u32) {
    let dir = root.join("names");
    fs::create_dir(&dir).unwrap();
    let long = vec![b'x'; 255];
    for name in [&b"not\xffutf8\xfe"[..], b"new\nline", b" space", b"-dash", &long, "größe".as_bytes(), b"tab\t"] {
        fs::write(dir.join(OsStr::from_bytes(name)), name).unwrap();
    }
    let many = root.join("many");
    fs::create_dir(&many).unwrap();
    let name = |i: u32| many.join(format!("a file with a name of some length {i}"));
    (0..count).for_each(|i| drop(File::create(name(i)).unwrap()));
    (0..count).step_by(7).for_each(|i| fs::remove_file(name(i)).unwrap());
    let mut deep = root.to_owned();
    for i in 0..20 {
        deep.push(format!("level{i}"));
        fs::create_dir(&deep).unwrap();
    }
    fs::write(deep.join("bottom"), b"bottom").unwrap();
    // Directories that grew, and were emptied again, or hardly so.
    let few = root.join("few");
    fs::create_dir(&few).unwrap();
    (0..12).for_each(|i| fs::write(few.join(format!("f{i}")), b"").unwrap());
    (0..5).for_each(|i| fs::remove_file(few.join(format!("f{i}"))).unwrap());
}

fn links(root: &Path) {
    for (name, len) in [("short", 10), ("l59", 59), ("l60", 60), ("l200", 200), ("l1000", 1000)] {
        symlink("t".repeat(len), root.join(format!("link {name}"))).unwrap();
    }
    fs::hard_link(root.join("big"), root.join("big too")).unwrap();
    fs::hard_link(root.join("big"), root.join("names/big three")).unwrap();
}

fn special(root: &Path) {
    let mode = Mode::from_raw_mode(0o644);
    let devices = [
        ("fifo", FileType::Fifo, 0),
        ("socket", FileType::Socket, 0),
        ("null", FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
        ("large", FileType::BlockDevice, rustix::fs::makedev(300, 70_000)),
    ];
    for (name, kind, device) in devices {
        rustix::fs::mknodat(CWD, root.join(name), kind, mode, device).unwrap();
    }
}

/// Attributes in the inode, in a block, and ACLs; a capability.
fn attributes(root: &Path, large_values: bool) {
    let file = root.join("attributes");
    fs::write(&file, b"has attributes").unwrap();
    let set = |path: &Path, name: &str, value: &[u8]| {
        rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap_or_else(|e| panic!("{name}: {e}"));
    };
    set(&file, "user.short", b"v");
    set(&file, "user.empty", b"");
    set(&file, "trusted.hidden", b"for root");
    set(&file, "user.longer", &bytes(1, 300));
    set(&file, "security.capability", &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    if large_values {
        set(&file, "user.large", &bytes(2, 40_000));
    }
    let entry = |tag: u16, permissions: u16, id: u32| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let acl = [
        2u32.to_le_bytes().to_vec(),
        entry(1, 6, u32::MAX),
        entry(2, 4, 1000),
        entry(4, 4, u32::MAX),
        entry(8, 5, 2000),
        entry(16, 7, u32::MAX),
        entry(32, 0, u32::MAX),
    ];
    let shared = root.join("shared");
    fs::create_dir(&shared).unwrap();
    for name in ["system.posix_acl_access", "system.posix_acl_default"] {
        set(&shared, name, &acl.concat());
    }
    fs::write(shared.join("inherits"), b"").unwrap();
    symlink("nowhere", root.join("labelled")).unwrap();
    set(&root.join("labelled"), "trusted.of-a-link", b"link");
}

/// Before 1970, after 2038, with nanoseconds.
fn times(root: &Path) {
    for (name, secs, nanos) in
        [("old", -1_000_000_000, 999_999_999), ("new", 4_500_000_000, 1), ("last", 15_032_385_535, 5)]
    {
        let path = root.join(name);
        fs::write(&path, name).unwrap();
        let time = Timespec { tv_sec: secs, tv_nsec: nanos };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty()).unwrap();
    }
}

macro_rules! volumes {
    ($($(#[$doc:meta])* $name:ident: $mib:literal $args:expr $(, $fill:expr)?;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            #[allow(unused_mut, unused_assignments)]
            let mut fill = FILL;
            $(fill = $fill;)?
            reads_as_the_kernel($mib, &$args.split(' ').collect::<Vec<_>>(), fill);
        }
    )*};
}

volumes! {
    ext2_of_small_blocks: 32 "-t ext2 -b 1024 -L label", Fill { far: 70 << 20, ..FILL };
    ext2_of_large_blocks: 32 "-t ext2 -b 4096";
    ext2_as_it_was_first: 32 "-t ext2 -r 0 -b 1024";
    ext2_without_kinds_in_entries: 32 "-t ext2 -O ^filetype,^dir_index";
    ext3: 32 "-t ext3 -b 2048";
    ext4: 32 "-t ext4 -b 4096";
    ext4_of_small_blocks: 32 "-t ext4 -b 1024";
    ext4_of_small_inodes: 32 "-t ext4 -I 128";
    ext4_of_large_inodes: 48 "-t ext4 -I 1024 -b 4096";
    ext4_without_extents: 32 "-t ext4 -O ^extent,^64bit -b 1024", Fill { far: 70 << 20, ..FILL };
    ext4_of_32_bits: 32 "-t ext4 -O ^64bit";
    with_checksums_of_groups_alone: 64 "-t ext4 -O ^metadata_csum,uninit_bg -b 1024";
    without_checksums: 32 "-t ext4 -O ^metadata_csum,^uninit_bg";
    with_a_seed_of_its_own: 32 "-t ext4 -O metadata_csum_seed -U 01234567-89ab-cdef-0123-456789abcdef";
    with_descriptors_in_their_groups: 64 "-t ext4 -O meta_bg,^resize_inode -b 1024 -g 1024";
    with_few_backups: 64 "-t ext4 -O sparse_super2,^resize_inode -b 1024";
    with_all_backups: 64 "-t ext4 -O ^sparse_super,^flex_bg,^resize_inode -b 1024";
    in_clusters: 64 "-t ext4 -O bigalloc -b 4096 -C 16384";
    in_clusters_of_small_blocks: 64 "-t ext4 -O bigalloc -b 1024 -C 8192";
    with_data_in_inodes: 32 "-t ext4 -O inline_data -I 256";
    with_data_in_large_inodes: 48 "-t ext4 -O inline_data -I 512 -b 1024";
    with_values_in_inodes: 48 "-t ext4 -O ea_inode", Fill { large_values: true, ..FILL };
    with_large_directories: 64 "-t ext4 -O large_dir -b 1024 -N 12000", Fill { names: 9000, ..FILL };
    with_an_orphan_file: 32 "-t ext4 -O orphan_file";
    guarded_against_two_mounts: 32 "-t ext4 -O mmp";
}

/// Blocks larger than a page, which this kernel may not mount: debugfs is the other reader.
#[test]
fn blocks_of_64_kib() {
    let scratch = Scratch::new();
    let from = scratch.dir("from");
    fs::create_dir(from.join("dir")).unwrap();
    for i in 0..3000 {
        fs::write(from.join(format!("dir/a name of some length {i}")), b"").unwrap();
    }
    fs::write(from.join("big"), bytes(1, 1 << 20)).unwrap();
    fs::write(from.join("small"), b"small").unwrap();
    let image = scratch.sparse("image", 256 << 20);
    let args = ["-q", "-F", "-t", "ext4", "-b", "65536", "-N", "4000", "-d"].map(OsStr::new);
    let made = run(system("mke2fs").args(args).arg(&from).arg(&image), b"");
    assert_eq!(made.code, 0, "{made:?}");
    let listing = untouched(&image, ours);
    let expected = mounted(&from);
    let shape = |listing: &listing::Listing| {
        let of = |(path, shown): (&Vec<u8>, &listing::Shown)| (path.clone(), shown.kind, shown.contents.clone());
        listing.iter().filter(|(path, _)| !path.starts_with(b"lost+found")).map(of).collect::<Vec<_>>()
    };
    assert_eq!(shape(&listing), shape(&expected));
}

/// Without checksums a file that ends in a hole longer than the volume, as disks of virtual machines do, is believed; a
/// size that one damaged byte explains is not, nor one of no whole MiB.
#[test]
fn long_holes_at_the_end() {
    let scratch = Scratch::new();
    let (image, from) = (scratch.sparse("image", 32 << 20), scratch.dir("from"));
    let sizes = [("long", 20 << 20), ("longer", 1 << 40), ("flipped", 300), ("byte", 300), ("odd", 300)];
    let damaged = [("flipped", 300u64 | 1 << 31), ("byte", 300 | 0x61 << 24), ("odd", 0x61_6200_012C)];
    for (name, size) in sizes {
        let file = File::create(from.join(name)).unwrap();
        file.write_all_at(&[b'x'; 300], 0).unwrap();
        file.set_len(size).unwrap();
    }
    for kind in ["ext3", "ext4"] {
        let args = ["-q", "-F", "-t", kind, "-O", "^metadata_csum", "-b", "4096", "-d"].map(OsStr::new);
        tool("mke2fs", &args.into_iter().chain([from.as_os_str(), image.as_os_str()]).collect::<Vec<_>>());
        for (name, size) in damaged {
            debugfs(&image, &format!("set_inode_field {name} size {size}\n"));
        }
        let volume = listing::open(&image, &offmount::fs::OpenOptions::default());
        let root = volume.node(volume.root()).unwrap().unwrap();
        for (name, size) in sizes {
            let entry = volume.lookup(&root, name.as_bytes()).unwrap().unwrap();
            let node = volume.node(entry.id).unwrap().unwrap();
            let is_damaged = damaged.iter().any(|(damaged, _)| *damaged == name);
            let trust = if is_damaged { Trust::Doubtful } else { Trust::Intact };
            assert_eq!((node.size, node.trust), (size, trust), "{kind}: {name}");
        }
    }
}

/// A directory without case, and encrypted inodes: no kernel is needed to write them, and not every one mounts them.
#[test]
fn names_without_case_and_encrypted_inodes() {
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 8 << 20);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-O", "casefold,encrypt", &image.display().to_string()]);
    let file = scratch.join("file");
    fs::write(&file, b"contents").unwrap();
    let write = |name: &str| format!("write {} {name}\n", file.display());
    let folded = format!("set_inode_field /dir flags {:#x}\n", 0x4008_0000_u32);
    let encrypted = format!("set_inode_field /dir/other flags {:#x}\n", 0x8_0800_u32);
    let commands = ["mkdir dir\n", &write("/dir/GRÖSSE"), &write("/dir/other"), &folded, &encrypted].concat();
    debugfs(&image, &commands);
    let volume = listing::open(&image, &offmount::fs::OpenOptions::default());
    let look_up = |dir: &offmount::node::Node, name: &str| {
        let entry = volume.lookup(dir, name.as_bytes()).unwrap()?;
        volume.node(entry.id).unwrap()
    };
    let root = volume.node(volume.root()).unwrap().unwrap();
    assert!(look_up(&root, "DIR").is_none());
    let dir = look_up(&root, "dir").unwrap();
    let found = look_up(&dir, "größe").unwrap();
    assert_eq!((found.id, found.encrypted), (look_up(&dir, "GRÖSSE").unwrap().id, false));
    assert!(look_up(&dir, "other").unwrap().encrypted);
    assert!(look_up(&dir, "another").is_none());
}

/// A crash: the image as the disk had it while the volume was in use. What a mount shows after its replay is shown.
#[test]
fn what_a_mount_would_replay() {
    if !is_root() {
        return skipped("mounting needs root");
    }
    for (args, options) in [
        ("-t ext4", ""),
        ("-t ext4 -O inline_data", "data=journal"),
        ("-t ext3 -b 1024", ""),
        ("-t ext4 -O ^64bit,^metadata_csum -b 1024", "journal_checksum"),
        ("-t ext4 -O bigalloc,orphan_file", "journal_async_commit,data=writeback"),
    ] {
        let scratch = Scratch::new();
        let image = scratch.sparse("image", 48 << 20);
        let command = ["-q", "-F"].into_iter().chain(args.split(' ')).map(OsStr::new);
        tool("mke2fs", &command.chain([image.as_os_str()]).collect::<Vec<_>>());
        let crashed = crash(&scratch, &image, options);
        let replayed = scratch.copy_of(&crashed, "replayed");
        drop(Mounted::writable(&replayed, ""));
        let volume = Mounted::read_only(&replayed, "");
        let mut theirs = mounted(volume.path());
        let mut ours = untouched(&crashed, ours);
        // Taking the orphans away, the mount changed the root's time of access alone.
        for listing in [&mut ours, &mut theirs] {
            listing.values_mut().for_each(|shown| shown.accessed = (0, 0));
        }
        assert!(ours.contains_key(&b"committed"[..]), "{args}");
        assert!(!ours.contains_key(&b"unlinked"[..]), "{args}");
        assert_same(&ours, &theirs, args);
        // The superblock's copy of the journal's map leads to it as well.
        debugfs(&crashed, "clri <8>\n");
        let mut ours = listing::ours(&crashed);
        ours.values_mut().for_each(|shown| shown.accessed = (0, 0));
        assert_same(&ours, &theirs, &format!("{args}, the journal's inode cleared"));
    }
}

/// Fast commits behind the log: files made, written, linked, renamed and removed since the last full commit.
#[test]
fn what_a_mount_would_replay_of_fast_commits() {
    if !is_root() {
        return skipped("mounting needs root");
    }
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 48 << 20);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-O", "fast_commit", &image.display().to_string()]);
    let volume = Mounted::writable(&image, "");
    let root = volume.path();
    for name in ["grows", "shrinks", "renamed", "removed", "linked"] {
        fs::write(root.join(name), bytes(1, 30_000)).unwrap();
    }
    rustix::fs::syncfs(File::open(root).unwrap()).unwrap();
    let sync = |name: &str| File::open(root.join(name)).unwrap().sync_all().unwrap();
    let grows = Files::new().append(true).open(root.join("grows")).unwrap();
    grows.write_all_at(&bytes(2, 60_000), 30_000).unwrap();
    grows.sync_all().unwrap();
    Files::new().write(true).open(root.join("shrinks")).unwrap().set_len(5000).unwrap();
    sync("shrinks");
    fs::create_dir(root.join("dir")).unwrap();
    fs::write(root.join("dir/new"), bytes(3, 10_000)).unwrap();
    sync("dir/new");
    fs::hard_link(root.join("linked"), root.join("dir/link")).unwrap();
    sync("linked");
    fs::rename(root.join("renamed"), root.join("dir/moved")).unwrap();
    sync("dir/moved");
    fs::remove_file(root.join("removed")).unwrap();
    sync("grows");
    let crashed = scratch.copy_of(&image, "crashed");
    drop(grows);
    drop(volume);
    let replayed = scratch.copy_of(&crashed, "replayed");
    drop(Mounted::writable(&replayed, ""));
    let mut theirs = mounted(Mounted::read_only(&replayed, "").path());
    let opened = listing::open(&crashed, &offmount::fs::OpenOptions::default());
    let decisions = opened.summary().decisions;
    assert!(decisions.iter().any(|decision| decision.contains("fast commits")), "{decisions:?}");
    assert!(opened.log().findings().any(|finding| finding.code.id == "ext-journal-fast-commit"));
    let mut ours = untouched(&crashed, ours);
    for listing in [&mut ours, &mut theirs] {
        for shown in listing.values_mut() {
            shown.accessed = (0, 0);
            // The kernel makes the entries anew, at the time of its replay, and does not count the links.
            if shown.kind == 'd' {
                (shown.modified, shown.changed, shown.links) = ((0, 0), (0, 0), 0);
            }
        }
    }
    assert_same(&ours, &theirs, "fast commits");
}

/// Uses a volume and copies it while it is in use.
fn crash(scratch: &Scratch, image: &Path, options: &str) -> std::path::PathBuf {
    let volume = Mounted::writable(image, options);
    let root = volume.path();
    for round in 0..3u64 {
        for i in 0..60 {
            fs::write(root.join(format!("file {i}")), bytes(round * 100 + i, 3000)).unwrap();
        }
        (0..60)
            .step_by(4)
            .for_each(|i| fs::rename(root.join(format!("file {i}")), root.join(format!("moved {i}"))).unwrap());
        fs::create_dir_all(root.join(format!("dir {round}/below"))).unwrap();
        // What is removed has its blocks revoked, and used again for contents.
        if round > 0 {
            fs::remove_dir_all(root.join(format!("dir {}", round - 1))).unwrap();
        }
        File::open(root).unwrap().sync_all().unwrap();
    }
    let unlinked = Files::new().create(true).truncate(true).write(true).open(root.join("unlinked")).unwrap();
    unlinked.write_all_at(&bytes(5, 50_000), 0).unwrap();
    unlinked.sync_all().unwrap();
    fs::remove_file(root.join("unlinked")).unwrap();
    let mut committed = File::create(root.join("committed")).unwrap();
    committed.write_all(b"the last that was committed").unwrap();
    rustix::fs::syncfs(File::open(root).unwrap()).unwrap();
    let copy = scratch.copy_of(image, "crashed");
    drop(unlinked);
    copy
}
