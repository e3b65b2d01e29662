//! The reading verbs on a filesystem that the kernel wrote, against what the kernel and GNU tools show of it.

mod common;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::{Mounted, Ran, Scratch, offmount, run, same_for_threads, system, tool, untouched};
use serde_json::Value;

/// A disk of the kernel's making, with all that a listing can show.
struct Disk {
    _scratch: Scratch,
    image: PathBuf,
}

impl Disk {
    fn new() -> Option<Self> {
        if !common::is_root() {
            common::skipped("mounting needs root");
            return None;
        }
        let scratch = Scratch::new();
        let image = scratch.sparse("image", 32 << 20);
        tool("mke2fs", &[OsStr::new("-qFtext4"), image.as_os_str()]);
        let mounted = Mounted::writable(&image, "");
        fill(mounted.path());
        drop(mounted);
        Some(Disk { _scratch: scratch, image })
    }

    /// The kernel's view of it.
    fn mounted(&self) -> Mounted {
        Mounted::read_only(&self.image, "noload")
    }

    /// Runs a verb with options and paths, for 1 and 8 threads, and proves the image unchanged.
    fn ask(&self, verb: &str, args: &[&str]) -> Ran {
        let mut all: Vec<OsString> = vec![verb.into(), self.image.clone().into()];
        all.extend(args.iter().map(OsString::from));
        untouched(&self.image, |_| same_for_threads(&all))
    }
}

fn fill(root: &Path) {
    let at = |name: &str| root.join(name);
    fs::create_dir_all(at("etc/conf.d/deep")).unwrap();
    fs::write(at("etc/fstab"), "# none\n").unwrap();
    fs::write(at("etc/conf.d/a.conf"), "a").unwrap();
    fs::write(at("etc/conf.d/deep/b.conf"), vec![b'b'; 5000]).unwrap();
    fs::write(at("big"), (0..300_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    fs::hard_link(at("big"), at("etc/big too")).unwrap();
    symlink("etc/fstab", at("short link")).unwrap();
    symlink("/".to_owned() + &"long/".repeat(40), at("long link")).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"new\nline")), "n").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"latin\xe9")), "l").unwrap();
    fs::write(at(".hidden"), "h").unwrap();
    let sparse = fs::File::create(at("sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", (1 << 30) - 3).unwrap();
    tool("mknod", &[at("null").as_os_str(), "c".as_ref(), "1".as_ref(), "3".as_ref()]);
    tool("mkfifo", &[at("pipe").as_os_str()]);
    fs::set_permissions(at("etc/fstab"), fs::Permissions::from_mode(0o6751)).unwrap();
    std::os::unix::fs::chown(at("etc/conf.d"), Some(1000), Some(70_000)).unwrap();
    tool("touch", &["-d".as_ref(), "2050-06-07T08:09:10.123456789Z".as_ref(), at("etc/conf.d/a.conf").as_os_str()]);
    tool("touch", &["-d".as_ref(), "1960-01-02T03:04:05.5Z".as_ref(), at("big").as_os_str()]);
    tool("setfattr", &["-n".as_ref(), "user.tag".as_ref(), "-v".as_ref(), "value".as_ref(), at("big").as_os_str()]);
    tool("setfacl", &["-m".as_ref(), "u:1000:rw-,g:50:r--".as_ref(), at("big").as_os_str()]);
}

/// Every path below the mount with what the kernel says of it, by path.
fn walk(root: &Path) -> BTreeMap<Vec<u8>, fs::Metadata> {
    let (mut found, mut waiting) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(path) = waiting.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let below = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
        found.insert([b"/", below].concat(), meta);
    }
    found
}

fn records(ran: &Ran) -> Vec<Value> {
    ran.text().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The bytes of a record's path.
fn path(record: &Value) -> Vec<u8> {
    match (&record["path"], &record["path_b64"]) {
        (Value::String(text), Value::Null) => text.as_bytes().to_vec(),
        (Value::Null, Value::String(base64)) => {
            common::run(system("base64").arg("-d"), base64.as_bytes()).exits(0).stdout
        }
        other => panic!("{other:?}"),
    }
}

fn kind(kind: fs::FileType) -> &'static str {
    match () {
        () if kind.is_dir() => "directory",
        () if kind.is_symlink() => "symlink",
        () if kind.is_fifo() => "fifo",
        () if kind.is_char_device() => "char-device",
        () => "file",
    }
}

/// A time as records write it, by GNU date.
fn date(secs: i64, nanos: i64) -> String {
    let shown = tool("date", &["-u", "-d", &format!("@{secs}"), &format!("+%Y-%m-%dT%H:%M:%S.{nanos:09}Z")]);
    String::from_utf8(shown).unwrap().trim().to_owned()
}

#[test]
fn find_shows_what_the_kernel_shows() {
    let Some(disk) = Disk::new() else { return };
    let ran = disk.ask("find", &["--json"]).exits(0);
    let records = records(&ran);
    assert_eq!(records[0]["decisions"], serde_json::json!([]));
    let ours: BTreeMap<Vec<u8>, &Value> = records[1..].iter().map(|record| (path(record), record)).collect();
    assert_eq!(ours.len(), records.len() - 1, "a path came twice");
    let mounted = disk.mounted();
    let theirs = walk(mounted.path());
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (path, meta) in theirs {
        let record = ours[&path];
        let name = String::from_utf8_lossy(&path);
        assert_eq!(record["kind"], kind(meta.file_type()), "{name}");
        assert_eq!(record["inode"], meta.ino(), "{name}");
        assert_eq!(record["size"], meta.size(), "{name}");
        assert_eq!(record["allocated"], meta.blocks() * 512, "{name}");
        assert_eq!(record["mode"], meta.mode() & 0o7777, "{name}");
        assert_eq!((&record["uid"], &record["gid"]), (&meta.uid().into(), &meta.gid().into()), "{name}");
        assert_eq!(record["links"], meta.nlink(), "{name}");
        assert_eq!(record["modified"], date(meta.mtime(), meta.mtime_nsec()), "{name}");
        assert_eq!(record["changed"], date(meta.ctime(), meta.ctime_nsec()), "{name}");
        assert_eq!(record["trust"], "intact", "{name}");
        let target = fs::read_link(mounted.join(OsStr::from_bytes(&path[1..]))).ok();
        assert_eq!(record["target"].as_str(), target.as_deref().and_then(Path::to_str), "{name}");
    }
}

#[test]
fn find_selects_as_gnu_find_does() {
    let Some(disk) = Disk::new() else { return };
    let mounted = disk.mounted();
    let pairs: &[(&[&str], &[&str])] = &[
        (&["--name", "*.conf"], &["-name", "*.conf"]),
        (&["--iname", "*.CONF"], &["-iname", "*.CONF"]),
        (&["-t", "f,l"], &["-type", "f,l"]),
        (&["--size", "+1MiB"], &["-size", "+1048576c"]),
        (&["--size", "-2"], &["-size", "-2c"]),
        (&["--size", "5000"], &["-size", "5000c"]),
        (&["--newer", "2040-01-01"], &["-newermt", "2040-01-01"]),
        (&["--older", "1970-01-01T00:00:00Z"], &["!", "-newermt", "1970-01-01"]),
        (&["--uid", "1000"], &["-uid", "1000"]),
        (&["--gid", "70000", "-t", "d"], &["-gid", "70000", "-type", "d"]),
    ];
    for (ours, theirs) in pairs {
        let mut args = ours.to_vec();
        args.push("-0");
        let ran = disk.ask("find", &args).exits(0);
        let mut found: Vec<Vec<u8>> =
            ran.stdout.split(|&b| b == 0).filter(|it| !it.is_empty()).map(<[u8]>::to_vec).collect();
        let gnu = run(system("find").arg(".").args(*theirs).arg("-print0").current_dir(mounted.path()), b"").exits(0);
        let strip = |path: &[u8]| if path == b"." { b"/".to_vec() } else { path[1..].to_vec() };
        let mut expected: Vec<Vec<u8>> = gnu.stdout.split(|&b| b == 0).filter(|it| !it.is_empty()).map(strip).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{ours:?}");
        assert!(!found.is_empty(), "{ours:?} selects nothing: the test tests nothing");
    }
}

#[test]
fn find_below_a_path_shows_only_that() {
    let Some(disk) = Disk::new() else { return };
    let all = disk.ask("find", &["/etc"]).exits(0);
    let expected = [
        "/etc",
        "/etc/big too",
        "/etc/conf.d",
        "/etc/conf.d/a.conf",
        "/etc/conf.d/deep",
        "/etc/conf.d/deep/b.conf",
        "/etc/fstab",
    ];
    assert_eq!(all.lines(), expected);
    assert_eq!(disk.ask("find", &["/short link"]).exits(0).lines(), ["/short link"]);
    let ran = disk.ask("find", &["/etc/fstab", "/nothing"]).exits(1);
    assert_eq!(ran.lines(), ["/etc/fstab"]);
    assert!(ran.stderr.contains("/nothing: no such file or directory"), "{ran:?}");
}

#[test]
fn ls_lists_as_gnu_ls_does() {
    let Some(disk) = Disk::new() else { return };
    let mounted = disk.mounted();
    let gnu = |args: &[&str]| {
        run(system("ls").args(args).env("LC_ALL", "C").current_dir(mounted.path()), b"").exits(0).stdout
    };
    let ours = disk.ask("ls", &["-R", "/etc"]).exits(0).stdout;
    let theirs = String::from_utf8(gnu(&["-1AR", "etc"])).unwrap();
    assert_eq!(String::from_utf8(ours).unwrap().replace("/etc", "etc"), theirs);
    assert_eq!(disk.ask("ls", &["/"]).exits(0).stdout, gnu(&["-1A"]));
    // Columns are as wide as they need to be, which is not always what ls thinks.
    let words = |text: &[u8]| -> Vec<Vec<String>> {
        String::from_utf8_lossy(text).lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    };
    let ours = words(&disk.ask("ls", &["-l", "/"]).exits(0).stdout);
    let mut theirs = words(&gnu(&["-lAn", "--time-style=+%Y-%m-%d %H:%M:%S"]));
    // The mark of an ACL, which `offmount stat` shows.
    theirs.iter_mut().for_each(|line| line[0] = line[0].trim_end_matches('+').to_owned());
    assert_eq!(ours, theirs[1..], "without the line of the total");
    assert_eq!(disk.ask("ls", &["/etc/fstab", "/big"]).exits(0).lines(), ["/etc/fstab", "/big"]);
    assert_eq!(disk.ask("ls", &["/no/such"]).exits(1).stdout, b"");
}

#[test]
fn cat_writes_contents() {
    let Some(disk) = Disk::new() else { return };
    let big = fs::read(disk.mounted().join("big")).unwrap();
    assert_eq!(disk.ask("cat", &["/etc/big too"]).exits(0).stdout, big);
    assert_eq!(disk.ask("cat", &["/short link", "/etc/conf.d/a.conf"]).exits(0).stdout, b"# none\na");
    let sparse = disk.ask("cat", &["disk:/sparse"]).exits(0).stdout;
    assert!(sparse.len() == 1 << 30 && sparse.ends_with(b"\0end"));
    let ran = disk.ask("cat", &["/etc", "/etc/conf.d/a.conf", "/pipe"]).exits(1);
    assert_eq!(ran.stdout, b"a");
    assert!(ran.stderr.contains("/etc: is a directory") && ran.stderr.contains("/pipe: is a named pipe"), "{ran:?}");
}

#[test]
fn stat_shows_where_the_bytes_lie() {
    let Some(disk) = Disk::new() else { return };
    let document = &records(&disk.ask("stat", &["--json", "/big"]).exits(0))[0];
    // What lies on the disk where the extents say is the file.
    let whole = fs::read(&disk.image).unwrap();
    let mut bytes = vec![0; document["size"].as_u64().unwrap() as usize];
    for extent in document["extents"].as_array().unwrap() {
        let number = |name: &str| extent[name].as_u64().unwrap() as usize;
        let (from, to) = (number("device_offset"), number("logical"));
        let len = number("len").min(bytes.len() - to);
        bytes[to..to + len].copy_from_slice(&whole[from..from + len]);
    }
    let mounted = disk.mounted();
    assert!(bytes == fs::read(mounted.join("big")).unwrap());
    let acl = String::from_utf8(tool("getfacl", &["-cn".as_ref(), mounted.join("big").as_os_str()])).unwrap();
    let acl: Vec<&str> =
        acl.lines().filter(|line| !line.is_empty()).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(document["acls"][0]["entries"], serde_json::json!(acl));
    let tag = document["xattrs"].as_array().unwrap().iter().find(|it| it["name"] == "user.tag").unwrap();
    assert_eq!(tag["value_b64"], "dmFsdWU=", "as `printf value | base64` writes it");
    let text = disk.ask("stat", &["/big"]).exits(0);
    for part in ["modify: 1960-01-02T03:04:05.500000000Z", "attribute user.tag: value", "inode ", "-rw-rw-r--"] {
        assert!(text.text().contains(part), "{part} in {text:?}");
    }
    assert!(disk.ask("stat", &["/short link"]).exits(0).text().contains("/short link -> etc/fstab"));
}

#[test]
fn what_is_cut_off_is_named() {
    let Some(disk) = Disk::new() else { return };
    let document = &records(&disk.ask("stat", &["--json", "/big"]).exits(0))[0];
    let last = document["extents"].as_array().unwrap().iter().max_by_key(|it| it["device_offset"].as_u64()).unwrap();
    let number = |name: &str| last[name].as_u64().unwrap();
    // Cut in the middle of the file's last extent.
    let cut = number("device_offset") + number("len") / 2 / 4096 * 4096;
    let whole = fs::read(disk.mounted().join("big")).unwrap();
    fs::OpenOptions::new().write(true).open(&disk.image).unwrap().set_len(cut).unwrap();
    let ran = disk.ask("cat", &["/big"]).exits(1);
    let lost = (number("logical") + (cut - number("device_offset"))) as usize;
    assert!(ran.stdout.len() == whole.len() && ran.stdout[..lost] == whole[..lost], "{}", ran.stderr);
    assert!(ran.stdout[lost..].iter().all(|&b| b == 0) || number("logical") + number("len") < whole.len() as u64);
    assert!(ran.stderr.contains(&format!("/big: bytes {lost} to ")), "{}", ran.stderr);
}

/// debugfs gives the room of a name to the entry before, and wipes nothing: the name is still there, as the Sleuth Kit sees.
/// Where the directory's block is gone, the number stands for it.
#[test]
fn deleted_files_are_found_by_name_or_number() {
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 4 << 20);
    tool("mke2fs", &[OsStr::new("-qFtext2"), image.as_os_str()]);
    fs::write(scratch.join("kept"), "kept").unwrap();
    fs::write(scratch.join("gone"), vec![7; 12_345]).unwrap();
    let commands = ["kept", "gone"].map(|name| format!("write {} {name}\n", scratch.join(name).display())).concat();
    common::debugfs(&image, &commands);
    let inode = String::from_utf8(common::debugfs(&image, "ls -p /\n")).unwrap();
    let inode = inode.lines().find(|line| line.contains("/gone/")).unwrap().split('/').nth(1).unwrap().to_owned();
    common::debugfs(&image, "rm gone\n");
    let ask = |args: &[&str]| {
        let mut all: Vec<OsString> = vec!["find".into(), image.clone().into(), "--deleted".into()];
        all.extend(args.iter().map(OsString::from));
        untouched(&image, |_| same_for_threads(&all)).exits(0)
    };
    let seen = String::from_utf8(tool("fls", &[OsStr::new("-rdp"), image.as_os_str()])).unwrap();
    assert!(seen.contains("\tgone"), "{seen}");
    assert_eq!(ask(&[]).lines(), ["disk:#deleted/gone"]);
    let record = &records(&ask(&["--json"]))[1];
    assert_eq!((&record["size"], &record["kind"]), (&12_345.into(), &"file".into()));
    assert!(record["deleted"].is_string());
    assert!(ask(&["--size", "+1MiB"]).stdout.is_empty());
    assert!(ask(&["-l"]).text().contains("12345"));
    let block = String::from_utf8(common::debugfs(&image, "bmap / 0\n")).unwrap();
    let at = block.lines().last().unwrap().trim().parse::<u64>().unwrap() * 1024;
    fs::OpenOptions::new().write(true).open(&image).unwrap().write_all_at(&[0; 1024], at).unwrap();
    assert_eq!(ask(&[]).lines(), [format!("disk:#deleted/{inode}")]);
}

#[test]
fn unreadable_parts_name_the_files_they_hit() {
    let Some(disk) = Disk::new() else { return };
    let document = &records(&disk.ask("stat", &["--json", "/etc/conf.d/deep/b.conf"]).exits(0))[0];
    let at = document["extents"][0]["device_offset"].as_u64().unwrap();
    let scratch = Scratch::new();
    let (map, domain) = (scratch.join("map"), scratch.join("domain"));
    // The second KiB of the file, as ddrescue notes what it could not read.
    let (bad, size) = (at + 1024, fs::metadata(&disk.image).unwrap().len());
    let lines = [(0, bad, '+'), (bad, 1024, '-'), (bad + 1024, size - bad - 1024, '+')];
    let lines = lines.map(|(start, len, status)| format!("0x{start:X} 0x{len:X} {status}\n")).concat();
    fs::write(&map, format!("# Mapfile.\n0x0 + 1\n{lines}")).unwrap();
    let map = map.to_str().unwrap();
    let ran = disk.ask("check", &["--affected", "--mapfile", map, "--domain-map", domain.to_str().unwrap()]).exits(4);
    assert_eq!(ran.text().split_whitespace().collect::<Vec<_>>(), ["1024", "/etc/conf.d/deep/b.conf"]);
    assert!(fs::read_to_string(domain).unwrap().contains(&format!("0x{bad:08X}  0x00000400  +")));
    disk.ask("check", &["--affected", "--mapfile", map, "/etc/fstab"]).exits(0);
    let whole = vec![b'b'; 5000];
    let ran = disk.ask("cat", &["--mapfile", map, "/etc/conf.d/deep/b.conf"]).exits(1);
    assert!(ran.stdout[..1024] == whole[..1024] && ran.stdout[2048..] == whole[2048..], "{}", ran.stderr);
    assert!(ran.stdout[1024..2048].iter().all(|&b| b == 0));
    assert!(ran.stderr.contains("bytes 1024 to 2048 are lost"), "{}", ran.stderr);
}

#[test]
fn failures_say_what_to_do_next() {
    let ran = offmount(&["ls", "/no/such/image"]).exits(2);
    assert!(ran.stderr.contains("cannot open /no/such/image: No such file or directory"), "{ran:?}");
    let ran = offmount(&["ls", "/dev/null"]).exits(2);
    assert!(ran.stderr.contains("name a disk image or a block device"), "{ran:?}");
    offmount(&["ls", "--no-such-option"]).exits(2);
    offmount(&["check", "--no-such-option"]).exits(16);
    offmount(&["check", "/no/such/image"]).exits(8);
    let scratch = Scratch::new();
    let zeros = scratch.sparse("zeros", 1 << 20);
    let ran = offmount(&[OsString::from("ls"), zeros.clone().into()]).exits(1);
    assert!(ran.stderr.contains("no root filesystem"), "{ran:?}");
    offmount(&[OsString::from("info"), zeros.clone().into()]).exits(0);
    let ran = offmount(&[OsString::from("info"), zeros.clone().into(), "--offset".into(), "1MiB".into()]).exits(2);
    assert!(ran.stderr.contains("is behind the end of"), "{ran:?}");
    let empty = scratch.sparse("empty", 0);
    for (verb, code) in [("info", 2), ("ls", 2), ("check", 8)] {
        let ran = offmount(&[OsString::from(verb), empty.clone().into()]).exits(code);
        assert!(ran.stderr.contains("is empty"), "{ran:?}");
    }
    let ran = offmount(&[OsString::from("copy"), zeros.clone().into(), "--to".into(), empty.into()]).exits(2);
    assert!(ran.stderr.contains("not a directory"), "{ran:?}");
    // More threads than any machine has cores would only use up its memory.
    let ran = offmount(&[OsString::from("info"), zeros.clone().into(), "--threads".into(), "100000".into()]).exits(2);
    assert!(ran.stderr.contains("1024"), "{ran:?}");
    // A copy of a disk on which nothing is read is not complete.
    let to = scratch.join("to");
    let ran = offmount(&[OsString::from("copy"), zeros.clone().into(), "--to".into(), to.into()]).exits(1);
    assert!(ran.stderr.contains("no filesystem that is read"), "{ran:?}");
    let ran = offmount(&[OsString::from("ls"), common::testdata("server.img").into(), "p2:etc".into()]).exits(1);
    assert!(ran.stderr.contains("on a volume: p2:/etc"), "{ran:?}");
    let ran = offmount(&["explain", "no-such-code"]).exits(2);
    assert!(ran.stderr.contains("explain --all"), "{ran:?}");
}

#[test]
fn nobody_reading_the_output_is_no_fault() {
    let program = env!("CARGO_BIN_EXE_offmount");
    let image = common::testdata("server.img");
    let line = format!("{program} find --json {0} | head -c 10; echo ${{PIPESTATUS[0]}}", image.display());
    let ran = run(system("bash").args(["-c", &line]), b"").exits(0);
    assert!(ran.text().ends_with("0\n") && ran.stderr.is_empty(), "{ran:?}");
}

#[test]
fn completions_and_manual_pages_come_of_the_same_definitions() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(offmount(&["completions", shell]).exits(0).text().contains("offmount"));
    }
    let bash = offmount(&["completions", "bash"]).exits(0).stdout;
    run(system("bash").arg("-n"), &bash).exits(0);
    assert!(offmount(&["man"]).exits(0).text().starts_with(".ie"));
    let scratch = Scratch::new();
    offmount(&[OsString::from("man"), "--to".into(), scratch.join("man").into()]).exits(0);
    let mut pages: Vec<OsString> =
        fs::read_dir(scratch.join("man")).unwrap().map(|it| it.unwrap().file_name()).collect();
    pages.sort();
    for verb in ["", "-cat", "-check", "-copy", "-find", "-info", "-ls", "-stat", "-verify"] {
        let page = OsString::from_vec(format!("offmount{verb}.1").into_bytes());
        assert!(pages.contains(&page), "{page:?} in {pages:?}");
    }
}
