//! The server's own paths: its root is found by content, its fstab places the other volumes, and paths lead over them.

mod common;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Scratch, debugfs, run, system, tool, tool_fed, untouched};
use offmount::fs::content::Content;
use offmount::progress::Silent;
use offmount::server::{Placed, Resolved, Server, Unresolved};
use offmount::source::FileSource;
use offmount::survey::{SurveyOptions, survey};

const MIB: u64 = 1 << 20;

/// One partition: its size in MiB, and how it is made.
struct Part {
    size: u64,
    mkfs: &'static [&'static str],
    /// Files by path, contents as text; a path that ends in a slash is a directory, `-> target` a symbolic link.
    files: &'static [(&'static str, &'static str)],
}

const ROOT_UUID: &str = "22222222-2222-3333-4444-555555555555";
const SRV_UUID: &str = "33333333-2222-3333-4444-555555555555";

const FSTAB: &str = "\
# <file system> <mount point> <type> <options> <dump> <pass>
UUID=22222222-2222-3333-4444-555555555555 / ext4 errors=remount-ro 0 1
/dev/sda1 /boot/efi vfat umask=0077 0 1
LABEL=my\\040data /srv ext4 defaults 0 2
UUID=\"33333333-2222-3333-4444-555555555555\" /srv/deep/ ext4 noauto 0 2
PARTLABEL=scratch /scratch auto defaults 0 0
/dev/sdb1 /backup ext4 defaults 0 0
/dev/mapper/vg0-home /home xfs defaults 0 0
/dev/sda6 /wrong xfs defaults 0 0
/dev/sda5 none swap sw 0 0
tmpfs /tmp tmpfs size=1G 0 0
/srv /export none bind 0 0
/export/deep /usr/twice none rw,rbind 0 0
/round1 /round2 none bind 0 0
/round2 /round1 none bind 0 0
";

const PARTS: &[Part] = &[
    Part { size: 4, mkfs: &["mkfs.fat", "-F12", "-n", "ESP"], files: &[] },
    Part {
        size: 8,
        mkfs: &["mkfs.ext4", "-q", "-L", "my data"],
        files: &[("report.txt", "of the data volume"), ("deep/", ""), ("up", "-> ../etc/hostname")],
    },
    Part {
        size: 16,
        mkfs: &["mkfs.ext4", "-q", "-U", ROOT_UUID],
        files: &[
            ("etc/fstab", FSTAB),
            ("etc/hostname", "server\n"),
            ("usr/bin/", ""),
            ("bin", "-> usr/bin"),
            ("srv/", ""),
            ("srv/hidden", "below the mount"),
            ("boot/", ""),
            ("absolute", "-> /srv/report.txt"),
            ("relative", "-> ./srv/../srv/report.txt"),
            ("above", "-> ../../../etc/hostname"),
            ("loop", "-> loop2"),
            ("loop2", "-> /loop"),
            ("dangling", "-> /nowhere/at/all"),
            ("directory", "-> srv/"),
        ],
    },
    Part { size: 8, mkfs: &["mkfs.ext4", "-q", "-U", SRV_UUID], files: &[("bottom", "deep down")] },
    Part { size: 4, mkfs: &["mkswap", "-q"], files: &[] },
    Part { size: 8, mkfs: &["mkfs.ext4", "-q"], files: &[("etc/passwd", "no root"), ("found", "unplaced")] },
    Part { size: 4, mkfs: &["mkswap", "-q"], files: &[] },
];

fn make_part(scratch: &Scratch, part: &Part, number: usize) -> PathBuf {
    let (path, tree) = (scratch.sparse(&format!("p{number}"), part.size * MIB), scratch.dir(&format!("tree{number}")));
    for (name, text) in part.files {
        let file = tree.join(name);
        fs::create_dir_all(if name.ends_with('/') { &file } else { file.parent().unwrap() }).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => symlink(target, &file).unwrap(),
            None if name.ends_with('/') => {}
            None => fs::write(&file, text).unwrap(),
        }
    }
    let mut args: Vec<&str> = part.mkfs[1..].to_vec();
    if part.mkfs[0] == "mkfs.ext4" {
        args.extend(["-d", tree.to_str().unwrap()]);
    }
    tool(part.mkfs[0], &[args, vec![path.to_str().unwrap()]].concat());
    path
}

/// The disk, and the byte at which each partition begins.
fn make_disk(scratch: &Scratch, parts: &[Part]) -> (PathBuf, Vec<u64>) {
    let path = scratch.sparse("disk", (parts.iter().map(|part| part.size).sum::<u64>() + 2) * MIB);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let (mut script, mut at, mut starts) = ("label: gpt\n".to_owned(), MIB, Vec::new());
    for (i, part) in parts.iter().enumerate() {
        let name = if i == 6 { "scratch" } else { "" };
        script += &format!("start={}, size={}, name=\"{name}\"\n", at / 512, part.size * MIB / 512);
        file.write_all_at(&fs::read(make_part(scratch, part, i + 1)).unwrap(), at).unwrap();
        starts.push(at);
        at += part.size * MIB;
    }
    tool_fed("sfdisk", &["-q", path.to_str().unwrap()], script.as_bytes());
    (path, starts)
}

fn assemble(path: &Path) -> Server {
    untouched(path, |path| {
        let disk = survey(Arc::new(FileSource::open(path).unwrap()), &SurveyOptions::default(), &Silent).unwrap();
        Server::assemble(disk, &Silent).unwrap()
    })
}

fn resolve(server: &Server, path: &str) -> Result<Resolved, Unresolved> {
    server.resolve(path.as_bytes(), true, &Silent)
}

/// The text of a file.
fn text(server: &Server, path: &str) -> String {
    let found = resolve(server, path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let fs = server.volume(found.volume).fs().unwrap();
    let (bytes, lost) = Content::open(&**fs, &found.node.unwrap()).unwrap().read_all(4096).unwrap().unwrap();
    assert!(lost.is_empty());
    String::from_utf8(bytes).unwrap()
}

fn names(server: &Server) -> (Option<&str>, Vec<(&str, String)>) {
    let name = |volume: usize| server.volume(volume).name.as_str();
    let mounts = server.mounts().iter().map(|mount| {
        let placed = match &mount.placed {
            Placed::On(volume) => name(*volume).to_owned(),
            Placed::Bound(directory) => format!("shows {}", String::from_utf8_lossy(directory)),
            Placed::Nowhere(why) => why.clone(),
        };
        (std::str::from_utf8(&mount.at).unwrap(), placed)
    });
    (server.root().map(name), mounts.collect())
}

#[test]
fn the_fstab_places_the_volumes() {
    let scratch = Scratch::new();
    let (path, _) = make_disk(&scratch, PARTS);
    let server = assemble(&path);
    let (root, mounts) = names(&server);
    assert_eq!(root, Some("p3"));
    let placed = |at: &str| mounts.iter().find(|mount| mount.0 == at).map(|mount| mount.1.as_str());
    assert_eq!(
        mounts.iter().map(|m| m.0).collect::<Vec<_>>(),
        [
            "/",
            "/srv",
            "/scratch",
            "/backup",
            "/home",
            "/wrong",
            "/export",
            "/round2",
            "/round1",
            "/boot/efi",
            "/srv/deep",
            "/usr/twice"
        ]
    );
    assert_eq!(placed("/export"), Some("shows /srv"));
    for (at, volume) in [("/", "p3"), ("/boot/efi", "p1"), ("/srv", "p2"), ("/srv/deep", "p4"), ("/scratch", "p7")] {
        assert_eq!(placed(at), Some(volume), "{at}");
    }
    assert_eq!(placed("/wrong"), Some("p6 holds ext4, not xfs"));
    assert!(placed("/home").unwrap().contains("mapping"));
    assert!(placed("/backup").unwrap().contains("no volume") || placed("/backup").unwrap().contains("sdb"));
    let layout: Vec<_> = server
        .layout()
        .into_iter()
        .map(|place| (server.volume(place.volume).name.clone(), String::from_utf8(place.at).unwrap(), place.placed))
        .collect();
    let expected = [("p3", "", true), ("p6", "#volumes/p6", false), ("p1", "boot/efi", true), ("p2", "srv", true)];
    assert_eq!(layout[..4], expected.map(|(name, at, placed)| (name.to_owned(), at.to_owned(), placed)));
    assert_eq!((layout[4].0.as_str(), layout[4].1.as_str(), layout.len()), ("p4", "srv/deep", 5));
}

#[test]
fn paths_lead_over_mounts_and_links() {
    let scratch = Scratch::new();
    let (path, _) = make_disk(&scratch, PARTS);
    let server = assemble(&path);
    assert_eq!(text(&server, "/etc/hostname"), "server\n");
    assert_eq!(text(&server, "etc//./hostname"), "server\n");
    assert_eq!(text(&server, "/srv/../etc/hostname"), "server\n");
    assert_eq!(text(&server, "/srv/deep/bottom"), "deep down");
    assert_eq!(text(&server, "/usr/twice/bottom"), "deep down", "a bind of a bind, and a mount below");
    for of_the_data in [
        "/srv/report.txt",
        "/export/report.txt",
        "/export/deep/../report.txt",
        "/absolute",
        "/relative",
        "/directory/report.txt",
        "/bin/../../srv/report.txt",
    ] {
        assert_eq!(text(&server, of_the_data), "of the data volume", "{of_the_data}");
    }
    // `..` of a mount point is what it is mounted on, and that of the root is the root.
    assert_eq!(text(&server, "/srv/up"), "server\n");
    assert_eq!(text(&server, "/above"), "server\n");
    // What lies below a mount is seen by naming the volume.
    assert_eq!(text(&server, "p3:/srv/hidden"), "below the mount");
    assert_eq!(text(&server, "p2:/report.txt"), "of the data volume");
    assert_eq!(text(&server, "p6:/found"), "unplaced");
    let found = resolve(&server, "/srv/deep/bottom").unwrap();
    assert_eq!((found.path.as_slice(), found.server_path.as_slice()), (&b"bottom"[..], &b"/srv/deep/bottom"[..]));
    let found = resolve(&server, "p4:/bottom").unwrap();
    assert_eq!((found.path.as_slice(), found.server_path.as_slice()), (&b"bottom"[..], &b"p4:/bottom"[..]));
    let mounted = resolve(&server, "/boot/efi").unwrap();
    assert_eq!((server.volume(mounted.volume).kind(), mounted.path.len()), (Some("vfat"), 0));

    let link = server.resolve(b"/absolute", false, &Silent).unwrap();
    assert_eq!(link.node.unwrap().kind, offmount::node::Kind::Symlink);
    let through = server.resolve(b"/directory/", false, &Silent).unwrap();
    assert_eq!(server.volume(through.volume).name, "p2", "a slash at the end follows the link");
}

#[test]
fn paths_that_lead_nowhere_say_why() {
    let scratch = Scratch::new();
    let (path, _) = make_disk(&scratch, PARTS);
    let server = assemble(&path);
    let p7 = server.volume_named(b"p7").unwrap();
    let bytes = |path: &str| path.as_bytes().to_vec();
    for (path, why) in [
        ("/nowhere", Unresolved::NotFound(bytes("/nowhere"))),
        ("/etc/nowhere/below", Unresolved::NotFound(bytes("/etc/nowhere"))),
        ("/dangling", Unresolved::NotFound(bytes("/nowhere"))),
        ("/etc/hostname/x", Unresolved::NotADirectory(bytes("/etc/hostname"))),
        ("/srv/hidden", Unresolved::NotFound(bytes("/srv/hidden"))),
        ("p2:/etc", Unresolved::NotFound(bytes("p2:/etc"))),
        ("p9:/etc", Unresolved::NoSuchVolume(bytes("p9"))),
        ("/scratch/x", Unresolved::NotRead(p7)),
    ] {
        assert_eq!(resolve(&server, path).unwrap_err(), why, "{path}");
    }
    for round in ["/loop", "/round1/x"] {
        assert!(matches!(resolve(&server, round), Err(Unresolved::TooManyLinks(_))), "{round}");
    }
}

#[test]
fn the_only_filesystem_is_the_root_and_two_without_a_root_are_none() {
    let scratch = Scratch::new();
    let alone = make_part(&scratch, &PARTS[3], 90);
    let server = assemble(&alone);
    assert_eq!(names(&server), (Some("disk"), vec![]));
    assert_eq!(text(&server, "/bottom"), "deep down");
    assert_eq!(server.layout()[0].at, b"");

    let two = Scratch::new();
    let data = |size| Part { size, mkfs: &["mkfs.ext4", "-q"], files: &[("file", "of a data volume")] };
    let server = assemble(&make_disk(&two, &[data(4), data(6)]).0);
    assert_eq!(server.root(), None);
    assert_eq!(resolve(&server, "/file").unwrap_err(), Unresolved::NoRoot);
    assert_eq!(text(&server, "p2:/file"), "of a data volume");
    assert_eq!(server.layout().iter().map(|p| p.at.as_slice()).collect::<Vec<_>>(), [b"#volumes/p1", b"#volumes/p2"]);
}

#[test]
fn a_boot_volume_beside_what_is_not_read_is_no_root() {
    let scratch = Scratch::new();
    let boot = Part { size: 4, mkfs: &["mkfs.ext4", "-q"], files: &[("vmlinuz", "")] };
    let unread = Part { size: 4, mkfs: &["mkfs.ntfs", "-Q", "-F", "-q"], files: &[] };
    let server = assemble(&make_disk(&scratch, &[boot, unread]).0);
    assert_eq!(server.root(), None);
    assert_eq!(server.layout().iter().map(|p| p.at.as_slice()).collect::<Vec<_>>(), [b"#volumes/p1", b"#volumes/p2"]);
}

#[test]
fn of_two_roots_the_one_whose_fstab_names_it() {
    let scratch = Scratch::new();
    let old = Part {
        size: 8,
        mkfs: &["mkfs.ext4", "-q"],
        files: &[
            ("etc/fstab", "UUID=99999999-2222-3333-4444-555555555555 / ext4 defaults\n"),
            ("usr/", ""),
            ("var/", ""),
        ],
    };
    let current = Part {
        size: 8,
        mkfs: &["mkfs.ext4", "-q", "-U", ROOT_UUID],
        files: &[("etc/fstab", "UUID=22222222-2222-3333-4444-555555555555 / ext4 defaults\n"), ("usr/", "")],
    };
    let server = assemble(&make_disk(&scratch, &[old, current]).0);
    assert_eq!(names(&server).0, Some("p2"));
    assert_eq!(server.layout().iter().map(|p| p.at.as_slice()).collect::<Vec<_>>(), [b"".as_slice(), b"#volumes/p1"]);
}

#[test]
fn what_damage_hides_is_found_in_the_salvaged_tree() {
    let scratch = Scratch::new();
    let (path, starts) = make_disk(&scratch, PARTS);
    // The inode of /etc is gone: no lookup leads to what is in it.
    let part = scratch.join("p3");
    let (at, inode) = (starts[2] + inode_place(&part, "/etc"), inode_number(&part, "/etc/hostname"));
    OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&[0; 128], at).unwrap();

    let server = assemble(&path);
    assert_eq!(names(&server).0, Some("p3"), "the names at its top still make it the root");
    let paths = ["/etc/hostname".to_owned(), format!("/#lost/{inode}")];
    let found = paths.iter().find(|path| resolve(&server, path).is_ok()).expect("by its name or its number");
    assert_eq!(text(&server, found), "server\n");
}

fn inode_number(part: &Path, path: &str) -> u64 {
    let said = String::from_utf8(debugfs(part, &format!("stat {path}"))).unwrap();
    said.split("Inode: ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// The byte of a filesystem at which an inode lies.
fn inode_place(part: &Path, path: &str) -> u64 {
    // "Inode 12 is part of block group 0\n\tlocated at block 43, offset 0x0b00"
    let said = String::from_utf8(debugfs(part, &format!("imap {path}"))).unwrap();
    let (block, offset) = said.split("located at block ").nth(1).unwrap().trim().split_once(", offset 0x").unwrap();
    let superblock = run(system("dumpe2fs").arg("-h").arg(part), b"");
    let size = superblock.text().split("Block size:").nth(1).unwrap().split_whitespace().next().unwrap();
    block.parse::<u64>().unwrap() * size.parse::<u64>().unwrap()
        + u64::from_str_radix(offset.split_whitespace().next().unwrap(), 16).unwrap()
}
